"""The watch of one date: every score in use against its training, and its earlier scores against what came true.

Scores of earlier days are judged by month: of each month the last day that was scored, once its outcome windows are
over. They are judged under the version that gave them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from backbook.customer.profile import Profile
from backbook.run.book import Book
from backbook.score import monitor, registry
from backbook.score.definition import RULES, TAUGHT, Score
from backbook.score.monitor import Reading
from backbook.score.registry import Version
from backbook.score.ripened import by_rule, over, ripened, rule_readings
from backbook.score.shifts import shifts
from backbook.score.target import judged

if TYPE_CHECKING:
    from backbook.run.stages import Way

# So many months of scores are judged at each date: what is older tells of another book.
MONTHS = 12


def watch(way: Way, profile: Profile) -> dict[str, Any]:
    """Write the date's part of `score_watch`; what the run tells of it, by score."""
    book = Book(way.frozen, way.reader(), way.versions)
    told: dict[str, Any] = {}
    parts: list[pa.Table] = []
    for score in _watched(way):
        way.progress(score.en)
        version = way.versions[score.id]
        now = shifts(score, version, way.engine, profile.rows(score.grain, _columns(score, version)), way.as_of)
        later = list(_judged(way, score, book))
        mine = [*now, *(reading for each, reading in later if each.id == version.id)]
        whole = monitor.whole(mine, way.as_of)
        parts.append(monitor.table(version, [whole, *mine]))
        parts += [monitor.table(each, [reading]) for each, reading in later if each.id != version.id]
        told[score.id] = _told(score, version, whole)
    if parts:
        way.replace(monitor.TABLE, way.engine.table(pa.concat_tables(parts)), monitor.ORDER)
    return {"scores": told}


def _watched(way: Way) -> list[Score]:
    return [score for score in way.frozen.scores if score.method in TAUGHT and score.id in way.versions]


def _columns(score: Score, version: Version) -> set[str]:
    excluded = score.exclusions.reads if score.exclusions is not None else frozenset()
    return {name.name for name in (*version.columns, *score.yields)} | excluded


def _told(score: Score, version: Version, whole: Reading) -> dict[str, Any]:
    zh, en = monitor.ACTS[whole.act]
    return {
        "zh": score.zh,
        "en": score.en,
        "version": version.id,
        "level": str(whole.level),
        "reason_zh": whole.reason_zh,
        "reason_en": whole.reason_en,
        "act": str(whole.act),
        "act_zh": zh,
        "act_en": en,
    }


def _judged(way: Way, score: Score, book: Book) -> Iterator[tuple[Version, Reading]]:
    """What came of the score's earlier days, with the version that scored each."""
    of_rules: dict[str, tuple[Version, dict[date, Any]]] = {}
    for day in _days(way, score, book):
        rows = way.engine.parquet(way.writer.head.files("score", part=day.isoformat()))
        given = rows.filter(rows.score == score.id)
        for row in way.engine.rows(given.select("version").distinct().order_by("version")):
            version = registry.version(way.writer.head, row["version"])
            with way.engine.scope():
                units = judged(score, way.engine, way.as_of, book, day)
                for reading in ripened(version, way.engine, units, day, given):
                    yield version, reading
                if version.method == RULES:
                    codes = [rule["code"] for rule in version.content["rules"]]
                    counts = by_rule(way.engine, units, version.key, given, codes)
                    of_rules.setdefault(version.id, (version, {}))[1][day] = counts
    for version, by_date in of_rules.values():
        for reading in rule_readings(version, by_date):
            yield version, reading


def _days(way: Way, score: Score, book: Book) -> list[date]:
    """The last scored day of each month whose outcomes are over, the latest months, oldest first."""
    manifest = way.writer.head.manifest("score")
    parts = {file.part for file in manifest.files} if manifest else set()
    days = sorted(day for day in map(date.fromisoformat, parts) if over(score, way.as_of, book, day))
    return list({(day.year, day.month): day for day in days}.values())[-MONTHS:]
