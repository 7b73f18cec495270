"""How long the features of a book take, against the same features written by hand.

A million accounts and 120 million transactions over two years, in a lake of monthly files as `load` writes them.
Forty features of the transactions (ten measures over 30, 90, 180 and 365 days) are measured by Backbook from their
definitions, and by several ways of writing the same in SQL over the same files; the fastest of these is the peer.
Every run is a process of its own with the same threads and memory; the ways alternate, the best of each counts.
Before anything is timed all ways must give the same numbers for every account, on a smaller book.

    python bench/profile.py [--accounts N] [--per-account N] [--rounds N] [--keep FOLDER]
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from backbook.customer.definition import Feature
from backbook.customer.features import measure
from backbook.customer.reader import Reader
from backbook.customer.reading import read_features
from backbook.definitions import Item
from backbook.engine import Engine
from backbook.lake import Lake
from backbook.sources.contract import TABLES
from backbook.sources.convert import SQL_TYPES

AS_OF = date(2026, 10, 31)
MONTHS = 24
DAYS = (30, 90, 180, 365)
MEMORY = "10GB"
SMALL = 2_000

# id, measure, of, filter, within
MEASURES = (
    ("spend", "sum", "amount", "kind = 'purchase'", None),
    ("purchases", "count", None, "kind = 'purchase'", None),
    ("largest_purchase", "max", "amount", "kind = 'purchase'", None),
    ("average_purchase", "average", "amount", "kind = 'purchase'", None),
    ("cash_advance", "sum", "amount", "kind = 'cash_advance'", None),
    ("cash_share", "share", "amount", "kind = 'cash_advance'", "kind in ('purchase', 'cash_advance')"),
    ("payments", "sum", "-amount", "kind = 'payment'", None),
    ("payment_count", "count", None, "kind = 'payment'", None),
    ("charges", "sum", "amount", "kind in ('fee', 'interest')", None),
    ("categories", "distinct", "mcc", "kind = 'purchase'", None),
)


def definitions() -> list[Feature]:
    items = []
    for id_, what, of, condition, within in MEASURES:
        data: dict[str, Any] = {
            "id": f"{id_}_{{n}}d",
            "zh": f"{id_}近{{n}}天",
            "en": f"{id_} {{n}}",
            "for": {"n": list(DAYS)},
        }
        data |= {"table": "transaction", "measure": what, "filter": condition, "window": "last {n} days"}
        data |= {key: value for key, value in (("of", of), ("within", within)) if value}
        items.append(Item("feature", data["id"], data))
    features, faults = read_features(items, TABLES)
    assert not faults, faults
    return features


# ── the book ────────────────────────────────────────────────────────────────────────────────────────────────


def make(folder: Path, accounts: int, per_account: int) -> None:
    """A lake of accounts and of transactions, one file a month, ordered by key as `load` orders them."""
    engine = Engine(memory=MEMORY, scratch=folder / "scratch")
    total, lake = accounts * per_account, Lake(folder / "lake")
    with lake.lock(who="bench") as writer:
        path = writer.path("account")
        people = f"""SELECT 'A' || lpad(i::VARCHAR, 9, '0') AS account_id, 'core' AS system, 'P' || i AS party_id,
                            DATE '2020-01-01' AS opened_on FROM range({accounts}) t(i)"""
        rows = engine.write(engine.sql(_stored("account", people, "opened_on"), {}), path, order_by=["account_id"])
        writer.append("account", "2020-01", path, rows)
        for month in range(MONTHS):
            first = f"DATE '2024-11-01' + INTERVAL {month} MONTH"
            made = f"""
                SELECT 'T' || lpad(i::VARCHAR, 10, '0') AS transaction_id,
                       'A' || lpad((hash(i) % {accounts})::VARCHAR, 9, '0') AS account_id,
                       ({first})::TIMESTAMP + to_seconds((hash(i + 1) % (datediff('day', {first}, {first} + INTERVAL 1 MONTH) * 86400))::BIGINT) AS posted_at,
                       ((hash(i + 2) % 200000) / 100.0)::DECIMAL(18,2) * (CASE WHEN k = 6 THEN -1 ELSE 1 END) AS amount,
                       CASE WHEN k < 6 THEN 'purchase' WHEN k = 6 THEN 'payment' WHEN k = 7 THEN 'cash_advance'
                            WHEN k = 8 THEN 'fee' ELSE 'interest' END AS kind,
                       (5000 + hash(i + 4) % 60)::VARCHAR AS mcc
                FROM (SELECT i, hash(i + 3) % 10 AS k FROM range({total * month // MONTHS}, {total * (month + 1) // MONTHS}) t(i))"""
            path = writer.path("transaction")
            table = engine.sql(_stored("transaction", made, "posted_at"), {})
            writer.append(
                "transaction",
                f"{2024 + (month + 10) // 12}-{(month + 10) % 12 + 1:02}",
                path,
                engine.write(table, path),
            )
        writer.publish({})
    engine.close()


def _stored(table: str, rows: str, event: str) -> str:
    """The rows with every column of the contract, and those that `load` adds."""
    given = (
        {"account_id", "system", "party_id", "opened_on"}
        if table == "account"
        else {"transaction_id", "account_id", "posted_at", "amount", "kind", "mcc"}
    )
    columns = [
        column.name if column.name in given else f"NULL::{SQL_TYPES[column.type]} AS {column.name}"
        for column in TABLES[table].public
        if column.name != "known_on"
    ]
    added = f"{event}::DATE AS known_on, {event}::DATE AS _counts_from, 0 AS _order, false AS _withdrawn, 'bench' AS _mapping, NULL::VARCHAR AS _file"
    return f"SELECT {', '.join(columns)}, {added} FROM ({rows})"


# ── ours ────────────────────────────────────────────────────────────────────────────────────────────────────


def ours(engine: Engine, folder: Path) -> Any:
    reader = Reader(engine, Lake(folder / "lake").head())
    return engine.cached(measure(definitions(), reader, AS_OF))


# ── by hand ─────────────────────────────────────────────────────────────────────────────────────────────────

IS = {
    "purchase": "kind = 'purchase'",
    "cash": "kind = 'cash_advance'",
    "paid": "kind = 'payment'",
    "charge": "kind in ('fee', 'interest')",
}
# name → (aggregate, value, kind); averages and shares are derived from these
PARTS = {
    "spend": ("sum", "amount", "purchase"),
    "purchases": ("count", "1", "purchase"),
    "largest_purchase": ("max", "amount", "purchase"),
    "cash_advance": ("sum", "amount", "cash"),
    "payments": ("sum", "-amount", "paid"),
    "payment_count": ("count", "1", "paid"),
    "charges": ("sum", "amount", "charge"),
}
AGE = f"date_diff('day', posted_at::DATE, DATE '{AS_OF}')"
AGAIN = {"sum": "sum", "count": "sum", "max": "max"}


def _source(folder: Path, columns: str) -> str:
    files = [str(path) for path in Lake(folder / "lake").head().files("transaction")]
    recent = [path for path in sorted(files) if path]
    return f"(SELECT {columns} FROM read_parquet({recent}) WHERE posted_at > TIMESTAMP '2025-10-31 23:59:59.999999' AND posted_at < TIMESTAMP '2026-11-01')"


def _finished(aggregated: str, distinct: str, folder: Path) -> str:
    people = [str(path) for path in Lake(folder / "lake").head().files("account")]
    values = []
    for n in DAYS:
        values += [
            f"coalesce(spend_{n}, 0)::DECIMAL(18,2) AS spend_{n}d",
            f"coalesce(purchases_{n}, 0)::BIGINT AS purchases_{n}d",
        ]
        values += [
            f"largest_purchase_{n} AS largest_purchase_{n}d",
            f"spend_{n}::DOUBLE / nullif(purchases_{n}, 0) AS average_purchase_{n}d",
        ]
        values += [f"coalesce(cash_advance_{n}, 0)::DECIMAL(18,2) AS cash_advance_{n}d"]
        values += [
            f"coalesce(cash_advance_{n}, 0)::DOUBLE / nullif((coalesce(cash_advance_{n}, 0) + coalesce(spend_{n}, 0))::DOUBLE, 0) AS cash_share_{n}d"
        ]
        values += [
            f"coalesce(payments_{n}, 0)::DECIMAL(18,2) AS payments_{n}d",
            f"coalesce(payment_count_{n}, 0)::BIGINT AS payment_count_{n}d",
        ]
        values += [
            f"coalesce(charges_{n}, 0)::DECIMAL(18,2) AS charges_{n}d",
            f"coalesce(categories_{n}, 0)::BIGINT AS categories_{n}d",
        ]
    joined = f"LEFT JOIN ({distinct}) d USING (account_id)" if distinct else ""
    return f"SELECT account_id, {', '.join(values)} FROM (SELECT account_id FROM read_parquet({people})) a LEFT JOIN ({aggregated}) f USING (account_id) {joined}"


def _case(value: str, condition: str) -> str:
    return f"CASE WHEN {condition} THEN {value} END"


def _aggregates(write: Callable[[str, str, str], str]) -> str:
    return ", ".join(
        f"{write(how, value, f'{IS[kind]} AND age < {n}')} AS {name}_{n}"
        for name, (how, value, kind) in PARTS.items()
        for n in DAYS
    )


def _distinct_by_value(folder: Path) -> str:
    """The youngest purchase of each category, then the categories young enough."""
    youngest = f"SELECT account_id, mcc, min({AGE}) AS age FROM {_source(folder, 'account_id, mcc, kind, posted_at')} WHERE kind = 'purchase' AND mcc IS NOT NULL GROUP BY 1, 2"
    counted = ", ".join(f"count(CASE WHEN age < {n} THEN 1 END) AS categories_{n}" for n in DAYS)
    return f"SELECT account_id, {counted} FROM ({youngest}) GROUP BY 1"


def by_case(folder: Path) -> str:
    """One pass, each aggregate over a CASE; categories by value."""
    rows = _source(folder, f"account_id, amount, kind, {AGE} AS age")
    wide = f"SELECT account_id, {_aggregates(lambda how, value, when: f'{how}({_case(value, when)})')} FROM {rows} GROUP BY 1"
    return _finished(wide, _distinct_by_value(folder), folder)


def by_case_and_count_distinct(folder: Path) -> str:
    """The same with count(DISTINCT …) in the one pass."""
    rows = _source(folder, f"account_id, amount, kind, mcc, {AGE} AS age")
    bought = IS["purchase"]
    distinct = ", ".join(f"count(DISTINCT {_case('mcc', f'{bought} AND age < {n}')}) AS categories_{n}" for n in DAYS)
    wide = f"SELECT account_id, {_aggregates(lambda how, value, when: f'{how}({_case(value, when)})')}, {distinct} FROM {rows} GROUP BY 1"
    return _finished(wide, "", folder)


def by_filter(folder: Path) -> str:
    """Aggregates with FILTER (WHERE …)."""
    rows = _source(folder, f"account_id, amount, kind, {AGE} AS age")
    wide = f"SELECT account_id, {_aggregates(lambda how, value, when: f'{how}({value}) FILTER (WHERE {when})')} FROM {rows} GROUP BY 1"
    return _finished(wide, _distinct_by_value(folder), folder)


def by_bands(folder: Path) -> str:
    """Each row into its band of age first, then the bands added up."""
    rows = _source(folder, f"account_id, amount, kind, {AGE} AS age")
    band = "CASE WHEN age < 30 THEN 0 WHEN age < 90 THEN 1 WHEN age < 180 THEN 2 ELSE 3 END"
    inner = ", ".join(f"{how}({_case(value, IS[kind])}) AS {name}" for name, (how, value, kind) in PARTS.items())
    outer = ", ".join(
        f"{AGAIN[how]}({_case(name, f'band <= {place}')}) AS {name}_{n}"
        for name, (how, _, _) in PARTS.items()
        for place, n in enumerate(DAYS)
    )
    wide = f"SELECT account_id, {outer} FROM (SELECT account_id, {band} AS band, {inner} FROM {rows} GROUP BY 1, 2) GROUP BY 1"
    return _finished(wide, _distinct_by_value(folder), folder)


HANDS = {"case": by_case, "case_distinct": by_case_and_count_distinct, "filter": by_filter, "bands": by_bands}


def by_hand(way: str) -> Callable[[Engine, Path], Any]:
    return lambda engine, folder: engine.cached(engine.sql(HANDS[way](folder), {}))


WAYS: dict[str, Callable[[Engine, Path], Any]] = {"ours": ours, **{way: by_hand(way) for way in HANDS}}


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────


def timed(way: str, folder: Path) -> None:
    """One run in this process; prints its seconds, peak memory in GiB and rows."""
    engine = Engine(memory=MEMORY, scratch=folder / "scratch")
    begin = time.perf_counter()
    table = WAYS[way](engine, folder)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_gib": peak, "rows": engine.count(table)}))


def run(way: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--run", way, "--keep", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"  {way:<14} {found['seconds']:7.1f} s {found['cpu']:7.1f} s of processors {found['peak_gib']:5.1f} GiB",
        file=sys.stderr,
        flush=True,
    )
    return found


def the_same_numbers() -> None:
    """Every way gives every account the same features; doubles alike to nine digits."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder, SMALL, 120)
        engine = Engine()
        mine = {row["account_id"]: row for row in engine.rows(ours(engine, folder))}
        assert len(mine) == SMALL
        for way in HANDS:
            for row in engine.rows(WAYS[way](engine, folder)):
                other = mine[row["account_id"]]
                wrong = {name: (other[name], value) for name, value in row.items() if not _alike(other[name], value)}
                assert not wrong, (way, row["account_id"], wrong)


def _alike(one: Any, other: Any) -> bool:
    return (
        bool(abs(one - other) <= 1e-9 * abs(other))
        if isinstance(one, float) and other is not None
        else bool(one == other)
    )


@contextmanager
def book(keep: str | None, accounts: int, per_account: int) -> Iterator[Path]:
    if keep and (Path(keep) / "lake" / "HEAD").exists():
        yield Path(keep)
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(keep or place)
        make(folder, accounts, per_account)
        yield folder


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--accounts", type=int, default=int(os.environ.get("BACKBOOK_BENCH_ACCOUNTS", "1000000")))
    parser.add_argument("--per-account", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", help="a folder to make the book in and leave it there")
    parser.add_argument("--run", choices=WAYS, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.run:
        timed(said.run, Path(said.keep))
        return
    the_same_numbers()
    with book(said.keep, said.accounts, said.per_account) as folder:
        best: dict[str, float] = {}
        work: dict[str, float] = {}
        peak = 0.0
        hands = list(HANDS)
        for number in range(said.rounds):
            for way in ["ours", *hands]:
                found = run(way, folder)
                best[way] = min(found["seconds"], best.get(way, found["seconds"]))
                work[way] = min(found["cpu"], work.get(way, found["cpu"]))
                peak = max(peak, found["peak_gib"]) if way == "ours" else peak
            # After the first round only the two fastest by hand go on.
            hands = sorted(hands, key=best.__getitem__)[:2] if number == 0 else hands
        fastest = min(best[way] for way in HANDS)
        shown = " ".join(f"{way}_s={seconds:.1f}" for way, seconds in best.items())
        ratio = best["ours"] / fastest
        # On a machine that others use too, the work done says more than the time it took.
        work_ratio = work["ours"] / min(work[way] for way in HANDS)
        print(
            f"profile: accounts={said.accounts} transactions={said.accounts * said.per_account} "
            f"features={len(definitions())} ratio_to_sql={ratio:.2f} cpu_ratio={work_ratio:.2f} peak_gib={peak:.1f} {shown}"
        )


if __name__ == "__main__":
    main()
