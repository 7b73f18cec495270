"""A score as the bank declares it: for whom, what it predicts, from what, and how its answer is cut into grades.

Two methods so far. A `scorecard` learns from the book itself: a population, a target over outcomes, features and
the directions that the field demands. An `expression` is an amount that needs no learning, such as a value.
The canonical form carries all that decides, with canonical expressions; its hash is in every version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from backbook.customer.order import Link
from backbook.expressions import Expression, Level, Name, Type
from backbook.score.binning import Rules
from backbook.workspace import canonical

SCORECARD, EXPRESSION = "scorecard", "expression"
METHODS = (SCORECARD, EXPRESSION)
DIRECTIONS = ("up", "down", "auto", "free")
ALL = "all"
# How far apart the days stand at which the book is looked at, and how a definition says it.
EVERY = ("month", "quarter")


@dataclass(frozen=True)
class Observations:
    """At which past days the book is looked at: `at_most` ends of a month or quarter, the latest honest ones."""

    every: str = "month"
    at_most: int = 6


@dataclass(frozen=True)
class Points:
    """How chances become points: `base` points mean `odds` others to one event, `double` more points twice that."""

    base: int = 600
    odds: float = 20
    double: int = 40


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
    # scorecard; `exclusions` are scored, and never teach
    target: Expression | None = None
    exclusions: Expression | None = None
    leave_out: Expression | None = None
    observations: Observations = field(default_factory=Observations)
    features: tuple[Name, ...] = ()
    every_feature: bool = False
    declared_protected: tuple[str, ...] = ()
    monotone: Mapping[str, str] = field(default_factory=dict)
    special: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    bins: Rules = field(default_factory=Rules)
    most_features: int = 20
    points: Points = field(default_factory=Points)
    folds: int = 5
    minimum_events: int = 50
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
    def outcomes(self) -> frozenset[str]:
        """The outcomes that its target is made of."""
        return frozenset().union(*(each.reads for each in (self.target, self.leave_out) if each is not None))

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
        }
        own = self._scorecard() if self.method == SCORECARD else self._expression()
        return shared | {key: value for key, value in (said | own).items() if value is not None}

    def _scorecard(self) -> dict[str, Any]:
        return {
            "target": self.target and self.target.text,
            "exclusions": self.exclusions and self.exclusions.text,
            "leave_out": self.leave_out and self.leave_out.text,
            "observations": {"every": self.observations.every, "at_most": self.observations.at_most},
            "features": ALL if self.every_feature else [feature.name for feature in self.features],
            "protected": list(self.declared_protected) or None,
            "monotone": dict(sorted(self.monotone.items())) or None,
            "special": {name: list(values) for name, values in sorted(self.special.items())} or None,
            "bins": {"most": self.bins.most_bins, "share": self.bins.share},
            "most_features": self.most_features,
            "points": {"base": self.points.base, "odds": self.points.odds, "double": self.points.double},
            "folds": self.folds,
            "minimum_events": self.minimum_events,
        }

    def _expression(self) -> dict[str, Any]:
        return {"expression": self.amount and self.amount.text, "grades_by": self.grades_by}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical form."""
        return hashlib.sha256(canonical(self.canonical())).hexdigest()


def yielded(id: str, zh: str, en: str, method: str, grades: tuple[Grade, ...]) -> tuple[Name, ...]:
    """The columns a score adds to its profile.

    >>> [name.name for name in yielded("behaviour", "行为", "Behaviour", "scorecard", ())]
    ['behaviour_points', 'behaviour_probability', 'behaviour_grade']
    """
    levels = tuple(Level(grade.code, grade.zh, grade.en) for grade in grades)
    grade = Name(f"{id}_grade", Type.TEXT, f"{zh}评级", f"{en} grade", levels)
    if method == EXPRESSION:
        return (Name(f"{id}_amount", Type.MONEY, f"{zh}金额", f"{en} amount"), grade)
    return (
        Name(f"{id}_points", Type.WHOLE, f"{zh}评分", f"{en} points"),
        Name(f"{id}_probability", Type.NUMBER, f"{zh}概率", f"{en} probability"),
        grade,
    )
