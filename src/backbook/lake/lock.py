"""One process writes the lake at a time.

The lock is the kernel's (`flock`), so it dies with its process; the text in the file only tells others who
holds it, and stale text after a crash stands in nobody's way.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backbook.errors import NotAllowed
from backbook.lake.disk import Disk, refused

_held: set[int] = set()


def _let_go_in_the_child() -> None:
    # A forked child shares the open file and would keep the lock after its parent's death.
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go_in_the_child)


@contextmanager
def held(path: Path, who: str, disk: Disk) -> Iterator[None]:
    """Hold the lock at `path`; raises NotAllowed at once, naming the holder, when another has it."""
    with _refusing(path):
        descriptor = disk.open_lock(path)
    _held.add(descriptor)
    try:
        with _refusing(path):
            _take(descriptor, path)
            disk.stamp(descriptor, _text(who))
        yield
        with suppress(OSError):
            disk.stamp(descriptor, b"")
    finally:
        if descriptor in _held:
            _held.discard(descriptor)
            # Not only closed: a child that was forked a moment ago may still share the open file.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise NotAllowed(f"{path.parent} is being written by {_holder(descriptor)}. Wait until it is done.") from None


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refused(error, path.parent, "The writer's lock could not be had; nothing was written.") from error


def _text(who: str) -> bytes:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return json.dumps({"pid": os.getpid(), "who": who, "since": since}, ensure_ascii=False).encode()


def _holder(descriptor: int) -> str:
    try:
        told = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {told['pid']} ({told['who']}) since {told['since']}"
    except (ValueError, KeyError, TypeError, OSError):
        # It has the lock and has not yet said who it is.
        return "another process"
