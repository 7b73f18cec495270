"""The words in which the command line tells what is known of a customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.table import Table

from backbook.outcome.numbers import share
from backbook.run.customer.look import Customer360
from backbook.run.customer.words import text, written
from backbook.run.show import Lines, table_of
from backbook.score.apart import LOWERS, RAISES

FACTS = ("age_band", "city", "customer_no", "branch", "manager", "since")
LABELS = {"age_band": "age"}
MOST_HAPPENINGS = 25
NUMBERS = ("limit", "balance", "utilisation", "days_past_due", "amount", "value", "value_now", "value_new")


def told(found: Customer360) -> Lines:
    """The whole look, for eyes at a terminal."""
    language = found.language

    def t(key: str, **parts: Any) -> str:
        return text(key, language, **parts)

    who = found.who
    name = who["name"] or "–"
    lines: Lines = ["", f"{name} · {found.customer_id} · {t('as_of')} {found.as_of}"]
    lines += [f"  {t(LABELS.get(key, key))}: {written(who[key])}" for key in FACTS if who[key] is not None]
    records = ", ".join(f"{row['system']}:{row['party_id']}" for row in who["records"])
    lines.append(f"  {t('records')}: {records}")
    lines.append(f"  {t('wishes')}: {'; '.join(each['text'] for each in who['wishes']) or t('none')}")
    lines += [f"  ! {note}" for note in found.notes]
    lines += ["", _accounts(found, t)]
    lines += _timeline(found, t)
    lines += _tags(found, t)
    if found.segments:
        table = _table(t("segments"), ("segment", "level", "account"), t)
        for row in found.segments:
            table.add_row(row["name"], row["level_name"], row["account_id"] or "")
        lines.append(table)
    lines += _scores(found, t)
    if found.ties:
        table = _table(t("ties"), ("tie", "other", "since"), t)
        for row in found.ties:
            table.add_row(row["kind_name"], f"{row['name'] or ''} {row['customer_id']}".strip(), written(row["since"]))
        lines.append(table)
    return lines + _decisions(found, t)


def _table(title: str, columns: Sequence[str], t: Any) -> Table:
    """Texts stand to the left, numbers to the right."""
    table = table_of(title, *map(t, columns))
    for name, column in zip(columns, table.columns, strict=True):
        column.justify = "right" if name in NUMBERS else "left"
    return table


def _accounts(found: Customer360, t: Any) -> Table:
    columns = ("account", "product", "stage", "limit", "balance", "utilisation", "days_past_due", "cards")
    table = _table(f"{t('accounts')} · {found.currency}", columns, t)
    for row in found.accounts:
        cards = "\n".join(f"{card['card']} {card['state']}" for card in row["cards"])
        table.add_row(
            row["account_id"], written(row["product"]), written(row["stage"]), written(row["limit"]), written(row["balance"]),
            share(row["utilisation"], found.language), written(row["days_past_due"]), cards,
        )  # fmt: skip
    return table


def _timeline(found: Customer360, t: Any) -> Lines:
    shown = found.timeline[:MOST_HAPPENINGS]
    title = f"{t('timeline')} · {t('shown_of', shown=len(shown), total=found.happened)}"
    table = _table(title, ("on", "kind", "what", "amount"), t)
    for row in shown:
        table.add_row(
            str(row["on"]), row["happened"], row["what"], "" if row["amount"] is None else written(row["amount"])
        )
    return [table]


def _tags(found: Customer360, t: Any) -> Lines:
    """By dimension; under each tag one line of evidence."""
    lines: Lines = [t("tags")]
    held = [row for row in found.tags if not row["expired"]]
    for dimension, rows in groupby(held, key=lambda row: row["dimension"]):
        lines.append(f"  {t(f'dimension_{dimension}')}")
        for row in rows:
            sure = f" · {t('confidence')} {row['confidence']:.0%}" if row["confidence"] is not None else ""
            account = f" · {row['account_id']}" if row["account_id"] else ""
            lines.append(f"    {row['name']} {row['id']}{sure}{account} · {row['meaning']}")
            lines += [f"      {line(each, t)}" for each in row["evidence"]]
    if len(held) < len(found.tags):
        names = dict.fromkeys(row["name"] for row in found.tags if row["expired"])
        lines.append(f"  {t('expired')}: {', '.join(names)}")
    return lines if found.tags else [*lines, f"  {t('none')}"]


def line(evidence: Mapping[str, Any], t: Any) -> str:
    """One feature's evidence in one line: its value, the newest row, and how many there are."""
    head = f"{evidence['name']} = {written(evidence['value'])}"
    if not evidence["rows"]:
        return head
    row = evidence["rows"][0]
    told = " ".join(str(part) for part in (row["on"], row["what"], row["category"], row["place"]) if part)
    amount = f" {written(row['amount'])}" if row["amount"] is not None else ""
    return f"{head}: {told}{amount} ({t('rows_in_all', total=evidence['total'])})"


def _scores(found: Customer360, t: Any) -> Lines:
    if not found.scores:
        return []
    table = _table(t("scores"), ("score", "grade", "value", "account", "reasons"), t)
    for row in found.scores:
        reasons = "\n".join(reason(each) for each in row["reasons"])
        table.add_row(row["name"], written(row["grade_name"]), value(row), row["account_id"] or "", reasons)
    return [table]


def reason(found: Mapping[str, Any]) -> str:
    """What it says, which way it moved the chance, and how far.

    >>> reason({"text": "Utilisation above 0.8", "direction": "raises", "size": -21.4, "unit": "points"})
    'Utilisation above 0.8 (↑ -21.4 points)'
    """
    if found["direction"] is None:
        return str(found["text"])
    arrow = {RAISES: "↑", LOWERS: "↓"}.get(found["direction"], "")
    size = "" if found["size"] is None else f" {found['size']:+.3g} {found['unit']}"
    return f"{found['text']} ({arrow}{size})"


def value(score: Mapping[str, Any]) -> str:
    """Points with the chance that they stand for, or the amount."""
    if score["points"] is not None:
        chance = f" ({score['probability']:.2%})" if score["probability"] is not None else ""
        return f"{score['points']}{chance}"
    return written(score["amount"] if score["amount"] is not None else score["probability"])


def _decisions(found: Customer360, t: Any) -> Lines:
    if not found.decisions:
        return []
    title = f"{t('decisions')} · {found.decisions[0]['as_of']} · {t('simulation')}"
    table = _table(title, ("strategy", "action", "account", "value_now", "value_new", "reasons", "blocked"), t)
    for row in found.decisions:
        table.add_row(
            row["strategy_name"], row["action_name"], row["account_id"], written(row["value_now"]), written(row["value_new"]),
            _stacked(each["text"] for each in row["reasons"]), _stacked(f"{each['action']}: {each['text']}" for each in row["blocked"]),
        )  # fmt: skip
    return [table]


def _stacked(parts: Any) -> str:
    found: Sequence[str] = list(parts)
    return "\n".join(found)
