"""The rows that teach a score: what was known on past days, and what came after.

Units are drawn first (the population on that day); features are built for those units alone and only from what
was known that day. Outcomes are read as known by `as_of`; rows whose outcome is not known yet are censored, not
taken for good. One person may be seen on several days: all their rows stand in the same fold, so that no fit is
judged on someone it has met. Every step is counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Protocol

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backbook.customer.window import month_start
from backbook.engine import Engine
from backbook.score.definition import Score
from backbook.score.registry import Unavailable

MONTHS = {"month": 1, "quarter": 3}
EVENT, EXCLUDED, LEFT_OUT, DAY, PERSON = "_event", "_excluded", "_left_out", "_day", "_person"
SALT = "backbook fold"


class Book(Protocol):
    """What a sample asks of the book; tables are Ibis, one row per unit, with the key of the grain."""

    def profile(self, grain: str, on: date, columns: Collection[str], units: Any | None = None) -> Any:
        """The named profile columns as known on that day, of the given units or of all."""

    def outcomes(self, grain: str, on: date, known_by: date, columns: Collection[str], units: Any) -> Any:
        """The named outcomes of units after `on`, as known by `known_by`; null where not known."""

    def outcomes_end(self, grain: str, on: date, columns: Collection[str]) -> date:
        """The last day that the named outcomes look at."""

    def first_day(self) -> date | None:
        """The day before which nothing is known of the book."""


@dataclass(frozen=True)
class Step:
    """One step of the waterfall: what happened, and the rows that were left after it."""

    zh: str
    en: str
    rows: int


@dataclass(frozen=True)
class Sample:
    """The rows of a training, ordered by day and unit: features, target, the day's place and the fold."""

    rows: pa.Table
    target: npt.NDArray[np.bool_]
    day: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    observed: tuple[date, ...]
    ends: tuple[date, ...]
    as_of: date
    people: int
    waterfall: tuple[Step, ...] = ()

    @property
    def overlaps(self) -> bool:
        """Whether the window of a day was still running on the next: then dates share events, people do not."""
        return any(end > later for end, later in zip(self.ends, self.observed[1:], strict=False))

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over the rows and their targets."""
        digest = hashlib.sha256(self.day.tobytes())
        columns = [
            *(self.rows[name] for name in sorted(self.rows.column_names)),
            pa.chunked_array([pa.array(self.target)]),
        ]
        for column in columns:
            digest.update(str(column.type).encode())
            for value in (pc.is_null(column), _filled(column)):
                array = value.combine_chunks() if isinstance(value, pa.ChunkedArray) else value
                digest.update(_bytes(array))
        return digest.hexdigest()

    def canonical(self) -> dict[str, Any]:
        return {
            "as_of": self.as_of.isoformat(),
            "observed_on": [day.isoformat() for day in self.observed],
            "outcomes_end": [day.isoformat() for day in self.ends],
            "rows": len(self.target),
            "events": int(self.target.sum()),
            "folds_salt": SALT,
            "data": self.data_hash,
            "waterfall": [{"zh": step.zh, "en": step.en, "rows": step.rows} for step in self.waterfall],
        }


def sample(score: Score, engine: Engine, as_of: date, book: Book) -> Sample | Unavailable:
    """The rows that teach `score` at `as_of`, or what the book would need to have any."""
    days = observation_dates(score, as_of, book)
    if not days:
        return Unavailable("score", score.id, _history(score, as_of, book))
    tables, steps = [], {"population": 0, "taught": 0, "known": 0, "kept": 0}
    for place, day in enumerate(days):
        table = _observed(score, engine, as_of, book, day)
        steps["population"] += table.num_rows
        table = table.filter(pc.invert(pc.fill_null(table[EXCLUDED], False)))
        steps["taught"] += table.num_rows
        table = table.filter(pc.is_valid(table[EVENT]))
        steps["known"] += table.num_rows
        table = table.filter(pc.invert(pc.fill_null(table[LEFT_OUT], False)))
        steps["kept"] += table.num_rows
        tables.append(table.append_column(DAY, pa.array(np.full(table.num_rows, place))))
    rows = pa.concat_tables(tables)
    target = rows[EVENT].to_numpy(zero_copy_only=False).astype(bool)
    persons = rows[PERSON].to_pylist()
    waterfall = (
        Step("观察日的目标客群", f"in the population on {len(days)} dates", steps["population"]),
        Step("剔除不参与训练者", "without the exclusions", steps["taught"]),
        Step("剔除表现期未结束或结果未知者", "without those whose outcome is not known yet", steps["known"]),
        Step("剔除不确定样本", "without the indeterminate", steps["kept"]),
        Step("其中发生目标事件", "of which with the event", int(target.sum())),
        Step("涉及的不同客户", "different people among them", len(set(persons))),
    )
    return Sample(
        rows.select([score.key, *(name.name for name in score.features)]),
        target,
        rows[DAY].to_numpy(),
        folds(persons, target, score.folds),
        tuple(days),
        tuple(book.outcomes_end(score.grain, day, score.outcomes) for day in days),
        as_of,
        len(set(persons)),
        waterfall,
    )


def observation_dates(score: Score, as_of: date, book: Book) -> list[date]:
    """The latest ends of a month (or quarter) whose outcomes are over at `as_of`, from the earliest."""
    found: list[date] = []
    first = book.first_day()
    for day in _month_ends(as_of, MONTHS[score.observations.every]):
        if len(found) == score.observations.at_most or (first is not None and day < first) or day.year < 1900:
            break
        if book.outcomes_end(score.grain, day, score.outcomes) <= as_of and day < as_of:
            found.append(day)
    return found[::-1]


def _month_ends(as_of: date, step: int) -> Iterator[date]:
    """Ends of months up to `as_of`, latest first, then every `step` months back."""
    months = 1 if as_of + timedelta(days=1) == month_start(as_of, 1) else 0
    while True:
        yield month_start(as_of, months) - timedelta(days=1)
        months -= step


def _history(score: Score, as_of: date, book: Book) -> str:
    first = book.first_day()
    since = f"; the book begins on {first}" if first else ""
    return f"a past date whose outcomes ({', '.join(sorted(score.outcomes))}) are over by {as_of}{since}"


def _observed(score: Score, engine: Engine, as_of: date, book: Book, day: date) -> pa.Table:
    """One day: the population, its features as known then, its target as known now; ordered by unit."""
    read = frozenset().union(*(each.reads for each in (score.population, score.exclusions) if each is not None))
    everyone = book.profile(score.grain, day, read)
    drawn = everyone if score.population is None else everyone.filter(score.population.ibis(everyone))
    excluded = ibis.literal(False) if score.exclusions is None else score.exclusions.ibis(drawn)
    # Accounts of one customer stand in one fold.
    person = drawn["customer_id" if "customer_id" in drawn.columns else score.key]
    units = engine.cached(drawn.select(score.key, **{PERSON: person, EXCLUDED: excluded}))
    features = book.profile(score.grain, day, frozenset(name.name for name in score.features), units.select(score.key))
    later = book.outcomes(score.grain, day, as_of, score.outcomes, units.select(score.key))
    assert score.target is not None
    marked = later.select(
        _key=later[score.key],
        **{
            EVENT: score.target.ibis(later),
            LEFT_OUT: score.leave_out.ibis(later) if score.leave_out is not None else False,
        },
    )
    columns = [name.name for name in score.features]
    features = features.select(_unit=features[score.key], **{name: features[name] for name in columns})
    rows = units.left_join(features, units[score.key] == features["_unit"]).drop("_unit")
    rows = rows.left_join(marked, rows[score.key] == marked["_key"]).drop("_key")
    return engine.arrow(rows.order_by(score.key))


def folds(persons: Sequence[str | None], target: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.int64]:
    """A fold for each row: people with and without an event are dealt out apart, in the order of a stable hash.

    >>> folds(["ann", "ann", "bob"], np.array([False, True, False]), 2).tolist()
    [0, 0, 0]
    """
    had: dict[str, bool] = {}
    for person, event in zip(persons, target.tolist(), strict=True):
        had[str(person)] = had.get(str(person), False) or event
    fold: dict[str, int] = {}
    for event in (False, True):
        group = sorted((person for person, happened in had.items() if happened is event), key=_shuffled)
        fold |= {person: place % count for place, person in enumerate(group)}
    return np.array([fold[str(person)] for person in persons], dtype=np.int64)


def _shuffled(person: str) -> bytes:
    return hashlib.sha256(f"{SALT}\x00{person}".encode()).digest()


def _filled(column: Any) -> Any:
    """Nulls made a fixed value, so that equal rows have equal bytes."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return pc.cast(pc.fill_null(column, ""), pa.large_string())
    if pa.types.is_decimal(column.type):
        return pc.cast(column, pa.large_string()).fill_null("")
    return pc.fill_null(column, pa.scalar(0, pa.int64()).cast(column.type, safe=False)) if column.null_count else column


def _bytes(array: Any) -> bytes:
    if pa.types.is_large_string(array.type):
        return "\x00".join(array.to_pylist()).encode()
    return bytes(array.to_numpy(zero_copy_only=False).tobytes())
