"""The words in which the command line tells what was done; `--json` tells the same to machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from backbook.run.check import CheckReport
from backbook.run.compare import Difference
from backbook.run.lineage import Lineage
from backbook.run.records import Record
from backbook.run.replay import Replayed
from backbook.run.walk import RunReport
from backbook.score.monitor import Level

Lines = list[Any]
MOST_LINES = 12
DECIDED = (
    "arm",
    "branch",
    "action",
    "parameters",
    "reasons",
    "blocked",
    "value_now",
    "value_new",
    "chosen_probability",
)


def run(report: RunReport) -> Lines:
    found = report.as_json()
    lines: Lines = [
        "",
        f"Run {report.run} · {report.seconds:.1f} s" + (" · dry run, nothing was written" if report.dry_run else ""),
    ]
    if "load" in report.walked:
        lines.append(_tables(found["tables"]))
        lines += _examples(report.found.get("load", {}).get("examples", {}))
        lines += _quality(report.found.get("load", {}).get("quality", []))
    if "profile" in report.walked:
        lines += _identity(report.found.get("profile", {}).get("identity"))
    if "train" in report.walked:
        lines += _scores(found["scores"])
    if "watch" in report.walked:
        lines += _watch(found["watch"])
    if "decide" in report.walked:
        lines += _decisions(found["decisions"])
    if {"profile", "train"} & set(report.walked):
        lines += _not_available(found["not_available"])
    lines += _files(found["files"])
    return lines


def table_of(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        # On a narrow terminal a cell goes over two lines: a number that is cut would be another number.
        table.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    return table


def _tables(tables: dict[str, dict[str, int]]) -> Table:
    columns = ("parsed", "rejected", "mapped", "loaded", "unchanged", "quarantined")
    table = table_of("Rows, at both gates", "table", *columns)
    for name, counts in sorted(tables.items()):
        table.add_row(name, *(f"{counts[column]:,}" if column in counts else "" for column in columns))
    return table


def _examples(examples: Mapping[str, Sequence[str]]) -> Lines:
    """The first rows that were rejected or went to quarantine, with their reasons."""
    told = [f"  {table}: {line}" for table, found in sorted(examples.items()) for line in found]
    return (["Rejected or in quarantine, the first:", *told[:MOST_LINES]] if told else []) + _more(told)


def _quality(messages: Iterable[dict[str, Any]]) -> Lines:
    told = [message for message in messages if message.get("level") != "ok"]
    return [f"  {message['level']}: {message['en']}" for message in told[:MOST_LINES]] + _more(told)


def _identity(found: Mapping[str, Any] | None) -> Lines:
    if not found:
        return []
    told = f"Who is who: {found['records']:,} records are {found['customers']:,} customers"
    if found["changed_since"]:
        told += f"; {found['changed_since']:,} moved"
    if found["grey"]:
        told += f"; {found['grey']:,} pairs are for people to decide (backbook identity DIR review)"
    return [f"{told}.", *(f"  not followed: {fault}" for fault in found["not_followed"][:MOST_LINES])]


def _scores(scores: dict[str, dict[str, Any]]) -> Lines:
    if not scores:
        return []
    table = table_of("Scores", "score", "version", "rows", "AUC", "KS", "calibration error")
    for name, score in sorted(scores.items()):
        figures = [
            f"{score[key]:.4f}" if score.get(key) is not None else "–" for key in ("auc", "ks", "calibration_error")
        ]
        table.add_row(name, score["version"], f"{score['rows']:,}" if score.get("rows") else "–", *figures)
    return [table]


def _watch(scores: Mapping[str, Mapping[str, Any]]) -> Lines:
    """How many scores hold, and each of the others with its reason and what to do, the worst first."""
    if not scores:
        return []
    holding = sum(score["level"] == Level.OK for score in scores.values())
    others = [(name, score) for name, score in sorted(scores.items()) if score["level"] != Level.OK]
    others.sort(key=lambda each: -list(Level).index(each[1]["level"]))
    told = [
        f"{name}: {score['level']} – {score['reason_en']}. {score['act_en'].capitalize()}." for name, score in others
    ]
    holds = f"{holding} {'score holds' if holding == 1 else 'scores hold'}"
    return [f"Watch: {holds}{';' if told else '.'}", *(f"  {escape(line)}" for line in told)]


def _decisions(decisions: dict[str, dict[str, Any]]) -> Lines:
    lines: Lines = []
    for name, entry in sorted(decisions.items()):
        table = table_of(f"Decisions of {name} · version {entry['version'][:12]}", "action", "accounts", "share")
        for action, rows in sorted(entry["by_action"].items(), key=lambda each: (-each[1], each[0])):
            table.add_row(action, f"{rows:,}", f"{rows / entry['total']:.1%}")
        lines.append(table)
    return lines


def _not_available(missing: Sequence[dict[str, str]]) -> Lines:
    if not missing:
        return []
    by_need: dict[tuple[str, str], list[str]] = {}
    for each in missing:
        kind, _, id_ = each["what"].partition(" ")
        by_need.setdefault((each["needs"], kind), []).append(id_)
    lines: Lines = ["Not available from this bank's data:"]
    listed = sorted(by_need.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    lines += [
        f"  {_counted(kind, ids)}: {'needs' if len(ids) == 1 else 'they need'} {needs}"
        for (needs, kind), ids in listed[:MOST_LINES]
    ]
    return lines + _more(listed)


def _counted(kind: str, ids: Sequence[str]) -> str:
    return (
        f"{kind} {ids[0]}"
        if len(ids) == 1
        else f"{len(ids)} {kind}s ({', '.join(ids[:3])}{', …' if len(ids) > 3 else ''})"
    )


def _files(files: Sequence[str]) -> Lines:
    reports = [file for file in files if file.endswith(".html")]
    lists = [file for file in files if file.endswith(".xlsx")]
    lines: Lines = [f"Report: {file}" for file in reports]
    if lists:
        folder = lists[0].rpartition("/")[0]
        lines.append(f"Lists:  {folder} ({len(lists)} actions, .xlsx and .csv; for simulation only / 仅供模拟)")
    return lines


def _more(entries: Sequence[Any]) -> Lines:
    return [f"  … and {len(entries) - MOST_LINES} more; --json shows all"] if len(entries) > MOST_LINES else []


def check(report: CheckReport) -> Lines:
    lines: Lines = [str(fault) for fault in report.faults]
    counts = ", ".join(f"{number} {kind}" for kind, number in report.counts.items() if number)
    lines.append(f"{len(report.faults)} faults in {counts}." if report.faults else f"No fault: {counts}.")
    if report.written:
        lines.append(
            f"Drafted: {report.written}. Go through it: types, names, purpose and what is protected are guesses."
        )
    lines += [f"Replaced: {what} of {pack} by {own}" for what, pack, own in report.replaced]
    if report.unmapped:
        lines.append("Not mapped: " + "; ".join(report.unmapped) + ".")
    if report.unread:
        lines.append(f"Read by nothing yet: {', '.join(report.unread)}.")
    return lines


def diff(difference: Difference) -> Lines:
    first, second = difference.first, difference.second
    lines: Lines = [
        f"From {first.run} to {second.run}: {len(difference.moves):,} decisions moved, {difference.same:,} stayed."
    ]
    if difference.came or difference.went:
        lines.append(f"{difference.came:,} accounts came, {difference.went:,} went.")
    lines += [f"{what}: {one[:24] or 'none'} → {two[:24] or 'none'}" for what, one, two in difference.versions]
    found = difference.as_json()
    if found["moves"]:
        table = table_of("Who moved, and why", "strategy", "from", "to", "cause", "accounts")
        for row in found["moves"][:MOST_LINES]:
            table.add_row(row["strategy"], row["from_action"], row["to_action"], row["cause"], f"{row['count']:,}")
        lines += [table, *_more(found["moves"])]
        lines.append("First of them:")
        lines += [
            f"  {move.account_id}: {move.from_action} → {move.to_action} ({move.cause}; {', '.join(move.changed[:4]) or 'the same values'})"
            for move in difference.moves[:5]
        ]
    return lines


def lineage(found: Lineage) -> Lines:
    node = found.node
    lines: Lines = [f"{node.kind} {node.id}" + (f" · {node.zh} · {node.en}" if node.zh else "")]
    for title, steps in (("reads", found.reads), ("is read by", found.read_by)):
        lines.append(f"  {title}:" if steps else f"  {title} nothing")
        lines += [
            f"  {'  ' * step}{each.kind} {each.id}" + (f" · {each.zh}" if each.zh else "") for step, each in steps
        ]
    return lines


def records(found: Sequence[Record]) -> Lines:
    if not found:
        return ["No run yet."]
    table = table_of("Runs", "run", "stages", "bundle", "lake", "seconds")
    for record in found:
        table.add_row(
            record.run, ", ".join(record.stages), record.bundle[:12], str(record.head), f"{record.seconds:.1f}"
        )
    return [table]


def replay(found: Replayed) -> Lines:
    lines: Lines = [
        f"Decision {found.decision_id} of {found.as_of}, account {found.account_id}, bundle {found.bundle[:12]}"
    ]
    lines += [f"  {name} = {value}" for name, value in found.read.items()]
    for name in DECIDED:
        then, now = found.then.get(name), found.now.get(name)
        lines.append(f"  {name}: {then}" + ("" if then == now else f" · now {now}"))
    lines.append("Decided again: the same." if found.same else "Decided again: NOT the same.")
    return lines


def measured(found: Mapping[str, Any]) -> Lines:
    """The figures by which a made-up issuer's difficulty is held."""
    risk = (
        f"{found['accounts']:,} accounts, {found['futures']} futures each: {found['pd_mean']:.2%} default within twelve months; "
        f"the chance ranks who does with an AUC of {found['pd_auc']:.3f}."
    )
    if "lift" not in found:
        return [risk]
    table = table_of("What each offer does to those it can move", "offer", "lift, points", "harmed")
    for offer, lift in found["lift"].items():
        table.add_row(offer, f"{100 * lift:.2f}", f"{found['harmed'][offer]:.0%}")
    return [
        risk,
        table,
        f"Offers of one month, per customer and in twelve: the best policy earns {found['oracle']:.2f}, the best rule over "
        f"{', '.join(found['rule_columns'])} {found['rule']:.2f}, the best single offer {found['single']:.2f}; "
        f"policy against rule {found['oracle_ratio']:.2f}.",
    ]
