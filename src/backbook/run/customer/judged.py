"""What is said of a customer on the date of their profile: tags with evidence, segments, scores, ties, decisions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from backbook.customer.at_hand import OneCustomer
from backbook.customer.definition import ACCOUNT, CUSTOMER
from backbook.customer.evidence import Counted, evidence
from backbook.customer.profile import OWNER
from backbook.customer.relations import KINDS, ROWS
from backbook.customer.tags import CONFIDENCE, DIMENSIONS, Tag
from backbook.run.customer.words import either, level, text
from backbook.run.freeze import Frozen
from backbook.score import registry
from backbook.score.apart import Reason, explain_one
from backbook.score.registry import Version
from backbook.sources.contract import TABLES
from backbook.strategy.definition import Strategy


@dataclass(frozen=True)
class Known:
    """The profile rows of one customer: `rows` by grain, `age_days` from their date to the day of the look."""

    frozen: Frozen
    hand: OneCustomer
    as_of: date
    age_days: int
    language: str
    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    # Their personal tags were deleted at their wish; nothing told of their traits is shown, whatever the profile holds.
    tags_deleted: bool

    def unit(self, row: Mapping[str, Any], grain: str) -> str:
        return str(row[f"{grain}_id"])


def tags(known: Known) -> list[dict[str, Any]]:
    """The tags that hold, in the order of the catalogue; `expired` where the profile is too old for them."""
    order = list(DIMENSIONS)
    held = [(tag, row) for tag in known.frozen.tags for row in known.rows[tag.grain] if _holds(known, tag, row)]
    held.sort(key=lambda each: order.index(each[0].dimension))
    return [_tag(known, tag, row) for tag, row in held]


def _holds(known: Known, tag: Tag, row: Mapping[str, Any]) -> bool:
    return row.get(tag.id) is True and not (tag.personal and known.tags_deleted)


def _tag(known: Known, tag: Tag, row: Mapping[str, Any]) -> dict[str, Any]:
    expired = known.age_days > tag.expires_days
    found: list[Counted] = []
    if not expired:
        unit = known.unit(row, tag.grain)
        found = evidence(tag, known.frozen.features, known.hand, known.as_of, unit, known.hand.whose)
    return {
        "id": tag.id,
        "name": either((tag.zh, tag.en), known.language),
        "dimension": tag.dimension,
        "meaning": either(tag.meaning, known.language),
        "account_id": row["account_id"] if tag.grain == ACCOUNT else None,
        "confidence": None if expired else row.get(f"{tag.id}{CONFIDENCE}"),
        "expired": expired,
        "aim": tag.aim,
        "not_for": either(tag.not_for, known.language),
        "owner": tag.owner,
        "personal": tag.personal,
        "evidence": [_evidence(each, row, known.language) for each in found],
    }


def _evidence(counted: Counted, row: Mapping[str, Any], language: str) -> dict[str, Any]:
    feature = counted.feature
    table = {**TABLES, **ROWS}[str(feature.table).partition(".")[0]]
    return {
        "feature": feature.id,
        "name": either((feature.zh, feature.en), language),
        "value": row.get(feature.id),
        "unit": feature.unit,
        "window": str(feature.window),
        "table": str(feature.table),
        "table_name": either((table.zh, table.en), language),
        "total": counted.total,
        "rows": [
            {
                "on": each.on,
                "what": either(each.what, language),
                "amount": each.amount,
                "category": either(each.category, language) or None,
                "place": each.place,
                "row": each.row,
            }
            for each in counted.rows
        ],
    }


def segments(known: Known) -> list[dict[str, Any]]:
    found = []
    for segment in known.frozen.segments:
        if segment.personal and known.tags_deleted:
            continue
        for row in known.rows[segment.grain]:
            if row.get(segment.id) is not None:
                found.append({
                    "id": segment.id,
                    "name": either((segment.zh, segment.en), known.language),
                    "account_id": row["account_id"] if segment.grain == ACCOUNT else None,
                    "level": row[segment.id],
                    "level_name": level(segment.levels, row[segment.id], known.language),
                })  # fmt: skip
    return found


def scores(known: Known) -> list[dict[str, Any]]:
    """Each score of the customer and of their accounts, with the reasons that were stored."""
    hand, head = known.hand, known.hand.head
    files = head.files("score", part=known.as_of.isoformat())
    if not files:
        return []
    units = [known.unit(row, grain) for grain in (ACCOUNT, CUSTOMER) for row in known.rows[grain]]
    rows = hand.engine.parquet(files)
    given = hand.engine.rows(rows.filter(rows.unit.isin(units)).order_by(["score", "unit"]))
    return [_score(known, row) for row in given if row["grade"] is not None or row["points"] is not None]


def _score(known: Known, row: Mapping[str, Any]) -> dict[str, Any]:
    version = registry.version(known.hand.head, row["version"])
    codes = [row[name] for name in sorted(row) if name.startswith("reason_") and row[name] is not None]
    moved = _moved(known, version, row["unit"])
    return {
        "id": row["score"],
        "name": either((version.content["zh"], version.content["en"]), known.language),
        "version": version.id,
        "account_id": row["unit"] if version.key == "account_id" else None,
        **{name: row[name] for name in ("points", "probability", "amount", "grade")},
        "grade_name": level(version.grades, row["grade"], known.language),
        "reasons": [
            {
                "code": code,
                "text": version.reason(code, known.language),
                "direction": moved[code].direction if code in moved else None,
                "size": moved[code].size if code in moved else None,
                "unit": text(moved[code].unit, known.language) if code in moved and moved[code].unit else None,
            }
            for code in codes
        ],
    }


def _moved(known: Known, version: Version, unit: str) -> dict[str, Reason]:
    """What moved the score, by code; nothing where the profile no longer has what the version reads."""
    grain = version.key.removesuffix("_id")
    mine = next((row for row in known.rows[grain] if row[version.key] == unit), {})
    owner = next((row for row in known.rows[CUSTOMER] if row["customer_id"] == mine.get("customer_id")), {})
    row = {**{OWNER + name: value for name, value in owner.items()}, **mine}
    if not {name.name for name in version.columns} <= row.keys():
        return {}
    return {reason.code: reason for reason in explain_one(version, row).reasons}


def ties(known: Known, customer_id: str) -> list[dict[str, Any]]:
    """Who is tied to the customer, where ties were found for this date."""
    engine, files = known.hand.engine, known.hand.head.files("tie", part=known.as_of.isoformat())
    if not files:
        return []
    rows = engine.parquet(files)
    return [
        {
            "customer_id": row["other_customer_id"],
            "kind": row["kind"],
            "kind_name": level(KINDS, row["kind"], known.language),
            "way": row["way"],
            "since": row["since"],
        }
        for row in engine.rows(rows.filter(rows.customer_id == customer_id).order_by(["kind", "other_customer_id"]))
    ]


def decisions(known: Known, customer_id: str) -> list[dict[str, Any]]:
    """The decisions of the last date, not later than the profile's, for which any was made."""
    head, engine = known.hand.head, known.hand.engine
    manifest = head.manifest("decision")
    parts = [part for part in manifest.parts() if part <= known.as_of.isoformat()] if manifest else []
    if not parts:
        return []
    rows = engine.parquet(head.files("decision", part=parts[-1]))
    mine = engine.rows(rows.filter(rows.customer_id == customer_id).order_by(["strategy", "account_id"]))
    strategies = {strategy.id: strategy for strategy in known.frozen.strategies}
    return [_decision(row, strategies.get(row["strategy"]), known.language) for row in mine]


def _decision(row: Mapping[str, Any], strategy: Strategy | None, language: str) -> dict[str, Any]:
    reasons, blocked = json.loads(row["reasons"]), json.loads(row["blocked"])
    named = strategy.label.text(language) if strategy else row["strategy"]
    return {
        "decision_id": row["decision_id"],
        "as_of": row["as_of"],
        "account_id": row["account_id"],
        "strategy": row["strategy"],
        "strategy_name": named,
        "action": row["action"],
        "action_name": _action(strategy, row["action"], language),
        "reasons": [{"code": code, "text": _reason(strategy, code, language)} for code in reasons],
        "blocked": list(_blocked(strategy, blocked, language)),
        "value_now": row["value_now"],
        "value_new": row["value_new"],
        "valid_until": row["valid_until"],
        "state": text("simulation", language),
    }


def _action(strategy: Strategy | None, action: str, language: str) -> str:
    """Its words; the id where the strategy that knew it is gone."""
    return strategy.action[action].label.text(language) if strategy and action in strategy.action else action


def _reason(strategy: Strategy | None, code: str, language: str) -> str:
    return strategy.reason_label(code).text(language) if strategy else code


def _blocked(strategy: Strategy | None, blocked: Mapping[str, str], language: str) -> Iterator[dict[str, str]]:
    for guardrail, action in blocked.items():
        yield {
            "guardrail": guardrail,
            "text": _reason(strategy, guardrail.upper(), language),
            "action": _action(strategy, action, language),
        }
