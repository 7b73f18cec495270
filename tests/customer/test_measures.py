"""Each measure with numbers small enough to check by hand."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from customer_book import Book, account, feature, features, statement, tx

from backbook.customer.features import measure
from backbook.engine import Engine

AS_OF = date(2026, 10, 31)


def value(
    engine: Engine,
    rows: dict[str, list[dict[str, Any]]],
    as_of: date = AS_OF,
    account_id: str = "a",
    known_by: date | None = None,
    **definition: Any,
) -> Any:
    book = Book(engine, {"account": [account("a"), account("b")], **rows})
    made = features([feature(**definition)], outcome=known_by is not None)
    found = engine.rows(measure(made, book, as_of, known_by=known_by))
    return next(row[made[0].id] for row in found if row["account_id"] == account_id)


PURCHASES = {
    "transaction": [
        tx("2025-01-01", 1, kind="fee"),
        tx("2026-08-05", 100, mcc="food"),
        tx("2026-09-10", 20, mcc="food"),
        tx("2026-10-20", 30, mcc="fuel"),
        tx("2026-10-31", 50, mcc="food"),
        tx("2026-10-31", -70, kind="payment"),
    ]
}
SPEND = {"table": "transaction", "filter": "kind = 'purchase'", "window": "last 90 days"}


def test_spend_is_the_sum_of_purchases(engine: Engine) -> None:
    assert value(engine, PURCHASES, measure="sum", of="amount", **SPEND) == Decimal("200.00")


def test_an_account_without_purchases_spent_nothing(engine: Engine) -> None:
    assert value(engine, PURCHASES, account_id="b", measure="sum", of="amount", **SPEND) == Decimal("0.00")


def test_purchases_are_counted(engine: Engine) -> None:
    assert value(engine, PURCHASES, measure="count", **SPEND) == 4
    assert value(engine, PURCHASES, account_id="b", measure="count", **SPEND) == 0


def test_the_smallest_and_the_largest(engine: Engine) -> None:
    assert value(engine, PURCHASES, measure="min", of="amount", **SPEND) == Decimal("20.00")
    assert value(engine, PURCHASES, measure="max", of="amount", **SPEND) == Decimal("100.00")


def test_the_largest_of_nothing_is_not_known_unless_the_definition_says_so(engine: Engine) -> None:
    assert value(engine, PURCHASES, account_id="b", measure="max", of="amount", **SPEND) is None
    assert value(engine, PURCHASES, account_id="b", measure="max", of="amount", none=0, **SPEND) == Decimal("0.00")


def test_the_average_is_a_number(engine: Engine) -> None:
    assert value(engine, PURCHASES, measure="average", of="amount", **SPEND) == 50.0
    assert value(engine, PURCHASES, account_id="b", measure="average", of="amount", **SPEND) is None


def test_distinct_categories(engine: Engine) -> None:
    assert value(engine, PURCHASES, measure="distinct", of="mcc", **SPEND) == 2
    assert value(engine, PURCHASES, account_id="b", measure="distinct", of="mcc", **SPEND) == 0


def test_entropy_of_three_to_one(engine: Engine) -> None:
    expected = -(3 / 4 * math.log(3 / 4) + 1 / 4 * math.log(1 / 4))
    assert value(engine, PURCHASES, measure="entropy", of="mcc", **SPEND) == pytest.approx(expected, abs=1e-6)
    assert value(engine, PURCHASES, account_id="b", measure="entropy", of="mcc", **SPEND) is None


def test_entropy_of_one_category_is_zero(engine: Engine) -> None:
    assert value(engine, PURCHASES, measure="entropy", of="kind", **SPEND) == 0.0


def test_the_share_of_food_in_rows_and_in_amounts(engine: Engine) -> None:
    share = {"table": "transaction", "filter": "mcc = 'food'", "within": "kind = 'purchase'", "window": "last 90 days"}
    assert value(engine, PURCHASES, measure="share", **share) == 0.75
    assert value(engine, PURCHASES, measure="share", of="amount", **share) == 0.85
    assert value(engine, PURCHASES, account_id="b", measure="share", **share) is None


def test_days_since_the_last_purchase(engine: Engine) -> None:
    assert value(engine, PURCHASES, measure="days_since", table="transaction", filter="mcc = 'fuel'") == 11
    assert value(engine, PURCHASES, account_id="b", measure="days_since", table="transaction") is None


def test_the_latest_row_wins_and_a_tie_goes_to_the_key(engine: Engine) -> None:
    rows = {"transaction": [tx("2026-10-02", 1, id="t1"), tx("2026-10-02", 2, id="t2"), tx("2026-10-01", 9, id="t3")]}
    assert value(engine, rows, measure="latest", of="amount", table="transaction", window="latest") == Decimal("2.00")


def test_the_latest_row_is_taken_whole_even_where_it_is_empty(engine: Engine) -> None:
    rows = {"transaction": [tx("2026-10-01", 1, mcc="food"), tx("2026-10-02", 2, mcc=None)]}
    assert value(engine, rows, measure="latest", of="mcc", table="transaction", window="latest") is None


def test_a_balance_that_rises_by_a_hundred_a_cycle_has_that_slope(engine: Engine) -> None:
    rows = {"statement": [statement(f"2026-{month:02}-15", 100 * month) for month in range(1, 11)]}
    assert (
        value(engine, rows, measure="slope", of="closing_balance", table="statement", window="last 6 cycles") == 100.0
    )


def test_one_point_has_no_slope(engine: Engine) -> None:
    rows = {"statement": [statement("2026-10-15", 100)]}
    assert value(engine, rows, measure="slope", of="closing_balance", table="statement", window="last 1 cycle") is None


def test_a_streak_counts_back_from_the_latest_cycle(engine: Engine) -> None:
    late = [0, 1, 0, 0, 0]
    rows = {"statement": [statement(f"2026-{month:02}-15", 1, cycles_past_due=n) for month, n in enumerate(late, 5)]}
    streak = {"measure": "streak", "table": "statement", "filter": "cycles_past_due = 0"}
    assert value(engine, rows, window="last 5 cycles", **streak) == 3
    assert value(engine, rows, window="last 2 cycles", **streak) == 2


def test_a_streak_of_months_stops_at_the_first_empty_one(engine: Engine) -> None:
    rows = {
        "transaction": [tx(day, 1) for day in ("2026-01-01", "2026-07-03", "2026-09-30", "2026-10-01", "2026-10-09")]
    }
    assert (
        value(engine, rows, measure="streak", table="transaction", filter="kind = 'purchase'", window="last 6 months")
        == 2
    )
    assert (
        value(
            engine,
            rows,
            account_id="b",
            measure="streak",
            table="transaction",
            filter="kind = 'purchase'",
            window="last 6 months",
        )
        == 0
    )


def test_rows_that_all_leave_the_column_empty_do_not_add_up_to_zero(engine: Engine) -> None:
    rows = {
        "statement": [
            statement("2026-09-15", 1, interest=None),
            statement("2026-10-15", 1, interest=None),
            statement("2026-10-15", 1, "b", interest=5),
        ]
    }
    total = {"measure": "sum", "of": "interest", "table": "statement", "window": "ever"}
    assert value(engine, rows, **total) is None
    assert value(engine, rows, account_id="b", **total) == Decimal("5.00")


def test_whole_numbers_sum_to_a_whole_number(engine: Engine) -> None:
    rows = {"statement": [statement(f"2026-{month:02}-15", 1, days_past_due=2**62) for month in (8, 9)]}
    total = {"measure": "sum", "of": "days_past_due", "table": "statement"}
    assert value(engine, rows, window="last 1 cycle", **total) == 2**62
    assert value(engine, rows, window="last 2 cycles", **total) is None, "more than a whole number holds is not known"


def test_a_filter_may_compare_with_the_row_before(engine: Engine) -> None:
    limits = [1000, 1000, 2000, 1500]
    rows = {"statement": [statement(f"2026-{month:02}-15", 1, credit_limit=n) for month, n in enumerate(limits, 7)]}
    raised = {"measure": "count", "table": "statement", "window": "last 4 cycles"}
    assert value(engine, rows, filter="credit_limit > previous_credit_limit", **raised) == 1
    assert value(engine, rows, filter="credit_limit < previous_credit_limit", **raised) == 1


def test_a_window_may_be_laid_on_another_date(engine: Engine) -> None:
    rows = {
        "card": [
            {"card_id": "c1", "account_id": "a", "issued_on": date(2024, 1, 1), "activated_on": date(2026, 10, 5)},
            {"card_id": "c2", "account_id": "a", "issued_on": date(2026, 10, 1), "activated_on": None},
        ]
    }
    assert value(engine, rows, measure="count", table="card", window="last 30 days", dated="activated_on") == 1
    assert value(engine, rows, measure="count", table="card", window="ever") == 2


# ── windows ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("moment", "counted"),
    [("2026-10-01 23:59:59", 0), ("2026-10-02 00:00:00", 1), ("2026-10-31 23:59:59", 1), ("2026-11-01 00:00:00", 0)],
)
def test_thirty_days_exclude_their_first_end_and_include_as_of(engine: Engine, moment: str, counted: int) -> None:
    rows = {"transaction": [tx("2025-01-01", 1, "b"), tx(moment, 1)]}
    assert value(engine, rows, measure="count", table="transaction", window="last 30 days") == counted
    assert value(engine, rows, measure="distinct", of="kind", table="transaction", window="last 30 days") == counted


@pytest.mark.parametrize(
    ("as_of", "day", "counted"),
    [
        (date(2026, 10, 31), "2026-08-01", 1),
        (date(2026, 10, 31), "2026-07-31", 0),
        (date(2026, 10, 15), "2026-08-01", 1),
        (date(2024, 2, 29), "2023-12-01", 1),
        (date(2024, 2, 29), "2023-11-30", 0),
        (date(2026, 2, 28), "2025-11-30", 0),
        (date(2026, 1, 31), "2025-11-01", 1),
    ],
)
def test_three_months_are_calendar_months(engine: Engine, as_of: date, day: str, counted: int) -> None:
    rows = {"transaction": [tx("2020-01-01", 1, "b"), tx(day, 1)]}
    assert value(engine, rows, as_of, measure="count", table="transaction", window="last 3 months") == counted


def test_three_cycles_are_the_last_three_statements_whatever_their_dates(engine: Engine) -> None:
    rows = {
        "statement": [
            statement(day, n) for n, day in enumerate(("2025-01-15", "2025-12-15", "2026-01-15", "2026-09-15"), 1)
        ]
    }
    assert value(
        engine, rows, measure="sum", of="closing_balance", table="statement", window="last 3 cycles"
    ) == Decimal("9.00")


def test_cycles_before_the_first_known_statement_are_not_known(engine: Engine) -> None:
    rows = {"statement": [statement("2026-09-15", 5), statement("2026-10-15", 5)]}
    assert value(engine, rows, measure="count", table="statement", window="last 3 cycles") is None


def test_a_young_account_is_known_whole(engine: Engine) -> None:
    book = Book(
        engine,
        {
            "account": [account("a", opened_on=date(2026, 9, 1))],
            "statement": [statement("2026-08-15", 1, "b"), statement("2026-10-15", 5)],
        },
    )
    made = features([feature(measure="count", table="statement", window="last 3 cycles")])
    assert engine.rows(measure(made, book, AS_OF))[0]["f"] == 1


def test_a_window_that_begins_before_the_first_day_is_not_known(engine: Engine) -> None:
    rows = {"transaction": [tx("2026-10-02", 1), tx("2026-10-30", 1)]}
    assert value(engine, rows, measure="count", table="transaction", window="last 30 days") == 2
    assert value(engine, rows, measure="count", table="transaction", window="last 31 days") is None


def test_an_absent_table_and_an_absent_column_are_not_known(engine: Engine) -> None:
    assert value(engine, {}, measure="count", table="transaction", window="ever") is None
    rows = {"transaction": [tx("2026-10-02", 1)]}
    assert value(engine, rows, measure="count", filter="wallet = 'x'", table="transaction", window="ever") is None
    assert (
        value(engine, rows, measure="count", filter="coalesce(wallet, '') = ''", table="transaction", window="ever")
        == 1
    )


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_became_known_later_changes_nothing(engine: Engine) -> None:
    early = {"transaction": [tx("2026-01-01", 5), tx("2026-10-10", 7, id="t")]}
    late = {
        "transaction": [
            *early["transaction"],
            tx("2026-10-09", 100, known_on=date(2026, 11, 1)),
            tx("2026-10-10", 70, id="t", known_on=date(2026, 11, 5)),
        ]
    }
    spent = {"measure": "sum", "of": "amount", "table": "transaction", "window": "last 90 days"}
    assert value(engine, early, **spent) == value(engine, late, **spent) == Decimal("7.00")
    assert value(engine, late, date(2026, 11, 5), **spent) == Decimal("170.00")


def test_a_date_of_day_one_counts_once_it_is_as_of(engine: Engine) -> None:
    rows = {"transaction": [tx("2026-10-31 12:00:00", 7), tx("2020-01-01", 1, "b")]}
    assert value(engine, rows, date(2026, 10, 30), measure="count", table="transaction", window="last 90 days") == 0
    assert value(engine, rows, date(2026, 10, 31), measure="count", table="transaction", window="last 90 days") == 1


# ── outcomes ────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_outcome_looks_ahead_after_its_gap(engine: Engine) -> None:
    days = ("2025-09-30", "2025-10-31", "2025-11-01", "2026-10-31", "2026-11-01")
    rows = {"transaction": [tx(day, 10**place) for place, day in enumerate(days)]}
    ahead = {"measure": "sum", "of": "amount", "table": "transaction", "window": "next 12 months, gap 1 month"}
    assert value(engine, rows, date(2025, 9, 30), known_by=date(2026, 12, 31), **ahead) == Decimal("1100.00")


def test_an_outcome_whose_window_is_not_over_is_censored_and_not_false(engine: Engine) -> None:
    rows = {"transaction": [tx("2025-01-01", 1), tx("2026-05-01", 9)]}
    ahead = {"measure": "count", "table": "transaction", "window": "next 6 months"}
    assert value(engine, rows, date(2026, 4, 30), known_by=date(2026, 10, 30), **ahead) is None
    assert value(engine, rows, date(2026, 4, 30), known_by=date(2026, 10, 31), **ahead) == 1
    assert value(engine, rows, date(2026, 4, 30), account_id="b", known_by=date(2026, 10, 31), **ahead) == 0


def test_a_closure_is_an_outcome_of_the_account_itself(engine: Engine) -> None:
    book = Book(
        engine, {"account": [account("a", closed_on=date(2026, 9, 2), known_on=date(2026, 9, 2)), account("b")]}
    )
    made = features(
        [feature(table="account", measure="count", dated="closed_on", window="next 3 months")], outcome=True
    )
    found = {row["account_id"]: row["f"] for row in engine.rows(measure(made, book, date(2026, 6, 30), known_by=AS_OF))}
    assert found == {"b": 0}, "an account whose only known row is later is not in the book of June"


def test_days_until_the_first_event(engine: Engine) -> None:
    rows = {"transaction": [tx("2025-01-01", 1), tx("2026-07-11", 1), tx("2026-08-01", 1)]}
    ahead = {"measure": "days_since", "table": "transaction", "window": "next 3 months"}
    assert value(engine, rows, date(2026, 6, 30), known_by=AS_OF, **ahead) == 11


def test_a_moment_is_a_date_and_a_time(engine: Engine) -> None:
    rows = {"transaction": [tx("2026-10-30 23:30:00", 1)]}
    assert value(engine, rows, measure="latest", of="hour(posted_at)", table="transaction", window="latest") == 23
    assert value(
        engine, rows, measure="latest", of="posted_at", table="transaction", window="latest"
    ) == datetime.fromisoformat("2026-10-30 23:30:00")
