"""The first branch that holds decides, and a branch that is not known is not passed over."""

from __future__ import annotations

import math
from decimal import Decimal

import pyarrow as pa
import pytest

from backbook.engine import Engine
from backbook.errors import BadDefinition
from backbook.expressions import Branch, Name, Names, Type, first_match, parse

NAMES = Names(
    "account profile",
    [
        Name("days", Type.WHOLE, zh="逾期天数"),
        Name("used", Type.NUMBER, zh="使用率"),
        Name("income", Type.MONEY, zh="收入"),
        Name("limit", Type.MONEY, zh="额度"),
        Name("vip", Type.YESNO, zh="贵宾"),
    ],
)
ENGINE = Engine()
SCHEMA = pa.schema(
    [
        ("days", pa.int64()),
        ("used", pa.float64()),
        ("income", pa.decimal128(18, 2)),
        ("limit", pa.decimal128(18, 2)),
        ("vip", pa.bool_()),
    ]
)
SOMEONE = {"days": 0, "used": 0.1, "income": Decimal("5000.00"), "limit": Decimal("100.00"), "vip": False}


def table(*lines: tuple[str, str, str] | tuple[str, str]):
    return first_match([Branch(id, parse(text, NAMES), *when) for id, text, *when in lines])


def decided(decide, **customer):
    """The outcome for one customer, after the book has agreed."""
    row = {**SOMEONE, **customer}
    matched, unknown, path = decide.python()(row)
    with ENGINE.scope():
        book = ENGINE.table(pa.Table.from_pylist([row], schema=SCHEMA))
        index, names = decide.ibis(book)
        judged = ENGINE.rows(book.select(index=index, names=names))[0]
    assert judged == {"index": matched, "names": ",".join(unknown) or None}
    return matched, unknown, path


STRATEGY = table(("late", "days > 30"), ("stretched", "used > 0.8"), ("rest", "true"))


def test_the_first_branch_that_holds_decides_and_the_path_is_recorded():
    assert decided(STRATEGY, used=0.9) == (1, (), (("late", False), ("stretched", True)))
    assert decided(STRATEGY, days=31, used=0.9) == (0, (), (("late", True),))
    assert decided(STRATEGY) == (2, (), (("late", False), ("stretched", False), ("rest", True)))


def test_no_branch_may_hold():
    assert decided(table(("late", "days > 30"))) == (None, (), (("late", False),))


def test_the_table_stops_at_the_first_branch_that_is_not_known_and_names_the_columns():
    assert decided(STRATEGY, used=None) == (None, ("used",), (("late", False), ("stretched", None)))
    assert decided(STRATEGY, used=math.nan)[1] == ("used",)
    assert decided(table(("both", "days > 1 and used > 0.5 and income > 0")), days=None, used=None) == (
        None,
        ("days", "used"),
        (("both", None),),
    )


def test_a_column_that_no_branch_on_the_way_needs_may_be_unknown():
    assert decided(STRATEGY, days=31, used=None)[0] == 0
    assert decided(table(("either", "days > 1 or used > 0.5")), days=2, used=None)[0] == 0
    assert decided(table(("both", "days > 1 and used > 0.5"), ("rest", "true")), used=None) == (
        1,
        (),
        (("both", False), ("rest", True)),
    )


def test_a_branch_may_be_skipped_when_it_is_not_known():
    skipping = table(("stretched", "used > 0.8", "skip"), ("late", "days > 30"), ("rest", "true", "refer"))
    assert decided(skipping, used=None) == (2, (), (("stretched", None), ("late", False), ("rest", True)))
    assert decided(skipping, used=None, days=None) == (None, ("days",), (("stretched", None), ("late", None)))


def test_a_division_by_zero_is_not_known_and_names_all_that_was_read():
    tight = table(("tight", "income / limit < 1"), ("rest", "true"))
    assert decided(tight, limit=Decimal("0.00")) == (None, ("income", "limit"), (("tight", None),))
    assert decided(tight, limit=None)[1] == ("limit",)


def test_a_branch_can_ask_whether_something_is_known():
    asking = table(("no income", "income is null"), ("poor", "income < 1000"), ("rest", "true"))
    assert decided(asking, income=None)[0] == 0
    assert decided(asking, income=Decimal("999.00"))[0] == 1
    assert decided(table(("no use", "used is null"), ("rest", "true")), used=math.inf)[0] == 0


def test_a_branch_that_can_never_be_known_is_refused():
    with pytest.raises(BadDefinition, match="Branch 'x' is not known for any row"):
        table(("x", "1 / 0 > 1"))


def test_an_empty_table_matches_nothing():
    assert decided(first_match([])) == (None, (), ())


def test_the_branch_at_which_a_row_stops_is_told_for_the_book():
    book = ENGINE.table(
        pa.Table.from_pylist([{**SOMEONE, "days": 31}, {**SOMEONE, "used": None}, SOMEONE], schema=SCHEMA)
    )
    assert ENGINE.arrow(book.select(at=STRATEGY.stopped(book)))["at"].to_pylist() == [0, 1, 2]


def test_a_table_of_very_many_or_very_deep_branches_still_decides():
    wide = table(*((f"b{at}", f"days = {at}") for at in range(700)))
    assert wide.python()({**SOMEONE, "days": 650})[0] == 650
    tangled = table(
        *(
            (
                f"b{at}",
                " and ".join(
                    f"{name} * {at + 1} > {other}"
                    for name in ("days", "used", "income", "limit")
                    for other in range(1, 10)
                ),
            )
            for at in range(8)
        )
    )
    assert tangled.python()({**SOMEONE, "days": 100, "used": 100.0})[0] == 0
    assert tangled.python()(SOMEONE)[0] is None
