"""A month more, with one's own decisions in place of the bank's: the same world otherwise, and clear refusals."""

from __future__ import annotations

import csv
import hashlib
import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbook.errors import BadData, NotAllowed
from backbook.simulator import simulate, step

START, DAILY = date(2026, 5, 1), date(2026, 8, 1)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("state_"))
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four months of a small issuer."""
    folder = tmp_path_factory.mktemp("made")
    simulate(folder, 500, 4, 3, start=START, daily_from=DAILY)
    return folder


@pytest.fixture
def issuer(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "issuer")
    return tmp_path / "issuer"


def profits(folder: Path, month: str) -> dict[str, dict[str, int]]:
    rows = pq.read_table(folder / "truth" / f"profit_{month}_001.parquet").to_pylist()
    return {row["account_id"]: row for row in rows}


def open_accounts(folder: Path, month: str = "20260831") -> list[str]:
    table = pq.read_table(folder / "truth" / f"month_{month}_001.parquet")
    return [row["account_id"] for row in table.to_pylist() if row["days_past_due"] == 0 and not row["written_off"]]


def file(folder: Path, name: str, header: list[str], *rows: list[object], mark: str = "") -> Path:
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(mark)
        csv.writer(stream).writerows([header, *rows])
    return path


def limits_told(folder: Path, month: str) -> list[dict[str, str]]:
    with (folder / "raw" / "core" / f"EDXX_{month}_001.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def executions(folder: Path, month: str) -> dict[str, dict[str, str]]:
    with (folder / "raw" / "core" / f"HPXX_{month}_001.csv").open(encoding="utf-8") as stream:
        return {row["JCH"]: row for row in csv.DictReader(stream)}


def test_month_by_month_is_the_same_as_all_at_once(issuer: Path, tmp_path: Path) -> None:
    step(issuer)
    step(issuer, month="2026-10")
    simulate(tmp_path / "long", 500, 6, 3, start=START, daily_from=DAILY)
    assert digests(issuer) == digests(tmp_path / "long")


def test_a_step_that_was_broken_off_is_lived_again_with_the_same_result(issuer: Path) -> None:
    before = (issuer / "truth" / "issuer.json").read_bytes()
    step(issuer)
    whole = digests(issuer)
    # As if the process had died before it could say how far it had come.
    (issuer / "truth" / "issuer.json").write_bytes(before)
    for half in sorted((issuer / "raw" / "core").glob("JYLS_202609*"))[::2]:
        half.unlink()
    step(issuer)
    assert digests(issuer) == whole


def test_another_decision_for_one_customer_leaves_all_others_as_they_were(issuer: Path, tmp_path: Path) -> None:
    shutil.copytree(issuer, tmp_path / "other")
    chosen = open_accounts(issuer)[7]
    none = file(tmp_path, "none.csv", ["account_id", "new_limit"])
    one = file(tmp_path, "one.csv", ["account_id", "price", "decision_id"], [chosen, "0.5", "D1"])
    for folder, handed in ((issuer, none), (tmp_path / "other", one)):
        step(folder, decisions=handed)
        for _ in range(2):
            step(folder)
    persons = {row["account_id"]: row["person"] for row in accounts_of(issuer)}
    for month in ("20260930", "20261031", "20261130"):
        as_ever, otherwise = profits(issuer, month), profits(tmp_path / "other", month)
        differing = {account for account in as_ever if as_ever[account] != otherwise[account]}
        assert {persons[account] for account in differing} <= {persons[chosen]}
    assert executions(tmp_path / "other", "20260930")["D1"]["ZT"] == "1"


def accounts_of(folder: Path) -> list[dict[str, object]]:
    tables = [pq.read_table(path) for path in sorted((folder / "truth").glob("account_*.parquet"))]
    return pa.concat_tables(tables).to_pylist()


def test_a_list_of_a_run_is_handed_in_as_it_is(issuer: Path, tmp_path: Path) -> None:
    account = open_accounts(issuer)[3]
    lists = tmp_path / "lists"
    lists.mkdir()
    header = ["客户号", "账户", "处置", "现值", "新值", "决策号", "状态（仅供模拟）"]
    asks = ["'1", f"'{account}", "主动提额", "1000.00", "0.00", "'D7", "仅供模拟"]
    keeps = ["'1", f"'{account}", "可申请提额", "1000.00", "", "'D8", "仅供模拟"]
    file(lists, "decrease.csv", header, asks, mark="\ufeff")
    file(lists, "allow_request.csv", header, keeps, mark="\ufeff")
    step(issuer, decisions=lists)
    found = executions(issuer, "20260930")
    # A limit of nothing goes down to what is owed, and says so where something is owed.
    assert set(found) == {"D7"} and found["D7"]["ZT"] in "13"
    assert float(found["D7"]["XZ"]) < float(found["D7"]["YZ"])
    changed = [row for row in limits_told(issuer, "20260930") if row["SQF"] == "H" and row["EDLX"] == "G"]
    assert [row["EDJE"] for row in changed] == [found["D7"]["XZ"]]


def test_the_core_says_what_it_could_not_do(issuer: Path, tmp_path: Path) -> None:
    account = open_accounts(issuer)[3]
    closed = [row["account_id"] for row in accounts_of(issuer) if row["account_id"] not in profits(issuer, "20260831")]
    assert not closed
    handed = file(
        tmp_path, "d.csv", ["account_id", "new_limit", "kind", "until", "decision_id"],
        [account, "900000000", "", "", "TOO_MUCH"],
    )  # fmt: skip
    step(issuer, decisions=handed)
    told = executions(issuer, "20260930")["TOO_MUCH"]
    assert told["ZT"] in "23" and told["DM"] == "TOTAL_CAP" and float(told["XZ"]) < 900_000_000


def test_contacts_handed_in_are_told_by_the_systems_that_made_them(issuer: Path, tmp_path: Path) -> None:
    accounts = open_accounts(issuer)[:40]
    rows = [
        [account, "WAKE", "call", "2026-09-05 10:30", "0.5", nth % 4 == 0, f"C{nth}"]
        for nth, account in enumerate(accounts)
    ]
    header = ["account_id", "offer", "channel", "at", "propensity", "is_control", "decision_id"]
    step(issuer, contacts=file(tmp_path, "c.csv", header, *rows))
    told = []
    for path in sorted((issuer / "raw" / "call_centre").glob("waihu_202609*.csv")):
        with path.open(encoding="gbk") as stream:
            told += [row for row in csv.DictReader(stream) if row["决策号"].startswith("C")]
    assert {row["决策号"] for row in told} == {f"C{nth}" for nth in range(40)}
    held = {row["决策号"] for row in told if row["分组"] == "对照组"}
    assert held == {f"C{nth}" for nth in range(0, 40, 4)}
    assert all(row["结果"] == "未发送" for row in told if row["决策号"] in held)


REFUSED = [
    ("decisions", "account_id,new_limit\n8000000000000000000,5000\n", "1 accounts are not known to this bank: '8000000000000000000'"),
    ("decisions", "account,new_limit\nA,5000\n", "d.csv has no column account_id. It has: account, new_limit."),
    ("decisions", "account_id,new_limit\nA,-5\nB,much\n", "d.csv:2: new_limit = '-5' is not an amount"),
    ("decisions", "account_id,price\nA,80\n", "d.csv:2: price = '80' is not a share of the published rate"),
    ("decisions", "account_id,new_limit,on\nA,5000,2026-12-01\n", "does not lie in 2026-09, the month that is lived next"),
    ("decisions", "account_id,new_limit,kind\nA,5000,forever\n", "is not one of fixed, temporary"),
    ("contacts", "account_id,offer,channel,at\nA,GIFT,sms,2026-09-03\n", "offer = 'GIFT' is not one of INSTALMENT, WAKE"),
    ("contacts", "account_id,offer,channel,at\nA,WAKE,fax,2026-09-03\n", "channel = 'fax' is not one of app, sms, call"),
    ("contacts", "account_id,offer,channel,at\nA,WAKE,sms,soon\n", "at = 'soon' is not a moment in 2026-09"),
    ("contacts", "account_id,offer,channel,at,propensity\nA,WAKE,sms,2026-09-03,1.2\n", "propensity = '1.2' does not lie between 0 and 1"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "told"), REFUSED)
def test_what_cannot_be_done_is_refused_before_anything_is_lived(
    made: Path, tmp_path: Path, kind: str, text: str, told: str
) -> None:
    path = tmp_path / "d.csv"
    path.write_text(text, encoding="utf-8")
    before = digests(made)
    with pytest.raises(BadData) as refusal:
        step(made, **{kind: path})
    assert told in str(refusal.value)
    assert digests(made) == before


def test_a_month_out_of_order_and_a_folder_without_an_issuer_are_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(NotAllowed, match="has lived until 2026-08. The next is 2026-09"):
        step(made, month="2026-11")
    with pytest.raises(NotAllowed, match="has lived until 2026-08"):
        step(made, month="2026-08")
    with pytest.raises(NotAllowed, match="holds no made-up issuer"):
        step(tmp_path)
    with pytest.raises(BadData, match="There is no file"):
        step(made, decisions=tmp_path / "nothing.csv")
