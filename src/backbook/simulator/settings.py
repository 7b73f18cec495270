"""The made-up issuer in numbers: who its customers are, what it charges, how its days run.

Every number here is a choice that was calibrated to the published figures in `docs/simulator.md`, not a
measurement of any bank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from math import log

from backbook.errors import NotAllowed
from backbook.simulator.days import Month, month_of

# How customers use a card (客群): shares of all customers.
HABITS = ("unused", "full", "instalment", "revolver", "minimum")
UNUSED, FULL, INSTALMENT, REVOLVER, MINIMUM = range(5)

# Lived through before the first file, so that balances and delinquency have reached their level.
WARM_UP_MONTHS = 15

# Phones have 28 bits, four to a person.
MOST_CUSTOMERS = 50_000_000

# Customers that are simulated and written together: what one part needs is memory, not disk.
PART = 50_000


# New customers a month, as a share of those there at the start.
NEWCOMERS = 0.006


def _odds(share: float) -> float:
    bounded = min(max(share, 0.002), 0.95)
    return bounded / (1 - bounded)


@dataclass(frozen=True)
class Settings:
    """One made-up issuer. `end` is the last day of its last month.

    Who the people are and how they live follows from the seed, `customers` and the first month alone: an issuer that
    was made until October and one that was made until December are the same until October.
    """

    customers: int  # there at the start; others come later
    months: int
    seed: int
    end: date
    mix: Mapping[str, float] = field(
        default_factory=lambda: {"unused": 0.08, "full": 0.38, "instalment": 0.26, "revolver": 0.19, "minimum": 0.09}
    )
    wallet_share: float = 0.78
    long_sleeping_share: float = 0.15  # of the accounts, once the book has settled
    instalment_share: float = 0.15  # of what is owed: principal not yet due
    autopay_share: float = 0.36
    app_share: float = 0.72
    partner_share: float = 0.10
    caller_share: float = 0.30
    # What a bad year adds to the pressure on everybody, and the month in which it begins (None: from the start).
    downturn: float = 0.0
    downturn_from: date | None = None
    # From this month on files come daily and approved requests are told too; before it history comes by the month.
    daily_from: date | None = None

    def __post_init__(self) -> None:
        if self.customers < 1:
            raise NotAllowed(f"{self.customers} customers cannot be simulated. At least 1 is needed.")
        if self.months < 3:
            raise NotAllowed(
                f"{self.months} months cannot be simulated. At least 3 are needed: one to look back on, one to decide on, one to see."
            )
        if self.customers > MOST_CUSTOMERS:
            raise NotAllowed(
                f"{self.customers:,} customers are more than there are numbers for. At most {MOST_CUSTOMERS:,}."
            )
        if not 0 <= self.seed < 2**63:
            raise NotAllowed(f"The seed {self.seed} is not possible. It is a whole number from 0 to {2**63 - 1}.")
        if self.end != month_of(self.end).end:
            raise NotAllowed(
                f"The simulation cannot end on {self.end}: it runs in whole months. The last day of that month is {month_of(self.end).end}."
            )
        if not -3 <= self.downturn <= 3:
            raise NotAllowed(f"A downturn of {self.downturn} is not possible. It lies between -3 (a boom) and 3.")
        self._check_mix()

    def _check_mix(self) -> None:
        if set(self.mix) != set(HABITS):
            raise NotAllowed(f"The mix of customers names {sorted(self.mix)}. It needs exactly {list(HABITS)}.")
        shares = (
            "wallet_share", "long_sleeping_share", "instalment_share", "autopay_share", "app_share", "partner_share", "caller_share",
        )  # fmt: skip
        for name, share in [*self.mix.items(), *((name, getattr(self, name)) for name in shares)]:
            if not 0 <= share <= 1:
                raise NotAllowed(f"The share {name} = {share} is not possible. A share lies between 0 and 1.")
        if abs(sum(self.mix.values()) - 1) > 1e-6:
            raise NotAllowed(f"The shares of the mix add up to {sum(self.mix.values()):.4f}. They must add up to 1.")

    @property
    def last(self) -> Month:
        return month_of(self.end)

    @property
    def first(self) -> Month:
        """The first month that is written."""
        return Month(self.last.number - self.months + 1)

    @property
    def warm_up(self) -> Month:
        """The month in which life begins, unseen."""
        return Month(self.first.number - WARM_UP_MONTHS)

    @property
    def daily(self) -> Month:
        """The first month that is delivered day by day."""
        return month_of(self.daily_from) if self.daily_from else self.last

    @property
    def newcomers(self) -> int:
        """New customers a month."""
        return round(NEWCOMERS * self.customers)

    @property
    def sleepiness(self) -> float:
        """How much faster than usual cards fall asleep; those who never use the card sleep anyway, a twentieth."""
        return float((_odds(self.long_sleeping_share - 0.05) / _odds(0.10)) ** 1.4)

    @property
    def instalment_wish(self) -> float:
        """What is added to everybody's log odds of instalments; a share moves less than the odds, since limits bind."""
        return 2.8 * log(_odds(self.instalment_share) / _odds(0.15))

    def downturn_in(self, month: Month) -> float:
        begins = month_of(self.downturn_from).number if self.downturn_from else 0
        return self.downturn if month.number >= begins else 0.0

    def until(self, month: Month) -> Settings:
        """The same issuer, made until another month."""
        return replace(
            self, months=month.number - self.first.number + 1, end=month.end, daily_from=self.daily.end.replace(day=1)
        )


def mix(text: str) -> dict[str, float]:
    """Shares of customers as they are written on a command line: `unused=0.1,full=0.4,…`. Raises NotAllowed."""
    shares = {}
    for piece in text.split(","):
        name, _, share = piece.partition("=")
        try:
            shares[name.strip()] = float(share)
        except ValueError as error:
            raise NotAllowed(
                f"{piece!r} is no share of customers. Write NAME=SHARE, such as full=0.4; names: {', '.join(HABITS)}."
            ) from error
    return shares


@dataclass(frozen=True)
class Product:
    product_id: str
    name: str
    tier: str
    annual_fee: int  # cents
    purchase_rate: float  # a day, on what revolves
    cash_rate: float
    limit_of_income: float  # the first limit as a multiple of the monthly income
    weight: float
    fee_free_uses: int  # uses in a year that waive the annual fee
    points_per_yuan: float


PRODUCTS = (
    Product("1001", "标准普卡", "classic", 0, 0.0005, 0.0005, 1.9, 34, 0, 1),
    Product("1002", "标准金卡", "gold", 20_000, 0.0005, 0.0005, 2.7, 36, 5, 1),
    Product("1003", "白金卡", "platinum", 68_000, 0.00045, 0.0005, 4.0, 9, 12, 1.5),
    Product("1004", "青春卡", "young", 0, 0.0005, 0.0005, 1.4, 12, 0, 1),
    Product("1005", "车主联名卡", "cobrand", 20_000, 0.0005, 0.0005, 2.5, 7, 6, 1),
    Product("1006", "社保金融政策卡", "policy", 0, 0.0005, 0.0005, 1.2, 2, 0, 1),
)

# Statement days: either the due date (20 days later) always falls into the same month, or always into the next.
EARLY_CYCLE_DAYS = (1, 3, 5)
LATE_CYCLE_DAYS = (13, 15, 18, 20, 22, 25, 27)
DAYS_TO_PAY = 20
GRACE_DAYS = 3  # 容时: paid within it counts as paid in time

MINIMUM_SHARE = 0.10
LATE_FEE_SHARE, LATE_FEE_LEAST = 0.05, 1_000  # 违约金: of the unpaid minimum, in cents
CASH_FEE_SHARE, CASH_FEE_LEAST = 0.01, 1_000

# Instalment plans: months and what each month costs of the first principal.
TERMS = ((3, 0.0075), (6, 0.0068), (12, 0.0060), (24, 0.0060))
PLANS_AT_ONCE = 3

# What an issuer does with the lost: written off some time after 180 days, at the latest after 390.
CHARGE_OFF_AFTER_DAYS, CHARGE_OFF_BY_DAYS, CHARGE_OFF_CHANCE = 180, 390, 0.05

# Months with more or less spending than usual: Spring Festival, 618, National Day, Double Eleven.
SEASON = (1.08, 0.95, 0.97, 0.98, 1.02, 1.06, 0.98, 0.99, 1.02, 1.05, 1.12, 1.06)
