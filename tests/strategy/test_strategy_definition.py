"""A strategy is read whole or refused with everything that is wrong with it; what decides makes its version."""

from __future__ import annotations

import json

import pytest
from strategy_book import NAMES, STRATEGY, faults, item, strategy

from backbook.expressions import Name, Names, Type
from backbook.strategy.definition import REFER
from backbook.strategy.reading import from_canonical, read_strategies


def changed(old: str, new: str) -> str:
    assert old in STRATEGY, old
    return STRATEGY.replace(old, new, 1)


def the_fault(old: str, new: str) -> str:
    found = faults(changed(old, new))
    assert len(found) == 1, found
    return found[0]


def test_a_comment_changes_nothing() -> None:
    assert strategy("# why\n" + STRATEGY.replace("zh: 冠军\n", "zh: 冠军  # first\n")).version == strategy().version


def test_a_chinese_name_instead_of_the_english_one_changes_nothing() -> None:
    text = changed("days_past_due > 30", "逾期天数 > 30").replace("utilisation > 0.5 and", "额度使用率>0.5 and")
    assert strategy(text).version == strategy().version


def test_a_level_called_by_its_chinese_name_changes_nothing() -> None:
    text = changed("A: {high: active, low: active}", "优: {高: active, 低: active}")
    assert strategy(text).version == strategy().version


def test_a_threshold_gives_a_new_version() -> None:
    assert strategy(changed("days_past_due > 30", "days_past_due > 31")).version != strategy().version


def test_a_share_an_action_a_guardrail_and_a_reason_each_give_a_new_version() -> None:
    versions = {
        strategy(changed(old, new)).version
        for old, new in (
            ("explore: 10", "explore: 9"),
            ("{id: step, value: 0.2}", "{id: step, value: 0.3}"),
            ("months_on_book >= 6", "months_on_book >= 7"),
            ("reasons: [PAST_DUE]", "reasons: [PAST_DUE, GOOD]"),
            ("blocks: [increase, offer]", "blocks: [increase]"),
        )
    }
    assert len(versions | {strategy().version}) == 6


def test_branches_written_once_or_in_each_arm_are_the_same_strategy() -> None:
    line = "  - {id: past_due, when: days_past_due > 30, action: stop_use, reasons: [PAST_DUE]}\n"
    apart = STRATEGY.replace("branches:\n" + line, "").replace(
        "    share: 80\n", "    share: 80\n    branches:\n    " + line
    )
    apart = apart.replace("    share: 20\n    branches:\n", "    share: 20\n    branches:\n    " + line)
    assert strategy(apart).version == strategy().version


def test_the_canonical_form_alone_is_the_strategy_again() -> None:
    stored = json.loads(json.dumps(strategy().canonical(), sort_keys=True))
    again = from_canonical(stored)
    assert again.version == strategy().version
    assert again.canonical() == strategy().canonical()


def test_a_column_of_another_type_gives_a_new_version() -> None:
    names = Names("account", [*NAMES, Name("days_past_due", Type.MONEY, "逾期天数", "Days past due")])
    assert strategy(STRATEGY, names).version != strategy().version


def test_a_grid_becomes_one_branch_for_each_cell() -> None:
    ids = [rule.id for rule in strategy().arms[0].rules]
    assert ids[0] == "past_due"
    assert ids[1:] == [
        "active_a_high", "active_a_low", "active_b_high", "passive_b_low", "passive_c_high", "nothing_c_low",
    ]  # fmt: skip
    assert strategy().arms[0].rules[1].when.text == "behaviour_grade = 'A' and value_grade = 'high'"


def test_every_strategy_can_refer() -> None:
    assert strategy().action[REFER].label.zh == "转人工"


def test_an_unknown_column_is_answered_with_the_nearest_one_and_its_line() -> None:
    fault = the_fault("when: utilisation > 0.5", "when: utilization > 0.5")
    line = 1 + STRATEGY[: STRATEGY.index("- {id: more")].count("\n")
    assert fault.startswith(f"strategies/limit_review.yaml:{line}: strategy 'limit_review':")
    assert "Did you mean 'utilisation'?" in fault


@pytest.mark.parametrize(
    ("old", "new", "found", "possible"),
    [
        ("    zh: 提额\n", "", "'zh' is missing", "Chinese"),
        ("owner: 额度策略组\n", "", "'owner' is missing", "Say who answers"),
        ("share: 80", "share: 70", "shares sum to 90", "100"),
        ("share: 80", "share: 79.5", "'share' is 79.5", "whole number"),
        ("action: stop_use, reasons", "action: stopuse, reasons", "no action 'stopuse'", "'stop_use'"),
        ("reasons: [PAST_DUE]", "reasons: [PASTDUE]", "no reason 'PASTDUE'", "'PAST_DUE'"),
        ("reasons: [PAST_DUE]", "reasons: []", "without a reason", "Name at least one"),
        ("instead: keep}\n  - {id: student", "instead: kep}\n  - {id: student", "no action 'kep'", "'keep'"),
        ("when: days_past_due > 30", "when: 1 < 2", "reads no column", "otherwise"),
        ("when: days_past_due > 30", "when: days_past_due", "yes/no is expected", ""),
        ("explore: 10", "explore: 60", "'explore' is 60", "0 to 20"),
        ("C: {high: passive, low: nothing}", "C: {high: passive}", "row C has no cell for low", "high, low"),
        ("C: {high: passive, low: nothing}", "C: {high: passiv, low: nothing}", "no group 'passiv'", "'passive'"),
        ("purpose: risk", "purpose: fun", "'purpose' is 'fun'", "Possible"),
        ("channel: call", "channel: cal", "'channel' is 'cal'", "'call'"),
        ("raises: limit", "raises: roof", "'raises' is 'roof'", "limit"),
        ("cadence: monthly", "cadance: monthly", "'cadance' is not known", "'cadence'"),
        ("parameters: {step: 0.5}", "parameters: {stp: 0.5}", "no parameter 'stp'", "'step'"),
        ("- {id: step, value: 0.2}", "- {id: utilisation, value: 0.2}", "already the name of a column", "another"),
        ("- {id: more, when", "- {id: past_due, when", "'past_due' stands twice", "another id"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_possible(old: str, new: str, found: str, possible: str) -> None:
    said = faults(changed(old, new))
    assert any(found in fault and possible in fault for fault in said), said


def test_two_branches_with_one_condition_are_refused_for_the_second_is_never_reached() -> None:
    line = "      - {id: again, when: 逾期天数 > 30, action: keep, reasons: [NO_NEED]}\n"
    fault = the_fault("      - {id: more, when", line + "      - {id: more, when")
    assert "'again' is never reached: 'past_due' has the same condition" in fault


def test_skipping_the_unknown_above_a_raise_is_refused() -> None:
    found = faults(changed("reasons: [PAST_DUE]}", "reasons: [PAST_DUE], when_unknown: skip}"))
    assert len(found) == 2, found  # in either arm a raise stands below
    assert "skips what is unknown, above a branch that decides 'increase'" in found[0]


def test_skipping_the_unknown_below_every_raise_is_allowed() -> None:
    more = "parameters: {step: 0.5}}\n      - {id: high, when: utilisation > 0.9, action: keep, reasons: [NO_NEED], when_unknown: skip}"
    assert strategy(changed("parameters: {step: 0.5}}", more)).arms[1].rules[-1].when_unknown == "skip"


def test_an_arm_without_otherwise_is_refused() -> None:
    text = STRATEGY[: STRATEGY.rindex("    otherwise:")]
    assert any("does not say what happens otherwise" in fault for fault in faults(text))


def test_exploring_among_what_raises_a_limit_is_refused() -> None:
    assert "may not be tried at random" in the_fault("    raises: limit\n", "    raises: limit\n    explore: true\n")


def test_guardrails_that_send_in_a_circle_are_refused() -> None:
    ring = (
        "  - {id: ring, zh: 环, en: Ring, pass: utilisation > 0, blocks: [keep], instead: offer}\n  - id: total_limit"
    )
    fault = the_fault("  - id: total_limit", ring)
    assert "guardrails send keep to offer to keep" in fault


def test_a_guardrail_may_not_send_anybody_to_a_raise() -> None:
    lift = "  - {id: lift, zh: 升, en: Lift, pass: utilisation > 0, blocks: [review], instead: increase}\n  - id: total_limit"
    assert any(
        "'review' to 'increase', which raises a limit" in fault
        for fault in faults(changed("  - id: total_limit", lift))
    )


def test_a_guardrail_cannot_block_a_persons_decision() -> None:
    assert any(
        "'refer' cannot be blocked" in fault
        for fault in faults(changed("blocks: [increase, offer]", "blocks: [refer]"))
    )


def test_over_the_person_only_what_raises_is_checked() -> None:
    old = "    pass: total_new <= customer.total_cap\n    blocks: [increase]"
    assert any(
        "'offer' raises nothing" in fault
        for fault in faults(changed(old, old.replace("[increase]", "[increase, offer]")))
    )


def test_the_total_of_a_person_is_no_word_for_a_single_account() -> None:
    assert any("total_new" in fault for fault in faults(changed("months_on_book >= 6", "total_new >= 6")))


def test_all_faults_come_at_once() -> None:
    text = (
        changed("share: 80", "share: 70").replace("utilisation > 0.5", "utilization > 0.5").replace("owner:", "ower:")
    )
    assert len(faults(text)) >= 4


def test_a_faulty_strategy_leaves_the_others_whole() -> None:
    broken = item(changed("share: 80", "share: 70"))
    strategies, found = read_strategies([broken, item()], NAMES)
    assert [each.id for each in strategies] == ["limit_review"]
    assert len(found) == 1
