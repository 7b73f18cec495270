"""Days and months as whole numbers: days since 1970-01-01, months since year 0.

Arrays of days stay int64 (`NEVER` is later than anything), so that sums and comparisons are plain arithmetic.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from backbook.simulator.chance import Array

EPOCH = date(1970, 1, 1)
NEVER = 2**31


@dataclass(frozen=True)
class Month:
    """A calendar month: `number` counts months since year 0, `first` and `last` are days."""

    number: int

    @property
    def year(self) -> int:
        return self.number // 12

    @property
    def month(self) -> int:
        return self.number % 12 + 1

    @property
    def length(self) -> int:
        return monthrange(self.year, self.month)[1]

    @property
    def first(self) -> int:
        return number_of(date(self.year, self.month, 1))

    @property
    def last(self) -> int:
        return self.first + self.length - 1

    @property
    def end(self) -> date:
        return date(self.year, self.month, self.length)


def month_of(day: date) -> Month:
    return Month(day.year * 12 + day.month - 1)


def number_of(day: date) -> int:
    return (day - EPOCH).days


def date_of(day: int) -> date:
    return EPOCH + timedelta(days=day)


def months_of(days: Array) -> Array:
    """The month number of each day."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + 1970 * 12


def firsts_of(months: Array) -> Array:
    """The first day of each month number."""
    return (months - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
