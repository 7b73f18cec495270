"""Load: what the bank's systems delivered becomes rows of the lake, and no row is lost on the way.

    raw files ─▶ parsed ─▶ mapping ─▶ typed and judged ─▶ compared with what is known ─▶ lake
                 rejected              quarantined           unchanged, corrected, withdrawn

Nothing is published here: the caller holds the lock and publishes when the whole load stands.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from backbook.engine import Engine
from backbook.errors import BadData, BadDefinition
from backbook.lake import Head, Writer
from backbook.sources import rulings
from backbook.sources.attributes import OUTCOME, Attribute
from backbook.sources.cards import masked_rows, refuse_card_numbers
from backbook.sources.changes import Delivery, changes
from backbook.sources.contract import TABLES
from backbook.sources.deliveries import Log
from backbook.sources.inputs import Input
from backbook.sources.known import known
from backbook.sources.made import MADE, account_id, made_accounts
from backbook.sources.mapped import bind, columns_of, definitions, run_fault
from backbook.sources.mapping import Mapping as SourceMapping
from backbook.sources.mapping import by_person
from backbook.sources.quality import findings, null_shares
from backbook.sources.quarantine import judged, kept_rows, orphans, same_key
from backbook.sources.read import Raw, read
from backbook.sources.report import Account, LoadReport, not_available
from backbook.sources.stage import GIVEN_ON, ID, REASON, Horizon, staged
from backbook.sources.store import with_hashes, write_changes, write_contacts
from backbook.sources.table import Table
from backbook.workspace import Workspace

Progress = Callable[..., None]
# Faulty rows shown of each table or file.
SHOWN = 5
REJECTED = pa.schema([("input", pa.string()), ("file", pa.string()), ("line", pa.int64()), ("reason", pa.string())])


def load(
    workspace: Workspace, writer: Writer, as_of: date, on_progress: Progress | None = None, *, dry_run: bool = False
) -> LoadReport:
    """Read all that was delivered and write it aside with `writer`; the caller publishes.

    Raises BadData when more rows break the contract than `reject_share`, or a file cannot be believed at all;
    BadDefinition when a mapping or an input cannot mean anything. Then nothing of the load stands.
    """
    inputs, mappings, attributes = definitions(workspace)
    own = rulings.delivered(workspace)
    if own:
        inputs[own[0].name] = own[0]
        mappings.append(own[1])
    groups: dict[str, list[SourceMapping]] = {}
    for mapping in mappings:
        groups.setdefault(mapping.lake_table, []).append(mapping)
    workspace.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="load-", dir=workspace.out) as scratch, workspace.engine.scope():
        job = _Load(workspace, writer, as_of, inputs, attributes, Path(scratch), on_progress or (lambda *_: None))
        return job.run(groups)


class _Load:
    """One load under way: what was read, what was found, what later tables may refer to."""

    def __init__(
        self,
        workspace: Workspace,
        writer: Writer,
        as_of: date,
        inputs: Mapping[str, Input],
        attributes: Mapping[str, Attribute],
        scratch: Path,
        tell: Progress,
    ) -> None:
        self.workspace, self.writer, self.as_of, self.inputs = workspace, writer, as_of, inputs
        self.attributes, self.scratch, self.tell = attributes, scratch, tell
        self.engine: Engine = workspace.engine
        self.head: Head = writer.head
        dated = [one.id for one in attributes.values() if one.valid_days or one.purpose == OUTCOME]
        self.log = Log.read(self.engine, self.head, inputs, dated)
        # Whoever loads for an earlier date than the last load still knows what was known then.
        self.horizon = Horizon.of(max(as_of, self.log.last_day or as_of), workspace.settings.timezone)
        self.raw: dict[str, Raw] = {}
        self.keys: dict[str, Any] = {}
        self.accounts: dict[str, Account] = {}
        self.examples: dict[str, tuple[str, ...]] = {}
        self.faults: list[str] = []
        self.loose: dict[str, int] = {}
        self.waiting: dict[str, int] = {}
        self.masked: dict[str, int] = {}

    def run(self, groups: Mapping[str, list[SourceMapping]]) -> LoadReport:
        if "account" not in groups and self._accounts_are_made():
            self._make_accounts(groups)
        else:
            for place, (lake_table, mappings) in enumerate(groups.items()):
                self.tell(lake_table, place, len(groups))
                self._table(lake_table, mappings)
        self._rejects()
        if self.faults:
            raise BadData("\n".join(self.faults))
        changed = self.log.write(self.engine, self.writer, self.as_of)
        return LoadReport(
            self.accounts,
            not_available({*self.head.tables, *(table for table, account in self.accounts.items() if account.loaded)}),
            self._quality(groups),
            self.examples,
            changed,
        )

    # ── one table ───────────────────────────────────────────────────────────────────────────────────────────

    def _table(self, lake_table: str, mappings: list[SourceMapping]) -> None:
        todo = self._todo(lake_table, mappings)
        if todo:
            with self.engine.scope():
                rows, contract = self._rows(todo)
                keys = self._deliver(lake_table, contract, todo, rows)
            self._remember(lake_table, keys)
        elif lake_table in ("party", "account"):
            self._remember(lake_table, None)

    def _todo(self, lake_table: str, mappings: list[SourceMapping]) -> list[SourceMapping]:
        """The mappings with something new to read; their inputs are read here, so that they outlast the table."""
        todo = [mapping for mapping in mappings if self.log.has_news(mapping)]
        for mapping in todo:
            for one in mapping.reads:
                self._read(mapping, one)
        if not todo:
            self.accounts[lake_table] = self.log.account(lake_table)
        return todo

    def _read(self, mapping: SourceMapping, one: str) -> Raw:
        input = self.inputs[one]
        increment = input.delivery == "increment"
        # An increment is read for each mapping by itself, since each may have seen other files.
        unseen = tuple(path for path in input.files() if not increment or self.log.is_new(mapping, input, path))
        key = f"{one}:{hash(unseen)}"
        if key not in self.raw:
            self.raw[key] = read(
                self.engine,
                input,
                self.scratch / f"{len(self.raw)}",
                only=lambda path: path in unseen,
                on_file=self.tell,
            )
        return self.raw[key]

    def _rows(self, mappings: list[SourceMapping]) -> tuple[Any, Table]:
        """Everything that the mappings of one table deliver, staged."""
        parts = []
        contract = mappings[0].table
        for mapping in mappings:
            raws = {one: self._read(mapping, one) for one in mapping.reads}
            mapped = bind(
                self.engine,
                mapping,
                {one: raw.table for one, raw in raws.items()},
                {one: raw.columns for one, raw in raws.items()},
            )
            columns = columns_of(mapping, list(mapped.columns), self.attributes)
            contract = replace(mapping.table, columns=columns)
            mapped = self._with_accounts(mapping, mapped)
            increment = any(raw.input.delivery == "increment" for raw in raws.values())
            self.log.note(mapping, raws)
            parts.append(
                staged(self.engine, mapped, contract, columns, self.horizon, mapping=mapping.name, increment=increment)
            )
        try:
            rows = self.engine.cached(parts[0] if len(parts) == 1 else parts[0].union(*parts[1:]), row_column=ID)
        except Exception as error:
            # The engine's own exceptions are not known by name outside of it.
            raise BadDefinition(
                faults=[run_fault(", ".join(m.name for m in mappings), mappings[0].source.file, error)]
            ) from error
        return self._without_cards(mappings, contract, rows), contract

    def _with_accounts(self, mapping: SourceMapping, mapped: Any) -> Any:
        """A row by person in a table by account: the account made for that person."""
        if not by_person(mapping.table) or "account_id" in mapped.columns:
            return mapped
        return self.engine.sql(f"SELECT *, {account_id()} AS account_id FROM m", {"m": mapped})

    def _without_cards(self, mappings: list[SourceMapping], contract: Table, rows: Any) -> Any:
        story = " and ".join(mapping.source.file for mapping in mappings)
        refuse_card_numbers(self.engine, rows, contract.columns, story)
        rows, masked = masked_rows(self.engine, rows, contract.columns)
        if masked:
            self.masked[mappings[0].lake_table] = masked
        return rows

    def _deliver(self, lake_table: str, contract: Table, mappings: list[SourceMapping], rows: Any) -> Any:
        """Judge, compare and write; gives back the keys that the lake will then have."""
        if contract.private:
            rows = with_hashes(self.engine, self.workspace.key, rows, contract)
        disagreeing, repeated, several = same_key(self.engine, rows, contract)
        bad = judged(self.engine, rows, disagreeing, orphans(self.engine, rows, contract.references, self.keys))
        sound = rows
        if self.engine.count(bad) or self.engine.count(repeated):
            out = self.engine.cached(bad.select(ID).union(repeated))
            sound = self.engine.sql(f"SELECT r.* FROM r ANTI JOIN o ON o.{ID} = r.{ID}", {"r": rows, "o": out})
        stored = tuple(column.stored for column in contract if column.stored)
        found = changes(
            self.engine, self.head, self._delivery(lake_table, contract, mappings), sound, several, rows, stored
        )
        written = write_changes(self.engine, self.writer, lake_table, contract, found)
        if contract.name == "party":
            write_contacts(self.engine, self.writer, self.workspace.key, rows, found)
        self._account(lake_table, mappings, rows, bad, repeated, written)
        self._quarantine(lake_table, contract, rows, bad)
        self._note(lake_table, contract, rows)
        return self._keys(lake_table, contract, found.base)

    def _delivery(self, lake_table: str, contract: Table, mappings: list[SourceMapping]) -> Delivery:
        extracts = [mapping.name for mapping in mappings if self._is_extract(mapping)]
        if lake_table == "account" and mappings:
            # The bank's own accounts take the place of those that were made before it delivered any.
            extracts.append(MADE)
        return Delivery(
            contract,
            lake_table,
            self.horizon,
            self.log.order,
            tuple(extracts),
            self.log.units(lake_table),
            self.log.again(lake_table),
            self._keeps(contract),
        )

    def _keeps(self, contract: Table) -> str:
        """Which rows of a wide table are kept though they say nothing new.

        Of an outcome the next word counts, whatever it says; and a value that grows too old is made young again by
        the day that the bank gives it.
        """
        own = contract.columns if contract.name == "attribute" else ()
        here = [self.attributes[column.name] for column in own if column.name in self.attributes]
        if any(one.purpose == OUTCOME for one in here):
            return "true"
        return f"{GIVEN_ON} IS NOT NULL" if any(one.valid_days for one in here) else "false"

    def _is_extract(self, mapping: SourceMapping) -> bool:
        return all(self.inputs[one].delivery == "extract" for one in mapping.reads)

    # ── accounts and quarantine ─────────────────────────────────────────────────────────────────────────────

    def _account(
        self,
        lake_table: str,
        mappings: list[SourceMapping],
        rows: Any,
        bad: Any,
        repeated: Any,
        written: tuple[int, int, int],
    ) -> None:
        base, later, gone = written
        mapped, quarantined = self.engine.count(rows), self.engine.count(bad)
        raws = {
            id(raw): raw for mapping in mappings for raw in (self._read(mapping, one) for one in mapping.reads)
        }.values()
        account = Account(
            lake_table,
            parsed=sum(raw.parsed for raw in raws),
            rejected=sum(raw.rejected for raw in raws),
            mapped=mapped,
            loaded=base + later,
            unchanged=mapped - quarantined - base - later,
            quarantined=quarantined,
            repeated=self.engine.count(repeated),
            corrected=later,
            withdrawn=gone,
        )
        account.check()
        self.accounts[lake_table] = self.log.accounts[lake_table] = account

    def _quarantine(self, lake_table: str, contract: Table, rows: Any, bad: Any) -> None:
        """Keep the key, reason, file and line of every row that does not enter; too many of them stop the load."""
        account = self.accounts[lake_table]
        if not account.quarantined:
            return
        kept = self.engine.cached(kept_rows(self.engine, rows, bad, contract))
        first = self.engine.rows(kept.order_by([ID]).limit(SHOWN))
        self.examples[lake_table] = tuple(_place(row) for row in first)
        table = f"quarantine.{lake_table}"
        path = self.writer.path(table)
        count = self.engine.write(kept.drop(ID), path, order_by=["mapping", "_file", "_row", "key", "reason"])
        self.writer.replace(table, self.as_of.isoformat(), [(path, count)])
        most = self.workspace.settings.reject_share
        if account.quarantined > most * account.mapped:
            shown = "".join(f"\n    {line}" for line in self.examples[lake_table])
            self.faults.append(
                f"{lake_table}: {account.quarantined:,} of {account.mapped:,} rows break the contract, more than the "
                f"{most:.1%} that may (reject_share). Nothing was loaded. The first:{shown}"
            )

    def _rejects(self) -> None:
        """Lines that could not be read, by file and line; too many of them stop the load."""
        rows: list[dict[str, Any]] = []
        most = self.workspace.settings.reject_share
        for raw in {raw.input.name: raw for raw in self.raw.values()}.values():
            lines = [
                {"input": raw.input.name, "file": file.name, "line": reject.line, "reason": reject.reason}
                for file in raw.files
                for reject in file.rejects
            ]
            rows += lines
            if lines:
                shown = [f"{line['file']}:{line['line']}: {line['reason']}" for line in lines[:SHOWN]]
                self.examples[raw.input.name] = tuple(shown)
            if raw.rejected > most * (raw.parsed + raw.rejected):
                self.faults.append(
                    f"Input '{raw.input.name}': {raw.rejected:,} of {raw.parsed + raw.rejected:,} lines cannot be read, more than "
                    f"the {most:.1%} that may (reject_share). Nothing was loaded. The first:"
                    + "".join(f"\n    {line}" for line in shown)
                )
        if rows:
            path = self.writer.path("rejected")
            table = self.engine.table(pa.Table.from_pylist(rows, REJECTED))
            count = self.engine.write(table, path, order_by=["input", "file", "line"])
            self.writer.replace("rejected", self.as_of.isoformat(), [(path, count)])

    def _note(self, lake_table: str, contract: Table, rows: Any) -> None:
        """What the next load is compared with."""
        columns = [column.name for column in contract.public if column.name not in contract.key]
        self.log.nulls[lake_table] = null_shares(self.engine, rows, columns)
        event = contract.event if contract.event and contract.event != "known_on" else None
        day = f'"{event}"' if event and contract.form == "fact" else GIVEN_ON
        late = f"greatest({day}::DATE, {GIVEN_ON}) > DATE '{self.as_of}'"
        text = f"SELECT max({day})::DATE AS last, count(*) FILTER ({late}) AS waiting FROM r WHERE {REASON} IS NULL"
        found = self.engine.ask(text, {"r": rows})[0]
        self.log.last_days[lake_table] = found["last"] or self.horizon.day
        self.waiting[lake_table] = found["waiting"]
        for reference in contract.references:
            there = self.keys.get(reference.table)
            if not reference.strict and there is not None:
                self.loose[lake_table] = self.engine.count(rows.anti_join(there, list(reference.columns)))

    def _keys(self, lake_table: str, contract: Table, new: Any) -> Any:
        if lake_table not in ("party", "account"):
            return None
        return self.engine.arrow(new.select(*contract.key))

    def _remember(self, lake_table: str, new: Any) -> None:
        """The keys that later tables may refer to: those of the lake, and those that are coming."""
        if lake_table not in ("party", "account"):
            return
        keys = [self.engine.table(new)] if new is not None else []
        old = known(self.engine, self.head, lake_table, self.horizon.day)
        keys += [old.select(*TABLES[lake_table].key)] if old is not None else []
        if keys:
            self.keys[lake_table] = self.engine.cached(
                keys[0].union(*keys[1:]).distinct() if len(keys) > 1 else keys[0].distinct()
            )

    # ── accounts made for people ────────────────────────────────────────────────────────────────────────────

    def _accounts_are_made(self) -> bool:
        """True unless the bank has delivered accounts of its own before."""
        rows = known(self.engine, self.head, "account", self.horizon.day)
        return rows is None or self.engine.count(rows.filter(~rows.is_made.fill_null(False))) == 0

    def _make_accounts(self, groups: Mapping[str, list[SourceMapping]]) -> None:
        """Stage everything first: accounts are made of the people in all tables, and then the tables refer to them."""
        staged_tables = {}
        for lake_table, mappings in groups.items():
            self.tell(lake_table)
            todo = self._todo(lake_table, mappings)
            if todo:
                staged_tables[lake_table] = (*self._rows(todo), todo)
        old = known(self.engine, self.head, "account", self.horizon.day)
        people = [(contract, rows) for rows, contract, _ in staged_tables.values()]
        made = made_accounts(self.engine, TABLES["account"], people, old, self.horizon)
        order = list(TABLES)
        if made is not None and self.engine.count(made):
            self._remember("account", self._deliver("account", TABLES["account"], [], made))
        elif old is not None:
            self._remember("account", None)
            self.accounts["account"] = self.log.account("account")
        for lake_table, (rows, contract, todo) in sorted(
            staged_tables.items(), key=lambda one: order.index(one[1][1].name)
        ):
            self.tell(lake_table)
            keys = self._deliver(lake_table, contract, todo, rows)
            self._remember(lake_table, keys)

    def _quality(self, groups: Mapping[str, list[SourceMapping]]) -> Any:
        return findings(
            self.accounts,
            self.log.counts,
            self.log.nulls,
            self.log.nulls_before,
            {**self.log.last_days_before, **self.log.last_days},
            {table for table, mappings in groups.items() if all(map(self._is_extract, mappings))},
            self.loose,
            self.masked,
            self.waiting,
            self.as_of,
            self.workspace.settings.stale_days,
        )


def _place(row: dict[str, Any]) -> str:
    place = f"{row['_file']}:{row['_row']}" if row["_file"] is not None else f"{row['mapping']} {row['key']}"
    return f"{place}: {row['reason']}"
