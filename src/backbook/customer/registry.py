"""Which names a condition may read: over the rows of a table, and over a profile.

An account's rules read the columns of its owner as `customer.x`. A column that is declared but whose table the
bank does not have is still a name; it is null, and listed as not available.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from backbook.customer.lookup import Lookup
from backbook.customer.relations import OTHER
from backbook.expressions import Name, Names, Type
from backbook.sources.table import Table

AS_OF = Name("as_of", Type.DATE, "业务日期", "As of")
KEYS = {
    "account": (Name("account_id", Type.TEXT, "账户号", "Account"),),
    "customer": (),
}
OWNER = (
    Name("customer_id", Type.TEXT, "客户编号", "Customer"),
    Name("system", Type.TEXT, "来源系统", "Source system"),
    Name("party_id", Type.TEXT, "客户记录号", "Party record"),
)
# What a customer asked for; see `privacy`.
WISHES = (
    Name("tags_deleted", Type.YESNO, "已删除标签", "Tags deleted"),
    Name("non_personalised", Type.YESNO, "非个性化", "Nothing in person"),
)
# Rows that follow one another, so that a filter may compare with the row before: `previous_amount`.
CHAINS = {
    "statement": (("account_id",), "statement_on"),
    "balance": (("account_id",), "on"),
    "limit": (("line_id", "system", "party_id", "kind"), "valid_from"),
}
PREVIOUS = "previous_"


class Attribute(Protocol):
    """A column of the bank's own wide table, as declared in sources/attributes.yaml."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> Name: ...
    @property
    def grain(self) -> str: ...
    @property
    def zh(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def valid_days(self) -> int | None: ...


def key_names(grain: str) -> tuple[Name, ...]:
    """The columns that every profile of the grain has: keys, what the customer asked for, and the date it is for."""
    return (*KEYS[grain], *OWNER, *WISHES, AS_OF)


def row_names(
    table: Table,
    attributes: Iterable[Attribute] = (),
    lookups: Iterable[Lookup] = (),
    others: Iterable[Name] = (),
) -> Names:
    """The registry for filters over the rows of one table; `others` are the profile of the other customer of a tie."""
    more = [AS_OF, *(attribute.name for attribute in attributes)]
    more += [lookup.name for lookup in lookups if table.name in lookup.tables]
    if "other_customer_id" in table:
        more += [replace(name, name=OTHER + name.name) for name in others]
    if table.name in CHAINS:
        more += [
            Name(PREVIOUS + name.name, name.type, f"上期{name.zh}", f"Previous {name.en}", name.levels)
            for name in table.names()
            if name.name not in CHAINS[table.name][0]
        ]
    return table.names().with_names(more)
