"""A small strategy and small books for the tests of this room."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
from ruamel.yaml import YAML

from backbook.definitions import Item, _items_of
from backbook.engine import Engine
from backbook.expressions import Level, Name, Names, Type
from backbook.strategy.decide import decide
from backbook.strategy.definition import Strategy
from backbook.strategy.reading import read_strategies

AS_OF = date(2026, 10, 31)

NAMES = Names(
    "account",
    [
        Name("as_of", Type.DATE, "业务日期", "As of"),
        Name("credit_limit", Type.MONEY, "信用额度", "Credit limit"),
        Name("total_balance", Type.MONEY, "透支余额", "Total balance"),
        Name("utilisation", Type.NUMBER, "额度使用率", "Utilisation"),
        Name("months_on_book", Type.WHOLE, "账龄月数", "Months on book"),
        Name("days_past_due", Type.WHOLE, "逾期天数", "Days past due"),
        Name("is_student", Type.YESNO, "学生标志", "Student"),
        Name("opened_on", Type.DATE, "开户日期", "Opened on"),
        Name(
            "behaviour_grade",
            Type.TEXT,
            "行为评级",
            "Behaviour grade",
            (Level("A", "优", "Best"), Level("B", "良", "Good"), Level("C", "差", "Poor")),
        ),
        Name(
            "value_grade",
            Type.TEXT,
            "价值评级",
            "Value grade",
            (Level("high", "高", "High"), Level("low", "低", "Low")),
        ),
        Name("customer.total_cap", Type.MONEY, "总额度上限", "Total cap"),
    ],
)

STRATEGY = """
id: limit_review
zh: 额度检视
en: Limit review
owner: 额度策略组
area: limit
cadence: monthly
valid_days: 30
explore: 10
control: 5
value_now: credit_limit
reasons:
  PAST_DUE: {zh: 已逾期, en: Past due}
  GOOD: {zh: 低风险高价值, en: 'Low risk, high value'}
  MIDDLE: {zh: 低风险低价值, en: 'Low risk, low value'}
  NO_NEED: {zh: 无需调整, en: No change needed}
actions:
  - id: increase
    zh: 提额
    en: Raise the limit
    raises: limit
    purpose: marketing
    channel: app
    list: {zh: 额度岗, en: Limit desk}
    parameters:
      - {id: step, value: 0.2}
      - {id: new_limit, value: money(floor(credit_limit * (1 + step) / 500) * 500)}
    value_new: new_limit
    expected_value: money((new_limit - credit_limit) * 0.1)
  - id: stop_use
    zh: 止付
    en: Stop use
    purpose: risk
    channel: system
    list: {zh: 风险岗, en: Risk desk}
    parameters:
      - {id: new_limit, value: 'greatest(total_balance, 0)'}
    value_new: new_limit
  - {id: offer, zh: 推荐分期, en: Offer instalments, purpose: marketing, explore: true, channel: call, list: {zh: 外呼岗, en: Callers}}
  - {id: keep, zh: 维持, en: Keep, purpose: marketing, explore: true}
  - {id: review, zh: 人工复核, en: Review, purpose: service, list: {zh: 复核岗, en: Reviewers}}
guardrails:
  - {id: too_new, zh: 账龄不足6个月, en: Less than 6 months on book, pass: months_on_book >= 6, blocks: [increase], instead: keep}
  - {id: student, zh: 学生, en: Student, pass: not is_student, blocks: [increase, offer], instead: keep, when_unknown: review}
  - id: total_limit
    zh: 超过个人总额度上限
    en: Over the person's total cap
    over: customer
    pass: total_new <= customer.total_cap
    blocks: [increase]
    instead: keep
    when_unknown: review
branches:
  - {id: past_due, when: days_past_due > 30, action: stop_use, reasons: [PAST_DUE]}
arms:
  - id: champion
    zh: 冠军
    en: Champion
    share: 80
    table:
      rows: behaviour_grade
      columns: value_grade
      groups:
        active: {action: increase, reasons: [GOOD]}
        passive: {action: offer, reasons: [MIDDLE]}
        nothing: {action: keep, reasons: [NO_NEED]}
      cells:
        A: {high: active, low: active}
        B: {high: active, low: passive}
        C: {high: passive, low: nothing}
    otherwise: {action: keep, reasons: [NO_NEED]}
  - id: challenger
    zh: 挑战者
    en: Challenger
    share: 20
    branches:
      - {id: more, when: utilisation > 0.5 and behaviour_grade = 'A', action: increase, reasons: [GOOD], parameters: {step: 0.5}}
    otherwise: {action: keep, reasons: [NO_NEED]}
"""


def item(text: str = STRATEGY, file: str = "strategies/limit_review.yaml") -> Item:
    items, faults = _items_of("strategy", YAML(typ="rt").load(text), None, file, "workspace")
    assert not faults, faults
    return items[0]


def strategy(text: str = STRATEGY, names: Names = NAMES) -> Strategy:
    strategies, faults = read_strategies([item(text)], names)
    assert not faults, "\n".join(map(str, faults))
    return strategies[0]


def faults(text: str, names: Names = NAMES) -> list[str]:
    return [str(fault) for fault in read_strategies([item(text)], names)[1]]


GOOD: dict[str, Any] = {
    "account_id": "A1",
    "customer_id": "C1",
    "system": "core",
    "party_id": "P1",
    "line_id": None,
    "credit_limit": Decimal("10000.00"),
    "total_balance": Decimal("6000.00"),
    "utilisation": 0.6,
    "months_on_book": 24,
    "days_past_due": 0,
    "is_student": False,
    "opened_on": date(2024, 10, 1),
    "behaviour_grade": "A",
    "value_grade": "high",
    "customer.total_cap": Decimal("100000.00"),
}

_ARROW = {
    Type.WHOLE: pa.int64(),
    Type.MONEY: pa.decimal128(18, 2),
    Type.NUMBER: pa.float64(),
    Type.TEXT: pa.string(),
    Type.DATE: pa.date32(),
    Type.YESNO: pa.bool_(),
}


def account(id_: str = "A1", **changes: Any) -> dict[str, Any]:
    """An account that passes every gate, with what is said changed; one person per account unless said."""
    own = {"account_id": id_, "customer_id": f"C-{id_}", "party_id": f"P-{id_}"}
    return {
        **GOOD,
        **own,
        **{key.replace("customer_total_cap", "customer.total_cap"): value for key, value in changes.items()},
    }


def book(rows: list[dict[str, Any]], names: Names = NAMES) -> pa.Table:
    keys = [(key, pa.string()) for key in ("account_id", "customer_id", "system", "party_id", "line_id")]
    columns = [(name.name, _ARROW[name.type]) for name in names if name.name != "as_of"]
    schema = pa.schema(keys + [column for column in columns if column[0] not in dict(keys)])
    return pa.Table.from_pylist(rows, schema=schema)


ENGINE = Engine(threads=2)


def decided(rows: list[dict[str, Any]], which: Strategy | None = None, **more: Any) -> list[dict[str, Any]]:
    """The decisions over a small book, ordered by account."""
    with ENGINE.scope():
        table = decide(which or strategy(), ENGINE.table(book(rows)), as_of=AS_OF, engine=ENGINE, **more)
        return ENGINE.arrow(table).to_pylist()
