"""A first-match table: conditions in order, the first that holds decides.

Unknown is not false: the table stops at the first branch whose condition is not known, and refers the case with
the unknown columns named. A branch with `when_unknown="skip"` lets the table go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import ibis

from ..errors import BadDefinition
from .compiled_tree import TreeWriter, all_known, ibis_tree
from .decision_tree import Tree, complete, plant
from .expression import Expression
from .nodes import Node, never_null
from .to_ibis import ibis_value
from .to_python import Writer, column_names, compiled, loading, number_columns

# What one evaluation gives: the branch that matched, the unknown columns when it is referred, and the path.
Path = tuple[tuple[str, bool | None], ...]
Outcome = tuple[int | None, tuple[str, ...], Path]


@dataclass(frozen=True)
class Branch:
    """One line of the table; the last usually has the condition `true`."""

    id: str
    condition: Expression
    when_unknown: Literal["refer", "skip"] = "refer"


@dataclass(frozen=True)
class FirstMatch:
    """The table, for a whole book and for one customer."""

    branches: tuple[Branch, ...]

    @property
    def reads(self) -> frozenset[str]:
        return frozenset().union(*(branch.condition.reads for branch in self.branches))

    def stopped(self, table: Any) -> Any:
        """The index of the branch at which each row stops, matched or referred; null when none does."""
        steps = []
        for index, branch in enumerate(self.branches):
            condition = branch.condition.ibis(table)
            if branch.when_unknown == "refer" and not never_null(branch.condition.node):
                condition = ibis.coalesce(condition, ibis.literal(True))
            steps.append((condition, _index(index)))
        return ibis.cases(*steps, else_=_index(None)) if steps else _index(None)

    def ibis(self, table: Any) -> tuple[Any, Any]:
        """For each row the index of the branch that matched (null: none, or referred), and the unknown columns.

        The second value is null unless the row is referred; then it names the unknown columns, joined by commas.
        Rows of which everything is known go down a tree of tests, as one customer does.
        """
        if not self.branches:
            return _index(None), ibis.null("string")
        matched, unknown = [], []
        for index, branch in enumerate(self.branches):
            condition = branch.condition.ibis(table)
            matched.append((condition, _index(index)))
            unknown.append((condition, ibis.null("string")))
            if branch.when_unknown == "refer" and not never_null(branch.condition.node):
                matched.append((condition.isnull(), _index(None)))
                unknown.append((condition.isnull(), _unknown_names(branch.condition.node, table)))
        in_order, names = ibis.cases(*matched, else_=_index(None)), ibis.cases(*unknown, else_=ibis.null("string"))
        tree, subjects = self._tree
        if not complete(tree):
            return in_order, names
        known = all_known(subjects, table)
        return known.ifelse(ibis_tree(tree, table), in_order), known.ifelse(ibis.null("string"), names)

    def python(self) -> Callable[[Mapping[str, Any]], Outcome]:
        """One row at a time: (index or None, unknown columns, path of (branch id, True, False or None)).

        A row goes down a tree of tests as long as what it is asked about is known, else through the branches in order.
        """
        if not self.branches:
            return lambda row: (None, (), ())
        writer = Writer(column_names(self.reads))
        lines = TreeWriter(writer, self._numbers(), "return in_order(row)").lines(self._tree[0])
        return compiled("first_match", lines, {**writer.constants, **self._answers(), "in_order": self._in_order()})

    @cached_property
    def _tree(self) -> tuple[Tree, list[Node]]:
        return plant([branch.condition.node for branch in self.branches])

    def _in_order(self) -> Callable[[Mapping[str, Any]], Outcome]:
        """Branch by branch, for rows of which something is not known; the path is ready made unless one was skipped."""
        columns = column_names(self.reads)
        writer = Writer(columns)
        lines, may_skip = [*loading(columns, self._numbers()), "skipped = []"], False
        for index, branch in enumerate(self.branches):
            piece = writer.piece(branch.condition.node)
            late = "" if not may_skip else f" if not skipped else answer({index}, True, skipped)"
            lines += [f"held = {piece.code}", f"if held: return r{index}{late}"]
            if piece.null and branch.when_unknown == "refer":
                pairs = ", ".join(f"({name!r}, {columns[name]})" for name in sorted(branch.condition.reads))
                lines.append(f"if held is None: return answer({index}, None, skipped, [{pairs}])")
            elif piece.null:
                lines.append(f"if held is None: skipped.append({index})")
                may_skip = True
        lines.append("return none if not skipped else answer(None, False, skipped)")
        return compiled("in_order", lines, {**writer.constants, **self._answers(), "answer": self._answer})

    def _answers(self) -> dict[str, Outcome]:
        """What a row gives for which nothing was skipped, by the branch that matches."""
        ready = {f"r{index}": self._answer(index, True, ()) for index in range(len(self.branches))}
        return {**ready, "none": self._answer(None, False, ())}

    def _answer(
        self, stop: int | None, held: bool | None, skipped: Sequence[int], values: Sequence[tuple[str, Any]] = ()
    ) -> Outcome:
        """The outcome of a row that stops at a branch, which holds or is not known."""
        passed = self.branches if stop is None else self.branches[:stop]
        path: Path = tuple((branch.id, None if index in skipped else False) for index, branch in enumerate(passed))
        if stop is None:
            return None, (), path
        path = (*path, (self.branches[stop].id, held))
        return (stop, (), path) if held else (None, unknown_names(values), path)

    def _numbers(self) -> set[str]:
        return set().union(*(number_columns(branch.condition.node) for branch in self.branches))


def unknown_names(values: Sequence[tuple[str, Any]]) -> tuple[str, ...]:
    """The columns without a value; all of them when each has one and the result is still not known (x / 0)."""
    return tuple(name for name, value in values if value is None) or tuple(name for name, _ in values)


def _index(index: int | None) -> Any:
    return ibis.null("int64") if index is None else ibis.literal(index, type="int64")


def _unknown_names(node: Node, table: Any) -> Any:
    reads = {part.value: part for part in node.walk() if part.op == "name"}
    joined = ibis.literal("")
    for name in sorted(reads):
        joined = joined + ibis_value(reads[name], table).isnull().ifelse(f",{name}", "")
    everything = ",".join(sorted(reads))
    return (joined == "").ifelse(everything, joined.substr(1))


def first_match(branches: Sequence[Branch]) -> FirstMatch:
    """A first-match table of the branches, in their order; refuses a branch that can never be known."""
    for branch in branches:
        if not branch.condition.reads and branch.when_unknown == "refer" and branch.condition.python()({}) is None:
            raise BadDefinition(f"Branch '{branch.id}' is not known for any row: {branch.condition.text}.")
    return FirstMatch(tuple(branches))
