"""What customers pay on a statement, when, and what of it they turn into instalments.

Two things decide: ability (the pressure of the moment) and willingness (habit, diligence). What is paid
settles the oldest unpaid minimum first, so that delinquency builds and cures month by month.
"""

from __future__ import annotations

import numpy as np

from backbook.simulator.book import AGES, FRESH, ON, OPEN, Book, State
from backbook.simulator.chance import Array, Chance
from backbook.simulator.days import Month
from backbook.simulator.offers import CASH_OFFER, INSTALMENT_OFFER, REMINDER, Wishes, chance_of
from backbook.simulator.people import People
from backbook.simulator.postings import (
    CASH_LOAN,
    INTO_INSTALMENTS,
    PAYMENT,
    PAYMENT_BY_DEBIT,
    Postings,
    per_line,
    postings,
)
from backbook.simulator.settings import (
    DAYS_TO_PAY,
    GRACE_DAYS,
    INSTALMENT,
    MINIMUM,
    TERMS,
)

BILL_PLAN, PURCHASE_PLAN, CASH_PLAN = range(3)

# The odds of not paying a bill, with nothing unpaid, nothing that presses and half of the limit used.
_MISS = -3.98
# What pressure adds to them: who is behind is held there by more than the pressure of the day. And what a full line adds.
_PRESSED, _USED = (0.40, 0.35), 0.7
# What each unpaid statement adds to the odds of not paying the next: the deeper, the rarer the way back.
_DEEPER = np.array([0.0, 2.4, 3.7, 4.7, 5.2, 5.5, 5.8] + [6.0] * (AGES - 6))


def unpaid_statements(due: Array) -> Array:
    """How many statements back the oldest unpaid minimum lies; -1 where nothing is unpaid."""
    unpaid = due > 0
    oldest = due.shape[1] - 1 - np.argmax(unpaid[:, ::-1], axis=1)
    return np.where(unpaid.any(axis=1), oldest, -1)


def miss_probability(folk: People, accounts: Book, state: State, who: Array) -> Array:
    """The chance that nothing is paid on the present statement when nobody reminds; part of the truth."""
    return chance_of(_miss_odds(folk, accounts, state, who))


def _miss_odds(folk: People, accounts: Book, state: State, who: Array) -> Array:
    person = accounts.person[who]
    line = accounts.line[who]
    used = per_line(accounts, np.maximum(state.total(), 0))[line] / np.maximum(state.limit[line], 1)
    behind = np.maximum(unpaid_statements(state.due[who]), 0)
    weight = np.where(behind == 0, *_PRESSED)
    odds = _MISS + weight * state.pressure[person] + _USED * (np.minimum(used, 1.2) - 0.5) + _DEEPER[behind]
    odds = odds - 0.25 * folk.diligence[person] - 0.4 * accounts.autopay[who]
    return np.asarray(odds)


def pay(
    chance: Chance, folk: People, accounts: Book, state: State, month: Month, early: bool, wishes: Wishes
) -> list[Postings]:
    """The payments on statements that fall due in this month, for early or for late cycle days."""
    due_here = (accounts.early == early) & (state.status == OPEN) & (state.billed > 0)
    who = np.flatnonzero(due_here)
    odds = _miss_odds(folk, accounts, state, who) + wishes.added[REMINDER, who]
    missed = chance.happens(chance_of(odds), "miss", accounts.key[who], month=month.number)
    able = who[~missed]
    plans = _into_instalments(chance, folk, accounts, state, month, able, wishes)
    able = able[state.billed[able] > 0]
    return [*plans, _payments(chance, folk, accounts, state, month, able)]


def _payments(chance: Chance, folk: People, accounts: Book, state: State, month: Month, able: Array) -> Postings:
    key, due_day = accounts.key[able], state.bill[able, ON] + DAYS_TO_PAY
    amount = _how_much(chance, folk, accounts, state, month, able)
    lateness = _lateness(chance, folk, accounts, state, month, able, due_day)
    before = chance.whole(12, "days before", key, month=month.number)
    day = np.where(lateness > 0, due_day + lateness, np.where(accounts.autopay[able], due_day, due_day - before))
    day = np.clip(day, month.first, month.last)
    settle(state, able, amount, in_time=lateness <= GRACE_DAYS)
    second = np.where(accounts.autopay[able], 2 * 3600, 8 * 3600) + chance.whole(
        12 * 3600, "pay second", key, month=month.number
    )
    code = np.where(accounts.autopay[able] & (lateness == 0), PAYMENT_BY_DEBIT, PAYMENT)
    return postings(able, day, second, code, -amount)


def settle(state: State, who: Array, amount: Array, *, in_time: Array) -> None:
    """Let what is paid settle the oldest unpaid minimum first, then the rest of the bill."""
    left = amount.copy()
    for age in range(AGES - 1, -1, -1):
        part = np.minimum(state.due[who, age], left)
        state.due[who, age] -= part
        left -= part
    state.billed[who] = np.maximum(state.billed[who] - amount, 0)
    state.in_time[who] += np.where(in_time, amount, 0)


def _how_much(chance: Chance, folk: People, accounts: Book, state: State, month: Month, able: Array) -> Array:
    """Everything, something or the minimum, by habit and pressure; at least one yuan, in cents."""
    person, key = accounts.person[able], accounts.key[able]
    bill, least = state.billed[able], state.due[able].sum(axis=1)
    pressure, habit = state.pressure[person], folk.habit[person]
    whole_odds = np.array([2.5, 3.2, 1.2, -3.6, -4.5])[habit] - 2.0 * np.maximum(pressure, -0.3)
    whole = chance.happens(1 / (1 + np.exp(-whole_odds)), "pays all", key, month=month.number) | (bill <= 20_000)
    whole |= state.leaving[able]
    some = np.where(habit == MINIMUM, least, _towards_target(chance, folk, accounts, state, month, able))
    # Who is behind pays what is due, or only a part of it.
    behind = unpaid_statements(state.due[able]) >= 1
    luck = chance.uniform("part", key, month=month.number)
    catches_up = np.where(luck < 0.62, least, (least * np.maximum(luck, 0.2)).astype(np.int64))
    some = np.where(behind, catches_up, np.maximum(some, least))
    rounded = chance.happens(0.5, "rounds up", key, month=month.number)
    some = np.where(rounded & ~behind, -(-some // 10_000) * 10_000, some)
    # A few round a full payment up and leave the account overpaid 溢缴款.
    over = chance.happens(0.012, "overpays", key, month=month.number)
    full = np.where(over, -(-bill // 10_000) * 10_000, bill)
    return np.maximum(np.where(whole, full, np.minimum(some, bill)), 100)


def _towards_target(chance: Chance, folk: People, accounts: Book, state: State, month: Month, able: Array) -> Array:
    """Who revolves pays what brings the debt near the utilisation that feels right."""
    person, line = accounts.person[able], accounts.line[able]
    drift = 0.05 * chance.normal("payment drift", accounts.key[able], month=month.number)
    # What costs less is paid back later.
    cheaper = 0.5 * (1 - state.price[able]) * np.clip(1 + 0.5 * folk.price_taste[person], 0, 3)
    pressed = 0.12 * np.clip(state.pressure[person], -1, 2.5)
    feels_right = np.clip(folk.target[person] + pressed + drift + cheaper, 0, 1)
    share = state.limit[line] * np.where(accounts.place[able] == 0, 1.0, 0.4)
    too_much: Array = np.maximum(state.total()[able] - (feels_right * share).astype(np.int64), 0)
    return too_much


def _lateness(
    chance: Chance, folk: People, accounts: Book, state: State, month: Month, able: Array, due_day: Array
) -> Array:
    """Days after the due date; the forgetful pay late though they could. All before the next statement."""
    key, person = accounts.key[able], accounts.person[able]
    odds = -2.9 - 0.7 * folk.diligence[person] + 0.6 * state.pressure[person]
    late = chance.happens(1 / (1 + np.exp(-odds)), "late", key, month=month.number) & ~accounts.autopay[able]
    next_statement = month.first + accounts.cycle_day[able] - 1
    room = np.where(accounts.early[able], month.last - due_day, next_statement - 1 - due_day)
    return np.where(
        late,
        np.minimum(1 + chance.whole(np.maximum(room, 1), "late days", key, month=month.number), np.maximum(room, 0)),
        0,
    )


def _into_instalments(
    chance: Chance, folk: People, accounts: Book, state: State, month: Month, able: Array, wishes: Wishes
) -> list[Postings]:
    able = able[(unpaid_statements(state.due[able]) < 1) & (state.plan[able] == 0).any(axis=1) & ~state.leaving[able]]
    key, person = accounts.key[able], accounts.person[able]
    fresh = np.minimum(state.bill[able, FRESH], state.billed[able])
    wish = np.array([-9.0, -4.0, 1.0, -2.2, -2.6])[folk.habit[person]] + folk.instalment_wish[person]
    wish = wish + 0.25 * np.clip(state.pressure[person], -1, 2)
    added, offered = wishes.added[INSTALMENT_OFFER, able], wishes.offered[INSTALMENT_OFFER, able]
    wants = (fresh >= 100_000) & chance.happens(chance_of(wish + added), "instalment", key, month=month.number)
    share = 0.5 + 0.5 * chance.uniform("instalment share", key, month=month.number)
    principal = (fresh * share).astype(np.int64) // 10_000 * 10_000
    kind = np.where(chance.happens(0.3, "single purchase", key, month=month.number), PURCHASE_PLAN, BILL_PLAN)
    possible = (fresh >= 100_000) & (principal >= 80_000)
    wishes.note(INSTALMENT_OFFER, able, chance_of(wish + offered), chance_of(wish), possible)
    chosen = wants & possible
    of_bill = _open_plans(chance, accounts, state, month, able[chosen], principal[chosen], kind[chosen])
    settle(state, able[chosen], principal[chosen], in_time=np.ones(int(chosen.sum()), bool))
    return [of_bill, *_cash_loans(chance, folk, accounts, state, month, able[~chosen], wishes)]


def _cash_loans(
    chance: Chance, folk: People, accounts: Book, state: State, month: Month, able: Array, wishes: Wishes
) -> list[Postings]:
    """现金分期: at most 50,000 yuan and two years (CN-20)."""
    key, person, line = accounts.key[able], accounts.person[able], accounts.line[able]
    wish = (
        -4.9
        + folk.instalment_wish[person]
        + 0.5 * state.pressure[person]
        + 0.5 * folk.need[person]
        + 1.0 * (folk.habit[person] >= INSTALMENT)
    )
    added, offered = wishes.added[CASH_OFFER, able], wishes.offered[CASH_OFFER, able]
    wants = chance.happens(chance_of(wish + added), "cash loan", key, month=month.number)
    free = state.limit[line] - per_line(accounts, state.total())[line]
    share = 0.3 + 0.5 * chance.uniform("cash loan share", key, month=month.number)
    principal = np.minimum((free * share).astype(np.int64) // 100_000 * 100_000, 5_000_000)
    # Two accounts of a line may not both take what is left of it.
    possible = (principal >= 100_000) & (accounts.place[able] == 0) & ~state.blocked[able]
    wishes.note(CASH_OFFER, able, chance_of(wish + offered), chance_of(wish), possible)
    chosen = wants & possible
    account, principal = able[chosen], principal[chosen]
    turned = _open_plans(chance, accounts, state, month, account, principal, np.full(len(account), CASH_PLAN))
    paid_out = postings(turned.account, turned.day, turned.second, CASH_LOAN, -turned.amount)
    return [paid_out, turned]


def _open_plans(
    chance: Chance, accounts: Book, state: State, month: Month, account: Array, principal: Array, kind: Array
) -> Postings:
    """Open one plan for each account and take its principal out of what is due at once."""
    key = accounts.key[account]
    term = chance.pick([22, 25, 38, 15], "term", key, month=month.number)
    slot = np.argmax(state.plan[account] == 0, axis=1)
    day = np.clip(
        state.bill[account, ON] + 2 + chance.whole(15, "plan day", key, month=month.number), month.first, month.last
    )
    state.plans[account] += 1
    state.plan[account, slot] = state.plans[account]
    state.plan_principal[account, slot] = principal
    state.plan_left[account, slot] = principal
    state.plan_term[account, slot] = np.array([months for months, _ in TERMS])[term]
    state.plan_done[account, slot] = 0
    state.plan_rate[account, slot] = np.array([rate for _, rate in TERMS])[term]
    state.plan_kind[account, slot] = kind
    state.plan_opened[account, slot] = day
    second = 9 * 3600 + chance.whole(12 * 3600, "plan second", key, month=month.number)
    return postings(account, day, second, INTO_INSTALMENTS, -principal)
