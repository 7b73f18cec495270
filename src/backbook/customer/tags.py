"""Named facts about an account or a customer: true, false, or not known.

A tag has a name and a meaning in both languages, an owner who answers for it, an aim for which it may be used,
and an expression over the profile. Where the expression is not known the tag is null and is counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backbook.customer.definition import ACCOUNT, CUSTOMER
from backbook.customer.order import Link
from backbook.customer.profile import OWNER, Profile
from backbook.definitions import Item
from backbook.errors import BadDefinition, Fault
from backbook.expressions import Expression, Name, Names, Type, parse

AIMS = ("risk", "marketing", "service", "both", "all")
KEYS = {"id", "zh", "en", "meaning", "owner", "aim", "grain", "expression"}


@dataclass(frozen=True)
class Tag:
    """One yes/no column of a profile."""

    id: str
    zh: str
    en: str
    grain: str
    owner: str
    aim: str
    expression: Expression
    meaning: tuple[str, str] = ("", "")
    kind: str = "tag"

    @property
    def reads(self) -> frozenset[str]:
        return self.expression.reads

    @property
    def name(self) -> Name:
        return Name(self.id, Type.YESNO, self.zh, self.en)

    @property
    def link(self) -> Link:
        """Its place in the chain of reading."""
        return Link("tag", self.id, frozenset({f"{self.grain}.{self.id}"}), owned(self.reads, self.grain))

    def canonical(self) -> dict[str, Any]:
        return {
            "id": self.id, "zh": self.zh, "en": self.en, "grain": self.grain, "owner": self.owner, "aim": self.aim,
            "meaning": {"zh": self.meaning[0], "en": self.meaning[1]}, "expression": self.expression.text,
        }  # fmt: skip


def tag_names(items: Sequence[Item], grain: str) -> list[Name]:
    """The columns that the items will give, before any of their expressions is read."""
    return [
        Name(item.id, Type.YESNO, str(item.data.get("zh", "")), str(item.data.get("en", "")))
        for item in items
        if item.data.get("grain", ACCOUNT) == grain
    ]


def read_tags(items: Sequence[Item], account: Names, customer: Names) -> tuple[list[Tag], list[Fault]]:
    """The tags that the items define, over the names of the two profiles, and all that is wrong with them."""
    tags, faults = [], []
    for item in items:
        wrong = form_faults(item, KEYS, aims=AIMS)
        grain = item.data.get("grain", ACCOUNT)
        expression, unread = condition(item, "expression", account if grain == ACCOUNT else customer)
        faults += wrong + unread
        if expression is not None and not wrong:
            meaning = item.data["meaning"]
            tags.append(
                Tag(
                    item.id,
                    item.data["zh"],
                    item.data["en"],
                    grain,
                    item.data["owner"],
                    item.data["aim"],
                    expression,
                    (meaning["zh"], meaning["en"]),
                )
            )
    return tags, faults


def apply(tags: Sequence[Tag], profile: Profile) -> Profile:
    """The profile with a yes/no column per tag; tags that read other tags come after them (see `order`)."""
    for grain in (ACCOUNT, CUSTOMER):
        waiting = [tag for tag in tags if tag.grain == grain]
        while waiting:
            names = {tag.id for tag in waiting}
            ready = [tag for tag in waiting if not tag.reads & names]
            rows = profile.rows(grain, frozenset().union(*(tag.reads for tag in ready)))
            profile = profile.with_columns(grain, {tag.id: tag.expression.ibis(rows) for tag in ready}, rows)
            waiting = [tag for tag in waiting if tag not in ready]
    return profile


def owned(reads: frozenset[str], grain: str) -> frozenset[str]:
    """Names as the chain of reading writes them: `account.x`, `customer.x`."""
    return frozenset(name if name.startswith(OWNER) else f"{grain}.{name}" for name in reads)


def form_faults(item: Item, possible: set[str], aims: Sequence[str] = ()) -> list[Fault]:
    """What is wrong with an item's keys, names, meaning, owner, grain and aim."""
    data, faults = item.data, []
    for key in data:
        if key not in possible:
            faults.append(item.fault(key, f"'{key}' is not known here.", f"Possible: {', '.join(sorted(possible))}."))
    for language in ("zh", "en"):
        if not isinstance(data.get(language), str) or not data[language].strip():
            faults.append(item.fault(language, f"has no name in '{language}'.", f"Write {language}: …"))
    meaning = data.get("meaning")
    if not isinstance(meaning, dict) or not all(isinstance(meaning.get(language), str) for language in ("zh", "en")):
        faults.append(item.fault("meaning", "has no meaning in both languages.", "Write meaning: {zh: …, en: …}."))
    if not isinstance(data.get("owner"), str) or not data["owner"].strip():
        faults.append(item.fault("owner", "has no owner.", "Write owner: the team that answers for it."))
    if data.get("grain", ACCOUNT) not in (ACCOUNT, CUSTOMER):
        faults.append(item.fault("grain", f"the grain is {data['grain']!r}.", "Possible: account, customer."))
    if aims and data.get("aim") not in aims:
        faults.append(item.fault("aim", f"the aim is {data.get('aim')!r}.", f"Possible: {', '.join(aims)}."))
    return faults


def condition(item: Item, path: str, names: Names, text: object = None) -> tuple[Expression | None, list[Fault]]:
    """The yes/no expression that stands at `path` of an item."""
    written = item.data.get(path) if text is None else text
    if written is None:
        return None, [item.fault(path, f"has no {path}.", "Write a condition over the profile.")]
    try:
        return parse(str(written), names), []
    except BadDefinition as wrong:
        return None, [item.fault(path, fault.found, fault.possible) for fault in wrong.faults]
