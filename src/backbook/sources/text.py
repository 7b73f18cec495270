"""Delimited text: its header, its good records, and a place where the engine can read them."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from backbook.errors import BadData
from backbook.sources.control import says_empty
from backbook.sources.inputs import Input
from backbook.sources.lines import Dialect, Found, Reject, Scan, detect, pieces
from backbook.sources.unpack import Source


@dataclass(frozen=True)
class Readable:
    """One file as the engine may read it: where, which columns, which line each record began on."""

    path: Path
    columns: tuple[str, ...]
    records: int
    rejects: tuple[Reject, ...]
    first_line: int
    # None when line n is record n; else the line of each record.
    lines: Any | None
    header: bool


def read_text(input: Input, source: Source, scratch: Path) -> Readable:
    """Look a file over; copy its good records to `scratch` unless it can be read where it lies."""
    if source.plain:
        found, columns, mark = _scan(input, source, None)
        if found.clean and not mark:
            return _readable(source.path, columns, found, input.header)
    scratch.parent.mkdir(parents=True, exist_ok=True)
    found, columns, _ = _scan(input, source, scratch)
    return _readable(scratch, columns, found, input.header)


def text_header(input: Input, source: Source) -> tuple[str, ...]:
    """The columns of a file, from its first lines alone."""
    with source.open() as file:
        whole, encoding, _ = _pieces(file, input.encoding)
        first = next(whole, b"")
        return _columns(input, source, _split_header(first)[0] if input.header else b"", encoding)


def _scan(input: Input, source: Source, target: Path | None) -> tuple[Found, tuple[str, ...], int]:
    with ExitStack() as stack:
        file = stack.enter_context(source.open())
        writing = stack.enter_context(target.open("wb")) if target else None
        whole, encoding, mark = _pieces(file, input.encoding)
        first = next(whole, b"")
        if not first.strip() and not says_empty(input, source.path):
            raise BadData(f"{source.name} is empty. Deliver it again, or take it away if there was nothing to deliver.")
        header, first = _split_header(first) if input.header else (b"", first)
        columns = _columns(input, source, header, encoding)
        scan = Scan(source.name, _dialect(input, encoding, len(columns)), first_line=2 if input.header else 1)
        if writing and input.header:
            writing.write(b"header\n")
        for piece, last in _with_last(first, whole):
            good = scan.piece(piece, last=last)
            if writing:
                writing.write(good)
    if input.header and input.columns:
        # The engine would stop at a header that names other columns than the settings do.
        scan.found.clean = False
    return scan.found, columns, mark


def _pieces(file: BinaryIO, wanted: str) -> tuple[Iterator[bytes], str, int]:
    """The file's pieces, their encoding, and 1 when they are not the file's own bytes."""
    start = file.read(1 << 20)
    encoding, mark = detect(start, wanted)
    rest: Any = _Joined(start[mark:], file)
    if encoding.startswith("utf-16"):
        return pieces(_Narrow(rest, encoding)), "utf-8", 1
    return pieces(rest), encoding, mark


class _Narrow:
    """UTF-16 as UTF-8; what cannot be decoded becomes a byte that UTF-8 does not have, so that its line is rejected."""

    def __init__(self, file: Any, encoding: str) -> None:
        self._file, self._decoder = file, codecs.getincrementaldecoder(encoding)("surrogatepass")

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        return self._decoder.decode(block, not block).encode("utf-8", "surrogatepass")


class _Joined:
    """A file whose first bytes were already read."""

    def __init__(self, start: bytes, file: BinaryIO) -> None:
        self._start, self._file = start, file

    def read(self, size: int) -> bytes:
        if self._start:
            start, self._start = self._start, b""
            return start + self._file.read(max(size - len(start), 0))
        return self._file.read(size)


def _with_last(first: bytes, rest: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    held = first
    for piece in rest:
        yield held, False
        held = piece
    yield held, True


def _split_header(piece: bytes) -> tuple[bytes, bytes]:
    header, _, rest = piece.partition(b"\n")
    return header, rest


def _dialect(input: Input, encoding: str, fields: int) -> Dialect:
    return Dialect(input.separator.encode(), input.quote.encode(), encoding, fields)


def _columns(input: Input, source: Source, header: bytes, encoding: str) -> tuple[str, ...]:
    # Named columns stand for a header that is not there, or that does not fit its lines.
    if not input.header or input.columns:
        return input.columns
    try:
        text = header.decode(encoding).rstrip("\r")
    except UnicodeDecodeError as error:
        raise BadData(
            f"The header of {source.name} is not {encoding}: byte {error.start + 1} is 0x{header[error.start]:02x}. "
            'Write its encoding in backbook.toml, such as encoding = "gb18030".'
        ) from error
    return name_columns(split_record(text, input.separator, input.quote))


def split_record(text: str, separator: str, quote: str) -> list[str]:
    if len(separator) > 1 or not quote:
        return [part.strip().strip(quote or None) if quote else part.strip() for part in text.split(separator)]
    return next(csv.reader(io.StringIO(text), delimiter=separator, quotechar=quote), [])


def name_columns(header: list[str]) -> tuple[str, ...]:
    """Names for every column: an empty one is called by its place, a second one of the same name is numbered.

    >>> name_columns(["id", "page_no", "", "id"])
    ('id', 'page_no', 'column_3', 'id_4')
    """
    names: list[str] = []
    for place, written in enumerate(header, start=1):
        name = written.strip() or f"column_{place}"
        names.append(f"{name}_{place}" if name.lower() in (known.lower() for known in names) else name)
    return tuple(names)


def _readable(path: Path, columns: tuple[str, ...], found: Found, header: bool) -> Readable:
    first = 2 if header else 1
    lines = np.concatenate(found.lines) if found.lines else np.empty(0, np.int64)
    follows = len(lines) == 0 or (lines[0] == first and lines[-1] - lines[0] == len(lines) - 1)
    return Readable(path, columns, found.records, tuple(found.rejects), first, None if follows else lines, header)
