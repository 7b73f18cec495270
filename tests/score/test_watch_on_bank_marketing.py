"""The watch on a real book: a bank's phone campaigns of 2008 to 2010, through a crisis, rows in the order of time."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pytest

from backbook.definitions import Item
from backbook.engine import Engine
from backbook.expressions import Name, Names, Type
from backbook.score import Columns, Score, Version, apply, columns, make, read_scores
from backbook.score.monitor import Act, Kind, Level, Reading, whole
from backbook.score.shifts import shifts

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("BACKBOOK_DATA") or ROOT.parent / "shared" / "data")
TAUGHT, LATER = date(2009, 5, 31), date(2010, 11, 30)

# Not `duration`: it is known only after the call. Age and marital status are protected.
ASKED = {
    "campaign": ("本次联系次数", "Calls in this campaign"),
    "pdays": ("距上次联系天数", "Days since the last campaign"),
    "previous": ("以往联系次数", "Calls in campaigns before"),
    "cons_price_idx": ("消费价格指数", "Consumer prices"),
    "cons_conf_idx": ("消费信心指数", "Consumer confidence"),
    "euribor3m": ("三个月欧元利率", "Euribor, three months"),
    "job": ("职业", "Job"),
    "education": ("学历", "Education"),
    "default": ("是否违约", "Credit in default"),
    "housing": ("房贷", "Housing loan"),
    "contact": ("联系方式", "Telephone"),
    "poutcome": ("上次结果", "Outcome of the last campaign"),
}
TEXTS = ("job", "education", "default", "housing", "contact", "poutcome")


class Calls:
    """One call is one unit; all calls of the first four fifths are looked at on one day."""

    def __init__(self, engine: Engine, rows: pa.Table) -> None:
        self.engine, self.rows = engine, engine.table(rows)

    def profile(self, grain: str, on: date, columns: Collection[str], units: Any | None = None) -> Any:
        return (
            self.rows.drop("answered") if units is None else self.rows.drop("answered").semi_join(units, "account_id")
        )

    def outcomes(self, grain: str, on: date, known_by: date, columns: Collection[str], units: Any) -> Any:
        return self.rows.select("account_id", "answered").semi_join(units, "account_id")

    def outcomes_end(self, grain: str, on: date, columns: Collection[str]) -> date:
        return on + timedelta(days=1)

    def first_day(self) -> date | None:
        return date(2008, 5, 1)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(threads=2, scratch=tmp_path_factory.mktemp("scratch"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def calls() -> pa.Table:
    with (
        zipfile.ZipFile(DATA / "bank_marketing" / "bank-additional.zip") as archive,
        archive.open("bank-additional/bank-additional-full.csv") as file,
    ):
        rows = csv.read_csv(file, parse_options=csv.ParseOptions(delimiter=";"))
    rows = rows.rename_columns([name.replace(".", "_") for name in rows.column_names])
    answered = pa.array([value == "yes" for value in rows["y"].to_pylist()])
    units = pa.array([f"call-{number:05d}" for number in range(rows.num_rows)])
    return rows.select(list(ASKED)).append_column("account_id", units).append_column("answered", answered)


def response() -> Score:
    names = [Name(name, Type.TEXT if name in TEXTS else Type.NUMBER, zh, en) for name, (zh, en) in ASKED.items()]
    profile = Names("account profile", [Name("account_id", Type.TEXT), *names])
    outcomes = Names("account outcomes", [Name("answered", Type.YESNO)])
    known = Columns({"account": profile, "customer": profile}, {"account": outcomes, "customer": outcomes})
    data: Mapping[str, Any] = {
        "id": "response", "zh": "响应", "en": "Response", "purpose": "marketing", "target": "answered",
        "features": list(ASKED), "special": {"pdays": [999]}, "observations": {"at_most": 1},
        "grades": {"low": 0.1, "high": 1},
    }  # fmt: skip
    found, faults = read_scores([Item("score", "response", data, "scores/response.yaml", {"": 1})], known)
    assert not faults, [str(fault) for fault in faults]
    return found[0]


@pytest.fixture(scope="module")
def version(engine: Engine, calls: pa.Table) -> Version:
    first = calls.slice(0, calls.num_rows * 4 // 5)
    found = make(response(), engine, TAUGHT + timedelta(days=30), Calls(engine, first))
    assert isinstance(found, Version)
    return Version.read(found.data)


def read(engine: Engine, version: Version, rows: pa.Table) -> list[Reading]:
    """What the watch reads of scored rows whose outcomes nobody knows yet."""
    profile = engine.table(rows.drop_columns(["answered"]))
    given = columns(version, apply(version, profile, engine)).rename(_unit="account_id")
    return shifts(response(), version, engine, profile.left_join(given, profile.account_id == given["_unit"]), LATER)


def test_the_alarm_is_raised_on_the_last_fifth_before_its_outcomes_are_known(engine, calls, version):
    found = read(engine, version, calls.slice(calls.num_rows * 4 // 5))
    said = whole(found, LATER)
    assert said.level == Level.ACT and said.act == Act.RETRAIN
    psi = next(each for each in found if each.kind == Kind.PSI)
    assert psi.value is not None and psi.value > 1 and psi.rows_now == 8238
    prices = next(each for each in found if each.kind == Kind.CSI and each.subject == "cons_price_idx")
    assert prices.level == Level.ACT and prices.value is not None and prices.value > 1
    assert "消费价格指数 的分布与训练时相差" in prices.reason_zh and "变化最大的特征：消费价格指数" in said.reason_zh


def test_calls_like_those_that_taught_raise_none(engine, calls, version):
    # Every third call of the first four fifths: the same years, the same people.
    few = calls.slice(0, calls.num_rows * 4 // 5).take(list(range(0, 32_950, 3)))
    assert whole(read(engine, version, few), TAUGHT).level == Level.OK
