"""Who the customers are: what everybody may see of them and the hidden traits that drive them.

A person is a whole number. All that is true of a person is drawn from that number and the seed, so any range
of people can be made by itself. Neither the number nor an id says anything about the person.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from backbook.simulator.chance import Array, Chance
from backbook.simulator.settings import HABITS, INSTALMENT, UNUSED, Settings
from backbook.simulator.words import CITIES

OCCUPATIONS = ("职员", "专业人员", "公务员", "个体经营", "工人", "服务业", "学生", "退休")
CLERK, PROFESSIONAL, OFFICIAL, OWN_BUSINESS, WORKER, SERVANT, STUDENT, RETIRED = range(8)
# The income of an occupation against the mean, and how easily it is lost.
_PAY = np.array([1.0, 1.5, 1.1, 1.25, 0.8, 0.68, 0.25, 0.6])
_RISK = np.array([0.0, -0.3, -0.8, 0.5, 0.2, 0.4, 0.3, -0.2])
_CITY_PAY = np.array([1.35, 1.0, 0.82])
# The utilisation that feels right to customers of each habit.
_TARGET = np.array([0.0, 0.15, 0.72, 0.80, 0.92])


@dataclass(frozen=True)
class People:
    """One row per person, in the order of `number`."""

    number: Array
    arrives: Array  # month of the first account of who comes after the start, else 0
    birth: Array  # day
    age: Array  # at the start, years
    woman: Array
    city: Array
    education: Array  # 0 other, 1 college, 2 bachelor, 3 master
    married: Array
    occupation: Array
    income: Array  # yuan a month
    # hidden from here on
    need: Array  # for credit
    pressure: Array  # mean of what presses on the ability to pay
    stability: Array  # how seldom a shock comes
    diligence: Array  # pays in time when able
    activity: Array
    loyalty: Array
    digital: Array
    price_taste: Array
    # how an offer is met, about 0.4 on average and below zero for some
    instalment_taste: Array
    wake_taste: Array
    wallet_taste: Array
    cash_taste: Array
    habit: Array  # position in HABITS
    instalment_wish: Array  # log odds of instalments, above or below the usual of the habit
    sleepiness: Array  # how fast the card falls asleep, against the usual
    taste: Array  # position in TASTES
    budget: Array  # yuan a month spent by card when nothing presses
    purchases: Array  # a month
    target: Array  # the utilisation that feels right

    def __len__(self) -> int:
        return len(self.number)


def people(settings: Settings, chance: Chance, numbers: Array) -> People:
    """The people with these numbers."""
    return _hidden(settings, chance, numbers, _seen(settings, chance, numbers))


def _seen(settings: Settings, chance: Chance, numbers: Array) -> dict[str, Array]:
    age_years = np.clip(
        20 + 46 * chance.uniform("age", numbers) ** 1.5 + 2 * chance.normal("age more", numbers), 19, 72
    )
    birth = settings.first.first - (age_years * 365.25).astype(np.int64)
    city = chance.pick([place[5] for place in CITIES], "city", numbers)
    education = chance.pick([28, 32, 33, 7], "education", numbers)
    occupation = chance.pick([38, 12, 8, 12, 14, 13, 0, 3], "occupation", numbers)
    young = age_years < 23
    occupation = np.where(young & chance.happens(0.45, "student", numbers), STUDENT, occupation)
    occupation = np.where(age_years > 60, RETIRED, occupation)
    size = np.array([place[4] for place in CITIES])[city]
    prime = 1 - 0.0006 * (age_years - 43) ** 2
    income = 9_000 * _PAY[occupation] * _CITY_PAY[size - 1] * np.clip(prime, 0.6, 1) * np.exp(0.12 * (education - 1))
    income = income * np.exp(0.42 * chance.normal("income", numbers))
    return {
        "arrives": arrivals(settings, numbers),
        "birth": birth,
        "age": age_years,
        "woman": chance.happens(0.47, "gender", numbers),
        "city": city,
        "education": education,
        "married": chance.happens(np.clip((age_years - 21) / 14, 0.02, 0.83), "married", numbers),
        "occupation": occupation,
        "income": np.clip(np.round(income, -2), 1_500, 150_000),
    }


def numbers_of(settings: Settings, first: int, end: int) -> Array:
    """The people of the part of `first` to `end` - 1: those there at the start, and its share of who came since."""
    share = [round(settings.newcomers * bound / settings.customers) for bound in (first, end)]
    months = np.arange(settings.months)[:, None]
    come = settings.customers + months * settings.newcomers + np.arange(share[0], share[1])
    return np.concatenate([np.arange(first, end), come.ravel()])


def arrivals(settings: Settings, numbers: Array) -> Array:
    """The month in which each of these people comes; 0 for those there at the start."""
    nth = (numbers - settings.customers) // max(settings.newcomers, 1)
    return np.where(numbers < settings.customers, 0, settings.first.number + nth)


def _hidden(settings: Settings, chance: Chance, numbers: Array, seen: dict[str, Array]) -> People:
    need = chance.normal("need", numbers)
    wealth = np.log(seen["income"] / 9_000)
    stability = 0.8 * chance.normal("stability", numbers) - _RISK[seen["occupation"]]
    habit = _habit(settings, chance, numbers, need)
    activity = chance.normal("activity", numbers)
    digital = chance.normal("digital", numbers) - 0.03 * (seen["age"] - 38)
    share = np.exp(-0.98 + 0.50 * chance.normal("share", numbers) + 0.15 * activity)
    return People(
        number=numbers,
        **seen,
        need=need,
        pressure=0.35 * need - 0.35 * wealth - 0.25 * stability + 0.45 * chance.normal("pressure", numbers),
        stability=stability,
        diligence=chance.normal("diligence", numbers) - 0.2 * need,
        activity=activity,
        loyalty=chance.normal("loyalty", numbers),
        digital=digital,
        price_taste=chance.normal("price", numbers) - 0.3 * wealth,
        instalment_taste=0.45 + 0.50 * chance.normal("instalment taste", numbers) + 0.3 * (habit == INSTALMENT),
        wake_taste=0.45 + 0.40 * chance.normal("wake taste", numbers),
        wallet_taste=0.40 + 0.40 * chance.normal("wallet taste", numbers) + 0.05 * digital,
        cash_taste=0.45 + 0.50 * chance.normal("cash taste", numbers) + 0.10 * need,
        habit=habit,
        instalment_wish=np.full(len(numbers), settings.instalment_wish),
        sleepiness=np.full(len(numbers), settings.sleepiness),
        taste=chance.whole(5, "taste", numbers),
        budget=np.clip(seen["income"] * share, 150, 60_000),
        purchases=np.clip(np.exp(1.5 + 0.5 * activity), 1.0, 28.0),
        target=np.clip(_TARGET[habit] + 0.15 * chance.normal("target", numbers), 0.05, 0.98),
    )


def _habit(settings: Settings, chance: Chance, numbers: Array, need: Array) -> Array:
    """The more need, the more a customer borrows; who uses the card at all is another matter."""
    used = 1 - settings.mix["unused"]
    appetite = 0.8 * need + 0.6 * chance.normal("appetite", numbers)
    bounds = np.cumsum([settings.mix[name] for name in HABITS[1:-1]]) / max(used, 1e-9)
    edges = [NormalDist().inv_cdf(min(max(bound, 1e-9), 1 - 1e-9)) for bound in bounds]
    habit = 1 + np.searchsorted(edges, appetite, side="right")
    return np.where(chance.happens(settings.mix["unused"], "unused", numbers), UNUSED, habit)
