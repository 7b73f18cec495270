"""What a bank's data make impossible, by name, with what it would need; never guessed and never a crash.

A column that the bank does not deliver is null for everyone. Whatever is then null for everyone is not
available: `coalesce(balance, statement_balance)` is, as long as one of the two is delivered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from backbook.customer.definition import Feature
from backbook.customer.order import in_order
from backbook.customer.reader import Reader
from backbook.customer.registry import Attribute
from backbook.customer.relations import OTHER, known_kinds, needs
from backbook.expressions import Expression
from backbook.expressions.nodes import Node
from backbook.sources.contract import TABLES


@dataclass(frozen=True)
class Missing:
    """A definition that cannot be had from this bank's data, and what it needs."""

    kind: str
    id: str
    needs: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.id}' needs {self.needs}"


def not_available(
    features: Iterable[Feature], reader: Reader, as_of: date, *, known_by: date | None = None
) -> list[Missing]:
    """The measured features that are null for every unit at `as_of`, with what each needs."""
    features, found = list(features), []
    kinds = known_kinds(reader, as_of) if any(feature.is_over_ties for feature in features) else {}
    for feature in features:
        lacks = None
        if feature.is_over_ties:
            lacks = needs(str(feature.table), [condition.node for condition in _filters(feature)], kinds)
        elif feature.measure:
            lacks = _needs(feature, reader, as_of, known_by or as_of)
        if lacks is not None:
            found.append(Missing(feature.kind, feature.id, lacks))
    return found


def _filters(feature: Feature) -> list[Expression]:
    return [condition for condition in (feature.filter, feature.within) if condition is not None]


def _needs(feature: Feature, reader: Reader, as_of: date, known_by: date) -> str | None:
    assert feature.table is not None and feature.window is not None
    table = source(feature, reader)
    if table is None or not reader.has(table):
        columns = ", ".join(sorted(feature.columns - {"as_of"})) if feature.table == "attribute" else ""
        return f"`{feature.table}`" + (f" with {columns}" if columns else "")
    empty = _empty(feature, reader.filled(table))
    if empty:
        return ", ".join(f"`{feature.table}.{column}`" for column in sorted(empty))
    if feature.window.last(as_of) > known_by:
        return f"what is known by {feature.window.last(as_of)}"
    if TABLES[feature.table.partition(".")[0]].form == "history":
        # An extract tells the dates of what happened before it, too.
        return None
    begins, first = feature.window.first(as_of), reader.first_day(table)
    if begins is not None and (first is None or first > begins):
        return f"`{feature.table}` from {begins}"
    return None


def _empty(feature: Feature, filled: frozenset[str]) -> set[str]:
    """The columns for want of which the feature is null, or counts what no row can say."""
    lacking = {column for column in feature.columns if column != "as_of" and feature.delivered(column) not in filled}
    empty = (
        set(feature.of.reads & lacking) if feature.of is not None and always_null(feature.of.node, lacking) else set()
    )
    for condition in _filters(feature):
        if never_true(condition.node, lacking):
            empty |= condition.reads & lacking
    if feature.dated is not None and feature.dated not in filled:
        empty.add(feature.dated)
    return {feature.delivered(column) for column in empty}


def source(feature: Feature, reader: Reader) -> str | None:
    """The lake's table: the contract's name, or the wide table that delivers the feature's columns."""
    if feature.table != "attribute":
        return feature.table
    return reader.wide_table_of(feature.columns - {"as_of"})


def always_null(node: Node, lacking: Iterable[str]) -> bool:
    """Whether an expression is null in every row when these columns are."""
    lacking = frozenset(lacking)
    match node.op:
        case "literal":
            return node.value is None
        case "name":
            return node.value in lacking
        case "is null" | "is not null":
            return False
        case "coalesce" | "and" | "or":
            return all(always_null(arg, lacking) for arg in node.args)
        case "case":
            # condition, result, …, with the last one alone when there is an else
            conditions = node.args[0 : len(node.args) - 1 : 2]
            results = [*node.args[1::2], *(node.args[-1:] if len(node.args) % 2 else ())]
            reachable = [not always_null(condition, lacking) for condition in conditions] + [True]
            return all(
                always_null(result, lacking) for result, reached in zip(results, reachable, strict=False) if reached
            )
        case "in" | "between":
            return always_null(node.args[0], lacking)
        case _:
            return any(always_null(arg, lacking) for arg in node.args)


def never_true(node: Node, lacking: Iterable[str]) -> bool:
    """Whether a condition holds in no row, because these columns are null in each."""
    lacking = frozenset(lacking)
    if node.op == "and":
        return any(never_true(arg, lacking) for arg in node.args)
    if node.op == "or":
        return all(never_true(arg, lacking) for arg in node.args)
    return always_null(node, lacking)


def missing_definitions(
    features: Sequence[Feature],
    attributes: Sequence[Attribute],
    reader: Reader,
    as_of: date,
    *more: Any,
    known_by: date | None = None,
) -> list[Missing]:
    """All that this bank's data make impossible at `as_of`: features, attributes, and `more` (tags, segments).

    Outcomes look ahead of `as_of`, and are those known by a later day.
    """
    found = not_available(features, reader, as_of, known_by=known_by)
    found += [
        Missing("attribute", id_, f"`attribute` with {id_}")
        for id_ in not_delivered([one for one in attributes if one.purpose != "outcome"], reader)
    ]
    found += outlived([one for one in attributes if one.purpose != "outcome"], reader, as_of)
    lacking = {missing.id: missing.needs for missing in found}
    readers = {one.id: one for one in (*(one for one in features if one.reads and one.id not in lacking), *more)}
    names = {id_: {_bare(name) for name in one.reads} for id_, one in readers.items()}
    for id_ in in_order(names):
        one = readers[id_]
        lost = _lost_of_others(one, lacking) if isinstance(one, Feature) and one.is_over_ties else None
        lost = _lost(_conditions(one), lacking) if lost is None else lost
        if lost:
            lacking[id_] = "; ".join(dict.fromkeys(part for need in sorted(lost) for part in need.split("; ")))
            found.append(Missing(readers[id_].kind, id_, lacking[id_]))
    return found


def _conditions(reader: Any) -> list[Expression]:
    """What must be known: a segment says it itself; else the expression."""
    needed: list[Expression] | None = getattr(reader, "needed", None)
    return [reader.expression] if needed is None else needed


def _lost_of_others(feature: Feature, lacking: Mapping[str, str]) -> set[str]:
    """What a feature over ties lacks because the profile of the other customer does."""
    unknown = {name for name in feature.columns if name.startswith(OTHER) and _bare(name) in lacking}
    lost = [condition for condition in _filters(feature) if never_true(condition.node, unknown)]
    if feature.of is not None and always_null(feature.of.node, unknown):
        lost.append(feature.of)
    return {lacking[_bare(name)] for one in lost for name in one.reads if name in unknown}


def _lost(conditions: Sequence[Expression], lacking: Mapping[str, str]) -> set[str]:
    lost = [one for one in conditions if always_null(one.node, {name for name in one.reads if _bare(name) in lacking})]
    return {lacking[_bare(name)] for one in lost for name in one.reads if _bare(name) in lacking}


def _bare(name: str) -> str:
    return name.rpartition(".")[2]


def outlived(attributes: Sequence[Attribute], reader: Reader, as_of: date) -> list[Missing]:
    """The declared attributes whose every value is older than it may be: null for everybody, and said so."""
    found = []
    for one in attributes:
        wide = next((wide for wide in reader.wide_tables() if one.id in reader.filled(wide)), None)
        rows = reader.rows(wide, as_of) if wide is not None and one.valid_days is not None else None
        if rows is None or one.valid_days is None:
            continue
        latest = reader.engine.rows(rows.aggregate(latest=rows.known_on.max(where=rows[one.id].notnull())))[0]["latest"]
        oldest = as_of - timedelta(days=one.valid_days)
        if latest is not None and latest < oldest:
            needs = f"`attribute.{one.id}` of {oldest} or later: the latest is of {latest}, and it holds for {one.valid_days} days"
            found.append(Missing("attribute", one.id, needs))
    return found


def not_delivered(attributes: Sequence[Attribute], reader: Reader) -> list[str]:
    """The declared attributes that no wide table holds."""
    delivered: frozenset[str] = frozenset().union(*(reader.filled(wide) for wide in reader.wide_tables()))
    return [one.id for one in attributes if one.id not in delivered]
