"""Who is who: which party records are one person.

Thin for now, and exact: records with the same identity document are one person, every other record is its own.
The customer bears the id of the first record, so the id is stable as records are added.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import pyarrow as pa

from backbook.customer.reader import Reader

COLUMNS = ("system", "party_id", "customer_id", "since", "until", "rule", "probability")
DOCUMENT = "id_document_hash"
# Tables that name people; those without a party record are records of their own.
PEOPLE = ("party", "account")


def identify(reader: Reader, as_of: date) -> Any:
    """system, party_id, customer_id, since, until, rule (`document` or `own`), probability; one row per record."""
    records = _records(reader, as_of)
    own = records.system + ":" + records.party_id
    told = records.filter(records.document.notnull())
    oldest = ibis.struct({"since": told.since, "system": told.system, "party_id": told.party_id}).min()
    people = told.group_by(_document=told.document).agg(_oldest=oldest, _records=told.count())
    records = records.mutate(own=own).left_join(people, records.document == people["_document"])
    first = records["_oldest"]["system"] + ":" + records["_oldest"]["party_id"]
    return records.select(
        "system",
        "party_id",
        customer_id=ibis.coalesce(first, records.own),
        since=records.since,
        until=ibis.null("date"),
        rule=ibis.coalesce(records["_records"] > 1, False).ifelse("document", "own"),
        probability=ibis.literal(1.0),
    )


def _records(reader: Reader, as_of: date) -> Any:
    """Every party record that any table names: system, party_id, document, since."""
    found = []
    for table in (*PEOPLE, *reader.wide_tables()):
        rows = reader.rows(table, as_of)
        if rows is None or not {"system", "party_id"} <= set(rows.columns):
            continue
        rows = rows.filter(rows.system.notnull(), rows.party_id.notnull())
        told = table == "party"
        document = rows[DOCUMENT] if DOCUMENT in rows.columns else ibis.null("string")
        found.append(
            rows.select("system", "party_id", document=document.cast("string"), since=_since(rows, as_of), told=told)
        )
    if not found:
        columns = {"system": pa.string(), "party_id": pa.string(), "document": pa.string(), "since": pa.date32()}
        return reader.engine.table(pa.schema(list(columns.items())).empty_table())
    stacked = ibis.union(*found) if len(found) > 1 else found[0]
    # When a record began its own row tells best; accounts and wide tables speak for records without one.
    own = stacked.told.ifelse(stacked.since, ibis.null("date")).min()
    since = ibis.coalesce(own, stacked.since.min())
    return stacked.group_by(["system", "party_id"]).agg(document=stacked.document.max(), since=since)


def _since(rows: Any, as_of: date) -> Any:
    """The first day of a record: made, opened, else known."""
    for column in ("created_at", "opened_on", "known_on"):
        if column in rows.columns:
            day = rows[column].date() if rows[column].type().is_timestamp() else rows[column]
            return ibis.coalesce(day, rows.known_on if "known_on" in rows.columns else None, ibis.literal(as_of))
    return ibis.literal(as_of)
