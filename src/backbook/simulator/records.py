"""The same people as four systems know them: spelled, dated and numbered in four ways.

Nothing that identifies can belong to anybody: identity numbers begin with a region that does not exist (0…),
though their check digit is right; phones come from number blocks that were never given out; mail goes to
example.com; cards are tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbook.simulator.chance import Array, Chance
from backbook.simulator.days import NEVER, date_of
from backbook.simulator.living import World
from backbook.simulator.words import (
    CITIES,
    EMPLOYERS,
    GIVEN_MEN,
    GIVEN_WOMEN,
    RARE_MEN,
    RARE_WOMEN,
    ROADS,
    SURNAMES,
    pairs,
)

CORE, APP, CALL_CENTRE, PARTNER = "core", "app", "call_centre", "partner"
_PHONE_BLOCKS = ("160", "161", "164")
# A phone or an address changes in one of this many months, counted from the first of the warm-up.
_CHANGES_WITHIN = 180


@dataclass(frozen=True)
class Names:
    surname: Array
    first: Array
    second: Array  # -1: a given name of one character


class Registry:
    """The records of the people of one part in all four systems."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chance: Chance = world.chance
        self.folk = world.folk
        accounts = world.accounts
        # Records of the core: every person, and again who opened an account under a second number.
        again = np.unique(accounts.person[accounts.own_record])
        self.person = np.concatenate([np.arange(len(self.folk)), again])
        self.again = np.concatenate([np.zeros(len(self.folk), bool), np.ones(len(again), bool)])
        self.record_of_account = np.where(
            accounts.own_record, len(self.folk) + np.searchsorted(again, accounts.person), accounts.person
        )
        created = np.full(len(self.person), NEVER, np.int64)
        np.minimum.at(created, self.record_of_account, accounts.opened)
        self.created = created
        self._first = world.settings.warm_up.number

    # ── numbers ──

    @cached_property
    def customer_no(self) -> pa.Array:
        return self.customer_numbers(self.folk.number[self.person] * 2 + self.again)

    def customer_numbers(self, key: Array) -> pa.Array:
        """Numbers of the core's records: twice the person, and one more for a second record."""
        return _numbers(1_000_000_000 + self.chance.shuffled("customer number", key, bits=32))

    @cached_property
    def account_id(self) -> pa.Array:
        numbers = self.chance.shuffled("account id", self.world.accounts.key, bits=58)
        return pc.binary_join_element_wise("8", pc.utf8_lpad(_numbers(numbers), 18, "0"), "")

    @cached_property
    def line_id(self) -> pa.Array:
        numbers = self.chance.shuffled("line id", self.world.accounts.line_key, bits=40)
        return pc.binary_join_element_wise("L", pc.utf8_lpad(_numbers(numbers), 13, "0"), "")

    @cached_property
    def user_id(self) -> pa.Array:
        return self._own_id("user", "u")

    @cached_property
    def caller_id(self) -> pa.Array:
        return self._own_id("caller", "K")

    @cached_property
    def member_id(self) -> pa.Array:
        return self._own_id("member", "M")

    def _own_id(self, what: str, letter: str) -> pa.Array:
        numbers = self.chance.shuffled(f"{what} id", self.folk.number, bits=36)
        return pc.binary_join_element_wise(letter, pc.utf8_lpad(_numbers(numbers), 11, "0"), "")

    @cached_property
    def account_rank(self) -> Array:
        """The place of each account in the order of account ids."""
        rank = np.empty(len(self.account_id), np.int64)
        rank[pc.sort_indices(self.account_id).to_numpy()] = np.arange(len(rank))
        return rank

    # ── who has a record where, since which day ──

    @property
    def app_since(self) -> Array:
        return self.world.accounts.app_since

    @cached_property
    def call_since(self) -> Array:
        return self._some_day("caller", self.world.settings.caller_share)

    @cached_property
    def member_since(self) -> Array:
        return self._some_day("member", self.world.settings.partner_share)

    def _some_day(self, purpose: str, share: float) -> Array:
        numbers = self.folk.number
        there = self.chance.happens(share, purpose, numbers)
        delay = (30 - 500 * np.log1p(-self.chance.uniform(f"{purpose} delay", numbers))).astype(np.int64)
        return np.where(there, self.created[: len(self.folk)] + delay, NEVER)

    # ── what changes ──

    def change_month(self, what: str, numbers: Array | None = None) -> Array:
        """The month in which a person's phone, address or income changes; for most after the end."""
        numbers = self.folk.number if numbers is None else numbers
        return self._first + 1 + self.chance.whole(_CHANGES_WITHIN, f"{what} changes", numbers)

    def phone(self, month: int, rows: Array) -> pa.Array:
        """The phones these people use in a month; some have got one that was another person's."""
        numbers = self.folk.number[rows]
        version = (self.change_month("phone", numbers) <= month).astype(np.int64)
        other = (numbers + 7919) % self.world.settings.customers
        given_up = self.change_month("phone", other)
        recycled = (other != numbers) & self.chance.happens(0.08, "recycled phone", numbers) & (given_up + 5 <= month)
        return self._phone_text(np.where(recycled, other * 4, numbers * 4 + version))

    def old_phone(self, rows: Array) -> pa.Array:
        return self._phone_text(self.folk.number[rows] * 4)

    def other_phone(self, rows: Array) -> pa.Array:
        return self._phone_text(self.folk.number[rows] * 4 + 2)

    def _phone_text(self, key: Array) -> pa.Array:
        number = self.chance.shuffled("phone", key, bits=28)
        block = pa.array(_PHONE_BLOCKS).take(pa.array(number // 10**8))
        return pc.binary_join_element_wise(block, pc.utf8_lpad(_numbers(number % 10**8), 8, "0"), "")

    # ── names ──

    @cached_property
    def name_parts(self) -> Names:
        numbers, woman = self.folk.number, self.folk.woman
        surnames = len(pairs(SURNAMES)[0])
        weights = list(1 / (np.arange(surnames) + 4.0))
        given = np.where(woman, len(pairs(GIVEN_WOMEN)[0]), len(pairs(GIVEN_MEN)[0]))
        common = given - np.where(woman, RARE_WOMEN, RARE_MEN)
        rare = self.chance.happens(0.012, "rare name", numbers)
        first = self.chance.whole(common, "given", numbers)
        one = self.chance.happens(0.22, "short name", numbers)
        second = self.chance.whole(common, "second given", numbers)
        return Names(
            self.chance.pick(weights, "surname", numbers),
            np.where(rare, common + self.chance.whole(given - common, "rare", numbers), first),
            np.where(one, -1, second),
        )

    @cached_property
    def name(self) -> pa.Array:
        parts = self.name_parts
        return self._join_name(parts.surname, parts.first, parts.second, 0)

    @cached_property
    def misheard(self) -> pa.Array:
        """The name as somebody wrote it who only heard it: a character of the same sound."""
        parts = self.name_parts
        men, women = _homophones(GIVEN_MEN), _homophones(GIVEN_WOMEN)
        heard = np.where(
            self.folk.woman, women[np.minimum(parts.first, len(women) - 1)], men[np.minimum(parts.first, len(men) - 1)]
        )
        return self._join_name(parts.surname, heard, parts.second, 0)

    @cached_property
    def pinyin(self) -> tuple[pa.Array, pa.Array]:
        """(surname, given name) in Latin letters."""
        parts = self.name_parts
        surname = pa.array(pairs(SURNAMES)[1]).take(pa.array(parts.surname))
        given = self._join_name(np.full(len(parts.first), -1), parts.first, parts.second, 1)
        return surname, pc.utf8_capitalize(given)

    def _join_name(self, surname: Array, first: Array, second: Array, form: int) -> pa.Array:
        pools = [pa.array([*pairs(GIVEN_MEN)[form], ""]), pa.array([*pairs(GIVEN_WOMEN)[form], ""])]
        picked = []
        for place in (first, second):
            men = pools[0].take(pa.array(np.where(place < 0, len(pools[0]) - 1, np.minimum(place, len(pools[0]) - 1))))
            women = pools[1].take(
                pa.array(np.where(place < 0, len(pools[1]) - 1, np.minimum(place, len(pools[1]) - 1)))
            )
            picked.append(pc.if_else(pa.array(self.folk.woman), women, men))
        family = pa.array([*pairs(SURNAMES)[form], ""]).take(
            pa.array(np.where(surname < 0, len(pairs(SURNAMES)[form]), surname))
        )
        return pc.binary_join_element_wise(family, *picked, "")

    # ── documents, mail, addresses ──

    @cached_property
    def document(self) -> pa.Array:
        """18 digits with a right check digit and an impossible region."""
        numbers = self.folk.number
        # Two people under one number 同号异人: one in a thousand has the neighbour's.
        there = np.arange(len(numbers))
        shared = self.chance.happens(0.001, "shared document", numbers) & self.has_neighbour
        position = np.where(shared, there ^ 1, there)
        region = 10_000 + self.chance.whole(90_000, "document region", numbers)
        serial = self.chance.whole(500, "document serial", numbers) * 2 + ~self.folk.woman
        made = [
            _with_check_digit(f"0{region[k]:05d}{date_of(int(self.folk.birth[k])):%Y%m%d}{serial[k]:03d}")
            for k in position
        ]
        return pa.array(made)

    @cached_property
    def short_document(self) -> pa.Array:
        """The fifteen digits of before 1999, as an old record still has them."""
        whole = self.document
        return pc.binary_join_element_wise(
            pc.utf8_slice_codeunits(whole, 0, 6), pc.utf8_slice_codeunits(whole, 8, 17), ""
        )

    @cached_property
    def email(self) -> pa.Array:
        surname, given = self.pinyin
        tail = _numbers(self.chance.whole(9_000, "mail", self.folk.number) + 1_000)
        local = pc.utf8_lower(pc.binary_join_element_wise(given, surname, tail, "."))
        return pc.binary_join_element_wise(local, "@example.com", "")

    def address(self, month: int, form: str, rows: Array) -> pa.Array:
        """Where these people live in a month, written in full, short, as heard, or in Latin letters."""
        numbers = self.folk.number[rows]
        moved = (self.change_month("address", numbers) <= month).astype(np.int64)
        # One pair of neighbours in five is a household and lives where its first member works.
        together, first = self.household[rows], numbers // 2 * 2
        key = np.where(together, first, numbers) * 2 + np.where(together, 0, moved)
        city_of_first = self.chance.pick([place[5] for place in CITIES], "city", first)
        return _address(self.chance, key, np.where(together, city_of_first, self.folk.city[rows]), form)

    @cached_property
    def household(self) -> Array:
        return self.chance.happens(0.2, "household", self.folk.number // 2) & self.has_neighbour

    @cached_property
    def has_neighbour(self) -> Array:
        """Who was there at the start in a pair: parts begin at even numbers, so both stand side by side."""
        there: Array = (self.folk.number | 1) < self.world.settings.customers
        return there

    @cached_property
    def employer(self) -> pa.Array:
        listed = EMPLOYERS.split()
        return pa.array(listed).take(pa.array(self.chance.whole(len(listed), "employer", self.folk.number)))

    def reported_income(self, month: int) -> Array:
        """What the bank was told, in whole yuan; told anew once by some."""
        told = np.exp(0.12 * self.chance.normal("told income", self.folk.number))
        anew = np.where(self.change_month("income") <= month, 1.08, 0.96)
        return np.maximum(np.round(self.folk.income * told * anew, -2), 1_000).astype(np.int64)

    def changed_in(self, month: int) -> Array:
        """Who got another phone, address or income in this very month."""
        changed: Array = np.any([self.change_month(what) == month for what in ("phone", "address", "income")], axis=0)
        return changed


def _numbers(values: Array) -> pa.Array:
    return pc.cast(pa.array(values), pa.string())


def _homophones(pool: str) -> Array:
    """For each character the next one that sounds alike, or itself."""
    sounds = pairs(pool)[1]
    found = []
    for place, sound in enumerate(sounds):
        alike = [other for other, its in enumerate(sounds) if its == sound and other != place]
        found.append(next((other for other in alike if other > place), alike[0] if alike else place))
    return np.array(found)


def _with_check_digit(digits: str) -> str:
    """GB 11643: weights 2^(17-i) mod 11."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True))
    return digits + "10X98765432"[total % 11]


def _address(chance: Chance, key: Array, city: Array, form: str) -> pa.Array:
    roads, latin = zip(*(entry.strip().split(" ", 1) for entry in ROADS.split(",")), strict=True)
    road = pa.array(chance.whole(len(roads), "road", key))
    number = _numbers(1 + chance.whole(380, "house", key))
    building = _numbers(1 + chance.whole(24, "building", key))
    room = _numbers((1 + chance.whole(28, "floor", key)) * 100 + 1 + chance.whole(4, "room", key))
    place = pa.array(city)
    names = pa.array([row[0] for row in CITIES]).take(place)
    district = pa.array([name for row in CITIES for name in row[7].split()]).take(
        pa.array(city * 4 + chance.whole(4, "district", key))
    )
    if form == "latin":
        parts = (number, pa.array(latin).take(road), pa.array([row[6] for row in CITIES]).take(place))
        return pc.binary_join_element_wise(*parts, ", ")
    if form == "short":
        bare = pa.array([row[0].removesuffix("市") for row in CITIES]).take(place)
        return pc.binary_join_element_wise(
            bare,
            district,
            pa.array(roads).take(road),
            number,
            pc.binary_join_element_wise("-", building, "-", room, ""),
            "",
        )
    if form == "heard":
        return pc.binary_join_element_wise(district, pa.array(roads).take(road), number, "号", building, "栋", room, "")
    province = pa.array(["" if row[1] == row[0] else row[1] for row in CITIES]).take(place)
    return pc.binary_join_element_wise(
        province, names, district, pa.array(roads).take(road), number, "号", building, "栋", room, "室", ""
    )
