"""How right mined warning rules are for clients that did not teach them, on a public book; and whether chance makes any.

The book is `taiwan` (30,000 card clients, 22 % default in the next month), with the features of the example. Of the five
folds of people (`score/target.folds`) four mine, within which some confirm what the others find; the fifth judges, and
the five judgements are pooled. What is judged are rules that were mined anew in each fold: `hit` and `precision` are of
all that any rule of its fold hits (`se_precision` is the standard error over the folds); `min_precision` is the lowest
over places, a place being the first, second, … rule of each fold with all the hits that it has by itself. `rules` is the
fewest that a fold gave, `seconds` the slowest mining, in seconds of its one thread, so that neighbours do not count.

`false_discovery` is the share of 100 books with shuffled targets in which the miner keeps any rule: once with the
settings above, and once with hardly anything asked (a lift of 1.1), where only the confirmation stands between chance and
a rule; the higher of the two counts.

With `--issuer DIR` the rules that the pack mines on a made-up issuer with its lake loaded (`backbook simulate`, then
`backbook load` at its last month's end) are judged as well: taught a year before that, watched on the six month-ends
after. Their hit rates and lifts are of those six together.

    python bench/rules.py [--shuffles N] [--issuer DIR]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date, timedelta
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML
from threadpoolctl import threadpool_limits

from backbook import run
from backbook.customer.identity.people import IDENTITY
from backbook.customer.reader import Reader
from backbook.customer.window import month_start
from backbook.run.book import Book
from backbook.run.freeze import freeze
from backbook.score import Unavailable, Version, make, sample
from backbook.score.decay import watched
from backbook.score.definition import Hits, Observations, Score
from backbook.score.look import look
from backbook.score.rulebook import rows_of
from backbook.score.target import Sample
from backbook.score.warning import Mined, Rows, mine
from backbook.sources.load import load
from backbook.workspace import Workspace

EXAMPLE = Path(__file__).parents[1] / "examples" / "taiwan"
AS_OF = date(2005, 10, 31)
ASKED = Hits(most=4, precision=0.70)
HARDLY = Hits(most=4, lift=1.1)
DEFINITION = {
    "id": "warning", "zh": "预警", "en": "Warning", "grain": "account", "method": "rules", "purpose": "risk",
    "target": "default_next_month", "observations": {"every": "month", "at_most": 1},
    "rules": {"most": ASKED.most, "precision": ASKED.precision},
    "grades": [{"code": "low", "up_to": 0.5, "zh": "低", "en": "low"}, {"code": "high", "zh": "高", "en": "high"}],
}  # fmt: skip


def book(folder: Path) -> tuple[Score, Sample]:
    """The definition with all features of the example and its directions, and its sample."""
    yaml = YAML(typ="safe")
    run.init(folder, like=EXAMPLE)
    features = [one["id"] for one in yaml.load(folder / "features.yaml")["features"]]
    attributes = yaml.load(folder / "sources" / "attributes.yaml")["attributes"]
    names = [name.replace("{n}", n) for name in features for n in (("3", "6") if "{n}" in name else ("",))]
    names += [one["id"] for one in attributes if one["purpose"] == "both"]
    monotone = yaml.load(folder / "scores" / "behaviour.yaml")["monotone"]
    with (folder / "scores" / "warning.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(DEFINITION | {"features": names, "monotone": monotone}, file)
    workspace = Workspace.open(folder)
    with workspace.lake.lock(who="bench") as writer:
        load(workspace, writer, AS_OF)
        head = writer.publish({})
    frozen = freeze(workspace)
    score = next(score for score in frozen.scores if score.id == "warning")
    found = sample(score, workspace.engine, AS_OF, Book(frozen, Reader(workspace.engine, head), {}))
    assert not isinstance(found, Unavailable), found
    return score, found


def part(rows: Rows, places: np.ndarray) -> Rows:
    """Some of the rows; each client has one."""
    return Rows(
        [(grid, codes[places]) for grid, codes in rows.features],
        rows.target[places],
        rows.day[places],
        rows.fold[places],
        rows.observed,
        len(places),
    )


def hits(rows: Rows, mined: Mined) -> list[np.ndarray]:
    """Whom each rule hits."""
    codes = {grid.name.name: of for grid, of in rows.features}
    return [
        np.logical_and.reduce(
            [(codes[one.feature] >= one.first) & (codes[one.feature] < one.after) for one in rule.literals]
        )
        for rule in mined.rules
    ]


def judged(score: Score, rows: Rows) -> dict[str, float]:
    """Rules of four folds, judged on the fifth, pooled."""
    seconds, counts, together, places = [], [], [], np.zeros((score.hits.most, 2))
    for fold in range(score.folds):
        taught, asked = part(rows, np.flatnonzero(rows.fold != fold)), part(rows, np.flatnonzero(rows.fold == fold))
        begin = time.process_time()
        mined = mine(taught, score.hits, score.monotone)
        seconds.append(time.process_time() - begin)
        found = hits(asked, mined)
        for place, hit in enumerate(found):
            places[place] += hit.sum(), (hit & asked.target).sum()
        union = np.logical_or.reduce([np.zeros(len(asked.target), dtype=bool), *found])
        together.append((union.sum(), (union & asked.target).sum()))
        counts.append(len(mined.rules))
        for rule, hit in zip(mined.rules, found, strict=True):
            right = (hit & asked.target).sum()
            print(f"fold {fold}: {rule.text}: said {rule.confirmed.precision:.3f} of {rule.confirmed.hits}, "
                  f"is {right / max(hit.sum(), 1):.3f} of {hit.sum()}", file=sys.stderr)  # fmt: skip
    hit, right = np.array(together).T
    by_place = [events / rows for rows, events in places if rows]
    print(
        f"by place: {[round(each, 3) for each in by_place]}, hits {places[:, 0]}, rules by fold {counts}",
        file=sys.stderr,
    )
    return {
        "rules": min(counts),
        "hit": hit.sum() / len(rows.target),
        "precision": right.sum() / max(hit.sum(), 1),
        "se_precision": float(np.std(right / np.maximum(hit, 1), ddof=1) / np.sqrt(len(hit))),
        "min_precision": min(by_place, default=0.0),
        "seconds": max(seconds),
    }


def on_the_issuer(folder: Path) -> dict[str, float]:
    """The pack's early warning, taught a year before the last month's end, and what became of whom it hit later."""
    workspace = Workspace.open(folder)
    frozen, head = freeze(workspace), workspace.lake.head()
    known = head.manifest(IDENTITY)
    assert known is not None, "The issuer's lake is not loaded."
    last = date.fromisoformat(known.parts()[-1])
    people = workspace.engine.parquet(head.files(IDENTITY, part=last.isoformat()))
    versions: dict[str, Version] = {}
    past = Book(frozen, Reader(workspace.engine, head, people), versions)
    for name in ("behaviour", "early_warning"):
        made = make(frozen.score(name), workspace.engine, month_start(last, -11) - timedelta(days=1), past)
        assert isinstance(made, Version), made
        versions[name] = made
    warning = replace(frozen.score("early_warning"), observations=Observations("month", 6))
    later = sample(warning, workspace.engine, last, past)
    assert not isinstance(later, Unavailable), later
    lifts, shares = [], []
    for rule in watched(versions["early_warning"], later):
        found = reduce(add, (counted for _, counted in rule.by_date))
        lifts.append(found.precision / found.rate)
        shares.append(found.hits / found.rows)
        error = np.sqrt(found.precision * (1 - found.precision) / max(found.hits, 1)) / found.rate
        print(f"issuer: {rule.code} hits {shares[-1]:.4f}, lift {lifts[-1]:.2f} (se {error:.2f})", file=sys.stderr)
    return {"issuer_rules": len(lifts), "issuer_min_lift": min(lifts), "issuer_most_hit": max(shares)}


def by_chance(score: Score, rows: Rows, shuffles: int) -> float:
    """The share of shuffled books in which a rule is kept."""
    found = {ASKED: 0, HARDLY: 0}
    for seed in range(shuffles):
        shuffled = replace(rows, target=np.random.default_rng(seed).permutation(rows.target))
        for asked in found:
            found[asked] += len(mine(shuffled, asked, score.monotone).rules) > 0
    print(f"books with a rule, of {shuffles}: {list(found.values())}", file=sys.stderr)
    return max(found.values()) / max(shuffles, 1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shuffles", type=int, default=100)
    parser.add_argument("--issuer", type=Path, help="a made-up issuer whose lake is loaded")
    said = parser.parse_args()
    if not Path(os.environ.get("BACKBOOK_DATA", "")).is_dir():
        sys.exit("The real books are needed: set BACKBOOK_DATA to their folder.")
    with tempfile.TemporaryDirectory(prefix="rules-") as scratch:
        score, taught = book(Path(scratch) / "taiwan")
        seen = look(score, taught)
        assert not isinstance(seen, Unavailable), seen
        rows = rows_of(taught, seen)
        with threadpool_limits(1):
            figures = judged(score, rows)
            figures["false_discovery"] = by_chance(score, rows, said.shuffles)
    if said.issuer:
        figures |= on_the_issuer(said.issuer)
    print(
        "rules: "
        + " ".join(f"{name}={value if isinstance(value, int) else f'{value:.4f}'}" for name, value in figures.items())
    )


if __name__ == "__main__":
    main()
