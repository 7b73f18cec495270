"""Vintages: how the accounts opened in one month go bad as they age, and how many do not pay their very first bill.

`cum bad(v, mob) = accounts of v that were ever late by mob / accounts opened in v`. Months on book are calendar
months after the month of opening, so that every account of a vintage has been seen for as long as the others, and
only months that are over count. What was opened before statements are known was not seen from its first bill: it is
left out, and so are accounts that Backbook made, which have no day of opening.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis

from backbook.engine import Engine
from backbook.outcome.activity import month_name
from backbook.outcome.delinquency import LATE, NEEDS_LATENESS
from backbook.outcome.figures import Figure, Grid, Text, needs
from backbook.outcome.flow import charged_off, last_whole_month, month_of
from backbook.outcome.position import Book, bucket, read

# A rate of fewer accounts jumps by more than three points with each of them.
SMALL_VINTAGE = 30
MOST_MONTHS = 36
# Ever past due by more than 30 and by more than 90 days.
EVER = {30: LATE["dpd_over_30"], 90: LATE["dpd_over_90"]}
# The ages at which the table shows a vintage.
AGES = {30: (3, 6, 12), 90: (6, 12, 18, 24)}


@dataclass(frozen=True)
class Vintage:
    """Months of opening that are followed as one, and the ages at which all of them have been seen."""

    name: str
    months: tuple[int, ...]
    opened: int
    age: int


def vintages(engine: Engine, book: Book) -> tuple[list[Grid], Figure]:
    """The curves and the table of the vintages, and first payment default over all of them.

    - `vintage`: vintage, opened, mob, ever_30, ever_90, share_30, share_90.
    - `vintage_table`: vintage, opened, mob (the last one seen), due, missed, fpd, and the shares at the ages of `AGES`.
    """
    missing = [name for name in ("account", "statement") if book.table(name) is None]
    account = book.table("account")
    if not missing and "opened_on" not in account.columns:
        missing = ["account.opened_on"]
    if missing:
        return _not_available(book.as_of, needs(*missing))
    opened = engine.cached(opened_accounts(book))
    counted = engine.rows(opened.group_by("month").agg(accounts=opened.count()))
    by_month = {row["month"]: row["accounts"] for row in counted if row["month"] is not None}
    made = sum(row["accounts"] for row in counted if row["month"] is None)
    if not by_month:
        return _not_available(book.as_of, needs("account.opened_on"))
    last = last_whole_month(book.as_of)
    first = _first_month(engine, book)
    seen = {m: n for m, n in by_month.items() if first is not None and max(first, last - MOST_MONTHS + 1) <= m <= last}
    found = followed(seen, last)
    if not found:
        return _not_available(book.as_of, _seen_too_late(first))
    went = _went_late(engine, book, opened)
    if went is None:
        return _not_available(book.as_of, NEEDS_LATENESS)
    note = _note(made, sum(seen.values()) - sum(each.opened for each in found), first, by_month)
    bills = _first_bills(engine, book, opened)
    curves = tuple(row for vintage in found for row in _curve(vintage, went))
    table = tuple(_summary(vintage, curves, bills) for vintage in found)
    return [Grid("vintage", curves, note=note), Grid("vintage_table", table, note=note)], _fpd(book.as_of, table)


def _not_available(as_of: date, why: Text) -> tuple[list[Grid], Figure]:
    return [Grid("vintage", needs=why), Grid("vintage_table", needs=why)], Figure(
        "fpd", as_of, "account", None, needs=why
    )


def _seen_too_late(first: int | None) -> Text:
    since = "-" if first is None else month_name(first)
    return Text(
        f"不可用：需要某季度至少 {SMALL_VINTAGE} 个账户自开户起的 `statement`，现有数据自 {since} 起",
        f"not available: needs `statement` from the opening of at least {SMALL_VINTAGE} accounts of a quarter; it begins in {since}",
    )


def opened_accounts(book: Book) -> Any:
    """The accounts with the day and the month in which they were opened; null for those that Backbook made."""
    account = book.table("account")
    made = read(account, "is_made", "boolean").fill_null(False)
    opened_on = made.ifelse(ibis.null("date"), read(account, "opened_on", "date"))
    dated = account.select(account_id=account.account_id.cast("string"), opened_on=opened_on)
    dated = dated.mutate(month=month_of(dated.opened_on))
    return dated.filter((dated.opened_on <= book.as_of).fill_null(True))


def _first_month(engine: Engine, book: Book) -> int | None:
    """The month from which statements are known."""
    statement = book.table("statement")
    day = (
        book.first_days.get("statement") or engine.rows(statement.aggregate(day=statement.statement_on.min()))[0]["day"]
    )
    return None if day is None else day.year * 12 + day.month - 1


def followed(opened: Mapping[int, int], last: int) -> list[Vintage]:
    """Each month alone where all months of its quarter are large enough, else the quarter, else not at all.

    >>> [(each.name, each.opened, each.age) for each in followed({24300: 30, 24301: 29, 24303: 40, 24306: 9}, 24310)]
    [('2025-Q1', 59, 9), ('2025-04', 40, 7)]
    """
    found = []
    for quarter in sorted({month // 3 for month in opened}):
        months = tuple(month for month in range(3 * quarter, 3 * quarter + 3) if opened.get(month))
        if all(opened[month] >= SMALL_VINTAGE for month in months):
            found += [Vintage(month_name(month), (month,), opened[month], last - month) for month in months]
        elif sum(opened[month] for month in months) >= SMALL_VINTAGE:
            name = f"{quarter // 4:04d}-Q{quarter % 4 + 1}"
            # The youngest month of the quarter says how far all of it has been seen.
            found.append(Vintage(name, months, sum(opened[month] for month in months), last - months[-1]))
    return found


def _went_late(engine: Engine, book: Book, opened: Any) -> dict[int, dict[tuple[int, int], int]] | None:
    """By lateness, then by month of opening and month on book: the accounts that were so late for the first time.

    A charge-off counts as late as can be. None where no lateness is known.
    """
    statement = book.table("statement")
    days, cycles = read(statement, "days_past_due", "int64"), read(statement, "cycles_past_due", "int64")
    placed = statement.select(
        account_id=statement.account_id.cast("string"), on=statement.statement_on, bucket=bucket(days, cycles)
    )
    placed = placed.filter(placed.bucket.notnull())
    if not engine.count(placed.limit(1)):
        return None
    late = placed.select("account_id", "bucket", month=month_of(placed.on))
    lost = charged_off(book)
    if lost is not None:
        worst = ibis.literal(max(EVER.values()), "int64")
        late = late.union(lost.select("account_id", bucket=worst, month=month_of(lost.charged_off_on)))
    return {days: _first_times(engine, opened, late.filter(late.bucket >= least)) for days, least in EVER.items()}


def _first_times(engine: Engine, opened: Any, late: Any) -> dict[tuple[int, int], int]:
    first = late.group_by("account_id").agg(late_month=late.month.min())
    both = opened.filter(opened.month.notnull()).inner_join(first, "account_id")
    mob = (both.late_month - both.month).clip(lower=0)
    counted = engine.rows(both.group_by(month=both.month, mob=mob).agg(accounts=both.count()))
    return {(row["month"], row["mob"]): row["accounts"] for row in counted}


def _curve(vintage: Vintage, went: Mapping[int, Mapping[tuple[int, int], int]]) -> Iterable[dict[str, Any]]:
    ever = dict.fromkeys(went, 0)
    for mob in range(vintage.age + 1):
        for days, times in went.items():
            ever[days] += sum(times.get((month, mob), 0) for month in vintage.months)
        yield {
            "vintage": vintage.name,
            "opened": vintage.opened,
            "mob": mob,
            **{f"ever_{days}": number for days, number in ever.items()},
            **{f"share_{days}": number / vintage.opened for days, number in ever.items()},
        }


def _first_bills(engine: Engine, book: Book, opened: Any) -> dict[int, tuple[int, int]]:
    """By month of opening: accounts whose first bill with a minimum fell due, and those that did not pay it by then."""
    statement = book.table("statement")
    bill = statement.select(
        account_id=statement.account_id.cast("string"),
        on=statement.statement_on,
        due_on=read(statement, "due_on", "date"),
        minimum=read(statement, "minimum_due"),
        paid=read(statement, "paid_by_due"),
    )
    bill = bill.filter(bill.minimum > 0)
    first = bill.group_by("account_id").agg(on=bill.on.min())
    bill = bill.semi_join(first, ["account_id", "on"])
    due = bill.filter(bill.due_on <= book.as_of, bill.paid.notnull()).inner_join(opened, "account_id")
    counted = due.group_by("month").agg(due=due.count(), missed=(due.paid < due.minimum).sum())
    return {row["month"]: (row["due"], row["missed"]) for row in engine.rows(counted)}


def _summary(
    vintage: Vintage, curves: Sequence[Mapping[str, Any]], bills: Mapping[int, tuple[int, int]]
) -> dict[str, Any]:
    curve = [row for row in curves if row["vintage"] == vintage.name]
    due, missed = (sum(bills.get(month, (0, 0))[place] for month in vintage.months) for place in (0, 1))
    ages = {
        f"late_{days}_at_{age}": curve[age][f"share_{days}"] if age < len(curve) else None
        for days, shown in AGES.items()
        for age in shown
    }
    return {
        "vintage": vintage.name,
        "opened": vintage.opened,
        "mob": vintage.age,
        "due": due or None,
        "missed": missed if due else None,
        "fpd": missed / due if due else None,
        **ages,
    }


def _fpd(as_of: date, table: Sequence[Mapping[str, Any]]) -> Figure:
    due = sum(row["due"] or 0 for row in table)
    if not due:
        why = needs("statement.due_on", "statement.minimum_due", "statement.paid_by_due")
        return Figure("fpd", as_of, "account", None, needs=why)
    return Figure("fpd", as_of, "account", sum(row["missed"] or 0 for row in table), due)


def _note(made: int, small: int, first: int | None, by_month: Mapping[int, int]) -> Text | None:
    """What is not drawn, and why."""
    zh, en = [], []
    before = sum(accounts for month, accounts in by_month.items() if first is not None and month < first)
    if before:
        since = month_name(first or 0)
        zh.append(f"{before:,} 个账户在账单数据开始（{since}）之前开户，未计入。")
        en.append(f"{before:,} accounts were opened before statements begin ({since}) and are left out.")
    if small:
        zh.append(f"{small:,} 个账户所在季度开户不足 {SMALL_VINTAGE} 户，不画。")
        en.append(f"{small:,} accounts of quarters with fewer than {SMALL_VINTAGE} are not drawn.")
    if made:
        zh.append(f"{made:,} 个账户没有开户日期（系统代建或未提供），未计入。")
        en.append(f"{made:,} accounts have no day of opening (made by Backbook, or not delivered) and are left out.")
    return Text("".join(zh), " ".join(en)) if zh else None
