"""What the card pack's scores are to predict, on books small enough to check by hand; and the days they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import pytest
from customer_book import Book, account, feature, statement, tx

from backbook.customer.definition import ACCOUNT, CUSTOMER, Feature
from backbook.customer.lookup import read_lookups
from backbook.customer.profile import build, outcomes
from backbook.customer.reading import read_features, read_outcomes
from backbook.definitions import Item, read_items
from backbook.engine import Engine
from backbook.run import book as books
from backbook.run.freeze import Frozen, freeze
from backbook.score.target import Sample, sample
from backbook.sources.contract import TABLES
from backbook.workspace import PACKS, Workspace

ON, KNOWN_BY = date(2026, 3, 31), date(2026, 9, 30)
APRIL = datetime.fromisoformat("2026-04-02 10:00")
KEYS = {ACCOUNT: "account_id", CUSTOMER: "customer_id"}


@pytest.fixture(scope="module")
def items() -> Mapping[str, list[Item]]:
    found, faults = read_items(PACKS / "card", "pack card", "packs/card/")
    assert not faults
    return {kind: [item for item in found if item.kind == kind] for kind in ("feature", "outcome", "lookup")}


@pytest.fixture(scope="module")
def pack_outcomes(items: Mapping[str, list[Item]]) -> dict[str, Feature]:
    found, faults = read_outcomes(items["outcome"], TABLES)
    assert not faults, [str(fault) for fault in faults]
    return {outcome.id: outcome for outcome in found}


@pytest.fixture
def became(engine: Engine, pack_outcomes: dict[str, Feature]) -> Callable[..., dict[str, Any]]:
    """The named outcomes of one unit after the day `ON`."""

    def ask(tables: dict[str, list[dict[str, Any]]], *ids: str, unit: str = "a", on: date = ON) -> dict[str, Any]:
        grain = pack_outcomes[ids[0]].grain
        table = outcomes([pack_outcomes[id] for id in ids], [], Book(engine, tables), on, KNOWN_BY, grain=grain)
        return next(row for row in engine.rows(table) if row[KEYS[grain]] == unit)

    return ask


def monthly(*amounts: int, first: int = 1) -> list[dict[str, Any]]:
    """A purchase on the tenth of each month from `first` of 2026 on."""
    return [tx(f"2026-{first + place:02}-10", amount) for place, amount in enumerate(amounts)]


def test_a_fall_is_measured_against_what_there_was_before_and_a_month_lies_between(became: Any) -> None:
    spent = monthly(100, 100, 100, 999, 20, 30, 40, 999)
    bills = [
        statement(f"2026-{month:02}-15", balance)
        for month, balance in [(1, 600), (2, 500), (3, 700), (4, 9999), (5, 300), (6, 200), (7, 100), (8, 9999)]
    ]
    bills.append(statement("2025-12-15", 9999))  # fmt: skip
    tables = {"account": [account("a")], "transaction": [tx("2025-12-31", 7), *spent], "statement": bills}
    found = became(tables, "spend_before_3m", "spend_after_3m", "balance_before_3m", "balance_after_3m")
    assert (found["spend_before_3m"], found["spend_after_3m"]) == (300, 90)
    assert (found["balance_before_3m"], found["balance_after_3m"]) == (600, 200)


def test_what_looks_back_is_known_although_what_looks_ahead_is_not_yet(became: Any) -> None:
    tables = {"account": [account("a")], "transaction": [tx("2026-01-02", 7), *monthly(100, 100, 100, first=6)]}
    found = became(tables, "spend_before_3m", "spend_after_3m", on=date(2026, 8, 31))
    assert found["spend_before_3m"] == 300 and found["spend_after_3m"] is None


def test_who_gets_no_statement_any_more_owes_nothing(became: Any) -> None:
    tables = {"account": [account("a"), account("b")],
              "statement": [statement("2026-01-15", 600), statement("2026-09-15", 1, "b")]}  # fmt: skip
    assert became(tables, "balance_after_3m")["balance_after_3m"] == 0


def test_only_a_window_of_days_or_months_looks_back() -> None:
    def told(window: str) -> list[str]:
        written = feature(table="transaction", measure="count", window=window)
        return [str(fault) for fault in read_outcomes([written], TABLES)[1]]

    assert told("last 3 months") == told("last 90 days") == told("next 3 months, gap 1 month") == []
    for window in ("ever", "latest", "last 3 cycles"):
        assert "Write 'next N months'" in told(window)[0], window


def test_a_minimum_is_missed_on_its_due_date_not_on_the_day_of_the_statement(became: Any) -> None:
    def bill(on: str, due: str, paid: Any, minimum: int = 50) -> dict[str, Any]:
        return statement(on, 500, minimum_due=minimum, paid_by_due=paid, due_on=date.fromisoformat(due))

    tables = {"account": [account("a")], "statement": [
        bill("2026-02-20", "2026-03-12", 0),      # missed, but before
        bill("2026-03-20", "2026-04-09", 20),     # missed within the next month, and drawn before it
        bill("2026-04-20", "2026-05-10", 50),     # met to the cent
        bill("2026-05-20", "2026-06-09", 0, 0),   # nothing was due
        bill("2026-06-20", "2026-07-10", 0),      # missed, but later
    ]}  # fmt: skip
    found = became(
        tables, "minimums_missed_next_1m", "minimums_missed_next_3m", "bills_due_next_1m", "bills_due_next_3m"
    )
    assert [found[f"minimums_missed_next_{n}m"] for n in (1, 3)] == [1, 1]
    assert [found[f"bills_due_next_{n}m"] for n in (1, 3)] == [1, 2]


def test_a_card_is_activated_in_the_month_of_its_activation(became: Any) -> None:
    cards = [
        {"card_id": str(place), "account_id": "a", "issued_on": date(2026, 3, 20), "activated_on": day}
        for place, day in enumerate([date(2026, 3, 31), date(2026, 4, 30), date(2026, 6, 30), date(2026, 7, 1), None])
    ]
    found = became({"account": [account("a")], "card": cards}, "activations_next_1m", "activations_next_3m")
    assert (found["activations_next_1m"], found["activations_next_3m"]) == (1, 2)


def test_an_account_that_is_opened_later_is_counted_for_the_customer_who_was_there(became: Any) -> None:
    accounts = [
        account("a", "ann"),
        account("b", "ann", opened_on=date(2026, 5, 1), known_on=date(2026, 5, 1)),
        account("c", "ann", opened_on=date(2026, 10, 1), known_on=date(2026, 10, 1)),
        account("d", "bob", opened_on=date(2026, 6, 1), known_on=date(2026, 6, 1)),
    ]
    tables = {"account": accounts, "party": [{"system": "core", "party_id": who, "known_on": date(2019, 1, 1)}
                                             for who in ("ann", "bob")]}  # fmt: skip
    assert became(tables, "accounts_opened_next_6m", unit="core:ann")["accounts_opened_next_6m"] == 1


@pytest.mark.parametrize(
    ("way", "contact", "reached"),
    [
        ("app", {"status": "delivered"}, 0),
        ("app", {"opened_at": APRIL}, 1),
        ("sms", {"status": "delivered"}, 1),
        ("sms", {"status": "failed"}, 0),
        ("call", {"status": "failed"}, 0),
        ("call", {"delivered_at": APRIL}, 1),
        ("call", {"status": "delivered", "is_control": True}, None),
    ],
)
def test_who_is_reached_opened_it_or_got_it_or_answered(
    became: Any, way: str, contact: dict[str, Any], reached: int | None
) -> None:
    row = {"contact_id": "1", "system": "core", "party_id": "p-a", "at": APRIL, "channel": way}
    # The bank tells all of these, and has told of contacts for long.
    old = row | {"contact_id": "0", "at": datetime.fromisoformat("2025-01-01 10:00"), "is_control": False,
                 **dict.fromkeys(("delivered_at", "opened_at", "clicked_at"), APRIL), "status": "delivered"}  # fmt: skip
    tables = {"account": [account("a")], "contact": [old, row | contact]}
    found = became(tables, f"sent_{way}_next_3m", f"reached_{way}_next_3m", unit="core:p-a")
    assert (found[f"sent_{way}_next_3m"], found[f"reached_{way}_next_3m"]) == (
        (1, reached) if reached is not None else (0, 0)
    )


def test_a_vendor_s_score_counts_with_consent_and_for_its_purpose_alone(
    engine: Engine, items: Mapping[str, list[Item]]
) -> None:
    def bought(name: str, value: int, on: int, **more: Any) -> dict[str, Any]:
        return {"system": "core", "party_id": "p-a", "known_on": date(2026, 1, on), "vendor": "v", "name": name,
                "value": value, "purpose": "贷后管理", "consent_id": "C1", "price": 2, **more}  # fmt: skip

    scores = [
        bought("共债分", 600, 1),
        bought("共债分", 610, 2),
        bought("共债分", 990, 3, consent_id=""),
        bought("共债分", 991, 4, consent_id=None),
        bought("共债分", 992, 5, purpose="营销"),
        bought("行为分", 700, 6),
        bought("星座分", 5, 7),
    ]
    lookups, _ = read_lookups(items["lookup"], TABLES)
    features, _ = read_features(items["feature"], TABLES, lookups=lookups)
    vendors = [one for one in features if one.id.startswith("vendor_")]
    book = Book(
        engine, {"account": [account("a")], "outside_score": scores}, first_days={"outside_score": date(2020, 1, 1)}
    )
    (row,) = engine.rows(build(vendors, [], book, date(2026, 1, 31)).customer)
    assert (row["vendor_score_debt"], row["vendor_score_behaviour"], row["vendor_score_other"]) == (610, 700, 5)
    # The last one of all, 24 days ago; what was paid counts whatever it was good for.
    assert row["vendor_score_age_days"] == 24 and row["vendor_cost_365d"] == 14


# ── days that several scores look at ────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Frozen:
    folder = tmp_path_factory.mktemp("bank")
    (folder / "backbook.toml").write_text('[packs]\ncard = "1"\n', encoding="utf-8")
    return freeze(Workspace.open(folder))


@pytest.fixture
def lender(engine: Engine) -> Book:
    """Eight accounts of four customers with a purchase and a bill a month; the even ones use the card no more from May on."""
    names = [f"a{number}" for number in range(8)]
    months = [(year, month) for year in (2025, 2026) for month in range(1, 13) if (year, month) < (2026, 10)]
    spent = [tx(f"{year}-{month:02}-10", 100 + place, name, customer_initiated=True) for year, month in months
             for place, name in enumerate(names) if (year, month) < (2026, 5) or place % 2]  # fmt: skip
    bills = [statement(f"{year}-{month:02}-15", 100, name, total_balance=100, credit_limit=500, paid_by_due=100)
             for year, month in months for name in names]  # fmt: skip
    accounts = [account(name, f"p{place // 2}", days_past_due=0, closed_on=None) for place, name in enumerate(names)]
    known = [{"account_id": "a0", "kind": "closure_request", "since": date(2025, 1, 2)}]
    return Book(engine, {"account": accounts, "transaction": spent, "statement": bills, "mark": known})


def test_a_day_built_once_for_all_scores_gives_each_the_sample_it_had_alone(
    engine: Engine, lender: Book, frozen: Frozen
) -> None:
    as_of = date(2026, 9, 30)
    scores = [frozen.score(id) for id in ("attrition_silent", "attrition_voluntary", "willingness_to_pay", "cash_use")]
    alone, together = (books.Book(frozen, lender, {}) for _ in range(2))  # type: ignore[arg-type]
    together.foresee(scores, as_of)
    assert together._built
    for score in scores:
        first, second = (sample(score, engine, as_of, book) for book in (alone, together))
        assert isinstance(first, Sample) and isinstance(second, Sample)
        assert first.waterfall == second.waterfall, score.id
        assert first.data_hash == second.data_hash, score.id


def test_a_score_that_the_tables_cannot_teach_names_them_before_anything_is_built(
    lender: Book, frozen: Frozen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books.profiles, "build", lambda *_: pytest.fail("built"))
    book = books.Book(frozen, lender, {})  # type: ignore[arg-type]

    def needs(id: str) -> str:
        return book.needs(frozen.score(id), date(2026, 9, 30))

    assert needs("reactivation") == "`card`"
    assert needs("reach_call") == "`contact`"
    assert needs("bill_instalment") == "`instalment`"
    assert needs("payment_difficulty").startswith("`statement.minimum_due`; `statement.due_on`")
    assert needs("revolving") == "`statement.revolving_balance`; `statement.interest`, `statement.revolving_balance`"
    # A bank that tells no closures and no write-offs has none to leave out.
    assert needs("attrition_silent") == ""
