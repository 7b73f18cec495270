"""A scorecard as conditions of the one language: what is trained runs where the data is.

One expression gives the points, one the chance from the points, one the grade from the chance. They are all that
a version needs to score a whole book or one customer, and anyone at the bank can read them. A fourth kind of
expression, one per characteristic, gives a whole number that holds the points lost and the bin, from which the
reasons are read in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from backbook.expressions import Name, Type
from backbook.score.binning import Bin
from backbook.score.definition import Grade, Points
from backbook.score.scorecard import Card, Characteristic

# A reason key is points lost times this, plus how far the bin stands from the end of the card.
BINS = 10_000


def points(card: Card) -> str:
    """The whole-number expression over the features; sums are paired so that they nest little."""
    terms = [by_bin(one.name, one.binning.bins, one.points) for one in card.characteristics]
    return _sum([str(card.start), *(term for term in terms if term != "0")])


def probability(card: Card, points_name: str) -> str:
    """The chance of an event at these points, to six decimals."""
    return f"round(1 / (1 + exp(({points_name} - {_number(card.even)}) / {_number(card.factor)})), 6)"


def points_of(chance: str, scale: Points) -> str:
    """Whole points for a chance that was not made of points."""
    inside = f"least(greatest({chance}, 0.000001), 0.999999)"
    return f"whole({_number(scale.even)} + {_number(scale.factor)} * ln((1 - {inside}) / {inside}))"


def grade(grades: Sequence[Grade], name: str) -> str:
    """The grade of a chance or an amount; the last grade takes the rest, an unknown value none."""
    cases = [
        f"when {name} <= {_number(one.up_to)} then {_text(one.code)}" for one in grades[:-1] if one.up_to is not None
    ]
    return f"case when {name} is null then null {' '.join(cases)} else {_text(grades[-1].code)} end"


def reason_keys(card: Card, first: int = 0) -> tuple[list[str], list[tuple[Characteristic, Bin]]]:
    """One expression per characteristic, and the bins that its keys point to.

    A key is 0 where nothing speaks for the event; else more points towards it sort higher, and of equal ones the
    characteristic that stands first on the card. Bin `n` of the list is the one whose key has remainder
    BINS - 1 - n; the list goes on from place `first`.
    """
    keys: list[str] = []
    listed: list[tuple[Characteristic, Bin]] = []
    for one in card.characteristics:
        values = []
        for bin, got in zip(one.binning.bins, one.points, strict=True):
            towards = one.towards_event(got, card.scale)
            values.append(towards * BINS + BINS - 1 - first - len(listed) if towards else 0)
            listed.append((one, bin))
        keys.append(by_bin(one.name, one.binning.bins, values))
    return keys, listed


def by_bin(name: Name, bins: Sequence[Bin], values: Sequence[int]) -> str:
    """The value of the bin in which the feature lies; null, special and unseen values included."""
    if len(set(values)) == 1:
        return str(values[0])
    cases: list[str] = []
    rest = 0
    for bin, value in zip(bins, values, strict=True):
        if bin.kind == "missing":
            cases.insert(0, f"when {name.name} is null then {value}")
        elif bin.kind == "other" or (bin.kind == "range" and bin.upper is None):
            rest = value
        else:
            cases.append(f"when {_holds(name, bin)} then {value}")
    return f"case {' '.join(cases)} else {rest} end"


def _holds(name: Name, bin: Bin) -> str:
    if bin.kind == "range":
        assert bin.upper is not None
        return f"{name.name} <= {bin.upper:f}"
    if name.type is Type.YESNO:
        return " or ".join(name.name if value else f"not {name.name}" for value in bin.values)
    return f"{name.name} in ({', '.join(_literal(value) for value in bin.values)})"


def _sum(terms: Sequence[str]) -> str:
    if len(terms) <= 2:
        return " + ".join(terms)
    middle = len(terms) // 2
    return f"({_sum(terms[:middle])}) + ({_sum(terms[middle:])})"


def _literal(value: Any) -> str:
    return _text(value) if isinstance(value, str) else _number(value)


def _number(value: Any) -> str:
    return f"{Decimal(repr(value)):f}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
