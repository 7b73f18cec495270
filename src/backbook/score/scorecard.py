"""A scorecard: what each bin of each feature adds to the points, learned by logistic regression.

The regression stands on weights of evidence, so a coefficient above zero means that the feature works the way
its bins say. Features whose coefficient turns negative beside the others are taken out: their points would
contradict their own bins. Points are whole numbers and the chance is derived from them alone, so that a book
scored in one pass and a customer scored at the counter can never differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from backbook.expressions import Name
from backbook.score.binning import Binning, Rules, binned
from backbook.score.counting import Codes, Counts, Grid
from backbook.score.definition import OTHERS, Points

Floats = npt.NDArray[np.float64]
Wholes = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

# Less information value than this is not worth a row of the card (a usual rule says .02 for "hardly any").
LEAST_INFORMATION = 0.01
# And less than the best of all cuts finds in pure noise 1 time in 20 is no information at all: the largest
# chi-square over all cuts that leave 5 % on each side (Andrews 1993, table 1), against the sample's size.
NOISE = 9.84
# Of two features whose evidence goes so nearly alike, the one with more information speaks for both.
MOST_CORRELATION = 0.9
# A feature whose worst bin doubles less than a tenth of the odds against its best moves hardly a point.
LEAST_SPREAD = math.log(2) / 10
# Coefficients are kept to six decimals: what two machines may add up differently lies far below.
DIGITS = 6


@dataclass(frozen=True)
class Characteristic:
    """One feature of the card: its bins, its coefficient and the points of each bin (the lowest has 0)."""

    name: Name
    binning: Binning
    coefficient: float
    points: tuple[int, ...] = ()

    def towards_event(self, got: int, scale: Points) -> int:
        """How many of its points speak for the event, against the bin that speaks most against it."""
        return max(self.points) - got if scale.more == OTHERS else got - min(self.points)


@dataclass(frozen=True)
class Card:
    """A fitted scorecard; the points of a unit are `start` and those of its bins."""

    characteristics: tuple[Characteristic, ...]
    intercept: float
    scale: Points
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def factor(self) -> float:
        return self.scale.factor

    @property
    def even(self) -> float:
        return self.scale.even

    @cached_property
    def start(self) -> int:
        """The points where every characteristic stands at its lowest."""
        lowest = self.intercept + sum(one.coefficient * _lowest(one, self.scale) for one in self.characteristics)
        return _whole(self.even - self.factor * lowest)

    def odds(self, codes: Mapping[str, Codes], rows: npt.NDArray[Any]) -> Floats:
        """Logarithm of the odds of an event, before anything is rounded; `codes` are the fine codes by feature."""
        total = np.full(len(rows), self.intercept)
        for one in self.characteristics:
            total += one.coefficient * one.binning.evidence[codes[one.name.name][rows]]
        return total

    def points(self, codes: Mapping[str, Codes], rows: npt.NDArray[Any]) -> Wholes:
        total = np.full(len(rows), self.start, dtype=np.int64)
        for one in self.characteristics:
            by_code = np.array(one.points)[np.array(one.binning.bin_of)]
            total += by_code[codes[one.name.name][rows]]
        return total

    def chances(self, points: Wholes) -> Floats:
        """Probability of an event at these points, to six decimals."""
        chances: Floats = np.round(1 / (1 + np.exp((points - self.even) / self.factor)), DIGITS)
        return chances

    def calibrated(self, intercept: float, slope: float) -> Card:
        """The card with its odds moved and stretched as measured on rows that it has not seen."""
        moved = [replace(one, coefficient=round(one.coefficient * slope, DIGITS)) for one in self.characteristics]
        return made(moved, intercept + slope * self.intercept, self.scale, self.left_out)


def made(
    characteristics: Sequence[Characteristic], intercept: float, scale: Points, left_out: Sequence[tuple[str, str]] = ()
) -> Card:
    """The card with whole points for every bin."""
    with_points = []
    for one in characteristics:
        lowest = _lowest(one, scale)
        points = tuple(_whole(scale.factor * one.coefficient * (lowest - bin.evidence)) for bin in one.binning.bins)
        with_points.append(replace(one, points=points))
    return Card(tuple(with_points), round(intercept, DIGITS), scale, tuple(left_out))


def binnings(
    grids: Sequence[Grid],
    counts: Mapping[str, Counts],
    *,
    monotone: Mapping[str, str] | None = None,
    rules: Rules | None = None,
) -> dict[str, Binning]:
    """The best bins of every feature, from its counts alone."""
    directions = monotone or {}
    return {
        grid.name.name: binned(
            grid, counts[grid.name.name], direction=directions.get(grid.name.name, "auto"), rules=rules
        )
        for grid in grids
    }


def informative(found: Mapping[str, Binning], events: int, others: int, repeats: float) -> list[str]:
    """The features whose information is more than chance and worth a row of the card, the strongest first."""
    least = max(LEAST_INFORMATION, NOISE * repeats * (1 / max(events, 1) + 1 / max(others, 1)))
    ordered = sorted(found, key=lambda name: (-found[name].information, name))
    return [name for name in ordered if found[name].information >= least]


def fit(
    found: Mapping[str, Binning],
    names: Mapping[str, Name],
    codes: Mapping[str, Codes],
    target: Marks,
    rows: npt.NDArray[Any],
    *,
    scale: Points,
    most_features: int = 20,
    repeats: float = 1.0,
) -> Card:
    """The card that the given rows teach; it has no characteristic where no feature says anything.

    `found` are the bins learned from the same rows; `codes` holds the fine codes of the informative ones at least.
    """
    events = int(target[rows].sum())
    strong = informative(found, events, len(rows) - events, repeats)
    evidence = {name: found[name].evidence[codes[name][rows]].astype(np.float64) for name in strong}
    weak = [(name, "little information") for name in sorted(found, key=lambda name: (-found[name].information, name))
            if name not in evidence]  # fmt: skip
    chosen, doubles = _one_of_each_kind(strong, evidence)
    chosen, coefficients, intercept, dropped = _regression(chosen, evidence, target[rows], most_features)
    characteristics = [
        Characteristic(names[name], found[name], round(float(coefficient), DIGITS))
        for name, coefficient in zip(chosen, coefficients, strict=True)
    ]
    return made(characteristics, intercept, scale, [*weak, *doubles, *dropped])


def _one_of_each_kind(strong: Sequence[str], evidence: Mapping[str, Floats]) -> tuple[list[str], list[tuple[str, str]]]:
    """The features without the near doubles of a stronger one."""
    if not strong:
        return [], []
    alike = np.abs(np.atleast_2d(np.corrcoef(np.array([evidence[name] for name in strong]))))
    kept: list[int] = []
    doubles = []
    for place, name in enumerate(strong):
        twin = next((other for other in kept if alike[place, other] > MOST_CORRELATION), None)
        if twin is None:
            kept.append(place)
        else:
            doubles.append((name, f"says what {strong[twin]} says"))
    return [strong[place] for place in kept], doubles


def _regression(
    names: Sequence[str], evidence: Mapping[str, Floats], target: Marks, most: int
) -> tuple[list[str], Floats, float, list[tuple[str, str]]]:
    """Refit until every sign is right and at most `most` features are left; the weakest go first."""
    kept = list(names)
    dropped: list[tuple[str, str]] = []
    begin: tuple[Floats, float] | None = None
    while kept:
        columns = np.column_stack([evidence[name] for name in kept])
        coefficients, intercept = logistic(columns, target, begin=begin)
        strength = coefficients * columns.std(axis=0)
        spread = coefficients * np.ptp(columns, axis=0)
        going, why = np.flatnonzero(coefficients <= 0), "against its own bins beside the others"
        if not len(going):
            going, why = np.flatnonzero(spread < LEAST_SPREAD), "adds hardly anything beside the others"
        excess = len(kept) - most
        if not len(going) and excess <= 0:
            return kept, coefficients, intercept, dropped
        # Half of them at a time: what is left may turn right, or weak, once the worst are gone.
        count = (len(going) + 1) // 2 or (excess + 1) // 2
        going = going if len(going) else np.arange(len(kept))
        leaving = {int(place) for place in going[np.argsort(strength[going], kind="stable")][:count]}
        dropped += [(kept[place], why) for place in sorted(leaving)]
        kept = [name for place, name in enumerate(kept) if place not in leaving]
        begin = np.delete(coefficients, sorted(leaving)), intercept
    rate = float(target.mean())
    return [], np.array([]), math.log(rate / (1 - rate)), dropped


def logistic(
    columns: Floats, target: Marks, *, strength: float = 1.0, begin: tuple[Floats, float] | None = None
) -> tuple[Floats, float]:
    """Coefficients and intercept; ridge of a strength that counts only in small samples. `begin` is near them, if known."""
    # Imported here: it takes seconds, and only training needs it.
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, solver="newton-cholesky", max_iter=100, warm_start=begin is not None)
    if begin is not None:
        model.coef_, model.intercept_ = begin[0][None, :], np.array([begin[1]])
    model.fit(columns, target)
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])


def _lowest(one: Characteristic, scale: Points) -> float:
    """The evidence that gives the fewest points."""
    evidence = [bin.evidence for bin in one.binning.bins]
    return max(evidence) if scale.more == OTHERS else min(evidence)


def _whole(value: float) -> int:
    return math.floor(value + 0.5)
