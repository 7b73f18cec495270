"""What the disk spoils is found before it is used."""

from __future__ import annotations

import os
import shutil

import pytest
from lake_disks import content, first_run, put, second_run, tree

from backbook.errors import BadData
from backbook.lake import Disk, Head, Lake, Manifest

DISK = Disk()


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    first_run(lake, DISK)
    second_run(lake, DISK)
    return lake


def flip(path, bit):
    """Invert one bit: whatever it was, it is different now."""
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def test_a_sound_lake_has_no_faults(lake):
    assert lake.verify() == lake.verify(lake.head()) == lake.verify(lake.head(1)) == []


@pytest.mark.parametrize("kind", ["HEAD", "heads/000001", "heads/000002", "manifests/", "data/", "documents/"])
def test_one_flipped_bit_in_any_file_is_found_by_verify(kind, lake):
    files = [lake.path / name for name in tree(lake.path) if name.startswith(kind)]
    assert files
    for file in files:
        whole = file.read_bytes()
        for bit in {0, 5, len(whole) * 4, len(whole) * 8 - 1}:
            flip(file, bit)
            faults = Lake(lake.path).verify()
            assert [fault.file for fault in faults if fault.file == file.relative_to(lake.path).as_posix()]
            file.write_bytes(whole)
    assert Lake(lake.path).verify() == []


def test_every_single_bit_of_head_and_of_a_manifest_is_guarded(lake):
    id = lake.head().tables["decision"]
    readers = {
        lake.path / "HEAD": lambda data, place: Head.read(data, lake, place),
        lake.manifest_path(id): lambda data, place: Manifest.read(data, id, place),
    }
    for place, read in readers.items():
        whole = place.read_bytes()
        read(whole, place)
        for bit in range(len(whole) * 8):
            data = bytearray(whole)
            data[bit // 8] ^= 1 << bit % 8
            with pytest.raises(BadData, match="damaged"):
                read(bytes(data), place)


@pytest.mark.parametrize("kind", ["data/decision", "documents/bundle/000002-b2", "manifests/", "HEAD"])
def test_damage_is_found_before_the_file_is_used(kind, lake):
    for name in tree(lake.path):
        if name.startswith(kind):
            flip(lake.path / name, 77)
    with pytest.raises(BadData, match="damaged"):
        content(Lake(lake.path).head())


def test_a_file_cut_short_or_missing_is_named_with_what_was_expected(lake):
    first, second = lake.head().manifest("transaction").files[:2]
    os.truncate(lake.path / first.path, 100)
    (lake.path / second.path).unlink()
    with pytest.raises(BadData) as error:
        Lake(lake.path).head().files("transaction")
    assert f"{first.path}: The file has 100 bytes, its manifest says {first.bytes:,}." in str(error.value)
    assert f"{second.path}: The file is missing." in str(error.value)


def test_damage_that_comes_after_the_first_look_is_found_too(lake):
    path = lake.head().files("decision", "2026-10-31")[0]
    flip(path, 99)
    with pytest.raises(BadData, match="has changed since it was published"):
        lake.head().files("decision", "2026-10-31")


def test_a_damaged_head_can_be_mended_from_its_copy(lake):
    flip(lake.path / "HEAD", 300)
    with pytest.raises(BadData, match="hold the same bytes"):
        Lake(lake.path).head()
    with pytest.raises(BadData, match="damaged"), Lake(lake.path).lock("a run"):
        pass
    shutil.copy(lake.head_path(2), lake.path / "HEAD")
    assert Lake(lake.path).verify() == []


def test_a_lost_head_is_never_taken_for_an_empty_lake(lake):
    before = tree(lake.path / "data")
    (lake.path / "HEAD").unlink()
    for act in (Lake(lake.path).head, lambda: Lake(lake.path).lock("a run").__enter__()):
        with pytest.raises(BadData, match=r"000002\.json is the last version: copy it to HEAD"):
            act()
    assert tree(lake.path / "data") == before
    assert "missing" in str(Lake(lake.path).verify())


def test_a_file_swapped_for_another_sound_one_is_found(lake):
    first, second = (lake.path / file.path for file in lake.head().manifest("decision").files[:2])
    first.write_bytes(second.read_bytes())
    assert [fault.file for fault in Lake(lake.path).verify()] == [first.relative_to(lake.path).as_posix()]


def test_the_next_publish_does_not_build_on_damage(lake):
    for name in tree(lake.path):
        if name.startswith("manifests/"):
            flip(lake.path / name, 50)
    with pytest.raises(BadData, match="damaged"), Lake(lake.path).lock("a run") as writer:
        writer.append("transaction", "2026-10", *put(writer, DISK, "transaction", 9))
