"""How a number is written: 1.23m in English, 123.4万 in Chinese; a dash where it is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

UNKNOWN = "–"

SCALES: dict[str, Sequence[tuple[float, str]]] = {
    "en": ((1e9, "bn"), (1e6, "m"), (1e3, "k")),
    "zh": ((1e8, "亿"), (1e4, "万")),
}


def count(value: Any, language: str) -> str:
    """A number of things, in full.

    >>> count(30000, "en"), count(None, "en")
    ('30,000', '–')
    """
    return UNKNOWN if value is None else f"{int(value):,}"


def short(value: Any, language: str) -> str:
    """Three digits and a scale.

    >>> short(1234567, "en"), short(1234567, "zh"), short(999, "en"), short(999_960, "en"), short(0, "zh")
    ('1.23m', '123万', '999', '1.00m', '0')
    """
    if value is None:
        return UNKNOWN
    number = float(value)
    for size, name in SCALES[language]:
        # 999,960 has to become 1.00m, not 1000k.
        if abs(number) >= size * 0.9995:
            return _digits(number / size) + name
    return f"{number:,.0f}"


def _digits(number: float) -> str:
    size = abs(number)
    places = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{number:,.{places}f}"


def money(value: Any, language: str) -> str:
    return short(value, language)


def share(value: Any, language: str) -> str:
    """
    >>> share(0.12345, "en"), share(0, "en"), share(0.00004, "en"), share(None, "zh")
    ('12.3%', '0%', '<0.1%', '–')
    """
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0%"
    return "<0.1%" if 0 < value < 0.0005 else f"{100 * float(value):.1f}%"


def number(value: Any, language: str, places: int = 3) -> str:
    """
    >>> number(0.77051, "en")
    '0.771'
    """
    return UNKNOWN if value is None else f"{float(value):.{places}f}"


def change(value: float | None, form: str, language: str) -> str:
    """Against last month: points for a share, per cent for the rest.

    >>> change(0.012, "share", "en"), change(-0.034, "count", "zh"), change(0.0, "share", "zh"), change(None, "count", "en")
    ('+1.2 pp', '-3.4%', '±0', '')
    """
    if value is None:
        return ""
    if abs(value) < 0.0005:
        return "±0"
    return (
        f"{100 * value:+.1f} {'pp' if language == 'en' else '个百分点'}" if form == "share" else f"{100 * value:+.1f}%"
    )


def points(value: Any, language: str) -> str:
    """A change of a share.

    >>> points(0.012, "en"), points(None, "en")
    ('+1.2 pp', '–')
    """
    return UNKNOWN if value is None else change(float(value), "share", language)


FORMS = {"count": count, "money": money, "share": share, "number": number, "points": points}


def written(value: Any, form: str, language: str) -> str:
    """A value in the form of its column; texts are as they are."""
    if form == "text":
        return UNKNOWN if value is None else str(value)
    return FORMS[form](value, language)
