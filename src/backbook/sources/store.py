"""Changes written into the lake: a table's rows in files, people's contact data apart and sealed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import ibis
import pyarrow as pa

from backbook.engine import Engine
from backbook.lake import Writer
from backbook.sources import private
from backbook.sources.changes import Changes
from backbook.sources.convert import name
from backbook.sources.known import COUNTS_FROM, HIDDEN
from backbook.sources.stage import ID
from backbook.sources.table import Table

# A load of fewer new facts is kept by year: a hundred small files cost more than they spare.
BY_YEAR_BELOW = 1_000_000


def write_changes(
    engine: Engine, writer: Writer, lake_table: str, contract: Table, found: Changes
) -> tuple[int, int, int]:
    """Rows written: new ones, corrections, withdrawals."""
    order = list(dict.fromkeys([*contract.key, "known_on", *HIDDEN[:2]]))
    # New keys stand once, so that the key alone orders them.
    base = sum(
        _write(engine, writer, lake_table, part, rows.drop(ID), contract.key, "base")
        for part, rows in _base_parts(engine, contract, found.base)
    )
    later, gone = (
        sum(
            _write(engine, writer, lake_table, part, rows.drop(ID), order, "later")
            for part, rows in _later_part(engine, contract, some)
        )
        for some in (found.later, found.withdrawn)
    )
    return base, later, gone


def _write(engine: Engine, writer: Writer, table: str, part: str, rows: Any, order: Sequence[str], kind: str) -> int:
    path = writer.path(table)
    count = engine.write(rows, path, order_by=order)
    writer.append(table, part, path, count, kind=kind)
    return count


def _base_parts(engine: Engine, contract: Table, rows: Any) -> Iterator[tuple[str, Any]]:
    """New facts by the month of their event, by the year when they are few; histories in one piece.

    A part's name is never later than any day from which a row in it counts, so `known` may leave out later parts.
    """
    fact = contract.form == "fact" and contract.event
    event = contract.event if fact and contract.event else COUNTS_FROM
    text = f"SELECT strftime({name(event)}, '%Y-%m') AS month, count(*) AS rows FROM r GROUP BY month ORDER BY month"
    months = engine.ask(text, {"r": rows})
    if not months:
        return
    if not fact:
        yield "all", rows
    elif sum(month["rows"] for month in months) < BY_YEAR_BELOW:
        years = sorted({month["month"][:4] for month in months})
        for year in years:
            yield (
                year,
                rows if len(years) == 1 else _between(rows, event, date(int(year), 1, 1), date(int(year) + 1, 1, 1)),
            )
    else:
        for month in (entry["month"] for entry in months):
            first = date.fromisoformat(f"{month}-01")
            yield month, _between(rows, event, first, (first + timedelta(days=31)).replace(day=1))


def _between(rows: Any, event: str, first: date, end: date) -> Any:
    """Rows of some days, compared in the column's own type: only so the engine can leave out what lies elsewhere."""
    kind = rows[event].type()
    return rows.filter(rows[event] >= ibis.literal(first).cast(kind), rows[event] < ibis.literal(end).cast(kind))


def _later_part(engine: Engine, contract: Table, rows: Any | None) -> Iterator[tuple[str, Any]]:
    if rows is None:
        return
    first = engine.ask(f"SELECT min({COUNTS_FROM}) AS first FROM r", {"r": rows})[0]["first"]
    if first is not None:
        yield ("all" if contract.form == "history" else f"{first:%Y-%m}"), rows


def write_contacts(engine: Engine, writer: Writer, key: bytes, staged: Any, found: Changes) -> None:
    """Seal the contact data of new and changed party records; of withdrawn ones nothing is left."""
    for rows, kind in ((found.base, "base"), (found.later, "later"), (found.withdrawn, "later")):
        if rows is None:
            continue
        contact = ", ".join(f"s.{name(column)}" for column in private.CONTACT)
        hidden = ", ".join(f"c.{name(column)}" for column in HIDDEN)
        whole = engine.sql(
            f"SELECT c.system, c.party_id, {contact}, c.known_on, {hidden} FROM c LEFT JOIN s ON s.{ID} = c.{ID}",
            {"c": rows, "s": staged},
        )
        order = ["system", "party_id", "known_on", COUNTS_FROM, HIDDEN[1]]
        sealed = private.sealed_rows(key, engine.arrow(whole.order_by(order)))
        if sealed.num_rows:
            _write(engine, writer, private.TABLE, "all", engine.table(sealed), order, kind)


def with_hashes(engine: Engine, key: bytes, rows: Any, contract: Table) -> Any:
    """Staged rows with a keyed hash beside each private column."""
    columns = [column.name for column in contract.private]
    if not columns:
        return rows
    clear = engine.arrow(rows.select(ID, *columns))
    hashes = {f"{column}_hash": private.hashed(key, column, clear[column]) for column in columns}
    table = engine.table(pa.table({ID: clear[ID], **hashes}))
    joined = rows.inner_join(table, ID)
    return engine.cached(joined)
