"""The share of long-sleeping cards, which a regulator will count again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from backbook.engine import Engine
from backbook.outcome.activity import first_day, last_use
from backbook.outcome.figures import Figure
from backbook.outcome.position import Book, position
from backbook.outcome.sleeping import latest_start, sleeping

AS_OF = date(2026, 10, 31)
LONG_AGO = date(2020, 1, 1)

Make = Callable[..., Book]
at = datetime.fromisoformat


def count(engine: Engine, book: Book) -> Figure:
    uses = last_use(book) if book.table("transaction") is not None else None
    known_from = None if uses is None else first_day(engine, book)
    return sleeping(engine, book, engine.cached(position(book)), uses, known_from=known_from)[0]


def one_card(
    make: Make, *, balance: Any = 0, card: dict[str, Any] | None = None, since: date = LONG_AGO, **use: Any
) -> Book:
    """An account with one card, and a second account whose card is in use."""
    used = {
        "transaction_id": "t0",
        "account_id": "b",
        "card_id": "cb",
        "posted_at": at("2026-10-30"),
        "kind": "purchase",
    }
    uses = (
        [used]
        if not use
        else [used, {"transaction_id": "t1", "account_id": "a", "card_id": "ca", "kind": "purchase", **use}]
    )
    return make(
        AS_OF,
        since=since,
        account=[
            {"account_id": "a", "opened_on": LONG_AGO, "balance": balance},
            {"account_id": "b", "opened_on": LONG_AGO, "balance": 0},
        ],
        card=[
            {"card_id": "ca", "account_id": "a", "issued_on": LONG_AGO, "is_policy_card": False, **(card or {})},
            {"card_id": "cb", "account_id": "b", "issued_on": LONG_AGO, "is_policy_card": False},
        ],
        transaction=uses,
    )


@pytest.mark.parametrize(
    ("last_used", "asleep"),
    [
        (at("2025-04-30"), 1),  # 18 months
        (at("2025-05-01"), 0),  # 17 months and 30 days
    ],
)
def test_a_card_sleeps_after_18_months_and_not_after_17_months_30_days(
    engine: Engine, book: Make, last_used: datetime, asleep: int
) -> None:
    figure = count(engine, one_card(book, posted_at=last_used))
    assert (figure.numerator, figure.denominator) == (asleep, 2)


def test_a_month_without_that_day_ends_on_its_last_day() -> None:
    assert latest_start(date(2026, 2, 28)) == date(2024, 8, 31)  # to the end of February
    assert latest_start(date(2025, 8, 29)) == date(2024, 2, 29)
    assert latest_start(date(2026, 10, 31)) == date(2025, 4, 30)


def test_a_fee_posted_in_month_17_wakes_nobody(engine: Engine, book: Make) -> None:
    fee = one_card(book, posted_at=at("2026-09-30"), kind="fee", customer_initiated=False)
    assert count(engine, fee).numerator == 1


def test_where_the_bank_does_not_say_who_initiated_only_purchases_and_cash_are_use(engine: Engine, book: Make) -> None:
    asleep = {kind: count(engine, one_card(book, posted_at=at("2026-09-30"), kind=kind)).numerator
              for kind in ("purchase", "cash_advance", "interest", "refund", "payment")}  # fmt: skip
    assert asleep == {"purchase": 0, "cash_advance": 0, "interest": 1, "refund": 1, "payment": 1}


@pytest.mark.parametrize(("balance", "asleep"), [("0", 1), ("-0.01", 0), ("0.01", 0)])
def test_a_cent_owed_or_overpaid_keeps_a_card_from_sleeping(
    engine: Engine, book: Make, balance: str, asleep: int
) -> None:
    assert count(engine, one_card(book, balance=balance)).numerator == asleep


@pytest.mark.parametrize(
    "gone",
    [{"is_policy_card": True}, {"cancelled_on": date(2026, 10, 31)}, {"expires_on": date(2026, 10, 30)}],
)
def test_policy_cards_and_cards_no_longer_in_issue_count_on_neither_side(
    engine: Engine, book: Make, gone: dict[str, Any]
) -> None:
    figure = count(engine, one_card(book, card=gone))
    assert (figure.numerator, figure.denominator) == (0, 1)


def test_a_young_card_never_used_does_not_sleep_yet(engine: Engine, book: Make) -> None:
    assert count(engine, one_card(book, card={"issued_on": date(2025, 5, 1)})).numerator == 0
    assert count(engine, one_card(book, card={"issued_on": date(2025, 4, 30)})).numerator == 1


def test_a_use_that_names_no_card_wakes_every_card_of_its_account(engine: Engine, book: Make) -> None:
    assert count(engine, one_card(book, posted_at=at("2026-01-01"), card_id=None)).numerator == 0


def test_history_that_begins_within_the_18_months_is_not_taken_for_silence(engine: Engine, book: Make) -> None:
    figure = count(engine, one_card(book, since=date(2025, 5, 1)))
    assert figure.value is None
    assert "2025-05-01" in figure.needs.en and "18" in figure.needs.zh  # type: ignore[union-attr]
    assert count(engine, one_card(book, since=date(2025, 4, 30))).numerator == 1


def test_an_unknown_balance_is_not_a_zero(engine: Engine, book: Make) -> None:
    assert count(engine, one_card(book, balance=None)).value is None


def test_without_cards_or_transactions_the_share_says_what_it_needs(engine: Engine, book: Make) -> None:
    figure = count(engine, book(AS_OF, account=[{"account_id": "a", "balance": 0}]))
    assert figure.value is None
    assert figure.needs.en == "not available: needs `card`, `transaction`"  # type: ignore[union-attr]


@pytest.mark.parametrize(("asleep", "alert"), [(149, 0), (150, 1), (179, 1), (180, 2), (199, 2), (200, 3), (201, 3)])
def test_alerts_stand_at_15_18_and_20_per_cent(asleep: int, alert: int) -> None:
    assert Figure("sleeping", AS_OF, "card", asleep, 1000, alerts=(0.15, 0.18, 0.20)).alert == alert


def test_ahead_of_time_the_share_counts_cards_that_nobody_uses_until_then(engine: Engine, book: Make) -> None:
    made = one_card(book, posted_at=at("2025-05-20"))
    accounts = engine.cached(position(made))
    _, ahead = sleeping(engine, made, accounts, last_use(made), known_from=LONG_AGO)
    assert [(row["on"], row["asleep"]) for row in ahead] == [
        ("2026-10-31", 0), ("2026-11-30", 1), ("2026-12-30", 1), ("2027-01-29", 1),
    ]  # fmt: skip
