"""What must hold between the parts of a strategy; each fault as (where, what was found, what is possible)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from backbook.strategy.definition import OWN_REASONS, PERCENT, REFER, Arm, Choice, Guardrail, Rule, fallbacks

Wrong = tuple[str, str, str]

# action → what it raises, of those that raise something
Raises = Mapping[str, str]


def wrong_branches(placed: Sequence[tuple[str, Rule]], otherwise: Choice, raises: Raises) -> Iterator[Wrong]:
    """Branches of one arm, each with its place: ids and conditions once, nothing skipped above a raise."""
    ids: set[str] = set()
    conditions: dict[str, str] = {}
    for place, rule in placed:
        if rule.id in ids:
            yield f"{place}.id", f"branch '{rule.id}' stands twice in this arm.", "Give it another id."
        ids.add(rule.id)
        # What could not be read has no condition.
        text = rule.when.text if rule.when is not None else None
        if text is not None and text in conditions:
            found = f"branch '{rule.id}' is never reached: '{conditions[text]}' has the same condition."
            yield f"{place}.when", found, "Remove one of them."
        elif text is not None:
            conditions[text] = rule.id
    choices = [rule.choice for _, rule in placed] + [otherwise]
    for number, (place, rule) in enumerate(placed):
        raised = [choice.action for choice in choices[number + 1 :] if choice.action in raises]
        if rule.when_unknown == "skip" and raised:
            found = f"branch '{rule.id}' skips what is unknown, above a branch that decides '{raised[0]}'."
            yield (
                f"{place}.when_unknown",
                found,
                "Above a branch that raises a limit or a price, write 'when_unknown: refer'.",
            )


def wrong_arms(arms: Sequence[Arm]) -> Iterator[Wrong]:
    if not arms:
        yield "arms", "the strategy has no arm.", "Write at least one under 'arms:'."
        return
    yield from _twice([arm.id for arm in arms], "arms", "arm")
    total = sum(arm.share for arm in arms)
    if total != PERCENT:
        yield "arms", f"the arms' shares sum to {total}.", f"They must sum to {PERCENT} (percent)."


def wrong_guardrails(guardrails: tuple[Guardrail, ...], reasons: Collection[str], raises: Raises) -> Iterator[Wrong]:
    yield from _twice([guardrail.id for guardrail in guardrails], "guardrails", "guardrail")
    for number, guardrail in enumerate(guardrails):
        path = f"guardrails.{number}"
        if guardrail.reason in reasons or guardrail.reason in OWN_REASONS:
            yield f"{path}.id", f"its reason {guardrail.reason} is taken.", "Choose another id."
        if not guardrail.blocks:
            yield f"{path}.blocks", "the guardrail blocks nothing.", "Name the actions it blocks."
        if REFER in guardrail.blocks:
            yield f"{path}.blocks", "'refer' cannot be blocked.", "A person must be able to decide."
        yield from _wrong_fallback(path, guardrail, raises)
    circle = _circle(fallbacks(guardrails))
    if circle:
        yield "guardrails", f"guardrails send {' to '.join(circle)}.", "Break the circle."


def _wrong_fallback(path: str, guardrail: Guardrail, raises: Raises) -> Iterator[Wrong]:
    """A guardrail only blocks: it may send a raise to a lesser raise, but nothing else to any."""
    for action in guardrail.blocks:
        for target in sorted({guardrail.instead, guardrail.when_unknown}):
            if target in raises and (action not in raises or guardrail.over == "customer"):
                found = f"sends '{action}' to '{target}', which raises a {raises[target]}."
                yield f"{path}.instead", found, "A guardrail only blocks or adds duties."
        if guardrail.over == "customer" and action not in raises:
            found = f"is read over the person, but '{action}' raises nothing."
            yield f"{path}.blocks", found, "Over a person only what raises a limit or a price is checked."


def _twice(ids: Sequence[str], path: str, kind: str) -> Iterator[Wrong]:
    for number, id_ in enumerate(ids):
        if id_ in ids[:number]:
            yield f"{path}.{number}.id", f"{kind} '{id_}' stands twice.", "Give it another id."


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
