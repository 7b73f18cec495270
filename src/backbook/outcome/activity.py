"""Who uses the card, and how much is spent.

Only what the customer set off counts as use: fees, interest, refunds and postings of the bank wake nobody.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import ibis

from backbook.engine import Engine
from backbook.outcome.figures import Figure, Grid, Text, needs
from backbook.outcome.position import Book, read

ACTIVE_DAYS = (30, 90)

# Use, where the bank does not say `customer_initiated`.
USE_KINDS = ("purchase", "cash_advance")


def last_use(book: Book) -> Any:
    """The last day of use by account and card: account_id, card_id (null: the bank does not say), used_on."""
    transaction = book.table("transaction")
    by_kind = transaction.kind.isin(USE_KINDS).fill_null(False)
    used = transaction.filter(ibis.coalesce(read(transaction, "customer_initiated", "boolean"), by_kind))
    used = used.select(
        account_id=used.account_id.cast("string"),
        card_id=read(used, "card_id", "string"),
        used_on=used.posted_at.cast("date"),
    )
    return used.group_by(["account_id", "card_id"]).agg(used_on=used.used_on.max())


def first_day(engine: Engine, book: Book) -> date | None:
    """The day from which transactions are known."""
    if "transaction" in book.first_days:
        return book.first_days["transaction"]
    transaction = book.table("transaction")
    day: date | None = engine.rows(transaction.aggregate(day=transaction.posted_at.min().cast("date")))[0]["day"]
    return day


def active_accounts(
    engine: Engine, accounts: Any, uses: Any, as_of: date, *, known_from: date | None = None
) -> list[Figure]:
    """Open accounts with at least one use in (`as_of` - 30, `as_of`], and in 90 days."""
    if uses is None:
        return [Figure(f"active_{days}d", as_of, "account", None, needs=needs("transaction")) for days in ACTIVE_DAYS]
    last = uses.group_by("account_id").agg(used_on=uses.used_on.max())
    joined = accounts.filter(accounts.is_open).left_join(last, "account_id")
    counts = {f"active_{days}d": (joined.used_on > as_of - timedelta(days=days)).sum() for days in ACTIVE_DAYS}
    row = engine.rows(joined.aggregate(accounts=joined.count(), **counts))[0]
    return [_active(row, days, as_of, known_from) for days in ACTIVE_DAYS]


def _active(row: dict[str, Any], days: int, as_of: date, known_from: date | None) -> Figure:
    id = f"active_{days}d"
    if known_from is None or known_from > as_of - timedelta(days=days - 1):
        return Figure(id, as_of, "account", None, needs=begins_late(f"{days} 天", f"{days} days", known_from))
    return Figure(id, as_of, "account", row[id] or 0, row["accounts"])


def begins_late(zh: str, en: str, known_from: date | None) -> Text:
    """Too little history, and how much there is."""
    since = known_from.isoformat() if known_from else "-"
    return Text(
        f"不可用：需要 {zh}的 `transaction`，现有数据自 {since} 起",
        f"not available: needs {en} of `transaction`, which begins on {since}",
    )


def spend_by_month(engine: Engine, book: Book, *, at_most: int = 12) -> Grid:
    """Purchases posted in each of the last calendar months: month, transactions, amount."""
    transaction = book.table("transaction")
    if transaction is None:
        return Grid("spend", needs=needs("transaction"))
    last = book.as_of.year * 12 + book.as_of.month - 1
    bought = transaction.filter(transaction.kind == "purchase")
    bought = bought.mutate(month=bought.posted_at.year() * 12 + bought.posted_at.month() - 1)
    bought = bought.filter(bought.month > last - at_most, bought.month <= last)
    summed = bought.group_by("month").agg(transactions=bought.count(), amount=bought.amount.sum())
    rows = engine.rows(summed.order_by("month"))
    return Grid("spend", tuple({**row, "month": month_name(row["month"])} for row in rows))


def month_name(number: int) -> str:
    """
    >>> month_name(2026 * 12 + 9)
    '2026-10'
    """
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
