"""The command line: each command is one call of a public function, its docstring is its help.

A refusal is one message on standard error and exit code 1; a call that cannot be understood is exit code 2.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from backbook import __version__, run
from backbook.errors import BadData, Refusal
from backbook.progress import Progress
from backbook.run import counted, show, who
from backbook.sources import dictionary, rotate, tokenise
from backbook.workspace import Workspace

app = typer.Typer(
    name="backbook",
    help="Run the customers a card issuer already has: know, predict, decide, act, learn.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
out = Console(highlight=False, soft_wrap=True)
if not out.is_terminal:
    # A log has no edge at which a table would have to be cut.
    out = Console(highlight=False, soft_wrap=True, width=240)


class Language(StrEnum):
    zh = "zh"
    en = "en"


class Every(StrEnum):
    day = "day"
    week = "week"
    month = "month"


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a date. Write YYYY-MM-DD, such as 2026-10-31.") from error


Folder = Annotated[Path, typer.Argument(metavar="DIR", help="the workspace: a folder with backbook.toml")]
Here = Annotated[Path, typer.Option("--in", metavar="DIR", help="the workspace, where it is not this folder")]
AsOf = Annotated[date, typer.Option("--as-of", parser=_date, metavar="DATE", help="business date, YYYY-MM-DD")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output, nothing else")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would be done, change nothing")]
Anew = Annotated[bool, typer.Option("--anew", help="build again also what has not changed since")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]
Report = Annotated[Language | None, typer.Option("--language", help="of the report and the lists")]


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="a new or empty folder")],
    like: Annotated[Path | None, typer.Option(help="take the definitions of this workspace")] = None,
) -> None:
    """Write a small, commented workspace that runs at once, to be changed into one's own."""
    for line in run.init(directory, like=like):
        out.print(line)


@app.command()
def check(
    directory: Folder,
    write: Annotated[bool, typer.Option(help="draft sources/attributes.yaml from what the wide tables hold")] = False,
    as_json: Json = False,
) -> None:
    """Read every definition and mapping and list all faults, with file, line and what is possible."""
    report = run.check(Workspace.open(directory), write=write)
    _print(report.as_json() if as_json else show.check(report))
    if report.faults:
        raise typer.Exit(1)


@app.command("run")
def run_(
    directory: Folder,
    as_of: Annotated[date | None, typer.Option("--as-of", parser=_date, metavar="DATE", help="business date")] = None,
    since: Annotated[date | None, typer.Option("--from", parser=_date, metavar="DATE", help="first date")] = None,
    until: Annotated[date | None, typer.Option("--to", parser=_date, metavar="DATE", help="last date")] = None,
    every: Annotated[Every, typer.Option(help="step from --from to --to; month means month-ends")] = Every.day,
    language: Report = None,
    dry_run: DryRun = False,
    anew: Anew = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Walk the whole way for one business date, or for several: load, profile, train, score, watch, decide, report."""
    if (as_of is None) == (since is None) or (since is None) != (until is None):
        raise typer.BadParameter("Give either --as-of DATE, or --from DATE and --to DATE.")
    dates = run.dates(since, until, every.value) if since and until else [as_of] if as_of else []
    _walk(directory, dates, run.STAGES, language, dry_run, anew, as_json, quiet)


def _stage(name: str, text: str) -> Callable[..., None]:
    def command(
        directory: Folder,
        as_of: AsOf,
        language: Report = None,
        dry_run: DryRun = False,
        anew: Anew = False,
        as_json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        _walk(directory, [as_of], (name,), language, dry_run, anew, as_json, quiet)

    command.__doc__ = text
    app.command(name)(command)
    return command


_stage("load", "Read what the bank's systems delivered into the lake; rows that break the contract go to quarantine.")
_stage("profile", "Build what is known of each account and customer on a date: features, tags, segments.")
_stage("train", "Train every score of the workspace anew on honest past observation dates.")
_stage("score", "Apply the registered version of every score to the profile of a date.")
_stage("watch", "Hold every score of a date against its training, and its earlier scores against what came true.")
_stage("decide", "Decide for each account under every strategy, with reasons, and write the lists.")
_stage("report", "Write the report of a date from what its run left in the lake.")


def _walk(
    directory: Path,
    dates: list[date],
    stages: tuple[str, ...],
    language: Language | None,
    dry_run: bool,
    anew: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    workspace = Workspace.open(directory)
    with Progress(shown=not (quiet or as_json)) as progress:
        reports = run.walk(
            workspace,
            dates,
            stages=stages,
            language=language.value if language else None,
            dry_run=dry_run,
            anew=anew,
            progress=progress,
        )
    if as_json:
        objects = [report.as_json() for report in reports]
        _print(objects[0] if len(objects) == 1 else {"runs": objects})
        return
    for report in reports:
        out.print(*show.run(report), sep="\n")


@app.command()
def diff(
    first: Annotated[str, typer.Argument(metavar="RUN", help="such as 2026-09-30.1, or its folder under out/")],
    second: Annotated[str, typer.Argument(metavar="RUN")],
    directory: Here = Path("."),
    as_json: Json = False,
) -> None:
    """Say whose decision moved between two runs, and why: data, definition or score."""
    workspace, ids = run.named_runs(directory, (first, second))
    report = run.diff(workspace, *ids)
    _print(report.as_json() if as_json else show.diff(report))


@app.command()
def lineage(
    name: Annotated[str, typer.Argument(help="a table, feature, tag, segment, score or strategy, in zh or en")],
    directory: Here = Path("."),
    as_json: Json = False,
) -> None:
    """Say what NAME reads and what reads it, down to the tables and up to the strategies."""
    report = run.lineage(Workspace.open(directory), name)
    _print(report.as_json() if as_json else show.lineage(report))


class Grain(StrEnum):
    customer = "customer"
    account = "account"


@app.command()
def audience(
    directory: Folder,
    condition: Annotated[str, typer.Argument(metavar="CONDITION", help="in the language for conditions, zh or en")],
    as_of: Annotated[
        date | None, typer.Option("--as-of", parser=_date, metavar="DATE", help="business date; usually the last profiled")
    ] = None,
    grain: Annotated[Grain | None, typer.Option(help="of whom; usually found from the names")] = None,
    detail: Annotated[bool, typer.Option("--detail", help="compare it with the book")] = False,
    sample: Annotated[int, typer.Option(min=0, max=1000, help="so many of it, the same ones every time")] = 0,
    export: Annotated[Path | None, typer.Option(metavar="FILE", help="write all of it, masked, as .csv or .xlsx")] = None,
    force: Annotated[bool, typer.Option("--force", help="write over FILE")] = False,
    language: Annotated[Language | None, typer.Option("--language", help="of the answer")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Count whom a condition holds for, does not, and for whom nobody knows; compare, sample and export them."""
    workspace = Workspace.open(directory)
    found = run.audience(
        workspace,
        condition,
        as_of=as_of,
        grain=grain.value if grain else None,
        detail=detail,
        sample=sample,
        export=export,
        force=force,
        language=language.value if language else None,
    )
    _print(found.as_json() if as_json else counted.audience(found, _language(workspace, language)))


@app.command()
def runs(directory: Folder, as_json: Json = False) -> None:
    """List the runs of a workspace, the latest last."""
    records = run.records(Workspace.open(directory))
    _print([record.as_json() for record in records] if as_json else show.records(records))


@app.command()
def replay(
    directory: Folder,
    decision_id: Annotated[str, typer.Argument(help="from a list or from the decision table")],
    as_json: Json = False,
) -> None:
    """Decide one stored decision again from the values it read, under its own bundle."""
    report = run.replay(Workspace.open(directory), decision_id)
    _print(report.as_json() if as_json else show.replay(report))
    if not report.same:
        raise typer.Exit(1)


class Wish(StrEnum):
    delete_tags = "delete_tags"
    non_personalised = "non_personalised"


@app.command("wish")
def wish_(
    directory: Folder,
    kind: Annotated[
        Wish, typer.Argument(help="delete_tags: of the person's traits; non_personalised: no offers in person")
    ],
    record: Annotated[str, typer.Argument(metavar="RECORD", help="SYSTEM:PARTY_ID of a record, or a customer")],
    actor: Annotated[str, typer.Option(help="who takes the wish down")],
    reason: Annotated[str, typer.Option(help="how and when the customer said it")],
    at: Annotated[date | None, typer.Option("--at", parser=_date, metavar="DATE", help="the day it was said")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Take down what a customer asks about their data. It binds every run from then on, whatever date the run is for."""
    # Imported here: what knows identity is large, and few commands need it.
    from backbook.run.wish import wish

    done = wish(
        Workspace.open(directory), kind.value, record, actor=actor, reason=reason, at=_moment(at), dry_run=dry_run
    )
    _print(done.as_json() if as_json else who.act(done))


class _NewByDefault(TyperGroup):
    """`simulate DIR` makes an issuer, as `simulate new DIR` does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = next((place for place, arg in enumerate(args) if not arg.startswith("-")), None)
        helped = args in ([], ["--help"])
        if not helped and (named is None or args[named] not in self.commands):
            args = ["new", *args]
        return super().parse_args(ctx, args)


simulation = typer.Typer(
    cls=_NewByDefault,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="A made-up card issuer: `simulate DIR` makes one, `step` lets it live on with your decisions, `measure` says what was likely.",
)
app.add_typer(simulation, name="simulate")
Issuer = Annotated[Path, typer.Argument(metavar="DIR", help="where raw/ and truth/ of the made-up issuer lie")]


@simulation.command("new")
def simulate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="where raw/ and truth/ are written")],
    customers: Annotated[int, typer.Option(help="customers at the start; others come later")] = 20_000,
    months: Annotated[int, typer.Option(help="months of history")] = 24,
    seed: Annotated[int, typer.Option(help="the same seed gives the same bytes")] = 1,
    end: Annotated[date | None, typer.Option(parser=_date, metavar="DATE", help="last month-end")] = None,
    mix: Annotated[
        str | None,
        typer.Option(help="shares of customers, such as unused=0.1,full=0.4,instalment=0.2,revolver=0.2,minimum=0.1"),
    ] = None,
    wallet: Annotated[float, typer.Option(help="share of customers whose card lies in a wallet at the start")] = 0.78,
    sleeping: Annotated[float, typer.Option(help="share of accounts that sleep long")] = 0.15,
    instalments: Annotated[float, typer.Option(help="share of what is owed that stands in instalments")] = 0.15,
    downturn: Annotated[
        float, typer.Option(help="a bad year: what it adds to the pressure on everybody, such as 0.5")
    ] = 0.0,
    downturn_from: Annotated[date | None, typer.Option(parser=_date, metavar="DATE", help="when it begins")] = None,
    daily_from: Annotated[
        date | None,
        typer.Option(parser=_date, metavar="DATE", help="first month whose files come daily; usually the last"),
    ] = None,
    processes: Annotated[int | None, typer.Option(help="for books of several parts; usually as many as cores")] = None,
    quiet: Quiet = False,
) -> None:
    """Write the source systems of a made-up card issuer, with the truth about it beside them."""
    # Imported here: half a second that no other command needs.
    from backbook import simulator

    more: dict[str, Any] = {"end": end} | ({"mix": simulator.mix(mix)} if mix else {})
    more |= {"wallet_share": wallet, "long_sleeping_share": sleeping, "instalment_share": instalments}
    more |= {"downturn": downturn, "downturn_from": downturn_from, "daily_from": daily_from}
    with Progress(shown=not quiet) as progress:
        simulator.simulate(directory, customers, months, seed, on_progress=progress, processes=processes, **more)
    out.print(f"A made-up issuer of {customers:,} customers over {months} months lies in {directory}.")


@simulation.command()
def step(
    directory: Issuer,
    decisions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="new limits and prices: a CSV, or the lists/ folder of a run")
    ] = None,
    contacts: Annotated[Path | None, typer.Option(metavar="FILE", help="who is written to or called, a CSV")] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="refuse unless this is the next month")] = None,
    months: Annotated[int, typer.Option(help="how many; what is handed in is for the first")] = 1,
    quiet: Quiet = False,
) -> None:
    """Let the made-up issuer live one month more, with what you decide in place of what it would have done.

    The customers react by their hidden truth and the month's files are appended under raw/. A FILE of decisions has the
    columns account_id, new_limit (money) or price (share of the published rate), and if need be kind (fixed, temporary), on,
    until, decision_id. A FILE of contacts has account_id, offer, channel, at, and if need be propensity, is_control, decision_id.
    """
    from backbook import simulator

    if months < 1:
        raise typer.BadParameter("At least one month is lived.")
    with Progress(shown=not quiet) as progress:
        for nth in range(months):
            given: dict[str, Any] = {"decisions": decisions, "contacts": contacts, "month": month} if nth == 0 else {}
            lived = simulator.step(directory, on_progress=progress, **given)
            out.print(f"The month {lived.end:%Y-%m} was lived; its files lie in {directory / 'raw'}.")


@simulation.command()
def measure(
    directory: Issuer,
    at: Annotated[
        date | None,
        typer.Option(parser=_date, metavar="DATE", help="a month-end whose state was kept; usually the last"),
    ] = None,
    accounts: Annotated[int, typer.Option(help="at least so many are lived on")] = 5_000,
    futures: Annotated[int, typer.Option(help="lives of each account, for the chance of default")] = 200,
    effects: Annotated[int, typer.Option(help="pairs of lives for the effect of each treatment; 0: none")] = 24,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure what was likely from the last month on, by living on many times, and write it under truth/."""
    from backbook import simulator

    with Progress(shown=not (quiet or as_json)) as progress:
        found = simulator.measure(
            directory, at=at, accounts=accounts, replays=futures, effect_replays=effects, on_progress=progress
        )
    _print(found if as_json else show.measured(found))


identity = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Who is who: `identity DIR show`, `review`, `quality`; and the acts `merge`, `unmerge`, `apart`, `undo`, each a ruling.",
)
app.add_typer(identity, name="identity")
Record = Annotated[
    str, typer.Argument(metavar="RECORD", help="SYSTEM:PARTY_ID of a record or a customer, such as core:1000000001")
]
Actor = Annotated[str, typer.Option(help="who rules")]
Reason = Annotated[str, typer.Option(help="why, for whoever reads it in three years")]
At = Annotated[
    date | None, typer.Option("--at", parser=_date, metavar="DATE", help="the day it counts from; usually today")
]
Of = Annotated[
    date | None, typer.Option("--as-of", parser=_date, metavar="DATE", help="business date; usually the last")
]


@identity.callback()
def _identity(context: typer.Context, directory: Folder) -> None:
    context.obj = directory


@identity.command("show")
def identity_show(
    context: typer.Context, record: Record, as_of: Of = None, language: Report = None, as_json: Json = False
) -> None:
    """One customer: its records and how each came to it, its lineage, and which record each field is believed from."""
    from backbook.customer.identity import acts

    workspace = Workspace.open(context.obj)
    found = acts.show(workspace, record, as_of=as_of, language=_language(workspace, language))
    _print(found.as_json() if as_json else who.customer(found))


@identity.command("review")
def identity_review(
    context: typer.Context,
    as_of: Of = None,
    limit: Annotated[int, typer.Option(help="so many at most")] = 20,
    language: Report = None,
    as_json: Json = False,
) -> None:
    """The pairs that people should decide, with what speaks for one person and what against, in words."""
    from backbook.customer.identity import acts

    workspace = Workspace.open(context.obj)
    rows = acts.review(workspace, as_of=as_of, limit=limit, language=_language(workspace, language))
    _print({"pairs": rows} if as_json else who.grey(rows))


@identity.command("quality")
def identity_quality(
    context: typer.Context,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="what is known: system, party_id, person, as Parquet or CSV")
    ] = None,
    as_of: Of = None,
    as_json: Json = False,
) -> None:
    """How many records a customer has, by which rule they belong, what is open or suspicious; against truth where there is any."""
    from backbook.customer.identity import acts

    found = acts.measured(Workspace.open(context.obj), truth, as_of=as_of)
    _print(found if as_json else who.identity_quality(found))


@identity.command("merge")
def identity_merge(
    context: typer.Context, first: Record, second: Record, actor: Actor, reason: Reason,
    at: At = None, dry_run: DryRun = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Two customers are one person, from the next run on and in every later one. `unmerge` or `undo` take it back."""
    from backbook.customer.identity import acts

    act = acts.merge(
        Workspace.open(context.obj), first, second, actor=actor, reason=reason, at=_moment(at), dry_run=dry_run
    )
    _print(act.as_json() if as_json else who.act(act))


@identity.command("unmerge")
def identity_unmerge(
    context: typer.Context,
    records: Annotated[list[str], typer.Argument(metavar="RECORD…", help="the records that leave their customer")],
    actor: Actor, reason: Reason, at: At = None, dry_run: DryRun = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Take records out of their customer. They stay out in every later run, whatever the evidence says."""
    from backbook.customer.identity import acts

    act = acts.unmerge(
        Workspace.open(context.obj), records, actor=actor, reason=reason, at=_moment(at), dry_run=dry_run
    )
    _print(act.as_json() if as_json else who.act(act))


@identity.command("apart")
def identity_apart(
    context: typer.Context, first: Record, second: Record, actor: Actor, reason: Reason,
    at: At = None, dry_run: DryRun = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Two records are two people and are never joined by us."""
    from backbook.customer.identity import acts

    act = acts.apart(
        Workspace.open(context.obj), first, second, actor=actor, reason=reason, at=_moment(at), dry_run=dry_run
    )
    _print(act.as_json() if as_json else who.act(act))


@identity.command("undo")
def identity_undo(
    context: typer.Context,
    ruling: Annotated[str, typer.Argument(metavar="RULING", help="its id, as the act printed it")],
    actor: Actor, reason: Reason, at: At = None, dry_run: DryRun = False, as_json: Json = False,
) -> None:  # fmt: skip
    """A merge, unmerge or apart no longer binds; the evidence decides again."""
    from backbook.customer.identity import acts

    act = acts.undo(Workspace.open(context.obj), ruling, actor=actor, reason=reason, at=_moment(at), dry_run=dry_run)
    _print(act.as_json() if as_json else who.act(act))


def _moment(day: date | None) -> datetime | None:
    return datetime.combine(day, time()) if day else None


def _language(workspace: Workspace, language: Language | None) -> str:
    return language.value if language else workspace.settings.language


@app.command("catalogue")
def catalogue_(
    directory: Folder,
    out_: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="where to; usually out/catalogue of the workspace")
    ] = None,
    as_of: Annotated[
        date | None,
        typer.Option("--as-of", parser=_date, metavar="DATE", help="count on this profile; usually the last"),
    ] = None,
    language: Report = None,
    as_json: Json = False,
) -> None:
    """Write what every feature, tag, segment, score and lookup means: catalogue.html to search, catalogue.xlsx in zh and en."""
    from backbook.run.catalogue import catalogue, write_catalogue

    workspace = Workspace.open(directory)
    found = catalogue(workspace, as_of=as_of)
    if as_json:
        _print(found.as_json())
        return
    for file in write_catalogue(out_ or workspace.out / "catalogue", found, _language(workspace, language)):
        out.print(str(file))


@app.command("customer")
def customer_(
    directory: Folder,
    id: Annotated[
        str, typer.Argument(metavar="ID", help="a customer id, SYSTEM:PARTY_ID, an account or a customer number")
    ],
    as_of: Annotated[
        date | None, typer.Option("--as-of", parser=_date, metavar="DATE", help="what was known then; usually today")
    ] = None,
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="write it as one offline page")] = None,
    language: Report = None,
    as_json: Json = False,
) -> None:
    """One customer from all sides: accounts, what happened, tags with their evidence, scores, decisions; names masked."""
    from backbook.run.customer import customer, terminal
    from backbook.run.customer.page import write_page

    workspace = Workspace.open(directory)
    found = customer(workspace, id, as_of=as_of, language=_language(workspace, language))
    if page is not None:
        write_page(page, found)
    _print(found.as_json() if as_json else [str(page)] if page else terminal.told(found))


class _ListByDefault(TyperGroup):
    """`scores DIR` lists, as `scores DIR list` does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if (
            args
            and not args[0].startswith("-")
            and (args[1:2] == [] or (args[1].startswith("-") and args[1] != "--help"))
        ):
            args = [args[0], "list", *args[1:]]
        return super().parse_args(ctx, args)


scores = typer.Typer(
    cls=_ListByDefault,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The versions of scores: `scores DIR` lists them; `show`, `compare`; and the acts `promote` and `retire`, each a ruling.",
)
app.add_typer(scores, name="scores")
Named = Annotated[str, typer.Argument(metavar="NAME", help="a version, or a score: then its champion is meant")]
Versioned = Annotated[str, typer.Argument(metavar="VERSION", help="its id, such as behaviour-3f2a9c01d7e4")]


@scores.callback()
def _scores(context: typer.Context, directory: Folder) -> None:
    context.obj = directory


@scores.command("list")
def scores_list(context: typer.Context, as_of: Of = None, as_json: Json = False) -> None:
    """Every version: what it is, since when and on whose word, its figures, and the last level of the watch."""
    # Imported here, as below: what knows scores is large, and few commands need it.
    from backbook.run.scores import terminal
    from backbook.run.scores.listed import listed

    rows = listed(Workspace.open(context.obj), as_of=as_of)
    _print({"versions": rows} if as_json else terminal.listed(rows))


@scores.command("show")
def scores_show(
    context: typer.Context,
    name: Named,
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="write it as one offline page")] = None,
    language: Report = None,
    as_json: Json = False,
) -> None:
    """The model card: purpose, data, performance over time and by segment, what it is made of, reasons, fairness, limits."""
    from backbook.run.scores import terminal
    from backbook.run.scores.card import card
    from backbook.run.scores.page import write_page

    workspace = Workspace.open(context.obj)
    found, words = card(workspace, name), _language(workspace, language)
    if page is not None:
        write_page(page, found, words)
    _print(found.as_json() if as_json else [str(page)] if page else terminal.card(found, words))


@scores.command("compare")
def scores_compare(
    context: typer.Context,
    first: Named,
    second: Annotated[
        str | None, typer.Argument(metavar="NAME", help="usually the newest candidate, against the champion")
    ] = None,
    as_json: Json = False,
) -> None:
    """Two versions side by side: as judged when made, on the same rows, and who changes places."""
    from backbook.run.scores import terminal
    from backbook.run.scores.compare import compare

    found = compare(Workspace.open(context.obj), first, second)
    _print(found.as_json() if as_json else terminal.compared(found))


@scores.command("promote")
def scores_promote(
    context: typer.Context, version: Versioned, actor: Actor, reason: Reason,
    at: At = None, dry_run: DryRun = False, as_json: Json = False,
) -> None:  # fmt: skip
    """The version scores from its day on; the champion before it is retired. Runs for earlier dates keep theirs."""
    from backbook.run.scores import acts, terminal

    done = acts.promote(
        Workspace.open(context.obj), version, actor=actor, reason=reason, at=_moment(at), dry_run=dry_run
    )
    _print(done.as_json() if as_json else terminal.approval(done))


@scores.command("retire")
def scores_retire(
    context: typer.Context, version: Versioned, actor: Actor, reason: Reason,
    none_follows: Annotated[
        bool, typer.Option("--none-follows", help="of a champion: the score is then not available")
    ] = False,
    at: At = None, dry_run: DryRun = False, as_json: Json = False,
) -> None:  # fmt: skip
    """The version no longer scores, nor waits."""
    from backbook.run.scores import acts, terminal

    done = acts.retire(
        Workspace.open(context.obj), version, actor=actor, reason=reason, none_follows=none_follows, at=_moment(at),
        dry_run=dry_run,
    )  # fmt: skip
    _print(done.as_json() if as_json else terminal.approval(done))


@app.command("explain")
def explain_(
    directory: Folder,
    score: Named,
    unit: Annotated[str | None, typer.Argument(metavar="UNIT", help="an account or customer; usually the book")] = None,
    as_of: Of = None,
    letter: Annotated[
        Language | None, typer.Option("--letter", help="print the sentences of a letter to UNIT, nothing else")
    ] = None,
    language: Report = None,
    as_json: Json = False,
) -> None:
    """What moved a score: every reason of one unit with its direction and size, or what moves it most over the book."""
    from backbook.run.scores import terminal
    from backbook.run.scores.explain import OfUnit, explain

    if letter is not None and unit is None:
        raise typer.BadParameter("A letter goes to one: give UNIT, an account or a customer.")
    workspace = Workspace.open(directory)
    found = explain(workspace, score, unit, as_of=as_of)
    if letter is not None and isinstance(found, OfUnit):
        _print(list(found.letter(letter.value)))
        return
    _print(found.as_json() if as_json else terminal.explained(found, _language(workspace, language)))


@app.command("tokenise")
def tokenise_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="delimited text with card numbers")],
    target: Annotated[Path, typer.Argument(metavar="FILE", help="the same with keyed hashes in their place")],
    columns: Annotated[str, typer.Option(help="names of the columns with card numbers, separated by commas")],
    directory: Here = Path("."),
    separator: Annotated[str, typer.Option(help="between fields")] = ",",
    encoding: Annotated[str, typer.Option(help="utf-8, gbk, gb18030")] = "utf-8",
) -> None:
    """Turn card numbers into keyed hashes before the load; the last four digits are kept apart."""
    workspace = Workspace.open(directory)
    named = [column.strip() for column in columns.split(",") if column.strip()]
    rows = tokenise.tokenise(source, target, named, workspace.key, separator=separator, encoding=encoding)
    out.print(f"{rows:,} rows written to {target}; no card number is in it.")


@app.command("rotate-key")
def rotate_key(directory: Folder, dry_run: DryRun = False, quiet: Quiet = False) -> None:
    """Put a new key on top of the workspace's keys; customers keep their ids, and card tokens stay the same.

    Hashes and contact data in the lake are turned to the new key, in one new version. The key file keeps every key, one
    a line: all are needed. A rotation that was killed is finished by running it again.
    """
    with Progress(shown=not quiet) as progress:
        found = rotate.rotate(Workspace.open(directory), dry_run=dry_run, progress=progress)
    out.print(*found.told(), sep="\n")


@app.command("dictionary")
def dictionary_(
    xlsx: Annotated[
        Path | None, typer.Option(help="write the data dictionary in both languages to this .xlsx file")
    ] = None,
    docs: Annotated[
        Path | None, typer.Option(help="write the pages that are made from the code into this folder")
    ] = None,
) -> None:
    """Write the table contract: every table and column, its type and its names in Chinese and English."""
    if not xlsx and not docs:
        raise typer.BadParameter("Say where to: --xlsx FILE, --docs FOLDER, or both.")
    for file in ([dictionary.write_dictionary(xlsx)] if xlsx else []) + (dictionary.write_docs(docs) if docs else []):
        out.print(str(file))


@app.command()
def verify(directory: Folder) -> None:
    """Read every file of every version the lake keeps and compare it with what was promised."""
    workspace = Workspace.open(directory)
    faults = workspace.lake.verify()
    if faults:
        raise BadData("The lake is damaged:", faults=faults)
    out.print("Every file of the lake is as it was written.")


@app.command()
def prune(directory: Folder, dry_run: DryRun = False) -> None:
    """Remove old versions that no kept run, bundle or decision names."""
    for line in run.prune(Workspace.open(directory), dry_run=dry_run):
        out.print(line)


def _print(what: Any) -> None:
    if isinstance(what, list) and all(isinstance(line, str | Table) for line in what):
        out.print(*what, sep="\n")
    else:
        sys.stdout.write(json.dumps(what, ensure_ascii=False, indent=2, default=str) + "\n")


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"backbook {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version")
    ] = False,
) -> None:
    pass


def main() -> None:
    try:
        app()
    except Refusal as refusal:
        Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(str(refusal))
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
