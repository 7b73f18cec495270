"""A bank's folder: its settings, definitions, lake, key and engine. Nothing else finds them.

    my-bank/
      backbook.toml     settings and raw inputs
      backbook.key      the workspace's secrets, one a line; never in version control
      sources/          TABLE.NAME.sql mappings, attributes.yaml
      features.yaml outcomes.yaml tags.yaml segments.yaml   scores/   strategies/
      lake/             facts and what was derived from them
      out/              lists and reports of each run

Packs are inherited, not copied: an item of the workspace replaces the pack's item of the same kind and id.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from backbook import keys
from backbook.definitions import KINDS, Item, SourceMapping, read_items, read_mappings
from backbook.engine import Engine
from backbook.errors import BadDefinition, Fault, NotAllowed
from backbook.lake import Lake

PACKS = Path(__file__).parent / "packs"
SETTINGS_FILE = "backbook.toml"
KEY_FILE = "backbook.key"
LANGUAGES = ("zh", "en")

# Its names are the bank's own.
ANYTHING: frozenset[str] = frozenset()
# section → the settings it may hold; inputs are read by `sources`
KNOWN: dict[str, frozenset[str]] = {
    "book": frozenset({"name", "name_zh", "currency", "timezone", "language"}),
    "packs": ANYTHING,
    "load": frozenset({"reject_share", "stale_days"}),
    "engine": frozenset({"threads", "memory"}),
    "identity": frozenset({"trusted", "kept_phones", "link", "review", "most_records", "golden"}),
    "inputs": ANYTHING,
}


@dataclass(frozen=True)
class Pack:
    name: str
    version: str
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """What `backbook.toml` says, checked."""

    name: str = "Our card centre"
    name_zh: str = "我们的卡中心"
    currency: str = "CNY"
    timezone: str = "Asia/Shanghai"
    language: str = "zh"
    packs: tuple[Pack, ...] = ()
    reject_share: float = 0.01
    # A fact table that ends longer than this before as_of is stale.
    stale_days: int = 45
    threads: int | None = None
    memory: str | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    text: str = field(default="", repr=False)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def line(self, path: str) -> int | None:
        """The line of `inputs.NAME.key` (or of its section) in backbook.toml."""
        return _toml_line(self.text, path)

    def fault(self, path: str, found: str, possible: str = "") -> Fault:
        return Fault(SETTINGS_FILE, self.line(path), found, possible)


@dataclass(frozen=True)
class Bundle:
    """Every definition, checked and frozen under one hash: {kind: {id: canonical data}}."""

    content: Mapping[str, Mapping[str, Any]]

    @cached_property
    def hash(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def data(self) -> bytes:
        return canonical(self.content)

    def items(self, kind: str) -> list[Item]:
        return [
            Item(kind, id_, data, file=f"bundle {self.hash[:12]}")
            for id_, data in sorted(self.content.get(kind, {}).items())
        ]


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: the bytes that are hashed.

    >>> canonical({"b": 1, "a": "客"}).decode()
    '{"a":"客","b":1}'
    """
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


class Workspace:
    """One bank's folder, opened."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self.settings = settings

    @classmethod
    def open(cls, path: Path | str) -> Workspace:
        """Raises BadDefinition when the folder is no workspace or its settings are wrong."""
        folder = Path(path).resolve()
        file = folder / SETTINGS_FILE
        if not file.is_file():
            raise BadDefinition(
                f"{path} is not a workspace: it has no {SETTINGS_FILE}. `backbook init {path}` makes one."
            )
        settings, faults = read_settings(file.read_text(encoding="utf-8"))
        if faults:
            raise BadDefinition(faults=faults)
        return cls(folder, settings)

    @cached_property
    def engine(self) -> Engine:
        return Engine(threads=self.settings.threads, memory=self.settings.memory, scratch=self.out / "scratch")

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.path / "lake")

    @property
    def out(self) -> Path:
        return self.path / "out"

    @property
    def key_file(self) -> Path:
        named = os.environ.get("BACKBOOK_KEY_FILE")
        return Path(named) if named else self.path / KEY_FILE

    @property
    def key(self) -> bytes:
        """32 secret bytes for each key up to the one at which the lake stands (see `keys`).

        The first is made on first use, and none is ever replaced while a lake was built with it. Read anew each time:
        a long process must not go on under the key from before a rotation.
        """
        file, head = self.key_file, self.lake.head()
        if not file.exists():
            if os.environ.get("BACKBOOK_KEY_FILE") or head.number > 0:
                raise NotAllowed(
                    f"The key file {file.name} is missing, and the lake was built with it. Put it back; "
                    "with another key no record would be known again."
                )
            keys.make(file)
        return keys.standing(keys.read(file), head)

    @cached_property
    def _written(self) -> tuple[list[Item], list[SourceMapping], list[Fault]]:
        items, faults = read_items(self.path, "workspace")
        own = {(item.kind, item.id) for item in items}
        for pack in self.settings.packs:
            inherited, wrong = read_items(PACKS / pack.name, f"pack {pack.name}", f"packs/{pack.name}/")
            faults += wrong
            faults += _not_there(self.settings, pack, inherited)
            items += [
                item
                for item in inherited
                if (item.kind, item.id) not in own and f"{item.kind}:{item.id}" not in pack.leave_out
            ]
        mappings, wrong = read_mappings(self.path)
        plain = _plain_mappings(self.settings)
        wrong += [
            Fault(one.file, None, "maps what backbook.toml maps.", f"Take out table = \"{one.table}\" of [inputs.{one.name}], or the file.")
            for one in mappings
            if (one.table, one.name) in {(each.table, each.name) for each in plain}
        ]  # fmt: skip
        return items, [*mappings, *plain], faults + wrong

    def items(self, kind: str) -> list[Item]:
        """The pack's items and the workspace's own, in a stable order."""
        assert kind in KINDS, kind
        return [item for item in self._written[0] if item.kind == kind]

    def mappings(self) -> list[SourceMapping]:
        return self._written[1]

    def faults(self) -> list[Fault]:
        """What is wrong with the form of the files, before anything is read into them."""
        return self._written[2]

    def replacements(self) -> list[tuple[Item, Item]]:
        """(the pack's item, the workspace's item that replaces it)."""
        own = {(item.kind, item.id): item for item in read_items(self.path, "workspace")[0]}
        return [
            (item, own[item.kind, item.id])
            for pack in self.settings.packs
            for item in read_items(PACKS / pack.name, f"pack {pack.name}", f"packs/{pack.name}/")[0]
            if (item.kind, item.id) in own
        ]


def _plain_mappings(settings: Settings) -> list[SourceMapping]:
    """Inputs that say which table they are: their columns bear the contract's own names already."""
    return [
        SourceMapping(str(written["table"]), name, f"SELECT * FROM {name}", SETTINGS_FILE)
        for name, written in sorted(settings.inputs.items())
        if isinstance(written, Mapping) and "table" in written
    ]


def read_settings(text: str) -> tuple[Settings, list[Fault]]:
    """Settings and all that is wrong with them."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        return Settings(), [Fault(SETTINGS_FILE, int(place[1]) if place else None, f"is not TOML: {error}.")]
    faults = _unknown(data, text)
    book, load, engine = (data.get(section, {}) for section in ("book", "load", "engine"))
    packs, wrong = _packs(data.get("packs", {}), text)
    settings = Settings(
        **{key: book[key] for key in KNOWN["book"] if key in book},
        **{key: load[key] for key in KNOWN["load"] if key in load},
        **{key: engine[key] for key in KNOWN["engine"] if key in engine},
        packs=packs,
        identity=data.get("identity", {}),
        inputs=data.get("inputs", {}),
        text=text,
    )
    return settings, faults + wrong + _wrong_values(settings)


def _unknown(data: Mapping[str, Any], text: str) -> list[Fault]:
    faults = []
    for section, entries in data.items():
        if section not in KNOWN:
            faults.append(
                Fault(
                    SETTINGS_FILE,
                    _toml_line(text, section),
                    f"[{section}] is not known.",
                    f"Possible: {', '.join(KNOWN)}.",
                )
            )
            continue
        possible = KNOWN[section]
        for key in entries if possible else ():
            if key not in possible:
                faults.append(
                    Fault(
                        SETTINGS_FILE,
                        _toml_line(text, f"{section}.{key}"),
                        f"'{key}' is not known in [{section}].",
                        f"Possible: {', '.join(sorted(possible))}.",
                    )
                )
    return faults


def _packs(data: Mapping[str, Any], text: str) -> tuple[tuple[Pack, ...], list[Fault]]:
    packs, faults = [], []
    for name, wanted in data.items():
        wanted = wanted if isinstance(wanted, dict) else {"version": wanted}
        here = _toml_line(text, f"packs.{name}")
        if not (PACKS / name / "pack.toml").is_file():
            possible = ", ".join(sorted(file.parent.name for file in PACKS.glob("*/pack.toml")))
            faults.append(Fault(SETTINGS_FILE, here, f"there is no pack '{name}'.", f"Possible: {possible}."))
            continue
        version = tomllib.loads((PACKS / name / "pack.toml").read_text(encoding="utf-8"))["version"]
        if str(wanted.get("version", version)) != version:
            faults.append(
                Fault(
                    SETTINGS_FILE,
                    here,
                    f"pins pack '{name}' to version {wanted['version']}; this Backbook brings {version}.",
                    f"Read the changelog, then write {version}.",
                )
            )
        packs.append(Pack(name, version, tuple(wanted.get("leave_out", ()))))
    return tuple(packs), faults


def _not_there(settings: Settings, pack: Pack, items: list[Item]) -> list[Fault]:
    there = {f"{item.kind}:{item.id}" for item in items}
    return [
        settings.fault(
            f"packs.{pack.name}",
            f"leaves out '{name}', which pack '{pack.name}' does not have.",
            "Write KIND:ID, such as strategy:limit_review.",
        )
        for name in pack.leave_out
        if name not in there
    ]


def _wrong_values(settings: Settings) -> list[Fault]:
    faults = []
    if settings.timezone not in available_timezones():
        faults.append(
            settings.fault(
                "book.timezone",
                f"the time zone {settings.timezone!r} is not known.",
                "Write one such as Asia/Shanghai.",
            )
        )
    if settings.language not in LANGUAGES:
        faults.append(
            settings.fault("book.language", f"the language {settings.language!r} is not known.", "Possible: zh, en.")
        )
    if not isinstance(settings.reject_share, int | float) or not 0 <= settings.reject_share < 1:
        faults.append(
            settings.fault(
                "load.reject_share",
                f"reject_share is {settings.reject_share!r}.",
                "Write a share from 0 to below 1, such as 0.01.",
            )
        )
    if not isinstance(settings.stale_days, int) or settings.stale_days < 1:
        faults.append(
            settings.fault(
                "load.stale_days", f"stale_days is {settings.stale_days!r}.", "Write a number of days from 1."
            )
        )
    if settings.threads is not None and (not isinstance(settings.threads, int) or settings.threads < 1):
        faults.append(
            settings.fault(
                "engine.threads", f"threads is {settings.threads!r}.", "Write a whole number from 1, or leave it out."
            )
        )
    if settings.memory is not None and not re.fullmatch(r"\d+ ?[KMGT]i?B", str(settings.memory)):
        faults.append(
            settings.fault("engine.memory", f"memory is {settings.memory!r}.", "Write a size such as '12GB'.")
        )
    for name, value in settings.inputs.items():
        if not isinstance(value, dict):
            faults.append(
                settings.fault(
                    f"inputs.{name}", f"input '{name}' is {value!r}.", f"Write [inputs.{name}] with path = …"
                )
            )
    return faults


def _toml_line(text: str, path: str) -> int | None:
    """The line where a dotted path stands; the nearest section above when the key is not found."""
    section = ""
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+([^\]]+)\]+", line)
        key = re.match(r"\s*([\w.\"-]+)\s*=", line)
        if header:
            section = header[1].replace('"', "").strip()
            here = section
        elif key:
            name = key[1].replace('"', "")
            here = f"{section}.{name}" if section else name
        else:
            continue
        if (path == here or path.startswith(f"{here}.")) and (best is None or len(here) > best[0]):
            best = (len(here), number)
    return best[1] if best else None
