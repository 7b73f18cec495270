"""Ties between customers: a household, a referral, a card lent, a phone, an address or a device that two share, money sent.

A tie is one row for each of the two it ties. What the bank tells stands in `relation`; a supplementary card ties its
holder to the debtor; a phone, an address or a device ties those who share it, as long as they are few. A thing that
many share is an office, a shop's phone or an agent's device: it ties nobody, and is told as crowded instead. Customers
whom close ties connect are a group, up to a size beyond which no family is; what chains more of them together is cut
at its weakest ties first, and what still hangs together then is no group but something to look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from backbook.customer.identity.people import people
from backbook.customer.reader import Reader
from backbook.engine import Engine
from backbook.expressions import Level, Type
from backbook.expressions.nodes import Node
from backbook.sources.table import Column, Table

HOUSEHOLD, SUPPLEMENTARY, REFERRAL, TRANSFER = "household", "supplementary", "referral", "transfer"
PHONE, ADDRESS, DEVICE = "shared_phone", "shared_address", "shared_device"
KINDS = (
    Level(HOUSEHOLD, "同户", "Household"),
    Level(SUPPLEMENTARY, "主附卡", "Supplementary card"),
    Level(PHONE, "同电话", "Shared phone"),
    Level(DEVICE, "同设备", "Shared device"),
    Level(ADDRESS, "同地址", "Shared address"),
    Level(REFERRAL, "推荐", "Referral"),
    Level(TRANSFER, "转账", "Transfer"),
)
# Who shares a thing is tied to the others by it only if they are no more than so many customers: a phone that both
# parents gave for themselves and for two children; three generations under one roof; a tablet in a family.
MOST_HOLDERS = {PHONE: 4, ADDRESS: 6, DEVICE: 4}
# A device is lent, sold and handed on: half a year sees those who open the app rarely, and not the owner before.
DEVICE_DAYS = 180
# Close ties make groups. The lower, the stronger: what the bank was told, then what is carried in the pocket, then
# the device at home, then the house, which strangers share first.
STRENGTH = {HOUSEHOLD: 0, SUPPLEMENTARY: 0, PHONE: 1, DEVICE: 2, ADDRESS: 3}
# Grandparents, their children and grandchildren with those they married: more than thirty are no family.
MOST_IN_GROUP = 30
OUT, IN, BOTH_WAYS = "out", "in", "both"
DIRECTED = (REFERRAL, SUPPLEMENTARY, TRANSFER)

_CUSTOMER = Column("customer_id", Type.TEXT, "客户编号", "Customer", required=True)
_OTHER = Column("other_customer_id", Type.TEXT, "对方客户编号", "The other customer", required=True)
_KIND = Column("kind", Type.TEXT, "关系种类", "Kind", required=True, levels=KINDS)
_WAYS = (Level(OUT, "发起", "Made it"), Level(IN, "接受", "Received it"), Level(BOTH_WAYS, "双方", "Both alike"))
_THINGS = tuple(level for level in KINDS if level.code in MOST_HOLDERS)

TIE = Table(
    "tie", "客户关系", "Tie", "客户与另一客户的一种关系", "customer, another customer, and what ties them", "history",
    ("customer_id", "other_customer_id", "kind", "way"), "since",
    (
        _CUSTOMER, _OTHER, _KIND,
        Column("way", Type.TEXT, "方向", "Way", required=True, levels=_WAYS),
        Column("since", Type.DATE, "起始日", "Since"),
        Column("until", Type.DATE, "终止日", "Until"),
        Column("holders", Type.WHOLE, "共用人数", "Customers who share it"),
    ),
)  # fmt: skip
SHARING = Table(
    "sharing", "共用", "Sharing", "客户与他人共用的一个电话、地址或设备", "customer, and a phone, address or device shared with others",
    "history", ("customer_id", "kind", "thing"), "since",
    (
        _CUSTOMER,
        Column("kind", Type.TEXT, "关系种类", "Kind", required=True, levels=_THINGS),
        Column("thing", Type.WHOLE, "共用物序号", "Number of the thing", required=True),
        Column("since", Type.DATE, "起始日", "Since"),
        Column("holders", Type.WHOLE, "共用人数", "Customers who share it", required=True),
        Column("is_crowded", Type.YESNO, "过度共用", "Too many share it", required=True),
    ),
)  # fmt: skip
MEMBER = Table(
    "member", "群组成员", "Member", "客户及其关系群组的一位成员（含本人）", "customer, and a member of the customer's group, who is one too",
    "history", ("customer_id", "other_customer_id"), None,
    (_CUSTOMER, _OTHER, Column("is_self", Type.YESNO, "是否本人", "Is the customer", required=True)),
)  # fmt: skip
# What features may be measured over, besides the tables of the contract; and which of these it is made of.
ROWS: Mapping[str, Table] = {table.name: table for table in (TIE, SHARING, MEMBER)}
MADE_OF = {
    "tie": ("relation", "account", "card", "event", "party"),
    "sharing": ("event", "party"),
    "member": ("relation", "account", "card", "event", "party"),
}
# What the lake keeps of them is ordered by.
ORDER = ("customer_id", "other_customer_id", "kind", "way", "thing")
# A feature over ties reads the profile of the other customer as `other.x`.
OTHER = "other."
_NEEDS = {
    HOUSEHOLD: "`relation` with household", REFERRAL: "`relation` with referral", TRANSFER: "`relation` with transfer",
    SUPPLEMENTARY: "`card.is_supplementary` with its holder", PHONE: "`party.phone`", ADDRESS: "`party.address`",
    DEVICE: "`event.device_id` with its user, %s days",
}  # fmt: skip


@dataclass(frozen=True)
class Ties:
    """The ties of a book on a day.

    - `tie`: customer_id, other_customer_id, kind, way, since, until, holders; a row for each of the two.
    - `sharing`: customer_id, kind, thing (its number among those of its kind), since, holders, is_crowded.
    - `group`: customer_id, group_id (the least customer_id), size, degree (customers closely tied), is_too_large.
    - `member`: customer_id, other_customer_id, is_self; each pair within a group, groups too large excepted.
    - `unknown`: kind, rows; relations that name a record which nobody knows.
    """

    tie: Any
    sharing: Any
    group: Any
    member: Any
    unknown: Any

    @property
    def crowd(self) -> Any:
        """customer_id, kind, thing, holders: what too many share, which ties nobody."""
        crowded = self.sharing.filter(self.sharing.is_crowded)
        return crowded.select("customer_id", "kind", "thing", "holders")

    def rows(self, table: str) -> Any:
        """The rows that a feature over `table` is measured over."""
        return getattr(self, table)


def ties(reader: Reader, as_of: date, parties: Any | None = None) -> Ties:
    """The ties known at `as_of` among all customers.

    `parties` (system, party_id, customer_id) says whose records these are, by default the identity that the reader
    goes by. They must be all: who shares an address with whom cannot be told from a part of the book.
    """
    keep = reader.engine.cached
    known = keep((people(reader, as_of) if parties is None else parties).select("system", "party_id", "customer_id"))
    shared = keep(_shared(reader, as_of, known))
    told = _told(reader, as_of, known)
    found = [_between(shared), _lent(reader, as_of, known)]
    if told is not None:
        told = keep(told)
        found.append(_both_ways(told))
    rows = reduce(lambda one, other: one.union(other), [each for each in found if each is not None])
    # A tie of one with himself is none; a tie of nobody known is unlike and like nobody, and goes too.
    tie = keep(_once(rows.filter(rows.customer_id != rows.other_customer_id)))
    group = _groups(reader.engine, tie)
    return Ties(tie, shared.drop("key"), group, _members(group), _unknown(reader.engine, told))


def summary(engine: Engine, found: Ties) -> dict[str, Any]:
    """How many ties of each kind (a tie of two counts once), groups, what is crowded, and relations of nobody known."""
    tie, group, crowd = found.tie, found.group, found.crowd
    once = tie.filter((tie.way == OUT) | ((tie.way == BOTH_WAYS) & (tie.customer_id < tie.other_customer_id)))
    heads = group.filter(group.customer_id == group.group_id)
    things = crowd.select("kind", "thing", "holders").distinct()
    groups = heads.group_by("is_too_large").agg(groups=heads.count(), largest=heads["size"].max())
    counted = {row["is_too_large"]: row for row in engine.rows(groups)}
    real = counted.get(False, {"groups": 0, "largest": 0})
    return {
        "kinds": _by_kind(engine, once.group_by("kind").agg(rows=once.count())),
        "groups": real["groups"],
        "largest_group": real["largest"],
        "too_large": counted.get(True, {"groups": 0})["groups"],
        "crowded": _by_kind(engine, things.group_by("kind").agg(rows=things.count())),
        "unknown": _by_kind(engine, found.unknown),
    }


def _by_kind(engine: Engine, counted: Any) -> dict[str, int]:
    rows = {row["kind"]: row["rows"] for row in engine.rows(counted)}
    return {level.code: rows[level.code] for level in KINDS if level.code in rows}


# ── where ties come from ────────────────────────────────────────────────────────────────────────────────────


def _shared(reader: Reader, as_of: date, parties: Any) -> Any:
    """Who shares what: customer_id, kind, key (a keyed hash, or the device), since, thing, holders, is_crowded."""
    held = [each for each in (*_of_records(reader, as_of), _of_devices(reader, as_of)) if each is not None]
    if not held:
        columns = {"customer_id": pa.string(), "kind": pa.string(), "key": pa.string(), "since": pa.date32(),
                   "holders": pa.int64(), "is_crowded": pa.bool_(), "thing": pa.int64()}  # fmt: skip
        return reader.engine.table(pa.schema(list(columns.items())).empty_table())
    rows = reduce(lambda one, other: one.union(other), held).join(parties, ["system", "party_id"])
    each = rows.group_by(["customer_id", "kind", "key"]).agg(since=rows.since.min())
    counted = each.group_by(["kind", "key"]).agg(holders=each.count())
    counted = counted.filter(counted.holders > 1)
    largest_first = ibis.window(group_by="kind", order_by=[ibis.desc("holders"), "key"])
    many = ibis.cases(*((counted.kind == kind, most) for kind, most in MOST_HOLDERS.items()), else_=0)
    counted = counted.mutate(
        is_crowded=counted.holders > many, thing=(ibis.row_number().over(largest_first) + 1).cast("int64")
    )
    return each.join(counted, ["kind", "key"])


def _of_records(reader: Reader, as_of: date) -> list[Any]:
    """system, party_id, kind, key, since of phones and addresses. Since when two have had the same is not told."""
    rows = reader.rows("party", as_of)
    columns = {PHONE: "phone_hash", ADDRESS: "address_hash"}
    return [
        rows.filter(rows[column].notnull()).select(
            "system", "party_id", kind=ibis.literal(kind), key=rows[column], since=ibis.null("date")
        )
        for kind, column in columns.items()
        if rows is not None and column in rows.columns
    ]


def _of_devices(reader: Reader, as_of: date) -> Any | None:
    """The same of the devices on which each record was seen of late."""
    rows = reader.rows("event", as_of)
    if rows is None:
        return None
    day = rows["at"].date()
    seen = rows.filter(day > ibis.literal(as_of - timedelta(days=DEVICE_DAYS)), rows.device_id.notnull(),
                       rows.system.notnull(), rows.party_id.notnull())  # fmt: skip
    return seen.group_by(["system", "party_id", "device_id"]).agg(since=seen["at"].date().min()).select(
        "system", "party_id", kind=ibis.literal(DEVICE), key="device_id", since="since"
    )  # fmt: skip


def _between(shared: Any) -> Any:
    """Ties of those who share a thing with few; it began when the second of the two came."""
    few = shared.filter(~shared.is_crowded)
    mine = few.select("kind", "key", "holders", "customer_id", mine="since")
    theirs = few.select("kind", "key", other_customer_id="customer_id", theirs="since")
    both = mine.join(theirs, ["kind", "key"])
    return both.select(
        "customer_id", "other_customer_id", "kind", way=ibis.literal(BOTH_WAYS),
        since=ibis.greatest(both.mine, both.theirs), until=ibis.null("date"), holders="holders",
    )  # fmt: skip


def _told(reader: Reader, as_of: date, parties: Any) -> Any | None:
    """What `relation` tells and has not ended, the first made by `party_id`; null for a record that nobody knows."""
    rows = reader.rows("relation", as_of)
    if rows is None:
        return None
    rows = rows.filter(rows.until.isnull() | (rows.until > ibis.literal(as_of)))
    one = parties.select(_system="system", _party="party_id", _one="customer_id")
    rows = rows.left_join(one, [rows.system == one["_system"], rows.party_id == one["_party"]]).drop(
        "_system", "_party"
    )
    other = parties.select(_system="system", _party="party_id", _other="customer_id")
    rows = rows.left_join(other, [rows.system == other["_system"], rows.other_party_id == other["_party"]])
    return rows.select("kind", "since", "until", customer_id="_one", other_customer_id="_other")


def _lent(reader: Reader, as_of: date, parties: Any) -> Any | None:
    """Supplementary cards in force: the debtor gave it, the holder received it."""
    card, account = reader.rows("card", as_of), reader.rows("account", as_of)
    if card is None or account is None or not {"is_supplementary", "system", "party_id"} <= set(card.columns):
        return None
    in_force = card.filter(
        card.is_supplementary,
        card.cancelled_on.isnull() | (card.cancelled_on > ibis.literal(as_of)),
        card.expires_on.isnull() | (card.expires_on >= ibis.literal(as_of)),
    )
    held = in_force.join(parties, ["system", "party_id"]).select("account_id", "issued_on", other="customer_id")
    owned = account.join(parties, ["system", "party_id"]).select("account_id", "customer_id")
    both = held.join(owned, "account_id")
    return _both_ways(
        both.select("customer_id", other_customer_id="other", kind=ibis.literal(SUPPLEMENTARY), since="issued_on",
                    until=ibis.null("date"))
    )  # fmt: skip


def _both_ways(made: Any) -> Any:
    """Each tie as a row of both: who made it has it out, who received it in."""
    directed = made.kind.isin(DIRECTED)
    columns = {"kind": made.kind, "since": made.since, "until": made.until, "holders": ibis.null("int64")}
    there = made.select(
        "customer_id", "other_customer_id", kind="kind", way=directed.ifelse(OUT, BOTH_WAYS),
        **{name: columns[name] for name in ("since", "until", "holders")},
    )  # fmt: skip
    back = made.select(
        customer_id="other_customer_id", other_customer_id="customer_id", kind="kind",
        way=directed.ifelse(IN, BOTH_WAYS), **{name: columns[name] for name in ("since", "until", "holders")},
    )  # fmt: skip
    return there.union(back)


def _once(rows: Any) -> Any:
    """One row for each kind and way of two customers, however often and by whomever it was told."""
    open_ended = rows.until.isnull().any()
    return rows.group_by(["customer_id", "other_customer_id", "kind", "way"]).agg(
        since=rows.since.min(),
        until=open_ended.ifelse(ibis.null("date"), rows.until.max()),
        holders=rows.holders.min(),
    )


def _unknown(engine: Engine, told: Any | None) -> Any:
    if told is None:
        return engine.table(pa.table({"kind": pa.array([], pa.string()), "rows": pa.array([], pa.int64())}))
    lost = told.filter(told.customer_id.isnull() | told.other_customer_id.isnull())
    return engine.cached(lost.group_by("kind").agg(rows=lost.count()))


# ── groups ──────────────────────────────────────────────────────────────────────────────────────────────────


def _groups(engine: Engine, tie: Any) -> Any:
    """Customers whom close ties connect: see `Ties.group`."""
    close = tie.filter(tie.kind.isin(tuple(STRENGTH)), tie.customer_id < tie.other_customer_id)
    strength = ibis.cases(*((close.kind == kind, ibis.literal(place, "int8")) for kind, place in STRENGTH.items()))
    pairs = engine.cached(
        close.group_by(["customer_id", "other_customer_id"]).agg(strength=strength.cast("int8").min())
    )
    ends = pairs.select("customer_id").union(pairs.select(customer_id="other_customer_id"), distinct=True)
    names = engine.arrow(ends.order_by("customer_id"))["customer_id"].combine_chunks()
    numbered = engine.table(pa.table({"name": names, "number": pa.array(np.arange(len(names)), pa.int64())}))
    left = numbered.select(customer_id="name", a="number")
    right = numbered.select(other_customer_id="name", b="number")
    edges = engine.arrow(pairs.join(left, "customer_id").join(right, "other_customer_id").select("a", "b", "strength"))
    a, b, strong = (edges[name].to_numpy() for name in ("a", "b", "strength"))
    first, size, too_large = parted(a, b, strong, len(names))
    degree = np.bincount(a, minlength=len(names)) + np.bincount(b, minlength=len(names))
    inside = size > 1
    return engine.table(
        pa.table(
            {
                "customer_id": names.filter(pa.array(inside)),
                "group_id": names.take(pa.array(first[inside])),
                "size": pa.array(size[inside], pa.int64()),
                "degree": pa.array(degree[inside], pa.int64()),
                "is_too_large": pa.array(too_large[inside]),
            }
        )
    )


def parted(
    a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], strength: np.ndarray[Any, Any], n: int, most: int = MOST_IN_GROUP
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(first member, size, whether it is too large) of the group of each of n customers, under edges a-b.

    A component of more than `most` is taken apart at its weakest edges, kind after kind, until its parts are small
    enough; parts that the strongest edges alone hold together are too large. One alone is a group of one.

    >>> a, b = np.array([0, 1, 2]), np.array([1, 2, 3])
    >>> [each.tolist() for each in parted(a, b, np.array([0, 3, 0]), 4, most=2)]
    [[0, 0, 2, 2], [2, 2, 2, 2], [False, False, False, False]]
    """
    # Imported here: only identity and this need it, and it takes its time.
    from backbook.customer.identity.grouping import connected

    first, size, still = np.arange(n), np.ones(n, np.int64), np.ones(n, bool)
    for weakest in sorted(set(STRENGTH.values()), reverse=True):
        holds = (strength <= weakest) & still[a] & still[b]
        part = connected(a[holds], b[holds], n)
        _, starts, place, count = np.unique(part, return_index=True, return_inverse=True, return_counts=True)
        first[still], size[still] = starts[place][still], count[place][still]
        still = still & (size > most)
        if not still.any():
            break
    return first, size, still


def _members(group: Any) -> Any:
    real = group.filter(~group.is_too_large)
    mine, theirs = real.select("group_id", "customer_id"), real.select("group_id", other_customer_id="customer_id")
    both = mine.join(theirs, "group_id")
    return both.select("customer_id", "other_customer_id", is_self=both.customer_id == both.other_customer_id)


# ── what can be known ───────────────────────────────────────────────────────────────────────────────────────


def known_kinds(reader: Reader, as_of: date) -> dict[str, frozenset[str]]:
    """The kinds that the bank's data can tell at `as_of`, by table; of the others nobody knows that there are none."""
    things = _known_things(reader, as_of)
    told = reader.rows("relation", date.max) if reader.has("relation") else None
    kinds = {row["kind"] for row in reader.engine.rows(told.select("kind").distinct())} if told is not None else set()
    if _delivers(reader, "card", "is_supplementary", "party_id") and reader.has("account"):
        kinds.add(SUPPLEMENTARY)
    of_ties = frozenset(kinds | things)
    return {"tie": of_ties, "member": of_ties, "sharing": frozenset(things)}


def _known_things(reader: Reader, as_of: date) -> set[str]:
    found = set()
    for kind, column in ((PHONE, "phone_hash"), (ADDRESS, "address_hash")):
        if _delivers(reader, "party", column) and _begins(reader, "party") <= as_of:
            found.add(kind)
    begins = as_of - timedelta(days=DEVICE_DAYS - 1)
    if _delivers(reader, "event", "device_id", "party_id") and _begins(reader, "event") <= begins:
        found.add(DEVICE)
    return found


def _delivers(reader: Reader, table: str, *columns: str) -> bool:
    return reader.has(table) and set(columns) <= reader.filled(table)


def _begins(reader: Reader, table: str) -> date:
    return reader.first_day(table) or date.min


def needs(table: str, conditions: Sequence[Node], known: Mapping[str, frozenset[str]]) -> str | None:
    """What a feature over ties lacks where the bank's data can tell of no kind that its conditions let through."""
    possible = {"tie": [level.code for level in KINDS], "sharing": list(MOST_HOLDERS), "member": list(STRENGTH)}[table]
    wanted = [kind for kind in possible if all(kind in _let_through(each, possible) for each in conditions)]
    if not wanted or set(wanted) & known[table]:
        return None
    return " or ".join(_NEEDS[kind].replace("%s", str(DEVICE_DAYS)) for kind in wanted)


def _let_through(node: Node, possible: Sequence[str]) -> set[str]:
    """The kinds for which a condition may hold; all of them where it does not plainly say."""
    if node.op == "and":
        return set.intersection(*(_let_through(arg, possible) for arg in node.args))
    if node.op == "or":
        return set.union(*(_let_through(arg, possible) for arg in node.args))
    plain = node.op in ("=", "in") and node.args[0].op == "name" and node.args[0].value == "kind"
    if plain and all(arg.op == "literal" for arg in node.args[1:]):
        return {arg.value for arg in node.args[1:]}
    return set(possible)
