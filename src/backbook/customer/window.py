"""Which rows a measure looks at, counted from the date it is made for.

Days are (as_of - n, as_of]. Months are calendar months, as_of's own being the first, so that a month-end sees
n whole ones. Cycle k is the k-th last statement. `next` looks ahead in the same units, after a gap; its months
begin after as_of's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

DAYS, CYCLES, MONTHS, EVER, LATEST = "days", "cycles", "months", "ever", "latest"
POSSIBLE = "Write 'last N days', 'last N cycles', 'last N months', 'ever' or 'latest'."
POSSIBLE_AHEAD = (
    "Write 'next N months' or 'next N days', with ', gap M months' where one is needed; "
    "'last N months' or 'last N days' for what it was before."
)
_WRITTEN = re.compile(r"(last|next) (\d+) (day|cycle|month)s?(?:,? gap (\d+) (day|month)s?)?")


@dataclass(frozen=True)
class Window:
    """A stretch of time relative to a date; `size` and `gap` count `unit`s."""

    unit: str
    size: int = 0
    gap: int = 0
    ahead: bool = False

    def __str__(self) -> str:
        if not self.size:
            return self.unit
        gap = f", gap {_counted(self.gap, self.unit)}" if self.gap else ""
        return f"{'next' if self.ahead else 'last'} {_counted(self.size, self.unit)}{gap}"

    def first(self, as_of: date) -> date | None:
        """The first day of a window in days or months; None when it has none of its own.

        >>> Window("days", 30).first(date(2026, 10, 31))
        datetime.date(2026, 10, 2)
        >>> Window("months", 3).first(date(2026, 10, 15))
        datetime.date(2026, 8, 1)
        """
        if self.unit == DAYS:
            return as_of + timedelta(days=self.gap + 1 if self.ahead else 1 - self.size)
        if self.unit == MONTHS:
            return month_start(as_of, self.gap + 1 if self.ahead else 1 - self.size)
        return None

    def last(self, as_of: date) -> date:
        """The last day of the window; as_of itself when it looks back.

        >>> Window("months", 12, gap=1, ahead=True).last(date(2025, 9, 30))
        datetime.date(2026, 10, 31)
        """
        if not self.ahead:
            return as_of
        if self.unit == DAYS:
            return as_of + timedelta(days=self.gap + self.size)
        return month_start(as_of, self.gap + self.size + 1) - timedelta(days=1)


def read_window(text: str) -> Window | None:
    """The window that `text` says, or nothing when it says none.

    >>> str(read_window("next 12 months, gap 1 month"))
    'next 12 months, gap 1 month'
    """
    text = " ".join(text.split())
    if text in (EVER, LATEST):
        return Window(text)
    found = _WRITTEN.fullmatch(text)
    if not found:
        return None
    way, size, unit, gap, gap_unit = found.groups()
    window = Window(f"{unit}s", int(size), int(gap or 0), ahead=way == "next")
    wrong_gap = gap is not None and (gap_unit != unit or not window.ahead)
    wrong_unit = window.ahead and window.unit == CYCLES
    return None if wrong_gap or wrong_unit or not window.size else window


def month_start(day: date, months: int = 0) -> date:
    """The first day of the calendar month `months` after the month of `day`."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit[:-1]}" if number == 1 else f"{number} {unit}"
