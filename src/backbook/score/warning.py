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
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from backbook.customer.shares import wilson
from backbook.score.counting import Codes, Grid
from backbook.score.definition import Hits
from backbook.score.literals import Literal, feature
from backbook.score.search import Bounds, Conjunction, apart, search, telling

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
# Where nothing is to be found, a rule may be believed once in so many trainings: 2 %, so that not even a hundred
# trainings by chance show more than five.
FALSE_DISCOVERY = 0.02


@dataclass(frozen=True)
class Rows:
    """What rules are mined from: features as fine codes, who had the event, on which day and in which fold each stands."""

    features: Sequence[tuple[Grid, Codes]]
    target: Marks
    day: Places
    fold: Places
    observed: Sequence[date]
    people: int

    @property
    def teaches(self) -> Marks:
        """Rows of the folds that find; the others confirm."""
        numbers = np.unique(self.fold)
        found: Marks = np.isin(self.fold, numbers[: min(math.ceil(FINDING * len(numbers)), len(numbers) - 1)])
        return found

    @property
    def finding(self) -> Places:
        """The rows that find: of the people who teach, on all dates but the last (where there is one date: on that)."""
        return np.flatnonzero(self.teaches & ~self._last if len(self.observed) > 1 else self.teaches)

    @property
    def judging(self) -> Places:
        """The rows that confirm: of the other people, on the last date. Nobody stands twice among them."""
        return np.flatnonzero(~self.teaches & self._last)

    @property
    def _last(self) -> Marks:
        found: Marks = self.day == len(self.observed) - 1
        return found


@dataclass(frozen=True)
class Counted:
    """Rows, and how many of them a rule hit and hit right."""

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
        return wilson(self.events, self.hits)

    @property
    def hit_interval(self) -> tuple[float, float]:
        """In which the share of rows hit lies, 95 in 100 times."""
        return wilson(self.hits, self.rows)

    def __add__(self, other: Counted) -> Counted:
        return Counted(
            self.rows + other.rows, self.base + other.base, self.hits + other.hits, self.events + other.events
        )

    def canonical(self) -> dict[str, Any]:
        low, high = self.interval
        return {
            "rows": self.rows,
            "base": self.base,
            "hits": self.hits,
            "events": self.events,
            "hit_rate": round(self.hits / max(self.rows, 1), 6),
            "precision": round(self.precision, 6),
            "low": round(low, 6),
            "high": round(high, 6),
            "lift": round(self.precision / self.rate, 6) if self.base else None,
        }


def counted(target: Marks, hit: Marks, among: Places) -> Counted:
    """Hits and right hits among the rows at these places."""
    return Counted(len(among), int(target[among].sum()), int(hit[among].sum()), int((hit[among] & target[among]).sum()))


@dataclass(frozen=True)
class Rule:
    """One rule and its figures, all of people who did not teach it; `confirmed` and `added` are of the last date.

    `added` counts those hit by no rule before it, `chance` is how likely pure luck would be as right on the last date.
    """

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
        return "，且".join(literal.zh for literal in self.literals)

    @property
    def en(self) -> str:
        return " and ".join(literal.en for literal in self.literals)

    @property
    def tier(self) -> str:
        """`sure` where the whole interval lies at or above the precision asked, `likely` where the figure alone does."""
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
            "by_date": [{"observed_on": day.isoformat()} | found.canonical() for day, found in self.by_date],
        }


@dataclass(frozen=True)
class Mined:
    """The rules kept, in their order; what they hit together on the last date; how many candidates were confirmed."""

    rules: tuple[Rule, ...]
    together: Counted
    candidates: int
    confirmed: int

    @property
    def rest(self) -> float:
        """The rate of events among those whom no rule hits."""
        found = self.together
        return (found.base - found.events) / max(found.rows - found.hits, 1)


def mine(rows: Rows, asked: Hits, monotone: Mapping[str, str]) -> Mined:
    """The warning rules that these rows teach; none where nothing holds what is asked."""
    candidates = _candidates(rows, asked, monotone)
    believed = [one for one in _better_than_chance(rows, candidates) if _holds(rows, one.hit, asked)]
    return _in_order(rows, believed, len(candidates), asked)


@dataclass(frozen=True)
class _Candidate:
    found: Conjunction
    hit: Marks
    chance: float = 1.0


def _candidates(rows: Rows, asked: Hits, monotone: Mapping[str, str]) -> list[_Candidate]:
    finding = rows.finding
    rate = float(rows.target[finding].mean()) if len(finding) else 0.0
    bounds = Bounds(
        least=asked.least(rate),
        fewest=FEWEST,
        most=int(asked.share * len(finding)),
        literals=asked.conditions,
        repeats=max(1.0, len(rows.target) / max(rows.people, 1)),
    )
    if not 0 < rate < 1 or bounds.least >= 1 or bounds.most < bounds.fewest:
        return []
    features = [
        feature(grid, codes, rows.target, finding, monotone.get(grid.name.name, "free"))
        for grid, codes in rows.features
    ]
    features = telling(features, rows.target, finding)
    found = apart(search(features, rows.target, finding, bounds), features, finding, CANDIDATES * asked.most)
    return [_Candidate(one, hit) for one, hit in found]


def _better_than_chance(rows: Rows, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """The candidates whose hits are too right for luck (exact binomial).

    Of all that are let through at most `FALSE_DISCOVERY` say nothing (Benjamini & Hochberg 1995): the n-th smallest
    chance is held against n shares of all the candidates.
    """
    from scipy.special import bdtrc  # type: ignore[import-untyped]

    weighed = []
    for one in candidates:
        found = counted(rows.target, one.hit, rows.judging)
        # The chance of so many right hits or more.
        chance = float(bdtrc(found.events - 1, found.hits, found.rate)) if found.events else 1.0
        weighed.append(replace(one, chance=chance))
    ranked = sorted(one.chance for one in weighed)
    passed = [chance for n, chance in enumerate(ranked, 1) if chance <= FALSE_DISCOVERY * n / len(ranked)]
    return [one for one in weighed if one.chance <= max(passed, default=-1.0)]


def _holds(rows: Rows, hit: Marks, asked: Hits) -> bool:
    """Whether a rule is as precise as asked on the last date, and on no date clearly less."""
    by_date = [found for _, found in _by_date(rows, hit)]
    steady = all(found.hits < FEWEST or found.interval[1] >= asked.least(found.rate) for found in by_date)
    last = by_date[-1]
    return steady and last.hits >= FEWEST and last.precision >= asked.least(last.rate)


def _by_date(rows: Rows, hit: Marks) -> tuple[tuple[date, Counted], ...]:
    others = ~rows.teaches
    return tuple(
        (day, counted(rows.target, hit, np.flatnonzero(others & (rows.day == place))))
        for place, day in enumerate(rows.observed)
    )


def _in_order(rows: Rows, believed: Sequence[_Candidate], candidates: int, asked: Hits) -> Mined:
    """The rules, each the one that adds most to those before it, as long as it adds enough and right ones.

    Which adds most is told by the rows that found them: picked by the figures that are given for them, they would look
    better than they are. Whether enough is added is told by the rows that confirm.
    """
    finding, judging, target = rows.finding, rows.judging, rows.target
    taken = np.zeros(len(target), dtype=bool)
    rules: list[Rule] = []
    left = list(believed)
    while left and len(rules) < asked.most:
        place = max(range(len(left)), key=lambda n: (_worth(target, left[n].hit & ~taken, finding, asked), -n))
        one = left.pop(place)
        added, confirmed = (counted(target, hit, judging) for hit in (one.hit & ~taken, one.hit))
        least = asked.least(confirmed.rate)
        if added.hits >= FEWEST_ADDED and added.precision >= least:
            code, by_date = f"rule_{len(rules) + 1}", _by_date(rows, one.hit)
            rules.append(Rule(code, one.found.literals, confirmed, added, by_date, one.chance, least))
            taken |= one.hit
    return Mined(tuple(rules), counted(target, taken, judging), candidates, len(believed))


def _worth(target: Marks, hit: Marks, among: Places, asked: Hits) -> float:
    """Events hit beyond those that so many hits must hold."""
    found = counted(target, hit, among)
    return found.events - asked.least(found.rate) * found.hits
