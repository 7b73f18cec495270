"""One customer: a checked tree becomes the source of a plain Python function.

The source is written from the checked tree alone: operations from the closed list, values as Python literals or
as bound constants. Nothing of the text a person typed is in it. `None` is not known, everywhere.

Each part is written as one Python expression, together with whether it can be None. Parts that cannot are
inlined without a test; the others are bound to a local name in the very test that asks for None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from . import law
from .names import Type
from .nodes import Node, may_overflow

WHOLE, MONEY, NUMBER = Type.WHOLE, Type.MONEY, Type.NUMBER


class Piece(NamedTuple):
    """Python source of one value, and whether it may be None."""

    code: str
    null: bool


@dataclass
class Writer:
    """Writes pieces; holds the constants they need. `known` columns are never None, numbers always finite."""

    columns: Mapping[str, str]
    known: frozenset[str] = frozenset()
    constants: dict[str, Any] = field(default_factory=dict)
    temps: int = 0

    def temp(self) -> str:
        self.temps += 1
        return f"t{self.temps}"

    def constant(self, value: Any) -> str:
        for name, held in self.constants.items():
            if type(held) is type(value) and held == value:
                return name
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def piece(self, node: Node) -> Piece:
        match node.op:
            case "literal":
                return self.literal(node.value)
            case "name":
                return Piece(self.columns[node.value], node.value not in self.known)
            case "and" | "or":
                return self.logic(node)
            case "is null" | "is not null":
                return self.is_null(node)
            case "case":
                return self.case(node)
            case "coalesce":
                return self.coalesce(node)
            case "in":
                return self.within(node)
            case "between":
                return self.between(node)
            case "like":
                return self.strict(node.args, self.like(node.value))
        return self.strict(node.args, *self.template(node))

    def literal(self, value: Any) -> Piece:
        if value is None:
            return Piece("None", True)
        if isinstance(value, (Decimal, date)):
            return Piece(self.constant(value), False)
        return Piece(
            f"({value!r})"
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0
            else repr(value),
            False,
        )

    def strict(self, args: Iterable[Node], template: str, null: bool = False) -> Piece:
        """The template over the arguments; None when one of them is. `{t}` is a fresh local name."""
        tests, codes = [], []
        for arg in args:
            piece = self.piece(arg)
            if piece.null:
                name = self.temp()
                tests.append(
                    f"({name} := {piece.code}) is None" if not piece.code.isidentifier() else f"{piece.code} is None"
                )
                codes.append(name if not piece.code.isidentifier() else piece.code)
            else:
                codes.append(piece.code)
        code = template.format(*codes, t=self.temp())
        return Piece(f"(None if {' or '.join(tests)} else {code})" if tests else code, null or bool(tests))

    def template(self, node: Node) -> tuple[str, bool]:
        """How a strict operation is written, and whether known arguments may still give None."""
        kind = node.args[0].type
        simple = _SIMPLE.get(node.op)
        if simple:
            return simple, False
        if node.op in ("+", "-", "*"):
            return self.fitting(f"{{0}} {node.op} {{1}}", node)
        match node.op, kind:
            case "/", _:
                if node.args[1].op == "literal" and node.args[1].value:
                    return self.fitting("{0} / {1}", node)
                if not may_overflow(node):
                    return "({0} / {t} if ({t} := {1}) else None)", True
                return f"{self.constant(law.divided)}({{0}}, {{1}})", True
            case (("negative" | "abs"), _):
                code = "(-{0})" if node.op == "negative" else "abs({0})"
                return self.fitting(code, node) if kind is WHOLE else (code, False)
            case "as_number", _:
                return "float({0})", False
            case (("least" | "greatest"), _):
                holes = ", ".join(f"{{{at}}}" for at in range(len(node.args)))
                return f"{'min' if node.op == 'least' else 'max'}({holes})", False
            case "concat", _:
                return "(" + " + ".join(f"{{{at}}}" for at in range(len(node.args))) + ")", False
            case "substring", _:
                start = node.value[0] - 1
                stop = "" if len(node.value) == 1 else str(start + node.value[1])
                return f"{{0}}[{start}:{stop}]", False
            case "money", Type.MONEY:
                return "{0}", False
            case "whole", Type.WHOLE:
                return "{0}", False
            case (("floor" | "ceil"), Type.WHOLE):
                return "{0}", False
            case "round", _:
                rounder = {WHOLE: law.round_whole, MONEY: law.round_money, NUMBER: law.round_number}[kind]
                return f"{self.constant(rounder)}({{0}}, {node.value})", True
        return f"{self.constant(_LAW[node.op, kind])}({', '.join(f'{{{at}}}' for at in range(len(node.args)))})", True

    def fitting(self, code: str, node: Node) -> tuple[str, bool]:
        """The arithmetic with the test that its result is within the type."""
        if node.type is NUMBER:
            return (
                (f"({{t}} if {LEAST} < ({{t}} := {code}) < {MOST} else None)", True)
                if may_overflow(node)
                else (f"({code})", False)
            )
        if node.type is MONEY:
            most, least = self.constant(law.MONEY_MOST), self.constant(-law.MONEY_MOST)
        else:
            most, least = str(law.WHOLE_MOST), str(law.WHOLE_LEAST)
        return f"({{t}} if {least} <= ({{t}} := {code}) <= {most} else None)", True

    # ── operations that look at None themselves ──

    def logic(self, node: Node) -> Piece:
        """Kleene's three values: one decided side decides, else one unknown side leaves it unknown."""
        pieces = [self.piece(arg) for arg in node.args]
        if not any(piece.null for piece in pieces):
            return Piece("(" + f" {node.op} ".join(piece.code for piece in pieces) + ")", False)
        decided = "False" if node.op == "and" else "True"
        tests, unknowns = [], []
        for piece in pieces:
            if not piece.null:
                tests.append(f"not {piece.code}" if node.op == "and" else piece.code)
                continue
            name = self.temp()
            tests.append(f"({name} := {piece.code}) is {decided}")
            unknowns.append(f"{name} is None")
        other = "True" if node.op == "and" else "False"
        return Piece(f"({decided} if {' or '.join(tests)} else None if {' or '.join(unknowns)} else {other})", True)

    def is_null(self, node: Node) -> Piece:
        piece = self.piece(node.args[0])
        if not piece.null:
            return Piece("False" if node.op == "is null" else "True", False)
        return Piece(f"({piece.code} {'is' if node.op == 'is null' else 'is not'} None)", False)

    def case(self, node: Node) -> Piece:
        """An unknown condition does not hold, as in SQL; None is as false as False."""
        has_else = len(node.args) % 2 == 1
        pieces = [self.piece(arg) for arg in node.args]
        last = pieces.pop() if has_else else Piece("None", True)
        code = "".join(
            f"{then.code} if {when.code} else " for when, then in zip(pieces[::2], pieces[1::2], strict=True)
        )
        return Piece(f"({code}{last.code})", last.null or any(piece.null for piece in pieces[1::2]))

    def coalesce(self, node: Node) -> Piece:
        code, pieces = "", [self.piece(arg) for arg in node.args]
        for piece in pieces[:-1]:
            if not piece.null:
                return Piece(f"({code}{piece.code})", False)
            name = self.temp()
            code += f"{name} if ({name} := {piece.code}) is not None else "
        return Piece(f"({code}{pieces[-1].code})", pieces[-1].null)

    def within(self, node: Node) -> Piece:
        options = node.args[1:]
        if all(option.op == "literal" for option in options):
            held = frozenset(option.value for option in options)
            if node.args[0].type in (WHOLE, Type.TEXT):
                # Written out as a set, Python keeps it as one constant beside the code.
                return self.strict(
                    node.args[:1], "({0} in {{" + ", ".join(_braced(repr(value)) for value in sorted(held)) + "}})"
                )
            return self.strict(node.args[:1], f"({{0}} in {self.constant(held)})")
        codes = [self.piece(arg).code for arg in node.args]
        return Piece(f"{self.constant(law.within)}({codes[0]}, ({', '.join(codes[1:])},))", True)

    def between(self, node: Node) -> Piece:
        pieces = [self.piece(arg) for arg in node.args]
        if not pieces[1].null and not pieces[2].null:
            return self.strict(node.args[:1], f"({_braced(pieces[1].code)} <= {{0}} <= {_braced(pieces[2].code)})")
        return Piece(f"{self.constant(law.between)}({', '.join(piece.code for piece in pieces)})", True)

    def like(self, parts: tuple[str | None, ...]) -> str:
        plain = [part for part in parts if part]
        if parts in ((None,), (None, None)):
            return "{0}.startswith('')"
        if len(plain) == 1 and "" not in parts:
            text = _braced(repr(plain[0]))
            match parts:
                case (str(),):
                    return f"({{0}} == {text})"
                case (str(), None):
                    return f"{{0}}.startswith({text})"
                case (None, str()):
                    return f"{{0}}.endswith({text})"
                case (None, str(), None):
                    return f"({text} in {{0}})"
        if not parts:
            return "({0} == '')"
        matches = re.compile(pattern(parts), re.DOTALL).fullmatch
        return f"({self.constant(matches)}({{0}}) is not None)"


MOST, LEAST = "1.7976931348623157e309", "-1.7976931348623157e309"  # infinity, as a constant in the code
_SIMPLE = {
    "=": "({0} == {1})", "<>": "({0} != {1})", "<": "({0} < {1})", "<=": "({0} <= {1})",
    ">": "({0} > {1})", ">=": "({0} >= {1})", "not": "(not {0})", "number": "{0}",
    "days_between": "({1} - {0}).days", "year": "{0}.year", "month": "{0}.month", "day": "{0}.day",
    "weekday": "{0}.isoweekday()", "hour": "{0}.hour", "date": "{0}.date()", "length": "len({0})",
    "trim": "{0}.strip(" + repr(law.BLANKS) + ")", "starts_with": "{0}.startswith({1})",
    "ends_with": "{0}.endswith({1})", "contains": "({1} in {0})",
}  # fmt: skip
_DAY, _TEXT = Type.DATE, Type.TEXT
_LAW: dict[tuple[str, Type], Callable[..., Any]] = {
    ("as_money", WHOLE): law.whole_as_money,
    ("money", NUMBER): law.number_as_money,
    ("whole", NUMBER): law.number_as_whole,
    ("whole", MONEY): law.money_as_whole,
    ("floor", NUMBER): law.floor_number,
    ("floor", MONEY): law.floor_money,
    ("ceil", NUMBER): law.ceil_number,
    ("ceil", MONEY): law.ceil_money,
    ("ln", NUMBER): law.ln,
    ("exp", NUMBER): law.exp,
    ("date + days", _DAY): law.plus_days,
    ("date - days", _DAY): law.minus_days,
    ("months_between", _DAY): law.months_between,
    ("lower", _TEXT): law.lower,
    ("upper", _TEXT): law.upper,
    ("replace", _TEXT): law.replaced,
}


def pattern(parts: tuple[str | None, ...]) -> str:
    """The regular expression of a `like` pattern, for a match of the whole text."""
    return "".join(".*" if part is None else "." if part == "" else re.escape(part) for part in parts)


def _braced(code: str) -> str:
    """Source text made safe for a template."""
    return code.replace("{", "{{").replace("}", "}}")


def column_names(reads: Iterable[str]) -> dict[str, str]:
    """A local Python name for each column, in a fixed order."""
    return {name: f"c{at}" for at, name in enumerate(sorted(reads))}


def number_columns(node: Node) -> set[str]:
    return {part.value for part in node.walk() if part.op == "name" and part.type is NUMBER}


def loading(columns: Mapping[str, str], numbers: Iterable[str]) -> list[str]:
    """Lines that fetch the columns; a number that is infinite or not a number is not known."""
    lines = [f"{local} = row[{name!r}]" for name, local in columns.items()]
    for name in sorted(numbers):
        local = columns[name]
        lines.append(f"if {local} is not None and not {LEAST} < {local} < {MOST}: {local} = None")
    return lines


def compiled(name: str, lines: Iterable[str], constants: Mapping[str, Any]) -> Callable[..., Any]:
    """The function whose body is `lines`; constants are its globals (forty defaults would be copied at every call)."""
    source = f"def {name}(row):\n" + "".join(f"    {line}\n" for line in lines)
    space: dict[str, Any] = dict(constants)
    # Our own source, written from the checked tree: no text of a user is in it.
    exec(compile(source, f"<{name}>", "exec"), space)  # noqa: S102
    function: Callable[..., Any] = space[name]
    function.__doc__ = source
    return function


def python_function(node: Node) -> Callable[[Mapping[str, Any]], Any]:
    """The condition as a function of one row."""
    columns = column_names(node.reads)
    writer = Writer(columns)
    code = writer.piece(node).code
    return compiled("expression", [*loading(columns, number_columns(node)), f"return {code}"], writer.constants)
