"""Accounts, lateness, utilisation and activity against numbers counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from backbook.engine import Engine
from backbook.outcome import kpi
from backbook.outcome.figures import About, Figure, Grid, Text
from backbook.outcome.position import Book
from backbook.outcome.size import together

AS_OF = date(2026, 10, 31)
Make = Callable[..., Book]
at = datetime.fromisoformat


def figures_of(engine: Engine, book: Book) -> tuple[dict[str, Grid], dict[str, Figure]]:
    with engine.scope():
        return kpi.book_figures(engine, book)


def late_by(*days: int | None, cycles: int | None = None) -> list[dict[str, Any]]:
    return [
        {"account_id": f"a{n}", "balance": 100, "days_past_due": day, "cycles_past_due": cycles}
        for n, day in enumerate(days)
    ]


def shown(grid: Grid) -> dict[str, int]:
    return {row["bucket"]: row["accounts"] for row in grid if row["accounts"]}


def test_a_bucket_ends_on_day_30_of_each_month_of_delay(engine: Engine, book: Make) -> None:
    grids, found = figures_of(
        engine, book(AS_OF, account=late_by(0, 1, 30, 31, 60, 61, 90, 91, 120, 121, 150, 151, 180, 181, 999))
    )
    assert shown(grids["buckets"]) == {"M0": 1, "M1": 2, "M2": 2, "M3": 2, "M4": 2, "M5": 2, "M6": 2, "M7+": 2}
    assert [found[f"dpd_over_{days}_account"].numerator for days in (30, 90, 180)] == [12, 8, 2]
    assert found["dpd_over_90_account"].denominator == 15
    assert found["dpd_over_180_balance"].value == pytest.approx(2 / 15)


@pytest.mark.parametrize(
    ("day", "late"),
    [(30, (0, 0, 0)), (31, (1, 0, 0)), (90, (1, 0, 0)), (91, (1, 1, 0)), (180, (1, 1, 0)), (181, (1, 1, 1))],
)
def test_over_30_means_31_days_and_not_30(engine: Engine, book: Make, day: int, late: tuple[int, ...]) -> None:
    _, found = figures_of(engine, book(AS_OF, account=late_by(day)))
    assert tuple(found[f"dpd_over_{days}_account"].numerator for days in (30, 90, 180)) == late


def test_without_days_the_cycles_label_the_bucket_and_the_table_says_so(engine: Engine, book: Make) -> None:
    grids, found = figures_of(
        engine,
        book(
            AS_OF,
            account=[*late_by(None, None, cycles=2), {"account_id": "b", "days_past_due": 0, "cycles_past_due": 1}],
        ),
    )
    assert shown(grids["buckets"]) == {"M0": 1, "M2": 2}
    assert grids["buckets"].note is not None and grids["buckets"].note.en.startswith("2 accounts have no days past due")
    assert found["dpd_over_30_account"].numerator == 2


def test_unknown_lateness_is_counted_apart_and_stays_out_of_the_shares(engine: Engine, book: Make) -> None:
    grids, found = figures_of(engine, book(AS_OF, account=late_by(None, 0, 40)))
    assert shown(grids["buckets"]) == {"M0": 1, "M2": 1, "?": 1}
    assert (found["dpd_over_30_account"].numerator, found["dpd_over_30_account"].denominator) == (1, 2)


def test_a_book_that_says_nothing_of_lateness_has_no_shares_rather_than_zero(engine: Engine, book: Make) -> None:
    _, found = figures_of(engine, book(AS_OF, account=[{"account_id": "a", "balance": 1}]))
    assert found["dpd_over_30_account"].value is None
    assert found["dpd_over_30_account"].needs == Text(
        "不可用：需要 `days_past_due`、`cycles_past_due`", "not available: needs `days_past_due`, `cycles_past_due`"
    )


def test_null_is_not_known_and_zero_is_known_to_be_none(engine: Engine, book: Make) -> None:
    account = [{"account_id": "a", "balance": 0, "credit_limit": 100, "days_past_due": 0}]
    purchase = {
        "transaction_id": "t",
        "account_id": "z",
        "posted_at": at("2026-10-01"),
        "kind": "purchase",
        "amount": 1,
    }
    _, without = figures_of(engine, book(AS_OF, account=account))
    _, with_some = figures_of(engine, book(AS_OF, since=date(2020, 1, 1), account=account, transaction=[purchase]))
    assert without["active_30d"].value is None and with_some["active_30d"].value == 0
    assert without["active_30d"].needs is not None and with_some["active_30d"].needs is None
    assert without["utilisation"].value == 0


def test_utilisation_is_the_sum_of_balances_over_the_sum_of_limits_and_overpaid_counts_nothing(
    engine: Engine, book: Make
) -> None:
    grids, found = figures_of(engine, book(AS_OF, account=[
        {"account_id": "a", "balance": 90, "credit_limit": 100},
        {"account_id": "b", "balance": -500, "credit_limit": 100},
        {"account_id": "c", "balance": 30, "credit_limit": 200},
        {"account_id": "d", "balance": 77, "credit_limit": None},
        {"account_id": "e", "balance": 50, "credit_limit": 50, "closed_on": AS_OF},
    ]))  # fmt: skip
    assert (found["utilisation"].numerator, found["utilisation"].denominator) == (Decimal(120), Decimal(400))
    assert {row["band"]: row["lines"] for row in grids["utilisation"] if row["lines"]} == {
        "0": 1,
        "0–30%": 1,
        "80–100%": 1,
    }


def test_a_limit_that_two_accounts_share_counts_once(engine: Engine, book: Make) -> None:
    shared = [{"account_id": name, "balance": 25, "credit_limit": 100, "line_id": "L"} for name in "ab"]
    _, found = figures_of(engine, book(AS_OF, account=shared))
    assert (found["utilisation"].numerator, found["limits"].numerator) == (Decimal(50), Decimal(100))


def test_closed_accounts_leave_the_count_and_debts_of_the_closed_stay_in_the_book(engine: Engine, book: Make) -> None:
    accounts = [
        {"account_id": "open", "balance": 10, "days_past_due": 0},
        {"account_id": "closes tomorrow", "balance": 10, "days_past_due": 0, "closed_on": date(2026, 11, 1)},
        {"account_id": "closed", "balance": 0, "days_past_due": 0, "closed_on": AS_OF},
        {"account_id": "closed and owing", "balance": 70, "days_past_due": 100, "closed_on": date(2026, 8, 1)},
        {"account_id": "written off", "balance": 900, "days_past_due": 400},
    ]
    mark = [{"account_id": "written off", "kind": "written_off", "since": date(2026, 9, 1), "until": None}]
    grids, found = figures_of(engine, book(AS_OF, account=accounts, mark=mark))
    assert (found["accounts"].value, found["open_accounts"].value) == (5, 2)
    assert found["balance"].value == Decimal(90)
    assert shown(grids["buckets"]) == {"M0": 2, "M4": 1}


def test_a_person_with_two_accounts_is_one_customer(engine: Engine, book: Make) -> None:
    profile = [
        {"account_id": "a", "customer_id": "ann"},
        {"account_id": "b", "customer_id": "ann"},
        {"account_id": "c", "customer_id": "bob"},
    ]
    _, found = figures_of(engine, book(AS_OF, profile=profile))
    assert (found["accounts"].value, found["customers"].value) == (3, 2)


def test_before_identity_is_known_customers_are_counted_as_party_records(engine: Engine, book: Make) -> None:
    accounts = [
        {"account_id": name, "system": "core", "party_id": party}
        for name, party in (("a", "1"), ("b", "1"), ("c", "2"))
    ]
    _, found = figures_of(engine, book(AS_OF, account=accounts))
    assert found["customers"].value == 2 and found["customers"].note is not None


@pytest.mark.parametrize(
    ("day", "active"),
    [
        ("2026-10-31", (1, 1)),
        ("2026-10-02", (1, 1)),
        ("2026-10-01", (0, 1)),
        ("2026-08-03", (0, 1)),
        ("2026-08-02", (0, 0)),
    ],
)
def test_active_looks_back_30_and_90_days_from_the_end_of_the_date(
    engine: Engine, book: Make, day: str, active: tuple[int, int]
) -> None:
    use = {
        "transaction_id": "t",
        "account_id": "a",
        "posted_at": at(day),
        "kind": "purchase",
        "customer_initiated": True,
        "amount": 5,
    }
    _, found = figures_of(
        engine,
        book(AS_OF, since=date(2020, 1, 1), account=[{"account_id": "a"}, {"account_id": "b"}], transaction=[use]),
    )
    assert (found["active_30d"].numerator, found["active_90d"].numerator) == active
    assert found["active_30d"].denominator == 2


def test_a_window_that_begins_before_the_first_day_is_not_known(engine: Engine, book: Make) -> None:
    use = [{"transaction_id": "t", "account_id": "a", "posted_at": at("2026-10-20"), "kind": "purchase", "amount": 5}]
    _, found = figures_of(engine, book(AS_OF, since=date(2026, 10, 2), account=[{"account_id": "a"}], transaction=use))
    assert found["active_30d"].value == 1
    assert found["active_90d"].value is None and "2026-10-02" in found["active_90d"].needs.en  # type: ignore[union-attr]


def test_what_the_profile_reads_wins_over_the_account_and_the_statement(engine: Engine, book: Make) -> None:
    account = [
        {"account_id": "a", "balance": 10, "days_past_due": 5},
        {"account_id": "b", "balance": None, "days_past_due": None},
    ]
    statement = [
        {"account_id": "b", "statement_on": date(2026, 9, 20), "total_balance": 1, "days_past_due": 0},
        {"account_id": "b", "statement_on": date(2026, 10, 20), "total_balance": 40, "days_past_due": 35},
    ]
    made = book(
        AS_OF,
        account=account,
        statement=statement,
        profile=[{"account_id": "a", "total_balance": 60, "days_past_due": 95}],
    )
    grids, found = figures_of(engine, made)
    assert found["balance"].value == Decimal(100)
    assert shown(grids["buckets"]) == {"M2": 1, "M4": 1}


def branches(*sizes: tuple[str, int, int]) -> dict[str, list[dict[str, Any]]]:
    """Accounts of branches: name, accounts, of these late by 40 days."""
    people = [(name, n < late) for name, size, late in sizes for n in range(size)]
    return {
        "account": [
            {
                "account_id": f"a{n}",
                "system": "core",
                "party_id": f"p{n}",
                "balance": 10,
                "days_past_due": 40 if late else 0,
            }
            for n, (_, late) in enumerate(people)
        ],
        "assignment": [
            {"system": "core", "party_id": f"p{n}", "branch": name, "since": date(2020, 1, 1), "until": None}
            for n, (name, _) in enumerate(people)
        ],
    }


def test_a_small_branch_goes_into_the_others_with_the_next_smallest(engine: Engine, book: Make) -> None:
    grids, _ = figures_of(
        engine, book(AS_OF, **branches(("North", 40, 20), ("South", 20, 0), ("West", 12, 0), ("Tiny", 3, 3)))
    )
    assert [(row["group"], row["accounts"]) for row in grids["by_branch"]] == [("North", 40), ("South", 20), (None, 15)]


def test_a_count_of_one_to_nine_late_accounts_is_closed_and_zero_is_not(engine: Engine, book: Make) -> None:
    grids, _ = figures_of(engine, book(AS_OF, **branches(("North", 40, 10), ("South", 30, 9), ("West", 20, 0))))
    rows = {row["group"]: row for row in grids["by_branch"]}
    assert (rows["North"]["late"], rows["North"]["late_share"]) == (10, 0.25)
    assert (rows["South"]["late"], rows["South"]["late_share"]) == (None, None)
    assert rows["South"]["closed"] == ("late", "late_share")
    assert (rows["West"]["late"], rows["West"]["late_share"]) == (0, 0)


def test_a_book_of_nine_shows_nothing_by_branch(engine: Engine, book: Make) -> None:
    grids, _ = figures_of(engine, book(AS_OF, **branches(("Only", 9, 9))))
    (row,) = grids["by_branch"]
    assert row["accounts"] is None and row["balance"] is None and row["late"] is None


def test_the_groups_always_add_up() -> None:
    rows = [{"group": str(n), "accounts": size, "late": None} for n, size in enumerate([500, *[30] * 40, 9, 2])]
    made = together(rows)
    assert sum(row["accounts"] for row in made) == sum(row["accounts"] for row in rows)
    assert min(row["accounts"] for row in made) >= 10


def test_the_branch_is_the_one_in_force_at_the_date(engine: Engine, book: Make) -> None:
    made = branches(("New", 12, 0))
    old = [
        {**row, "branch": "Old", "since": date(2019, 1, 1), "until": date(2019, 12, 31)} for row in made["assignment"]
    ]
    future = [{**row, "branch": "Later", "since": date(2026, 11, 1)} for row in made["assignment"]]
    made["assignment"] = old + made["assignment"] + future
    grids, found = figures_of(engine, book(AS_OF, **made))
    assert [(row["group"], row["accounts"]) for row in grids["by_branch"]] == [("New", 12)]
    assert found["accounts"].value == 12


def test_two_branches_from_the_same_day_do_not_make_two_accounts(engine: Engine, book: Make) -> None:
    made = branches(("North", 12, 0))
    made["assignment"] += [{**row, "branch": "South"} for row in made["assignment"]]
    grids, found = figures_of(engine, book(AS_OF, **made))
    assert [(row["group"], row["accounts"]) for row in grids["by_branch"]] == [("North", 12)]
    assert found["accounts"].value == 12


def test_products_are_shown_by_name_and_code(engine: Engine, book: Make) -> None:
    account = [{"account_id": f"a{n}", "product_id": "1001" if n < 12 else "2002", "balance": 1} for n in range(24)]
    grids, _ = figures_of(engine, book(AS_OF, account=account, product=[{"product_id": "1001", "name": "Gold"}]))
    assert [row["group"] for row in grids["by_product_id"]] == ["Gold (1001)", "2002"]


def test_the_change_against_last_month_is_in_points_for_a_share_and_relative_for_a_count(
    engine: Engine, book: Make
) -> None:
    now = book(AS_OF, account=late_by(0, 40))
    before = book(date(2026, 9, 30), account=late_by(0, 0, 0, 40))
    found = kpi.figures(engine, now, About("A bank", AS_OF), before=before).figures
    assert found["dpd_over_30_account"].change == pytest.approx(0.25)
    assert found["open_accounts"].change == pytest.approx(-0.5)
    assert found["active_30d"].change is None


def test_segments_keep_the_order_of_their_levels_and_count_the_unknown_apart(engine: Engine, book: Make) -> None:
    profile = [{"account_id": str(n), "stage": stage} for n, stage in enumerate(["new", "active", "active", None])]
    segment = kpi.Segment(
        "stage",
        Text("阶段", "Stage"),
        {"active": Text("活跃", "Active"), "gone": Text("已走", "Gone"), "new": Text("新户", "New")},
    )
    ((name, grid),) = kpi.figures(
        engine, book(AS_OF, profile=profile), About("A bank", AS_OF), segments=[segment]
    ).segments
    assert name.en == "Stage"
    assert [(row["code"], row["units"]) for row in grid] == [("active", 2), ("gone", 0), ("new", 1), (None, 1)]


def test_purchases_are_summed_by_calendar_month(engine: Engine, book: Make) -> None:
    bought = [
        {
            "transaction_id": "1",
            "account_id": "a",
            "posted_at": at("2026-09-30 23:59"),
            "kind": "purchase",
            "amount": "10.50",
        },
        {
            "transaction_id": "2",
            "account_id": "a",
            "posted_at": at("2026-10-01"),
            "kind": "purchase",
            "amount": "1.25",
        },
        {"transaction_id": "3", "account_id": "a", "posted_at": at("2026-10-02"), "kind": "fee", "amount": "99"},
    ]
    grids, _ = figures_of(engine, book(AS_OF, account=[{"account_id": "a"}], transaction=bought))
    assert [(row["month"], row["transactions"], row["amount"]) for row in grids["spend"]] == [
        ("2026-09", 1, Decimal("10.50")), ("2026-10", 1, Decimal("1.25")),
    ]  # fmt: skip
