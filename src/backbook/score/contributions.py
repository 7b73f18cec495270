"""What a forest says of many rows, and how much each feature moved it: exact, and fast enough for a whole book.

A tree asks only in which of few intervals each of its features lies. So the leaves of a tree are gathered in groups
that ask little, and for each group all combinations of intervals (its *cells*) are listed once: what the group adds
to the log odds in a cell, and what each feature contributes there. A row is then only looked up: its values are
held against the cuts of the whole forest, each cut that lies below is worth so much in a group's number of a cell (one
sparse product gives the numbers of all groups), and the cells' figures are added.

The contributions are Shapley values of the tree's own expectation (Lundberg et al. 2018, "path dependent"): a feature
that is not known sends a row down both ways by the shares of the rows that taught the tree. Per leaf they are an
integral along a line (Owen 1972), a polynomial, which Gauss and Legendre's rule gives exactly.

Nothing here needs LightGBM: its text is read, and a book scored next year needs no more than the version.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
CHUNK = 32_768
# Rows whose cells are numbered at a time: what lies below them, a row per cut, stays near.
BLOCK = 2_048
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
class Group:
    """Leaves of one tree that are looked up together: in each cell the value, then what each feature contributes.

    A cell's number is the sum of what the cuts below a row are worth; `cuts` are their places in the forest. Where only
    values are asked for there are no `features`.
    """

    cuts: tuple[int, ...]
    worth: tuple[int, ...]
    features: tuple[int, ...]
    table: Floats


@dataclass(frozen=True)
class Flat:
    """All tables of a forest end to end: by row of a table its group, what it adds to (a feature, or the value after them)
    and where its figures begin."""

    group: Wholes
    adds_to: Wholes
    first: Wholes
    figures: Floats


@dataclass(frozen=True)
class Lookup:
    """A forest made ready: its lines with their cuts, which are numbered through, and the groups in the trees' order.

    A line is a feature and where its missing values go. `expected` is what the forest says of a row of which nothing
    is known; with the contributions it adds up to the log odds.
    """

    width: int
    lines: tuple[Line, ...]
    cuts: tuple[Floats, ...]
    groups: tuple[Group, ...]
    expected: float

    def values(self, matrix: Floats, *, threads: int = 1) -> Floats:
        """What the forest says of each row (a column per feature): the sum of its leaves, in the order of the trees."""
        return self._looked_up(matrix, 0, threads)[0]

    def explained(self, matrix: Floats, *, threads: int = 1) -> tuple[Floats, Floats]:
        """The values, and by feature (rows of the second) what it contributes to each."""
        if len(matrix) == 1:
            return self._of_one(matrix)
        return self._looked_up(matrix, self.width, threads)

    def _looked_up(self, matrix: Floats, features: int, threads: int) -> tuple[Floats, Floats]:
        total, moved = np.zeros(len(matrix)), np.zeros((features, len(matrix)))
        chunks = [slice(first, first + CHUNK) for first in range(0, len(matrix), CHUNK)]
        # numpy lets go of the interpreter while it computes, so threads share the work; a row is one thread's alone.
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda rows: self._add(matrix[rows], total[rows], moved[:, rows]), chunks):
                pass
        return total, moved

    def _add(self, matrix: Floats, total: Floats, moved: Floats) -> None:
        cells, figures = self._cells(matrix), np.empty(len(matrix))
        for group, numbers in zip(self.groups, cells, strict=True):
            cell = numbers.astype(np.intp)
            # No cell lies outside its table; `clip` only spares the asking.
            np.take(group.table[0], cell, out=figures, mode="clip")
            total += figures
            for place, feature in enumerate(group.features if len(moved) else (), 1):
                np.take(group.table[place], cell, out=figures, mode="clip")
                moved[feature] += figures

    def _of_one(self, matrix: Floats) -> tuple[Floats, Floats]:
        """The same for a single row, all groups at once: the same figures added in the same order, so to the last bit."""
        flat, cell = self._flat, self._cells(matrix)[:, 0].astype(np.intp)
        total = np.zeros(self.width + 1)
        np.add.at(total, flat.adds_to, flat.figures[flat.first + cell[flat.group]])
        return total[-1:], total[:-1, None]

    def _cells(self, matrix: Floats) -> npt.NDArray[Any]:
        """By group and row, the number of the cell: one sparse product, some rows at a time so that they stay near."""
        places = self._places(matrix)
        numbers = np.empty((len(self.groups), len(matrix)), dtype=self._whole)
        for first in range(0, len(matrix), BLOCK):
            rows = slice(first, first + BLOCK)
            numbers[:, rows] = self._asks @ self._below(places[:, rows]).astype(self._whole)
        return numbers

    def _below(self, places: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
        """By cut and row, whether the cut lies below the value."""
        found = np.empty((sum(map(len, self.cuts)), places.shape[1]), dtype=bool)
        first = 0
        for line, cuts in zip(places, self.cuts, strict=True):
            number = np.arange(len(cuts), dtype=np.int16)[:, None]
            np.greater(line, number, out=found[first : first + len(cuts)])
            first += len(cuts)
        return found

    def _places(self, matrix: Floats) -> npt.NDArray[np.int16]:
        """By line and row, how many cuts lie below the value; of a missing value so many that it goes its way."""
        places = np.empty((len(self.lines), len(matrix)), dtype=np.int16)
        for line, ((feature, missing), cuts) in enumerate(zip(self.lines, self.cuts, strict=True)):
            values = np.ascontiguousarray(matrix[:, feature])
            # Not by comparison: a cut may be infinite, with all that is known on its left.
            unknown = {"left": 0, "right": len(cuts), "zero": int(np.searchsorted(cuts, 0.0))}[missing]
            places[line] = np.where(np.isnan(values), unknown, below(cuts, values))
        return places

    @cached_property
    def _whole(self) -> Any:
        """The narrowest type that holds every number of a cell: 16 bits, but for lone leaves that ask very much."""
        most = max(group.table.shape[1] for group in self.groups)
        return np.int16 if most <= np.iinfo(np.int16).max else np.int64

    @cached_property
    def _asks(self) -> Any:
        """By group and cut, what the cut is worth in the number of a cell."""
        # Imported here: it takes a while, and nobody else in the room of scores needs it.
        from scipy.sparse import csr_array

        worth, cut = (np.array([each for group in self.groups for each in getattr(group, of)], dtype=type)
                      for of, type in (("worth", self._whole), ("cuts", np.int32)))  # fmt: skip
        ends = np.cumsum([0, *(len(group.cuts) for group in self.groups)])
        return csr_array((worth, cut, ends), shape=(len(self.groups), sum(map(len, self.cuts))))

    @cached_property
    def _flat(self) -> Flat:
        rows = [
            (number, feature, group.table.shape[1])
            for number, group in enumerate(self.groups)
            for feature in (self.width, *group.features)
        ]
        group, adds_to, cells = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
        return Flat(
            group, adds_to, np.cumsum(cells) - cells, np.concatenate([each.table.ravel() for each in self.groups])
        )


# A feature, and where it goes where it is missing.
Line = tuple[int, str]
# A leaf and what each feature contributes to it, by mask, where that is asked for.
Known = tuple[Leaf, Floats | None]

# ── the tables ──────────────────────────────────────────────────────────────────────────────────────────────


def lookup(text: str, columns: Sequence[int], *, explaining: bool = True) -> Lookup:
    """The model in LightGBM's text form, made ready for a matrix that holds these of its columns in this order.

    What is not `explaining` gives values alone, the same ones, and is ready sooner.
    """
    trees = list(leaves(text, {column: place for place, column in enumerate(columns)}))
    cuts: dict[Line, set[float]] = {}
    for tree in trees:
        for leaf in tree:
            for step in leaf.way:
                cuts.setdefault((step.feature, step.missing), set()).add(step.cut)
    by_line = {line: sorted(found) for line, found in sorted(cuts.items())}
    number = {at: place for place, at in enumerate((line, cut) for line, found in by_line.items() for cut in found)}
    every = [leaf for tree in trees for leaf in tree]
    tables = iter(_contributions(every) if explaining else [None] * len(every))
    known = [[(leaf, next(tables)) for leaf in tree] for tree in trees]
    groups = tuple(_group(part, number, explaining) for tree in known for part in _parts(tree, 0))
    expected = math.fsum(leaf.value * leaf.share for tree in trees for leaf in tree)
    return Lookup(len(columns), tuple(by_line), tuple(map(np.array, by_line.values())), groups, expected)


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


def _group(tree: Sequence[Known], number: Mapping[tuple[Line, float], int], explaining: bool) -> Group:
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
    # The intervals are the digits of a cell's number, the last one counting single cells.
    below = [
        (number[line, cut], math.prod(sizes[place + 1 :]))
        for place, (line, of) in enumerate(asked.items())
        for cut in of
    ]
    return Group(
        tuple(cut for cut, _ in below), tuple(worth for _, worth in below), features, table.reshape(len(table), -1)
    )


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
