"""The contract itself, its pages, and what the quality gate tells of a load."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import openpyxl
import pytest

from backbook.expressions import parse
from backbook.sources.contract import TABLES
from backbook.sources.dictionary import PAGES, contract_page, write_dictionary
from backbook.sources.report import not_available

ROOT = Path(__file__).parents[2]
OCTOBER, NOVEMBER = date(2026, 10, 31), date(2026, 11, 30)


@pytest.mark.parametrize("language", PAGES)
def test_the_contract_page_is_what_the_contract_says(language: str) -> None:
    page = (ROOT / "docs" / PAGES[language]).read_text(encoding="utf-8")
    assert page == contract_page(language), "write it anew: backbook dictionary --docs docs"


def test_every_column_has_both_names_and_every_name_means_one_column() -> None:
    for table in TABLES.values():
        assert all(column.zh and column.en for column in table)
        assert len({column.zh for column in table}) == len(table.columns), table.name
        assert all(level.zh and level.en for column in table for level in column.levels)


def test_keys_events_and_references_name_columns_that_are_there() -> None:
    for table in TABLES.values():
        assert all(column in table for column in table.key)
        assert table.event is None or table.event in table
        for reference in table.references:
            assert all(column in table and column in TABLES[reference.table] for column in reference.columns)
        for group in table.one_of:
            assert all(column in table for column in group)


def test_every_check_is_a_condition_of_the_language() -> None:
    for table in TABLES.values():
        for check in table.checks:
            assert parse(check.condition, table.names()).reads <= {column.name for column in table}


def test_a_condition_cannot_read_what_is_private() -> None:
    assert "full_name" not in TABLES["party"].names()
    assert TABLES["transaction"].names().resolve("交易金额").name == "amount"


def test_the_dictionary_opens_in_both_languages(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(write_dictionary(tmp_path / "dictionary.xlsx"))
    assert book.sheetnames == ["数据字典", "取值", "Data dictionary", "Levels"]
    rows = sum(len(table.columns) for table in TABLES.values())
    assert book["数据字典"].max_row == book["Data dictionary"].max_row == rows + 1
    assert [cell.value for cell in book["数据字典"][2]][:4] == ["party", "客户主档", "system", "来源系统"]


def test_what_is_absent_is_listed_in_the_order_of_the_contract() -> None:
    assert not_available(["account", "attribute.tags", "transaction"])[:3] == ("party", "card", "product")


def told(report) -> list[str]:
    return [f"{finding.level}: {finding.en}" for finding in report.quality]


def test_a_table_that_ends_early_is_told_with_its_days(bank) -> None:
    bank.transactions("T1,A1,2026-10-28,1,purchase")
    assert "ok: `transaction` ends 3 days before as_of (2026-10-28)." in told(bank.load(OCTOBER))


def test_a_table_that_ended_long_ago_is_stale_also_when_nothing_new_came(bank) -> None:
    bank.transactions("T1,A1,2026-08-01,1,purchase")
    for _ in range(2):
        report = bank.load(OCTOBER)
        assert "warn: `transaction` ends 91 days before as_of (2026-08-01)." in told(report)
        assert [finding.table for finding in report.quality if finding.stale] == ["transaction"]
    assert report.level == "warn"


def test_an_extract_with_half_the_rows_of_the_last_one_says_stop(bank) -> None:
    bank.transactions(*(f"T{n},A1,2026-10-30,1,purchase" for n in range(100)))
    bank.load(OCTOBER)
    bank.transactions(*(f"T{n},A1,2026-11-30,1,purchase" for n in range(40)))
    report = bank.load(NOVEMBER)
    assert report.level == "stop"
    assert "stop: `transaction` has 40 rows, 100 the last time (-60%): is the delivery whole?" in told(report)


def test_a_column_that_went_empty_is_told(bank) -> None:
    header = "transaction_id,account_id,posted_at,amount,kind,mcc"
    bank.transactions("T1,A1,2026-10-30,1,purchase,5411", header=header)
    bank.load(OCTOBER)
    bank.transactions("T1,A1,2026-10-30,1,purchase,", header=header)
    assert "warn: `transaction.mcc` is empty in 100% of the rows, 0% the last time." in told(bank.load(NOVEMBER))


def test_the_report_gives_machines_both_gates(bank) -> None:
    bank.transactions("T1,A1,2026-10-30,1,purchase", "T2,A1,2026-10-30,x,purchase")
    found = bank.load().as_json()
    counts = found["tables"]["transaction"]
    assert (counts["parsed"], counts["mapped"], counts["loaded"], counts["quarantined"]) == (2, 2, 1, 1)
    assert "party" in found["not_available"]
    assert found["examples"]["transaction"] == ["posted.csv:3: amount (交易金额) is not an amount of money: x"]
