"""Control files: what the sender says a file holds, compared with what was read.

An empty marker (`.ok`, `.flg`) only says that the file is complete. A file with a layout says how many rows there are
and what their sums are. Where the two disagree nothing of the file is believed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from backbook.errors import BadData
from backbook.sources.inputs import PACKED, Input

if TYPE_CHECKING:
    from backbook.sources.read import RawFile

AGAIN = "It was cut off or is another delivery: ask for it again."


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


def summed_columns(input: Input) -> tuple[str, ...]:
    """Columns whose sums the control file tells."""
    words = [word for word in input.control_layout if word.startswith("sum ")]
    return tuple(word.removeprefix("sum ").strip() for word in words)


def control_faults(input: Input, file: RawFile, sums: Mapping[str, Decimal | None]) -> list[str]:
    """What the control file says otherwise than the file holds; `sums` are the file's own."""
    control = control_path(input, file.path)
    if control is None:
        return []
    faults = []
    for word, value in said(input, file.path).items():
        if word == "file" and value not in (file.path.name, file.path.name.removesuffix(".gz")):
            faults.append(f"The control file {control.name} speaks of {value!r}, not of {file.path.name}.")
        if word == "rows" and _number(value) != file.rows:
            faults.append(
                f"The control file {control.name} says {value} rows; {file.name} holds {file.rows:,} "
                f"({file.parsed:,} read, {file.rejected:,} rejected). {AGAIN}"
            )
        column = word.removeprefix("sum ").strip()
        # Without the rejected lines no sum can be right; the lines themselves are told already.
        if word.startswith("sum ") and not file.rejected and _number(value) != (sums.get(column) or 0):
            faults.append(
                f"The control file {control.name} says {value} for the sum of {column}; {file.name} sums to "
                f"{sums.get(column) or 0:,.2f}. {AGAIN}"
            )
    return faults


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", "").strip())
    except InvalidOperation:
        return None
