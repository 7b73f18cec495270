"""What was decided, counted by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from backbook.engine import Engine
from backbook.outcome.decisions import strategies
from backbook.outcome.figures import StrategyFigures, Text

RAISE = Text("提额", "Raise")
Table = Callable[..., Any]


def decided(action: str, *reasons: str, arm: str = "champion", blocked: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "strategy": "limits", "version": "v1", "arm": arm, "action": action,
        "reasons": json.dumps(list(reasons)), "blocked": json.dumps(blocked or {}),
    }  # fmt: skip


def count(engine: Engine, table: Table, *rows: dict[str, Any], **more: Any) -> StrategyFigures:
    (found,) = strategies(engine, table(*rows), names={}, labels={"raise": RAISE}, **more)
    return found


def test_actions_are_counted_by_arm_and_shared_within_the_arm(engine: Engine, table: Table) -> None:
    found = count(
        engine,
        table,
        decided("raise"),
        decided("raise"),
        decided("keep"),
        decided("keep"),
        decided("keep", arm="challenger"),
    )
    assert [(row["action"].en, row["arm"], row["units"], row["share"]) for row in found.actions] == [
        ("keep", "champion", 2, 0.5), ("keep", "challenger", 1, 1.0), ("Raise", "champion", 2, 0.5),
    ]  # fmt: skip
    assert found.total == 5


def test_a_decision_counts_once_for_each_reason_and_never_twice_for_one(engine: Engine, table: Table) -> None:
    found = count(engine, table, decided("raise", "SAFE", "RICH", "SAFE"), decided("raise", "SAFE"))
    assert [(row["code"], row["units"]) for row in found.reasons] == [("SAFE", 2), ("RICH", 1)]


def test_what_a_guardrail_blocked_is_named_with_the_action(engine: Engine, table: Table) -> None:
    found = count(
        engine, table, decided("keep", blocked={"no_minor": "raise", "caps": ["raise", "gift"]}), decided("keep")
    )
    assert {(row["guardrail"].en, row["action"].en, row["units"]) for row in found.blocked} == {
        ("no_minor", "Raise", 1), ("caps", "Raise", 1), ("caps", "gift", 1),
    }  # fmt: skip


def test_moves_stand_with_the_strategy_they_belong_to_the_largest_first(engine: Engine, table: Table) -> None:
    moves = [
        {"strategy": "limits", "from_action": "keep", "to_action": "raise", "cause": "data", "count": 2},
        {"strategy": "limits", "from_action": None, "to_action": "keep", "cause": "definition", "count": 7},
        {"strategy": "other", "from_action": "keep", "to_action": "raise", "cause": "score", "count": 9},
    ]
    found = count(engine, table, decided("keep"), moves=moves)
    assert [(row["from"].en, row["to"].en, row["cause"], row["units"]) for row in found.moves] == [
        ("-", "keep", "definition", 7), ("keep", "Raise", "data", 2),
    ]  # fmt: skip
