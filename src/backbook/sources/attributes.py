"""The bank's own wide tables: what their columns mean, and what they may be used for.

A column is used when `sources/attributes.yaml` declares it:

    attributes:
      - id: salary_band
        zh: 薪资档
        en: Salary band
        type: text                  # whole money number text date yes/no
        grain: customer             # or account
        purpose: both               # risk marketing both none outcome
        protected: false            # sex, age, marriage …: never in a decision that it may not touch
        valid_days: 90              # older than this it is not known; leave out for always
                                    # of an outcome: it must be told within so many days
        levels: {A: {zh: 高, en: High}, B: {zh: 低, en: Low}}

`backbook check --write` drafts what is not declared yet, with purpose none: somebody has to say what it is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from backbook.definitions import IDENTIFIER, Item
from backbook.errors import Fault
from backbook.expressions import Level, Name, Type
from backbook.sources.contract import TABLES
from backbook.sources.convert import cleaned, name, value
from backbook.sources.table import Column
from backbook.workspace import Workspace

TYPES = tuple(type for type in Type if type is not Type.TIME)
GRAINS = ("account", "customer")
OUTCOME = "outcome"
PURPOSES = ("risk", "marketing", "both", "none", OUTCOME)
KEYS = {"id", "zh", "en", "type", "grain", "purpose", "protected", "valid_days", "levels"}
# Columns that every profile or wide table has already.
TAKEN = frozenset({*(column.name for column in TABLES["attribute"]), "customer_id", "as_of"})
PROTECTED = re.compile(
    r"sex|gender|(^|_)age($|_)|birth|marri|marital|ethnic|race|nation|relig|health|disab|politic|"
    r"性别|年龄|出生|婚|民族|籍贯|国籍|宗教|健康|残疾|政治",
    re.IGNORECASE,
)
VALID_DAYS = 90
FILE = "sources/attributes.yaml"


@dataclass(frozen=True)
class Attribute:
    """One declared column of a wide table."""

    id: str
    type: Type
    grain: str
    zh: str
    en: str
    purpose: str = "none"
    protected: bool = False
    valid_days: int | None = None
    levels: tuple[Level, ...] = ()

    @property
    def name(self) -> Name:
        return Name(self.id, self.type, self.zh, self.en, self.levels)

    @property
    def column(self) -> Column:
        return Column(self.id, self.type, self.zh, self.en, levels=self.levels, free=self.type is Type.TEXT)

    def canonical(self) -> dict[str, Any]:
        plain: dict[str, Any] = {
            "id": self.id,
            "zh": self.zh,
            "en": self.en,
            "type": self.type.value,
            "grain": self.grain,
            "purpose": self.purpose,
            "protected": self.protected,
        }
        if self.valid_days is not None:
            plain["valid_days"] = self.valid_days
        if self.levels:
            plain["levels"] = {level.code: {"zh": level.zh, "en": level.en} for level in self.levels}
        return plain


def read_attributes(items: Iterable[Item]) -> tuple[list[Attribute], list[Fault]]:
    """The declared columns, and everything that is wrong with the others."""
    attributes: list[Attribute] = []
    faults: list[Fault] = []
    for item in items:
        wrong = list(_faults(item))
        faults += wrong
        if not wrong:
            attributes.append(_attribute(item.data))
    return attributes, faults


def _attribute(data: Mapping[str, Any]) -> Attribute:
    return Attribute(
        data["id"],
        Type(data["type"]),
        data["grain"],
        data["zh"],
        data["en"],
        data.get("purpose", "none"),
        data.get("protected", False),
        data.get("valid_days"),
        tuple(_levels(data.get("levels", {}))),
    )


def _levels(written: Any) -> Iterable[Level]:
    """`{A: {zh: 高, en: High}}`, `{A: 高}` or `[A, B]`."""
    if isinstance(written, list):
        written = {str(code): {} for code in written}
    for code, words in written.items():
        words = words if isinstance(words, Mapping) else {"zh": str(words)}
        yield Level(str(code), str(words.get("zh", "")), str(words.get("en", "")))


def _faults(item: Item) -> Iterable[Fault]:
    data = item.data
    for key in data:
        if key not in KEYS:
            close = get_close_matches(key, KEYS, n=1)
            yield item.fault(
                key,
                f"'{key}' is not known.",
                f"Did you mean '{close[0]}'?" if close else f"Possible: {', '.join(sorted(KEYS))}.",
            )
    for key in ("zh", "en"):
        if not isinstance(data.get(key), str) or not data[key].strip():
            yield item.fault(key, f"has no {key}.", "Every column has a name in Chinese (zh) and in English (en).")
    closed: tuple[tuple[str, Sequence[Any]], ...] = (("type", TYPES), ("grain", GRAINS), ("purpose", PURPOSES))
    for key, possible in closed:
        if data.get(key, "none" if key == "purpose" else None) not in possible:
            yield item.fault(key, f"{key} is {data.get(key)!r}.", f"Possible: {', '.join(map(str, possible))}.")
    if not isinstance(data.get("protected", False), bool):
        yield item.fault("protected", f"protected is {data['protected']!r}.", "Write true or false.")
    days = data.get("valid_days")
    if days is not None and (not isinstance(days, int) or isinstance(days, bool) or days < 1):
        yield item.fault(
            "valid_days", f"valid_days is {days!r}.", "Write a whole number of days from 1, or leave it out."
        )
    if not isinstance(data.get("levels", {}), Mapping | list):
        yield item.fault("levels", f"levels is {data['levels']!r}.", "Write {CODE: {zh: …, en: …}}.")
    if item.id in TAKEN:
        yield item.fault("id", "is a column that every wide table has already.", "Give it another name in the mapping.")


# ── the draft ──────────────────────────────────────────────────────────────────────────────────────────────


def draft_attributes(workspace: Workspace) -> Path | None:
    """Add what `attributes.yaml` does not declare yet, read from the wide tables themselves; None when nothing is new.

    What stands in the file is left as it is.
    """
    declared = {item.id for item in workspace.items("attribute")}
    blocks = []
    for mapping, columns in _wide_tables(workspace):
        drafts = [draft for column, draft in columns.items() if column not in declared]
        declared |= set(columns)
        blocks += [f"  # from {mapping}", *drafts] if drafts else []
    if not blocks:
        return None
    file = workspace.path / FILE
    written = file.read_text(encoding="utf-8").rstrip() if file.exists() else ""
    if not re.search(r"^attributes:", written, re.MULTILINE):
        written += ("\n" if written else "") + "attributes:"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([written, *blocks]) + "\n", encoding="utf-8")
    workspace.__dict__.pop("_written", None)
    return file


def _wide_tables(workspace: Workspace) -> Iterable[tuple[str, dict[str, str]]]:
    from backbook.sources.mapped import definitions, mapped_rows

    inputs, mappings, _ = definitions(workspace)
    engine = workspace.engine
    for mapping in mappings:
        if mapping.table.name != "attribute":
            continue
        with engine.scope(), mapped_rows(workspace, mapping, inputs) as rows:
            grain = "account" if "account_id" in rows.columns else "customer"
            columns = [column for column in rows.columns if column not in TAKEN and not column.startswith("_")]
            types = _types(engine, engine.cached(rows), columns)
            yield mapping.source.file, {column: _draft(column, types[column], grain) for column in columns}


def _types(engine: Any, rows: Any, columns: Sequence[str]) -> dict[str, Type]:
    """The narrowest type that every value of a column has."""
    tried = (Type.YESNO, Type.WHOLE, Type.NUMBER, Type.DATE)
    texts = ", ".join(f"{cleaned(column)} AS {name(column)}" for column in columns)
    counts = []
    for place, column in enumerate(columns):
        counts.append(f"count({name(column)}) AS n{place}")
        for type in tried:
            typed = value(Column(column, type, "", ""), name(column), "UTC")
            counts.append(f"count({typed}) AS {type.name}{place}")
    found = engine.ask(f"SELECT {', '.join(counts)} FROM (SELECT {texts} FROM r)", {"r": rows})[0]
    types = {}
    for place, column in enumerate(columns):
        fits = [type for type in tried if found[f"n{place}"] and found[f"{type.name}{place}"] == found[f"n{place}"]]
        types[column] = fits[0] if fits else Type.TEXT
    return types


def _draft(column: str, type: Type, grain: str) -> str:
    if not IDENTIFIER.fullmatch(column) or "{" in column:
        return f"  # the column '{column}' needs a name of lower-case letters: write \"{column}\" AS … in the mapping"
    words = column.replace("_", " ")
    lines = [
        f"- id: {column}",
        f"  zh: {words}                # write its Chinese name",
        f"  en: {words.capitalize()}",
        f'  type: "{type.value}"' if type is Type.YESNO else f"  type: {type.value}",
        f"  grain: {grain}",
        "  purpose: none              # risk, marketing, both, none or outcome: none until somebody says",
        f"  protected: {str(bool(PROTECTED.search(column))).lower()}",
        f"  valid_days: {VALID_DAYS}",
    ]
    return "\n".join(f"  {line}" for line in lines)
