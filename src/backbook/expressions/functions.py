"""The closed list of operators and functions: what each means and which types it takes and gives.

This is the law's table of types. What each one computes stands twice more, in `to_ibis.py` for a whole book and
in `to_python.py` for one customer; a test holds the three lists together.

Unless its line says otherwise, a result is null (not known) when one of its arguments is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from .names import NUMERIC, Level, Type, nearest
from .nodes import Node, literal

WHOLE, MONEY, NUMBER, TEXT = Type.WHOLE, Type.MONEY, Type.NUMBER, Type.TEXT
DATE, TIME, YESNO = Type.DATE, Type.TIME, Type.YESNO

LARGEST_WHOLE = 2**63 - 1
LARGEST_MONEY = Decimal("9999999999999999.99")


class Wrong(Exception):
    """A part of an expression that cannot mean anything: what was found, and what is possible."""

    def __init__(self, found: str, possible: str = "") -> None:
        super().__init__(found)
        self.found, self.possible = found, possible


@dataclass(frozen=True)
class Function:
    """One word of the language, as the documentation shows it."""

    name: str
    usage: str
    zh: str
    en: str
    check: Callable[[list[Node]], Node]


# ── bringing types together ─────────────────────────────────────────────────────────────────────────────


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
    if abs(amount) > LARGEST_MONEY:
        raise Wrong(f"{amount} is more than money can hold.", f"The most is {LARGEST_MONEY}.")
    return literal(amount.quantize(Decimal("0.01")), MONEY)


def _stands_for_money(node: Node) -> bool:
    if node.type in (WHOLE, MONEY):
        return True
    if node.op != "literal" or node.type is not NUMBER:
        return False
    exponent = Decimal(repr(node.value)).as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -2 and abs(node.value) <= LARGEST_MONEY


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
    types = {node.type for node in nodes if not _is_null(node)}
    if not types:
        raise Wrong(f"{what} has no value of any type.", "Write at least one value that is not null.")
    if types <= NUMERIC:
        widest = NUMBER if NUMBER in types else MONEY if MONEY in types else WHOLE
        if types >= {NUMBER, MONEY} and all(_is_null(node) or _stands_for_money(node) for node in nodes):
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


def _is_null(node: Node) -> bool:
    return node.op == "literal" and node.value is None


def _levelled(nodes: list[Node]) -> list[Node]:
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


# ── checks ──────────────────────────────────────────────────────────────────────────────────────────────


def _need(node: Node, types: frozenset[Type] | set[Type], what: str) -> Node:
    if _is_null(node):
        raise Wrong(f"{what} is given null.", "Null is tested with `is null` and replaced with coalesce(…).")
    if node.type not in types:
        raise Wrong(f"{what} takes {' or '.join(sorted(types))}, not {node.type}{_shown(node)}.", _hint(node, types))
    return node


def _shown(node: Node) -> str:
    return f" ({node.value!r})" if node.op == "literal" else f" ({node.value})" if node.op == "name" else ""


def _hint(node: Node, types: frozenset[Type] | set[Type]) -> str:
    if node.type is TIME and DATE in types:
        return "A time becomes a date with date(…)."
    if node.op == "literal" and node.type is TEXT and types & NUMERIC:
        return "Numbers are written without quotes."
    return ""


def _count(args: list[Node], least: int, most: int | None, name: str) -> None:
    if len(args) < least or (most is not None and len(args) > most):
        wanted = f"{least}" if most == least else f"{least} or more" if most is None else f"{least} to {most}"
        raise Wrong(f"{name} is given {len(args)} values.", f"It takes {wanted}.")


def _signature(
    op: str, takes: Sequence[set[Type] | frozenset[Type]], gives: Type | None
) -> Callable[[list[Node]], Node]:
    """A function of fixed arguments; `gives` None means the type of the first."""

    def check(args: list[Node]) -> Node:
        _count(args, len(takes), len(takes), op)
        args = [_as_date(arg, types) for arg, types in zip(args, takes, strict=True)]
        for arg, types in zip(args, takes, strict=True):
            _need(arg, types, op)
        if op in ("ln", "exp"):
            args = [as_number(arg) for arg in args]
        return Node(op, gives or args[0].type, tuple(args))

    return check


def _as_date(arg: Node, types: set[Type] | frozenset[Type]) -> Node:
    return convert(arg, DATE) if types == {DATE} and not _is_null(arg) else arg


def compare(op: str) -> Callable[[list[Node]], Node]:
    def check(args: list[Node]) -> Node:
        for arg in args:
            if _is_null(arg):
                raise Wrong(f"Nothing is {op} null.", "Write `is null` or `is not null`.")
        args = together(_levelled(args), f"The comparison {op}")
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
        _need(left, {DATE}, "- beside a date"), _need(right, {DATE}, "- beside a date")
        return Node("days_between", WHOLE, (right, left))
    return _sum("-", args)


def _sum(op: str, args: list[Node]) -> Node:
    for arg in args:
        _need(arg, NUMERIC, op)
    args = together(args, op)
    return Node(op, args[0].type, tuple(args))


def times(args: list[Node]) -> Node:
    for arg in args:
        _need(arg, NUMERIC, "*")
    types = {arg.type for arg in args}
    if types == {WHOLE}:
        return Node("*", WHOLE, tuple(args))
    if types == {WHOLE, MONEY}:
        amount, count = args if args[0].type is MONEY else args[::-1]
        return Node("*", MONEY, (amount, count))
    return Node("*", NUMBER, tuple(as_number(arg) for arg in args))


def over(args: list[Node]) -> Node:
    for arg in args:
        _need(arg, NUMERIC, "/")
    return Node("/", NUMBER, tuple(as_number(arg) for arg in args))


def negative(args: list[Node]) -> Node:
    arg = _need(args[0], NUMERIC, "-")
    if arg.op == "literal" and arg.value != -LARGEST_WHOLE - 1:
        return literal(-arg.value, arg.type)
    return Node("negative", arg.type, (arg,))


def logic(op: str) -> Callable[[list[Node]], Node]:
    def check(args: list[Node]) -> Node:
        for arg in args:
            if arg.type is not YESNO:
                raise Wrong(f"`{op}` takes conditions, not {arg.type}{_shown(arg)}.", "Compare it with something.")
        return Node(op, YESNO, tuple(args))

    return check


def between(args: list[Node]) -> Node:
    for arg in args:
        _need(arg, set(Type) - {YESNO}, "between")
    return Node("between", YESNO, tuple(together(_levelled(args), "between")))


def within(args: list[Node]) -> Node:
    for arg in args[1:]:
        if _is_null(arg):
            raise Wrong("`in` lists null, which nothing is equal to.", "Write `… or x is null`.")
    _need(args[0], set(Type), "in")
    return Node("in", YESNO, tuple(together(_levelled(args), "in")))


def like(args: list[Node]) -> Node:
    """Arguments: the text, the written pattern, and the escape character or an empty text."""
    _need(args[0], {TEXT}, "like")
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
            raise Wrong(f"`case when` takes a condition, not {condition.type}{_shown(condition)}.")
    values = together(pairs[1::2] + (args[-1:] if has_else else []), "case")
    out: list[Node] = []
    for condition, value in zip(pairs[::2], values, strict=False):
        out += [condition, value]
    return Node("case", values[0].type, (*out, *(values[-1:] if has_else else [])))


def choose(op: str) -> Callable[[list[Node]], Node]:
    def check(args: list[Node]) -> Node:
        _count(args, 2, None, op)
        if op != "coalesce":
            for arg in args:
                _need(arg, set(Type) - {YESNO}, op)
        if op == "coalesce":
            return _coalesce(args)
        args = together(args, op)
        return Node(op, args[0].type, tuple(args))

    return check


def _coalesce(args: list[Node]) -> Node:
    """A column with levels keeps them, and what stands in for a null becomes a level of its own."""
    column = next((arg for arg in args if arg.levels), None)
    if column is None or column.type is not TEXT:
        args = together(args, "coalesce")
        return Node("coalesce", args[0].type, tuple(args))
    words = {word: level.code for level in column.levels for word in (level.en, level.zh, level.code) if word}
    args = [
        literal(words.get(arg.value, arg.value), TEXT) if arg.op == "literal" else arg
        for arg in together(args, "coalesce")
    ]
    if any(arg.op != "literal" and not arg.levels for arg in args):
        return Node("coalesce", TEXT, tuple(args))
    known = {level.code: level for arg in args for level in arg.levels}
    more = [
        Level(arg.value) for arg in args if arg.op == "literal" and arg.value is not None and arg.value not in known
    ]
    return Node("coalesce", TEXT, tuple(args), levels=(*known.values(), *more))


def rounded(op: str) -> Callable[[list[Node]], Node]:
    def check(args: list[Node]) -> Node:
        _count(args, 1, 2 if op == "round" else 1, op)
        _need(args[0], NUMERIC, op)
        digits = 0
        if len(args) == 2:
            if args[1].op != "literal" or args[1].type is not WHOLE or not -9 <= args[1].value <= 9:
                raise Wrong("The digits of round must be written out.", "A whole number from -9 to 9.")
            digits = args[1].value
        return Node(op, args[0].type, (args[0],), value=digits)

    return check


def money(args: list[Node]) -> Node:
    _count(args, 1, 1, "money")
    _need(args[0], NUMERIC, "money")
    if args[0].type is WHOLE:
        return Node(
            "money", MONEY, (Node("as_money", MONEY, tuple(args)) if args[0].op != "literal" else as_money(args[0]),)
        )
    return Node("money", MONEY, tuple(args))


def number(args: list[Node]) -> Node:
    _count(args, 1, 1, "number")
    return Node("number", NUMBER, (as_number(_need(args[0], NUMERIC, "number")),))


def substring(args: list[Node]) -> Node:
    _count(args, 2, 3, "substring")
    _need(args[0], {TEXT}, "substring")
    bounds = args[1:]
    if (
        any(bound.op != "literal" or bound.type is not WHOLE for bound in bounds)
        or bounds[0].value < 1
        or bounds[-1].value < 0
    ):
        raise Wrong(
            "Where a substring starts and how long it is must be written out.", "substring(text, 1, 6): from 1 on."
        )
    return Node("substring", TEXT, (args[0],), value=tuple(bound.value for bound in bounds))


def concat(args: list[Node]) -> Node:
    _count(args, 2, None, "concat")
    for arg in args:
        _need(arg, {TEXT}, "concat")
    flat: list[Node] = []
    for arg in args:
        flat += arg.args if arg.op == "concat" else (arg,)
    return Node("concat", TEXT, tuple(flat))


_D, _T = {DATE}, {TEXT}
_PARTS = {DATE, TIME}

# Operators, by the name their node carries.
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

_LIST = [
    Function("coalesce", "coalesce(x, y, …)", "第一个已知的值", "the first value that is known", choose("coalesce")),
    Function(
        "least", "least(x, y, …)", "最小值；任一未知则未知", "the smallest; not known when one is not", choose("least")
    ),
    Function(
        "greatest",
        "greatest(x, y, …)",
        "最大值；任一未知则未知",
        "the largest; not known when one is not",
        choose("greatest"),
    ),
    Function("abs", "abs(x)", "绝对值", "the absolute value", _signature("abs", [NUMERIC], None)),
    Function(
        "round",
        "round(x, digits)",
        "四舍五入，五入时远离零",
        "rounded as written in decimals, half away from zero",
        rounded("round"),
    ),
    Function("floor", "floor(x)", "向下取整", "the whole value at or below", rounded("floor")),
    Function("ceil", "ceil(x)", "向上取整", "the whole value at or above", rounded("ceil")),
    Function(
        "ln",
        "ln(x)",
        "自然对数；x 不大于零则未知",
        "natural logarithm; not known when x is not above 0",
        _signature("ln", [NUMERIC], NUMBER),
    ),
    Function("exp", "exp(x)", "e 的 x 次方", "e to the power x", _signature("exp", [NUMERIC], NUMBER)),
    Function(
        "money",
        "money(x)",
        "转为金额：按十进制写法四舍五入到分",
        "as money: rounded to two decimals, half away from zero",
        money,
    ),
    Function("number", "number(x)", "转为小数", "as a number", number),
    Function(
        "whole",
        "whole(x)",
        "四舍五入为整数",
        "rounded to a whole number, half away from zero",
        _signature("whole", [NUMERIC], WHOLE),
    ),
    Function(
        "days_between",
        "days_between(from, to)",
        "从前一日期到后一日期的天数",
        "days from the first date to the second",
        _signature("days_between", [_D, _D], WHOLE),
    ),
    Function(
        "months_between",
        "months_between(from, to)",
        "满月数；月末算满月",
        "complete months; a month's last day completes it",
        _signature("months_between", [_D, _D], WHOLE),
    ),
    Function("year", "year(d)", "年", "the year", _signature("year", [_PARTS], WHOLE)),
    Function("month", "month(d)", "月，1 至 12", "the month, 1 to 12", _signature("month", [_PARTS], WHOLE)),
    Function("day", "day(d)", "日，1 至 31", "the day of the month, 1 to 31", _signature("day", [_PARTS], WHOLE)),
    Function(
        "weekday",
        "weekday(d)",
        "星期，周一为 1，周日为 7",
        "the day of the week, Monday 1 to Sunday 7",
        _signature("weekday", [_PARTS], WHOLE),
    ),
    Function("hour", "hour(t)", "小时，0 至 23", "the hour, 0 to 23", _signature("hour", [{TIME}], WHOLE)),
    Function("date", "date(t)", "时间的日期", "the date of a time", _signature("date", [{TIME}], DATE)),
    Function(
        "lower", "lower(s)", "英文字母转小写", "the letters A to Z in lower case", _signature("lower", [_T], TEXT)
    ),
    Function(
        "upper", "upper(s)", "英文字母转大写", "the letters a to z in upper case", _signature("upper", [_T], TEXT)
    ),
    Function("length", "length(s)", "字符数", "the number of characters", _signature("length", [_T], WHOLE)),
    Function(
        "substring",
        "substring(s, start, length)",
        "从第 start 个字符起的一段",
        "a part, counted from character 1",
        substring,
    ),
    Function("concat", "concat(s, t, …)", "连接，也写作 s || t", "joined; also written s || t", concat),
    Function(
        "trim", "trim(s)", "去掉两端空白，含全角空格", "without blanks at both ends", _signature("trim", [_T], TEXT)
    ),
    Function(
        "starts_with",
        "starts_with(s, t)",
        "以 t 开头",
        "whether s begins with t",
        _signature("starts_with", [_T, _T], YESNO),
    ),
    Function(
        "ends_with", "ends_with(s, t)", "以 t 结尾", "whether s ends with t", _signature("ends_with", [_T, _T], YESNO)
    ),
    Function("contains", "contains(s, t)", "包含 t", "whether t stands in s", _signature("contains", [_T, _T], YESNO)),
    Function(
        "replace",
        "replace(s, old, new)",
        "替换所有 old",
        "every `old` replaced by `new`",
        _signature("replace", [_T, _T, _T], TEXT),
    ),
]
FUNCTIONS = {function.name: function for function in _LIST}


def functions() -> tuple[Function, ...]:
    """All functions with their meaning in Chinese and English, in the order of the documentation.

    >>> [function.name for function in functions()][:3]
    ['coalesce', 'least', 'greatest']
    """
    return tuple(_LIST)
