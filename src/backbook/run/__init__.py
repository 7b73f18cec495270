"""The order of the stages, and what is asked of runs afterwards: audience, check, diff, lineage, replay, prune."""

from backbook.run.audience import Audience, audience
from backbook.run.check import CheckReport, check
from backbook.run.compare import Difference, diff
from backbook.run.dates import dates
from backbook.run.init import init
from backbook.run.keep import prune
from backbook.run.lineage import Lineage, lineage
from backbook.run.records import Record, named_runs, records
from backbook.run.replay import Replayed, replay
from backbook.run.walk import STAGES, RunReport, walk

__all__ = [
    "STAGES",
    "Audience",
    "CheckReport",
    "Difference",
    "Lineage",
    "Record",
    "Replayed",
    "RunReport",
    "audience",
    "check",
    "dates",
    "diff",
    "init",
    "lineage",
    "named_runs",
    "prune",
    "records",
    "replay",
    "walk",
]
