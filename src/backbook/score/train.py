"""A sample becomes a version: fitted out of fold, judged on what each fit had not seen, then fitted on all of it.

The chances of the final card are corrected by the odds that came out of fold, so that they hold for new rows and
not for those that taught them. Each fold's own figures use a correction learned on the other folds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version as installed
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from backbook.expressions import Type
from backbook.score import formula
from backbook.score.counting import Codes, Counts, Tally, counted, grids
from backbook.score.definition import Score
from backbook.score.explain import reason
from backbook.score.quality import auc, quality
from backbook.score.reference import reference
from backbook.score.registry import Unavailable, Version, step
from backbook.score.scorecard import Card, Characteristic, binnings, fit, informative, logistic
from backbook.score.target import Sample

Floats = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]

# Alone, no honest feature ranks a card's risk like this (public records: AUC .80); such a column knows the answer.
LEAK = 0.99
# Out-of-fold odds that stretch more than this tell of a sample too small to correct anything.
SLOPES = (0.05, 1.5)
# So many columns are fetched in one go.
AT_ONCE = 20
LIBRARIES = ("backbook", "numpy", "scikit-learn", "ibis-framework")


def train(score: Score, sample: Sample) -> Version | Unavailable:
    """The version that the sample teaches, or what it would need."""
    seen = look(score, sample)
    if isinstance(seen, Unavailable):
        return seen
    # One thread: the same sums in the same order whatever the machine, and faster at this size.
    with threadpool_limits(1):
        judged = _Judged(score, sample, seen)
        card, figures = judged.card(), judged.figures()
        chances = judged.chances(card)
    if not card.characteristics:
        return Unavailable("score", score.id, "a feature that says something about the target; none does")
    left_out = [*((name, "the same for all") for name in seen.constant), *card.left_out]
    used = [seen.by_name[one.name.name] for one in card.characteristics]
    content = _content(score, sample, card, figures, left_out)
    return Version(content | {"reference": reference(score, sample, used, chances)})


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


class _Judged:
    """The fits of one training: a card per fold, what each said of the rows it had not seen, and the last card."""

    def __init__(self, score: Score, sample: Sample, seen: Seen) -> None:
        self.score, self.sample, self.seen = score, sample, seen
        self.rules = replace(score.bins, repeats=max(1.0, len(sample.target) / max(sample.people, 1)))
        self.names = {tally.grid.name.name: tally.grid.name for tally in seen.tallies}
        self.every = np.arange(len(sample.target))
        self.days = range(len(sample.observed))
        self.codes: dict[str, Codes] = {}
        self.cards, self.odds = self._out_of_fold(self.days, self.every)

    def _fit(self, folds: Collection[int], days: Collection[int]) -> Card:
        """The card taught by the rows of these folds and days."""
        score, sample = self.score, self.sample
        rows = self.every[np.isin(sample.fold, list(folds)) & np.isin(sample.day, list(days))]
        found = binnings(
            [tally.grid for tally in self.seen.tallies],
            {name: tally.counts(folds, days) for name, tally in self.seen.by_name.items()},
            monotone=score.monotone,
            rules=self.rules,
        )
        events = int(sample.target[rows].sum())
        self._code(informative(found, events, len(rows) - events, self.rules.repeats))
        return fit(
            found, self.names, self.codes, sample.target, rows, scale=score.points,
            most_features=score.most_features, repeats=self.rules.repeats,
        )  # fmt: skip

    def _code(self, names: Sequence[str]) -> None:
        """Fetch the fine codes of features that have not been needed yet; the weak ones never are."""
        new = [name for name in names if name not in self.codes]
        for first in range(0, len(new), AT_ONCE):
            columns = self.sample.columns(new[first : first + AT_ONCE])
            self.codes |= {name: self.seen.by_name[name].grid.codes(columns[name]) for name in columns.column_names}

    def _out_of_fold(self, days: Collection[int], asked: npt.NDArray[Any]) -> tuple[list[Card], Floats]:
        """A card per fold from the other folds' rows of `days`, and the odds it gives to those of `asked` in its fold."""
        fold, cards, odds = self.sample.fold, [], np.full(len(self.every), np.nan)
        for number in range(self.score.folds):
            card = self._fit([other for other in range(self.score.folds) if other != number], days)
            rows = asked[fold[asked] == number]
            odds[rows] = card.odds(self.codes, rows)
            cards.append(card)
        return cards, odds

    def card(self) -> Card:
        intercept, slope = _correction(self.odds, self.sample.target)
        return self._fit(range(self.score.folds), self.days).calibrated(intercept, slope)

    def chances(self, card: Card) -> Floats:
        """What the last card says of all rows."""
        return card.chances(card.points(self.codes, self.every))

    def figures(self) -> dict[str, Any]:
        target, fold = self.sample.target, self.sample.fold
        chances = self._chances(self.cards, self.odds, self.every)
        found = quality(chances, target).canonical()
        found["by_fold"] = [
            round(auc(chances[fold == number], target[fold == number]), 6)
            for number in range(self.score.folds)
            if 0 < target[fold == number].sum() < (fold == number).sum()
        ]
        found["by_date"] = self._by_date(chances)
        found["out_of_time"] = self._out_of_time()
        return found

    def _chances(self, cards: Sequence[Card], odds: Floats, rows: npt.NDArray[Any]) -> Floats:
        """Chances of the rows, each by the card of its fold, corrected as the other folds say."""
        target, fold, chances = self.sample.target, self.sample.fold, np.full(len(self.every), np.nan)
        for number, card in enumerate(cards):
            here, others = rows[fold[rows] == number], rows[fold[rows] != number]
            corrected = card.calibrated(*_correction(odds[others], target[others]))
            chances[here] = corrected.chances(corrected.points(self.codes, here))
        return chances

    def _by_date(self, chances: Floats) -> list[dict[str, Any]]:
        found = []
        for place, day in enumerate(self.sample.observed):
            rows = self.sample.day == place
            events = int(self.sample.target[rows].sum())
            measured = 0 < events < rows.sum()
            area = round(auc(chances[rows], self.sample.target[rows]), 6) if measured else None
            found.append({"observed_on": day.isoformat(), "rows": int(rows.sum()), "events": events, "auc": area})
        return found

    def _out_of_time(self) -> dict[str, Any] | None:
        """The last date judged by cards that were taught on earlier dates, and by other people than those asked."""
        last = self.sample.day == len(self.sample.observed) - 1
        asked, taught = self.every[last], self.every[~last]
        target = self.sample.target
        enough = min(target[taught].sum(), target[asked].sum()) >= self.score.minimum_events
        if len(self.sample.observed) < 2 or not enough or target[asked].all():
            return None
        cards, odds = self._out_of_fold(self.days[:-1], asked)
        found = quality(self._chances(cards, odds, asked)[asked], target[asked])
        return {
            "observed_on": self.sample.observed[-1].isoformat(),
            "rows": found.rows,
            "events": found.events,
            "auc": found.auc,
            "ks": found.ks,
            "windows_overlap": self.sample.overlaps,
        }


def _correction(odds: Floats, target: Marks) -> tuple[float, float]:
    """Intercept and slope that make the odds come true (Platt 1999), from rows that the card had not seen."""
    if float(odds.std()) < 1e-9 or not 0 < target.sum() < len(target):
        return 0.0, 1.0
    slopes, intercept = logistic(odds[:, None], target, strength=1e6)
    slope = float(np.clip(slopes[0], *SLOPES))
    if slope != float(slopes[0]):
        intercept = _level(slope * odds, target)
    return intercept, slope


def _level(odds: Floats, target: Marks) -> float:
    """The shift at which as many events are expected as came, by bisection."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        too_few = float(np.mean(1 / (1 + np.exp(-(odds + middle))))) < float(target.mean())
        low, high = (middle, high) if too_few else (low, middle)
    return (low + high) / 2


# ── what is kept ────────────────────────────────────────────────────────────────────────────────────────────


def _content(
    score: Score, sample: Sample, card: Card, figures: Mapping[str, Any], left_out: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    keys, listed = formula.reason_keys(card)
    used = {one.name.name: one.name for one in card.characteristics} | {name.name: name for name in score.used}
    steps = [
        step("points", Type.WHOLE, formula.points(card)),
        step("probability", Type.NUMBER, formula.probability(card, "points")),
        step("grade", Type.TEXT, formula.grade(score.grades, "probability")),
    ]
    return {
        "score": score.id,
        "zh": score.zh,
        "en": score.en,
        "grain": score.grain,
        "method": score.method,
        "definition": score.hash,
        "columns": [_name(used[name]) for name in sorted(used)],
        "population": score.population and score.population.text,
        "steps": steps,
        "grades": [grade.canonical() for grade in score.grades],
        "reason_keys": keys,
        "reasons": [reason(one, bin) for one, bin in listed],
        "card": {
            "start": card.start,
            "intercept": card.intercept,
            "factor": card.factor,
            "even": card.even,
            "characteristics": [_characteristic(one) for one in card.characteristics],
            "left_out": [{"feature": name, "why": why} for name, why in left_out],
        },
        "sample": sample.canonical(),
        "quality": dict(figures),
        "libraries": {name: installed(name) for name in LIBRARIES},
    }


def _name(name: Any) -> dict[str, str]:
    return {"name": name.name, "type": str(name.type), "zh": name.zh, "en": name.en}


def _characteristic(one: Characteristic) -> dict[str, Any]:
    return {
        **_name(one.name),
        "information": one.binning.information,
        "direction": one.binning.direction,
        "coefficient": one.coefficient,
        "bins": [
            {
                "kind": bin.kind,
                "up_to": None if bin.upper is None else str(bin.upper),
                "values": list(bin.values),
                "events": bin.events,
                "others": bin.others,
                "evidence": bin.evidence,
                "points": points,
            }
            for bin, points in zip(one.binning.bins, one.points, strict=True)
        ],
    }
