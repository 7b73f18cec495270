"""Contributions of trees: LightGBM's own, slow and exact, are the judge; a stump is counted by hand."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest

from backbook.errors import BadData
from backbook.score import contributions
from backbook.score.contributions import columns_of, lookup

SETTINGS = {"objective": "binary", "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": 1}
KINDS: dict[str, dict[str, Any]] = {
    "small leaves": {"num_leaves": 15, "min_data_in_leaf": 5},
    # Two columns for fifteen leaves: every path asks for the same column again and again.
    "two columns": {"num_leaves": 15, "min_data_in_leaf": 5, "columns": 2},
    "monotone": {"num_leaves": 8, "monotone_constraints": [1, -1, 0, 0, 0, 0]},
    "many leaves": {"num_leaves": 60, "min_data_in_leaf": 3},
    "stumps": {"num_leaves": 2},
    "large leaves": {"num_leaves": 4, "min_data_in_leaf": 140},
    "nothing to split": {"min_data_in_leaf": 400},
    "none missing": {"num_leaves": 15, "min_data_in_leaf": 5, "missing": 0.0},
    "bagged": {"num_leaves": 7, "bagging_fraction": 0.5, "bagging_freq": 1, "feature_fraction": 0.5},
}


def grown(columns: int = 6, missing: float = 0.15, rows: int = 600, trees: int = 25, **settings: Any) -> Any:
    """A booster on made-up rows, and rows to ask it about: some with values missing wherever they may be."""
    random = np.random.default_rng(columns)
    matrix = random.normal(size=(rows, columns))
    matrix[:, 0] = np.round(matrix[:, 0])
    matrix[random.random(matrix.shape) < missing] = np.nan
    known = np.nan_to_num(matrix)
    chance = 1 / (1 + np.exp(1 - known[:, 0] - known[:, 1] * known[:, 0] + np.isnan(matrix[:, 1])))
    data = lightgbm.Dataset(matrix, random.random(rows) < chance)
    booster = lightgbm.train(SETTINGS | {"verbose": -1} | settings, data, trees)
    asked = random.normal(size=(300, columns)) * 2
    asked[random.random(asked.shape) < 0.2] = np.nan
    # On a cut itself a value goes left.
    asked[:150] = matrix[:150]
    return booster, asked


def made(booster: Any, columns: int) -> contributions.Lookup:
    return lookup(booster.model_to_string(), range(columns))


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_lightgbms_to_the_last_bit_and_contributions_to_nine_digits(kind: str) -> None:
    booster, asked = grown(**KINDS[kind])
    found = made(booster, asked.shape[1])
    values, moved = found.explained(asked)
    judge = booster.predict(asked, pred_contrib=True, num_threads=1)
    assert (values == booster.predict(asked, raw_score=True, num_threads=1)).all()
    values_alone = lookup(booster.model_to_string(), range(asked.shape[1]), explaining=False)
    assert (found.values(asked) == values).all() and (values_alone.values(asked) == values).all()
    np.testing.assert_allclose(moved.T, judge[:, :-1], rtol=0, atol=1e-12)
    assert found.expected == pytest.approx(judge[0, -1], abs=1e-12)
    np.testing.assert_allclose(found.expected + moved.sum(axis=0), values, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["small leaves", "many leaves", "nothing to split"])
def test_a_single_row_gets_the_figures_it_gets_among_others_to_the_last_bit(kind: str) -> None:
    booster, asked = grown(**KINDS[kind])
    found = made(booster, asked.shape[1])
    values, moved = found.explained(asked)
    for place in range(0, 300, 7):
        alone, moved_alone = found.explained(asked[place : place + 1])
        assert alone[0] == values[place] and (moved_alone[:, 0] == moved[:, place]).all()


def test_neither_threads_nor_chunks_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    booster, asked = grown(**KINDS["small leaves"])
    found = made(booster, asked.shape[1])
    values, moved = found.explained(asked)
    monkeypatch.setattr(contributions, "CHUNK", 37)
    again, moved_again = found.explained(asked, threads=3)
    assert (again == values).all() and (moved_again == moved).all()


def test_how_leaves_are_gathered_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    booster, asked = grown(**KINDS["many leaves"])
    whole = made(booster, asked.shape[1])
    monkeypatch.setattr(contributions, "MOST_CELLS", 8)
    monkeypatch.setattr(contributions, "MOST_MASKS", 64)
    split = made(booster, asked.shape[1])
    assert len(split.groups) > 2 * len(whole.groups)
    assert (split.values(asked) == whole.values(asked)).all()
    np.testing.assert_allclose(split.explained(asked)[1], whole.explained(asked)[1], rtol=0, atol=1e-12)


def test_a_split_by_whether_a_value_is_known_has_an_infinite_cut() -> None:
    random = np.random.default_rng(5)
    matrix = np.where(random.random((400, 2)) < 0.4, np.nan, random.normal(size=(400, 2)))
    booster = lightgbm.train(SETTINGS | {"verbose": -1}, lightgbm.Dataset(matrix, np.isnan(matrix[:, 0])), 20)
    assert "threshold=inf" in booster.model_to_string()
    found = made(booster, 2)
    assert (found.explained(matrix)[0] == booster.predict(matrix, raw_score=True, num_threads=1)).all()


def test_columns_that_no_tree_asks_for_need_not_be_there() -> None:
    booster, asked = grown(columns=6, num_leaves=4, feature_fraction=0.4, trees=2)
    columns = columns_of(booster.model_to_string())
    assert 0 < len(columns) < 6
    narrow = lookup(booster.model_to_string(), columns[::-1])
    assert (narrow.values(asked[:, columns[::-1]]) == booster.predict(asked, raw_score=True)).all()


# One split: three of the four rows that taught it went left.
STUMP = """tree
max_feature_idx=1

Tree=0
num_leaves=2
num_cat=0
split_feature=1
threshold=0.5
decision_type={kind}
left_child=-1
right_child=-2
leaf_value=1 5
leaf_count=3 1
internal_count=4
is_linear=0


end of trees
"""


def test_a_stump_moves_a_row_by_its_leaf_less_what_was_to_be_expected() -> None:
    # Of a row of which nothing is known: 3/4 of 1 and 1/4 of 5. Missing values go right.
    found = lookup(STUMP.format(kind=8), [0, 1])
    values, moved = found.explained(np.array([[9.0, 0.5], [9.0, 0.6], [9.0, np.nan]]))
    assert found.expected == 2
    assert values.tolist() == [1, 5, 5]
    assert moved.tolist() == [[0, 0, 0], [-1, 3, 3]]


def test_where_missing_values_go_is_read_from_the_split() -> None:
    missing = np.array([[9.0, np.nan], [9.0, np.nan]])
    assert lookup(STUMP.format(kind=10), [0, 1]).values(missing).tolist() == [1, 1]
    # Where training met none, LightGBM takes them for 0.
    assert lookup(STUMP.format(kind=2), [0, 1]).values(missing).tolist() == [1, 1]
    assert lookup(STUMP.format(kind=0).replace("=0.5", "=-0.5"), [0, 1]).values(missing).tolist() == [5, 5]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (STUMP.format(kind=2).replace("num_cat=0", "num_cat=1"), "linear or categorical trees"),
        (STUMP.format(kind=2).replace("is_linear=0", "is_linear=1"), "linear or categorical trees"),
        (STUMP.format(kind=4), "zero_as_missing off"),
    ],
)
def test_trees_of_other_kinds_are_refused_and_not_misread(text: str, why: str) -> None:
    with pytest.raises(BadData, match=why):
        lookup(text, [0, 1])
