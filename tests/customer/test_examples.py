"""The two real books: what their definitions make of the files, checked against counts made by hand."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backbook.customer.availability import missing_definitions
from backbook.customer.profile import Profile, build, outcomes
from backbook.customer.reader import Reader
from backbook.run.book import extended
from backbook.run.freeze import Frozen, freeze
from backbook.sources.load import load
from backbook.workspace import Workspace

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("BACKBOOK_DATA") or ROOT.parent / "shared" / "data")
pytestmark = pytest.mark.skipif(
    not DATA.is_dir() and os.environ.get("CI") != "true", reason=f"the real books are not there: {DATA}"
)


@pytest.fixture(scope="module")
def monkeymodule() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BACKBOOK_DATA", str(DATA.resolve()))
        yield patch


def loaded(name: str, place: Path, as_of: date) -> tuple[Workspace, Frozen, Reader]:
    shutil.copytree(ROOT / "examples" / name, place, ignore=shutil.ignore_patterns("lake", "out"))
    workspace = Workspace.open(place)
    with workspace.lake.lock(who="test") as writer:
        load(workspace, writer, as_of)
        head = writer.publish({})
    return workspace, freeze(workspace), Reader(workspace.engine, head)


@pytest.fixture(scope="module")
def taiwan(tmp_path_factory: pytest.TempPathFactory, monkeymodule: pytest.MonkeyPatch) -> Any:
    return loaded("taiwan", tmp_path_factory.mktemp("book") / "taiwan", date(2005, 10, 31))


@pytest.fixture(scope="module")
def cmb(tmp_path_factory: pytest.TempPathFactory, monkeymodule: pytest.MonkeyPatch) -> Any:
    return loaded("cmb", tmp_path_factory.mktemp("book") / "cmb", date(2019, 6, 30))


def row(workspace: Workspace, table: Any, **key: str) -> dict[str, Any]:
    for column, value in key.items():
        table = table.filter(table[column] == value)
    (found,) = workspace.engine.rows(table)
    return found


def test_taiwan_has_six_statements_of_each_client_and_keeps_what_was_overpaid(taiwan: Any) -> None:
    workspace, _, reader = taiwan
    statements = reader.rows("statement", date(2005, 9, 30))
    assert workspace.engine.count(statements) == 180_000
    assert workspace.engine.count(statements.filter(statements.closing_balance < 0)) == 3_932
    assert (
        workspace.engine.count(
            statements.filter(statements.statement_on == date(2005, 9, 30), statements.cycles_past_due > 0)
        )
        == 6_818
    )


def test_taiwan_on_its_day_knows_september_s_delay_and_not_the_flag_of_october(taiwan: Any) -> None:
    workspace, frozen, reader = taiwan
    day = date(2005, 9, 30)
    named = {"delay_now", "delay_worst_6c", "delays_6c", "paid_6c", "bill_average_6c"}
    profile = build([one for one in frozen.features if one.id in named], frozen.attributes, reader, day)
    first = row(workspace, profile.account, party_id="1")
    # The first line of the file: PAY 2, 2, -1, -1, -2, -2; bills 3913, 3102, 689, 0, 0, 0; paid 0, 689, 0, 0, 0, 0.
    assert (first["delay_now"], first["delay_worst_6c"], first["delays_6c"]) == (2, 2, 2)
    assert (first["paid_6c"], first["limit_amount"]) == (Decimal("689.00"), Decimal("20000.00"))
    assert first["bill_average_6c"] == pytest.approx(7704 / 6)
    assert "default_next_month" not in profile.account.columns
    assert workspace.engine.count(profile.account) == 30_000
    flags = outcomes([], frozen.attributes, reader, day, date(2005, 10, 31))
    assert workspace.engine.count(flags.filter(flags.default_next_month)) == 6_636
    early = outcomes([], frozen.attributes, reader, day, date(2005, 10, 30))
    assert workspace.engine.count(early.filter(early.default_next_month.notnull())) == 0


def test_cmb_has_its_customers_with_transactions_page_views_and_tags_in_chinese(cmb: Any) -> None:
    workspace, frozen, reader = cmb
    day = date(2019, 6, 30)
    count = workspace.engine.count
    assert (count(reader.rows("transaction", day)), count(reader.rows("event", day))) == (142_645, 95_669)
    named = {
        "views_28d",
        "view_days_28d",
        "spent_60d",
        "received_60d",
        "spent_to_received_60d",
        "l12_mon_fnd_buy_whl_tms",
    }
    tags = [link for link in frozen.order if link.id in ("app_habit", "lives_beyond", "once_late")]
    features = [one for one in frozen.features if one.id in named]
    profile: Profile = extended(build(features, frozen.attributes, reader, day), tags, frozen, {}, workspace.engine)
    assert count(profile.customer) == 4_000
    assert count(profile.customer.filter(profile.customer.app_habit)) == 295
    assert frozen.tag("app_habit").expression.text == "view_days_28d >= 10"
    wanted = [one for one in workspace.items("tag") if one.origin == "workspace"]
    assert len(wanted) == 31
    assert sum(one.data.get("dimension") == "interest" for one in wanted) >= 15


def test_cmb_lists_what_is_not_there_and_why(cmb: Any) -> None:
    _, frozen, reader = cmb
    missing = {
        one.id: one.needs
        for one in missing_definitions(frozen.features, frozen.attributes, reader, date(2019, 6, 30), *frozen.tags)
    }
    assert missing["utilisation_average_3c"] == "`statement`"
    assert missing["spend_365d"] == "`transaction` from 2018-07-01"
    assert missing["minimum_payer"] == "`statement`"
    assert "spent_60d" not in missing and "app_habit" not in missing
