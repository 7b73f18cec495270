"""The columns of the bank's own wide tables, as they were last known.

A declared attribute is a profile column by itself: the latest known value, and null once it is older than
`valid_days`. One whose purpose is `outcome` is read only ahead of `as_of`: what was told next, within `valid_days`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import ibis

from backbook.customer.definition import ACCOUNT
from backbook.customer.passes import IBIS
from backbook.customer.reader import Reader
from backbook.customer.registry import Attribute
from backbook.customer.units import Units
from backbook.sources.attributes import OUTCOME
from backbook.sources.known import COUNTS_FROM, ORDER


def profile_attributes(attributes: Sequence[Attribute], grain: str) -> list[Attribute]:
    return [one for one in attributes if one.grain == grain and one.purpose != OUTCOME]


def outcome_attributes(attributes: Sequence[Attribute], grain: str) -> list[Attribute]:
    return [one for one in attributes if one.grain == grain and one.purpose == OUTCOME]


def attribute_columns(attributes: Sequence[Attribute], reader: Reader, as_of: date, whose: Units, grain: str) -> Any:
    """One row per unit with the attributes known by `as_of`."""
    oldest = {one.id: as_of - timedelta(days=one.valid_days) for one in attributes if one.valid_days is not None}

    def latest(wide: str, here: Sequence[Attribute]) -> Any | None:
        rows = reader.rows(wide, as_of)
        return None if rows is None else _whole(_of_units(rows, grain, whose), here, ["known_on"], since=oldest)

    return _gathered(attributes, reader, whose, grain, latest)


def told_next(
    attributes: Sequence[Attribute], reader: Reader, as_of: date, known_by: date, whose: Units, grain: str
) -> Any:
    """One row per unit with what was told of it first after `as_of`, as corrected by `known_by`."""
    latest_day = {one.id: as_of + timedelta(days=one.valid_days) for one in attributes if one.valid_days is not None}

    def first(wide: str, here: Sequence[Attribute]) -> Any | None:
        rows = reader.told(wide, as_of, known_by)
        if rows is None:
            return None
        rows = _of_units(rows, grain, whose)
        rows = rows.filter(rows.known_on == rows.known_on.min().over(group_by="_unit"))
        return _whole(rows, here, [COUNTS_FROM, ORDER], until=latest_day)

    return _gathered(attributes, reader, whose, grain, first)


def _gathered(
    attributes: Sequence[Attribute],
    reader: Reader,
    whose: Units,
    grain: str,
    row_of_each: Callable[[str, Sequence[Attribute]], Any | None],
) -> Any:
    """The attributes of every unit, each from the wide table that delivers it."""
    key = "account_id" if grain == ACCOUNT else "customer_id"
    table = (whose.accounts if grain == ACCOUNT else whose.customers).select(key)
    found: set[str] = set()
    for wide in reader.wide_tables():
        here = [one for one in attributes if one.id not in found and one.id in reader.filled(wide)]
        rows = row_of_each(wide, here) if here else None
        if rows is None:
            continue
        table = table.left_join(rows, table[key] == rows["_unit"]).drop("_unit")
        found |= {one.id for one in here}
    return table.select(key, **{one.id: _typed(table, one, one.id in found) for one in attributes})


def _of_units(rows: Any, grain: str, whose: Units) -> Any:
    if grain == ACCOUNT:
        # A person's row speaks for the account that was made for them, and for no other.
        made = whose.accounts.filter(whose.accounts.is_made)
        made = made.select(_system="system", _party="party_id", _made="account_id")
        rows = rows.left_join(made, [rows.system == made["_system"], rows.party_id == made["_party"]])
        rows = rows.mutate(_unit=ibis.coalesce(rows.account_id, rows["_made"])).drop("_system", "_party", "_made")
        return rows.filter(rows["_unit"].notnull())
    owner = whose.parties.select(_system="system", _party="party_id", _unit="customer_id")
    owned = rows.inner_join(owner, [rows.system == owner["_system"], rows.party_id == owner["_party"]])
    return owned.drop("_system", "_party")


def _whole(
    rows: Any,
    attributes: Sequence[Attribute],
    order: Sequence[str],
    *,
    since: Mapping[str, date] = MappingProxyType({}),
    until: Mapping[str, date] = MappingProxyType({}),
) -> Any:
    """The last row of each unit in this order, whole: its empty columns are empty and not filled from an older row."""
    keys = [*order, *(column for column in ("known_on", "system", "party_id", "account_id") if column not in order)]
    values = {f"v{place}": rows[one.id] for place, one in enumerate(attributes)}
    row = ibis.struct({**{column: rows[column] for column in keys if column in rows.columns}, **values})
    last = rows.group_by("_unit").agg(_row=row.max())
    return last.select(
        "_unit",
        **{
            one.id: _between(last["_row"], f"v{place}", since.get(one.id), until.get(one.id))
            for place, one in enumerate(attributes)
        },
    )


def _between(row: Any, field: str, since: date | None, until: date | None) -> Any:
    """The value where it was known within these days."""
    value = row[field]
    if since is not None:
        value = (row["known_on"] >= ibis.literal(since)).ifelse(value, ibis.null(value.type()))
    if until is not None:
        value = (row["known_on"] <= ibis.literal(until)).ifelse(value, ibis.null(value.type()))
    return value


def _typed(table: Any, attribute: Attribute, found: bool) -> Any:
    kind = IBIS[attribute.name.type]
    return table[attribute.id].cast(kind) if found else ibis.null(kind)
