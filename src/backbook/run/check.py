"""All that is wrong with a workspace's definitions, and what one should know of the rest.

Nothing is run but the reading of the files that the definitions name: a mapping's columns are compared with the
columns that its inputs really have.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backbook.errors import Fault
from backbook.run.freeze import Frozen, read
from backbook.run.lineage import graph
from backbook.sources import attributes
from backbook.sources.check import check_inputs
from backbook.workspace import Workspace


@dataclass(frozen=True)
class CheckReport:
    """`faults` must be mended; the rest is good to know."""

    faults: tuple[Fault, ...]
    replaced: tuple[tuple[str, str, str], ...]
    unmapped: tuple[str, ...]
    unread: tuple[str, ...]
    counts: dict[str, int]
    written: Path | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "faults": [vars(fault) for fault in self.faults],
            "replaced": [dict(zip(("what", "pack", "by"), each, strict=True)) for each in self.replaced],
            "not_mapped": list(self.unmapped),
            "read_by_nothing": list(self.unread),
            "counts": self.counts,
            "written": str(self.written) if self.written else None,
        }


def check(workspace: Workspace, *, write: bool = False) -> CheckReport:
    """Read everything; with `write`, first draft `sources/attributes.yaml` from the wide tables' columns."""
    written = attributes.draft_attributes(workspace) if write else None
    frozen, faults = read(workspace)
    faults = sorted({*faults, *check_inputs(workspace, frozen.inputs, frozen.mappings)})
    return CheckReport(
        tuple(faults),
        tuple(
            (f"{pack.kind} {pack.id}", pack.file, f"{own.file}:{own.line()}") for pack, own in workspace.replacements()
        ),
        _unmapped(frozen),
        _unread(frozen),
        _counts(frozen),
        written,
    )


def _unmapped(frozen: Frozen) -> tuple[str, ...]:
    """Contract tables that features read and no mapping delivers: what needs them will be listed by the run."""
    mapped = {mapping.table.name for mapping in frozen.mappings}
    tables = [feature.table for feature in frozen.features if feature.table and not feature.is_over_ties]
    needed = Counter(table for table in tables if table not in mapped)
    return tuple(f"`{table}`: {number} features need it" for table, number in sorted(needed.items()))


def _unread(frozen: Frozen) -> tuple[str, ...]:
    """Features that no other definition reads."""
    nodes, edges = graph(frozen)
    read_keys = {key for reads in edges.values() for key in reads}
    return tuple(node.id for key, node in sorted(nodes.items()) if node.kind == "feature" and key not in read_keys)


def _counts(frozen: Frozen) -> dict[str, int]:
    return {
        kind: len(entries)
        for kind, entries in (
            ("inputs", frozen.inputs),
            ("mappings", frozen.mappings),
            ("attributes", frozen.attributes),
            ("features", frozen.features),
            ("outcomes", frozen.outcomes),
            ("tags", frozen.tags),
            ("segments", frozen.segments),
            ("scores", frozen.scores),
            ("strategies", frozen.strategies),
        )
    }
