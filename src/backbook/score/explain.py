"""Reasons in words: what a bin of the card says about a customer, in both languages, fit for a letter.

A reason names the characteristic and where the customer stands in it; never how it was computed.
"""

from __future__ import annotations

from typing import Any

from backbook.expressions import Name, Type
from backbook.score.binning import Bin
from backbook.score.scorecard import Characteristic


def reason(one: Characteristic, bin: Bin) -> dict[str, str]:
    """The code of a bin, `feature:place`, and what it says to people.

    The place counts from 1 in the order of the version's bins.
    """
    place = one.binning.bins.index(bin)
    zh, en = described(one, bin)
    return {"code": f"{one.name.name}:{place + 1}", "zh": zh, "en": en}


def described(one: Characteristic, bin: Bin) -> tuple[str, str]:
    """What lying in this bin means, in Chinese and in English."""
    zh, en = one.name.zh or one.name.name, one.name.en or one.name.name
    if bin.kind == "missing":
        return f"{zh}未知", f"{en} not known"
    if bin.kind == "other":
        return f"{zh}属于其他", f"{en} is another one"
    if bin.kind == "values":
        in_zh, in_en = ([level(one.name, value, language) for value in bin.values] for language in ("zh", "en"))
        return f"{zh}为{'、'.join(in_zh)}", f"{en} is {' or '.join(in_en)}"
    return _range(one, bin, zh, en)


def _range(one: Characteristic, bin: Bin, zh: str, en: str) -> tuple[str, str]:
    ranges = [each for each in one.binning.bins if each.kind == "range"]
    place = ranges.index(bin)
    above = ranges[place - 1].upper if place else None
    if above is None and bin.upper is None:
        return f"{zh}已知", f"{en} is known"
    if above is None:
        return f"{zh}不超过 {bin.upper}", f"{en} at most {bin.upper}"
    if bin.upper is None:
        return f"{zh}高于 {above}", f"{en} above {above}"
    if one.name.type is Type.WHOLE and bin.upper - above == 1:
        return f"{zh}为 {bin.upper}", f"{en} is {bin.upper}"
    return f"{zh}在 {above} 至 {bin.upper} 之间", f"{en} between {above} and {bin.upper}"


def level(name: Name, value: Any, language: str) -> str:
    """A level's own word; yes or no; else the value."""
    if isinstance(value, bool):
        return {"zh": ("否", "是"), "en": ("no", "yes")}[language][value]
    word = next((getattr(level, language) for level in name.levels if level.code == value), "")
    return str(word or (f"{value:g}" if isinstance(value, float) else value))


def standing_reason(name: Name, standing: Any) -> dict[str, str]:
    """The code of a standing, `feature:high`, and what it says to people; for methods without bins.

    >>> standing_reason(Name("late", Type.WHOLE, "逾期次数", "Times late"), "high")
    {'code': 'late:high', 'zh': '逾期次数较高', 'en': 'Times late is high'}
    """
    zh, en = name.zh or name.name, name.en or name.name
    said = {
        "high": (f"{zh}较高", f"{en} is high"),
        "middle": (f"{zh}处于中等水平", f"{en} is in the middle"),
        "low": (f"{zh}较低", f"{en} is low"),
        "missing": (f"{zh}未知", f"{en} not known"),
        "other": (f"{zh}属于其他", f"{en} is another one"),
    }.get(standing) or tuple(f"{of}{level(name, standing, language)}" for of, language in
                             ((f"{zh}为", "zh"), (f"{en} is ", "en")))  # fmt: skip
    return {"code": standing_code(name, standing), "zh": said[0], "en": said[1]}


def standing_code(name: Name, standing: Any) -> str:
    """The code alone: a level's own, yes or no, a number as people write it."""
    if isinstance(standing, bool):
        standing = "yes" if standing else "no"
    return f"{name.name}:{standing:g}" if isinstance(standing, float) else f"{name.name}:{standing}"
