"""One month of the made-up issuer, from the first day to the last.

    hidden traits ─▶ what presses, who wakes ─▶ payments, purchases ─▶ statements ─▶ losses, closings

`live` changes the state and returns the facts of the month. It reads nothing but the state, the decisions and
draws that belong to (account, month, purpose): another decision for one customer leaves all others as they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backbook.simulator.bank import Decisions, apply_limits, apply_prices
from backbook.simulator.billing import bill, past_due_at_end
from backbook.simulator.book import CLOSED, OPEN, WRITTEN_OFF, Book, State, book, first_state, sleep_hazard, wake_hazard
from backbook.simulator.chance import Array, Chance
from backbook.simulator.days import NEVER, Month
from backbook.simulator.offers import (
    REMINDER,
    WAKE_OFFER,
    WALLET_OFFER,
    Forced,
    Wishes,
    remember_contacts,
    wishes,
)
from backbook.simulator.paying import miss_probability, pay
from backbook.simulator.people import People, people
from backbook.simulator.postings import (
    ALL_AT_ONCE,
    CASH,
    CASH_LOAN,
    CHARGE_OFF,
    CHARGE_OFF_BACK,
    PURCHASE,
    RECOVERY,
    Postings,
    post,
    postings,
    together,
)
from backbook.simulator.profit import contact_costs, profit
from backbook.simulator.rewards import Rewards, reward
from backbook.simulator.settings import (
    CHARGE_OFF_AFTER_DAYS,
    CHARGE_OFF_BY_DAYS,
    CHARGE_OFF_CHANCE,
    PLANS_AT_ONCE,
    UNUSED,
    Settings,
)
from backbook.simulator.spending import Requests, may_spend, spend

# What presses comes with shocks: how many a month of a customer of usual stability, how large, how long they last. These
# decide how well anybody can foretell who will fall behind.
SHOCKS, SHOCK_LEAST, SHOCK_MORE, LASTS, DRIFT = 0.0085, 1.2, 1.0, 0.88, 0.31
BLOWS, BLOW = 0.0013, 8.0


@dataclass(frozen=True)
class World:
    """The people of one part, their accounts, and the chance that is theirs."""

    settings: Settings
    chance: Chance
    folk: People
    accounts: Book


@dataclass(frozen=True)
class Facts:
    """What happened in one month; `state` of its end belongs to it."""

    month: Month
    decisions: Decisions
    postings: Postings
    declined: Requests
    settled: Array  # accounts whose statement of the month before fell due in this one
    settled_bills: Array  # … as it was printed
    settled_in_time: Array
    billed: Array  # accounts with a statement in this month
    plans_ended: PlanRows
    cycles: Array
    days_past_due: Array
    written_off: Array
    pressure: Array  # of each person
    miss_probability: Array
    closing_hazard: Array
    woken: Array
    bound: Array  # persons who put the card into a wallet
    wishes: Wishes
    rewards: Rewards
    profit: Array  # account x LINES of profit, cents
    opted_out: Array  # rows of the contacts that were answered with: never again
    asked_to_close: Array
    in_collection: Array  # account, since: cases that began or ended
    collection_ended: Array


@dataclass(frozen=True)
class PlanRows:
    """Instalment plans as they stand."""

    account: Array
    serial: Array
    kind: Array
    principal: Array
    term: Array
    rate: Array
    opened: Array
    left: Array
    early: Array


def begin(settings: Settings, numbers: Array) -> tuple[World, State]:
    """The world of these people and its state before the warm-up."""
    chance = Chance(settings.seed)
    folk = people(settings, chance, numbers)
    accounts = book(settings, chance, folk)
    return World(settings, chance, folk, accounts), first_state(settings, chance, folk, accounts)


def live(
    world: World,
    state: State,
    month: Month,
    decisions: Decisions,
    *,
    forced: Forced | None = None,
    in_detail: bool = True,
) -> Facts:
    """Live one month; `state` becomes that of its last day.

    Without detail the postings lack merchants, places, wallets and cards; everything else is the same.
    """
    chance, folk, accounts = world.chance, world.folk, world.accounts
    opening = state.total()
    apply_limits(state, decisions.limits, month)
    apply_prices(state, decisions.prices, month)
    _press(world, state, month)
    wished = wishes(folk, accounts, state, decisions.contacts.reached(), forced)
    remember_contacts(accounts, state, decisions.contacts.reached())
    woken = _wake(world, state, month, wished)
    bound = _bind(world, state, month, wished)
    risk = miss_probability(folk, accounts, state, np.arange(len(accounts)))

    paid_first = pay(chance, folk, accounts, state, month, False, wished)
    _post_all(state, paid_first)
    settled = np.flatnonzero(~accounts.early & (state.statement_month == month.number - 1))
    settled_bills, settled_in_time = state.bill[settled], state.in_time[settled]

    spent, declined = spend(chance, folk, accounts, state, month, in_detail=in_detail)
    cycle_end = month.first + accounts.cycle_day - 1
    before = spent.day <= cycle_end[spent.account]
    post(state, spent.at(before))
    charged, billed = bill(accounts, state, month)
    post(state, spent.at(~before))
    paid_then = pay(chance, folk, accounts, state, month, True, wished)
    _post_all(state, paid_then)
    _remember_use(state, spent)

    opted_out = _opt_out(world, state, month, decisions)
    leaves = closing_hazard(world, state)
    asked_to_close = _ask_to_close(world, state, month, leaves)
    ended = _close(world, state, month)
    cycles, days = past_due_at_end(accounts, state, month)
    state.blocked = (state.blocked & (cycles > 0)) | (cycles >= 2)
    lost, written_off = _write_off(world, state, month, days)
    collection = _collect(state, month, cycles)
    plans_ended = _finished_plans(state)
    everything = together(accounts, [spent, *paid_first, *charged, *paid_then, *ended, *lost], sort=in_detail)
    rewards = reward(world.chance, accounts, state, month, everything)
    contacts = contact_costs(accounts, state, decisions.contacts, woken, bound)
    earned = profit(accounts, state, month, everything, rewards, contacts, opening, cycles, billed)
    return Facts(
        month, decisions, everything, declined, settled, settled_bills, settled_in_time, np.flatnonzero(billed),
        plans_ended, cycles, days, written_off, state.pressure.copy(), risk, leaves, woken, bound, wished, rewards, earned,
        opted_out, asked_to_close, *collection,
    )  # fmt: skip


def _press(world: World, state: State, month: Month) -> None:
    """What presses moves back to its mean; now and then a shock (a job, a bill, an illness)."""
    folk, chance, number = world.folk, world.chance, month.number
    here = folk.arrives <= number  # nothing is drawn for who has not come yet
    strikes = chance.happens(SHOCKS * np.exp(-0.5 * folk.stability), "shock", folk.number, month=number)
    size = SHOCK_LEAST - SHOCK_MORE * np.log1p(-chance.uniform("shock size", folk.number, month=number))
    # A blow (work lost, illness) strikes anybody, whatever is known of them: nobody can foretell it.
    struck = chance.happens(BLOWS, "blow", folk.number, month=number)
    mean = folk.pressure + world.settings.downturn_in(month)
    drift = DRIFT * chance.normal("drift", folk.number, month=number)
    moved = mean + LASTS * (state.pressure - mean) + drift + strikes * np.minimum(size, 5.5) + struck * BLOW
    state.pressure = np.where(here, moved, state.pressure)


def _wake(world: World, state: State, month: Month, wished: Wishes) -> Array:
    """Cards fall asleep and wake; an offer adds to waking, or takes from it. Returns who woke."""
    folk, accounts, chance = world.folk, world.accounts, world.chance
    here = (accounts.opened <= month.last) & (state.status == OPEN)
    usual = wake_hazard(folk, accounts.person)
    luck = chance.uniform("sleep", accounts.key, month=month.number)
    wakes = here & ~state.awake & (luck < np.clip(usual + wished.added[WAKE_OFFER], 0, 1))
    asked = np.clip(usual + wished.offered[WAKE_OFFER], 0, 1)
    wished.note(WAKE_OFFER, np.arange(len(accounts)), asked, usual, here & ~state.awake)
    unused = folk.habit[accounts.person] == UNUSED
    falls = here & state.awake & (luck < np.where(unused, 0.6, sleep_hazard(folk, accounts.person)))
    state.awake = (state.awake | wakes) & ~falls
    return np.flatnonzero(wakes)


def _bind(world: World, state: State, month: Month, wished: Wishes) -> Array:
    """Who puts the card into a wallet (绑卡), of their own accord or because of an offer. Returns the persons."""
    folk, accounts = world.folk, world.accounts
    person = accounts.person
    free = may_spend(accounts, state, month) & ~state.bound[person]
    usual = np.clip(0.012 * np.exp(0.3 * folk.digital[person]), 0, 0.2)
    binds = np.clip(usual + wished.added[WALLET_OFFER], 0, 1)
    luck = world.chance.uniform("binds", accounts.key, month=month.number)
    asked = np.clip(usual + wished.offered[WALLET_OFFER], 0, 1)
    wished.note(WALLET_OFFER, np.arange(len(accounts)), asked, usual, free)
    bound = np.unique(person[free & (luck < binds)])
    state.bound[bound] = True
    return bound


def _post_all(state: State, parts: list[Postings]) -> None:
    for part in parts:
        post(state, part)


def _remember_use(state: State, spent: Postings) -> None:
    used = (spent.code == PURCHASE) | (spent.code == CASH) | (spent.code == CASH_LOAN)
    np.maximum.at(state.last_use, spent.account[used], spent.day[used])
    state.uses += np.bincount(spent.account[used], minlength=len(state.uses))


def _opt_out(world: World, state: State, month: Month, decisions: Decisions) -> Array:
    """Contacts tire: a few answer with never again, the fewer the more they like to be asked."""
    made, person = decisions.contacts, world.accounts.person[decisions.contacts.account]
    tired = np.array([0.004, 0.006, 0.030])[made.channel] * np.exp(-0.5 * world.folk.loyalty[person])
    tired = tired * (1 + 0.4 * state.tired[person])
    says = world.chance.happens(tired, "opts out", world.accounts.key[made.account], month=month.number)
    rows = np.flatnonzero(says & ~made.held_out & (made.offer != REMINDER))
    state.refused[person[rows], made.channel[rows]] = True
    return rows


def _collect(state: State, month: Month, cycles: Array) -> tuple[Array, Array]:
    """Cases of collection that began or ended on the last day: (account and since) of each."""
    late = cycles >= 1
    begun = late & (state.collected == NEVER)
    ended = ~late & (state.collected < NEVER)
    state.collected[begun] = month.last
    since = state.collected.copy()
    state.collected[ended] = NEVER
    rows = [np.stack([np.flatnonzero(which), since[which]], axis=1) for which in (begun, ended)]
    return rows[0], rows[1]


def closing_hazard(world: World, state: State) -> Array:
    """The chance that a customer asks to close an account within a month; part of the truth."""
    folk, person = world.folk, world.accounts.person
    dearer = (state.price - 1) * (1.5 + folk.price_taste[person])
    odds = -0.6 * folk.loyalty[person] + 0.25 * folk.price_taste[person] + dearer
    hazard: Array = np.clip(0.0022 * np.exp(odds) * np.where(state.awake, 1.0, 2.0), 0, 1)
    return hazard


def _ask_to_close(world: World, state: State, month: Month, hazard: Array) -> Array:
    accounts = world.accounts
    there = (state.status == OPEN) & (accounts.opened < month.first - 60)
    asks = world.chance.happens(hazard, "leaves", accounts.key, month=month.number)
    asks &= there & ~state.leaving & ~state.blocked
    state.leaving = state.leaving | asks
    return np.flatnonzero(asks)


def _close(world: World, state: State, month: Month) -> list[Postings]:
    """Who asked to close settles all, and is closed when nothing is owed."""
    there = (state.status == OPEN) & (world.accounts.opened < month.first - 60)
    nothing = there & state.leaving & (state.ledger == 0) & ~state.plan_left.any(axis=1)
    state.status[nothing] = CLOSED
    state.closed[nothing] = month.last
    settling = np.flatnonzero(state.leaving & (state.status == OPEN) & state.plan_left.any(axis=1))
    called = postings(
        settling,
        np.full(len(settling), month.last),
        np.full(len(settling), 20 * 3600),
        ALL_AT_ONCE,
        state.outstanding()[settling],
    )
    state.plan_left[settling] = 0
    post(state, called)
    return [called]


def _write_off(world: World, state: State, month: Month, days: Array) -> tuple[list[Postings], Array]:
    """核销: the lost leave the book some time after 180 days; a little of it comes back later."""
    accounts, chance = world.accounts, world.chance
    old = (state.status == OPEN) & (days > CHARGE_OFF_AFTER_DAYS)
    gone = old & (
        chance.happens(CHARGE_OFF_CHANCE, "write off", accounts.key, month=month.number)
        | (days > CHARGE_OFF_BY_DAYS - 30)
    )
    who = np.flatnonzero(gone)
    evening = np.full(len(who), 21 * 3600)
    day = np.full(len(who), month.last)
    called = postings(who, day, evening, ALL_AT_ONCE, state.outstanding()[who])
    state.plan_left[who] = 0
    post(state, called)
    lost = postings(who, day, evening + 60, CHARGE_OFF, -state.ledger[who])
    post(state, lost)
    state.status[who] = WRITTEN_OFF
    state.closed[who] = month.last
    state.billed[who] = 0
    state.due[who] = 0
    return [called.at(called.amount > 0), lost, *_recoveries(world, state, month)], who


def _recoveries(world: World, state: State, month: Month) -> list[Postings]:
    accounts, chance = world.accounts, world.chance
    earlier = (state.status == WRITTEN_OFF) & (state.closed < month.first)
    who = np.flatnonzero(earlier & chance.happens(0.03, "recovery", accounts.key, month=month.number))
    amount = 20_000 + chance.whole(300_000, "recovered", accounts.key[who], month=month.number)
    day = month.first + chance.whole(month.length, "recovery day", accounts.key[who], month=month.number)
    noon = np.full(len(who), 12 * 3600)
    # What comes back first undoes as much of the charge-off: the ledger of the account stays at zero.
    return [postings(who, day, noon, CHARGE_OFF_BACK, amount), postings(who, day, noon + 1, RECOVERY, -amount)]


def _finished_plans(state: State) -> PlanRows:
    """Take plans without principal left out of the state; they are told one last time."""
    rows = plan_rows(state, (state.plan > 0) & (state.plan_left == 0))
    done = (state.plan > 0) & (state.plan_left == 0)
    for name in ("plan", "plan_principal", "plan_term", "plan_done", "plan_kind", "plan_opened"):
        getattr(state, name)[done] = 0
    return rows


def plan_rows(state: State, chosen: Array) -> PlanRows:
    account, slot = np.nonzero(chosen)
    assert slot.size == 0 or slot.max() < PLANS_AT_ONCE
    return PlanRows(
        account=account,
        serial=state.plan[account, slot],
        kind=state.plan_kind[account, slot],
        principal=state.plan_principal[account, slot],
        term=state.plan_term[account, slot],
        rate=state.plan_rate[account, slot],
        opened=state.plan_opened[account, slot],
        left=state.plan_left[account, slot],
        early=state.plan_done[account, slot] < state.plan_term[account, slot],
    )
