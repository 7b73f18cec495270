"""The log of deliveries: which file with which content went through which mapping, and what came of it.

It says what is new: a file not seen, a file with other content, a mapping that has changed. A load that finds
nothing new reads nothing and changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from backbook.engine import Engine
from backbook.lake import Head, Writer
from backbook.sources.inputs import Input
from backbook.sources.mapping import Mapping as SourceMapping
from backbook.sources.read import Raw
from backbook.sources.report import Account
from backbook.sources.unpack import sha256

DELIVERY, TOTAL = "delivery", "delivery_total"
# Room for so many files in one load between the numbers of two loads.
FILES_PER_LOAD = 1_000_000
TEXTS = ("mapping", "definition", "input", "file", "sha256")
SCHEMA = pa.schema(
    [
        ("load", pa.int64()),
        ("as_of", pa.date32()),
        *((text, pa.string()) for text in TEXTS),
        ("rows", pa.int64()),
        ("rejected", pa.int64()),
    ]
)


@dataclass
class Log:
    """What was delivered up to now, and what this load adds."""

    inputs: Mapping[str, Input]
    load: int = 1
    last_day: date | None = None
    # (mapping, input, file) → (definition of the mapping and its inputs, content of the file)
    seen: dict[tuple[str, str, str], tuple[str, str]] = field(default_factory=dict)
    counts: dict[str, Account] = field(default_factory=dict)
    nulls_before: dict[str, dict[str, float]] = field(default_factory=dict)
    last_days_before: dict[str, date] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    nulls: dict[str, dict[str, float]] = field(default_factory=dict)
    last_days: dict[str, date] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    _units: dict[str, dict[str, None]] = field(default_factory=dict)
    _again: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    _hashes: dict[Path, str] = field(default_factory=dict)
    # The columns of wide tables whose day matters: of these more rows are kept.
    dated: tuple[str, ...] = ()

    @classmethod
    def read(cls, engine: Engine, head: Head, inputs: Mapping[str, Input], dated: Collection[str] = ()) -> Log:
        log = cls(inputs, dated=tuple(sorted(dated)))
        files = head.files(DELIVERY)
        for row in engine.rows(engine.parquet(files).order_by(["load", "mapping", "input", "file"])) if files else []:
            log.seen[row["mapping"], row["input"], row["file"]] = (row["definition"], row["sha256"])
            log.load = row["load"] + 1
            log.last_day = max(row["as_of"], log.last_day or row["as_of"])
        totals = head.files(TOTAL)
        for row in engine.rows(engine.parquet(totals).order_by(["load", "table"])) if totals else []:
            log._take(row)
        return log

    def _take(self, row: dict[str, Any]) -> None:
        table = row["table"]
        account = Account(**json.loads(row["account"]))
        # Of what was loaded then, all is unchanged as long as nothing new comes.
        self.counts[table] = Account(
            table,
            account.parsed,
            account.rejected,
            account.mapped,
            0,
            account.loaded + account.unchanged,
            account.quarantined,
            read=False,
        )
        self.nulls_before[table] = json.loads(row["nulls"])
        if row["last_day"]:
            self.last_days_before[table] = max(row["last_day"], self.last_days_before.get(table, row["last_day"]))

    @property
    def order(self) -> int:
        return self.load * FILES_PER_LOAD

    def hash(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = sha256(path)
        return self._hashes[path]

    def has_news(self, mapping: SourceMapping) -> bool:
        return any(
            self.is_new(mapping, self.inputs[one], path) for one in mapping.reads for path in self.inputs[one].files()
        )

    def is_new(self, mapping: SourceMapping, input: Input, path: Path) -> bool:
        seen = self.seen.get((mapping.name, input.name, input.file_name(path)))
        return seen is None or seen[0] != self.definition(mapping) or seen[1] != self.hash(path)

    def definition(self, mapping: SourceMapping) -> str:
        """Changes whenever the same files would be read into other rows."""
        content: list[Any] = [mapping.canonical(), *(self.inputs[one].canonical() for one in mapping.reads)]
        if mapping.table.name == "attribute" and self.dated:
            content.append(self.dated)
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def note(self, mapping: SourceMapping, raws: Mapping[str, Raw]) -> None:
        """What the mapping reads in this load."""
        for raw in raws.values():
            for file in raw.files:
                if raw.input.delivery == "increment":
                    self._note_unit(mapping, raw.input, file.path, file.name)
            paths = dict.fromkeys(file.path for file in raw.files)
            for path in paths:
                here = [file for file in raw.files if file.path == path]
                self.rows.append(
                    {
                        "load": self.load,
                        "mapping": mapping.name,
                        "definition": self.definition(mapping),
                        "input": raw.input.name,
                        "file": raw.input.file_name(path),
                        "sha256": self.hash(path),
                        "rows": sum(file.rows for file in here),
                        "rejected": sum(file.rejected for file in here),
                    }
                )

    def _note_unit(self, mapping: SourceMapping, input: Input, path: Path, name: str) -> None:
        self._units.setdefault(mapping.lake_table, {})[name] = None
        if (mapping.name, input.name, input.file_name(path)) in self.seen:
            self._again.setdefault(mapping.lake_table, []).append((mapping.name, name))

    def units(self, lake_table: str) -> tuple[str, ...]:
        """Files of increments of this load, in the order of their names."""
        return tuple(self._units.get(lake_table, ()))

    def again(self, lake_table: str) -> tuple[tuple[str, str], ...]:
        """(mapping, file) that were delivered before."""
        return tuple(self._again.get(lake_table, ()))

    def account(self, lake_table: str) -> Account:
        return self.counts.get(lake_table, Account(lake_table, read=False))

    def write(self, engine: Engine, writer: Writer, as_of: date) -> bool:
        """Add this load to the lake's log; False when there was nothing new."""
        if not self.rows:
            return False
        part = f"{self.load:06d}"
        deliveries = pa.Table.from_pylist([{**row, "as_of": as_of} for row in self.rows], SCHEMA)
        path = writer.path(DELIVERY)
        count = engine.write(engine.table(deliveries), path, order_by=["mapping", "input", "file"])
        writer.append(DELIVERY, part, path, count)
        totals = pa.table(
            {
                "load": [self.load] * len(self.accounts),
                "table": list(self.accounts),
                "account": [json.dumps(asdict(account)) for account in self.accounts.values()],
                "nulls": [json.dumps(self.nulls.get(table, {})) for table in self.accounts],
                "last_day": pa.array([self.last_days.get(table) for table in self.accounts], pa.date32()),
            }
        )
        path = writer.path(TOTAL)
        count = engine.write(engine.table(totals), path, order_by=["table"])
        writer.append(TOTAL, part, path, count)
        return True
