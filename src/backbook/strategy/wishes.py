"""What each arm would do with each account: its branch's wish, as far as the guardrails let it.

Every arm is worked out for everybody, not only for its own customers: only so is the chance known with which a
decision was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis

from backbook.strategy.blocking import WayColumns, way_over_person_ibis, ways_ibis
from backbook.strategy.definition import REFER, TOTAL_NEW, Arm, Choice, Strategy
from backbook.strategy.facts import Overlay, lacks_of


def wishes(strategy: Strategy, rows: Any) -> Any:
    """Adds for arm k `_variant_k`, where it ends, and `_blocked_k_g`, the action that guardrail g blocked on the way;
    and for each variant that may be tried at random `_may_v`, whether its guardrails let it."""
    passed = {
        guardrail.id: rows[f"_pass_{place}"]
        for place, guardrail in enumerate(strategy.guardrails)
        if guardrail.over == "account"
    }
    rows, ways = _kept(rows, ways_ibis(strategy, passed))
    columns: dict[str, Any] = {}
    for place, arm in enumerate(strategy.arms):
        columns[f"_wish_{place}"] = _wish(strategy, arm, rows[f"_branch_{place}"], rows[f"_unknown_{place}"])
    for place in strategy.explorable:
        columns[f"_may_{place}"] = ways[strategy.variants[place].action.id].variant.isnull()
    rows = rows.mutate(**columns)
    columns = {}
    for place in range(len(strategy.arms)):
        columns |= _through(strategy, place, rows[f"_wish_{place}"], _on(rows, ways), {})
    rows = rows.mutate(**columns)
    if any(each.over == "customer" for each in strategy.guardrails):
        rows = _over_person(strategy, rows, ways)
    return rows


def _kept(rows: Any, ways: Mapping[str, WayColumns]) -> tuple[Any, dict[str, WayColumns]]:
    """The ways as columns of the table, so that every arm reads them instead of working them out."""
    columns: dict[str, Any] = {}
    for action, way in ways.items():
        if way.blocked:
            columns[f"_to_{action}"] = way.variant
            columns |= {f"_by_{action}_{id_}": value for id_, value in way.blocked.items()}
    return (rows := rows.mutate(**columns)), _on(rows, ways)


def _on(rows: Any, ways: Mapping[str, WayColumns]) -> dict[str, WayColumns]:
    """The kept ways, read from this table."""
    nothing = WayColumns(ibis.null("int64"), {})
    return {
        action: WayColumns(rows[f"_to_{action}"], {id_: rows[f"_by_{action}_{id_}"] for id_ in way.blocked})
        if way.blocked
        else nothing
        for action, way in ways.items()
    }


def _wish(strategy: Strategy, arm: Arm, branch: Any, unknown: Any) -> Any:
    """The variant that the arm's table names, before any guardrail."""
    refer = strategy.variant(Choice(REFER))
    named = [(branch == place, strategy.variant(rule.choice)) for place, rule in enumerate(arm.rules)]
    otherwise = strategy.variant(arm.otherwise)
    return ibis.cases((branch.isnull() & unknown.notnull(), refer), *named, else_=otherwise).cast("int64")


def _through(
    strategy: Strategy, arm: int, wish: Any, ways: Mapping[str, WayColumns], before: Mapping[str, Any]
) -> dict[str, Any]:
    """Send a column of variants through the guardrails; `before` is what was blocked already."""
    ends: list[tuple[Any, Any]] = []
    stops: dict[str, list[tuple[Any, Any]]] = {}
    for place, variant in enumerate(strategy.variants):
        way = ways[variant.action.id]
        if way.blocked:
            ends.append((wish == place, way.variant.fill_null(place)))
        for id_, action in way.blocked.items():
            stops.setdefault(id_, []).append((wish == place, action))
    blocked = {}
    for place, guardrail in enumerate(strategy.guardrails):
        key = f"_blocked_{arm}_{place}"
        now = ibis.cases(*stops[guardrail.id]) if guardrail.id in stops else ibis.null("string")
        blocked[key] = before[key].fill_null(now) if key in before else now
    return {f"_variant_{arm}": ibis.cases(*ends, else_=wish) if ends else wish, **blocked}


# ── over the person ─────────────────────────────────────────────────────────────────────────────────────


def _over_person(strategy: Strategy, rows: Any, ways: Mapping[str, WayColumns]) -> Any:
    """Check what is raised over all lines of the person; limits are summed over lines, never over accounts."""
    rows = _with_totals(strategy, rows)
    answers: dict[str, Any] = {}
    for arm in range(len(strategy.arms)):
        with_total = Overlay(rows, {TOTAL_NEW: rows[f"_total_{arm}"]})
        for place, each in enumerate(strategy.guardrails):
            if each.over == "customer":
                passed = answers[f"_pass_{arm}_{place}"] = each.passes.ibis(with_total)
                answers[f"_lacks_{arm}_{place}"] = lacks_of(each.passes, passed, with_total)
    rows = rows.mutate(**answers)
    columns: dict[str, Any] = {}
    for arm in range(len(strategy.arms)):
        passes = {
            each.id: rows[f"_pass_{arm}_{place}"]
            for place, each in enumerate(strategy.guardrails)
            if each.over == "customer"
        }
        over = {
            action.id: way_over_person_ibis(strategy, action.id, passes, _on(rows, ways)) for action in strategy.actions
        }
        keys = [f"_blocked_{arm}_{place}" for place in range(len(strategy.guardrails))]
        columns |= _through(strategy, arm, rows[f"_variant_{arm}"], over, {key: rows[key] for key in keys})
    return rows.mutate(**columns)


def _with_totals(strategy: Strategy, rows: Any) -> Any:
    """Adds `_total_k`: the person's limits as they stand, plus what arm k raises on the lines up to this one.

    Lines are taken in the order of their ids, so that of two raises that do not fit together the first stands.
    One limit that is not known makes the total not known.
    """
    raising = [place for place, each in enumerate(strategy.variants) if each.action.raises]
    new = {
        f"_after_{arm}": ibis.cases(
            *((rows[f"_variant_{arm}"] == place, rows[f"_new_{place}"]) for place in raising), else_=rows._now
        )
        for arm in range(len(strategy.arms))
    }
    narrow = rows.select("_person", "_line", "_now", **new)
    sums: dict[str, Any] = {"_now": narrow._now.max()}
    for after in new:
        sums[f"_up{after}"] = ibis.greatest(narrow[after] - narrow._now, 0).max()
        sums[f"_unclear{after}"] = (narrow._now.isnull() | narrow[after].isnull()).cast("int64").sum()
    lines = narrow.group_by("_person", "_line").agg(**sums)
    person = ibis.window(group_by=lines._person)
    so_far = ibis.window(group_by=lines._person, order_by=lines._line, following=0)
    totals: dict[str, Any] = {}
    for arm, after in enumerate(new):
        total = (lines._now.sum().over(person) + lines[f"_up{after}"].sum().over(so_far)).cast("decimal(18, 2)")
        clear = lines[f"_unclear{after}"].sum().over(person) == 0
        totals[f"_total_{arm}"] = clear.ifelse(total, ibis.null("decimal(18, 2)"))
    lines = lines.select(_owner=lines._person, _shared=lines._line, **totals)
    joined = rows.inner_join(lines, [rows._person == lines._owner, rows._line == lines._shared])
    return joined.drop("_owner", "_shared")
