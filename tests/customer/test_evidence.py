"""Evidence is what the measure counted, row by row: no row more, none less, none from another day."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from customer_book import Book, account, feature, features, statement, tx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_measures_against_python import days, definition, statements, transactions

from backbook.customer.evidence import Counted, evidence
from backbook.customer.features import measure
from backbook.customer.lookup import read_lookups
from backbook.customer.reading import read_features
from backbook.customer.tags import Tag, read_tags
from backbook.definitions import Item
from backbook.engine import Engine
from backbook.expressions import Names
from backbook.sources.contract import TABLES

AS_OF = date(2026, 6, 30)
# What can be told from the rows alone; a share, an entropy and a slope stand on rows that these tell as well.
TOLD = ("count", "sum", "min", "max", "average", "distinct", "days_since", "streak", "latest")


def tag(of: list[Any], grain: str = "account") -> Tag:
    data = {
        "id": "t", "zh": "标签", "en": "Tag", "meaning": {"zh": "有", "en": "is"}, "owner": "o", "aim": "service", "grain": grain,
        "expression": "1 = 1", "evidence": [one.id for one in of],
    }  # fmt: skip
    names = {each: Names(each, [one.name for one in of if one.at(each)]) for each in ("account", "customer")}
    found, faults = read_tags([Item("tag", "t", data)], names["account"], names["customer"], of)
    assert not faults, faults
    return found[0]


def shown(book: Book, of: list[Any], unit: str = "a", as_of: date = AS_OF, grain: str = "account") -> Counted:
    (found,) = evidence(tag(of, grain), of, book, as_of, unit, at_most=10_000)  # type: ignore[arg-type]
    return found


def value(found: Counted, as_of: date, kind: str) -> Any:
    """The measure, told from its evidence."""
    told = [row.measured for row in found.rows]
    match kind:
        case "count":
            return len(told)
        case "sum":
            return sum(told) if told else 0
        case "min" | "max":
            return {"min": min, "max": max}[kind](told, default=None)
        case "average":
            return float(sum(told)) / len(told) if told else None
        case "distinct":
            return len(set(told))
        case "days_since":
            return (as_of - max(row.on for row in found.rows if row.on)).days if told else None
        case "latest":
            return told[0] if told else None
        case _:
            return len({(row.on.year, row.on.month) for row in found.rows if row.on})


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
)  # fmt: skip
@given(data=st.data(), posted=transactions(), billed=statements(), as_of=days)
def test_the_rows_add_up_to_the_measure(engine: Engine, data: Any, posted: Any, billed: Any, as_of: date) -> None:
    made = [
        one
        for one in features([data.draw(definition(f"f{number}")) for number in range(4)])
        if one.measure in TOLD and not (one.measure == "streak" and one.table == "statement")
    ]
    rows = {
        "account": [account("a"), account("b", opened_on=date(2024, 1, 1))],
        "transaction": posted,
        "statement": billed,
    }
    book = Book(engine, rows)
    columns = book.filled("transaction") | book.filled("statement")
    with engine.scope():
        measured = {row["account_id"]: row for row in engine.rows(measure(made, book, as_of))} if made else {}  # type: ignore[arg-type]
        for one in made:
            for unit, row in measured.items():
                if not one.columns <= columns or row[one.id] is None:
                    continue  # a window that is not known has no value that rows could show
                found = shown(book, [one], unit, as_of)
                told = value(found, as_of, str(one.measure))
                assert math.isclose(float(told or 0), float(row[one.id]), rel_tol=1e-9, abs_tol=1e-5), (
                    one.canonical(),
                    found,
                )
                assert found.total == len(found.rows) and (one.measure != "latest" or found.total == 1)
                assert all(row.on is None or row.on <= as_of for row in found.rows)


def test_a_row_outside_the_window_or_the_filter_is_never_shown(engine):
    book = Book(engine, {"account": [account("a"), account("b")], "transaction": [
        tx("2025-06-01", 1), tx("2026-05-31T23:59", 2), tx("2026-06-01", 3), tx("2026-06-30T23:59", 4), tx("2026-07-01", 5),
        tx("2026-06-10", 6, kind="fee"), tx("2026-06-10", 7, "b"), tx("2026-06-11", 8, known_on=date(2026, 7, 2)),
    ]})  # fmt: skip
    one = features([feature(table="transaction", measure="count", filter="kind = 'purchase'", window="last 30 days")])
    assert [row.amount for row in shown(book, one).rows] == [Decimal(4), Decimal(3)]


def test_the_newest_stand_first_and_the_rest_is_said(engine):
    book = Book(
        engine, {"account": [account("a")], "transaction": [tx(f"2026-06-{day:02}", day) for day in range(1, 29)]}
    )
    one = features([feature(table="transaction", measure="sum", of="amount", window="last 30 days")])
    (found,) = evidence(tag(one), one, book, AS_OF, "a")  # type: ignore[arg-type]
    assert [row.amount for row in found.rows] == [Decimal(day) for day in range(28, 8, -1)]
    assert found.total == 28


def test_a_streak_shows_no_row_from_before_it_was_broken(engine):
    bills = [statement(f"2026-0{month}-20", amount) for month, amount in ((2, 9), (3, 9), (4, 0), (5, 9), (6, 9))]
    book = Book(engine, {"account": [account("a")], "statement": bills})
    one = features([
        feature(table="statement", measure="streak", filter="closing_balance > 0", window="last 5 cycles")
    ])  # fmt: skip
    assert [row.on for row in shown(book, one).rows] == [date(2026, 6, 20), date(2026, 5, 20)]


def test_a_customer_s_tag_shows_the_rows_of_all_their_accounts_and_of_nobody_else(engine):
    book = Book(engine, {
        "account": [account("a", "ann"), account("b", "ann"), account("c", "bob")],
        "transaction": [tx("2026-06-01", 1, "a"), tx("2026-06-02", 2, "b"), tx("2026-06-03", 3, "c")],
    })  # fmt: skip
    one = features([feature(table="transaction", measure="count", window="last 30 days", rollup="sum")])
    assert [row.amount for row in shown(book, one, "core:ann", grain="customer").rows] == [Decimal(2), Decimal(1)]
    assert [row.amount for row in shown(book, one, "b").rows] == [Decimal(2)]


def test_a_lent_card_is_evidence_about_the_debtor_and_not_about_its_holder(engine):
    card = {"card_id": "k", "account_id": "a", "system": "core", "party_id": "bob", "issued_on": date(2026, 6, 1)}
    book = Book(engine, {"account": [account("a", "ann"), account("c", "bob")], "card": [card]})
    one = features([feature(grain="customer", table="card", measure="count", window="ever")])
    assert shown(book, one, "core:ann", grain="customer").total == 1
    assert shown(book, one, "core:bob", grain="customer").total == 0
    bob = engine.table(pa.table({"customer_id": ["core:bob"]}))
    assert [row["f"] for row in engine.rows(measure(one, book, AS_OF, bob))] == [0]  # type: ignore[arg-type]


def test_a_category_is_shown_in_words_and_a_merchant_is_cut(engine):
    lookup, _ = read_lookups([Item("lookup", "category", {
        "id": "category", "zh": "类别", "en": "Category", "tables": ["transaction"], "of": "mcc", "otherwise": "other",
        "levels": [{"code": "dining", "zh": "餐饮", "en": "Dining", "is": ["5812"]}, {"code": "other", "zh": "其他", "en": "Other"}],
    })], TABLES)  # fmt: skip
    items = [feature(table="transaction", measure="count", filter="category = 'dining'", window="last 30 days")]
    one, _ = read_features(items, TABLES, (), lookup)
    merchant = "张小三面馆 13912345678 谢谢惠顾欢迎再来"
    posted = [tx("2026-06-01", 8, mcc="5812", merchant=merchant), tx("2026-06-01", 9, mcc="5411", merchant="超市")]
    (row,) = shown(Book(engine, {"account": [account("a")], "transaction": posted}), one).rows
    assert (row.what, row.category) == (("消费", "Purchase"), ("餐饮", "Dining"))
    assert row.place == "张小三面馆 **** 谢谢惠顾欢…"


def test_a_word_that_is_measured_is_shown(engine):
    one = features([feature(grain="customer", table="party", measure="latest", of="city", window="latest")])
    party = {"system": "core", "party_id": "ann", "city": "上海市", "created_at": datetime.fromisoformat("2020-01-01")}
    book = Book(engine, {"account": [account("a", "ann")], "party": [party]})
    (row,) = shown(book, one, "core:ann", grain="customer").rows
    assert row.category == ("上海市", "上海市")


def test_what_the_bank_does_not_deliver_has_no_rows(engine):
    one = features([feature(table="transaction", measure="count", window="ever")])
    assert shown(Book(engine, {"account": [account("a")]}), one) == Counted(one[0], (), 0)


@pytest.mark.parametrize("back", [0, 400])
def test_evidence_of_a_past_day_is_what_was_known_then(engine, back):
    book = Book(engine, {"account": [account("a")], "transaction": [
        tx("2024-01-05", 1), tx("2025-05-20", 2), tx("2026-06-20", 3)]})  # fmt: skip
    one = features([feature(table="transaction", measure="count", window="ever")])
    found = shown(book, one, as_of=AS_OF - timedelta(days=back))
    assert [row.amount for row in found.rows] == [Decimal(n) for n in ((3, 2, 1) if back == 0 else (2, 1))]
    assert all(isinstance(row.on, date) and not isinstance(row.on, datetime) for row in found.rows)
