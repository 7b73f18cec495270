"""After a merge and after an unmerge everything read by customer is what it would have been had it always been so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from identity_bank import Bank

from backbook import run
from backbook.workspace import Workspace

MAY, JUNE, JULY = "2026-05-31", "2026-06-30", "2026-07-31"
FILES = {
    "transactions": "transaction_id,account_id,posted_at,amount,kind\nT0,A1,2020-05-01,1,purchase\nT1,A1,2026-04-03,100,purchase\nT2,A2,2026-04-05,40,purchase\n"
    "T3,A1,2026-06-03,7,purchase\nT4,A2,2026-07-05,9,purchase\n",
    "contacts": "contact_id,system,party_id,at,channel,purpose\nC0,core,1,2020-05-01 10:00:00,sms,marketing\nC1,core,1,2026-04-03 10:00:00,sms,marketing\nC2,app,9,2026-04-04 10:00:00,sms,marketing\n",
    "consents": "system,party_id,channel,purpose,granted,at\ncore,1,sms,marketing,false,2026-01-03 10:00:00\napp,9,sms,marketing,true,2026-03-03 10:00:00\n",
    "points": "entry_id,account_id,at,kind,points\nP0,A1,2020-05-01 10:00:00,earn,1\nP1,A1,2026-04-03 10:00:00,earn,10\nP2,A2,2026-04-03 10:00:00,earn,5\n",
}
TABLES = {"transactions": "transaction", "contacts": "contact", "consents": "consent", "points": "points_entry"}
FEATURES = """
features:
  - {id: spend, zh: 消费, en: Spend, table: transaction, measure: sum, of: amount, filter: "kind = 'purchase'", window: last 365 days, rollup: sum}
  - {id: contacts_90d, zh: 触达, en: Contacts, grain: customer, table: contact, measure: count, window: last 365 days}
  - {id: consents, zh: 同意营销, en: Consents, grain: customer, table: consent, measure: latest, of: granted, filter: "purpose = 'marketing'", window: latest}
  - {id: points, zh: 积分, en: Points, table: points_entry, measure: sum, of: points, window: last 365 days, rollup: sum}
"""
STRATEGY = """
id: greet
zh: 问候
en: Greet
owner: care
grain: account
area: service
cadence: monthly
valid_days: 30
explore: 0
control: 0
reasons:
  SPENDS: {zh: 消费多, en: Spends}
  LITTLE: {zh: 消费少, en: Little}
actions:
  - {id: call, zh: 致电, en: Call, purpose: service}
  - {id: nothing, zh: 不动作, en: Nothing, purpose: service}
arms:
  - id: champion
    zh: 现行
    en: Champion
    share: 100
    branches:
      - {id: much, when: customer.spend > 120, action: call, reasons: [SPENDS]}
    otherwise: {action: nothing, reasons: [LITTLE]}
"""


def bank_of(folder: Path) -> Bank:
    bank = Bank(folder)
    bank.arrive("core:1", full_name="王晓明", birth_date="1980-05-06", created_at="2015-01-01")
    bank.arrive("app:9", full_name="李大勇", birth_date="1971-11-23", created_at="2018-01-01")
    bank.accounts([("A1", "core", "1"), ("A2", "app", "9")])
    with open(folder / "backbook.toml", "a", encoding="utf-8") as settings:
        for name, text in FILES.items():
            (folder / "raw" / f"{name}.csv").write_text(text, encoding="utf-8")
            (folder / "sources" / f"{TABLES[name]}.core.sql").write_text(f"select * from {name}\n", encoding="utf-8")
            settings.write(f'\n[inputs.{name}]\npath = "raw/{name}.csv"\n')
    (folder / "features.yaml").write_text(FEATURES, encoding="utf-8")
    (folder / "strategies").mkdir()
    (folder / "strategies" / "greet.yaml").write_text(STRATEGY, encoding="utf-8")
    return bank


@pytest.fixture
def banks(tmp_path: Path) -> Iterator[tuple[Bank, Bank]]:
    yield bank_of(tmp_path / "changed"), bank_of(tmp_path / "always")


def walk(bank: Bank, *days: str) -> None:
    workspace = bank.workspace
    run.walk(workspace, [date.fromisoformat(day) for day in days], stages=("load", "profile", "decide"))


def told(bank: Bank, day: str) -> dict[str, Any]:
    """All that is read by customer on a day; who decided under which bundle and when is not of the customer."""
    profile = {grain: bank.table(f"profile.{grain}", day) for grain in ("customer", "account")}
    decisions = [
        (row["account_id"], row["customer_id"], row["branch"], row["action"], row["reasons"])
        for row in bank.table("decision", day)
    ]
    return {**profile, "decisions": sorted(map(str, decisions)), "identity": bank.rows("identity", day)}


def without_rule(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "identity": {name: row["customer_id"] for name, row in found["identity"].items()}}


def decided(workspace: Workspace, day: str) -> list[str]:
    manifest = workspace.lake.head().manifest("decision")
    assert manifest is not None
    return [file.sha256 for file in manifest.files if file.part == day]


def test_a_merge_changes_all_that_is_read_by_customer_and_no_past_decision(banks):
    changed, always = banks
    walk(changed, MAY)
    before = decided(changed.workspace, MAY)
    assert {row["customer_id"]: row["spend"] for row in changed.table("profile.customer", MAY) if row["spend"]} == {
        "core:1": 100,
        "app:9": 40,
    }
    changed.rule("merge", "core:1 + app:9", "2026-06-10")
    walk(changed, JUNE)
    always.rule("merge", "core:1 + app:9", "2026-05-01")
    walk(always, MAY, JUNE)
    assert without_rule(told(changed, JUNE)) == without_rule(told(always, JUNE))
    (one,) = [row for row in changed.table("profile.customer", JUNE) if row["customer_id"] == "core:1"]
    assert (one["spend"], one["contacts_90d"], one["points"]) == (147, 2, 15)
    # The app's later yes does not overrule the core's no: of a customer's records the strictest holds.
    assert one["consents"] is False
    assert decided(changed.workspace, MAY) == before


def test_an_unmerge_gives_everything_back(banks):
    changed, always = banks
    changed.rule("merge", "core:1 + app:9", "2026-05-10")
    walk(changed, MAY, JUNE)
    merged = decided(changed.workspace, JUNE)
    changed.rule("unmerge", "app:9 | core:1", "2026-07-10")
    walk(changed, JULY)
    walk(always, MAY, JUNE, JULY)
    assert without_rule(told(changed, JULY)) == without_rule(told(always, JULY))
    consents = {row["customer_id"]: row["consents"] for row in changed.table("profile.customer", JULY)}
    assert (consents["core:1"], consents["app:9"]) == (False, True)
    assert decided(changed.workspace, JUNE) == merged
