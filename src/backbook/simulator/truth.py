"""What is really so, for tests and benchmarks alone: who is who, what drives them, what was likely.

No stage of Backbook reads this folder.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pyarrow as pa

from backbook.simulator.book import sleep_hazard
from backbook.simulator.days import Month
from backbook.simulator.delivery import Days, Delivery
from backbook.simulator.living import Facts, World
from backbook.simulator.people import People
from backbook.simulator.records import APP, CALL_CENTRE, CORE, PARTNER, Registry
from backbook.simulator.settings import HABITS


def persons(delivery: Delivery, registry: Registry, part: int) -> None:
    """The true person of each party record and account, and the hidden traits of each person."""
    numbers, end = registry.folk.number, registry.world.settings.last.last
    there = [
        (CORE, registry.customer_no, registry.person, registry.created),
        (APP, registry.user_id, np.arange(len(numbers)), registry.app_since),
        (CALL_CENTRE, registry.caller_id, np.arange(len(numbers)), registry.call_since),
        (PARTNER, registry.member_id, np.arange(len(numbers)), registry.member_since),
    ]
    system, party, person = [], [], []
    for name, ids, persons_, since in there:
        rows = np.flatnonzero(since <= end)
        system.append(np.full(len(rows), name, object))
        party.append(ids.take(pa.array(rows)))
        person.append(numbers[persons_[rows]])
    delivery.parquet(
        f"person_{part:03d}",
        {"system": np.concatenate(system), "party_id": pa.concat_arrays(party), "person": np.concatenate(person)},
    )
    accounts = registry.world.accounts
    delivery.parquet(f"account_{part:03d}", {"account_id": registry.account_id, "person": numbers[accounts.person]})
    delivery.parquet(f"trait_{part:03d}", _traits(registry.folk))


def _traits(folk: People) -> dict[str, object]:
    columns: dict[str, object] = {"person": folk.number}
    for field in fields(People):
        if field.name not in ("number", "habit"):
            columns[field.name] = getattr(folk, field.name)
    return columns | {"habit": np.array(HABITS, object)[folk.habit]}


def month_of_accounts(
    delivery: Delivery, world: World, registry: Registry, month: Month, facts: Facts, part: int
) -> None:
    """The state of each account at a month's end: its pressure, what was likely, whether it is in default."""
    accounts = world.accounts
    rows = np.flatnonzero(accounts.opened <= month.last)
    delivery.parquet(
        f"month_{month.end:%Y%m%d}_{part:03d}",
        {
            "account_id": registry.account_id.take(pa.array(rows)),
            "month": Days(np.full(len(rows), month.last), "%Y-%m-%d"),
            "pressure": facts.pressure[accounts.person[rows]],
            "miss_probability": facts.miss_probability[rows],
            "sleep_hazard": sleep_hazard(world.folk, accounts.person[rows]),
            "days_past_due": facts.days_past_due[rows],
            "in_default": facts.days_past_due[rows] > 90,
            "written_off": np.isin(rows, facts.written_off),
        },
    )
