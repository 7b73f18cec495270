"""Whether a score still spreads over the book as it did: the population stability index (PSI).

PSI = Σ (a - e) ln(a / e) over ten bands that held equal shares before (Lewis 1994; below 0.10 stable, to 0.25
watch, above act: a convention). Chance alone gives about (bands - 1) (1/n + 1/m), so that is shown beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import log
from typing import Any

import ibis

from backbook.engine import Engine
from backbook.outcome.figures import Grid

BANDS = 10

# An empty band counts as half a unit, else its logarithm is not finite.
EMPTY = 0.5

STABLE, ACT = 0.10, 0.25


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


def shift(engine: Engine, before: Any, now: Any, column: str) -> Grid:
    """Units by band of the score, before and now: band, before, now. The bands are tenths of the units before."""
    old, new = before.filter(before[column].notnull()), now.filter(now[column].notnull())
    edges = _edges(engine, old, column)
    if not edges:
        return Grid("shift")
    counted_before, counted_now = _counts(engine, old, column, edges), _counts(engine, new, column, edges)
    names = _names(edges)
    rows = tuple(
        {"band": name, "before": counted_before.get(number, 0), "now": counted_now.get(number, 0)}
        for number, name in enumerate(names)
    )
    return Grid("shift", rows)


def _edges(engine: Engine, table: Any, column: str) -> list[Any]:
    """Upper ends of the tenths, as values that occur; fewer where many units share a value."""
    tenths = table.select(value=table[column], tenth=ibis.ntile(BANDS).over(order_by=table[column]))
    ends = engine.rows(tenths.group_by("tenth").agg(upper=tenths.value.max()).order_by("tenth"))
    return sorted({row["upper"] for row in ends})[:-1]


def _counts(engine: Engine, table: Any, column: str, edges: Sequence[Any]) -> dict[int, int]:
    band = ibis.cases(*[(table[column] <= edge, number) for number, edge in enumerate(edges)], else_=len(edges))
    return {row["band"]: row["units"] for row in engine.rows(table.group_by(band=band).agg(units=table.count()))}


def _names(edges: Sequence[Any]) -> list[str]:
    inner = [f"{low}–{high}" for low, high in pairwise(edges)]
    return [f"≤ {edges[0]}", *inner, f"> {edges[-1]}"]
