"""The cards of each account: the main one, its replacements, virtual ones and those of family members.

Cards follow from the account alone; only their cancelling depends on the life of the account.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backbook.simulator.book import Book
from backbook.simulator.chance import Array
from backbook.simulator.days import NEVER
from backbook.simulator.living import World
from backbook.simulator.spending import has_supplementary, has_virtual

MAIN, VIRTUAL, SUPPLEMENTARY, REPLACEMENT = range(4)
VALID_DAYS = 5 * 365


@dataclass(frozen=True)
class Cards:
    """One row per card that exists before the end, in the order of account and kind."""

    account: Array
    kind: Array
    issued: Array
    activated: Array
    expires: Array
    replaced: Array  # the day on which its replacement made it void, or NEVER
    replaces: Array  # row of the card it replaces, or -1
    holder: Array  # position of the holder in People
    token: pa.Array
    # the row of each account's main, virtual, supplementary card and replacement, or -1
    rows: Array

    def used(self, account: Array, slot: Array, day: Array) -> Array:
        """Row of the card used in a slot (0 main, 1 virtual, 2 supplementary) on a day."""
        main = self.rows[account, MAIN]
        newer = self.rows[account, REPLACEMENT]
        has_newer = (newer >= 0) & (day >= np.where(newer >= 0, self.activated[newer], NEVER))
        main = np.where(has_newer, newer, main)
        other = self.rows[account, np.where(slot == 0, MAIN, slot)]
        other = np.where((other >= 0) & (day >= np.where(other >= 0, self.activated[other], NEVER)), other, main)
        return np.where(slot == 0, main, other)


def cards(world: World) -> Cards:
    """All cards of one part."""
    accounts, chance = world.accounts, world.chance
    start = world.settings.first.first
    n = len(accounts)
    # Who is long with the bank holds a renewed card; a renewal within the window is a replacement.
    renewals = np.maximum((start - accounts.opened) // VALID_DAYS, 0)
    issued = accounts.opened + renewals * VALID_DAYS
    activated = np.where(renewals > 0, np.where(accounts.activated < NEVER, issued + 4, NEVER), accounts.activated)
    replaced = _replaced(world, issued)
    columns = {
        MAIN: (np.ones(n, bool), issued, activated),
        VIRTUAL: (has_virtual(chance, accounts), *_later(world, "virtual", 40)),
        SUPPLEMENTARY: (
            has_supplementary(chance, accounts) & _has_neighbour(world),
            *_later(world, "supplementary", 200),
        ),
        REPLACEMENT: (replaced < NEVER, replaced, np.where(activated < NEVER, replaced + 3, NEVER)),
    }
    return _assembled(world, columns, replaced)


def _replaced(world: World, issued: Array) -> Array:
    """The day of a replacement: renewed at the end of five years, or lost, as one card in fifty is each year."""
    start = world.settings.first.first
    life = -365 / 0.02 * np.log1p(-world.chance.uniform("lost day", world.accounts.key))
    lost_on = np.maximum(start, issued + 30) + np.minimum(life, 100_000).astype(np.int64)
    first = np.minimum(issued + VALID_DAYS, lost_on)
    return np.where(first >= start, first, NEVER)


def _later(world: World, what: str, mean: int) -> tuple[Array, Array]:
    accounts, chance = world.accounts, world.chance
    delay = (5 - mean * np.log1p(-chance.uniform(f"{what} delay", accounts.key))).astype(np.int64)
    issued = np.where(accounts.activated < NEVER, accounts.activated + delay, NEVER)
    return issued, np.where(issued < NEVER, issued + 2, NEVER)


def _has_neighbour(world: World) -> Array:
    """A supplementary card is held by the neighbour in number; parts begin at even numbers, newcomers have none."""
    number = world.folk.number[world.accounts.person]
    there: Array = (number | 1) < world.settings.customers
    return there


def _assembled(world: World, columns: dict[int, tuple[Array, Array, Array]], replaced: Array) -> Cards:
    accounts, end = world.accounts, world.settings.last.last
    account, kind, issued, activated = [], [], [], []
    for which, (there, its_issued, its_activated) in columns.items():
        chosen = np.flatnonzero(there & (its_issued <= end))
        account.append(chosen)
        kind.append(np.full(len(chosen), which))
        issued.append(its_issued[chosen])
        activated.append(its_activated[chosen])
    order = np.lexsort((np.concatenate(kind), np.concatenate(account)))
    accounts_of, kinds = np.concatenate(account)[order], np.concatenate(kind)[order]
    issued_all = np.concatenate(issued)[order]
    rows = np.full((len(accounts), 4), -1)
    rows[accounts_of, kinds] = np.arange(len(order))
    person = accounts.person[accounts_of]
    return Cards(
        account=accounts_of,
        kind=kinds,
        issued=issued_all,
        activated=np.concatenate(activated)[order],
        expires=issued_all + VALID_DAYS,
        replaced=np.where(kinds == MAIN, replaced[accounts_of], NEVER),
        replaces=np.where(kinds == REPLACEMENT, rows[accounts_of, MAIN], -1),
        holder=np.where(kinds == SUPPLEMENTARY, person ^ 1, person),
        token=_tokens(world, accounts, accounts_of, kinds),
        rows=rows,
    )


def _tokens(world: World, accounts: Book, account: Array, kind: Array) -> pa.Array:
    numbers = world.chance.shuffled("card token", accounts.key[account] * 4 + kind, bits=60)
    return pa.array([f"TK{number:015x}" for number in numbers.tolist()])
