"""Scores given: one row per unit, by the steps of a version and nothing else, or by its trees and the steps after them.

Units outside the score's population get no points, no amount and no grade: the score was never asked about them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ibis

from backbook.engine import Engine
from backbook.errors import BadData
from backbook.expressions import Expression, Name, Names, Type, parse
from backbook.score.apply_trees import INSIDE, asked, one_row, schema
from backbook.score.definition import yielded
from backbook.score.formula import BINS
from backbook.score.registry import Version
from backbook.score.trees import LOG_ODDS

REASONS = 4
LOST = "_lost"
# The first rule that hits a unit is its first reason.
STANDS_IN = {"rule": "reason_1"}
# What every score table has besides the key, whatever the method: null where the method has no such thing.
COLUMNS = {
    "score": "string",
    "version": "string",
    "points": "int64",
    "probability": "float64",
    "amount": "decimal(18, 2)",
    "grade": "string",
    **{f"reason_{place}": "string" for place in range(1, REASONS + 1)},
}


def apply(version: Version, profile: Any, engine: Engine, *, reasons: bool = True) -> Any:
    """A row per unit of the profile: its key, and the columns of `COLUMNS`.

    Reasons are codes such as `feature:bin` (see `Version.reason`), what moved most towards the event first, or the codes of
    the rules that hit, in their order; fewer than four are null, and all where no `reasons` are wanted (the rules that hit
    are always told). Steps stay an expression; trees are asked at once, in batches.
    Raises BadData when the profile lacks a column that the version reads.
    """
    lacking = sorted({name.name for name in version.columns} - set(profile.columns))
    if lacking:
        raise BadData(
            f"{version.id} reads {', '.join(lacking)}, which the profile does not have. "
            "Bring the definition back, or train the score again without it."
        )
    scored = profile.select(version.key, *sorted({name.name for name in version.columns} - {version.key}))
    if version.has_trees:
        scored = _asked(version, scored, engine, reasons)
    texts = version.content.get("reason_keys", ()) if reasons else ()
    keys = [parse(text, version.names, expect=Type.WHOLE) for text in texts]
    for column, expression in compiled(version).items():
        scored = scored.mutate(**{column: expression.ibis(scored)})
    if keys:
        scored = scored.mutate(**{LOST: ibis.array([key.ibis(scored) for key in keys]).sort()})
    given: dict[str, Any] = {column: scored[column] for column in COLUMNS if column in scored.columns}
    given |= {"score": ibis.literal(version.score), "version": ibis.literal(version.id)}
    given |= _reasons(version, scored, len(keys))
    return scored.select(
        version.key,
        **{
            column: given[column].cast(type) if column in given else ibis.null(type) for column, type in COLUMNS.items()
        },
    )


def _asked(version: Version, profile: Any, engine: Engine, reasons: bool) -> Any:
    """The log odds and the reasons by the version's trees: a table of its own, one row per unit."""
    inside = _population(version)
    wide = profile.mutate(**{INSIDE: ibis.literal(True) if inside is None else inside.ibis(profile)})
    return engine.batches(wide, asked(version, threads=engine.threads, reasons=reasons), schema(version))


def _population(version: Version) -> Expression | None:
    return None if version.population is None else parse(version.population, version.names, expect=Type.YESNO)


def compiled(version: Version) -> dict[str, Expression]:
    """The version's expressions in the order in which they read one another; outside its population all are null."""
    # Trees have asked for the population already: outside of it there are no log odds to read.
    names = Names("score", [Name(LOG_ODDS, Type.NUMBER)]) if version.has_trees else version.names
    found: dict[str, Expression] = {}
    for column, type, text in version.steps:
        expression = parse(text, names, expect=type)
        if version.population is not None and not version.has_trees and not expression.reads & found.keys():
            expression = parse(f"case when {version.population} then {text} else null end", names, expect=type)
        found[column] = expression
        names = names.with_names([Name(column, type)])
    return found


def columns(version: Version, given: Any) -> Any:
    """What the score adds to a profile: its key and `behaviour_points`, `behaviour_probability`, `behaviour_grade`."""
    content = version.content
    added = yielded(version.score, content["zh"], content["en"], version.method, ())
    source = {name.name: name.name.removeprefix(f"{version.score}_") for name in added}
    return given.select(version.key, **{name: given[STANDS_IN.get(column, column)] for name, column in source.items()})


def _reasons(version: Version, scored: Any, count: int) -> dict[str, Any]:
    """The reasons of every row: the highest of its `count` sorted keys, decoded."""
    if not count:
        return {}
    codes = ibis.array([ibis.literal(each["code"]) for each in version.content["reasons"]])
    found = {}
    for place in range(1, min(REASONS, count) + 1):
        key = scored[LOST][count - place]
        known = scored.probability.notnull() & (key > 0)
        found[f"reason_{place}"] = known.ifelse(codes[BINS - 1 - key % BINS], ibis.null("string"))
    return found


def for_one(version: Version) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """The same for one unit at hand: a function from its profile row to the columns of `COLUMNS`."""
    steps = {column: expression.python() for column, expression in compiled(version).items()}
    keys = [parse(text, version.names, expect=Type.WHOLE).python() for text in version.content.get("reason_keys", ())]
    codes = [each["code"] for each in version.content.get("reasons", ())]
    ask = _asked_of_one(version) if version.has_trees else None

    def score(row: Mapping[str, Any]) -> dict[str, Any]:
        told = {} if ask is None else ask(row)
        values = dict(row) if ask is None else dict(told)
        for column, step in steps.items():
            values[column] = step(values)
        given = dict.fromkeys(COLUMNS) | {"score": version.score, "version": version.id}
        given |= {column: values[column] for column in (*steps, *told) if column in COLUMNS}
        lost = sorted((key(row) for key in keys), reverse=True)[:REASONS] if given["probability"] is not None else []
        for place, key in enumerate(lost, 1):
            given[f"reason_{place}"] = codes[BINS - 1 - key % BINS] if key > 0 else None
        return given

    return score


def _asked_of_one(version: Version) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """The log odds and the reasons of one row, by the same function as for a batch."""
    inside, ask = _population(version), asked(version)
    holds = None if inside is None else inside.python()

    def told(row: Mapping[str, Any]) -> dict[str, Any]:
        within = True if holds is None else holds(row)
        found: dict[str, Any] = ask(one_row(version, row, within)).to_pylist()[0]
        return {name: value for name, value in found.items() if name != version.key}

    return told
