"""Mappings run over their inputs: rows in the bank's meaning and the contract's names, not yet judged."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from backbook.engine import Engine
from backbook.errors import BadDefinition, Fault
from backbook.expressions import Type
from backbook.sources.attributes import Attribute, read_attributes
from backbook.sources.contract import TABLES
from backbook.sources.inputs import Input, read_inputs
from backbook.sources.mapping import Mapping as SourceMapping
from backbook.sources.mapping import column_faults, read_mapping
from backbook.sources.read import PLACES, read
from backbook.sources.table import Column
from backbook.workspace import Workspace


def definitions(workspace: Workspace) -> tuple[dict[str, Input], list[SourceMapping], dict[str, Attribute]]:
    """Inputs, mappings in the order of the contract, attributes. Raises BadDefinition with everything that is wrong."""
    inputs, faults = read_inputs(workspace.settings, workspace.path)
    attributes, wrong = read_attributes(workspace.items("attribute"))
    faults += wrong
    mappings = []
    for source in workspace.mappings():
        mapping, wrong = read_mapping(source, workspace.settings.inputs)
        faults += wrong
        mappings += [mapping] if mapping else []
    faults += twice(mappings)
    if faults:
        raise BadDefinition(faults=sorted(faults))
    order = list(TABLES)
    mappings.sort(key=lambda mapping: (order.index(mapping.table.name), mapping.name))
    return inputs, mappings, {one.id: one for one in attributes}


def twice(mappings: Sequence[SourceMapping]) -> list[Fault]:
    """A column of two wide tables would mean two things."""
    first: dict[str, SourceMapping] = {}
    faults = []
    keys = {column.name for column in TABLES["attribute"]}
    for mapping in mappings:
        for column in mapping.gives if mapping.table.name == "attribute" else ():
            owner = first.setdefault(column, mapping)
            if owner is not mapping and column not in keys and column not in PLACES:
                found = f"gives '{column}', which {owner.source.file} gives already."
                faults.append(Fault(mapping.source.file, None, found, "Give one of them another name."))
    return faults


def bind(
    engine: Engine, mapping: SourceMapping, tables: Mapping[str, Any], columns: Mapping[str, Sequence[str]]
) -> Any:
    """The mapping's rows. Raises BadDefinition that names the file, the column and what is possible."""
    try:
        rows = engine.sql(mapping.query, tables)
    except Exception as error:
        if type(error).__module__.partition(".")[0] == "backbook":
            raise
        raise BadDefinition(faults=[_engine_fault(mapping, columns, error)]) from error
    faults = list(column_faults(mapping.source, mapping.table, list(rows.columns)))
    if faults:
        raise BadDefinition(faults=faults)
    return rows


def columns_of(mapping: SourceMapping, given: Sequence[str], attributes: Mapping[str, Attribute]) -> tuple[Column, ...]:
    """The typed columns of the mapping's table: the contract's, and for a wide table its own (undeclared ones as text)."""
    contract = mapping.table.columns
    if mapping.table.name != "attribute":
        return contract
    known = {column.name for column in contract} | set(PLACES)
    own = [column for column in given if column.lower() not in known]
    return (
        *contract,
        *(attributes[one].column if one in attributes else Column(one, Type.TEXT, one, one, free=True) for one in own),
    )


@contextmanager
def mapped_rows(workspace: Workspace, mapping: SourceMapping, inputs: Mapping[str, Input]) -> Iterator[Any]:
    """All rows of one mapping, read anew, for looking at them outside a load."""
    workspace.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="look-", dir=workspace.out) as scratch:
        raws = {name: read(workspace.engine, inputs[name], Path(scratch)) for name in mapping.reads}
        tables = {name: raw.table for name, raw in raws.items()}
        yield bind(workspace.engine, mapping, tables, {name: raw.columns for name, raw in raws.items()})


def _engine_fault(mapping: SourceMapping, columns: Mapping[str, Sequence[str]], error: Exception) -> Fault:
    text = str(error)
    missing = re.search(r'(?:Referenced column|Table "\w+" does not have a column named|column named) "([^"]+)"', text)
    if missing:
        wanted = missing[1]
        possible = [column for names in columns.values() for column in names]
        close = get_close_matches(wanted, possible, n=1, cutoff=0.5)
        inputs = " and ".join(f"'{name}'" for name in columns)
        hint = f"Did you mean '{close[0]}'?" if close else f"Columns: {', '.join(possible)}."
        found = f"reads the column '{wanted}', which input {inputs} does not have."
        return Fault(mapping.source.file, _line(mapping.source.text, wanted), found, hint)
    said = re.sub(r"^\w+ Error: ", "", text.strip().splitlines()[0])
    at = re.search(r"LINE (\d+)", text)
    return Fault(
        mapping.source.file, int(at[1]) if at and "\n" in mapping.source.text else None, f"does not run: {said}"
    )


def run_fault(mapping_name: str, file: str, error: Exception) -> Fault:
    """A mapping that stopped at a value while it ran."""
    said = re.sub(r"^\w+ Error: ", "", str(error).strip().splitlines()[0])
    said = re.sub(r"\d{9,}(\d{4})", r"…\1", said)
    return Fault(
        file, None, f"stopped at a value: {said}",
        "Leave the column as text and the load converts it, row by row, with a reason for what does not fit; or use TRY_CAST.",
    )  # fmt: skip


def _line(text: str, word: str) -> int | None:
    for number, line in enumerate(text.splitlines(), start=1):
        if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", line):
            return number
    return None
