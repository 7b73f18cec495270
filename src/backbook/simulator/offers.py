"""What can be offered, and what a contact does to the customer who gets it.

Each offer meets a hidden taste: above zero it makes the answer likelier, below zero it puts the customer off.
Contacts tire: the more came lately, the less the next one moves, until it moves the wrong way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backbook.simulator.book import Book, State
from backbook.simulator.chance import Array
from backbook.simulator.people import People

OFFERS = ("INSTALMENT", "WAKE", "WALLET", "CASH", "REMINDER")
INSTALMENT_OFFER, WAKE_OFFER, WALLET_OFFER, CASH_OFFER, REMINDER = range(5)
MARKETING = (INSTALMENT_OFFER, WAKE_OFFER, WALLET_OFFER, CASH_OFFER)
CHANNELS = ("app", "sms", "call")
APP, SMS, CALL = range(3)

# What is given to who answers, in cents: a welcome back, and money off the first payment with the wallet.
GIFT = np.array([0, 1_500, 800, 0, 0])
# What one contact costs, in cents, by channel.
CONTACT_COST = np.array([0, 4, 320])
# How a taste of one moves the answer: odds (log) of instalments and cash loans, chance of waking and binding in a
# month, and odds of missing a payment.
_STRENGTH = np.array([1.0, 0.050, 0.050, 1.0, -0.35])
_HALF_AFTER = 3.0  # contacts in memory that halve what a further one does
_WEARS = 0.75  # of the contacts in memory, from month to month
_PUTS_OFF = 0.06
# Forced answers, for the study of what an answer is worth: far beyond any odds.
SURELY = 50.0


@dataclass(frozen=True)
class Forced:
    """One offer whose answer is made yes or no on everybody's first account, whatever their luck."""

    offer: int
    yes: bool


@dataclass(frozen=True)
class Wishes:
    """What the contacts of a month add, what a contact would add, and what that would change: offer x account."""

    added: Array
    offered: Array
    lift: Array  # of the chance that the answer is yes; written while the month is lived

    def note(self, offer: int, who: Array, with_it: Array, without: Array, possible: Array) -> None:
        self.lift[offer, who] = np.where(possible, with_it - without, 0.0)


def wishes(folk: People, accounts: Book, state: State, reached: tuple[Array, Array], forced: Forced | None) -> Wishes:
    """`reached` are the accounts that a contact reached, and the offer of each."""
    person = accounts.person
    tired = state.tired[person]
    taste = np.stack([folk.instalment_taste, folk.wake_taste, folk.wallet_taste, folk.cash_taste])[:, person]
    moved = taste / (1 + tired / _HALF_AFTER) - _PUTS_OFF * tired
    offered = np.vstack([moved, np.ones(len(person))]) * _STRENGTH[:, None]
    added = np.zeros_like(offered)
    account, offer = reached
    added[offer, account] = offered[offer, account]
    if forced:
        added[forced.offer] = np.where(accounts.place == 0, SURELY if forced.yes else -SURELY, 0.0)
    return Wishes(added, offered, np.zeros_like(offered))


def remember_contacts(accounts: Book, state: State, reached: tuple[Array, Array]) -> None:
    """Offers stay in memory for some months; a reminder is no offer."""
    account, offer = reached
    got = np.bincount(accounts.person[account[offer != REMINDER]], minlength=len(state.tired))
    state.tired = state.tired * _WEARS + got


def chance_of(odds: Array) -> Array:
    """Log odds as a chance."""
    chance: Array = 1 / (1 + np.exp(-odds))
    return chance
