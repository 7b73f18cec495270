"""The few acts by which the lake changes a disk, each in one place.

Nothing else in the lake writes, so a test can put another `Disk` in its place and stop, tear or forget at
any act. The acts do not promise to last: `sync` of a file makes its content last, `sync` of a folder makes
the names in it last.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from backbook.errors import BadData, NotAllowed, Refusal


class Disk:
    """The real one."""

    def make_folder(self, path: Path) -> None:
        path.mkdir(exist_ok=True)

    def write(self, path: Path, data: bytes) -> None:
        """A new file with all of `data`; what was there under that name is gone."""
        with path.open("wb") as file:
            file.write(data)

    def sync(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        path.unlink()

    def remove_folder(self, path: Path) -> None:
        path.rmdir()

    def open_lock(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def stamp(self, descriptor: int, text: bytes) -> None:
        """Make `text` all that stands in an open file."""
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text, 0)


def refused(error: OSError, place: Path, state: str) -> Refusal:
    """What the disk refused, in words: `state` says what the lake is now."""
    where = error.filename or place
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BadData(f"The disk of {place} is full ({where}). {state} Make room (`prune` may help) and run again.")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        reason = os.strerror(error.errno or 0)
        return NotAllowed(f"{where} cannot be written: {reason}. {state} Give this user the right to write there.")
    return BadData(
        f"The disk of {place} reported an error at {where}: {error}. {state} Check the disk, then run again."
    )
