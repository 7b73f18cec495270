"""What must hold in any made-up world: money is conserved, chance belongs to its owner, nothing leaks a trait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from backbook.errors import NotAllowed
from backbook.simulator.bank import present_policy
from backbook.simulator.book import BILL, OPEN, State
from backbook.simulator.chance import Chance
from backbook.simulator.days import Month
from backbook.simulator.living import Facts, World, begin, live
from backbook.simulator.people import numbers_of, people
from backbook.simulator.postings import ALL_AT_ONCE, INSTALMENT, INTO_INSTALMENTS
from backbook.simulator.records import Registry
from backbook.simulator.settings import Settings
from backbook.simulator.words import CATEGORIES

END = date(2026, 10, 31)


def lived(customers: int, seed: int, months: int = 24) -> Iterator[tuple[World, State, Month, Facts]]:
    """The months of a small world, the warm-up included."""
    world, state = world_of(customers, months, seed)
    for number in range(world.settings.warm_up.number, world.settings.last.number + 1):
        month = Month(number)
        yield world, state, month, step(world, state, month)


def world_of(customers: int, months: int, seed: int, **more: object) -> tuple[World, State]:
    """Everybody of a small issuer, newcomers included."""
    settings = Settings(customers, months, seed, END, **more)  # type: ignore[arg-type]
    return begin(settings, numbers_of(settings, 0, customers))


def step(world: World, state: State, month: Month) -> Facts:
    return live(world, state, month, present_policy(world.chance, world.folk, world.accounts, state, month))


def sums(facts: Facts, accounts: int, *without: int) -> np.ndarray:
    posted = facts.postings.at(~np.isin(facts.postings.code, without))
    return np.bincount(posted.account, weights=posted.amount, minlength=accounts).astype(np.int64)


@settings(max_examples=6, deadline=None)
@given(some.integers(0, 10**6))
def test_opening_balance_and_postings_give_the_closing_balance(seed: int) -> None:
    world, state = world_of(150, 6, seed)
    for number in range(world.settings.warm_up.number, world.settings.last.number + 1):
        before, total_before = state.ledger.copy(), state.total()
        facts = step(world, state, Month(number))
        accounts = len(world.accounts)
        assert (before + sums(facts, accounts) == state.ledger).all()
        # Moving debt into instalments and back leaves all that is owed as it was.
        moved = sums(facts, accounts, INTO_INSTALMENTS, INSTALMENT, ALL_AT_ONCE)
        assert (total_before + moved == state.total()).all()


@settings(max_examples=4, deadline=None)
@given(some.integers(0, 10**6))
def test_statements_follow_from_what_was_posted(seed: int) -> None:
    column = {name: place for place, name in enumerate(BILL)}
    drawn = 0
    for world, state, month, facts in lived(120, seed, months=6):
        bill, posted = state.bill, facts.postings
        assert (bill[:, column["minimum"]] <= np.maximum(bill[:, column["closing"]], 0)).all()
        assert (state.due >= 0).all() and (state.due.sum(axis=1) <= np.maximum(state.billed, 0)).all()
        on = month.first + world.accounts.cycle_day - 1
        for account in facts.billed.tolist():
            after = posted.amount[(posted.account == account) & (posted.day > on[account])].sum()
            assert bill[account, column["closing"]] == state.ledger[account] - after
        drawn += len(facts.billed)
    assert drawn > 500


@settings(max_examples=4, deadline=None)
@given(some.integers(0, 10**6))
def test_every_line_of_profit_follows_from_facts_that_are_counted_slowly(seed: int) -> None:
    """One account at a time, in plain Python."""
    world, state = world_of(60, 3, seed)
    for number in range(world.settings.warm_up.number, world.settings.last.number + 1):
        before, set_aside = state.total(), state.allowance.copy()
        facts = step(world, state, Month(number))
    for account in range(len(world.accounts)):
        assert facts.profit[account].tolist() == slow_profit(world, state, facts, account, before, set_aside)


def slow_profit(
    world: World, state: State, facts: Facts, account: int, before: np.ndarray, set_aside: np.ndarray
) -> list[int]:
    posted = facts.postings.at(facts.postings.account == account)
    rows = list(zip(posted.code.tolist(), posted.amount.tolist(), posted.category.tolist(), strict=True))

    def total(*codes: int) -> int:
        return sum(amount for code, amount, _ in rows if code in codes)

    free = [k for k, category in enumerate(CATEGORIES) if category[1] in ("8062", "8299")]
    bought = sum(amount for code, amount, category in rows if code in (1000, 3000) and category not in free)
    income = [round(0.004175 * bought), total(6000), total(6100), total(5000, 5900), total(5100), total(5200)]
    lent = max(int(before[account]), 0) + max(int(state.total()[account]), 0)
    cycles, moved = int(facts.cycles[account]), facts.rewards
    kept = round(
        (0.010, 0.06, 0.22, 0.42, 0.58, 0.68, 0.75, 0.82)[min(cycles, 7)] * max(int(state.total()[account]), 0)
    )
    cost = int(moved.cost[moved.account == account].sum() + moved.use_cost[moved.use_account == account].sum())
    there = state.status[account] == OPEN and world.accounts.opened[account] <= facts.month.last
    work = 80 * bool(np.isin(account, facts.billed)) + 40 * bool(there) + 1_500 * (cycles > 0)
    asked = facts.decisions.contacts
    mine = (asked.account == account) & ~asked.held_out
    answered = {1: account in facts.woken, 2: world.accounts.person[account] in facts.bound}
    gifts = sum({1: 1_500, 2: 800}.get(offer, 0) * answered.get(offer, False) for offer in asked.offer[mine].tolist())
    contact = sum((0, 4, 320)[channel] for channel in asked.channel[mine].tolist()) + gifts
    return [
        *income, -round(sum(income) * 0.06 / 1.06), -round(0.002 * lent / 2), total(8000, 8101),
        int(set_aside[account]) - kept, -cost, -work, -contact,
    ]  # fmt: skip


def test_a_state_that_was_saved_is_lived_on_from_as_if_nothing_had_happened(tmp_path: Path) -> None:
    world, state = world_of(200, 6, 3)
    first = world.settings.warm_up.number
    for number in range(first, first + 8):
        step(world, state, Month(number))
    state.save(tmp_path / "state.npz")
    kept = State.load(tmp_path / "state.npz")
    for number in range(first + 8, first + 12):
        one, other = step(world, state, Month(number)), step(world, kept, Month(number))
        for field in fields(one.postings):
            assert (getattr(one.postings, field.name) == getattr(other.postings, field.name)).all()
    for field in fields(State):
        assert (getattr(state, field.name) == getattr(kept, field.name)).all(), field.name


def test_another_decision_for_one_customer_leaves_all_others_as_they_were() -> None:
    world, state = world_of(200, 6, 3)
    other_world, other = world_of(200, 6, 3)
    theirs = other_world.accounts.line != 5
    other.limit[5] *= 3
    other.awake[~theirs] = ~other.awake[~theirs]  # so that they buy more, or less, than they did
    for number in range(world.settings.warm_up.number, world.settings.warm_up.number + 10):
        step(world, state, Month(number))
        step(other_world, other, Month(number))
    assert (state.ledger[theirs] == other.ledger[theirs]).all()
    assert (state.ledger[~theirs] != other.ledger[~theirs]).any()


def test_a_part_lives_the_same_life_alone_and_within_the_whole() -> None:
    world, state = world_of(200, 6, 3)
    settings = Settings(200, 6, 3, END)
    part, its = begin(settings, numbers_of(settings, 100, 200))
    inside = np.isin(world.accounts.key, part.accounts.key)
    assert len(part.folk) > 100 and inside.sum() == len(part.accounts)
    for number in range(world.settings.warm_up.number, world.settings.warm_up.number + 10):
        step(world, state, Month(number))
        step(part, its, Month(number))
    assert (state.ledger[inside] == its.ledger).all()


def test_the_book_looks_like_the_published_ones() -> None:
    """Wide bounds: 6,000 customers, not the whole market. Figures and sources: docs/simulator.md."""
    world, state = world_of(6_000, 24, 1)
    worst: list[np.ndarray] = []
    for number in range(world.settings.warm_up.number, world.settings.last.number + 1):
        facts = step(world, state, Month(number))
        worst.append(facts.days_past_due)
    last = world.settings.last
    accounts = world.accounts
    there = (state.status == OPEN) & (accounts.opened <= last.last)
    owed = np.maximum(state.total(), 0)
    limits = state.limit[np.unique(accounts.line[there])].sum()
    long_idle = (
        there
        & (last.last - np.maximum(state.last_use, 0) > 548)
        & (accounts.opened < last.last - 548)
        & (state.total() == 0)
    )
    known = (accounts.opened <= Month(last.number - 12).last) & (worst[-13] <= 90)
    bad = np.max(worst[-12:], axis=0)[known] > 90
    assert 0.30 < owed[there].sum() / limits < 0.46
    assert 0.005 < owed[facts.days_past_due > 180].sum() / owed.sum() < 0.028
    assert 0.12 < long_idle.sum() / there.sum() < 0.18
    assert 0.015 < bad.mean() < 0.04


def test_no_id_and_no_order_leaks_a_trait() -> None:
    settings = Settings(4_000, 6, 5, END)
    world, _ = begin(settings, np.arange(4_000))
    registry = Registry(world)
    numbers = {
        "person": world.folk.number,
        "customer_no": np.array([int(text) for text in registry.customer_no.to_pylist()[:4_000]]),
        "user_id": np.array([int(text[1:]) for text in registry.user_id.to_pylist()]),
    }
    for trait in ("need", "pressure", "income", "loyalty", "digital", "habit"):
        ranks = np.argsort(np.argsort(getattr(world.folk, trait)))
        for name, number in numbers.items():
            correlation = np.corrcoef(ranks, np.argsort(np.argsort(number)))[0, 1]
            # Three and a half standard errors of a rank correlation over 4,000 people.
            assert abs(correlation) < 0.055, (trait, name, correlation)


def test_ids_never_meet() -> None:
    chance = Chance(1)
    scrambled = chance.shuffled("id", np.arange(60_000), bits=16 + 2)
    assert len(np.unique(scrambled)) == 60_000


def test_luck_is_even_and_belongs_to_its_owner() -> None:
    chance = Chance(1)
    luck = chance.uniform("spend", np.arange(100_000), month=7)
    assert abs(luck.mean() - 0.5) < 0.005 and abs(luck.var() - 1 / 12) < 0.001
    assert (chance.uniform("spend", np.arange(50, 60), month=7) == luck[50:60]).all()
    other = chance.uniform("spend", np.arange(100_000), month=8)
    assert abs(np.corrcoef(luck, other)[0, 1]) < 0.01
    counts = chance.count(np.full(100_000, 4.0), "count", np.arange(100_000))
    assert abs(counts.mean() - 4) < 0.03 and abs(counts.var() - 4) < 0.1


def test_the_mix_of_customers_is_a_parameter() -> None:
    mix = {"unused": 0.5, "full": 0.1, "instalment": 0.2, "revolver": 0.1, "minimum": 0.1}
    folk = people(Settings(20_000, 6, 1, END, mix=mix), Chance(1), np.arange(20_000))
    shares = np.bincount(folk.habit, minlength=5) / 20_000
    assert np.abs(shares - list(mix.values())).max() < 0.015


@pytest.mark.parametrize(
    ("mix", "told"),
    [
        ({"unused": 0.5, "full": 0.6, "instalment": 0, "revolver": 0, "minimum": 0}, "add up to 1.1"),
        ({"unused": 1.5, "full": -0.5, "instalment": 0, "revolver": 0, "minimum": 0}, "between 0 and 1"),
        ({"unused": 1.0}, "It needs exactly"),
    ],
)
def test_a_mix_that_cannot_be_is_refused(mix: dict[str, float], told: str) -> None:
    with pytest.raises(NotAllowed, match=told):
        Settings(100, 6, 1, END, mix=mix)


def test_a_downturn_makes_more_accounts_fall_behind() -> None:
    late = []
    for downturn in (0.0, 1.0):
        world, state = world_of(1_500, 6, 1, downturn=downturn)
        for number in range(world.settings.warm_up.number, world.settings.last.number + 1):
            facts = step(world, state, Month(number))
        late.append(int((facts.days_past_due > 30).sum()))
    assert late[1] > late[0] * 1.3


@pytest.mark.parametrize("share", [0.08, 0.30])
def test_the_share_in_instalments_and_of_long_sleep_are_parameters(share: float) -> None:
    world, state = world_of(1_500, 12, 1, instalment_share=share, long_sleeping_share=share)
    for number in range(world.settings.warm_up.number, world.settings.last.number + 1):
        step(world, state, Month(number))
    last = world.settings.last.last
    there = (state.status == OPEN) & (world.accounts.opened <= last)
    old = there & (world.accounts.opened < last - 548)
    asleep = old & (last - np.maximum(state.last_use, 0) > 548) & (state.total() == 0)
    assert abs(state.outstanding().sum() / np.maximum(state.total(), 0).sum() - share) < 0.35 * share
    assert abs(asleep.sum() / there.sum() - share) < 0.35 * share
