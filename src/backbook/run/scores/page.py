"""A model card as one offline page. No script runs on it; its pictures are drawn when it is written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from backbook.outcome import charts
from backbook.outcome.offline import picture, policy, template
from backbook.run.scores.card import Card
from backbook.run.scores.sections import STATUSES, Writing

WIDTH, BESIDE = 1120, 640
CLIP = re.compile(r"\bclip\d+\b")
Rows = Sequence[Mapping[str, Any]]


def write_page(path: Path, card: Card, language: str) -> Path:
    """Write the page to `path` and return it; the same card gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html(card, language), encoding="utf-8")
    return path


def html(card: Card, language: str) -> str:
    writing = Writing(card, language)
    page = template("backbook.run.scores", "card.html").render(
        language=language,
        policy=policy(),
        title=writing.say("模型卡", "Model card"),
        contents=writing.say("目录", "Contents"),
        bank=card.settings[language],
        name=card.version.content[language],
        version=card.version.id,
        status=writing.text(STATUSES, card.standing.status),
        sections=writing.sections(),
        drawn=lambda block: picture(_drawn(block.chart, writing), BESIDE if block.beside else WIDTH),
    )
    # The drawing library counts its clips on from picture to picture of the process; here they count from the first.
    places: dict[str, int] = {}
    return CLIP.sub(lambda found: f"clip{places.setdefault(found[0], len(places))}", page)


def _drawn(chart: tuple[str, Rows], writing: Writing) -> Any:
    kind, rows = chart
    if kind == "calibration":
        return charts.calibration(rows, writing.language)
    return {"gains": _gains, "grades": _grades, "information": _information}[kind](rows, writing)


def _gains(rows: Rows, writing: Writing) -> Any:
    """How many of the events lie among the highest chances, against what lots would bring."""
    axis = {"axis": alt.Axis(format="~%", tickCount=6), "scale": alt.Scale(domain=[0, 1])}
    x = alt.X(
        "rows:Q", title=writing.say("样本占比（自概率最高者起）", "Share of rows, the highest chance first"), **axis
    )
    y = alt.Y("events:Q", title=writing.say("事件占比", "Share of events"), **axis)
    lots = alt.Chart(alt.Data(values=[{"rows": 0, "events": 0}, {"rows": 1, "events": 1}]))
    curve = alt.Chart(alt.Data(values=[dict(row) for row in rows]))
    return alt.layer(
        lots.mark_line(color=charts.GREY, strokeDash=[5, 4]).encode(x=x, y=y),
        curve.mark_line(color=charts.BLUE, strokeWidth=2.5, point=alt.OverlayMarkDef(size=44)).encode(x=x, y=y),
    ).properties(height=260)


def _grades(rows: Rows, writing: Writing) -> Any:
    """Expected as a mark, observed as a bar with its interval, by grade."""
    names = [writing.say("实际", "Observed"), writing.say("预期", "Expected")]
    base = alt.Chart(alt.Data(values=[dict(row) for row in rows])).encode(
        x=alt.X("grade:N", sort=None, title=None, axis=alt.Axis(labelAngle=0)),
        color=alt.Color(scale=alt.Scale(domain=names, range=[charts.SKY, charts.ORANGE])),
    )
    share = alt.Axis(format="~%", tickCount=6)
    bars = base.mark_bar(size=46, cornerRadiusEnd=2).encode(
        y=alt.Y("observed:Q", title=None, axis=share), color=alt.datum(names[0])
    )
    spread = base.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q"), y2="high:Q", color=alt.value(charts.INK))
    marks = base.mark_tick(thickness=4, size=58).encode(y=alt.Y("expected:Q"), color=alt.datum(names[1]))
    return alt.layer(bars, spread, marks).properties(height=240)


def _information(rows: Rows, writing: Writing) -> Any:
    """Lying bars, the strongest first."""
    return alt.Chart(alt.Data(values=[dict(row) for row in rows])).mark_bar(color=charts.BLUE, cornerRadiusEnd=2).encode(
        y=alt.Y("feature:N", sort=None, title=None, axis=alt.Axis(labelLimit=320)),
        x=alt.X("information:Q", title=None, axis=alt.Axis(tickCount=6)),
    ).properties(height=max(3, len(rows)) * 24 + 20)  # fmt: skip
