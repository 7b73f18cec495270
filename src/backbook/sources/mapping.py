"""Mappings: one SELECT per file that turns raw inputs into rows of a contract table.

A mapping reads the inputs named in backbook.toml and nothing else: no file, no setting, no clock, no other
statement. Where its form allows, every row keeps the file and the line it came from.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import sqlglot
from sqlglot import exp

from backbook.definitions import SourceMapping
from backbook.engine import DIALECT
from backbook.errors import Fault
from backbook.sources.contract import TABLES
from backbook.sources.read import PLACES
from backbook.sources.table import Table

# Functions that would read files, settings or the clock, or draw lots: the same files give the same rows.
FORBIDDEN = re.compile(
    r"(read_.*|glob|sniff_.*|.*_scan|getenv|getvariable|current_setting|query|query_table|pragma_.*|duckdb_.*|parquet_.*|"
    r"random|setseed|uuid.*|gen_random_uuid|nextval|currval|now|today|current_.*|localtime.*|transaction_timestamp|"
    r"statement_timestamp|clock_timestamp|get_current_.*|txid_current|version|which_secret|add_parquet_key)",
    re.IGNORECASE,
)
ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Mapping:
    """One mapping file, understood: what it reads, and its query with places added where they could be."""

    source: SourceMapping
    table: Table
    reads: tuple[str, ...]
    query: str
    # The columns it gives, as far as its text tells.
    gives: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.source.table}.{self.source.name}"

    def canonical(self) -> dict[str, Any]:
        return {"table": self.table.name, "name": self.source.name, "query": self.query}

    @property
    def lake_table(self) -> str:
        """Attributes have a table of their own for each mapping."""
        return self.name if self.table.name == "attribute" else self.table.name


def read_mapping(source: SourceMapping, inputs: Collection[str]) -> tuple[Mapping | None, list[Fault]]:
    """The mapping, or what is wrong with it."""
    table = TABLES.get(source.table)
    if table is None:
        close = get_close_matches(source.table, TABLES, n=1)
        hint = f"Did you mean '{close[0]}'?" if close else f"Tables: {', '.join(TABLES)}."
        return None, [Fault(source.file, None, f"'{source.table}' is not a table of the contract.", hint)]
    if not ATTRIBUTE_NAME.fullmatch(source.name):
        return None, [Fault(source.file, None, f"'{source.name}' is no name for a mapping.", "Use letters and digits.")]
    query, faults = _parse(source)
    if query is None:
        return None, faults
    reads = {name: node for name, node in _tables(query)}
    faults += list(_forbidden(source, query)) + list(_unknown_inputs(source, reads, inputs))
    faults += list(_columns(source, table, query))
    if faults:
        return None, faults
    names = {name.lower(): name for name in inputs}
    return (
        Mapping(
            source,
            table,
            reads=tuple(sorted({names[name.lower()] for name in reads})),
            query=with_places(query, inputs),
            gives=tuple(name for name in query.named_selects if name != "*"),
        ),
        [],
    )


def _parse(source: SourceMapping) -> tuple[exp.Query | None, list[Fault]]:
    try:
        statements = [one for one in sqlglot.parse(source.text, read=DIALECT) if one is not None]
    except (sqlglot.errors.ParseError, sqlglot.errors.TokenError) as error:
        first = error.errors[0] if getattr(error, "errors", None) else {}
        said = str(first.get("description") or str(error).split("\n")[0]).rstrip(".")
        near = first.get("highlight")
        found = f"is not SQL: {said}{f' near {near!r}' if near else ''}."
        return None, [Fault(source.file, first.get("line"), found, "Write one SELECT over the inputs.")]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query) or statements[0].find(exp.Into):
        kinds = ", ".join(type(one).__name__.upper() for one in statements) or "nothing"
        return None, [Fault(source.file, 1, f"holds {kinds}.", "A mapping is one SELECT, and nothing else.")]
    return statements[0], []


def _tables(query: exp.Query) -> Iterator[tuple[str, exp.Table]]:
    """Tables read that are not the query's own WITH."""
    own = {cte.alias_or_name.lower() for cte in query.find_all(exp.CTE)}
    for node in query.find_all(exp.Table):
        if not (node.name.lower() in own and not node.db):
            yield node.name if isinstance(node.this, exp.Identifier) else "", node


def _line(node: exp.Expression) -> int | None:
    for part in node.walk():
        if "line" in part.meta:
            return int(part.meta["line"])
    return None


def _forbidden(source: SourceMapping, query: exp.Query) -> Iterator[Fault]:
    for node in query.find_all(exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        if FORBIDDEN.fullmatch(name) or isinstance(node, exp.Rand | exp.CurrentDate | exp.CurrentTimestamp):
            yield Fault(
                source.file, _line(node), f"calls {name.lower()}().",
                "A mapping reads the inputs named in backbook.toml only: no files, no settings, no clock, no chance.",
            )  # fmt: skip


def _unknown_inputs(source: SourceMapping, reads: dict[str, exp.Table], inputs: Collection[str]) -> Iterator[Fault]:
    known = {name.lower() for name in inputs}
    for name, node in reads.items():
        if name.lower() in known and not node.db and not node.catalog:
            continue
        if not name:
            if any(FORBIDDEN.fullmatch(_function_name(one)) for one in node.find_all(exp.Func)):
                continue
            found = f"reads {node.sql(dialect=DIALECT)}."
        else:
            found = f"reads '{node.sql(dialect=DIALECT)}', which is not an input of backbook.toml."
        close = get_close_matches(name, list(inputs), n=1)
        hint = f"Did you mean '{close[0]}'?" if close else f"Inputs: {', '.join(sorted(inputs)) or 'none'}."
        yield Fault(source.file, _line(node), found, hint)


def _function_name(node: exp.Func) -> str:
    return str(node.name if isinstance(node, exp.Anonymous) else node.sql_name())


def _columns(source: SourceMapping, table: Table, query: exp.Query) -> Iterator[Fault]:
    """Columns that the table does not have, or that it needs and the mapping does not give."""
    if query.find(exp.Star) and any(isinstance(one, exp.Star) or one.find(exp.Star) for one in query.selects):
        return
    yield from column_faults(source, table, [name for name in query.named_selects])


def column_faults(source: SourceMapping, table: Table, given: Collection[str]) -> Iterator[Fault]:
    names = {name.lower() for name in given}
    for name in given:
        if name.lower() in PLACES or name in table or (table.name == "attribute" and name):
            continue
        if by_person(table) and name in ("system", "party_id"):
            continue
        close = get_close_matches(name.lower(), [column.name for column in table], n=1)
        hint = f"Did you mean '{close[0]}'?" if close else f"Columns: {', '.join(column.name for column in table)}."
        yield Fault(
            source.file, _line_of(source.text, name), f"gives '{name}', which `{table.name}` does not have.", hint
        )
    for column in table:
        if not column.required or column.name in names or column.name == "known_on":
            continue
        if column.name == "account_id" and {"system", "party_id"} <= names:
            continue
        yield Fault(
            source.file, None, f"does not give '{column.name}' ({column.zh}), which `{table.name}` needs.",
            f"Add … AS {column.name}.",
        )  # fmt: skip
    if table.one_of and not any(set(group) <= names for group in table.one_of):
        groups = " or ".join(" and ".join(group) for group in table.one_of)
        yield Fault(source.file, None, f"gives neither {groups}, of which `{table.name}` needs one.")


def by_person(table: Table) -> bool:
    """True where a mapping may give the person in place of the account (accounts are then made)."""
    return "account_id" in table and "system" not in table


def _line_of(text: str, name: str) -> int | None:
    for number, line in enumerate(text.splitlines(), start=1):
        if name and re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", line):
            return number
    return None


def with_places(query: exp.Query, inputs: Collection[str]) -> str:
    """The query's text, with `_file`, `_row` and `_known_on` carried through where its form allows it."""
    copy = query.copy()
    known = {name.lower() for name in inputs}
    return str((copy if _carry(copy, known, {}) else query).sql(dialect=DIALECT, comments=False))


def _carry(query: Any, inputs: set[str], above: dict[str, Any]) -> bool:
    """Add the places to the query's columns, in place; False when they cannot be known for each row."""
    named = {**above, **{cte.alias_or_name.lower(): cte.this for cte in query.ctes}}
    if isinstance(query, exp.Union) and not query.args.get("distinct"):
        return _carry(query.left, inputs, named) and _carry(query.right, inputs, named)
    if isinstance(query, exp.Subquery):
        return _carry(query.this, inputs, named)
    if not isinstance(query, exp.Select) or query.args.get("group") or query.args.get("distinct"):
        return False
    if query.meta.get("carried"):
        return True
    if any(one for part in query.selects for one in part.find_all(exp.AggFunc) if not one.find_ancestor(exp.Window)):
        return False
    if any(isinstance(one, exp.Star) or one.find(exp.Star) for one in query.selects):
        return _carried_by_star(query, inputs, named)
    source = query.args.get("from_") or query.args.get("from")
    if source is None or not _has_places(source.this, inputs, named):
        return False
    given = {name.lower() for name in query.named_selects}
    for place in PLACES:
        if place not in given:
            query.select(exp.column(place, table=source.this.alias_or_name), copy=False)
    query.meta["carried"] = True
    return True


def _has_places(source: Any, inputs: set[str], named: dict[str, Any]) -> bool:
    if isinstance(source, exp.Subquery):
        return bool(source.alias) and _carry(source.this, inputs, named)
    if not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier):
        return False
    inner = named.get(source.name.lower())
    if inner is not None:
        return _carry(inner, inputs, {name: one for name, one in named.items() if one is not inner})
    return source.name.lower() in inputs


def _carried_by_star(query: exp.Select, inputs: set[str], named: dict[str, Any]) -> bool:
    """A star over one source brings the places along when the source has them."""
    source = query.args.get("from_") or query.args.get("from")
    if source is None or query.args.get("joins") or not any(isinstance(one, exp.Star) for one in query.selects):
        return False
    return _has_places(source.this, inputs, named)
