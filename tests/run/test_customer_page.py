"""One customer from all sides: found by any of their ids, told with reasons, and nothing private in clear."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from known_bank import AS_OF, PRIVATE, bank
from typer.testing import CliRunner

from backbook.cli import app
from backbook.errors import NotAllowed
from backbook.run.customer import Customer360, customer
from backbook.run.customer.page import html
from backbook.run.customer.words import TEXTS
from backbook.sources import rulings
from backbook.workspace import Workspace


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bank(tmp_path_factory.mktemp("known") / "bank")


@pytest.fixture(scope="module")
def workspace(folder: Path) -> Workspace:
    return Workspace.open(folder)


@pytest.fixture(scope="module")
def looks(workspace: Workspace) -> dict[str, Customer360]:
    return {language: customer(workspace, "core:C0001", as_of=AS_OF, language=language) for language in ("zh", "en")}


@pytest.fixture(scope="module")
def ann(looks: dict[str, Customer360]) -> Customer360:
    return looks["en"]


@pytest.mark.parametrize("id", ["app:u1", "N-0001", "6200000000000000002", " u1 "])
def test_a_customer_is_found_by_any_of_their_ids(workspace, id):
    assert customer(workspace, id, as_of=AS_OF).customer_id == "core:C0001"


def test_an_unknown_id_is_refused_with_the_nearest(workspace):
    with pytest.raises(NotAllowed, match="Nobody is known as 'core:C00001'.*Did you mean core:C0001"):
        customer(workspace, "core:C00001", as_of=AS_OF)
    with pytest.raises(NotAllowed, match="Write a customer id, SYSTEM:PARTY_ID, an account id or a customer number"):
        customer(workspace, "somebody else altogether", as_of=AS_OF)


def test_an_id_of_several_lists_them(workspace):
    with pytest.raises(NotAllowed, match="several customers: core:C0003 .customer number., core:C0004"):
        customer(workspace, "N-0007", as_of=AS_OF)


def test_a_day_before_the_first_profile_is_refused(workspace):
    with pytest.raises(NotAllowed, match="There is no profile for 2026-06-29 or before.*Days: 2026-06-30"):
        customer(workspace, "core:C0001", as_of=AS_OF - timedelta(days=1))


def test_who_they_are_is_told_masked(ann):
    assert (ann.who["name"], ann.who["age_band"], ann.who["city"]) == ("张*三", "30–39", "上海市")
    assert [f"{row['system']}:{row['party_id']}" for row in ann.who["records"]] == ["core:C0001", "app:u1"]
    assert ann.who["since"].isoformat() == "2021-01-02"


def test_accounts_decisions_and_segments_belong_to_this_customer_alone(ann):
    accounts = {row["account_id"] for row in ann.accounts}
    assert accounts == {"6200000000000000001", "6200000000000000002"}
    assert {row["account_id"] for row in ann.decisions} == accounts
    assert all(row["reasons"] and row["reasons"][0]["text"] for row in ann.decisions)
    assert {row["account_id"] for row in ann.segments} <= {*accounts, None}


def test_a_tag_comes_with_its_confidence_and_with_the_rows_that_its_feature_counted(ann):
    tag = next(row for row in ann.tags if row["id"] == "homemaker")
    (evidence,) = tag["evidence"]
    assert evidence["value"] == evidence["total"] == len(evidence["rows"]) > 0
    assert tag["confidence"] == min(1, evidence["value"] / 4)
    assert {row["category"] for row in evidence["rows"]} == {"Home"}
    assert all(row["place"] and "****" in row["place"] for row in evidence["rows"])


def test_a_tag_that_outlived_its_days_is_not_known(workspace):
    def at(days: int) -> dict[str, bool]:
        found = customer(workspace, "core:C0001", as_of=AS_OF + timedelta(days=days))
        assert found.as_of == AS_OF
        return {row["id"]: row["expired"] for row in found.tags}

    monthly = at(8)
    assert monthly["formula"] and not monthly["homemaker"]
    late = customer(workspace, "core:C0001", as_of=AS_OF + timedelta(days=46))
    assert all(row["expired"] and not row["evidence"] and row["confidence"] is None for row in late.tags)


def test_a_tag_is_good_on_its_own_day(ann):
    assert ann.tags and not any(row["expired"] for row in ann.tags)


def test_what_happened_is_told_with_the_newest_first(ann):
    days = [row["on"] for row in ann.timeline]
    assert days == sorted(days, reverse=True) and days[0] <= AS_OF
    assert any(row["kind"] == "feedback" and "Complaint" in row["what"] for row in ann.timeline)
    bought = [row for row in ann.timeline if row["kind"] == "purchases"]
    known = [row for row in ann.months if row["spend"]]
    assert sum(row["amount"] for row in bought) >= sum(row["spend"] for row in known) > 0


def test_tags_that_are_to_be_deleted_are_not_shown_from_the_ruling_on(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    workspace = Workspace.open(tmp_path / "copy")
    before = customer(workspace, "core:C0001", as_of=AS_OF)
    assert any(row["personal"] for row in before.tags)
    rulings.rule(workspace, "delete_tags", "app:u1", actor="service", reason="asked for it")
    after = customer(workspace, "core:C0001", as_of=AS_OF, language="en")
    assert {row["id"] for row in after.tags} == {row["id"] for row in before.tags if not row["personal"]}
    assert [each["wish"] for each in after.who["wishes"]] == ["tags_deleted"]
    assert any("deleted" in note for note in after.notes)


def test_a_definition_that_changed_since_the_profile_is_told(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    tags = tmp_path / "copy" / "tags.yaml"
    tags.write_text(tags.read_text(encoding="utf-8").replace("> 0.8", "> 0.7"), encoding="utf-8")
    found = customer(Workspace.open(tmp_path / "copy"), "core:C0001", as_of=AS_OF, language="en")
    assert found.notes == [TEXTS["changed"].en]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_private_stands_in_clear_in_any_form(folder, looks, language):
    found = looks[language]
    told = CliRunner().invoke(
        app, ["customer", str(folder), "core:C0001", "--as-of", str(AS_OF), "--language", language]
    )
    assert told.exit_code == 0, told.output
    for text in (json.dumps(found.as_json(), ensure_ascii=False, default=str), html(found), told.output):
        for what, value in PRIVATE.items():
            assert value not in text.replace(f"{PRIVATE['name']}面馆", ""), what
        assert not re.search(r"_hash|id_document|expires_on", text)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_asks_nobody_for_anything_and_speaks_one_language(looks, language):
    page = html(looks[language])
    assert not re.search(r"https?:|url\((?!#)|@import|<script|<link|<img|<iframe|javascript:", page)
    assert "default-src 'none'" in page and "script-src 'none'" in page
    assert "<svg" in page and page.count("<details>") >= 2
    assert "<script>alert" not in page
    other = "en" if language == "zh" else "zh"
    for key, words in TEXTS.items():
        foreign = words.to(other)
        if len(foreign) > (8 if other == "en" else 3) and foreign not in words.to(language) and "{" not in foreign:
            assert foreign not in page, key


def test_the_command_writes_the_page_and_speaks_to_machines(folder, tmp_path):
    file = tmp_path / "pages" / "one.html"
    asked = ["customer", str(folder), "N-0001", "--as-of", str(AS_OF)]
    done = CliRunner().invoke(app, [*asked, "--page", str(file), "--language", "en"])
    assert done.exit_code == 0 and file.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)["customer_id"] == "core:C0001"
