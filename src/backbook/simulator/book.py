"""The book of a made-up issuer: its accounts and cards, and the state that each month changes.

`Book` never changes: who has which account, opened when, with which cycle day. `State` is all that a month
reads of the months before, so a state that was saved can be lived on from, this way or another.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from backbook.simulator.chance import Array, Chance
from backbook.simulator.days import NEVER, firsts_of, months_of
from backbook.simulator.people import STUDENT, People
from backbook.simulator.settings import (
    EARLY_CYCLE_DAYS,
    FULL,
    LATE_CYCLE_DAYS,
    MINIMUM,
    PLANS_AT_ONCE,
    PRODUCTS,
    UNUSED,
    Settings,
)

OPEN, CLOSED, WRITTEN_OFF = range(3)
AGES = 14  # statements that can be unpaid at once; what is older has been written off
# Who never agreed to offers: by app, SMS, call.
REFUSING = (0.08, 0.12, 0.30)
# What a statement prints, as the columns of State.bill.
BILL = (
    "on", "closing", "minimum", "total", "revolving", "instalments", "purchases", "advances", "payments", "interest",
    "fees", "limit", "cycles", "days_past_due", "fresh",
)  # fmt: skip
ON, CLOSING, LEAST, FRESH = BILL.index("on"), BILL.index("closing"), BILL.index("minimum"), BILL.index("fresh")


@dataclass(frozen=True)
class Book:
    """One row per account, in the order of `key`; accounts of a person who share a limit share a `line`."""

    key: Array  # person * 4 + place: the account in every draw
    person: Array  # position in People
    place: Array  # 0 the first account of the person, 1 the second
    line: Array  # position among the lines of this part
    lines: int
    line_key: Array  # key of each line
    opened: Array  # day
    activated: Array  # day, or NEVER
    cycle_day: Array
    early: Array  # the due date lies in the month of the statement
    product: Array
    autopay: Array
    own_record: Array  # opened under a second customer number of the same person
    first_limit: Array  # cents, of the line
    lot: Array  # whole number: decides who stands first where time does not, and says nothing of anybody
    app_since: Array  # per person: the day of registering in the app, or NEVER

    def __len__(self) -> int:
        return len(self.key)


_OF_PERSONS = ("pressure", "tired", "bound", "refused")
_OF_LINES = ("limit", "extra", "extra_until", "raised")


@dataclass
class State:
    """What a month hands to the next. Money in cents, days and months as whole numbers."""

    pressure: Array  # per person: what presses now
    tired: Array  # per person: offers still in memory
    bound: Array  # per person: the card lies in a wallet
    limit: Array  # per line
    extra: Array  # per line: a temporary limit on top
    extra_until: Array  # per line, day
    raised: Array  # per line: month of the last change
    status: Array
    closed: Array  # day
    leaving: Array  # has asked to close
    blocked: Array
    awake: Array
    last_use: Array  # day of the last purchase or cash advance, or -1
    uses: Array  # in this card year
    ledger: Array  # all postings: billed and unbilled, without instalments not yet due
    billed: Array  # of the last statement, not yet paid
    due: Array  # account x AGES: unpaid minimum of the last statement, the one before, …
    statement_month: Array  # of the last statement, or 0
    bill: Array  # account x BILL: the last statement as printed
    in_time: Array  # paid on the last statement by its due date
    cycle: Array  # account x 5: purchases, cash advances, payments, interest, fees since the last statement
    plan: Array  # account x plans: serial number, 0 none
    plan_principal: Array
    plan_left: Array  # principal not yet due
    plan_term: Array
    plan_done: Array  # instalments billed
    plan_rate: Array  # per month of the first principal
    plan_kind: Array
    plan_opened: Array  # day
    plans: Array  # plans ever made
    collected: Array  # day since which the account is in collection, or NEVER
    refused: Array  # person x channel: does not want offers there
    price: Array  # what is charged of the product's rate on what revolves
    price_until: Array  # day
    points: Array  # earned in this calendar year
    points_before: Array  # … and before it
    allowance: Array  # booked against losses to come

    def save(self, file: Path) -> None:
        """Keep the state, to be lived on from with `State.load`."""
        with file.open("wb") as stream:
            np.savez(stream, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, file: Path) -> State:
        with np.load(file, allow_pickle=False) as kept:
            return cls(**{field.name: kept[field.name] for field in fields(cls)})

    def copy(self) -> State:
        return State(**{field.name: getattr(self, field.name).copy() for field in fields(self)})

    def at(self, persons: Array, lines: Array, accounts: Array) -> State:
        """The state of some people, their lines and their accounts, each in the order given."""
        rows = dict.fromkeys(_OF_PERSONS, persons) | dict.fromkeys(_OF_LINES, lines)
        return State(
            **{field.name: getattr(self, field.name)[rows.get(field.name, accounts)].copy() for field in fields(self)}
        )

    def outstanding(self) -> Array:
        """Instalment principal not yet due, per account."""
        left: Array = self.plan_left.sum(axis=1)
        return left

    def total(self) -> Array:
        return self.ledger + self.outstanding()


def book(settings: Settings, chance: Chance, folk: People) -> Book:
    """The accounts that these people have or will open before the end."""
    numbers = folk.number
    second = chance.happens(np.where(folk.habit == UNUSED, 0.05, 0.16), "second account", numbers)
    person = np.sort(np.concatenate([np.arange(len(folk)), np.flatnonzero(second)]))
    place = np.zeros(len(person), np.int64)
    place[1:] = person[1:] == person[:-1]
    key = numbers[person] * 4 + place
    opened = _opened(settings, chance, folk, person, place, key)
    own_record = (place == 1) & chance.happens(0.09, "own record", key)
    starts_line = (place == 0) | own_record
    line = np.cumsum(starts_line) - 1
    product = _product(chance, folk, person, key)
    cycle_day = np.array([*EARLY_CYCLE_DAYS, *LATE_CYCLE_DAYS])[chance.whole(10, "cycle day", key)]
    return Book(
        key=key,
        person=person,
        place=place,
        line=line,
        lines=int(line[-1]) + 1,
        line_key=key[starts_line],
        opened=opened,
        activated=_activated(chance, folk, person, key, opened),
        cycle_day=cycle_day,
        early=cycle_day <= max(EARLY_CYCLE_DAYS),
        product=product,
        autopay=chance.happens(settings.autopay_share, "autopay", key),
        own_record=own_record,
        first_limit=_first_limit(chance, folk, person[starts_line], product[starts_line], key[starts_line]),
        lot=(chance.bits("lot", key) >> np.uint64(2)).astype(np.int64),
        app_since=_app_since(settings, chance, folk, opened[place == 0]),
    )


def _app_since(settings: Settings, chance: Chance, folk: People, opened: Array) -> Array:
    """Who has the bank's app, and since when; the young and the digital rather do."""
    likely = np.clip(settings.app_share + 0.10 * np.tanh(folk.digital), 0, 1)
    delay = (-240 * np.log1p(-chance.uniform("app delay", folk.number))).astype(np.int64)
    return np.where(chance.uniform("app user", folk.number) < likely, opened + delay, NEVER)


def _opened(settings: Settings, chance: Chance, folk: People, person: Array, place: Array, key: Array) -> Array:
    """Most came in the years before, the others in the month of their arrival; a second account follows years later."""
    start, arrives = settings.first.first, folk.arrives[person]
    before = start - 1 - (365 * (0.1 + 10 * chance.uniform("tenure", folk.number) ** 1.15)).astype(np.int64)[person]
    # Somebody who would have been a child came at nineteen.
    before = np.maximum(before, np.minimum(folk.birth[person] + 19 * 365 + 5, start - 40))
    within = firsts_of(arrives) + chance.whole(28, "new day", folk.number)[person]
    first = np.where(arrives > 0, within, before)
    later = first + 30 - (1_200 * np.log1p(-chance.uniform("second day", key))).astype(np.int64)
    return np.where(place == 0, first, later)


def _activated(chance: Chance, folk: People, person: Array, key: Array, opened: Array) -> Array:
    delay = (1 - 12 * np.log1p(-chance.uniform("activation", key))).astype(np.int64)
    never = chance.happens(np.where(folk.habit[person] == UNUSED, 0.45, 0.02), "never activated", key)
    return np.where(never, NEVER, opened + delay)


def _product(chance: Chance, folk: People, person: Array, key: Array) -> Array:
    product = chance.pick([product.weight for product in PRODUCTS], "product", key)
    rich, young = folk.income[person] > 22_000, folk.age[person] < 27
    product = np.where(rich & chance.happens(0.5, "platinum", key), 2, product)
    product = np.where(~rich & (product == 2), 1, product)
    return np.where(young & chance.happens(0.6, "young card", key), 3, np.where(~young & (product == 3), 0, product))


def _first_limit(chance: Chance, folk: People, person: Array, product: Array, key: Array) -> Array:
    of_income = np.array([product.limit_of_income for product in PRODUCTS])[product]
    luck = np.exp(0.35 * chance.normal("first limit", key))
    yuan = np.clip(folk.income[person] * of_income * luck, 2_000, 200_000)
    yuan = np.where(folk.occupation[person] == STUDENT, np.minimum(yuan, 5_000), yuan)
    cents: Array = (np.round(yuan, -3) * 100).astype(np.int64)
    return cents


def first_state(settings: Settings, chance: Chance, folk: People, accounts: Book) -> State:
    """The state before the first month of the warm-up."""
    n, start = len(accounts), settings.warm_up.first
    habit = folk.habit[accounts.person]
    asleep, last_use = _asleep(chance, folk, accounts, start)
    ledger = np.zeros(n, np.int64)
    # Who borrows begins near the debt that feels right; the warm-up takes it from there.
    borrows = (habit > FULL) & (accounts.activated < start) & ~asleep
    share = np.where(habit == MINIMUM, 0.9, 0.7) * folk.target[accounts.person]
    per_account = accounts.first_limit[accounts.line] / np.bincount(accounts.line)[accounts.line]
    ledger[borrows] = (share * per_account).astype(np.int64)[borrows]
    whole = np.zeros(n, np.int64)
    plans = np.zeros((n, PLANS_AT_ONCE), np.int64)
    return State(
        pressure=folk.pressure + 0.7 * chance.normal("first pressure", folk.number),
        tired=np.zeros(len(folk)),
        bound=chance.happens(settings.wallet_share, "wallet bound", folk.number),
        limit=accounts.first_limit.copy(),
        extra=np.zeros(accounts.lines, np.int64),
        extra_until=np.zeros(accounts.lines, np.int64),
        raised=months_of(accounts.opened)[np.unique(accounts.line, return_index=True)[1]],
        status=whole.copy(),
        closed=np.full(n, NEVER, np.int64),
        leaving=np.zeros(n, bool),
        blocked=np.zeros(n, bool),
        awake=~asleep,
        last_use=last_use,
        uses=whole.copy(),
        ledger=ledger,
        billed=whole.copy(),
        due=np.zeros((n, AGES), np.int64),
        statement_month=whole.copy(),
        bill=np.zeros((n, len(BILL)), np.int64),
        in_time=whole.copy(),
        cycle=np.zeros((n, 5), np.int64),
        plan=plans.copy(),
        plan_principal=plans.copy(),
        plan_left=plans.copy(),
        plan_term=plans.copy(),
        plan_done=plans.copy(),
        plan_rate=plans.astype(float),
        plan_kind=plans.copy(),
        plan_opened=plans.copy(),
        plans=whole.copy(),
        collected=np.full(n, NEVER, np.int64),
        refused=np.stack(
            [chance.happens(share, f"refuses {k}", folk.number) for k, share in enumerate(REFUSING)], axis=1
        ),
        price=np.ones(n),
        price_until=whole.copy(),
        points=np.where(accounts.opened < start, chance.whole(8_000, "first points", accounts.key), 0),
        points_before=whole.copy(),
        allowance=whole.copy(),
    )


def sleep_hazard(folk: People, person: Array) -> Array:
    """The chance that a card in use falls asleep within a month."""
    usual = 0.0046 * np.exp(-0.5 * folk.loyalty[person] - 0.35 * folk.activity[person])
    return np.clip(usual * folk.sleepiness[person], 0, 0.2)


def wake_hazard(folk: People, person: Array) -> Array:
    """The chance that a sleeping card is used again within a month, nobody asking."""
    usual = 0.020 * np.exp(0.3 * folk.loyalty[person] + 0.2 * folk.activity[person])
    return np.clip(np.where(folk.habit[person] == UNUSED, 0.004, usual), 0, 0.3)


def _asleep(chance: Chance, folk: People, accounts: Book, start: int) -> tuple[Array, Array]:
    """Who sleeps at the start and since when: the long run of falling asleep and waking."""
    falls, wakes = sleep_hazard(folk, accounts.person), wake_hazard(folk, accounts.person)
    unused = folk.habit[accounts.person] == UNUSED
    asleep = unused | chance.happens(falls / (falls + wakes), "asleep", accounts.key)
    since = start - (-30.4 / wakes * np.log1p(-chance.uniform("asleep since", accounts.key))).astype(np.int64)
    used_once = ~unused | chance.happens(0.4, "used once", accounts.key)
    awake_use = start - chance.whole(20, "last use", accounts.key)
    last_use = np.where(asleep, since, awake_use)
    known = used_once & (last_use > accounts.activated) & (accounts.activated < start)
    return asleep & (accounts.opened < start) | unused, np.where(known, last_use, -1)
