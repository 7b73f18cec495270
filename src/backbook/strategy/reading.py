"""Strategies as people write them, read into what decides, with every fault in one go.

    branches:            # common to all arms, before their own
      - {id: past_due, when: days_past_due > 30, action: stop_use, reasons: [PAST_DUE]}
    arms:
      - id: champion
        zh: 冠军
        en: Champion
        share: 80
        table: {rows: behaviour_grade, columns: value_grade, cells: {A: {high: increase, low: keep}}}
        otherwise: {action: keep, reasons: [NO_NEED]}

What is written once for all arms and every grid is spread into branches, so that two ways of writing the same
decisions have one canonical form and one version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from backbook.definitions import IDENTIFIER, Item
from backbook.errors import BadDefinition, Fault
from backbook.expressions import Expression, Name, Names, Type, parse
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
    fallbacks,
)
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
class _Reader:
    """Reads one item; a fault is noted and reading goes on with something harmless in its place."""

    item: Item
    names: Names
    faults: list[Fault] = field(default_factory=list)
    types: dict[str, Type] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    scopes: dict[str, Names] = field(default_factory=dict)
    reasons: dict[str, Label] = field(default_factory=dict)

    # -- the parts, in the order in which they read one another

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
        self.check_arms(arms)
        self.check_guardrails(guardrails)
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
                self.fault(below, f"action '{action}' has no parameter '{name}'.", _possible(name, own))
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
        self.check_branches(placed, otherwise)
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

    # -- what must hold between the parts

    def check_branches(self, placed: Sequence[tuple[str, Rule]], otherwise: Choice) -> None:
        seen: dict[str, str] = {}
        conditions: dict[str, str] = {}
        for place, rule in placed:
            if rule.id in seen:
                self.fault(f"{place}.id", f"branch '{rule.id}' stands twice in this arm.", "Give it another id.")
            seen[rule.id] = place
            if rule.when is not None:
                if rule.when.text in conditions:
                    self.fault(
                        f"{place}.when",
                        f"branch '{rule.id}' is never reached: '{conditions[rule.when.text]}' has the same condition.",
                        "Remove one of them.",
                    )
                conditions.setdefault(rule.when.text, rule.id)
        self.check_skips(placed, otherwise)

    def check_skips(self, placed: Sequence[tuple[str, Rule]], otherwise: Choice) -> None:
        choices = [rule.choice for _, rule in placed] + [otherwise]
        for number, (place, rule) in enumerate(placed):
            raised = [choice.action for choice in choices[number + 1 :] if self.raises(choice.action)]
            if rule.when_unknown == "skip" and raised:
                self.fault(
                    f"{place}.when_unknown",
                    f"branch '{rule.id}' skips what is unknown, above a branch that decides '{raised[0]}'.",
                    "Above a branch that raises a limit or a price, write 'when_unknown: refer'.",
                )

    def check_arms(self, arms: Sequence[Arm]) -> None:
        if not arms:
            self.fault("arms", "the strategy has no arm.", "Write at least one under 'arms:'.")
            return
        self.once([arm.id for arm in arms], "arms", "arm")
        total = sum(arm.share for arm in arms)
        if total != PERCENT:
            self.fault("arms", f"the arms' shares sum to {total}.", f"They must sum to {PERCENT} (percent).")

    def check_guardrails(self, guardrails: tuple[Guardrail, ...]) -> None:
        self.once([guardrail.id for guardrail in guardrails], "guardrails", "guardrail")
        for number, guardrail in enumerate(guardrails):
            path = f"guardrails.{number}"
            if guardrail.reason in self.reasons or guardrail.reason in OWN_REASONS:
                self.fault(f"{path}.id", f"its reason {guardrail.reason} is taken.", "Choose another id.")
            if not guardrail.blocks:
                self.fault(f"{path}.blocks", "the guardrail blocks nothing.", "Name the actions it blocks.")
            if REFER in guardrail.blocks:
                self.fault(f"{path}.blocks", "'refer' cannot be blocked.", "A person must be able to decide.")
            for target in {guardrail.instead, guardrail.when_unknown}:
                self.check_fallback(path, guardrail, target)
        circle = _circle(fallbacks(guardrails))
        if circle:
            self.fault("guardrails", f"guardrails send {' to '.join(circle)}.", "Break the circle.")

    def check_fallback(self, path: str, guardrail: Guardrail, target: str) -> None:
        for action in guardrail.blocks:
            harmless = not self.raises(action) or guardrail.over == "customer"
            if self.raises(target) and harmless:
                self.fault(
                    f"{path}.instead",
                    f"sends '{action}' to '{target}', which raises a {self.actions[target].raises}.",
                    "A guardrail only blocks or adds duties.",
                )
        if guardrail.over == "customer":
            for action in guardrail.blocks:
                if action in self.actions and not self.raises(action):
                    self.fault(
                        f"{path}.blocks",
                        f"is read over the person, but '{action}' raises nothing.",
                        "Over a person only what raises a limit or a price is checked.",
                    )

    def raises(self, action: str) -> bool:
        return action in self.actions and self.actions[action].raises is not None

    def once(self, ids: Sequence[str], path: str, kind: str) -> None:
        for number, id_ in enumerate(ids):
            if id_ in ids[:number]:
                self.fault(f"{path}.{number}.id", f"{kind} '{id_}' stands twice.", "Give it another id.")

    # -- expressions

    def expression(self, value: Any, path: str, names: Names, expect: Type | None = None) -> Expression | None:
        if value is None or isinstance(value, dict | list):
            self.fault(path, "an expression is missing.", "Write one such as: utilisation > 0.8")
            return None
        text = str(value).lower() if isinstance(value, bool) else str(value)
        try:
            expression = parse(text, names, expect)
        except BadDefinition as error:
            if error.faults:
                self.faults += [self.item.fault(path, each.found, each.possible) for each in error.faults]
            else:
                self.fault(path, str(error))
            return None
        for name in expression.reads:
            found = self.names.resolve(name)
            if found is not None:
                self.types[found.name] = found.type
        return expression

    def optional(self, data: Mapping[str, Any], path: str, key: str, names: Names, expect: Type) -> Expression | None:
        if data.get(key) is None:
            return None
        return self.expression(data[key], _below(path, key), names, expect)

    def scope_with(self, names: Names, name: Name, path: str) -> Names:
        if names.candidates(name.name):
            self.fault(path, f"'{name.name}' is already the name of a column.", "Choose another.")
            return names
        return names.with_names([name])

    def column(self, value: Any, path: str) -> Name | None:
        """The column that a side of a grid names."""
        if self.expression(value, path, self.names) is None:
            return None
        name = self.names.resolve(str(value).strip())
        if name is None:
            self.fault(path, f"'{value}' is more than a column.", "A grid stands on two columns; make it a feature.")
        return name

    # -- plain values

    def fault(self, path: str, found: str, possible: str = "") -> None:
        self.faults.append(self.item.fault(path, found, possible))

    def known(self, data: Mapping[str, Any], path: str, possible: set[str]) -> None:
        for key in data:
            if key not in possible:
                self.fault(_below(path, key), f"'{key}' is not known here.", _possible(key, possible))

    def mapping(self, data: Any, path: str) -> Mapping[str, Any]:
        if data is None:
            return {}
        if isinstance(data, Mapping):
            return data
        self.fault(path, f"{data!r} was found.", "Write 'key: value' lines.")
        return {}

    def entries(self, data: Mapping[str, Any], path: str, key: str) -> list[tuple[str, Mapping[str, Any]]]:
        below = _below(path, key)
        value = data.get(key) or []
        if not isinstance(value, list):
            self.fault(below, f"{value!r} was found.", "Write a list, each entry starting with '- id:'.")
            return []
        return [(f"{below}.{number}", self.mapping(entry, f"{below}.{number}")) for number, entry in enumerate(value)]

    def texts(self, data: Mapping[str, Any], path: str, key: str) -> list[str]:
        value = data.get(key) or []
        if not isinstance(value, list):
            self.fault(_below(path, key), f"{value!r} was found.", "Write a list such as [A, B].")
            return []
        return [str(entry) for entry in value]

    def label(self, data: Mapping[str, Any], path: str) -> Label:
        for key, language in (("zh", "Chinese"), ("en", "English")):
            if not isinstance(data.get(key), str) or not data[key].strip():
                self.fault(_below(path, key), f"'{key}' is missing.", f"Write what it is called in {language}.")
        return Label(str(data.get("zh", "")), str(data.get("en", "")))

    def text(self, data: Mapping[str, Any], path: str, key: str) -> str:
        value = data.get(key)
        if not isinstance(value, str) or not value.strip():
            self.fault(_below(path, key), f"'{key}' is missing.", "Say who answers for it.")
        return str(value)

    def identifier(self, data: Mapping[str, Any], path: str, key: str, default: str) -> str:
        value = data.get(key, default)
        if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
            self.fault(
                _below(path, key),
                f"'{key}' is {value!r}.",
                "Write lower-case letters, digits and underscores, a letter first.",
            )
        return str(value)

    def choice_of(
        self, data: Mapping[str, Any], path: str, key: str, possible: Sequence[str], default: str | None
    ) -> str:
        value = data.get(key, default)
        if value == default and default is not None:
            return default
        if value not in possible:
            found = f"'{key}' is missing." if value is None else f"'{key}' is {value!r}."
            self.fault(_below(path, key), found, _possible(str(value), possible))
        return str(value)

    def whole(self, data: Mapping[str, Any], path: str, key: str, low: int, high: int, default: int | None) -> int:
        value = data.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.fault(_below(path, key), f"'{key}' is {value!r}.", f"Write a whole number from {low} to {high}.")
            return low
        return int(value)

    def share(self, data: Mapping[str, Any], path: str, key: str, default: int, high: int) -> int:
        """Hundredths of a percent, written in percent."""
        value: int | float = data.get(key, default)
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= high
        if not good or abs(value * PERCENT - round(value * PERCENT)) > 1e-9:
            self.fault(
                _below(path, key), f"'{key}' is {value!r}.", f"Write a percentage from 0 to {high}, such as 2 or 0.5."
            )
            return 0
        return round(value * PERCENT)

    def yes(self, data: Mapping[str, Any], path: str, key: str) -> bool:
        value = data.get(key, False)
        if not isinstance(value, bool):
            self.fault(_below(path, key), f"'{key}' is {value!r}.", "Write true or false.")
        return value is True

    def action_of(self, name: Any, path: str) -> str:
        if name not in self.actions:
            found = "an action is missing." if name is None else f"there is no action '{name}'."
            self.fault(path, found, _possible(str(name), self.actions))
        return str(name)

    def reason_of(self, code: str, path: str) -> str:
        if code not in self.reasons:
            self.fault(path, f"there is no reason '{code}'.", _possible(code, self.reasons))
        return code


def _refer() -> Action:
    return Action(
        REFER,
        Label("转人工", "Refer to a person"),
        purpose="service",
        acts=Label("策略复核岗", "Strategy reviewers"),
    )


def _circle(after: Mapping[str, set[str]]) -> list[str]:
    """One circle of the fallbacks, its first action repeated at the end; empty when there is none."""

    def walk(action: str, path: list[str]) -> list[str]:
        if action in path:
            return [*path[path.index(action) :], action]
        for target in sorted(after.get(action, ())):
            found = walk(target, [*path, action])
            if found:
                return found
        return []

    return next((found for action in sorted(after) if (found := walk(action, []))), [])


def _possible(wrong: str, right: Iterable[str]) -> str:
    possible = sorted(right)
    near = get_close_matches(wrong, possible, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Possible: {', '.join(possible)}."


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
