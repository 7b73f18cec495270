"""The charts: each a function from a table to an Altair chart.

Rows carry words already in the reader's language. A chart is as wide as its place on the page; colours are those
of Okabe and Ito, which colour-blind readers tell apart, and no chart says anything by colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import altair as alt

from backbook.customer.drift import ACT, STABLE
from backbook.outcome import numbers
from backbook.outcome.figures import Row
from backbook.outcome.texts import text

FONTS = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'PingFang SC', 'Hiragino Sans GB', 'Microsoft YaHei', "
    "'Noto Sans CJK SC', 'Source Han Sans SC', 'WenQuanYi Micro Hei', sans-serif"
)
INK, MUTED, LINE = "#1d2733", "#5b6875", "#dfe4ea"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#c8452c",
    "#8a5a9e",
    "#56b4e9",
    "#98a2ad",
)
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, GREY)

# Vega's own short numbers end in k, M, G; Chinese readers count in 万 and 亿.
AXIS_NUMBERS = {
    "en": "abs(datum.value) >= 1e9 ? format(datum.value / 1e9, '~g') + 'bn' : abs(datum.value) >= 1e6 ? "
    "format(datum.value / 1e6, '~g') + 'm' : abs(datum.value) >= 1e3 ? format(datum.value / 1e3, '~g') + 'k' : "
    "format(datum.value, '~g')",
    "zh": "abs(datum.value) >= 1e8 ? format(datum.value / 1e8, '~g') + '亿' : abs(datum.value) >= 1e4 ? "
    "format(datum.value / 1e4, '~g') + '万' : format(datum.value, ',~g')",
}

CONFIG: dict[str, Any] = {
    "font": FONTS,
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED, "titleColor": MUTED, "gridColor": LINE, "domainColor": GREY, "tickColor": LINE,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 200,
    },
    "legend": {
        "labelColor": INK, "labelFontSize": 12, "orient": "top", "title": None, "symbolType": "square",
        "labelLimit": 220, "direction": "horizontal", "columns": 4,
    },
    "range": {"category": list(PALETTE)},
}  # fmt: skip


def buckets(rows: Sequence[Row], language: str) -> alt.Chart:
    """Balance past due by bucket; M0 would dwarf the rest and stands in the table."""
    late = [row for row in rows if row["bucket"] not in ("M0", "?")]
    return columns(late, "bucket", "balance", language, colour=RED)


def spend(rows: Sequence[Row], language: str) -> alt.Chart:
    return columns(rows, "month", "amount", language)


def utilisation(rows: Sequence[Row], language: str) -> alt.Chart:
    return columns(rows, "band", "lines", language)


def identity_sizes(rows: Sequence[Row], language: str) -> alt.Chart:
    """Customers by how many records they have."""
    return columns(rows, "size", "customers", language)


def columns(rows: Sequence[Row], x: str, y: str, language: str, *, colour: str = BLUE) -> alt.Chart:
    """Upright bars in the order of the rows."""
    return _chart(rows).mark_bar(color=colour, cornerRadiusEnd=2).encode(
        x=alt.X(f"{x}:N", sort=None, title=None, axis=alt.Axis(labelAngle=_angle(rows, x))),
        y=_amount(y, language),
        tooltip=_tips(language, x, **{y: "Q"}),
    )  # fmt: skip


def net_flow(rows: Sequence[Row], language: str) -> alt.Chart:
    """One line for each step from bucket to bucket."""
    known = [row for row in rows if row["flow"] is not None]
    base = _chart(known).encode(
        x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=_angle(known, "month"))),
        y=alt.Y("flow:Q", title=None, axis=alt.Axis(format="~%")),
        color=alt.Color("step:N", sort=None),
        strokeDash=alt.StrokeDash("step:N", sort=None),
        tooltip=_tips(language, "month", "step", flow="%"),
    )
    return base.mark_line(point=alt.OverlayMarkDef(size=36), strokeWidth=2)


PLACES = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7+", "paid_off", "closed", "charged_off", "?", "-")


def roll(rows: Sequence[Row], order: list[str], language: str) -> alt.LayerChart:
    """Where accounts went, in the order of `PLACES` as the rows name them."""
    return _heat(rows, "to", "from", "share", language, x_order=order, y_order=order, form="share")


def segment_moves(rows: Sequence[Row], to_order: list[str], from_order: list[str], language: str) -> alt.LayerChart:
    """Shares of the row; what stayed lies on the diagonal."""
    return _heat(
        rows, "to", "from", "share", language, x_order=to_order, y_order=from_order, form="share", also="units", titles=False
    )  # fmt: skip


def first_days(rows: Sequence[Row], order: list[str], language: str) -> alt.LayerChart | None:
    """A cohort in each row; a cell that is not known yet is empty."""
    known = [row for row in rows if row["share"] is not None]
    shown = [{name: row[name] for name in ("month", "milestone", "share", "denominator")} for row in known]
    if not shown:
        return None
    return _heat(
        shown, "milestone", "month", "share", language, x_order=order, y_order=sorted({row["month"] for row in rows}),
        form="share", also="denominator", titles=False,
    )  # fmt: skip


def vintage(rows: Sequence[Row], share: str, language: str) -> alt.LayerChart:
    """A line for each vintage, from light (old) to dark (young), with its name where it ends and there is room."""
    order = list(dict.fromkeys(row["vintage"] for row in rows))
    placed = [{**row, "place": order.index(row["vintage"])} for row in rows]
    across, up = alt.X("mob:Q", title=text("column_mob", language)), alt.Y(f"{share}:Q", title=None)
    across = across.axis(tickMinStep=1).scale(nice=False, domain=[0, max(row["mob"] for row in rows) + 1])
    lines = _chart(placed).mark_line(point=alt.OverlayMarkDef(size=14), strokeWidth=1.6).encode(
        x=across,
        y=up.axis(format="~%"),
        color=alt.Color("place:Q", legend=None, scale=alt.Scale(range=["#8cc4e8", "#00304d"])),
        detail="vintage:N",
        tooltip=_tips(language, "vintage", mob="Q", opened="Q", **{share: "%"}),
    )  # fmt: skip
    names = alt.Chart(_data(_with_room(placed, share))).mark_text(align="left", dx=4, dy=-7, fontSize=10, color=INK).encode(
        x="mob:Q", y=f"{share}:Q", text="vintage:N"
    )  # fmt: skip
    return alt.layer(lines, names).properties(width="container", height=320)


def _with_room(rows: Sequence[Row], share: str) -> list[Row]:
    """The ends of lines whose names do not run into each other; the oldest vintages are named first."""
    ends = list({row["vintage"]: row for row in rows}.values())
    wide, high = max(row["mob"] for row in rows) / 16 + 0.5, max(row[share] for row in rows) / 22
    named: list[Row] = []
    for row in ends:
        if all(abs(row["mob"] - one["mob"]) > wide or abs(row[share] - one[share]) > high for one in named):
            named.append(row)
    return named


def tags(rows: Sequence[Row], language: str) -> alt.Chart:
    """The tags that moved most: the share of units that have them, before and now."""
    return _two(rows, "tag", "share", language, form="%")


def risk_and_value(rows: Sequence[Row], language: str) -> alt.LayerChart:
    return _heat(rows, "value", "risk", "accounts", language, form="count")


def _heat(
    rows: Sequence[Row], x: str, y: str, value: str, language: str, *, form: str,
    x_order: list[str] | None = None, y_order: list[str] | None = None, also: str = "", titles: bool = True,
) -> alt.LayerChart:  # fmt: skip
    """A cell for each row with its value in it; `form` is share or count, `also` a number that the pointer shows."""
    highest = max((float(row[value]) for row in rows), default=1.0)
    said = [{**row, "said": numbers.written(row[value], form, language)} for row in rows]
    tips = {value: "%" if form == "share" else "Q"} | ({also: "Q"} if also else {})
    x_title, y_title = (text(f"column_{name}", language) if titles else None for name in (x, y))
    base = _chart(said).encode(
        x=alt.X(f"{x}:N", sort=x_order, title=x_title, axis=alt.Axis(labelAngle=_head_angle(rows, x), orient="top")),
        y=alt.Y(f"{y}:N", sort=y_order, title=y_title),
        tooltip=_tips(language, y, x, **tips),
    )
    cells = base.mark_rect(stroke="white", strokeWidth=2).encode(
        color=alt.Color(f"{value}:Q", legend=None, scale=alt.Scale(range=["#eef4f9", BLUE], domain=[0, highest]))
    )
    ink = alt.condition(alt.datum[value] > 0.55 * highest, alt.value("white"), alt.value(INK))
    words = base.mark_text(fontSize=12).encode(text=alt.Text("said:N"), color=ink)
    return alt.layer(cells, words, data=_data(said)).properties(width="container", height=_row_height(rows, y, 30))


def _head_angle(rows: Sequence[Row], column: str) -> int:
    """Slanted where the longest head is wider than its column of a chart as wide as the page."""
    names = {str(row[column]) for row in rows}
    widest = max((sum(13 if ord(letter) > 0x2E80 else 7 for letter in name) for name in names), default=0)
    return -30 if widest * len(names) > 950 else 0


def sleeping(rows: Sequence[Row], alerts: Sequence[float], language: str) -> alt.LayerChart:
    """The share today and ahead, against the lines that it must not reach."""
    lines = [{"line": line, "label": f"{line:.0%}"} for line in alerts]
    top = max([*(row["share"] for row in rows), *alerts]) * 1.15
    bars = _chart(rows).mark_bar(color=BLUE, size=42, cornerRadiusEnd=2).encode(
        x=alt.X("on:N", sort=None, title=None, axis=alt.Axis(labelAngle=0)),
        y=alt.Y("share:Q", title=None, axis=alt.Axis(format="~%"), scale=alt.Scale(domain=[0, top])),
        tooltip=_tips(language, "on", share="%", asleep="Q"),
    )  # fmt: skip
    values = bars.mark_text(dy=14, color="white", fontSize=12).encode(text=alt.Text("share:Q", format=".1%"))
    marks = alt.Chart(alt.Data(values=lines)).encode(y=alt.Y("line:Q"))
    rules = marks.mark_rule(color=RED, strokeDash=[5, 4])
    names = marks.mark_text(align="right", dy=-7, color=RED, fontSize=11).encode(text="label:N", x=alt.value("width"))
    return alt.layer(bars, values, rules, names).properties(width="container", height=240)


def groups(rows: Sequence[Row], language: str) -> alt.Chart:
    """Balance by branch or product."""
    return bars(rows, "group", "balance", language)


def bars(rows: Sequence[Row], y: str, x: str, language: str, *, colour: str = BLUE) -> alt.Chart:
    """Lying bars in the order of the rows; long names have room."""
    return _chart(rows, height=_row_height(rows, y, 26)).mark_bar(color=colour, cornerRadiusEnd=2).encode(
        y=alt.Y(f"{y}:N", sort=None, title=None),
        x=_amount(x, language, axis=alt.X),
        tooltip=_tips(language, y, **{x: "Q"}),
    )  # fmt: skip


def segment(rows: Sequence[Row], language: str) -> alt.Chart:
    return _two(rows, "level", "units", language)


def grades(rows: Sequence[Row], language: str) -> alt.Chart:
    return _two(rows, "grade", "units", language)


def shift(rows: Sequence[Row], language: str) -> alt.Chart:
    """The bands of the training: the share of those who taught and of today's."""
    return _two(rows, "band", "share", language, form="%", before="kind_taught")


# From where on an index asks for a look, and for an act.
LINES = (STABLE, ACT)


def psi_by_day(rows: Sequence[Row], language: str) -> alt.LayerChart:
    """The index by month against the lines by which it is read."""
    top = max([*(row["psi"] for row in rows), ACT]) * 1.15
    line = _chart(rows).mark_line(color=BLUE, point=alt.OverlayMarkDef(size=40), strokeWidth=2).encode(
        x=_days(rows), y=alt.Y("psi:Q", title=None, scale=alt.Scale(domain=[0, top])),
        tooltip=[*_tips(language, "on", "level"), *_figures(language, "psi", "bound")],
    )  # fmt: skip
    return alt.layer(line, *_lines("y")).properties(width="container", height=240)


def watch_features(rows: Sequence[Row], language: str, *, at_most: int = 15) -> alt.LayerChart | None:
    """The features that moved most, against the lines by which an index is read."""
    known = [row for row in rows if row["psi"] is not None][:at_most]
    if not known:
        return None
    base = _chart(known).encode(y=alt.Y("feature:N", sort=None, title=None))
    bars = base.mark_bar(color=BLUE, cornerRadiusEnd=2).encode(
        x=alt.X("psi:Q", title=None, axis=alt.Axis(tickCount=6)),
        tooltip=[*_tips(language, "feature", "level"), *_figures(language, "psi", "bound")],
    )
    words = base.mark_text(align="left", dx=4, fontSize=11, color=INK).encode(
        x="psi:Q", text=alt.Text("psi:Q", format=".3f")
    )
    return alt.layer(bars, words, *_lines("x")).properties(width="container", height=_row_height(known, "feature", 26))


def _lines(axis: str) -> list[alt.Chart]:
    """The two lines of an index, across."""
    values = [{"line": line, "label": f"{line:.2f}"} for line in LINES]
    place = {axis: "line:Q"}
    base = alt.Chart(alt.Data(values=values)).encode(**place)
    names = base.mark_text(dy=-7, align="right", color=RED, fontSize=11) if axis == "y" else base.mark_text(
        dx=3, dy=-4, align="left", baseline="bottom", color=RED, fontSize=11
    )  # fmt: skip
    edge = {"x": alt.value("width")} if axis == "y" else {"y": alt.value(0)}
    return [base.mark_rule(color=RED, strokeDash=[5, 4]), names.encode(text="label:N", **edge)]


def watch_months(rows: Sequence[Row], language: str) -> alt.LayerChart:
    """AUC and KS of each month with their intervals, and what they were in training."""
    long = [
        {
            "on": row["on"], "figure": name.upper(), "measured": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"],
            "before": row[f"{name}_before"],
        }
        for name in ("auc", "ks") for row in rows if row.get(name) is not None
    ]  # fmt: skip
    base = _chart(long).encode(x=_days(rows), color=alt.Color("figure:N", sort=None))
    values = base.mark_line(point=alt.OverlayMarkDef(size=40), strokeWidth=2).encode(
        y=alt.Y("measured:Q", title=None, scale=alt.Scale(domain=[0, 1])),
        tooltip=[*_tips(language, "figure", "on"), *_figures(language, "measured", "low", "high")],
    )
    spread = base.mark_rule(strokeWidth=2, opacity=0.6).encode(y="low:Q", y2="high:Q")
    then = base.mark_line(strokeDash=[5, 4], strokeWidth=1.2).encode(y="before:Q")
    return alt.layer(then, spread, values).properties(width="container", height=280)


def watch_came(rows: Sequence[Row], language: str) -> alt.LayerChart:
    """Observed over expected of each month with its interval; within the band the chances hold."""
    known = [row for row in rows if row.get("ratio") is not None]
    right = alt.Chart(alt.Data(values=[{"from": 0.8, "to": 1.2}])).mark_rect(color=GREY, opacity=0.18).encode(
        y="from:Q", y2="to:Q"
    )  # fmt: skip
    base = _chart(known).encode(x=_days(known))
    spread = base.mark_rule(color=BLUE, strokeWidth=2, opacity=0.6).encode(y="ratio_low:Q", y2="ratio_high:Q")
    values = base.mark_line(color=BLUE, point=alt.OverlayMarkDef(size=40), strokeWidth=2).encode(
        y=alt.Y("ratio:Q", title=None, scale=alt.Scale(zero=True)),
        tooltip=[*_tips(language, "on", rows="Q"), *_figures(language, "ratio")],
    )
    return alt.layer(right, spread, values).properties(width="container", height=240)


def _days(rows: Sequence[Row]) -> alt.X:
    return alt.X("on:O", title=None, axis=alt.Axis(labelAngle=_angle(rows, "on")))


def _figures(language: str, *names: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{name}:Q", title=text(f"column_{name}", language), format=".3f") for name in names]


def _two(
    rows: Sequence[Row], x: str, now: str, language: str, *, form: str = "Q", before: str = "kind_before"
) -> alt.Chart:
    """Two bars side by side, before and now; one where there is no before."""
    value = "units" if form == "Q" else "share"
    kinds = {"before": text(before, language), "now": text("kind_now", language)}
    long = [
        {x: row[x], "kind": kinds[kind], value: row[column]}
        for row in rows
        for kind, column in (("before", "before"), ("now", now))
        if row[column] is not None
    ]
    amount = (
        _amount(value, language, axis=alt.X)
        if form == "Q"
        else alt.X(f"{value}:Q", title=None, axis=alt.Axis(format="~%", tickCount=6))
    )
    both = any(row["before"] is not None for row in rows)
    colour = alt.Color(
        "kind:N", sort=None, scale=alt.Scale(domain=list(kinds.values()), range=["#b9c4cf", BLUE]),
        legend=alt.Legend() if both else None,
    )  # fmt: skip
    extra = {"yOffset": alt.YOffset("kind:N", sort=list(kinds.values()))} if both else {}
    return _chart(long, height=_row_height(rows, x, 36 if both else 26)).mark_bar(cornerRadiusEnd=2).encode(
        y=alt.Y(f"{x}:N", sort=None, title=None),
        x=amount,
        color=colour,
        tooltip=_tips(language, x, "kind", **{value: form}),
        **extra,
    )  # fmt: skip


def calibration(rows: Sequence[Row], language: str) -> alt.LayerChart:
    """Expected against observed by band; on the line both are equal."""
    top = max([*(float(row["expected"]) for row in rows), *(float(row["observed"]) for row in rows), 0.01]) * 1.05
    axis = {"axis": alt.Axis(format="~%", tickCount=6), "scale": alt.Scale(domain=[0, top])}
    line = alt.Chart(alt.Data(values=[{"at": 0}, {"at": top}])).mark_line(color=GREY, strokeDash=[5, 4]).encode(
        x=alt.X("at:Q", **axis), y=alt.Y("at:Q", **axis)
    )  # fmt: skip
    dots = _chart(rows).mark_circle(color=BLUE, opacity=0.85, size=90).encode(
        x=alt.X("expected:Q", title=text("column_expected", language), **axis),
        y=alt.Y("observed:Q", title=text("column_observed", language), **axis),
        tooltip=_tips(language, "band", expected="%", observed="%", rows="Q"),
    )  # fmt: skip
    return alt.layer(line, dots).properties(width="container", height=280)


def actions(rows: Sequence[Row], language: str) -> alt.Chart:
    """Decisions by action, the arms stacked, the largest arm first."""
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    placed = [{**row, "place": arms.index(row["arm"])} for row in rows]
    return _chart(placed, height=_row_height(rows, "action", 30)).mark_bar().encode(
        y=alt.Y("action:N", sort=None, title=None),
        x=_amount("units", language, axis=alt.X),
        color=alt.Color("arm:N", sort=None),
        order=alt.Order("place:Q"),
        tooltip=_tips(language, "action", "arm", units="Q", share="%"),
    )  # fmt: skip


def reasons(rows: Sequence[Row], language: str, *, at_most: int = 15) -> alt.Chart:
    """The most frequent reasons, over all actions."""
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["reason"]] = totals.get(row["reason"], 0) + row["units"]
    top = sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:at_most]
    return bars(
        [{"reason": reason, "units": units} for reason, units in top], "reason", "units", language, colour=GREEN
    )


def moves(rows: Sequence[Row], language: str) -> alt.Chart:
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["cause"]] = totals.get(row["cause"], 0) + row["units"]
    return bars(
        [{"cause": cause, "units": units} for cause, units in totals.items()], "cause", "units", language, colour=ORANGE
    )


def _chart(rows: Sequence[Row], *, height: int = 260) -> alt.Chart:
    return alt.Chart(_data(rows)).properties(width="container", height=height)


def _data(rows: Sequence[Row]) -> alt.Data:
    """Inline values; money becomes a number of the drawing, the exact one stands in the table."""
    plain = [
        {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()} for row in rows
    ]
    return alt.Data(values=plain)


def _amount(name: str, language: str, *, axis: Any = alt.Y) -> Any:
    return axis(f"{name}:Q", title=None, axis=alt.Axis(labelExpr=AXIS_NUMBERS[language], tickCount=5))


def _tips(language: str, *words: str, **numbers: str) -> list[alt.Tooltip]:
    """What the pointer shows: words, then numbers ("Q" in full, "%" as a share)."""
    found = [alt.Tooltip(f"{name}:N", title=text(f"column_{name}", language)) for name in words]
    formats = {"Q": ",.0f", "%": ".1%"}
    found += [
        alt.Tooltip(f"{name}:Q", title=text(f"column_{name}", language), format=formats[form])
        for name, form in numbers.items()
    ]
    return found


def _row_height(rows: Sequence[Row], column: str, height: int) -> int:
    return max(3, len({row[column] for row in rows})) * height + 20


def _angle(rows: Sequence[Row], column: str) -> int:
    """Slanted where level labels would run into each other."""
    names = {str(row[column]) for row in rows}
    return -45 if sum(map(len, names)) > 60 else 0
