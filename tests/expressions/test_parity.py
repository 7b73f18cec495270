"""Whatever can be written, the book and the single customer answer alike; the engine is the judge."""

from __future__ import annotations

import parity
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from backbook.engine import Engine
from backbook.expressions import Type, parse

ROWS, TABLES = 60, 4
# 300 examples × 2 expressions × 60 rows, and 40 tables of branches × 60 rows: some 38,000 cases
EXPRESSIONS, DECISIONS = 300, 40


@pytest.fixture(scope="module")
def books():
    engine = Engine()
    made = [parity.customers(seed, ROWS) for seed in range(TABLES)]
    return [(engine.table(arrow), arrow.to_pylist(), engine.arrow) for arrow in made]


def quick(examples: int):
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture, HealthCheck.large_base_example],
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )  # fmt: skip


@quick(EXPRESSIONS)
@given(rng=st.randoms(use_true_random=True), book=st.integers(0, TABLES - 1), depth=st.integers(1, 4))
def test_an_expression_has_one_answer_for_the_book_and_for_one_customer(books, rng, book, depth):
    maker = parity.Maker(rng)
    expressions = [parity.any_expression(maker, depth), parity.any_expression(maker, 2)]
    assert parity.differences(expressions, *books[book]) == []


@quick(DECISIONS)
@given(rng=st.randoms(use_true_random=True), book=st.integers(0, TABLES - 1), branches=st.integers(1, 12))
def test_a_first_match_table_stops_at_one_branch_for_the_book_and_for_one_customer(books, rng, book, branches):
    assert parity.table_differences(parity.any_table(parity.Maker(rng), branches), *books[book]) == []


@quick(400)
@given(rng=st.randoms(use_true_random=True), book=st.integers(0, TABLES - 1), branches=st.integers(2, 16))
def test_the_tree_of_a_table_decides_as_its_branches_say_in_order(books, rng, book, branches):
    decide = parity.any_table(parity.Maker(rng), branches, banded=True)
    one, plain = decide.python(), parity.plainly(decide)
    assert [one(row) for row in books[book][1]] == [plain(row) for row in books[book][1]]


@quick(400)
@given(rng=st.randoms(use_true_random=True), depth=st.integers(1, 4))
def test_the_canonical_text_reads_back_as_itself(rng, depth):
    expression = parity.any_expression(parity.Maker(rng), depth)
    again = parse(expression.text, parity.NAMES, expect=None)
    assert (again.node, again.text, again.hash) == (expression.node, expression.text, expression.hash)


def test_the_makers_say_everything_that_the_language_has():
    """The property is worth what its expressions are: every type, every operation."""
    import random

    from backbook.expressions.functions import FUNCTIONS
    from backbook.expressions.operators import OPERATORS

    maker = parity.Maker(random.Random(5))
    said = {part.op for _ in range(1500) for part in parity.any_expression(maker, 3).node.walk()}
    assert said >= {*FUNCTIONS, *OPERATORS, "is null", "is not null", "date + days", "date - days"}
    assert {parity.any_expression(maker, 1).type for _ in range(200)} == set(Type)
