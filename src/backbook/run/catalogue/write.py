"""The catalogue as an offline page that can be searched, and as a workbook in both languages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from backbook.outcome.offline import LANGUAGES, policy, template
from backbook.run.catalogue.entries import COLUMNS, NUMBERS, Catalogue, Entry
from backbook.run.catalogue.words import cell, text
from backbook.strategy.spreadsheet import TEXT, WHOLE, Column, Sheet, write_sheets

# What stands on the page at once; the rest of an entry unfolds.
HEADS = {
    "tag": ("name", "meaning", "dimension", "grain", "way", "aim", "held", "not_held", "not_known"),
    "segment": ("name", "level_name", "condition", "grain", "way"),
    "score": ("name", "meaning", "grain", "method", "aim", "grades"),
    "feature": ("name", "meaning", "made", "grain", "known", "not_known"),
    "lookup": ("name", "level_name", "codes", "tables", "of"),
}
WIDEST, NARROWEST = 60, 8

# Rows that do not hold every word are hidden; a kind says how many are left.
SEARCH = """
const field = document.getElementById("search");
const rows = [...document.querySelectorAll("[data-entry]")].map((row) => [row, row.textContent.toLowerCase()]);
field.addEventListener("input", () => {
  const words = field.value.toLowerCase().split(/\\s+/).filter(Boolean);
  for (const [row, told] of rows) row.hidden = !words.every((word) => told.includes(word));
  for (const section of document.querySelectorAll("section")) {
    section.querySelector("[data-count]").textContent = section.querySelectorAll("[data-entry]:not([hidden])").length;
  }
});
"""


def write_catalogue(folder: Path, found: Catalogue, language: str) -> list[Path]:
    """Write `catalogue.html` in one language and `catalogue.xlsx` in both; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    page, book = folder / "catalogue.html", folder / "catalogue.xlsx"
    page.write_text(html(found, language), encoding="utf-8")
    write_sheets(book, [_sheet(found, kind, each) for each in LANGUAGES for kind in COLUMNS])
    return [page, book]


def html(found: Catalogue, language: str) -> str:
    script = Markup(SEARCH)
    return template("backbook.run.catalogue", "catalogue.html").render(
        found=found,
        name=found.name.to(language),
        language=language,
        policy=policy(script),
        script=script,
        t=lambda key: text(key, language),
        heads=HEADS,
        numbers=NUMBERS,
        shown=lambda column, entry: _shown(cell(column, entry[column], language)),
        rest=lambda kind, entry: list(_rest(kind, entry, language)),
    )


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _rest(kind: str, entry: Entry, language: str) -> Iterator[tuple[str, str]]:
    """(label, words) of what the row itself does not show."""
    for column in COLUMNS[kind]:
        told = _shown(cell(column, entry[column], language))
        if column not in (*HEADS[kind], "id") and told:
            yield text(column, language), told


def _sheet(found: Catalogue, kind: str, language: str) -> Sheet:
    columns = COLUMNS[kind]
    rows = [[cell(column, entry[column], language) for column in columns] for entry in found.entries[kind]]
    day = f" · {text('as_of', language)} {found.as_of}" if found.as_of else ""
    title = f"{found.name.to(language)} · {text(kind, language)}{day}"
    shapes = [
        Column(
            text(column, language), WHOLE if column in NUMBERS else TEXT, _width(text(column, language), place, rows)
        )
        for place, column in enumerate(columns)
    ]
    return Sheet(text(kind, language), title, f"{text('bundle', language)} {found.bundle}", shapes, rows)


def _width(title: str, place: int, rows: Sequence[Sequence[Any]]) -> int:
    """Chinese characters are two wide."""
    widest = max(
        sum(1 if sign.isascii() else 2 for sign in str(told)) for told in (title, *(row[place] for row in rows))
    )
    return min(WIDEST, max(NARROWEST, widest + 2))
