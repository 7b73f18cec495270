"""Who is who, for whoever reads facts by customer."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis

from backbook.customer.identity.records import records
from backbook.customer.reader import Reader

IDENTITY = "identity"


def people(reader: Reader, as_of: date) -> Any:
    """system, party_id, customer_id, since: the records known at `as_of`, under the identity that the reader goes by.

    A record that it does not know is a customer of its own.
    """
    known = records(reader, as_of).drop("content")
    own = known.system + ":" + known.party_id
    if reader.who is None:
        return known.mutate(customer_id=own)
    who = reader.who.select("system", "party_id", borne="customer_id")
    joined = known.mutate(own=own).left_join(who, ["system", "party_id"])
    return joined.select("system", "party_id", customer_id=ibis.coalesce(joined.borne, joined.own), since=joined.since)
