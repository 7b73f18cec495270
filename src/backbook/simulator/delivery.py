"""Files as banks deliver them: their separators, encodings, packing and control files, the same bytes every time.

A column is turned into text by Arrow as a whole, and the joined column *is* the file; so three million
postings take seconds. Nothing in a file depends on the clock of this machine.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backbook.simulator.chance import Array
from backbook.simulator.days import NEVER, Month, date_of

# Files that wait for their writer at once: what they hold is memory.
WAITING = 6


@dataclass(frozen=True)
class Layout:
    """How one kind of file is written."""

    separator: str = ","
    header: bool = True
    encoding: str = "utf-8"  # "gbk" replaces what it cannot hold with a question mark, as such exports do
    mark: bool = False  # a byte order mark
    packed: bool = False  # gz
    ending: str = ".csv"
    sums: str | None = None  # the column whose sum stands in the .ctl file
    control: str | None = None  # "ctl" rows and sum, "ok" an empty marker


TABLE = Layout(ending=".csv", control="ctl")


class Delivery:
    """Writes files into one folder, in the background; leaving the `with` waits for them all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer = ThreadPoolExecutor(1)
        self._waiting: list[Future[None]] = []

    def __enter__(self) -> Delivery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.shutdown(wait=True, cancel_futures=error is not None)
        if error is None:
            for waiting in self._waiting:
                waiting.result()

    def text(self, name: str, columns: Mapping[str, Any], layout: Layout) -> None:
        """One delimited file; one without rows is delivered when it has a header to show."""
        self._later(lambda: _write_text(self.folder, name, columns, layout))

    def flow(
        self, name: str, month: Month, part: int, columns: Mapping[str, Any], day: Array, layout: Layout, *, daily: bool
    ) -> None:
        """What happened in a month, `day` being the day on which each row is delivered: a file a month, or a file a day.

        `name` holds {date}, as YYYYMMDD or, for systems that like dashes, YYYY-MM-DD.
        """
        if not daily:
            self.text(f"{_dated(name, month.last)}_{part:03d}", columns, layout)
            return
        order = np.argsort(day, kind="stable")
        bounds = np.searchsorted(day[order], np.arange(month.first, month.last + 2))
        for nth in range(month.length):
            rows = order[bounds[nth] : bounds[nth + 1]]
            chosen = {each: rows_of(column, rows) for each, column in columns.items()}
            self.text(f"{_dated(name, month.first + nth)}_{part:03d}", chosen, layout)

    def workbook(self, name: str, columns: Mapping[str, Any]) -> None:
        self._later(lambda: _write_workbook(self.folder / f"{name}.xlsx", columns))

    def parquet(self, name: str, columns: Mapping[str, Any]) -> None:
        self._later(lambda: _write_parquet(self.folder / f"{name}.parquet", columns))

    def _later(self, write: Any) -> None:
        while len(self._waiting) >= WAITING:
            self._waiting.pop(0).result()
        self._waiting.append(self._writer.submit(write))


def _dated(name: str, day: int) -> str:
    form = "%Y-%m-%d" if "{date:-}" in name else "%Y%m%d"
    return name.replace("{date:-}", "{date}").replace("{date}", f"{date_of(day):{form}}")


def rows_of(column: Any, rows: Array) -> Any:
    """Some rows of a column of any kind."""
    if isinstance(column, Cents):
        return Cents(column.cents[rows], None if column.given is None else column.given[rows])
    if isinstance(column, Days):
        return replace(column, days=column.days[rows])
    if isinstance(column, Moments):
        return replace(column, days=column.days[rows], seconds=column.seconds[rows])
    if isinstance(column, Codes):
        return replace(column, positions=column.positions[rows])
    if isinstance(column, Same):
        return replace(column, rows=len(rows))
    return column.take(pa.array(rows)) if isinstance(column, pa.Array | pa.ChunkedArray) else column[rows]


def end_to_end(first: Any, then: Any) -> Any:
    """The rows of one column and then of another of its kind."""
    if isinstance(first, Cents) and first.given is None:
        return Cents(np.concatenate([first.cents, then.cents]))
    return pa.concat_arrays([words(first), words(then)])


def _write_text(folder: Path, name: str, columns: Mapping[str, Any], layout: Layout) -> None:
    names = list(columns)
    fields = [_field(columns[each], layout) for each in names]
    rows = len(fields[0])
    if not rows and not layout.header:
        return
    data = _bytes(_joined(fields, layout.separator)) if rows else b""
    if layout.header:
        data = (layout.separator.join(names) + "\n").encode() + data
    if layout.encoding != "utf-8":
        data = data.decode().encode(layout.encoding, errors="replace")
    if layout.mark:
        data = b"\xef\xbb\xbf" + data
    file = folder / f"{name}{layout.ending}{'.gz' if layout.packed else ''}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip_bytes(data) if layout.packed else data)
    if layout.control == "ok":
        (folder / f"{name}.ok").write_bytes(b"")
    elif layout.control == "ctl":
        total = f"|{_decimal_text(int(columns[layout.sums].cents.sum()))}" if layout.sums else ""
        (folder / f"{name}.ctl").write_text(f"{file.name}|{rows}{total}\n", encoding="utf-8")


def gzip_bytes(data: bytes) -> bytes:
    """Packed without name or time, so that the same data give the same bytes."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=packed, mtime=0) as stream:
        stream.write(data)
    return packed.getvalue()


def _bytes(lines: pa.StringArray) -> bytes:
    """The lines one after another: the buffer of an Arrow text column."""
    if len(lines) == 0:
        return b""
    _, offsets, values = lines.buffers()
    bounds = np.frombuffer(offsets, np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return bytes(memoryview(values)[bounds[0] : bounds[-1]])


def _joined(fields: list[pa.Array], separator: str) -> pa.Array:
    last = pc.binary_join_element_wise(fields[-1], pa.scalar("\n"), "")
    return pc.binary_join_element_wise(*fields[:-1], last, separator)


def _field(column: Any, layout: Layout) -> pa.Array:
    if layout.separator == "," and isinstance(column, Codes):
        listed = column.words if isinstance(column.words, pa.Array) else pa.array(list(column.words), pa.string())
        return pc.fill_null(words(Codes(column.positions, _quoted(listed))), "")
    text = pc.fill_null(words(column), "")
    is_text = isinstance(column, pa.Array) and pa.types.is_string(column.type)
    return _quoted(text) if layout.separator == "," and is_text else text


def _quoted(text: pa.Array) -> pa.Array:
    """Quotes around what holds a comma, a quote or a line break."""
    special = pc.match_substring_regex(text, '[",\n]')
    if not pc.any(special).as_py():
        return text
    return pc.if_else(special, pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', ""), text)


@dataclass(frozen=True)
class Cents:
    """Money: whole cents, written with two decimals; nothing where `given` is false."""

    cents: Array
    given: Array | None = None


@dataclass(frozen=True)
class Days:
    """Days; `NEVER` is written as `never`."""

    days: Array
    form: str = "%Y%m%d"
    never: str = ""


@dataclass(frozen=True)
class Moments:
    """Days with a second of the day; no text where the day is NEVER."""

    days: Array
    seconds: Array
    form: str = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Codes:
    """Positions in a list of words; nothing for -1."""

    positions: Array
    words: list[str] | tuple[str, ...] | pa.Array


@dataclass(frozen=True)
class Same:
    """One word for all rows."""

    word: str
    rows: int


def words(column: Any) -> pa.Array:
    """Any column as text."""
    if isinstance(column, Cents):
        return _decimals(column)
    if isinstance(column, Days):
        return _day_texts(column)
    if isinstance(column, Moments):
        return _moment_texts(column)
    if isinstance(column, Codes):
        listed = column.words if isinstance(column.words, pa.Array) else pa.array(list(column.words), pa.string())
        return listed.take(pa.array(column.positions, mask=column.positions < 0))
    if isinstance(column, Same):
        return pa.repeat(pa.scalar(column.word, pa.string()), column.rows)
    if isinstance(column, pa.ChunkedArray):
        return words(column.combine_chunks())
    if isinstance(column, pa.Array):
        return column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
    if column.dtype == bool:
        return pa.array(["0", "1"]).take(pa.array(column.astype(np.int8)))
    if column.dtype == object:
        return pa.array(column, pa.string())
    return pc.cast(pa.array(column), pa.string())


def by_id(columns: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The rows as text in the order of an id, which says nothing of who came first in this program."""
    texts = {each: words(column) for each, column in columns.items()}
    order = pc.sort_indices(texts[name])
    return {each: text.take(order) for each, text in texts.items()}


def serials(letter: str, month: Month, part: int, rows: int) -> pa.Array:
    """Numbers one after another, as a system hands them out within a month."""
    start = (month.year * 100 + month.month) * 10**12 + part * 10**9
    return pc.binary_join_element_wise(letter, words(np.arange(start + 1, start + 1 + rows)), "")


_HUNDREDTHS = pa.array([f".{cents:02d}" for cents in range(100)])


def _decimals(column: Cents) -> pa.Array:
    size = np.abs(column.cents)
    sign = pa.array(["", "-"]).take(pa.array((column.cents < 0).astype(np.int8)))
    whole = pc.cast(pa.array(size // 100), pa.string())
    text = pc.binary_join_element_wise(sign, whole, _HUNDREDTHS.take(pa.array(size % 100)), "")
    return text if column.given is None else pc.if_else(pa.array(column.given), text, pa.scalar("", pa.string()))


def _decimal_text(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


_FROM, _TO = -20_000, 32_000  # 1915 to 2057


@cache
def _calendar(form: str, never: str) -> pa.Array:
    """Every day there can be as text, and at the end what stands for never."""
    days = pa.array(np.arange(_FROM, _TO, dtype=np.int32)).cast(pa.date32())
    return pa.concat_arrays([pc.strftime(days, form), pa.array([never])])


def _day_texts(column: Days) -> pa.Array:
    place = np.where(column.days >= NEVER, _TO, column.days) - _FROM
    return _calendar(column.form, column.never).take(pa.array(place))


@cache
def _clock(form: str) -> pa.Array:
    """Every second of a day as text, and at the end nothing."""
    filled = form.replace("%H", "{0:02d}").replace("%M", "{1:02d}").replace("%S", "{2:02d}")
    return pa.array([*(filled.format(s // 3600, s // 60 % 60, s % 60) for s in range(86_400)), ""])


def _moment_texts(column: Moments) -> pa.Array:
    day_form, _, rest = column.form.partition("%H")
    clock = _clock("%H" + rest).take(pa.array(np.where(column.days >= NEVER, 86_400, column.seconds)))
    return pc.binary_join_element_wise(_day_texts(Days(column.days, day_form)), clock, "")


def _write_workbook(file: Path, columns: Mapping[str, Any]) -> None:
    """A small workbook; every cell is text, so that no id loses its end."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    sheet.append(list(columns))
    for row in zip(*(words(column).to_pylist() for column in columns.values()), strict=True):
        sheet.append([cell or None for cell in row])
    made = io.BytesIO()
    book.save(made)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_timeless(made.getvalue()))


def _timeless(data: bytes) -> bytes:
    """A workbook without the moment at which it was made."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in sorted(old.infolist(), key=lambda entry: entry.filename != "[Content_Types].xml"):
            content = old.read(entry)
            if entry.filename == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", b"2000-01-01T00:00:00Z", content)
            new.writestr(zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED, 6)
    return made.getvalue()


def _write_parquet(file: Path, columns: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {
            name: words(column) if isinstance(column, Codes | Days | Cents | Same | Moments) else column
            for name, column in columns.items()
        }
    )
    pq.write_table(table, file, compression="zstd")
