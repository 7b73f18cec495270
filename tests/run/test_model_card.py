"""The model card: everything a reader must find, in both languages, with fairness as counted and limits as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_lender import FIRST, lender

from backbook.run.scores.card import Card, card
from backbook.run.scores.page import html
from backbook.run.scores.sections import Writing
from backbook.workspace import Workspace


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return lender(tmp_path_factory.mktemp("lender"))


@pytest.fixture(scope="module")
def found(bank: Workspace) -> Card:
    return card(bank, "behind")


WANTED = {
    "zh": ("模型卡", "禁止用途", "不得用于营销名单", "风险管理", "次月逾期", "样本如何得出", "观察日", "校准", "增益", "按用卡习惯",
           "信息值", "证据权重", "全部原因代码", "公平性", "数据不足", "局限", "生命周期", "在用"),
    "en": ("Model card", "Not to be used for", "choosing whom to sell to", "Fell behind", "How the sample came about", "Observed on",
           "Calibration", "Gains", "By Habit", "Information value", "Weight of evidence", "All reason codes", "Fairness",
           "not enough data", "Limits", "Life", "champion"),
}  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_holds_what_a_reader_must_find(found: Card, language: str) -> None:
    page = html(found, language)
    lacking = [words for words in WANTED[language] if words not in page]
    assert not lacking
    assert found.version.id in page and found.version.definition in page
    assert str(found.version.content["sample"]["data"]) in page
    assert "http:" not in page and "https:" not in page and "<script" not in page


def test_the_same_card_gives_the_same_page(found: Card, bank: Workspace) -> None:
    assert html(found, "zh") == html(card(bank, found.version.id), "zh")


def test_rows_after_those_that_taught_judge_it(found: Card) -> None:
    assert found.on_rows is not None
    assert (found.on_rows.day, found.on_rows.later, found.on_rows.rows) == (FIRST, True, 1_000)
    assert sum(row["rows"] for row in found.on_rows.grades) == 1_000
    (habit,) = found.on_rows.segments
    assert {row["level"].en for row in habit["rows"]} == {"Much", "Little"}


def test_fairness_is_by_the_protected_columns_and_too_few_are_no_pass(found: Card) -> None:
    assert found.on_rows is not None
    tables = {table["id"]: table["rows"] for table in found.on_rows.fairness["tables"]}
    assert set(tables) == {"sex", "age"}
    by_sex = {row["level"].en: row for row in tables["sex"]}
    assert (by_sex["Other"]["units"], by_sex["Other"]["verdict"]) == (1, "too_few")
    # Men fall behind more often, and the score declares that it learns from sex.
    assert by_sex["Female"]["verdict"] == "reference"
    assert by_sex["Male"]["ratio"] < 1 and by_sex["Male"]["observed"] > by_sex["Female"]["observed"]
    assert [row["level"].en for row in tables["age"]] == ["20–29", "30–39", "40–49", "50–59"]
    assert found.on_rows.fairness["lacking"] == []


def test_no_person_stands_on_the_page(found: Card) -> None:
    page = html(found, "en")
    assert "core:0" not in page and "00010" not in page


def test_limits_follow_from_the_figures(found: Card) -> None:
    limits = next(section for section in Writing(found, "en").sections() if section.id == "limits")
    told = " ".join(limits.lines)
    assert "One observation date only (2026-02-28)" in told
    assert "not judged out of time" in told
    assert "1 groups do not have enough data" in told
    assert "taught it." not in told, "the rows are later than those that taught it"


def test_a_version_of_a_definition_that_is_gone_still_has_its_card(bank: Workspace, tmp_path: Path) -> None:
    shutil.copytree(bank.path, tmp_path / "bank")
    (tmp_path / "bank" / "scores" / "behind.yaml").unlink()
    found = card(Workspace.open(tmp_path / "bank"), "behind")
    assert found.standing.status == "retired" and found.on_rows is not None
    assert "fell_behind" in html(found, "zh")
