"""Whether warning rules still hold, told by what became of those they hit later.

Each later date whose outcomes are over gives every rule its hits and right hits. A rule has *decayed* when its precision
over the latest of these dates lies, with its whole interval, below what the bank asks; it is *watched* when the figure
alone lies below, when it hits clearly more than twice or less than half as many as it did, or nobody at all; else it
*holds*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import add
from typing import Any

import ibis

from backbook.expressions import parse
from backbook.score.definition import Hits
from backbook.score.registry import Version
from backbook.score.target import DAY, EVENT, Sample
from backbook.score.warning import Counted

HOLDS, WATCH, DECAYED = "holds", "watch", "decayed"
# A verdict stands on so many of the latest dates together: one month of a rule that hits few says little.
LATEST = 3
# A rule that hits clearly this many times more or less than it did meets another book.
SHIFT = 2.0

ByDate = Sequence[tuple[date, Counted]]


@dataclass(frozen=True)
class Watched:
    """One rule later: its counts by date, what they say, and why."""

    code: str
    by_date: ByDate
    verdict: str
    zh: str
    en: str

    def canonical(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "verdict": self.verdict,
            "zh": self.zh,
            "en": self.en,
            "by_date": [{"observed_on": day.isoformat()} | found.canonical() for day, found in self.by_date],
        }


def watched(version: Version, later: Sample) -> list[Watched]:
    """The verdict on each rule of the version by a sample of later dates that holds the features the rules read."""
    asked = Hits(**version.content["defined"]["rules"])
    by_date = hits_by_date(version, later)
    return [judged(rule["code"], by_date[rule["code"]], asked, rule["hit_rate"]) for rule in version.content["rules"]]


def hits_by_date(version: Version, later: Sample) -> dict[str, list[tuple[date, Counted]]]:
    """Hits and right hits of each rule on each date of the sample, counted where its rows are."""
    table, rules = later.table, version.content["rules"]
    hit = {rule["code"]: parse(rule["text"], version.names).ibis(table).fill_null(False) for rule in rules}
    marked = table.select(_day=table[DAY], _event=table[EVENT], **hit)
    counts = {f"{code}_hits": marked[code].sum() for code in hit}
    right = {f"{code}_events": (marked[code] & marked._event).sum() for code in hit}
    found = marked.group_by("_day").agg(rows=marked.count(), base=marked._event.sum(), **counts, **right)
    rows = later.engine.rows(found.order_by(ibis.asc("_day")))
    return {
        code: [
            (later.observed[row["_day"]], Counted(row["rows"], row["base"], row[f"{code}_hits"], row[f"{code}_events"]))
            for row in rows
        ]
        for code in hit
    }


def judged(code: str, by_date: ByDate, asked: Hits, hit_rate: float) -> Watched:
    """The verdict on one rule that once hit the share `hit_rate` of the rows."""
    found = reduce(add, (each for _, each in by_date[-LATEST:]))
    least, (low, high) = asked.least(found.rate), found.interval
    fewest, most = found.hit_interval
    said = f"{found.events}/{found.hits}"
    if not found.hits:
        return Watched(code, by_date, WATCH, "近期无人命中", "hits nobody of late")
    if high < least:
        zh = f"近期命中准确率 {found.precision:.0%}（{said}，区间 {low:.0%} 至 {high:.0%}），低于要求的 {least:.0%}"
        en = f"right in {found.precision:.0%} of late ({said}, {low:.0%} to {high:.0%}), below the {least:.0%} asked"
        return Watched(code, by_date, DECAYED, zh, en)
    if found.precision < least:
        zh = f"近期命中准确率 {found.precision:.0%}（{said}），低于要求的 {least:.0%}，尚在误差之内"
        en = f"right in {found.precision:.0%} of late ({said}), below the {least:.0%} asked, but within error"
        return Watched(code, by_date, WATCH, zh, en)
    if most < hit_rate / SHIFT or fewest > hit_rate * SHIFT:
        now = found.hits / found.rows
        zh, en = f"命中率由 {hit_rate:.2%} 变为 {now:.2%}", f"hits {now:.2%} of late, {hit_rate:.2%} before"
        return Watched(code, by_date, WATCH, zh, en)
    zh = f"近期命中准确率 {found.precision:.0%}（{said}），不低于要求的 {least:.0%}"
    return Watched(code, by_date, HOLDS, zh, f"right in {found.precision:.0%} of late ({said}), {least:.0%} asked")
