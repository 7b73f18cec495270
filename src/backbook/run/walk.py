"""One business date, or many, from the bank's files to the report.

`load`, `profile`, `train`, `score`, `watch`, `decide`, `report`: each stage reads tables and writes tables, publishes once,
and can be repeated alone with the same result. A run that was killed is finished by running it again.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from importlib import import_module
from threading import Thread
from typing import Any

from backbook.errors import NotAllowed
from backbook.outcome import library
from backbook.progress import Progress
from backbook.run import stages
from backbook.run.freeze import Frozen, freeze
from backbook.run.records import before, latest, next_run, record_bytes
from backbook.run.stages import Way
from backbook.workspace import LANGUAGES, Workspace

WALK: Mapping[str, Callable[[Way], Any]] = {
    "load": stages.load,
    "profile": stages.profile,
    "train": stages.train,
    "score": stages.score,
    "watch": stages.watch,
    "decide": stages.decide,
    "report": stages.report,
}
STAGES = tuple(WALK)
TEXTS = {
    "load": "Reading what the bank delivered",
    "profile": "Building profiles",
    "train": "Training scores",
    "score": "Scoring",
    "watch": "Watching scores",
    "decide": "Deciding",
    "report": "Writing lists and the report",
}


@dataclass(frozen=True)
class RunReport:
    """What one run did; `as_json` is the object that `--json` prints."""

    run: str
    as_of: date
    seconds: float
    found: Mapping[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    walked: tuple[str, ...] = STAGES

    def as_json(self) -> dict[str, Any]:
        found = self.found
        report: dict[str, Any] = {
            "as_of": self.as_of.isoformat(),
            "run": self.run,
            "seconds": round(self.seconds, 2),
            "tables": _gates(found.get("load", {}).get("tables", {})),
            "not_available": found.get("profile", {}).get("not_available", [])
            + found.get("train", {}).get("not_available", []),
            "scores": found.get("train", {}).get("scores", {}),
            "watch": found.get("watch", {}).get("scores", {}),
            "decisions": found.get("decide", {}).get("decisions", {}),
            "files": found.get("report", {}).get("files", []),
        }
        return report | {"dry_run": True} if self.dry_run else report


def _gates(tables: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """`in` is what came out of the mappings: in = loaded + unchanged + quarantined."""
    return {
        name: {"in": counts["mapped"], **{key: value for key, value in counts.items() if type(value) is int}}
        for name, counts in tables.items()
    }


def walk(
    workspace: Workspace,
    dates: Sequence[date],
    *,
    stages: Sequence[str] = STAGES,
    language: str | None = None,
    dry_run: bool = False,
    anew: bool = False,
    progress: Progress | None = None,
) -> list[RunReport]:
    """Walk the stages for each date, oldest first; raises a Refusal and leaves what was published before it.

    Raw files are loaded once, before the first date: what was not known on a date stays out of it by `known_on`.
    A stage whose inputs are what they were keeps what it left, unless `anew`. With `dry_run` the definitions are frozen and the load is counted, and nothing is written.
    """
    language = language or workspace.settings.language
    if language not in LANGUAGES:
        raise NotAllowed(f"The language '{language}' is not known. Possible: {', '.join(LANGUAGES)}.")
    progress = progress or Progress(shown=False)
    frozen = freeze(workspace)
    name = f"{'+'.join(stages) if len(stages) < len(STAGES) else 'run'} {dates[0]}" + (
        f" to {dates[-1]}" if len(dates) > 1 else ""
    )
    reports: list[RunReport] = []
    with _circles_kept(), _drawing(stages, dry_run) as drawn_by, workspace.lake.lock(name) as writer:
        for place, as_of in enumerate(dates):
            if place:
                gc.collect()
            way = Way(
                workspace,
                frozen,
                writer,
                as_of,
                dates[-1],
                language,
                next_run(workspace, as_of),
                progress,
                dry_run,
                anew,
                tuple(stages),
                drawn_by,
            )
            walked = [stage for stage in stages if place == 0 or stage != "load"]
            reports.append(_one(way, walked, f"{as_of} · " if len(dates) > 1 else "", reports))
    return reports


@contextmanager
def _circles_kept() -> Iterator[None]:
    """Within, Python does not look for circles of garbage.

    Expressions come by the hundred thousand and make it look all the time, for a tenth of a run; it finds little
    before a date is done.
    """
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked:
            gc.enable()


def _load_ahead(way: Way, walked: Sequence[str]) -> None:
    """Load the large libraries of the later stages while the engine works for the first ones."""
    modules = []
    if "train" in walked and stages.untrained(way):
        modules.append("sklearn.linear_model")
    if "report" in walked:
        modules.append("backbook.outcome.report")
    Thread(target=lambda: [import_module(module) for module in modules], daemon=True).start()


def _drawing(stages: Sequence[str], dry_run: bool) -> AbstractContextManager[Callable[[], str]]:
    """The report's drawing library, which nobody needs to wait for, begun with the walk."""
    return library.made_beside() if "report" in stages and not dry_run else nullcontext(library.made)


def _one(way: Way, walked: Sequence[str], prefix: str, earlier: Sequence[RunReport]) -> RunReport:
    started = time.monotonic()
    way.found.update(_found_before(way, walked, earlier))
    if not way.dry_run:
        _load_ahead(way, walked)
    for stage in walked:
        if way.dry_run and stage != "load":
            continue
        with way.progress.stage(f"{prefix}{TEXTS[stage]}"):
            way.found[stage] = WALK[stage](way)
    seconds = time.monotonic() - started
    if not way.dry_run:
        _keep(way, walked, seconds)
    return RunReport(way.run, way.as_of, seconds, way.found, way.dry_run, tuple(walked))


def _found_before(way: Way, walked: Sequence[str], earlier: Sequence[RunReport]) -> dict[str, Any]:
    """What the stages that are not walked now found when they last were, so that the report can tell it."""
    found = {}
    for stage in STAGES:
        if stage in walked:
            continue
        if stage == "load" and earlier:
            found[stage] = earlier[0].found["load"]
            continue
        # Files are read once for a span of dates: the last load at or before this date tells of this date too.
        record = latest(way.workspace, way.as_of, stage) or (
            before(way.workspace, way.as_of, stage) if stage == "load" else None
        )
        if record is not None:
            found[stage] = record.found[stage]
    return found


def _keep(way: Way, walked: Sequence[str], seconds: float) -> None:
    record = replace(way.record(seconds), stages=tuple(walked))
    way.writer.document("bundle", way.frozen.bundle.hash, way.frozen.bundle.data)
    way.writer.document("run", way.run, record_bytes(record))
    way.writer.publish(about={"run": way.run, "as_of": way.as_of.isoformat(), "stage": "end"})


__all__ = ["STAGES", "Frozen", "RunReport", "walk"]
