"""Do the mappings fit the files that lie there? Only headers are read, no rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from backbook.errors import BadData, BadDefinition, Fault
from backbook.sources.inputs import Input
from backbook.sources.mapped import bind, twice
from backbook.sources.mapping import Mapping as SourceMapping
from backbook.sources.read import PLACES, header
from backbook.workspace import SETTINGS_FILE, Workspace


def check_inputs(workspace: Workspace, inputs: Mapping[str, Input], mappings: Sequence[SourceMapping]) -> list[Fault]:
    """What is wrong between inputs and mappings: files that are not there, columns that they do not have."""
    faults = twice(mappings)
    columns: dict[str, Sequence[str]] = {}
    for name, input in inputs.items():
        try:
            columns[name] = header(input)
        except BadData as refusal:
            faults.append(Fault(SETTINGS_FILE, input.line, str(refusal)))
    for mapping in mappings:
        if all(name in columns for name in mapping.reads):
            faults += _binding(workspace, mapping, {name: columns[name] for name in mapping.reads})
    return faults


def _binding(workspace: Workspace, mapping: SourceMapping, columns: Mapping[str, Sequence[str]]) -> list[Fault]:
    engine = workspace.engine
    with engine.scope():
        tables = {name: engine.table(_empty(given)) for name, given in columns.items()}
        try:
            bind(engine, mapping, tables, columns)
        except BadDefinition as refusal:
            return list(refusal.faults)
    return []


def _empty(columns: Sequence[str]) -> pa.Table:
    types = dict(zip(PLACES, (pa.string(), pa.int64(), pa.date32()), strict=True))
    return pa.schema([*((name, pa.string()) for name in columns), *types.items()]).empty_table()
