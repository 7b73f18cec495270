"""The catalogue says of every definition what it means, how it is made and who may use it, and runs nobody's formula."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path

import openpyxl
import pytest
from known_bank import AS_OF, bank
from typer.testing import CliRunner

from backbook.cli import app
from backbook.run import freeze
from backbook.run.catalogue import Catalogue, catalogue, write_catalogue
from backbook.run.catalogue.entries import COLUMNS
from backbook.run.catalogue.words import TEXTS
from backbook.run.catalogue.write import html
from backbook.workspace import Workspace


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bank(tmp_path_factory.mktemp("catalogued") / "bank")


@pytest.fixture(scope="module")
def found(folder: Path) -> Catalogue:
    return catalogue(Workspace.open(folder))


def entry(found: Catalogue, kind: str, id: str) -> dict:
    return next(each for each in found.entries[kind] if each["id"] == id)


def test_every_definition_is_in_it(folder, found):
    frozen = freeze.freeze(Workspace.open(folder))
    for kind, things in (("feature", frozen.features), ("tag", frozen.tags), ("segment", frozen.segments),
                         ("score", frozen.scores), ("lookup", frozen.lookups)):  # fmt: skip
        assert {each["id"] for each in found.entries[kind]} == {each.id for each in things}
        assert all(set(COLUMNS[kind]) <= set(each) for each in found.entries[kind])


def test_a_tag_is_told_by_what_it_reads_and_counted_on_the_profile(found):
    tag = entry(found, "tag", "homemaker")
    assert tag["way"] == "statistic" and tag["evidence"] == "home_purchases_365d"
    assert tag["not_for"][1] == "lending, pricing and collection" and tag["expires_days"] == 45
    assert found.as_of == AS_OF
    assert (tag["held"], tag["not_held"], tag["not_known"]) == (8, 4, 0)
    assert entry(found, "tag", "new_to_book")["way"] == "rule"


def test_a_tag_that_reads_a_score_through_a_segment_is_made_by_a_score(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "segments.yaml").write_text("""
segments:
  - {id: risky, zh: 风险层, en: Risky, meaning: {zh: 风险, en: risk}, owner: o, grain: account, unknown: no, otherwise: no,
     levels: [{code: "yes", zh: 是, en: "Yes", when: "behaviour_grade = 'E'"}, {code: "no", zh: 否, en: "No"}]}
""".replace("unknown: no, otherwise: no", "unknown: 'no', otherwise: 'no'"), encoding="utf-8")  # fmt: skip
    tags = tmp_path / "copy" / "tags.yaml"
    more = "  - {id: watch, zh: 关注, en: Watch, meaning: {zh: 关注, en: watch}, owner: o, aim: risk, grain: account, expression: \"risky = 'yes'\"}\n"
    tags.write_text(tags.read_text(encoding="utf-8") + more, encoding="utf-8")
    found = catalogue(Workspace.open(tmp_path / "copy"))
    assert entry(found, "tag", "watch")["way"] == "score"
    assert entry(found, "segment", "risky")["way"] == "score"
    assert entry(found, "segment", "risky")["read_by"] == "tag watch"
    assert entry(found, "tag", "watch")["held"] is None  # the profile was made before it


def test_segments_and_lookups_have_a_row_for_each_level(found):
    levels = {each["level"]: each for each in found.entries["segment"] if each["id"] == "lifecycle"}
    assert levels["delinquent"]["condition"] == "is_past_due"
    assert levels["unknown"]["condition"][1].startswith("where what stands before")
    codes = {each["level"]: each["codes"] for each in found.entries["lookup"] if each["id"] == "shop_kind"}
    assert codes["grocery"] == "5411" and codes["home"] == "5311-5399, 5732" and codes["other"] == ("其余", "the rest")


def test_a_feature_says_how_it_is_made_who_reads_it_and_who_answers_for_it(found):
    feature = entry(found, "feature", "home_purchases_365d")
    assert feature["filter"] == "kind = 'purchase' and shop_kind = 'home'" and feature["window"] == "last 180 days"
    assert feature["read_by"] == "tag homemaker" and feature["owner"] == "客户经营"
    assert entry(found, "lookup", "shop_kind")["read_by"] == "feature home_purchases_365d"


def test_the_workbook_has_every_kind_in_both_languages_and_no_formula(found, tmp_path):
    _, file = write_catalogue(tmp_path, found, "zh")
    book = openpyxl.load_workbook(file)
    assert book.sheetnames == [
        "特征",
        "标签",
        "客群",
        "评分",
        "码表",
        "Features",
        "Tags",
        "Segments",
        "Scores",
        "Lookups",
    ]
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert all(cell.data_type != "f" for cell in cells)
    assert {"=1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", "-2"} <= {cell.value for cell in cells}
    assert book["Tags"].max_row == 3 + len(found.entries["tag"])
    header = [cell.value for cell in book["Tags"][3]]
    held = header.index("Held")
    assert isinstance(
        next(row for row in book["Tags"].iter_rows(min_row=4, values_only=True) if row[0] == "homemaker")[held], int
    )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_fetches_nothing_and_runs_only_its_search(found, language):
    page = html(found, language)
    assert not re.search(r"https?:|url\(|@import|<link|<img|<iframe|javascript:", page)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{allowed}'" in page.split("</head>")[0].replace("&#39;", "'")
    assert "<script>alert" not in page
    assert page.count("data-entry>") == sum(map(len, found.entries.values()))
    for key, words in TEXTS.items():
        if len(words.to("zh")) > 3:
            assert (words.to("zh") in page) <= (language == "zh"), key


def test_the_command_names_its_files_and_speaks_to_machines(folder, tmp_path):
    done = CliRunner().invoke(app, ["catalogue", str(folder), "--out", str(tmp_path / "c"), "--language", "en"])
    assert done.exit_code == 0, done.output
    assert {file.name for file in (tmp_path / "c").iterdir()} == {"catalogue.html", "catalogue.xlsx"}
    told = json.loads(CliRunner().invoke(app, ["catalogue", str(folder), "--json"]).stdout)
    assert {"feature", "tag", "segment", "score", "lookup"} == set(told["entries"])
