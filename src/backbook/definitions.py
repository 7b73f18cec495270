"""Definitions as people write them: YAML items and SQL mappings, each knowing its file and its lines.

An item is plain data. What it means is the business of the stage that reads it; this file only makes sure
that every fault found later can name the file and the line, and that a workspace's item replaces the
pack's item of the same kind and id as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from backbook.errors import Fault

# kind → (file of many items, its top key) or (folder with one item per file, None)
LISTS = {
    "lookup": ("lookups.yaml", "lookups"),
    "feature": ("features.yaml", "features"),
    "outcome": ("outcomes.yaml", "outcomes"),
    "tag": ("tags.yaml", "tags"),
    "segment": ("segments.yaml", "segments"),
    "attribute": ("sources/attributes.yaml", "attributes"),
}
FOLDERS = {"score": "scores", "strategy": "strategies"}
KINDS = (*LISTS, *FOLDERS)

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*(\{[a-z]+\}[a-z0-9_]*)*")


@dataclass(frozen=True)
class Item:
    """One definition as written: `data` is plain; `lines` gives the line of each key path."""

    kind: str
    id: str
    data: Mapping[str, Any]
    file: str = ""
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, hash=False, repr=False)
    origin: str = "workspace"

    def line(self, path: str = "") -> int | None:
        """The line of the key path, or of the nearest key above it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path.rpartition(".")[0]
        return self.lines.get("")

    def fault(self, path: str, found: str, possible: str = "") -> Fault:
        return Fault(self.file, self.line(path), f"{self.kind} '{self.id}': {found}", possible)


@dataclass(frozen=True)
class SourceMapping:
    """One SQL file that turns raw inputs into rows of one contract table."""

    table: str
    name: str
    text: str
    file: str


def read_items(folder: Path, origin: str, label: str = "") -> tuple[list[Item], list[Fault]]:
    """All items below `folder`, with every fault of form: YAML, missing id, the same id twice."""
    items: list[Item] = []
    faults: list[Fault] = []
    for kind, file, key in _files(folder):
        shown = f"{label}{file.relative_to(folder).as_posix()}"
        try:
            document = YAML(typ="rt").load(file.read_text(encoding="utf-8"))
        except MarkedYAMLError as error:
            mark = error.problem_mark
            faults.append(Fault(shown, mark.line + 1 if mark else None, f"is not YAML: {error.problem}.", ""))
            continue
        except UnicodeDecodeError:
            faults.append(Fault(shown, None, "is not UTF-8 text.", "Save the file as UTF-8."))
            continue
        found, wrong = _items_of(kind, document, key, shown, origin)
        items += found
        faults += wrong
    return items, faults + _twice(items)


def _files(folder: Path) -> Iterator[tuple[str, Path, str | None]]:
    for kind, (name, key) in LISTS.items():
        if (folder / name).is_file():
            yield kind, folder / name, key
    for kind, name in FOLDERS.items():
        for file in sorted((folder / name).glob("*.y*ml")):
            yield kind, file, None


def _items_of(kind: str, document: Any, key: str | None, file: str, origin: str) -> tuple[list[Item], list[Fault]]:
    if document is None:
        return [], []
    if not isinstance(document, dict) or (key is not None and not isinstance(document.get(key) or [], list)):
        shape = f"a list under '{key}:'" if key else "one item with 'id', 'zh' and 'en'"
        return [], [Fault(file, 1, "is not of the form expected.", f"Write {shape}.")]
    if key is None:
        return _one(kind, document, file, origin, 1)
    items: list[Item] = []
    faults = [
        Fault(file, _line_of(document, other), f"'{other}' is not read here.", f"Only '{key}:' is.")
        for other in document
        if other != key
    ]
    entries: Any = document.get(key) or []
    for position, entry in enumerate(entries):
        found, wrong = _one(kind, entry, file, origin, entries.lc.data[position][0] + 1)
        items += found
        faults += wrong
    return items, faults


def _one(kind: str, entry: Any, file: str, origin: str, line: int) -> tuple[list[Item], list[Fault]]:
    if not isinstance(entry, dict):
        return [], [
            Fault(file, line, f"a {kind} was expected, {_short(entry)} was found.", "Write 'id:', 'zh:', 'en:' …")
        ]
    id_ = entry.get("id")
    if not isinstance(id_, str) or not IDENTIFIER.fullmatch(id_):
        return [], [
            Fault(
                file,
                _line_of(entry, "id") or line,
                f"a {kind} has the id {id_!r}.",
                "An id is lower-case letters, digits and underscores, and starts with a letter.",
            )
        ]
    lines = {"": line, **dict(_lines(entry, ""))}
    return [Item(kind, id_, plain(entry), file, lines, origin)], []


def _twice(items: list[Item]) -> list[Fault]:
    seen: dict[tuple[str, str], Item] = {}
    faults = []
    for item in items:
        first = seen.setdefault((item.kind, item.id), item)
        if first is not item:
            faults.append(
                item.fault("id", f"stands already in {first.file}:{first.line()}.", "Give one of them another id.")
            )
    return faults


def plain(value: Any) -> Any:
    """YAML's own containers and scalars as plain Python data."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return str(value)


def _lines(value: Any, path: str) -> Iterator[tuple[str, int]]:
    """The line of every key path below `value`, counted from 1."""
    if isinstance(value, dict):
        pairs: Iterator[tuple[Any, Any]] = iter(value.items())
    elif isinstance(value, list):
        pairs = iter(enumerate(value))
    else:
        return
    for key, entry in pairs:
        below = f"{path}.{key}" if path else str(key)
        yield below, value.lc.data[key][0] + 1
        yield from _lines(entry, below)


def _line_of(mapping: Any, key: str) -> int | None:
    place = getattr(mapping, "lc", None)
    return place.data[key][0] + 1 if place is not None and place.data and key in place.data else None


def _short(value: Any) -> str:
    text = repr(plain(value))
    return text if len(text) <= 40 else f"{text[:37]}…"


def read_mappings(folder: Path) -> tuple[list[SourceMapping], list[Fault]]:
    """`sources/TABLE.NAME.sql` (or `sources/TABLE.sql`), ordered by table and name."""
    mappings, faults = [], []
    for file in sorted((folder / "sources").glob("*.sql")):
        table, _, name = file.name.removesuffix(".sql").partition(".")
        shown = file.relative_to(folder).as_posix()
        try:
            mappings.append(SourceMapping(table, name or "main", file.read_text(encoding="utf-8"), shown))
        except UnicodeDecodeError:
            faults.append(Fault(shown, None, "is not UTF-8 text.", "Save the file as UTF-8."))
    return mappings, faults
