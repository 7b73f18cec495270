"""How a score of an earlier day came out, once the windows of its outcomes are over.

Judged are those whom the score was given to on that day and who could have taught it: the same exclusions, the same
indeterminate, outcomes as known now. From the lake come counts by chance and outcome; all figures are made of them,
each with its interval, and held against the figures that the version had out of fold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from itertools import pairwise
from math import pi, sqrt
from operator import or_
from typing import Any

import numpy as np
import numpy.typing as npt

from backbook.customer.shares import wilson
from backbook.engine import Engine
from backbook.score.apply import REASONS
from backbook.score.decay import DECAYED, HOLDS, WATCH
from backbook.score.decay import judged as judged_rule
from backbook.score.definition import Hits, Score
from backbook.score.intervals import Z, auc_error, auc_of, ks_of, slope_of, top_tenth
from backbook.score.monitor import Act, Kind, Level, Reading
from backbook.score.reference import Reference
from backbook.score.registry import Version
from backbook.score.target import EVENT, Book
from backbook.score.warning import Counted

REASON_COLUMNS = [f"reason_{place}" for place in range(1, REASONS + 1)]
# With fewer events, or others, ranks say nothing.
FEWEST = 10
# Observed over expected, and the slope of the odds, should lie within these.
RIGHT, SLOPES = (0.8, 1.2), (0.8, 1.25)
# A fall of the KS or of the lift by more than this part of what it was is an alarm.
FALL = 0.20
# A fall of the AUC beyond chance: under this nobody need look, over that nobody should decide by it.
AUC_WATCH, AUC_ACT = 0.01, 0.05


@dataclass(frozen=True)
class Outcomes:
    """Events and others at each distinct chance, from the lowest."""

    chances: npt.NDArray[np.float64]
    events: npt.NDArray[np.int64]
    others: npt.NDArray[np.int64]

    @property
    def rows(self) -> int:
        return int(self.events.sum() + self.others.sum())

    @property
    def happened(self) -> int:
        return int(self.events.sum())

    @property
    def ranked(self) -> bool:
        return min(self.happened, self.rows - self.happened) >= FEWEST

    def within(self, low: float, high: float) -> Outcomes:
        """Those with a chance above `low`, up to and with `high`."""
        chosen = (self.chances > low) & (self.chances <= high)
        return Outcomes(self.chances[chosen], self.events[chosen], self.others[chosen])

    @property
    def expected(self) -> float:
        return float(((self.events + self.others) * self.chances).sum())


def ripened(version: Version, engine: Engine, units: Any, day: date, given: Any) -> list[Reading]:
    """What came of the scores `given` on a day (unit, probability) by the version; `units` are those to judge it by.

    See `target.judged` for the units, and `over` for whether the day can be judged at all.
    """
    found = outcomes(engine, units, version.key, given)
    return readings(version, found, day) if found.rows else [_none(day)]


def over(score: Score, as_of: date, book: Book, day: date) -> bool:
    """Whether the outcomes of a day are known by `as_of`."""
    return day < as_of and book.outcomes_end(score.grain, day, score.outcomes) <= as_of


def outcomes(engine: Engine, units: Any, key: str, given: Any) -> Outcomes:
    """Counts by chance and outcome of the units that have a score."""
    scored = given.filter(given["probability"].notnull()).select(_unit="unit", chance="probability")
    both = units.inner_join(scored, units[key] == scored["_unit"])
    rows = engine.rows(
        both.group_by("chance").agg(rows=both.count(), events=both[EVENT].cast("int64").sum()).order_by("chance")
    )
    events = np.array([int(row["events"]) for row in rows], dtype=np.int64)
    every = np.array([row["rows"] for row in rows], dtype=np.int64)
    return Outcomes(np.array([row["chance"] for row in rows], dtype=np.float64), events, every - events)


def by_rule(engine: Engine, units: Any, key: str, given: Any, codes: Sequence[str]) -> dict[str, Counted]:
    """Of the units that have a score: how many each rule hit, and hit right. A unit's reasons are the rules that hit it."""
    scored = given.filter(given["probability"].notnull())
    hit = {
        code: reduce(or_, ((scored[reason] == code).fill_null(False) for reason in REASON_COLUMNS)) for code in codes
    }
    marked = scored.select(_unit="unit", **hit)
    both = units.inner_join(marked, units[key] == marked["_unit"])
    asked = {"rows": both.count(), "base": both[EVENT].sum()}
    for code in codes:
        asked |= {f"{code}_hits": both[code].sum(), f"{code}_events": (both[code] & both[EVENT]).sum()}
    found = {name: int(number or 0) for name, number in engine.rows(both.aggregate(**asked))[0].items()}
    return {
        code: Counted(found["rows"], found["base"], found[f"{code}_hits"], found[f"{code}_events"]) for code in codes
    }


VERDICTS = {
    HOLDS: (Level.OK, Act.NOTHING), WATCH: (Level.WATCH, Act.WAIT), DECAYED: (Level.ACT, Act.DROP),
}  # fmt: skip


def rule_readings(version: Version, by_date: Mapping[date, Mapping[str, Counted]]) -> list[Reading]:
    """Each rule on each day, its precision with its interval; the verdict over the latest days stands with the last."""
    asked = Hits(**version.content["defined"]["rules"])
    days, told = sorted(by_date), []
    for place, rule in enumerate(version.content["rules"]):
        code = rule["code"]
        found = judged_rule(code, [(day, by_date[day][code]) for day in days], asked, rule["hit_rate"])
        for day in days:
            reading = _rule(code, place, day, rule["precision"], by_date[day][code])
            if day == days[-1]:
                level, act = VERDICTS[found.verdict]
                zh, en = f"规则“{rule['zh']}”：{found.zh}", f"rule “{rule['en']}”: {found.en}"
                reading = replace(reading, level=level, act=act, reason_zh=zh, reason_en=en)
            told.append(reading)
    return told


def _rule(code: str, place: int, day: date, before: float, found: Counted) -> Reading:
    low, high = found.interval
    return Reading(
        Kind.RULE, day, subject=code, place=place, value=found.precision if found.hits else None, reference=before,
        low=low if found.hits else None, high=high if found.hits else None, rows_reference=found.rows, rows_now=found.hits,
    )  # fmt: skip


def _none(day: date) -> Reading:
    return Reading(
        Kind.AUC, day, level=Level.WAIT, act=Act.WAIT, rows_now=0,
        reason_zh=f"{day} 的评分中无人结果已知", reason_en=f"of those scored on {day} no outcome is known",
    )  # fmt: skip


def _too_few(found: Outcomes, day: date) -> Reading:
    few = min(found.happened, found.rows - found.happened)
    zh, en = ("事件", "events") if few == found.happened else ("非事件", "others")
    return Reading(
        Kind.AUC, day, level=Level.WAIT, act=Act.WAIT,
        reason_zh=f"{day} 的评分只有 {few} 个{zh}，不足 {FEWEST} 个，无法判断排序",
        reason_en=f"scores of {day} have {few} {en}, fewer than {FEWEST}: too few to judge the ranks",
    )  # fmt: skip


def readings(version: Version, found: Outcomes, day: date) -> list[Reading]:
    """Every figure of one day against the version's own."""
    quality = version.content.get("quality") or {}
    if found.ranked:
        ranks = [_auc(quality, found, day), _ks(quality, found, day), _lift(quality, found, day), *_slope(found, day)]
    else:
        ranks = [_too_few(found, day)]
    told = [*ranks, _calibration(found, day), *_bands(version, found, day), _error(version, found, day)]
    return [
        each if each.rows_now is not None else replace(each, rows_reference=quality.get("rows"), rows_now=found.rows)
        for each in told
    ]


# ── how it ranks ────────────────────────────────────────────────────────────────────────────────────────────


def _auc(quality: Mapping[str, Any], found: Outcomes, day: date) -> Reading:
    area, error = auc_of(found.events, found.others)
    before = quality.get("auc")
    level = Level.OK
    bound = None
    if before is not None:
        events = quality["events"]
        # Two samples: the fall has the errors of both.
        bound = before - Z * sqrt(error**2 + auc_error(before, events, quality["rows"] - events) ** 2)
        fall = before - area
        level = Level.OK if area >= bound or fall < AUC_WATCH else Level.ACT if fall >= AUC_ACT else Level.WATCH
    low, high = max(area - Z * error, 0.0), min(area + Z * error, 1.0)
    zh, en = _against(before, area, (low, high), found)
    return Reading(
        Kind.AUC, day, value=area, reference=before, low=low, high=high, bound=bound, level=level,
        reason_zh=f"{day} 的评分：AUC {zh}", reason_en=f"scores of {day}: AUC {en}",
        act={Level.WATCH: Act.RETRAIN, Level.ACT: Act.STOP}.get(level, Act.NOTHING),
    )  # fmt: skip


def _ks(quality: Mapping[str, Any], found: Outcomes, day: date) -> Reading:
    gap, error = ks_of(found.events, found.others)
    low, high = max(gap - Z * error, 0.0), min(gap + Z * error, 1.0)
    before = quality.get("ks")
    level = _fallen(before, gap, high, Level.ACT)
    zh, en = _against(before, gap, (low, high), found)
    return Reading(
        Kind.KS, day, value=gap, reference=before, low=low, high=high, bound=None if before is None else before * (1 - FALL),
        level=level, reason_zh=f"{day} 的评分：KS {zh}", reason_en=f"scores of {day}: KS {en}",
        act={Level.ACT: Act.STOP, Level.WAIT: Act.WAIT}.get(level, Act.NOTHING),
    )  # fmt: skip


def _fallen(before: float | None, value: float, high: float, alarm: Level) -> Level:
    """An alarm where it fell by a fifth, beyond its interval; within the interval more rows must tell."""
    if before is None or value >= before * (1 - FALL):
        return Level.OK
    return alarm if high < before else Level.WAIT


def _lift(quality: Mapping[str, Any], found: Outcomes, day: date) -> Reading:
    """How much more frequent the event is in the highest tenth than in all."""
    rows, events = top_tenth(found.events, found.others)
    rate = found.happened / found.rows
    low, high = (each / rate for each in wilson(round(events), max(round(rows), 1)))
    value, before = events / rows / rate, _lift_of(quality)
    level = _fallen(before, value, high, Level.WATCH)
    zh, en = _against(before, value, (low, high), found, digits=2)
    return Reading(
        Kind.LIFT, day, value=value, reference=before, low=low, high=high, bound=None if before is None else before * (1 - FALL),
        level=level, reason_zh=f"{day} 的评分：最高十分之一的提升度 {zh}", reason_en=f"scores of {day}: lift of the top tenth {en}",
        act={Level.WATCH: Act.RETRAIN, Level.WAIT: Act.WAIT}.get(level, Act.NOTHING),
    )  # fmt: skip


def _lift_of(quality: Mapping[str, Any]) -> float | None:
    """The lift that the bands of a training show."""
    bands = quality.get("bands") or ()
    rows = np.array([band["rows"] for band in bands], dtype=np.float64)
    events = np.array([band["rows"] * band["observed"] for band in bands])
    if not events.sum():
        return None
    top, happened = top_tenth(events, rows - events)  # type: ignore[arg-type]
    return happened / top / float(events.sum() / rows.sum())


def _against(
    before: float | None, value: float, interval: tuple[float, float], found: Outcomes, digits: int = 3
) -> tuple[str, str]:
    low, high = interval
    moved = f"{value:.{digits}f}" if before is None else f"{before:.{digits}f} → {value:.{digits}f}"
    within = f"{low:.{digits}f}–{high:.{digits}f}"
    return (
        f"{moved}（95% 区间 {within}，{found.rows:,} 行、{found.happened:,} 个事件）",
        f"{moved} (95 % interval {within}; {found.rows:,} rows, {found.happened:,} events)",
    )


# ── whether the chances came true ───────────────────────────────────────────────────────────────────────────


def _calibration(found: Outcomes, day: date) -> Reading:
    value, low, high = _came(found)
    level = _right(low, high)
    reason = f"{value:.2f}", f"{low:.2f}–{high:.2f}"
    rates = f"{found.expected / found.rows:.2%}", f"{found.happened / found.rows:.2%}"
    return Reading(
        Kind.CALIBRATION, day, value=value, reference=1.0, low=low, high=high, level=level, act=_recalibrate(level),
        reason_zh=f"{day} 的评分：实际 ÷ 预测 {reason[0]}（95% 区间 {reason[1]}；预测 {rates[0]}，实际 {rates[1]}）",
        reason_en=f"scores of {day}: observed ÷ expected {reason[0]} (95 % interval {reason[1]}; expected {rates[0]}, came {rates[1]})",
    )  # fmt: skip


def _came(found: Outcomes) -> tuple[float, float, float]:
    """Observed over expected with its interval."""
    expected = max(found.expected, 1e-9)
    low, high = (share * found.rows / expected for share in wilson(found.happened, found.rows))
    return found.happened / expected, low, high


def _right(low: float, high: float) -> Level:
    """An alarm where the whole interval lies outside; nothing to tell where it spans the whole range and more."""
    if low > RIGHT[1] or high < RIGHT[0]:
        return Level.ACT
    return Level.WAIT if low < RIGHT[0] and high > RIGHT[1] else Level.OK


def _recalibrate(level: Level) -> Act:
    return {Level.OK: Act.NOTHING, Level.WAIT: Act.WAIT}.get(level, Act.RECALIBRATE)


def _bands(version: Version, found: Outcomes, day: date) -> list[Reading]:
    """Observed over expected in each band of the training."""
    if "reference" not in version.content:
        return []
    bands = Reference.read(version.content["reference"]).probability
    edges = [-1.0, *map(float, bands.grid.ends), 1.0]
    told = []
    for place, (label, (low, high)) in enumerate(zip(bands.labels, pairwise(edges), strict=False)):
        part = found.within(low, high)
        if part.rows:
            told.append(_band(part, day, place, label))
    return told


def _band(part: Outcomes, day: date, place: int, label: str) -> Reading:
    """The rate that came, against the chance."""
    _, low, high = _came(part)
    level = _right(low, high)
    expected = part.expected / part.rows
    return Reading(
        Kind.CALIBRATION_BAND, day, subject=label, place=place, value=part.happened / part.rows, reference=expected,
        low=low * expected, high=high * expected, rows_now=part.rows, level=Level.OK if level == Level.WAIT else level,
        reason_zh=f"{day} 的评分，概率 {label}：预测 {expected:.2%}，实际 {part.happened / part.rows:.2%}（{part.rows:,} 行）",
        reason_en=f"scores of {day}, chance {label}: expected {expected:.2%}, came {part.happened / part.rows:.2%} ({part.rows:,} rows)",
        act=Act.RECALIBRATE if level == Level.ACT else Act.NOTHING,
    )  # fmt: skip


def _slope(found: Outcomes, day: date) -> Sequence[Reading]:
    fitted = slope_of(found.chances, found.events, found.others)
    if fitted is None:
        return ()
    value, error = fitted
    low, high = value - Z * error, value + Z * error
    level = Level.WATCH if low > SLOPES[1] or high < SLOPES[0] else Level.OK
    return (
        Reading(
            Kind.SLOPE,
            day,
            value=value,
            reference=1.0,
            low=low,
            high=high,
            level=level,
            act=_recalibrate(level),
            reason_zh=f"{day} 的评分：校准斜率 {value:.2f}（95% 区间 {low:.2f}–{high:.2f}）",
            reason_en=f"scores of {day}: calibration slope {value:.2f} (95 % interval {low:.2f}–{high:.2f})",
        ),
    )


def _error(version: Version, found: Outcomes, day: date) -> Reading:
    """The mean gap between expected and observed over bands; chance alone makes some, so it has a bound."""
    edges = [-1.0, 1.0]
    if "reference" in version.content:
        ends = Reference.read(version.content["reference"]).probability.grid.ends
        edges = [-1.0, *map(float, ends), 1.0]
    parts = [part for low, high in pairwise(edges) if (part := found.within(low, high)).rows]
    value = sum(abs(part.expected - part.happened) for part in parts) / found.rows
    # The mean of the absolute value of a normal is sqrt(2 / pi) of its deviation.
    by_chance = sum(
        sqrt(2 / pi * part.expected * max(1 - part.expected / part.rows, 0.0)) for part in parts
    ) / found.rows  # fmt: skip
    before = (version.content.get("quality") or {}).get("calibration_error")
    bound = (before or 0.0) + 2 * by_chance
    level = Level.WATCH if value > bound else Level.OK
    return Reading(
        Kind.ERROR, day, value=value, reference=before, bound=bound, level=level, act=_recalibrate(level),
        reason_zh=f"{day} 的评分：校准误差 {value:.4f}（训练时 {before or 0:.4f}，偶然约 {by_chance:.4f}）",
        reason_en=f"scores of {day}: calibration error {value:.4f} (in training {before or 0:.4f}; chance alone about {by_chance:.4f})",
    )  # fmt: skip
