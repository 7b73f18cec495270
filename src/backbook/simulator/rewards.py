"""Points and benefits: earned on what is bought, redeemed, lost after two years, and dear to the bank.

Points are counted by account in whole numbers. What was earned first goes first: redemptions take the points of
the years before, and what is left of these lapses at the end of the year, and all of them with the account.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backbook.simulator.book import OPEN, Book, State
from backbook.simulator.chance import Array, Chance
from backbook.simulator.days import Month, number_of
from backbook.simulator.postings import PURCHASE, REFUND, Postings
from backbook.simulator.settings import PRODUCTS
from backbook.simulator.words import CATEGORIES

EARNED, REDEEMED, LAPSED = range(3)
LOUNGE, WASH = range(2)
BENEFITS = ("贵宾厅", "洗车")
_BENEFIT_COST = np.array([12_000, 2_500])  # cents
# A point costs a fifth of a fen when it is earned; a quarter of them is never redeemed (breakage).
_POINT_COST = 0.2 * 0.75
_WHOLESALE = next(place for place, row in enumerate(CATEGORIES) if row[1] == "5999")


@dataclass(frozen=True)
class Rewards:
    """Movements of points and uses of benefits in a month: one row each."""

    account: Array
    day: Array
    second: Array
    kind: Array
    points: Array
    expires: Array  # day, of what was earned
    cost: Array  # cents
    use_account: Array
    use_day: Array
    use_second: Array
    benefit: Array
    use_cost: Array

    def cost_of(self, accounts: int) -> Array:
        """What they cost each account, in cents."""
        where = np.concatenate([self.account, self.use_account])
        cost = np.concatenate([self.cost, self.use_cost])
        return np.bincount(where, weights=cost, minlength=accounts).astype(np.int64)


def reward(chance: Chance, accounts: Book, state: State, month: Month, posted: Postings) -> Rewards:
    """Book the month's points into the state and tell what moved."""
    n = len(accounts)
    counts = np.isin(posted.code, (PURCHASE, REFUND)) & (posted.category != _WHOLESALE)
    spent = np.bincount(posted.account[counts], weights=posted.amount[counts], minlength=n)
    per_yuan = np.array([product.points_per_yuan for product in PRODUCTS])[accounts.product]
    earned = np.floor(spent / 100 * per_yuan).astype(np.int64)
    state.points += earned
    redeemed = _redeemed(chance, accounts, state, month)
    from_before = np.minimum(redeemed, np.maximum(state.points_before, 0))
    state.points_before -= from_before
    state.points -= redeemed - from_before
    # What is left goes with the account.
    gone = state.status != OPEN
    lapsed = np.where(gone, state.points + state.points_before, 0)
    state.points[gone] = state.points_before[gone] = 0
    if month.month == 12:
        lapsed += np.maximum(state.points_before, 0)
        state.points_before, state.points = state.points.copy(), np.zeros(n, np.int64)
    parts = [(EARNED, earned), (REDEEMED, -redeemed), (LAPSED, -lapsed)]
    account = np.concatenate([np.flatnonzero(points) for _, points in parts])
    kind = np.concatenate([np.full(np.count_nonzero(points), which) for which, points in parts])
    points = np.concatenate([points[points != 0] for _, points in parts])
    day = np.where(
        kind == REDEEMED,
        month.first + chance.whole(28, "redeem day", accounts.key[account], month=month.number),
        month.last,
    )
    return Rewards(
        account=account,
        day=day,
        second=np.array([82_800, 43_200, 86_000])[kind] + chance.whole(300, "points second", accounts.key[account], month=month.number),
        kind=kind,
        points=points,
        expires=np.full(len(account), number_of(month.end.replace(year=month.year + 1, month=12, day=31))),
        cost=np.where(kind == EARNED, np.round(points * _POINT_COST), 0).astype(np.int64),
        **_uses(chance, accounts, state, month),
    )  # fmt: skip


def _redeemed(chance: Chance, accounts: Book, state: State, month: Month) -> Array:
    """Whole thousands, by a few of those who have three thousand."""
    has = state.points + state.points_before
    wants = (state.status == OPEN) & (has >= 3_000) & chance.happens(0.05, "redeems", accounts.key, month=month.number)
    share = 0.4 + 0.6 * chance.uniform("redeems share", accounts.key, month=month.number)
    return np.where(wants, (has * share).astype(np.int64) // 1_000 * 1_000, 0)


def _uses(chance: Chance, accounts: Book, state: State, month: Month) -> dict[str, Array]:
    """Lounges for platinum cards, washes for drivers: used by who uses the card."""
    likely = np.array([{"platinum": 0.05, "cobrand": 0.12}.get(product.tier, 0.0) for product in PRODUCTS])
    active = (state.status == OPEN) & (state.last_use >= month.first)
    uses = active & chance.happens(likely[accounts.product], "benefit", accounts.key, month=month.number)
    account = np.flatnonzero(uses)
    key = accounts.key[account]
    tiers = [product.tier for product in PRODUCTS]
    benefit = np.where(accounts.product[account] == tiers.index("platinum"), LOUNGE, WASH)
    return {
        "use_account": account,
        "use_day": month.first + chance.whole(month.length, "benefit day", key, month=month.number),
        "use_second": 28_800 + chance.whole(36_000, "benefit second", key, month=month.number),
        "benefit": benefit,
        "use_cost": _BENEFIT_COST[benefit],
    }
