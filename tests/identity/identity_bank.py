"""A small bank whose party records, accounts and rulings a test writes line by line."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from backbook import run
from backbook.customer.identity.identify import Identified, identify
from backbook.customer.identity.terms import read_terms
from backbook.customer.reader import Reader
from backbook.engine import Engine
from backbook.sources import rulings
from backbook.workspace import Workspace

COLUMNS = (
    "system", "party_id", "full_name", "birth_date", "gender", "id_document", "phone", "email", "address", "city",
    "created_at", "known_on",
)  # fmt: skip
SETTINGS = """
[load]
reject_share = 0.5
[identity]
trusted = ["core", "app"]
kept_phones = ["core", "app"]
most_records = {most}
[inputs.people]
path = "raw/people.csv"
delivery = "increment"
[inputs.accounts]
path = "raw/accounts.csv"
[inputs.cards]
path = "raw/cards.csv"
"""


def check_digits(digits: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return digits + "10X98765432"[sum(int(one) * weight for one, weight in zip(digits, weights, strict=True)) % 11]


class Bank:
    """People arrive in files; `who` links a day and keeps it, as the profile stage does."""

    def __init__(self, folder: Path, engine: Engine | None = None, *, most: int = 100) -> None:
        self.folder, self.engine = folder, engine
        (folder / "raw").mkdir(parents=True)
        (folder / "sources").mkdir()
        (folder / "backbook.toml").write_text(SETTINGS.format(most=most), encoding="utf-8")
        for table, columns in (("party", "people"), ("account", "accounts"), ("card", "cards")):
            (folder / "sources" / f"{table}.core.sql").write_text(f"select * from {columns}\n", encoding="utf-8")
        self.people: list[dict[str, Any]] = []
        self.accounts([("A0", "core", "nobody")])
        self._write("cards.csv", ["card_id", "account_id", "system", "party_id", "issued_on"], [])

    def arrive(self, *names: str, **told: Any) -> None:
        """Records SYSTEM:PARTY with what is told of each of them."""
        for name in names:
            system, party = name.split(":")
            self.people.append(
                {"system": system, "party_id": party, "known_on": "2026-01-01", "created_at": "2020-01-01", **told}
            )
        self._write("people.csv", COLUMNS, self.people)

    def accounts(self, owners: Sequence[tuple[str, str, str]]) -> None:
        rows = [
            {"account_id": id_, "system": system, "party_id": party, "opened_on": "2020-01-01"}
            for id_, system, party in owners
        ]
        self._write("accounts.csv", ["account_id", "system", "party_id", "opened_on"], rows)

    def cards(self, holders: Sequence[tuple[str, str, str, str]]) -> None:
        rows = [
            {"card_id": card, "account_id": id_, "system": system, "party_id": party, "issued_on": "2020-01-01"}
            for card, id_, system, party in holders
        ]
        self._write("cards.csv", ["card_id", "account_id", "system", "party_id", "issued_on"], rows)

    def _write(self, name: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        with open(self.folder / "raw" / name, "w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)

    def rule(self, kind: str, subject: str, on: str = "2026-01-01", id_: str = "") -> str:
        """A ruling with its own day, as if made then."""
        file = self.folder / rulings.FILE
        id_ = id_ or f"R{len(file.read_text().splitlines()) if file.exists() else 0}"
        line = {
            "ruling_id": id_,
            "at": f"{on} 12:00:00",
            "actor": "tester",
            "kind": kind,
            "subject": subject,
            "reason": "told so",
        }
        with open(file, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        return id_

    @property
    def workspace(self) -> Workspace:
        opened = Workspace.open(self.folder)
        if self.engine is not None:
            opened.__dict__["engine"] = self.engine
        return opened

    def load(self, on: str) -> None:
        run.walk(self.workspace, [date.fromisoformat(on)], stages=("load",))

    def identify(self, on: str, *, load: bool = True) -> Identified:
        """Load, link the day and keep what was found."""
        if load:
            self.load(on)
        workspace, day = self.workspace, date.fromisoformat(on)
        terms, faults = read_terms(workspace.settings)
        assert not faults
        with workspace.lake.lock("a test") as writer:
            found = identify(Reader(workspace.engine, writer.head), day, workspace.key, terms)
            for table, (rows, order) in found.tables.items():
                path = writer.path(table)
                writer.replace(table, on, [(path, workspace.engine.write(rows, path, order_by=order))])
            writer.publish(about={"as_of": on})
        return found

    def who(self, on: str, *, load: bool = True) -> dict[str, str]:
        """The customer of every record."""
        self.identify(on, load=load)
        return {name: row["customer_id"] for name, row in self.rows("identity", on).items() if name != "core:nobody"}

    def rows(self, table: str, on: str) -> dict[str, dict[str, Any]]:
        return {f"{row['system']}:{row['party_id']}": row for row in self.table(table, on)}

    def table(self, table: str, on: str) -> list[dict[str, Any]]:
        workspace = self.workspace
        files = workspace.lake.head().files(table, part=on)
        return workspace.engine.rows(workspace.engine.parquet(files)) if files else []


def parts(who: Mapping[str, str]) -> set[frozenset[str]]:
    """The people, as sets of records."""
    found: dict[str, set[str]] = {}
    for record, customer in who.items():
        found.setdefault(customer, set()).add(record)
    return {frozenset(records) for records in found.values()}
