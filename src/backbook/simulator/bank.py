"""What the bank does in a month: its present policy, and the shape in which another policy hands in its own.

The policy reads only what a bank can see: statements, delinquency, months on book. Every offer is made with a
logged probability, and one in ten is held out, so that effects can be measured from the files alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backbook.simulator.billing import past_due_at_end
from backbook.simulator.book import BILL, CLOSING, OPEN, Book, State
from backbook.simulator.chance import Array, Chance
from backbook.simulator.days import Month, months_of
from backbook.simulator.offers import (
    APP,
    CASH_OFFER,
    INSTALMENT_OFFER,
    OFFERS,
    REMINDER,
    SMS,
    WAKE_OFFER,
    WALLET_OFFER,
)
from backbook.simulator.people import STUDENT, People
from backbook.simulator.postings import per_line

FIXED, TEMPORARY = range(2)
BY_BANK, BY_CUSTOMER = range(2)


@dataclass(frozen=True)
class Limits:
    """Limits set, asked for or refused: one row each."""

    line: Array
    kind: Array
    amount: Array  # cents
    day: Array
    until: Array  # day, or NEVER
    asked_by: Array
    granted: Array


@dataclass(frozen=True)
class Prices:
    """Prices set for what revolves, as a share of the product's rate: one row each."""

    account: Array
    factor: Array
    day: Array
    until: Array  # day


@dataclass(frozen=True)
class Contacts:
    """Contacts made or held out: one row each."""

    account: Array
    offer: Array
    channel: Array
    day: Array
    second: Array
    propensity: Array
    held_out: Array
    decision_id: Array  # text, "" where none stands behind it

    def __len__(self) -> int:
        return len(self.account)

    def reached(self) -> tuple[Array, Array]:
        """Account and offer of each contact that was not held out."""
        return self.account[~self.held_out], self.offer[~self.held_out]


EXECUTED, REFUSED, PARTLY = range(3)
REASONS = ("", "CLOSED", "TOTAL_CAP", "BELOW_BALANCE")
NO_REASON, ACCOUNT_CLOSED, ABOVE_CAP, BELOW_BALANCE = range(4)


@dataclass(frozen=True)
class Executions:
    """What the bank's systems made of decisions: one row each, amounts in cents."""

    decision_id: Array  # text
    day: Array
    status: Array
    code: Array  # position in REASONS
    before: Array
    after: Array


@dataclass(frozen=True)
class Decisions:
    """All that the bank decides for one month, before the month is lived."""

    limits: Limits
    contacts: Contacts
    prices: Prices
    executions: Executions


def present_policy(chance: Chance, folk: People, accounts: Book, state: State, month: Month) -> Decisions:
    """The policy the made-up issuer has always had."""
    limits = _limits(chance, folk, accounts, state, month)
    contacts = _contacts(chance, folk, accounts, state, month)
    return Decisions(limits, contacts, no_prices(), _own_executions(chance, accounts, state, limits, month))


def _own_executions(chance: Chance, accounts: Book, state: State, limits: Limits, month: Month) -> Executions:
    """The raises that the bank's present rules chose were all executed."""
    rows = np.flatnonzero((limits.asked_by == BY_BANK) & (limits.kind == FIXED) & limits.granted)
    line = limits.line[rows]
    numbers = chance.shuffled("decision", accounts.line_key[line], bits=40)
    ids = [f"R{month.year}{month.month:02d}-{number:013d}" for number in numbers.tolist()]
    return Executions(
        np.array(ids, object), limits.day[rows], np.full(len(rows), EXECUTED), np.zeros(len(rows), np.int64),
        state.limit[line], limits.amount[rows],
    )  # fmt: skip


def nothing() -> Decisions:
    """Nobody is written to, no limit and no price is touched."""
    return Decisions(no_limits(), no_contacts(), no_prices(), no_executions())


def no_limits() -> Limits:
    none = np.zeros(0, np.int64)
    return Limits(none, none, none, none, none, none, none.astype(bool))


def no_contacts() -> Contacts:
    none = np.zeros(0, np.int64)
    return Contacts(none, none, none, none, none, none.astype(float), none.astype(bool), none.astype(object))


def no_executions() -> Executions:
    none = np.zeros(0, np.int64)
    return Executions(none.astype(object), none, none, none, none, none)


def no_prices() -> Prices:
    none = np.zeros(0, np.int64)
    return Prices(none, none.astype(float), none, none)


def _limits(chance: Chance, folk: People, accounts: Book, state: State, month: Month) -> Limits:
    first = np.unique(accounts.line, return_index=True)[1]
    person, key = accounts.person[first], accounts.line_key
    before = Month(month.number - 1)
    cycles, _ = past_due_at_end(accounts, state, before)
    worst = np.zeros(accounts.lines, np.int64)
    np.maximum.at(worst, accounts.line, np.maximum(cycles, state.bill[:, BILL.index("cycles")]))
    used = per_line(accounts, np.maximum(state.total(), 0)) / state.limit
    alive = np.zeros(accounts.lines, bool)
    np.logical_or.at(alive, accounts.line, (state.status == OPEN) & (accounts.opened <= before.last))
    seasoned = alive & (months_of(accounts.opened)[first] <= month.number - 6) & (month.number - state.raised >= 6)
    clean = (worst == 0) & seasoned & (folk.occupation[person] != STUDENT)
    clean &= state.limit * 1.35 < total_cap(folk, accounts)

    raised = clean & (used > 0.35) & chance.happens(0.05, "bank raises", key, month=month.number)
    wish = 1 / (1 + np.exp(4.9 - 0.6 * folk.need[person] - 1.2 * used))
    asked = alive & ~raised & chance.happens(wish, "asks for more", key, month=month.number)
    granted = asked & clean & (used < 0.9)
    festival = (
        alive
        & clean
        & (month.month in (1, 9))
        & (used > 0.3)
        & chance.happens(0.08, "festival limit", key, month=month.number)
    )
    return _limit_rows(chance, accounts, state, month, raised, asked, granted, festival)


def total_cap(folk: People, accounts: Book) -> Array:
    """总授信: what the bank would lend the customer of each line at most, in cents (CN-19)."""
    first = np.unique(accounts.line, return_index=True)[1]
    by_income = np.round(folk.income[accounts.person[first]] * 6, -3).astype(np.int64) * 100
    cap: Array = np.maximum(by_income, accounts.first_limit * 3 // 2)
    return cap


def _limit_rows(
    chance: Chance,
    accounts: Book,
    state: State,
    month: Month,
    raised: Array,
    asked: Array,
    granted: Array,
    festival: Array,
) -> Limits:
    step = 1.1 + 0.25 * chance.uniform("limit step", accounts.line_key, month=month.number)
    more = (state.limit * step).astype(np.int64) // 100_000 * 100_000
    extra = (state.limit // 5) // 50_000 * 50_000
    lines = [np.flatnonzero(chosen) for chosen in (raised, asked, festival)]
    line = np.concatenate(lines)
    sizes = [len(some) for some in lines]
    kind = np.repeat([FIXED, FIXED, TEMPORARY], sizes)
    day = month.first + chance.whole(5, "limit day", accounts.line_key[line], month=month.number)
    return Limits(
        line=line,
        kind=kind,
        amount=np.where(kind == FIXED, np.maximum(more, state.limit + 100_000)[line], np.maximum(extra, 50_000)[line]),
        day=day,
        until=np.where(kind == FIXED, 2**31, day + 60),
        asked_by=np.repeat([BY_BANK, BY_CUSTOMER, BY_BANK], sizes),
        granted=np.concatenate([np.ones(sizes[0], bool), granted[lines[1]], np.ones(sizes[2], bool)]),
    )


def apply_limits(state: State, limits: Limits, month: Month) -> None:
    """Put granted limits into force; each raise counts from its month."""
    fixed = limits.granted & (limits.kind == FIXED)
    state.limit[limits.line[fixed]] = limits.amount[fixed]
    state.raised[limits.line[fixed]] = month.number
    temporary = limits.granted & (limits.kind == TEMPORARY)
    state.extra[limits.line[temporary]] = limits.amount[temporary]
    state.extra_until[limits.line[temporary]] = limits.until[temporary]


def apply_prices(state: State, prices: Prices, month: Month) -> None:
    """Put prices into force; those that ran out fall back to the published ones 牌价."""
    state.price[state.price_until < month.first] = 1.0
    state.price[prices.account] = prices.factor
    state.price_until[prices.account] = prices.until


def _contacts(chance: Chance, folk: People, accounts: Book, state: State, month: Month) -> Contacts:
    """Who is asked what; the likelier a customer seems to say yes, the likelier the contact."""
    cycles, _ = past_due_at_end(accounts, state, Month(month.number - 1))
    alive = (state.status == OPEN) & ~state.leaving & (accounts.opened < month.first)
    closing, idle = state.bill[:, CLOSING], month.first - state.last_use
    clean = alive & (cycles == 0) & ~state.blocked
    chances = np.zeros((len(OFFERS), len(accounts)))
    chances[INSTALMENT_OFFER] = np.where(clean & (closing > 150_000), np.clip(closing / 2_500_000, 0.06, 0.35), 0)
    chances[WAKE_OFFER] = np.where(clean & (idle > 150), np.where(idle > 900, 0.04, 0.12), 0)
    chances[WALLET_OFFER] = np.where(clean & (idle < 90) & (month.month % 3 == 0), 0.08, 0)
    chances[CASH_OFFER] = np.where(clean & (idle < 90) & (closing > 50_000), 0.05, 0)
    chances[REMINDER] = np.where(alive & (cycles > 0), 0.9, 0)
    drawn = [
        chance.happens(chances[offer], f"offer {offer}", accounts.key, month=month.number)
        for offer in range(len(OFFERS))
    ]
    # One contact a month: the first that was drawn, in the order of the list.
    offer = np.argmax(np.stack(drawn), axis=0)
    account = np.flatnonzero(np.stack(drawn).any(axis=0))
    offer = offer[account]
    channel = _channels(chance, accounts, month, offer, accounts.key[account], accounts.person[account])
    # No offer where it is not wanted (CN-40); a reminder of a debt is no offer.
    wanted = (offer == REMINDER) | ~state.refused[accounts.person[account], channel]
    account, offer, channel = account[wanted], offer[wanted], channel[wanted]
    key = accounts.key[account]
    return Contacts(
        account=account,
        offer=offer,
        channel=channel,
        day=month.first + 1 + chance.whole(12, "contact day", key, month=month.number),
        second=(9 * 3600 + chance.whole(10 * 3600, "contact second", key, month=month.number)),
        propensity=np.round(chances[offer, account] * np.where(offer == REMINDER, 1, 0.9), 4),
        held_out=(offer != REMINDER) & chance.happens(0.1, "held out", key, month=month.number),
        decision_id=np.full(len(account), "", object),
    )


def _channels(chance: Chance, accounts: Book, month: Month, offer: Array, key: Array, person: Array) -> Array:
    usual = chance.pick([5, 4, 1], "channel", key, month=month.number)
    reminder = chance.pick([0, 6, 4], "reminder channel", key, month=month.number)
    without_app = accounts.app_since[person] >= month.first
    usual = np.where(without_app & (usual == APP), SMS, usual)
    return np.where(offer == REMINDER, reminder, usual)
