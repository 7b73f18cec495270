"""The first look at a sample, the same for every method: can it teach at all, and does a feature know the answer?

What varies is counted finely once, where the rows are; these counts say which features are the same for all, which
are leaks, and (for a scorecard) how to cut them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from backbook.score.counting import Counts, Tally, counted, grids
from backbook.score.definition import Score
from backbook.score.registry import Unavailable
from backbook.score.target import Sample

# Alone, no honest feature ranks a card's risk like this (public records: AUC .80); such a column knows the answer.
LEAK = 0.99


@dataclass(frozen=True)
class Seen:
    """What a first look at the sample shows: the counts of the features that vary, and the names of those that do not."""

    tallies: tuple[Tally, ...]
    constant: tuple[str, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Tally]:
        return {tally.grid.name.name: tally for tally in self.tallies}


def look(score: Score, sample: Sample) -> Seen | Unavailable:
    """Whether the sample can teach at all: enough events, and no feature that knows the answer."""
    events = int(sample.target.sum())
    if events < score.minimum_events or len(sample.target) - events < score.minimum_events:
        what = "events" if events < score.minimum_events else "rows without the event"
        found = min(events, len(sample.target) - events)
        return Unavailable("score", score.id, f"{score.minimum_events} {what} at past dates; there are {found}")
    cut = grids(sample.engine, sample.table, score.features, score.special)
    every = counted(sample.engine, sample.table, cut, folds=score.folds, days=len(sample.observed))
    constant = tuple(tally.grid.name.name for tally in every if (_rows(tally.counts()) > 0).sum() <= 1)
    tallies = tuple(tally for tally in every if tally.grid.name.name not in constant)
    if not tallies:
        return Unavailable("score", score.id, "a feature that differs between the rows; each is the same for all")
    leaks = [tally.grid.name.name for tally in tallies if _alone(tally) > LEAK]
    if leaks:
        return Unavailable(
            "score",
            score.id,
            f"{', '.join(leaks)} taken out: alone it ranks the target almost perfectly, so it is a leak",
        )
    return Seen(tallies, constant)


def _rows(counts: Counts) -> npt.NDArray[Any]:
    return counts.events + counts.others


def _alone(tally: Tally) -> float:
    """How well the feature alone ranks the target, its fine codes put in the order of their event rates."""
    counts = tally.counts()
    rows = _rows(counts)
    order = np.argsort(counts.events / np.maximum(rows, 1), kind="stable")
    events, others = counts.events[order].astype(float), counts.others[order].astype(float)
    won = (events * (np.cumsum(others) - others / 2)).sum()
    return float(won / (events.sum() * others.sum()))
