"""The versions of every score, each with what it is, on whose word, and the figures by which it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from backbook.run.scores.here import Here
from backbook.score import registry
from backbook.score.monitor import TABLE, Kind, Level
from backbook.workspace import Workspace


def listed(workspace: Workspace, *, as_of: date | None = None) -> list[dict[str, Any]]:
    """A row for each version known on the day: the latest day that the lake can tell of, when none is named."""
    here = Here(workspace, as_of)
    levels = _watched(here)
    rows = []
    for id, versions in here.by_score.items():
        for each in versions:
            made = registry.version(here.head, each.version)
            told = made.summary()
            rows.append({
                "score": id, "zh": told["zh"], "en": told["en"], "method": made.method, **asdict(each),
                **{name: told[name] for name in ("rows", "events", "auc", "ks", "calibration_error")},
                "watch": levels.get(each.version),
            })  # fmt: skip
    return rows


def _watched(here: Here) -> Mapping[str, Level]:
    """The worst level of each version on the last day that was watched."""
    manifest = here.head.manifest(TABLE)
    days = [part for part in manifest.parts() if part <= here.as_of.isoformat()] if manifest else []
    if not days:
        return {}
    rows = here.engine.parquet(here.head.files(TABLE, part=max(days))).filter(lambda row: row.kind == Kind.WHOLE)
    return {row["version"]: Level(row["level"]) for row in here.engine.rows(rows.select("version", "level"))}
