"""Who is who on a day: every record of every system, and the customer it belongs to.

    records ─▶ new ones made comparable ─▶ pairs that meet ─▶ weighed ─▶ people ─▶ ids that last ─▶ lineage

What was found is kept from run to run: pairs with their weights, the keys at which records meet (hashed), and the
weights themselves. A run compares only what is new or has changed; the people follow from all pairs, so it does not
matter in which order records came. Facts know nothing of customers: they keep (system, party_id), and a merge or an
unmerge changes what is read through this table, not what is stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from math import log2
from typing import Any

import numpy as np
import pyarrow as pa

from backbook.customer.identity import comparable as made
from backbook.customer.identity import linkage
from backbook.customer.identity.comparison import EDITION, NAMES
from backbook.customer.identity.golden import GOLDEN, golden
from backbook.customer.identity.grouping import (
    CONFLICT,
    MERGE,
    MOST_FOR_MANY,
    RULED,
    TOO_MANY,
    Groups,
    connected,
    grouped,
)
from backbook.customer.identity.lasting import named, with_lineage
from backbook.customer.identity.linkage import FLOOR, LEAST_TO_LEARN, MOST, Model
from backbook.customer.identity.people import IDENTITY
from backbook.customer.identity.quality import QUALITY, SUSPECT, quality, suspects
from backbook.customer.identity.records import OF_OWNERS, PEOPLE, clear, crowded, owners, phones, records
from backbook.customer.identity.ruled import KINDS, Rulings, rulings
from backbook.customer.identity.terms import Terms
from backbook.customer.reader import Reader
from backbook.engine import Engine
from backbook.sources.private import subkey
from backbook.sources.rulings import sides

Tell = Callable[..., None]
# A model is learned anew when the book has grown to this many times the records it was learned from.
OUTGROWN = 4
LINEAGE, RECORDS, PAIRS, KEYS, WORDS, MODEL, REVIEW = (
    "identity_lineage", "identity_record", "identity_pair", "identity_key", "identity_word", "identity_model",
    "identity_review",
)  # fmt: skip
RULES = ("document", "account", "phone_and_name")
# One document or one account, and what contradicts that it is one person.
_CONTRADICTED = '("birth" IS NOT NULL AND "birth" NOT IN (4, 5)) OR stranger'
_LEVELS = ", ".join(f'"{name}"' for name in NAMES)


@dataclass(frozen=True)
class Identified:
    """The tables to keep, by name, with the columns they are ordered by; and what was found, in numbers."""

    tables: dict[str, tuple[Any, list[str]]]
    found: dict[str, Any]

    @property
    def identity(self) -> Any:
        return self.tables[IDENTITY][0]


def identify(reader: Reader, as_of: date, key: bytes, terms: Terms, tell: Tell = lambda *_: None) -> Identified:
    """The identity of `as_of`, standing on the latest day before it that the lake knows.

    `key` is the workspace's. Raises BadData when contact data cannot be opened with it.
    """
    return _Identification(_Once(reader), as_of, key, terms, tell).run()


class _Once(Reader):
    """Party records, accounts and cards are asked for again and again: they are gathered once."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader.engine, reader.head, reader.who)
        self._reader = reader
        self._rows: dict[tuple[str, date], Any] = {}

    def rows(self, table: str, known_by: date) -> Any | None:
        if (table, known_by) not in self._rows:
            self._rows[table, known_by] = self._gathered(table, self._reader.rows(table, known_by))
        return self._rows[table, known_by]

    def _gathered(self, table: str, rows: Any | None) -> Any | None:
        if rows is None or table not in PEOPLE:
            return rows
        return self.engine.cached(
            rows if table == "party" else rows.select(*[column for column in OF_OWNERS if column in rows.columns])
        )


class _Identification:
    def __init__(self, reader: Reader, as_of: date, key: bytes, terms: Terms, tell: Tell) -> None:
        self.reader, self.as_of, self.key, self.terms, self.tell = reader, as_of, key, terms, tell
        self.engine: Engine = reader.engine
        self.secret = subkey(key, "identity keys").hex()
        self.before = _day_before(reader, as_of)
        self.crowded = {column: crowded(reader, as_of, column) for column in ("phone_hash", "email_hash")}
        # Weights that still hold where the book must be linked anew: after a rotation of the key, or with a day lost.
        self._taught: Model | None = None
        nobody = pa.table({"left": pa.array([], pa.int64()), "right": pa.array([], pa.int64())})
        self._owned: Any | None = None
        self._moved: Any = self.engine.table(nobody)

    def run(self) -> Identified:
        model, chain = self._model_before()
        numbered = self._numbered(anew=model is None)
        count = self.engine.count(numbered)
        if self._taught is not None and count > OUTGROWN * self._taught.records:
            model = self._taught = None
            numbered = self._numbered(anew=True)
        linked_on = model is not None
        if model is None:
            pairs, model, more = self._linked_anew(numbered, count, self._taught)
            chain = []
        else:
            pairs, more = self._linked_on(numbered, count, model, chain)
        learned = KEYS in more
        people = self._people(numbered, pairs, linked_on=linked_on)
        tables = {**people.tables, **more}
        if learned:
            row = {
                "model": [model.as_json().decode()],
                "terms": [json.dumps(self._link_terms())],
                "chain": [json.dumps({part: self._mark(part) for part in chain})],
                "grouping": [self._group_terms()],
            }
            tables[MODEL] = (self.engine.table(pa.table(row)), ["model"])
        found = {
            "records": count,
            "compared_anew": self._compared,
            "model": list(model.learned) if learned else "as written",
            **people.found,
        }
        return Identified(tables, found)

    # ── what is known from the day before ──

    def _read(self, table: str, part: date | str | None) -> Any | None:
        files = self.reader.head.files(table, part=str(part)) if part and self.reader.has(table) else []
        return self.engine.parquet(files) if files else None

    def _link_terms(self) -> dict[str, Any]:
        """What pairs and weights depend on; another key file, edition or choice of systems links the book anew."""
        return {"edition": EDITION, "kept_phones": list(self.terms.kept_phones),
                "key": hashlib.sha256(self.secret.encode()).hexdigest()[:16]}  # fmt: skip

    def _model_before(self) -> tuple[Model | None, list[str]]:
        row = self._read(MODEL, self.before)
        if row is None:
            return None, []
        said = self.engine.rows(row)[0]
        model = Model.read(said["model"].encode())
        # Every link of the chain must still be what it was: a day that was walked again may have numbered anew.
        links = dict(json.loads(said["chain"]))
        whole = all(self._mark(part) == mark for part, mark in links.items())
        terms, now = json.loads(said["terms"]), self._link_terms()
        if terms | {"key": ""} != now | {"key": ""}:
            return None, []
        self._taught = model
        return (model, [*links, str(self.before)]) if terms == now and whole else (None, [])

    def _mark(self, part: str) -> str:
        """What the files of a day's meeting keys hold; empty when they are no more."""
        manifest = self.reader.head.manifest(KEYS)
        return "".join(sorted(file.sha256 for file in manifest.files if file.part == part)) if manifest else ""

    def _stacked(self, table: str, parts: list[str]) -> Any:
        files = [file for part in parts for file in self.reader.head.files(table, part=part)]
        return self.engine.parquet(files)

    # ── numbers ──

    def _numbered(self, *, anew: bool) -> Any:
        """id, system, party_id, since, content, is_new. A record that has changed gets another number."""
        present = records(self.reader, self.as_of)
        old = None if anew else self._read(RECORDS, self.before)
        if old is None:
            text = "SELECT row_number() OVER (ORDER BY system, party_id) - 1 AS id, *, true AS is_new FROM p"
            return self.engine.cached(self.engine.sql(text, {"p": present}))
        # Only the new ones are counted through, and so sorted.
        known = self.engine.cached(self.engine.sql(
            """SELECT o.id, p.*, o.id IS NULL AS is_new
               FROM p LEFT JOIN o ON o.system = p.system AND o.party_id = p.party_id AND o.content = p.content""",
            {"p": present, "o": old}))  # fmt: skip
        text = """
            SELECT (SELECT max(id) FROM o) + row_number() OVER (ORDER BY system, party_id) AS id, * EXCLUDE (id) FROM k WHERE is_new
            UNION ALL SELECT * FROM k WHERE NOT is_new"""
        return self.engine.cached(self.engine.sql(text, {"k": known, "o": old}))

    # ── pairs ──

    def _linked_anew(self, numbered: Any, count: int, taught: Model | None) -> tuple[Any, Model, dict[str, Any]]:
        self._compared = count
        of = self._comparable(numbered)
        words = made.bits(self.engine, of)
        of = made.with_bits(self.engine, of, words, count)
        self.tell("who may be the same")
        keys = made.keys(self.engine, of, self.secret)
        met = made.met(self.engine, keys)
        self.tell("comparing")
        self._owned = self._owners(numbered)
        if self._owned is not None:
            text = 'SELECT "left", "right" FROM m UNION SELECT "left", "right" FROM o'
            met = self.engine.cached(self.engine.sql(text, {"m": met, "o": self._owned}))
        measured = linkage.measured(self.engine, of, met)
        if taught is None and count < LEAST_TO_LEARN:
            model = linkage.given(count)
            return self._weighed(numbered, model, measured), model, {}
        self.tell("learning")
        model = taught or linkage.learn(self.engine, of, measured, count)
        kept = {
            WORDS: (made.hashed_words(self.engine, words, self.secret), ["key"]),
            KEYS: (keys, ["key", "id", "kind"]),
        }
        return self._weighed(numbered, model, measured), model, kept

    def _linked_on(self, numbered: Any, count: int, model: Model, chain: list[str]) -> tuple[Any, dict[str, Any]]:
        """Pairs of new records with all, and the old pairs of the records that are as they were."""
        engine = self.engine
        new = engine.cached(engine.sql("SELECT * EXCLUDE (is_new) FROM n WHERE is_new", {"n": numbered}))
        self._compared = engine.count(new)
        told = self._stacked(KEYS, chain)
        # The few who are gone are left out, rather than all who stayed let in: theirs is the shorter list.
        gone = engine.cached(engine.sql(
            """SELECT id FROM (SELECT unnest(range(greatest((SELECT max(id) FROM o), (SELECT max(id) FROM k)) + 1)) AS id)
               ANTI JOIN n USING (id)""",
            {"o": self._read(RECORDS, self.before), "k": told, "n": numbered}))  # fmt: skip
        told = engine.sql("SELECT k.* FROM k ANTI JOIN g USING (id)", {"k": told, "g": gone})
        lasting = engine.sql('SELECT q.* FROM q ANTI JOIN g ON g.id = q."left" ANTI JOIN g ON g.id = q."right"',
                             {"q": self._read(PAIRS, self.before), "g": gone})  # fmt: skip
        words = self._stacked(WORDS, chain[:1])
        mine = self._comparable(new)
        fresh = made.with_bits(engine, mine, made.known_words(engine, mine, words, self.secret), model.records)
        keys = made.keys(engine, fresh, self.secret)
        self.tell("who may be the same")
        met = made.met_by(engine, told, keys)
        self.tell("comparing")
        wanted = self._with_owners(numbered, met, new, lasting)
        who = engine.cached(engine.sql(
            'SELECT n.* EXCLUDE (is_new) FROM n SEMI JOIN (SELECT "left" AS id FROM q UNION SELECT "right" FROM q) q USING (id) WHERE NOT is_new',
            {"n": numbered, "q": wanted}))  # fmt: skip
        others = self._comparable(who)
        others = made.with_bits(engine, others, made.known_words(engine, others, words, self.secret), model.records)
        of = made.together(engine, fresh, others)
        weighed = self._weighed(numbered, model, linkage.measured(engine, of, wanted))
        text = 'SELECT * FROM l ANTI JOIN m ON m."left" = l."left" AND m."right" = l."right" UNION ALL BY NAME SELECT * FROM w'
        pairs = engine.cached(engine.sql(text, {"l": lasting, "m": self._moved, "w": weighed}))
        kept = {
            WORDS: (engine.sql("SELECT * FROM w LIMIT 0", {"w": words}), ["key"]),
            KEYS: (keys, ["key", "id", "kind"]),
        }
        return pairs, kept

    def _comparable(self, of: Any) -> made.Comparable:
        of = of.select("id", "system", "party_id", "since")
        rows = clear(self.reader, self.key, self.as_of, of, self.crowded["email_hash"])
        numbers = phones(self.reader, self.as_of, of, self.terms.kept_phones, self.crowded["phone_hash"])
        return made.comparable(self.engine, rows, numbers)

    def _owners(self, numbered: Any) -> Any | None:
        both = owners(self.reader, self.as_of)
        if both is None:
            return None
        text = """SELECT DISTINCT least(l.id, r.id) AS "left", greatest(l.id, r.id) AS "right" FROM b
            JOIN n l ON l.system = b.left_system AND l.party_id = b.left_party
            JOIN n r ON r.system = b.right_system AND r.party_id = b.right_party"""
        # Few: gathered first, so that they are looked up among the records, and not the records among them.
        return self.engine.cached(self.engine.sql(text, {"b": self.engine.cached(both), "n": numbered}))

    def _with_owners(self, numbered: Any, met: Any, new: Any, lasting: Any) -> Any:
        """The pairs that met and those that own together: of new records, and of old ones whose ownership has moved."""
        self._owned = self._owners(numbered)
        if self._owned is None:
            return met
        tables = {"o": self._owned, "l": lasting, "w": new}
        self._moved = self.engine.cached(self.engine.sql(
            """SELECT "left", "right" FROM o ANTI JOIN (SELECT * FROM l WHERE rule IS NOT NULL) l USING ("left", "right")
               WHERE "left" NOT IN (SELECT id FROM w) AND "right" NOT IN (SELECT id FROM w)
               UNION SELECT "left", "right" FROM l ANTI JOIN o USING ("left", "right") WHERE rule = 'account'""", tables))  # fmt: skip
        text = """SELECT "left", "right" FROM m UNION SELECT "left", "right" FROM v UNION
            SELECT "left", "right" FROM o WHERE "left" IN (SELECT id FROM w) OR "right" IN (SELECT id FROM w)"""
        return self.engine.cached(self.engine.sql(text, {**tables, "m": met, "v": self._moved}))

    def _weighed(self, numbered: Any, model: Model, measured: Any) -> Any:
        """left, right, levels, weight, probability, rule (null: weighed), conflict: pairs above the floor or under a rule."""
        kept = ", ".join("'" + one.replace("'", "''") + "'" for one in self.terms.kept_phones) or "''"
        tables = {"m": linkage.weighed(self.engine, model, measured), "n": numbered}
        owned = "false"
        if self._owned is not None:
            tables["o"] = self._owned
            owned = 'EXISTS (SELECT 1 FROM o WHERE o."left" = m."left" AND o."right" = m."right")'
        text = f"""
            SELECT * REPLACE (if(rule IS NULL OR conflict, weight, {MOST}) AS weight, if(rule IS NULL OR conflict, probability, 1.0) AS probability)
            FROM (SELECT m."left", m."right", {_LEVELS}, weight, probability,
                    CASE WHEN "document" = 1 THEN 'document' WHEN {owned} THEN 'account'
                         WHEN "phone" = 2 AND namesake AND l.system IN ({kept}) AND r.system IN ({kept}) THEN 'phone_and_name' END AS rule,
                    coalesce(("document" = 1 OR {owned}) AND ({_CONTRADICTED}), false) AS conflict
                  FROM m JOIN n l ON l.id = m."left" JOIN n r ON r.id = m."right")
            WHERE weight > {FLOOR} OR rule IS NOT NULL"""
        return self.engine.cached(self.engine.sql(text, tables))

    # ── people ──

    def _group_terms(self) -> str:
        """What groups depend on besides pairs; another wish about it groups the whole book anew."""
        terms = self.terms
        return json.dumps([terms.link, terms.review, terms.most_records, list(terms.trusted), dict(terms.golden)])

    def _people(self, numbered: Any, pairs: Any, *, linked_on: bool) -> Identified:
        self.tell("who is who")
        engine = self.engine
        before, lineage = self._read(IDENTITY, self.before), self._read(LINEAGE, self.before)
        touched = self._touched(numbered, pairs, before, lineage) if linked_on and before is not None else None
        if touched is None:
            tables, told, closed = self._grouped(numbered, pairs, before, lineage)
        else:
            mine, names = touched
            inside = engine.sql(
                'SELECT q.* FROM q SEMI JOIN m ON m.id = q."left" SEMI JOIN m ON m.id = q."right"',
                {"q": pairs, "m": mine},
            )
            again = engine.cached(_of(engine, before, names))
            tables, told, closed = self._grouped(mine, inside, again, engine.cached(_of(engine, lineage, names)))
            tables = self._with_others(tables, names, again, before, lineage)
        identity, review = tables[IDENTITY][0], tables[REVIEW][0]
        measures = quality(engine, identity, tables[LINEAGE][0], self.as_of, review)
        tables |= {
            RECORDS: (numbered.select("id", "system", "party_id", "content"), ["system", "party_id"]),
            PAIRS: (pairs, ["left", "right"]),
            QUALITY: (measures, ["aspect", "value"]),
            SUSPECT: (suspects(self.reader, self.as_of, identity, review, self.crowded), ["kind", "what"]),
        }
        told_of = engine.rows(measures.order_by("aspect", "value"))
        found = {
            "customers": sum(row["customers"] for row in told_of if row["aspect"] == "size"),
            "by_rule": {row["value"]: row["records"] for row in told_of if row["aspect"] == "rule"},
            "changed_since": closed,
            "grey": engine.count(review),
            "rulings": len(told.standing),
            "not_followed": list(told.faults),
        }
        return Identified(tables, found)

    def _touched(self, numbered: Any, pairs: Any, before: Any, lineage: Any) -> tuple[Any, Any] | None:
        """(the records whose customer may have changed, as rows of `numbered`; the names of these and of all who are
        gone: system, party_id); None when all may have.

        A customer may change by a record that is new, has changed or is gone, and by a ruling; and with it whoever
        hangs together with it by pairs that could join, or as one customer until now.
        """
        engine = self.engine
        row = self._read(MODEL, self.before)
        if row is None or engine.rows(row)[0]["grouping"] != self._group_terms():
            return None
        listed = engine.table(pa.table({"name": pa.array(self._ruled_names(), pa.string())}))
        owner = engine.arrow(engine.sql(
            """SELECT n.id, b.customer_id, n.is_new OR n.system || ':' || n.party_id IN (SELECT name FROM r)
                      OR n.id IN (SELECT "left" FROM v UNION SELECT "right" FROM v) AS seed
               FROM n FULL JOIN b USING (system, party_id)""",
            {"n": numbered, "b": before, "r": listed, "v": self._moved}))  # fmt: skip
        least = min(self.terms.link_bits - MOST_FOR_MANY, _bits(self.terms.review))
        edges = engine.arrow(engine.sql(
            f'SELECT "left" AS a, "right" AS b FROM q WHERE weight > {least} OR rule IS NOT NULL OR conflict', {"q": pairs}))  # fmt: skip
        touched = engine.table(pa.table({"id": _hanging_together(owner, edges, _size(engine, numbered))}))
        mine = engine.cached(engine.sql("SELECT n.* FROM n SEMI JOIN t USING (id)", {"n": numbered, "t": touched}))
        names = engine.cached(engine.sql(
            """SELECT system, party_id FROM m UNION
               SELECT system, party_id FROM (SELECT system, party_id FROM b UNION ALL SELECT system, party_id FROM l WHERE until IS NOT NULL)
               ANTI JOIN n USING (system, party_id)""",
            {"m": mine, "b": before, "l": lineage, "n": numbered}))  # fmt: skip
        return mine, names

    def _ruled_names(self) -> list[str]:
        return sorted({name for row in self._rulings_told() for side in sides(row["subject"]) for name in side})

    def _rulings_told(self) -> list[dict[str, Any]]:
        rows = self.reader.rows("ruling", self.as_of)
        return [] if rows is None else self.engine.rows(rows.filter(rows.kind.isin(KINDS)).select("subject"))

    def _with_others(self, tables: dict[str, Any], names: Any, again: Any, before: Any, lineage: Any) -> dict[str, Any]:
        """The tables of those who were looked at again, and of all others as they were."""
        engine = self.engine
        others = "SELECT o.* FROM o ANTI JOIN g USING"
        # Nobody's customer is looked at in part, so a customer is among these or among the others.
        customers = engine.cached(again.select("customer_id").distinct())
        kept = {
            IDENTITY: engine.sql(f"{others} (system, party_id)", {"o": before, "g": names}),
            LINEAGE: engine.sql(f"{others} (system, party_id)", {"o": lineage, "g": names}),
            REVIEW: engine.sql(
                "SELECT r.* FROM r ANTI JOIN c ON c.customer_id = r.customer_left ANTI JOIN c ON c.customer_id = r.customer_right",
                {"r": self._read(REVIEW, self.before), "c": customers},
            ),
            GOLDEN: engine.sql(f"{others} (customer_id)", {"o": self._read(GOLDEN, self.before), "g": customers}),
        }
        whole = {}
        for name, rows in kept.items():
            new, order = tables[name]
            whole[name] = (
                engine.sql("SELECT * FROM n UNION ALL BY NAME SELECT * FROM k", {"n": new, "k": rows}),
                order,
            )
        # Read again and again, here and by the profile; the others are only written.
        for name in (IDENTITY, REVIEW):
            whole[name] = (engine.cached(whole[name][0]), whole[name][1])
        return whole

    def _grouped(self, numbered: Any, pairs: Any, before: Any, lineage: Any) -> tuple[dict[str, Any], Rulings, int]:
        """Identity, lineage, review and golden records of these records; the rulings; how many memberships ended."""
        engine = self.engine
        # Ranks by name, so that nothing depends on when a record came.
        ranked = engine.cached(
            engine.sql("SELECT row_number() OVER (ORDER BY system, party_id) - 1 AS rank, * FROM n", {"n": numbered})
        )
        people = engine.arrow(ranked.order_by("rank"))
        rows = engine.arrow(engine.sql(
            'SELECT least(l.rank, r.rank) AS a, greatest(l.rank, r.rank) AS b, q.weight, q.rule, q.conflict FROM q '
            'JOIN n l ON l.id = q."left" JOIN n r ON r.id = q."right" ORDER BY a, b', {"q": pairs, "n": ranked}))  # fmt: skip
        told = rulings(self.reader, self.as_of, people)
        a, b, weight = (rows[name].to_numpy() for name in ("a", "b", "weight"))
        conflict = rows["conflict"].to_numpy(zero_copy_only=False).astype(bool)
        sure = rows["rule"].is_valid().to_numpy(zero_copy_only=False) & ~conflict
        groups = grouped(
            len(people), a, b, weight,
            sure=sure,
            conflicts=zip(a[conflict].tolist(), b[conflict].tolist(), strict=True),
            ruled=told.standing,
            link=self.terms.link_bits,
            most=self.terms.most_records,
        )  # fmt: skip
        told = self._told_of_size(told, groups)
        ids = named(engine, people, groups.of, before, lineage)
        ranked = engine.cached(engine.sql("SELECT n.*, i.customer_id FROM n JOIN i USING (rank)",
                               {"n": ranked, "i": engine.table(pa.table({"rank": np.arange(len(people)), "customer_id": ids}))}))  # fmt: skip
        how = self._how(ranked, pairs, told)
        identity = engine.cached(engine.sql(
            """SELECT n.system, n.party_id, n.customer_id, n.since, NULL::DATE AS until,
                      coalesce(h.rule, 'own') AS rule, coalesce(h.probability, 1.0) AS probability, h.beside, h.ruling
               FROM n LEFT JOIN h USING (id)""", {"n": ranked, "h": how}))  # fmt: skip
        whole, closed = with_lineage(engine, identity, lineage, self.as_of)
        tables = {
            IDENTITY: (identity.drop("beside", "ruling"), ["system", "party_id"]),
            LINEAGE: (whole, ["system", "party_id", "since", "customer_id"]),
            REVIEW: (self._review(ranked, pairs, groups, told), ["customer_left", "customer_right"]),
            GOLDEN: (golden(self.reader, self.as_of, identity, self.terms), ["customer_id"]),
        }
        return tables, told, closed

    def _told_of_size(self, told: Rulings, groups: Groups) -> Rulings:
        """Merges that would have made a person of too many records are told by name: a chain of them joins nobody silently."""
        many = {(a, b) for a, b, why in groups.refused if why == TOO_MANY}
        stopped = sorted(
            {
                one.ruling
                for one in told.standing
                if one.kind == MERGE and (min(one.left, one.right), max(one.left, one.right)) in many
            }
        )
        most = self.terms.most_records
        faults = [f"{ruling} would make a person of more than {most} records (most_records)." for ruling in stopped]
        return Rulings(told.standing, (*told.faults, *faults))

    def _how(self, ranked: Any, pairs: Any, told: Rulings) -> Any:
        """id, rule, probability, beside, ruling: by which of its pairs a record belongs to its customer, the surest first."""
        rows = [(one.left, one.right, one.ruling) for one in told.standing if one.kind == MERGE]
        merged = pa.table({"a": pa.array([row[0] for row in rows], pa.int64()), "b": pa.array([row[1] for row in rows], pa.int64()),
                           "ruling": pa.array([row[2] for row in rows], pa.string())})  # fmt: skip
        text = f"""
            WITH linked AS (
                SELECT l.id, r.system || ':' || r.party_id AS beside, coalesce(q.rule, 'likely') AS rule, q.probability, q.weight, NULL AS ruling, l.customer_id, r.customer_id AS other
                FROM (SELECT "left" AS x, "right" AS y, rule, probability, weight, conflict FROM q
                      UNION ALL SELECT "right", "left", rule, probability, weight, conflict FROM q) q
                JOIN n l ON l.id = q.x JOIN n r ON r.id = q.y WHERE NOT conflict
                UNION ALL
                SELECT l.id, r.system || ':' || r.party_id, 'ruling', 1.0, {MOST + 1}, m.ruling, l.customer_id, r.customer_id
                FROM (SELECT a, b, ruling FROM m UNION ALL SELECT b, a, ruling FROM m) m JOIN n l ON l.rank = m.a JOIN n r ON r.rank = m.b)
            SELECT id, first(rule ORDER BY weight DESC, beside) AS rule, first(probability ORDER BY weight DESC, beside) AS probability,
                   first(beside ORDER BY weight DESC, beside) AS beside, first(ruling ORDER BY weight DESC, beside) AS ruling
            FROM linked WHERE customer_id = other GROUP BY id"""
        return self.engine.cached(self.engine.sql(text, {"q": pairs, "n": ranked, "m": self.engine.table(merged)}))

    def _review(self, ranked: Any, pairs: Any, groups: Groups, told: Rulings) -> Any:
        """Pairs of customers that people should decide: grey, or stopped by a conflict or by size; the likeliest pair of each."""
        refused = [row for row in groups.refused if row[2] != RULED]
        why = pa.table({"a": pa.array([row[0] for row in refused], pa.int64()), "b": pa.array([row[1] for row in refused], pa.int64()),
                        "why": pa.array([row[2] for row in refused], pa.string())})  # fmt: skip
        decided = [one for one in told.standing if one.kind != MERGE]
        apart = pa.table({"a": pa.array([min(one.left, one.right) for one in decided], pa.int64()),
                          "b": pa.array([max(one.left, one.right) for one in decided], pa.int64())})  # fmt: skip
        text = f"""
            WITH open AS (
                SELECT least(l.customer_id, r.customer_id) AS customer_left, greatest(l.customer_id, r.customer_id) AS customer_right,
                       if(l.customer_id < r.customer_id, l.system || ':' || l.party_id, r.system || ':' || r.party_id) AS record_left,
                       if(l.customer_id < r.customer_id, r.system || ':' || r.party_id, l.system || ':' || l.party_id) AS record_right,
                       CASE WHEN q.conflict THEN '{CONFLICT}' ELSE coalesce(w.why, 'grey') END AS why, q.probability, q.weight, {", ".join("q." + f'"{name}"' for name in NAMES)}
                FROM q JOIN n l ON l.id = q."left" JOIN n r ON r.id = q."right"
                LEFT JOIN w ON w.a = least(l.rank, r.rank) AND w.b = greatest(l.rank, r.rank)
                WHERE l.customer_id <> r.customer_id AND (q.probability >= {self.terms.review} OR q.conflict OR w.why IS NOT NULL)),
            decided AS (
                SELECT DISTINCT least(l.customer_id, r.customer_id) AS customer_left, greatest(l.customer_id, r.customer_id) AS customer_right
                FROM d JOIN n l ON l.rank = d.a JOIN n r ON r.rank = d.b),
            best AS (
                SELECT *, row_number() OVER (PARTITION BY customer_left, customer_right ORDER BY why = 'grey', weight DESC, record_left, record_right) AS nth FROM open)
            SELECT * EXCLUDE (nth) FROM best ANTI JOIN decided USING (customer_left, customer_right) WHERE nth = 1"""
        tables = {"q": pairs, "n": ranked, "w": self.engine.table(why), "d": self.engine.table(apart)}
        return self.engine.cached(self.engine.sql(text, tables))


def _of(engine: Engine, rows: Any, names: Any) -> Any:
    return engine.sql("SELECT r.* FROM r SEMI JOIN n USING (system, party_id)", {"r": rows, "n": names})


def _hanging_together(owner: pa.Table, edges: pa.Table, size: int) -> Any:
    """The numbers below `size` of the records that hang together with a seed, by `edges` (a, b) or by a customer.

    `owner` has id, customer_id, seed; a record that is gone has no id, and its customer is a seed.
    """
    customers = owner["customer_id"].combine_chunks().dictionary_encode()
    customer = customers.indices.fill_null(-1).to_numpy() + size
    present = owner["id"].is_valid().to_numpy()
    record = owner["id"].fill_null(-1).to_numpy()
    owned = present & (customer >= size)
    a = np.concatenate([edges["a"].to_numpy(), record[owned]])
    b = np.concatenate([edges["b"].to_numpy(), customer[owned]])
    part = connected(a, b, size + len(customers.dictionary))
    seed = owner["seed"].fill_null(False).to_numpy()
    reached = np.zeros(len(part), bool)
    reached[part[np.concatenate([record[present & seed], customer[~present]])]] = True
    return np.flatnonzero(reached[part[:size]])


def _size(engine: Engine, numbered: Any) -> int:
    """One more than the largest number."""
    return int(engine.ask("SELECT coalesce(max(id), -1) + 1 AS size FROM n", {"n": numbered})[0]["size"])


def _bits(probability: float) -> float:
    return log2(probability / (1 - probability))


def _day_before(reader: Reader, as_of: date) -> date | None:
    """The latest day before `as_of` whose identity the lake knows."""
    manifest = reader.head.manifest(RECORDS)
    parts = {file.part for file in manifest.files} if manifest else set()
    days = [date.fromisoformat(part) for part in parts if part < as_of.isoformat()]
    return max(days, default=None)
