"""Every measure once more in plain Python over lists of rows, exact and slow: the judge of the fast ones.

Conditions are judged by `Expression.python`; sums are Decimals, averages and slopes Fractions until the end.
"""

from __future__ import annotations

import calendar
import math
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from customer_book import Book, day_of

from backbook.customer.definition import Feature
from backbook.expressions import Type
from backbook.sources.contract import TABLES


def slow(feature: Feature, book: Book, as_of: date, account_id: str, known_by: date | None = None) -> Any:
    """The value of an account-grain feature over an account-keyed table."""
    known_by = known_by or as_of
    if feature.table not in book.tables or _last(feature, as_of) > known_by:
        return None
    first = _first(feature, as_of)
    begin = book.first_day(feature.table)
    if first is not None and (begin is None or begin > first):
        return None
    contract = TABLES[feature.table]
    rows = [row for row in book.known(feature.table, known_by) if row["account_id"] == account_id]
    if not feature.window.ahead:
        rows = [row for row in rows if day_of(row[contract.event]) <= as_of]
    rows.sort(key=lambda row: (row[contract.event], row["known_on"], *(str(row[key]) for key in contract.key)))
    for row in rows:
        row["as_of"] = as_of
    if feature.window.unit == "cycles":
        rows = rows[::-1]
        for place, row in enumerate(rows, start=1):
            row["_cycle"] = place
        if len(rows) < feature.window.size and not _born_within(book, account_id):
            return None
        rows = rows[: feature.window.size][::-1]
    elif first is not None:
        rows = [row for row in rows if first <= day_of(row[contract.event]) <= _last(feature, as_of)]
    holds = [row for row in rows if _true(feature.within, row) and _true(feature.filter, row)]
    value = MEASURES[feature.measure](feature, rows, holds, as_of, contract)
    return feature.none if value is None and feature.none is not None and not holds else value


def _born_within(book: Book, account_id: str) -> bool:
    opened = next(row["opened_on"] for row in book.tables["account"] if row["account_id"] == account_id)
    first = book.first_day("statement")
    return first is not None and opened >= first


def _first(feature: Feature, as_of: date) -> date | None:
    window = feature.window
    if window.unit == "days":
        return as_of + timedelta(days=window.gap + 1) if window.ahead else as_of - timedelta(days=window.size - 1)
    if window.unit == "months":
        return _month(as_of, window.gap + 1 if window.ahead else -(window.size - 1))
    return None


def _last(feature: Feature, as_of: date) -> date:
    window = feature.window
    if not window.ahead:
        return as_of
    if window.unit == "days":
        return as_of + timedelta(days=window.gap + window.size)
    start = _month(as_of, window.gap + window.size)
    return start.replace(day=calendar.monthrange(start.year, start.month)[1])


def _month(day: date, months: int) -> date:
    year, month = day.year, day.month + months
    while month < 1:
        year, month = year - 1, month + 12
    while month > 12:
        year, month = year + 1, month - 12
    return date(year, month, 1)


def _true(condition: Any, row: Any) -> bool:
    return condition is None or condition.python()(_cells(condition, row)) is True


def _of(feature: Feature, row: Any) -> Any:
    return feature.of.python()(_cells(feature.of, row))


def _cells(expression: Any, row: Any) -> dict[str, Any]:
    return {
        name: Decimal(str(row[name])) if isinstance(row.get(name), Decimal) else row.get(name)
        for name in expression.reads
    }


def _values(feature: Feature, rows: list[Any]) -> list[Any]:
    return [value for row in rows if (value := _of(feature, row)) is not None]


def _exact(value: Any) -> Decimal:
    return Decimal(repr(value)).quantize(Decimal("0.000001")) if isinstance(value, float) else Decimal(value)


def _count(feature, rows, holds, as_of, contract):  # type: ignore[no-untyped-def]
    return len(holds) if feature.of is None else len(_values(feature, holds))


def _sum(feature, rows, holds, as_of, contract):  # type: ignore[no-untyped-def]
    known = _values(feature, holds)
    if holds and not known and any(not contract[name].required for name in feature.of.reads):
        return None
    total = sum(map(_exact, known), Decimal(0))
    return int(total) if feature.type is Type.WHOLE else float(total) if feature.type is Type.NUMBER else total


def _average(feature, rows, holds, as_of, contract):  # type: ignore[no-untyped-def]
    known = [_exact(value) for value in _values(feature, holds)]
    return float(Fraction(sum(known)) / len(known)) if known else None


def _share(feature, rows, holds, as_of, contract):  # type: ignore[no-untyped-def]
    whole = [row for row in rows if _true(feature.within, row)]
    if feature.of is None:
        return len(holds) / len(whole) if whole else None
    total = sum(map(_exact, _values(feature, whole)), Decimal(0))
    return float(Fraction(sum(map(_exact, _values(feature, holds)), Decimal(0))) / Fraction(total)) if total else None


def _entropy(feature, rows, holds, as_of, contract):  # type: ignore[no-untyped-def]
    counts = Counter(_values(feature, holds)).values()
    total = sum(counts)
    return -sum(n / total * math.log(n / total) for n in counts) if total else None


def _days_since(feature, rows, holds, as_of, contract):  # type: ignore[no-untyped-def]
    days = [day_of(row[contract.event]) for row in holds]
    if not days:
        return None
    return (min(days) - as_of).days if feature.window.ahead else (as_of - max(days)).days


def _slope(feature, rows, holds, as_of, contract):  # type: ignore[no-untyped-def]
    points = [
        (_step(feature, row, as_of, contract), _exact(value))
        for row in holds
        if (value := _of(feature, row)) is not None
    ]
    xs, ys = [Fraction(x) for x, _ in points], [Fraction(y) for _, y in points]
    n = len(points)
    below = n * sum(x * x for x in xs) - sum(xs) ** 2
    return (
        float((n * sum(x * y for x, y in zip(xs, ys, strict=True)) - sum(xs) * sum(ys)) / below)
        if n and below
        else None
    )


def _step(feature, row, as_of, contract):  # type: ignore[no-untyped-def]
    day = day_of(row[contract.event])
    if feature.window.unit == "cycles":
        return -row["_cycle"]
    if feature.window.unit == "months":
        return day.year * 12 + day.month
    return (day - as_of).days


def _streak(feature, rows, holds, as_of, contract):  # type: ignore[no-untyped-def]
    length = 0
    if feature.window.unit == "cycles":
        for row in rows[::-1]:
            if not _true(feature.filter, row):
                break
            length += 1
        return length
    months = {(day_of(row[contract.event]).year, day_of(row[contract.event]).month) for row in holds}
    while length < feature.window.size and ((month := _month(as_of, -length)).year, month.month) in months:
        length += 1
    return length


MEASURES = {
    "count": _count,
    "sum": _sum,
    "min": lambda f, rows, holds, *_: min(_values(f, holds), default=None),
    "max": lambda f, rows, holds, *_: max(_values(f, holds), default=None),
    "average": _average,
    "distinct": lambda f, rows, holds, *_: len(set(_values(f, holds))),
    "share": _share,
    "entropy": _entropy,
    "days_since": _days_since,
    "slope": _slope,
    "streak": _streak,
    "latest": lambda f, rows, holds, *_: _of(f, holds[-1]) if holds else None,
}
