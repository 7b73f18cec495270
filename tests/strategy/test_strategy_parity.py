"""Whatever the book: the whole of it in the database and each person in Python get the same decisions."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from strategy_book import AS_OF, STRATEGY, account, decided, strategy

from backbook.strategy.person import decide_person
from backbook.strategy.replay import replay

WHOLE = strategy(STRATEGY.replace("explore: 10", "explore: 20"))

money = some.none() | some.integers(-100_000, 5_000_000).map(lambda cents: Decimal(cents) / 100)
texts = some.sampled_from(["A", "B", "C", None, "D", 'q"uo\\te', "张\n三"])


@some.composite
def accounts(draw: Any) -> list[dict[str, Any]]:
    rows = []
    for person in range(draw(some.integers(40, 120))):
        cap = draw(money)
        for number in range(draw(some.integers(1, 3))):
            rows.append(
                account(
                    f"A{person:03d}-{number}",
                    customer_id=f"C{person}",
                    party_id=f"P{draw(some.integers(0, 9))}-{person}" if number == 0 else rows[-1]["party_id"],
                    line_id=draw(some.sampled_from([None, f"L{person}", f"M{person}"])),
                    credit_limit=draw(money),
                    total_balance=draw(money),
                    utilisation=draw(some.none() | some.floats(-1, 3)),
                    months_on_book=draw(some.none() | some.integers(0, 20)),
                    days_past_due=draw(some.sampled_from([0, 0, 0, 0, 30, 31, None])),
                    is_student=draw(some.sampled_from([False, False, True, None])),
                    opened_on=draw(some.none() | some.dates(date(2000, 1, 1), AS_OF)),
                    behaviour_grade=draw(texts),
                    value_grade=draw(some.sampled_from(["high", "low", None, "other"])),
                    customer_total_cap=cap,
                )
            )
    return rows


@given(accounts())
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_batch_and_one_at_a_time_agree_and_replay(rows: list[dict[str, Any]]) -> None:
    together = decided(rows, WHOLE)
    people: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        people.setdefault(row["customer_id"], []).append(row)
    apart = [each for own in people.values() for each in decide_person(WHOLE, own, as_of=AS_OF)]
    assert [_plain(each) for each in together] == [_plain(each) for each in apart]
    assert all(replay(WHOLE, each).same for each in together)
    assert not [each for each in together if each["explored"] and WHOLE.action[each["action"]].raises]
    assert not [each for each in together if each["action"] == "increase" and each["unknown"]]


def _plain(decision: dict[str, Any]) -> dict[str, Any]:
    """The values read as values: the two write tiny doubles differently (1e-7, 1e-07)."""
    return {**decision, "read": json.loads(decision["read"]), "parameters": json.loads(decision["parameters"])}
