"""Chance that belongs to someone: every draw is a hash of (seed, purpose, month, who, draw).

Nothing is drawn from a stream, so nothing depends on the order of events. Ask twice and the answer is the
same; let the bank decide otherwise for one customer and all others live the same life (common random
numbers). A part of the customers draws what it would have drawn within the whole.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_MASK = (1 << 64) - 1
_WHO = np.uint64(0x9E3779B97F4A7C15)
_DRAW = np.uint64(0xD1B54A32D192ED03)


class Chance:
    """All chance of one made-up world.

    >>> world = Chance(seed=1)
    >>> bool(world.uniform("spend", np.array([7]), month=3)[0] == world.uniform("spend", np.array([5, 7]), month=3)[1])
    True
    """

    def __init__(self, seed: int, future: int = 0) -> None:
        """`future` 0 is what happens; any other is another life from any month on, of the same people."""
        self.seed, self.future = seed, future

    def bits(self, purpose: str, who: Array, *, month: int = 0, draw: Array | int | None = None) -> Array:
        """64 bits for each of `who` (whole numbers), as unsigned integers."""
        base = np.uint64(_purpose(self.seed, purpose, month, self.future if month else 0))
        mixed = _mix(np.asarray(who).astype(np.uint64) * _WHO + base)
        if draw is None:
            return mixed
        steps = np.asarray(draw).astype(np.uint64).reshape(-1) * _DRAW
        return _mix(mixed + steps)

    def uniform(self, purpose: str, who: Array, *, month: int = 0, draw: Array | int | None = None) -> Array:
        """Numbers in [0, 1)."""
        return (self.bits(purpose, who, month=month, draw=draw) >> np.uint64(11)) * 2.0**-53

    def normal(self, purpose: str, who: Array, *, month: int = 0, draw: Array | int | None = None) -> Array:
        """Standard normal numbers, from a table of 65,536 quantiles."""
        drawn: Array = _quantiles()[self.bits(purpose, who, month=month, draw=draw) >> np.uint64(48)]
        return drawn

    def happens(
        self, probability: Array | float, purpose: str, who: Array, *, month: int = 0, draw: int | None = None
    ) -> Array:
        return self.uniform(purpose, who, month=month, draw=draw) < probability

    def whole(
        self, below: Array | int, purpose: str, who: Array, *, month: int = 0, draw: Array | int | None = None
    ) -> Array:
        """Whole numbers from 0 to `below` - 1."""
        drawn = self.uniform(purpose, who, month=month, draw=draw) * below
        return drawn.astype(np.int64)

    def pick(
        self, weights: Array | list[float], purpose: str, who: Array, *, month: int = 0, draw: Array | int | None = None
    ) -> Array:
        """Positions in a list of weights that all of `who` share."""
        bounds = np.cumsum(weights) / np.sum(weights)
        drawn = self.uniform(purpose, who, month=month, draw=draw)
        return np.minimum(np.searchsorted(bounds, drawn, side="right"), len(bounds) - 1)

    def count(self, mean: Array, purpose: str, who: Array, *, month: int = 0, at_most: int = 60) -> Array:
        """Poisson counts by inversion: the more expected, the more for the same luck."""
        drawn = self.uniform(purpose, who, month=month)
        term = np.exp(-mean)
        reached = term.copy()
        found = np.zeros(len(mean), np.int64)
        for k in range(1, at_most + 1):
            above = drawn >= reached
            if not above.any():
                break
            found += above
            term = term * mean / k
            reached = reached + term
        return found

    def shuffled(self, purpose: str, who: Array, *, bits: int) -> Array:
        """A one-to-one scramble of whole numbers below 2**bits (`bits` even): ids that tell nothing.

        A Feistel network, so that no two of `who` meet in one number.
        """
        half = np.uint64(bits // 2)
        mask = np.uint64((1 << (bits // 2)) - 1)
        left, right = np.asarray(who).astype(np.uint64) >> half, np.asarray(who).astype(np.uint64) & mask
        for turn in range(4):
            left, right = right, left ^ (self.bits(purpose, right, draw=turn) & mask)
        return ((left << half) | right).astype(np.int64)


@cache
def _purpose(seed: int, purpose: str, month: int, future: int) -> int:
    name = f"{seed}/{purpose}/{month}" + (f"/{future}" if future else "")
    digest = blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") & _MASK


@cache
def _quantiles() -> Array:
    normal = NormalDist()
    return np.array([normal.inv_cdf((k + 0.5) / 65536) for k in range(65536)])


def _mix(x: Array) -> Array:
    # The finaliser of SplitMix64 (Steele, Lea & Flood 2014); `x` is ours to change.
    x = np.atleast_1d(x)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x
