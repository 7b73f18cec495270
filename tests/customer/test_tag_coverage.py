"""How far tags reach: known, not known and drifting, by hand and against plain Python."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbook.customer.coverage import Count, coverage, tag_coverage
from backbook.customer.drift import psi
from backbook.engine import Engine

Values = list[bool | None]


def tag(id: str, grain: str = "account") -> Any:
    return SimpleNamespace(id=id, grain=grain)


def profile(engine: Engine, **columns: Values) -> Any:
    length = len(next(iter(columns.values())))
    keys = {"account_id": pa.array([f"a{n}" for n in range(length)], pa.string())}
    return engine.table(pa.table(keys | {name: pa.array(values, pa.bool_()) for name, values in columns.items()}))


def covered(engine: Engine, now: dict[str, Values], before: dict[str, Values] | None = None) -> dict[str, Any]:
    tags = [tag(name) for name in now]
    last = {"account": profile(engine, **before)} if before else {}
    rows = tag_coverage(engine, tags, {"account": profile(engine, **now)}, last)
    return {row["tag"]: row for row in rows}


def test_who_has_a_tag_who_has_not_and_of_whom_it_is_not_known_stand_apart(engine: Engine) -> None:
    row = covered(engine, {"young": [True, True, False, None]}, {"young": [True, False, False, False]})["young"]
    assert (row["units"], row["held"], row["not_held"], row["unknown"]) == (4, 2, 1, 1)
    assert (row["share"], row["share_before"], row["change"]) == (0.5, 0.25, 0.25)


def test_a_tag_nobody_could_compute_has_no_share_and_not_a_share_of_zero(engine: Engine) -> None:
    found = covered(engine, {"dry": [None, None], "none": [False, False]})
    assert found["dry"]["share"] is None and found["dry"]["unknown"] == 2
    assert found["none"]["share"] == 0


def test_a_tag_that_is_new_has_nothing_to_be_compared_with(engine: Engine) -> None:
    found = covered(engine, {"old": [True], "fresh": [True]}, {"old": [True]})
    assert (found["fresh"]["share_before"], found["fresh"]["psi"], found["fresh"]["drift"]) == (None, None, None)
    assert found["old"]["drift"] == "stable"


def test_a_tag_that_the_profile_does_not_have_yet_is_left_out(engine: Engine) -> None:
    tables = {"account": profile(engine, early=[True])}
    assert [row["tag"] for row in tag_coverage(engine, [tag("early"), tag("late")], tables, {})] == ["early"]


def test_each_tag_is_counted_at_its_own_grain(engine: Engine) -> None:
    tables = {"account": profile(engine, a=[True, False]), "customer": profile(engine, b=[True], a=[False])}
    rows = tag_coverage(engine, [tag("a"), tag("b", "customer")], tables, {})
    assert [(row["tag"], row["grain"], row["units"]) for row in rows] == [("a", "account", 2), ("b", "customer", 1)]


def test_an_empty_profile_has_no_share(engine: Engine) -> None:
    row = covered(engine, {"a": []}, {"a": [True]})["a"]
    assert (row["units"], row["share"], row["psi"]) == (0, None, None)


# 100 units: moved (held, not held, unknown) from → to; the index by hand with an empty one as half a unit.
@pytest.mark.parametrize(
    ("before", "now", "index", "level"),
    [
        ((20, 80, 0), (20, 80, 0), 0.0, "stable"),
        ((20, 70, 10), (30, 60, 10), 0.055962, "stable"),
        ((20, 70, 10), (37, 53, 10), 0.151876, "watch"),
        ((20, 80, 0), (20, 40, 40), 2.008159, "act"),
    ],
)
def test_the_drift_is_the_stability_index_over_the_three(
    before: tuple[int, int, int], now: tuple[int, int, int], index: float, level: str
) -> None:
    row = coverage("t", "account", Count(*now), Count(*before))
    assert row["psi"] == pytest.approx(index, abs=1e-6)
    assert row["drift"] == level


def test_a_source_that_runs_dry_shows_though_the_share_did_not_move() -> None:
    row = coverage("t", "account", Count(10, 40, 50), Count(10, 90, 0))
    assert row["change"] == 0 and row["drift"] == "act"


VALUES = st.lists(st.one_of(st.none(), st.booleans()), min_size=1, max_size=30)


@settings(max_examples=25, deadline=None)
@given(now=VALUES, before=VALUES)
def test_plain_python_counts_the_same(engine: Engine, now: Values, before: Values) -> None:
    with engine.scope():
        row = covered(engine, {"t": now}, {"t": before})["t"]
    counts = [sum(value is each for value in now) for each in (True, False, None)]
    earlier = [sum(value is each for value in before) for each in (True, False, None)]
    assert [row["held"], row["not_held"], row["unknown"]] == counts
    assert sum(counts) == row["units"] == len(now)
    assert row["psi"] == psi(earlier, counts) >= 0
