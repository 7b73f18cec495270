"""Measures against a slow, exact version in plain Python, over made-up rows and definitions."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from customer_book import Book, account, feature, features
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slow_measures import slow

from backbook.customer.features import measure
from backbook.engine import Engine

BEGIN = date(2023, 1, 1)
days = st.integers(0, 820).map(lambda n: BEGIN + timedelta(days=n))
amounts = st.integers(-50_000, 50_000).map(lambda cents: Decimal(cents) / 100)
accounts = st.sampled_from(["a", "b"])


@st.composite
def transactions(draw: Any) -> list[dict[str, Any]]:
    made = []
    for number in range(draw(st.integers(0, 25))):
        day = draw(days)
        made.append({
            "transaction_id": f"t{number:03}",
            "account_id": draw(accounts),
            "posted_at": datetime.combine(day, time(draw(st.integers(0, 23)))),
            "amount": draw(amounts),
            "kind": draw(st.sampled_from(["purchase", "payment", "fee"])),
            "mcc": draw(st.sampled_from(["5411", "5812", None])),
            "known_on": day + timedelta(days=draw(st.sampled_from([0, 0, 1, 40]))),
        })  # fmt: skip
    return made


@st.composite
def statements(draw: Any) -> list[dict[str, Any]]:
    made = []
    for on, account_id in draw(st.sets(st.tuples(days, accounts), max_size=20)):
        made.append({
            "account_id": account_id,
            "statement_on": on,
            "closing_balance": draw(amounts),
            "cycles_past_due": draw(st.one_of(st.none(), st.integers(0, 3))),
            "credit_limit": draw(st.sampled_from([None, Decimal(100), Decimal(250)])),
        })  # fmt: skip
    return made


TX = {
    "of": st.sampled_from(["amount", "amount * 2", "abs(amount)"]),
    "category": st.sampled_from(["mcc", "kind", "hour(posted_at)"]),
    "filter": st.sampled_from([None, "kind = 'purchase'", "amount > 0", "mcc = '5411'", "posted_at is null"]),
    "window": st.sampled_from(
        ["last 1 day", "last 30 days", "last 365 days", "last 1 month", "last 3 months", "ever", "latest"]
    ),
}
BILLS = {
    "of": st.sampled_from(["closing_balance", "cycles_past_due", "closing_balance / credit_limit"]),
    "category": st.sampled_from(["cycles_past_due", "closing_balance > 0"]),
    "filter": st.sampled_from([None, "closing_balance > 0", "cycles_past_due = 0", "credit_limit is null"]),
    "window": st.sampled_from(["last 1 cycle", "last 3 cycles", "last 6 cycles", "last 90 days", "last 12 months"]),
}
AHEAD = st.sampled_from(["next 30 days", "next 3 months", "next 6 months, gap 1 month"])


@st.composite
def definition(draw: Any, name: str, ahead: bool = False) -> Any:
    table, words = draw(st.sampled_from([("transaction", TX), ("statement", BILLS)]))
    window = draw(AHEAD if ahead else words["window"])
    what = draw(
        st.sampled_from(
            [
                "count",
                "sum",
                "min",
                "max",
                "average",
                "distinct",
                "share",
                "entropy",
                "days_since",
                "slope",
                "streak",
                "latest",
            ]
        )
    )
    said: dict[str, Any] = {"table": table, "measure": what, "window": window}
    if window in ("ever", "latest") and what in ("slope", "streak"):
        said["measure"] = what = "count"
    if what == "streak" and (ahead or not ("cycle" in window or "month" in window)):
        said["measure"] = what = "count"
    if what in ("sum", "min", "max", "average", "slope", "latest"):
        said["of"] = draw(words["of"])
    if what in ("distinct", "entropy"):
        said["of"] = draw(words["category"])
    if what == "share":
        said["filter"] = draw(words["filter"].filter(bool))
        said["of"] = draw(st.sampled_from([None, "amount" if table == "transaction" else "closing_balance"]))
        said["within"] = draw(words["filter"])
    else:
        said["filter"] = draw(words["filter"])
    return feature(name, **{key: value for key, value in said.items() if value is not None})


def same(fast: Any, exact: Any) -> bool:
    if isinstance(exact, float) and fast is not None:
        return math.isclose(float(fast), exact, rel_tol=1e-9, abs_tol=1e-6)
    return bool(fast == exact)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
@given(data=st.data(), posted=transactions(), billed=statements(), as_of=days)
def test_every_measure_agrees_with_plain_python(
    engine: Engine, data: Any, posted: Any, billed: Any, as_of: date
) -> None:
    ahead = data.draw(st.booleans())
    known_by = as_of + timedelta(days=data.draw(st.integers(0, 300))) if ahead else as_of
    made = features([data.draw(definition(f"f{number}", ahead)) for number in range(8)], outcome=ahead)
    book = Book(
        engine,
        {
            "account": [account("a"), account("b", opened_on=date(2024, 1, 1))],
            "transaction": posted,
            "statement": billed,
        },
    )
    columns = book.filled("transaction") | book.filled("statement")
    with engine.scope():
        found = {row["account_id"]: row for row in engine.rows(measure(made, book, as_of, known_by=known_by))}
    for one in made:
        if not one.columns <= columns:
            continue  # what a column that is empty throughout means is told elsewhere
        for account_id, row in found.items():
            expected = slow(one, book, as_of, account_id, known_by)
            assert same(row[one.id], expected), (one.canonical(), account_id, row[one.id], expected)
