"""How well the product's scores rank and whether their chances come true, each book beside its peers in the same run.

`taiwan`: the shipped behaviour scorecard and trees, out of fold, five folds by person. Peers over the file's raw columns (sex, age
and the like left out, as ours must), five stratified folds, seed 0: a small LightGBM, and optbinning where `make peers`
has put it.

`bank`: the shipped response score, taught by all that was known on 2009-05-31 (calls of May 2008 to April 2009, rows up
to 30,430 of 41,188) and judged on the last fifth of the file, rows 32,950 on, which it has not seen. Every choice is made
by the product within those months. Peers are LightGBM and scikit-learn's boosting as they come, taught by all of the first
four fifths. None has the call's duration. `bank_alarm` is what the watch says at the ends of the months after it.

`issuer`: 50,000 made-up customers and 36 months, whose true chances are known: the share of 200 futures of at least 5,000
accounts. Two scores are taught (default, and closing by those who have not asked for it yet, within twelve months, by
`--by`, over all that the bank knows) and held against the truth: how much less they rank than the truth itself would (the
share of the other futures foretells each future), by how much their log odds must be stretched, and how often the events
among a thousand accounts drawn at random lie within the 90 % interval that the chances give. The futures draw who has the
event. Traits that no table shows drive part of the truth, so `reach` says what is to be had from the same features: how
well boosting ranks accounts it has not seen when the truth itself teaches it, all 200 futures of the other accounts. With
`--issuer DIR` an issuer made and measured before is used.

An AUC stands with its standard error (DeLong 1988; over folds where there are folds).

    python bench/quality.py [--part taiwan] [--part bank] [--part issuer [--issuer DIR] [--by trees]]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from backbook import run
from backbook.customer.reader import Reader
from backbook.definitions import read_items
from backbook.score import Version, apply, registry
from backbook.score.quality import auc
from backbook.score.stability import HAS_TURNED, TELLS_DATES
from backbook.workspace import Workspace

HERE = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("BACKBOOK_DATA", "../shared/data"))
PEER_PYTHON = HERE / "build" / "peers" / "bin" / "python"
FOLDS = 5
# The last fifth of the campaigns' file by its order.
LAST_FIFTH = 32_950
# The first months after the training.
MONTH_ENDS = (date(2009, 5, 31), date(2009, 6, 30), date(2009, 8, 31))
SMALL = {
    "objective": "binary", "num_leaves": 15, "learning_rate": 0.03, "min_data_in_leaf": 100, "lambda_l2": 5.0,
    "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": 0, "verbosity": -1,
}  # fmt: skip
AS_IT_COMES = {key: SMALL[key] for key in ("objective", "num_threads", "deterministic", "force_row_wise", "seed", "verbosity")}  # fmt: skip

PEER = """
import json, sys
import numpy as np
from optbinning import BinningProcess
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
data = np.load(sys.argv[1], allow_pickle=False)
values, target, fold = data["values"], data["target"].astype(int), data["fold"]
names = [f"x{place}" for place in range(values.shape[1])]
found = []
for number in range(fold.max() + 1):
    taught = fold != number
    process = BinningProcess(names, binning_fit_params={name: {"monotonic_trend": "auto_asc_desc"} for name in names})
    evidence = process.fit(values[taught], target[taught]).transform(values, metric="woe")
    model = LogisticRegression(C=1.0, max_iter=1000).fit(evidence[taught], target[taught])
    found.append(roc_auc_score(target[~taught], model.predict_proba(evidence[~taught])[:, 1]))
print("RESULT " + json.dumps(float(np.mean(found))))
"""


def standard_error(chances: np.ndarray, events: np.ndarray) -> float:
    """Of one AUC, from the shares of pairs that each row wins (DeLong, DeLong and Clarke-Pearson 1988)."""
    from scipy.stats import rankdata

    ranks = rankdata(chances)
    won = (ranks[events] - rankdata(chances[events])) / (~events).sum()
    lost = (ranks[~events] - rankdata(chances[~events])) / events.sum()
    return float(np.sqrt(won.var(ddof=1) / events.sum() + lost.var(ddof=1) / (~events).sum()))


def taught(folder: Path, book: str, as_of: date, *scores: str) -> tuple[Workspace, list[Version]]:
    """A shipped book, loaded, and the versions that it registers."""
    run.init(folder / book, like=HERE / "examples" / book)
    workspace = Workspace.open(folder / book)
    (report,) = run.walk(workspace, [as_of], stages=("load", "profile", "train"))
    made = report.as_json()["scores"]
    return workspace, [registry.version(workspace.lake.head(), made[score]["version"]) for score in scores]


def stratified(target: np.ndarray) -> np.ndarray:
    """Five folds, events dealt out evenly, seed 0."""
    from sklearn.model_selection import StratifiedKFold

    fold = np.zeros(len(target), dtype=np.int64)
    for number, (_, held) in enumerate(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(target, target)):
        fold[held] = number
    return fold


def boosted(values: np.ndarray, target: np.ndarray, asked: np.ndarray, rounds: int, **settings: Any) -> np.ndarray:
    import lightgbm

    model = lightgbm.train(settings, lightgbm.Dataset(values, target.astype(int)), rounds)
    return np.asarray(model.predict(asked, num_threads=1))


def over_folds(values: np.ndarray, target: np.ndarray, rounds: int, **settings: Any) -> tuple[float, float]:
    """The mean AUC over five folds and its standard error."""
    fold = stratified(target)
    found = [
        auc(boosted(values[fold != number], target[fold != number], values[fold == number], rounds, **settings),
            target[fold == number])
        for number in range(FOLDS)
    ]  # fmt: skip
    return float(np.mean(found)), of_mean(found)


def of_mean(by_fold: Sequence[float]) -> float:
    """The standard error of a mean over folds."""
    return float(np.std(by_fold, ddof=1) / np.sqrt(len(by_fold)))


# ── the parts ───────────────────────────────────────────────────────────────────────────────────────────────


def taiwan(folder: Path) -> dict[str, float]:
    """The behaviour scorecard and trees out of fold, and their peers."""
    import pyarrow.csv

    _, versions = taught(folder, "taiwan", date(2005, 10, 31), "behaviour", "behaviour_trees")
    card, trees = (version.content["quality"] for version in versions)
    rows = pyarrow.csv.read_csv(DATA / "uci_credit_card" / "UCI_Credit_Card.csv")
    left_out = ("ID", "SEX", "EDUCATION", "MARRIAGE", "AGE", "default.payment.next.month")
    values = np.column_stack([rows[name].to_numpy() for name in rows.column_names if name not in left_out]).astype(
        float
    )
    target = rows["default.payment.next.month"].to_numpy() == 1
    small, small_error = over_folds(values, target, 300, **SMALL)
    found = {
        "scorecard_auc": card["auc"], "scorecard_error": of_mean(card["by_fold"]), "scorecard_ece": card["calibration_error"],
        "trees_auc": trees["auc"], "trees_error": of_mean(trees["by_fold"]), "ece": trees["calibration_error"],
        "lightgbm_small_auc": small, "lightgbm_small_error": small_error,
    }  # fmt: skip
    peer = optbinning(folder, values, target)
    return found if peer is None else found | {"optbinning_auc": peer}


def optbinning(folder: Path, values: np.ndarray, target: np.ndarray) -> float | None:
    """Its mean AUC over the folds, where it is installed."""
    if not PEER_PYTHON.exists():
        print("optbinning is not there: `make peers`", file=sys.stderr)
        return None
    file = folder / "peer.npz"
    np.savez(file, values=values, target=target, fold=stratified(target))
    done = subprocess.run([str(PEER_PYTHON), "-c", PEER, str(file)], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    return float(json.loads(line.removeprefix("RESULT ")))


def bank(folder: Path) -> dict[str, Any]:
    """The response score on the last fifth, its peers, and what the watch said before any outcome of a month was known."""
    workspace, (version,) = taught(folder, "bank", date(2009, 5, 31), "response")
    values, target = calls()
    chances = by_line(workspace, version, len(target))
    last, first = slice(LAST_FIFTH, None), slice(None, LAST_FIFTH)
    untuned = boosted(values[first], target[first], values[last], 100, **AS_IT_COMES)
    random_folds, _ = over_folds(values, target, 100, **AS_IT_COMES)
    return {
        "bank_last_fifth_auc": auc(chances[last], target[last]),
        "bank_error": standard_error(chances[last], target[last]),
        "bank_out_of_time_auc": version.content["quality"]["out_of_time"]["auc"],
        "bank_left_out": sum(each["why"] in (TELLS_DATES, HAS_TURNED) for each in version.content["card"]["left_out"]),
        "bank_lightgbm_untuned_auc": auc(untuned, target[last]),
        "bank_boosting_untuned_auc": auc(scikit(values[first], target[first], values[last]), target[last]),
        "bank_random_folds_auc": random_folds,
        "bank_alarm": alarm(workspace),
    }


def alarm(workspace: Workspace) -> str:
    """The level of the watch at each month's end, the month's outcomes being told the day after: `2009-05:ok,…`."""
    levels = []
    for day in MONTH_ENDS:
        (report,) = run.walk(workspace, [day], stages=("profile", "score", "watch"))
        levels.append(f"{day:%Y-%m}:{report.as_json()['watch']['response']['level']}")
    return ",".join(levels)


def scikit(values: np.ndarray, target: np.ndarray, asked: np.ndarray) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return np.asarray(HistGradientBoostingClassifier(random_state=0).fit(values, target).predict_proba(asked)[:, 1])


def calls() -> tuple[np.ndarray, np.ndarray]:
    """The file as numbers, in its order, without the duration; levels become their place in the alphabet."""
    import zipfile

    import pyarrow as pa
    import pyarrow.csv

    with zipfile.ZipFile(DATA / "bank_marketing" / "bank-additional.zip") as archive:
        text = archive.read("bank-additional/bank-additional-full.csv")
    rows = pyarrow.csv.read_csv(pa.BufferReader(text), parse_options=pyarrow.csv.ParseOptions(delimiter=";"))
    columns = []
    for name in rows.column_names:
        column = rows[name].to_numpy()
        columns.append(column if column.dtype != object else np.unique(column.astype(str), return_inverse=True)[1])
    named = dict(zip(rows.column_names, columns, strict=True))
    features = [column for name, column in named.items() if name not in ("duration", "y")]
    return np.column_stack(features).astype(float), named["y"] == 1


def by_line(workspace: Workspace, version: Version, count: int) -> np.ndarray:
    """The chance of each line of the file, by what the wide table said of it."""
    engine = workspace.engine
    rows = Reader(engine, workspace.lake.head()).rows("attribute.call", date(2010, 12, 31))
    assert rows is not None
    given = engine.arrow(apply(version, rows.mutate(account_id=rows.party_id), engine, reasons=False))
    chances = np.full(count, np.nan)
    # The first line of the file is its header.
    chances[given["account_id"].cast("int64").to_numpy() - 2] = given["probability"].to_numpy()
    return chances


# ── the made-up issuer ──────────────────────────────────────────────────────────────────────────────────────


def issuer(folder: Path, made: Path | None = None, method: str = "scorecard") -> dict[str, float]:
    """Default and closing within twelve months against their true chances."""
    import pyarrow.parquet

    here = made or made_up(folder / "issuer")
    (here / "scores").mkdir(exist_ok=True)
    for name, (population, target) in AGAINST_TRUTH.items():
        text = ONE_SCORE.format(id=name, population=population, target=target, method=method)
        (here / "scores" / f"{name}.yaml").write_text(text, encoding="utf-8")
    settings = (here / "backbook.toml").read_text(encoding="utf-8")
    if "leave_out" not in settings:
        # Features and outcomes alone: what reads the pack's scores would have to be built as well.
        others = [f"{item.kind}:{item.id}" for item in read_items(CARD, "card")[0]
                  if item.kind in ("tag", "segment", "score", "strategy")]  # fmt: skip
        alone = f'[packs.card]\nversion = "1"\nleave_out = {json.dumps(others)}\n'
        (here / "backbook.toml").write_text(settings.replace('[packs]\ncard = "1"\n', alone), encoding="utf-8")
    workspace = Workspace.open(here)
    day = date(2026, 10, 31)
    stages = (
        ("profile", "train", "score")
        if workspace.lake.head().manifest("account")
        else ("load", "profile", "train", "score")
    )
    run.walk(workspace, [day], stages=stages)
    truth = pyarrow.parquet.read_table(next((here / "truth").glob("likely_20261031*.parquet")))
    rows = workspace.engine.arrow(workspace.engine.parquet(workspace.lake.head().files("score", part=day.isoformat())))
    found: dict[str, float] = {}
    for name, column in (("default_12m", "default_12m"), ("closing_12m", "closing_12m")):
        given = {unit: chance for score, unit, chance in
                 zip(rows["score"].to_pylist(), rows["unit"].to_pylist(), rows["probability"].to_pylist(), strict=True)
                 if score == name and chance is not None}  # fmt: skip
        known = [place for place, unit in enumerate(truth["account_id"].to_pylist()) if unit in given]
        chances = np.array([given[truth["account_id"][place].as_py()] for place in known])
        true = truth[column].to_numpy()[known]
        short = "pd" if name.startswith("default") else "churn"
        futures = int(truth["futures"][0].as_py())
        found |= {f"{short}_{key}": value for key, value in against(chances, true, futures).items()}
        taken = [truth["account_id"][place].as_py() for place in known]
        found[f"{short}_reach"] = reach(workspace, day, taken, true)
    return found


def reach(workspace: Workspace, day: date, accounts: list[str], true: np.ndarray) -> float:
    """The area that boosting reaches on accounts it has not seen, taught by the true chances of the others (five folds by
    customer) from the day's whole profile."""
    import lightgbm
    import pandas as pd

    grains = (("account", "account_id"), ("customer", "customer_id"))
    own, owner = (
        workspace.engine.arrow(workspace.engine.parquet(workspace.lake.head().files(f"profile.{grain}", part=day.isoformat())))
        .to_pandas().set_index(key) for grain, key in grains
    )  # fmt: skip
    rows = own.loc[accounts].join(owner.add_suffix(" of customer"), on="customer_id")
    fold = pd.util.hash_array(rows.pop("customer_id").astype(str).to_numpy()) % FOLDS
    values = np.column_stack([_as_numbers(rows[name]) for name in rows.columns])
    said = np.zeros(len(true))
    settings = SMALL | {"objective": "cross_entropy", "num_leaves": 7, "min_data_in_leaf": 60, "feature_fraction": 0.3}
    for number in range(FOLDS):
        taught = fold != number
        model = lightgbm.train(settings, lightgbm.Dataset(values[taught], true[taught]), 300)
        said[~taught] = model.predict(values[~taught])
    return weighted_auc(said, true)


def _as_numbers(column: Any) -> np.ndarray:
    import pandas as pd

    if isinstance(column.iloc[0], date) or pd.api.types.is_datetime64_any_dtype(column):
        return pd.to_datetime(column).astype("int64").to_numpy(dtype=float)
    found = pd.to_numeric(column, errors="coerce").astype(float)
    return (found if found.notna().any() else pd.Series(pd.factorize(column, sort=True)[0])).to_numpy(dtype=float)


def made_up(here: Path) -> Path:
    """A new issuer whose truth is measured."""
    from backbook.simulator import measure, simulate

    run.init(here, like=HERE / "examples" / "demo")
    simulate(here, 50_000, 36, seed=1)
    measure(here, replays=200, effect_replays=0)
    return here


def against(chances: np.ndarray, true: np.ndarray, futures: int) -> dict[str, float]:
    """A score against the truth: expected areas, calibration, and how often the interval of a slice holds what comes."""
    best, ours = foretold(true, futures), weighted_auc(chances, true)
    odds = np.log(np.clip(chances, 1e-6, 1 - 1e-6)) - np.log(1 - np.clip(chances, 1e-6, 1 - 1e-6))
    from sklearn.linear_model import LogisticRegression

    both = np.concatenate([np.ones(len(true), int), np.zeros(len(true), int)])
    slope = LogisticRegression(C=1e6).fit(
        np.concatenate([odds, odds])[:, None], both, sample_weight=np.concatenate([true, 1 - true])
    )
    random = np.random.default_rng(0)
    inside = 0
    for _ in range(SLICES):
        drawn = random.choice(len(true), SLICE, replace=False)
        came = int((random.random(SLICE) < true[drawn]).sum())
        low, high = interval(chances[drawn])
        inside += low <= came <= high
    return {
        "auc": ours, "auc_best": best, "auc_gap": best - ours, "slope": float(slope.coef_[0, 0]),
        "expected": float(chances.mean()), "true": float(true.mean()), "coverage": inside / SLICES, "rows": len(true),
    }  # fmt: skip


def weighted_auc(chances: np.ndarray, true: np.ndarray) -> float:
    """The area to expect where each row has the event with its true chance, not counting a row against itself."""
    _, place = np.unique(chances, return_inverse=True)
    events, others = np.bincount(place, true), np.bincount(place, 1 - true)
    below = np.cumsum(others) - others
    itself = np.bincount(place, true * (1 - true))
    won = (events * (below + others / 2)).sum() - itself.sum() / 2
    return float(won / (true.sum() * (1 - true).sum() - (true * (1 - true)).sum()))


def foretold(true: np.ndarray, futures: int) -> float:
    """The area of the truth as a score: of each future, by the share of the others. Its own futures would flatter it."""
    had = np.round(true * futures).astype(int)
    events, others = np.bincount(had, true, futures + 1), np.bincount(had, 1 - true, futures + 1)
    below = np.cumsum(others) - others
    # In a future in which it has the event, a row had it in one less of the others.
    won = sum(events[count] * (below[count - 1] + others[count - 1] / 2) for count in range(1, futures + 1))
    return float(won / (true.sum() * (1 - true).sum() - (true * (1 - true)).sum()))


def interval(chances: np.ndarray) -> tuple[int, int]:
    """Where the number of events lies in nine of ten cases, each row having its own chance (Poisson binomial)."""
    of = np.array([1.0])
    for chance in chances:
        of = np.convolve(of, [1 - chance, chance])[: SLICE + 1]
    reached = np.cumsum(of)
    return int(np.searchsorted(reached, 0.05)), int(np.searchsorted(reached, 0.95))


CARD = HERE / "src" / "backbook" / "packs" / "card"
SLICES, SLICE = 400, 1000
# Charge-offs close accounts too, but nobody asked for it; and who has asked already need not be foretold.
AGAINST_TRUTH = {
    "default_12m": ("is_open", "worst_dpd_next_12m > 90"),
    "closing_12m": (
        "is_open and coalesce(customer.open_closure_request, 0) = 0",
        "closed_next_12m > 0 and coalesce(worst_dpd_next_12m, 0) <= 90",
    ),
}
ONE_SCORE = """id: {id}
zh: 十二个月
en: Within twelve months
owner: benchmark
grain: account
method: {method}
population: {population}
exclusions: days_past_due > 90
target: {target}
observations: {{every: quarter, at_most: 4}}
features: {{dimensions: [basic, lifecycle, spending, borrowing, risk, channel, tie]}}
grades: {{A: 0.01, B: 0.05, C: 1}}
"""

PARTS: dict[str, Callable[..., dict[str, Any]]] = {"taiwan": taiwan, "bank": bank, "issuer": issuer}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", choices=sorted(PARTS), help="only this part; may be given again")
    parser.add_argument("--issuer", type=Path, help="an issuer that was made and measured before")
    parser.add_argument("--by", choices=("scorecard", "trees"), default="scorecard", help="method, for the issuer")
    asked = parser.parse_args()
    if not DATA.is_dir():
        sys.exit("The real books are needed: set BACKBOOK_DATA to their folder.")
    figures: dict[str, Any] = {}
    for name, part in PARTS.items():
        if not asked.part or name in asked.part:
            with tempfile.TemporaryDirectory(prefix="quality-") as scratch:
                figures |= issuer(Path(scratch), asked.issuer, asked.by) if part is issuer else part(Path(scratch))
    print("quality: " + " ".join(f"{name}={_number(value)}" for name, value in figures.items()))


def _number(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.4f}" if value != int(value) else f"{int(value)}"


if __name__ == "__main__":
    main()
