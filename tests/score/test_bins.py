"""Bins: chosen exactly, in order where asked, with a place for whatever may come."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbook.engine import Engine
from backbook.expressions import Name, Type
from backbook.score.binning import CHANCE, Rules, best_cuts, binned
from backbook.score.counting import Counts, Grid, counted, grids, tidy

NUMBER = Name("x", Type.NUMBER)
TEXT = Name("city", Type.TEXT)
LOOSE = Rules(most_bins=4, share=0.05, events=1, others=1)


def counts(events: list[int], others: list[int]) -> Counts:
    return Counts(np.array(events), np.array(others))


def numbers(*values: Any) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.float64())])


def cut(name: Name, column: pa.ChunkedArray, target: Any, special: tuple[Any, ...] = ()) -> tuple[Grid, Counts]:
    """How the engine cuts one column, and what it counts there."""
    engine, rows = Engine(threads=1), len(target)
    table = engine.table(
        pa.table({name.name: column, "_event": target, "_row": np.arange(rows), "_fold": np.arange(rows) % 3,
                  "_day": np.arange(rows) % 2})
    )  # fmt: skip
    grid = grids(engine, table, [name], {name.name: special} if special else {})[0]
    tally = counted(engine, table, [grid], folds=3, days=2)[0]
    engine.close()
    # What was counted is what a plain count gives, row by row, in every fold and day.
    codes = np.array([by_hand(grid, value) for value in column.to_pylist()])
    for fold in range(3):
        chosen = (np.arange(rows) % 3 == fold) & (np.arange(rows) % 2 == 1)
        for mark, found in ((target, tally.counts([fold], [1]).events), (~target, tally.counts([fold], [1]).others)):
            assert found.tolist() == np.bincount(codes[chosen & mark], minlength=grid.codes_in_all).tolist()
    return grid, tally.counts()


def by_hand(grid: Grid, value: Any) -> int:
    """The fine code of one value, by what is written of codes."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return grid.codes_in_all - 1
    if grid.is_text:
        return grid.levels.index(value) if value in grid.levels else grid.slices
    if value in grid.special:
        return grid.slices + grid.special.index(value)
    return sum(float(end) < value for end in grid.ends)


def information(events: int, others: int, totals: tuple[int, int]) -> float:
    shares = max(events, 0.5) / totals[0], max(others, 0.5) / totals[1]
    return (shares[0] - shares[1]) * math.log(shares[0] / shares[1])


def worth(cuts: tuple[int, ...], each: Counts, direction: str, rules: Rules, totals: tuple[int, int]) -> float:
    """Information of the bins between the cuts less their price; minus infinity where a rule forbids them."""
    edges = [0, *(cut + 1 for cut in cuts), len(each.events)]
    bins = [(int(each.events[a:b].sum()), int(each.others[a:b].sum())) for a, b in itertools.pairwise(edges)]
    rates = [events / max(events + others, 1) for events, others in bins]
    steps = list(itertools.pairwise(rates))
    if direction == "up" and not all(low < high for low, high in steps):
        return -math.inf
    if direction == "down" and not all(low > high for low, high in steps):
        return -math.inf
    if len(bins) > rules.most_bins:
        return -math.inf
    for events, others in bins:
        if events + others < rules.share * sum(totals) or events < rules.events or others < rules.others:
            return -math.inf
    price = CHANCE * (1 / totals[0] + 1 / totals[1])
    return sum(information(*one, totals) - price for one in bins)


def brute_force(each: Counts, direction: str, rules: Rules, totals: tuple[int, int]) -> float:
    ways = ("up", "down") if direction == "auto" else (direction,)
    places = range(len(each.events) - 1)
    return max(
        worth(cuts, each, way, rules, totals)
        for way in ways
        for number in range(min(rules.most_bins, len(each.events)))
        for cuts in itertools.combinations(places, number)
    )


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60)), min_size=1, max_size=8),
    st.sampled_from(["up", "down", "auto", "free"]),
    st.integers(1, 5),
)
@settings(max_examples=300, deadline=None)
def test_no_other_way_to_join_neighbours_is_better(rows: list[tuple[int, int]], direction: str, most: int) -> None:
    each = counts([events for events, _ in rows], [others for _, others in rows])
    totals = (int(each.events.sum()) + 3, int(each.others.sum()) + 5)
    rules = Rules(most_bins=most, share=0.05, events=1, others=1)
    best = brute_force(each, direction, rules, totals)
    cuts = best_cuts(each, direction=direction, rules=rules, totals=totals)
    if math.isinf(best):
        assert cuts == []
    else:
        ways = ("up", "down") if direction == "auto" else (direction,)
        found = max(worth(tuple(cuts), each, way, rules, totals) for way in ways)
        assert found == pytest.approx(best, abs=1e-12)


def test_bins_follow_the_direction_that_was_asked_even_where_the_rows_do_not() -> None:
    # 100 rows each; the rates 10, 30, 20, 40 % turn back once, so the two in the middle must join.
    each = counts([10, 30, 20, 40], [90, 70, 80, 60])
    assert best_cuts(each, direction="up", rules=LOOSE, totals=(100, 300)) == [0, 2]
    assert best_cuts(each, direction="down", rules=LOOSE, totals=(100, 300)) == []


def test_a_cut_that_chance_alone_would_make_is_not_made() -> None:
    assert best_cuts(counts([10, 11], [90, 89]), rules=LOOSE, totals=(21, 179)) == []
    assert best_cuts(counts([10, 40], [90, 60]), rules=LOOSE, totals=(50, 150)) == [0]


def test_the_missing_stand_in_a_bin_of_their_own_and_a_few_of_them_say_nothing() -> None:
    target = np.array([True, False, False, False] * 50)
    grid, found = cut(NUMBER, numbers(*([None, 1.0, 2.0, 3.0] * 50)), target)
    missing = binned(grid, found).bins[-1]
    # 50 events of 50 and no other of 150: ln(50.5/50.5) - ln(.5/150.5)
    assert (missing.kind, missing.events, missing.others, missing.evidence) == ("missing", 50, 0, 5.70711)
    target = np.array([True] * 29 + [True, False] * 50)
    grid, found = cut(NUMBER, numbers(*([None] * 29 + [1.0, 2.0] * 50)), target)
    assert binned(grid, found).bins[-1].evidence == 0


def test_special_values_are_not_taken_for_small_numbers() -> None:
    values = numbers(*([-1.0] * 100 + [0.0] * 100 + [1.0] * 100))
    target = np.array(([True] * 60 + [False] * 40) + ([True] * 10 + [False] * 90) + ([True] * 40 + [False] * 60))
    grid, found = cut(NUMBER, values, target, special=(-1,))
    binning = binned(grid, found, direction="up")
    assert [(bin.kind, bin.values, bin.upper, bin.events) for bin in binning.bins] == [
        ("values", (-1,), None, 60),
        ("range", (), Decimal(0), 10),
        ("range", (), None, 40),
        ("missing", (), None, 0),
    ]


def test_levels_are_grouped_by_their_rates_and_rare_ones_go_to_the_rest() -> None:
    cities = ["bj"] * 200 + ["gz"] * 200 + ["sh"] * 200 + ["xm"] * 3
    target = np.array(
        [True] * 20 + [False] * 180 + [True] * 100 + [False] * 100 + [True] * 22 + [False] * 178 + [True] * 3
    )
    grid, found = cut(TEXT, pa.chunked_array([pa.array(cities)]), target)
    bins = binned(grid, found).bins
    assert [(bin.kind, bin.values) for bin in bins] == [
        ("values", ("bj", "sh")),
        ("values", ("gz",)),
        ("other", ()),
        ("missing", ()),
    ]
    assert bins[2].events == 3 and bins[2].evidence == 0


def test_fine_codes_count_every_row_once() -> None:
    random = np.random.default_rng(3)
    values = np.where(random.random(5000) < 0.1, np.nan, random.normal(size=5000).round(2))
    target = random.random(5000) < 0.3
    column = pa.chunked_array([pa.array(values, from_pandas=True)])
    grid, found = cut(NUMBER, column, target)
    assert found.events.sum() == target.sum() and found.others.sum() == (~target).sum()
    # Rows coded through the written cut lie where numpy put them.
    ends = np.array([float(end) for end in grid.ends])
    known = ~np.isnan(values)
    assert (grid.codes(column)[known] == np.searchsorted(ends, values[known], side="left")).all()


@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e6))
def test_a_cut_that_people_can_read_lies_between_its_neighbours(low: float, step: float) -> None:
    high = low + step
    if high > low:
        assert low <= float(tidy(low, high)) < high


def test_money_is_never_cut_below_a_cent() -> None:
    values = pa.chunked_array(
        [pa.array([Decimal("0.10"), Decimal("0.11"), Decimal("99.99")] * 5, pa.decimal128(18, 2))]
    )
    target = np.array([True, False, False] * 5)
    assert cut(Name("balance", Type.MONEY), values, target)[0].ends == (Decimal("0.1"), Decimal("10"))
