"""Vintages and first payment default by hand, on their boundary days, and against plain Python."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import vl_convert
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbook.engine import Engine
from backbook.outcome import charts, report, vintage
from backbook.outcome.figures import Figure, Grid
from backbook.outcome.position import Book
from backbook.outcome.vintage import followed, vintages

AS_OF = date(2026, 10, 31)
Make = Callable[..., Book]
Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def every_account_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vintage, "SMALL_VINTAGE", 1)


def opened(id: str, on: date | None, **more: Any) -> dict[str, Any]:
    return {"account_id": id, "opened_on": on, **more}


def bill(id: str, on: date, days: int | None = 0, **more: Any) -> dict[str, Any]:
    return {"account_id": id, "statement_on": on, "days_past_due": days, **more}


def found(engine: Engine, book: Book) -> tuple[Grid, Grid, Figure]:
    (curves, table), fpd = vintages(engine, book)
    return curves, table, fpd


def curve(engine: Engine, book: Book, days: int = 90) -> dict[str, list[int]]:
    curves: dict[str, list[int]] = {}
    for row in found(engine, book)[0]:
        curves.setdefault(row["vintage"], []).append(row[f"ever_{days}"])
    return curves


def test_once_over_90_days_late_is_ever_over_90_days_late(engine: Engine, book: Make) -> None:
    made = book(
        AS_OF,
        account=[opened("a", date(2026, 3, 5)), opened("b", date(2026, 3, 31))],
        statement=[bill("b", date(2026, 3, 31)), bill("a", date(2026, 7, 20), 91), bill("a", date(2026, 8, 20), 0)],
    )
    curves, table, _ = found(engine, made)
    assert [(row["mob"], row["ever_90"], row["share_90"]) for row in curves] == [
        (0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 1, 0.5), (5, 1, 0.5), (6, 1, 0.5), (7, 1, 0.5),
    ]  # fmt: skip
    assert table.rows[0]["late_90_at_6"] == 0.5 and table.rows[0]["late_90_at_12"] is None


@pytest.mark.parametrize(
    ("days", "cycles", "over_30", "over_90"),
    [
        (30, None, 0, 0), (31, None, 1, 0), (90, None, 1, 0), (91, None, 1, 1), (180, None, 1, 1), (181, None, 1, 1),
        (None, 1, 0, 0), (None, 2, 1, 0), (None, 3, 1, 0), (None, 4, 1, 1), (0, 4, 0, 0),
    ],
)  # fmt: skip
def test_over_30_and_over_90_begin_on_the_next_day_and_days_count_before_cycles(
    engine: Engine, book: Make, days: int | None, cycles: int | None, over_30: int, over_90: int
) -> None:
    late = bill("a", date(2026, 9, 20), days, cycles_past_due=cycles)
    made = book(AS_OF, account=[opened("a", date(2026, 8, 1))], statement=[bill("x", date(2026, 8, 1)), late])
    row = found(engine, made)[0].rows[-1]
    assert (row["ever_30"], row["ever_90"]) == (over_30, over_90)


@pytest.mark.parametrize(
    ("as_of", "ages"),
    [
        (date(2024, 3, 30), {"2024-01": 1, "2024-02": 0}),  # March is not over
        (date(2024, 3, 31), {"2024-01": 2, "2024-02": 1, "2024-03": 0}),
        (date(2024, 2, 28), {"2024-01": 0}),  # in a leap year February ends a day later
        (date(2024, 2, 29), {"2024-01": 1, "2024-02": 0}),
    ],
)
def test_a_vintage_is_shown_as_far_as_its_months_are_over(
    engine: Engine, book: Make, as_of: date, ages: dict[str, int]
) -> None:
    days = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 1)]
    accounts = [opened(f"a{n}", day) for n, day in enumerate(days)]
    made = book(as_of, account=accounts, statement=[bill("a0", date(2024, 1, 31))])
    assert {row["vintage"]: row["mob"] for row in found(engine, made)[1]} == ages


def test_what_became_late_in_a_month_that_is_not_over_is_not_shown_yet(engine: Engine, book: Make) -> None:
    account = [opened("a", date(2026, 5, 1))]
    statement = [bill("a", date(2026, 5, 2)), bill("a", date(2026, 10, 20), 95)]
    assert curve(engine, book(date(2026, 10, 30), account=account, statement=statement))["2026-05"] == [0] * 5
    assert curve(engine, book(AS_OF, account=account, statement=statement))["2026-05"] == [0] * 5 + [1]


def test_a_charge_off_counts_as_late_as_can_be(engine: Engine, book: Make) -> None:
    made = book(
        AS_OF,
        account=[opened("a", date(2026, 8, 1))],
        statement=[bill("a", date(2026, 8, 1))],
        mark=[{"account_id": "a", "kind": "written_off", "since": date(2026, 9, 30), "until": None}],
    )
    assert curve(engine, made) == {"2026-08": [0, 1, 1]}


def test_accounts_opened_before_statements_begin_and_those_without_a_day_of_opening_are_left_out_and_told(
    engine: Engine, book: Make
) -> None:
    made = book(
        AS_OF,
        account=[
            opened("old", date(2026, 7, 31), is_made=False), opened("a", date(2026, 8, 1), is_made=False),
            opened("made", date(2026, 8, 1), is_made=True),
        ],
        statement=[bill("a", date(2026, 8, 20))],
    )  # fmt: skip
    curves, table, _ = found(engine, made)
    assert [(row["vintage"], row["opened"]) for row in table] == [("2026-08", 1)]
    assert curves.note is not None
    assert curves.note.en == (
        "1 accounts were opened before statements begin (2026-08) and are left out. "
        "1 accounts have no day of opening (made by Backbook, or not delivered) and are left out."
    )
    assert "系统代建" in curves.note.zh


def test_a_small_month_stands_with_its_quarter_and_a_small_quarter_is_not_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vintage, "SMALL_VINTAGE", 30)
    january = 2026 * 12
    found = followed(
        {january: 30, january + 1: 30, january + 2: 30, january + 3: 40, january + 4: 29, january + 6: 29}, january + 9
    )
    assert [(each.name, each.opened, each.age) for each in found] == [
        ("2026-01", 30, 9), ("2026-02", 30, 8), ("2026-03", 30, 7),
        ("2026-Q2", 69, 5),  # as old as its youngest month, May
    ]  # fmt: skip


def test_a_book_without_statements_or_lateness_says_what_it_needs(engine: Engine, book: Make) -> None:
    account = [opened("a", date(2026, 8, 1))]
    said = {
        "statement": book(AS_OF, account=account),
        "account.opened_on": book(AS_OF, account=[{"account_id": "a"}], statement=[bill("a", AS_OF)]),
        "days_past_due": book(
            AS_OF, account=account, statement=[{"account_id": "a", "statement_on": date(2026, 8, 20)}]
        ),
        "statement` from the opening": book(AS_OF, account=account, statement=[bill("a", date(2026, 9, 1))]),
    }
    for name, made in said.items():
        curves, table, fpd = found(engine, made)
        for each in (curves, table, fpd):
            assert each.needs is not None and f"`{name}" in each.needs.en


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_curves_are_drawn_each_to_its_own_age(engine: Engine, book: Make, language: str) -> None:
    account = [opened(f"a{month}", date(2026, month, 1)) for month in range(1, 11)]
    late = [bill("a1", date(2026, 1, 2)), bill("a3", date(2026, 8, 2), 91)]
    curves = found(engine, book(AS_OF, account=account, statement=late))[0]
    spec = report.spec(charts.vintage(list(curves), "share_90", language))
    svg = vl_convert.vegalite_to_svg({**spec, "width": 620}, allowed_base_urls=[])
    assert "NaN" not in svg and "2026-01" in svg and "2026-03" in svg
    ages = {row["vintage"]: row["mob"] for row in spec["layer"][0]["data"]["values"]}
    assert ages == {f"2026-{month:02}": 10 - month for month in range(1, 11)}


# ── first payment default ───────────────────────────────────────────────────────────────────────────────────


def first(id: str, on: date, due_on: date, minimum: Any, paid: Any) -> dict[str, Any]:
    return bill(id, on, due_on=due_on, minimum_due=minimum, paid_by_due=paid)


MONEY = {"minimum_due", "paid_by_due"}


@pytest.fixture
def billed(book: Make, table: Callable[..., Any]) -> Callable[..., Book]:
    """A book of accounts opened in August with these bills; amounts in whole units."""

    def make(*bills: dict[str, Any], as_of: date = AS_OF) -> Book:
        accounts = [opened(id, date(2026, 8, 1)) for id in dict.fromkeys(row["account_id"] for row in bills)]
        return book(as_of, account=accounts, statement=[bill("x", date(2026, 8, 1)), *bills])

    return make


def test_the_first_bill_with_a_minimum_counts_and_only_once_it_fell_due(
    engine: Engine, billed: Callable[..., Book]
) -> None:
    made = billed(
        first("paid", date(2026, 8, 20), date(2026, 9, 9), 10, 10),
        first("short", date(2026, 8, 20), date(2026, 9, 9), 10, 9),
        first("nothing owed", date(2026, 8, 20), date(2026, 9, 9), 0, 0),
        first("nothing owed", date(2026, 9, 20), date(2026, 10, 10), 10, 0),
        first("second", date(2026, 8, 20), date(2026, 9, 9), 10, 10),
        first("second", date(2026, 9, 20), date(2026, 10, 10), 10, 0),  # not the first
        first("not yet due", date(2026, 10, 20), date(2026, 11, 9), 10, 0),
        first("not known", date(2026, 8, 20), date(2026, 9, 9), 10, None),
    )
    _, table, fpd = found(engine, made)
    assert (fpd.numerator, fpd.denominator, fpd.as_of, fpd.unit) == (2, 4, AS_OF, "account")
    assert (table.rows[0]["missed"], table.rows[0]["due"], table.rows[0]["opened"]) == (2, 4, 6)


@pytest.mark.parametrize(("as_of", "due"), [(date(2026, 9, 8), None), (date(2026, 9, 9), 1)])
def test_on_its_due_day_a_bill_is_due(
    engine: Engine, billed: Callable[..., Book], as_of: date, due: int | None
) -> None:
    made = billed(first("a", date(2026, 8, 20), date(2026, 9, 9), 10, 0), as_of=as_of)
    fpd = found(engine, made)[2]
    assert fpd.denominator == due and (fpd.needs is None) == bool(due)


# ── against plain Python ────────────────────────────────────────────────────────────────────────────────────

DAYS = st.integers(0, 400).map(lambda days: date(2025, 9, 15) + timedelta(days=days))
BILLS = st.lists(st.tuples(DAYS, st.one_of(st.none(), st.integers(0, 200))), max_size=6)
ACCOUNTS = st.lists(st.tuples(DAYS, BILLS), min_size=1, max_size=10)


def slow(accounts: list[tuple[date, list[tuple[date, int | None]]]], as_of: date, over: int) -> dict[str, list[int]]:
    """Every vintage, every month on book, every account, every bill."""
    ends = []
    day = date(2025, 9, 1)
    while (end := date(day.year, day.month, monthrange(day.year, day.month)[1])) <= as_of:
        ends.append(end)
        day = end + timedelta(days=1)
    curves: dict[str, list[int]] = {}
    for place, month in enumerate(ends):
        inside = [bills for on, bills in accounts if (on.year, on.month) == (month.year, month.month)]
        if inside:
            curves[f"{month:%Y-%m}"] = [
                sum(any((late or 0) > over and on <= end for on, late in bills) for bills in inside)
                for end in ends[place:]
            ]
    return curves


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(accounts=ACCOUNTS, as_of=st.sampled_from([AS_OF, date(2026, 9, 30), date(2026, 9, 29), date(2026, 2, 28)]))
def test_a_slow_judge_finds_the_same_curves(
    engine: Engine, book: Make, accounts: list[tuple[date, list[tuple[date, int | None]]]], as_of: date
) -> None:
    known = [(on, [each for each in bills if on <= each[0] <= as_of]) for on, bills in accounts if on <= as_of]
    statement: Rows = [bill("anchor", date(2025, 9, 1))]
    for n, (_, bills) in enumerate(known):
        last = {on: late for on, late in bills}
        statement += [bill(f"a{n}", on, late) for on, late in last.items()]
    known = [(on, list({day: late for day, late in bills}.items())) for on, bills in known]
    made = book(as_of, account=[opened("old", date(2020, 1, 1)), *(opened(f"a{n}", on) for n, (on, _) in enumerate(known))],
                statement=statement)  # fmt: skip
    with engine.scope():
        for over in (30, 90):
            assert curve(engine, made, over) == slow(known, as_of, over)
