"""What need not be built again: a stage whose inputs are what they were keeps what it left.

A stage notes what it read (the manifests of the source tables, what earlier days left, the bundle, the scores in use,
our own code)
and what it wrote, by hash. When all of it is still so, the stage has nothing to do: the same bytes would come out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import backbook
from backbook.lake import Head
from backbook.run.dates import previous_month_end
from backbook.sources.contract import TABLES
from backbook.workspace import canonical

if TYPE_CHECKING:
    from backbook.run.stages import Way

KIND = "built"
# Tables of an earlier day that a stage goes on from.
EARLIER = ("identity", "segment_found")


def inputs(way: Way, **more: Any) -> str:
    """A hash of all that a stage of this date reads."""
    head = way.writer.head
    sources = {table: id for table, id in head.tables.items() if _is_source(table)}
    before = {
        table: sorted(file.sha256 for file in manifest.files if file.part < way.part)
        for table in head.tables
        if table.startswith(EARLIER) and (manifest := head.manifest(table)) is not None
    }
    # Moves of segments and drift of tags are told against the last month-end.
    last = previous_month_end(way.as_of).isoformat()
    before["last month-end"] = [
        sha for table in sorted(head.tables) if table.startswith("profile.") for sha in _left(head, table, last)
    ]
    read = {"program": _program(), "part": way.part, "bundle": way.frozen.bundle.hash, "sources": sources,
            "before": before, "more": more}  # fmt: skip
    return hashlib.sha256(canonical(read)).hexdigest()[:16]


@cache
def _program() -> str:
    """A hash of our own code, whatever its version says: what another program built is built anew."""
    package = Path(backbook.__file__).parent
    told = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        told.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return told.hexdigest()


def _is_source(table: str) -> bool:
    return table.partition(".")[0] in TABLES or table == "party_contact"


def note(way: Way, stage: str, read: str, tables: Iterable[str], found: Mapping[str, Any], base: str = "") -> None:
    """Keep what the stage left, for the next time; `base` are the inputs of the stage that it stands on.

    To be called after the stage was published; the note goes with the next publication.
    """
    left = {table: _left(way.writer.head, table, way.part) for table in sorted(tables)}
    content = canonical({"left": left, "found": found, "base": base})
    name = f"{stage}-{way.part}-{read}-{hashlib.sha256(content).hexdigest()[:12]}"
    way.writer.document(KIND, name, content)


def still_there(way: Way, stage: str, read: str, *, or_base_of: str = "") -> dict[str, Any] | None:
    """What the stage found when it left exactly what the lake holds; None when it must be walked.

    A table that a later stage (`or_base_of`) wrote over counts as left when that stage stood on the same inputs.
    """
    head = way.writer.head
    notes = _notes(head, f"{stage}-{way.part}-{read}-")
    over = (
        [each["left"] for each in _notes(head, f"{or_base_of}-{way.part}-") if each["base"] == read]
        if or_base_of
        else []
    )
    for each in notes:
        changed = {table for table, files in each["left"].items() if _left(head, table, way.part) != files}
        if all(any(_left(head, table, way.part) == left.get(table) for left in over) for table in changed):
            return dict(each["found"])
    return None


def until(way: Way, *tables: str) -> dict[str, list[str]]:
    """Hashes of what derived tables hold up to this date, for a stage that reads them."""
    head = way.writer.head
    found = {}
    for table in tables:
        manifest = head.manifest(table)
        found[table] = sorted(file.sha256 for file in manifest.files if file.part <= way.part) if manifest else []
    return found


def _notes(head: Head, beginning: str) -> list[dict[str, Any]]:
    names = sorted(name for name in head.document_names(KIND) if name.startswith(beginning))
    return [json.loads(data) for name in names if (data := head.document(KIND, name)) is not None]


def _left(head: Head, table: str, part: str) -> list[str]:
    manifest = head.manifest(table)
    return sorted(file.sha256 for file in manifest.files if file.part == part) if manifest else []
