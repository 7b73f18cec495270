"""One stored decision, decided again from the values it read, under the bundle that was in force."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backbook.errors import NotAllowed
from backbook.strategy import replay as strategy_replay
from backbook.strategy.reading import from_canonical
from backbook.workspace import Workspace


@dataclass(frozen=True)
class Replayed:
    """What was decided then and what comes out now; `same` when they agree in everything that was decided."""

    decision_id: str
    as_of: str
    account_id: str
    strategy: str
    bundle: str
    read: Mapping[str, Any]
    then: Mapping[str, Any]
    now: Mapping[str, Any]
    same: bool

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


def replay(workspace: Workspace, decision_id: str) -> Replayed:
    """Raises NotAllowed when the lake holds no such decision, or no longer its bundle."""
    lake, engine = workspace.lake, workspace.engine
    head = lake.head()
    files = head.files("decision")
    rows = []
    if files:
        decisions = engine.parquet(files)
        rows = engine.rows(decisions.filter(decisions.decision_id == decision_id))
    if not rows:
        raise NotAllowed(f"The lake holds no decision '{decision_id}'. Ids stand in the lists' last columns.")
    row = rows[0]
    data = head.document("bundle", row["bundle"])
    if data is None:
        raise NotAllowed(f"The bundle {row['bundle'][:12]} of this decision is not in the lake.")
    strategy = from_canonical(json.loads(data)["strategy"][row["strategy"]])
    found = strategy_replay.replay(strategy, row)
    return Replayed(
        decision_id,
        str(row["as_of"]),
        row["account_id"],
        row["strategy"],
        row["bundle"],
        json.loads(row["read"]),
        found.then,
        found.now,
        found.same,
    )
