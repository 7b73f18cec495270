"""The smallest conditions that a rule is made of: one feature against one cut, some levels, or not known at all.

Each literal stands on the fine codes of its feature (`counting`): it holds for a run of neighbouring codes, so that
running sums count any literal at once. A text has no order of its own: its levels are put in the order of their
event rates, and what may be joined are the levels with the highest.

Declared directions bar the literals that point the wrong way: where more means more events, no rule may warn of little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from backbook.expressions import Name, Type
from backbook.score.counting import Codes, Grid
from backbook.score.explain import level

Marks = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Literal:
    """One condition: as an expression, in words, and as the run of codes, without `after`, for which it holds."""

    feature: str
    first: int
    after: int
    text: str
    zh: str
    en: str


@dataclass(frozen=True)
class Feature:
    """One feature coded for a search, and all the literals that may stand in a rule."""

    name: str
    codes: Codes
    size: int
    literals: tuple[Literal, ...]

    def holds(self, literal: Literal) -> Marks:
        """For which rows the literal holds; not known is not holding."""
        found: Marks = (self.codes >= literal.first) & (self.codes < literal.after)
        return found


def feature(grid: Grid, codes: Codes, target: Marks, taught: Places, direction: str) -> Feature:
    """The feature with its literals; only the rows at the places `taught` tell directions and the order of levels."""
    if grid.is_text:
        order = _by_rate(grid, codes[taught], target[taught])
        place = np.argsort(np.concatenate([order, np.setdiff1d(np.arange(grid.codes_in_all), order)]))
        return Feature(grid.name.name, place.astype(np.int16)[codes], grid.codes_in_all, tuple(_of_levels(grid, order)))
    ways = _ways(grid, codes[taught], target[taught], direction)
    return Feature(grid.name.name, codes, grid.codes_in_all, tuple(_of_numbers(grid, ways)))


def _by_rate(grid: Grid, codes: Codes, events: Marks) -> Places:
    """Levels from the lowest event rate to the highest; a level alone is drawn towards the average by one row.

    A level that the column's own list does not have could not be named in a condition.
    """
    listed = {level.code for level in grid.name.levels}
    rows = np.bincount(codes, minlength=grid.codes_in_all)[: grid.slices]
    right = np.bincount(codes[events], minlength=grid.codes_in_all)[: grid.slices]
    order = np.argsort((right + events.mean()) / (rows + 1), kind="stable")
    return np.array([code for code in order if not listed or grid.levels[code] in listed], dtype=np.int64)


def _ways(grid: Grid, codes: Codes, events: Marks, direction: str) -> tuple[str, ...]:
    """Which way a literal may point; `auto` is the way in which the feature alone goes with the event."""
    if direction != "auto":
        return (direction,) if direction in ("up", "down") else ("up", "down")
    ordinary = codes < grid.slices
    high, low = codes[ordinary & events], codes[ordinary & ~events]
    rises = len(high) > 0 and len(low) > 0 and float(high.mean()) >= float(low.mean())
    return ("up",) if rises else ("down",)


def _of_numbers(grid: Grid, ways: Sequence[str]) -> Iterator[Literal]:
    name, whole = grid.name, grid.name.type is Type.WHOLE
    zh, en = _called(name)
    for place, end in enumerate(grid.ends):
        if "up" in ways:
            sign, value = (">=", end + 1) if whole else (">", end)
            more, greater = ("不少于", "at least") if whole else ("高于", "above")
            yield Literal(
                name.name, place + 1, grid.slices, _apart(grid, f"{name.name} {sign} {value:f}", end, above=True),
                f"{zh}{more} {value:f}", f"{en} {greater} {value:f}",
            )  # fmt: skip
        if "down" in ways:
            yield Literal(
                name.name, 0, place + 1, _apart(grid, f"{name.name} <= {end:f}", end, above=False),
                f"{zh}不超过 {end:f}", f"{en} at most {end:f}",
            )  # fmt: skip
    for place, special in enumerate(grid.special):
        alone, code = f"{Decimal(repr(special)):f}", grid.slices + place
        yield Literal(name.name, code, code + 1, f"{name.name} = {alone}", f"{zh}为 {alone}", f"{en} is {alone}")
    yield _missing(grid)


def _apart(grid: Grid, text: str, end: Decimal, *, above: bool) -> str:
    """A special value is a state and no amount: where the comparison alone would take it in, it is kept apart."""
    taken = [Decimal(repr(value)) for value in grid.special]
    taken = [value for value in taken if (value > end) is above]
    return f"{text} and {grid.name.name} not in ({', '.join(f'{value:f}' for value in taken)})" if taken else text


def _of_levels(grid: Grid, order: Places) -> Iterator[Literal]:
    """Each level alone, and the two, three, … levels with the highest rates, as long as some are left out."""
    runs = [(place, place + 1) for place in range(len(order))]
    runs += [(place, len(order)) for place in range(1, len(order) - 1)]
    for first, after in runs:
        values = sorted(grid.levels[code] for code in order[first:after])
        in_zh, in_en = ([level(grid.name, value, language) for value in values] for language in ("zh", "en"))
        zh, en = _called(grid.name)
        yield Literal(
            grid.name.name, first, after, _in(grid.name, values), f"{zh}为{'、'.join(in_zh)}", f"{en} is {' or '.join(in_en)}"
        )  # fmt: skip
    yield _missing(grid)


def _in(name: Name, values: Sequence[Any]) -> str:
    if name.type is Type.YESNO:
        return name.name if values == [True] else f"not {name.name}"
    quoted = ["'" + str(value).replace("'", "''") + "'" for value in values]
    return f"{name.name} = {quoted[0]}" if len(quoted) == 1 else f"{name.name} in ({', '.join(quoted)})"


def _missing(grid: Grid) -> Literal:
    zh, en = _called(grid.name)
    last = grid.codes_in_all - 1
    return Literal(grid.name.name, last, last + 1, f"{grid.name.name} is null", f"{zh}未知", f"{en} not known")


def _called(name: Name) -> tuple[str, str]:
    return name.zh or name.name, name.en or name.name
