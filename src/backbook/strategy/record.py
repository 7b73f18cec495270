"""What is decided and written down: the customer's own arm, the exploring draw, the chance, the values read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import ibis

from backbook.expressions import Type
from backbook.strategy.arms import pick_ibis
from backbook.strategy.definition import ALWAYS_ACTED_ON, EXPLORED, NOT_KNOWN, TOTAL_NEW, Strategy
from backbook.strategy.facts import explore_salt, json_object

OTHERWISE = "otherwise"
ID_LENGTH = 32

# Chances are kept as whole billionths: the least possible one, of a 1 % arm that explores 0.01 %, still shows.
BILLION = 1_000_000_000
WHOLE_CHANCE = 10_000


def decisions(strategy: Strategy, rows: Any, as_of: date, bundle: str) -> Any:
    """The customer's own arm, the exploring draw, and everything that is written down."""
    rows = _explained(strategy, _chosen(strategy, _explored(strategy, rows, as_of)))
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
        reasons=_enclosed("[", rows._reasons, "]"),
        read=_read(strategy, rows),
        blocked=_enclosed("{", rows._blocked, "}"),
        unknown=_enclosed("", rows._lacking, ""),
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


def _explained(strategy: Strategy, rows: Any) -> Any:
    """`_reasons`, `_blocked` and `_lacking`, each a text whose parts end with a comma.

    Why this and not something else: chance, what blocked, what is not known, then the branch's own reasons.
    """
    arms = range(len(strategy.arms))
    columns = {"_why": _by(rows._arm, [_why(strategy, rows, arm) for arm in arms])}
    for place, _ in enumerate(strategy.guardrails):
        columns[f"_stop_{place}"] = _by(rows._arm, [rows[f"_blocked_{arm}_{place}"] for arm in arms])
    rows = rows.mutate(**columns)
    lacking = _by(rows._arm, [rows[f"_unknown_{arm}"] for arm in arms]).fill_null("")
    stops, blocked = rows._is_explored.ifelse(_codes((EXPLORED,)), ""), ibis.literal("")
    for place, guardrail in enumerate(strategy.guardrails):
        stop = rows[f"_stop_{place}"]
        if guardrail.over == "account":
            lacks = rows[f"_lacks_{place}"]
        else:
            lacks = _by(rows._arm, [rows[f"_lacks_{arm}_{place}"] for arm in arms])
        lacking = lacking + stop.notnull().ifelse(lacks, "")
        stops = stops + stop.notnull().ifelse(_codes((guardrail.reason,)), "")
        blocked = blocked + (ibis.literal(f'"{guardrail.id}":"') + stop + '",').fill_null("")
    rows = rows.mutate(_lacking=lacking, _stops=stops, _blocked=blocked)
    unknown = (rows._lacking != "").ifelse(_codes((NOT_KNOWN,)), "")
    return rows.mutate(_reasons=rows._stops + unknown + rows._why)


def _why(strategy: Strategy, rows: Any, arm: int) -> Any:
    """The reasons of the branch that one arm took."""
    rules = [_codes(rule.choice.reasons) for rule in strategy.arms[arm].rules]
    otherwise = rows[f"_unknown_{arm}"].isnull().ifelse(_codes(strategy.arms[arm].otherwise.reasons), "")
    return _by(rows[f"_branch_{arm}"], rules).fill_null(otherwise)


def _codes(codes: tuple[str, ...]) -> str:
    return "".join(f'"{code}",' for code in codes)


def _enclosed(before: str, text: Any, after: str) -> Any:
    """The text without its last comma, in brackets."""
    return ibis.literal(before) + text.substr(0, ibis.greatest(text.length() - 1, 0)) + after


def _read(strategy: Strategy, rows: Any) -> Any:
    """Every value that the strategy reads, and the person's totals, as JSON in a stable order."""
    return json_object({name: (kind, value) for name, kind, value in _values(strategy, rows)})


def _values(strategy: Strategy, rows: Any) -> Iterator[tuple[str, Type, Any]]:
    for name in strategy.reads:
        yield name, strategy.types[name], rows[name]
    if any(each.over == "customer" for each in strategy.guardrails):
        for place, arm in enumerate(strategy.arms):
            yield f"{TOTAL_NEW}.{arm.id}", Type.MONEY, rows[f"_total_{place}"]
