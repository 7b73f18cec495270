"""What people have ruled about the versions of scores, and what each version is on a day.

Rulings count as loaded from the bank's deliveries and, from the moment they are made, as written in the workspace.
"""

from __future__ import annotations

from datetime import date, datetime, time

from backbook.engine import Engine
from backbook.lake import Head
from backbook.score.definition import Score
from backbook.score.registry import PROMOTE, RETIRE, Standing, registered, standings
from backbook.sources import rulings
from backbook.sources.known import known
from backbook.sources.rulings import Ruling
from backbook.workspace import Workspace


def ruled(workspace: Workspace, engine: Engine, head: Head, as_of: date) -> list[Ruling]:
    """The rulings about versions until a day, each once."""
    rows = known(engine, head, "ruling", as_of)
    loaded = [] if rows is None else engine.rows(rows.filter(rows.kind.isin([PROMOTE, RETIRE])))
    found = {row["ruling_id"]: Ruling(**{name: row[name] for name in rulings.FIELDS}) for row in loaded}
    end = datetime.combine(as_of, time.max)
    here = [each for each in rulings.written(workspace) if each.kind in (PROMOTE, RETIRE) and each.at <= end]
    return list((found | {each.ruling_id: each for each in here}).values())


def standing(workspace: Workspace, head: Head, score: Score, as_of: date) -> list[Standing]:
    """What each version of a score is on a day, under the definition that the workspace has now."""
    engine = workspace.engine
    rows = registered(engine, head, score.id)
    return standings(rows, ruled(workspace, engine, head, as_of), score.hash, as_of) if rows else []
