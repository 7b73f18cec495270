"""Who moved between two runs, and why: the definition, a score, or the data.

The causes are tried in that order, on the values that the first decision read. If they lead to the new action
under the new definition, the definition moved it. If they do once the scores are the new version's, the score did.
Otherwise the data did.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backbook.engine import Engine
from backbook.lake import Lake
from backbook.run.records import Record, read
from backbook.strategy.definition import Strategy
from backbook.strategy.reading import from_canonical
from backbook.strategy.replay import action_of
from backbook.workspace import Workspace

if TYPE_CHECKING:
    from backbook.run.stages import Way

DEFINITION, SCORE, DATA = "definition", "score", "data"
SHOWN = 20


@dataclass(frozen=True)
class Move:
    """One account whose decision moved; `changed` are the columns whose values differ."""

    strategy: str
    account_id: str
    from_action: str
    to_action: str
    cause: str
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """All that moved between two runs."""

    first: Record
    second: Record
    same: int
    moves: tuple[Move, ...]
    came: int
    went: int
    versions: tuple[tuple[str, str, str], ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "runs": [self.first.run, self.second.run],
            "bundles": [self.first.bundle, self.second.bundle],
            "versions": [dict(zip(("what", "first", "second"), each, strict=True)) for each in self.versions],
            "same": self.same,
            "moved": len(self.moves),
            "came": self.came,
            "went": self.went,
            "moves": grouped(self.moves),
            "examples": [vars(move) | {"changed": list(move.changed)} for move in self.moves[:SHOWN]],
        }


def diff(workspace: Workspace, first: str, second: str) -> Difference:
    """Compare the decisions of two runs; raises NotAllowed when one of them is not there any more."""
    lake, engine = workspace.lake, workspace.engine
    records = read(lake, first), read(lake, second)
    sides = [_side(engine, lake, record) for record in records]
    with engine.scope():
        return _difference(engine, *sides)


@dataclass(frozen=True)
class _Side:
    record: Record
    decisions: Any
    strategies: Mapping[str, Strategy]


def _side(engine: Engine, lake: Lake, record: Record) -> _Side:
    files = lake.head(record.head).files("decision", part=record.as_of)
    bundle = json.loads(lake.document("bundle", record.bundle) or b"{}")
    strategies = {id_: from_canonical(content) for id_, content in bundle.get("strategy", {}).items()}
    return _Side(record, engine.parquet(files) if files else None, strategies)


def _difference(engine: Engine, one: _Side, two: _Side) -> Difference:
    versions = tuple(_versions(one, two))
    if one.decisions is None or two.decisions is None:
        return Difference(one.record, two.record, 0, (), 0, 0, versions)
    before = one.decisions.select(_strategy="strategy", _account="account_id", from_action="action", from_read="read")
    after = two.decisions.select("strategy", "account_id", "arm", to_action="action", to_read="read")
    both = after.inner_join(before, [after.strategy == before._strategy, after.account_id == before._account])
    counted = engine.rows(both.aggregate(same=(both.from_action == both.to_action).sum(), both=both.count()))[0]
    moved = both.filter(both.from_action != both.to_action).order_by(["strategy", "account_id"])
    return Difference(
        one.record,
        two.record,
        int(counted["same"] or 0),
        tuple(_moves(engine.rows(moved), one, two)),
        engine.count(after) - int(counted["both"]),
        engine.count(before) - int(counted["both"]),
        versions,
    )


def _versions(one: _Side, two: _Side) -> Iterator[tuple[str, str, str]]:
    """Definitions and scores whose versions differ between the two."""
    for id_ in sorted({*one.strategies, *two.strategies}):
        first, second = (each.strategies[id_].version if id_ in each.strategies else "" for each in (one, two))
        if first != second:
            yield f"strategy {id_}", first, second
    for id_ in sorted({*one.record.versions, *two.record.versions}):
        first, second = (each.record.versions.get(id_, "") for each in (one, two))
        if first != second:
            yield f"score {id_}", first, second


def _moves(rows: Sequence[Mapping[str, Any]], one: _Side, two: _Side) -> Iterator[Move]:
    for row in rows:
        id_ = str(row["strategy"])
        before, after = json.loads(row["from_read"]), json.loads(row["to_read"])
        changed = tuple(sorted(name for name in after if before.get(name) != after[name]))
        cause = _cause(id_, row, before, after, one, two)
        yield Move(id_, row["account_id"], row["from_action"], row["to_action"], cause, changed)


def _cause(
    id_: str, row: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any], one: _Side, two: _Side
) -> str:
    new, old = two.strategies[id_], one.strategies.get(id_)
    if (old is None or new.version != old.version) and action_of(new, before, row["arm"]) == row["to_action"]:
        return DEFINITION
    scores = [score for score, version in two.record.versions.items() if one.record.versions.get(score) != version]
    scored = {name: value for name, value in after.items() if any(_of_score(name, score) for score in scores)}
    if scored and action_of(new, {**before, **scored}, row["arm"]) == row["to_action"]:
        return SCORE
    return DATA


def _of_score(name: str, score: str) -> bool:
    return name.rpartition(".")[2] in {f"{score}_{part}" for part in ("points", "probability", "amount", "grade")}


def grouped(moves: Sequence[Move]) -> list[dict[str, Any]]:
    """How many moved from which action to which, by cause; the most first."""
    counts = Counter((move.strategy, move.from_action, move.to_action, move.cause) for move in moves)
    keys = ("strategy", "from_action", "to_action", "cause")
    return [
        {**dict(zip(keys, key, strict=True)), "count": count}
        for key, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    ]


def moves(way: Way, last: Record | None) -> list[dict[str, Any]]:
    """Who moved since the last run that decided: the one before for this date, else the last month-end's."""
    earlier = way.last_decided() or last
    if earlier is None:
        return []
    with way.engine.scope():
        one = _side(way.engine, way.workspace.lake, earlier)
        two = _Side(way.record(), way.read("decision", "decide"), {each.id: each for each in way.frozen.strategies})
        return grouped(_difference(way.engine, one, two).moves)
