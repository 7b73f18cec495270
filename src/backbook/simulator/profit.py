"""What each account earned in a month, line by line, out of what was posted: income above zero, cost below.

Every line is a whole number of cents that follows from facts of the month, so that lines add up to the ledger.
Expected loss is booked once, as the change of an allowance; income bears value-added tax (DOMAIN 4.6).
"""

from __future__ import annotations

import numpy as np

from backbook.simulator.bank import Contacts
from backbook.simulator.book import OPEN, Book, State
from backbook.simulator.chance import Array
from backbook.simulator.days import Month
from backbook.simulator.offers import CONTACT_COST, GIFT, WAKE_OFFER, WALLET_OFFER
from backbook.simulator.postings import (
    ANNUAL_FEE,
    CASH_FEE,
    CHARGE_OFF,
    CHARGE_OFF_BACK,
    FEE_WAIVER,
    INSTALMENT_INTEREST,
    INTEREST,
    LATE_FEE,
    PURCHASE,
    REFUND,
    Postings,
)
from backbook.simulator.rewards import Rewards
from backbook.simulator.words import CATEGORIES

LINES = (
    "interchange", "interest", "instalment_interest", "annual_fee", "late_fee", "cash_fee", "vat",
    "funding", "charge_off", "allowance", "rewards", "operations", "contact",
)  # fmt: skip
INCOME = LINES[: LINES.index("vat")]
_CODES = {
    "interest": (INTEREST,),
    "instalment_interest": (INSTALMENT_INTEREST,),
    "annual_fee": (ANNUAL_FEE, FEE_WAIVER),
    "late_fee": (LATE_FEE,),
    "cash_fee": (CASH_FEE,),
}
# 0.45 % to the issuer less half of the network's 0.065 % (DOMAIN 1.4); nothing on hospitals and schools.
_INTERCHANGE = 0.0045 - 0.000325
_FREE = np.array([row[1] in ("8062", "8299") for row in CATEGORIES])
_VAT = 0.06
_FUNDING = 0.024 / 12  # a month, on what is lent
_STATEMENT, _ACCOUNT, _COLLECTING = 80, 40, 1_500  # cents a month: a statement, an open account, a late one
# What is set aside of a balance, by cycles past due.
_ALLOWANCE = np.array([0.010, 0.06, 0.22, 0.42, 0.58, 0.68, 0.75, 0.82])


def contact_costs(accounts: Book, state: State, made: Contacts, woken: Array, bound: Array) -> Array:
    """What contacts cost each account in cents: the message or call, and the gift to who answered.

    `woken` are accounts that woke in the month, `bound` persons who put the card into a wallet.
    """
    account, offer = made.reached()
    woke, binds = np.zeros(len(accounts), bool), np.zeros(len(state.bound), bool)
    woke[woken], binds[bound] = True, True
    answered = ((offer == WAKE_OFFER) & woke[account]) | ((offer == WALLET_OFFER) & binds[accounts.person[account]])
    cost = CONTACT_COST[made.channel[~made.held_out]] + np.where(answered, GIFT[offer], 0)
    return _sums(account, cost, len(accounts))


def profit(
    accounts: Book,
    state: State,
    month: Month,
    posted: Postings,
    rewards: Rewards,
    contacts: Array,
    opening: Array,
    cycles: Array,
    billed: Array,
) -> Array:
    """Account x LINES, in cents; the allowance of the state becomes that of the month's end."""
    n = len(accounts)
    lines = {name: np.zeros(n, np.int64) for name in LINES}
    bought = ((posted.code == PURCHASE) | (posted.code == REFUND)) & ~_FREE[posted.category]
    lines["interchange"] = _rounded(_INTERCHANGE * _sums(posted.account[bought], posted.amount[bought], n))
    for name, codes in _CODES.items():
        mine = np.isin(posted.code, codes)
        lines[name] = _sums(posted.account[mine], posted.amount[mine], n)
    income = np.sum([lines[name] for name in INCOME], axis=0)
    lines["vat"] = -_rounded(income * _VAT / (1 + _VAT))
    closing = state.total()
    lent = np.maximum(opening, 0) + np.maximum(closing, 0)
    lines["funding"] = -_rounded(_FUNDING * lent / 2)
    # A recovery is posted as a charge-off undone and the payment that settles it: the first of the two is the income.
    lost = np.isin(posted.code, (CHARGE_OFF, CHARGE_OFF_BACK))
    lines["charge_off"] = _sums(posted.account[lost], posted.amount[lost], n)
    set_aside = _rounded(_ALLOWANCE[np.minimum(cycles, 7)] * np.maximum(closing, 0))
    lines["allowance"] = state.allowance - set_aside
    state.allowance = set_aside
    lines["rewards"] = -rewards.cost_of(n)
    open_ = (state.status == OPEN) & (accounts.opened <= month.last)
    lines["operations"] = -(_STATEMENT * billed + _ACCOUNT * open_ + _COLLECTING * (cycles > 0))
    lines["contact"] = -contacts
    return np.stack([lines[name] for name in LINES], axis=1)


def _rounded(cents: Array) -> Array:
    return np.round(cents).astype(np.int64)


def _sums(account: Array, amount: Array, n: int) -> Array:
    return np.bincount(account, weights=amount, minlength=n).astype(np.int64)
