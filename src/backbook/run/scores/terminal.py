"""The words in which the command line tells of scores; `--json` tells the same to machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backbook.outcome.numbers import UNKNOWN
from backbook.run.scores.acts import Approval
from backbook.run.scores.card import Card
from backbook.run.scores.compare import Compared
from backbook.run.scores.explain import OfBook, OfUnit
from backbook.run.scores.sections import Block, Writing
from backbook.run.show import Lines, table_of
from backbook.score.apart import RAISES
from backbook.score.apply import REASONS

FIGURES = (("AUC", "auc"), ("KS", "ks"), ("calibration error", "calibration_error"), ("Brier", "brier"))
SWAP = {
    "both": "both among the highest",
    "out": "leave the highest",
    "in": "enter the highest",
    "neither": "neither among the highest",
}
UNITS = {"points": "points", "log_odds": "log odds"}
MOST_ROWS = 25


def listed(rows: Sequence[Mapping[str, Any]]) -> Lines:
    if not rows:
        return ["No score was trained yet: `backbook run DIR --as-of DATE` trains them."]
    table = table_of("Scores", "version", "method", "status", "since", "rows", "events", "AUC", "KS", "calibration error", "watch")  # fmt: skip
    for row in rows:
        by = f" by {row['approved_by']}" if row["approved_by"] else ""
        table.add_row(
            row["version"], row["method"], f"{row['status']}{by}", str(row["since"]),
            _count(row["rows"]), _count(row["events"]), _figure(row["auc"]), _figure(row["ks"]), _figure(row["calibration_error"]),
            row["watch"] or UNKNOWN,
        )  # fmt: skip
    return [table]


def card(found: Card, language: str) -> Lines:
    """The model card without its pictures; long tables are cut, the page has all."""
    writing = Writing(found, language)
    content = found.version.content
    lines: Lines = ["", f"{content[language]} · {found.version.id} · {found.standing.status}"]
    for section in writing.sections():
        lines += ["", section.title]
        lines += [f"  {label}: {_plain(fact)}" for label, fact in (*section.figures, *section.facts)]
        lines += [f"  - {_plain(line)}" for line in section.lines]
        for block in section.blocks:
            if not block.folded:
                lines += _block(block)
    return lines


def _block(block: Block) -> Lines:
    if block.needs:
        return [f"  {block.title}: {_plain(block.needs)}"]
    if block.table is None:
        return []
    table = table_of(block.title, *block.table.heads)
    for place, column in enumerate(table.columns):
        column.justify = "right" if place in block.table.numeric else "left"
        column.no_wrap = False
    for row in block.table.rows[:MOST_ROWS]:
        table.add_row(*map(_plain, row))
    return [table, *([f"  {block.note}"] if block.note else [])]


def _plain(words: str) -> str:
    return words.replace("`", "")


def compared(found: Compared) -> Lines:
    """As each was judged when it was made, then on the same rows, then who changes places."""
    table = table_of("As each was judged when it was made", "", found.first.id, found.second.id)
    told = [version.content.get("quality") or {} for version in (found.first, found.second)]
    for label, key in FIGURES:
        table.add_row(label, *(_figure(each.get(key)) for each in told))
    table.add_row("rows", *(_count(each.get("rows")) for each in told))
    lines: Lines = [table]
    if found.same is None:
        return [*lines, f"On the same rows: {found.needs}."]
    seen = (
        "later than the rows that taught them" if found.later else "rows that taught one or both: the figures flatter"
    )
    same = table_of(f"On the same rows, of {found.day} ({seen})", "", found.first.id, found.second.id)
    both = [found.same[name] or {} for name in ("first", "second")]
    for label, key in FIGURES:
        same.add_row(label, *(_figure(each.get(key)) for each in both))
    same.add_row("rows", *(_count(each.get("rows")) for each in both))
    lines.append(same)
    if found.same["swap"]:
        swap = table_of("Who changes places, both asked for equally many", f"{found.second.id} against {found.first.id}", "rows", "events", "rate")  # fmt: skip
        for row in found.same["swap"]:
            rate = UNKNOWN if row["rate"] is None else f"{row['rate']:.2%}"
            swap.add_row(SWAP[row["which"]], _count(row["rows"]), _count(row["events"]), rate)
        lines.append(swap)
    return lines


def approval(done: Approval) -> Lines:
    head = f"Ruling {done.ruling.ruling_id}: " if done.ruling else "Would be ruled: "
    return [f"{head}{done.will}.", done.note]


def explained(found: OfUnit | OfBook, language: str) -> Lines:
    return _of_book(found, language) if isinstance(found, OfBook) else _of_unit(found, language)


def _of_book(found: OfBook, language: str) -> Lines:
    title = f"What moves {found.version.id} on {found.as_of}"
    table = table_of(title, "feature", "mean size", *(f"reason {place}" for place in range(1, REASONS + 1)))
    for row in found.rows:
        size = UNKNOWN if row["size"] is None else f"{row['size']:.3g}"
        table.add_row(row[language], size, *(f"{share:.1%}" for share in row["shares"]))
    return [table]


def _of_unit(found: OfUnit, language: str) -> Lines:
    whole = found.explained
    total = "" if whole.total is None else f" · {whole.total:.4g} {UNITS[whole.unit]}"
    base = "" if whole.base is None else f" (on average {whole.base:.4g})"
    lines: Lines = [f"{found.unit} · {found.version.id} on {found.as_of} · {found.grade or 'not scored'}{total}{base}"]
    if not whole.reasons:
        return [*lines, "Nothing moved it." if found.grade else "Outside the population: the score was never asked."]
    table = table_of("Reasons, the farthest first", "reason", "the chance", "size")
    for each in whole.reasons:
        size = UNKNOWN if each.size is None else f"{each.size:+.3g} {UNITS[each.unit]}"
        table.add_row(getattr(each, language), "↑" if each.direction == RAISES else "↓" if each.size else UNKNOWN, size)
    return [*lines, table]


def _figure(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4f}"


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"
