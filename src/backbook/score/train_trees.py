"""A sample becomes a forest: its settings chosen in the order of time, judged on people it had not seen, corrected.

Settings and rounds are chosen where the trees are taught on earlier dates and asked about the last, people apart (with
one date, people apart alone). With these a forest is grown per fold; what each says of its own fold gives the figures
and the line by which the odds come true. The out-of-time figures choose, grow and correct anew from the earlier dates
alone. The last forest is grown on all rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from backbook.expressions import Type
from backbook.score import formula
from backbook.score.binning import Rules, binned
from backbook.score.content import content
from backbook.score.counting import Tally
from backbook.score.definition import Score
from backbook.score.explain import standing_reason
from backbook.score.judging import correction, figures
from backbook.score.look import Seen, look
from backbook.score.reference import referred
from backbook.score.registry import Unavailable, Version, step
from backbook.score.stability import steady
from backbook.score.target import Sample
from backbook.score.train import CONSTANT, NOTHING
from backbook.score.trees import LOG_ODDS, SEED, Coding, Columns, Forest, Ground, Setting, code, encode, settings

Floats = npt.NDArray[np.float64]
Wholes = npt.NDArray[np.int64]

UNASKED = "no tree asks for it"
# A forest stopped early says less than it knows, so its odds may be stretched further than those of a card.
STRETCH = (0.05, 4.0)
# So many folds are asked while settings are chosen; the figures ask all of them.
ASKED_FOLDS = 2
# What a forest gains on rows it had not seen must exceed this many standard errors over folds, or it says nothing.
SURE = 2.0


def train(score: Score, sample: Sample) -> Version | Unavailable:
    """The version that the sample teaches, or what it would need."""
    seen = look(score, sample)
    if isinstance(seen, Unavailable):
        return seen
    kept, unsteady = steady(seen.tallies)
    codings, columns = _columns(sample, kept)
    if not codings:
        return Unavailable("score", score.id, NOTHING)
    judged = Judged(score, sample, columns, _ways(score, kept, codings))
    if not judged.gains:
        return Unavailable("score", score.id, NOTHING)
    chances = judged.chances()
    found = figures(score, sample, chances, lambda: _out_of_time(score, sample, seen, kept, judged))
    forest = judged.forest(codings)
    used = [one.name for one in forest.codings]
    said = content(score, sample, steps(score), found, used, ["lightgbm"])
    # Trees know the rows that taught them: a new row gets a chance such as these rows got out of fold.
    said = referred(said, score, sample, seen, used, chances)
    return Version(
        said
        | {
            "trees": forest.canonical(),
            "seeds": {"trees": SEED},
            "grown": {"leaves": judged.setting.leaves, "columns": judged.setting.columns, "rounds": forest.rounds},
            "left_out": [
                *({"feature": name, "why": CONSTANT} for name in seen.constant),
                *({"feature": name, "why": why} for name, why in unsteady),
                *({"feature": one.name.name, "why": UNASKED} for one in codings if one.name not in used),
            ],
            "reasons": [standing_reason(one.name, standing) for one in forest.codings for standing in one.standings],
        }
    )


def steps(score: Score) -> list[dict[str, str]]:
    """Chance, points and grade from the log odds that the forest gives."""
    return [
        step("probability", Type.NUMBER, f"round(1 / (1 + exp(0 - {LOG_ODDS})), 6)"),
        step("points", Type.WHOLE, formula.points_of("probability", score.points)),
        step("grade", Type.TEXT, formula.grade(score.grades, "probability")),
    ]


def _out_of_time(score: Score, sample: Sample, seen: Seen, kept: Sequence[Tally], judged: Judged) -> Floats:
    """The last date's chances, by forests that know nothing of it: not even which features hold until then."""
    earlier, _ = steady(seen.tallies, days=range(len(sample.observed) - 1))
    if [tally.grid.name for tally in earlier] == [tally.grid.name for tally in kept]:
        return judged.chances_out_of_time()
    if not earlier:
        before = sample.day < len(sample.observed) - 1
        return np.full(len(sample.target), float(sample.target[before].mean()))
    codings, columns = _columns(sample, earlier)
    return Judged(score, sample, columns, _ways(score, earlier, codings)).chances_out_of_time()


def _columns(sample: Sample, tallies: Sequence[Tally]) -> tuple[list[Coding], Columns]:
    """How the features are coded, and all rows coded so."""
    fetched = sample.columns([tally.grid.name.name for tally in tallies])
    codings = [code(tally.grid, fetched[tally.grid.name.name]) for tally in tallies]
    return codings, encode(codings, fetched)


def _ways(score: Score, tallies: Sequence[Tally], codings: Sequence[Coding]) -> list[int]:
    """By feature, the direction that the definition asks for; `auto` is the one in which the feature goes alone."""
    found = []
    for tally, coding in zip(tallies, codings, strict=True):
        asked = score.monotone.get(coding.name.name, "free")
        if asked == "auto":
            asked = binned(tally.grid, tally.counts(), direction="auto", rules=Rules()).direction
        found.append({"up": 1, "down": -1}.get(asked, 0))
    return found


class Judged:
    """The fits of one training: a forest per fold, what each said of the rows it had not seen, and the last forest."""

    def __init__(self, score: Score, sample: Sample, columns: Columns, ways: Sequence[int]) -> None:
        self.score, self.sample, self.columns = score, sample, columns
        by_column = [ways[feature] if place < len(ways) else 0 for place, feature in enumerate(columns.feature)]
        self.ground = Ground(columns.matrix, sample.target, by_column, threads=sample.engine.threads)
        self.every = np.arange(len(sample.target))

    @cached_property
    def setting(self) -> Setting:
        return self._chosen(self.every)

    @cached_property
    def odds(self) -> Floats:
        """What was said of each row by a forest that had not seen it."""
        return self._out_of_fold(self.setting, self.every, self.every)

    def _chosen(self, rows: Wholes) -> Setting:
        """The setting with the least log loss where it could not have learned by heart."""
        splits = self._splits(rows)
        tried = [
            self.ground.stopped(setting, splits)
            for setting in settings(self.score.growth.leaves, self.score.growth.rounds)
        ]
        return min(tried, key=lambda one: one[0])[1]

    def _splits(self, rows: Wholes) -> list[tuple[Wholes, Wholes]]:
        """Rows that teach and rows that are asked: on earlier dates and the last, where both have events enough."""
        sample = self.sample
        last = sample.day[rows] == sample.day[rows].max()
        earlier, later = rows[~last], rows[last]
        ordered = all(
            min(sample.target[part].sum(), (~sample.target[part]).sum()) >= self.score.minimum_events
            for part in (earlier, later)
        )
        taught, asked = (earlier, later) if ordered else (rows, rows)
        return [(taught[sample.fold[taught] != fold], asked[sample.fold[asked] == fold]) for fold in range(ASKED_FOLDS)]

    def _out_of_fold(self, setting: Setting, taught: Wholes, asked: Wholes) -> Floats:
        """What a forest from the rows of `taught` in other folds says of the rows of `asked` in each."""
        fold, odds = self.sample.fold, np.full(len(self.every), np.nan)
        for number in range(self.score.folds):
            rows = asked[fold[asked] == number]
            odds[rows] = self.ground.said(setting, taught[fold[taught] != number], rows)
        return odds

    @property
    def gains(self) -> bool:
        """Whether the forests know more of new people than how often the event happens."""
        target, fold, gained = self.sample.target, self.sample.fold, []
        for number in range(self.score.folds):
            here = fold == number
            rate = float(target[~here].mean())
            chances = self._corrected(self.odds, self.every[~here], self.every[here])
            gained.append(_loss(np.full(here.sum(), rate), target[here]) - _loss(chances, target[here]))
        return float(np.mean(gained)) > SURE * float(np.std(gained, ddof=1)) / math.sqrt(len(gained))

    def _corrected(self, odds: Floats, taught: Wholes, asked: Wholes) -> Floats:
        """Chances of the rows of `asked`, by the line that those of `taught` give."""
        intercept, slope = correction(odds[taught], self.sample.target[taught], within=STRETCH)
        chances: Floats = np.round(1 / (1 + np.exp(-(intercept + slope * odds[asked]))), 6)
        return chances

    def _by_fold(self, odds: Floats, taught: Wholes, asked: Wholes) -> Floats:
        """Chances of `asked`, each corrected as rows of `taught` in other folds say; not a number elsewhere."""
        fold, chances = self.sample.fold, np.full(len(self.every), np.nan)
        for number in range(self.score.folds):
            here = asked[fold[asked] == number]
            chances[here] = self._corrected(odds, taught[fold[taught] != number], here)
        return chances

    def chances(self) -> Floats:
        """Of every row, by a forest that had not seen it."""
        return self._by_fold(self.odds, self.every, self.every)

    def chances_out_of_time(self) -> Floats:
        """Of the last date's rows, by forests chosen, taught and corrected on earlier dates, and by other people."""
        last = self.sample.day == len(self.sample.observed) - 1
        earlier, later = self.every[~last], self.every[last]
        odds = self._out_of_fold(self._chosen(earlier), earlier, self.every)
        return self._by_fold(odds, earlier, later)

    def forest(self, codings: Sequence[Coding]) -> Forest:
        """The forest of all rows, corrected by what came out of fold."""
        intercept, slope = correction(self.odds, self.sample.target, within=STRETCH)
        return Forest.of(self.ground.grown(self.setting, self.every), codings, intercept, slope)


def _loss(chances: Floats, events: npt.NDArray[np.bool_]) -> float:
    kept = np.clip(chances, 1e-6, 1 - 1e-6)
    return float(-np.log(np.where(events, kept, 1 - kept)).mean())
