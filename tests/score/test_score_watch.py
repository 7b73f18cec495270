"""The watch: nothing is said of a book that stays as it was, and what moves is said with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from score_book import PaperBook, arrow, rows, score

from backbook.customer.drift import psi, psi_bound
from backbook.engine import Engine
from backbook.expressions import Name, Type
from backbook.score import Version, apply, columns, make
from backbook.score.counting import Grid
from backbook.score.intervals import auc_error, auc_of, ks_of, slope_of, top_tenth
from backbook.score.monitor import Act, Kind, Level, Reading, table, whole
from backbook.score.quality import auc, ks
from backbook.score.reference import Bands, Reference, counted
from backbook.score.registry import Version as Registered
from backbook.score.ripened import Outcomes, by_rule, over, readings, ripened, rule_readings
from backbook.score.shifts import compared, shifts
from backbook.score.target import judged
from backbook.score.warning import Counted

AS_OF, SCORED = date(2026, 8, 31), date(2026, 2, 28)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(threads=2, scratch=tmp_path_factory.mktemp("scratch"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def version(engine: Engine) -> Version:
    found = make(score(), engine, AS_OF, PaperBook(engine, rows(3000, people=2500)))
    assert isinstance(found, Version)
    return Registered.read(found.data)


def profile(engine: Engine, version: Version, values: dict[str, Any]) -> Any:
    """Made-up accounts with the columns of their score."""
    known = engine.table(arrow(values)).drop("worst_dpd")
    given = columns(version, apply(version, known, engine)).rename(_unit="account_id")
    return known.left_join(given, known.account_id == given["_unit"]).drop("_unit")


def read(engine: Engine, version: Version, count: int, seed: int = 7, **changes: Any) -> list[Reading]:
    return shifts(score(), version, engine, profile(engine, version, {**rows(count, seed), **changes}), AS_OF)


def one(found: list[Reading], kind: Kind, subject: str = "") -> Reading:
    return next(each for each in found if each.kind == kind and each.subject == subject)


# ── what a version keeps ────────────────────────────────────────────────────────────────────────────────────


def test_a_version_keeps_the_bands_of_what_it_uses_and_nothing_else(version: Version) -> None:
    kept = Reference.read(version.content["reference"])
    assert {each.name.name for each in kept.features} == {
        each["name"] for each in version.content["card"]["characteristics"]
    }
    assert (kept.rows, kept.people) == (9000, 2500)
    for bands in (kept.probability, kept.grades, *kept.features):
        assert sum(bands.rows) == kept.rows
        assert len(bands.rows) == len(bands.labels) <= 13
    utilisation = next(each for each in kept.features if each.name.name == "utilisation")
    assert utilisation.missing == pytest.approx(0.05 * 9000, rel=0.2)
    assert max(utilisation.rows) < 0.2 * kept.rows
    assert Reference.read(kept.canonical()) == kept


def test_rows_are_counted_in_the_engine_as_they_are_at_hand(engine: Engine) -> None:
    number = Grid(Name("x", Type.NUMBER), ends=number_ends("0.1", "0.5"), special=(-1, 9))
    text = Grid(Name("t", Type.TEXT), levels=("a", "b"))
    yesno = Grid(Name("y", Type.YESNO), levels=(False, True))
    values = pa.table(
        {
            "x": pa.array([0.1, 0.2, 0.5, 0.7, -1.0, 9.0, None, float("nan"), float("inf"), -3.0]),
            "t": ["a", "b", "c", None, "a", "a", "", "b", "c", None],
            "y": [True, False, None, True, True, True, False, None, None, None],
        }
    )
    asked = {grid.name.name: Bands(grid, ()) for grid in (number, text, yesno)}
    found = counted(engine, engine.table(values), asked)
    for name, bands in asked.items():
        by_hand = np.bincount(bands.grid.codes(values[name]), minlength=bands.grid.codes_in_all)
        assert found[name] == by_hand.tolist(), name


def number_ends(*ends: str) -> tuple[Any, ...]:
    from decimal import Decimal

    return tuple(Decimal(end) for end in ends)


# ── before outcomes are known ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [150, 400, 2500])
def test_of_a_hundred_books_that_stayed_as_they_were_hardly_one_is_told_by_chance(version: Version, count: int) -> None:
    then = Reference.read(version.content["reference"])
    every = (then.probability, then.grades, *then.features)
    random = np.random.default_rng(count)
    told = 0
    for _ in range(100):
        now = [random.multinomial(count, np.array(bands.rows) / then.rows).tolist() for bands in every]
        found = compared(then, now, AS_OF)
        told += any(each.level == Level.WATCH for each in found)
        assert not any(each.level == Level.ACT for each in found)
    # Eight readings at one in a thousand each; a fixed line of 0.10 alone would have told of a sixth of the small ones.
    assert told <= 2


def test_new_accounts_of_the_same_kind_raise_no_alarm(engine: Engine, version: Version) -> None:
    for seed in (7, 8, 9):
        found = read(engine, version, 2000, seed)
        assert whole(found, AS_OF).level == Level.OK, whole(found, AS_OF).reason_en
        assert {each.level for each in found} == {Level.OK}


def test_what_moved_is_named_with_its_numbers_and_what_to_do(engine: Engine, version: Version) -> None:
    found = read(engine, version, 2000, late=np.random.default_rng(1).poisson(2.5, 2000).tolist())
    late, score_, utilisation = one(found, Kind.CSI, "late"), one(found, Kind.PSI), one(found, Kind.CSI, "utilisation")
    assert (late.level, late.act, utilisation.level) == (Level.ACT, Act.SOURCE, Level.OK)
    assert late.value is not None and late.value > 0.25 and (late.rows_reference, late.rows_now) == (9000, 2000)
    assert late.reason_zh.startswith("逾期次数 的分布与训练时相差（") and "门槛 0.25" in late.reason_zh
    assert late.reason_en.startswith("Times late has moved since training (") and "9,000 → 2,000" in late.reason_en
    assert score_.level == Level.ACT and "变化最大的特征：逾期次数" in score_.reason_zh
    said = whole(found, AS_OF)
    assert (said.level, said.act, said.reason_en) == (Level.ACT, Act.RETRAIN, score_.reason_en)


def test_the_same_shift_in_twenty_rows_waits_for_more(engine: Engine, version: Version) -> None:
    found = read(engine, version, 20)
    assert one(found, Kind.PSI).level == Level.WAIT
    said = whole(found, AS_OF)
    assert (said.level, said.act) == (Level.WAIT, Act.WAIT) and "too few rows to tell" in said.reason_en


def test_an_empty_book_waits_and_is_no_alarm(engine: Engine, version: Version) -> None:
    empty = profile(engine, version, rows(10)).filter(ibis.literal(False))
    assert whole(shifts(score(), version, engine, empty, AS_OF), AS_OF).level == Level.WAIT


def test_a_feature_that_stops_coming_is_told_by_what_is_missing(engine: Engine, version: Version) -> None:
    half = [value if number % 2 else None for number, value in enumerate(rows(2000, 7)["utilisation"])]
    found = read(engine, version, 2000, utilisation=half)
    missing = one(found, Kind.MISSING, "utilisation")
    assert (missing.level, missing.act) == (Level.ACT, Act.SOURCE)
    assert missing.reference == pytest.approx(0.05, abs=0.01) and missing.value == pytest.approx(0.52, abs=0.02)
    assert missing.low is not None and missing.high is not None and missing.low < missing.value < missing.high
    assert one(found, Kind.MISSING, "late").level == Level.OK


def test_a_feature_that_moved_alone_asks_for_a_look_at_the_score_not_for_an_act(version: Version) -> None:
    then = Reference.read(version.content["reference"])
    now = [list(bands.rows) for bands in (then.probability, then.grades, *then.features)]
    now[2] = now[2][::-1]
    found = compared(then, now, AS_OF)
    assert one(found, Kind.CSI, then.features[0].name.name).level == Level.ACT
    assert whole(found, AS_OF).level == Level.WATCH
    # One to be watched is shown, and the score holds.
    mild = [Reading(Kind.PSI, AS_OF), Reading(Kind.CSI, AS_OF, subject="late", level=Level.WATCH)]
    assert whole(mild, AS_OF).level == Level.OK


def test_those_who_never_teach_are_not_held_against_those_who_do(engine: Engine) -> None:
    apart = score(exclusions="late > 2")
    taught = make(apart, engine, AS_OF, PaperBook(engine, rows(3000)))
    assert isinstance(taught, Version)
    # A third of today's book is of the excluded kind; the others are as they were.
    values = rows(3000, 7)
    values["late"] = [5 if number % 3 == 0 else late for number, late in enumerate(values["late"])]
    found = shifts(apart, taught, engine, profile(engine, taught, values), AS_OF)
    assert whole(found, AS_OF).level == Level.OK
    assert one(found, Kind.PSI).rows_now == sum(late <= 2 for late in values["late"])


def test_a_version_without_bands_of_its_training_says_so(engine: Engine, version: Version) -> None:
    old = Registered({key: value for key, value in version.content.items() if key != "reference"})
    (found,) = shifts(score(), old, engine, None, AS_OF)
    assert (found.level, found.act) == (Level.WATCH, Act.RETRAIN) and "no bands" in found.reason_en


def test_chance_exceeds_the_bound_of_the_index_as_often_as_is_said() -> None:
    random = np.random.default_rng(3)
    shares = np.full(10, 0.1)
    drawn = [psi(random.multinomial(900, shares), random.multinomial(600, shares)) for _ in range(4000)]
    assert np.mean(np.array(drawn) > psi_bound(10, 900, 600, 0.05)) == pytest.approx(0.05, abs=0.012)
    assert np.mean(np.array(drawn) > psi_bound(10, 900, 600)) < 0.004


# ── once outcomes are known ─────────────────────────────────────────────────────────────────────────────────


def test_areas_and_gaps_from_counts_are_those_of_the_rows() -> None:
    random = np.random.default_rng(5)
    chances = random.integers(1, 40, 600) / 100
    happened = random.random(600) < chances
    values, events, others = by_value(chances, happened)
    assert auc_of(events, others)[0] == pytest.approx(auc(chances, happened), abs=1e-12)
    assert ks_of(events, others)[0] == pytest.approx(ks(chances, happened), abs=1e-12)
    assert len(values) == 39


def by_value(chances: Any, happened: Any) -> tuple[Any, Any, Any]:
    values, places = np.unique(chances, return_inverse=True)
    events = np.bincount(places[happened], minlength=len(values))
    return values, events, np.bincount(places, minlength=len(values)) - events


def test_the_interval_of_the_area_is_as_wide_as_a_bootstrap_says() -> None:
    random = np.random.default_rng(6)
    # As many events as others, so that both kinds add to the error.
    chances = np.round(random.beta(2, 2, 1500), 2)
    happened = random.random(1500) < chances
    area, error = auc_of(*by_value(chances, happened)[1:])
    again = []
    for _ in range(400):
        drawn = random.integers(0, 1500, 1500)
        again.append(auc(chances[drawn], happened[drawn]))
    assert error == pytest.approx(float(np.std(again)), rel=0.12)
    # Of the sizes alone it is wider, and never much too narrow.
    assert 0.9 < auc_error(area, int(happened.sum()), int((~happened).sum())) / error < 1.5


def test_the_slope_is_that_of_a_logistic_regression_on_the_odds() -> None:
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(7)
    chances = np.round(random.beta(2, 8, 3000), 3).clip(0.001, 0.999)
    odds = np.log(chances / (1 - chances))
    happened = random.random(3000) < 1 / (1 + np.exp(-(0.3 + 0.6 * odds)))
    judge = LogisticRegression(C=1e10, tol=1e-8, max_iter=1000).fit(odds[:, None], happened)
    found = slope_of(*by_value(chances, happened))
    assert found is not None
    assert found[0] == pytest.approx(float(judge.coef_[0][0]), abs=1e-4)
    assert abs(found[0] - 0.6) < 3 * found[1]
    assert slope_of(np.array([0.5]), np.array([5]), np.array([5])) is None


def test_the_top_tenth_takes_its_part_of_those_who_share_the_lowest_value() -> None:
    # A tenth of 20 rows: the one highest, and one of the four next, of whom half had the event.
    assert top_tenth(np.array([0, 2, 1]), np.array([15, 2, 0])) == (2.0, 1.5)


@pytest.fixture(scope="module")
def book(engine: Engine) -> PaperBook:
    return PaperBook(engine, rows(3000, people=2500))


def given(engine: Engine, version: Version, book: PaperBook) -> Any:
    return apply(version, book._table(SCORED).drop("worst_dpd"), engine).rename(unit="account_id")


def test_scores_are_judged_only_when_their_outcomes_are_over(engine: Engine, version: Version, book: PaperBook) -> None:
    scored = given(engine, version, book)
    assert not over(score(), date(2026, 8, 30), book, SCORED) and not over(score(), SCORED, book, SCORED)
    assert over(score(), AS_OF, book, SCORED)
    # Asked too early all the same, nobody's outcome is known.
    early = ripened(version, engine, judged(score(), engine, date(2026, 8, 30), book, SCORED), SCORED, scored)
    assert [(each.level, each.rows_now) for each in early] == [(Level.WAIT, 0)]
    found = ripened(version, engine, judged(score(), engine, AS_OF, book, SCORED), SCORED, scored)
    assert {each.period for each in found} == {SCORED}
    assert {each.kind for each in found} >= {Kind.AUC, Kind.KS, Kind.LIFT, Kind.SLOPE, Kind.CALIBRATION, Kind.ERROR}


def test_a_score_that_still_holds_is_as_good_as_in_training(engine: Engine, version: Version, book: PaperBook) -> None:
    units = judged(score(), engine, AS_OF, book, SCORED)
    found = ripened(version, engine, units, SCORED, given(engine, version, book))
    assert whole(found, AS_OF).level == Level.OK
    area, true = one(found, Kind.AUC), one(found, Kind.CALIBRATION)
    assert area.reference == version.content["quality"]["auc"] and area.rows_now == 3000
    assert area.low is not None and area.value is not None and area.high is not None
    assert area.low < area.value < area.high and area.value == pytest.approx(area.reference, abs=0.03)
    assert true.value == pytest.approx(1, abs=0.1)
    bands = [each for each in found if each.kind == Kind.CALIBRATION_BAND]
    assert sum(each.rows_now or 0 for each in bands) == 3000


def came(version: Version, happened: Any, chances: Any) -> list[Reading]:
    return readings(version, Outcomes(*by_value(chances, happened)), SCORED)


def test_a_score_that_ranks_no_more_is_not_to_be_decided_by(version: Version) -> None:
    random = np.random.default_rng(8)
    chances = random.beta(2, 5, 2000)
    found = came(version, random.random(2000) < chances.mean(), chances)
    assert one(found, Kind.AUC).level == Level.ACT and one(found, Kind.KS).level == Level.ACT
    said = whole(found, AS_OF)
    assert (said.level, said.act, said.subject) == (Level.ACT, Act.STOP, "ks")
    assert one(found, Kind.SLOPE).act == Act.RECALIBRATE


def test_chances_that_come_true_twice_as_often_are_to_be_recalibrated(version: Version) -> None:
    random = np.random.default_rng(9)
    # Twice as often at every chance; the score ranks as well as ever.
    chances = random.beta(1, 3, 4000) / 2
    found = came(version, random.random(4000) < 2 * chances, chances)
    true = one(found, Kind.CALIBRATION)
    assert (true.level, true.act) == (Level.ACT, Act.RECALIBRATE) and true.low is not None and true.low > 1.2
    assert any(each.level == Level.ACT for each in found if each.kind == Kind.CALIBRATION_BAND)
    assert one(found, Kind.ERROR).level == Level.WATCH


def test_forty_rows_with_four_events_tell_nothing_of_ranks(version: Version) -> None:
    chances = np.linspace(0.05, 0.2, 40)
    found = came(version, np.arange(40) % 10 == 0, chances)
    assert one(found, Kind.AUC).level == Level.WAIT and "4 events" in one(found, Kind.AUC).reason_en
    assert not [each for each in found if each.kind in (Kind.KS, Kind.LIFT, Kind.SLOPE)]
    assert whole(found, AS_OF).level == Level.WAIT


RULES: dict[str, Any] = {
    "score": "warning", "grain": "account", "defined": {"rules": {"most": 8, "conditions": 3, "share": 0.02, "precision": 0.5}},
    "rules": [
        {"code": "rule_1", "zh": "逾期至少3次", "en": "late 3 times", "hit_rate": 0.1, "precision": 0.7},
        {"code": "rule_2", "zh": "额度用尽", "en": "nothing left", "hit_rate": 0.1, "precision": 0.6},
    ],
}  # fmt: skip


def test_a_rule_is_counted_by_the_reasons_of_those_whom_it_hit(engine: Engine) -> None:
    units = engine.table(pa.table({"account_id": list("abcde"), "_event": [True, False, True, False, True]}))
    hits: dict[str, list[str | None]] = {"unit": list("abcdx"), "reason_1": ["rule_1", "rule_1", "rule_2", None, "rule_1"],
            "reason_2": ["rule_2", None, None, None, None], "reason_3": [None] * 5, "reason_4": [None] * 5}  # fmt: skip
    rows = pa.table({name: pa.array(column, pa.string()) for name, column in hits.items()})
    scored = engine.table(rows.append_column("probability", pa.array([0.5] * 5)))
    assert by_rule(engine, units, "account_id", scored, ["rule_1", "rule_2"]) == {
        "rule_1": Counted(rows=4, base=2, hits=2, events=1), "rule_2": Counted(rows=4, base=2, hits=2, events=2),
    }  # fmt: skip


def test_a_rule_that_decayed_is_to_be_taken_out_and_one_that_holds_is_left_alone() -> None:
    version = Registered(RULES)
    months = [date(2026, month, 28) for month in (1, 2, 3)]
    by_date = {
        day: {"rule_1": Counted(1000, 200, 100, 68), "rule_2": Counted(1000, 200, 100, right)}
        for day, right in zip(months, (55, 30, 10), strict=True)
    }
    found = rule_readings(version, by_date)
    assert [(each.subject, each.period.month, each.value) for each in found] == [
        ("rule_1", 1, 0.68), ("rule_1", 2, 0.68), ("rule_1", 3, 0.68),
        ("rule_2", 1, 0.55), ("rule_2", 2, 0.30), ("rule_2", 3, 0.10),
    ]  # fmt: skip
    assert [each.level for each in found] == [Level.OK] * 5 + [Level.ACT]
    said = whole(found, AS_OF)
    assert (said.level, said.act, said.subject) == (Level.ACT, Act.DROP, "rule_2")
    assert said.reason_zh.startswith("规则“额度用尽”：近期命中准确率") and "nothing left" in said.reason_en


def test_the_latest_month_that_ripened_speaks_for_the_score() -> None:
    bad = Reading(Kind.KS, date(2026, 1, 31), level=Level.ACT, act=Act.STOP, reason_en="fell")
    good = Reading(Kind.KS, date(2026, 2, 28))
    assert whole([bad, good], AS_OF).level == Level.OK
    assert whole([good, bad, Reading(Kind.PSI, AS_OF)], AS_OF).level == Level.OK
    assert whole([bad, Reading(Kind.PSI, AS_OF)], AS_OF).level == Level.ACT


def test_the_same_rows_read_twice_give_the_same_table(engine: Engine, version: Version, book: PaperBook) -> None:
    scored = given(engine, version, book)

    def once() -> pa.Table:
        units = judged(score(), engine, AS_OF, book, SCORED)
        found = [*read(engine, version, 500), *ripened(version, engine, units, SCORED, scored)]
        return table(version, [whole(found, AS_OF), *found])

    first = once()
    assert first.equals(once())
    assert first.column_names[:5] == ["score", "version", "kind", "period", "subject"]
    assert set(first["level"].to_pylist()) <= {"ok", "wait", "watch", "act"}
    assert all(zh and en for zh, en in zip(first["act_zh"].to_pylist(), first["act_en"].to_pylist(), strict=True))
