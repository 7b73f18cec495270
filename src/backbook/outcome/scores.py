"""How good each score is and how it spreads over today's book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backbook.engine import Engine
from backbook.outcome.figures import Grid, ScoreFigures, Text
from backbook.outcome.position import read
from backbook.outcome.watch import watched
from backbook.score.monitor import Kind


def scores(
    engine: Engine,
    versions: Sequence[Mapping[str, Any]],
    now: Any,
    before: Any = None,
    *,
    watch: Any = None,
    watched_before: Any = None,
) -> tuple[ScoreFigures, ...]:
    """One entry per version; `now` and `before` are score tables of this and of the last run.

    A version is a mapping: id, zh, en, version, method, and where it was trained auc, ks, calibration_error, rows
    and bands (expected, observed, rows); `grades` (code, zh, en) in their order, where they have names; `columns` (name,
    zh, en) that it reads. `watch` is the table `score_watch` of the date, `watched_before` that of all dates before.
    """
    today, earlier = _by_score(engine, watch), _by_score(engine, watched_before, only=Kind.PSI)
    found = []
    for version in versions:
        id = version["id"]
        figures = _score(engine, version, _only(now, id), _only(before, id))
        names = {each["name"]: Text(each["zh"], each["en"]) for each in version.get("columns") or ()}
        said = watched(today.get(id, ()), earlier.get(id, ()), str(version.get("version") or ""), names)
        found.append(replace(figures, watch=said))
    return tuple(found)


def _by_score(engine: Engine, table: Any, only: str = "") -> dict[str, list[dict[str, Any]]]:
    """The rows of a watch by score."""
    found: dict[str, list[dict[str, Any]]] = {}
    if table is not None:
        chosen = table.filter(table.kind == only) if only else table
        for row in engine.rows(chosen.order_by("score", "version", "period", "kind", "place")):
            found.setdefault(row["score"], []).append(row)
    return found


def _only(table: Any, score: str) -> Any:
    return None if table is None else table.filter(table.score == score)


def _score(engine: Engine, version: Mapping[str, Any], now: Any, before: Any) -> ScoreFigures:
    return ScoreFigures(
        id=version["id"],
        name=Text(version.get("zh") or version["id"], version.get("en") or version["id"]),
        version=str(version.get("version") or ""),
        method=version.get("method") or "",
        rows=version.get("rows"),
        auc=version.get("auc"),
        ks=version.get("ks"),
        calibration_error=version.get("calibration_error"),
        calibration=Grid("calibration", tuple(_band(n, row) for n, row in enumerate(version.get("bands") or (), 1))),
        grades=grades(engine, now, before, version.get("grades") or ()),
    )


def _band(number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    expected, observed = row["expected"], row["observed"]
    return {
        "band": number,
        "rows": row["rows"],
        "expected": expected,
        "observed": observed,
        "ratio": observed / expected if expected else None,
    }


def grades(engine: Engine, now: Any, before: Any = None, named: Sequence[Mapping[str, Any]] = ()) -> Grid:
    """Units by grade, now and before: grade, units, share, before, probability (the mean), amount (the sum)."""
    if now is None:
        return Grid("grades")
    # Doubles add up differently from run to run; six decimals are all that a score has.
    probability, amount = read(now, "probability", "decimal(18, 6)"), read(now, "amount")
    placed = now.select("grade", probability=probability, amount=amount)
    counted = placed.group_by("grade").agg(
        units=placed.count(),
        known=placed.probability.count(),
        total=placed.probability.sum(),
        amount=placed.amount.sum(),
    )
    names = GradeNames.of(named)
    rows = sorted(engine.rows(counted), key=lambda row: names.place(row["grade"]))
    earlier = {} if before is None else _units(engine, before)
    units = sum(row["units"] for row in rows)
    return Grid("grades", tuple(_grade(row, units, earlier, names) for row in rows))


@dataclass(frozen=True)
class GradeNames:
    """The grades of a score in their order, with their words; unnamed ones follow by their letters."""

    order: Mapping[str, int]
    words: Mapping[str, Text]

    @classmethod
    def of(cls, named: Sequence[Mapping[str, Any]]) -> GradeNames:
        return cls(
            {grade["code"]: place for place, grade in enumerate(named)},
            {grade["code"]: Text(grade["zh"], grade["en"]) for grade in named},
        )

    def place(self, grade: str | None) -> tuple[bool, int, str]:
        return (grade is None, self.order.get(grade or "", len(self.order)), grade or "")

    def word(self, grade: str | None) -> Text | None:
        return None if grade is None else self.words.get(grade, Text(grade, grade))


def _grade(row: Mapping[str, Any], units: int, earlier: Mapping[Any, int], names: GradeNames) -> dict[str, Any]:
    return {
        "grade": names.word(row["grade"]),
        "units": row["units"],
        "share": row["units"] / units,
        "before": earlier.get(row["grade"], 0) if earlier else None,
        "probability": float(row["total"]) / row["known"] if row["known"] else None,
        "amount": row["amount"],
    }


def _units(engine: Engine, table: Any) -> dict[Any, int]:
    return {row["grade"]: row["units"] for row in engine.rows(table.group_by("grade").agg(units=table.count()))}
