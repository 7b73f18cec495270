"""From pairs to people: the order of arrival says nothing, vetoes hold, and the newest ruling wins."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbook.customer.identity.grouping import APART, CONFLICT, MERGE, TOO_MANY, Ruled, grouped
from backbook.customer.identity.linkage import FLOOR

Pairs = dict[tuple[int, int], float]


def people(n: int, pairs: Pairs, *, sure=(), conflicts=(), ruled=(), link: float = 0.0, most: int = 100):
    listed = sorted(pairs)
    left, right = (np.array([pair[side] for pair in listed], np.int64) for side in (0, 1))
    weight = np.array([pairs[pair] for pair in listed], float)
    marked = np.array([pair in set(sure) for pair in listed], bool)
    return grouped(n, left, right, weight, sure=marked, conflicts=conflicts, ruled=ruled, link=link, most=most)


def sets(groups) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(groups.of == name).tolist()) for name in np.unique(groups.of)}


def slowly(n: int, pairs: Pairs, link: float) -> set[frozenset[int]]:
    """Average linkage as the textbook has it: of all pairs of groups the likeliest joins, until none is likely."""
    groups = [frozenset([one]) for one in range(n)]
    while True:
        best = None
        for a, b in itertools.combinations(sorted(groups, key=min), 2):
            met = [pairs.get((min(x, y), max(x, y)), FLOOR) for x in a for y in b]
            if all(weight == FLOOR for weight in met):
                continue
            score = round(sum(max(weight, FLOOR) for weight in met) / len(met) + min(np.log2(len(met)), 4.0), 9)
            if score > link and (best is None or (-score, min(a), min(b)) < best[0]):
                best = ((-score, min(a), min(b)), a, b)
        if best is None:
            return set(groups)
        groups = [one for one in groups if one not in best[1:]] + [best[1] | best[2]]


weights = st.integers(-70, 200).map(lambda tenths: tenths / 10)


@st.composite
def books(draw):
    n = draw(st.integers(2, 9))
    possible = list(itertools.combinations(range(n), 2))
    return n, {pair: draw(weights) for pair in draw(st.lists(st.sampled_from(possible), unique=True, max_size=16))}


@settings(max_examples=400, deadline=None)
@given(books())
def test_people_are_those_of_the_textbook(book):
    n, pairs = book
    assert sets(people(n, pairs)) == slowly(n, pairs, 0.0)


@settings(max_examples=200, deadline=None)
@given(books(), st.data())
def test_the_order_of_records_decides_nothing_but_ties(book, data):
    n, pairs = book
    # Weights that differ, so that no tie asks for the order.
    pairs = {pair: weight + place * 1e-4 for place, (pair, weight) in enumerate(sorted(pairs.items()))}
    order = data.draw(st.permutations(range(n)))
    moved = {(min(order[a], order[b]), max(order[a], order[b])): weight for (a, b), weight in pairs.items()}
    back = {frozenset(order.index(one) for one in group) for group in sets(people(n, moved))}
    assert back == sets(people(n, pairs))


def test_a_chain_of_half_likely_pairs_does_not_join_strangers():
    chain = {(0, 1): 3.0, (1, 2): 3.0, (2, 3): 3.0, (3, 4): 3.0}
    assert frozenset(range(5)) not in sets(people(5, chain))


def test_a_rule_joins_where_the_weight_would_not():
    assert sets(people(2, {(0, 1): -5.0}, sure=[(0, 1)])) == {frozenset({0, 1})}


def test_what_is_kept_apart_is_not_joined_by_a_rule_a_chain_or_a_weight():
    pairs = {(0, 1): 30.0, (1, 2): 30.0, (0, 2): 30.0}
    found = people(3, pairs, sure=[(0, 1), (1, 2)], ruled=[Ruled(APART, 0, 2, "R1")])
    assert found.of[0] != found.of[2]


def test_a_conflict_is_told_and_only_a_ruling_overrules_it():
    pairs = {(0, 1): 30.0}
    refused = people(2, pairs, conflicts=[(0, 1)])
    assert refused.of[0] != refused.of[1]
    assert refused.refused == [(0, 1, CONFLICT)]
    assert sets(people(2, pairs, conflicts=[(0, 1)], ruled=[Ruled(MERGE, 0, 1, "R1")])) == {frozenset({0, 1})}


def test_of_two_rulings_about_the_same_records_the_newest_holds():
    merge, apart = Ruled(MERGE, 0, 1, "R1"), Ruled(APART, 0, 1, "R2")
    assert len(sets(people(2, {}, ruled=[apart, merge]))) == 2
    assert len(sets(people(2, {}, ruled=[merge, apart]))) == 1


def test_an_old_chain_of_merges_does_not_undo_a_newer_apart():
    ruled = [Ruled(APART, 0, 2, "R3"), Ruled(MERGE, 1, 2, "R2"), Ruled(MERGE, 0, 1, "R1")]
    found = people(3, {}, ruled=ruled)
    assert found.of[0] != found.of[2]


def test_no_chain_joins_more_records_than_a_person_has():
    chain = {(one, one + 1): 30.0 for one in range(999)}
    found = people(1000, chain, sure=list(chain), most=100)
    assert np.bincount(found.of).max() <= 100
    assert {why for *_, why in found.refused} == {TOO_MANY}


def test_a_chain_of_a_thousand_merges_stops_where_a_person_has_enough():
    ruled = [Ruled(MERGE, one, one + 1, f"R{one}") for one in range(999)]
    found = people(1000, {}, ruled=ruled, most=100)
    assert np.bincount(found.of).max() <= 100
    assert {why for *_, why in found.refused} == {TOO_MANY}


@pytest.mark.parametrize("n", [0, 1])
def test_a_book_without_pairs_is_its_records(n):
    assert len(sets(people(n, {}))) == n


@settings(max_examples=200, deadline=None)
@given(books(), st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.sampled_from([MERGE, APART])), max_size=6))
def test_rulings_hold_whatever_the_evidence(book, told):
    n, pairs = book
    ruled = [Ruled(kind, a % n, b % n, f"R{place}") for place, (a, b, kind) in enumerate(told) if a % n != b % n]
    found = people(n, pairs, sure=list(pairs), ruled=ruled)
    if ruled:
        newest = ruled[0]
        assert (found.of[newest.left] == found.of[newest.right]) == (newest.kind == MERGE)
    only_apart = [one for one in ruled if one.kind == APART]
    if len(only_apart) == len(ruled):
        assert all(found.of[one.left] != found.of[one.right] for one in only_apart)
