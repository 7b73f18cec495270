"""Definitions checked: items in, features out, and every fault with its file and line.

Nothing is raised. An item with a fault is left out and told; the rest is read on, so that a person sees all that
is wrong at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from backbook.customer.definition import (
    ACCOUNT,
    BOTH,
    CUSTOMER,
    MEASURES,
    ROLLUPS,
    Feature,
)  # fmt: skip
from backbook.customer.lookup import Lookup
from backbook.customer.order import Circle, in_order
from backbook.customer.registry import Attribute, key_names, row_names
from backbook.customer.relations import OTHER, ROWS
from backbook.customer.template import expand
from backbook.customer.window import CYCLES, DAYS, EVER, LATEST, MONTHS, POSSIBLE, POSSIBLE_AHEAD, Window, read_window
from backbook.definitions import Item
from backbook.errors import BadDefinition, Fault
from backbook.expressions import Expression, Level, Name, Names, Type, parse
from backbook.expressions.names import PREFIXES
from backbook.sources.table import Table

COMMON = {"id", "zh", "en", "meaning", "unit", "grain", "rollup", "owner"}
MEASURED = COMMON | {"table", "measure", "of", "filter", "within", "dated", "window", "none"}
DERIVED = COMMON | {"expression"}
NEEDS_OF = {"sum", "min", "max", "average", "distinct", "entropy", "slope", "latest"}
STREAK_MONTHS = 36
NUMERIC = {Type.WHOLE, Type.MONEY, Type.NUMBER}
RESULT = {
    "count": Type.WHOLE, "distinct": Type.WHOLE, "days_since": Type.WHOLE, "streak": Type.WHOLE,
    "average": Type.NUMBER, "share": Type.NUMBER, "entropy": Type.NUMBER, "slope": Type.NUMBER,
}  # fmt: skip


def read_features(
    items: Sequence[Item],
    tables: Mapping[str, Table],
    attributes: Iterable[Attribute] = (),
    lookups: Iterable[Lookup] = (),
) -> tuple[list[Feature], list[Fault]]:
    """The features that the items define, in their order, and all that is wrong with them."""
    declared = [attribute for attribute in attributes if attribute.purpose != "outcome"]
    return _Reading("feature", {**tables, **ROWS}, declared, list(lookups)).read(items)


def read_outcomes(
    items: Sequence[Item],
    tables: Mapping[str, Table],
    attributes: Iterable[Attribute] = (),
    lookups: Iterable[Lookup] = (),
) -> tuple[list[Feature], list[Fault]]:
    """The same for outcomes: windows look ahead, and the attributes are those whose purpose is `outcome`."""
    declared = [attribute for attribute in attributes if attribute.purpose == "outcome"]
    return _Reading("outcome", tables, declared, list(lookups)).read(items)


@dataclass
class _Reading:
    kind: str
    tables: Mapping[str, Table]
    attributes: Sequence[Attribute]
    lookups: Sequence[Lookup] = ()
    faults: list[Fault] = field(default_factory=list)

    def read(self, items: Sequence[Item]) -> tuple[list[Feature], list[Fault]]:
        expanded, self.faults = expand(list(items))
        good = [item for item in expanded if self._form(item)]
        over_ties = [item for item in good if item.data.get("table") in ROWS]
        plain = [item for item in good if "expression" not in item.data and item.data.get("table") not in ROWS]
        features = {item.id: made for item in plain if (made := self._measured(item))}
        derived = self._derived_in_order([item for item in good if "expression" in item.data])
        late = _standing_on(over_ties, derived)
        for item in (item for item in derived if item.id not in late):
            self._add(features, self._derived(item, features))
        others = [*(one.name for one in features.values() if one.at(CUSTOMER)),
                  *(one.name for one in self.attributes if one.grain == CUSTOMER)]  # fmt: skip
        found = [self._measured(item, others) for item in over_ties if not self._circle(item, late)]
        for made in found:
            self._add(features, made)
        for item in (item for item in derived if item.id in late):
            self._add(features, self._derived(item, features))
        self._twice_named(features, expanded)
        return [features[item.id] for item in expanded if item.id in features], self.faults

    @staticmethod
    def _add(features: dict[str, Feature], made: Feature | None) -> None:
        if made is not None:
            features[made.id] = made

    # ── form ────────────────────────────────────────────────────────────────────────────────────────────

    def _form(self, item: Item) -> bool:
        """Keys, labels, grain and roll-up: what can be said without reading any expression."""
        before = len(self.faults)
        possible = DERIVED if "expression" in item.data else MEASURED
        for key in item.data:
            if key not in possible:
                self._wrong(item, key, f"'{key}' is not known here.", _meant(key, possible))
        for language in ("zh", "en"):
            if not isinstance(item.data.get(language), str) or not item.data[language].strip():
                self._wrong(item, language, f"has no name in '{language}'.", f"Write {language}: …")
        if item.id in {name.name for name in key_names(CUSTOMER)} | {"account_id"}:
            self._wrong(item, "id", f"'{item.id}' is a key of the profile.", "Give it another id.")
        if item.id in {attribute.id for attribute in self.attributes}:
            self._wrong(item, "id", "has the id of a declared attribute.", "Give it another id; both are columns.")
        grains = (ACCOUNT, CUSTOMER, BOTH) if "expression" in item.data else (ACCOUNT, CUSTOMER)
        if item.data.get("grain", ACCOUNT) not in grains:
            self._wrong(item, "grain", f"the grain is {item.data['grain']!r}.", f"Possible: {', '.join(grains)}.")
        rollup = item.data.get("rollup")
        if rollup is not None and rollup not in ROLLUPS:
            self._wrong(item, "rollup", f"the roll-up {rollup!r} is not known.", _meant(rollup, ROLLUPS))
        elif rollup is not None and item.data.get("grain", ACCOUNT) != ACCOUNT:
            self._wrong(item, "rollup", "rolls up, and is at the customer already.", "Leave out 'rollup'.")
        return len(self.faults) == before

    def _wrong(self, item: Item, path: str, found: str, possible: str = "") -> None:
        self.faults.append(item.fault(path, found, possible))

    # ── measured ────────────────────────────────────────────────────────────────────────────────────────

    def _measured(self, item: Item, others: Sequence[Name] = ()) -> Feature | None:
        before = len(self.faults)
        data = item.data
        table, measure = data.get("table"), data.get("measure")
        if measure not in MEASURES:
            found = "has no measure." if measure is None else f"the measure {measure!r} is not known."
            self._wrong(item, "measure", found, _meant(measure, MEASURES))
        names = self._row_names(item, table, others)
        if names is None:
            return None
        window = self._window(item)
        of = self._parse(item, "of", names)
        condition = self._parse(item, "filter", names, Type.YESNO)
        within = self._parse(item, "within", names, Type.YESNO)
        if len(self.faults) > before or window is None:
            return None
        self._fits(item, str(measure), window, of)
        if len(self.faults) > before:
            return None
        type, levels = _result(str(measure), of, names)
        self._rolls(item, type)
        none = self._none(item, type)
        dated = self._dated(item)
        if len(self.faults) > before:
            return None
        return Feature(
            **_labels(item, self.kind), type=type, table=table, measure=measure, of=of, filter=condition,
            within=within, dated=dated, window=window, none=none, levels=levels,
            lookups=self._looked_up(str(table), of, condition, within),
        )  # fmt: skip

    def _looked_up(self, table: str, *parts: Expression | None) -> tuple[Lookup, ...]:
        read = frozenset[str]().union(*(part.reads for part in parts if part is not None))
        return tuple(each for each in self.lookups if each.id in read and table in each.tables)

    def _row_names(self, item: Item, table: Any, others: Sequence[Name] = ()) -> Names | None:
        base = str(table).partition(".")[0]
        if table is None or (base != "attribute" and table not in self.tables) or base not in self.tables:
            found = "has no table." if table is None else f"the table {table!r} is not in the contract."
            self._wrong(item, "table", found, _meant(table, self.tables) if table else "Write table: transaction …")
            return None
        grain = item.data.get("grain", ACCOUNT)
        columns = self.tables[base]
        if grain == ACCOUNT and not ("account_id" in columns or "line_id" in columns):
            self._wrong(item, "grain", f"the rows of '{table}' belong to people, not to accounts.",
                        "Write grain: customer; an account's rules read it as customer.…")  # fmt: skip
            return None
        if not ("account_id" in columns or "party_id" in columns or "customer_id" in columns):
            self._wrong(
                item, "table", f"the rows of '{table}' belong to nobody.", "Choose a table of accounts or people."
            )
            return None
        return row_names(columns, self.attributes if base == "attribute" else (), self.lookups, others)

    def _circle(self, item: Item, late: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether it reads of another customer what stands on that one's ties, which would have to be known before."""
        text = " ".join(str(item.data.get(part, "")) for part in ("of", "filter", "within"))
        read = [word for word in _OF_OTHERS.findall(re.sub(_QUOTED, " ", text)) if word in late]
        for word in read:
            path = " → ".join((item.id, *late[word]))
            self._wrong(item, "filter" if "filter" in item.data else "of",
                        f"reads '{OTHER}{late[word][0]}', which stands on ties itself: {path}.",
                        "Read of the other customer only what is not measured over ties.")  # fmt: skip
        return bool(read)

    def _window(self, item: Item) -> Window | None:
        ahead = self.kind == "outcome"
        written = item.data.get("window", None if ahead else EVER)
        window = read_window(str(written)) if written is not None else None
        if window is not None and (window.ahead == ahead or (ahead and window.unit in (DAYS, MONTHS))):
            # An outcome may look back too: what it was before is what a fall is measured against.
            return window
        found = "has no window." if written is None else f"the window {written!r} is not one of {self._article()}."
        self._wrong(item, "window", found, POSSIBLE_AHEAD if ahead else POSSIBLE)
        return None

    def _article(self) -> str:
        return "an outcome" if self.kind == "outcome" else "a feature"

    def _fits(self, item: Item, measure: str, window: Window, of: Expression | None) -> None:
        """What a measure asks of its other parts."""
        wrong = self._wrong
        if measure in NEEDS_OF and of is None:
            wrong(item, "measure", f"{measure} needs 'of'.", "Write of: and the column that it measures.")
        if measure == "streak" and of is not None:
            wrong(item, "of", "streak counts rows.", "Write the condition in 'filter'.")
        if measure in ("sum", "average", "slope", "share") and of is not None and of.type not in NUMERIC:
            wrong(item, "of", f"{measure} is of numbers, and '{of.text}' is {of.type}.", "Choose a column of numbers.")
        if measure == "days_since" and of is not None and of.type not in (Type.DATE, Type.TIME):
            wrong(
                item,
                "of",
                f"days_since is of a date, and '{of.text}' is {of.type}.",
                "Choose a date, or leave out 'of'.",
            )
        if measure == "share" and item.data.get("filter") is None:
            wrong(item, "measure", "share needs 'filter', the part whose share it is.", "'within' narrows the whole.")
        if measure != "share" and "within" in item.data:
            wrong(item, "within", "'within' belongs to share.", "Write the condition in 'filter'.")
        if measure in ("streak", "slope") and window.unit in (EVER, LATEST):
            wrong(item, "window", f"{measure} needs a window of cycles or months.", "Write 'last 6 cycles'.")
        if measure == "streak" and (window.unit not in (CYCLES, MONTHS) or window.ahead or
                                    (window.unit == MONTHS and window.size > STREAK_MONTHS)):  # fmt: skip
            wrong(item, "window", f"a streak cannot be counted over '{window}'.",
                  f"Write 'last N cycles', or 'last N months' up to {STREAK_MONTHS}.")  # fmt: skip
        if window.unit == CYCLES and item.data["table"] != "statement":
            wrong(item, "window", "cycles are those of the table 'statement'.", "Write the window in days or months.")
        if window.unit == CYCLES and item.data.get("grain") == CUSTOMER:
            wrong(item, "window", "cycles belong to an account.", "Write grain: account with a 'rollup'.")
        table = self.tables[str(item.data["table"]).partition(".")[0]]
        if table.event is None and "dated" not in item.data and window.unit not in (EVER, LATEST):
            wrong(item, "window", f"the rows of '{table.name}' have no date.", "Write window: latest.")

    def _rolls(self, item: Item, type: Type) -> None:
        rollup = item.data.get("rollup")
        if rollup in ("sum", "sum over lines") and type not in NUMERIC:
            self._wrong(item, "rollup", f"a {type} cannot be summed.", "Possible: max, min, worst, any.")
        if rollup == "any" and type is not Type.YESNO:
            self._wrong(item, "rollup", f"'any' is of yes/no, and this is {type}.", "Possible: sum, max, min, worst.")

    def _dated(self, item: Item) -> str | None:
        """The date column that a window is laid on instead of the table's own."""
        written = item.data.get("dated")
        if written is None:
            return None
        table = self.tables[str(item.data["table"]).partition(".")[0]]
        dates = [column.name for column in table if column.type in (Type.DATE, Type.TIME)]
        if written not in dates:
            self._wrong(item, "dated", f"'{written}' is not a date of '{table.name}'.", _meant(written, dates))
        return str(written)

    def _none(self, item: Item, type: Type) -> Any:
        """What the measure is when its window is known and holds no row."""
        value = item.data.get("none")
        fits = {Type.TEXT: str, Type.YESNO: bool}.get(type, (int, float) if type in NUMERIC else None)
        if value is not None and (
            fits is None or not isinstance(value, fits) or (fits is not bool and isinstance(value, bool))
        ):
            self._wrong(item, "none", f"{value!r} is not a {type}.", "'none' is the value when there is no row.")
        return value

    # ── derived ─────────────────────────────────────────────────────────────────────────────────────────

    def _derived_in_order(self, items: list[Item]) -> list[Item]:
        """Each after those it reads; a circle is told by name and left out."""
        by_id = {item.id: item for item in items}
        words = {item.id: item.id for item in items} | {str(item.data.get("zh")): item.id for item in items}
        reads = {
            item.id: {words[word] for word in _words(str(item.data["expression"])) if word in words} for item in items
        }
        while reads:
            try:
                return [by_id[id_] for id_ in in_order(reads)]
            except Circle as circle:
                first = circle.path[0]
                self._wrong(
                    by_id[first], "expression", f"reads itself: {' → '.join(circle.path)}.", "Break the circle."
                )
                reads = {id_: read - set(circle.path) for id_, read in reads.items() if id_ not in circle.path}
        return []

    def _derived(self, item: Item, features: Mapping[str, Feature]) -> Feature | None:
        before = len(self.faults)
        grain = item.data.get("grain", ACCOUNT)
        read: Expression | None = None
        for one in (ACCOUNT, CUSTOMER) if grain == BOTH else (grain,):
            known = [feature.name for feature in features.values() if feature.at(one)]
            known += [attribute.name for attribute in self.attributes if attribute.grain == one]
            read = self._parse(item, "expression", Names(f"{one} profile", [*key_names(one), *known]))
            if read is None:
                return None
        assert read is not None
        self._rolls(item, read.type)
        if len(self.faults) > before:
            return None
        return Feature(**_labels(item, self.kind), type=read.type, expression=read, levels=_levels_of(read))

    def _parse(self, item: Item, path: str, names: Names, expect: Type | None = None) -> Expression | None:
        text = item.data.get(path)
        if text is None:
            return None
        try:
            return parse(str(text), names, expect=expect)
        except BadDefinition as wrong:
            for found, possible in [(fault.found, fault.possible) for fault in wrong.faults] or [(str(wrong), "")]:
                self._wrong(item, path, found, possible)
            return None

    def _twice_named(self, features: Mapping[str, Feature], items: Sequence[Item]) -> None:
        """A Chinese name is a name too: two columns of one profile must not share it (a pack's gives way)."""
        by_id = {item.id: item for item in items}
        for grain in (ACCOUNT, CUSTOMER):
            seen = {("workspace", one.zh): one.id for one in self.attributes if one.grain == grain}
            for feature in features.values():
                first = seen.setdefault((feature.origin, feature.zh), feature.id) if feature.at(grain) else feature.id
                if first != feature.id:
                    fault = by_id[feature.id].fault(
                        "zh", f"'{feature.zh}' is already '{first}'.", "Give it another name."
                    )
                    self.faults += [] if fault in self.faults else [fault]


def _labels(item: Item, kind: str) -> dict[str, Any]:
    meaning = item.data.get("meaning") or {}
    return {
        "id": item.id, "kind": kind, "zh": item.data["zh"], "en": item.data["en"],
        "grain": item.data.get("grain", ACCOUNT), "rollup": item.data.get("rollup"),
        "unit": str(item.data.get("unit", "")), "meaning": (str(meaning.get("zh", "")), str(meaning.get("en", ""))),
        "place": f"{item.file}:{item.line()}" if item.line() else item.file,
        "origin": item.origin,
    }  # fmt: skip


def _result(measure: str, of: Expression | None, names: Names) -> tuple[Type, tuple[Level, ...]]:
    if measure in RESULT:
        return RESULT[measure], ()
    assert of is not None
    name = names.resolve(of.text)
    return of.type, name.levels if name else ()


def _levels_of(expression: Expression) -> tuple[Level, ...]:
    return expression.node.levels if expression.node.op in ("name", "coalesce") else ()


_QUOTED = r"'(?:[^']|'')*'"
_OF_OTHERS = re.compile(rf"(?:{OTHER[:-1]}|{PREFIXES[OTHER[:-1]]})\.([^\W\d]\w*)")


def _words(text: str) -> set[str]:
    """The names an expression may mention; what stands in quotes is a value."""
    return set(re.findall(r"[^\W\d]\w*", re.sub(_QUOTED, " ", text)))


def _standing_on(over_ties: Sequence[Item], derived: Sequence[Item]) -> dict[str, tuple[str, ...]]:
    """Each word for what is measured over ties, or derived from that, and the way there by its ids."""
    found: dict[str, tuple[str, ...]] = {}
    for item in (*over_ties, *derived):
        if "expression" in item.data:
            read = sorted(_words(str(item.data["expression"])) & found.keys())
            if not read:
                continue
            way = (item.id, *found[read[0]])
        else:
            way = (item.id,)
        found |= {item.id: way, str(item.data.get("zh")): way}
    return found


def _meant(word: Any, possible: Iterable[str]) -> str:
    close = get_close_matches(str(word), list(possible), 1)
    return f"Did you mean '{close[0]}'?" if close else f"Possible: {', '.join(sorted(possible))}."
