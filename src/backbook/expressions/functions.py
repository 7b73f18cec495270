"""The closed list of functions: what each means and which types it takes and gives.

What each one computes stands twice more, in `to_ibis.py` for a whole book and in `to_python.py` for one customer;
a test holds the three lists together. Unless its line says otherwise, a result is null (not known) when one of its
arguments is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .names import NUMERIC, Level, Type
from .nodes import Node, literal
from .typing_rules import Wrong, as_date, as_money, as_number, count, need, together

WHOLE, MONEY, NUMBER, TEXT = Type.WHOLE, Type.MONEY, Type.NUMBER, Type.TEXT
DATE, TIME, YESNO = Type.DATE, Type.TIME, Type.YESNO


@dataclass(frozen=True)
class Function:
    """One word of the language, as the documentation shows it."""

    name: str
    usage: str
    zh: str
    en: str
    check: Callable[[list[Node]], Node]


def _signature(
    op: str, takes: Sequence[set[Type] | frozenset[Type]], gives: Type | None
) -> Callable[[list[Node]], Node]:
    """A function of fixed arguments; `gives` None means the type of the first."""

    def check(args: list[Node]) -> Node:
        count(args, len(takes), len(takes), op)
        args = [as_date(arg, types) for arg, types in zip(args, takes, strict=True)]
        for arg, types in zip(args, takes, strict=True):
            need(arg, types, op)
        if op in ("ln", "exp"):
            args = [as_number(arg) for arg in args]
        return Node(op, gives or args[0].type, tuple(args))

    return check


def choose(op: str) -> Callable[[list[Node]], Node]:
    def check(args: list[Node]) -> Node:
        count(args, 2, None, op)
        if op != "coalesce":
            for arg in args:
                need(arg, set(Type) - {YESNO}, op)
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
        count(args, 1, 2 if op == "round" else 1, op)
        need(args[0], NUMERIC, op)
        digits = 0
        if len(args) == 2:
            if args[1].op != "literal" or args[1].type is not WHOLE or not -9 <= args[1].value <= 9:
                raise Wrong("The digits of round must be written out.", "A whole number from -9 to 9.")
            digits = args[1].value
        return Node(op, args[0].type, (args[0],), value=digits)

    return check


def money(args: list[Node]) -> Node:
    count(args, 1, 1, "money")
    need(args[0], NUMERIC, "money")
    if args[0].type is WHOLE:
        return Node(
            "money", MONEY, (Node("as_money", MONEY, tuple(args)) if args[0].op != "literal" else as_money(args[0]),)
        )
    return Node("money", MONEY, tuple(args))


def number(args: list[Node]) -> Node:
    count(args, 1, 1, "number")
    return Node("number", NUMBER, (as_number(need(args[0], NUMERIC, "number")),))


def substring(args: list[Node]) -> Node:
    count(args, 2, 3, "substring")
    need(args[0], {TEXT}, "substring")
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
    count(args, 2, None, "concat")
    for arg in args:
        need(arg, {TEXT}, "concat")
    flat: list[Node] = []
    for arg in args:
        flat += arg.args if arg.op == "concat" else (arg,)
    return Node("concat", TEXT, tuple(flat))


_D, _T = {DATE}, {TEXT}
_PARTS = {DATE, TIME}
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
