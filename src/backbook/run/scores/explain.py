"""What moved a score: for one account or customer, and for the whole book of the last day that was scored."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from backbook.customer.definition import ACCOUNT, CUSTOMER
from backbook.customer.profile import KEY, Profile
from backbook.errors import NotAllowed
from backbook.run.scores.here import PROFILE, Here
from backbook.score.apart import Explained, explain_one, letter, moved
from backbook.score.registry import Version, version
from backbook.workspace import Workspace

OF_CUSTOMER = "profile.customer"


@dataclass(frozen=True)
class OfUnit:
    """One unit's score taken apart, and the sentences of a letter in both languages."""

    unit: str
    as_of: date
    version: Version
    grade: str | None
    explained: Explained

    def letter(self, language: str) -> list[str]:
        return letter(self.explained.reasons, language)

    def as_json(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "as_of": self.as_of.isoformat(),
            "version": self.version.id,
            "grade": self.grade,
            **asdict(self.explained),
            "letter": {language: self.letter(language) for language in ("zh", "en")},
        }


@dataclass(frozen=True)
class OfBook:
    """What moves a score over a book: a row for each feature, the strongest first."""

    as_of: date
    version: Version
    rows: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        return {"as_of": self.as_of.isoformat(), "version": self.version.id, "features": self.rows}


def explain(workspace: Workspace, score: str, unit: str | None = None, *, as_of: date | None = None) -> OfUnit | OfBook:
    """Taken apart: the score of one unit, or of all.

    The version is the one by which the book was scored on that day. Raises NotAllowed for a score that was not, and for
    a unit that the day does not know.
    """
    here = Here(workspace, as_of)
    day = here.last_day
    with here.engine.scope():
        rows = _scored(here, score, day)
        used = version(here.head, rows["version"])
        table = here.engine.parquet(here.head.files("score", part=day.isoformat()))
        given = table.filter(table.score == used.score)
        profile = _profile(here, used, day)
        if unit is None:
            return OfBook(day, used, _named(used, moved(used, here.engine, profile, given)))
        found = here.engine.rows(profile.filter(profile[used.key] == unit))
        if not found:
            raise NotAllowed(
                f"{day} knows no {used.key.removesuffix('_id')} '{unit}'. Write its id, such as {rows['unit']}."
            )
        grade = here.engine.rows(given.filter(given.unit == unit))[0]["grade"]
        return OfUnit(unit, day, used, grade, explain_one(used, found[0]))


def _scored(here: Here, score: str, day: date) -> dict[str, Any]:
    """Any row of the score on the day."""
    files = here.head.files("score", part=day.isoformat())
    table = here.engine.parquet(files) if files else None
    id = here.version(score).score
    found = [] if table is None else here.engine.rows(table.filter(table.score == id).order_by("unit").limit(1))
    if not found:
        raise NotAllowed(f"The book was not scored by '{id}' on {day}. Walk `backbook score DIR --as-of {day}` first.")
    return found[0]


def _profile(here: Here, used: Version, day: date) -> Any:
    """The profile of the day with what the version reads."""
    tables = [here.engine.parquet(here.head.files(name, part=day.isoformat())) for name in (PROFILE, OF_CUSTOMER)]
    grain = ACCOUNT if used.key == KEY[ACCOUNT] else CUSTOMER
    return Profile(day, *tables).rows(grain, [name.name for name in used.columns])


def _named(used: Version, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the words of their features; a rule has its own."""
    words = {name.name: (name.zh or name.name, name.en or name.name) for name in used.columns}
    found = []
    for row in rows:
        code = row["feature"]
        zh, en = words.get(code) or (used.reason(code, "zh"), used.reason(code, "en"))
        found.append({**row, "zh": zh, "en": en})
    return found
