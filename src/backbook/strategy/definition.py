"""A strategy: what may be done, who gets which decision, and what can never be done.

Actions say what may be done and with which parameters. Arms (champion and challengers) are first-match tables
from conditions to actions. Guardrails only block or send elsewhere. The canonical form of all this, with
canonical expressions and without comments, is what decides; its hash is the strategy's version. It carries
the types of the columns that it reads, so that a stored decision can be replayed from it alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from backbook.expressions import Expression, Type
from backbook.workspace import canonical

REFER = "refer"
NOT_KNOWN = "NOT_KNOWN"
EXPLORED = "EXPLORED"
TOTAL_NEW = "total_new"

CADENCES = ("daily", "statement", "weekly", "monthly", "once")
RAISES = ("limit", "price")
# These are acted on for everybody; the universal control group is held out of marketing only.
ALWAYS_ACTED_ON = ("service", "law", "risk", "collection")
PURPOSES = (*ALWAYS_ACTED_ON, "marketing")
PERCENT = 100


@dataclass(frozen=True)
class Label:
    zh: str
    en: str

    def text(self, language: str) -> str:
        return self.zh if language == "zh" else self.en

    def canonical(self) -> dict[str, str]:
        return {"zh": self.zh, "en": self.en}


CHANNELS = {
    "app": Label("手机银行", "App"),
    "push": Label("APP推送", "Push message"),
    "sms": Label("短信", "Text message"),
    "wechat": Label("微信", "WeChat"),
    "email": Label("电子邮件", "E-mail"),
    "letter": Label("信函", "Letter"),
    "call": Label("外呼", "Call"),
    "manager": Label("客户经理", "Relationship manager"),
    "branch": Label("网点", "Branch"),
    "system": Label("系统自动", "System"),
}

# What every strategy has without saying so.
OWN_REASONS = {
    NOT_KNOWN: Label("所需信息未知", "Something needed is not known"),
    EXPLORED: Label("随机探索", "Chosen at random to learn"),
}


@dataclass(frozen=True)
class Parameter:
    id: str
    expression: Expression


@dataclass(frozen=True)
class Action:
    """Something that may be decided. Parameters may read the columns and the parameters before them."""

    id: str
    label: Label
    purpose: str
    raises: str | None = None
    explore: bool = False
    channel: str | None = None
    acts: Label | None = None
    parameters: tuple[Parameter, ...] = ()
    value_new: Expression | None = None
    expected_value: Expression | None = None

    def canonical(self) -> dict[str, Any]:
        return _filled(
            id=self.id,
            **self.label.canonical(),
            purpose=self.purpose,
            raises=self.raises,
            explore=self.explore,
            channel=self.channel,
            list=self.acts and self.acts.canonical(),
            parameters=[{"id": each.id, "value": each.expression.text} for each in self.parameters],
            value_new=self.value_new and self.value_new.text,
            expected_value=self.expected_value and self.expected_value.text,
        )


@dataclass(frozen=True)
class Choice:
    """An action, why, and the parameters that differ from the action's own."""

    action: str
    reasons: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()

    def canonical(self) -> dict[str, Any]:
        return _filled(
            action=self.action,
            reasons=list(self.reasons),
            parameters={each.id: each.expression.text for each in self.parameters},
        )


@dataclass(frozen=True)
class Rule:
    """A branch: when this holds, choose that."""

    id: str
    when: Expression
    choice: Choice
    when_unknown: Literal["refer", "skip"] = "refer"

    def canonical(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "when": self.when.text,
            **self.choice.canonical(),
            "when_unknown": self.when_unknown,
        }


@dataclass(frozen=True)
class Arm:
    """Champion or challenger: a first-match table for a share (in percent) of the customers."""

    id: str
    label: Label
    share: int
    rules: tuple[Rule, ...]
    otherwise: Choice

    def canonical(self) -> dict[str, Any]:
        return {
            "id": self.id,
            **self.label.canonical(),
            "share": self.share,
            "branches": [rule.canonical() for rule in self.rules],
            "otherwise": self.otherwise.canonical(),
        }


@dataclass(frozen=True)
class Guardrail:
    """What must be true for an action to stand; `over` says whether it is read per account or over the person."""

    id: str
    label: Label
    passes: Expression
    blocks: tuple[str, ...]
    instead: str
    when_unknown: str
    over: str = "account"

    @property
    def reason(self) -> str:
        return self.id.upper()

    def canonical(self) -> dict[str, Any]:
        return {
            "id": self.id,
            **self.label.canonical(),
            "over": self.over,
            "pass": self.passes.text,
            "blocks": list(self.blocks),
            "instead": self.instead,
            "when_unknown": self.when_unknown,
        }


@dataclass(frozen=True)
class Variant:
    """An action with the parameters it has here; the unit in which chances are counted."""

    action: Action
    parameters: tuple[Parameter, ...]

    @property
    def key(self) -> tuple[str, ...]:
        return (self.action.id, *(each.expression.text for each in self.parameters))


@dataclass(frozen=True, eq=False)
class Strategy:
    """One area of decisions, read and checked. `explore` and `control` are shares in hundredths of a percent."""

    id: str
    label: Label
    owner: str
    grain: str
    area: str
    cadence: str
    valid_days: int
    explore: int
    control: int
    value_now: Expression | None
    reasons: Mapping[str, Label]
    actions: tuple[Action, ...]
    guardrails: tuple[Guardrail, ...]
    arms: tuple[Arm, ...]
    types: Mapping[str, Type] = field(default_factory=dict)

    @property
    def zh(self) -> str:
        return self.label.zh

    @property
    def en(self) -> str:
        return self.label.en

    @cached_property
    def action(self) -> Mapping[str, Action]:
        return {action.id: action for action in self.actions}

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """Every action as somebody may get it: `refer` first, then as the actions stand, then what branches change."""
        found: dict[tuple[str, ...], Variant] = {}
        for variant in self._variants():
            found.setdefault(variant.key, variant)
        return tuple(found.values())

    def _variants(self) -> Iterator[Variant]:
        yield self._made(Choice(REFER))
        for action in self.actions:
            yield self._made(Choice(action.id))
        for arm in self.arms:
            for choice in (*(rule.choice for rule in arm.rules), arm.otherwise):
                yield self._made(choice)

    def _made(self, choice: Choice) -> Variant:
        action = self.action[choice.action]
        changed = {each.id: each for each in choice.parameters}
        return Variant(action, tuple(changed.get(each.id, each) for each in action.parameters))

    def variant(self, choice: Choice) -> int:
        return self._places[self._made(choice).key]

    @cached_property
    def _places(self) -> Mapping[tuple[str, ...], int]:
        return {variant.key: place for place, variant in enumerate(self.variants)}

    @cached_property
    def resolving_order(self) -> tuple[str, ...]:
        """Actions ordered so that whatever a guardrail sends one to stands before it."""
        after = fallbacks(self.guardrails)
        ordered: list[str] = []

        def place(action: str) -> None:
            for target in sorted(after.get(action, ())):
                if target not in ordered:
                    place(target)
            if action not in ordered:
                ordered.append(action)

        for action in self.actions:
            place(action.id)
        return tuple(ordered)

    @cached_property
    def explorable(self) -> tuple[int, ...]:
        """The variants among which an exploring draw chooses."""
        return tuple(self.variant(Choice(action.id)) for action in self.actions if action.explore)

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The columns whose values a decision keeps, in a stable order."""
        return tuple(sorted(self.types))

    def reason_label(self, code: str) -> Label:
        """What a reason code says to people."""
        for guardrail in self.guardrails:
            if guardrail.reason == code:
                return guardrail.label
        return self.reasons.get(code) or OWN_REASONS.get(code) or Label(code, code)

    def canonical(self) -> dict[str, Any]:
        """Plain data that `read_strategies` accepts again."""
        return _filled(
            id=self.id,
            **self.label.canonical(),
            owner=self.owner,
            grain=self.grain,
            area=self.area,
            cadence=self.cadence,
            valid_days=self.valid_days,
            explore=self.explore / PERCENT,
            control=self.control / PERCENT,
            value_now=self.value_now and self.value_now.text,
            reasons={code: label.canonical() for code, label in sorted(self.reasons.items())},
            actions=[action.canonical() for action in self.actions],
            guardrails=[guardrail.canonical() for guardrail in self.guardrails],
            arms=[arm.canonical() for arm in self.arms],
            reads={name: str(type_) for name, type_ in sorted(self.types.items())},
        )

    @cached_property
    def version(self) -> str:
        return hashlib.sha256(canonical(self.canonical())).hexdigest()


def fallbacks(guardrails: tuple[Guardrail, ...]) -> dict[str, set[str]]:
    """action → the actions to which a guardrail may send it."""
    after: dict[str, set[str]] = {}
    for guardrail in guardrails:
        for action in guardrail.blocks:
            after.setdefault(action, set()).update((guardrail.instead, guardrail.when_unknown))
    return after


def _filled(**entries: Any) -> dict[str, Any]:
    """Only what says something: nothing and empty say the same here."""
    return {key: value for key, value in entries.items() if value is not None and value != [] and value != {}}
