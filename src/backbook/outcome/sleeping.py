"""Long-sleeping cards (长期睡眠卡), counted by card against the line of 20 %.

A card sleeps long when for 18 months in a row it was not used by its holder, and its account neither owes nor is
overpaid (notice of 7 July 2022). At most 20 % of the cards in issue may, at any time; cards with a policy function
do not count at all.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import Any

import ibis

from backbook.engine import Engine
from backbook.outcome.activity import begins_late
from backbook.outcome.figures import Figure, Grid, Text, needs
from backbook.outcome.position import Book, read

SLEEP_MONTHS = 18
ALERTS = (0.15, 0.18, 0.20)
AHEAD_DAYS = (0, 30, 60, 90)

# A share of which more is unknown than a load may reject is not a share.
UNKNOWN_SHARE = 0.01


def latest_start(as_of: date, months: int = SLEEP_MONTHS) -> date:
    """The last day from which `months` whole months have passed at the end of `as_of`.

    A month ends on the day of the same number, or on its last day where it has none (Civil Code, art. 202).

    >>> latest_start(date(2026, 10, 31)), latest_start(date(2026, 2, 28)), latest_start(date(2026, 8, 30))
    (datetime.date(2025, 4, 30), datetime.date(2024, 8, 31), datetime.date(2025, 2, 28))
    """
    number = as_of.year * 12 + as_of.month - 1 - months
    year, month = number // 12, number % 12 + 1
    last_day = monthrange(year, month)[1]
    at_month_end = as_of.day == monthrange(as_of.year, as_of.month)[1]
    return date(year, month, last_day if at_month_end else min(as_of.day, last_day))


def cards_in_issue(book: Book, accounts: Any) -> Any:
    """Cards in issue without the policy cards: card_id, account_id, issued_on, total_balance.

    A card that was cancelled or has expired, and a card of a closed account, is no longer in issue.
    """
    card = book.table("card")
    cancelled = (read(card, "cancelled_on", "date") <= book.as_of).fill_null(False)
    expired = (read(card, "expires_on", "date") < book.as_of).fill_null(False)
    policy = read(card, "is_policy_card", "boolean").fill_null(False)
    out = card.filter(card.issued_on <= book.as_of, ~cancelled, ~expired, ~policy)
    out = out.select(
        card_id=out.card_id.cast("string"), account_id=out.account_id.cast("string"), issued_on=out.issued_on
    )
    joined = out.left_join(accounts.select("account_id", "is_open", "total_balance"), "account_id")
    return joined.filter(joined.is_open.fill_null(True)).select("card_id", "account_id", "issued_on", "total_balance")


def last_use_by_card(cards: Any, uses: Any) -> Any:
    """The cards with `used_on`, null where no use is known. A use that names no card wakes every card of its account."""
    own = uses.filter(uses.card_id.notnull()).group_by("card_id").agg(card_used_on=uses.used_on.max())
    shared = uses.filter(uses.card_id.isnull()).group_by("account_id").agg(account_used_on=uses.used_on.max())
    joined = cards.left_join(own, "card_id").drop("card_id_right").left_join(shared, "account_id")
    used_on = ibis.greatest(joined.card_used_on, joined.account_used_on)
    return joined.select("card_id", "account_id", "issued_on", "total_balance", used_on=used_on)


def asleep(cards: Any, at: date, *, known_from: date) -> Any:
    """Whether each card sleeps long at the end of `at` if nothing happens until then; null where not known."""
    start = latest_start(at)
    idle_since = ibis.coalesce(cards.used_on, cards.issued_on)
    # What lies before the first known day may have been a use.
    unseen = cards.used_on.isnull() & (cards.issued_on < known_from) & (known_from > start)
    idle = ibis.cases((unseen & (cards.issued_on <= start), ibis.null("boolean")), else_=idle_since <= start)
    return idle & (cards.total_balance == 0)


def sleeping(
    engine: Engine, book: Book, accounts: Any, uses: Any, *, known_from: date | None = None
) -> tuple[Figure, Grid]:
    """The share today, and what it becomes in 30, 60 and 90 days if no card is used, issued or cancelled."""
    missing = [name for name in ("card", "transaction") if book.table(name) is None]
    if missing or uses is None:
        return _not_available(book.as_of, needs(*(missing or ["transaction"])))
    if known_from is None:
        return _not_available(book.as_of, begins_late(f"{SLEEP_MONTHS} 个月", f"{SLEEP_MONTHS} months", known_from))
    cards = last_use_by_card(cards_in_issue(book, accounts), uses)
    counts: dict[str, Any] = {}
    for days in AHEAD_DAYS:
        state = asleep(cards, book.as_of + timedelta(days=days), known_from=known_from)
        counts |= {f"asleep_{days}": state.fill_null(False).sum(), f"unknown_{days}": state.isnull().sum()}
    found = engine.rows(cards.aggregate(cards=cards.count(), **counts))[0]
    row = {name: value or 0 for name, value in found.items()}
    if not row["cards"]:
        return _not_available(book.as_of, needs("card"))
    if row["unknown_0"] > UNKNOWN_SHARE * row["cards"]:
        return _not_available(book.as_of, _too_little_known(row["unknown_0"], known_from))
    figure = Figure(
        "sleeping", book.as_of, "card", row["asleep_0"], row["cards"], alerts=ALERTS, note=_note(row["unknown_0"])
    )
    return figure, Grid("sleeping", tuple(_ahead(row, days, book.as_of) for days in AHEAD_DAYS))


def _ahead(row: dict[str, int], days: int, as_of: date) -> dict[str, Any]:
    return {
        "on": (as_of + timedelta(days=days)).isoformat(),
        "ahead_days": days,
        "cards": row["cards"],
        "asleep": row[f"asleep_{days}"],
        "share": row[f"asleep_{days}"] / row["cards"],
    }


def _not_available(as_of: date, why: Text) -> tuple[Figure, Grid]:
    return Figure("sleeping", as_of, "card", None, needs=why, alerts=ALERTS), Grid("sleeping", needs=why)


def _too_little_known(unknown: int, known_from: date) -> Text:
    since = known_from.isoformat()
    return Text(
        f"不可用：{unknown:,} 张卡片无法判断；需要 {SLEEP_MONTHS} 个月的 `transaction`（现自 {since} 起）和每个账户的余额",
        f"not available: {unknown:,} cards cannot be judged; needs {SLEEP_MONTHS} months of `transaction` "
        f"(it begins on {since}) and the balance of each account",
    )


def _note(unknown: int) -> Text | None:
    if not unknown:
        return None
    return Text(
        f"另有 {unknown:,} 张卡片无法判断，未计入。",
        f"{unknown:,} more cards cannot be judged and are not counted as asleep.",
    )
