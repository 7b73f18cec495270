"""The operators: which types they take and what they give.

Each takes checked parts and gives a checked node, or refuses. `and`, `or`, `in` and `between` follow Kleene's three
values, `case` passes over a condition that is not known; every other operator is null when a part is.
"""

from __future__ import annotations

from collections.abc import Callable

from .law import WHOLE_MOST
from .names import NUMERIC, Type
from .nodes import Node, literal
from .typing_rules import Wrong, as_number, convert, is_null, levelled, need, shown, together

WHOLE, MONEY, NUMBER, TEXT = Type.WHOLE, Type.MONEY, Type.NUMBER, Type.TEXT
DATE, YESNO = Type.DATE, Type.YESNO


def compare(op: str) -> Callable[[list[Node]], Node]:
    def check(args: list[Node]) -> Node:
        for arg in args:
            if is_null(arg):
                raise Wrong(f"Nothing is {op} null.", "Write `is null` or `is not null`.")
        args = together(levelled(args), f"The comparison {op}")
        if op not in ("=", "<>") and args[0].type is YESNO:
            raise Wrong(f"Yes and no have no order for {op}.", "Compare them with = or <>.")
        return Node(op, YESNO, tuple(args))

    return check


def plus(args: list[Node]) -> Node:
    left, right = args
    if {left.type, right.type} == {DATE, WHOLE}:
        day, days = (left, right) if left.type is DATE else (right, left)
        return Node("date + days", DATE, (day, days))
    if left.type is TEXT or right.type is TEXT:
        raise Wrong("+ adds numbers, not text.", "Texts are joined with concat(…) or ||.")
    return _sum("+", args)


def minus(args: list[Node]) -> Node:
    left, right = args
    if left.type is DATE and right.type is WHOLE:
        return Node("date - days", DATE, (left, right))
    if DATE in (left.type, right.type):
        left, right = convert(left, DATE), convert(right, DATE)
        need(left, {DATE}, "- beside a date"), need(right, {DATE}, "- beside a date")
        return Node("days_between", WHOLE, (right, left))
    return _sum("-", args)


def _sum(op: str, args: list[Node]) -> Node:
    for arg in args:
        need(arg, NUMERIC, op)
    args = together(args, op)
    return Node(op, args[0].type, tuple(args))


def times(args: list[Node]) -> Node:
    for arg in args:
        need(arg, NUMERIC, "*")
    types = {arg.type for arg in args}
    if types == {WHOLE}:
        return Node("*", WHOLE, tuple(args))
    if types == {WHOLE, MONEY}:
        amount, count = args if args[0].type is MONEY else args[::-1]
        return Node("*", MONEY, (amount, count))
    return Node("*", NUMBER, tuple(as_number(arg) for arg in args))


def over(args: list[Node]) -> Node:
    for arg in args:
        need(arg, NUMERIC, "/")
    return Node("/", NUMBER, tuple(as_number(arg) for arg in args))


def negative(args: list[Node]) -> Node:
    arg = need(args[0], NUMERIC, "-")
    if arg.op == "literal" and arg.value != -WHOLE_MOST - 1:
        return literal(-arg.value, arg.type)
    return Node("negative", arg.type, (arg,))


def logic(op: str) -> Callable[[list[Node]], Node]:
    def check(args: list[Node]) -> Node:
        for arg in args:
            if arg.type is not YESNO:
                raise Wrong(f"`{op}` takes conditions, not {arg.type}{shown(arg)}.", "Compare it with something.")
        return Node(op, YESNO, tuple(args))

    return check


def between(args: list[Node]) -> Node:
    for arg in args:
        need(arg, set(Type) - {YESNO}, "between")
    return Node("between", YESNO, tuple(together(levelled(args), "between")))


def within(args: list[Node]) -> Node:
    for arg in args[1:]:
        if is_null(arg):
            raise Wrong("`in` lists null, which nothing is equal to.", "Write `… or x is null`.")
    need(args[0], set(Type), "in")
    return Node("in", YESNO, tuple(together(levelled(args), "in")))


def like(args: list[Node]) -> Node:
    """Arguments: the text, the written pattern, and the escape character or an empty text."""
    need(args[0], {TEXT}, "like")
    if args[1].op != "literal" or args[1].type is not TEXT:
        raise Wrong("The pattern of `like` must be written out.", "For a computed part use starts_with or contains.")
    escape = str(args[2].value)
    if len(escape) > 1:
        raise Wrong(f"The escape of `like` is '{escape}'.", "It is one character.")
    return Node("like", YESNO, (args[0],), value=pattern_parts(str(args[1].value), escape))


def pattern_parts(pattern: str, escape: str) -> tuple[str | None, ...]:
    """A pattern as literal texts, "" for one character (`_`) and None for any run of them (`%`)."""
    parts: list[str | None] = []
    run = ""
    characters = iter(pattern)
    for character in characters:
        if escape and character == escape:
            following = next(characters, None)
            if following not in ("%", "_", escape):
                raise Wrong(f"'{pattern}' escapes what needs no escape.", "Escape only %, _ and the escape itself.")
            run += following
        elif character in "%_":
            parts += [run] if run else []
            parts.append(None if character == "%" else "")
            run = ""
        else:
            run += character
    return tuple(parts + ([run] if run else []))


def case(args: list[Node]) -> Node:
    """Arguments: condition, result, condition, result, …, and the else when their number is odd."""
    has_else = len(args) % 2 == 1
    pairs = args[:-1] if has_else else args
    for condition in pairs[::2]:
        if condition.type is not YESNO:
            raise Wrong(f"`case when` takes a condition, not {condition.type}{shown(condition)}.")
    values = together(pairs[1::2] + (args[-1:] if has_else else []), "case")
    out: list[Node] = []
    for condition, value in zip(pairs[::2], values, strict=False):
        out += [condition, value]
    return Node("case", values[0].type, (*out, *(values[-1:] if has_else else [])))


# By the name their node carries.
OPERATORS: dict[str, Callable[[list[Node]], Node]] = {
    "+": plus,
    "-": minus,
    "*": times,
    "/": over,
    "negative": negative,
    "and": logic("and"),
    "or": logic("or"),
    "not": logic("not"),
    "between": between,
    "in": within,
    "like": like,
    "case": case,
    **{op: compare(op) for op in ("=", "<>", "<", "<=", ">", ">=")},
}
