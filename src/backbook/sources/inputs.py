"""Raw inputs as named in backbook.toml: where a delivery lies and how its text is to be read.

[inputs.posted]
path = "${BACKBOOK_DATA}/posted/*.txt.gz"   a file, a folder or a glob; environment variables expand
format = "text"                             text, xlsx or parquet; guessed by the ending
encoding = "gb18030"                        utf-8 (also with BOM), gbk, gb18030, utf-16 or auto
separator = "|+|"                           up to four bytes; "\\u0001" and "\\t" too
header = false
columns = ["acct_no", "amt"]                needed without a header; with one, they stand in its place
quote = ""                                  none; the default is the double quote
null = ["\\\\N"]                              what stands for null besides nothing at all
sheet = "2026"                              of a workbook; the default is the first
member = "full/*.csv"                       of a zip that holds several files; the default is all of them
control = "{stem}.ctl"                      the control file beside each file: {name}, {stem}
control_layout = ["file", "rows", "sum amt"]
known_on = "posted_{date}.txt.gz"           the day in the file's name: {date} is 8 digits, or YYYY-MM-DD
delivery = "increment"                      only new or changed files are read; the default is extract
table = "attribute"                         its columns bear the contract's own names: no mapping is needed
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from backbook.errors import BadData, Fault
from backbook.workspace import Settings

FORMATS = ("text", "xlsx", "parquet")
ENCODINGS = ("utf-8", "gbk", "gb18030", "utf-16", "auto")
DELIVERIES = ("extract", "increment")
ENDINGS = {".xlsx": "xlsx", ".xlsm": "xlsx", ".parquet": "parquet", ".pq": "parquet"}
PACKED = (".gz", ".zip")
KINDS: Mapping[str, type | tuple[type, ...]] = {
    "path": str,
    "format": str,
    "encoding": str,
    "separator": str,
    "header": bool,
    "columns": list,
    "quote": str,
    "null": (str, list),
    "sheet": str,
    "member": str,
    "control": str,
    "control_layout": list,
    "control_separator": str,
    "known_on": str,
    "delivery": str,
    "table": str,
}
VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Input:
    """One raw input; `folder` is the workspace, against which a relative path is read."""

    name: str
    path: str
    folder: Path
    format: str | None = None
    encoding: str = "utf-8"
    separator: str = ","
    header: bool = True
    columns: tuple[str, ...] = ()
    quote: str = '"'
    null: tuple[str, ...] = ("",)
    sheet: str | None = None
    member: str | None = None
    control: str | None = None
    control_layout: tuple[str, ...] = ()
    control_separator: str = "|"
    known_on: str | None = None
    delivery: str = "extract"
    table: str | None = None
    line: int | None = field(default=None, compare=False)

    def canonical(self) -> dict[str, Any]:
        """What the input means, without where the workspace lies."""
        plain = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("folder", "line")}
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in plain.items() if value is not None
        }

    @property
    def base(self) -> Path:
        """The folder below which the files are told apart by name."""
        path = self._expanded()
        while any(sign in path.name for sign in "*?[") or any(sign in str(path.parent) for sign in "*?["):
            path = path.parent
        return path if path.is_dir() else path.parent

    def files(self) -> list[Path]:
        """The files delivered, in the order of their names. Raises BadData when there is none."""
        path = self._expanded()
        if any(sign in str(path) for sign in "*?["):
            found = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor) if path.anchor else path)))
        elif path.is_dir():
            found = sorted(path.rglob("*"))
        else:
            found = [path] if path.is_file() else []
        files = [
            file
            for file in found
            if file.is_file() and not file.name.startswith((".", "_")) and not self._is_control(file)
        ]
        if not files:
            raise BadData(f"Input '{self.name}' finds no file at {self.path}. {self._nearby(path)}")
        return files

    def file_name(self, file: Path) -> str:
        """The file's name below `base`: what tells it apart from the input's other files."""
        return file.relative_to(self.base).as_posix() if file.is_relative_to(self.base) else file.name

    def format_of(self, file: Path) -> str:
        ending = Path(file.name.removesuffix(".gz")).suffix.lower()
        return self.format or ENDINGS.get(ending, "text")

    def known_on_of(self, name: str) -> date | None:
        """The day that the pattern `known_on` finds in a file's name. Raises BadData when it finds none."""
        if self.known_on is None:
            return None
        pattern = re.escape(self.known_on).replace(r"\{date\}", r"(\d{4})[-_]?(\d\d)[-_]?(\d\d)").replace(r"\*", ".*")
        found = re.search(pattern, name)
        try:
            return date(*(int(part) for part in found.groups())) if found else self._no_date(name)
        except ValueError:
            return self._no_date(name)

    def _no_date(self, name: str) -> date:
        raise BadData(
            f"Input '{self.name}': no date is found in the file name '{name}' by known_on = \"{self.known_on}\". "
            'Write {date} where the day stands, such as known_on = "posted_{date}".'
        )

    def _is_control(self, file: Path) -> bool:
        if not self.control:
            return False
        ending = "".join(re.findall(r"\.\w+$", self.control))
        return bool(ending) and file.name.endswith(ending)

    def _expanded(self) -> Path:
        missing = [name for pair in VARIABLE.findall(self.path) for name in pair if name and name not in os.environ]
        if missing:
            raise BadData(
                f"Input '{self.name}' reads ${{{missing[0]}}}, which is not set in the environment. "
                f"Set {missing[0]} to the folder of the data, or write the path in backbook.toml."
            )
        path = Path(VARIABLE.sub(lambda found: os.environ[found[1] or found[2]], self.path)).expanduser()
        # A relative BACKBOOK_DATA means what it means to the shell; all else starts at the workspace.
        if path.is_absolute():
            return path
        return path.resolve() if VARIABLE.match(self.path) else (self.folder / path)

    def _nearby(self, path: Path) -> str:
        while any(sign in str(path) for sign in "*?["):
            path = path.parent
        folder = path if path.is_dir() else path.parent
        if not folder.is_dir():
            return f"There is no folder {folder.name!r}."
        there = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
        close = get_close_matches(path.name, there, n=1)
        if close:
            return f"Did you mean '{close[0]}'?"
        return f"The folder '{folder.name}' holds: {', '.join(there[:5]) or 'nothing'}{' …' if len(there) > 5 else ''}."


def read_inputs(settings: Settings, folder: Path) -> tuple[dict[str, Input], list[Fault]]:
    """Every input of the settings, and all that is wrong with what was written."""
    inputs: dict[str, Input] = {}
    faults: list[Fault] = []
    for name, written in settings.inputs.items():
        wrong = list(_faults(settings, name, written))
        faults += wrong
        if not wrong:
            inputs[name] = _input(settings, name, written, folder)
    return inputs, faults


def _input(settings: Settings, name: str, written: Mapping[str, Any], folder: Path) -> Input:
    values = dict(written)
    nulls = values.pop("null", [])
    for key in ("columns", "control_layout"):
        if key in values:
            values[key] = tuple(str(value) for value in values[key])
    return Input(
        name=name,
        folder=folder,
        null=tuple(dict.fromkeys(["", *([nulls] if isinstance(nulls, str) else map(str, nulls))])),
        line=settings.line(f"inputs.{name}"),
        **values,
    )


def _faults(settings: Settings, name: str, written: Any) -> Any:
    def fault(key: str, found: str, possible: str) -> Fault:
        return settings.fault(f"inputs.{name}.{key}" if key else f"inputs.{name}", f"input '{name}' {found}", possible)

    if not isinstance(written, Mapping):
        return
    if not NAME.fullmatch(name):
        yield fault("", "is no name for SQL.", "Use letters, digits and underscores.")
    for key, value in written.items():
        if key not in KINDS:
            close = get_close_matches(key, KINDS, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else f"Possible: {', '.join(KINDS)}."
            yield fault(key, f"has '{key}', which is not known.", hint)
        elif not isinstance(value, KINDS[key]):
            yield fault(key, f"has {key} = {value!r}.", f"Write a {_kind_word(KINDS[key])}.")
    if "path" not in written:
        yield fault("", "has no path.", 'Write path = "raw/FILE.csv".')
    for key, possible in (("format", FORMATS), ("encoding", ENCODINGS), ("delivery", DELIVERIES)):
        if isinstance(written.get(key), str) and written[key] not in possible:
            yield fault(key, f"has {key} = {written[key]!r}.", f"Possible: {', '.join(possible)}.")
    if written.get("header") is False and not written.get("columns"):
        yield fault("header", "has no header and no columns.", 'Name them: columns = ["acct_no", …].')
    separator = written.get("separator", ",")
    if isinstance(separator, str) and not 1 <= len(separator.encode()) <= 4:
        yield fault("separator", f"has separator = {separator!r}.", "Write one to four bytes.")
    if isinstance(written.get("quote"), str) and len(written["quote"].encode()) > 1:
        yield fault("quote", f"has quote = {written['quote']!r}.", 'Write one character, or "" for none.')
    for position in written.get("control_layout", ()) if isinstance(written.get("control_layout"), list) else ():
        if str(position) not in ("rows", "file", "date", "-") and not str(position).startswith("sum "):
            yield fault(
                "control_layout",
                f"has '{position}' in its control_layout.",
                "Possible: file, date, rows, 'sum COLUMN', '-'.",
            )


def _kind_word(kind: type | tuple[type, ...]) -> str:
    words = {str: "text", bool: "true or false", list: "list"}
    return " or a ".join(words[one] for one in (kind if isinstance(kind, tuple) else (kind,)))
