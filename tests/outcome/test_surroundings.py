"""The picture of a customer's surroundings: who is in it, who is left out, and that it draws in both languages."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
import vl_convert

from backbook.engine import Engine
from backbook.outcome.surroundings import STATES, Surroundings, picture, surroundings


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine(threads=2)
    yield made
    made.close()


def rows_of(*told: str) -> list[dict[str, Any]]:
    """`ann > bob referral` is a tie that ann made, `ann = bob household` one of both alike."""
    rows = []
    for each in told:
        one, sign, other, kind = each.split()
        for a, b, way in ((one, other, "out"), (other, one, "in")):
            rows.append({"customer_id": a, "other_customer_id": b, "kind": kind, "way": way if sign == ">" else "both",
                         "since": date(2025, 1, 1) if sign == ">" else None, "holders": None})  # fmt: skip
    return rows


def around(engine: Engine, rows: list[dict[str, Any]], late: dict[str, bool | None], **more: Any) -> Surroundings:
    schema = pa.schema({"customer_id": pa.string(), "other_customer_id": pa.string(), "kind": pa.string(),
                        "way": pa.string(), "since": pa.date32(), "holders": pa.int64()})  # fmt: skip
    customer = {
        "customer_id": pa.array(list(late), pa.string()),
        "is_past_due": pa.array(list(late.values()), pa.bool_()),
    }
    with engine.scope():
        tie = engine.table(pa.Table.from_pylist(rows, schema))
        return surroundings(engine, tie, engine.table(pa.table(customer)), "ann", **more)


FAMILY = rows_of(
    "ann = bob household", "ann = bob shared_address", "ann > cho referral", "cho = dan household", "dan > eve transfer",
    "cho > bob transfer",
)  # fmt: skip
LATE = {"ann": False, "bob": True, "cho": None, "dan": True}


def test_two_steps_out_everyone_stands_with_his_state_and_every_tie_among_them_once(engine: Engine) -> None:
    found = around(engine, FAMILY, LATE)
    assert [(row["customer_id"], row["steps"], row["state"]) for row in found.nodes] == [
        ("ann", 0, "not_past_due"), ("bob", 1, "past_due"), ("cho", 1, "unknown"), ("dan", 2, "past_due"),
    ]  # fmt: skip
    assert [(row["one"], row["other"], row["kind"], row["is_directed"]) for row in found.edges] == [
        ("ann", "bob", "household", False), ("ann", "bob", "shared_address", False), ("ann", "cho", "referral", True),
        ("cho", "bob", "transfer", True), ("cho", "dan", "household", False),
    ]  # fmt: skip
    assert found.left_out == 0


def test_what_does_not_fit_is_counted_once_and_the_strongest_ties_come_first(engine: Engine) -> None:
    rows = rows_of(*(f"ann > t{n:02} transfer" for n in range(50)), "ann = zoe household", "zoe = t49 household",
                   "zoe = yan household")  # fmt: skip
    found = around(engine, rows, {}, most=10)
    assert [row["customer_id"] for row in found.nodes] == ["ann", "zoe", *(f"t{n:02}" for n in range(8))]
    assert found.left_out == 42 + 1  # the other transfers, t49 among them, and yan


def test_the_order_of_rows_moves_nobody(engine: Engine) -> None:
    mixed = random.Random(1).sample(FAMILY, len(FAMILY))
    assert around(engine, mixed, LATE) == around(engine, FAMILY, LATE)


def test_nobody_stands_on_another(engine: Engine) -> None:
    rows = rows_of(*(f"ann > a{n} referral" for n in range(9)), *(f"a{n % 9} = b{n} household" for n in range(30)))
    places = [(row["x"], row["y"]) for row in around(engine, rows, {}).nodes]
    assert len(set(places)) == len(places) == 40


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_picture_draws_and_says_what_it_leaves_out(engine: Engine, language: str) -> None:
    rows = rows_of(*(f"ann > t{n:02} transfer" for n in range(50)))
    spec = picture(around(engine, rows, {"ann": True}), language).to_dict()
    svg = vl_convert.vegalite_to_svg(json.dumps(spec))
    assert STATES["past_due"].to(language) in svg
    assert {"zh": "另有 11 位", "en": "11 more customers"}[language] in svg
    assert "t38" in svg and "t39" not in svg


def test_an_arrow_points_from_who_made_the_tie_to_who_received_it(engine: Engine) -> None:
    def angle(*told: str) -> float:
        layers = picture(around(engine, rows_of(*told), {}), "en").to_dict()["layer"]
        (arrow,) = layers[1]["data"]["values"]
        return float(arrow["angle"])

    # The other stands to the right of ann: 90 degrees clockwise from up is towards him.
    assert angle("ann > bob referral") == pytest.approx(90)
    assert angle("bob > ann referral") == pytest.approx(-90)


def test_one_without_ties_stands_alone_and_the_picture_says_so(engine: Engine) -> None:
    found = around(engine, rows_of("bob = cho household"), LATE)
    assert [row["customer_id"] for row in found.nodes] == ["ann"] and not found.edges
    assert "No tie with another customer" in vl_convert.vegalite_to_svg(json.dumps(picture(found, "en").to_dict()))
