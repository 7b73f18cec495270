"""The report: one offline file with charts, in Chinese or English.

Everything it needs is inside, the drawing library once; a content security policy in the page itself forbids it
to fetch anything from anywhere and to run any script but its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from backbook.outcome import charts, library
from backbook.outcome.figures import Figures
from backbook.outcome.page import Block, Section, sections
from backbook.outcome.texts import TEXTS, text

LANGUAGES = ("zh", "en")

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
    page: str = _template().render(
        about=figures.about,
        language=language,
        t=lambda key: text(key, language),
        simulation=_simulation(language),
        fonts=Markup(charts.FONTS),
        stale=[line.to(language) for line in figures.stale],
        compared=any(figure.before is not None for figure in figures.figures.values()),
        sections=found,
        number=lambda block: next(place for place, other in enumerate(drawn) if other is block),
        charts=_inline([spec(block.chart) for block in drawn]),
        library=script,
        drawing=drawing,
        script_hashes=Markup(" ".join(f"'{_policy_hash(script)}'" for script in (script, drawing))),
    )
    return page


def specs(figures: Figures, language: str) -> list[dict[str, Any]]:
    """The Vega-Lite specification of every chart, in the order of the page."""
    found: list[Section] = sections(figures, language)
    blocks: list[Block] = [block for section in found for block in section.blocks]
    return [spec(block.chart) for block in blocks if block.chart is not None]


def spec(chart: Any) -> dict[str, Any]:
    """A chart as plain data, without the address of its schema, as wide as its place allows and no wider."""
    made: dict[str, Any] = chart.to_dict()
    made.pop("$schema", None)
    return {**made, "config": charts.CONFIG, "autosize": {"type": "fit-x", "contains": "padding"}}


def _simulation(language: str) -> str:
    """Both languages, whatever the reader's: no one may take a proposal for an order."""
    first, second = ("zh", "en") if language == "zh" else ("en", "zh")
    return f"{TEXTS['simulation'].to(first)} / {TEXTS['simulation'].to(second)}"


def _inline(data: Any) -> Markup:
    """JSON that cannot end the script element in which it stands."""
    return Markup(json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


def marked(words: str) -> Markup:
    """Words with their `names` set as code.

    >>> marked("needs `card` & more")
    Markup('needs <code>card</code> &amp; more')
    """
    parts = str(words).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


def _policy_hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _template() -> Any:
    loader = PackageLoader("backbook.outcome", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["marked"] = marked
    return environment.get_template("report.html")
