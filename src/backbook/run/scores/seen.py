"""What a version says of the book on one past day, beside what became of it: the rows on which versions are judged.

The day is the latest whose outcomes are over; where it lies after the days that taught the version, the version has
never seen its rows. Sex, age and other protected columns are joined here, for the check of fairness alone, and only
counts of groups leave this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from backbook.customer.clusters import Clusters
from backbook.customer.definition import ACCOUNT, CUSTOMER
from backbook.customer.profile import OWNER
from backbook.customer.ranked import Ranked
from backbook.customer.reader import Reader
from backbook.customer.units import units
from backbook.errors import NotAllowed
from backbook.expressions.names import NUMERIC
from backbook.outcome.figures import Text
from backbook.run.scores.here import Here
from backbook.score import Unavailable, apply, sample
from backbook.score.definition import Observations, Score
from backbook.score.registry import Version
from backbook.score.target import observation_dates

AGE_BAND = 10
SEX, AGE = "_sex", "_age"
SEXES = {"female": Text("女", "Female"), "male": Text("男", "Male"), "other": Text("其他", "Other")}
UNKNOWN = Text("未知", "not known")


@dataclass(frozen=True)
class Group:
    """A way to part the book: the column that does it, its name, and the names of its levels in their order."""

    column: str
    name: Text
    levels: Mapping[str, Text]
    band: bool = False

    def text(self, level: str | None) -> Text:
        if level is None:
            return UNKNOWN
        if self.band:
            return Text(f"{level}岁", level)
        return self.levels.get(level, Text(level, level))


@dataclass(frozen=True)
class Seen:
    """One day's rows: arrays of one entry per unit, and by group the level in which each unit lies.

    `given` holds by version probability (None where the method has none) and grade.
    """

    day: date
    later: bool
    event: npt.NDArray[np.bool_]
    given: Mapping[str, tuple[npt.NDArray[np.float64] | None, Sequence[str | None]]]
    groups: Sequence[tuple[Group, Sequence[str | None]]]
    protected: Sequence[tuple[Group, Sequence[str | None]]]
    lacking: Sequence[Text]
    # The rows themselves, kept in the engine.
    table: Any


def seen(here: Here, score: Score, versions: Sequence[Version]) -> Seen | Unavailable:
    """The latest day whose outcomes are over, with what the versions say of its rows.

    Raises NotAllowed where the workspace no longer has a column that a version reads.
    """
    book, day = here.book(), _day(here, score)
    if day is None:
        return Unavailable("score", score.id, "a past day whose outcomes are over")
    groups = _groups(here, score)
    protected = _protected(here, score)
    names = here.frozen.names[score.grain]
    read = {name.name for version in versions for name in version.columns}
    for name in sorted(read):
        if names.resolve(name) is None:
            raise NotAllowed(
                f"The workspace no longer has '{name}', which {versions[0].score} reads; its rows cannot be built again."
            )
    asked = sorted(read | {each.column for each in (*groups, *protected) if not each.column.startswith("_")})
    wanted = tuple(names[name] for name in asked)
    found = sample(_looked_at(score, wanted), here.engine, here.last_day, book)
    if isinstance(found, Unavailable):
        return found
    day = found.observed[-1]
    table = here.engine.cached(found.table)
    key = table.select("_row", score.key)
    given = {}
    for version in versions:
        scored = apply(version, table, here.engine)
        rows = here.engine.arrow(key.join(scored, score.key).order_by("_row").select("probability", "grade"))
        chances = None if rows["probability"].null_count == len(rows) else rows["probability"].to_numpy().astype(float)
        given[version.id] = (chances, rows["grade"].to_pylist())
    person = _persons(here.reader(here.last_day), here.last_day, score.grain)
    rows = here.engine.arrow(table.order_by("_row").select(score.key, *[n for n in asked if n != score.key]))
    placed = {} if person is None else _by_key(here, key.left_join(person, score.key), day)
    return Seen(
        day=day,
        later=all(day.isoformat() > max(version.content["sample"].get("observed_on") or [""]) for version in versions),
        event=found.target,
        given=given,
        groups=[(each, _levels(each, rows[each.column].to_pylist())) for each in groups],
        protected=[
            (each, placed[each.column] if each.column in placed else _levels(each, rows[each.column].to_pylist()))
            for each in protected
            if each.column in placed or each.column in asked
        ],
        lacking=_lacking(protected, placed),
        table=table,
    )


def _day(here: Here, score: Score) -> date | None:
    days = observation_dates(score, here.last_day, here.book())
    return days[-1] if days else None


def _looked_at(score: Score, wanted: Sequence[Any]) -> Score:
    """The definition with other columns and one day: the same population and target."""
    return replace(score, features=tuple(wanted), observations=Observations(score.observations.every, 1))


# ── how the book is parted ──────────────────────────────────────────────────────────────────────────────────


def _groups(here: Here, score: Score) -> list[Group]:
    """The segments of the grain that stand for themselves on a past day, and the product."""
    names = here.frozen.names[score.grain]
    yields = {name.name for each in here.frozen.scores for name in each.yields}
    found = []
    for segment in here.frozen.segments:
        alone = not isinstance(segment, Ranked | Clusters) and not segment.personal and not segment.reads & yields
        if alone and segment.grain == score.grain:
            levels = {level.code: Text(level.zh, level.en) for level in segment.levels}
            found.append(Group(segment.id, Text(segment.zh, segment.en), levels))
    product = names.resolve("product_id")
    if product is not None:
        found.append(Group(product.name, Text(product.zh, product.en), _named(product)))
    return found


def _protected(here: Here, score: Score) -> list[Group]:
    """Sex and age band of the records, then every attribute that the bank declares protected."""
    found = [Group(SEX, Text("性别", "Sex"), SEXES), Group(AGE, Text("年龄", "Age"), {}, band=True)]
    names = here.frozen.names[score.grain]
    for attribute in here.frozen.attributes:
        prefix = OWNER if attribute.grain == CUSTOMER and score.grain == ACCOUNT else ""
        name = names.resolve(prefix + attribute.id)
        if attribute.protected and name is not None:
            found.append(Group(name.name, Text(name.zh, name.en), _named(name), band=name.type in NUMERIC))
    return found


def _lacking(protected: Sequence[Group], placed: Mapping[str, Any]) -> list[Text]:
    """Sex or age where neither a record nor an attribute of that name tells it."""
    attributes = {words for each in protected if not each.column.startswith("_") for words in each.name}
    return [
        each.name
        for each in protected
        if each.column in (SEX, AGE) and each.column not in placed and not attributes & {*each.name}
    ]


def _named(name: Any) -> dict[str, Text]:
    return {level.code: Text(level.zh or level.code, level.en or level.code) for level in name.levels}


def _levels(group: Group, values: Sequence[Any]) -> list[str | None]:
    return [None if value is None else band(value) if group.band else str(value) for value in values]


def band(value: Any) -> str:
    """
    >>> band(36), band(-3)
    ('30–39', '-10–-1')
    """
    least = int(value // AGE_BAND) * AGE_BAND
    return f"{least}–{least + AGE_BAND - 1}"


def _persons(reader: Reader, known_by: date, grain: str) -> Any | None:
    """key, sex and birth date of each unit, from the records of its customer; None where no record tells either."""
    party = reader.rows("party", known_by)
    told = [] if party is None else [name for name in ("gender", "birth_date") if name in party.columns]
    if party is None or not told:
        return None
    whose = units(reader, known_by)
    of = whose.parties.join(party.select("system", "party_id", *told), ["system", "party_id"])
    # A customer of several records: the first of their words, the same one every time.
    people = of.group_by("customer_id").agg(**{name: of[name].min() for name in told})
    if grain == CUSTOMER:
        return people
    owner = whose.accounts.select("account_id", "customer_id")
    return owner.join(people, "customer_id").drop("customer_id")


def _by_key(here: Here, rows: Any, day: date) -> dict[str, list[str | None]]:
    """Sex and age band in the order of the rows; what nobody's record tells is left out."""
    rows = here.engine.arrow(rows.order_by("_row"))
    found: dict[str, list[str | None]] = {}
    if "gender" in rows.column_names and rows["gender"].null_count < len(rows):
        found[SEX] = rows["gender"].to_pylist()
    if "birth_date" in rows.column_names and rows["birth_date"].null_count < len(rows):
        found[AGE] = [None if born is None else band(_years(born, day)) for born in rows["birth_date"].to_pylist()]
    return found


def _years(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
