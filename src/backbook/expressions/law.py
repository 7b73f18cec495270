"""What an operation means where Python by itself would raise, overflow or round otherwise.

The plain Python side of the law; `to_python.py` writes calls of these. Every function is given known values
(never None) and answers None where the law says that the result is not known.

Rounding is half away from zero, and a double that misses a half by its last two bits counts as a half: money(1.005)
is 1.01 and money(1.1 * 1.15) is 1.27, as on paper, although both doubles lie a hair below. ln and exp are those of the
platform's C library, which the engine calls too; their last bit may differ from one machine to another, which is
one reason why scores are rounded to six decimals before any threshold.
"""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import Any

CENT = Decimal("0.01")
WHOLE_LEAST, WHOLE_MOST = -(2**63), 2**63 - 1
MONEY_MOST = Decimal("9999999999999999.99")
# From here on doubles have no fraction that a rounding could take away.
NO_FRACTION = 2.0**52
# What half_away adds before it rounds: two units in the last place, and never a hundredth of what is rounded to.
BIT, MOST_HELP = 2.0**-51, 0.01
BLANKS = " \t\n\r\u3000"
EPOCH = date(1970, 1, 1)
# Wide enough for money × whole, so that no digit is lost before the overflow is seen.
EXACT = Context(prec=60)


def finite(value: float) -> float | None:
    return value if -math.inf < value < math.inf else None


def whole_fits(value: int) -> int | None:
    return value if WHOLE_LEAST <= value <= WHOLE_MOST else None


def money_fits(value: Decimal) -> Decimal | None:
    return value if -MONEY_MOST <= value <= MONEY_MOST else None


def whole_as_money(value: int) -> Decimal | None:
    return money_fits(Decimal(value).quantize(CENT, context=EXACT))


def divided(above: float, below: float) -> float | None:
    return finite(above / below) if below else None


def half_away(value: float) -> float:
    """To the nearest whole double, half away from zero; what misses a half by its last two bits is a half."""
    value += max(min(value * BIT, MOST_HELP), -MOST_HELP)
    size = abs(value)
    if size >= NO_FRACTION:
        return value
    low = math.floor(size)
    size = low + 1.0 if size - low >= 0.5 else float(low)
    return size if value >= 0 else -size


def round_number(value: float, digits: int) -> float | None:
    step = 10.0 ** abs(digits)
    if digits >= 0:
        value *= step
        return finite(half_away(value) / step) if -math.inf < value < math.inf else None
    return finite(half_away(value / step) * step)


def round_money(value: Decimal, digits: int) -> Decimal | None:
    if digits >= 2:
        return value
    rounded = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, context=EXACT)
    return money_fits(rounded.quantize(CENT, context=EXACT))


def round_whole(value: int, digits: int) -> int | None:
    if digits >= 0:
        return value
    step = 10**-digits
    low, rest = divmod(abs(value), step)
    rounded = (low + (2 * rest >= step)) * step
    return whole_fits(rounded if value >= 0 else -rounded)


def floor_number(value: float) -> float:
    return float(math.floor(value))


def ceil_number(value: float) -> float:
    return float(math.ceil(value))


def floor_money(value: Decimal) -> Decimal | None:
    return money_fits(value.to_integral_value(ROUND_FLOOR).quantize(CENT, context=EXACT))


def ceil_money(value: Decimal) -> Decimal | None:
    return money_fits(value.to_integral_value(ROUND_CEILING).quantize(CENT, context=EXACT))


def number_as_money(value: float) -> Decimal | None:
    cents = whole_fits(int(half_away(value * 100.0))) if abs(value) < 1e17 else None
    return None if cents is None else money_fits(Decimal(cents).scaleb(-2, context=EXACT))


def number_as_whole(value: float) -> int | None:
    return whole_fits(int(half_away(value)))


def money_as_whole(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP, context=EXACT))


def ln(value: float) -> float | None:
    return math.log(value) if value > 0 else None


def exp(value: float) -> float | None:
    try:
        return math.exp(value)
    except OverflowError:
        return None


def plus_days(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days)
    except OverflowError:
        return None


def minus_days(day: date, days: int) -> date | None:
    return plus_days(day, -days)


def months_between(start: date, end: date) -> int:
    """Complete months, rounded down; a month's last day completes it, so 31 January to 28 February is one."""
    months = (end.year - start.year) * 12 + end.month - start.month
    complete = end.day >= start.day or end.day == monthrange(end.year, end.month)[1]
    return months if complete else months - 1


_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def lower(text: str) -> str:
    """Only A to Z: other alphabets change case differently in every engine."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def upper(text: str) -> str:
    return text.upper() if text.isascii() else text.translate(_UPPER)


def replaced(text: str, old: str, new: str) -> str:
    return text.replace(old, new) if old else text


def within(value: Any, options: Sequence[Any]) -> bool | None:
    """Equal to one of the options; not known when none is equal and one is not known."""
    if value is None:
        return None
    if any(option is not None and option == value for option in options):
        return True
    return None if any(option is None for option in options) else False


def between(value: Any, low: Any, high: Any) -> bool | None:
    """At or above `low` and at or below `high`; one failed side is enough for no."""
    if value is None:
        return None
    if (low is not None and value < low) or (high is not None and value > high):
        return False
    return None if low is None or high is None else True
