"""One customer at hand: the bank's rows about them alone, each table read once.

It answers like the `Reader` it narrows, so that a feature measured for one customer is measured by the same way as
for the whole book, and is quick to ask often.
"""

from __future__ import annotations

from datetime import date
from functools import reduce
from operator import or_
from typing import Any

import ibis

from backbook.customer.reader import Reader
from backbook.customer.units import Units


class OneCustomer(Reader):
    """The rows that name an account, a line or a record of `whose`; tables of the whole bank stay as they are."""

    def __init__(self, reader: Reader, whose: Units) -> None:
        super().__init__(reader.engine, reader.head, reader.who)
        accounts = self.engine.rows(whose.accounts.select("account_id", "line_id"))
        self.whose = whose
        self.accounts = sorted(row["account_id"] for row in accounts)
        self.lines = sorted({row["line_id"] for row in accounts if row["line_id"] is not None})
        self.records = sorted(
            (row["system"], row["party_id"]) for row in self.engine.rows(whose.parties.select("system", "party_id"))
        )
        self._kept: dict[tuple[str, date], Any | None] = {}

    def rows(self, table: str, known_by: date) -> Any | None:
        if (table, known_by) not in self._kept:
            rows = super().rows(table, known_by)
            self._kept[table, known_by] = None if rows is None else self.engine.cached(self._mine(rows))
        return self._kept[table, known_by]

    def _mine(self, rows: Any) -> Any:
        named = []
        if "account_id" in rows.columns:
            named.append(rows.account_id.isin(self.accounts))
        if "line_id" in rows.columns:
            named.append(rows.line_id.isin(self.lines))
        if {"system", "party_id"} <= set(rows.columns):
            named += [(rows.system == system) & (rows.party_id == party) for system, party in self.records]
        return rows.filter(reduce(or_, named, ibis.literal(False)).fill_null(False)) if named else rows
