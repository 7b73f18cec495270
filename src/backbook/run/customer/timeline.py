"""What happened to a customer in the last twelve months, and what they spent and owed month by month."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from backbook.customer.at_hand import OneCustomer
from backbook.customer.evidence import cut, words
from backbook.customer.window import month_start
from backbook.run.customer.words import code, either, text
from backbook.sources.contract import TABLES
from backbook.strategy.definition import CHANNELS

MONTHS = 12
SINCE_DAYS = 365
Row = Mapping[str, Any]
# on, what happened, in words, amount, and whose account it is
Happening = tuple[date | None, str, str, Any, str | None]


def happened(hand: OneCustomer, as_of: date, language: str) -> list[dict[str, Any]]:
    """Everything that happened, the newest first; purchases are told by month."""
    found: list[Happening] = []
    for table, tell in TELLS.items():
        found += [each for row in _rows(hand, table, as_of) for each in tell(row, language)]
    found += _limits(_rows(hand, "limit", as_of), language)
    found += _purchases(_rows(hand, "transaction", as_of), language)
    first = as_of - timedelta(days=SINCE_DAYS)
    lately = [each for each in found if each[0] is not None and first < each[0] <= as_of]
    lately.sort(key=lambda each: (each[0], each[1], each[2]), reverse=True)
    return [
        {"on": on, "kind": kind, "happened": text(f"happened_{kind}", language), "what": what, "amount": amount, "account_id": account}
        for on, kind, what, amount, account in lately
    ]  # fmt: skip


def months(hand: OneCustomer, as_of: date) -> list[dict[str, Any]]:
    """month, spend, purchases and balance of the last twelve calendar months; null where it is not known."""
    spent, first = _rows(hand, "transaction", as_of), hand.first_day("transaction")
    owed = _owed(hand, as_of)
    found = []
    for back in range(MONTHS - 1, -1, -1):
        begin, end = month_start(as_of, -back), month_start(as_of, 1 - back)
        bought = [row for row in spent if row["kind"] == "purchase" and begin <= _day(row["posted_at"]) < end]
        known = first is not None and first <= begin
        found.append({
            "month": f"{begin:%Y-%m}",
            "spend": sum((row["amount"] for row in bought), Decimal(0)) if known else None,
            "purchases": len(bought) if known else None,
            "balance": owed.get(f"{begin:%Y-%m}"),
        })  # fmt: skip
    return found


def _owed(hand: OneCustomer, as_of: date) -> dict[str, Decimal]:
    """What all accounts owed at the last look of each month: snapshots, else statements."""
    for table, on, column in (("balance", "on", "total_balance"), ("statement", "statement_on", "total_balance"),
                              ("statement", "statement_on", "closing_balance")):  # fmt: skip
        last: dict[tuple[str, str], tuple[date, Decimal]] = {}
        for row in _rows(hand, table, as_of):
            if row.get(column) is not None:
                key = (f"{row[on]:%Y-%m}", row["account_id"])
                last[key] = max(last.get(key, (date.min, Decimal(0))), (row[on], row[column]))
        if last:
            found: dict[str, Decimal] = {}
            for (month, _), (_, amount) in last.items():
                found[month] = found.get(month, Decimal(0)) + amount
            return found
    return {}


def _rows(hand: OneCustomer, table: str, as_of: date) -> list[dict[str, Any]]:
    rows = hand.rows(table, as_of)
    return [] if rows is None else hand.engine.rows(rows)


# ── what each table tells ───────────────────────────────────────────────────────────────────────────────────


def _account(row: Row, language: str) -> Iterator[Happening]:
    yield row["opened_on"], "opened", "", row.get("credit_limit"), row["account_id"]
    yield row.get("closed_on"), "closed", cut(row.get("close_reason")) or "", None, row["account_id"]


def _card(row: Row, language: str) -> Iterator[Happening]:
    extra = text("card_supplementary", language) if row.get("is_supplementary") else ""
    for column, kind in (("issued_on", "issued"), ("activated_on", "activated"), ("cancelled_on", "cancelled")):
        yield row.get(column), kind, extra, None, row["account_id"]


def _mark(row: Row, language: str) -> Iterator[Happening]:
    what = _joined(_said("mark", "kind", row, language), row.get("stage"), row.get("result"))
    yield row["since"], "mark", what, row.get("promised_amount"), row.get("account_id")
    yield row.get("until"), "mark_end", what, None, row.get("account_id")


def _feedback(row: Row, language: str) -> Iterator[Happening]:
    value = f"{row['value']:g}" if row.get("value") is not None else None
    state = text("resolved" if row.get("resolved_at") else "open", language) if row["kind"] == "complaint" else None
    what = _joined(_said("feedback", "kind", row, language), cut(row.get("topic")), value, state)
    yield _day(row["at"]), "feedback", what, None, None


def _contact(row: Row, language: str) -> Iterator[Happening]:
    held = text("held_out", language) if row.get("is_control") else code(row.get("status"), language)
    channel = CHANNELS[row["channel"]].text(language) if row["channel"] in CHANNELS else row["channel"]
    what = _joined(
        channel, _said("contact", "purpose", row, language), cut(row.get("offer") or row.get("campaign")), held
    )
    yield _day(row["at"]), "contact", what, None, None


def _response(row: Row, language: str) -> Iterator[Happening]:
    what = _joined(_said("response", "kind", row, language), cut(row.get("offer")))
    yield _day(row["at"]), "response", what, row.get("amount"), None


def _instalment(row: Row, language: str) -> Iterator[Happening]:
    term = text("term", language, n=row["term_months"]) if row.get("term_months") else None
    kind = _said("instalment", "kind", row, language)
    yield row["opened_on"], "instalment", _joined(kind, term), row["principal"], row["account_id"]
    yield row.get("settled_early_on"), "settled", kind, row.get("outstanding"), row["account_id"]


def _benefit(row: Row, language: str) -> Iterator[Happening]:
    yield (
        _day(row["at"]),
        "benefit",
        _joined(cut(row["benefit"]), cut(row.get("partner"))),
        row.get("cost"),
        row["account_id"],
    )


TELLS: Mapping[str, Callable[[Row, str], Iterator[Happening]]] = {
    "account": _account, "card": _card, "mark": _mark, "feedback": _feedback, "contact": _contact, "response": _response,
    "instalment": _instalment, "benefit_use": _benefit,
}  # fmt: skip


def _limits(rows: list[dict[str, Any]], language: str) -> Iterator[Happening]:
    """Each limit after the one before it of the same line and kind."""
    before: dict[tuple[Any, ...], Decimal] = {}
    for row in sorted(rows, key=lambda row: row["valid_from"]):
        key = (row.get("line_id") or row.get("party_id"), row["kind"])
        was = f"{before[key]:,.0f} → {row['amount']:,.0f}" if key in before else None
        what = _joined(
            _said("limit", "kind", row, language),
            was,
            code(row.get("asked_by"), language),
            code(row.get("result"), language),
        )
        yield row["valid_from"], "limit", what, row["amount"], None
        if row.get("result") != "refused":
            before[key] = row["amount"]


def _purchases(rows: list[dict[str, Any]], language: str) -> Iterator[Happening]:
    """One line a month, on the day of its last purchase."""
    by_month: dict[str, list[Row]] = {}
    for row in rows:
        if row["kind"] == "purchase":
            by_month.setdefault(f"{row['posted_at']:%Y-%m}", []).append(row)
    for bought in by_month.values():
        total = sum((row["amount"] for row in bought), Decimal(0))
        yield (
            max(_day(row["posted_at"]) for row in bought),
            "purchases",
            text("times", language, n=len(bought)),
            total,
            None,
        )


def _said(table: str, column: str, row: Row, language: str) -> str:
    return either(words(TABLES[table][column], row.get(column)), language)


def _joined(*parts: Any) -> str:
    return " · ".join(str(part) for part in parts if part not in (None, ""))


def _day(moment: Any) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
