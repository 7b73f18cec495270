"""The call centre's deliveries: GBK with Chinese headers, names as somebody heard them.

It sends the bank's SMS and makes its calls, so most rows carry the core's customer number; who called by
himself has a number of the call centre's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbook.simulator.book import OPEN, REFUSING, State
from backbook.simulator.chance import Array
from backbook.simulator.days import Month, months_of
from backbook.simulator.delivery import Cents, Codes, Delivery, Layout, Moments, by_id, serials, words
from backbook.simulator.living import Facts
from backbook.simulator.offers import APP, OFFERS, REMINDER, SMS
from backbook.simulator.records import Registry
from backbook.simulator.touch import Reactions, campaign_names, reactions, when
from backbook.simulator.words import CITIES, COMPLAINTS

FILE = Layout(encoding="gbk", control="ctl", ending=".csv")


@dataclass(frozen=True)
class CallCentre:
    """What the call centre delivers of one part."""

    registry: Registry
    part: int

    def deliver(self, delivery: Delivery, month: Month, state: State, facts: Facts) -> None:
        stamp = f"{month.end:%Y%m%d}_{self.part:03d}"
        first = month.number == self.registry.world.settings.first.number
        reacted = reactions(self.registry.world, facts)
        delivery.text(f"call_centre/kehu_{stamp}", self._callers(month, first), FILE)
        delivery.text(f"call_centre/tuiding_{stamp}", self._consents(month, facts, reacted, first), FILE)
        delivery.text(f"call_centre/qingqiu_{stamp}", self._requests(month), FILE)
        daily = month.number >= self.registry.world.settings.daily.number
        contacts, feedback = self._contacts(month, facts, reacted), self._feedback(month, state, facts, daily)
        delivery.flow("call_centre/waihu_{date}", month, self.part, contacts, contacts["时间"].days, FILE, daily=daily)
        delivery.flow("call_centre/tousu_{date}", month, self.part, *feedback, FILE, daily=daily)

    def _callers(self, month: Month, first: bool) -> dict[str, object]:
        registry, chance = self.registry, self.registry.chance
        since = months_of(np.minimum(registry.call_since, 2**30))
        rows = np.flatnonzero((since <= month.number) if first else (since == month.number))
        at, numbers = pa.array(rows), registry.folk.number[rows]
        luck = chance.uniform("name heard", numbers)
        surname = pc.utf8_slice_codeunits(registry.name.take(at), 0, 1)
        title = pc.binary_join_element_wise(
            surname, pa.array(["先生", "女士"]).take(pa.array(registry.folk.woman[rows].astype(np.int8))), ""
        )
        name = pc.if_else(
            pa.array(luck < 0.55),
            registry.name.take(at),
            pc.if_else(pa.array(luck < 0.85), registry.misheard.take(at), title),
        )
        other = chance.happens(0.25, "calls from elsewhere", numbers)
        phone = pc.if_else(pa.array(other), registry.other_phone(rows), registry.phone(month.number, rows))
        form = pa.array(chance.whole(3, "phone form", numbers) == 0)
        phone = pc.if_else(form, _dashed(phone), phone)
        tail = pc.utf8_slice_codeunits(registry.document.take(at), 14)
        return by_id({
            "来电客户号": self.registry.caller_id.take(at),
            "姓名": name,
            "来电号码": phone,
            "证件后四位": pc.if_else(pa.array(chance.happens(0.5, "tells digits", numbers)), tail, ""),
            "联系地址": pc.if_else(pa.array(chance.happens(0.6, "tells address", numbers)), registry.address(month.number, "heard", rows), ""),
            "城市": Codes(registry.folk.city[rows], [row[0] for row in CITIES]),
            "建档时间": Moments(registry.call_since[rows], 32_400 + chance.whole(30_000, "first call", numbers), "%Y/%m/%d %H:%M"),
        }, "来电客户号")  # fmt: skip

    def _requests(self, month: Month) -> dict[str, object]:
        """Customers who want their tags deleted, or offers that are made to nobody in particular (PIPL 24, 47)."""
        registry, chance = self.registry, self.registry.chance
        numbers = registry.folk.number
        asks = chance.happens(0.004, "privacy request", numbers, month=month.number)
        rows = np.flatnonzero(asks & (registry.call_since <= month.first))
        key = numbers[rows]
        day = month.first + chance.whole(month.length, "privacy day", key, month=month.number)
        second = 32_400 + chance.whole(30_000, "privacy second", key, month=month.number)
        in_time = np.lexsort((second, day))
        rows, key, day, second = rows[in_time], key[in_time], day[in_time], second[in_time]
        return by_id({
            "请求号": serials("Q", month, self.part, len(rows)),
            "来电客户号": self.registry.caller_id.take(pa.array(rows)),
            "时间": Moments(day, second, "%Y/%m/%d %H:%M"),
            "类型": Codes(chance.whole(2, "privacy kind", key, month=month.number), ["删除标签", "关闭个性化"]),
            "坐席": Codes(chance.whole(40, "agent", key, month=month.number), [f"A{number:03d}" for number in range(40)]),
        }, "请求号")  # fmt: skip

    def _contacts(self, month: Month, facts: Facts, reacted: Reactions) -> dict[str, Any]:
        registry, made = self.registry, facts.decisions.contacts
        rows = np.flatnonzero(made.channel != APP)
        lot = registry.world.accounts.lot[made.account[rows]]
        rows = rows[np.lexsort((lot, made.second[rows], made.day[rows]))]
        record = registry.record_of_account[made.account[rows]]
        called = made.channel[rows] != SMS
        code = np.select(
            [made.held_out[rows], ~reacted.delivered[rows], reacted.opted_out[rows], reacted.accepted[rows], reacted.refused[rows]],
            [0, 1, 5, 3, 4], 2,
        )  # fmt: skip
        cents = np.where(made.held_out[rows], 0, np.where(called, 320, 4))
        delivered = reacted.delivered[rows]
        return {
            "流水号": serials("C", month, self.part, len(rows)),
            "客户号": registry.customer_no.take(pa.array(record)),
            "方式": Codes(called.astype(np.int64), ["短信", "外呼"]),
            "时间": Moments(made.day[rows], made.second[rows], "%Y/%m/%d %H:%M"),
            "目的": Codes((made.offer[rows] == REMINDER).astype(np.int64), ["营销", "催收"]),
            "活动": campaign_names(made.offer[rows], month),
            "方案": Codes(made.offer[rows], OFFERS),
            "分组": Codes(made.held_out[rows].astype(np.int64), ["实验组", "对照组"]),
            "概率": pa.array([f"{chance:.4f}" for chance in made.propensity[rows]], pa.string()),
            "结果": Codes(code, ["未发送", "未接通", "已送达", "同意", "拒绝", "退订"]),
            "送达时间": _minutes(when(made.day[rows], made.second[rows] + 60, delivered)),
            "成本": Cents(cents),
            "决策号": made.decision_id[rows],
        }

    def _consents(self, month: Month, facts: Facts, reacted: Reactions, first: bool) -> dict[str, object]:
        """Agreements of new customers to SMS and calls, and who took them back."""
        registry, made = self.registry, facts.decisions.contacts
        n = len(registry.folk)
        created = registry.created[:n]
        new = np.flatnonzero((created <= month.last) & ((created >= month.first) | first))
        sides = []
        for channel in (1, 2):
            refused = registry.chance.happens(REFUSING[channel], f"refuses {channel}", registry.folk.number[new])
            sides.append((new, np.full(len(new), channel), created[new], np.full(len(new), 36_000), ~refused))
        back = np.flatnonzero(reacted.opted_out & (made.channel != APP))
        sides.append(
            (
                registry.world.accounts.person[made.account[back]],
                made.channel[back],
                made.day[back],
                made.second[back],
                np.zeros(len(back), bool),
            )
        )
        person, side, day, second, granted = (np.concatenate(column) for column in zip(*sides, strict=True))
        return by_id({
            "客户号": registry.customer_no.take(pa.array(person)),
            "渠道": Codes(side, ["", "短信", "电话"]),
            "意愿": Codes(granted.astype(np.int64), ["拒绝", "同意"]),
            "时间": Moments(day, second, "%Y/%m/%d %H:%M"),
        }, "客户号")  # fmt: skip

    def _feedback(self, month: Month, state: State, facts: Facts, daily: bool) -> tuple[dict[str, Any], Array]:
        """Answers to the satisfaction call and complaints, of those who have ever called; and the day it is told.

        Where files come daily, a complaint is told when it is made, and again when it is settled.
        """
        registry, chance, number = self.registry, self.registry.chance, month.number
        numbers = registry.folk.number
        there = (registry.call_since <= month.first) & _has_open_account(registry, state)
        asked = np.flatnonzero(there & chance.happens(0.02, "survey", numbers, month=number))
        late = np.zeros(len(numbers), bool)
        late[registry.world.accounts.person[facts.cycles > 0]] = True
        angry = 0.004 * np.exp(-0.4 * registry.folk.loyalty) + 0.02 * late
        complains = np.flatnonzero(there & chance.happens(angry, "complains", numbers, month=number))
        person = np.concatenate([asked, complains])
        is_complaint = np.repeat([False, True], [len(asked), len(complains)])
        key = numbers[person]
        score = np.clip(
            np.round(7.2 + 1.6 * registry.folk.loyalty[person] + 1.2 * chance.normal("answer", key, month=number)),
            0,
            10,
        ).astype(np.int64)
        topic = np.where(is_complaint, chance.whole(len(COMPLAINTS), "topic", key, month=number), -1)
        topic = np.where(
            is_complaint & late[person] & chance.happens(0.6, "collection topic", key, month=number), 5, topic
        )
        day = month.first + chance.whole(month.length - 6, "feedback day", key, month=number)
        second = 32_400 + chance.whole(30_000, "feedback second", key, month=number)
        in_time = np.lexsort((second, day))
        again = np.flatnonzero(is_complaint[in_time]) if daily else np.zeros(0, np.int64)
        row = np.concatenate([np.arange(len(person)), again])
        settled = np.arange(len(row)) >= len(person) if daily else np.ones(len(row), bool)
        ids = serials("F", month, self.part, len(person)).take(pa.array(row))
        rows = in_time[row]
        person, is_complaint, topic, score = person[rows], is_complaint[rows], topic[rows], score[rows]
        day, second = day[rows], second[rows]
        return {
            "工单号": ids,
            "来电客户号": self.registry.caller_id.take(pa.array(person)),
            "时间": Moments(day, second, "%Y/%m/%d %H:%M"),
            "类型": Codes(is_complaint.astype(np.int64), ["NPS", "投诉"]),
            "评分": pc.if_else(pa.array(is_complaint), "", words(score)),
            "主题": Codes(topic, [name for name, _ in COMPLAINTS]),
            "内容": Codes(topic, [text for _, text in COMPLAINTS]),
            "办结时间": _minutes(when(day + 3, second, is_complaint & settled)),
        }, np.where(settled & daily, day + 3, day)


def _has_open_account(registry: Registry, state: State) -> np.ndarray:
    found = np.zeros(len(registry.folk), bool)
    found[registry.world.accounts.person[state.status == OPEN]] = True
    return found


def _minutes(moments: Moments) -> Moments:
    return Moments(moments.days, moments.seconds, "%Y/%m/%d %H:%M")


def _dashed(phone: pa.Array) -> pa.Array:
    parts = [pc.utf8_slice_codeunits(phone, a, b) for a, b in ((0, 3), (3, 7), (7, 11))]
    return pc.binary_join_element_wise(*parts, "-")
