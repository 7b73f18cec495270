"""The lists for the people who act: who is on them, and what Excel makes of them."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some
from strategy_book import STRATEGY, strategy

from backbook.strategy.lists import SIMULATION, ListFile, masked, plain_text, safe_text, write_lists

WHOLE = strategy(STRATEGY)
SCHEMA = pa.schema(
    [
        ("as_of", pa.date32()),
        ("account_id", pa.string()),
        ("customer_id", pa.string()),
        ("system", pa.string()),
        ("party_id", pa.string()),
        ("strategy", pa.string()),
        ("arm", pa.string()),
        ("action", pa.string()),
        ("reasons", pa.string()),
        ("blocked", pa.string()),
        ("value_now", pa.decimal128(18, 2)),
        ("value_new", pa.decimal128(18, 2)),
        ("valid_until", pa.date32()),
        ("decision_id", pa.string()),
        ("is_control", pa.bool_()),
    ]
)
PEOPLE = pa.table(
    {
        "system": ["core", "core"],
        "party_id": ["P1", "P2"],
        "customer_no": ["6222021234567890123", "0012"],
        "full_name": ["欧阳娜娜", "=HYPERLINK(0)"],
        "branch": ["上海分行", "-杭州"],
        "manager": ["@李", None],
    }
)


def decision(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "as_of": date(2026, 10, 31),
        "account_id": f"9558801234567890{number:03d}",
        "customer_id": f"C{number}",
        "system": "core",
        "party_id": f"P{number}",
        "strategy": "limit_review",
        "arm": "champion",
        "action": "increase",
        "reasons": '["GOOD"]',
        "blocked": "{}",
        "value_now": Decimal("10000.00"),
        "value_new": Decimal("12000.50"),
        "valid_until": date(2026, 11, 30),
        "decision_id": f"{number:032x}",
        "is_control": False,
        **changes,
    }


def lists(folder: Path, decisions: list[dict[str, Any]], **more: Any) -> dict[str, ListFile]:
    table = pa.Table.from_pylist(decisions, schema=SCHEMA)
    return {each.action: each for each in write_lists(folder, table, [WHOLE], **more)}


def lines(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


def test_each_action_that_somebody_acts_on_has_a_list_also_when_it_is_empty(tmp_path: Path) -> None:
    found = lists(tmp_path, [decision()])
    assert set(found) == {"increase", "stop_use", "offer", "review", "refer"}, "nobody acts on keep"
    assert [found[action].rows for action in ("increase", "stop_use")] == [1, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{action}.{kind}" for action in found for kind in ("csv", "xlsx")
    )


def test_a_list_says_who_what_why_by_whom_and_until_when(tmp_path: Path) -> None:
    rows = [decision(1, reasons='["TOO_NEW","STUDENT","PAST_DUE","GOOD"]', blocked='{"student":"offer"}')]
    row = lines(lists(tmp_path, rows, people=PEOPLE)["increase"].csv)[0]
    assert row == {
        "客户号": "'6222021234567890123",
        "姓名": "欧***",
        "机构": "上海分行",
        "客户经理": "'@李",
        "账户": "'9558801234567890001",
        "处置": "提额",
        "现值": "10000.00",
        "新值": "12000.50",
        "理由一": "账龄不足6个月",
        "理由二": "学生",
        "理由三": "已逾期",
        "渠道": "手机银行",
        "有效期至": "2026-11-30",
        "策略组": "冠军",
        "拦截其他处置的红线": "推荐分期：学生",
        "策略": "额度检视",
        "决策号": f"'{1:032x}",
        "状态（仅供模拟）": "仅供模拟，未经审批，不得执行",
    }


def test_a_list_speaks_the_reports_language(tmp_path: Path) -> None:
    row = lines(lists(tmp_path, [decision(blocked='{"student":"offer"}')], language="en")["increase"].csv)[0]
    assert (row["Action"], row["Reason 1"], row["Channel"]) == ("Raise the limit", "Low risk, high value", "App")
    assert row["What blocked the rest"] == "Offer instalments: Student"


def test_a_customer_of_the_control_group_is_on_no_list(tmp_path: Path) -> None:
    found = lists(tmp_path, [decision(1), decision(2, is_control=True)])["increase"]
    assert (found.rows, found.held_out) == (1, 1)
    assert "P2" not in found.csv.read_text("utf-8-sig")
    assert len(lines(found.csv)) == 1


def test_every_list_says_that_it_is_a_simulation_in_both_languages(tmp_path: Path) -> None:
    for each in lists(tmp_path, [decision()]).values():
        assert "仅供模拟" in each.csv.read_text("utf-8-sig")
        sheet = openpyxl.load_workbook(each.xlsx).active
        assert SIMULATION.zh in sheet["A2"].value and SIMULATION.en in sheet["A2"].value
        assert SIMULATION.zh in sheet.oddHeader.center.text


def test_a_sheet_has_a_title_a_frozen_header_filters_and_formats(tmp_path: Path) -> None:
    sheet = openpyxl.load_workbook(lists(tmp_path, [decision(2)], people=PEOPLE)["increase"].xlsx).active
    assert (sheet.title, sheet["A1"].value) == ("提额", "提额 → 额度岗  2026-10-31")
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A4", "A3:R4")
    header = [cell.value for cell in sheet[3]]
    row = dict(zip(header, sheet[4], strict=True))
    assert (row["客户号"].value, row["客户号"].data_type, row["客户号"].number_format) == ("0012", "s", "@")
    assert row["账户"].value == "9558801234567890002"
    assert (row["姓名"].value, row["姓名"].data_type) == ("=************", "s"), "a text, not a formula"
    assert (row["新值"].value, row["新值"].number_format) == (12000.5, "#,##0.00")
    assert (row["有效期至"].value.date(), row["有效期至"].is_date) == (date(2026, 11, 30), True)
    assert all(sheet.column_dimensions[letter].width >= 12 for letter in "ABCDEFGHIJ")


def test_the_same_decisions_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [decision(number) for number in range(1, 50)]
    first = lists(tmp_path / "first", rows, people=PEOPLE)
    second = lists(tmp_path / "second", rows[::-1], people=PEOPLE)
    for action in first:
        assert first[action].xlsx.read_bytes() == second[action].xlsx.read_bytes()
        assert first[action].csv.read_bytes() == second[action].csv.read_bytes()
        # A clock would change the bytes tomorrow, not now.
        moments = {entry.date_time for entry in zipfile.ZipFile(first[action].xlsx).infolist()}
        assert moments == {(1980, 1, 1, 0, 0, 0)}


def test_the_text_file_opens_in_excel_as_utf8_with_windows_line_ends(tmp_path: Path) -> None:
    data = lists(tmp_path, [decision()])["increase"].csv.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == 2 and data.count(b"\n") == 2


# What Excel recognises when it opens a .csv: see its list of cell contents; nothing else is taken for a number.
EXCEL_NUMBER = re.compile(r"\s*[+\-(]?\s*[$¥€£]?\s*[\d.,]*\d[\d.,]*\s*%?\)?([eE][+\-]?\d+)?\s*")
EXCEL_DATE = re.compile(
    r"\s*\d{1,4}[/\-.:年]\d{1,2}.*|\s*\d{0,4}[\s\-/]?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[\s\-/]?\d{1,4}",
    re.I,
)


def excel_changes(field: str) -> bool:
    return (
        field.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
        or EXCEL_NUMBER.fullmatch(field) is not None
        or EXCEL_DATE.fullmatch(field) is not None
        or field.upper() in ("TRUE", "FALSE")
    )


@pytest.mark.parametrize(
    "text",
    [
        "6222021234567890123", "0012", "1E10", "=1+1", "+86 13800000000", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1",
        "2026-10-31", "10/31", "MAR1", "1-Jan", "Sept 2", "true", "50%", "¥30", "1,000", "'tis", "＝1+1", "|calc", "3:15",
    ],
)  # fmt: skip
def test_a_text_that_excel_would_change_begins_with_an_apostrophe_and_comes_back_whole(text: str) -> None:
    assert safe_text(text).startswith("'")
    assert plain_text(safe_text(text)) == text


@pytest.mark.parametrize(
    "text", ["上海分行", "6个月未用", "Low risk, high value", "张三", "March Street", "A/B", "第3网点"]
)
def test_ordinary_words_stay_as_they_are(text: str) -> None:
    assert safe_text(text) == text


@given(some.text(min_size=1))
def test_no_text_reaches_excel_as_a_formula_or_a_number(text: str) -> None:
    field = safe_text(text)
    assert not excel_changes(field)
    assert plain_text(field) == text
    assert plain_text(safe_text(text, is_id=True)) == text


def test_names_are_masked() -> None:
    assert [masked(name) for name in ("张三", "Ann Lee", "X", "", None)] == ["张*", "A** L**", "*", None, None]


def test_thirty_thousand_rows_take_seconds(tmp_path: Path) -> None:
    rows = [decision(number % 1000, decision_id=str(number), account_id=f"{number:019d}") for number in range(30_000)]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    before = time.process_time()
    write_lists(tmp_path, table, [WHOLE], people=PEOPLE)
    assert time.process_time() - before < 15


def test_a_list_longer_than_a_sheet_goes_on_in_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backbook.strategy.spreadsheet.ROWS_PER_SHEET", 8)
    workbook = openpyxl.load_workbook(lists(tmp_path, [decision(number) for number in range(12)])["increase"].xlsx)
    assert workbook.sheetnames == ["提额", "提额 (2)", "提额 (3)"]
    assert [sheet.max_row - 3 for sheet in workbook] == [5, 5, 2]


def test_reasons_of_a_code_that_nobody_knows_show_the_code(tmp_path: Path) -> None:
    row = lines(lists(tmp_path, [decision(reasons=json.dumps(["OLD_CODE"]))])["increase"].csv)[0]
    assert row["理由一"] == "OLD_CODE"
