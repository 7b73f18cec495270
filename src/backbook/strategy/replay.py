"""Whether a decision would be made again from the values it kept.

    replay(strategy, row)          # row: one stored decision
    # .same, .then, .now, .differences

The strategy may come from its canonical form alone (`from_canonical`), as a bundle keeps it: neither the lake
nor the scores of that day are needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from backbook.expressions import Type
from backbook.strategy.definition import TOTAL_NEW, Strategy
from backbook.strategy.person import arm_actions, decide_person

# Texts that hold JSON are compared by what they say.
_JSON = ("parameters", "reasons", "read", "blocked")


@dataclass(frozen=True)
class Replay:
    """What was decided `then` and what comes out `now`, by column; texts that hold JSON are taken apart."""

    then: Mapping[str, Any]
    now: Mapping[str, Any]

    @property
    def differences(self) -> dict[str, tuple[Any, Any]]:
        """Column → (then, now), where they differ."""
        return {column: (self.then[column], value) for column, value in self.now.items() if self.then[column] != value}

    @property
    def same(self) -> bool:
        return not self.differences


def replay(strategy: Strategy, decision: Mapping[str, Any]) -> Replay:
    """Decide again from the stored values; every column must come out as it was."""
    read = json.loads(decision["read"])
    row = {**_values(strategy, read), **{key: decision[key] for key in _KEYS}}
    again = decide_person(
        strategy, [row], as_of=decision["as_of"], bundle=decision["bundle"], totals=_totals(strategy, read)
    )[0]
    compared = [column for column in again if column not in _LATER]
    return Replay(
        then={column: _said(column, decision[column]) for column in compared},
        now={column: _said(column, again[column]) for column in compared},
    )


def action_of(strategy: Strategy, read: Mapping[str, Any], arm: str) -> str | None:
    """The action that the arm would name for these values (parsed from `read`); None when there is no such arm.

    Columns that the values lack count as not known; what was tried at random is left aside.
    """
    row = {**_values(strategy, read), "account_id": ""}
    as_of = row.get("as_of") or date.min
    return arm_actions(strategy, row, as_of=as_of, totals=_totals(strategy, read)).get(arm)


_KEYS = ("account_id", "customer_id", "system", "party_id", "first_party")

# What happens to a decision after it was made is not part of making it.
_LATER = ("state",)


def _said(column: str, value: Any) -> Any:
    return json.loads(value) if column in _JSON else value


def _values(strategy: Strategy, read: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value_of(read.get(name), kind) for name, kind in strategy.types.items()}


def _totals(strategy: Strategy, read: Mapping[str, Any]) -> dict[str, Decimal | None]:
    return {arm.id: value_of(read.get(f"{TOTAL_NEW}.{arm.id}"), Type.MONEY) for arm in strategy.arms}


def value_of(stored: Any, kind: Type) -> Any:
    """A value as an expression wants it, from what JSON keeps."""
    if stored is None:
        return None
    match kind:
        case Type.MONEY:
            return Decimal(stored)
        case Type.DATE:
            return date.fromisoformat(stored)
        case Type.TIME:
            return datetime.fromisoformat(stored)
        case Type.NUMBER:
            return float(stored)
    return stored
