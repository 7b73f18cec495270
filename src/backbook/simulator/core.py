"""The card core's deliveries: upper-case names after the pinyin, codes for words, `|+|` and \\x01 between fields.

Customers come as a history with start and end dates (拉链表), accounts and balances as they stand at each
month's end, the rest as what is new since the last delivery.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

from backbook.simulator import besides
from backbook.simulator.bank import BY_CUSTOMER, FIXED, REASONS, total_cap
from backbook.simulator.book import BILL, CLOSED, State
from backbook.simulator.cards import Cards, cards
from backbook.simulator.chance import Array
from backbook.simulator.days import NEVER, Month, months_of
from backbook.simulator.delivery import (
    TABLE,
    Cents,
    Codes,
    Days,
    Delivery,
    Layout,
    Moments,
    Same,
    by_id,
    end_to_end,
    rows_of,
    serials,
    words,
)
from backbook.simulator.living import Facts, PlanRows, World, plan_rows
from backbook.simulator.marks import marks
from backbook.simulator.people import OCCUPATIONS
from backbook.simulator.postings import CASH, PURCHASE, REFUND, Postings, in_time, joined
from backbook.simulator.records import Registry
from backbook.simulator.rewards import BENEFITS
from backbook.simulator.settings import DAYS_TO_PAY, PRODUCTS
from backbook.simulator.words import ABROAD, CATEGORIES, CITIES

OLD = Layout(separator="|+|", header=False, ending=".dat", control="ctl")
OLD_PACKED = Layout(separator="|+|", header=False, ending=".dat", packed=True, control="ctl", sums="TZZE")
HIVE = Layout(separator="\x01", header=False, ending=".txt", packed=True, control="ctl", sums="JYJE")
BARS = Layout(separator="|", ending=".txt", packed=True, control="ctl", sums="BQYH")

_MERCHANTS = [name for row in CATEGORIES for name in row[5].split()]
_WALLETS = ("01", "02", "03")  # WeChat Pay, Alipay, UnionPay


@dataclass(frozen=True)
class Core:
    """What the core delivers of one part."""

    world: World
    registry: Registry
    cards: Cards
    part: int

    @classmethod
    def of(cls, registry: Registry, part: int) -> Core:
        return cls(registry.world, registry, cards(registry.world), part)

    def deliver(self, delivery: Delivery, month: Month, state: State, facts: Facts) -> None:
        """All files of one month."""
        stamp = f"{month.end:%Y%m%d}_{self.part:03d}"
        first = month.number == self.world.settings.first.number
        if first and self.part == 1:
            delivery.text(f"core/CPXX_{stamp}", _products(), TABLE)
        daily = month.number >= self.world.settings.daily.number
        delivery.text(f"core/KHXX_{stamp}", self._customers(month, first), OLD)
        delivery.text(f"core/ZHXX_{stamp}", self._accounts(month, state, facts), OLD_PACKED)
        delivery.text(f"core/KPXX_{stamp}", self._cards(month, state, first), TABLE)
        delivery.text(f"core/EDXX_{stamp}", self._limits(month, state, facts, first), TABLE)
        self._postings(delivery, month, facts, daily)
        delivery.text(f"core/ZDXX_{stamp}", self._statements(month, state, facts), BARS)
        delivery.text(f"core/FQXX_{stamp}", self._plans(month, state, facts), TABLE)
        delivery.text(f"core/BJXX_{stamp}", self._marks(month, state, facts, first), TABLE)
        delivery.text(f"core/ZXBG_{stamp}", besides.bureau(self.registry, month, state), TABLE)
        delivery.text(f"core/GSXX_{stamp}", self._assignments(month, first), TABLE)
        delivery.text(f"core/GXXX_{stamp}", self._relations(month, first), TABLE)
        delivery.text(f"core/JFLS_{stamp}", self._points(month, facts), TABLE)
        delivery.text(f"core/QYHX_{stamp}", self._benefits(month, facts), TABLE)
        delivery.text(f"core/ZCXX_{stamp}", besides.holdings(self.registry, month), TABLE)
        delivery.text(f"core/SFPF_{stamp}", besides.outside_scores(self.registry, month, state), TABLE)
        delivery.text(f"core/BQKB_{stamp}", besides.old_tags(self.registry, month, first), TABLE)
        delivery.text(f"core/HPXX_{stamp}", self._executions(month, facts), TABLE)

    def _account(self, rows: Array) -> pa.Array:
        return self.registry.account_id.take(pa.array(rows))

    def _customer_of(self, number: Array) -> Array:
        """Customer numbers of people of any part."""
        return np.asarray(self.registry.customer_numbers(number * 2).to_numpy(zero_copy_only=False))

    def _customer(self, record: Array) -> pa.Array:
        return self.registry.customer_no.take(pa.array(record))

    def _customers(self, month: Month, first: bool) -> dict[str, object]:
        """New versions of customer records, and the old ones with the day on which they ended."""
        registry = self.registry
        created = months_of(registry.created)
        new = (created <= month.number) if first else (created == month.number)
        changed = (created < month.number) & registry.changed_in(month.number)[registry.person] & ~registry.again & ~new
        changed_day = month.first + 14
        ended = self._version(month.number - 1, np.flatnonzero(changed), None, changed_day)
        begun = self._version(
            month.number, np.flatnonzero(new | changed), np.where(changed, changed_day, registry.created), NEVER
        )
        rows = {name: pa.concat_arrays([words(begun[name]), words(ended[name])]) for name in begun}
        return by_id(rows, "KHH")

    def _version(self, month: int, records: Array, starts: Array | None, ends: int) -> dict[str, object]:
        registry, folk = self.registry, self.world.folk
        person = registry.person[records]
        at = pa.array(person)
        again = registry.again[records]
        old_document = again & self.world.chance.happens(0.5, "old document", folk.number[person])
        started = registry.created if starts is None else starts
        n = len(records)
        income = pa.array(registry.reported_income(month)[person])
        return {
            "KHH": self._customer(records),
            "KHXM": registry.name.take(at),
            "ZJLX": Codes(old_document.astype(np.int64), ["110001", "110003"]),
            "ZJHM": _either(old_document, registry.short_document.take(at), registry.document.take(at)),
            "CSRQ": Days(folk.birth[person]),
            "XB": Codes(folk.woman[person].astype(np.int64), ["1", "2"]),
            "SJH": _either(again, registry.old_phone(person), registry.phone(month, person)),
            "JTDZ": registry.address(month, "full", person),
            "CSDM": Codes(folk.city[person], [row[3] + "00" for row in CITIES]),
            "YZBM": Codes(folk.city[person], [row[2] for row in CITIES]),
            "XLDM": Codes(folk.education[person], ["60", "30", "20", "10"]),
            "HYZK": Codes(folk.married[person].astype(np.int64), ["10", "20"]),
            "ZYDM": Codes(folk.occupation[person], [f"{10 + k}" for k in range(len(OCCUPATIONS))]),
            "GZDW": registry.employer.take(at),
            "YSR": income,
            "KHRQ": Days(registry.created[records]),
            "KSRQ": Days(started[records] if ends == NEVER else registry.created[records]),
            "JSRQ": Days(np.full(n, ends), never="99991231"),
        }

    def _accounts(self, month: Month, state: State, facts: Facts) -> dict[str, object]:
        accounts, registry = self.world.accounts, self.registry
        # Who closed is told once more; the written-off stay, for what is still recovered from them.
        told = (state.closed >= month.first) | (state.status != CLOSED)
        rows = np.flatnonzero((accounts.opened <= month.last) & told)
        rows = rows[np.argsort(registry.account_rank[rows])]
        cycles, days = facts.cycles[rows], facts.days_past_due[rows]
        outstanding = state.outstanding()[rows]
        return {
            "ZH": self._account(rows),
            "KHH": self._customer(registry.record_of_account[rows]),
            "EDH": registry.line_id.take(pa.array(accounts.line[rows])),
            "CPDM": Codes(accounts.product[rows], [product.product_id for product in PRODUCTS]),
            "BZ": Same("156", len(rows)),
            "KHRQ": Days(accounts.opened[rows]),
            "XHRQ": Days(state.closed[rows]),
            "ZHZT": Codes(state.status[rows], ["A", "C", "W"]),
            "ZFBZ": Codes(state.blocked[rows].astype(np.int64), ["", "P"]),
            "XYED": Cents(state.limit[accounts.line[rows]]),
            "ZMYE": Cents(state.ledger[rows]),
            "TZZE": Cents(state.ledger[rows] + outstanding),
            "FQYE": Cents(outstanding),
            "SXYE": Cents(
                np.where(state.billed[rows] > state.due[rows, 0], state.bill[rows, BILL.index("revolving")], 0)
            ),
            "YQJE": Cents(np.where(days > 0, _overdue(accounts.early, state)[rows], 0)),
            "YQTS": days,
            "YQQS": cycles,
            "ZDR": accounts.cycle_day[rows],
            "ZDHK": accounts.autopay[rows],
        }

    def _cards(self, month: Month, state: State, first: bool) -> dict[str, object]:
        issued, gone = self.cards, self._gone(month, state)
        this_month = [
            months_of(np.minimum(days, NEVER - 1)) == month.number for days in (issued.issued, issued.activated)
        ]
        moved = np.any(this_month, axis=0) | ((gone >= month.first) & (gone <= month.last))
        there = issued.issued <= month.last
        alive_before = state.closed[issued.account] >= month.first
        rows = np.flatnonzero(there & alive_before & (moved | first))
        replaces = issued.replaces[rows]
        holder = issued.holder[rows]
        return by_id({
            "KPH": issued.token.take(pa.array(rows)),
            "ZH": self._account(issued.account[rows]),
            "CKRKHH": self._customer(np.where(issued.kind[rows] == 2, holder, self.registry.record_of_account[issued.account[rows]])),
            "KPLX": Codes(issued.kind[rows], ["M", "V", "S", "M"]),
            "FKRQ": Days(issued.issued[rows]),
            "JHRQ": Days(np.where(issued.activated[rows] <= month.last, issued.activated[rows], NEVER)),
            "YXQ": Days(issued.expires[rows]),
            "ZXRQ": Days(np.where(gone[rows] <= month.last, gone[rows], NEVER)),
            "YKPH": Codes(replaces, issued.token),
            "ZCK": Codes((self.world.accounts.product[issued.account[rows]] == 5).astype(np.int64), ["N", "Y"]),
        }, "KPH")  # fmt: skip

    def _gone(self, month: Month, state: State) -> Array:
        """The day on which each card became void: replaced, or its account closed."""
        return np.minimum(
            np.where(self.cards.replaced < NEVER, self.cards.replaced + 10, NEVER), state.closed[self.cards.account]
        )

    def _limits(self, month: Month, state: State, facts: Facts, first: bool) -> dict[str, object]:
        """New lines with the customer's total, and the limits set, asked for or refused in the month."""
        accounts = self.world.accounts
        changes = facts.decisions.limits
        first_of_line = np.unique(accounts.line, return_index=True)[1]
        opened = accounts.opened[first_of_line]
        starts = months_of(opened)
        new = np.flatnonzero((starts <= month.number) if first else (starts == month.number))
        # A limit that changed in the first month is told as a change.
        given = new[~np.isin(new, changes.line[changes.granted & (changes.kind == FIXED)])]
        line = np.concatenate([given, new, changes.line])
        sizes = [len(given), len(new), len(changes.line)]
        never = np.full(sizes[0] + sizes[1], NEVER)
        kind = np.concatenate([np.repeat([0, 2], sizes[:2]), changes.kind])
        cap = total_cap(self.world.folk, accounts)
        return by_id({
            "EDH": Codes(np.where(kind == 2, -1, line), self.registry.line_id),
            "KHH": self._customer(self.registry.record_of_account[first_of_line[line]]),
            "EDLX": Codes(kind, ["G", "L", "Z"]),
            "EDJE": Cents(np.concatenate([state.limit[given], cap[new], changes.amount])),
            "SXRQ": Days(np.concatenate([opened[given], opened[new], changes.day])),
            "DQRQ": Days(np.concatenate([never, changes.until])),
            "SQF": Codes(np.concatenate([np.full(len(never), BY_CUSTOMER), changes.asked_by]), ["H", "K"]),
            "SPJG": Codes(np.concatenate([np.ones(len(never), np.int64), changes.granted.astype(np.int64)]), ["0", "1"]),
        }, "KHH")  # fmt: skip

    def _postings(self, delivery: Delivery, month: Month, facts: Facts, daily: bool) -> None:
        """Postings and requests; from the day on which files come daily, a few come late and a few are corrected."""
        posted = facts.postings
        rows = self._posted(month, posted)
        if not daily:
            delivery.flow("core/JYLS_{date}", month, self.part, rows, posted.day, HIVE, daily=False)
            refused = self._requests(month, facts.declined.asked, facts.declined.reason, None)
            delivery.flow("core/SQLS_{date}", month, self.part, refused, facts.declined.asked.day, TABLE, daily=False)
            return
        luck = self.world.chance.uniform(
            "late posting", self.world.accounts.key[posted.account] * 100_000 + posted.second, month=month.number
        )
        bought = posted.code == PURCHASE
        late = bought & (luck < 0.003) & (posted.day + 2 <= month.last)
        # The merchant told first was the payment company's; what is corrected comes again three days later.
        mended = np.flatnonzero(bought & (luck > 0.998) & (posted.day + 3 <= month.last))
        told = rows | {
            "SHMC": Codes(np.where(np.isin(np.arange(len(posted)), mended), -1, posted.merchant), _MERCHANTS)
        }
        again = {name: rows_of(column, mended) for name, column in rows.items()}
        day = np.concatenate([posted.day + 2 * late, posted.day[mended] + 3])
        both = {name: end_to_end(told[name], again[name]) for name in rows}
        delivery.flow("core/JYLS_{date}", month, self.part, both, day, HIVE, daily=True)
        spent = np.flatnonzero(np.isin(posted.code, (PURCHASE, CASH)))
        asked = joined([posted.at(spent), facts.declined.asked])
        reason = np.concatenate([np.zeros(len(spent), np.int64), facts.declined.reason])
        became = np.concatenate([spent, np.full(len(facts.declined.asked), -1)])
        requests = self._requests(month, asked, reason, Codes(became, rows["JYLSH"]))
        order = in_time(self.world.accounts, asked)
        delivery.flow("core/SQLS_{date}", month, self.part, requests, asked.day[order], TABLE, daily=True)

    def _posted(self, month: Month, posted: Postings) -> dict[str, Any]:
        number = serials("", month, self.part, len(posted))
        spent = (posted.code == PURCHASE) | (posted.code == REFUND)
        bought = np.where(spent | (posted.city >= 0), posted.account, -1)
        card = self.cards.used(posted.account, posted.card, posted.day)
        abroad = posted.abroad
        rates = np.array([row[3] for row in ABROAD])
        original = np.round(posted.amount * rates[np.maximum(abroad, 0)]).astype(np.int64)
        clock = Moments(posted.day, posted.second, "%Y%m%d%H%M%S")
        return {
            "JYLSH": number,
            "ZH": self._account(posted.account),
            "KPH": Codes(np.where(bought >= 0, card, -1), self.cards.token),
            "RZSJ": clock,
            "JYDM": posted.code,
            "JYJE": Cents(posted.amount),
            "YLSH": Codes(posted.reverses, number),
            "MCC": Codes(posted.category, [row[1] for row in CATEGORIES]),
            "SHMC": Codes(posted.merchant, _MERCHANTS),
            "JYCS": _city_text(posted),
            "GJDM": Codes(
                np.where(abroad >= 0, abroad + 1, np.where(posted.city >= 0, 0, -1)),
                ["CN", *(row[0] for row in ABROAD)],
            ),
            "SRFS": Codes(np.where(spent, posted.online.astype(np.int64), -1), ["051", "812"]),
            "QBDM": Codes(posted.wallet, _WALLETS),
            "YBJE": Cents(original, given=abroad >= 0),
            "YBBZ": Codes(abroad, [row[2] for row in ABROAD]),
        }

    def _requests(self, month: Month, asked: Postings, reason: Array, became: Codes | None) -> dict[str, Any]:
        """Requests at a till in the order of time; before files came daily, only those that were refused are known."""
        order = in_time(self.world.accounts, asked)
        asked, reason = asked.at(order), reason[order]
        posted = Codes(np.full(len(asked), -1), [""]) if became is None else rows_of(became, order)
        return {
            "SQLSH": serials("A", month, self.part, len(asked)),
            "ZH": self._account(asked.account),
            "KPH": Codes(self.cards.used(asked.account, asked.card, asked.day), self.cards.token),
            "SQSJ": Moments(asked.day, asked.second, "%Y%m%d%H%M%S"),
            "SQJE": Cents(asked.amount),
            "YDM": Codes(reason, ["00", "51", "55"]),
            "MCC": Codes(asked.category, [row[1] for row in CATEGORIES]),
            "SHMC": Codes(asked.merchant, _MERCHANTS),
            "QBDM": Codes(asked.wallet, _WALLETS),
            "RZLSH": posted,
        }

    def _statements(self, month: Month, state: State, facts: Facts) -> dict[str, object]:
        """This month's statements, and last month's again once it is known what was paid on them."""
        accounts = self.world.accounts
        # Accounts closed before the first delivery were never told.
        told = state.closed[facts.settled] >= self.world.settings.first.first
        settled = facts.settled[told]
        rows = np.concatenate([facts.billed, settled])
        bills = np.concatenate([state.bill[facts.billed], facts.settled_bills[told]])
        known = np.concatenate([accounts.early[facts.billed], np.ones(len(settled), bool)])
        paid = np.concatenate([state.in_time[facts.billed], facts.settled_in_time[told]])
        column = {name: bills[:, place] for place, name in enumerate(BILL)}
        order = np.lexsort((self.registry.account_rank[rows], column["on"]))
        money = ("total", "revolving", "instalments", "purchases", "advances", "payments", "interest", "fees", "limit")
        names = ("TZZE", "SXYE", "FQYE", "BQXF", "BQQX", "BQHK", "BQLX", "BQFY", "XYED")
        return {
            "ZH": self._account(rows[order]),
            "ZDRQ": Days(column["on"][order]),
            "DQRQ": Days(column["on"][order] + DAYS_TO_PAY),
            "BQYH": Cents(column["closing"][order]),
            "ZDHKE": Cents(column["minimum"][order]),
            "DQQHK": Cents(paid[order], given=known[order]),
            **{name: Cents(column[which][order]) for name, which in zip(names, money, strict=True)},
            "YQQS": column["cycles"][order],
            "YQTS": column["days_past_due"][order],
        }

    def _plans(self, month: Month, state: State, facts: Facts) -> dict[str, object]:
        running, ended = plan_rows(state, (state.plan > 0) & (state.plan_left > 0)), facts.plans_ended
        rows = PlanRows(
            **{
                field.name: np.concatenate([getattr(running, field.name), getattr(ended, field.name)])
                for field in fields(PlanRows)
            }
        )
        closed = np.concatenate([np.full(len(running.account), NEVER), np.full(len(ended.account), month.last)])
        # What is called in at once (closing, charge-off) ends early.
        early = np.where((closed < NEVER) & rows.early, closed, NEVER)
        number = pa.compute.binary_join_element_wise(
            "FQ", pa.compute.utf8_slice_codeunits(self._account(rows.account), 7), words(rows.serial), "-"
        )
        return by_id({
            "FQH": number,
            "ZH": self._account(rows.account),
            "FQLX": Codes(rows.kind, ["B", "T", "C"]),
            "FQBJ": Cents(rows.principal),
            "QS": rows.term,
            "YFL": pa.array([f"{rate:.4f}" for rate in rows.rate], pa.string()),
            "BLRQ": Days(rows.opened),
            "JQRQ": Days(closed),
            "TQJQRQ": Days(early),
            "WHBJ": Cents(rows.left),
        }, "FQH")  # fmt: skip

    def _marks(self, month: Month, state: State, facts: Facts, first: bool) -> dict[str, object]:
        found = marks(self.world, state, facts, first)
        by_account = found.account >= 0
        record = np.where(by_account, self.registry.record_of_account[np.maximum(found.account, 0)], found.person)
        return by_id({
            "KHH": self._customer(record),
            "ZH": Codes(np.where(by_account, found.account, -1), self.registry.account_id),
            "BJLX": Codes(found.kind, [f"{10 + k}" for k in range(9)]),
            "KSRQ": Days(found.since),
            "JSRQ": Days(found.until),
            "JD": Codes(found.stage, ["M1", "M2", "M3", "M4+"]),
        }, "KHH")  # fmt: skip

    def _assignments(self, month: Month, first: bool) -> dict[str, object]:
        registry, folk, chance = self.registry, self.world.folk, self.world.chance
        created = months_of(registry.created)
        chosen = (created <= month.number) if first else (created == month.number)
        moves = ~chosen & (created < month.number) & (registry.change_month("branch")[registry.person] == month.number)
        rows = np.flatnonzero(chosen | moves)
        person = registry.person[rows]
        numbers = folk.number[person]
        branch = folk.city[person] * 3 + (chance.whole(3, "branch", numbers) + moves[rows]) % 3
        manager = branch * 4 + chance.whole(4, "manager", numbers)
        has_manager = (folk.income[person] > 14_000) | chance.happens(0.1, "has manager", numbers)
        return by_id({
            "KHH": self._customer(rows),
            "FHDM": Codes(branch, [f"{row[0].removesuffix('市')}第{place}支行" for row in CITIES for place in "一二三"]),
            "JLGH": Codes(np.where(has_manager, manager, -1), [f"M{number:05d}" for number in range(10_000, 10_000 + 12 * len(CITIES))]),
            "KSRQ": Days(np.where(moves[rows], month.first, registry.created[rows])),
        }, "KHH")  # fmt: skip

    def _points(self, month: Month, facts: Facts) -> dict[str, object]:
        moved = facts.rewards
        order = np.lexsort((moved.kind, self.registry.account_rank[moved.account], moved.second, moved.day))
        earned = moved.kind[order] == 0
        return {
            "JFLSH": serials("P", month, self.part, len(order)),
            "ZH": self._account(moved.account[order]),
            "SJ": Moments(moved.day[order], moved.second[order], "%Y%m%d%H%M%S"),
            "LX": Codes(moved.kind[order], ["1", "2", "3"]),
            "JF": moved.points[order],
            "DQRQ": Days(np.where(earned, moved.expires[order], NEVER)),
            "CB": Cents(moved.cost[order]),
        }

    def _benefits(self, month: Month, facts: Facts) -> dict[str, object]:
        used = facts.rewards
        order = np.lexsort((self.registry.account_rank[used.use_account], used.use_second, used.use_day))
        return {
            "HXLSH": serials("B", month, self.part, len(order)),
            "ZH": self._account(used.use_account[order]),
            "QYMC": Codes(used.benefit[order], BENEFITS),
            "SJ": Moments(used.use_day[order], used.use_second[order], "%Y%m%d%H%M%S"),
            "SL": np.ones(len(order), np.int64),
            "CB": Cents(used.use_cost[order]),
            "HZF": Codes(used.benefit[order], ["机场服务公司", "洗车连锁"]),
        }

    def _executions(self, month: Month, facts: Facts) -> dict[str, object]:
        """What became of each decision that the core was given: executed, refused or executed in part."""
        done = facts.decisions.executions
        return by_id({
            "JCH": done.decision_id,
            "SJ": Moments(done.day, np.full(len(done.day), 7_200), "%Y%m%d%H%M%S"),
            "ZT": Codes(done.status, ["1", "2", "3"]),
            "DM": Codes(done.code, REASONS),
            "YZ": Cents(done.before),
            "XZ": Cents(done.after),
        }, "JCH")  # fmt: skip

    def _relations(self, month: Month, first: bool) -> dict[str, object]:
        """Households, holders of supplementary cards, and who brought a newcomer; each tie once."""
        registry, folk = self.registry, self.world.folk
        one = np.flatnonzero(registry.household & (folk.number % 2 == 0))
        since = np.maximum(registry.created[one], registry.created[np.minimum(one + 1, len(folk) - 1)])
        held = np.flatnonzero(self.cards.kind == 2)
        giver = self.world.accounts.person[self.cards.account[held]]
        chance, settings = self.world.chance, self.world.settings
        brought = np.flatnonzero((folk.arrives > 0) & chance.happens(0.3, "brought", folk.number))
        by = chance.whole(settings.customers, "brought by", folk.number[brought])
        persons = np.concatenate(
            [self._customer_of(folk.number[one]), self._customer_of(folk.number[giver]), self._customer_of(by)]
        )
        holder = folk.number[self.cards.holder[held]]
        others = np.concatenate(
            [
                self._customer_of(folk.number[one + 1]),
                self._customer_of(holder),
                self._customer_of(folk.number[brought]),
            ]
        )
        starts = np.concatenate([since, self.cards.issued[held], registry.created[brought]])
        kind = np.repeat([0, 1, 2], [len(one), len(held), len(brought)])
        now = months_of(starts) == month.number
        chosen = np.flatnonzero(now | (starts < month.first) if first else now)
        return by_id({
            "KHH": pa.array(persons[chosen], pa.string()),
            "DFKHH": pa.array(others[chosen], pa.string()),
            "GXLX": Codes(kind[chosen], ["H", "F", "T"]),
            "KSRQ": Days(starts[chosen]),
        }, "KHH")  # fmt: skip


def _overdue(early: Array, state: State) -> Array:
    overdue: Array = np.where(early, state.due.sum(axis=1), state.due[:, 1:].sum(axis=1))
    return overdue


def _city_text(posted: Postings) -> Codes:
    names = [row[0] for row in CITIES] + [row[1] for row in ABROAD]
    return Codes(np.where(posted.abroad >= 0, len(CITIES) + posted.abroad, posted.city), names)


def _either(which: Array, yes: pa.Array, no: pa.Array) -> pa.Array:
    return pa.compute.if_else(pa.array(which), yes, no)


def _products() -> dict[str, object]:
    return {
        "CPDM": pa.array([product.product_id for product in PRODUCTS]),
        "CPMC": pa.array([product.name for product in PRODUCTS]),
        "KDJ": pa.array([product.tier for product in PRODUCTS]),
        "NF": Cents(np.array([product.annual_fee for product in PRODUCTS])),
        "XFRLL": pa.array([f"{product.purchase_rate:.5f}" for product in PRODUCTS]),
        "QXRLL": pa.array([f"{product.cash_rate:.5f}" for product in PRODUCTS]),
        "MXQ": pa.array(["50"] * len(PRODUCTS)),
        "JFBL": pa.array([f"{product.points_per_yuan:.1f}" for product in PRODUCTS]),
    }
