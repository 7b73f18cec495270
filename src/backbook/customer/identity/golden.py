"""The golden record: for each field of a customer, the one of its records that is believed, by a stated rule.

The table names records, not values: what is private stays sealed in `party_contact`, and an unmerge changes nothing
that would have to be undone.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

from backbook.customer.identity.terms import COMPLETE, LATEST, TRUSTED, Terms
from backbook.customer.reader import Reader

GOLDEN = "identity_golden"
PRIVATE = ("full_name", "id_document", "phone", "email", "address")


def golden(reader: Reader, as_of: date, identity: Any, terms: Terms) -> Any:
    """customer_id, and for each field `NAME_from`: the record (system:party_id) whose value counts; null where none has one.

    most_trusted: by the order of `trusted`, then the latest; latest: the value heard last; most_complete: from the
    record with the most fields. Ties go to the lesser name.
    """
    engine = reader.engine
    rows = reader.rows("party", as_of)
    if rows is None:
        return identity.select("customer_id").distinct()
    stored = {name: f"{name}_hash" if name in PRIVATE else name for name in terms.golden}
    stored = {name: column for name, column in stored.items() if column in rows.columns}
    places = pa.table(
        {"system": pa.array(terms.trusted, pa.string()), "place": pa.array(range(len(terms.trusted)), pa.int64())}
    )
    filled = " + ".join(f"({column} IS NOT NULL)::INTEGER" for column in stored.values()) or "0"
    order = {
        TRUSTED: "place, known_on DESC, record",
        LATEST: "known_on DESC, place, record",
        COMPLETE: "filled DESC, place, known_on DESC, record",
    }
    chosen = ", ".join(
        f'first(record ORDER BY {order[terms.golden[name]]}) FILTER ({column} IS NOT NULL) AS "{name}_from"'
        for name, column in stored.items()
    )
    text = f"""
        WITH told AS (
            SELECT i.customer_id, p.system || ':' || p.party_id AS record, coalesce(t.place, 999) AS place, {filled} AS filled, p.*
            FROM p JOIN i USING (system, party_id) LEFT JOIN t ON t.system = p.system)
        SELECT customer_id, {chosen or "NULL AS full_name_from"} FROM told GROUP BY customer_id"""
    return engine.cached(
        engine.sql(
            text, {"p": rows, "i": identity.select("system", "party_id", "customer_id"), "t": engine.table(places)}
        )
    )
