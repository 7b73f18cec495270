"""Rows become fine codes, and codes become counts: the only passes over the rows that binning needs.

A number gets one code per distinct value, or per slice of equal size where there are many; a text one per level.
After these come the stated special values (or, for texts, all rare and unseen levels), and at last the missing.
The slices know nothing of the target, so the same codes serve every fold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backbook.expressions import Name, Type

# Finer slices change the information value in the fourth digit only; the search takes about 2 ms a feature.
FINE_SLICES = 60
# Rarer levels than these are counted together as the rest.
MOST_LEVELS = 50

Codes = npt.NDArray[np.int16]
Wholes = npt.NDArray[np.int64]
EXACT = Context(prec=40)


@dataclass(frozen=True)
class Counts:
    """Events and others for each fine slice, in the order in which neighbours may join."""

    events: Wholes
    others: Wholes


@dataclass(frozen=True)
class Fine:
    """One feature coded finely: `slices` codes that may join, then the special ones, then the missing."""

    name: Name
    codes: Codes
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

    def counts(self, target: npt.NDArray[np.bool_], rows: npt.NDArray[Any] | None = None) -> Counts:
        """Events and others by code, of all rows or of those at the given places."""
        codes = self.codes if rows is None else self.codes[rows]
        chosen = target if rows is None else target[rows]
        every = np.bincount(codes, minlength=self.codes_in_all)
        events = np.bincount(codes[chosen], minlength=self.codes_in_all)
        return Counts(events, every - events)


def coded(name: Name, column: pa.ChunkedArray, special: tuple[Any, ...] = ()) -> Fine:
    """The fine codes of one column."""
    if name.type in (Type.TEXT, Type.YESNO):
        return _levels(name, column)
    return _numbers(name, as_numbers(column), special)


def as_numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """The column as doubles; null and whatever is not finite become NaN."""
    values = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _levels(name: Name, column: pa.ChunkedArray) -> Fine:
    texts = np.array(column.to_pylist(), dtype=object)
    known = np.array([value is not None for value in texts], dtype=bool)
    values, places, rows = np.unique(texts[known].astype(object), return_inverse=True, return_counts=True)
    frequent = np.sort(np.argsort(-rows, kind="stable")[:MOST_LEVELS])
    code_of = np.full(len(values), len(frequent), dtype=np.int16)
    code_of[frequent] = np.arange(len(frequent))
    codes = np.full(len(texts), len(frequent) + 1, dtype=np.int16)
    codes[known] = code_of[places]
    return Fine(name, codes, levels=tuple(values[frequent].tolist()))


def _numbers(name: Name, values: npt.NDArray[np.float64], special: tuple[Any, ...]) -> Fine:
    ordinary = ~np.isnan(values) & ~np.isin(values, special)
    ordered = np.sort(values[ordinary])
    distinct = ordered[np.diff(ordered, prepend=-np.inf) > 0]
    last = distinct
    if len(distinct) > FINE_SLICES:
        places = np.arange(1, FINE_SLICES + 1) * len(ordered) // FINE_SLICES - 1
        last = np.unique(ordered[places])
    following = np.searchsorted(distinct, last[:-1], side="right")
    ends = tuple(tidy(float(low), float(high)) for low, high in zip(last[:-1], distinct[following], strict=True))
    codes = np.full(len(values), len(ends) + 1 + len(special), dtype=np.int16)
    codes[ordinary] = np.searchsorted(np.array([float(end) for end in ends]), values[ordinary], side="left")
    for place, value in enumerate(special):
        codes[values == value] = len(ends) + 1 + place
    return Fine(name, codes, ends=ends, special=special)


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
