"""What the watch reads of a score: one reading per thing and day, with its level, its reason and what to do.

`shifts` holds today's rows against those that taught the version, before any outcome is known. `ripened` judges scores
of earlier days whose outcome windows are over. Both yield readings; `whole` says them in one, `table` keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from enum import StrEnum

import pyarrow as pa

from backbook.score.registry import Version

TABLE = "score_watch"
ORDER = ["score", "version", "period", "kind", "place"]


class Level(StrEnum):
    """From calm to alarm; `wait` says that there is too little to tell."""

    OK = "ok"
    WAIT = "wait"
    WATCH = "watch"
    ACT = "act"


class Kind(StrEnum):
    """What is read, in the order in which it weighs: a whole first names what came true."""

    WHOLE = "whole"
    KS = "ks"
    AUC = "auc"
    CALIBRATION = "calibration"
    SLOPE = "slope"
    LIFT = "lift"
    RULE = "rule"
    ERROR = "calibration_error"
    PSI = "psi"
    GRADES = "grades"
    REFERENCE = "reference"
    MISSING = "missing"
    CSI = "csi"
    CALIBRATION_BAND = "calibration_band"
    PSI_BAND = "psi_band"
    GRADE = "grade"


class Act(StrEnum):
    """What a reading asks people to do."""

    NOTHING = "nothing"
    SOURCE = "source"
    RETRAIN = "retrain"
    RECALIBRATE = "recalibrate"
    STOP = "stop"
    DROP = "drop"
    WAIT = "wait"


ACTS = {
    Act.NOTHING: ("无需处理", "nothing to do"),
    Act.SOURCE: ("核对该特征的来源与口径", "look at the source of this feature and what it means now"),
    Act.RETRAIN: ("找出变化的特征；确认来源无误后重新训练", "find what moved; when the sources are right, train again"),
    Act.RECALIBRATE: ("重新校准概率与评级界限", "recalibrate the chances and the limits of the grades"),
    Act.STOP: ("停止用于决策，重新训练", "stop deciding by it, and train again"),
    Act.DROP: ("停用该规则", "take this rule out"),
    Act.WAIT: ("等待更多样本", "wait for more rows"),
}
# How a part moved matters as far as the whole did: alone it asks for a look.
PARTS = (Kind.MISSING, Kind.CSI, Kind.CALIBRATION_BAND)
# Shares that are shown; what they say together is said by the index over them.
SHOWN = (Kind.PSI_BAND, Kind.GRADE)


@dataclass(frozen=True)
class Reading:
    """One thing read of a version: `value` now against `reference` then.

    `low` to `high` is the 95 % interval of the value, `bound` what it may reach before anyone should look up.
    `place` orders the subjects of one kind.
    """

    kind: Kind
    period: date
    subject: str = ""
    place: int = 0
    value: float | None = None
    reference: float | None = None
    low: float | None = None
    high: float | None = None
    bound: float | None = None
    rows_reference: int | None = None
    rows_now: int | None = None
    level: Level = Level.OK
    reason_zh: str = ""
    reason_en: str = ""
    act: Act = Act.NOTHING


TYPES = {
    "period": pa.date32(), "place": pa.int64(), "rows_reference": pa.int64(), "rows_now": pa.int64(),
    **dict.fromkeys(["value", "reference", "low", "high", "bound"], pa.float64()),
}  # fmt: skip
COLUMNS = pa.schema(
    [
        ("score", pa.string()),
        ("version", pa.string()),
        *((each.name, TYPES.get(each.name, pa.string())) for each in fields(Reading)),
        ("act_zh", pa.string()),
        ("act_en", pa.string()),
    ]
)


def table(version: Version, readings: Iterable[Reading]) -> pa.Table:
    """The readings as rows of `score_watch`; figures to six decimals."""
    rows = []
    for reading in readings:
        zh, en = ACTS[reading.act]
        row = {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(reading).items()}
        rows.append({"score": version.score, "version": version.id, **row, "act_zh": zh, "act_en": en})
    return pa.Table.from_pylist(rows, schema=COLUMNS)


def whole(readings: Sequence[Reading], period: date) -> Reading:
    """One reading for the score: the worst, of what ripened only the latest day's.

    A feature that moved alone makes a score `watch`, not `act`, and one to be watched makes it nothing: what it does to
    the score is read of the score.
    """
    latest: dict[str, date] = {}
    for reading in readings:
        latest[reading.kind] = max(reading.period, latest.get(reading.kind, reading.period))
    current = [each for each in readings if each.kind not in SHOWN and each.period == latest[each.kind]]
    if not current:
        return Reading(
            Kind.WHOLE,
            period,
            level=Level.WAIT,
            reason_zh="尚无可比的数据",
            reason_en="nothing to compare yet",
            act=Act.WAIT,
        )
    worst = max(
        current, key=lambda each: (list(Level).index(_weighed(each)), -list(Kind).index(each.kind), each.value or 0)
    )
    if _weighed(worst) == Level.OK:
        return Reading(Kind.WHOLE, period, reason_zh="与训练时一致", reason_en="as in training")
    return Reading(
        Kind.WHOLE, period, subject=worst.subject or worst.kind, level=_weighed(worst),
        reason_zh=worst.reason_zh, reason_en=worst.reason_en, act=worst.act,
    )  # fmt: skip


def _weighed(reading: Reading) -> Level:
    """A part weighs one step less than what it is part of."""
    if reading.kind not in PARTS:
        return reading.level
    return Level.WATCH if reading.level == Level.ACT else Level.OK
