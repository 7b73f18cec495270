"""The log of deliveries: which file with which content went through which mapping, and what came of it.

It says what is new: a file not seen, a file with other content, a mapping that has changed. A load that finds
nothing new reads nothing and changes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from backbook.engine import Engine
from backbook.lake import Head, Writer
from backbook.sources.mapping import Mapping
from backbook.sources.read import Raw
from backbook.sources.report import Account
from backbook.sources.unpack import sha256

# Room for so many files in one load between the numbers of two loads.
FILES_PER_LOAD = 1_000_000
SCHEMA = pa.schema(
    [
        ("load", pa.int64()),
        ("as_of", pa.date32()),
        ("lake_table", pa.string()),
        ("mapping", pa.string()),
        ("definition", pa.string()),
        ("input", pa.string()),
        ("file", pa.string()),
        ("sha256", pa.string()),
        ("rows", pa.int64()),
        ("rejected", pa.int64()),
    ]
)


@dataclass
class Log:
    """What was delivered up to now, and what this load adds."""

    seen: dict[tuple[str, str], tuple[str, str]]
    counts: dict[str, Account]
    last_day: date | None
    load: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    _hashes: dict[Path, str] = field(default_factory=dict)

    @classmethod
    def read(cls, engine: Engine, head: Head) -> Log:
        files = head.files("delivery")
        if not files:
            return cls({}, {}, None, 1)
        rows = engine.rows(engine.parquet(files).order_by(["load", "mapping", "input", "file"]))
        seen = {(row["mapping"], row["file"]): (row["definition"], row["sha256"]) for row in rows}
        totals = head.files("delivery_total")
        counts = {}
        for row in engine.rows(engine.parquet(totals).order_by("load")) if totals else []:
            row.pop("load")
            counts[row["table"]] = Account(
                **{**row, "loaded": 0, "unchanged": row["loaded"] + row["unchanged"], "read": False}
            )
        return cls(seen, counts, max(row["as_of"] for row in rows), max(row["load"] for row in rows) + 1)

    @property
    def order(self) -> int:
        return self.load * FILES_PER_LOAD

    def hash(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = sha256(path)
        return self._hashes[path]

    def is_new(self, mapping: Mapping, path: Path, delivery: str) -> bool:
        return self.seen.get((mapping.name, str(path.name))) != (definition(mapping), self.hash(path))

    def note(self, mapping: Mapping, raws: dict[str, Raw]) -> None:
        for raw in raws.values():
            for file in raw.files:
                self.rows.append(
                    {
                        "load": self.load,
                        "lake_table": mapping.lake_table,
                        "mapping": mapping.name,
                        "definition": definition(mapping),
                        "input": raw.input.name,
                        "file": file.path.name,
                        "sha256": self.hash(file.path),
                        "rows": file.rows,
                        "rejected": file.rejected,
                        "_name": file.name,
                        "_increment": raw.input.delivery == "increment",
                    }
                )

    def units(self, lake_table: str) -> tuple[str, ...]:
        """Files of increments of this load, in the order of their names."""
        return tuple(
            dict.fromkeys(row["_name"] for row in self.rows if row["lake_table"] == lake_table and row["_increment"])
        )

    def again(self, lake_table: str) -> tuple[tuple[str, str], ...]:
        """(mapping, file) that were delivered before."""
        return tuple(
            (row["mapping"], row["_name"])
            for row in self.rows
            if row["lake_table"] == lake_table and row["_increment"] and (row["mapping"], row["file"]) in self.seen
        )

    def account(self, lake_table: str) -> Account:
        return self.counts.get(lake_table, Account(lake_table, read=False))

    def write(self, engine: Engine, writer: Writer, as_of: date) -> bool:
        """Add this load to the lake's log; False when there was nothing new."""
        if not self.rows:
            return False
        rows = [
            {key: value for key, value in row.items() if not key.startswith("_")} | {"as_of": as_of}
            for row in self.rows
        ]
        part = f"{self.load:06d}"
        path = writer.path("delivery")
        count = engine.write(
            engine.table(pa.Table.from_pylist(rows, SCHEMA)), path, order_by=["mapping", "input", "file"]
        )
        writer.append("delivery", part, path, count)
        totals = [{"load": self.load, **asdict(account)} for account in self.accounts.values()]
        path = writer.path("delivery_total")
        count = engine.write(engine.table(pa.Table.from_pylist(totals)), path, order_by=["table"])
        writer.append("delivery_total", part, path, count)
        return True


def definition(mapping: Mapping) -> str:
    return hashlib.sha256(mapping.query.encode()).hexdigest()
