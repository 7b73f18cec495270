"""Shift, grades and calibration of scores against hand numbers and the published vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbook.customer.drift import psi, psi_by_chance
from backbook.engine import Engine
from backbook.outcome.scores import scores

TENTHS = [10] * 10
Table = Callable[..., Any]


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ((8, 9, 9, 10, 10, 10, 10, 11, 11, 12), 0.012123),
        ((5, 6, 7, 9, 10, 11, 12, 12, 13, 15), 0.103234),
        ((2, 4, 5, 7, 9, 11, 13, 15, 16, 18), 0.334465),
    ],
)
def test_the_stability_index_agrees_with_the_published_vectors(actual: tuple[int, ...], expected: float) -> None:
    assert psi(TENTHS, actual) == pytest.approx(expected, abs=1e-6)


def test_an_empty_band_counts_as_half_a_unit_and_stays_finite() -> None:
    assert psi([10, 10], [0, 20]) == pytest.approx(psi([10, 10], [0.5, 20]), rel=0.02)


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=2, max_size=12))
def test_the_index_is_never_below_zero_and_zero_for_the_same_shares(pairs: list[tuple[int, int]]) -> None:
    before, now = [a + 1 for a, _ in pairs], [b + 1 for _, b in pairs]
    assert psi(before, now) >= -1e-12
    assert psi(before, [3 * count for count in before]) == pytest.approx(0, abs=1e-12)


def test_chance_alone_explains_more_in_a_small_sample() -> None:
    assert psi_by_chance(10, 1000, 1000) == pytest.approx(0.018)


def scored(table: Table, *points: int) -> Any:
    return table(
        *(
            {
                "unit": str(n),
                "score": "behaviour",
                "points": point,
                "probability": point / 1000,
                "grade": "A" if point < 500 else "B",
            }
            for n, point in enumerate(points)
        )
    )


VERSION = {"id": "behaviour", "zh": "行为", "en": "Behaviour", "version": "v1", "auc": 0.8, "ks": 0.45, "calibration_error": 0.01,
           "rows": 100, "bands": [{"expected": 0.02, "observed": 0.03, "rows": 50}]}  # fmt: skip


def test_grades_are_counted_with_their_mean_probability(engine: Engine, table: Table) -> None:
    (found,) = scores(engine, [VERSION], scored(table, 100, 300, 600, 800))
    assert [(row["grade"].en, row["units"], row["share"], row["probability"]) for row in found.grades] == [
        ("A", 2, 0.5, 0.2), ("B", 2, 0.5, 0.7),
    ]  # fmt: skip


def test_calibration_shows_observed_over_expected(engine: Engine, table: Table) -> None:
    (found,) = scores(engine, [VERSION], scored(table, 1))
    (row,) = found.calibration
    assert row["ratio"] == pytest.approx(1.5)


def test_named_grades_stand_in_their_order_and_those_without_one_last(engine: Engine, table: Table) -> None:
    grades = [{"code": code, "zh": zh, "en": en} for code, zh, en in (("low", "低", "Low"), ("high", "高", "High"))]
    rows = [
        {"unit": str(n), "score": "value", "grade": grade, "amount": 10}
        for n, grade in enumerate(["high", None, "low", "high"])
    ]
    (found,) = scores(engine, [{"id": "value", "grades": grades}], table(*rows))
    assert [(row["grade"] and row["grade"].zh, row["units"], row["amount"]) for row in found.grades] == [
        ("低", 1, 10), ("高", 2, 20), (None, 1, 10),
    ]  # fmt: skip
