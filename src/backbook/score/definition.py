"""A score as the bank declares it: for whom, what it predicts, from what, and how its answer is cut into grades.

Four methods learn from the book itself, from a population, a target over outcomes, features and the directions that
the field demands: a `scorecard`, `trees`, warning `rules`, and `two_stage`, whose second stage is taught by those who
passed the first. An `expression` is an amount that needs no learning, such as a value.
The canonical form carries all that decides, with canonical expressions; its hash is in every version.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from backbook.customer.order import Link
from backbook.expressions import Expression, Level, Name, Type
from backbook.score.binning import Rules
from backbook.workspace import canonical

SCORECARD, TREES, RULES, TWO_STAGE, EXPRESSION = "scorecard", "trees", "rules", "two_stage", "expression"
METHODS = (SCORECARD, TREES, RULES, TWO_STAGE, EXPRESSION)
# The methods that learn, and those whose answer is a chance on the scale of points.
TAUGHT = (SCORECARD, TREES, RULES, TWO_STAGE)
IN_POINTS = (SCORECARD, TREES, TWO_STAGE)
DIRECTIONS = ("up", "down", "auto", "free")
ALL = "all"
OTHERS, EVENTS = "others", "events"
# The form of what a version keeps; raised when a version made before cannot be read any more.
FORM = 2
# How far apart the days stand at which the book is looked at, and how a definition says it.
EVERY = ("month", "quarter")


@dataclass(frozen=True)
class Observations:
    """At which past days the book is looked at: `at_most` ends of a month or quarter, the latest honest ones."""

    every: str = "month"
    at_most: int = 6


@dataclass(frozen=True)
class Points:
    """How chances become points: `base` points mean `odds` others to one event, `double` points further twice the odds.

    `more` points mean more others (a risk score: the higher, the safer) or more events (a response score: the higher,
    the likelier).
    """

    base: int = 600
    odds: float = 20
    double: int = 40
    more: str = OTHERS

    @property
    def factor(self) -> float:
        """Points for odds e times as much against the event; below zero where more points mean more events."""
        return round(self.double / math.log(2), 6) * (1 if self.more == OTHERS else -1)

    @property
    def even(self) -> float:
        """The points at which an event is as likely as none.

        >>> Points(more=OTHERS).even < 600 < Points(more=EVENTS).even
        True
        """
        exact = self.double / math.log(2) * math.log(self.odds)
        return round(self.base - (exact if self.more == OTHERS else -exact), 6)

    def canonical(self) -> dict[str, Any]:
        return {"base": self.base, "odds": self.odds, "double": self.double, "more": self.more}


@dataclass(frozen=True)
class Growth:
    """How far trees may grow: `leaves` of one tree, and `rounds`, of which early stopping uses what pays."""

    leaves: int = 15
    rounds: int = 500


@dataclass(frozen=True)
class Hits:
    """What a warning rule must be.

    At most `most` rules of at most `conditions` conditions each hit no more than `share` of the rows each, and hit
    right: in `precision` of the hits, or `lift` times as often as the whole sample; where neither is asked, `lift` is 4.
    """

    most: int = 8
    conditions: int = 3
    share: float = 0.02
    precision: float | None = None
    lift: float | None = None

    def least(self, base: float) -> float:
        """The least precision where events have the rate `base`.

        >>> Hits(lift=3).least(0.02), Hits(precision=0.7).least(0.22)
        (0.06, 0.7)
        """
        asked = [self.precision, None if self.lift is None else self.lift * base]
        return max((each for each in asked if each is not None), default=4 * base)


@dataclass(frozen=True)
class Grade:
    """One band of a score, up to and including `up_to`; the last band has no end."""

    code: str
    zh: str
    en: str
    up_to: float | None

    def canonical(self) -> dict[str, Any]:
        return {"code": self.code, "zh": self.zh, "en": self.en, "up_to": self.up_to}


@dataclass(frozen=True)
class Score:
    """One score, read and checked. What a method does not use stands at its default."""

    id: str
    zh: str
    en: str
    grain: str
    method: str
    grades: tuple[Grade, ...]
    population: Expression | None = None
    used: tuple[Name, ...] = ()
    owner: str = ""
    meaning: tuple[str, str] = ("", "")
    purpose: str = "risk"
    # What it may not be used for, zh and en.
    not_for: tuple[str, str] = ("", "")
    # methods that learn; `exclusions` are scored, and never teach; `indeterminate` is neither event nor other
    target: Expression | None = None
    exclusions: Expression | None = None
    indeterminate: Expression | None = None
    # Outcomes must begin at least this long after the observation.
    gap_months: int = 0
    observations: Observations = field(default_factory=Observations)
    features: tuple[Name, ...] = ()
    # How they were asked for: a list of names, all, or by dimension; None where they are listed.
    asked: Any = None
    # Those of its features that are bought: a version tells what each adds.
    bought: tuple[str, ...] = ()
    declared_protected: tuple[str, ...] = ()
    monotone: Mapping[str, str] = field(default_factory=dict)
    special: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    bins: Rules = field(default_factory=Rules)
    most_features: int = 20
    points: Points = field(default_factory=Points)
    folds: int = 5
    minimum_events: int = 50
    # trees, rules, two_stage
    growth: Growth = field(default_factory=Growth)
    hits: Hits = field(default_factory=Hits)
    first: Expression | None = None
    # expression
    amount: Expression | None = None
    grades_by: str = "amount"

    @cached_property
    def yields(self) -> tuple[Name, ...]:
        """The profile columns that this score adds."""
        return yielded(self.id, self.zh, self.en, self.method, tuple(self.grades))

    @property
    def key(self) -> str:
        """The column that names its units."""
        return f"{self.grain}_id"

    @cached_property
    def reads(self) -> frozenset[str]:
        """The profile columns that it needs; `used` are those of its expressions, with their types."""
        return frozenset(each.name for each in (*self.features, *self.used))

    @property
    def learns_from(self) -> frozenset[str]:
        """The profile columns of a past day by which it draws its units and learns."""
        drawn = (self.population, self.exclusions)
        read = frozenset[str]().union(*(each.reads for each in drawn if each is not None))
        return read | {feature.name for feature in self.features}

    @property
    def outcomes(self) -> frozenset[str]:
        """The outcomes that its target is made of."""
        read = (self.target, self.first, self.indeterminate)
        return frozenset().union(*(each.reads for each in read if each is not None))

    @property
    def link(self) -> Link:
        """Its place in the chain of reading."""
        gives = frozenset(f"{self.grain}.{name.name}" for name in self.yields)
        reads = frozenset(name if name.startswith("customer.") else f"{self.grain}.{name}" for name in self.reads)
        return Link("score", self.id, gives, reads)

    def canonical(self) -> dict[str, Any]:
        """Plain data that `read_scores` accepts again; the same meaning gives the same data."""
        shared: dict[str, Any] = {
            "id": self.id,
            "zh": self.zh,
            "en": self.en,
            "grain": self.grain,
            "method": self.method,
            "purpose": self.purpose,
            "grades": [grade.canonical() for grade in self.grades],
        }
        said = {
            "owner": self.owner or None,
            "meaning": dict(zip(("zh", "en"), self.meaning, strict=True)) if any(self.meaning) else None,
            "population": self.population and self.population.text,
            "not_for": dict(zip(("zh", "en"), self.not_for, strict=True)) if any(self.not_for) else None,
        }
        own = self._expression() if self.method == EXPRESSION else self._taught() | self._of_method()
        return shared | {key: value for key, value in (said | own).items() if value is not None}

    def _taught(self) -> dict[str, Any]:
        return {
            "target": self.target and self.target.text,
            "exclusions": self.exclusions and self.exclusions.text,
            "indeterminate": self.indeterminate and self.indeterminate.text,
            "gap_months": self.gap_months or None,
            "observations": {"every": self.observations.every, "at_most": self.observations.at_most},
            "features": [feature.name for feature in self.features] if self.asked is None else self.asked,
            "protected": list(self.declared_protected) or None,
            "monotone": dict(sorted(self.monotone.items())) or None,
            "special": {name: list(values) for name, values in sorted(self.special.items())} or None,
            "folds": self.folds,
            "minimum_events": self.minimum_events,
        }

    def _of_method(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.method in IN_POINTS:
            found["points"] = self.points.canonical()
        if self.method in (SCORECARD, TWO_STAGE):
            found["bins"] = {"most": self.bins.most_bins, "share": self.bins.share}
            found["most_features"] = self.most_features
        if self.method == TREES:
            found["trees"] = {"leaves": self.growth.leaves, "rounds": self.growth.rounds}
        if self.method == RULES:
            hits = {"most": self.hits.most, "conditions": self.hits.conditions, "share": self.hits.share}
            asked = {"precision": self.hits.precision, "lift": self.hits.lift}
            found["rules"] = hits | {key: value for key, value in asked.items() if value is not None}
        if self.method == TWO_STAGE:
            found["first"] = self.first and self.first.text
        return found

    def _expression(self) -> dict[str, Any]:
        return {"expression": self.amount and self.amount.text, "grades_by": self.grades_by}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical form, and of what a version holds: another form of versions is taught anew."""
        return hashlib.sha256(canonical(self.canonical() | {"versions": FORM})).hexdigest()


def yielded(id: str, zh: str, en: str, method: str, grades: tuple[Grade, ...]) -> tuple[Name, ...]:
    """The columns a score adds to its profile.

    >>> [name.name for name in yielded("behaviour", "行为", "Behaviour", "scorecard", ())]
    ['behaviour_points', 'behaviour_probability', 'behaviour_grade']
    """
    levels = tuple(Level(grade.code, grade.zh, grade.en) for grade in grades)
    grade = Name(f"{id}_grade", Type.TEXT, f"{zh}评级", f"{en} grade", levels)
    if method == EXPRESSION:
        return (Name(f"{id}_amount", Type.MONEY, f"{zh}金额", f"{en} amount"), grade)
    probability = Name(f"{id}_probability", Type.NUMBER, f"{zh}概率", f"{en} probability")
    if method == RULES:
        return (Name(f"{id}_rule", Type.TEXT, f"{zh}规则", f"{en} rule"), probability, grade)
    return (
        Name(f"{id}_points", Type.WHOLE, f"{zh}评分", f"{en} points"),
        probability,
        grade,
    )
