"""Gate two: rows out of a mapping = loaded + unchanged + quarantined, each row in exactly one of them.

What is wrong with a row alone is known when it is staged; here come the faults that need other rows: two rows of
one key that disagree, and rows whose account does not exist. A quarantined row is kept by key, reason, file and line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ibis

from backbook.engine import Engine
from backbook.sources.convert import name
from backbook.sources.known import MAPPING
from backbook.sources.stage import FILE, GIVEN_ON, ID, REASON, ROW, UNIT
from backbook.sources.table import Reference, Table


def same_key(engine: Engine, rows: Any, table: Table) -> tuple[Any, Any, Any]:
    """(rows that disagree with another of their key, rows that only repeat another, keys with several versions).

    The first two are tables of `_id`, the third of key hashes. Within one delivery a key may come again only with
    another day on which it was known; files of an increment are deliveries of their own.
    """
    hashed = _key_hash(table.key)
    several = engine.cached(
        engine.sql(f"SELECT {hashed} AS h FROM r WHERE {REASON} IS NULL GROUP BY h HAVING count(*) > 1", {"r": rows})
    )
    if engine.count(several) == 0:
        nobody = engine.cached(engine.sql(f"SELECT {ID} FROM r LIMIT 0", {"r": rows}))
        return nobody, nobody, several
    group = [*table.key, GIVEN_ON, UNIT]
    content = ", ".join(name(column) for column in rows.columns if not column.startswith("_") and column != "known_on")
    window = f"PARTITION BY {', '.join(map(name, group))}"
    judged = engine.cached(
        engine.sql(
            f"""SELECT {ID}, min(c) OVER w <> max(c) OVER w AS differs, row_number() OVER (w ORDER BY {ID}) > 1 AS again
                FROM (SELECT *, hash({content}) AS c FROM r WHERE {REASON} IS NULL AND {hashed} IN (SELECT h FROM several))
                WINDOW w AS ({window})""",
            {"r": rows, "several": several},
        )
    )
    differing = engine.sql(f"SELECT {ID} FROM j WHERE differs", {"j": judged})
    repeating = engine.sql(f"SELECT {ID} FROM j WHERE again AND NOT differs", {"j": judged})
    return differing, repeating, several


def _key_hash(key: Sequence[str]) -> str:
    return f"hash({', '.join(map(name, key))})"


def orphans(engine: Engine, rows: Any, references: Sequence[Reference], keys: Mapping[str, Any]) -> Any | None:
    """`_id` and reason of the rows whose reference is not found; None when nothing can be checked."""
    found = []
    for reference in references:
        if reference.table not in keys or not reference.strict:
            continue
        there = keys[reference.table]
        words = " and ".join(reference.columns)
        given = " AND ".join(f"r.{name(column)} IS NOT NULL" for column in reference.columns)
        match = " AND ".join(f"k.{name(column)} = r.{name(column)}" for column in reference.columns)
        value = " || ' / ' || ".join(f"r.{name(column)}" for column in reference.columns)
        found.append(
            engine.sql(
                f"""SELECT r.{ID}, '{words} is not in `{reference.table}`: ' || {value} AS reason
                    FROM r ANTI JOIN k ON {match} WHERE {given}""",
                {"r": rows, "k": there},
            )
        )
    return ibis.union(*found) if len(found) > 1 else (found[0] if found else None)


def judged(engine: Engine, rows: Any, disagreeing: Any, lost: Any | None) -> Any:
    """`_id` and all reasons of every row that goes to quarantine."""
    parts = {"r": rows, "d": disagreeing}
    text = f"""SELECT {ID}, {REASON} AS reason FROM r WHERE {REASON} IS NOT NULL
               UNION ALL SELECT {ID}, 'the same key comes again with other content' FROM d"""
    if lost is not None:
        parts["o"] = lost
        text += f" UNION ALL SELECT {ID}, reason FROM o"
    return engine.cached(
        engine.sql(
            f"SELECT {ID}, string_agg(reason, '; ' ORDER BY reason) AS reason FROM ({text}) GROUP BY {ID}", parts
        )
    )


def kept_rows(engine: Engine, rows: Any, bad: Any, table: Table) -> Any:
    """What the lake keeps of quarantined rows: never their content, which may be private."""
    key = ", ' | ', ".join(f"coalesce({name(column)}::VARCHAR, '')" for column in table.key)
    return engine.sql(
        f"""SELECT r.{MAPPING} AS mapping, r.{FILE}, r.{ROW}, concat({key}) AS key, b.reason, r.{ID}
            FROM r JOIN b ON b.{ID} = r.{ID}""",
        {"r": rows, "b": bad},
    )
