"""The shape of a contract table: what a bank's rows must be before Backbook reads them.

A table is data. Its columns, keys, checks and references are read by the load, by the condition language
(`Table.names`), by the generated docs page and by the data dictionary; none of them knows a table by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from backbook.expressions import Level, Name, Names, Type

Form = Literal["fact", "history"]


@dataclass(frozen=True)
class Column:
    """One column: its type, both names, and what may stand in it."""

    name: str
    type: Type
    zh: str
    en: str
    required: bool = False
    levels: tuple[Level, ...] = ()
    # "document": keyed-hashed and dropped; "contact": encrypted, kept apart in `party_contact`.
    private: Literal["document", "contact"] | None = None
    # Free text in which a card number may hide; single hits are masked.
    free: bool = False
    # Cannot change for one key, so that it is true also before the first extract: ids and owners.
    lasting: bool = False
    note_zh: str = ""
    note_en: str = ""

    @property
    def as_name(self) -> Name:
        return Name(self.name, self.type, self.zh, self.en, self.levels)

    @property
    def stored(self) -> str | None:
        """The name under which the lake keeps it; None when the lake's own table does not hold it."""
        return f"{self.name}_hash" if self.private else self.name


@dataclass(frozen=True)
class Check:
    """What must not be false in a row: a condition of the language over the table's columns."""

    condition: str
    zh: str
    en: str


@dataclass(frozen=True)
class Reference:
    """`columns` must be found in `table` under the same names; a row that is not is an orphan.

    A `strict` orphan goes to quarantine; the others are counted and told.
    """

    columns: tuple[str, ...]
    table: str
    strict: bool = True


@dataclass(frozen=True)
class Table:
    """One contract table, complete."""

    name: str
    zh: str
    en: str
    row_zh: str
    row_en: str
    form: Form
    key: tuple[str, ...]
    event: str | None
    columns: tuple[Column, ...]
    checks: tuple[Check, ...] = ()
    references: tuple[Reference, ...] = ()
    # At least one of these groups of columns must be filled.
    one_of: tuple[tuple[str, ...], ...] = ()
    owner: str = "party"
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_name.update({column.name: column for column in self.columns})

    def __getitem__(self, name: str) -> Column:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def public(self) -> tuple[Column, ...]:
        """The columns that the lake keeps as they are."""
        return tuple(column for column in self.columns if not column.private)

    @property
    def private(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.private)

    def names(self) -> Names:
        """The registry for conditions over this table's rows; private columns are not in it."""
        return Names(self.name, [column.as_name for column in self.public])
