"""Segments by rank: fifths of the book by recency, frequency or amount, within cells such as product and tenure.

    - id: monetary
      quantiles: {of: spend_365d, within: [product_id, tenure_band], where: is_open}
      levels: [{code: m1, …}, …, {code: m5, …}, {code: unranked, …}]     # from the lowest up; the last is `unknown`
      unknown: unranked

Who has the same value is in the same level, so nothing depends on the order of rows: the level follows from the share
of the cell that lies strictly below (DOMAIN 4.10). Who is not ranked, because the value is not known or `where` does
not hold, is in `unknown`. A rank needs the whole book, so no score may read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from backbook.customer.order import Link
from backbook.customer.privacy import deleted
from backbook.definitions import Item
from backbook.errors import Fault
from backbook.expressions import Expression, Level, Name, Type

KEYS = {"of", "within", "where"}


@dataclass(frozen=True)
class Ranked:
    """One text column of a profile: the level by rank within a cell."""

    id: str
    zh: str
    en: str
    grain: str
    owner: str
    aim: str
    levels: tuple[Level, ...]
    of: Expression
    within: tuple[str, ...]
    where: Expression | None
    unknown: str
    meaning: tuple[str, str]
    personal: bool
    link: Link
    kind: str = "segment"

    @property
    def reads(self) -> frozenset[str]:
        return self.of.reads | frozenset(self.within) | (self.where.reads if self.where is not None else frozenset())

    @property
    def needed(self) -> list[Expression]:
        return [self.of]

    @property
    def name(self) -> Name:
        return Name(self.id, Type.TEXT, self.zh, self.en, self.levels)

    @property
    def ranks(self) -> list[Level]:
        """The levels from the lowest up, without `unknown`."""
        return [level for level in self.levels if level.code != self.unknown]

    def canonical(self) -> dict[str, Any]:
        asked = {"of": self.of.text, "within": list(self.within), "where": self.where and self.where.text}
        return {
            "id": self.id, "zh": self.zh, "en": self.en, "grain": self.grain, "owner": self.owner, "aim": self.aim,
            "meaning": {"zh": self.meaning[0], "en": self.meaning[1]}, "personal": self.personal,
            "levels": [{"code": level.code, "zh": level.zh, "en": level.en} for level in self.levels],
            "quantiles": {key: value for key, value in asked.items() if value}, "unknown": self.unknown,
        }  # fmt: skip


def form_faults(item: Item) -> list[Fault]:
    """What is wrong with `quantiles` and its levels, before any expression is read."""
    asked, levels = item.data.get("quantiles"), item.data.get("levels")
    if not isinstance(asked, dict) or "of" not in asked:
        return [
            item.fault("quantiles", "does not say what is ranked.", "Write quantiles: {of: spend_365d, within: []}.")
        ]
    faults = [
        item.fault(f"quantiles.{key}", f"'{key}' is not known here.", f"Possible: {', '.join(sorted(KEYS))}.")
        for key in sorted(set(asked) - KEYS)
    ]
    if isinstance(levels, list) and len(levels) < 3:
        faults.append(item.fault("levels", "ranks into one level.", "Write two levels or more, and `unknown`."))
    if any(isinstance(each, dict) and "when" in each for each in levels or ()):
        faults.append(item.fault("levels", "says both 'quantiles' and 'when'.", "A rank has no conditions."))
    if not isinstance(asked.get("within", []), list):
        faults.append(item.fault("quantiles.within", "within is not a list.", "Write within: [product_id]."))
    return faults


def value(segment: Ranked, rows: Any) -> Any:
    """The level of each row; all rows of the book must be there."""
    of, cell = segment.of.ibis(rows), [rows[column] for column in segment.within]
    counts = of.notnull()
    if segment.where is not None:
        counts = counts & segment.where.ibis(rows).fill_null(False)
    if segment.personal:
        counts = counts & ~deleted(rows)
    ranked = counts.ifelse(of, ibis.null(of.type()))
    together = ibis.window(group_by=[counts, *cell])
    # Rank minus one is how many of the cell lie strictly below; whole numbers, so that it repeats.
    below = ranked.rank().over(ibis.window(group_by=[counts, *cell], order_by=ranked))
    everybody = counts.count().over(together)
    place = (below * len(segment.ranks)) // everybody
    return ibis.cases(
        (~counts, ibis.literal(segment.unknown)),
        *((place == at, ibis.literal(level.code)) for at, level in enumerate(segment.ranks)),
        else_=ibis.literal(segment.unknown),
    )


def cuts(segment: Ranked, rows: Any) -> Any:
    """segment, cell, level, least, most, units: from which to which value a level goes in each cell.

    With these a customer at hand finds their level without the book.
    """
    of = segment.of.ibis(rows)
    parts: Sequence[Any] = [rows[column].cast("string").fill_null("?") for column in segment.within]
    cell = ibis.literal(" · ").join(list(parts)) if parts else ibis.literal("")
    told = rows.select(cell=cell, level=rows[segment.id], value=of.cast("float64"))
    told = told.filter(told.level != segment.unknown)
    found = told.group_by(["cell", "level"]).agg(least=told.value.min(), most=told.value.max(), units=told.count())
    return found.select(
        segment=ibis.literal(segment.id), cell="cell", level="level", least="least", most="most", units="units"
    )
