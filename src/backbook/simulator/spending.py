"""Purchases and cash advances of one month: what customers want, and what the limit lets through.

Want follows income, taste, season and pressure; who borrows spends less the nearer the debt comes to what
feels right. Each request is an authorisation; those beyond the limit are declined and leave no debt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from backbook.simulator.book import OPEN, Book, State
from backbook.simulator.chance import Array, Chance
from backbook.simulator.days import NEVER, Month
from backbook.simulator.people import People
from backbook.simulator.postings import CASH, CASH_FEE, PURCHASE, REFUND, Postings, joined, per_line, postings
from backbook.simulator.settings import CASH_FEE_LEAST, CASH_FEE_SHARE, FULL, SEASON
from backbook.simulator.words import CATEGORIES, CITIES, TASTES

# How much oftener a card is used that lies in a wallet, and how much more rarely one that does not.
_WITH_WALLET = (1.05, 0.85)

NO_REASON, OVER_LIMIT, WRONG_CODE = range(3)


@dataclass(frozen=True)
class Requests:
    """What was asked for at a till and refused, with the reason."""

    asked: Postings
    reason: Array


def spend(
    chance: Chance, folk: People, accounts: Book, state: State, month: Month, *, in_detail: bool
) -> tuple[Postings, Requests]:
    """The purchases, refunds, cash advances and their fees of a month, and what was declined."""
    wanted = _purchases(chance, folk, accounts, state, month, in_detail)
    advances = _advances(chance, folk, accounts, state, month)
    everything = joined([wanted, advances])
    reason = _reasons(chance, accounts, state, month, everything)
    passed = everything.at(reason == NO_REASON)
    refused = reason != NO_REASON
    parts = [passed, _refunds(chance, accounts, month, passed), _cash_fees(passed)]
    return joined(parts), Requests(everything.at(refused), reason[refused])


def may_spend(accounts: Book, state: State, month: Month) -> Array:
    usable = (state.status == OPEN) & ~state.leaving & ~state.blocked
    able: Array = usable & state.awake & (accounts.activated <= month.last)
    return able


def _purchases(chance: Chance, folk: People, accounts: Book, state: State, month: Month, in_detail: bool) -> Postings:
    able = np.flatnonzero(may_spend(accounts, state, month))
    person = accounts.person[able]
    share = np.where(accounts.place[able] == 0, 1.0, 0.45)
    often = folk.purchases[person] * share**0.5 * np.where(state.bound[person], *_WITH_WALLET)
    count = chance.count(often, "purchases", accounts.key[able], month=month.number)
    typical = _budget(chance, folk, accounts, state, month, able) * share**0.5 / folk.purchases[person]
    owner = np.repeat(np.arange(len(able)), count)
    nth = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    account = able[owner]
    draw = _Draws(chance, accounts.key[account], month, nth)

    category = _category(draw, folk.taste[person][owner])
    day, second = _moment(draw, month)
    amount = _amount(draw, category, typical[owner])
    after = day >= accounts.activated[account]
    made = postings(account, day, second, PURCHASE, amount, category=category)
    return (_detailed(made, draw, chance, folk, accounts, state) if in_detail else made).at(after)


def _detailed(made: Postings, draw: _Draws, chance: Chance, folk: People, accounts: Book, state: State) -> Postings:
    """The purchases with their merchants, places, wallets and cards."""
    account, category = made.account, made.category
    person = accounts.person[account]
    online = draw.uniform("online") < _column(4)[category] + 0.1 * np.tanh(folk.digital)[person]
    in_wallet = state.bound[person] & (draw.uniform("wallet use") < 0.82)
    wallet = np.where(in_wallet, draw.pick("wallet", [46, 44, 10]), -1)
    city, abroad = _where(draw, folk.city[person], online)
    return replace(
        made, merchant=_merchant(draw, category), city=city, abroad=abroad, online=online,
        wallet=np.where(abroad >= 0, -1, wallet), card=_card(chance, draw, accounts, account, wallet),
    )  # fmt: skip


class _Draws:
    """The draws of each purchase: its account, the month, and which purchase of the month it is."""

    def __init__(self, chance: Chance, key: Array, month: Month, nth: Array) -> None:
        self._chance, self._key, self._month, self._nth = chance, key, month.number, nth

    def uniform(self, purpose: str) -> Array:
        return self._chance.uniform(purpose, self._key, month=self._month, draw=self._nth)

    def normal(self, purpose: str) -> Array:
        return self._chance.normal(purpose, self._key, month=self._month, draw=self._nth)

    def pick(self, purpose: str, weights: Array | list[float]) -> Array:
        return self._chance.pick(weights, purpose, self._key, month=self._month, draw=self._nth)


def _budget(chance: Chance, folk: People, accounts: Book, state: State, month: Month, able: Array) -> Array:
    """What each account would like to spend in the month, in cents."""
    person, line = accounts.person[able], accounts.line[able]
    used = per_line(accounts, np.maximum(state.total(), 0))[line] / np.maximum(state.limit[line], 1)
    feels_right = folk.target[person] + 0.12 + 0.10 * np.clip(state.pressure[person], -1, 3)
    room = np.where(folk.habit[person] > FULL, np.clip(0.35 + 1.8 * (feels_right - used), 0.08, 1.8), 1.0)
    pressed = 1 + 0.22 * np.clip(state.pressure[person], 0, 3)
    mood = np.exp(0.25 * chance.normal("mood", accounts.key[able], month=month.number))
    wish = 100 * folk.budget[person] * SEASON[month.month - 1] * room * pressed * mood
    return np.minimum(wish, 0.6 * state.limit[line])


def _category(draw: _Draws, taste: Array) -> Array:
    bounds = np.cumsum(np.array(TASTES), axis=1)
    bounds /= bounds[:, -1:]
    # One search over the five lists laid end to end.
    laid = (bounds + np.arange(len(TASTES))[:, None]).ravel()
    found = np.searchsorted(laid, draw.uniform("category") + taste, side="right")
    category: Array = np.minimum(found - taste * len(CATEGORIES), len(CATEGORIES) - 1)
    return category


def _moment(draw: _Draws, month: Month) -> tuple[Array, Array]:
    """Day and second: more at weekends, after salary day (the 10th), and in the evening."""
    days = np.arange(month.first, month.last + 1)
    weekend = ((days + 3) % 7) >= 5
    after_salary = (days - month.first >= 9) & (days - month.first < 14)
    day = month.first + draw.pick("day", list(1 + 0.25 * weekend + 0.15 * after_salary))
    hour = draw.pick("hour", [1, 0.4, 0.2, 0.1, 0.1, 0.3, 1, 3, 5, 5, 5, 7, 9, 7, 5, 5, 6, 8, 10, 10, 9, 7, 4, 2])
    return day, hour * 3600 + (draw.uniform("second") * 3600).astype(np.int64)


def _amount(draw: _Draws, category: Array, typical: Array) -> Array:
    spread = _column(3)[category]
    # The mean of a lognormal is exp(mean + spread²/2): tickets keep their mean, whatever the spread.
    cents = typical * _column(2)[category] * np.exp(spread * draw.normal("ticket") - spread**2 / 2)
    whole_yuan = draw.uniform("round") < 0.3
    cents = np.where(whole_yuan, np.round(cents, -2), np.round(cents))
    amount: Array = np.maximum(cents, 100).astype(np.int64)
    return amount


def _merchant(draw: _Draws, category: Array) -> Array:
    """Position in the list of all merchants, category after category."""
    sizes = np.array([len(row[5].split()) for row in CATEGORIES])
    starts = np.cumsum(sizes) - sizes
    place: Array = starts[category] + (draw.uniform("merchant") ** 1.5 * sizes[category]).astype(np.int64)
    return place


def _where(draw: _Draws, home: Array, online: Array) -> tuple[Array, Array]:
    luck = draw.uniform("where")
    elsewhere = draw.pick("elsewhere", [place[5] for place in CITIES])
    abroad = np.where(luck > 0.993, draw.pick("country", [3, 3, 2, 1]), -1)
    return np.where((luck < 0.07) & ~online, elsewhere, home), abroad


def _card(chance: Chance, draw: _Draws, accounts: Book, account: Array, wallet: Array) -> Array:
    virtual = has_virtual(chance, accounts)[account] & (wallet >= 0) & (draw.uniform("card") < 0.6)
    supplementary = has_supplementary(chance, accounts)[account] & (draw.uniform("card") > 0.75)
    return np.where(virtual, 1, np.where(supplementary, 2, 0))


def has_virtual(chance: Chance, accounts: Book) -> Array:
    return chance.happens(0.16, "virtual card", accounts.key) & (accounts.activated < NEVER)


def has_supplementary(chance: Chance, accounts: Book) -> Array:
    given = chance.happens(0.035, "supplementary card", accounts.key) & (accounts.place == 0)
    held: Array = given & (accounts.activated < NEVER)
    return held


def _advances(chance: Chance, folk: People, accounts: Book, state: State, month: Month) -> Postings:
    """Cash from a machine: rare, and a sign of pressure."""
    able = may_spend(accounts, state, month)
    person = accounts.person
    odds = -5.5 + 1.1 * state.pressure[person] + 0.6 * folk.need[person] + 0.9 * (folk.habit[person] > FULL)
    takes = able & chance.happens(1 / (1 + np.exp(-odds)), "cash", accounts.key, month=month.number)
    account = np.flatnonzero(takes)
    key = accounts.key[account]
    hundreds = 3 + np.exp(2.3 + 0.7 * chance.normal("cash amount", key, month=month.number))
    most = state.limit[accounts.line[account]] * 0.3 // 10_000
    day = month.first + chance.whole(month.length, "cash day", key, month=month.number)
    made = postings(
        account, day, 9 * 3600 + chance.whole(10 * 3600, "cash second", key, month=month.number), CASH,
        np.clip(np.minimum(hundreds, most), 1, 100).astype(np.int64) * 10_000,
        city=folk.city[person[account]],
    )  # fmt: skip
    return made.at(day >= accounts.activated[account])


def _reasons(chance: Chance, accounts: Book, state: State, month: Month, asked: Postings) -> Array:
    """Why a request is declined: in the order of time, until the line is full."""
    line = accounts.line[asked.account]
    extra = np.where(state.extra_until >= month.first, state.extra, 0)
    free = np.maximum(state.limit + extra - per_line(accounts, state.total()), 0)
    wrong = chance.happens(
        0.004, "wrong code", accounts.key[asked.account] * 100_000 + asked.second, month=month.number
    )
    small_enough = ~wrong & (asked.amount <= free[line])
    order = np.lexsort((asked.second, asked.day, line))
    counted = np.where(small_enough, asked.amount, 0)[order]
    running = np.cumsum(counted)
    starts = np.searchsorted(line[order], line[order], side="left")
    used = running - (running[starts] - counted[starts])
    fits = np.empty(len(order), bool)
    fits[order] = used <= free[line[order]]
    return np.where(wrong, WRONG_CODE, np.where(small_enough & fits, NO_REASON, OVER_LIMIT))


def _refunds(chance: Chance, accounts: Book, month: Month, passed: Postings) -> Postings:
    key = accounts.key[passed.account] * 100_000 + passed.second
    returned = (passed.code == PURCHASE) & chance.happens(0.008, "refund", key, month=month.number)
    rows = np.flatnonzero(returned)
    some = chance.happens(0.3, "part refund", key[rows], month=month.number)
    amount = np.where(some, passed.amount[rows] // 2, passed.amount[rows])
    day = np.minimum(passed.day[rows] + 1 + chance.whole(7, "refund day", key[rows], month=month.number), month.last)
    late = np.where(day > passed.day[rows], passed.second[rows], np.minimum(passed.second[rows] + 600, 86_399))
    kept = amount > 0
    back = passed.at(rows)
    return postings(
        back.account, day, late, REFUND, -amount, category=back.category, merchant=back.merchant, city=back.city,
        abroad=back.abroad, online=back.online, wallet=back.wallet, card=back.card, reverses=np.where(some, -1, rows),
    ).at(kept)  # fmt: skip


def _cash_fees(passed: Postings) -> Postings:
    advance = passed.at(passed.code == CASH)
    fee = np.maximum((advance.amount * CASH_FEE_SHARE).astype(np.int64), CASH_FEE_LEAST)
    return postings(advance.account, advance.day, advance.second, CASH_FEE, fee)


def _column(place: int) -> Array:
    return np.array([row[place] for row in CATEGORIES])
