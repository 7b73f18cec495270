"""To which side of a customer a feature belongs: by the table it is measured on, or by what it is made of.

The dimensions are those of the tags (`tags.DIMENSIONS`), so that a score may ask for features by dimension and a
catalogue may lay both out alike.
"""

from __future__ import annotations

from collections.abc import Iterable

from backbook.customer.definition import Feature
from backbook.customer.profile import OWNER
from backbook.customer.relations import ROWS
from backbook.sources.attributes import Attribute

OF_TABLE = {
    "party": "basic", "assignment": "basic", "holding": "basic",
    "account": "lifecycle", "card": "lifecycle", "product": "lifecycle",
    "transaction": "spending", "authorisation": "spending", "benefit_use": "spending", "points_entry": "spending",
    "statement": "borrowing", "balance": "borrowing", "instalment": "borrowing", "limit": "borrowing",
    "mark": "risk", "bureau": "risk", "outside_score": "risk",
    "event": "channel", "contact": "channel", "response": "channel", "consent": "channel", "feedback": "channel",
    "relation": "tie",
}  # fmt: skip
REST = "basic"


def dimensions(features: Iterable[Feature], attributes: Iterable[Attribute]) -> dict[str, str]:
    """The dimension of every feature and attribute, with and without the owner's prefix."""
    found = {attribute.id: REST for attribute in attributes}
    for feature in features:
        # Features stand after what they read, so the parts of a derived one are known.
        parts = sorted(found[name] for name in feature.reads if name in found)
        whole = "tie" if feature.table in ROWS else OF_TABLE.get(feature.table or "")
        found[feature.id] = whole or (max(parts, key=parts.count) if parts else REST)
    return found | {OWNER + name: dimension for name, dimension in found.items()}
