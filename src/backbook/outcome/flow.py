"""How lateness moves from month to month: net flow and roll.

Net flow is what the worse bucket holds this month over what the better one held the month before,
NF(i→i+1, t) = Bal(i+1, t) / Bal(i, t-1); new spend can carry it beyond 100 %. All seven flows of a month in a row
are the chain loss: what of the balance that is not late would end beyond 180 days. The roll counts accounts from
bucket to bucket, what was paid off, closed and charged off, the new and the gone among them, so that each row adds up.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from math import prod
from typing import Any

import ibis

from backbook.engine import Engine
from backbook.outcome.activity import month_name
from backbook.outcome.delinquency import NEEDS_LATENESS, label
from backbook.outcome.figures import Figure, Grid, Text
from backbook.outcome.position import WORST_BUCKET, Book, bucket, latest, read

# In the roll, behind the buckets: nothing is owed, closed, charged off, lateness not known, no statement in that month.
PAID_OFF, CLOSED, CHARGED_OFF, UNKNOWN, ABSENT = range(WORST_BUCKET + 1, WORST_BUCKET + 6)
PLACES = {PAID_OFF: "paid_off", CLOSED: "closed", CHARGED_OFF: "charged_off", UNKNOWN: "?", ABSENT: "-"}

EMPTY_BUCKET = Text(
    "不可用：有一档上月没有余额，净迁徙率未知",
    "not available: a bucket was empty a month before, so its flow is not known",
)
NOBODY_LATE = Text("上月无人逾期。", "Nobody was late a month before.")
TWO_MONTHS = Text("不可用：需要连续两个月的 `statement`", "not available: needs `statement` of two months in a row")


def statement_months(book: Book, *, at_most: int = 12) -> Any:
    """The last statement of each account in each of the last whole months, and in the one before them:
    account_id, month, bucket, balance.

    Bucket 7 holds 181 to 210 days and 8 what is later still, so that the flow into M7 counts newcomers alone.
    """
    statement = book.table("statement")
    before = last_whole_month(book.as_of) - at_most
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
        month=month_of(whole.statement_on),
        bucket=ibis.cases((later, WORST_BUCKET + 1), else_=bucket(days, cycles)),
        balance=owed.clip(lower=0),
    )
    return latest(placed, ["account_id", "month"], "statement_on").drop("statement_on")


def ends(book: Book) -> Any:
    """When accounts came to their end: account_id, closed_month, charged_off_month; null where they did not."""
    account = book.table("account") if book.table("account") is not None else book.accounts
    closed = account.select(
        account_id=account.account_id.cast("string"), closed_month=month_of(read(account, "closed_on", "date"))
    )
    lost = charged_off(book)
    if lost is None:
        return closed.mutate(charged_off_month=ibis.null("int64"))
    lost = lost.select(_lost=lost.account_id, charged_off_month=month_of(lost.charged_off_on))
    return closed.left_join(lost, closed.account_id == lost._lost).drop("_lost")


def charged_off(book: Book) -> Any:
    """The accounts under a mark of charge-off, since when: account_id, charged_off_on; None without such marks."""
    mark = book.table("mark")
    if mark is None or "account_id" not in mark.columns:
        return None
    in_force = (read(mark, "until", "date") > book.as_of).fill_null(True)
    lost = mark.filter(mark.kind == "written_off", mark.account_id.notnull(), in_force, mark.since <= book.as_of)
    return lost.group_by(account_id=lost.account_id.cast("string")).agg(charged_off_on=lost.since.min())


def month_of(day: Any) -> Any:
    """Months since the year 0, so that months can be counted."""
    return (day.year() * 12 + day.month() - 1).cast("int64")


def last_whole_month_end(as_of: date) -> date:
    """
    >>> last_whole_month_end(date(2026, 10, 31)), last_whole_month_end(date(2026, 3, 30))
    (datetime.date(2026, 10, 31), datetime.date(2026, 2, 28))
    """
    if as_of.day == monthrange(as_of.year, as_of.month)[1]:
        return as_of
    return date.fromordinal(as_of.replace(day=1).toordinal() - 1)


def last_whole_month(as_of: date) -> int:
    """The number of the last month that is over at the end of `as_of` (see `month_of`)."""
    end = last_whole_month_end(as_of)
    return end.year * 12 + end.month - 1


def net_flow(engine: Engine, months: Any, as_of: date, *, ended: Any = None, at_most: int = 12) -> Grid:
    """Net flow M(i)→M(i+1) in the last months: month, step, from_balance, to_balance, flow.

    With `ended` (see `ends`) what was charged off out of M6 flows on with the balance that it had: a bank that
    charges off at 180 days would else lose nothing.
    """
    summed = months.group_by(["month", "bucket"]).agg(balance=months.balance.sum())
    found = {(row["month"], row["bucket"]): row["balance"] for row in engine.rows(summed)}
    if not any(number is not None for _, number in found):
        return Grid("net_flow", needs=NEEDS_LATENESS)
    present = {month for month, _ in found}
    last = last_whole_month(as_of)
    # A month without a statement is not known; it is not a month in which all was paid.
    known = [month for month in range(last - at_most + 1, last + 1) if {month - 1, month} <= present]
    for month, balance in _charged_off_from_m6(engine, months, ended).items():
        found[month, WORST_BUCKET] = (found.get((month, WORST_BUCKET)) or Decimal(0)) + balance
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


def _charged_off_from_m6(engine: Engine, months: Any, ended: Any) -> dict[int, Decimal]:
    """By month of charge-off, the last balance of those that stood in M6 a month before and have no bill any more."""
    if ended is None:
        return {}
    lost = ended.filter(ended.charged_off_month.notnull()).select("account_id", month=ended.charged_off_month)
    gone = lost.anti_join(months, ["account_id", "month"])
    stood = months.filter(months.bucket == WORST_BUCKET - 1)
    stood = stood.select("account_id", month=stood.month + 1, balance=stood.balance)
    both = stood.semi_join(gone, ["account_id", "month"])
    summed = engine.rows(both.group_by("month").agg(balance=both.balance.sum()))
    return {row["month"]: row["balance"] for row in summed if row["balance"] is not None}


def chain_loss(flows: Grid) -> Grid:
    """Π NF(M0→M1 … M6→M7) of each month: month, balance in M0 a month before, loss of it, share; null with a flow unknown."""
    if flows.needs:
        return Grid("chain_loss", needs=flows.needs)
    found = []
    for month in dict.fromkeys(row["month"] for row in flows):
        steps = [row for row in flows if row["month"] == month]
        share = None if any(row["flow"] is None for row in steps) else prod(row["flow"] for row in steps)
        balance = steps[0]["from_balance"]
        loss = None if share is None else float(balance) * share
        found.append({"month": month, "balance": balance, "loss": loss, "share": share})
    return Grid("chain_loss", tuple(found))


def chain_figure(chain: Grid, as_of: date) -> Figure:
    """The chain loss of the last month: of the balance that was not late, what would reach M7 at these flows."""
    row = chain.rows[-1] if chain else None
    if row is None or row["share"] is None:
        return Figure("chain_loss", as_of, "balance", None, needs=chain.needs or EMPTY_BUCKET)
    return Figure("chain_loss", as_of, "balance", row["loss"], row["balance"])


def roll(engine: Engine, months: Any, as_of: date, *, ended: Any = None) -> Grid:
    """Accounts from bucket to bucket between the last two months: from, to, accounts, share and balance of `from`.

    Beside the buckets: `paid_off` owes nothing, `closed`, `charged_off` (both need `ended`, see `ends`), `?` is a
    lateness that is not known, `-` no statement: not there yet, or gone.
    """
    last = last_whole_month(as_of)
    pairs = _sides(months, last, ended)
    placed = pairs.select(
        before=_place(pairs, "before", last - 1), after=_place(pairs, "after", last), balance=pairs.before_balance
    )
    moved = placed.filter((placed.before != ABSENT) | (placed.after != ABSENT))
    counted = engine.rows(
        moved.group_by(["before", "after"])
        .agg(accounts=moved.count(), balance=moved.balance.sum())
        .order_by(["before", "after"])
    )
    totals: dict[int, int] = {}
    for row in counted:
        totals[row["before"]] = totals.get(row["before"], 0) + row["accounts"]
    unbilled = {ABSENT, CLOSED, CHARGED_OFF}
    if set(totals) <= unbilled or {row["after"] for row in counted} <= unbilled:
        return Grid("roll", needs=TWO_MONTHS)
    return Grid("roll", tuple(_rolled(row, totals[row["before"]]) for row in counted))


def _sides(months: Any, last: int, ended: Any) -> Any:
    """Every account with its last bill of both months beside each other, and its end where it has one."""
    sides = {}
    for side, month in (("before", last - 1), ("after", last)):
        here = months.filter(months.month == month)
        sides[side] = here.select(**{f"{side}_{name}": here[of] for name, of in SIDE.items()})
    then, now = sides["before"], sides["after"]
    pairs = then.outer_join(now, then.before_id == now.after_id)
    if ended is None:
        return pairs.mutate(closed_month=ibis.null("int64"), charged_off_month=ibis.null("int64"))
    over = ended.filter(ended.closed_month.notnull() | ended.charged_off_month.notnull())
    pairs = pairs.mutate(_id=ibis.coalesce(pairs.before_id, pairs.after_id))
    return pairs.outer_join(over, pairs._id == over.account_id)


SIDE = {"id": "account_id", "bucket": "bucket", "balance": "balance"}


def _rolled(row: Mapping[str, Any], total: int) -> dict[str, Any]:
    return {
        "from": _place_name(row["before"]),
        "to": _place_name(row["after"]),
        "accounts": row["accounts"],
        "share": row["accounts"] / total,
        "balance": row["balance"] or Decimal(0),
    }


def _place(pairs: Any, side: str, month: int) -> Any:
    """Where an account stands in the month of that side. Who is late is so whether closed or not."""
    bill, number, balance = pairs[f"{side}_id"], pairs[f"{side}_bucket"], pairs[f"{side}_balance"]
    return ibis.cases(
        ((pairs.charged_off_month <= month).fill_null(False), CHARGED_OFF),
        ((number > 0).fill_null(False), number.clip(upper=WORST_BUCKET)),
        ((pairs.closed_month <= month).fill_null(False), CLOSED),
        (bill.isnull(), ABSENT),
        ((balance <= 0).fill_null(False), PAID_OFF),
        (number.isnull(), UNKNOWN),
        else_=number,
    )


def _place_name(number: int) -> str:
    return PLACES.get(number) or label(number)


def cure(rolled: Grid) -> Grid:
    """What became of those who were late: bucket, accounts, cured (in a better bucket or paid off), stayed, worse
    (charged off among them), other (closed, no bill, not known); share cured of accounts and of balance.
    """
    if rolled.needs:
        return Grid("cure", needs=rolled.needs)
    return Grid("cure", tuple(row for number in range(1, WORST_BUCKET + 1) if (row := _cured(rolled, number))))


def _cured(rolled: Grid, number: int) -> dict[str, Any] | None:
    rows = [row for row in rolled if row["from"] == label(number)]
    better = {*(label(at) for at in range(number)), PLACES[PAID_OFF]}
    worse = {*(label(at) for at in range(number + 1, WORST_BUCKET + 1)), PLACES[CHARGED_OFF]}
    accounts, balance = sum(row["accounts"] for row in rows), sum(row["balance"] for row in rows)
    if not accounts:
        return None
    cured = [row for row in rows if row["to"] in better]
    counts = {
        "cured": sum(row["accounts"] for row in cured),
        "stayed": sum(row["accounts"] for row in rows if row["to"] == label(number)),
        "worse": sum(row["accounts"] for row in rows if row["to"] in worse),
    }
    cured_balance = sum(row["balance"] for row in cured)
    return {
        "bucket": label(number),
        "accounts": accounts,
        **counts,
        "other": accounts - sum(counts.values()),
        "cure_share": counts["cured"] / accounts,
        "balance": balance,
        "cured_balance": cured_balance,
        "cure_balance_share": float(cured_balance) / float(balance) if balance else None,
    }


def cure_figures(cured: Grid, as_of: date) -> list[Figure]:
    """Of all that was late a month before, what is in a better bucket or paid off: of accounts and of balance."""
    columns = {"account": ("cured", "accounts"), "balance": ("cured_balance", "balance")}
    if not cured:
        return [Figure(f"cure_{unit}", as_of, unit, None, needs=cured.needs or NOBODY_LATE) for unit in columns]
    return [
        Figure(f"cure_{unit}", as_of, unit, sum(row[part] for row in cured), sum(row[whole] for row in cured))
        for unit, (part, whole) in columns.items()
    ]
