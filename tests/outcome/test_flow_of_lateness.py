"""Net flow and roll against the textbook and against their own sums."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbook.engine import Engine
from backbook.outcome.figures import Grid
from backbook.outcome.flow import net_flow, roll, statement_months
from backbook.outcome.position import Book

AS_OF = date(2026, 10, 31)
SEPTEMBER, OCTOBER = date(2026, 9, 20), date(2026, 10, 20)
Make = Callable[..., Book]


def bill(account: str, on: date, balance: Any, days: int | None = None, cycles: int | None = None) -> dict[str, Any]:
    return {
        "account_id": account,
        "statement_on": on,
        "total_balance": balance,
        "days_past_due": days,
        "cycles_past_due": cycles,
    }


def flows(engine: Engine, book: Book) -> dict[tuple[str, str], float | None]:
    grid = net_flow(engine, statement_months(book), book.as_of)
    return {(row["month"], row["step"]): row["flow"] for row in grid}


def rolled(engine: Engine, book: Book) -> dict[tuple[str, str], int]:
    return {(row["from"], row["to"]): row["accounts"] for row in roll(engine, statement_months(book), book.as_of)}


def test_a_hundred_in_m1_that_becomes_forty_in_m2_flows_at_40_per_cent(engine: Engine, book: Make) -> None:
    bills = [
        bill("a", SEPTEMBER, 60, 20),
        bill("b", SEPTEMBER, 40, 5),
        bill("a", OCTOBER, 40, 50),
        bill("b", OCTOBER, 0, 0),
    ]
    found = flows(engine, book(AS_OF, statement=bills))
    assert found["2026-10", "M1→M2"] == 0.4
    assert found["2026-10", "M0→M1"] is None  # nothing was in M0, so its flow is not known


def test_new_spend_can_carry_the_flow_beyond_100_per_cent(engine: Engine, book: Make) -> None:
    bills = [bill("a", SEPTEMBER, 100, 10), bill("a", OCTOBER, 130, 40)]
    assert flows(engine, book(AS_OF, statement=bills))["2026-10", "M1→M2"] == 1.3


def test_what_was_paid_flows_at_zero_and_overpaid_bills_weigh_nothing(engine: Engine, book: Make) -> None:
    bills = [
        bill("a", SEPTEMBER, 100, 10),
        bill("b", SEPTEMBER, -900, 10),
        bill("a", OCTOBER, -5, 0),
        bill("b", OCTOBER, 0, 0),
    ]
    assert flows(engine, book(AS_OF, statement=bills))["2026-10", "M1→M2"] == 0


def test_the_stock_beyond_210_days_does_not_swell_the_flow_into_m7(engine: Engine, book: Make) -> None:
    bills = [
        bill("six", SEPTEMBER, 100, 180), bill("six", OCTOBER, 90, 210),
        bill("old", SEPTEMBER, 5000, 300), bill("old", OCTOBER, 5000, 330),
        bill("older", SEPTEMBER, 700, None, 8), bill("older", OCTOBER, 700, None, 9),
    ]  # fmt: skip
    assert flows(engine, book(AS_OF, statement=bills))["2026-10", "M6→M7"] == 0.9


def test_bills_labelled_by_cycles_flow_as_well(engine: Engine, book: Make) -> None:
    bills = [bill("a", SEPTEMBER, 100, None, 1), bill("a", OCTOBER, 100, None, 2)]
    assert flows(engine, book(AS_OF, statement=bills))["2026-10", "M1→M2"] == 1


def test_a_month_that_is_not_over_does_not_count(engine: Engine, book: Make) -> None:
    bills = [bill("a", date(2026, 8, 20), 100, 10), bill("a", SEPTEMBER, 50, 40), bill("a", OCTOBER, 50, 70)]
    assert {month for month, _ in flows(engine, book(date(2026, 10, 30), statement=bills))} == {"2026-09"}


def test_a_single_month_of_bills_says_what_it_needs(engine: Engine, book: Make) -> None:
    made = book(AS_OF, statement=[bill("a", OCTOBER, 1, 0)])
    months = statement_months(made)
    assert net_flow(engine, months, AS_OF).needs is not None and roll(engine, months, AS_OF).needs is not None


def test_the_roll_shows_the_new_and_the_gone(engine: Engine, book: Make) -> None:
    bills = [
        bill("stays", SEPTEMBER, 1, 0),
        bill("stays", OCTOBER, 1, 3),
        bill("gone", SEPTEMBER, 1, 0),
        bill("new", OCTOBER, 1, 0),
    ]
    assert rolled(engine, book(AS_OF, statement=bills)) == {("M0", "M1"): 1, ("M0", "-"): 1, ("-", "M0"): 1}


def test_two_bills_in_a_month_count_the_later_one(engine: Engine, book: Make) -> None:
    bills = [
        bill("a", SEPTEMBER, 100, 10),
        bill("a", date(2026, 10, 5), 100, 25),
        bill("a", date(2026, 10, 28), 80, 45),
    ]
    made = book(AS_OF, statement=bills)
    assert flows(engine, made)["2026-10", "M1→M2"] == 0.8
    assert rolled(engine, made) == {("M1", "M2"): 1}


LATENESS = st.one_of(st.none(), st.integers(0, 400))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    accounts=st.lists(st.tuples(LATENESS, LATENESS, st.sampled_from(["both", "then", "now"])), min_size=1, max_size=12)
)
def test_every_row_of_the_roll_adds_up_to_100_per_cent(
    engine: Engine, book: Make, accounts: list[tuple[int | None, int | None, str]]
) -> None:
    bills = [bill("anchor", SEPTEMBER, 1, 0), bill("anchor", OCTOBER, 1, 0)]
    for n, (then, now, where) in enumerate(accounts):
        bills += [bill(f"a{n}", SEPTEMBER, 10, then)] if where != "now" else []
        bills += [bill(f"a{n}", OCTOBER, 10, now)] if where != "then" else []
    with engine.scope():
        grid: Grid = roll(engine, statement_months(book(AS_OF, statement=bills)), AS_OF)
    sums: dict[str, float] = {}
    for row in grid:
        sums[row["from"]] = sums.get(row["from"], 0) + row["share"]
    assert all(abs(total - 1) < 1e-9 for total in sums.values())
    assert sum(row["accounts"] for row in grid) == len({row["account_id"] for row in bills})
    assert sum(Decimal(row["accounts"]) for row in grid if row["from"] == "-") == sum(
        where == "now" for *_, where in accounts
    )
