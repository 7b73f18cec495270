"""A customer's wish that their tags be deleted: it holds over nights, a rename and a merge, and for earlier dates too."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backbook import run
from backbook.cli import app
from backbook.customer.identity import acts
from backbook.errors import NotAllowed
from backbook.run.wish import wish
from backbook.workspace import Workspace

FIRST = date(2026, 6, 20)
WHO = {"actor": "desk 7", "reason": "asked by telephone"}
TAGS = """
tags:
  - id: {id}
    zh: 常用卡
    en: Uses the card
    meaning: {{zh: 用过卡, en: has used it}}
    owner: o
    aim: marketing
    dimension: interest
    grain: customer
    expression: use_ever >= 0
    confidence: 0.5
  - id: reads_it
    zh: 读标签者
    en: Reads the tag
    meaning: {{zh: 义, en: m}}
    owner: o
    aim: marketing
    grain: account
    expression: customer.{id}
  - id: must_know
    zh: 履约所需
    en: Needed for the contract
    meaning: {{zh: 义, en: m}}
    owner: o
    aim: risk
    grain: customer
    expression: use_ever >= 0
"""


def rows(workspace: Workspace, table: str, day: date) -> list[dict[str, Any]]:
    files = workspace.lake.head().files(table, part=day.isoformat())
    return workspace.engine.rows(workspace.engine.parquet(files))


def nights(folder: Path, since: date, count: int) -> Workspace:
    workspace = Workspace.open(folder)
    run.walk(workspace, [since + timedelta(days=n) for n in range(count)], stages=("load", "profile"))
    return workspace


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wishes") / "bank"
    run.init(folder)
    (folder / "tags.yaml").write_text(TAGS.format(id="card_user"), encoding="utf-8")
    nights(folder, FIRST, 1)
    return folder


def test_a_deletion_holds_over_ten_nights_a_rename_and_a_merge(bank: Path) -> None:
    workspace = Workspace.open(bank)
    before = {row["customer_id"]: row for row in rows(workspace, "profile.customer", FIRST)}
    assert all(row["card_user"] is True and row["card_user_confidence"] == 0.5 for row in before.values())
    asked, other = sorted(before)[:2]
    wish(workspace, "delete_tags", asked, **WHO)

    for night in range(10):
        workspace = nights(bank, FIRST + timedelta(days=night), 1)
        told = {row["customer_id"]: row for row in rows(workspace, "profile.customer", FIRST + timedelta(days=night))}
        assert (told[asked]["card_user"], told[asked]["card_user_confidence"]) == (None, None), night
        assert told[asked]["must_know"] is True and told[asked]["tags_deleted"] is True
        assert told[other]["card_user"] is True and told[other]["tags_deleted"] is False
        reading = {
            row["customer_id"]: row["reads_it"]
            for row in rows(workspace, "profile.account", FIRST + timedelta(days=night))
        }
        assert reading[asked] is None and reading[other] is True

    (bank / "tags.yaml").write_text(TAGS.format(id="frequent_user"), encoding="utf-8")
    day = FIRST + timedelta(days=10)
    told = {row["customer_id"]: row for row in rows(nights(bank, day, 1), "profile.customer", day)}
    assert told[asked]["frequent_user"] is None and told[other]["frequent_user"] is True

    day = FIRST + timedelta(days=11)
    acts.merge(Workspace.open(bank), other, asked, actor="a", reason="one person", at=datetime.combine(day, time()))
    told = {row["customer_id"]: row for row in rows(nights(bank, day, 1), "profile.customer", day)}
    (one,) = {asked, other} & told.keys()
    assert told[one]["frequent_user"] is None and told[one]["tags_deleted"] is True
    assert told[one]["must_know"] is True

    # A run of tonight for a day before the wish must not bring back what was deleted.
    early = FIRST - timedelta(days=5)
    told = {row["customer_id"]: row for row in rows(nights(bank, early, 1), "profile.customer", early)}
    assert told[asked]["frequent_user"] is None


def test_an_unknown_record_or_nobody_who_takes_it_down_is_refused(bank: Path) -> None:
    workspace = Workspace.open(bank)
    with pytest.raises(NotAllowed, match="knows no record 'core:nobody'"):
        wish(workspace, "delete_tags", "core:nobody", **WHO)
    name = rows(workspace, "identity", FIRST)[0]
    with pytest.raises(NotAllowed, match="--actor and --reason"):
        wish(workspace, "delete_tags", f"{name['system']}:{name['party_id']}", actor="", reason="r")
    with pytest.raises(NotAllowed, match="There is no wish 'forget'"):
        wish(workspace, "forget", "core:1", **WHO)


def test_the_command_says_what_it_will_do_and_a_dry_run_writes_nothing(bank: Path) -> None:
    name = rows(Workspace.open(bank), "identity", FIRST)[0]
    lines = (bank / "rulings.jsonl").read_text() if (bank / "rulings.jsonl").exists() else ""
    record = f"{name['system']}:{name['party_id']}"
    done = CliRunner().invoke(
        app, ["wish", str(bank), "non_personalised", record, "--actor", "a", "--reason", "r", "--dry-run"]
    )
    assert done.exit_code == 0 and "nothing is made for" in done.output, done.output
    assert lines == ((bank / "rulings.jsonl").read_text() if (bank / "rulings.jsonl").exists() else "")
