"""From past dates to a version: honest rows, right signs, the same bytes, and refusals where there is nothing."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from score_book import OUTCOMES, PROFILE, PaperBook, columns, item, rows, score

from backbook.engine import Engine
from backbook.expressions import Name, Names, Type
from backbook.score import Columns, Unavailable, Version, make, read_scores, sample
from backbook.score.target import Sample, folds, observation_dates

AS_OF = date(2026, 8, 31)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(threads=2, scratch=tmp_path_factory.mktemp("scratch"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def version(engine: Engine) -> Version:
    found = make(score(), engine, AS_OF, PaperBook(engine, rows(3000)))
    assert isinstance(found, Version)
    return found


def test_observation_dates_are_the_latest_whose_outcomes_are_over(engine: Engine) -> None:
    book = PaperBook(engine, rows(10), months=6)
    assert observation_dates(score(), AS_OF, book) == [date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 28)]
    # One day earlier August is not over, nor is the window that ends with it.
    assert observation_dates(score(), date(2026, 8, 30), book)[-1] == date(2026, 1, 31)


def test_features_are_asked_as_of_the_past_day_and_outcomes_as_known_now(engine: Engine) -> None:
    book = PaperBook(engine, rows(50))
    sample(score(observations={"at_most": 1}), engine, AS_OF, book)
    assert {(what, day) for what, day, _ in book.asked} == {
        ("profile", date(2026, 2, 28)), ("outcomes", date(2026, 2, 28)),
    }  # fmt: skip
    assert ("outcomes", date(2026, 2, 28), AS_OF) in book.asked


def test_a_planted_column_of_the_future_cannot_enter(engine: Engine) -> None:
    known_later = Name("worst_dpd", Type.WHOLE)
    _, wrong = read_scores([item(features=["worst_dpd"], monotone=None)], columns())
    assert "'worst_dpd' is not a column of the profile" in str(wrong[0])
    # And where a bank's own column holds the answer, it is named and nothing is trained.
    planted = Names("account", [*PROFILE, known_later])
    both = Columns({"account": planted, "customer": planted}, columns().outcomes)
    found, _ = read_scores([item(features=["utilisation", "first_dpd"], monotone=None)], both)
    assert not found
    values = rows(2000)
    values["noise"] = [float(days) + 0.5 for days in values["worst_dpd"]]
    refused = make(score(), engine, AS_OF, PaperBook(engine, values))
    assert isinstance(refused, Unavailable)
    assert "noise taken out: alone it ranks the target almost perfectly, so it is a leak" in str(refused)


def test_rows_that_are_censored_excluded_or_indeterminate_are_counted_out(engine: Engine) -> None:
    values = rows(1000)
    values["worst_dpd"] = [None] * 100 + [20] * 50 + values["worst_dpd"][150:]
    values["late"] = [9] * 30 + values["late"][30:]
    chosen = score(
        observations={"at_most": 1}, population="balance > 0 or late = 9", exclusions="late = 9",
        indeterminate="worst_dpd between 1 and 30", minimum_events=1,
    )  # fmt: skip
    found = sample(chosen, engine, AS_OF, PaperBook(engine, values))
    assert isinstance(found, Sample)
    population = [n for n in range(1000) if values["balance"][n] > 0 or values["late"][n] == 9]
    taught = [n for n in population if values["late"][n] != 9]
    known = [n for n in taught if values["worst_dpd"][n] is not None]
    kept = [n for n in known if not 1 <= values["worst_dpd"][n] <= 30]
    events = [n for n in kept if values["worst_dpd"][n] > 30]
    assert [step.rows for step in found.waterfall] == [
        len(population), len(taught), len(known), len(kept), len(events), len(kept),
    ]  # fmt: skip
    assert len(found.target) == len(kept)


def test_one_person_seen_on_several_dates_stands_in_one_fold(engine: Engine) -> None:
    found = sample(score(), engine, AS_OF, PaperBook(engine, rows(300, people=100)))
    assert isinstance(found, Sample) and len(found.target) == 900
    fold_of: dict[str, set[int]] = {}
    for account, fold in zip(found.column("account_id").to_pylist(), found.fold.tolist(), strict=True):
        fold_of.setdefault(f"c{int(account[1:]) % 100:06d}", set()).add(fold)
    assert len(fold_of) == 100 and all(len(each) == 1 for each in fold_of.values())
    assert found.overlaps


def test_folds_do_not_hang_on_the_order_of_rows_and_share_out_the_events() -> None:
    people = [f"p{number}" for number in range(500)]
    target = np.array([number % 10 == 0 for number in range(500)])
    found = dict(zip(people, folds(people, target, 5).tolist(), strict=True))
    order = list(range(500))
    random.Random(4).shuffle(order)
    again = folds([people[n] for n in order], target[order], 5)
    assert {people[n]: fold for n, fold in zip(order, again.tolist(), strict=True)} == found
    events = [
        sum(1 for person, event in zip(people, target, strict=True) if event and found[person] == n) for n in range(5)
    ]
    assert events == [10] * 5


def test_the_same_rows_and_definition_give_the_same_bytes(engine: Engine, version: Version, tmp_path: Any) -> None:
    other = Engine(threads=1, scratch=tmp_path)
    again = make(score(), other, AS_OF, PaperBook(other, rows(3000)))
    other.close()
    assert isinstance(again, Version)
    assert again.data == version.data and again.id == version.id
    assert version.id == f"behaviour-{hashlib.sha256(version.data).hexdigest()[:12]}"
    changed = make(score(), engine, AS_OF, PaperBook(engine, rows(3000, seed=2)))
    assert isinstance(changed, Version) and changed.id != version.id


def test_shifting_all_dates_by_a_year_changes_nothing_that_was_learned(engine: Engine, version: Version) -> None:
    book = PaperBook(engine, rows(3000), first=date(2023, 1, 1))
    earlier = make(score(), engine, date(2025, 8, 31), book)
    assert isinstance(earlier, Version)
    assert earlier.content["card"] == version.content["card"]
    assert earlier.content["steps"] == version.content["steps"]


@pytest.mark.parametrize("seed", range(4))
def test_a_shuffled_target_teaches_nothing(engine: Engine, seed: int) -> None:
    values = rows(3000)
    random.Random(seed).shuffle(values["worst_dpd"])
    found = make(score(), engine, AS_OF, PaperBook(engine, values))
    # No feature says anything, or what it says ranks new people like a coin.
    assert isinstance(found, Unavailable)
    assert "none does" in found.needs or "of people it had not seen" in found.needs


def test_the_figures_are_of_rows_that_the_card_had_not_seen(version: Version) -> None:
    quality = version.content["quality"]
    assert 0.72 < quality["auc"] < 0.79
    assert len(quality["by_fold"]) == 5 and quality["rows"] == 9000
    assert [day["observed_on"] for day in quality["by_date"]] == ["2025-12-31", "2026-01-31", "2026-02-28"]
    assert quality["out_of_time"]["observed_on"] == "2026-02-28" and quality["out_of_time"]["windows_overlap"]
    assert quality["calibration_error"] < 0.02
    assert version.summary()["auc"] == quality["auc"]


def test_no_row_is_judged_by_a_card_that_was_taught_by_it(engine: Engine) -> None:
    # In every fold a city of its own tells the events: known to whoever saw the fold, and to nobody else.
    values = rows(3000)
    events = np.array(values["worst_dpd"]) > 30
    fold = folds(values["customer_id"], events, 5)
    shown = events ^ (np.random.default_rng(8).random(3000) < 0.1)
    values["city"] = [f"{'late' if event else 'fine'} {number}" for event, number in zip(shown, fold, strict=True)]
    values["city"] = [city if n % 2 else "any" for n, city in enumerate(values["city"])]
    one = score(observations={"at_most": 1}, features=["city", "late"], monotone=None)
    found = make(one, engine, AS_OF, PaperBook(engine, values))
    assert isinstance(found, Version)
    assert {each["name"] for each in found.content["card"]["characteristics"]} == {"city", "late"}
    assert found.content["quality"]["auc"] < 0.75


def test_a_feature_that_works_against_its_own_bins_is_taken_out(engine: Engine) -> None:
    # `noise` rises with `utilisation`, so alone it seems to mean risk; beside it, it means the opposite.
    random = np.random.default_rng(7)
    first = random.normal(size=8000)
    second = first + random.normal(size=8000) * 0.7
    chance = 1 / (1 + np.exp(1.5 - 2.0 * first + 0.8 * second))
    values = rows(8000) | {
        "utilisation": first.tolist(),
        "noise": second.tolist(),
        "worst_dpd": np.where(random.random(8000) < chance, 60, 0).tolist(),
    }
    one = score(observations={"at_most": 1}, features=["utilisation", "noise"], monotone=None)
    found = make(one, engine, AS_OF, PaperBook(engine, values))
    assert isinstance(found, Version)
    assert [each["name"] for each in found.content["card"]["characteristics"]] == ["utilisation"]
    assert {"feature": "noise", "why": "against its own bins beside the others"} in found.content["card"]["left_out"]


def test_signs_are_right_and_directions_hold(version: Version) -> None:
    card = {one["name"]: one for one in version.content["card"]["characteristics"]}
    assert set(card) >= {"utilisation", "late", "city"} and "noise" not in card
    assert all(one["coefficient"] > 0 for one in card.values())
    for name in ("utilisation", "late"):
        points = [bin["points"] for bin in card[name]["bins"] if bin["kind"] == "range"]
        assert points == sorted(points, reverse=True) and card[name]["direction"] == "up"
    assert {"feature": "noise", "why": "little information"} in version.content["card"]["left_out"]


def test_points_mean_the_odds_that_the_definition_states(engine: Engine) -> None:
    stated = score(points={"base": 500, "odds": 9, "double": 20})
    found = make(stated, engine, AS_OF, PaperBook(engine, rows(3000)))
    assert isinstance(found, Version)
    card = found.content["card"]
    chance = lambda points: 1 / (1 + np.exp((points - card["even"]) / card["factor"]))  # noqa: E731
    assert chance(500) == pytest.approx(0.1, abs=1e-6)
    assert chance(520) / (1 - chance(520)) == pytest.approx(chance(500) / (1 - chance(500)) / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({"target": "worst_dpd > 600"}, "50 events at past dates; there are 0"),
        ({"target": "worst_dpd >= 0"}, "50 rows without the event at past dates; there are 0"),
        ({"minimum_events": 10_000}, "10000 events at past dates; there are"),
        ({"features": ["noise"], "monotone": None}, "a feature that says something about the target; none does"),
    ],
)
def test_what_cannot_be_trained_says_what_it_needs(engine: Engine, changes: dict[str, Any], needs: str) -> None:
    found = make(score(**changes), engine, AS_OF, PaperBook(engine, rows(1500)))
    assert isinstance(found, Unavailable) and needs in found.needs


def test_a_book_without_enough_history_says_so(engine: Engine) -> None:
    found = make(score(), engine, AS_OF, PaperBook(engine, rows(10), first=date(2026, 5, 1)))
    assert str(found) == (
        "score 'behaviour' is not available: needs a past date whose outcomes (worst_dpd) are over by 2026-08-31; "
        "the book begins on 2026-05-01"
    )


def test_a_feature_that_is_the_same_for_all_is_left_out_by_name(engine: Engine) -> None:
    values = rows(2000)
    values["noise"] = [1.0] * 2000
    found = make(score(), engine, AS_OF, PaperBook(engine, values))
    assert isinstance(found, Version)
    assert {"feature": "noise", "why": "the same for all"} in found.content["card"]["left_out"]
    assert {name.name for name in OUTCOMES}.isdisjoint(each["name"] for each in found.content["columns"])


def test_a_bought_feature_shows_what_it_adds(engine: Engine) -> None:
    bought = replace(score(), bought=("late", "noise"))
    found = make(bought, engine, AS_OF, PaperBook(engine, rows(3000)))
    assert isinstance(found, Version)
    # Noise is not on the card, so nothing of it is worth its price.
    (late,) = found.content["bought"]
    assert late["feature"] == "late" and late["known"] == 1
    assert late["adds"] == pytest.approx(found.content["quality"]["auc"] - late["auc_without"], abs=1e-6)
    assert late["adds"] > 0.05
