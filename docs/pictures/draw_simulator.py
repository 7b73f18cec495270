"""The pictures of docs/simulator.md: what 20,000 made-up customers look like after two years, in both languages.

make pictures
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from backbook.simulator import futures
from backbook.simulator.bank import present_policy
from backbook.simulator.book import OPEN
from backbook.simulator.days import Month
from backbook.simulator.living import begin, live
from backbook.simulator.offers import MARKETING
from backbook.simulator.people import numbers_of
from backbook.simulator.settings import Settings
from backbook.simulator.words import CATEGORIES

HERE = Path(__file__).parent
CUSTOMERS, MONTHS, SEED, END = 20_000, 24, 1, date(2026, 10, 31)
BUCKETS = ("M0", "M1", "M2", "M3", "M4", "M5", "M6+")
TEXTS = {
    "utilisation": ("额度使用率的分布（有欠款账户）", "Utilisation of accounts that owe"),
    "accounts": ("账户数", "Accounts"),
    "used": ("使用率", "Utilisation"),
    "roll": ("净迁徙率（余额，%）", "Net flow of balance, %"),
    "month": ("月份", "Month"),
    "vintage": ("账龄：累计逾期90天以上（%）", "Vintages: ever more than 90 days late, %"),
    "age": ("开户后月数", "Months since opening"),
    "opened": ("开户季度", "Quarter of opening"),
    "spend": ("各类消费（百万元/月）", "Spend by category, million yuan a month"),
    "category": ("类别", "Category"),
    "effect": ("营销对响应率的真实影响（百分点）", "True effect of an offer on its answer, points"),
    "offer": ("方案", "Offer"),
    "customers": ("客户数", "Customers"),
    "others": ("其他", "Other"),
    "flow": ("迁徙", "Flow"),
}
ENGLISH = ("Dining", "Groceries", "Online", "Fuel", "Transport", "Rail, air", "Hotels", "Clothing", "Electronics",
           "Medical", "Pharmacy", "Education", "Leisure", "Utilities", "Beauty", "Jewellery", "Wholesale", "Games")  # fmt: skip


def main() -> None:
    alt.data_transformers.disable_max_rows()
    told = lived()
    for place, language in enumerate(("zh", "en")):
        text = {name: both[place] for name, both in TEXTS.items()}
        panels = [chart(told, text, place) for chart in (utilisation, flows, vintages, spend, effect)]
        rows = [
            alt.hconcat(*pair, spacing=40).resolve_scale(color="independent") for pair in (panels[:2], panels[2:4])
        ] + panels[4:]
        whole = (
            alt.vconcat(*rows, spacing=30)
            .resolve_scale(color="independent")
            .configure(font="Noto Sans CJK SC, sans-serif", padding=16, background="white")
        )
        png = vl_convert.vegalite_to_png(whole.to_json(), scale=1.2)
        (HERE / f"simulator-{language}.png").write_bytes(png)


def lived() -> dict[str, pd.DataFrame]:
    """All that the pictures show, as tables."""
    settings = Settings(CUSTOMERS, MONTHS, SEED, END)
    world, state = begin(settings, numbers_of(settings, 0, CUSTOMERS))
    accounts = world.accounts
    bad_since = np.full(len(accounts), 10**6)
    flows, spent, before = [], [], None
    for number in range(settings.warm_up.number, settings.last.number + 1):
        month = Month(number)
        facts = live(world, state, month, present_policy(world.chance, world.folk, accounts, state, month))
        bad = (facts.days_past_due > 90) & (bad_since == 10**6)
        bad_since[bad] = number
        owed = np.maximum(state.total(), 0)
        bucket = np.bincount(np.minimum(facts.cycles, 6), weights=owed, minlength=7)
        if before is not None and number >= settings.first.number:
            flows += [
                {
                    "month": month.end.isoformat(),
                    "flow": f"{BUCKETS[k]}→{BUCKETS[k + 1]}",
                    "share": 100 * bucket[k + 1] / before[k],
                }
                for k in range(5)
            ]
        before = bucket
        if number >= settings.first.number:
            posted = facts.postings.at(facts.postings.code == 1000)
            sums = np.bincount(posted.category, weights=posted.amount, minlength=len(CATEGORIES)) / 1e8
            spent += [{"month": month.end.isoformat(), "category": k, "amount": value} for k, value in enumerate(sums)]
    there = (state.status == OPEN) & (accounts.opened <= settings.last.last) & (owed > 0)
    used = owed[there] / np.maximum(state.limit[accounts.line[there]], 1)
    part, its = futures.sample(world, state, settings.last, 4_000)
    found = futures.effects(part, its, settings.last, 3)
    lifts = [
        pd.DataFrame({"offer": found.treatments[place], "points": 100 * lift[lift != 0]})
        for place in range(len(MARKETING))
        for lift in [found.lift[found.possible, place]]
    ]
    return {
        "used": pd.DataFrame({"used": np.minimum(used, 1.2)}),
        "flows": pd.DataFrame(flows),
        "vintages": _vintages(accounts.opened, bad_since, settings),
        "spent": pd.DataFrame(spent),
        "effects": pd.concat(lifts),
    }


def _vintages(opened: np.ndarray, bad_since: np.ndarray, settings: Settings) -> pd.DataFrame:
    """Ever more than 90 days late by months on book, for accounts opened since the first month; mature ages only."""
    from backbook.simulator.days import months_of

    born = months_of(opened)
    rows = []
    for first in range(settings.first.number, settings.last.number - 5, 3):
        mine = (born >= first) & (born < first + 3)
        if mine.sum() < 100:
            continue
        quarter = f"{Month(first).year} Q{Month(first).month // 3 + 1}"
        for age in range(settings.last.number - first - 2 + 1):
            share = 100 * ((bad_since[mine] - born[mine]) <= age).mean()
            rows.append({"opened": quarter, "age": age, "share": share})
    return pd.DataFrame(rows)


def utilisation(told: dict[str, pd.DataFrame], text: dict[str, str], place: int) -> alt.Chart:
    x = alt.X("used:Q", bin=alt.Bin(step=0.05), title=text["used"], axis=alt.Axis(format="%"))
    bars = alt.Chart(told["used"], title=text["utilisation"], width=360, height=220).mark_bar(color="#3b6ea5")
    return bars.encode(x=x, y=alt.Y("count()", title=text["accounts"]))


def flows(told: dict[str, pd.DataFrame], text: dict[str, str], place: int) -> alt.Chart:
    lines = alt.Chart(told["flows"], title=text["roll"], width=360, height=220).mark_line()
    return lines.encode(
        x=alt.X("month:T", title=text["month"], axis=alt.Axis(format="%Y-%m")),
        y=alt.Y("share:Q", title=None),
        color=alt.Color("flow:N", title=text["flow"]),
    )


def vintages(told: dict[str, pd.DataFrame], text: dict[str, str], place: int) -> alt.Chart:
    lines = alt.Chart(told["vintages"], title=text["vintage"], width=360, height=220).mark_line()
    return lines.encode(
        x=alt.X("age:Q", title=text["age"]),
        y=alt.Y("share:Q", title=None),
        color=alt.Color("opened:N", title=text["opened"]),
    )


def spend(told: dict[str, pd.DataFrame], text: dict[str, str], place: int) -> alt.Chart:
    names = [row[0] for row in CATEGORIES] if place == 0 else list(ENGLISH)
    largest = told["spent"].groupby("category").amount.sum().nlargest(9).index
    shown = {k: names[k] if k in largest else text["others"] for k in range(len(names))}
    table = told["spent"].assign(category=told["spent"].category.map(shown))
    table = table.groupby(["month", "category"], as_index=False).amount.sum()
    areas = alt.Chart(table, title=text["spend"], width=360, height=220).mark_area()
    return areas.encode(
        x=alt.X("month:T", title=text["month"], axis=alt.Axis(format="%Y-%m")),
        y=alt.Y("amount:Q", title=None, stack=True),
        color=alt.Color("category:N", title=text["category"], scale=alt.Scale(scheme="tableau10")),
    )


def effect(told: dict[str, pd.DataFrame], text: dict[str, str], place: int) -> alt.Chart:
    # The few beyond stand at the ends.
    table = told["effects"].assign(points=told["effects"].points.clip(-4, 12))
    base = alt.Chart(table, width=185, height=150).mark_bar(color="#8a6d3b")
    bars = base.encode(
        x=alt.X("points:Q", bin=alt.Bin(step=0.5), title=None), y=alt.Y("count()", title=text["customers"])
    )
    return bars.facet(column=alt.Column("offer:N", title=text["effect"])).resolve_scale(
        x="independent", y="independent"
    )


if __name__ == "__main__":
    main()
