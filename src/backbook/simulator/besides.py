"""What the core's neighbours tell of customers besides the card: bureau, vendors, holdings in the bank, tags of old.

Each is a noisy look at a hidden trait, never the trait itself.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbook.simulator.book import State
from backbook.simulator.chance import Array
from backbook.simulator.days import Month, months_of
from backbook.simulator.delivery import Cents, Codes, Days, by_id
from backbook.simulator.records import Registry


def _customer(registry: Registry, records: Array) -> pa.Array:
    return registry.customer_no.take(pa.array(records))


def bureau(registry: Registry, month: Month, state: State) -> dict[str, object]:
    """A third of the customers each month; what others lend grows with need and pressure."""
    folk, chance, number = registry.folk, registry.chance, month.number
    turn = chance.whole(3, "bureau turn", folk.number)
    persons = np.flatnonzero((turn == number % 3) & (registry.created[: len(folk)] <= month.last))
    numbers, pressure = folk.number[persons], state.pressure[persons]
    lenders = chance.count(np.exp(0.2 + 0.35 * folk.need[persons]), "lenders", numbers)
    limits = np.round(lenders * folk.income[persons] * np.exp(0.5 + 0.3 * chance.normal("other limits", numbers)), -3)
    used = 1 / (
        1
        + np.exp(
            1.0 - 0.5 * folk.need[persons] - 0.4 * pressure - 0.4 * chance.normal("other use", numbers, month=number)
        )
    )
    enquiries = chance.count(
        np.exp(-0.9 + 0.3 * folk.need[persons] + 0.35 * np.clip(pressure, -2, 4)),
        "enquiries",
        numbers,
        month=number,
    )
    worse = pressure + 0.8 * chance.normal("status elsewhere", numbers, month=number)
    worst = np.where(lenders > 0, np.searchsorted([2.6, 3.3, 3.9], worse), 0)
    return by_id({
        "KHH": _customer(registry, persons),
        "CXRQ": Days(month.first + chance.whole(month.length, "bureau day", numbers, month=number)),
        "TYSX": Cents((limits * 100).astype(np.int64)),
        "TYYE": Cents((np.round(limits * used, 0) * 100).astype(np.int64)),
        "CXCS": enquiries,
        "ZCZT": Codes(worst, ["N", "1", "2", "3"]),
    }, "KHH")  # fmt: skip


def holdings(registry: Registry, month: Month) -> dict[str, object]:
    """What customers hold in the bank besides the card: a third of the customers each month, as of its end."""
    folk, chance = registry.folk, registry.chance
    turn = chance.whole(3, "holding turn", folk.number)
    there = np.flatnonzero((turn == month.number % 3) & (registry.created[: len(folk)] <= month.last))
    wealth = np.log(folk.income[there] / 9_000)
    kinds = (("deposit", 0.55, 1.0, 2.2), ("payroll", 0.22, 0.3, 0.8), ("mortgage", 0.10, 0.8, 40.0), ("loan", 0.07, 0.2, 6.0), ("wealth", 0.16, 1.6, 7.0))  # fmt: skip
    person, kind, amount = [], [], []
    for place, (name, share, grows, months) in enumerate(kinds):
        numbers = folk.number[there]
        odds = np.log(share / (1 - share)) + grows * wealth
        has = np.flatnonzero(chance.happens(1 / (1 + np.exp(-odds)), f"holds {name}", numbers))
        mood = np.exp(
            0.9 * chance.normal(f"{name} size", numbers[has])
            + 0.15 * chance.normal(f"{name} now", numbers[has], month=month.number)
        )
        person.append(there[has])
        kind.append(np.full(len(has), place))
        amount.append(np.round(folk.income[there[has]] * months * mood).astype(np.int64) * 100)
    return by_id({
        "KHH": _customer(registry, np.concatenate(person)),
        "CPLX": Codes(np.concatenate(kind), ["CK", "DF", "FD", "DK", "LC"]),
        "YE": Cents(np.concatenate(amount)),
    }, "KHH")  # fmt: skip


def outside_scores(registry: Registry, month: Month, state: State) -> dict[str, object]:
    """Scores bought from two vendors for one customer in six each month; one is worth more than the other."""
    folk, chance, number = registry.folk, registry.chance, month.number
    turn = chance.whole(6, "score turn", folk.number)
    there = np.flatnonzero((turn == number % 6) & (registry.created[: len(folk)] <= month.last))
    numbers, pressure = folk.number[there], state.pressure[there] + 0.3 * folk.need[there]
    good = 620 - 35 * (0.6 * pressure + 1.1 * chance.normal("score one", numbers, month=number))
    poor = 600 - 40 * (0.2 * pressure + 1.2 * chance.normal("score two", numbers, month=number))
    n = len(there)
    value = np.round(np.clip(np.concatenate([good, poor]), 300, 850)).astype(np.int64)
    vendor = np.repeat([0, 1], n)
    return by_id({
        "KHH": _customer(registry, np.concatenate([there, there])),
        "GYS": Codes(vendor, ["百川数据", "云图科技"]),
        "PFMC": Codes(vendor, ["共债分", "行为分"]),
        "FZ": value,
        "SQBH": pc.binary_join_element_wise("SQ", _customer(registry, np.concatenate([there, there])), ""),
        "FY": Cents(np.where(vendor == 0, 120, 35)),
    }, "KHH")  # fmt: skip


def old_tags(registry: Registry, month: Month, first: bool) -> dict[str, object]:
    """The wide table of tags that the bank had before: drawn twice a year, and for new customers when they come."""
    folk, chance = registry.folk, registry.chance
    created = months_of(registry.created)
    due = first or month.month in (1, 7)
    rows = np.flatnonzero((created <= month.number) if due else (created == month.number))
    person = registry.person[rows]
    numbers = folk.number[person]
    drives = chance.happens(np.where(folk.taste[person] == 2, 0.75, 0.18), "tagged driver", numbers)
    wealth = folk.income[person] * np.exp(0.4 * chance.normal("tagged wealth", numbers))
    child = chance.happens(np.where(folk.married[person], 0.55, 0.04), "tagged parent", numbers)
    return by_id({
        "KHH": _customer(registry, rows),
        "CZBZ": drives,
        "ZNBZ": child,
        "ZCDJ": Codes(np.searchsorted([7_000, 14_000, 30_000], wealth), ["D", "C", "B", "A"]),
        "GZRBZ": chance.happens(np.clip(0.12 + 0.3 * (folk.occupation[person] < 3), 0, 1), "tagged payroll", numbers),
    }, "KHH")  # fmt: skip
