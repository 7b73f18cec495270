"""What a load found: the two gates of every table, what is worth telling, and what is not there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from backbook.sources.contract import TABLES

LevelName = Literal["ok", "warn", "stop"]


@dataclass(frozen=True)
class Account:
    """Rows of one table through both gates.

    raw = parsed + rejected; mapped = loaded + unchanged + quarantined, where `unchanged` counts rows that the lake
    has already and rows that only repeat another (`repeated` of them).
    """

    table: str
    parsed: int = 0
    rejected: int = 0
    mapped: int = 0
    loaded: int = 0
    unchanged: int = 0
    quarantined: int = 0
    repeated: int = 0
    corrected: int = 0
    withdrawn: int = 0
    # False when nothing was delivered since the last load: the figures are then that load's.
    read: bool = True

    @property
    def raw(self) -> int:
        return self.parsed + self.rejected

    def check(self) -> None:
        """Raises AssertionError when a row was lost: that is a fault of ours, not of the data."""
        assert self.mapped == self.loaded + self.unchanged + self.quarantined, self


@dataclass(frozen=True)
class Finding:
    """One thing that the data-quality gate has to tell."""

    level: LevelName
    table: str
    check: str
    zh: str
    en: str
    stale: bool = False


@dataclass(frozen=True)
class LoadReport:
    """The whole load. `not_available` lists the contract tables that the lake does not have."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    not_available: tuple[str, ...] = ()
    quality: tuple[Finding, ...] = ()
    # The first quarantined and rejected rows of each table, for people.
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    changed: bool = False

    @property
    def level(self) -> LevelName:
        levels = {finding.level for finding in self.quality}
        return "stop" if "stop" in levels else "warn" if "warn" in levels else "ok"

    def tables(self) -> dict[str, dict[str, int]]:
        """name → in, loaded, quarantined, as `--json` prints them."""
        return {
            name: {
                "in": account.mapped,
                "loaded": account.loaded + account.unchanged,
                "quarantined": account.quarantined,
            }
            for name, account in self.accounts.items()
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "tables": {name: asdict(account) for name, account in self.accounts.items()},
            "not_available": list(self.not_available),
            "quality": [asdict(finding) for finding in self.quality],
            "examples": {name: list(lines) for name, lines in self.examples.items()},
        }


def not_available(present: Collection[str]) -> tuple[str, ...]:
    """Contract tables that are absent, in the order of the contract.

    >>> "account" in not_available(["account", "attribute.tags"])
    False
    """
    names = {name.partition(".")[0] for name in present}
    return tuple(name for name in TABLES if name not in names)
