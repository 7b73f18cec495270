"""What is known of each account before anything is decided.

The columns that the strategy reads, the person and the line, the draws, the branch of every arm, the answer of
every guardrail that is read per account, and what each variant of an action would mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import ibis

from backbook.errors import BadData
from backbook.expressions import Branch, Expression, Name, Names, Type, first_match, parse
from backbook.strategy.arms import UNIVERSAL_CONTROL, arm_ibis, draw_ibis, first_parties, party_key
from backbook.strategy.definition import Arm, Strategy, Variant

KEYS = ("account_id", "customer_id", "system", "party_id")


def units(strategy: Strategy, profile: Any, as_of: date, identity: Any) -> Any:
    """The keys, the columns that are read, the person and the line."""
    needed = [*KEYS, *(name for name in strategy.reads if name != "as_of")]
    missing = [name for name in needed if name not in profile.columns]
    if missing:
        raise BadData(f"Strategy '{strategy.id}' reads {', '.join(missing)}, which the account profile does not have.")
    columns = {name: profile[name] for name in needed}
    if "as_of" in strategy.reads:
        columns["as_of"] = ibis.literal(as_of)
    line = profile["line_id"] if "line_id" in profile.columns else ibis.null("string")
    units = profile.select(**columns, _line=line.fill_null(profile.account_id))
    own = party_key(units.system, units.party_id).fill_null(units.account_id)
    if identity is None:
        units = units.mutate(_first=own)
    else:
        first = first_parties(identity).rename(_owner="customer_id")
        joined = units.left_join(first, units.customer_id == first._owner)
        units = joined.mutate(_first=joined.first_party.fill_null(own)).drop("first_party", "_owner")
    return units.mutate(_person=units.customer_id.fill_null(units._first))


def facts(strategy: Strategy, units: Any, as_of: date) -> Any:
    """The draws, each arm's branch, each guardrail's answer, and what each variant would mean."""
    whens = _conditions(strategy)
    known: dict[str, Any] = {
        "_arm": arm_ibis(draw_ibis(strategy.area, units._first), [arm.share for arm in strategy.arms]),
        "_control": draw_ibis(UNIVERSAL_CONTROL, units._first) < strategy.control,
        "_explore": draw_ibis(explore_salt(strategy, as_of), units.account_id) < strategy.explore,
        "_now": _money(strategy.value_now, units),
    }
    known |= {column: when.ibis(units) for column, when in whens.values()}
    for place, guardrail in enumerate(strategy.guardrails):
        if guardrail.over == "account":
            known[f"_pass_{place}"] = guardrail.passes.ibis(units)
    rows = units.mutate(**known)
    answers: dict[str, Any] = {}
    for place, arm in enumerate(strategy.arms):
        answers |= _matched(place, arm, rows, whens)
    for place, guardrail in enumerate(strategy.guardrails):
        if guardrail.over == "account":
            answers[f"_lacks_{place}"] = lacks_of(guardrail.passes, rows[f"_pass_{place}"], rows)
    rows = rows.mutate(**answers)
    unknown = {f"_unknown_{place}": _unknown(place, arm, rows, whens) for place, arm in enumerate(strategy.arms)}
    return _meaning(strategy, rows.mutate(**unknown))


def _conditions(strategy: Strategy) -> dict[str, tuple[str, Expression]]:
    """Each condition once, whichever arms and branches ask for it: canonical text → (column, condition)."""
    found: dict[str, tuple[str, Expression]] = {}
    for arm in strategy.arms:
        for rule in arm.rules:
            found.setdefault(rule.when.text, (f"_when_{len(found)}", rule.when))
    return found


def _matched(place: int, arm: Arm, rows: Any, whens: Mapping[str, tuple[str, Expression]]) -> dict[str, Any]:
    """`_branch_k`, `_stopped_k` and `_unanswered_k` of one arm, read from the conditions' columns."""
    columns = [whens[rule.when.text][0] for rule in arm.rules]
    answered = Names("conditions", [Name(column, Type.YESNO) for column in columns])
    table = first_match(
        [
            Branch(rule.id, parse(column, answered), rule.when_unknown)
            for rule, column in zip(arm.rules, columns, strict=True)
        ]
    )
    branch, unanswered = table.ibis(rows)
    return {f"_branch_{place}": branch, f"_stopped_{place}": table.stopped(rows), f"_unanswered_{place}": unanswered}


def _unknown(place: int, arm: Arm, rows: Any, whens: Mapping[str, tuple[str, Expression]]) -> Any:
    """The table names the condition that was not known; people want the columns that the condition lacked."""
    columns = [whens[rule.when.text][0] for rule in arm.rules]
    lacks = [
        (rows[f"_unanswered_{place}"] == column, lacks_of(rule.when, rows[column], rows))
        for rule, column in zip(arm.rules, columns, strict=True)
    ]
    return ibis.cases(*lacks) if lacks else rows[f"_unanswered_{place}"]


def _meaning(strategy: Strategy, rows: Any) -> Any:
    """What each variant would mean: its parameters, new value and expected value.

    A parameter is a column before the next one reads it: an expression copied into an expression copied into
    another is what a planner chokes on.
    """
    for step in range(max(len(variant.parameters) for variant in strategy.variants)):
        layer = {
            f"_p_{place}_{variant.parameters[step].id}": variant.parameters[step].expression.ibis(
                _with_parameters(rows, place, variant)
            )
            for place, variant in enumerate(strategy.variants)
            if step < len(variant.parameters)
        }
        rows = rows.mutate(**layer)
    worth: dict[str, Any] = {}
    for place, variant in enumerate(strategy.variants):
        scope = _with_parameters(rows, place, variant)
        worth[f"_new_{place}"] = _money(variant.action.value_new, scope)
        worth[f"_expected_{place}"] = _money(variant.action.expected_value, scope)
        worth[f"_parameters_{place}"] = json_object(
            {each.id: (each.expression.type, scope[each.id]) for each in variant.parameters}
        )
    return rows.mutate(**worth)


def branches(arm: Arm) -> list[Branch]:
    return [Branch(rule.id, rule.when, rule.when_unknown) for rule in arm.rules]


def explore_salt(strategy: Strategy, as_of: date) -> str:
    """Who is tried at random changes from day to day; who is in which arm does not."""
    return f"{strategy.area} explore {as_of.isoformat()}"


class Overlay:
    """A table with a few more columns; a value read from it belongs to the same table."""

    def __init__(self, table: Any, values: Mapping[str, Any]) -> None:
        self._table = table
        self.values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self.values[name] if name in self.values else self._table[name]


def _with_parameters(table: Any, place: int, variant: Variant) -> Overlay:
    """The table, where the parameters that are worked out already go by their own names."""
    known = {each.id: f"_p_{place}_{each.id}" for each in variant.parameters}
    return Overlay(table, {id_: table[column] for id_, column in known.items() if column in table.columns})


def _money(expression: Expression | None, table: Any) -> Any:
    return (ibis.null() if expression is None else expression.ibis(table)).cast("decimal(18, 2)")


def lacks_of(expression: Expression, passed: Any, table: Any) -> Any:
    """Why an answer is not known: the columns without a value, each with a comma behind it, all when each has one."""
    everything = "".join(f"{name}," for name in sorted(expression.reads))
    names = ibis.literal("")
    for name in sorted(expression.reads):
        names = names + table[name].isnull().ifelse(f"{name},", "")
    return passed.isnull().ifelse((names == "").ifelse(everything, names), "")


def json_object(values: Mapping[str, tuple[Type, Any]]) -> Any:
    """One JSON object; money, dates and times as text, so that no digit is lost."""
    if not values:
        return ibis.literal("{}")
    as_text = (Type.MONEY, Type.DATE, Type.TIME)
    fields = {
        name: value.cast("decimal(18, 2)").cast("string")
        if kind is Type.MONEY
        else (value.cast("string") if kind in as_text else value)
        for name, (kind, value) in values.items()
    }
    return ibis.struct(fields).cast("json").cast("string")
