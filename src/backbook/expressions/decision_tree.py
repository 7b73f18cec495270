"""The quick way through a first-match table for a customer of whom everything is known.

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
from .nodes import Node
from .to_python import Writer

# A formula over atoms: True, False, ("atom", subject, cells), ("not", f), ("and", fs), ("or", fs).
Formula = Any
# Leaves allowed for each branch of the table; a table that needs more goes on in order from there.
LEAVES_PER_BRANCH = 24
# Branches looked ahead for the next question.
AHEAD = 6

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}


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
        if subject.op != "literal" and all(arg.op == "literal" for arg in written):
            return subject
    return None


class Table:
    """The branches of a first-match table as formulas over shared subjects."""

    def __init__(self, conditions: Sequence[Node]) -> None:
        self.subjects: dict[Node, Subject] = {}
        self.tests: dict[tuple[Node, int], Node] = {}
        for condition in conditions:
            self._collect(condition)
        for subject in self.subjects.values():
            subject.values = sorted(set(subject.values))
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
        self.tests.setdefault((subject.node, cells), node)
        return ("atom", subject.node, cells)


def settled(formula: Formula, known: dict[Node, int]) -> Formula:
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


def atoms(formula: Formula) -> Iterator[tuple[Node, int]]:
    if isinstance(formula, bool):
        return
    if formula[0] == "atom":
        yield formula[1:]
    elif formula[0] == "not":
        yield from atoms(formula[1])
    else:
        for part in formula[1]:
            yield from atoms(part)


class Planter:
    """Writes the tree as nested ifs; `outcomes` are the local names of the ready answers, the last for no match."""

    def __init__(self, conditions: Sequence[Node], writer: Writer, outcomes: Sequence[str], give_up: str) -> None:
        self.table = Table(conditions)
        self.writer, self.outcomes, self.give_up = writer, outcomes, give_up
        self.leaves = LEAVES_PER_BRANCH * len(conditions)
        self.locals = {node: f"s{at}" for at, node in enumerate(self.table.subjects)}

    def lines(self) -> list[str]:
        known = {node: subject.everything for node, subject in self.table.subjects.items()}
        return self._grow(list(enumerate(self.table.formulas)), known, frozenset())

    def _grow(self, rest: list[tuple[int, Formula]], known: dict[Node, int], asked: frozenset[Node]) -> list[str]:
        rest = _left(rest, known)
        if not rest or rest[0][1] is True:
            self.leaves -= 1
            return [f"return {self.outcomes[rest[0][0] if rest else -1]}"]
        subject, cells = self._question(rest, known)
        lines = [] if subject in asked else self._ask(subject)
        asked |= {subject}
        lines.append(f"if {self._test(subject, cells)}:")
        inside, outside = known[subject] & cells, known[subject] & ~cells
        lines += ["    " + line for line in self._grow(rest, {**known, subject: inside}, asked)]
        return lines + self._grow(rest, {**known, subject: outside}, asked)

    def _question(self, rest: list[tuple[int, Formula]], known: dict[Node, int]) -> tuple[Node, int]:
        """The test that leaves the fewest branches open; when leaves run short, the first one in order."""
        candidates = list(dict.fromkeys(atom for _, formula in rest[:AHEAD] for atom in atoms(formula)))
        if self.leaves <= 0 or len(candidates) == 1:
            return candidates[0]

        def left_open(atom: tuple[Node, int]) -> int:
            subject, cells = atom
            return sum(len(_left(rest, {**known, subject: known[subject] & part})) for part in (cells, ~cells))

        return min(candidates, key=left_open)

    def _ask(self, subject: Node) -> list[str]:
        piece = self.writer.piece(subject)
        if piece.code.isidentifier() and not piece.null:
            self.locals[subject] = piece.code
            return []
        local = self.locals[subject]
        return [f"{local} = {piece.code}", *([f"if {local} is None: return {self.give_up}"] if piece.null else [])]

    def _test(self, subject: Node, cells: int) -> str:
        atom = self.table.tests[subject, cells]
        if atom is subject:
            return self.locals[subject]
        held = Node("name", subject.type, value="")
        asked = Writer({"": self.locals[subject]}, frozenset({""}), self.writer.constants)
        return asked.piece(
            Node(atom.op, Type.YESNO, tuple(held if arg is subject or arg == subject else arg for arg in atom.args))
        ).code


def _left(rest: list[tuple[int, Formula]], known: dict[Node, int]) -> list[tuple[int, Formula]]:
    """The branches that may still match, up to the first that certainly does."""
    left = []
    for index, formula in rest:
        formula = settled(formula, known)
        if formula is not False:
            left.append((index, formula))
        if formula is True:
            break
    return left
