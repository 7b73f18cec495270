"""Definitions: what is read, what is refused, and that every fault is told with its line."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from customer_book import attribute, feature

from backbook.customer.reading import read_features, read_outcomes
from backbook.customer.window import Window, read_window
from backbook.definitions import Item, read_items
from backbook.expressions import Type
from backbook.sources.contract import TABLES

COUNT = {"table": "transaction", "measure": "count"}


def faults(*items: Item, outcome: bool = False, attributes: Any = ()) -> list[str]:
    return [str(fault) for fault in (read_outcomes if outcome else read_features)(list(items), TABLES, attributes)[1]]


def only_fault(*items: Item, **more: Any) -> str:
    found = faults(*items, **more)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        ({"table": "transactoin", "measure": "count"}, "the table 'transactoin' is not in the contract. Did you mean 'transaction'?"),
        ({"table": "transaction", "measure": "cuont"}, "the measure 'cuont' is not known. Did you mean 'count'?"),
        ({"table": "transaction", "measure": "sum"}, "sum needs 'of'"),
        ({"table": "transaction", "measure": "sum", "of": "amont"}, "Did you mean 'amount'?"),
        ({"table": "transaction", "measure": "sum", "of": "kind"}, "sum is of numbers, and 'kind' is text"),
        ({"table": "transaction", "measure": "sum", "of": "sum(amount)"}, "sum"),
        ({**COUNT, "filter": "amount"}, "yes/no is expected"),
        ({**COUNT, "filter": "kind = 'purchse'"}, "purchase"),
        ({**COUNT, "window": "last 30 dyas"}, "the window 'last 30 dyas' is not one of a feature. Write 'last N days'"),
        ({**COUNT, "window": "next 3 months"}, "is not one of a feature"),
        ({**COUNT, "window": "last 0 days"}, "is not one of a feature"),
        ({**COUNT, "window": "last 3 cycles"}, "cycles are those of the table 'statement'"),
        ({**COUNT, "grain": "cutsomer"}, "the grain is 'cutsomer'"),
        ({**COUNT, "rollup": "average"}, "the roll-up 'average' is not known"),
        ({**COUNT, "rollup": "any"}, "'any' is of yes/no, and this is whole"),
        ({**COUNT, "grain": "customer", "rollup": "sum"}, "is at the customer already"),
        ({**COUNT, "within": "amount > 0"}, "'within' belongs to share"),
        ({**COUNT, "none": "x"}, "'x' is not a whole"),
        ({**COUNT, "filer": "amount > 0"}, "'filer' is not known here. Did you mean 'filter'?"),
        ({**COUNT, "dated": "posted_on"}, "'posted_on' is not a date of 'transaction'. Did you mean 'posted_at'?"),
        ({"table": "transaction", "measure": "share"}, "share needs 'filter'"),
        ({"table": "transaction", "measure": "streak", "window": "ever"}, "needs a window of cycles or months"),
        ({"table": "transaction", "measure": "streak", "window": "last 40 months"}, "cannot be counted over 'last 40 months'"),
        ({"table": "event", "measure": "count"}, "belong to people, not to accounts. Write grain: customer"),
        ({"table": "product", "measure": "count"}, "belong to"),
        ({"table": "statement", "measure": "count", "window": "last 3 cycles", "grain": "customer"}, "cycles belong to an account"),
        ({"expression": "balance * 2"}, "'balance' is not known to the account profile"),
        ({"expression": "f + 1"}, "reads itself: f → f"),
        ({"expression": "1", "table": "statement"}, "'table' is not known here"),
        ({**COUNT, "zh": ""}, "has no name in 'zh'"),
    ],
)  # fmt: skip
def test_a_definition_that_cannot_mean_anything_is_refused_with_what_is_possible(definition: Any, told: str) -> None:
    assert any(told in fault for fault in faults(feature("f", **definition))), faults(feature("f", **definition))


def test_all_faults_of_a_file_are_told_at_once_each_with_its_line(tmp_path: Any) -> None:
    (tmp_path / "features.yaml").write_text(
        """\
features:
  - id: good
    zh: 好
    en: Good
    table: transaction
    measure: count
  - id: bad
    zh: 坏
    en: Bad
    table: transaction
    measure: sum
    of: amont
    filter: kynd = 'purchase'
  - id: worse_{n}d
    for: {n: [30, 90]}
    zh: 更坏{n}
    en: Worse {n}
    table: statemnt
    measure: count
""",
        encoding="utf-8",
    )
    items, none = read_items(tmp_path, "workspace")
    features, found = read_features(items, TABLES)
    assert not none
    assert [feature.id for feature in features] == ["good"]
    assert [(fault.file, fault.line) for fault in found] == [("features.yaml", line) for line in (12, 13, 18, 18)]


def test_a_template_makes_one_feature_per_value_and_keeps_both_languages() -> None:
    item = feature(
        "spend_{n}d_{k}", zh="近{n}天{k.zh}额", en="{k.en} in {n} days", table="transaction", measure="sum", of="amount", filter="kind = '{k}'", window="last {n} days",
        **{"for": {"n": [30, 90], "k": [{"is": "purchase", "zh": "消费", "en": "Spend"}, {"is": "fee", "zh": "费用", "en": "Fees"}]}},
    )  # fmt: skip
    made, wrong = read_features([item], TABLES)
    assert not wrong
    assert [(one.id, one.zh, one.en) for one in made][1:3] == [
        ("spend_30d_fee", "近30天费用额", "Fees in 30 days"),
        ("spend_90d_purchase", "近90天消费额", "Spend in 90 days"),
    ]
    assert made[1].filter is not None and made[1].filter.text == "kind = 'fee'"


def test_a_value_that_the_id_does_not_use_is_refused() -> None:
    assert "'for' names n, m" in only_fault(feature("spend_{n}", **COUNT, **{"for": {"n": [1], "m": [2]}}))
    assert "'for' names nothing" in only_fault(feature("spend_{n}", **COUNT))


def test_the_workspace_s_own_item_replaces_one_that_a_pack_s_template_makes() -> None:
    pack = Item(
        "feature",
        "n_{n}d",
        {"id": "n_{n}d", "zh": "数{n}", "en": "N {n}", "for": {"n": [30, 90]}, **COUNT},
        "packs/card/features.yaml",
        origin="pack card",
    )
    own = feature("n_30d", filter="amount > 0", **COUNT)
    for items in ([pack, own], [own, pack]):
        made, wrong = read_features(items, TABLES)
        assert not wrong
        assert {one.id: one.filter is not None for one in made} == {"n_30d": True, "n_90d": False}


def test_two_features_must_not_have_one_chinese_name() -> None:
    assert "'同名' is already 'a'" in only_fault(feature("a", zh="同名", **COUNT), feature("b", zh="同名", **COUNT))


def test_a_circle_is_told_by_name_and_the_rest_is_read_on() -> None:
    told = faults(
        feature("a", expression="b + 1"),
        feature("b", expression="c + 1"),
        feature("c", expression="a + 1"),
        feature("n", **COUNT),
    )
    assert len(told) == 1
    assert "reads itself: a → b → c → a" in told[0]


def test_a_feature_cannot_read_an_outcome() -> None:
    flag = attribute("default", Type.YESNO, purpose="outcome")
    assert "'default' is not known" in only_fault(feature("f", expression="default"), attributes=[flag])
    assert not faults(feature("f", expression="default"), outcome=True, attributes=[flag])


def test_a_feature_may_not_bear_the_name_of_a_key_or_of_an_attribute() -> None:
    assert "is a key of the profile" in only_fault(feature("customer_id", **COUNT))
    assert "has the id of a declared attribute" in only_fault(
        feature("age", **COUNT), attributes=[attribute("age", Type.WHOLE)]
    )


def test_a_canonical_feature_reads_back_into_itself() -> None:
    items = [
        feature(
            "n",
            zh="笔数",
            en="N",
            table="transaction",
            measure="count",
            filter="交易种类 = '消费'",
            window="last  30   days",
            rollup="sum",
            meaning={"zh": "义", "en": "m"},
        ),
        feature(
            "late",
            table="statement",
            measure="share",
            of="closing_balance",
            filter="cycles_past_due > 0",
            within="closing_balance > 0",
            window="last 1 cycle",
            none=0,
        ),
        feature("half", grain="both", expression="笔数 / 2"),
        feature("gone", table="card", measure="count", dated="cancelled_on", window="last 3 months"),
    ]
    made, wrong = read_features(items, TABLES)
    assert not wrong
    again, wrong = read_features([Item("feature", one.id, one.canonical()) for one in made], TABLES)
    assert not wrong
    assert [one.canonical() for one in again] == [one.canonical() for one in made]
    assert made[0].canonical()["filter"] == "kind = 'purchase'"


def test_an_outcome_needs_a_window_of_its_own() -> None:
    assert "has no window" in only_fault(feature("f", **COUNT), outcome=True)
    assert "is not one of an outcome" in only_fault(feature("f", window="ever", **COUNT), outcome=True)
    assert not faults(feature("f", window="next 12 months, gap 1 month", **COUNT), outcome=True)
    assert not faults(feature("f", window="last 3 months", **COUNT), outcome=True)


@pytest.mark.parametrize(
    "text",
    [
        "last 30 days",
        "last 1 day",
        "last 6 cycles",
        "last 3 months",
        "ever",
        "latest",
        "next 12 months, gap 1 month",
        "next 90 days",
    ],
)
def test_a_window_is_written_as_it_was_read(text: str) -> None:
    assert str(read_window(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "last days",
        "next 6 cycles",
        "last 3 months, gap 1 month",
        "next 3 months, gap 1 day",
        "last 1.5 days",
        "last -3 days",
    ],
)
def test_other_windows_are_not_read(text: str) -> None:
    assert read_window(text) is None


@pytest.mark.parametrize(
    ("as_of", "first"),
    [
        (date(2024, 2, 29), date(2024, 1, 31)),
        (date(2023, 3, 1), date(2023, 1, 31)),
        (date(2024, 3, 1), date(2024, 2, 1)),
    ],
)
def test_days_are_counted_over_leap_days(as_of: date, first: date) -> None:
    assert Window("days", 30).first(as_of) == first
