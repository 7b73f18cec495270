"""Partitions of the book: each account, or customer, is in exactly one level, and the first match counts.

Unknown is not false: where a condition before the first match is not known the unit goes to the level that the
definition names under `unknown`, unless the level says `when_unknown: skip`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from backbook.customer.definition import ACCOUNT
from backbook.customer.order import Link
from backbook.customer.profile import Profile
from backbook.customer.tags import condition, form_faults, owned
from backbook.definitions import Item
from backbook.errors import Fault
from backbook.expressions import Branch, Level, Name, Names, Type, first_match

KEYS = {"id", "zh", "en", "meaning", "owner", "grain", "levels", "otherwise", "unknown"}
LEVEL_KEYS = {"code", "zh", "en", "when", "when_unknown"}
# What a level does when its own condition is not known: send the unit to `unknown`, or try the next level.
UNKNOWN = {"refer": "refer", "skip": "skip"}


@dataclass(frozen=True)
class Segment:
    """One text column of a profile with a closed list of levels."""

    id: str
    zh: str
    en: str
    grain: str
    owner: str
    levels: tuple[Level, ...]
    branches: tuple[Branch, ...]
    otherwise: str
    unknown: str
    meaning: tuple[str, str] = ("", "")
    kind: str = "segment"

    @property
    def reads(self) -> frozenset[str]:
        return frozenset().union(*(branch.condition.reads for branch in self.branches))

    @property
    def name(self) -> Name:
        return Name(self.id, Type.TEXT, self.zh, self.en, self.levels)

    @property
    def link(self) -> Link:
        return Link("segment", self.id, frozenset({f"{self.grain}.{self.id}"}), owned(self.reads, self.grain))

    def canonical(self) -> dict[str, Any]:
        by_code = {branch.id: branch for branch in self.branches}
        return {
            "id": self.id, "zh": self.zh, "en": self.en, "grain": self.grain, "owner": self.owner,
            "meaning": {"zh": self.meaning[0], "en": self.meaning[1]},
            "levels": [_level(level, by_code.get(level.code)) for level in self.levels],
            "otherwise": self.otherwise, "unknown": self.unknown,
        }  # fmt: skip


def _level(level: Level, branch: Branch | None) -> dict[str, Any]:
    written: dict[str, Any] = {"code": level.code, "zh": level.zh, "en": level.en}
    if branch is not None:
        written["when"] = branch.condition.text
        if branch.when_unknown != "refer":
            written["when_unknown"] = branch.when_unknown
    return written


def segment_names(items: Sequence[Item], grain: str) -> list[Name]:
    """The columns that the items will give, before any of their conditions is read."""
    return [
        Name(item.id, Type.TEXT, str(item.data.get("zh", "")), str(item.data.get("en", "")), tuple(_levels(item)))
        for item in items
        if item.data.get("grain", ACCOUNT) == grain
    ]


def _levels(item: Item) -> list[Level]:
    written = item.data.get("levels")
    entries = written if isinstance(written, list) else []
    return [
        Level(str(entry["code"]), str(entry.get("zh", "")), str(entry.get("en", "")))
        for entry in entries
        if isinstance(entry, dict) and "code" in entry
    ]


def read_segments(items: Sequence[Item], account: Names, customer: Names) -> tuple[list[Segment], list[Fault]]:
    """The segments that the items define, over the names of the two profiles, and all that is wrong with them."""
    segments, faults = [], []
    for item in items:
        wrong = form_faults(item, KEYS) + _level_faults(item)
        names = account if item.data.get("grain", ACCOUNT) == ACCOUNT else customer
        branches = []
        for place, entry in enumerate(item.data["levels"] if not wrong else ()):
            if "when" in entry:
                read, unread = condition(item, f"levels.{place}.when", names, entry["when"])
                wrong += unread
                if read is not None:
                    branches.append(Branch(str(entry["code"]), read, when_unknown=entry.get("when_unknown", "refer")))
        faults += wrong
        if not wrong:
            segments.append(_segment(item, tuple(branches)))
    return segments, faults


def _segment(item: Item, branches: tuple[Branch, ...]) -> Segment:
    data = item.data
    return Segment(
        item.id, data["zh"], data["en"], data.get("grain", ACCOUNT), data["owner"], tuple(_levels(item)), branches,
        str(data["otherwise"]), str(data["unknown"]), (data["meaning"]["zh"], data["meaning"]["en"]),
    )  # fmt: skip


def _level_faults(item: Item) -> list[Fault]:
    entries = item.data.get("levels")
    if not isinstance(entries, list) or not entries:
        return [item.fault("levels", "has no levels.", "Write levels: [{code: …, zh: …, en: …, when: …}].")]
    faults, codes = [], [level.code for level in _levels(item)]
    for place, entry in enumerate(entries):
        path = f"levels.{place}"
        if not isinstance(entry, dict) or not {"code", "zh", "en"} <= set(entry) or not set(entry) <= LEVEL_KEYS:
            faults.append(item.fault(path, f"level {place + 1} is not complete.", "Write code, zh, en and when."))
        elif entry.get("when_unknown", "refer") not in UNKNOWN:
            faults.append(
                item.fault(path, f"when_unknown is {entry['when_unknown']!r}.", f"Possible: {', '.join(UNKNOWN)}.")
            )
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        faults.append(item.fault("levels", f"the level '{code}' stands twice.", "Give one of them another code."))
    for key in ("otherwise", "unknown"):
        if str(item.data.get(key)) not in codes:
            found = f"has no '{key}'." if key not in item.data else f"'{item.data[key]}' is not one of its levels."
            faults.append(item.fault(key, found, f"Write {key}: and one of {', '.join(codes)}."))
    return faults


def apply(segments: Sequence[Segment], profile: Profile) -> Profile:
    """The profile with a text column per segment, in the order given (see `order`)."""
    for segment in segments:
        rows = profile.rows(segment.grain, segment.reads)
        profile = profile.with_columns(segment.grain, {segment.id: _value(segment, rows)}, rows)
    return profile


def _value(segment: Segment, rows: Any) -> Any:
    """The first level that holds; `unknown` where the way to it is not known; else `otherwise`."""
    place, unknown = first_match(list(segment.branches)).ibis(rows)
    found = ibis.cases(
        *((place == at, ibis.literal(branch.id)) for at, branch in enumerate(segment.branches)),
        else_=ibis.literal(segment.otherwise),
    )
    return unknown.notnull().ifelse(ibis.literal(segment.unknown), found)
