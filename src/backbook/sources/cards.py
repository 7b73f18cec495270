"""No card number enters the lake.

A column in which many of the 13- to 19-digit values pass the Luhn test holds card numbers and is refused by name.
Single hits in free text are masked and counted. Valid 18-digit identity numbers are not card numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import comb
from typing import Any

import pyarrow as pa

from backbook.engine import Engine
from backbook.errors import BadData
from backbook.expressions import Type
from backbook.sources.convert import name, quoted
from backbook.sources.private import WEIGHTS, is_identity_number
from backbook.sources.stage import ID
from backbook.sources.table import Column

# One number in ten passes Luhn by chance.
CHANCE = 0.1
# A column with a larger share than this is refused …
MOST = 0.3
# … unless it is so short that chance alone would do it in one file of thirty.
LUCK = 0.03
DIGITS = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]*\d)")
# Of so many values the share that passes is known to a tenth of a percent.
ENOUGH = 100_000
# For the engine: text that may hold such a number.
MAYBE = r"\d([ -]?\d){12,}"
POWERS = [10**place for place in range(19)]


def passes_luhn(digits: str) -> bool:
    """
    >>> passes_luhn("4111111111111111"), passes_luhn("4111111111111112")
    (True, False)
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_card_number(digits: str) -> bool:
    return 13 <= len(digits) <= 19 and passes_luhn(digits) and not is_identity_number(digits)


def masked(text: str) -> str:
    """Free text with every card number but its last four digits covered.

    >>> masked("card 4111 1111 1111 1111, order 20261031000017")
    'card ****1111, order 20261031000017'
    """

    def cover(found: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", found[0])
        return f"****{digits[-4:]}" if is_card_number(digits) else found[0]

    return DIGITS.sub(cover, text)


def refuse_card_numbers(engine: Engine, rows: Any, columns: Sequence[Column], story: str) -> None:
    """Raises BadData that names every column which holds card numbers."""
    texts = [
        column for column in columns if column.type is Type.TEXT and not column.private and column.name in rows.columns
    ]
    if not texts:
        return
    long = {column: n for column, n in zip(texts, _long_values(engine, rows, texts), strict=True) if n}
    tested = {column: _passing(engine, rows, name(column.name), values) for column, values in long.items()}
    refused = [
        f"{story}: the column '{column.name}' ({column.zh}) holds card numbers: {passed:,} of {values:,} "
        "values with 13 to 19 digits pass the Luhn test. Run `backbook tokenise` over the file, or map the core's own "
        "account number or card token."
        for column, (passed, values) in tested.items()
        if _is_too_much(passed, values)
    ]
    if refused:
        raise BadData("\n".join(refused))


def _long_values(engine: Engine, rows: Any, columns: Sequence[Column]) -> list[int]:
    """How many values of each column are as long as card numbers."""
    counts = ", ".join(f"count(*) FILTER (WHERE strlen({name(column.name)}) BETWEEN 13 AND 19)" for column in columns)
    found: tuple[int, ...] = tuple(engine.ask(f"SELECT [{counts}] AS n FROM r", {"r": rows})[0]["n"])
    return list(found)


def _passing(engine: Engine, rows: Any, column: str, values: int) -> tuple[int, int]:
    """(values that pass, values looked at): all of them, or every k-th where there are very many."""
    every = values // ENOUGH + 1
    numbers = f"SELECT {column} AS t, TRY_CAST({column} AS UBIGINT) AS v FROM r WHERE strlen({column}) BETWEEN 13 AND 19 AND {ID} % {every} = 0"
    text = (
        f"SELECT count(*) AS n, count(*) FILTER (WHERE {_passes('v', 't')}) AS k FROM ({numbers}) WHERE v IS NOT NULL"
    )
    found = engine.ask(text, {"r": rows})[0]
    return int(found["k"]), int(found["n"])


def _is_too_much(passed: int, values: int) -> bool:
    if not values or passed <= MOST * values:
        return False
    if values > 200:
        return True
    return sum(comb(values, k) * CHANCE**k * (1 - CHANCE) ** (values - k) for k in range(passed, values + 1)) <= LUCK


def _passes(number: str, text: str) -> str:
    """Luhn as arithmetic on the whole number, which the engine does for millions of rows in a second."""
    digits = [f"({number} // {power} % 10)" for power in POWERS]
    single = " + ".join(digits[0::2])
    double = " + ".join(f"(2 * {digit} - CASE WHEN {digit} > 4 THEN 9 ELSE 0 END)" for digit in digits[1::2])
    return f"({single} + {double}) % 10 = 0 AND NOT (strlen({text}) = 18 AND {_is_identity(number)})"


def _is_identity(number: str) -> str:
    """Eighteen digits with a day of birth in them and the right check digit."""
    total = " + ".join(f"{weight} * ({number} // {10 ** (17 - place)} % 10)" for place, weight in enumerate(WEIGHTS))
    year, month, day = (f"({number} // {10**right} % {size})" for right, size in ((8, 10_000), (6, 100), (4, 100)))
    # X never stands in a number, so the check digit is one of the others.
    check = f"(12 - ({total}) % 11) % 11 = {number} % 10"
    return f"({year} BETWEEN 1850 AND 2100 AND {month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND 31 AND {check})"


def masked_rows(engine: Engine, rows: Any, columns: Sequence[Column]) -> tuple[Any, int]:
    """The rows with card numbers in free text covered, and how many values were changed."""
    changed = 0
    for column in columns:
        if not (column.free and column.type is Type.TEXT) or column.name not in rows.columns:
            continue
        quoted_name = name(column.name)
        suspects = engine.ask(
            f"SELECT {quoted_name} AS v, count(*) AS n FROM r WHERE strlen({quoted_name}) >= 13 "
            f"AND regexp_matches({quoted_name}, {quoted(MAYBE)}) GROUP BY v ORDER BY v",
            {"r": rows},
        )
        covered = [(one["v"], masked(one["v"]), one["n"]) for one in suspects if masked(one["v"]) != one["v"]]
        if covered:
            table = pa.table({"old": [one[0] for one in covered], "new": [one[1] for one in covered]})
            rows = engine.sql(
                f"SELECT r.* REPLACE (coalesce(c.new, r.{quoted_name}) AS {quoted_name}) FROM r LEFT JOIN c ON c.old = r.{quoted_name}",
                {"r": rows, "c": engine.table(table)},
            )
            changed += sum(one[2] for one in covered)
    return (engine.cached(rows) if changed else rows), changed
