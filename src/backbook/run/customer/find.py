"""Which customer a person means by an id: theirs, that of a record, an account or a customer number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import ibis

from backbook.customer.reader import Reader
from backbook.errors import NotAllowed

NEAR = 3


def find(reader: Reader, identity: Any, accounts: Any, as_of: date, id: str) -> str:
    """The customer_id that `id` means.

    `identity` has system, party_id and customer_id, `accounts` account_id and customer_id. Raises NotAllowed with the
    customers when it means several, and with the nearest ids when it means none.
    """
    engine, named = reader.engine, id.strip()
    names = list(_names(reader, identity, accounts, as_of))
    for sure in (names[:2], names[2:]):
        found = engine.rows(_stacked([each.filter(each.name == named) for each in sure]).distinct())
        customers = sorted({row["customer_id"] for row in found})
        if len(customers) == 1:
            return str(customers[0])
        if customers:
            told = ", ".join(
                f"{row['customer_id']} ({row['how']})" for row in sorted(found, key=lambda row: row["customer_id"])
            )
            raise NotAllowed(f"'{named}' means several customers: {told}. Write one of these ids.")
    near = _near(reader, _stacked(names), named)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise NotAllowed(
        f"Nobody is known as '{named}' on {as_of}.{hint} "
        "Write a customer id, SYSTEM:PARTY_ID, an account id or a customer number."
    )


def _names(reader: Reader, identity: Any, accounts: Any, as_of: date) -> Iterator[Any]:
    """Tables of name, customer_id and how; the first two name one customer for sure."""
    yield identity.select(name="customer_id", customer_id="customer_id", how=ibis.literal("customer"))
    record = identity.system + ":" + identity.party_id
    yield identity.select(name=record, customer_id="customer_id", how=ibis.literal("record"))
    yield accounts.select(name="account_id", customer_id="customer_id", how=ibis.literal("account"))
    yield identity.select(name="party_id", customer_id="customer_id", how=ibis.literal("party id"))
    party = reader.rows("party", as_of)
    if party is not None and "customer_no" in party.columns:
        numbered = party.filter(party.customer_no.notnull()).select("system", "party_id", name="customer_no")
        joined = numbered.join(identity.select("system", "party_id", "customer_id"), ["system", "party_id"])
        yield joined.select("name", "customer_id", how=ibis.literal("customer number"))


def _near(reader: Reader, names: Any, named: str) -> list[str]:
    told = names.select("name").distinct()
    far = told.name.levenshtein(ibis.literal(named))
    near = told.mutate(far=far).filter(far <= max(2, len(named) // 5)).order_by(["far", "name"]).limit(NEAR)
    return [row["name"] for row in reader.engine.rows(near)]


def _stacked(tables: list[Any]) -> Any:
    return ibis.union(*tables) if len(tables) > 1 else tables[0]
