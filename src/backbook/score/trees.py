"""Trees: a forest of small LightGBM trees over columns made numbers, kept as text and read without the library.

Every feature becomes one column of doubles. Yes/no is 0 or 1; a text is the place of its level among those seen in
training, by code point, so that no outcome is in the order; stated special values stand in a column of their own. A
missing value is not a number and the trees learn where it goes. Where training had none missing it could teach
nothing, so there a missing value is taken for the usual one (the median, or the most frequent level). A level that
training had not seen is taken for missing. Nothing is split by category: an order is enough for trees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from backbook.expressions import Name, Type
from backbook.score.contributions import Lookup, columns_of, lookup
from backbook.score.counting import Grid, as_numbers, place_of

Floats = npt.NDArray[np.float64]
Wholes = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

# Small steps; early stopping finds how many. On Taiwan's clients .02 took longer and ranked no better within the error.
RATE = 0.03
# Rounds without a better validation after which growing stops.
PATIENCE = 50
# Leaves shrink towards nothing as if they had this much more of the curvature of the loss.
RIDGE = 5.0
# A leaf holds at least this share of the rows, and never fewer than LEAST_ROWS.
SHARE, LEAST_ROWS = 0.004, 20
# Reasons of a leaf are listed by all ways of agreeing with its path: 2 to the power of this at most.
DEPTH = 10
# Samples with fewer values than these are not worth that threads wait for one another.
WORTH_THREADS = 2_000_000
# One seed for whatever LightGBM draws; it is never searched.
SEED = 1
# Log odds to six decimals: what is far below cannot tell a book and a single customer apart.
DIGITS = 6

# What the steps of a version read.
LOG_ODDS = "log_odds"

HIGH, MIDDLE, LOW, MISSING, OTHER = "high", "middle", "low", "missing", "other"


@dataclass(frozen=True)
class Coding:
    """How one feature becomes numbers: its levels or special values, its usual value, whether missing ones taught."""

    name: Name
    levels: tuple[Any, ...] = ()
    special: tuple[float, ...] = ()
    usual: float = 0.0
    missing_taught: bool = False

    @property
    def has_levels(self) -> bool:
        return self.name.type in (Type.TEXT, Type.YESNO)

    @cached_property
    def standings(self) -> tuple[Any, ...]:
        """Where a value may stand, as reasons name it: among the levels, or against the usual value."""
        if self.has_levels:
            return (*self.levels, OTHER, MISSING)
        return (*self.special, LOW, MIDDLE, HIGH, MISSING)

    def numbers(self, column: Any) -> Floats:
        """The column as numbers; not a number where it is missing or of an unseen level."""
        return place_of(column, self.levels) if self.has_levels else as_numbers(column)

    def standing(self, column: Any, numbers: Floats) -> Wholes:
        """The place of each value among the `standings`."""
        unknown = np.isnan(numbers)
        if self.has_levels:
            missing = pc.is_null(column).to_numpy(zero_copy_only=False)
            return np.where(unknown, len(self.levels) + missing, np.where(unknown, 0, numbers)).astype(np.int64)
        found = len(self.special) + 1 + np.sign(numbers - self.usual)
        found[unknown] = len(self.special) + 3
        for place, special in enumerate(self.special):
            found[numbers == special] = place
        return np.asarray(found.astype(np.int64))


def code(grid: Grid, column: Any) -> Coding:
    """How a feature is coded, learned from its column in training."""
    special = tuple(float(value) for value in grid.special)
    values = Coding(grid.name, tuple(grid.levels), special).numbers(column)
    known = values[~np.isnan(values) & ~np.isin(values, special)]
    usual = 0.0
    if len(known):
        usual = float(np.bincount(known.astype(int)).argmax() if grid.is_text else np.median(known))
    return Coding(grid.name, tuple(grid.levels), special, usual, bool(np.isnan(values).any()))


@dataclass(frozen=True)
class Columns:
    """Columns made ready for trees: a matrix, and by feature where each value stands (no features where nobody asked).

    `feature` says for each column of the matrix to which feature it belongs: special values have one of their own.
    """

    matrix: Floats
    standing: npt.NDArray[np.int16]
    feature: tuple[int, ...]


def encode(codings: Sequence[Coding], columns: Any, *, standing: bool = True) -> Columns:
    """The features' columns, from whatever gives an Arrow column by name."""
    feature = owners(codings)
    count = len(columns[codings[0].name.name])
    matrix = np.empty((count, len(feature)), order="F")
    stands = np.empty((len(codings) if standing else 0, count), dtype=np.int16)
    extra = len(codings)
    for place, coding in enumerate(codings):
        column = columns[coding.name.name]
        numbers = values = coding.numbers(column)
        if standing:
            stands[place] = coding.standing(column, numbers)
        if not coding.missing_taught:
            values = np.where(np.isnan(values), coding.usual, values)
        if coding.special:
            marked = np.zeros(count)
            for at, special in enumerate(coding.special, 1):
                marked[numbers == special] = at
            matrix[:, extra] = marked
            values = np.where(marked > 0, np.nan, values)
            extra += 1
        matrix[:, place] = values
    return Columns(matrix, stands, feature)


def owners(codings: Sequence[Coding]) -> tuple[int, ...]:
    """By column of the matrix, the place of its feature: all features, then those with special values again."""
    return (*range(len(codings)), *(place for place, coding in enumerate(codings) if coding.special))


@dataclass(frozen=True)
class Forest:
    """Grown trees as LightGBM's text, and the line by which their sum becomes log odds that come true.

    `columns` are the text's own numbers for the columns of the features' matrix, in its order.
    """

    text: str
    codings: tuple[Coding, ...]
    columns: tuple[int, ...]
    intercept: float = 0.0
    slope: float = 1.0

    @classmethod
    def of(cls, text: str, codings: Sequence[Coding], intercept: float, slope: float) -> Forest:
        """The forest with those features alone for which a tree asks."""
        owner, asked = owners(codings), set(columns_of(text))
        used = sorted({owner[column] for column in asked})
        columns = [column for first in (True, False) for place in used for column in range(len(owner))
                   if owner[column] == place and (column < len(codings)) is first]  # fmt: skip
        return cls(text, tuple(codings[place] for place in used), tuple(columns), round(intercept, 6), round(slope, 6))

    @cached_property
    def _values(self) -> Lookup:
        return lookup(self.text, self.columns, explaining=False)

    @cached_property
    def _explained(self) -> Lookup:
        return lookup(self.text, self.columns)

    @property
    def rounds(self) -> int:
        return self.text.count("\nTree=")

    def log_odds(self, columns: Columns, *, threads: int = 1) -> Floats:
        return self._corrected(self._values.values(columns.matrix, threads=threads))

    def explained(self, columns: Columns, *, threads: int = 1) -> tuple[Floats, Floats]:
        """The log odds, and by feature (rows of the second) what it adds to them."""
        values, moved = self._explained.explained(columns.matrix, threads=threads)
        for column in range(len(self.codings), len(moved)):
            moved[columns.feature[column]] += moved[column]
        return self._corrected(values), self.slope * moved[: len(self.codings)]

    def _corrected(self, values: Floats) -> Floats:
        found: Floats = np.round(self.intercept + self.slope * values, DIGITS)
        return found

    def canonical(self) -> dict[str, Any]:
        """Plain data from which `read` makes the forest again."""
        return {
            "text": self.text,
            "features": [
                {
                    "name": one.name.name,
                    "levels": list(one.levels),
                    "special": list(one.special),
                    "usual": one.usual,
                    "missing_taught": one.missing_taught,
                }
                for one in self.codings
            ],
            "columns": list(self.columns),
            "intercept": self.intercept,
            "slope": self.slope,
        }

    @classmethod
    def read(cls, content: Mapping[str, Any], names: Mapping[str, Name]) -> Forest:
        codings = tuple(
            Coding(names[one["name"]], tuple(one["levels"]), tuple(one["special"]), one["usual"], one["missing_taught"])
            for one in content["features"]
        )
        return cls(content["text"], codings, tuple(content["columns"]), content["intercept"], content["slope"])


# ── growing ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Setting:
    """How trees are grown: leaves of one tree, the share of the columns that each tree may ask for, and how many."""

    leaves: int
    columns: float
    rounds: int


class Ground:
    """Rows ready to grow trees on: the matrix binned once, so that every fit of a training reads the same bins.

    The bins know nothing of the target. `ways` are the directions by column: 1 where more means more events, -1
    where it means fewer, 0 where trees are free.
    """

    def __init__(self, matrix: Floats, target: Marks, ways: Sequence[int], *, threads: int) -> None:
        # Imported here: it takes seconds, and only training needs it.
        import lightgbm

        self.library: Any = lightgbm
        self.matrix = matrix
        self.given = {
            "objective": "binary",
            "learning_rate": RATE,
            "lambda_l2": RIDGE,
            "max_depth": DEPTH,
            "max_bin": 255,
            "feature_pre_filter": False,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "monotone_constraints": list(ways) if any(ways) else None,
            # Looks at the neighbours of a split and not at the split alone: it keeps the order at less cost.
            "monotone_constraints_method": "intermediate" if any(ways) else None,
            # The same rows give the same text, whatever the number of threads.
            "num_threads": threads if matrix.size > WORTH_THREADS else 1,
            "deterministic": True,
            "force_row_wise": True,
            "seed": SEED,
            "verbose": -1,
        }
        self.given = {name: value for name, value in self.given.items() if value is not None}
        self.rows = self.library.Dataset(matrix, target.astype(np.int8), params=self.given).construct()

    def _parameters(self, setting: Setting, rows: int) -> dict[str, Any]:
        least = max(LEAST_ROWS, int(SHARE * rows))
        return self.given | {
            "num_leaves": setting.leaves,
            "feature_fraction": setting.columns,
            "min_data_in_leaf": least,
        }

    def stopped(self, setting: Setting, splits: Sequence[tuple[Wholes, Wholes]]) -> tuple[float, Setting]:
        """The least mean log loss on the second parts, and the setting with the rounds at which it was reached."""
        parameters = self._parameters(setting, len(splits[0][0])) | {"metric": "binary_logloss"}
        found = self.library.cv(
            parameters,
            self.rows,
            num_boost_round=setting.rounds,
            folds=list(splits),
            callbacks=[self.library.early_stopping(PATIENCE, verbose=False)],
        )
        losses = found["valid binary_logloss-mean"]
        best = int(np.argmin(losses))
        return float(losses[best]), Setting(setting.leaves, setting.columns, best + 1)

    def grown(self, setting: Setting, rows: Wholes) -> str:
        """The trees that the rows teach, as text."""
        # What follows the trees tells of the machine (threads) and of the settings, which the version keeps itself.
        return str(self._booster(setting, rows).model_to_string()).partition("end of trees")[0] + "end of trees\n"

    def said(self, setting: Setting, taught: Wholes, asked: Wholes) -> Floats:
        """What trees from the rows of `taught` say of those of `asked`."""
        threads = self.given["num_threads"]
        booster = self._booster(setting, taught)
        return np.asarray(booster.predict(self.matrix[asked], raw_score=True, num_threads=threads), dtype=np.float64)

    def _booster(self, setting: Setting, rows: Wholes) -> Any:
        return self.library.train(
            self._parameters(setting, len(rows)), self.rows.subset(rows), num_boost_round=setting.rounds
        )


def settings(leaves: int, rounds: int) -> list[Setting]:
    """What is tried: whole and half as many leaves, trees that may ask for most columns or for few."""
    return [Setting(size, share, rounds) for size in sorted({leaves, max(2, leaves // 2)}) for share in (0.3, 0.6)]
