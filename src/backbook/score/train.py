"""A sample becomes a version: fitted out of fold, judged on what each fit had not seen, then fitted on all of it.

The chances of the final card are corrected by the odds that came out of fold, so that they hold for new rows and
not for those that taught them. Each fold's own figures use a correction learned on the other folds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from backbook.expressions import Type
from backbook.score import formula
from backbook.score.content import content, named
from backbook.score.counting import Codes
from backbook.score.definition import Score
from backbook.score.explain import reason
from backbook.score.judging import correction, figures, says_nothing
from backbook.score.look import Seen, look
from backbook.score.quality import quality
from backbook.score.reference import referred
from backbook.score.registry import Unavailable, Version, step
from backbook.score.scorecard import Card, Characteristic, binnings, fit, informative
from backbook.score.stability import steady
from backbook.score.target import Sample

Floats = npt.NDArray[np.float64]

NOTHING = "a feature that says something about the target; none does"
CONSTANT = "the same for all"


def train(score: Score, sample: Sample) -> Version | Unavailable:
    """The version that the sample teaches, or what it would need."""
    seen = look(score, sample)
    if isinstance(seen, Unavailable):
        return seen
    # One thread: the same sums in the same order whatever the machine, and faster at this size.
    with threadpool_limits(1):
        judged = Judged(score, sample, seen)
        card, chances = judged.card(), judged.chances()
        found = figures(score, sample, chances, judged.chances_out_of_time)
        adds = [_adds(score, sample, seen, one.name.name, found["auc"]) for one in card.characteristics
                if one.name.name in score.bought]  # fmt: skip
    if lacking := says_nothing(found) if card.characteristics else NOTHING:
        return Unavailable("score", score.id, lacking)
    keys, listed = formula.reason_keys(card)
    steps = [
        step("points", Type.WHOLE, formula.points(card)),
        step("probability", Type.NUMBER, formula.probability(card, "points")),
        step("grade", Type.TEXT, formula.grade(score.grades, "probability")),
    ]
    used = [one.name for one in card.characteristics]
    said = content(score, sample, steps, found, used) | {
        "reason_keys": keys,
        "reasons": [reason(one, bin) for one, bin in listed],
        "card": card_content(card, constant_or_left(seen, card)),
        "bought": adds,
    }
    return Version(referred(said, score, sample, seen, used))


def _adds(score: Score, sample: Sample, seen: Seen, name: str, auc: float) -> dict[str, Any]:
    """What a bought feature adds: how well a card ranks that is taught without it, and for how many rows it is known."""
    others = Seen(tuple(tally for tally in seen.tallies if tally.grid.name.name != name), seen.constant)
    without = quality(Judged(score, sample, others).chances(), sample.target).auc
    counts = seen.by_name[name].counts()
    rows = counts.events + counts.others
    known = 1 - float(rows[-1]) / float(rows.sum())
    return {"feature": name, "auc_without": without, "adds": round(auc - without, 6), "known": round(known, 6)}


class Judged:
    """The fits of one training: a card per fold, what each said of the rows it had not seen, and the last card."""

    def __init__(self, score: Score, sample: Sample, seen: Seen) -> None:
        self.score, self.sample, self.seen = score, sample, seen
        self.rules = replace(score.bins, repeats=max(1.0, len(sample.target) / max(sample.people, 1)))
        self.names = {tally.grid.name.name: tally.grid.name for tally in seen.tallies}
        self.every = np.arange(len(sample.target))
        self.days = range(len(sample.observed))
        self.codes: dict[str, Codes] = {}
        self.cards, self.odds = self.out_of_fold(self.days, self.every)

    def _fit(self, folds: Collection[int], days: Collection[int]) -> Card:
        """The card taught by the rows of these folds and days."""
        score, sample = self.score, self.sample
        rows = self.every[np.isin(sample.fold, list(folds)) & np.isin(sample.day, list(days))]
        kept, unsteady = steady(self.seen.tallies, folds, days)
        found = binnings(
            [tally.grid for tally in kept],
            {tally.grid.name.name: tally.counts(folds, days) for tally in kept},
            monotone=score.monotone,
            rules=self.rules,
        )
        events = int(sample.target[rows].sum())
        self._code(informative(found, events, len(rows) - events, self.rules.repeats))
        card = fit(
            found, self.names, self.codes, sample.target, rows, scale=score.points,
            most_features=score.most_features, repeats=self.rules.repeats,
        )  # fmt: skip
        return replace(card, left_out=(*unsteady, *card.left_out))

    def _code(self, names: Sequence[str]) -> None:
        """Fetch the fine codes of features that have not been needed yet; the weak ones never are."""
        self.codes |= self.sample.codes([self.seen.by_name[name].grid for name in names if name not in self.codes])

    def out_of_fold(self, days: Collection[int], asked: npt.NDArray[Any]) -> tuple[list[Card], Floats]:
        """A card per fold from the other folds' rows of `days`, and the odds it gives to those of `asked` in its fold."""
        fold, cards, odds = self.sample.fold, [], np.full(len(self.every), np.nan)
        for number in range(self.score.folds):
            card = self._fit([other for other in range(self.score.folds) if other != number], days)
            rows = asked[fold[asked] == number]
            odds[rows] = card.odds(self.codes, rows)
            cards.append(card)
        return cards, odds

    def card(self) -> Card:
        intercept, slope = correction(self.odds, self.sample.target)
        return self._fit(range(self.score.folds), self.days).calibrated(intercept, slope)

    def chances(self) -> Floats:
        """Of every row, by a card that had not seen it."""
        return self._chances(self.cards, self.odds, self.every, self.every)

    def chances_out_of_time(self) -> Floats:
        """Of the last date's rows, by cards taught and corrected on earlier dates, by other people; not a number elsewhere."""
        last = self.sample.day == len(self.sample.observed) - 1
        cards, odds = self.out_of_fold(self.days[:-1], self.every)
        return self._chances(cards, odds, self.every[last], self.every[~last])

    def _chances(
        self, cards: Sequence[Card], odds: Floats, asked: npt.NDArray[Any], taught: npt.NDArray[Any]
    ) -> Floats:
        """Chances of the rows asked, each by the card of its fold, corrected as the taught rows of other folds say."""
        target, fold, chances = self.sample.target, self.sample.fold, np.full(len(self.every), np.nan)
        for number, card in enumerate(cards):
            here, others = asked[fold[asked] == number], taught[fold[taught] != number]
            corrected = card.calibrated(*correction(odds[others], target[others]))
            chances[here] = corrected.chances(corrected.points(self.codes, here))
        return chances


# ── what is kept ────────────────────────────────────────────────────────────────────────────────────────────


def constant_or_left(seen: Seen, card: Card) -> list[tuple[str, str]]:
    """Features that are not on the card, and why."""
    return [*((name, CONSTANT) for name in seen.constant), *card.left_out]


def card_content(card: Card, left_out: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """A card as it is kept for people: its scale, its bins, and what was left out and why."""
    return {
        "start": card.start,
        "intercept": card.intercept,
        "factor": card.factor,
        "even": card.even,
        "characteristics": [_characteristic(one) for one in card.characteristics],
        "left_out": [{"feature": name, "why": why} for name, why in left_out],
    }


def _characteristic(one: Characteristic) -> dict[str, Any]:
    return {
        **named(one.name),
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
