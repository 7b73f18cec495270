"""The figures of the book on one day: all that a report shows, from the tables that there are.

Everything but the accounts is optional. What an absent table makes impossible is not a zero: the figure is null
and says what it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from backbook.engine import Engine
from backbook.outcome import activity, decisions, delinquency, flow, size, sleeping, vintage
from backbook.outcome.figures import About, Figure, Figures, Grid, Row, Text, needs
from backbook.outcome.first_days import first_days
from backbook.outcome.position import Book, position
from backbook.outcome.scores import GradeNames
from backbook.outcome.scores import scores as score_figures
from backbook.outcome.segment_moves import segment_moves
from backbook.outcome.tags import tag_grids
from backbook.outcome.who_is_who import Identity, identity_figures, identity_grids

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Segment:
    """A column of the profile that parts the book, with its levels in the order in which they are shown."""

    column: str
    name: Text
    levels: Mapping[str, Text]
    grain: str = "account"


def figures(
    engine: Engine,
    book: Book,
    about: About,
    *,
    before: Book | None = None,
    segments: Sequence[Segment] = (),
    moved: Any = None,
    tags: Mapping[str, Text] = NOTHING,
    coverage: Any = None,
    versions: Sequence[Mapping[str, Any]] = (),
    scores: Any = None,
    last_scores: Any = None,
    watch: Any = None,
    watched_before: Any = None,
    risk_and_value: tuple[str, str] | None = None,
    decision: Any = None,
    names: Mapping[str, Text] = NOTHING,
    labels: Mapping[str, Text] = NOTHING,
    moves: Iterable[Row] = (),
    lists: Iterable[Row] = (),
    identity: Identity | None = None,
    loads: Iterable[Row] = (),
    quality: Iterable[Row] = (),
    not_available: Iterable[tuple[Text, Text]] = (),
    stale: Iterable[Text] = (),
) -> Figures:
    """All figures of one report.

    - `book`, `before`: what was known at this and at the previous month-end (see `Book`).
    - `segments`: segment columns of the profiles; `moved`: the table `segment_move` of the day.
    - `tags`: names of the tags by id, in the order in which they are shown; `coverage`: the table `tag_coverage` of the day.
    - `versions`: the score versions in use (see `scores.scores`); `scores`, `last_scores`: score tables of this run
      and of the last one (unit, score, version, points, probability, grade).
    - `risk_and_value`: two grade columns of the account profile that make the table of risk against value.
    - `decision`: the decision table; `names`: strategies by id, `labels`: actions, reasons and guardrails by code.
    - `moves`: rows of strategy, from_action, to_action, cause (data, definition, score), count.
    - `lists`: rows of action, file, rows. `loads`: rows of table, parsed, rejected, mapped, loaded, unchanged, quarantined.
    - `identity`: what the identity of the day tells of itself (see `Identity`); without it the page has no such section.
    - `quality`: rows of table, level (ok, warn, stop), zh, en. `stale`: sentences for the banner.
    """
    with engine.scope():
        grids, found = book_figures(engine, book)
        if before is not None:
            _, earlier = book_figures(engine, before, months=False)
            found = {id: replace(figure, before=earlier.get(id)) for id, figure in found.items()}
        grids |= {grid.id: grid for grid in tag_grids(engine, coverage, tags)}
        for segment in segments:
            grid = segment_moves(engine, moved, segment.column, segment.levels)
            grids[grid.id] = grid
        grids["risk_and_value"] = _risk_and_value(engine, book, risk_and_value, versions)
        grids |= {
            "lists": Grid("lists", tuple(_labelled(row, labels) for row in lists)),
            "loads": Grid("loads", tuple(loads)),
            "quality": Grid("quality", tuple(quality)),
        }
        if identity is not None:
            grids |= {grid.id: grid for grid in identity_grids(engine, identity)}
            found |= _identity(engine, identity, book, before)
        return Figures(
            about=about,
            figures=found,
            grids=grids,
            segments=tuple(_segment(engine, segment, book, before) for segment in segments if _has(segment, book)),
            scores=score_figures(engine, versions, scores, last_scores, watch=watch, watched_before=watched_before),
            strategies=()
            if decision is None
            else decisions.strategies(engine, decision, names=names, labels=labels, moves=moves),
            not_available=tuple(not_available),
            stale=tuple(stale),
        )


def book_figures(engine: Engine, book: Book, *, months: bool = True) -> tuple[dict[str, Grid], dict[str, Figure]]:
    """Grids and figures of the book itself; without `months` the slower tables over months are left out."""
    accounts = engine.cached(position(book))
    uses = None if book.table("transaction") is None else engine.cached(activity.last_use(book))
    known_from = None if uses is None else activity.first_day(engine, book)
    used, bands = size.utilisation(engine, book, accounts)
    late = delinquency.buckets(engine, accounts)
    asleep, ahead = sleeping.sleeping(engine, book, accounts, uses, known_from=known_from)
    found = [
        *size.counts(engine, book, accounts),
        *used,
        *activity.active_accounts(engine, accounts, uses, book.as_of, known_from=known_from),
        *delinquency.late_figures(late, book.as_of),
        asleep,
        *earning(engine, book, accounts),
    ]
    grids = [bands, late, ahead]
    if months:
        over_months, told = _months(engine, book)
        grids += [*over_months, activity.spend_by_month(engine, book)]
        found += told
        grids += [
            size.by_group(engine, accounts, "branch", source="assignment"),
            _with_names(engine, book, size.by_group(engine, accounts, "product_id", source="product_id")),
        ]
    return {grid.id: grid for grid in grids}, {figure.id: figure for figure in found}


def _identity(engine: Engine, identity: Identity, book: Book, before: Book | None) -> dict[str, Figure]:
    found = {figure.id: figure for figure in identity_figures(engine, identity.quality, book.as_of)}
    if before is None or identity.before is None:
        return found
    earlier = {figure.id: figure for figure in identity_figures(engine, identity.before, before.as_of)}
    return {id: replace(figure, before=earlier[id]) for id, figure in found.items()}


def _with_names(engine: Engine, book: Book, grid: Grid) -> Grid:
    """Products by their names, where the bank delivers them; the code stays beside a name."""
    product = book.table("product")
    if product is None or "name" not in product.columns:
        return grid
    found = engine.rows(product.filter(product.name.notnull()).select("product_id", "name"))
    names = {row["product_id"]: f"{row['name']} ({row['product_id']})" for row in found}
    return replace(grid, rows=tuple({**row, "group": names.get(row["group"], row["group"])} for row in grid))


def _months(engine: Engine, book: Book) -> tuple[list[Grid], list[Figure]]:
    """What is told over months and by month of opening: flows, roll, cure, vintages, the first days."""
    curves, fpd = vintage.vintages(engine, book)
    young, steps = first_days(engine, book)
    if book.table("statement") is None:
        flows, rolled = (Grid(id, needs=needs("statement")) for id in ("net_flow", "roll"))
    else:
        months, ended = engine.cached(flow.statement_months(book)), engine.cached(flow.ends(book))
        flows = flow.net_flow(engine, months, book.as_of, ended=ended)
        rolled = flow.roll(engine, months, book.as_of, ended=ended)
    chain, cured = flow.chain_loss(flows), flow.cure(rolled)
    told = [flow.chain_figure(chain, book.as_of), *flow.cure_figures(cured, book.as_of), fpd, *steps]
    return [flows, chain, rolled, cured, *curves, young], told


def earning(engine: Engine, book: Book, accounts: Any) -> list[Figure]:
    """What of the billed balance earns interest (循环) and what is in instalments (分期), by the last statements."""
    return [
        _earning(engine, book, accounts, "revolving_share", "revolving_balance"),
        _earning(engine, book, accounts, "instalment_share", "instalment_balance"),
    ]


def _earning(engine: Engine, book: Book, accounts: Any, id: str, column: str) -> Figure:
    both = accounts.filter(accounts.in_book, accounts[column].notnull(), accounts.billed_balance.notnull())
    row = engine.rows(both.aggregate(known=both.count(), part=both[column].sum(), owed=both.billed_balance.sum()))[0]
    if not row["known"]:
        missing = ["statement"] if book.table("statement") is None else ["total_balance", column]
        return Figure(id, book.as_of, "balance", None, needs=needs(*missing))
    return Figure(id, book.as_of, "balance", row["part"], row["owed"])


def _has(segment: Segment, book: Book) -> bool:
    profile = book.accounts if segment.grain == "account" else book.customers
    return profile is not None and segment.column in profile.columns


def _segment(engine: Engine, segment: Segment, book: Book, before: Book | None) -> tuple[Text, Grid]:
    def profile(of: Book | None) -> Any:
        return None if of is None else of.accounts if segment.grain == "account" else of.customers

    grid = size.segment_sizes(engine, profile(book), segment.column, segment.levels, last_profile=profile(before))
    return segment.name, grid


def _risk_and_value(
    engine: Engine, book: Book, columns: tuple[str, str] | None, versions: Sequence[Mapping[str, Any]]
) -> Grid:
    """Accounts by the two grades, in the order of the grades; accounts without either are left out."""
    profile = book.accounts
    if columns is None or profile is None or not set(columns) <= set(profile.columns):
        return Grid("risk_and_value", needs=needs(*(columns or ("risk grade", "value grade"))))
    risk, value = columns
    both = profile.filter(profile[risk].notnull(), profile[value].notnull())
    counted = engine.rows(both.group_by(risk=both[risk], value=both[value]).agg(accounts=both.count()))
    names = {f"{version['id']}_grade": GradeNames.of(version.get("grades") or ()) for version in versions}
    risks, values = (names.get(column, GradeNames.of(())) for column in columns)
    counted.sort(key=lambda row: (risks.place(row["risk"]), values.place(row["value"])))
    return Grid("risk_and_value", tuple(
        {"risk": risks.word(row["risk"]), "value": values.word(row["value"]), "accounts": row["accounts"]}
        for row in counted
    ))  # fmt: skip


def _labelled(row: Row, labels: Mapping[str, Text]) -> Row:
    return {**row, "action": labels.get(row["action"], Text(row["action"], row["action"]))}
