"""How well a method does on rows it had not seen, told the same way for all: overall, by fold, by date, out of time.

A chance is corrected by the odds that came out of fold (Platt 1999), so that it holds for new rows and not for those
that taught.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from backbook.score.definition import Score
from backbook.score.quality import auc, quality
from backbook.score.scorecard import logistic
from backbook.score.target import Sample

Floats = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]

# Out-of-fold odds that stretch more than this tell of a sample too small to correct anything.
SLOPES = (0.05, 1.5)
# An area must lie so many standard errors over folds above a half.
SURE = 2.0


def says_nothing(found: Mapping[str, Any]) -> str:
    """What a score lacks whose ranks, on people it had not seen, are not better than chance; empty where they are.

    >>> says_nothing({"auc": 0.51, "by_fold": [0.47, 0.52, 0.53]})
    'a feature that says something of people it had not seen; out of fold the AUC is 0.510'
    >>> says_nothing({"auc": 0.62, "by_fold": [0.60, 0.62, 0.64]})
    ''
    """
    folds = np.array(found["by_fold"])
    error = float(folds.std(ddof=1)) / math.sqrt(len(folds)) if len(folds) > 1 else 0.0
    if found["auc"] - 0.5 > SURE * error:
        return ""
    return f"a feature that says something of people it had not seen; out of fold the AUC is {found['auc']:.3f}"


def figures(score: Score, sample: Sample, chances: Floats, out_of_time: Callable[[], Floats]) -> dict[str, Any]:
    """The figures that a version keeps: `chances` are of every row, by a fit that had not seen it.

    `out_of_time` gives chances of the last date's rows by fits taught on earlier dates; it is asked only where there
    are events enough on both sides.
    """
    target, fold = sample.target, sample.fold
    found = quality(chances, target).canonical()
    found["by_fold"] = [
        round(auc(chances[fold == number], target[fold == number]), 6)
        for number in range(score.folds)
        if 0 < target[fold == number].sum() < (fold == number).sum()
    ]
    found["by_date"] = [_of_date(sample, chances, place) for place in range(len(sample.observed))]
    found["out_of_time"] = _out_of_time(score, sample, out_of_time)
    return found


def _of_date(sample: Sample, chances: Floats, place: int) -> dict[str, Any]:
    rows = sample.day == place
    events = int(sample.target[rows].sum())
    measured = 0 < events < rows.sum()
    return {
        "observed_on": sample.observed[place].isoformat(),
        "rows": int(rows.sum()),
        "events": events,
        "expected": round(float(chances[rows].sum()), 6),
        "auc": round(auc(chances[rows], sample.target[rows]), 6) if measured else None,
    }


def _out_of_time(score: Score, sample: Sample, chances: Callable[[], Floats]) -> dict[str, Any] | None:
    last = sample.day == len(sample.observed) - 1
    enough = min(sample.target[~last].sum(), sample.target[last].sum()) >= score.minimum_events
    if len(sample.observed) < 2 or not enough or sample.target[last].all():
        return None
    found = quality(chances()[last], sample.target[last])
    return {
        "observed_on": sample.observed[-1].isoformat(),
        "rows": found.rows,
        "events": found.events,
        "auc": found.auc,
        "ks": found.ks,
        "calibration_error": found.calibration_error,
        "windows_overlap": sample.overlaps,
    }


def correction(odds: Floats, target: Marks, *, within: tuple[float, float] = SLOPES) -> tuple[float, float]:
    """Intercept and slope that make the odds come true (Platt 1999), from rows that the fit had not seen."""
    if float(odds.std()) < 1e-9 or not 0 < target.sum() < len(target):
        return 0.0, 1.0
    slopes, intercept = logistic(odds[:, None], target, strength=1e6)
    slope = float(np.clip(slopes[0], *within))
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
