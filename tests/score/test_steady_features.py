"""What holds from date to date may teach a score; what tells the dates apart, or has turned, is left out by name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest
from score_book import PaperBook, rows, score

from backbook.engine import Engine
from backbook.score import Unavailable, Version, make
from backbook.score.stability import HAS_TURNED, TELLS_DATES, unsteady

AS_OF = date(2026, 8, 31)
DAYS = (date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 28))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(threads=2, scratch=tmp_path_factory.mktemp("scratch"))
    yield engine
    engine.close()


def taught(engine: Engine, days: dict[date, dict[str, Any]]) -> Version:
    made = make(score(), engine, AS_OF, PaperBook(engine, rows(10), days=days))
    assert not isinstance(made, Unavailable), str(made)
    return made


def left_out(version: Version) -> dict[str, str]:
    return {each["feature"]: each["why"] for each in version.content["card"]["left_out"]}


def on_the_card(version: Version) -> set[str]:
    return {each["name"] for each in version.content["card"]["characteristics"]}


def days_of_another_rate(set_noise: Any) -> dict[date, dict[str, Any]]:
    """Three dates of which each has half as many events again as the one before; the rest is as ever."""
    days = {}
    for place, day in enumerate(DAYS):
        values, random = rows(2000, seed=place), np.random.default_rng(place)
        more = random.random(2000) < 0.15 * place
        values["worst_dpd"] = np.where(more, 60, values["worst_dpd"]).tolist()
        values["noise"] = set_noise(place, values, random)
        days[day] = values
    return days


def test_a_rate_of_the_day_that_is_the_same_for_all_is_left_out_by_name(engine: Engine) -> None:
    version = taught(engine, days_of_another_rate(lambda place, values, random: [4.0 - place] * 2000))
    assert left_out(version)["noise"] == TELLS_DATES
    assert "late" in on_the_card(version)


def test_what_tells_people_apart_on_each_date_stays_though_the_rate_moves(engine: Engine) -> None:
    def worth_knowing(place: int, values: dict[str, Any], random: Any) -> list[float]:
        return (np.array(values["worst_dpd"]) / 60 + random.normal(0, 1, 2000)).tolist()

    assert "noise" in on_the_card(taught(engine, days_of_another_rate(worth_knowing)))


def test_a_feature_whose_effect_turns_round_is_left_out_by_name(engine: Engine) -> None:
    def turning(place: int, values: dict[str, Any], random: Any) -> list[float]:
        way = 1 if place == 0 else -0.5
        return (way * np.array(values["worst_dpd"]) / 60 + random.normal(0, 1, 2000)).tolist()

    assert left_out(taught(engine, days_of_another_rate(turning)))["noise"] == HAS_TURNED


def test_the_last_date_is_judged_without_having_chosen_the_features(engine: Engine) -> None:
    """What turns on the last date only is left out of the card, but out of time it was still believed."""

    def turning_at_last(place: int, values: dict[str, Any], random: Any) -> list[float]:
        return ((1, 0.1, -1)[place] * np.array(values["worst_dpd"]) / 60 + random.normal(0, 1, 2000)).tolist()

    version = taught(engine, days_of_another_rate(turning_at_last))
    assert left_out(version)["noise"] == HAS_TURNED
    assert version.content["quality"]["out_of_time"]["auc"] < 0.5 < version.content["quality"]["auc"]


def test_one_date_tells_nothing_of_steadiness() -> None:
    assert unsteady(np.array([[5.0, 50.0]]), np.array([[100.0, 100.0]])) is None


def test_dates_without_events_or_without_others_tell_nothing() -> None:
    everyone = np.full((2, 2), 100.0)
    assert unsteady(np.zeros((2, 2)), everyone) is None
    assert unsteady(everyone, everyone) is None
