"""Every expression also becomes text for Spark; that it runs there is for Spark's own time."""

from __future__ import annotations

import random

import ibis
import parity
import pytest
from ibis.config import Config

from backbook.expressions import parse
from backbook.expressions.to_ibis import STORED


class _Options(Config):
    """What the compiler asks of a backend that is not installed."""

    treat_nan_as_null: bool = False


@pytest.fixture
def account(monkeypatch):
    monkeypatch.setattr(ibis.options, "pyspark", _Options(), raising=False)
    return ibis.table({name.name: STORED[name.type] for name in parity.NAMES}, name="account")


def test_generated_expressions_and_tables_compile_for_spark(account):
    maker = parity.Maker(random.Random(11))
    for _ in range(150):
        value = parity.any_expression(maker, 3).ibis(account)
        assert "SELECT" in ibis.to_sql(account.select(value=value), dialect="pyspark")
    for _ in range(10):
        index, unknown = parity.any_table(maker, 6).ibis(account)
        assert "SELECT" in ibis.to_sql(account.select(index=index, unknown=unknown), dialect="pyspark")


def test_the_law_is_written_out_for_spark_too(account):
    text = ibis.to_sql(
        account.select(value=parse("balance / purchases > 0.8", parity.NAMES).ibis(account)), dialect="pyspark"
    )
    assert "NULLIF" in text
