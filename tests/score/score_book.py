"""A small book on paper for the tests of scores: the profile and the outcomes of each day as plain columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from backbook.customer.window import month_start
from backbook.definitions import Item
from backbook.engine import Engine
from backbook.expressions import Level, Name, Names, Type
from backbook.score import Columns, Score, read_scores

TYPES = {
    Type.NUMBER: pa.float64(),
    Type.WHOLE: pa.int64(),
    Type.MONEY: pa.decimal128(18, 2),
    Type.TEXT: pa.string(),
    Type.YESNO: pa.bool_(),
    Type.DATE: pa.date32(),
}

PROFILE = (
    Name("account_id", Type.TEXT, "账户号", "Account"),
    Name("customer_id", Type.TEXT, "客户编号", "Customer"),
    Name("utilisation", Type.NUMBER, "额度使用率", "Utilisation"),
    Name("late", Type.WHOLE, "逾期次数", "Times late"),
    Name("balance", Type.MONEY, "余额", "Balance"),
    Name("city", Type.TEXT, "城市", "City", (Level("sh", "上海", "Shanghai"), Level("bj", "北京", "Beijing"))),
    Name("autopay", Type.YESNO, "自动还款", "Autopay"),
    Name("sex", Type.WHOLE, "性别", "Sex"),
    Name("noise", Type.NUMBER, "噪声", "Noise"),
    Name("first_use", Type.DATE, "首次使用日", "First use"),
)
OUTCOMES = (Name("worst_dpd", Type.WHOLE, "最大逾期天数", "Worst days past due"),)

BEHAVIOUR: Mapping[str, Any] = {
    "id": "behaviour",
    "zh": "行为",
    "en": "Behaviour",
    "target": "worst_dpd > 30",
    "features": ["utilisation", "late", "balance", "city", "autopay", "noise"],
    "monotone": {"utilisation": "up", "late": "up"},
    "grades": {"A": 0.1, "B": 0.3, "C": 1},
    "observations": {"at_most": 3},
}


def columns(*more: Name, protected: Collection[str] = ("sex",), purposes: Mapping[str, str] | None = None) -> Columns:
    profile = Names("account", [*PROFILE, *more])
    outcomes = Names("outcomes", OUTCOMES)
    return Columns(
        {"account": profile, "customer": profile},
        {"account": outcomes, "customer": outcomes},
        protected,
        purposes or {},
        {"balance": "borrowing", "utilisation": "borrowing", "late": "borrowing", "noise": "spending"},
        {"worst_dpd": 0},
    )


def item(**changes: Any) -> Item:
    data = {key: value for key, value in {**BEHAVIOUR, **changes}.items() if value is not None}
    lines = {"": 1} | {key: place for place, key in enumerate(data, 1)}
    return Item("score", data["id"], data, "scores/behaviour.yaml", lines)


def score(**changes: Any) -> Score:
    found, faults = read_scores([item(**changes)], columns())
    assert not faults, [str(fault) for fault in faults]
    return found[0]


def rows(count: int, seed: int = 1, people: int | None = None) -> dict[str, Any]:
    """Made-up accounts: the more of the limit is used and the more often late, the likelier the event."""
    random = np.random.default_rng(seed)
    utilisation = random.uniform(0, 1.2, count).round(3)
    late = random.poisson(0.6, count)
    city = random.choice(["sh", "bj", "gz"], count)
    chance = 1 / (1 + np.exp(-(-3 + 2 * utilisation + 0.9 * late + 0.7 * (city == "gz"))))
    return {
        "account_id": [f"a{number:06d}" for number in range(count)],
        "customer_id": [f"c{number % (people or count):06d}" for number in range(count)],
        "utilisation": np.where(random.random(count) < 0.05, None, utilisation).tolist(),
        "late": late.tolist(),
        "balance": [Decimal(f"{amount:.2f}") for amount in random.uniform(-50, 5000, count)],
        "city": np.where(random.random(count) < 0.03, None, city).tolist(),
        "autopay": (random.random(count) < 0.5).tolist(),
        "sex": random.integers(1, 3, count).tolist(),
        "noise": random.normal(size=count).tolist(),
        "first_use": [None] * count,
        "worst_dpd": np.where(random.random(count) < chance, 60, 0).tolist(),
    }


def arrow(values: Mapping[str, Any]) -> pa.Table:
    types = {name.name: TYPES[name.type] for name in (*PROFILE, *OUTCOMES)}
    return pa.table({name: pa.array(column, types.get(name)) for name, column in values.items()})


class PaperBook:
    """The book of every day is the same, or as `days` says; outcomes are over `months` after a day."""

    def __init__(
        self,
        engine: Engine,
        values: Mapping[str, Any],
        *,
        days: Mapping[date, Mapping[str, Any]] | None = None,
        months: int = 6,
        first: date = date(2024, 1, 1),
    ) -> None:
        self.engine, self.values, self.days, self.months, self.first = engine, values, days or {}, months, first
        self.asked: list[tuple[str, date, Any]] = []

    def _table(self, on: date) -> Any:
        return self.engine.table(arrow(self.days.get(on, self.values)))

    def profile(self, grain: str, on: date, columns: Collection[str], units: Any | None = None) -> Any:
        self.asked.append(("profile", on, frozenset(columns)))
        table = self._table(on).drop("worst_dpd")
        return table if units is None else table.semi_join(units, f"{grain}_id")

    def outcomes(self, grain: str, on: date, known_by: date, columns: Collection[str], units: Any) -> Any:
        self.asked.append(("outcomes", on, known_by))
        table = self._table(on).select(f"{grain}_id", "worst_dpd").semi_join(units, f"{grain}_id")
        over = self.outcomes_end(grain, on, columns) <= known_by
        return table if over else table.mutate(worst_dpd=ibis.null("int64"))

    def outcomes_end(self, grain: str, on: date, columns: Collection[str]) -> date:
        return month_start(on, self.months + 1) - timedelta(days=1)

    def first_day(self) -> date | None:
        return self.first
