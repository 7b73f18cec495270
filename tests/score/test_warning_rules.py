"""Warning rules: what was planted is found and said, what chance made is not, and what no longer holds is told."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from score_book import PROFILE, PaperBook, arrow, score

from backbook.engine import Engine
from backbook.expressions import Names, Type, parse
from backbook.score import Score, Unavailable, Version, apply, for_one, make, sample
from backbook.score import columns as added
from backbook.score.decay import DECAYED, HOLDS, WATCH, judged, watched
from backbook.score.definition import Hits
from backbook.score.literals import feature
from backbook.score.look import look
from backbook.score.rulebook import rows_of
from backbook.score.search import Bounds, search
from backbook.score.target import Sample
from backbook.score.warning import Counted, Rows, mine

AS_OF = date(2026, 8, 31)
DATES = (date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 28))
NAMES = Names("account", PROFILE)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(threads=2, scratch=tmp_path_factory.mktemp("scratch"))
    yield engine
    engine.close()


def warning(**changes: Any) -> Score:
    said = {
        "id": "warning", "zh": "预警", "en": "Warning", "method": "rules", "observations": {"at_most": 1},
        "features": ["utilisation", "late", "balance", "city", "autopay", "noise"],
        "monotone": None, "grades": {"low": 0.2, "high": 1}, "rules": {"share": 0.05, "precision": 0.5},
    }  # fmt: skip
    return score(**{**said, **changes})


def planted(count: int = 6000, seed: int = 1, *, right: float = 0.8, low: bool = False) -> dict[str, Any]:
    """Accounts of which one in twenty has the event; with much used (or little) and often late, it is `right`."""
    random = np.random.default_rng(seed)
    utilisation = random.integers(0, 25, count) * 0.05
    late = random.choice(5, count, p=[0.5, 0.25, 0.15, 0.06, 0.04])
    here = (utilisation < 0.26 if low else utilisation > 0.926) & (late >= 3)
    event = random.random(count) < np.where(here, right, 0.05)
    return {
        "account_id": [f"a{number:06d}" for number in range(count)],
        "customer_id": [f"c{number:06d}" for number in range(count)],
        "utilisation": np.where(random.random(count) < 0.03, None, utilisation.round(2)).tolist(),
        "late": late.tolist(),
        "balance": random.integers(0, 5000, count).tolist(),
        "city": np.where(random.random(count) < 0.03, None, random.choice(["sh", "bj", "gz"], count)).tolist(),
        "autopay": (random.random(count) < 0.5).tolist(),
        "sex": [1] * count,
        "noise": random.normal(size=count).round(3).tolist(),
        "first_use": [None] * count,
        "worst_dpd": np.where(event, 60, 0).tolist(),
    }


def sampled(engine: Engine, one: Score, book: PaperBook) -> Sample:
    found = sample(one, engine, AS_OF, book)
    assert isinstance(found, Sample)
    return found


def mined_from(engine: Engine, one: Score, values: dict[str, Any]) -> Rows:
    taught = sampled(engine, one, PaperBook(engine, values))
    seen = look(one, taught)
    assert not isinstance(seen, Unavailable)
    return rows_of(taught, seen)


@pytest.fixture(scope="module")
def version(engine: Engine) -> Version:
    found = make(warning(), engine, AS_OF, PaperBook(engine, planted()))
    assert isinstance(found, Version), found
    return found


# ── what is found ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_planted_rule_is_found_and_said_in_both_languages(version: Version) -> None:
    first = version.content["rules"][0]
    assert first["text"] == "utilisation > 0.9 and late >= 3"
    assert first["zh"] == "额度使用率高于 0.9，且逾期次数不少于 3"
    assert first["en"] == "Utilisation above 0.9 and Times late at least 3"


def test_the_figures_of_a_rule_are_of_people_who_did_not_teach_it(engine: Engine, version: Version) -> None:
    taught = sampled(engine, warning(), PaperBook(engine, planted()))
    rows = engine.rows(taught.table.order_by("_row").select("utilisation", "late", "_event", "_fold"))
    others = [row for row in rows if row["_fold"] in (3, 4)]
    hit = [row for row in others if (row["utilisation"] or 0) > 0.9 and row["late"] >= 3]
    first = version.content["rules"][0]
    assert (first["rows"], first["hits"]) == (len(others), len(hit))
    assert first["events"] == sum(row["_event"] for row in hit)
    assert first["tier"] == "sure" and first["low"] > 0.5
    assert first["by_date"][0]["hits"] == len(hit)


def test_whom_a_rule_hits_has_its_chance_and_the_others_have_the_rate_of_the_rest(version: Version) -> None:
    ask = for_one(version)
    calm = {"utilisation": 0.1, "late": 0, "balance": 1, "city": "sh", "autopay": True, "noise": 0.0}
    hit, missed, unknown = ask(calm | {"utilisation": 1.0, "late": 4}), ask(calm), ask(calm | {"utilisation": None})
    assert hit["probability"] == version.content["rules"][0]["added_precision"] > 0.7
    assert (hit["reason_1"], hit["grade"]) == ("rule_1", "high")
    assert (missed["reason_1"], missed["grade"]) == (None, "low") and missed["probability"] < 0.08
    # What is not known does not hit.
    assert unknown["probability"] == missed["probability"]
    assert version.reason("rule_1", "zh").startswith("额度使用率高于 0.9")


def test_a_book_and_one_customer_get_the_same_rules_in_the_same_order(engine: Engine) -> None:
    # Two ways to be bad that overlap, so that some are hit by both.
    values = planted(right=0.7)
    random = np.random.default_rng(9)
    for place, (late, balance) in enumerate(zip(values["late"], values["balance"], strict=True)):
        if late >= 3 and balance > 3500 and random.random() < 0.8:
            values["worst_dpd"][place] = 60
    found = make(warning(), engine, AS_OF, PaperBook(engine, values))
    assert isinstance(found, Version) and len(found.content["rules"]) >= 2
    profile = engine.table(arrow(values)).drop("worst_dpd")
    scored = apply(found, profile, engine)
    rows = {row["account_id"]: row for row in engine.rows(scored)}
    ask = for_one(found)
    for row in engine.rows(profile.filter(profile.late >= 3)):
        assert {"account_id": row["account_id"], **ask(row)} == rows[row["account_id"]]
    both = [row for row in rows.values() if row["reason_2"] is not None]
    assert both and all((row["reason_1"], row["reason_2"]) == ("rule_1", "rule_2") for row in both)
    profiled = engine.rows(added(found, scored).limit(1))[0]
    assert set(profiled) == {"account_id", "warning_rule", "warning_probability", "warning_grade"}


def test_a_rule_goes_into_a_strategy_as_it_is(version: Version) -> None:
    for rule in version.content["rules"]:
        assert parse(rule["text"], NAMES).type is Type.YESNO


def test_the_same_rows_teach_the_same_rules(engine: Engine, version: Version) -> None:
    again = make(warning(), engine, AS_OF, PaperBook(engine, planted()))
    assert isinstance(again, Version) and again.data == version.data


def test_every_literal_holds_where_its_expression_does(engine: Engine) -> None:
    values = planted(600)
    values["balance"] = [-1 if number % 7 == 0 else number for number in range(600)]
    one = warning(special={"balance": [-1]}, minimum_events=10)
    rows = mined_from(engine, one, values)
    profile = sampled(engine, one, PaperBook(engine, values)).columns([grid.name.name for grid, _ in rows.features])
    told = profile.to_pylist()
    seen = set()
    for grid, codes in rows.features:
        coded = feature(grid, codes, rows.target, np.arange(600), "free")
        for literal in coded.literals:
            ask = parse(literal.text, NAMES).python()
            assert coded.holds(literal).tolist() == [ask(row) is True for row in told], literal.text
            seen.add(literal.text)
    assert {"balance = -1", "not autopay", "city is null", "city = 'sh'"} <= seen
    # The state -1 is no small balance, and a level that is not on the column's list cannot be said.
    assert any(text.startswith("balance <= ") and text.endswith(" and balance not in (-1)") for text in seen)
    assert not any("gz" in text for text in seen)


# ── what is not ─────────────────────────────────────────────────────────────────────────────────────────────


def test_where_the_target_is_shuffled_the_search_finds_some_and_none_is_believed(engine: Engine) -> None:
    rows = mined_from(engine, warning(), planted())
    asked, candidates = Hits(share=0.05, lift=1.1), 0
    for seed in range(10):
        shuffled = replace(rows, target=np.random.default_rng(seed).permutation(rows.target))
        mined = mine(shuffled, asked, {})
        candidates += mined.candidates
        assert not mined.rules, [rule.text for rule in mined.rules]
    assert candidates > 10
    assert mine(rows, asked, {}).rules


def test_what_held_in_early_months_only_is_refused(engine: Engine) -> None:
    one = warning(observations={"at_most": 3})
    gone = {day: planted(seed=seed, right=0.8 if seed < 2 else 0.05) for seed, day in enumerate(DATES)}
    refused = make(one, engine, AS_OF, PaperBook(engine, planted(), days=gone))
    assert isinstance(refused, Unavailable)
    assert "also on people and on a date that did not teach it; of " in refused.needs
    lasting = {day: planted(seed=seed) for seed, day in enumerate(DATES)}
    kept = make(one, engine, AS_OF, PaperBook(engine, planted(), days=lasting))
    assert isinstance(kept, Version) and kept.content["rules"][0]["text"] == "utilisation > 0.9 and late >= 3"
    assert [each["observed_on"] for each in kept.content["rules"][0]["by_date"]] == [str(day) for day in DATES]


def test_what_failed_in_one_earlier_month_is_refused(engine: Engine) -> None:
    # Over the months that find it, the rule is right in half of its hits, and more is not asked.
    one = warning(observations={"at_most": 3}, rules={"share": 0.05, "precision": 0.3})
    broken = {day: planted(seed=seed, right=0.05 if seed == 1 else 0.95) for seed, day in enumerate(DATES)}
    refused = make(one, engine, AS_OF, PaperBook(engine, planted(), days=broken))
    assert isinstance(refused, Unavailable) and "none does" in refused.needs


def test_no_rule_points_against_the_declared_direction(engine: Engine) -> None:
    values = planted(low=True)
    free = make(warning(), engine, AS_OF, PaperBook(engine, values))
    assert isinstance(free, Version) and "utilisation <= " in free.content["rules"][0]["text"]
    barred = make(warning(monotone={"utilisation": "up"}), engine, AS_OF, PaperBook(engine, values))
    said = [] if isinstance(barred, Unavailable) else [rule["text"] for rule in barred.content["rules"]]
    assert not any("utilisation <= " in text for text in said)


def test_auto_takes_the_way_in_which_the_feature_goes_with_the_event(engine: Engine) -> None:
    rows = mined_from(engine, warning(minimum_events=10), planted(600))
    grid, codes = next(one for one in rows.features if one[0].name.name == "late")
    signs = {
        literal.text.split()[1]
        for literal in feature(grid, codes, rows.target, np.arange(600), "auto").literals
        if "null" not in literal.text
    }
    assert signs == {">="}


def test_a_lift_that_cannot_be_is_refused_with_the_figure(engine: Engine) -> None:
    values = planted()
    values["worst_dpd"] = [60 if number % 2 else 0 for number in range(6000)]
    refused = make(warning(rules={"lift": 3}), engine, AS_OF, PaperBook(engine, values))
    assert isinstance(refused, Unavailable)
    assert refused.needs == (
        "a rule that hits right in 150.0% of its hits, where 50.0% of all rows have the event; "
        "that is not possible, so ask for less lift"
    )


# ── a slow judge ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("literals", [1, 2])
def test_trying_everything_finds_no_better_rule_of_one_or_two_conditions(engine: Engine, literals: int) -> None:
    rows = mined_from(
        engine, warning(features=["utilisation", "late", "city", "noise"], minimum_events=10), planted(400)
    )
    every = np.arange(400)
    features = [feature(grid, codes, rows.target, every, "free") for grid, codes in rows.features]
    bounds = Bounds(least=0.1, fewest=8, most=60, literals=literals)
    found = search(features, rows.target, every, bounds)
    tried = [
        worth(np.logical_and.reduce([one.holds(each) for one, each in chosen]), rows.target, bounds)
        for number in range(1, literals + 1)
        for chosen in itertools.combinations([(one, each) for one in features for each in one.literals], number)
        if len({one.name for one, _ in chosen}) == number
    ]
    assert max(one.surplus for one in found) == pytest.approx(max(tried))
    assert max(tried) > 0


def worth(hit: Any, target: Any, bounds: Bounds) -> float:
    """Hits times what the lower end of Wilson's interval lies above the least precision, written out once more."""
    hits, events, z = int(hit.sum()), int((hit & target).sum()), 1.645
    if not bounds.fewest <= hits <= bounds.most:
        return -math.inf
    share = events / hits
    lower = share + z * z / (2 * hits) - z * math.sqrt((share * (1 - share) + z * z / (4 * hits)) / hits)
    return hits * (lower / (1 + z * z / hits) - bounds.least)


# ── the closed loop ─────────────────────────────────────────────────────────────────────────────────────────


def months(*counts: tuple[int, int]) -> list[tuple[date, Counted]]:
    """Months of 10,000 accounts, 200 with the event, of which a rule hit some and hit some right."""
    return [(date(2026, month, 28), Counted(10_000, 200, hits, right)) for month, (hits, right) in enumerate(counts, 1)]


@pytest.mark.parametrize(
    ("counts", "verdict", "why"),
    [
        ([(100, 30), (100, 28), (100, 32)], HOLDS, "right in 30% of late (90/300), 20% asked"),
        ([(100, 30), (100, 10), (100, 12), (100, 11)], DECAYED, "right in 11% of late (33/300, 8% to 15%), below the 20% asked"),
        ([(20, 3), (20, 4), (20, 4)], WATCH, "right in 18% of late (11/60), below the 20% asked, but within error"),
        ([(300, 90), (300, 90), (300, 90)], WATCH, "hits 3.00% of late, 1.00% before"),
        ([(20, 6), (20, 6), (20, 6)], WATCH, "hits 0.20% of late, 1.00% before"),
        ([(100, 30), (0, 0), (0, 0), (0, 0)], WATCH, "hits nobody of late"),
    ],
)  # fmt: skip
def test_a_rule_is_judged_by_what_became_of_those_it_hit(counts: Any, verdict: str, why: str) -> None:
    found = judged("rule_1", months(*counts), Hits(precision=0.2), hit_rate=0.01)
    assert (found.verdict, found.en) == (verdict, why)


def test_a_lift_is_held_against_the_rate_of_the_later_months() -> None:
    # 2 % of all have the event: ten times that is 20 %, twenty times 40 %.
    counts = months((100, 30), (100, 30), (100, 30))
    assert judged("rule_1", counts, Hits(lift=10), hit_rate=0.01).verdict == HOLDS
    assert judged("rule_1", counts, Hits(lift=20), hit_rate=0.01).verdict == DECAYED


def test_later_outcomes_tell_which_rules_decayed(engine: Engine, version: Version) -> None:
    def later(right: float) -> Sample:
        values = planted(seed=7, right=right)
        return sampled(engine, warning(observations={"at_most": 2}), PaperBook(engine, values))

    assert watched(version, later(0.8))[0].verdict == HOLDS
    worse = watched(version, later(0.1))[0]
    assert worse.verdict == DECAYED and worse.zh.startswith("近期命中准确率 ")
    values = planted(seed=7, right=0.1)
    here = [
        event > 30
        for used, late, event in zip(values["utilisation"], values["late"], values["worst_dpd"], strict=True)
        if used is not None and used > 0.9 and late >= 3
    ]
    assert [(found.rows, found.hits, found.events) for _, found in worse.by_date] == [(6000, len(here), sum(here))] * 2
