"""What a forest says of many rows, and how much each feature moved it: exact, and fast enough for a whole book.

A tree asks only in which of few intervals each of its features lies. So the leaves of a tree are gathered in groups
that ask little, and for each group all combinations of intervals (its *cells*) are listed once: what the group adds
to the log odds in a cell, and what each feature contributes there. A row is then only looked up: its values are
placed among the cuts of the whole forest, small whole numbers name its cell, and the cell's figures are added.

The contributions are Shapley values of the tree's own expectation (Lundberg et al. 2018, "path dependent"): a feature
that is not known sends a row down both ways by the shares of the rows that taught the tree. Per leaf they are an
integral along a line (Owen 1972), a polynomial, which Gauss and Legendre's rule gives exactly.

Nothing here needs LightGBM: its text is read, and a book scored next year needs no more than the version.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from backbook.errors import BadData
from backbook.score.counting import below

Floats = npt.NDArray[np.float64]
Wholes = npt.NDArray[np.int64]

# Larger groups are fewer, but their figures leave the nearer caches: 256 took 1.8 times as long, 16,384 ten times the
# room for the same time.
MOST_CELLS = 4_096
# Rows looked up at a time: long enough that Python does not count, short enough that the sums stay near.
CHUNK = 16_384
# Masks of one batch of leaves while the tables are made, to bound memory.
MOST_MASKS = 1 << 20

# The bit of a split's kind that sends missing values left; the two above it say what counts as missing.
MISSING_LEFT = 2


@dataclass(frozen=True)
class Condition:
    """One step on the way to a leaf: which way it asks for, and the share of the rows that went it.

    `missing` is where a value that is not known goes: left, right, or where 0 goes ("zero").
    """

    feature: int
    cut: float
    right: bool
    missing: str
    share: float


@dataclass(frozen=True)
class Leaf:
    """A leaf by the way to it, what it adds, and the share of all rows that ended in it."""

    way: tuple[Condition, ...]
    value: float
    share: float

    @cached_property
    def features(self) -> tuple[int, ...]:
        """The features that its way asks for, each once."""
        return tuple(sorted({step.feature for step in self.way}))

    @cached_property
    def shares(self) -> tuple[float, ...]:
        """By feature, the share of rows that goes this way where the feature is not known."""
        return tuple(math.prod(step.share for step in self.way if step.feature == one) for one in self.features)


@dataclass(frozen=True)
class Digit:
    """One feature's interval within a group: how many of the cuts (by their places in the forest) lie below it."""

    line: int
    cuts: tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """Leaves of one tree that are looked up together: in each cell the value, then what each feature contributes.

    Where only values are asked for there are no `features`.
    """

    digits: tuple[Digit, ...]
    features: tuple[int, ...]
    table: Floats


@dataclass(frozen=True)
class Flat:
    """All groups of a forest end to end: by cut its line, place, group and worth; by row of the tables its group, what
    it adds to (a feature, or the value after them) and where its figures begin."""

    line: Wholes
    cut: Wholes
    asks: Wholes
    worth: Wholes
    group: Wholes
    adds_to: Wholes
    first: Wholes
    figures: Floats


@dataclass(frozen=True)
class Lookup:
    """A forest made ready: the cuts of every feature, the lines of places to make, the groups in the trees' order.

    A line is a feature and where its missing values go. `expected` is what the forest says of a row of which nothing
    is known; with the contributions it adds up to the log odds.
    """

    width: int
    cuts: tuple[Floats, ...]
    lines: tuple[tuple[int, str], ...]
    groups: tuple[Group, ...]
    expected: float

    def values(self, matrix: Floats, *, threads: int = 1) -> Floats:
        """What the forest says of each row (a column per feature): the sum of its leaves, in the order of the trees."""
        found = np.zeros(len(matrix))
        _in_chunks(len(matrix), threads, lambda rows: self._add(matrix[rows], found[rows], None))
        return found

    def explained(self, matrix: Floats, *, threads: int = 1) -> tuple[Floats, Floats]:
        """The values, and by feature (rows of the second) what it contributes to each."""
        if len(matrix) == 1 and self.lines:
            return self._of_one(matrix)
        found, moved = np.zeros(len(matrix)), np.zeros((self.width, len(matrix)))
        _in_chunks(len(matrix), threads, lambda rows: self._add(matrix[rows], found[rows], moved[:, rows]))
        return found, moved

    def _add(self, matrix: Floats, total: Floats, moved: Floats | None) -> None:
        places = self._places(matrix)
        found = np.empty(len(matrix))
        for group in self.groups:
            cell = _cells(group, places)
            np.take(group.table[0], cell, out=found, mode="clip")
            total += found
            if moved is not None:
                for place, feature in enumerate(group.features, 1):
                    np.take(group.table[place], cell, out=found, mode="clip")
                    moved[feature] += found

    def _of_one(self, matrix: Floats) -> tuple[Floats, Floats]:
        """The same for a single row, all groups at once: the same figures added in the same order, so to the last bit."""
        flat, place = self._flat, self._places(matrix)[:, 0]
        below = place[flat.line] > flat.cut
        cell = np.bincount(flat.asks, weights=flat.worth * below, minlength=len(self.groups)).astype(np.intp)
        total = np.zeros(self.width + 1)
        np.add.at(total, flat.adds_to, flat.figures[flat.first + cell[flat.group]])
        return total[-1:], total[:-1, None]

    @cached_property
    def _flat(self) -> Flat:
        steps = [
            (digit.line, cut, number, math.prod(len(later.cuts) + 1 for later in group.digits[place + 1 :]))
            for number, group in enumerate(self.groups)
            for place, digit in enumerate(group.digits)
            for cut in digit.cuts
        ]
        line, cut, asks, worth = (np.array(column, dtype=np.int64) for column in zip(*steps, strict=True))
        rows = [
            (number, feature, group.table.shape[1])
            for number, group in enumerate(self.groups)
            for feature in (self.width, *group.features)
        ]
        group, adds_to, cells = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
        figures = np.concatenate([group.table.ravel() for group in self.groups])
        return Flat(line, cut, asks, worth, group, adds_to, np.cumsum(cells) - cells, figures)

    def _places(self, matrix: Floats) -> npt.NDArray[Any]:
        """By line, how many cuts of its feature lie below each row's value."""
        most = max((len(cuts) for cuts in self.cuts), default=0)
        places = np.empty((len(self.lines), len(matrix)), dtype=np.uint8 if most < 256 else np.uint16)
        for feature in {feature for feature, _ in self.lines}:
            values = np.ascontiguousarray(matrix[:, feature])
            place, unknown = below(self.cuts[feature], values), np.isnan(values)
            for line, (of, missing) in enumerate(self.lines):
                if of == feature:
                    places[line] = np.where(unknown, _missing_place(self.cuts[feature], missing), place)
        return places


def _missing_place(cuts: Floats, missing: str) -> int:
    return {"left": 0, "right": len(cuts), "zero": int(np.searchsorted(cuts, 0.0, side="left"))}[missing]


def _cells(group: Group, places: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """The cell of each row: its intervals as digits of one number."""
    number = np.zeros(places.shape[1], dtype=np.min_scalar_type(group.table.shape[1]))
    for digit in group.digits:
        number *= len(digit.cuts) + 1
        line = places[digit.line]
        for cut in digit.cuts:
            number += (line > cut).view(np.uint8)
    return number.astype(np.intp)


def _in_chunks(count: int, threads: int, work: Callable[[slice], None]) -> None:
    chunks = [slice(first, first + CHUNK) for first in range(0, count, CHUNK)]
    if threads == 1 or len(chunks) == 1:
        for chunk in chunks:
            work(chunk)
        return
    # numpy lets go of the interpreter while it computes, so threads share the work; a row is one thread's alone.
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, chunks):
            pass


# A leaf and what each feature contributes to it, by mask, where that is asked for.
Known = tuple[Leaf, Floats | None]

# ── the tables ──────────────────────────────────────────────────────────────────────────────────────────────


def lookup(text: str, columns: Sequence[int], *, explaining: bool = True) -> Lookup:
    """The model in LightGBM's text form, made ready for a matrix that holds these of its columns in this order.

    What is not `explaining` gives values alone, the same ones, and is ready sooner.
    """
    trees = list(leaves(text, {column: place for place, column in enumerate(columns)}))
    steps = {(step.feature, step.missing, step.cut) for tree in trees for leaf in tree for step in leaf.way}
    of_feature: list[set[float]] = [set() for _ in columns]
    for feature, _, cut in steps:
        of_feature[feature].add(cut)
    cuts = tuple(np.array(sorted(found)) for found in of_feature)
    lines = tuple(sorted({(feature, missing) for feature, missing, _ in steps}))
    every = [leaf for tree in trees for leaf in tree]
    tables = iter(_contributions(every) if explaining else [None] * len(every))
    known = [[(leaf, next(tables)) for leaf in tree] for tree in trees]
    groups = tuple(_group(part, cuts, lines, explaining) for tree in known for part in _parts(tree, 0))
    expected = math.fsum(leaf.value * leaf.share for tree in trees for leaf in tree)
    return Lookup(len(columns), cuts, lines, groups, expected)


def _parts(tree: Sequence[Known], depth: int) -> Iterator[Sequence[Known]]:
    """The leaves of a tree in neighbourhoods of few cells: the whole tree, or else what lies left and right."""
    if len(tree) == 1 or _count(tree) <= MOST_CELLS:
        yield tree
        return
    for right in (False, True):
        yield from _parts([(leaf, table) for leaf, table in tree if leaf.way[depth].right is right], depth + 1)


def _count(tree: Sequence[Known]) -> int:
    return math.prod(len(cuts) + 1 for cuts in _digits(tree).values())


def _digits(tree: Sequence[Known]) -> Mapping[tuple[int, str], list[float]]:
    """By line, the cuts that the leaves ask for."""
    found: dict[tuple[int, str], set[float]] = {}
    for leaf, _ in tree:
        for step in leaf.way:
            found.setdefault((step.feature, step.missing), set()).add(step.cut)
    return {line: sorted(cuts) for line, cuts in sorted(found.items())}


def _group(tree: Sequence[Known], cuts: Sequence[Floats], lines: Sequence[tuple[int, str]], explaining: bool) -> Group:
    """The figures of every cell; a leaf's are worked out on the few axes that its way asks for, then spread over all."""
    asked = _digits(tree)
    axes = list(asked)
    sizes = [len(of) + 1 for of in asked.values()]
    features = tuple(sorted({feature for feature, _ in asked})) if explaining else ()
    table = np.zeros((1 + len(features), *sizes))
    for leaf, moved in tree:
        mask = _agreement(leaf, asked, axes)
        table[0] += np.where(mask == (1 << len(leaf.features)) - 1, leaf.value, 0.0)
        if moved is not None:
            for place, feature in enumerate(leaf.features):
                table[1 + features.index(feature)] += moved[mask, place]
    digits = tuple(
        Digit(lines.index(line), tuple(int(place) for place in np.searchsorted(cuts[line[0]], of)))
        for line, of in asked.items()
    )
    return Group(digits, features, table.reshape(len(table), -1))


def _agreement(leaf: Leaf, asked: Mapping[tuple[int, str], list[float]], axes: Sequence[tuple[int, str]]) -> Wholes:
    """By interval, on the axes that the leaf's way asks for, the mask of the features that agree with it."""
    agrees: dict[int, Any] = {}
    for step in leaf.way:
        line = (step.feature, step.missing)
        cuts, axis = asked[line], axes.index(line)
        goes_right = np.arange(len(cuts) + 1) > cuts.index(step.cut)
        along = (goes_right == step.right).reshape([-1 if one == axis else 1 for one in range(len(axes))])
        agrees[step.feature] = agrees.get(step.feature, True) & along
    mask = np.zeros([1] * len(axes), dtype=np.int64)
    for place, feature in enumerate(leaf.features):
        mask = mask + (agrees[feature].astype(np.int64) << place)
    return mask


def _contributions(every: Sequence[Leaf]) -> list[Floats]:
    """By leaf, masks x features: what each contributes where those of the mask agree with the way.

    With z the shares and o the agreement (0 or 1), feature f of a leaf of value w contributes
    w (o_f - z_f) times the integral over t of the product over the others of (1 - t) z + t o.
    """
    found: dict[int, Floats] = {}
    for count in sorted({len(leaf.features) for leaf in every}):
        alike = [place for place, leaf in enumerate(every) if len(leaf.features) == count]
        size = max(1, MOST_MASKS >> count)
        for first in range(0, len(alike), size):
            batch = alike[first : first + size]
            found |= zip(batch, _integrated([every[place] for place in batch], count), strict=True)
    return [found[place] for place in range(len(every))]


def _integrated(batch: Sequence[Leaf], count: int) -> Floats:
    """Leaves x masks x features."""
    shares = np.array([leaf.shares for leaf in batch]).reshape(len(batch), 1, count)
    values = np.array([leaf.value for leaf in batch])[:, None, None]
    agrees = ((np.arange(1 << count)[:, None] >> np.arange(count)) & 1).astype(np.float64)
    points, weights = np.polynomial.legendre.leggauss(count // 2 + 1)
    integral = np.zeros((len(batch), 1 << count, count))
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        factors = shares * (1 - point) + agrees * point
        integral += weight * factors.prod(axis=2, keepdims=True) / factors
    found: Floats = values * (agrees - shares) * integral
    return found


# ── LightGBM's text ─────────────────────────────────────────────────────────────────────────────────────────


def columns_of(text: str) -> list[int]:
    """The columns that the trees ask for, in order."""
    lines = re.findall(r"^split_feature=(.*)$", text, re.MULTILINE)
    return sorted({int(column) for line in lines for column in line.split()})


def leaves(text: str, places: Mapping[int, int]) -> Iterator[list[Leaf]]:
    """The trees of a model in LightGBM's text form, each by its leaves from left to right; columns by their places."""
    for block in text.partition("\nend of trees")[0].split("\nTree=")[1:]:
        said = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if said.get("is_linear", "0") != "0" or said.get("num_cat", "0") != "0":
            raise BadData("The forest has linear or categorical trees, which cannot be read. Train the score again.")
        yield list(_walked(said, places))


def _walked(said: Mapping[str, str], places: Mapping[int, int]) -> Iterable[Leaf]:
    """The leaves of one tree; children below zero are leaves, by their complement."""
    values, rows = (list(map(float, said[name].split())) for name in ("leaf_value", "leaf_count"))
    if int(said["num_leaves"]) == 1:
        yield Leaf((), values[0], 1.0)
        return
    feature, kind, left, right = (
        list(map(int, said[name].split())) for name in ("split_feature", "decision_type", "left_child", "right_child")
    )
    cut, reached = (list(map(float, said[name].split())) for name in ("threshold", "internal_count"))

    waiting: list[tuple[int, tuple[Condition, ...]]] = [(0, ())]
    while waiting:
        node, way = waiting.pop()
        if node < 0:
            yield Leaf(way, values[~node], rows[~node] / reached[0])
            continue
        missing = ("zero", "", "left" if kind[node] & MISSING_LEFT else "right")[kind[node] >> 2 & 3]
        if not missing:
            raise BadData("The forest takes 0 for a missing value. Train the score again, with zero_as_missing off.")
        for child, goes_right in ((right[node], True), (left[node], False)):
            share = (rows[~child] if child < 0 else reached[child]) / reached[node]
            waiting.append((child, (*way, Condition(places[feature[node]], cut[node], goes_right, missing, share))))
