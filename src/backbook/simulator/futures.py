"""What was likely, measured: one saved state is lived on many times, and the futures are counted.

Nothing here is a formula of the traits. The chance of default within twelve months is the share of the futures in
which it came; what a treatment is worth is the difference of two futures that share all their luck.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from backbook.simulator.bank import BY_BANK, FIXED, Decisions, Limits, Prices, nothing, present_policy
from backbook.simulator.billing import past_due_at_end
from backbook.simulator.book import CLOSED, OPEN, State, book
from backbook.simulator.chance import Array, Chance
from backbook.simulator.days import NEVER, Month
from backbook.simulator.living import World, live
from backbook.simulator.offers import CONTACT_COST, GIFT, MARKETING, OFFERS, SMS, Forced
from backbook.simulator.people import people

HORIZON = 12  # months
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Likely:
    """Per account, out of `futures` futures of twelve months: how often, and what it earned on average."""

    futures: int
    at_risk: Array  # open and not in default at the date: the others have no chance to be measured
    default: Array  # more than 90 days past due, or written off, at some month's end
    closing: Array  # asked to close and was closed
    silent: Array  # no use in the last six months, though there was some in the six before the date
    profit: Array  # cents
    ranks: float  # how well the share of the other futures foretells each future (AUC)


def sample(world: World, state: State, month: Month, accounts: int) -> tuple[World, State]:
    """People drawn by luck, as many as have that many open accounts at the end of `month`, or all; a world of their own."""
    person, opened = world.accounts.person, world.accounts.opened <= month.last
    open_ = np.bincount(person[opened & (state.status == OPEN)], minlength=len(world.folk))
    luck = world.chance.uniform("sample of futures", world.folk.number)
    order = np.argsort(luck, kind="stable")
    order = order[open_[order] > 0]
    enough = np.searchsorted(np.cumsum(open_[order]), accounts) + 1
    chosen = np.sort(order[:enough])
    folk = people(world.settings, world.chance, world.folk.number[chosen])
    theirs = book(world.settings, world.chance, folk)
    rows = np.searchsorted(world.accounts.key, theirs.key)
    lines = np.searchsorted(world.accounts.line_key, theirs.line_key)
    return World(world.settings, world.chance, folk, theirs), state.at(chosen, lines, rows)


def likely(world: World, state: State, month: Month, futures: int = 200, tell: Tell | None = None) -> Likely:
    """Live on from the end of `month` under the present policy, `futures` times."""
    accounts = world.accounts
    at_risk = (state.status == OPEN) & (accounts.opened <= month.last) & (_days_past_due(world, state, month) <= 90)
    used_before = state.last_use > month.last - 183
    bad = np.zeros((futures, len(accounts)), bool)
    closing, silent, earned = (np.zeros(len(accounts)) for _ in range(3))
    for future in range(futures):
        if tell:
            tell(f"future {future + 1} of {futures}", future, futures)
        life = lived(world, state, month, future + 1)
        bad[future] = life.defaulted
        closing += life.state.status == CLOSED
        silent += used_before & (life.state.status == OPEN) & (life.state.last_use <= Month(month.number + 6).last)
        earned += life.profit
    share = bad.mean(axis=0)
    return Likely(
        futures, at_risk, share, closing / futures, silent / futures, earned / futures, _ranks(bad[:, at_risk])
    )


def _ranks(bad: Array) -> float:
    """The mean, over futures, of the AUC of the share of the others."""
    total, found = bad.sum(axis=0), []
    for one in bad:
        if one.any() and not one.all():
            found.append(auc(total - one, one))
    return float(np.mean(found)) if found else float("nan")


def auc(score: Array, hit: Array) -> float:
    """The chance that a hit has the higher score, ties counted half."""
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    hits = int(hit.sum())
    return float((ranks[hit].sum() - hits * (hits + 1) / 2) / (hits * (len(hit) - hits)))


def _days_past_due(world: World, state: State, month: Month) -> Array:
    return past_due_at_end(world.accounts, state, month)[1]


Decide = Callable[[World, State, Month], Decisions]


@dataclass(frozen=True)
class Life:
    """One future of twelve months."""

    defaulted: Array  # accounts
    state: State  # of its end
    profit: Array  # of each account, cents
    lift: Array  # offer x account: what contacts would have changed in its first month


def lived(
    world: World, state: State, month: Month, future: int, first: Decide | None = None, forced: Forced | None = None
) -> Life:
    """Live on from the end of `month`: `first` decides the first month, afterwards the bank goes on as ever."""
    other = replace(world, chance=Chance(world.settings.seed, future))
    its, bad = state.copy(), np.zeros(len(world.accounts), bool)
    profit = np.zeros(len(world.accounts), np.int64)
    lifts: list[Array] = []
    for number in range(month.number + 1, month.number + 1 + HORIZON):
        now = Month(number)
        decide = first if first and not lifts else _as_ever
        facts = live(other, its, now, decide(other, its, now), forced=None if lifts else forced, in_detail=False)
        bad |= facts.days_past_due > 90
        bad[facts.written_off] = True
        profit += facts.profit.sum(axis=1)
        lifts = lifts or [facts.wishes.lift]
    return Life(bad, its, profit, lifts[0])


def _as_ever(world: World, state: State, month: Month) -> Decisions:
    return present_policy(world.chance, world.folk, world.accounts, state, month)


# ── what a treatment does ──


@dataclass(frozen=True)
class Effects:
    """Per person and treatment: what it does to the chance of the answer, and what it earns in twelve months."""

    treatments: tuple[str, ...]
    lift: Array  # person x treatment, mean over futures; not a number where a treatment asks nothing
    value: Array  # future x person x treatment, cents
    possible: Array  # person: may be offered something at all


TREATMENTS = (*(OFFERS[offer] for offer in MARKETING), "LIMIT_UP", "LIMIT_DOWN", "PRICE_DOWN", "PRICE_UP")
LIMIT_STEP, PRICE_STEP, PRICE_MONTHS = 0.25, 0.20, 6


def effects(world: World, state: State, month: Month, futures: int = 24, tell: Tell | None = None) -> Effects:
    """The difference that each treatment makes in the month after `month`, and for a year from there.

    An offer works through its answer alone. So each future is lived twice, with the answer yes and no, and the
    difference is weighed with what the offer does to the chance of a yes in that very future: the same mean as that of
    worlds with and without the offer, and far less noise. Message and gift are taken off. Limits and prices are
    compared with leaving everything as it is.
    """
    persons, person = len(world.folk), world.accounts.person
    lift = np.full((persons, len(TREATMENTS)), np.nan)
    lift[:, : len(MARKETING)] = 0.0
    value = np.zeros((futures, persons, len(TREATMENTS)))
    first = np.searchsorted(person, np.arange(persons))

    def earned(life: Life) -> Array:
        return np.bincount(person, weights=life.profit, minlength=persons)

    for future in range(futures):
        if tell:
            tell(f"effects, future {future + 1} of {futures}", future, futures)
        base = earned(lived(world, state, month, future + 1, untouched))
        for place, offer in enumerate(MARKETING):
            yes = lived(world, state, month, future + 1, untouched, Forced(offer, True))
            no = lived(world, state, month, future + 1, untouched, Forced(offer, False))
            moved = no.lift[offer, first]
            lift[:, place] += moved / futures
            value[future, :, place] = moved * (earned(yes) - earned(no) - GIFT[offer]) - CONTACT_COST[SMS]
        for place, decide in enumerate((limits_up, limits_down, prices_down, prices_up), start=len(MARKETING)):
            value[future, :, place] = earned(lived(world, state, month, future + 1, decide)) - base
    clean = (state.status == OPEN) & (_days_past_due(world, state, month) == 0) & ~state.blocked & ~state.leaving
    clean &= world.accounts.opened <= month.last
    return Effects(TREATMENTS, lift, value, clean[first])


def untouched(world: World, state: State, month: Month) -> Decisions:
    """Nobody is written to, no limit and no price is changed."""
    return nothing()


def _limits(world: World, state: State, month: Month, factor: float) -> Decisions:
    used = np.bincount(world.accounts.line, weights=np.maximum(state.total(), 0), minlength=world.accounts.lines)
    # Never below what is owed (DOMAIN 3.3).
    amount = np.maximum((state.limit * factor).astype(np.int64), np.minimum(used.astype(np.int64), state.limit))
    n = world.accounts.lines
    every = np.arange(n)
    limits = Limits(
        every,
        np.full(n, FIXED),
        amount,
        np.full(n, month.first),
        np.full(n, NEVER),
        np.full(n, BY_BANK),
        np.ones(n, bool),
    )
    return replace(nothing(), limits=limits)


def limits_up(world: World, state: State, month: Month) -> Decisions:
    """A quarter more on every line."""
    return _limits(world, state, month, 1 + LIMIT_STEP)


def limits_down(world: World, state: State, month: Month) -> Decisions:
    """A quarter less on every line, as far as it is not used."""
    return _limits(world, state, month, 1 - LIMIT_STEP)


def _prices(world: World, month: Month, factor: float) -> Decisions:
    n = len(world.accounts)
    until = Month(month.number + PRICE_MONTHS - 1).last
    prices = Prices(np.arange(n), np.full(n, factor), np.full(n, month.first), np.full(n, until))
    return replace(nothing(), prices=prices)


def prices_down(world: World, state: State, month: Month) -> Decisions:
    """A fifth off the rate of everybody for half a year."""
    return _prices(world, month, 1 - PRICE_STEP)


def prices_up(world: World, state: State, month: Month) -> Decisions:
    """A fifth on top of the rate of everybody for half a year."""
    return _prices(world, month, 1 + PRICE_STEP)
