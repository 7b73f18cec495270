"""Looked-up columns of a row, and what a column may be used for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from customer_book import Book, account, feature, tx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbook.customer.availability import not_available
from backbook.customer.features import measure
from backbook.customer.lookup import Lookup, read_lookups
from backbook.customer.reading import read_features
from backbook.definitions import Item
from backbook.engine import Engine
from backbook.run.freeze import read
from backbook.sources.contract import TABLES
from backbook.workspace import Workspace

AS_OF = date(2026, 10, 31)
CATEGORY: dict[str, Any] = {
    "id": "category", "zh": "消费类别", "en": "Category", "tables": ["transaction"], "of": "mcc", "otherwise": "other",
    "levels": [
        {"code": "dining", "zh": "餐饮", "en": "Dining", "is": ["5811-5813"]},
        {"code": "fuel", "zh": "加油", "en": "Fuel", "is": ["5541"]},
        {"code": "other", "zh": "其他", "en": "Other"},
    ],
}  # fmt: skip


def item(**more: Any) -> Item:
    return Item("lookup", "category", {**CATEGORY, **more}, "lookups.yaml", {"": 1})


def lookup() -> Lookup:
    (found,), faults = read_lookups([item()], TABLES)
    assert not faults
    return found


def of_level(code: str) -> Any:
    made, faults = read_features(
        [feature("n", table="transaction", measure="count", filter=f"category = '{code}'", window="ever")],
        TABLES, (), [lookup()],
    )  # fmt: skip
    assert not faults, faults
    return made[0]


CODES = ["5810", "5811", "5812", "5813", "5814", "5541", "", None]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(codes=st.lists(st.sampled_from(CODES), max_size=12), level=st.sampled_from(["dining", "fuel", "other"]))
def test_a_level_counts_the_codes_of_its_ranges_and_what_no_level_lists_is_other(
    codes: list[str | None], level: str, engine: Engine
) -> None:
    listed = {"5811": "dining", "5812": "dining", "5813": "dining", "5541": "fuel"}
    expected = sum(code is not None and listed.get(code, "other") == level for code in codes)
    book = Book(
        engine,
        {
            "account": [account("a")],
            "transaction": [tx("2026-10-01", 1, mcc=code) for code in codes] + [tx("2020-01-01", 1, "b", mcc="5541")],
        },
    )
    found = {row["account_id"]: row["n"] for row in engine.rows(measure([of_level(level)], book, AS_OF))}  # type: ignore[arg-type]
    assert found["a"] == expected


def test_both_languages_of_a_level_are_the_same_condition_and_a_mistyped_one_is_refused() -> None:
    def read_one(text: str) -> Any:
        return read_features([feature("n", table="transaction", measure="count", filter=text)], TABLES, (), [lookup()])

    chinese, english = (read_one(text)[0][0].filter for text in ("消费类别 = '餐饮'", "category = 'dining'"))
    assert chinese.hash == english.hash
    assert "dinning" in str(read_one("category = 'dinning'")[1][0])


def test_without_codes_the_feature_is_not_available_and_the_code_s_column_is_named(engine: Engine) -> None:
    book = Book(engine, {"account": [account("a")], "transaction": [tx("2026-10-01", 1)]})
    assert [str(one) for one in not_available([of_level("fuel")], book, AS_OF)] == [
        "feature 'n' needs `transaction.mcc`"
    ]  # type: ignore[arg-type]


def test_a_written_lookup_reads_again_as_itself() -> None:
    assert read_lookups([Item("lookup", "category", lookup().canonical())], TABLES) == ([lookup()], [])


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"tables": ["transactions"]}, "Did you mean 'transaction'?"),
        ({"of": "mc"}, "'transaction' has no column 'mc'"),
        ({"of": "amount"}, "'amount' is money, not text"),
        ({"otherwise": "rest"}, "otherwise is 'rest'. Write otherwise: and one of dining, fuel, other."),
        ({"levels": [*CATEGORY["levels"], {"code": "car", "zh": "车", "en": "Car", "is": ["5541"]}]}, "5541 stands in 'fuel' and in 'car'"),
        ({"levels": []}, "has no levels"),
        ({"codes": 1}, "'codes' is not known here"),
    ],
)  # fmt: skip
def test_a_lookup_that_cannot_be_is_refused_with_what_is_possible(more: dict[str, Any], expected: str) -> None:
    found, faults = read_lookups([item(**more)], TABLES)
    assert not found and expected in "\n".join(map(str, faults))


# ── purposes ────────────────────────────────────────────────────────────────────────────────────────────────

TAG = """
tags:
  - id: inner
    zh: 内
    en: Inner
    meaning: {{zh: 义, en: m}}
    owner: o
    aim: risk
    grain: customer
    expression: {inner}
  - id: outer
    zh: 外
    en: Outer
    meaning: {{zh: 义, en: m}}
    owner: o
    aim: {aim}
    grain: account
    expression: customer.inner
"""


@pytest.fixture
def faults(tmp_path: Path) -> Callable[..., list[str]]:
    def made(inner: str, aim: str, attributes: str = "") -> list[str]:
        (tmp_path / "backbook.toml").write_text('[packs]\ncard = "1"\n', encoding="utf-8")
        (tmp_path / "tags.yaml").write_text(TAG.format(inner=inner, aim=aim), encoding="utf-8")
        if attributes:
            (tmp_path / "sources").mkdir()
            (tmp_path / "sources" / "attributes.yaml").write_text(attributes, encoding="utf-8")
        return [str(fault) for fault in read(Workspace.open(tmp_path))[1]]

    return made


def test_credit_report_data_in_marketing_is_refused_with_the_way_to_it(faults: Callable[..., list[str]]) -> None:
    (fault,) = faults("enquiries_3m >= 1", "marketing")
    assert fault.startswith("tags.yaml:")
    assert fault.endswith(
        "tag 'outer': is for marketing and reads 'enquiries_3m' through inner, which may be used for risk."
        " Write aim: risk, or leave the column out."
    )


def test_for_risk_a_credit_report_may_be_read(faults: Callable[..., list[str]]) -> None:
    assert faults("enquiries_3m >= 1", "risk") == []


def test_a_risk_score_s_grade_may_keep_people_out_of_a_campaign(tmp_path: Path) -> None:
    (tmp_path / "backbook.toml").write_text('[packs]\ncard = "1"\n', encoding="utf-8")
    frozen, faults = read(Workspace.open(tmp_path))
    assert not faults
    keeping = frozen.tag("worth_keeping")
    assert keeping.aim == "marketing" and "behaviour_grade" in keeping.reads


@pytest.mark.parametrize(
    ("purpose", "aim", "said"),
    [
        ("risk", "marketing", "which may be used for risk. Write aim: risk"),
        ("marketing", "all", "which may be used for marketing and service"),
        ("none", "risk", "nothing until somebody says what it is for"),
        ("both", "all", None),
    ],
)
def test_a_wide_table_s_column_is_read_only_for_its_purpose(
    faults: Callable[..., list[str]], purpose: str, aim: str, said: str | None
) -> None:
    attributes = (
        f"attributes:\n  - {{id: salary, type: whole, grain: customer, zh: 薪, en: Salary, purpose: {purpose}}}\n"
    )
    found = [fault for fault in faults("salary > 1", aim, attributes) if "'outer'" in fault]
    assert (not found) if said is None else said in found[0]
