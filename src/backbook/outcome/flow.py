"""How lateness moves from month to month: net flow and roll.

Net flow is what the worse bucket holds this month over what the better one held the month before,
NF(i→i+1, t) = Bal(i+1, t) / Bal(i, t-1); new spend can carry it beyond 100 %. The roll counts accounts from
bucket to bucket, the new and the gone among them, so that each row adds up.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import ibis

from backbook.engine import Engine
from backbook.outcome.activity import month_name
from backbook.outcome.delinquency import NEEDS_LATENESS, label
from backbook.outcome.figures import Grid, Text
from backbook.outcome.position import WORST_BUCKET, Book, bucket, latest, read

# In the roll: an account whose lateness is not known, and one without a statement in that month.
UNKNOWN, ABSENT = 8, 9

TWO_MONTHS = Text("不可用：需要连续两个月的 `statement`", "not available: needs `statement` of two months in a row")


def statement_months(book: Book, *, at_most: int = 12) -> Any:
    """The last statement of each account in each of the last whole months, and in the one before them:
    account_id, month, bucket, balance.

    Bucket 7 holds 181 to 210 days and 8 what is later still, so that the flow into M7 counts newcomers alone.
    """
    statement = book.table("statement")
    before = _last_month(book.as_of) - at_most
    whole = statement.filter(
        statement.statement_on <= last_whole_month_end(book.as_of),
        statement.statement_on >= date(before // 12, before % 12 + 1, 1),
    )
    days, cycles = read(whole, "days_past_due", "int64"), read(whole, "cycles_past_due", "int64")
    owed = ibis.coalesce(read(whole, "total_balance"), read(whole, "closing_balance"))
    later = ibis.coalesce(days > 30 * WORST_BUCKET, cycles > WORST_BUCKET, False)
    placed = whole.select(
        "account_id",
        "statement_on",
        month=whole.statement_on.year() * 12 + whole.statement_on.month() - 1,
        bucket=ibis.cases((later, WORST_BUCKET + 1), else_=bucket(days, cycles)),
        balance=owed.clip(lower=0),
    )
    return latest(placed, ["account_id", "month"], "statement_on").drop("statement_on")


def last_whole_month_end(as_of: date) -> date:
    """
    >>> last_whole_month_end(date(2026, 10, 31)), last_whole_month_end(date(2026, 3, 30))
    (datetime.date(2026, 10, 31), datetime.date(2026, 2, 28))
    """
    if as_of.day == monthrange(as_of.year, as_of.month)[1]:
        return as_of
    return date.fromordinal(as_of.replace(day=1).toordinal() - 1)


def _last_month(as_of: date) -> int:
    end = last_whole_month_end(as_of)
    return end.year * 12 + end.month - 1


def net_flow(engine: Engine, months: Any, as_of: date, *, at_most: int = 12) -> Grid:
    """Net flow M(i)→M(i+1) in the last months: month, step, from_balance, to_balance, flow."""
    summed = months.group_by(["month", "bucket"]).agg(balance=months.balance.sum())
    found = {(row["month"], row["bucket"]): row["balance"] for row in engine.rows(summed)}
    if not any(number is not None for _, number in found):
        return Grid("net_flow", needs=NEEDS_LATENESS)
    present = {month for month, _ in found}
    last = _last_month(as_of)
    # A month without a statement is not known; it is not a month in which all was paid.
    known = [month for month in range(last - at_most + 1, last + 1) if {month - 1, month} <= present]
    rows = tuple(_flow(found, month, number) for month in known for number in range(WORST_BUCKET))
    return Grid("net_flow", rows, needs=None if rows else TWO_MONTHS)


def _flow(found: Mapping[tuple[int, int], Decimal | None], month: int, number: int) -> dict[str, Any]:
    before = found.get((month - 1, number)) or Decimal(0)
    now = found.get((month, number + 1)) or Decimal(0)
    return {
        "month": month_name(month),
        "step": f"M{number}→M{number + 1}",
        "from_balance": before,
        "to_balance": now,
        "flow": float(now / before) if before else None,
    }


def roll(engine: Engine, months: Any, as_of: date) -> Grid:
    """Accounts from bucket to bucket between the last two months: from, to, accounts, share of `from`.

    `?` is a lateness that is not known, `-` no statement: not there yet, or gone.
    """
    last = _last_month(as_of)
    then = months.filter(months.month == last - 1).select(before_id="account_id", before_bucket="bucket")
    now = months.filter(months.month == last).select(after_id="account_id", after_bucket="bucket")
    pairs = then.outer_join(now, then.before_id == now.after_id)
    moved = pairs.select(
        before=_place(pairs.before_id, pairs.before_bucket), after=_place(pairs.after_id, pairs.after_bucket)
    )
    counted = engine.rows(moved.group_by(["before", "after"]).agg(accounts=moved.count()).order_by(["before", "after"]))
    totals: dict[int, int] = {}
    for row in counted:
        totals[row["before"]] = totals.get(row["before"], 0) + row["accounts"]
    if set(totals) <= {ABSENT} or all(row["after"] == ABSENT for row in counted):
        return Grid("roll", needs=TWO_MONTHS)
    return Grid("roll", tuple(_rolled(row, totals[row["before"]]) for row in counted))


def _rolled(row: Mapping[str, int], total: int) -> dict[str, Any]:
    return {
        "from": _place_name(row["before"]),
        "to": _place_name(row["after"]),
        "accounts": row["accounts"],
        "share": row["accounts"] / total,
    }


def _place(account: Any, number: Any) -> Any:
    """M0 to M7+ as 0 to 7, then not known, then no statement."""
    return ibis.cases((account.isnull(), ABSENT), (number.isnull(), UNKNOWN), else_=number.clip(upper=WORST_BUCKET))


def _place_name(number: int) -> str:
    return {UNKNOWN: "?", ABSENT: "-"}.get(number) or label(number)
