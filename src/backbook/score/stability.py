"""Whether a feature says the same on every date: what only tells the dates apart, or has turned, is left out by name.

Rows of several dates mix two questions: who has the event, and when there were many. A few dates answer the second one
badly: whatever is the same for everybody on a date (a rate of interest, the month, a telephone list used in May only)
seems to explain it, and says nothing of the next date. So the counts of each date are held against what that
date's own rate of events would give (indirect standardisation), and only what is left of a feature is its own.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from backbook.score.binning import LEAST_ROWS
from backbook.score.counting import Tally
from backbook.score.scorecard import LEAST_INFORMATION

Floats = npt.NDArray[np.float64]

# Of a feature's information at least this part must be within dates.
WITHIN = 0.25
# An effect, learned on the dates before, that points the other way later: so far by chance in 1 of 20 cases.
TURNED = -1.645
TELLS_DATES = "tells the dates apart, and hardly the people within one"
HAS_TURNED = "its effect turned round from earlier dates to later ones"


def steady(
    tallies: Sequence[Tally], folds: Collection[int] | None = None, days: Collection[int] | None = None
) -> tuple[list[Tally], list[tuple[str, str]]]:
    """The features that hold over the dates, and the others with the reason; `folds` and `days` are those that teach."""
    kept, left_out = [], []
    for tally in tallies:
        why = unsteady(*_by_day(tally, folds, days))
        if why:
            left_out.append((tally.grid.name.name, why))
        else:
            kept.append(tally)
    return kept, left_out


def unsteady(events: Floats, rows: Floats) -> str | None:
    """Why a feature does not hold, from the events and rows of each date (down) and code (across); None where it does.

    >>> rate = np.array([[100.0, 0.0], [0.0, 100.0]])              # all of a code on one date
    >>> unsteady(np.array([[2.0, 0.0], [0.0, 40.0]]), rate) == TELLS_DATES
    True
    >>> unsteady(np.array([[2.0, 20.0], [4.0, 40.0]]), np.full((2, 2), 100.0)) is None
    True
    """
    if len(rows) < 2 or not 0 < events.sum() < rows.sum():
        return None
    rate = events.sum(axis=1, keepdims=True) / rows.sum(axis=1, keepdims=True)
    whole = _information(events, rows * (events.sum() / rows.sum()), rows)
    within = _information(events, rows * rate, rows)
    if whole - within >= LEAST_INFORMATION and within < WITHIN * whole:
        return TELLS_DATES
    return HAS_TURNED if _forward(events, rows, rate) < TURNED else None


def _by_day(tally: Tally, folds: Collection[int] | None, days: Collection[int] | None) -> tuple[Floats, Floats]:
    """Events and rows by date and code, of dates that have rows."""
    asked = sorted(range(tally.events.shape[1]) if days is None else days)
    each = [tally.counts(folds, [day]) for day in asked]
    events = np.array([counts.events for counts in each], dtype=np.float64)
    rows = events + np.array([counts.others for counts in each], dtype=np.float64)
    there = rows.sum(axis=1) > 0
    return events[there], rows[there]


def _information(events: Floats, expected: Floats, rows: Floats) -> float:
    """Information value against the expected events; with one rate for all it is the usual one."""
    came, due, every = (each.sum(axis=0) for each in (events, expected, rows))
    total = came.sum()
    evidence = np.log(np.maximum(came, 0.5) / np.maximum(due, 0.5))
    evidence -= np.log(np.maximum(every - came, 0.5) / np.maximum(every - due, 0.5))
    return float(((came - due) * evidence).sum() * (1 / total + 1 / (every.sum() - total)))


def _forward(events: Floats, rows: Floats, rate: Floats) -> float:
    """How far the evidence of the dates before holds on each later date, in standard errors (a score test)."""
    found = spread = 0.0
    expected = rows * rate
    for day in range(1, len(rows)):
        came, due, every = (each[:day].sum(axis=0) for each in (events, expected, rows))
        evidence = np.log((came + 0.5) / (due + 0.5)) - np.log((every - came + 0.5) / (every - due + 0.5))
        evidence = np.where(every >= LEAST_ROWS, evidence, 0.0)
        there, odds = rows[day], float(rate[day, 0])
        middle = (there * evidence).sum() / there.sum()
        found += float(((events[day] - expected[day]) * evidence).sum())
        spread += odds * (1 - odds) * float((there * (evidence - middle) ** 2).sum())
    return found / math.sqrt(spread) if spread > 0 else 0.0
