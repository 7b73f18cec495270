"""What was decided, why, by which arm, and what a guardrail blocked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from backbook.engine import Engine
from backbook.outcome.figures import Grid, Row, StrategyFigures, Text

Labels = Mapping[str, Text]


def strategies(
    engine: Engine, decision: Any, *, names: Labels, labels: Labels, moves: Iterable[Row] = ()
) -> tuple[StrategyFigures, ...]:
    """One entry per strategy of the decision table. `moves`: rows of strategy, from_action, to_action, cause, count."""
    counted = decision.group_by(["strategy", "version", "arm", "action", "reasons", "blocked"]).agg(
        units=decision.count()
    )
    rows: list[Row] = list(engine.rows(counted))
    moved = list(moves)
    found = []
    for id in sorted({row["strategy"] for row in rows}):
        own = [row for row in rows if row["strategy"] == id]
        own_moves = [row for row in moved if row.get("strategy", id) == id]
        found.append(_strategy(id, own, own_moves, names, labels))
    return tuple(found)


def _strategy(id: str, rows: list[Row], moves: list[Row], names: Labels, labels: Labels) -> StrategyFigures:
    return StrategyFigures(
        id=id,
        name=names.get(id, Text(id, id)),
        version=", ".join(sorted({str(row["version"]) for row in rows})),
        total=sum(row["units"] for row in rows),
        actions=Grid("actions", _actions(rows, labels)),
        reasons=Grid("reasons", _reasons(rows, labels)),
        blocked=Grid("blocked", _blocked(rows, labels)),
        moves=Grid("moves", tuple(_move(row, labels) for row in sorted(moves, key=lambda row: -row["count"]))),
    )


def _label(code: str | None, labels: Labels) -> Text:
    code = code or "-"
    return labels.get(code, Text(code, code))


def _actions(rows: list[Row], labels: Labels) -> tuple[Row, ...]:
    """action, arm, units, share of the arm: an arm's own mix is what compares."""
    units: Counter[tuple[str, str]] = Counter()
    for row in rows:
        units[row["action"] or "", row["arm"] or ""] += row["units"]
    arms, totals = Counter[str](), Counter[str]()
    for (action, arm), number in units.items():
        arms[arm] += number
        totals[action] += number
    # The largest action first, and within it the largest arm: the champion.
    order = sorted(units, key=lambda pair: (-totals[pair[0]], pair[0], -arms[pair[1]], pair[1]))
    return tuple(
        {
            "action": _label(action, labels),
            "arm": arm,
            "units": units[action, arm],
            "share": units[action, arm] / arms[arm],
        }
        for action, arm in order
    )


def _reasons(rows: list[Row], labels: Labels) -> tuple[Row, ...]:
    """action, reason, units: a decision counts once for each of its reasons."""
    units: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for code in dict.fromkeys(json.loads(row["reasons"] or "[]")):
            units[row["action"] or "", code] += row["units"]
    return tuple(
        {"action": _label(action, labels), "reason": _label(code, labels), "code": code, "units": number}
        for (action, code), number in sorted(units.items(), key=lambda item: (-item[1], item[0]))
    )


def _blocked(rows: list[Row], labels: Labels) -> tuple[Row, ...]:
    """guardrail, action that it blocked, units."""
    units: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for guardrail, action in _pairs(row["blocked"]):
            units[guardrail, action] += row["units"]
    return tuple(
        {"guardrail": _label(guardrail, labels), "action": _label(action, labels), "units": number}
        for (guardrail, action), number in sorted(units.items(), key=lambda item: (-item[1], item[0]))
    )


def _pairs(blocked: str | None) -> list[tuple[str, str]]:
    """Guardrail and action of what was blocked; a guardrail may have blocked several actions."""
    found = json.loads(blocked or "{}")
    pairs = []
    for guardrail, actions in found.items():
        pairs += [(guardrail, action) for action in ([actions] if isinstance(actions, str) else actions)]
    return pairs


def _move(row: Row, labels: Labels) -> Row:
    return {
        "from": _label(row["from_action"], labels),
        "to": _label(row["to_action"], labels),
        "cause": row["cause"],
        "units": row["count"],
    }
