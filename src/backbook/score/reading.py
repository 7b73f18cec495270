"""Score definitions checked: items in, scores out, and every fault with its file and line.

Nothing is raised. An item with a fault is left out and told; the others are read on.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from backbook.definitions import Item
from backbook.errors import BadDefinition, Fault
from backbook.expressions import Expression, Name, Names, Type, parse
from backbook.expressions.names import NUMERIC, nearest
from backbook.score.binning import Rules
from backbook.score.definition import (
    ALL,
    DIRECTIONS,
    EVENTS,
    EVERY,
    EXPRESSION,
    METHODS,
    OTHERS,
    RULES,
    SCORECARD,
    TREES,
    TWO_STAGE,
    Grade,
    Growth,
    Hits,
    Observations,
    Points,
    Score,
    yielded,
)  # fmt: skip

COMMON = {"id", "zh", "en", "owner", "meaning", "purpose", "not_for", "grain", "method", "population", "grades"}
LEARNS = {
    "target", "exclusions", "indeterminate", "gap_months", "observations", "features", "protected", "monotone", "special",
    "folds", "minimum_events",
}  # fmt: skip
OF_METHOD = {
    SCORECARD: LEARNS | {"bins", "most_features", "points"},
    TREES: LEARNS | {"trees", "points"},
    RULES: LEARNS | {"rules"},
    TWO_STAGE: LEARNS | {"first", "bins", "most_features", "points"},
    EXPRESSION: {"expression", "parameters", "grades_by"},
}
_BRACES = re.compile(r"\{(\w+)\}")
GRAINS = ("account", "customer")
PURPOSES = ("risk", "marketing", "both")
GRADES_BY = ("amount", "share")


@dataclass(frozen=True)
class Columns:
    """What scores may read: names by grain, and which of them are barred from being features.

    `protected` columns enter a score only where it declares them. `purposes` says for what the bank may use a
    column (risk, marketing, both, none); a name that it does not hold may be used for anything. `dimensions` says to
    which side of a customer a column belongs. `gaps` are the months between an observation and an outcome's window,
    for outcomes that have a window. `bought` columns cost money each time they are fetched.
    """

    profile: Mapping[str, Names]
    outcomes: Mapping[str, Names]
    protected: Collection[str] = ()
    purposes: Mapping[str, str] = field(default_factory=dict)
    dimensions: Mapping[str, str] = field(default_factory=dict)
    gaps: Mapping[str, int] = field(default_factory=dict)
    bought: Collection[str] = ()


def read_scores(items: Sequence[Item], columns: Columns) -> tuple[list[Score], list[Fault]]:
    """The scores that the items define, in their order, and all that is wrong with them.

    The registries of `columns.profile` hold the names that scores yield too (`score_names`), so that one score
    can read another.
    """
    faults: list[Fault] = []
    yields = {name.name for grain in GRAINS for name in score_names(items, grain)}
    scores = []
    for item in items:
        reading = _Reading(item, columns, yields)
        score = reading.score()
        faults += reading.faults
        if score is not None:
            scores.append(score)
    return scores, faults


def score_names(items: Iterable[Item], grain: str) -> list[Name]:
    """The profile columns that the items will yield, before any of their expressions is read."""
    found: list[Name] = []
    for item in items:
        zh, en = (str(item.data.get(language) or item.id) for language in ("zh", "en"))
        if item.data.get("grain", GRAINS[0]) == grain:
            grades = _grades(item.data.get("grades"), lambda *_: None)
            found += yielded(item.id, zh, en, str(item.data.get("method", SCORECARD)), tuple(grades))
    return found


@dataclass
class _Reading:
    """One item on its way to a score."""

    item: Item
    columns: Columns
    yields: Collection[str]
    faults: list[Fault] = field(default_factory=list)

    def wrong(self, path: str, found: str, possible: str = "") -> None:
        self.faults.append(self.item.fault(path, found, possible))

    def score(self) -> Score | None:
        data = self.item.data
        method = self._one_of("method", METHODS, SCORECARD)
        self._keys("", data, COMMON | OF_METHOD[method])
        grain = self._one_of("grain", GRAINS, GRAINS[0])
        for language in ("zh", "en"):
            if not isinstance(data.get(language), str) or not data[language].strip():
                self.wrong(language, f"has no name in '{language}'.", f"Write {language}: …")
        names = self.columns.profile[grain]
        shared: dict[str, Any] = {
            "id": self.item.id,
            "zh": str(data.get("zh", "")),
            "en": str(data.get("en", "")),
            "grain": grain,
            "method": method,
            "owner": str(data.get("owner") or ""),
            "meaning": self._two("meaning"),
            "purpose": self._one_of("purpose", PURPOSES, PURPOSES[0]),
            "not_for": self._two("not_for"),
            "population": self._parse("population", names, Type.YESNO),
        }
        own = self._expression(names) if method == EXPRESSION else self._taught(names, grain, method)
        grades = _grades(data.get("grades"), self.wrong)
        if not grades:
            self.wrong("grades", "has no grades.", "Write grades: {A: 0.02, B: 0.05, …}, the best first.")
        self._increasing(grades, method, str(own.get("grades_by")))
        if self.faults:
            return None
        read = frozenset().union(*(each.reads for each in (shared["population"], own.get("amount")) if each))
        return Score(**shared, **own, grades=tuple(grades), used=tuple(names[name] for name in sorted(read)))

    # ── by method ───────────────────────────────────────────────────────────────────────────────────────

    def _taught(self, names: Names, grain: str, method: str) -> dict[str, Any]:
        data = self.item.data
        outcomes = self.columns.outcomes[grain]
        target = self._parse("target", outcomes, Type.YESNO)
        if target is None and "target" not in data:
            self.wrong("target", "has no target.", "Write target: worst_dpd_next_12m > 90, over outcomes.")
        declared = tuple(each.name for each in self._named("protected", data.get("protected") or [], names))
        features, asked = self._features(names, declared)
        first = self._parse("first", outcomes, Type.YESNO)
        if method == TWO_STAGE and "first" not in data:
            self.wrong("first", "has no first stage.", "Write first: activations_next_1m > 0, over outcomes.")
        indeterminate = self._parse("indeterminate", outcomes, Type.YESNO)
        return {
            "target": target,
            "exclusions": self._parse("exclusions", names, Type.YESNO),
            "indeterminate": indeterminate,
            "gap_months": self._gap([each for each in (target, first) if each is not None]),
            "observations": self._observations(),
            "features": features,
            "asked": asked,
            "bought": tuple(name.name for name in features if name.name in self.columns.bought),
            "declared_protected": declared,
            "monotone": self._monotone(names, features),
            "special": self._special(names, features),
            "bins": self._bins(),
            "most_features": self._whole("most_features", 1, 100, 20),
            "points": self._points(),
            "folds": self._whole("folds", 2, 20, 5),
            "minimum_events": self._whole("minimum_events", 1, 10**9, 50),
            "growth": self._growth(),
            "hits": self._hits(),
            "first": first,
        }

    def _gap(self, read: Sequence[Expression]) -> int:
        """The least gap that is asked for, which every outcome of the target must keep; who is left out may be told sooner."""
        least = self._whole("gap_months", 0, 60, 0)
        for outcome in sorted(frozenset().union(*(each.reads for each in read))):
            found = self.columns.gaps.get(outcome)
            if found is not None and found < least:
                self.wrong(
                    "gap_months",
                    f"'{outcome}' begins {found} months after the observation, not {least}.",
                    f"Give the outcome's window a gap: window: next 6 months, gap {least} months.",
                )
        return least

    def _growth(self) -> Growth:
        self._mapping("trees", {"leaves", "rounds"})
        # Larger trees rank no better on the public books, and their tables of reasons grow (`contributions.py`).
        return Growth(
            self._whole("trees.leaves", 2, 15, Growth.leaves), self._whole("trees.rounds", 10, 2000, Growth.rounds)
        )

    def _hits(self) -> Hits:
        self._mapping("rules", {"most", "conditions", "share", "precision", "lift"})
        return Hits(
            self._whole("rules.most", 1, 50, Hits.most),
            self._whole("rules.conditions", 1, 3, Hits.conditions),
            self._between("rules.share", 0, 0.5, Hits.share) or Hits.share,
            self._between("rules.precision", 0, 1, None),
            self._between("rules.lift", 1, 1000, None),
        )

    def _between(self, path: str, low: float, high: float, default: float | None) -> float | None:
        """A number above `low`, up to `high`."""
        given = self._at(path, default)
        if given is None or (_number(given) and low < given <= high):
            return None if given is None else float(given)
        self.wrong(path, f"{given!r} is not possible.", f"Write a number above {low}, up to {high}.")
        return default

    def _expression(self, names: Names) -> dict[str, Any]:
        amount = self._parse("expression", names, values=self._parameters())
        if amount is None and "expression" not in self.item.data:
            self.wrong("expression", "has no expression.", "Write expression: … over the profile.")
        if amount is not None and amount.type not in NUMERIC:
            self.wrong("expression", f"the expression is {amount.type}, not an amount.", "Write an amount of money.")
        return {"amount": amount, "grades_by": self._one_of("grades_by", GRADES_BY, GRADES_BY[0])}

    def _features(self, names: Names, declared: Collection[str]) -> tuple[tuple[Name, ...], Any]:
        """The listed features; or every numeric one that may be used and that no score yields, of all dimensions or some."""
        wanted = self.item.data.get("features", ALL)
        if wanted == ALL:
            return self._free(names, declared), ALL
        if isinstance(wanted, dict):
            return self._by_dimension(names, declared)
        found = self._named("features", wanted, names)
        for position, name in enumerate(found):
            why = self._barred(name.name, declared)
            if why:
                self.wrong(f"features.{position}", f"'{name.name}' cannot be a feature: {why}.", "Take it out.")
            elif name.type in (Type.DATE, Type.TIME):
                self.wrong(f"features.{position}", f"'{name.name}' is a {name.type}.", "Use days since it.")
        if not found and not self.faults:
            self.wrong("features", "names no feature.", f"List them, or write features: {ALL}.")
        return tuple(found), None

    def _free(self, names: Names, declared: Collection[str]) -> tuple[Name, ...]:
        return tuple(
            name
            for name in names
            if name.type in NUMERIC and name.name not in self.yields and not self._barred(name.name, declared)
        )

    def _by_dimension(self, names: Names, declared: Collection[str]) -> tuple[tuple[Name, ...], Any]:
        """The free features of the named dimensions, `without` some, and how that is said canonically."""
        given = self._mapping("features", {"dimensions", "without"})
        known = sorted(set(self.columns.dimensions.values()))
        dimensions = given.get("dimensions")
        if not isinstance(dimensions, list) or not dimensions:
            self.wrong("features.dimensions", f"{dimensions!r} is not a list.", f"Possible: {', '.join(known)}.")
            return (), None
        for place, each in enumerate(dimensions):
            if each not in known:
                self.wrong(f"features.dimensions.{place}", f"'{each}' is no dimension here.", _meant(str(each), known))
        without = sorted(name.name for name in self._named("features.without", given.get("without") or [], names))
        found = [
            name
            for name in self._free(names, declared)
            if self.columns.dimensions.get(name.name) in dimensions and name.name not in without
        ]
        said = {"dimensions": sorted(map(str, dimensions))} | ({"without": without} if without else {})
        if not found and not self.faults:
            self.wrong(
                "features.dimensions", "has no feature that this score may use.", f"Possible: {', '.join(known)}."
            )
        return tuple(found), said

    def _barred(self, name: str, declared: Collection[str]) -> str:
        if name in self.columns.protected and name not in declared:
            return "it is protected, and the score does not declare it under 'protected'"
        purpose = self.columns.purposes.get(name, "both")
        wanted = self.item.data.get("purpose", PURPOSES[0])
        return "" if purpose in ("both", wanted) else f"it may be used for '{purpose}', not for '{wanted}'"

    # ── parts ───────────────────────────────────────────────────────────────────────────────────────────

    def _monotone(self, names: Names, features: Sequence[Name]) -> dict[str, str]:
        found = {}
        for key, name, way in self._by_feature("monotone", names, features):
            if way not in DIRECTIONS:
                self.wrong(f"monotone.{key}", f"the direction is {way!r}.", f"Possible: {', '.join(DIRECTIONS)}.")
            elif name.type not in NUMERIC:
                self.wrong(f"monotone.{key}", f"'{name.name}' is {name.type} and has no direction.", "Take it out.")
            else:
                found[name.name] = str(way)
        return found

    def _special(self, names: Names, features: Sequence[Name]) -> dict[str, tuple[Any, ...]]:
        found = {}
        for key, name, values in self._by_feature("special", names, features):
            listed = values if isinstance(values, list) else [values]
            if name.type not in NUMERIC or not all(_number(value) for value in listed):
                self.wrong(f"special.{key}", f"{values!r} are no numbers of '{name.name}'.", "Write {name: [-1, -2]}.")
            else:
                found[name.name] = tuple(sorted(listed))
        return found

    def _by_feature(self, path: str, names: Names, features: Sequence[Name]) -> Iterable[tuple[str, Name, Any]]:
        given = self.item.data.get(path) or {}
        if not isinstance(given, dict):
            self.wrong(path, "is not a mapping.", f"Write {path}: {{utilisation: …}}.")
            return
        used = {feature.name for feature in features}
        for key, value in given.items():
            name = names.resolve(key)
            if name is None or name.name not in used:
                self.wrong(f"{path}.{key}", f"'{key}' is not among the features.", _meant(key, used))
            else:
                yield key, name, value

    def _named(self, path: str, wanted: Any, names: Names) -> list[Name]:
        if not isinstance(wanted, list):
            self.wrong(path, f"{wanted!r} is not a list of names.", "Write [utilisation, …].")
            return []
        found: dict[str, Name] = {}
        for position, text in enumerate(wanted):
            name = names.resolve(str(text))
            if name is None:
                self.wrong(
                    f"{path}.{position}", f"'{text}' is not a column of the profile.", _closest(str(text), names)
                )
            else:
                found[name.name] = name
        return list(found.values())

    def _observations(self) -> Observations:
        given = self._mapping("observations", {"every", "at_most"})
        every = given.get("every", EVERY[0])
        if every not in EVERY:
            self.wrong("observations.every", f"{every!r} is not known.", f"Possible: {', '.join(EVERY)}.")
        return Observations(str(every), self._whole("observations.at_most", 1, 60, 6))

    def _points(self) -> Points:
        self._mapping("points", {"base", "odds", "double", "more"})
        odds = self._at("points.odds", 20)
        if not _number(odds) or odds <= 0:
            self.wrong("points.odds", f"the odds are {odds!r}.", "Write a number above 0, such as 20.")
            odds = 20
        return Points(
            self._whole("points.base", -(10**6), 10**6, 600),
            float(odds),
            self._whole("points.double", 1, 10**6, 40),
            self._more(),
        )

    def _more(self) -> str:
        more = self._at("points.more", OTHERS)
        if more not in (OTHERS, EVENTS):
            self.wrong("points.more", f"more points cannot mean more {more!r}.", f"Possible: {OTHERS}, {EVENTS}.")
        return str(more)

    def _bins(self) -> Rules:
        self._mapping("bins", {"most", "share"})
        share = self._at("bins.share", Rules.share)
        if not _number(share) or not 0 < share <= 0.5:
            self.wrong(
                "bins.share", f"the least share of a bin is {share!r}.", "Write a number up to 0.5, such as 0.03."
            )
            share = Rules.share
        return Rules(self._whole("bins.most", 2, 50, Rules.most_bins), float(share))

    def _two(self, path: str) -> tuple[str, str]:
        """The same text in both languages."""
        given = self._mapping(path, {"zh", "en"})
        return str(given.get("zh") or ""), str(given.get("en") or "")

    def _increasing(self, grades: Sequence[Grade], method: str, by: str) -> None:
        bounds = [grade.up_to for grade in grades if grade.up_to is not None]
        if any(low >= high for low, high in itertools.pairwise(bounds)):
            self.wrong("grades", f"the bounds {bounds} do not increase.", "Write them from the lowest to the highest.")
        if (method != EXPRESSION or by == "share") and any(not 0 < bound <= 1 for bound in bounds):
            self.wrong("grades", f"the bounds {bounds} are not all between 0 and 1.", "Write chances, such as 0.02.")

    # ── values ──────────────────────────────────────────────────────────────────────────────────────────

    def _parameters(self) -> Mapping[str, str]:
        """Stated numbers, which the expression names in braces: `spend_365d * {interchange}`."""
        given = self.item.data.get("parameters") or {}
        if not isinstance(given, dict) or not all(_number(value) for value in given.values()):
            self.wrong("parameters", "are not numbers by name.", "Write parameters: {loss_given_default: 0.9}.")
            return {}
        return {str(name): f"{Decimal(repr(value)):f}" for name, value in given.items()}

    def _filled(self, path: str, text: str, values: Mapping[str, str]) -> str:
        for name in sorted({*_BRACES.findall(text), *values}):
            if name not in values:
                self.wrong(path, f"'{{{name}}}' is not among the parameters.", _meant(name, values))
            elif f"{{{name}}}" not in text:
                self.wrong(f"parameters.{name}", f"nothing reads '{name}'.", "Take it out.")
        return _BRACES.sub(lambda found: f"({values.get(found[1], 0)})", text)

    def _parse(
        self, path: str, names: Names, expect: Type | None = None, values: Mapping[str, str] | None = None
    ) -> Expression | None:
        text = self.item.data.get(path)
        if text is None:
            return None
        if values is not None:
            text = self._filled(path, str(text), values)
        try:
            return parse(str(text), names, expect=expect)
        except BadDefinition as refused:
            for line in [fault.found + " " + fault.possible for fault in refused.faults] or [str(refused)]:
                self.wrong(path, line.strip())
            return None

    def _one_of(self, path: str, possible: Sequence[str], default: str) -> str:
        given = self.item.data.get(path, default)
        if given in possible:
            return str(given)
        self.wrong(path, f"{given!r} is not known here.", f"Possible: {', '.join(possible)}.")
        return default

    def _whole(self, path: str, least: int, most: int, default: int) -> int:
        given = self._at(path, default)
        if isinstance(given, int) and not isinstance(given, bool) and least <= given <= most:
            return given
        self.wrong(path, f"{given!r} is not possible.", f"Write a whole number from {least} to {most}.")
        return default

    def _at(self, path: str, default: Any) -> Any:
        value: Any = self.item.data
        for key in path.split("."):
            value = value.get(key, default) if isinstance(value, dict) else default
        return value

    def _mapping(self, path: str, possible: Collection[str]) -> Mapping[str, Any]:
        given = self.item.data.get(path)
        if given is None:
            return {}
        if not isinstance(given, dict):
            self.wrong(path, f"{given!r} is not a mapping.", f"Write {path}: with {', '.join(sorted(possible))}.")
            return {}
        self._keys(path, given, possible)
        return given

    def _keys(self, path: str, given: Mapping[str, Any], possible: Collection[str]) -> None:
        for key in given:
            if key not in possible:
                self.wrong(f"{path}.{key}" if path else key, f"'{key}' is not known here.", _meant(key, possible))


def _grades(given: Any, wrong: Callable[[str, str, str], None]) -> list[Grade]:
    """Grades from `{A: 0.02}`, `{A: {up_to: 0.02, zh: …, en: …}}` or the canonical list."""
    entries: list[tuple[str, str, Any]] = []
    if isinstance(given, dict):
        entries = [(str(code), f"grades.{code}", value) for code, value in given.items()]
    elif isinstance(given, list):
        entries = [(str(one.get("code")), f"grades.{n}", one) for n, one in enumerate(given) if isinstance(one, dict)]
    found = []
    for position, (code, path, value) in enumerate(entries):
        value = value if isinstance(value, dict) else {"up_to": value}
        bound = value.get("up_to")
        last = position == len(entries) - 1
        if not (_number(bound) or (last and bound is None)):
            wrong(path, f"the bound of grade '{code}' is {bound!r}.", "Write a number; only the last may have none.")
            continue
        # Whatever its bound, the last grade takes all the rest: nobody is left without one.
        found.append(Grade(code, str(value.get("zh") or code), str(value.get("en") or code), None if last else bound))
    return found


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _meant(text: str, possible: Iterable[str]) -> str:
    words = sorted(possible)
    close = nearest(text, words)
    return f"Did you mean '{close}'?" if close else f"Possible: {', '.join(words[:12])}."


def _closest(text: str, names: Names) -> str:
    close = names.nearest(text)
    if text in names.missing:
        return names.missing[text]
    return f"Did you mean '{close}'?" if close else "`backbook check` lists what there is."
