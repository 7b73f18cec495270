"""Why a tag holds: the bank's own rows that its evidence features counted.

The rows come out of the very pass of the measure (its table, its owner, its filter, its window), so evidence cannot say
something else than the measure, and holds nothing that was not known at `as_of`. What people wrote is cut short and its
numbers are masked: a merchant may bear a person's name, and a topic a telephone number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa

from backbook.customer.definition import ACCOUNT, Feature
from backbook.customer.features import looked_at
from backbook.customer.passes import CYCLE, UNIT, Pass, day_of
from backbook.customer.reader import Reader
from backbook.customer.tags import Tag
from backbook.customer.units import Units, units
from backbook.customer.window import CYCLES
from backbook.expressions import Level
from backbook.sources.table import Column, Table

AT_MOST = 20
LONGEST = 16
# Columns that say what a row is, how much it is about, and with whom; the first that a row fills is shown.
SAYS = ("kind", "name", "benefit", "channel", "result")
AMOUNTS = ("amount", "closing_balance", "total_balance", "principal", "points", "cost")
WITH = ("merchant", "partner", "offer", "topic")
# From so many digits on it may be a telephone, an account or a document.
_NUMBERS = re.compile(r"\d{4,}")


@dataclass(frozen=True)
class Row:
    """One row that counted.

    `what` and `category` are (zh, en): what the row is, and the word that is looked up or measured; `measured` is the
    value that the feature takes of it.
    """

    on: date | None
    what: tuple[str, str]
    amount: Any
    category: tuple[str, str] | None
    place: str | None
    row: str | None
    measured: Any


@dataclass(frozen=True)
class Counted:
    """The rows that one feature counted, the newest first; `total` is how many there are, also those not shown."""

    feature: Feature
    rows: tuple[Row, ...]
    total: int


def evidence(
    tag: Tag,
    features: Sequence[Feature],
    reader: Reader,
    as_of: date,
    unit: str,
    whose: Units | None = None,
    *,
    at_most: int = AT_MOST,
) -> list[Counted]:
    """What each evidence feature of a tag counted for one account or customer, `unit`, by the tag's grain.

    A feature of accounts under a tag of customers shows the rows of all their accounts. `whose` are the customer's
    units, where they are known already.
    """
    key = f"{tag.grain}_id"
    whose = whose or units(reader, as_of, only=reader.engine.table(pa.table({key: pa.array([unit], pa.string())})))
    by_id = {feature.id: feature for feature in features}
    named = [by_id[name] for name in tag.evidence if name in by_id]
    return [
        counted(each, reader, as_of, whose, unit if each.grain == tag.grain == ACCOUNT else None, at_most=at_most)
        for each in named
    ]


def counted(
    feature: Feature, reader: Reader, as_of: date, whose: Units, account: str | None = None, *, at_most: int = AT_MOST
) -> Counted:
    """The rows of `whose`, or of one account of theirs, that a measured feature counted."""
    over = looked_at(feature, reader, as_of, whose)
    if over is None:
        return Counted(feature, (), 0)
    found = reader.engine.rows(_counting(feature, over, account))
    if feature.measure == "streak":
        found = _unbroken(found)
    key = [column for column in over.table.key if column in over.rows.columns]
    if feature.measure == "latest":
        found = _last(found, [*([over.table.event] if over.table.event else []), "known_on", *key])
    found.sort(key=lambda row: (row["_on"] or date.min, *(str(row[column]) for column in key)), reverse=True)
    return Counted(feature, tuple(_shown(feature, over.table, row) for row in found[:at_most]), len(found))


def _counting(feature: Feature, over: Pass, account: str | None) -> Any:
    where = over.where(feature, feature.filter, feature.within)
    rows = over.rows.mutate(
        _on=_day(feature, over),
        _measured=feature.of.ibis(over.rows) if feature.of is not None else ibis.null("int64"),
        _step=_step(feature, over),
    )
    rows = rows if where is None else rows.filter(where)
    rows = rows if account is None else rows.filter(rows[UNIT] == account)
    # The latest row counts also where it leaves empty what is asked; everywhere else such a row says nothing.
    return rows if feature.of is None or feature.measure == "latest" else rows.filter(rows["_measured"].notnull())


def _day(feature: Feature, over: Pass) -> Any:
    named = feature.dated is not None or over.table.event is not None
    return day_of(over.event(feature)) if named else over.rows["known_on"]


def _step(feature: Feature, over: Pass) -> Any:
    """How many cycles or months back a row of a streak lies, from 1."""
    if feature.measure != "streak":
        return ibis.null("int64")
    assert feature.window is not None
    return over.rows[CYCLE] if feature.window.unit == CYCLES else 1 - over.months_after(feature)


def _last(rows: Sequence[dict[str, Any]], by: Sequence[str]) -> list[dict[str, Any]]:
    """Of each unit the one row that gives the latest value; the order is that of `Pass.last`."""
    last: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: [(row.get(column) is not None, row.get(column)) for column in by]):
        last[row[UNIT]] = row
    return list(last.values())


def _unbroken(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows since a streak was last broken: without a gap from the first step on."""
    steps: dict[str, set[int]] = {}
    for row in rows:
        steps.setdefault(row[UNIT], set()).add(row["_step"])
    length = {unit: next(n for n in range(len(held) + 1) if n + 1 not in held) for unit, held in steps.items()}
    return [row for row in rows if row["_step"] <= length[row[UNIT]]]


# ── in words ────────────────────────────────────────────────────────────────────────────────────────────────


def _shown(feature: Feature, table: Table, row: Mapping[str, Any]) -> Row:
    measured = row["_measured"]
    number = measured if isinstance(measured, int | float | Decimal) and not isinstance(measured, bool) else None
    amount = number if number is not None else _first(row, AMOUNTS)
    category = next((_level(each.levels, row.get(each.id)) for each in feature.lookups if row.get(each.id)), None)
    if category is None and isinstance(measured, str):
        # What is measured is a word itself: a city, a kind of product.
        category = _level(feature.levels, measured)
    ids = [name for name in table.key if name.endswith("_id") and name not in ("account_id", "party_id")]
    return Row(row["_on"], said(table, row), amount, category, cut(_first(row, WITH)), _first(row, ids), measured)


def said(table: Table, row: Mapping[str, Any]) -> tuple[str, str]:
    """What a row is, in both languages: its kind, else what its table is about.

    >>> from backbook.sources.contract import TABLES
    >>> said(TABLES["transaction"], {"kind": "purchase"}), said(TABLES["statement"], {})
    (('消费', 'Purchase'), ('账单', 'Statement'))
    """
    for name in SAYS:
        if name in table and row.get(name) is not None:
            return words(table[name], row[name])
    return table.zh, table.en


def words(column: Column, value: Any) -> tuple[str, str]:
    """A value of a contract column in both languages; the value itself where it has no words."""
    return _level(column.levels, value)


def _level(levels: Sequence[Level], value: Any) -> tuple[str, str]:
    found = next((level for level in levels if level.code == value), None)
    return (found.zh, found.en) if found else (cut(value) or "", cut(value) or "")


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def cut(text: Any) -> str | None:
    """What people wrote, short and without long numbers.

    >>> cut("张亮 13912345678 麻辣烫"), cut("a very long name of a merchant"), cut(None)
    ('张亮 **** 麻辣烫', 'a very long name…', None)
    """
    if text is None:
        return None
    told = _NUMBERS.sub("****", " ".join(str(text).split()))
    return told if len(told) <= LONGEST else told[:LONGEST].rstrip() + "…"
