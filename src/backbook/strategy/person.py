"""The same decision for one customer, on the spot: plain Python, no database, the same answer.

    decide_person(strategy, rows, as_of=date(2026, 10, 31))   # all accounts of one customer
    decide_one(strategy, row, as_of=date(2026, 10, 31))       # a customer with one account

Compiled once per strategy. A test runs a whole book both ways.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from backbook.expressions import Expression, Type, first_match
from backbook.strategy import arms as draws
from backbook.strategy.blocking import Check, Way, way_over_person, ways
from backbook.strategy.definition import (
    ALWAYS_ACTED_ON,
    EXPLORED,
    NOT_KNOWN,
    REFER,
    TOTAL_NEW,
    Choice,
    Strategy,
)
from backbook.strategy.facts import branches, explore_salt
from backbook.strategy.record import BILLION, ID_LENGTH, OTHERWISE, WHOLE_CHANCE, open_variants

Row = Mapping[str, Any]
Totals = Mapping[str, Decimal | None]


@dataclass(frozen=True)
class _Compiled:
    tables: tuple[Callable[[Row], Any], ...]
    passes: Mapping[str, Callable[[Row], Any]]
    parameters: tuple[tuple[tuple[str, Type, Callable[[Row], Any]], ...], ...]
    new: tuple[Callable[[Row], Any], ...]
    expected: tuple[Callable[[Row], Any], ...]
    now: Callable[[Row], Any]


@dataclass
class _Account:
    """One account on its way to a decision."""

    row: Row
    line: str
    now: Decimal | None
    checks: dict[str, Check]
    ways: dict[str, Way]
    parameters: list[dict[str, Any]]
    wishes: list[tuple[int, str, tuple[str, ...], tuple[str, ...]]]
    ends: list[int]
    blocked: list[dict[str, str]]
    totals: list[Decimal | None]
    lacks: list[dict[str, tuple[str, ...]]]


def decide_one(strategy: Strategy, row: Row, *, as_of: date, bundle: str = "") -> dict[str, Any]:
    """The decision for a customer with one account."""
    return decide_person(strategy, [row], as_of=as_of, bundle=bundle)[0]


def decide_person(
    strategy: Strategy, rows: Sequence[Row], *, as_of: date, bundle: str = "", totals: Totals | None = None
) -> list[dict[str, Any]]:
    """The decisions for all accounts of one customer, ordered by account.

    A row holds what `decide` wants of the profile, and may hold `first_party` and `line_id`. `totals` are the
    person's totals by arm where the person's other accounts are not at hand.
    """
    compiled = _compile(strategy)
    accounts = _accounts(strategy, compiled, rows, as_of, totals)
    return [_decision(strategy, compiled, account, as_of, bundle) for account in accounts]


def arm_actions(strategy: Strategy, row: Row, *, as_of: date, totals: Totals) -> dict[str, str]:
    """What each arm would do with one account, before any exploring."""
    account = _accounts(strategy, _compile(strategy), [row], as_of, totals)[0]
    return {arm.id: strategy.variants[end].action.id for arm, end in zip(strategy.arms, account.ends, strict=True)}


def _accounts(
    strategy: Strategy, compiled: _Compiled, rows: Sequence[Row], as_of: date, given: Totals | None
) -> list[_Account]:
    ordered = sorted(rows, key=lambda row: row["account_id"])
    accounts = [_account(strategy, compiled, {**row, "as_of": as_of}) for row in ordered]
    if any(each.over == "customer" for each in strategy.guardrails):
        for place, arm in enumerate(strategy.arms):
            if given is None:
                totals = _totals(strategy, compiled, accounts, place)
            else:
                totals = [given.get(arm.id)] * len(accounts)
            _over_person(strategy, compiled, accounts, place, totals)
    return accounts


@lru_cache(maxsize=256)
def _compile(strategy: Strategy) -> _Compiled:
    return _Compiled(
        tables=tuple(first_match(branches(arm)).python() for arm in strategy.arms),
        passes={each.id: each.passes.python() for each in strategy.guardrails},
        parameters=tuple(
            tuple((each.id, each.expression.type, each.expression.python()) for each in variant.parameters)
            for variant in strategy.variants
        ),
        new=tuple(_python(variant.action.value_new) for variant in strategy.variants),
        expected=tuple(_python(variant.action.expected_value) for variant in strategy.variants),
        now=_python(strategy.value_now),
    )


def _python(expression: Expression | None) -> Callable[[Row], Any]:
    return (lambda row: None) if expression is None else expression.python()


def _account(strategy: Strategy, compiled: _Compiled, row: Row) -> _Account:
    checks = {
        each.id: _check(compiled.passes[each.id](row), each.passes, row)
        for each in strategy.guardrails
        if each.over == "account"
    }
    scopes = [_scope(parameters, row) for parameters in compiled.parameters]
    account = _Account(
        row=row,
        line=row.get("line_id") or row["account_id"],
        now=compiled.now(row),
        checks=checks,
        ways=ways(strategy, checks),
        parameters=scopes,
        wishes=[],
        ends=[],
        blocked=[],
        totals=[None] * len(strategy.arms),
        lacks=[],
    )
    for place in range(len(strategy.arms)):
        wish = _wish(strategy, compiled, place, row)
        way = account.ways[strategy.variants[wish[0]].action.id]
        account.wishes.append(wish)
        account.ends.append(wish[0] if way.variant is None else way.variant)
        account.blocked.append(dict(way.blocked))
        account.lacks.append({id_: checks[id_].unknown for id_ in way.blocked})
    return account


def _check(passed: bool | None, expression: Expression, row: Row) -> Check:
    if passed is not None:
        return Check(passed)
    names = sorted(expression.reads)
    return Check(None, tuple(name for name in names if row[name] is None) or tuple(names))


def _scope(parameters: Sequence[tuple[str, Type, Callable[[Row], Any]]], row: Row) -> dict[str, Any]:
    scope = dict(row)
    for id_, _, value in parameters:
        scope[id_] = value(scope)
    return scope


def _wish(
    strategy: Strategy, compiled: _Compiled, place: int, row: Row
) -> tuple[int, str, tuple[str, ...], tuple[str, ...]]:
    """(variant, branch, reasons, columns not known) of one arm's table."""
    arm = strategy.arms[place]
    index, unknown, path = compiled.tables[place](row)
    if index is not None:
        rule = arm.rules[index]
        return strategy.variant(rule.choice), rule.id, rule.choice.reasons, ()
    if unknown:
        return strategy.variant(Choice(REFER)), path[-1][0], (), unknown
    return strategy.variant(arm.otherwise), OTHERWISE, arm.otherwise.reasons, ()


def _over_person(
    strategy: Strategy,
    compiled: _Compiled,
    accounts: Sequence[_Account],
    arm: int,
    totals: Sequence[Decimal | None],
) -> None:
    checked = [each for each in strategy.guardrails if each.over == "customer"]
    for account, total in zip(accounts, totals, strict=True):
        account.totals[arm] = total
        row = {**account.row, TOTAL_NEW: total}
        checks = {each.id: _check(compiled.passes[each.id](row), each.passes, row) for each in checked}
        action = strategy.variants[account.ends[arm]].action
        way = way_over_person(strategy, action.id, checks, account.ways)
        if way.variant is not None:
            account.ends[arm] = way.variant
        account.blocked[arm] = {**way.blocked, **account.blocked[arm]}
        account.lacks[arm] |= {id_: {**account.checks, **checks}[id_].unknown for id_ in way.blocked}


def _totals(strategy: Strategy, compiled: _Compiled, accounts: Sequence[_Account], arm: int) -> list[Decimal | None]:
    """For each account: the person's limits as they stand, plus what is raised on the lines up to its own."""
    lines: dict[str, tuple[list[Decimal], list[Decimal]]] = {}
    for account in accounts:
        variant = account.ends[arm]
        raises = strategy.variants[variant].action.raises
        new = compiled.new[variant](account.parameters[variant]) if raises else account.now
        if account.now is None or new is None:
            return [None] * len(accounts)
        now_values, up_values = lines.setdefault(account.line, ([], []))
        now_values.append(account.now)
        up_values.append(max(new - account.now, Decimal(0)))
    total_now = sum((max(now) for now, _ in lines.values()), Decimal(0))
    reached, so_far = {}, Decimal(0)
    for line in sorted(lines):
        so_far += max(lines[line][1])
        reached[line] = total_now + so_far
    return [reached[account.line] for account in accounts]


def _decision(strategy: Strategy, compiled: _Compiled, account: _Account, as_of: date, bundle: str) -> dict[str, Any]:
    row = account.row
    account_id = row["account_id"]
    first = row.get("first_party") or _own_party(row)
    place = draws.arm(draws.draw(strategy.area, first), [arm.share for arm in strategy.arms])
    may = [each for each in strategy.explorable if account.ways[strategy.variants[each].action.id].variant is None]
    salt = explore_salt(strategy, as_of)
    opened = [bool(may) and end in open_variants(strategy) for end in account.ends]
    explored = opened[place] and draws.draw(salt, account_id) < strategy.explore
    variant = may[draws.pick(f"{salt} pick", account_id, len(may))] if explored else account.ends[place]
    chosen = strategy.variants[variant]
    _, branch, reasons, unknown = account.wishes[place]
    blocked = account.blocked[place]
    against = [each for each in strategy.guardrails if each.id in blocked]
    lacks = (*unknown, *(name for each in against for name in account.lacks[place].get(each.id, ())))
    text = f"{as_of.isoformat()}|{strategy.id}|{strategy.version}|{account_id}"
    parameters = {id_: (kind, account.parameters[variant][id_]) for id_, kind, _ in compiled.parameters[variant]}
    return {
        "decision_id": hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH],
        "as_of": as_of,
        "account_id": account_id,
        "customer_id": row.get("customer_id"),
        "system": row.get("system"),
        "party_id": row.get("party_id"),
        "first_party": first,
        "strategy": strategy.id,
        "version": strategy.version,
        "bundle": bundle,
        "arm": strategy.arms[place].id,
        "branch": branch,
        "action": chosen.action.id,
        "parameters": _json(parameters),
        "reasons": json.dumps(
            [
                *([EXPLORED] if explored else []),
                *(each.reason for each in against),
                *([NOT_KNOWN] if lacks else []),
                *reasons,
            ],
            separators=(",", ":"),
        ),
        "read": _json(_values(strategy, account)),
        "blocked": json.dumps({each.id: blocked[each.id] for each in against}, separators=(",", ":")),
        "unknown": ",".join(lacks),
        "explored": explored,
        "chosen_probability": _chance(strategy, account, opened, may, variant),
        "expected_value": compiled.expected[variant](account.parameters[variant]),
        "value_now": account.now,
        "value_new": compiled.new[variant](account.parameters[variant]),
        "valid_until": as_of + timedelta(days=strategy.valid_days),
        "is_control": draws.draw(draws.UNIVERSAL_CONTROL, first) < strategy.control
        and chosen.action.purpose not in ALWAYS_ACTED_ON,
        "state": "proposed",
    }


def _own_party(row: Row) -> str:
    system, party_id = row.get("system"), row.get("party_id")
    known = system is not None and party_id is not None
    return str(draws.party_key(system, party_id) if known else row["account_id"])


def _chance(strategy: Strategy, account: _Account, opened: Sequence[bool], may: Sequence[int], variant: int) -> float:
    among = max(len(may), 1)
    picked = int(variant in may)
    parts = 0
    for arm, end, is_open in zip(strategy.arms, account.ends, opened, strict=True):
        same = int(end == variant)
        if is_open:
            parts += arm.share * (same * among * (WHOLE_CHANCE - strategy.explore) + picked * strategy.explore)
        else:
            parts += arm.share * same * among * WHOLE_CHANCE
    whole = among * WHOLE_CHANCE * 100
    return (parts * BILLION * 2 + whole) // (whole * 2) / float(BILLION)


def _values(strategy: Strategy, account: _Account) -> dict[str, tuple[Type, Any]]:
    values = {name: (strategy.types[name], account.row[name]) for name in strategy.reads}
    if any(each.over == "customer" for each in strategy.guardrails):
        for arm, total in zip(strategy.arms, account.totals, strict=True):
            values[f"{TOTAL_NEW}.{arm.id}"] = (Type.MONEY, total)
    return values


def _json(values: Mapping[str, tuple[Type, Any]]) -> str:
    plain = {name: _plain(kind, value) for name, (kind, value) in values.items()}
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _plain(kind: Type, value: Any) -> Any:
    if value is None:
        return None
    if kind is Type.MONEY:
        return f"{Decimal(value):.2f}"
    if kind in (Type.DATE, Type.TIME):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return value
