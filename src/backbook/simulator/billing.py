"""The statement of each account: interest, fees, instalments due, what is to be paid, and since when it is not.

A statement is drawn from the ledger on the cycle day: nothing in it is invented, all of it was posted.
"""

from __future__ import annotations

import numpy as np

from backbook.simulator.book import AGES, BILL, OPEN, Book, State
from backbook.simulator.chance import Array
from backbook.simulator.days import NEVER, Month, firsts_of, months_of
from backbook.simulator.paying import unpaid_statements
from backbook.simulator.postings import (
    ADVANCES,
    ANNUAL_FEE,
    FEE_WAIVER,
    FEES,
    INSTALMENT,
    INSTALMENT_INTEREST,
    INTEREST,
    INTERESTS,
    LATE_FEE,
    PAYMENTS,
    PURCHASES,
    Postings,
    post,
    postings,
)
from backbook.simulator.settings import (
    DAYS_TO_PAY,
    GRACE_DAYS,
    LATE_FEE_LEAST,
    LATE_FEE_SHARE,
    MINIMUM_SHARE,
    PLANS_AT_ONCE,
    PRODUCTS,
)

# Past three unpaid statements the account bears no more interest and fees (非应计).
_ACCRUES_TO = 3


def bill(accounts: Book, state: State, month: Month) -> tuple[list[Postings], Array]:
    """Draw the statements of the month; returns what was posted for them and which accounts have one."""
    on = month.first + accounts.cycle_day - 1
    live = (state.status == OPEN) & (accounts.opened < on)
    charged = [
        *_instalments(accounts, state, on, live),
        _interest(accounts, state, on, live),
        _late_fees(state, on, live),
        *_annual_fees(accounts, state, month, on, live),
    ]
    instalments_due = np.zeros(len(accounts), np.int64)
    for entries in charged:
        post(state, entries)
        mine = entries.code == INSTALMENT
        np.add.at(instalments_due, entries.account[mine], entries.amount[mine])
    drawn = live & (state.cycle.any(axis=1) | (state.ledger != 0) | (state.plan_left.sum(axis=1) > 0))
    _draw(accounts, state, month, on, np.flatnonzero(drawn), instalments_due)
    return charged, drawn


def _draw(accounts: Book, state: State, month: Month, on: Array, who: Array, instalments_due: Array) -> None:
    unpaid = state.billed[who]
    closing = state.ledger[who]
    owed = np.maximum(closing, 0)
    older = np.roll(state.due[who], 1, axis=1)
    older[:, -1] += older[:, 0]
    older[:, 0] = 0
    left = owed.copy()
    for age in range(AGES - 1, 0, -1):  # a refund may have settled some of it
        older[:, age] = np.minimum(older[:, age], left)
        left -= older[:, age]
    cycle = state.cycle[who]
    in_full = np.maximum(cycle[:, INTERESTS], 0) + np.maximum(cycle[:, FEES], 0) + instalments_due[who]
    share = np.ceil(MINIMUM_SHARE * np.maximum(left - in_full, 0)).astype(np.int64)
    older[:, 0] = np.where(owed <= 10_000, left, np.minimum(left, in_full + share))
    state.due[who] = older
    printed = {
        "on": on[who],
        "closing": closing,
        "minimum": older.sum(axis=1),
        "total": closing + state.plan_left[who].sum(axis=1),
        "revolving": np.minimum(unpaid, owed),
        "instalments": state.plan_left[who].sum(axis=1),
        "purchases": cycle[:, PURCHASES],
        "advances": cycle[:, ADVANCES],
        "payments": -cycle[:, PAYMENTS],
        "interest": cycle[:, INTERESTS],
        "fees": cycle[:, FEES],
        "limit": state.limit[accounts.line[who]],
        "fresh": np.clip(cycle[:, PURCHASES], 0, owed),
    }
    state.statement_month[who] = month.number
    cycles, days = past_due(accounts, state, on, first_age=1)
    printed |= {"cycles": cycles[who], "days_past_due": days[who]}
    state.bill[who] = np.stack([printed[name] for name in BILL], axis=1)
    state.billed[who] = owed
    state.in_time[who] = 0
    state.cycle[who] = 0


def past_due(accounts: Book, state: State, day: Array | int, first_age: Array | int) -> tuple[Array, Array]:
    """Cycles and days past due on a day.

    `first_age` is 1 where the last statement is not due yet, 0 where its due date has passed. Days count from
    the due date of the oldest unpaid minimum once the days of grace are over.
    """
    oldest = unpaid_statements(state.due)
    late = (oldest >= first_age) & (oldest >= 0)
    cycles = np.where(late, oldest + 1 - np.asarray(first_age), 0)
    statement_on = firsts_of(state.statement_month - np.maximum(oldest, 0)) + accounts.cycle_day - 1
    days = np.where(late, day - (statement_on + DAYS_TO_PAY), 0)
    passed = days > GRACE_DAYS
    return np.where(passed, cycles, 0), np.where(passed, days, 0)


def past_due_at_end(accounts: Book, state: State, month: Month) -> tuple[Array, Array]:
    """Cycles and days past due on the last day of a month."""
    return past_due(accounts, state, month.last, first_age=np.where(accounts.early, 0, 1))


def _instalments(accounts: Book, state: State, on: Array, live: Array) -> list[Postings]:
    made = []
    for slot in range(PLANS_AT_ONCE):
        who = np.flatnonzero(
            live & (state.plan[:, slot] > 0) & (state.plan_left[:, slot] > 0) & (state.plan_opened[:, slot] < on)
        )
        principal, term = state.plan_principal[who, slot], state.plan_term[who, slot]
        state.plan_done[who, slot] += 1
        last = state.plan_done[who, slot] >= term
        part = np.where(last, state.plan_left[who, slot], principal // term)
        state.plan_left[who, slot] -= part
        fee = np.round(principal * state.plan_rate[who, slot]).astype(np.int64)
        midnight = np.zeros(len(who), np.int64)
        made += [
            postings(who, on[who], midnight, INSTALMENT, part),
            postings(who, on[who], midnight, INSTALMENT_INTEREST, fee),
        ]
    return made


def _interest(accounts: Book, state: State, on: Array, live: Array) -> Postings:
    """全额计息: who did not pay all in time pays interest on the rest and on new purchases from their day."""
    rate = np.array([product.purchase_rate for product in PRODUCTS])[accounts.product] * state.price
    cash_rate = np.array([product.cash_rate for product in PRODUCTS])[accounts.product]
    accrues = live & (unpaid_statements(state.due) < _ACCRUES_TO)
    carried = np.where(state.billed > 0, state.billed + np.maximum(state.cycle[:, PURCHASES], 0) // 2, 0)
    interest = np.round(rate * 30 * carried + cash_rate * 15 * state.cycle[:, ADVANCES]).astype(np.int64)
    who = np.flatnonzero(accrues & (interest > 0))
    return postings(who, on[who], np.zeros(len(who), np.int64), INTEREST, interest[who])


def _late_fees(state: State, on: Array, live: Array) -> Postings:
    missed = state.due[:, 0]
    who = np.flatnonzero(live & (missed > 1_000) & (unpaid_statements(state.due) < _ACCRUES_TO))
    fee = np.maximum(np.round(LATE_FEE_SHARE * missed[who]).astype(np.int64), LATE_FEE_LEAST)
    return postings(who, on[who], np.zeros(len(who), np.int64), LATE_FEE, fee)


def _annual_fees(accounts: Book, state: State, month: Month, on: Array, live: Array) -> list[Postings]:
    """Charged each year to cards that were activated (CN-03), and waived at once after enough uses."""
    opened = months_of(accounts.opened)
    anniversary = live & (opened < month.number) & ((month.number - opened) % 12 == 0) & (accounts.activated < NEVER)
    fee = np.array([product.annual_fee for product in PRODUCTS])[accounts.product]
    enough = state.uses >= np.array([product.fee_free_uses for product in PRODUCTS])[accounts.product]
    state.uses[anniversary] = 0
    who = np.flatnonzero(anniversary & (fee > 0))
    midnight = np.zeros(len(who), np.int64)
    charged = postings(who, on[who], midnight, ANNUAL_FEE, fee[who])
    return [charged, postings(who, on[who], midnight, FEE_WAIVER, -fee[who]).at(enough[who])]
