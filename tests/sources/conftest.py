"""A small bank whose deliveries a test writes line by line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from backbook.engine import Engine
from backbook.sources.known import known
from backbook.sources.load import load
from backbook.sources.report import LoadReport
from backbook.workspace import Workspace

AS_OF = date(2026, 10, 31)
ACCOUNTS = (
    "account_id,system,party_id,opened_on,credit_limit\nA1,core,P1,2020-01-05,10000\nA2,core,P2,2021-02-06,20000\n"
)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()


class Bank:
    """A workspace under a temporary folder: write files, inputs and mappings, load, and ask what is known."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder, self.engine = folder, engine
        self.reject_share = 0.99
        self.inputs: dict[str, str] = {}
        (folder / "sources").mkdir(parents=True)
        self.input("accounts", 'path = "raw/accounts.csv"')
        self.file("accounts.csv", ACCOUNTS)
        self.mapping("account.core", "select * from accounts")

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def input(self, name: str, settings: str) -> None:
        self.inputs[name] = textwrap.dedent(settings)

    def mapping(self, name: str, sql: str | None) -> None:
        file = self.folder / "sources" / f"{name}.sql"
        if sql is None:
            file.unlink(missing_ok=True)
        else:
            file.write_text(textwrap.dedent(sql), encoding="utf-8")

    def attributes(self, text: str) -> None:
        (self.folder / "sources" / "attributes.yaml").write_text(textwrap.dedent(text), encoding="utf-8")

    def transactions(self, *lines: str, header: str = "transaction_id,account_id,posted_at,amount,kind") -> None:
        """The usual posting file, one line a row."""
        self.input("posted", 'path = "raw/posted.csv"')
        self.file("posted.csv", "\n".join([header, *lines, ""]))
        self.mapping("transaction.core", "select * from posted")

    def open(self) -> Workspace:
        sections = [f"[inputs.{name}]\n{settings}\n" for name, settings in self.inputs.items()]
        settings = f"[load]\nreject_share = {self.reject_share}\n" + "\n".join(sections)
        (self.folder / "backbook.toml").write_text(settings, encoding="utf-8")
        workspace = Workspace.open(self.folder)
        workspace.__dict__["engine"] = self.engine
        return workspace

    def load(self, as_of: date = AS_OF) -> LoadReport:
        workspace = self.open()
        with workspace.lake.lock(who="a test") as writer:
            report = load(workspace, writer, as_of)
            if report.changed:
                writer.publish(about={"as_of": as_of.isoformat()})
        return report

    def rows(self, table: str, as_of: date = AS_OF) -> list[dict[str, Any]]:
        found = known(self.engine, self.open().lake.head(), table, as_of)
        assert found is not None
        contract = [name for name in found.columns]
        return self.engine.rows(found.order_by(contract[:3]))

    def values(self, table: str, column: str, as_of: date = AS_OF) -> list[Any]:
        return [row[column] for row in self.rows(table, as_of)]

    def lake_rows(self, table: str) -> list[dict[str, Any]]:
        """Everything that the lake holds of a table, as it lies there."""
        files = self.open().lake.head().files(table)
        return self.engine.rows(self.engine.parquet(files)) if files else []


@pytest.fixture
def bank(tmp_path: Path, engine: Engine) -> Iterator[Bank]:
    with engine.scope():
        yield Bank(tmp_path / "bank", engine)
