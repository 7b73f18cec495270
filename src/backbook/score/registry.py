"""Versions of scores: everything that was learned and from what, as plain JSON that never changes.

A version's id ends in the hash of its own content, so the same definition over the same rows is the same version.
It scores by its expressions alone; bins, coefficients, counts and figures stand beside them for people. Which
version decides is kept apart: the champion; a later one over the same definition waits as candidate.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pyarrow as pa

from backbook.engine import Engine
from backbook.errors import BadData
from backbook.expressions import Level, Name, Names, Type
from backbook.lake import Head
from backbook.workspace import canonical

TABLE = "score_version"
CHAMPION, CANDIDATE, RETIRED = "champion", "candidate", "retired"
COLUMNS = pa.schema(
    [
        ("score", pa.string()),
        ("version", pa.string()),
        ("definition", pa.string()),
        ("status", pa.string()),
        ("registered_on", pa.date32()),
    ]
)


@dataclass(frozen=True)
class Unavailable:
    """A score that cannot be had from this bank's data, and what it needs."""

    kind: str
    id: str
    needs: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.id}' is not available: needs {self.needs}"


@dataclass(frozen=True)
class Version:
    """One version, read from its content."""

    content: Mapping[str, Any]

    @cached_property
    def data(self) -> bytes:
        """The bytes that are stored; the same content has the same bytes."""
        return canonical(self.content)

    @cached_property
    def id(self) -> str:
        return f"{self.score}-{hashlib.sha256(self.data).hexdigest()[:12]}"

    @classmethod
    def read(cls, data: bytes) -> Version:
        return cls(json.loads(data))

    @property
    def score(self) -> str:
        return str(self.content["score"])

    @property
    def method(self) -> str:
        return str(self.content["method"])

    @property
    def key(self) -> str:
        return f"{self.content['grain']}_id"

    @property
    def definition(self) -> str:
        """Hash of the definition it was made from."""
        return str(self.content["definition"])

    @property
    def steps(self) -> tuple[tuple[str, Type, str], ...]:
        """Column, type and expression of each step by which it scores; a step may read those before it."""
        return tuple((step["column"], Type(step["type"]), step["text"]) for step in self.content["steps"])

    @property
    def expressions(self) -> Mapping[str, str]:
        return {column: text for column, _, text in self.steps}

    @property
    def has_trees(self) -> bool:
        """Whether its steps read what trees say."""
        return "trees" in self.content

    @property
    def population(self) -> str | None:
        """The condition for being scored at all."""
        found = self.content.get("population")
        return None if found is None else str(found)

    @cached_property
    def columns(self) -> tuple[Name, ...]:
        """The profile columns that it reads, as they were when it was made."""
        return tuple(Name(each["name"], Type(each["type"]), each["zh"], each["en"]) for each in self.content["columns"])

    @cached_property
    def names(self) -> Names:
        return Names("score", self.columns)

    @property
    def grades(self) -> tuple[Level, ...]:
        return tuple(Level(each["code"], each["zh"], each["en"]) for each in self.content["grades"])

    def reason(self, code: str, language: str) -> str:
        """What a reason code says to people; the code itself where it is not of this version.

        >>> Version({"reasons": [{"code": "utilisation:4", "zh": "额度使用率高于 0.8", "en": "Utilisation above 0.8"}]}
        ...     ).reason("utilisation:4", "en")
        'Utilisation above 0.8'
        """
        return str(self._reasons.get(code, {}).get(language, code))

    @cached_property
    def _reasons(self) -> Mapping[str, Mapping[str, Any]]:
        return {each["code"]: each for each in self.content.get("reasons", ())}

    def summary(self) -> dict[str, Any]:
        """The figures that a run and a report show."""
        quality = self.content.get("quality") or {}
        return {
            "id": self.score,
            "zh": self.content["zh"],
            "en": self.content["en"],
            "version": self.id,
            "method": self.method,
            "auc": quality.get("auc"),
            "ks": quality.get("ks"),
            "calibration_error": quality.get("calibration_error"),
            "rows": quality.get("rows"),
            "events": quality.get("events"),
            "bands": quality.get("bands", []),
        }


def step(column: str, type: Type, text: str) -> dict[str, str]:
    """One step as it is kept."""
    return {"column": column, "type": str(type), "text": text}


def version(head: Head, id: str) -> Version:
    """A registered version; raises BadData when the lake does not have it."""
    data = head.document(TABLE, id)
    if data is None:
        raise BadData(
            f"The lake has no score version '{id}'. Registered: {', '.join(head.document_names(TABLE)) or 'none'}."
        )
    return Version.read(data)


def registered(engine: Engine, head: Head, score: str) -> list[dict[str, Any]]:
    """All versions of a score with their status, in the order in which they were registered."""
    files = head.files(TABLE, part=score)
    return engine.rows(engine.parquet(files).order_by("registered_on", "version")) if files else []


def champion(engine: Engine, head: Head, score: str) -> Version | None:
    """The version that scores today, or nothing when none was registered."""
    found = [row for row in registered(engine, head, score) if row["status"] == CHAMPION]
    return version(head, found[-1]["version"]) if found else None


def register(engine: Engine, writer: Any, made: Version, as_of: date) -> str:
    """Keep a version and give it its status, which is returned.

    The first version of a definition becomes champion and retires the champion of the definition before. Another
    one over the same definition waits as candidate: to promote it is a person's act.
    """
    rows = registered(engine, writer.head, made.score)
    known = next((row for row in rows if row["version"] == made.id), None)
    same = any(row["status"] == CHAMPION and row["definition"] == made.definition for row in rows)
    status = (
        str(known["status"]) if known and (same or known["status"] == CHAMPION) else CANDIDATE if same else CHAMPION
    )
    if status == CHAMPION:
        rows = [row | {"status": RETIRED} if row["status"] == CHAMPION else row for row in rows]
    rows = [row for row in rows if row["version"] != made.id]
    rows.append(
        {
            "score": made.score,
            "version": made.id,
            "definition": made.definition,
            "status": status,
            "registered_on": known["registered_on"] if known else as_of,
        }
    )
    writer.document(TABLE, made.id, made.data)
    _write(engine, writer, made.score, rows)
    return status


def _write(engine: Engine, writer: Any, score: str, rows: Sequence[Mapping[str, Any]]) -> None:
    path = writer.path(TABLE)
    table = engine.table(pa.Table.from_pylist([dict(row) for row in rows], schema=COLUMNS))
    count = engine.write(table, path, order_by=["registered_on", "version"])
    writer.replace(TABLE, score, [(path, count)])
