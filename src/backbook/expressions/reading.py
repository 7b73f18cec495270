"""From text to a checked tree, or to everything that is wrong with the text.

Three gates, each closed: only listed tokens reach the parser (a keyword outside the list is a plain word, so
there is no SELECT to be injected); the parser knows no functions of its own; and only listed operations leave
it. sqlglot cuts the text and knows the precedence of operators, the meaning is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.tokens import Token, TokenType

from ..engine import DIALECT
from .functions import FUNCTIONS, LARGEST_WHOLE, OPERATORS, Wrong, dated
from .names import Names, Type, nearest
from .nodes import Node, literal

# Room for a list of a thousand merchants; beyond that a table is the better home.
LONGEST_TEXT = 50_000
MOST_TOKENS = 10_000
# Deeper than any person reads, and far from the limits of the parser and of both compilers.
DEEPEST = 40
# A sum of eighty parts; `and` and `or` are lists and may be as long as the text.
LONGEST_CHAIN = 80

_SQL: Any = Dialect.get_or_raise(DIALECT)
_SIGNS = {
    TokenType.L_PAREN, TokenType.R_PAREN, TokenType.COMMA, TokenType.DOT, TokenType.PLUS, TokenType.DASH,
    TokenType.STAR, TokenType.SLASH, TokenType.EQ, TokenType.NEQ, TokenType.LT, TokenType.LTE, TokenType.GT,
    TokenType.GTE, TokenType.DPIPE,
}  # fmt: skip
_VALUES = {TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.STRING}
_WORDS = {
    TokenType.AND, TokenType.OR, TokenType.NOT, TokenType.IN, TokenType.IS, TokenType.NULL, TokenType.LIKE,
    TokenType.ESCAPE, TokenType.BETWEEN, TokenType.CASE, TokenType.WHEN, TokenType.THEN, TokenType.ELSE,
    TokenType.END, TokenType.TRUE, TokenType.FALSE,
}  # fmt: skip
_DATED = ("date", "timestamp")
# Words of SQL that people try, answered with what the language is instead of a parser's complaint.
_NOT_OURS = frozenset(
    [
        "select",
        "from",
        "where",
        "with",
        "union",
        "join",
        "insert",
        "update",
        "delete",
        "drop",
        "create",
        "alter",
        "copy",
        "attach",
        "install",
        "pragma",
        "set",
        "cast",
        "try_cast",
        "as",
        "over",
        "distinct",
        "filter",
        "group",
        "having",
        "limit",
        "order",
        "exists",
        "any",
        "all",
        "interval",
        "lambda",
    ]
)
_FULL_WIDTH = dict(zip("（），＞＜＝＋－＊／‘’“”；。", "(),><=+-*/''\"\";.", strict=True))


class _Parser(_SQL.parser_class):  # type: ignore[misc, name-defined]
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


# ── first gate: tokens ──────────────────────────────────────────────────────────────────────────────────


def readable(text: str) -> list[Token]:
    """The tokens of a text that is neither too long nor too deep; whether they mean anything is not asked."""
    if len(text) > LONGEST_TEXT:
        raise Wrong(
            f"The expression has {len(text):,} characters.",
            f"At most {LONGEST_TEXT:,}; name its parts as features or tags.",
        )
    try:
        tokens: list[Token] = _SQL.tokenize(text)
    except SqlglotError:
        raise Wrong(
            "The expression breaks off inside a quoted text.", "Close the quote; a quote within a text is doubled ('')."
        ) from None
    if len(tokens) > MOST_TOKENS:
        raise Wrong(f"The expression has {len(tokens):,} words and signs.", f"At most {MOST_TOKENS:,}.")
    _not_too_deep(tokens)
    return tokens


def _parsed(text: str, names: Names) -> exp.Expression:
    _writable(text)
    tokens = list(_allowed(readable(text), names))
    if not tokens:
        raise Wrong("The expression is empty.")
    try:
        trees = _Parser(dialect=_SQL, error_level=ErrorLevel.IMMEDIATE).parse(tokens, text)
    except SqlglotError as error:
        raise Wrong(_place(error), "An expression is a comparison or a sum of named columns.") from None
    except RecursionError:
        raise Wrong("The expression is nested too deeply.", "Name its parts as features or tags.") from None
    if len(trees) != 1 or trees[0] is None:
        raise Wrong("The expression cannot be read as one condition.")
    return trees[0]


def _writable(text: str) -> None:
    for character in text:
        if (ord(character) < 32 and character not in "\t\n\r") or 0xD800 <= ord(character) <= 0xDFFF:
            raise Wrong(f"The expression holds the unprintable character U+{ord(character):04X}.", "Remove it.")


def _allowed(tokens: list[Token], names: Names) -> Iterator[Token]:
    """Only our words stay words; any other keyword becomes a plain name, any other sign is refused."""
    for at, token in enumerate(tokens):
        kind, word = token.token_type, token.text
        following = tokens[at + 1].token_type if at + 1 < len(tokens) else None
        if word.lower() in _DATED and following is TokenType.STRING:
            yield token
        elif kind in _SIGNS or kind in _VALUES or kind in _WORDS:
            if kind is TokenType.VAR:
                _ours(word, names, following)
            yield token
        elif word.replace("_", "a").isalnum() and not word[0].isdigit():
            _ours(word, names, following)
            yield Token(TokenType.VAR, word, token.line, token.col, token.start, token.end)
        else:
            raise Wrong(f"'{word}' is not part of the language.", _sign_hint(word))


def _ours(word: str, names: Names, following: TokenType | None) -> None:
    if word.lower() in _NOT_OURS and not names.candidates(word) and following is not TokenType.DOT:
        hint = "Days are added as whole numbers: as_of - 30." if word.lower() == "interval" else ""
        raise Wrong(
            f"'{word}' is not part of the language.",
            hint or "An expression is one value made of columns and listed functions.",
        )
    for sign in word:
        if sign in _FULL_WIDTH:
            raise Wrong(f"'{sign}' is a full-width sign.", f"Write {_FULL_WIDTH[sign]}")


def _sign_hint(word: str) -> str:
    if word in _FULL_WIDTH:
        return f"Write {_FULL_WIDTH[word]}"
    if word == "::":
        return "Types are not cast; money(x), number(x), whole(x) and date(t) convert."
    return "Known signs: + - * / = <> < <= > >= || ( ) , ."


def _not_too_deep(tokens: list[Token]) -> None:
    depth = prefixes = 0
    for token in tokens:
        kind = token.token_type
        prefixes = prefixes + 1 if kind in (TokenType.NOT, TokenType.DASH, TokenType.PLUS) else 0
        if kind in (TokenType.L_PAREN, TokenType.CASE):
            depth += 1
        elif kind in (TokenType.R_PAREN, TokenType.END):
            depth -= 1
        if depth + prefixes > DEEPEST:
            raise Wrong(f"The expression is nested more than {DEEPEST} deep.", "Name its parts as features or tags.")


def _place(error: SqlglotError) -> str:
    found = getattr(error, "errors", None) or [{}]
    near = (found[0].get("highlight") or "").strip()
    return f"The expression cannot be read near '{near}'." if near else "The expression cannot be read."


# ── third gate: operations ──────────────────────────────────────────────────────────────────────────────

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
                f"`{tree.sql(dialect=_SQL)[:80]}` is not part of the language.",
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
        if not -LARGEST_WHOLE - 1 <= value <= LARGEST_WHOLE:
            raise Wrong(f"{text} is larger than a whole number can be.", f"The largest is {LARGEST_WHOLE}.")
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
