"""The demo workspace reads every file that the made-up issuer delivers, and every row passes both gates."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from backbook.simulator import simulate
from backbook.sources.load import load
from backbook.workspace import Workspace

DEMO = Path(__file__).parents[2] / "examples" / "demo"
MAPPED = {
    "party", "account", "card", "product", "limit", "mark", "transaction", "authorisation", "statement", "balance",
    "instalment", "event", "contact", "response", "consent", "bureau", "assignment", "relation", "feedback",
}  # fmt: skip


def test_every_row_of_the_made_up_issuer_is_loaded(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "demo")
    simulate(tmp_path / "demo", customers=400, months=3, seed=4)
    workspace = Workspace.open(tmp_path / "demo")
    with workspace.lake.lock(who="test") as writer:
        report = load(workspace, writer, date(2026, 10, 31))
        writer.publish(about={})
    assert {name for name, account in report.accounts.items() if account.loaded} >= MAPPED
    for account in report.accounts.values():
        assert (account.rejected, account.quarantined, account.repeated) == (0, 0, 0), account
