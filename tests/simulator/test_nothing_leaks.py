"""What is delivered does not give the truth away: no column, id, order, rounding or place in a file knows too much.

    raw/ until a date ─▶ every column, read in every way ─▶ a model, out of fold ─┐
    truth/state of it ─▶ many futures ─▶ the true chance of default ──────────────┴▶ the truth ranks better
    raw/ ─▶ ids, places in files, cents ─▶ nothing goes with a hidden trait

Two judges, because they see different leaks. The ranking is what a user would notice. Finer is this: who knows the
true chance knows all that can be known, so what a bank sees may not go with what happened beyond that chance.
"""

from __future__ import annotations

import gzip
import io
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from backbook.simulator import futures, simulate
from backbook.simulator.billing import past_due_at_end
from backbook.simulator.book import OPEN, State
from backbook.simulator.days import Month, month_of
from backbook.simulator.issuer import _living
from backbook.simulator.living import World
from backbook.simulator.people import numbers_of
from backbook.simulator.records import Registry
from backbook.simulator.settings import HABITS

Array = npt.NDArray[np.float64]
Tables = dict[str, pd.DataFrame]

DEMO = Path(__file__).parents[2] / "examples" / "demo" / "backbook.toml"
CUSTOMERS, MONTHS, SEED = 6_000, 18, 1
DATE, LATE = date(2025, 10, 31), date(2026, 10, 1)  # a year before the end, and the last month
ACCOUNTS, FUTURES = 2_500, 60  # what was likely is measured for so many, from so many futures
DRAWS = 200  # of the bootstrap
# Standard errors. Some six thousand figures are looked at, many of which say the same: where nothing leaks, about one
# issuer in fifty shows one so far from zero.
FAR = 4.5
OF_NOBODY = {"core_product", "core_ledger"}


# ── what is delivered ──


@dataclass(frozen=True)
class Issuer:
    """The files of a made-up issuer until the date, as text, and what is true of it."""

    folder: Path
    world: World
    state: State
    tables: Tables  # until the date
    late: Tables  # of the last month, in which flows come daily
    account: dict[str, int]  # person of each account id
    party: dict[str, int]  # person of each id that a system gave to a person, and of each decision

    def truth(self, kind: str) -> pd.DataFrame:
        return _parquet(self.folder, kind)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    folder = tmp_path_factory.mktemp("issuer")
    settings = simulate(folder, CUSTOMERS, MONTHS, SEED, processes=1)
    world, state = _living(settings, numbers_of(settings, 0, CUSTOMERS), folder, 1, month_of(DATE))
    account = _persons(_parquet(folder, "account"), "account_id")
    party = _persons(_parquet(folder, "person"), "party_id") | _decided(world)
    known, late = (_tables(folder, wanted) for wanted in (lambda day: day <= DATE, lambda day: day >= LATE))
    return Issuer(folder, world, state, known, late, account, party)


def _decided(world: World) -> dict[str, int]:
    """The person of each decision of the bank that there can have been: no other file names it."""
    first = np.unique(world.accounts.line, return_index=True)[1]
    person = world.folk.number[world.accounts.person[first]].tolist()
    numbers = world.chance.shuffled("decision", world.accounts.line_key, bits=40).tolist()
    months = [Month(number) for number in range(world.settings.first.number, world.settings.last.number + 1)]
    names = [f"R{month.year}{month.month:02d}-" for month in months if month.end <= DATE or month.end >= LATE]
    return {f"{name}{number:013d}": one for name in names for number, one in zip(numbers, person, strict=True)}


def _persons(truth: pd.DataFrame, name: str) -> dict[str, int]:
    return dict(zip(truth[name].tolist(), truth.person.tolist(), strict=True))


def _parquet(folder: Path, kind: str) -> pd.DataFrame:
    return pd.concat(
        [pd.read_parquet(file) for file in sorted((folder / "truth").glob(f"{kind}_*"))], ignore_index=True
    )


def _tables(folder: Path, wanted: Callable[[date], bool]) -> Tables:
    """All rows of the files of the wanted days, with the file (`#file`) and the place in it (`#place`, from 0 to 1)."""
    read: Tables = {}
    for name, how in tomllib.loads(DEMO.read_text(encoding="utf-8"))["inputs"].items():
        files = [file for file in sorted(folder.glob(how["path"])) if wanted(_day(file))]
        parts = [_rows(file, how) for file in files]
        for nth, part in enumerate(parts):
            part["#file"], part["#place"] = nth, (np.arange(len(part)) + 0.5) / max(len(part), 1)
        if parts:
            read[name] = pd.concat(parts, ignore_index=True)
    return read


def _day(file: Path) -> date:
    found = re.search(r"(\d{4})-?(\d\d)-?(\d\d)", file.name)
    assert found, file.name
    return date(*map(int, found.groups()))


def _rows(file: Path, how: dict) -> pd.DataFrame:
    if file.suffix == ".xlsx":
        return pd.read_excel(file, dtype=str, keep_default_na=False)
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    encoding, separator = how.get("encoding", "utf-8-sig"), how.get("separator", ",")
    # The quick reader knows separators of one character only.
    text = io.StringIO(
        data.decode(encoding).replace(separator, "\x01") if len(separator) > 1 else data.decode(encoding)
    )
    return pd.read_csv(
        text, sep="\x01" if len(separator) > 1 else separator, names=how.get("columns"), dtype=str, keep_default_na=False,
        header=0 if how.get("header", True) else None, quoting=3 if how.get("quote") == "" else 0,
    )  # fmt: skip


def columns_of(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if not name.startswith("#")]


def naming(issuer: Issuer, table: pd.DataFrame) -> Iterator[tuple[str, bool]]:
    """The columns that name somebody, and whether it is an account."""
    for name in columns_of(table):
        some = table[name][table[name] != ""].head(200).tolist()
        for is_account, known in ((True, issuer.account), (False, issuer.party)):
            if sum(word in known for word in some) > len(some) / 2:
                yield name, is_account


def named(issuer: Issuer, table: pd.DataFrame) -> Iterator[tuple[str, bool, pd.Series]]:
    """The columns that name somebody: column, whether it is an account, and the account or person of each row."""
    for name, is_account in naming(issuer, table):
        codes, words = pd.factorize(table[name])
        known = issuer.account if is_account else issuer.party
        whom = [(word if is_account else known[word]) if word in known else None for word in words]
        yield name, is_account, pd.Series(whom)[codes].set_axis(table.index)


# ── every column, read in every way ──


def readings(column: pd.Series) -> dict[str, Array]:
    """A text as a number (or its digits, or its place among all words), its last two digits, and its words if few."""
    codes, words = pd.factorize(column)
    words = pd.Series(words, dtype="str")
    digits = words.str.replace(r"\D", "", regex=True)
    number = pd.to_numeric(words, errors="coerce")
    if number.isna().mean() > 0.1:
        number = pd.to_numeric(digits.str[-15:], errors="coerce")
    if number.isna().mean() > 0.1:
        number = pd.Series(np.argsort(np.argsort(words.to_numpy(object))), dtype=float)
    found = {"": number, " ends": pd.to_numeric(digits.str[-2:], errors="coerce")}
    if 2 < len(words) <= 12:
        found |= {f"={word}": words == word for word in words}
    return {what: values.to_numpy(float)[codes] for what, values in found.items()}


def clues(issuer: Issuer, name: str, table: pd.DataFrame) -> Iterator[tuple[bool, pd.DataFrame]]:
    """What a table tells of each account or person that it names: the last and the mean of each reading, and places."""
    read = {f"{each}{what}": values for each in columns_of(table) for what, values in readings(table[each]).items()}
    values = pd.DataFrame(read | {"#place": table["#place"]})
    owners = list(named(issuer, table))
    of_account_alone = any(is_account and whom.notna().all() for _, is_account, whom in owners)
    for column, is_account, whom in owners:
        if of_account_alone and not is_account:
            continue
        group = values.groupby(whom.to_numpy(), sort=False)
        last = group.last().filter(regex="^[^=]*$")
        told = [
            last.add_suffix(" last"),
            group.mean().add_suffix(" mean"),
            group[["#place"]].first(),
            group.size().rename("#rows"),
        ]
        yield is_account, pd.concat(told, axis=1).add_prefix(f"{name}.{column}: ")


# ── what happened, what was likely, what a model says ──


@dataclass(frozen=True)
class Case:
    """The accounts that could fall into default after the date."""

    issuer: Issuer
    account: pd.Index
    person: npt.NDArray[np.int64]
    bad: npt.NDArray[np.bool_]  # more than 90 days past due or written off at some month's end of the twelve
    likely: Array  # its true chance, by futures; not a number for who was not measured
    told: dict[str, pd.DataFrame]  # what each table tells of each account

    @property
    def measured(self) -> npt.NDArray[np.bool_]:
        return ~np.isnan(self.likely)

    def columns(self, **instead: pd.DataFrame) -> pd.DataFrame:
        """All that is told, some tables standing in for the delivered ones."""
        planted = {name: _told(self.issuer, name, table, self.account) for name, table in instead.items()}
        return pd.concat((self.told | planted).values(), axis=1)


def _told(issuer: Issuer, name: str, table: pd.DataFrame, account: pd.Index) -> pd.DataFrame:
    """Each different clue in thirty pieces of its order: account x clue."""
    person = [issuer.account[one] for one in account]
    parts = [pd.DataFrame(index=account)]
    for is_account, found in clues(issuer, name, table):
        parts.append(found.reindex(account if is_account else person).set_axis(account))
    told = np.ceil(pd.concat(parts, axis=1).rank(pct=True) * 30).astype(np.float32)
    _, first = np.unique(told.fillna(-1).to_numpy(), axis=1, return_index=True)
    return told.iloc[:, np.sort(first)].loc[:, lambda kept: kept.nunique() > 1]


@pytest.fixture(scope="module")
def case(issuer: Issuer) -> Case:
    world, state, month = issuer.world, issuer.state, month_of(DATE)
    healthy = past_due_at_end(world.accounts, state, month)[1] <= 90
    rows = np.flatnonzero((state.status == OPEN) & (world.accounts.opened <= month.last) & healthy)
    account = _account_ids(world)[rows]
    after = issuer.truth("month").query("month > @DATE.isoformat()")
    lost = after.account_id[after.in_default | after.written_off]
    few, its = futures.sample(world, state, month, ACCOUNTS)
    found = futures.likely(few, its, month, FUTURES)
    likely = pd.Series(found.default, _account_ids(few))[found.at_risk].reindex(account)
    told = {name: _told(issuer, name, table, account) for name, table in issuer.tables.items()}
    person = np.array([issuer.account[one] for one in account])
    return Case(issuer, account, person, account.isin(lost), likely.to_numpy(), told)


def _account_ids(world: World) -> pd.Index:
    return pd.Index(Registry(world).account_id.to_pylist())


def foretold(case: Case, told: pd.DataFrame) -> Array:
    """What a model says of each account that was trained on others: five folds of persons, fixed by a hash of theirs.

    It learns from all who fell into default and three in ten of the rest, which is quicker and no worse.
    """
    values, score = told.fillna(-1).to_numpy(), np.zeros(len(told))
    fold = pd.util.hash_array(case.person) % 5
    chosen = case.bad | (np.random.default_rng(1).random(len(score)) < 0.3)
    model = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=5, learning_rate=0.08, max_bins=31, early_stopping=False, random_state=1
    )
    with threadpool_limits(1):  # threads that wait for one another cost ten times as much where others work too
        for nth in range(5):
            rows = chosen & (fold != nth)
            score[fold == nth] = model.fit(values[rows], case.bad[rows]).decision_function(values[fold == nth])
    return score


def ranking(case: Case, score: Array) -> tuple[float, float, float]:
    """AUC of the score, AUC of the truth, and the standard error of their difference (bootstrap over persons)."""
    who = case.measured
    bad, score, likely = case.bad[who], score[who], case.likely[who]
    person, row = np.unique(case.person[who], return_inverse=True)
    # An AUC is the mean, over pairs of a bad and a good account, of whether the bad one has the higher value.
    ahead = _ahead(score, bad) - _ahead(likely, bad)
    apart, luck = [], np.random.default_rng(1)
    for _ in range(DRAWS):
        times = luck.multinomial(len(person), np.full(len(person), 1 / len(person)))[row]
        apart.append(times[bad] @ ahead @ times[~bad] / (times[bad].sum() * times[~bad].sum()))
    return roc_auc_score(bad, score), roc_auc_score(bad, likely), float(np.std(apart))


def _ahead(value: Array, bad: npt.NDArray[np.bool_]) -> Array:
    one, other = value[bad][:, None], value[~bad]
    return (one > other) + 0.5 * (one == other)


def beyond_the_truth(case: Case, clue: Array) -> Array:
    """How many standard errors what happened beyond its true chance goes with each clue (account x clue).

    A share of futures is an unbiased chance, however few they are; so for all that was known at the date the mean is zero.
    """
    who = case.measured
    told, likely = ~np.isnan(clue[who]), case.likely[who]
    mean = np.where(told, clue[who], 0).sum(axis=0) / np.maximum(told.sum(axis=0), 1)
    centred = np.where(told, clue[who] - mean, 0)
    each = pd.DataFrame(centred * (case.bad[who] - likely)[:, None]).groupby(case.person[who]).sum().to_numpy()
    # Few defaults make the spread that was seen too small for some clues, the one that was likely for others. A chance
    # that no future showed is not zero: it is drawn a little towards the mean.
    chance = (FUTURES * likely + 1) / (FUTURES + 1 / likely.mean())
    expected = (centred**2 * (chance * (1 - chance) * (1 + 1 / FUTURES))[:, None]).sum(axis=0)
    spread = np.sqrt(np.maximum(expected, (each**2).sum(axis=0)))
    return each.sum(axis=0) / np.where(spread > 0, spread, 1)


# ── ids, places in files and cents against hidden traits ──

# Columns that number something, besides those that name an account or a person. (The number of an instalment plan is
# the account's and how many plans it has had: that is known.)
NUMBERED = ("EDH", "KPH", "SQBH", "device_id")
# Files in the order of time, and the column that tells it: there, places count among the rows of one moment alone.
IN_TIME = {
    "core_posting": "RZSJ", "core_request": "SQSJ", "core_statement": "ZDRQ", "core_points": "SJ", "core_benefit": "SJ",
    "app_event": "event_time", "call_contact": "时间", "call_feedback": "时间", "shop_order": "ordered_at",
}  # fmt: skip
# Numbers that a system hands out one after another say what the place in the file says.
SERIAL = {
    "core_posting": "JYLSH", "core_request": "SQLSH", "core_points": "JFLSH", "core_benefit": "HXLSH",
    "app_event": "event_id", "app_push": "push_id", "app_push_result": "result_id", "call_contact": "流水号",
    "call_feedback": "工单号", "call_request": "请求号", "shop_order": "order_no",
}  # fmt: skip


def hidden(issuer: Issuer) -> pd.DataFrame:
    """All that people are, in ranks, and the number of those there at the start: the order in which they were made."""
    trait = issuer.truth("trait").set_index("person")
    trait["habit"] = trait.habit.map(HABITS.index)
    trait["number"] = np.where(trait.arrives == 0, trait.index, np.nan)
    return trait.drop(columns="arrives").astype(float).loc[:, lambda kept: kept.nunique() > 1]


def bare(issuer: Issuer, name: str, table: pd.DataFrame) -> pd.DataFrame:
    """What should say nothing, person by person: means of ids, of their last two digits, of places, of cents."""
    owners = list(named(issuer, table))
    if not owners:
        return pd.DataFrame()
    _, is_account, whom = owners[0]
    person = whom.map(issuer.account) if is_account else whom
    found = {}
    for column in {*[one for one, _, _ in owners], *NUMBERED} & {*table.columns}:
        filled = table[column] != ""
        found[column] = pd.Series(pd.factorize(table[column], sort=True)[0], table.index).where(filled).astype(float)
        found[f"{column} ends"] = pd.Series(readings(table[column])[" ends"], table.index)
    moment = table.groupby(["#file", *([IN_TIME[name]] if name in IN_TIME else [])], sort=False)["#place"]
    rows = moment.transform("size")
    found["place"] = ((moment.rank() - 0.5) / rows).where(rows > 1)
    if name == "core_posting":
        cents = pd.to_numeric(table.JYJE.str[-2:]).where(table.JYDM == "1000")
        found |= {"cents": cents, "whole yuan": (cents == 0).where(cents.notna()).astype(float)}
    return pd.DataFrame(found).groupby(person.to_numpy()).mean()


def go_together(issuer: Issuer, tables: Tables) -> pd.Series:
    """For each table, clue and trait: how many standard errors the clue goes with the ranks of the trait.

    The clue itself is taken and not its rank: the mean of few rows is wider than that of many, but no higher.
    """
    traits, found = hidden(issuer), {}
    for name, table in tables.items():
        told = bare(issuer, name, table)
        for clue in told.columns[told.nunique() > 1]:
            mine = told[clue].dropna()
            ranks = traits.reindex(mine.index).rank(pct=True)
            products = (ranks - ranks.mean()).mul(mine - mine.mean(), axis=0)
            for trait, far in (products.sum() / np.sqrt((products**2).sum())).items():
                found[name, clue, trait] = far
    return pd.Series(found).dropna()


# ── leaks that are planted, to see that they are found ──


def blurred(table: pd.DataFrame, secret: pd.Series, strength: float) -> pd.Series:
    """Two digits for each row, as far apart as `strength` times the secrets of their accounts; luck spreads them by one."""
    luck = np.random.default_rng(1).normal(size=len(secret))
    told = (secret - secret.mean()) / secret.std() * strength + luck
    return np.clip(50 + 15 * told, 0, 99).reindex(table.ZH).fillna(50).astype(int).set_axis(table.index)


def in_place(table: pd.DataFrame, told: pd.Series) -> pd.DataFrame:
    by = table["#file"]
    return table.assign(**{"#place": told.groupby(by).rank(method="first") / told.groupby(by).transform("size")})


def in_an_id(table: pd.DataFrame, told: pd.Series) -> pd.DataFrame:
    return table.assign(EDH=table.EDH.str[:-2] + told.map("{:02d}".format))


def in_the_cents(table: pd.DataFrame, told: pd.Series) -> pd.DataFrame:
    money = "JYJE" if "JYJE" in table else "TZZE"
    return table.assign(**{money: table[money].str[:-2] + told.map("{:02d}".format)})


# ── the tests ──


def test_every_delivered_file_is_looked_at(issuer: Issuer) -> None:
    inputs = tomllib.loads(DEMO.read_text(encoding="utf-8"))["inputs"]
    known = {file for how in inputs.values() for file in issuer.folder.glob(how["path"])}
    there = {file for file in (issuer.folder / "raw").rglob("*.*") if file.suffix not in (".ctl", ".ok")}
    assert there == known
    for name, table in issuer.tables.items():
        assert bool(list(naming(issuer, table))) != (name in OF_NOBODY), name


def test_no_model_of_all_columns_ranks_better_than_the_truth(case: Case) -> None:
    score = foretold(case, case.columns())
    model, truth, error = ranking(case, score)
    assert 0.7 < model <= truth + 2 * error
    assert abs(beyond_the_truth(case, score[:, None])[0]) < 3


def test_a_model_that_knew_what_happened_would_rank_better(case: Case) -> None:
    account = case.issuer.tables["core_account"]
    secret = pd.Series(case.bad.astype(float), case.account)
    planted = in_place(account, blurred(account, secret, 0.5))
    model, truth, error = ranking(case, foretold(case, case.columns(core_account=planted)))
    assert model > truth + 2 * error


def test_no_column_goes_with_what_happened_beyond_its_true_chance(case: Case) -> None:
    columns = case.columns()
    far = pd.Series(beyond_the_truth(case, columns.to_numpy()), columns.columns)
    assert len(far) > 800 and 0.7 < far.std() < 1.2
    assert far[far.abs() > FAR].empty


@pytest.mark.parametrize("hide", [in_place, in_an_id, in_the_cents])
def test_a_column_that_hints_at_what_happened_is_named(
    case: Case, hide: Callable[[pd.DataFrame, pd.Series], pd.DataFrame]
) -> None:
    account = case.issuer.tables["core_account"]
    secret = pd.Series(case.bad.astype(float), case.account)
    columns = case.columns(core_account=hide(account, blurred(account, secret, 0.2)))
    far = pd.Series(beyond_the_truth(case, columns.to_numpy()), columns.columns)
    planted = {in_place: "#place", in_an_id: "EDH ends", in_the_cents: "TZZE ends"}[hide]
    assert far[far.abs() > FAR].filter(regex=f"^core_account.ZH: {planted}").size > 0


@pytest.fixture(scope="module")
def together(issuer: Issuer) -> list[pd.Series]:
    return [go_together(issuer, tables) for tables in (issuer.tables, issuer.late)]


def test_no_id_no_place_in_a_file_and_no_cents_go_with_a_trait(together: list[pd.Series]) -> None:
    for far in together:
        far = far.drop("number", level=2)
        assert len(far) > 1_500 and 0.8 < far.std() < 1.2
        assert far[far.abs() > FAR].empty


@pytest.mark.parametrize(
    ("name", "clue", "trait", "hide"),
    [
        ("core_account", "place", "need", in_place),
        ("core_account", "EDH ends", "pressure", in_an_id),
        ("core_posting", "cents", "budget", in_the_cents),
    ],
)
def test_a_place_an_id_or_cents_that_hint_at_a_trait_are_named(
    issuer: Issuer, name: str, clue: str, trait: str, hide: Callable[[pd.DataFrame, pd.Series], pd.DataFrame]
) -> None:
    table, secret = issuer.tables[name], hidden(issuer)[trait]
    of_account = pd.Series(secret.reindex(list(issuer.account.values())).to_numpy(), list(issuer.account))
    far = go_together(issuer, {name: hide(table, blurred(table, of_account, 0.15))})
    assert far[name, clue, trait] > FAR


def test_no_order_tells_whom_this_program_made_first(together: list[pd.Series]) -> None:
    for far in together:
        far = far.xs("number", level=2)
        assert far[far.abs() > FAR].empty


def test_no_file_names_whom_its_system_does_not_know_yet(issuer: Issuer) -> None:
    lists = (("app_user", "user_id"), ("call_customer", "来电客户号"), ("shop_member", "Member No"), ("core_customer", "KHH"), ("core_account", "ZH"))  # fmt: skip
    known = {""}.union(*(issuer.tables[name][column] for name, column in lists))
    strangers = {
        (name, column): set(table[column]) - known
        for name, table in issuer.tables.items()
        for column, _ in naming(issuer, table)
        if column != "JCH"  # decisions are nobody's list
    }
    assert len(strangers) > 25 and not any(strangers.values())


def test_serial_numbers_follow_the_rows(issuer: Issuer) -> None:
    for name, column in SERIAL.items():
        for _, numbers in issuer.tables[name].groupby("#file")[column]:
            assert numbers.is_monotonic_increasing, name
