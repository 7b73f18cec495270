"""Cases and states of people and accounts: disputes, hardship, fraud, collection, closing and the rest.

What ends is told again, with its end, in the month in which it ended.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backbook.simulator.book import OPEN, State
from backbook.simulator.chance import Array
from backbook.simulator.days import NEVER, Month
from backbook.simulator.living import Facts, World
from backbook.simulator.people import STUDENT

DISPUTE, HARDSHIP, FRAUD, COLLECTION, CLOSURE, DECEASED, ENROLLED, WRITTEN_OFF, NO_PROMOTION = range(9)


@dataclass(frozen=True)
class Marks:
    """One row per state that began or ended; `account` is -1 where it is of the person."""

    account: Array
    person: Array
    kind: Array
    since: Array
    until: Array
    stage: Array


def marks(world: World, state: State, facts: Facts, first: bool) -> Marks:
    """What began or ended in the month."""
    month = facts.month
    before = Month(month.number - 1)
    cases = [
        *((kind, *_begun(world, state, facts, kind, month), NEVER) for kind in (DISPUTE, HARDSHIP, FRAUD)),
        (CLOSURE, facts.asked_to_close, np.full(len(facts.asked_to_close), month.last - 2), NEVER),
        (WRITTEN_OFF, facts.written_off, np.full(len(facts.written_off), month.last), NEVER),
        (COLLECTION, facts.in_collection[:, 0], facts.in_collection[:, 1], NEVER),
        (COLLECTION, facts.collection_ended[:, 0], facts.collection_ended[:, 1], month.last),
    ]
    # A dispute lasts into the next month.
    disputed, since = _begun(world, state, facts, DISPUTE, before)
    if not first:
        cases.append((DISPUTE, disputed, since, month.first + 9))
    of_accounts = [_rows(world, facts, kind, account, since, until) for kind, account, since, until in cases]
    return _joined([*of_accounts, *_of_persons(world, month, first)])


def _begun(world: World, state: State, facts: Facts, kind: int, month: Month) -> tuple[Array, Array]:
    accounts, chance = world.accounts, world.chance
    likely = np.full(len(accounts), {DISPUTE: 0.0010, HARDSHIP: 0.0, FRAUD: 0.0002}[kind])
    if kind == HARDSHIP:
        pressed = (
            (facts.cycles >= 2)
            & (state.pressure[accounts.person] > 1.5)
            & (world.folk.diligence[accounts.person] > -0.5)
        )
        likely = np.where(pressed & (state.status == OPEN), 0.06, 0.0)
    there = (accounts.activated < month.first) & (state.closed > month.last)
    account = np.flatnonzero(there & chance.happens(likely, f"mark {kind}", accounts.key, month=month.number))
    return account, month.first + chance.whole(
        month.length, f"mark day {kind}", accounts.key[account], month=month.number
    )


def _rows(world: World, facts: Facts, kind: int, account: Array, since: Array, until: int) -> Marks:
    n = len(account)
    deep = np.clip(facts.cycles[account] - 1, 0, 3)
    stage = deep if kind == COLLECTION and until == NEVER else np.full(n, -1)
    return Marks(account, world.accounts.person[account], np.full(n, kind), since, np.full(n, until), stage)


def _of_persons(world: World, month: Month, first: bool) -> list[Marks]:
    folk, chance = world.folk, world.chance
    opened = np.full(len(folk), NEVER, np.int64)
    np.minimum.at(opened, world.accounts.person, world.accounts.opened)
    new = (opened <= month.last) & ((opened >= month.first) | first)
    students = np.flatnonzero(new & (folk.occupation == STUDENT))
    never = np.flatnonzero(new & chance.happens(0.006, "no promotion", folk.number))
    died = np.flatnonzero(
        (opened < month.first)
        & chance.happens(0.00004 * np.exp(0.05 * (folk.age - 40)), "dies", folk.number, month=month.number)
    )
    return [
        _of(students, ENROLLED, opened[students]),
        _of(never, NO_PROMOTION, opened[never]),
        _of(died, DECEASED, np.full(len(died), month.first + 6)),
    ]


def _of(person: Array, kind: int, since: Array) -> Marks:
    n = len(person)
    return Marks(np.full(n, -1), person, np.full(n, kind), since, np.full(n, NEVER), np.full(n, -1))


def _joined(parts: list[Marks]) -> Marks:
    names = Marks.__dataclass_fields__
    return Marks(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
