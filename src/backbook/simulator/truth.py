"""What is really so, for tests and benchmarks alone: who is who, what drives them, what was likely, what they earned.

No stage of Backbook reads this folder.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa

from backbook.simulator.book import sleep_hazard
from backbook.simulator.chance import Array
from backbook.simulator.days import Month
from backbook.simulator.delivery import Days, Delivery
from backbook.simulator.futures import Effects, Likely
from backbook.simulator.living import Facts, World
from backbook.simulator.people import People
from backbook.simulator.policy import Best
from backbook.simulator.profit import LINES
from backbook.simulator.records import APP, CALL_CENTRE, CORE, PARTNER, Registry
from backbook.simulator.settings import HABITS


def persons(delivery: Delivery, registry: Registry, month: Month, part: int) -> None:
    """The true person of each record and account that is new in the month, and the hidden traits of new people.

    The first file of each kind holds those of before too.
    """
    first = month.number == registry.world.settings.first.number
    since, numbers = -(10**6) if first else month.first, registry.folk.number
    everybody = np.arange(len(numbers))
    system, party, person = [], [], []
    for name, ids, persons_, created in (
        (CORE, registry.customer_no, registry.person, registry.created),
        (APP, registry.user_id, everybody, registry.app_since),
        (CALL_CENTRE, registry.caller_id, everybody, registry.call_since),
        (PARTNER, registry.member_id, everybody, registry.member_since),
    ):
        rows = np.flatnonzero((created >= since) & (created <= month.last))
        system.append(np.full(len(rows), name, object))
        party.append(ids.take(pa.array(rows)))
        person.append(numbers[persons_[rows]])
    stamp = f"{month.end:%Y%m%d}_{part:03d}"
    delivery.parquet(
        f"person_{stamp}",
        {"system": np.concatenate(system), "party_id": pa.concat_arrays(party), "person": np.concatenate(person)},
    )
    accounts = registry.world.accounts
    opened = np.flatnonzero((accounts.opened >= since) & (accounts.opened <= month.last))
    ids = registry.account_id.take(pa.array(opened))
    delivery.parquet(f"account_{stamp}", {"account_id": ids, "person": numbers[accounts.person[opened]]})
    came = (registry.folk.arrives == 0) if first else (registry.folk.arrives == month.number)
    delivery.parquet(f"trait_{stamp}", _traits(registry.folk, np.flatnonzero(came)))


def _traits(folk: People, rows: Array) -> dict[str, object]:
    columns: dict[str, object] = {"person": folk.number[rows]}
    for field in fields(People):
        if field.name not in ("number", "habit"):
            columns[field.name] = getattr(folk, field.name)[rows]
    return columns | {"habit": np.array(HABITS, object)[folk.habit[rows]]}


def month_of_accounts(
    delivery: Delivery, world: World, registry: Registry, month: Month, facts: Facts, part: int
) -> None:
    """The state of each account at a month's end: its pressure, its hazards, whether it is in default, its profit."""
    accounts = world.accounts
    rows = np.flatnonzero(accounts.opened <= month.last)
    stamp = f"{month.end:%Y%m%d}_{part:03d}"
    ids = registry.account_id.take(pa.array(rows))
    delivery.parquet(
        f"month_{stamp}",
        {
            "account_id": ids,
            "month": Days(np.full(len(rows), month.last), "%Y-%m-%d"),
            "pressure": facts.pressure[accounts.person[rows]],
            "miss_probability": facts.miss_probability[rows],
            "sleep_hazard": sleep_hazard(world.folk, accounts.person[rows]),
            "closing_hazard": facts.closing_hazard[rows],
            "days_past_due": facts.days_past_due[rows],
            "in_default": facts.days_past_due[rows] > 90,
            "written_off": np.isin(rows, facts.written_off),
        },
    )
    lines = {name: facts.profit[rows, place] for place, name in enumerate(LINES)}
    delivery.parquet(f"profit_{stamp}", {"account_id": ids, **lines})


def likely(delivery: Delivery, world: World, month: Month, found: Likely) -> None:
    """Shares of the futures that were lived on from the end of the month."""
    rows = np.flatnonzero(found.at_risk)
    ids = Registry(world).account_id.take(pa.array(rows))
    delivery.parquet(
        f"likely_{month.end:%Y%m%d}",
        {
            "account_id": ids,
            "default_12m": found.default[rows],
            "closing_12m": found.closing[rows],
            "silent_12m": found.silent[rows],
            "profit_12m": found.profit[rows] / 100,
            "futures": np.full(len(rows), found.futures),
        },
    )


def effects(delivery: Delivery, world: World, month: Month, found: Effects, best: Best) -> None:
    """What each treatment does to each customer; `best` is the treatment that the best policy would choose."""
    value = found.value.mean(axis=0) / 100
    error = found.value.std(axis=0) / 100 / np.sqrt(max(len(found.value) - 1, 1))
    named = np.array([*found.treatments, ""], object)
    columns: dict[str, Any] = {"person": world.folk.number, "possible": found.possible, "best": named[best.chosen]}
    for place, name in enumerate(found.treatments):
        if not np.isnan(found.lift[:, place]).any():
            columns[f"{name.lower()}_lift"] = found.lift[:, place]
        columns[f"{name.lower()}_value"] = value[:, place]
        columns[f"{name.lower()}_error"] = error[:, place]
    delivery.parquet(f"effect_{month.end:%Y%m%d}", columns)


def figures_of_risk(found: Likely) -> dict[str, Any]:
    """How many were lived on, and how well the chance of default ranks."""
    return {
        "accounts": int(found.at_risk.sum()),
        "futures": found.futures,
        "pd_mean": float(found.default[found.at_risk].mean()),
        "pd_auc": found.ranks,
    }


def figures(found: Likely, treated: Effects, best: Best) -> dict[str, Any]:
    """The figures of merit by which the issuer's difficulty is held (DESIGN 8)."""
    who = treated.possible
    offers = [place for place in range(len(treated.treatments)) if not np.isnan(treated.lift[:, place]).any()]
    lifts, harmed = {}, {}
    for place in offers:
        asked = treated.lift[who, place]
        asked = asked[asked != 0]
        lifts[treated.treatments[place]] = float(asked.mean()) if len(asked) else float("nan")
        harmed[treated.treatments[place]] = float((asked < 0).mean()) if len(asked) else float("nan")
    return figures_of_risk(found) | {
        "lift": lifts,
        "harmed": harmed,
        "oracle": best.policy,
        "rule": best.rule,
        "single": best.single,
        "rule_columns": list(best.columns),
        "oracle_ratio": best.ratio,
    }
