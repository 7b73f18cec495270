"""Workbooks (.xlsx) as text: what a cell shows is what arrives."""

from __future__ import annotations

import zipfile
from datetime import date, datetime, time
from io import BytesIO
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa

from backbook.errors import BadData
from backbook.sources.inputs import Input
from backbook.sources.lines import Reject
from backbook.sources.text import name_columns
from backbook.sources.unpack import Source

# Excel keeps fifteen digits of a number; an id of more has lost its end before it came here.
EXACT_DIGITS = 15


def read_workbook(input: Input, source: Source) -> tuple[pa.Table, np.ndarray, tuple[Reject, ...]]:
    """(rows as text, the sheet's row of each, rows that lost digits)."""
    with source.open() as file:
        data = file.read()
    try:
        book = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise BadData(f"{source.name} is not a whole .xlsx workbook: {error}. Have it delivered again.") from error
    sheet = _sheet(book, input, source)
    rows = [(number, row) for number, row in enumerate(sheet.iter_rows(values_only=True), start=1) if _filled(row)]
    if input.header and not rows:
        raise BadData(f"{source.name} is empty. Deliver it again, or take it away if there was nothing to deliver.")
    first = rows.pop(0)[1] if input.header else ()
    columns = input.columns or name_columns([_text(cell) or "" for cell in first])
    good, lines, rejects = [], [], []
    for number, row in rows:
        reason = _fault(row, columns)
        if reason:
            rejects.append(Reject(number, reason))
            continue
        cells = [_text(cell) for cell in row[: len(columns)]]
        good.append([None if cell in input.null else cell for cell in cells] + [None] * (len(columns) - len(cells)))
        lines.append(number)
    table = pa.table({column: pa.array([row[n] for row in good], pa.string()) for n, column in enumerate(columns)})
    return table, np.array(lines, np.int64), tuple(rejects)


def _sheet(book: Any, input: Input, source: Source) -> Any:
    if input.sheet is None:
        return book.worksheets[0]
    if input.sheet not in book.sheetnames:
        raise BadData(f"{source.name} has no sheet '{input.sheet}'. It has: {', '.join(book.sheetnames)}.")
    return book[input.sheet]


def _filled(row: tuple[Any, ...]) -> bool:
    return any(cell is not None and cell != "" for cell in row)


def _fault(row: tuple[Any, ...], columns: tuple[str, ...]) -> str:
    if _filled(row[len(columns) :]):
        return f"{len(row)} cells where {len(columns)} were expected"
    for column, cell in zip(columns, row, strict=False):
        if isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) >= 10**EXACT_DIGITS:
            return f"{column} is a number of more than {EXACT_DIGITS} digits, of which Excel keeps {EXACT_DIGITS}: deliver it as text"
    return ""


def _text(cell: Any) -> str | None:
    """A cell as text: dates in ISO form, whole numbers without a point."""
    if cell is None:
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return (
            str(cell.date())
            if cell.time() == time()
            else cell.isoformat(" ", "microseconds" if cell.microsecond else "seconds")
        )
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
