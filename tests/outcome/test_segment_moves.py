"""Sizes and moves of segments: the matrix by hand, against plain Python, in a run, and on the page."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbook import run
from backbook.customer import moves
from backbook.engine import Engine
from backbook.outcome import kpi, page
from backbook.outcome.figures import About, Figures, Text
from backbook.outcome.position import Book
from backbook.workspace import Workspace

AS_OF, BEFORE = date(2026, 10, 31), date(2026, 9, 30)
Levels = dict[str, str | None]
STAGE = SimpleNamespace(
    id="lifecycle", grain="account", levels=tuple(SimpleNamespace(code=code) for code in ("new", "active", "closed"))
)
NAMES = {"new": Text("新户", "New"), "active": Text("活跃", "Active"), "closed": Text("销户", "Closed")}


def profile(engine: Engine, levels: Levels) -> Any:
    columns = {"account_id": list(levels), "lifecycle": list(levels.values())}
    return engine.table(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}))


def moved(engine: Engine, before: Levels, now: Levels) -> list[dict[str, Any]]:
    tables = [{"account": profile(engine, levels)} for levels in (now, before)]
    return moves.segment_moves(engine, [STAGE], *tables)


def units(rows: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    return {(row["from"], row["to"]): row["units"] for row in rows}


def test_the_matrix_counts_who_stayed_who_moved_who_is_new_and_who_is_gone(engine: Engine) -> None:
    before = {"a": "active", "b": "active", "c": "new", "d": "active", "gone": "closed"}
    now = {"a": "active", "b": "closed", "c": "active", "d": "active", "fresh": "new"}
    rows = moved(engine, before, now)
    assert units(rows) == {
        ("active", "active"): 2, ("active", "closed"): 1, ("new", "active"): 1, ("closed", "-"): 1, ("-", "new"): 1,
    }  # fmt: skip
    assert {(row["from"], row["to"]): row["share"] for row in rows}["active", "closed"] == pytest.approx(1 / 3)


def test_a_unit_without_a_level_is_neither_new_nor_gone(engine: Engine) -> None:
    assert units(moved(engine, {"a": None, "b": "new"}, {"a": "new", "b": None})) == {("?", "new"): 1, ("new", "?"): 1}


def test_a_segment_that_was_not_there_a_month_ago_has_no_moves(engine: Engine) -> None:
    now = {"account": profile(engine, {"a": "new"})}
    assert moves.segment_moves(engine, [STAGE], now, {}) == []
    assert moves.segment_moves(engine, [STAGE], now, {"account": now["account"].drop("lifecycle")}) == []


def test_sizes_name_the_empty_levels_too(engine: Engine) -> None:
    now = {"account": profile(engine, {"a": "new", "b": "active", "c": "active", "d": "retired"})}
    rows = moves.segment_sizes(engine, [STAGE], now)
    assert [(row["level"], row["units"], row["share"]) for row in rows] == [
        ("new", 1, 0.25), ("active", 2, 0.5), ("closed", 0, 0.0), ("retired", 1, 0.25),
    ]  # fmt: skip


LEVEL = st.sampled_from(["new", "active", "closed", "retired", None])
BOOKS = st.dictionaries(st.sampled_from("abcdefghijkl"), LEVEL, min_size=1)


@settings(max_examples=30, deadline=None)
@given(before=BOOKS, now=BOOKS)
def test_plain_python_finds_the_same_matrix_and_every_row_adds_up_to_one(
    engine: Engine, before: Levels, now: Levels
) -> None:
    def place(levels: Levels, unit: str) -> str:
        return (levels[unit] or "?") if unit in levels else "-"

    with engine.scope():
        rows = moved(engine, before, now)
    expected = Counter((place(before, unit), place(now, unit)) for unit in before.keys() | now.keys())
    assert units(rows) == expected
    for level in {row["from"] for row in rows}:
        assert sum(row["share"] for row in rows if row["from"] == level) == pytest.approx(1, abs=1e-12)


# ── in a run ────────────────────────────────────────────────────────────────────────────────────────────────

MAY, JUNE = date(2026, 5, 31), date(2026, 6, 30)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The small bank of `init`, profiled and scored at two month-ends, with a tag and a segment that read a score."""
    folder = tmp_path_factory.mktemp("bank") / "bank"
    run.init(folder)
    words = "    zh: 晚\n    en: Late one\n    meaning: {zh: 晚, en: late}\n    owner: o\n    grain: account\n"
    tags = folder / "tags.yaml"
    kept = tags.read_text(encoding="utf-8") if tags.exists() else "tags:\n"
    late = f"\n  - id: late_tag\n{words}    aim: all\n    expression: value_amount > 0\n"
    tags.write_text(kept.rstrip() + late, encoding="utf-8")
    workspace = Workspace.open(folder)
    run.walk(workspace, [MAY, JUNE])
    return workspace


def kept(workspace: Workspace, table: str, day: date = JUNE) -> list[dict[str, Any]]:
    engine = workspace.engine
    return engine.rows(engine.parquet(workspace.lake.head().files(table, part=day.isoformat())))


def test_each_date_keeps_the_sizes_the_moves_and_the_reach_of_its_tags(bank: Workspace) -> None:
    profile = kept(bank, "profile.account")
    sizes = {(row["segment"], row["level"]): row["units"] for row in kept(bank, "segment_size")}
    assert sum(n for (segment, _), n in sizes.items() if segment == "lifecycle") == len(profile)
    assert {level: n for (segment, level), n in sizes.items() if segment == "lifecycle" and n} == Counter(
        row["lifecycle"] for row in profile
    )
    shares: Counter[tuple[str, str]] = Counter()
    for row in kept(bank, "segment_move"):
        shares[row["segment"], row["from"]] += row["share"]
    assert shares and all(share == pytest.approx(1) for share in shares.values())
    assert kept(bank, "segment_move", MAY) == []  # there is no April
    tags = {row["tag"]: row for row in kept(bank, "tag_coverage")}
    assert tags["active_30d"]["held"] == sum(row["active_30d"] is True for row in profile)
    assert tags["active_30d"]["share_before"] is not None
    assert all(row["held"] + row["not_held"] + row["unknown"] == row["units"] for row in tags.values())


def test_profiled_alone_a_date_tells_only_of_the_tags_that_read_no_score(bank: Workspace, tmp_path: Path) -> None:
    assert "late_tag" in {row["tag"] for row in kept(bank, "tag_coverage")}
    shutil.copytree(bank.path, tmp_path / "copy")
    copied = Workspace.open(tmp_path / "copy")
    before = [kept(copied, table) for table in ("tag_coverage", "segment_size", "segment_move")]
    run.walk(copied, [JUNE], stages=("profile",), anew=True)
    assert "late_tag" not in {row["tag"] for row in kept(copied, "tag_coverage")}
    run.walk(copied, [JUNE], stages=("score",))
    assert [kept(copied, table) for table in ("tag_coverage", "segment_size", "segment_move")] == before


# ── on the page ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def report_of(engine: Engine, book: Callable[..., Book], table: Callable[..., Any]) -> Callable[..., Figures]:
    def make(before: Levels | None, now: Levels) -> Figures:
        rows = moved(engine, before, now) if before else []
        wanted = engine.table(pa.Table.from_pylist(rows, moves.MOVE_SCHEMA))

        def then(levels: Levels, day: date) -> Book:
            named = [{"account_id": unit, "lifecycle": level} for unit, level in levels.items()]
            return book(day, account=[{"account_id": "a", "balance": 1}], profile=named)

        return kpi.figures(
            engine,
            then(now, AS_OF),
            About("A bank", AS_OF),
            before=then(before, BEFORE) if before else None,
            segments=[
                kpi.Segment("absent", Text("无", "Absent"), {}),
                kpi.Segment("lifecycle", Text("生命周期", "Lifecycle"), NAMES),
            ],
            moved=wanted,
        )

    return make


def block(figures: Figures, language: str) -> page.Block:
    section = next(each for each in page.sections(figures, language) if each.id == "segments")
    return section.blocks[1]


def test_the_page_says_in_words_what_grew_and_what_shrank(report_of: Callable[..., Figures]) -> None:
    figures = report_of(
        {"a": "active", "b": "active", "c": "new"},
        {"a": "active", "b": "closed", "c": "active", "d": "new", "e": "new"},
    )
    assert block(figures, "en").note == (
        "Grew: New +1 (+100.0%), Closed +1. Most moves: (joined) → New 2, New → Active 1, Active → Closed 1."
    )
    assert block(figures, "zh").note.startswith("增加：新户 +1 (+100.0%)、销户 +1。 迁移最多：（新进） → 新户 2")
    found = block(figures, "en").table
    assert found is not None and found.headers == ("From", "New", "Active", "Closed")
    assert found.rows[1] == ("Active", "–", "50.0% (1)", "50.0% (1)")


def test_without_a_month_before_the_page_says_what_it_needs(report_of: Callable[..., Figures], engine: Engine) -> None:
    figures = report_of(None, {"a": "active"})
    assert block(figures, "en").needs.startswith("not available: needs the profile of the last month-end")
    assert block(figures, "zh").needs.startswith("不可用：需要上月末的画像")
