"""How like the made-up issuer is to two real books: the same features, side by side, and what it lacks.

The card pack's features are measured on `taiwan` (six statements of 30,000 accounts), on `cmb` (two months of 4,000 customers'
debit and credit transactions) and on the made-up issuer, cut down to what each real book has: its last six statements, its last
two months. A feature stands in the table where a real book and the made-up one both know it for a tenth of the accounts.

    python bench/likeness.py [--customers N] [--page FILE]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from backbook import run, simulator
from backbook.workspace import Workspace

EXAMPLES = Path(__file__).parents[1] / "examples"
BOOKS = {"taiwan": date(2005, 10, 31), "cmb": date(2019, 6, 30), "demo": date(2026, 10, 31)}


def profile(book: str, folder: Path, customers: int) -> tuple[pd.DataFrame, set[str]]:
    """The accounts of a book on its date, and the names of its wide columns."""
    run.init(folder, like=EXAMPLES / book)
    if book == "demo":
        simulator.simulate(folder, customers, 24, seed=1, end=BOOKS[book])
    workspace = Workspace.open(folder)
    run.walk(workspace, [BOOKS[book]], stages=("load", "profile"))
    head = workspace.lake.head()
    files = head.files("profile.account", BOOKS[book].isoformat()) or head.files("profile.account")
    rows = workspace.engine.arrow(workspace.engine.parquet(files)).to_pandas()
    wide = {item.id for item in workspace.items("attribute")}
    return rows, wide


def numbers(rows: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Every column that is a number or an amount, with its known values."""
    for name in rows.columns:
        column = pd.to_numeric(rows[name], errors="coerce") if rows[name].dtype == object else rows[name]
        if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
            known = column.dropna().astype(float).to_numpy()
            if len(known) >= 0.1 * len(rows):
                yield name, known


def shape(known: np.ndarray) -> dict[str, float]:
    """What can be compared across currencies and years: how many are zero, how skewed, how wide."""
    middle = float(np.median(known))
    q90 = float(np.quantile(known, 0.9))
    return {
        "zero": float((known == 0).mean()),
        "mean": float(known.mean()),
        "median": middle,
        "q90_to_median": q90 / middle if middle else float("nan"),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=4_000)
    parser.add_argument("--page", help="write the table as Markdown into this file")
    said = parser.parse_args()
    if not Path(os.environ.get("BACKBOOK_DATA", "")).is_dir():
        sys.exit("The real books are needed: set BACKBOOK_DATA to their folder.")
    found, wide = {}, {}
    with tempfile.TemporaryDirectory() as place:
        for book in BOOKS:
            rows, wide[book] = profile(book, Path(place) / book, said.customers)
            found[book] = {name: shape(known) for name, known in numbers(rows)}
    lines = []
    for book in ("taiwan", "cmb"):
        shared = [name for name in found[book] if name in found["demo"] and name not in wide[book]]
        lines += [f"**{book}**: {len(shared)} features in common", "", "| Feature | zero: real, made up | mean: real, made up | 90 % to median: real, made up |", "|---|---|---|---|"]  # fmt: skip
        for name in shared:
            real, ours = found[book][name], found["demo"][name]
            lines.append(
                f"| `{name}` | {real['zero']:.0%}, {ours['zero']:.0%} | {real['mean']:,.4g}, {ours['mean']:,.4g} | {real['q90_to_median']:.1f}, {ours['q90_to_median']:.1f} |"
            )
        lines += ["", f"Only in `{book}`: {', '.join(f'`{name}`' for name in sorted(wide[book])) or 'nothing'}.", ""]
    text = "\n".join(lines) + "\n"
    if said.page:
        Path(said.page).write_text(text, encoding="utf-8")
    else:
        print(text, file=sys.stderr)
    both = [name for name in found["demo"] if name in found["taiwan"] or name in found["cmb"]]
    apart = [
        abs(found[book][name]["zero"] - found["demo"][name]["zero"])
        for book in ("taiwan", "cmb")
        for name in found[book]
        if name in found["demo"] and name not in wide[book]
    ]
    print(
        f"likeness: features={len(both)} zero_share_apart={np.mean(apart):.3f} lacks={len(wide['taiwan'] | wide['cmb'])}"
    )


if __name__ == "__main__":
    main()
