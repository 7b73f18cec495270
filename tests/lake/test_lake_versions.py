"""Tables in versions: what is published is whole, shared and never changes."""

from __future__ import annotations

import errno
import shutil
import threading

import pytest
from lake_disks import Counting, Refusing, Stopped, Stopping, content, first_run, parquet, put, second_run, tree

from backbook.errors import BadData, NotAllowed
from backbook.lake import Disk, Lake

DISK = Disk()


def rows(head, table, part=None, kind=None):
    return [path.read_bytes() for path in head.files(table, part, kind)]


def test_a_lake_begins_empty(tmp_path):
    head = Lake(tmp_path / "lake").head()
    assert (head.number, head.tables, head.manifest("account"), head.files("account")) == (0, {}, None, [])
    assert Lake(tmp_path / "lake").document("run", "r1") is None
    assert not (tmp_path / "lake").exists(), "to read makes nothing"


def test_nothing_is_seen_before_it_is_published(tmp_path):
    lake = Lake(tmp_path / "lake")
    with lake.lock("a test") as writer:
        writer.append("account", "2026-10", *put(writer, DISK, "account", 1))
        writer.document("run", "r1", b"{}")
        assert (lake.head().number, lake.documents("run")) == (0, [])
        head = writer.publish({"run": "r1"})
    assert lake.head() == head
    assert (head.number, dict(head.about), lake.documents("run")) == (1, {"run": "r1"}, ["r1"])
    assert rows(head, "account") == [parquet(1)]


def test_what_is_not_published_is_gone_when_the_lock_ends(tmp_path):
    lake = Lake(tmp_path / "lake")
    with lake.lock("a test") as writer:
        writer.append("account", "2026-10", *put(writer, DISK, "account", 1))
    assert lake.head().number == 0
    assert [*tree(lake.path)] == ["HEAD"]
    with pytest.raises(NotAllowed, match="no longer held"):
        writer.path("account")


def test_a_pinned_version_stays_as_it_was(tmp_path):
    lake = Lake(tmp_path / "lake")
    pinned = first_run(lake, DISK)
    before = content(pinned)
    second_run(lake, DISK)
    assert content(pinned) == before == content(Lake(lake.path).head(1))
    assert lake.heads() == [1, 2]
    assert lake.head().previous == pinned.id


def test_facts_are_appended_and_derived_tables_replaced_part_by_part(tmp_path):
    lake = Lake(tmp_path / "lake")
    first_run(lake, DISK)
    head = second_run(lake, DISK)
    assert rows(head, "transaction") == [parquet(1, 2), parquet(3), parquet(4), parquet(5, 6)]
    assert rows(head, "transaction", "2026-09", "later") == [parquet(4)]
    assert rows(head, "transaction", kind="base") == [parquet(1, 2), parquet(3), parquet(5, 6)]
    assert rows(head, "decision", "2026-09-30") == [parquet(11), parquet(12)]
    assert "attribute.branch" not in head.tables
    assert head.manifest("transaction").parts() == ["2026-08", "2026-09", "2026-10"]
    assert head.manifest("transaction").rows == 6


def test_unchanged_files_are_shared_between_versions(tmp_path):
    lake = Lake(tmp_path / "lake")
    first = first_run(lake, DISK)
    with lake.lock("the same again") as writer:
        files = [put(writer, DISK, "decision", 10), put(writer, DISK, "decision", 11)]
        writer.replace("decision", "2026-09-30", files)
        second = writer.publish({"run": "2026-09-30.2"})
    assert second.tables == first.tables, "the same rows make the same manifest"
    assert len([name for name in tree(lake.path) if name.startswith("data/decision")]) == 2


def test_a_part_that_is_replaced_by_two_equal_files_has_both(tmp_path):
    lake = Lake(tmp_path / "lake")
    for _ in range(2):
        with lake.lock("a test") as writer:
            writer.replace("score", "2026-10-31", [put(writer, DISK, "score", 1), put(writer, DISK, "score", 1)])
            head = writer.publish({})
        assert rows(head, "score") == [parquet(1), parquet(1)]


def test_the_same_files_written_in_the_same_order_make_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        first_run(Lake(tmp_path / name), DISK)
        second_run(Lake(tmp_path / name), DISK)
    assert tree(tmp_path / "one") == tree(tmp_path / "other")


def test_one_lock_can_publish_several_times(tmp_path):
    lake = Lake(tmp_path / "lake")
    with lake.lock("a run") as writer:
        for stage in range(3):
            writer.append("event", "2026-10", *put(writer, DISK, "event", stage))
            writer.publish({"stage": stage})
    assert rows(lake.head(), "event") == [parquet(0), parquet(1), parquet(2)]
    assert [lake.head(number).about["stage"] for number in lake.heads()] == [0, 1, 2]
    assert lake.verify() == []


def test_a_document_never_changes(tmp_path):
    lake = Lake(tmp_path / "lake")
    with lake.lock("a test") as writer:
        writer.document("bundle", "b1", b'{"a": 1}')
        writer.publish({})
        writer.document("bundle", "b1", b'{"a": 1}')
        with pytest.raises(BadData, match="never changes: take a new name"):
            writer.document("bundle", "b1", b'{"a": 2}')
        writer.publish({})
    assert lake.document("bundle", "b1") == b'{"a": 1}'


def test_a_document_that_was_not_published_does_not_stand_in_the_way_of_its_name(tmp_path):
    lake = Lake(tmp_path / "lake")
    with lake.lock("a run that fails") as writer:
        writer.document("run", "r1", b'{"seconds": 1}')
    with lake.lock("the same run again") as writer:
        writer.document("run", "r1", b'{"seconds": 2}')
        writer.publish({})
    assert lake.document("run", "r1") == b'{"seconds": 2}'


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", "a..b", ".a", "a.", "账户", "a b", "a\n", "a\0b", "x" * 121])
def test_a_name_that_could_leave_its_folder_is_refused(name, tmp_path):
    with Lake(tmp_path / "lake").lock("a test") as writer:
        file = put(writer, DISK, "account", 1)
        acts = [
            lambda: writer.path(name),
            lambda: writer.append(name, "2026-10", *file),
            lambda: writer.append("account", name, *file),
            lambda: writer.replace("account", name, [file]),
            lambda: writer.document(name, "a", b"{}"),
            lambda: writer.document("a", name, b"{}"),
        ]
        for act in acts:
            with pytest.raises(BadData, match="cannot name a"):
                act()


@pytest.mark.parametrize(
    "name", ["account", "attribute.branch", "quarantine.party", "2026-10-31", "a_b", "A-1", "x" * 120]
)
def test_names_of_the_contract_are_fine(name, tmp_path):
    lake = Lake(tmp_path / "lake")
    with lake.lock("a test") as writer:
        writer.append(name, name, *put(writer, DISK, name, 1))
        writer.document(name, name, b"{}")
        writer.publish({})
    assert content(Lake(lake.path).head())[name] == {name: [("base", parquet(1))]}


def test_a_file_with_other_rows_than_said_is_refused(tmp_path):
    with Lake(tmp_path / "lake").lock("a test") as writer:
        path, _ = put(writer, DISK, "account", 1, 2)
        with pytest.raises(BadData, match="has 2 rows, not 3"):
            writer.append("account", "2026-10", path, 3)
        path.write_bytes(b"PAR1 and then nothing")
        with pytest.raises(BadData, match="not a whole Parquet file"):
            writer.append("account", "2026-10", path, 3)


def test_a_file_that_changes_after_it_was_handed_over_is_not_published(tmp_path):
    lake = Lake(tmp_path / "lake")
    with lake.lock("a test") as writer:
        path, number = put(writer, DISK, "account", 1)
        writer.append("account", "2026-10", path, number)
        path.write_bytes(parquet(2))
        with pytest.raises(BadData, match="not what was to be published"):
            writer.publish({})
        with pytest.raises(NotAllowed, match="stopped"):
            writer.publish({})
    assert lake.head().number == 0 and [*tree(lake.path)] == ["HEAD"]


def test_only_a_fresh_path_of_the_writer_can_be_handed_over(tmp_path):
    with Lake(tmp_path / "lake").lock("a test") as writer:
        path, number = put(writer, DISK, "account", 1)
        elsewhere = tmp_path / "elsewhere.parquet"
        elsewhere.write_bytes(parquet(1))
        writer.append("account", "2026-10", path, number)
        for wrong in (path, elsewhere):
            with pytest.raises(ValueError, match="not a fresh path"):
                writer.append("account", "2026-10", wrong, 1)


@pytest.mark.parametrize(
    ("number", "kind", "message"),
    [
        (errno.ENOSPC, BadData, "full"),
        (errno.EROFS, NotAllowed, "cannot be written"),
    ],
)
def test_whatever_the_disk_refuses_the_old_or_the_new_version_stands_and_the_run_can_be_repeated(
    number, kind, message, quick_path, capsys
):
    counting = Counting()
    first_run(Lake(quick_path / "whole"), DISK)
    second_run(Lake(quick_path / "whole", disk=counting), counting)
    end = tree(quick_path / "whole")
    refused = 0
    for at in range(len(counting.acts)):
        folder = quick_path / str(at)
        old = content(first_run(Lake(folder, disk=Counting()), Counting()))
        disk = Refusing(at, number)
        try:
            second_run(Lake(folder, disk=disk), disk)
        except (BadData, NotAllowed) as error:
            assert isinstance(error, kind) and message in str(error)
            refused += 1
        except OSError:
            assert counting.acts[at][0] == "write" and counting.acts[at][1].suffix == ".parquet", (
                "the engine's own write"
            )
        lake = Lake(folder)
        seen = content(lake.head())
        assert seen == (old if lake.head().number == 1 else content(Lake(quick_path / "whole").head()))
        assert lake.verify() == []
        second_run(Lake(folder, disk=Counting()), Counting())
        assert tree(folder) == end
    with capsys.disabled():
        print(
            f"\nlake, {errno.errorcode[number]} at every act: {len(counting.acts)} points, {refused} refusals", end=""
        )
    assert refused > 50


def test_a_writer_stops_at_the_first_fsync_that_fails(tmp_path):
    counting = Counting()
    first_run(Lake(tmp_path / "whole", disk=counting), counting)
    syncs = [at for at, (name, path) in enumerate(counting.acts) if name == "sync" and path.suffix == ".parquet"]
    disk = Refusing(syncs[0], errno.EIO)
    lake = Lake(tmp_path / "lake", disk=disk)
    with lake.lock("a test") as writer:
        for value in (1, 2):
            writer.append("account", "2026-10", *put(writer, disk, "account", value))
        disk.at = len(disk.acts)
        with pytest.raises(BadData, match="Nothing was published: version 0 stands"):
            writer.publish({})
        done = len(disk.acts)
        with pytest.raises(NotAllowed, match="stopped"):
            writer.publish({})
        assert len(disk.acts) == done, "nothing was tried again"


def test_a_reader_never_sees_a_mix_while_versions_change(tmp_path):
    lake = Lake(tmp_path / "lake", disk=Counting())
    done = threading.Event()
    seen: set[tuple[bytes, ...]] = set()

    def read() -> None:
        while not done.is_set():
            head = Lake(lake.path).head()
            seen.add(tuple(path.read_bytes() for table in ("account", "card") for path in head.files(table)))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for value in range(60):
        with lake.lock("a test") as writer:
            for table in ("account", "card"):
                writer.replace(table, "all", [put(writer, DISK, table, value)])
            writer.publish({})
    done.set()
    for reader in readers:
        reader.join()
    assert seen <= {(), *((parquet(value), parquet(value)) for value in range(60))}
    assert len(seen) > 3


def test_a_head_that_was_set_back_stops_the_writer(tmp_path):
    lake = Lake(tmp_path / "lake")
    for value in range(3):
        with lake.lock("a test") as writer:
            writer.append("account", "2026-10", *put(writer, DISK, "account", value))
            writer.publish({})
    before = tree(lake.path)
    (lake.path / "HEAD").write_bytes(lake.head_path(1).read_bytes())
    with pytest.raises(BadData, match="version 3 was published"), lake.lock("a test"):
        pass
    (lake.path / "HEAD").write_bytes(lake.head_path(3).read_bytes())
    assert tree(lake.path) == before
    assert lake.verify() == []


def test_the_next_writer_clears_away_what_a_dead_one_placed_even_if_it_writes_something_else(tmp_path):
    first_run(Lake(tmp_path / "lake"), DISK)
    counting = Counting()
    second_run(Lake(shutil.copytree(tmp_path / "lake", tmp_path / "other"), disk=counting), counting)
    disk = Stopping(counting.acts.index(("rename", tmp_path / "other" / "HEAD")))
    with pytest.raises(Stopped):
        second_run(Lake(tmp_path / "lake", disk=disk), disk)
    lake = Lake(tmp_path / "lake")
    assert len(left_over(lake)) == 7, "five tables' files and two documents"
    with lake.lock("another run") as writer:
        writer.append("event", "2026-11", *put(writer, DISK, "event", 99))
        writer.publish({})
    assert left_over(lake) == []
    assert lake.verify() == []


def left_over(lake):
    """Files of tables and documents that HEAD does not name."""
    named = {file.path for manifest in lake.head().manifests() for file in manifest.files}
    return [name for name in tree(lake.path) if name.startswith(("data/", "documents/")) and name not in named]
