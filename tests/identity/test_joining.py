"""New records join a book of thousands without comparing it again, and the people are those of linking all at once."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from identity_bank import Bank, check_digits, parts

from backbook.customer.identity import comparable as made
from backbook.customer.identity import linkage
from backbook.customer.identity.comparison import COMPARISONS, NAMES
from backbook.engine import Engine

FAMILY, GIVEN = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗",
    "伟强磊军洋勇杰涛明超刚平辉鹏华飞鑫波斌宇浩凯健俊帆芳娜敏静丽艳娟霞燕玲红英梅莉丹萍雪婷慧",
)
DAYS = ("2026-01-31", "2026-02-28", "2026-03-31")
PEOPLE, LATE = 1_150, 60


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made_ = Engine()
    yield made_
    made_.close()


def person(number: int) -> dict[str, str]:
    drawn = random.Random(number)
    year, month, day = drawn.randint(1955, 2003), drawn.randint(1, 12), drawn.randint(1, 28)
    return {
        "full_name": drawn.choice(FAMILY) + "".join(drawn.choices(GIVEN, k=2)),
        "birth_date": f"{year}-{month:02d}-{day:02d}",
        "phone": f"160{number:08d}",
        "address": f"深圳市南山区{drawn.choice(['人民', '解放', '中山', '建设', '科技'])}路{drawn.randint(1, 300)}号{drawn.randint(1, 20)}栋{drawn.randint(101, 2804)}室",
        "id_document": check_digits(f"0{10_000 + number:05d}{year}{month:02d}{day:02d}{drawn.randint(100, 999)}"),
    }  # fmt: skip


def told(number: int, system: str) -> dict[str, str]:
    """What a system knows of a person: the core all, the app no birth date, the call centre the name and an address."""
    whole = person(number)
    keep = {
        "core": tuple(whole),
        "app": ("full_name", "phone", "id_document"),
        "call": ("full_name", "address", "birth_date"),
    }
    return {name: whole[name] for name in keep[system]}


def fill(bank: Bank, *, all_at_once: bool) -> None:
    for number in range(PEOPLE):
        bank.people.append(
            {
                "system": "core",
                "party_id": str(number),
                "created_at": "2015-01-01",
                "known_on": "2026-01-01",
                **told(number, "core"),
            }
        )
        system = "app" if number % 2 else "call"
        late = number < LATE and not all_at_once
        bank.people.append(
            {
                "system": system,
                "party_id": str(number),
                "created_at": "2019-01-01",
                "known_on": "2026-02-10" if late else "2026-01-01",
                **told(number, system),
            }
        )
    bank.people.append({"system": "shop", "party_id": "1", "city": "深圳", "known_on": "2026-01-01"})
    bank.arrive()


@pytest.fixture(scope="module")
def books(tmp_path_factory, engine) -> tuple[Bank, Bank]:
    folder = tmp_path_factory.mktemp("joining")
    slowly, at_once = Bank(folder / "slowly", engine), Bank(folder / "once", engine)
    fill(slowly, all_at_once=False)
    fill(at_once, all_at_once=True)
    return slowly, at_once


def test_late_records_join_without_the_book_being_compared_again(books, engine):
    slowly, at_once = books
    with engine.scope():
        first = slowly.who(DAYS[0])
        found = slowly.identify(DAYS[1]).found
        assert found["compared_anew"] == LATE
        later = {
            name: row["customer_id"] for name, row in slowly.rows("identity", DAYS[1]).items() if name != "core:nobody"
        }
        # Old ids are as they were.
        assert {name: later[name] for name in first} == first
        whole = at_once.who(DAYS[1])
        together, alone = parts(later), parts(whole)
        # Weights were learned without the late ones: a pair in a hundred may differ.
        assert len(together ^ alone) <= 0.02 * len(alone)
        true = {frozenset({f"core:{number}", f"{'app' if number % 2 else 'call'}:{number}"}) for number in range(LATE)}
        assert len(true & together) >= 0.9 * len(true)


def test_a_day_without_news_compares_nothing_and_a_merge_touches_its_two_alone(books, engine):
    slowly, _ = books
    with engine.scope():
        before = slowly.rows("identity", DAYS[1])
        slowly.rule("merge", "core:500 + core:501", "2026-03-10")
        found = slowly.identify(DAYS[2]).found
        assert found["compared_anew"] == 0
        after = slowly.rows("identity", DAYS[2])
        moved = {name for name in after if after[name]["customer_id"] != before[name]["customer_id"]}
        assert {before[name]["customer_id"] for name in moved} <= {"core:501", "core:500"}
        assert after["core:500"]["customer_id"] == after["core:501"]["customer_id"]
        lineage = slowly.table("identity_lineage", DAYS[2])
        assert sum(row["until"] is not None for row in lineage) == len(moved)


def test_who_comes_to_own_an_account_together_is_one_person_until_they_no_longer_do(books, engine):
    slowly, _ = books
    with engine.scope():
        slowly.accounts([("A0", "core", "nobody"), ("A1", "core", "20")])
        slowly.cards([("K1", "A1", "shop", "1"), ("K2", "A1", "core", "21")])
        assert slowly.identify("2026-04-10").found["compared_anew"] == 0
        who = slowly.rows("identity", "2026-04-10")
        # Of the shop's record only the city is known: no weight would have joined it.
        assert who["core:20"]["customer_id"] == who["shop:1"]["customer_id"]
        assert who["shop:1"]["rule"] == "account"
        # Another name and another birth date contradict: people decide.
        assert who["core:20"]["customer_id"] != who["core:21"]["customer_id"]
        assert {"core:20", "core:21"} in [
            {row["record_left"], row["record_right"]} for row in slowly.table("identity_review", "2026-04-10")
        ]
        slowly.cards([("K1", "A1", "core", "20"), ("K2", "A1", "core", "20")])
        slowly.identify("2026-04-20")
        who = slowly.rows("identity", "2026-04-20")
        assert who["core:20"]["customer_id"] != who["shop:1"]["customer_id"]


def test_another_choice_of_systems_links_the_book_anew_and_everybody_keeps_the_id(books, engine):
    slowly, _ = books
    with engine.scope():
        before = {name: row["customer_id"] for name, row in slowly.rows("identity", DAYS[2]).items()}
        settings = slowly.folder / "backbook.toml"
        settings.write_text(
            settings.read_text().replace('kept_phones = ["core", "app"]', 'kept_phones = ["core"]'), encoding="utf-8"
        )
        found = slowly.identify("2026-04-30").found
        assert found["compared_anew"] == 2 * PEOPLE + 2
        after = {name: row["customer_id"] for name, row in slowly.rows("identity", "2026-04-30").items()}
        assert sum(after[name] != before[name] for name in before) <= 0.02 * len(before)


def test_our_weights_are_those_of_splink(engine):
    """The independent judge: Splink's own prediction over the same levels with the same m and u."""
    splink = pytest.importorskip("splink")
    import splink.comparison_library as library

    rng = np.random.default_rng(1)
    rows = [{name: None if rng.random() < 0.3 else int(rng.integers(len(each.levels))) for name, each in zip(NAMES, COMPARISONS, strict=True)} for _ in range(200)]  # fmt: skip
    table = pa.Table.from_pylist(
        [{"pair": place, "left": place, "right": 1000 + place, **row} for place, row in enumerate(rows)]
    )
    for name in NAMES:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table[name].cast(pa.int8()))
    model = linkage.given(10_000)
    with engine.scope():
        mine = {
            row["left"]: row["probability"]
            for row in engine.rows(linkage.weighed(engine, model, engine.table(table.drop_columns(["pair"]))))
        }
    comparisons = []
    for each in COMPARISONS:
        levels = [{"sql_condition": f'"{each.name}_l" IS NULL', "label_for_charts": "null", "is_null_level": True}]
        for level in each.levels:
            u = 1e-4
            levels.append(
                {
                    "sql_condition": f'"{each.name}_l" = {level.number}',
                    "label_for_charts": level.en,
                    "m_probability": min(u * 2**level.weight, 1.0) if u * 2**level.weight <= 1 else 0.9,
                    "u_probability": u if u * 2**level.weight <= 1 else 0.9 / 2**level.weight,
                }
            )
        comparisons.append(library.CustomComparison(output_column_name=each.name, comparison_levels=levels))
    api = splink.DuckDBAPI(engine.connection())
    sides = [api.register(table.drop_columns(["left", "right"]), dataset_display_name=f"judge_{side}") for side in "ab"]
    prior = 1 / (1 + 2**-model.prior)
    settings = splink.SettingsCreator(
        link_type="link_only",
        unique_id_column_name="pair",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=[splink.block_on("pair")],
        probability_two_random_records_match=prior,
    )
    theirs = {
        row["pair_l"]: row["match_probability"]
        for row in splink.Linker(sides, settings, log_level=None)
        .inference.predict(warning_mode="never")
        .as_record_list()
    }
    assert len(theirs) == 200
    kept = [pair for pair in mine if mine[pair] < 0.999999]
    assert len(kept) > 20
    for pair in kept:
        assert mine[pair] == pytest.approx(theirs[pair], abs=2e-6), pair


def test_no_clear_word_is_needed_to_find_who_may_be_the_same(engine):
    rows = pa.table({"id": [0, 1], "full_name": ["王晓明", "Xiaoming Wang"], "birth": ["19800506", "19800506"]})
    none = pa.table(
        {
            "id": pa.array([], pa.int64()),
            "number": pa.array([], pa.string()),
            "since": pa.array([], pa.date32()),
            "until": pa.array([], pa.date32()),
        }
    )
    with engine.scope():
        of = made.comparable(engine, rows, none)
        of = made.with_bits(engine, of, made.bits(engine, of), 2)
        one, other = (engine.arrow(made.keys(engine, of, secret)) for secret in ("a", "b"))
        assert set(one["key"].to_pylist()).isdisjoint(other["key"].to_pylist())
        assert engine.rows(made.met(engine, made.keys(engine, of, "a"))) == [{"left": 0, "right": 1}]


def test_whom_new_records_meet_is_whom_they_meet_when_all_are_asked(engine):
    drawn = random.Random(5)
    # Keys of very different crowds, so that some are full before the new come and others only with them.
    rows = {(drawn.randint(0, 399), 0, drawn.choice([drawn.randint(0, 9), drawn.randint(10, 30), drawn.randint(31, 400)])) for _ in range(1_200)}  # fmt: skip
    new = {id for id in range(400) if id % 9 == 0}

    def table(rows):
        ids, kinds, keys = zip(*sorted(rows), strict=True)
        return engine.table(pa.table({"id": pa.array(ids, pa.int64()), "kind": pa.array(kinds, pa.uint8()), "key": pa.array(keys, pa.uint64())}))  # fmt: skip

    def pairs(found):
        return {(row["left"], row["right"]) for row in engine.rows(found)}

    told, keys = table(row for row in rows if row[0] not in new), table(row for row in rows if row[0] in new)
    whole = {pair for pair in pairs(made.met(engine, table(rows))) if new & set(pair)}
    assert whole and pairs(made.met_by(engine, told, keys)) == whole
