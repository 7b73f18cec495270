"""How large each level of a segment is, and who moved from one to another since the last month-end.

The matrix of moves is whole: who is new comes from `-`, who is gone goes to `-`, and a unit without a level stands
under `?`, so that the shares of each level that units come from add up to one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ibis
import pyarrow as pa

from backbook.customer.profile import KEY
from backbook.customer.segments import Partition
from backbook.engine import Engine

SIZE, MOVE = "segment_size", "segment_move"
ABSENT, NO_LEVEL = "-", "?"
SIZE_SCHEMA = pa.schema([
    ("segment", pa.string()), ("grain", pa.string()), ("level", pa.string()), ("units", pa.int64()),
    ("share", pa.float64()),
])  # fmt: skip
MOVE_SCHEMA = pa.schema([
    ("segment", pa.string()), ("grain", pa.string()), ("from", pa.string()), ("to", pa.string()),
    ("units", pa.int64()), ("share", pa.float64()),
])  # fmt: skip


def segment_sizes(engine: Engine, segments: Sequence[Partition], profiles: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row per level of each segment that the profiles have, empty levels among them; `share` of all units."""
    found = []
    for segment in segments:
        if not _has(profiles, segment):
            continue
        counted = profiles[segment.grain].group_by(level=_level(profiles, segment)).agg(units=ibis._.count())
        units = {row["level"]: row["units"] for row in engine.rows(counted)}
        total = sum(units.values())
        named = [level.code for level in segment.levels]
        found += [
            {
                "segment": segment.id,
                "grain": segment.grain,
                "level": level,
                "units": units.get(level, 0),
                "share": units.get(level, 0) / total if total else None,
            }
            for level in [*named, *sorted(set(units) - set(named))]
        ]
    return found


def segment_moves(
    engine: Engine, segments: Sequence[Partition], profiles: Mapping[str, Any], last_profiles: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A row per pair of levels between which units moved, or in which they stayed; `share` of those in `from`.

    A segment that one of the two profiles has not is left out: of its moves nothing is known.
    """
    found = []
    for grain in profiles:
        here = [each for each in segments if each.grain == grain and _has(profiles, each) and _has(last_profiles, each)]
        if here:
            both = engine.cached(_side_by_side(here, profiles, last_profiles))
            found += [row for segment in here for row in _moved(engine, segment, both)]
    return found


def _has(profiles: Mapping[str, Any], segment: Partition) -> bool:
    return segment.grain in profiles and segment.id in profiles[segment.grain].columns


def _level(profiles: Mapping[str, Any], segment: Partition) -> Any:
    return ibis.coalesce(profiles[segment.grain][segment.id].cast("string"), NO_LEVEL)


def _side_by_side(segments: Sequence[Partition], profiles: Mapping[str, Any], last_profiles: Mapping[str, Any]) -> Any:
    """Every unit of either date with its levels then (`from x`) and now (`to x`); `-` where it was not there."""
    key = KEY[segments[0].grain]
    tables = {"from": last_profiles, "to": profiles}
    then, now = (
        table[segments[0].grain].select(
            **{f"{side} key": table[segments[0].grain][key]},
            **{f"{side} {segment.id}": _level(table, segment) for segment in segments},
        )
        for side, table in tables.items()
    )
    both = then.outer_join(now, then["from key"] == now["to key"])
    names = [f"{side} {segment.id}" for side in tables for segment in segments]
    return both.select(**{name: ibis.coalesce(both[name], ABSENT) for name in names})


def _moved(engine: Engine, segment: Partition, both: Any) -> list[dict[str, Any]]:
    counted = both.group_by(**{"from": both[f"from {segment.id}"], "to": both[f"to {segment.id}"]})
    rows = engine.rows(counted.agg(units=ibis._.count()).order_by(["from", "to"]))
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["from"]] = totals.get(row["from"], 0) + row["units"]
    return [
        {"segment": segment.id, "grain": segment.grain, **row, "share": row["units"] / totals[row["from"]]}
        for row in rows
    ]
