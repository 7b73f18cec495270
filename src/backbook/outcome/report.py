"""The report: one offline file with charts, in Chinese or English.

Everything it needs is inside, the drawing library once; a content security policy in the page itself forbids it
to fetch anything from anywhere and to run any script but its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from backbook.outcome import library
from backbook.outcome.figures import Figures
from backbook.outcome.offline import LANGUAGES, inline, policy, spec, template
from backbook.outcome.page import Block, Section, sections
from backbook.outcome.texts import TEXTS, text

# Vega's interpreter (`ast`) draws without `eval`, which the page's own policy forbids.
DRAWING = """
const charts = JSON.parse(document.getElementById("charts").textContent);
for (const place of document.querySelectorAll("[data-chart]")) {
  const options = {mode: "vega-lite", actions: false, renderer: "svg", ast: true, tooltip: {theme: "light"}};
  vegaEmbed(place, charts[Number(place.dataset.chart)], options).catch((fault) => { place.textContent = String(fault); });
}
"""


def write_report(path: Path, figures: Figures, language: str, *, drawn_by: Callable[[], str] = library.made) -> Path:
    """Write the report to `path` and return it; the same figures give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html(figures, language, drawn_by=drawn_by), encoding="utf-8")
    return path


def html(figures: Figures, language: str, *, drawn_by: Callable[[], str] = library.made) -> str:
    """The whole page as text; `drawn_by` gives the drawing library, such as one made beside the run."""
    if language not in LANGUAGES:
        raise ValueError(f"A report is written in {' or '.join(LANGUAGES)}, not in {language!r}.")
    found = sections(figures, language)
    drawn = [block for section in found for block in section.blocks if block.chart is not None]
    script = Markup(drawn_by())
    drawing = Markup(DRAWING)
    page: str = template("backbook.outcome", "report.html").render(
        about=figures.about,
        language=language,
        t=lambda key: text(key, language),
        simulation=_simulation(language),
        stale=[line.to(language) for line in figures.stale],
        compared=any(figure.before is not None for figure in figures.figures.values()),
        sections=found,
        number=lambda block: next(place for place, other in enumerate(drawn) if other is block),
        charts=inline([spec(block.chart) for block in drawn]),
        library=script,
        drawing=drawing,
        policy=policy(script, drawing),
    )
    return page


def specs(figures: Figures, language: str) -> list[dict[str, Any]]:
    """The Vega-Lite specification of every chart, in the order of the page."""
    found: list[Section] = sections(figures, language)
    blocks: list[Block] = [block for section in found for block in section.blocks]
    return [spec(block.chart) for block in blocks if block.chart is not None]


def _simulation(language: str) -> str:
    """Both languages, whatever the reader's: no one may take a proposal for an order."""
    first, second = ("zh", "en") if language == "zh" else ("en", "zh")
    return f"{TEXTS['simulation'].to(first)} / {TEXTS['simulation'].to(second)}"
