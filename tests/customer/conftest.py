from __future__ import annotations

from collections.abc import Iterator

import pytest

from backbook.engine import Engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    made = Engine(threads=2)
    yield made
    made.close()
