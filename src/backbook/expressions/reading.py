"""From text to a checked tree, or to everything that is wrong with the text.

Three gates, each closed: only listed tokens reach the parser (`tokens.py`), the parser knows no functions of its own,
and only listed operations leave it. sqlglot cuts the text and knows the precedence of operators, the meaning is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from .functions import FUNCTIONS
from .law import WHOLE_MOST
from .names import Names, Type, nearest
from .nodes import Node, literal
from .operators import OPERATORS
from .tokens import SQL, allowed
from .typing_rules import Wrong, dated

# A sum of eighty parts; `and` and `or` are lists and may be as long as the text.
LONGEST_CHAIN = 80


class _Parser(SQL.parser_class):  # type: ignore[misc, name-defined]
    """The dialect's parser without any function: every call arrives by its plain name."""

    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}
    NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}


def read(text: str, names: Names) -> tuple[Node | None, list[Wrong]]:
    """The checked tree, or all faults that were found."""
    try:
        tree = _parsed(text, names)
    except Wrong as wrong:
        return None, [wrong]
    reader = _Reader(names)
    node = reader.node(tree)
    return (None if reader.faults else node), reader.faults


def _parsed(text: str, names: Names) -> exp.Expression:
    tokens = allowed(text, names)
    try:
        trees = _Parser(dialect=SQL, error_level=ErrorLevel.IMMEDIATE).parse(tokens, text)
    except SqlglotError as error:
        raise Wrong(_place(error), "An expression is a comparison or a sum of named columns.") from None
    except RecursionError:
        raise Wrong("The expression is nested too deeply.", "Name its parts as features or tags.") from None
    if len(trees) != 1 or trees[0] is None:
        raise Wrong("The expression cannot be read as one condition.")
    return trees[0]


def _place(error: SqlglotError) -> str:
    found = getattr(error, "errors", None) or [{}]
    near = (found[0].get("highlight") or "").strip()
    return f"The expression cannot be read near '{near}'." if near else "The expression cannot be read."


_BINARY: dict[type[exp.Expression], str] = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/",
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip


class _Reader:
    """Turns the parser's tree into checked nodes and collects what is wrong on the way."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.faults: list[Wrong] = []
        self.depth = 0

    def node(self, tree: Any) -> Node | None:
        self.depth += 1
        try:
            if self.depth > LONGEST_CHAIN:
                raise Wrong(
                    f"The expression has a sum or chain of more than {LONGEST_CHAIN} parts.",
                    "Name its parts as features or tags.",
                )
            return self._node(tree)
        except Wrong as wrong:
            self.faults.append(wrong)
            return None
        finally:
            self.depth -= 1

    def _node(self, tree: Any) -> Node | None:
        kind = type(tree)
        if kind in _BINARY:
            return self._made(OPERATORS[_BINARY[kind]], [tree.this, tree.expression])
        read = _READ.get(kind)
        if read is None:
            raise Wrong(
                f"`{tree.sql(dialect=SQL)[:80]}` is not part of the language.",
                "An expression is one value made of columns and listed functions.",
            )
        return read(self, tree)

    def _made(
        self,
        make: Callable[[list[Node]], Node],
        trees: list[Any],
        before: Callable[[list[Node]], list[Node]] | None = None,
    ) -> Node | None:
        """The operation over its parts; all parts are read first, so that all their faults are found."""
        nodes = [self.node(tree) for tree in trees]
        known = [node for node in nodes if node is not None]
        if len(known) < len(nodes):
            return None
        return make(before(known) if before else known)

    def _name(self, tree: exp.Column) -> Node:
        word = ".".join(part.name for part in tree.parts)
        found = self.names.candidates(word)
        if len(found) == 1:
            name = self.names[found[0]]
            return Node("name", name.type, value=name.name, levels=name.levels)
        if found:
            raise Wrong(f"'{word}' may mean {' or '.join(found)}.", "Write one of these.")
        near = self.names.nearest(word)
        needs = self.names.missing.get(word, "")
        raise Wrong(
            f"'{word}' is not known to the {self.names.row_kind}." + (f" It {needs}." if needs else ""),
            f"Did you mean '{near}'?" if near and not needs else "",
        )

    def _literal(self, tree: exp.Literal) -> Node:
        if tree.is_string:
            return literal(str(tree.this), Type.TEXT)
        return _number(str(tree.this))

    def _dated(self, tree: exp.Cast) -> Node:
        return dated(str(tree.this.this), Type.DATE if tree.to.this is exp.DType.DATE else Type.TIME)

    def _negative(self, tree: exp.Neg) -> Node | None:
        inner = tree.this
        if isinstance(inner, exp.Literal) and not inner.is_string:
            return _number("-" + str(inner.this))
        return self._made(OPERATORS["negative"], [inner])

    def _logic(self, tree: exp.Connector) -> Node | None:
        op = "and" if isinstance(tree, exp.And) else "or"
        parts: list[Any] = []
        waiting: list[Any] = [tree]
        while waiting:
            part = waiting.pop()
            while isinstance(part, exp.Paren):
                part = part.this
            if type(part) is type(tree):
                waiting += [part.expression, part.this]
            else:
                parts.append(part)
        return self._made(OPERATORS[op], parts)

    def _is(self, tree: exp.Is) -> Node | None:
        if not isinstance(tree.expression, exp.Null):
            raise Wrong("`is` is only followed by null or not null.", "Write x = true, or coalesce(x, false).")
        inner = self.node(tree.this)
        return inner and Node("is null", Type.YESNO, (inner,))

    def _not(self, tree: exp.Not) -> Node | None:
        node = self._made(OPERATORS["not"], [tree.this])
        if node and node.args[0].op == "is null":
            return Node("is not null", Type.YESNO, node.args[0].args)
        return node

    def _in(self, tree: exp.In) -> Node | None:
        if tree.args.get("query") or tree.args.get("unnest") or tree.args.get("field") or not tree.expressions:
            raise Wrong("`in` is followed by a list in parentheses.", "Write x in (1, 2).")
        return self._made(OPERATORS["in"], [tree.this, *tree.expressions])

    def _like(self, tree: exp.Like, escape: str = "") -> Node | None:
        node = self._made(
            OPERATORS["like"], [tree.this, tree.expression], lambda args: [*args, literal(escape, Type.TEXT)]
        )
        return OPERATORS["not"]([node]) if node and tree.args.get("negate") else node

    def _escape(self, tree: exp.Escape) -> Node | None:
        if not isinstance(tree.this, exp.Like) or not (
            isinstance(tree.expression, exp.Literal) and tree.expression.is_string
        ):
            raise Wrong("`escape` follows a like and names one character.", "Write like '50\\%%' escape '\\'.")
        return self._like(tree.this, str(tree.expression.this))

    def _case(self, tree: exp.Case) -> Node | None:
        parts: list[Any] = []
        for branch in tree.args["ifs"]:
            condition = exp.EQ(this=tree.this, expression=branch.this) if tree.this else branch.this
            parts += [condition, branch.args["true"]]
        default = tree.args.get("default")
        return self._made(OPERATORS["case"], parts + ([default] if default else []))

    def _call(self, tree: exp.Anonymous) -> Node | None:
        word = str(tree.this).lower()
        if word not in FUNCTIONS:
            near = nearest(word, FUNCTIONS)
            raise Wrong(
                f"'{tree.this}' is not a function of the language.",
                f"Did you mean '{near}'?" if near else f"There are {', '.join(FUNCTIONS)}.",
            )
        return self._made(FUNCTIONS[word].check, tree.expressions)


def _number(text: str) -> Node:
    if text.lstrip("-").isdigit():
        value = int(text)
        if not -WHOLE_MOST - 1 <= value <= WHOLE_MOST:
            raise Wrong(f"{text} is larger than a whole number can be.", f"The largest is {WHOLE_MOST}.")
        return literal(value, Type.WHOLE)
    try:
        number = float(text)
    except ValueError:
        raise Wrong(f"{text} is not a number.") from None
    if abs(number) == float("inf"):
        raise Wrong(f"{text} is larger than a number can be.")
    return literal(number, Type.NUMBER)


_READ: dict[type[exp.Expression], Callable[[_Reader, Any], Node | None]] = {
    exp.Column: _Reader._name,
    exp.Literal: _Reader._literal,
    exp.Boolean: lambda _, tree: literal(bool(tree.this), Type.YESNO),
    exp.Null: lambda _, tree: literal(None, Type.TEXT),
    exp.Cast: _Reader._dated,
    exp.Paren: lambda reader, tree: reader.node(tree.this),
    exp.Neg: _Reader._negative,
    exp.And: _Reader._logic,
    exp.Or: _Reader._logic,
    exp.Not: _Reader._not,
    exp.Is: _Reader._is,
    exp.In: _Reader._in,
    exp.Like: _Reader._like,
    exp.Escape: _Reader._escape,
    exp.Between: lambda reader, tree: reader._made(
        OPERATORS["between"], [tree.this, tree.args["low"], tree.args["high"]]
    ),
    exp.Case: _Reader._case,
    exp.DPipe: lambda reader, tree: reader._made(FUNCTIONS["concat"].check, [tree.this, tree.expression]),
    exp.Anonymous: _Reader._call,
}
