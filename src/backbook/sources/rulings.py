"""Rulings that people make here: lines of JSON in the workspace, loaded like any delivery of the bank.

A line is only ever added. What it binds is decided by the stage that reads it.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from backbook.definitions import SourceMapping as Written
from backbook.errors import NotAllowed
from backbook.sources.inputs import Input
from backbook.sources.mapping import Mapping, read_mapping
from backbook.workspace import Workspace

FILE = "rulings.jsonl"
INPUT = "backbook_rulings"
# Between the records that are one side of a ruling, and between the two sides.
AND, FROM = " + ", " | "
FIELDS = ("ruling_id", "at", "actor", "kind", "subject", "reason")
_QUERY = ", ".join(f"json_extract_string(line, '$.{name}') AS {name}" for name in FIELDS)


@dataclass(frozen=True)
class Ruling:
    ruling_id: str
    at: datetime
    actor: str
    kind: str
    subject: str
    reason: str


def delivered(workspace: Workspace) -> tuple[Input, Mapping] | None:
    """The rulings as one more input with its mapping; None before the first."""
    if not (workspace.path / FILE).is_file():
        return None
    input = Input(
        INPUT, FILE, workspace.path, format="text", separator="\x01", quote="", header=False, columns=("line",)
    )
    written = Written("ruling", "backbook", f"SELECT {_QUERY} FROM {INPUT}", FILE)
    mapping, faults = read_mapping(written, (INPUT,))
    assert mapping is not None, faults
    return input, mapping


def rule(
    workspace: Workspace, kind: str, subject: str, *, actor: str, reason: str, at: datetime | None = None
) -> Ruling:
    """Add one ruling. Raises NotAllowed without an actor or a reason, or when it is dated in the future."""
    if not actor.strip() or not reason.strip():
        raise NotAllowed("A ruling needs the name of who rules and the reason: --actor and --reason.")
    now = datetime.now(ZoneInfo(workspace.settings.timezone)).replace(tzinfo=None, microsecond=0)
    if at is not None and at > now:
        raise NotAllowed(f"A ruling cannot be of {at:%Y-%m-%d}, which is still to come. Leave out --at to rule now.")
    moment = at or now
    made = Ruling(f"R{moment:%Y%m%d}-{secrets.token_hex(4)}", moment, actor.strip(), kind, subject, reason.strip())
    line = json.dumps({**made.__dict__, "at": f"{moment:%Y-%m-%d %H:%M:%S}"}, ensure_ascii=False)
    with open(workspace.path / FILE, "a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
    return made


def written(workspace: Workspace) -> list[Ruling]:
    """The rulings made here, the oldest first."""
    file = workspace.path / FILE
    if not file.is_file():
        return []
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            data = json.loads(line)
            found.append(Ruling(**{**{name: data[name] for name in FIELDS}, "at": datetime.fromisoformat(data["at"])}))
        except (ValueError, KeyError, TypeError) as error:
            raise NotAllowed(f"{FILE}, line {number} is not a ruling: {error}. Mend or remove the line.") from error
    return found


def subject(*sides: Sequence[str]) -> str:
    """
    >>> subject(["core:1", "core:2"], ["app:7"])
    'core:1 + core:2 | app:7'
    """
    return FROM.join(AND.join(side) for side in sides)


def sides(text: str) -> list[list[str]]:
    """
    >>> sides("core:1 + core:2 | app:7")
    [['core:1', 'core:2'], ['app:7']]
    """
    return [[name.strip() for name in side.split(AND) if name.strip()] for side in text.split(FROM)]
