"""Order follows reading: what is read is computed before its reader, and a circle is refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from backbook.errors import BadDefinition


class Circle(Exception):
    """Definitions that read each other round in a ring; `path` ends where it begins."""

    def __init__(self, path: Sequence[str]) -> None:
        self.path = list(path)
        super().__init__(" → ".join(path))


def in_order(reads: Mapping[str, Iterable[str]]) -> list[str]:
    """The keys so that each stands after those it reads, else as they were written; raises Circle.

    >>> in_order({"tag": ["score"], "score": ["feature"], "feature": []})
    ['feature', 'score', 'tag']
    """
    done: dict[str, None] = {}
    for start in reads:
        path: list[str] = []
        _visit(start, reads, done, path)
    return list(done)


def _visit(key: str, reads: Mapping[str, Iterable[str]], done: dict[str, None], path: list[str]) -> None:
    if key in done or key not in reads:
        return
    if key in path:
        raise Circle([*path[path.index(key) :], key])
    path.append(key)
    for read in sorted(reads[key]):
        _visit(read, reads, done, path)
    path.pop()
    done[key] = None


@dataclass(frozen=True)
class Link:
    """One definition in the chain of reading: the columns it gives and the columns it reads.

    Columns are written `account.NAME` and `customer.NAME`, so that both grains stand in one chain.
    """

    kind: str
    id: str
    gives: frozenset[str]
    reads: frozenset[str]

    @property
    def label(self) -> str:
        return f"{self.kind} '{self.id}'"


def order(links: Sequence[Link]) -> list[Link]:
    """The scores, tags and segments in the order in which they must be applied.

    Raises BadDefinition that names the circle when there is one.
    """
    by_label = {link.label: link for link in links}
    giver = {name: link.label for link in links for name in link.gives}
    reads = {link.label: {giver[name] for name in link.reads if name in giver} for link in links}
    try:
        return [by_label[label] for label in in_order(reads)]
    except Circle as circle:
        raise BadDefinition(
            f"These read one another in a circle: {' → '.join(circle.path)}. One of them must do without the next."
        ) from None
