"""Score definitions: what they may say, and what is answered where they are wrong."""

from __future__ import annotations

from typing import Any

import pytest
from score_book import BEHAVIOUR, columns, item, score

from backbook.definitions import Item
from backbook.expressions import Name, Type
from backbook.score import read_scores, score_names


def faults(**changes: Any) -> list[str]:
    found, faults = read_scores([item(**changes)], columns())
    assert not found
    return [str(fault) for fault in faults]


def value(**changes: Any) -> Item:
    data = {
        "id": "value", "zh": "价值", "en": "Value", "method": "expression",
        "expression": "money(balance * {rate} - behaviour_probability * {loss} * balance)",
        "parameters": {"rate": 0.1, "loss": 0.9},
        "grades": {"low": 100, "high": None},
    } | changes  # fmt: skip
    return Item("score", "value", data, "scores/value.yaml", {"": 1})


def test_a_definition_reads_its_own_canonical_form() -> None:
    first = score(indeterminate="worst_dpd between 1 and 30", special={"late": [-1]}, population="余额 > 0")
    again, wrong = read_scores([Item("score", first.id, first.canonical())], columns())
    assert not wrong and again[0].canonical() == first.canonical() and again[0].hash == first.hash


def test_a_chinese_wording_has_the_same_hash() -> None:
    chinese = score(target="最大逾期天数 > 30", features=["额度使用率", "逾期次数"], monotone={"额度使用率": "up"})
    english = score(features=["utilisation", "late"], monotone={"utilisation": "up"})
    assert chinese.hash == english.hash


def test_every_score_names_what_it_adds_to_a_profile() -> None:
    names = score_names([item(), value()], "account")
    assert [name.name for name in names] == [
        "behaviour_points", "behaviour_probability", "behaviour_grade", "value_amount", "value_grade",
    ]  # fmt: skip
    assert [name.zh for name in names[:3]] == ["行为评分", "行为概率", "行为评级"]
    assert [level.code for level in names[2].levels] == ["A", "B", "C"]


def test_one_score_reads_another_and_its_parameters_are_numbers_in_the_text() -> None:
    probability = score_names([item()], "account")
    found, wrong = read_scores([item(), value()], columns(*probability))
    assert not wrong
    assert found[1].amount is not None
    assert found[1].amount.text == "money(balance * 0.1 - behaviour_probability * 0.9 * balance)"
    assert "account.behaviour_probability" in found[1].link.reads & found[0].link.gives


def test_all_features_are_the_numeric_ones_without_the_protected_and_without_scores() -> None:
    more = score_names([item()], "account")
    found, _ = read_scores([item(features="all", monotone=None)], columns(*more))
    assert [name.name for name in found[0].features] == ["utilisation", "late", "balance", "noise"]


def test_a_protected_column_enters_only_where_the_score_declares_it() -> None:
    assert faults(features=["sex", "late"], monotone=None) == [
        "scores/behaviour.yaml:5: score 'behaviour': 'sex' cannot be a feature: it is protected, "
        "and the score does not declare it under 'protected'. Take it out."
    ]
    assert [name.name for name in score(features=["sex"], monotone=None, protected=["sex"]).features] == ["sex"]


def test_a_column_for_marketing_is_no_feature_of_a_risk_score() -> None:
    barred = columns(purposes={"late": "marketing"})
    _, wrong = read_scores([item()], barred)
    assert "it may be used for 'marketing', not for 'risk'" in str(wrong[0])
    found, _ = read_scores([item(features="all", monotone=None)], barred)
    assert "late" not in {name.name for name in found[0].features}


def test_a_target_sees_outcomes_and_nothing_of_the_profile() -> None:
    assert "late" in faults(target="late > 1")[0]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"features": ["utilization"], "monotone": None}, "Did you mean 'utilisation'?"),
        ({"features": ["first_use"], "monotone": None}, "Use days since it."),
        ({"monotone": {"noise": "rising"}}, "Possible: up, down, auto, free."),
        ({"monotone": {"city": "up"}}, "has no direction"),
        ({"monotone": {"sex": "up"}}, "'sex' is not among the features."),
        ({"special": {"late": ["none"]}}, "are no numbers of 'late'"),
        ({"grades": {"A": 0.3, "B": 0.1, "C": 1}}, "do not increase"),
        ({"grades": {"A": "low", "B": 1}}, "the bound of grade 'A' is 'low'."),
        ({"grades": {"A": 2, "B": None}}, "are not all between 0 and 1"),
        ({"grades": None}, "has no grades."),
        ({"target": None}, "has no target."),
        ({"folds": 1}, "Write a whole number from 2 to 20."),
        ({"points": {"odds": 0}}, "the odds are 0."),
        ({"points": {"bass": 600}}, "Did you mean 'base'?"),
        ({"observations": {"every": "fortnight"}}, "Possible: month, quarter."),
        ({"bins": {"share": 0.9}}, "the least share of a bin is 0.9."),
        ({"method": "forest"}, "Possible: scorecard, trees, rules, two_stage, expression."),
        ({"zh": None}, "has no name in 'zh'."),
        ({"method": "two_stage"}, "has no first stage."),
        ({"method": "trees", "trees": {"leaves": 64}}, "Write a whole number from 2 to 15."),
        ({"method": "rules", "rules": {"share": 0.7}}, "Write a number above 0, up to 0.5."),
        ({"method": "rules", "points": {"base": 600}}, "'points' is not known here."),
        ({"gap_months": 2}, "'worst_dpd' begins 0 months after the observation, not 2."),
        ({"features": {"dimensions": ["spendings"]}, "monotone": None}, "Did you mean 'spending'?"),
        ({"features": {"dimensions": []}, "monotone": None}, "Possible: borrowing, spending."),
        ({"colour": "red"}, "'colour' is not known here."),
        ({"population": "balance"}, "yes/no is expected"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_possible(changes: dict[str, Any], told: str) -> None:
    found = faults(**changes)
    assert any(told in fault for fault in found), found


def test_faults_are_collected_and_have_lines() -> None:
    found = faults(target="worst_dpd >", folds=0, colour="red")
    assert len(found) == 3
    assert all(fault.startswith("scores/behaviour.yaml:") for fault in found)


def test_a_parameter_must_be_stated_and_must_be_used() -> None:
    probability = Name("behaviour_probability", Type.NUMBER)
    _, wrong = read_scores([value(parameters={"rate": 0.1, "lost": 0.9})], columns(probability))
    assert [fault.found for fault in wrong] == [
        "score 'value': '{loss}' is not among the parameters.",
        "score 'value': nothing reads 'lost'.",
    ]


def test_a_wrong_score_does_not_hide_the_right_ones() -> None:
    found, wrong = read_scores([item(folds=0), item(id="second", en="Second", zh="第二")], columns())
    assert [one.id for one in found] == ["second"] and len(wrong) == 1
    assert BEHAVIOUR["id"] == "behaviour"


@pytest.mark.parametrize(
    ("changes", "yields"),
    [
        ({"method": "trees", "trees": {"leaves": 7, "rounds": 100}}, ["points", "probability", "grade"]),
        ({"method": "rules", "rules": {"precision": 0.6, "most": 5}}, ["rule", "probability", "grade"]),
        ({"method": "two_stage", "first": "worst_dpd > 0"}, ["points", "probability", "grade"]),
    ],
)
def test_every_method_reads_its_own_canonical_form(changes: dict[str, Any], yields: list[str]) -> None:
    found = score(**changes)
    again, faults = read_scores([Item("score", "behaviour", found.canonical(), "x", {})], columns())
    assert not faults and again == [found] and again[0].hash == found.hash
    assert [name.name for name in found.yields] == [f"behaviour_{each}" for each in yields]


def test_features_may_be_asked_for_by_dimension() -> None:
    found = score(features={"dimensions": ["borrowing"], "without": ["late"]}, monotone=None)
    assert [name.name for name in found.features] == ["utilisation", "balance"]
    assert found.canonical()["features"] == {"dimensions": ["borrowing"], "without": ["late"]}


def test_a_warning_asks_for_a_precision_or_for_a_multiple_of_the_base_rate() -> None:
    assert score(method="rules").hits.least(0.02) == pytest.approx(0.08)
    assert score(method="rules", rules={"precision": 0.3, "lift": 2}).hits.least(0.02) == 0.3
