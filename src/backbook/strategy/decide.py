"""What the bank decides for every account of the book, and why.

One row per account. For each arm: the first branch that holds names an action, guardrails may send it elsewhere,
what is raised is checked over the person; then the customer's own arm counts, and a small share is chosen at
random among what cannot raise risk, so that the chance of every decision is known. A row keeps the values it
read: `replay` needs nothing else. Ordered by account; the same input gives the same bytes.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from backbook.strategy.definition import Strategy
from backbook.strategy.facts import facts, units
from backbook.strategy.record import decisions
from backbook.strategy.wishes import wishes


def decide(
    strategy: Strategy,
    profile: Any,
    *,
    as_of: date,
    bundle: str = "",
    identity: Any = None,
    engine: Any = None,
) -> Any:
    """Decisions over an account profile, ordered by account.

    `profile` has account_id, customer_id, system, party_id, optionally line_id, and the columns that the strategy
    reads. `identity` gives each customer's first party record; without it the account's own record counts. With an
    `engine` the steps between are kept, which is faster on a large book. Raises BadData when a column is missing.
    """
    keep = engine.cached if engine is not None else lambda table: table
    rows = keep(facts(strategy, units(strategy, profile, as_of, identity), as_of))
    rows = keep(wishes(strategy, rows))
    return decisions(strategy, rows, as_of, bundle).order_by("account_id")
