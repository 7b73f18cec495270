"""Warning rules: few conditions that hit few and hit right, and what is known of each.

Rules are found on some of the people and on the earlier dates, and believed only where neither taught them: on the other
people, on the last date. There each must hit better than chance, paid for the number of candidates (exact binomial,
Benjamini & Hochberg 1995), be at least as precise as asked, and on no date be clearly below it. What is said of a
rule's precision are the counts of those other people alone, so the search does not flatter it.

The rules kept follow one another: each is the one that adds most to those before it, and a unit is given the
precision of the first rule that hits it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from backbook.score.counting import Fine
from backbook.score.literals import Feature, Literal, feature
from backbook.score.search import Asked, Conjunction, apart, search, wilson

Marks = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

# At least this share of the folds finds the rules, the others confirm them: three of five, three of four.
FINDING = 0.6
# Fewer hits than these say nothing of a precision.
FEWEST = 30
# Nor is a rule worth a line that adds fewer to those before it.
FEWEST_ADDED = 10
# So many candidates for each rule asked go into the confirmation, and pay for one another.
CANDIDATES = 3
# Of the rules that chance alone would confirm, the share that may slip through.
FALSE_DISCOVERY = 0.05
# Two-sided 95 %.
SURE = 1.96


@dataclass(frozen=True)
class Wanted:
    """What the bank asks of its warning rules; a `precision` asked is absolute, a `lift` is over the rate of all."""

    at_most: int = 6
    hit_share: float = 0.02
    hit_in_all: float = 0.05
    literals: int = 3
    precision: float | None = None
    lift: float = 3.0

    def least(self, rate: float) -> float:
        """The least precision among rows with this rate of events."""
        return self.lift * rate if self.precision is None else self.precision


@dataclass(frozen=True)
class Counted:
    """Rows, and how many a rule hit and hit right."""

    rows: int
    base: int
    hits: int
    events: int

    @property
    def precision(self) -> float:
        return self.events / max(self.hits, 1)

    @property
    def rate(self) -> float:
        """The rate of events whether hit or not."""
        return self.base / max(self.rows, 1)

    @property
    def interval(self) -> tuple[float, float]:
        """In which the precision lies, 95 in 100 times."""
        low, high = wilson(np.array([float(self.events)]), np.array([float(self.hits)]), SURE)
        return float(low[0]), float(high[0])

    def canonical(self) -> dict[str, Any]:
        low, high = self.interval
        return {
            "rows": self.rows,
            "hits": self.hits,
            "events": self.events,
            "precision": round(self.precision, 6),
            "low": round(low, 6),
            "high": round(high, 6),
            "lift": round(self.precision / self.rate, 6) if self.base else None,
            "hit_rate": round(self.hits / max(self.rows, 1), 6),
        }


@dataclass(frozen=True)
class Rule:
    """One rule and its figures, all of people and of a date that did not teach it; `by_date` of such people alone."""

    code: str
    literals: tuple[Literal, ...]
    confirmed: Counted
    added: Counted
    by_date: tuple[tuple[date, Counted], ...]
    chance: float
    least: float

    @property
    def text(self) -> str:
        """The rule as an expression of the one language."""
        return " and ".join(literal.text for literal in self.literals)

    @property
    def zh(self) -> str:
        return "且".join(literal.zh for literal in self.literals)

    @property
    def en(self) -> str:
        return " and ".join(literal.en for literal in self.literals)

    @property
    def tier(self) -> str:
        """`sure` where the precision asked lies below the whole interval, `likely` where only below the figure."""
        return "sure" if self.confirmed.interval[0] >= self.least else "likely"

    def canonical(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "text": self.text,
            "zh": self.zh,
            "en": self.en,
            "tier": self.tier,
            "least_precision": round(self.least, 6),
            "chance": float(f"{self.chance:.3g}"),
            **self.confirmed.canonical(),
            "added_hits": self.added.hits,
            "added_precision": round(self.added.precision, 6),
            "by_date": [{"observed_on": day.isoformat()} | counted.canonical() for day, counted in self.by_date],
        }


@dataclass(frozen=True)
class Rows:
    """What the rules are mined from: features coded finely, who had the event, and when and in which fold they stand."""

    fines: Sequence[Fine]
    target: Marks
    day: Places
    fold: Places
    observed: Sequence[date]
    people: int

    @property
    def last(self) -> Marks:
        found: Marks = self.day == len(self.observed) - 1
        return found


@dataclass(frozen=True)
class Mined:
    """The rules kept, in their order, and what is left to the rows that none of them hits."""

    rules: tuple[Rule, ...]
    rest: Counted
    candidates: int
    confirmed: int


def mine(rows: Rows, wanted: Wanted, monotone: Mapping[str, str]) -> Mined:
    """The warning rules that these rows teach; none where nothing holds what is asked."""
    teaches = _teaching(rows.fold)
    finding = np.flatnonzero(teaches & ~rows.last if len(rows.observed) > 1 else teaches)
    judging = np.flatnonzero(~teaches & rows.last)
    features = [feature(fine, rows.target, finding, monotone.get(fine.name.name, "free")) for fine in rows.fines]
    candidates = _candidates(rows, features, finding, wanted)
    believed = [one for one in _better_than_chance(rows.target, judging, candidates) if _holds(rows, teaches, one, wanted)]
    return _in_order(rows, teaches, judging, believed, len(candidates), wanted)


def _teaching(fold: Places) -> Marks:
    """Rows of the folds that find; the others confirm."""
    numbers = np.unique(fold)
    found: Marks = np.isin(fold, numbers[: min(math.ceil(FINDING * len(numbers)), len(numbers) - 1)])
    return found


def _candidates(
    rows: Rows, features: Sequence[Feature], finding: Places, wanted: Wanted
) -> list[tuple[Conjunction, Marks]]:
    rate = float(rows.target[finding].mean()) if len(finding) else 0.0
    asked = Asked(
        least=wanted.least(rate),
        fewest=FEWEST,
        most=int(wanted.hit_share * len(finding)),
        literals=wanted.literals,
        repeats=max(1.0, len(rows.target) / max(rows.people, 1)),
    )
    if not 0 < rate < 1 or asked.least >= 1 or asked.most < asked.fewest:
        return []
    found = search(features, rows.target, finding, asked)
    return apart(found, features, finding, CANDIDATES * wanted.at_most)


Believed = tuple[Conjunction, Marks, float]


def _better_than_chance(
    target: Marks, judging: Places, candidates: Sequence[tuple[Conjunction, Marks]]
) -> list[Believed]:
    """The candidates whose hits are too right for chance, with that chance (exact binomial).

    Of all that are let through at most `FALSE_DISCOVERY` say nothing (Benjamini & Hochberg 1995): the chance of the
    n-th smallest is held against n of all candidates. Nobody stands twice among the rows of one date.
    """
    from scipy.stats import binom

    base = float(target[judging].mean()) if len(judging) else 0.0
    chances = [
        float(binom.sf(int(target[judging][hits[judging]].sum()) - 1, int(hits[judging].sum()), base))
        for _, hits in candidates
    ]
    order = np.argsort(chances, kind="stable")
    passed = [n for n, place in enumerate(order, 1) if chances[place] <= FALSE_DISCOVERY * n / len(order)]
    kept = set(order[: max(passed, default=0)].tolist())
    return [(*one, chances[place]) for place, one in enumerate(candidates) if place in kept]


def _holds(rows: Rows, teaches: Marks, one: Believed, wanted: Wanted) -> bool:
    """Whether a rule is as precise as asked on the last date, and on no date clearly less."""
    by_date = _by_date(rows, teaches, one[1])
    last = by_date[-1][1]
    steady = all(
        counted.hits < FEWEST or counted.interval[1] >= wanted.least(counted.rate) for _, counted in by_date
    )
    return last.hits >= FEWEST and last.precision >= wanted.least(last.rate) and steady


def _by_date(rows: Rows, teaches: Marks, hits: Marks) -> tuple[tuple[date, Counted], ...]:
    return tuple(
        (day, counted(rows.target, hits, np.flatnonzero(~teaches & (rows.day == place))))
        for place, day in enumerate(rows.observed)
    )


def counted(target: Marks, hits: Marks, among: Places) -> Counted:
    """Hits and right hits among the rows at these places."""
    hit, event = hits[among], target[among]
    return Counted(len(among), int(event.sum()), int(hit.sum()), int((hit & event).sum()))


def _in_order(
    rows: Rows, teaches: Marks, judging: Places, believed: Sequence[Believed], candidates: int, wanted: Wanted
) -> Mined:
    """The rules that add most, one after another, until nothing is added or too many rows are hit."""
    least = wanted.least(float(rows.target[judging].mean()) if len(judging) else 0.0)
    taken = np.zeros(len(rows.target), dtype=bool)
    rules: list[Rule] = []
    left = list(believed)
    while left and len(rules) < wanted.at_most:
        added = [counted(rows.target, hits & ~taken, judging) for _, hits, _ in left]
        place = max(range(len(left)), key=lambda n: (added[n].events - least * added[n].hits, -n))
        (found, hits, chance), adds = left.pop(place), added[place]
        if adds.hits < FEWEST_ADDED or adds.precision < least:
            break
        if (taken | hits)[judging].mean() > wanted.hit_in_all:
            continue
        confirmed, by_date = counted(rows.target, hits, judging), _by_date(rows, teaches, hits)
        rules.append(Rule(f"rule_{len(rules) + 1}", found.literals, confirmed, adds, by_date, chance, least))
        taken |= hits
    rest = judging[~taken[judging]]
    return Mined(tuple(rules), counted(rows.target, ~taken, rest), candidates, len(believed))
