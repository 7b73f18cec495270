"""What a run leaves for people: the lists for those who act, and the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa

from backbook.customer import coverage, moves
from backbook.customer.clusters import APART, Clusters
from backbook.customer.definition import ACCOUNT, CUSTOMER
from backbook.customer.identity.quality import QUALITY, SUSPECT
from backbook.customer.reader import Reader
from backbook.customer.tags import DIMENSIONS
from backbook.outcome import kpi
from backbook.outcome.figures import About, Figures, Text
from backbook.outcome.kpi import Segment
from backbook.outcome.position import Book
from backbook.outcome.who_is_who import REVIEW, Identity
from backbook.run import compare
from backbook.run.dates import previous_month_end
from backbook.run.records import latest
from backbook.score import monitor
from backbook.score.definition import EXPRESSION, IN_POINTS
from backbook.sources import private
from backbook.sources.contract import TABLES
from backbook.strategy.definition import OWN_REASONS
from backbook.strategy.lists import ListFile, write_lists

if TYPE_CHECKING:
    from backbook.run.stages import Way

PROFILES = {ACCOUNT: "profile.account", CUSTOMER: "profile.customer"}


def write(way: Way) -> list[Path]:
    """Write `lists/` and `report.html` into the run's folder."""
    # Imported here: the charts' library is a third of a second that no other command needs.
    from backbook.outcome.report import write_report

    lists = _lists(way)
    report = write_report(way.folder / "report.html", _figures(way, lists), way.language, drawn_by=way.drawn_by)
    return [report, *(file for entry in lists for file in (entry.xlsx, entry.csv))]


def _lists(way: Way) -> list[ListFile]:
    files = way.writer.head.files("decision", part=way.part)
    if not files:
        return []
    decisions = way.engine.arrow(way.engine.parquet(files).order_by(["strategy", "account_id"]))
    everyone = people(way.reader(), way.workspace.key, way.as_of)
    return write_lists(way.folder / "lists", decisions, way.frozen.strategies, people=everyone, language=way.language)


def people(reader: Reader, key: bytes, as_of: date, parties: Any | None = None) -> pa.Table | None:
    """customer_no, masked name, branch and manager of every party record, or of `parties` (system, party_id)."""
    party = reader.rows("party", as_of)
    if party is None:
        return None
    if parties is not None:
        party = party.semi_join(parties, ["system", "party_id"])
    found = party.select("system", "party_id", customer_no=_column(party, "customer_no"))
    assigned = reader.rows("assignment", as_of)
    if assigned is not None:
        now = assigned.filter(
            assigned.since <= ibis.literal(as_of),
            (_column(assigned, "until", "date") > ibis.literal(as_of)).fill_null(True),
        )
        place = ibis.row_number().over(
            ibis.window(group_by=["system", "party_id"], order_by=[ibis.desc(now.since), now.branch])
        )
        now = now.mutate(_place=place)
        now = now.filter(now._place == 0).select(
            _system="system", _party="party_id", branch=_column(now, "branch"), manager=_column(now, "manager")
        )
        found = found.left_join(now, [found.system == now._system, found.party_id == now._party])
        found = found.drop("_system", "_party")
    rows = reader.engine.arrow(found.order_by(["system", "party_id"]))
    names = private.masked_names(reader.engine, reader.head, key, as_of, parties=parties)
    return rows.join(names, ["system", "party_id"]) if names is not None else rows


def _column(table: Any, name: str, type: str = "string") -> Any:
    return table[name] if name in table.columns else ibis.null(type)


def _figures(way: Way, lists: Iterable[ListFile]) -> Figures:
    head, frozen, engine = way.writer.head, way.frozen, way.engine
    load = way.found.get("load", {})
    decision = _part(way, "decision", way.part)
    before = previous_month_end(way.as_of)
    last = latest(way.workspace, before, "decide")
    versions = [
        version.summary() | {"grades": version.content["grades"], "columns": version.content["columns"]}
        for _, version in sorted(way.versions.items())
    ]
    return kpi.figures(
        engine,
        _book(way, way.as_of, way.part),
        About(
            name=way.workspace.settings.name_zh if way.language == "zh" else way.workspace.settings.name,
            as_of=way.as_of,
            currency=way.workspace.settings.currency,
            run=way.run,
            bundle=frozen.bundle.hash,
            versions=tuple((strategy.id, strategy.version) for strategy in frozen.strategies)
            + tuple((id_, version.id) for id_, version in sorted(way.versions.items())),
        ),
        before=_book(way, before, before.isoformat())
        if head.files(PROFILES[ACCOUNT], part=before.isoformat())
        else None,
        segments=_segments(way),
        moved=_part(way, moves.MOVE, way.part),
        tags={
            tag.id: Text(tag.zh, tag.en)
            for tag in sorted(frozen.tags, key=lambda tag: list(DIMENSIONS).index(tag.dimension))
        },
        coverage=_part(way, coverage.TABLE, way.part),
        versions=versions,
        scores=_part(way, "score", way.part),
        last_scores=_part(way, "score", before.isoformat()),
        watch=_part(way, monitor.TABLE, way.part),
        watched_before=_before(way, monitor.TABLE),
        risk_and_value=_risk_and_value(way),
        decision=decision,
        names={strategy.id: Text(strategy.label.zh, strategy.label.en) for strategy in frozen.strategies},
        labels=_labels(way),
        moves=compare.moves(way, last) if decision is not None else (),
        lists=[{"action": each.action, "file": f"lists/{each.xlsx.name}", "rows": each.rows} for each in lists],
        identity=_identity(way, before.isoformat()),
        loads=[{"table": table, **counts} for table, counts in load.get("tables", {}).items()],
        quality=load.get("quality", []),
        not_available=[
            (Text(each["what"], each["what"]), Text(each["needs"], each["needs"]))
            for stage in ("profile", "train")
            for each in way.found.get(stage, {}).get("not_available", [])
        ],
        stale=[Text(each["zh"], each["en"]) for each in load.get("quality", []) if each.get("stale")],
    )


def _book(way: Way, as_of: Any, part: str) -> Book:
    reader = Reader(way.engine, way.writer.head)
    tables = {table: reader.rows(table, as_of) for table in TABLES if reader.has(table)}
    days = {table: reader.first_day(table) for table in tables}
    return Book(
        as_of,
        tables={table: rows for table, rows in tables.items() if rows is not None},
        accounts=_part(way, PROFILES[ACCOUNT], part),
        customers=_part(way, PROFILES[CUSTOMER], part),
        first_days={table: day for table, day in days.items() if day is not None},
    )


def _identity(way: Way, before: str) -> Identity | None:
    """What the identity of this date tells of itself; None in a lake that was profiled before it did."""
    quality, suspect, review = (_part(way, table, way.part) for table in (QUALITY, SUSPECT, REVIEW))
    if quality is None or suspect is None or review is None:
        return None
    return Identity(quality, suspect, review, before=_part(way, QUALITY, before))


def _part(way: Way, table: str, part: str) -> Any:
    files = way.writer.head.files(table, part=part)
    return way.engine.parquet(files) if files else None


def _before(way: Way, table: str) -> Any:
    """A table of all dates before this one."""
    head = way.writer.head
    manifest = head.manifest(table)
    parts = sorted({file.part for file in manifest.files if file.part < way.part}) if manifest else []
    files = [file for part in parts for file in head.files(table, part=part)]
    return way.engine.parquet(files) if files else None


def _segments(way: Way) -> list[Segment]:
    apart = _apart(way)
    found = []
    for each in way.frozen.segments:
        levels = {level.code: Text(level.zh, level.en) for level in each.levels}
        if isinstance(each, Clusters):
            # A group that was found has a number; what sets it apart is what people call it.
            levels = {
                code: apart.get((each.id, code), name)
                for code, name in levels.items()
                if code == each.unknown or (each.id, code) in apart
            }
        found.append(Segment(each.id, Text(each.zh, each.en), levels, each.grain))
    return found


def _apart(way: Way) -> dict[tuple[str, str], Text]:
    """Each found group in words: its number and the two features that set it apart most."""
    rows = _part(way, APART, way.part)
    if rows is None:
        return {}
    names = {feature.id: Text(feature.zh, feature.en) for feature in way.frozen.features}
    told: dict[tuple[str, str], list[tuple[float, Text]]] = {}
    for row in way.engine.rows(rows.filter(rows.apart.notnull())):
        name = names.get(row["feature"], Text(row["feature"], row["feature"]))
        told.setdefault((row["segment"], row["level"]), []).append((row["apart"], name))
    found = {}
    for key, features in told.items():
        most = sorted(features, key=lambda each: (-abs(each[0]), each[1].en))[:2]
        zh = "、".join(f"{name.zh}{'高' if apart > 0 else '低'}" for apart, name in most)
        en = ", ".join(f"{'high' if apart > 0 else 'low'} {name.en[:1].lower()}{name.en[1:]}" for apart, name in most)
        found[key] = Text(f"{key[1]}：{zh}", f"{key[1]}: {en}")
    return found


def _risk_and_value(way: Way) -> tuple[str, str] | None:
    """The grades of risk and of value at account grain: `behaviour` and `value`, else the first of their kind."""
    scores = [each for each in way.frozen.scores if each.grain == ACCOUNT and each.id in way.versions]
    scores.sort(key=lambda each: each.id not in ("behaviour", "value"))
    risk = next((f"{each.id}_grade" for each in scores if each.method in IN_POINTS and each.purpose == "risk"), None)
    value = next((f"{each.id}_grade" for each in scores if each.method == EXPRESSION), None)
    return (risk, value) if risk and value else None


def _labels(way: Way) -> Mapping[str, Text]:
    """The words for the actions, reasons and guardrails of every strategy."""
    found: dict[str, Text] = {}
    for strategy in way.frozen.strategies:
        labels = {action.id: action.label for action in strategy.actions}
        labels |= {guardrail.id: guardrail.label for guardrail in strategy.guardrails}
        codes = [*strategy.reasons, *OWN_REASONS, *(guardrail.reason for guardrail in strategy.guardrails)]
        labels |= {code: strategy.reason_label(code) for code in codes}
        found |= {code: Text(label.zh, label.en) for code, label in labels.items()}
    return found
