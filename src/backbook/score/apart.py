"""A score taken apart: what moved it for a customer, which way and how far, in words of both languages.

A scorecard is taken apart exactly: each characteristic gives points against what it gives on average in the rows
that taught it, so the average points and all sizes add up to the customer's points. In two stages each stage is such
a card. Trees are taken apart by exact contributions, which add up to the log odds. Warning rules tell which of them
hit, without a size.

For a letter a reason is only the characteristic and on which side the customer stands: no figure, no bound, nothing
of how it was computed, and never a protected column, even where a score declares that it learns from one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from backbook.engine import Engine
from backbook.expressions import Expression, Name, Type, parse
from backbook.score.apply import REASONS, for_one
from backbook.score.apply_trees import forest, one_row
from backbook.score.binning import Bin
from backbook.score.explain import standing_code
from backbook.score.formula import by_bin
from backbook.score.registry import Version
from backbook.score.trees import encode

POINTS, LOG_ODDS = "points", "log_odds"
# Trees are asked about so many units of a book, the same ones every time: enough for a mean, and done in seconds.
MOST_UNITS = 20_000
RAISES, LOWERS, NEITHER = "raises", "lowers", "neither"


@dataclass(frozen=True)
class Reason:
    """One thing that moved the score: its code, the feature, what it says, which way the *chance* went, and how far.

    `size` is signed as its unit is: points above zero lower the chance, log odds above zero raise it. None where the
    method gives none. `letter` is the same for a letter, empty where it may not stand in one.
    """

    code: str
    feature: str
    zh: str
    en: str
    direction: str
    size: float | None
    unit: str
    letter: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Explained:
    """One unit's score taken apart: `base` and the sizes of the reasons, the farthest first, add up to `total`."""

    base: float | None
    reasons: tuple[Reason, ...]
    total: float | None
    unit: str = POINTS


def explain_one(version: Version, row: Mapping[str, Any]) -> Explained:
    """What moved the score of one profile row; no reason where the row is outside the population."""
    given = for_one(version)(row)
    if given["grade"] is None:
        return Explained(None, (), None)
    if version.has_trees:
        return _trees(version, row)
    parts = characteristics(version)
    if not parts:
        codes = [given[f"reason_{place}"] for place in range(1, REASONS + 1)]
        return Explained(None, tuple(_as_given(version, code) for code in codes if code is not None), None)
    found = [one.reason(version, one.place.python()(row)) for one in parts]
    found.sort(key=lambda reason: (-abs(reason.size or 0), reason.code))
    whole = "card" in version.content
    return Explained(average(version) if whole else None, tuple(found), given["points"])


def _as_given(version: Version, code: str) -> Reason:
    """A rule that hit. A letter names the facts that it looks at together, without bounds and without protected ones."""
    said = version.reason(code, "zh"), version.reason(code, "en")
    texts = [rule["text"] for rule in version.content.get("rules", ()) if rule["code"] == code]
    read = sorted(frozenset().union(*(parse(text, version.names, expect=Type.YESNO).reads for text in texts)))
    names = [version.names[name] for name in read if name not in declared(version)]
    return Reason(code, feature_of(code), *said, RAISES, None, "", _looked_at(names) if names else ("", ""))


def _looked_at(names: Sequence[Name]) -> tuple[str, str]:
    """The facts of a rule as a letter names them."""
    zh, en = ([getattr(name, language) or name.name for name in names] for language in ("zh", "en"))
    return f"{'、'.join(zh)}的情况", " and ".join(en) + (" taken together" if len(en) > 1 else "")


def letter(reasons: Sequence[Reason], language: str, *, at_most: int = REASONS) -> list[str]:
    """The sentences of a letter: what spoke against the customer, the strongest first, each characteristic once."""
    against = [each for each in reasons if each.direction == RAISES and any(each.letter)]
    texts = dict.fromkeys(each.letter[0 if language == "zh" else 1] for each in against)
    return [text for text in texts if text][:at_most]


def feature_of(code: str) -> str:
    """
    >>> feature_of("customer.utilisation:4"), feature_of("rule_2")
    ('customer.utilisation', 'rule_2')
    """
    return code.rpartition(":")[0] or code


def declared(version: Version) -> frozenset[str]:
    """The protected columns from which the version may learn because its definition says so."""
    return frozenset((version.content.get("defined") or {}).get("protected") or ())


# ── a scorecard taken apart ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Part:
    """A characteristic of a card as the version keeps it; `place` is the place of the bin in which a row lies.

    `stage` ends its codes where a version has a card for each of two stages. `toward` is 1 where more points mean more
    events, else -1.
    """

    stage: str
    name: Name
    bins: tuple[Bin, ...]
    points: tuple[int, ...]
    place: Expression
    toward: int

    @property
    def average(self) -> float:
        """The points that it gives on average in the rows that taught it."""
        rows = sum(bin.rows for bin in self.bins)
        return sum(bin.rows * points for bin, points in zip(self.bins, self.points, strict=True)) / max(rows, 1)

    def reason(self, version: Version, place: int) -> Reason:
        size = self.points[place] - self.average
        code = f"{self.name.name}:{place + 1}{self.stage}"
        direction = NEITHER if abs(size) < 0.5 else RAISES if size * self.toward > 0 else LOWERS
        said = version.reason(code, "zh"), version.reason(code, "en")
        written = ("", "") if self.name.name in declared(version) else self.letter(place, said)
        return Reason(code, self.name.name, *said, direction, size, POINTS, written)

    def letter(self, place: int, said: tuple[str, str]) -> tuple[str, str]:
        """On which side of what would be best the customer stands, without a bound.

        Levels are told as they are `said`; a special value of a number is only said to be one.
        """
        zh, en = self.name.zh or self.name.name, self.name.en or self.name.name
        bin = self.bins[place]
        if bin.kind == "missing":
            return f"{zh}未知", f"{en} is not known"
        if bin.kind != "range":
            return said if self.name.type in (Type.TEXT, Type.YESNO) else (f"{zh}的状态", f"{en}: its state")
        ranges = [number for number, each in enumerate(self.bins) if each.kind == "range"]
        best = min(ranges, key=lambda number: self.toward * self.points[number])
        if place == best:
            return zh, en
        return (f"{zh}较高", f"{en} is high") if place > best else (f"{zh}较低", f"{en} is low")


def characteristics(version: Version) -> list[Part]:
    """The parts of the version's card, or of the cards of its two stages; none where it has no card."""
    content = version.content
    cards = {f".{stage}": card for stage, card in content.get("stages", {}).items()}
    cards |= {"": content["card"]} if "card" in content else {}
    return [part for stage, card in cards.items() for part in _parts(version, stage, card)]


def _parts(version: Version, stage: str, card: Mapping[str, Any]) -> list[Part]:
    found = []
    for one in card["characteristics"]:
        name = Name(one["name"], Type(one["type"]), one["zh"], one["en"])
        bins = tuple(
            Bin(
                bin["kind"], bin["events"], bin["others"], bin["evidence"],
                None if bin["up_to"] is None else Decimal(bin["up_to"]), tuple(bin["values"]),
            )
            for bin in one["bins"]
        )  # fmt: skip
        place = parse(by_bin(name, bins, range(len(bins))), version.names, expect=Type.WHOLE)
        toward = 1 if card["factor"] < 0 else -1
        found.append(Part(stage, name, bins, tuple(bin["points"] for bin in one["bins"]), place, toward))
    return found


def average(version: Version) -> float:
    """The points of a scorecard on average in the rows that taught it."""
    return float(version.content["card"]["start"] + sum(one.average for one in characteristics(version)))


# ── trees taken apart ───────────────────────────────────────────────────────────────────────────────────────


def _trees(version: Version, row: Mapping[str, Any]) -> Explained:
    grown = forest(version)
    columns = encode(grown.codings, one_row(version, row, True))
    log_odds, contributions = grown.explained(columns)
    found = []
    for place, coding in enumerate(grown.codings):
        standing, size = coding.standings[columns.standing[place, 0]], float(contributions[place, 0])
        found.append(_of_tree(version, coding.name, standing, size))
    found.sort(key=lambda reason: (-abs(reason.size or 0), reason.code))
    total = float(log_odds[0])
    return Explained(total - float(contributions[:, 0].sum()), tuple(found), total, LOG_ODDS)


def _of_tree(version: Version, name: Name, standing: Any, size: float) -> Reason:
    code = standing_code(name, standing)
    said = version.reason(code, "zh"), version.reason(code, "en")
    direction = NEITHER if size == 0 else RAISES if size > 0 else LOWERS
    # A special value of a number is only said to be one.
    plain = (
        (f"{name.zh or name.name}的状态", f"{name.en or name.name}: its state") if isinstance(standing, float) else said
    )
    return Reason(
        code, name.name, *said, direction, size, LOG_ODDS, ("", "") if name.name in declared(version) else plain
    )


def by_standing(version: Version, engine: Engine, profile: Any) -> list[dict[str, Any]]:
    """How trees use each feature, the strongest first: its mean absolute contribution over a profile, and the mean where
    its values stand high, low, at a level, or are missing."""
    grown = forest(version)
    digest = (profile[version.key].cast("string")).hexdigest("md5")
    inside = profile if version.population is None else profile.filter(_population(version, profile))
    names = [coding.name.name for coding in grown.codings]
    rows = engine.arrow(inside.order_by(digest).limit(MOST_UNITS).select(*names))
    if not len(rows):
        return []
    columns = encode(grown.codings, rows)
    _, contributions = grown.explained(columns, threads=engine.threads)
    found = []
    for place, coding in enumerate(grown.codings):
        sizes, standing = contributions[place], columns.standing[place]
        stand = [
            {"code": standing_code(coding.name, each), "rows": int(here.sum()), "mean": float(sizes[here].mean())}
            for number, each in enumerate(coding.standings)
            if (here := standing == number).any()
        ]
        found.append({"feature": coding.name.name, "size": float(abs(sizes).mean()), "standings": stand})
    return sorted(found, key=lambda row: (-row["size"], row["feature"]))


def _population(version: Version, profile: Any) -> Any:
    assert version.population is not None
    return parse(version.population, version.names, expect=Type.YESNO).ibis(profile)


# ── a book ──────────────────────────────────────────────────────────────────────────────────────────────────


def moved(version: Version, engine: Engine, profile: Any, given: Any) -> list[dict[str, Any]]:
    """What moves the score most over a book, the strongest first.

    `profile` holds the columns that the version reads, `given` its score table. A row for each feature: its mean absolute
    size (None where the method gives none), and the shares of units whose reason 1 to 4 it is.
    """
    units = engine.count(given.filter(given.grade.notnull()))
    shares: dict[str, dict[int, int]] = {}
    for place in range(1, REASONS + 1):
        column = given[f"reason_{place}"]
        for row in engine.rows(
            given.filter(column.notnull()).group_by(code=column).agg(rows=lambda each: each.count())
        ):
            of_feature = shares.setdefault(feature_of(row["code"]), {})
            of_feature[place] = of_feature.get(place, 0) + row["rows"]
    sizes = _mean_sizes(version, engine, profile)
    rows = [
        {"feature": feature, "size": sizes.get(feature),
         "shares": [shares.get(feature, {}).get(place, 0) / max(units, 1) for place in range(1, REASONS + 1)]}
        for feature in {**sizes, **shares}
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-(row["size"] or 0), -sum(row["shares"]), row["feature"]))


def _mean_sizes(version: Version, engine: Engine, profile: Any) -> dict[str, float]:
    """By feature the mean of its absolute size over the population."""
    if version.has_trees:
        return {row["feature"]: row["size"] for row in by_standing(version, engine, profile)}
    parts = characteristics(version)
    if not parts:
        return {}
    if version.population is not None:
        profile = profile.filter(_population(version, profile))
    counts = {
        f"{part}_{place}": (one.place.ibis(profile) == place).sum()
        for part, one in enumerate(parts)
        for place in range(len(one.bins))
    }
    rows = engine.rows(profile.aggregate(units=profile.count(), **counts))[0]
    found: dict[str, float] = {}
    for part, one in enumerate(parts):
        total = sum(
            abs(points - one.average) * int(rows[f"{part}_{place}"] or 0) for place, points in enumerate(one.points)
        )
        found[one.name.name] = found.get(one.name.name, 0.0) + total / max(rows["units"], 1)
    return found
