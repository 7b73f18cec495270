"""Arms are a stable hash: the same everywhere, even, and independent from area to area."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from backbook.engine import Engine
from backbook.strategy.arms import (
    DRAWS,
    arm,
    arm_ibis,
    bounds,
    draw,
    draw_ibis,
    first_parties,
    pick,
    pick_ibis,
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(threads=2, scratch=Path(tmp_path_factory.mktemp("arms")))


def test_the_database_and_python_draw_the_same_number(engine: Engine) -> None:
    ids = [f"core|{number}" for number in range(3000)] + ["app|张三", "", "a|b'c\\"]
    rows = engine.table(pa.table({"id": ids}))
    drawn = engine.arrow(
        rows.select(
            "id",
            draw=draw_ibis("limit", rows.id),
            pick=pick_ibis("limit pick", rows.id, ibis.literal(7)),
            arm=arm_ibis(draw_ibis("limit", rows.id), [70, 20, 10]),
        )
    ).to_pylist()
    for row in drawn:
        assert row["draw"] == draw("limit", row["id"])
        assert row["pick"] == pick("limit pick", row["id"], 7)
        assert row["arm"] == arm(draw("limit", row["id"]), [70, 20, 10])


def test_a_known_draw_never_changes() -> None:
    """Whoever stands in an arm today stands in it in ten years; these numbers may never be mended."""
    assert [draw("limit", f"core|P{number}") for number in (1, 2, 3)] == [940, 7770, 5441]


def test_draws_are_spread_evenly() -> None:
    counts = Counter(draw("limit", f"core|{number}") // 1000 for number in range(20_000))
    # chi-square with 9 degrees of freedom stays below 27.9 in 999 of 1,000 fair cases
    assert sum((count - 2000) ** 2 / 2000 for count in counts.values()) < 27.9


def test_areas_with_different_salts_are_independent() -> None:
    people = [f"core|{number}" for number in range(20_000)]
    both = sum(draw("limit", each) < 2000 and draw("price", each) < 2000 for each in people)
    assert 700 < both < 900  # a fifth of a fifth is 800


def test_arms_of_one_area_share_out_everybody_and_overlap_nowhere() -> None:
    shares = [80, 15, 5]
    assert bounds(shares) == (8000, 9500, 10000)
    counts = Counter(arm(number, shares) for number in range(DRAWS))
    assert counts == {0: 8000, 1: 1500, 2: 500}


def test_an_arm_of_share_nothing_gets_nobody() -> None:
    assert {arm(number, [100, 0]) for number in range(DRAWS)} == {0}


@given(some.integers(0, DRAWS - 1), some.lists(some.integers(1, 100), min_size=2, max_size=5))
@settings(max_examples=50)
def test_widening_the_first_arm_moves_nobody_out_of_it(drawn: int, parts: list[int]) -> None:
    total = sum(parts)
    shares = [part * 100 // total for part in parts]
    shares[-1] += 100 - sum(shares)
    if arm(drawn, shares) == 0 and shares[0] < 100:
        wider = [shares[0] + 1, 99 - shares[0]]
        assert arm(drawn, wider) == 0


def test_the_first_party_record_is_the_one_known_longest(engine: Engine) -> None:
    identity = engine.table(
        pa.table(
            {
                "customer_id": ["C1", "C1", "C2", "C2", "C3"],
                "system": ["core", "app", "core", "app", "app"],
                "party_id": ["P1", "Q1", "P2", "Q2", "Q3"],
                "since": pa.array([date(2020, 1, 1), date(2019, 1, 1), date(2020, 1, 1), None, None], pa.date32()),
            }
        )
    )
    found = {row["customer_id"]: row["first_party"] for row in engine.rows(first_parties(identity))}
    assert found == {"C1": "app|Q1", "C2": "core|P2", "C3": "app|Q3"}


def test_an_arm_can_be_drawn_on_spark_too() -> None:
    rows = ibis.table({"id": "string"}, name="people")
    text = ibis.to_sql(rows.select(arm=arm_ibis(draw_ibis("limit", rows.id), [80, 20])), dialect="pyspark")
    assert "MD5" in str(text).upper()
