"""Control files: what the sender says a file holds, compared with what was read.

An empty marker (`.ok`, `.flg`) only says that the file is complete. A file with a layout says how many rows there are
and what their sums are. Where the two disagree nothing of the file is believed.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from backbook.engine import Engine
from backbook.errors import BadData
from backbook.sources.convert import name, quoted
from backbook.sources.inputs import PACKED, Input


def control_path(input: Input, file: Path) -> Path | None:
    """Where the control file of `file` must lie; None when the input has none."""
    if input.control is None:
        return None
    plain = file.name
    for ending in PACKED:
        plain = plain.removesuffix(ending)
    written = input.control.replace("{name}", file.name).replace("{stem}", Path(plain).stem)
    return file.parent / written


def said(input: Input, file: Path) -> dict[str, str]:
    """What the control file says, by the words of `control_layout`. Raises BadData when it is not there."""
    control = control_path(input, file)
    if control is None:
        return {}
    if not control.is_file():
        raise BadData(
            f"{file.name} of input '{input.name}' has no control file {control.name}: the delivery is not complete. "
            "Wait for it, or take `control` out of backbook.toml."
        )
    if not input.control_layout:
        return {}
    text = control.read_bytes().decode("utf-8-sig", errors="replace").strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # One line for each file, or one line alone.
    line = next((one for one in lines if file.name in one), lines[0] if lines else "")
    fields = [field.strip() for field in re.split(re.escape(input.control_separator), line)]
    if len(fields) < len(input.control_layout):
        raise BadData(
            f"The control file {control.name} holds {line!r}; {len(input.control_layout)} fields were expected "
            f"({', '.join(input.control_layout)}, separated by {input.control_separator!r})."
        )
    return dict(zip(input.control_layout, fields, strict=False))


def says_empty(input: Input, file: Path) -> bool:
    """True when the control file says that there is nothing in the file."""
    return bool(input.control_layout) and _number(said(input, file).get("rows", "")) == 0


def check_controls(engine: Engine, input: Input, table: Any, files: Any) -> None:
    """Raises BadData with every file that holds something else than its control file says."""
    faults = [fault for file in files for fault in _faults(engine, input, table, file)]
    if faults:
        raise BadData("\n".join(faults))


def _faults(engine: Engine, input: Input, table: Any, file: Any) -> list[str]:
    control = control_path(input, file.path)
    words = said(input, file.path)
    found: list[str] = []
    if control is None:
        return found
    for word, value in words.items():
        if word == "file" and value not in (file.path.name, file.path.name.removesuffix(".gz")):
            found.append(f"The control file {control.name} speaks of {value!r}, not of {file.path.name}.")
        if word == "rows" and _number(value) != file.rows:
            found.append(
                f"The control file {control.name} says {value} rows; {file.name} holds {file.rows:,} "
                f"({file.parsed:,} read, {file.rejected:,} rejected). It was cut off or is another delivery: ask for it again."
            )
        if word.startswith("sum ") and not file.rejected:
            found += _sum_fault(engine, input, table, file, control, word.removeprefix("sum ").strip(), value)
    return found


def _sum_fault(
    engine: Engine, input: Input, table: Any, file: Any, control: Path, column: str, value: str
) -> list[str]:
    if column not in table.columns:
        return [f"control_layout of input '{input.name}' sums '{column}', which {file.name} does not have."]
    total = engine.rows(
        engine.sql(
            f"SELECT coalesce(sum(TRY_CAST({name(column)} AS DECIMAL(38,4))), 0) AS total FROM t WHERE _file = {quoted(file.name)}",
            {"t": table},
        )
    )[0]["total"]
    if _number(value) == total:
        return []
    return [
        f"The control file {control.name} says {value} for the sum of {column}; {file.name} sums to {total:,.2f}. "
        "It was cut off or is another delivery: ask for it again."
    ]


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", "").strip())
    except InvalidOperation:
        return None
