"""What the customer room reads: the rows of the lake's tables as they were known on a day.

A `Reader` pins one head of the lake. Whoever measures, at whatever date, asks it and nothing else, so that a
profile of last March cannot see anything later.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import ibis
import pyarrow.parquet

from backbook.engine import Engine
from backbook.lake import Head
from backbook.sources import known

WIDE = "attribute."


class Reader:
    """The tables of one head, as known on any day.

    `who` is the identity by which everything is read, of past days too: had two records always been known as one
    person, the profile of last March would be that person's.
    """

    def __init__(self, engine: Engine, head: Head, who: Any | None = None) -> None:
        self.engine = engine
        self.head = head
        self.who = who
        self._first_days: dict[str, date | None] = {}
        self._filled: dict[str, frozenset[str]] = {}
        self._days: dict[str, list[date]] = {}

    def rows(self, table: str, known_by: date) -> Any | None:
        """The rows of a table that count at `known_by`; None when the bank does not deliver it."""
        return known.known(self.engine, self.head, table, known_by)

    def told(self, table: str, after: date, known_by: date) -> Any | None:
        """All that a table said after a day and by another, corrected rows beside those they correct (see `known`)."""
        rows = known.versions(self.engine, self.head, table, known_by)
        if rows is None:
            return None
        return rows.filter(rows.known_on > ibis.literal(after), rows.known_on <= ibis.literal(known_by))

    def next_day(self, table: str, after: date) -> date | None:
        """The first day after another on which the table said anything."""
        if table not in self._days:
            self._days[table] = known.days(self.engine, self.head, table)
        return next((day for day in self._days[table] if day > after), None)

    def first_day(self, table: str) -> date | None:
        """The day from which windows over the table are known."""
        if table not in self._first_days:
            self._first_days[table] = known.first_day(self.engine, self.head, table)
        return self._first_days[table]

    def has(self, table: str) -> bool:
        return self.head.manifest(table) is not None

    def wide_tables(self) -> list[str]:
        return sorted(table for table in self.head.tables if table.startswith(WIDE))

    def filled(self, table: str) -> frozenset[str]:
        """The columns of a table that hold any value at all; the others the bank does not deliver."""
        if table not in self._filled:
            self._filled[table] = frozenset().union(*map(_filled, self.head.files(table)))
        return self._filled[table]

    def wide_table_of(self, columns: frozenset[str]) -> str | None:
        """The wide table that delivers all of these columns."""
        return next((table for table in self.wide_tables() if columns <= self.filled(table)), None)


def _filled(file: Any) -> set[str]:
    """Columns of a Parquet file that are not empty, told from its footer alone."""
    footer = pyarrow.parquet.ParquetFile(file).metadata
    empty: Mapping[str, int] = _nulls(footer)
    return {column for column, nulls in empty.items() if nulls < footer.num_rows}


def _nulls(footer: Any) -> dict[str, int]:
    nulls: dict[str, int] = {}
    for group in range(footer.num_row_groups):
        for place in range(footer.num_columns):
            column = footer.row_group(group).column(place)
            counted = column.statistics.null_count if column.statistics and column.statistics.has_null_count else 0
            nulls[column.path_in_schema] = nulls.get(column.path_in_schema, 0) + counted
    return nulls
