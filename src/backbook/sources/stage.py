"""Rows out of a mapping, typed and judged one by one.

A staged table has the contract's columns, the places (`_file`, `_row`), `_given_on` (the day the bank says it knew),
`_reason` (null for a sound row) and `_id`. Nothing is dropped here: mapped rows = staged rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from backbook.engine import Engine
from backbook.expressions import Expression, Type, parse
from backbook.sources.convert import SQL_TYPES, cleaned, ended, faults, first_reasons, name, quoted, value
from backbook.sources.known import MAPPING
from backbook.sources.read import FILE, KNOWN_ON, ROW
from backbook.sources.table import Column, Table

__all__ = ["FILE", "GIVEN_ON", "ID", "REASON", "ROW", "UNIT", "Horizon", "staged"]

# `_unit` is the file where each file is a delivery of its own (increments), else null.
GIVEN_ON, REASON, ID, UNIT = "_given_on", "_reason", "_id", "_unit"


@dataclass(frozen=True)
class Horizon:
    """The day of the load, and the last day that anything delivered may speak of, in the book's time zone.

    What lies between the two is loaded and waits for its day; what lies after `latest` is a fault.
    """

    day: date
    zone: str
    latest: date

    @classmethod
    def of(cls, day: date, zone: str, latest: date | None = None) -> Horizon:
        """Nobody can deliver what has not happened: `latest` is today, or the day of the load where that is later."""
        today = datetime.now(ZoneInfo(zone)).date()
        return cls(day, zone, max(day, latest or today))


def staged(
    engine: Engine,
    mapped: Any,
    table: Table,
    columns: tuple[Column, ...],
    horizon: Horizon,
    *,
    mapping: str = "",
    increment: bool = False,
) -> Any:
    """The mapped rows with every contract column typed, and the reasons against each row."""
    given = {column.lower(): column for column in mapped.columns}
    texts = [f"{_cleaned(column, given)} AS {name(_text(column))}" for column in columns]
    places = [_place(place, given) for place in (FILE, ROW, KNOWN_ON)]
    typed = [f"{_typed(column, horizon.zone)} AS {name(column.name)}" for column in columns]
    known = next(column for column in columns if column.name == "known_on")
    kept = ", ".join(f"{ended(column, name(column.name))} AS {name(column.name)}" for column in columns)
    keeps = ", ".join(name(_text(column)) for column in columns)
    reasons = first_reasons(_reasons(table, columns, horizon, given))
    given_on = f"coalesce({name(known.name)}, {KNOWN_ON})"
    if known.name in table.key:
        given_on = f"coalesce({given_on}, DATE '{horizon.day}')"
    shown = ", ".join(
        f"{given_on} AS known_on" if column is known and column.name in table.key else name(column.name)
        for column in columns
    )
    text = f"""
        SELECT {shown},
               {FILE}, {ROW}, {FILE if increment else "NULL::VARCHAR"} AS {UNIT}, {quoted(mapping)} AS {MAPPING},
               {given_on} AS {GIVEN_ON}, {reasons} AS {REASON}
        FROM (SELECT {kept}, {keeps}, {FILE}, {ROW}, {KNOWN_ON}
              FROM (SELECT {", ".join(typed)}, {keeps}, {FILE}, {ROW}, {KNOWN_ON}
                    FROM (SELECT {", ".join(texts + places)} FROM m)))"""
    return _with_checks(engine.sql(text, {"m": mapped}), table, columns)


def _text(column: Column) -> str:
    return f"_text_{column.name}"


def _cleaned(column: Column, given: dict[str, str]) -> str:
    return cleaned(given[column.name]) if column.name in given else "NULL::VARCHAR"


def _place(place: str, given: dict[str, str]) -> str:
    types = {FILE: "VARCHAR", ROW: "BIGINT", KNOWN_ON: "DATE"}
    return f"{name(given[place])} AS {place}" if place in given else f"NULL::{types[place]} AS {place}"


def _typed(column: Column, zone: str) -> str:
    return f"({value(column, name(_text(column)), zone)})::{SQL_TYPES[column.type]}"


def _reasons(
    table: Table, columns: tuple[Column, ...], horizon: Horizon, given: dict[str, str]
) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for column in columns:
        if column.name in given or (column.required and column.name != "known_on"):
            pairs += faults(column, name(_text(column)), name(column.name))
    for group_fault in _one_of(table):
        pairs.append(group_fault)
    dated = [table.event, "known_on"] if table.event != "known_on" else ["known_on"]
    for event in dated:
        if event and event in given:
            column = table[event]
            late = f"{name(event)} >= DATE '{horizon.latest + timedelta(days=1)}'"
            label = quoted(f"{event} ({column.zh}) lies after {horizon.latest}: ")
            pairs.append((late, f"{label} || {name(event)}::VARCHAR"))
    return pairs


def _one_of(table: Table) -> list[tuple[str, str]]:
    if not table.one_of:
        return []
    none = " AND ".join(f"({' OR '.join(f'{name(column)} IS NULL' for column in group)})" for group in table.one_of)
    words = " or ".join(" and ".join(group) for group in table.one_of)
    return [(none, quoted(f"neither {words} is given"))]


def _with_checks(rows: Any, table: Table, columns: tuple[Column, ...]) -> Any:
    """Add the contract's checks: a row is at fault when a condition is false, not when it is not known."""
    import ibis

    names = table.names()
    reasons = [rows[REASON]]
    for check in table.checks:
        condition: Expression = parse(check.condition, names, expect=Type.YESNO)
        told = f"{check.en} ({check.zh}; {check.condition})"
        reasons.append(ibis.cases((~condition.ibis(rows), told), else_=ibis.null(str)))
    if len(reasons) == 1:
        return rows
    joined = ibis.literal("; ").join([reason.fill_null("") for reason in reasons]).re_replace("^(; )+|(; )+$", "")
    return rows.mutate(**{REASON: joined.re_replace("(; )+", "; ").nullif("")})
