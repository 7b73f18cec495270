"""Who gets what, who may not, and what is written down about it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from strategy_book import AS_OF, ENGINE, STRATEGY, account, book, decided, strategy

from backbook.errors import BadData
from backbook.strategy.arms import UNIVERSAL_CONTROL, draw
from backbook.strategy.decide import decide
from backbook.strategy.definition import Strategy
from backbook.strategy.person import decide_one, decide_person
from backbook.strategy.replay import action_of, replay

WHOLE = strategy()
PLAIN = strategy(STRATEGY.replace("explore: 10", "explore: 0"))


def one(which: Strategy = PLAIN, **changes: Any) -> dict[str, Any]:
    """The decision of the champion's arm for one account that differs from a good one as said."""
    champion = next(id_ for id_ in ("A1", "A2", "A3", "A4", "A5") if draw("limit", f"core|P-{id_}") < 8000)
    return decide_one(which, account(champion, **changes), as_of=AS_OF)


def reasons(decision: dict[str, Any]) -> list[str]:
    found: list[str] = json.loads(decision["reasons"])
    return found


def test_a_good_customer_is_raised_by_a_step_rounded_down_to_500() -> None:
    decision = one(credit_limit=Decimal("10400.00"))
    assert (decision["action"], decision["value_now"], decision["value_new"]) == (
        "increase",
        Decimal("10400.00"),
        Decimal("12000.00"),
    )
    assert reasons(decision) == ["GOOD"]
    assert json.loads(decision["parameters"]) == {"step": 0.2, "new_limit": "12000.00"}
    assert decision["expected_value"] == Decimal("160.00")
    assert decision["valid_until"] == date(2026, 11, 30)


def test_what_protects_comes_before_what_is_offered() -> None:
    decision = one(days_past_due=31)
    assert (decision["action"], decision["value_new"], reasons(decision)) == (
        "stop_use",
        Decimal("6000.00"),
        ["PAST_DUE"],
    )


def test_what_is_not_known_goes_to_a_person_with_the_columns_named() -> None:
    decision = one(behaviour_grade=None)
    assert (decision["action"], reasons(decision)) == ("refer", ["NOT_KNOWN"])
    assert decision["unknown"] == "behaviour_grade"
    assert decision["branch"] == "active_a_high", "the branch at which the way was not known"


def test_a_failing_guardrail_is_a_reason_and_names_what_it_blocked() -> None:
    decision = one(months_on_book=5)
    assert (decision["action"], reasons(decision)) == ("keep", ["TOO_NEW", "GOOD"])
    assert json.loads(decision["blocked"]) == {"too_new": "increase"}


def test_every_gate_that_fails_is_a_reason_and_the_first_one_decides() -> None:
    decision = one(months_on_book=5, is_student=None)
    assert decision["action"] == "keep"
    assert reasons(decision) == ["TOO_NEW", "STUDENT", "NOT_KNOWN", "GOOD"]
    assert decision["unknown"] == "is_student"


def test_a_guardrail_never_passes_on_unknown() -> None:
    decision = one(months_on_book=None)
    assert (decision["action"], decision["unknown"]) == ("keep", "months_on_book")
    assert reasons(decision) == ["TOO_NEW", "NOT_KNOWN", "GOOD"]


def test_unknown_may_lead_elsewhere_than_no() -> None:
    assert one(is_student=True)["action"] == "keep"
    assert one(is_student=None)["action"] == "review"


def test_a_limit_that_is_not_known_cannot_be_raised() -> None:
    assert one(credit_limit=None)["action"] == "review", "the person's total is not known"


def test_the_total_over_a_persons_lines_stays_below_the_cap_and_the_first_raise_stands() -> None:
    """Two accounts of one person, 10,000 each, cap 23,000: one raise to 12,000 fits, two do not."""
    same = {"customer_id": "C1", "party_id": "P-A1", "system": "core", "customer_total_cap": Decimal("23000")}
    rows = [account("A1", **same), account("A2", **same)]
    arm = next(number for number in range(99) if draw("limit", f"core|X{number}") < 8000)
    rows = [{**row, "party_id": f"X{arm}"} for row in rows]
    for decisions in (decided(rows, PLAIN), decide_person(PLAIN, rows, as_of=AS_OF)):
        assert [each["action"] for each in decisions] == ["increase", "keep"]
        assert reasons(decisions[1]) == ["TOTAL_LIMIT", "GOOD"]
        assert json.loads(decisions[1]["read"])["total_new.champion"] == "24000.00"


def test_accounts_that_share_a_line_count_its_limit_once() -> None:
    arm = next(number for number in range(99) if draw("limit", f"core|X{number}") < 8000)
    same = {"customer_id": "C1", "party_id": f"X{arm}", "line_id": "L1", "customer_total_cap": Decimal("12000")}
    decisions = decided([account("A1", **same), account("A2", **same)], PLAIN)
    assert [each["action"] for each in decisions] == ["increase", "increase"]
    assert {json.loads(each["read"])["total_new.champion"] for each in decisions} == {"12000.00"}


def test_a_new_limit_never_exceeds_the_persons_cap_whatever_the_book() -> None:
    rows = many(600)
    for decision in decided(rows, PLAIN):
        if decision["action"] == "increase":
            read = json.loads(decision["read"])
            assert Decimal(read[f"total_new.{decision['arm']}"]) <= Decimal(read["customer.total_cap"])


def many(count: int) -> list[dict[str, Any]]:
    """A book in which everything occurs, several accounts to a person, several to a line."""
    rows = []
    for number in range(count):
        rows.append(
            account(
                f"A{number:05d}",
                customer_id=f"C{number // 2}",
                party_id=f"P{number // 2}",
                line_id=None if number % 3 else f"L{number // 2}",
                behaviour_grade=(None, "A", "B", "C", "A", "B")[number % 6],
                value_grade="high" if number % 5 else "low",
                months_on_book=None if number % 41 == 0 else number % 37,
                is_student=(None, True, False, False, False, False, False)[number % 7],
                days_past_due=0 if number % 11 else number % 60,
                credit_limit=None if number % 53 == 0 else Decimal(5000 + 130 * (number % 90)),
                utilisation=(number % 100) / 100,
                customer_total_cap=None if number % 29 == 0 else Decimal(12000 + 400 * (number // 2 % 50)),
            )
        )
    return rows


BOOK = many(3000)
DECIDED = decided(BOOK, WHOLE)


def test_every_account_gets_one_decision_with_a_reason_ordered_by_account() -> None:
    assert [each["account_id"] for each in DECIDED] == [row["account_id"] for row in BOOK]
    assert all(json.loads(each["reasons"]) for each in DECIDED)
    assert {"increase", "stop_use", "offer", "keep", "review", "refer"} <= {each["action"] for each in DECIDED}


def test_one_customer_on_the_spot_gets_the_answer_of_the_whole_book() -> None:
    people: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in BOOK:
        people[row["customer_id"]].append(row)
    alone = [each for rows in people.values() for each in decide_person(WHOLE, rows, as_of=AS_OF)]
    for together, apart in zip(DECIDED, alone, strict=True):
        assert together == apart


def test_the_same_book_gives_the_same_bytes_however_its_rows_lie(tmp_path: Any) -> None:
    def written(rows: list[dict[str, Any]], name: str) -> bytes:
        with ENGINE.scope():
            table = decide(WHOLE, ENGINE.table(book(rows)), as_of=AS_OF, engine=ENGINE)
            ENGINE.write(table, tmp_path / name, order_by=["account_id"])
        found: bytes = (tmp_path / name).read_bytes()
        return found

    first = written(BOOK[:500], "first.parquet")
    assert written(BOOK[:500], "second.parquet") == first
    assert written(BOOK[499::-1], "third.parquet") == first


def test_a_comment_in_the_strategy_leaves_every_decision_as_it_was() -> None:
    commented = strategy("# a word\n" + STRATEGY)
    assert decided(BOOK[:200], commented) == DECIDED[:200]


def test_a_stored_decision_is_made_again_from_the_values_it_kept() -> None:
    for decision in DECIDED[:1000]:
        assert replay(WHOLE, decision).differences == {}


def test_a_decision_that_was_tampered_with_does_not_replay() -> None:
    raised = next(each for each in DECIDED if each["action"] == "increase")
    assert replay(WHOLE, {**raised, "value_new": Decimal("99999.00")}).differences["value_new"][0] == Decimal(
        "99999.00"
    )
    read = {**json.loads(raised["read"]), "months_on_book": 1}
    again = replay(WHOLE, {**raised, "read": json.dumps(read)})
    assert not again.same
    assert again.differences["action"] == ("increase", "keep")


def test_another_threshold_says_who_moves() -> None:
    stricter = strategy(STRATEGY.replace("months_on_book >= 6", "months_on_book >= 36"))
    kept = next(
        each for each in DECIDED if each["action"] == "increase" and json.loads(each["read"])["months_on_book"] < 36
    )
    read = json.loads(kept["read"])
    assert (action_of(WHOLE, read, kept["arm"]), action_of(stricter, read, kept["arm"])) == ("increase", "keep")
    assert action_of(stricter, read, "no such arm") is None


def test_all_of_a_persons_accounts_stand_in_one_arm() -> None:
    arms = defaultdict(set)
    for decision in DECIDED:
        arms[decision["customer_id"]].add(decision["arm"])
    assert {len(found) for found in arms.values()} == {1}
    shares = Counter(decision["arm"] for decision in DECIDED)
    assert 0.75 < shares["champion"] / len(DECIDED) < 0.85


def test_a_merge_leaves_a_customer_in_the_arm_of_the_first_record() -> None:
    identity = pa.table(
        {
            "customer_id": ["M", "M"],
            "system": ["core", "app"],
            "party_id": ["P-old", "P-new"],
            "since": [date(2019, 1, 1), date(2024, 1, 1)],
        }
    )
    with ENGINE.scope():
        rows = ENGINE.table(book([account("A1", customer_id="M", party_id="P-new", system="app")]))
        merged = decide(PLAIN, rows, as_of=AS_OF, engine=ENGINE, identity=ENGINE.table(identity))
        assert ENGINE.arrow(merged)["first_party"].to_pylist() == ["core|P-old"]


# ── chance ──────────────────────────────────────────────────────────────────────────────────────────────

EXPLORING = decided(BOOK, strategy(STRATEGY.replace("explore: 10", "explore: 20")))


def test_exploring_never_raises_risk() -> None:
    tried = [each for each in EXPLORING if each["explored"]]
    assert len(tried) > 100
    assert {each["action"] for each in tried} == {"keep", "offer"}


def test_exploring_never_takes_back_what_protects_or_is_owed() -> None:
    unexplored = {each["account_id"]: each["action"] for each in decided(BOOK, PLAIN)}
    for decision in EXPLORING:
        if unexplored[decision["account_id"]] in ("stop_use", "review", "refer"):
            assert decision["action"] == unexplored[decision["account_id"]]


def test_exploring_never_offers_what_a_guardrail_blocks() -> None:
    students = {row["account_id"] for row in BOOK if row["is_student"] is not False}
    assert not [
        each for each in EXPLORING if each["explored"] and each["action"] == "offer" and each["account_id"] in students
    ]


def test_chances_are_those_with_which_actions_were_chosen() -> None:
    """Champion raises (80 %), challenger keeps (20 %), a fifth is drawn between offering and keeping."""
    by_action = {
        each["action"]: each["chosen_probability"]
        for each in EXPLORING
        if each["branch"] in ("active_b_high", "otherwise") and json.loads(each["blocked"]) == {} and each["value_now"]
        and json.loads(each["read"])["behaviour_grade"] == "B"
        and json.loads(each["read"])["value_grade"] == "high"
        and json.loads(each["read"])["months_on_book"] not in (None, 0, 1, 2, 3, 4, 5)
        and json.loads(each["read"])["is_student"] is False
    }  # fmt: skip
    assert by_action["increase"] == 0.64
    assert by_action["keep"] == pytest.approx(0.2 * 0.8 + 0.2 * 0.5)
    assert by_action["offer"] == pytest.approx(0.2 * 0.5)


def test_no_decision_has_no_chance() -> None:
    assert all(0 < each["chosen_probability"] <= 1 for each in EXPLORING)


def test_the_same_parameters_in_both_arms_count_together_and_others_apart() -> None:
    same = one(days_past_due=31)
    assert same["chosen_probability"] == 1.0
    # The challenger raises by half what the champion raises by a fifth: not the same decision.
    assert one(utilisation=0.6)["chosen_probability"] == 0.8


def test_the_universal_control_group_is_decided_and_flagged_but_never_where_something_is_owed() -> None:
    controls = [each for each in DECIDED if each["is_control"]]
    assert controls
    for decision in DECIDED:
        member = draw(UNIVERSAL_CONTROL, decision["first_party"]) < 500
        assert decision["is_control"] == (member and decision["action"] in ("increase", "offer", "keep"))


def test_a_profile_without_a_column_that_is_read_is_refused_by_name() -> None:
    rows = ENGINE.table(book([account()])).drop("utilisation")
    with pytest.raises(BadData, match=r"limit_review.*utilisation"):
        decide(WHOLE, rows, as_of=AS_OF)


def test_an_empty_book_has_no_decisions() -> None:
    assert decided([]) == []


def test_decisions_can_be_made_without_keeping_the_steps_between() -> None:
    with ENGINE.scope():
        table = decide(WHOLE, ENGINE.table(book(BOOK[:50])), as_of=AS_OF)
        assert ENGINE.arrow(table).to_pylist() == DECIDED[:50]
