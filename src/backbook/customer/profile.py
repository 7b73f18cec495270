"""What the bank knows of each account and each customer on a given day.

Two tables with a row per account and per customer: features, the bank's own attributes, then whatever reads them
(tags, segments, scores), in the order in which they read one another. Every measure looks back from `as_of` and
never past it, so a profile built for last March holds only what was known last March.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import ibis

from backbook.customer.attribute import (
    attribute_columns,
    outcome_attributes,
    profile_attributes,
    told_next,
)
from backbook.customer.availability import missing_definitions
from backbook.customer.definition import ACCOUNT, BOTH, CUSTOMER, Feature
from backbook.customer.features import measure, measure_over_ties
from backbook.customer.order import in_order
from backbook.customer.passes import IBIS
from backbook.customer.privacy import wishes, with_wishes
from backbook.customer.reader import Reader
from backbook.customer.registry import Attribute, key_names
from backbook.customer.relations import Ties
from backbook.customer.relations import ties as ties_of
from backbook.customer.rollup import SUMS, rolled_up
from backbook.customer.units import Units, units
from backbook.errors import BadDefinition, Fault
from backbook.expressions import Name, Names

OWNER = "customer."
KEYS = {
    ACCOUNT: ("account_id", "customer_id", "system", "party_id", "line_id"),
    CUSTOMER: ("customer_id", "system", "party_id"),
}
Waiting = dict[str, dict[str, Any]]
KEY = {ACCOUNT: "account_id", CUSTOMER: "customer_id"}


class Profile:
    """The two tables of one date.

    Columns that are added wait until they are read or the table is asked for: a table of hundreds of columns is
    then written once and not once per tag.
    """

    def __init__(self, as_of: date, account: Any, customer: Any, waiting: Waiting | None = None) -> None:
        self.as_of = as_of
        self._tables = {ACCOUNT: account, CUSTOMER: customer}
        self._waiting = waiting or {ACCOUNT: {}, CUSTOMER: {}}

    @property
    def account(self) -> Any:
        return self.at(ACCOUNT)

    @property
    def customer(self) -> Any:
        return self.at(CUSTOMER)

    def at(self, grain: str) -> Any:
        if self._waiting[grain]:
            table = self._tables[grain]
            kept = [column for column in table.columns if column not in self._waiting[grain]]
            self._tables[grain] = table.select(*kept, **self._waiting[grain])
            self._waiting[grain] = {}
        return self._tables[grain]

    def rows(self, grain: str, reads: Iterable[str] = ()) -> Any:
        """The table of a grain; an account's with the columns of its owner that are read as `customer.x`."""
        asked = sorted({name for name in reads if name.startswith(OWNER)})
        if grain == CUSTOMER or not asked:
            return self._tables[grain] if not self._waiting[grain].keys() & set(reads) else self.at(grain)
        owner = self.customer.select(_owner="customer_id", **{name: name.removeprefix(OWNER) for name in asked})
        return self.account.left_join(owner, self.account.customer_id == owner["_owner"]).drop("_owner")

    def with_columns(self, grain: str, columns: Mapping[str, Any], rows: Any) -> Profile:
        """The profile with more columns, computed over `rows` of the grain (see `rows`)."""
        if rows is self._tables[grain]:
            return self._with(grain, rows, {**self._waiting[grain], **columns})
        kept = [column for column in self.at(grain).columns if column not in columns]
        return self._with(grain, rows.select(*kept, **columns), {})

    def joined(self, grain: str, table: Any, names: Sequence[str] | None = None) -> Profile:
        """The profile with the columns of another table that has the same key, such as a score's."""
        key, mine = KEY[grain], self.at(grain)
        named = [name for name in (names or table.columns) if name != key]
        other = table.select(*named, _key=key)
        kept = [column for column in mine.columns if column not in named]
        return self._with(grain, mine.left_join(other, mine[key] == other["_key"]).select(*kept, *named), {})

    def _with(self, grain: str, table: Any, waiting: dict[str, Any]) -> Profile:
        tables, all_waiting = {**self._tables, grain: table}, {**self._waiting, grain: waiting}
        return Profile(self.as_of, tables[ACCOUNT], tables[CUSTOMER], all_waiting)


def profile_names(
    grain: str,
    features: Iterable[Feature],
    *more: Iterable[Name],
    attributes: Sequence[Attribute] = (),
    of_customer: Iterable[Iterable[Name]] = (),
    missing: Mapping[str, str] | None = None,
) -> Names:
    """The registry of a profile: keys, features, attributes, and the names of tags, segments and scores (`more`).

    At the account grain the customer's columns are there too, as `customer.x`; `of_customer` are the names of the
    customer's tags, segments and scores. Raises BadDefinition when two definitions give the same column.
    """
    features = list(features)
    names = [*key_names(grain), *_columns(grain, features, attributes), *(name for names in more for name in names)]
    if grain == ACCOUNT:
        owner = [*_columns(CUSTOMER, features, attributes), *(name for names in of_customer for name in names)]
        names += [replace(name, name=OWNER + name.name) for name in owner]
    counted = Counter(name.name for name in names)
    twice = [f"Two definitions give the {grain} profile the column '{name}'." for name, n in counted.items() if n > 1]
    if twice:
        raise BadDefinition(faults=[Fault("", None, found, "Give one of them another id.") for found in twice])
    return Names(f"{grain} profile", names, missing)


def _columns(grain: str, features: Iterable[Feature], attributes: Sequence[Attribute]) -> list[Name]:
    """Features and attributes; the bank's own word wins where a pack uses the same one."""
    at_grain = [feature for feature in features if feature.at(grain)]
    declared = profile_attributes(attributes, grain)
    own = {one.zh for one in declared} | {feature.zh for feature in at_grain if feature.origin == "workspace"}
    names = [
        replace(feature.name, zh="") if feature.origin != "workspace" and feature.zh in own else feature.name
        for feature in at_grain
    ]
    return names + [one.name for one in declared]


def build(
    features: Sequence[Feature],
    attributes: Sequence[Attribute],
    reader: Reader,
    as_of: date,
    of: Units | Any | None = None,
    *,
    ties: Ties | None = None,
) -> Profile:
    """The profile of the units as known at `as_of`: features and attributes, at both grains.

    `of` is a table with `account_id` or `customer_id` when only some are wanted; the customers are then their
    owners, measured over all of their accounts. `ties` are those of the whole book, where they are known already.
    """
    whose = of if isinstance(of, Units) else units(reader, as_of, only=of)
    keep = reader.engine.cached
    asked = wishes(reader, whose.parties)
    lacking = {missing.id for missing in missing_definitions(features, attributes, reader, as_of)}
    late = _standing_on_ties(features)
    plain = [feature for feature in features if feature.id not in late]
    account = keep(_grain(ACCOUNT, plain, attributes, reader, as_of, whose, lacking, asked))
    rolled = [feature for feature in plain if feature.rollup and feature.id not in lacking]
    over = rolled_up(rolled, account) if rolled else None
    customer = _grain(CUSTOMER, plain, attributes, reader, as_of, whose, lacking, asked, over)
    if late:
        customer = keep(customer)
        there = [feature for feature in features if feature.id in late and feature.id not in lacking]
        measured, parts = [feature for feature in there if feature.measure], []
        if measured:
            found = ties or ties_of(reader, as_of, whose.parties if whose.whole else None)
            others = customer if whose.whole else _others(measured, plain, attributes, reader, as_of, whose, found)
            parts.append(measure_over_ties(measured, found, others, reader, as_of, whose))
        null = {one.id: ibis.null(IBIS[one.type]) for one in features if one.id in late and one.id in lacking}
        own = [feature for feature in there if feature.expression is not None]
        customer = derived(beside(customer, parts, KEY[CUSTOMER], **null), own)
    if whose.asked is not None and "account_id" in whose.asked.columns:
        account = account.semi_join(whose.asked, "account_id")
    return Profile(as_of, account, keep(customer))


def _standing_on_ties(features: Sequence[Feature]) -> set[str]:
    """The features over ties and those that read them: they come when all else is known of everybody."""
    late = {feature.id for feature in features if feature.is_over_ties}
    while more := {one.id for one in features if one.expression is not None and one.reads & late} - late:
        late |= more
    return late


def _others(
    measured: Sequence[Feature],
    plain: Sequence[Feature],
    attributes: Sequence[Attribute],
    reader: Reader,
    as_of: date,
    whose: Units,
    ties: Ties,
) -> Any:
    """The customers tied to `whose`, with what is read of them; they need not be among those that were asked for."""
    wanted = set[str]().union(*(feature.reads for feature in measured))
    while more := set[str]().union(*(one.reads for one in plain if one.id in wanted)) - wanted:
        wanted |= more
    pairs = [ties.rows(table).select("customer_id", "other_customer_id") for table in ("tie", "member")]
    tied = pairs[0].union(pairs[1]).semi_join(whose.customers, "customer_id")
    return build(
        [feature for feature in plain if feature.id in wanted],
        [attribute for attribute in attributes if attribute.id in wanted],
        reader,
        as_of,
        tied.select(customer_id="other_customer_id").distinct(),
    ).customer


def _grain(
    grain: str,
    features: Sequence[Feature],
    attributes: Sequence[Attribute],
    reader: Reader,
    as_of: date,
    whose: Units,
    lacking: Collection[str],
    asked: Any,
    over: Any | None = None,
) -> Any:
    """One table of the profile. What cannot be had is a null column of its type, which nobody need compute."""
    here = [feature for feature in features if feature.at(grain)]
    there = [feature for feature in here if feature.id not in lacking]
    declared = profile_attributes(attributes, grain)
    parts = []
    measured = [feature for feature in there if feature.measure and feature.grain == grain]
    if measured:
        parts.append(measure(measured, reader, as_of, whose, grain=grain))
    if declared:
        parts.append(attribute_columns(declared, reader, as_of, whose, grain))
    if over is not None:
        parts.append(_without_accounts(over, [one for one in there if one.rollup], whose.customers))
    own = [one for one in there if one.expression is not None and one.grain in (grain, BOTH)]
    read: frozenset[str] = frozenset().union(*(one.reads for one in own))
    null = {one.id: ibis.null(IBIS[one.type]) for one in here if one.id in lacking}
    table = beside(
        with_wishes((whose.accounts if grain == ACCOUNT else whose.customers).select(*KEYS[grain]), asked),
        parts,
        KEY[grain],
        as_of=ibis.literal(as_of),
        **{id_: value for id_, value in null.items() if id_ in read},
    )
    return derived(table, own).mutate(**{id_: value for id_, value in null.items() if id_ not in read})


def _without_accounts(over: Any, features: Sequence[Feature], customers: Any) -> Any:
    """The rolled-up columns for every customer: one without an account has a sum of zero."""
    over = over.rename(_owner="customer_id")
    joined = customers.select("customer_id").left_join(over, customers.customer_id == over["_owner"])
    values = {}
    for feature in features:
        value = joined[feature.id].cast(IBIS[feature.type])
        if feature.rollup in SUMS:
            value = joined["_accounts"].isnull().ifelse(ibis.literal(0).cast(value.type()), value)
        values[feature.id] = value
    return joined.select("customer_id", **values)


def beside(table: Any, parts: Sequence[Any], key: str, **more: Any) -> Any:
    """The table with the columns of the others, joined by the key all have, and with `more`."""
    keys, columns, joined = list(table.columns), [], table
    for place, part in enumerate(parts):
        columns += [column for column in part.columns if column != key]
        part = part.rename({f"_{place}": key})
        joined = joined.left_join(part, table[key] == part[f"_{place}"])
    return joined.select(*keys, *columns, **more)


def derived(table: Any, features: Sequence[Feature]) -> Any:
    """The table with its derived features, each after those it reads."""
    by_id = {feature.id: feature for feature in features}
    waiting = in_order({feature.id: [name for name in feature.reads if name in by_id] for feature in features})
    while waiting:
        ready = [id_ for id_ in waiting if not by_id[id_].reads & set(waiting)]
        table = table.mutate(**{id_: _value_of(by_id[id_], table) for id_ in ready})
        waiting = [id_ for id_ in waiting if id_ not in ready]
    return table


def _value_of(feature: Feature, table: Any) -> Any:
    assert feature.expression is not None
    return feature.expression.ibis(table)


def outcomes(
    definitions: Sequence[Feature],
    attributes: Sequence[Attribute],
    reader: Reader,
    as_of: date,
    known_by: date,
    of: Units | Any | None = None,
    *,
    grain: str = ACCOUNT,
) -> Any:
    """What became of the units after `as_of`, as known by `known_by`: key and a column per outcome.

    An outcome whose window is not over by then is null: censored, not false.
    """
    whose = of if isinstance(of, Units) else units(reader, as_of, only=of)
    key = KEY[grain]
    parts = []
    measured = [one for one in definitions if one.measure and one.grain == grain]
    if measured:
        parts.append(measure(measured, reader, as_of, whose, known_by=known_by, grain=grain))
    declared = outcome_attributes(attributes, grain)
    if declared:
        parts.append(told_next(declared, reader, as_of, known_by, whose, grain))
    table = beside(
        (whose.accounts if grain == ACCOUNT else whose.customers).select(*KEYS[grain]),
        parts,
        key,
        as_of=ibis.literal(as_of),
    )
    table = derived(table, [one for one in definitions if one.expression is not None and one.grain in (grain, BOTH)])
    if whose.asked is not None and key in whose.asked.columns:
        table = table.semi_join(whose.asked, key)
    names = [one.id for one in definitions if one.grain in (grain, BOTH)] + [one.id for one in declared]
    return table.select(key, *names)


def outcome_names(grain: str, definitions: Iterable[Feature], attributes: Sequence[Attribute] = ()) -> Names:
    """The registry that targets read, and nothing else does."""
    names = [one.name for one in definitions if one.grain in (grain, BOTH)]
    return Names(f"{grain} outcomes", [*names, *(one.name for one in outcome_attributes(attributes, grain))])
