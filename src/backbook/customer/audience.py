"""Whom a condition means: how many it holds for, for how many it does not, and for how many nobody knows.

Unknown is not false and is counted apart. Whoever fails one part of an `and` is not looked at further, so a narrow
audience is counted as fast as it can be. What an analyst asks next, how many each part holds for alone and how many remain
after each, is a scan of its own: the rows are grouped by what every part says of them; a profile of ten million has a
few thousand such groups, and all counts are sums over those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import sqrt
from operator import and_
from typing import Any

import ibis
import numpy as np

from backbook.customer.shares import wilson
from backbook.engine import Engine
from backbook.expressions import Expression, Name, Type

# Fewer than ten people may be recognised, here as in the report.
SMALL_CELL = 10
# A different salt would draw other people; the same people come back when a threshold moves.
SALT = "audience "


@dataclass(frozen=True)
class Count:
    """Units of which a condition is true, false, not known."""

    true: int
    false: int
    unknown: int

    @property
    def units(self) -> int:
        return self.true + self.false + self.unknown

    def as_json(self) -> dict[str, int]:
        return {"true": self.true, "false": self.false, "unknown": self.unknown}


@dataclass(frozen=True)
class Step:
    """One part of the condition: what it says alone, and what it and all parts before it say together."""

    condition: str
    alone: Count
    so_far: Count


@dataclass(frozen=True)
class Difference:
    """One feature, or one level, in the audience against the book; `audience` and `book` are means or shares.

    `distance` is the difference in standard deviations of the book. A share has its 95 % interval (Wilson 1927) and how
    many times the book's it is.
    """

    name: Name
    level: str | None
    known: int
    audience: float
    book: float
    distance: float
    interval: tuple[float, float] | None = None

    @property
    def ratio(self) -> float | None:
        return self.audience / self.book if self.interval and self.book else None

    def as_json(self) -> dict[str, Any]:
        low, high = self.interval or (None, None)
        return {
            "column": self.name.name, "zh": self.name.zh, "en": self.name.en, "level": self.level, "known": self.known,
            "audience": _short(self.audience), "book": _short(self.book), "distance": _short(self.distance),
            "low": _short(low), "high": _short(high), "ratio": _short(self.ratio),
        }  # fmt: skip


def parts(expression: Expression) -> list[Expression]:
    """What stands between the outermost `and`s, in the order written.

    >>> from backbook.expressions import Names, parse
    >>> names = Names("customer profile", [Name("age", Type.WHOLE), Name("city", Type.TEXT)])
    >>> [part.text for part in parts(parse("age > 30 and (city = 'A' or age < 60)", names))]
    ['age > 30', "city = 'A' or age < 60"]
    """
    node = expression.node
    nodes = node.args if node.op == "and" else (node,)
    return [Expression(part, expression.row_kind) for part in nodes]


def count(engine: Engine, rows: Any, expression: Expression) -> Count:
    """Of how many rows the condition is true, false, not known; exactly, in one scan."""
    each = [part.ibis(rows) for part in parts(expression)]
    # Not false as long as no part is: true where each part is, else not known.
    open_ = rows.filter(*(part.fill_null(True) for part in each))
    true = reduce(and_, (part.ibis(open_) for part in parts(expression))).ifelse(1, ibis.null("int8")).count()
    found = engine.rows(open_.aggregate(open=open_.count(), true=true))[0]
    return Count(found["true"], engine.count(rows) - found["open"], found["open"] - found["true"])


def steps(engine: Engine, rows: Any, expression: Expression) -> list[Step]:
    """The parts one after another, each alone and with all before it; exactly, in one scan."""
    each = parts(expression)
    said = rows.select(**{f"s{place}": part.ibis(rows) for place, part in enumerate(each)})
    groups = engine.arrow(said.group_by(list(said.columns)).agg(units=said.count()))
    units = groups["units"].to_numpy()
    holds = np.ones(len(units), dtype=bool)
    fails = np.zeros(len(units), dtype=bool)
    found = []
    for place, part in enumerate(each):
        value = groups[f"s{place}"]
        true = value.fill_null(False).to_numpy()
        false = ~value.fill_null(True).to_numpy()
        # Kleene's `and`: false as soon as one part is, true only when all are.
        holds, fails = holds & true, fails | false
        found.append(Step(part.text, _counted(units, true, false), _counted(units, holds, fails)))
    return found


def _counted(units: Any, true: Any, false: Any) -> Count:
    yes, no = int(units[true].sum()), int(units[false].sum())
    return Count(yes, no, int(units.sum()) - yes - no)


def members(rows: Any, expression: Expression) -> Any:
    """The rows for which the condition is known to hold."""
    return rows.filter(expression.ibis(rows))


def sample(engine: Engine, rows: Any, expression: Expression, key: str, columns: Sequence[str], size: int) -> Any:
    """`size` members drawn by a stable hash of their key: the same on every machine and every day."""
    drawn = members(rows, expression)
    drawn = drawn.select(key, *columns, _drawn=(ibis.literal(SALT) + drawn[key]).hexdigest("md5"))
    return engine.arrow(drawn.order_by(["_drawn", key]).limit(size).drop("_drawn"))


def differences(engine: Engine, rows: Any, expression: Expression, names: Sequence[Name]) -> list[Difference]:
    """What sets the members apart from the book, the most telling first; exact, one scan.

    `names` may be numeric, yes/no, or texts with a closed list of levels. Nothing is said of cells in which fewer than
    ten of the audience, or of the others, stand.
    """
    table = rows.select(_in=expression.ibis(rows).fill_null(False), **{name.name: rows[name.name] for name in names})
    measures: dict[str, Any] = {}
    for place, name in enumerate(names):
        measures |= {f"{what}_{place}": value for what, value in _measures(table[name.name], name).items()}
    found = {row["_in"]: row for row in engine.rows(table.group_by("_in").agg(**measures))}
    if True not in found:
        return []
    mine, rest = found[True], found.get(False)
    told = []
    for place, name in enumerate(names):
        inside = _of(mine, place)
        outside = _of(rest, place) if rest else {what: 0 for what in inside}
        told += _compared(name, inside, outside)
    return sorted(told, key=lambda each: (-abs(each.distance), each.name.name, each.level or ""))


def _measures(value: Any, name: Name) -> dict[str, Any]:
    if name.type is Type.YESNO:
        return {"known": value.count(), "yes": value.sum()}
    if name.type is Type.TEXT:
        return {
            "known": value.count(),
            **{f"level{at}": (value == level.code).sum() for at, level in enumerate(name.levels)},
        }
    number = value.cast("float64")
    return {"known": value.count(), "sum": value.sum(), "squares": (number * number).sum()}


def _of(row: Any, place: int) -> dict[str, Any]:
    ending = f"_{place}"
    return {key.removesuffix(ending): value or 0 for key, value in row.items() if key.endswith(ending) and key != "_in"}


def _compared(name: Name, inside: Any, outside: Any) -> list[Difference]:
    known, others = inside["known"], outside["known"]
    if known < SMALL_CELL or 0 < others < SMALL_CELL:
        return []
    if name.type is Type.YESNO:
        found = [_share(name, None, known, inside["yes"], others, outside["yes"])]
    elif name.type is Type.TEXT:
        found = [
            _share(name, level.code, known, inside[f"level{at}"], others, outside[f"level{at}"])
            for at, level in enumerate(name.levels)
        ]
    else:
        found = [_mean(name, known, inside, others, outside)]
    return [each for each in found if each is not None]


def _share(name: Name, level: str | None, known: int, yes: int, others: int, theirs: int) -> Difference | None:
    cells = (yes, known - yes, theirs, others - theirs)
    if any(0 < cell < SMALL_CELL for cell in cells):
        return None
    share, book = yes / known, (yes + theirs) / (known + others)
    if not 0 < book < 1:
        return None
    distance = (share - book) / sqrt(book * (1 - book))
    return Difference(name, level, known, share, book, distance, wilson(yes, known))


def _mean(name: Name, known: int, inside: Any, others: int, outside: Any) -> Difference | None:
    everyone = known + others
    mean = float(inside["sum"]) / known
    book = (float(inside["sum"]) + float(outside["sum"])) / everyone
    spread = (inside["squares"] + outside["squares"]) / everyone - book * book
    # What is the same for everybody differs by the last bits of a double.
    if spread <= 1e-12 * book * book or spread <= 0:
        return None
    return Difference(name, None, known, mean, book, (mean - book) / sqrt(spread))


def _short(value: float | None) -> float | None:
    """Six significant digits: the order of a sum of doubles is not the same on every machine."""
    return None if value is None else float(f"{value:.6g}")
