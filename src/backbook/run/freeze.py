"""Every definition read, checked and frozen under one hash before a run begins.

The pieces read one another by name: features read tables, scores read features, strategies read all of them. So
all names are gathered first, then every piece is read against them, and all faults come back together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import sqlglot

from backbook.customer.clusters import Clusters
from backbook.customer.definition import ACCOUNT, CUSTOMER, Feature
from backbook.customer.dimension import dimensions
from backbook.customer.identity.terms import Terms, read_terms
from backbook.customer.lookup import Lookup, read_lookups
from backbook.customer.order import Link, order
from backbook.customer.profile import OWNER, outcome_names, profile_names
from backbook.customer.purpose import purpose_faults, uses
from backbook.customer.ranked import Ranked
from backbook.customer.reading import read_features, read_outcomes
from backbook.customer.segments import Partition, read_segments, segment_names
from backbook.customer.tags import Tag, read_tags, tag_names
from backbook.customer.window import MONTHS
from backbook.engine import DIALECT
from backbook.errors import BadDefinition, Fault
from backbook.expressions import Names
from backbook.score.definition import Score
from backbook.score.reading import Columns, read_scores, score_names
from backbook.sources.attributes import Attribute, read_attributes
from backbook.sources.contract import TABLES
from backbook.sources.inputs import Input, read_inputs
from backbook.sources.mapping import Mapping as SourceMapping
from backbook.sources.mapping import read_mapping
from backbook.strategy.definition import Strategy
from backbook.strategy.reading import read_strategies
from backbook.workspace import Bundle, Workspace

GRAINS = (ACCOUNT, CUSTOMER)
# The table whose rows a bank pays for.
BOUGHT = "outside_score"


@dataclass(frozen=True)
class Frozen:
    """The definitions of one workspace, read into what the stages work with."""

    inputs: Mapping[str, Input]
    mappings: Sequence[SourceMapping]
    attributes: Sequence[Attribute]
    features: Sequence[Feature]
    outcomes: Sequence[Feature]
    tags: Sequence[Tag]
    segments: Sequence[Partition]
    scores: Sequence[Score]
    strategies: Sequence[Strategy]
    names: Mapping[str, Names]
    outcome_names: Mapping[str, Names]
    book: Mapping[str, Any] = field(default_factory=dict)
    identity: Terms = field(default_factory=Terms)
    lookups: Sequence[Lookup] = ()

    @cached_property
    def order(self) -> list[Link]:
        """Scores, tags and segments so that each stands after what it reads."""
        links = [[each.link for each in kind] for kind in (self.tags, self.segments, self.scores)]
        return order([link for kind in links for link in kind])

    @cached_property
    def bundle(self) -> Bundle:
        kinds: Mapping[str, Sequence[Any]] = {
            "attribute": self.attributes,
            "lookup": self.lookups,
            "feature": self.features,
            "outcome": self.outcomes,
            "tag": self.tags,
            "segment": self.segments,
            "score": self.scores,
            "strategy": self.strategies,
        }
        content = {kind: {each.id: each.canonical() for each in entries} for kind, entries in kinds.items()}
        content["mapping"] = {each.name: _query(each) for each in self.mappings}
        content["input"] = {name: _input(each) for name, each in self.inputs.items()}
        content["book"] = dict(self.book)
        content["identity"] = {"terms": self.identity.canonical()}
        return Bundle(content)

    def score(self, id: str) -> Score:
        return next(score for score in self.scores if score.id == id)

    def tag(self, id: str) -> Tag:
        return next(tag for tag in self.tags if tag.id == id)

    def segment(self, id: str) -> Partition:
        return next(segment for segment in self.segments if segment.id == id)


def _query(mapping: SourceMapping) -> str:
    """The mapping's SELECT in one way of writing it, without comments."""
    return str(sqlglot.parse_one(mapping.query, dialect=DIALECT).sql(dialect=DIALECT, comments=False))


def _input(input: Input) -> dict[str, Any]:
    """How files are read; where the workspace lies and on which line this is written changes nothing."""
    return {key: value for key, value in asdict(input).items() if key not in ("folder", "line")}


def freeze(workspace: Workspace) -> Frozen:
    """The workspace's definitions; raises BadDefinition with every fault."""
    frozen, faults = read(workspace)
    if faults:
        raise BadDefinition(faults=faults)
    return frozen


def read(workspace: Workspace) -> tuple[Frozen, list[Fault]]:
    """The definitions that can be read, and everything that is wrong with the others."""
    faults = list(workspace.faults())
    inputs, wrong = read_inputs(workspace.settings, workspace.path)
    faults += wrong
    mappings = []
    for source in workspace.mappings():
        mapping, wrong = read_mapping(source, inputs)
        faults += wrong
        if mapping is not None:
            mappings.append(mapping)
    attributes, wrong = read_attributes(workspace.items("attribute"))
    faults += wrong
    lookups, wrong = read_lookups(workspace.items("lookup"), TABLES)
    faults += wrong
    features, wrong = read_features(workspace.items("feature"), TABLES, attributes, lookups)
    faults += wrong
    outcomes, wrong = read_outcomes(workspace.items("outcome"), TABLES, attributes, lookups)
    faults += wrong
    names, wrong = _names(workspace, features, attributes)
    faults += wrong
    outcome_registry = {grain: outcome_names(grain, outcomes, attributes) for grain in GRAINS}
    tags, wrong = read_tags(workspace.items("tag"), names[ACCOUNT], names[CUSTOMER], features)
    faults += wrong
    segments, wrong = read_segments(workspace.items("segment"), names[ACCOUNT], names[CUSTOMER])
    faults += wrong
    faults += purpose_faults(
        [*tags, *segments], [*workspace.items("tag"), *workspace.items("segment")], features, attributes
    )
    whole = _of_the_whole_book(tags, segments)
    columns = Columns(
        profile={grain: _but(names[grain], whole) for grain in GRAINS},
        outcomes=outcome_registry,
        protected=frozenset(each.id for each in attributes if each.protected),
        purposes=_of_owner_too(uses(features, attributes)),
        dimensions=dimensions(features, attributes),
        gaps=_gaps(outcomes),
        bought=_bought(features),
    )
    scores, wrong = read_scores(workspace.items("score"), columns)
    faults += wrong
    strategies, wrong = read_strategies(workspace.items("strategy"), names[ACCOUNT])
    faults += wrong
    identity, wrong = read_terms(workspace.settings)
    faults += wrong
    frozen = Frozen(
        inputs, mappings, attributes, features, outcomes, tags, segments, scores, strategies, names, outcome_registry,
        _book(workspace), identity, lookups,
    )  # fmt: skip
    return frozen, sorted(faults + _circle(frozen))


def _names(
    workspace: Workspace, features: Sequence[Feature], attributes: Sequence[Attribute]
) -> tuple[dict[str, Names], list[Fault]]:
    """The registries of both profiles, with what tags, segments and scores will give."""
    given = {
        grain: [
            *tag_names(workspace.items("tag"), grain),
            *segment_names(workspace.items("segment"), grain),
            *score_names(workspace.items("score"), grain),
        ]
        for grain in GRAINS
    }
    try:
        return {
            grain: profile_names(grain, features, given[grain], attributes=attributes, of_customer=[given[CUSTOMER]])
            for grain in GRAINS
        }, []
    except BadDefinition as clash:
        empty = {grain: profile_names(grain, features, attributes=()) for grain in GRAINS}
        return empty, list(clash.faults) or [Fault("", None, str(clash))]


def _of_the_whole_book(tags: Sequence[Tag], segments: Sequence[Partition]) -> frozenset[str]:
    """What is known only when the whole book is looked at, directly or through another: ranks and found groups."""
    found = {each.id for each in segments if isinstance(each, Ranked | Clusters)}
    while True:
        more = {each.id for each in (*tags, *segments) if {_bare(name) for name in each.reads} & found} - found
        if not more:
            return frozenset(found)
        found |= more


def _but(names: Names, whole: frozenset[str]) -> Names:
    """The registry for scores: they are learned from samples of past days, where a rank in the book is not known."""
    why = "stands for a rank or group within the whole book, which a sample of a past day does not know"
    kept = [name for name in names if _bare(name.name) not in whole]
    return Names(names.row_kind, kept, names.missing | {name.name: why for name in names if _bare(name.name) in whole})


def _bare(name: str) -> str:
    return name.rpartition(".")[2]


def _of_owner_too(found: Mapping[str, str]) -> dict[str, str]:
    return {**found, **{OWNER + name: each for name, each in found.items()}}


def _bought(features: Sequence[Feature]) -> frozenset[str]:
    """What is measured of vendors' scores, directly or through another feature."""
    found: set[str] = set()
    for feature in features:
        if feature.table == BOUGHT or {_bare(name) for name in feature.reads} & found:
            found.add(feature.id)
    return frozenset(_of_owner_too(dict.fromkeys(found, "")))


def _gaps(outcomes: Sequence[Feature]) -> dict[str, int]:
    """Whole months between an observation and the window of each outcome; derived ones begin where the first part does.

    What looks back has none: it tells nothing of what is to come.
    """
    found: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.window is not None and not outcome.window.ahead:
            continue
        if outcome.window is not None:
            found[outcome.id] = outcome.window.gap if outcome.window.unit == MONTHS else outcome.window.gap // 30
        elif parts := [found[name] for name in outcome.reads if name in found]:
            found[outcome.id] = min(parts)
    return found


def _book(workspace: Workspace) -> dict[str, Any]:
    settings = workspace.settings
    return {
        "currency": settings.currency,
        "timezone": settings.timezone,
        "packs": {pack.name: pack.version for pack in settings.packs},
        "reject_share": settings.reject_share,
        "stale_days": settings.stale_days,
    }


def _circle(frozen: Frozen) -> list[Fault]:
    try:
        assert frozen.order is not None
    except BadDefinition as circle:
        return list(circle.faults) or [Fault("", None, str(circle))]
    return []
