"""The data dictionary: the contract as pages for readers and as a workbook in both languages.

Nothing here is written by hand: `docs/contract.md` and `docs/contract.zh-CN.md` come out of `contract.py`, and a test
says when they are behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import openpyxl
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from backbook.expressions import Type
from backbook.sources.contract import TABLES
from backbook.sources.table import Column, Table

PAGES = {"en": "contract.md", "zh": "contract.zh-CN.md"}
TYPES_ZH = {
    Type.WHOLE: "整数",
    Type.MONEY: "金额",
    Type.NUMBER: "小数",
    Type.TEXT: "文本",
    Type.DATE: "日期",
    Type.TIME: "时间",
    Type.YESNO: "是/否",
}
PRIVATE = {
    None: {"zh": "", "en": ""},
    "document": {"zh": "带密钥散列后丢弃", "en": "keyed hash, then dropped"},
    "contact": {"zh": "加密，另存于 party_contact", "en": "encrypted, apart in party_contact"},
}
FORMS = {"fact": {"zh": "事实", "en": "facts"}, "history": {"zh": "历史（拉链）", "en": "history"}}
# Excel wants a time; the same contract gives the same bytes.
MADE_AT = datetime(2026, 1, 1)  # noqa: DTZ001
TEXT = {
    "title": {"zh": "数据契约", "en": "The table contract"},
    "intro": {
        "zh": "本页由 `src/backbook/sources/contract.py` 生成，请勿手改。银行用 `sources/表名.来源.sql` 把自己的文件映射到这些表；"
        "除 `account`（或 `attribute`）外每张表都可以没有。粗体列必填。每张表都可以带 `known_on`（银行获知该行的日期）。",
        "en": "This page is made from `src/backbook/sources/contract.py`; do not edit it. A bank maps its files to these tables with "
        "`sources/TABLE.NAME.sql`; every table but `account` (or `attribute`) may be missing. Bold columns are required. Every "
        "table may carry `known_on`, the day on which the bank knew the row.",
    },
    "types": {
        "zh": "类型：整数 int64；金额 DECIMAL(18,2)；小数 double；时间为账簿时区的当地时间，带时区偏移的在加载时换算。"
        "日期可写作 2026-10-31、20261031 或 2026/10/31；无日期、0 和 2999 年以后表示没有。",
        "en": "Types: whole int64; money DECIMAL(18,2); number double; a time is wall time in the book's zone, and one with an offset is "
        "converted by the load. Dates may be written 2026-10-31, 20261031 or 2026/10/31; nothing, 0 and years from 2999 on mean none.",
    },
    "column": {"zh": "列", "en": "Column"},
    "name": {"zh": "中文名", "en": "Name"},
    "type": {"zh": "类型", "en": "Type"},
    "levels": {"zh": "取值", "en": "Levels"},
    "note": {"zh": "说明", "en": "Note"},
    "rows": {"zh": "一行是", "en": "One row per"},
    "form": {"zh": "形式", "en": "Form"},
    "key": {"zh": "主键", "en": "Key"},
    "event": {"zh": "业务日期列", "en": "Event"},
    "checks": {"zh": "校验", "en": "Checks"},
    "found_in": {"zh": "须存在于", "en": "must be found in"},
    "counted": {"zh": "（不存在则计数提示）", "en": " (counted when it is not)"},
    "one_of": {"zh": "至少给出一组", "en": "at least one of"},
    "table": {"zh": "表", "en": "Table"},
    "required": {"zh": "必填", "en": "Required"},
    "private": {"zh": "个人信息", "en": "Private"},
    "yes": {"zh": "是", "en": "yes"},
    "code": {"zh": "代码", "en": "Code"},
}


def _(word: str, language: str) -> str:
    return TEXT[word][language]


def type_name(type: Type, language: str) -> str:
    return TYPES_ZH[type] if language == "zh" else type.value


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────


def write_docs(folder: Path | str) -> list[Path]:
    """Write both pages into a folder; returns their paths."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    files = []
    for language, page in PAGES.items():
        file = target / page
        file.write_text(contract_page(language), encoding="utf-8")
        files.append(file)
    return files


def contract_page(language: str) -> str:
    """The whole contract as Markdown, in `zh` or `en`."""
    lines = [f"# {_('title', language)}", "", _("intro", language), "", _("types", language), ""]
    lines += [f"- [`{table.name}`](#{table.name}) {_named(table, language)}" for table in TABLES.values()]
    for table in TABLES.values():
        lines += ["", *_section(table, language)]
    return "\n".join(lines) + "\n"


def _named(thing: Table | Column, language: str) -> str:
    return thing.zh if language == "zh" else thing.en


def _section(table: Table, language: str) -> Iterator[str]:
    yield f"## {table.name}"
    yield ""
    event = f" · {_('event', language)}: `{table.event}`" if table.event else ""
    row = table.row_zh if language == "zh" else table.row_en
    key = ", ".join(f"`{column}`" for column in table.key)
    yield f"**{table.zh} · {table.en}.** {_('rows', language)}: {row} · {FORMS[table.form][language]} · {_('key', language)}: {key}{event}"
    yield ""
    yield f"| {_('column', language)} | 中文名 · Name | {_('type', language)} | {_('levels', language)} | {_('note', language)} |"
    yield "|---|---|---|---|---|"
    for column in table:
        name = f"**{column.name}**" if column.required else column.name
        yield f"| {name} | {column.zh} · {column.en} | {type_name(column.type, language)} | {_levels(column, language)} | {_note(column, language)} |"
    rules = list(_rules(table, language))
    if rules:
        yield ""
        yield f"{_('checks', language)}:"
        yield ""
        yield from (f"- {rule}" for rule in rules)


def _levels(column: Column, language: str) -> str:
    return ", ".join(f"`{level.code}` {level.zh if language == 'zh' else level.en}" for level in column.levels)


def _note(column: Column, language: str) -> str:
    note = column.note_zh if language == "zh" else column.note_en
    return "; ".join(part for part in (note, PRIVATE[column.private][language]) if part)


def _rules(table: Table, language: str) -> Iterator[str]:
    for check in table.checks:
        yield f"`{check.condition}`" + (f"（{check.zh}）" if language == "zh" else "")
    for reference in table.references:
        columns = ", ".join(f"`{column}`" for column in reference.columns)
        yield f"{columns} {_('found_in', language)} `{reference.table}`{'' if reference.strict else _('counted', language)}"
    if table.one_of:
        yield f"{_('one_of', language)}: " + " / ".join(
            ", ".join(f"`{column}`" for column in group) for group in table.one_of
        )


# ── workbook ────────────────────────────────────────────────────────────────────────────────────────────────


def write_dictionary(path: Path | str) -> Path:
    """Write the dictionary as .xlsx: columns and levels, a sheet each in Chinese and in English."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for language, columns, levels in (("zh", "数据字典", "取值"), ("en", "Data dictionary", "Levels")):
        _sheet(book, columns, _column_rows(language))
        _sheet(book, levels, _level_rows(language))
    book.properties.created = book.properties.modified = MADE_AT
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    book.save(target)
    return target


def _column_rows(language: str) -> Iterator[list[str]]:
    titles = ("table", "table", "column", "name", "type", "required", "key", "private", "note")
    yield [_(title, language) for title in titles]
    for table in TABLES.values():
        for column in table:
            yield [
                table.name,
                _named(table, language),
                column.name,
                _named(column, language),
                type_name(column.type, language),
                _("yes", language) if column.required else "",
                _("yes", language) if column.name in table.key else "",
                PRIVATE[column.private][language],
                column.note_zh if language == "zh" else column.note_en,
            ]


def _level_rows(language: str) -> Iterator[list[str]]:
    yield [_(title, language) for title in ("table", "column", "code", "name")]
    for table in TABLES.values():
        for column in table:
            for level in column.levels:
                yield [table.name, column.name, level.code, level.zh if language == "zh" else level.en]


def _sheet(book: openpyxl.Workbook, title: str, rows: Iterable[list[str]]) -> None:
    sheet = book.create_sheet(title)
    widths: list[int] = []
    for row in rows:
        sheet.append(row)
        widths = [max(width, _width(cell)) for width, cell in zip(widths or [0] * len(row), row, strict=True)]
    for cell in sheet[1]:
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor="1F4E78")
        cell.alignment = Alignment(vertical="center")
    for place, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(place)].width = min(width + 2, 60)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions


def _width(text: str) -> int:
    """Chinese characters are two wide."""
    return sum(1 if sign.isascii() else 2 for sign in text)
