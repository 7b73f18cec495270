"""The app's deliveries: CSV with a byte order mark, lower-case names, ISO times, an .ok file when complete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbook.simulator.book import REFUSING
from backbook.simulator.chance import Array
from backbook.simulator.days import NEVER, Month, months_of
from backbook.simulator.delivery import Codes, Days, Delivery, Layout, Moments, Same, by_id, serials, words
from backbook.simulator.living import Facts
from backbook.simulator.offers import APP, OFFERS
from backbook.simulator.records import Registry
from backbook.simulator.touch import (
    ACCEPTED,
    CLICKED,
    EVENTS,
    OPTED_OUT,
    Reactions,
    campaign_names,
    reactions,
    visits,
    when,
)
from backbook.simulator.words import CITIES

FILE = Layout(mark=True, control="ok")
BIG = Layout(mark=True, control="ok", packed=True)


@dataclass(frozen=True)
class App:
    """What the app delivers of one part."""

    registry: Registry
    part: int

    def deliver(self, delivery: Delivery, month: Month, facts: Facts) -> None:
        settings = self.registry.world.settings
        first, daily = month.number == settings.first.number, month.number >= settings.daily.number
        reacted = reactions(self.registry.world, facts)
        delivery.text(f"app/user_{month.end:%Y-%m-%d}_{self.part:03d}", self._users(month, first), FILE)
        delivery.text(
            f"app/consent_{month.end:%Y-%m-%d}_{self.part:03d}", self._consents(month, facts, reacted, first), FILE
        )
        delivery.text(f"app/transfer_{month.end:%Y-%m-%d}_{self.part:03d}", self._transfers(month), FILE)
        for name, rows, time, layout in (
            ("event", self._events(month, facts), "event_time", BIG),
            ("push", self._pushes(month, facts, reacted), "send_time", FILE),
            ("push_result", self._results(month, facts, reacted), "result_time", FILE),
        ):
            day = rows[time].days
            delivery.flow(f"app/{name}_{{date:-}}", month, self.part, rows, day, layout, daily=daily)

    def _users(self, month: Month, first: bool) -> dict[str, object]:
        registry = self.registry
        since = months_of(np.minimum(registry.app_since, 2**30))
        new = (since <= month.number) if first else (since == month.number)
        numbers = registry.folk.number
        # Half of those who change their phone tell the app.
        tells = registry.chance.happens(0.5, "tells the app", numbers)
        changed = (since < month.number) & tells & (registry.change_month("phone") == month.number)
        rows = np.flatnonzero(new | changed)
        at = pa.array(rows)
        told = pa.array(tells[rows])
        phone = pc.if_else(told, registry.phone(month.number, rows), registry.old_phone(rows))
        verified = registry.chance.happens(0.62, "verified", numbers)[rows]
        nameless = registry.chance.happens(0.08, "nameless", numbers)[rows]
        mailed = registry.chance.happens(0.4, "has mail", numbers)[rows]
        spaced = pc.binary_join_element_wise(registry.name.take(at), pa.scalar(" "), "")
        name = pc.if_else(
            pa.array(registry.chance.happens(0.05, "spaced", numbers)[rows]), spaced, registry.name.take(at)
        )
        return by_id({
            "user_id": self.registry.user_id.take(at),
            "real_name": pc.if_else(pa.array(nameless), "", name),
            "id_no": pc.if_else(pa.array(verified), registry.document.take(at), ""),
            "mobile": phone,
            "mail": pc.if_else(pa.array(mailed), registry.email.take(at), ""),
            "addr": registry.address(month.number, "short", rows),
            "city_name": Codes(registry.folk.city[rows], [row[0].removesuffix("市") for row in CITIES]),
            "gender": Codes(registry.folk.woman[rows].astype(np.int64), ["M", "F"]),
            "device_id": self._devices(rows),
            "register_time": Moments(registry.app_since[rows], 28_800 + registry.chance.whole(50_000, "registers", numbers)[rows]),
        }, "user_id")  # fmt: skip

    def _devices(self, person: Array) -> pa.Array:
        """One device a person; in a quarter of the households both use the device of the first."""
        owner = self.registry.folk.number[person]
        shared = self.registry.household[person] & self.registry.chance.happens(0.25, "shared device", owner // 2)
        number = self.registry.chance.shuffled("device", np.where(shared, owner // 2 * 2, owner), bits=40)
        return pc.binary_join_element_wise("dev", words(number), "-")

    def _transfers(self, month: Month) -> dict[str, object]:
        """Money sent in the app from one of a household to the other: told once, in the month of the first time."""
        registry, numbers = self.registry, self.registry.folk.number
        sends = registry.household & registry.chance.happens(0.4, "transfers", numbers)
        since = np.where(registry.app_since < NEVER, registry.app_since + 60, NEVER)
        other_since = np.where(registry.has_neighbour, registry.app_since[self._other(numbers)], NEVER)
        since = np.maximum(since, np.where(other_since < NEVER, other_since + 5, NEVER))
        first = self.registry.world.settings.first.number
        when_ = np.maximum(months_of(np.minimum(since, 2**30)), first)
        rows = np.flatnonzero(sends & (since < NEVER) & (when_ == month.number))
        return by_id({
            "user_id": registry.user_id.take(pa.array(rows)),
            "to_user_id": registry.user_id.take(pa.array(self._other(numbers)[rows])),
            "first_on": Days(np.minimum(since[rows], month.last), "%Y-%m-%d"),
        }, "user_id")  # fmt: skip

    def _other(self, numbers: Array) -> Array:
        """Position of the neighbour: those who have one stand in pairs."""
        place = np.arange(len(numbers))
        return np.where(self.registry.has_neighbour, place ^ 1, place)

    def _events(self, month: Month, facts: Facts) -> dict[str, Any]:
        found = visits(self.registry.world, facts, self.registry.app_since)
        order = np.lexsort((self.registry.folk.number[found.person] * 31 % 9973, found.second, found.day))
        person, anonymous = found.person[order], found.anonymous[order]
        stay = words(found.milliseconds[order])
        n = len(order)
        return {
            "event_id": serials("e", month, self.part, n),
            "event_time": Moments(found.day[order], found.second[order]),
            "event_name": Codes(found.name[order], EVENTS),
            "user_id": Codes(np.where(anonymous, -1, person), self.registry.user_id),
            "device_id": self._devices(person),
            "props": pc.binary_join_element_wise('{"stay_ms":', stay, "}", ""),
        }

    def _contacts(self, facts: Facts) -> Array:
        made = facts.decisions.contacts
        rows = np.flatnonzero(made.channel == APP)
        lot = self.registry.world.accounts.lot[made.account[rows]]
        return rows[np.lexsort((lot, made.second[rows], made.day[rows]))]

    def _persons(self, facts: Facts, rows: Array) -> Array:
        return self.registry.world.accounts.person[facts.decisions.contacts.account[rows]]

    def _pushes(self, month: Month, facts: Facts, reacted: Reactions) -> dict[str, Any]:
        made, rows = facts.decisions.contacts, self._contacts(facts)
        status = np.where(made.held_out[rows], 2, np.where(reacted.delivered[rows], 0, 1))
        return {
            "push_id": serials("p", month, self.part, len(rows)),
            "user_id": self.registry.user_id.take(pa.array(self._persons(facts, rows))),
            "send_time": Moments(made.day[rows], made.second[rows]),
            "campaign": campaign_names(made.offer[rows], month),
            "offer": Codes(made.offer[rows], OFFERS),
            "group": Codes(made.held_out[rows].astype(np.int64), ["test", "control"]),
            "prob": pa.array([f"{chance:.4f}" for chance in made.propensity[rows]], pa.string()),
            "status": Codes(status, ["delivered", "failed", "held"]),
            "open_time": when(made.day[rows], made.second[rows] + 900, reacted.opened[rows]),
            "click_time": when(made.day[rows], made.second[rows] + 930, reacted.clicked[rows]),
            "decision_id": made.decision_id[rows],
        }

    def _results(self, month: Month, facts: Facts, reacted: Reactions) -> dict[str, Any]:
        made, rows = facts.decisions.contacts, self._contacts(facts)
        push = serials("p", month, self.part, len(rows))
        kinds = ((CLICKED, reacted.clicked), (ACCEPTED, reacted.accepted), (OPTED_OUT, reacted.opted_out))
        place = np.concatenate([np.flatnonzero(which[rows]) for _, which in kinds])
        kind = np.concatenate([np.full(int(which[rows].sum()), each) for each, which in kinds])
        order = np.lexsort((kind, place))
        place, kind = place[order], kind[order]
        chosen = rows[place]
        day = np.where(kind == ACCEPTED, reacted.answered[chosen], made.day[chosen])
        return {
            "result_id": serials("r", month, self.part, len(chosen)),
            "push_id": push.take(pa.array(place)),
            "user_id": self.registry.user_id.take(pa.array(self._persons(facts, chosen))),
            "result_time": Moments(day, np.minimum(made.second[chosen] + 960, 86_399)),
            "result": Codes(kind, ["", "", "click", "accept", "", "unsubscribe"]),
            "offer": Codes(made.offer[chosen], OFFERS),
        }

    def _consents(self, month: Month, facts: Facts, reacted: Reactions, first: bool) -> dict[str, object]:
        """What was agreed on at registration, and what was taken back since."""
        registry = self.registry
        since = months_of(np.minimum(registry.app_since, 2**30))
        new = np.flatnonzero((since <= month.number) if first else (since == month.number))
        numbers = registry.folk.number[new]
        refused = registry.chance.happens(REFUSING[APP], f"refuses {APP}", numbers)
        back = np.flatnonzero(reacted.opted_out & (facts.decisions.contacts.channel == APP))
        back_person = self._persons(facts, back)
        person = np.concatenate([new, back_person])
        day = np.concatenate([registry.app_since[new], facts.decisions.contacts.day[back]])
        second = np.concatenate(
            [np.full(len(new), 36_000), np.minimum(facts.decisions.contacts.second[back] + 970, 86_399)]
        )
        granted = np.concatenate([~refused, np.zeros(len(back), bool)])
        return by_id({
            "user_id": self.registry.user_id.take(pa.array(person)),
            "channel": Same("push", len(person)),
            "agreed": granted,
            "agreed_time": Moments(day, second),
            "page_version": Days(day, "v%Y.%m"),
        }, "user_id")  # fmt: skip
