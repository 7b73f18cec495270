"""A score taken apart: the sizes add up, the letter says no figure and no protected column."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date

import pytest
from score_book import PaperBook, arrow, rows, score

from backbook.engine import Engine
from backbook.score import Version, apply, for_one, make
from backbook.score.apart import LOWERS, RAISES, average, by_standing, explain_one, letter, moved

AS_OF = date(2026, 8, 31)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(threads=2, scratch=tmp_path_factory.mktemp("scratch"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def version(engine: Engine) -> Version:
    """A card that may read sex, and sees that men are late more often."""
    values = rows(3000)
    values["worst_dpd"] = [
        60 if sex == 1 and number % 3 == 0 else dpd
        for number, (sex, dpd) in enumerate(zip(values["sex"], values["worst_dpd"], strict=True))
    ]
    declared = score(features=["utilisation", "late", "city", "sex"], protected=["sex"])
    found = make(declared, engine, AS_OF, PaperBook(engine, values))
    assert isinstance(found, Version)
    assert {one["name"] for one in found.content["card"]["characteristics"]} >= {"utilisation", "late", "sex"}
    return found


def test_the_average_and_all_sizes_add_up_to_the_points(engine: Engine, version: Version) -> None:
    for row in engine.rows(engine.table(arrow(rows(200, seed=5)))):
        found = explain_one(version, row)
        assert found.base is not None and found.total is not None
        assert found.base + sum(each.size or 0 for each in found.reasons) == pytest.approx(found.total)


def test_the_average_is_that_of_the_rows_that_taught(engine: Engine, version: Version) -> None:
    card = version.content["card"]
    bins = card["characteristics"][0]["bins"]
    rows_in = [bin["events"] + bin["others"] for bin in bins]
    by_hand = sum(n * bin["points"] for n, bin in zip(rows_in, bins, strict=True)) / sum(rows_in)
    others = [one for one in card["characteristics"][1:]]
    rest = sum(
        sum((bin["events"] + bin["others"]) * bin["points"] for bin in one["bins"]) / sum(rows_in) for one in others
    )
    assert average(version) == pytest.approx(card["start"] + by_hand + rest)


def test_what_takes_points_raises_the_chance_and_the_farthest_comes_first(engine: Engine, version: Version) -> None:
    row = {**engine.rows(engine.table(arrow(rows(1))))[0], "utilisation": 1.19, "late": 0, "city": "sh", "sex": 2}
    found = {each.feature: each for each in explain_one(version, row).reasons}
    assert found["utilisation"].direction == RAISES and (found["utilisation"].size or 0) < 0
    assert found["late"].direction == LOWERS and (found["late"].size or 0) > 0
    sizes = [abs(each.size or 0) for each in explain_one(version, row).reasons]
    assert sizes == sorted(sizes, reverse=True)


def test_where_more_points_mean_more_events_what_gives_points_raises_the_chance(engine: Engine) -> None:
    more = score(features=["utilisation", "late"], points={"more": "events"})
    found = make(more, engine, AS_OF, PaperBook(engine, rows(3000)))
    assert isinstance(found, Version)
    row = engine.rows(engine.table(arrow(rows(1))))[0]
    often, never = (explain_one(found, row | {"late": times}) for times in (4, 0))
    late = [next(each for each in one.reasons if each.feature == "late") for one in (often, never)]
    assert [each.direction for each in late] == [RAISES, LOWERS] and late[0].size > 0 > late[1].size
    assert "Times late is high" in letter(often.reasons, "en")


def test_a_letter_says_no_figure_and_never_a_protected_column(engine: Engine, version: Version) -> None:
    seen = 0
    for row in engine.rows(engine.table(arrow({**rows(100, seed=6), "sex": [1] * 100}))):
        reasons = explain_one(version, row).reasons
        seen += any(each.feature == "sex" and each.direction == RAISES for each in reasons)
        for language, word in (("zh", "性别"), ("en", "Sex")):
            text = " ".join(letter(reasons, language))
            assert word not in text and not re.search(r"\d", text)
    assert seen == 100, "sex did speak against them all, so its absence means something"


def test_a_letter_tells_the_side_on_which_the_customer_stands(engine: Engine, version: Version) -> None:
    row = {**engine.rows(engine.table(arrow(rows(1))))[0], "utilisation": 1.19, "late": 4, "city": "gz", "sex": 2}
    reasons = explain_one(version, row).reasons
    assert {"Utilisation is high", "Times late is high"} <= set(letter(reasons, "en"))
    assert {"额度使用率较高", "逾期次数较高"} <= set(letter(reasons, "zh"))
    unknown = explain_one(version, {**row, "utilisation": None}).reasons
    told = next(each for each in unknown if each.feature == "utilisation")
    assert told.letter == ("额度使用率未知", "Utilisation is not known")


def test_over_a_book_the_mean_sizes_are_those_of_its_units(engine: Engine, version: Version) -> None:
    profile = engine.table(arrow(rows(300, seed=8)))
    found = {row["feature"]: row for row in moved(version, engine, profile, apply(version, profile, engine))}
    units = [explain_one(version, row).reasons for row in engine.rows(profile)]
    for feature, row in found.items():
        sizes = [abs(each.size or 0) for reasons in units for each in reasons if each.feature == feature]
        assert row["size"] == pytest.approx(sum(sizes) / 300)
    firsts = sum(row["shares"][0] for row in found.values())
    assert 0.9 < firsts <= 1.0


@pytest.fixture(scope="module")
def trees(engine: Engine) -> Version:
    growing = {"method": "trees", "trees": {"leaves": 4, "rounds": 60}, "monotone": {"utilisation": "up"}}
    found = make(score(**growing), engine, AS_OF, PaperBook(engine, rows(3000)))
    assert isinstance(found, Version)
    return found


def test_contributions_of_trees_add_up_to_the_log_odds(engine: Engine, trees: Version) -> None:
    for row in engine.rows(engine.table(arrow(rows(50, seed=5)))):
        found = explain_one(trees, row)
        assert found.base is not None and found.total is not None and found.unit == "log_odds"
        assert found.base + sum(each.size or 0 for each in found.reasons) == pytest.approx(found.total)
        chance = 1 / (1 + math.exp(-found.total))
        assert chance == pytest.approx(for_one(trees)(row)["probability"], abs=1e-6)


def test_trees_say_how_they_use_a_feature(engine: Engine, trees: Version) -> None:
    found = {row["feature"]: row for row in by_standing(trees, engine, engine.table(arrow(rows(500, seed=8))))}
    mean = {each["code"]: each["mean"] for each in found["utilisation"]["standings"]}
    assert mean["utilisation:high"] > 0 > mean["utilisation:low"]


def test_a_letter_about_a_warning_rule_names_what_it_looks_at_and_no_protected_column(version: Version) -> None:
    rule = {"code": "rule_1", "text": "utilisation > 0.9 and sex = 1", "zh": "额度使用率高于 0.9且性别为 1", "en": "…"}
    content = {
        **version.content,
        "rules": [rule],
        "reasons": [rule],
        "method": "rules",
        "reason_keys": ["10000 * 1 + 9999"],
    }
    del content["card"]
    row = {name.name: None for name in version.columns} | {"utilisation": 0.95, "sex": 1}
    (reason,) = explain_one(Version(content), row).reasons
    assert reason.zh == rule["zh"]
    assert letter([reason], "zh") == ["额度使用率的情况"] and letter([reason], "en") == ["Utilisation"]
