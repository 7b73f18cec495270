"""Raw inputs as tables of text, every row with the file and the line it came from.

Gate one stands here: raw rows = parsed + rejected, file by file. What the engine reads is counted against
what the lines held, and against the control file where the bank sends one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from backbook.engine import Engine
from backbook.errors import BadData
from backbook.sources.control import control_faults, summed_columns
from backbook.sources.inputs import Input
from backbook.sources.lines import Reject
from backbook.sources.text import Readable, read_text, text_header
from backbook.sources.unpack import Source, sources
from backbook.sources.workbook import read_workbook

# Columns that every raw input offers besides its own.
FILE, ROW, KNOWN_ON = "_file", "_row", "_known_on"
PLACES = (FILE, ROW, KNOWN_ON)


@dataclass(frozen=True)
class RawFile:
    """What one delivered file held."""

    input: str
    name: str
    path: Path
    parsed: int
    rejects: tuple[Reject, ...]
    known_on: date | None

    @property
    def rejected(self) -> int:
        return len(self.rejects)

    @property
    def rows(self) -> int:
        return self.parsed + self.rejected


@dataclass(frozen=True)
class Raw:
    """One input, read: a table of text and the account of its files."""

    input: Input
    table: Any
    columns: tuple[str, ...]
    files: tuple[RawFile, ...]

    @property
    def parsed(self) -> int:
        return sum(file.parsed for file in self.files)

    @property
    def rejected(self) -> int:
        return sum(file.rejected for file in self.files)


def read(
    engine: Engine,
    input: Input,
    scratch: Path,
    *,
    only: Callable[[Path], bool] | None = None,
    on_file: Callable[[str], None] | None = None,
) -> Raw:
    """The rows of one input; with `only`, of those of its files alone. Raises BadData when nothing can be read."""
    found = [source for path in input.files() for source in sources(path, input.base, input.member)]
    chosen = [source for source in found if only is None or only(source.path)]
    if not chosen:
        # The columns are still needed to check the mapping; the rows are not.
        chosen, limit = found[-1:], True
    else:
        limit = False
    groups = _by_format(input, chosen)
    parts = []
    for kind, members in groups.items():
        for source in members:
            if on_file:
                on_file(source.name)
        reader = {"text": _text, "xlsx": _xlsx, "parquet": _parquet}[kind]
        parts += reader(engine, input, members, scratch / input.name)
    raw = _raw(engine, input, parts, empty=limit)
    if not limit:
        _check(engine, raw)
    return raw


def header(input: Input) -> tuple[str, ...]:
    """The columns of an input, from its first file alone. Raises BadData when there is none."""
    source = sources(input.files()[0], input.base, input.member)[0]
    kind = input.format_of(Path(source.member) if source.member else source.path)
    if kind == "text":
        return text_header(input, source)
    if kind == "xlsx":
        return tuple(read_workbook(input, source)[0].column_names)
    with source.open() as file:
        return tuple(
            pyarrow.parquet.ParquetFile(io.BytesIO(file.read()) if not source.plain else source.path).schema_arrow.names
        )


def _check(engine: Engine, raw: Raw) -> None:
    """Gate one: the engine read as many rows of each file as its lines held, and what its control file says."""
    columns = summed_columns(raw.input)
    unknown = [column for column in columns if column not in raw.columns]
    if unknown:
        raise BadData(
            f"control_layout of input '{raw.input.name}' sums '{unknown[0]}', which its files do not have. "
            f"Columns: {', '.join(raw.columns)}."
        )
    sums = "".join(f", sum(TRY_CAST({_name(c)} AS DECIMAL(38,4))) AS s{n}" for n, c in enumerate(columns))
    counted = engine.ask(f"SELECT {FILE}, count(*) AS rows{sums} FROM t GROUP BY {FILE}", {"t": raw.table})
    found = {one[FILE]: one for one in counted}
    faults = []
    for file in raw.files:
        read = found.get(file.name, {})
        if read.get("rows", 0) != file.parsed:
            faults.append(
                f"{file.name} of input '{raw.input.name}': {file.parsed:,} records were seen, {read.get('rows', 0):,} were "
                "read. Check its separator and quote in backbook.toml."
            )
        faults += control_faults(raw.input, file, {column: read.get(f"s{n}") for n, column in enumerate(columns)})
    if faults:
        raise BadData("\n".join(faults))


@dataclass(frozen=True)
class _Part:
    """Some files of equal columns as one table with `_path` and `_at` (position from 0 within the table)."""

    table: Any
    columns: tuple[str, ...]
    files: tuple[RawFile, ...]
    paths: tuple[str, ...]
    firsts: tuple[int, ...]
    lines: tuple[np.ndarray | None, ...]
    running: bool


def _by_format(input: Input, found: list[Source]) -> dict[str, list[Source]]:
    groups: dict[str, list[Source]] = {}
    for source in found:
        inside = Path(source.member) if source.member else source.path
        groups.setdefault(input.format_of(inside), []).append(source)
    return groups


def _file(input: Input, source: Source, parsed: int, rejects: tuple[Reject, ...] = ()) -> RawFile:
    return RawFile(input.name, source.name, source.path, parsed, rejects, input.known_on_of(source.name))


def _text(engine: Engine, input: Input, found: list[Source], scratch: Path) -> list[_Part]:
    targets = [scratch / f"{number:05d}.txt" for number in range(len(found))]
    # Unpacking and looking over a file leave the other cores free.
    with ThreadPoolExecutor(engine.threads) as pool:
        read = list(zip(found, pool.map(partial(read_text, input), found, targets), strict=True))
    parts = []
    for columns in dict.fromkeys(readable.columns for _, readable in read):
        members = [(source, readable) for source, readable in read if readable.columns == columns]
        parts.append(_text_part(engine, input, columns, members))
    return parts


def _text_part(engine: Engine, input: Input, columns: tuple[str, ...], members: list[tuple[Source, Readable]]) -> _Part:
    paths = tuple(str(readable.path) for _, readable in members)
    table = engine.text(
        paths,
        columns,
        separator=input.separator,
        quote=input.quote,
        header=input.header,
        null_texts=input.null,
        path_column="_path",
    )
    return _Part(
        # Numbering rows on the way would keep all that follows on one thread.
        engine.cached(table, row_column="_at"),
        columns,
        tuple(_file(input, source, readable.records, readable.rejects) for source, readable in members),
        paths,
        tuple(readable.first_line for _, readable in members),
        tuple(readable.lines for _, readable in members),
        running=True,
    )


def _xlsx(engine: Engine, input: Input, found: list[Source], scratch: Path) -> list[_Part]:
    parts = []
    for source in found:
        table, lines, rejects = read_workbook(input, source)
        columns = tuple(table.column_names)
        table = table.append_column("_path", pa.array([source.name] * table.num_rows, pa.string()))
        table = table.append_column("_at", pa.array(range(table.num_rows), pa.int64()))
        file = _file(input, source, table.num_rows, rejects)
        parts.append(_Part(engine.table(table), columns, (file,), (source.name,), (2,), (lines,), running=True))
    return parts


def _parquet(engine: Engine, input: Input, found: list[Source], scratch: Path) -> list[_Part]:
    paths, files = [], []
    for number, source in enumerate(found):
        path = source.path if source.plain else _unpacked(source, scratch / f"{number:05d}.parquet")
        try:
            rows = pyarrow.parquet.read_metadata(path).num_rows
        except (pa.ArrowException, OSError) as error:
            raise BadData(f"{source.name} is not a whole Parquet file: {error}. Have it delivered again.") from error
        paths.append(str(path))
        files.append(_file(input, source, rows))
    table = engine.parquet(paths, path_column="_path", row_column="_at")
    columns = tuple(name for name in table.columns if name not in ("_path", "_at"))
    texts = ", ".join(f"CAST({_name(column)} AS VARCHAR) AS {_name(column)}" for column in columns)
    table = engine.sql(f"SELECT {texts}, _path, _at FROM t", {"t": table})
    return [_Part(table, columns, tuple(files), tuple(paths), (1,) * len(files), (None,) * len(files), running=False)]


def _unpacked(source: Source, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with source.open() as packed, path.open("wb") as plain:
        while block := packed.read(1 << 24):
            plain.write(block)
    return path


def _raw(engine: Engine, input: Input, parts: list[_Part], *, empty: bool) -> Raw:
    columns = _same_columns(input, parts)
    taken = [column for column in columns if column in PLACES]
    if taken:
        raise BadData(f"Input '{input.name}' has a column '{taken[0]}', which Backbook adds itself. Rename it.")
    tables, texts = {}, []
    for number, part in enumerate(parts):
        text, needed = _placed(engine, part, columns, f"part_{number}")
        tables.update(needed)
        texts.append(text)
    table = engine.sql("\nUNION ALL\n".join(texts) + ("\nLIMIT 0" if empty else ""), tables)
    files = () if empty else tuple(file for part in parts for file in part.files)
    return Raw(input, table, columns, files)


def _same_columns(input: Input, parts: list[_Part]) -> tuple[str, ...]:
    """All columns, in the order of the first file. Raises BadData when a later file lacks one of an earlier."""
    columns = list(parts[0].columns)
    for part in parts[1:]:
        missing = [column for column in columns if column not in part.columns]
        if missing:
            new = [column for column in part.columns if column not in columns]
            has = f"; it has '{new[0]}', which the others do not" if new else ""
            raise BadData(
                f"{part.files[0].name} of input '{input.name}' has no column '{missing[0]}', which "
                f"{parts[0].files[0].name} has{has}. Files of one input have the same columns: make two inputs of them."
            )
        columns += [column for column in part.columns if column not in columns]
    return tuple(columns)


def _placed(engine: Engine, part: _Part, columns: Iterable[str], name: str) -> tuple[str, dict[str, Any]]:
    """The part with `_file`, `_row` and `_known_on` in place of its path and position."""
    before = np.concatenate(([0], np.cumsum([file.parsed for file in part.files])))[:-1] if part.running else None
    files = pa.table(
        {
            "path": pa.array(part.paths, pa.string()),
            "file": pa.array([file.name for file in part.files], pa.string()),
            "known_on": pa.array([file.known_on for file in part.files], pa.date32()),
            "shift": pa.array(
                [first - (int(before[n]) if before is not None else 0) for n, first in enumerate(part.firsts)],
                pa.int64(),
            ),
        }
    )
    listed = ", ".join(f"t.{_name(c)}" if c in part.columns else f"NULL::VARCHAR AS {_name(c)}" for c in columns)
    tables = {name: part.table, f"{name}_files": engine.table(files)}
    row, join = "t._at + f.shift", ""
    if any(lines is not None for lines in part.lines):
        tables[f"{name}_lines"] = engine.table(_lines(part, before))
        row, join = "coalesce(l.line, t._at + f.shift)", f" LEFT JOIN {name}_lines l ON l.at = t._at"
    return (
        f"SELECT {listed}, f.file AS {FILE}, ({row})::BIGINT AS {ROW}, f.known_on AS {KNOWN_ON} "
        f"FROM {name} t JOIN {name}_files f ON f.path = t._path{join}",
        tables,
    )


def _lines(part: _Part, before: Any) -> pa.Table:
    at = [
        np.arange(len(lines), dtype=np.int64) + (int(before[n]) if before is not None else 0)
        for n, lines in enumerate(part.lines)
        if lines is not None
    ]
    line = [lines for lines in part.lines if lines is not None]
    return pa.table({"at": np.concatenate(at), "line": np.concatenate(line)})


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
