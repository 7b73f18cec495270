"""The truth beside the files: profit that follows from postings, chances that come true, effects that are there."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from backbook.simulator import simulate
from backbook.simulator.bank import Contacts, Decisions, no_contacts, nothing, present_policy
from backbook.simulator.book import State
from backbook.simulator.days import Month
from backbook.simulator.futures import (
    TREATMENTS,
    Effects,
    auc,
    effects,
    likely,
    limits_up,
    lived,
    prices_down,
    sample,
    untouched,
)
from backbook.simulator.living import World, begin, live
from backbook.simulator.offers import CASH_OFFER, INSTALMENT_OFFER, SMS, WAKE_OFFER, WALLET_OFFER, wishes
from backbook.simulator.people import numbers_of
from backbook.simulator.policy import best, seen
from backbook.simulator.profit import LINES
from backbook.simulator.settings import Settings

END = date(2026, 10, 31)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("true")
    simulate(folder, 500, 6, seed=2)
    return folder


def postings(folder: Path, month: str) -> dict[str, list[str]]:
    """Every posting of a month as last told, by its number."""
    found = {}
    for file in sorted((folder / "raw" / "core").glob(f"JYLS_{month}*.gz")):
        for line in gzip.decompress(file.read_bytes()).decode().splitlines():
            found[line.split("\x01")[0]] = line.split("\x01")
    return found


def balances(folder: Path, day: str) -> dict[str, tuple[Decimal, Decimal]]:
    """Ledger and instalments not yet due of each account, as the core tells them."""
    data = gzip.decompress((folder / "raw" / "core" / f"ZHXX_{day}_001.dat.gz").read_bytes()).decode()
    rows = [line.split("|+|") for line in data.splitlines()]
    return {row[0]: (Decimal(row[10]), Decimal(row[12])) for row in rows}


def test_in_the_files_opening_balance_and_postings_give_the_closing_balance(issuer: Path) -> None:
    opening = balances(issuer, "20260930")
    moved: dict[str, Decimal] = defaultdict(Decimal)
    for posting in postings(issuer, "202610").values():
        moved[posting[1]] += Decimal(posting[5])
    closing = balances(issuer, "20261031")
    assert len(closing) > 400
    for account, (ledger, _) in closing.items():
        assert opening.get(account, (Decimal(0),))[0] + moved[account] == ledger, account


def test_every_line_of_the_ledger_is_the_sum_of_its_accounts_and_follows_from_the_postings(issuer: Path) -> None:
    profit = pq.read_table(issuer / "truth" / "profit_20261031_001.parquet").to_pydict()
    with (issuer / "raw" / "core" / "ZZXX_20261031_000.csv").open(encoding="utf-8") as stream:
        ledger = {row["KM"]: Decimal(row["JE"]) for row in csv.DictReader(stream)}
    for line in LINES:
        assert ledger[line] == Decimal(sum(profit[line])) / 100
    by_code: dict[str, Decimal] = defaultdict(Decimal)
    for posting in postings(issuer, "202610").values():
        by_code[posting[4]] += Decimal(posting[5])
    assert ledger["interest"] == by_code["6000"]
    assert ledger["instalment_interest"] == by_code["6100"]
    assert ledger["annual_fee"] == by_code["5000"] + by_code["5900"]
    assert ledger["charge_off"] == by_code["8000"] + by_code["8101"]
    points = [
        row
        for file in (issuer / "raw" / "core").glob("JFLS_20261031*.csv")
        for row in csv.DictReader(file.open(encoding="utf-8"))
    ]
    uses = [
        row
        for file in (issuer / "raw" / "core").glob("QYHX_20261031*.csv")
        for row in csv.DictReader(file.open(encoding="utf-8"))
    ]
    assert ledger["rewards"] == -sum(Decimal(row["CB"]) for row in [*points, *uses])


# ── lives ──


def old_issuer(customers: int, seed: int, months: int = 6) -> tuple[World, State]:
    made = Settings(customers, months, seed, END)
    world, state = begin(made, numbers_of(made, 0, customers))
    for number in range(made.warm_up.number, made.last.number + 1):
        month = Month(number)
        live(
            world, state, month, present_policy(world.chance, world.folk, world.accounts, state, month), in_detail=False
        )
    return world, state


@pytest.fixture(scope="module")
def old() -> tuple[World, State]:
    return old_issuer(4_000, 5)


@settings(max_examples=3, deadline=None)
@given(some.integers(0, 10**6))
def test_a_life_without_detail_is_the_same_life(seed: int) -> None:
    made = Settings(150, 3, seed, END)
    twice = [begin(made, numbers_of(made, 0, 150)) for _ in range(2)]
    for number in range(made.warm_up.number, made.warm_up.number + 8):
        told = []
        for (world, state), detail in zip(twice, (True, False), strict=True):
            month = Month(number)
            decisions = present_policy(world.chance, world.folk, world.accounts, state, month)
            told.append(live(world, state, month, decisions, in_detail=detail))
        assert (told[0].profit == told[1].profit).all()
    assert (twice[0][1].ledger == twice[1][1].ledger).all() and (twice[0][1].points == twice[1][1].points).all()


@settings(max_examples=4, deadline=None)
@given(some.integers(0, 10**6))
def test_profit_adds_up_to_what_was_posted_and_points_to_what_moved(seed: int) -> None:
    """Over any span the allowance moves from what it was to what it is, and income is what was charged."""
    made = Settings(200, 3, seed, END)
    world, state = begin(made, numbers_of(made, 0, 200))
    total = np.zeros((len(world.accounts), len(LINES)), np.int64)
    before, charged = state.allowance.copy(), 0
    for number in range(made.warm_up.number, made.last.number + 1):
        month = Month(number)
        points = state.points + state.points_before
        facts = live(world, state, month, present_policy(world.chance, world.folk, world.accounts, state, month))
        moved = np.bincount(facts.rewards.account, weights=facts.rewards.points, minlength=len(points))
        assert (points + moved == state.points + state.points_before).all()
        total += facts.profit
        codes = (5000, 5100, 5200, 5900, 6000, 6100)
        charged += int(facts.postings.amount[np.isin(facts.postings.code, codes)].sum())
    column = {name: total[:, place] for place, name in enumerate(LINES)}
    assert (column["allowance"] == before - state.allowance).all()
    assert (
        sum(column[name].sum() for name in ("interest", "instalment_interest", "annual_fee", "late_fee", "cash_fee"))
        == charged
    )
    assert (column["operations"] <= 0).all() and (column["contact"] <= 0).all() and (column["funding"] <= 0).all()


def test_what_was_likely_comes_true_as_often_as_it_was(old: tuple[World, State]) -> None:
    world, state = old
    part, its = sample(world, state, world.settings.last, 1_200)
    found = likely(part, its, world.settings.last, 25)
    again = likely(part, its, world.settings.last, 26)
    # One more future, in which some default and most do not: the shares of the others foretold how many.
    last = np.round(again.default * 26 - found.default * 25).astype(bool)[found.at_risk]
    expected = found.default[found.at_risk]
    error = np.sqrt((expected * (1 - expected)).sum()) + 3
    assert abs(last.sum() - expected.sum()) < 3.5 * error
    assert auc(expected, last) > 0.7
    assert 0.75 < found.ranks < 0.92


def test_the_lift_that_is_told_is_the_lift_that_happens(old: tuple[World, State]) -> None:
    """Write to everybody and to nobody in the same month: the difference in answers is the sum of the lifts."""
    world, state = old
    accounts, month = world.accounts, Month(world.settings.last.number + 1)
    everybody = np.flatnonzero((accounts.place == 0) & (accounts.opened < month.first))
    for offer in (WAKE_OFFER, WALLET_OFFER, INSTALMENT_OFFER, CASH_OFFER):
        n = len(everybody)
        asked = Contacts(
            everybody, np.full(n, offer), np.full(n, SMS), np.full(n, month.first), np.full(n, 36_000),
            np.ones(n), np.zeros(n, bool), np.full(n, "", object),
        )  # fmt: skip
        answers = []
        for contacts in (asked, no_contacts()):
            its, none = state.copy(), nothing()
            facts = live(world, its, month, Decisions(none.limits, contacts, none.prices, none.executions))
            codes = facts.postings.code
            answered = {
                WAKE_OFFER: facts.woken,
                WALLET_OFFER: facts.bound,
                INSTALMENT_OFFER: np.setdiff1d(
                    facts.postings.account[codes == 7100], facts.postings.account[codes == 2100]
                ),
                CASH_OFFER: facts.postings.account[codes == 2100],
            }[offer]
            answers.append(len(answered))
            lift = facts.wishes.lift[offer, everybody]
        expected = lift.sum()
        assert expected > 5
        assert abs(answers[0] - answers[1] - expected) < 4 * np.sqrt(np.abs(lift).sum()) + 0.15 * expected, offer


def test_contacts_tire(old: tuple[World, State]) -> None:
    world, state = old
    none = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    fresh, weary = state.copy(), state.copy()
    fresh.tired[:], weary.tired[:] = 0, 6
    first = wishes(world.folk, world.accounts, fresh, none, None).offered[WAKE_OFFER]
    then = wishes(world.folk, world.accounts, weary, none, None).offered[WAKE_OFFER]
    assert then.mean() < 0.3 * first.mean() and (then < 0).mean() > (first < 0).mean()


def test_limits_and_prices_change_what_customers_do(old: tuple[World, State]) -> None:
    """More limit: more bought, more owed, more lost. A lower price: more is left standing, and fewer leave."""
    world, state = old
    month = Month(world.settings.last.number + 1)
    told = {}
    for name, decide in (("as ever", untouched), ("limit up", limits_up), ("price down", prices_down)):
        its, spent, lost, left = state.copy(), 0, 0, 0
        for number in range(month.number, month.number + 9):
            now = Month(number)
            decisions = decide(world, its, now) if number == month.number else nothing()
            facts = live(world, its, now, decisions, in_detail=False)
            spent += int(facts.postings.amount[facts.postings.code == 1000].sum())
            lost += int(facts.profit[:, [LINES.index("charge_off"), LINES.index("allowance")]].sum())
            left += len(facts.asked_to_close)
        told[name] = (spent, int(np.maximum(its.total(), 0).sum()), lost, left)
    ever, more, cheaper = told["as ever"], told["limit up"], told["price down"]
    assert more[0] > 1.01 * ever[0] and more[1] > 1.05 * ever[1] and more[2] < ever[2]
    assert cheaper[1] > 1.001 * ever[1] and cheaper[3] <= ever[3]


def test_the_effect_of_an_offer_is_the_difference_of_two_worlds(old: tuple[World, State]) -> None:
    """The weighed difference of yes and no, and the plain one of worlds with and without, have the same mean."""
    world, state = old
    part, its = sample(world, state, world.settings.last, 400)
    month, futures = world.settings.last, 5
    told = effects(part, its, month, futures)
    place = told.treatments.index("WAKE")
    first = np.searchsorted(part.accounts.person, np.arange(len(part.folk)))
    n = len(first)

    def written(world_: World, state_: State, now: Month) -> Decisions:
        asked = Contacts(
            first, np.full(n, WAKE_OFFER), np.full(n, SMS), np.full(n, now.first), np.full(n, 36_000), np.ones(n),
            np.zeros(n, bool), np.full(n, "", object),
        )  # fmt: skip
        none = nothing()
        return Decisions(none.limits, asked, none.prices, none.executions)

    plain = []
    for future in range(1, futures + 1):
        with_it, without = (lived(part, its, month, future, decide) for decide in (written, untouched))
        plain.append(np.bincount(part.accounts.person, weights=with_it.profit - without.profit, minlength=n))
    ours, theirs = told.value[:, :, place] / 100, np.array(plain) / 100
    error = theirs.std() / np.sqrt(theirs.size) + ours.std() / np.sqrt(ours.size)
    # In the plain worlds the contact tires too: a little is lost of the offers of later months.
    assert abs(ours.mean() - theirs.mean()) < 3.5 * error + 0.2
    assert ours.std() < 0.6 * theirs.std()


def test_who_knows_the_effects_does_better_than_a_rule_and_both_are_paid_on_other_futures() -> None:
    random = np.random.default_rng(1)
    n, futures = 3_000, 20
    column = random.normal(size=n)
    true = np.stack([column + random.normal(size=n), -column, np.full(n, 0.1), np.full(n, -0.1)], axis=1)
    value = np.zeros((futures, n, 8))
    value[:, :, :4] = 100 * (true + random.normal(size=(futures, n, 4)))
    found = best(
        Effects(TREATMENTS, np.zeros((n, 8)), value, np.ones(n, bool)),
        {"column": column, "noise": random.normal(size=n), "other": random.normal(size=n)},
    )
    perfect = np.maximum(true.max(axis=1), 0).mean()
    assert 0.9 * perfect < found.policy < 1.02 * perfect
    assert found.single < found.rule < found.policy and "column" in found.columns


def test_what_a_rule_may_read_is_what_the_bank_sees(old: tuple[World, State]) -> None:
    world, state = old
    columns = seen(world, state, world.settings.last)
    assert all(len(column) == len(world.folk) for column in columns.values())
    assert not set(columns) & {"pressure", "need", "loyalty", "habit", "target", "wake_taste"}
