"""Features measured: many definitions in, one row per account (or per customer) out.

Every measure looks back from `as_of` and reads only what was known by then; an outcome looks ahead of `as_of` and
is known later, by `known_by`. Null is not known, zero is known to be none: a unit without a row spent nothing,
but a window that begins before its table's first day, that needs a table the bank does not have, or that is not
over yet, is null.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import ibis

from backbook.customer.availability import Missing, not_available, source
from backbook.customer.definition import ACCOUNT, CUSTOMER, Feature
from backbook.customer.lookup import looked_up
from backbook.customer.measures import by_value, finish
from backbook.customer.passes import BY_VALUE, IBIS, UNIT, Finish, Pass, over
from backbook.customer.reader import Reader
from backbook.customer.reading import read_features, read_outcomes
from backbook.customer.relations import OTHER, ROWS, Ties
from backbook.customer.units import Units, units
from backbook.customer.window import CYCLES, Window
from backbook.sources.contract import TABLES
from backbook.sources.table import Table

# Passes that are joined in one plan.
FEW = 3


def measure(
    features: Sequence[Feature],
    reader: Reader,
    as_of: date,
    of: Units | Any | None = None,
    *,
    known_by: date | None = None,
    grain: str | None = None,
) -> Any:
    """The measured features of one grain: a row per unit, its key and a column per feature.

    `of` is the units, or a table with `account_id` (or `customer_id`) whose units are meant; all when left out.
    Derived features, roll-ups and features over ties are the profile's business and are not in it.
    """
    known_by = known_by or as_of
    grain = grain or next((feature.grain for feature in features if feature.measure), ACCOUNT)
    whose = of if isinstance(of, Units) else units(reader, as_of, only=of)
    wanted = [one for one in features if one.measure and one.grain == grain and not one.is_over_ties]
    lacking = {missing.id for missing in not_available(wanted, reader, as_of, known_by=known_by)}
    plan = _Plan(reader, as_of, known_by, grain, whose)
    for table in dict.fromkeys(feature.table for feature in wanted if feature.id not in lacking):
        plan.read(str(table), [feature for feature in wanted if feature.table == table and feature.id not in lacking])
    return plan.finished(wanted)


def measure_over_ties(
    features: Sequence[Feature], ties: Ties, others: Any, reader: Reader, as_of: date, whose: Units
) -> Any:
    """The features over ties: a row per customer, customer_id and a column per feature.

    `others` has customer_id and every profile column that is read as `other.x`, of all who are tied to `whose`.
    """
    plan = _Plan(reader, as_of, as_of, CUSTOMER, whose)
    for table in dict.fromkeys(feature.table for feature in features):
        here = [feature for feature in features if feature.table == table]
        read = sorted(frozenset[str]().union(*(feature.reads for feature in here)))
        rows = ties.rows(str(table))
        if read:
            beside = others.select(_other="customer_id", **{OTHER + name: others[name] for name in read})
            rows = rows.left_join(beside, rows.other_customer_id == beside["_other"]).drop("_other")
        plan.over(rows, ROWS[str(table)], here, f"{table}_")
    return plan.finished(features)


def looked_at(feature: Feature, reader: Reader, as_of: date, whose: Units) -> Pass | None:
    """The pass of one measured feature, with the rows themselves: what it counts of them, `Pass.where` tells.

    None where the bank does not deliver them; ties are found by us and have no rows of the bank's.
    """
    stored = None if feature.is_over_ties else source(feature, reader)
    if stored is None or not reader.has(stored):
        return None
    contract = TABLES[stored.partition(".")[0]]
    plan = _Plan(reader, as_of, as_of, feature.grain, whose)
    return plan.passed(plan.looked_up(stored, [feature]), contract, [feature], "")


class _Plan:
    """The passes of one call: each table read once, its aggregates joined to the units."""

    def __init__(self, reader: Reader, as_of: date, known_by: date, grain: str, whose: Units) -> None:
        self.reader, self.as_of, self.known_by, self.grain, self.whose = reader, as_of, known_by, grain, whose
        self.key = "account_id" if grain == ACCOUNT else "customer_id"
        self.joined: list[Any] = []
        self.finishers: dict[str, Finish] = {}

    def read(self, table: str, features: Sequence[Feature]) -> None:
        """One pass over the table for its plain measures, one more per column whose values are told apart."""
        name = table.partition(".")[0]
        if table == "attribute":
            for wide in dict.fromkeys(source(feature, self.reader) for feature in features):
                self._read(str(wide), name, [feature for feature in features if source(feature, self.reader) == wide])
            return
        self._read(table, name, features)

    def _read(self, stored: str, name: str, features: Sequence[Feature]) -> None:
        self.over(self.looked_up(stored, features), TABLES[name], features, f"{stored.replace('.', '_')}_")

    def over(self, rows: Any, contract: Table, features: Sequence[Feature], prefix: str) -> None:
        """The passes over these rows."""
        plain = [feature for feature in features if feature.measure not in BY_VALUE]
        in_cycles = [feature for feature in features if _window(feature).unit == CYCLES]
        cycles = self._plain(rows, contract, plain, in_cycles, prefix) if plain or in_cycles else None
        of_values: dict[str, list[Feature]] = {}
        for feature in features:
            if feature.measure in BY_VALUE:
                assert feature.of is not None
                of_values.setdefault(feature.of.text, []).append(feature)
        for place, same in enumerate(of_values.values()):
            table, finishers = by_value(same, self.passed(rows, contract, same, prefix), f"{prefix}v{place}_")
            self.joined.append(table)
            self.finishers |= finishers
        for feature in in_cycles:
            self.finishers[feature.id] = self._cycles_known(feature, cycles, self.finishers[feature.id])

    def looked_up(self, stored: str, features: Sequence[Feature]) -> Any:
        lookups = dict.fromkeys(lookup for feature in features for lookup in feature.lookups)
        return looked_up(self.reader.engine, self.reader.rows(stored, self.known_by), lookups)

    def _plain(
        self, rows: Any, contract: Table, features: Sequence[Feature], in_cycles: Sequence[Feature], prefix: str
    ) -> str | None:
        """The pass of the plain measures; gives the name of the number of cycles known, where one is asked for."""
        one = self.passed(rows, contract, [*features, *in_cycles], prefix)
        self.finishers |= {feature.id: finish(feature, one) for feature in features}
        cycles = one.part(("cycles",), lambda: one.rows["_cycle"].max()) if in_cycles else None
        self.joined.append(one.aggregated())
        return cycles

    def passed(self, rows: Any, contract: Table, features: Sequence[Feature], prefix: str) -> Pass:
        return over(_owned(rows, contract, self.grain, self.whose), contract, self.as_of, features, prefix)

    def _cycles_known(self, feature: Feature, cycles: str | None, measured: Finish) -> Finish:
        """Null where the last n cycles are not all known: fewer statements, and a life that began before them."""
        size, first = _window(feature).size, self.reader.first_day("statement")

        def value(units: Any) -> Any:
            known = ibis.coalesce(units[cycles], 0) >= size
            if first is not None:
                known = known | ibis.coalesce(units.opened_on >= ibis.literal(first), False)
            found = measured(units)
            return known.ifelse(found, ibis.null(found.type()))

        return value

    def finished(self, features: Sequence[Feature]) -> Any:
        """The units beside the aggregates of every pass, and each feature's value from them."""
        whose = self.whose.accounts if self.grain == ACCOUNT else self.whose.customers
        table = whose.select(self.key, *(["opened_on"] if self.grain == ACCOUNT else []))
        key = table[self.key]
        # Many passes are computed each by itself: a plan of twenty is slow to write and to run.
        apart = len(self.joined) > FEW
        for place, aggregated in enumerate(self.joined):
            named = aggregated.rename({f"_{place}": UNIT})
            named = self.reader.engine.cached(named) if apart else named
            table = table.left_join(named, key == named[f"_{place}"])
        values = {
            feature.id: self.finishers[feature.id](table).cast(IBIS[feature.type])
            if feature.id in self.finishers
            else ibis.null(IBIS[feature.type])
            for feature in features
        }
        return table.select(self.key, **values)


def _window(feature: Feature) -> Window:
    assert feature.window is not None
    return feature.window


def _owned(rows: Any, contract: Table, grain: str, whose: Units) -> Any:
    """The rows, each beside its unit; rows of others are gone."""
    if "customer_id" in contract:
        owned = rows.mutate(**{UNIT: rows.customer_id})
        return owned if whose.whole else owned.semi_join(whose.customers, owned[UNIT] == whose.customers.customer_id)
    if grain == ACCOUNT and "account_id" in contract:
        owned = rows.mutate(**{UNIT: rows.account_id}).filter(rows.account_id.notnull())
        return owned if whose.whole else owned.semi_join(whose.accounts, owned[UNIT] == whose.accounts.account_id)
    if grain == ACCOUNT:
        lines = whose.accounts.filter(whose.accounts.line_id.notnull()).select("line_id", **{UNIT: "account_id"})
        return rows.join(lines, "line_id")
    return _of_customers(rows, contract, whose)


def _of_customers(rows: Any, contract: Table, whose: Units) -> Any:
    """By account where the row names one, else by line, else by party record.

    An account is its debtor's, by party record: one that is opened later is not among the accounts of the day.
    """
    accounts, ways = whose.accounts, []
    if "account_id" in contract and contract.name != "account":
        owner = accounts.select(_account="account_id", _by_account="customer_id")
        rows = rows.left_join(owner, rows.account_id == owner["_account"]).drop("_account")
        ways.append("_by_account")
    if "line_id" in contract and "account_id" not in contract:
        lines = accounts.filter(accounts.line_id.notnull())
        owner = lines.group_by(_line=lines.line_id).agg(_by_line=lines.customer_id.min())
        rows = rows.left_join(owner, rows.line_id == owner["_line"]).drop("_line")
        ways.append("_by_line")
    if "party_id" in contract:
        owner = whose.parties.select(_system="system", _party="party_id", _by_party="customer_id")
        rows = rows.left_join(owner, [rows.system == owner["_system"], rows.party_id == owner["_party"]])
        rows = rows.drop("_system", "_party")
        ways.append("_by_party")
    by = {way: rows[way] for way in ways}
    if "_by_account" in by and "_by_party" in by:
        # A row that names an account is its owner's, also where only others are asked for: a lent card is not its holder's.
        by["_by_party"] = rows.account_id.isnull().ifelse(rows["_by_party"], ibis.null("string"))
    rows = rows.mutate(**{UNIT: ibis.coalesce(*by.values())}).drop(*ways)
    owned = rows.filter(rows[UNIT].notnull())
    return _strictest(owned) if contract.name == "consent" else owned


def _strictest(rows: Any) -> Any:
    """A consent is one record's: the last word of each holds, and of a customer's several records the strictest."""
    said = ["system", "party_id", "channel", "purpose"]
    order = [ibis.desc(rows["at"]), rows.granted]
    last = rows.mutate(_nth=ibis.row_number().over(ibis.window(group_by=said, order_by=order)))
    last = last.filter(last["_nth"] == 0).drop("_nth")
    no = last.filter(~last.granted).select(_who=last[UNIT], _channel="channel", _purpose="purpose").distinct()
    joined = last.left_join(
        no, [last[UNIT] == no["_who"], last.channel == no["_channel"], last.purpose == no["_purpose"]]
    )
    return joined.filter(joined["_who"].isnull() | ~joined.granted).drop("_who", "_channel", "_purpose")


__all__ = ["ACCOUNT", "CUSTOMER", "Feature", "Missing", "measure", "not_available", "read_features", "read_outcomes"]
