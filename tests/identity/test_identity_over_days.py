"""Records of several systems become customers whose ids last, whose lineage is told, and whom people may rule about."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from identity_bank import Bank, check_digits, parts

from backbook.customer.identity import acts
from backbook.engine import Engine
from backbook.errors import NotAllowed

DOCUMENT = check_digits("01234519800506123")
SHORT = DOCUMENT[:6] + DOCUMENT[8:17]
DAYS = ("2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()


@pytest.fixture
def bank(tmp_path: Path, engine: Engine) -> Iterator[Bank]:
    with engine.scope():
        yield Bank(tmp_path / "bank", engine)


def day(year: int, month: int, number: int) -> datetime:
    return datetime.fromisoformat(f"{year}-{month:02d}-{number:02d}")


def ann(bank: Bank, *names: str, **told) -> None:
    bank.arrive(*names, **{"full_name": "王晓明", "birth_date": "1980-05-06", "phone": "16012345678", **told})


def bob(bank: Bank, *names: str, **told) -> None:
    bank.arrive(*names, **{"full_name": "李大勇", "birth_date": "1971-11-23", "phone": "16087654321", **told})


# ── found ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_document_of_15_digits_and_one_of_18_are_one_person(bank):
    bank.arrive("core:1", full_name="王晓明", id_document=DOCUMENT, birth_date="1980-05-06")
    bank.arrive("app:9", full_name="王晓明", id_document=SHORT)
    bank.arrive("app:8", full_name="王晓明", id_document=check_digits("01234519800506185"))
    who = bank.who(DAYS[0])
    assert who["core:1"] == who["app:9"] != who["app:8"]
    assert bank.rows("identity", DAYS[0])["app:9"]["rule"] == "document"


def test_the_holder_of_the_main_card_is_the_debtor(bank):
    bank.arrive("core:1", full_name="王晓明")
    bank.arrive("cards:5", full_name="Wang Xiaoming")
    bank.accounts([("A1", "core", "1")])
    bank.cards([("K1", "A1", "cards", "5")])
    who = bank.who(DAYS[0])
    assert who["core:1"] == who["cards:5"]
    assert bank.rows("identity", DAYS[0])["cards:5"]["rule"] == "account"


def test_a_verified_phone_and_the_same_name_are_one_person_and_a_phone_alone_is_not(bank):
    bank.arrive("core:1", full_name="王晓明", phone="16012345678")
    bank.arrive("app:9", full_name="王晓明", phone="+86 160-1234-5678")
    bank.arrive("app:8", full_name="李大勇", phone="16012345678")
    who = bank.who(DAYS[0])
    assert who["core:1"] == who["app:9"] != who["app:8"]
    assert bank.rows("identity", DAYS[0])["app:9"]["rule"] == "phone_and_name"


def test_a_number_given_away_again_says_nothing_of_who_had_it_before(bank):
    bank.arrive("core:1", full_name="王伟", phone="16012345678", created_at="2015-01-01", known_on="2025-01-01")
    bank.arrive("core:1", full_name="王伟", phone="16055555555", created_at="2015-01-01", known_on="2025-03-01")
    bank.arrive("app:9", full_name="王伟", phone="16012345678", created_at="2026-01-05", known_on="2026-01-05")
    who = bank.who(DAYS[0])
    assert who["core:1"] != who["app:9"]


def test_a_name_in_latin_letters_with_the_birth_date_and_the_phone_is_the_same_person(bank):
    ann(bank, "core:1", address="广东省深圳市南山区人民路12号3栋401室")
    bank.arrive("shop:7", full_name="Xiaoming WANG", birth_date="1980-05-06", phone="16012345678")
    who = bank.who(DAYS[0])
    assert who["core:1"] == who["shop:7"]
    found = bank.rows("identity", DAYS[0])["shop:7"]
    assert found["rule"] == "likely"
    assert 0.5 <= found["probability"] <= 1


# ── kept ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_older_record_that_joins_later_does_not_take_the_name(bank):
    ann(bank, "app:9", created_at="2022-01-01", id_document=DOCUMENT)
    assert bank.who(DAYS[0]) == {"app:9": "app:9"}
    ann(bank, "core:1", created_at="2010-01-01", id_document=DOCUMENT, known_on="2026-02-10")
    assert bank.who(DAYS[1]) == {"app:9": "app:9", "core:1": "app:9"}


def test_a_day_walked_again_finds_the_same(bank):
    ann(bank, "core:1", "app:9")
    bob(bank, "core:2")
    first = bank.who(DAYS[0]), bank.table("identity_lineage", DAYS[0])
    bank.who(DAYS[1])
    assert (bank.who(DAYS[0]), bank.table("identity_lineage", DAYS[0])) == first


def lineage_holds(bank: Bank, days) -> None:
    """The lineage told on the last day is the identity of every day, and its intervals do not overlap."""
    told = bank.table("identity_lineage", days[-1])
    for day in days:
        on = datetime.fromisoformat(day).date()
        there = {f"{row['system']}:{row['party_id']}": row["customer_id"] for row in told
                 if row["since"] <= on and (row["until"] is None or on <= row["until"])}  # fmt: skip
        assert there == {name: row["customer_id"] for name, row in bank.rows("identity", day).items()}, day


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_over_merges_unmerges_and_arrivals_ids_change_by_lineage_alone_and_the_end_is_what_it_always_was(
    data, tmp_path_factory, engine
):
    folder = tmp_path_factory.mktemp("random")
    names = ["core:1", "core:2", "core:3", "app:4"]
    documents = {name: check_digits(f"0123451980050{place}123") for place, name in enumerate(names)}
    documents["app:4"] = documents["core:1"]
    arrival = data.draw(st.permutations(names), "arrival")
    acts_ = [(day, *data.draw(st.tuples(st.sampled_from(["merge", "keep_apart"]), st.sampled_from(names), st.sampled_from(names)), day))
             for day in DAYS[1:4]]  # fmt: skip
    with engine.scope():
        bank, at_once = Bank(folder / "days", engine), Bank(folder / "once", engine)
        for place, name in enumerate(arrival):
            told = {
                "full_name": f"王{'伟强磊军'[names.index(name)]}",
                "id_document": documents[name],
                "created_at": f"20{10 + place}-01-01",
            }
            at_once.arrive(name, **told, known_on=DAYS[0])
            bank.arrive(name, **told, known_on=DAYS[min(place // 2, 2)])
        for place, on_day in enumerate(DAYS):
            for on, kind, one, two in acts_:
                if on == on_day and one != two:
                    bank.rule(kind, f"{one} + {two}", on_day, f"R{place}")
                    at_once.rule(kind, f"{one} + {two}", on_day, f"R{place}")
            bank.who(on_day)
        at_once.load(DAYS[0])
        lineage_holds(bank, DAYS)
        assert parts(bank.who(DAYS[-1])) == parts(at_once.who(DAYS[-1]))


def test_in_whatever_order_they_come_the_people_are_the_same(tmp_path, engine):
    told = {
        "core:1": {"full_name": "王晓明", "birth_date": "1980-05-06", "phone": "16012345678"},
        "shop:7": {"full_name": "Wang Xiaoming", "birth_date": "1980-05-06", "email": "w.x@example.com"},
        "app:9": {"full_name": "王晓明", "phone": "16012345678", "email": "w.x@example.com"},
        "core:2": {"full_name": "王晓敏", "birth_date": "1990-05-06", "phone": "16012345679"},
    }
    found = set()
    with engine.scope():
        for place, order in enumerate(list(itertools.permutations(told))[::9]):
            bank = Bank(tmp_path / str(place), engine)
            for on_day, name in zip(DAYS, order, strict=False):
                bank.arrive(name, **told[name], known_on=on_day)
                bank.who(on_day)
            found.add(frozenset(parts(bank.who(DAYS[4]))))
    assert found == {frozenset({frozenset({"core:1", "shop:7", "app:9"}), frozenset({"core:2"})})}


# ── ruled ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_merge_keeps_the_older_id_and_an_unmerge_gives_each_its_own_again_for_ever(bank):
    ann(bank, "core:1", created_at="2015-01-01")
    bob(bank, "app:9", created_at="2019-01-01")
    assert bank.who(DAYS[0]) == {"core:1": "core:1", "app:9": "app:9"}
    made = bank.rule("merge", "core:1 + app:9", "2026-02-10")
    assert bank.who(DAYS[1]) == {"core:1": "core:1", "app:9": "core:1"}
    assert bank.rows("identity_lineage", DAYS[1])["app:9"]["ruling"] == made
    bank.rule("unmerge", "app:9 | core:1", "2026-03-10")
    assert bank.who(DAYS[2]) == bank.who(DAYS[3], load=False) == {"core:1": "core:1", "app:9": "app:9"}
    lineage_holds(bank, DAYS[:4])


def test_what_the_evidence_joined_stays_apart_once_a_person_said_so_and_joins_when_taken_back(bank):
    ann(bank, "core:1", "app:9", id_document=DOCUMENT)
    assert len(parts(bank.who(DAYS[0]))) == 1
    apart = bank.rule("keep_apart", "core:1 + app:9", "2026-02-10")
    assert len(parts(bank.who(DAYS[1]))) == 2
    assert len(parts(bank.who(DAYS[2]))) == 2
    bank.rule("merge", f"ruling:{apart}", "2026-04-10")
    assert len(parts(bank.who(DAYS[3]))) == 1


def test_a_ruling_of_a_later_day_does_not_bind_an_earlier_one(bank):
    ann(bank, "core:1")
    bob(bank, "app:9")
    bank.rule("merge", "core:1 + app:9", "2026-02-10")
    bank.load(DAYS[1])
    assert len(parts(bank.who(DAYS[0], load=False))) == 2
    assert len(parts(bank.who(DAYS[1], load=False))) == 1


def test_a_ruling_that_nobody_can_follow_is_told_and_stops_nothing(bank):
    ann(bank, "core:1")
    bank.rule("merge", "core:1 + core:77", "2026-01-10")
    bank.rule("unmerge", "core:1", "2026-01-11")
    bank.rule("merge", "ruling:R99", "2026-01-12")
    told = " ".join(bank.identify(DAYS[0]).found["not_followed"])
    assert "core:77" in told
    assert "RECORD | RECORD" in told
    assert "R99" in told


# ── acts of a person ────────────────────────────────────────────────────────────────────────────────────────


def act(bank: Bank, what, *records, **more):
    return what(bank.workspace, *records, actor="teller 7", reason="came with her passport", **more)


def test_merge_unmerge_and_undo_by_hand(bank):
    ann(bank, "core:1", created_at="2015-01-01")
    bob(bank, "app:9", created_at="2019-01-01")
    bank.who(DAYS[0])
    merged = act(bank, acts.merge, "core:1", "app:9", at=day(2026, 2, 1))
    assert merged.ruling is not None
    assert bank.who(DAYS[1])["app:9"] == "core:1"
    act(bank, acts.undo, merged.ruling.ruling_id, at=day(2026, 3, 1))
    assert bank.who(DAYS[2])["app:9"] == "app:9"
    with pytest.raises(NotAllowed, match="taken back already"):
        act(bank, acts.undo, merged.ruling.ruling_id)
    act(bank, acts.merge, "core:1", "app:9", at=day(2026, 4, 1))
    assert bank.who(DAYS[3])["app:9"] == "core:1"
    act(bank, acts.unmerge, ["app:9"], at=day(2026, 5, 1))
    assert bank.who(DAYS[4])["app:9"] == "app:9"
    shown = acts.show(bank.workspace, "app:9", language="en")
    assert [row["name"] for row in shown.records] == ["李*勇"]
    assert [row["customer_id"] for row in shown.lineage] == ["app:9", "core:1", "app:9", "core:1", "app:9"]


def test_acts_that_mean_nothing_are_refused(bank):
    ann(bank, "core:1", "app:9", id_document=DOCUMENT)
    bob(bank, "core:2")
    bank.who(DAYS[0])
    with pytest.raises(NotAllowed, match="one person already"):
        act(bank, acts.merge, "core:1", "core:1")
    with pytest.raises(NotAllowed, match="one person already"):
        act(bank, acts.merge, "core:1", "app:9")
    with pytest.raises(NotAllowed, match="one record only: it was never merged"):
        act(bank, acts.unmerge, ["core:2"])
    with pytest.raises(NotAllowed, match="2 customers"):
        act(bank, acts.unmerge, ["core:1", "core:2"])
    with pytest.raises(NotAllowed, match="same record"):
        act(bank, acts.apart, "core:2", "core:2")
    with pytest.raises(NotAllowed, match="no record 'core:77'"):
        act(bank, acts.merge, "core:1", "core:77")
    with pytest.raises(NotAllowed, match=r"Did you mean core:2"):
        act(bank, acts.merge, "core:1", "app:2")
    with pytest.raises(NotAllowed, match="no ruling"):
        act(bank, acts.undo, "R1")
    with pytest.raises(NotAllowed, match="actor"):
        acts.merge(bank.workspace, "core:1", "core:2", actor=" ", reason="x")
    with pytest.raises(NotAllowed, match="still to come"):
        act(bank, acts.merge, "core:1", "core:2", at=day(2099, 1, 1))
    assert not (bank.folder / "rulings.jsonl").exists()


def test_a_merge_that_would_make_a_person_of_too_many_records_is_refused_and_a_chain_of_them_stops(tmp_path, engine):
    with engine.scope():
        bank = Bank(tmp_path / "bank", engine, most=3)
        ann(bank, "core:1", "app:9", id_document=DOCUMENT)
        bob(bank, "core:2", "app:8", id_document=check_digits("01234519711123123"))
        bank.who(DAYS[0])
        with pytest.raises(NotAllowed, match="4 records, more than the 3"):
            act(bank, acts.merge, "core:1", "core:2")
        # The bank's own file may still ask for it: nobody gets more than three, and what was not joined is put before people.
        bank.rule("merge", "core:1 + core:2", "2026-02-01", "R-bank")
        assert max(map(len, parts(bank.who(DAYS[1])))) == 3
        assert [row["why"] for row in bank.table("identity_review", DAYS[1])] == ["too_many"]


def test_a_chain_of_merges_joins_no_more_records_than_a_person_has_and_says_where_it_stopped(tmp_path, engine):
    with engine.scope():
        bank = Bank(tmp_path / "bank", engine, most=3)
        for number in range(6):
            bank.arrive(f"core:{number}")
            if number:
                bank.rule("merge", f"core:{number - 1} + core:{number}", "2026-01-10", f"R{number}")
        found = bank.identify(DAYS[0]).found
        assert found["not_followed"] == ["R3 would make a person of more than 3 records (most_records)."]
        assert sorted(
            map(len, parts({name: row["customer_id"] for name, row in bank.rows("identity", DAYS[0]).items()}))
        ) == [1, 3, 3]


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(bank):
    ann(bank, "core:1")
    bob(bank, "core:2")
    bank.who(DAYS[0])
    done = act(bank, acts.merge, "core:1", "core:2", dry_run=True)
    assert done.ruling is None
    assert not (bank.folder / "rulings.jsonl").exists()


# ── suspicious ──────────────────────────────────────────────────────────────────────────────────────────────


def test_one_document_with_two_birth_dates_joins_nobody_and_is_put_before_people(bank):
    bank.arrive("core:1", full_name="王晓明", id_document=DOCUMENT, birth_date="1980-05-06")
    bank.arrive("core:2", full_name="王晓明", id_document=DOCUMENT, birth_date="1985-07-08")
    assert len(parts(bank.who(DAYS[0]))) == 2
    (pair,) = acts.review(bank.workspace, language="en")
    assert pair["why"] == "conflict"
    assert "the same document" in pair["for"]
    assert any("birth" in word for word in pair["against"])
    assert [row["kind"] for row in bank.table("identity_suspect", DAYS[0])] == ["one_document"]
    bank.rule("keep_apart", "core:1 + core:2", "2026-02-10")
    bank.who(DAYS[1])
    assert acts.review(bank.workspace) == []


def test_a_phone_on_five_hundred_records_joins_nobody_and_is_shown(bank):
    for place in range(500):
        first, second = divmod(place, 25)
        bank.arrive(
            f"app:{place}",
            full_name=f"{'王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗'[first]}{'伟强磊军洋勇杰涛明超刚平辉鹏华飞鑫波斌宇浩凯健俊帆'[second]}",
            phone="16012345678",
        )
    found = bank.who(DAYS[0])
    assert len(parts(found)) == 500
    (row,) = bank.table("identity_suspect", DAYS[0])
    assert (row["kind"], row["records"], row["customers"]) == ("crowded_phone", 500, 500)


def test_no_document_and_no_name_is_readable_in_the_lake(bank):
    ann(bank, "core:1", "app:9", id_document=DOCUMENT)
    bank.who(DAYS[0])
    lake = bank.folder / "lake"
    engine = bank.workspace.engine
    for file in lake.rglob("*.parquet"):
        for row in engine.rows(engine.parquet([file])):
            text = repr(row)
            assert DOCUMENT not in text, file
            assert "王晓明" not in text, file
            assert "xiao" not in text, file


# ── the golden record ───────────────────────────────────────────────────────────────────────────────────────


def test_each_field_is_believed_by_its_own_rule(bank):
    bank.arrive("core:1", full_name="王晓明", id_document=DOCUMENT, phone="16011111111", known_on="2026-01-01")
    bank.arrive(
        "app:9",
        full_name="小明",
        id_document=DOCUMENT,
        phone="16022222222",
        email="w@example.com",
        known_on="2026-01-20",
    )
    bank.rule("merge", "core:1 + app:9")
    bank.who(DAYS[0])
    golden = acts.show(bank.workspace, "app:9").golden
    assert golden["full_name"] == {"from": "core:1", "rule": "most_trusted"}
    assert golden["phone"] == {"from": "app:9", "rule": "latest"}
    assert golden["email"]["from"] == "app:9"


def test_quality_is_told_in_numbers_and_against_truth(bank, tmp_path):
    ann(bank, "core:1", "app:9", id_document=DOCUMENT)
    bob(bank, "core:2")
    bank.who(DAYS[0])
    truth = tmp_path / "truth.csv"
    truth.write_text("system,party_id,person\ncore,1,1\napp,9,1\ncore,2,1\n", encoding="utf-8")
    told = acts.measured(bank.workspace, truth)
    assert told["truth"] == {"records": 3, "precision": 1.0, "recall": pytest.approx(1 / 3), "f1": pytest.approx(0.5)}
    sizes = {row["value"]: row["customers"] for row in told["quality"] if row["aspect"] == "size"}
    assert sizes == {"1": 2, "2": 1}
    with pytest.raises(NotAllowed, match="lacks person"):
        truth.write_text("system,party_id\ncore,1\n", encoding="utf-8")
        acts.measured(bank.workspace, truth)
