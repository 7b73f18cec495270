"""`[identity]` of backbook.toml: whose word counts, from which probability on, and how a golden record is chosen.

[identity]
trusted = ["core", "app", "call_centre"]   # the most trusted system first
kept_phones = ["core", "app"]              # systems that verify phones and keep them up to date
link = 0.5                                 # two records are one person from this probability on
review = 0.1                               # between the two, people decide
most_records = 100                         # no person has more; what would join more is shown, not joined
golden = {phone = "latest"}                # latest, most_trusted or most_complete, by field
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import log2
from typing import Any

from backbook.errors import Fault
from backbook.workspace import Settings

LATEST, TRUSTED, COMPLETE = "latest", "most_trusted", "most_complete"
HOW = (LATEST, TRUSTED, COMPLETE)
# Who somebody is, the most trusted system knows best; how to reach them, whoever heard last.
GOLDEN = {
    "full_name": TRUSTED, "birth_date": TRUSTED, "gender": TRUSTED, "id_document": TRUSTED,
    "phone": LATEST, "email": LATEST, "address": LATEST, "city": LATEST, "region": LATEST, "postcode": LATEST,
    "education": COMPLETE, "marital_status": LATEST, "occupation": LATEST, "employer": LATEST, "income_monthly": LATEST,
}  # fmt: skip


@dataclass(frozen=True)
class Terms:
    trusted: tuple[str, ...] = ()
    kept_phones: tuple[str, ...] = ()
    link: float = 0.5
    review: float = 0.1
    most_records: int = 100
    golden: Mapping[str, str] = field(default_factory=lambda: dict(GOLDEN))

    @property
    def link_bits(self) -> float:
        return round(log2(self.link / (1 - self.link)), 6)

    def canonical(self) -> dict[str, Any]:
        plain = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}


def read_terms(settings: Settings) -> tuple[Terms, list[Fault]]:
    """The terms, and everything that is wrong with them."""
    said, faults = dict(settings.identity), []

    def wrong(key: str, possible: str) -> None:
        faults.append(settings.fault(f"identity.{key}", f"{key} is {said.pop(key)!r}.", possible))

    for key in ("trusted", "kept_phones"):
        if key in said and not (isinstance(said[key], list) and all(isinstance(one, str) for one in said[key])):
            wrong(key, 'Write names of systems such as ["core", "app"].')
    for key in ("link", "review"):
        if key in said and not (_is_number(said[key]) and 0.01 <= said[key] <= 0.999):
            wrong(key, "Write a probability from 0.01 to 0.999.")
    if "most_records" in said and not (type(said["most_records"]) is int and said["most_records"] >= 2):
        wrong("most_records", "Write a whole number from 2, such as 100.")
    golden = said.pop("golden", {})
    for name, how in golden.items() if isinstance(golden, dict) else ():
        if name not in GOLDEN or how not in HOW:
            place = f"identity.golden.{name}"
            found = f"golden: {name} = {how!r}."
            faults.append(settings.fault(place, found, f"Fields: {', '.join(GOLDEN)}. How: {', '.join(HOW)}."))
    golden = (
        {name: how for name, how in golden.items() if name in GOLDEN and how in HOW} if isinstance(golden, dict) else {}
    )
    said |= {key: tuple(said[key]) for key in ("trusted", "kept_phones") if key in said}
    terms = Terms(**said, golden={**GOLDEN, **golden})
    if terms.review > terms.link:
        found = f"review ({terms.review}) lies above link ({terms.link})."
        faults.append(
            settings.fault("identity.review", found, "Below review two records are two people; from link on, one.")
        )
    return terms, faults


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
