"""Whether a score treats groups of people unlike: rates by group, with intervals, and never a pass for want of data.

The favourable grades are the better half (see `favourable`). A group's rate is set against that of the group with
the highest rate; their ratio is the adverse impact ratio. It is flagged below four fifths, where the difference is
more than chance and both groups have enough units (Regulation B practice; thresholds are conventions).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from backbook.customer.shares import wilson

# Below these units a group's rates say nothing: it is shown as not enough data, which is no pass.
LEAST_UNITS = 30
# A group of less than this share is judged, and judges nobody (29 CFR 1607.4 leaves such groups out).
LEAST_SHARE = 0.02
LEAST_RATIO = Fraction(4, 5)
# A difference that chance brings less often than this is taken for one.
CHANCE = 0.05
PASS, FLAG, UNSURE, TOO_FEW, REFERENCE = "pass", "flag", "unsure", "too_few", "reference"


@dataclass(frozen=True)
class Cell:
    """One group as counted: units, those in a favourable grade, and where known events and the sum of chances."""

    level: str
    units: int
    favourable: int
    events: int | None = None
    expected: float | None = None


@dataclass(frozen=True)
class Treated:
    """One group judged. Rates are None where the group is too small; `low` and `high` bound the favourable rate.

    `verdict`: reference (the highest rate), pass, flag, unsure (a ratio below the line that may be chance), too_few.
    """

    level: str
    units: int
    favourable: float | None
    low: float | None
    high: float | None
    ratio: float | None
    chance: float | None
    mean_probability: float | None
    observed: float | None
    observed_low: float | None
    observed_high: float | None
    verdict: str

    def canonical(self) -> dict[str, Any]:
        return asdict(self)


def judged(cells: Sequence[Cell]) -> list[Treated]:
    """Each group against the one with the highest favourable rate among those with enough units and share."""
    least = max(LEAST_UNITS, LEAST_SHARE * sum(cell.units for cell in cells))
    enough = [cell for cell in cells if cell.units >= least]
    best = max(enough, key=lambda cell: (cell.favourable / cell.units, cell.units), default=None)
    return [_judged(cell, best) for cell in cells]


def _judged(cell: Cell, best: Cell | None) -> Treated:
    if best is None or cell.units < LEAST_UNITS:
        return Treated(cell.level, cell.units, *(None,) * 9, TOO_FEW)
    rate = cell.favourable / cell.units
    low, high = wilson(cell.favourable, cell.units)
    seen = None if cell.events is None else wilson(cell.events, cell.units)
    ratio, chance, verdict = None, None, REFERENCE
    if cell is not best:
        ratio = rate / (best.favourable / best.units) if best.favourable else None
        chance = two_rates(cell.favourable, cell.units, best.favourable, best.units)
        # In whole numbers: 720 of 1,000 is four fifths of 900 of 1,000, whatever doubles say.
        fair = cell.favourable * best.units >= LEAST_RATIO * best.favourable * cell.units
        verdict = PASS if fair else FLAG if chance < CHANCE else UNSURE
    return Treated(
        level=cell.level,
        units=cell.units,
        favourable=rate,
        low=low,
        high=high,
        ratio=ratio,
        chance=chance,
        mean_probability=None if cell.expected is None else cell.expected / cell.units,
        observed=None if cell.events is None else cell.events / cell.units,
        observed_low=seen and seen[0],
        observed_high=seen and seen[1],
        verdict=verdict,
    )


def two_rates(count: int, of: int, other: int, of_other: int) -> float:
    """How often chance alone parts two equal rates so far: the two-sided test of two proportions, pooled.

    >>> round(two_rates(15, 50, 25, 50), 4)
    0.0412
    """
    pooled = (count + other) / (of + of_other)
    error = math.sqrt(pooled * (1 - pooled) * (1 / of + 1 / of_other))
    return 1.0 if error == 0 else math.erfc(abs(count / of - other / of_other) / error / math.sqrt(2))


def favourable(grades: Sequence[str], purpose: str, method: str) -> tuple[str, ...]:
    """The grades that are good for the customer, of grades from the lowest chance (or amount) to the highest.

    Of a risk, the lower half and the middle one; of an offer or an amount, the upper half and the middle one.

    >>> favourable("ABCDE", "risk", "scorecard"), favourable("ABCDE", "marketing", "scorecard")
    (('A', 'B', 'C'), ('C', 'D', 'E'))
    """
    half = (len(grades) + 1) // 2
    upper = purpose == "marketing" or method == "expression"
    return tuple(grades[-half:] if upper else grades[:half])
