"""The scores of the card pack: what a card centre expects is there, read, named, and asks the right people."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backbook.customer.purpose import uses
from backbook.run.freeze import Frozen, freeze, read
from backbook.score import Score
from backbook.score.definition import EVENTS, EXPRESSION, OTHERS, RULES, TWO_STAGE
from backbook.workspace import Workspace

# Issue by issue of life: risk, the first steps, waking, leaving, what is taken up, who is reached, the two readings.
EXPECTED = {
    "behaviour", "value", "early_warning", "payment_difficulty", "activation", "first_use", "reactivation",
    "attrition_voluntary", "attrition_silent", "attrition_balance", "bill_instalment", "transaction_instalment",
    "cash_instalment", "cash_loan", "card_upgrade", "supplementary_card", "revolving", "cash_use", "wallet_binding",
    "reach_app", "reach_sms", "reach_call", "ability_to_pay", "willingness_to_pay",
}  # fmt: skip
OUTSIDE = {"bureau", "outside_score"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that adds nothing of its own to the pack."""
    folder = tmp_path_factory.mktemp("bank")
    (folder / "backbook.toml").write_text('[packs]\ncard = "1"\n', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def frozen(place: Path) -> Frozen:
    return freeze(Workspace.open(place))


@pytest.fixture(scope="module")
def taught(frozen: Frozen) -> list[Score]:
    return [score for score in frozen.scores if score.method != EXPRESSION]


def test_the_pack_brings_what_a_card_centre_expects(frozen: Frozen) -> None:
    assert {score.id for score in frozen.scores} == EXPECTED
    assert frozen.score("early_warning").method == RULES and frozen.score("first_use").method == TWO_STAGE
    assert {frozen.score(f"reach_{way}").grain for way in ("app", "sms", "call")} == {"customer"}


def test_every_score_speaks_both_languages_and_says_who_answers_for_it(frozen: Frozen) -> None:
    for score in frozen.scores:
        words = [(score.zh, score.en), score.meaning, *((grade.zh, grade.en) for grade in score.grades)]
        for zh, en in words:
            assert re.search(r"[\u4e00-\u9fff]", zh), (score.id, zh)
            assert en.isascii() and en, (score.id, en)
        assert score.owner and bool(score.not_for[0]) == bool(score.not_for[1]), score.id
    names = [score.zh for score in frozen.scores]
    assert len(set(names)) == len(names)


def test_directions_are_said_of_features_alone_and_no_feature_is_asked_twice(taught: list[Score]) -> None:
    for score in taught:
        names = [feature.name for feature in score.features]
        assert len(set(names)) == len(names) and score.monotone.keys() <= set(names), score.id
        assert 8 <= len(names) <= 45 and set(score.monotone.values()) <= {"up", "down"}, score.id


def test_more_points_mean_less_risk_or_more_of_what_is_wished_to_be_known(taught: list[Score]) -> None:
    for score in taught:
        if score.method != RULES:
            assert score.points.more == (OTHERS if score.purpose == "risk" else EVENTS), score.id


def test_a_target_is_made_of_outcomes_and_leaving_is_asked_after_a_gap(frozen: Frozen, taught: list[Score]) -> None:
    outcomes = {outcome.id: outcome for outcome in frozen.outcomes}
    for score in taught:
        assert score.outcomes <= outcomes.keys() and score.target is not None
        assert {outcomes[name].grain for name in score.outcomes} <= {score.grain, "both"}, score.id
    for id in ("attrition_voluntary", "attrition_silent"):
        assert frozen.score(id).gap_months == 1, id


def test_no_score_of_marketing_knows_what_a_bureau_or_a_vendor_said(frozen: Frozen, taught: list[Score]) -> None:
    may = uses(frozen.features, [])
    outside = {feature.id for feature in frozen.features if feature.table in OUTSIDE} | {"other_utilisation"}
    assert {may[name] for name in outside} == {"risk"} and "vendor_score_debt" in outside
    for score in taught:
        read = {name.rpartition(".")[2] for name in score.reads}
        if score.purpose != "risk":
            assert not read & outside, score.id
    assert {name.rpartition(".")[2] for name in frozen.score("early_warning").reads} & outside


def test_who_asks_a_vendor_s_score_for_marketing_is_refused(place: Path, tmp_path: Path) -> None:
    written = (Path(__file__).parents[2] / "src/backbook/packs/card/scores/cash_loan.yaml").read_text(encoding="utf-8")
    (tmp_path / "scores").mkdir()
    (tmp_path / "backbook.toml").write_text('[packs]\ncard = "1"\n', encoding="utf-8")
    asked = written.replace("features:\n", "features:\n  - vendor_score_debt\n")
    (tmp_path / "scores" / "cash_loan.yaml").write_text(asked, encoding="utf-8")
    faults = [str(fault) for fault in read(Workspace.open(tmp_path))[1]]
    assert len(faults) == 1 and "it may be used for 'risk', not for 'marketing'" in faults[0]


# One who is in the population of every score of accounts, and what each score would no longer ask about them.
IN = {
    "is_open": True, "days_past_due": 0, "use_90d": 3, "use_180d": 0, "use_ever": 0, "total_balance": Decimal(1000),
    "cards": 1, "activated_ever": 0, "days_since_card": 30, "statement_balance": Decimal(500), "room": Decimal(100),
    "bill_minimum": Decimal(50), "days_to_due": 5, "paid_since_bill": False, "spend_90d": Decimal(3000),
    "payment_ratio_average_3c": 1.0, "revolving_balance": Decimal(0), "supplementary_cards": 0, "wallet_purchases_180d": 0,
    "customer.open_closure_request": 0, "open_accounts": 1, "open_deceased": 0,
}  # fmt: skip
LATE = {"days_past_due": 40}


@pytest.mark.parametrize(
    ("id", "fits", "is_true_already"),
    [
        ("behaviour", {}, {"is_open": False}),
        ("early_warning", {}, LATE),
        ("payment_difficulty", {}, {"days_past_due": 3}),
        ("payment_difficulty", {}, {"days_to_due": 0}),
        ("payment_difficulty", {}, {"paid_since_bill": True}),
        ("ability_to_pay", {}, LATE),
        ("willingness_to_pay", {}, {"statement_balance": Decimal(0)}),
        ("activation", {}, {"activated_ever": 1}),
        ("first_use", {}, {"activated_ever": 1}),
        ("first_use", {}, {"use_ever": 1}),
        ("reactivation", {"activated_ever": 1, "total_balance": Decimal(0)}, {"use_180d": 1}),
        ("reactivation", {"activated_ever": 1, "total_balance": Decimal(0)}, {"total_balance": Decimal(9)}),
        ("attrition_voluntary", {}, {"customer.open_closure_request": 1}),
        ("attrition_silent", {}, {"use_90d": 0}),
        ("attrition_balance", {}, {"total_balance": Decimal(0)}),
        ("bill_instalment", {}, LATE),
        ("transaction_instalment", {}, {"use_90d": 0}),
        ("cash_instalment", {}, {"room": Decimal(0)}),
        ("cash_loan", {}, {"open_accounts": 0}),
        ("card_upgrade", {}, LATE),
        ("supplementary_card", {}, {"supplementary_cards": 1}),
        ("revolving", {}, {"revolving_balance": Decimal(1)}),
        ("revolving", {}, {"payment_ratio_average_3c": 0.9}),
        ("cash_use", {"activated_ever": 1}, LATE),
        ("wallet_binding", {}, {"wallet_purchases_180d": 1}),
        ("reach_app", {}, {"open_deceased": 1}),
        ("reach_sms", {}, {"open_accounts": 0}),
        ("reach_call", {}, {"open_deceased": 1}),
    ],
)
def test_nobody_is_asked_about_whom_the_answer_is_known(
    frozen: Frozen, id: str, fits: dict[str, Any], is_true_already: dict[str, Any]
) -> None:
    population = frozen.score(id).population
    assert population is not None
    asked = population.python()
    assert asked({**IN, **fits}) is True
    assert asked({**IN, **fits, **is_true_already}) is False


def test_a_fall_to_half_is_balance_attrition_and_a_closure_without_marks_is_voluntary(frozen: Frozen) -> None:
    def target(id: str, **row: Any) -> Any:
        found = frozen.score(id).target
        assert found is not None
        return found.python()(row)

    half = {"balance_before_3m": 1000.0, "balance_after_3m": 500.0, "spend_before_3m": Decimal(300)}
    assert target("attrition_balance", **half, spend_after_3m=Decimal(300)) is True
    assert target("attrition_balance", **half | {"balance_after_3m": 501.0}, spend_after_3m=Decimal(151)) is False
    assert target("attrition_balance", **half | {"balance_after_3m": 501.0}, spend_after_3m=None) is None

    assert target("attrition_voluntary", closed_next_3m=0, closure_requests_next_3m=1) is True
    assert target("attrition_voluntary", closed_next_3m=1, closure_requests_next_3m=None) is True
    assert target("attrition_voluntary", closed_next_3m=0, closure_requests_next_3m=None) is False
    assert target("attrition_voluntary", closed_next_3m=None, closure_requests_next_3m=None) is None


def placed(frozen: Frozen, id: str, row: dict[str, Any]) -> str:
    """The level of a segment for one row, as the table of its branches says."""
    segment: Any = frozen.segment(id)
    for branch in segment.branches:
        holds = branch.condition.python()(row)
        if holds is None and branch.when_unknown == "refer":
            return str(segment.unknown)
        if holds:
            return str(branch.id)
    return str(segment.otherwise)


@pytest.mark.parametrize(
    ("app", "sms", "call", "way"),
    [
        (0.6, 0.95, 0.4, "app"),
        (0.3, 0.95, 0.4, "call"),
        # Three quarters of delivered messages may lie unread.
        (0.1, 0.95, 0.2, "sms"),
        (0.24, 0.95, 0.2, "app"),
        (None, 0.95, 0.2, "sms"),
        (None, None, 0.2, "call"),
        (0.05, 0.3, 0.05, "hard"),
        (None, None, None, "unknown"),
    ],
)
def test_the_best_way_is_the_likeliest_that_reaches_the_person(
    frozen: Frozen, app: float | None, sms: float | None, call: float | None, way: str
) -> None:
    row = {"reach_app_probability": app, "reach_sms_probability": sms, "reach_call_probability": call}
    assert placed(frozen, "best_way", row) == way


@pytest.mark.parametrize(
    ("ability", "willingness", "reading"),
    [
        ("A", "B", "able_willing"),
        ("B", "D", "able_unwilling"),
        ("C", "A", "weak_willing"),
        ("D", "C", "weak_unwilling"),
        ("D", None, "unknown"),
        (None, "A", "unknown"),
    ],
)
def test_ability_and_willingness_are_read_together(
    frozen: Frozen, ability: str | None, willingness: str | None, reading: str
) -> None:
    row = {"ability_to_pay_grade": ability, "willingness_to_pay_grade": willingness}
    assert placed(frozen, "pay_reading", row) == reading


def test_ability_learns_from_those_who_missed_and_willingness_from_those_who_could(frozen: Frozen) -> None:
    def is_left_out(id: str, **row: Any) -> Any:
        condition = frozen.score(id).indeterminate
        assert condition is not None
        return condition.python()(row)

    assert is_left_out("ability_to_pay", minimums_missed_next_3m=0) is True
    assert is_left_out("ability_to_pay", minimums_missed_next_3m=1) is False
    could_not = {"worst_dpd_next_4m": 31, "bills_due_next_3m": 3}
    assert is_left_out("willingness_to_pay", **could_not) is True
    assert is_left_out("willingness_to_pay", **could_not | {"worst_dpd_next_4m": 30}) is False
