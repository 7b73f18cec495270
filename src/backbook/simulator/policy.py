"""The best that any policy could earn, and the best that a rule over segments can: the room for better decisions.

One offer, or none, for each customer in one month. The best policy knows the true mean effect of each offer on each
customer. The rule knows what a bank sees: it cuts the customers into the cells of three columns, and gives each cell
the offer that is truly best for it on average; of all triples of columns the best one counts. Both are chosen on half of
the futures and valued on the other half, so that neither is paid for luck.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from backbook.simulator.book import BILL, CLOSING, State
from backbook.simulator.chance import Array
from backbook.simulator.days import Month
from backbook.simulator.futures import Effects
from backbook.simulator.living import World
from backbook.simulator.offers import MARKETING

PIECES = 3  # of each column that a rule may use


@dataclass(frozen=True)
class Best:
    """Earned per customer in twelve months, in yuan; `chosen` is the treatment of the best policy, -1 none."""

    policy: float
    rule: float
    single: float  # the best single offer, to everybody
    columns: tuple[str, str, str]
    chosen: Array

    @property
    def ratio(self) -> float:
        return self.policy / self.rule


def best(found: Effects, seen: dict[str, Array]) -> Best:
    """`seen` are columns that the bank sees, one value per person."""
    who = np.flatnonzero(found.possible)
    halves = [found.value[part::2, who, : len(MARKETING)].mean(axis=0) / 100 for part in (0, 1)]
    pairs = [(halves[0], halves[1]), (halves[1], halves[0])]
    policy = np.mean([_earned(_choice(guess), truth) for guess, truth in pairs])
    single = np.mean([truth.mean(axis=0)[guess.mean(axis=0).argmax()] for guess, truth in pairs])
    pieces = {name: _pieces(column[who]) for name, column in seen.items()}
    rules = {}
    for names in combinations(pieces, 3):
        cell = np.ravel_multi_index([pieces[name] for name in names], (PIECES,) * 3)
        rules[names] = np.mean([_earned(_by_cell(cell, guess), truth) for guess, truth in pairs])
    names = max(rules, key=lambda one: rules[one])
    chosen = np.full(len(found.possible), -1)
    chosen[who] = _choice((halves[0] + halves[1]) / 2)
    return Best(float(policy), float(rules[names]), float(single), names, chosen)


def _choice(value: Array) -> Array:
    """The best offer of each customer, or -1 where none earns anything."""
    return np.where(value.max(axis=1) > 0, value.argmax(axis=1), -1)


def _by_cell(cell: Array, value: Array) -> Array:
    cells = PIECES**3
    size = np.maximum(np.bincount(cell, minlength=cells), 1)
    mean = np.stack([np.bincount(cell, weights=column, minlength=cells) / size for column in value.T], axis=1)
    return _choice(mean)[cell]


def _earned(choice: Array, truth: Array) -> float:
    return float(np.where(choice >= 0, truth[np.arange(len(truth)), np.maximum(choice, 0)], 0).mean())


def _pieces(column: Array) -> Array:
    edges = np.unique(np.quantile(column, [1 / 3, 2 / 3]))
    return np.searchsorted(edges, column, side="left")


def seen(world: World, state: State, month: Month) -> dict[str, Array]:
    """What a bank's segments are made of, by person, of the first account."""
    accounts = world.accounts
    first = np.searchsorted(accounts.person, np.arange(len(world.folk)))
    bill = {name: state.bill[first, place] for place, name in enumerate(BILL)}
    limit = np.maximum(state.limit[accounts.line[first]], 1)
    return {
        "days_idle": np.where(state.last_use[first] < 0, 9_999, month.last - state.last_use[first]),
        "utilisation": np.maximum(state.total()[first], 0) / limit,
        "statement": state.bill[first, CLOSING],
        "revolving": bill["revolving"],
        "purchases": bill["purchases"],
        "instalments": bill["instalments"],
        "limit": limit,
        "income": world.folk.income,
        "age": world.folk.age,
        "months_on_book": month.last - accounts.opened[first],
    }
