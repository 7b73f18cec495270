"""A sample becomes a version of warning rules: expressions in their order, with words and figures for people.

A unit has the chance of the first rule that hits it, which is the share of events among those whom that rule hit and no
earlier one; whom no rule hits has the rate of those left. Both are counted on people and on a date that did not teach
the rules. The reasons of a unit are the rules that hit it, in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from backbook.expressions import Type
from backbook.score import formula
from backbook.score.content import content
from backbook.score.definition import Score
from backbook.score.look import Seen, look
from backbook.score.reference import referred
from backbook.score.registry import Unavailable, Version, step
from backbook.score.target import Sample
from backbook.score.warning import Mined, Rows, Rule, mine


def train_rules(score: Score, sample: Sample) -> Version | Unavailable:
    """The rules that the sample teaches, or what it would need."""
    seen = look(score, sample)
    if isinstance(seen, Unavailable):
        return seen
    with threadpool_limits(1):
        mined = mine(rows_of(sample, seen), score.hits, score.monotone)
    if not mined.rules:
        return Unavailable("score", score.id, _needs(score, sample, mined))
    read = {literal.feature for rule in mined.rules for literal in rule.literals}
    features = [name for name in score.features if name.name in read]
    probability = step("probability", Type.NUMBER, _probability(mined))
    grade = step("grade", Type.TEXT, formula.grade(score.grades, "probability"))
    said = content(score, sample, [probability, grade], _figures(mined), features, ["scipy"]) | {
        "reason_keys": _keys(mined.rules),
        "reasons": [{"code": rule.code, "zh": rule.zh, "en": rule.en} for rule in mined.rules],
        "rules": [rule.canonical() for rule in mined.rules],
    }
    return Version(referred(said, score, sample, seen, features))


def rows_of(sample: Sample, seen: Seen) -> Rows:
    """The sample as the miner reads it."""
    grids = [tally.grid for tally in seen.tallies]
    codes = sample.codes(grids)
    features = [(grid, codes[grid.name.name]) for grid in grids]
    return Rows(features, sample.target, sample.day, sample.fold, sample.observed, sample.people)


def _needs(score: Score, sample: Sample, mined: Mined) -> str:
    rate = float(sample.target.mean())
    least = score.hits.least(rate)
    asked = f"a rule that hits right in {least:.1%} of its hits, where {rate:.1%} of all rows have the event"
    if least >= 1:
        return f"{asked}; that is not possible, so ask for less lift"
    if not mined.candidates:
        return f"{asked}; no {score.hits.conditions} conditions together do so"
    return f"{asked}, also on people and on a date that did not teach it; of {mined.candidates} found none does"


def _probability(mined: Mined) -> str:
    cases = [f"when {rule.text} then {rule.added.precision:.6f}" for rule in mined.rules]
    return f"case {' '.join(cases)} else {mined.rest:.6f} end"


def _keys(rules: Sequence[Rule]) -> list[str]:
    """A whole number for each rule: 0 where it does not hit, else the higher the earlier it stands."""
    return [
        f"case when {rule.text} then {(len(rules) - place) * formula.BINS + formula.BINS - 1 - place} else 0 end"
        for place, rule in enumerate(rules)
    ]


def _figures(mined: Mined) -> dict[str, Any]:
    """What the rules hit together, and how many candidates it took to find them."""
    return {
        **mined.together.canonical(),
        "candidates": mined.candidates,
        "confirmed": mined.confirmed,
        "rules": len(mined.rules),
    }
