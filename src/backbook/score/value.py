"""An amount that needs no learning, such as an account's value: an expression, and its grades.

Grades are cut at stated amounts, or at stated shares of the book (`grades_by: share`). The amounts at which a share
ends are found once, when the version is made, and stand in it: from then on a grade means the same amount.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow.compute as pc

from backbook.engine import Engine
from backbook.expressions import Type, parse
from backbook.score import formula
from backbook.score.content import described
from backbook.score.definition import Grade, Score
from backbook.score.registry import Unavailable, Version, step
from backbook.score.target import Book


def amount(score: Score, engine: Engine, as_of: date, book: Book) -> Version | Unavailable:
    """The version of a score by expression at `as_of`."""
    assert score.amount is not None
    grades: Sequence[Grade] = score.grades
    sample: dict[str, Any] = {"as_of": as_of.isoformat()}
    if score.grades_by == "share":
        amounts = _amounts(score, engine, book.profile(score.grain, as_of, score.reads))
        if not amounts:
            return Unavailable("score", score.id, "units in its population whose amount is known")
        grades = cut(grades, amounts)
        sample["rows"] = len(amounts)
    steps = [
        step("amount", Type.MONEY, _money(score)),
        step("grade", Type.TEXT, formula.grade(grades, "amount")),
    ]
    kept = sample if score.grades_by == "share" else {}
    return Version(described(score, steps, (), grades) | {"sample": kept})


def _money(score: Score) -> str:
    """The amount's expression as money."""
    assert score.amount is not None
    return score.amount.text if score.amount.type in (Type.MONEY, Type.WHOLE) else f"money({score.amount.text})"


def _amounts(score: Score, engine: Engine, profile: Any) -> list[Decimal]:
    """The known amounts of the population, in order."""
    from backbook.expressions import Names

    counted = profile if score.population is None else profile.filter(score.population.ibis(profile))
    money = parse(_money(score), Names("score", score.used), expect=Type.MONEY)
    column = engine.arrow(counted.select(amount=money.ibis(counted)))["amount"]
    return sorted(pc.drop_null(column).to_pylist())


def cut(grades: Sequence[Grade], amounts: Sequence[Decimal]) -> tuple[Grade, ...]:
    """Grades by share as grades by amount: each share ends at the amount of its last unit.

    >>> shares = [Grade("low", "低", "low", 0.5), Grade("high", "高", "high", None)]
    >>> [grade.up_to for grade in cut(shares, [Decimal(1), Decimal(2), Decimal(7), Decimal(9)])]
    [2.0, None]
    """
    found = []
    for grade in grades:
        if grade.up_to is None:
            found.append(grade)
            continue
        place = max(int(Decimal(repr(grade.up_to)) * len(amounts)) - 1, 0)
        found.append(replace(grade, up_to=float(amounts[min(place, len(amounts) - 1)])))
    return tuple(found)
