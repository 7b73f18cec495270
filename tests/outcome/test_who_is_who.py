"""Who is who on the page: its numbers, its words, and that it is left out where nothing is known of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from backbook.customer.identity import grouping, identify
from backbook.customer.identity.quality import MOST_SHOWN, SUSPECTS
from backbook.engine import Engine
from backbook.outcome import kpi, page, who_is_who
from backbook.outcome.figures import About, Figures
from backbook.outcome.position import Book
from backbook.outcome.texts import TEXTS
from backbook.outcome.who_is_who import Identity

AS_OF, BEFORE = date(2026, 10, 31), date(2026, 9, 30)
Make = Callable[..., Any]

# Ten records of four customers: two stand alone, one has two that are likely his, one has six under three rules.
QUALITY = """
    size    1               2   2
    size    2               2   1
    size    6               6   1
    rule    own             2   2
    rule    document        4   1
    rule    phone_and_name  1   1
    rule    likely          2   1
    rule    ruling          1   1
    system  app             3   3
    system  core            7   4
    open    grey            -  12
    open    conflict        -   1
    change  new             3   2
    change  moved           1   1
"""


def quality(table: Make, text: str) -> Any:
    rows = [line.split() for line in text.strip().splitlines()]
    return table(*[
        {"aspect": aspect, "value": value, "records": None if records == "-" else int(records), "customers": int(customers)}
        for aspect, value, records, customers in rows
    ])  # fmt: skip


def suspects(table: Make, *rows: tuple[str, int]) -> Any:
    return table(*[
        {"kind": kind, "what": f"w{n}", "records": size, "customers": 1} for n, (kind, size) in enumerate(rows)
    ])  # fmt: skip


def pairs(table: Make, *likely: float, why: str = "grey") -> Any:
    return table(*[
        {"record_left": f"app:{n}", "record_right": f"core:{n}", "probability": each, "why": why}
        for n, each in enumerate(likely)
    ])  # fmt: skip


@pytest.fixture
def report_of(engine: Engine, book: Callable[..., Book], table: Make) -> Callable[..., Figures]:
    """A report with the identity of a day, told as `QUALITY` is; `before` is the same of the month-end before."""
    account = [{"account_id": "a", "balance": 1}]

    def make(told: str | None, *, before: str | None = None, suspect: Any = None, review: Any = None) -> Figures:
        identity = told and Identity(
            quality(table, told),
            suspects(table, ("two_documents", 2)) if suspect is None else suspect,
            pairs(table, 0.4) if review is None else review,
            before=before and quality(table, before),
        )
        return kpi.figures(
            engine,
            book(AS_OF, account=account),
            About("A bank", AS_OF),
            before=book(BEFORE, account=account),
            identity=identity or None,
        )

    return make


def section(figures: Figures, language: str = "en") -> page.Section:
    (found,) = (each for each in page.sections(figures, language) if each.id == "identity")
    return found


def block(figures: Figures, title: str, language: str = "en") -> page.Block:
    (found,) = (each for each in section(figures, language).blocks if each.title == TEXTS[title].to(language))
    return found


def rows(figures: Figures, title: str, language: str = "en") -> list[tuple[str, ...]]:
    found = block(figures, title, language).table
    assert found is not None
    return list(found.rows)


def test_the_tiles_say_how_many_records_make_how_many_customers(report_of: Callable[..., Figures]) -> None:
    tiles = {each.name: (each.value, each.parts) for each in section(report_of(QUALITY)).tiles}
    assert tiles == {
        "Customer records": ("10", ""),
        "Customers told apart": ("4", ""),
        "Records per customer": ("2.500", "10 / 4"),
        "Linked for sure": ("60.0%", "6 / 10 records"),  # document, phone_and_name, ruling
        "Linked by likelihood": ("20.0%", "2 / 10 records"),
        "Pairs to decide": ("13", ""),
    }


def test_customers_are_drawn_by_their_records_and_the_last_bar_says_and_more(report_of: Callable[..., Figures]) -> None:
    figures = report_of(QUALITY)
    assert rows(figures, "identity_sizes") == [("1", "2", "2"), ("2", "1", "2"), (f"{MOST_SHOWN}+", "1", "6")]
    drawn = block(figures, "identity_sizes").chart.to_dict()
    assert [(bar["size"], bar["customers"]) for bar in drawn["data"]["values"]] == [("1", 2), ("2", 1), ("6+", 1)]


def test_the_surest_rule_comes_first_and_those_who_stand_alone_last(report_of: Callable[..., Figures]) -> None:
    found = rows(report_of(QUALITY), "identity_rules")
    assert [(row[0], row[1], row[3]) for row in found] == [
        ("the same document", "4", "40.0%"),
        ("the same verified phone and name", "1", "10.0%"),
        ("a ruling by a person", "1", "10.0%"),
        ("likely by all that is known", "2", "20.0%"),
        ("alone, no other record", "2", "20.0%"),
    ]
    assert rows(report_of(QUALITY), "identity_rules", "zh")[0][0] == "证件号相同"


def test_suspicious_groups_are_counted_by_kind_with_the_largest(report_of: Callable[..., Figures], table: Make) -> None:
    told = suspects(table, ("two_documents", 2), ("crowded_phone", 40), ("two_documents", 5), ("crowded_phone", 9))
    assert rows(report_of(QUALITY, suspect=told), "identity_suspects") == [
        ("one phone on many records", "2", "49", "40"),
        ("two documents in one person", "2", "7", "5"),
    ]


def test_of_the_pairs_to_decide_only_the_ten_likeliest_stand_on_the_page(
    report_of: Callable[..., Figures], table: Make
) -> None:
    figures = report_of(QUALITY, review=pairs(table, *[(10 + n) / 100 for n in range(12)], 0.98261))
    found = rows(figures, "identity_review")
    assert len(found) == 10
    assert found[0] == ("app:12", "core:12", "98.3%", "alike, but not enough to tell")
    assert [row[2] for row in found[1:]] == [f"{share}.0%" for share in range(21, 12, -1)]
    note = block(figures, "identity_review").note
    assert note.startswith("one document or account, but contradictory 1 · alike, but not enough to tell 12 · ")


def test_nothing_to_decide_and_nothing_suspicious_says_so(report_of: Callable[..., Figures], table: Make) -> None:
    none = suspects(table, ("two_documents", 2)).limit(0)
    figures = report_of(QUALITY, suspect=none, review=pairs(table, 0.4).limit(0))
    for title in ("identity_suspects", "identity_review"):
        assert block(figures, title).needs == "Nothing to show in this run."


def test_what_changed_since_the_run_before_is_told_apart_as_new_and_moved(report_of: Callable[..., Figures]) -> None:
    assert rows(report_of(QUALITY), "identity_changes") == [
        ("new records", "3", "2"), ("records that went to another customer", "1", "1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [("", "identity_unchanged"), ("change new 2 1", "identity_first")],
)
def test_a_first_run_and_a_quiet_one_say_so_in_words(report_of: Callable[..., Figures], change: str, said: str) -> None:
    figures = report_of(f"size 2 2 1\nrule document 2 1\n{change}")
    for language in ("zh", "en"):
        made = block(figures, "identity_changes", language)
        assert made.table is None and made.needs == TEXTS[said].to(language)


def test_the_tiles_compare_with_the_month_end_before_where_it_is_known(report_of: Callable[..., Figures]) -> None:
    now = "size 1 4 4\nrule own 4 4\nopen grey - 3"
    then = "size 1 2 2\nrule own 2 2\nopen grey - 6"
    told = {each.name: (each.change, each.mood) for each in section(report_of(now, before=then)).tiles}
    assert told["Customer records"] == ("+100.0%", "")
    assert told["Records per customer"] == ("±0", "")
    assert told["Pairs to decide"] == ("-50.0%", "good")
    assert {each.change for each in section(report_of(now)).tiles} == {""}


def test_a_book_whose_identity_tells_nothing_of_itself_has_no_such_section(report_of: Callable[..., Figures]) -> None:
    for language in ("zh", "en"):
        assert "identity" not in {each.id for each in page.sections(report_of(None), language)}


def test_the_section_stands_before_the_quality_of_the_data_under_its_name(report_of: Callable[..., Figures]) -> None:
    for language, title in (("zh", "客户识别"), ("en", "Who is who")):
        found = page.sections(report_of(QUALITY), language)
        place = [each.id for each in found].index("identity")
        assert found[place].title == title and found[place + 1].id == "data"


def test_every_rule_reason_and_suspicion_that_identity_knows_has_its_words() -> None:
    assert set(who_is_who.SURE) == {*identify.RULES, "ruling"}
    assert identify.REVIEW == who_is_who.REVIEW
    codes = {f"rule_{rule}" for rule in (*who_is_who.SURE, who_is_who.LIKELY, who_is_who.OWN)}
    codes |= {f"why_{why}" for why in ("grey", grouping.CONFLICT, grouping.TOO_MANY)}
    codes |= {f"suspect_{kind}" for kind in SUSPECTS} | {"change_new", "change_moved"}
    assert codes <= set(TEXTS)
