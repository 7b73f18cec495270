"""A sample becomes a version: fitted out of fold, judged on what each fit had not seen, then fitted on all of it.

The chances of the final card are corrected by the odds that came out of fold, so that they hold for new rows and
not for those that taught them. Each fold's own figures use a correction learned on the other folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version as installed
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from backbook.score import formula
from backbook.score.counting import Fine, coded
from backbook.score.definition import Score
from backbook.score.explain import reason
from backbook.score.quality import auc, quality
from backbook.score.registry import Unavailable, Version
from backbook.score.scorecard import Card, Characteristic, fit, logistic
from backbook.score.target import Sample

Floats = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]

# Alone, no honest feature ranks a card's risk like this (public records: AUC .80); such a column knows the answer.
LEAK = 0.99
# Out-of-fold odds that stretch more than this tell of a sample too small to correct anything.
SLOPES = (0.05, 1.5)
LIBRARIES = ("backbook", "numpy", "scikit-learn", "ibis-framework")


def train(score: Score, sample: Sample) -> Version | Unavailable:
    """The version that the sample teaches, or what it would need."""
    events = int(sample.target.sum())
    if events < score.minimum_events or len(sample.target) - events < score.minimum_events:
        what = "events" if events < score.minimum_events else "rows without the event"
        found = min(events, len(sample.target) - events)
        return Unavailable("score", score.id, f"{score.minimum_events} {what} at past dates; there are {found}")
    fines = [coded(name, sample.rows[name.name], score.special.get(name.name, ())) for name in score.features]
    fines, constant = _varying(fines)
    leaks = [fine.name.name for fine in fines if _alone(fine, sample.target) > LEAK]
    if leaks:
        return Unavailable(
            "score",
            score.id,
            f"{', '.join(leaks)} taken out: alone it ranks the target almost perfectly, so it is a leak",
        )
    # One thread: the same sums in the same order whatever the machine, and faster at this size.
    with threadpool_limits(1):
        judged = _Judged(score, sample, fines)
        card, figures = judged.card(), judged.figures()
    if not card.characteristics:
        return Unavailable("score", score.id, "a feature that says something about the target; none does")
    left_out = [*((name, "the same for all") for name in constant), *card.left_out]
    return Version(_content(score, sample, card, figures, left_out))


def _varying(fines: Sequence[Fine]) -> tuple[list[Fine], list[str]]:
    """Features with more than one code among the rows, and the names of the others."""
    constant = [fine.name.name for fine in fines if len(fine.codes) == 0 or (fine.codes == fine.codes[0]).all()]
    return [fine for fine in fines if fine.name.name not in constant], constant


def _alone(fine: Fine, target: Marks) -> float:
    """How well the feature alone ranks the target, its fine codes put in the order of their event rates."""
    counts = fine.counts(target)
    rate = counts.events / np.maximum(counts.events + counts.others, 1)
    return auc(rate[fine.codes], target)


class _Judged:
    """The fits of one training: a card per fold, what each said of the rows it had not seen, and the last card."""

    def __init__(self, score: Score, sample: Sample, fines: Sequence[Fine]) -> None:
        self.score, self.sample, self.fines = score, sample, fines
        self.rules = replace(score.bins, repeats=max(1.0, len(sample.target) / max(sample.people, 1)))
        self.by_name = {fine.name.name: fine for fine in fines}
        self.every = np.arange(len(sample.target))
        self.cards, self.odds = self._out_of_fold(self.every, self.every)

    def _fit(self, rows: npt.NDArray[Any]) -> Card:
        score = self.score
        return fit(
            self.fines, self.sample.target, rows, scale=score.points, monotone=score.monotone, rules=self.rules,
            most_features=score.most_features,
        )  # fmt: skip

    def _out_of_fold(self, taught: npt.NDArray[Any], asked: npt.NDArray[Any]) -> tuple[list[Card], Floats]:
        """A card per fold from the rows of `taught` in other folds, and the odds it gives to those of `asked` in it."""
        fold, cards, odds = self.sample.fold, [], np.full(len(self.every), np.nan)
        for number in range(self.score.folds):
            card = self._fit(taught[fold[taught] != number])
            rows = asked[fold[asked] == number]
            odds[rows] = card.odds(self.by_name, rows)
            cards.append(card)
        return cards, odds

    def card(self) -> Card:
        intercept, slope = _correction(self.odds, self.sample.target)
        return self._fit(self.every).calibrated(intercept, slope)

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
            chances[here] = corrected.chances(corrected.points(self.by_name, here))
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
        cards, odds = self._out_of_fold(taught, asked)
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
    expressions = {
        "points": formula.points(card),
        "probability": formula.probability(card, "points"),
        "grade": formula.grade(score.grades, "probability"),
    }
    if score.population is not None:
        expressions["population"] = score.population.text
    return {
        "score": score.id,
        "zh": score.zh,
        "en": score.en,
        "grain": score.grain,
        "method": score.method,
        "definition": score.hash,
        "columns": [_name(used[name]) for name in sorted(used)],
        "expressions": expressions,
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
