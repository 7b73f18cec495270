"""How well and how fast records become people: two public books, the made-up issuer, and a million records.

Quality is pairwise over clusters, against the true cluster. The settings are those of the product on every book; none
was chosen on these labels (fake_1000 and FEBRL 1 to 3 served for that). Beside the historical figures Splink runs with
settings as its tutorials have them, in the same process.

Speed: a million party records linked at once, and ten thousand new ones joining them, each in a process of its own.

    python bench/identity.py [--customers N] [--no-million]
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from backbook.customer.identity import comparable as made
from backbook.customer.identity import linkage
from backbook.customer.identity.grouping import grouped
from backbook.customer.identity.terms import Terms
from backbook.engine import Engine

DATA = Path(os.environ.get("BACKBOOK_DATA", "../shared/data"))
HERE = Path(__file__).resolve().parent.parent
NEW = 10_000
# With 2.02 records a person these make a million.
CUSTOMERS = 497_000
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99)
NO_PHONES = pa.table({
    "id": pa.array([], pa.int64()), "number": pa.array([], pa.string()),
    "since": pa.array([], pa.date32()), "until": pa.array([], pa.date32()),
})  # fmt: skip

RUN = """
import json, resource, sys, time
from datetime import date
import pyarrow as pa
from backbook.customer.identity.identify import identify
from backbook.customer.identity.quality import against_truth
from backbook.customer.identity.terms import read_terms
from backbook.customer.reader import Reader
from backbook.workspace import Workspace

folder, day, new, truth = sys.argv[1], date.fromisoformat(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
workspace = Workspace.open(folder)
engine = workspace.engine
terms, _ = read_terms(workspace.settings)

class Without(Reader):
    '''The book before the newest records of the app and the shop came.'''
    def rows(self, table, known_by):
        rows = super().rows(table, known_by)
        if rows is None or table != "party" or not new:
            return rows
        late = rows.filter(rows.system.isin(["app", "partner", "call_centre"])).select("system", "party_id")
        late = late.mutate(nth=late.party_id.hash()).order_by("nth", "system", "party_id").limit(new)
        return rows.anti_join(late, ["system", "party_id"])

with workspace.lake.lock("bench") as writer:
    begin = time.perf_counter()
    found = identify(Without(engine, writer.head), day, workspace.key, terms)
    for table, (rows, order) in found.tables.items():
        path = writer.path(table)
        writer.replace(table, day.isoformat(), [(path, engine.write(rows, path, order_by=order))])
    writer.publish(about={"stage": "profile"})
    seconds = time.perf_counter() - begin
    out = {"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, **found.found}
    if truth:
        out["truth"] = against_truth(engine, found.identity, engine.parquet(truth))
print("RESULT " + json.dumps(out, default=str))
"""


def pairwise(groups: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Precision, recall and F1 over pairs."""

    def pairs(*keys: np.ndarray) -> float:
        counts = np.unique(np.stack(keys, 1), axis=0, return_counts=True)[1].astype(float)
        return float((counts * (counts - 1) / 2).sum())

    both, joined, same = pairs(groups, truth), pairs(groups), pairs(truth)
    precision, recall = both / joined, both / same
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall)}


def people(rows: pa.Table) -> tuple[np.ndarray, float]:
    """The product's way over clear rows, from words to people, and its seconds."""
    begin = time.perf_counter()
    engine, count = Engine(), len(rows)
    of = made.comparable(engine, rows, NO_PHONES)
    of = made.with_bits(engine, of, made.bits(engine, of), count)
    measured = linkage.measured(engine, of, made.met(engine, made.keys(engine, of, "bench")))
    pairs = engine.arrow(linkage.weighed(engine, linkage.learn(engine, of, measured, count), measured))
    left, right, weight = (pairs[name].to_numpy() for name in ("left", "right", "weight"))
    left, right, weight = (each[weight > linkage.FLOOR] for each in (left, right, weight))
    terms = Terms()
    groups = grouped(
        count, left, right, weight, sure=np.zeros(len(left), bool), link=terms.link_bits, most=terms.most_records
    )
    engine.close()
    return groups.of, time.perf_counter() - begin


def historical() -> tuple[pa.Table, pa.Table, np.ndarray]:
    """(the book as delivered, comparable rows, the true person of each)."""
    book = pa.parquet.read_table(DATA / "er_splink" / "historical_figures_with_errors_50k.parquet")
    birth = [None if text is None else text.replace("-", "") for text in book["dob"].to_pylist()]
    rows = pa.table({
        "id": np.arange(len(book)), "full_name": book["full_name"], "birth": pa.array(birth, pa.string()),
        "postcode": book["postcode_fake"], "city": book["birth_place"], "gender": book["gender"],
        "occupation": book["occupation"],
    })  # fmt: skip
    return book, rows, np.unique(book["cluster"].to_numpy(zero_copy_only=False), return_inverse=True)[1]


def febrl4() -> tuple[pa.Table, np.ndarray]:
    """Both halves as one book; the true person stands in rec_id."""
    rows, truth = [], []
    for name in ("dataset4a", "dataset4b"):
        table = pa.csv.read_csv(io.BytesIO(gzip.decompress((DATA / "er_febrl" / f"{name}.csv.gz").read_bytes())))
        table = table.rename_columns([column.strip() for column in table.column_names])
        for row in table.to_pylist():
            said = {
                key: None if value is None or not str(value).strip() else str(value).strip()
                for key, value in row.items()
            }
            rows.append({
                "full_name": _words(said["given_name"], said["surname"]), "birth": said["date_of_birth"],
                "document": said["soc_sec_id"], "postcode": said["postcode"], "city": said["suburb"],
                "address": _words(said["street_number"], said["address_1"], said["address_2"]),
            })  # fmt: skip
            truth.append(said["rec_id"].split("-")[1])
    table = pa.Table.from_pylist(rows)
    return table.append_column("id", pa.array(np.arange(len(table)))), np.unique(truth, return_inverse=True)[1]


def _words(*words: str | None) -> str | None:
    return " ".join(word for word in words if word) or None


def splink_alone(book: pa.Table, truth: np.ndarray) -> tuple[dict[str, float], float]:
    """Splink as its tutorial on this book has it, at the threshold that is best for it."""
    import splink.comparison_library as library
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    logging.getLogger("splink").setLevel(logging.ERROR)
    begin = time.perf_counter()
    api = DuckDBAPI()
    settings = SettingsCreator(
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[
            block_on("substr(first_name,1,3)", "substr(surname,1,4)"), block_on("surname", "dob"), block_on("first_name", "dob"),
            block_on("postcode_fake", "first_name"), block_on("postcode_fake", "surname"), block_on("dob", "birth_place"),
            block_on("substr(postcode_fake,1,3)", "dob"), block_on("substr(postcode_fake,1,3)", "first_name"),
            block_on("substr(postcode_fake,1,3)", "surname"), block_on("substr(first_name,1,2)", "substr(surname,1,2)", "substr(dob,1,4)"),
        ],
        comparisons=[
            library.ForenameSurnameComparison("first_name", "surname", forename_surname_concat_col_name="first_and_surname"),
            library.DateOfBirthComparison("dob", input_is_string=True),
            library.LevenshteinAtThresholds("postcode_fake", [1, 2]),
            library.ExactMatch("birth_place").configure(term_frequency_adjustments=True),
            library.ExactMatch("occupation").configure(term_frequency_adjustments=True),
        ],
    )  # fmt: skip
    linker = Linker(api.register(book, dataset_display_name="people"), settings, log_level=None)
    linker.training.estimate_probability_two_random_records_match(
        [
            "l.first_name = r.first_name and l.surname = r.surname and l.dob = r.dob",
            "substr(l.first_name,1,2) = substr(r.first_name,1,2) and l.surname = r.surname and substr(l.postcode_fake,1,2) = substr(r.postcode_fake,1,2)",
            "l.dob = r.dob and l.postcode_fake = r.postcode_fake",
        ],
        recall=0.6,
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
    for rule in (block_on("first_name", "surname"), block_on("dob")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    pairs = linker.inference.predict(threshold_match_probability=0.01)
    ids = {name: place for place, name in enumerate(book["unique_id"].to_pylist())}
    best: dict[str, float] = {"f1": 0.0}
    for threshold in THRESHOLDS:
        rows = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, threshold).as_record_list()
        groups = np.zeros(len(ids), np.int64)
        names: dict[str, int] = {}
        for row in rows:
            groups[ids[row["unique_id"]]] = names.setdefault(row["cluster_id"], len(names))
        best = max(best, {**pairwise(groups, truth), "threshold": threshold}, key=lambda one: one["f1"])
    return best, time.perf_counter() - begin


# ── the made-up issuer ──────────────────────────────────────────────────────────────────────────────────────


def workspace(folder: Path, customers: int, months: int, seed: int) -> Path:
    """A made-up issuer, of which only who the people are is loaded."""
    from backbook import run
    from backbook.simulator import simulate
    from backbook.workspace import Workspace

    book = folder / f"issuer-{customers}-{seed}"
    run.init(book, like=HERE / "examples" / "demo")
    for mapping in (book / "sources").glob("*.sql"):
        if mapping.name.split(".")[0] not in ("party", "account", "card", "product"):
            mapping.unlink()
    simulate(book, customers, months, seed=seed)
    run.walk(Workspace.open(book), [date(2026, 10, 31)], stages=("load",))
    return book


def identified(book: Path, day: str, *, new: int = 0) -> dict[str, Any]:
    """One identity in a process of its own."""
    truth = sorted(str(file) for file in (book / "truth").glob("person_*.parquet"))
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(book), day, str(new), *truth], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return found


def speed(folder: Path, customers: int) -> dict[str, float]:
    """All at once; then all but ten thousand, and these joining."""
    book = workspace(folder, customers, 3, 7)
    whole = identified(book, "2026-10-31")
    print(f"at once: {whole}", file=sys.stderr)
    again = folder / "increment"
    shutil.copytree(book, again)
    _forget(again)
    first = identified(again, "2026-10-31", new=NEW)
    later = identified(again, "2026-11-01")
    print(f"before: {first}\njoining: {later}", file=sys.stderr)
    return {
        "records": whole["records"], "seconds": whole["seconds"], "increment_ratio": later["seconds"] / whole["seconds"],
        "compared_anew": later["compared_anew"], "f1_million": whole["truth"]["f1"], "f1_increment": later["truth"]["f1"],
        "peak_gib": max(whole["peak"], later["peak"]),
    }  # fmt: skip


def _forget(book: Path) -> None:
    from backbook.workspace import Workspace

    with Workspace.open(book).lake.lock("forget") as writer:
        for table in list(writer.head.tables):
            if table.startswith("identity"):
                writer.drop(table)
        writer.publish(about={"stage": "forget"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--no-million", action="store_true")
    asked = parser.parse_args()
    book, rows, truth = historical()
    splink, splink_seconds = splink_alone(book, truth)
    groups, seconds_50k = people(rows)
    ours = pairwise(groups, truth)
    febrl = pairwise(*(lambda found, truth: (people(found)[0], truth))(*febrl4()))
    figures: dict[str, float] = {
        "f1_50k": ours["f1"], "precision_50k": ours["precision"], "recall_50k": ours["recall"], "seconds_50k": seconds_50k,
        "splink_f1_50k": splink["f1"], "splink_precision_50k": splink["precision"], "splink_seconds_50k": splink_seconds,
        "f1_febrl4": febrl["f1"],
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="identity-") as scratch:
        small = identified(workspace(Path(scratch), 20_000, 12, 11), "2026-10-31")
        figures |= {"f1_simulated": small["truth"]["f1"], "precision_simulated": small["truth"]["precision"]}
        if not asked.no_million:
            figures |= speed(Path(scratch), asked.customers)
    print("identity: " + " ".join(f"{name}={_number(value)}" for name, value in figures.items()))


def _number(value: float) -> str:
    return (
        f"{value:.4f}"
        if abs(value) < 10 and value != int(value)
        else f"{value:.1f}"
        if value != int(value)
        else f"{int(value)}"
    )


if __name__ == "__main__":
    main()
