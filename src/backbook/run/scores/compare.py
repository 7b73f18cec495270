"""Two versions side by side: as each was judged when it was made, and on the same rows, with who changes places.

The rows are of the latest past day whose outcomes are over. Where they taught a version, it is said: such figures
flatter it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from backbook.errors import NotAllowed
from backbook.run.scores.figures import side_by_side
from backbook.run.scores.here import Here
from backbook.run.scores.seen import seen
from backbook.score import registry
from backbook.score.registry import CANDIDATE, Unavailable, Version
from backbook.workspace import Workspace


@dataclass(frozen=True)
class Compared:
    """`same` holds the figures of both on the rows of `day`, or `needs` says why there are none."""

    first: Version
    second: Version
    day: date | None = None
    later: bool = False
    same: dict[str, Any] | None = None
    needs: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "first": self.first.summary(),
            "second": self.second.summary(),
            "day": self.day and self.day.isoformat(),
            "later_than_both": self.later,
            "same_rows": self.same,
            "needs": self.needs,
        }


def compare(workspace: Workspace, first: str, second: str | None = None) -> Compared:
    """Two versions of one score; of a score named alone, its champion and its newest candidate.

    Raises NotAllowed for what is not there, and for versions that do not answer the same question.
    """
    here = Here(workspace)
    one = here.standing(first)
    if second is None:
        one, other = _champion_and_candidate(here, first)
    else:
        other = here.standing(second)
    if other.version == one.version:
        raise NotAllowed(f"{one.version} cannot be compared with itself. Name another version.")
    a, b = (registry.version(here.head, each.version) for each in (one, other))
    score = here.score_of(one)
    if score is None:
        raise NotAllowed(f"The workspace no longer defines '{a.score}', so its rows cannot be built again.")
    if score.target is None or a.key != b.key or b.content["grain"] != score.grain:
        raise NotAllowed(f"{a.id} and {b.id} do not answer the same question about the same units.")
    with here.engine.scope():
        rows = seen(here, score, [a, b])
        if isinstance(rows, Unavailable):
            return Compared(a, b, needs=str(rows))
        return Compared(a, b, rows.day, rows.later, side_by_side(rows, a, b))


def _champion_and_candidate(here: Here, name: str) -> Any:
    versions = here.of_score(here.standing(name))
    champion, waiting = registry.champion(versions), [each for each in versions if each.status == CANDIDATE]
    if champion is None or not waiting:
        lacking = "champion" if champion is None else "candidate"
        raise NotAllowed(
            f"'{name}' has no {lacking}. Name two versions: {', '.join(each.version for each in versions)}."
        )
    return champion, waiting[-1]
