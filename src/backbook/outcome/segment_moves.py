"""Who moved between the levels of a segment since the last month-end, as it is shown.

Reads what each date keeps of itself (`customer.moves`); a lake that was profiled before it did says so in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backbook.customer.moves import ABSENT, MOVE, NO_LEVEL
from backbook.engine import Engine
from backbook.outcome.figures import Grid, Text, needs

NO_MONTH_BEFORE = Text(
    "不可用：需要上月末的画像，且其中已有此客群",
    "not available: needs the profile of the last month-end with this segment in it",
)
ENDS = {
    ABSENT: (Text("（新进）", "(joined)"), Text("（离开）", "(left)")),
    NO_LEVEL: (Text("（无层级）", "(no level)"),) * 2,
}


def segment_moves(engine: Engine, moves: Any, segment: str, levels: Mapping[str, Text]) -> Grid:
    """The matrix of one segment: from, to, units, share of `from`; levels in their order, then what is at their ends."""
    id = f"{MOVE}.{segment}"
    if moves is None:
        return Grid(id, needs=needs(MOVE))
    rows = engine.rows(moves.filter(moves.segment == segment))
    if not rows:
        return Grid(id, needs=NO_MONTH_BEFORE)
    seen = {row[side] for row in rows for side in ("from", "to")}
    order = [*levels, *sorted(seen - set(levels) - set(ENDS)), NO_LEVEL, ABSENT]
    rows.sort(key=lambda row: (order.index(row["from"]), order.index(row["to"])))
    return Grid(id, tuple(
        {
            "from": _word(row["from"], levels, 0), "to": _word(row["to"], levels, 1),
            "units": row["units"], "share": row["share"], "stayed": row["from"] == row["to"],
        }
        for row in rows
    ))  # fmt: skip


def _word(level: str, levels: Mapping[str, Text], side: int) -> Text:
    if level in levels:
        return levels[level]
    return ENDS[level][side] if level in ENDS else Text(level, level)
