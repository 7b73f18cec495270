"""What a delivery changes: new rows, corrections, rows that are no more, and all that is as it was.

Each sound row is compared with the version of its key that was in force on the day the bank knew it. Facts are only
added: a correction and a withdrawal are rows too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from backbook.engine import Engine
from backbook.lake import Head
from backbook.sources.convert import name, quoted
from backbook.sources.known import COUNTS_FROM, FILE, MAPPING, ORDER, WITHDRAWN, latest
from backbook.sources.stage import GIVEN_ON, ID, UNIT, Horizon
from backbook.sources.table import Table

# Marks an incoming row that is kept though an earlier one says the same.
KEPT = "_kept"


@dataclass(frozen=True)
class Changes:
    """Rows to be stored, complete with the hidden columns (and `_id` of the staged row, for `party_contact`)."""

    base: Any
    later: Any
    withdrawn: Any | None


@dataclass(frozen=True)
class Delivery:
    """What arrived for one table in one load, and what it replaces."""

    table: Table
    lake_table: str
    horizon: Horizon
    # The number of the load; later deliveries win over earlier ones of the same day.
    order: int
    # Mappings whose inputs are extracts, that is, whole states.
    extracts: tuple[str, ...]
    # Files of increments in the order of their names: each is a delivery of its own.
    units: tuple[str, ...] = ()
    # (mapping, file) delivered before with other content: what they no longer bring is withdrawn.
    again: tuple[tuple[str, str], ...] = ()
    # Which rows that say again on a later day what they said before are kept nevertheless: an SQL condition.
    keeps: str = "false"


def changes(
    engine: Engine, head: Head, delivery: Delivery, sound: Any, several: Any, mapped: Any, stored: tuple[str, ...]
) -> Changes:
    """`sound` are the rows to load, `several` the hashes of keys with several versions, `mapped` all rows."""
    files = head.files(delivery.lake_table)
    incoming = _dated(engine, delivery, sound, stored, first_load=not files)
    if not files:
        base, later = _first(engine, delivery, incoming, several, stored)
        return Changes(base.drop(KEPT), later.drop(KEPT), None)
    old = engine.parquet(files)
    base, later = _against(engine, delivery, head, incoming, several, old, stored)
    return Changes(base.drop(KEPT), later.drop(KEPT), _vanished(engine, delivery, old, mapped, stored))


def _dated(engine: Engine, delivery: Delivery, sound: Any, stored: tuple[str, ...], *, first_load: bool) -> Any:
    """Rows with the day they were known, from which they count, and whether they are kept in any case."""
    day = f"DATE '{delivery.horizon.day}'"
    event = delivery.table.event
    history = delivery.table.form == "history" or event is None or event == "known_on"
    default = day if history or not first_load else f"least({name(event or '')}::DATE, {day})"
    columns = ", ".join(name(column) for column in stored if column != "known_on")
    tables = {"s": sound}
    place, order = "", f"{delivery.order}"
    if delivery.units:
        ranks = {"unit": pa.array(delivery.units, pa.string()), "nth": pa.array(range(len(delivery.units)), pa.int64())}
        tables["u"] = engine.table(pa.table(ranks))
        place, order = f" LEFT JOIN u ON u.unit = s.{UNIT}", f"{delivery.order} + coalesce(u.nth, 0)"
    text = f"""
        SELECT {columns}, coalesce({GIVEN_ON}, {default}) AS known_on, coalesce({GIVEN_ON}, {default}) AS {COUNTS_FROM},
               ({order})::BIGINT AS {ORDER}, false AS {WITHDRAWN}, {MAPPING}, {UNIT} AS {FILE}, {ID},
               {delivery.keeps} AS {KEPT}
        FROM s{place}"""
    return engine.sql(text, tables)


def _content(stored: tuple[str, ...]) -> str:
    """64 bits of all that a row says: two versions that differ look the same once in 10^19 comparisons."""
    compared = [column for column in stored if column != "known_on"]
    return f"hash({', '.join(map(name, compared))}, {WITHDRAWN})"


def _key(delivery: Delivery) -> str:
    return ", ".join(map(name, delivery.table.key))


def _first(engine: Engine, delivery: Delivery, incoming: Any, several: Any, stored: tuple[str, ...]) -> tuple[Any, Any]:
    """The first load: every key is new, and only keys with several versions need comparing."""
    if engine.count(several) == 0:
        return incoming, engine.sql("SELECT * FROM i LIMIT 0", {"i": incoming})
    hashed = f"hash({_key(delivery)})"
    single = engine.sql(f"SELECT * FROM i WHERE {hashed} NOT IN (SELECT h FROM s)", {"i": incoming, "s": several})
    many = engine.sql(f"SELECT * FROM i WHERE {hashed} IN (SELECT h FROM s)", {"i": incoming, "s": several})
    judged = engine.cached(_versions(engine, delivery, many, None, stored))
    first = engine.sql("SELECT * EXCLUDE (_is, _nth) FROM j WHERE _is = 'new' AND _nth = 1", {"j": judged})
    rest = engine.sql("SELECT * EXCLUDE (_is, _nth) FROM j WHERE _is = 'new' AND _nth > 1", {"j": judged})
    return single.union(first.select(*single.columns)), rest


def _against(
    engine: Engine, delivery: Delivery, head: Head, incoming: Any, several: Any, old: Any, stored: tuple[str, ...]
) -> tuple[Any, Any]:
    """A later load: rows equal to the only version of their key are done with; the few others are compared in order."""
    key = " AND ".join(f"o.{name(c)} IS NOT DISTINCT FROM i.{name(c)}" for c in delivery.table.key)
    equal = " AND ".join(
        f"o.{name(c)} IS NOT DISTINCT FROM i.{name(c)}"
        for c in stored
        if c not in delivery.table.key and c != "known_on" and c in old.columns
    )
    missing = [c for c in stored if c not in old.columns]
    equal = " AND ".join(filter(None, [equal, *(f"i.{name(c)} IS NULL" for c in missing)])) or "true"
    changed = head.files(delivery.lake_table, kind="later")
    kinds = {"i": incoming, "s": several, "o": engine.parquet(head.files(delivery.lake_table, kind="base") or changed)}
    twice = f"OR hash({_key(delivery)}) IN (SELECT h FROM s)"
    if changed:
        kinds["c"] = engine.parquet(changed)
        twice += f" OR hash({_key(delivery)}) IN (SELECT hash({_key(delivery)}) FROM c)"
    compared = engine.cached(
        engine.sql(
            f"""SELECT i.*, (o.{ORDER} IS NOT NULL) AS _old, (o.{ORDER} IS NOT NULL AND {equal} AND o.known_on <= i.known_on
                       AND (NOT i.{KEPT} OR o.known_on = i.known_on)) AS _same
                FROM i LEFT JOIN o ON {key}""",
            {"i": kinds["i"], "o": kinds["o"]},
        )
    )
    kinds["i"] = compared
    fresh = engine.sql(f"SELECT * EXCLUDE (_old, _same) FROM i WHERE NOT (_old {twice})", kinds)
    open_ = engine.cached(
        engine.sql(f"SELECT * EXCLUDE (_old, _same) FROM i WHERE (_old AND NOT _same) OR (false {twice})", kinds)
    )
    judged = engine.cached(
        _versions(engine, delivery, open_, _versions_of(engine, delivery, open_, old, stored), stored)
    )
    first = engine.sql("SELECT * EXCLUDE (_is, _nth) FROM j WHERE _is = 'new' AND _nth = 1", {"j": judged})
    rest = engine.sql("SELECT * EXCLUDE (_is, _nth) FROM j WHERE _is = 'new' AND _nth > 1", {"j": judged})
    return fresh.union(first.select(*fresh.columns)), rest


def _versions_of(engine: Engine, delivery: Delivery, rows: Any, old: Any, stored: tuple[str, ...]) -> Any:
    """All versions that the lake holds of the keys of `rows`."""
    key = " AND ".join(f"o.{name(c)} IS NOT DISTINCT FROM r.{name(c)}" for c in delivery.table.key)
    columns = ", ".join(f"o.{name(c)}" if c in old.columns else f"NULL AS {name(c)}" for c in stored if c != "known_on")
    return engine.sql(
        f"""SELECT {columns}, o.known_on, o.{COUNTS_FROM}, o.{ORDER}, o.{WITHDRAWN}, o.{MAPPING}, o.{FILE}, NULL::BIGINT AS {ID}, false AS {KEPT}
            FROM o SEMI JOIN r ON {key}""",
        {"o": old, "r": rows},
    )


def _versions(engine: Engine, delivery: Delivery, incoming: Any, old: Any | None, stored: tuple[str, ...]) -> Any:
    """Incoming rows judged in the order of their days: `new`, or `same` as the version before them."""
    day = f"DATE '{delivery.horizon.day}'"
    tables = {"i": incoming}
    both = "SELECT *, false AS _was FROM i"
    if old is not None:
        tables["o"] = old
        both += " UNION ALL BY NAME SELECT *, true AS _was FROM o"
    key = _key(delivery)
    # A row for a day that the lake has already is a correction: it counts from this load on.
    return engine.sql(
        f"""SELECT * EXCLUDE (_was), CASE WHEN _was THEN 'old' WHEN lag(_content) OVER w IS NOT DISTINCT FROM _content
                   AND row_number() OVER w > 1 AND NOT ({KEPT} AND known_on > lag(known_on) OVER w)
                   THEN 'same' ELSE 'new' END AS _is, row_number() OVER w AS _nth
            FROM (SELECT * REPLACE (CASE WHEN NOT _was AND bool_or(_was) OVER (PARTITION BY {key}, known_on)
                                    THEN greatest({day}, {COUNTS_FROM}) ELSE {COUNTS_FROM} END AS {COUNTS_FROM}),
                         {_content(stored)} AS _content
                  FROM ({both}))
            WINDOW w AS (PARTITION BY {key} ORDER BY known_on, {COUNTS_FROM}, NOT _was, {ORDER}, {ID})""",
        tables,
    ).drop("_content")


def _vanished(engine: Engine, delivery: Delivery, old: Any, mapped: Any, stored: tuple[str, ...]) -> Any | None:
    """Rows that are no longer delivered, as withdrawals that count from this load.

    An extract is the whole state: a history loses what vanished, facts lose it within the days that the extract spans.
    An increment loses what a file delivered again no longer brings.
    """
    replaced = [*_extracted(engine, delivery, mapped), *_delivered_again(delivery)]
    if not replaced:
        return None
    key = " AND ".join(f"m.{name(c)} IS NOT DISTINCT FROM o.{name(c)}" for c in delivery.table.key)
    columns = ", ".join(f"o.{name(c)}" if c in old.columns else f"NULL AS {name(c)}" for c in stored if c != "known_on")
    gone = engine.sql(
        f"""SELECT {columns}, o.known_on, greatest(o.{COUNTS_FROM}, DATE '{delivery.horizon.day}') AS {COUNTS_FROM},
                   {delivery.order}::BIGINT AS {ORDER}, true AS {WITHDRAWN}, o.{MAPPING}, o.{FILE}, NULL::BIGINT AS {ID}
            FROM o ANTI JOIN m ON {key} WHERE NOT o.{WITHDRAWN} AND ({" OR ".join(replaced)})""",
        {"o": latest(old, delivery.table.key), "m": mapped},
    )
    return engine.cached(gone)


def _extracted(engine: Engine, delivery: Delivery, mapped: Any) -> Iterator[str]:
    """A condition for each extract: which rows of the lake it would hold if they were still there."""
    event = delivery.table.event
    for mapping in delivery.extracts:
        of_mapping = f"o.{MAPPING} = {quoted(mapping)}"
        if delivery.table.form == "history" or not event:
            yield of_mapping
            continue
        text = (
            f"SELECT min({name(event)}) AS first, max({name(event)}) AS last FROM m WHERE {MAPPING} = {quoted(mapping)}"
        )
        span = engine.ask(text, {"m": mapped})[0]
        if span["first"] is not None:
            yield f"({of_mapping} AND o.{name(event)} BETWEEN '{span['first']}' AND '{span['last']}')"


def _delivered_again(delivery: Delivery) -> Iterator[str]:
    for mapping, file in delivery.again:
        yield f"(o.{MAPPING} = {quoted(mapping)} AND o.{FILE} = {quoted(file)})"
