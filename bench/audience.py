"""How long it takes to count an audience of twenty conditions over ten million customers, against plain SQL by hand.

A profile of ten million customers is written once by the engine, into a lake with a workspace around it, as `profile`
leaves it: money with many zeros and long tails, shares, whole numbers, yes/no, levels, dates, and nulls where banks have
them. `run.audience`, which the command calls as well, counts one audience of twenty conditions: true, false, not known,
each condition alone, and how many remain after each. The peer is the shortest SQL for the number of those who meet all twenty,
in a DuckDB of its own over the same file; the two take turns. Each figure of ours is checked against SQL by hand.

    python bench/audience.py [--customers N] [--rounds N] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import gc
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from backbook import run
from backbook.engine import ROWS_PER_GROUP
from backbook.lake import Lake
from backbook.run.freeze import freeze
from backbook.workspace import Workspace

AS_OF = date(2026, 10, 31)
TABLE = "profile.customer"

# As an analyst writes them, and as SQL: where the law of the language and SQL differ (x/0) the SQL says it, too.
CONDITIONS = (
    ("额度 >= 5000", "credit_limit >= 5000"),
    ("余额 < 50000", "total_balance < 50000"),
    ("额度使用率 <= 0.98", "utilisation <= 0.98"),
    ("近90天消费额 < 20000.50", "spend_90d < 20000.50"),
    ("近90天还款额 between 0 and 60000", "payments_90d BETWEEN 0 AND 60000"),
    ("近365天利息 < 900", "interest_365d < 900"),
    ("额度 - 余额 > 1000", "credit_limit - total_balance > 1000"),
    ("近90天消费笔数 < 60", "purchases_90d < 60"),
    ("账龄月数 >= 3", "months_on_book >= 3"),
    ("逾期天数 = 0 or 逾期天数 > 3", "days_past_due = 0 OR days_past_due > 3"),
    ("卡片数 in (1, 2, 3)", "cards IN (1, 2, 3)"),
    ("营业年龄 is null or 营业年龄 between 20 and 70", "age IS NULL OR age BETWEEN 20 AND 70"),
    ("not 已投诉", "NOT complained"),
    ("有营销同意 or 为本行员工", "marketing_consent OR is_staff"),
    ("coalesce(代发客户, false) or 账龄月数 > 6", "coalesce(payroll, false) OR months_on_book > 6"),
    ("生命周期 <> 'lapsed'", "lifecycle <> 'lapsed'"),
    ("行为评级 in ('A', 'B', 'C', 'D')", "grade IN ('A', 'B', 'C', 'D')"),
    ("地区 <> 'R9'", "region <> 'R9'"),
    ("下次到期日 > date '2026-11-30'", "next_expiry_on > DATE '2026-11-30'"),
    ("近90天消费额 / 额度 < 0.9 or 额度 = 0", "spend_90d / nullif(credit_limit, 0) < 0.9 OR credit_limit = 0"),
)
# The same twenty as an analyst would narrow them: a campaign's few per cent instead of half the book.
NARROWER = {
    "额度 >= 5000": ("额度 >= 30000", "credit_limit >= 30000"),
    "额度使用率 <= 0.98": ("额度使用率 <= 0.6", "utilisation <= 0.6"),
    "近90天消费额 < 20000.50": ("近90天消费额 < 6000.50", "spend_90d < 6000.50"),
    "账龄月数 >= 3": ("账龄月数 >= 60", "months_on_book >= 60"),
    "卡片数 in (1, 2, 3)": ("卡片数 in (1, 2)", "cards IN (1, 2)"),
    "行为评级 in ('A', 'B', 'C', 'D')": ("行为评级 in ('A', 'B')", "grade IN ('A', 'B')"),
}
AUDIENCES = {"wide": CONDITIONS, "narrow": tuple(NARROWER.get(zh, (zh, sql)) for zh, sql in CONDITIONS)}
LEVELS = {"lifecycle": ("new", "growing", "mature", "declining", "lapsed"), "grade": tuple("ABCDE"),
          "region": tuple(f"R{n}" for n in range(10)), "repayment": ("full", "part", "minimum", "none")}  # fmt: skip


# ── the book ────────────────────────────────────────────────────────────────────────────────────────────────


def u(key: int) -> str:
    """A number in [0, 1) that the customer and `key` decide."""
    return f"(hash(i * 1009 + {key}) / 18446744073709551616.0)"


def amount(key: int, mean: float, spread: float) -> str:
    """About log-normal: most small, a few large."""
    return f"exp({mean} + {spread} * ({u(key)} + {u(key + 1)} + {u(key + 2)} - 1.5) * 2)"


def some(key: int, share: float, value: str, other: str = "0") -> str:
    return f"CASE WHEN {u(key)} < {share} THEN {value} ELSE {other} END"


def levels(key: int, codes: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{code}'" for code in codes)
    # The first ones are the most frequent.
    return f"([{listed}])[1 + floor({u(key)} * {u(key + 500)} * {len(codes)})::INT]"


# id, Chinese name, type, SQL
COLUMNS: tuple[tuple[str, str, str, str], ...] = (
    ("credit_limit", "额度", "money", "CASE WHEN gone THEN NULL ELSE line END"),
    ("total_balance", "余额", "money", "CASE WHEN gone THEN NULL ELSE owed END"),
    ("statement_balance", "账单余额", "money", f"CASE WHEN gone THEN NULL ELSE owed * {u(21)} END"),
    ("utilisation", "额度使用率", "number", "CASE WHEN gone THEN NULL ELSE owed / line END"),
    ("spend_30d", "近30天消费额", "money", f"spent * {u(31)} * 0.6"),
    ("spend_90d", "近90天消费额", "money", "spent"),
    ("spend_180d", "近180天消费额", "money", f"spent * (1 + {u(32)})"),
    ("spend_365d", "近365天消费额", "money", f"spent * (2 + 3 * {u(33)})"),
    ("payments_90d", "近90天还款额", "money", some(40, 0.70, amount(41, 7.3, 1.1))),
    ("cash_advance_90d", "近90天取现额", "money", some(50, 0.05, amount(51, 7.0, 0.8))),
    ("interest_365d", "近365天利息", "money", some(60, 0.30, amount(61, 4.5, 1.0))),
    ("fees_365d", "近365天费用", "money", some(70, 0.15, amount(71, 4.0, 0.6))),
    ("instalment_balance", "分期余额", "money", some(80, 0.25, amount(81, 8.5, 0.9))),
    ("income_monthly", "月收入", "money", some(90, 0.40, f"round({amount(91, 9.1, 0.5)}, -2)", "NULL")),
    ("value_amount", "价值", "money", f"200 * {u(95)} - 40 + spent * 0.01"),
    ("instalment_share", "分期占比", "number", some(100, 0.25, u(101))),
    ("payment_ratio", "还款率", "number", f"CASE WHEN gone THEN NULL ELSE least(1, {u(102)} * 1.4) END"),
    ("wallet_share", "钱包占比", "number", f"CASE WHEN spent = 0 THEN NULL ELSE round({u(103)}, 3) END"),
    ("night_share", "夜间占比", "number", f"CASE WHEN spent = 0 THEN NULL ELSE round({u(104)} * {u(105)}, 3) END"),
    ("behaviour_probability", "违约概率", "number", f"CASE WHEN gone THEN NULL ELSE round({u(106)} ^ 6, 6) END"),
    (
        "purchases_90d",
        "近90天消费笔数",
        "whole",
        f"CASE WHEN spent = 0 THEN 0 ELSE 1 + floor(80 * {u(110)} * {u(111)}) END",
    ),
    ("months_on_book", "账龄月数", "whole", f"floor(180 * {u(112)})"),
    (
        "days_past_due",
        "逾期天数",
        "whole",
        f"CASE WHEN gone THEN NULL ELSE {some(113, 0.06, f'1 + floor(120 * {u(114)})')} END",
    ),
    (
        "cycles_past_due",
        "逾期期数",
        "whole",
        f"CASE WHEN gone THEN NULL ELSE {some(113, 0.06, f'1 + floor(4 * {u(114)})')} END",
    ),
    ("cards", "卡片数", "whole", f"1 + floor(5 * {u(115)} * {u(116)} * {u(117)})"),
    ("open_accounts", "未销户数", "whole", f"1 + floor(3 * {u(118)} * {u(119)})"),
    (
        "days_since_use",
        "距上次用卡天数",
        "whole",
        f"CASE WHEN spent = 0 THEN 90 + floor(900 * {u(120)}) ELSE floor(90 * {u(121)}) END",
    ),
    ("app_logins_30d", "近30天登录次数", "whole", some(122, 0.55, f"1 + floor(40 * {u(123)} * {u(124)})")),
    ("age", "营业年龄", "whole", some(125, 0.93, f"18 + floor(55 * {u(126)})", "NULL")),
    ("enquiries_3m", "近3月查询次数", "whole", some(127, 0.35, f"floor(6 * {u(128)})", "NULL")),
    ("active_90d", "近90天活跃", "yes/no", "spent > 0"),
    ("marketing_consent", "有营销同意", "yes/no", some(130, 0.80, f"{u(131)} < 0.85", "NULL")),
    ("is_staff", "为本行员工", "yes/no", f"{u(132)} < 0.01"),
    ("complained", "已投诉", "yes/no", f"{u(133)} < 0.02"),
    ("payroll", "代发客户", "yes/no", some(134, 0.50, f"{u(135)} < 0.4", "NULL")),
    ("revolver", "循环客户", "yes/no", f"CASE WHEN gone THEN NULL ELSE {u(136)} < 0.28 END"),
    ("wallet_user", "钱包客户", "yes/no", f"{u(137)} < 0.7"),
    ("near_limit", "接近额度", "yes/no", "CASE WHEN gone THEN NULL ELSE owed > 0.8 * line END"),
    ("lifecycle", "生命周期", "text", levels(140, LEVELS["lifecycle"])),
    ("grade", "行为评级", "text", f"CASE WHEN gone THEN NULL ELSE {levels(141, LEVELS['grade'])} END"),
    ("region", "地区", "text", levels(142, LEVELS["region"])),
    ("repayment", "还款类型", "text", f"CASE WHEN gone THEN NULL ELSE {levels(143, LEVELS['repayment'])} END"),
    ("opened_on", "开户日期", "date", f"DATE '2026-10-31' - floor(5400 * {u(112)})::INT"),
    ("next_expiry_on", "下次到期日", "date", f"DATE '2026-11-01' + floor(1800 * {u(150)})::INT"),
)
STORED = {"money": "DECIMAL(18, 2)", "number": "DOUBLE", "whole": "BIGINT", "yes/no": "BOOLEAN", "text": "VARCHAR", "date": "DATE"}  # fmt: skip


def make(folder: Path, customers: int) -> None:
    """A workspace whose attributes name the columns, and a lake with the profile in it."""
    (folder / "sources").mkdir(parents=True)
    (folder / "backbook.toml").write_text('[book]\nname = "Bench"\nname_zh = "测速"\n', encoding="utf-8")
    lines = ["attributes:"]
    for id_, zh, type_, _ in COLUMNS:
        words = f"levels: [{', '.join(LEVELS[id_])}], " if id_ in LEVELS else ""
        lines.append(
            f"  - {{id: {id_}, zh: {zh}, en: {id_}, type: {type_}, {words}grain: customer, purpose: both, valid_days: 365}}"
        )
    (folder / "sources" / "attributes.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    workspace = Workspace.open(folder)
    columns = ", ".join(f"({sql})::{STORED[type_]} AS {id_}" for id_, _, type_, sql in COLUMNS)
    rows = f"""
        SELECT 'core:' || (1000000000 + i) AS customer_id, 'core' AS system, (1000000000 + i)::VARCHAR AS party_id, {columns},
               DATE '{AS_OF}' AS as_of
        FROM (SELECT i, line, {u(6)} < 0.03 AS gone, least({some(10, 0.72, amount(11, 7.6, 1.2))}, line * 1.05) AS owed,
                     {some(20, 0.62, amount(24, 7.2, 1.1))} AS spent
              FROM (SELECT i, (1 + floor(60 * {u(1)})) * 1000.0 AS line FROM range({customers}) t(i)))"""
    engine = workspace.engine
    with workspace.lake.lock(who="bench") as writer:
        path = writer.path(TABLE)
        count = engine.write(engine.sql(rows, {}), path, order_by=["customer_id"])
        writer.replace(TABLE, AS_OF.isoformat(), [(path, count)])
        writer.publish({})
    engine.close()


@contextmanager
def book(keep: str | None, customers: int) -> Iterator[Path]:
    if keep and (Path(keep) / "lake" / "HEAD").exists():
        yield Path(keep)
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(keep) if keep else Path(place) / "book"
        make(folder, customers)
        yield folder


# ── measuring ───────────────────────────────────────────────────────────────────────────────────────────────


def timed(act: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it gave, the seconds it took, and the processors' seconds."""
    gc.collect()
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    found = act()
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
    return found, seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def the_same(
    found: run.Audience, peer: duckdb.DuckDBPyConnection, file: Path, conditions: Sequence[tuple[str, str]]
) -> None:
    """Every number of the audience, against SQL that asks for each by itself."""
    asked = []
    for place in range(len(conditions)):
        alone = f"({conditions[place][1]})"
        so_far = " AND ".join(f"({sql})" for _, sql in conditions[: place + 1])
        asked += [f"count_if({text}), count_if(NOT ({text})), count_if(({text}) IS NULL)" for text in (alone, so_far)]
    expected = peer.execute(f"SELECT {', '.join(asked)} FROM read_parquet('{file}')").fetchall()[0]
    ours = [
        number for step in found.steps for count in (step.alone, step.so_far) for number in count.as_json().values()
    ]
    assert ours == list(expected), (ours, expected)
    blocks = f"(file_row_number // {ROWS_PER_GROUP}) % {found.every} = 0"
    condition = " AND ".join(f"({sql})" for _, sql in conditions)
    mean = peer.execute(
        f"SELECT avg(months_on_book) FROM read_parquet('{file}', file_row_number = true) WHERE {blocks} AND {condition}"
    ).fetchall()[0][0]
    told = [each for each in found.differences or () if each.name.name == "months_on_book"]
    assert all(abs(each.audience - mean) < 1e-6 for each in told), (told, mean)


def measure(folder: Path, rounds: int, which: str) -> None:
    conditions = AUDIENCES[which]
    text = " and ".join(f"({condition})" for condition, _ in conditions)
    workspace = Workspace.open(folder)
    file = Lake(folder / "lake").head().files(TABLE, check=False)[0]
    peer = duckdb.connect()
    peer.execute(f"SET threads = {workspace.engine.threads}")
    by_hand = f"SELECT count(*) FROM read_parquet('{file}') WHERE {' AND '.join(f'({sql})' for _, sql in conditions)}"
    # The first one also reads the definitions, and the file from end to end to check its hash.
    _, first, _ = timed(lambda: run.audience(workspace, text))
    frozen = freeze(workspace)
    the_same(run.audience(workspace, text, frozen=frozen, detail=True), peer, file, conditions)
    ways: dict[str, Callable[[], Any]] = {
        "ours": lambda: run.audience(workspace, text, frozen=frozen).count.true,
        "hand": lambda: peer.execute(by_hand).fetchall()[0][0],
        "detail": lambda: run.audience(workspace, text, frozen=frozen, detail=True).count.true,
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    work: dict[str, list[float]] = {way: [] for way in ways}
    last = 0
    for number in range(rounds):
        for way, act in ways.items():
            if way == "detail" and number % 2:
                continue
            found, took, worked = timed(act)
            assert number == 0 or found == last, (way, found)
            last = found
            seconds[way].append(took)
            work[way].append(worked)
    each = [
        timed(lambda one=one: run.audience(workspace, one, frozen=frozen))[1]
        for one, _ in conditions  # type: ignore[misc]
    ]
    middle = {way: statistics.median(found) for way, found in seconds.items()}
    worked = {way: statistics.median(found) for way, found in work.items()}
    print(f"{last:,} of {found_units(workspace, frozen):,} meet all {len(conditions)}. Seconds: " + "; ".join(
        f"{way} {', '.join(f'{one:.2f}' for one in found)}" for way, found in seconds.items()))  # fmt: skip
    print(
        f"audience: which={which} customers={found_units(workspace, frozen)} conditions={len(conditions)} seconds={middle['ours']:.2f} "
        f"duckdb_seconds={middle['hand']:.2f} ratio={middle['ours'] / middle['hand']:.2f} cpu_ratio={worked['ours'] / worked['hand']:.2f} "
        f"first_seconds={first:.2f} single_seconds={statistics.median(each):.2f} detail_seconds={middle['detail']:.2f}"
        f" cpu_seconds={worked['ours']:.2f} duckdb_cpu_seconds={worked['hand']:.2f} detail_cpu_seconds={worked['detail']:.2f}"
    )


def found_units(workspace: Workspace, frozen: Any) -> int:
    return run.audience(workspace, "卡片数 >= 0", frozen=frozen).count.units


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--keep", help="a folder to make the book in and leave it there")
    said = parser.parse_args()
    with book(said.keep, said.customers) as folder:
        for which in AUDIENCES:
            measure(folder, said.rounds, which)


if __name__ == "__main__":
    main()
