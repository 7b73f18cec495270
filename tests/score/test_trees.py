"""Scores by trees: taught honestly, the same for a book and for one customer, with reasons that the trees gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import lightgbm
import numpy as np
import pyarrow as pa
import pytest
from score_book import PaperBook, arrow, rows, score
from test_scoring import strange

from backbook.engine import Engine
from backbook.errors import BadData
from backbook.expressions import Name, Type
from backbook.score import Score, Unavailable, Version, apply, for_one, make, sample, trees
from backbook.score.apply_trees import INSIDE, LEAST_MOVE, asked, forest, one_row
from backbook.score.counting import Grid
from backbook.score.target import Sample
from backbook.score.train_trees import Judged
from backbook.score.trees import Coding, Ground, Setting, code, encode

AS_OF = date(2026, 8, 31)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(threads=2, scratch=tmp_path_factory.mktemp("scratch"))
    yield engine
    engine.close()


def by_trees(**changes: Any) -> Score:
    """Few and small trees: enough to tell, and soon grown."""
    return score(**{"method": "trees", "trees": {"leaves": 6, "rounds": 40}, "observations": {"at_most": 1}} | changes)


@pytest.fixture(scope="module")
def trained(engine: Engine) -> Version:
    found = make(by_trees(special={"late": [0]}), engine, AS_OF, PaperBook(engine, rows(3000)))
    assert isinstance(found, Version)
    return found


def row(**changes: Any) -> dict[str, Any]:
    usual = {"utilisation": 0.5, "late": 1, "balance": 100, "city": "sh", "autopay": True, "noise": 0.0}
    return usual | changes


# ── columns ─────────────────────────────────────────────────────────────────────────────────────────────────


def coded(type: Type, values: list[Any], **grid: Any) -> Coding:
    kinds = {Type.TEXT: pa.string(), Type.YESNO: pa.bool_(), Type.NUMBER: pa.float64()}
    return code(Grid(Name("x", type), **grid), pa.chunked_array([pa.array(values, kinds[type])]))


def shown(coding: Coding, values: list[Any], kind: pa.DataType) -> tuple[list[list[float]], list[Any]]:
    found = encode([coding], {"x": pa.array(values, kind)})
    return found.matrix.tolist(), [coding.standings[place] for place in found.standing[0]]


def test_a_level_that_training_had_not_seen_is_taken_for_missing() -> None:
    coding = coded(Type.TEXT, ["b", "a", "b", None], levels=("a", "b"))
    matrix, standing = shown(coding, ["a", "b", "new", None], pa.string())
    np.testing.assert_array_equal(matrix, [[0], [1], [np.nan], [np.nan]])
    assert standing == ["a", "b", "other", "missing"]


def test_where_none_was_missing_in_training_a_missing_value_is_the_usual_one() -> None:
    assert shown(coded(Type.TEXT, ["b", "a", "b"], levels=("a", "b")), ["new", None], pa.string())[0] == [[1], [1]]
    assert shown(coded(Type.NUMBER, [1.0, 2.0, 9.0]), [None, float("nan")], pa.float64())[0] == [[2], [2]]
    assert shown(coded(Type.YESNO, [True, False, True], levels=(False, True)), [None, False], pa.bool_())[0] == [
        [1],
        [0],
    ]


def test_a_number_stands_high_or_low_against_the_median_and_special_values_apart() -> None:
    coding = coded(Type.NUMBER, [-1.0, -1.0, 1.0, 2.0, 9.0, None], special=(-1,))
    matrix, standing = shown(coding, [-1.0, 1.5, 2.0, 9.5, None], pa.float64())
    np.testing.assert_array_equal(matrix, [[np.nan, 1], [1.5, 0], [2, 0], [9.5, 0], [np.nan, 0]])
    assert standing == [-1.0, "low", "middle", "high", "missing"]


# ── growing ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_rows_give_the_same_text_whatever_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "WORTH_THREADS", 0)
    random = np.random.default_rng(3)
    matrix = random.normal(size=(2000, 8))
    target = matrix[:, 0] * matrix[:, 1] + random.normal(size=2000) > 1
    setting = Setting(leaves=8, columns=0.5, rounds=20)
    texts = {Ground(matrix, target, [0] * 8, threads=n).grown(setting, np.arange(1500)) for n in (1, 2, 1)}
    assert len(texts) == 1


def test_the_same_rows_and_definition_give_the_same_bytes(engine: Engine, trained: Version, tmp_path: Any) -> None:
    other = Engine(threads=1, scratch=tmp_path)
    again = make(by_trees(special={"late": [0]}), other, AS_OF, PaperBook(other, rows(3000)))
    other.close()
    assert isinstance(again, Version) and again.data == trained.data


def test_a_direction_that_was_asked_for_holds_wherever_one_looks(engine: Engine) -> None:
    # With noise in the target a free forest breaks the order; the asked one keeps it at every row.
    ladder = np.linspace(0, 1.3, 40)
    many = {"rounds": 200}
    kept = make(by_trees(trees=many), engine, AS_OF, PaperBook(engine, rows(3000)))
    free = make(by_trees(trees=many, monotone=None), engine, AS_OF, PaperBook(engine, rows(3000)))
    assert isinstance(kept, Version) and isinstance(free, Version)

    def steps(version: Version) -> list[float]:
        grown = forest(version)
        found: list[float] = []
        for one in rows(25, seed=4)["balance"]:
            table = pa.Table.from_pylist([row(utilisation=value, balance=one) for value in ladder])
            found += np.diff(grown.log_odds(encode(grown.codings, table))).tolist()
        return found

    assert min(steps(kept)) >= 0 < max(steps(kept))
    assert min(steps(free)) < 0


def test_auto_is_the_direction_in_which_the_feature_goes_alone(engine: Engine) -> None:
    one = by_trees(features=["utilisation", "late", "noise"], monotone={"utilisation": "auto"})
    found = make(one, engine, AS_OF, PaperBook(engine, rows(3000)))
    assert isinstance(found, Version)
    chances = [for_one(found)(row(utilisation=value))["probability"] for value in (0.1, 0.4, 0.7, 1.0)]
    assert chances == sorted(chances) and chances[0] < chances[-1]
    lines = [line for line in found.content["trees"]["text"].splitlines() if line.startswith("monotone_constraints=")]
    assert lines == ["monotone_constraints=1 0 0"]


# ── honest ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_figures_are_of_rows_that_the_trees_had_not_seen_and_the_chances_come_true(trained: Version) -> None:
    quality = trained.content["quality"]
    assert 0.7 < quality["auc"] < 0.79 and len(quality["by_fold"]) == 5
    assert quality["calibration_error"] < 0.03
    (day,) = quality["by_date"]
    assert day["expected"] == pytest.approx(day["events"], rel=0.02)


def test_nobody_is_judged_by_trees_that_had_met_them(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[tuple[Any, Any]] = []

    def said(ground: Ground, setting: Setting, taught: Any, asked: Any) -> Any:
        met.append((taught, asked))
        return kept(ground, setting, taught, asked)

    kept = Ground.said
    monkeypatch.setattr(Ground, "said", said)
    values = rows(3000, people=1500)
    found = make(by_trees(observations={"at_most": 2}), engine, AS_OF, PaperBook(engine, values))
    assert isinstance(found, Version) and found.content["quality"]["rows"] == 6000
    person = np.tile(np.arange(3000) % 1500, 2)
    for taught, judged in met:
        assert len(taught) and len(judged) and not set(person[taught]) & set(person[judged])
    # Five folds for the figures, five once more from the first date alone, and every row asked once in each.
    assert len(met) == 10
    for five in (met[:5], met[5:]):
        assert sorted(np.concatenate([judged for _, judged in five])) == list(range(6000))
    assert all(taught.max() < 3000 for taught, _ in met[5:])


def test_settings_are_chosen_on_a_later_date_and_among_other_people(engine: Engine) -> None:
    asked_for = by_trees(observations={"at_most": 3})
    found = sample(asked_for, engine, AS_OF, PaperBook(engine, rows(900, people=300)))
    assert isinstance(found, Sample)
    person = np.array([int(account[1:]) % 300 for account in found.column("account_id").to_pylist()])
    judged = Judged.__new__(Judged)
    judged.score, judged.sample = asked_for, found
    for taught, later in judged._splits(np.arange(len(found.target))):
        assert set(found.day[taught]) == {0, 1} and set(found.day[later]) == {2}
        assert not set(person[taught]) & set(person[later])
    # Where a date has too few events to say anything, other people's rows of all dates must do.
    judged.score = replace(asked_for, minimum_events=100_000)
    for taught, later in judged._splits(np.arange(len(found.target))):
        assert set(found.day[later]) == {0, 1, 2} and not set(person[taught]) & set(person[later])


def test_the_last_date_is_judged_by_what_was_known_before_it(engine: Engine) -> None:
    # On the last date what was noise begins to tell; who had seen the date would know.
    last = rows(1500)
    last["noise"] = [
        5.0 + (days > 30) + noise / 3 for days, noise in zip(last["worst_dpd"], last["noise"], strict=True)
    ]
    book = PaperBook(engine, rows(1500), days={date(2026, 2, 28): last})
    found = make(by_trees(observations={"at_most": 6}, monotone=None), engine, AS_OF, book)
    assert isinstance(found, Version)
    assert found.content["quality"]["out_of_time"]["auc"] < 0.8
    assert found.content["quality"]["by_date"][-1]["auc"] > 0.9


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({"target": "worst_dpd > 600"}, "50 events at past dates; there are 0"),
        ({"minimum_events": 10_000}, "10000 events at past dates; there are"),
        ({"features": ["noise"], "monotone": None}, "a feature that says something about the target; none does"),
        ({"features": ["balance"], "monotone": None}, "balance taken out: alone it ranks the target almost perfectly"),
    ],
)
def test_what_cannot_be_taught_says_what_it_needs(engine: Engine, changes: dict[str, Any], needs: str) -> None:
    values = rows(1500)
    if changes.get("features") == ["balance"]:
        values["balance"] = [days * 10 for days in values["worst_dpd"]]
    found = make(by_trees(**changes), engine, AS_OF, PaperBook(engine, values))
    assert isinstance(found, Unavailable) and needs in found.needs


def test_what_is_the_same_for_all_or_never_asked_for_is_left_out_by_name_and_need_not_be_there(engine: Engine) -> None:
    values = rows(3000)
    values["noise"] = [1.0] * 3000
    values["autopay"] = [True] * 2999 + [False]
    found = make(by_trees(), engine, AS_OF, PaperBook(engine, values))
    assert isinstance(found, Version)
    assert found.content["left_out"] == [
        {"feature": "noise", "why": "the same for all"}, {"feature": "autopay", "why": "no tree asks for it"},
    ]  # fmt: skip
    table = engine.table(arrow(rows(30)).drop_columns(["noise", "autopay"]))
    assert all(row["points"] is not None for row in engine.rows(apply(found, table, engine)))


# ── scored ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_book_and_the_single_customer_get_the_same_answer_from_a_version_read_back(
    engine: Engine, trained: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backbook.engine.ROWS_PER_BATCH", 64)
    profile = engine.table(arrow(strange(300)))
    one = for_one(Version.read(trained.data))
    answers = {row.pop("account_id"): row for row in engine.rows(apply(trained, profile, engine))}
    assert len(answers) == 300
    for row in engine.rows(profile):
        assert answers[row["account_id"]] == one(row)


def test_chance_points_and_grade_follow_from_what_lightgbm_says(engine: Engine, trained: Version) -> None:
    content = trained.content["trees"]
    judge = lightgbm.Booster(model_str=content["text"])
    grown = forest(trained)
    table = arrow(strange(200))
    columns = encode(grown.codings, table)
    matrix = np.full((200, judge.num_feature()), np.nan)
    matrix[:, list(grown.columns)] = columns.matrix
    odds = content["intercept"] + content["slope"] * judge.predict(matrix, raw_score=True, num_threads=1)
    given = engine.rows(apply(trained, engine.table(table), engine))
    for row, one in zip(sorted(given, key=lambda each: each["account_id"]), odds, strict=True):
        chance = 1 / (1 + np.exp(-one))
        assert row["probability"] == pytest.approx(chance, abs=2e-6)
        assert row["points"] == pytest.approx(600 - 40 / np.log(2) * (one + np.log(20)), abs=0.51)
        assert row["grade"] == ("A" if row["probability"] <= 0.1 else "B" if row["probability"] <= 0.3 else "C")


def test_reasons_are_what_moved_the_customer_most_towards_the_event(engine: Engine, trained: Version) -> None:
    grown = forest(trained)
    judge = lightgbm.Booster(model_str=trained.content["trees"]["text"])
    table = arrow(strange(200))
    columns = encode(grown.codings, table)
    matrix = np.full((200, judge.num_feature()), np.nan)
    matrix[:, list(grown.columns)] = columns.matrix
    moved = judge.predict(matrix, pred_contrib=True, num_threads=1)[:, list(grown.columns)]
    # The special values of `late` have a column of their own; it is the same feature to a customer.
    names = [one.name.name for one in grown.codings]
    special = names.index("late")
    moved[:, special] += moved[:, len(names)]
    moved = trained.content["trees"]["slope"] * moved
    given = engine.rows(apply(trained, engine.table(table), engine).order_by("account_id"))
    for place, row in enumerate(given):
        told = [row[f"reason_{n}"] for n in range(1, 5)]
        best = sorted(range(len(names)), key=lambda one: -moved[place, one])[:4]
        expected = [names[one] if moved[place, one] > LEAST_MOVE else None for one in best]
        assert [code and code.partition(":")[0] for code in told] == expected


def test_a_reason_says_where_the_customer_stands_in_both_languages(trained: Version) -> None:
    one = for_one(trained)
    told = one(row(utilisation=1.2, late=5, city="gz", balance=100))
    codes = [told[f"reason_{n}"] for n in range(1, 5)]
    assert {"utilisation:high", "late:high", "city:gz"} <= set(codes)
    assert trained.reason("utilisation:high", "zh") == "额度使用率较高"
    assert trained.reason("utilisation:high", "en") == "Utilisation is high"
    assert trained.reason("city:sh", "zh") == "城市为上海" and trained.reason("city:sh", "en") == "City is Shanghai"
    assert trained.reason("autopay:no", "en") == "Autopay is no" and trained.reason("late:0", "zh") == "逾期次数为0"
    listed = [each["code"] for each in trained.content["reasons"]]
    assert len(listed) == len(set(listed)) and set(codes) - {None} <= set(listed)


def test_a_level_never_seen_scores_as_a_city_that_is_not_known(trained: Version) -> None:
    one = for_one(trained)
    unseen, unknown = one(row(city="乌鲁木齐")), one(row(city=None))
    assert unseen["probability"] == unknown["probability"] != one(row(city="gz"))["probability"]


def test_units_outside_the_population_get_no_score_and_no_reason(engine: Engine) -> None:
    made = make(by_trees(population="balance > 1000"), engine, AS_OF, PaperBook(engine, rows(3000)))
    assert isinstance(made, Version)
    table = engine.table(arrow(rows(100, seed=3)))
    given = {row["account_id"]: row for row in engine.rows(apply(made, table, engine))}
    one = for_one(made)
    for unit in engine.rows(table):
        scored = given[unit["account_id"]]
        inside = unit["balance"] > 1000
        assert [scored[name] is not None for name in ("points", "probability", "grade")] == [inside] * 3
        assert inside or scored["reason_1"] is None
        assert one(unit) == {key: value for key, value in scored.items() if key != "account_id"}


def test_a_column_that_is_missing_at_scoring_is_refused_by_name(engine: Engine, trained: Version) -> None:
    with pytest.raises(BadData, match="reads late, which the profile does not have"):
        apply(trained, engine.table(arrow(rows(10)).drop_columns(["late"])), engine)


def test_one_row_is_a_batch_like_any_other(trained: Version) -> None:
    batch = one_row(trained, row(), True)
    (told,) = asked(trained)(batch).to_pylist()
    assert told["log_odds"] is not None and told["account_id"] is None
    assert asked(trained)(one_row(trained, row(), None)).to_pylist()[0]["log_odds"] is None
    assert INSIDE in batch.schema.names


def test_rows_pass_through_a_function_in_batches_and_in_order(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbook.engine.ROWS_PER_BATCH", 2048)
    seen: list[int] = []

    def doubled(batch: pa.RecordBatch) -> pa.RecordBatch:
        seen.append(batch.num_rows)
        return pa.RecordBatch.from_pydict(
            {"twice": pa.array([2 * each for each in batch["n"].to_pylist()], pa.int64())}
        )

    table = engine.table(pa.table({"n": range(10_000)}))
    found = engine.batches(table.filter(table.n % 2 == 0), doubled, pa.schema([("twice", pa.int64())]))
    assert engine.arrow(found)["twice"].to_pylist() == list(range(0, 20_000, 4))
    assert max(seen) <= 2048 and sum(seen) == 5000
