"""Ties: who is tied to whom, which things tie nobody, groups with a cap, and features that read the other customer."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from customer_book import Book, account, feature, tx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbook.customer import relations
from backbook.customer.availability import missing_definitions
from backbook.customer.definition import Feature
from backbook.customer.lookup import read_lookups
from backbook.customer.profile import build
from backbook.customer.reading import read_features, read_outcomes
from backbook.customer.relations import MOST_HOLDERS, MOST_IN_GROUP, STRENGTH, parted, ties
from backbook.definitions import Item, read_items
from backbook.engine import Engine
from backbook.sources.contract import TABLES
from backbook.workspace import PACKS

AS_OF = date(2026, 10, 31)
LONG_AGO = date(2020, 1, 1)


def person(name: str, **more: Any) -> dict[str, Any]:
    return {
        "system": "core",
        "party_id": name,
        "created_at": datetime.fromisoformat("2020-01-01"),
        "known_on": LONG_AGO,
        **more,
    }


def told(one: str, other: str, kind: str = "household", **more: Any) -> dict[str, Any]:
    return {"system": "core", "party_id": one, "other_party_id": other, "kind": kind, "since": LONG_AGO, **more}


def seen(name: str, device: str, days_ago: int) -> dict[str, Any]:
    at = datetime.fromisoformat("2026-10-31T12:00") - timedelta(days=days_ago)
    return {"event_id": f"{name}-{device}-{days_ago}", "at": at, "name": "login", "system": "core", "party_id": name,
            "device_id": device}  # fmt: skip


def book(engine: Engine, *people: dict[str, Any], **tables: list[dict[str, Any]]) -> Book:
    return Book(engine, {"account": [], "party": list(people), **tables}, first_days={"party": LONG_AGO})


def tied(found: relations.Ties, engine: Engine) -> set[tuple[str, str, str, str]]:
    return {
        (row["customer_id"][5:], row["other_customer_id"][5:], row["kind"], row["way"])
        for row in engine.rows(found.tie)
    }


def groups(found: relations.Ties, engine: Engine) -> dict[str, tuple[str, int, bool]]:
    return {
        row["customer_id"][5:]: (row["group_id"][5:], row["size"], row["is_too_large"])
        for row in engine.rows(found.group)
    }


# ── what ties two customers ─────────────────────────────────────────────────────────────────────────────────


def test_a_household_ties_both_alike_and_a_referral_knows_who_made_it(engine: Engine) -> None:
    relation = [told("ann", "bob"), told("ann", "cho", "referral")]
    found = ties(book(engine, person("ann"), person("bob"), person("cho"), relation=relation), AS_OF)
    assert tied(found, engine) == {
        ("ann", "bob", "household", "both"),
        ("bob", "ann", "household", "both"),
        ("ann", "cho", "referral", "out"),
        ("cho", "ann", "referral", "in"),
    }


def test_a_tie_that_is_told_twice_is_one(engine: Engine) -> None:
    relation = [told("ann", "bob", since=date(2024, 1, 1)), told("bob", "ann", since=date(2022, 1, 1))]
    found = ties(book(engine, person("ann"), person("bob"), relation=relation), AS_OF)
    assert [row["since"] for row in engine.rows(found.tie)] == [date(2022, 1, 1)] * 2


def test_a_supplementary_card_ties_its_holder_to_the_debtor_while_it_is_in_force(engine: Engine) -> None:
    def card(id: str, holder: str, **more: Any) -> dict[str, Any]:
        return {"card_id": id, "account_id": "a", "system": "core", "party_id": holder, "issued_on": LONG_AGO,
                "is_supplementary": True, **more}  # fmt: skip

    cards = [card("1", "bob"), card("2", "cho", cancelled_on=date(2026, 1, 1)), card("3", "dan", expires_on=AS_OF),
             card("4", "ann", is_supplementary=False), card("5", "eve", expires_on=date(2026, 10, 30))]  # fmt: skip
    people = map(person, ("ann", "bob", "cho", "dan", "eve"))
    found = ties(book(engine, *people, account=[account("a", "ann")], card=cards), AS_OF)
    assert {each for each in tied(found, engine) if each[3] == "out"} == {
        ("ann", "bob", "supplementary", "out"),
        ("ann", "dan", "supplementary", "out"),
    }


def test_a_device_ties_those_seen_on_it_within_half_a_year_from_the_day_the_second_came(engine: Engine) -> None:
    events = [seen("ann", "pad", 100), seen("ann", "pad", 1), seen("bob", "pad", 40), seen("cho", "pad", 180)]
    people = map(person, ("ann", "bob", "cho"))
    rows = engine.rows(ties(book(engine, *people, event=events), AS_OF).tie)
    assert {(row["customer_id"], row["other_customer_id"], row["since"], row["holders"]) for row in rows} == {
        ("core:ann", "core:bob", AS_OF - timedelta(days=40), 2),
        ("core:bob", "core:ann", AS_OF - timedelta(days=40), 2),
    }


def test_nobody_is_tied_to_himself(engine: Engine) -> None:
    found = ties(book(engine, person("ann"), relation=[told("ann", "ann"), told("ann", "ann", "transfer")]), AS_OF)
    assert not engine.rows(found.tie) and not engine.rows(found.group)


def test_when_two_customers_turn_out_to_be_one_the_tie_between_them_is_gone(engine: Engine) -> None:
    two = book(engine, person("ann", phone_hash="x"), person("anna", phone_hash="x"), relation=[told("ann", "anna")])
    assert len(tied(ties(two, AS_OF), engine)) == 4
    two.who = engine.table(
        pa.table({"system": ["core"] * 2, "party_id": ["ann", "anna"], "customer_id": ["core:ann"] * 2})
    )
    found = ties(two, AS_OF)
    assert not tied(found, engine) and not engine.rows(found.sharing)


def test_a_relation_to_a_record_that_nobody_knows_is_left_out_and_counted(engine: Engine) -> None:
    relation = [told("ann", "bob"), told("ann", "ghost"), told("ghost", "bob"), told("ann", "ghost", "transfer")]
    found = ties(book(engine, person("ann"), person("bob"), relation=relation), AS_OF)
    assert {each[:2] for each in tied(found, engine)} == {("ann", "bob"), ("bob", "ann")}
    assert relations.summary(engine, found)["unknown"] == {"household": 2, "transfer": 1}


# ── what ties nobody ────────────────────────────────────────────────────────────────────────────────────────


def test_an_office_address_of_five_hundred_ties_nobody_and_makes_no_group(engine: Engine) -> None:
    office = [person(f"p{n:03}", address_hash="office") for n in range(500)]
    found = ties(book(engine, *office), AS_OF)
    assert not engine.rows(found.tie) and not engine.rows(found.group) and not engine.rows(found.member)
    crowd = engine.rows(found.crowd)
    assert len(crowd) == 500
    assert {(row["kind"], row["thing"], row["holders"]) for row in crowd} == {("shared_address", 1, 500)}
    assert "office" not in str(crowd)


def test_a_family_phone_of_three_ties_the_three_and_makes_a_group(engine: Engine) -> None:
    found = ties(book(engine, *(person(name, phone_hash="x") for name in ("cho", "ann", "bob"))), AS_OF)
    assert len(tied(found, engine)) == 6
    assert groups(found, engine) == {name: ("ann", 3, False) for name in ("ann", "bob", "cho")}
    assert {row["degree"] for row in engine.rows(found.group)} == {2}
    assert len(engine.rows(found.member)) == 9
    assert not engine.rows(found.crowd)


@pytest.mark.parametrize(("kind", "column"), [("shared_phone", "phone_hash"), ("shared_address", "address_hash")])
def test_the_last_holder_too_many_unties_them_all(engine: Engine, kind: str, column: str) -> None:
    most = MOST_HOLDERS[kind]
    for holders, pairs in ((most, most * (most - 1)), (most + 1, 0)):
        people = [person(f"p{n}", **{column: "x"}) for n in range(holders)]
        assert len(tied(ties(book(engine, *people), AS_OF), engine)) == pairs


def test_the_records_of_one_person_do_not_crowd_a_phone(engine: Engine) -> None:
    records = [person(f"ann{n}", phone_hash="x") for n in range(20)] + [person("bob", phone_hash="x")]
    family = book(engine, *records)
    names = [row["party_id"] for row in records]
    ids = ["core:bob" if name == "bob" else "core:ann0" for name in names]
    family.who = engine.table(pa.table({"system": ["core"] * 21, "party_id": names, "customer_id": ids}))
    assert {each[:2] for each in tied(ties(family, AS_OF), engine)} == {("ann0", "bob"), ("bob", "ann0")}


# ── groups ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_chain_of_addresses_is_cut_back_to_its_households(engine: Engine) -> None:
    """Forty couples, each of whom shares an address with the next: eighty people, but forty homes."""
    couples = [(f"h{n:02}", f"w{n:02}") for n in range(40)]
    people = [person(husband, address_hash=f"x{n}") for n, (husband, _) in enumerate(couples)]
    people += [person(wife, address_hash=f"x{n + 1}") for n, (_, wife) in enumerate(couples)]
    found = ties(book(engine, *people, relation=[told(*couple) for couple in couples]), AS_OF)
    assert groups(found, engine) == {name: (couple[0], 2, False) for couple in couples for name in couple}


def test_what_the_strongest_ties_alone_hold_together_beyond_the_cap_is_no_group_but_told(engine: Engine) -> None:
    chain = [f"p{n:02}" for n in range(MOST_IN_GROUP + 2)]
    relation = [told(one, other) for one, other in pairwise(chain)] + [told("x", "y")]
    found = ties(book(engine, *map(person, [*chain, "x", "y"]), relation=relation), AS_OF)
    assert groups(found, engine) == {name: ("p00", len(chain), True) for name in chain} | {
        name: ("x", 2, False) for name in "xy"
    }
    assert {row["customer_id"] for row in engine.rows(found.member)} == {"core:x", "core:y"}
    assert relations.summary(engine, found) == {
        "kinds": {"household": len(chain)}, "groups": 1, "largest_group": 2, "too_large": 1, "crowded": {}, "unknown": {},
    }  # fmt: skip


def test_transfers_and_referrals_make_no_group(engine: Engine) -> None:
    relation = [told("ann", "bob", "transfer"), told("bob", "cho", "referral")]
    found = ties(book(engine, *map(person, ("ann", "bob", "cho")), relation=relation), AS_OF)
    assert len(tied(found, engine)) == 4 and not groups(found, engine)


def slow_groups(edges: list[tuple[int, int, int]], n: int, most: int) -> list[tuple[int, int, bool]]:
    """Union-find, once per strength, over those who are in no group yet."""
    found: dict[int, tuple[int, int, bool]] = {}
    for weakest in sorted(set(STRENGTH.values()), reverse=True):
        parent = list(range(n))

        def top(a: int, parent: list[int] = parent) -> int:
            while parent[a] != a:
                a = parent[a]
            return a

        for a, b, strength in edges:
            if strength <= weakest and a not in found and b not in found:
                parent[max(top(a), top(b))] = min(top(a), top(b))
        parts: dict[int, list[int]] = {}
        for a in range(n):
            if a not in found:
                parts.setdefault(top(a), []).append(a)
        for part in parts.values():
            if len(part) <= most or weakest == 0:
                found |= {a: (min(part), len(part), len(part) > most) for a in part}
    return [found[a] for a in range(n)]


@settings(max_examples=300, deadline=None)
@given(st.data(), st.integers(1, 25), st.integers(1, 6))
def test_groups_are_those_of_slow_union_find_in_whatever_order_edges_come(data: Any, n: int, most: int) -> None:
    edge = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), st.sampled_from(sorted(set(STRENGTH.values()))))
    edges = data.draw(st.lists(edge, max_size=40))
    mixed = data.draw(st.permutations(edges))
    for each in (edges, mixed):
        a, b, strength = (np.array([row[place] for row in each], np.int64) for place in range(3))
        first, size, too_large = parted(a, b, strength, n, most)
        assert list(zip(first.tolist(), size.tolist(), too_large.tolist(), strict=True)) == slow_groups(edges, n, most)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6))
def test_ties_and_groups_do_not_depend_on_the_order_of_rows(engine: Engine, seed: int) -> None:
    chance = random.Random(7)
    names = [f"p{n:02}" for n in range(40)]
    people = [
        person(name, phone_hash=f"x{chance.randrange(20)}", address_hash=f"y{chance.randrange(12)}") for name in names
    ]
    relation = [told(*chance.sample(names, 2), chance.choice(("household", "transfer"))) for _ in range(15)]
    events = [seen(chance.choice(names), f"d{chance.randrange(15)}", chance.randrange(170)) for _ in range(40)]
    unique = {row["event_id"]: row for row in events}

    def everything(mix: random.Random) -> list[list[dict[str, Any]]]:
        mixed = [mix.sample(rows, len(rows)) for rows in (people, relation, list(unique.values()))]
        with engine.scope():
            found = ties(book(engine, *mixed[0], relation=mixed[1], event=mixed[2]), AS_OF)
            tables = (found.tie, found.sharing, found.group, found.member)
            return [sorted(engine.rows(table), key=str) for table in tables]

    first, again = everything(random.Random(0)), everything(random.Random(seed))
    assert first == again
    assert all(first)


# ── point in time ───────────────────────────────────────────────────────────────────────────────────────────


def test_only_ties_that_were_there_and_known_on_the_day_count(engine: Engine) -> None:
    relation = [
        told("ann", "bob", since=date(2026, 6, 1), until=date(2026, 8, 31), known_on=date(2026, 6, 1)),
        told("ann", "cho", since=date(2026, 6, 1), known_on=date(2026, 9, 15)),
    ]
    some = book(engine, *map(person, ("ann", "bob", "cho")), relation=relation)

    def of_ann(day: date) -> set[str]:
        return {other for one, other, *_ in tied(ties(some, day), engine) if one == "ann"}

    assert [of_ann(date(2026, month, 28)) for month in (5, 7, 9)] == [set(), {"bob"}, {"cho"}]
    assert of_ann(date(2026, 8, 31)) == set()


def test_a_phone_that_became_known_later_ties_nobody_before(engine: Engine) -> None:
    moved = person("bob", phone_hash="x") | {"known_on": date(2026, 9, 1)}
    some = book(engine, person("ann", phone_hash="x"), person("bob", phone_hash="y"), moved)
    assert not tied(ties(some, date(2026, 8, 31)), engine)
    assert len(tied(ties(some, date(2026, 9, 1)), engine)) == 2


# ── features ────────────────────────────────────────────────────────────────────────────────────────────────


LATE = feature("late_days", table="account", measure="latest", of="days_past_due", window="latest", rollup="worst")
IS_LATE = feature("is_late", grain="customer", expression="late_days > 0")
TIED_LATE = feature(
    "tied_late", grain="customer", table="tie", measure="distinct", of="other_customer_id", filter="other.is_late"
)
SHARE_LATE = feature(
    "share_late", grain="customer", table="member", measure="share", filter="other.is_late",
    within="other.is_late is not null",
)  # fmt: skip
ALARM = feature("alarm", grain="customer", expression="tied_late > 0 and not is_late")
FAMILY = [LATE, IS_LATE, TIED_LATE, SHARE_LATE, ALARM]


def family(engine: Engine) -> Book:
    """Ann, late, lives with Bob; Bob sends money to Cho; Dan, who has no account, lives with Ann and Bob."""
    accounts = [account("a", "ann", days_past_due=40), account("b", "bob", days_past_due=0),
                account("c", "cho", days_past_due=0)]  # fmt: skip
    relation = [told("ann", "bob"), told("bob", "cho", "transfer"), told("dan", "ann"), told("dan", "bob")]
    return book(engine, *map(person, ("ann", "bob", "cho", "dan")), account=accounts, relation=relation)


def customers(engine: Engine, some: Book, items: list[Item], of: Any = None, day: date = AS_OF) -> dict[str, Any]:
    made, faults = read_features(items, TABLES)
    assert not faults, [str(fault) for fault in faults]
    rows = engine.rows(build(made, [], some, day, of).customer)
    return {row["customer_id"][5:]: row for row in rows}


def test_a_feature_over_ties_reads_the_profile_of_the_other_customer(engine: Engine) -> None:
    found = customers(engine, family(engine), FAMILY)
    assert {name: row["tied_late"] for name, row in found.items()} == {"ann": 0, "bob": 1, "cho": 0, "dan": 1}
    assert {name: row["alarm"] for name, row in found.items()} == {"ann": False, "bob": True, "cho": False, "dan": None}


def test_the_share_of_a_group_counts_the_customer_and_leaves_out_who_is_not_known(engine: Engine) -> None:
    found = customers(engine, family(engine), FAMILY)
    assert {name: row["share_late"] for name, row in found.items()} == {"ann": 0.5, "bob": 0.5, "cho": None, "dan": 0.5}


@pytest.mark.parametrize("key", ["customer_id", "account_id"])
def test_of_a_few_units_the_ties_are_those_of_the_whole_book(engine: Engine, key: str) -> None:
    whole = customers(engine, family(engine), FAMILY)
    few = engine.table(pa.table({key: ["core:bob" if key == "customer_id" else "b"]}))
    assert customers(engine, family(engine), FAMILY, few) == {"bob": whole["bob"]}


def test_on_a_past_day_the_other_customer_is_seen_as_of_that_day(engine: Engine) -> None:
    some = family(engine)
    some.tables["account"].append(account("a", "ann", days_past_due=0) | {"known_on": date(2026, 10, 1)})
    assert customers(engine, some, FAMILY)["bob"]["tied_late"] == 0
    few = engine.table(pa.table({"customer_id": ["core:bob"]}))
    assert customers(engine, some, FAMILY, few, date(2026, 9, 30))["bob"]["tied_late"] == 1


def test_kinds_ways_and_windows_tell_ties_apart_in_both_languages(engine: Engine) -> None:
    relation = [told("ann", "bob", "referral"), told("ann", "cho", "referral", since=date(2026, 10, 1))]
    some = book(engine, *map(person, ("ann", "bob", "cho")), relation=relation)
    brought = feature(
        "brought", grain="customer", table="tie", measure="count", filter="kind = '推荐' and 方向 = 'out'"
    )
    lately = feature("lately", grain="customer", table="tie", measure="count", filter="kind = 'referral' and way = 'out'",
                     window="last 90 days")  # fmt: skip
    newest = feature("newest", grain="customer", table="tie", measure="days_since")
    found = customers(engine, some, [brought, lately, newest])
    assert [(row["brought"], row["lately"], row["newest"]) for row in map(found.get, ("ann", "bob", "cho"))] == [  # type: ignore[index]
        (2, 1, 30), (0, 0, (AS_OF - LONG_AGO).days), (0, 0, 30),
    ]  # fmt: skip


def test_how_many_share_a_crowded_device_can_be_measured_though_it_ties_nobody(engine: Engine) -> None:
    names = [f"p{n}" for n in range(9)]
    events = [*(seen(name, "farm", 3) for name in names), seen("p0", "own", 300)]
    most = feature("most", grain="customer", table="sharing", measure="max", of="holders",
                   filter="kind = 'shared_device'", none=1)  # fmt: skip
    degree = feature("degree", grain="customer", table="tie", measure="distinct", of="other_customer_id")
    found = customers(engine, book(engine, *map(person, [*names, "z"]), event=events), [most, degree])
    assert {(row["most"], row["degree"]) for name, row in found.items() if name != "z"} == {(9, 0)}
    assert (found["z"]["most"], found["z"]["degree"]) == (1, 0)


def test_a_definition_over_ties_reads_again_from_its_canonical_form() -> None:
    made, _ = read_features(FAMILY, TABLES)
    items = [Item("feature", one.id, one.canonical(), "features.yaml", {"": 1}) for one in made]
    again, faults = read_features(items, TABLES)
    assert not faults and [one.canonical() for one in again] == [one.canonical() for one in made]


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────


def faults_of(*items: Item) -> list[str]:
    return [str(fault) for fault in read_features(list(items), TABLES)[1]]


@pytest.mark.parametrize("words", ["other.alarm", "对方.特征alarm", "other.tied_late > 0"])
def test_reading_of_another_what_stands_on_ties_is_refused_by_name(words: str) -> None:
    circle = feature("circle", grain="customer", table="tie", measure="count", filter=words)
    (fault,) = faults_of(*FAMILY, circle)
    assert "stands on ties itself: circle → " in fault
    assert "tied_late" in fault


def test_a_circle_through_the_others_ties_is_refused_though_derived_features_stand_between() -> None:
    one = feature("one", grain="customer", table="tie", measure="count", filter="other.two")
    two = feature("two", grain="customer", expression="one > 3")
    (fault, *_) = faults_of(one, two)
    assert "'one'" in fault and "'other.two', which stands on ties itself: one → two → one." in fault


def test_an_account_a_misspelt_name_and_an_outcome_are_refused() -> None:
    over = {"table": "tie", "measure": "count"}
    (grain,) = faults_of(feature("f", **over))
    assert "belong to people, not to accounts" in grain
    (name,) = faults_of(LATE, feature("f", grain="customer", filter="other.late_day > 0", **over))
    assert "Did you mean 'other.late_days'?" in name
    (own,) = faults_of(LATE, feature("f", grain="customer", filter="late_days > 0", **over))
    assert "late_days" in own
    _, wrong = read_outcomes([feature("f", grain="customer", window="next 3 months", **over)], TABLES)
    assert "the table 'tie' is not in the contract" in str(wrong[0])


# ── what is not available ───────────────────────────────────────────────────────────────────────────────────


def lacking(some: Book, *items: Item, day: date = AS_OF) -> dict[str, str]:
    made, faults = read_features(list(items), TABLES)
    assert not faults
    return {one.id: one.needs for one in missing_definitions(made, [], some, day)}


COUNT = {"grain": "customer", "table": "tie", "measure": "count"}


def test_without_any_source_of_ties_what_is_over_ties_is_not_available_by_name(engine: Engine) -> None:
    bare = Book(engine, {"account": [account("a", "ann", days_past_due=0)]})
    found = lacking(bare, *FAMILY, feature("referrals", filter="kind = 'referral'", **COUNT))
    assert found["referrals"] == "`relation` with referral"
    assert "`party.phone`" in found["tied_late"] and found.keys() == {"tied_late", "share_late", "referrals"}
    row = customers(engine, bare, FAMILY)["ann"]
    assert [row[one] for one in ("late_days", "is_late", "tied_late", "share_late", "alarm")] == [
        0,
        False,
        None,
        None,
        None,
    ]


def test_a_kind_that_the_bank_does_not_tell_is_not_zero(engine: Engine) -> None:
    some = book(engine, person("ann", phone_hash="x"), relation=[told("ann", "ann")])
    items = [feature(kind, filter=f"kind = '{kind}'", **COUNT) for kind in ("household", "referral", "shared_phone")]
    items.append(feature("either", filter="kind in ('referral', 'transfer') or kind = 'household'", **COUNT))
    assert lacking(some, *items) == {"referral": "`relation` with referral"}
    row = customers(engine, some, items)["ann"]
    assert (row["household"], row["referral"], row["shared_phone"]) == (0, None, 0)


def test_devices_are_not_known_before_there_was_half_a_year_of_events(engine: Engine) -> None:
    some = book(engine, person("ann"), event=[seen("ann", "pad", 179)])
    device = feature("device", filter="kind = 'shared_device'", **COUNT)
    assert lacking(some, device) == {}
    assert "device" in lacking(some, device, day=AS_OF - timedelta(days=1))


def test_what_reads_of_others_a_column_that_nobody_has_is_not_available(engine: Engine) -> None:
    some = family(engine)
    some.tables["account"] = [{**row, "days_past_due": None} for row in some.tables["account"]]
    assert lacking(some, *FAMILY) == {
        id: "`account.days_past_due`" for id in ("late_days", "is_late", "tied_late", "share_late", "alarm")
    }


# ── the pack ────────────────────────────────────────────────────────────────────────────────────────────────


def of_the_pack(items: list[Item]) -> list[Feature]:
    lookups, _ = read_lookups([item for item in items if item.kind == "lookup"], TABLES)
    made, faults = read_features([item for item in items if item.kind == "feature"], TABLES, lookups=lookups)
    assert not faults
    return made


def test_every_tie_feature_of_the_pack_is_read_by_a_tag() -> None:
    items, _ = read_items(PACKS / "card", "pack card", "packs/card/")
    over = [item for item in items if item.kind == "feature" and item.data.get("table") in relations.ROWS]
    made = of_the_pack(items)
    conditions = " ".join(item.data["expression"] for item in items if item.kind == "tag")
    ids = [one.id for one in made if one.is_over_ties]
    assert len(over) >= 10
    assert [id for id in ids if id not in conditions] == []


def test_use_of_the_card_by_those_one_brought_is_seen(engine: Engine) -> None:
    items, _ = read_items(PACKS / "card", "pack card", "packs/card/")
    spent = [tx("2020-01-01", 1, "b"), tx("2026-10-20", 10, "b")]
    accounts = [account(id, name) for id, name in (("a", "ann"), ("b", "bob"), ("c", "cho"))]
    brought = [told("ann", "bob", "referral"), told("ann", "cho", "referral")]
    people = map(person, ("ann", "bob", "cho"))
    some = book(engine, *people, account=accounts, relation=brought, transaction=spent)
    wanted = ("use_90d", "referred_active")
    rows = engine.rows(build([one for one in of_the_pack(items) if one.id in wanted], [], some, AS_OF).customer)
    assert {row["customer_id"]: row["referred_active"] for row in rows}["core:ann"] == 1
