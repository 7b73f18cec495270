"""The closed registry: which words a condition may say, in English and in Chinese.

A `Names` belongs to one row kind (a profile grain, a contract table, a decision). A condition names columns by
their English name or their Chinese one and levels by code or by either meaning; both become the same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum


class Type(StrEnum):
    """What a value is. Whole is int64, money DECIMAL(18,2), number a finite double."""

    WHOLE = "whole"
    MONEY = "money"
    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    TIME = "time"
    YESNO = "yes/no"


NUMERIC = frozenset({Type.WHOLE, Type.MONEY, Type.NUMBER})

# The grains whose columns may be read with a prefix, and how the prefix reads in Chinese.
PREFIXES = {"customer": "客户", "account": "账户", "other": "对方"}


@dataclass(frozen=True)
class Level:
    """One value of a column with a closed list of values."""

    code: str
    zh: str = ""
    en: str = ""


@dataclass(frozen=True)
class Name:
    """One column: its name in tables (which may hold one dot), its type and its words."""

    name: str
    type: Type
    zh: str = ""
    en: str = ""
    levels: tuple[Level, ...] = ()
    also: tuple[str, ...] = ()

    def words(self) -> Iterator[str]:
        """Everything this column may be called besides its name."""
        prefix, dot, _ = self.name.partition(".")
        for word in (self.zh, *self.also):
            if not word:
                continue
            if dot and "." not in word:
                yield f"{prefix}.{word}"
                if prefix in PREFIXES:
                    yield f"{PREFIXES[prefix]}.{word}"
            else:
                yield word


class Names:
    """All the columns that a condition over one row kind may read.

    >>> names = Names("account", [Name("utilisation", Type.NUMBER, zh="额度使用率")])
    >>> names.resolve("额度使用率").name
    'utilisation'
    >>> names.resolve("utilization") is None
    True
    >>> names.nearest("utilization")
    'utilisation'
    """

    def __init__(self, row_kind: str, names: Iterable[Name], missing: Mapping[str, str] | None = None) -> None:
        self.row_kind = row_kind
        self.by_name = {name.name: name for name in names}
        self.missing = dict(missing or {})
        self._words: dict[str, set[str]] = {}
        for name in self.by_name.values():
            for word in {*name.words(), name.name.casefold(), *(word.casefold() for word in name.words())}:
                self._words.setdefault(word, set()).add(name.name)

    def __iter__(self) -> Iterator[Name]:
        return iter(self.by_name.values())

    def __len__(self) -> int:
        return len(self.by_name)

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self.resolve(text) is not None

    def __getitem__(self, name: str) -> Name:
        return self.by_name[name]

    def candidates(self, text: str) -> list[str]:
        """The columns that `text` may mean: one is clear, several are ambiguous."""
        if text in self.by_name:
            return [text]
        return sorted(self._words.get(text) or self._words.get(text.casefold()) or ())

    def resolve(self, text: str) -> Name | None:
        """The column called `text` in either language, or nothing when there is none or more than one."""
        found = self.candidates(text)
        return self.by_name[found[0]] if len(found) == 1 else None

    def nearest(self, text: str) -> str | None:
        """The known word most like `text`, in the language in which it was written."""
        return nearest(text, [*self.by_name, *(word for name in self for word in name.words())])

    def with_names(self, names: Iterable[Name]) -> Names:
        """The same registry with more columns; later ones replace earlier ones of the same name."""
        return Names(self.row_kind, [*self, *names], self.missing)


def nearest(text: str, words: Iterable[str]) -> str | None:
    """The word most like `text`; short Chinese words need only half of their characters in common."""
    known: dict[str, str] = {}
    for word in words:
        known.setdefault(word.casefold(), word)
    least = 0.6 if text.isascii() else 0.4
    found = get_close_matches(text.casefold(), known, n=1, cutoff=least)
    return known[found[0]] if found else None
