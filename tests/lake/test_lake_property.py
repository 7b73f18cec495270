"""Any sequence of changes, publishes, crashes and prunes ends where a dictionary would."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from lake_disks import Content, Counting, Stopped, Stopping, content, parquet, put

from backbook.lake import Disk, Lake, Writer

TABLES = st.sampled_from(["account", "transaction", "attribute.branch"])
PARTS = st.sampled_from(["2026-09", "2026-10"])
VALUES = st.integers(0, 3)
MEMORY = Path("/dev/shm")

CHANGES = st.one_of(
    st.tuples(st.just("append"), TABLES, PARTS, VALUES, st.sampled_from(["base", "later"])),
    st.tuples(st.just("replace"), TABLES, PARTS, st.lists(VALUES, max_size=2)),
    st.tuples(st.just("drop"), TABLES, PARTS),
    st.tuples(st.just("drop table"), TABLES),
    st.tuples(st.just("document"), st.sampled_from(["run", "bundle"]), st.integers(0, 50)),
)


def changed(model: Content, change: tuple) -> Content:
    """What a dictionary makes of the change."""
    act, table, *rest = change
    model = {name: {part: list(files) for part, files in parts.items()} for name, parts in model.items()}
    parts = model.setdefault(f"documents {table}" if act == "document" else table, {})
    if act == "append":
        part, value, kind = rest
        parts[part] = sorted([*parts.get(part, []), (kind, parquet(value))], key=lambda file: file[0])
    elif act == "replace":
        parts[rest[0]] = sorted(("base", parquet(value)) for value in rest[1])
    elif act == "drop":
        parts.pop(rest[0], None)
    elif act == "drop table":
        parts.clear()
    else:
        parts[f"d{rest[0]}"] = [("document", b'{"number": %d}' % rest[0])]
    parts = {part: files for part, files in parts.items() if files}
    model[f"documents {table}" if act == "document" else table] = parts
    return {name: parts for name, parts in model.items() if parts}


def perform(writer: Writer, disk: Disk, change: tuple) -> None:
    act, table, *rest = change
    if act == "append":
        part, value, kind = rest
        writer.append(table, part, *put(writer, disk, table, value), kind=kind)
    elif act == "replace":
        writer.replace(table, rest[0], [put(writer, disk, table, value) for value in rest[1]])
    elif act == "drop":
        writer.drop(table, rest[0])
    elif act == "drop table":
        writer.drop(table)
    else:
        writer.document(table, f"d{rest[0]}", b'{"number": %d}' % rest[0])


def ordered(found: Content) -> Content:
    """Files of one kind within a part in the order of their bytes: a dictionary knows no order of sharing."""
    return {name: {part: sorted(files) for part, files in parts.items()} for name, parts in found.items()}


class LakeAgainstDictionary(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.model: Content = {}
        self.versions: dict[int, Content] = {0: {}}

    @rule(changes=st.lists(CHANGES, min_size=1, max_size=4))
    def publish(self, changes: list[tuple]) -> None:
        self.write(changes, Counting())

    @rule(changes=st.lists(CHANGES, min_size=1, max_size=4), at=st.integers(0, 80))
    def crash(self, changes: list[tuple], at: int) -> None:
        try:
            self.write(changes, Stopping(at))
        except Stopped:
            after = self.model
            for change in changes:
                after = changed(after, change)
            seen = Lake(self.folder / "lake").head()
            assert ordered(content(seen)) in (ordered(self.model), ordered(after))
            if seen.number not in self.versions:
                self.note(seen.number, after)

    @rule(changes=st.lists(CHANGES, max_size=3))
    def give_up(self, changes: list[tuple]) -> None:
        disk = Counting()
        with Lake(self.folder / "lake", disk=disk).lock("a test") as writer:
            for change in changes:
                perform(writer, disk, change)

    @rule(keep=st.integers(1, 3))
    def prune(self, keep: int) -> None:
        lake = Lake(self.folder / "lake", disk=Counting())
        lake.prune(keep_heads=keep)
        assert lake.heads() == sorted(set(self.versions) - {0})[-keep:]
        self.versions = {number: self.versions[number] for number in (0, *lake.heads())}

    def write(self, changes: list[tuple], disk: Counting) -> None:
        after = self.model
        with Lake(self.folder / "lake", disk=disk).lock("a test") as writer:
            for change in changes:
                perform(writer, disk, change)
                after = changed(after, change)
            head = writer.publish({})
        self.note(head.number, after)

    def note(self, number: int, after: Content) -> None:
        self.model = self.versions[number] = after

    @invariant()
    def every_version_is_what_the_dictionary_says(self) -> None:
        lake = Lake(self.folder / "lake")
        assert ordered(content(lake.head())) == ordered(self.model)
        for number in lake.heads():
            assert ordered(content(lake.head(number))) == ordered(self.versions[number])
        assert lake.verify() == []

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


TestLakeAgainstDictionary = LakeAgainstDictionary.TestCase
TestLakeAgainstDictionary.settings = settings(
    max_examples=60, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
)
