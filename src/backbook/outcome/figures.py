"""The figures that a report shows, as plain data.

A `Figure` is one number that keeps what it was made of: numerator, denominator, day and unit. A `Grid` is a
small table of rows. Either may be not available, and then says what it needs; null is not known, zero is
known to be none. `Figures` holds all of one run, and nothing in it needs an engine to be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

Number = int | Decimal | float
Row = Mapping[str, Any]


class Text(NamedTuple):
    """The same words in both languages.

    >>> Text("账户", "Accounts").to("zh")
    '账户'
    """

    zh: str
    en: str

    def to(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


NO_WORDS = Text("", "")


def needs(*names: str) -> Text:
    """What is missing, in both languages.

    >>> needs("transaction").en
    'not available: needs `transaction`'
    """
    return Text(
        "不可用：需要 " + "、".join(f"`{name}`" for name in names),
        "not available: needs " + ", ".join(f"`{name}`" for name in names),
    )


@dataclass(frozen=True)
class Figure:
    """One number of the book on one day.

    A share and a ratio have a denominator; a count or an amount has none. `alerts` are the lines that it must not reach.

    >>> Figure("active_30d", date(2026, 10, 31), "account", 3, 4).value
    0.75
    """

    id: str
    as_of: date
    unit: str
    numerator: Number | None
    denominator: Number | None = None
    form: str = "share"
    needs: Text | None = None
    note: Text | None = None
    alerts: tuple[float, ...] = ()
    before: Figure | None = None

    @property
    def value(self) -> Number | None:
        if self.form not in ("share", "ratio"):
            return self.numerator
        if self.numerator is None or not self.denominator:
            return None
        return float(self.numerator) / float(self.denominator)

    @property
    def change(self) -> float | None:
        """Against the figure before: points of a share, else the relative change."""
        before = self.before.value if self.before else None
        if self.value is None or before is None:
            return None
        if self.form == "share":
            return float(self.value) - float(before)
        return float(self.value) / float(before) - 1 if before else None

    @property
    def alert(self) -> int:
        """How many of its lines the figure has reached."""
        if self.form != "share" or self.numerator is None or not self.denominator:
            return 0
        # 18 of 100 must reach the line of 18 %, which 18 / 100 in binary may miss.
        value = Decimal(self.numerator) / Decimal(self.denominator)
        return sum(value >= Decimal(str(line)) for line in self.alerts)


@dataclass(frozen=True)
class Grid:
    """A small table; `rows` are plain mappings, in the order in which they are shown."""

    id: str
    rows: tuple[Row, ...] = ()
    needs: Text | None = None
    note: Text | None = None

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __bool__(self) -> bool:
        return bool(self.rows)


@dataclass(frozen=True)
class About:
    """Which book, which day, which run, under which definitions."""

    name: str
    as_of: date
    currency: str = ""
    run: str = ""
    bundle: str = ""
    live: bool = True
    versions: tuple[tuple[str, str], ...] = ()  # (what, hash): strategies, scores, packs


@dataclass(frozen=True)
class Watched:
    """What the watch says of one score: the level with its reason and what to do; `psi` as read; the grids in the order of the page."""

    level: str = ""
    reason: Text = NO_WORDS
    act: Text = NO_WORDS
    psi: Row = field(default_factory=dict)
    shift: Grid = field(default_factory=lambda: Grid("shift"))
    by_day: Grid = field(default_factory=lambda: Grid("psi_by_day"))
    features: Grid = field(default_factory=lambda: Grid("watch_features"))
    months: Grid = field(default_factory=lambda: Grid("watch_months"))


@dataclass(frozen=True)
class ScoreFigures:
    """How well one score does: measured on data that it has not seen, and spread over today's book."""

    id: str
    name: Text
    version: str = ""
    method: str = ""
    rows: int | None = None
    auc: float | None = None
    ks: float | None = None
    calibration_error: float | None = None
    calibration: Grid = field(default_factory=lambda: Grid("calibration"))
    grades: Grid = field(default_factory=lambda: Grid("grades"))
    watch: Watched = field(default_factory=Watched)


@dataclass(frozen=True)
class StrategyFigures:
    """What one strategy decided, why, and what was blocked."""

    id: str
    name: Text
    version: str = ""
    total: int = 0
    actions: Grid = field(default_factory=lambda: Grid("actions"))
    reasons: Grid = field(default_factory=lambda: Grid("reasons"))
    blocked: Grid = field(default_factory=lambda: Grid("blocked"))
    moves: Grid = field(default_factory=lambda: Grid("moves"))


@dataclass(frozen=True)
class Figures:
    """All that one report shows."""

    about: About
    figures: Mapping[str, Figure] = field(default_factory=lambda: MappingProxyType({}))
    grids: Mapping[str, Grid] = field(default_factory=lambda: MappingProxyType({}))
    segments: tuple[tuple[Text, Grid], ...] = ()
    scores: tuple[ScoreFigures, ...] = ()
    strategies: tuple[StrategyFigures, ...] = ()
    not_available: tuple[tuple[Text, Text], ...] = ()  # what, and what it needs
    stale: tuple[Text, ...] = ()

    def grid(self, id: str) -> Grid:
        return self.grids.get(id, Grid(id))

    def shown(self, ids: Sequence[str]) -> list[Figure]:
        """The figures of these ids, in this order."""
        return [self.figures[id] for id in ids if id in self.figures]
