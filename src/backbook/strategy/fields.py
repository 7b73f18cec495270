"""One item's entries, read one by one: each is right, or a fault is noted and reading goes on.

So that a person who wrote five mistakes sees five, something harmless stands in for what could not be read; what
has faults is never used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from backbook.definitions import IDENTIFIER, Item
from backbook.errors import BadDefinition, Fault
from backbook.expressions import Expression, Name, Names, Type, parse
from backbook.strategy.definition import PERCENT, Label


@dataclass
class Fields:
    """Reads entries of one item; `types` gathers the columns that its expressions read."""

    item: Item
    names: Names
    faults: list[Fault] = field(default_factory=list)
    types: dict[str, Type] = field(default_factory=dict)

    def fault(self, path: str, found: str, possible: str = "") -> None:
        self.faults.append(self.item.fault(path, found, possible))

    def known(self, data: Mapping[str, Any], path: str, possible: set[str]) -> None:
        for key in data:
            if key not in possible:
                self.fault(key_path(path, key), f"'{key}' is not known here.", possible_words(key, possible))

    def mapping(self, data: Any, path: str) -> Mapping[str, Any]:
        if data is None:
            return {}
        if isinstance(data, Mapping):
            return data
        self.fault(path, f"{data!r} was found.", "Write 'key: value' lines.")
        return {}

    def entries(self, data: Mapping[str, Any], path: str, key: str) -> list[tuple[str, Mapping[str, Any]]]:
        below = key_path(path, key)
        value = data.get(key) or []
        if not isinstance(value, list):
            self.fault(below, f"{value!r} was found.", "Write a list, each entry starting with '- id:'.")
            return []
        return [(f"{below}.{number}", self.mapping(entry, f"{below}.{number}")) for number, entry in enumerate(value)]

    def texts(self, data: Mapping[str, Any], path: str, key: str) -> list[str]:
        value = data.get(key) or []
        if not isinstance(value, list):
            self.fault(key_path(path, key), f"{value!r} was found.", "Write a list such as [A, B].")
            return []
        return [str(entry) for entry in value]

    def label(self, data: Mapping[str, Any], path: str) -> Label:
        for key, language in (("zh", "Chinese"), ("en", "English")):
            if not isinstance(data.get(key), str) or not data[key].strip():
                self.fault(key_path(path, key), f"'{key}' is missing.", f"Write what it is called in {language}.")
        return Label(str(data.get("zh", "")), str(data.get("en", "")))

    def text(self, data: Mapping[str, Any], path: str, key: str) -> str:
        value = data.get(key)
        if not isinstance(value, str) or not value.strip():
            self.fault(key_path(path, key), f"'{key}' is missing.", "Say who answers for it.")
        return str(value)

    def identifier(self, data: Mapping[str, Any], path: str, key: str, default: str) -> str:
        value = data.get(key, default)
        if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
            self.fault(
                key_path(path, key),
                f"'{key}' is {value!r}.",
                "Write lower-case letters, digits and underscores, a letter first.",
            )
        return str(value)

    def choice_of(
        self, data: Mapping[str, Any], path: str, key: str, possible: Sequence[str], default: str | None
    ) -> str:
        value = data.get(key, default)
        if value == default and default is not None:
            return default
        if value not in possible:
            found = f"'{key}' is missing." if value is None else f"'{key}' is {value!r}."
            self.fault(key_path(path, key), found, possible_words(str(value), possible))
        return str(value)

    def whole(self, data: Mapping[str, Any], path: str, key: str, low: int, high: int, default: int | None) -> int:
        value = data.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.fault(key_path(path, key), f"'{key}' is {value!r}.", f"Write a whole number from {low} to {high}.")
            return low
        return int(value)

    def share(self, data: Mapping[str, Any], path: str, key: str, default: int, high: int) -> int:
        """Hundredths of a percent, written in percent."""
        value: int | float = data.get(key, default)
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= high
        if not good or abs(value * PERCENT - round(value * PERCENT)) > 1e-9:
            self.fault(
                key_path(path, key), f"'{key}' is {value!r}.", f"Write a percentage from 0 to {high}, such as 2 or 0.5."
            )
            return 0
        return round(value * PERCENT)

    def yes(self, data: Mapping[str, Any], path: str, key: str) -> bool:
        value = data.get(key, False)
        if not isinstance(value, bool):
            self.fault(key_path(path, key), f"'{key}' is {value!r}.", "Write true or false.")
        return value is True

    # -- expressions

    def expression(self, value: Any, path: str, names: Names, expect: Type | None = None) -> Expression | None:
        if value is None or isinstance(value, dict | list):
            self.fault(path, "an expression is missing.", "Write one such as: utilisation > 0.8")
            return None
        text = str(value).lower() if isinstance(value, bool) else str(value)
        try:
            expression = parse(text, names, expect)
        except BadDefinition as error:
            if error.faults:
                self.faults += [self.item.fault(path, each.found, each.possible) for each in error.faults]
            else:
                self.fault(path, str(error))
            return None
        for name in expression.reads:
            found = self.names.resolve(name)
            if found is not None:
                self.types[found.name] = found.type
        return expression

    def optional(self, data: Mapping[str, Any], path: str, key: str, names: Names, expect: Type) -> Expression | None:
        if data.get(key) is None:
            return None
        return self.expression(data[key], key_path(path, key), names, expect)

    def scope_with(self, names: Names, name: Name, path: str) -> Names:
        if names.candidates(name.name):
            self.fault(path, f"'{name.name}' is already the name of a column.", "Choose another.")
            return names
        return names.with_names([name])

    def column(self, value: Any, path: str) -> Name | None:
        """The column that a side of a grid names."""
        if self.expression(value, path, self.names) is None:
            return None
        name = self.names.resolve(str(value).strip())
        if name is None:
            self.fault(path, f"'{value}' is more than a column.", "A grid stands on two columns; make it a feature.")
        return name


def possible_words(wrong: str, right: Iterable[str]) -> str:
    possible = sorted(right)
    near = get_close_matches(wrong, possible, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Possible: {', '.join(possible)}."


def key_path(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
