"""Versions of a score as people meet them: listed, shown, compared, promoted and retired, and who may not."""

from __future__ import annotations

import json
import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from small_lender import AS_OF, FIRST, SCORE, lender
from typer.testing import CliRunner

from backbook import run
from backbook.cli import app
from backbook.errors import NotAllowed
from backbook.run.scores import acts
from backbook.run.scores.compare import compare
from backbook.run.scores.explain import OfUnit, explain
from backbook.run.scores.listed import listed
from backbook.workspace import Workspace

WHO = {"actor": "risk committee", "reason": "better on later months"}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Taught on the first day and, anew, on the second."""
    folder = tmp_path_factory.mktemp("lender")
    workspace = lender(folder)
    run.walk(workspace, [AS_OF], stages=("train",))
    return folder


@pytest.fixture
def bank(walked: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(walked, tmp_path / "bank")
    return Workspace.open(tmp_path / "bank")


def statuses(workspace: Workspace, on: date | None = None) -> dict[str, str]:
    return {row["version"]: row["status"] for row in listed(workspace, as_of=on)}


def versions(workspace: Workspace) -> tuple[str, str]:
    """The champion and the candidate."""
    by_status = {row["status"]: row["version"] for row in listed(workspace)}
    return by_status["champion"], by_status["candidate"]


def used(workspace: Workspace, day: date) -> str:
    files = workspace.lake.head().files("score", part=day.isoformat())
    return {row["version"] for row in workspace.engine.rows(workspace.engine.parquet(files))}.pop()


def at(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time())


def test_a_version_taught_anew_waits_and_the_champion_goes_on_scoring(bank: Workspace) -> None:
    old, new = versions(bank)
    assert used(bank, FIRST) == used(bank, AS_OF) == old
    assert statuses(bank, FIRST) == {old: "champion"}
    assert {row["version"]: row["registered_on"] for row in listed(bank)} == {old: FIRST, new: AS_OF}


def test_a_promotion_binds_the_runs_of_its_day_and_leaves_earlier_ones(bank: Workspace) -> None:
    old, new = versions(bank)
    done = acts.promote(bank, new, **WHO, at=at(AS_OF))
    assert done.ruling is not None and done.ruling.kind == "promote" and old in done.will
    assert statuses(bank) == {old: "retired", new: "champion"}
    row = next(each for each in listed(bank) if each["version"] == new)
    assert (row["approved_by"], row["reason"], row["approved_at"]) == (
        "risk committee",
        "better on later months",
        at(AS_OF),
    )
    run.walk(bank, [FIRST, AS_OF], stages=("load", "score"), anew=True)
    assert (used(bank, FIRST), used(bank, AS_OF)) == (old, new)


def test_a_ruling_of_today_is_told_to_lie_after_the_last_run(bank: Workspace) -> None:
    _, new = versions(bank)
    assert f"`--at {AS_OF}` would count from then" in acts.promote(bank, new, **WHO, dry_run=True).note
    assert not (bank.path / "rulings.jsonl").exists()


@pytest.mark.parametrize("who", [{"actor": " ", "reason": "r"}, {"actor": "a", "reason": ""}])
def test_nobody_promotes_without_a_name_and_a_reason(bank: Workspace, who: dict[str, str]) -> None:
    _, new = versions(bank)
    with pytest.raises(NotAllowed, match="the name of who rules and the reason"):
        acts.promote(bank, new, **who)
    assert statuses(bank)[new] == "candidate"


def test_what_cannot_be_promoted_is_refused_with_what_is_possible(bank: Workspace) -> None:
    old, new = versions(bank)
    with pytest.raises(NotAllowed, match=f"the champion already, since {FIRST}. Candidates: {new}"):
        acts.promote(bank, old, **WHO)
    with pytest.raises(NotAllowed, match=f"no score or version '{new[:-1]}'.*Did you mean '{new}'"):
        acts.promote(bank, new[:-1], **WHO)
    with pytest.raises(NotAllowed, match="'behind' is a score. Name one of its versions"):
        acts.promote(bank, "behind", **WHO)
    with pytest.raises(NotAllowed, match=f"was not there on {FIRST}: it was registered on {AS_OF}"):
        acts.promote(bank, new, **WHO, at=at(FIRST))
    (bank.path / "scores" / "behind.yaml").write_text(SCORE.replace("0.3,", "0.35,"), encoding="utf-8")
    with pytest.raises(NotAllowed, match="made from another definition"):
        acts.promote(Workspace.open(bank.path), new, **WHO)


def test_the_champion_is_retired_only_where_it_is_said_that_none_follows(bank: Workspace) -> None:
    old, new = versions(bank)
    with pytest.raises(NotAllowed, match=f"would have none.*--none-follows. Candidates: {new}"):
        acts.retire(bank, old, **WHO)
    done = acts.retire(bank, old, **WHO, none_follows=True, at=at(AS_OF))
    assert "no champion" in done.will
    with pytest.raises(NotAllowed, match="retired already, since 2026-04-30, by risk committee"):
        acts.retire(bank, old, **WHO)
    (report,) = run.walk(bank, [AS_OF], stages=("load", "train", "score"))
    assert {
        "what": "score behind",
        "needs": "a champion: its versions are retired; promote one of them",
    } in report.found["train"]["not_available"]
    assert statuses(bank) == {old: "retired", new: "candidate"}, "it is not simply taught anew"
    head = bank.lake.head()
    profile = bank.engine.parquet(head.files("profile.account", part=AS_OF.isoformat()))
    assert bank.engine.count(profile.filter(profile.behind_points.notnull())) == 0


def test_two_versions_are_compared_on_rows_that_neither_has_seen_or_it_is_said(bank: Workspace) -> None:
    old, new = versions(bank)
    found = compare(bank, "behind")
    assert (found.first.id, found.second.id) == (old, new)
    assert found.same is not None and found.day == FIRST and not found.later
    swap = {row["which"]: row["rows"] for row in found.same["swap"]}
    assert sum(swap.values()) == 1_000 and swap["in"] == swap["out"] > 0
    assert found.same["first"]["rows"] == found.same["second"]["rows"] == 1_000
    with pytest.raises(NotAllowed, match="cannot be compared with itself"):
        compare(bank, old, old)


def test_a_customer_is_told_why_without_figures_or_protected_columns(bank: Workspace) -> None:
    found = explain(bank, "逾期", "core:00010")
    assert isinstance(found, OfUnit) and found.explained.base is not None
    total = found.explained.base + sum(each.size or 0 for each in found.explained.reasons)
    assert total == pytest.approx(found.explained.total)
    assert "sex" in {each.feature for each in found.explained.reasons}
    assert not any("性别" in line for line in found.letter("zh"))
    with pytest.raises(NotAllowed, match="knows no account 'nobody'. Write its id"):
        explain(bank, "behind", "nobody")


def test_the_commands_say_the_same_to_people_and_to_machines(bank: Workspace) -> None:
    old, new = versions(bank)

    def told(*words: str) -> Any:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == 0, done.output
        return done.output

    folder = str(bank.path)
    assert {row["version"] for row in json.loads(told("scores", folder, "--json"))["versions"]} == {old, new}
    assert new in told("scores", folder) and "candidate" in told("scores", folder)
    ruled = told("scores", folder, "promote", new, "--actor", "ann", "--reason", "r", "--at", str(AS_OF))
    assert f"{new} scores in place of {old}" in ruled
    assert "champion by ann" in told("scores", folder)
    assert "Utilisation" in told("explain", folder, "behind", "--language", "en")
    assert told("explain", folder, "behind", "core:00010", "--letter", "en").strip()
    alone = CliRunner().invoke(app, ["explain", folder, "behind", "--letter", "en"])
    assert alone.exit_code == 2
