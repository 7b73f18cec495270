"""What every version that was taught keeps, whatever its method: plain data that never changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version as installed
from typing import Any

from backbook.expressions import Name
from backbook.score.definition import Grade, Score
from backbook.score.target import Sample

LIBRARIES = ("backbook", "numpy", "scikit-learn", "ibis-framework", "duckdb")


def content(
    score: Score,
    sample: Sample,
    steps: Sequence[Mapping[str, str]],
    figures: Mapping[str, Any],
    features: Iterable[Name],
    libraries: Sequence[str] = (),
) -> dict[str, Any]:
    """The definition, the sample, the figures and the steps; `features` are those that the steps read."""
    return described(score, steps, features, score.grades) | {
        "sample": sample.canonical(),
        "quality": dict(figures),
        "libraries": {name: installed(name) for name in (*LIBRARIES, *libraries)},
    }


def described(
    score: Score, steps: Sequence[Mapping[str, str]], features: Iterable[Name], grades: Iterable[Grade]
) -> dict[str, Any]:
    """What any version keeps, taught or not: whose it is, what it reads, and by which steps it scores."""
    used = {name.name: name for name in (*features, *score.used)}
    return {
        "score": score.id,
        "zh": score.zh,
        "en": score.en,
        "grain": score.grain,
        "method": score.method,
        "definition": score.hash,
        "defined": score.canonical(),
        "columns": [named(used[name]) for name in sorted(used)],
        "population": score.population and score.population.text,
        "steps": list(steps),
        "grades": [grade.canonical() for grade in grades],
    }


def named(name: Name) -> dict[str, str]:
    return {"name": name.name, "type": str(name.type), "zh": name.zh, "en": name.en}
