"""The party records of a day as identity needs them: which there are, what changed, and their contact data in clear."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from backbook.customer.reader import Reader
from backbook.sources import private
from backbook.sources.known import versions

# Tables that name people; those without a party record are records of their own.
PEOPLE = ("party", "account", "card")
DOCUMENT = "id_document_hash"
BEGUN = ("created_at", "opened_on", "issued_on", "known_on")
# What is read of accounts and cards here, where they have it.
OF_OWNERS = ("account_id", "system", "party_id", "is_supplementary", *BEGUN)
# A phone or a mail address that more records have says nothing about who somebody is.
MOST_HOLDERS = 10
# What a change of makes a record be looked at again: what is compared, and what a golden record tells.
COMPARED = (
    "full_name_hash", "birth_date", "gender", DOCUMENT, "phone_hash", "email_hash", "address_hash", "postcode", "city",
    "occupation", "region", "education", "marital_status", "employer", "income_monthly",
)  # fmt: skip


def records(reader: Reader, as_of: date) -> Any:
    """Every record that any table names: system, party_id, since, content (a number that changes with what is compared)."""
    others = [
        rows for table in (*PEOPLE[1:], *reader.wide_tables()) if (rows := _named(reader, table, as_of)) is not None
    ]
    party = _named(reader, "party", as_of)
    if party is None and not others:
        columns = {"system": pa.string(), "party_id": pa.string(), "since": pa.date32(), "content": pa.int64()}
        return reader.engine.table(pa.schema(list(columns.items())).empty_table())
    # When a record began its own row tells best; accounts and wide tables speak for records without one.
    own = (
        None
        if party is None
        else party.select("system", "party_id", since=_since(party, as_of), content=_content(party))
    )
    if not others:
        return own
    named = [rows.select("system", "party_id", since=_since(rows, as_of)) for rows in others]
    stacked = ibis.union(*named) if len(named) > 1 else named[0]
    # Most have a row of their own: they are left out before anything is gathered.
    alone = stacked if own is None else stacked.anti_join(own, ["system", "party_id"])
    found = alone.group_by(["system", "party_id"]).agg(since=alone.since.min(), content=ibis.literal(0, "int64"))
    return found if own is None else own.union(found)


def _named(reader: Reader, table: str, as_of: date) -> Any | None:
    """The rows of a table that name a record; None when it has no such column."""
    rows = reader.rows(table, as_of)
    if rows is None or not {"system", "party_id"} <= set(rows.columns):
        return None
    return rows.filter(rows.system.notnull(), rows.party_id.notnull())


def _content(party: Any) -> Any:
    texts = [party[name].cast("string").fill_null("\x1f") for name in COMPARED if name in party.columns]
    return ibis.literal("\x1e").join(texts).hash().cast("int64").fill_null(0) if texts else ibis.literal(0, "int64")


def _since(rows: Any, as_of: date) -> Any:
    """The first day of a record: made, opened, issued, else known."""
    for column in BEGUN:
        if column in rows.columns:
            day = rows[column].date() if rows[column].type().is_timestamp() else rows[column]
            return ibis.coalesce(day, rows.known_on if "known_on" in rows.columns else None, ibis.literal(as_of))
    return ibis.literal(as_of)


def clear(reader: Reader, key: bytes, as_of: date, of: Any, crowd: Any) -> pa.Table:
    """id and what is compared, in clear, of the records in `of` (id, system, party_id); `crowd` as `crowded` mail addresses."""
    engine = reader.engine
    rows = reader.rows("party", as_of)
    if rows is None:
        return engine.arrow(of.select("id"))
    birth = rows.birth_date.strftime("%Y%m%d") if "birth_date" in rows.columns else ibis.null("string")
    plain = {
        name: rows[name] if name in rows.columns else ibis.null("string")
        for name in ("gender", "postcode", "city", "occupation")
    }
    document = rows[DOCUMENT] if DOCUMENT in rows.columns else ibis.null("string")
    mail = rows.email_hash if "email_hash" in rows.columns else ibis.null("string")
    told = rows.select("system", "party_id", birth=birth, document=document, mail=mail, **plain)
    told = of.left_join(told, ["system", "party_id"])
    mine = engine.arrow(
        told.select("id", "birth", "document", *plain, crowd=told.mail.isin(crowd.number)).order_by("id")
    )
    opened = private.contacts(engine, reader.head, key, as_of, columns=["full_name", "email", "address"], parties=of)
    if opened is None:
        return mine.drop_columns(["crowd"])
    numbers = engine.arrow(of.select("system", "party_id", "id"))
    joined = opened.join(numbers, ["system", "party_id"], join_type="inner").drop_columns(["system", "party_id"])
    whole = mine.join(joined, ["id"], join_type="left outer").sort_by("id")
    said = pc.if_else(whole["crowd"].fill_null(False), pa.scalar(None, pa.string()), whole["email"])
    return whole.set_column(whole.schema.get_field_index("email"), "email", said).drop_columns(["crowd"])


def phones(reader: Reader, as_of: date, of: Any, kept: tuple[str, ...], crowd: Any) -> pa.Table:
    """id, number (its keyed hash), since, until, of the records in `of` (id, system, party_id, since).

    Numbers in `crowd` (as `crowded`) are left out.
    A record tells its phone from version to version. In the systems that keep phones up to date (`kept`) a number
    counts until the next version; in the others on the day it was given.
    """
    engine = reader.engine
    rows = versions(engine, reader.head, "party", as_of)
    if rows is None or "phone_hash" not in rows.columns:
        return pa.table({"id": pa.array([], pa.int64()), "number": pa.array([], pa.string()),
                         "since": pa.array([], pa.date32()), "until": pa.array([], pa.date32())})  # fmt: skip
    listed = ", ".join("'" + system.replace("'", "''") + "'" for system in kept) or "''"
    text = f"""
        WITH told AS (
            SELECT o.id, o.since AS begun, v.system, v.phone_hash AS number, v.known_on,
                   row_number() OVER w = 1 AS first, lead(v.known_on) OVER w AS next
            FROM v ANTI JOIN c ON c.number = v.phone_hash JOIN o ON o.system = v.system AND o.party_id = v.party_id
            WINDOW w AS (PARTITION BY v.system, v.party_id ORDER BY v.known_on, v._counts_from, v._order))
        SELECT id, number, min(if(first, least(begun, known_on), known_on)) AS since,
               CASE WHEN any_value(system) NOT IN ({listed}) THEN max(if(first, least(begun, known_on), known_on))
                    WHEN bool_or(next IS NULL) THEN NULL ELSE max(next) END AS until
        FROM told WHERE number IS NOT NULL GROUP BY id, number ORDER BY id, number"""
    return engine.arrow(engine.sql(text, {"v": rows, "o": of, "c": crowd}))


def crowded(reader: Reader, as_of: date, column: str) -> Any:
    """number, records: the phones or mail addresses (hashed) that more than MOST_HOLDERS records have."""
    rows = reader.rows("party", as_of)
    if rows is None or column not in rows.columns:
        return reader.engine.table(pa.table({"number": pa.array([], pa.string()), "records": pa.array([], pa.int64())}))
    told = rows.filter(rows[column].notnull()).select(number=rows[column])
    counted = told.group_by("number").agg(records=told.count())
    return reader.engine.cached(counted.filter(counted.records > MOST_HOLDERS))


def owners(reader: Reader, as_of: date) -> Any | None:
    """left and right records (system, party_id each) that own the same account: its debtor and the holder of its main card."""
    account, card = reader.rows("account", as_of), reader.rows("card", as_of)
    if account is None or card is None or not {"system", "party_id"} <= set(card.columns):
        return None
    main = card.filter(card.system.notnull(), card.party_id.notnull())
    if "is_supplementary" in card.columns:
        main = main.filter(~main.is_supplementary.fill_null(False))
    holder = main.select("account_id", right_system="system", right_party="party_id").distinct()
    both = account.select("account_id", left_system="system", left_party="party_id").join(holder, "account_id")
    other = (both.left_system != both.right_system) | (both.left_party != both.right_party)
    return both.filter(other).select("left_system", "left_party", "right_system", "right_party").distinct()
