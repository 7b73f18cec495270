"""What a version is: files in a manifest, manifests in a head, all of it named by hashes.

A manifest is stored under the hash of its content; a head carries its own hash inside. A bit that flips in
either is found when it is read, and a file's bit when the file is first asked for.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow
import pyarrow.parquet

from backbook.errors import BadData

if TYPE_CHECKING:
    from backbook.lake.lake import Lake

KINDS = ("base", "later")
_WORD = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_NAME = re.compile(rf"{_WORD}(\.{_WORD})*", re.ASCII)
DATA_FILE = re.compile(r"(\d{6,})-(\d{3,})-[0-9a-f]{12}\.parquet", re.ASCII)
DOCUMENT_FILE = re.compile(r"(\d{6,})-.+\.json", re.ASCII)
HEAD_FILE = re.compile(r"(\d{6,})\.json", re.ASCII)
MANIFEST_FILE = re.compile(r"([0-9a-f]{64})\.json", re.ASCII)


@dataclass(frozen=True, order=True)
class File:
    """One immutable file, with its path from the lake's folder."""

    part: str
    path: str
    rows: int
    bytes: int
    sha256: str
    kind: str = "base"

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> File:
        file = cls(**content)
        if not all(_NAME.fullmatch(piece) for piece in file.path.split("/")):
            raise BadData(f"A manifest names {file.path!r}, which is not a place in the lake.")
        return file


@dataclass(frozen=True)
class Manifest:
    """One version of one table."""

    table: str
    files: tuple[File, ...] = ()

    @property
    def id(self) -> str:
        return sha256(self.encoded())

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    def parts(self) -> list[str]:
        return sorted({file.part for file in self.files})

    def encoded(self) -> bytes:
        return encoded({"table": self.table, "files": [asdict(file) for file in self.files]})

    @classmethod
    def read(cls, data: bytes, id: str, place: Path) -> Manifest:
        if sha256(data) != id:
            raise BadData(
                f"{place} is damaged: its content no longer has the hash in its name. Restore it from a backup."
            )
        content = json.loads(data)
        return cls(content["table"], tuple(File.read(file) for file in content["files"]))


@dataclass(frozen=True)
class Head:
    """All tables at one moment; what is read through it never changes.

    `tables` and `documents` name a manifest each, `previous` is the hash of the head before.
    """

    number: int
    tables: Mapping[str, str]
    about: Mapping[str, Any]
    documents: Mapping[str, str]
    previous: str
    lake: Lake = field(repr=False, compare=False)

    @property
    def id(self) -> str:
        return sha256(encoded(self._content()))

    def manifest(self, table: str) -> Manifest | None:
        """The table's version, or None when there is no such table."""
        id = self.tables.get(table)
        return None if id is None else self.lake.manifest(id)

    def files(self, table: str, part: str | None = None, kind: str | None = None, *, check: bool = True) -> list[Path]:
        """Paths of the table's files, oldest first within a part, each checked against its hash once per process."""
        manifest = self.manifest(table) or Manifest(table)
        wanted = [file for file in manifest.files if part in (None, file.part) and kind in (None, file.kind)]
        if check:
            self.lake.check(wanted)
        return [self.lake.path / file.path for file in wanted]

    def document(self, kind: str, name: str) -> bytes | None:
        for file in self._documents(kind):
            if file.part == name:
                self.lake.check([file])
                return (self.lake.path / file.path).read_bytes()
        return None

    def document_names(self, kind: str) -> list[str]:
        return [file.part for file in self._documents(kind)]

    def manifests(self) -> list[Manifest]:
        """Of every table and every kind of document."""
        return [self.lake.manifest(id) for id in (*self.tables.values(), *self.documents.values())]

    def encoded(self) -> bytes:
        return encoded({"head": self._content(), "sha256": self.id})

    @classmethod
    def read(cls, data: bytes, lake: Lake, place: Path) -> Head:
        try:
            content = json.loads(data)
            head = cls(**content["head"], lake=lake)
            sound = head.encoded() == data
        except (ValueError, TypeError, KeyError):
            sound = False
        if not sound:
            raise BadData(f"{place} is damaged: its content does not have the hash written in it. {_OTHER_COPY}")
        return head

    def _documents(self, kind: str) -> tuple[File, ...]:
        id = self.documents.get(kind)
        return () if id is None else self.lake.manifest(id).files

    def _content(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "previous": self.previous,
            "tables": dict(self.tables),
            "documents": dict(self.documents),
            "about": dict(self.about),
        }


_OTHER_COPY = "HEAD and the last file in heads/ hold the same bytes: if the other one is sound, copy it."


def head_numbers(lake: Path) -> list[int]:
    """Numbers of all files in heads/, oldest first; one more than HEAD's is of a publish that never came to its end."""
    found = [HEAD_FILE.fullmatch(path.name) for path in lake.glob("heads/*")]
    return sorted(int(name[1]) for name in found if name)


def checked_name(name: str, what: str) -> str:
    """The name, if it can be a folder's: ASCII letters, digits, - and _, in words joined by single dots."""
    if len(name) > 120 or not _NAME.fullmatch(name):
        raise BadData(
            f"{name!r} cannot name a {what} of the lake. Use letters a-z, digits, '-' and '_', "
            f"with single dots between, such as 'attribute.branch' or '2026-10'."
        )
    return name


def encoded(content: Any) -> bytes:
    """JSON with one spelling only, so that equal content has equal bytes."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, allow_nan=False)
    return text.encode() + b"\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parquet_rows(path: Path) -> int:
    """Rows by the file's footer."""
    try:
        return int(pyarrow.parquet.read_metadata(path).num_rows)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadData(f"{path} is not a whole Parquet file: {error}") from error


def wrong_with(file: File, root: Path) -> str:
    """What is wrong with a file on disk, or nothing."""
    path = root / file.path
    if not path.is_file():
        return "The file is missing."
    size = path.stat().st_size
    if size != file.bytes:
        return f"The file has {size:,} bytes, its manifest says {file.bytes:,}."
    if file_sha256(path) != file.sha256:
        return "The file's content has changed since it was published: its SHA-256 differs from its manifest."
    rows = parquet_rows(path) if path.suffix == ".parquet" else file.rows
    if rows != file.rows:
        return f"The file has {rows:,} rows, its manifest says {file.rows:,}."
    return ""
