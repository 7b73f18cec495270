"""Old versions are let go by a rule, and nothing else is."""

from __future__ import annotations

import pytest
from lake_disks import content, parquet, put, tree

from backbook.errors import BadData
from backbook.lake import Disk, Lake

DISK = Disk()


@pytest.fixture
def lake(tmp_path):
    """Six versions: in each the decision of one date is made again, every second one changes another date too."""
    lake = Lake(tmp_path / "lake")
    for number in range(1, 7):
        with lake.lock(f"run {number}") as writer:
            writer.append("transaction", "2026-10", *put(writer, DISK, "transaction", number))
            writer.replace("decision", "2026-10-31", [put(writer, DISK, "decision", number)])
            if number % 2:
                writer.replace("decision", "2026-09-30", [put(writer, DISK, "decision", 100 + number)])
            writer.document("bundle", f"b{number}", b"{}")
            writer.publish({"run": number})
    return lake


def test_head_and_the_last_versions_stay(lake):
    heads = {number: content(lake.head(number)) for number in (5, 6)}
    lake.prune(keep_heads=2)
    assert lake.heads() == [5, 6]
    assert {number: content(Lake(lake.path).head(number)) for number in (5, 6)} == heads
    assert lake.verify() == []


def test_a_version_that_a_run_record_names_stays(lake):
    pinned = content(lake.head(2))
    lake.prune(keep_heads=1, heads={2})
    assert lake.heads() == [2, 6]
    assert content(Lake(lake.path).head(2)) == pinned


def test_every_state_of_a_part_that_a_decision_names_stays(lake):
    lake.prune(keep_heads=1, parts={("decision", "2026-09-30")})
    assert lake.heads() == [2, 4, 6], "101 is last held by 2, 103 by 4, 105 by 6"
    values = [Lake(lake.path).head(number).files("decision", "2026-09-30")[0].read_bytes() for number in lake.heads()]
    assert values == [parquet(101), parquet(103), parquet(105)]
    assert lake.verify() == []


def test_documents_are_never_removed(lake):
    lake.prune(keep_heads=1)
    assert lake.documents("bundle") == ["b1", "b2", "b3", "b4", "b5", "b6"]
    assert lake.document("bundle", "b1") == b"{}"


def test_what_goes_is_what_no_kept_version_names_and_it_is_told_with_its_bytes(lake):
    before = tree(lake.path)
    told = lake.prune(keep_heads=1, dry_run=True)
    assert tree(lake.path) == before, "a dry run removes nothing"
    gone = lake.prune(keep_heads=1)
    assert gone == told
    after = tree(lake.path)
    lost = {lake.path / name: len(data) for name, data in before.items() if name not in after}
    assert {one.path: one.bytes for one in gone} == lost
    assert len([path for path in lost if "decision" in str(path)]) == 5 + 2
    assert lake.prune(keep_heads=1) == []


def test_files_that_are_not_the_lakes_own_are_never_touched(lake):
    strangers = [
        "notes.txt",
        "data/readme.md",
        "data/decision/2026-10-31/mine.parquet",
        "heads/old.json",
        "manifests/x.json",
    ]
    for name in strangers:
        (lake.path / name).write_text("mine")
    (lake.path / "aside" / "a folder").mkdir()
    lake.prune(keep_heads=1)
    with lake.lock("a run"):
        pass
    assert all((lake.path / name).read_text() == "mine" for name in strangers)
    assert lake.verify() == []


def test_to_keep_what_is_not_there_is_refused_and_nothing_goes(lake):
    before = tree(lake.path)
    with pytest.raises(BadData, match="Version 9 is to be kept, but is not there"):
        lake.prune(keep_heads=1, heads={9})
    with pytest.raises(BadData, match="Keep 1 or more"):
        lake.prune(keep_heads=0)
    assert tree(lake.path) == before


def test_a_damaged_manifest_stops_the_pruning(lake):
    """What a version names is not known then, so nothing may go."""
    place = lake.manifest_path(lake.head().tables["decision"])
    place.write_bytes(place.read_bytes().replace(b"decision", b"decisiom"))
    before = tree(lake.path)
    with pytest.raises(BadData, match="damaged"):
        Lake(lake.path).prune(keep_heads=1)
    assert tree(lake.path) == before


def test_a_pruned_version_cannot_be_pinned_and_a_reader_that_has_it_is_told(lake):
    pinned = lake.head(1)
    lake.prune(keep_heads=1)
    with pytest.raises(BadData, match=r"Version 1 is not kept\. Kept are: 6"):
        lake.head(1)
    with pytest.raises(BadData, match="missing"):
        pinned.files("decision")


def test_a_lake_that_was_pruned_goes_on(lake):
    lake.prune(keep_heads=1)
    with lake.lock("run 7") as writer:
        writer.append("transaction", "2026-11", *put(writer, DISK, "transaction", 7))
        writer.publish({})
    assert lake.heads() == [6, 7]
    assert len(lake.head().files("transaction")) == 7
    assert lake.verify() == []
