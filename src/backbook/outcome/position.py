"""Where each account stands at the end of one day.

One row per account: open or not, what it owes, its limit, how late it is. What the profile holds wins, so that
the report and the strategies read the same value; then the last end-of-day balance, the account itself and its
last statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import ibis

MONEY = "decimal(18, 2)"

# DOMAIN: M0 is 0 days, M1 1-30, ... M6 151-180, M7+ beyond; a month of delay counts 30 days.
WORST_BUCKET = 7
BUCKETS = tuple(range(WORST_BUCKET + 1))


@dataclass(frozen=True)
class Book:
    """What was known of the book at the end of one day.

    `tables` are contract tables by name as known at `as_of`; `accounts` and `customers` are the two profiles;
    `first_days` says when windows over a table begin to be known. Everything but one of `accounts` and
    `tables["account"]` may be absent.
    """

    as_of: date
    tables: Mapping[str, Any] = field(default_factory=dict)
    accounts: Any = None
    customers: Any = None
    first_days: Mapping[str, date] = field(default_factory=dict)

    def table(self, name: str) -> Any:
        """The table, or None where the book has none."""
        return self.tables.get(name)


def read(table: Any, name: str, type: str = MONEY) -> Any:
    """A column of the type, null where the table has no such column."""
    if table is None or name not in table.columns:
        # Wrapped, because `==` with a bare null literal asks Python and not the engine.
        return ibis.coalesce(ibis.null(type))
    return table[name].cast(type)


def latest(table: Any, by: Sequence[str], on: str) -> Any:
    """The last row of each `by`; rows are unique by `by` and `on`.

    A join with the last days takes a quarter of the time of numbering the rows.
    """
    last = table.group_by(list(by)).agg(**{on: table[on].max()})
    return table.semi_join(last, [*by, on])


def bucket(days_past_due: Any, cycles_past_due: Any) -> Any:
    """M0 to M7+ as 0 to 7, by days where they are known, else by cycles; null where neither is."""
    by_days = ibis.cases((days_past_due <= 0, 0), else_=((days_past_due + 29) // 30).clip(upper=WORST_BUCKET))
    by_cycles = cycles_past_due.clip(lower=0, upper=WORST_BUCKET)
    return ibis.coalesce(by_days.cast("int64"), by_cycles.cast("int64"))


def position(book: Book) -> Any:
    """One row per account of the book.

    account_id, customer_id, product_id, branch, line_id, is_open, in_book, total_balance, credit_limit, bucket,
    bucket_by; of the last statement billed_balance, revolving_balance, instalment_balance.
    `in_book`: open, or closed and still owing; what was written off has left the book.
    """
    known = _places(book)
    days = ibis.coalesce(known.profile_days, known.daily_days, known.own_days, known.statement_days)
    cycles = ibis.coalesce(known.profile_cycles, known.daily_cycles, known.own_cycles, known.statement_cycles)
    balance = ibis.coalesce(
        known.profile_balance, known.daily_balance, known.own_balance, known.statement_balance, known.statement_closing
    )
    placed = known.select(
        "account_id",
        "customer_id",
        "product_id",
        "line_id",
        "system",
        "party_id",
        "is_open",
        in_book=known.is_open | (~known.is_written_off & (balance > 0)).fill_null(False),
        total_balance=balance,
        credit_limit=ibis.coalesce(known.profile_limit, known.own_limit, known.statement_limit),
        bucket=bucket(days, cycles),
        billed_balance=known.statement_balance.clip(lower=0),
        revolving_balance=known.statement_revolving,
        instalment_balance=known.statement_instalment,
        bucket_by=ibis.cases((days.notnull(), "days"), (cycles.notnull(), "cycles")),
    )
    return _with_branch(placed, book).drop("system", "party_id")


def _places(book: Book) -> Any:
    """Every place that says where an account stands, side by side."""
    late = {"days": ("days_past_due", "int64"), "cycles": ("cycles_past_due", "int64")}
    owed = {"balance": ("total_balance", MONEY)}
    limit = {"limit": ("credit_limit", MONEY)}
    billed = {name: (f"{name}_balance", MONEY) for name in ("closing", "revolving", "instalment")}
    statement, balance = book.table("statement"), book.table("balance")
    statement = None if statement is None else latest(statement, ["account_id"], "statement_on")
    balance = None if balance is None else latest(balance, ["account_id"], "on")
    accounts = _base(book)
    accounts = _beside(
        accounts, book.accounts, "profile", {"owner": ("customer_id", "string"), **owed, **limit, **late}
    )
    accounts = _beside(accounts, balance, "daily", {**owed, **late})
    accounts = _beside(accounts, statement, "statement", {**owed, **billed, **limit, **late})
    return accounts.rename(customer_id="profile_owner")


def _beside(accounts: Any, table: Any, source: str, columns: Mapping[str, tuple[str, str]]) -> Any:
    """The accounts with columns of another table beside them, named after it; null without the table."""
    if table is None:
        return accounts.mutate(**{f"{source}_{name}": read(None, name, type) for name, (_, type) in columns.items()})
    values = {f"{source}_{name}": read(table, column, type) for name, (column, type) in columns.items()}
    found = table.select(_account=table.account_id.cast("string"), **values)
    return accounts.left_join(found, accounts.account_id == found._account).drop("_account")


def _base(book: Book) -> Any:
    """The accounts themselves, from their table, else from the profile."""
    account = book.table("account")
    table = account if account is not None else book.accounts
    if table is None:
        raise ValueError("A report needs the account table or the account profile.")
    closed = (read(table, "closed_on", "date") <= book.as_of).fill_null(False)
    accounts = table.select(
        account_id=table.account_id.cast("string"),
        system=read(table, "system", "string"),
        party_id=read(table, "party_id", "string"),
        product_id=read(table, "product_id", "string"),
        line_id=read(table, "line_id", "string"),
        is_closed=closed,
        own_balance=read(table, "balance"),
        own_limit=read(table, "credit_limit"),
        own_days=read(table, "days_past_due", "int64"),
        own_cycles=read(table, "cycles_past_due", "int64"),
    )
    return _with_loss(accounts, book)


def _with_loss(accounts: Any, book: Book) -> Any:
    """`is_written_off` by the marks of the accounts, and `is_open`."""
    mark = book.table("mark")
    if mark is None or "account_id" not in mark.columns:
        return accounts.mutate(is_written_off=ibis.literal(False), is_open=~accounts.is_closed)
    in_force = (mark.since <= book.as_of) & (read(mark, "until", "date") > book.as_of).fill_null(True)
    lost = mark.filter(mark.kind == "written_off", mark.account_id.notnull(), in_force)
    lost = lost.select(_lost=lost.account_id.cast("string")).distinct()
    joined = accounts.left_join(lost, accounts.account_id == lost._lost)
    written_off = joined._lost.notnull()
    return joined.mutate(is_written_off=written_off, is_open=~joined.is_closed & ~written_off).drop("_lost")


def _with_branch(accounts: Any, book: Book) -> Any:
    assignment = book.table("assignment")
    if assignment is None:
        return accounts.mutate(branch=ibis.null("string"))
    inside = (assignment.since <= book.as_of) & (read(assignment, "until", "date") > book.as_of).fill_null(True)
    now = assignment.filter(inside)
    now = now.select(owner=now.system.cast("string") + ibis.literal("\x1f") + now.party_id.cast("string"),
                     branch=read(now, "branch", "string"), since=now.since)  # fmt: skip
    # Two that begin on the same day are one too many: the first by name counts.
    now = latest(now, ["owner"], "since")
    now = now.group_by("owner").agg(branch=now.branch.min())
    owner = accounts.system + ibis.literal("\x1f") + accounts.party_id
    return accounts.left_join(now, owner == now.owner).drop("owner")
