"""A lender of one wide table and a score over it, with sex and age for the check of fairness alone.

2,000 clients are seen on three month-ends. What became of the even ones is told a month after the first, of the odd
ones a month after the second.
"""

from __future__ import annotations

import math
import random
from datetime import date
from pathlib import Path

from backbook import keys, run
from backbook.workspace import Workspace

FIRST, AS_OF = date(2026, 3, 31), date(2026, 4, 30)
DAYS = (date(2026, 2, 28), FIRST, AS_OF)
SETTINGS = """
[book]
name = "A small lender"
name_zh = "小贷"
currency = "CNY"
timezone = "Asia/Shanghai"
language = "zh"

[inputs.clients]
path = "clients.csv"
format = "text"
"""
WIDE = """select 'core' as system, client as party_id, seen_on as known_on, used, late, city, sex, age from clients"""
FLAG = """select 'core' as system, client as party_id, came_on as known_on, fell_behind from clients where fell_behind is not null"""
ATTRIBUTES = """
attributes:
  - {id: used, type: number, grain: account, zh: 使用率, en: Utilisation, purpose: both}
  - {id: late, type: whole, grain: account, zh: 逾期次数, en: Times late, purpose: both}
  - id: city
    type: text
    grain: account
    zh: 城市
    en: City
    purpose: both
    levels: {sh: {zh: 上海, en: Shanghai}, bj: {zh: 北京, en: Beijing}}
  - id: sex
    type: text
    grain: account
    zh: 性别
    en: Sex
    purpose: risk
    protected: true
    levels: {m: {zh: 男, en: Male}, f: {zh: 女, en: Female}, x: {zh: 其他, en: Other}}
  - {id: age, type: whole, grain: account, zh: 年龄, en: Age, purpose: none, protected: true}
  - {id: fell_behind, type: yes/no, grain: account, zh: 次月逾期, en: Fell behind, purpose: outcome}
"""
SCORE = """
id: behind
zh: 逾期
en: Behind
owner: 风险管理
meaning: {zh: 次月逾期的可能性, en: the chance of falling behind next month}
purpose: risk
grain: account
target: fell_behind
observations: {every: month, at_most: 1}
features: [used, late, city, sex]
protected: [sex]
monotone: {used: up, late: up}
grades:
  A: {up_to: 0.1, zh: 低风险, en: low risk}
  B: {up_to: 0.3, zh: 中风险, en: middle risk}
  C: {zh: 高风险, en: high risk}
minimum_events: 40
"""
SEGMENTS = """
segments:
  - id: habit
    zh: 用卡习惯
    en: Habit
    owner: o
    grain: account
    meaning: {zh: 用得多或少, en: much or little}
    unknown: not_known
    otherwise: little
    levels:
      - {code: much, zh: 多, en: Much, when: used > 0.5}
      - {code: little, zh: 少, en: Little}
      - {code: not_known, zh: 未知, en: Not known}
"""


def rows(count: int = 2_000, seed: int = 3) -> str:
    """Men fall behind more often, whatever they use; three clients are of another sex."""
    drawn = random.Random(seed)
    lines = ["client,seen_on,came_on,used,late,city,sex,age,fell_behind"]
    for client in range(count):
        sex, age = "x" if client < 3 else drawn.choice("mf"), drawn.randint(20, 59)
        for day, after in zip(DAYS, [*DAYS[1:], None], strict=True):
            used, late, city = round(drawn.random(), 3), drawn.choice([0, 0, 0, 1, 2]), drawn.choice(["sh", "bj"])
            chance = 1 / (1 + math.exp(3.2 - 2.2 * used - late - (1.2 if sex == "m" else 0)))
            told = after == (FIRST, AS_OF)[client % 2]
            behind = str(int(drawn.random() < chance)) if told else ""
            lines.append(f"{client:05d},{day},{after or ''},{used},{late},{city},{sex},{age},{behind}")
    return "\n".join(lines)


def lender(folder: Path, dates: tuple[date, ...] = (FIRST, AS_OF)) -> Workspace:
    """A workspace that was walked for `dates`; the score was taught on the first."""
    files = {
        "backbook.toml": SETTINGS,
        "clients.csv": rows(),
        "sources/attribute.wide.sql": WIDE,
        "sources/attribute.flag.sql": FLAG,
        "sources/attributes.yaml": ATTRIBUTES,
        "scores/behind.yaml": SCORE,
        "segments.yaml": SEGMENTS,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    keys.make(folder / "backbook.key")
    workspace = Workspace.open(folder)
    run.walk(workspace, list(dates), stages=("load", "profile", "train", "score"))
    return workspace
