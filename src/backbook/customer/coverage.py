"""How far each tag reaches: who has it, who has not, of whom it is not known, and whether that is as it was.

Unknown is not false and is counted apart. The drift is the stability index over the three of them against the last
month-end: a source that ran dry shows as unknown long before anybody misses the tag.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from backbook.customer.drift import drift, psi
from backbook.customer.tags import Tag
from backbook.engine import Engine

TABLE = "tag_coverage"
SCHEMA = pa.schema([
    ("tag", pa.string()), ("grain", pa.string()), ("units", pa.int64()), ("held", pa.int64()),
    ("not_held", pa.int64()), ("unknown", pa.int64()), ("share", pa.float64()), ("share_before", pa.float64()),
    ("change", pa.float64()), ("psi", pa.float64()), ("drift", pa.string()),
])  # fmt: skip


class Count(NamedTuple):
    """Units that have a tag, that have it not, and of whom it is not known."""

    held: int
    not_held: int
    unknown: int

    @property
    def share(self) -> float | None:
        """Of all units, those that have the tag; None where it is known of nobody."""
        return self.held / sum(self) if self.held + self.not_held else None


def tag_coverage(
    engine: Engine, tags: Sequence[Tag], profiles: Mapping[str, Any], last_profiles: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A row per tag that the profiles have, in the order of the tags; the profiles are tables by grain."""
    now, before = (_by_grain(engine, tags, tables) for tables in (profiles, last_profiles))
    return [coverage(tag.id, tag.grain, now[tag.id], before.get(tag.id)) for tag in tags if tag.id in now]


def coverage(tag: str, grain: str, now: Count, before: Count | None = None) -> dict[str, Any]:
    """One row of the table.

    >>> row = coverage("young", "customer", Count(30, 60, 10), Count(20, 70, 10))
    >>> row["share"], row["share_before"], round(row["change"], 6), round(row["psi"], 6), row["drift"]
    (0.3, 0.2, 0.1, 0.055962, 'stable')
    """
    share, share_before = now.share, before.share if before else None
    both = before is not None and sum(before) > 0 and sum(now) > 0
    index = psi(before, now) if both else None  # type: ignore[arg-type]
    return {
        "tag": tag,
        "grain": grain,
        "units": sum(now),
        **now._asdict(),
        "share": share,
        "share_before": share_before,
        "change": None if share is None or share_before is None else share - share_before,
        "psi": index,
        "drift": None if index is None else drift(index),
    }


def _by_grain(engine: Engine, tags: Iterable[Tag], tables: Mapping[str, Any]) -> dict[str, Count]:
    found: dict[str, Count] = {}
    for grain, table in tables.items():
        here = [tag.id for tag in tags if tag.grain == grain and tag.id in table.columns]
        found |= counted(engine, table, here) if here else {}
    return found


def counted(engine: Engine, table: Any, columns: Sequence[str]) -> dict[str, Count]:
    """How many units have each yes/no column, in one pass over the table."""
    values = {column: table[column].cast("boolean") for column in columns}
    counts = {f"held {column}": value.sum() for column, value in values.items()}
    counts |= {f"known {column}": value.count() for column, value in values.items()}
    row = engine.rows(table.aggregate(units=table.count(), **counts))[0]
    found = {}
    for column in columns:
        held, known = row[f"held {column}"] or 0, row[f"known {column}"]
        found[column] = Count(held, known - held, row["units"] - known)
    return found
