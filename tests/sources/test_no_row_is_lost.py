"""For any small delivery, both gates add up: raw = parsed + rejected, mapped = loaded + unchanged + quarantined."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from conftest import Bank  # type: ignore[import-not-found]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbook.sources.inputs import Input
from backbook.sources.lines import Dialect, Scan, count_fields
from backbook.sources.read import read

FIELD = st.text(alphabet='ab1,|"\n\r 客\t', max_size=6)
QUICK = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SLOW = settings(QUICK, max_examples=12)


def written(rows: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue().encode()


@QUICK
@given(rows=st.lists(st.lists(FIELD, min_size=3, max_size=3), max_size=12))
def test_what_was_written_as_csv_is_read_back(engine, rows: list[list[str]]) -> None:
    """Python's csv module is the judge. Line ends inside of fields become line feeds; nothing becomes null."""
    with tempfile.TemporaryDirectory() as folder, engine.scope():
        Path(folder, "a.csv").write_bytes(written([["x", "y", "z"], *rows]))
        raw = read(engine, Input("a", "a.csv", Path(folder)), Path(folder, "scratch"))
        found = [[row[column] or "" for column in "xyz"] for row in engine.rows(raw.table.order_by("_row"))]
    assert found == [[field.replace("\r\n", "\n") for field in row] for row in rows]
    assert (raw.parsed, raw.rejected) == (len(rows), 0)


@QUICK
@given(
    data=st.lists(st.sampled_from([b"a", b",", b'"', b"\n", b"\r\n", "客".encode(), b"\xff", b"1"]), max_size=60).map(
        b"".join
    )
)
def test_any_bytes_at_all_are_parsed_or_rejected_and_the_engine_agrees(engine, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, engine.scope():
        Path(folder, "a.csv").write_bytes(b"x,y\n" + data)
        raw = read(engine, Input("a", "a.csv", Path(folder)), Path(folder, "scratch"))
        lines = [row["_row"] for row in engine.rows(raw.table)]
        rejected = [reject.line for file in raw.files for reject in file.rejects]
    assert raw.parsed == len(lines)
    assert len({*lines, *rejected}) == raw.parsed + raw.rejected, "every record has a line of its own"
    whole = [line for line in data.replace(b"\r\n", b"\n").split(b"\n")]
    for number in range(2, len(whole) + 2):
        if whole[number - 2] and b'"' not in data:
            assert number in {*lines, *rejected}, "a line that is not blank is accounted for"


@QUICK
@given(
    data=st.lists(st.sampled_from([b"a,b\n", b'"a\n,""",b\n', b"a\n", b'"a,b\n', b"\n", b"\xff,b\n"]), max_size=12),
    cut=st.integers(0, 40),
)
def test_where_a_file_is_cut_into_pieces_does_not_matter(data: list[bytes], cut: int) -> None:
    whole = b"".join(data)
    at = whole.rfind(b"\n", 0, cut) + 1
    once, twice = (Scan("a", Dialect(b",", b'"', "utf-8", 2), 1) for _ in range(2))
    expected = once.piece(whole, last=True)
    found = twice.piece(whole[:at], last=False) + twice.piece(whole[at:], last=True)
    assert (found, twice.found.records, twice.found.rejects) == (expected, once.found.records, once.found.rejects)
    assert [int(n) for one in twice.found.lines for n in one] == [int(n) for one in once.found.lines for n in one]


@settings(QUICK, max_examples=400)
@given(data=st.lists(st.sampled_from(['"', '""', "a", ",", "\n", '"a"', '"a,\n"']), max_size=14).map("".join))
def test_the_fast_look_at_quotes_sees_what_the_careful_one_sees(data: str) -> None:
    text = data.encode() + b"\n"
    fast, careful = (Scan("a", Dialect(b",", b'"', "utf-8", 2), 1) for _ in range(2))
    found = fast.piece(text, last=True)
    expected = careful._careful(text, {}, text, last=True)
    assert found == expected
    assert (fast.found.records, fast.found.rejects, fast.found.last_line) == (
        careful.found.records, careful.found.rejects, careful.found.last_line,
    )  # fmt: skip
    assert [int(n) for one in fast.found.lines for n in one] == [int(n) for one in careful.found.lines for n in one]


@QUICK
@given(fields=st.lists(FIELD, min_size=1, max_size=6))
def test_a_quoted_record_has_as_many_fields_as_were_written(fields: list[str]) -> None:
    assert count_fields(written([fields]).rstrip(b"\n"), b",", b'"') == len(fields)


ROW = st.tuples(
    st.sampled_from(["T1", "T2", "T3", "T4", ""]),
    st.sampled_from(["A1", "A2", "A9", ""]),
    st.sampled_from(["2026-10-01", "20261002", "2026-10-03 10:00:00", "2027-01-01", "soon", ""]),
    st.sampled_from(["1", "-2.50", "1,000.00", "x", ""]),
    st.sampled_from(["purchase", "payment", "消费", "buying", ""]),
)
BROKEN = st.sampled_from(["T1,A1", "T2,A2,2026-10-01,1,purchase,more", '"T3,A1,2026-10-01,1,purchase'])
DELIVERY = st.lists(st.one_of(ROW.map(lambda row: ",".join(f'"{field}"' for field in row)), BROKEN), max_size=10)


@SLOW
@given(deliveries=st.lists(DELIVERY, min_size=1, max_size=3))
def test_both_gates_add_up_for_any_delivery_and_the_next(engine, deliveries: list[list[str]]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        with engine.scope():
            _load_all(Bank(folder / "bank", engine), deliveries)
    finally:
        shutil.rmtree(folder)


def _load_all(bank: Any, deliveries: list[list[str]]) -> None:
    bank.reject_share = 0.999999
    for number, lines in enumerate(deliveries):
        day = date(2026, 10, 31) + timedelta(days=number)
        bank.transactions("T0,A1,2026-10-01,1,purchase", *lines)
        report = bank.load(day)
        account = report.accounts["transaction"]
        assert account.parsed + account.rejected >= 1
        assert account.mapped == account.parsed == account.loaded + account.unchanged + account.quarantined
        if account.read:
            assert account.quarantined == sum(
                row["mapping"] == "transaction.core" for row in _part(bank, "quarantine.transaction", day)
            )
            assert account.rejected == len(_part(bank, "rejected", day))
        known = bank.values("transaction", "transaction_id", day)
        assert len(known) == len(set(known)) and "T0" in known


def _part(bank: Any, table: str, day: date) -> list[dict[str, Any]]:
    files = bank.open().lake.head().files(table, part=day.isoformat())
    return bank.engine.rows(bank.engine.parquet(files)) if files else []
