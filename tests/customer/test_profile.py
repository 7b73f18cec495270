"""The profile at both grains: roll-ups, derived columns, owners, attributes, tags and segments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from customer_book import Book, account, attribute, feature, features, statement, tx

from backbook.customer import segments, tags
from backbook.customer.availability import missing_definitions
from backbook.customer.order import Link, order
from backbook.customer.profile import build, outcomes, profile_names
from backbook.customer.reading import read_features
from backbook.definitions import Item
from backbook.engine import Engine
from backbook.errors import BadDefinition
from backbook.expressions import Type
from backbook.sources.contract import TABLES

AS_OF = date(2026, 10, 31)
ANN = [account("a", "ann"), account("b", "ann"), account("c", "bob")]
OLD = tx("2020-01-01", 1, "c", kind="fee")


def rows(engine: Engine, table: Any, key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in engine.rows(table)}


def owners(
    engine: Engine, book: Book, *definitions: Item, attributes: Any = (), of: Any = None
) -> dict[str, dict[str, Any]]:
    made, faults = read_features(list(definitions), TABLES, attributes)
    assert not faults
    return rows(engine, build(made, list(attributes), book, AS_OF, of).customer, "customer_id")


def spend(rollup: str | None = "sum") -> Item:
    more = {"rollup": rollup} if rollup else {}
    return feature(
        "spend",
        table="transaction",
        measure="sum",
        of="amount",
        filter="kind = 'purchase'",
        window="last 30 days",
        **more,
    )


def limit(rollup: str, **more: Any) -> Item:
    return feature(
        "credit_limit", table="account", measure="latest", of="credit_limit", window="latest", rollup=rollup, **more
    )


# ── roll-ups ────────────────────────────────────────────────────────────────────────────────────────────────


def test_spend_of_a_customer_is_the_sum_over_their_accounts(engine: Engine) -> None:
    book = Book(
        engine,
        {
            "account": ANN,
            "transaction": [OLD, tx("2026-10-20", 10), tx("2026-10-21", 5, "b"), tx("2026-10-22", 1, "c")],
        },
    )
    found = owners(engine, book, spend())
    assert {id_: row["spend"] for id_, row in found.items()} == {
        "core:ann": Decimal("15.00"),
        "core:bob": Decimal("1.00"),
    }


def test_a_sum_with_an_unknown_part_is_not_known(engine: Engine) -> None:
    limits = [
        account("a", "ann", credit_limit=100),
        account("b", "ann", credit_limit=None),
        account("c", "bob", credit_limit=7),
    ]
    found = owners(engine, Book(engine, {"account": limits}), limit("sum"))
    assert {id_: row["credit_limit"] for id_, row in found.items()} == {"core:ann": None, "core:bob": Decimal("7.00")}


def test_worst_waits_for_the_unknown_and_max_does_not(engine: Engine) -> None:
    late = [account("a", "ann", days_past_due=3), account("b", "ann"), account("c", "bob", days_past_due=0)]
    book = Book(engine, {"account": late})
    of = {"table": "account", "measure": "latest", "of": "days_past_due", "window": "latest"}
    found = owners(engine, book, feature("worst", rollup="worst", **of), feature("most", rollup="max", **of))
    assert (found["core:ann"]["worst"], found["core:ann"]["most"]) == (None, 3)
    assert (found["core:bob"]["worst"], found["core:bob"]["most"]) == (0, 0)


def test_the_worst_of_levels_is_the_last_declared(engine: Engine) -> None:
    classes = [
        account("a", "ann", classification="doubtful"),
        account("b", "ann", classification="loss"),
        account("c", "bob", classification="normal"),
    ]
    worst = feature(table="account", measure="latest", of="classification", window="latest", rollup="worst")
    found = owners(engine, Book(engine, {"account": classes}), worst)
    assert (found["core:ann"]["f"], found["core:bob"]["f"]) == ("loss", "normal")


@pytest.mark.parametrize(
    ("values", "any_of_them"), [((True, None), True), ((False, None), None), ((False, False), False)]
)
def test_any_is_false_only_when_every_account_is_known_to_be(engine: Engine, values: Any, any_of_them: Any) -> None:
    book = Book(
        engine,
        {
            "account": [
                account("a", "ann", autopay=values[0]),
                account("b", "ann", autopay=values[1]),
                account("c", "bob", autopay=True),
            ]
        },
    )
    found = owners(
        engine, book, feature(table="account", measure="latest", of="autopay", window="latest", rollup="any")
    )
    assert found["core:ann"]["f"] is any_of_them


def test_accounts_of_one_line_count_their_limit_once(engine: Engine) -> None:
    shared = [
        account("a", "ann", credit_limit=100, line_id="l1"),
        account("b", "ann", credit_limit=100, line_id="l1"),
        account("c", "ann", credit_limit=7),
    ]
    found = owners(engine, Book(engine, {"account": shared}), limit("sum over lines"))
    assert found["core:ann"]["credit_limit"] == Decimal("107.00")


def test_a_customer_without_an_account_spent_nothing(engine: Engine) -> None:
    book = Book(
        engine,
        {
            "account": ANN,
            "transaction": [OLD],
            "party": [{"system": "core", "party_id": "cho", "birth_date": date(2000, 1, 1)}],
        },
    )
    assert owners(engine, book, spend())["core:cho"]["spend"] == Decimal("0.00")


def test_a_customer_without_an_account_has_an_unknown_sum_of_what_the_bank_does_not_deliver(engine: Engine) -> None:
    book = Book(
        engine, {"account": ANN, "party": [{"system": "core", "party_id": "cho", "birth_date": date(2000, 1, 1)}]}
    )
    assert owners(engine, book, spend())["core:cho"]["spend"] is None


# ── customers ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_customer_counts_the_marks_of_the_person_and_of_their_accounts(engine: Engine) -> None:
    marks = [
        {"system": "core", "party_id": "ann", "kind": "dispute", "since": date(2026, 1, 1)},
        {"account_id": "b", "kind": "dispute", "since": date(2026, 2, 1)},
        {"account_id": "c", "kind": "dispute", "since": date(2026, 2, 1), "until": date(2026, 3, 1)},
    ]
    open_ = feature(
        grain="customer", table="mark", measure="count", filter="kind = 'dispute' and (until is null or until > as_of)"
    )
    found = owners(engine, Book(engine, {"account": ANN, "mark": marks}), open_)
    assert {id_: row["f"] for id_, row in found.items()} == {"core:ann": 2, "core:bob": 0}


def test_a_limit_of_a_line_belongs_to_the_owner_of_its_accounts(engine: Engine) -> None:
    lines = [account("a", "ann", line_id="l"), account("b", "ann", line_id="l"), account("c", "bob")]
    limits = [
        {"line_id": "l", "kind": "fixed", "amount": n, "valid_from": date(2026, month, 1)}
        for month, n in ((1, 100), (6, 200))
    ]
    limits += [{"system": "core", "party_id": "bob", "kind": "fixed", "amount": 5, "valid_from": date(2026, 1, 1)}]
    raised = feature("raised", grain="customer", table="limit", measure="count", filter="amount > previous_amount")
    here = feature("here", grain="account", table="limit", measure="latest", of="amount", window="latest")
    book = Book(engine, {"account": lines, "limit": limits})
    made, _ = read_features([raised, here], TABLES)
    profile = build(made, [], book, AS_OF)
    assert {id_: row["raised"] for id_, row in rows(engine, profile.customer, "customer_id").items()} == {
        "core:ann": 1,
        "core:bob": 0,
    }
    assert {id_: row["here"] for id_, row in rows(engine, profile.account, "account_id").items()} == {
        "a": 200,
        "b": 200,
        "c": None,
    }


def test_the_records_of_one_customer_are_measured_together(engine: Engine) -> None:
    party = [
        {"system": "core", "party_id": "1", "created_at": day(2020)},
        {"system": "app", "party_id": "9", "created_at": day(2022)},
        {"system": "app", "party_id": "8", "created_at": day(2019)},
    ]
    book = Book(
        engine,
        {
            "party": party,
            "account": [account("a", "1"), account("b", "9", system="app")],
            "transaction": [OLD, tx("2026-10-20", 2, "a"), tx("2026-10-20", 3, "b")],
        },
    )
    who = {"system": ["core", "app"], "party_id": ["1", "9"], "customer_id": ["core:1", "core:1"]}
    book.who = engine.table(pa.table(who))
    found = owners(engine, book, spend())
    assert {id_: row["spend"] for id_, row in found.items()} == {"core:1": Decimal("5.00"), "app:8": Decimal("0.00")}


def day(year: int) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(f"{year}-01-01")


# ── derived ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_utilisation_of_a_customer_is_of_the_sums_and_not_the_mean_of_ratios(engine: Engine) -> None:
    balances = [
        account("a", "ann", balance=50, credit_limit=100),
        account("b", "ann", balance=0, credit_limit=900),
        account("c", "bob", balance=-3, credit_limit=10),
    ]
    book = Book(engine, {"account": balances})
    owed = feature("owed", table="account", measure="latest", of="balance", window="latest", rollup="sum")
    ratio = feature("utilisation", grain="both", expression="greatest(owed, 0) / credit_limit")
    made, _ = read_features([ratio, owed, limit("sum over lines")], TABLES)
    profile = build(made, [], book, AS_OF)
    assert rows(engine, profile.customer, "customer_id")["core:ann"]["utilisation"] == 0.05
    assert [row["utilisation"] for row in engine.rows(profile.account.order_by("account_id"))] == [0.5, 0.0, 0.0]


def test_an_expression_over_expressions_comes_after_them(engine: Engine) -> None:
    book = Book(engine, {"account": [account("a", balance=4)]})
    made, faults = read_features(
        [
            feature("third", expression="second + 1"),
            feature("second", expression="owed + 1"),
            feature("owed", table="account", measure="latest", of="balance", window="latest"),
        ],
        TABLES,
    )
    assert not faults
    assert engine.rows(build(made, [], book, AS_OF).account)[0]["third"] == Decimal("6.00")


# ── units ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_profile_of_drawn_accounts_knows_all_accounts_of_their_owners(engine: Engine) -> None:
    book = Book(
        engine,
        {
            "account": ANN,
            "transaction": [OLD, tx("2026-10-20", 10, "a"), tx("2026-10-21", 5, "b"), tx("2026-10-22", 1, "c")],
        },
    )
    made, _ = read_features([spend()], TABLES)
    drawn = build(made, [], book, AS_OF, engine.table(pa.table({"account_id": ["a"]})))
    assert [row["account_id"] for row in engine.rows(drawn.account)] == ["a"]
    assert [(row["customer_id"], row["spend"]) for row in engine.rows(drawn.customer)] == [
        ("core:ann", Decimal("15.00"))
    ]
    whole = build(made, [], book, AS_OF)
    assert rows(engine, drawn.account, "account_id")["a"] == rows(engine, whole.account, "account_id")["a"]


def test_shifting_every_date_by_a_year_changes_nothing(engine: Engine) -> None:
    def facts(years: int) -> dict[str, Any]:
        moved = [
            statement(f"{2026 + years}-{month:02}-15", 10 * month, cycles_past_due=month % 2) for month in range(3, 11)
        ]
        spent = [tx(f"{2026 + years}-{month:02}-20", month) for month in range(1, 11)]
        return {"account": [account("a")], "statement": moved, "transaction": spent}

    made = features(
        [
            spend(None),
            feature("late", table="statement", measure="count", filter="cycles_past_due > 0", window="last 6 cycles"),
            feature("months", table="transaction", measure="sum", of="amount", window="last 3 months"),
            feature("streak", table="transaction", measure="streak", window="last 6 months"),
        ]
    )
    one, other = (
        engine.rows(build(made, [], Book(engine, facts(years)), date(2026 + years, 10, 31)).account.drop("as_of"))
        for years in (0, 1)
    )
    assert one == other


# ── attributes ──────────────────────────────────────────────────────────────────────────────────────────────


def wide(account_id: str, known_on: date, **values: Any) -> dict[str, Any]:
    return {"account_id": account_id, "known_on": known_on, **values}


def test_an_attribute_is_its_latest_known_value_until_it_is_too_old(engine: Engine) -> None:
    seen = [
        wide("a", date(2026, 9, 1), income=5),
        wide("a", date(2026, 10, 1), income=6),
        wide("b", date(2026, 1, 1), income=7),
        wide("c", date(2026, 11, 1), income=8),
    ]
    book = Book(engine, {"account": ANN, "attribute.wide": seen})
    income = attribute("income", Type.WHOLE, valid_days=90)
    found = rows(engine, build([], [income], book, AS_OF).account, "account_id")
    assert {id_: row["income"] for id_, row in found.items()} == {"a": 6, "b": None, "c": None}


def test_an_outcome_attribute_is_seen_by_outcomes_only_and_only_ahead(engine: Engine) -> None:
    seen = [wide("a", date(2026, 11, 30), default=True), wide("b", date(2026, 10, 31), default=True)]
    book = Book(engine, {"account": ANN, "attribute.flag": seen})
    flag = attribute("default", Type.YESNO, purpose="outcome")
    assert "default" not in build([], [flag], book, AS_OF).account.columns
    assert "default" not in profile_names("account", [], attributes=[flag])
    found = rows(engine, outcomes([], [flag], book, AS_OF, date(2026, 12, 31)), "account_id")
    assert {id_: row["default"] for id_, row in found.items()} == {"a": True, "b": None, "c": None}


def test_a_feature_may_measure_an_attribute(engine: Engine) -> None:
    book = Book(engine, {"account": ANN, "attribute.wide": [wide("a", date(2026, 10, 1), income=6)]})
    income = attribute("income", Type.WHOLE)
    made, faults = read_features(
        [feature(table="attribute", measure="latest", of="income * 2", window="latest")], TABLES, [income]
    )
    assert not faults
    assert rows(engine, build(made, [income], book, AS_OF).account, "account_id")["a"]["f"] == 12


# ── tags and segments ───────────────────────────────────────────────────────────────────────────────────────


def tag(id: str, expression: str, **more: Any) -> Item:
    return Item(
        "tag",
        id,
        {
            "id": id,
            "zh": f"标签{id}",
            "en": id,
            "meaning": {"zh": "义", "en": "meaning"},
            "owner": "o",
            "aim": "risk",
            "expression": expression,
            **more,
        },
    )


def test_an_unknown_tag_is_null_and_an_owner_is_read_with_a_prefix(engine: Engine) -> None:
    book = Book(engine, {"account": ANN, "transaction": [OLD, tx("2026-10-20", 10, "a"), tx("2026-10-20", 1, "b")]})
    made = features(
        [spend(), feature("largest", table="transaction", measure="max", of="amount", window="last 30 days")]
    )
    items = [tag("big", "largest > 5"), tag("rich", "customer.spend > 10"), tag("both_of_them", "big and rich")]
    account_names = profile_names("account", made, tags.tag_names(items, "account"))
    read, faults = tags.read_tags(items, account_names, profile_names("customer", made))
    assert not faults
    found = rows(engine, tags.apply(read, build(made, [], book, AS_OF)).account, "account_id")
    assert [found["a"][name] for name in ("big", "rich", "both_of_them")] == [True, True, True]
    assert [found["b"][name] for name in ("big", "rich", "both_of_them")] == [False, True, False]
    assert [found["c"][name] for name in ("big", "rich", "both_of_them")] == [None, False, False]


SEGMENT = {
    "id": "stage", "zh": "阶段", "en": "Stage", "meaning": {"zh": "义", "en": "m"}, "owner": "o", "otherwise": "rest", "unknown": "unknown",
    "levels": [
        {"code": "none", "zh": "无", "en": "None", "when": "largest < 0", "when_unknown": "skip"},
        {"code": "big", "zh": "大", "en": "Big", "when": "largest > 5"},
        {"code": "rest", "zh": "其余", "en": "Rest"},
        {"code": "unknown", "zh": "未知", "en": "Unknown"},
    ],
}  # fmt: skip


def test_a_segment_sends_the_unknown_to_its_stated_level(engine: Engine) -> None:
    book = Book(engine, {"account": ANN, "transaction": [OLD, tx("2026-10-20", 10, "a"), tx("2026-10-20", 1, "b")]})
    made = features([feature("largest", table="transaction", measure="max", of="amount", window="last 30 days")])
    read, faults = segments.read_segments(
        [Item("segment", "stage", SEGMENT)], profile_names("account", made), profile_names("customer", made)
    )
    assert not faults
    found = rows(engine, segments.apply(read, build(made, [], book, AS_OF)).account, "account_id")
    assert {id_: row["stage"] for id_, row in found.items()} == {"a": "big", "b": "rest", "c": "unknown"}
    assert (
        segments.read_segments(
            [Item("segment", "stage", read[0].canonical())],
            profile_names("account", made),
            profile_names("customer", made),
        )[0]
        == read
    )


def test_order_follows_reading_and_a_circle_is_refused_by_name() -> None:
    score = Link("score", "behaviour", frozenset({"account.behaviour_grade"}), frozenset({"account.near_limit"}))
    near = Link("tag", "near_limit", frozenset({"account.near_limit"}), frozenset({"account.utilisation"}))
    group = Link(
        "segment", "group", frozenset({"account.group"}), frozenset({"account.behaviour_grade", "customer.rich"})
    )
    rich = Link("tag", "rich", frozenset({"customer.rich"}), frozenset())
    assert order([group, score, near, rich]) == [near, score, rich, group]
    circle = Link("tag", "near_limit", frozenset({"account.near_limit"}), frozenset({"account.group"}))
    with pytest.raises(BadDefinition, match="segment 'group' → score 'behaviour' → tag 'near_limit' → segment 'group'"):
        order([group, score, circle, rich])


# ── what is not there ───────────────────────────────────────────────────────────────────────────────────────


def test_what_a_missing_table_makes_impossible_is_listed_by_name(engine: Engine) -> None:
    book = Book(engine, {"account": [account("a", balance=3)]})
    made = features(
        [
            spend(),
            feature("balance", table="account", measure="latest", of="balance", window="latest"),
            feature("half", expression="spend / 2"),
            feature("either", expression="coalesce(spend, balance)"),
        ]
    )
    read, _ = tags.read_tags(
        [tag("spends", "half > 1"), tag("owes", "either > 1")],
        profile_names("account", made),
        profile_names("customer", made),
    )
    missing = missing_definitions(made, [attribute("income", Type.WHOLE)], book, AS_OF, *read)
    assert [str(one) for one in missing] == [
        "feature 'spend' needs `transaction`",
        "attribute 'income' needs `attribute` with income",
        "feature 'half' needs `transaction`",
        "tag 'spends' needs `transaction`",
    ]


def test_two_definitions_of_one_column_are_refused() -> None:
    made = features([feature("balance", table="account", measure="latest", of="balance", window="latest")])
    with pytest.raises(BadDefinition, match="Two definitions give the account profile the column 'balance'"):
        profile_names("account", made, tags.tag_names([tag("balance", "true")], "account"))


def test_the_bank_s_own_word_wins_over_the_pack_s() -> None:
    item = feature("sex_of_pack", zh="性别", table="account", measure="latest", of="status", window="latest")
    made = features([Item("feature", item.id, item.data, "packs/card/features.yaml", origin="pack card")])
    names = profile_names("account", made, attributes=[attribute("sex", Type.WHOLE, zh="性别")])
    assert names.resolve("性别").name == "sex"


def test_a_person_s_row_speaks_for_the_account_that_was_made_for_them(engine: Engine) -> None:
    accounts = [account("a", "ann", is_made=True), account("b", "bob")]
    seen = [{"system": "core", "party_id": who, "known_on": date(2026, 10, 1), "income": 6} for who in ("ann", "bob")]
    book = Book(engine, {"account": accounts, "attribute.wide": seen})
    found = rows(engine, build([], [attribute("income", Type.WHOLE)], book, AS_OF).account, "account_id")
    assert {id_: row["income"] for id_, row in found.items()} == {"a": 6, "b": None}


def test_a_book_without_accounts_has_an_empty_profile(engine: Engine) -> None:
    profile = build([], [], Book(engine, {}), AS_OF)
    assert (engine.count(profile.account), engine.count(profile.customer)) == (0, 0)


def test_a_filter_over_a_column_that_the_bank_does_not_deliver_counts_nothing_and_says_so(engine: Engine) -> None:
    book = Book(engine, {"account": ANN, "statement": [statement("2026-10-15", 5, paid_by_due=1)]})
    counted = {"table": "statement", "measure": "count", "window": "ever"}
    made = features(
        [
            feature("minimum", filter="closing_balance > 0 and paid_by_due <= minimum_due", **counted),
            feature("either", filter="paid_by_due <= minimum_due or paid_by_due = 1", **counted),
        ]
    )
    found = rows(engine, build(made, [], book, AS_OF).account, "account_id")["a"]
    assert (found["minimum"], found["either"]) == (None, 1)
    assert [str(one) for one in missing_definitions(made, [], book, AS_OF)] == [
        "feature 'minimum' needs `statement.minimum_due`"
    ]


def test_an_attribute_that_has_outlived_its_days_is_listed_with_the_day_it_is_of(engine: Engine) -> None:
    income = attribute("income", Type.WHOLE, valid_days=90)
    book = Book(engine, {"account": [account("a")], "attribute.wide": [wide("a", date(2026, 7, 1), income=7)]})
    (one,) = missing_definitions([], [income], book, AS_OF)
    assert str(one) == (
        "attribute 'income' needs `attribute.income` of 2026-08-02 or later: the latest is of 2026-07-01, and it holds for 90 days"
    )
    assert missing_definitions([], [income], book, date(2026, 9, 29)) == []


def test_a_tag_that_reads_itself_is_refused_by_name(engine: Engine) -> None:
    items = [tag("round", "coalesce(round, false) or largest > 5")]
    made = features([feature("largest", table="transaction", measure="max", of="amount", window="last 30 days")])
    names = profile_names("account", made, tags.tag_names(items, "account"))
    read, faults = tags.read_tags(items, names, profile_names("customer", made))
    assert not faults
    with pytest.raises(BadDefinition, match="in a circle: tag 'round' → tag 'round'"):
        order([one.link for one in read])
