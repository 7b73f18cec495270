"""The lake's folder: made ready, switched from one version to the next, and cleared of what a killed writer left."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from backbook.errors import BadData
from backbook.lake.disk import Disk
from backbook.lake.version import DATA_FILE, DOCUMENT_FILE, HEAD_FILE, Head, head_numbers

if TYPE_CHECKING:
    from backbook.lake.lake import Lake

FOLDERS = ("aside", "data", "documents", "heads", "manifests")


def make_folders(path: Path, disk: Disk) -> None:
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        disk.make_folder(folder)


def prepare(lake: Lake, disk: Disk) -> None:
    """The folders and a HEAD to start from, lasting before anything is built on them."""
    for name in FOLDERS:
        make_folders(lake.path / name, disk)
    # Also when all is there: a writer that was killed may have renamed HEAD, or made a folder, and not synced.
    disk.sync(lake.path)
    disk.sync(lake.path.parent)
    head = lake.head()
    if head.number == 0 and not (lake.path / "HEAD").exists():
        # From here on a lake without HEAD is known to have lost it.
        switch(head, disk)


def switch(head: Head, disk: Disk) -> None:
    """One rename, before which the old version stands and after which the new one."""
    root = head.lake.path
    disk.write(root / "HEAD.aside", head.encoded())
    disk.sync(root / "HEAD.aside")
    disk.rename(root / "HEAD.aside", root / "HEAD")
    disk.sync(root)


def sweep(lake: Lake, disk: Disk) -> None:
    """Clear away what a killed writer left, and only that; with the lock held.

    Sure are the files in aside/, where only the holder of the lock writes, and those files of the lake's own
    naming that carry the number after HEAD's: they belong to a publish that never happened.
    """
    number = lake.head().number
    later = head_numbers(lake.path)[-1:]
    if later and later[0] > number + 1:
        raise BadData(
            f"{lake.path / 'HEAD'} names version {number}, but version {later[0]} was published: HEAD was set back. "
            f"Copy {lake.head_path(later[0])} to HEAD, or move the later files of heads/ away to go on from {number}."
        )
    aside = (*lake.path.glob("HEAD.aside"), *lake.path.glob("aside/*"))
    left = [path for path in aside if path.is_file()]
    for places, names in (("heads/*", HEAD_FILE), ("data/*/*/*", DATA_FILE), ("documents/*/*", DOCUMENT_FILE)):
        left += [path for path in lake.path.glob(places) if _number(path, names) == number + 1]
    for path in sorted(left):
        disk.remove(path)


def _number(path: Path, names: re.Pattern[str]) -> int:
    found = names.fullmatch(path.name)
    return int(found[1]) if found else 0
