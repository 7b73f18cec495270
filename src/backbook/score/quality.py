"""How well a score ranks and whether its chances come true, measured on rows that it has not seen.

All ranks are exact: they count pairs, ties as halves. Shares are given with the rows behind them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Chances = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]

BANDS = 10


@dataclass(frozen=True)
class Band:
    """Rows of like chances: how many events were expected and how many came."""

    rows: int
    expected: float
    observed: float


@dataclass(frozen=True)
class Quality:
    """The figures of one score over one set of rows."""

    rows: int
    events: int
    auc: float
    gini: float
    ks: float
    calibration_error: float
    brier: float
    bands: tuple[Band, ...]

    def canonical(self) -> dict[str, Any]:
        return asdict(self) | {"bands": [asdict(band) for band in self.bands]}


def quality(chances: Chances, events: Marks) -> Quality:
    """All figures, to six decimals. Needs at least one event and one other."""
    bands = calibration(chances, events)
    area = auc(chances, events)
    return Quality(
        rows=len(events),
        events=int(events.sum()),
        auc=round(area, 6),
        gini=round(2 * area - 1, 6),
        ks=round(ks(chances, events), 6),
        calibration_error=round(calibration_error(bands), 6),
        brier=round(float(np.mean((chances - events) ** 2)), 6),
        bands=bands,
    )


def auc(chances: npt.NDArray[Any], events: Marks) -> float:
    """The share of pairs (event, other) in which the event has the higher chance; a tie counts half.

    >>> auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    event_counts, other_counts = _by_value(chances, events)
    below = np.cumsum(other_counts) - other_counts
    # Twice the pairs won, in whole numbers; Python's own do not overflow.
    won = sum(
        int(n) * (2 * int(low) + int(same)) for n, low, same in zip(event_counts, below, other_counts, strict=True)
    )
    return won / (2 * int(event_counts.sum()) * int(other_counts.sum()))


def ks(chances: npt.NDArray[Any], events: Marks) -> float:
    """The widest gap between the two distributions (Kolmogorov and Smirnov).

    >>> ks(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.5
    """
    event_counts, other_counts = _by_value(chances, events)
    gap = np.cumsum(event_counts) / event_counts.sum() - np.cumsum(other_counts) / other_counts.sum()
    return float(np.max(np.abs(gap)))


def _by_value(chances: npt.NDArray[Any], events: Marks) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Events and others at each distinct value, from the lowest."""
    values, places = np.unique(chances, return_inverse=True)
    every = np.bincount(places, minlength=len(values))
    event_counts = np.bincount(places[events], minlength=len(values))
    return event_counts, every - event_counts


def calibration(chances: Chances, events: Marks, bands: int = BANDS) -> tuple[Band, ...]:
    """Bands of about equal size, cut only between different chances, from the lowest."""
    order = np.argsort(chances, kind="stable")
    ordered, happened = chances[order], events[order]
    cuts = {int(np.searchsorted(ordered, ordered[len(ordered) * n // bands], side="left")) for n in range(1, bands)}
    edges = [0, *sorted(cuts - {0}), len(ordered)]
    return tuple(
        Band(
            after - first,
            round(float(math.fsum(ordered[first:after]) / (after - first)), 6),
            round(int(happened[first:after].sum()) / (after - first), 6),
        )
        for first, after in itertools.pairwise(edges)
    )


def calibration_error(bands: Sequence[Band]) -> float:
    """The mean gap between expected and observed, each band by its rows."""
    return math.fsum(band.rows * abs(band.expected - band.observed) for band in bands) / sum(
        band.rows for band in bands
    )
