"""Strategies as people write them, read into what decides, with every fault in one go.

    branches:            # common to all arms, before their own
      - {id: past_due, when: days_past_due > 30, action: stop_use, reasons: [PAST_DUE]}
    arms:
      - id: champion
        zh: 冠军
        en: Champion
        share: 80
        branches: [{id: more, when: utilisation > 0.8, action: increase, reasons: [NEEDS_MORE]}]
        otherwise: {action: keep, reasons: [NO_NEED]}

What is written once for all arms and every grid is spread into branches, so that two ways of writing the same
decisions have one canonical form and one version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backbook.definitions import Item
from backbook.errors import BadDefinition, Fault
from backbook.expressions import Name, Names, Type
from backbook.strategy.checks import Wrong, wrong_arms, wrong_branches, wrong_guardrails
from backbook.strategy.definition import (
    CADENCES,
    CHANNELS,
    OWN_REASONS,
    PERCENT,
    PURPOSES,
    RAISES,
    REFER,
    TOTAL_NEW,
    Action,
    Arm,
    Choice,
    Guardrail,
    Label,
    Parameter,
    Rule,
    Strategy,
)
from backbook.strategy.fields import Fields, possible_words
from backbook.strategy.grid import spread

REASON = re.compile(r"[A-Z][A-Z0-9_]*")

DEFAULT_EXPLORE = 2
UNKNOWN_TREATMENTS = ("refer", "skip")

_STRATEGY = {"id", "zh", "en", "owner", "grain", "area", "cadence", "valid_days", "explore", "control", "value_now"}
_STRATEGY |= {"reasons", "actions", "guardrails", "branches", "arms", "reads"}
_ACTION = {"id", "zh", "en", "purpose", "raises", "explore", "channel", "list", "parameters", "value_new"}
_ACTION |= {"expected_value"}
_CHOICE = {"action", "reasons", "parameters"}
_BRANCH = {"id", "when", "when_unknown"} | _CHOICE
_ARM = {"id", "zh", "en", "share", "branches", "table", "otherwise"}
_GUARDRAIL = {"id", "zh", "en", "over", "pass", "blocks", "instead", "when_unknown"}


def read_strategies(items: Iterable[Item], names: Names) -> tuple[list[Strategy], list[Fault]]:
    """The strategies that are whole, and all that is wrong with the others."""
    strategies: list[Strategy] = []
    faults: list[Fault] = []
    for item in items:
        reader = _Reader(item, names)
        strategy = reader.strategy()
        faults += reader.faults
        if not reader.faults:
            strategies.append(strategy)
    return strategies, faults


def from_canonical(canonical: Mapping[str, Any]) -> Strategy:
    """A strategy from its canonical form alone; its columns have the types that stand in it."""
    names = Names("decision", [Name(name, Type(kind), name, name) for name, kind in canonical["reads"].items()])
    strategies, faults = read_strategies([Item("strategy", canonical["id"], canonical, file="canonical form")], names)
    if faults:
        raise BadDefinition(faults=faults)
    return strategies[0]


@dataclass
class _Reader(Fields):
    """Reads one strategy, each part after those that it names."""

    actions: dict[str, Action] = field(default_factory=dict)
    scopes: dict[str, Names] = field(default_factory=dict)
    reasons: dict[str, Label] = field(default_factory=dict)

    def strategy(self) -> Strategy:
        data = self.item.data
        self.known(data, "", _STRATEGY)
        self.reasons = self.read_reasons(data.get("reasons"))
        value_now = self.optional(data, "", "value_now", self.names, Type.MONEY)
        for path, entry in self.entries(data, "", "actions"):
            self.read_action(path, entry)
        if REFER not in self.actions:
            self.actions[REFER] = _refer()
            self.scopes[REFER] = self.names
        common = self.read_branches(data, "")
        arms = tuple(self.read_arm(path, entry, common) for path, entry in self.entries(data, "", "arms"))
        guardrails = tuple(self.read_guardrail(path, entry) for path, entry in self.entries(data, "", "guardrails"))
        self.all(wrong_arms(arms))
        self.all(wrong_guardrails(guardrails, self.reasons, self.raises()))
        return Strategy(
            id=self.item.id,
            label=self.label(data, ""),
            owner=self.text(data, "", "owner"),
            grain=self.choice_of(data, "", "grain", ("account",), "account"),
            area=self.identifier(data, "", "area", self.item.id),
            cadence=self.choice_of(data, "", "cadence", CADENCES, "monthly"),
            valid_days=self.whole(data, "", "valid_days", 1, 366, 30),
            explore=self.share(data, "", "explore", DEFAULT_EXPLORE, 20),
            control=self.share(data, "", "control", 0, 50),
            value_now=value_now,
            reasons=self.reasons,
            actions=tuple(self.actions.values()),
            guardrails=guardrails,
            arms=arms,
            types=self.types,
        )

    def read_reasons(self, data: Any) -> dict[str, Label]:
        reasons = {}
        for code, entry in self.mapping(data, "reasons").items():
            path = f"reasons.{code}"
            if not REASON.fullmatch(code):
                self.fault(path, f"the reason code is {code!r}.", "Write capitals, digits and underscores.")
            if code in OWN_REASONS:
                self.fault(path, f"{code} is Backbook's own reason.", "Choose another code.")
            entry = self.mapping(entry, path)
            self.known(entry, path, {"zh", "en"})
            reasons[code] = self.label(entry, path)
        return reasons

    def read_action(self, path: str, data: Mapping[str, Any]) -> None:
        self.known(data, path, _ACTION)
        id_ = self.identifier(data, path, "id", "")
        scope = self.names
        parameters = []
        for below, entry in self.entries(data, path, "parameters"):
            self.known(entry, below, {"id", "value"})
            name = self.identifier(entry, below, "id", "")
            expression = self.expression(entry.get("value"), f"{below}.value", scope)
            if expression is not None and name:
                parameters.append(Parameter(name, expression))
                scope = self.scope_with(scope, Name(name, expression.type, name, name), f"{below}.id")
        raises = self.choice_of(data, path, "raises", RAISES, "") or None
        explore = self.yes(data, path, "explore")
        if raises and explore:
            self.fault(
                f"{path}.explore",
                f"'{id_}' raises a {raises} and may not be tried at random.",
                "Explore only among actions that cannot raise risk.",
            )
        acts = data.get("list")
        action = Action(
            id=id_,
            label=self.label(data, path),
            purpose=self.choice_of(data, path, "purpose", PURPOSES, None),
            raises=raises,
            explore=explore,
            channel=self.choice_of(data, path, "channel", tuple(CHANNELS), "") or None,
            acts=None if acts is None else self.label(self.mapping(acts, f"{path}.list"), f"{path}.list"),
            parameters=tuple(parameters),
            value_new=self.optional(data, path, "value_new", scope, Type.MONEY),
            expected_value=self.optional(data, path, "expected_value", scope, Type.MONEY),
        )
        self.actions[id_] = action
        self.scopes[id_] = scope

    def read_branches(self, data: Mapping[str, Any], path: str) -> list[tuple[str, Rule]]:
        """(where it stands, rule) of each branch below `path`."""
        return [(below, self.read_branch(below, entry)) for below, entry in self.entries(data, path, "branches")]

    def read_branch(self, path: str, data: Mapping[str, Any]) -> Rule:
        self.known(data, path, _BRANCH)
        unknown = self.choice_of(data, path, "when_unknown", UNKNOWN_TREATMENTS, "refer")
        when = self.expression(data.get("when"), f"{path}.when", self.names, Type.YESNO)
        if when is not None and not when.reads:
            self.fault(
                f"{path}.when",
                f"'{when.text}' reads no column: it holds for all or for none, and what stands below is never reached.",
                "What holds for all the others is the arm's 'otherwise:'.",
            )
        return Rule(
            id=self.identifier(data, path, "id", ""),
            when=when,  # type: ignore[arg-type]  # with None a fault stands and the strategy is not used
            choice=self.read_choice(path, data),
            when_unknown="skip" if unknown == "skip" else "refer",
        )

    def read_choice(self, path: str, data: Mapping[str, Any]) -> Choice:
        action = self.action_of(data.get("action"), f"{path}.action")
        if action == REFER:
            self.fault(f"{path}.action", "'refer' is what an unknown leads to.", "Name an action of your own.")
        reasons = tuple(self.reason_of(code, f"{path}.reasons") for code in self.texts(data, path, "reasons"))
        if not reasons:
            self.fault(f"{path}.reasons", "a decision without a reason.", "Name at least one of 'reasons:'.")
        return Choice(action, reasons, self.read_changes(path, data, action))

    def read_changes(self, path: str, data: Mapping[str, Any], action: str) -> tuple[Parameter, ...]:
        changes = []
        own = {each.id: each for each in self.actions[action].parameters} if action in self.actions else {}
        for name, value in self.mapping(data.get("parameters"), f"{path}.parameters").items():
            below = f"{path}.parameters.{name}"
            if name not in own:
                self.fault(below, f"action '{action}' has no parameter '{name}'.", possible_words(name, own))
                continue
            expression = self.expression(value, below, self.names, own[name].expression.type)
            if expression is not None:
                changes.append(Parameter(name, expression))
        return tuple(sorted(changes, key=lambda each: each.id))

    def read_arm(self, path: str, data: Mapping[str, Any], common: Sequence[tuple[str, Rule]]) -> Arm:
        self.known(data, path, _ARM)
        placed = [*common, *self.read_branches(data, path), *self.read_table(path, data)]
        if data.get("otherwise") is None:
            self.fault(f"{path}.otherwise", "the arm does not say what happens otherwise.", "Write 'otherwise:'.")
            otherwise = Choice("", ())
        else:
            below = f"{path}.otherwise"
            entry = self.mapping(data["otherwise"], below)
            self.known(entry, below, _CHOICE)
            otherwise = self.read_choice(below, entry)
        self.all(wrong_branches(placed, otherwise, self.raises()))
        return Arm(
            id=self.identifier(data, path, "id", ""),
            label=self.label(data, path),
            share=self.whole(data, path, "share", 0, PERCENT, None),
            rules=tuple(rule for _, rule in placed),
            otherwise=otherwise,
        )

    def read_table(self, path: str, data: Mapping[str, Any]) -> list[tuple[str, Rule]]:
        if data.get("table") is None:
            return []
        below = f"{path}.table"
        table = self.mapping(data["table"], below)
        rows = []
        for place, entry in spread(table, below, self.fault, self.column):
            rows.append((place, self.read_branch(place, entry)))
        return rows

    def read_guardrail(self, path: str, data: Mapping[str, Any]) -> Guardrail:
        self.known(data, path, _GUARDRAIL)
        over = self.choice_of(data, path, "over", ("account", "customer"), "account")
        scope = self.names
        if over == "customer":
            total = Name(TOTAL_NEW, Type.MONEY, "调整后合计", "Total after the change")
            scope = self.scope_with(scope, total, f"{path}.over")
        instead = self.action_of(data.get("instead"), f"{path}.instead")
        unknown = data.get("when_unknown")
        passes = self.expression(data.get("pass"), f"{path}.pass", scope, Type.YESNO)
        return Guardrail(
            id=self.identifier(data, path, "id", ""),
            label=self.label(data, path),
            passes=passes,  # type: ignore[arg-type]  # with None a fault stands
            blocks=tuple(self.action_of(name, f"{path}.blocks") for name in self.texts(data, path, "blocks")),
            instead=instead,
            when_unknown=instead if unknown is None else self.action_of(unknown, f"{path}.when_unknown"),
            over=over,
        )

    def all(self, wrongs: Iterable[Wrong]) -> None:
        for place, found, possible in wrongs:
            self.fault(place, found, possible)

    def raises(self) -> dict[str, str]:
        return {action.id: action.raises for action in self.actions.values() if action.raises}

    def action_of(self, name: Any, path: str) -> str:
        if name not in self.actions:
            found = "an action is missing." if name is None else f"there is no action '{name}'."
            self.fault(path, found, possible_words(str(name), self.actions))
        return str(name)

    def reason_of(self, code: str, path: str) -> str:
        if code not in self.reasons:
            self.fault(path, f"there is no reason '{code}'.", possible_words(code, self.reasons))
        return code


def _refer() -> Action:
    return Action(
        REFER,
        Label("转人工", "Refer to a person"),
        purpose="service",
        acts=Label("策略复核岗", "Strategy reviewers"),
    )
