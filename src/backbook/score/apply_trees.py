"""A forest asked about a book, batch by batch: Arrow in, Arrow out, the same for a million rows and for one.

On Spark the same function goes through `mapInArrow`. What it gives is narrow: the key, the log odds, and the codes of
up to four reasons, those features that moved the row most towards the event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backbook.expressions import Name, Type
from backbook.score.explain import standing_code
from backbook.score.registry import Version
from backbook.score.trees import LOG_ODDS, Forest, encode

Floats = npt.NDArray[np.float64]

# What moves the odds by less than a thousandth is no reason.
LEAST_MOVE = 0.001
# Whether the unit is in the population: a column of every batch; others get neither log odds nor reasons.
INSIDE = "_inside"
TYPES = {
    Type.NUMBER: pa.float64(),
    Type.WHOLE: pa.int64(),
    Type.MONEY: pa.decimal128(18, 2),
    Type.TEXT: pa.string(),
    Type.YESNO: pa.bool_(),
    Type.DATE: pa.date32(),
}
REASONS = tuple(f"reason_{place}" for place in range(1, 5))


def schema(version: Version) -> pa.Schema:
    """The columns that `asked` gives."""
    return pa.schema(
        [(version.key, pa.string()), (LOG_ODDS, pa.float64()), *((reason, pa.string()) for reason in REASONS)]
    )


def one_row(version: Version, row: Mapping[str, Any], inside: bool | None) -> pa.RecordBatch:
    """One row at hand as a batch that `asked` reads."""
    columns = {name.name: pa.array([_plain(name, row[name.name])], TYPES[name.type]) for name in version.columns}
    columns |= {version.key: pa.array([row.get(version.key)], pa.string()), INSIDE: pa.array([inside], pa.bool_())}
    return pa.RecordBatch.from_pydict(columns)


def _plain(name: Name, value: Any) -> Any:
    return float(value) if value is not None and name.type is Type.NUMBER else value


def forest(version: Version) -> Forest:
    """The forest of a version of this method."""
    return Forest.read(version.content["trees"], {name.name: name for name in version.columns})


def asked(version: Version, *, threads: int = 1, reasons: bool = True) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """The function from a batch of the key, `INSIDE` and the version's columns to what the forest says of each row."""
    grown = forest(version)
    codes = pa.array([standing_code(one.name, standing) for one in grown.codings for standing in one.standings])
    first = np.cumsum([0, *(len(one.standings) for one in grown.codings)])[:-1, None]

    def ask(batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = encode(grown.codings, batch, standing=reasons)
        if reasons:
            log_odds, moved = grown.explained(columns, threads=threads)
            places = _strongest(moved, columns.standing + first)
        else:
            log_odds = grown.log_odds(columns, threads=threads)
            places = [np.full(batch.num_rows, -1)] * len(REASONS)
        outside = ~batch[INSIDE].fill_null(False).to_numpy(zero_copy_only=False)
        told = [
            pa.DictionaryArray.from_arrays(pa.array(place, mask=outside | (place < 0)), codes).cast(pa.string())
            for place in places
        ]
        key = batch[version.key].cast(pa.string())
        return pa.RecordBatch.from_arrays([key, pa.array(log_odds, mask=outside), *told], schema=schema(version))

    return ask


def _strongest(moved: Floats, codes: npt.NDArray[Any]) -> list[npt.NDArray[np.int64]]:
    """By reason, the code of each row: of what moved it most towards the event, the first of equals; -1 where nothing did."""
    left, rows = np.ascontiguousarray(moved.T), np.arange(moved.shape[1])
    found = []
    for _ in REASONS:
        feature = left.argmax(axis=1)
        towards = left[rows, feature] > LEAST_MOVE
        found.append(np.where(towards, codes[feature, rows], -1))
        left[rows, feature] = -np.inf
    return found
