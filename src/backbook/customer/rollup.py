"""From a customer's accounts to the customer: sum, sum over lines, max, min, worst, any.

A sum with an unknown part is not known; `worst` is not known while any account's value is not, for an unknown
account may be the worst; `max` and `min` look at those that are known. Limits are summed over lines, never over
accounts: accounts that share one limit count it once. A customer without an account has a sum of zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis

from backbook.customer.definition import Feature
from backbook.customer.passes import IBIS, exact
from backbook.expressions import Level, Type

SUMS = ("sum", "sum over lines")
LINE = "_line"


def rolled_up(features: Sequence[Feature], accounts: Any) -> Any:
    """One row per customer_id with each feature's value over the accounts, and `_accounts`, how many there are.

    `accounts` has customer_id, account_id, line_id and the features' columns.
    """
    plain = [feature for feature in features if feature.rollup != "sum over lines"]
    values = {feature.id: _value(feature, accounts[feature.id]) for feature in plain}
    found = accounts.group_by("customer_id").agg(_accounts=accounts.count(), **values)
    by_line = [feature for feature in features if feature.rollup == "sum over lines"]
    if by_line:
        sums = _over_lines(by_line, accounts).rename(_owner="customer_id")
        found = found.left_join(sums, found.customer_id == sums["_owner"]).drop("_owner")
    return found.select("customer_id", "_accounts", *(feature.id for feature in features))


def _over_lines(features: Sequence[Feature], accounts: Any) -> Any:
    lines = accounts.mutate(**{LINE: ibis.coalesce(accounts.line_id, accounts.account_id)})
    # Accounts of one line tell the same limit; where they do not, the highest is the one in force.
    lines = lines.group_by(["customer_id", LINE]).agg(**{feature.id: _most(lines[feature.id]) for feature in features})
    return lines.group_by("customer_id").agg(**{feature.id: _sum(lines[feature.id], feature) for feature in features})


def _value(feature: Feature, column: Any) -> Any:
    match feature.rollup:
        case "sum":
            return _sum(column, feature)
        case "any":
            # True if one is; false only if each is known to be.
            return column.any().ifelse(True, _complete(column, ibis.literal(False)))
        case "worst":
            return _worst(feature, column)
        case "min":
            return column.min()
        case _:
            return column.max()


def _sum(column: Any, feature: Feature) -> Any:
    total = exact(column, feature.type).sum()
    sized = (
        total.try_cast("decimal(38,0)").try_cast("int64")
        if feature.type is Type.WHOLE
        else total.try_cast(IBIS[feature.type])
    )
    return _complete(column, sized)


def _most(column: Any) -> Any:
    return column.max()


def _worst(feature: Feature, column: Any) -> Any:
    if not feature.levels:
        return _complete(column, column.max())
    # Levels are declared from best to worst.
    place = ibis.cases(*((column == level.code, place) for place, level in enumerate(feature.levels)), else_=None)
    return _complete(column, _code(place.max(), feature.levels))


def _code(place: Any, levels: Sequence[Level]) -> Any:
    return ibis.cases(*((place == at, ibis.literal(level.code)) for at, level in enumerate(levels)), else_=None)


def _complete(column: Any, value: Any) -> Any:
    """The value when every account's is known."""
    return column.isnull().any().ifelse(ibis.null(value.type()), value)
