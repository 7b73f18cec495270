"""The quick way through a first-match table where everything is known of a customer.

In order, forty branches cost forty tests. But conditions of one table ask for the same few things (a grade, a
band of utilisation) again and again, and one answer settles many of them. So the table becomes a tree: each test
is asked once on the way down, and what its answer implies for the other conditions is never asked.

What is asked about is a *subject*: the left side of comparisons with written values. The values written beside a
subject, in order, cut what it can be into cells (below the first, the first, between, …, above the last), every
condition on it is a set of cells, and what is known of it at a node of the tree is the set of cells still possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .names import Type
from .nodes import Node, literal

# A formula over atoms: True, False, ("atom", number of the subject, cells), ("not", f), ("and", fs), ("or", fs).
Formula = Any
# For each subject, by its number, the cells that are still possible.
Known = dict[int, int]
# A larger tree is no quicker, and as a query it takes longer to plan; a table of very many branches is tried in order.
MOST_LEAVES = 400
MOST_WORK = 20_000
# Python allows a hundred levels of indentation.
DEEPEST = 80
# Branches looked ahead for the next question, and questions weighed against each other.
AHEAD, MOST_CANDIDATES = 6, 16

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}


@dataclass(frozen=True)
class Leaf:
    """The branch that matches, or None when none does."""

    index: int | None


@dataclass(frozen=True)
class InOrder:
    """The tree has grown large enough: from here the branches are tried in order."""


@dataclass(frozen=True)
class Ask:
    """One test on a subject, and where its two answers lead."""

    subject: Node
    test: Node
    yes: Tree
    no: Tree


Tree = Leaf | InOrder | Ask


@dataclass
class Subject:
    """Something asked about: its node, and the written values that it is compared with, in order."""

    node: Node
    values: list[Any] = field(default_factory=list)

    @property
    def everything(self) -> int:
        """All cells, as bits: an odd one for each value, an even one for each gap."""
        return (1 << (2 * len(self.values) + 1)) - 1

    def cells(self, atom: Node) -> int:
        """The cells in which a comparison with written values holds."""
        at = [2 * self.values.index(arg.value) + 1 for arg in atom.args if arg.op == "literal"]
        upto = [(1 << (place + 1)) - 1 for place in at]
        match _facing(atom):
            case "<":
                return upto[0] >> 1
            case "<=":
                return upto[0]
            case ">":
                return self.everything & ~upto[0]
            case ">=":
                return self.everything & ~(upto[0] >> 1)
            case "between":
                return upto[1] & ~(upto[0] >> 1)
            case "<>":
                return self.everything & ~(1 << at[0])
        return sum(1 << place for place in set(at))


def _facing(atom: Node) -> str:
    """The comparison as seen from its subject."""
    return _FLIPPED.get(atom.op, atom.op) if atom.args[0].op == "literal" else atom.op


def _compared(node: Node) -> Node | None:
    """The subject of a comparison with written values, if the node is one."""
    if node.op in _FLIPPED or node.op in ("between", "in"):
        subject, *written = sorted(node.args, key=lambda arg: arg.op == "literal") if node.op in _FLIPPED else node.args
        # A band that is empty holds for nothing, but for what is not known it is not known: ask.
        empty = (
            node.op == "between" and written[0].op == written[1].op == "literal" and written[0].value > written[1].value
        )
        if subject.op != "literal" and not empty and all(arg.op == "literal" for arg in written):
            return subject
    return None


class Table:
    """The branches of a first-match table as formulas over shared subjects."""

    def __init__(self, conditions: Sequence[Node]) -> None:
        self.subjects: dict[Node, Subject] = {}
        self.tests: dict[tuple[int, int], Node] = {}
        for condition in conditions:
            self._collect(condition)
        for subject in self.subjects.values():
            subject.values = sorted(set(subject.values))
        self.listed = list(self.subjects.values())
        self.numbers = {node: number for number, node in enumerate(self.subjects)}
        self.formulas = [self._formula(condition) for condition in conditions]

    def _collect(self, node: Node) -> None:
        if node.op in ("and", "or", "not"):
            for arg in node.args:
                self._collect(arg)
            return
        compared = _compared(node)
        if compared is not None:
            subject = self.subjects.setdefault(compared, Subject(compared))
            subject.values += [arg.value for arg in node.args if arg.op == "literal"]
        elif node.op != "literal":
            self.subjects.setdefault(node, Subject(node)).values += [True]

    def _formula(self, node: Node) -> Formula:
        if node.op == "literal":
            return bool(node.value)
        if node.op == "not":
            return ("not", self._formula(node.args[0]))
        if node.op in ("and", "or"):
            return (node.op, tuple(self._formula(arg) for arg in node.args))
        compared = _compared(node)
        subject = self.subjects[node if compared is None else compared]
        cells = 1 << (2 * subject.values.index(True) + 1) if compared is None else subject.cells(node)
        number = self.numbers[subject.node]
        self.tests.setdefault((number, cells), node)
        return ("atom", number, cells)


def settled(formula: Formula, known: Known) -> Formula:
    """The formula with what is known put in: True, False, or what is left to ask."""
    if formula is True or formula is False:
        return formula
    if formula[0] == "atom":
        possible = known[formula[1]]
        return True if not possible & ~formula[2] else formula if possible & formula[2] else False
    if formula[0] == "not":
        inner = settled(formula[1], known)
        return (not inner) if isinstance(inner, bool) else ("not", inner)
    decides = formula[0] == "or"
    parts = []
    for part in formula[1]:
        part = settled(part, known)
        if part is decides:
            return decides
        if not isinstance(part, bool):
            parts.append(part)
    return (formula[0], tuple(parts)) if len(parts) > 1 else parts[0] if parts else not decides


def atoms(formula: Formula) -> Iterator[tuple[int, int]]:
    if isinstance(formula, bool):
        return
    if formula[0] == "atom":
        yield formula[1:]
    elif formula[0] == "not":
        yield from atoms(formula[1])
    else:
        for part in formula[1]:
            yield from atoms(part)


class _Planter:
    def __init__(self, table: Table) -> None:
        self.table = table
        size = sum(1 for formula in table.formulas for _ in atoms(formula))
        self.leaves = min(MOST_LEAVES, MOST_WORK // max(size, 1))

    def grow(self, rest: list[tuple[int, Formula]], known: Known, depth: int = 0) -> Tree:
        rest = _left(rest, known)
        if not rest or rest[0][1] is True:
            self.leaves -= 1
            return Leaf(rest[0][0] if rest else None)
        if self.leaves <= 0 or depth > DEEPEST:
            self.leaves -= 1
            return InOrder()
        subject, cells = self._question(rest, known)
        yes = self.grow(rest, {**known, subject: known[subject] & cells}, depth + 1)
        no = self.grow(rest, {**known, subject: known[subject] & ~cells}, depth + 1)
        return Ask(self.table.listed[subject].node, self.table.tests[subject, cells], yes, no)

    def _question(self, rest: list[tuple[int, Formula]], known: Known) -> tuple[int, int]:
        """The test whose two answers leave the least to ask, on the whole."""
        candidates = list(dict.fromkeys(atom for _, formula in rest[:AHEAD] for atom in atoms(formula)))[
            :MOST_CANDIDATES
        ]
        candidates += [self._cut(subject, known[subject]) for subject in dict.fromkeys(atom[0] for atom in candidates)]
        candidates = [
            (subject, cells) for subject, cells in candidates if known[subject] & cells and known[subject] & ~cells
        ]
        if len(candidates) == 1:
            return candidates[0]

        def left_open(atom: tuple[int, int]) -> int:
            subject, cells = atom
            # squared: of two answers that leave 7 and 28, the second comes four times as often
            return sum(len(_left(rest, {**known, subject: known[subject] & part})) ** 2 for part in (cells, ~cells))

        return min(candidates, key=left_open)

    def _cut(self, number: int, possible: int) -> tuple[int, int]:
        """Below or not below the middle one of the values still possible: a list of equalities becomes a search."""
        subject = self.table.listed[number]
        values = subject.values
        open_values = [at for at in range(len(values)) if possible >> (2 * at + 1) & 1]
        if len(open_values) < 3:
            return number, 0
        middle = open_values[len(open_values) // 2]
        cells = (1 << (2 * middle + 1)) - 1
        below = Node("<", Type.YESNO, (subject.node, literal(values[middle], subject.node.type)))
        self.table.tests.setdefault((number, cells), below)
        return number, cells


def plant(conditions: Sequence[Node]) -> tuple[Tree, list[Node]]:
    """The tree, and the subjects: where all of them are known, so is every answer."""
    table = Table(conditions)
    known = {number: subject.everything for number, subject in enumerate(table.listed)}
    return _Planter(table).grow(list(enumerate(table.formulas)), known), list(table.subjects)


def complete(tree: Tree) -> bool:
    """Whether every way down ends in an answer."""
    return not isinstance(tree, InOrder) and (isinstance(tree, Leaf) or (complete(tree.yes) and complete(tree.no)))


def _left(rest: list[tuple[int, Formula]], known: Known) -> list[tuple[int, Formula]]:
    """The branches that may still match, up to the first that certainly does."""
    left = []
    for index, formula in rest:
        formula = settled(formula, known)
        if formula is not False:
            left.append((index, formula))
        if formula is True:
            break
    return left
