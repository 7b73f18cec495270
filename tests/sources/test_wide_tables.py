"""The bank's own wide tables, and the accounts that are made where a bank has none."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from backbook.definitions import Item, read_items
from backbook.errors import BadDefinition
from backbook.sources.attributes import draft_attributes, read_attributes

TAGS = """\
attributes:
  - id: salary_band
    zh: 薪资档
    en: Salary band
    type: text
    grain: customer
    purpose: both
    levels: {A: {zh: 高, en: High}, B: 低}
  - id: tenure_months
    zh: 在行月数
    en: Months with the bank
    type: whole
    grain: customer
    purpose: risk
    valid_days: 90
"""


def people(bank, *lines: str) -> None:
    """A bank that knows people and no accounts."""
    bank.mapping("account.core", None)
    bank.inputs.pop("accounts", None)
    bank.input("tags", 'path = "raw/tags.csv"')
    bank.file("tags.csv", "\n".join(["id,salary_band,tenure_months,other", *lines, ""]))
    bank.mapping(
        "attribute.tags", "select 'bank' as system, id as party_id, salary_band, tenure_months, other from tags"
    )
    bank.attributes(TAGS)


def test_declared_columns_are_typed_and_others_stay_text(bank) -> None:
    people(bank, "P1,A,12,007", "P2,低,7,x")
    bank.load()
    rows = bank.rows("attribute.tags")
    assert [(row["party_id"], row["salary_band"], row["tenure_months"], row["other"]) for row in rows] == [
        ("P1", "A", 12, "007"),
        ("P2", "B", 7, "x"),
    ]


def test_a_level_that_is_not_declared_goes_to_quarantine(bank) -> None:
    people(bank, "P1,A,12,", "P2,Z,7,", "P3,A,long,")
    bank.load()
    reasons = sorted(row["reason"] for row in bank.lake_rows("quarantine.attribute.tags"))
    assert reasons == [
        "salary_band (薪资档) is not one of A, B: Z",
        "tenure_months (在行月数) is not a whole number: long",
    ]


def test_one_account_is_made_for_each_person_and_marked(bank) -> None:
    people(bank, "P1,A,12,", "P2,B,7,")
    report = bank.load()
    assert report.accounts["account"].loaded == 2
    rows = bank.rows("account")
    assert [(row["account_id"], row["system"], row["party_id"], row["is_made"], row["opened_on"]) for row in rows] == [
        ("bank:P1", "bank", "P1", True, None),
        ("bank:P2", "bank", "P2", True, None),
    ]
    assert "account" not in report.not_available


def test_facts_by_person_belong_to_the_account_made_for_them(bank) -> None:
    people(bank, "P1,A,12,")
    bank.input("posted", 'path = "raw/posted.csv"')
    bank.file("posted.csv", "tid,id,day,amt\nT1,P1,2026-10-01,5\nT2,P9,2026-10-02,6\n")
    bank.mapping(
        "transaction.core",
        "select tid as transaction_id, 'bank' as system, id as party_id, day as posted_at, amt as amount, 'purchase' as kind from posted",
    )
    report = bank.load()
    assert report.accounts["transaction"].quarantined == 0
    assert bank.values("transaction", "account_id") == ["bank:P1", "bank:P9"]
    assert bank.values("account", "account_id") == ["bank:P1", "bank:P9"]
    assert [row["account_id"] for row in bank.rows("account", date(2026, 10, 2))] == ["bank:P1", "bank:P9"]


def test_loading_again_makes_no_account_twice(bank) -> None:
    people(bank, "P1,A,12,")
    bank.load()
    people(bank, "P1,A,13,", "P2,A,1,")
    assert bank.load(date(2026, 11, 30)).accounts["account"].loaded == 1
    assert bank.values("account", "account_id", date(2026, 11, 30)) == ["bank:P1", "bank:P2"]


def test_a_made_account_is_not_known_earlier_because_an_old_fact_comes_late(bank) -> None:
    people(bank, "P1,A,12,")
    bank.load()
    bank.input("posted", 'path = "raw/posted.csv"')
    bank.file("posted.csv", "tid,id,day,amt\nT1,P1,2026-09-01,5\n")
    bank.mapping(
        "transaction.core",
        "select tid as transaction_id, 'bank' as system, id as party_id, day as posted_at, amt as amount, 'fee' as kind from posted",
    )
    account = bank.load(date(2026, 11, 30)).accounts["account"]
    assert (account.loaded, account.corrected) == (0, 0)


def test_the_banks_own_accounts_take_the_place_of_made_ones(bank) -> None:
    people(bank, "P1,A,12,")
    bank.load()
    bank.input("accounts", 'path = "raw/accounts.csv"')
    bank.mapping("account.core", "select * from accounts")
    bank.load(date(2026, 11, 30))
    assert bank.values("account", "account_id", date(2026, 11, 30)) == ["A1", "A2"]
    assert bank.values("account", "account_id") == ["bank:P1"]


def test_a_wide_table_by_account_makes_accounts_by_that_name(bank) -> None:
    people(bank)
    bank.file("tags.csv", "id,salary_band,tenure_months,other\nA7,A,12,\n")
    bank.mapping("attribute.tags", "select id as account_id, salary_band, tenure_months, other from tags")
    bank.load()
    (row,) = bank.rows("account")
    assert (row["account_id"], row["system"], row["party_id"]) == ("A7", "made", "A7")


def test_the_latest_known_row_of_a_wide_table_counts(bank) -> None:
    people(bank)
    bank.mapping("attribute.tags", "select 'bank' as system, id as party_id, known_on, salary_band from tags")
    bank.file("tags.csv", "id,known_on,salary_band\nP1,2026-08-31,A\nP1,2026-09-30,B\nP1,2026-10-31,B\n")
    account = bank.load().accounts["attribute.tags"]
    assert (account.loaded, account.unchanged) == (2, 1)
    assert bank.values("attribute.tags", "salary_band", date(2026, 9, 1)) == ["A"]
    assert bank.values("attribute.tags", "salary_band") == ["B"]


YOUNG = """\
attributes:
  - {id: salary_band, zh: 薪资档, en: Salary band, type: text, grain: customer, purpose: both, valid_days: 40}
"""
FLAG = """\
attributes:
  - {id: salary_band, zh: 薪资档, en: Salary band, type: text, grain: customer, purpose: outcome}
"""
MONTHS = "id,known_on,salary_band\nP1,2026-08-31,A\nP1,2026-09-30,A\nP1,2026-10-31,A\n"


@pytest.mark.parametrize(("declared", "kept"), [(TAGS, 1), (YOUNG, 3), (FLAG, 3)], ids=["plain", "ages", "outcome"])
def test_the_same_word_on_a_later_day_is_kept_where_its_day_matters(bank, declared: str, kept: int) -> None:
    people(bank)
    bank.attributes(declared)
    bank.mapping("attribute.tags", "select 'bank' as system, id as party_id, known_on, salary_band from tags")
    bank.file("tags.csv", MONTHS)
    account = bank.load().accounts["attribute.tags"]
    assert (account.loaded, account.unchanged) == (kept, 3 - kept)
    # And once it lies there, the same delivery brings nothing.
    bank.file("tags.csv", MONTHS + "P2,2026-10-31,B\n")
    again = bank.load(date(2026, 11, 30)).accounts["attribute.tags"]
    assert (again.loaded, again.unchanged) == (1, 3)
    assert bank.values("attribute.tags", "salary_band", date(2026, 9, 15)) == ["A"]


def test_a_column_that_is_declared_later_is_read_again_for_what_was_left_out(bank) -> None:
    """Else only what changed would ever have been told, and everybody would seem to have left."""
    people(bank)
    bank.mapping("attribute.tags", "select 'bank' as system, id as party_id, known_on, salary_band from tags")
    bank.file("tags.csv", MONTHS)
    bank.load()
    assert len(bank.lake_rows("attribute.tags")) == 1
    bank.attributes(FLAG)
    bank.load()
    assert len(bank.lake_rows("attribute.tags")) == 3


def test_an_outcome_without_a_day_is_told_by_each_delivery_and_a_value_only_by_a_new_one(bank) -> None:
    people(bank)
    bank.mapping("attribute.tags", "select 'bank' as system, id as party_id, salary_band from tags")
    for declared, loaded in ((YOUNG, 1), (FLAG, 2)):
        bank.attributes(declared)
        bank.file("tags.csv", f"id,salary_band,x\nP1,A,{loaded}\n")
        bank.load(date(2026, 10, 31))
        bank.file("tags.csv", f"id,salary_band,x\nP1,A,{loaded + 10}\n")
        bank.load(date(2026, 11, 30))
        assert len(bank.lake_rows("attribute.tags")) == loaded


def test_a_file_that_bears_the_contracts_names_needs_no_mapping(bank) -> None:
    bank.mapping("account.core", None)
    bank.inputs.pop("accounts", None)
    bank.input("tags", 'path = "raw/tags.csv"\ntable = "attribute"')
    bank.file("tags.csv", "system,party_id,known_on,salary_band\nbank,P1,2026-09-30,A\n")
    bank.attributes(TAGS)
    account = bank.load().accounts["attribute.tags"]
    assert (account.loaded, bank.values("attribute.tags", "salary_band")) == (1, ["A"])


def test_a_table_of_an_input_that_is_none_is_refused_with_what_is_meant(bank) -> None:
    bank.input("tags", 'path = "raw/tags.csv"\ntable = "atribute"')
    bank.file("tags.csv", "system,party_id\nbank,P1\n")
    with pytest.raises(BadDefinition, match="'atribute' is not a table of the contract. Did you mean 'attribute'"):
        bank.load()


def test_an_input_is_mapped_by_its_table_or_by_a_file_not_by_both(bank) -> None:
    people(bank, "P1,A,12,")
    bank.input("tags", 'path = "raw/tags.csv"\ntable = "attribute"')
    faults = [str(fault) for fault in bank.open().faults()]
    assert len(faults) == 1 and "sources/attribute.tags.sql" in faults[0] and "[inputs.tags]" in faults[0]


def test_one_column_in_two_wide_tables_is_refused(bank) -> None:
    people(bank, "P1,A,12,")
    bank.mapping("attribute.more", "select 'bank' as system, id as party_id, salary_band from tags")
    with pytest.raises(BadDefinition, match=r"gives 'salary_band', which sources/attribute.more.sql gives already"):
        bank.load()


def test_every_fault_of_an_attribute_is_told(bank) -> None:
    item = Item(
        "attribute",
        "account_id",
        {
            "id": "account_id",
            "en": "x",
            "type": "int",
            "grain": "person",
            "purpose": "sales",
            "valid_days": 0,
            "protect": True,
        },
    )
    told = " ".join(str(fault) for fault in read_attributes([item])[1])
    for word in (
        "Did you mean 'protected'",
        "has no zh",
        "type is 'int'",
        "grain is 'person'",
        "purpose is 'sales'",
        "valid_days is 0",
        "already",
    ):
        assert word in told


def test_an_attribute_reads_its_canonical_form_again(bank) -> None:
    bank.attributes(TAGS)
    items, _ = read_items(bank.folder, "workspace")
    attributes, faults = read_attributes(items)
    assert not faults
    again, faults = read_attributes([Item("attribute", one.id, one.canonical()) for one in attributes])
    assert (again, faults) == (attributes, [])


def test_the_draft_says_what_a_column_seems_to_be_and_that_nobody_has_said_what_for(bank) -> None:
    people(bank, "P1,A,12,")
    bank.mapping(
        "attribute.tags",
        "select 'bank' as system, id as party_id, salary_band, tenure_months, rate, agreed, gender_code, \"备注\" from tags",
    )
    bank.file(
        "tags.csv", "id,salary_band,tenure_months,rate,agreed,gender_code,备注\nP1,A,12,0.5,Y,M,x\nP2,B,3,1,N,F,\n"
    )
    workspace = bank.open()
    file = draft_attributes(workspace)
    assert file == bank.folder / "sources" / "attributes.yaml"
    assert file.read_text(encoding="utf-8").startswith(TAGS.rstrip()), "what was written stays"
    items, faults = read_items(bank.folder, "workspace")
    assert not faults
    attributes = {one.id: one for one in read_attributes(items)[0]}
    assert (attributes["rate"].type, attributes["rate"].grain, attributes["rate"].purpose) == (
        "number",
        "customer",
        "none",
    )
    assert attributes["agreed"].type == "yes/no"
    assert attributes["gender_code"].protected and not attributes["rate"].protected
    assert "the column '备注' needs a name" in file.read_text(encoding="utf-8")
    assert draft_attributes(bank.open()) is None or "备注" in file.read_text(encoding="utf-8")


def test_a_balance_by_account_needs_accounts_that_the_bank_delivers(bank) -> None:
    """Where accounts are mapped none are made: an unknown one is an orphan."""
    bank.input("ends", 'path = "raw/ends.csv"')
    bank.file("ends.csv", "account_id,on,total_balance\nA1,2026-09-30,5\nZ9,2026-09-30,5\n")
    bank.mapping("balance.core", "select * from ends")
    report = bank.load()
    assert report.accounts["balance"].quarantined == 1
    assert bank.values("balance", "total_balance") == [Decimal(5)]
