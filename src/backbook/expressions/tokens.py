"""The first gate: what a text is cut into, and which of it may pass.

Only listed signs and words keep their meaning. Any other keyword of SQL becomes a plain name, so that a column may be
called `on` or `limit`, and so that there is no SELECT left to be injected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

from ..engine import DIALECT
from .names import Names
from .typing_rules import Wrong

# Room for a list of a thousand merchants; beyond that a table is the better home.
LONGEST_TEXT = 50_000
MOST_TOKENS = 10_000
# Deeper than any person reads, and far from the limits of the parser and of both compilers.
DEEPEST = 40
SQL: Any = Dialect.get_or_raise(DIALECT)
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


def allowed(text: str, names: Names) -> list[Token]:
    """The tokens of the text, or a refusal of the first that is not part of the language."""
    _writable(text)
    tokens = list(_allowed(readable(text), names))
    if not tokens:
        raise Wrong("The expression is empty.")
    return tokens


def readable(text: str) -> list[Token]:
    """The tokens of a text that is neither too long nor too deep; whether they mean anything is not asked."""
    if len(text) > LONGEST_TEXT:
        raise Wrong(
            f"The expression has {len(text):,} characters.",
            f"At most {LONGEST_TEXT:,}; name its parts as features or tags.",
        )
    try:
        tokens: list[Token] = SQL.tokenize(text)
    except SqlglotError:
        raise Wrong(
            "The expression breaks off inside a quoted text.", "Close the quote; a quote within a text is doubled ('')."
        ) from None
    if len(tokens) > MOST_TOKENS:
        raise Wrong(f"The expression has {len(tokens):,} words and signs.", f"At most {MOST_TOKENS:,}.")
    _not_too_deep(tokens)
    return tokens


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
