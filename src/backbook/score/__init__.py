"""Numbers that predict: trained on the book itself, versioned, explained.

    definition (scores/*.yaml) ─▶ sample (past dates, honest) ─▶ version ─▶ a row per unit, with grade and reasons

`make` turns a definition into a version, or says what the book would need for it; `apply` scores a profile by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from backbook.engine import Engine
from backbook.score import train_trees
from backbook.score.apply import apply, columns, for_one
from backbook.score.definition import EXPRESSION, RULES, SCORECARD, TREES, TWO_STAGE, Score
from backbook.score.reading import Columns, read_scores, score_names
from backbook.score.registry import Unavailable, Version, register
from backbook.score.rulebook import train_rules
from backbook.score.target import Book, Sample, sample
from backbook.score.train import train
from backbook.score.two_stage import train_two_stage
from backbook.score.value import amount

__all__ = [
    "Book",
    "Columns",
    "Sample",
    "Score",
    "Unavailable",
    "Version",
    "apply",
    "columns",
    "for_one",
    "make",
    "read_scores",
    "register",
    "sample",
    "score_names",
    "train",
]

# How each method is taught by a sample.
TEACH: Mapping[str, Callable[[Score, Sample], Version | Unavailable]] = {
    SCORECARD: train,
    RULES: train_rules,
    TREES: train_trees.train,
    TWO_STAGE: train_two_stage,
}


def make(score: Score, engine: Engine, as_of: date, book: Book) -> Version | Unavailable:
    """A new version of the score from what the book knew by `as_of`."""
    if score.method == EXPRESSION:
        return amount(score, engine, as_of, book)
    found = sample(score, engine, as_of, book)
    return found if isinstance(found, Unavailable) else TEACH[score.method](score, found)
