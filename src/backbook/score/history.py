"""The book as a score's training sees it: profiles and outcomes of past days, from one pinned head of the lake."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import date
from typing import Any

from backbook.customer.definition import Feature
from backbook.customer.profile import OWNER, Profile, build, outcomes
from backbook.customer.reader import Reader
from backbook.customer.registry import Attribute

# The tables in which a book shows itself; the earliest row of any is where its history begins.
FIRST_SEEN = ("statement", "transaction", "balance")


class History:
    """Past days of one lake; only the features that are asked for, and what they read, are measured.

    `more` adds to a profile what reads it (tags, segments, other scores); it gets the profile and the columns asked.
    """

    def __init__(
        self,
        reader: Reader,
        features: Sequence[Feature],
        attributes: Sequence[Attribute],
        outcomes: Sequence[Feature],
        more: Callable[[Profile, Collection[str]], Profile] | None = None,
    ) -> None:
        self.reader, self.features, self.attributes = reader, features, attributes
        self._outcomes, self._more = outcomes, more

    def profile(self, grain: str, on: date, columns: Collection[str], units: Any | None = None) -> Any:
        """The named columns as known on that day, of the given units or of all."""
        wanted = _with_read({name.removeprefix(OWNER) for name in columns}, self.features)
        features = self.features if self._more else [one for one in self.features if one.id in wanted]
        attributes = self.attributes if self._more else [one for one in self.attributes if one.id in wanted]
        built = build(features, attributes, self.reader, on, units)
        if self._more:
            built = self._more(built, columns)
        return built.rows(grain, columns)

    def outcomes(self, grain: str, on: date, known_by: date, columns: Collection[str], units: Any) -> Any:
        """The named outcomes of the units after `on`, as known by `known_by`."""
        wanted = _with_read(set(columns), self._outcomes)
        definitions = [one for one in self._outcomes if one.id in wanted]
        return outcomes(definitions, self.attributes, self.reader, on, known_by, units, grain=grain)

    def outcomes_end(self, grain: str, on: date, columns: Collection[str]) -> date:
        """The last day any of them looks at; an attribute of the bank looks at no window of its own."""
        wanted = _with_read(set(columns), self._outcomes)
        return max((one.window.last(on) for one in self._outcomes if one.id in wanted and one.window), default=on)

    def first_day(self) -> date | None:
        """The earliest day of which anything is known."""
        days = [self.reader.first_day(table) for table in FIRST_SEEN if self.reader.has(table)]
        return min((day for day in days if day is not None), default=None)


def _with_read(columns: set[str], features: Sequence[Feature]) -> set[str]:
    """The columns and all that they are derived from."""
    by_id = {feature.id: feature for feature in features}
    found: set[str] = set()
    waiting = set(columns)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= set(by_id[name].reads) if name in by_id else set()
    return found
