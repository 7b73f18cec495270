"""Versions of scores: everything that was learned and from what, as plain JSON that never changes.

A version's id ends in the hash of its own content, so the same definition over the same rows is the same version.
It scores by its expressions alone; bins, coefficients, counts and figures stand beside them for people.

Which version decides is not stored but follows, for any day, from what was registered and ruled by then. The first
version of a definition is its champion: the definition was approved as a file. A later one over the same definition
waits as candidate until a person promotes it; who was champion before is retired. A version of another definition
than the one asked about decides nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any

import pyarrow as pa

from backbook.engine import Engine
from backbook.errors import BadData
from backbook.expressions import Level, Name, Names, Type
from backbook.lake import Head
from backbook.sources.rulings import Ruling
from backbook.workspace import canonical

TABLE = "score_version"
CHAMPION, CANDIDATE, RETIRED = "champion", "candidate", "retired"
# The kinds of rulings by which people decide on versions; the subject is the id of one.
PROMOTE, RETIRE = "promote", "retire"
COLUMNS = pa.schema(
    [
        ("score", pa.string()),
        ("version", pa.string()),
        ("definition", pa.string()),
        # Counts the versions of a score in the order in which they came, whatever their dates.
        ("number", pa.int64()),
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


@dataclass(frozen=True)
class Standing:
    """What a version is on a day, since when, and on whose word; nobody's where it followed from its registration."""

    version: str
    definition: str
    registered_on: date
    status: str
    since: date
    approved_by: str | None = None
    approved_at: datetime | None = None
    reason: str | None = None
    ruling: str | None = None

    def ruled(self, status: str, ruling: Ruling) -> Standing:
        return replace(self, status=status, since=ruling.at.date(), approved_by=ruling.actor, approved_at=ruling.at,
                       reason=ruling.reason, ruling=ruling.ruling_id)  # fmt: skip


def registered(engine: Engine, head: Head, score: str) -> list[dict[str, Any]]:
    """All versions of a score in the order in which they came."""
    files = head.files(TABLE, part=score)
    rows = engine.rows(engine.parquet(files).order_by("registered_on", "version")) if files else []
    # A lake from before versions were numbered.
    numbered = [{"number": place, **row} for place, row in enumerate(rows, 1)]
    return sorted(numbered, key=lambda row: row["number"])


def scores_registered(head: Head) -> list[str]:
    """The scores that have any version."""
    manifest = head.manifest(TABLE)
    return sorted(manifest.parts()) if manifest else []


def standings(
    rows: Iterable[Mapping[str, Any]], rulings: Iterable[Ruling], definition: str, as_of: date
) -> list[Standing]:
    """What each version of a score was on a day, under the definition in force; later ones are not known yet.

    A ruling counts from its day on, once the version is there.
    """
    found: dict[str, Standing] = {}
    for row in rows:
        if row["registered_on"] > as_of:
            continue
        first = not any(each.definition == row["definition"] for each in found.values())
        status = RETIRED if row["definition"] != definition else CHAMPION if first else CANDIDATE
        found[row["version"]] = Standing(
            row["version"], row["definition"], row["registered_on"], status, row["registered_on"]
        )
    for ruling in sorted(rulings, key=lambda each: (each.at, each.ruling_id)):
        _follow(found, ruling, definition, as_of)
    return list(found.values())


def _follow(found: dict[str, Standing], ruling: Ruling, definition: str, as_of: date) -> None:
    """Let one ruling change what versions are."""
    named = found.get(ruling.subject)
    if named is None or ruling.at.date() > as_of or named.definition != definition:
        return
    if ruling.kind == RETIRE:
        found[named.version] = named.ruled(RETIRED, ruling)
    elif ruling.kind == PROMOTE:
        for each in [each for each in found.values() if each.status == CHAMPION and each is not named]:
            found[each.version] = each.ruled(RETIRED, ruling)
        found[named.version] = named.ruled(CHAMPION, ruling)


def champion(standing: Iterable[Standing]) -> Standing | None:
    """The version that scores, or nothing."""
    return next((each for each in standing if each.status == CHAMPION), None)


def register(engine: Engine, writer: Any, made: Version, as_of: date) -> None:
    """Keep a version. One that is there already keeps its number, and its day unless this one is earlier."""
    rows = registered(engine, writer.head, made.score)
    known = next((row for row in rows if row["version"] == made.id), None)
    rows = [row for row in rows if row["version"] != made.id]
    rows.append(
        {
            "score": made.score,
            "version": made.id,
            "definition": made.definition,
            "number": known["number"] if known else max((row["number"] for row in rows), default=0) + 1,
            "registered_on": min(known["registered_on"], as_of) if known else as_of,
        }
    )
    writer.document(TABLE, made.id, made.data)
    _write(engine, writer, made.score, rows)


def _write(engine: Engine, writer: Any, score: str, rows: Sequence[Mapping[str, Any]]) -> None:
    path = writer.path(TABLE)
    kept = [{name: row[name] for name in COLUMNS.names} for row in rows]
    table = engine.table(pa.Table.from_pylist(kept, schema=COLUMNS))
    count = engine.write(table, path, order_by=["number"])
    writer.replace(TABLE, score, [(path, count)])
