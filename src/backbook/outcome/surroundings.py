"""A customer's surroundings: who is tied to him, who to them, and who of these is past due; as data and as a picture.

Two steps out and no more than a page can show; what is left out is counted. Customers stand under their ids: no
name, no phone and no address comes here. Where each stands is computed in plain code, so that the same ties give
the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import ibis

from backbook.customer.relations import KINDS, OUT
from backbook.engine import Engine
from backbook.outcome.charts import BLUE, GREEN, GREY, INK, MUTED, ORANGE, PURPLE, RED, SKY
from backbook.outcome.figures import Row, Text

# More than forty circles with their ids run into each other on one page.
MOST_SHOWN = 40
# Pixels from the middle to the first ring, how much wider than high a ring is, and up to how many ids lie level.
UNIT, WIDE, FEW = 105, 1.45, 12
PLACE = {level.code: place for place, level in enumerate(KINDS)}
STATES = {
    "past_due": Text("已逾期", "Past due"),
    "not_past_due": Text("未逾期", "Not past due"),
    "unknown": Text("未知（无账户或数据不足）", "Not known (no account, or no data)"),
}
STATE_COLOURS, STATE_SHAPES = (RED, BLUE, GREY), ("square", "circle", "diamond")
# Colour and dash tell a kind; both, for no chart says anything by colour alone.
KIND_COLOURS = (INK, GREEN, PURPLE, SKY, ORANGE, "#8c6d1f", MUTED)
KIND_DASHES = ([1, 0], [1, 0], [7, 3], [2, 2], [10, 3, 2, 3], [1, 0], [4, 4])
WORDS = {
    "left_out": Text("两步之内另有 {n} 位客户未画出", "{n} more customers within two steps are not drawn"),
    "alone": Text("未见与其他客户的关系", "No tie with another customer is known"),
    "customer": Text("客户", "Customer"),
    "state": Text("逾期", "Delinquency"),
    "kind": Text("关系", "Tie"),
    "from": Text("从", "From"),
    "to": Text("到", "To"),
    "since": Text("起始日", "Since"),
    "holders": Text("共用人数", "Shared by"),
    "steps": Text("步数", "Steps"),
}


@dataclass(frozen=True)
class Surroundings:
    """One customer and those within two steps.

    - `nodes`: customer_id, steps (0, 1, 2), state (past_due, not_past_due, unknown), x, y; the customer first.
    - `edges`: kind, one, other, is_directed (from one to other), since, holders; every tie among those shown, once.
    - `left_out`: how many more are tied to the customer, or to one of the first ring who is shown.
    """

    nodes: tuple[Row, ...]
    edges: tuple[Row, ...]
    left_out: int = 0


def surroundings(
    engine: Engine, tie: Any, customer: Any, customer_id: str, *, past_due: str = "is_past_due", most: int = MOST_SHOWN
) -> Surroundings:
    """The surroundings of one customer on the day of both tables.

    `tie` is the lake's table `tie`: customer_id, other_customer_id, kind, way, since, holders. `customer` is
    `profile.customer`: customer_id and the yes/no column `past_due`. The strongest ties are shown first.
    """
    first = _ring(engine, tie, [customer_id], [customer_id], most - 1)
    inner = [customer_id, *first]
    second = _ring(engine, tie, first, inner, most - len(inner))
    shown = [*inner, *second]
    beyond = tie.filter(tie.customer_id.isin(inner), tie.other_customer_id.notin(shown))
    left_out = engine.count(beyond.select("other_customer_id").distinct())
    edges = _edges(engine, tie, shown)
    states = _states(engine, customer, past_due, shown)
    places = _places(customer_id, first, second, edges)
    steps = {customer_id: 0} | dict.fromkeys(first, 1) | dict.fromkeys(second, 2)
    nodes = [
        {"customer_id": each, "steps": steps[each], "state": states.get(each, "unknown"),
         "x": places[each][0], "y": places[each][1]}
        for each in shown
    ]  # fmt: skip
    return Surroundings(tuple(nodes), tuple(edges), left_out)


def _ring(engine: Engine, tie: Any, around: Sequence[str], not_these: Sequence[str], room: int) -> list[str]:
    """Those tied to any of `around`, the strongest first, as far as there is room."""
    if not around or room < 1:
        return []
    near = tie.filter(tie.customer_id.isin(around), tie.other_customer_id.notin(not_these))
    place = ibis.cases(*((near.kind == kind, place) for kind, place in PLACE.items()), else_=len(PLACE))
    found = near.group_by("other_customer_id").agg(strongest=place.min())
    rows = engine.rows(found.order_by("strongest", "other_customer_id").limit(room))
    return [row["other_customer_id"] for row in rows]


def _edges(engine: Engine, tie: Any, shown: Sequence[str]) -> list[Row]:
    inside = tie.filter(tie.customer_id.isin(shown), tie.other_customer_id.isin(shown))
    once = inside.filter(
        (inside.way == OUT) | ((inside.way == "both") & (inside.customer_id < inside.other_customer_id))
    )
    rows = engine.rows(once.select("customer_id", "other_customer_id", "kind", "way", "since", "holders"))
    edges = [
        {"kind": row["kind"], "one": row["customer_id"], "other": row["other_customer_id"],
         "is_directed": row["way"] == OUT, "since": row["since"], "holders": row["holders"]}
        for row in rows
    ]  # fmt: skip
    return sorted(edges, key=lambda edge: (edge["one"], edge["other"], PLACE[edge["kind"]]))


def _states(engine: Engine, customer: Any, past_due: str, shown: Sequence[str]) -> dict[str, str]:
    rows = engine.rows(customer.filter(customer.customer_id.isin(shown)).select("customer_id", late=past_due))
    words = {True: "past_due", False: "not_past_due", None: "unknown"}
    return {row["customer_id"]: words[row["late"]] for row in rows}


def _places(
    centre: str, first: Sequence[str], second: Sequence[str], edges: Sequence[Row]
) -> dict[str, tuple[float, float]]:
    """The customer in the middle; each of the first ring in a sector as wide as those who hang on it need."""
    pairs = {(edge["one"], edge["other"]) for edge in edges} | {(edge["other"], edge["one"]) for edge in edges}
    hangs: dict[str, list[str]] = {each: [] for each in first}
    for each in second:
        hangs[next(near for near in first if (near, each) in pairs)].append(each)
    widths = [max(1, len(hangs[each])) for each in first]
    # The strongest tie lies to the right.
    places, done = {centre: (0.0, 0.0)}, -widths[0] / 2 if widths else 0.0
    for each, width in zip(first, widths, strict=True):
        places[each] = _on_ring(1.0, (done + width / 2) / sum(widths))
        for nth, child in enumerate(hangs[each]):
            places[child] = _on_ring(2.0, (done + (nth + 0.5) * width / len(hangs[each])) / sum(widths))
        done += width
    return places


def _on_ring(radius: float, turn: float) -> tuple[float, float]:
    """A point on a ring that is wider than high; a turn of 0 is at three o'clock."""
    return (round(WIDE * radius * math.cos(2 * math.pi * turn), 4), round(radius * math.sin(2 * math.pi * turn), 4))


# ── the picture ─────────────────────────────────────────────────────────────────────────────────────────────


def picture(found: Surroundings, language: str) -> alt.LayerChart:
    """The surroundings drawn: circles for customers, lines for ties, an arrow from who made a tie to who received it.

    Of a size of its own, since its arrows need both axes alike.
    """
    lines, arrows = _lines(found, language)
    radius = max((row["steps"] for row in found.nodes), default=0)
    # Room for the ids beyond the outermost ring.
    beyond = 0.8 if len(found.nodes) > FEW else 0.55
    across = WIDE * (radius + beyond)
    up = max((abs(row["y"]) for row in found.nodes), default=0) + beyond
    axes = {
        "x": alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-across, across])),
        "y": alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-up, up])),
    }
    drawn = alt.layer(*_ties_drawn(found, lines, arrows, axes, language), *_customers_drawn(found, axes, language))
    size = {"width": round(2 * across * UNIT), "height": round(2 * up * UNIT)}
    return drawn.properties(**size, **_said(found, language))


def _ties_drawn(
    found: Surroundings, lines: Sequence[Row], arrows: Sequence[Row], axes: dict[str, Any], language: str
) -> list[alt.Chart]:
    kinds = [level for level in KINDS if any(row["kind"] == level.code for row in found.edges)]
    names = [_kind(level.code, language) for level in kinds]
    colours = alt.Scale(domain=names, range=[KIND_COLOURS[PLACE[one.code]] for one in kinds])
    dashes = alt.Scale(domain=names, range=[KIND_DASHES[PLACE[one.code]] for one in kinds])
    tips = [_tip(column, language) for column in ("kind", "from", "to", "since", "holders")]
    legend = alt.Legend(title=None, symbolType="stroke", symbolStrokeWidth=2, symbolSize=300)
    rules = alt.Chart(alt.Data(values=lines)).mark_rule(strokeWidth=2).encode(
        **axes, x2="x2:Q", y2="y2:Q", color=alt.Color("kind:N", scale=colours, legend=legend),
        strokeDash=alt.StrokeDash("kind:N", scale=dashes, legend=legend), tooltip=tips,
    )  # fmt: skip
    points = alt.Chart(alt.Data(values=arrows)).mark_point(shape="triangle", filled=True, size=80, opacity=1).encode(
        **axes, color=alt.Color("kind:N", scale=colours, legend=legend), angle=alt.Angle("angle:Q", scale=None),
        tooltip=tips,
    )  # fmt: skip
    return [rules, points]


def _customers_drawn(found: Surroundings, axes: dict[str, Any], language: str) -> list[alt.Chart]:
    nodes = [
        {**row, "state": STATES[row["state"]].to(language), "size": 170 if row["steps"] else 420} for row in found.nodes
    ]
    # Apart from the legend of ties, which stands above.
    legend = alt.Legend(title=None, orient="bottom")
    states = [text.to(language) for text in STATES.values()]
    circles = alt.Chart(alt.Data(values=nodes)).mark_point(filled=True, opacity=1, stroke="white", strokeWidth=1.5).encode(
        **axes,
        fill=alt.Fill("state:N", scale=alt.Scale(domain=states, range=list(STATE_COLOURS)), legend=legend),
        shape=alt.Shape("state:N", scale=alt.Scale(domain=states, range=list(STATE_SHAPES)), legend=legend),
        size=alt.Size("size:Q", scale=None, legend=None),
        tooltip=[_tip("customer_id", language, "customer"), _tip("state", language), _tip("steps", language)],
    )  # fmt: skip
    return [*_ids_drawn(nodes, axes), circles]


def _ids_drawn(nodes: Sequence[Row], axes: dict[str, Any]) -> list[alt.Chart]:
    """Ids below their circles; in a crowd those of the outer ring point away from the middle."""
    outer = [row for row in nodes if len(nodes) > FEW and row["steps"] == max(each["steps"] for each in nodes)]
    below = [row for row in nodes if row not in outer]
    charts = []
    for rows, mark in (
        (below, {"dy": 17, "align": "center"}),
        ([row for row in outer if row["x"] >= 0], {"dx": 11, "align": "left"}),
        ([row for row in outer if row["x"] < 0], {"dx": -11, "align": "right"}),
    ):
        turned = [{**row, "angle": _lean(row) if row in outer else 0} for row in rows]
        base = alt.Chart(alt.Data(values=turned)).encode(
            **axes, text="customer_id:N", angle=alt.Angle("angle:Q", scale=None)
        )  # fmt: skip
        # A white edge keeps an id readable where a line runs beneath it.
        charts += [base.mark_text(fontSize=10, stroke="white", strokeWidth=4, **mark),
                   base.mark_text(fontSize=10, color=INK, **mark)]  # fmt: skip
    return charts


def _lean(row: Row) -> float:
    """The angle at which an id points away from the middle and is still read from left to right."""
    angle = -math.degrees(math.atan2(row["y"], row["x"]))
    return angle if row["x"] >= 0 else angle + 180


def _lines(found: Surroundings, language: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Where each tie is drawn: several of one pair side by side; and the arrows of those that have a direction."""
    places = {row["customer_id"]: (row["x"], row["y"]) for row in found.nodes}
    of_pair: dict[tuple[str, str], list[Row]] = {}
    for edge in found.edges:
        of_pair.setdefault((min(edge["one"], edge["other"]), max(edge["one"], edge["other"])), []).append(edge)
    lines, arrows = [], []
    for (low, high), edges in of_pair.items():
        (ax, ay), (bx, by) = places[low], places[high]
        length = math.hypot(bx - ax, by - ay)
        across = (-(by - ay) / length, (bx - ax) / length)
        for nth, edge in enumerate(edges):
            aside = (nth - (len(edges) - 1) / 2) * 0.045
            dx, dy = across[0] * aside, across[1] * aside
            line = {
                "kind": _kind(edge["kind"], language), "from": edge["one"], "to": edge["other"],
                "since": edge["since"].isoformat() if edge["since"] else "–", "holders": edge["holders"] or "–",
                "x": ax + dx, "y": ay + dy, "x2": bx + dx, "y2": by + dy,
            }  # fmt: skip
            lines.append(line)
            if edge["is_directed"]:
                way = 1 if edge["one"] == low else -1
                # Two thirds of the way; Vega counts degrees clockwise from up.
                along = 0.64 if way > 0 else 0.36
                turn = math.degrees(math.atan2((bx - ax) * way, (by - ay) * way))
                arrows.append(
                    {**line, "x": line["x"] + (bx - ax) * along, "y": line["y"] + (by - ay) * along, "angle": turn}
                )
    return lines, arrows


def _said(found: Surroundings, language: str) -> dict[str, Any]:
    """A line above the picture where it does not show all, or shows one alone."""
    said = ""
    if found.left_out:
        said = WORDS["left_out"].to(language).format(n=f"{found.left_out:,}")
    elif not found.edges:
        said = WORDS["alone"].to(language)
    title = alt.Title(said, fontSize=12, fontWeight="normal", color=MUTED, anchor="start", orient="bottom")
    return {"title": title} if said else {}


def _kind(code: str, language: str) -> str:
    level = KINDS[PLACE[code]]
    return Text(level.zh, level.en).to(language)


def _tip(column: str, language: str, word: str = "") -> alt.Tooltip:
    return alt.Tooltip(f"{column}:N", title=WORDS[word or column].to(language))
