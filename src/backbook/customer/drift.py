"""Whether something is still spread over the book as it was: the population stability index (PSI).

PSI = Σ (a - e) ln(a / e) over bands (Lewis 1994; below 0.10 stable, to 0.25 watch, above act: a convention).
Chance alone gives about (bands - 1) (1/n + 1/m), so that is shown beside it where samples are small; in units of
(1/n + 1/m) it is a chi-square with (bands - 1) degrees of freedom (Yurdakul & Naranjo 2020), which gives a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

# An empty band counts as half a unit, else its logarithm is not finite.
EMPTY = 0.5

STABLE, ACT = 0.10, 0.25

# A book is watched in dozens of columns each month: one of a thousand may be told by chance.
BEYOND = 0.001


def psi(before: Sequence[float], now: Sequence[float]) -> float:
    """
    >>> expected = [10] * 10
    >>> round(psi(expected, [8, 9, 9, 10, 10, 10, 10, 11, 11, 12]), 6)
    0.012123
    >>> round(psi(expected, [2, 4, 5, 7, 9, 11, 13, 15, 16, 18]), 5)
    0.33446
    """
    old, new = _shares(before), _shares(now)
    return sum((a - e) * log(a / e) for e, a in zip(old, new, strict=True))


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts)
    return [(count or EMPTY) / total for count in counts]


def psi_by_chance(bands: int, before: int, now: int) -> float:
    """What two samples of the same population would show on average."""
    return (bands - 1) * (1 / before + 1 / now)


def psi_bound(bands: int, before: int, now: int, beyond: float = BEYOND) -> float:
    """What two samples of the same population stay under, but for a share of `beyond`.

    >>> round(psi_bound(10, 1000, 1000, 0.05), 4), round(psi_bound(10, 1000, 1000), 4)
    (0.0338, 0.0558)
    """
    from scipy.special import chdtri

    return float(chdtri(max(bands - 1, 1), beyond)) * (1 / before + 1 / now)


def drift(index: float) -> str:
    """What the index asks for: stable, watch or act.

    >>> [drift(index) for index in (0.0999, 0.10, 0.25, 0.2501)]
    ['stable', 'watch', 'watch', 'act']
    """
    return "stable" if index < STABLE else "watch" if index <= ACT else "act"
