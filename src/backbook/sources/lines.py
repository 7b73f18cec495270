"""Which records a delimited file holds, found line by line before the engine parses it.

The engine reads fast but forgives or stops; a bank needs to know of every line that was not read. So each
file is looked over first: where records begin and end (a quoted field may hold line breaks), whether each
has the right number of fields, decodes, and closes its quotes. A file without fault is read where it lies;
any other is copied without its faulty lines, and those are named with their line numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from backbook.errors import BadData

# Read in pieces of this size, so that memory does not grow with the file.
PIECE = 32 << 20
# A quote that stays open over more lines than this was not meant to open: only its first line is at fault.
LONGEST_RECORD = 200
# A record longer than this was not meant either.
LONGEST_BYTES = 1 << 20
# With more of them the file does not quote as we were told.
MOST_MISQUOTED = 1_000
UNCLOSED, MISPLACED = "a quote is opened and not closed", "a quote stands inside a field"
NEWLINE = 10
BOMS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True)
class Reject:
    """A line that could not be read, and why."""

    line: int
    reason: str


@dataclass
class Found:
    """What the lines of one file are."""

    records: int = 0
    rejects: list[Reject] = field(default_factory=list)
    # Line numbers of the good records, piece by piece; dropped when they follow from the position.
    lines: list[Any] = field(default_factory=list)
    last_line: int = 0
    # True while the file could be read where it lies.
    clean: bool = True


@dataclass(frozen=True)
class Dialect:
    separator: bytes
    quote: bytes
    encoding: str
    fields: int


def decode_piece(piece: bytes, encoding: str) -> tuple[bytes, dict[int, str]]:
    """The piece as UTF-8 and, by line index, what could not be decoded (those lines become empty of meaning).

    >>> decode_piece("客户\\n".encode("gbk"), "gbk")[0].decode()
    '客户\\n'
    """
    try:
        text = piece.decode(encoding)
        return (piece if encoding == "utf-8" else text.encode()), {}
    except UnicodeDecodeError:
        pass
    lines = piece.split(b"\n")
    wrong: dict[int, str] = {}
    for index, line in enumerate(lines):
        try:
            lines[index] = line.decode(encoding).encode()
        except UnicodeDecodeError as error:
            wrong[index] = _not_decoded(line, error, encoding)
            # Kept one line long, so that the numbers of the lines after it stand.
            lines[index] = b""
    return b"\n".join(lines), wrong


def _not_decoded(line: bytes, error: UnicodeDecodeError, encoding: str) -> str:
    other = "gb18030" if encoding == "utf-8" else "utf-8"
    try:
        line.decode(other)
        hint = f"; it reads as {other}: the file mixes encodings"
    except UnicodeDecodeError:
        hint = ""
    return f"byte {error.start + 1} (0x{line[error.start]:02x}) is not {encoding}{hint}"


def detect(start: bytes, wanted: str) -> tuple[str, int]:
    """(encoding, bytes of its mark to leave out), from a file's first bytes.

    `auto` takes UTF-8 unless most lines that are not plain ASCII cannot be UTF-8.
    """
    for mark, encoding in BOMS.items():
        if start.startswith(mark):
            return encoding, len(mark)
    if wanted == "utf-16":
        return "utf-16-le", 0
    if wanted != "auto":
        return wanted, 0
    lines = [line for line in start.split(b"\n")[:-1] or [start] if not line.isascii()]
    wrong = sum(1 for line in lines if not _is_utf8(line))
    return ("gb18030" if wrong * 2 > len(lines) else "utf-8"), 0


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def pieces(file: Readable) -> Iterator[bytes]:
    """The file in pieces that end with a line break; the last one may not."""
    rest = b""
    while block := file.read(PIECE):
        block = rest + block
        cut = block.rfind(b"\n") + 1
        rest = block[cut:]
        if cut:
            yield block[:cut]
    if rest:
        yield rest


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Scan:
    """Looks over one file piece by piece; gives back the good bytes of each."""

    def __init__(self, name: str, dialect: Dialect, first_line: int) -> None:
        self.name = name
        self.dialect = dialect
        self._misquoted = 0
        self.found = Found(last_line=first_line - 1)
        # Lines of a record whose quote is still open at the end of a piece.
        self._open = b""
        self._unended = False

    def piece(self, data: bytes, *, last: bool) -> bytes:
        """The good records of one more piece, ended by line feeds."""
        data = self._open + data
        self._open = b""
        text, wrong = decode_piece(data, self.dialect.encoding)
        if self.dialect.encoding != "utf-8":
            self.found.clean = False
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
            self.found.clean = False
        self._unended = bool(data) and not data.endswith(b"\n")
        if self._unended:
            # The last line may be cut off; it is read if its fields are whole.
            text += b"\n"
        quote = self.dialect.quote
        before = len(self.found.rejects)
        if wrong:
            good = self._careful(text, wrong, data, last=last)
        elif quote and quote in text:
            ends = _quoted_ends(text, self.dialect)
            good = self._careful(text, wrong, data, last=last) if ends is None else self._fast(text, *ends)
        else:
            good = self._fast(text)
        if self._unended and last and len(self.found.rejects) > before:
            self._say_cut_off()
        return good

    def _say_cut_off(self) -> None:
        at_end = self.found.rejects[-1]
        if at_end.line == self.found.last_line:
            self.found.rejects[-1] = Reject(
                at_end.line, f"{at_end.reason}; the file ends in the middle of this line: cut off?"
            )

    def _fast(self, text: bytes, ends: Any | None = None, places: Any | None = None) -> bytes:
        """Nothing undecodable and no quote out of place: records end at `ends`, by default at every line break."""
        if not text:
            return text
        array = np.frombuffer(text, np.uint8)
        breaks = np.flatnonzero(array == NEWLINE)
        ends = breaks if ends is None else ends
        places = _places(array, text, self.dialect.separator) if places is None else places
        starts = np.concatenate(([0], ends[:-1] + 1))
        fields = np.diff(np.searchsorted(places, np.concatenate((starts[:1], ends)))) + 1
        blank = ends == starts
        good = (fields == self.dialect.fields) & ~blank
        numbers = (
            self.found.last_line
            + 1
            + (np.searchsorted(breaks, starts) if len(breaks) != len(ends) else np.arange(len(ends)))
        )
        self.found.last_line += len(breaks)
        if good.all():
            self.found.records += len(ends)
            self.found.lines.append(numbers)
            return text
        self.found.clean = False
        for index in np.flatnonzero(~good & ~blank):
            self._reject(int(numbers[index]), self._field_fault(int(fields[index])))
        self.found.records += int(good.sum())
        self.found.lines.append(numbers[good])
        keep = np.repeat(good, ends - starts + 1)
        return bytes(array[keep].tobytes())

    def _field_fault(self, fields: int) -> str:
        return f"{fields} fields where {self.dialect.fields} were expected"

    def _careful(self, text: bytes, wrong: dict[int, str], data: bytes, *, last: bool) -> bytes:
        """Line by line: records may span lines, lines may not decode."""
        lines = text.split(b"\n")[:-1]
        raw = data.split(b"\n")
        good: list[bytes] = []
        numbers: list[int] = []
        index = 0
        after: int | None
        while index < len(lines):
            number = self.found.last_line + 1 + index
            if index in wrong:
                self._reject(number, wrong[index])
                index += 1
                continue
            line = lines[index]
            if not line:
                self.found.clean = False
                index += 1
                continue
            if self.dialect.quote not in line or not self.dialect.quote:
                fields, after = line.count(self.dialect.separator) + 1, index + 1
            else:
                fields, after = self._record(lines, index, wrong)
                if after is None and not last and len(lines) - index <= LONGEST_RECORD:
                    # The record goes on in the next piece.
                    self._open = b"\n".join(raw[index:])
                    break
            if after is not None and fields == self.dialect.fields:
                good.append(b"\n".join(lines[index:after]))
                numbers.append(number)
                index = after
            elif after is not None and fields:
                self._reject(number, self._field_fault(fields))
                index = after
            else:
                # Where such a record ends cannot be known: the next line is tried by itself.
                self._reject(number, UNCLOSED if after is None else MISPLACED)
                index += 1
        self.found.last_line += index
        self.found.records += len(good)
        self.found.lines.append(np.array(numbers, np.int64))
        return b"\n".join([*good, b""]) if good else b""

    def _record(self, lines: list[bytes], index: int, wrong: dict[int, str]) -> tuple[int, int | None]:
        """(fields, index after the record); no index when its quote stays open, no fields when it is misplaced."""
        record = lines[index]
        for after in range(index + 1, min(index + LONGEST_RECORD, len(lines)) + 1):
            fields = count_fields(record, self.dialect.separator, self.dialect.quote)
            if fields is not None:
                return fields, after
            if after in wrong or after >= len(lines):
                break
            record += b"\n" + lines[after]
        return 0, None

    def _reject(self, line: int, reason: str) -> None:
        self.found.clean = False
        self._misquoted += reason in (UNCLOSED, MISPLACED)
        if self._misquoted > MOST_MISQUOTED:
            raise BadData(
                f"{self.name}: in more than {MOST_MISQUOTED:,} lines, the last of them {line:,}, {reason}. "
                'If quotes are ordinary characters there, write quote = "" in backbook.toml.'
            )
        self.found.rejects.append(Reject(line, reason))


def _places(array: Any, text: bytes, separator: bytes) -> Any:
    """Where the separator stands, found from left to right without overlap: a|+|+|+|b has three fields."""
    hits = array == separator[0]
    for offset, sign in enumerate(separator[1:], start=1):
        hits[:-offset] &= array[offset:] == sign
        hits[-offset:] = False
    places = np.flatnonzero(hits)
    if len(places) > 1 and int(np.diff(places).min()) < len(separator):
        return np.fromiter((found.start() for found in re.finditer(re.escape(separator), text)), np.int64)
    return places


def _quoted_ends(text: bytes, dialect: Dialect) -> tuple[Any, Any] | None:
    """(ends of records, places of separators) when every quote opens and closes a field; None when one does not."""
    array = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(array == dialect.quote[0])
    if len(quotes) % 2:
        return None
    outside = np.cumsum(array == dialect.quote[0], dtype=np.uint8) % 2 == 0
    places = _places(array, text, dialect.separator)
    places = places[outside[places]]
    ends = np.flatnonzero((array == NEWLINE) & outside)
    if int(np.diff(ends, prepend=-1).max(initial=0)) > LONGEST_BYTES:
        return None
    # Where a field may begin, and what may stand behind it.
    begins = np.zeros(len(array) + 1, bool)
    begins[0] = begins[ends + 1] = begins[places + len(dialect.separator)] = True
    behind = np.zeros(len(array) + 1, bool)
    behind[ends] = behind[places] = True
    behind[len(array)] = True
    opening, closing = quotes[0::2], quotes[1::2]
    doubled = closing[:-1] + 1 == opening[1:]
    begun = begins[opening]
    begun[1:] |= doubled
    closed = behind[closing + 1]
    closed[:-1] |= doubled
    return (ends, places) if bool(begun.all() and closed.all()) else None


def count_fields(record: bytes, separator: bytes, quote: bytes) -> int | None:
    """Fields of a record; None when a quote is still open, 0 when a quote stands where none may.

    >>> count_fields(b'a,"b,c","d""e"', b",", b'"')
    3
    >>> count_fields(b'a,"b', b",", b'"') is None
    True
    >>> count_fields(b'a,"b"c', b",", b'"')
    0
    """
    fields, place = 0, 0
    while True:
        fields += 1
        if record.startswith(quote, place):
            place += 1
            while True:
                end = record.find(quote, place)
                if end < 0:
                    return None
                place = end + 1
                if not record.startswith(quote, place):
                    break
                place += 1
            if place == len(record):
                return fields
            if not record.startswith(separator, place):
                return 0
            place += len(separator)
        else:
            end = record.find(separator, place)
            value = record[place:] if end < 0 else record[place:end]
            if quote in value:
                return 0
            if end < 0:
                return fields
            place = end + len(separator)
