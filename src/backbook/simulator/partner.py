"""The partner shop's deliveries: a small workbook of its members in pinyin, and their orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbook.simulator.days import Month, months_of
from backbook.simulator.delivery import Cents, Codes, Days, Delivery, Layout, Moments, by_id, serials
from backbook.simulator.records import Registry
from backbook.simulator.words import CITIES

ORDERS = Layout(separator="\t", ending=".tsv")


@dataclass(frozen=True)
class Partner:
    """What the partner shop delivers of one part."""

    registry: Registry
    part: int

    def deliver(self, delivery: Delivery, month: Month) -> None:
        stamp = f"{month.end:%Y-%m-%d}_{self.part:03d}"
        first = month.number == self.registry.world.settings.first.number
        delivery.workbook(f"partner/member_{stamp}", self._members(month, first))
        orders, daily = self._orders(month), month.number >= self.registry.world.settings.daily.number
        delivery.flow(
            "partner/order_{date:-}", month, self.part, orders, orders["ordered_at"].days, ORDERS, daily=daily
        )

    def _members(self, month: Month, first: bool) -> dict[str, object]:
        registry, chance = self.registry, self.registry.chance
        since = months_of(np.minimum(registry.member_since, 2**30))
        rows = np.flatnonzero((since <= month.number) if first else (since == month.number))
        at, numbers = pa.array(rows), registry.folk.number[rows]
        surname, given = (part.take(at) for part in registry.pinyin)
        turned = pa.array(chance.happens(0.4, "name turned", numbers))
        name = pc.if_else(
            turned, pc.binary_join_element_wise(given, surname, " "), pc.binary_join_element_wise(surname, given, " ")
        )
        loud = pa.array(chance.happens(0.25, "name loud", numbers))
        old = pa.array(chance.happens(0.2, "member old phone", numbers))
        phone = pc.if_else(old, registry.old_phone(rows), registry.phone(month.number, rows))
        return by_id({
            "Member No": self.registry.member_id.take(at),
            "Name": pc.if_else(loud, pc.utf8_upper(name), name),
            "Mobile": pc.binary_join_element_wise("+86 ", phone, ""),
            "E-mail": pc.if_else(pa.array(chance.happens(0.7, "member mail", numbers)), registry.email.take(at), ""),
            "Address": registry.address(month.number, "latin", rows),
            "City": Codes(registry.folk.city[rows], [row[6] for row in CITIES]),
            "Born": Days(registry.folk.birth[rows], "%d/%m/%Y"),
            "Joined": Days(registry.member_since[rows], "%d/%m/%Y"),
        }, "Member No")  # fmt: skip

    def _orders(self, month: Month) -> dict[str, Any]:
        registry, chance, number = self.registry, self.registry.chance, month.number
        folk = registry.folk
        rate = np.where(registry.member_since <= month.first, 0.35 * np.exp(0.4 * folk.activity), 0)
        count = chance.count(rate, "orders", folk.number, month=number)
        person = np.repeat(np.arange(len(folk)), count)
        nth = np.arange(len(person)) - np.repeat(np.cumsum(count) - count, count)
        key = folk.number[person]
        day = month.first + chance.whole(month.length, "order day", key, month=number, draw=nth)
        second = 28_800 + chance.whole(50_000, "order second", key, month=number, draw=nth)
        order = np.lexsort((key, second, day))
        yuan = np.exp(4.2 + 0.8 * chance.normal("order amount", key, month=number, draw=nth))
        return {
            "order_no": serials("S", month, self.part, len(person)),
            "member_no": self.registry.member_id.take(pa.array(person[order])),
            "ordered_at": Moments(day[order], second[order], "%d/%m/%Y %H:%M:%S"),
            "total": Cents((yuan * 100).astype(np.int64)[order]),
        }
