"""A new key for the workspace: everything still opens, everyone is still known, and no clear text comes to lie anywhere."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from backbook import keys
from backbook.cli import app
from backbook.errors import BadData, NotAllowed
from backbook.lake import Writer
from backbook.sources import private
from backbook.sources.rotate import rotate
from backbook.sources.tokenise import tokenise

DAY = date(2026, 10, 31)
PEOPLE = "system,party_id,full_name,phone,email,address,id_document,city\n"
ANN = "core,P1,张小三,13800000001,a@b.cn,人民路1号,11010519491231002X,上海\n"
BOB = "core,P2,John SMITH,,j@s.com,,E12345678,北京\n"
CLEAR = ("张小三", "13800000001", "13900000009", "a@b.cn", "人民路", "11010519491231002", "E12345678", "john")
HASHES = [f"{name}_hash" for name in ("full_name", "id_document", "phone", "email", "address")]


def deliver(bank, *lines: str, day: date = DAY):
    bank.input("people", 'path = "raw/people.csv"\ndelivery = "extract"')
    bank.file("people.csv", PEOPLE + "".join(lines))
    bank.mapping("party.core", "select * from people")
    return bank.load(day)


@pytest.fixture
def book(bank):
    """Two people; then another phone for Ann, and Bob is withdrawn: files of both kinds, and a row that says no more."""
    deliver(bank, ANN, BOB)
    deliver(bank, ANN.replace("13800000001", "13900000009"), BOB, day=date(2026, 11, 1))
    bank.mapping("party.core", "select * from people where party_id <> 'P2'")
    bank.load(date(2026, 11, 2))
    return bank


def stored(bank, table: str) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Part, kind and rows of every file, as they lie there."""
    head = bank.open().lake.head()
    found = head.manifest(table)
    return [(one.part, one.kind, pq.read_table(head.lake.path / one.path).to_pylist()) for one in found.files]


def contacts(bank, day: date = DAY, **options: Any) -> list[dict[str, Any]]:
    workspace = bank.open()
    head = options.pop("head", None) or workspace.lake.head()
    return private.contacts(bank.engine, head, options.pop("key", None) or workspace.key, day).to_pylist()


def key_lines(bank) -> list[str]:
    return (bank.folder / "backbook.key").read_text().splitlines()


@contextmanager
def dying(monkeypatch, owner: Any, name: str, error: Exception) -> Iterator[None]:
    def dies(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dies)
        yield


def test_contact_data_of_every_version_opens_under_the_new_key(book) -> None:
    days = [DAY, date(2026, 11, 1), date(2026, 11, 2)]
    before = [contacts(book, day) for day in days]
    assert [row["phone"] for row in before[0]] == ["13800000001", None]
    found = rotate(book.open())
    assert (found.before, found.after, found.pending) == (1, 2, False)
    assert [contacts(book, day) for day in days] == before
    assert len(key_lines(book)) == 2


def test_rows_parts_kinds_and_order_stay_and_only_what_the_key_made_changes(book) -> None:
    before = {table: stored(book, table) for table in ("party", private.TABLE)}
    assert {kind for _, kind, _ in before["party"]} == {"base", "later"}
    assert any(row["_withdrawn"] for _, _, rows in before["party"] for row in rows)
    head = book.open().lake.head()
    shapes = {table: [pq.read_schema(file) for file in head.files(table)] for table in before}
    rotate(book.open())
    head = book.open().lake.head()
    for table, made in (("party", HASHES), (private.TABLE, list(private.CONTACT))):
        after = stored(book, table)
        assert [pq.read_schema(file) for file in head.files(table)] == shapes[table]
        assert [file[:2] for file in after] == [file[:2] for file in before[table]]
        for (_, _, old_rows), (_, _, new_rows) in zip(before[table], after, strict=True):
            for old, new in zip(old_rows, new_rows, strict=True):
                assert {name: new[name] for name in new if name not in made} == {
                    name: old[name] for name in old if name not in made
                }
                for name in made:
                    assert (old[name] is None) == (new[name] is None)
                    assert old[name] is None or old[name] != new[name]


def test_the_same_files_again_bring_nothing_new(book) -> None:
    rotate(book.open())
    rows = {table: len(book.lake_rows(table)) for table in ("party", private.TABLE)}
    # Another comment makes the mapping another one, so that the rows are read and compared.
    book.mapping("party.core", "-- again\nselect * from people where party_id <> 'P2'")
    book.file("people.csv", PEOPLE + ANN.replace("13800000001", "+86 139 0000 0009"))
    again = book.load(date(2026, 11, 3)).accounts["party"]
    assert (again.unchanged, again.loaded, again.corrected, again.withdrawn) == (1, 0, 0, 0)
    assert {table: len(book.lake_rows(table)) for table in rows} == rows


def test_a_document_that_comes_after_the_rotation_meets_the_one_from_before(book) -> None:
    rotate(book.open())
    rotate(book.open())
    deliver(
        book, ANN.replace("13800000001", "13900000009"), "app,Z1,张三,,,,11010519491231002x,\n",
        "app,Z2,张三,,,,110105 491231 002,\n", "app,Z3,张三,,,,e 1234-5678,\n", day=date(2026, 11, 4),
    )  # fmt: skip
    rows = {row["party_id"]: row for row in book.rows("party", date(2026, 11, 4))}
    assert rows["P1"]["id_document_hash"] == rows["Z1"]["id_document_hash"] == rows["Z2"]["id_document_hash"]
    assert rows["Z3"]["id_document_hash"] not in (None, rows["P1"]["id_document_hash"])
    (bob,) = [row for row in book.rows("party") if row["party_id"] == "P2"]
    assert rows["Z3"]["id_document_hash"] == bob["id_document_hash"]
    assert len(key_lines(book)) == 3


def test_a_rotation_that_dies_before_it_is_published_leaves_all_readable_and_the_next_one_ends_it(
    book, monkeypatch
) -> None:
    before, hashes, version = contacts(book), book.rows("party"), book.open().lake.head().number
    with dying(monkeypatch, Writer, "publish", RuntimeError("power cut")), pytest.raises(RuntimeError):
        rotate(book.open())
    lines = key_lines(book)
    assert len(lines) == 2, "the new key lasts before anything is written with it"
    assert book.open().lake.head().number == version
    assert book.open().key == bytes.fromhex(lines[0])
    assert contacts(book) == before
    assert book.rows("party") == hashes
    # A load in between goes on under the older key.
    deliver(book, ANN, BOB, day=date(2026, 11, 5))
    between = contacts(book, date(2026, 11, 5))

    found = rotate(book.open())
    assert (found.before, found.after, found.pending) == (1, 2, True)
    assert key_lines(book) == lines
    assert (contacts(book), contacts(book, date(2026, 11, 5))) == (before, between)
    assert book.rows("party") != hashes


def test_a_key_file_that_cannot_be_replaced_is_refused_and_nothing_is_rotated(book, monkeypatch) -> None:
    before, lines = contacts(book), key_lines(book)
    with (
        dying(monkeypatch, os, "replace", OSError(30, "Read-only file system")),
        pytest.raises(NotAllowed, match="cannot be replaced: Read-only file system. Nothing was rotated"),
    ):
        rotate(book.open())
    assert key_lines(book) == lines
    assert contacts(book) == before
    assert [file.name for file in book.folder.glob("backbook.key*")] == ["backbook.key"]


def test_a_key_that_the_bank_adds_itself_is_the_one_taken(book) -> None:
    file, own = book.folder / "backbook.key", "ab" * 32
    file.write_text(file.read_text() + own + "\n")
    assert rotate(book.open()).pending
    assert key_lines(book)[1:] == [own]
    assert contacts(book)


def test_an_older_version_opens_with_the_ring(book) -> None:
    older, expected = book.open().lake.head(), contacts(book)
    rotate(book.open())
    assert contacts(book, head=book.open().lake.head(older.number)) == expected


@pytest.mark.parametrize("kept", [lambda one, two: [one], lambda one, two: [two], lambda one, two: [two, one]])
def test_a_ring_with_a_line_missing_or_moved_no_longer_opens(book, kept: Callable[[str, str], list[str]]) -> None:
    rotate(book.open())
    lines = kept(*key_lines(book))
    (book.folder / "backbook.key").write_text("\n".join(lines) + "\n")
    with pytest.raises(NotAllowed, match="Put back the key file"):
        assert book.open().key
    with pytest.raises(NotAllowed, match="Put back the key file"):
        contacts(book, key=bytes.fromhex("".join(lines)))


def test_the_old_key_opens_nothing_of_what_is_sealed_now(book) -> None:
    old = book.open().key
    rotate(book.open())
    rows = [row for _, _, rows in stored(book, private.TABLE) for row in rows if row["full_name"]]
    assert rows
    for row in rows:
        with pytest.raises(BadData, match="cannot be opened"):
            private.Sealer(old).open("full_name", private.row_name(row["system"], row["party_id"]), row["full_name"])


def test_nothing_lies_in_the_clear_and_no_key_lies_in_the_lake(book, capfd) -> None:
    rotate(book.open())
    written = b"".join(path.read_bytes() for path in (book.folder / "lake").rglob("*") if path.is_file())
    printed = "".join(capfd.readouterr())
    for secret in (*CLEAR, *key_lines(book)):
        assert secret.encode() not in written
        assert secret not in printed
    for line in key_lines(book):
        assert bytes.fromhex(line) not in written


def test_one_line_is_the_key_itself_and_hashes_and_seals_as_ever() -> None:
    key = bytes(range(32))
    assert keys.each(key) == [key]
    secret = private.subkey(key, "hash phone")
    (hashed,) = private.hashed(key, "phone", private.pa.chunked_array([["+86 138-0000-0001"]])).to_pylist()
    assert hashed == private.keyed_hash(secret, "13800000001")
    # Taken from the version before keys could be rotated.
    assert hashed == "1541165323ca37e2cadb6abe9702ff9b"
    assert (
        private.Sealer(key).seal("phone", "core\x1fP1", "13800000001").hex()
        == "693617301a7cd1797a655f713bf9972f9c72884f48ec05df798ab0aff80d44e9d896097d29f72a"
    )


def test_a_lake_that_was_never_rotated_says_nothing_of_keys(bank) -> None:
    deliver(bank, ANN)
    assert bank.open().lake.documents(keys.KIND) == []
    assert bank.open().key == bytes.fromhex(*key_lines(bank))
    rotate(bank.open())
    (name,) = bank.open().lake.documents(keys.KIND)
    assert json.loads(bank.open().lake.document(keys.KIND, name))["generation"] == 2


def test_card_tokens_stay_the_same(book) -> None:
    source = book.file("cards.csv", "card\n6222020000000000\n")
    written = []
    for target in (book.folder / "one.csv", book.folder / "two.csv"):
        tokenise(source, target, ["card"], book.open().key)
        written.append(target.read_text())
        rotate(book.open())
    assert written[0] == written[1]


def test_who_could_read_the_key_file_still_can_and_a_link_stays_one(book) -> None:
    file, vault = book.folder / "backbook.key", book.folder / "vault.txt"
    shutil.move(file, vault)
    vault.chmod(0o640)
    file.symlink_to(vault)
    rotate(book.open())
    assert file.is_symlink()
    assert vault.stat().st_mode & 0o777 == 0o640
    assert len(vault.read_text().splitlines()) == 2


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(book) -> None:
    before, version = key_lines(book), book.open().lake.head().number
    said = " ".join(rotate(book.open(), dry_run=True).told())
    assert said.startswith("The lake would go from key 1 to key 2, a new key; 4 rows of party, 4 rows of party_contact")
    assert (key_lines(book), book.open().lake.head().number) == (before, version)


def test_a_book_without_people_goes_to_the_new_key_all_the_same(bank) -> None:
    assert len(bank.open().key) == keys.BYTES
    bank.load()
    rotate(bank.open())
    assert len(bank.open().key) == 2 * keys.BYTES


def test_without_a_lake_or_a_key_file_a_rotation_is_refused(bank) -> None:
    with pytest.raises(NotAllowed, match="has no lake yet"):
        rotate(bank.open())
    assert not (bank.folder / "lake").exists()
    assert not (bank.folder / "backbook.key").exists()
    deliver(bank, ANN)
    (bank.folder / "backbook.key").unlink()
    with pytest.raises(NotAllowed, match="is missing, and the lake was built with it"):
        rotate(bank.open())


def test_a_rotation_waits_for_no_run(book) -> None:
    with book.open().lake.lock("run by night"), pytest.raises(NotAllowed, match="run by night"):
        rotate(book.open())
    assert len(key_lines(book)) == 1


def test_the_command_says_what_it_did(book) -> None:
    book.open()
    done = CliRunner().invoke(app, ["rotate-key", str(book.folder), "--quiet"])
    assert done.exit_code == 0
    assert "from key 1 to key 2" in done.output
    assert "4 rows of party" in done.output


def test_no_key_of_a_person_is_lost_over_a_file_of_many_pieces(bank, monkeypatch) -> None:
    monkeypatch.setattr("backbook.sources.rotate.ROWS_PER_GROUP", 7)
    deliver(bank, *(f"core,P{n:03},人{n},138{n:08},,,E{n:08},\n" for n in range(100)))
    before = contacts(bank)
    rotate(bank.open())
    assert contacts(bank) == before
    names = [row["party_id"] for _, _, rows in stored(bank, "party") for row in rows]
    assert names == sorted(names) and len(names) == 100


def test_the_key_file_is_not_left_half_written(tmp_path: Path) -> None:
    file = tmp_path / "backbook.key"
    keys.make(file)
    (tmp_path / "backbook.key.new").write_text("what a killed rotation left")
    ring = keys.add(file, keys.read(file))
    assert keys.read(file) == ring
    assert [one.name for one in tmp_path.iterdir()] == ["backbook.key"]
