"""Named facts about an account or a customer: true, false, or not known.

A tag has a name and a meaning in both languages, an owner who answers for it, an aim for which it may be used and
uses for which it may not, and an expression over the profile. Where the expression is not known the tag is null and
is counted apart. A need read from behaviour also names its evidence, the features whose rows show it, and how sure
it is. The personal tags of a customer who asked that they be deleted are null for ever (`privacy`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from backbook.customer.definition import ACCOUNT, CUSTOMER, Feature
from backbook.customer.order import Link
from backbook.customer.privacy import deleted
from backbook.customer.profile import OWNER, Profile
from backbook.definitions import Item
from backbook.errors import BadDefinition, Fault
from backbook.expressions import Expression, Name, Names, Type, parse
from backbook.expressions.names import nearest

AIMS = ("risk", "marketing", "service", "both", "all")
# What a tag is about → zh, en; the catalogue lists tags in this order.
DIMENSIONS = {
    "basic": ("基本属性", "Basic facts"),
    "lifecycle": ("生命周期", "Lifecycle"),
    "spending": ("消费行为", "Spending"),
    "interest": ("兴趣与需求", "Interests and needs"),
    "borrowing": ("借贷与分期", "Borrowing"),
    "value": ("价值", "Value"),
    "risk": ("风险", "Risk"),
    "channel": ("渠道偏好", "Channels"),
    "tie": ("关系", "Ties"),
}
# How often its readers may expect a change → zh, en, and after how many days without a new look it is no longer good.
REFRESH = {"daily": ("每日", "daily", 7), "monthly": ("每月", "monthly", 45)}
# What a tag with this aim is not for, unless the definition says more → zh, en
NOT_FOR = {
    "risk": ("营销", "marketing"),
    "marketing": ("授信、定价与催收", "lending, pricing and collection"),
    "service": ("营销与授信", "marketing and lending"),
    "both": ("对外提供", "handing to others"),
    "all": ("对外提供", "handing to others"),
}
KEYS = {
    "id", "zh", "en", "meaning", "owner", "aim", "grain", "expression", "dimension", "not_for", "refresh", "expires_days",
    "evidence", "confidence", "personal",
}  # fmt: skip
CONFIDENCE = "_confidence"


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
    dimension: str = "basic"
    not_for: tuple[str, str] = ("", "")
    refresh: str = "daily"
    # Days after its date until which the tag is good; later it is not known.
    expires_days: int = 7
    # Measured features whose rows show why.
    evidence: tuple[str, ...] = ()
    # From 0 to 1, where the tag holds.
    confidence: Expression | None = None
    # Told of a person's traits, and so deleted when the person asks.
    personal: bool = True

    @property
    def reads(self) -> frozenset[str]:
        return self.expression.reads | (self.confidence.reads if self.confidence is not None else frozenset())

    @property
    def name(self) -> Name:
        return Name(self.id, Type.YESNO, self.zh, self.en)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.id, f"{self.id}{CONFIDENCE}") if self.confidence is not None else (self.id,)

    @property
    def link(self) -> Link:
        """Its place in the chain of reading."""
        return Link(
            "tag",
            self.id,
            frozenset(f"{self.grain}.{column}" for column in self.columns),
            owned(self.reads, self.grain),
        )

    def canonical(self) -> dict[str, Any]:
        written = {
            "id": self.id, "zh": self.zh, "en": self.en, "grain": self.grain, "owner": self.owner, "aim": self.aim,
            "meaning": {"zh": self.meaning[0], "en": self.meaning[1]}, "expression": self.expression.text,
            "dimension": self.dimension, "not_for": {"zh": self.not_for[0], "en": self.not_for[1]},
            "refresh": self.refresh, "expires_days": self.expires_days, "personal": self.personal,
        }  # fmt: skip
        more = {"evidence": list(self.evidence), "confidence": self.confidence and self.confidence.text}
        return written | {key: value for key, value in more.items() if value}


def tag_names(items: Sequence[Item], grain: str) -> list[Name]:
    """The columns that the items will give, before any of their expressions is read."""
    names = []
    for item in items:
        if item.data.get("grain", ACCOUNT) == grain:
            zh, en = str(item.data.get("zh", "")), str(item.data.get("en", ""))
            names.append(Name(item.id, Type.YESNO, zh, en))
            if "confidence" in item.data:
                names.append(Name(f"{item.id}{CONFIDENCE}", Type.NUMBER, f"{zh}置信度", f"Confidence of {en}"))
    return names


def read_tags(
    items: Sequence[Item], account: Names, customer: Names, features: Sequence[Feature] = ()
) -> tuple[list[Tag], list[Fault]]:
    """The tags that the items define, over the names of the two profiles, and all that is wrong with them.

    `features` are those that a tag may name as its evidence.
    """
    measured = {feature.id for feature in features if feature.measure}
    tags, faults = [], []
    for item in items:
        wrong = form_faults(item, KEYS, aims=AIMS) + _more_faults(item, measured)
        grain = item.data.get("grain", ACCOUNT)
        names = account if grain == ACCOUNT else customer
        expression, unread = condition(item, "expression", names)
        wrong += unread
        confidence = None
        if "confidence" in item.data:
            confidence, unread = condition(item, "confidence", names, type=Type.NUMBER)
            wrong += unread
        faults += wrong
        if expression is not None and not wrong:
            tags.append(_tag(item, grain, expression, confidence))
    return tags, faults


def _tag(item: Item, grain: str, expression: Expression, confidence: Expression | None) -> Tag:
    data = item.data
    meaning, refresh = data["meaning"], data.get("refresh", "daily")
    not_for = data.get("not_for") or dict(zip(("zh", "en"), NOT_FOR[data["aim"]], strict=True))
    return Tag(
        item.id, data["zh"], data["en"], grain, data["owner"], data["aim"], expression, (meaning["zh"], meaning["en"]),
        dimension=data.get("dimension", "basic"), not_for=(not_for["zh"], not_for["en"]), refresh=refresh,
        expires_days=data.get("expires_days", REFRESH[refresh][2]), evidence=tuple(data.get("evidence") or ()),
        confidence=confidence,
        # What risk and service need for the contract is kept; the rest is a trait (PIPL, and art. 42 of 2025).
        personal=data.get("personal", data["aim"] not in ("risk", "service")),
    )  # fmt: skip


def _more_faults(item: Item, measured: set[str]) -> list[Fault]:
    """What is wrong with dimension, uses, refresh, expiry, evidence and `personal`."""
    data, faults = item.data, []
    for key, known in (("dimension", list(DIMENSIONS)), ("refresh", list(REFRESH))):
        if key in data and data[key] not in known:
            faults.append(item.fault(key, f"the {key} is {data[key]!r}.", f"Possible: {', '.join(known)}."))
    not_for = data.get("not_for", {"zh": "", "en": ""})
    if not isinstance(not_for, dict) or not all(isinstance(not_for.get(each), str) for each in ("zh", "en")):
        faults.append(item.fault("not_for", "has no not_for in both languages.", "Write not_for: {zh: …, en: …}."))
    days = data.get("expires_days", 1)
    if not isinstance(days, int) or isinstance(days, bool) or days < 1:
        faults.append(item.fault("expires_days", f"expires_days is {days!r}.", "Write a whole number of days."))
    for place, feature in enumerate(data.get("evidence") or ()):
        if feature not in measured:
            close = nearest(str(feature), sorted(measured))
            possible = f"Did you mean '{close}'?" if close else "Evidence are the ids of measured features."
            faults.append(item.fault(f"evidence.{place}", f"no measured feature is called {feature!r}.", possible))
    if not isinstance(data.get("personal", True), bool):
        faults.append(item.fault("personal", f"personal is {data['personal']!r}.", "Write true or false."))
    return faults


def apply(tags: Sequence[Tag], profile: Profile, lacking: Collection[str] = ()) -> Profile:
    """The profile with a yes/no column per tag; tags that read other tags come after them (see `order`).

    `lacking` are the tags that this bank's data make impossible: null for everybody, which nobody need compute.
    """
    for grain in (ACCOUNT, CUSTOMER):
        waiting = [tag for tag in tags if tag.grain == grain]
        while waiting:
            names = {column for tag in waiting for column in tag.columns}
            ready = [tag for tag in waiting if not tag.reads & names]
            rows = profile.rows(grain, frozenset().union(*(tag.reads for tag in ready)))
            columns = {name: value for tag in ready for name, value in _columns(tag, rows, lacking).items()}
            profile = profile.with_columns(grain, columns, rows)
            waiting = [tag for tag in waiting if tag not in ready]
    return profile


def _columns(tag: Tag, rows: Any, lacking: Collection[str]) -> Mapping[str, Any]:
    """The tag, and where it holds how sure it is; a personal tag of who had theirs deleted is not known."""
    if tag.id in lacking:
        return dict(zip(tag.columns, (ibis.null("boolean"), ibis.null("float64")), strict=False))
    holds = tag.expression.ibis(rows)
    if tag.personal:
        holds = deleted(rows).ifelse(ibis.null("boolean"), holds)
    if tag.confidence is None:
        return {tag.id: holds}
    sure = tag.confidence.ibis(rows).clip(lower=0, upper=1)
    return {tag.id: holds, f"{tag.id}{CONFIDENCE}": holds.fill_null(False).ifelse(sure, ibis.null("float64"))}


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
    elif set(meaning) != {"zh", "en"}:
        # {en: 5,000 a month} is cut at the comma.
        more = ", ".join(sorted(map(str, set(meaning) - {"zh", "en"})))
        faults.append(item.fault("meaning", f"says more than zh and en: {more}.", "Put a text with a comma in quotes."))
    if not isinstance(data.get("owner"), str) or not data["owner"].strip():
        faults.append(item.fault("owner", "has no owner.", "Write owner: the team that answers for it."))
    if data.get("grain", ACCOUNT) not in (ACCOUNT, CUSTOMER):
        faults.append(item.fault("grain", f"the grain is {data['grain']!r}.", "Possible: account, customer."))
    if aims and data.get("aim") not in aims:
        faults.append(item.fault("aim", f"the aim is {data.get('aim')!r}.", f"Possible: {', '.join(aims)}."))
    return faults


def condition(
    item: Item, path: str, names: Names, text: object = None, type: Type | None = None
) -> tuple[Expression | None, list[Fault]]:
    """The expression that stands at `path` of an item: yes/no, or of the type asked for."""
    written = item.data.get(path) if text is None else text
    if written is None:
        return None, [item.fault(path, f"has no {path}.", "Write a condition over the profile.")]
    try:
        return parse(str(written), names, expect=type or Type.YESNO), []
    except BadDefinition as wrong:
        return None, [item.fault(path, fault.found, fault.possible) for fault in wrong.faults]
