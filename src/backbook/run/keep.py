"""Which old versions may go, and which never do.

Kept are the current version, the last ten, the version of the latest run of every business date, and every state
of the decision table: a decision keeps the values it read, its bundle and its run record for as long as the lake.
"""

from __future__ import annotations

from backbook.run.records import records
from backbook.workspace import Workspace

KEEP_HEADS = 10


def prune(workspace: Workspace, *, dry_run: bool = False) -> list[str]:
    """Remove what no kept version names; says what went and how much room it gave back."""
    runs = records(workspace)
    live = {record.as_of: record.head for record in runs if "decide" in record.stages}
    parts = [("decision", record.as_of) for record in runs]
    removed = workspace.lake.prune(keep_heads=KEEP_HEADS, heads=sorted(live.values()), parts=parts, dry_run=dry_run)
    room = sum(each.bytes for each in removed) / 1e6
    verb = "would be removed" if dry_run else "removed"
    kept = f"kept: the last {KEEP_HEADS} versions, {len(live)} live runs and every decision"
    return [f"{len(removed)} files ({room:.1f} MB) {verb}; {kept}."]
