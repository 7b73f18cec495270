"""Decisions and contacts that are handed to the made-up bank for one month, as text files.

A decision names an account and its new limit, or what it is to pay of the published rate; the lists that a run
writes (`out/RUN/lists/*.csv`) can be handed in as they are, one of them or their folder. A contact names an account, an
offer, a channel and a moment. The bank's systems do what they can and say what they did (回盘).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from backbook.errors import BadData, Fault
from backbook.simulator.bank import (
    ABOVE_CAP,
    ACCOUNT_CLOSED,
    BELOW_BALANCE,
    BY_BANK,
    EXECUTED,
    FIXED,
    NO_REASON,
    PARTLY,
    REFUSED,
    TEMPORARY,
    Contacts,
    Decisions,
    Executions,
    Limits,
    Prices,
    total_cap,
)
from backbook.simulator.book import OPEN, State
from backbook.simulator.chance import Array
from backbook.simulator.days import NEVER, Month, number_of
from backbook.simulator.living import World
from backbook.simulator.offers import APP, CHANNELS, OFFERS, SMS
from backbook.simulator.postings import per_line
from backbook.simulator.records import Registry

# Our name of each column, and the names that stand for it in the lists for people.
DECISIONS = {
    "account_id": ("账户", "Account"),
    "new_limit": ("新值", "New value"),
    "price": (),
    "kind": (),
    "on": (),
    "until": (),
    "decision_id": ("决策号", "Decision"),
}
CONTACTS = ("account_id", "offer", "channel", "at", "propensity", "is_control", "decision_id")
SHOWN = 5


@dataclass(frozen=True)
class Handed:
    """What was handed in for one month: text columns of equal length, None where nothing was handed in at all."""

    month: Month
    decisions: pa.Table | None
    contacts: pa.Table | None

    def accounts(self) -> set[str]:
        named = [table["account_id"].to_pylist() for table in (self.decisions, self.contacts) if table is not None]
        return {account for ids in named for account in ids}


def read(month: Month, decisions: Path | None, contacts: Path | None) -> Handed:
    """Read the files for a month. Raises BadData with everything that cannot be meant."""
    faults: list[Fault] = []
    read_decisions = _decisions(month, decisions, faults) if decisions else None
    read_contacts = _contacts(month, contacts, faults) if contacts else None
    if faults:
        raise BadData(f"What was handed in for {month.end:%Y-%m} cannot be done:", faults=faults)
    return Handed(month, read_decisions, read_contacts)


def _table(path: Path, wanted: Iterable[str], aliases: dict[str, tuple[str, ...]]) -> pa.Table:
    """The text columns wanted, "" where a file lacks one; an apostrophe that keeps Excel from shortening an id goes."""
    if not path.exists():
        raise BadData(f"There is no file {path}.")
    try:
        options = pa.csv.ConvertOptions(strings_can_be_null=False, null_values=[])
        header = pa.csv.open_csv(path).schema.names
        options.column_types = {name: pa.string() for name in header}
        raw = pa.csv.read_csv(path, convert_options=options)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadData(f"{path.name} cannot be read as CSV with a header in UTF-8: {error}.") from error
    columns = {}
    for name in wanted:
        given = next((one for one in (name, *aliases.get(name, ())) if one in raw.column_names), None)
        column = raw[given].combine_chunks() if given else pa.repeat(pa.scalar(""), raw.num_rows)
        columns[name] = pc.utf8_ltrim(pc.utf8_trim_whitespace(column), "'")
    if not any(one in raw.column_names for one in ("account_id", *aliases.get("account_id", ()))):
        raise BadData(f"{path.name} has no column account_id. It has: {', '.join(raw.column_names)}.")
    columns["_file"] = pa.repeat(pa.scalar(path.name), raw.num_rows)
    columns["_line"] = pa.array(range(2, raw.num_rows + 2), pa.int64())
    return pa.table(columns)


def _decisions(month: Month, path: Path, faults: list[Fault]) -> pa.Table:
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise BadData(f"{path} holds no .csv file.")
    table = pa.concat_tables([_table(file, DECISIONS, DECISIONS) for file in files])
    # A row without a new limit or price asks for nothing that the core could do.
    asks = pc.or_(pc.not_equal(table["new_limit"], ""), pc.not_equal(table["price"], ""))
    table = table.filter(asks)
    _each(table, faults, "new_limit", _amount, "is not an amount of money of zero or more")
    _each(table, faults, "price", _share, "is not a share of the published rate between 0 and 2, such as 0.8")
    _each(table, faults, "kind", lambda text: text in ("fixed", "temporary"), "is not one of fixed, temporary")
    inside = f"does not lie in {month.end:%Y-%m}, the month that is lived next"
    _each(table, faults, "on", lambda text: _within(month, text), inside)
    _each(table, faults, "until", lambda text: _day(text) is not None, "is not a date YYYY-MM-DD")
    return table


def _contacts(month: Month, path: Path, faults: list[Fault]) -> pa.Table:
    table = _table(path, CONTACTS, {})
    _each(table, faults, "offer", lambda text: text in OFFERS, f"is not one of {', '.join(OFFERS)}", must=True)
    _each(table, faults, "channel", lambda text: text in CHANNELS, f"is not one of {', '.join(CHANNELS)}", must=True)
    inside = f"is not a moment in {month.end:%Y-%m}, the month that is lived next, such as {month.end:%Y-%m}-05 10:30"
    _each(table, faults, "at", lambda text: _within(month, text), inside, must=True)
    _each(table, faults, "propensity", _chance, "does not lie between 0 and 1")
    _each(table, faults, "is_control", lambda text: text.lower() in _YES + _NO, "is not true or false")
    return table


_YES, _NO = ("true", "1", "yes"), ("false", "0", "no")


def _each(
    table: pa.Table, faults: list[Fault], name: str, right: Callable[[str], bool], told: str, *, must: bool = False
) -> None:
    wrong = [
        Fault(file, line, f"{name} = {text!r} {told}.")
        for file, line, text in zip(*(table[each].to_pylist() for each in ("_file", "_line", name)), strict=True)
        if (text or must) and not right(text)
    ]
    faults += wrong[:SHOWN]
    if len(wrong) > SHOWN:
        faults.append(Fault(wrong[-1].file, None, f"{len(wrong) - SHOWN:,} more rows like these."))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _amount(text: str) -> bool:
    number = _number(text)
    return number is not None and 0 <= number < 1e9


def _share(text: str) -> bool:
    number = _number(text)
    return number is not None and 0 <= number <= 2


def _chance(text: str) -> bool:
    number = _number(text)
    return number is not None and 0 <= number <= 1


def _day(text: str) -> date | None:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _within(month: Month, text: str) -> bool:
    day = _day(text)
    return day is not None and (day.year, day.month) == (month.year, month.month)


def refuse_unknown(handed: Handed, known: set[str]) -> None:
    """Raises BadData when an account was named that no part of the bank has."""
    unknown = sorted(handed.accounts() - known)
    if unknown:
        more = f" and {len(unknown) - SHOWN:,} more" if len(unknown) > SHOWN else ""
        raise BadData(
            f"{len(unknown):,} accounts are not known to this bank: {', '.join(map(repr, unknown[:SHOWN]))}{more}. "
            "Nothing was lived. Take the account numbers from the bank's own files."
        )


def decide(handed: Handed, world: World, registry: Registry, state: State, present: Decisions) -> Decisions:
    """What was handed in, as far as it concerns this part; where nothing was, the bank's present policy goes on."""
    limits, prices, executions, contacts = present.limits, present.prices, present.executions, present.contacts
    if handed.decisions is not None:
        # Customers go on asking for limits; what the bank does of itself is what was handed in.
        asked = limits.asked_by != BY_BANK
        kept = Limits(**{name: getattr(limits, name)[asked] for name in Limits.__dataclass_fields__})
        own, prices, executions = _executed(handed, world, registry, state)
        names = Limits.__dataclass_fields__
        limits = Limits(**{name: np.concatenate([getattr(kept, name), getattr(own, name)]) for name in names})
    if handed.contacts is not None:
        contacts = _made(handed.contacts, registry, handed.month)
    return Decisions(limits, contacts, prices, executions)


def _mine(table: pa.Table, registry: Registry) -> tuple[pa.Table, Array]:
    """The rows about accounts of this part, and the position of each account."""
    place = pc.index_in(table["account_id"].combine_chunks(), value_set=registry.account_id)
    there = pc.is_valid(place)
    return table.filter(there), place.filter(there).to_numpy(zero_copy_only=False).astype(np.int64)


def _executed(handed: Handed, world: World, registry: Registry, state: State) -> tuple[Limits, Prices, Executions]:
    assert handed.decisions is not None
    month, accounts = handed.month, world.accounts
    table, account = _mine(handed.decisions, registry)
    column = {name: table[name].to_pylist() for name in DECISIONS}
    line = accounts.line[account]
    open_ = (state.status[account] == OPEN) & (accounts.opened[account] <= month.last)
    is_limit = np.array([text != "" for text in column["new_limit"]], bool)
    temporary = np.array([text == "temporary" for text in column["kind"]], bool)
    wanted = np.array([round(float(text) * 100) if text else 0 for text in column["new_limit"]], np.int64)
    day = np.array([_number_of_day(text, month.first) for text in column["on"]], np.int64)
    until = np.array([_number_of_day(text, month.last if t else NEVER) for text, t in zip(column["until"], temporary, strict=True)], np.int64)  # fmt: skip
    now = state.limit[line]
    # Never above what the customer may have in all (CN-19), never below what is owed (DOMAIN 3.3).
    owed = per_line(accounts, np.maximum(state.total(), 0))[line]
    most = np.maximum(total_cap(world.folk, accounts)[line], now)
    given = np.clip(wanted, np.minimum(owed, most), most)
    given = np.where(temporary, np.minimum(wanted, now), given)
    code = np.select(
        [~open_, is_limit & (given < wanted), is_limit & (given > wanted)],
        [ACCOUNT_CLOSED, ABOVE_CAP, BELOW_BALANCE], NO_REASON,
    )  # fmt: skip
    nothing = ~open_ | (is_limit & ~temporary & (given == now) & (wanted != now))
    status = np.where(nothing, REFUSED, np.where(code == NO_REASON, EXECUTED, PARTLY))
    rows = np.flatnonzero(is_limit & ~nothing)
    limits = Limits(
        line[rows], np.where(temporary[rows], TEMPORARY, FIXED), given[rows], day[rows], until[rows],
        np.full(len(rows), BY_BANK), np.ones(len(rows), bool),
    )  # fmt: skip
    priced = np.flatnonzero(~is_limit & open_)
    factor = np.array([float(column["price"][row]) for row in priced.tolist()], float)
    forever = Month(month.number + 1200).last
    prices = Prices(account[priced], factor, day[priced], np.minimum(until[priced], forever))
    rate = np.where(is_limit, 0, 100)
    executions = Executions(
        np.array(column["decision_id"], object), day, status, code,
        np.where(is_limit, now, rate), np.where(is_limit, np.where(nothing, now, given), _cents(column["price"])),
    )  # fmt: skip
    told = np.array([text != "" for text in column["decision_id"]], bool)
    return (
        limits,
        prices,
        Executions(**{name: getattr(executions, name)[told] for name in Executions.__dataclass_fields__}),
    )


def _cents(texts: list[Any]) -> Array:
    return np.array([round(float(text) * 100) if text else 0 for text in texts], np.int64)


def _number_of_day(text: str, otherwise: int) -> int:
    day = _day(text) if text else None
    return number_of(day) if day else otherwise


def _made(given: pa.Table, registry: Registry, month: Month) -> Contacts:
    table, account = _mine(given, registry)
    column = {name: table[name].to_pylist() for name in CONTACTS}
    channel = np.array([CHANNELS.index(text) for text in column["channel"]], np.int64)
    # Who does not have the app gets an SMS.
    has_app = registry.app_since[registry.world.accounts.person[account]] < month.first
    channel = np.where((channel == APP) & ~has_app, SMS, channel)
    moments = [datetime.fromisoformat(text) for text in column["at"]]
    return Contacts(
        account=account,
        offer=np.array([OFFERS.index(text) for text in column["offer"]], np.int64),
        channel=channel,
        day=np.array([number_of(moment.date()) for moment in moments], np.int64),
        second=np.array([moment.hour * 3600 + moment.minute * 60 + moment.second for moment in moments], np.int64),
        propensity=np.array([float(text) if text else 1.0 for text in column["propensity"]], float),
        held_out=np.array([text.lower() in _YES for text in column["is_control"]], bool),
        decision_id=np.array(column["decision_id"], object),
    )
