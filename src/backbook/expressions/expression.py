"""One condition, read and checked: what it says, what it reads, and its two compiled forms."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import BadDefinition, Fault
from .names import Names, Type
from .nodes import Node, depth
from .reading import read
from .to_ibis import ibis_value, weight
from .to_python import python_function
from .tokens import readable
from .typing_rules import Wrong, convert
from .writing import written

# The SQL of a larger one would be longer than what an engine plans in a second.
HEAVIEST = 2_500
# Python reads no more than 200 brackets in one another, and an operation may need two.
DEEPEST = 90


@dataclass(frozen=True)
class Expression:
    """A checked expression over the columns of one row kind.

    >>> from backbook.expressions import Name, Names
    >>> names = Names("account", [Name("utilisation", Type.NUMBER, zh="额度使用率")])
    >>> expression = parse("额度使用率 > 0.8", names)
    >>> expression.text
    'utilisation > 0.8'
    >>> expression.python()({"utilisation": 0.9})
    True
    >>> expression.python()({"utilisation": None}) is None
    True
    """

    node: Node
    row_kind: str

    @property
    def type(self) -> Type:
        return self.node.type

    @cached_property
    def text(self) -> str:
        """The canonical text, which `parse` reads into the same expression."""
        return written(self.node)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical text: the same for a Chinese and an English wording."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def reads(self) -> frozenset[str]:
        """The columns it names, each by its name in the table."""
        return self.node.reads

    def ibis(self, table: Any) -> Any:
        """The value for every row of an Ibis table that has the columns it reads."""
        return ibis_value(self.node, table)

    def python(self) -> Callable[[Mapping[str, Any]], Any]:
        """The value for one row: money as Decimal, dates as date, None where not known."""
        return python_function(self.node)

    def __str__(self) -> str:
        return self.text


def parse(text: str, names: Names, expect: Type | None = Type.YESNO) -> Expression:
    """Read, check and type one expression; `expect=None` takes any type.

    Whole numbers are taken where money or a number is expected. Raises BadDefinition with every fault found.
    """
    node, wrongs = read(str(text), names)
    if node is not None and not wrongs:
        try:
            expression = Expression(_expected(node, expect), names.row_kind)
            # A bundle keeps the canonical text, so that must be within the limits as well.
            readable(expression.text)
            return expression
        except Wrong as wrong:
            wrongs = [wrong]
    raise BadDefinition(faults=[Fault("", None, wrong.found, wrong.possible) for wrong in wrongs])


def _expected(node: Node, expect: Type | None) -> Node:
    if weight(node) > HEAVIEST or depth(node) > DEEPEST:
        raise Wrong("The expression is too involved.", "Name its parts as features or tags.")
    if expect is None:
        return node
    node = convert(node, expect)
    if node.type is not expect:
        hint = "money(…) rounds a number to money." if expect is Type.MONEY and node.type is Type.NUMBER else ""
        raise Wrong(
            f"The expression is {node.type}, but {expect} is expected.",
            hint or ("Compare it with something." if expect is Type.YESNO else ""),
        )
    return node
