"""The words in which the command line tells who is who; `--json` tells the same to machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backbook.customer.identity.quality import SUSPECTS
from backbook.customer.identity.ruled import KINDS
from backbook.run.show import Lines, table_of

if TYPE_CHECKING:
    from backbook.customer.identity.acts import Act, Customer

WHY = {"grey": "not sure", "conflict": "one document or account, two people?", "too_many": "too many records"}


def customer(found: Customer) -> Lines:
    """Records, lineage and beliefs of one customer."""
    table = table_of(
        f"Customer {found.customer_id} on {found.as_of}", "record", "name", "born", "since", "belongs by", "probability"
    )
    for row in found.records:
        table.add_row(
            f"{row['system']}:{row['party_id']}",
            row["name"] or "–",
            _day(row["birth_date"]),
            _day(row["since"]),
            row["rule"],
            f"{row['probability']:.4f}",
        )
    lines: Lines = [table]
    history = table_of("Lineage", "record", "customer", "from", "until", "by", "beside", "ruling")
    for row in found.lineage:
        history.add_row(
            f"{row['system']}:{row['party_id']}",
            row["customer_id"],
            _day(row["since"]),
            _day(row["until"]),
            row["rule"],
            row["beside"] or "–",
            row["ruling"] or "–",
        )
    lines.append(history)
    if found.evidence:
        lines.append("Evidence, pair by pair:")
    for row in found.evidence[:20]:
        lines += [
            f"  {row['record_left']} and {row['record_right']}: {row['rule'] or 'likely'}, {row['probability']:.4f}",
            *_evidence(row),
        ]
    if found.golden:
        beliefs = table_of("Golden record: whose word counts", "field", "record", "rule")
        for name, chosen in found.golden.items():
            beliefs.add_row(name, chosen["from"], chosen["rule"])
        lines.append(beliefs)
    return lines


def grey(rows: Sequence[Mapping[str, Any]]) -> Lines:
    """Pairs to decide, each with what speaks for and against."""
    if not rows:
        return ["Nothing to decide: no pair lies in the grey zone."]
    lines: Lines = []
    for row in rows:
        left, right = (f"{row[f'record_{side}']} {row[f'name_{side}'] or ''}".strip() for side in ("left", "right"))
        lines += [f"{left}  ~  {right}   {row['probability']:.2%} · {WHY.get(row['why'], row['why'])}", *_evidence(row)]
    first = rows[0]
    lines += [
        "",
        f"Decide: backbook identity DIR merge {first['record_left']} {first['record_right']} --actor NAME --reason WHY   (or apart)",
    ]
    return lines


def _evidence(row: Mapping[str, Any]) -> Lines:
    return [f"    {sign} {'; '.join(row[key])}" for sign, key in (("+", "for"), ("−", "against")) if row[key]]


def identity_quality(found: Mapping[str, Any]) -> Lines:
    """Sizes, rules, the open and the suspicious; against truth where it was given."""
    table = table_of(f"Identity on {found['as_of']}", "", "value", "records", "customers")
    for row in found["quality"]:
        table.add_row(
            row["aspect"],
            row["value"],
            f"{row['records']:,}" if row["records"] is not None else "–",
            f"{row['customers']:,}",
        )
    lines: Lines = [table]
    if found["suspects"]:
        odd = table_of("Worth a look", "what", "groups", "largest")
        for row in found["suspects"]:
            odd.add_row(
                " · ".join(SUSPECTS.get(row["kind"], (row["kind"],))), f"{row['groups']:,}", f"{row['largest']:,}"
            )
        lines.append(odd)
    if "truth" in found:
        truth = found["truth"]
        lines.append(
            f"Against truth over {truth['records']:,.0f} records: precision {truth['precision']:.4f}, recall {truth['recall']:.4f}, F1 {truth['f1']:.4f} (pairs)."
        )
    return lines


def act(done: Act) -> Lines:
    """What was ruled, and what it will do."""
    lines: Lines = [f"{'Ruling ' + done.ruling.ruling_id + ': ' if done.ruling else 'Would be ruled: '}{done.will}."]
    for name, records in done.records.items():
        shown = ", ".join(records[:8]) + (f" and {len(records) - 8} more" if len(records) > 8 else "")
        lines.append(f"  {name}: {shown}")
    if done.ruling:
        back = done.ruling.kind in KINDS
        lines.append(
            f"It binds every run from {done.ruling.at:%Y-%m-%d} on; run `backbook run DIR --as-of DATE` to see it."
            + (
                f" Take it back with `backbook identity DIR undo {done.ruling.ruling_id} --actor NAME --reason WHY`."
                if back
                else ""
            )
        )
    return lines


def _day(value: Any) -> str:
    return f"{value:%Y-%m-%d}" if value is not None else "–"
