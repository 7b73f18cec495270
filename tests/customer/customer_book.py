"""A small book in memory, which answers like a `Reader` and is slow and plain enough to be right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa

from backbook.customer.definition import Feature
from backbook.customer.reading import read_features, read_outcomes
from backbook.definitions import Item
from backbook.engine import Engine
from backbook.expressions import Name, Type
from backbook.sources.contract import TABLES
from backbook.sources.known import COUNTS_FROM, ORDER

ARROW = {
    Type.WHOLE: pa.int64(),
    Type.MONEY: pa.decimal128(18, 2),
    Type.NUMBER: pa.float64(),
    Type.TEXT: pa.string(),
    Type.DATE: pa.date32(),
    Type.TIME: pa.timestamp("us"),
    Type.YESNO: pa.bool_(),
}


class Book:
    """Tables as lists of rows. `known_on` is the event's day unless a row says otherwise."""

    def __init__(
        self,
        engine: Engine,
        tables: Mapping[str, list[dict[str, Any]]],
        *,
        first_days: Mapping[str, date] | None = None,
    ) -> None:
        self.engine = engine
        self.tables = {name: [self._dated(name, row) for row in rows] for name, rows in tables.items()}
        self.first_days = dict(first_days or {})
        # Identity as of a run: system, party_id, customer_id; without one each record is a customer.
        self.who: Any | None = None

    def _dated(self, name: str, row: dict[str, Any]) -> dict[str, Any]:
        event = TABLES[name.partition(".")[0]].event
        return {"known_on": day_of(row.get(event)) if event else None, **row}

    def rows(self, table: str, known_by: date) -> Any | None:
        return self.engine.table(self.arrow(table, known_by)) if table in self.tables else None

    def told(self, table: str, after: date, known_by: date) -> Any | None:
        """What the table said after a day; on paper nothing is corrected on the same day."""
        rows = self.rows(table, known_by)
        if rows is None:
            return None
        rows = rows.mutate(**{COUNTS_FROM: rows.known_on, ORDER: ibis.row_number()})
        return rows.filter(rows.known_on > ibis.literal(after))

    def known(self, table: str, known_by: date) -> list[dict[str, Any]]:
        """The latest row per key of those whose event and known_on are not later."""
        contract = TABLES[table.partition(".")[0]]
        latest: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in sorted(self.tables[table], key=lambda row: row["known_on"] or date.min):
            event = day_of(row.get(contract.event)) if contract.event else None
            if (row["known_on"] or date.min) <= known_by and (event or date.min) <= known_by:
                latest[tuple(row.get(column) for column in contract.key)] = row
        return list(latest.values())

    def arrow(self, table: str, known_by: date) -> pa.Table:
        contract = TABLES[table.partition(".")[0]]
        rows = self.known(table, known_by)
        columns = {column.name: ARROW[column.type] for column in contract.public}
        columns |= {column.stored: pa.string() for column in contract.private if column.private == "document"}
        for row in self.tables[table]:
            columns |= {name: _type(row[name]) for name in row if name not in columns and row[name] is not None}
        schema = pa.schema(list(columns.items()))
        return pa.Table.from_pylist(
            [{name: _exact(row.get(name), kind) for name, kind in columns.items()} for row in rows], schema
        )

    def first_day(self, table: str) -> date | None:
        event = TABLES[table.partition(".")[0]].event
        days = [day_of(row[event]) for row in self.tables.get(table, []) if event and row.get(event)]
        return self.first_days.get(table, min(days, default=None))

    def has(self, table: str) -> bool:
        return table in self.tables

    def wide_tables(self) -> list[str]:
        return sorted(table for table in self.tables if table.startswith("attribute."))

    def filled(self, table: str) -> frozenset[str]:
        return frozenset(name for row in self.tables[table] for name, value in row.items() if value is not None)

    def wide_table_of(self, columns: frozenset[str]) -> str | None:
        return next((table for table in self.wide_tables() if columns <= self.filled(table)), None)


def day_of(moment: Any) -> Any:
    return moment.date() if isinstance(moment, datetime) else moment


def _exact(value: Any, kind: pa.DataType) -> Any:
    return Decimal(str(value)).quantize(Decimal("0.01")) if value is not None and pa.types.is_decimal(kind) else value


def _type(value: Any) -> pa.DataType:
    return {
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        Decimal: pa.decimal128(18, 2),
        date: pa.date32(),
    }.get(type(value), pa.string())


# ── rows and definitions, short ─────────────────────────────────────────────────────────────────────────────

_NUMBERS = iter(range(10**9))


def account(account_id: str, party_id: str | None = None, **more: Any) -> dict[str, Any]:
    row = {
        "account_id": account_id,
        "system": "core",
        "party_id": party_id or f"p-{account_id}",
        "opened_on": date(2019, 1, 1),
    }
    return row | {"known_on": date(2019, 1, 1)} | more


def tx(
    at: str, amount: Any, account_id: str = "a", *, kind: str = "purchase", id: str | None = None, **more: Any
) -> dict[str, Any]:
    moment = datetime.fromisoformat(at)
    return {
        "transaction_id": id or f"x{next(_NUMBERS):09}",
        "account_id": account_id,
        "posted_at": moment,
        "amount": amount,
        "kind": kind,
        **more,
    }


def statement(on: str, closing_balance: Any, account_id: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "statement_on": date.fromisoformat(on),
        "closing_balance": closing_balance,
        **more,
    }


def feature(id: str = "f", **more: Any) -> Item:
    return Item("feature", id, {"id": id, "zh": f"特征{id}", "en": id, **more}, "features.yaml", {"": 1})


def features(items: list[Item], *, outcome: bool = False) -> list[Feature]:
    found, faults = (read_outcomes if outcome else read_features)(items, TABLES)
    assert not faults, [str(fault) for fault in faults]
    return found


@dataclass(frozen=True)
class Declared:
    """An attribute as sources/attributes.yaml declares it."""

    id: str
    type: Type
    grain: str
    zh: str
    purpose: str
    valid_days: int | None

    @property
    def name(self) -> Name:
        return Name(self.id, self.type, self.zh, self.id)


def attribute(
    id: str, type: Type, *, grain: str = "account", zh: str = "", purpose: str = "both", valid_days: int | None = None
) -> Declared:
    return Declared(id, type, grain, zh or f"属性{id}", purpose, valid_days)
