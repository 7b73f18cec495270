"""What stands on the page and in which order: sections of tiles and blocks, every value already written out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backbook.customer.drift import drift
from backbook.outcome import charts, numbers
from backbook.outcome.figures import Figure, Figures, Grid, Row, ScoreFigures, StrategyFigures, Text
from backbook.outcome.texts import FIGURES, TEXTS, text

# The columns of each table and the form in which they are written.
COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "buckets": (("bucket", "text"), ("accounts", "count"), ("balance", "money")),
    "sleeping": (("on", "text"), ("asleep", "count"), ("cards", "count"), ("share", "share")),
    "spend": (("month", "text"), ("transactions", "count"), ("amount", "money")),
    "utilisation": (("band", "text"), ("lines", "count"), ("balance", "money")),
    "by_branch": (("group", "text"), ("accounts", "count"), ("balance", "money"), ("late", "count"), ("late_share", "share")),
    "by_product_id": (("group", "text"), ("accounts", "count"), ("balance", "money"), ("late", "count"), ("late_share", "share")),
    "segment": (("level", "text"), ("units", "count"), ("share", "share"), ("before", "count")),
    "calibration": (("band", "text"), ("rows", "count"), ("expected", "share"), ("observed", "share"), ("ratio", "number")),
    "grades": (("grade", "text"), ("units", "count"), ("share", "share"), ("before", "count"), ("probability", "share"), ("amount", "money")),
    "shift": (("band", "text"), ("before", "count"), ("now", "count")),
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
RISK = tuple(f"dpd_over_{days}_{unit}" for days in (30, 90, 180) for unit in ("account", "balance"))
ACTIVITY = ("active_30d", "active_90d", "sleeping")
SIZE = ("accounts", "balance", "limits", "utilisation", "revolving_share", "instalment_share")
IDENTITY = ("records", "identified", "records_each", "linked_surely", "linked_likely", "to_decide")

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
        Section("value", words("value"), tiles(SIZE), _size(figures, language)),
        Section("segments", words("segments"), (), _segments(figures, language)),
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


def pivot(rows: Sequence[Row], down: str, across: str, value: str, form: str, language: str) -> Table:
    """Rows against columns in the order in which they come; an empty cell is a dash."""
    names, heads = list(dict.fromkeys(row[down] for row in rows)), list(dict.fromkeys(row[across] for row in rows))
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
        table=(written or table(rows, COLUMNS[id], language)) if rows else None,
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
    flow, roll = figures.grid("net_flow"), figures.grid("roll")
    return (
        _drawn("buckets", figures.grid("buckets"), language, charts.buckets),
        _drawn("net_flow", flow, language, charts.net_flow, written=pivot(flow.rows, "month", "step", "flow", "share", language)),
        _drawn(
            "roll", roll, language, charts.roll, note="roll_note", folded=True,
            written=pivot(roll.rows, "from", "to", "share", "share", language),
        ),
    )  # fmt: skip


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
    unknown = text("unknown", language)
    found = []
    for name, grid in figures.segments:
        rows = tuple({**row, "level": row["level"] or Text(unknown, unknown)} for row in grid)
        found.append(
            _drawn("segment", Grid(grid.id, rows, grid.needs), language, charts.segment, title=name.to(language))
        )
    return tuple(found)


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
    if score.shift:
        found.append(_drawn("shift", score.shift, language, charts.shift))
    return found


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
    if score.psi is not None:
        found.append(_psi(score, language))
    return tuple(found)


def _psi(score: ScoreFigures, language: str) -> Tile:
    assert score.psi is not None and score.psi_rows is not None
    before, now = (numbers.count(rows, language) for rows in score.psi_rows)
    return Tile(
        name=text("psi", language),
        value=numbers.number(score.psi, language),
        made_of=text(f"psi_{drift(score.psi)}", language),
        parts=f"n {before} → {now}",
        note=f"{text('psi_by_chance', language)} {numbers.number(score.psi_by_chance, language, 4)}",
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
