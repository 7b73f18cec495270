"""What is posted to accounts in one month: the only way in which a ledger changes.

Amounts are in cents; what raises the debt is positive. The code says what a posting is, as in a card core.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from backbook.simulator.book import Book, State
from backbook.simulator.chance import Array

PURCHASE, CASH, CASH_LOAN, REFUND = 1000, 2000, 2100, 3000
PAYMENT, PAYMENT_BY_DEBIT = 4000, 4001
ANNUAL_FEE, LATE_FEE, CASH_FEE, FEE_WAIVER = 5000, 5100, 5200, 5900
INTEREST, INSTALMENT_INTEREST = 6000, 6100
INSTALMENT, INTO_INSTALMENTS, ALL_AT_ONCE = 7000, 7100, 7200
CHARGE_OFF, RECOVERY, CHARGE_OFF_BACK = 8000, 8100, 8101

# How each code counts in a statement: column of State.cycle, or none.
PURCHASES, ADVANCES, PAYMENTS, INTERESTS, FEES = range(5)
CYCLE_COLUMN = {
    PURCHASE: PURCHASES,
    REFUND: PURCHASES,
    CASH: ADVANCES,
    CASH_LOAN: ADVANCES,
    PAYMENT: PAYMENTS,
    PAYMENT_BY_DEBIT: PAYMENTS,
    INTEREST: INTERESTS,
    INSTALMENT_INTEREST: INTERESTS,
    ANNUAL_FEE: FEES,
    LATE_FEE: FEES,
    CASH_FEE: FEES,
    FEE_WAIVER: FEES,
}


@dataclass(frozen=True)
class Postings:
    """One row per posting. Columns about a merchant are -1 where there is none."""

    account: Array
    day: Array
    second: Array
    code: Array
    amount: Array
    category: Array
    merchant: Array
    city: Array
    abroad: Array
    online: Array
    wallet: Array
    card: Array  # 0 the main card, 1 the virtual one, 2 the supplementary one
    reverses: Array  # row of the posting that is taken back, or -1

    def __len__(self) -> int:
        return len(self.account)

    def at(self, rows: Array) -> Postings:
        n = int(rows.sum()) if rows.dtype == bool else len(rows)
        return Postings(**{name: _taken(getattr(self, name), rows, n) for name in COLUMNS})


COLUMNS = tuple(field.name for field in fields(Postings))


def _taken(column: Array, rows: Array, n: int) -> Array:
    # A column that says the same of every row is one value, however many rows there are.
    return np.broadcast_to(column[0], n) if _is_one_value(column) else column[rows]


def _is_one_value(column: Array) -> bool:
    return len(column) > 0 and column.strides == (0,)


def postings(account: Array, day: Array, second: Array, code: Array | int, amount: Array, **more: Array) -> Postings:
    """Postings of which only what is named differs from the usual."""
    n = len(account)
    none = np.broadcast_to(np.int64(-1), n)
    usual = dict.fromkeys(("category", "merchant", "city", "abroad", "wallet", "reverses"), none)
    usual |= {"online": np.broadcast_to(np.False_, n), "card": np.broadcast_to(np.int64(0), n)}
    codes = np.broadcast_to(np.asarray(code, np.int64), n)
    return Postings(account=account, day=day, second=second, code=codes, amount=amount, **(usual | more))


def joined(parts: list[Postings]) -> Postings:
    """The rows of all parts, part after part."""
    return Postings(**{name: _end_to_end([getattr(part, name) for part in parts if len(part)]) for name in COLUMNS})


def _end_to_end(columns: list[Array]) -> Array:
    if not columns:
        return np.zeros(0, np.int64)
    if all(_is_one_value(column) and column[0] == columns[0][0] for column in columns):
        return np.broadcast_to(columns[0][0], sum(map(len, columns)))
    return np.concatenate(columns)


def together(accounts: Book, parts: list[Postings], *, sort: bool = True) -> Postings:
    """All postings of a month, in the order of time; `reverses` must only point into the first part."""
    whole = joined(parts)
    if not sort:
        return whole
    order = in_time(accounts, whole)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    sorted_ = whole.at(order)
    return replace(sorted_, reverses=np.where(sorted_.reverses >= 0, rank[sorted_.reverses], -1))


def in_time(accounts: Book, entries: Postings) -> Array:
    """The order of time; rows of one moment stand as chance has it."""
    return np.lexsort((accounts.lot[entries.account], entries.second, entries.day))


def post(state: State, entries: Postings) -> None:
    """Let postings change the ledgers and what the next statement will say of them."""
    n = len(state.ledger)
    state.ledger += _sums(entries.account, entries.amount, n)
    column = np.full(10_000, -1)
    column[list(CYCLE_COLUMN)] = list(CYCLE_COLUMN.values())
    column = column[entries.code]
    for place in np.unique(column[column >= 0]):
        mine = column == place
        state.cycle[:, place] += _sums(entries.account[mine], entries.amount[mine], n)


def _sums(account: Array, amount: Array, n: int) -> Array:
    # Doubles hold whole cents exactly up to 2**53, far above any account.
    return np.bincount(account, weights=amount, minlength=n).astype(np.int64)


def per_line(accounts: Book, values: Array) -> Array:
    """Sums of account values over the accounts of each line."""
    return _sums(accounts.line, values, accounts.lines)
