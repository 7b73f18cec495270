"""A feature as the bank writes it: data, never a function.

A measured feature says what is measured (`measure`, `of`), of which rows (`table`, `filter`, `window`) and for
whom (`grain`, `rollup`). A derived one is an `expression` over other features of its own grain. An outcome is
the same definition run forward (`window: next 12 months, gap 1 month`); it lives in a registry of its own, which
only targets see, so that a leak cannot be written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backbook.customer.lookup import Lookup
from backbook.customer.registry import PREVIOUS
from backbook.customer.relations import OTHER, ROWS
from backbook.customer.window import Window
from backbook.expressions import Expression, Level, Name, Type

MEASURES = (
    "count", "sum", "min", "max", "average", "distinct", "share", "entropy", "days_since", "slope", "streak", "latest",
)  # fmt: skip
# How the values of a customer's accounts become one. `worst` is the highest, not known while any is not known;
# `max` and `min` look at those that are known; a sum with an unknown part is not known. `sum over lines` counts a
# limit that several accounts share once.
ROLLUPS = ("sum", "sum over lines", "max", "min", "worst", "any")
ACCOUNT, CUSTOMER, BOTH = "account", "customer", "both"


@dataclass(frozen=True)
class Feature:
    """One measured or derived column of a profile, or of what became known later."""

    id: str
    kind: str
    zh: str
    en: str
    type: Type
    grain: str
    table: str | None = None
    measure: str | None = None
    of: Expression | None = None
    filter: Expression | None = None
    within: Expression | None = None
    # The date column that the window is laid on, where it is not the table's own.
    dated: str | None = None
    window: Window | None = None
    rollup: str | None = None
    none: int | float | str | bool | None = None
    expression: Expression | None = None
    unit: str = ""
    meaning: tuple[str, str] = ("", "")
    levels: tuple[Level, ...] = ()
    # The looked-up columns of its table that it reads.
    lookups: tuple[Lookup, ...] = ()
    place: str = ""
    # "workspace", or the pack it is inherited from.
    origin: str = "workspace"

    @property
    def reads(self) -> frozenset[str]:
        """The profile names that a derived feature reads, and one over ties reads of the other customer."""
        if self.expression is not None:
            return self.expression.reads
        return frozenset(name.removeprefix(OTHER) for name in self.columns if name.startswith(OTHER))

    @property
    def is_over_ties(self) -> bool:
        return self.table in ROWS

    @property
    def columns(self) -> frozenset[str]:
        """The columns of its table that a measured feature reads."""
        return frozenset().union(*(part.reads for part in (self.of, self.filter, self.within) if part is not None))

    def delivered(self, column: str) -> str:
        """The column of the bank's own that a column of a row is told from: a looked-up one from its code."""
        looked = next((each.of for each in self.lookups if each.id == column), column)
        return looked.removeprefix(PREVIOUS)

    def at(self, grain: str) -> bool:
        """Whether the profile of this grain has it."""
        return self.grain in (grain, BOTH) or (grain == CUSTOMER and self.rollup is not None)

    @property
    def name(self) -> Name:
        return Name(self.id, self.type, self.zh, self.en, self.levels)

    def canonical(self) -> dict[str, Any]:
        """Plain data that `read_features` accepts again; the same meaning gives the same data."""
        written: dict[str, Any] = {"id": self.id, "zh": self.zh, "en": self.en, "grain": self.grain}
        said: Mapping[str, Any] = {
            "table": self.table,
            "measure": self.measure,
            "of": self.of and self.of.text,
            "filter": self.filter and self.filter.text,
            "within": self.within and self.within.text,
            "dated": self.dated,
            "window": self.window and str(self.window),
            "rollup": self.rollup,
            "none": self.none,
            "expression": self.expression and self.expression.text,
            "unit": self.unit or None,
            "meaning": dict(zip(("zh", "en"), self.meaning, strict=True)) if any(self.meaning) else None,
        }
        return written | {key: value for key, value in said.items() if value is not None}
