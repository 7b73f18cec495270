"""How fast a million rows of a hundred features are binned, and how well the card ranks, beside optbinning.

Both cut every feature into bins that keep one direction, from the same Parquet file; a logistic regression over their
weights of evidence is then judged on a fifth that neither has seen. Ours counts in the engine: no row leaves it. By hand
means numpy over columns that lie in memory already (quantiles of 50,000 rows, searchsorted, bincount), with our search for
the best cuts: the shortest code known to us.

optbinning brings solvers of its own and lives in a place of its own: `make peers` first. Without it the peer's figures
are not given.

    python bench/scorecard.py [--rows N] [--features N]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet

from backbook.engine import Engine
from backbook.expressions import Name, Type
from backbook.score.counting import Codes, Counts, Grid, counted, grids
from backbook.score.quality import auc
from backbook.score.scorecard import binnings, logistic

PEER_PYTHON = Path(__file__).resolve().parent.parent / "build" / "peers" / "bin" / "python"
HELD_OUT = 4

PEER = """
import json, sys, time
import numpy as np, pyarrow.parquet as pq
from optbinning import BinningProcess
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
table = pq.read_table(sys.argv[1])
names = [name for name in table.column_names if name.startswith("x")]
event, fold = (table[name].to_numpy(zero_copy_only=False) for name in ("_event", "_fold"))
values = np.column_stack([table[name].to_numpy(zero_copy_only=False) for name in names])
taught = fold != int(sys.argv[2])
target = event.astype(int)
params = {name: {"monotonic_trend": "auto_asc_desc"} for name in names}
found = {}
for jobs in (1, 2):
    process = BinningProcess(names, binning_fit_params=params, n_jobs=jobs)
    start = time.perf_counter()
    process.fit(values[taught], target[taught])
    found[f"seconds_{jobs}"] = time.perf_counter() - start
evidence = process.transform(values, metric="woe")
evidence = np.asarray(evidence, dtype=float)
model = LogisticRegression(max_iter=200).fit(evidence[taught], target[taught])
found["auc"] = roc_auc_score(target[~taught], model.decision_function(evidence[~taught]))
print(json.dumps(found))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        write(file, asked.rows, asked.features)
        names = [Name(f"x{number}", Type.NUMBER) for number in range(asked.features)]
        found = ours(file, names) | by_hand(file, names) | peer(file)
    if "peer_seconds" in found:
        found["time_ratio_to_optbinning"] = found["seconds"] / found["peer_seconds"]
    found["time_ratio_to_hand"] = found["seconds"] / found["hand_seconds"]
    found["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    first = ("time_ratio_to_optbinning", "auc", "auc_optbinning")
    ordered = [*(key for key in first if key in found), *(key for key in found if key not in first)]
    print(
        "scorecard:",
        " ".join(f"{key}={found[key]:.4f}" for key in ordered),
        f"rows={asked.rows} features={asked.features}",
    )


def write(file: Path, rows: int, features: int) -> None:
    """Made-up accounts: a third of the features matter, bent and with gaps; a third are whole numbers; the rest is noise."""
    random = np.random.default_rng(7)
    driver = random.normal(size=rows)
    columns: dict[str, Any] = {}
    for number in range(features):
        own = random.normal(size=rows)
        value = np.tanh(driver + own) if number % 3 == 0 else own
        if number % 3 == 1:
            value = random.poisson(np.exp(0.3 * driver + 0.5)).astype(float)
        value = np.round(value, 4)
        value[random.random(rows) < 0.02 * (number % 4)] = np.nan
        columns[f"x{number}"] = pa.array(value, from_pandas=True)
    chance = 1 / (1 + np.exp(2.6 - 1.1 * driver))
    columns["_event"] = random.random(rows) < chance
    columns["_fold"] = (np.arange(rows) % 5).astype(np.int16)
    pa.parquet.write_table(pa.table(columns), file, row_group_size=122_880)


def ours(file: Path, names: list[Name]) -> dict[str, float]:
    engine = Engine()
    whole = engine.parquet([file], row_column="_row").mutate(_day=ibis.literal(0))
    taught = whole.filter(whole["_fold"] != HELD_OUT)
    start = time.perf_counter()
    cut = grids(engine, taught, names, {})
    tallies = counted(engine, taught, cut, folds=5, days=1)
    found = binnings(cut, {tally.grid.name.name: tally.counts() for tally in tallies})
    seconds = time.perf_counter() - start
    columns = engine.arrow(whole.order_by("_row").select("_event", "_fold", *(name.name for name in names)))
    codes = {grid.name.name: grid.codes(columns[grid.name.name]) for grid in cut}
    evidence = np.column_stack([found[name].evidence[codes[name]] for name in codes])
    target, fold = (columns[name].to_numpy(zero_copy_only=False) for name in ("_event", "_fold"))
    engine.close()
    return {"auc": judged(evidence, target.astype(bool), fold), "seconds": seconds}


def judged(evidence: Any, target: Any, fold: Any) -> float:
    taught = fold != HELD_OUT
    coefficients, intercept = logistic(evidence[taught], target[taught])
    return auc(evidence[~taught] @ coefficients + intercept, target[~taught])


def by_hand(file: Path, names: list[Name]) -> dict[str, float]:
    table = pa.parquet.read_table(file)
    fold = table["_fold"].to_numpy()
    taught = fold != HELD_OUT
    target = table["_event"].to_numpy(zero_copy_only=False)[taught]
    columns = [table[name.name].to_numpy(zero_copy_only=False)[taught] for name in names]
    start = time.perf_counter()
    for name, values in zip(names, columns, strict=True):
        drawn = values[:: max(len(values) // 50_000, 1)]
        ends = np.unique(np.nanquantile(drawn, np.arange(1, 60) / 60))
        codes: Codes = np.searchsorted(ends, values).astype(np.int16)
        codes[np.isnan(values)] = len(ends) + 1
        every = np.bincount(codes, minlength=len(ends) + 2)
        events = np.bincount(codes[target], minlength=len(ends) + 2)
        grid = Grid(name, ends=tuple(ends))  # type: ignore[arg-type]
        binnings([grid], {name.name: Counts(events, every - events)})
    return {"hand_seconds": time.perf_counter() - start}


def peer(file: Path) -> dict[str, float]:
    if not PEER_PYTHON.exists():
        print("optbinning is not here: make peers", file=sys.stderr)
        return {}
    told = subprocess.run(
        [str(PEER_PYTHON), "-c", PEER, str(file), str(HELD_OUT)], check=True, capture_output=True, text=True
    )
    found = json.loads(told.stdout.splitlines()[-1])
    # The better of one process and two.
    return {
        "auc_optbinning": found["auc"],
        "peer_seconds": min(found["seconds_1"], found["seconds_2"]),
        "peer_seconds_one": found["seconds_1"],
    }


if __name__ == "__main__":
    main()
