"""How likely two records are one person: pairs measured once, weights learned by Splink, probabilities.

The probability of a pair is Fellegi and Sunter's: prior odds and the weights of its levels, added in bits. The
weights come from Splink's expectation maximisation on the bank's own records, without labels: several sessions,
each among pairs that agree on one thing, teach how records of one person differ in the others; pairs drawn blindly
teach how often two people agree by chance. A model is learned once, kept, and used until the book has outgrown it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from backbook.customer.identity.comparable import SIGN, SOUND, STREET, Comparable
from backbook.customer.identity.comparison import BY_NAME, COMPARISONS, EDITION, NAMES, Comparison
from backbook.engine import Engine

# Rounds of expectation maximisation, and fewer where a share comes to nothing.
ROUNDS = (20, 8, 3)
# Below this the weights in `comparison` stand: too few pairs to learn from.
LEAST_TO_LEARN = 2_000
LEAST_TO_COUNT = 5_000
# A pair drawn blindly is two people. Each record meets so many others, in the order of a hash.
BLIND = 20
BLIND_PAIRS = 200_000
SESSION_PAIRS = 100_000
LEAST_IN_SESSION = 300
# What two people who agree on nothing weigh, and a pair that never met: all that is kept lies above.
FLOOR = -8.0
MOST = 40.0
# Words that look alike; short ones such as min and ming are other words. An initial stands for any word it begins.
_ALIKE = """(l.word = r.word OR (least(length(l.word), length(r.word)) >= 4 AND jaro_winkler_similarity(l.word, r.word) >= 0.88)
    OR ((length(l.word) = 1 OR length(r.word) = 1) AND left(l.word, 1) = left(r.word, 1)))"""
# A phone said without an end counts this long around: people keep a number while it is not asked for.
SLACK_DAYS = 90


@dataclass(frozen=True)
class Model:
    """Weights in bits by comparison and level, and the prior odds that two records are one person, in bits."""

    edition: int
    records: int
    prior: float
    weights: Mapping[str, Sequence[float]]
    learned: Sequence[str] = ()

    def as_json(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, indent=1).encode()

    @staticmethod
    def read(data: bytes) -> Model:
        return Model(**json.loads(data))


def given(records: int) -> Model:
    """The weights as written in `comparison`, for books too small to learn from.

    The prior is that of a book of LEAST_TO_COUNT at least: in a sample of ten records, too, a namesake is a namesake.
    """
    weights = {each.name: [level.weight for level in reversed(each.levels)] for each in COMPARISONS}
    return Model(EDITION, records, -round(float(np.log2(max(records, LEAST_TO_COUNT))), 3), weights)


# ── measuring ───────────────────────────────────────────────────────────────────────────────────────────────


def measured(engine: Engine, of: Comparable, pairs: Any) -> Any:
    """Pairs with left and right, and the level of every comparison (null: says nothing).

    Also `namesake` (the same full name in every script that both have) and `stranger` (less than half of the lesser
    name is in the other), for the rules.
    """
    numbered = engine.cached(engine.sql('SELECT row_number() OVER () AS pair, "left", "right" FROM q', {"q": pairs}))
    names, streets, phones = _names(engine, of, numbered), _streets(engine, of, numbered), _phones(engine, of, numbered)
    levels = ", ".join(f'({each.sql()})::TINYINT AS "{each.name}"' for each in COMPARISONS)
    text = f"""
        SELECT q."left", q."right", {levels}, coalesce(n.namesake, false) AS namesake, coalesce(n.stranger, false) AS stranger
        FROM q JOIN p l ON l.id = q."left" JOIN p r ON r.id = q."right"
        LEFT JOIN n USING (pair) LEFT JOIN a USING (pair) LEFT JOIN f USING (pair)"""
    tables = {"q": numbered, "p": of.people, "n": names, "a": streets, "f": phones}
    return engine.cached(engine.sql(text, tables))


def _names(engine: Engine, of: Comparable, pairs: Any) -> Any:
    """pair, shared, alike, unlike (bits), namesake, stranger: words in both; words alike; what the lesser name has alone.

    Where one name lies wholly in the other nothing is left to be alike, so letters are compared only for the rest.
    """
    exact = engine.cached(engine.sql(
        f"""
        WITH v AS (SELECT kind, word, row_number() OVER () AS no FROM (SELECT DISTINCT kind, word FROM w WHERE kind <> '{STREET}')),
        s AS (SELECT id, v.no, bits FROM w JOIN v USING (kind, word) WHERE kind = '{SOUND}'),
        g AS (SELECT id, v.no, bits FROM w JOIN v USING (kind, word) WHERE kind = '{SIGN}'),
        h AS (SELECT id, sum(bits) AS bits, count(*) AS words FROM s GROUP BY id),
        hs AS (SELECT id, count(*) AS signs FROM g GROUP BY id),
        same AS (SELECT pair, sum(l.bits) AS bits, count(*) AS words FROM q JOIN s l ON l.id = q."left" JOIN s r ON r.id = q."right" AND r.no = l.no GROUP BY pair),
        signs AS (SELECT pair, sum(l.bits) AS bits, count(*) AS signs FROM q JOIN g l ON l.id = q."left" JOIN g r ON r.id = q."right" AND r.no = l.no GROUP BY pair)
        SELECT q.pair, q."left", q."right", coalesce(same.bits, 0) AS shared, coalesce(same.words, 0) AS words,
               coalesce(signs.bits, 0) AS signs, coalesce(signs.signs, 0) AS common,
               hl.bits AS left_bits, hr.bits AS right_bits, hl.words AS left_words, hr.words AS right_words,
               sl.signs AS left_signs, sr.signs AS right_signs
        FROM q JOIN h hl ON hl.id = q."left" JOIN h hr ON hr.id = q."right" LEFT JOIN same USING (pair) LEFT JOIN signs USING (pair)
        LEFT JOIN hs sl ON sl.id = q."left" LEFT JOIN hs sr ON sr.id = q."right\"""",
        {"q": pairs, "w": of.words}))  # fmt: skip
    text = f"""
        WITH s AS (SELECT id, word, bits FROM w WHERE kind = '{SOUND}'),
        rest AS (SELECT pair, "left", "right" FROM e WHERE words < left_words AND words < right_words),
        met AS (SELECT pair, l.word AS lw, r.word AS rw, l.bits AS lb, r.bits AS rb, {_ALIKE} AS alike
                FROM rest JOIN s l ON l.id = rest."left" JOIN s r ON r.id = rest."right"),
        la AS (SELECT pair, sum(bits) AS bits FROM (SELECT pair, any_value(lb) AS bits FROM met WHERE alike GROUP BY pair, lw) GROUP BY pair),
        ra AS (SELECT pair, sum(bits) AS bits FROM (SELECT pair, any_value(rb) AS bits FROM met WHERE alike GROUP BY pair, rw) GROUP BY pair),
        both_sides AS (SELECT e.*, words = left_words OR words = right_words AS whole,
                              coalesce(la.bits, 0) AS left_alike, coalesce(ra.bits, 0) AS right_alike
                       FROM e LEFT JOIN la USING (pair) LEFT JOIN ra USING (pair))
        SELECT pair, (shared + signs)::INTEGER AS shared,
               (if(whole, shared, greatest(left_alike, right_alike)) + signs)::INTEGER AS alike,
               if(whole, 0, least(left_bits - left_alike, right_bits - right_alike))::INTEGER AS unlike,
               words = left_words AND words = right_words AND words >= 2
                   AND (left_signs IS NULL OR right_signs IS NULL OR (common = left_signs AND common = right_signs)) AS namesake,
               NOT whole AND least(left_words, right_words) >= 2
                   AND 2 * least(left_alike, right_alike) < least(left_bits, right_bits) AS stranger
        FROM both_sides"""
    return engine.sql(text, {"e": exact, "w": of.words})


def _streets(engine: Engine, of: Comparable, pairs: Any) -> Any:
    """pair, shared: the bits of the words that two addresses share; of pairs of which both have one."""
    text = f"""
        WITH v AS (SELECT word, row_number() OVER () AS no FROM (SELECT DISTINCT word FROM w WHERE kind = '{STREET}')),
        s AS (SELECT id, v.no, bits FROM w JOIN v USING (word) WHERE kind = '{STREET}'), h AS (SELECT DISTINCT id FROM s),
        b AS (SELECT pair, sum(l.bits) AS shared FROM q JOIN s l ON l.id = q."left" JOIN s r ON r.id = q."right" AND r.no = l.no GROUP BY pair)
        SELECT q.pair, coalesce(b.shared, 0)::INTEGER AS shared
        FROM q SEMI JOIN h ON h.id = q."left" SEMI JOIN h ON h.id = q."right" LEFT JOIN b ON b.pair = q.pair"""
    return engine.sql(text, {"q": pairs, "w": of.words})


def _phones(engine: Engine, of: Comparable, pairs: Any) -> Any:
    """pair, both, same, together. A number is given away again (二次放号): only the same time says the same person."""
    text = f"""
        SELECT pair, true AS both, bool_or(l.number = r.number) AS same,
               bool_or(l.number = r.number AND l.since <= coalesce(r.until, DATE '9999-01-01') + {SLACK_DAYS}
                       AND r.since <= coalesce(l.until, DATE '9999-01-01') + {SLACK_DAYS}) AS together
        FROM q JOIN f l ON l.id = q."left" JOIN f r ON r.id = q."right" GROUP BY pair"""
    return engine.sql(text, {"q": pairs, "f": of.phones})


def blind_pairs(engine: Engine, of: Comparable) -> Any:
    """Pairs of records drawn without looking: neighbours in the order of a hash."""
    few = BLIND_PAIRS // BLIND
    text = f"""
        WITH o AS (SELECT id, row_number() OVER (ORDER BY md5(id::VARCHAR), id) AS nth FROM p),
        few AS (SELECT id, nth, unnest(range(1, {BLIND + 1})) AS further FROM o WHERE nth <= {few})
        SELECT least(a.id, b.id) AS "left", greatest(a.id, b.id) AS "right" FROM few a JOIN o b ON b.nth = a.nth + a.further"""
    return engine.cached(engine.sql(text, {"p": of.people}))


# ── learning ────────────────────────────────────────────────────────────────────────────────────────────────

# Among pairs that agree on this, most are one person: (comparison, its levels from this number up).
_SESSIONS: Mapping[str, str] = {
    "document": '"document" = 1',
    "phone": '"phone" = 2',
    "email": '"email" = 2',
    "birth": '"birth" = 5',
    "name": f'"name" >= {BY_NAME["name"].levels[0].number - 9}',
    "place": '"place" IN (8, 10)',
    "address": '"address" = 5',
}


def learn(engine: Engine, of: Comparable, pairs: Any, records: int) -> Model:
    """Weights from this book's own pairs (measured); a level that was never seen keeps the weight as written."""
    by_chance = _by_chance(engine, of)
    sessions = {name: _session(engine, pairs, name, rule, by_chance) for name, rule in _SESSIONS.items()}
    learned = {name: found for name, found in sessions.items() if found}
    weights = {each.name: _weights(each, by_chance[each.name], [one[each.name] for one in learned.values() if each.name in one])
               for each in COMPARISONS}  # fmt: skip
    model = Model(EDITION, records, given(records).prior, weights, tuple(learned))
    return with_prior(engine, model, pairs, records)


def _by_chance(engine: Engine, of: Comparable) -> dict[str, np.ndarray[Any, Any]]:
    """u: how often each level holds between two people, of those where the comparison says anything."""
    found = measured(engine, of, blind_pairs(engine, of))
    shares = {}
    for each in COMPARISONS:
        rows = engine.ask(
            f'SELECT "{each.name}" AS level, count(*) AS rows FROM m WHERE level IS NOT NULL GROUP BY level',
            {"m": found},
        )
        counts = np.zeros(len(each.levels))
        for row in rows:
            counts[row["level"]] = row["rows"]
        shares[each.name] = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return shares


def _session(
    engine: Engine, pairs: Any, about: str, rule: str, by_chance: Mapping[str, Any]
) -> dict[str, np.ndarray[Any, Any]]:
    """m of every other comparison among the pairs of a rule, by Splink; empty where there are too few."""
    chosen = f'SELECT row_number() OVER () AS pair, * FROM (SELECT * FROM m WHERE {rule} ORDER BY md5(concat_ws(\'-\', "left", "right")) LIMIT {SESSION_PAIRS})'
    sample = engine.arrow(engine.sql(chosen, {"m": pairs}))
    if len(sample) < LEAST_IN_SESSION:
        return {}
    others = [
        each
        for each in COMPARISONS
        if each.name != about and len(sample) - sample[each.name].null_count >= LEAST_IN_SESSION
    ]
    return _expectation_maximisation(engine, sample, others, by_chance) if others else {}


def _expectation_maximisation(
    engine: Engine, sample: pa.Table, others: Sequence[Comparison], by_chance: Mapping[str, Any]
) -> dict[str, np.ndarray[Any, Any]]:
    # Imported here: a second that no other command needs.
    import splink.comparison_library as library

    logging.getLogger("splink").setLevel(logging.ERROR)
    sample = sample.select(["pair", *(each.name for each in others)])
    comparisons = [library.CustomComparison(output_column_name=each.name, comparison_levels=_splink_levels(each, by_chance[each.name]))
                   for each in others]  # fmt: skip
    # A pair is one row: its two sides are the two tables, so every level is measured once and not once per question.
    trained: dict[str, Any] = {}
    for rounds in ROUNDS:
        try:
            trained = _trained(engine, sample, comparisons, rounds)
            break
        except ValueError:
            # A share that falls below 1e-300 stops Splink; it was as good as nothing rounds before.
            continue
    found = {}
    for row in trained.get("comparisons", ()):
        name = row["output_column_name"]
        shares = np.full(len(BY_NAME[name].levels), np.nan)
        for level in row["comparison_levels"]:
            if not level.get("is_null_level"):
                shares[int(level["sql_condition"].rpartition("=")[2])] = level.get("m_probability", np.nan)
        found[name] = shares
    return found


def _trained(engine: Engine, sample: pa.Table, comparisons: list[Any], rounds: int) -> dict[str, Any]:
    from splink import DuckDBAPI, Linker, SettingsCreator

    api = DuckDBAPI(engine.connection())
    left, right = (api.register(sample, dataset_display_name=f"side_{name}_{id(sample)}") for name in ("a", "b"))
    settings = SettingsCreator(
        link_type="link_only",
        unique_id_column_name="pair",
        comparisons=comparisons,
        probability_two_random_records_match=0.5,
        em_convergence=1e-3,
        max_iterations=rounds,
    )
    linker = Linker([left, right], settings, log_level=None)
    linker.training.estimate_parameters_using_expectation_maximisation("l.pair = r.pair")
    model: dict[str, Any] = linker.misc.save_model_to_json()
    api.delete_tables_created_by_splink_from_db()  # type: ignore[no-untyped-call]
    return model


def _splink_levels(each: Comparison, by_chance: np.ndarray[Any, Any]) -> list[Any]:
    column = each.name
    nothing = {"sql_condition": f'"{column}_l" IS NULL', "label_for_charts": "null", "is_null_level": True}
    start = by_chance * 2.0 ** np.array([level.weight for level in reversed(each.levels)])
    start /= start.sum()
    return [
        nothing,
        *(
            {
                "sql_condition": f'"{column}_l" = {level.number}',
                "label_for_charts": level.en,
                "m_probability": float(start[level.number]),
                "u_probability": float(by_chance[level.number]),
                "fix_u_probability": True,
            }
            for level in each.levels
        ),
    ]


def _weights(each: Comparison, by_chance: np.ndarray[Any, Any], taught: Sequence[np.ndarray[Any, Any]]) -> list[float]:
    """The mean of the sessions' weights, level by level, rounded so that a run repeats to the last bit."""
    written = [level.weight for level in reversed(each.levels)]
    if not taught:
        return written
    found = []
    for number, weight in enumerate(written):
        said = [
            np.log2(one[number] / by_chance[number])
            for one in taught
            if np.isfinite(one[number]) and one[number] > 1e-6
        ]
        found.append(round(float(np.clip(np.mean(said), -12, 24)), 3) if said else weight)
    return found


def with_prior(engine: Engine, model: Model, pairs: Any, records: int) -> Model:
    """The prior under which as many pairs are expected as the weights then find: it is its own consequence."""
    patterns = ", ".join(f'"{name}"' for name in NAMES)
    rows = engine.arrow(engine.sql(f"SELECT count(*) AS rows, {patterns} FROM m GROUP BY {patterns}", {"m": pairs}))
    counts = rows["rows"].to_numpy().astype(float)
    weight = np.zeros(len(rows))
    for name in NAMES:
        levels = rows[name].to_numpy(zero_copy_only=False).astype(float)
        known = np.isfinite(levels)
        weight[known] += np.asarray(model.weights[name])[levels[known].astype(int)]
    all_pairs = records * (records - 1) / 2
    prior = model.prior
    for _ in range(20):
        expected = float((counts / (1 + np.exp2(-(weight + prior)))).sum())
        share = min(max(expected, 1.0) / all_pairs, 0.5)
        prior = float(np.log2(share / (1 - share)))
    return Model(model.edition, model.records, round(prior, 3), model.weights, model.learned)


# ── weighing ────────────────────────────────────────────────────────────────────────────────────────────────


def weighed(engine: Engine, model: Model, pairs: Any) -> Any:
    """The measured pairs with `weight` (bits) and `probability`."""
    total = " + ".join([repr(model.prior), *(_weight_sql(name, model.weights[name]) for name in NAMES)])
    text = f"""
        SELECT *, round(1 / (1 + pow(2.0, -weight)), 6) AS probability
        FROM (SELECT *, round(least({total}, {MOST}), 3)::DOUBLE AS weight FROM m)"""
    return engine.cached(engine.sql(text, {"m": pairs}))


def _weight_sql(name: str, weights: Sequence[float]) -> str:
    whens = " ".join(f"WHEN {number} THEN {weight!r}" for number, weight in enumerate(weights))
    return f'CASE "{name}" {whens} ELSE 0.0 END'
