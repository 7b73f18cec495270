"""The lists for the people who act: one per action, as a sheet and as text.

Whoever calls, writes or changes a limit sees who, what, from what to what, why, by which channel, until when,
and what stood against more. Names are masked. Customers of the universal control group are left out. Until
approvals exist every list says that it is a simulation.

The .csv is UTF-8 with a byte-order mark, so that Excel shows Chinese. Excel would shorten a long number and run
a text that begins like a formula; such a text, and every id, therefore begins with one apostrophe, also where
it begins with one already. A program takes one leading apostrophe off (`plain_text`) and has what was written.
The .xlsx needs no such sign: its ids are text cells.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from backbook.strategy.definition import CHANNELS, Action, Label, Strategy
from backbook.strategy.spreadsheet import DATE, MONEY, TEXT, Column, Value, write_workbook

SIMULATION = Label("仅供模拟，未经审批，不得执行", "For simulation only: not approved, not to be acted on")

# What Excel or its kin take for the beginning of a formula, full-width forms included.
_FORMULA = tuple("=+-@＝＋－＠|%")
_NUMBER_LIKE = re.compile(
    r"[(]?[+\-¥$€£]?[\d.,:/\\\s\-年月日时分秒%()]*\d[\d.,:/\\\s\-年月日时分秒%()]*([eE][+\-]?\d+)?\s*([apAP]\.?[mM]\.?)?"
)
_MONTH_LIKE = re.compile(r"(\d{1,4}[\s\-/.]?)?[A-Za-z]{3,9}\.?[\s\-/.]?\d{0,4}")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class ListFile:
    """One list: how many rows it has and how many customers' rows were held out."""

    action: str
    label: Label
    rows: int
    held_out: int
    xlsx: Path
    csv: Path


# title, kind, width, and whether it is an id
_COLUMNS = (
    ("customer", Label("客户号", "Customer number"), TEXT, 22, True),
    ("name", Label("姓名", "Name"), TEXT, 12, False),
    ("branch", Label("机构", "Branch"), TEXT, 16, False),
    ("manager", Label("客户经理", "Manager"), TEXT, 12, False),
    ("account", Label("账户", "Account"), TEXT, 22, True),
    ("action", Label("处置", "Action"), TEXT, 18, False),
    ("value_now", Label("现值", "Value now"), MONEY, 14, False),
    ("value_new", Label("新值", "New value"), MONEY, 14, False),
    ("reason_1", Label("理由一", "Reason 1"), TEXT, 30, False),
    ("reason_2", Label("理由二", "Reason 2"), TEXT, 30, False),
    ("reason_3", Label("理由三", "Reason 3"), TEXT, 30, False),
    ("channel", Label("渠道", "Channel"), TEXT, 12, False),
    ("valid_until", Label("有效期至", "Valid until"), DATE, 12, False),
    ("arm", Label("策略组", "Arm"), TEXT, 12, False),
    ("blocked", Label("拦截其他处置的红线", "What blocked the rest"), TEXT, 44, False),
    ("strategy", Label("策略", "Strategy"), TEXT, 16, False),
    ("decision", Label("决策号", "Decision"), TEXT, 36, True),
    ("status", Label("状态（仅供模拟）", "Status (for simulation only)"), TEXT, 24, False),
)

_NEEDED = [
    "as_of",
    "account_id",
    "customer_id",
    "system",
    "party_id",
    "strategy",
    "arm",
    "action",
    "reasons",
    "blocked",
]
_NEEDED += ["value_now", "value_new", "valid_until", "decision_id", "is_control"]


def write_lists(
    directory: Path,
    decisions: pa.Table,
    strategies: Sequence[Strategy],
    *,
    people: pa.Table | None = None,
    language: str = "zh",
) -> list[ListFile]:
    """Write `ACTION.xlsx` and `ACTION.csv` for every action that somebody acts on; empty ones too.

    `people` has system, party_id and any of customer_no, full_name, branch, manager; what is missing stays empty.
    Rows are ordered by branch, manager, account.
    """
    directory.mkdir(parents=True, exist_ok=True)
    known = _people(people)
    by_action: dict[str, list[Strategy]] = {}
    for strategy in strategies:
        for action in strategy.actions:
            if action.acts is not None:
                by_action.setdefault(action.id, []).append(strategy)
    return [
        _write(directory, action, owners, decisions, known, language) for action, owners in sorted(by_action.items())
    ]


def _write(
    directory: Path,
    action_id: str,
    owners: Sequence[Strategy],
    decisions: pa.Table,
    people: Mapping[tuple[Any, Any], Mapping[str, Any]],
    language: str,
) -> ListFile:
    own = pa.array([owner.id for owner in owners])
    mine = pc.and_(pc.equal(decisions["action"], action_id), pc.is_in(decisions["strategy"], value_set=own))
    decided = decisions.select(_NEEDED).filter(mine)
    acted_on = decided.filter(pc.invert(decided["is_control"]))
    rows = sorted(_rows(acted_on, {owner.id: owner for owner in owners}, people, language), key=_order)
    label = owners[0].action[action_id].label
    columns = [Column(title.text(language), kind, width) for _, title, kind, width, _ in _COLUMNS]
    xlsx, text = directory / f"{action_id}.xlsx", directory / f"{action_id}.csv"
    write_workbook(
        xlsx, label.text(language), _title(owners, action_id, decided, language), _warning(language), columns, rows
    )
    shapes = [(kind, is_id) for _, _, kind, _, is_id in _COLUMNS]
    text.write_bytes(csv_bytes([column.title for column in columns], rows, shapes))
    return ListFile(action_id, label, len(rows), decided.num_rows - len(rows), xlsx, text)


def _title(owners: Sequence[Strategy], action_id: str, decided: pa.Table, language: str) -> str:
    action: Action = owners[0].action[action_id]
    assert action.acts is not None
    day = f"  {decided['as_of'][0].as_py().isoformat()}" if decided.num_rows else ""
    return f"{action.label.text(language)} → {action.acts.text(language)}{day}"


def _warning(language: str) -> str:
    """In both languages, whatever the list's own: who forwards it may not read the other."""
    first, second = (SIMULATION.zh, SIMULATION.en) if language == "zh" else (SIMULATION.en, SIMULATION.zh)
    return f"{first} / {second}"


def _people(people: pa.Table | None) -> dict[tuple[Any, Any], Mapping[str, Any]]:
    if people is None:
        return {}
    return {(row["system"], row["party_id"]): row for row in people.to_pylist()}


def _rows(
    decisions: pa.Table,
    strategies: Mapping[str, Strategy],
    people: Mapping[tuple[Any, Any], Mapping[str, Any]],
    language: str,
) -> Iterable[tuple[Value, ...]]:
    texts = lru_cache(maxsize=None)(lambda strategy, codes: _reasons(strategies[strategy], codes, language))
    stops = lru_cache(maxsize=None)(lambda strategy, blocked: _blocked(strategies[strategy], blocked, language))
    for row in decisions.to_pylist():
        strategy = strategies[row["strategy"]]
        action = strategy.action[row["action"]]
        person = people.get((row["system"], row["party_id"]), {})
        yield (
            person.get("customer_no") or row["customer_id"],
            masked(person.get("full_name")),
            person.get("branch"),
            person.get("manager"),
            row["account_id"],
            action.label.text(language),
            row["value_now"],
            row["value_new"],
            *texts(row["strategy"], row["reasons"]),
            CHANNELS[action.channel].text(language) if action.channel else None,
            row["valid_until"],
            next(arm.label.text(language) for arm in strategy.arms if arm.id == row["arm"]),
            stops(row["strategy"], row["blocked"]),
            strategy.label.text(language),
            row["decision_id"],
            SIMULATION.text(language),
        )


def _order(row: Sequence[Value]) -> tuple[str, ...]:
    return tuple(str(row[place] or "") for place in (2, 3, 4, 15))


def _reasons(strategy: Strategy, codes: str, language: str) -> tuple[str | None, str | None, str | None]:
    texts = [strategy.reason_label(code).text(language) for code in json.loads(codes)]
    first, second, third, *_ = [*texts, None, None, None]
    return first, second, third


def _blocked(strategy: Strategy, blocked: str, language: str) -> str:
    """Each guardrail's words and the action it stood against."""
    arrow = "：" if language == "zh" else ": "
    parts = [
        f"{strategy.action[action].label.text(language)}{arrow}{strategy.reason_label(guardrail.upper()).text(language)}"
        for guardrail, action in json.loads(blocked).items()
    ]
    return ("；" if language == "zh" else "; ").join(parts)


def masked(name: str | None) -> str | None:
    """The first character of each word.

    >>> masked("欧阳娜娜"), masked("Wang Wei"), masked("李"), masked(None)
    ('欧***', 'W*** W**', '*', None)
    """
    if not name or "*" in name:
        # What comes masked, by a rule that knows compound surnames, stays as it came.
        return name or None
    return " ".join(word[0] + "*" * (len(word) - 1) if len(word) > 1 else "*" for word in name.split())


# ── text that Excel leaves as it is ─────────────────────────────────────────────────────────────────────


def csv_bytes(titles: Sequence[str], rows: Iterable[Sequence[Value]], shapes: Sequence[tuple[int, bool]]) -> bytes:
    """A .csv that Excel shows as it is meant; `shapes` are each column's kind and whether it is an id."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(titles)
    for row in rows:
        writer.writerow([_field(value, kind, is_id) for value, (kind, is_id) in zip(row, shapes, strict=True)])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8")


def _field(value: Value, kind: int, is_id: bool) -> str:
    if value is None:
        return ""
    text = str(value).replace("\0", "")
    return safe_text(text, is_id=is_id) if kind == TEXT else text


def safe_text(text: str, *, is_id: bool = False) -> str:
    """A text as it stands in the .csv: with an apostrophe before it when Excel would not leave it alone.

    >>> safe_text("6222021234567890123", is_id=True), safe_text("=1+1"), safe_text("三个月内提过额")
    ("'6222021234567890123", "'=1+1", '三个月内提过额')
    """
    return f"'{text}" if is_id or _would_change(text) else text


def plain_text(field: str) -> str:
    """What was written, from a text field of the .csv."""
    return field.removeprefix("'")


# Of a list's texts only the ids differ from row to row, and those are not asked about.
@lru_cache(maxsize=100_000)
def _would_change(text: str) -> bool:
    bare = text.strip()
    if text.startswith("'") or text[:1].isspace() or bare.startswith(_FORMULA):
        return True
    if bare.casefold() in ("true", "false"):
        return True
    if _NUMBER_LIKE.fullmatch(bare):
        return True
    return (
        bool(_MONTH_LIKE.fullmatch(bare))
        and any(month in bare.casefold() for month in _MONTHS)
        and any(character.isdigit() for character in bare)
    )
