"""What customers asked of us about their data: that their tags be deleted, that nothing be made for them in person.

Both are `ruling` lines (delete_tags, non_personalised) about a record or a customer. They bind every run from the day
they are known, also one that is made for an earlier date: a run of tonight must not bring back what was deleted this
morning. A customer's records speak for each other: after a merge the wish of one holds for all (PIPL 24 and 47;
Regulation on Network Data Security 2025, art. 42).
"""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import pyarrow as pa

from backbook.customer.reader import Reader
from backbook.sources.rulings import sides

# kind of ruling → the yes/no column of both profiles
WISHES = {"delete_tags": "tags_deleted", "non_personalised": "non_personalised"}


def wishes(reader: Reader, parties: Any) -> Any:
    """customer_id, tags_deleted, non_personalised: only the customers who asked for anything.

    `parties` has system, party_id and customer_id.
    """
    told = _told(reader)
    engine = reader.engine
    names = engine.table(pa.table({
        "name": pa.array([name for name, _ in told], pa.string()),
        "kind": pa.array([kind for _, kind in told], pa.string()),
    }))  # fmt: skip
    records = parties.select("customer_id", name=parties.system + ":" + parties.party_id)
    asked = records.union(parties.select("customer_id", name="customer_id")).join(names, "name")
    return engine.cached(
        asked.group_by("customer_id").agg(**{column: (asked.kind == kind).any() for kind, column in WISHES.items()})
    )


def _told(reader: Reader) -> list[tuple[str, str]]:
    """(record or customer, kind) of every wish that the lake knows, of whatever day."""
    rows = reader.rows("ruling", date.max)
    if rows is None:
        return []
    found = reader.engine.rows(rows.filter(rows.kind.isin(list(WISHES))).select("kind", "subject"))
    return sorted({(name, row["kind"]) for row in found for side in sides(row["subject"]) for name in side})


def with_wishes(table: Any, asked: Any) -> Any:
    """The units, each beside what its customer asked for."""
    asked = asked.rename(_asker="customer_id")
    joined = table.left_join(asked, table.customer_id == asked["_asker"]).drop("_asker")
    return joined.mutate(**{column: joined[column].fill_null(False) for column in WISHES.values()})


def deleted(rows: Any) -> Any:
    """Whether the personal tags of a row's customer were deleted; of rows that say nothing about it, no."""
    return rows["tags_deleted"] if "tags_deleted" in rows.columns else ibis.literal(False)
