"""Write a made-up issuer: its four source systems under `raw/`, and what is true under `truth/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np

from backbook.errors import NotAllowed
from backbook.simulator import truth
from backbook.simulator.app import App
from backbook.simulator.bank import present_policy
from backbook.simulator.call_centre import CallCentre
from backbook.simulator.chance import Array
from backbook.simulator.core import Core
from backbook.simulator.days import Month, month_of
from backbook.simulator.delivery import Delivery
from backbook.simulator.living import begin, live
from backbook.simulator.partner import Partner
from backbook.simulator.records import Registry
from backbook.simulator.settings import PART, WARM_UP_MONTHS, Settings

END = date(2026, 10, 31)
Tell = Callable[[str, int, int], None]


def simulate(
    directory: Path | str,
    customers: int = 20_000,
    months: int = 24,
    seed: int = 1,
    *,
    start: date | None = None,
    end: date | None = None,
    on_progress: Tell | None = None,
) -> Settings:
    """Write the deliveries of `months` months, the last of which ends on `end`, into a new or empty folder.

    `start` is the first day of the first month and may stand in place of `end`. Raises NotAllowed for numbers
    of which no issuer can be made, and when `raw/` or `truth/` already hold something.
    """
    settings = Settings(customers, months, seed, _last_day(start, end, months))
    folder = Path(directory)
    for name in ("raw", "truth"):
        if (folder / name).is_dir() and any((folder / name).iterdir()):
            raise NotAllowed(f"{folder / name} already holds files. Name another folder, or take these away first.")
    parts = list(_parts(customers))
    tell = _Steps(on_progress, len(parts) * (months + WARM_UP_MONTHS))
    with Delivery(folder / "raw") as raw, Delivery(folder / "truth") as true:
        for part, numbers in enumerate(parts, start=1):
            _simulate_part(settings, numbers, part, raw, true, tell)
    return settings


def _simulate_part(settings: Settings, numbers: Array, part: int, raw: Delivery, true: Delivery, tell: _Steps) -> None:
    world, state = begin(settings, numbers)
    for number in range(settings.warm_up.number, settings.first.number):
        month = Month(number)
        tell(f"living {month.end:%Y-%m} (before the first file)")
        live(world, state, month, present_policy(world.chance, world.folk, world.accounts, state, month))
    registry = Registry(world)
    core, app, calls, shop = (
        Core.of(registry, part),
        App(registry, part),
        CallCentre(registry, part),
        Partner(registry, part),
    )
    truth.persons(true, registry, part)
    for number in range(settings.first.number, settings.last.number + 1):
        month = Month(number)
        tell(f"living {month.end:%Y-%m}")
        facts = live(world, state, month, present_policy(world.chance, world.folk, world.accounts, state, month))
        core.deliver(raw, month, state, facts)
        app.deliver(raw, month, facts)
        calls.deliver(raw, month, state, facts)
        shop.deliver(raw, month)
        truth.month_of_accounts(true, world, registry, month, facts, part)


def _last_day(start: date | None, end: date | None, months: int) -> date:
    if start is None:
        return end or END
    if start.day != 1:
        raise NotAllowed(
            f"The simulation cannot start on {start}: it runs in whole months. Give the first day of a month."
        )
    last = Month(month_of(start).number + max(months, 1) - 1).end
    if end is not None and end != last:
        raise NotAllowed(f"{months} months from {start} end on {last}, not on {end}. Give one of the two.")
    return last


def _parts(customers: int) -> Iterator[Array]:
    """Ranges of customers small enough for memory; each begins at an even number, so that households stay whole."""
    for first in range(0, max(customers, 0), PART):
        yield np.arange(first, min(first + PART, customers))


class _Steps:
    """Counts steps for whoever watches."""

    def __init__(self, told: Tell | None, total: int) -> None:
        self._told, self._total, self._done = told, total, 0

    def __call__(self, text: str) -> None:
        if self._told:
            self._told(text, self._done, self._total)
        self._done += 1
