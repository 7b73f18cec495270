"""Ids that last: what a customer is called from run to run, and the lineage of every id.

A customer bears the name of the first of its records. It keeps it when older records join, when that first record is
withdrawn, and when the customer is merged with a younger one; after an unmerge each part bears again the name it had.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from backbook.engine import Engine


def named(
    engine: Engine, people: pa.Table, groups: np.ndarray[Any, Any], before: Any | None, lineage: Any | None
) -> pa.Array:
    """The customer_id of every record of `people` (rank order; system, party_id, since); `groups` gives the person of each."""
    own = [
        f"{system}:{party}"
        for system, party in zip(people["system"].to_pylist(), people["party_id"].to_pylist(), strict=True)
    ]
    since = people["since"].cast(pa.int32()).fill_null(2**31 - 1).to_numpy()
    order = np.lexsort((np.arange(len(own)), since))
    # The first record of each group names it, where no name lasts.
    first: dict[int, int] = {}
    for rank in order.tolist():
        first.setdefault(int(groups[rank]), rank)
    names = {group: own[rank] for group, rank in first.items()}
    if before is not None and lineage is not None:
        names |= _lasting(engine, own, since, groups, before, lineage, names)
    return pa.array([names[group] for group in groups.tolist()], pa.string())


def _lasting(
    engine: Engine, own: list[str], since: Any, groups: Any, before: Any, lineage: Any, fresh: dict[int, str]
) -> dict[int, str]:
    """The names that groups keep from earlier: of several the one in use, then the oldest."""
    place = {name: rank for rank, name in enumerate(own)}
    changed = engine.ask("SELECT customer_id, min(since) AS first_used FROM l GROUP BY customer_id", {"l": lineage})
    used = {row["customer_id"]: row["first_used"] for row in changed}
    current = engine.ask("SELECT system || ':' || party_id AS record, customer_id FROM b", {"b": before})
    in_use = {row["customer_id"] for row in current}
    home = {name: int(groups[place[name]]) for name in used if name in place}
    home |= _orphans(used.keys() - place.keys(), current, place, groups)
    wanted: dict[int, list[tuple[bool, date, int, str]]] = defaultdict(list)
    for name, group in home.items():
        wanted[group].append((name not in in_use, used[name], int(since[place[name]]) if name in place else -1, name))
    # A name of nobody's own record that another group bears already is not given twice: each name has one home.
    return {group: min(names)[3] for group, names in wanted.items() if fresh.get(group) is not None}


def _orphans(gone: Any, current: list[dict[str, Any]], place: dict[str, int], groups: Any) -> dict[str, int]:
    """Names whose record is no more: they stay where most of the customer's records went."""
    where: dict[str, Counter[int]] = defaultdict(Counter)
    for row in current:
        if row["customer_id"] in gone and row["record"] in place:
            where[row["customer_id"]][int(groups[place[row["record"]]])] += 1
    return {name: min(found, key=lambda group: (-found[group], group)) for name, found in where.items()}


def with_lineage(engine: Engine, identity: Any, lineage: Any | None, as_of: date) -> tuple[Any, int]:
    """(the lineage of every record until now, how many memberships ended since the day before).

    Rows: system, party_id, customer_id, since, until (the last day; null: still), rule, probability, beside (the record
    by which it belongs), ruling. A membership begins on the day of the run that found it.
    """
    mine = "system, party_id, customer_id, rule, probability, beside, ruling"
    if lineage is None:
        text = f"SELECT system, party_id, customer_id, DATE '{as_of}' AS since, NULL::DATE AS until, rule, probability, beside, ruling FROM i"
        return engine.cached(engine.sql(text, {"i": identity})), 0
    text = f"""
        WITH still AS (SELECT l.* FROM l JOIN i USING (system, party_id, customer_id) WHERE l.until IS NULL),
        ended AS (
            SELECT l.* REPLACE (DATE '{as_of - timedelta(days=1)}' AS until) FROM l
            ANTI JOIN i USING (system, party_id, customer_id) WHERE l.until IS NULL),
        begun AS (SELECT i.* FROM i ANTI JOIN still USING (system, party_id, customer_id))
        SELECT * FROM l WHERE until IS NOT NULL UNION ALL SELECT * FROM still UNION ALL SELECT * FROM ended
        UNION ALL SELECT {mine.replace("customer_id,", f"customer_id, DATE '{as_of}' AS since, NULL::DATE AS until,")} FROM begun"""
    whole = engine.cached(engine.sql(text, {"l": lineage, "i": identity}))
    closed = engine.ask(
        f"SELECT count(*) AS rows FROM w WHERE until = DATE '{as_of - timedelta(days=1)}'", {"w": whole}
    )
    return whole, int(closed[0]["rows"])
