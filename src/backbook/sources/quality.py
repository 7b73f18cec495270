"""The data-quality gate: what a person would notice in a load before believing it.

Rows against the last load, columns that went empty, keys that repeat or point nowhere, and how far each table reaches
("`transaction` ends 3 days before as_of"). Everything is told; `stop` says that nothing should be built on this load.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from backbook.engine import Engine
from backbook.sources.contract import TABLES
from backbook.sources.convert import name
from backbook.sources.known import contract_table
from backbook.sources.report import Account, Finding, LevelName

# Tables that a card centre fills every few days: only of these does silence mean that a delivery is missing.
FLOWS = ("transaction", "authorisation", "statement", "balance", "event", "account")
# A whole extract with fewer rows than the last one.
FEWER_WARN, FEWER_STOP = 0.8, 0.5
# A column that was nearly always filled and is now mostly empty.
FILLED, EMPTY = 0.05, 0.5
# Tell of a gap from here on; weekends and holidays are shorter.
GAP_DAYS = 3


def null_shares(engine: Engine, rows: Any, columns: list[str]) -> dict[str, float]:
    """Share of empty values by column, rounded so that it can be kept and compared."""
    counts = ", ".join(f"count({name(column)}) AS {name(column)}" for column in columns)
    found = engine.ask(f"SELECT count(*) AS _all, {counts} FROM r", {"r": rows})[0]
    total = found.pop("_all")
    return {column: round(1 - count / total, 4) for column, count in found.items()} if total else {}


def findings(
    accounts: Mapping[str, Account],
    before: Mapping[str, Account],
    nulls: Mapping[str, Mapping[str, float]],
    nulls_before: Mapping[str, Mapping[str, float]],
    last_days: Mapping[str, date],
    extracts: set[str],
    loose: Mapping[str, int],
    masked: Mapping[str, int],
    waiting: Mapping[str, int],
    as_of: date,
    stale_days: int,
) -> tuple[Finding, ...]:
    """Everything worth telling, in the order of the contract."""
    found: list[Finding] = []
    order = list(TABLES)
    for table in sorted(accounts, key=lambda one: (order.index(one.partition(".")[0]), one)):
        account = accounts[table]
        found += _fewer(table, account, before.get(table)) if table in extracts else []
        found += _emptied(table, nulls.get(table, {}), nulls_before.get(table, {}))
        found += _keys(table, account, loose.get(table, 0), masked.get(table, 0))
        found += _waiting(table, waiting.get(table, 0), as_of)
    # Accounts that were made are as old as the facts that they were made of.
    for table in (one for one in FLOWS if one not in accounts or accounts[one].raw):
        found += _fresh(table, last_days.get(table), as_of, stale_days)
    return tuple(found)


def _fewer(table: str, account: Account, before: Account | None) -> list[Finding]:
    if not account.read or before is None or not before.mapped or account.mapped >= FEWER_WARN * before.mapped:
        return []
    level: LevelName = "stop" if account.mapped < FEWER_STOP * before.mapped else "warn"
    share = account.mapped / before.mapped - 1
    return [
        Finding(
            level, table, "rows",
            f"{_zh(table)}：本次 {account.mapped:,} 行，上次 {before.mapped:,} 行（{share:.0%}），请核对是否收全",
            f"`{table}` has {account.mapped:,} rows, {before.mapped:,} the last time ({share:.0%}): is the delivery whole?",
        )
    ]  # fmt: skip


def _emptied(table: str, now: Mapping[str, float], before: Mapping[str, float]) -> list[Finding]:
    gone = [column for column, share in now.items() if share > EMPTY and before.get(column, 1.0) < FILLED]
    return [
        Finding(
            "warn", table, "nulls",
            f"{_zh(table)}：{column} 空值占 {now[column]:.0%}，上次 {before[column]:.0%}",
            f"`{table}.{column}` is empty in {now[column]:.0%} of the rows, {before[column]:.0%} the last time.",
        )
        for column in gone
    ]  # fmt: skip


def _keys(table: str, account: Account, loose: int, masked: int) -> list[Finding]:
    found = []
    if account.repeated:
        found.append(
            Finding(
                "ok",
                table,
                "repeated",
                f"{_zh(table)}：{account.repeated:,} 行完全重复",
                f"`{table}`: {account.repeated:,} rows only repeat another.",
            )
        )
    if loose:
        found.append(
            Finding(
                "warn",
                table,
                "orphans",
                f"{_zh(table)}：{loose:,} 行的客户在 party 中不存在",
                f"`{table}`: {loose:,} rows name a person whom `party` does not have.",
            )
        )
    if masked:
        found.append(
            Finding(
                "warn",
                table,
                "card numbers",
                f"{_zh(table)}：自由文本中 {masked:,} 处卡号已遮盖",
                f"`{table}`: card numbers in {masked:,} values of free text were masked.",
            )
        )
    return found


def _waiting(table: str, rows: int, as_of: date) -> list[Finding]:
    if not rows:
        return []
    return [
        Finding(
            "ok", table, "later days",
            f"{_zh(table)}：{rows:,} 行属于 {as_of} 之后，到期前不参与计算",
            f"`{table}`: {rows:,} of its rows are of days after {as_of}: loaded, waiting for their day.",
        )
    ]  # fmt: skip


def _fresh(table: str, last: date | None, as_of: date, stale_days: int) -> list[Finding]:
    if last is None or (as_of - last).days < GAP_DAYS:
        return []
    days = (as_of - last).days
    return [
        Finding(
            "warn" if days > stale_days else "ok", table, "freshness",
            f"{_zh(table)}截止于业务日前 {days} 天（{last}）", f"`{table}` ends {days} days before as_of ({last}).",
            stale=days > stale_days,
        )
    ]  # fmt: skip


def _zh(table: str) -> str:
    return f"{contract_table(table).zh}（{table}）"
