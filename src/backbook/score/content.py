"""What every version that was taught keeps, whatever its method: plain data that never changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version as installed
from typing import Any

from backbook.expressions import Name
from backbook.score.definition import Score
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
    used = {name.name: name for name in (*features, *score.used)}
    return {
        "score": score.id,
        "zh": score.zh,
        "en": score.en,
        "grain": score.grain,
        "method": score.method,
        "definition": score.hash,
        "defined": score.canonical(),
        "features": [name.name for name in score.features],
        "columns": [named(used[name]) for name in sorted(used)],
        "population": score.population and score.population.text,
        "steps": list(steps),
        "grades": [grade.canonical() for grade in score.grades],
        "sample": sample.canonical(),
        "quality": dict(figures),
        "libraries": {name: installed(name) for name in (*LIBRARIES, *libraries)},
    }


def named(name: Name) -> dict[str, str]:
    return {"name": name.name, "type": str(name.type), "zh": name.zh, "en": name.en}
