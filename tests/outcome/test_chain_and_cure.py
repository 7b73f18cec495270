"""Chain loss, cure and the whole roll with paid off, closed and charged off, by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbook.engine import Engine
from backbook.outcome import flow
from backbook.outcome.figures import Grid
from backbook.outcome.position import Book

AS_OF = date(2026, 10, 31)
SEPTEMBER, OCTOBER = date(2026, 9, 20), date(2026, 10, 20)
Make = Callable[..., Book]
Rows = list[dict[str, Any]]


def bill(account: str, on: date, balance: Any, days: int | None = 0) -> dict[str, Any]:
    return {"account_id": account, "statement_on": on, "total_balance": balance, "days_past_due": days}


def rolled(engine: Engine, book: Book) -> Grid:
    months, ended = flow.statement_months(book), flow.ends(book)
    return flow.roll(engine, months, book.as_of, ended=ended)


def flows(engine: Engine, book: Book) -> Grid:
    return flow.net_flow(engine, flow.statement_months(book), book.as_of, ended=flow.ends(book))


def cells(grid: Grid) -> dict[tuple[str, str], int]:
    return {(row["from"], row["to"]): row["accounts"] for row in grid}


# Half of each bucket flows on: 100 in each of M0 to M6, then 50 in each of M1 to M7.
HALVES = [
    *(bill(f"then{n}", SEPTEMBER, 100, 30 * n) for n in range(7)),
    *(bill(f"now{n}", OCTOBER, 50, 30 * n) for n in range(1, 8)),
]


def test_the_chain_loss_is_the_product_of_the_seven_flows(engine: Engine, book: Make) -> None:
    made = book(AS_OF, account=[{"account_id": "then0"}], statement=HALVES)
    chain = flow.chain_loss(flows(engine, made))
    assert [(row["month"], row["share"]) for row in chain] == [("2026-10", 0.5**7)]
    figure = flow.chain_figure(chain, AS_OF)
    assert (figure.numerator, figure.denominator, figure.value) == (100 * 0.5**7, 100, 0.5**7)


def test_a_chain_with_a_flow_that_is_not_known_is_not_known(engine: Engine, book: Make) -> None:
    made = book(AS_OF, account=[{"account_id": "a"}], statement=[row for row in HALVES if row["account_id"] != "then3"])
    figure = flow.chain_figure(flow.chain_loss(flows(engine, made)), AS_OF)
    assert figure.value is None and figure.needs == flow.EMPTY_BUCKET


def test_what_is_charged_off_out_of_m6_flows_on(engine: Engine, book: Make) -> None:
    bills = [bill("kept", SEPTEMBER, 60, 180), bill("kept", OCTOBER, 60, 210), bill("lost", SEPTEMBER, 40, 180)]
    mark = {"account_id": "lost", "kind": "written_off", "since": date(2026, 10, 15), "until": None}
    account = [{"account_id": "kept"}, {"account_id": "lost"}]
    last = {
        row["step"]: row["flow"] for row in flows(engine, book(AS_OF, account=account, statement=bills, mark=[mark]))
    }
    assert last["M6→M7"] == 1
    earlier = {**mark, "since": date(2026, 9, 30)}  # not in October
    last = {
        row["step"]: row["flow"] for row in flows(engine, book(AS_OF, account=account, statement=bills, mark=[earlier]))
    }
    assert last["M6→M7"] == 0.6


def test_the_roll_tells_apart_paid_off_closed_and_charged_off(engine: Engine, book: Make) -> None:
    names = ("pays", "closes", "lost", "leaves", "closed late", "closed before", "never billed")
    closed = {"closes": date(2026, 10, 31), "closed late": date(2026, 10, 1), "closed before": date(2026, 8, 31)}
    made = book(
        AS_OF,
        account=[{"account_id": name, "closed_on": closed.get(name)} for name in names],
        statement=[
            *(bill(name, SEPTEMBER, 10, 5) for name in names[:5]),
            bill("pays", OCTOBER, 0), bill("closes", OCTOBER, 0), bill("closed late", OCTOBER, 10, 35),
        ],
        mark=[{"account_id": "lost", "kind": "written_off", "since": date(2026, 10, 31), "until": None},
              {"account_id": "pays", "kind": "dispute", "since": date(2026, 10, 1), "until": None}],
    )  # fmt: skip
    assert cells(rolled(engine, made)) == {
        ("M1", "paid_off"): 1, ("M1", "closed"): 1, ("M1", "charged_off"): 1, ("M1", "-"): 1,
        ("M1", "M2"): 1,  # who is late is late, closed or not
        ("closed", "closed"): 1,
    }  # fmt: skip


def test_cured_is_a_better_bucket_or_paid_off_and_nothing_else(engine: Engine, book: Make) -> None:
    names = ("better", "current", "paid", "stays", "worse", "closed", "silent")
    made = book(
        AS_OF,
        account=[{"account_id": name, "closed_on": date(2026, 10, 21) if name == "closed" else None} for name in names],
        statement=[
            *(bill(name, SEPTEMBER, 100, 45) for name in names), bill("fine", SEPTEMBER, 1000),
            bill("better", OCTOBER, 90, 10), bill("current", OCTOBER, 50), bill("paid", OCTOBER, 0),
            bill("stays", OCTOBER, 100, 31), bill("worse", OCTOBER, 100, 75), bill("fine", OCTOBER, 1000, 5),
        ],
    )  # fmt: skip
    (row,) = flow.cure(rolled(engine, made))
    assert (row["bucket"], row["accounts"], row["cured"], row["stayed"], row["worse"], row["other"]) == (
        "M2",
        7,
        3,
        1,
        1,
        2,
    )
    by_account, by_balance = flow.cure_figures(flow.cure(rolled(engine, made)), AS_OF)
    assert (by_account.numerator, by_account.denominator) == (3, 7)
    assert (by_balance.numerator, by_balance.denominator) == (300, 700)


def test_where_nobody_was_late_there_is_no_cure_rate(engine: Engine, book: Make) -> None:
    made = book(AS_OF, account=[{"account_id": "a"}], statement=[bill("a", SEPTEMBER, 1), bill("a", OCTOBER, 1)])
    assert {figure.needs for figure in flow.cure_figures(flow.cure(rolled(engine, made)), AS_OF)} == {flow.NOBODY_LATE}


@pytest.mark.parametrize(
    ("days", "bucket"),
    [(0, "M0"), (1, "M1"), (30, "M1"), (31, "M2"), (90, "M3"), (91, "M4"), (180, "M6"), (181, "M7+")],
)
def test_buckets_change_on_day_31_91_and_181(engine: Engine, book: Make, days: int, bucket: str) -> None:
    made = book(AS_OF, account=[{"account_id": "a"}], statement=[bill("a", SEPTEMBER, 1), bill("a", OCTOBER, 1, days)])
    assert cells(rolled(engine, made)) == {("M0", bucket): 1}


DAYS = st.one_of(st.none(), st.integers(0, 400))
BILL = st.one_of(st.none(), st.tuples(DAYS, st.sampled_from([None, -5, 0, 10])))
END = st.one_of(
    st.none(), st.sampled_from([date(2026, 8, 31), date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 31)])
)


def place(bill: Any, closed_on: date | None, lost_on: date | None, end: date) -> str:
    """The slow judge: one account at the end of one month."""
    days, balance = bill or (None, None)
    if lost_on and lost_on <= end:
        return "charged_off"
    if days:
        return "M7+" if days > 180 else f"M{-(-days // 30)}"
    if closed_on and closed_on <= end:
        return "closed"
    if bill is None:
        return "-"
    if balance is not None and balance <= 0:
        return "paid_off"
    return "?" if days is None else "M0"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(accounts=st.lists(st.tuples(BILL, BILL, END, END), min_size=1, max_size=12))
def test_a_slow_judge_places_every_account_alike_and_each_row_adds_up_to_one(
    engine: Engine, book: Make, accounts: list[tuple[Any, Any, date | None, date | None]]
) -> None:
    accounts = [((0, 10), (0, 10), None, None), *accounts]
    statement: Rows = []
    expected: dict[tuple[str, str], int] = {}
    for n, (then, now, closed_on, lost_on) in enumerate(accounts):
        statement += [bill(f"a{n}", on, each[1], each[0]) for on, each in ((SEPTEMBER, then), (OCTOBER, now)) if each]
        cell = (place(then, closed_on, lost_on, date(2026, 9, 30)), place(now, closed_on, lost_on, AS_OF))
        if cell != ("-", "-"):
            expected[cell] = expected.get(cell, 0) + 1
    marks = [
        {"account_id": f"a{n}", "kind": "written_off", "since": lost, "until": None}
        for n, (*_, lost) in enumerate(accounts)
        if lost
    ]
    with engine.scope():
        made = book(
            AS_OF,
            account=[{"account_id": f"a{n}", "closed_on": closed} for n, (_, _, closed, _) in enumerate(accounts)],
            statement=statement,
            **({"mark": marks} if marks else {}),
        )
        grid = rolled(engine, made)
    assert cells(grid) == expected
    for level in {row["from"] for row in grid}:
        assert sum(row["share"] for row in grid if row["from"] == level) == pytest.approx(1, abs=1e-12)
