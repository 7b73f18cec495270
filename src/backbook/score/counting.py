"""Rows become fine codes, and codes become counts, where the rows are: all that binning needs are whole numbers.

A number gets one code per distinct value, or per slice of about equal size where there are many; a text one per level.
After these come the stated special values (or, for texts, all rare and unseen levels), and at last the missing.
The slices know nothing of the target, so the same codes serve every fold. `grids` says how each feature is cut, and
`counted` counts events and others in it, by fold and day; both are asked of the engine, so no row leaves it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from itertools import pairwise
from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backbook.engine import Engine
from backbook.expressions import Name, Type
from backbook.expressions.names import NUMERIC

# Finer slices change the information value in the fourth digit only; the search takes about 2 ms a feature.
FINE_SLICES = 60
# Rarer levels than these are counted together as the rest.
MOST_LEVELS = 50
# So many rows place sixty slices well enough; the counts are then made of all rows, exactly.
ROWS_FOR_SLICES = 50_000
# An estimate of distinct values is trusted to this factor before they are listed.
ROUGHLY = 1.3

Codes = npt.NDArray[np.int16]
Wholes = npt.NDArray[np.int64]
EXACT = Context(prec=40)


@dataclass(frozen=True)
class Counts:
    """Events and others for each fine slice, in the order in which neighbours may join."""

    events: Wholes
    others: Wholes


@dataclass(frozen=True)
class Grid:
    """How one feature is cut finely: `slices` codes that may join, then the special ones, then the missing."""

    name: Name
    ends: tuple[Decimal, ...] = ()
    levels: tuple[Any, ...] = ()
    special: tuple[Any, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether the values are levels without an order of their own."""
        return self.name.type in (Type.TEXT, Type.YESNO)

    @property
    def slices(self) -> int:
        return len(self.levels) if self.is_text else len(self.ends) + 1

    @property
    def codes_in_all(self) -> int:
        return self.slices + (1 if self.is_text else len(self.special)) + 1

    @property
    def sql(self) -> str:
        """The fine code of the column in the engine's own SQL: one feature has sixty cuts, and Ibis spends longer on
        compiling them than the engine on counting a million rows."""
        column = _quoted(self.name.name)
        missing = self.codes_in_all - 1
        if self.is_text:
            known = " ".join(f"WHEN {column} = {_literal(level)} THEN {n}" for n, level in enumerate(self.levels))
            return f"CASE WHEN {column} IS NULL THEN {missing} {known} ELSE {self.slices} END"
        number = f"{column}::DOUBLE"
        special = " ".join(
            f"WHEN {number} = {float(value)!r} THEN {self.slices + n}" for n, value in enumerate(self.special)
        )
        aside = f"{column} IS NULL OR isnan({number}) OR isinf({number})"
        between = _between([float(end) for end in self.ends], number, 0)
        return f"CASE WHEN {aside} THEN {missing} {special} ELSE {between} END"

    def codes(self, column: pa.ChunkedArray) -> Codes:
        """The fine codes of a column at hand."""
        if self.is_text:
            place: dict[Any, int] = {level: number for number, level in enumerate(self.levels)}
            place[None] = self.codes_in_all - 1
            return np.array([place.get(each, self.slices) for each in column.to_pylist()], dtype=np.int16)
        values = as_numbers(column)
        codes = np.searchsorted(np.array([float(end) for end in self.ends]), values, side="left").astype(np.int16)
        for number, special in enumerate(self.special):
            codes[values == float(special)] = self.slices + number
        codes[np.isnan(values)] = self.codes_in_all - 1
        return codes


def as_numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """The column as doubles; null and whatever is not finite become NaN."""
    values = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _between(ends: Sequence[float], number: str, first: int) -> str:
    """The place of a number among the ends, by halving: six comparisons for sixty slices."""
    if not ends:
        return str(first)
    middle = len(ends) // 2
    lower, upper = _between(ends[:middle], number, first), _between(ends[middle + 1 :], number, first + middle + 1)
    return f"CASE WHEN {number} <= {ends[middle]!r}::DOUBLE THEN {lower} ELSE {upper} END"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: Any) -> str:
    return str(value) if isinstance(value, bool) else "'" + str(value).replace("'", "''") + "'"


# ── how features are cut ────────────────────────────────────────────────────────────────────────────────────


def grids(engine: Engine, table: Any, names: Sequence[Name], special: Mapping[str, tuple[Any, ...]]) -> list[Grid]:
    """The fine cut of each feature, in their order; the table's `_row` counts its rows from 0."""
    numbers = {
        name.name: _ordinary(table[name.name], special.get(name.name, ())) for name in names if name.type in NUMERIC
    }
    if not numbers:
        return [Grid(name, levels=_levels(engine, table[name.name])) for name in names]
    about = engine.rows(table.aggregate(**{name: number.approx_nunique() for name, number in numbers.items()}))[0]
    few = {name for name in numbers if about[name] <= FINE_SLICES * ROUGHLY}
    values = {name: _distinct(engine, numbers[name]) for name in numbers if name in few}
    many = [name for name in numbers if name not in few or len(values[name]) > FINE_SLICES]
    ends = {name: _after_each(found) for name, found in values.items()} | _slices(engine, table, numbers, many)
    return [
        Grid(name, ends=ends[name.name], special=special.get(name.name, ()))
        if name.type in NUMERIC
        else Grid(name, levels=_levels(engine, table[name.name]))
        for name in names
    ]


def _ordinary(value: Any, special: Collection[Any]) -> Any:
    """The column as doubles, without what is missing, infinite or special."""
    number = value.cast("float64")
    aside = number.isnan() | number.isinf()
    if special:
        aside = aside | number.isin([float(each) for each in special])
    return aside.ifelse(ibis.null("float64"), number)


def _distinct(engine: Engine, number: Any) -> list[float]:
    found = number.as_table().distinct()
    return sorted(row for row in engine.arrow(found)[found.columns[0]].to_pylist() if row is not None)


def _after_each(values: Sequence[float]) -> tuple[Decimal, ...]:
    return tuple(tidy(low, high) for low, high in pairwise(values))


def _slices(
    engine: Engine, table: Any, numbers: Mapping[str, Any], names: Sequence[str]
) -> dict[str, tuple[Decimal, ...]]:
    """Ends of slices of about equal size, from every n-th row of the table."""
    if not names:
        return {}
    step = max(engine.count(table) // ROWS_FOR_SLICES, 1)
    shares = [place / FINE_SLICES for place in range(1, FINE_SLICES)]
    drawn = table.select("_row", **{name: numbers[name] for name in names})
    drawn = drawn.filter(drawn["_row"] % step == 0)
    found = engine.rows(drawn.aggregate(**{name: drawn[name].quantile(shares) for name in names}))[0]
    return {name: _ends(found[name] or []) for name in names}


def _ends(quantiles: Sequence[float]) -> tuple[Decimal, ...]:
    """Readable cuts at the quantiles: each moves up at most half of the way to the next."""
    kept = sorted(set(quantiles))
    return tuple(
        tidy(low, low + (high - low) / 2) for low, high in pairwise([*kept, kept[-1] * 2 - kept[0] + 1] if kept else [])
    )


def _levels(engine: Engine, column: Any) -> tuple[Any, ...]:
    """The most frequent levels of a text, sorted."""
    counted = column.name("level").as_table().group_by("level").agg(rows=lambda each: each.count())
    rows = [row for row in engine.rows(counted) if row["level"] is not None]
    frequent = sorted(rows, key=lambda row: (-row["rows"], row["level"]))[:MOST_LEVELS]
    return tuple(sorted(row["level"] for row in frequent))


def tidy(low: float, high: float) -> Decimal:
    """The shortest decimal from `low` up to, but without, `high`: a cut that people can read.

    >>> tidy(0.3127, 0.3554), tidy(95.0, 101.0), tidy(3.0, 4.0)
    (Decimal('0.32'), Decimal('100'), Decimal('3'))
    """
    exact = Decimal(repr(low))
    coarsest = math.ceil(math.log10(max(abs(low), abs(high), 1e-300))) + 1
    for digits in range(-max(coarsest, 0), 30):
        cut = exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_CEILING, context=EXACT)
        if low <= float(cut) < high:
            return Decimal(f"{cut.normalize():f}") + 0
    return exact


# ── counts ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Tally:
    """Events and others of one feature by fold, day and fine code: whole numbers of that shape."""

    grid: Grid
    events: Wholes
    others: Wholes

    def counts(self, folds: Collection[int] | None = None, days: Collection[int] | None = None) -> Counts:
        """By code, of the rows of these folds and days; of all where none are named."""
        within = np.ix_(
            sorted(range(self.events.shape[0]) if folds is None else folds),
            sorted(range(self.events.shape[1]) if days is None else days),
        )
        return Counts(self.events[within].sum(axis=(0, 1)), self.others[within].sum(axis=(0, 1)))


def counted(engine: Engine, table: Any, grids: Sequence[Grid], *, folds: int, days: int) -> list[Tally]:
    """The counts of each grid over a table with the columns `_event` (yes/no), `_fold` and `_day` (from 0)."""
    found = []
    # Named once: an expression over several days would be compiled for each feature anew.
    kept = engine.sql("SELECT * FROM rows", {"rows": table})
    for grid in grids:
        rows = engine.ask(
            f"SELECT {grid.sql} AS code, _fold, _day, _event, count(*) AS rows FROM kept GROUP BY ALL", {"kept": kept}
        )
        both = np.zeros((2, folds, days, grid.codes_in_all), dtype=np.int64)
        for row in rows:
            both[int(row["_event"]), row["_fold"], row["_day"], row["code"]] = row["rows"]
        found.append(Tally(grid, events=both[1], others=both[0]))
    return found
