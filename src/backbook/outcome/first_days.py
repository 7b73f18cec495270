"""The first 180 days (养成期): whether those who open an account activate it, use it, bind it to a wallet, keep to it.

Cohorts by month of opening. A cohort counts in a column once the last day of its month lies as many days back, so that
every denominator is mature and whole; one that is too young for a column is not known there, never zero. Day n counts
whole: what happens on the n-th day after opening is within n days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import ibis

from backbook.engine import Engine
from backbook.outcome.activity import first_day, month_name
from backbook.outcome.figures import Figure, Grid, Text, needs
from backbook.outcome.flow import last_whole_month
from backbook.outcome.position import Book, read
from backbook.outcome.vintage import opened_accounts

COHORTS = 12
HABIT_DAYS = 180
# A habit: one kind of merchant, visited so often in the first 180 days.
HABIT_USES = 3


@dataclass(frozen=True)
class Step:
    """A step into habit: the column that says when (or how often), within how many days, and what it needs.

    `least` is the number that the column must reach, where it is a number and not a day.
    """

    id: str
    column: str
    days: int
    source: str
    least: int | None = None


STEPS = (
    Step("activated_30", "activated_on", 30, "card.activated_on"),
    Step("activated_60", "activated_on", 60, "card.activated_on"),
    Step("activated_90", "activated_on", 90, "card.activated_on"),
    Step("first_use_30", "bought_on", 30, "transaction"),
    Step("first_use_90", "bought_on", 90, "transaction"),
    Step("wallet_90", "wallet_on", 90, "transaction.wallet"),
    Step("habit_2", "habits", HABIT_DAYS, "transaction.mcc", 2),
    Step("habit_3", "habits", HABIT_DAYS, "transaction.mcc", 3),
)


def first_days(engine: Engine, book: Book) -> tuple[Grid, list[Figure]]:
    """Rows of month, milestone, opened, numerator, denominator, share, as_of, unit; and each step over all cohorts.

    The cohorts are those of the last twelve months, this month's among them.
    """
    account = book.table("account")
    if account is None or "opened_on" not in account.columns:
        return _not_available(book.as_of, needs("account.opened_on"))
    last = book.as_of.year * 12 + book.as_of.month - 1
    opened = opened_accounts(book)
    young = engine.cached(opened.filter(opened.month > last - COHORTS, opened.month <= last))
    if not engine.count(young):
        return _not_available(book.as_of, needs("account.opened_on"))
    sources = _sources(engine, book)
    known_from = first_day(engine, book) if "transaction" in sources else None
    lives = _lives(engine, book, young, sources)
    counts: dict[str, Any] = {}
    for step in STEPS:
        if step.source in sources:
            counts |= _counted(lives, step, book.as_of, known_from)
    rows = engine.rows(lives.group_by("month").agg(opened=lives.count(), **counts).order_by("month"))
    shown = tuple(_row(row, step, book.as_of) for row in rows for step in STEPS)
    lacking = [step for step in STEPS if step.source not in sources]
    if len(lacking) == len(STEPS):
        return _not_available(book.as_of, needs(*dict.fromkeys(step.source for step in STEPS)))
    return Grid("first_days", shown), [_figure(step, shown, book.as_of, step in lacking) for step in STEPS]


def _not_available(as_of: date, why: Text) -> tuple[Grid, list[Figure]]:
    return Grid("first_days", needs=why), [Figure(step.id, as_of, "account", None, needs=why) for step in STEPS]


def _sources(engine: Engine, book: Book) -> set[str]:
    """Which of the columns that the steps read the bank delivers: a column without any value says nothing."""
    found = set()
    for table, columns in {"card": ["activated_on"], "transaction": ["wallet", "mcc"]}.items():
        rows = book.table(table)
        if rows is None:
            continue
        found.add(table)
        there = [column for column in columns if column in rows.columns]
        if there:
            known = engine.rows(rows.aggregate(**{column: rows[column].count() for column in there}))[0]
            found |= {f"{table}.{column}" for column in there if known[column]}
    return found


def _lives(engine: Engine, book: Book, young: Any, sources: set[str]) -> Any:
    """The young accounts with what happened in their first days.

    has_card, activated_on (the first card), bought_on, wallet_on (the first purchase, and the first by wallet), habits.
    """
    lives = young
    if "card" in sources:
        card = book.table("card")
        cards = card.select(account_id=card.account_id.cast("string"), on=read(card, "activated_on", "date"))
        cards = cards.group_by("account_id").agg(has_card=True, activated_on=cards.on.min())
        lives = _beside(lives, cards)
    if "transaction" in sources:
        bought = engine.cached(_purchases(book, young))
        days = bought.group_by("account_id").agg(
            bought_on=bought.on.min(), wallet_on=bought.on.min(where=bought.wallet.notnull())
        )
        lives = _beside(lives, days)
        early = bought.filter(bought.on <= bought.opened_on + ibis.interval(days=HABIT_DAYS), bought.mcc.notnull())
        uses = early.group_by(["account_id", "mcc"]).agg(uses=early.count())
        kept = uses.filter(uses.uses >= HABIT_USES)
        lives = _beside(lives, kept.group_by("account_id").agg(habits=kept.count()))
    return engine.cached(lives)


def _beside(lives: Any, part: Any) -> Any:
    part = part.rename(_account="account_id")
    return lives.left_join(part, lives.account_id == part._account).drop("_account")


def _purchases(book: Book, young: Any) -> Any:
    """Purchases that the customers of young accounts set off: account_id, opened_on, on, wallet, mcc."""
    transaction = book.table("transaction")
    own = read(transaction, "customer_initiated", "boolean").fill_null(True)
    bought = transaction.filter(transaction.kind == "purchase", own)
    bought = bought.select(
        account_id=bought.account_id.cast("string"),
        on=bought.posted_at.cast("date"),
        wallet=read(bought, "wallet", "string"),
        mcc=read(bought, "mcc", "string"),
    )
    return bought.inner_join(young.select("account_id", "opened_on"), "account_id")


def _counted(lives: Any, step: Step, as_of: date, known_from: date | None) -> dict[str, Any]:
    """How many accounts of the cohorts that are old enough, and how many of these took the step."""
    mature = lives.month <= _last_mature(as_of, step.days)
    if step.source.startswith("card"):
        mature = mature & lives.has_card.fill_null(False)
    else:
        # What lies before the first known day may have been a use.
        mature = mature & (lives.month >= _first_whole(known_from))
    if step.least is None:
        taken = lives[step.column] <= lives.opened_on + ibis.interval(days=step.days)
    else:
        taken = lives[step.column] >= step.least
    return {f"all {step.id}": mature.sum(), f"took {step.id}": (mature & taken.fill_null(False)).sum()}


def _last_mature(as_of: date, days: int) -> int:
    """The last month of opening of which every account has been open for so many days at the end of `as_of`.

    >>> _last_mature(date(2026, 10, 30), 30) - 24320, _last_mature(date(2026, 10, 29), 30) - 24320
    (0, -1)
    """
    return last_whole_month(as_of - timedelta(days=days))


def _first_whole(known_from: date | None) -> int:
    """The first month of opening on each day of which transactions were known.

    >>> [_first_whole(day) - 24320 for day in (date(2026, 9, 1), date(2026, 9, 2))]
    [0, 1]
    """
    day = known_from or date.max
    return day.year * 12 + day.month - 1 + (day.day > 1)


def _row(row: dict[str, Any], step: Step, as_of: date) -> dict[str, Any]:
    whole = row.get(f"all {step.id}") or None
    part = row[f"took {step.id}"] if whole else None
    return {
        "month": month_name(row["month"]),
        "milestone": step.id,
        "opened": row["opened"],
        "numerator": part,
        "denominator": whole,
        "share": part / whole if whole and part is not None else None,
        "as_of": as_of,
        "unit": "account",
    }


def _figure(step: Step, rows: Sequence[dict[str, Any]], as_of: date, lacking: bool) -> Figure:
    """The step over all cohorts that are old enough for it."""
    if lacking:
        return Figure(step.id, as_of, "account", None, needs=needs(step.source))
    whole = sum(row["denominator"] or 0 for row in rows if row["milestone"] == step.id)
    if not whole:
        return Figure(step.id, as_of, "account", None, needs=_too_young(step.days))
    part = sum(row["numerator"] or 0 for row in rows if row["milestone"] == step.id)
    return Figure(step.id, as_of, "account", part, whole)


def _too_young(days: int) -> Text:
    return Text(
        f"不可用：近 {COHORTS} 个月开户的账户中，尚无满 {days} 天且数据齐全的",
        f"not available: of the accounts of the last {COHORTS} months none has been open for {days} days with all data known",
    )
