"""What stands on the page and in which order: sections of tiles and blocks, every value already written out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backbook.customer.drift import drift
from backbook.outcome import charts, numbers
from backbook.outcome.figures import Figure, Figures, Grid, Row, ScoreFigures, StrategyFigures, Text, Watched
from backbook.outcome.first_days import STEPS
from backbook.outcome.segment_moves import ENDS
from backbook.outcome.texts import FIGURES, TEXTS, text
from backbook.outcome.vintage import AGES

# The columns of each table and the form in which they are written.
COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "cure": (
        ("bucket", "text"), ("accounts", "count"), ("cured", "count"), ("cure_share", "share"), ("stayed", "count"),
        ("worse", "count"), ("other", "count"), ("balance", "money"), ("cure_balance_share", "share"),
    ),
    "vintage_table": (
        ("vintage", "text"), ("opened", "count"), ("mob", "count"), ("due", "count"), ("missed", "count"), ("fpd", "share"),
        *((f"late_{days}_at_{age}", "share") for days, ages in AGES.items() for age in ages),
    ),
    "tags": (
        ("tag", "text"), ("grain", "text"), ("held", "count"), ("share", "share"), ("before", "share"), ("change", "points"),
        ("unknown", "count"), ("psi", "number"), ("drift", "text"),
    ),
    "tags_unknown": (("tag", "text"), ("grain", "text"), ("units", "count")),
    "buckets": (("bucket", "text"), ("accounts", "count"), ("balance", "money")),
    "sleeping": (("on", "text"), ("asleep", "count"), ("cards", "count"), ("share", "share")),
    "spend": (("month", "text"), ("transactions", "count"), ("amount", "money")),
    "utilisation": (("band", "text"), ("lines", "count"), ("balance", "money")),
    "by_branch": (("group", "text"), ("accounts", "count"), ("balance", "money"), ("late", "count"), ("late_share", "share")),
    "by_product_id": (("group", "text"), ("accounts", "count"), ("balance", "money"), ("late", "count"), ("late_share", "share")),
    "segment": (("level", "text"), ("units", "count"), ("share", "share"), ("before", "count")),
    "calibration": (("band", "text"), ("rows", "count"), ("expected", "share"), ("observed", "share"), ("ratio", "number")),
    "grades": (("grade", "text"), ("units", "count"), ("share", "share"), ("before", "count"), ("probability", "share"), ("amount", "money")),
    "shift": (("band", "text"), ("taught", "count"), ("units", "count"), ("share", "share")),
    "psi_by_day": (("on", "text"), ("psi", "number"), ("bound", "number"), ("level", "text")),
    "watch_features": (
        ("feature", "text"), ("psi", "number"), ("bound", "number"), ("missing_before", "share"), ("missing_now", "share"),
        ("level", "text"),
    ),
    "watch_months": (
        ("on", "text"), ("rows", "count"), ("auc", "number"), ("ks", "number"), ("lift", "number"), ("ratio", "number"),
        ("slope", "number"), ("calibration_error", "number"), ("version", "text"),
    ),
    "reasons": (("reason", "text"), ("action", "text"), ("units", "count")),
    "blocked": (("guardrail", "text"), ("action", "text"), ("units", "count")),
    "moves": (("from", "text"), ("to", "text"), ("cause", "text"), ("units", "count")),
    "lists": (("action", "text"), ("file", "text"), ("rows", "count")),
    "loads": (
        ("table", "text"), ("parsed", "count"), ("rejected", "count"), ("mapped", "count"), ("loaded", "count"),
        ("unchanged", "count"), ("quarantined", "count"),
    ),
    "identity_sizes": (("size", "text"), ("customers", "count"), ("records", "count")),
    "identity_rules": (("rule", "text"), ("records", "count"), ("customers", "count"), ("share", "share")),
    "identity_systems": (("system", "text"), ("records", "count"), ("customers", "count")),
    "identity_suspects": (("kind", "text"), ("groups", "count"), ("records", "count"), ("largest", "count")),
    "identity_review": (("record_left", "text"), ("record_right", "text"), ("likelihood", "share"), ("why", "text")),
    "identity_changes": (("change", "text"), ("records", "count"), ("customers", "count")),
    "quality": (("level", "text"), ("table", "text"), ("what", "text")),
    "not_available": (("needs", "text"), ("units", "count"), ("what", "text")),
}  # fmt: skip

HEADLINE = (
    "open_accounts", "customers", "balance", "utilisation",
    "active_30d", "dpd_over_30_balance", "dpd_over_90_balance", "sleeping",
)  # fmt: skip
RISK = (
    *(f"dpd_over_{days}_{unit}" for days in (30, 90, 180) for unit in ("account", "balance")),
    "cure_account", "cure_balance", "chain_loss", "fpd",
)  # fmt: skip
FIRST_DAYS = tuple(step.id for step in STEPS)
ACTIVITY = ("active_30d", "active_90d", "sleeping")
SIZE = ("accounts", "balance", "limits", "utilisation", "revolving_share", "instalment_share")
IDENTITY = ("records", "identified", "records_each", "linked_surely", "linked_likely", "to_decide")

FIRST_SEGMENT = "segment.lifecycle"
# So many levels are named in a sentence, and so many tags drawn.
NAMED_LEVELS, TAGS_DRAWN = 4, 10

# So many names stand on the page for each thing that is missing; the command line lists them all.
NAMED = 40


@dataclass(frozen=True)
class Tile:
    """One figure as it is read: name, value, change and what it is made of."""

    name: str
    value: str
    made_of: str = ""
    parts: str = ""
    change: str = ""
    mood: str = ""  # good, bad or nothing
    needs: str = ""
    note: str = ""
    alert: str = ""
    alert_level: int = 0


@dataclass(frozen=True)
class Table:
    """Headers and rows, written; `numeric` says which columns stand to the right."""

    headers: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]


# For a chart whose numbers stand in the table of another block.
NO_TABLE = Table((), (), ())


@dataclass(frozen=True)
class Block:
    """A chart with its numbers beside it; `folded` where the chart itself shows every number."""

    title: str
    chart_title: str = ""
    chart: Any = None
    table: Table | None = None
    note: str = ""
    needs: str = ""
    folded: bool = False
    tiles: tuple[Tile, ...] = ()
    lead: str = ""  # a heading above, where several blocks belong to one thing


@dataclass(frozen=True)
class Section:
    id: str
    title: str
    tiles: tuple[Tile, ...] = ()
    blocks: tuple[Block, ...] = field(default_factory=tuple)


def sections(figures: Figures, language: str) -> list[Section]:
    """The whole page, in the order in which a card centre reads it."""

    def words(key: str) -> str:
        return text(key, language)

    def tiles(ids: Sequence[str]) -> tuple[Tile, ...]:
        return tuple(tile(figure, language) for figure in figures.shown(ids))

    return [
        Section("headline", words("headline"), tiles(HEADLINE)),
        Section("risk", words("risk"), tiles(RISK), _risk(figures, language)),
        Section("activity", words("activity"), tiles(ACTIVITY), _activity(figures, language)),
        Section("first_days", words("first_days"), tiles(FIRST_DAYS), _first_days(figures, language)),
        Section("value", words("value"), tiles(SIZE), _size(figures, language)),
        Section("segments", words("segments"), (), _segments(figures, language)),
        Section("tags", words("tags"), (), _tags(figures, language)),
        Section(
            "scores",
            words("scores"),
            (),
            _each(_score, [score for score in figures.scores if not _is_amount(score)], language),
        ),
        Section("decisions", words("decisions"), (), _each(_strategy, figures.strategies, language)),
        Section("lists", words("lists"), (), (_plain("lists", figures.grid("lists"), language, title="list_files"),)),
        *(
            [Section("identity", words("identity"), tiles(IDENTITY), _identity(figures, language))]
            if "identity_rules" in figures.grids
            else []
        ),
        Section("data", words("data"), (), _data(figures, language)),
    ]


def tile(figure: Figure, language: str) -> Tile:
    """
    >>> from datetime import date
    >>> tile(Figure("active_30d", date(2026, 10, 31), "account", 3, 4), "en").value
    '75.0%'
    """
    meaning = FIGURES[figure.id]
    form = "money" if figure.form == "money" else "short" if figure.form == "count" else "share"
    form = "number" if figure.form == "ratio" else form
    value = numbers.short(figure.value, language) if form == "short" else numbers.written(figure.value, form, language)
    moved = figure.change
    better = meaning.good and moved and abs(moved) >= 0.0005
    return Tile(
        name=meaning.name.to(language),
        value=value,
        made_of=meaning.made_of.to(language),
        parts=_parts(figure, language),
        change=numbers.change(moved, figure.form, language),
        mood="" if not better else "good" if (moved > 0) == (meaning.good == "up") else "bad",  # type: ignore[operator]
        needs=figure.needs.to(language) if figure.needs else "",
        note=figure.note.to(language) if figure.note else "",
        alert=text(f"alert_{figure.alert}", language) if figure.alert else "",
        alert_level=figure.alert,
    )


def _parts(figure: Figure, language: str) -> str:
    """Numerator over denominator, or the number in full."""
    if figure.numerator is None:
        return ""
    unit = text(f"units_{figure.unit}", language)
    write: Callable[[Any, str], str] = numbers.short if figure.unit == "balance" else numbers.count
    if figure.form in ("share", "ratio"):
        parts = f"{write(figure.numerator, language)} / {write(figure.denominator, language)}"
    else:
        parts = numbers.count(figure.numerator, language)
        if parts == numbers.short(figure.value, language):
            return ""  # the value already says it in full
    return f"{parts} {unit}".strip()


def _localised(rows: Iterable[Row], language: str) -> list[dict[str, Any]]:
    return [{name: _word(value, language) for name, value in row.items()} for row in rows]


def _word(value: Any, language: str) -> Any:
    return value.to(language) if isinstance(value, Text) else value


def table(rows: Sequence[Row], columns: Sequence[tuple[str, str]], language: str) -> Table:
    """Rows written out; columns in which nothing is known are left out, closed cells say so."""
    used = [
        (name, form)
        for name, form in columns
        if any(row.get(name) is not None or name in row.get("closed", ()) for row in rows)
    ]
    return Table(
        headers=tuple(text(f"column_{name}", language) for name, _ in used),
        numeric=tuple(form != "text" for _, form in used),
        rows=tuple(tuple(_cell(row, name, form, language) for name, form in used) for row in rows),
    )


def _cell(row: Row, name: str, form: str, language: str) -> str:
    if name in row.get("closed", ()):
        return text("closed_cell", language)
    return numbers.written(row.get(name), form, language)


def pivot(
    rows: Sequence[Row], down: str, across: str, value: str, form: str, language: str, *, order: Sequence[Any] = ()
) -> Table:
    """Rows against columns in the order in which they come, or in that of `order`; an empty cell is a dash."""
    names, heads = list(dict.fromkeys(row[down] for row in rows)), list(dict.fromkeys(row[across] for row in rows))
    heads.sort(key=lambda head: order.index(head) if head in order else len(order))
    found = {(row[down], row[across]): row[value] for row in rows}
    return Table(
        headers=(text(f"column_{down}", language), *map(_shown, heads)),
        numeric=(False, *(True for _ in heads)),
        rows=tuple(
            (_shown(name), *(numbers.written(found.get((name, head)), form, language) for head in heads))
            for name in names
        ),
    )


def _shown(value: Any) -> str:
    return numbers.UNKNOWN if value is None else str(value)


def _plain(id: str, grid: Grid, language: str, *, title: str = "", note: str = "") -> Block:
    """A table alone."""
    rows = _localised(grid, language)
    return Block(
        title=text(title or id, language),
        table=table(rows, COLUMNS[id], language) if rows else None,
        note=text(note, language) if note else "",
        needs=_needs(grid, language),
    )


def _drawn(
    id: str, grid: Grid, language: str, chart: Callable[[list[dict[str, Any]], str], Any], *, note: str = "",
    folded: bool = False, written: Table | None = None, title: str = "", chart_title: str = "", lead: str = "",
) -> Block:  # fmt: skip
    """A chart and its table."""
    rows = _localised(grid, language)
    own_note = grid.note.to(language) if grid.note else ""
    return Block(
        title=title or text(id, language),
        chart_title=chart_title or text(f"{id}_chart", language),
        chart=chart(rows, language) if rows else None,
        table=None if written is NO_TABLE or not rows else written or table(rows, COLUMNS[id], language),
        note=" ".join(part for part in (own_note, text(note, language) if note else "") if part),
        needs=_needs(grid, language),
        folded=folded,
        lead=lead,
    )


def _needs(grid: Grid, language: str) -> str:
    if grid.needs:
        return grid.needs.to(language)
    return "" if grid else text("nothing_to_show", language)


def _risk(figures: Figures, language: str) -> tuple[Block, ...]:
    flow, chain, curves = figures.grid("net_flow"), figures.grid("chain_loss"), figures.grid("vintage")
    loss = [{"month": row["month"], "step": text("chain", language), "flow": row["share"]} for row in chain]
    roll = figures.grid("roll")
    placed = replace(roll, rows=tuple({**row, "from": _placed(row["from"]), "to": _placed(row["to"])} for row in roll))
    order = [_word(_placed(place), language) for place in charts.PLACES]
    return (
        _drawn("buckets", figures.grid("buckets"), language, charts.buckets),
        _drawn(
            "net_flow", flow, language, charts.net_flow, note="net_flow_note",
            written=pivot([*flow.rows, *loss], "month", "step", "flow", "share", language),
        ),
        _drawn(
            "roll", placed, language, lambda rows, to: charts.roll(rows, order, to), note="roll_note", folded=True,
            written=pivot(_localised(placed, language), "from", "to", "share", "share", language, order=order),
        ),
        _plain("cure", figures.grid("cure"), language, note="cure_note"),
        _drawn("vintage", curves, language, lambda rows, to: charts.vintage(rows, "share_90", to), written=NO_TABLE),
        *([_drawn(
            "vintage_30", replace(curves, note=None), language, lambda rows, to: charts.vintage(rows, "share_30", to), written=NO_TABLE
        )] if curves else []),
        *([_plain("vintage_table", figures.grid("vintage_table"), language, note="vintage_note")] if curves else []),
    )  # fmt: skip


def _placed(place: str) -> Any:
    return TEXTS.get(f"place_{place}", place)


def _first_days(figures: Figures, language: str) -> tuple[Block, ...]:
    grid = figures.grid("first_days")
    named = replace(grid, rows=tuple({**row, "milestone": FIGURES[row["milestone"]].name} for row in grid))
    order = [FIGURES[step].name.to(language) for step in FIRST_DAYS]
    opened = {row["month"]: row["opened"] for row in grid}
    rows = [
        *({"month": month, "milestone": text("column_opened", language), "said": numbers.count(n, language)} for month, n in opened.items()),
        *({**row, "said": _of(row, language)} for row in _localised(named, language)),
    ]  # fmt: skip
    written = pivot(
        rows, "month", "milestone", "said", "text", language, order=[text("column_opened", language), *order]
    )
    return (
        _drawn(
            "first_days", named, language, lambda rows, to: charts.first_days(rows, order, to),
            note="first_days_note", folded=True, written=written,
        ),
    )  # fmt: skip


def _of(row: Row, language: str) -> str | None:
    """A share as its two numbers."""
    if row["denominator"] is None:
        return None
    return f"{numbers.count(row['numerator'], language)} / {numbers.count(row['denominator'], language)}"


def _tags(figures: Figures, language: str) -> tuple[Block, ...]:
    def worded(grid: Grid) -> Grid:
        rows = ({**row, "grain": TEXTS[f"grain_{row['grain']}"], "drift": _drift(row["drift"])} for row in grid)
        return replace(grid, rows=tuple(rows))

    known, unknown = worded(figures.grid("tags")), worded(figures.grid("tags_unknown"))
    moved = Grid("tags_moved", tuple(sorted(
        (row for row in known if row["change"]), key=lambda row: (-abs(row["change"]), row["tag"])
    )[:TAGS_DRAWN]))  # fmt: skip
    drawn = [_drawn("tags_moved", moved, language, charts.tags, written=NO_TABLE)] if moved else []
    apart = [_plain("tags_unknown", unknown, language, note="tags_unknown_note")] if unknown else []
    return (*drawn, _plain("tags", known, language, note="tags_note"), *apart)


def _drift(level: str | None) -> Any:
    return None if level is None else TEXTS[f"psi_{level}"]


def _activity(figures: Figures, language: str) -> tuple[Block, ...]:
    alerts = figures.figures["sleeping"].alerts if "sleeping" in figures.figures else ()
    return (
        _drawn("sleeping", figures.grid("sleeping"), language, lambda rows, to: charts.sleeping(rows, alerts, to)),
        _drawn("spend", figures.grid("spend"), language, charts.spend),
    )


def _size(figures: Figures, language: str) -> tuple[Block, ...]:
    matrix = figures.grid("risk_and_value")
    found = [_drawn("utilisation", figures.grid("utilisation"), language, charts.utilisation)]
    found += [_grades(score, language, title=score.name.to(language)) for score in figures.scores if _is_amount(score)]
    if matrix:
        written = pivot(_localised(matrix, language), "risk", "value", "accounts", "count", language)
        found.append(_drawn("risk_and_value", matrix, language, charts.risk_and_value, folded=True, written=written))
    found += [_group(id, figures.grid(id), language) for id in ("by_branch", "by_product_id")]
    return tuple(found)


def _group(id: str, grid: Grid, language: str) -> Block:
    others = TEXTS["others"]
    named = tuple({**row, "group": others if row["group"] is None else row["group"]} for row in grid)
    return _drawn(
        id, Grid(id, named, grid.needs), language, _groups_drawn, note="closed_cells" if named else "",
        chart_title=text("by_group_chart", language),
    )  # fmt: skip


def _groups_drawn(rows: list[dict[str, Any]], language: str) -> Any:
    known = [row for row in rows if row["balance"] is not None and row["group"] != text("others", language)]
    return charts.groups(known, language) if known else None


def _segments(figures: Figures, language: str) -> tuple[Block, ...]:
    """Each segment with its sizes and its moves, the lifecycle first."""
    unknown = text("unknown", language)
    found = []
    for name, grid in sorted(figures.segments, key=lambda each: each[1].id != FIRST_SEGMENT):
        rows = tuple({**row, "level": row["level"] or Text(unknown, unknown)} for row in grid)
        sizes = Grid(grid.id, rows, grid.needs)
        found.append(_drawn("segment", sizes, language, charts.segment, title=name.to(language)))
        found.append(_moves(name, sizes, figures.grid(f"segment_move.{grid.id.removeprefix('segment.')}"), language))
    return tuple(found)


def _moves(name: Text, sizes: Grid, moves: Grid, language: str) -> Block:
    """The matrix, and in words what grew, what shrank and between which levels most units moved."""
    ends = {side: [end[place].to(language) for end in ENDS.values()] for place, side in enumerate(("from", "to"))}
    levels = [_word(row["level"], language) for row in sizes]
    order = {side: [*levels, *reversed(names)] for side, names in ends.items()}
    rows = _localised(moves, language)
    said = [
        {**row, "said": f"{numbers.share(row['share'], language)} ({numbers.count(row['units'], language)})"}
        for row in rows
    ]
    block = _drawn(
        "segment_move", moves, language,
        lambda rows, to: charts.segment_moves(rows, order["to"], order["from"], to), folded=True,
        title=f"{name.to(language)} · {text('segment_move', language)}",
        written=pivot(said, "from", "to", "said", "text", language, order=order["to"]),
    )  # fmt: skip
    return replace(block, note=" ".join(part for part in (_grown(sizes, language), _between(rows, language)) if part))


def _grown(sizes: Grid, language: str) -> str:
    """What grew and what shrank since the last month-end, the most first."""
    changes = [(row["units"] - row["before"], row) for row in sizes if row["before"] is not None]
    said = []
    for key, sign in (("grew", 1), ("shrank", -1)):
        which = sorted((pair for pair in changes if pair[0] * sign > 0), key=lambda pair: -abs(pair[0]))
        listed = [
            f"{_word(row['level'], language)} {by:+,}" + (f" ({by / row['before']:+.1%})" if row["before"] else "")
            for by, row in which[:NAMED_LEVELS]
        ]
        if listed:
            said.append(_sentence(key, listed, language))
    if changes and not said:
        said.append(text("segment_as_it_was", language))
    return " ".join(said)


def _between(rows: Sequence[Row], language: str) -> str:
    moved = sorted((row for row in rows if not row["stayed"]), key=lambda row: -row["units"])[:NAMED_LEVELS]
    listed = [f"{row['from']} → {row['to']} {numbers.count(row['units'], language)}" for row in moved]
    return _sentence("moved_most", listed, language) if listed else ""


def _sentence(key: str, listed: Sequence[str], language: str) -> str:
    colon, comma, end = ("：", "、", "。") if language == "zh" else (": ", ", ", ".")
    return text(key, language) + colon + comma.join(listed) + end


def _each(blocks: Callable[[Any, str], list[Block]], things: Iterable[Any], language: str) -> tuple[Block, ...]:
    return tuple(block for thing in things for block in blocks(thing, language))


def _score(score: ScoreFigures, language: str) -> list[Block]:
    head = Block(
        title="",
        lead=score.name.to(language),
        note=_joined((text("version", language), score.version), (text("method", language), score.method)),
        tiles=_score_tiles(score, language),
    )
    found = [head]
    if score.calibration:
        found.append(_drawn("calibration", score.calibration, language, charts.calibration, note="calibration_note"))
    if score.grades:
        found.append(_grades(score, language))
    return [*found, *_watched(score.watch, language)]


def _watched(watch: Watched, language: str) -> list[Block]:
    """What the watch read: today against the training, then what came of earlier months."""
    found = []
    if watch.shift:
        named = tuple({**row, "band": TEXTS.get(f"band_{row['band']}", row["band"])} for row in watch.shift)
        found.append(_drawn("shift", replace(watch.shift, rows=named), language, charts.shift))
    if len(watch.by_day.rows) > 1:
        found.append(_drawn("psi_by_day", _levelled(watch.by_day), language, charts.psi_by_day))
    if watch.features:
        found.append(
            _drawn(
                "watch_features", _levelled(watch.features), language, charts.watch_features, note="watch_features_note"
            )
        )
    if any(row.get("auc") is not None for row in watch.months):
        found.append(
            _drawn("watch_months", watch.months, language, charts.watch_months, note="watch_months_note", folded=True)
        )
    if any(row.get("ratio") is not None for row in watch.months):
        found.append(_drawn("watch_came", watch.months, language, charts.watch_came, written=NO_TABLE))
    return found


def _levelled(grid: Grid) -> Grid:
    """The grid with its levels in words."""
    return replace(grid, rows=tuple({**row, "level": TEXTS[f"watch_{row['level']}"]} for row in grid))


def _grades(score: ScoreFigures, language: str, *, title: str = "") -> Block:
    """Units by grade; those without one were outside the score's population."""
    rows = tuple({**row, "grade": row["grade"] or TEXTS["no_grade"]} for row in score.grades)
    return _drawn("grades", Grid("grades", rows, score.grades.needs), language, charts.grades, title=title)


def _is_amount(score: ScoreFigures) -> bool:
    return any(row["amount"] is not None for row in score.grades)


def _joined(*pairs: tuple[str, str]) -> str:
    return " · ".join(f"{name} {value}" for name, value in pairs if value)


def _score_tiles(score: ScoreFigures, language: str) -> tuple[Tile, ...]:
    unseen = text("out_of_fold", language)
    found = [
        Tile(text(id, language), numbers.number(value, language), unseen)
        for id, value in (("auc", score.auc), ("ks", score.ks), ("calibration_error", score.calibration_error))
        if value is not None
    ]
    if score.rows is not None:
        found.append(
            Tile(
                text("trained_on", language),
                numbers.short(score.rows, language),
                "",
                numbers.count(score.rows, language),
            )
        )
    if score.watch.psi:
        found.append(_psi(score.watch.psi, language))
    if score.watch.level:
        found.append(_watch(score.watch, language))
    return tuple(found)


def _psi(psi: Row, language: str) -> Tile:
    before, now = (numbers.count(psi[side], language) for side in ("rows_reference", "rows_now"))
    return Tile(
        name=text("psi", language),
        value=numbers.number(psi["value"], language),
        made_of="" if psi["value"] is None else text(f"psi_{drift(psi['value'])}", language),
        parts=f"n {before} → {now}",
        note=f"{text('psi_bound', language)} {numbers.number(psi['bound'], language, 4)}",
    )


def _watch(watch: Watched, language: str) -> Tile:
    """The level, why, and what to do; an alarm is marked as one."""
    alarm = watch.level in ("watch", "act")
    return Tile(
        name=text("watch", language),
        value=text(f"watch_{watch.level}", language),
        made_of=watch.reason.to(language),
        alert=watch.act.to(language) if alarm else "",
        alert_level={"watch": 1, "act": 3}.get(watch.level, 0),
    )


def _strategy(strategy: StrategyFigures, language: str) -> list[Block]:
    head = Block(
        title="",
        lead=strategy.name.to(language),
        note=_joined(
            (text("decisions_total", language), numbers.count(strategy.total, language)),
            (text("version", language), strategy.version[:12]),
        ),
    )
    arms = Grid("actions", tuple({**row, "arm": _arm(row["arm"])} for row in strategy.actions))
    actions = _localised(arms, language)
    moves = tuple({**row, "cause": _cause(row["cause"], language)} for row in strategy.moves)
    written = pivot(actions, "action", "arm", "units", "count", language)
    moved = _drawn("moves", Grid("moves", moves), language, charts.moves)
    return [
        head,
        _drawn("actions", arms, language, charts.actions, written=written),
        _drawn("reasons", strategy.reasons, language, charts.reasons),
        _plain("blocked", strategy.blocked, language),
        moved if moves else Block(title=text("moves", language), needs=text("moves_none", language)),
    ]


def _arm(arm: str) -> Text:
    return TEXTS.get(f"arm_{arm}", Text(arm, arm))


def _cause(cause: str, language: str) -> str:
    return text(f"cause_{cause}", language) if cause in ("data", "definition", "score") else cause


def _identity(figures: Figures, language: str) -> tuple[Block, ...]:
    return (
        _drawn("identity_sizes", figures.grid("identity_sizes"), language, charts.identity_sizes),
        _plain("identity_rules", _worded(figures, "identity_rules", "rule"), language, note="identity_rules_note"),
        _plain("identity_systems", figures.grid("identity_systems"), language),
        _plain("identity_changes", _worded(figures, "identity_changes", "change"), language),
        _plain(
            "identity_suspects",
            _worded(figures, "identity_suspects", "kind", words="suspect"),
            language,
            note="identity_suspects_note",
        ),
        _to_decide(figures, language),
    )


def _to_decide(figures: Figures, language: str) -> Block:
    """The likeliest pairs; below, how many there are of each kind and where all are read."""
    block = _plain("identity_review", _worded(figures, "identity_review", "why"), language)
    if not block.table:
        return block
    open_pairs = [
        (text(f"why_{row['why']}", language), numbers.count(row["pairs"], language))
        for row in figures.grid("identity_open")
    ]
    return replace(block, note=f"{_joined(*open_pairs)} · {text('identity_review_note', language)}")


def _worded(figures: Figures, id: str, column: str, *, words: str = "") -> Grid:
    """The grid with the codes of a column in words."""
    grid = figures.grid(id)
    rows = tuple({**row, column: TEXTS[f"{words or column}_{row[column]}"]} for row in grid)
    return replace(grid, rows=rows)


def _data(figures: Figures, language: str) -> tuple[Block, ...]:
    quality = tuple(_message(row, language) for row in figures.grid("quality"))
    missing = Grid("not_available", tuple(_missing(figures, language)))
    return (
        _plain("loads", figures.grid("loads"), language, note="loads_note"),
        _plain("quality", Grid("quality", quality), language),
        _plain("not_available", missing, language),
    )


def _missing(figures: Figures, language: str) -> Iterable[Row]:
    """What cannot be had, put together by what it needs; the need that costs most comes first."""
    named: dict[str, list[str]] = {}
    for what, why in figures.not_available:
        named.setdefault(why.to(language), []).append(what.to(language))
    for reason, things in sorted(named.items(), key=lambda item: (-len(item[1]), item[0])):
        more = f" … (+{len(things) - NAMED})" if len(things) > NAMED else ""
        yield {"needs": reason, "units": len(things), "what": ", ".join(things[:NAMED]) + more}


def _message(row: Mapping[str, Any], language: str) -> Row:
    return {
        "level": text(f"level_{row.get('level', 'ok')}", language),
        "table": row.get("table"),
        "what": row["zh"] if language == "zh" else row["en"],
    }
