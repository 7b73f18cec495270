"""Load: what the bank's systems delivered becomes rows of the lake, and no row is lost on the way.

    raw files ─▶ parsed ─▶ mapping ─▶ typed and judged ─▶ compared with what is known ─▶ lake
                 rejected              quarantined           unchanged, corrected, withdrawn

Nothing is published here: the caller holds the lock and publishes when the whole load stands.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from backbook.engine import Engine
from backbook.errors import BadData, BadDefinition, Fault
from backbook.lake import Head, Writer
from backbook.sources import deliveries
from backbook.sources.changes import Changes, Delivery, changes
from backbook.sources.contract import TABLES
from backbook.sources.inputs import Input, read_inputs
from backbook.sources.known import COUNTS_FROM, HIDDEN
from backbook.sources.mapping import Mapping, column_faults, read_mapping
from backbook.sources.quarantine import judged, kept_rows, orphans, same_key
from backbook.sources.read import Raw, read
from backbook.sources.report import Account, LoadReport, not_available
from backbook.sources.stage import ID, Horizon, staged
from backbook.sources.table import Column, Table
from backbook.workspace import Workspace

Progress = Callable[..., None]


def load(workspace: Workspace, writer: Writer, as_of: date, on_progress: Progress | None = None) -> LoadReport:
    """Read all that was delivered; raises BadData or BadDefinition, and then nothing of the load stands."""
    inputs, mappings = definitions(workspace)
    with tempfile.TemporaryDirectory(prefix="load-", dir=_scratch(workspace)) as scratch, workspace.engine.scope():
        job = _Load(workspace, writer, as_of, inputs, Path(scratch), on_progress or (lambda *_: None))
        return job.run(mappings)


def definitions(workspace: Workspace) -> tuple[dict[str, Input], list[Mapping]]:
    """Inputs and mappings, in the order of the contract. Raises BadDefinition with everything that is wrong."""
    inputs, mappings, faults = check_definitions(workspace)
    if faults:
        raise BadDefinition(faults=faults)
    return inputs, mappings


def check_definitions(workspace: Workspace) -> tuple[dict[str, Input], list[Mapping], list[Fault]]:
    inputs, faults = read_inputs(workspace.settings, workspace.path)
    mappings = []
    for source in workspace.mappings():
        mapping, wrong = read_mapping(source, workspace.settings.inputs)
        faults += wrong
        mappings += [mapping] if mapping and not wrong else []
    order = list(TABLES)
    return inputs, sorted(mappings, key=lambda mapping: (order.index(mapping.table.name), mapping.name)), faults


def _scratch(workspace: Workspace) -> Path:
    folder = workspace.out / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass
class _Load:
    workspace: Workspace
    writer: Writer
    as_of: date
    inputs: dict[str, Input]
    scratch: Path
    tell: Progress

    def __post_init__(self) -> None:
        self.engine: Engine = self.workspace.engine
        self.head: Head = self.writer.head
        self.log = deliveries.Log.read(self.engine, self.head)
        day = max([self.as_of, *([self.log.last_day] if self.log.last_day else [])])
        self.horizon = Horizon(day, self.workspace.settings.timezone)
        self.raw: dict[str, Raw] = {}
        self.keys: dict[str, Any] = {}
        self.accounts: dict[str, Account] = {}
        self.examples: dict[str, tuple[str, ...]] = {}
        self.faults: list[str] = []

    def run(self, mappings: Sequence[Mapping]) -> LoadReport:
        groups: dict[str, list[Mapping]] = {}
        for mapping in mappings:
            groups.setdefault(mapping.lake_table, []).append(mapping)
        for number, (lake_table, members) in enumerate(groups.items()):
            self.tell(lake_table, number, len(groups))
            self._table(lake_table, members)
        if self.faults:
            raise BadData("\n".join(self.faults))
        changed = self.log.write(self.engine, self.writer, self.as_of)
        present = {*self.head.tables, *(table for table, account in self.accounts.items() if account.loaded)}
        return LoadReport(self.accounts, not_available(present), (), self.examples, changed)

    def _table(self, lake_table: str, mappings: list[Mapping]) -> None:
        todo = [mapping for mapping in mappings if self._is_new(mapping)]
        if not todo:
            self.accounts[lake_table] = self.log.account(lake_table)
            return
        contract = mappings[0].table
        columns = contract.columns
        parts = [self._staged(mapping, columns) for mapping in todo]
        rows = self.engine.cached(parts[0] if len(parts) == 1 else parts[0].union(*parts[1:]))
        rows = rows.mutate(**{ID: rows.rowid()})
        self._deliver(lake_table, contract, todo, rows)

    def _is_new(self, mapping: Mapping) -> bool:
        return any(
            self.log.is_new(mapping, path, self.inputs[one].delivery)
            for one in mapping.reads
            for path in self.inputs[one].files()
        )

    def _read(self, mapping: Mapping, name: str) -> Raw:
        input = self.inputs[name]
        only = None
        if input.delivery == "increment":
            only = lambda path: self.log.is_new(mapping, path, "increment")  # noqa: E731
        # An increment is read for each mapping, since each may have seen other files.
        key = name if only is None else f"{name}:{mapping.name}"
        if key not in self.raw:
            self.raw[key] = read(self.engine, input, self.scratch, only=only, on_file=lambda file: self.tell(file))
        return self.raw[key]

    def _staged(self, mapping: Mapping, columns: tuple[Column, ...]) -> Any:
        raws = {name: self._read(mapping, name) for name in mapping.reads}
        try:
            mapped = self.engine.sql(mapping.query, {name: raw.table for name, raw in raws.items()})
        except Exception as error:
            raise BadDefinition(faults=[_sql_fault(mapping, raws, error)]) from error
        faults = list(column_faults(mapping.source, mapping.table, [c for c in mapped.columns]))
        if faults:
            raise BadDefinition(faults=faults)
        self.log.note(mapping, raws)
        increment = any(raw.input.delivery == "increment" for raw in raws.values())
        return staged(
            self.engine, mapped, mapping.table, columns, self.horizon, mapping=mapping.name, increment=increment
        )

    def _deliver(self, lake_table: str, contract: Table, mappings: list[Mapping], rows: Any) -> None:
        disagreeing, repeated, several = same_key(self.engine, rows, contract)
        bad = judged(self.engine, rows, disagreeing, orphans(self.engine, rows, contract.references, self.keys))
        out = bad.select(ID).union(repeated)
        sound = rows.anti_join(out, [ID])
        stored = tuple(column.name for column in contract.public)
        delivery = Delivery(
            contract,
            lake_table,
            self.horizon,
            self.log.order,
            tuple(
                mapping.name
                for mapping in mappings
                if all(self.inputs[one].delivery == "extract" for one in mapping.reads)
            ),
            self.log.units(lake_table),
            self.log.again(lake_table),
        )
        found = changes(self.engine, self.head, delivery, sound, several, rows, stored)
        counts = self._write(delivery, found)
        self._count(lake_table, mappings, rows, bad, repeated, counts, contract)
        self._remember(lake_table, contract, found)

    def _write(self, delivery: Delivery, found: Changes) -> tuple[int, int, int]:
        base = self._write_parts(delivery, found.base, "base")
        later = self._write_parts(delivery, found.later, "later")
        gone = self._write_parts(delivery, found.withdrawn, "later") if found.withdrawn is not None else 0
        return base, later, gone

    def _write_parts(self, delivery: Delivery, rows: Any, kind: str) -> int:
        contract = delivery.table
        event = contract.event if kind == "base" and contract.form == "fact" and contract.event else COUNTS_FROM
        months = rows[event].strftime("%Y-%m").fill_null("undated")
        parts = sorted(row["part"] for row in self.engine.rows(rows.select(part=months).distinct()))
        order = [*contract.key, "known_on", *HIDDEN[:2]]
        total = 0
        for part in parts:
            path = self.writer.path(delivery.lake_table)
            chosen = rows.filter(months == part).drop(ID)
            count = self.engine.write(chosen, path, order_by=order)
            self.writer.append(delivery.lake_table, part, path, count, kind=kind)
            total += count
        return total

    def _count(
        self,
        lake_table: str,
        mappings: list[Mapping],
        rows: Any,
        bad: Any,
        repeated: Any,
        counts: tuple[int, int, int],
        contract: Table,
    ) -> None:
        base, later, gone = counts
        mapped, quarantined = self.engine.count(rows), self.engine.count(bad)
        raws = {
            raw.input.name: raw for mapping in mappings for raw in (self._read(mapping, one) for one in mapping.reads)
        }
        account = Account(
            lake_table,
            parsed=sum(raw.parsed for raw in raws.values()),
            rejected=sum(raw.rejected for raw in raws.values()),
            mapped=mapped,
            loaded=base + later,
            unchanged=mapped - quarantined - base - later,
            quarantined=quarantined,
            repeated=self.engine.count(repeated),
            corrected=later,
            withdrawn=gone,
        )
        account.check()
        self.accounts[lake_table] = account
        self.log.accounts[lake_table] = account
        if quarantined:
            self._quarantine(lake_table, contract, rows, bad, account)

    def _quarantine(self, lake_table: str, contract: Table, rows: Any, bad: Any, account: Account) -> None:
        kept = self.engine.cached(kept_rows(self.engine, rows, bad, contract))
        first = self.engine.rows(kept.order_by(["_file", "_row", ID]).limit(5))
        self.examples[lake_table] = tuple(_place(row) for row in first)
        path = self.writer.path(f"quarantine.{lake_table}")
        count = self.engine.write(kept.drop(ID), path, order_by=["mapping", "_file", "_row", "key", "reason"])
        self.writer.replace(f"quarantine.{lake_table}", f"{self.as_of}", [(path, count)])
        share = account.quarantined / account.mapped
        if share > self.workspace.settings.reject_share:
            self.faults.append(
                f"{lake_table}: {account.quarantined:,} of {account.mapped:,} rows break the contract; "
                f"at most {self.workspace.settings.reject_share:.1%} may. First: {self.examples[lake_table][0]}"
            )

    def _remember(self, lake_table: str, contract: Table, found: Changes) -> None:
        """Keys that later tables may refer to."""
        if contract.name not in ("party", "account"):
            return
        keys = [found.base.select(*contract.key)]
        files = self.head.files(lake_table)
        if files:
            keys.append(self.engine.parquet(files).select(*contract.key))
        self.keys[contract.name] = self.engine.cached(
            keys[0].union(*keys[1:]).distinct() if len(keys) > 1 else keys[0].distinct()
        )


def _place(row: dict[str, Any]) -> str:
    place = f"{row['_file']} row {row['_row']}" if row["_file"] else f"key {row['key']}"
    return f"{place}: {row['reason']}"


def _sql_fault(mapping: Mapping, raws: dict[str, Raw], error: Exception) -> Fault:
    """The engine's refusal of a mapping, in words that name the inputs' columns."""
    import re
    from difflib import get_close_matches

    text = str(error)
    missing = re.search(r'(?:column|Column)[^"]*"([^"]+)"', text)
    columns = [column for raw in raws.values() for column in raw.columns]
    if missing and ("not found" in text or "does not have" in text):
        wanted = missing[1].split(".")[-1]
        close = get_close_matches(wanted, columns, n=1, cutoff=0.5)
        files = ", ".join(f"{raw.input.name} ({raw.files[0].name})" for raw in raws.values() if raw.files)
        hint = f"Did you mean '{close[0]}'?" if close else f"Columns: {', '.join(columns)}."
        return Fault(mapping.source.file, None, f"reads the column '{wanted}', which {files} does not have.", hint)
    return Fault(mapping.source.file, None, f"does not run: {text.splitlines()[0]}")
