"""The example of phone campaigns: years told from the order of the lines, a call in its own month, nothing of the call itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from backbook import run
from backbook.customer.reader import Reader
from backbook.run.book import Book
from backbook.run.freeze import freeze
from backbook.workspace import Workspace

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("BACKBOOK_DATA") or ROOT.parent / "shared" / "data")
pytestmark = pytest.mark.skipif(
    not DATA.is_dir() and os.environ.get("CI") != "true", reason=f"the real books are not there: {DATA}"
)


@pytest.fixture(scope="module")
def campaigns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    place = tmp_path_factory.mktemp("books") / "bank"
    shutil.copytree(ROOT / "examples" / "bank", place, ignore=shutil.ignore_patterns("lake", "out"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BACKBOOK_DATA", str(DATA.resolve()))
        workspace = Workspace.open(place)
        run.walk(workspace, [date(2009, 5, 31)], stages=("load",))
        yield workspace
        workspace.engine.close()


def test_the_year_turns_where_the_month_goes_back(campaigns: Workspace) -> None:
    """Counted by hand in the file: its 26 months, and the first and last line of three of them."""
    reader = Reader(campaigns.engine, campaigns.lake.head())
    rows = reader.rows("attribute.call", date(2010, 12, 31))
    assert rows is not None
    by_month = rows.group_by("known_on").agg(calls=rows.count(), first=rows.party_id.min(), last=rows.party_id.max())
    found = {row.pop("known_on"): tuple(row.values()) for row in campaigns.engine.rows(by_month)}
    assert len(found) == 26 and sum(calls for calls, _, _ in found.values()) == 41_188
    assert found[date(2008, 5, 31)] == (7_763, "000002", "007764")
    assert found[date(2009, 4, 30)] == (2_458, "027974", "030431")
    assert found[date(2010, 11, 30)] == (128, "041062", "041189")


def test_a_call_counts_in_its_own_month_and_its_answer_is_told_the_day_after(campaigns: Workspace) -> None:
    book = Book(freeze(campaigns), Reader(campaigns.engine, campaigns.lake.head()), {})
    april = date(2009, 4, 30)
    rows = book.profile("account", april, ["calls_now", "call_seconds"])
    called = campaigns.engine.cached(rows.filter(rows.calls_now.notnull()))
    assert campaigns.engine.count(called) == 2_458
    assert campaigns.engine.count(called.filter(called.call_seconds.notnull())) == 0
    assert book.outcomes_end("account", april, ["subscribed"]) == date(2009, 5, 1)
    told = book.outcomes("account", april, date(2009, 5, 1), ["subscribed"], called.select("account_id"))
    assert campaigns.engine.count(told.filter(told.subscribed)) == 442


def test_the_length_of_a_call_cannot_be_a_feature(campaigns: Workspace) -> None:
    file = campaigns.path / "scores" / "response.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("  - job\n", "  - job\n  - call_seconds\n"), encoding="utf-8")
    try:
        faults = [str(fault) for fault in run.check(Workspace.open(campaigns.path)).faults]
    finally:
        file.write_text(text, encoding="utf-8")
    assert len(faults) == 1 and "'call_seconds' cannot be a feature: it may be used for 'none'" in faults[0]
