"""What a person may do about who is who: look, merge, take apart, keep apart, take back. Each act is one ruling.

Nothing changes at once: a ruling binds the next run of its day and every later one. Before it is written, it is
checked against the latest identity, so that what cannot be followed is refused here and not found out at night.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pyarrow as pa

from backbook.customer.identity.comparison import NAMES, said
from backbook.customer.identity.golden import GOLDEN
from backbook.customer.identity.identify import LINEAGE, PAIRS, RECORDS, REVIEW
from backbook.customer.identity.people import IDENTITY
from backbook.customer.identity.quality import QUALITY, SUSPECT, against_truth
from backbook.customer.identity.ruled import RULING
from backbook.customer.identity.terms import read_terms
from backbook.engine import Engine
from backbook.errors import BadDefinition, NotAllowed
from backbook.sources import private, rulings
from backbook.sources.known import known
from backbook.sources.rulings import Ruling
from backbook.workspace import Workspace


@dataclass(frozen=True)
class Customer:
    """One customer as known on a day. `records`, `lineage`, `evidence` and `golden` are rows for reading."""

    customer_id: str
    as_of: date
    records: list[dict[str, Any]]
    lineage: list[dict[str, Any]]
    evidence: list[dict[str, Any]]
    golden: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {**self.__dict__, "as_of": self.as_of.isoformat()}


class Known:
    """The latest identity of a workspace, or that of a day."""

    def __init__(self, workspace: Workspace, as_of: date | None = None) -> None:
        self.workspace, self.engine, self.head = workspace, workspace.engine, workspace.lake.head()
        manifest = self.head.manifest(IDENTITY)
        days = sorted({date.fromisoformat(file.part) for file in manifest.files}) if manifest else []
        if not days or (as_of is not None and as_of not in days):
            shown = f" for {as_of}" if as_of else ""
            possible = f" Days: {', '.join(map(str, days[-5:]))}." if days else ""
            raise NotAllowed(f"There is no identity{shown} yet. Run `backbook run DIR --as-of DATE` first.{possible}")
        self.as_of = as_of or days[-1]

    def table(self, name: str) -> Any:
        return self.engine.parquet(self.head.files(name, part=self.as_of.isoformat()))

    def ask(self, text: str, **tables: str) -> list[dict[str, Any]]:
        return self.engine.ask(text, {alias: self.table(name) for alias, name in tables.items()})

    def customer_of(self, name: str) -> str:
        """The customer that a name (of a record, or of the customer) means. Raises NotAllowed with the nearest names."""
        found = self.ask(
            f"""SELECT customer_id FROM i WHERE system || ':' || party_id = {_text(name)}
                UNION ALL SELECT customer_id FROM i WHERE customer_id = {_text(name)} LIMIT 1""", i=IDENTITY)  # fmt: skip
        if found:
            return str(found[0]["customer_id"])
        bare = name.rpartition(":")[2]
        close = [row["name"] for row in self.ask(
            f"""SELECT system || ':' || party_id AS name FROM i WHERE party_id = {_text(bare)} OR customer_id = {_text(name)}
                ORDER BY name LIMIT 3""", i=IDENTITY)]  # fmt: skip
        if not close:
            some = [
                row["name"]
                for row in self.ask(
                    "SELECT system || ':' || party_id AS name FROM i ORDER BY name LIMIT 100000", i=IDENTITY
                )
            ]
            close = get_close_matches(name, some, n=1, cutoff=0.8)
        hint = f" Did you mean {' or '.join(close)}?" if close else " Write SYSTEM:PARTY_ID, such as core:1000000001."
        raise NotAllowed(f"{self.as_of} knows no record '{name}'.{hint}")

    def records_of(self, customer_id: str) -> list[str]:
        rows = self.ask(
            f"SELECT system || ':' || party_id AS name FROM i WHERE customer_id = {_text(customer_id)} ORDER BY name",
            i=IDENTITY,
        )
        return [row["name"] for row in rows]


@dataclass(frozen=True)
class Act:
    """A ruling that was made (or, in a dry run, would be), and what it will do."""

    ruling: Ruling | None
    will: str
    records: Mapping[str, Sequence[str]]

    def as_json(self) -> dict[str, Any]:
        made = {**self.ruling.__dict__, "at": self.ruling.at.isoformat(sep=" ")} if self.ruling else None
        return {"ruling": made, "will": self.will, "records": {name: list(each) for name, each in self.records.items()}}


# ── acts ────────────────────────────────────────────────────────────────────────────────────────────────────


def merge(
    workspace: Workspace,
    first: str,
    second: str,
    *,
    actor: str,
    reason: str,
    at: datetime | None = None,
    dry_run: bool = False,
) -> Act:
    """Two customers are one person from the next run on; the older id stays.

    Raises NotAllowed when they are one already, when a record is unknown, or when the person would have too many records.
    """
    here = Known(workspace)
    one, two = here.customer_of(first), here.customer_of(second)
    if one == two:
        raise NotAllowed(
            f"{first} and {second} are one person already: {one}, with {len(here.records_of(one))} records."
        )
    records = {one: here.records_of(one), two: here.records_of(two)}
    terms, faults = read_terms(workspace.settings)
    if faults:
        raise BadDefinition(faults=faults)
    total = sum(map(len, records.values()))
    if total > terms.most_records:
        raise NotAllowed(
            f"This would make one person of {total:,} records, more than the {terms.most_records} that [identity] most_records allows. "
            "Look at both with `backbook identity DIR show`; if it is one person all the same, raise most_records."
        )
    pair = [_name(first, records[one]), _name(second, records[two])]
    return _ruled(
        workspace,
        "merge",
        rulings.subject(pair),
        f"{one} and {two} become one customer",
        records,
        actor,
        reason,
        at,
        dry_run,
    )


def unmerge(
    workspace: Workspace,
    records: Sequence[str],
    *,
    actor: str,
    reason: str,
    at: datetime | None = None,
    dry_run: bool = False,
) -> Act:
    """Take records out of the customer they are with; both sides stay apart in every later run.

    Raises NotAllowed when they are not of one customer, or when nothing else is: what never was merged cannot be unmerged.
    """
    here = Known(workspace)
    customers = {here.customer_of(name) for name in records}
    if len(customers) > 1:
        raise NotAllowed(
            f"{', '.join(records)} are of {len(customers)} customers: {', '.join(sorted(customers))}. Unmerge one customer at a time."
        )
    customer = customers.pop()
    mine = here.records_of(customer)
    out = [name for name in mine if name in set(records)] or [name for name in mine if name == customer]
    stay = [name for name in mine if name not in out]
    if not stay:
        what = (
            f"{customer} has one record only: it was never merged."
            if len(mine) == 1
            else f"These are all records of {customer}: nobody would stay."
        )
        raise NotAllowed(f"{what} `backbook identity DIR show {customer}` lists its records.")
    return _ruled(
        workspace,
        "unmerge",
        rulings.subject(out, stay),
        f"{', '.join(out)} leave {customer}",
        {"out": out, "stay": stay},
        actor,
        reason,
        at,
        dry_run,
    )


def apart(
    workspace: Workspace,
    first: str,
    second: str,
    *,
    actor: str,
    reason: str,
    at: datetime | None = None,
    dry_run: bool = False,
) -> Act:
    """Two records are two people, whatever the evidence says. Raises NotAllowed for a record and itself."""
    here = Known(workspace)
    one, two = here.customer_of(first), here.customer_of(second)
    pair = [_name(first, here.records_of(one)), _name(second, here.records_of(two))]
    if pair[0] == pair[1]:
        raise NotAllowed(f"{first} and {second} are the same record. Name two.")
    return _ruled(workspace, "keep_apart", rulings.subject(pair), f"{pair[0]} and {pair[1]} stay two people", {one: here.records_of(one), two: here.records_of(two)}, actor, reason, at, dry_run)  # fmt: skip


def undo(
    workspace: Workspace, ruling_id: str, *, actor: str, reason: str, at: datetime | None = None, dry_run: bool = False
) -> Act:
    """A ruling no longer binds; what it did is decided by the evidence again. Raises NotAllowed when nobody ruled it."""
    made = {each.ruling_id: each for each in rulings.written(workspace)}
    if ruling_id not in made:
        close = get_close_matches(ruling_id, made, n=1)
        raise NotAllowed(f"There is no ruling '{ruling_id}' here.{f' Did you mean {close[0]}?' if close else ''}")
    old = made[ruling_id]
    if old.kind not in ("merge", "unmerge", "keep_apart"):
        raise NotAllowed(f"{ruling_id} is a ruling of kind {old.kind}; only merge, unmerge and apart are undone here.")
    taken = [each for each in made.values() if each.subject == RULING + ruling_id]
    again = [each for each in made.values() if taken and each.subject == RULING + taken[-1].ruling_id]
    if taken and not again:
        raise NotAllowed(f"{ruling_id} was taken back already, by {taken[-1].actor} ({taken[-1].ruling_id}).")
    kind = "unmerge" if old.kind == "merge" else "merge"
    return _ruled(
        workspace,
        kind,
        RULING + ruling_id,
        f"{old.kind} of {old.subject} no longer binds",
        {},
        actor,
        reason,
        at,
        dry_run,
    )


def _ruled(
    workspace: Workspace, kind: str, subject: str, will: str, records: Mapping[str, Sequence[str]],
    actor: str, reason: str, at: datetime | None, dry_run: bool,
) -> Act:  # fmt: skip
    if dry_run:
        return Act(None, will, records)
    return Act(rulings.rule(workspace, kind, subject, actor=actor, reason=reason, at=at), will, records)


def _name(said_: str, records: Sequence[str]) -> str:
    """The record that was meant: named itself, else one of the customer's."""
    return said_ if said_ in records else records[0]


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────


def show(workspace: Workspace, name: str, *, as_of: date | None = None, language: str = "zh") -> Customer:
    """One customer: its records, how each came to it, its lineage and its golden record, names masked."""
    here = Known(workspace, as_of)
    customer = here.customer_of(name)
    records = here.ask(
        f"SELECT system, party_id, since, rule, probability FROM i WHERE customer_id = {_text(customer)} ORDER BY since, system, party_id",
        i=IDENTITY,
    )
    inside = f"(SELECT system, party_id FROM i WHERE customer_id = {_text(customer)})"
    lineage = here.ask(
        f"SELECT l.* FROM l SEMI JOIN {inside} m USING (system, party_id) ORDER BY since, system, party_id",
        l=LINEAGE,
        i=IDENTITY,
    )
    evidence = here.ask(
        f"""WITH mine AS (SELECT id, system || ':' || party_id AS name FROM n JOIN i USING (system, party_id) WHERE customer_id = {_text(customer)})
            SELECT l.name AS record_left, r.name AS record_right, q.* EXCLUDE ("left", "right") FROM q
            JOIN mine l ON l.id = q."left" JOIN mine r ON r.id = q."right" ORDER BY q.weight DESC, 1, 2""", q=PAIRS, n=RECORDS, i=IDENTITY)  # fmt: skip
    names = _masked(here, [(row["system"], row["party_id"]) for row in records])
    told = _told(here, [(row["system"], row["party_id"]) for row in records])
    for row in records:
        row["name"] = names.get((row["system"], row["party_id"]))
        row["birth_date"] = told.get((row["system"], row["party_id"]))
    chosen = here.ask(f"SELECT * FROM g WHERE customer_id = {_text(customer)}", g=GOLDEN)
    terms, _ = read_terms(workspace.settings)
    fields = {
        key.removesuffix("_from"): {"from": record, "rule": terms.golden[key.removesuffix("_from")]}
        for key, record in (chosen[0].items() if chosen else ())
        if key.endswith("_from") and record
    }
    return Customer(customer, here.as_of, records, lineage, [_in_words(row, language) for row in evidence], fields)


def review(
    workspace: Workspace, *, as_of: date | None = None, limit: int = 20, language: str = "zh"
) -> list[dict[str, Any]]:
    """Pairs that people should decide, the likeliest first, with the evidence for and against in words."""
    here = Known(workspace, as_of)
    rows = here.ask(
        f"SELECT * FROM r ORDER BY why = 'grey', weight DESC, record_left, record_right LIMIT {int(limit)}", r=REVIEW
    )
    pairs = [tuple(row[side].split(":", 1)) for row in rows for side in ("record_left", "record_right")]
    names = _masked(here, pairs)
    for row in rows:
        row["name_left"], row["name_right"] = (
            names.get(tuple(row[side].split(":", 1))) for side in ("record_left", "record_right")
        )
    return [_in_words(row, language) for row in rows]


def measured(workspace: Workspace, truth: Path | None = None, *, as_of: date | None = None) -> dict[str, Any]:
    """The quality of identity; with a file of (system, party_id, person), against what is known to be true of them."""
    here = Known(workspace, as_of)
    found: dict[str, Any] = {
        "as_of": here.as_of.isoformat(),
        "quality": here.ask("SELECT * FROM q ORDER BY aspect, value", q=QUALITY),
        "suspects": here.ask(
            "SELECT kind, count(*) AS groups, max(records) AS largest FROM s GROUP BY kind ORDER BY kind", s=SUSPECT
        ),
        "open": here.ask("SELECT why, count(*) AS pairs FROM r GROUP BY why ORDER BY why", r=REVIEW),
    }
    if truth is not None:
        found["truth"] = against_truth(here.engine, here.table(IDENTITY), _truth(here.engine, truth))
    return found


def _truth(engine: Engine, path: Path) -> Any:
    files = sorted(path.glob("person_*.parquet")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise NotAllowed(
            f"{path} holds no truth: a Parquet or CSV file with system, party_id and person, or a folder of person_*.parquet."
        )
    if files[0].suffix == ".parquet":
        rows = engine.parquet(files)
    else:
        with open(files[0], encoding="utf-8-sig") as stream:
            columns = stream.readline().strip().split(",")
        rows = engine.text(files, columns)
    lacking = {"system", "party_id", "person"} - set(rows.columns)
    if lacking:
        raise NotAllowed(f"{path} lacks {', '.join(sorted(lacking))}. It needs system, party_id and person.")
    return rows.select("system", "party_id", "person")


def _in_words(row: Mapping[str, Any], language: str) -> dict[str, Any]:
    spoken, against = said({name: row[name] for name in NAMES}, language)
    return {**{key: value for key, value in row.items() if key not in NAMES}, "for": spoken, "against": against}


def _masked(here: Known, pairs: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str | None]:
    wanted = _wanted(here.engine, pairs)
    found = private.masked_names(here.engine, here.head, here.workspace.key, here.as_of, parties=wanted)
    if found is None:
        return {}
    return {(row["system"], row["party_id"]): row["full_name"] for row in found.to_pylist()}


def _told(here: Known, pairs: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], Any]:
    rows = known(here.engine, here.head, "party", here.as_of)
    if rows is None or "birth_date" not in rows.columns:
        return {}
    found = here.engine.rows(
        rows.semi_join(_wanted(here.engine, pairs), ["system", "party_id"]).select("system", "party_id", "birth_date")
    )
    return {(row["system"], row["party_id"]): row["birth_date"] for row in found}


def _wanted(engine: Engine, pairs: Sequence[tuple[str, ...]]) -> Any:
    return engine.table(
        pa.table(
            {
                "system": pa.array([pair[0] for pair in pairs], pa.string()),
                "party_id": pa.array([pair[1] for pair in pairs], pa.string()),
            }
        )
    )


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
