"""Which versions are let go, and what goes with them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from backbook.errors import BadData
from backbook.lake.version import DATA_FILE, DOCUMENT_FILE, HEAD_FILE, MANIFEST_FILE, Head, Manifest

if TYPE_CHECKING:
    from backbook.lake.lake import Lake


def kept_heads(
    lake: Lake, *, keep_heads: int, heads: Collection[int] = (), parts: Collection[tuple[str, str]] = ()
) -> list[Head]:
    """HEAD, the last `keep_heads` versions, those named in `heads`, and the newest that holds each state of each of `parts`."""
    if keep_heads < 1:
        raise BadData(f"{keep_heads} versions cannot be kept: HEAD always is. Keep 1 or more.")
    numbers = lake.heads()
    missing = sorted(set(heads) - set(numbers))
    if missing:
        raise BadData(f"Version {missing[0]} is to be kept, but is not there. Nothing was removed.")
    kept = set(numbers[-keep_heads:]) | set(heads)
    found = [lake.head(number) for number in numbers]
    seen: set[tuple[str, ...]] = set()
    for head in reversed(found):
        new = {_state(head, table, part) for table, part in parts} - seen
        if any(len(state) > 2 for state in new):
            kept.add(head.number)
        seen |= new
    return [head for head in found if head.number in kept]


def leftovers(lake: Lake, kept: Collection[Head]) -> tuple[list[Path], list[Path]]:
    """The heads that go, and the manifests and data files that no kept version names.

    Only files with names such as the lake itself gives are ever listed.
    """
    manifests = [manifest for head in kept for manifest in head.manifests()]
    named = {lake.path / file.path for manifest in manifests for file in manifest.files}
    named |= {lake.manifest_path(manifest.id) for manifest in manifests}
    named |= {lake.head_path(head.number) for head in kept}
    heads = [path for path in sorted(lake.path.glob("heads/*")) if HEAD_FILE.fullmatch(path.name)]
    files = [path for path in sorted(lake.path.glob("manifests/*")) if MANIFEST_FILE.fullmatch(path.name)]
    files += [path for path in sorted(lake.path.glob("data/*/*/*")) if DATA_FILE.fullmatch(path.name)]
    # HEAD names every document there ever was; the others are of a run that was killed.
    files += [path for path in sorted(lake.path.glob("documents/*/*")) if DOCUMENT_FILE.fullmatch(path.name)]
    return [path for path in heads if path not in named], [path for path in files if path not in named]


def _state(head: Head, table: str, part: str) -> tuple[str, ...]:
    """Table, part, and the files that the part has in this version."""
    manifest = head.manifest(table) or Manifest(table)
    return (table, part, *(file.path for file in manifest.files if file.part == part))
