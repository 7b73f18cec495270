"""A condition after it was checked: a tree of operations whose types are known.

Nothing of the user's text is left in it, only known operations, known columns and plain values. Both compilers
and the canonical text start from here. Conversions that the reader need not write (a whole number next to
money) stand in the tree as operations of their own, so that no compiler has to guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .names import Level, Type


@dataclass(frozen=True)
class Node:
    """One operation: `literal`, `name`, or a function or operator of `functions.py`."""

    op: str
    type: Type
    args: tuple[Node, ...] = ()
    value: Any = None
    levels: tuple[Level, ...] = ()

    def walk(self) -> Iterator[Node]:
        yield self
        for arg in self.args:
            yield from arg.walk()

    @property
    def reads(self) -> frozenset[str]:
        return frozenset(node.value for node in self.walk() if node.op == "name")


def literal(value: Any, type: Type) -> Node:
    return Node("literal", type, value=value)


def depth(node: Node) -> int:
    """How many operations stand one in another."""
    return 1 + max((depth(arg) for arg in node.args), default=0)


# Conversions that the language makes by itself; the reader's text does not show them.
IMPLICIT = frozenset({"as_number", "as_money"})


def never_null(node: Node) -> bool:
    """Whether the value is known for every row, whatever the columns hold."""
    match node.op:
        case "literal":
            return node.value is not None
        case "is null" | "is not null":
            return True
        case "coalesce":
            return any(never_null(arg) for arg in node.args)
        case "and" | "or" | "not" | "=" | "<>" | "<" | "<=" | ">" | ">=" | "between" | "in" | "like" | "as_number":
            return all(never_null(arg) for arg in node.args)
        case "case":
            return len(node.args) % 2 == 1 and all(never_null(result) for result in results(node))
        case _:
            return False


# Operations that are known whenever their arguments are.
_TOTAL = frozenset(
    [
        "and",
        "or",
        "not",
        "=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "between",
        "in",
        "like",
        "as_number",
        "least",
        "greatest",
        "coalesce",
        "number",
        "concat",
        "length",
        "lower",
        "upper",
        "trim",
        "substring",
        "replace",
        "starts_with",
        "ends_with",
        "contains",
        "year",
        "month",
        "day",
        "weekday",
        "hour",
        "date",
        "days_between",
        "months_between",
    ]
) | {"is null", "is not null"}


def may_be_null(node: Node) -> bool:
    """Whether the value may be null although every column it reads is known."""
    if node.op == "literal":
        return node.value is None
    if node.op == "case" and len(node.args) % 2 == 1:
        return any(may_be_null(result) for result in results(node))
    return node.op != "name" and (node.op not in _TOTAL or any(may_be_null(arg) for arg in node.args))


def results(case: Node) -> tuple[Node, ...]:
    """What a `case` may yield: every second argument, and the last when it has an else."""
    has_else = len(case.args) % 2 == 1
    pairs = case.args[:-1] if has_else else case.args
    return pairs[1::2] + (case.args[-1:] if has_else else ())


# The largest finite double, and one so far below it that the bounds themselves cannot overflow.
LARGEST = 1.7976931348623157e308
SAFE = 1e300


def reach(node: Node) -> float:
    """An upper bound of the absolute value; `LARGEST` when nothing is known.

    Most products and quotients of money and whole numbers cannot leave the doubles, and need no test.
    """
    match node.op:
        case "literal" if node.type in (Type.WHOLE, Type.MONEY, Type.NUMBER):
            return abs(float(node.value or 0))
        case "as_number" | "as_money" | "abs" | "negative":
            return reach(node.args[0])
        case "round" | "floor" | "ceil" | "number":
            return min(2 * reach(node.args[0]) + 1e9, LARGEST)
        case "+" | "-":
            return min(sum(reach(arg) for arg in node.args), LARGEST)
        case "*":
            return min(reach(node.args[0]) * reach(node.args[1]), LARGEST)
        case "/":
            smallest = least_step(node.args[1])
            return min(reach(node.args[0]) / smallest, LARGEST) if smallest else LARGEST
        case "ln":
            return 745.0
        case "least" | "greatest" | "coalesce":
            return max(reach(arg) for arg in node.args)
        case "case":
            return max(reach(result) for result in results(node))
    return {Type.WHOLE: 2.0**63, Type.MONEY: 1e16}.get(node.type, LARGEST)


def least_step(node: Node) -> float:
    """The smallest absolute value other than zero, or 0 when nothing is known."""
    if node.op == "literal":
        return abs(float(node.value or 0))
    if node.op in ("as_number", "as_money", "abs", "negative"):
        return least_step(node.args[0])
    return {Type.WHOLE: 1.0, Type.MONEY: 0.01}.get(node.type, 0.0)


def may_overflow(node: Node) -> bool:
    """Whether a double result can be infinite or not a number, its arguments being finite."""
    return reach(node) > SAFE
