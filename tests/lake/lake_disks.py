"""Disks that stop, tear, forget or refuse, and the small play that the lake's tests perform on them."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from backbook.lake import Disk, Head, Lake, Writer

Content = dict[str, dict[str, list[tuple[str, bytes]]]]


class Counting(Disk):
    """Lists the acts. It does not wait for the medium: a kill leaves the page cache as it is."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, Path]] = []

    def act(self, name: str, path: Path, do: Callable[[], None]) -> None:
        self.acts.append((name, path))
        do()

    def make_folder(self, path: Path) -> None:
        self.act("make_folder", path, lambda: Disk.make_folder(self, path))

    def write(self, path: Path, data: bytes) -> None:
        self.act("write", path, lambda: Disk.write(self, path, data))

    def sync(self, path: Path) -> None:
        self.act("sync", path, lambda: os.close(os.open(path, os.O_RDONLY)))

    def rename(self, old: Path, new: Path) -> None:
        self.act("rename", new, lambda: Disk.rename(self, old, new))

    def remove(self, path: Path) -> None:
        self.act("remove", path, lambda: Disk.remove(self, path))

    def remove_folder(self, path: Path) -> None:
        self.act("remove_folder", path, lambda: Disk.remove_folder(self, path))

    def open_lock(self, path: Path) -> int:
        opened: list[int] = []
        self.act("open_lock", path, lambda: opened.append(Disk.open_lock(self, path)))
        return opened[0]

    def stamp(self, descriptor: int, text: bytes) -> None:
        self.act("stamp", Path("lock"), lambda: Disk.stamp(self, descriptor, text))


class Killing(Counting):
    """Kills its own process with SIGKILL at act number `at`: before it, after it, or with a write half done."""

    def __init__(self, at: int, when: str) -> None:
        super().__init__()
        self.at, self.when = at, when

    def act(self, name: str, path: Path, do: Callable[[], None]) -> None:
        here = len(self.acts) == self.at
        if here and self.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().act(name, path, do)
        if here and self.when.startswith("torn"):
            os.truncate(path, path.stat().st_size // 2 if self.when == "torn half" else 0)
        if here:
            os.kill(os.getpid(), signal.SIGKILL)


class Stopped(BaseException):
    """The process is gone; nothing catches this."""


class Stopping(Counting):
    """From act number `at` on nothing reaches the disk any more, as if the process had died there."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def act(self, name: str, path: Path, do: Callable[[], None]) -> None:
        if len(self.acts) >= self.at:
            raise Stopped
        super().act(name, path, do)


class Refusing(Counting):
    """Refuses the act number `at`, once, with an error of the operating system."""

    def __init__(self, at: int, number: int = errno.ENOSPC) -> None:
        super().__init__()
        self.at, self.number = at, number

    def act(self, name: str, path: Path, do: Callable[[], None]) -> None:
        if len(self.acts) == self.at:
            self.acts.append((name, path))
            raise OSError(self.number, os.strerror(self.number), str(path))
        super().act(name, path, do)


@cache
def parquet(*values: int) -> bytes:
    """A Parquet file with one column."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"value": pa.array(values, pa.int64())}), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def put(writer: Writer, disk: Disk, table: str, *values: int) -> tuple[Path, int]:
    """A file written aside, as the engine would."""
    path = writer.path(table)
    disk.write(path, parquet(*values))
    return path, len(values)


def first_run(lake: Lake, disk: Disk) -> Head:
    with lake.lock("run 2026-09-30") as writer:
        writer.append("transaction", "2026-08", *put(writer, disk, "transaction", 1, 2))
        writer.append("transaction", "2026-09", *put(writer, disk, "transaction", 3))
        writer.replace("decision", "2026-09-30", [put(writer, disk, "decision", 10), put(writer, disk, "decision", 11)])
        writer.append("attribute.branch", "all", *put(writer, disk, "attribute.branch", 5))
        writer.document("bundle", "b1", b'{"bundle": 1}')
        return writer.publish({"run": "2026-09-30.1"})


def second_run(lake: Lake, disk: Disk) -> Head:
    """Appends to an old and to a new part, makes a table, replaces with a shared file, drops a table; once only."""
    with lake.lock("run 2026-10-31") as writer:
        if writer.head.about.get("run") == "2026-10-31.1":
            return writer.head
        writer.append("transaction", "2026-09", *put(writer, disk, "transaction", 4), kind="later")
        writer.append("transaction", "2026-10", *put(writer, disk, "transaction", 5, 6))
        writer.append("event", "2026-10", *put(writer, disk, "event", 7))
        writer.replace("decision", "2026-09-30", [put(writer, disk, "decision", 11), put(writer, disk, "decision", 12)])
        writer.replace("decision", "2026-10-31", [put(writer, disk, "decision", 13)])
        writer.drop("attribute.branch")
        writer.document("bundle", "b2", b'{"bundle": 2}')
        writer.document("run", "2026-10-31.1", b'{"run": 1}')
        return writer.publish({"run": "2026-10-31.1"})


def content(head: Head) -> Content:
    """All that can be read, in bytes."""
    found: Content = {}
    for table in head.tables:
        for part in head.manifest(table).parts():
            files = [(kind, path.read_bytes()) for kind in ("base", "later") for path in head.files(table, part, kind)]
            found.setdefault(table, {})[part] = files
    for kind in head.documents:
        names = head.document_names(kind)
        found[f"documents {kind}"] = {name: [("document", head.document(kind, name))] for name in names}
    return found


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of the lake but the lock's text."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
