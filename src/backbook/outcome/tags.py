"""How far each tag reaches and whether that is as it was a month before, as it is shown.

Reads `tag_coverage` (see `customer.coverage`). Tags of which nothing is known of anybody stand apart: they are not
tags that nobody has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backbook.customer.coverage import TABLE
from backbook.engine import Engine
from backbook.outcome.figures import Grid, Row, Text, needs


def tag_grids(engine: Engine, coverage: Any, names: Mapping[str, Text]) -> list[Grid]:
    """`tags`: tag, grain, units, held, unknown, share, before, change, psi, drift; `tags_unknown`: tag, grain, units.

    In the order of `names`, which is that of the definitions.
    """
    if coverage is None:
        return [Grid(id, needs=needs(TABLE)) for id in ("tags", "tags_unknown")]
    order = {id: place for place, id in enumerate(names)}
    rows = sorted(engine.rows(coverage), key=lambda row: (order.get(row["tag"], len(order)), row["tag"]))
    known = [row for row in rows if row["share"] is not None]
    return [
        Grid("tags", tuple(_told(row, names) for row in known)),
        Grid("tags_unknown", tuple(_told(row, names) for row in rows if row not in known)),
    ]


def _told(row: Row, names: Mapping[str, Text]) -> dict[str, Any]:
    return {**row, "tag": names.get(row["tag"], Text(row["tag"], row["tag"])), "before": row["share_before"]}
