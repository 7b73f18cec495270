"""Whose profile is built: accounts with their owner, and the party records of these owners.

Training draws its units first. A feature of a customer then needs every account of the owners, so the accounts
that are measured may be more than those that were asked for; the profile keeps only the latter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import pyarrow as pa

from backbook.customer.identity.people import people
from backbook.customer.reader import Reader

ACCOUNT_COLUMNS = {
    "account_id": pa.string(),
    "customer_id": pa.string(),
    "system": pa.string(),
    "party_id": pa.string(),
    "line_id": pa.string(),
    "opened_on": pa.date32(),
    "is_made": pa.bool_(),
}


@dataclass(frozen=True)
class Units:
    """Tables that belong together.

    - `accounts`: account_id, customer_id, system, party_id, line_id, opened_on, is_made. An account that was made
      by us has no opened_on: the day it was made says nothing about the bank.
    - `parties`: system, party_id, customer_id.
    - `customers`: customer_id with system and party_id of the first record.
    - `asked`: the account_ids (or customer_ids) that were asked for; None for the whole book.
    """

    accounts: Any
    parties: Any
    customers: Any
    asked: Any | None = None

    @property
    def whole(self) -> bool:
        return self.asked is None


def units(reader: Reader, as_of: date, *, only: Any | None = None) -> Units:
    """The units known at `as_of`: all of them, or the owners of the accounts (customers) in `only`.

    `only` has a column `account_id` or `customer_id`.
    """
    parties = reader.engine.cached(people(reader, as_of))
    accounts = reader.engine.cached(_accounts(reader, as_of, parties))
    asked = None
    if only is not None:
        key = "account_id" if "account_id" in only.columns else "customer_id"
        asked = reader.engine.cached(only.select(key).distinct())
        owners = accounts.semi_join(asked, key).select("customer_id") if key == "account_id" else asked
        owners = reader.engine.cached(owners.distinct())
        accounts = reader.engine.cached(accounts.semi_join(owners, "customer_id"))
        parties = reader.engine.cached(parties.semi_join(owners, "customer_id"))
    return Units(accounts, parties, _customers(parties), asked)


def _accounts(reader: Reader, as_of: date, parties: Any) -> Any:
    rows = reader.rows("account", as_of)
    if rows is None:
        return reader.engine.table(pa.schema(list(ACCOUNT_COLUMNS.items())).empty_table())
    line = rows.line_id if "line_id" in rows.columns else ibis.null("string")
    made = ibis.coalesce(rows.is_made, False) if "is_made" in rows.columns else ibis.literal(False)
    opened = made.ifelse(ibis.null("date"), rows.opened_on)
    rows = rows.select("account_id", "system", "party_id", opened_on=opened, line_id=line.cast("string"), is_made=made)
    owned = rows.join(parties.select("system", "party_id", "customer_id"), ["system", "party_id"])
    return owned.select(*ACCOUNT_COLUMNS)


def _customers(parties: Any) -> Any:
    """The record that stands for a customer: the one whose name it bears, where it was known, else the first."""
    borne = parties.system + ":" + parties.party_id == parties.customer_id
    place = ibis.struct(
        {"other": ~borne, "since": parties.since, "system": parties.system, "party_id": parties.party_id}
    )
    first = parties.group_by("customer_id").agg(_first=place.min())
    return first.select("customer_id", system=first["_first"]["system"], party_id=first["_first"]["party_id"])
