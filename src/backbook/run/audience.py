"""Whom a condition means, asked of a profile that a run left: counted, compared with the book, sampled, written down.

The condition is the one language, in Chinese or English words. It reads the profile of one date and of one grain; what
leaves the house has ids, masked names, branch and manager, and nothing else of a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from backbook.customer import audience as audiences
from backbook.customer.audience import SMALL_CELL, Count, Difference, Step
from backbook.customer.definition import ACCOUNT, CUSTOMER
from backbook.customer.profile import KEY, KEYS, OWNER, Profile
from backbook.customer.reader import Reader
from backbook.engine import ROWS_PER_GROUP, Engine
from backbook.errors import BadDefinition, NotAllowed
from backbook.expressions import Expression, Name, Names, Type, parse
from backbook.expressions.names import NUMERIC
from backbook.lake import Head
from backbook.run import paper
from backbook.run.freeze import Frozen, read
from backbook.strategy.definition import Label
from backbook.strategy.lists import csv_bytes, masked
from backbook.strategy.spreadsheet import TEXT, Column, Value, write_workbook
from backbook.workspace import Workspace

PROFILES = paper.PROFILES
# A profile has two hundred columns; these many numbers are compared, the most read first, and these many lines shown.
COMPARED_NUMBERS = 30
SHOWN_DIFFERENCES = 20
# So many units are counted part by part without being asked.
PARTS_AT_ONCE = 2_000_000
# Ten million customers times sixty columns are more than anybody waits for: a million says the same, if ten thousand of
# them are of the audience. Rows lie by id, so every n-th block is spread over old and new customers alike.
COMPARED_UNITS, COMPARED_MEMBERS = 1_000_000, 10_000
# Never compared: they tell one unit from another.
NOT_COMPARED = {*KEYS[ACCOUNT], *KEYS[CUSTOMER], "as_of"}
FOR_ANALYSIS = Label("仅供分析，未经审批，不得触达", "For analysis only: not approved, nobody may be contacted from it")
AUDIENCE = Label("客群名单", "Audience")
# title, width, and whether it is an id
_COLUMNS = {
    "customer": (Label("客户号", "Customer number"), 22, True),
    "name": (Label("姓名", "Name"), 12, False),
    "branch": (Label("机构", "Branch"), 16, False),
    "manager": (Label("客户经理", "Manager"), 12, False),
    "account": (Label("账户", "Account"), 22, True),
}


@dataclass(frozen=True)
class Audience:
    """The answer. `steps` has one entry for each part between the outermost `and`s; none where that was not asked for."""

    text: str
    expression: Expression
    grain: str
    as_of: date
    count: Count
    steps: tuple[Step, ...]
    # What sets the audience apart; None when it was not asked for.
    differences: tuple[Difference, ...] | None = None
    compared: int = 0
    # They were measured on every so many-th block of a large profile; 1 is all of it.
    every: int = 1
    sample: tuple[Mapping[str, Any], ...] = ()
    # None where nothing was asked for, or nobody meets the condition.
    exported: Path | None = None
    asked_export: bool = False
    # Columns that are read and known for nobody, and the Chinese words of all that are read.
    empty: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Of all units in the profile."""
        return self.count.true / self.count.units if self.count.units else 0.0

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "as_of": self.as_of.isoformat(), "grain": self.grain, "condition": self.expression.text, "hash": self.expression.hash,
            "units": self.count.units, **self.count.as_json(), "share": round(self.share, 6),
            "steps": [{"condition": step.condition, "alone": step.alone.as_json(), "so_far": step.so_far.as_json()} for step in self.steps],
        }  # fmt: skip
        if self.differences is not None:
            found |= {
                "compared": self.compared,
                "every_block": self.every,
                "differences": [each.as_json() for each in self.differences],
            }
        if self.empty:
            found["known_for_nobody"] = list(self.empty)
        if self.sample:
            found["sample"] = [dict(row) for row in self.sample]
        if self.exported:
            found["exported"] = str(self.exported)
        return found


def audience(
    workspace: Workspace,
    text: str,
    *,
    as_of: date | None = None,
    grain: str | None = None,
    detail: bool = False,
    sample: int = 0,
    export: Path | None = None,
    force: bool = False,
    language: str | None = None,
    frozen: Frozen | None = None,
) -> Audience:
    """Count whom `text` holds for in the profile of `as_of` (else the latest), at `grain` (else found from the names).

    With `detail` the audience is compared with the book; `sample` draws so many of it, the same ones every time; `export`
    writes all of it to a .csv or .xlsx. Who asks often hands in the definitions, `frozen`, and they are not read again.
    Raises BadDefinition for what is no condition over the profile, NotAllowed where there is no profile or a file is there.
    """
    if export:
        _writable(export, force)
    frozen = frozen or read(workspace)[0]
    expression, grain = understood(text, frozen.names, grain)
    engine, head = workspace.engine, workspace.lake.head()
    as_of = _date(head, grain, as_of)
    with engine.scope():
        rows = _rows(engine, head, grain, as_of, expression)
        # Part by part takes twice as long: on a large profile whoever asks for detail waits for it. The last part says all.
        in_parts = detail or engine.count(rows) <= PARTS_AT_ONCE
        steps = audiences.steps(engine, rows, expression) if in_parts else []
        counted = steps[-1].so_far if steps else audiences.count(engine, rows, expression)
        filled = _filled(engine, head, grain, expression) if detail or counted.unknown else frozenset()
        found: dict[str, Any] = {"words": _words(frozen.names[grain], expression), "asked_export": export is not None}
        if counted.unknown:
            found["empty"] = tuple(sorted(expression.reads - filled))
        if detail:
            names = compared(frozen, grain, filled & set(rows.columns))
            every = _every(counted)
            told: list[Difference] = []
            if counted.true >= SMALL_CELL:
                some = _rows(engine, head, grain, as_of, expression, every=every) if every > 1 else rows
                told = audiences.differences(engine, some, expression, names)
            found |= {"differences": tuple(told[:SHOWN_DIFFERENCES]), "compared": len(names), "every": every}
        if sample and counted.true:
            found["sample"] = tuple(_sampled(workspace, rows, expression, grain, as_of, sample))
        if export and counted.true:
            listed = _listed(workspace, audiences.members(rows, expression), grain, as_of)
            _write(export, listed, expression.text, as_of, language or workspace.settings.language)
            found["exported"] = export
    return Audience(text, expression, grain, as_of, counted, tuple(steps), **found)


# ── what is meant ───────────────────────────────────────────────────────────────────────────────────────────


def understood(text: str, names: Mapping[str, Names], grain: str | None = None) -> tuple[Expression, str]:
    """The condition and its grain: the customer's where the customer's profile has all that it reads."""
    if grain not in (None, ACCOUNT, CUSTOMER):
        raise NotAllowed(f"The grain is '{grain}'. Possible: {CUSTOMER}, {ACCOUNT}.")
    refusals = []
    for one in (grain,) if grain else (CUSTOMER, ACCOUNT):
        try:
            return parse(text, names[one]), one
        except BadDefinition as refusal:
            refusals.append(refusal)
    everything = names[ACCOUNT].with_names(name for name in names[CUSTOMER] if name.name not in names[ACCOUNT].by_name)
    try:
        read = parse(text, Names(f"{grain} profile" if grain else "profile", everything, names[ACCOUNT].missing)).reads
    except BadDefinition as refusal:
        # In either registry nothing helps: the nearest word may be of either.
        raise (refusals[0] if grain else refusal) from None
    account, customer = (
        [name for name in sorted(read) if name not in names[one].by_name] for one in (CUSTOMER, ACCOUNT)
    )
    raise BadDefinition(_mixed(account, customer, grain))


def _mixed(account: Sequence[str], customer: Sequence[str], grain: str | None) -> str:
    """`account` are the names that only an account has, `customer` those that only a customer has."""
    theirs = f"{_listing(customer)} only a customer has: at account grain write {', '.join(OWNER + name for name in customer)}."
    ours = f"{_listing(account)} only an account has, and a customer may have several."
    if grain == CUSTOMER:
        return f"{ours} Ask with --grain account, or read a feature of the customer."
    return theirs if grain == ACCOUNT else f"{ours} {theirs}"


def _listing(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _date(head: Head, grain: str, as_of: date | None) -> date:
    manifest = head.manifest(PROFILES[grain])
    dates = manifest.parts() if manifest else []
    if not dates:
        raise NotAllowed("The lake holds no profile yet. Walk `backbook run DIR --as-of DATE` first.")
    if as_of is None:
        return date.fromisoformat(dates[-1])
    if as_of.isoformat() not in dates:
        more = f"{len(dates) - 6} more, then " if len(dates) > 6 else ""
        raise NotAllowed(
            f"There is no profile for {as_of}. There is one for {more}{', '.join(dates[-6:])}. "
            f"Walk `backbook run DIR --as-of {as_of}` to build it."
        )
    return as_of


def _every(counted: Count) -> int:
    """Which blocks of the profile are compared: every n-th of a large one, as long as enough of the audience stand there."""
    return max(1, min(counted.units // COMPARED_UNITS, counted.true // COMPARED_MEMBERS))


def _rows(engine: Engine, head: Head, grain: str, as_of: date, expression: Expression, *, every: int = 1) -> Any:
    """The profile, with the owner's columns that are read beside an account's; with `every`, each n-th block of it."""
    asked = any(name.startswith(OWNER) for name in expression.reads)
    tables = {
        one: engine.parquet(
            head.files(PROFILES[one], part=as_of.isoformat()), row_column="_row" if one == grain and every > 1 else ""
        )
        for one in (ACCOUNT, CUSTOMER)
        if one == grain or asked
    }
    there = set(tables[grain].columns) | ({OWNER + name for name in tables[CUSTOMER].columns} if asked else set())
    missing = sorted(expression.reads - there)
    if missing:
        raise NotAllowed(
            f"The profile of {as_of} was built before {_listing(missing)} {'was' if len(missing) == 1 else 'were'} defined. "
            f"Walk `backbook run DIR --as-of {as_of}` to build it anew."
        )
    if every > 1:
        # The engine passes over a block without reading it when no row of it is wanted.
        rows = tables[grain]
        tables[grain] = rows.filter((rows["_row"] // ROWS_PER_GROUP) % every == 0)
    return Profile(as_of, tables.get(ACCOUNT), tables.get(CUSTOMER)).rows(grain, expression.reads)


def _filled(engine: Engine, head: Head, grain: str, expression: Expression) -> frozenset[str]:
    """The columns that hold any value; the owner's as `customer.x`."""
    reader = Reader(engine, head)
    filled = reader.filled(PROFILES[grain])
    if any(name.startswith(OWNER) for name in expression.reads):
        filled |= {OWNER + name for name in reader.filled(PROFILES[CUSTOMER])}
    return filled


def _words(names: Names, expression: Expression) -> dict[str, str]:
    """The Chinese word of each column that is read, and of its owner."""
    words = {name: names[name].zh for name in expression.reads if names[name].zh}
    return {name: f"客户.{zh}" if name.startswith(OWNER) else zh for name, zh in words.items()}


def compared(frozen: Frozen, grain: str, there: set[str] | frozenset[str]) -> list[Name]:
    """What an audience is compared by: every yes/no and every text with levels, and the numbers that definitions read most."""
    names = [name for name in frozen.names[grain] if name.name in there and name.name not in NOT_COMPARED]
    reads = Counter(
        name.removeprefix(OWNER)
        for kind in (frozen.features, frozen.tags, frozen.segments, frozen.scores, frozen.strategies)
        for one in kind
        for name in one.reads
    )
    numbers = sorted((name for name in names if name.type in NUMERIC), key=lambda name: -reads[name.name])
    return [
        *(name for name in names if name.type is Type.YESNO or (name.type is Type.TEXT and name.levels)),
        *numbers[:COMPARED_NUMBERS],
    ]


# ── who they are ────────────────────────────────────────────────────────────────────────────────────────────


def _sampled(
    workspace: Workspace, rows: Any, expression: Expression, grain: str, as_of: date, size: int
) -> list[dict[str, Any]]:
    """Id, masked name, and the values that the condition read."""
    read = sorted(expression.reads - {KEY[grain]})
    columns = list(dict.fromkeys([*(name for name in KEYS[grain] if name != KEY[grain]), *read]))
    drawn = audiences.sample(workspace.engine, rows, expression, KEY[grain], columns, size)
    people = _people(workspace, drawn.select(["system", "party_id"]), as_of)
    return [
        {
            KEY[grain]: row[KEY[grain]],
            "name": masked(people.get((row["system"], row["party_id"]), {}).get("full_name")),
            **{name: row[name] for name in read},
        }
        for row in drawn.to_pylist()
    ]


def _listed(workspace: Workspace, rows: Any, grain: str, as_of: date) -> list[dict[str, Value]]:
    """All of them, by branch, manager, customer and account."""
    units = workspace.engine.arrow(rows.select(*KEYS[grain]))
    people = _people(workspace, units.select(["system", "party_id"]), as_of)
    listed = []
    for row in units.to_pylist():
        person = people.get((row["system"], row["party_id"]), {})
        listed.append(
            {
                "customer": person.get("customer_no") or row["customer_id"],
                "name": masked(person.get("full_name")),
                "branch": person.get("branch"),
                "manager": person.get("manager"),
                **({"account": row["account_id"]} if grain == ACCOUNT else {}),
            }
        )
    return sorted(
        listed, key=lambda row: [str(row.get(key) or "") for key in ("branch", "manager", "customer", "account")]
    )


def _people(workspace: Workspace, parties: pa.Table, as_of: date) -> dict[tuple[Any, Any], dict[str, Any]]:
    reader = Reader(workspace.engine, workspace.lake.head())
    wanted = workspace.engine.table(parties).distinct()
    people = paper.people(reader, workspace.key, as_of, wanted)
    return {(row["system"], row["party_id"]): row for row in people.to_pylist()} if people is not None else {}


def _writable(path: Path, force: bool) -> None:
    if path.suffix.lower() not in (".csv", ".xlsx"):
        raise NotAllowed(f"{path.name} is neither .csv nor .xlsx. Write the one or the other.")
    if not path.parent.is_dir():
        raise NotAllowed(f"There is no folder {path.parent} to write {path.name} into.")
    if path.exists() and not (force and path.is_file()):
        raise NotAllowed(f"{path} is there already. Name another file, or write over it with --force.")


def _write(path: Path, listed: Sequence[Mapping[str, Value]], condition: str, as_of: date, language: str) -> None:
    """Through the writers of the lists, so that Excel runs nothing and shortens nothing."""
    shown = {key: column for key, column in _COLUMNS.items() if key in listed[0]}
    titles = [title.text(language) for title, _, _ in shown.values()]
    rows = [tuple(row[key] for key in shown) for row in listed]
    if path.suffix.lower() == ".csv":
        path.write_bytes(csv_bytes(titles, rows, [(TEXT, is_id) for _, _, is_id in shown.values()]))
        return
    columns = [Column(title, TEXT, width) for title, (_, width, _) in zip(titles, shown.values(), strict=True)]
    first, second = (FOR_ANALYSIS.zh, FOR_ANALYSIS.en) if language == "zh" else (FOR_ANALYSIS.en, FOR_ANALYSIS.zh)
    write_workbook(path, AUDIENCE.text(language), f"{condition}  {as_of}", f"{first} / {second}", columns, rows)
