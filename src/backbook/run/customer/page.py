"""One customer as one offline page: the same content as in the terminal, with every row of evidence folded in.

No script runs on it; its pictures are drawn when it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import altair as alt

from backbook.outcome import charts, surroundings
from backbook.outcome.numbers import share
from backbook.outcome.offline import picture, policy, template
from backbook.run.customer.look import Customer360
from backbook.run.customer.terminal import FACTS, LABELS, reason, value
from backbook.run.customer.words import text, written

WIDTH = 1080


def write_page(path: Path, found: Customer360) -> Path:
    """Write the page to `path` and return it; the same look gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html(found), encoding="utf-8")
    return path


def html(found: Customer360) -> str:
    language = found.language
    held = [row for row in found.tags if not row["expired"]]
    return template("backbook.run.customer", "customer.html").render(
        found=found,
        language=language,
        policy=policy(),
        t=lambda key, **parts: text(key, language, **parts),
        written=written,
        share=lambda number: share(number, language),
        value=value,
        reason=reason,
        facts=[(LABELS.get(key, key), found.who[key]) for key in FACTS if found.who[key] is not None],
        dimensions=[(dimension, list(rows)) for dimension, rows in groupby(held, key=lambda row: row["dimension"])],
        expired=list(dict.fromkeys(row["name"] for row in found.tags if row["expired"])),
        pictures=_pictures(found),
    )


def _pictures(found: Customer360) -> dict[str, Any]:
    """id of a section → the picture at its head."""
    told = [row for row in found.months if row["spend"] is not None or row["balance"] is not None]
    pictures = {"months": picture(months(told, found.language), WIDTH)} if told else {}
    if found.surroundings is not None:
        pictures["ties"] = picture(surroundings.picture(found.surroundings, found.language))
    return pictures


def months(rows: Sequence[dict[str, Any]], language: str) -> Any:
    """Spend as bars, what is owed as a line, month by month."""
    plain = [{**row, **{name: _number(row[name]) for name in ("spend", "balance")}} for row in rows]
    names = [text(name, language) for name in ("spend", "balance")]
    base = alt.Chart(alt.Data(values=plain)).encode(
        x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=0)),
        color=alt.Color(scale=alt.Scale(domain=names, range=[charts.BLUE, charts.ORANGE])),
    )
    axis = alt.Axis(labelExpr=charts.AXIS_NUMBERS[language], tickCount=5)
    bars = base.mark_bar(size=26, cornerRadiusEnd=2).encode(
        y=alt.Y("spend:Q", title=None, axis=axis), color=alt.datum(names[0])
    )
    line = base.mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=46)).encode(
        y=alt.Y("balance:Q", title=None), color=alt.datum(names[1])
    )
    return alt.layer(bars, line).properties(height=220)


def _number(amount: Any) -> float | None:
    return None if amount is None else float(amount)
