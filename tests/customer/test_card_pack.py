"""The card pack: every definition reads, compiles for both engines, and reads each table as rarely as it can."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from types import SimpleNamespace
from typing import Any

import ibis
import pytest
from customer_book import Book, account, statement, tx

from backbook.customer.definition import ACCOUNT, CUSTOMER, Feature
from backbook.customer.features import measure
from backbook.customer.lookup import read_lookups
from backbook.customer.passes import BY_VALUE
from backbook.customer.profile import build, outcomes, profile_names
from backbook.customer.reading import read_features, read_outcomes
from backbook.definitions import Item, read_items
from backbook.engine import Engine
from backbook.run.book import extended
from backbook.run.freeze import Frozen, freeze
from backbook.run.lineage import graph
from backbook.sources.contract import TABLES
from backbook.workspace import PACKS, Workspace

AS_OF = date(2026, 10, 31)


@pytest.fixture(scope="module")
def items() -> list[Item]:
    found, faults = read_items(PACKS / "card", "pack card", "packs/card/")
    assert not faults
    return found


@pytest.fixture(scope="module")
def features(items: list[Item]) -> list[Feature]:
    lookups, wrong = read_lookups([item for item in items if item.kind == "lookup"], TABLES)
    found, faults = read_features([item for item in items if item.kind == "feature"], TABLES, lookups=lookups)
    assert not wrong + faults, [str(fault) for fault in wrong + faults]
    return found


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Frozen:
    """The pack as a workspace that adds nothing of its own reads it."""
    folder = tmp_path_factory.mktemp("bank")
    (folder / "backbook.toml").write_text('[packs]\ncard = "1"\n', encoding="utf-8")
    return freeze(Workspace.open(folder))


@pytest.fixture(scope="module")
def book(engine: Engine) -> Book:
    """Every table of the contract that anybody owns, with one row whose every column is filled."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for name, table in TABLES.items():
        if name != "attribute" and ("account_id" in table or "party_id" in table):
            tables[name] = [{column.name: _some(column) for column in table.public}]
    tables["account"].append(account("b", opened_on=date(2026, 6, 1)))
    tables["transaction"] += [tx("2026-10-20", 10), tx("2026-10-21", 90), tx("2023-01-01", 5, "b", kind="fee")]
    tables["statement"] += [
        statement(f"2026-{month:02}-15", 50, credit_limit=100, paid_by_due=50) for month in range(1, 11)
    ]
    return Book(engine, tables)


def _some(column: Any) -> Any:
    if column.levels:
        return column.levels[0].code
    special = {"account_id": "a", "system": "core", "party_id": "p-a", "known_on": date(2020, 1, 1), "is_made": False}
    if column.name in special:
        return special[column.name]
    from datetime import datetime

    kinds = {
        "whole": 0,
        "money": 1,
        "number": 0.5,
        "text": "x",
        "date": date(2020, 1, 1),
        "time": datetime.fromisoformat("2020-01-01"),
        "yes/no": True,
    }
    return kinds[column.type.value]


def test_the_pack_measures_at_least_forty_things_of_accounts_and_of_customers(features: list[Feature]) -> None:
    assert sum(feature.at(ACCOUNT) for feature in features) >= 40
    assert sum(feature.at(CUSTOMER) for feature in features) >= 40
    windows = {str(feature.window) for feature in features}
    assert {
        "last 30 days",
        "last 90 days",
        "last 180 days",
        "last 365 days",
        "last 3 cycles",
        "last 6 cycles",
        "last 12 cycles",
    } <= windows


def test_every_definition_of_the_pack_has_names_in_both_languages(items: list[Item]) -> None:
    for item in items:
        assert re.search(r"[\u4e00-\u9fff]", item.data["zh"]), item.id
        assert item.data["en"].isascii(), item.id


def test_every_tag_and_segment_of_the_pack_gives_a_column_in_the_order_of_reading(
    frozen: Frozen, engine: Engine, book: Book
) -> None:
    assert len(frozen.tags) >= 80 and len(frozen.segments) >= 12
    links = [link for link in frozen.order if link.kind != "score"]
    profile = extended(build(frozen.features, [], book, AS_OF), frozen.order, frozen, {}, engine)
    for link in links:
        if link.kind == "cluster":
            continue
        columns = {name.rpartition(".")[2] for name in link.gives}
        grain = next(iter(link.gives)).partition(".")[0]
        assert columns <= set(profile.at(grain).columns), link.label
    stages = {
        row["account_id"]: row["lifecycle"] for row in engine.rows(profile.account.select("account_id", "lifecycle"))
    }
    assert stages.keys() == {"a", "b"}


def test_the_pack_has_about_230_features_and_each_is_read_by_something(frozen: Frozen) -> None:
    assert 200 <= len(frozen.features) <= 260
    nodes, edges = graph(frozen)
    read = {key for reads in edges.values() for key in reads}
    assert [key for key, node in nodes.items() if node.kind == "feature" and key not in read] == []


def test_every_need_says_which_rows_show_it_and_how_sure_it_is(frozen: Frozen) -> None:
    needs = [tag for tag in frozen.tags if tag.dimension == "interest"]
    assert len(needs) >= 20
    for tag in needs:
        assert tag.evidence and tag.confidence is not None and tag.personal, tag.id
        assert all(tag.not_for) and tag.expires_days >= 7, tag.id


def test_the_pack_s_numbers_are_right_for_one_account(features: list[Feature], engine: Engine, book: Book) -> None:
    row = next(row for row in engine.rows(build(features, [], book, AS_OF).account) if row["account_id"] == "a")
    assert row["spend_90d"] == 100
    assert row["purchases_90d"] == 2
    assert row["utilisation_average_3c"] == 0.5
    assert row["payment_ratio_average_3c"] == 1.0
    assert row["full_payments_3c"] == 3
    assert row["days_since_use"] == 10


@pytest.fixture
def scans(book: Book, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], int]:
    """How often the book's own tables stand in a FROM of the compiled SQL; small lists that are joined are not counted."""
    made: set[str] = set()
    rows = book.rows

    def noted(table: str, known_by: date) -> Any:
        found = rows(table, known_by)
        made.add(found.op().name)
        return found

    monkeypatch.setattr(book, "rows", noted)
    read = re.compile(r'(?:FROM|JOIN) (?:"\w+"\.)*"(_arrow_\d+)"')
    return lambda table: sum(name in made for name in read.findall(ibis.to_sql(table, dialect="duckdb")))


def test_a_table_is_read_once_whatever_the_number_of_features(
    features: list[Feature], book: Book, scans: Callable[[Any], int]
) -> None:
    for name in ("transaction", "statement", "card", "balance"):
        plain = [one for one in features if one.table == name and one.grain == ACCOUNT and one.measure not in BY_VALUE]
        assert len(plain) > 1
        for some in (plain[:1], plain):
            assert scans(measure(some, book, AS_OF)) == 1, name


def test_values_told_apart_cost_one_narrow_pass_per_column(
    features: list[Feature], book: Book, scans: Callable[[Any], int]
) -> None:
    by_mcc = [
        one
        for one in features
        if one.table == "transaction" and one.measure in BY_VALUE and one.of and one.of.text == "mcc"
    ]
    assert by_mcc
    assert scans(measure(by_mcc, book, AS_OF)) == 1


@pytest.fixture
def spark(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    """The one option that Ibis' compiler asks of a Spark that is not installed; and nothing computed on the way."""
    monkeypatch.setattr(type(ibis.options), "pyspark", SimpleNamespace(treat_nan_as_null=False), raising=False)
    monkeypatch.setattr(engine, "cached", lambda table: table)


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("grain", [ACCOUNT, CUSTOMER])
def test_every_feature_of_the_pack_compiles_for_spark(features: list[Feature], book: Book, grain: str) -> None:
    sql = ibis.to_sql(build(features, [], book, AS_OF).at(grain), dialect="pyspark")
    assert all(f"`{one.id}`" in sql for one in features if one.at(grain))


@pytest.mark.usefixtures("spark")
def test_every_outcome_of_the_pack_compiles_and_is_not_a_feature(
    items: list[Item], features: list[Feature], book: Book
) -> None:
    found, faults = read_outcomes([item for item in items if item.kind == "outcome"], TABLES)
    assert not faults
    for grain in (ACCOUNT, CUSTOMER):
        sql = ibis.to_sql(outcomes(found, [], book, date(2025, 6, 30), AS_OF, grain=grain), dialect="pyspark")
        assert all(f"`{one.id}`" in sql for one in found if one.grain in (grain, "both"))
    assert not {one.id for one in found} & {one.id for one in features}
    assert not any(one.id in profile_names(ACCOUNT, features) for one in found)
