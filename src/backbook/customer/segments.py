"""Partitions of the book: each account, or customer, is in exactly one level, and the first match counts.

Unknown is not false: where a condition before the first match is not known the unit goes to the level that the
definition names under `unknown`, unless the level says `when_unknown: skip`. A segment may also rank the book
(`quantiles:`, see `ranked`) or be found by an algorithm (`clusters:`, see `clusters`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis

from backbook.customer import clusters, ranked
from backbook.customer.clusters import Clusters
from backbook.customer.definition import ACCOUNT
from backbook.customer.order import Link
from backbook.customer.privacy import deleted
from backbook.customer.profile import Profile
from backbook.customer.ranked import Ranked
from backbook.customer.tags import AIMS, condition, form_faults, owned
from backbook.definitions import Item
from backbook.errors import Fault
from backbook.expressions import Branch, Expression, Level, Name, Names, Type, first_match

COMMON = {"id", "zh", "en", "meaning", "owner", "grain", "aim", "personal", "levels", "unknown"}
KEYS = COMMON | {"otherwise"}
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
    aim: str = "all"
    # Told of a person's traits, and so not known once the person asked that they be deleted.
    personal: bool = False

    @property
    def reads(self) -> frozenset[str]:
        return frozenset().union(*(branch.condition.reads for branch in self.branches))

    @property
    def needed(self) -> list[Expression]:
        """What must be known to place anybody: each level that does not step over the unknown."""
        return [branch.condition for branch in self.branches if branch.when_unknown == "refer"]

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
            "otherwise": self.otherwise, "unknown": self.unknown, "aim": self.aim, "personal": self.personal,
        }  # fmt: skip


Partition = Segment | Ranked | Clusters


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
        Name(item.id, Type.TEXT, str(item.data.get("zh", "")), str(item.data.get("en", "")), tuple(levels_of(item)))
        for item in items
        if item.data.get("grain", ACCOUNT) == grain
    ]


def levels_of(item: Item) -> list[Level]:
    """The levels as written; those of clusters are counted."""
    if "clusters" in item.data:
        return clusters.levels(item)
    return _levels(item)


def _levels(item: Item) -> list[Level]:
    written = item.data.get("levels")
    entries = written if isinstance(written, list) else []
    return [
        Level(str(entry["code"]), str(entry.get("zh", "")), str(entry.get("en", "")))
        for entry in entries
        if isinstance(entry, dict) and "code" in entry
    ]


def read_segments(items: Sequence[Item], account: Names, customer: Names) -> tuple[list[Partition], list[Fault]]:
    """The segments that the items define, over the names of the two profiles, and all that is wrong with them."""
    segments: list[Partition] = []
    faults: list[Fault] = []
    for item in items:
        names = account if item.data.get("grain", ACCOUNT) == ACCOUNT else customer
        if "clusters" in item.data or "quantiles" in item.data:
            found, wrong = _clusters(item, names) if "clusters" in item.data else _ranked(item, names)
            faults += wrong
            segments += [found] if found is not None and not wrong else []
            continue
        wrong = form_faults(item, KEYS) + _level_faults(item) + _use_faults(item)
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
        aim=data.get("aim", "all"), personal=data.get("personal", False),
    )  # fmt: skip


def _ranked(item: Item, names: Names) -> tuple[Ranked | None, list[Fault]]:
    wrong = form_faults(item, COMMON | {"quantiles"}) + ranked.form_faults(item) + _use_faults(item)
    wrong += _level_faults(item, ("unknown",))
    if wrong:
        return None, wrong
    data, asked = item.data, item.data["quantiles"]
    of, wrong = condition(item, "quantiles.of", names, asked["of"], type=Type.NUMBER)
    where, within = None, []
    if "where" in asked:
        where, unread = condition(item, "quantiles.where", names, asked["where"])
        wrong += unread
    for place, column in enumerate(asked.get("within", [])):
        known = names.resolve(str(column))
        if known is None:
            close = names.nearest(str(column))
            possible = f"Did you mean '{close}'?" if close else ""
            wrong.append(item.fault(f"quantiles.within.{place}", f"no column is called {column!r}.", possible))
        else:
            within.append(known.name)
    if of is None or wrong:
        return None, wrong
    reads = of.reads | frozenset(within) | (where.reads if where is not None else frozenset())
    grain = data.get("grain", ACCOUNT)
    return Ranked(
        item.id, data["zh"], data["en"], grain, data["owner"], data.get("aim", "all"), tuple(_levels(item)), of,
        tuple(within), where, str(data["unknown"]), (data["meaning"]["zh"], data["meaning"]["en"]),
        data.get("personal", True), Link("segment", item.id, frozenset({f"{grain}.{item.id}"}), owned(reads, grain)),
    ), []  # fmt: skip


def _clusters(item: Item, names: Names) -> tuple[Clusters | None, list[Fault]]:
    wrong = form_faults(item, COMMON - {"levels", "unknown"} | {"clusters"}) + _use_faults(item)
    found, more = clusters.read(item, names)
    if wrong or more or found is None:
        return None, wrong + more
    reads = frozenset(found.of)
    link = Link("cluster", item.id, frozenset({f"{found.grain}.{item.id}"}), owned(reads, found.grain))
    return replace(found, link=link), []


def _use_faults(item: Item) -> list[Fault]:
    data, faults = item.data, []
    if data.get("aim", "all") not in AIMS:
        faults.append(item.fault("aim", f"the aim is {data['aim']!r}.", f"Possible: {', '.join(AIMS)}."))
    if not isinstance(data.get("personal", False), bool):
        faults.append(item.fault("personal", f"personal is {data['personal']!r}.", "Write true or false."))
    return faults


def _level_faults(item: Item, named: Sequence[str] = ("otherwise", "unknown")) -> list[Fault]:
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
    faults += _gap(item, codes) if "otherwise" in named else []
    for key in named:
        if str(item.data.get(key)) not in codes:
            found = f"has no '{key}'." if key not in item.data else f"'{item.data[key]}' is not one of its levels."
            faults.append(item.fault(key, found, f"Write {key}: and one of {', '.join(codes)}."))
    return faults


def _gap(item: Item, codes: Sequence[str]) -> list[Fault]:
    """Levels that nothing leads to: a partition is complete and has no empty names in it."""
    reached = {str(entry["code"]) for entry in item.data["levels"] if isinstance(entry, dict) and "when" in entry}
    reached |= {str(item.data.get("otherwise")), str(item.data.get("unknown"))}
    return [
        item.fault("levels", f"nothing leads to the level '{code}'.", "Give it a 'when', or make it the 'otherwise'.")
        for code in codes
        if code not in reached
    ]


def apply(segments: Sequence[Segment | Ranked], profile: Profile) -> Profile:
    """The profile with a text column per segment, in the order given (see `order`)."""
    for segment in segments:
        rows = profile.rows(segment.grain, segment.reads)
        profile = profile.with_columns(segment.grain, {segment.id: value(segment, rows)}, rows)
    return profile


def value(segment: Segment | Ranked, rows: Any) -> Any:
    """The first level that holds; `unknown` where the way to it is not known; else `otherwise`."""
    if isinstance(segment, Ranked):
        return ranked.value(segment, rows)
    place, unknown = first_match(list(segment.branches)).ibis(rows)
    found = ibis.cases(
        *((place == at, ibis.literal(branch.id)) for at, branch in enumerate(segment.branches)),
        else_=ibis.literal(segment.otherwise),
    )
    lost = unknown.notnull() | deleted(rows) if segment.personal else unknown.notnull()
    return lost.ifelse(ibis.literal(segment.unknown), found)
