"""What was known on a day: the rows of a contract table that count at `as_of`.

Facts are only added. A correction is a later row with the same key; a withdrawal is a later row that says so.
Files of kind "base" hold the first row of each key, files of kind "later" the rest, so a table that was never
corrected is read without any comparison. Every stored row carries

    known_on      the day the bank knew it
    _counts_from  the day from which it counts: `known_on`, or the load that brought a correction of that day
    _order        the delivery, which decides between rows that count from the same day
    _withdrawn    true when the row says that its key is no more
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import ibis

from backbook.engine import Engine
from backbook.lake import Head
from backbook.sources.contract import TABLES
from backbook.sources.table import Table

COUNTS_FROM, ORDER, WITHDRAWN, MAPPING, FILE = "_counts_from", "_order", "_withdrawn", "_mapping", "_file"
HIDDEN = (COUNTS_FROM, ORDER, WITHDRAWN, MAPPING, FILE)
LATEST = ("known_on", COUNTS_FROM, ORDER)


def contract_table(name: str) -> Table:
    """The contract of a lake table: `attribute.tags` is an `attribute`, `party_contact` goes with `party`."""
    if name == "party_contact":
        return replace(TABLES["party"], name=name, event=None)
    return TABLES[name.partition(".")[0]]


def known(engine: Engine, head: Head, table: str, as_of: date) -> Any | None:
    """The rows that count at `as_of`, one per key; None when the lake does not have the table.

    A history asked for a day before its first extract gives its rows as they must have been: ids and the
    dates that lie before `as_of`; everything else is not known.
    """
    contract = contract_table(table)
    if head.manifest(table) is None:
        return None
    first = first_known(engine, head, table) if contract.form == "history" else None
    if first is not None and as_of < first:
        return _before_first(engine, head, contract, table, as_of, first)
    base = [path for path in _files(head, table, contract, as_of, "base")]
    later = [path for path in _files(head, table, contract, as_of, "later")]
    rows = _counting(engine.parquet(base), as_of) if base else None
    if later:
        changes = latest(_counting(engine.parquet(later), as_of), contract.key)
        rows = changes if rows is None else _overridden(rows, changes, contract)
    if rows is None:
        return None
    rows = rows.filter(~rows[WITHDRAWN])
    return _happened(rows, contract, as_of).drop(*HIDDEN)


def versions(engine: Engine, head: Head, table: str, as_of: date) -> Any | None:
    """Every row of a history that counts at `as_of`, of each key all versions, with the hidden columns."""
    contract = contract_table(table)
    if head.manifest(table) is None:
        return None
    first = first_known(engine, head, table)
    files = [
        path for kind in ("base", "later") for path in _files(head, table, contract, max(as_of, first or as_of), kind)
    ]
    rows = _counting(engine.parquet(files), max(as_of, first or as_of))
    return rows.filter(~rows[WITHDRAWN])


def _files(head: Head, table: str, contract: Table, as_of: date, kind: str) -> list[Any]:
    """Files that may hold a row that counts: facts lie by month of their event, and later months are left out."""
    manifest = head.manifest(table)
    parts = sorted({file.part for file in manifest.files if file.kind == kind}) if manifest else []
    month = f"{as_of:%Y-%m}"
    wanted = [part for part in parts if part <= month or not part[:1].isdigit()] or parts[:1]
    return [path for part in wanted for path in head.files(table, part, kind)]


def _counting(rows: Any, as_of: date) -> Any:
    return rows.filter(rows[COUNTS_FROM] <= ibis.literal(as_of))


def _happened(rows: Any, contract: Table, as_of: date) -> Any:
    if contract.event is None or contract.event == "known_on":
        return rows
    event = rows[contract.event]
    return rows.filter(event.isnull() | (event.cast("date") <= ibis.literal(as_of)))


def latest(rows: Any, key: tuple[str, ...]) -> Any:
    """The last row of each key."""
    order = [ibis.desc(rows[column]) for column in LATEST]
    numbered = rows.mutate(_nth=ibis.row_number().over(ibis.window(group_by=list(key), order_by=order)))
    return numbered.filter(numbered._nth == 0).drop("_nth")


def _overridden(rows: Any, changes: Any, contract: Table) -> Any:
    """Base rows of unchanged keys, and the last change of the others."""
    keys = changes.select(*contract.key)
    kept = rows.anti_join(keys, [rows[column].identical_to(keys[column]) for column in contract.key])
    return kept.union(changes.select(*kept.columns))


def _before_first(engine: Engine, head: Head, contract: Table, table: str, as_of: date, first: date) -> Any:
    files = [path for path in head.files(table, kind="base")]
    rows = engine.parquet(files)
    rows = rows.filter(rows[COUNTS_FROM] == ibis.literal(first), ~rows[WITHDRAWN])
    lasting = {column.name for column in contract if column.lasting} | set(contract.key)
    masked = {}
    for name in rows.columns:
        if name in HIDDEN or name in lasting or (name.endswith("_hash") and name.removesuffix("_hash") in lasting):
            continue
        value = rows[name]
        if name != "known_on" and (value.type().is_date() or value.type().is_timestamp()):
            masked[name] = ibis.ifelse(value.cast("date") <= ibis.literal(as_of), value, ibis.null(value.type()))
        else:
            masked[name] = ibis.null(value.type())
    return _happened(rows, contract, as_of).mutate(**masked).drop(*HIDDEN)


def days(engine: Engine, head: Head, table: str) -> list[date]:
    """All days on which anything of the table was known, in their order."""
    rows = engine.parquet(head.files(table))
    found = rows.filter(~rows[WITHDRAWN]).select("known_on").distinct().order_by("known_on")
    return [row["known_on"] for row in engine.rows(found)]


def first_known(engine: Engine, head: Head, table: str) -> date | None:
    """The first day on which anything of the table was known."""
    return _least(engine, head, table, COUNTS_FROM)


def first_day(engine: Engine, head: Head, table: str) -> date | None:
    """The day from which windows over the table are known; None when it is absent or without rows.

    For facts the day of the first event, for histories the day of the first extract.
    """
    contract = contract_table(table)
    event = contract.event if contract.form == "fact" and contract.event else COUNTS_FROM
    return _least(engine, head, table, event)


def _least(engine: Engine, head: Head, table: str, column: str) -> date | None:
    manifest = head.manifest(table)
    if manifest is None:
        return None
    # Parts are months or years, so the least value lies in one of the first year.
    parts = sorted({file.part for file in manifest.files if file.kind == "base"})
    files = [path for part in parts if part[:4] == parts[0][:4] for path in head.files(table, part, "base")]
    if not files:
        return None
    rows = engine.parquet(files)
    found = engine.rows(rows.aggregate(first=rows[column].cast("date").min()))
    return found[0]["first"] if found else None
