"""Figures of merit, checked by hand and by an independent judge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from backbook.score.quality import auc, calibration, calibration_error, ks, quality

ROWS = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=200)


@given(ROWS)
@settings(max_examples=200, deadline=None)
def test_ranks_agree_with_scikit_learn(rows: list[tuple[int, bool]]) -> None:
    chances = np.array([chance / 20 for chance, _ in rows])
    events = np.array([event for _, event in rows])
    if not 0 < events.sum() < len(events):
        return
    assert auc(chances, events) == pytest.approx(roc_auc_score(events, chances), abs=1e-12)
    false, true, _ = roc_curve(events, chances, drop_intermediate=False)
    assert ks(chances, events) == pytest.approx(np.max(np.abs(true - false)), abs=1e-12)


def test_calibration_counts_what_was_expected_and_what_came() -> None:
    chances = np.array([0.1] * 5 + [0.5] * 5)
    events = np.array([True] + [False] * 4 + [True] * 3 + [False] * 2)
    low, high = calibration(chances, events, bands=2)
    assert (low.rows, low.expected, low.observed) == (5, 0.1, 0.2)
    assert (high.rows, high.expected, high.observed) == (5, 0.5, 0.6)
    assert calibration_error((low, high)) == pytest.approx(0.1)


def test_rows_of_one_chance_are_never_split_between_bands() -> None:
    bands = calibration(np.array([0.2] * 90 + [0.9] * 10), np.array([False] * 100))
    assert [band.rows for band in bands] == [90, 10]


def test_gini_is_twice_the_auc_less_one() -> None:
    found = quality(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    assert (found.auc, found.gini, found.ks, found.rows, found.events) == (0.875, 0.75, 0.5, 4, 2)
