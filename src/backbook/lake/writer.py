"""How a new version comes to be: written aside, made lasting, checked, and only then named.

Until HEAD is renamed nothing that a writer does can be seen; after it everything can. A process that dies
anywhere leaves the old version or the new one; what else it left is cleared away by the next writer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbook.errors import BadData, NotAllowed, Refusal
from backbook.lake.disk import Disk, refused
from backbook.lake.folder import make_folders, sweep, switch
from backbook.lake.version import (
    KINDS,
    File,
    Head,
    Manifest,
    checked_name,
    encoded,
    file_sha256,
    parquet_rows,
    sha256,
)

if TYPE_CHECKING:
    from backbook.lake.lake import Lake


class Writer:
    """Changes of tables, gathered and published together; made by `Lake.lock`."""

    def __init__(self, lake: Lake, disk: Disk) -> None:
        self.lake = lake
        self.head = lake.head()
        self._disk = disk
        self._aside = lake.path / "aside"
        self._paths = 0
        self._stopped = ""
        self._begin()

    def path(self, table: str) -> Path:
        """A fresh path at which to write a Parquet file for `append` or `replace`."""
        self._go_on()
        self._paths += 1
        return self._aside / f"{checked_name(table, 'table')}-{self._paths:04d}.parquet"

    def append(self, table: str, part: str, path: Path, rows: int, kind: str = "base") -> None:
        """Add a file to a part; what the part holds already stays."""
        self._go_on()
        self._files_of(table).append(self._taken(table, part, path, rows, kind))

    def replace(self, table: str, part: str, files: Sequence[tuple[Path, int]], kind: str = "base") -> None:
        """Make (path, rows) the whole of a part; a file with the bytes it had before is shared, not stored again."""
        self._go_on()
        before = self._files_of(table)
        others = [file for file in before if file.part != part]
        here = [file for file in before if file.part == part]
        after: list[File] = []
        for path, rows in files:
            after.append(self._taken(table, part, path, rows, kind, [file for file in here if file not in after]))
        before[:] = others + after

    def drop(self, table: str, part: str | None = None) -> None:
        """Take a part, or the whole table, out of the next version; a table without a file is no table."""
        self._go_on()
        files = self._files_of(table)
        files[:] = [file for file in files if part not in (None, file.part)]

    def document(self, kind: str, name: str, data: bytes) -> None:
        """Add an immutable JSON document; it can be read once the version is published.

        The same bytes may come again; other bytes under the same name are refused.
        """
        self._go_on()
        json.loads(data)
        files = self._documents_of(checked_name(kind, "kind of document"))
        checked_name(name, "document")
        known = next((one for one in files if one.part == name), None)
        path = f"documents/{kind}/{self.head.number + 1:06d}-{name}.json"
        file = File(name, path, 1, len(data), sha256(data), "document")
        if known and known.sha256 == file.sha256:
            return
        if known:
            raise BadData(
                f"There is a {kind} '{name}' already, with other content. A document never changes: take a new name."
            )
        self._paths += 1
        aside = self._aside / f"document-{self._paths:04d}.json"
        with self._stopping():
            self._disk.write(aside, data)
        files.append(file)
        self._moves[aside] = file

    def publish(self, about: Mapping[str, Any]) -> Head:
        """Make all changes since the last publish the version that counts, in one rename.

        When it returns, the version outlasts a power cut. Raises BadData or NotAllowed when the disk refuses;
        after that this writer does nothing more, because what a failed fsync left on the disk cannot be known.
        """
        self._go_on()
        if self.lake.head() != self.head:
            raise NotAllowed(f"{self.lake.path / 'HEAD'} was changed by someone who does not hold the lock.")
        manifests, head = self._next(about)
        named = {file.path for manifest in manifests for file in manifest.files}
        moves = {aside: file for aside, file in self._moves.items() if file.path in named}
        with self._stopping():
            self._place_files(moves)
            self._check(list(moves.values()))
            self._place_manifests(manifests)
            self._name(head)
        self.head = head
        self._begin()
        return head

    def _begin(self) -> None:
        self._tables: dict[str, list[File]] = {}
        self._documents: dict[str, list[File]] = {}
        self._moves: dict[Path, File] = {}
        self._taken_files = 0

    def _files_of(self, table: str) -> list[File]:
        if table not in self._tables:
            known = self.head.manifest(checked_name(table, "table"))
            self._tables[table] = list(known.files) if known else []
        return self._tables[table]

    def _documents_of(self, kind: str) -> list[File]:
        if kind not in self._documents:
            id = self.head.documents.get(kind)
            self._documents[kind] = list(self.lake.manifest(id).files) if id else []
        return self._documents[kind]

    def _taken(self, table: str, part: str, path: Path, rows: int, kind: str, before: Sequence[File] = ()) -> File:
        """The file written at `path`, to be moved to its place; or the one of `before` that has its bytes already."""
        if path.parent != self._aside or path in self._moves:
            raise ValueError(f"{path} is not a fresh path of this writer")
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is not one of {KINDS}")
        checked_name(part, "part")
        found = parquet_rows(path)
        if found != rows:
            raise BadData(f"The file written for {table} {part} has {found:,} rows, not {rows:,}.")
        hashed = file_sha256(path)
        for file in before:
            if (file.sha256, file.kind) == (hashed, kind):
                return file
        # The number of the version to come: what a killed run left is known by its name alone.
        name = f"{self.head.number + 1:06d}-{self._taken_files:03d}-{hashed[:12]}.parquet"
        self._taken_files += 1
        place = f"data/{table}/{part}/{name}"
        self._moves[path] = File(part, place, rows, path.stat().st_size, hashed, kind)
        return self._moves[path]

    def _next(self, about: Mapping[str, Any]) -> tuple[list[Manifest], Head]:
        """The manifests that are new, and the head that names them."""
        manifests: list[Manifest] = []
        named = []
        for known, changed in ((self.head.tables, self._tables), (self.head.documents, self._documents)):
            names = dict(known)
            for table, files in changed.items():
                names.pop(table, None)
                if files:
                    manifest = Manifest(table, tuple(sorted(files)))
                    names[table] = manifest.id
                    manifests += [manifest] if known.get(table) != manifest.id else []
            named.append(names)
        plain = json.loads(encoded(about))
        return manifests, Head(self.head.number + 1, named[0], plain, named[1], self.head.id, self.lake)

    def _place_files(self, moves: Mapping[Path, File]) -> None:
        for aside in moves:
            self._disk.sync(aside)
        folders: set[Path] = set()
        for aside, file in moves.items():
            place = self.lake.path / file.path
            make_folders(place.parent, self._disk)
            self._disk.rename(aside, place)
            folders |= set(place.parents) - {self.lake.path, *self.lake.path.parents}
        # Every folder on the way, not only the new ones: a run that was killed may have made them and not synced.
        for folder in sorted(folders, reverse=True):
            self._disk.sync(folder)

    def _place_manifests(self, manifests: Sequence[Manifest]) -> None:
        for manifest in manifests:
            self._place(manifest.encoded(), self.lake.manifest_path(manifest.id))
        self._disk.sync(self.lake.path / "manifests")

    def _check(self, files: list[File]) -> None:
        faults = self.lake.faults(files)
        if faults:
            raise BadData("What was written is not what was to be published; nothing was published.", faults=faults)

    def _name(self, head: Head) -> None:
        self._place(head.encoded(), self.lake.head_path(head.number))
        self._disk.sync(self.lake.path / "heads")
        switch(head, self._disk)

    def _place(self, data: bytes, place: Path) -> None:
        aside = self._aside / place.name
        self._disk.write(aside, data)
        self._disk.sync(aside)
        self._disk.rename(aside, place)

    def _go_on(self) -> None:
        if self._stopped:
            raise NotAllowed(self._stopped)

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """Whatever fails in here ends this writer; nothing is tried a second time."""
        try:
            yield
        except OSError as error:
            refusal = refused(error, self.lake.path, self._state())
            self._stopped = f"This writer stopped: {refusal}"
            raise refusal from error
        except BaseException:
            self._stopped = "This writer stopped at an error. Run again."
            raise

    def _state(self) -> str:
        now = self.lake.head().number
        if now == self.head.number:
            return f"Nothing was published: version {now} stands."
        return (
            f"Version {now} is written, but not confirmed by the disk: after a power cut version {now - 1} may stand."
        )

    def end(self) -> None:
        """Clear away what was not published; nothing can be written any more."""
        self._stopped = self._stopped or "This writer's lock is no longer held."
        # What cannot be cleared now is left to the next writer.
        with suppress(OSError, Refusal):
            sweep(self.lake, self._disk)
