"""How guardrails turn a wish into what may be done, in one account and over one person.

A guardrail that does not pass, or is not known to pass, sends the action to another one; that one is checked in
turn. The order in which guardrails stand decides where the action goes; all that stood against it are kept.
Because fallbacks make no circle, each action's way can be worked out from its fallback's: first the actions to
which others are sent, then the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis

from backbook.strategy.definition import Choice, Guardrail, Strategy


@dataclass(frozen=True)
class Check:
    """What one guardrail said of one account: passed (None: not known) and which columns were missing."""

    passed: bool | None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Way:
    """Where an action ends for one account: the variant, or None when it may stand, and what stood against it."""

    variant: int | None
    blocked: Mapping[str, str]


STANDS = Way(None, {})


def ways(strategy: Strategy, checks: Mapping[str, Check]) -> dict[str, Way]:
    """Each action's way through the guardrails that are read per account."""
    found: dict[str, Way] = {}
    for action in strategy.resolving_order:
        found[action] = _way(strategy, action, "account", checks, found)
    return found


def way_over_person(strategy: Strategy, action: str, checks: Mapping[str, Check], after: Mapping[str, Way]) -> Way:
    """The way through the guardrails that are read over the person, and from there on."""
    return _way(strategy, action, "customer", checks, after)


def _way(strategy: Strategy, action: str, over: str, checks: Mapping[str, Check], after: Mapping[str, Way]) -> Way:
    failing = [each for each in against(strategy, action, over) if not checks[each.id].passed]
    if not failing:
        return STANDS
    first = failing[0]
    target = first.when_unknown if checks[first.id].passed is None else first.instead
    onward = after[target]
    ends = strategy.variant(Choice(target)) if onward.variant is None else onward.variant
    return Way(ends, {**onward.blocked, **{each.id: action for each in failing}})


def against(strategy: Strategy, action: str, over: str) -> list[Guardrail]:
    """The guardrails that may block this action."""
    return [each for each in strategy.guardrails if each.over == over and action in each.blocks]


@dataclass(frozen=True)
class WayColumns:
    """A `Way` for a whole table: the variant (null: may stand), and by guardrail the action that it blocked."""

    variant: Any
    blocked: Mapping[str, Any]


def ways_ibis(strategy: Strategy, passed: Mapping[str, Any]) -> dict[str, WayColumns]:
    """`ways` over a table; `passed` holds a yes/no column (null: not known) by guardrail."""
    found: dict[str, WayColumns] = {}
    for action in strategy.resolving_order:
        found[action] = _way_ibis(strategy, action, "account", passed, found)
    return found


def way_over_person_ibis(
    strategy: Strategy, action: str, passed: Mapping[str, Any], after: Mapping[str, WayColumns]
) -> WayColumns:
    return _way_ibis(strategy, action, "customer", passed, after)


def _way_ibis(
    strategy: Strategy, action: str, over: str, passed: Mapping[str, Any], after: Mapping[str, WayColumns]
) -> WayColumns:
    guardrails = against(strategy, action, over)
    if not guardrails:
        return WayColumns(ibis.null("int64"), {})
    # In the order of the guardrails, so that the first one that fails decides where the action goes.
    targets = [
        (condition, target)
        for guardrail in guardrails
        for condition, target in (
            (passed[guardrail.id].isnull(), guardrail.when_unknown),
            (~passed[guardrail.id], guardrail.instead),
        )
    ]
    ends = [
        (condition, after[target].variant.fill_null(strategy.variant(Choice(target)))) for condition, target in targets
    ]
    blocked = {
        each.id: (~passed[each.id].fill_null(False)).ifelse(ibis.literal(action), ibis.null("string"))
        for each in guardrails
    }
    for id_ in sorted({id_ for _, target in targets for id_ in after[target].blocked}):
        onward = ibis.cases(
            *((condition, after[target].blocked.get(id_, ibis.null("string"))) for condition, target in targets)
        )
        blocked[id_] = blocked[id_].fill_null(onward) if id_ in blocked else onward
    return WayColumns(ibis.cases(*ends), blocked)
