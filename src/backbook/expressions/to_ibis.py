"""A whole book: a checked tree becomes an Ibis expression over a table's columns.

Where an engine would raise, overflow to infinity or round otherwise, the law is written out: whole numbers and
money are computed in wider decimals and tried back, doubles lose infinity and NaN by `nullif`. These forms
mention their argument once, so that nesting does not multiply the SQL; the few that cannot (rounding to digits,
least and greatest) are counted by `weight`, which `parse` limits.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from .law import BIT, BLANKS, MOST_HELP, WHOLE_LEAST
from .names import Type
from .nodes import LARGEST, Node, may_overflow, never_null, reach
from .to_python import pattern

WHOLE, MONEY, NUMBER = Type.WHOLE, Type.MONEY, Type.NUMBER
# nullable types as stored; a contract column of another width is tried into these
STORED: dict[Type, Any] = {
    Type.WHOLE: dt.int64,
    Type.MONEY: dt.Decimal(18, 2),
    Type.NUMBER: dt.float64,
    Type.TEXT: dt.string,
    Type.DATE: dt.date,
    Type.TIME: dt.Timestamp(scale=6),
    Type.YESNO: dt.boolean,
}
# Any int64, and any money, as decimals whose product still has at most 38 digits.
_WIDE, _WIDE_MONEY = dt.Decimal(19, 0), dt.Decimal(19, 2)
_SMALL = 2.0**31
_ZERO = ibis.literal(0.0, type="float64")
_FIRST_DAY, _LAST_DAY = date(1, 1, 1), date(9999, 12, 31)


@ibis.udf.scalar.builtin(name="floor")  # type: ignore[untyped-decorator]
def _floor(value: float) -> float:  # type: ignore[empty-body]
    """Ibis' own floor casts to int64, which raises for large doubles."""


@ibis.udf.scalar.builtin(name="floor")  # type: ignore[untyped-decorator]
def _floor_money(value: dt.Decimal(18, 2)) -> dt.Decimal(18, 0):  # type: ignore[empty-body, valid-type]
    """Ibis' own floor casts back to 18 digits, which raises for the least money."""


@ibis.udf.scalar.builtin(name="round")  # type: ignore[untyped-decorator]
def _nearest(value: float) -> float:  # type: ignore[empty-body]
    """Half away from zero, to a double; Ibis' own round casts to int64."""


@ibis.udf.scalar.builtin(name="last_day")  # type: ignore[untyped-decorator]
def _last_day(day: date) -> date:  # type: ignore[empty-body]
    """The last day of the month."""


def ibis_value(node: Node, table: Any) -> Any:
    """The node as an Ibis value over the columns of `table`."""
    value = _raw(node, table)
    return finite(value) if _may_be_infinite(node) else value


def _raw(node: Node, table: Any) -> Any:
    """The value, which may still be infinite or NaN where `_may_be_infinite` says so."""
    if node.op == "literal":
        return literal(node)
    if node.op in ("name", "finite name"):
        return column(node, table)
    args = [_argument(node, at, table) for at in range(len(node.args))]
    if node.op in _PLAIN:
        return _PLAIN[node.op](*args)
    return _MADE[node.op](node, args)


def _argument(node: Node, at: int, table: Any) -> Any:
    value = _raw(node.args[at], table)
    return finite(value) if _must_be_finite(node, at) else value


def _carries(node: Node) -> bool:
    """Whether infinity and NaN pass through the operation, so that one test after it is enough."""
    return node.op in ("+", "-", "*", "/", "negative", "abs", "number") and node.type is NUMBER


def _may_be_infinite(node: Node) -> bool:
    if node.type is not NUMBER:
        return False
    carried = node.args[:1] if node.op == "/" else node.args
    if _carries(node) and any(_may_be_infinite(arg) for arg in carried):
        return True
    return node.op in ("name", "+", "-", "*", "/", "exp", "round") and may_overflow(node)


def _must_be_finite(node: Node, at: int) -> bool:
    """Anything divided by infinity would be zero, so a divisor is tested before it is used."""
    carried = _carries(node) and not (node.op == "/" and at == 1)
    return not carried and _may_be_infinite(node.args[at])


def literal(node: Node) -> Any:
    value = node.value
    if isinstance(value, float):
        # A bare 2.675 would be a decimal first, and a long one would lose its last bit on the way.
        return ibis.literal(repr(value)).cast("float64")
    return ibis.literal(value, type=STORED[node.type])


def column(node: Node, table: Any) -> Any:
    value = table[node.value]
    if not _same(value.type(), node.type):
        value = value.try_cast(STORED[node.type])
    return value


def _same(found: Any, type: Type) -> bool:
    if type is Type.TIME:
        return bool(found.is_timestamp() and found.timezone is None)
    return bool(found(nullable=True) == STORED[type])


def finite(value: Any) -> Any:
    """Null for NaN and the infinities; NaN is above every number in both engines.

    The value is named twice and no more: three nested NULLIFs would name it eight times, and the planner's time
    grows with every copy (seconds for one rounded product).
    """
    most = ibis.literal(repr(LARGEST)).cast("float64")
    least = ibis.literal(repr(-LARGEST)).cast("float64")
    return value.between(least, most).ifelse(value, ibis.null("float64"))


def _sum(node: Node, args: list[Any]) -> Any:
    left, right = args
    if node.type is WHOLE and reach(node) < _SMALL:
        # Points of a card: nothing can overflow. An engine takes a small literal for 32 bits, so one side is widened.
        left = left.cast("int32").cast("int64")
        return left + right if node.op == "+" else left - right
    if node.type is not NUMBER:
        wide = _WIDE if node.type is WHOLE else _WIDE_MONEY
        left, right = left.cast(wide), right.cast(wide)
    value = left + right if node.op == "+" else left - right
    return value if node.type is NUMBER else value.try_cast(STORED[node.type])


def _product(node: Node, args: list[Any]) -> Any:
    left, right = args
    if node.type is NUMBER:
        return left * right
    # money × whole or whole × whole: at most 38 digits, exactly
    left = left.cast(_WIDE_MONEY if node.type is MONEY else _WIDE)
    return (left * right.cast(_WIDE)).try_cast(STORED[node.type])


def _quotient(node: Node, args: list[Any]) -> Any:
    above, below = args
    if not (node.args[1].op == "literal" and node.args[1].value):
        below = below.nullif(_ZERO)
    return above / below


def _signed(node: Node, args: list[Any]) -> Any:
    value = args[0]
    if node.type is WHOLE:
        # the one whole number whose negative is none
        value = value.nullif(ibis.literal(WHOLE_LEAST, type="int64"))
    return -value if node.op == "negative" else value.abs()


def _half_away(value: Any) -> Any:
    """`law.half_away`: the engine's round of a double, helped over the last two bits."""
    help = ibis.greatest(ibis.least(value * BIT, ibis.literal(MOST_HELP)), ibis.literal(-MOST_HELP))
    return _nearest(value + help)


def _round(node: Node, args: list[Any]) -> Any:
    value, digits = args[0], node.value
    if node.type is NUMBER:
        step = 10.0 ** abs(digits)
        return _half_away(value * step) / step if digits >= 0 else _half_away(value / step) * step
    if digits >= (2 if node.type is MONEY else 0):
        return value
    return _round_exact(value, digits, node.type)


def _round_exact(value: Any, digits: int, type: Type) -> Any:
    """Shift the point so that a cast between decimals does the rounding, half away from zero; shift back."""
    shift = -digits
    if shift < 0:
        return value.cast(dt.Decimal(19, 1)).try_cast(STORED[type])
    wide = value.cast(_WIDE if type is WHOLE else _WIDE_MONEY)
    if shift:
        wide = wide * ibis.literal(Decimal(1).scaleb(-shift), type=dt.Decimal(19, shift))
    rounded = wide.cast(dt.Decimal(38, shift + 2)).cast(_WIDE)
    if shift:
        rounded = rounded * ibis.literal(10**shift, type=_WIDE)
    return rounded.try_cast(STORED[type])


def _floor_ceil(node: Node, args: list[Any]) -> Any:
    value = args[0]
    if node.type is WHOLE:
        return value
    if node.type is NUMBER:
        return _floor(value) if node.op == "floor" else -_floor(-value)
    return (_floor_money(value) if node.op == "floor" else -_floor_money(-value)).try_cast(STORED[MONEY])


def _money(node: Node, args: list[Any]) -> Any:
    if node.args[0].type is MONEY:
        return args[0]
    cents = _half_away(args[0] * 100.0).try_cast("int64")
    cent = ibis.literal(Decimal("0.01"), type=_WIDE_MONEY)
    return (cents.cast(_WIDE) * cent).try_cast(STORED[MONEY])


def _whole(node: Node, args: list[Any]) -> Any:
    match node.args[0].type:
        case Type.WHOLE:
            return args[0]
        case Type.MONEY:
            return args[0].cast(_WIDE).cast("int64")
    return _half_away(args[0]).try_cast("int64")


def _least_greatest(node: Node, args: list[Any]) -> Any:
    """Engines pass over nulls here; the law does not: what is not known could have been the least."""
    chosen = ibis.least(*args) if node.op == "least" else ibis.greatest(*args)
    unknown = [value.isnull() for value, arg in zip(args, node.args, strict=True) if not never_null(arg)]
    if not unknown:
        return chosen
    return ibis.or_(*unknown).ifelse(ibis.null(STORED[node.type]), chosen)


def _case(node: Node, args: list[Any]) -> Any:
    has_else = len(args) % 2 == 1
    pairs = args[:-1] if has_else else args
    branches = list(zip(pairs[::2], pairs[1::2], strict=True))
    last = args[-1] if has_else else ibis.null(STORED[node.type])
    return ibis.cases(*branches, else_=last)


def _shifted(node: Node, args: list[Any]) -> Any:
    """Days added or taken away; outside the years 1 to 9999 there is no date."""
    day, days = args
    if node.op == "date - days":
        days = -days.nullif(ibis.literal(WHOLE_LEAST, type="int64"))
    # No two dates are further apart, and the engine's day counts are of 32 bits.
    # No two dates are further apart than seven digits of days; the engine's day counts are of 32 bits.
    days = days.try_cast(dt.Decimal(7, 0)).cast("int32")
    moved = (day + days.as_interval("D")).cast("date")
    first, last = ibis.literal(_FIRST_DAY), ibis.literal(_LAST_DAY)
    return moved.between(first, last).ifelse(moved, ibis.null("date"))


def _months(node: Node, args: list[Any]) -> Any:
    start, end = args
    months = (end.year() - start.year()) * 12 + (end.month() - start.month())
    complete = (end.day() >= start.day()) | (end == _last_day(end))
    return (months - complete.ifelse(0, 1)).cast("int64")


def _like(node: Node, args: list[Any]) -> Any:
    text, parts = args[0], node.value
    plain = [part for part in parts if part]
    if not parts:
        return text == ""
    if len(plain) == 1 and "" not in parts:
        match parts:
            case (str(),):
                return text == plain[0]
            case (str(), None):
                return text.startswith(plain[0])
            case (None, str()):
                return text.endswith(plain[0])
            case (None, str(), None):
                return text.contains(plain[0])
    return text.re_search(rf"\A(?s:{pattern(parts)})\z")


def _letters(upper: bool) -> Callable[[Any], Any]:
    big, small = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
    return lambda text: text.translate(small, big) if upper else text.translate(big, small)


def _substring(node: Node, args: list[Any]) -> Any:
    start, *length = node.value
    return args[0].substr(start - 1, *length)


def _trim(text: Any) -> Any:
    return text.re_replace(rf"\A[{BLANKS}]+|[{BLANKS}]+\z", "")


def _replaced(text: Any, old: Any, new: Any) -> Any:
    return text.replace(old, new)


def _concat(node: Node, args: list[Any]) -> Any:
    joined = args[0]
    for arg in args[1:]:
        joined = joined + arg
    return joined


# Operations that need only their arguments.
_PLAIN: dict[str, Callable[..., Any]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "and": lambda *args: ibis.and_(*args),
    "or": lambda *args: ibis.or_(*args),
    # Not `~a`: Ibis writes NOT (a) IS NULL for what should be (NOT a) IS NULL, and engines read NOT (a IS NULL).
    "not": lambda a: a == ibis.literal(False),
    "is null": lambda a: a.isnull(),
    "is not null": lambda a: a.notnull(),
    "between": lambda a, low, high: a.between(low, high),
    "in": lambda a, *options: a.isin(options),
    "coalesce": lambda *args: ibis.coalesce(*args),
    "number": lambda a: a,
    "as_number": lambda a: a.cast("float64"),
    "as_money": lambda a: a.try_cast(STORED[MONEY]),
    "ln": lambda a: ibis.greatest(a, _ZERO).nullif(_ZERO).ln(),
    "exp": lambda a: a.exp(),
    "days_between": lambda start, end: end.delta(start, unit="day"),
    "year": lambda a: a.year().cast("int64"),
    "month": lambda a: a.month().cast("int64"),
    "day": lambda a: a.day().cast("int64"),
    "weekday": lambda a: (a.day_of_week.index() + 1).cast("int64"),
    "hour": lambda a: a.hour().cast("int64"),
    "date": lambda a: a.date(),
    "lower": _letters(upper=False),
    "upper": _letters(upper=True),
    "length": lambda a: a.length().cast("int64"),
    "trim": _trim,
    "starts_with": lambda a, b: a.startswith(b),
    "ends_with": lambda a, b: a.endswith(b),
    "contains": lambda a, b: a.contains(b),
    "replace": _replaced,
}
# Operations that also look at their types or written values.
_MADE: dict[str, Callable[[Node, list[Any]], Any]] = {
    "+": _sum,
    "-": _sum,
    "*": _product,
    "/": _quotient,
    "negative": _signed,
    "abs": _signed,
    "round": _round,
    "floor": _floor_ceil,
    "ceil": _floor_ceil,
    "money": _money,
    "whole": _whole,
    "least": _least_greatest,
    "greatest": _least_greatest,
    "case": _case,
    "like": _like,
    "substring": _substring,
    "concat": _concat,
    "date + days": _shifted,
    "date - days": _shifted,
    "months_between": _months,
}

# Operations whose compiled form mentions its arguments more than once (engines write NULLIF and CASE out).
_MENTIONS = {
    "round": 2, "money": 2, "whole": 2, "least": 2, "greatest": 2, "negative": 2, "abs": 2, "/": 2, "ln": 2,
    "date + days": 2, "date - days": 4, "months_between": 4,
}  # fmt: skip


def weight(node: Node) -> int:
    """About how many operations the compiled form has."""
    if node.op == "literal":
        return 0
    parts = (weight(arg) * (2 if _must_be_finite(node, at) else 1) for at, arg in enumerate(node.args))
    return 1 + _MENTIONS.get(node.op, 1) * sum(parts)
