"""The rows that teach a score: what was known on past days, and what came after.

Units are drawn first (the population on that day), then what became of them; features are built for the units that
teach, and only from what was known that day. Outcomes are read as known by `as_of`; rows whose outcome is not known
yet are censored, not taken for good. One person may be seen on several days: all their rows stand in the same fold,
so that no fit is judged on someone it has met. Every step is counted. The features stay in the engine.
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

from backbook.customer.passes import IBIS
from backbook.customer.window import month_start
from backbook.engine import Engine
from backbook.expressions import Expression
from backbook.score.counting import Codes, Grid
from backbook.score.definition import Score
from backbook.score.registry import Unavailable

MONTHS = {"month": 1, "quarter": 3}
EVENT, FIRST, EXCLUDED, BETWEEN = "_event", "_first", "_excluded", "_between"
ROW, DAY, FOLD, PERSON = "_row", "_day", "_fold", "_person"
SALT = "backbook fold"
# So many columns are fetched in one go.
AT_ONCE = 20

Marks = npt.NDArray[np.bool_]


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
    """The rows of a training in the order of day and unit; `table` holds their features, with `_row`, `_event`, `_day`, `_fold`.

    Arrays have one entry per row: the target, whether the first of two stages was passed, the day's place among
    `observed`, the fold.
    """

    engine: Engine
    table: Any
    features: tuple[str, ...]
    target: Marks
    first: Marks
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

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Features at hand, in the order of the rows."""
        return self.engine.arrow(self.table.order_by(ROW).select(*names))

    def column(self, name: str) -> pa.ChunkedArray:
        return self.columns([name])[name]

    def codes(self, grids: Sequence[Grid]) -> dict[str, Codes]:
        """The fine codes of features, fetched some columns at a time."""
        found: dict[str, Codes] = {}
        for first in range(0, len(grids), AT_ONCE):
            some = {grid.name.name: grid for grid in grids[first : first + AT_ONCE]}
            columns = self.columns(list(some))
            found |= {name: grid.codes(columns[name]) for name, grid in some.items()}
        return found

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over a digest of each row with its target, made where the rows are."""
        texts = [self.table[name].cast("string").fill_null("\x00") for name in sorted((*self.features, EVENT, DAY))]
        digests = self.table.select(ROW, digest=ibis.literal("\x1f").join(texts).hexdigest("md5")).order_by(ROW)
        digest = hashlib.sha256()
        for chunk in self.engine.arrow(digests)["digest"].chunks:
            digest.update("".join(chunk.to_pylist()).encode())
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
    marked = [_marked(score, engine, as_of, book, day) for day in days]
    counts = {name: sum(found[name] for _, found in marked) for name in marked[0][1]}
    rows = pa.concat_tables([table.append_column(DAY, pa.array(np.full(table.num_rows, place, np.int16)))
                             for place, (table, _) in enumerate(marked)])  # fmt: skip
    target, first = (rows[name].to_numpy(zero_copy_only=False).astype(bool) for name in (EVENT, FIRST))
    persons = rows[PERSON].to_pylist()
    fold = folds(persons, target, score.folds)
    numbered = rows.drop_columns([PERSON]).append_column(ROW, pa.array(np.arange(len(target))))
    numbered = numbered.append_column(FOLD, pa.array(fold.astype(np.int16)))
    people = len(set(persons))
    return Sample(
        engine,
        _with_features(score, engine, book, days, numbered),
        tuple(name.name for name in score.features),
        target,
        first,
        rows[DAY].to_numpy().astype(np.int64),
        fold,
        tuple(days),
        tuple(book.outcomes_end(score.grain, day, score.outcomes) for day in days),
        as_of,
        people,
        (
            Step("观察日的目标客群", f"in the population on {len(days)} dates", counts["population"]),
            Step("剔除不参与训练者", "without the exclusions", counts["taught"]),
            Step("剔除表现期未结束或结果未知者", "without those whose outcome is not known yet", counts["known"]),
            Step("剔除不确定样本", "without the indeterminate", counts["kept"]),
            Step("其中发生目标事件", "of which with the event", int(target.sum())),
            Step("涉及的不同客户", "different people among them", people),
        ),
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


def _marked(score: Score, engine: Engine, as_of: date, book: Book, day: date) -> tuple[pa.Table, dict[str, int]]:
    """One day: the units that teach, with their person and what became of them, ordered; and the rows after each step."""
    rows = became(score, engine, as_of, book, day)
    known, taught = _known(rows), ~rows[EXCLUDED]
    kept = taught & known & _apart(rows)
    counts = rows.aggregate(population=rows.count(), taught=taught.sum(), known=(taught & known).sum(), kept=kept.sum())
    found = {name: int(number or 0) for name, number in engine.rows(counts)[0].items()}
    return engine.arrow(rows.filter(kept).select(score.key, PERSON, EVENT, FIRST).order_by(score.key)), found


def became(score: Score, engine: Engine, as_of: date, book: Book, day: date) -> Any:
    """The population of a day, kept in the engine: key, person, whether excluded, and what became of it as known by `as_of`."""
    read = frozenset().union(*(each.reads for each in (score.population, score.exclusions) if each is not None))
    everyone = book.profile(score.grain, day, read)
    drawn = everyone if score.population is None else everyone.filter(score.population.ibis(everyone))
    # Accounts of one customer stand in one fold.
    person = drawn["customer_id" if "customer_id" in drawn.columns else score.key]
    units = engine.cached(drawn.select(score.key, **{PERSON: person, EXCLUDED: _holds(score.exclusions, drawn)}))
    later = book.outcomes(score.grain, day, as_of, score.outcomes, units.select(score.key))
    assert score.target is not None
    first = ibis.literal(True) if score.first is None else score.first.ibis(later)
    turned = later.select(
        _key=later[score.key],
        **{
            # The whole way is gone by those who passed the first stage too.
            EVENT: score.target.ibis(later) & first,
            FIRST: first,
            BETWEEN: _holds(score.indeterminate, later),
        },
    )
    return engine.cached(units.left_join(turned, units[score.key] == turned["_key"]).drop("_key"))


def judged(score: Score, engine: Engine, as_of: date, book: Book, day: date) -> Any:
    """Of a day's units those that could have taught, with their `_event`: whom a score of that day is judged by."""
    rows = became(score, engine, as_of, book, day)
    return rows.filter(~rows[EXCLUDED] & _known(rows) & _apart(rows)).select(score.key, EVENT)


def _known(rows: Any) -> Any:
    return rows[EVENT].notnull() & rows[FIRST].notnull()


def _apart(rows: Any) -> Any:
    """Whether a row is one or the other, not in between."""
    return ~rows[BETWEEN].fill_null(False)


def _holds(condition: Expression | None, table: Any) -> Any:
    """Whether the condition is known to hold."""
    return ibis.literal(False) if condition is None else condition.ibis(table).fill_null(False)


def _with_features(score: Score, engine: Engine, book: Book, days: Sequence[date], rows: pa.Table) -> Any:
    """The numbered rows of all days with the features of each day, kept day by day."""
    names = [name.name for name in score.features]
    found = None
    for place, day in enumerate(days):
        units = engine.table(rows.filter(pc.equal(rows[DAY], place)))
        features = book.profile(score.grain, day, frozenset(names), units.select(score.key))
        features = features.select(_unit=features[score.key], **{name: features[name] for name in names})
        of_day = engine.cached(units.left_join(features, units[score.key] == features["_unit"]).drop("_unit"))
        # The engine may hold a small whole number narrowly on one day and widely on another.
        of_day = of_day.cast({name.name: IBIS[name.type] for name in score.features})
        found = of_day if found is None else found.union(of_day)
    return found


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
