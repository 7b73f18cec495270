"""What a column may be used for, and who reads it for something else.

A wide table's column says its purpose in attributes.yaml. Credit reports are fetched for looking after loans
(贷后管理) and may serve nothing else (征信业管理条例 art. 20, DOMAIN 1.8), and so are the scores of vendors: whatever is
measured of `bureau` or `outside_score` is for risk.
A derived feature, a tag and a segment may be used for what all that they read may be used for. A score is judged by
itself: it says its own purpose, and its grade may keep people out of a campaign.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from backbook.customer.definition import Feature
from backbook.customer.registry import Attribute
from backbook.definitions import Item
from backbook.errors import Fault

RISK, MARKETING, SERVICE = "risk", "marketing", "service"
ALL = frozenset({RISK, MARKETING, SERVICE})
# What an attribute's purpose, or a definition's aim, stands for.
MEANS: Mapping[str, frozenset[str]] = {
    "risk": frozenset({RISK}), "marketing": frozenset({MARKETING}), "service": frozenset({SERVICE}),
    "both": frozenset({RISK, MARKETING}), "all": ALL, "none": frozenset(), "outcome": ALL,
}  # fmt: skip
ATTRIBUTES: Mapping[str, frozenset[str]] = {**MEANS, "marketing": frozenset({MARKETING, SERVICE}), "both": ALL}
OF_TABLES: Mapping[str, frozenset[str]] = {"bureau": frozenset({RISK}), "outside_score": frozenset({RISK})}


class Aimed(Protocol):
    """A tag or a segment."""

    @property
    def id(self) -> str: ...
    @property
    def aim(self) -> str: ...
    @property
    def reads(self) -> frozenset[str]: ...
    @property
    def kind(self) -> str: ...


def purpose_faults(
    aimed: Sequence[Aimed], items: Iterable[Item], features: Sequence[Feature], attributes: Sequence[Attribute]
) -> list[Fault]:
    """Tags and segments whose aim goes beyond what they read may be used for, each with the way to the column."""
    limits = _limits(features, attributes)
    reads = {feature.id: feature.reads for feature in features} | {each.id: each.reads for each in aimed}
    written = {(item.kind, item.id): item for item in items}
    faults = []
    for each in aimed:
        way = _beyond(each.id, MEANS[each.aim], reads, limits, ())
        if way is not None:
            faults.append(_fault(written[each.kind, each.id], each, way, limits[way[-1]]))
    return faults


def uses(features: Sequence[Feature], attributes: Sequence[Attribute]) -> dict[str, str]:
    """risk, marketing, both or none, for every feature and attribute by what it and all that it reads may be used for."""
    limits = _limits(features, attributes)
    allowed: dict[str, frozenset[str]] = {one.id: ATTRIBUTES[one.purpose] for one in attributes}
    # Features stand after what they read.
    for feature in features:
        parts = (allowed.get(read.rpartition(".")[2], ALL) for read in feature.reads)
        allowed[feature.id] = limits.get(feature.id, ALL).intersection(*parts)
    return {name: _word(each) for name, each in allowed.items()}


def _word(allowed: frozenset[str]) -> str:
    """
    >>> _word(ALL), _word(frozenset({RISK})), _word(frozenset({SERVICE}))
    ('both', 'risk', 'none')
    """
    if {RISK, MARKETING} <= allowed:
        return "both"
    return next((each for each in (RISK, MARKETING) if each in allowed), "none")


def _limits(features: Sequence[Feature], attributes: Sequence[Attribute]) -> dict[str, frozenset[str]]:
    """column → what it may be used for, where that is not everything."""
    of_attributes = {one.id: ATTRIBUTES[one.purpose] for one in attributes}
    found = {id_: allowed for id_, allowed in of_attributes.items() if allowed != ALL}
    for feature in features:
        allowed = OF_TABLES.get(str(feature.table), ALL)
        if feature.table == "attribute":
            for column in feature.columns:
                allowed &= of_attributes.get(column, ALL)
        if allowed != ALL:
            found[feature.id] = allowed
    return found


def _beyond(
    name: str,
    wanted: frozenset[str],
    reads: Mapping[str, frozenset[str]],
    limits: Mapping[str, frozenset[str]],
    way: tuple[str, ...],
) -> tuple[str, ...] | None:
    """The names from the definition to the first column that may not be used so; None when each may."""
    if name in limits and not wanted <= limits[name]:
        return (*way, name)
    if name in way:
        return None
    for read in sorted(reads.get(name, ())):
        found = _beyond(read.rpartition(".")[2], wanted, reads, limits, (*way, name))
        if found is not None:
            return found
    return None


def _fault(item: Item, each: Aimed, way: tuple[str, ...], allowed: frozenset[str]) -> Fault:
    through = f" through {', '.join(way[1:-1])}" if len(way) > 2 else ""
    for_ = " and ".join(sorted(allowed)) or "nothing until somebody says what it is for"
    possible = (
        f"Write aim: {sorted(allowed)[0]}, or leave the column out."
        if allowed
        else "Say its purpose in sources/attributes.yaml."
    )
    return item.fault(
        "aim", f"is for {each.aim} and reads '{way[-1]}'{through}, which may be used for {for_}.", possible
    )
