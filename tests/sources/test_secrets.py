"""What must not lie in the lake in the clear: card numbers, identity documents, names and contact data."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest

from backbook.errors import BadData, NotAllowed
from backbook.sources import private
from backbook.sources.cards import masked, passes_luhn
from backbook.sources.private import check_digit, mask, normal_document
from backbook.sources.tokenise import tokenise

KEY = bytes(range(32))
OTHER_KEY = bytes(32)
PEOPLE = "system,party_id,full_name,phone,email,address,id_document,city\n"
ANN = "core,P1,张小三,13800000001,a@b.cn,人民路1号,11010519491231002X,上海\n"


def card_number(seed: int, length: int = 16) -> str:
    """A made-up number that passes Luhn."""
    start = f"62{random.Random(seed).randrange(10 ** (length - 3)):0{length - 3}d}"
    return next(start + str(last) for last in range(10) if passes_luhn(start + str(last)))


def lake_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted((folder / "lake").rglob("*")) if path.is_file())


def people(bank, *lines: str) -> None:
    bank.input("people", 'path = "raw/people.csv"')
    bank.file("people.csv", PEOPLE + "".join(lines))
    bank.mapping("party.core", "select * from people")


def test_a_column_of_card_numbers_is_refused_by_name(bank) -> None:
    lines = [f"T{n},A1,2026-10-01,1,purchase,{card_number(n)}" for n in range(20)]
    bank.transactions(*lines, header="transaction_id,account_id,posted_at,amount,kind,card_id")
    with pytest.raises(
        BadData, match=r"the column 'card_id' \(卡片标识\) holds card numbers: 20 of 20 values"
    ) as refusal:
        bank.load()
    assert "backbook tokenise" in str(refusal.value)
    assert card_number(0) not in str(refusal.value)
    assert b"62" + card_number(0)[2:].encode() not in lake_bytes(bank.folder)


def test_long_ids_that_pass_by_chance_are_not_card_numbers(bank) -> None:
    random.seed(7)
    ids = sorted({f"{random.randrange(10**18, 10**19)}" for _ in range(300)})
    bank.transactions(*(f"{id},A1,2026-10-01,1,purchase" for id in ids))
    assert bank.load().accounts["transaction"].loaded == len(ids)
    assert bank.values("transaction", "transaction_id") == ids


def test_valid_identity_numbers_are_not_card_numbers(bank) -> None:
    numbers = []
    for n in range(3_000):
        start = f"1101051980{n % 12 + 1:02d}{n % 28 + 1:02d}{n % 1000:03d}"
        number = start + check_digit(start)
        if number[-1] != "X" and passes_luhn(number):
            numbers.append(number)
    bank.transactions(
        *(f"T{n},A1,2026-10-01,1,purchase,{number}" for n, number in enumerate(numbers)),
        header="transaction_id,account_id,posted_at,amount,kind,code",
    )
    assert len(numbers) > 100
    assert bank.load().accounts["transaction"].loaded == len(numbers)


def test_a_card_number_in_free_text_is_masked_and_counted(bank) -> None:
    number = card_number(1)
    bank.input("calls", 'path = "raw/calls.csv"')
    bank.file(
        "calls.csv",
        f"feedback_id,system,party_id,at,kind,text\nF1,call,P1,2026-10-01,complaint,卡号 {number} 被盗刷\nF2,call,P2,2026-10-01,praise,好\n",
    )
    bank.mapping("feedback.call", "select * from calls")
    report = bank.load()
    assert bank.values("feedback", "text") == [f"卡号 ****{number[-4:]} 被盗刷", "好"]
    assert [finding.en for finding in report.quality if finding.check == "card numbers"] == [
        "`feedback`: card numbers in 1 values of free text were masked."
    ]
    assert number.encode() not in lake_bytes(bank.folder)


def test_a_reason_never_tells_a_card_number_or_a_name(bank) -> None:
    number = card_number(2)
    bank.transactions(f"T1,A1,2026-10-01,{number},purchase", f"T2,A1,{number},1,purchase")
    people(bank, "core,P1,张小三,,,,,\n", "core,,李四,,,,,\n")
    bank.load()
    kept = str([bank.lake_rows(f"quarantine.{table}") for table in ("transaction", "party")])
    assert number not in kept
    assert "李四" not in kept


def test_masking_spares_numbers_that_are_no_cards() -> None:
    assert masked("order 20261031000017 of 13800000001") == "order 20261031000017 of 13800000001"
    assert masked("4111-1111-1111-1111") == "****1111"


def test_names_and_documents_lie_nowhere_in_the_clear(bank) -> None:
    people(bank, ANN)
    bank.load()
    written = lake_bytes(bank.folder)
    for secret in ("张小三", "13800000001", "a@b.cn", "人民路", "11010519491231002"):
        assert secret.encode() not in written
    (row,) = bank.rows("party")
    assert row["city"] == "上海"
    assert not {"full_name", "phone", "email", "address", "id_document"} & set(row)
    assert row["id_document_hash"] and row["phone_hash"]


def test_contact_data_opens_with_the_key_alone(bank) -> None:
    people(bank, ANN)
    bank.load()
    workspace = bank.open()
    head = workspace.lake.head()
    found = private.contacts(bank.engine, head, workspace.key, date(2026, 10, 31))
    assert found.to_pylist() == [
        {
            "system": "core",
            "party_id": "P1",
            "full_name": "张小三",
            "phone": "13800000001",
            "email": "a@b.cn",
            "address": "人民路1号",
        }
    ]
    with pytest.raises(BadData, match="cannot be opened"):
        private.contacts(bank.engine, head, OTHER_KEY, date(2026, 10, 31))


def test_lists_get_masked_names(bank) -> None:
    people(bank, ANN)
    bank.load()
    workspace = bank.open()
    names = private.masked_names(bank.engine, workspace.lake.head(), workspace.key, date(2026, 10, 31))
    assert names.to_pylist() == [{"system": "core", "party_id": "P1", "full_name": "张*三"}]
    assert [mask(name) for name in ("欧阳娜娜", "诸葛亮", "John Smith", "李四")] == [
        "欧阳**",
        "诸葛*",
        "J*** S***",
        "李*",
    ]


def test_the_same_person_again_is_unchanged_and_a_new_phone_is_a_correction(bank) -> None:
    people(bank, ANN)
    bank.load()
    people(bank, ANN.replace("13800000001", "+86 138 0000 0001").replace("11010519491231002X", "110105 19491231 002x"))
    assert bank.load(date(2026, 11, 1)).accounts["party"].unchanged == 1
    people(bank, ANN.replace("13800000001", "13900000009"))
    assert bank.load(date(2026, 11, 2)).accounts["party"].corrected == 1
    workspace = bank.open()
    for day, phone in ((date(2026, 11, 1), "13800000001"), (date(2026, 11, 2), "13900000009")):
        assert private.contacts(bank.engine, workspace.lake.head(), workspace.key, day)["phone"].to_pylist() == [phone]


def test_a_ciphertext_moved_or_changed_does_not_open() -> None:
    sealer = private.Sealer(KEY)
    sealed = sealer.seal("phone", "core\x1fP1", "13800000001")
    assert sealer.open("phone", "core\x1fP1", sealed) == "13800000001"
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for column, row, data in (
        ("phone", "core\x1fP2", sealed),
        ("email", "core\x1fP1", sealed),
        ("phone", "core\x1fP1", flipped),
    ):
        with pytest.raises(BadData):
            sealer.open(column, row, data)


def test_no_two_texts_share_a_nonce() -> None:
    sealer = private.Sealer(KEY)
    nonces = {
        sealer.seal(column, f"core\x1fP{row}", "x" * row)[: private.NONCE_BYTES]
        for column in private.CONTACT
        for row in range(200)
    }
    assert len(nonces) == 200 * len(private.CONTACT)


def test_old_and_new_spellings_of_one_document_are_one() -> None:
    assert normal_document("110105491231002") == "11010519491231002X"
    assert normal_document("１１０１０５１９４９１２３１００２ｘ") == "11010519491231002X"
    assert normal_document("110105 491399 002") == "110105491399002", "no such day: left as it is"
    assert normal_document("e 1234-5678") == "E12345678"


def test_tokenise_turns_card_numbers_into_hashes_and_keeps_the_last_four_apart(tmp_path: Path) -> None:
    number = card_number(3)
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(f'card,name\n{number},"a, b"\n{number[:4]} {number[4:]},c\n,d\n', encoding="utf-8")
    assert tokenise(source, target, ["card"], KEY) == 3
    lines = target.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "card,name,card_last4"
    first, second, third = (line.split(",") for line in lines[1:])
    assert first[0] == second[0] != number
    assert (first[-1], third[0], third[-1]) == (number[-4:], "", "")
    assert number not in target.read_text(encoding="utf-8")
    again = tmp_path / "again.csv"
    tokenise(source, again, ["card"], OTHER_KEY)
    assert again.read_text(encoding="utf-8") != target.read_text(encoding="utf-8")


def test_tokenise_refuses_what_it_cannot_do_whole(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("card_no,name\n1,2,3\n", encoding="utf-8")
    with pytest.raises(BadData, match="no column 'card'. Did you mean 'card_no'"):
        tokenise(source, tmp_path / "out.csv", ["card"], KEY)
    with pytest.raises(BadData, match=r"in.csv:2 has 3 fields where 2 were expected"):
        tokenise(source, tmp_path / "out.csv", ["card_no"], KEY)
    with pytest.raises(NotAllowed, match="written over"):
        tokenise(source, source, ["card_no"], KEY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]
