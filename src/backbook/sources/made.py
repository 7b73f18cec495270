"""Accounts made for people whom the bank knows without accounts: one for each person, marked as made.

Where a bank maps no `account`, its wide tables, party records and facts still speak of somebody. A row that names an
account gives an account of that name; a row that names a person gives the account `SYSTEM:PARTY`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backbook.engine import Engine
from backbook.sources.convert import name, quoted
from backbook.sources.known import MAPPING
from backbook.sources.stage import FILE, GIVEN_ON, ID, REASON, ROW, UNIT, Horizon
from backbook.sources.table import Table

MADE = "account.made"
# The system of an account of which only its number is known.
SYSTEM = "made"


def account_id(system: str = "system", party_id: str = "party_id") -> str:
    """SQL for the account made for a person."""
    return f"{system} || ':' || {party_id}"


def made_accounts(
    engine: Engine, account: Table, staged: Iterable[tuple[Table, Any]], old: Any | None, horizon: Horizon
) -> Any:
    """One staged account row for each person that the staged rows name and the lake does not have."""
    parts, tables = [], {}
    for place, (table, rows) in enumerate(staged):
        part = _people(table, rows, f"t{place}", horizon)
        if part:
            tables[f"t{place}"] = rows
            parts.append(part)
    if not parts:
        return None
    if old is not None:
        tables["o"] = old
    known = "WHERE account_id NOT IN (SELECT account_id FROM o)" if old is not None else ""
    own = {
        "account_id": "account_id",
        # A row that names the person knows more than one that names only the account.
        "system": f"coalesce(min(system) FILTER (WHERE system <> {quoted(SYSTEM)}), {quoted(SYSTEM)})",
        "party_id": f"coalesce(min(party_id) FILTER (WHERE system <> {quoted(SYSTEM)}), min(party_id))",
        "is_made": "true",
        "known_on": "NULL::DATE",
    }
    types = {column.name: engine_type for column, engine_type in _types(account)}
    columns = ", ".join(f"{own.get(c.name, f'NULL::{types[c.name]}')} AS {name(c.name)}" for c in account)
    return engine.cached(
        engine.sql(
            f"""SELECT {columns}, NULL::VARCHAR AS {FILE}, NULL::BIGINT AS {ROW}, NULL::VARCHAR AS {UNIT},
                       {quoted(MADE)} AS {MAPPING}, min(day) AS {GIVEN_ON}, NULL::VARCHAR AS {REASON}
                FROM ({" UNION ALL ".join(parts)}) {known} GROUP BY account_id ORDER BY account_id""",
            tables,
        ),
        row_column=ID,
    )


def _types(account: Table) -> Iterable[tuple[Any, str]]:
    from backbook.sources.convert import SQL_TYPES

    return ((column, SQL_TYPES[column.type]) for column in account)


def _people(table: Table, rows: Any, alias: str, horizon: Horizon) -> str | None:
    columns = set(rows.columns)
    latest = f"DATE '{horizon.day}'"
    event = (
        f"least({name(table.event)}::DATE, {latest})"
        if table.event and table.event != "known_on" and table.form == "fact"
        else latest
    )
    day = f"coalesce({GIVEN_ON}, {event})"
    whom = "account_id IS NOT NULL" if "account_id" in columns else "party_id IS NOT NULL AND system IS NOT NULL"
    if {"account_id", "system", "party_id"} <= columns:
        whole = f"coalesce(account_id, {account_id()})"
        return (
            f"SELECT {whole} AS account_id, coalesce(system, {quoted(SYSTEM)}) AS system, coalesce(party_id, account_id) AS party_id, "
            f"{day} AS day FROM {alias} WHERE {REASON} IS NULL AND {whole} IS NOT NULL"
        )
    if "account_id" in columns:
        return (
            f"SELECT account_id, {quoted(SYSTEM)} AS system, account_id AS party_id, {day} AS day FROM {alias} "
            f"WHERE {REASON} IS NULL AND {whom}"
        )
    if table.name == "party":
        return f"SELECT {account_id()} AS account_id, system, party_id, {day} AS day FROM {alias} WHERE {REASON} IS NULL AND {whom}"
    return None
