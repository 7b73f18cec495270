"""Business dates: the end of a calendar day in the book's time zone."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

from backbook.errors import NotAllowed

MOST_DATES = 2_000


def month_end(day: date) -> date:
    """
    >>> month_end(date(2024, 2, 5))
    datetime.date(2024, 2, 29)
    """
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def previous_month_end(day: date) -> date:
    """The last day of the month before.

    >>> previous_month_end(date(2026, 10, 31))
    datetime.date(2026, 9, 30)
    """
    return day.replace(day=1) - timedelta(days=1)


def dates(since: date, until: date, every: str = "day") -> list[date]:
    """The business dates from `since` to `until`, both included, oldest first.

    `every` is day, week (steps of seven days from `since`) or month (the month-ends between the two).

    >>> [str(day) for day in dates(date(2026, 8, 31), date(2026, 10, 31), "month")]
    ['2026-08-31', '2026-09-30', '2026-10-31']
    """
    if until < since:
        raise NotAllowed(f"--to {until} lies before --from {since}. Write the earlier date first.")
    if every == "month":
        found = _month_ends(since, until)
    else:
        step = 7 if every == "week" else 1
        found = [since + timedelta(days=days) for days in range(0, (until - since).days + 1, step)]
    if not found:
        raise NotAllowed(f"There is no month-end from {since} to {until}. Use --every day, or name a wider span.")
    if len(found) > MOST_DATES:
        raise NotAllowed(
            f"{len(found):,} dates at once are more than {MOST_DATES:,}. Use --every month, or a shorter span."
        )
    return found


def _month_ends(since: date, until: date) -> list[date]:
    found = []
    day = month_end(since)
    while day <= until:
        found.append(day)
        day = month_end(day + timedelta(days=1))
    return found
