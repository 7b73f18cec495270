"""The columns of the bank's own wide tables, as they were last known.

A declared attribute is a profile column by itself: the latest known value, and null once it is older than
`valid_days`. One whose purpose is `outcome` is read only ahead of `as_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import ibis

from backbook.customer.definition import ACCOUNT
from backbook.customer.passes import IBIS
from backbook.customer.reader import Reader
from backbook.customer.registry import Attribute
from backbook.customer.units import Units

OUTCOME = "outcome"


def profile_attributes(attributes: Sequence[Attribute], grain: str) -> list[Attribute]:
    return [one for one in attributes if one.grain == grain and one.purpose != OUTCOME]


def outcome_attributes(attributes: Sequence[Attribute], grain: str) -> list[Attribute]:
    return [one for one in attributes if one.grain == grain and one.purpose == OUTCOME]


def attribute_columns(
    attributes: Sequence[Attribute],
    reader: Reader,
    as_of: date,
    whose: Units,
    grain: str,
    *,
    ahead_of: date | None = None,
) -> Any:
    """One row per unit with the attributes known by `as_of`; with `ahead_of`, only what became known after it."""
    key = "account_id" if grain == ACCOUNT else "customer_id"
    table = (whose.accounts if grain == ACCOUNT else whose.customers).select(key)
    found: set[str] = set()
    for wide in reader.wide_tables():
        here = [one for one in attributes if one.id not in found and one.id in reader.filled(wide)]
        rows = reader.rows(wide, as_of) if here else None
        if rows is None:
            continue
        if ahead_of is not None:
            rows = rows.filter(rows.known_on > ibis.literal(ahead_of))
        latest = _latest(_of_units(rows, grain, whose), here, as_of)
        table = table.left_join(latest, table[key] == latest["_unit"]).drop("_unit")
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


def _latest(rows: Any, attributes: Sequence[Attribute], as_of: date) -> Any:
    """The row last known of each unit, whole: its empty columns are empty and not filled from an older row."""
    keys = {
        column: rows[column] for column in ("known_on", "system", "party_id", "account_id") if column in rows.columns
    }
    row = ibis.struct({**keys, **{f"v{place}": rows[one.id] for place, one in enumerate(attributes)}})
    latest = rows.group_by("_unit").agg(_row=row.max())
    values = {one.id: _valid(latest["_row"], f"v{place}", one, as_of) for place, one in enumerate(attributes)}
    return latest.select("_unit", **values)


def _valid(row: Any, field: str, attribute: Attribute, as_of: date) -> Any:
    value = row[field]
    if attribute.valid_days is None:
        return value
    oldest = ibis.literal(as_of - timedelta(days=attribute.valid_days))
    return (row["known_on"] >= oldest).ifelse(value, ibis.null(value.type()))


def _typed(table: Any, attribute: Attribute, found: bool) -> Any:
    kind = IBIS[attribute.name.type]
    return table[attribute.id].cast(kind) if found else ibis.null(kind)
