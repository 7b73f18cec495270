"""What a customer asks of us about their data, taken down by the person who heard it: one ruling that binds every run."""

from __future__ import annotations

from datetime import datetime

from backbook.customer.identity.acts import Act, Known
from backbook.customer.privacy import WISHES
from backbook.errors import NotAllowed
from backbook.sources import rulings
from backbook.workspace import Workspace

# kind → what it will do, said to whoever takes it down
WILL = {
    "delete_tags": "the personal tags of {who} are deleted, and no later run brings them back",
    "non_personalised": "nothing is made for {who} in person",
}
assert WILL.keys() == WISHES.keys()


def wish(
    workspace: Workspace,
    kind: str,
    record: str,
    *,
    actor: str,
    reason: str,
    at: datetime | None = None,
    dry_run: bool = False,
) -> Act:
    """Take down a wish about a record (SYSTEM:PARTY_ID) or a customer; it holds for all records of the customer.

    Raises NotAllowed for an unknown kind or record, and without an actor or a reason.
    """
    if kind not in WILL:
        raise NotAllowed(f"There is no wish '{kind}'. Possible: {', '.join(WILL)}.")
    here = Known(workspace)
    who = here.customer_of(record)
    made = None if dry_run else rulings.rule(workspace, kind, record, actor=actor, reason=reason, at=at)
    return Act(made, WILL[kind].format(who=who), {who: here.records_of(who)})
