"""What a version keeps of the rows that taught it, so that later rows can be held against them.

Of each column that it uses about ten bands with the rows in each: a number by readable ends, special values and the
missing apart; a text by its frequent levels, all others together, the missing apart. The same of the chance it gives,
and of the grades. It is counts only: no row of any customer stays in a version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from backbook.engine import Engine
from backbook.expressions import Name, Names, Type, parse
from backbook.score.counting import Grid, Tally, as_numbers, tidy
from backbook.score.definition import Grade, Score
from backbook.score.look import Seen
from backbook.score.target import ROW, Sample

Floats = npt.NDArray[np.float64]

MOST = 10
# A level that fewer rows have stands with the rest: its share would move by chance.
RARE = 0.01
PROBABILITY = Name("probability", Type.NUMBER, "概率", "Probability")
GRADE = Name("grade", Type.TEXT, "评级", "Grade")


@dataclass(frozen=True)
class Bands:
    """How one column is cut, and the rows in each band, in the order of the grid's codes; the missing come last."""

    grid: Grid
    rows: tuple[int, ...]

    @property
    def name(self) -> Name:
        return self.grid.name

    @property
    def missing(self) -> int:
        return self.rows[-1]

    @property
    def labels(self) -> tuple[str, ...]:
        """What each band is called; `other` and `missing` are words of the one who shows them.

        >>> Bands(Grid(PROBABILITY, ends=(Decimal("0.1"), Decimal("0.5"))), (5, 3, 2, 0)).labels
        ('≤ 0.1', '0.1–0.5', '> 0.5', 'missing')
        """
        if self.grid.is_text:
            return (*map(str, self.grid.levels), "other", "missing")
        ends = [f"{end:f}" for end in self.grid.ends]
        inner = [f"{low}–{high}" for low, high in pairwise(ends)]
        ranges = [f"≤ {ends[0]}", *inner, f"> {ends[-1]}"] if ends else ["…"]
        return (*ranges, *(f"= {special}" for special in self.grid.special), "missing")

    def canonical(self) -> dict[str, Any]:
        name = self.name
        return {
            "name": name.name,
            "type": str(name.type),
            "zh": name.zh,
            "en": name.en,
            "ends": [f"{end:f}" for end in self.grid.ends],
            "levels": list(self.grid.levels),
            "special": list(self.grid.special),
            "rows": list(self.rows),
        }

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Bands:
        name = Name(content["name"], Type(content["type"]), content["zh"], content["en"])
        ends = tuple(Decimal(end) for end in content["ends"])
        grid = Grid(name, ends=ends, levels=tuple(content["levels"]), special=tuple(content["special"]))
        return cls(grid, tuple(content["rows"]))


@dataclass(frozen=True)
class Reference:
    """The rows of a training in bands. `people` are fewer than `rows` where some were seen on several days."""

    rows: int
    people: int
    probability: Bands
    grades: Bands
    features: tuple[Bands, ...]

    def canonical(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "people": self.people,
            "probability": self.probability.canonical(),
            "grades": self.grades.canonical(),
            "features": [bands.canonical() for bands in self.features],
        }

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Reference:
        return cls(
            content["rows"],
            content["people"],
            Bands.read(content["probability"]),
            Bands.read(content["grades"]),
            tuple(Bands.read(bands) for bands in content["features"]),
        )


def referred(
    content: Mapping[str, Any],
    score: Score,
    sample: Sample,
    seen: Seen,
    used: Iterable[Name],
    chances: Floats | None = None,
) -> dict[str, Any]:
    """A version's content with its reference: of the features that it uses, and of the chances of the rows that taught it.

    The chances are to be such as a new row of the same kind would get. Without any they are what the version's own steps
    say of the rows, which is right where few parameters were fitted; a method that knows its rows by heart gives those
    that came out of fold.
    """
    names = dict.fromkeys(name.name for name in used)
    found = Reference(
        rows=len(sample.target),
        people=sample.people,
        probability=_of_chances(known := said(content, sample) if chances is None else chances),
        grades=_of_grades(score.grades, known),
        features=tuple(_of_feature(seen.by_name[name]) for name in names if name in seen.by_name),
    )
    return {**content, "reference": found.canonical()}


def said(content: Mapping[str, Any], sample: Sample) -> Floats:
    """The chances that the steps of a version give to the rows of a sample, in their order."""
    names = Names("score", [Name(each["name"], Type(each["type"])) for each in content["columns"]])
    table = sample.table
    for one in content["steps"]:
        expression = parse(one["text"], names, expect=Type(one["type"]))
        table = table.mutate(**{one["column"]: expression.ibis(table)})
        names = names.with_names([Name(one["column"], Type(one["type"]))])
        if one["column"] == PROBABILITY.name:
            break
    chances = sample.engine.arrow(table.order_by(ROW).select(PROBABILITY.name))
    return as_numbers(chances[PROBABILITY.name])


def _of_feature(tally: Tally) -> Bands:
    counts = tally.counts()
    rows = [int(count) for count in counts.events + counts.others]
    grid = tally.grid
    if grid.is_text:
        return _of_levels(grid.name, dict(zip(grid.levels, rows, strict=False)), rows[-2], rows[-1])
    ends, few = _fewer(grid.ends, rows[: grid.slices])
    return Bands(Grid(grid.name, ends=ends, special=grid.special), (*few, *rows[grid.slices :]))


def _of_levels(name: Name, rows: Mapping[Any, int], rest: int, missing: int) -> Bands:
    total = sum(rows.values()) + rest + missing
    frequent = sorted(rows, key=lambda level: (-rows[level], str(level)))[: MOST - 1]
    levels = tuple(sorted(level for level in frequent if rows[level] >= RARE * total))
    rest += sum(rows.values()) - sum(rows[level] for level in levels)
    return Bands(Grid(name, levels=levels), (*(rows[level] for level in levels), rest, missing))


def _fewer(ends: Sequence[Decimal], rows: Sequence[int]) -> tuple[tuple[Decimal, ...], tuple[int, ...]]:
    """Neighbouring slices joined to about ten of like size; a slice that is larger stands alone.

    >>> _fewer([Decimal(end) for end in range(1, 20)], [5] * 20)[1]
    (10, 10, 10, 10, 10, 10, 10, 10, 10, 10)
    >>> _fewer([Decimal(0), Decimal(1)], [90, 1, 9])
    ((Decimal('0'),), (90, 10))
    """
    share = sum(rows) / MOST
    kept: list[Decimal] = []
    few: list[int] = []
    gathered = 0
    for end, count in zip(ends, rows, strict=False):
        gathered += count
        if gathered >= share:
            kept.append(end)
            few.append(gathered)
            gathered = 0
    gathered += rows[-1]
    if kept and gathered < share / 2:
        kept.pop()
        gathered += few.pop()
    return tuple(kept), (*few, gathered)


def _of_chances(chances: Floats) -> Bands:
    """Tenths, cut only between different chances, at readable ends."""
    known = chances[~np.isnan(chances)]
    values, counts = np.unique(known, return_counts=True)
    ends = [tidy(float(low), float(low + (high - low) / 2)) for low, high in pairwise(values)]
    kept, few = _fewer(ends, [int(count) for count in counts])
    return Bands(Grid(PROBABILITY, ends=kept), (*few, len(chances) - len(known)))


def _of_grades(grades: Sequence[Grade], chances: Floats) -> Bands:
    ends = np.array([grade.up_to for grade in grades[:-1]], dtype=np.float64)
    known = chances[~np.isnan(chances)]
    rows = np.bincount(np.searchsorted(ends, known, side="left"), minlength=len(grades))
    grid = Grid(GRADE, levels=tuple(grade.code for grade in grades))
    return Bands(grid, (*(int(count) for count in rows), 0, len(chances) - len(known)))


def counted(engine: Engine, table: Any, bands: Mapping[str, Bands]) -> dict[str, list[int]]:
    """The rows of the table in each band of its named columns: one pass over it, of which only counts come out."""
    asked = {"all": table.count()}
    for place, (column, each) in enumerate(bands.items()):
        asked |= {f"{place}_{code}": count for code, count in enumerate(_counts(each.grid, table[column]))}
    found = engine.rows(table.aggregate(**asked))[0]
    total = int(found["all"])
    answer = {}
    for place, (column, each) in enumerate(bands.items()):
        grid = each.grid
        number = len(grid.levels) + 1 if grid.is_text else len(grid.ends) + 1 + len(grid.special)
        counts = [int(found[f"{place}_{code}"] or 0) for code in range(number)]
        answer[column] = _rows_by_code(grid, counts, total)
    return answer


def _counts(grid: Grid, value: Any) -> list[Any]:
    """Few counts that cost little, from which `_rows_by_code` has the rows of every code."""
    if grid.is_text:
        return [*((value == level).sum() for level in grid.levels), value.count()]
    number = value.cast("float64")
    aside = number.isnan() | number.isinf()
    if grid.special:
        aside = aside | number.isin([float(each) for each in grid.special])
    below = [(~aside & (number <= float(end))).sum() for end in grid.ends]
    return [*below, (~aside & number.notnull()).sum(), *((number == float(each)).sum() for each in grid.special)]


def _rows_by_code(grid: Grid, counts: Sequence[int], total: int) -> list[int]:
    if grid.is_text:
        *levels, known = counts
        return [*levels, known - sum(levels), total - known]
    below, special = counts[: len(grid.ends) + 1], counts[len(grid.ends) + 1 :]
    ranges = [high - low for low, high in pairwise([0, *below])]
    return [*ranges, *special, total - sum(ranges) - sum(special)]
