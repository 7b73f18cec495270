"""Figures of a version on the rows of one past day: by grade, by segment, by protected group; and two versions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from backbook.customer.shares import wilson
from backbook.outcome.figures import Text
from backbook.run.scores.seen import Group, Seen
from backbook.score.definition import Score
from backbook.score.fairness import LEAST_UNITS, Cell, favourable, judged
from backbook.score.quality import auc, quality
from backbook.score.registry import Version

Marks = npt.NDArray[np.bool_]

# Fewer events, or others, give no rank worth printing.
LEAST_EVENTS = 20


def by_grade(seen: Seen, version: Version) -> list[dict[str, Any]]:
    """Expected against observed in each grade, with the interval of what was observed."""
    chances, grades = seen.given[version.id]
    found = []
    for grade in version.grades:
        rows = np.array([each == grade.code for each in grades], dtype=bool)
        found.append(
            {
                "code": grade.code,
                "name": Text(f"{grade.code} · {grade.zh}", f"{grade.code} · {grade.en}"),
                **_told(seen, chances, rows),
            }
        )
    return found


def by_segment(seen: Seen, version: Version) -> list[dict[str, Any]]:
    """Each segment with its levels: expected, observed, and how well the score ranks within the level."""
    chances, _ = seen.given[version.id]
    found = []
    for group, levels in seen.groups:
        rows = [{"level": group.text(level), **_told(seen, chances, marks)} for level, marks in _parted(group, levels)]
        if sum(row["rows"] > 0 for row in rows) > 1:
            found.append({"id": group.column, "name": group.name, "rows": rows})
    return found


def fairness(seen: Seen, version: Version, score: Score) -> dict[str, Any]:
    """Rates by sex, age band and each protected attribute; which grades count as favourable; and what nobody's record tells."""
    chances, grades = seen.given[version.id]
    codes = [grade.code for grade in version.grades]
    good = favourable(codes, score.purpose, version.method)
    is_good = np.array([grade in good for grade in grades], dtype=bool)
    scored = np.array([grade is not None for grade in grades], dtype=bool)
    tables = []
    for group, levels in seen.protected:
        cells, names = [], {}
        for level, marks in _parted(group, levels):
            here = marks & scored
            names[str(level)] = group.text(level)
            expected = None if chances is None else float(np.nansum(chances[here]))
            cells.append(
                Cell(str(level), int(here.sum()), int((here & is_good).sum()), int(seen.event[here].sum()), expected)
            )
        rows = [{**each.canonical(), "level": names[each.level]} for each in judged(cells)]
        tables.append({"id": group.column, "name": group.name, "rows": rows})
    return {"favourable": good, "tables": tables, "lacking": list(seen.lacking)}


def side_by_side(seen: Seen, first: Version, second: Version) -> dict[str, Any]:
    """The figures of both on the same rows, and the swap set.

    The swap set asks both for equally many: as many of the highest chances as `first` puts into unfavourable grades.
    """
    found: dict[str, Any] = {}
    for name, version in (("first", first), ("second", second)):
        chances, _ = seen.given[version.id]
        found[name] = _quality(chances, seen.event)
    found["swap"] = _swap(seen, first, second)
    return found


def _quality(chances: Any, event: Marks) -> dict[str, Any] | None:
    if chances is None:
        return None
    known = ~np.isnan(chances)
    if not 0 < event[known].sum() < known.sum():
        return None
    told = quality(chances[known], event[known]).canonical()
    return {key: told[key] for key in ("rows", "events", "auc", "ks", "calibration_error", "brier")}


def _swap(seen: Seen, first: Version, second: Version) -> list[dict[str, Any]] | None:
    """Rows and events of those whom both, one or neither put among the highest chances."""
    (one, grades), (two, _) = seen.given[first.id], seen.given[second.id]
    if one is None or two is None:
        return None
    both = ~np.isnan(one) & ~np.isnan(two)
    codes = [grade.code for grade in first.grades]
    low = favourable(codes, "risk", first.method)
    count = int(np.array([grade is not None and grade not in low for grade in grades])[both].sum())
    if not 0 < count < both.sum():
        return None
    high = [_highest(each[both], count) for each in (one, two)]
    event = seen.event[both]
    cells = {
        "both": high[0] & high[1],
        "out": high[0] & ~high[1],
        "in": ~high[0] & high[1],
        "neither": ~high[0] & ~high[1],
    }
    return [
        {"which": name, "rows": int(rows.sum()), "events": int(event[rows].sum()),
         "rate": float(event[rows].mean()) if rows.any() else None}
        for name, rows in cells.items()
    ]  # fmt: skip


def _highest(chances: npt.NDArray[np.float64], count: int) -> Marks:
    """The `count` highest; of equal ones the first, which stand in the order of the units."""
    found = np.zeros(len(chances), dtype=bool)
    found[np.argsort(-chances, kind="stable")[:count]] = True
    return found


def _parted(group: Group, levels: Sequence[str | None]) -> list[tuple[str | None, Marks]]:
    """The rows of each level, in the group's own order; what is not known last."""
    there = set(levels)
    order = [level for level in group.levels if level in there]
    order += sorted(level for level in there - set(order) if level is not None)
    listed = np.array(["" if level is None else level for level in levels], dtype=object)
    unknown: list[tuple[str | None, Marks]] = [(None, listed == "")] if None in there else []
    return [*((level, listed == level) for level in order), *unknown]


def _told(seen: Seen, chances: Any, rows: Marks) -> dict[str, Any]:
    """Rows, events, the observed rate with its interval, the expected one, and the area where it says anything."""
    count, events = int(rows.sum()), int(seen.event[rows].sum())
    enough = count >= LEAST_UNITS
    low, high = wilson(events, count) if enough else (None, None)
    known = None if chances is None else rows & ~np.isnan(chances)
    expected = float(chances[known].mean()) if enough and known is not None and known.any() else None
    ranked = known is not None and min(seen.event[known].sum(), (~seen.event[known]).sum()) >= LEAST_EVENTS
    return {
        "rows": count,
        "events": events,
        "observed": events / count if enough else None,
        "low": low,
        "high": high,
        "expected": expected,
        "auc": auc(chances[known], seen.event[known]) if ranked else None,
    }
