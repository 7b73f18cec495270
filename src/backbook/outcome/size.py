"""How large the book is: accounts, customers, what they owe, how much of their limits they use, and where.

Limits are summed over lines, never over accounts: accounts that share a limit have it once. An overpaid account
uses nothing of its limit, it does not lend its surplus to the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import ibis

from backbook.engine import Engine
from backbook.outcome.figures import Figure, Grid, Text, needs
from backbook.outcome.position import Book

# Fewer than ten people may be recognised in a table by branch.
SMALL_CELL = 10
SHOWN_GROUPS = 20

UTILISATION_BANDS = (("0", 0.0), ("0–30%", 0.3), ("30–50%", 0.5), ("50–80%", 0.8), ("80–100%", 1.0))


def counts(engine: Engine, book: Book, accounts: Any) -> list[Figure]:
    """Accounts, open accounts, balance owed, and customers by identity where it is known, else by party record."""
    row = engine.rows(
        accounts.aggregate(
            accounts=accounts.count(),
            open=accounts.is_open.sum(),
            known=accounts.total_balance.count(),
            balance=accounts.total_balance.clip(lower=0).sum(where=accounts.in_book),
        )
    )[0]
    missing = None if row["known"] else needs("balance")
    return [
        Figure("accounts", book.as_of, "account", row["accounts"], form="count"),
        Figure("open_accounts", book.as_of, "account", row["open"] or 0, form="count"),
        customers(engine, book, accounts),
        Figure("balance", book.as_of, "balance", None if missing else row["balance"] or 0, form="money", needs=missing),
    ]


def customers(engine: Engine, book: Book, accounts: Any) -> Figure:
    """People with an account; where identity is not known yet, party records."""
    known = accounts.filter(accounts.customer_id.notnull())
    number = engine.rows(known.aggregate(customers=known.customer_id.nunique()))[0]["customers"]
    if number:
        return Figure("customers", book.as_of, "customer", number, form="count")
    table = book.table("account")
    if table is None or not {"system", "party_id"} <= set(table.columns):
        return Figure("customers", book.as_of, "customer", None, form="count", needs=needs("party_id"))
    records = engine.count(table.select("system", "party_id").distinct())
    note = Text("按来源系统的客户记录计", "counted as customer records of the source systems")
    return Figure("customers", book.as_of, "customer", records, form="count", note=note)


def lines(accounts: Any) -> Any:
    """Open accounts of known balance and limit, by line: balance, credit_limit (once a line)."""
    known = accounts.filter(accounts.is_open, accounts.total_balance.notnull(), accounts.credit_limit.notnull())
    line = ibis.coalesce(ibis.literal("line ") + known.line_id, ibis.literal("account ") + known.account_id)
    return known.group_by(line=line).agg(
        balance=known.total_balance.clip(lower=0).sum(), credit_limit=known.credit_limit.max()
    )


def utilisation(engine: Engine, book: Book, accounts: Any) -> tuple[list[Figure], Grid]:
    """Σ balance / Σ limit of the open lines, the limits themselves, and lines by how much they use."""
    by_line = lines(accounts)
    row = engine.rows(
        by_line.aggregate(lines=by_line.count(), balance=by_line.balance.sum(), limit=by_line.credit_limit.sum())
    )[0]
    if not row["lines"] or not row["limit"]:
        why = needs("credit_limit", "balance")
        return [
            Figure("limits", book.as_of, "balance", None, form="money", needs=why),
            Figure("utilisation", book.as_of, "balance", None, needs=why),
        ], Grid("utilisation", needs=why)
    return [
        Figure("limits", book.as_of, "balance", row["limit"], form="money"),
        Figure("utilisation", book.as_of, "balance", row["balance"], row["limit"]),
    ], _bands(engine, by_line)


def _bands(engine: Engine, by_line: Any) -> Grid:
    used = by_line.filter(by_line.credit_limit > 0)
    limit = used.credit_limit
    # Compared by products, so that exactly 30 % falls into the lower band whatever the digits.
    steps = [
        (used.balance <= limit * Decimal(str(upper)), number) for number, (_, upper) in enumerate(UTILISATION_BANDS)
    ]
    band = ibis.cases(*steps, else_=len(UTILISATION_BANDS))
    counted = used.group_by(band=band).agg(lines=used.count(), balance=used.balance.sum())
    found = {row["band"]: row for row in engine.rows(counted)}
    names = [*(name for name, _ in UTILISATION_BANDS), "> 100%"]
    empty = {"lines": 0, "balance": Decimal(0)}
    return Grid("utilisation", tuple({**empty, **found.get(n, {}), "band": name} for n, name in enumerate(names)))


def by_group(engine: Engine, accounts: Any, column: str, *, source: str, uses: Any = None) -> Grid:
    """The book by branch or product: accounts, balance, late accounts and their share; small cells are closed.

    Groups under ten accounts go together into one row; a count of 1 to 9 late accounts is not shown.
    """
    inside = accounts.filter(accounts.in_book, accounts[column].notnull())
    counted = inside.group_by(group=inside[column]).agg(
        accounts=inside.count(),
        balance=inside.total_balance.clip(lower=0).sum(),
        known=inside.bucket.count(),
        late=(inside.bucket >= 2).sum(),
    )
    rows = engine.rows(counted.order_by([ibis.desc("accounts"), "group"]))
    if not rows:
        return Grid(f"by_{column}", needs=needs(source))
    return Grid(f"by_{column}", tuple(_closed(row) for row in together(rows)))


def together(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The large groups, and one row of all others that is itself not small.

    >>> [(row["group"], row["accounts"]) for row in together([
    ...     {"group": "A", "accounts": 90}, {"group": "B", "accounts": 12}, {"group": "C", "accounts": 3}])]
    [('A', 90), (None, 15)]
    """
    shown = [dict(row) for row in rows if row["accounts"] >= SMALL_CELL][:SHOWN_GROUPS]
    rest = [dict(row) for row in rows if row not in shown]
    while rest and sum(row["accounts"] for row in rest) < SMALL_CELL and shown:
        rest.insert(0, shown.pop())
    if not rest:
        return shown
    names = [name for name in rest[0] if name != "group"]
    return [*shown, {"group": None, **{name: _total(row[name] for row in rest) for name in names}}]


def _total(values: Any) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _closed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without the cells that would show few people; what is closed is named in `closed`."""
    late, known = row["late"] or 0, row["known"] or 0
    hidden: tuple[str, ...] = ()
    if row["accounts"] < SMALL_CELL:
        hidden = ("accounts", "balance", "late", "late_share")
    elif 0 < late < SMALL_CELL:
        hidden = ("late", "late_share")
    values = {
        "group": row["group"],
        "accounts": row["accounts"],
        "balance": row["balance"],
        "late": late if known else None,
        "late_share": late / known if known else None,
    }
    return {**values, **{name: None for name in hidden}, "closed": hidden}


def segment_sizes(
    engine: Engine, profile: Any, column: str, levels: Mapping[str, Text], *, last_profile: Any = None
) -> Grid:
    """How many units are in each level of a segment, now and a month ago; the units without one at the end."""
    now, before = _sizes(engine, profile, column), _sizes(engine, last_profile, column)
    order = [*levels, *sorted(set(now) - set(levels) - {None})]
    order += [None] if None in now else []  # type: ignore[list-item]
    total = sum(now.values())
    rows = tuple(
        {
            "level": levels.get(code, Text(code, code)) if code is not None else None,
            "code": code,
            "units": now.get(code, 0),
            "share": now.get(code, 0) / total if total else None,
            "before": before.get(code, 0) if before else None,
        }
        for code in order
    )
    return Grid(f"segment.{column}", rows)


def _sizes(engine: Engine, profile: Any, column: str) -> dict[str, int]:
    if profile is None or column not in profile.columns:
        return {}
    level = profile[column].cast("string")
    return {row["level"]: row["units"] for row in engine.rows(profile.group_by(level=level).agg(units=profile.count()))}
