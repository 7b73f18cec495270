"""Which arm a customer stands in: a stable hash, never a dice roll.

A draw is a whole number from 0 to 9999 made of a salt and an id. The salt is the strategy's area, so arms of
one area never overlap and arms of two areas are independent. The id is the customer's *first* party record:
a merge does not move anybody, and an unmerge gives each their arm back. The same number comes out of the
database and out of Python.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import ibis

DRAWS = 10_000

# Two draws of one area must not be the same number, so each purpose has a salt of its own.
UNIVERSAL_CONTROL = "universal control"

# Eight hexadecimal digits are 32 bits: the remainder by 10,000 is uneven by less than two in a million.
_DIGITS = 8
_HEXADECIMAL = "0123456789abcdef"


def draw(salt: str, id_: str) -> int:
    """A whole number from 0 to 9999.

    >>> draw("limit", "core|P1"), draw("price", "core|P1")
    (940, 6717)
    """
    return _number(salt, id_) % DRAWS


def draw_ibis(salt: Any, id_: Any) -> Any:
    """The same number computed where the data is; `salt` is a text or a column of texts, `id_` a column."""
    return _number_ibis(salt, id_) % DRAWS


def pick(salt: str, id_: str, among: int) -> int:
    """A position below `among`, each as likely as the next."""
    return _number(salt, id_) % among


def pick_ibis(salt: Any, id_: Any, among: Any) -> Any:
    """`pick` where the data is; `among` may be a column and is at least 1."""
    return _number_ibis(salt, id_) % among


def bounds(shares: Sequence[int]) -> tuple[int, ...]:
    """The first draw that each arm no longer takes, from whole percents that sum to 100.

    >>> bounds([80, 20])
    (8000, 10000)
    """
    reached = 0
    upper = []
    for share in shares:
        reached += share * DRAWS // 100
        upper.append(reached)
    return tuple(upper)


def arm(drawn: int, shares: Sequence[int]) -> int:
    """The position of the arm that takes this draw."""
    return next(position for position, bound in enumerate(bounds(shares)) if drawn < bound)


def arm_ibis(drawn: Any, shares: Sequence[int]) -> Any:
    """`arm` where the data is."""
    cases = [(drawn < bound, position) for position, bound in enumerate(bounds(shares))]
    return ibis.cases(*cases, else_=len(shares) - 1)


def first_parties(identity: Any) -> Any:
    """(customer_id, first_party) from identity's rows: the record known longest, ties to the lesser key."""
    # An unknown beginning is taken as the latest, so that a dated record goes before it.
    rows = identity.select("customer_id", "system", "party_id", "since")
    order = [rows.since.isnull(), rows.since, rows.system, rows.party_id]
    numbered = rows.mutate(_place=ibis.row_number().over(group_by=rows.customer_id, order_by=order))
    first = numbered.filter(numbered._place == 0)
    return first.select("customer_id", first_party=party_key(first.system, first.party_id))


def party_key(system: Any, party_id: Any) -> Any:
    """One text for a party record; both for texts and for columns."""
    return system + "|" + party_id


def _number(salt: str, id_: str) -> int:
    return int(_digest(salt, id_)[:_DIGITS], 16)


def _digest(salt: str, id_: str) -> str:
    return hashlib.md5(f"{salt}|{id_}".encode(), usedforsecurity=False).hexdigest()


def _number_ibis(salt: Any, id_: Any) -> Any:
    # Digit by digit: the two engines have no common way to read a hexadecimal number.
    text = (ibis.literal(salt) if isinstance(salt, str) else salt) + "|" + id_
    digest = text.hexdigest("md5")
    digits = [ibis.literal(_HEXADECIMAL).find(digest.substr(place, 1)).cast("int64") for place in range(_DIGITS)]
    number = digits[0]
    for digit in digits[1:]:
        number = number * 16 + digit
    return number
