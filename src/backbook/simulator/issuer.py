"""Write a made-up issuer: its four source systems under `raw/`, and what is true under `truth/`.

    simulate ─▶ raw/, truth/            all months at once, in parts of 50,000 customers
    step     ─▶ one more month          with the decisions and contacts that are handed in
    measure  ─▶ truth/likely, effect    what was likely, by futures lived on from the last month

`truth/issuer.json` says which issuer it is and how far it has lived, `truth/state_*` holds what the next month needs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, fields, replace
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from backbook.errors import BadData, NotAllowed
from backbook.simulator import futures, handed, policy, truth
from backbook.simulator.app import App
from backbook.simulator.bank import Decisions, present_policy
from backbook.simulator.book import State
from backbook.simulator.call_centre import CallCentre
from backbook.simulator.chance import Array
from backbook.simulator.core import Core
from backbook.simulator.days import Month, month_of
from backbook.simulator.delivery import TABLE, Cents, Days, Delivery
from backbook.simulator.living import Facts, World, begin, live
from backbook.simulator.partner import Partner
from backbook.simulator.people import numbers_of
from backbook.simulator.profit import LINES
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
    processes: int | None = None,
    **more: Any,
) -> Settings:
    """Write the deliveries of `months` months, the last of which ends on `end`, into a new or empty folder.

    `start` is the first day of the first month and may stand in place of `end`; `more` are fields of `Settings`, such as
    `downturn`. The parts of a large book are lived in as many processes as there are cores, or in `processes`. Raises
    NotAllowed for numbers of which no issuer can be made, and when `raw/` or `truth/` already hold something.
    """
    settings = Settings(customers, months, seed, _last_day(start, end, months), **more)
    settings = replace(settings, daily_from=settings.daily.end.replace(day=1))
    folder = Path(directory)
    for name in ("raw", "truth"):
        if (folder / name).is_dir() and any((folder / name).iterdir()):
            raise NotAllowed(f"{folder / name} already holds files. Name another folder, or take these away first.")
    totals = _all_parts(
        partial(_simulate_part, settings, folder), customers, months + WARM_UP_MONTHS, on_progress, processes
    )
    _ledger(folder, settings, settings.first, totals)
    _remember(folder, settings)
    return settings


def step(
    directory: Path | str,
    *,
    decisions: Path | None = None,
    contacts: Path | None = None,
    month: str | None = None,
    on_progress: Tell | None = None,
    processes: int | None = None,
) -> Month:
    """Let the issuer live one more month and append its deliveries; returns the month.

    Where `decisions` or `contacts` are handed in, they stand in place of what the bank would have done of itself. The
    customers react by their hidden truth. With other decisions the same seed is otherwise the same world. Raises
    NotAllowed when `month` (YYYY-MM) is not the next one, BadData for what cannot be done.
    """
    folder = Path(directory)
    settings = _issuer(folder)
    coming = Month(settings.last.number + 1)
    if month is not None and month != f"{coming.end:%Y-%m}":
        raise NotAllowed(
            f"The month {month} is out of order: this issuer has lived until {settings.end:%Y-%m}. The next is {coming.end:%Y-%m}."
        )
    given = handed.read(coming, decisions, contacts)
    longer = settings.until(coming)
    if given.accounts():
        handed.refuse_unknown(given, _known_accounts(longer, given.accounts()))
    totals = _all_parts(partial(_step_part, longer, folder, given), settings.customers, 1, on_progress, processes)
    _ledger(folder, longer, coming, totals)
    _remember(folder, longer)
    return coming


def measure(
    directory: Path | str,
    *,
    at: date | None = None,
    accounts: int = 5_000,
    replays: int = 200,
    effect_replays: int = 16,
    on_progress: Tell | None = None,
) -> dict[str, Any]:
    """Measure what was likely from a month-end on, for at least `accounts` accounts of the first part, into `truth/`.

    `at` is the last month-end or another whose state was kept: the one a year before the end of the first simulation, and
    those of later steps. Chance of default, closing and silence within twelve months as shares of `replays` futures; the effect of each offer,
    limit and price step on each customer; the best policy and the best rule. Without `effect_replays` only the shares.
    Returns the figures of merit.
    """
    folder = Path(directory)
    settings = _issuer(folder)
    part, first, end = _parts(settings.customers)[0]
    month = month_of(at) if at else settings.last
    kept = sorted({file.name[6:14] for file in (folder / "truth").glob("state_*.npz")})
    if f"{month.end:%Y%m%d}" not in kept or (at and at != month.end):
        days = ", ".join(f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in kept)
        raise NotAllowed(f"No state was kept of {at}. There are those of {days}.")
    world, state = futures.sample(
        *_living(settings, numbers_of(settings, first, end), folder, part, month), month, accounts
    )
    likely = futures.likely(world, state, month, replays, on_progress)
    if not effect_replays:
        with Delivery(folder / "truth") as true:
            truth.likely(true, world, month, likely)
        return truth.figures_of_risk(likely)
    effects = futures.effects(world, state, month, effect_replays, on_progress)
    best = policy.best(effects, policy.seen(world, state, month))
    with Delivery(folder / "truth") as true:
        truth.likely(true, world, month, likely)
        truth.effects(true, world, month, effects, best)
    return truth.figures(likely, effects, best)


# ── parts ──


def _parts(customers: int) -> list[tuple[int, int, int]]:
    """Number, first and end of parts small enough for memory; each begins at an even number, so that pairs stay whole."""
    return [(nth, first, min(first + PART, customers)) for nth, first in enumerate(range(0, customers, PART), start=1)]


def _all_parts(
    work: Callable[[tuple[int, int, int], Tell], Array],
    customers: int,
    steps: int,
    on_progress: Tell | None,
    processes: int | None,
) -> Array:
    """Do the work for each part, and add up what the parts return: sums of profit, month x line."""
    bounds = _parts(customers)
    tell = on_progress or (lambda *_: None)
    workers = min(processes or os.cpu_count() or 1, len(bounds))
    if workers == 1:
        total = len(bounds) * steps
        found: Any = sum(work(part, _Steps(tell, nth * steps, total)) for nth, part in enumerate(bounds))
        return np.asarray(found)
    found = 0
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(work, part, _silent) for part in bounds]
        for done, one in enumerate(as_completed(waiting), start=1):
            found = found + one.result()
            tell(f"part {done} of {len(bounds)}", done, len(bounds))
    return np.asarray(found)


class _Steps:
    """Counts steps for whoever watches."""

    def __init__(self, told: Tell, done: int, total: int) -> None:
        self._told, self._total, self._done = told, total, done

    def __call__(self, text: str, *_: int) -> None:
        self._told(text, self._done, self._total)
        self._done += 1


def _silent(*_: Any) -> None:
    """A part that is lived in a process of its own tells nothing on the way."""


def _simulate_part(settings: Settings, folder: Path, part: tuple[int, int, int], tell: Tell) -> Array:
    nth, first, end = part
    world, state = begin(settings, numbers_of(settings, first, end))
    for number in range(settings.warm_up.number, settings.first.number):
        month = Month(number)
        tell(f"living {month.end:%Y-%m} (before the first file)", 0, 0)
        live(world, state, month, _present(world, state, month), in_detail=False)
    totals = []
    with Delivery(folder / "raw") as raw, Delivery(folder / "truth") as true:
        bank = _Bank(world, nth)
        for number in range(settings.first.number, settings.last.number + 1):
            month = Month(number)
            tell(f"living {month.end:%Y-%m}", 0, 0)
            facts = live(world, state, month, _present(world, state, month))
            bank.deliver(raw, true, month, state, facts)
            totals.append(facts.profit.sum(axis=0))
            if number == settings.last.number - futures.HORIZON:
                state.save(_state_file(folder, month, nth))
    state.save(_state_file(folder, settings.last, nth))
    return np.array(totals)


def _step_part(settings: Settings, folder: Path, given: handed.Handed, part: tuple[int, int, int], tell: Tell) -> Array:
    nth, first, end = part
    month = settings.last
    tell(f"living {month.end:%Y-%m}", 0, 0)
    before = replace(settings, months=settings.months - 1, end=Month(month.number - 1).end)
    world, state = _living(settings, numbers_of(settings, first, end), folder, nth, before.last)
    bank = _Bank(world, nth)
    decisions = handed.decide(given, world, bank.registry, state, _present(world, state, month))
    facts = live(world, state, month, decisions)
    with Delivery(folder / "raw") as raw, Delivery(folder / "truth") as true:
        bank.deliver(raw, true, month, state, facts)
    state.save(_state_file(folder, month, nth))
    return np.array([facts.profit.sum(axis=0)])


def _present(world: World, state: State, month: Month) -> Decisions:
    return present_policy(world.chance, world.folk, world.accounts, state, month)


class _Bank:
    """The four systems of one part, and the truth beside them."""

    def __init__(self, world: World, part: int) -> None:
        self.world, self.part = world, part
        self.registry = Registry(world)
        self.core = Core.of(self.registry, part)
        self.app, self.calls = App(self.registry, part), CallCentre(self.registry, part)
        self.shop = Partner(self.registry, part)

    def deliver(self, raw: Delivery, true: Delivery, month: Month, state: State, facts: Facts) -> None:
        self.core.deliver(raw, month, state, facts)
        self.app.deliver(raw, month, facts)
        self.calls.deliver(raw, month, state, facts)
        self.shop.deliver(raw, month)
        truth.persons(true, self.registry, month, self.part)
        truth.month_of_accounts(true, self.world, self.registry, month, facts, self.part)


def _ledger(folder: Path, settings: Settings, first: Month, totals: Array) -> None:
    """The general ledger of each month: what all accounts earned, by line."""
    for nth, sums in enumerate(totals):
        month = Month(first.number + nth)
        rows = {
            "KM": np.array(LINES, object),
            "YF": Days(np.full(len(LINES), month.last)),
            "JE": Cents(sums),
        }
        with Delivery(folder / "raw") as raw:
            raw.text(f"core/ZZXX_{month.end:%Y%m%d}_000", rows, TABLE)


# ── what an issuer remembers ──


def _living(
    settings: Settings, numbers: Array, folder: Path, part: int, month: Month | None = None
) -> tuple[World, State]:
    """The world of a part and its state at the end of a month; who comes after that month begins as newcomers do."""
    world, fresh = begin(settings, numbers)
    file = _state_file(folder, month or settings.last, part)
    try:
        kept = State.load(file)
    except (OSError, ValueError, KeyError) as error:
        raise BadData(
            f"The state of {settings.end:%Y-%m} cannot be read from {file.name}: {error}. Simulate anew."
        ) from error
    return world, State(
        **{field.name: _grown(getattr(kept, field.name), getattr(fresh, field.name)) for field in fields(State)}
    )


def _grown(kept: Array, fresh: Array) -> Array:
    return np.concatenate([kept, fresh[len(kept) :]])


def _state_file(folder: Path, month: Month, part: int) -> Path:
    return folder / "truth" / f"state_{month.end:%Y%m%d}_{part:03d}.npz"


def _remember(folder: Path, settings: Settings) -> None:
    text = json.dumps(asdict(settings) | {"part": PART}, default=str, ensure_ascii=False, indent=1, sort_keys=True)
    file = folder / "truth" / "issuer.json"
    aside = file.with_suffix(".aside")
    aside.write_text(text + "\n", encoding="utf-8")
    os.replace(aside, file)


def _issuer(folder: Path) -> Settings:
    file = folder / "truth" / "issuer.json"
    if not file.exists():
        raise NotAllowed(f"{folder} holds no made-up issuer. Make one with `backbook simulate {folder}`.")
    kept = json.loads(file.read_text(encoding="utf-8"))
    if kept.pop("part") != PART:
        raise NotAllowed(f"The issuer in {folder} was made in parts of another size. Make it anew.")
    dates = {
        name: date.fromisoformat(kept[name]) if kept[name] else None for name in ("end", "daily_from", "downturn_from")
    }
    return Settings(**(kept | dates))


def _known_accounts(settings: Settings, wanted: set[str]) -> set[str]:
    known: set[str] = set()
    for _, first, end in _parts(settings.customers):
        world, _ = begin(settings, numbers_of(settings, first, end))
        known |= wanted & set(Registry(world).account_id.to_pylist())
    return known


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
