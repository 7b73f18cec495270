"""The demo workspace reads every file that the made-up issuer delivers, and every row passes both gates."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from backbook.simulator import simulate
from backbook.sources.contract import TABLES
from backbook.sources.load import load
from backbook.workspace import Workspace

DEMO = Path(__file__).parents[2] / "examples" / "demo"
MAPPED = {
    "party", "account", "card", "product", "limit", "mark", "transaction", "authorisation", "statement", "balance",
    "instalment", "event", "contact", "response", "consent", "bureau", "outside_score", "holding", "assignment",
    "relation", "feedback", "points_entry", "benefit_use", "execution", "ruling", "ledger_total", "attribute.core",
}  # fmt: skip


def test_every_row_of_the_made_up_issuer_is_loaded(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "demo")
    # The end of a year is among the months: points lapse then.
    simulate(tmp_path / "demo", customers=1_500, months=3, seed=4, end=date(2026, 1, 31))
    workspace = Workspace.open(tmp_path / "demo")
    with workspace.lake.lock(who="test") as writer:
        report = load(workspace, writer, date(2026, 1, 31))
        writer.publish(about={})
    assert {name for name, account in report.accounts.items() if account.loaded} == MAPPED
    assert {name.partition(".")[0] for name in MAPPED} == set(TABLES)
    for account in report.accounts.values():
        assert (account.rejected, account.quarantined, account.repeated) == (0, 0, 0), account
