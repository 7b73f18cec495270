"""What the watch says of one score, as the report shows it: rows of `score_watch` put in order, with words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backbook.outcome.figures import Grid, Row, Text, Watched
from backbook.score.monitor import Kind

# What is read of each month whose outcomes are over, and under which name it stands in a row.
BY_MONTH = {
    Kind.AUC: "auc", Kind.KS: "ks", Kind.LIFT: "lift", Kind.SLOPE: "slope", Kind.CALIBRATION: "ratio",
    Kind.ERROR: "calibration_error",
}  # fmt: skip
INTERVALS = (Kind.AUC, Kind.KS, Kind.CALIBRATION)
# So many months of the index are drawn.
MONTHS = 12


def watched(rows: Sequence[Row], earlier: Iterable[Row], version: str, names: Mapping[str, Text]) -> Watched:
    """`rows` of this date and indices of `earlier` dates, both of one score; `names` are those of its features."""
    mine = [row for row in rows if row["version"] == version]
    whole = next((row for row in mine if row["kind"] == Kind.WHOLE), None)
    if whole is None:
        return Watched()
    psi = next((row for row in mine if row["kind"] == Kind.PSI), {})
    return Watched(
        whole["level"],
        Text(whole["reason_zh"], whole["reason_en"]),
        Text(whole["act_zh"], whole["act_en"]),
        psi,
        Grid("shift", tuple(_shift(mine))),
        Grid("psi_by_day", tuple(_by_day(earlier, psi))),
        Grid("watch_features", tuple(_features(mine, names))),
        Grid("watch_months", tuple(_months(rows))),
    )


def _of(rows: Iterable[Row], kind: Kind) -> list[Row]:
    return sorted((row for row in rows if row["kind"] == kind), key=lambda row: (row["period"], row["place"]))


def _shift(rows: Sequence[Row]) -> Iterable[dict[str, Any]]:
    for row in _of(rows, Kind.PSI_BAND):
        yield {
            "band": row["subject"], "before": row["reference"], "share": row["value"],
            "taught": row["rows_reference"], "units": row["rows_now"],
        }  # fmt: skip


def _by_day(earlier: Iterable[Row], now: Row) -> list[dict[str, Any]]:
    """The index of the last date of each month, the latest months, oldest first; one that could not be had is left out."""
    known = sorted((row for row in (*earlier, now) if row and row["value"] is not None), key=lambda row: row["period"])
    of_month = {(row["period"].year, row["period"].month): row for row in known}
    return [
        {"on": row["period"].isoformat(), "psi": row["value"], "bound": row["bound"], "level": row["level"]}
        for row in list(of_month.values())[-MONTHS:]
    ]


def _features(rows: Sequence[Row], names: Mapping[str, Text]) -> list[dict[str, Any]]:
    """Each feature with its index and its missing, what moved most first."""
    missing = {row["subject"]: row for row in _of(rows, Kind.MISSING)}
    found = []
    for row in _of(rows, Kind.CSI):
        lacking = missing.get(row["subject"], {})
        found.append(
            {
                "feature": names.get(row["subject"], Text(row["subject"], row["subject"])),
                "psi": row["value"],
                "bound": row["bound"],
                "missing_before": lacking.get("reference"),
                "missing_now": lacking.get("value"),
                "level": row["level"],
            }
        )
    return sorted(found, key=lambda row: -(row["psi"] or 0))


def _months(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A row per day that ripened: each figure, with its interval where it is drawn."""
    found: dict[Any, dict[str, Any]] = {}
    for kind, name in BY_MONTH.items():
        for row in _of(rows, kind):
            month = found.setdefault(row["period"], {"on": row["period"].isoformat(), "version": row["version"][-12:]})
            month[name] = row["value"]
            month.setdefault("rows", row["rows_now"])
            if kind in INTERVALS:
                month |= {f"{name}_low": row["low"], f"{name}_high": row["high"], f"{name}_before": row["reference"]}
    return [found[period] for period in sorted(found)]
