"""What a catalogue says of each feature, tag, segment, score and lookup: names, meaning, how it is made, who reads it.

An entry is a row of (zh, en) or plain cells; `COLUMNS` says which cells a kind has. Coverage is counted on the profile of
a date, where there is one: for how many units a tag holds, does not hold, and is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from backbook.customer.clusters import Clusters
from backbook.customer.definition import ACCOUNT, BOTH, CUSTOMER, Feature
from backbook.customer.lookup import Lookup
from backbook.customer.ranked import Ranked
from backbook.customer.segments import Partition, Segment
from backbook.customer.tags import DIMENSIONS, REFRESH, Tag
from backbook.customer.template import expand
from backbook.engine import Engine
from backbook.expressions import Expression, Level
from backbook.lake import Head
from backbook.outcome.figures import Text
from backbook.run import freeze
from backbook.run.freeze import Frozen
from backbook.run.lineage import graph
from backbook.run.stages import PROFILES
from backbook.score.definition import TAUGHT, Score
from backbook.sources.contract import TABLES
from backbook.sources.dictionary import type_name
from backbook.workspace import Workspace

RULE, STATISTIC, SCORE = "rule", "statistic", "score"
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "feature": (
        "id", "name", "meaning", "type", "unit", "grain", "rollup", "table", "measure", "of", "filter", "window",
        "expression", "read_by", "owner", "origin", "known", "not_known",
    ),
    "tag": (
        "id", "name", "meaning", "dimension", "grain", "way", "expression", "confidence", "evidence", "aim", "not_for",
        "owner", "refresh", "expires_days", "personal", "reads", "read_by", "held", "not_held", "not_known",
    ),
    "segment": (
        "id", "name", "meaning", "grain", "way", "level", "level_name", "condition", "aim", "owner", "personal", "reads", "read_by",
    ),
    "score": (
        "id", "name", "meaning", "grain", "method", "aim", "population", "target", "expression", "grades", "gives", "owner",
        "reads", "read_by",
    ),
    "lookup": ("id", "name", "tables", "of", "level", "level_name", "codes", "read_by"),
}  # fmt: skip
NUMBERS = ("known", "not_known", "held", "not_held", "expires_days")
Entry = dict[str, Any]


@dataclass(frozen=True)
class Catalogue:
    """`entries` by kind, in the order of `COLUMNS`; a segment and a lookup have an entry per level."""

    name: Text
    bundle: str
    as_of: date | None
    entries: Mapping[str, Sequence[Entry]]

    def as_json(self) -> dict[str, Any]:
        return {
            "bundle": self.bundle,
            "as_of": self.as_of,
            "entries": {kind: list(each) for kind, each in self.entries.items()},
        }


def catalogue(workspace: Workspace, *, as_of: date | None = None) -> Catalogue:
    """The catalogue of a workspace's definitions; coverage from the latest profile, or from that of `as_of`.

    Raises BadDefinition with every fault: what cannot be read is not published.
    """
    frozen, head = freeze.freeze(workspace), workspace.lake.head()
    day = _profile_day(head, as_of)
    counts = _counted(workspace.engine, head, frozen, day) if day else {}
    told = _Told(frozen, _owners(workspace), counts)
    entries: dict[str, list[Entry]] = {
        "feature": [told.feature(each) for each in frozen.features],
        "tag": [told.tag(each) for each in sorted(frozen.tags, key=lambda tag: list(DIMENSIONS).index(tag.dimension))],
        "segment": [entry for each in frozen.segments for entry in told.segment(each)],
        "score": [told.score(each) for each in frozen.scores],
        "lookup": [entry for each in frozen.lookups for entry in told.lookup(each)],
    }
    settings = workspace.settings
    return Catalogue(Text(settings.name_zh, settings.name), frozen.bundle.hash, day, entries)


def way(key: str, frozen: Frozen, edges: Mapping[str, set[str]]) -> str:
    """How a tag or a segment comes about: by a score it reads, by what is measured over a time, or by a plain rule.

    What it reads through other tags and segments counts, too.
    """
    windowed = {f"feature {each.id}" for each in frozen.features if each.window is not None and each.window.size}
    seen, waiting = {key}, [key]
    while waiting:
        waiting = sorted(
            {read for one in waiting if not one.startswith("score ") for read in edges.get(one, ())} - seen
        )
        seen |= set(waiting)
    if any(each.startswith("score ") for each in seen):
        return SCORE
    return STATISTIC if seen & windowed else RULE


class _Told:
    """The entries of one set of definitions."""

    def __init__(self, frozen: Frozen, owners: Mapping[str, str], counts: Mapping[str, Mapping[str, int]]) -> None:
        self.frozen, self.owners, self.counts = frozen, owners, counts
        self.nodes, self.edges = graph(frozen)
        self.back: dict[str, list[str]] = {}
        for reader, reads in self.edges.items():
            for each in reads:
                self.back.setdefault(each, []).append(reader)

    def feature(self, feature: Feature) -> Entry:
        table = TABLES.get(str(feature.table).partition(".")[0])
        counted = self.counts.get(feature.id, {})
        return {
            "id": feature.id,
            "name": (feature.zh, feature.en),
            "meaning": feature.meaning,
            "type": (type_name(feature.type, "zh"), type_name(feature.type, "en")),
            "unit": feature.unit,
            "grain": feature.grain,
            "rollup": feature.rollup,
            "table": (f"{feature.table} {table.zh}", f"{feature.table} {table.en}") if table else feature.table,
            "measure": feature.measure,
            "of": _text(feature.of),
            "filter": " · within ".join(filter(None, (_text(feature.filter), _text(feature.within)))),
            "window": f"{feature.window}{f' ({feature.dated})' if feature.dated else ''}" if feature.window else None,
            "expression": _text(feature.expression),
            "made": _made(feature),
            "read_by": self._readers(f"feature {feature.id}"),
            "owner": self.owners.get(feature.id),
            "origin": feature.origin,
            "known": counted.get("known"),
            "not_known": counted.get("not_known"),
        }

    def tag(self, tag: Tag) -> Entry:
        key, counted = f"tag {tag.id}", self.counts.get(tag.id, {})
        return {
            "id": tag.id,
            "name": (tag.zh, tag.en),
            "meaning": tag.meaning,
            "dimension": DIMENSIONS[tag.dimension],
            "grain": tag.grain,
            "way": way(key, self.frozen, self.edges),
            "expression": tag.expression.text,
            "confidence": _text(tag.confidence),
            "evidence": ", ".join(tag.evidence),
            "aim": tag.aim,
            "not_for": tag.not_for,
            "owner": tag.owner,
            "refresh": REFRESH[tag.refresh][:2],
            "expires_days": tag.expires_days,
            "personal": tag.personal,
            "reads": ", ".join(sorted(tag.reads)),
            "read_by": self._readers(key),
            "held": counted.get("held"),
            "not_held": counted.get("not_held"),
            "not_known": counted.get("not_known"),
        }

    def segment(self, segment: Partition) -> Iterator[Entry]:
        key = f"segment {segment.id}"
        for level in segment.levels:
            yield {
                "id": segment.id,
                "name": (segment.zh, segment.en),
                "meaning": segment.meaning,
                "grain": segment.grain,
                "way": way(key, self.frozen, self.edges),
                "level": level.code,
                "level_name": (level.zh, level.en),
                "condition": _condition(segment, level),
                "aim": segment.aim,
                "owner": segment.owner,
                "personal": segment.personal,
                "reads": ", ".join(sorted(segment.reads)),
                "read_by": self._readers(key),
            }

    def score(self, score: Score) -> Entry:
        features = ", ".join(name.name for name in score.features)
        return {
            "id": score.id,
            "name": (score.zh, score.en),
            "meaning": score.meaning,
            "grain": score.grain,
            "method": score.method,
            "aim": score.purpose,
            "population": _text(score.population),
            "target": _text(score.target),
            "expression": _text(score.amount),
            "grades": ("; ".join(f"{each.code} {each.zh}" for each in score.grades), "; ".join(f"{each.code} {each.en}" for each in score.grades)),
            "gives": ", ".join(name.name for name in score.yields),
            "owner": score.owner,
            "reads": features if score.method in TAUGHT else ", ".join(sorted(score.reads)),
            "read_by": self._readers(f"score {score.id}"),
        }  # fmt: skip

    def lookup(self, lookup: Lookup) -> Iterator[Entry]:
        for level in lookup.levels:
            codes = [code for code, of in lookup.codes if of == level.code]
            yield {
                "id": lookup.id,
                "name": (lookup.zh, lookup.en),
                "tables": ", ".join(lookup.tables),
                "of": lookup.of,
                "level": level.code,
                "level_name": (level.zh, level.en),
                "codes": ", ".join(ranges(codes)) or ("其余" if level.code == lookup.otherwise else "", "the rest" if level.code == lookup.otherwise else ""),
                "read_by": self._readers(f"lookup {lookup.id}"),
            }  # fmt: skip

    def _readers(self, key: str) -> str:
        return ", ".join(sorted(self.back.get(key, ())))


def _made(feature: Feature) -> str:
    """How a feature comes about, in one line of the words in which it is defined."""
    if feature.expression is not None:
        return feature.expression.text
    where = f" where {feature.filter.text}" if feature.filter is not None else ""
    within = f" within {feature.within.text}" if feature.within is not None else ""
    of = f" of {feature.of.text}" if feature.of is not None else ""
    return f"{feature.measure}{of} in {feature.table}{where}{within}, {feature.window}"


def _condition(segment: Partition, level: Level) -> str | tuple[str, str]:
    """When somebody is in the level."""
    if isinstance(segment, Clusters):
        where = f" where {segment.where.text}" if segment.where is not None else ""
        return f"clusters of {', '.join(segment.of)}{where}"
    if level.code == segment.unknown and not any(each.id == level.code for each in getattr(segment, "branches", ())):
        return ("前面的条件未知时", "where what stands before is not known")
    if isinstance(segment, Ranked):
        place = [each.code for each in segment.ranks].index(level.code) + 1
        within = f" within {', '.join(segment.within)}" if segment.within else ""
        return f"{place}/{len(segment.ranks)} by {segment.of.text}{within}"
    return _of_branches(segment, level)


def _of_branches(segment: Segment, level: Level) -> str | tuple[str, str]:
    told = [each.condition.text for each in segment.branches if each.id == level.code]
    if level.code == segment.otherwise and not told:
        return ("其余", "the rest")
    return " / ".join(told)


def ranges(codes: Sequence[str]) -> list[str]:
    """Codes as people write them, neighbours as a range.

    >>> ranges(["5811", "5812", "5813", "5541", "A1"])
    ['5541', '5811-5813', 'A1']
    """
    numbers = sorted((code for code in codes if code.isdigit()), key=lambda code: (len(code), int(code)))
    found = []
    for _, run in groupby(enumerate(numbers), key=lambda each: (len(each[1]), int(each[1]) - each[0])):
        group = [code for _, code in run]
        found.append(group[0] if len(group) == 1 else f"{group[0]}-{group[-1]}")
    return found + sorted(code for code in codes if not code.isdigit())


def _text(expression: Expression | None) -> str | None:
    return expression.text if expression is not None else None


def _owners(workspace: Workspace) -> dict[str, str]:
    """Who answers for a feature, where the definition says so."""
    items, _ = expand(workspace.items("feature"))
    return {item.id: str(item.data["owner"]) for item in items if item.data.get("owner")}


# ── coverage ────────────────────────────────────────────────────────────────────────────────────────────────


def _profile_day(head: Head, as_of: date | None) -> date | None:
    manifest = head.manifest(PROFILES[CUSTOMER])
    days = [date.fromisoformat(part) for part in manifest.parts()] if manifest else []
    return max((day for day in days if as_of in (None, day)), default=None)


def _counted(engine: Engine, head: Head, frozen: Frozen, day: date) -> dict[str, dict[str, int]]:
    """id → known and not known, of a tag also held and not held, in units of its own grain."""
    found: dict[str, dict[str, int]] = {}
    for grain in (ACCOUNT, CUSTOMER):
        rows = engine.parquet(head.files(PROFILES[grain], part=day.isoformat()))
        tags = [each.id for each in frozen.tags if each.grain == grain and each.id in rows.columns]
        features = [each.id for each in frozen.features if each.id in rows.columns and _counts_at(each, grain)]
        asked = {f"k_{id}": rows[id].count() for id in (*features, *tags)}
        asked |= {f"h_{id}": rows[id].ifelse(1, 0).sum() for id in tags}
        (row,) = engine.rows(rows.aggregate(units=rows.count(), **asked))
        for id in (*features, *tags):
            known = row[f"k_{id}"]
            found[id] = {"known": known, "not_known": row["units"] - known}
        for id in tags:
            held = int(row[f"h_{id}"] or 0)
            found[id] |= {"held": held, "not_held": row[f"k_{id}"] - held}
    return found


def _counts_at(feature: Feature, grain: str) -> bool:
    """A feature is counted at its own grain; one of both at the account's."""
    return grain == (ACCOUNT if feature.grain == BOTH else feature.grain)
