"""Audiences of a small bank: counted against a judge that goes row by row, refused, compared, drawn, written down."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from backbook import run
from backbook.cli import app
from backbook.customer import audience as audiences
from backbook.engine import Engine
from backbook.errors import NotAllowed, Refusal
from backbook.expressions import Level, Name, Names, Type, parse
from backbook.run.audience import understood
from backbook.run.freeze import Frozen, freeze
from backbook.workspace import Workspace

AS_OF = date(2026, 6, 30)
ACCOUNTS, CUSTOMERS = 12, 11
CLEAR_NAME, PHONE = "张小三", "13800000001"


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small workspace, with one person whose name, phone and branch are known, and one called like a formula."""
    folder = tmp_path_factory.mktemp("bank") / "bank"
    run.init(folder)
    with (folder / "backbook.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[inputs.people]\npath = "raw/people.csv"\n\n[inputs.places]\npath = "raw/places.csv"\n')
    (folder / "sources" / "party.main.sql").write_text("select * from people", encoding="utf-8")
    (folder / "sources" / "assignment.main.sql").write_text("select * from places", encoding="utf-8")
    (folder / "raw" / "people.csv").write_text(
        f"system,party_id,customer_no,full_name,phone\ncore,C0001,880001,{CLEAR_NAME},{PHONE}\n"
        "core,C0002,880002,李四,13800000002\n",
        encoding="utf-8",
    )
    (folder / "raw" / "places.csv").write_text(
        "system,party_id,branch,manager,since\ncore,C0001,=HYPERLINK(1),王经理,2024-01-01\n", encoding="utf-8"
    )
    run.walk(Workspace.open(folder), [AS_OF])
    return folder


@pytest.fixture(scope="module")
def frozen(bank) -> Frozen:
    return freeze(Workspace.open(bank))


@pytest.fixture(scope="module")
def ask(bank, frozen) -> Callable[..., run.Audience]:
    workspace = Workspace.open(bank)
    return lambda text, **said: run.audience(workspace, text, frozen=frozen, **said)


def judged(bank: Path, expression: Any, grain: str) -> tuple[int, int, int]:
    """The same asked of one row after another, by the compiler for one customer."""
    workspace = Workspace.open(bank)
    files = workspace.lake.head().files(f"profile.{grain}", part=AS_OF.isoformat())
    rows = workspace.engine.rows(workspace.engine.parquet(files))
    holds = expression.python()
    answers = [holds({name: row[name] for name in expression.reads}) for row in rows]
    return answers.count(True), answers.count(False), answers.count(None)


CONDITIONS = [
    ("utilisation > 0.5", "customer"),
    ("total_balance > 1000 and months_on_book >= 12 and not near_limit", "account"),
    ("额度使用率 > 0.3 or 账龄月数 < 24", "customer"),
    ("credit_limit / total_balance > 2 and credit_limit is not null", "customer"),
    ("income_monthly > 1 and utilisation >= 0", "customer"),
    ("is_open and behaviour_grade in ('A', 'B')", "account"),
    ("coalesce(days_past_due, 0) > 0", "customer"),
]


@pytest.mark.parametrize(("text", "grain"), CONDITIONS)
def test_an_audience_counts_what_each_row_by_itself_says(bank, ask, text, grain):
    found = ask(text)
    assert found.grain == grain
    assert (found.count.true, found.count.false, found.count.unknown) == judged(bank, found.expression, grain)
    for step in found.steps:
        alone = parse(step.condition, freeze(Workspace.open(bank)).names[grain])
        assert tuple(step.alone.as_json().values()) == judged(bank, alone, grain)


def test_what_is_not_known_is_neither_in_nor_out(ask):
    found = ask("income_monthly > 1")
    assert found.count.unknown == found.count.units == CUSTOMERS
    assert (found.count.true, found.share, found.empty) == (0, 0.0, ("income_monthly",))
    assert ask("not (income_monthly > 1)").count == found.count
    assert ask("income_monthly is null").count.true == CUSTOMERS


def test_chinese_and_english_words_are_the_same_audience(ask):
    chinese, english = ask("额度使用率 > 0.5 and 账龄月数 >= 12"), ask("utilisation > 0.5 and months_on_book >= 12")
    assert chinese.as_json() == english.as_json()


def test_the_steps_end_where_the_whole_condition_ends(bank, ask):
    text = "utilisation > 0.2 and months_on_book > 6 and (total_balance > 100 or days_past_due = 0)"
    found = ask(text)
    assert [step.condition for step in found.steps] == [
        "utilisation > 0.2", "months_on_book > 6", "total_balance > 100 or days_past_due = 0",
    ]  # fmt: skip
    assert found.steps[-1].so_far == found.count
    assert found.steps[0].so_far == found.steps[0].alone
    left = [step.so_far.true for step in found.steps]
    assert left == sorted(left, reverse=True)
    for place in range(1, len(found.steps) + 1):
        so_far = parse(" and ".join(f"({step.condition})" for step in found.steps[:place]), understood_names(bank))
        assert tuple(found.steps[place - 1].so_far.as_json().values()) == judged(bank, so_far, "customer")


def understood_names(bank: Path) -> Names:
    return freeze(Workspace.open(bank)).names["customer"]


def test_an_account_is_asked_about_its_owner_with_the_owners_prefix(ask):
    found = ask("is_open and customer.open_accounts >= 1")
    assert found.grain == "account"
    assert found.count.true + found.count.false + found.count.unknown == ACCOUNTS
    assert ask(f"is_open and {found.words['customer.open_accounts']} >= 1").count == found.count


def test_a_condition_over_both_grains_is_told_how_to_write_it(frozen):
    with pytest.raises(Refusal, match="write customer.open_accounts"):
        understood("near_limit and open_accounts > 1", frozen.names)
    with pytest.raises(Refusal, match="--grain account"):
        understood("near_limit", frozen.names, "customer")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("utilizasion > 0.5", "Did you mean 'utilisation'"),
        ("额度使用 > 0.5", "额度使用率"),
        ("utilisation", "yes/no is expected"),
        ("utilisation > 'high'", "mixes"),
        ("utilisation in (select 1)", "select"),
        ("", "empty"),
    ],
)
def test_what_is_no_condition_is_refused_with_what_is_possible(ask, text, answer):
    with pytest.raises(Refusal, match=answer):
        ask(text)


def test_a_date_without_a_profile_names_those_that_have_one(ask):
    with pytest.raises(NotAllowed, match="There is one for 2026-06-30"):
        ask("utilisation > 0", as_of=date(2026, 5, 31))


def test_a_workspace_that_never_ran_says_what_to_do_first(tmp_path):
    run.init(tmp_path / "new")
    with pytest.raises(NotAllowed, match="backbook run"):
        run.audience(Workspace.open(tmp_path / "new"), "utilisation > 0")


def test_a_column_younger_than_the_profile_asks_for_a_new_run(bank, tmp_path, ask):
    workspace = Workspace.open(bank)
    names = {**freeze(workspace).names}
    names["customer"] = names["customer"].with_names([Name("brand_new", Type.YESNO, "新标签")])
    younger = freeze(workspace)
    object.__setattr__(younger, "names", names)
    with pytest.raises(NotAllowed, match="before 'brand_new' was defined"):
        run.audience(workspace, "新标签", frozen=younger)


def test_a_sample_is_the_same_every_time_and_from_the_audience(bank, ask):
    first, again = ask("utilisation >= 0", sample=4), ask("utilisation >= 0", sample=4)
    assert first.sample == again.sample
    assert len(first.sample) == min(4, first.count.true)
    assert all(row["utilisation"] >= 0 for row in first.sample)
    narrower = ask("utilisation >= 0 and months_on_book >= 0", sample=4)
    assert [row["customer_id"] for row in narrower.sample] == [row["customer_id"] for row in first.sample]


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_an_export_has_everybody_and_nobodys_clear_name_or_phone(bank, ask, tmp_path, ending):
    file = tmp_path / f"audience.{ending}"
    found = ask("accounts >= 0", export=file)
    assert found.exported == file
    rows = cells(file)
    assert len(rows) == found.count.true == CUSTOMERS
    text = json.dumps(rows, ensure_ascii=False)
    assert "张*三" in text and "880001" in text
    assert CLEAR_NAME not in text and PHONE not in text and "李四" not in text
    assert PHONE not in file.read_bytes().decode("utf-8", errors="ignore")


def test_an_export_runs_no_formula(ask, tmp_path):
    ask("accounts >= 1", export=tmp_path / "a.csv")
    ask("accounts >= 1", export=tmp_path / "a.xlsx")
    assert "'=HYPERLINK(1)" in (tmp_path / "a.csv").read_text(encoding="utf-8-sig")
    sheet = load_workbook(tmp_path / "a.xlsx").active
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value is not None} == {"s"}


def test_a_file_is_written_over_only_when_told(ask, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("mine")
    with pytest.raises(NotAllowed, match="--force"):
        ask("accounts >= 1", export=file)
    assert file.read_text() == "mine"
    ask("accounts >= 1", export=file, force=True)
    assert file.read_text(encoding="utf-8-sig") != "mine"
    with pytest.raises(NotAllowed, match=r"\.csv nor \.xlsx"):
        ask("accounts >= 1", export=tmp_path / "a.txt")
    with pytest.raises(NotAllowed, match="no folder"):
        ask("accounts >= 1", export=tmp_path / "nowhere" / "a.csv")


def test_nobody_is_not_exported(ask, tmp_path):
    assert ask("accounts > 100", export=tmp_path / "a.csv").exported is None
    assert not (tmp_path / "a.csv").exists()


def cells(file: Path) -> list[list[Any]]:
    if file.suffix == ".csv":
        return list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))[1:]
    return [[cell.value for cell in row] for row in load_workbook(file).active.iter_rows(min_row=4)]


# ── against the book ────────────────────────────────────────────────────────────────────────────────────────

NAMES = Names(
    "customer profile",
    [
        Name("age", Type.WHOLE, "年龄"),
        Name("spend", Type.MONEY, "消费额"),
        Name("staff", Type.YESNO, "员工"),
        Name("rare", Type.YESNO, "罕见"),
        Name("grade", Type.TEXT, "评级", levels=(Level("A"), Level("B"))),
    ],
)  # fmt: skip


def people(number: int) -> dict[str, Any]:
    return {
        "customer_id": f"c{number:04}", "age": number % 50, "spend": number % 7 * 10, "staff": number % 2 == 0 if number % 5 else None,
        "rare": number in (1, 2, 3), "grade": "AB"[number % 3 == 0],
    }  # fmt: skip


def told(text: str, number: int = 400) -> dict[str, audiences.Difference]:
    import pyarrow as pa

    engine = Engine()
    table = engine.table(pa.Table.from_pylist([people(each) for each in range(number)]))
    found = audiences.differences(engine, table, parse(text, NAMES), list(NAMES))
    engine.close()
    assert [abs(each.distance) for each in found] == sorted((abs(each.distance) for each in found), reverse=True)
    return {each.name.name + (f" {each.level}" if each.level else ""): each for each in found}


def test_means_and_shares_are_those_that_a_list_of_people_gives():
    found = told("age < 20")
    everybody = [people(number) for number in range(400)]
    inside = [row for row in everybody if row["age"] < 20]
    known = [row["staff"] for row in inside if row["staff"] is not None]
    assert found["age"].audience == pytest.approx(sum(row["age"] for row in inside) / len(inside))
    assert found["age"].book == pytest.approx(sum(row["age"] for row in everybody) / 400)
    assert (found["staff"].known, found["staff"].audience) == (len(known), pytest.approx(sum(known) / len(known)))
    assert found["grade A"].audience == pytest.approx(sum(row["grade"] == "A" for row in inside) / len(inside))
    low, high = found["grade A"].interval or (1, 0)
    assert low < found["grade A"].audience < high


def test_a_cell_of_fewer_than_ten_people_is_not_shown():
    assert "rare" not in told("age < 20"), "three people are rare"
    assert not told("spend = 60 and age < 7 and grade = 'B'"), "the audience itself is small"


def test_unknown_members_are_not_members():
    assert told("staff")["age"].known == sum(people(number)["staff"] is True for number in range(400))


def test_a_small_audience_is_counted_and_not_compared(ask):
    found = ask("accounts >= 1 and utilisation > 0.9", detail=True)
    assert found.count.true < audiences.SMALL_CELL
    assert found.differences == ()


# ── on the command line ─────────────────────────────────────────────────────────────────────────────────────


def test_the_command_says_the_date_and_the_answer_in_either_language(bank):
    runner = CliRunner()
    chinese = runner.invoke(
        app, ["audience", str(bank), "额度使用率 > 0.2 and 账龄月数 > 1", "--detail", "--sample", "2"]
    )
    assert chinese.exit_code == 0, chinese.exception
    assert "业务日期 2026-06-30" in chinese.output and "未知" in chinese.output and "额度使用率 > 0.2" in chinese.output
    english = runner.invoke(app, ["audience", str(bank), "utilisation > 0.2", "--language", "en"])
    assert "not known" in english.output and "as of 2026-06-30" in english.output
    found = json.loads(runner.invoke(app, ["audience", str(bank), "额度使用率 > 0.2", "--json"]).output)
    assert found["condition"] == "utilisation > 0.2"
    assert found["true"] + found["false"] + found["unknown"] == found["units"] == CUSTOMERS
