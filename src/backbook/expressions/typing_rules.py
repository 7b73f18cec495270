"""Which types go together, and what the language converts by itself.

Whole numbers become money or numbers where they stand beside them, a written number of at most two decimals
becomes money beside money, a written text becomes a date, a time or a level beside a column of that kind. Nothing
else is converted; what does not fit is refused with what would.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from .law import MONEY_MOST
from .names import NUMERIC, Type, nearest
from .nodes import Node, literal

WHOLE, MONEY, NUMBER, TEXT = Type.WHOLE, Type.MONEY, Type.NUMBER, Type.TEXT
DATE, TIME = Type.DATE, Type.TIME


class Wrong(Exception):
    """A part of an expression that cannot mean anything: what was found, and what is possible."""

    def __init__(self, found: str, possible: str = "") -> None:
        super().__init__(found)
        self.found, self.possible = found, possible


def as_number(node: Node) -> Node:
    if node.type is NUMBER:
        return node
    if node.op == "literal":
        return literal(None if node.value is None else float(node.value), NUMBER)
    return Node("as_number", NUMBER, (node,))


def as_money(node: Node) -> Node:
    """Whole numbers become money exactly; a written number does when it has at most two decimals."""
    if node.type is MONEY:
        return node
    if node.op != "literal":
        return Node("as_money", MONEY, (node,))
    amount = Decimal(repr(node.value))
    if abs(amount) > MONEY_MOST:
        raise Wrong(f"{amount} is more than money can hold.", f"The most is {MONEY_MOST}.")
    return literal(amount.quantize(Decimal("0.01")), MONEY)


def _stands_for_money(node: Node) -> bool:
    if node.type in (WHOLE, MONEY):
        return True
    if node.op != "literal" or node.type is not NUMBER:
        return False
    exponent = Decimal(repr(node.value)).as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -2 and abs(node.value) <= MONEY_MOST


def convert(node: Node, type: Type) -> Node:
    """The node as a value of `type`, where the language converts by itself; else the node as it is."""
    if node.op == "literal" and node.value is None:
        return literal(None, type)
    if type is NUMBER and node.type in (WHOLE, MONEY):
        return as_number(node)
    if type is MONEY and node.type is not MONEY and _stands_for_money(node):
        return as_money(node)
    if node.op == "literal" and node.type is TEXT and type in (DATE, TIME):
        return dated(node.value, type)
    return node


def dated(text: str, type: Type) -> Node:
    """A written date or time: 2026-01-31, 2026-01-31 08:30:00."""
    try:
        if type is DATE:
            if len(text) != 10:
                raise ValueError
            return literal(date.fromisoformat(text), DATE)
        if len(text) < 16 or text[10] not in " T":
            raise ValueError
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            raise ValueError
        return literal(moment, TIME)
    except ValueError:
        example = "'2026-01-31'" if type is DATE else "'2026-01-31 08:30:00'"
        raise Wrong(f"'{text}' is not a {type}.", f"Write {type.upper()} {example}.") from None


def together(nodes: Sequence[Node], what: str) -> list[Node]:
    """All nodes in the one type that holds them: whole, money where one is money, number, or all the same."""
    types = {node.type for node in nodes if not is_null(node)}
    if not types:
        raise Wrong(f"{what} has no value of any type.", "Write at least one value that is not null.")
    if types <= NUMERIC:
        widest = NUMBER if NUMBER in types else MONEY if MONEY in types else WHOLE
        if types >= {NUMBER, MONEY} and all(is_null(node) or _stands_for_money(node) for node in nodes):
            widest = MONEY
        return [convert(node, widest) for node in nodes]
    for type in (DATE, TIME):
        if type in types and types <= {type, TEXT}:
            nodes = [convert(node, type) for node in nodes]
            types = {node.type for node in nodes}
    if len(types) > 1:
        hint = ""
        if types == {DATE, TIME}:
            hint = "A time becomes a date with date(…)."
        raise Wrong(f"{what} mixes {' and '.join(sorted(types))}.", hint)
    return [convert(node, next(iter(types))) for node in nodes]


def is_null(node: Node) -> bool:
    return node.op == "literal" and node.value is None


def levelled(nodes: list[Node]) -> list[Node]:
    """Written texts beside a column with levels become the codes they mean."""
    column = next((node for node in nodes if node.levels), None)
    if column is None:
        return nodes
    return [
        _level(node, column) if node.op == "literal" and node.type is TEXT and node.value is not None else node
        for node in nodes
    ]


def _level(node: Node, column: Node) -> Node:
    for words in (("code",), ("zh", "en")):
        for level in column.levels:
            if any(getattr(level, word) and getattr(level, word) == node.value for word in words):
                return literal(int(level.code) if column.type is WHOLE else level.code, column.type)
    words_of = [word for level in column.levels for word in (level.code, level.zh, level.en) if word]
    near = nearest(str(node.value), words_of)
    known = ", ".join(f"'{level.code}'" + (f" {level.zh}" if level.zh else "") for level in column.levels[:12])
    more = ", …" if len(column.levels) > 12 else ""
    raise Wrong(
        f"'{node.value}' is not a level of {column.value or 'the column'}.",
        (f"Did you mean '{near}'? " if near else "") + f"Levels: {known}{more}.",
    )


def need(node: Node, types: frozenset[Type] | set[Type], what: str) -> Node:
    if is_null(node):
        raise Wrong(f"{what} is given null.", "Null is tested with `is null` and replaced with coalesce(…).")
    if node.type not in types:
        raise Wrong(f"{what} takes {' or '.join(sorted(types))}, not {node.type}{shown(node)}.", _hint(node, types))
    return node


def shown(node: Node) -> str:
    return f" ({node.value!r})" if node.op == "literal" else f" ({node.value})" if node.op == "name" else ""


def _hint(node: Node, types: frozenset[Type] | set[Type]) -> str:
    if node.type is TIME and DATE in types:
        return "A time becomes a date with date(…)."
    if node.op == "literal" and node.type is TEXT and types & NUMERIC:
        return "Numbers are written without quotes."
    return ""


def count(args: list[Node], least: int, most: int | None, name: str) -> None:
    if len(args) < least or (most is not None and len(args) > most):
        wanted = f"{least}" if most == least else f"{least} or more" if most is None else f"{least} to {most}"
        raise Wrong(f"{name} is given {len(args)} values.", f"It takes {wanted}.")


def as_date(arg: Node, types: set[Type] | frozenset[Type]) -> Node:
    return convert(arg, DATE) if types == {DATE} and not is_null(arg) else arg
