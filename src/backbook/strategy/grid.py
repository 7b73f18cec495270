"""A decision grid: risk grade down, value tier across, one action per cell.

    table:
      rows: behaviour_grade
      columns: value_grade
      groups:                              # cells that share an action and its reasons
        active_positive: {action: increase, reasons: [LOW_RISK_HIGH_VALUE]}
      cells:
        A: {high: active_positive, low: passive_positive}

Each cell becomes a branch `GROUP_ROW_COLUMN`; a bank reads the grid, the machine reads branches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from backbook.expressions import Name, Type

_TABLE = ("rows", "columns", "groups", "cells", "when_unknown")

FaultAt = Callable[[str, str, str], None]


def spread(
    table: Mapping[str, Any], path: str, fault: FaultAt, column_of: Callable[[Any, str], Name | None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where it stands, branch as written) of each cell, row by row."""
    for key in table:
        if key not in _TABLE:
            fault(f"{path}.{key}", f"'{key}' is not known here.", f"Possible: {', '.join(_TABLE)}.")
    groups, cells = table.get("groups"), table.get("cells")
    if not isinstance(groups, Mapping) or not isinstance(cells, Mapping) or not cells:
        fault(path, "a grid needs 'groups:' and 'cells:'.", "Write cells: {A: {high: GROUP, low: GROUP}, …}.")
        return
    down, across = (column_of(table.get(side), f"{path}.{side}") for side in ("rows", "columns"))
    if down is None or across is None:
        return
    columns = _columns(cells, across)
    for row, entries in cells.items():
        below = f"{path}.cells.{row}"
        if not isinstance(entries, Mapping):
            fault(below, f"{entries!r} was found.", "Write one group for each column.")
            continue
        for column in columns:
            if column not in {_code(across, word) for word in entries}:
                fault(below, f"row {row} has no cell for {column}.", f"Every row has: {', '.join(columns)}.")
        for column, group in entries.items():
            if group not in groups:
                near = get_close_matches(str(group), list(groups), n=1)
                possible = f"Did you mean '{near[0]}'?" if near else f"Possible: {', '.join(groups)}."
                fault(f"{below}.{column}", f"there is no group '{group}'.", possible)
                continue
            place = f"{group}_{_part(down, row, list(cells))}_{_part(across, column, columns)}".lower()
            when = f"{_is(down, row)} and {_is(across, column)}"
            yield f"{below}.{column}", _branch(place, when, groups[group], table)


def _columns(cells: Mapping[str, Any], across: Name) -> list[str]:
    found: dict[str, None] = {}
    for entries in cells.values():
        found.update(dict.fromkeys(_code(across, word) for word in (entries if isinstance(entries, Mapping) else ())))
    return list(found)


def _branch(id_: str, when: str, group: Any, table: Mapping[str, Any]) -> dict[str, Any]:
    choice = dict(group) if isinstance(group, Mapping) else {"action": group}
    unknown = {"when_unknown": table["when_unknown"]} if "when_unknown" in table else {}
    return {"id": id_, "when": when, **choice, **unknown}


def _code(name: Name, word: str) -> str:
    """The level's code, by whichever of its names it was called."""
    return next((level.code for level in name.levels if word in (level.code, level.zh, level.en)), word)


def _part(name: Name, word: str, all_of_them: list[str]) -> str:
    """What stands for the level in the branch's id: its code, or its place where the code is no identifier."""
    code = _code(name, word)
    if re.fullmatch("[A-Za-z0-9_]+", code):
        return code
    return str([_code(name, each) for each in all_of_them].index(code) + 1)


def _is(name: Name, word: str) -> str:
    code = _code(name, word)
    return f"{name.name} = " + ("'" + code.replace("'", "''") + "'" if name.type == Type.TEXT else code)
