"""How customers react to contacts, and what they do in the app of their own accord.

A reaction follows from what really happened in the month: an offer counts as accepted only where the plan was
made or the card was used again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backbook.simulator.chance import Array
from backbook.simulator.days import NEVER, Month
from backbook.simulator.delivery import Codes, Moments, words
from backbook.simulator.living import Facts, World
from backbook.simulator.offers import (
    APP,
    CALL,
    CASH_OFFER,
    INSTALMENT_OFFER,
    OFFERS,
    REMINDER,
    WAKE_OFFER,
    WALLET_OFFER,
)
from backbook.simulator.postings import CASH_LOAN, INTO_INSTALMENTS, PAYMENT, PAYMENT_BY_DEBIT

DELIVERED, OPENED, CLICKED, ACCEPTED, REFUSED, OPTED_OUT = range(6)


@dataclass(frozen=True)
class Reactions:
    """One row per contact, in their order: what became of it."""

    delivered: Array
    opened: Array
    clicked: Array
    accepted: Array
    answered: Array  # day on which it was accepted
    refused: Array
    opted_out: Array


def reactions(world: World, facts: Facts) -> Reactions:
    made, chance = facts.decisions.contacts, world.chance
    key, number = world.accounts.key[made.account], facts.month.number
    person = world.accounts.person[made.account]
    digital = np.tanh(world.folk.digital[person])
    out = ~made.held_out
    reach = np.array([0.96, 0.94, 0.45])[made.channel]
    delivered = out & chance.happens(reach, "delivered", key, month=number)
    did, answered = _accepted(world, facts)
    accepted = delivered & did
    opens = np.array([0.22, 0.0, 1.0])[made.channel] + np.where(made.channel == APP, 0.12 * digital, 0)
    opened = delivered & (chance.happens(opens, "opened", key, month=number) | (accepted & (made.channel == APP)))
    clicked = opened & (made.channel == APP) & (chance.happens(0.18, "clicked", key, month=number) | accepted)
    refused = (
        opened
        & ~accepted
        & (made.channel == CALL)
        & (made.offer != REMINDER)
        & chance.happens(0.7, "refused", key, month=number)
    )
    opted_out = np.zeros(len(key), bool)
    opted_out[facts.opted_out] = True
    return Reactions(delivered, opened, clicked, accepted, answered, refused, opted_out & delivered)


def _accepted(world: World, facts: Facts) -> tuple[Array, Array]:
    """Who did in the month, after the contact, what was offered, and the day on which."""
    made, posted, n = facts.decisions.contacts, facts.postings, len(world.accounts)
    turned = np.full(n, -1)
    cash = posted.account[posted.code == CASH_LOAN]
    plan = (posted.code == INTO_INSTALMENTS) & ~np.isin(posted.account, cash)
    turned[posted.account[plan]] = posted.day[plan]
    woken = np.full(n, -1)
    used = np.isin(posted.account, facts.woken)
    woken[posted.account[used]] = posted.day[used]
    paid = np.full(n, -1)
    payment = (posted.code == PAYMENT) | (posted.code == PAYMENT_BY_DEBIT)
    paid[posted.account[payment]] = posted.day[payment]
    binds = np.full(len(world.folk), -1)
    binds[facts.bound] = facts.month.last
    borrowed = np.full(n, -1)
    borrowed[cash] = posted.day[posted.code == CASH_LOAN]
    days = {
        INSTALMENT_OFFER: turned[made.account],
        WAKE_OFFER: woken[made.account],
        WALLET_OFFER: binds[world.accounts.person[made.account]],
        CASH_OFFER: borrowed[made.account],
        REMINDER: paid[made.account],
    }
    day = np.select([made.offer == offer for offer in days], list(days.values()), default=-1)
    return day >= made.day, np.maximum(day, made.day)


@dataclass(frozen=True)
class Touches:
    """Visits in the app: one row per event."""

    person: Array
    day: Array
    second: Array
    name: Array
    anonymous: Array
    milliseconds: Array


EVENTS = (
    "login",
    "view_bill",
    "view_limit",
    "repay_page",
    "instalment_page",
    "offer_page",
    "points_mall",
    "wallet_bind",
    "service_chat",
)


def visits(world: World, facts: Facts, app_since: Array) -> Touches:
    """Who has the app visits it, the more the card is used; need and pressure show in what is looked at."""
    folk, chance, month = world.folk, world.chance, facts.month
    there = np.flatnonzero(app_since <= month.first)
    used = np.zeros(len(folk))
    np.add.at(used, world.accounts.person[facts.postings.account], 1.0)
    rate = np.exp(0.15 + 0.45 * folk.digital[there]) * np.clip(0.35 + used[there] / 12, 0.35, 2.2)
    count = chance.count(np.clip(rate, 0, 14), "visits", folk.number[there], month=month.number)
    person = np.repeat(there, count)
    nth = np.arange(len(person)) - np.repeat(np.cumsum(count) - count, count)
    key = folk.number[person]
    borrows = 1 / (1 + np.exp(-folk.need[person]))
    weights = np.stack([np.full(len(person), 30.0), np.full(len(person), 24.0), 3 + 8 * borrows, np.full(len(person), 14.0),
                        3 + 7 * borrows, np.full(len(person), 5.0), 7 - 4 * borrows, np.full(len(person), 1.0), np.full(len(person), 2.0)], axis=1)  # fmt: skip
    bounds = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    luck = chance.uniform("event", key, month=month.number, draw=nth)
    name = np.minimum((bounds < luck[:, None]).sum(axis=1), len(EVENTS) - 1)
    return Touches(
        person=person,
        day=month.first + chance.whole(month.length, "event day", key, month=month.number, draw=nth),
        second=7 * 3600 + chance.whole(16 * 3600, "event second", key, month=month.number, draw=nth),
        name=name,
        anonymous=chance.uniform("anonymous", key, month=month.number, draw=nth) < 0.04,
        milliseconds=500 + chance.whole(60_000, "stay", key, month=month.number, draw=nth),
    )


def campaign_names(offer: Array, month: Month) -> pa.Array:
    """An offer of one month is a campaign."""
    return words(Codes(offer, [f"{name}-{month.year}{month.month:02d}" for name in OFFERS]))


def when(day: Array, second: Array, happened: Array) -> Moments:
    """The moment of what happened, nothing for the rest; never past the end of its day."""
    return Moments(np.where(happened, day, NEVER), np.minimum(second, 86_399))
