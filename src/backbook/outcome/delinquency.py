"""How late the book pays today, by bucket.

A bucket is a month of delay: M0 is not late, M1 is 1 to 30 days past due, M7+ is beyond 180.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from backbook.engine import Engine
from backbook.outcome.figures import Figure, Grid, Text, needs
from backbook.outcome.position import BUCKETS, WORST_BUCKET

# Past due by more than 30, 90 and 180 days means in M2+, M4+ and M7+.
LATE = {"dpd_over_30": 2, "dpd_over_90": 4, "dpd_over_180": 7}

NEEDS_LATENESS = needs("days_past_due", "cycles_past_due")


def label(number: int | None) -> str:
    """
    >>> label(1), label(7), label(None)
    ('M1', 'M7+', '?')
    """
    if number is None:
        return "?"
    return f"M{number}+" if number == WORST_BUCKET else f"M{number}"


def buckets(engine: Engine, accounts: Any) -> Grid:
    """Accounts and what they owe by bucket, those of unknown lateness in a row of their own."""
    inside = accounts.filter(accounts.in_book)
    owed = inside.total_balance.clip(lower=0)
    counted = engine.rows(inside.group_by("bucket").agg(accounts=inside.count(), balance=owed.sum()))
    found = {row["bucket"]: row for row in counted}
    if not set(found) - {None}:
        return Grid("buckets", needs=NEEDS_LATENESS)
    shown = [*BUCKETS, *([None] if None in found else [])]
    empty = {"accounts": 0, "balance": Decimal(0)}
    rows = tuple({**empty, **found.get(number, {}), "bucket": label(number)} for number in shown)
    return Grid("buckets", rows, note=_labelled_by(engine, inside))


def _labelled_by(engine: Engine, accounts: Any) -> Text | None:
    """Says so where months of delay, and not days, label the buckets."""
    counted = engine.rows(accounts.group_by("bucket_by").agg(accounts=accounts.count()))
    by_cycles = {row["bucket_by"]: row["accounts"] for row in counted}.get("cycles", 0)
    if not by_cycles:
        return None
    return Text(
        f"{by_cycles:,} 个账户没有逾期天数，按逾期期数 `cycles_past_due` 分档。",
        f"{by_cycles:,} accounts have no days past due and are labelled by `cycles_past_due`.",
    )


def late_figures(grid: Grid, as_of: date) -> list[Figure]:
    """Shares past due by more than 30, 90 and 180 days, of accounts and of balance."""
    if grid.needs:
        return [
            Figure(f"{id}_{unit}", as_of, unit, None, needs=grid.needs)
            for id in LATE
            for unit in ("account", "balance")
        ]
    known = [row for row in grid if row["bucket"] != label(None)]
    return [_late(id, column, unit, known, as_of) for id in LATE for column, unit in _UNITS]


_UNITS = (("accounts", "account"), ("balance", "balance"))


def _late(id: str, column: str, unit: str, rows: list[Mapping[str, Any]], as_of: date) -> Figure:
    worse = {label(number) for number in BUCKETS if number >= LATE[id]}
    # A bucket in which no balance is known says nothing of balances.
    known = [row for row in rows if row[column] is not None]
    if not any(row["accounts"] for row in known):
        return Figure(f"{id}_{unit}", as_of, unit, None, needs=needs("balance"))
    late = sum(row[column] for row in known if row["bucket"] in worse)
    return Figure(f"{id}_{unit}", as_of, unit, late, sum(row[column] for row in known))
