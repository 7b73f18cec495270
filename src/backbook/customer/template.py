"""One definition written for several values: `for: {n: [30, 90]}` turns `spend_{n}d` into two features.

A value may carry words of its own, so that both languages of a label stay in one place:
`for: {k: [{is: debit, zh: 支出, en: Spending}]}` with `{k}`, `{k.zh}` and `{k.en}`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from backbook.definitions import Item
from backbook.errors import Fault

_HOLE = re.compile(r"\{([a-z]+(?:\.[a-z]+)?)\}")


def expand(items: list[Item]) -> tuple[list[Item], list[Fault]]:
    """Every item once per combination of its values; where ids clash the workspace's own item stays."""
    written: dict[str, Item] = {}
    faults: list[Fault] = []
    for item in items:
        found, wrong = _one(item)
        faults += wrong
        for made in found:
            other = written.get(made.id)
            if other is None or (made.origin == "workspace" and other.origin != "workspace"):
                written[made.id] = made
            elif other.origin == made.origin or other.origin != "workspace":
                faults.append(
                    made.fault("id", f"stands already in {other.file}:{other.line()}.", "Give one of them another id.")
                )
    return list(written.values()), faults


def _one(item: Item) -> tuple[list[Item], list[Fault]]:
    values = item.data.get("for")
    if values is None:
        holes = set(_HOLE.findall(item.id))
        return ([item], []) if not holes else ([], [_unfilled(item, holes, ())])
    if not isinstance(values, Mapping) or not all(isinstance(listed, list) and listed for listed in values.values()):
        return [], [item.fault("for", f"'for' is {values!r}.", "Write it as for: {n: [30, 90]}.")]
    open_ = {hole.partition(".")[0] for hole in _HOLE.findall(item.id)}
    if open_ != set(values):
        return [], [_unfilled(item, open_ | set(values), tuple(values))]
    return [_filled(item, words) for words in _combinations(values)], []


def _unfilled(item: Item, holes: set[str], named: tuple[str, ...]) -> Fault:
    listed = ", ".join(f"{{{hole}}}" for hole in sorted(holes))
    return item.fault("id", f"has the places {listed}, and 'for' names {', '.join(named) or 'nothing'}.",
                      "Every value of 'for' must stand in the id, and every place in 'for'.")  # fmt: skip


def _combinations(values: Mapping[str, list[Any]]) -> Iterator[dict[str, str]]:
    for chosen in itertools.product(*values.values()):
        words: dict[str, str] = {}
        for name, value in zip(values, chosen, strict=True):
            if isinstance(value, Mapping):
                words[name] = str(value.get("is", ""))
                words.update({f"{name}.{key}": str(word) for key, word in value.items()})
            else:
                words[name] = str(value)
        yield words


def _filled(item: Item, words: Mapping[str, str]) -> Item:
    data = {key: _fill(value, words) for key, value in item.data.items() if key != "for"}
    return replace(item, id=data["id"], data=data)


def _fill(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _HOLE.sub(lambda hole: words.get(hole[1], hole[0]), value)
    if isinstance(value, Mapping):
        return {key: _fill(entry, words) for key, entry in value.items()}
    if isinstance(value, list):
        return [_fill(entry, words) for entry in value]
    return value
