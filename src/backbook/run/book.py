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
from backbook.customer.clusters import Clusters
from backbook.customer.definition import Feature
from backbook.customer.order import Link
from backbook.customer.passes import IBIS
from backbook.customer.profile import OWNER, Profile
from backbook.customer.reader import Reader
from backbook.run.freeze import Frozen
from backbook.score.apply import apply, columns
from backbook.score.registry import Version
from backbook.sources.attributes import Attribute

# Windows begin to be known with these; other tables are states, or thin.
FACTS = ("statement", "transaction", "balance")


class Book:
    """The lake's head seen through the frozen definitions; `versions` are the scores in use, by id."""

    def __init__(self, frozen: Frozen, reader: Reader, versions: Mapping[str, Version]) -> None:
        self.frozen = frozen
        self.reader = reader
        self.versions = versions

    def profile(self, grain: str, on: date, columns: Collection[str], units: Any | None = None) -> Any:
        """The named profile columns as known on that day, of the given units or of all."""
        wanted = self._closure(columns)
        frozen = self.frozen
        built = profiles.build(
            [feature for feature in frozen.features if feature.id in wanted],
            [attribute for attribute in frozen.attributes if attribute.id in wanted],
            self.reader,
            on,
            units,
        )
        links = [link for link in frozen.order if wanted & {_bare(name) for name in link.gives}]
        return extended(built, links, frozen, self.versions).rows(grain, columns)

    def outcomes(self, grain: str, on: date, known_by: date, columns: Collection[str], units: Any) -> Any:
        """The named outcomes of units after `on`, as known by `known_by`; null where not known."""
        wanted = self._outcomes(columns)
        return profiles.outcomes(
            wanted,
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
                profile = scored(profile, frozen, link.id, versions)[0]
        waiting = [link for link in waiting if link not in ready]
    return profile


def scored(
    profile: Profile,
    frozen: Frozen,
    id: str,
    versions: Mapping[str, Version],
    *,
    keep: Callable[[Any], Any] = lambda table: table,
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
    given = keep(apply(version, profile.rows(score.grain, score.reads)))
    return profile.joined(score.grain, columns(version, given)), given


def _bare(name: str) -> str:
    return name.removeprefix(OWNER).removeprefix("account.").removeprefix(OWNER)
