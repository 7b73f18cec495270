"""Corrections, late rows, days delivered twice, snapshots and histories: what is known on which day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from backbook.sources.known import first_day, known

OCTOBER, NOVEMBER, LATER = date(2026, 10, 31), date(2026, 11, 30), date(2026, 12, 31)
GOOD = ("T1,A1,2026-10-01,100,purchase", "T2,A2,2026-10-02,50,purchase")


def amounts(bank, as_of: date) -> dict[str, Decimal]:
    return {row["transaction_id"]: row["amount"] for row in bank.rows("transaction", as_of)}


def test_in_the_first_load_facts_were_known_when_they_happened(bank) -> None:
    bank.transactions(*GOOD)
    bank.load(OCTOBER)
    assert amounts(bank, date(2026, 10, 1)) == {"T1": 100}
    assert bank.values("transaction", "known_on") == [date(2026, 10, 1), date(2026, 10, 2)]
    assert first_day(bank.engine, bank.open().lake.head(), "transaction") == date(2026, 10, 1)


def test_loading_the_same_files_again_changes_nothing(bank) -> None:
    bank.transactions(*GOOD)
    bank.load(OCTOBER)
    before = bank.open().lake.head()
    report = bank.load(NOVEMBER)
    assert not report.changed
    assert bank.open().lake.head() == before
    assert (report.accounts["transaction"].loaded, report.accounts["transaction"].unchanged) == (0, 2)


def test_rows_of_later_days_are_loaded_and_wait_for_their_day(bank) -> None:
    """A file of today holds more than a run for last month may see."""
    august, september = date(2025, 8, 31), date(2025, 9, 30)
    bank.transactions("T1,A1,2025-08-01,100,purchase", "T2,A2,2025-09-02,50,purchase")
    report = bank.load(august)
    assert (report.accounts["transaction"].loaded, report.accounts["transaction"].quarantined) == (2, 0)
    assert amounts(bank, august) == {"T1": 100}
    assert amounts(bank, september) == {"T1": 100, "T2": 50}
    (told,) = [finding for finding in report.quality if finding.check == "later days"]
    assert told.en == "`transaction`: 1 of its rows are of days after 2025-08-31: loaded, waiting for their day."
    assert not bank.load(september).changed


def test_a_correction_of_a_later_day_does_not_count_before_it(bank) -> None:
    bank.input("posted", 'path = "raw/posted_*.csv"\nknown_on = "posted_{date}"\ndelivery = "increment"')
    bank.file("posted_20250831.csv", "transaction_id,account_id,posted_at,amount,kind\nT1,A1,2025-08-01,100,purchase\n")
    bank.file("posted_20250930.csv", "transaction_id,account_id,posted_at,amount,kind\nT1,A1,2025-08-01,101,purchase\n")
    bank.mapping("transaction.core", "select * from posted")
    bank.load(date(2025, 8, 31))
    assert amounts(bank, date(2025, 8, 31)) == {"T1": 100}
    assert amounts(bank, date(2025, 9, 30)) == {"T1": 101}


def test_a_correction_counts_from_the_load_that_brought_it(bank) -> None:
    bank.transactions(*GOOD)
    bank.load(OCTOBER)
    bank.transactions("T1,A1,2026-10-01,101,purchase", GOOD[1])
    report = bank.load(NOVEMBER)
    account = report.accounts["transaction"]
    assert (account.loaded, account.corrected, account.unchanged) == (1, 1, 1)
    assert amounts(bank, OCTOBER) == {"T1": 100, "T2": 50}
    assert amounts(bank, NOVEMBER) == {"T1": 101, "T2": 50}


def test_a_late_row_was_not_known_on_the_day_it_happened(bank) -> None:
    bank.transactions(*GOOD)
    bank.load(OCTOBER)
    bank.transactions(*GOOD, "T3,A1,2026-10-15,7,fee")
    bank.load(NOVEMBER)
    assert set(amounts(bank, OCTOBER)) == {"T1", "T2"}
    assert set(amounts(bank, NOVEMBER)) == {"T1", "T2", "T3"}


def test_what_an_extract_no_longer_holds_is_withdrawn_from_then_on(bank) -> None:
    bank.transactions(*GOOD, "T3,A1,2026-10-03,7,fee")
    bank.load(OCTOBER)
    bank.transactions(GOOD[0], "T3,A1,2026-10-03,7,fee")
    assert bank.load(NOVEMBER).accounts["transaction"].withdrawn == 1
    assert set(amounts(bank, OCTOBER)) == {"T1", "T2", "T3"}
    assert set(amounts(bank, NOVEMBER)) == {"T1", "T3"}


def test_what_lies_before_the_first_day_of_an_extract_stays(bank) -> None:
    """Many systems deliver only the last ninety days."""
    bank.transactions(*GOOD)
    bank.load(OCTOBER)
    bank.transactions(GOOD[1])
    assert bank.load(NOVEMBER).accounts["transaction"].withdrawn == 0
    assert set(amounts(bank, NOVEMBER)) == {"T1", "T2"}


def test_a_withdrawn_row_that_comes_back_counts_again(bank) -> None:
    third = "T3,A1,2026-10-03,7,fee"
    bank.transactions(*GOOD, third)
    bank.load(OCTOBER)
    bank.transactions(GOOD[0], third)
    bank.load(NOVEMBER)
    bank.transactions(*GOOD, third)
    bank.load(LATER)
    assert [len(amounts(bank, day)) for day in (OCTOBER, NOVEMBER, LATER)] == [3, 2, 3]


def daily(bank, day: str, *lines: str) -> None:
    bank.input("posted", 'path = "raw/posted_*.csv"\ndelivery = "increment"\nknown_on = "posted_{date}"')
    bank.file(f"posted_{day}.csv", "\n".join(["transaction_id,account_id,posted_at,amount,kind", *lines, ""]))
    bank.mapping("transaction.core", "select * from posted")


def test_of_an_increment_only_new_files_are_read(bank) -> None:
    daily(bank, "20261001", GOOD[0])
    bank.load(OCTOBER)
    daily(bank, "20261002", GOOD[1])
    account = bank.load(OCTOBER).accounts["transaction"]
    assert (account.parsed, account.loaded) == (1, 1)
    assert set(amounts(bank, OCTOBER)) == {"T1", "T2"}


def test_the_day_in_a_file_name_says_when_its_rows_were_known(bank) -> None:
    daily(bank, "2026-10-05", *GOOD)
    bank.load(OCTOBER)
    assert bank.values("transaction", "known_on") == [date(2026, 10, 5), date(2026, 10, 5)]
    assert amounts(bank, date(2026, 10, 4)) == {}


def test_a_day_delivered_again_replaces_that_day_from_then_on(bank) -> None:
    daily(bank, "20261001", GOOD[0], "T8,A1,2026-10-01,8,fee", "T9,A1,2026-10-01,9,fee")
    daily(bank, "20261002", GOOD[1])
    bank.load(OCTOBER)
    daily(bank, "20261001", "T1,A1,2026-10-01,111,purchase", "T8,A1,2026-10-01,8,fee")
    account = bank.load(NOVEMBER).accounts["transaction"]
    assert (account.corrected, account.unchanged, account.withdrawn) == (1, 1, 1)
    assert amounts(bank, OCTOBER) == {"T1": 100, "T2": 50, "T8": 8, "T9": 9}
    assert amounts(bank, NOVEMBER) == {"T1": 111, "T2": 50, "T8": 8}


def test_a_key_may_come_again_in_a_later_file_of_an_increment(bank) -> None:
    daily(bank, "20261001", GOOD[0])
    daily(bank, "20261005", "T1,A1,2026-10-01,99,purchase")
    account = bank.load(OCTOBER).accounts["transaction"]
    assert (account.loaded, account.corrected, account.quarantined) == (2, 1, 0)
    assert amounts(bank, date(2026, 10, 4)) == {"T1": 100}
    assert amounts(bank, OCTOBER) == {"T1": 99}


def test_of_two_files_of_one_load_the_later_one_wins_also_when_no_day_is_told(bank) -> None:
    daily(bank, "1", GOOD[0])
    daily(bank, "2", "T1,A1,2026-10-01,99,purchase")
    bank.input("posted", 'path = "raw/posted_*.csv"\ndelivery = "increment"')
    assert bank.load(OCTOBER).accounts["transaction"].corrected == 1
    assert amounts(bank, OCTOBER) == {"T1": 99}


def snapshots(bank) -> None:
    bank.input("accounts", 'path = "raw/zh_*.csv"\ndelivery = "increment"\nknown_on = "zh_{date}"')


def snapshot(bank, day: str, *lines: str) -> None:
    bank.file(f"zh_{day}.csv", "\n".join(["account_id,system,party_id,opened_on,credit_limit", *lines, ""]))


def limits(bank, as_of: date) -> dict[str, Decimal | None]:
    return {row["account_id"]: row["credit_limit"] for row in bank.rows("account", as_of)}


def test_of_dated_snapshots_the_latest_known_row_counts(bank) -> None:
    snapshots(bank)
    snapshot(bank, "20260831", "A1,core,P1,2020-01-01,10")
    snapshot(bank, "20260930", "A1,core,P1,2020-01-01,10", "A2,core,P2,2026-09-15,5")
    snapshot(bank, "20261031", "A1,core,P1,2020-01-01,20", "A2,core,P2,2026-09-15,5")
    account = bank.load(OCTOBER).accounts["account"]
    assert (account.mapped, account.loaded, account.unchanged) == (5, 3, 2)
    assert limits(bank, date(2026, 9, 1)) == {"A1": 10}
    assert limits(bank, date(2026, 10, 30)) == {"A1": 10, "A2": 5}
    assert limits(bank, OCTOBER) == {"A1": 20, "A2": 5}


def test_an_old_snapshot_that_comes_late_does_not_undo_a_newer_one(bank) -> None:
    snapshots(bank)
    snapshot(bank, "20260831", "A1,core,P1,2020-01-01,10")
    snapshot(bank, "20261031", "A1,core,P1,2020-01-01,20")
    bank.load(OCTOBER)
    snapshot(bank, "20260930", "A1,core,P1,2020-01-01,15")
    bank.load(NOVEMBER)
    assert limits(bank, date(2026, 9, 30)) == {"A1": 15}
    assert limits(bank, NOVEMBER) == {"A1": 20}


def test_a_snapshot_delivered_again_counts_from_then_on_and_under_the_newer_ones(bank) -> None:
    snapshots(bank)
    snapshot(bank, "20260930", "A1,core,P1,2020-01-01,10")
    snapshot(bank, "20261031", "A1,core,P1,2020-01-01,20")
    bank.load(OCTOBER)
    snapshot(bank, "20261031", "A1,core,P1,2020-01-01,25")
    bank.load(NOVEMBER)
    assert limits(bank, OCTOBER) == {"A1": 20}
    assert limits(bank, NOVEMBER) == {"A1": 25}
    snapshot(bank, "20260930", "A1,core,P1,2020-01-01,11")
    bank.load(LATER)
    assert limits(bank, LATER) == {"A1": 25}


def test_before_a_banks_first_extract_only_ids_and_past_dates_are_known(bank) -> None:
    bank.file(
        "accounts.csv",
        "account_id,system,party_id,opened_on,closed_on,credit_limit\n"
        "A1,core,P1,2020-01-05,2026-08-01,10\nA2,core,P2,2026-07-01,,20\nA3,core,P3,2020-01-05,2026-02-01,30\n",
    )
    bank.load(OCTOBER)
    rows = {row["account_id"]: row for row in bank.rows("account", date(2026, 3, 31))}
    assert set(rows) == {"A1", "A3"}
    assert (rows["A1"]["closed_on"], rows["A3"]["closed_on"]) == (None, date(2026, 2, 1))
    assert (rows["A1"]["party_id"], rows["A1"]["credit_limit"], rows["A1"]["known_on"]) == ("P1", None, None)
    assert limits(bank, OCTOBER) == {"A1": 10, "A2": 20, "A3": 30}


def test_an_account_that_opens_after_the_first_extract_was_not_known_before_its_own(bank) -> None:
    bank.load(OCTOBER)
    bank.file(
        "accounts.csv",
        "account_id,system,party_id,opened_on,credit_limit\nA1,core,P1,2020-01-05,1\nA7,core,P7,2026-11-05,7\n",
    )
    bank.load(NOVEMBER)
    assert set(limits(bank, date(2026, 11, 10))) == {"A1", "A2"}
    assert set(limits(bank, NOVEMBER)) == {"A1", "A7"}


def test_a_mapping_that_has_changed_is_run_again_over_the_same_files(bank) -> None:
    bank.transactions(*GOOD)
    bank.load(OCTOBER)
    bank.mapping(
        "transaction.core",
        "select transaction_id, account_id, posted_at, -amount::decimal(18,2) as amount, 'refund' as kind from posted",
    )
    assert bank.load(NOVEMBER).accounts["transaction"].corrected == 2
    assert amounts(bank, NOVEMBER) == {"T1": -100, "T2": -50}


def test_a_comment_in_a_mapping_changes_nothing(bank) -> None:
    bank.transactions(*GOOD)
    bank.load(OCTOBER)
    bank.mapping("transaction.core", "-- as delivered\nselect * from posted")
    assert not bank.load(NOVEMBER).changed


def test_a_load_for_an_earlier_date_than_the_last_one_does_not_doubt_what_is_there(bank) -> None:
    bank.transactions(*GOOD)
    bank.load(OCTOBER)
    bank.transactions(*GOOD, "T3,A1,2026-10-30,7,fee")
    report = bank.load(date(2026, 8, 31))
    assert report.accounts["transaction"].quarantined == 0
    assert bank.values("transaction", "known_on") == [date(2026, 10, 1), date(2026, 10, 2), OCTOBER]


def test_times_with_an_offset_become_the_books_wall_time(bank) -> None:
    bank.transactions(
        "T1,A1,2026-10-01T23:30:00Z,1,fee",
        "T2,A1,2026-10-01 23:30:00+08:00,1,fee",
        "T3,A1,2026-10-01 23:30:00,1,fee",
        "T4,A1,20261001233000,1,fee",
        "T5,A1,2026-10-01T10:30:00.250-05:00,1,fee",
    )
    bank.load()
    assert [f"{moment:%d %H:%M}" for moment in bank.values("transaction", "posted_at")] == [
        "02 07:30", "01 23:30", "01 23:30", "01 23:30", "01 23:30",
    ]  # fmt: skip


def test_the_same_deliveries_give_the_same_bytes(bank, tmp_path, engine) -> None:
    from conftest import Bank  # type: ignore[import-not-found]

    hashes = []
    for name in ("one", "two"):
        other = Bank(tmp_path / name, engine)
        other.transactions(*GOOD)
        other.load(OCTOBER)
        manifest = other.open().lake.head().manifest("transaction")
        hashes.append([file.sha256 for file in manifest.files])
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("table", ["card", "bureau"])
def test_a_table_that_is_absent_is_not_known(bank, table: str) -> None:
    report = bank.load()
    assert table in report.not_available
    assert known(bank.engine, bank.open().lake.head(), table, OCTOBER) is None
    assert first_day(bank.engine, bank.open().lake.head(), table) is None
