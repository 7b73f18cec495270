"""What each run did, kept for good: its date, its bundle, the lake it left, and what its stages found.

A run is named by its business date and a number: `2026-10-31.2` is the second run for that date. Each date
has one live run, the latest that decided; nothing of it is issued while approvals do not exist, so a later
run for the same date takes its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from backbook.errors import NotAllowed
from backbook.lake import Lake
from backbook.workspace import Workspace, canonical

RUN = re.compile(r"\d{4}-\d\d-\d\d\.\d+")


@dataclass(frozen=True)
class Record:
    """One run. `head` is the number of the lake's version it left, `found` what each stage reports."""

    run: str
    as_of: str
    stages: tuple[str, ...]
    bundle: str
    head: int
    seconds: float
    versions: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)

    @property
    def number(self) -> int:
        return int(self.run.rpartition(".")[2])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def records(workspace: Workspace) -> list[Record]:
    """All runs, ordered by date and number."""
    found = [read(workspace.lake, name) for name in workspace.lake.documents("run")]
    return sorted(found, key=lambda record: (record.as_of, record.number))


def read(lake: Lake, name: str) -> Record:
    data = lake.document("run", name)
    if data is None:
        known = ", ".join(sorted(lake.documents("run"))[-5:]) or "none yet"
        raise NotAllowed(f"There is no run {name}. The latest runs: {known}.")
    values = json.loads(data)
    return Record(**{**values, "stages": tuple(values["stages"])})


def record_bytes(record: Record) -> bytes:
    return canonical(record.as_json())


def next_run(workspace: Workspace, as_of: date) -> str:
    numbers = [record.number for record in records(workspace) if record.as_of == as_of.isoformat()]
    return f"{as_of.isoformat()}.{max(numbers, default=0) + 1}"


def latest(workspace: Workspace, as_of: date, stage: str) -> Record | None:
    """The latest run for the date that walked the stage; for `decide` this is the live run."""
    found = [record for record in records(workspace) if record.as_of == as_of.isoformat() and stage in record.stages]
    return found[-1] if found else None


def before(workspace: Workspace, as_of: date, stage: str) -> Record | None:
    """The latest run for an earlier date that walked the stage."""
    found = [record for record in records(workspace) if record.as_of < as_of.isoformat() and stage in record.stages]
    return found[-1] if found else None


def named_runs(directory: Path, names: tuple[str, str]) -> tuple[Workspace, tuple[str, str]]:
    """The workspace and the ids of two runs given by id or by their folder under `out/`."""
    ids = tuple(Path(name).name for name in names)
    for given, id_ in zip(names, ids, strict=True):
        if not RUN.fullmatch(id_):
            raise NotAllowed(f"'{given}' is not a run. Write one such as 2026-10-31.1; `backbook runs DIR` lists them.")
    folder = Path(names[1]).resolve()
    home = folder.parent.parent if folder.is_dir() and folder.parent.name == "out" else directory
    return Workspace.open(home), (ids[0], ids[1])
