"""From pairs to people: which records are one person, given pairs, rules and what people have ruled.

Three steps, each of which may only join what the steps before left open: rulings, the newest first; sure rules;
then groups join by the mean weight over all pairs of their records, the likeliest first (average linkage), so that
one chance likeness does not chain two people together. Every step asks the same three vetoes: a ruling that keeps
two records apart, a conflict (one document, two birth dates), and the size beyond which no person has records.

The same records, pairs and rulings give the same people, in whatever order they came.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from backbook.customer.identity.linkage import FLOOR

Array = np.ndarray[Any, Any]
# Many pairs that each look a little alike say more than one: a bit for each doubling, up to this.
MOST_FOR_MANY = 4.0
MERGE, APART = "merge", "apart"
RULED, CONFLICT, TOO_MANY = "apart", "conflict", "too_many"


@dataclass(frozen=True)
class Ruled:
    """What a person ruled about two records (ids)."""

    kind: str
    left: int
    right: int
    ruling: str


@dataclass
class Groups:
    """`of[id]` is the least id of the person's records; `refused` names joins that a veto stopped: (left, right, why)."""

    of: Array
    refused: list[tuple[int, int, str]] = field(default_factory=list)


class _Union:
    """Disjoint sets whose name is their least member, with those that must stay apart."""

    def __init__(self, n: int, most: int) -> None:
        self.parent = list(range(n))
        self.size = [1] * n
        self.most = most
        self.members: dict[int, list[int]] = {}
        self.foes: dict[int, list[tuple[int, str]]] = defaultdict(list)
        self.refused: dict[tuple[int, int], str] = {}

    def find(self, a: int) -> int:
        parent = self.parent
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        return a

    def keep_apart(self, a: int, b: int, why: str) -> None:
        if self.find(a) != self.find(b):
            self.foes[self.find(a)].append((b, why))
            self.foes[self.find(b)].append((a, why))

    def veto(self, a: int, b: int) -> str | None:
        """Why the groups with these names may not be one."""
        few, other = (a, b) if len(self.foes.get(a, ())) <= len(self.foes.get(b, ())) else (b, a)
        for foe, why in self.foes.get(few, ()):
            if self.find(foe) == other:
                return why
        return TOO_MANY if self.size[a] + self.size[b] > self.most else None

    def join(self, left: int, right: int) -> bool:
        a, b = self.find(left), self.find(right)
        if a == b:
            return True
        why = self.veto(a, b)
        if why:
            self.refused.setdefault((min(left, right), max(left, right)), why)
            return False
        a, b = min(a, b), max(a, b)
        self.parent[b] = a
        self.size[a] += self.size[b]
        if b in self.foes:
            self.foes[a] += self.foes.pop(b)
        return True


def grouped(
    n: int,
    left: Array,
    right: Array,
    weight: Array,
    *,
    sure: Array,
    conflicts: Iterable[tuple[int, int]] = (),
    ruled: Sequence[Ruled] = (),
    link: float,
    most: int,
) -> Groups:
    """The people among records 0 … n - 1.

    `left`, `right`, `weight` (bits): the pairs above FLOOR; a pair that is not there weighs FLOOR. `sure` marks pairs
    that a rule joins. `conflicts` may not be joined by us, only by a ruling. `ruled` comes newest first: what an older
    ruling says against a newer one is void. `link` is the weight from which two single records are one person.
    """
    union = _Union(n, most)
    apart = []
    for each in ruled:
        if each.kind == APART:
            union.keep_apart(each.left, each.right, RULED)
            apart.append(each)
        else:
            union.join(each.left, each.right)
    for a, b in conflicts:
        union.keep_apart(a, b, CONFLICT)
    order = np.lexsort((right[sure], left[sure], -weight[sure]))
    for a, b in zip(left[sure][order].tolist(), right[sure][order].tolist(), strict=True):
        union.join(a, b)
    _by_weight(union, n, left, right, weight, link)
    of = np.fromiter((union.find(id) for id in range(n)), np.int64, n)
    refused = [(a, b, why) for (a, b), why in sorted(union.refused.items()) if of[a] != of[b]]
    return Groups(of, refused)


def _by_weight(union: _Union, n: int, left: Array, right: Array, weight: Array, link: float) -> None:
    names = np.fromiter((union.find(id) for id in range(n)), np.int64, n)
    a, b, total, pairs = _between(names, left, right, np.maximum(weight, FLOOR))
    sizes = np.asarray(union.size)
    # Only groups that some chain of likely pairs connects can ever join.
    likely = _score(total, pairs, sizes[a], sizes[b]) > link
    best = np.maximum(total / np.maximum(pairs, 1), FLOOR)
    chained = likely | (best > link - MOST_FOR_MANY)
    part = connected(a[chained], b[chained], n)
    inside = part[a] == part[b]
    a, b, total, pairs, likely = a[inside], b[inside], total[inside], pairs[inside], likely[inside]
    alone = np.bincount(part[a], minlength=part.max(initial=0) + 1)[part[a]] == 1
    for x, y in zip(a[alone & likely].tolist(), b[alone & likely].tolist(), strict=True):
        union.join(x, y)
    _Agglomeration(union, link).run(a[~alone], b[~alone], total[~alone], pairs[~alone])


def connected(a: Array, b: Array, n: int) -> Array:
    """The component of each of n nodes under these edges."""
    part: Array = connected_components(coo_matrix((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)[1]
    return part


def _between(names: Array, left: Array, right: Array, weight: Array) -> tuple[Array, Array, Array, Array]:
    """Pairs of groups with the sum and the number of the weighed pairs between them."""
    a, b = names[left], names[right]
    a, b = np.minimum(a, b), np.maximum(a, b)
    other = a != b
    key = a[other] * np.int64(len(names)) + b[other]
    found, place = np.unique(key, return_inverse=True)
    total = np.bincount(place, weight[other], minlength=len(found))
    pairs = np.bincount(place, minlength=len(found))
    return found // len(names), found % len(names), total, pairs


def _score(total: Any, pairs: Any, size: Any, other: Any) -> Any:
    """Mean weight over all pairs of two groups, those that never met at FLOOR, and what many pairs add."""
    all_pairs = size * other
    return (total + (all_pairs - pairs) * FLOOR) / all_pairs + np.minimum(np.log2(all_pairs), MOST_FOR_MANY)


class _Agglomeration:
    """Average linkage over the sparse graph of groups, the likeliest pair first, ties by id."""

    def __init__(self, union: _Union, link: float) -> None:
        self.union = union
        self.link = link
        self.near: dict[int, dict[int, tuple[float, int]]] = defaultdict(dict)
        self.heap: list[tuple[float, int, int, int, int]] = []

    def run(self, a: Array, b: Array, total: Array, pairs: Array) -> None:
        for x, y, bits, count in zip(a.tolist(), b.tolist(), total.tolist(), pairs.tolist(), strict=True):
            self.near[x][y] = self.near[y][x] = (bits, count)
        for x in sorted(self.near):
            for y in self.near[x]:
                if x < y:
                    self._offer(x, y)
        union, size = self.union, self.union.size
        while self.heap:
            _, x, y, size_x, size_y = heapq.heappop(self.heap)
            if union.parent[x] != x or union.parent[y] != y or (size[x], size[y]) != (size_x, size_y):
                continue
            if union.join(x, y):
                self._merge(min(x, y), max(x, y))

    def _offer(self, x: int, y: int) -> None:
        bits, count = self.near[x][y]
        size = self.union.size
        score = _score(bits, count, size[x], size[y])
        if score > self.link:
            x, y = min(x, y), max(x, y)
            heapq.heappush(self.heap, (-round(float(score), 9), x, y, size[x], size[y]))

    def _merge(self, x: int, y: int) -> None:
        """Group y has become part of x: their neighbours are x's."""
        mine, theirs = self.near[x], self.near.pop(y)
        del mine[y]
        del theirs[x]
        for other, (bits, count) in theirs.items():
            del self.near[other][y]
            before, met = mine.get(other, (0.0, 0))
            mine[other] = self.near[other][x] = (bits + before, count + met)
        for other in mine:
            self._offer(x, other)
