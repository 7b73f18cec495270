"""The canonical text: English names, one spelling per meaning, as few parentheses as can be.

Two texts that mean the same thing word for word (in Chinese or English, with other blanks, comments or
parentheses) have one canonical text, and its SHA-256 is the hash by which versions are told apart. Reading the
canonical text gives the same tree again.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from .names import Type
from .nodes import IMPLICIT, Node

# How tightly an operation binds; a part that binds less is put in parentheses.
_BINDS = {
    "or": 1, "and": 2, "not": 3,
    "=": 4, "<>": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "between": 4, "in": 4, "like": 4, "is null": 4, "is not null": 4,
    "+": 6, "-": 6, "date + days": 6, "date - days": 6, "*": 7, "/": 7, "negative": 8,
}  # fmt: skip
_CALL = 9
_WORDS = frozenset(
    [
        "and",
        "or",
        "not",
        "in",
        "is",
        "null",
        "like",
        "escape",
        "between",
        "case",
        "when",
        "then",
        "else",
        "end",
        "true",
        "false",
        "date",
        "timestamp",
        "interval",
    ]
)


def written(node: Node) -> str:
    """The canonical text of a checked tree."""
    while node.op in IMPLICIT:
        node = node.args[0]
    args = node.args
    match node.op:
        case "literal":
            return written_value(node.value, node.type)
        case "name":
            return ".".join(_word(part) for part in str(node.value).split("."))
        case "and" | "or":
            return f" {node.op} ".join(_within(arg, _BINDS[node.op] + 1) for arg in args)
        case "not":
            return f"not {_within(args[0], 3)}"
        case "=" | "<>" | "<" | "<=" | ">" | ">=":
            return f"{_within(args[0], 5)} {node.op} {_within(args[1], 5)}"
        case "is null" | "is not null":
            return f"{_within(args[0], 5)} {node.op}"
        case "between":
            return f"{_within(args[0], 5)} between {_within(args[1], 5)} and {_within(args[2], 5)}"
        case "in":
            return f"{_within(args[0], 5)} in ({', '.join(written(arg) for arg in args[1:])})"
        case "like":
            return f"{_within(args[0], 5)} like {_pattern(node.value)}"
        case "+" | "-" | "*" | "/" | "date + days" | "date - days":
            binds, sign = _BINDS[node.op], node.op.replace("date ", "").replace(" days", "")
            return f"{_within(args[0], binds)} {sign} {_within(args[1], binds + 1)}"
        case "negative":
            return f"-{_within(args[0], 9)}"
        case "case":
            return _case(args)
        case "round":
            return f"round({written(args[0])}, {node.value})"
        case "substring":
            return f"substring({', '.join([written(args[0]), *map(str, node.value)])})"
    return f"{node.op}({', '.join(written(arg) for arg in args)})"


def _within(node: Node, binds: int) -> str:
    text = written(node)
    while node.op in IMPLICIT:
        node = node.args[0]
    tight = _BINDS.get(node.op, _CALL)
    if node.op == "literal" and text.startswith("-"):
        tight = 8
    return text if tight >= binds else f"({text})"


def _case(args: tuple[Node, ...]) -> str:
    has_else = len(args) % 2 == 1
    pairs = args[:-1] if has_else else args
    branches = [
        f"when {written(when)} then {written(then)}" for when, then in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    return " ".join(["case", *branches, *([f"else {written(args[-1])}"] if has_else else []), "end"])


def _pattern(parts: tuple[str | None, ...]) -> str:
    plain = "".join(part or "" for part in parts)
    escape = "\\" if any(sign in plain for sign in "%_") else ""
    text = "".join("%" if part is None else "_" if part == "" else _escaped(part, escape) for part in parts)
    return _quoted(text) + (f" escape {_quoted(escape)}" if escape else "")


def _escaped(part: str, escape: str) -> str:
    return re.sub(r"[%_\\]", lambda sign: escape + sign[0], part) if escape else part


def written_value(value: Any, type: Type) -> str:
    """A value as the language writes it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Decimal():
            text = f"{value:f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        case datetime():
            return f"timestamp {_quoted(value.isoformat(sep=' '))}"
        case date():
            return f"date {_quoted(value.isoformat())}"
        case str():
            return _quoted(value)
    return repr(value)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _word(part: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", part) and part.lower() not in _WORDS:
        return part
    return '"' + part.replace('"', '""') + '"'
