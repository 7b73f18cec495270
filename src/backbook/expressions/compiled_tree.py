"""A decision tree in its two compiled forms: nested ifs for one customer, nested cases for a book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ibis

from .decision_tree import Ask, Leaf, Tree
from .names import Type
from .nodes import Node, may_be_null
from .to_ibis import ibis_value
from .to_python import LEAST, MOST, Writer


@dataclass
class Asked:
    """What is at hand at one place of the tree: columns fetched, columns known, subjects computed."""

    fetched: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    subjects: dict[Node, str] = field(default_factory=dict)

    def copy(self) -> Asked:
        return Asked(set(self.fetched), set(self.known), dict(self.subjects))


class TreeWriter:
    """Writes a decision tree as nested ifs; `r0`, `r1`, … and `none` are the answers.

    A column is fetched where it is first asked about. Where it is not known the row is given up, to be tried in
    order; a column that is never asked about cannot change the answer, known or not.
    """

    def __init__(self, writer: Writer, numbers: set[str], give_up: str) -> None:
        self.writer, self.numbers, self.give_up = writer, numbers, give_up

    def lines(self, tree: Tree, asked: Asked | None = None) -> list[str]:
        asked = asked or Asked()
        lines: list[str] = []
        while isinstance(tree, Ask):
            lines += self._ask(tree.subject, asked)
            lines.append(f"if {self._test(tree, asked.subjects[tree.subject])}:")
            lines += ["    " + line for line in self.lines(tree.yes, asked.copy())]
            tree = tree.no
        if isinstance(tree, Leaf):
            return [*lines, "return none" if tree.index is None else f"return r{tree.index}"]
        return [*lines, self.give_up]

    def _ask(self, subject: Node, asked: Asked) -> list[str]:
        """Compute a subject where it is first asked about, once."""
        if subject in asked.subjects:
            return []
        lines = self._fetch(subject, asked)
        self.writer.known = frozenset(asked.known)
        piece = self.writer.piece(subject)
        if piece.code.isidentifier() and not piece.null:
            asked.subjects[subject] = piece.code
            return lines
        local = asked.subjects[subject] = self.writer.temp().replace("t", "s")
        return [*lines, f"{local} = {piece.code}", *([f"if {local} is None: {self.give_up}"] if piece.null else [])]

    def _fetch(self, subject: Node, asked: Asked) -> list[str]:
        lines = []
        may_be_unknown = subject.op in ("is null", "is not null") and subject.args[0].op == "name"
        for name in sorted(subject.reads):
            local = self.writer.columns[name]
            if name not in asked.fetched:
                lines.append(f"{local} = row[{name!r}]")
                asked.fetched.add(name)
                if may_be_unknown and name in self.numbers:
                    lines.append(f"if {local} is not None and not {LEAST} < {local} < {MOST}: {local} = None")
            if name not in asked.known and not may_be_unknown:
                # only of a finite number is the difference to itself zero
                infinite = f" or {local} - {local} != 0.0" if name in self.numbers else ""
                lines.append(f"if {local} is None{infinite}: {self.give_up}")
                asked.known.add(name)
        return lines

    def _test(self, ask: Ask, local: str) -> str:
        if ask.test is ask.subject:
            return local
        held = Node("name", ask.subject.type, value=local)
        inner = Writer({local: local}, frozenset({local}), self.writer.constants)
        args = tuple(held if arg == ask.subject else arg for arg in ask.test.args)
        return inner.piece(Node(ask.test.op, Type.YESNO, args)).code


def all_known(subjects: Sequence[Node], table: Any) -> Any:
    """Whether every column that the subjects read, and every subject, has a value."""
    reads = {part.value: part for subject in subjects for part in subject.walk() if part.op == "name"}
    computed = [subject for subject in subjects if subject.op != "name" and may_be_null(subject)]
    tested = [ibis_value(node, table).notnull() for node in [*reads.values(), *computed]]
    return ibis.and_(*tested) if tested else ibis.literal(True)


def _tested(node: Node) -> Node:
    """The node for rows whose columns were tested: their numbers are finite already."""
    op = "finite name" if node.op == "name" else node.op
    return replace(node, op=op, args=tuple(_tested(arg) for arg in node.args))


def ibis_tree(tree: Tree, table: Any) -> Any:
    """A complete decision tree as nested cases, for rows of which everything is known."""
    steps = []
    while isinstance(tree, Ask):
        steps.append((ibis_value(_tested(tree.test), table), ibis_tree(tree.yes, table)))
        tree = tree.no
    last = (
        ibis.literal(tree.index, type="int64")
        if isinstance(tree, Leaf) and tree.index is not None
        else ibis.null("int64")
    )
    return ibis.cases(*steps, else_=last) if steps else last
