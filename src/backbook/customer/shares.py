"""How sure a share is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[Any]

# Two-sided 95 %.
Z_95 = 1.959964


def wilson(yes: float, of: float) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927).

    >>> [round(bound, 4) for bound in wilson(8, 20)]
    [0.2188, 0.6134]
    """
    low, high = intervals(np.array([float(yes)]), np.array([float(of)]))
    return float(low[0]), float(high[0])


def intervals(yes: Counts, of: Counts, sure: float = Z_95) -> tuple[Counts, Counts]:
    """The same of many shares, `sure` being the quantile of the normal distribution; from zero to one where none was asked.

    >>> low, high = intervals(np.array([8.0, 0.0]), np.array([10.0, 0.0]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.49, 0.0], [0.943, 1.0])
    """
    rows = np.maximum(of, 1e-9)
    share, square = yes / rows, sure * sure
    middle = share + square / (2 * rows)
    half = sure * np.sqrt(np.maximum(share * (1 - share), 0) / rows + square / (4 * rows * rows))
    whole = 1 + square / rows
    return np.maximum((middle - half) / whole, 0), np.minimum((middle + half) / whole, 1)
