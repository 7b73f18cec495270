"""A feature cut into few bins that order the risk: weight-of-evidence bins, chosen exactly.

Fine counts come first (events and others for every value, or for sixty quantile slices), made where the rows are; everything after works on these whole numbers alone. `best_cuts` then finds, among all
ways to join neighbours that keep the asked order, the one with the most information value. Missing values and
stated special values stand in bins of their own, and a category never seen in training has a stated place.

The weight of evidence of a bin is ln(share of all events / share of all others): above zero means more events.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from backbook.score.counting import Counts, Grid

Floats = npt.NDArray[np.float64]
Wholes = npt.NDArray[np.int64]
Kind = Literal["range", "values", "missing", "other"]

# A bin must earn more information value than a random cut would in 19 of 20 cases: the 95 % point of chi-square(1).
CHANCE = 3.841
# A bin beside the ranges (missing, special, rest) with fewer rows than this says nothing: its evidence is 0.
LEAST_ROWS = 30


@dataclass(frozen=True)
class Rules:
    """What a bin must be. `share` is of all rows; `events` and `others` keep the logarithm steady.

    `repeats` says how often a person stands among the rows: seen twice, chance makes a cut look twice as good.
    """

    most_bins: int = 6
    share: float = 0.02
    events: int = 5
    others: int = 5
    repeats: float = 1.0


@dataclass(frozen=True)
class Bin:
    """One bin: a range up to and including `upper` (no end where it is None), listed values, the rest, the missing."""

    kind: Kind
    events: int
    others: int
    evidence: float
    upper: Decimal | None = None
    values: tuple[Any, ...] = ()

    @property
    def rows(self) -> int:
        return self.events + self.others


@dataclass(frozen=True)
class Binning:
    """The bins of one feature: special values, then ranges or groups of levels, then the rest, then the missing.

    `bin_of` gives the bin of each fine code, so that rows coded once can be read under any binning.
    """

    feature: str
    direction: str
    bins: tuple[Bin, ...]
    bin_of: tuple[int, ...]
    information: float

    @property
    def evidence(self) -> Floats:
        """Weight of evidence by fine code."""
        by_bin: Floats = np.array([bin.evidence for bin in self.bins], dtype=np.float64)
        found: Floats = by_bin[np.array(self.bin_of)]
        return found


def binned(grid: Grid, counts: Counts, *, direction: str = "auto", rules: Rules | None = None) -> Binning:
    """The best bins of one feature from the counts of its fine codes."""
    rules = rules or Rules()
    totals = (max(int(counts.events.sum()), 1), max(int(counts.others.sum()), 1))
    order = _level_order(grid, counts) if grid.is_text else np.arange(grid.slices)
    joined = Counts(counts.events[order], counts.others[order])
    cuts = best_cuts(joined, direction="up" if grid.is_text else direction, rules=rules, totals=totals)
    groups = [
        order[first:after]
        for first, after in zip([0, *(c + 1 for c in cuts)], [*(c + 1 for c in cuts), len(order)], strict=True)
    ]
    return _described(grid, counts, [group for group in groups if len(group)], totals)


def _level_order(grid: Grid, counts: Counts) -> npt.NDArray[Any]:
    """Levels with enough rows, by event rate; a level alone is drawn towards the average by one row."""
    rows = (counts.events + counts.others)[: grid.slices]
    average = counts.events.sum() / max(counts.events.sum() + counts.others.sum(), 1)
    rate = (counts.events[: grid.slices] + average) / (rows + 1)
    enough = np.flatnonzero(rows >= LEAST_ROWS)
    return enough[np.argsort(rate[enough], kind="stable")]


def _described(grid: Grid, counts: Counts, groups: list[npt.NDArray[Any]], totals: tuple[int, int]) -> Binning:
    bins: list[Bin] = []
    bin_of = np.full(grid.codes_in_all, -1)

    def add(kind: Kind, codes: Any, **described: Any) -> None:
        events, others = int(counts.events[codes].sum()), int(counts.others[codes].sum())
        lone = kind != "range" and not (kind == "values" and grid.is_text)
        evidence = 0.0 if lone and events + others < LEAST_ROWS else _evidence(events, others, totals)
        bin_of[codes] = len(bins)
        bins.append(Bin(kind, events, others, evidence, **described))

    for place, value in enumerate(grid.special):
        add("values", [grid.slices + place], values=(value,))
    for group in groups:
        if grid.is_text:
            add("values", group, values=tuple(sorted(grid.levels[code] for code in group)))
        else:
            add("range", group, upper=grid.ends[group[-1]] if group[-1] < len(grid.ends) else None)
    if grid.is_text:
        add("other", np.flatnonzero(bin_of[:-1] < 0))
    add("missing", [grid.codes_in_all - 1])
    information = sum(_information(one.events, one.others, totals) for one in bins if one.rows)
    return Binning(grid.name.name, _direction(bins), tuple(bins), tuple(map(int, bin_of)), round(float(information), 6))


def _evidence(events: int, others: int, totals: tuple[int, int]) -> float:
    """Weight of evidence with half a row added on each side, to six decimals."""
    return round(math.log((events + 0.5) / (totals[0] + 0.5)) - math.log((others + 0.5) / (totals[1] + 0.5)), 6)


def _direction(bins: list[Bin]) -> str:
    """The way in which the evidence goes over the ranges."""
    evidence = [one.evidence for one in bins if one.kind == "range"]
    steps = {low < high for low, high in itertools.pairwise(evidence)}
    return {frozenset([True]): "up", frozenset([False]): "down"}.get(frozenset(steps), "free" if steps else "none")


def best_cuts(counts: Counts, *, direction: str = "auto", rules: Rules, totals: tuple[int, int]) -> list[int]:
    """Where to cut: the indices after which a bin ends, the last slice not among them.

    `totals` are the events and others of the whole sample, missing ones too. Exact: no other way to join
    neighbours that keeps the direction has more information value after each bin paid its price (`CHANCE`).
    """
    if direction == "auto":
        return max((_search(counts, side, rules, totals) for side in ("up", "down")), key=lambda found: found[0])[1]
    return _search(counts, direction, rules, totals)[1]


def _search(counts: Counts, direction: str, rules: Rules, totals: tuple[int, int]) -> tuple[float, list[int]]:
    """Dynamic programme over the last bin (its first slice, the slice after it) and the number of bins so far.

    Walking the cuts from left to right, every bin that ends at a cut is final; the bins that start there each take
    the best of those whose rate lies below their own, found in a running maximum over the sorted rates.
    """
    slices = len(counts.events)
    if slices < 2:
        return -math.inf, []
    gain, rate = _bins_between(counts, direction, rules, totals)
    best = np.full((rules.most_bins, slices, slices + 1), -np.inf)
    came_from = np.zeros((rules.most_bins, slices, slices + 1), dtype=np.int64)
    best[0, 0] = gain[0]
    for cut in range(1, slices):
        left = np.flatnonzero(np.isfinite(gain[:cut, cut]))
        right = cut + 1 + np.flatnonzero(np.isfinite(gain[cut, cut + 1 :]))
        if not len(left) or not len(right):
            continue
        left = left[np.argsort(rate[left, cut], kind="stable")]
        # Strictly ordered: two bins of one rate would say nothing that one bin does not.
        below = np.searchsorted(rate[left, cut], rate[cut, right], side="left")
        if direction == "free":
            below = np.full(len(right), len(left))
        right, below = right[below > 0], below[below > 0] - 1
        reached = best[:-1, left, cut]
        top = np.maximum.accumulate(reached, axis=1)
        holder = np.maximum.accumulate(np.where(reached == top, np.arange(len(left)), 0), axis=1)
        best[1:, cut, right] = top[:, below] + gain[cut, right]
        came_from[1:, cut, right] = left[holder[:, below]]
    return _walk_back(best, came_from)


def _bins_between(counts: Counts, direction: str, rules: Rules, totals: tuple[int, int]) -> tuple[Floats, Floats]:
    """For every first slice and slice after the last: what this bin earns (-inf: not allowed) and its event rate."""
    events = np.concatenate([[0], np.cumsum(counts.events)])
    others = np.concatenate([[0], np.cumsum(counts.others)])
    bin_events = events[None, :] - events[:-1, None]
    bin_others = others[None, :] - others[:-1, None]
    rows = bin_events + bin_others
    allowed = (rows >= rules.share * sum(totals)) & (bin_events >= rules.events) & (bin_others >= rules.others)
    price = CHANCE * rules.repeats * (1 / totals[0] + 1 / totals[1])
    gain = np.where(allowed & (rows > 0), _information(bin_events, bin_others, totals) - price, -np.inf)
    rate = bin_events / np.maximum(rows, 1)
    return gain, -rate if direction == "down" else rate


def _walk_back(best: Floats, came_from: Wholes) -> tuple[float, list[int]]:
    """The cuts of the best path to the end; fewer bins win a tie. No path at all: one bin."""
    after = best.shape[2] - 1
    ends = best[:, :, after].max(axis=1)
    depth = int(np.argmax(ends))
    if not math.isfinite(ends[depth]):
        return -math.inf, []
    first = int(np.argmax(best[depth, :, after]))
    cuts: list[int] = []
    for level in range(depth, 0, -1):
        cuts.append(first - 1)
        first, after = int(came_from[level, first, after]), first
    return float(ends[depth]), cuts[::-1]


def _information(events: Any, others: Any, totals: tuple[int, int]) -> Any:
    """Information value of bins with these counts; an empty side counts as half a row."""
    event_share = np.maximum(events, 0.5) / totals[0]
    other_share = np.maximum(others, 0.5) / totals[1]
    return (event_share - other_share) * np.log(event_share / other_share)
