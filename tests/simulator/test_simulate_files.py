"""The deliveries of the made-up issuer: the same bytes, control files that agree, what is refused."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from backbook.errors import NotAllowed
from backbook.simulator import simulate

SMALL = {"customers": 300, "months": 4}


def digests(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("issuer")
    simulate(folder, **SMALL, seed=1)
    return folder


def test_the_same_seed_gives_the_same_bytes(issuer: Path, tmp_path: Path) -> None:
    simulate(tmp_path, **SMALL, seed=1)
    assert digests(tmp_path) == digests(issuer)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_no_byte(issuer: Path, tmp_path: Path, threads: int) -> None:
    code = f"from backbook.simulator import simulate; simulate({str(tmp_path)!r}, 300, 4, 1)"
    several = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_IO_THREADS")}
    cores = sorted(os.sched_getaffinity(0))[:threads]
    pinned = f"import os; os.sched_setaffinity(0, {cores!r}); "
    subprocess.run([sys.executable, "-c", pinned + code], check=True, env=os.environ | several)
    assert digests(tmp_path) == digests(issuer)


def test_another_seed_is_another_world(issuer: Path, tmp_path: Path) -> None:
    simulate(tmp_path, **SMALL, seed=2)
    first, second = digests(issuer), digests(tmp_path)
    assert list(first) == list(second)
    postings = [name for name in first if "JYLS" in name]
    assert postings and all(first[name] != second[name] for name in postings)


def test_every_delivery_says_its_month_and_the_last_is_october(issuer: Path) -> None:
    stamps = {file.name.split("_")[1] for file in (issuer / "raw" / "core").iterdir()}
    assert stamps == {"20260731", "20260831", "20260930"} | {f"202610{day:02d}" for day in range(1, 32)}


def test_from_the_last_month_on_flows_come_daily_each_day_with_its_own_rows(issuer: Path) -> None:
    for day in (1, 17, 31):
        file = issuer / "raw" / "core" / f"JYLS_202610{day:02d}_001.txt.gz"
        lines = gzip.decompress(file.read_bytes()).decode().splitlines()
        days = {line.split("\x01")[3][:8] for line in lines}
        # What came late or was corrected is of two or three days before.
        assert f"202610{day:02d}" in days and days <= {f"202610{max(day - back, 1):02d}" for back in range(4)}
    assert not (issuer / "raw" / "core" / "ZHXX_20261017_001.dat.gz").exists()


def test_a_posting_told_late_or_corrected_is_told_with_the_same_number_and_amount(tmp_path: Path) -> None:
    simulate(tmp_path, 1_500, 3, seed=1)
    told: dict[str, list[list[str]]] = {}
    for file in sorted((tmp_path / "raw" / "core").glob("JYLS_202610*.gz")):
        for line in gzip.decompress(file.read_bytes()).decode().splitlines():
            told.setdefault(line.split("\x01")[0], []).append([file.name[5:13], *line.split("\x01")])
    twice = [rows for rows in told.values() if len(rows) > 1]
    late = [rows[0] for rows in told.values() if rows[0][0] > rows[0][4][:8]]
    assert len(twice) > 5 and len(late) > 5
    for first, second in twice:
        assert first[9] == "" and second[9] != "" and first[1:9] == second[1:9] and first[10:] == second[10:]


def test_control_files_agree_with_their_data(issuer: Path) -> None:
    controls = sorted((issuer / "raw").rglob("*.ctl"))
    assert len(controls) > 40
    for control in controls:
        name, rows, *total = control.read_text(encoding="utf-8").strip().split("|")
        file = control.with_name(name)
        data = gzip.decompress(file.read_bytes()) if name.endswith(".gz") else file.read_bytes()
        lines = _records(data.decode("gbk" if "call_centre" in str(file) else "utf-8"))
        has_header = not name.startswith(("KHXX", "ZHXX", "JYLS"))
        assert len(lines) - has_header == int(rows), name
        if total:
            separator, column = {"ZHXX": ("|+|", 11), "JYLS": ("\x01", 5), "ZDXX": ("|", 3)}[name[:4]]
            amounts = [Decimal(line.split(separator)[column]) for line in lines[has_header:]]
            assert sum(amounts) == Decimal(total[0]), name


def _records(text: str) -> list[str]:
    """Lines, where a quoted line break does not end one."""
    records, open_ = [], ""
    for line in text.split("\n")[:-1]:
        open_ += line
        if open_.count('"') % 2 == 0:
            records.append(open_)
            open_ = ""
        else:
            open_ += "\n"
    return records


def test_complete_files_of_the_app_have_their_ok(issuer: Path) -> None:
    app = issuer / "raw" / "app"
    data = {file.name.removesuffix(".gz").removesuffix(".csv") for file in app.glob("*.csv*")}
    assert data == {file.stem for file in app.glob("*.ok")}
    first = next(iter(sorted(app.glob("user_*.csv"))))
    assert first.read_bytes().startswith(b"\xef\xbb\xbf")


def test_every_person_has_a_record_and_every_record_one_person(issuer: Path) -> None:
    table = pd.concat([pq.read_table(file).to_pandas() for file in (issuer / "truth").glob("person_*.parquet")])
    assert set(table.person) >= set(range(SMALL["customers"]))
    assert set(table.system) == {"core", "app", "call_centre", "partner"}
    assert not table.duplicated(["system", "party_id"]).any()


def test_nothing_that_identifies_can_belong_to_anybody(issuer: Path) -> None:
    for file in (issuer / "raw" / "core").glob("KHXX_*.dat"):
        for line in file.read_text(encoding="utf-8").splitlines():
            fields = line.split("|+|")
            document, phone = fields[3], fields[6]
            assert document.startswith("0") and len(document) in (15, 18)
            assert phone[:3] in ("160", "161", "164") and len(phone) == 11


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"customers": 0}, "0 customers cannot be simulated"),
        ({"customers": -5}, "-5 customers cannot be simulated"),
        ({"months": 2}, "At least 3 are needed"),
        ({"seed": -1}, "The seed -1 is not possible"),
        ({"end": date(2026, 10, 30)}, "cannot end on 2026-10-30"),
        ({"start": date(2026, 1, 2)}, "cannot start on 2026-01-02"),
        ({"start": date(2026, 1, 1), "end": date(2026, 12, 31)}, "end on 2026-04-30"),
    ],
)
def test_what_no_issuer_can_be_made_of_is_refused(wrong: dict[str, object], told: str, tmp_path: Path) -> None:
    with pytest.raises(NotAllowed, match=told):
        simulate(tmp_path, **(SMALL | {"seed": 1} | wrong))  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())


def test_a_folder_that_holds_deliveries_is_never_written_over(issuer: Path) -> None:
    before = digests(issuer)
    with pytest.raises(NotAllowed, match="already holds files"):
        simulate(issuer, **SMALL, seed=9)
    assert digests(issuer) == before


def test_progress_is_told_month_by_month(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    simulate(tmp_path, 20, 3, on_progress=lambda text, done, total: told.append((done, total)))
    assert told == [(step, 18) for step in range(18)]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_book_made_in_parts_is_the_book_made_at_once(
    issuer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr("backbook.simulator.issuer.PART", 100)
    simulate(tmp_path, **SMALL, seed=1, processes=processes)
    assert len(list((tmp_path / "raw" / "core").glob("ZHXX_20261031_*.dat.gz"))) == 3
    for kind in ("ZHXX", "KHXX", "ZDXX", "KPXX", "EDXX", "FQXX", "GXXX", "BJXX", "ZZXX"):
        assert _lines_of(tmp_path, kind) == _lines_of(issuer, kind), kind


def _lines_of(folder: Path, kind: str) -> list[str]:
    """All lines of one kind of file, whichever file they lie in."""
    files = [file for file in (folder / "raw" / "core").glob(f"{kind}_*") if file.suffix != ".ctl"]
    texts = [gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes() for file in files]
    return sorted({line for text in texts for line in text.decode().splitlines()})
