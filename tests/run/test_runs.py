"""Runs of a small bank from its files to the report: repeated, commented, moved, broken."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backbook import run
from backbook.cli import app
from backbook.errors import NotAllowed, Refusal
from backbook.run import freeze
from backbook.sources.rotate import rotate
from backbook.workspace import Workspace

AS_OF = date(2026, 6, 30)


def decisions(workspace: Workspace) -> list[str]:
    """The contents of the decision files, told by their hashes."""
    manifest = workspace.lake.head().manifest("decision")
    assert manifest is not None
    return [file.sha256 for file in manifest.files if file.part == AS_OF.isoformat()]


def walked(folder: Path) -> tuple[Workspace, run.RunReport]:
    workspace = Workspace.open(folder)
    return workspace, run.walk(workspace, [AS_OF])[0]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank") / "bank"
    run.init(folder)
    walked(folder)
    return folder


@pytest.fixture
def copied(bank: Path, tmp_path: Path) -> Path:
    shutil.copytree(bank, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_new_workspace_runs_at_once_and_tells_what_it_did(bank):
    record = run.records(Workspace.open(bank))[0]
    assert record.run == "2026-06-30.1"
    assert record.stages == run.STAGES
    report = bank / "out" / record.run / "report.html"
    assert "仅供模拟" in report.read_text(encoding="utf-8")
    assert record.found["load"]["tables"]["account"]["loaded"] == 12


def test_every_account_has_one_decision_with_a_reason(bank):
    workspace = Workspace.open(bank)
    files = workspace.lake.head().files("decision")
    rows = workspace.engine.rows(workspace.engine.parquet(files))
    assert len({row["account_id"] for row in rows}) == len(rows) == 12
    assert all(json.loads(row["reasons"]) for row in rows)


def test_a_run_repeated_decides_the_same_to_the_byte(bank, copied):
    before = decisions(Workspace.open(copied))
    workspace, report = walked(copied)
    assert report.run == "2026-06-30.2"
    assert decisions(workspace) == before


def test_a_comment_changes_no_decision_and_a_threshold_does(copied):
    pack = freeze.read(Workspace.open(copied))[0].bundle.hash
    (copied / "tags.yaml").write_text((copied / "tags.yaml").read_text() + "# another word\n", encoding="utf-8")
    assert freeze.read(Workspace.open(copied))[0].bundle.hash == pack
    changed = (copied / "tags.yaml").read_text().replace("> 0.8", "> 0.7")
    (copied / "tags.yaml").write_text(changed, encoding="utf-8")
    assert freeze.read(Workspace.open(copied))[0].bundle.hash != pack


def test_who_moved_is_told_with_the_definition_as_the_cause(copied):
    folder = copied / "strategies"
    folder.mkdir()
    source = Path(run.__file__).parents[1] / "packs/card/strategies/limit_review.yaml"
    text = source.read_text(encoding="utf-8")
    (folder / "limit_review.yaml").write_text(
        text.replace("months_on_book >= 6", "months_on_book >= 600"), encoding="utf-8"
    )
    before = run.records(Workspace.open(copied))[-1].versions
    workspace, report = walked(copied)
    found = run.diff(workspace, "2026-06-30.1", report.run)
    assert [what for what, _, _ in found.versions] == ["strategy limit_review"]
    assert {move.cause for move in found.moves} <= {"definition"}
    assert len(found.moves) + found.same == 12
    assert run.records(workspace)[-1].versions == before


def test_a_stored_decision_is_decided_again_the_same(bank):
    workspace = Workspace.open(bank)
    row = workspace.engine.rows(workspace.engine.parquet(workspace.lake.head().files("decision")))[0]
    assert run.replay(workspace, row["decision_id"]).same


def test_an_unknown_decision_is_refused(bank):
    with pytest.raises(NotAllowed, match="no decision"):
        run.replay(Workspace.open(bank), "nothing")


def test_a_stage_before_its_time_names_the_one_to_walk_first(bank):
    with pytest.raises(NotAllowed, match="backbook profile"):
        run.walk(Workspace.open(bank), [date(2026, 5, 31)], stages=("decide",))


def test_a_dry_run_leaves_the_lake_as_it_was(bank):
    workspace = Workspace.open(bank)
    before = workspace.lake.head().number
    run.walk(workspace, [AS_OF], dry_run=True)
    assert workspace.lake.head().number == before


def test_lineage_goes_from_the_raw_file_to_the_strategy(bank):
    found = run.lineage(Workspace.open(bank), "额度使用率")
    assert "input accounts" in {node.key for _, node in found.reads}
    assert "strategy limit_review" in {node.key for _, node in found.read_by}


def test_an_unknown_name_is_answered_with_the_nearest(bank):
    with pytest.raises(Refusal, match="utilisation"):
        run.lineage(Workspace.open(bank), "utilizasion")


def test_two_runs_at_once_are_refused_with_who_holds_the_lock(bank):
    workspace = Workspace.open(bank)
    with workspace.lake.lock("run by night"), pytest.raises(NotAllowed, match="run by night"):
        run.walk(Workspace.open(bank), [AS_OF], stages=("report",))


def test_the_command_line_ends_with_one_for_a_refusal_and_two_for_a_wrong_call(tmp_path):
    runner = CliRunner()
    refused = runner.invoke(app, ["check", str(tmp_path)])
    assert isinstance(refused.exception, Refusal)
    assert runner.invoke(app, ["run", str(tmp_path)]).exit_code == 2
    assert runner.invoke(app, ["run", str(tmp_path), "--as-of", "yesterday"]).exit_code == 2


PEOPLE = "system,party_id,full_name,phone,id_document,birth_date\n"


def people(folder: Path, *lines: str) -> None:
    (folder / "raw" / "people.csv").write_text(PEOPLE + "".join(f"{line}\n" for line in lines), encoding="utf-8")


def customers(workspace: Workspace, as_of: date) -> dict[str, str]:
    head = workspace.lake.head()
    rows = workspace.engine.rows(workspace.engine.parquet(head.files("identity", as_of.isoformat())))
    return {row["party_id"]: row["customer_id"] for row in rows}


def test_everyone_is_still_the_same_customer_after_the_key_was_rotated(tmp_path):
    folder = tmp_path / "bank"
    run.init(folder)
    with (folder / "backbook.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[inputs.people]\npath = "raw/people.csv"\n')
    (folder / "sources" / "party.main.sql").write_text("select * from people", encoding="utf-8")
    ann = "core,C0001,张小三,13800000001,11010519491231002X,1949-12-31"
    also_ann = "app,Z0001,张小三,13800000001,110105491231002,1949-12-31"
    people(folder, ann, also_ann, "core,C0003,李四,13900000009,E12345678,1980-05-06")
    workspace = Workspace.open(folder)
    run.walk(workspace, [date(2026, 5, 31)])
    before = customers(workspace, date(2026, 5, 31))
    assert before["C0001"] == before["Z0001"] != before["C0003"]

    rotate(Workspace.open(folder))
    people(
        folder, ann, also_ann, "core,C0003,李四,13900000009,E12345678,1980-05-06",
        "mall,M0001,李四,13900000009,E 1234-5678,1980-05-06",
    )  # fmt: skip
    workspace, report = walked(folder)
    assert report.found["load"]["tables"]["party"]["unchanged"] == 3
    assert report.found["load"]["tables"]["party"]["loaded"] == 1
    after = customers(workspace, AS_OF)
    assert {party: after[party] for party in before} == before
    assert after["M0001"] == before["C0003"], "a document that came after the rotation meets the one from before"


def test_a_folder_with_anything_in_it_is_never_written_over(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(NotAllowed, match="not empty"):
        run.init(tmp_path)


def test_a_stage_on_unchanged_data_keeps_what_it_left_and_any_change_builds_anew(copied, monkeypatch):
    from backbook.customer import profile as profiles

    built = []
    build = profiles.build

    def noted(more: dict) -> None:
        # The stage gives the ties of the day; a score that learns from past days does not.
        built.extend(["stage"] if "ties" in more else [])

    monkeypatch.setattr(profiles, "build", lambda *given, **more: noted(more) or build(*given, **more))

    def files(workspace: Workspace) -> dict[str, list[str]]:
        head = workspace.lake.head()
        tables = ("identity", "tie", "profile.account", "profile.customer", "score", "segment_cut")
        found = {table: head.manifest(table) for table in tables}
        return {table: [file.sha256 for file in each.files] for table, each in found.items() if each}

    workspace, _ = walked(copied)
    then = files(workspace)
    first = len(built)
    workspace, report = walked(copied)
    assert len(built) == first and files(workspace) == then
    assert report.found["profile"] == run.records(workspace)[-2].found["profile"]

    run.walk(Workspace.open(copied), [AS_OF], anew=True)
    assert len(built) == first + 1 and files(Workspace.open(copied)) == then

    text = (copied / "tags.yaml").read_text(encoding="utf-8")
    (copied / "tags.yaml").write_text(text.replace("> 0.8", "> 0.7"), encoding="utf-8")
    walked(copied)
    assert len(built) == first + 2
    (copied / "raw" / "accounts.csv").write_text(
        (copied / "raw" / "accounts.csv").read_text().replace("1398.78", "1398.79"), encoding="utf-8"
    )
    workspace, _ = walked(copied)
    assert len(built) == first + 3 and files(workspace) != then
