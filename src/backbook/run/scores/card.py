"""The model card of one version: everything that is known of it, gathered for a page.

What the version keeps of itself never changes. Beside it stand its life by the rulings, and its figures by grade,
segment and protected group on the rows of the latest past day whose outcomes are over, which are built when the card is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import ibis

from backbook.definitions import Item
from backbook.errors import BadDefinition, NotAllowed
from backbook.outcome.figures import Text
from backbook.run.freeze import BOUGHT
from backbook.run.scores import figures
from backbook.run.scores.here import Here
from backbook.run.scores.seen import Seen, seen
from backbook.score import registry
from backbook.score.apart import by_standing
from backbook.score.definition import Score
from backbook.score.reading import Columns, read_scores
from backbook.score.registry import Standing, Unavailable, Version
from backbook.workspace import Workspace


@dataclass(frozen=True)
class OnRows:
    """Figures on the rows of one day; `later` where the version had not seen them. `moved`: how trees use their features."""

    day: date
    later: bool
    rows: int
    grades: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    fairness: dict[str, Any]
    moved: list[dict[str, Any]]


@dataclass(frozen=True)
class Paid:
    """What vendors were paid for scores in the year until a day."""

    until: date
    records: int
    amount: Decimal


@dataclass(frozen=True)
class Card:
    """`defined` is its definition, as it was; `outcomes` are the words of what its target reads. `needs` says why no rows were built."""

    version: Version
    standing: Standing
    others: Sequence[Standing]
    defined: Mapping[str, Any]
    outcomes: Mapping[str, Text]
    settings: Mapping[str, str]
    on_rows: OnRows | None
    needs: str
    paid: Paid | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "version": self.version.id,
            "standing": asdict(self.standing),
            "content": dict(self.version.content),
            "on_rows": self.on_rows and asdict(self.on_rows),
            "needs": self.needs,
        }


def card(workspace: Workspace, name: str) -> Card:
    """The card of a version, or of the champion of a score. Raises NotAllowed for what is not there."""
    here = Here(workspace)
    meant = here.standing(name)
    version = registry.version(here.head, meant.version)
    defined = dict(version.content.get("defined") or {})
    on_rows, needs = None, ""
    try:
        score = _as_it_was(here, version, defined)
        if score.target is None:
            needs = "a target"
        else:
            with here.engine.scope():
                rows = seen(here, score, [version])
                if isinstance(rows, Unavailable):
                    needs = rows.needs
                else:
                    on_rows = _on_rows(here, rows, version, score)
    except NotAllowed as refused:
        needs = str(refused)
    grain = str(version.content["grain"])
    words = {name.name: Text(name.zh or name.name, name.en or name.name) for name in here.frozen.outcome_names[grain]}
    settings = workspace.settings
    return Card(
        version, meant, [each for each in here.of_score(meant) if each is not meant], defined, words,
        {"zh": settings.name_zh, "en": settings.name}, on_rows, needs, _paid(here) if version.content.get("bought") else None,
    )  # fmt: skip


def _paid(here: Here) -> Paid | None:
    day = here.last_day
    bought = here.reader(day).rows(BOUGHT, day)
    if bought is None or "price" not in bought.columns:
        return None
    year = bought.filter(bought.known_on > ibis.literal(day - timedelta(days=365)))
    (found,) = here.engine.rows(year.aggregate(records=year.count(), amount=year.price.sum()))
    return Paid(day, found["records"], found["amount"] or Decimal(0))


def _as_it_was(here: Here, version: Version, defined: Mapping[str, Any]) -> Score:
    """The definition from which the version was made, read against the columns that the workspace has today."""
    now = next((score for score in here.frozen.scores if score.hash == version.definition), None)
    if now is not None:
        return now
    if not defined:
        raise NotAllowed("its own definition, which this version does not keep")
    # What it may read was checked when it was made; here only the words are read again.
    columns = Columns(here.frozen.names, here.frozen.outcome_names)
    found, faults = read_scores([Item("score", version.score, defined, f"version {version.id}")], columns)
    if faults:
        raise NotAllowed(str(BadDefinition(faults=faults)))
    return found[0]


def _on_rows(here: Here, rows: Seen, version: Version, score: Score) -> OnRows:
    return OnRows(
        rows.day,
        rows.later,
        len(rows.event),
        figures.by_grade(rows, version),
        figures.by_segment(rows, version),
        figures.fairness(rows, version, score),
        by_standing(version, here.engine, rows.table) if version.has_trees else [],
    )
