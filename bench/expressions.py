"""How fast a strategy of forty branches decides: for one customer, and for a whole book.

The same table four ways: ours compiled to Python (with the path recorded), the best function that we could write
by hand for it, the rule engine `zen-engine` called from Python, and ours over a million customers in the engine.
Every way must decide every customer alike before it is timed. Then the parity of the two compilers over a million
generated cases.

    python bench/expressions.py [--cases N]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import zen

from backbook.engine import Engine
from backbook.expressions import Branch, Name, Names, Type, first_match, parse

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "expressions"))
import parity

RUNS = 5
CUSTOMERS = 20_000
BOOK = 4_000_000

NAMES = Names(
    "account profile",
    [
        Name("days_past_due", Type.WHOLE, "逾期天数"),
        Name("months_on_book", Type.WHOLE, "账龄"),
        Name("grade", Type.TEXT, "行为评级"),
        Name("utilisation", Type.NUMBER, "额度使用率"),
        Name("payment_ratio", Type.NUMBER, "还款率"),
        Name("spend", Type.MONEY, "近90天消费额"),
    ],
)
GRADES = "EDCBA"
# One line: a cell for each column; an empty cell asks nothing. Five lines for everyone, seven for each grade.
BANDS = [
    {"utilisation": "> 0.95", "payment_ratio": "< 0.1"},
    {"utilisation": "> 0.95"},
    {"utilisation": "> 0.8", "payment_ratio": "< 0.3"},
    {"utilisation": "> 0.8"},
    {"utilisation": "> 0.5", "spend": "> 5000"},
    {"utilisation": "> 0.5"},
    {},
]
LINES: list[dict[str, str]] = [
    {"days_past_due": "> 60"},
    {"days_past_due": "> 30"},
    {"days_past_due": "> 0", "utilisation": "> 0.9"},
    {"days_past_due": "> 0"},
    {"months_on_book": "< 6"},
    *({"grade": f"'{grade}'", **band} for grade in GRADES for band in BANDS),
]


def customers(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Customers who reach every line of the table, most of them none of the first."""
    rng = random.Random(seed)
    return [
        {
            "days_past_due": rng.choice([0] * 12 + [5, 45, 90]),
            "months_on_book": rng.randint(3, 120),
            "grade": rng.choice(GRADES),
            "utilisation": round(rng.random(), 4),
            "payment_ratio": round(rng.random() ** 2, 4),
            "spend": Decimal(rng.randint(0, 1_500_000)).scaleb(-2),
        }
        for _ in range(count)
    ]


# ── four ways ───────────────────────────────────────────────────────────────────────────────────────────


def ours() -> Any:
    def condition(line: Mapping[str, str]) -> str:
        return " and ".join(f"{name} = {cell}" if cell[0] == "'" else f"{name} {cell}" for name, cell in line.items())

    return first_match([Branch(f"line_{at}", parse(condition(line), NAMES)) for at, line in enumerate(LINES)])


def by_hand() -> Callable[[Mapping[str, Any]], Any]:
    """The table as one would write it for speed: columns read when needed, grades looked up, answers ready made."""
    ids = [f"line_{at}" for at in range(len(LINES))]
    missed = [tuple((id, False) for id in ids[:at]) for at in range(len(LINES) + 1)]
    matched = [(at, (), (*missed[at], (ids[at], True))) for at in range(len(LINES))]
    unknown = lambda at, name: (None, (name,), (*missed[at], (ids[at], None)))  # noqa: E731
    late60, late30, late_high, late, new = matched[:5]
    by_grade = {grade: tuple(matched[5 + 7 * at : 12 + 7 * at]) for at, grade in enumerate(GRADES)}
    first_line = {grade: 5 + 7 * at for at, grade in enumerate(GRADES)}
    none = (None, (), missed[-1])
    limit = Decimal(5000)

    def decide(row: Mapping[str, Any]) -> Any:
        overdue = row["days_past_due"]
        if overdue is None:
            return unknown(0, "days_past_due")
        used = row["utilisation"]
        if overdue > 0:
            if overdue > 60:
                return late60
            if overdue > 30:
                return late30
            if used is None:
                return unknown(2, "utilisation")
            return late_high if used > 0.9 else late
        months = row["months_on_book"]
        if months is None:
            return unknown(4, "months_on_book")
        if months < 6:
            return new
        grade = row["grade"]
        answers = by_grade.get(grade)
        if answers is None:
            return none if grade is not None else unknown(5, "grade")
        if used is None:
            return unknown(first_line[grade], "utilisation")
        if used > 0.8:
            paid = row["payment_ratio"]
            if paid is None:
                return unknown(first_line[grade] + (0 if used > 0.95 else 2), "payment_ratio")
            if used > 0.95:
                return answers[0] if paid < 0.1 else answers[1]
            return answers[2] if paid < 0.3 else answers[3]
        if used > 0.5:
            spend = row["spend"]
            if spend is None:
                return unknown(first_line[grade] + 4, "spend")
            return answers[4] if spend > limit else answers[5]
        return answers[6]

    return decide


def by_zen() -> Callable[[Mapping[str, Any]], int]:
    """The same lines as a decision table of zen-engine, compiled once; called without its trace, which is faster."""
    names = [name.name for name in NAMES]
    table = {
        "hitPolicy": "first",
        "inputs": [{"id": name, "type": "expression", "field": name, "name": name} for name in names],
        "outputs": [{"id": "line", "type": "expression", "field": "line", "name": "line"}],
        "rules": [
            {"_id": f"r{at}", **{name: line.get(name, "").replace("'", '"') for name in names}, "line": str(at)}
            for at, line in enumerate(LINES)
        ],
    }
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in", "position": {"x": 0, "y": 0}, "content": {}},
        {"id": "table", "type": "decisionTableNode", "name": "table", "position": {"x": 1, "y": 0}, "content": table},
        {"id": "out", "type": "outputNode", "name": "out", "position": {"x": 2, "y": 0}, "content": {}},
    ]
    edges = [
        {"id": "e1", "sourceId": "in", "targetId": "table", "type": "edge"},
        {"id": "e2", "sourceId": "table", "targetId": "out", "type": "edge"},
    ]
    decision = zen.ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))
    return lambda row: decision.evaluate(row)["result"]["line"]


# ── measuring ───────────────────────────────────────────────────────────────────────────────────────────


def per_second(decide: Callable[[Any], Any], rows: Sequence[Any]) -> float:
    begun = time.perf_counter()
    for row in rows:
        decide(row)
    return len(rows) / (time.perf_counter() - begun)


def medians(ways: Mapping[str, tuple[Callable[[Any], Any], Sequence[Any]]]) -> dict[str, float]:
    """Evaluations per second of each way; the ways take turns, so that a busy moment meets them all."""
    runs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, (decide, rows) in ways.items():
            runs[name].append(per_second(decide, rows))
    return {name: statistics.median(found) for name, found in runs.items()}


def book_per_second(table: Any) -> float:
    """Rows per second of the whole book, counted by branch so that every row is decided and none is kept."""
    engine = Engine()
    arrow = pa.Table.from_pylist(customers(BOOK // 80), schema=BOOK_SCHEMA)
    book = engine.cached(engine.table(pa.concat_tables([arrow] * 80)))
    index, unknown = table.ibis(book)
    decided = book.select(index=index, unknown=unknown)
    counted = decided.group_by(["index", "unknown"]).agg(rows=decided.count())
    engine.rows(counted)
    found = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        rows = sum(row["rows"] for row in engine.rows(counted))
        found.append(rows / (time.perf_counter() - begun))
    engine.close()
    return statistics.median(found)


BOOK_SCHEMA = pa.schema([(name.name, parity.ARROW[name.type]) for name in NAMES])


def parity_cases(cases: int, seed: int = 1) -> tuple[int, int]:
    """Generated expressions and tables over generated rows; how many cases, and in how many the compilers differ."""
    engine, rng = Engine(), random.Random(seed)
    maker, done, differing = parity.Maker(rng), 0, 0
    while done < cases:
        arrow = parity.customers(rng.randrange(2**32), 500)
        rows = arrow.to_pylist()
        with engine.scope():
            table = engine.table(arrow)
            for _ in range(20):
                expressions = [parity.any_expression(maker, rng.randint(1, 4)) for _ in range(6)]
                found = parity.differences(expressions, table, rows, engine.arrow)
                found += parity.table_differences(parity.any_table(maker, 5), table, rows, engine.arrow)
                for difference in found[:3]:
                    print(difference, file=sys.stderr)
                done += 7 * len(rows)
                differing += len(found)
                if done >= cases:
                    break
    engine.close()
    return done, differing


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cases", type=int, default=1_000_000, help="parity cases")
    cases = options.parse_args().cases
    rows = customers(CUSTOMERS)
    plain = [{**row, "spend": float(row["spend"])} for row in rows]  # zen knows no decimals
    table = ours()
    decide, hand, engine = table.python(), by_hand(), by_zen()
    assert all(decide(row) == hand(row) for row in rows)
    assert all(decide(row)[0] == engine(one) for row, one in zip(rows[:5000], plain, strict=False))
    rate = medians({"ours": (decide, rows), "hand": (hand, rows), "zen": (engine, plain[:5000])})
    book = book_per_second(table)
    print(
        f"{len(LINES)} branches; one customer: ours {rate['ours']:,.0f}, by hand {rate['hand']:,.0f}, zen {rate['zen']:,.0f} per second;"
    )
    print(f"the book of {BOOK:,} rows: {book:,.0f} rows per second. Medians of {RUNS} runs in one process.")
    done, differing = parity_cases(cases)
    print(
        f"expressions: per_second={rate['ours']:.0f} ratio_to_hand={rate['ours'] / rate['hand']:.2f} "
        f"ratio_to_zen={rate['ours'] / rate['zen']:.0f} book_ratio_to_zen={book / rate['zen']:.0f} "
        f"cases={done} differences={differing}"
    )


if __name__ == "__main__":
    main()
