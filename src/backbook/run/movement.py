"""What the profiles of a date tell of the book: tags and how far they reach, segments, their sizes and moves.

Written beside the profiles, by each stage that writes them, with the tags and segments that these have. What is
compared is the last month-end's profile as it stands in the lake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from backbook.customer import coverage, moves
from backbook.customer.profile import Profile
from backbook.run.dates import previous_month_end

if TYPE_CHECKING:
    from backbook.run.stages import Way


def write(way: Way, whole: Profile, tables: dict[str, str]) -> None:
    """Replace `tag_coverage`, `segment_size` and `segment_move` of this date; `tables` are the profiles by grain."""
    engine, frozen = way.engine, way.frozen
    before = previous_month_end(way.as_of).isoformat()
    profiles = {grain: whole.at(grain) for grain in tables}
    kept = {grain: way.writer.head.files(table, part=before) for grain, table in tables.items()}
    last = {grain: engine.parquet(files) for grain, files in kept.items() if files}
    sizes = moves.segment_sizes(engine, frozen.segments, profiles)
    moved = moves.segment_moves(engine, frozen.segments, profiles, last)
    covered = coverage.tag_coverage(engine, frozen.tags, profiles, last)
    _write(way, moves.SIZE, sizes, moves.SIZE_SCHEMA, ["segment", "level"])
    _write(way, moves.MOVE, moved, moves.MOVE_SCHEMA, ["segment", "from", "to"])
    _write(way, coverage.TABLE, covered, coverage.SCHEMA, ["tag"])


def _write(way: Way, table: str, rows: list[dict[str, Any]], schema: pa.Schema, order_by: list[str]) -> None:
    way.replace(table, way.engine.table(pa.Table.from_pylist(rows, schema)), order_by)
