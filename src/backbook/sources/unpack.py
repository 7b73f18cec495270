"""What is really inside a delivered file: plain, gzipped, or the members of a zip."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, BinaryIO, cast

from backbook.errors import BadData


@dataclass(frozen=True)
class Source:
    """One thing to read; `name` tells it apart within its input, `plain` says that it lies there unpacked."""

    path: Path
    name: str
    member: str | None = None

    @property
    def plain(self) -> bool:
        return self.member is None and self.path.suffix.lower() != ".gz"

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its bytes, unpacked. Raises BadData when the archive is cut off or damaged."""
        try:
            if self.member is not None:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                    yield cast(BinaryIO, file)
            elif self.path.suffix.lower() == ".gz":
                with gzip.open(self.path, "rb") as file:
                    yield cast(BinaryIO, file)
            else:
                with self.path.open("rb") as file:
                    yield file
        except (EOFError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error) as error:
            raise BadData(
                f"{self.name} cannot be unpacked: {error}. It was cut off or damaged; have it delivered again."
            ) from error


def sources(path: Path, base: Path, member: str | None = None) -> list[Source]:
    """The file itself, or each member of a zip; with `member`, those whose name in the archive it fits."""
    name = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name
    if path.suffix.lower() != ".zip":
        return [Source(path, name)]
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(entry.filename for entry in archive.infolist() if not entry.is_dir())
    except zipfile.BadZipFile as error:
        raise BadData(
            f"{name} cannot be unpacked: {error}. It was cut off or damaged; have it delivered again."
        ) from error
    members = [member for member in members if not member.startswith("__MACOSX/")]
    if not members:
        raise BadData(f"{name} is an empty archive.")
    held, members = members, [each for each in members if member is None or fnmatchcase(each, member)]
    if not members:
        raise BadData(f"{name} has no member '{member}'. It holds: {', '.join(held[:5])}{' …' if held[5:] else ''}.")
    return [Source(path, f"{name}/{each}" if len(held) > 1 else name, each) for each in members]


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(cast(IO[bytes], file), "sha256").hexdigest()  # type: ignore[arg-type]
