"""The search for conjunctions of a few literals that hit few rows and hit right.

What a conjunction is worth is its `surplus`: the events that it surely catches (by the lower end of Wilson's interval)
less the events that so many hits must hold at the least precision asked. Above zero it holds what is asked.

Pairs are counted all of them, exactly: the joint counts of two features' fine codes, summed up along both, give the
hits and events of every literal of the one with every literal of the other. Only a third literal is sought from a beam:
the best pair of each two features is narrowed by every literal there is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from backbook.customer.shares import intervals
from backbook.score.literals import Feature, Literal

Marks = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]
Counts = npt.NDArray[Any]

# So many features, those that say most by one literal, are put together in pairs: the cost grows with their square.
FEATURES = 80
# So many pairs are narrowed by a third literal.
BEAM = 300
# So many of the best conjunctions are looked at for those that hit rows of their own.
LOOKED_AT = 3_000
# What a conjunction is worth for each condition more than one: a longer rule must be better by so much, else chance
# would trim every rule with a condition that happens to leave out a few wrong hits.
DEARER = 0.9
# One-sided 95 %.
SURE = 1.645


@dataclass(frozen=True)
class Bounds:
    """What a rule must be: its least precision, and the least and the most rows that it may hit.

    `repeats` says how often a person stands among the rows: seen twice, chance makes a rule look twice as good.
    """

    least: float
    fewest: int
    most: int
    literals: int = 3
    repeats: float = 1.0

    def surplus(self, events: Counts, hits: Counts) -> Counts:
        """Events surely caught beyond what is asked; minus infinity where too few or too many rows are hit."""
        allowed = (hits >= self.fewest) & (hits <= self.most)
        sure = intervals(events / self.repeats, hits / self.repeats, SURE)[0]
        return np.where(allowed, hits * (sure - self.least), -np.inf)


@dataclass(frozen=True)
class Conjunction:
    """Literals that hold together, and what they were worth where they were found."""

    literals: tuple[Literal, ...]
    surplus: float


def search(features: Sequence[Feature], target: Marks, rows: Places, bounds: Bounds) -> list[Conjunction]:
    """The conjunctions worth something among the rows at these places, the best first, of equal ones the shorter."""
    book = _Book(features, target, rows, bounds)
    found = list(book.singles())
    if bounds.literals > 1:
        pairs = list(book.pairs())
        found += [worthy for worthy, _ in pairs if worthy[0] > 0]
        if bounds.literals > 2:
            beam = sorted((promising for _, promising in pairs if promising[0] > 0), key=lambda one: (-one[0], one[1]))
            found += [narrowed for _, pair in beam[:BEAM] for narrowed in book.narrowed(pair)]
    best = {book.plain(places): worth for worth, places in found}
    order = sorted(best, key=lambda places: (-best[places] * DEARER ** len(places), len(places), places))
    return [Conjunction(tuple(book.literals[place] for place in places), best[places]) for places in order]


def telling(features: Sequence[Feature], target: Marks, rows: Places) -> list[Feature]:
    """The features of which one literal alone catches the most events beyond what its hits would hold by chance."""
    events = target[rows]
    rate = events.mean()

    def best(one: Feature) -> float:
        codes = one.codes[rows]
        every, right = (np.bincount(each, minlength=one.size) for each in (codes, codes[events]))
        beyond = np.concatenate([[0], np.cumsum(right - rate * every)])
        return max((float(beyond[each.after] - beyond[each.first]) for each in one.literals), default=0.0)

    order = sorted(range(len(features)), key=lambda place: (-best(features[place]), place))
    return [features[place] for place in sorted(order[:FEATURES])]


class _Book:
    """The rows of one search as fine codes of all features side by side, and the literals that hit enough of them."""

    def __init__(self, features: Sequence[Feature], target: Marks, rows: Places, bounds: Bounds) -> None:
        self.bounds, self.features = bounds, features
        self.target = target[rows]
        self.starts = np.cumsum([0, *(one.size for one in features)])
        self.codes = np.column_stack(
            [one.codes[rows] + start for one, start in zip(features, self.starts, strict=False)]
        )
        self.rate = float(self.target.mean())
        self.literals: list[Literal] = []
        self.of: list[slice] = []
        first, after = [], []
        seen: set[bytes] = set()
        for one, start in zip(features, self.starts, strict=False):
            begin = len(self.literals)
            for literal in one.literals:
                mask = one.holds(literal)[rows]
                hits = int(mask.sum())
                # Of literals that hold for the same rows, the first speaks for all.
                if bounds.fewest <= hits < len(rows) and (bits := np.packbits(mask).tobytes()) not in seen:
                    seen.add(bits)
                    self.literals.append(literal)
                    first.append(start + literal.first)
                    after.append(start + literal.after)
            self.of.append(slice(begin, len(self.literals)))
        self.first, self.after = np.array(first, dtype=np.int64), np.array(after, dtype=np.int64)

    def singles(self) -> Iterator[tuple[float, tuple[int, ...]]]:
        worth = self._worth(np.ones(len(self.target), dtype=bool))
        return ((float(worth[place]), (int(place),)) for place in np.flatnonzero(worth > 0))

    def pairs(self) -> Iterator[tuple[tuple[float, tuple[int, int]], tuple[float, tuple[int, int]]]]:
        """For each two features the pair of literals that is worth most, and the one that promises most."""
        # What a third literal may still cut away: a pair half as sure as asked may become a rule.
        halfway = (self.rate + self.bounds.least) / 2
        for number, one in enumerate(self.of[:-1]):
            if one.start == one.stop:
                continue
            hits, events = self._joint(number)
            worth = self.bounds.surplus(events, hits)
            promise = np.where(hits >= self.bounds.fewest, events - halfway * hits, -np.inf)
            for there in self.of[number + 1 :]:
                if there.start < there.stop:
                    yield self._best(worth, one, there), self._best(promise, one, there)

    def _best(self, values: Counts, one: slice, there: slice) -> tuple[float, tuple[int, int]]:
        """The highest of the values of the literals of one feature (rows) with those of another."""
        block = values[:, there.start - one.stop : there.stop - one.stop]
        row, column = divmod(int(block.argmax()), block.shape[1])
        return float(block[row, column]), (one.start + row, there.start + column)

    def narrowed(self, pair: tuple[int, int]) -> Iterator[tuple[float, tuple[int, ...]]]:
        """The pair with one literal more: the best of each feature."""
        worth = self._worth(np.logical_and.reduce([self._holds(place) for place in pair]))
        for one in self.of:
            if one.start < one.stop:
                place = one.start + int(worth[one].argmax())
                if worth[place] > 0:
                    yield float(worth[place]), (*pair, place)

    def plain(self, places: tuple[int, ...]) -> tuple[int, ...]:
        """The literals in their order, without one that another makes true: above 3, where above 5 is asked too."""
        kept = sorted(set(places))
        wider = {
            one
            for one, other in itertools.permutations(kept, 2)
            if self.first[one] <= self.first[other] and self.after[other] <= self.after[one]
        }
        return tuple(place for place in kept if place not in wider)

    def _holds(self, place: int) -> Marks:
        column = self.codes[:, int(np.searchsorted(self.starts, self.first[place], side="right")) - 1]
        found: Marks = (column >= self.first[place]) & (column < self.after[place])
        return found

    def _worth(self, mask: Marks) -> Counts:
        """What every literal is worth together with the mask."""
        found = []
        for rows in (mask, mask & self.target):
            counts = np.bincount(self.codes[rows].ravel(), minlength=self.starts[-1])
            summed = np.concatenate([[0], np.cumsum(counts)])
            found.append(summed[self.after] - summed[self.first])
        return self.bounds.surplus(found[1], found[0])

    def _joint(self, number: int) -> tuple[Counts, Counts]:
        """Hits and events of every literal of one feature with every literal of those after it."""
        start, size = self.starts[number], self.features[number].size
        width = int(self.starts[-1] - self.starts[number + 1])
        one, others = self.of[number], slice(self.of[number].stop, None)
        mine = (self.codes[:, number] - start)[:, None] * width
        index = mine + (self.codes[:, number + 1 :] - self.starts[number + 1])
        found = []
        for rows in (slice(None), self.target):
            counts = np.bincount(index[rows].ravel(), minlength=size * width).reshape(size, width)
            summed = np.zeros((size + 1, width + 1), dtype=np.int64)
            summed[1:, 1:] = counts.cumsum(axis=0).cumsum(axis=1)
            bands = summed[self.after[one] - start] - summed[self.first[one] - start]
            shift = self.starts[number + 1]
            found.append(bands[:, self.after[others] - shift] - bands[:, self.first[others] - shift])
        return found[0], found[1]


def apart(
    found: Sequence[Conjunction], features: Sequence[Feature], rows: Places, most: int
) -> list[tuple[Conjunction, Marks]]:
    """The best conjunctions of which each hits at least half its rows without any better one, with all their hits."""
    by_name = {one.name: one for one in features}
    chosen: list[tuple[Conjunction, Marks]] = []
    for one in itertools.islice(found, LOOKED_AT):
        hits = np.logical_and.reduce([by_name[each.feature].holds(each) for each in one.literals])
        here = hits[rows]
        if all(2 * (here & others[rows]).sum() <= here.sum() for _, others in chosen):
            chosen.append((one, hits))
            if len(chosen) == most:
                break
    return chosen
