"""Small books written by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from backbook.engine import Engine
from backbook.outcome.position import Book

MONEY = pa.decimal128(18, 2)
TYPES: dict[str, Any] = {
    **dict.fromkeys(
        [
            "balance",
            "credit_limit",
            "total_balance",
            "closing_balance",
            "revolving_balance",
            "instalment_balance",
            "amount",
        ],
        MONEY,
    ),
    **dict.fromkeys(["closed_on", "cancelled_on", "expires_on", "until"], pa.date32()),
    **dict.fromkeys(["days_past_due", "cycles_past_due", "points"], pa.int64()),
    **dict.fromkeys(["card_id", "line_id", "stage", "grade", "reasons", "blocked"], pa.string()),
}


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(threads=1, scratch=tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="session")
def table(engine: Engine) -> Callable[..., Any]:
    """A table from rows written as keyword arguments; amounts are texts or whole numbers."""

    def make(*rows: dict[str, Any], **types: Any) -> Any:
        names = list(dict.fromkeys(name for row in rows for name in row))
        known = TYPES | types
        arrays = {
            name: pa.array([_value(row.get(name), known.get(name)) for row in rows], known.get(name)) for name in names
        }
        return engine.table(pa.table(arrays))

    return make


def _value(value: Any, type: Any) -> Any:
    if type is MONEY and value is not None:
        return Decimal(str(value)).quantize(Decimal("0.01"))
    return value


@pytest.fixture(scope="session")
def book(table: Callable[..., Any]) -> Callable[..., Book]:
    """A book from lists of rows by table name; `profile` rows make the account profile."""

    def make(
        as_of: date, *, profile: list[dict[str, Any]] | None = None, since: date | None = None, **rows: Any
    ) -> Book:
        tables = {name: table(*given) for name, given in rows.items()}
        return Book(
            as_of,
            tables,
            accounts=table(*profile) if profile else None,
            first_days={"transaction": since} if since else {},
        )

    return make
