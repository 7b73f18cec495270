"""Before outcomes are known: whether those who are scored today are like those who taught the version.

The score, its grades and each feature by their stability index (Kullback's divergence of two samples; see
`customer.drift`), the missing by the difference of two shares. Nothing is an alarm that chance alone would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from backbook.customer.drift import ACT as ACT_LINE
from backbook.customer.drift import STABLE as WATCH_LINE
from backbook.customer.drift import psi, psi_bound, psi_by_chance
from backbook.customer.shares import wilson
from backbook.engine import Engine
from backbook.score.definition import Score
from backbook.score.intervals import least_difference
from backbook.score.monitor import Act, Kind, Level, Reading
from backbook.score.reference import Bands, Reference, counted
from backbook.score.registry import Version

# Share of missing values, in points above or below that of training: a convention of this project.
MISSING_WATCH, MISSING_ACT = 0.05, 0.20
MOVED = (Level.WATCH, Level.ACT)
# Where the indeterminate are more than the rest of this, those who taught are no picture of those who are scored.
COMPARABLE = 0.8


def shifts(score: Score, version: Version, engine: Engine, profile: Any, period: date) -> list[Reading]:
    """The rows of a profile, which has the score's columns, against those that taught the version."""
    if "reference" not in version.content:
        return [_without_reference(period)]
    if (part := taught_part(version)) < COMPARABLE:
        return [_selected(part, period)]
    then = Reference.read(version.content["reference"])
    columns = {f"{score.id}_probability": then.probability, f"{score.id}_grade": then.grades}
    columns |= {each.name.name: each for each in then.features}
    return compared(then, list(counted(engine, comparable(score, profile), columns).values()), period)


def compared(then: Reference, now: Sequence[Sequence[int]], period: date) -> list[Reading]:
    """The reference against counts in its bands: of the chances, of the grades, then of its features in their order."""
    chances, grades, *features = now
    pairs = list(zip(then.features, features, strict=True))
    of_features = [_csi(then, bands, rows, period, place) for place, (bands, rows) in enumerate(pairs)]
    return [
        _because(_psi(then, chances, period), of_features, then),
        *_shares(Kind.PSI_BAND, then.probability, chances, period),
        _grade_shift(then, grades, period),
        *_shares(Kind.GRADE, then.grades, grades, period),
        *of_features,
        *(_missing(then, bands, rows, period, place) for place, (bands, rows) in enumerate(pairs)),
    ]


def _because(score: Reading, of_features: Sequence[Reading], then: Reference) -> Reading:
    """The score's own shift with the feature that moved most, where one did."""
    moved = [each for each in of_features if each.level in MOVED]
    if score.level not in MOVED or not moved:
        return score
    most = max(moved, key=lambda each: each.value or 0)
    name = then.features[most.place].name
    zh, en = f"；变化最大的特征：{name.zh} PSI {most.value:.3f}", f"; moved most: {name.en} PSI {most.value:.3f}"
    return replace(score, reason_zh=score.reason_zh + zh, reason_en=score.reason_en + en)


def comparable(score: Score, profile: Any) -> Any:
    """The rows that the score was asked about and that could have taught it."""
    scored = profile.filter(profile[f"{score.id}_probability"].notnull())
    if score.exclusions is None:
        return scored
    return scored.filter(~score.exclusions.ibis(scored).fill_null(False))


def taught_part(version: Version) -> float:
    """The share of the rows with a known outcome that taught, the others being indeterminate.

    >>> steps = [{"rows": rows} for rows in (1000, 900, 800, 200, 20, 190)]
    >>> taught_part(Version({"sample": {"waterfall": steps}}))
    0.25
    """
    _, _, known, kept, *_ = (step["rows"] for step in version.content["sample"]["waterfall"])
    return kept / known if known else 0.0


def _selected(part: float, period: date) -> Reading:
    return Reading(
        Kind.REFERENCE, period, level=Level.WAIT, act=Act.WAIT,
        reason_zh=f"结果已知的样本中只有 {part:.0%} 参与训练（其余为不确定样本），与训练分布的比较没有意义；待结果出现后再评价",
        reason_en=f"only {part:.0%} of the rows with a known outcome taught it (the others are indeterminate), so they are no picture of who is scored; outcomes will tell",
    )  # fmt: skip


def _without_reference(period: date) -> Reading:
    return Reading(
        Kind.REFERENCE, period, level=Level.WATCH, act=Act.RETRAIN,
        reason_zh="该版本没有保留训练时的分布，无法比较", reason_en="this version kept no bands of its training to compare with",
    )  # fmt: skip


@dataclass(frozen=True)
class Index:
    """A stability index with what chance alone gives."""

    value: float
    by_chance: float
    bound: float
    rows_reference: int
    rows_now: int

    @property
    def level(self) -> Level:
        """Never an alarm below the bound; where the bound lies above the upper line, nothing can be told."""
        if self.value > max(ACT_LINE, self.bound):
            return Level.ACT
        if self.value >= WATCH_LINE and self.value > self.bound:
            return Level.WATCH
        return Level.WAIT if self.bound > ACT_LINE else Level.OK

    def told(self) -> tuple[str, str]:
        line = ACT_LINE if self.level == Level.ACT else WATCH_LINE
        sizes = f"n {self.rows_reference:,} → {self.rows_now:,}"
        return (
            f"PSI {self.value:.3f}（门槛 {line:.2f}；{sizes}，偶然约 {self.by_chance:.3f}、至多 {self.bound:.3f}）",
            f"PSI {self.value:.3f} (line {line:.2f}; {sizes}; chance alone about {self.by_chance:.3f}, at most {self.bound:.3f})",
        )


def index(before: Sequence[int], now: Sequence[int], people: int) -> Index | None:
    """The index over bands that either has, or nothing where nobody was scored; `people` stand behind the rows before."""
    pairs = [(old, new) for old, new in zip(before, now, strict=True) if old or new]
    rows_now = sum(now)
    if not rows_now or not sum(before):
        return None
    old, new = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return Index(
        psi(old, new), psi_by_chance(len(pairs), people, rows_now), psi_bound(len(pairs), people, rows_now),
        sum(before), rows_now,
    )  # fmt: skip


def _of_index(
    kind: Kind, found: Index | None, period: date, same: tuple[str, str], moved: tuple[str, str], act: Act, **more: Any
) -> Reading:
    if found is None:
        zh, en = "今日无可比的行", "no row of today to compare"
        return Reading(kind, period, level=Level.WAIT, act=Act.WAIT, reason_zh=zh, reason_en=en, rows_now=0, **more)
    told_zh, told_en = found.told()
    zh, en = moved if found.level in MOVED else same
    if found.level == Level.WAIT:
        zh, en = "样本太少，无法判断：", "too few rows to tell: "
    return Reading(
        kind, period, value=found.value, bound=found.bound, level=found.level,
        rows_reference=found.rows_reference, rows_now=found.rows_now, reason_zh=f"{zh}{told_zh}", reason_en=f"{en}{told_en}",
        act={Level.OK: Act.NOTHING, Level.WAIT: Act.WAIT}.get(found.level, act), **more,
    )  # fmt: skip


def _psi(then: Reference, now: Sequence[int], period: date) -> Reading:
    found = index(then.probability.rows, now, then.people)
    return _of_index(
        Kind.PSI, found, period, ("评分分布与训练时一致：", "the score lies as in training: "),
        ("评分分布与训练时相差 ", "the score has moved since training: "), Act.RETRAIN,
    )  # fmt: skip


def _grade_shift(then: Reference, now: Sequence[int], period: date) -> Reading:
    found = index(then.grades.rows, now, then.people)
    zh, en = most_moved(then.grades, now)
    return _of_index(
        Kind.GRADES, found, period, ("评级分布与训练时一致：", "the grades lie as in training: "),
        (f"评级分布与训练时相差（{zh}）", f"the grades have moved since training ({en}): "), Act.RETRAIN,
    )  # fmt: skip


def _csi(then: Reference, bands: Bands, now: Sequence[int], period: date, place: int) -> Reading:
    found = index(bands.rows, now, then.people)
    zh, en = most_moved(bands, now)
    name = bands.name
    return _of_index(
        Kind.CSI, found, period, (f"{name.zh} 的分布与训练时一致：", f"{name.en} lies as in training: "),
        (f"{name.zh} 的分布与训练时相差（{zh}）", f"{name.en} has moved since training ({en}): "),
        Act.SOURCE, subject=name.name, place=place,
    )  # fmt: skip


def most_moved(bands: Bands, now: Sequence[int]) -> tuple[str, str]:
    """The band whose share moved most, in words."""
    before, after = sum(bands.rows) or 1, sum(now) or 1
    changes = [new / after - old / before for old, new in zip(bands.rows, now, strict=True)]
    place = max(range(len(changes)), key=lambda each: abs(changes[each]))
    label = bands.labels[place]
    shares = f"{bands.rows[place] / before:.0%} → {now[place] / after:.0%}"
    named = {"missing": "缺失", "other": "其他"}.get(label, label)
    return f"{named}：{shares}", f"{label}: {shares}"


def _shares(kind: Kind, bands: Bands, now: Sequence[int], period: date) -> list[Reading]:
    """The share of each band then and now; bands that neither has are left out."""
    before, after = sum(bands.rows), sum(now)
    found = []
    for place, (label, old, new) in enumerate(zip(bands.labels, bands.rows, now, strict=True)):
        if not (old or new) or not before or not after:
            continue
        low, high = wilson(new, after)
        found.append(
            Reading(
                kind,
                period,
                subject=label,
                place=place,
                value=new / after,
                reference=old / before,
                low=low,
                high=high,
                rows_reference=old,
                rows_now=new,
            )
        )
    return found


def _missing(then: Reference, bands: Bands, now: Sequence[int], period: date, place: int) -> Reading:
    """The share without a value, against that of training, beyond what chance allows for."""
    before, after = sum(bands.rows), sum(now)
    shared: dict[str, Any] = {"subject": bands.name.name, "place": place, "rows_reference": before, "rows_now": after}
    if not before or not after:
        return Reading(
            Kind.MISSING,
            period,
            level=Level.WAIT,
            act=Act.WAIT,
            reason_zh="今日无可比的行",
            reason_en="no row of today to compare",
            **shared,
        )
    old, new = bands.missing / before, now[-1] / after
    # One person seen on several days is one person.
    bound = least_difference(old * then.people, then.people, now[-1], after)
    moved = abs(new - old)
    level = Level.OK if moved <= max(bound, MISSING_WATCH) else Level.ACT if moved > MISSING_ACT else Level.WATCH
    level = Level.WAIT if level == Level.OK and bound > MISSING_ACT else level
    low, high = wilson(now[-1], after)
    zh = f"{bands.name.zh} 的缺失率 {old:.1%} → {new:.1%}（门槛 ±{MISSING_WATCH:.0%}/±{MISSING_ACT:.0%}，偶然至多 ±{bound:.1%}）"
    en = (
        f"{bands.name.en} missing: {old:.1%} → {new:.1%} "
        f"(lines ±{MISSING_WATCH:.0%}/±{MISSING_ACT:.0%}; chance alone at most ±{bound:.1%})"
    )
    return Reading(
        Kind.MISSING, period, value=new, reference=old, low=low, high=high, bound=max(bound, MISSING_WATCH), level=level,
        reason_zh=zh, reason_en=en, act={Level.OK: Act.NOTHING, Level.WAIT: Act.WAIT}.get(level, Act.SOURCE), **shared,
    )  # fmt: skip
