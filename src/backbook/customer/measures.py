"""What each measure is: the aggregates it asks of a pass, and how they become its value.

`finish(feature, a_pass)` returns a function from the joined aggregates of a unit to the value. A unit without a
row has null aggregates there: a count, a sum, a distinct count and a streak are then zero, because it is known
that there was nothing; whatever needs a row to exist is null, or what the definition says under `none`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis

from backbook.customer.definition import Feature
from backbook.customer.passes import IBIS, Finish, Pass, day_of, exact
from backbook.customer.window import CYCLES
from backbook.expressions import Expression, Type


def finish(feature: Feature, over: Pass) -> Finish:
    """The value of one feature from the aggregates of its pass."""
    measured = MEASURE[str(feature.measure)](feature, over)
    if feature.none is None:
        return measured
    rows = over.count(feature, feature.filter, feature.within)
    none = ibis.literal(feature.none).cast(IBIS[feature.type])
    return lambda units: (_zero(units[rows]) == 0).ifelse(none, measured(units))


def _count(feature: Feature, over: Pass) -> Finish:
    counted = over.count(feature, feature.filter, of=feature.of and _sparse(feature.of, over))
    return lambda units: _zero(units[counted])


def _sum(feature: Feature, over: Pass) -> Finish:
    of = _of(feature)
    total = over.total(feature, feature.filter, of=of)
    if _sparse(of, over) is None:
        return lambda units: _sized(_zero(units[total]), feature.type)
    # Rows that all leave the column empty do not add up to zero.
    rows = over.count(feature, feature.filter)
    return lambda units: _sized((_zero(units[rows]) == 0).ifelse(0, units[total]), feature.type)


def _extreme(feature: Feature, over: Pass) -> Finish:
    of = _of(feature)
    found = over.extreme(feature, str(feature.measure), of.ibis(over.rows), of.text)
    return lambda units: units[found]


def _average(feature: Feature, over: Pass) -> Finish:
    of = _of(feature)
    total, counted = (
        over.total(feature, feature.filter, of=of),
        over.count(feature, feature.filter, of=_sparse(of, over)),
    )
    return lambda units: _ratio(units[total], units[counted])


def _share(feature: Feature, over: Pass) -> Finish:
    """The part of the whole (`within`) for which the filter holds, in rows or in amounts of `of`."""
    if feature.of is None:
        part = over.count(feature, feature.filter, feature.within)
        whole = over.count(feature, feature.within)
    else:
        part = over.total(feature, feature.filter, feature.within, of=feature.of)
        whole = over.total(feature, feature.within, of=feature.of)
    return lambda units: _ratio(_zero(units[part]), units[whole])


def _days_since(feature: Feature, over: Pass) -> Finish:
    """Days since the latest such day; in an outcome, days until the first."""
    ahead = feature.window is not None and feature.window.ahead
    moment = over.event(feature) if feature.of is None else feature.of.ibis(over.rows)
    day = day_of(moment)
    key = feature.of.text if feature.of is not None else "event"
    found = over.extreme(feature, "min" if ahead else "max", day, f"day of {key}")
    as_of = ibis.literal(over.as_of)
    if ahead:
        return lambda units: units[found].delta(as_of, unit="day").cast("int64")
    return lambda units: as_of.delta(units[found], unit="day").cast("int64")


def _latest(feature: Feature, over: Pass) -> Finish:
    found = over.last(feature, _of(feature))
    return lambda units: units[found]["value"]


def _slope(feature: Feature, over: Pass) -> Finish:
    """Least squares of `of` against the time axis: change per cycle, month or day."""
    of, window = _of(feature), feature.window
    assert window is not None
    known = of.ibis(over.rows)
    where = over.where(feature, feature.filter)
    counts = known.notnull() if where is None else where & known.notnull()
    x, y = over.steps(feature), exact(known, of.type)

    def part(what: str, value: Any) -> str:
        key = (what, of.text, feature.filter.text if feature.filter else "", f"{window} {feature.dated or ''}")
        return over.part(key, lambda: counts.ifelse(value, ibis.null(value.type())).sum())

    n, sx, sy = part("n", ibis.literal(1, "int64")), part("x", x), part("y", y)
    sxx, sxy = part("xx", x * x), part("xy", x * y)

    def value(units: Any) -> Any:
        count, across = _double(units[n]), _double(units[sx])
        return _divided(
            count * _double(units[sxy]) - across * _double(units[sy]), count * _double(units[sxx]) - across * across
        )

    return value


def _streak(feature: Feature, over: Pass) -> Finish:
    """How many of the latest cycles, or months, in a row have what the filter says."""
    window = feature.window
    assert window is not None
    holds = feature.filter.ibis(over.rows) if feature.filter is not None else ibis.literal(True)
    said = feature.filter.text if feature.filter is not None else ""
    if window.unit == CYCLES:
        inside = over.rows["_cycle"] <= window.size
        broken = inside & ~ibis.coalesce(holds, False)
        first = over.part(
            ("broken", said, f"{window} {feature.dated or ''}"),
            lambda: broken.ifelse(over.rows["_cycle"], ibis.null("int64")).min(),
        )
        rows = over.count(feature)
        return lambda units: ibis.coalesce(units[first] - 1, units[rows], 0).cast("int64")
    months = [
        over.part(
            ("month", said, str(back)),
            lambda back=back: (holds & (over.months_after(feature) == -back)).ifelse(1, ibis.null("int8")).count(),  # type: ignore[misc]
        )
        for back in range(window.size)
    ]
    return lambda units: ibis.cases(
        *((_zero(units[month]) == 0, ibis.literal(back, "int64")) for back, month in enumerate(months)),
        else_=ibis.literal(window.size, "int64"),
    )


MEASURE = {
    "count": _count, "sum": _sum, "min": _extreme, "max": _extreme, "average": _average, "share": _share,
    "days_since": _days_since, "latest": _latest, "slope": _slope, "streak": _streak,
}  # fmt: skip


# ── rows by value ───────────────────────────────────────────────────────────────────────────────────────────


def by_value(features: Sequence[Feature], over: Pass, prefix: str) -> tuple[Any, dict[str, Finish]]:
    """Distinct values and entropies of one column: rows per unit and value first, then per unit."""
    inner = Pass(_with_value(features, over.rows), over.table, over.as_of, "n", over.begins)
    seen = {feature.id: _seen(feature, inner) for feature in features}
    values = inner.rows.group_by(["_unit", "_value"]).agg(**inner.parts)
    parts: dict[str, Any] = {}
    finishers: dict[str, Finish] = {}
    for place, feature in enumerate(features):
        name = f"{prefix}{place}"
        if feature.measure == "distinct":
            parts[name] = seen[feature.id](values).ifelse(1, ibis.null("int8")).count()
            finishers[feature.id] = _zero_of(name)
        else:
            rows = values[inner.count(feature, feature.filter)]
            # n ln n to six decimals, so that the sum of it repeats.
            weighed = (rows > 0).ifelse((_double(rows) * _double(rows).ln()).round(6), 0.0).try_cast("decimal(18,6)")
            parts |= {f"{name}_rows": rows.sum(), f"{name}_weighed": weighed.sum()}
            finishers[feature.id] = _entropy(feature, name)
    return values.group_by("_unit").agg(**parts), finishers


def _with_value(features: Sequence[Feature], rows: Any) -> Any:
    """The rows that know the value, and that any of the features may count."""
    rows = rows.mutate(_value=_of(features[0]).ibis(rows))
    conditions = {feature.filter.text: feature.filter for feature in features if feature.filter is not None}
    if len(conditions) == 1 and all(feature.filter is not None for feature in features):
        rows = rows.filter(*(condition.ibis(rows) for condition in conditions.values()))
    return rows.filter(rows["_value"].notnull())


def _seen(feature: Feature, inner: Pass) -> Finish:
    """Whether the feature counts a value: from the youngest row of each, where one look tells all windows apart."""
    if feature.measure == "entropy":
        inner.count(feature, feature.filter)
        return lambda values: values
    youngest = inner.youngest(feature)
    if youngest is not None:
        return youngest
    rows = inner.count(feature, feature.filter)
    return lambda values: values[rows] > 0


def _entropy(feature: Feature, name: str) -> Finish:
    def entropy(units: Any) -> Any:
        """ln N - (sum of n ln n) / N: 0 when all rows have one value, ln k when k values share them evenly."""
        rows = _double(units[f"{name}_rows"])
        spread = (rows > 0).ifelse(
            (rows.ln() - _double(units[f"{name}_weighed"]) / rows).round(6), ibis.null("float64")
        )
        return (spread < 0).ifelse(0.0, spread)

    if feature.none is None:
        return entropy
    none = ibis.literal(float(feature.none), "float64")
    return lambda units: (_zero(units[f"{name}_rows"]) == 0).ifelse(none, entropy(units))


# ── small arithmetic ────────────────────────────────────────────────────────────────────────────────────────


def _of(feature: Feature) -> Expression:
    assert feature.of is not None
    return feature.of


def _zero_of(name: str) -> Finish:
    return lambda units: _zero(units[name])


def _sparse(of: Expression, over: Pass) -> Expression | None:
    """The expression where it may be unknown in a row: it is more than a column that every row must have."""
    return None if of.text in over.table and over.table[of.text].required else of


def _zero(value: Any) -> Any:
    return ibis.coalesce(value, 0)


def _double(value: Any) -> Any:
    return value.cast("float64")


def _ratio(part: Any, whole: Any) -> Any:
    return _divided(_double(part), _double(whole))


def _divided(part: Any, whole: Any) -> Any:
    return (whole != 0).ifelse(part / whole, ibis.null("float64"))


def _sized(value: Any, type: Type) -> Any:
    """A sum in the type of what was summed; one that does not fit is null."""
    return value.try_cast("decimal(38,0)").try_cast("int64") if type is Type.WHOLE else value.try_cast(IBIS[type])
