"""What a name reads and what reads it, from the bank's raw files up to the strategies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backbook.customer.profile import OWNER
from backbook.customer.relations import MADE_OF
from backbook.errors import BadDefinition
from backbook.expressions.names import nearest
from backbook.run.freeze import Frozen, read
from backbook.workspace import Workspace


@dataclass(frozen=True)
class Node:
    """One thing with a name: `kind` is input, mapping, table, attribute, feature, …, strategy."""

    kind: str
    id: str
    zh: str = ""
    en: str = ""
    # Columns that it gives under other names, such as a score's grade.
    gives: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.kind} {self.id}"


@dataclass(frozen=True)
class Lineage:
    """Around one node: what it reads and what reads it, directly and through others, nearest first."""

    node: Node
    reads: tuple[tuple[int, Node], ...]
    read_by: tuple[tuple[int, Node], ...]

    def as_json(self) -> dict[str, Any]:
        def listed(steps: Iterable[tuple[int, Node]]) -> list[dict[str, Any]]:
            return [{"steps": step, **vars(node)} for step, node in steps]

        return {**vars(self.node), "reads": listed(self.reads), "read_by": listed(self.read_by)}


def lineage(workspace: Workspace, name: str) -> Lineage:
    """The lineage of a name in either language; raises BadDefinition when nothing has it."""
    nodes, edges = graph(read(workspace)[0])
    found = [node for node in nodes.values() if name in (node.id, node.key, node.zh, node.en, *node.gives)]
    if not found:
        words = sorted({word for node in nodes.values() for word in (node.id, node.zh, *node.gives) if word})
        close = nearest(name, words)
        raise BadDefinition(f"Nothing here is called '{name}'." + (f" Did you mean '{close}'?" if close else ""))
    if len(found) > 1:
        raise BadDefinition(
            f"'{name}' is the name of several things. Write one of: {', '.join(repr(node.key) for node in found)}."
        )
    back: dict[str, set[str]] = {}
    for reader, reads in edges.items():
        for each in reads:
            back.setdefault(each, set()).add(reader)
    node = found[0]
    return Lineage(node, _around(node.key, edges, nodes), _around(node.key, back, nodes))


def _around(start: str, edges: Mapping[str, Iterable[str]], nodes: Mapping[str, Node]) -> tuple[tuple[int, Node], ...]:
    """Breadth first, so that the direct ones stand first."""
    seen = {start}
    level, step = [start], 0
    found: list[tuple[int, Node]] = []
    while level:
        step += 1
        level = sorted({each for key in level for each in edges.get(key, ())} - seen)
        seen |= set(level)
        found += [(step, nodes[key]) for key in level]
    return tuple(found)


def graph(frozen: Frozen) -> tuple[dict[str, Node], dict[str, set[str]]]:
    """Every named thing, and which things each of them reads."""
    nodes: dict[str, Node] = {}
    edges: dict[str, set[str]] = {}

    def add(
        kind: str, id: str, reads: Iterable[str] = (), zh: str = "", en: str = "", gives: Iterable[str] = ()
    ) -> None:
        node = Node(kind, id, zh, en, tuple(gives))
        nodes[node.key] = node
        edges.setdefault(node.key, set()).update(reads)

    for name in frozen.inputs:
        add("input", name)
    for mapping in frozen.mappings:
        add("mapping", mapping.name, [f"input {name}" for name in mapping.reads])
    for mapping in frozen.mappings:
        table = mapping.table
        add("table", table.name, [f"mapping {mapping.name}"], table.zh, table.en)
    gives = _givers(frozen)
    for attribute in frozen.attributes:
        add(
            "attribute",
            attribute.id,
            ["table attribute"] if "table attribute" in nodes else [],
            attribute.zh,
            attribute.en,
        )
    for lookup in frozen.lookups:
        add("lookup", lookup.id, [], lookup.zh, lookup.en)
    for kind, features in (("feature", frozen.features), ("outcome", frozen.outcomes)):
        for feature in features:
            measured = [f"table {feature.table}"] if feature.table else []
            for key in measured:
                if key not in nodes:
                    made_of = [f"table {name}" for name in MADE_OF.get(str(feature.table), ())]
                    add("table", str(feature.table), [each for each in made_of if each in nodes])
            of_attributes = [
                f"attribute {column}"
                for column in feature.columns
                if f"attribute {column}" in nodes and feature.table == "attribute"
            ]
            looked = [f"lookup {each.id}" for each in feature.lookups]
            add(
                kind,
                feature.id,
                [*measured, *of_attributes, *looked, *_keys(feature.reads, gives)],
                feature.zh,
                feature.en,
            )
    for tag in frozen.tags:
        add("tag", tag.id, _keys(tag.reads, gives), tag.zh, tag.en)
    for segment in frozen.segments:
        add("segment", segment.id, _keys(segment.reads, gives), segment.zh, segment.en)
    for score in frozen.scores:
        outcomes = [f"outcome {name}" if f"outcome {name}" in nodes else f"attribute {name}" for name in score.outcomes]
        columns = [word for name in score.yields for word in (name.name, name.zh, name.en)]
        asked = [each.reads for each in (score.population, score.exclusions) if each is not None]
        read = score.reads.union(*asked)
        add("score", score.id, [*_keys(read, gives), *outcomes], score.zh, score.en, columns)
    for strategy in frozen.strategies:
        add("strategy", strategy.id, _keys(strategy.reads, gives), strategy.label.zh, strategy.label.en)
    return nodes, edges


def _givers(frozen: Frozen) -> dict[str, str]:
    """column → the thing that gives it."""
    found = {feature.id: f"feature {feature.id}" for feature in frozen.features}
    found |= {attribute.id: f"attribute {attribute.id}" for attribute in frozen.attributes}
    found |= {tag.id: f"tag {tag.id}" for tag in frozen.tags}
    found |= {segment.id: f"segment {segment.id}" for segment in frozen.segments}
    found |= {name.name: f"score {score.id}" for score in frozen.scores for name in score.yields}
    return found


def _keys(names: Iterable[str], gives: Mapping[str, str]) -> list[str]:
    bare = (name.removeprefix(OWNER) for name in names)
    return [gives[name] for name in bare if name in gives]
