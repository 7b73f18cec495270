"""What a person decides about the versions of a score: which one scores, and which no longer does. Each act is one ruling.

Nothing changes at once: a ruling binds the runs of its day and of every later one, and a run for an earlier date goes
on using who was champion then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backbook.errors import NotAllowed
from backbook.run.scores.here import Here
from backbook.score import registry
from backbook.score.registry import CANDIDATE, CHAMPION, PROMOTE, RETIRE, RETIRED, Standing
from backbook.sources import rulings
from backbook.sources.rulings import Ruling
from backbook.workspace import Workspace


@dataclass(frozen=True)
class Approval:
    """A ruling about a version that was made (or, in a dry run, would be), what it will do, and what to know about it."""

    ruling: Ruling | None
    will: str
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        made = {**self.ruling.__dict__, "at": self.ruling.at.isoformat(sep=" ")} if self.ruling else None
        return {"ruling": made, "will": self.will, "note": self.note}


def promote(
    workspace: Workspace, version: str, *, actor: str, reason: str, at: datetime | None = None, dry_run: bool = False
) -> Approval:
    """The version scores from then on; the champion before it is retired.

    Raises NotAllowed without an approver or a reason, for an unknown version, for the champion itself, for a version
    of another definition than the workspace has, and for a day on which the version was not there.
    """
    here = Here(workspace)
    meant = _meant(here, version)
    score = here.score_of(meant)
    if score is None or meant.definition != score.hash:
        raise NotAllowed(
            f"{meant.version} was made from another definition ({meant.definition[:12]}) than the workspace has now"
            f" ({score.hash[:12] if score else 'none'}). Bring that definition back, or train the score anew."
        )
    before = registry.champion(here.of_score(meant))
    if before is meant:
        raise NotAllowed(f"{meant.version} is the champion already, since {meant.since}.{_candidates(here, meant)}")
    instead = f" in place of {before.version}" if before else ""
    return _ruled(here, PROMOTE, meant, f"{meant.version} scores{instead}", actor, reason, at, dry_run)


def retire(
    workspace: Workspace,
    version: str,
    *,
    actor: str,
    reason: str,
    none_follows: bool = False,
    at: datetime | None = None,
    dry_run: bool = False,
) -> Approval:
    """The version no longer scores, nor waits.

    Raises NotAllowed without an approver or a reason, for an unknown version and one that is retired already. The
    champion is retired only where it is said that none follows it: then the score has no version, its columns are null.
    """
    here = Here(workspace)
    meant = _meant(here, version)
    if meant.status == RETIRED:
        by = f", by {meant.approved_by}" if meant.approved_by else ": the workspace has another definition"
        raise NotAllowed(f"{meant.version} is retired already, since {meant.since}{by}.")
    if meant.status == CHAMPION and not none_follows:
        raise NotAllowed(
            f"{meant.version} is the champion. Retired, its score would have none: its columns would be null, and what "
            f"reads them not known. Promote what follows instead, which retires it too, or say --none-follows."
            f"{_candidates(here, meant)}"
        )
    left = "; its score has no champion then, and its columns are null" if meant.status == CHAMPION else ""
    return _ruled(here, RETIRE, meant, f"{meant.version} is retired{left}", actor, reason, at, dry_run)


def _meant(here: Here, name: str) -> Standing:
    """The version of that id; a score's name alone does not say which."""
    found = here.standing(name)
    if found.version != name:
        versions = ", ".join(f"{each.version} ({each.status})" for each in here.of_score(found))
        raise NotAllowed(f"'{name}' is a score. Name one of its versions: {versions}.")
    return found


def _candidates(here: Here, meant: Standing) -> str:
    waiting = [each.version for each in here.of_score(meant) if each.status == CANDIDATE]
    return f" Candidates: {', '.join(waiting)}." if waiting else " There is no candidate; `backbook train` makes one."


def _ruled(
    here: Here, kind: str, meant: Standing, will: str, actor: str, reason: str, at: datetime | None, dry_run: bool
) -> Approval:
    day = (at or datetime.now(here.workspace.settings.zone)).date()
    if at is not None and day < meant.registered_on:
        raise NotAllowed(f"{meant.version} was not there on {day}: it was registered on {meant.registered_on}.")
    last = here.last_day
    note = (
        f"The last run was for {last}, before the ruling's day; `--at {last}` would count from then."
        if day > last
        else f"Runs of {day} and later use it; walk again those that were walked already."
    )
    if dry_run:
        return Approval(None, will, note)
    made = rulings.rule(here.workspace, kind, meant.version, actor=actor, reason=reason, at=at)
    return Approval(made, will, note)
