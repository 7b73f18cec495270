"""A chance in two stages: who passes the first, and of these, who goes on to the event.

A card that is not activated cannot be used, so a first use has two very different causes. Each stage is a scorecard
of its own: the first is taught by everybody, the second by those who passed the first; the chance is the product.
The alternative, one card that goes straight for the event, is taught on the same rows and its figures stand beside:
two stages must earn their keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from backbook.expressions import Type
from backbook.score import formula
from backbook.score.content import content
from backbook.score.definition import Score
from backbook.score.explain import reason
from backbook.score.judging import correction, figures, says_nothing
from backbook.score.look import Seen, look
from backbook.score.quality import quality
from backbook.score.reference import referred
from backbook.score.registry import Unavailable, Version, step
from backbook.score.scorecard import Card
from backbook.score.target import EVENT, FIRST, Sample
from backbook.score.train import NOTHING, Judged, card_content, constant_or_left

Floats = npt.NDArray[np.float64]
STAGES = ("first", "second")


def train_two_stage(score: Score, sample: Sample) -> Version | Unavailable:
    """The version of two cards, or what the sample would need for either."""
    samples = (_first(sample), _second(sample))
    seen: list[Seen] = []
    for stage, each in zip(STAGES, samples, strict=True):
        looked = look(score, each)
        if isinstance(looked, Unavailable):
            return Unavailable("score", score.id, f"{looked.needs} ({stage} stage)")
        seen.append(looked)
    with threadpool_limits(1):
        judged = [Judged(score, each, looked) for each, looked in zip(samples, seen, strict=True)]
        cards = [each.card() for each in judged]
        whole = _Whole(score, sample, judged)
        found = figures(score, sample, whole.chances(), whole.chances_out_of_time)
        found["one_stage"] = _one_stage(score, sample)
    lacking = [stage for stage, card in zip(STAGES, cards, strict=True) if not card.characteristics]
    if lacking:
        return Unavailable("score", score.id, f"{NOTHING} ({' and '.join(lacking)} stage)")
    if nothing := says_nothing(found):
        return Unavailable("score", score.id, nothing)
    return Version(_content(score, sample, cards, seen, found))


def _first(sample: Sample) -> Sample:
    """The same rows, asked who passed the first stage."""
    return replace(sample, table=sample.table.mutate(**{EVENT: sample.table[FIRST]}), target=sample.first)


def _second(sample: Sample) -> Sample:
    """Those who passed the first stage, asked who went on."""
    rows = sample.first
    return replace(
        sample,
        table=sample.table.filter(sample.table[FIRST]),
        target=sample.target[rows],
        first=rows[rows],
        day=sample.day[rows],
        fold=sample.fold[rows],
    )


class _Whole:
    """Chances of the whole way for every row, each stage by a card that had not seen the row's person."""

    def __init__(self, score: Score, sample: Sample, judged: Sequence[Judged]) -> None:
        self.score, self.sample = score, sample
        self.first, self.second = judged

    def chances(self) -> Floats:
        return self.first.chances() * self._second(self.second.cards, self.second.odds, self.second.every)

    def chances_out_of_time(self) -> Floats:
        cards, odds = self.second.out_of_fold(self.second.days[:-1], self.second.every)
        earlier = np.flatnonzero(self.second.sample.day < len(self.sample.observed) - 1)
        return self.first.chances_out_of_time() * self._second(cards, odds, earlier)

    def _second(self, cards: Sequence[Card], odds: Floats, taught: npt.NDArray[Any]) -> Floats:
        """The second stage's chance of every row, also of those who did not pass the first, corrected by rows of `taught`."""
        names = sorted({one.name.name for card in cards for one in card.characteristics})
        codes = self.sample.codes([self.second.seen.by_name[name].grid for name in names])
        passed, found = self.second.sample, np.full(len(self.sample.target), np.nan)
        for number, card in enumerate(cards):
            others = taught[passed.fold[taught] != number]
            corrected = card.calibrated(*correction(odds[others], passed.target[others]))
            rows = np.flatnonzero(self.sample.fold == number)
            found[rows] = corrected.chances(corrected.points(codes, rows))
        return found


def _one_stage(score: Score, sample: Sample) -> dict[str, Any] | None:
    """The figures of one card that goes straight for the event; nothing where it cannot be taught."""
    looked = look(score, sample)
    if isinstance(looked, Unavailable):
        return None
    found = quality(Judged(score, sample, looked).chances(), sample.target)
    return {"auc": found.auc, "ks": found.ks, "brier": found.brier, "calibration_error": found.calibration_error}


def _content(
    score: Score, sample: Sample, cards: Sequence[Card], seen: Sequence[Seen], found: dict[str, Any]
) -> dict[str, Any]:
    steps: list[dict[str, str]] = []
    keys: list[str] = []
    reasons: list[dict[str, str]] = []
    for stage, card in zip(STAGES, cards, strict=True):
        steps.append(step(f"points_{stage}", Type.WHOLE, formula.points(card)))
        steps.append(step(f"probability_{stage}", Type.NUMBER, formula.probability(card, f"points_{stage}")))
        of_stage, listed = formula.reason_keys(card, len(reasons))
        keys += of_stage
        reasons += [_of_stage(stage, reason(one, bin)) for one, bin in listed]
    product = " * ".join(f"probability_{stage}" for stage in STAGES)
    steps += [
        step("probability", Type.NUMBER, f"round({product}, 6)"),
        step("points", Type.WHOLE, formula.points_of("probability", score.points)),
        step("grade", Type.TEXT, formula.grade(score.grades, "probability")),
    ]
    used = [one.name for card in cards for one in card.characteristics]
    said = content(score, sample, steps, found, used) | {
        "reason_keys": keys,
        "reasons": reasons,
        "stages": {
            stage: card_content(card, constant_or_left(looked, card))
            for stage, card, looked in zip(STAGES, cards, seen, strict=True)
        },
    }
    # Everybody stands in the first stage, so its counts are those of all rows.
    return referred(said, score, sample, seen[0], used)


def _of_stage(stage: str, found: dict[str, str]) -> dict[str, str]:
    """The same feature may stand in both stages, cut otherwise: the code says in which."""
    return found | {"code": f"{found['code']}.{stage}"}
