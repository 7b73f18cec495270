"""A look at one customer, as of a profile's date: everything here comes from that profile and from rows known by then.

Names are masked; of addresses only the city is told; documents, telephones and card numbers are not read at all. A
customer's wishes hold from the moment they are known: personal tags that are to be deleted are not shown, also where
tonight's run has not taken them out of the profile yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

import ibis
import pyarrow as pa

from backbook.customer.at_hand import OneCustomer
from backbook.customer.definition import ACCOUNT, CUSTOMER
from backbook.customer.identity.golden import GOLDEN
from backbook.customer.identity.people import IDENTITY
from backbook.customer.privacy import WISHES, wishes
from backbook.customer.profile import KEY
from backbook.customer.reader import Reader
from backbook.customer.units import units
from backbook.errors import NotAllowed
from backbook.lake import Head
from backbook.outcome.surroundings import Surroundings, surroundings
from backbook.run import freeze
from backbook.run.customer import judged, timeline
from backbook.run.customer.find import find
from backbook.run.customer.judged import Known
from backbook.run.customer.words import text
from backbook.run.records import latest
from backbook.run.stages import PROFILES
from backbook.sources import private, rulings
from backbook.workspace import Workspace

AT_MOST = 60
PAST_DUE = "is_past_due"
AGE_BAND = 10


@dataclass(frozen=True)
class Customer360:
    """One customer from all sides. `as_of` is the date of the profile, `on` the day for which was asked.

    The lists hold rows for reading, words in `language`; `happened` is how many rows the timeline had before it was cut.
    """

    customer_id: str
    as_of: date
    on: date
    language: str
    currency: str
    who: Mapping[str, Any]
    accounts: list[dict[str, Any]]
    months: list[dict[str, Any]]
    timeline: list[dict[str, Any]]
    happened: int
    tags: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    ties: list[dict[str, Any]]
    surroundings: Surroundings | None
    decisions: list[dict[str, Any]]
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return found | {"surroundings": self.surroundings and vars(self.surroundings)}


def customer(
    workspace: Workspace, id: str, *, as_of: date | None = None, language: str = "zh", at_most: int = AT_MOST
) -> Customer360:
    """What is known of one customer on a day; today when none is named.

    `id` is a customer id, SYSTEM:PARTY_ID, an account id or a customer number. The latest profile not later than the day
    is read; a tag that has outlived its days by then is expired. Raises NotAllowed when nobody, or several, are meant.
    """
    engine, head = workspace.engine, workspace.lake.head()
    on = as_of or datetime.now(workspace.settings.zone).date()
    day = _profile_day(head, on, named=as_of is not None)
    frozen, part = freeze.read(workspace)[0], day.isoformat()
    with engine.scope():
        identity = engine.parquet(head.files(IDENTITY, part=part))
        profile = {grain: engine.parquet(head.files(table, part=part)) for grain, table in PROFILES.items()}
        reader = Reader(engine, head, identity)
        customer_id = find(reader, identity, profile[ACCOUNT], day, id)
        one = engine.table(pa.table({"customer_id": pa.array([customer_id], pa.string())}))
        whose = units(reader, day, only=one)
        hand = OneCustomer(reader, whose)
        rows = {
            grain: engine.rows(table.filter(table.customer_id == customer_id).order_by(KEY[grain]))
            for grain, table in profile.items()
        }
        wished = _wishes(workspace, hand, customer_id)
        age = max(0, (on - day).days)
        known = Known(frozen, hand, day, age, language, rows, "tags_deleted" in wished)
        tied = _ties(workspace, known, customer_id)
        what_happened = timeline.happened(hand, day, language)
        return Customer360(
            customer_id=customer_id,
            as_of=day,
            on=on,
            language=language,
            currency=workspace.settings.currency,
            who=_who(workspace, known, customer_id, wished),
            accounts=_accounts(known),
            months=timeline.months(hand, day),
            timeline=what_happened[:at_most],
            happened=len(what_happened),
            tags=judged.tags(known),
            segments=judged.segments(known),
            scores=judged.scores(known),
            ties=tied,
            surroundings=_surroundings(hand, profile[CUSTOMER], day, customer_id) if tied else None,
            decisions=judged.decisions(known, customer_id),
            notes=_notes(workspace, known),
        )


def _profile_day(head: Head, on: date, *, named: bool) -> date:
    manifest = head.manifest(PROFILES[CUSTOMER])
    days = [date.fromisoformat(part) for part in manifest.parts()] if manifest else []
    before = [day for day in days if day <= on]
    # A made-up book may lie in the future; only who asks for a day is told that there is nothing yet.
    if not before and (named or not days):
        possible = f" Days: {', '.join(map(str, days[:5]))}." if days else ""
        raise NotAllowed(
            f"There is no profile for {on} or before. Run `backbook run DIR --as-of DATE` first.{possible}"
        )
    return max(before or days)


def _wishes(workspace: Workspace, hand: OneCustomer, customer_id: str) -> list[str]:
    """What the customer asked of us: as loaded, and as ruled here since."""
    told = hand.engine.rows(wishes(hand, hand.whose.parties))
    found = {wish for row in told for wish in WISHES.values() if row["customer_id"] == customer_id and row[wish]}
    names = {customer_id, *(f"{system}:{party}" for system, party in hand.records)}
    for ruling in rulings.written(workspace):
        if ruling.kind in WISHES and names & {name for side in rulings.sides(ruling.subject) for name in side}:
            found.add(WISHES[ruling.kind])
    return sorted(found)


# ── who they are ────────────────────────────────────────────────────────────────────────────────────────────


def _who(workspace: Workspace, known: Known, customer_id: str, wished: list[str]) -> dict[str, Any]:
    hand, engine, day = known.hand, known.hand.engine, known.as_of
    party = hand.rows("party", day)
    records = {f"{row['system']}:{row['party_id']}": row for row in engine.rows(party)} if party is not None else {}
    names = private.masked_names(engine, hand.head, workspace.key, day, parties=hand.whose.parties)
    masked = (
        {f"{row['system']}:{row['party_id']}": row["full_name"] for row in names.to_pylist()}
        if names is not None
        else {}
    )
    believed = _believed(hand, customer_id, day)
    since = engine.rows(
        hand.whose.parties.select("system", "party_id", "since").order_by(["since", "system", "party_id"])
    )

    def told(column: str) -> Any:
        rows = [records[believed[column]]] if believed.get(column) in records else []
        rows += sorted(records.values(), key=lambda row: row["known_on"] or date.min, reverse=True)
        return next((row[column] for row in rows if row.get(column) is not None), None)

    name = masked.get(believed.get("full_name", "")) or next((each for each in masked.values() if each), None)
    place = _assigned(hand, day)
    dates = [row["since"] for row in since if row["since"] is not None]
    return {
        "name": name,
        "age_band": _age_band(told("birth_date"), day),
        "city": told("city"),
        "customer_no": told("customer_no"),
        "branch": place.get("branch"),
        "manager": place.get("manager"),
        "since": min(dates, default=None),
        "records": [
            {"system": row["system"], "party_id": row["party_id"], "since": row["since"], "name": masked.get(f"{row['system']}:{row['party_id']}")}
            for row in since
        ],
        "wishes": [{"wish": wish, "text": text(wish, known.language)} for wish in wished],
    }  # fmt: skip


def _ties(workspace: Workspace, known: Known, customer_id: str) -> list[dict[str, Any]]:
    """Who is tied to them, each with the masked name of the record that stands for them."""
    found, hand = judged.ties(known, customer_id), known.hand
    if not found:
        return []
    assert hand.who is not None, "a look goes by the identity of its day"
    others = hand.engine.table(pa.table({"customer_id": sorted({row["customer_id"] for row in found})}))
    records = hand.who.semi_join(others, "customer_id").select("system", "party_id", "customer_id")
    owner = {(row["system"], row["party_id"]): row["customer_id"] for row in hand.engine.rows(records)}
    masked = private.masked_names(hand.engine, hand.head, workspace.key, known.as_of, parties=records)
    rows = masked.to_pylist() if masked is not None else []
    names = {owner[row["system"], row["party_id"]]: row["full_name"] for row in rows if row["full_name"]}
    return [{**row, "name": names.get(row["customer_id"])} for row in found]


def _surroundings(hand: OneCustomer, profile: Any, day: date, customer_id: str) -> Surroundings:
    """Who is around them; a profile that does not tell who is past due leaves that open."""
    tie = hand.engine.parquet(hand.head.files("tie", part=day.isoformat()))
    if PAST_DUE not in profile.columns:
        profile = profile.mutate(**{PAST_DUE: ibis.null("boolean")})
    return surroundings(hand.engine, tie, profile, customer_id, past_due=PAST_DUE)


def _believed(hand: OneCustomer, customer_id: str, day: date) -> dict[str, str]:
    """field → the record whose word counts for it, by the golden record."""
    files = hand.head.files(GOLDEN, part=day.isoformat())
    if not files:
        return {}
    golden = hand.engine.parquet(files)
    rows = hand.engine.rows(golden.filter(golden.customer_id == customer_id))
    return {
        key.removesuffix("_from"): value
        for row in rows
        for key, value in row.items()
        if key.endswith("_from") and value
    }


def _assigned(hand: OneCustomer, day: date) -> Mapping[str, Any]:
    rows = hand.rows("assignment", day)
    listed = hand.engine.rows(rows) if rows is not None else []
    now = [row for row in listed if row["since"] <= day and (row.get("until") is None or row["until"] > day)]
    return max(now, key=lambda row: (row["since"], str(row.get("branch"))), default={})


def _age_band(born: date | None, day: date) -> str | None:
    """
    >>> _age_band(date(1990, 12, 1), date(2026, 10, 31)), _age_band(None, date(2026, 10, 31))
    ('30–39', None)
    """
    if born is None:
        return None
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    least = years // AGE_BAND * AGE_BAND
    return f"{least}–{least + AGE_BAND - 1}"


# ── what they hold ──────────────────────────────────────────────────────────────────────────────────────────


def _accounts(known: Known) -> list[dict[str, Any]]:
    """Each account with its cards; what no feature tells comes from the account's own row."""
    hand, day = known.hand, known.as_of
    own = {row["account_id"]: row for row in _rows(hand, "account", day)}
    products = {row["product_id"]: row.get("name") for row in _rows(hand, "product", day)}
    stages = {row["account_id"]: row["level_name"] for row in judged.segments(known) if row["id"] == "lifecycle"}
    cards = _rows(hand, "card", day)
    found = []
    for row in known.rows[ACCOUNT]:
        id, told = row["account_id"], own.get(row["account_id"], {})
        product = row.get("product_id") or told.get("product_id")
        found.append({
            "account_id": id,
            "product": products.get(product) or product,
            "opened_on": told.get("opened_on"),
            "closed_on": told.get("closed_on"),
            "limit": row.get("credit_limit", told.get("credit_limit")),
            "balance": row.get("total_balance", told.get("balance")),
            "utilisation": row.get("utilisation"),
            "days_past_due": row.get("days_past_due", told.get("days_past_due")),
            "stage": stages.get(id),
            "cards": [_card(card, day, known.language) for card in cards if card["account_id"] == id],
        })  # fmt: skip
    return found


def _card(card: Mapping[str, Any], day: date, language: str) -> dict[str, Any]:
    """A card by its token. When it expires is not told: with the number it would be enough to pay (JR/T 0171, C3)."""
    cancelled = card.get("cancelled_on") is not None and card["cancelled_on"] <= day
    state = (
        "cancelled"
        if cancelled
        else "blocked"
        if card.get("block_code")
        else "active"
        if card.get("activated_on")
        else "new"
    )
    extra = [text("card_supplementary", language)] if card.get("is_supplementary") else []
    return {
        "card": card["card_id"],
        "issued_on": card["issued_on"],
        "state": " · ".join([text(f"card_{state}", language), *extra]),
    }


def _rows(hand: OneCustomer, table: str, day: date) -> list[dict[str, Any]]:
    rows = hand.rows(table, day)
    return [] if rows is None else hand.engine.rows(rows)


def _notes(workspace: Workspace, known: Known) -> list[str]:
    made_by = latest(workspace, known.as_of, "profile")
    notes = [text("aged", known.language, days=known.age_days)] if known.age_days else []
    if made_by is not None and made_by.bundle != known.frozen.bundle.hash:
        notes.append(text("changed", known.language))
    return notes + ([text("deleted", known.language)] if known.tags_deleted else [])
