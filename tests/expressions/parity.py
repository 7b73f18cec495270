"""Conditions and customers nobody would think of, and what the two compilers make of them.

`Maker` writes a typed expression as a person would (Chinese or English words, either spelling of a level);
`customers` draws rows from values at the edges of every type. `differences` runs an expression both ways over the
same rows and lists every row where the answers are not the same. The test draws through Hypothesis, the bench
from a seed.
"""

# ruff: noqa: DTZ001  (wall time of the book has no zone)
from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from backbook.errors import BadDefinition
from backbook.expressions import Branch, Expression, FirstMatch, Level, Name, Names, Type, first_match, parse

WHOLE, MONEY, NUMBER, TEXT = Type.WHOLE, Type.MONEY, Type.NUMBER, Type.TEXT
DATE, TIME, YESNO = Type.DATE, Type.TIME, Type.YESNO

NAMES = Names(
    "account profile",
    [
        Name("purchases", WHOLE, "消费笔数", "Purchases"),
        Name("days_past_due", WHOLE, "逾期天数", "Days past due"),
        Name("customer.age", WHOLE, "年龄", "Age"),
        Name("balance", MONEY, "余额", "Balance"),
        Name("credit_limit", MONEY, "额度", "Credit limit"),
        Name("utilisation", NUMBER, "额度使用率", "Utilisation"),
        Name("probability", NUMBER, "违约概率", "Probability of default"),
        Name(
            "grade",
            TEXT,
            "行为评级",
            "Grade",
            levels=tuple(Level(code, f"{code}级", f"Grade {code}") for code in "ABCDE"),
        ),
        Name("city", TEXT, "城市", "City"),
        Name("merchant", TEXT, "商户", "Merchant"),
        Name("opened_on", DATE, "开户日", "Opened"),
        Name("as_of", DATE, "业务日期", "As of"),
        Name("posted_at", TIME, "入账时间", "Posted"),
        Name("is_active", YESNO, "活跃", "Active"),
        Name("autopay", YESNO, "自动还款", "Autopay"),
    ],
)

EDGES: dict[Type, Sequence[Any]] = {
    WHOLE: [0, 1, -1, 2, 3, 5, 7, 15, 30, 44, 50, -50, 100, 2**31, 2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63), 10**16],
    MONEY: [
        Decimal(text)
        for text in ["0.00", "0.01", "-0.01", "0.05", "0.50", "1.00", "1.15", "2.50", "-2.50", "3.50", "5.00", "100.55", "-100.55", "5000.00", "99999.99", "45035996273704.97", "90071992547409.93", "9007199254740993.51", "9999999999999999.99", "-9999999999999999.99", "5000000000000000.00"]
    ],
    NUMBER: [
        0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1.0, 0.8, 0.1, 0.285, 1.005, -1.005, 1.115, 2.675, 8.835, 1 / 3, 12345.678, 709.78, 709.79,
        -745.2, 1e-300, 5e-324, 1e16, 1e17, 1e19, -1e19, 9.223372036854775e18, 4503599627370495.5, 9007199254740993.0, 99999999999999.995,
        0.49999999999999994, 1e300, -1e300, 1.7976931348623157e308, math.nan, math.inf, -math.inf,
    ],
    TEXT: [
        "", " ", "a", "A", "ab", "aB", "abc", "B", "C", "D", "aß", "ÀÉ", "İ", "中", "中文", "消费", "\u3000x \t", "a%b", "a_b", "a\\b", "é", "e\u0301",
        "😀", "\uffee", "it's", "two\nlines", "end\n", ".*", "[a]", "{0}", "$", "上海", "北京",
    ],
    DATE: [date(*day) for day in [(1, 1, 1), (1, 1, 31), (9999, 12, 31), (1969, 12, 31), (1970, 1, 1), (2023, 2, 28), (2024, 2, 29), (2024, 1, 31), (2026, 1, 31), (2025, 12, 31), (1900, 3, 1)]],
    TIME: [datetime(1970, 1, 1), datetime(2026, 1, 31, 23, 59, 59, 999999), datetime(1969, 12, 31, 23, 59), datetime(2024, 2, 29, 8, 30), datetime(1900, 1, 1, 5), datetime(9999, 12, 31, 23)],
    YESNO: [True, False],
}  # fmt: skip

ARROW = {
    WHOLE: pa.int64(),
    MONEY: pa.decimal128(18, 2),
    NUMBER: pa.float64(),
    TEXT: pa.string(),
    DATE: pa.date32(),
    TIME: pa.timestamp("us"),
    YESNO: pa.bool_(),
}


def any_value(rng: random.Random, name: Name) -> Any:
    if rng.random() < 0.12:
        return None
    if name.levels:
        return rng.choice([level.code for level in name.levels])
    if rng.random() < 0.6:
        return rng.choice(EDGES[name.type])
    match name.type:
        case Type.WHOLE:
            return rng.randint(-40, 400)
        case Type.MONEY:
            return Decimal(rng.randint(-(10**6), 10**8)).scaleb(-2)
        case Type.NUMBER:
            return round(rng.uniform(-2, 3), rng.randint(0, 17))
        case Type.TEXT:
            return "".join(rng.choice("abAB中文 %_\\é😀") for _ in range(rng.randint(0, 6)))
        case Type.DATE:
            return date(2023, 1, 1) + timedelta(rng.randint(0, 1500))
        case Type.TIME:
            return datetime(2023, 1, 1) + timedelta(seconds=rng.randint(0, 10**8))
    return rng.random() < 0.5


def customers(seed: int, count: int) -> pa.Table:
    """`count` rows with a value, an edge value or nothing in every column."""
    rng = random.Random(seed)
    columns = {name.name: [any_value(rng, name) for _ in range(count)] for name in NAMES}
    return pa.table({name: pa.array(values, type=ARROW[NAMES[name].type]) for name, values in columns.items()})


class Maker:
    """Writes expressions of a wanted type; `rng` decides everything."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def any_type(self) -> Type:
        return self.rng.choice([WHOLE, MONEY, NUMBER, TEXT, DATE, TIME, YESNO])

    def of(self, type: Type, depth: int) -> str:
        rng = self.rng
        if depth <= 0 or rng.random() < 0.12:
            return self.column(type) if rng.random() < 0.75 else self.literal(type)
        if type is not TIME and rng.random() < 0.22:
            return self.choice(type, depth)
        return getattr(self, {YESNO: "yesno"}.get(type, str(type)))(depth)

    def column(self, type: Type) -> str:
        name = self.rng.choice([name for name in NAMES if name.type is type])
        return self.rng.choice([name.name, self.rng.choice(list(name.words()))])

    def literal(self, type: Type) -> str:
        rng = self.rng
        match type:
            case Type.WHOLE:
                return str(rng.choice([0, 1, 2, 3, 30, 90, -1, 2**62, 2**63 - 1, -(2**63)]))
            case Type.MONEY:
                return f"money({rng.choice(['0', '100', '0.01', '2.5', '9999999999999999.0', '1.005'])})"
            case Type.NUMBER:
                return rng.choice(
                    [
                        "0.0",
                        "0.8",
                        "0.5",
                        "1.5",
                        "2.675",
                        "0.30000000000000004",
                        "1e300",
                        "1e-5",
                        "123456789.123456789",
                        "-0.25",
                    ]
                )
            case Type.TEXT:
                return quoted(rng.choice(EDGES[TEXT])).replace("\r", "")
            case Type.DATE:
                return rng.choice(["date '2024-02-29'", "DATE '2026-01-31'", "date '0001-01-01'", "date '9999-12-31'"])
            case Type.TIME:
                return rng.choice(["timestamp '2026-01-31 23:59:59'", "timestamp '2024-02-29 08:30:00.25'"])
        return rng.choice(["true", "false"])

    def choice(self, type: Type, depth: int) -> str:
        """What every type has: case, coalesce, and least and greatest where there is an order."""
        kinds = ["case", "coalesce"] + ([] if type is YESNO else ["least", "greatest"])
        kind = self.rng.choice(kinds)
        if kind == "case":
            branches = " ".join(
                f"when {self.of(YESNO, depth - 1)} then {self.of(type, depth - 1)}"
                for _ in range(self.rng.randint(1, 2))
            )
            return f"case {branches}{self.rng.choice(['', f' else {self.of(type, depth - 1)}'])} end"
        return f"{kind}({self.of(type, depth - 1)}, {self.of(type, depth - 1)})"

    def pick(self, *forms: Any) -> str:
        return str(self.rng.choice(forms)())

    def whole(self, d: int) -> str:
        of = self.of
        d -= 1
        return self.pick(
            lambda: f"({of(WHOLE, d)} {self.rng.choice('+-*')} {of(WHOLE, d)})",
            lambda: f"(- {of(WHOLE, d)})" if self.rng.random() < 0.5 else f"abs({of(WHOLE, d)})",
            lambda: f"round({of(WHOLE, d)}, {self.rng.randint(-9, 2)})",
            lambda: f"whole({of(self.rng.choice([MONEY, NUMBER]), d)})",
            lambda: f"days_between({of(DATE, d)}, {of(DATE, d)})",
            lambda: f"months_between({of(DATE, d)}, {of(DATE, d)})",
            lambda: f"{self.rng.choice(['year', 'month', 'day', 'weekday'])}({of(self.rng.choice([DATE, TIME]), d)})",
            lambda: f"hour({of(TIME, d)})",
            lambda: f"length({of(TEXT, d)})",
            lambda: f"({of(DATE, d)} - {of(DATE, d)})",
        )

    def money(self, d: int) -> str:
        of = self.of
        d -= 1
        return self.pick(
            lambda: f"({of(MONEY, d)} {self.rng.choice('+-')} {of(self.rng.choice([MONEY, MONEY, WHOLE]), d)})",
            lambda: f"({of(MONEY, d)} + {self.rng.choice(['0.5', '100', '0.01'])})",
            lambda: f"({of(MONEY, d)} * {of(WHOLE, d)})",
            lambda: f"({of(WHOLE, d)} * {of(MONEY, d)})",
            lambda: f"money({of(self.rng.choice([NUMBER, NUMBER, WHOLE]), d)})",
            lambda: f"{self.rng.choice(['abs', '- ', 'floor', 'ceil'])}({of(MONEY, d)})",
            lambda: f"round({of(MONEY, d)}, {self.rng.randint(-9, 2)})",
        )

    def number(self, d: int) -> str:
        of = self.of
        d -= 1
        numeric = lambda: of(self.rng.choice([WHOLE, MONEY, NUMBER]), d)  # noqa: E731
        return self.pick(
            lambda: f"({numeric()} / {numeric()})",
            lambda: f"({of(NUMBER, d)} {self.rng.choice('+-*')} {numeric()})",
            lambda: f"({of(MONEY, d)} * {of(MONEY, d)})",
            lambda: f"{self.rng.choice(['abs', '- ', 'floor', 'ceil'])}({of(NUMBER, d)})",
            lambda: f"round({of(NUMBER, d)}, {self.rng.randint(-9, 9)})",
            lambda: f"{self.rng.choice(['ln', 'exp'])}({numeric()})",
            lambda: f"number({numeric()})",
        )

    def text(self, d: int) -> str:
        of = self.of
        d -= 1
        return self.pick(
            lambda: f"{self.rng.choice(['lower', 'upper', 'trim'])}({of(TEXT, d)})",
            lambda: f"concat({of(TEXT, d)}, {of(TEXT, d)})",
            lambda: f"({of(TEXT, d)} || {of(TEXT, d)})",
            lambda: f"substring({of(TEXT, d)}, {self.rng.randint(1, 4)}{self.rng.choice(['', ', 2', ', 0'])})",
            lambda: f"replace({of(TEXT, d)}, {of(TEXT, d)}, {of(TEXT, d)})",
        )

    def date(self, d: int) -> str:
        d -= 1
        return self.pick(
            lambda: f"({self.of(DATE, d)} {self.rng.choice('+-')} {self.of(WHOLE, d)})",
            lambda: f"date({self.of(TIME, d)})",
        )

    def time(self, d: int) -> str:
        return self.column(TIME)

    def yesno(self, d: int) -> str:
        of, rng = self.of, self.rng
        d -= 1
        type = self.rng.choice([WHOLE, MONEY, NUMBER, TEXT, DATE, TIME])
        return self.pick(
            lambda: f"({of(YESNO, d)} {rng.choice(['and', 'or'])} {of(YESNO, d)})",
            lambda: (
                f"({of(YESNO, d)} {rng.choice(['and', 'or'])} {of(YESNO, d)} {rng.choice(['and', 'or'])} {of(YESNO, d)})"
            ),
            lambda: f"not ({of(YESNO, d)})",
            lambda: f"({of(type, d)} {rng.choice(['=', '<>', '<', '<=', '>', '>='])} {of(type, d)})",
            lambda: (
                f"({of(rng.choice([WHOLE, MONEY, NUMBER]), d)} {rng.choice(['<', '>=', '='])} {of(rng.choice([WHOLE, MONEY, NUMBER]), d)})"
            ),
            lambda: f"({of(YESNO, d)} = {of(YESNO, d)})",
            lambda: f"({of(type, d)} between {of(type, d)} and {of(type, d)})",
            lambda: (
                f"({of(type, d)} {rng.choice(['', 'not '])}in ({', '.join(of(type, d) for _ in range(rng.randint(1, 3)))}))"
            ),
            lambda: f"({of(type, d)} is {rng.choice(['', 'not '])}null)",
            lambda: f"({of(TEXT, d)} {rng.choice(['', 'not '])}like {self.pattern()})",
            lambda: f"{rng.choice(['starts_with', 'ends_with', 'contains'])}({of(TEXT, d)}, {of(TEXT, d)})",
            lambda: (
                f"({rng.choice(['grade', '行为评级'])} {rng.choice(['=', '<>', '>='])} {rng.choice(['B级', 'C', 'Grade D'])!r})"
            ),
        )

    def pattern(self) -> str:
        pattern = "".join(
            self.rng.choice(["%", "_", "a", "b", "中", ".", "(", "\n", "é"]) for _ in range(self.rng.randint(0, 4))
        )
        if self.rng.random() < 0.3:
            return quoted(pattern + "!%!_!!") + " escape '!'"
        return quoted(pattern)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def same(left: Any, right: Any) -> bool:
    """Equal in value and in kind: 1, 1.0 and True are three answers."""
    return type(left) is type(right) and (left == right or left != left)


def differences(
    expressions: Sequence[Expression], table: Any, rows: Sequence[dict[str, Any]], arrow_of: Any
) -> list[str]:
    """Every row where the book and the single customer get different answers; one query for all expressions."""
    book = arrow_of(table.select(**{f"x{at}": expression.ibis(table) for at, expression in enumerate(expressions)}))
    found = []
    for at, expression in enumerate(expressions):
        one = expression.python()
        for row, judged in zip(rows, book[f"x{at}"].to_pylist(), strict=True):
            answer = one(row)
            if not same(answer, judged):
                read = {name: row[name] for name in sorted(expression.reads)}
                found.append(f"{expression.text}\n  over {read}\n  one customer: {answer!r}, the book: {judged!r}")
    return found


# What a blindly made expression may rightly be refused for; anything else is a fault of the reader.
MEANT = ("more than money can hold", "is not a level of", "too involved")


def any_expression(maker: Maker, depth: int, type: Type | None = None) -> Expression:
    """A generated expression; another one where a level or an amount is made up."""
    while True:
        try:
            return parse(maker.of(type or maker.any_type(), depth), NAMES, expect=type)
        except BadDefinition as refused:
            if not any(reason in str(refused) for reason in MEANT):
                raise


def any_table(maker: Maker, branches: int, banded: bool | None = None) -> FirstMatch:
    """A first-match table: of any conditions, or as strategies are, of a few columns cut into bands."""
    kinds = ["refer", "refer", "skip"]
    banded = maker.rng.random() < 0.5 if banded is None else banded
    lines = [banded_condition(maker) if banded else any_expression(maker, 2, YESNO) for _ in range(branches)]
    return first_match([Branch(f"b{at}", line, maker.rng.choice(kinds)) for at, line in enumerate(lines) if line.reads])


def banded_condition(maker: Maker) -> Expression:
    rng = maker.rng
    cells = [
        lambda: f"days_past_due {rng.choice(['>', '>=', '<', '<=', '=', '<>'])} {rng.choice([0, 1, 30, 60, 90])}",
        lambda: f"{rng.choice([0, 30])} < days_past_due",
        lambda: f"days_past_due between {rng.choice([0, 30, 90])} and {rng.choice([1, 30, 60])}",
        lambda: f"行为评级 {rng.choice(['', 'not '])}in ('A', {rng.choice(['B', 'C', 'D'])!r})",
        lambda: f"grade = {rng.choice('ABCDE')!r}",
        lambda: f"balance {rng.choice(['>', '<='])} {rng.choice(['0', '100.55', '5000'])}",
        lambda: f"utilisation {rng.choice(['>', '<', '='])} {rng.choice(['0.5', '0.8', '0.95'])}",
        lambda: f"balance / credit_limit > {rng.choice(['0.5', '0.8'])}",
        lambda: f"opened_on between '2023-02-28' and '{rng.choice(['2024-01-31', '2026-01-31'])}'",
        lambda: rng.choice(["is_active", "not autopay", "autopay = true", "is_active is null", "city < 'b'"]),
    ]
    words = [rng.choice(cells)() for _ in range(rng.randint(1, 4))]
    return parse(f" {rng.choice(['and', 'and', 'or'])} ".join(words), NAMES)


def plainly(decide: FirstMatch) -> Callable[[dict[str, Any]], Any]:
    """What a first-match table means, said as plainly as can be."""
    branches = [(branch, branch.condition.python()) for branch in decide.branches]

    def outcome(row: dict[str, Any]) -> Any:
        path: list[Any] = []
        for index, (branch, condition) in enumerate(branches):
            held = condition(row)
            path.append((branch.id, held))
            if held:
                return index, (), tuple(path)
            if held is None and branch.when_unknown == "refer":
                reads = sorted(branch.condition.reads)
                lost = [
                    name for name in reads if row[name] is None or row[name] != row[name] or abs_is_infinite(row[name])
                ]
                return None, tuple(lost or reads), tuple(path)
        return None, (), tuple(path)

    return outcome


def abs_is_infinite(value: Any) -> bool:
    return isinstance(value, float) and math.isinf(value)


def table_differences(decide: FirstMatch, table: Any, rows: Sequence[dict[str, Any]], arrow_of: Any) -> list[str]:
    """Every row where the table decides differently for the book, for one customer, or as said plainly."""
    index, unknown = decide.ibis(table)
    book = arrow_of(table.select(i=index, u=unknown, s=decide.stopped(table))).to_pylist()
    one, plain, ids = decide.python(), plainly(decide), [branch.id for branch in decide.branches]
    found = []
    for row, judged in zip(rows, book, strict=True):
        matched, names, path = one(row)
        stopped = ids.index(path[-1][0]) if matched is not None or names else None
        alike = (matched, ",".join(names) or None, stopped) == (judged["i"], judged["u"], judged["s"])
        if not alike or plain(row) != (matched, names, path):
            texts = [(branch.condition.text, branch.when_unknown) for branch in decide.branches]
            found.append(f"{texts}\n  over {row}\n  {matched, names, path}, the book: {judged}")
    return found
