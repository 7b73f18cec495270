"""How fast a whole book is scored: by a scorecard, by trees, and with the reasons of every account.

Made-up accounts with a hundred features in one Parquet file; a scorecard of about twenty features taught by a part of
them, and 500 trees of 15 leaves. Everything goes the product's way: from the file to a table of scores in the engine.
Beside it the best by hand (LightGBM's own prediction of a matrix that stands ready) and LightGBM's own contributions on
a sample. Each run has a process of its own. Before anything is timed, both must say the same of the same rows.

    python bench/scoring.py [--rows N] [--rounds N]
"""

from __future__ import annotations

import os

# Before LightGBM is loaded: waiting threads must not burn what others need.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from backbook.definitions import Item
from backbook.engine import Engine
from backbook.expressions import Name, Names, Type
from backbook.score import Columns, Version, apply, make, read_scores
from backbook.score.apply_trees import forest
from backbook.score.counting import Grid
from backbook.score.trees import Forest, Ground, Setting, code, encode

AS_OF = date(2026, 8, 31)
FEATURES, ON_THE_CARD = 100, 20
TREES, LEAVES = 500, 15
# Rows that teach, and rows whose contributions LightGBM gives itself: it takes a second for about two thousand.
TAUGHT, EXPLAINED = 40_000, 2_000
AT_ONCE = 100_000
MEMORY = "6GB"
NAMES = [Name(f"f{place:03d}", Type.NUMBER, f"特征{place}", f"Feature {place}") for place in range(FEATURES)]


def rows(count: int, seed: int) -> pa.Table:
    """Accounts: whole and broken numbers, some not known; a third of the features matter."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(count, FEATURES)).round(3)
    matrix[:, ::4] = np.round(matrix[:, ::4] * 2)
    weights = np.random.default_rng(0).normal(size=FEATURES) * (np.arange(FEATURES) % 3 == 0)
    odds = matrix @ weights / 4 + matrix[:, 0] * matrix[:, 3] / 4 - 2
    event = random.random(count) < 1 / (1 + np.exp(-odds))
    matrix[random.random(matrix.shape) < 0.02] = np.nan
    columns = {name.name: pa.array(column, mask=np.isnan(column)) for name, column in zip(NAMES, matrix.T, strict=True)}
    keys = [f"{seed:04d}-{place:06d}" for place in range(count)]
    return pa.table({"account_id": keys, **columns, "worst_dpd": np.where(event, 90, 0)})


class MadeUpBook:
    """What a sample asks of a book; every day looks the same."""

    def __init__(self, engine: Engine, table: pa.Table) -> None:
        self.table = engine.table(table)

    def profile(self, grain: str, on: date, columns: Collection[str], units: Any = None) -> Any:
        return self.table if units is None else self.table.semi_join(units, "account_id")

    def outcomes(self, grain: str, on: date, known_by: date, columns: Collection[str], units: Any) -> Any:
        return self.table.select("account_id", "worst_dpd").semi_join(units, "account_id")

    def outcomes_end(self, grain: str, on: date, columns: Collection[str]) -> date:
        return on + timedelta(days=180)

    def first_day(self) -> date:
        return date(2025, 1, 1)


def taught(method: str, **said: Any) -> Version:
    """A version by the product's own way, from a part of the book."""
    data = {
        "id": "late", "zh": "逾期", "en": "Late", "method": method, "target": "worst_dpd > 60",
        "features": [name.name for name in NAMES], "observations": {"at_most": 1},
        "grades": {"A": 0.05, "B": 0.2, "C": 1}, **said,
    }  # fmt: skip
    profile = Names("account", [Name("account_id", Type.TEXT), *NAMES])
    outcomes = Names("outcomes", [Name("worst_dpd", Type.WHOLE)])
    columns = Columns({"account": profile, "customer": profile}, {"account": outcomes, "customer": outcomes})
    (score,), _ = read_scores([Item("score", "late", data)], columns)
    engine = Engine()
    made = make(score, engine, AS_OF, MadeUpBook(engine, rows(TAUGHT, 9999)))
    assert isinstance(made, Version), made
    return made


def with_all_trees(version: Version) -> Version:
    """The version with 500 trees of 15 leaves, whatever early stopping found enough."""
    table = rows(TAUGHT, 9999)
    codings = [code(Grid(name), table[name.name]) for name in NAMES]
    event = np.array(table["worst_dpd"].to_numpy() > 60)
    ground = Ground(encode(codings, table).matrix, event, [0] * FEATURES, threads=2)
    text = ground.grown(Setting(LEAVES, 0.5, TREES), np.arange(TAUGHT))
    grown = Forest.of(text, codings, 0.0, 1.0)
    assert grown.rounds == TREES
    named = [{"name": name.name, "type": str(name.type), "zh": name.zh, "en": name.en} for name in NAMES]
    return Version(dict(version.content) | {"trees": grown.canonical(), "columns": named})


def model(version: Version) -> Any:
    return lightgbm.Booster(model_str=version.content["trees"]["text"])


def ready(version: Version, table: pa.Table) -> npt.NDArray[np.float64]:
    """The matrix as LightGBM takes it."""
    grown = forest(version)
    matrix = np.full((len(table), FEATURES), np.nan)
    matrix[:, list(grown.columns)] = encode(grown.codings, table).matrix
    return matrix


def the_same_numbers(folder: Path) -> None:
    """Our trees say what LightGBM's own prediction and contributions say."""
    version = Version.read((folder / "trees.json").read_bytes())
    table, judge, grown = rows(500, 7), model(version), forest(version)
    values, moved = grown.explained(encode(grown.codings, table))
    matrix = ready(version, table)
    contributions = judge.predict(matrix, pred_contrib=True, num_threads=2)[:, list(grown.columns)]
    np.testing.assert_allclose(values, judge.predict(matrix, raw_score=True, num_threads=2), rtol=0, atol=1e-6)
    np.testing.assert_allclose(moved.T, contributions, rtol=0, atol=1e-9)


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────


def timed(way: str, folder: Path) -> None:
    """One run in this process; prints its seconds, peak memory in GiB and rows."""
    if way in ("by_hand", "contributions"):
        seconds, count = by_lightgbm(way, folder)
    else:
        version = Version.read((folder / f"{'scorecard' if way == 'scorecard' else 'trees'}.json").read_bytes())
        engine = Engine(memory=MEMORY, scratch=folder / "scratch")
        book = engine.parquet(sorted(folder.glob("book-*.parquet")))
        begin = time.perf_counter()
        table = engine.cached(apply(version, book, engine, reasons=way == "reasons"))
        seconds, count = time.perf_counter() - begin, engine.count(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "rows": count, "peak_gib": peak}))


def by_lightgbm(way: str, folder: Path) -> tuple[float, int]:
    """LightGBM alone on a matrix that stands ready: the chances of all rows, or the contributions of a few."""
    version = Version.read((folder / "trees.json").read_bytes())
    judge = model(version)
    seconds, count = 0.0, 0
    for file in sorted(folder.glob("book-*.parquet")):
        matrix = ready(version, pq.read_table(file))[: EXPLAINED if way == "contributions" else None]
        begin = time.perf_counter()
        judge.predict(matrix, pred_contrib=way == "contributions", num_threads=len(os.sched_getaffinity(0)))
        seconds, count = seconds + time.perf_counter() - begin, count + len(matrix)
        if way == "contributions":
            break
    return seconds, count


def run(way: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--run", way, "--keep", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"  {way:<14} {found['seconds']:7.2f} s {found['peak_gib']:5.1f} GiB", file=sys.stderr, flush=True)
    return found


def book(folder: Path, count: int) -> None:
    """The files and the two versions."""
    for seed, first in enumerate(range(0, count, AT_ONCE)):
        table = rows(min(AT_ONCE, count - first), seed).drop_columns(["worst_dpd"])
        pq.write_table(table, folder / f"book-{seed:04d}.parquet")
    card = taught("scorecard", most_features=ON_THE_CARD)
    (folder / "scorecard.json").write_bytes(card.data)
    (folder / "trees.json").write_bytes(with_all_trees(taught("trees", trees={"rounds": 20})).data)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=int(os.environ.get("BACKBOOK_BENCH_ACCOUNTS", "1000000")))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", help=argparse.SUPPRESS)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.run:
        timed(said.run, Path(said.keep))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        book(folder, said.rows)
        the_same_numbers(folder)
        best: dict[str, float] = {}
        rate, peak = 0.0, 0.0
        for _ in range(said.rounds):
            for way in ("scorecard", "trees", "reasons", "by_hand", "contributions"):
                found = run(way, folder)
                best[way] = min(found["seconds"], best.get(way, found["seconds"]))
                rate = found["rows"] / best[way] if way == "contributions" else rate
                peak = max(peak, found["peak_gib"]) if way in ("scorecard", "trees", "reasons") else peak
    print(
        f"scoring: accounts={said.rows} features={FEATURES} trees={TREES} leaves={LEAVES} "
        f"scorecard_seconds={best['scorecard']:.2f} trees_seconds={best['trees']:.1f} "
        f"reasons_seconds={best['reasons']:.1f} peak_gib={peak:.1f} "
        f"ratio_to_lightgbm={best['trees'] / best['by_hand']:.2f} lightgbm_seconds={best['by_hand']:.1f} "
        f"reasons_per_second={said.rows / best['reasons']:.0f} lightgbm_reasons_per_second={rate:.0f}"
    )


if __name__ == "__main__":
    main()
