"""The first 180 days: who is old enough to be counted, and on which day a step still counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from backbook.engine import Engine
from backbook.outcome import kpi, page
from backbook.outcome.figures import About, Figure
from backbook.outcome.first_days import STEPS, first_days
from backbook.outcome.position import Book

AS_OF = date(2026, 10, 31)
LONG_AGO = date(2020, 1, 1)
Make = Callable[..., Book]
Rows = list[dict[str, Any]]


def lives(
    make: Make, opened_on: date, *, as_of: date = AS_OF, activated_on: date | None = None, buys: Rows | None = None,
    since: date = LONG_AGO, **account: Any,
) -> Book:  # fmt: skip
    """A young account `a`, and an old one that makes every column known."""
    old = {
        "account_id": "z",
        "posted_at": datetime.combine(LONG_AGO, time()),
        "kind": "purchase",
        "wallet": "W",
        "mcc": "1",
        "customer_initiated": True,
    }
    bought = [old, *({**old, "account_id": "a", "wallet": None, **each} for each in buys or [])]
    return make(
        as_of,
        since=since,
        account=[{"account_id": "a", "opened_on": opened_on, "is_made": False, **account},
                 {"account_id": "z", "opened_on": LONG_AGO, "is_made": False}],
        card=[{"card_id": "ca", "account_id": "a", "issued_on": opened_on, "activated_on": activated_on},
              {"card_id": "cz", "account_id": "z", "issued_on": LONG_AGO, "activated_on": LONG_AGO}],
        transaction=[{"transaction_id": f"t{n}", "amount": 1, **each} for n, each in enumerate(bought)],
    )  # fmt: skip


def buy(on: date, **more: Any) -> dict[str, Any]:
    return {"posted_at": datetime.combine(on, time(23, 59, 59)), **more}


def told(engine: Engine, book: Book) -> dict[str, tuple[Any, Any]]:
    grid, _ = first_days(engine, book)
    return {row["milestone"]: (row["numerator"], row["denominator"]) for row in grid}


@pytest.mark.parametrize(
    ("step", "days"),
    [("activated_30", 30), ("activated_60", 60), ("activated_90", 90), ("first_use_30", 30), ("first_use_90", 90), ("wallet_90", 90)],
)  # fmt: skip
@pytest.mark.parametrize("opened_on", [date(2026, 3, 17), date(2026, 3, 31)])
def test_what_happens_on_the_last_day_counts_and_a_day_later_it_does_not(
    engine: Engine, book: Make, step: str, days: int, opened_on: date
) -> None:
    for late, taken in ((0, 1), (1, 0)):
        day = opened_on + timedelta(days=days + late)
        made = lives(book, opened_on, activated_on=day, buys=[buy(day, wallet="W")])
        assert told(engine, made)[step] == (taken, 1)


@pytest.mark.parametrize(("late", "habits"), [(0, 1), (1, 0)])
def test_a_habit_is_one_kind_of_merchant_three_times_in_180_days(
    engine: Engine, book: Make, late: int, habits: int
) -> None:
    opened_on = date(2026, 2, 28)
    last = opened_on + timedelta(days=180 + late)
    twice = [buy(opened_on, mcc=mcc) for mcc in ("food", "fuel", "food", "fuel")]
    found = told(engine, lives(book, opened_on, buys=[*twice, buy(last, mcc="food"), buy(opened_on, mcc="fuel")]))
    assert found["habit_2"] == (habits, 1)
    assert found["habit_3"] == (0, 1)


def test_three_kinds_of_merchant_are_a_third_habit_and_nine_uses_of_one_are_not(engine: Engine, book: Make) -> None:
    day = date(2026, 3, 1)
    three = [buy(day, mcc=mcc) for mcc in ("food", "fuel", "rail") * 3]
    assert told(engine, lives(book, day, buys=three))["habit_3"] == (1, 1)
    assert told(engine, lives(book, day, buys=[buy(day, mcc="food")] * 9))["habit_2"] == (0, 1)


@pytest.mark.parametrize(
    ("as_of", "known"),
    [(date(2026, 3, 29), False), (date(2026, 3, 30), True)],  # February ends on the 28th, and 30 days later
)
def test_a_cohort_too_young_for_a_column_is_not_known_there_and_not_zero(
    engine: Engine, book: Make, as_of: date, known: bool
) -> None:
    found = told(engine, lives(book, date(2026, 2, 1), as_of=as_of))
    assert found["activated_30"] == ((0, 1) if known else (None, None))
    assert found["activated_60"] == (None, None) and found["habit_2"] == (None, None)


@pytest.mark.parametrize(("as_of", "known"), [(date(2024, 3, 29), False), (date(2024, 3, 30), True)])
def test_in_a_leap_year_february_is_old_enough_a_day_later_after_its_end(
    engine: Engine, book: Make, as_of: date, known: bool
) -> None:
    found = told(engine, lives(book, date(2024, 2, 29), as_of=as_of))
    assert found["first_use_30"] == ((0, 1) if known else (None, None))


def test_the_twelfth_month_back_is_shown_and_the_thirteenth_is_not(engine: Engine, book: Make) -> None:
    assert told(engine, lives(book, date(2025, 11, 1)))
    assert first_days(engine, lives(book, date(2025, 10, 31)))[0].needs is not None


def test_a_cohort_opened_before_transactions_are_known_has_no_first_use(engine: Engine, book: Make) -> None:
    for since, whole in ((date(2026, 3, 1), 1), (date(2026, 3, 2), None)):
        found = told(engine, lives(book, date(2026, 3, 20), since=since))
        assert found["first_use_30"][1] == whole
        assert found["activated_30"][1] == 1


def test_refunds_and_what_the_bank_set_off_are_no_first_use(engine: Engine, book: Make) -> None:
    day = date(2026, 3, 2)
    buys = [buy(day, kind="refund"), buy(day, kind="fee"), buy(day, customer_initiated=False)]
    assert told(engine, lives(book, date(2026, 3, 1), buys=buys))["first_use_30"] == (0, 1)
    assert told(engine, lives(book, date(2026, 3, 1), buys=[buy(day, customer_initiated=None)]))["first_use_30"] == (
        1,
        1,
    )


def test_an_account_that_backbook_made_was_not_opened_on_any_day(engine: Engine, book: Make) -> None:
    assert first_days(engine, lives(book, date(2026, 3, 1), is_made=True))[0].needs is not None


def test_a_closed_account_stays_in_its_cohort(engine: Engine, book: Make) -> None:
    found = told(engine, lives(book, date(2026, 3, 1), closed_on=date(2026, 3, 5)))
    assert found["activated_30"] == (0, 1)


def test_each_figure_keeps_its_numerator_denominator_day_and_unit(engine: Engine, book: Make) -> None:
    grid, figures = first_days(engine, lives(book, date(2026, 3, 1), activated_on=date(2026, 3, 2)))
    assert figures[0] == Figure("activated_30", AS_OF, "account", 1, 1)
    assert {(row["as_of"], row["unit"], row["opened"]) for row in grid} == {(AS_OF, "account", 1)}


def test_a_column_that_the_bank_does_not_deliver_is_named_and_the_others_are_shown(engine: Engine, book: Make) -> None:
    made = book(
        AS_OF,
        since=LONG_AGO,
        account=[{"account_id": "a", "opened_on": date(2026, 3, 1)}],
        transaction=[{"transaction_id": "t", "account_id": "a", "posted_at": datetime.combine(date(2026, 3, 2), time()), "kind": "purchase", "amount": 1}],
    )  # fmt: skip
    _, figures = first_days(engine, made)
    by_id = {figure.id: figure for figure in figures}
    assert by_id["first_use_30"].value == 1
    for id, name in {
        "activated_30": "card.activated_on",
        "wallet_90": "transaction.wallet",
        "habit_2": "transaction.mcc",
    }.items():
        assert by_id[id].needs is not None and by_id[id].needs.en == f"not available: needs `{name}`"


def test_without_accounts_opened_on_a_day_all_of_it_says_what_it_needs(engine: Engine, book: Make) -> None:
    grid, figures = first_days(engine, book(AS_OF, account=[{"account_id": "a", "balance": 1}]))
    assert grid.needs is not None and "`account.opened_on`" in grid.needs.en
    assert all(figure.needs == grid.needs for figure in figures) and len(figures) == len(STEPS)


def test_the_page_leaves_the_cell_of_a_young_cohort_empty(engine: Engine, book: Make) -> None:
    figures = kpi.figures(engine, lives(book, date(2026, 8, 1), activated_on=date(2026, 8, 2)), About("A bank", AS_OF))
    section = next(each for each in page.sections(figures, "en") if each.id == "first_days")
    table = section.blocks[0].table
    assert table is not None
    assert table.headers[:4] == ("Month", "Opened", "Activated, 30 days", "Activated, 60 days")
    assert table.rows == (("2026-08", "1", "1 / 1", "1 / 1", "–", "0 / 1", "–", "–", "–", "–"),)
    drawn = {cell["milestone"] for cell in section.blocks[0].chart.to_dict()["data"]["values"]}
    assert drawn == {"Activated, 30 days", "Activated, 60 days", "First use, 30 days"}
