"""A sheet that Excel opens as it is meant: written straight, one pass, the same bytes for the same rows.

A list of 30,000 rows takes openpyxl half a minute; these few parts of the format are all that a list needs:
a title, a frozen header with filters, widths, text cells and number cells with a format. Tests read the
files back with openpyxl.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

# The earliest moment a zip can hold; a clock would change the bytes.
MOMENT = (1980, 1, 1, 0, 0, 0)

# Excel's last row; a longer list goes on in a second sheet.
ROWS_PER_SHEET = 1_048_576

# Days since 1899-12-30, which is how Excel counts after its February 29th of 1900.
DAY_ZERO = date(1899, 12, 30)

TEXT, MONEY, WHOLE, DATE, SHARE, HEADER, TITLE, WARNING = range(1, 9)

_FORMATS = {MONEY: (164, "#,##0.00"), WHOLE: (1, ""), DATE: (165, "yyyy-mm-dd"), SHARE: (166, "0.0000")}

Value = str | int | float | Decimal | date | None


@dataclass(frozen=True)
class Column:
    """A column's title, the kind of its cells (TEXT, MONEY, WHOLE, DATE, SHARE) and its width in characters."""

    title: str
    kind: int = TEXT
    width: int = 12


@dataclass(frozen=True)
class Sheet:
    """Rows under a title line, a line below it that nobody may miss, and a frozen header with filters."""

    name: str
    title: str
    warning: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]


def write_workbook(
    path: Path, name: str, title: str, warning: str, columns: Sequence[Column], rows: Sequence[Sequence[Value]]
) -> None:
    """Write one sheet."""
    write_sheets(path, [Sheet(name, title, warning, columns, rows)])


def write_sheets(path: Path, sheets: Sequence[Sheet]) -> None:
    """Write sheets one after the other; one that is too long for Excel goes on in the next."""
    pages = [page for sheet in sheets for page in _pages(sheet)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for part, text in _fixed_parts([page.name for page in pages]):
            _put(archive, part, text)
        for number, page in enumerate(pages, start=1):
            text = "".join(_sheet(page.title, page.warning, page.columns, page.rows))
            _put(archive, f"xl/worksheets/sheet{number}.xml", text)


def _pages(sheet: Sheet) -> Iterator[Sheet]:
    room = ROWS_PER_SHEET - 3
    for number, start in enumerate(range(0, max(1, len(sheet.rows)), room)):
        name = sheet.name if number == 0 else f"{sheet.name[:24]} ({number + 1})"
        yield replace(sheet, name=_sheet_name(name), rows=sheet.rows[start : start + room])


def _put(archive: zipfile.ZipFile, part: str, text: str) -> None:
    entry = zipfile.ZipInfo(part, MOMENT)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, text)


def _sheet(title: str, warning: str, columns: Sequence[Column], rows: Sequence[Sequence[Value]]) -> Iterator[str]:
    letters = [_letter(position) for position in range(len(columns))]
    last = f"{letters[-1]}{len(rows) + 3}"
    yield _HEAD + f'<worksheet xmlns="{_MAIN}"><sheetPr/><dimension ref="A1:{last}"/>'
    yield '<sheetViews><sheetView workbookViewId="0"><pane ySplit="3" topLeftCell="A4" activePane="bottomLeft" '
    yield 'state="frozen"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/><cols>'
    for position, column in enumerate(columns, start=1):
        yield f'<col min="{position}" max="{position}" width="{column.width}" customWidth="1"/>'
    yield "</cols><sheetData>"
    yield f'<row r="1">{_text("A1", title, TITLE)}</row><row r="2">{_text("A2", warning, WARNING)}</row>'
    headers = (_text(f"{letter}3", column.title, HEADER) for letter, column in zip(letters, columns, strict=True))
    yield f'<row r="3">{"".join(headers)}</row>'
    kinds = [column.kind for column in columns]
    for number, row in enumerate(rows, start=4):
        cells = (
            _cell(f"{letter}{number}", value, kind) for letter, value, kind in zip(letters, row, kinds, strict=True)
        )
        yield f'<row r="{number}">{"".join(cells)}</row>'
    yield f'</sheetData><autoFilter ref="A3:{last}"/>'
    yield '<pageMargins left="0.5" right="0.5" top="0.75" bottom="0.75" header="0.3" footer="0.3"/>'
    # Also on paper a list must say that it is a simulation.
    yield f"<headerFooter><oddHeader>&amp;C{_clean(warning.replace('&', '&&'))}</oddHeader></headerFooter></worksheet>"


def _cell(place: str, value: Value, kind: int) -> str:
    if value is None or value == "":
        return ""
    if kind == TEXT or isinstance(value, str):
        return _text(place, str(value), TEXT)
    number = (value - DAY_ZERO).days if isinstance(value, date) else value
    return f'<c r="{place}" s="{kind}"><v>{number}</v></c>'


def _text(place: str, value: str, style: int) -> str:
    return f'<c r="{place}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{_clean(value)}</t></is></c>'


# XML 1.0 has no way to write these.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")

# Excel reads _x0041_ as A; a text that looks so is kept by escaping its first underscore.
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")


# Most texts of a list stand in many of its rows.
@lru_cache(maxsize=100_000)
def _clean(value: str) -> str:
    return escape(_LOOKS_ESCAPED.sub("_x005F_", _NOT_XML.sub("\ufffd", value)))


def _letter(position: int) -> str:
    """
    >>> _letter(0), _letter(25), _letter(26)
    ('A', 'Z', 'AA')
    """
    letters = ""
    number = position + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _sheet_name(name: str) -> str:
    return re.sub(r"[\[\]:*?/\\']", " ", name)[:31] or "list"


_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def _fixed_parts(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    numbers = range(1, len(names) + 1)
    sheet_types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_CONTENT}.worksheet+xml"/>' for n in numbers
    )
    yield (
        "[Content_Types].xml",
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_CONTENT}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_CONTENT}.styles+xml"/>{sheet_types}</Types>',
    )
    yield (
        "_rels/.rels",
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    )
    sheets = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="rId{n}"/>' for n, name in zip(numbers, names, strict=True)
    )
    yield (
        "xl/workbook.xml",
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>',
    )
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    yield (
        "xl/_rels/workbook.xml.rels",
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{links}<Relationship Id="rId{len(names) + 1}" '
        f'Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    )
    yield "xl/styles.xml", _styles()


def _styles() -> str:
    own = "".join(f'<numFmt numFmtId="{id_}" formatCode="{code}"/>' for id_, code in _FORMATS.values() if code)
    fonts = (
        '<fonts count="4"><font><sz val="11"/><name val="Calibri"/></font>'
        '<font><b/><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="14"/><name val="Calibri"/></font>'
        '<font><b/><sz val="11"/><color rgb="FFC00000"/><name val="Calibri"/></font></fonts>'
    )
    fills = (
        '<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/>'
        '</fill><fill><patternFill patternType="solid"><fgColor rgb="FFE8EEF4"/></patternFill></fill></fills>'
    )
    # Style 0 is plain; then in the order of TEXT … WARNING. Format 49 is Excel's own for text.
    cells = [(0, 0, 0), (49, 0, 0), *((_FORMATS[kind][0], 0, 0) for kind in (MONEY, WHOLE, DATE, SHARE))]
    cells += [(49, 1, 2), (49, 2, 0), (49, 3, 0)]
    styles = "".join(
        f'<xf numFmtId="{number}" fontId="{font}" fillId="{fill}" borderId="0" xfId="0" applyNumberFormat="1" '
        f'applyFont="1" applyFill="1"/>'
        for number, font, fill in cells
    )
    return (
        f'{_HEAD}<styleSheet xmlns="{_MAIN}"><numFmts count="3">{own}</numFmts>{fonts}{fills}'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(cells)}">{styles}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )
