"""The words in which the command line tells an audience, in Chinese or English; `--json` tells the same to machines."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

from rich.markup import escape

from backbook.customer.audience import SMALL_CELL, Count, Difference
from backbook.customer.definition import ACCOUNT, CUSTOMER
from backbook.expressions import Type
from backbook.run.audience import Audience
from backbook.run.show import Lines, table_of
from backbook.strategy.definition import Label

UNITS = {CUSTOMER: Label("客户", "customers"), ACCOUNT: Label("账户", "accounts")}
WORDS = {
    "as_of": Label("业务日期", "as of"),
    "condition": Label("条件", "condition"),
    "answer": Label("结果", "answer"),
    "share": Label("占比", "share"),
    "true": Label("符合", "meet it"),
    "false": Label("不符合", "do not"),
    "unknown": Label("未知", "not known"),
    "units": Label("画像中共有", "in the profile"),
    "waterfall": Label("逐条", "Condition by condition"),
    "alone": Label("单独符合", "alone"),
    "alone_unknown": Label("单独未知", "alone not known"),
    "left": Label("累计剩余", "left"),
    "left_share": Label("剩余占比", "share left"),
    "dropped": Label("本条减少", "dropped here"),
    "differences": Label("与全部相比差异最大的特征", "What sets them apart from all"),
    "feature": Label("特征", "feature"),
    "audience": Label("客群", "audience"),
    "book": Label("全部", "all"),
    "interval": Label("95% 区间", "95 % interval"),
    "ratio": Label("倍数", "ratio"),
    "distance": Label("标准化差异", "std. difference"),
    "sample": Label("抽样（固定）", "A sample, always the same"),
    "name": Label("姓名", "name"),
    "nobody": Label("没有符合条件的；请看上面哪一条减到零。", "Nobody meets it; see above which condition leaves none."),
    "empty": Label("该画像中没有任何值、因而未知的列：", "Known for nobody in this profile:"),
    "not_exported": Label("没有可导出的，未写文件。", "There is nothing to export; no file was written."),
    "small": Label(f"少于 {SMALL_CELL} 个，不作比较。", f"Fewer than {SMALL_CELL}: not compared."),
    "alike": Label("没有可显示的差异。", "There is no difference to show."),
    "yes": Label("是", "yes"),
    "no": Label("否", "no"),
}  # fmt: skip


def audience(found: Audience, language: str) -> Lines:
    """The count, the way to it, and whatever else was asked for."""
    word = {key: label.text(language) for key, label in WORDS.items()}
    units = UNITS[found.grain].text(language)
    lines: Lines = [
        escape(f"{word['as_of']} {found.as_of} · {word['condition']}: {said(found.expression.text, found, language)}")
    ]
    lines.append(_counts(found.count, units, word))
    if len(found.steps) > 1:
        lines.append(_waterfall(found, word, language))
        lines += [word["nobody"]] if not found.count.true else []
    if found.empty:
        columns = ", ".join(said(name, found, language) for name in found.empty)
        lines.append(escape(f"{word['empty']} {columns}"))
    if found.differences is not None:
        lines += _differences(found, word, language)
    if found.sample:
        lines.append(_sample(found, word, language))
    if found.exported:
        lines.append(
            f"已写入 {found.count.true:,} 个{units}：{found.exported}（姓名已脱敏）"
            if language == "zh"
            else f"{found.count.true:,} {units} written to {found.exported}; names are masked."
        )
    elif found.asked_export:
        lines.append(word["not_exported"])
    return lines


def said(text: str, found: Audience, language: str) -> str:
    """A canonical text in the reader's words: the columns by their Chinese names, written texts as they are."""
    if language != "zh":
        return text
    pieces = re.split(r"('(?:[^']|'')*')", text)
    return "".join(
        piece if place % 2 else re.sub(r"[A-Za-z_][\w.]*", lambda word: found.words.get(word[0]) or word[0], piece)
        for place, piece in enumerate(pieces)
    )


def _counts(count: Count, units: str, word: dict[str, str]) -> Any:
    table = table_of("", word["answer"], units, word["share"])
    for key, number in count.as_json().items():
        table.add_row(word[key], f"{number:,}", _percent(number, count.units))
    table.add_row(word["units"], f"{count.units:,}", "")
    return table


def _waterfall(found: Audience, word: dict[str, str], language: str) -> Any:
    table = table_of(
        word["waterfall"], word["condition"], word["alone"], word["alone_unknown"], word["left"], word["left_share"], word["dropped"]
    )  # fmt: skip
    before = found.count.units
    for step in found.steps:
        left = step.so_far.true
        cells = (step.alone.true, step.alone.unknown, left)
        table.add_row(
            escape(said(step.condition, found, language)),
            *(f"{cell:,}" for cell in cells),
            _percent(left, found.count.units),
            f"{before - left:,}",
        )
        before = left
    return table


def _differences(found: Audience, word: dict[str, str], language: str) -> Lines:
    if found.count.true < SMALL_CELL:
        return [word["small"]] if found.count.true else []
    if not found.differences:
        return [word["alike"]]
    read = found.expression.reads
    table = table_of(
        word["differences"], word["feature"], word["audience"], word["book"], word["interval"], word["ratio"], word["distance"]
    )  # fmt: skip
    for each in found.differences:
        name = _called(each, language) + (" *" if each.name.name in read else "")
        interval = f"{each.interval[0]:.1%}–{each.interval[1]:.1%}" if each.interval else ""
        ratio = f"{each.ratio:.2f}" if each.ratio is not None else ""
        table.add_row(
            escape(name), _value(each, each.audience), _value(each, each.book), interval, ratio, f"{each.distance:+.2f}"
        )
    told = (
        f"比较了 {found.compared} 列，按标准化差异排序；* 为条件本身所读；人数少于 {SMALL_CELL} 的格子不显示；未知不计入。"
        if language == "zh"
        else f"{found.compared} columns compared, by standardised difference. * is read by the condition itself. Cells under "
        f"{SMALL_CELL} are not shown; what is not known is left out of shares and means."
    )
    if found.every > 1:
        told += (
            f"本表只按画像的每第 {found.every} 个数据块计算（固定抽样）；上面的计数是全量、精确的。"
            if language == "zh"
            else f" This table is measured on every {found.every}th block of the profile, always the same; the counts above are exact."
        )
    return [table, told]


def _called(each: Difference, language: str) -> str:
    name = each.name.zh or each.name.name if language == "zh" else each.name.en or each.name.name
    if each.level is None:
        return name
    level = next(level for level in each.name.levels if level.code == each.level)
    return f"{name} = {(level.zh if language == 'zh' else level.en) or level.code}"


def _value(each: Difference, value: float) -> str:
    if each.interval:
        return f"{value:.1%}"
    return f"{value:,.2f}" if each.name.type in (Type.MONEY, Type.WHOLE) else f"{value:,.4g}"


def _sample(found: Audience, word: dict[str, str], language: str) -> Any:
    key, _, *read = found.sample[0]
    table = table_of(word["sample"], key, word["name"], *(escape(said(name, found, language)) for name in read))
    for row in found.sample:
        table.add_row(escape(str(row[key])), escape(row["name"] or "–"), *(_cell(row[name], word) for name in read))
    return table


def _cell(value: Any, word: dict[str, str]) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return word["yes" if value else "no"]
        case float():
            return f"{value:.6g}"
        case Decimal() | int():
            return f"{value:,}"
        case date():
            return value.isoformat()
    return escape(str(value))


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "–"
