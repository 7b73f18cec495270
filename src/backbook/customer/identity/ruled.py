"""What people ruled about who is who: merge, keep apart, unmerge, and each of them taken back.

    merge       core:1 + app:7              these records are one person
    keep_apart  core:1 + app:7              these records are two people
    unmerge     core:1 + core:2 | app:7     the first were taken out of the person that they were with the second
    merge       ruling:R1                   the keep_apart or unmerge R1 no longer binds
    unmerge     ruling:R1                   the merge R1 no longer binds

The newest ruling about two records holds, in every run from its day on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import pyarrow as pa

from backbook.customer.identity.grouping import APART, MERGE, Ruled
from backbook.customer.reader import Reader
from backbook.sources.rulings import sides

KINDS = ("merge", "unmerge", "keep_apart")
RULING = "ruling:"


@dataclass(frozen=True)
class Rulings:
    """Those that bind, the newest first, by the rank of their records; and those that cannot be followed, in words."""

    standing: Sequence[Ruled]
    faults: Sequence[str]


def rulings(reader: Reader, as_of: date, people: pa.Table) -> Rulings:
    """The rulings of identity until `as_of`; `people` has system and party_id in the order of their rank."""
    rows = reader.rows("ruling", as_of)
    if rows is None:
        return Rulings((), ())
    told = reader.engine.rows(rows.filter(rows.kind.isin(KINDS)).order_by("at", "ruling_id"))
    if not told:
        return Rulings((), ())
    names = zip(people["system"].to_pylist(), people["party_id"].to_pylist(), strict=True)
    return followed(told, {f"{system}:{party}": rank for rank, (system, party) in enumerate(names)})


def followed(told: Sequence[Mapping[str, Any]], ranks: Mapping[str, int]) -> Rulings:
    """`told` oldest first: ruling_id, kind, subject."""
    void: dict[str, str] = {}
    by_id = {row["ruling_id"]: row for row in told}
    faults: list[str] = []
    # The newest first, so that what takes a ruling back may itself have been taken back.
    for row in reversed(told):
        aim = row["subject"].removeprefix(RULING)
        if not row["subject"].startswith(RULING) or row["ruling_id"] in void:
            continue
        if aim not in by_id:
            faults.append(f"{row['ruling_id']} takes back {aim}, which nobody ruled.")
        else:
            void[aim] = row["ruling_id"]
    standing: list[Ruled] = []
    for row in reversed(told):
        if row["ruling_id"] in void or row["subject"].startswith(RULING):
            continue
        standing += _pairs(row, ranks, faults)
    return Rulings(tuple(standing), tuple(faults))


def _pairs(row: Mapping[str, Any], ranks: Mapping[str, int], faults: list[str]) -> list[Ruled]:
    parts = sides(row["subject"])
    unknown = [name for part in parts for name in part if name not in ranks]
    if unknown:
        faults.append(f"{row['ruling_id']} speaks of {', '.join(unknown[:3])}, which no system delivers.")
    known = [[ranks[name] for name in part if name in ranks] for part in parts]
    if row["kind"] == "unmerge":
        if len(known) != 2:
            faults.append(f"{row['ruling_id']} does not say from whom it takes whom: write RECORD | RECORD.")
            return []
        pairs = [(a, b) for a in known[0] for b in known[1]]
    else:
        first = [rank for part in known for rank in part]
        if len(set(first)) < 2 and not unknown:
            faults.append(f"{row['ruling_id']} names one record only.")
        pairs = [(a, b) for place, a in enumerate(first) for b in first[place + 1 :]]
        if row["kind"] == "merge":
            pairs = list(pairwise(first))
    kind = MERGE if row["kind"] == "merge" else APART
    return [Ruled(kind, a, b, row["ruling_id"]) for a, b in pairs if a != b]
