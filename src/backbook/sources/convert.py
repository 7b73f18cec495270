"""Text becomes typed columns; what cannot become one is a reason, never a silent null.

Everything here is SQL text for the engine: one value expression and one fault expression per column.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from backbook.expressions import Type
from backbook.sources.table import Column

SQL_TYPES = {
    Type.WHOLE: "BIGINT",
    Type.MONEY: "DECIMAL(18,2)",
    Type.NUMBER: "DOUBLE",
    Type.TEXT: "VARCHAR",
    Type.DATE: "DATE",
    Type.TIME: "TIMESTAMP",
    Type.YESNO: "BOOLEAN",
}
WHAT = {
    Type.WHOLE: "a whole number",
    Type.MONEY: "an amount of money",
    Type.NUMBER: "a number",
    Type.TEXT: "text",
    Type.DATE: "a date",
    Type.TIME: "a time",
    Type.YESNO: "yes or no",
}
YES = ("true", "t", "yes", "y", "1", "是", "有")
NO = ("false", "f", "no", "n", "0", "否", "无")
# How banks write "no date"; years from 2999 on are their "never ends".
NO_DATES = ("0", "00000000", "0000-00-00", "0000/00/00", "0001-01-01", "00010101")
NEVER = date(2999, 1, 1)
# As in 1,234,567.89 and -1,234.
GROUPED = r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?"
WHOLE = r"[+-]?\d+(\.0*)?"
ISO_TIME = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T]\d{1,2}:\d\d(:\d\d(\.\d+)?)?)?"
OFFSET = r"(?i).*\d\s*(z|utc|[+-]\d\d(:?\d\d)?)"
DATE_FORMS = ("%Y%m%d", "%Y-%m", "%Y年%m月%d日")
TIME_FORMS = (
    "%Y%m%d%H%M%S",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d %H%M%S",
    "%Y%m%d",
    "%Y-%m-%d-%H.%M.%S.%f",
    "%Y/%m/%d %H:%M",
    "%Y年%m月%d日 %H:%M:%S",
)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def cleaned(column: str) -> str:
    """The value as text without the blanks around it, null when nothing stands there."""
    text = f"{name(column)}::VARCHAR"
    # Most values hold no blank at all, and looking for one is three times as fast as trimming.
    return f"CASE WHEN {text} = '' THEN NULL WHEN contains({text}, ' ') THEN nullif(trim({text}), '') ELSE {text} END"


def value(column: Column, text: str, zone: str) -> str:
    """The typed value of cleaned text `text`; null when it cannot be one."""
    if column.type is Type.TEXT:
        return _level(column, text)
    if column.type is Type.YESNO:
        yes, no = (", ".join(map(quoted, words)) for words in (YES, NO))
        return f"CASE WHEN lower({text}) IN ({yes}) THEN true WHEN lower({text}) IN ({no}) THEN false END"
    if column.type is Type.DATE:
        return _date(text)
    if column.type is Type.TIME:
        return _time(text, zone)
    return _number(column.type, text)


def _level(column: Column, text: str) -> str:
    """A level may be written by its code or by its Chinese name."""
    words = [(level.code, level.zh) for level in column.levels if level.zh and level.zh != level.code]
    if not words:
        return text
    codes = ", ".join(quoted(level.code) for level in column.levels)
    meant = " ".join(f"WHEN {quoted(zh)} THEN {quoted(code)}" for code, zh in words)
    return f"CASE WHEN {text} IN ({codes}) THEN {text} ELSE CASE {text} {meant} ELSE {text} END END"


def _number(type: Type, text: str) -> str:
    """The engine's own cast where it is exact; what it refuses may still be written in groups of three."""
    kind = SQL_TYPES[type]
    slow = f"CASE WHEN regexp_full_match({text}, '{GROUPED}') THEN TRY_CAST(replace({text}, ',', '') AS {kind}) END"
    if type is Type.WHOLE:
        # The cast would round 12.7 to 13.
        return (
            f"CASE WHEN contains({text}, '.') THEN "
            f"CASE WHEN regexp_full_match({text}, '{WHOLE}') THEN TRY_CAST({text} AS {kind}) END "
            f"ELSE coalesce(TRY_CAST({text} AS {kind}), {slow}) END"
        )
    value = f"coalesce(TRY_CAST({text} AS {kind}), {slow})"
    return f"CASE WHEN isfinite({value}) THEN {value} END" if type is Type.NUMBER else value


def no_date(text: str) -> str:
    """True for what stands for no date at all."""
    return f"({text} IN ({', '.join(map(quoted, NO_DATES))}))"


def _digits(text: str, *places: tuple[int, int]) -> str:
    """Groups of digits cut out of a whole number by arithmetic, which is much faster than cutting text."""
    return ", ".join(f"TRY_CAST({text} AS BIGINT) // {10**right} % {10**width}" for right, width in places)


def _date(text: str) -> str:
    forms = ", ".join(map(quoted, DATE_FORMS))
    return (
        f"CASE strlen({text}) WHEN 10 THEN TRY_CAST({text} AS DATE) "
        f"WHEN 8 THEN coalesce(TRY(make_date({_digits(text, (4, 4), (2, 2), (0, 2))})), TRY_CAST({text} AS DATE)) "
        f"ELSE coalesce(CASE WHEN regexp_matches({text}, '^\\d{{4}}[-/]\\d{{1,2}}[-/]\\d{{1,2}}($|[ T])') "
        f"THEN TRY_CAST({text} AS DATE) END, TRY_STRPTIME({text}, [{forms}])::DATE) END"
    )


def _time(text: str, zone: str) -> str:
    forms = ", ".join(map(quoted, TIME_FORMS))
    compact = _digits(text, (10, 4), (8, 2), (6, 2), (4, 2), (2, 2), (0, 2))
    return (
        f"coalesce(CASE WHEN strlen({text}) IN (10, 19) AND NOT contains({text}, '+') THEN TRY_CAST({text} AS TIMESTAMP) END, "
        f"CASE WHEN strlen({text}) = 14 AND TRY_CAST({text} AS BIGINT) IS NOT NULL THEN TRY(make_timestamp({compact})) "
        f"WHEN regexp_full_match({text}, '{OFFSET}') AND contains({text}, ':') "
        f"THEN TRY_CAST({text} AS TIMESTAMPTZ) AT TIME ZONE {quoted(zone)} "
        f"WHEN regexp_full_match({text}, '{ISO_TIME}') THEN TRY_CAST({text} AS TIMESTAMP) "
        f"ELSE TRY_STRPTIME({text}, [{forms}]) END)"
    )


def ended(column: Column, typed: str) -> str:
    """Dates that mean "never" are no dates."""
    if column.type not in (Type.DATE, Type.TIME):
        return typed
    return f"CASE WHEN {typed} >= DATE '1000-01-01' AND {typed} < DATE '{NEVER}' THEN {typed} END"


def shown(column: Column, text: str) -> str:
    """A value as a reason may show it: short, never a private one, digits of a card number masked."""
    if column.private:
        return "'…'"
    short = f"CASE WHEN length({text}) > 40 THEN left({text}, 39) || '…' ELSE {text} END"
    return f"regexp_replace({short}, '\\d{{9,}}(\\d{{4}})', '…\\1', 'g')"


def faults(column: Column, text: str, typed: str) -> list[tuple[str, str]]:
    """(condition, reason) pairs as SQL: wrong type, unknown level, required and missing."""
    label = f"{column.name} ({column.zh})"
    found = []
    if column.type is not Type.TEXT:
        wrong = f"{text} IS NOT NULL AND {typed} IS NULL"
        if column.type in (Type.DATE, Type.TIME):
            wrong += f" AND NOT {no_date(text)}"
        found.append((wrong, f"{quoted(label + ' is not ' + WHAT[column.type] + ': ')} || {shown(column, text)}"))
    if column.levels:
        codes = ", ".join(quoted(level.code) for level in column.levels)
        possible = ", ".join(level.code for level in column.levels)
        found.append(
            (
                f"{typed} NOT IN ({codes})",
                f"{quoted(label + ' is not one of ' + possible + ': ')} || {shown(column, text)}",
            )
        )
    if column.required:
        found.append((f"{text} IS NULL", quoted(f"{label} is missing")))
    return found


def first_reasons(pairs: Sequence[tuple[str, str]]) -> str:
    """All reasons of a row in one text; null when there is none."""
    if not pairs:
        return "NULL::VARCHAR"
    cases = ", ".join(f"CASE WHEN {condition} THEN {reason} END" for condition, reason in pairs)
    return f"nullif(concat_ws('; ', {cases}), '')"
