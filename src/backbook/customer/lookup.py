"""A further column for the rows of a table, looked up from a code in it: merchant category from MCC.

    lookups:
      - id: category
        zh: 消费类别
        en: Merchant category
        tables: [transaction, authorisation]
        of: mcc
        otherwise: other
        levels:
          - {code: dining, zh: 餐饮, en: Dining, is: ["5811-5814"]}
          - {code: other, zh: 其他, en: Other}

Filters of features then say `category = 'dining'` or `消费类别 = '餐饮'`. A code that no level lists is `otherwise`; a
row without a code has no category. A bank with codes of its own replaces the whole lookup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import pyarrow as pa

from backbook.definitions import Item
from backbook.engine import Engine
from backbook.errors import Fault
from backbook.expressions import Level, Name, Type
from backbook.sources.table import Table

KEYS = {"id", "zh", "en", "meaning", "tables", "of", "otherwise", "levels"}
LEVEL_KEYS = {"code", "zh", "en", "is"}
_RANGE = re.compile(r"(\d+)-(\d+)")


@dataclass(frozen=True)
class Lookup:
    """One looked-up column; `codes` are pairs of code and level."""

    id: str
    zh: str
    en: str
    tables: tuple[str, ...]
    of: str
    otherwise: str
    levels: tuple[Level, ...]
    codes: tuple[tuple[str, str], ...]

    @property
    def name(self) -> Name:
        return Name(self.id, Type.TEXT, self.zh, self.en, self.levels)

    def canonical(self) -> dict[str, Any]:
        return {
            "id": self.id, "zh": self.zh, "en": self.en, "tables": list(self.tables), "of": self.of,
            "otherwise": self.otherwise,
            "levels": [{"code": each.code, "zh": each.zh, "en": each.en,
                        "is": [code for code, level in self.codes if level == each.code]} for each in self.levels],
        }  # fmt: skip


def read_lookups(items: Sequence[Item], tables: Mapping[str, Table]) -> tuple[list[Lookup], list[Fault]]:
    """The lookups that the items define, and all that is wrong with the others."""
    lookups, faults = [], []
    for item in items:
        wrong = [*_form(item, tables), *_levels(item)]
        faults += wrong
        if not wrong:
            lookups.append(_lookup(item))
    return lookups, faults


def _form(item: Item, tables: Mapping[str, Table]) -> Iterable[Fault]:
    data = item.data
    for key in sorted(set(data) - KEYS):
        yield item.fault(key, f"'{key}' is not known here.", f"Possible: {', '.join(sorted(KEYS))}.")
    for language in ("zh", "en"):
        if not isinstance(data.get(language), str) or not data[language].strip():
            yield item.fault(language, f"has no name in '{language}'.", f"Write {language}: …")
    named = data.get("tables")
    if not isinstance(named, list) or not named:
        yield item.fault("tables", "has no tables.", "Write tables: [transaction].")
        return
    for place, table in enumerate(named):
        if table not in tables:
            close = get_close_matches(str(table), list(tables), 1)
            possible = f"Did you mean '{close[0]}'?" if close else f"Possible: {', '.join(tables)}."
            yield item.fault(f"tables.{place}", f"the table {table!r} is not in the contract.", possible)
        elif data.get("of") not in tables[table]:
            texts = [column.name for column in tables[table] if column.type is Type.TEXT]
            yield item.fault("of", f"'{table}' has no column {data.get('of')!r}.", f"Possible: {', '.join(texts)}.")
        elif tables[table][data["of"]].type is not Type.TEXT:
            yield item.fault("of", f"'{data['of']}' is {tables[table][data['of']].type}, not text.", "Codes are text.")
        elif item.id in tables[table]:
            yield item.fault("id", f"'{table}' has a column '{item.id}' already.", "Give the lookup another id.")


def _levels(item: Item) -> Iterable[Fault]:
    entries = item.data.get("levels")
    if not isinstance(entries, list) or not entries:
        yield item.fault("levels", "has no levels.", "Write levels: [{code: …, zh: …, en: …, is: […]}].")
        return
    seen: dict[str, str] = {}
    for place, entry in enumerate(entries):
        path = f"levels.{place}"
        if not isinstance(entry, dict) or not {"code", "zh", "en"} <= set(entry) <= LEVEL_KEYS:
            yield item.fault(path, f"level {place + 1} is not complete.", "Write code, zh, en and is: [codes].")
            continue
        for code in _codes(entry.get("is") or []):
            first = seen.setdefault(code, str(entry["code"]))
            if first != str(entry["code"]):
                yield item.fault(path, f"the code {code} stands in '{first}' and in '{entry['code']}'.", "Keep one.")
    codes = [str(entry.get("code")) for entry in entries if isinstance(entry, dict)]
    if str(item.data.get("otherwise")) not in codes:
        found = f"otherwise is {item.data.get('otherwise')!r}."
        yield item.fault("otherwise", found, f"Write otherwise: and one of {', '.join(codes)}.")


def _codes(written: Iterable[Any]) -> Iterable[str]:
    """The single codes of `["5541", "5811-5814"]`; a range keeps the digits of its beginning."""
    for each in written:
        found = _RANGE.fullmatch(str(each))
        if found:
            first, last = found.groups()
            yield from (str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))
        else:
            yield str(each)


def _lookup(item: Item) -> Lookup:
    data = item.data
    levels = tuple(Level(str(entry["code"]), entry["zh"], entry["en"]) for entry in data["levels"])
    codes = [(code, str(entry["code"])) for entry in data["levels"] for code in _codes(entry.get("is") or [])]
    return Lookup(
        item.id, data["zh"], data["en"], tuple(data["tables"]), data["of"], str(data["otherwise"]), levels,
        tuple(dict.fromkeys(codes)),
    )  # fmt: skip


def looked_up(engine: Engine, rows: Any, lookups: Iterable[Lookup]) -> Any:
    """The rows with the column of each lookup."""
    for lookup in lookups:
        listed = pa.table({
            "_code": pa.array([code for code, _ in lookup.codes], pa.string()),
            "_level": pa.array([level for _, level in lookup.codes], pa.string()),
        })  # fmt: skip
        found = engine.table(listed)
        rows = rows.left_join(found, rows[lookup.of] == found["_code"])
        level = rows["_level"].fill_null(lookup.otherwise)
        rows = rows.mutate(**{lookup.id: rows[lookup.of].notnull().ifelse(level, None)}).drop("_code", "_level")
    return rows
