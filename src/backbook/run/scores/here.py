"""The scores of one workspace as they lie in its lake: which versions there are, what each is, and what a name means."""

from __future__ import annotations

from datetime import date, datetime
from functools import cached_property

from backbook.customer.identity.people import IDENTITY
from backbook.customer.reader import Reader
from backbook.errors import NotAllowed
from backbook.expressions.names import nearest
from backbook.run import freeze
from backbook.run.book import Book
from backbook.run.freeze import Frozen
from backbook.run.scores.lives import ruled, standing
from backbook.score import registry
from backbook.score.definition import Score
from backbook.score.registry import Standing, Version
from backbook.workspace import Workspace

PROFILE = "profile.account"


class Here:
    """A workspace asked about its scores on a day; the latest that it can tell of when none is named."""

    def __init__(self, workspace: Workspace, as_of: date | None = None) -> None:
        self.workspace, self.engine, self.head = workspace, workspace.engine, workspace.lake.head()
        self.as_of = as_of or max([*self._days, datetime.now(workspace.settings.zone).date()])

    @cached_property
    def frozen(self) -> Frozen:
        return freeze.read(self.workspace)[0]

    @cached_property
    def _days(self) -> list[date]:
        manifest = self.head.manifest(PROFILE)
        return sorted(date.fromisoformat(part) for part in manifest.parts()) if manifest else []

    @property
    def last_day(self) -> date:
        """The last day with a profile by the day asked about; raises NotAllowed when there is none."""
        before = [day for day in self._days if day <= self.as_of]
        if not before:
            raise NotAllowed(
                f"There is no profile for {self.as_of} or before. Run `backbook run DIR --as-of DATE` first."
            )
        return before[-1]

    @cached_property
    def by_score(self) -> dict[str, list[Standing]]:
        """The versions of each score; of one that the workspace no longer defines all are retired."""
        defined = {score.id: score for score in self.frozen.scores}
        found = {}
        for id in registry.scores_registered(self.head):
            if id in defined:
                found[id] = standing(self.workspace, self.head, defined[id], self.as_of)
            else:
                rulings = ruled(self.workspace, self.engine, self.head, self.as_of)
                found[id] = registry.standings(registry.registered(self.engine, self.head, id), rulings, "", self.as_of)
        return found

    def standing(self, name: str) -> Standing:
        """A version by its id, or the champion (else the newest version) of a score by its name.

        Raises NotAllowed for what is not there, with the nearest that is.
        """
        for id, versions in self.by_score.items():
            words = {id} | {word for score in self.frozen.scores if score.id == id for word in (score.zh, score.en)}
            if name in words and versions:
                return registry.champion(versions) or versions[-1]
            for each in versions:
                if each.version == name:
                    return each
        raise NotAllowed(f"There is no score or version '{name}' on {self.as_of}. {self._possible(name)}")

    def version(self, name: str) -> Version:
        return registry.version(self.head, self.standing(name).version)

    def of_score(self, version: Standing) -> list[Standing]:
        return next(versions for versions in self.by_score.values() if version in versions)

    def score_of(self, version: Standing) -> Score | None:
        """Its definition as the workspace has it now, if it still does."""
        id = next(id for id, versions in self.by_score.items() if version in versions)
        return next((score for score in self.frozen.scores if score.id == id), None)

    def champions(self) -> dict[str, Version]:
        """The versions that score, by score."""
        found = {id: registry.champion(versions) for id, versions in self.by_score.items()}
        return {id: registry.version(self.head, each.version) for id, each in found.items() if each is not None}

    def reader(self, day: date) -> Reader:
        """The lake under the identity of a day that was profiled."""
        files = self.head.files(IDENTITY, part=day.isoformat())
        return Reader(self.engine, self.head, self.engine.parquet(files) if files else None)

    def book(self) -> Book:
        """The book on any past day, as known on the last day."""
        return Book(self.frozen, self.reader(self.last_day), self.champions())

    def _possible(self, name: str) -> str:
        known = [*self.by_score, *(each.version for versions in self.by_score.values() for each in versions)]
        close = next((each for each in known if each.startswith(name)), None) or nearest(name, known)
        if close:
            return f"Did you mean '{close}'?"
        return (
            f"Possible: {', '.join(sorted(known))}." if known else "None was trained yet: `backbook run` trains them."
        )
