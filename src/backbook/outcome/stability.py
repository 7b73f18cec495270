"""Whether a score still spreads over the book as it did: units by tenths of the last run, then and now.

How far the two differ is the population stability index (`customer.drift`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import ibis

from backbook.engine import Engine
from backbook.outcome.figures import Grid

BANDS = 10


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
