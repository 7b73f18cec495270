"""The stages of a run. Each is one function from the way so far to what it found, and publishes once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from backbook.customer import coverage, moves
from backbook.customer import profile as profiles
from backbook.customer.availability import missing_definitions
from backbook.customer.clusters import APART, Clusters, Found, find, told_apart, value
from backbook.customer.definition import ACCOUNT, CUSTOMER
from backbook.customer.identity.people import IDENTITY
from backbook.customer.order import Link
from backbook.customer.profile import KEY, Profile
from backbook.customer.ranked import Ranked, cuts
from backbook.customer.reader import Reader
from backbook.customer.relations import ORDER, summary, ties
from backbook.customer.units import units
from backbook.engine import Engine
from backbook.errors import BadData, NotAllowed
from backbook.lake import Writer
from backbook.outcome import library
from backbook.progress import Progress
from backbook.run import built, movement, paper, watching
from backbook.run.book import Book, extended, scored
from backbook.run.freeze import Frozen
from backbook.run.records import Record, latest
from backbook.run.scores.lives import standing
from backbook.score import make, monitor, registry
from backbook.score.definition import TAUGHT, Score
from backbook.score.registry import Unavailable, Version
from backbook.sources.load import load as load_sources
from backbook.strategy import decide as strategies
from backbook.workspace import Workspace

PROFILES = {ACCOUNT: "profile.account", CUSTOMER: "profile.customer"}
# Links that need a version which was learned.
LEARNED = ("score", "cluster")
# Ranked segments: from where to where a level goes. Groups found: their centres, and what sets each apart.
CUTS, GROUPS = "segment_cut", "segment_found"
# What is told of a profile beside it, by both stages that write it.
MOVEMENT = (coverage.TABLE, moves.SIZE, moves.MOVE)


@dataclass
class Way:
    """One date's walk: what every stage needs, and what the stages before it found."""

    workspace: Workspace
    frozen: Frozen
    writer: Writer
    as_of: date
    load_as_of: date
    language: str
    run: str
    progress: Progress
    dry_run: bool = False
    # Build again also what has not changed.
    anew: bool = False
    walked: tuple[str, ...] = ()
    drawn_by: Callable[[], str] = library.made
    found: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        return self.workspace.engine

    @property
    def part(self) -> str:
        return self.as_of.isoformat()

    @property
    def folder(self) -> Path:
        return self.workspace.out / self.run

    def reader(self) -> Reader:
        """The lake under the identity of this date."""
        files = self.writer.head.files(IDENTITY, part=self.part) if self.writer.head.manifest(IDENTITY) else []
        return Reader(self.engine, self.writer.head, self.engine.parquet(files) if files else None)

    def read(self, table: str, needs: str) -> Any:
        """A derived table of this date; raises NotAllowed that names the stage to walk first."""
        files = self.writer.head.files(table, part=self.part)
        if not files:
            raise NotAllowed(
                f"There is no {table} for {self.part} yet. Walk `backbook {needs} … --as-of {self.part}` first."
            )
        return self.engine.parquet(files)

    def replace(self, table: str, rows: Any, order_by: Sequence[str]) -> None:
        path = self.writer.path(table)
        count = self.engine.write(rows, path, order_by=order_by)
        self.writer.replace(table, self.part, [(path, count)])

    def last_decided(self) -> Record | None:
        """The run that decided for this date before, if any."""
        return latest(self.workspace, self.as_of, "decide")

    def record(self, seconds: float = 0.0) -> Record:
        """What this run has done so far."""
        return Record(
            run=self.run,
            as_of=self.part,
            stages=self.walked,
            bundle=self.frozen.bundle.hash,
            head=self.writer.head.number,
            seconds=round(seconds, 2),
            versions={id_: version.id for id_, version in sorted(self.versions.items())},
            found=self.found,
        )

    def publish(self, stage: str) -> None:
        self.writer.publish(about={"run": self.run, "as_of": self.part, "stage": stage})


def load(way: Way) -> dict[str, Any]:
    """Contract tables from raw files."""
    report = load_sources(way.workspace, way.writer, way.load_as_of, way.progress)
    if report.level == "stop":
        told = "\n".join(f"  {finding.table}: {finding.en}" for finding in report.quality if finding.level == "stop")
        raise BadData(
            f"The data-quality gate stops this load; nothing was published. Mend the delivery and load again.\n{told}"
        )
    if not way.dry_run:
        # Before the lake's first version: a bank without private columns needs the key only later, for who is who.
        _ = way.workspace.key
        way.publish("load")
    return report.as_json()


def profile(way: Way) -> dict[str, Any]:
    """Identity and both profiles, with the tags and segments that read no score."""
    # Imported here: half a second that no other stage needs.
    from backbook.customer.identity.identify import identify

    reader, frozen = Reader(way.engine, way.writer.head), way.frozen
    if not reader.has("account"):
        raise NotAllowed("The lake holds no accounts yet. Walk `backbook load` first, or map `account`.")
    read = built.inputs(way)
    # What the score stage added to the profiles since is no change: it is added anew.
    found = None if way.anew else built.still_there(way, "profile", read, or_base_of="score")
    if found is not None:
        return found
    with way.engine.scope():
        who = identify(reader, way.as_of, way.workspace.key, frozen.identity, way.progress)
        reader = Reader(way.engine, way.writer.head, who.identity)
        whose = units(reader, way.as_of)
        tied = ties(reader, way.as_of, whose.parties)
        plain = profiles.build(frozen.features, frozen.attributes, reader, way.as_of, whose, ties=tied)
        early = _without_scores(frozen)
        missing = missing_definitions(
            frozen.features, frozen.attributes, reader, way.as_of, *frozen.tags, *frozen.segments
        )
        whole = _kept(
            way.engine,
            extended(plain, early, frozen, {}, way.engine, {each.id for each in missing if each.kind == "tag"}),
        )
        of_ties = {"tie": tied.tie, "tie_group": tied.group, "tie_crowd": tied.crowd}
        for table, (rows, order) in who.tables.items():
            way.replace(table, rows, order)
        for table, rows in of_ties.items():
            way.replace(table, rows, [name for name in ORDER if name in rows.columns])
        told = summary(way.engine, tied)
        _write_profile(way, whole)
        counts = {grain: way.engine.count(whole.at(grain)) for grain in PROFILES}
    way.publish("profile")
    found = {
        "identity": who.found,
        "ties": told,
        "accounts": counts[ACCOUNT],
        "customers": counts[CUSTOMER],
        "features": {grain: sum(feature.at(grain) for feature in frozen.features) for grain in PROFILES},
        "not_available": [{"what": f"{each.kind} {each.id}", "needs": each.needs} for each in missing],
    }
    built.note(way, "profile", read, [*who.tables, *of_ties, *PROFILES.values(), *MOVEMENT], found)
    return found


def train(way: Way) -> dict[str, Any]:
    """A version for every score that has none for its definition; alone, every score anew."""
    book = Book(way.frozen, way.reader(), way.versions)
    found: dict[str, Any] = {}
    lacking: list[dict[str, str]] = []
    anew = way.walked == ("train",)
    scores = [way.frozen.score(link.id) for link in way.frozen.order if link.kind == "score"]
    fitted = {score.id: fitting(way, score) for score in scores}
    anew_or_none = [score for score in scores if anew or fitted[score.id] is None]
    needs = {score.id: book.needs(score, way.as_of) for score in anew_or_none}
    with way.engine.scope():
        book.foresee([score for score in anew_or_none if score.method in TAUGHT and not needs[score.id]], way.as_of)
        for score in scores:
            in_use = version = fitted[score.id]
            if needs.get(score.id):
                version = Unavailable("score", score.id, needs[score.id])
            elif score.id in needs:
                way.progress(score.en)
                with way.engine.scope():
                    version = _made(way, score, book)
            if isinstance(version, Unavailable):
                lacking.append({"what": f"score {score.id}", "needs": version.needs})
                version = None
            # A new version beside a champion waits as candidate: what reads the score goes on reading the champion.
            used = in_use if isinstance(in_use, Version) else version if in_use is None else None
            if used is not None:
                way.versions[score.id] = used
            if version is not None:
                found[score.id] = {key: value for key, value in version.summary().items() if key not in ("id", "bands")}
    way.publish("train")
    return {"scores": found, "not_available": lacking}


def score(way: Way) -> dict[str, Any]:
    """The score table, and the profiles with scores and with the tags and segments that read them."""
    frozen, engine = way.frozen, way.engine
    _look_up(way)
    base = built.inputs(way)
    read = built.inputs(way, versions={id_: version.id for id_, version in way.versions.items()})
    found = None if way.anew else built.still_there(way, "score", read)
    if found is not None:
        return found
    with engine.scope():
        whole = read_profile(way)
        given: list[Any] = []
        groups: dict[str, Found] = {}
        waiting = [link for link in frozen.order if link not in _without_scores(frozen)]
        while waiting:
            # Up to the next score or search for groups; what stands between is added in one go.
            until = next((place for place, link in enumerate(waiting) if link.kind in LEARNED), len(waiting))
            if until:
                whole = _kept(engine, extended(whole, waiting[:until], frozen, way.versions, engine))
            for link in waiting[until : until + 1]:
                if link.kind == "cluster":
                    whole = _grouped(way, whole, link, groups)
                    continue
                # A score is narrow: it is kept alone and joined, and the wide table is written once for all.
                whole, table = scored(whole, frozen, link.id, way.versions, engine, keep=engine.cached)
                if table is not None:
                    given.append(table.rename(unit=KEY[frozen.score(link.id).grain]))
            waiting = waiting[until + 1 :]
        whole = _kept(engine, whole)
        _write_profile(way, whole)
        _write_cuts(way, whole, groups)
        if given:
            way.replace("score", _stacked(given), ["score", "unit"])
        rows = {link.id: engine.count(table) for link, table in zip(_scored_links(way), given, strict=True)}
    way.publish("score")
    found = {"rows": rows, "versions": {id_: version.id for id_, version in sorted(way.versions.items())}}
    built.note(way, "score", read, [*PROFILES.values(), *MOVEMENT, "score", CUTS, GROUPS, APART], found, base)
    return found


def watch(way: Way) -> dict[str, Any]:
    """Whether each score in use still holds: by who is scored today, and by what came of earlier days."""
    _look_up(way)
    read = built.inputs(
        way,
        versions={id_: version.id for id_, version in way.versions.items()},
        left=built.until(way, "score", *PROFILES.values()),
    )
    found = None if way.anew else built.still_there(way, "watch", read)
    if found is not None:
        return found
    with way.engine.scope():
        found = watching.watch(way, read_profile(way))
    way.publish("watch")
    built.note(way, "watch", read, [monitor.TABLE], found)
    return found


def decide(way: Way) -> dict[str, Any]:
    """The decisions of every strategy."""
    engine, frozen = way.engine, way.frozen
    if not frozen.strategies:
        return {"decisions": {}}
    with engine.scope():
        whole = read_profile(way)
        identity = way.read("identity", "profile")
        parts = []
        for strategy in frozen.strategies:
            way.progress(strategy.label.en)
            rows = whole.rows(ACCOUNT, strategy.reads)
            parts.append(
                engine.cached(
                    strategies.decide(
                        strategy, rows, as_of=way.as_of, bundle=frozen.bundle.hash, identity=identity, engine=engine
                    )
                )
            )
        decided = engine.cached(_stacked(parts))
        way.replace("decision", decided, ["strategy", "account_id"])
        counted = engine.rows(
            decided.group_by(["strategy", "version", "action"])
            .agg(rows=decided.count())
            .order_by(["strategy", "action"])
        )
    way.publish("decide")
    return {"decisions": _by_strategy(counted)}


def report(way: Way) -> dict[str, Any]:
    """Lists for the people who act, and the report."""
    _look_up(way)
    with way.engine.scope():
        files = paper.write(way)
    return {"files": [str(file) for file in files]}


# ── pieces ──────────────────────────────────────────────────────────────────────────────────────────────────


def untrained(way: Way) -> list[Score]:
    """The scores that `train` has to teach."""
    taught = [score for score in way.frozen.scores if score.method in TAUGHT]
    return [score for score in taught if way.walked == ("train",) or fitting(way, score) is None]


def fitting(way: Way, score: Score) -> Version | Unavailable | None:
    """The champion among the versions of this very definition that were known at the date.

    Where people have retired it and promoted no other, the score is not available; it is not simply taught anew.
    """
    known = [
        each for each in standing(way.workspace, way.writer.head, score, way.as_of) if each.definition == score.hash
    ]
    chosen = registry.champion(known)
    if chosen is not None:
        return registry.version(way.writer.head, chosen.version)
    return (
        Unavailable("score", score.id, "a champion: its versions are retired; promote one of them") if known else None
    )


def _look_up(way: Way) -> None:
    """The versions in use, for the stages that are walked without `train`."""
    for each in way.frozen.scores:
        version = way.versions.get(each.id) or fitting(way, each)
        if isinstance(version, Version):
            way.versions[each.id] = version


def _made(way: Way, score: Score, book: Book) -> Version | Unavailable:
    made = make(score, way.engine, way.as_of, book)
    if isinstance(made, Version):
        registry.register(way.engine, way.writer, made, way.as_of)
    return made


def read_profile(way: Way) -> Profile:
    return Profile(way.as_of, way.read(PROFILES[ACCOUNT], "profile"), way.read(PROFILES[CUSTOMER], "profile"))


def _write_profile(way: Way, whole: Profile) -> None:
    for grain, table in PROFILES.items():
        way.replace(table, whole.at(grain), [KEY[grain]])
    movement.write(way, whole, PROFILES)


def _kept(engine: Engine, whole: Profile) -> Profile:
    return Profile(whole.as_of, engine.cached(whole.account), engine.cached(whole.customer))


def _without_scores(frozen: Frozen) -> list[Link]:
    """The tags and segments that need no score, directly or through another."""
    late: set[str] = set()
    early = []
    for link in frozen.order:
        if link.kind in LEARNED or link.reads & late:
            late |= link.gives
        else:
            early.append(link)
    return early


def _grouped(way: Way, whole: Profile, link: Link, groups: dict[str, Found]) -> Profile:
    """The profile with the groups that an algorithm finds, which are added to `groups`; they hold until they are found anew."""
    clusters = way.frozen.segment(link.id)
    assert isinstance(clusters, Clusters)
    rows = whole.rows(clusters.grain, clusters.reads)
    before = _found_groups(way, clusters.id)
    found = before if before is not None and before.holds(clusters, way.as_of) else None
    if found is None:
        way.progress(clusters.en)
        found = find(clusters, way.engine, rows, KEY[clusters.grain], way.as_of, before)
    if found is not None:
        groups[clusters.id] = found
    return whole.with_columns(clusters.grain, {clusters.id: value(clusters, found, rows)}, rows)


def _found_groups(way: Way, segment: str) -> Found | None:
    """The groups in use on this day, else on the latest day before it."""
    manifest = way.writer.head.manifest(GROUPS)
    parts = sorted({file.part for file in manifest.files if file.part <= way.part}) if manifest else []
    for part in reversed(parts):
        rows = way.engine.parquet(way.writer.head.files(GROUPS, part=part))
        for row in way.engine.rows(rows.filter(rows.segment == segment)):
            return Found.read(row["found"])
    return None


def _write_cuts(way: Way, whole: Profile, groups: Mapping[str, Found]) -> None:
    """Where the levels of ranked segments lie, which groups were found, and what sets each apart."""
    ranks = [each for each in way.frozen.segments if isinstance(each, Ranked)]
    if ranks:
        way.replace(
            CUTS,
            _stacked([cuts(each, whole.rows(each.grain, each.reads)) for each in ranks]),
            ["segment", "cell", "level"],
        )
    if groups:
        table = pa.table({"segment": list(groups), "found": [found.as_json() for found in groups.values()]})
        way.replace(GROUPS, way.engine.table(table), ["segment"])
        apart = [told_apart(each, groups[each.id], whole.at(each.grain))
                 for each in way.frozen.segments if isinstance(each, Clusters) and each.id in groups]  # fmt: skip
        way.replace(APART, _stacked(apart), ["segment", "level", "feature"])


def _scored_links(way: Way) -> list[Link]:
    return [link for link in way.frozen.order if link.kind == "score" and link.id in way.versions]


def _stacked(tables: Sequence[Any]) -> Any:
    first, *others = tables
    for other in others:
        first = first.union(other.select(*first.columns))
    return first


def _by_strategy(counted: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in counted:
        entry = found.setdefault(row["strategy"], {"version": row["version"], "total": 0, "by_action": {}})
        entry["total"] += row["rows"]
        entry["by_action"][row["action"]] = row["rows"]
    return found
