"""What the bank decides for every account of the book, and why.

One row per account. For each arm: the first branch that holds names an action, guardrails may send it elsewhere,
what is raised is checked over the person; then the customer's own arm counts, and a small share is chosen at
random among what cannot raise risk, so that the chance of every decision is known. A row keeps the values it
read: `replay` needs nothing else. Ordered by account; the same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import ibis

from backbook.errors import BadData
from backbook.expressions import Branch, Expression, Type, first_match
from backbook.strategy.arms import UNIVERSAL_CONTROL, arm_ibis, draw_ibis, first_parties, party_key, pick_ibis
from backbook.strategy.blocking import WayColumns, way_over_person_ibis, ways_ibis
from backbook.strategy.definition import (
    ALWAYS_ACTED_ON,
    EXPLORED,
    NOT_KNOWN,
    REFER,
    TOTAL_NEW,
    Arm,
    Choice,
    Strategy,
    Variant,
)

KEYS = ("account_id", "customer_id", "system", "party_id")
OTHERWISE = "otherwise"
ID_LENGTH = 32

# Chances are kept as whole billionths: the least possible one, of a 1 % arm that explores 0.01 %, still shows.
BILLION = 1_000_000_000
WHOLE_CHANCE = 10_000


def decide(
    strategy: Strategy,
    profile: Any,
    *,
    as_of: date,
    bundle: str = "",
    identity: Any = None,
    engine: Any = None,
) -> Any:
    """Decisions over an account profile, ordered by account.

    `profile` has account_id, customer_id, system, party_id, optionally line_id, and the columns that the strategy
    reads. `identity` gives each customer's first party record; without it the account's own record counts. With an
    `engine` the steps between are kept, which is faster on a large book. Raises BadData when a column is missing.
    """
    keep = engine.cached if engine is not None else lambda table: table
    rows = keep(_facts(strategy, _units(strategy, profile, as_of, identity), as_of))
    rows = keep(_arms(strategy, rows))
    return _decisions(strategy, rows, as_of, bundle).order_by("account_id")


# ── what is known of each account ───────────────────────────────────────────────────────────────────────


def _units(strategy: Strategy, profile: Any, as_of: date, identity: Any) -> Any:
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


def _facts(strategy: Strategy, units: Any, as_of: date) -> Any:
    """The draws, each arm's branch, each guardrail's answer, and what each variant would mean."""
    facts: dict[str, Any] = {
        "_arm": arm_ibis(draw_ibis(strategy.area, units._first), [arm.share for arm in strategy.arms]),
        "_control": draw_ibis(UNIVERSAL_CONTROL, units._first) < strategy.control,
        "_explore": draw_ibis(explore_salt(strategy, as_of), units.account_id) < strategy.explore,
        "_now": _money(strategy.value_now, units),
    }
    for place, arm in enumerate(strategy.arms):
        table = first_match(branches(arm))
        facts[f"_branch_{place}"], facts[f"_unknown_{place}"] = table.ibis(units)
        facts[f"_stopped_{place}"] = table.stopped(units)
    for place, guardrail in enumerate(strategy.guardrails):
        if guardrail.over == "account":
            facts[f"_pass_{place}"] = guardrail.passes.ibis(units)
            facts[f"_lacks_{place}"] = _lacks(guardrail.passes, facts[f"_pass_{place}"], units)
    return _meaning(strategy, units.mutate(**facts))


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
        worth[f"_parameters_{place}"] = _json(
            {each.id: (each.expression.type, scope[each.id]) for each in variant.parameters}
        )
    return rows.mutate(**worth)


def branches(arm: Arm) -> list[Branch]:
    return [Branch(rule.id, rule.when, rule.when_unknown) for rule in arm.rules]


def explore_salt(strategy: Strategy, as_of: date) -> str:
    """Who is tried at random changes from day to day; who is in which arm does not."""
    return f"{strategy.area} explore {as_of.isoformat()}"


class _Overlay:
    """A table with a few more columns; a value read from it belongs to the same table."""

    def __init__(self, table: Any, values: Mapping[str, Any]) -> None:
        self._table = table
        self.values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self.values[name] if name in self.values else self._table[name]


def _with_parameters(table: Any, place: int, variant: Variant) -> _Overlay:
    """The table, where the parameters that are worked out already go by their own names."""
    known = {each.id: f"_p_{place}_{each.id}" for each in variant.parameters}
    return _Overlay(table, {id_: table[column] for id_, column in known.items() if column in table.columns})


def _money(expression: Expression | None, table: Any) -> Any:
    return (ibis.null() if expression is None else expression.ibis(table)).cast("decimal(18, 2)")


def _lacks(expression: Expression, passed: Any, table: Any) -> Any:
    """Why an answer is not known: the columns without a value, each with a comma behind it, all when each has one."""
    everything = "".join(f"{name}," for name in sorted(expression.reads))
    names = ibis.literal("")
    for name in sorted(expression.reads):
        names = names + table[name].isnull().ifelse(f"{name},", "")
    return passed.isnull().ifelse((names == "").ifelse(everything, names), "")


# ── what each arm would do ──────────────────────────────────────────────────────────────────────────────


def _arms(strategy: Strategy, rows: Any) -> Any:
    """`_variant_k` and `_blocked_k_g`: where arm k ends, and the action that guardrail g blocked on the way."""
    passed = {
        guardrail.id: rows[f"_pass_{place}"]
        for place, guardrail in enumerate(strategy.guardrails)
        if guardrail.over == "account"
    }
    ways = ways_ibis(strategy, passed)
    columns: dict[str, Any] = {}
    for place, arm in enumerate(strategy.arms):
        wish = _wish(strategy, arm, rows[f"_branch_{place}"], rows[f"_unknown_{place}"])
        columns |= _through(strategy, place, wish, ways, {})
    for place in strategy.explorable:
        columns[f"_may_{place}"] = ways[strategy.variants[place].action.id].variant.isnull()
    rows = rows.mutate(**columns)
    for place, _ in enumerate(strategy.arms):
        rows = _over_person(strategy, rows, place)
    return rows


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
    ends = wish
    blocked = dict(before)
    cases: list[tuple[Any, Any]] = []
    stops: dict[str, list[tuple[Any, Any]]] = {}
    for place, variant in enumerate(strategy.variants):
        way = ways[variant.action.id]
        if not way.blocked:
            continue
        cases.append((wish == place, way.variant.fill_null(place)))
        for id_, action in way.blocked.items():
            stops.setdefault(id_, []).append((wish == place, action))
    if cases:
        ends = ibis.cases(*cases, else_=wish)
    for place, guardrail in enumerate(strategy.guardrails):
        now = ibis.cases(*stops[guardrail.id]) if guardrail.id in stops else ibis.null("string")
        key = f"_blocked_{arm}_{place}"
        blocked[key] = before[key].fill_null(now) if key in before else now
    return {f"_variant_{arm}": ends, **blocked}


def _over_person(strategy: Strategy, rows: Any, arm: int) -> Any:
    """Check what is raised over all lines of the person; limits are summed over lines, never over accounts."""
    if all(each.over == "account" for each in strategy.guardrails):
        return rows
    variant = rows[f"_variant_{arm}"]
    raising = [place for place, each in enumerate(strategy.variants) if each.action.raises]
    new = ibis.cases(*((variant == place, rows[f"_new_{place}"]) for place in raising), else_=rows._now)
    rows = _totals(rows.mutate(_new=new), f"_total_{arm}")
    with_total = _Overlay(rows, {TOTAL_NEW: rows[f"_total_{arm}"]})
    answers = {}
    for place, each in enumerate(strategy.guardrails):
        if each.over == "customer":
            answers[f"_pass_{arm}_{place}"] = each.passes.ibis(with_total)
            answers[f"_lacks_{arm}_{place}"] = _lacks(each.passes, answers[f"_pass_{arm}_{place}"], with_total)
    rows = rows.mutate(**answers)
    after = ways_ibis(
        strategy,
        {
            guardrail.id: rows[f"_pass_{place}"]
            for place, guardrail in enumerate(strategy.guardrails)
            if guardrail.over == "account"
        },
    )
    over = {
        action.id: way_over_person_ibis(
            strategy,
            action.id,
            {
                each.id: rows[f"_pass_{arm}_{place}"]
                for place, each in enumerate(strategy.guardrails)
                if each.over == "customer"
            },
            after,
        )
        for action in strategy.actions
    }
    before = {f"_blocked_{arm}_{place}": rows[f"_blocked_{arm}_{place}"] for place in range(len(strategy.guardrails))}
    return rows.mutate(**_through(strategy, arm, rows[f"_variant_{arm}"], over, before))


def _totals(rows: Any, name: str) -> Any:
    """The person's limits as they stand, plus what is raised on the lines up to this one.

    Lines are taken in the order of their ids, so that of two raises that do not fit together the first stands.
    One limit that is not known makes the total not known.
    """
    line = ibis.window(group_by=[rows._person, rows._line])
    rows = rows.mutate(
        _line_now=rows._now.max().over(line),
        _line_up=ibis.greatest(rows._new - rows._now, 0).max().over(line),
        _unclear=(rows._now.isnull() | rows._new.isnull()).cast("int64").sum().over(ibis.window(group_by=rows._person)),
        _place=ibis.row_number().over(ibis.window(group_by=[rows._person, rows._line], order_by=rows.account_id)),
    )
    first = rows._place == 0
    rows = rows.mutate(_add_now=first.ifelse(rows._line_now, 0), _add_up=first.ifelse(rows._line_up, 0))
    person = ibis.window(group_by=rows._person)
    so_far = ibis.window(group_by=rows._person, order_by=[rows._line, rows.account_id], following=0)
    total = (rows._add_now.sum().over(person) + rows._add_up.sum().over(so_far)).cast("decimal(18, 2)")
    rows = rows.mutate(**{name: (rows._unclear == 0).ifelse(total, ibis.null("decimal(18, 2)"))})
    return rows.drop("_line_now", "_line_up", "_unclear", "_place", "_add_now", "_add_up", "_new")


# ── what is decided ─────────────────────────────────────────────────────────────────────────────────────


def _decisions(strategy: Strategy, rows: Any, as_of: date, bundle: str) -> Any:
    """The customer's own arm, the exploring draw, and everything that is written down."""
    rows = _chosen(strategy, _explored(strategy, rows, as_of))
    variant = rows._variant
    actions = [each.action for each in strategy.variants]
    held = [place for place, action in enumerate(actions) if action.purpose not in ALWAYS_ACTED_ON]
    id_ = ibis.literal(f"{as_of.isoformat()}|{strategy.id}|{strategy.version}|") + rows.account_id
    return rows.select(
        decision_id=id_.hexdigest("sha256").substr(0, ID_LENGTH),
        as_of=ibis.literal(as_of),
        account_id=rows.account_id,
        customer_id=rows.customer_id,
        system=rows.system,
        party_id=rows.party_id,
        first_party=rows._first,
        strategy=ibis.literal(strategy.id),
        version=ibis.literal(strategy.version),
        bundle=ibis.literal(bundle),
        arm=_by(rows._arm, [arm.id for arm in strategy.arms]),
        branch=rows._branch,
        action=_by(variant, [action.id for action in actions]),
        parameters=_by(variant, [rows[f"_parameters_{place}"] for place in range(len(actions))]),
        reasons=_reasons(strategy, rows),
        read=_read(strategy, rows),
        blocked=_blocked(strategy, rows),
        unknown=_unknown(strategy, rows),
        explored=rows._is_explored,
        chosen_probability=rows._chance,
        expected_value=_by(variant, [rows[f"_expected_{place}"] for place in range(len(actions))]),
        value_now=rows._now,
        value_new=_by(variant, [rows[f"_new_{place}"] for place in range(len(actions))]),
        valid_until=ibis.literal(as_of + timedelta(days=strategy.valid_days)),
        is_control=rows._control & variant.isin(held) if held else ibis.literal(False),
        state=ibis.literal("proposed"),
    )


def _explored(strategy: Strategy, rows: Any, as_of: date) -> Any:
    """`_open_k`: whether arm k's action may give way to a draw; `_among`: among how many; `_picked`: the draw."""
    may = [rows[f"_may_{place}"].cast("int64") for place in strategy.explorable]
    among = sum(may[1:], may[0]) if may else ibis.literal(0)
    rows = rows.mutate(_among=ibis.greatest(among, 1).cast("int64"), _any=among > 0)
    turn = pick_ibis(f"{explore_salt(strategy, as_of)} pick", rows.account_id, rows._among)
    cases = []
    before = ibis.literal(0)
    for place in strategy.explorable:
        allowed = rows[f"_may_{place}"]
        cases.append((allowed & (turn == before), place))
        before = before + allowed.cast("int64")
    open_to = open_variants(strategy)
    opened = {
        f"_open_{arm}": rows._any & rows[f"_variant_{arm}"].isin(open_to) if open_to else ibis.literal(False)
        for arm in range(len(strategy.arms))
    }
    return rows.mutate(_picked=ibis.cases(*cases) if cases else ibis.null("int64"), **opened)


def open_variants(strategy: Strategy) -> list[int]:
    """Only marketing gives way to a random choice: what protects or is owed is never taken back by chance."""
    if not strategy.explore:
        return []
    return [place for place, each in enumerate(strategy.variants) if each.action.purpose == "marketing"]


def _chosen(strategy: Strategy, rows: Any) -> Any:
    arms = range(len(strategy.arms))
    own = _by(rows._arm, [rows[f"_variant_{arm}"] for arm in arms])
    explored = rows._explore & _by(rows._arm, [rows[f"_open_{arm}"] for arm in arms])
    rows = rows.mutate(_is_explored=explored, _variant=explored.ifelse(rows._picked, own).cast("int64"))
    branch = [
        _by(rows[f"_stopped_{arm}"], [rule.id for rule in strategy.arms[arm].rules]).fill_null(OTHERWISE)
        for arm in arms
    ]
    return rows.mutate(_branch=_by(rows._arm, branch), _chance=_chance(strategy, rows))


def _chance(strategy: Strategy, rows: Any) -> Any:
    """With which chance this action was chosen, over the arms and the exploring draw, in whole billionths."""
    parts = ibis.literal(0)
    among = rows._among
    can_pick = [(rows._variant == place, rows[f"_may_{place}"].cast("int64")) for place in strategy.explorable]
    picked = ibis.cases(*can_pick, else_=0) if can_pick else ibis.literal(0)
    for place, arm in enumerate(strategy.arms):
        same = (rows[f"_variant_{place}"] == rows._variant).cast("int64")
        stays = same * among * WHOLE_CHANCE
        moves = same * among * (WHOLE_CHANCE - strategy.explore) + picked * strategy.explore
        parts = parts + rows[f"_open_{place}"].ifelse(moves, stays) * arm.share
    whole = among * WHOLE_CHANCE * 100
    return ((parts * BILLION * 2 + whole) // (whole * 2)).cast("int64").cast("float64") / float(BILLION)


def _by(position: Any, values: list[Any]) -> Any:
    """The value that a column of positions names."""
    return (
        ibis.cases(*((position == place, value) for place, value in enumerate(values)))
        if values
        else ibis.null("string")
    )


def _reasons(strategy: Strategy, rows: Any) -> Any:
    """Why this and not something else: chance, what blocked, what is not known, then the branch's own reasons."""
    per_arm = []
    for place, arm in enumerate(strategy.arms):
        rules = [_codes(rule.choice.reasons) for rule in arm.rules]
        named = _by(rows[f"_branch_{place}"], rules)
        per_arm.append(named.fill_null(rows[f"_unknown_{place}"].isnull().ifelse(_codes(arm.otherwise.reasons), "")))
    text = rows._is_explored.ifelse(_codes((EXPLORED,)), "")
    for place, guardrail in enumerate(strategy.guardrails):
        text = text + _own_blocked(strategy, rows, place).notnull().ifelse(_codes((guardrail.reason,)), "")
    text = text + (_unknown(strategy, rows) != "").ifelse(_codes((NOT_KNOWN,)), "")
    text = text + _by(rows._arm, per_arm)
    return _enclosed("[", text, "]")


def _codes(codes: tuple[str, ...]) -> str:
    return "".join(f'"{code}",' for code in codes)


def _own_blocked(strategy: Strategy, rows: Any, guardrail: int) -> Any:
    return _by(rows._arm, [rows[f"_blocked_{arm}_{guardrail}"] for arm in range(len(strategy.arms))])


def _blocked(strategy: Strategy, rows: Any) -> Any:
    text = ibis.literal("")
    for place, guardrail in enumerate(strategy.guardrails):
        action = _own_blocked(strategy, rows, place)
        text = text + (ibis.literal(f'"{guardrail.id}":"') + action + '",').fill_null("")
    return _enclosed("{", text, "}")


def _enclosed(before: str, text: Any, after: str) -> Any:
    """The text without its last comma, in brackets."""
    return ibis.literal(before) + text.substr(0, ibis.greatest(text.length() - 1, 0)) + after


def _unknown(strategy: Strategy, rows: Any) -> Any:
    """The columns that were needed and are not known, in the order in which they were missed; empty when none."""
    text = _by(rows._arm, [rows[f"_unknown_{arm}"] for arm in range(len(strategy.arms))])
    text = (text + ",").fill_null("")
    for place, guardrail in enumerate(strategy.guardrails):
        if guardrail.over == "account":
            lacks = rows[f"_lacks_{place}"]
        else:
            lacks = _by(rows._arm, [rows[f"_lacks_{arm}_{place}"] for arm in range(len(strategy.arms))])
        text = text + _own_blocked(strategy, rows, place).notnull().ifelse(lacks, "")
    return text.substr(0, ibis.greatest(text.length() - 1, 0))


def _read(strategy: Strategy, rows: Any) -> Any:
    """Every value that the strategy reads, and the person's totals, as JSON in a stable order."""
    return _json({name: (kind, value) for name, kind, value in _values(strategy, rows)})


def _values(strategy: Strategy, rows: Any) -> Iterator[tuple[str, Type, Any]]:
    for name in strategy.reads:
        yield name, strategy.types[name], rows[name]
    if any(each.over == "customer" for each in strategy.guardrails):
        for place, arm in enumerate(strategy.arms):
            yield f"{TOTAL_NEW}.{arm.id}", Type.MONEY, rows[f"_total_{place}"]


def _json(values: Mapping[str, tuple[Type, Any]]) -> Any:
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
