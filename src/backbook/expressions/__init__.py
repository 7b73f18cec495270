"""The one language for conditions, and its law.

A tag, a target, a population, a strategy branch, an offer's eligibility are all the same thing: a SQL scalar
expression over named columns, in English or Chinese words. `parse` checks it against a closed list of names,
functions and types; then it runs over a whole book (`Expression.ibis`) or for one customer
(`Expression.python`), with the same answer.

The law. Every expression has a value for every row: true, false, a value of its type, or null, which means *not
known*. Nothing raises.

- Types: whole (int64), money (DECIMAL(18,2)), number (finite double), text, date, time (contract tables), yes/no.
- Whole with whole is whole; money ± money, money ± whole and money × whole are money, exactly; every division and
  every product with a number (or of money with money) is a number. A written number of at most two decimals is money
  next to money. `money(x)` rounds back, half away from zero.
- Null in, null out, for every operator and function (least and greatest too), but for `and`, `or`, `in`, `between`
  (Kleene's three values), `is null`, `coalesce`, and `case`, where a condition that is not known does not hold.
- x/0, ln of x ≤ 0, overflow of a type, NaN, infinity (in a column too) and a failed conversion are null.
- Text compares by code point, as UTF-8 bytes do. Dates run from 0001-01-01 to 9999-12-31.
"""

from __future__ import annotations

from .decision_table import Branch, FirstMatch, first_match
from .expression import Expression, parse
from .functions import Function, functions
from .names import Level, Name, Names, Type

__all__ = [
    "Branch",
    "Expression",
    "FirstMatch",
    "Function",
    "Level",
    "Name",
    "Names",
    "Type",
    "first_match",
    "functions",
    "parse",
]
