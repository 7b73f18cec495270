"""Faults as banks deliver them: each has its reason, both gates add up, and nothing is lost."""

from __future__ import annotations

from datetime import date

import pytest

from backbook.errors import BadData, BadDefinition
from backbook.sources.report import LoadReport

GOOD = ("T1,A1,2026-10-01 08:00:00,100.00,purchase", "T2,A2,2026-10-02,-50,payment")


def both_gates_add_up(report: LoadReport, table: str, lines: int) -> None:
    account = report.accounts[table]
    assert account.parsed + account.rejected == lines
    assert account.mapped == account.loaded + account.unchanged + account.quarantined


def reason(bank, table: str = "transaction") -> str:
    """The one reason in quarantine."""
    (row,) = bank.lake_rows(f"quarantine.{table}")
    return row["reason"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("T3,A1,2026-10-03,twelve,purchase", "amount (交易金额) is not an amount of money: twelve"),
        ("T3,A1,2026-13-03,12,purchase", "posted_at (入账时间) is not a time: 2026-13-03"),
        ("T3,A1,2026-10-03,12,buying", "kind (交易种类) is not one of purchase, cash_advance"),
        ("T3,A1,2026-10-03,,purchase", "amount (交易金额) is missing"),
        ("T3,,2026-10-03,12,purchase", "account_id (账户号) is missing"),
        ("T3,A9,2026-10-03,12,purchase", "account_id is not in `account`: A9"),
        ("T3,A1,2099-11-01,12,purchase", "posted_at (入账时间) lies after "),
        ("T3,A1,2026-10-03,99999999999999999999,purchase", "is not an amount of money"),
        ("T3,A1,2026-10-03,NaN,purchase", "is not an amount of money"),
    ],
)
def test_a_faulty_row_goes_to_quarantine_with_its_reason_file_and_line(bank, line: str, told: str) -> None:
    bank.transactions(*GOOD, line)
    report = bank.load()
    both_gates_add_up(report, "transaction", 3)
    assert report.accounts["transaction"].quarantined == 1
    (row,) = bank.lake_rows("quarantine.transaction")
    assert told in row["reason"]
    assert (row["_file"], row["_row"]) == ("posted.csv", 4)
    assert len(bank.rows("transaction")) == 2
    assert "posted.csv:4" in report.examples["transaction"][0]


def test_a_row_is_told_all_that_is_wrong_with_it(bank) -> None:
    bank.transactions(*GOOD, "T3,A1,soon,twelve,buying")
    bank.load()
    assert all(word in reason(bank) for word in ("soon", "twelve", "buying"))


def test_a_negative_limit_is_refused_by_the_contract(bank) -> None:
    bank.file(
        "accounts.csv",
        "account_id,system,party_id,opened_on,credit_limit\nA1,core,P1,2020-01-05,-1\nA2,core,P2,2020-01-05,1\n",
    )
    report = bank.load()
    both_gates_add_up(report, "account", 2)
    assert "credit limit must not be negative" in reason(bank, "account")


def test_a_minimum_due_above_what_is_due_is_refused(bank) -> None:
    bank.input("bills", 'path = "raw/bills.csv"')
    bank.file(
        "bills.csv", "account_id,statement_on,closing_balance,minimum_due\nA1,2026-09-30,-5,1\nA1,2026-08-31,-5,0\n"
    )
    bank.mapping("statement.core", "select * from bills")
    bank.load()
    assert "minimum_due <= greatest(closing_balance, 0)" in reason(bank, "statement")
    assert len(bank.rows("statement")) == 1


def test_two_rows_of_one_key_that_disagree_both_go_to_quarantine(bank) -> None:
    bank.transactions(*GOOD, "T2,A2,2026-10-02,-51,payment")
    report = bank.load()
    both_gates_add_up(report, "transaction", 3)
    assert report.accounts["transaction"].quarantined == 2
    assert bank.values("transaction", "transaction_id") == ["T1"]
    assert {row["reason"] for row in bank.lake_rows("quarantine.transaction")} == {
        "the same key comes again with other content"
    }


def test_a_row_that_only_repeats_another_is_counted_and_loaded_once(bank) -> None:
    bank.transactions(*GOOD, GOOD[0])
    report = bank.load()
    both_gates_add_up(report, "transaction", 3)
    account = report.accounts["transaction"]
    assert (account.loaded, account.repeated, account.unchanged, account.quarantined) == (2, 1, 1, 0)
    assert any(finding.check == "repeated" for finding in report.quality)


def test_a_line_with_too_few_fields_is_rejected_by_its_number(bank) -> None:
    bank.transactions(GOOD[0], "T9,A1", GOOD[1])
    report = bank.load()
    both_gates_add_up(report, "transaction", 3)
    assert report.accounts["transaction"].rejected == 1
    (line,) = bank.lake_rows("rejected")
    assert (line["file"], line["line"], line["reason"]) == ("posted.csv", 3, "2 fields where 5 were expected")


def test_a_truncated_file_is_noticed_at_its_last_line(bank) -> None:
    bank.transactions(*GOOD)
    bank.file("posted.csv", "transaction_id,account_id,posted_at,amount,kind\n" + GOOD[0] + "\nT2,A2,2026-1")
    bank.load()
    (line,) = bank.lake_rows("rejected")
    assert line["line"] == 3
    assert "the file ends in the middle of this line: cut off?" in line["reason"]


def test_a_quote_that_never_closes_costs_one_line_and_not_the_rest_of_the_file(bank) -> None:
    bank.transactions(GOOD[0], 'T9,A1,2026-10-03,12,"purchase', GOOD[1])
    report = bank.load()
    both_gates_add_up(report, "transaction", 3)
    assert bank.values("transaction", "transaction_id") == ["T1", "T2"]
    assert bank.lake_rows("rejected")[0]["reason"] == "a quote is opened and not closed"


def test_a_file_of_mixed_encodings_loses_only_the_lines_that_do_not_decode(bank) -> None:
    header = "transaction_id,account_id,posted_at,amount,kind,merchant\n"
    lines = "T1,A1,2026-10-01,1,purchase,茶馆\n".encode() + "T2,A1,2026-10-02,1,purchase,书店\n".encode("gbk")
    bank.transactions()
    bank.file("posted.csv", header.encode() + lines)
    report = bank.load()
    both_gates_add_up(report, "transaction", 2)
    assert bank.values("transaction", "merchant") == ["茶馆"]
    (line,) = bank.lake_rows("rejected")
    assert line["line"] == 3
    assert "the file mixes encodings" in line["reason"]


def test_too_many_faults_stop_the_load_and_nothing_is_published(bank) -> None:
    bank.reject_share = 0.01
    bank.transactions(*GOOD, "T3,A9,2026-10-03,12,purchase")
    bank.file(
        "accounts.csv",
        "account_id,system,party_id,opened_on,credit_limit\nA1,core,P1,soon,1\nA2,core,P2,2020-01-05,1\n",
    )
    with pytest.raises(BadData) as refusal:
        bank.load()
    text = str(refusal.value)
    assert "account: 1 of 2 rows break the contract" in text
    assert "transaction: 2 of 3 rows break the contract" in text
    assert "accounts.csv:2: opened_on (开户日) is not a date: soon" in text
    assert bank.open().lake.head().number == 0


def test_a_load_may_have_just_the_share_that_is_allowed(bank) -> None:
    bank.reject_share = 0.01
    rows = [f"T{number},A1,2026-10-01,1,purchase" for number in range(99)]
    bank.transactions(*rows, "T99,A1,2026-10-01,one,purchase")
    assert bank.load().accounts["transaction"].quarantined == 1


def test_a_renamed_column_is_named_with_the_one_that_is_meant(bank) -> None:
    bank.transactions(*GOOD, header="transaction_id,account_id,posted_at,amnt,kind")
    bank.mapping("transaction.core", "select transaction_id, account_id, posted_at,\n  amount, kind from posted")
    with pytest.raises(BadDefinition, match="'amount', which input 'posted' does not have. Did you mean 'amnt'"):
        bank.load()


def test_a_file_whose_columns_differ_from_the_others_is_named(bank) -> None:
    bank.transactions()
    bank.input("posted", 'path = "raw/posted_*.csv"')
    bank.file("posted_1.csv", "transaction_id,account_id,posted_at,amount,kind\n" + GOOD[0] + "\n")
    bank.file("posted_2.csv", "transaction_id,account_id,posted_at,amnt,kind\n" + GOOD[1] + "\n")
    with pytest.raises(
        BadData, match=r"posted_2.csv of input 'posted' has no column 'amount', which posted_1.csv has; it has 'amnt'"
    ):
        bank.load()


def test_an_empty_file_is_refused(bank) -> None:
    bank.transactions()
    bank.file("posted.csv", "")
    with pytest.raises(BadData, match=r"posted.csv is empty"):
        bank.load()


def test_a_file_of_a_header_alone_delivers_nothing(bank) -> None:
    bank.transactions()
    report = bank.load()
    assert report.accounts["transaction"].mapped == 0
    assert "transaction" in report.not_available


def test_a_file_that_is_not_there_is_told_with_what_is_near(bank) -> None:
    bank.transactions(*GOOD)
    bank.input("posted", 'path = "raw/postet.csv"')
    with pytest.raises(BadData, match=r"Input 'posted' finds no file at raw/postet.csv. Did you mean 'posted.csv'"):
        bank.load()


def test_a_control_file_that_disagrees_on_rows_is_believed(bank) -> None:
    bank.transactions(*GOOD)
    bank.input("posted", 'path = "raw/posted.csv"\ncontrol = "{stem}.ctl"\ncontrol_layout = ["file", "rows"]')
    bank.file("posted.ctl", "posted.csv|3\n")
    with pytest.raises(BadData, match=r"posted.ctl says 3 rows; posted.csv holds 2 \(2 read, 0 rejected\)"):
        bank.load()


def test_a_control_file_that_disagrees_on_a_sum_is_believed(bank) -> None:
    bank.transactions(*GOOD)
    bank.input("posted", 'path = "raw/posted.csv"\ncontrol = "{stem}.ctl"\ncontrol_layout = ["rows", "sum amount"]')
    bank.file("posted.ctl", "2|50.01\n")
    with pytest.raises(BadData, match=r"says 50.01 for the sum of amount; posted.csv sums to 50.00"):
        bank.load()
    bank.file("posted.ctl", "2|50.00\n")
    assert bank.load().accounts["transaction"].loaded == 2


def test_a_file_without_its_marker_is_not_complete_yet(bank) -> None:
    bank.transactions(*GOOD)
    bank.input("posted", 'path = "raw/posted.csv"\ncontrol = "{name}.ok"')
    with pytest.raises(
        BadData, match=r"posted.csv of input 'posted' has no control file posted.csv.ok: the delivery is not complete"
    ):
        bank.load()
    bank.file("posted.csv.ok", "")
    assert bank.load().accounts["transaction"].loaded == 2


def test_a_cast_in_a_mapping_that_meets_a_bad_value_is_one_clear_refusal(bank) -> None:
    bank.transactions(*GOOD, "T3,A1,2026-10-03,twelve,purchase")
    bank.mapping(
        "transaction.core",
        "select transaction_id, account_id, posted_at, amount::decimal(18,2) as amount, kind from posted",
    )
    with pytest.raises(BadDefinition, match=r"sources/transaction.core.sql: stopped at a value: .*twelve.*TRY_CAST"):
        bank.load()


def test_an_account_whose_person_is_not_there_is_counted_and_told(bank) -> None:
    bank.input("people", 'path = "raw/people.csv"')
    bank.file("people.csv", "system,party_id\ncore,P1\n")
    bank.mapping("party.core", "select * from people")
    report = bank.load()
    assert report.accounts["account"].loaded == 2
    assert [finding.en for finding in report.quality if finding.check == "orphans"] == [
        "`account`: 1 rows name a person whom `party` does not have."
    ]


def test_the_same_fault_is_not_counted_away_by_loading_again(bank) -> None:
    bank.transactions(*GOOD, "T3,A9,2026-10-03,12,purchase")
    first = bank.load().accounts["transaction"]
    again = bank.load(date(2026, 11, 1)).accounts["transaction"]
    assert (again.mapped, again.unchanged, again.quarantined, again.loaded) == (3, 2, 1, 0)
    assert first.quarantined == again.quarantined
