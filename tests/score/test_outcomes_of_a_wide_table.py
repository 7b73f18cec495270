"""An outcome that only a wide table tells: what was told next after the day, and a day that is over once it was told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from backbook import run
from backbook.customer.reader import Reader
from backbook.run.book import Book
from backbook.run.freeze import freeze
from backbook.workspace import Workspace

TOML = '[inputs.months]\npath = "raw/months.csv"\ntable = "attribute"\n'
ATTRIBUTES = """
attributes:
  - {id: logins, zh: 登录, en: Logins, type: whole, grain: customer, purpose: marketing, valid_days: 27}
  - {id: left, zh: 离开, en: Left, type: yes/no, grain: customer, purpose: outcome%s}
"""
# Ann stays for four months, Bob leaves in March, Cid is not in the table in March.
MONTHS = """\
system,party_id,known_on,logins,left
app,ann,2026-01-31,5,N
app,ann,2026-02-28,5,N
app,ann,2026-03-31,5,N
app,ann,2026-04-30,5,N
app,bob,2026-01-31,1,N
app,bob,2026-02-28,1,N
app,bob,2026-03-31,1,Y
app,cid,2026-01-31,2,N
app,cid,2026-02-28,2,N
app,cid,2026-04-30,2,Y
"""
JANUARY, FEBRUARY, MARCH, APRIL = date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)

Books = Callable[..., Book]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Books]:
    opened: list[Workspace] = []

    def made(days: str = "", months: str = MONTHS) -> Book:
        for name, text in (
            ("backbook.toml", TOML),
            ("sources/attributes.yaml", ATTRIBUTES % days),
            ("raw/months.csv", months),
        ):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        workspace = Workspace.open(tmp_path)
        opened.append(workspace)
        run.walk(workspace, [APRIL], stages=("load",))
        return Book(freeze(workspace), Reader(workspace.engine, workspace.lake.head()), {})

    yield made
    for workspace in opened:
        workspace.engine.close()


def told(book: Book, on: date, known_by: date) -> dict[str, bool | None]:
    everyone = book.profile("customer", known_by, ["logins"]).select("customer_id")
    rows = book.reader.engine.rows(book.outcomes("customer", on, known_by, ["left"], everyone))
    return {row["customer_id"].removeprefix("app:"): row["left"] for row in rows}


def known(book: Book, on: date, column: str) -> dict[str, Any]:
    rows = book.reader.engine.rows(book.profile("customer", on, [column]).select("customer_id", column))
    return {row["customer_id"].removeprefix("app:"): row[column] for row in rows}


def test_what_was_told_next_counts_and_not_what_was_told_last(book: Books) -> None:
    made = book()
    # Bob's leaving in March is none of January's outcomes, nor is Cid's of April.
    assert told(made, JANUARY, APRIL) == {"ann": False, "bob": False, "cid": False}
    assert told(made, FEBRUARY, APRIL) == {"ann": False, "bob": True, "cid": True}


def test_what_was_not_told_by_then_is_not_known(book: Books) -> None:
    assert told(book(), FEBRUARY, MARCH) == {"ann": False, "bob": True, "cid": None}
    assert told(book(), MARCH, MARCH) == {"ann": None, "bob": None, "cid": None}


def test_what_is_told_too_late_is_not_known(book: Books) -> None:
    assert told(book(", valid_days: 31"), FEBRUARY, APRIL) == {"ann": False, "bob": True, "cid": None}


def test_a_corrected_outcome_counts_as_corrected_once_that_is_known(book: Books) -> None:
    book()
    made = book(months=MONTHS.replace("bob,2026-03-31,1,Y", "bob,2026-03-31,1,N"))
    assert told(made, FEBRUARY, APRIL)["bob"] is False


def test_a_day_is_over_when_its_outcome_was_told_or_its_days_are(book: Books) -> None:
    made = book()
    assert [made.outcomes_end("customer", day, ["left"]) for day in (JANUARY, FEBRUARY, MARCH)] == [
        FEBRUARY, MARCH, APRIL,
    ]  # fmt: skip
    assert made.outcomes_end("customer", APRIL, ["left"]) == date.max
    assert book(", valid_days: 31").outcomes_end("customer", APRIL, ["left"]) == date(2026, 5, 31)


def test_a_months_row_counts_in_its_month_and_a_repeated_value_stays_young(book: Books) -> None:
    made = book()
    assert known(made, FEBRUARY, "logins") == {"ann": 5, "bob": 1, "cid": 2}
    assert known(made, MARCH, "logins") == {"ann": 5, "bob": 1, "cid": None}
