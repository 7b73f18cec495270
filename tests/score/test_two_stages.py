"""Two stages: activation, then first use; each stage is taught by its own people, and one card alone stands beside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest
from score_book import PaperBook, arrow, rows, score

from backbook.engine import Engine
from backbook.score import Unavailable, Version, apply, for_one, make

AS_OF = date(2024, 8, 31)
FIRST, WHOLE = "worst_dpd > 0", "worst_dpd > 30"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(threads=1)
    yield engine
    engine.close()


def people(count: int = 6000) -> dict[str, Any]:
    """Whether the card is activated hangs on the use made of others; whether it is then used, on the times late."""
    found = rows(count, seed=4)
    random = np.random.default_rng(9)
    used = np.array([0.6 if each is None else each for each in found["utilisation"]])
    activates = random.random(count) < 1 / (1 + np.exp(3 * used - 1.5))
    uses = random.random(count) < 1 / (1 + np.exp(1.2 * np.array(found["late"]) - 0.5))
    return found | {"worst_dpd": np.where(activates & uses, 60, np.where(activates, 30, 0)).tolist()}


def definition(**changes: Any) -> Any:
    return score(
        method="two_stage", first=FIRST, target=WHOLE, features=["utilisation", "late", "noise"], monotone=None,
        points={"more": "events"}, observations={"at_most": 1}, **changes,
    )  # fmt: skip


@pytest.fixture(scope="module")
def version(engine: Engine) -> Version:
    found = make(definition(), engine, AS_OF, PaperBook(engine, people()))
    assert isinstance(found, Version)
    return found


def test_each_stage_learns_what_drives_it(version: Version) -> None:
    drivers = {
        stage: [one["name"] for one in card["characteristics"]] for stage, card in version.content["stages"].items()
    }
    assert drivers == {"first": ["utilisation"], "second": ["late"]}


def test_the_second_stage_is_taught_by_those_who_passed_the_first(version: Version) -> None:
    values = people()
    passed = sum(each > 0 for each in values["worst_dpd"])
    bins = version.content["stages"]["second"]["characteristics"][0]["bins"]
    assert sum(bin["events"] + bin["others"] for bin in bins) == passed
    assert sum(bin["events"] for bin in bins) == sum(each > 30 for each in values["worst_dpd"])


def test_the_chance_of_the_whole_way_is_the_product_and_comes_true(engine: Engine, version: Version) -> None:
    table = engine.table(arrow(people())).drop("worst_dpd")
    given = engine.rows(apply(version, table, engine).order_by("account_id"))
    chances = np.array([row["probability"] for row in given])
    came = np.array(people()["worst_dpd"]) > 30
    assert abs(chances.mean() - came.mean()) < 0.01
    assert version.content["quality"]["calibration_error"] < 0.03
    # The more points, the likelier: the definition asked for it.
    points = np.array([row["points"] for row in given])
    assert np.corrcoef(points, chances)[0, 1] > 0.9


def test_one_card_alone_stands_beside_with_its_figures(version: Version) -> None:
    alone = version.content["quality"]["one_stage"]
    assert set(alone) == {"auc", "ks", "brier", "calibration_error"}
    assert abs(alone["auc"] - version.content["quality"]["auc"]) < 0.02


def test_the_book_and_the_single_customer_get_the_same_answer_in_two_stages(engine: Engine, version: Version) -> None:
    table = engine.table(arrow(people(200))).drop("worst_dpd")
    one = for_one(version)
    profile = {row["account_id"]: row for row in engine.rows(table)}
    for row in engine.rows(apply(version, table, engine)):
        assert one(profile[row.pop("account_id")]) == row


def test_reasons_say_of_which_stage_they_are_and_speak_for_the_event(engine: Engine, version: Version) -> None:
    given = for_one(version)({"utilisation": 0.01, "late": 0, "noise": 0.0})
    codes = [given[f"reason_{place}"] for place in (1, 2)]
    assert {code.rpartition(".")[2] for code in codes} == {"first", "second"}
    assert {version.reason(code, "en").partition(" at most")[0].partition(" is")[0] for code in codes} == {
        "Utilisation", "Times late",
    }  # fmt: skip
    # The one who will hardly come has no reason that speaks for it.
    assert for_one(version)({"utilisation": 1.2, "late": 9, "noise": 0.0})["reason_1"] is None


def test_a_stage_that_nobody_fails_or_passes_says_which_stage(engine: Engine) -> None:
    found = make(definition(minimum_events=3000), engine, AS_OF, PaperBook(engine, people()))
    assert isinstance(found, Unavailable) and "stage)" in found.needs


def test_two_stages_are_judged_out_of_time_too(engine: Engine) -> None:
    found = make(
        score(method="two_stage", first=FIRST, target=WHOLE, features=["utilisation", "late"], monotone=None,
              observations={"at_most": 2}), engine, AS_OF, PaperBook(engine, people(), first=date(2023, 1, 1)),
    )  # fmt: skip
    assert isinstance(found, Version)
    last = found.content["quality"]["out_of_time"]
    assert last["rows"] == 6000 and abs(last["auc"] - found.content["quality"]["auc"]) < 0.03
