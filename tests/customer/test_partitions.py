"""Segments are partitions: whatever a profile holds, each unit is in exactly one level."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from customer_book import ARROW, Book, account, tx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbook.customer import clusters
from backbook.customer.clusters import Clusters, Found, find
from backbook.customer.profile import build
from backbook.customer.ranked import Ranked, cuts
from backbook.customer.segments import read_segments, value
from backbook.definitions import Item
from backbook.engine import Engine
from backbook.errors import Fault
from backbook.expressions import Name, Names, Type
from backbook.run.book import extended
from backbook.run.freeze import Frozen, freeze
from backbook.workspace import Workspace

AS_OF = date(2026, 10, 31)
ANY = {
    Type.WHOLE: st.integers(-3, 40), Type.MONEY: st.integers(-2000, 2000).map(lambda n: Decimal(n)),
    Type.NUMBER: st.sampled_from([-0.5, 0.0, 0.3, 0.79, 0.8, 1.0, 1.2]), Type.TEXT: st.sampled_from(["", "A", "x"]),
    Type.DATE: st.sampled_from([date(2020, 1, 1), AS_OF]), Type.YESNO: st.booleans(),
}  # fmt: skip
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Frozen:
    folder = tmp_path_factory.mktemp("bank")
    (folder / "backbook.toml").write_text('[packs]\ncard = "1"\n', encoding="utf-8")
    return freeze(Workspace.open(folder))


def table(engine: Engine, types: dict[str, Type], rows: list[dict[str, Any]]) -> Any:
    schema = pa.schema([("unit", pa.int64()), *((name, ARROW[type]) for name, type in types.items())])
    return engine.table(pa.Table.from_pylist([{"unit": n, **row} for n, row in enumerate(rows)], schema=schema))


@SLOW
@given(data=st.data())
def test_each_unit_of_any_profile_is_in_exactly_one_level_of_each_segment_of_the_pack(
    data: Any, frozen: Frozen, engine: Engine
) -> None:
    segment = data.draw(st.sampled_from([each for each in frozen.segments if not isinstance(each, Clusters)]))
    names = frozen.names[segment.grain]
    types = {name: names[name].type for name in sorted(segment.reads)} | {"tags_deleted": Type.YESNO}

    def filled(name: str) -> Any:
        codes = [level.code for level in names[name].levels] if name in names.by_name else []
        one = st.sampled_from(codes) if codes else ANY[types[name]]
        return st.booleans() if name == "tags_deleted" else st.one_of(st.none(), one)

    rows = data.draw(st.lists(st.fixed_dictionaries({name: filled(name) for name in types}), min_size=1, max_size=12))
    made = table(engine, types, rows)
    found = engine.rows(made.select("unit", level=value(segment, made)))
    assert len(found) == len(rows)
    assert {row["level"] for row in found} <= {level.code for level in segment.levels}
    lost = {row["unit"] for row in found if row["level"] == segment.unknown}
    if segment.personal:
        assert {n for n, row in enumerate(rows) if row["tags_deleted"]} <= lost


# ── lifecycle, on the days that decide ──────────────────────────────────────────────────────────────────────


def stage(engine: Engine, frozen: Frozen, as_of: date, last_use: str, **more: Any) -> str:
    """The stage of an account opened in 2019 whose last use was on that day; nothing owed."""
    book = Book(engine, {
        "account": [account("a", balance=more.pop("balance", Decimal(0)), days_past_due=0, **more)],
        "card": [{"card_id": "k", "account_id": "a", "issued_on": date(2019, 1, 1), "activated_on": date(2019, 2, 1),
                  "known_on": date(2019, 1, 1), "is_policy_card": more.pop("policy", False)}],
        "transaction": [tx("2019-03-01", 1, "other"), tx(last_use, 10, "a")],
        "statement": [{"account_id": "other", "statement_on": date(2019, 3, 1), "closing_balance": Decimal(0)}],
    })  # fmt: skip
    profile = build(_closure(frozen, frozen.segment("lifecycle").reads), [], book, as_of)  # type: ignore[arg-type]
    links = [link for link in frozen.order if link.id == "lifecycle"]
    row = engine.rows(extended(profile, links, frozen, {}, engine).account.select("account_id", "lifecycle"))[0]
    return str(row["lifecycle"])


def _closure(frozen: Frozen, reads: frozenset[str]) -> list[Any]:
    """The features that are read, directly or through others."""
    wanted = set(reads)
    for one in reversed(frozen.features):
        wanted |= one.reads if one.id in wanted else set()
    return [one for one in frozen.features if one.id in wanted]


@pytest.mark.parametrize(
    ("as_of", "last_use", "expected"),
    [
        (date(2026, 10, 31), "2025-04-30", "long_sleeping"),  # a month's last day completes it
        (date(2026, 10, 30), "2025-04-30", "long_sleeping"),
        (date(2026, 10, 29), "2025-04-30", "dormant"),  # 17 months and 29 days
        (date(2026, 10, 15), "2025-04-15", "long_sleeping"),
        (date(2026, 10, 14), "2025-04-15", "dormant"),
        (date(2026, 10, 31), "2026-05-04", "dormant"),  # 180 days
        (date(2026, 10, 31), "2026-05-05", "active"),
        (date(2024, 2, 29), "2022-08-29", "long_sleeping"),
        (date(2024, 2, 28), "2022-08-29", "dormant"),
    ],
)
def test_a_card_sleeps_long_from_the_day_that_completes_eighteen_months(
    engine: Engine, frozen: Frozen, as_of: date, last_use: str, expected: str
) -> None:
    found = stage(engine, frozen, as_of, last_use)
    assert found == expected if expected != "active" else found not in ("dormant", "long_sleeping")


def test_a_cent_overpaid_or_a_policy_card_does_not_sleep_long(engine: Engine, frozen: Frozen) -> None:
    assert stage(engine, frozen, AS_OF, "2024-01-01", balance=Decimal("-0.01")) == "dormant"


# ── ranks ───────────────────────────────────────────────────────────────────────────────────────────────────

NAMES = Names("account profile", [Name("x", Type.MONEY), Name("cell", Type.TEXT), Name("is_in", Type.YESNO)])


def ranked(**more: Any) -> Item:
    data = {
        "id": "fifth", "zh": "五分位", "en": "Fifth", "meaning": {"zh": "义", "en": "m"}, "owner": "o", "personal": False,
        "quantiles": {"of": "x", "within": ["cell"], "where": "is_in"}, "unknown": "none",
        "levels": [{"code": str(n), "zh": f"档{n}", "en": f"f{n}"} for n in range(1, 6)] + [{"code": "none", "zh": "无", "en": "None"}],
    }  # fmt: skip
    return Item("segment", "fifth", data | more)


def slow_ranks(rows: list[dict[str, Any]]) -> list[str]:
    """By hand: the share of the cell that lies strictly below, in fifths."""
    cells: dict[Any, list[Decimal]] = defaultdict(list)
    for row in rows:
        if row["is_in"] and row["x"] is not None:
            cells[row["cell"]].append(row["x"])
    found = []
    for row in rows:
        if not row["is_in"] or row["x"] is None:
            found.append("none")
            continue
        cell = cells[row["cell"]]
        below = sum(other < row["x"] for other in cell)
        found.append(str(math.floor(below * 5 / len(cell)) + 1))
    return found


@SLOW
@given(
    rows=st.lists(
        st.fixed_dictionaries({
            "x": st.one_of(st.none(), st.integers(0, 6).map(Decimal)),
            "cell": st.sampled_from(["a", "b", None]),
            "is_in": st.one_of(st.none(), st.booleans()),
        }),
        max_size=30,
    )
)  # fmt: skip
def test_a_rank_is_the_share_that_lies_strictly_below_and_equals_stand_together(
    rows: list[dict[str, Any]], engine: Engine
) -> None:
    (segment,), faults = read_segments([ranked()], NAMES, NAMES)
    assert not faults and isinstance(segment, Ranked)
    made = table(engine, {"x": Type.MONEY, "cell": Type.TEXT, "is_in": Type.YESNO}, rows)
    placed = made.mutate(fifth=value(segment, made))
    found = {row["unit"]: row["fifth"] for row in engine.rows(placed)}
    assert [found[n] for n in range(len(rows))] == slow_ranks(rows)
    for row in engine.rows(cuts(segment, placed)):
        inside = [one for n, one in enumerate(rows) if found[n] == row["level"] and (one["cell"] or "?") == row["cell"]]
        assert (row["units"], row["least"], row["most"]) == (
            len(inside), min(float(one["x"]) for one in inside), max(float(one["x"]) for one in inside),
        )  # fmt: skip


# ── groups found by an algorithm ────────────────────────────────────────────────────────────────────────────

CLUSTERS = {
    "id": "kind", "zh": "群", "en": "Group", "meaning": {"zh": "义", "en": "m"}, "owner": "o",
    "clusters": {"of": ["x", "y"], "where": "is_in", "most": 6},
}  # fmt: skip
XY = Names("account profile", [Name("x", Type.NUMBER), Name("y", Type.NUMBER), Name("is_in", Type.YESNO)])


def found_in(
    engine: Engine, centres: list[tuple[float, float]], before: Found | None = None, seed: int = 1
) -> tuple[Any, Found, Clusters]:
    (made,), faults = read_segments([Item("segment", "kind", CLUSTERS)], XY, XY)
    assert not faults and isinstance(made, Clusters)
    chance = np.random.default_rng(seed)
    rows = [
        {"x": x + chance.normal(0, 0.3), "y": y + chance.normal(0, 0.3), "is_in": True}
        for x, y in centres
        for _ in range(150)
    ]
    rows += [{"x": None, "y": None, "is_in": True}, {"x": 0.0, "y": 0.0, "is_in": False}]
    profile = table(engine, {"x": Type.NUMBER, "y": Type.NUMBER, "is_in": Type.YESNO}, rows)
    got = find(made, engine, profile, "unit", AS_OF, before)
    assert got is not None
    return profile.mutate(kind=clusters.value(made, got, profile)), got, made


SQUARE = [(0.0, 0.0), (8.0, 0.0), (0.0, 8.0), (8.0, 8.0)]


def test_groups_that_are_there_are_found_and_everybody_inside_is_in_one(engine: Engine) -> None:
    placed, got, _ = found_in(engine, SQUARE)
    assert got.reason["k"] == 4 and got.reason["stable"]
    sizes = {row["kind"]: row["n"] for row in engine.ask("SELECT kind, count(*) AS n FROM p GROUP BY 1", {"p": placed})}
    assert sizes.pop("none") == 1
    # Who is not known at all counts as average and still has a group.
    assert sorted(sizes.values()) in ([150, 150, 150, 151],)


def test_a_group_found_anew_keeps_its_name_when_sizes_and_order_change(engine: Engine) -> None:
    _, first, _ = found_in(engine, SQUARE)
    _, again, _ = found_in(engine, [(8.5, 8.5), (0.5, 0.0), (8.0, 0.5), (0.0, 8.5)], first, seed=7)

    def plain(found: Found) -> dict[str, tuple[float, ...]]:
        return {
            code: tuple(c * s + m for c, s, m in zip(centre, found.spreads, found.means, strict=True))
            for code, centre in zip(found.codes, found.centres, strict=True)
        }

    then, now = plain(first), plain(again)
    assert then.keys() == now.keys()
    for code, (x, y) in then.items():
        assert math.dist((x, y), now[code]) < 2, code


def test_the_same_book_gives_the_same_groups_and_they_hold_for_their_time(engine: Engine) -> None:
    _, first, made = found_in(engine, SQUARE)
    _, again, _ = found_in(engine, SQUARE)
    assert first == again == Found.read(first.as_json())
    assert first.holds(made, date(2027, 9, 30)) and not first.holds(made, date(2027, 10, 1))
    assert not first.holds(made, date(2026, 10, 30))


def test_too_few_people_or_all_alike_make_no_groups(engine: Engine) -> None:
    (made,), _ = read_segments([Item("segment", "kind", CLUSTERS)], XY, XY)
    few = table(
        engine, {"x": Type.NUMBER, "y": Type.NUMBER, "is_in": Type.YESNO}, [{"x": 1.0, "y": 2.0, "is_in": True}]
    )
    assert find(made, engine, few, "unit", AS_OF, None) is None  # type: ignore[arg-type]
    alike = table(
        engine, {"x": Type.NUMBER, "y": Type.NUMBER, "is_in": Type.YESNO}, [{"x": 1.0, "y": 2.0, "is_in": True}] * 400
    )
    assert find(made, engine, alike, "unit", AS_OF, None) is None  # type: ignore[arg-type]
    assert engine.rows(few.select(k=clusters.value(made, None, few))) == [{"k": "none"}]  # type: ignore[arg-type]


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────

LEVELS = {
    "id": "s", "zh": "客群", "en": "S", "meaning": {"zh": "义", "en": "m"}, "owner": "o", "otherwise": "rest", "unknown": "unknown",
    "levels": [
        {"code": "low", "zh": "低", "en": "Low", "when": "x < 1"},
        {"code": "rest", "zh": "其余", "en": "Rest"},
        {"code": "unknown", "zh": "未知", "en": "Unknown"},
    ],
}  # fmt: skip


def said(item: Item) -> str:
    found, faults = read_segments([item], XY, XY)
    assert not found and faults
    return "\n".join(str(fault) for fault in faults)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d.pop("otherwise"), "has no 'otherwise'"),
        (lambda d: d["levels"].append({"code": "high", "zh": "高", "en": "High"}), "nothing leads to the level 'high'"),
        (lambda d: d["levels"][0].update(when="z < 1"), "'z' is not known"),
        (lambda d: d.update(unknown="nobody"), "'nobody' is not one of its levels"),
        (lambda d: d.update(aim="fun"), "the aim is 'fun'"),
    ],
)
def test_a_partition_with_a_gap_is_refused_with_what_is_possible(change: Callable[[Any], Any], expected: str) -> None:
    data = {**LEVELS, "levels": [dict(level) for level in LEVELS["levels"]]}  # type: ignore[attr-defined]
    change(data)
    assert expected in said(Item("segment", "s", data))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"quantiles": {"of": "x", "within": ["sell"]}}, "no column is called 'sell'. Did you mean 'cell'?"),
        ({"quantiles": {"within": []}}, "does not say what is ranked"),
        ({"quantiles": {"of": "cell"}}, "number is expected"),
        ({"quantiles": {"of": "x", "by": "y"}}, "'by' is not known here"),
    ],
)
def test_a_rank_that_cannot_be_is_refused(more: dict[str, Any], expected: str) -> None:
    found, faults = read_segments([ranked(**more)], NAMES, NAMES)
    assert not found and expected in "\n".join(str(fault) for fault in faults)


def test_groups_of_what_is_no_number_are_refused() -> None:
    asked = {**CLUSTERS, "clusters": {"of": ["x", "is_in"]}}
    assert "groups are found in numbers" in said(Item("segment", "kind", asked))
    assert "no column is called 'xx'. Did you mean 'x'?" in said(
        Item("segment", "kind", {**CLUSTERS, "clusters": {"of": ["xx", "y"]}})
    )


def test_a_written_segment_reads_again_as_itself(frozen: Frozen) -> None:
    for each in frozen.segments:
        again, faults = read_segments(
            [Item("segment", each.id, each.canonical())], frozen.names["account"], frozen.names["customer"]
        )
        assert not faults and again == [each], each.id


def test_a_score_cannot_read_a_rank(tmp_path: Any) -> None:
    (tmp_path / "backbook.toml").write_text('[packs]\ncard = "1"\n', encoding="utf-8")
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "value.yaml").write_text(
        "id: value\nzh: 价值\nen: Value\nowner: o\npurpose: both\ngrain: account\nmethod: expression\n"
        "meaning: {zh: 义, en: m}\npopulation: is_open\nexpression: money(case when rfm = 'important_value' then 2 else 1 end)\n"
        "grades: {low: {up_to: 1, zh: 低, en: low}, high: {zh: 高, en: high}}\n",
        encoding="utf-8",
    )
    from backbook.run.freeze import read

    faults: list[Fault] = read(Workspace.open(tmp_path))[1]
    assert any("rfm" in fault.found and "whole book" in fault.found for fault in faults), [str(f) for f in faults]
