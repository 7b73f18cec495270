"""How fast the made-up issuer is written, how that grows with its size, and whether it is as hard as it promises to be.

Speed: 20,000 customers × 24 months in a process of its own, all rows of all files counted; then 10,000 and 100,000
customers × 12 months (a million with --million), whose ratio tells whether the cost grows in a straight line.
Difficulty (DESIGN section 8), on five seeds: how well the true twelve-month chance of default, the share of 200 futures
of at least 5,000 accounts, ranks who defaults; what offers do; what the best policy earns against the best rule over
segments; and three figures of the book, at 50,000 customers, beside the published ones.

    python bench/simulate.py [--seeds 1,2,3,4,5] [--futures N] [--effects N] [--million] [--no-size] [--no-figures]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from backbook.simulator import futures, policy, truth
from backbook.simulator.bank import present_policy
from backbook.simulator.book import OPEN
from backbook.simulator.cards import cards
from backbook.simulator.days import Month
from backbook.simulator.living import begin, live
from backbook.simulator.people import numbers_of
from backbook.simulator.settings import Settings

END = date(2026, 10, 31)
# What must hold on every seed: (least, most).
BOUNDS = {
    "pd_auc": (0.80, 0.88),
    "offer_lift_min": (0.005, 0.04),
    "offer_lift_max": (0.005, 0.04),
    "harmed_share": (0.10, 1.0),
    "oracle_ratio": (1.3, 1.8),
    "utilisation": (0.36, 0.40),
    "over_180": (0.012, 0.016),
    "sleeping": (0.12, 0.18),
}
CUSTOMERS = 50_000
ACCOUNTS = 5_500  # open ones; at least 5,000 of them are not in default yet

WRITE = """
import resource, sys, time
from backbook.simulator import simulate
folder, customers, months = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if __name__ == "__main__":
    begin = time.perf_counter()
    simulate(folder, customers, months, seed=1)
    seconds = time.perf_counter() - begin
    peak = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**20
    own, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    print(seconds, peak, own.ru_utime + own.ru_stime + theirs.ru_utime + theirs.ru_stime)
"""


def written(customers: int, months: int) -> dict[str, float]:
    """Seconds, processors' seconds, rows and peak memory of one simulation. With children the peak is own + largest child."""
    with tempfile.TemporaryDirectory() as place:
        script = Path(place) / "write.py"
        script.write_text(WRITE, encoding="utf-8")
        folder = Path(place) / "issuer"
        command = [sys.executable, str(script), str(folder), str(customers), str(months)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, peak, cpu = map(float, done.stdout.split())
        return {"seconds": seconds, "peak_gib": peak, "cpu": cpu, "rows": rows_of(folder / "raw")}


def rows_of(folder: Path) -> int:
    """Lines of all text files; headers are too few to matter."""
    total = 0
    for file in folder.rglob("*"):
        if file.is_file() and file.suffix not in (".ok", ".ctl", ".xlsx"):
            data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            total += data.count(b"\n")
    return total


def figures(seed: int, replays: int, effect_replays: int) -> dict[str, Any]:
    """The figures of one seed."""
    settings = Settings(CUSTOMERS, 24, seed, END)
    world, state = begin(settings, numbers_of(settings, 0, CUSTOMERS))
    held = cards(world)
    used = np.full(len(held.account), -1)
    for number in range(settings.warm_up.number, settings.last.number + 1):
        month = Month(number)
        detail = number > settings.last.number - 19
        decisions = present_policy(world.chance, world.folk, world.accounts, state, month)
        facts = live(world, state, month, decisions, in_detail=detail)
        if detail:
            spent = facts.postings.at(np.isin(facts.postings.code, (1000, 2000, 2100)))
            np.maximum.at(used, held.used(spent.account, spent.card, spent.day), spent.day)
    accounts, last = world.accounts, settings.last
    there = (state.status == OPEN) & (accounts.opened <= last.last)
    owed = np.maximum(state.total(), 0)
    book = {
        "utilisation": float(owed[there].sum() / state.limit[np.unique(accounts.line[there])].sum()),
        "over_180": float(owed[facts.days_past_due > 180].sum() / owed.sum()),
        "sleeping": _sleeping(world, state, held, used, there),
    }
    part, its = futures.sample(world, state, last, ACCOUNTS)
    likely = futures.likely(part, its, last, replays)
    treated = futures.effects(part, its, last, effect_replays)
    found = truth.figures(likely, treated, policy.best(treated, policy.seen(part, its, last)))
    lifts, harmed = found["lift"].values(), found["harmed"].values()
    merit = {"offer_lift_min": min(lifts), "offer_lift_max": max(lifts), "harmed_share": min(harmed)}
    return found | merit | book


def _sleeping(world: Any, state: Any, held: Any, used: Any, there: Any) -> float:
    """Cards without use by the customer for eighteen months on accounts that owe nothing and hold nothing (CN-16)."""
    last = world.settings.last
    since = Month(last.number - 18).last
    card = (held.issued <= last.last) & (held.replaced >= last.last) & there[held.account]
    policy_card = world.accounts.product[held.account] == 5
    # A card that is too young to have slept so long may have taken over the sleep of the one it replaced.
    issued = np.where(held.replaces >= 0, held.issued[np.maximum(held.replaces, 0)], held.issued)
    idle = np.maximum(used, np.where(held.replaces >= 0, used[np.maximum(held.replaces, 0)], -1)) <= since
    sleeps = card & idle & (issued <= since) & (state.total()[held.account] == 0) & ~policy_card
    return float(sleeps.sum() / card.sum())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default=os.environ.get("BACKBOOK_BENCH_SEEDS", "1,2,3,4,5"))
    parser.add_argument("--futures", type=int, default=200)
    parser.add_argument("--effects", type=int, default=16)
    parser.add_argument("--million", action="store_true", help="write a million customers × 12 months too")
    parser.add_argument("--no-size", action="store_true")
    parser.add_argument("--no-figures", action="store_true")
    said = parser.parse_args()
    line: dict[str, str] = {}
    if not said.no_size:
        usual = written(20_000, 24)
        _tell("20,000 × 24", usual)
        line |= {"rows_per_second": f"{usual['rows'] / usual['seconds']:.0f}", "seconds": f"{usual['seconds']:.0f}"}
        sizes = [10_000, 100_000, *([1_000_000] if said.million else [])]
        grown = {size: written(size, 12) for size in sizes}
        for size, found in grown.items():
            _tell(f"{size:,} × 12", found)
        per = {size: found["cpu"] / size for size, found in grown.items()}
        line |= {"peak_gib": f"{max(found['peak_gib'] for found in (usual, *grown.values())):.1f}"}
        line |= {f"cpu_per_customer_{size // 1000}k_to_10k": f"{per[size] / per[10_000]:.2f}" for size in sizes[1:]}
        line |= {f"seconds_{size // 1000}k": f"{grown[size]['seconds']:.0f}" for size in sizes}
    if not said.no_figures:
        seeds = [int(seed) for seed in said.seeds.split(",")]
        with ProcessPoolExecutor(min(os.cpu_count() or 1, len(seeds))) as pool:
            began = time.perf_counter()
            found = list(pool.map(figures, seeds, [said.futures] * len(seeds), [said.effects] * len(seeds)))
        for seed, one in zip(seeds, found, strict=True):
            outside = [name for name, (least, most) in BOUNDS.items() if not least <= one[name] <= most]
            print(f"  seed {seed}: {json.dumps(one, ensure_ascii=False)}{'  OUTSIDE: ' + ', '.join(outside) if outside else ''}", file=sys.stderr, flush=True)  # fmt: skip
        print(f"  figures of {len(seeds)} seeds in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        for name in BOUNDS:
            values = [one[name] for one in found]
            line[name] = f"{np.mean(values):.4f}"
            line[f"{name}_range"] = f"{min(values):.4f}..{max(values):.4f}"
        line["inside"] = str(sum(least <= one[name] <= most for one in found for name, (least, most) in BOUNDS.items()))
        line["of"] = str(len(found) * len(BOUNDS))
    print("simulate: " + " ".join(f"{key}={value}" for key, value in line.items()))


def _tell(name: str, found: dict[str, float]) -> None:
    told = f"{found['seconds']:7.1f} s {found['cpu']:7.1f} s of processors {found['peak_gib']:5.2f} GiB {found['rows']:12,.0f} rows"
    print(f"  {name:<16}{told}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
