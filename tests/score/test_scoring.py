"""Scores given: the whole book and one customer get the same answer, and the reasons can be told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from score_book import PaperBook, arrow, rows, score
from score_book import columns as book_columns
from test_score_definitions import value

from backbook.engine import Engine
from backbook.errors import BadData
from backbook.expressions import Name, Type
from backbook.lake import Lake
from backbook.score import Unavailable, Version, apply, columns, for_one, make, read_scores, register
from backbook.score.apply import COLUMNS
from backbook.score.registry import registered, version

AS_OF = date(2026, 8, 31)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(threads=2, scratch=tmp_path_factory.mktemp("scratch"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def trained(engine: Engine) -> Version:
    found = make(score(), engine, AS_OF, PaperBook(engine, rows(3000)))
    assert isinstance(found, Version)
    return found


def strange(count: int) -> dict[str, Any]:
    """Rows with unseen levels, nulls and values far outside of what was trained."""
    values = rows(count, seed=9)
    random = np.random.default_rng(9)
    for name, others in {
        "utilisation": [None, -5.0, 99.0, float("nan"), float("inf"), 0.075],
        "late": [None, -3, 400],
        "balance": [None, Decimal("-999999.99"), Decimal("909.90"), Decimal("909.91")],
        "city": [None, "", "乌鲁木齐", "o'hare", "SH"],
        "autopay": [None],
        "noise": [None, float("-inf")],
    }.items():
        values[name] = [others[random.integers(len(others))] if random.random() < 0.3 else one for one in values[name]]
    return values


def test_the_book_and_the_single_customer_get_the_same_answer(engine: Engine, trained: Version) -> None:
    profile = engine.table(arrow(strange(2000)))
    one = for_one(trained)
    answers = {row.pop("account_id"): row for row in engine.rows(apply(trained, profile, engine))}
    for row in engine.rows(profile):
        assert answers[row["account_id"]] == one(row)


def test_the_expressions_say_what_the_bins_say(engine: Engine, trained: Version) -> None:
    profile = strange(2000)
    table = engine.table(arrow(profile))
    given = {row["account_id"]: row for row in engine.rows(apply(trained, table, engine))}
    card = trained.content["card"]
    for row in engine.rows(table):
        got = card["start"] + sum(_bin(one, row[one["name"]])["points"] for one in card["characteristics"])
        assert given[row["account_id"]]["points"] == got
        chance = round(1 / (1 + np.exp((got - card["even"]) / card["factor"])), 6)
        assert given[row["account_id"]]["probability"] == pytest.approx(chance, abs=1.1e-6)
        grade = "A" if chance <= 0.1 else "B" if chance <= 0.3 else "C"
        assert given[row["account_id"]]["grade"] == grade


def _bin(characteristic: dict[str, Any], value: Any) -> dict[str, Any]:
    """The bin of a value, looked up by hand."""
    known = value is not None and value == value and abs(value) != float("inf") if not isinstance(value, str) else True
    for bin in characteristic["bins"]:
        if bin["kind"] == "missing" and not known:
            return bin
        if known and bin["kind"] == "values" and value in bin["values"]:
            return bin
        if known and bin["kind"] == "range" and _below(value, bin["up_to"]):
            return bin
        if known and bin["kind"] == "other":
            return bin
    raise AssertionError(value)


def _below(value: Any, end: str | None) -> bool:
    # A written number means the double it stands for, but next to money it is money.
    return end is None or value <= (float(end) if isinstance(value, float) else Decimal(end))


def test_reasons_are_the_characteristics_that_lost_most_points(engine: Engine, trained: Version) -> None:
    table = engine.table(arrow(strange(500)))
    given = {row["account_id"]: row for row in engine.rows(apply(trained, table, engine))}
    for row in engine.rows(table):
        lost = []
        for place, one in enumerate(trained.content["card"]["characteristics"]):
            bin = _bin(one, row[one["name"]])
            best = max(each["points"] for each in one["bins"])
            if bin["points"] < best:
                lost.append((bin["points"] - best, place, f"{one['name']}:{one['bins'].index(bin) + 1}"))
        told = [given[row["account_id"]][f"reason_{n}"] for n in range(1, 5)]
        assert told == ([code for _, _, code in sorted(lost)] + [None] * 4)[:4]


def test_who_wants_no_reasons_gets_the_same_points_without_them(engine: Engine, trained: Version) -> None:
    profile = engine.table(arrow(strange(200)))
    reasons = [f"reason_{place}" for place in range(1, 5)]
    given, bare = (
        engine.rows(apply(trained, profile, engine, reasons=wanted).order_by("account_id")) for wanted in (True, False)
    )
    assert any(row["reason_1"] for row in given)
    assert bare == [row | dict.fromkeys(reasons) for row in given]


def test_a_reason_can_be_told_in_both_languages(trained: Version) -> None:
    codes = [each["code"] for each in trained.content["reasons"]]
    told = {code: (trained.reason(code, "zh"), trained.reason(code, "en")) for code in codes}
    assert any(zh.startswith("额度使用率高于") and en.startswith("Utilisation above") for zh, en in told.values())
    assert ("城市未知", "City not known") in told.values()
    assert any("上海" in zh and "Shanghai" in en for zh, en in told.values())
    assert len(told) == len(codes) == len(set(codes))


def test_units_outside_the_population_get_no_score(engine: Engine) -> None:
    made = make(score(population="balance > 1000"), engine, AS_OF, PaperBook(engine, rows(3000)))
    assert isinstance(made, Version)
    table = engine.table(arrow(rows(200, seed=3)))
    given = {row["account_id"]: row for row in engine.rows(apply(made, table, engine))}
    for row in engine.rows(table):
        scored = given[row["account_id"]]
        inside = row["balance"] > 1000
        assert [scored[name] is not None for name in ("points", "probability", "grade")] == [inside] * 3
        assert inside or scored["reason_1"] is None


def test_a_column_that_is_missing_at_scoring_is_refused_by_name(engine: Engine, trained: Version) -> None:
    with pytest.raises(BadData, match="reads late, which the profile does not have"):
        apply(trained, engine.table(arrow(rows(10)).drop_columns(["late"])), engine)


def test_the_profile_gains_the_columns_that_the_definition_promised(engine: Engine, trained: Version) -> None:
    given = engine.cached(apply(trained, engine.table(arrow(rows(20))), engine))
    assert given.columns == ("account_id", *COLUMNS)
    assert columns(trained, given).columns == (
        "account_id", "behaviour_points", "behaviour_probability", "behaviour_grade",
    )  # fmt: skip


AMOUNTS = pa.table(
    {
        "account_id": ["a", "b", "c", "d", "e"],
        "balance": [Decimal("1000.00"), Decimal("2000.00"), Decimal("4000.00"), None, Decimal("8000.00")],
        "behaviour_probability": [0.0, 0.05, 0.0, 0.1, None],
    }
)


@pytest.mark.parametrize(
    ("changes", "grades"),
    [
        ({}, ["low", "high", "high", None, None]),
        ({"grades_by": "share", "grades": {"low": 0.67, "high": None}}, ["low", "low", "high", None, None]),
        ({"population": "balance < 3000"}, ["low", "high", None, None, None]),
    ],
)
def test_an_amount_is_graded_at_stated_amounts_or_at_shares_of_the_book(
    engine: Engine, changes: dict[str, Any], grades: list[str | None]
) -> None:
    class Book(PaperBook):
        def profile(self, *_: Any) -> Any:
            return engine.table(AMOUNTS)

    (found,), _ = read_scores([value(**changes)], book_columns(Name("behaviour_probability", Type.NUMBER)))
    made = make(found, engine, AS_OF, Book(engine, {}))
    assert isinstance(made, Version)
    given = engine.rows(apply(made, engine.table(AMOUNTS), engine).order_by("account_id"))
    # A tenth of the balance, less nine tenths of the chance of loss times the balance.
    amounts = [Decimal("100.00"), Decimal("110.00"), Decimal("400.00"), None, None]
    assert [row["amount"] for row in given] == [
        amount if grade else None for amount, grade in zip(amounts, grades, strict=True)
    ]
    assert [row["grade"] for row in given] == grades


def test_versions_are_kept_in_the_order_in_which_they_came(engine: Engine, trained: Version, tmp_path: Any) -> None:
    lake, later = Lake(tmp_path), date(2026, 9, 30)
    other = make(score(), engine, AS_OF, PaperBook(engine, rows(3000, seed=2)))
    assert isinstance(other, Version)
    with lake.lock(who="test") as writer:
        for made, day in ((trained, later), (other, AS_OF), (trained, AS_OF)):
            register(engine, writer, made, day)
            head = writer.publish({})
    # Registered again for an earlier day, it keeps its number and counts from that day.
    assert [(row["version"], row["number"], row["registered_on"]) for row in registered(engine, head, "behaviour")] == [
        (trained.id, 1, AS_OF),
        (other.id, 2, AS_OF),
    ]
    assert version(head, trained.id) == trained
    with pytest.raises(BadData, match="has no score version 'behaviour-0'"):
        version(head, "behaviour-0")


def test_nothing_is_registered_for_what_is_not_available(engine: Engine) -> None:
    found = make(score(minimum_events=10_000), engine, AS_OF, PaperBook(engine, rows(100)))
    assert isinstance(found, Unavailable) and found.kind == "score" and found.id == "behaviour"


def test_scoring_compiles_for_spark_too(engine: Engine, trained: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    # Ibis reads this option of Spark's own back end, which is not installed here.
    monkeypatch.setattr(type(ibis.options), "pyspark", SimpleNamespace(treat_nan_as_null=False), raising=False)
    types = {name.name: name.type for name in trained.columns}
    kinds = {Type.NUMBER: "float64", Type.WHOLE: "int64", Type.MONEY: "decimal(18, 2)", Type.TEXT: "string"}
    table = ibis.table({"account_id": "string", **{name: kinds[type] for name, type in types.items()}}, name="profile")
    assert "behaviour" in ibis.to_sql(apply(trained, table, engine), dialect="pyspark")
