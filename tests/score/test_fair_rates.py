"""Rates by group: numbers to check by hand, never a pass for want of data, never a flag for what may be chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from backbook.score.fairness import FLAG, PASS, REFERENCE, TOO_FEW, UNSURE, Cell, judged, two_rates


def verdicts(*cells: Cell) -> dict[str, str]:
    return {each.level: each.verdict for each in judged(cells)}


def test_the_ratio_is_of_the_groups_rate_to_the_highest() -> None:
    # 60 of 100 against 90 of 100: two thirds, and far from chance.
    women, men = judged([Cell("f", 100, 60, events=20, expected=18.0), Cell("m", 100, 90, events=10, expected=12.0)])
    assert men.verdict == REFERENCE and men.ratio is None
    assert women.ratio == pytest.approx(2 / 3) and women.verdict == FLAG
    assert (women.observed, women.mean_probability) == (0.2, 0.18)
    # Wilson for 60 of 100, by hand: 0.5020 to 0.6906.
    assert (round(women.low or 0, 4), round(women.high or 0, 4)) == (0.5020, 0.6906)


def test_at_four_fifths_nothing_is_flagged() -> None:
    assert verdicts(Cell("f", 1000, 720), Cell("m", 1000, 900)) == {"f": PASS, "m": REFERENCE}
    assert verdicts(Cell("f", 1000, 719), Cell("m", 1000, 900)) == {"f": FLAG, "m": REFERENCE}


def test_a_low_ratio_that_chance_may_bring_is_called_unsure() -> None:
    assert verdicts(Cell("f", 40, 20), Cell("m", 40, 26)) == {"f": UNSURE, "m": REFERENCE}


def test_twenty_nine_units_are_not_enough_data_and_no_pass() -> None:
    small, large = judged([Cell("x", 29, 1), Cell("m", 1000, 900)])
    assert small.verdict == TOO_FEW and small.favourable is small.ratio is small.chance is None
    assert large.verdict == REFERENCE
    assert verdicts(Cell("x", 29, 1)) == {"x": TOO_FEW}


def test_a_tiny_group_is_judged_and_judges_nobody() -> None:
    # 31 of 31 would be the highest rate; of 3,031 units they are one in a hundred.
    found = verdicts(Cell("x", 31, 31), Cell("f", 1500, 1200), Cell("m", 1500, 1210))
    assert found == {"x": PASS, "f": PASS, "m": REFERENCE}


def test_the_test_of_two_rates_is_scipys() -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        of, other_of = random.integers(30, 500, 2)
        count, other = random.integers(1, of), random.integers(1, other_of)
        judge = chi2_contingency([[count, of - count], [other, other_of - other]], correction=False).pvalue
        assert two_rates(int(count), int(of), int(other), int(other_of)) == pytest.approx(judge, rel=1e-9)
