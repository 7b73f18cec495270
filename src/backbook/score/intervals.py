"""How sure a figure is: intervals and bounds of rates, ranks and calibration, from counts alone.

Rows come as counts by distinct value, from the lowest: so many events and so many others at each.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from backbook.customer.drift import BEYOND

Floats = npt.NDArray[np.float64]
Wholes = npt.NDArray[np.int64]

# Of a 95 % interval.
Z = NormalDist().inv_cdf(0.975)


def least_difference(yes: float, of: int, yes_now: float, of_now: int, beyond: float = BEYOND) -> float:
    """The difference of two shares that chance alone exceeds in a share of `beyond` (two-sided, pooled).

    >>> round(least_difference(50, 1000, 50, 1000), 4)
    0.0321
    """
    # Half a unit on each side: a share of none or all is not known for sure.
    pooled = (yes + yes_now + 0.5) / (of + of_now + 1)
    return NormalDist().inv_cdf(1 - beyond / 2) * math.sqrt(pooled * (1 - pooled) * (1 / of + 1 / of_now))


def auc_of(events: Wholes, others: Wholes) -> tuple[float, float]:
    """The area and its standard error (DeLong, DeLong & Clarke-Pearson 1988).

    >>> [round(each, 4) for each in auc_of(np.array([0, 1, 1]), np.array([2, 1, 0]))]
    [0.9167, 0.1179]
    """
    m, n = int(events.sum()), int(others.sum())
    below = np.cumsum(others) - others
    above = m - np.cumsum(events)
    # What share of the other kind each row wins against; a tie counts half.
    of_event = (below + others / 2) / n
    of_other = (above + events / 2) / m
    area = float((events * of_event).sum() / m)
    spread_events = float((events * (of_event - area) ** 2).sum() / max(m - 1, 1))
    spread_others = float((others * (of_other - area) ** 2).sum() / max(n - 1, 1))
    return area, math.sqrt(spread_events / m + spread_others / n)


def auc_error(area: float, events: int, others: int) -> float:
    """The standard error of an area of which only the sizes are known (Hanley & McNeil 1982, eq. 2)."""
    twice_event, twice_other = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (events - 1) * (twice_event - area**2) + (others - 1) * (twice_other - area**2)
    return math.sqrt(max(spread, 0.0) / (events * others))


def ks_of(events: Wholes, others: Wholes) -> tuple[float, float]:
    """The widest gap and its standard error, as if the value at which it lies were fixed beforehand.

    >>> [round(each, 4) for each in ks_of(np.array([0, 5, 5]), np.array([5, 5, 0]))]
    [0.5, 0.1581]
    """
    m, n = int(events.sum()), int(others.sum())
    of_events, of_others = np.cumsum(events) / m, np.cumsum(others) / n
    place = int(np.argmax(np.abs(of_events - of_others)))
    a, b = float(of_events[place]), float(of_others[place])
    return abs(a - b), math.sqrt(a * (1 - a) / m + b * (1 - b) / n)


def slope_of(chances: Floats, events: Wholes, others: Wholes) -> tuple[float, float] | None:
    """By how much the log odds must be stretched to come true (1 is right; Cox 1958), and its standard error.

    Nothing where the chances do not differ, or so few rows that no finite slope fits.
    """
    clipped = np.clip(chances, 1e-6, 1 - 1e-6)
    odds = np.log(clipped / (1 - clipped))
    rows = (events + others).astype(np.float64)
    if len(np.unique(odds)) < 2:
        return None
    columns = np.column_stack([np.ones_like(odds), odds])
    fitted = np.array([0.0, 1.0])
    for _ in range(50):
        expected = 1 / (1 + np.exp(-np.clip(columns @ fitted, -30, 30)))
        curvature = columns.T @ (columns * (rows * expected * (1 - expected))[:, None])
        if not np.isfinite(curvature).all() or abs(np.linalg.det(curvature)) < 1e-9:
            return None
        step = np.linalg.solve(curvature, columns.T @ (events - rows * expected))
        fitted = fitted + np.clip(step, -2, 2)
        if float(np.abs(step).max()) < 1e-9:
            return float(fitted[1]), float(np.sqrt(np.linalg.inv(curvature)[1, 1]))
    return None


def top_tenth(events: Wholes, others: Wholes) -> tuple[float, float]:
    """Rows in the highest tenth and the events among them; of rows that share its lowest value, their part.

    >>> top_tenth(np.array([0, 1, 1]), np.array([16, 1, 1]))
    (2.0, 1.0)
    """
    rows = (events + others)[::-1]
    asked = float(rows.sum()) / 10
    before = np.cumsum(rows) - rows
    part = np.clip((asked - before) / np.maximum(rows, 1), 0, 1)
    return asked, float((events[::-1] * part).sum())
