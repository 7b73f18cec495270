"""Who is who: how many records a customer has, by which rule they belong to it, and what people should look at.

Reads what the identity of a day tells of itself (`customer.identity.quality`); a lake without it shows nothing here.
A record is sure to belong to its customer by a rule or a ruling, likely to by its weight, or it stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis

from backbook.customer.identity.quality import MOST_SHOWN, SUSPECTS
from backbook.engine import Engine
from backbook.outcome.figures import Figure, Grid, Row
from backbook.outcome.texts import TEXTS

# The names of `customer.identity.identify`, which brings libraries that a report does not need.
REVIEW = "identity_review"
SURE, LIKELY, OWN = ("document", "account", "phone_and_name", "ruling"), "likely", "own"
# So many pairs stand on the page; the rest is read where people decide.
PAIRS_SHOWN = 10


@dataclass(frozen=True)
class Identity:
    """The tables of one day, and the quality of the month-end before where there is one.

    - `quality`, `before`: aspect, value, records, customers.
    - `suspect`: kind, what, records, customers.
    - `review`: record_left, record_right, probability, why.
    """

    quality: Any
    suspect: Any
    review: Any
    before: Any = None


def identity_figures(engine: Engine, quality: Any, as_of: date) -> list[Figure]:
    """Records, customers, records of each, what is linked for sure and what by likelihood, pairs to decide."""
    told = _told(engine, quality)
    by_rule = {row["value"]: row["records"] for row in told["rule"]}
    records, customers = sum(by_rule.values()), sum(row["customers"] for row in told["size"])
    sure = sum(by_rule.get(rule, 0) for rule in SURE)
    return [
        Figure("records", as_of, "record", records, form="count"),
        Figure("identified", as_of, "customer", customers, form="count"),
        Figure("records_each", as_of, "ratio", records, customers, form="ratio"),
        Figure("linked_surely", as_of, "record", sure, records),
        Figure("linked_likely", as_of, "record", by_rule.get(LIKELY, 0), records),
        Figure("to_decide", as_of, "pair", sum(row["customers"] for row in told["open"]), form="count"),
    ]


def identity_grids(engine: Engine, identity: Identity) -> list[Grid]:
    """Sizes, rules, systems, suspects, pairs to decide (how many, and the likeliest), changes since the run before."""
    told = _told(engine, identity.quality)
    return [
        Grid("identity_sizes", tuple({**row, "size": _size(row["value"])} for row in told["size"])),
        _rules(told["rule"]),
        Grid("identity_systems", tuple({**row, "system": row["value"]} for row in told["system"])),
        _suspects(engine, identity.suspect),
        Grid("identity_open", tuple({"why": row["value"], "pairs": row["customers"]} for row in told["open"])),
        _likeliest(engine, identity.review),
        _changes(told),
    ]


def _told(engine: Engine, quality: Any) -> dict[str, list[Row]]:
    """The rows of each aspect, by value."""
    found: dict[str, list[Row]] = {aspect: [] for aspect in ("size", "rule", "system", "open", "change")}
    for row in engine.rows(quality.order_by(["aspect", "value"])):
        found.setdefault(row["aspect"], []).append(row)
    return found


def _size(value: str) -> str:
    return f"{value}+" if value == str(MOST_SHOWN) else value


def _rules(rows: list[Row]) -> Grid:
    """rule, records, customers, share of all records: the surest first, those that stand alone last."""
    total = sum(row["records"] for row in rows)
    order = [*SURE, LIKELY, OWN]
    return Grid("identity_rules", tuple(
        {"rule": row["value"], "records": row["records"], "customers": row["customers"], "share": row["records"] / total}
        for row in sorted(rows, key=lambda row: order.index(row["value"]))
    ))  # fmt: skip


def _suspects(engine: Engine, suspect: Any) -> Grid:
    """kind, groups, records of all and of the largest group."""
    counted = engine.rows(
        suspect.group_by("kind").agg(
            groups=suspect.count(), records=suspect.records.sum(), largest=suspect.records.max()
        )
    )
    order = list(SUSPECTS)
    return Grid("identity_suspects", tuple(sorted(counted, key=lambda row: order.index(row["kind"]))))


def _likeliest(engine: Engine, review: Any) -> Grid:
    """record_left, record_right, likelihood, why."""
    first = review.order_by([ibis.desc("probability"), "record_left", "record_right"]).limit(PAIRS_SHOWN)
    rows = engine.rows(first.select("record_left", "record_right", "why", likelihood="probability"))
    return Grid("identity_review", tuple(rows))


def _changes(told: dict[str, list[Row]]) -> Grid:
    """change, records, customers; the first run finds every record new, which says nothing."""
    if not told["change"]:
        return Grid("identity_changes", needs=TEXTS["identity_unchanged"])
    found = {row["value"]: row for row in told["change"]}
    if "new" in found and found["new"]["records"] == sum(row["records"] for row in told["rule"]):
        return Grid("identity_changes", needs=TEXTS["identity_first"])
    rows = tuple({**found[change], "change": change} for change in ("new", "moved") if change in found)
    return Grid("identity_changes", rows)
