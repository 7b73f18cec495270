"""Groups that an algorithm finds: who is alike in a list of features.

    - id: behaviour_group
      clusters: {of: [spend_90d, utilisation, instalment_share], where: is_open, most: 8, refit_months: 12}

k-means over features made comparable (amounts and counts by their signed logarithm, then in standard deviations; what
is not known counts as average). The number of groups is chosen with a reason that is kept: of those from two to `most`
that two halves of the book agree about (adjusted Rand index), the one whose groups are most apart (silhouette).
The groups hold until the definition changes or `refit_months` are over; found anew, each takes the name of the old
group that it is nearest to, so that `c3` remains what it was. Who is outside `where` is in no group.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import ibis
import numpy as np

from backbook.customer.definition import ACCOUNT
from backbook.customer.order import Link
from backbook.customer.privacy import deleted
from backbook.definitions import Item
from backbook.engine import Engine
from backbook.errors import BadDefinition, Fault
from backbook.expressions import Expression, Level, Name, Names, Type, parse

KEYS = {"of", "where", "most", "refit_months"}
MOST, REFIT_MONTHS, LARGEST = 8, 12, 20
NONE = "none"
# The table of what sets each group apart.
APART = "segment_apart"
# Enough to find groups of a hundredth, few enough for a second; silhouettes grow with the square.
SAMPLE, SILHOUETTE = 50_000, 4_000
LEAST_UNITS = 200
# Two halves agree about who belongs together (Hubert & Arabie 1985); below this the groups are chance.
AGREE = 0.8
SEED = 20_260_101
LOGGED = (Type.MONEY, Type.WHOLE)


@dataclass(frozen=True)
class Clusters:
    """One text column of a profile: c1, c2, … or none."""

    id: str
    zh: str
    en: str
    grain: str
    owner: str
    aim: str
    of: tuple[str, ...]
    logged: tuple[bool, ...]
    where: Expression | None
    most: int
    refit_months: int
    levels: tuple[Level, ...]
    meaning: tuple[str, str]
    personal: bool
    link: Link = field(default_factory=lambda: Link("cluster", "", frozenset(), frozenset()))
    unknown: str = NONE
    kind: str = "segment"

    @property
    def reads(self) -> frozenset[str]:
        return frozenset(self.of) | (self.where.reads if self.where is not None else frozenset())

    @property
    def needed(self) -> list[Expression]:
        return [] if self.where is None else [self.where]

    @property
    def name(self) -> Name:
        return Name(self.id, Type.TEXT, self.zh, self.en, self.levels)

    def canonical(self) -> dict[str, Any]:
        asked = {"of": list(self.of), "where": self.where and self.where.text, "most": self.most,
                 "refit_months": self.refit_months}  # fmt: skip
        return {
            "id": self.id, "zh": self.zh, "en": self.en, "grain": self.grain, "owner": self.owner, "aim": self.aim,
            "meaning": {"zh": self.meaning[0], "en": self.meaning[1]}, "personal": self.personal,
            "clusters": {key: value for key, value in asked.items() if value is not None},
        }  # fmt: skip

    @property
    def hash(self) -> str:
        return hashlib.sha256(json.dumps(self.canonical(), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Found:
    """Groups as learned: `centres` in standard deviations, a row per code, in the order of `codes`."""

    definition: str
    fitted_on: date
    codes: tuple[str, ...]
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]
    units: int
    reason: Mapping[str, Any]

    def as_json(self) -> str:
        return json.dumps({**vars(self), "fitted_on": self.fitted_on.isoformat()}, sort_keys=True)

    @classmethod
    def read(cls, text: str) -> Found:
        data = json.loads(text)
        return cls(
            data["definition"], date.fromisoformat(data["fitted_on"]), tuple(data["codes"]), tuple(data["means"]),
            tuple(data["spreads"]), tuple(tuple(row) for row in data["centres"]), data["units"], data["reason"],
        )  # fmt: skip

    def holds(self, of: Clusters, on: date) -> bool:
        """Whether it can be used on that day: the same definition, learned before and not too long ago."""
        months = (on.year - self.fitted_on.year) * 12 + on.month - self.fitted_on.month
        return self.definition == of.hash and self.fitted_on <= on and months < of.refit_months


# ── read ────────────────────────────────────────────────────────────────────────────────────────────────────


def levels(item: Item) -> list[Level]:
    asked = item.data.get("clusters")
    most = asked.get("most", MOST) if isinstance(asked, dict) else MOST
    count = most if isinstance(most, int) and 2 <= most <= LARGEST else MOST
    zh, en = str(item.data.get("zh", "")), str(item.data.get("en", ""))
    found = [Level(f"c{n}", f"{zh}{n}", f"{en} {n}") for n in range(1, count + 1)]
    return [*found, Level(NONE, "未分群", "In no group")]


def read(item: Item, names: Names) -> tuple[Clusters | None, list[Fault]]:
    """The clusters that an item defines, without their link, and what is wrong with `clusters`."""
    asked, data = item.data["clusters"], item.data
    if not isinstance(asked, dict) or not isinstance(asked.get("of"), list) or len(asked["of"]) < 2:
        found = "does not say by what they are alike."
        return None, [item.fault("clusters", found, "Write clusters: {of: [two features or more]}.")]
    faults = [
        item.fault(f"clusters.{key}", f"'{key}' is not known here.", f"Possible: {', '.join(sorted(KEYS))}.")
        for key in sorted(set(asked) - KEYS)
    ]
    columns = []
    for place, word in enumerate(asked["of"]):
        column, wrong = _column(item, place, str(word), names)
        faults += wrong
        columns += [column] if column is not None else []
    where, unread = _where(item, names)
    faults += unread
    for key, least, largest in (("most", 2, LARGEST), ("refit_months", 1, 120)):
        number = asked.get(key, least)
        if not isinstance(number, int) or not least <= number <= largest:
            faults.append(item.fault(f"clusters.{key}", f"{key} is {number!r}.", f"Write {least} to {largest}."))
    if faults:
        return None, faults
    meaning = data.get("meaning") or {}
    return Clusters(
        item.id, str(data.get("zh")), str(data.get("en")), data.get("grain", ACCOUNT), str(data.get("owner")),
        data.get("aim", "all"), tuple(column.name for column in columns),
        tuple(column.type in LOGGED for column in columns), where, asked.get("most", MOST),
        asked.get("refit_months", REFIT_MONTHS), tuple(levels(item)),
        (str(meaning.get("zh", "")), str(meaning.get("en", ""))), data.get("personal", True),
    ), []  # fmt: skip


def _column(item: Item, place: int, word: str, names: Names) -> tuple[Name | None, list[Fault]]:
    known = names.resolve(word)
    if known is None:
        close = names.nearest(word)
        possible = f"Did you mean '{close}'?" if close else ""
        return None, [item.fault(f"clusters.of.{place}", f"no column is called '{word}'.", possible)]
    if known.type not in (*LOGGED, Type.NUMBER):
        found = f"'{known.name}' is {known.type}, and groups are found in numbers."
        return None, [item.fault(f"clusters.of.{place}", found, "Choose a column of numbers.")]
    return known, []


def _where(item: Item, names: Names) -> tuple[Expression | None, list[Fault]]:
    text = item.data["clusters"].get("where")
    if text is None:
        return None, []
    try:
        return parse(str(text), names), []
    except BadDefinition as wrong:
        return None, [item.fault("clusters.where", fault.found, fault.possible) for fault in wrong.faults]


# ── use ─────────────────────────────────────────────────────────────────────────────────────────────────────


def value(clusters: Clusters, found: Found | None, rows: Any) -> Any:
    """The nearest group of each row; `none` outside `where`, of who had their tags deleted, and before any is found."""
    if found is None:
        return ibis.literal(NONE)
    inside = _inside(clusters, rows)
    scaled = [
        ((_plain(rows[column], logged) - mean) / spread).fill_null(0.0)
        for column, logged, mean, spread in zip(clusters.of, clusters.logged, found.means, found.spreads, strict=True)
    ]
    # To nine digits, so that two engines agree about a tie.
    far = [
        sum(((x - c) * (x - c) for x, c in zip(scaled, centre, strict=True)), ibis.literal(0.0)).round(9)
        for centre in found.centres
    ]
    nearest = ibis.least(*far)
    places = [(distance == nearest, ibis.literal(code)) for distance, code in zip(far, found.codes, strict=True)]
    return inside.ifelse(ibis.cases(*places, else_=NONE), NONE)


def _inside(clusters: Clusters, rows: Any) -> Any:
    inside = ibis.literal(True) if clusters.where is None else clusters.where.ibis(rows).fill_null(False)
    return inside & ~deleted(rows) if clusters.personal else inside


def _plain(column: Any, logged: bool) -> Any:
    """The number that is compared: the signed logarithm of amounts and counts, whose tails are long."""
    number = column.cast("float64")
    return number.sign() * (number.abs() + 1).ln() if logged else number


# ── find ────────────────────────────────────────────────────────────────────────────────────────────────────


def find(clusters: Clusters, engine: Engine, rows: Any, key: str, on: date, before: Found | None) -> Found | None:
    """Groups learned from the rows of a day; None where fewer than two hundred units are to be
    grouped, or where fewer than two of the features tell them apart.

    `key` names the unit; `before` are the groups whose names go on.
    """
    told = rows.filter(_inside(clusters, rows)).select(
        **{f"x{n}": _plain(rows[column], logged) for n, (column, logged) in enumerate(zip(clusters.of, clusters.logged, strict=True))},
        _order=(rows[key].cast("string") + ibis.literal(f"|{SEED}")).hexdigest("md5"),
    )  # fmt: skip
    sample = engine.arrow(told.order_by("_order").limit(SAMPLE))
    if len(sample) < LEAST_UNITS:
        return None
    x = np.column_stack([sample[f"x{n}"].to_numpy(zero_copy_only=False).astype(float) for n in range(len(clusters.of))])
    known = np.isfinite(x)
    counts = np.maximum(known.sum(axis=0), 1)
    means = np.where(known, x, 0).sum(axis=0) / counts
    spreads = np.sqrt(np.where(known, (x - means) ** 2, 0).sum(axis=0) / counts)
    if (spreads > 1e-9).sum() < 2:
        return None
    # What is the same for everybody tells nobody apart, and must not be divided by nothing.
    spreads = np.where(spreads > 1e-9, spreads, 1.0)
    scaled = np.where(known, (x - means) / spreads, 0.0)
    centres, reason = _chosen(scaled, clusters.most)
    codes, centres = _named(centres, np.bincount(_nearest(scaled, centres), minlength=len(centres)),
                            _moved(before, clusters, means, spreads), clusters.most)  # fmt: skip
    return Found(
        clusters.hash, on, tuple(codes), tuple(_round(means)), tuple(_round(spreads)),
        tuple(tuple(_round(row)) for row in centres), len(sample), reason,
    )  # fmt: skip


def _round(values: Any) -> list[float]:
    return [round(float(value), 6) for value in values]


def _chosen(x: Any, most: int) -> tuple[Any, dict[str, Any]]:
    """The centres for the best number of groups, and what was tried: k, agreement of two halves, silhouette."""
    # Imported here: a second that only a day of learning needs.
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    half = len(x) // 2
    judged = x[: min(SILHOUETTE, len(x))]
    tried, fits = [], {}
    for k in range(2, most + 1):
        fits[k] = _fit(x, k)
        ones, others = (_nearest(judged, _fit(part, k)) for part in (x[:half], x[half:]))
        labels = _nearest(judged, fits[k])
        apart = float(silhouette_score(judged, labels)) if len(set(labels.tolist())) > 1 else -1.0
        tried.append({"k": k, "agree": round(float(adjusted_rand_score(ones, others)), 3), "apart": round(apart, 3)})
    stable = [row for row in tried if row["agree"] >= AGREE] or [max(tried, key=lambda row: (row["agree"], -row["k"]))]
    best = max(stable, key=lambda row: (row["apart"], -row["k"]))
    k = int(best["k"])
    return fits[k], {"k": k, "stable": best["agree"] >= AGREE, "tried": tried}


def _fit(x: Any, k: int) -> Any:
    from sklearn.cluster import MiniBatchKMeans

    return MiniBatchKMeans(k, n_init=5, random_state=SEED, batch_size=4096).fit(x).cluster_centers_


def _nearest(x: Any, centres: Any) -> Any:
    return ((x[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2).argmin(axis=1)


def _moved(before: Found | None, clusters: Clusters, means: Any, spreads: Any) -> tuple[Sequence[str], Any] | None:
    """The old groups in today's measure, where they are of the same features."""
    if before is None or len(before.means) != len(clusters.of):
        return None
    plain = np.array(before.centres) * np.array(before.spreads) + np.array(before.means)
    return before.codes, (plain - means) / spreads


def _named(centres: Any, sizes: Any, old: tuple[Sequence[str], Any] | None, most: int) -> tuple[list[str], Any]:
    """(codes, centres by code): the old name where groups are nearest to each other, else new ones from the largest down."""
    names: dict[int, str] = {}
    if old is not None:
        from scipy.optimize import linear_sum_assignment

        codes, places = old
        cost = ((centres[:, None, :] - places[None, :, :]) ** 2).sum(axis=2)
        for mine, other in zip(*linear_sum_assignment(cost), strict=True):
            names[int(mine)] = codes[int(other)]
    free = iter(code for code in (f"c{n}" for n in range(1, most + 1)) if code not in names.values())
    for place in np.argsort(-sizes, kind="stable").tolist():
        if place not in names:
            names[place] = next(free)
    order = sorted(names, key=lambda place: int(names[place][1:]))
    return [names[place] for place in order], centres[order]


def told_apart(clusters: Clusters, found: Found, rows: Any) -> Any:
    """segment, level, units, feature, mean, apart: what sets each group apart, in standard deviations of the book."""
    inside = rows.filter(rows[clusters.id] != NONE)
    parts = []
    for place, (column, logged) in enumerate(zip(clusters.of, clusters.logged, strict=True)):
        scaled = (_plain(inside[column], logged) - found.means[place]) / found.spreads[place]
        told = inside.select(
            level=inside[clusters.id],
            # Six decimals, so that the sums repeat.
            x=inside[column].cast("float64").round(6).try_cast("decimal(38,6)"),
            away=scaled.round(6).try_cast("decimal(18,6)"),
        )
        each = told.group_by("level").agg(
            units=told.count(), x=told.x.sum(), known=told.x.count(), away=told.away.sum()
        )
        many = each.known.nullif(0).cast("float64")
        parts.append(
            each.select(
                segment=ibis.literal(clusters.id),
                level="level",
                units="units",
                feature=ibis.literal(column),
                mean=(each.x.cast("float64") / many).round(6),
                apart=(each.away.cast("float64") / many).round(6),
            )
        )
    return ibis.union(*parts) if len(parts) > 1 else parts[0]
