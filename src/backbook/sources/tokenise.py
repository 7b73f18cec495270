"""Card numbers become keyed hashes before anything else sees the file: `backbook tokenise`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from backbook import keys
from backbook.errors import BadData, NotAllowed
from backbook.sources.private import keyed_hash, subkey

LAST_FOUR = "_last4"
# Of a shorter value four digits would tell too much.
SHORTEST = 13


def tokenise(
    path_in: Path | str,
    path_out: Path | str,
    columns: Sequence[str],
    key: bytes,
    *,
    separator: str = ",",
    encoding: str = "utf-8",
) -> int:
    """Write the file anew with the card numbers in `columns` as tokens, each with its last four digits beside it.

    The same number gives the same token under the same first key, with or without blanks in it; returns the rows. Raises
    BadData when the file cannot be read whole, and then leaves no file behind.
    """
    source, target = Path(path_in), Path(path_out)
    if target.exists() and target.resolve() == source.resolve():
        raise NotAllowed(f"{source.name} would be written over while it is read. Name another file.")
    if encoding.lower().replace("-", "") in ("utf8", "utf8sig"):
        encoding = "utf-8-sig"
    partial = target.with_name(f"{target.name}.part")
    try:
        with (
            source.open(encoding=encoding, newline="") as file,
            partial.open("w", encoding=encoding.removesuffix("-sig"), newline="") as out,
        ):
            count = 0
            for line in _rewritten(file, columns, key, separator, source.name):
                out.write(line)
                count += 1
    except UnicodeDecodeError as error:
        partial.unlink(missing_ok=True)
        raise BadData(
            f"{source.name} is not {encoding}: byte {error.start + 1}. Name its encoding, such as gb18030."
        ) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    partial.replace(target)
    return count - 1


def _rewritten(lines: Iterator[str], columns: Sequence[str], key: bytes, separator: str, name: str) -> Iterator[str]:
    if len(separator) > 1:
        rows: Iterator[list[str]] = (line.rstrip("\r\n").split(separator) for line in lines)
    else:
        rows = csv.reader(lines, delimiter=separator)
    header = next(rows, None)
    if not header:
        raise BadData(f"{name} is empty.")
    places = [_place(header, column, name) for column in columns]
    # Of the first key for good: tokens lie in the bank's files, where no rotation reaches, and must still join.
    secret = subkey(keys.each(key)[0], "card token")
    yield _line([*header, *(f"{column}{LAST_FOUR}" for column in columns)], separator)
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise BadData(
                f"{name}:{number} has {len(row)} fields where {len(header)} were expected. Mend the file first."
            )
        last = []
        for place in places:
            value = re.sub(r"[\s-]", "", row[place])
            # A mistyped number is most of a card number: it is hashed like the others.
            row[place] = f"t{keyed_hash(secret, value)}" if value else ""
            last.append(value[-4:] if len(value) >= SHORTEST else "")
        yield _line([*row, *last], separator)


def _place(header: Sequence[str], column: str, name: str) -> int:
    if column in header:
        return header.index(column)
    close = get_close_matches(column, header, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else f"Columns: {', '.join(header)}."
    raise BadData(f"{name} has no column '{column}'. {hint}")


def _line(row: Sequence[str], separator: str) -> str:
    if len(separator) > 1:
        return separator.join(row) + "\n"
    return separator.join(_field(value, separator) for value in row) + "\n"


def _field(value: str, separator: str) -> str:
    if any(sign in value for sign in (separator, '"', "\n", "\r")):
        return '"' + value.replace('"', '""') + '"'
    return value
