"""All that Backbook refuses, and how it says so.

A refusal says what happened, with the value, and then what is possible. Faults in a bank's files are
collected and shown together; faults in our own code are ordinary exceptions and stop at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing wrong in one place: where, what was found, what is possible.

    >>> print(Fault("tags.yaml", 7, "'utilization' is not known.", "Did you mean 'utilisation'?"))
    tags.yaml:7: 'utilization' is not known. Did you mean 'utilisation'?
    """

    file: str
    line: int | None
    found: str
    possible: str = ""

    def __lt__(self, other: Fault) -> bool:
        """By file and line; what has no line comes first."""
        return (self.file, self.line or 0, self.found) < (other.file, other.line or 0, other.found)

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return " ".join(part for part in (f"{place}:" if place else "", self.found, self.possible) if part)


class Refusal(Exception):
    """Something that will not be done, with one clear message; the command line ends with 1."""

    def __init__(self, message: str = "", *, faults: Sequence[Fault] = ()) -> None:
        self.faults = tuple(faults)
        lines = [message] if message else []
        lines += [str(fault) for fault in self.faults]
        super().__init__("\n".join(lines))


class BadData(Refusal):
    """The bank's data break the contract further than a quarantine may swallow."""


class BadDefinition(Refusal):
    """A definition that cannot mean anything: an unknown name, a wrong type, a circle."""


class NotAllowed(Refusal):
    """A rule, a lock or a missing right stands against it."""
