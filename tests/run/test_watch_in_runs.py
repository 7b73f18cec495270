"""A small bank scores month by month: the watch holds, judges what ripened, and raises its alarm when the book changes."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from backbook import run
from backbook.cli import app
from backbook.run import show
from backbook.workspace import Workspace

MONTHS = [date(2025, month, 20) for month in range(10, 13)] + [date(2026, month, 20) for month in range(1, 8)]
WALKED = [date(2026, 4, 30), date(2026, 5, 31), date(2026, 6, 30), date(2026, 7, 31)]
FILES = {
    "backbook.toml": """
[book]
name = "A small bank"
name_zh = "小银行"
currency = "CNY"
timezone = "Asia/Shanghai"
language = "en"

[load]
reject_share = 0.01
stale_days = 90

[inputs.accounts]
path = "raw/accounts.csv"

[inputs.statements]
path = "raw/statements.csv"
""",
    "sources/account.main.sql": "select id as account_id, 'core' as system, owner as party_id, opened as opened_on from accounts",
    "sources/statement.main.sql": """
select id as account_id, on_day as statement_on, balance as closing_balance, balance as total_balance, line as credit_limit,
       late as cycles_past_due from statements
""",
    "features.yaml": """
features:
  - {id: billed, zh: 账单余额, en: Balance on the bill, unit: money, table: statement, measure: latest, of: total_balance, window: latest}
  - {id: line, zh: 额度, en: Limit, unit: money, table: statement, measure: latest, of: credit_limit, window: latest}
  - {id: utilisation, zh: 额度使用率, en: Utilisation, expression: billed / line}
  - {id: late_now, zh: 逾期期数, en: Cycles late, table: statement, measure: latest, of: cycles_past_due, window: latest}
""",
    "outcomes.yaml": """
outcomes:
  - {id: late_next_1m, zh: 下月逾期, en: Late next month, table: statement, measure: max, of: cycles_past_due, window: next 1 month}
""",
    "scores/late.yaml": """
id: late
zh: 逾期
en: Late
grain: account
purpose: risk
target: late_next_1m > 0
observations: {every: month, at_most: 3}
features: [utilisation, late_now, line]
grades: {A: {up_to: 0.1, zh: 好, en: good}, B: {zh: 差, en: bad}}
minimum_events: 50
""",
}


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "raw").mkdir()
    _write(folder / "raw/accounts.csv", [{"id": f"a{n}", "owner": f"p{n}", "opened": "2024-01-01"} for n in range(900)])
    _write(folder / "raw/statements.csv", _statements())
    assert Workspace.open(folder).key, "made before the first load, as `init` does"
    run.walk(Workspace.open(folder), WALKED)
    return folder


def _statements() -> list[dict[str, Any]]:
    """The fuller the line, the likelier it is late on the next bill; in July everybody fills it."""
    random = np.random.default_rng(4)
    used = random.uniform(0, 1, 900)
    rows = []
    for month in MONTHS:
        late = random.random(900) < 0.02 + 0.3 * used**2
        used = np.clip(used + random.normal(0, 0.15, 900), 0, 1)
        if month == MONTHS[-1]:
            used = 0.7 + 0.3 * used
        for n in range(900):
            line = 1000 * (1 + n % 5)
            rows.append(
                {
                    "id": f"a{n}",
                    "on_day": month,
                    "balance": round(used[n] * line, 2),
                    "line": line,
                    "late": int(late[n]),
                }
            )
    return rows


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def watch(bank: Path, day: date) -> list[dict[str, Any]]:
    workspace = Workspace.open(bank)
    return workspace.engine.rows(
        workspace.engine.parquet(workspace.lake.head().files("score_watch", part=day.isoformat()))
    )


def told(bank: Path, day: date) -> dict[str, Any]:
    record = next(each for each in run.records(Workspace.open(bank)) if each.as_of == day.isoformat())
    return dict(record.found["watch"]["scores"]["late"])


def test_the_score_holds_until_the_book_changes(bank):
    assert [told(bank, day)["level"] for day in WALKED[:3]] == ["ok", "ok", "ok"]
    july = told(bank, WALKED[3])
    assert (july["level"], july["act"]) == ("act", "retrain")
    assert "变化最大的特征：额度使用率" in july["reason_zh"] and "moved most: Utilisation" in july["reason_en"]


def test_a_month_is_judged_once_its_outcomes_are_over_and_not_before(bank):
    judged = {day: sorted({str(row["period"]) for row in watch(bank, day) if row["kind"] == "auc"}) for day in WALKED}
    assert judged == {
        WALKED[0]: [],
        WALKED[1]: ["2026-04-30"],
        WALKED[2]: ["2026-04-30", "2026-05-31"],
        WALKED[3]: ["2026-04-30", "2026-05-31", "2026-06-30"],
    }
    area = next(row for row in watch(bank, WALKED[1]) if row["kind"] == "auc")
    assert 0.6 < area["low"] < area["value"] < area["high"] < 0.9 and area["rows_now"] == 900


def test_walked_again_the_watch_is_the_same_to_the_byte_and_a_stage_keeps_what_it_left(bank):
    def hashes() -> list[str]:
        manifest = Workspace.open(bank).lake.head().manifest("score_watch")
        assert manifest is not None
        return sorted(file.sha256 for file in manifest.files)

    before = hashes()
    run.walk(Workspace.open(bank), WALKED[2:3], stages=("watch",), anew=True)
    assert hashes() == before
    kept = run.walk(Workspace.open(bank), WALKED[2:3], stages=("watch",))[0]
    assert hashes() == before and kept.found["watch"]["scores"]["late"]["level"] == "ok"


def test_the_run_says_in_one_line_what_holds_and_what_does_not(bank):
    answer = CliRunner().invoke(app, ["watch", str(bank), "--as-of", "2026-06-30", "--quiet"])
    assert answer.exit_code == 0 and "Watch: 1 score holds." in answer.output
    moved = run.walk(Workspace.open(bank), WALKED[3:], stages=("watch",))[0]
    lines = [line for line in show.run(moved) if isinstance(line, str)]
    assert "Watch: 0 scores hold;" in lines
    assert any(line.startswith("  late: act – the score has moved since training: PSI") for line in lines)
    assert json.loads(json.dumps(moved.as_json()))["watch"]["late"]["act"] == "retrain"


def test_the_report_shows_what_moved_and_how_earlier_months_came_out(bank):
    page = (bank / "out/2026-07-31.1/report.html").read_text(encoding="utf-8")
    for words in (
        "Which features moved (CSI)",
        "Once outcomes are known: how it ranks",
        "Stability by month",
        "Shift since training",
    ):
        assert words in page
    first = (bank / "out/2026-04-30.1/report.html").read_text(encoding="utf-8")
    assert "Which features moved (CSI)" in first and "how it ranks" not in first
