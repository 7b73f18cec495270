"""Records made comparable: the words of names and addresses with what each says, and the keys by which pairs meet.

The clear text stays in memory. What is kept of it for the next run are keyed hashes of the meeting keys: enough to
find who may be the same person as a new record, not to read a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backbook.customer.identity.naming import address_words, email_words, name_words
from backbook.engine import Engine

# The clear columns of a record, as `comparable` takes them in; any may be missing. `phones` is a table of its own.
CLEAR = ("full_name", "birth", "gender", "document", "email", "address", "postcode", "city", "occupation")
SOUND, SIGN, STREET = "sound", "sign", "street"
# A word's information is log2((records + MORE) / (records with it + 1)): in a book of ten, too, most names are rare.
MORE = 512
# A meeting key that more records share says nothing; the pairs it would make grow with the square.
MOST_AT_KEY = 25


@dataclass(frozen=True)
class Comparable:
    """Tables of the engine, all by `id`, a whole number that stands for (system, party_id).

    - `people`: id and the columns of a record that are compared as they are.
    - `words`: id, kind (sound, sign, street), word.
    - `phones`: id, number, since, until: in which time the number was said to be this person's.
    """

    people: Any
    words: Any
    phones: Any


def comparable(engine: Engine, rows: pa.Table, phones: pa.Table) -> Comparable:
    """`rows` has id and any of CLEAR as text; `phones` has id, number (normal spelling), since, until (dates)."""
    ids = rows["id"]
    gone = pa.nulls(len(rows), pa.string())
    clear = {name: rows[name] if name in rows.column_names else gone for name in CLEAR}
    places, names, street = _each(clear["city"], _city), *_words(clear)
    mail = _each(clear["email"], email_words)
    people = pa.table({
        "id": ids,
        "birth": clear["birth"],
        "gender": clear["gender"],
        "document": clear["document"],
        "email": pa.array([found[0] for found in mail], pa.string()),
        "mailbox": pa.array([found[1] for found in mail], pa.string()),
        "postcode": _folded(clear["postcode"]),
        "city": pa.array(places, pa.string()),
        "occupation": _folded(clear["occupation"]),
    })  # fmt: skip
    signs = [found[1] for found in names]
    words = [
        *_long(ids, [found[0] for found in names], SOUND),
        *_long(ids, signs, SIGN),
        *_long(ids, street, STREET),
    ]
    return Comparable(engine.table(people), engine.table(pa.concat_tables(words)), engine.table(phones))


def _words(clear: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    return _each(clear["full_name"], name_words), _each(clear["address"], address_words)


def _each(column: Any, read: Any) -> list[Any]:
    """What is read from each text; an equal text is read once."""
    coded = pc.dictionary_encode(pc.cast(column, pa.string()))
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    if isinstance(coded, pa.ChunkedArray):
        coded = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))
    found = [read(text) for text in coded.dictionary.to_pylist()]
    nothing = read(None)
    return [nothing if place is None else found[place] for place in coded.indices.to_pylist()]


def _city(text: str | None) -> str | None:
    return " ".join(address_words(text)) or None


def _folded(column: Any) -> Any:
    return pc.utf8_lower(pc.utf8_trim_whitespace(pc.cast(column, pa.string())))


def _long(ids: Any, lists: Sequence[Sequence[str]], kind: str) -> list[pa.Table]:
    lengths = np.fromiter(map(len, lists), np.int64, len(lists))
    if not lengths.sum():
        return [
            pa.table(
                {"id": pa.array([], pa.int64()), "kind": pa.array([], pa.string()), "word": pa.array([], pa.string())}
            )
        ]
    repeated = np.repeat(ids.to_numpy(), lengths)
    words = pa.array([word for one in lists for word in one], pa.string())
    return [pa.table({"id": pa.array(repeated, pa.int64()), "kind": pa.repeat(kind, len(words)), "word": words})]


# ── what a word says ────────────────────────────────────────────────────────────────────────────────────────


def bits(engine: Engine, of: Comparable) -> Any:
    """kind, word, bits: how much a word says in this book; also of postcodes, cities and occupations as kinds."""
    total = f"(SELECT count(*) FROM p) + {MORE}"
    columns = "UNION ALL ".join(
        f"SELECT '{name}' AS kind, {name} AS word, id FROM p WHERE {name} IS NOT NULL "
        for name in ("postcode", "city", "occupation")
    )
    text = f"""
        SELECT kind, word, round(log2(({total}) / (count(*) + 1.0)))::INTEGER AS bits
        FROM (SELECT kind, word, id FROM w UNION ALL {columns}) GROUP BY kind, word"""
    return engine.cached(engine.sql(text, {"p": of.people, "w": of.words}))


def with_bits(engine: Engine, of: Comparable, table: Any, records: int) -> Comparable:
    """The words and the columns with their information; what the table does not know is as rare as can be.

    A sign counts what it says beyond its sound.
    """
    most = round(float(np.log2((records + MORE) / 2)))
    words = engine.sql(
        f"""
        SELECT w.id, w.kind, w.word, greatest(coalesce(t.bits, {most}) - if(w.kind = '{SIGN}', 4, 0), 1)::INTEGER AS bits
        FROM w LEFT JOIN t ON t.kind = w.kind AND t.word = w.word""",
        {"w": of.words, "t": table},
    )
    joins = " ".join(
        f"LEFT JOIN (SELECT word, bits AS {name}_bits FROM t WHERE kind = '{name}') {name}_t ON {name}_t.word = p.{name}"
        for name in ("postcode", "city", "occupation")
    )
    known = ", ".join(
        f"coalesce({name}_bits, {most})::INTEGER AS {name}_bits" for name in ("postcode", "city", "occupation")
    )
    people = engine.sql(f"SELECT p.*, {known} FROM p {joins}", {"p": of.people, "t": table})
    return Comparable(engine.cached(people), engine.cached(words), engine.cached(of.phones))


def together(engine: Engine, one: Comparable, other: Comparable) -> Comparable:
    """Records of two lots as one lot."""
    text = "SELECT * FROM a UNION ALL BY NAME SELECT * FROM b"
    both = {
        "people": (one.people, other.people),
        "words": (one.words, other.words),
        "phones": (one.phones, other.phones),
    }
    return Comparable(**{name: engine.cached(engine.sql(text, {"a": a, "b": b})) for name, (a, b) in both.items()})


# ── where pairs meet ────────────────────────────────────────────────────────────────────────────────────────

# kind → SELECT id, key over p (people), s (sounds), d (streets), x (pairs of sounds' beginnings), f (phones)
_KEYS: Mapping[str, str] = {
    "document": "SELECT id, document AS key FROM p",
    "email": "SELECT id, email AS key FROM p",
    "mailbox": "SELECT id, mailbox AS key FROM p WHERE length(mailbox) >= 6",
    "phone": "SELECT id, number AS key FROM f",
    "name": "SELECT id, string_agg(word, ' ' ORDER BY word) AS key FROM s GROUP BY id",
    "two words": "SELECT a.id, concat_ws('|', left(a.word, 4), left(b.word, 4)) AS key FROM s a JOIN s b ON a.id = b.id AND a.word < b.word",
    "word": "SELECT id, word AS key FROM s",
    "word, birth": "SELECT id, concat_ws('|', word, birth) AS key FROM s JOIN p USING (id) WHERE birth IS NOT NULL",
    "word, year": "SELECT id, concat_ws('|', word, left(birth, 4)) AS key FROM s JOIN p USING (id) WHERE birth IS NOT NULL",
    "beginning, postcode": "SELECT id, concat_ws('|', left(word, 3), postcode) AS key FROM s JOIN p USING (id) WHERE postcode IS NOT NULL",
    "word, district": "SELECT id, concat_ws('|', word, split_part(postcode, ' ', 1)) AS key FROM s JOIN p USING (id) WHERE postcode IS NOT NULL",
    "word, city": "SELECT id, concat_ws('|', word, city) AS key FROM s JOIN p USING (id) WHERE city IS NOT NULL",
    "name, city": """SELECT id, concat_ws('|', string_agg(word, ' ' ORDER BY word), any_value(city)) AS key
        FROM s JOIN p USING (id) WHERE city IS NOT NULL GROUP BY id HAVING count(*) > 1""",
    "name, year": """SELECT id, concat_ws('|', string_agg(word, ' ' ORDER BY word), any_value(left(birth, 4))) AS key
        FROM s JOIN p USING (id) WHERE birth IS NOT NULL GROUP BY id HAVING count(*) > 1""",
    "birth, district": "SELECT id, concat_ws('|', birth, split_part(postcode, ' ', 1)) AS key FROM p WHERE birth IS NOT NULL AND postcode IS NOT NULL",
    "birth, city": "SELECT id, concat_ws('|', birth, city) AS key FROM p WHERE birth IS NOT NULL AND city IS NOT NULL",
    "postcode": "SELECT id, postcode AS key FROM p",
    "street, word": """SELECT d.id, concat_ws('|', d.key, left(s.word, 3)) AS key
        FROM (SELECT id, string_agg(word, ' ' ORDER BY word) AS key FROM w WHERE kind = 'street' AND bits >= 4 GROUP BY id HAVING count(*) >= 3) d
        JOIN s USING (id)""",
}  # fmt: skip


def keys(engine: Engine, of: Comparable, secret: str) -> Any:
    """id, kind (place in the list of kinds), key (64 bits of a keyed hash), for each record."""
    tables = {"p": of.people, "w": of.words, "f": of.phones, "z": engine.table(pa.table({"secret": [secret]}))}
    stacked = " UNION ALL ".join(
        f"SELECT id, {nth}::UTINYINT AS kind, key FROM ({query}) WHERE key IS NOT NULL AND key <> ''"
        for nth, query in enumerate(_KEYS.values())
    )
    text = f"""
        WITH s AS (SELECT id, word, bits FROM w WHERE kind = '{SOUND}')
        SELECT id, kind, md5_number_lower(concat_ws('|', z.secret, kind, key)) AS key
        FROM ({stacked}), z"""
    return engine.cached(engine.sql(text, tables))


def met(engine: Engine, keys: Any) -> Any:
    """left, right (ids, left < right): who share a meeting key; each pair once. Keys that too many share make no pairs."""
    text = f"""
        WITH shared AS (SELECT kind, key FROM k GROUP BY kind, key HAVING count(*) BETWEEN 2 AND {MOST_AT_KEY}),
        kept AS (SELECT id, kind, key FROM k SEMI JOIN shared USING (kind, key))
        SELECT DISTINCT a.id AS "left", b.id AS "right" FROM kept a JOIN kept b ON a.key = b.key AND a.kind = b.kind AND a.id < b.id"""
    return engine.cached(engine.sql(text, {"k": keys}))


def met_by(engine: Engine, told: Any, keys: Any) -> Any:
    """The pairs of which at least one has the new `keys`; `told` are the keys of all others.

    Most of what is told stands at crowded keys, such as a family name alone: those are counted, and never gathered.
    """
    crowd = engine.cached(engine.sql(
        f"SELECT kind, key FROM t SEMI JOIN k USING (kind, key) GROUP BY kind, key HAVING count(*) >= {MOST_AT_KEY}",
        {"t": told, "k": keys}))  # fmt: skip
    free = engine.cached(
        engine.sql("SELECT id, kind, key FROM k ANTI JOIN c USING (kind, key)", {"k": keys, "c": crowd})
    )
    text = f"""
        WITH mine AS (SELECT *, true AS fresh FROM k UNION ALL SELECT id, kind, key, false FROM t SEMI JOIN k USING (kind, key)),
        shared AS (SELECT kind, key FROM mine GROUP BY kind, key HAVING count(*) BETWEEN 2 AND {MOST_AT_KEY}),
        kept AS (SELECT * FROM mine SEMI JOIN shared USING (kind, key))
        SELECT DISTINCT least(a.id, b.id) AS "left", greatest(a.id, b.id) AS "right" FROM kept a JOIN kept b
        ON a.key = b.key AND a.kind = b.kind AND a.id <> b.id WHERE a.fresh"""
    return engine.cached(engine.sql(text, {"k": free, "t": told}))


# ── what a word says, kept without the word ─────────────────────────────────────────────────────────────────


def _word_key(secret: str) -> str:
    return f"md5_number_lower(concat_ws('|', {secret}, kind, word))"


def hashed_words(engine: Engine, words: Any, secret: str) -> Any:
    """key, bits: the words' information under keyed hashes."""
    one = engine.table(pa.table({"secret": [secret]}))
    return engine.cached(engine.sql(f"SELECT {_word_key('z.secret')} AS key, bits FROM w, z", {"w": words, "z": one}))


def known_words(engine: Engine, of: Comparable, hashed: Any, secret: str) -> Any:
    """kind, word, bits of the words that these records have, where the kept information knows them."""
    columns = " UNION ".join(
        f"SELECT '{name}' AS kind, {name} AS word FROM p WHERE {name} IS NOT NULL"
        for name in ("postcode", "city", "occupation")
    )
    text = f"""
        WITH mine AS (SELECT kind, word FROM w UNION {columns}), keyed AS (SELECT kind, word, {_word_key("z.secret")} AS key FROM mine, z)
        SELECT kind, word, bits FROM keyed JOIN h USING (key)"""
    one = engine.table(pa.table({"secret": [secret]}))
    return engine.cached(engine.sql(text, {"p": of.people, "w": of.words, "h": hashed, "z": one}))
