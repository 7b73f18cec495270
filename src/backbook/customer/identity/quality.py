"""How good identity is: sizes, rules, the grey zone, what is suspicious, what changed, and truth where there is any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backbook.customer.reader import Reader
from backbook.engine import Engine

QUALITY, SUSPECT = "identity_quality", "identity_suspect"
# A customer with as many records or more is counted together.
MOST_SHOWN = 6
# What is worth a look → zh, en
SUSPECTS = {
    "crowded_phone": ("同一电话被多条记录使用", "one phone on many records"),
    "crowded_email": ("同一邮箱被多条记录使用", "one e-mail on many records"),
    "two_documents": ("一人多证件", "two documents in one person"),
    "two_birth_dates": ("一人多出生日期", "two birth dates in one person"),
    "one_document": ("一证或一户多人（同号异人）", "one document or account, two people"),
    "too_many": ("合并后记录过多", "joining would make too many records"),
}


def quality(engine: Engine, identity: Any, lineage: Any, as_of: Any, review: Any) -> Any:
    """aspect, value, records, customers: how many records a customer has, by which rule they belong, what is open, what moved."""
    text = f"""
        WITH size AS (SELECT customer_id, count(*) AS n FROM i GROUP BY customer_id),
        moved AS (SELECT system, party_id FROM l WHERE until = DATE '{as_of}' - 1)
        SELECT 'size' AS aspect, least(n, {MOST_SHOWN})::VARCHAR AS value, sum(n)::BIGINT AS records, count(*) AS customers FROM size GROUP BY ALL
        UNION ALL SELECT 'rule', rule, count(*), count(DISTINCT customer_id) FROM i GROUP BY ALL
        UNION ALL SELECT 'system', system, count(*), count(DISTINCT customer_id) FROM i GROUP BY ALL
        UNION ALL SELECT 'open', why, NULL, count(*) FROM r GROUP BY ALL
        UNION ALL SELECT 'change', CASE WHEN m.party_id IS NOT NULL THEN 'moved' ELSE 'new' END, count(*), count(DISTINCT customer_id)
            FROM l LEFT JOIN moved m USING (system, party_id) WHERE since = DATE '{as_of}' GROUP BY ALL"""
    return engine.cached(engine.sql(text, {"i": identity, "l": lineage, "r": review}))


def suspects(reader: Reader, as_of: Any, identity: Any, review: Any, crowded: Mapping[str, Any]) -> Any:
    """kind, what, records, customers: the groups that somebody should look at, the largest first.

    `crowded`: by column, what too many records have (see `records.crowded`).
    """
    engine = reader.engine
    rows = reader.rows("party", as_of)
    given = {"i": identity, "r": review, "p": rows if rows is not None else identity.select("system", "party_id")}
    known = set(given["p"].columns)
    parts = [
        "SELECT CASE why WHEN 'conflict' THEN 'one_document' ELSE why END AS kind, record_left || ' / ' || record_right AS what, 2 AS records, 2 AS customers FROM r WHERE why <> 'grey'"
    ]
    for kind, column in (("crowded_phone", "phone_hash"), ("crowded_email", "email_hash")):
        if column in known:
            given[kind] = crowded[column]
            parts.append(f"""SELECT '{kind}', left(c.number, 12), count(*), count(DISTINCT i.customer_id) FROM {kind} c
                JOIN p ON p.{column} = c.number JOIN i USING (system, party_id) GROUP BY c.number""")
    two = {"two_documents": "id_document_hash", "two_birth_dates": "birth_date"}
    two = {kind: column for kind, column in two.items() if column in known}
    if two:
        # The least and the greatest differ: cheaper than counting what is distinct, for every customer of the book.
        values = ", ".join(
            f"count({column}) AS {kind}_records, min({column}) < max({column}) AS {kind}"
            for kind, column in two.items()
        )
        given["c"] = engine.cached(engine.sql(
            f"SELECT customer_id, {values} FROM p JOIN i USING (system, party_id) GROUP BY customer_id HAVING {' OR '.join(two)}", given))  # fmt: skip
        parts += [f"SELECT '{kind}', customer_id, {kind}_records, 1 FROM c WHERE {kind}" for kind in two]
    return engine.cached(engine.sql(" UNION ALL ".join(parts), given))


def against_truth(engine: Engine, identity: Any, truth: Any) -> dict[str, float]:
    """Precision, recall and F1 over pairs of records; `truth` has system, party_id, person, of any sample of records."""
    text = """
        WITH j AS (SELECT i.customer_id, t.person FROM i JOIN t USING (system, party_id))
        SELECT (SELECT count(*) FROM j) AS records,
               (SELECT coalesce(sum(n * (n - 1)), 0) / 2 FROM (SELECT count(*) AS n FROM j GROUP BY person)) AS same,
               (SELECT coalesce(sum(n * (n - 1)), 0) / 2 FROM (SELECT count(*) AS n FROM j GROUP BY customer_id)) AS joined,
               (SELECT coalesce(sum(n * (n - 1)), 0) / 2 FROM (SELECT count(*) AS n FROM j GROUP BY customer_id, person)) AS both"""
    row = {name: float(value) for name, value in engine.ask(text, {"i": identity, "t": truth})[0].items()}
    precision = row["both"] / row["joined"] if row["joined"] else 1.0
    recall = row["both"] / row["same"] if row["same"] else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"records": row["records"], "precision": precision, "recall": recall, "f1": f1}
