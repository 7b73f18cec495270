"""The book on any past day, as those who learn from it ask for it: profiles then, outcomes later.

Only what is asked for is built: the named columns, what they read in turn, and of the units that were drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import ibis

from backbook.customer import profile as profiles
from backbook.customer import segments, tags
from backbook.customer.availability import missing_definitions, never_true
from backbook.customer.clusters import Clusters
from backbook.customer.definition import Feature
from backbook.customer.order import Link
from backbook.customer.passes import IBIS
from backbook.customer.profile import OWNER, Profile
from backbook.customer.reader import Reader
from backbook.engine import Engine
from backbook.expressions import Expression
from backbook.expressions.nodes import Node
from backbook.run.freeze import Frozen
from backbook.score.apply import apply, columns
from backbook.score.definition import TAUGHT, Score
from backbook.score.registry import Version
from backbook.score.target import observation_dates
from backbook.sources.attributes import Attribute

# Windows begin to be known with these; other tables are states, or thin.
FACTS = ("statement", "transaction", "balance")


class Book:
    """The lake's head seen through the frozen definitions; `versions` are the scores in use, by id."""

    def __init__(self, frozen: Frozen, reader: Reader, versions: Mapping[str, Version]) -> None:
        self.frozen = frozen
        self.reader = reader
        self.versions = versions
        # Days that several scores look at, each built once for all of them (`foresee`).
        self._built: dict[date, tuple[frozenset[str], Profile]] = {}
        self._became: dict[tuple[str, date, date], Any] = {}
        self._lacking: dict[date, Mapping[str, str]] = {}
        self._lacking_later: dict[tuple[date, date], Mapping[str, str]] = {}

    def foresee(self, scores: Sequence[Score], as_of: date) -> None:
        """Build each past day that several of these scores will ask for: once, with all that any of them reads.

        Looked at one by one, twenty scores would walk the same tables sixty times. What one score alone asks of a
        day is built when it asks, of its own units.
        """
        asked: dict[date, list[Score]] = {}
        for score in scores:
            for day in observation_dates(score, as_of, self):
                asked.setdefault(day, []).append(score)
        for day, together in asked.items():
            if len(together) > 1:
                read = self._closure(frozenset[str]().union(*(score.learns_from for score in together)))
                self._built[day] = (frozenset(read), self._build(read, day, None))
                for grain in sorted({score.grain for score in together}):
                    ends = frozenset[str]().union(*(score.outcomes for score in together if score.grain == grain))
                    later = self._later(grain, day, as_of, ends, None)
                    self._became[grain, day, as_of] = self.reader.engine.cached(later)

    def needs(self, score: Score, as_of: date) -> str:
        """What the bank does not deliver, for want of which nobody is in the score's population or has its event.

        Empty where nothing is wanting. Told before anything is built.
        """
        days = observation_dates(score, as_of, self) if score.method in TAUGHT else []
        if not days:
            return ""
        profile, later = self._missing(days[-1]), self._missing_later(days[-1], as_of)
        found = _wanting(score.population, profile)
        for condition in (score.target, score.first, score.indeterminate):
            found += _wanting(condition, later)
        return "; ".join(dict.fromkeys(found))

    def _missing(self, day: date) -> Mapping[str, str]:
        if day not in self._lacking:
            missing = missing_definitions(self.frozen.features, self.frozen.attributes, self.reader, day)
            self._lacking[day] = {each.id: each.needs for each in missing}
        return self._lacking[day]

    def _missing_later(self, day: date, known_by: date) -> Mapping[str, str]:
        if (day, known_by) not in self._lacking_later:
            missing = missing_definitions(self.frozen.outcomes, [], self.reader, day, known_by=known_by)
            self._lacking_later[day, known_by] = {each.id: each.needs for each in missing}
        return self._lacking_later[day, known_by]

    def profile(self, grain: str, on: date, columns: Collection[str], units: Any | None = None) -> Any:
        """The named profile columns as known on that day, of the given units or of all."""
        wanted = self._closure(columns)
        read, whole = self._built.get(on, (frozenset[str](), None))
        shared = whole is not None and wanted <= read
        built = whole if whole is not None and shared else self._build(wanted, on, units)
        links = [link for link in self.frozen.order if wanted & {_bare(name) for name in link.gives}]
        rows = extended(built, links, self.frozen, self.versions, self.reader.engine).rows(grain, columns)
        return rows.semi_join(units, profiles.KEY[grain]) if shared and units is not None else rows

    def _build(self, wanted: Collection[str], on: date, units: Any | None) -> Profile:
        return profiles.build(
            [feature for feature in self.frozen.features if feature.id in wanted],
            [attribute for attribute in self.frozen.attributes if attribute.id in wanted],
            self.reader,
            on,
            units,
        )

    def outcomes(self, grain: str, on: date, known_by: date, columns: Collection[str], units: Any) -> Any:
        """The named outcomes of units after `on`, as known by `known_by`; null where not known."""
        became = self._became.get((grain, on, known_by))
        if became is not None:
            return became.semi_join(units, profiles.KEY[grain])
        return self._later(grain, on, known_by, columns, units)

    def _later(self, grain: str, on: date, known_by: date, columns: Collection[str], units: Any | None) -> Any:
        return profiles.outcomes(
            self._outcomes(columns),
            [attribute for attribute in self.frozen.attributes if attribute.id in set(columns)],
            self.reader,
            on,
            known_by,
            units,
            grain=grain,
        )

    def outcomes_end(self, grain: str, on: date, columns: Collection[str]) -> date:
        """The last day that the named outcomes look at; of an attribute, the day by which it is told."""
        ends = [feature.window.last(on) for feature in self._outcomes(columns) if feature.window is not None]
        ends += [self._told(attribute, on) for attribute in self.frozen.attributes if attribute.id in set(columns)]
        return max(ends, default=on + timedelta(days=1))

    def _told(self, attribute: Attribute, on: date) -> date:
        """When an outcome of a wide table is told: after its days, or when that table next says anything."""
        if attribute.valid_days is not None:
            return on + timedelta(days=attribute.valid_days)
        tables = [self.reader.wide_table_of(frozenset([attribute.id]))]
        days = [self.reader.next_day(table, on) for table in tables if table is not None]
        return next((day for day in days if day is not None), date.max)

    def first_day(self) -> date | None:
        """The day before which nothing is known of the book."""
        tables = [table for table in (*FACTS, *self.reader.wide_tables()) if self.reader.has(table)]
        days = [day for day in map(self.reader.first_day, tables) if day is not None]
        return min(days, default=None)

    def _outcomes(self, columns: Collection[str]) -> list[Feature]:
        wanted = set(columns)
        for feature in reversed(self.frozen.outcomes):
            if feature.id in wanted:
                wanted |= feature.reads
        return [feature for feature in self.frozen.outcomes if feature.id in wanted]

    def _closure(self, columns: Collection[str]) -> set[str]:
        """The columns, and whatever they read in turn, without the owner's prefix."""
        frozen = self.frozen
        reads = {feature.id: feature.reads for feature in frozen.features}
        for link in frozen.order:
            reads |= {_bare(name): link.reads for name in link.gives}
        found: set[str] = set()
        waiting = [_bare(name) for name in columns]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [_bare(each) for each in reads.get(name, ())]
        return found


def extended(
    profile: Profile,
    links: Sequence[Link],
    frozen: Frozen,
    versions: Mapping[str, Version],
    engine: Engine,
    lacking: Collection[str] = (),
) -> Profile:
    """The profile with the tags, segments and scores of `links`; those that can stand side by side are added at once.

    `lacking` are tags that cannot be had from this bank's data.
    """
    waiting = list(links)
    while waiting:
        pending = frozenset().union(*(link.gives for link in waiting))
        ready = [link for link in waiting if not link.reads & (pending - link.gives)]
        profile = tags.apply([frozen.tag(link.id) for link in ready if link.kind == "tag"], profile, lacking)
        placed = [frozen.segment(link.id) for link in ready if link.kind == "segment"]
        profile = segments.apply([each for each in placed if not isinstance(each, Clusters)], profile)
        for link in ready:
            if link.kind == "score":
                profile = scored(profile, frozen, link.id, versions, engine, reasons=False)[0]
        waiting = [link for link in waiting if link not in ready]
    return profile


def scored(
    profile: Profile,
    frozen: Frozen,
    id: str,
    versions: Mapping[str, Version],
    engine: Engine,
    *,
    keep: Callable[[Any], Any] = lambda table: table,
    reasons: bool = True,
) -> tuple[Profile, Any | None]:
    """The profile with one score's columns, and the score's own table; null columns where it is not available.

    `keep`, such as the engine's `cached`, computes the score's table once for both.
    """
    score = frozen.score(id)
    version = versions.get(id)
    if version is None:
        rows = profile.at(score.grain)
        nothing = {name.name: ibis.null(IBIS[name.type]) for name in score.yields}
        return profile.with_columns(score.grain, nothing, rows), None
    given = keep(apply(version, profile.rows(score.grain, score.reads), engine, reasons=reasons))
    return profile.joined(score.grain, columns(version, given)), given


def _wanting(condition: Expression | None, lacking: Mapping[str, str]) -> list[str]:
    """What the columns need for want of which a condition holds for nobody."""
    return [] if condition is None else [lacking[_bare(name)] for name in _lost(condition.node, lacking)]


def _lost(node: Node, lacking: Mapping[str, str]) -> list[str]:
    """The lacking names of the parts for whose sake the condition is never true."""
    names = sorted(name for name in node.reads if _bare(name) in lacking)
    if not never_true(node, names):
        return []
    return [name for arg in node.args for name in _lost(arg, lacking)] if node.op in ("and", "or") else names


def _bare(name: str) -> str:
    return name.removeprefix(OWNER).removeprefix("account.").removeprefix(OWNER)
