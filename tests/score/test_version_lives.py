"""What a version is on a day: by registration, by people's rulings, and never by what came later."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from backbook.score.registry import CANDIDATE, CHAMPION, PROMOTE, RETIRE, RETIRED, champion, standings
from backbook.sources.rulings import Ruling


def row(version: str, on: date, definition: str = "one", number: int = 0) -> dict[str, Any]:
    return {"score": "s", "version": version, "definition": definition, "number": number, "registered_on": on}


def ruling(kind: str, version: str, on: date) -> Ruling:
    return Ruling(f"R{on}-{kind}-{version}", datetime.combine(on, datetime.min.time()), "ann", kind, version, "better")


JAN, FEB, MARCH, APRIL = date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)
TWO = [row("a", JAN), row("b", FEB)]


def status(rows: list[dict[str, Any]], rulings: list[Ruling], on: date, definition: str = "one") -> dict[str, str]:
    return {each.version: each.status for each in standings(rows, rulings, definition, on)}


def test_the_first_version_of_a_definition_scores_and_the_next_waits() -> None:
    assert status(TWO, [], MARCH) == {"a": CHAMPION, "b": CANDIDATE}


def test_a_version_is_not_known_before_the_day_on_which_it_was_registered() -> None:
    assert status(TWO, [], JAN) == {"a": CHAMPION}
    assert status(TWO, [], date(2026, 1, 30)) == {}


def test_a_promotion_retires_the_champion_and_keeps_who_said_so_and_why() -> None:
    found = {each.version: each for each in standings(TWO, [ruling(PROMOTE, "b", MARCH)], "one", APRIL)}
    assert {version: each.status for version, each in found.items()} == {"a": RETIRED, "b": CHAMPION}
    assert found["b"].since == found["a"].since == MARCH
    assert (found["b"].approved_by, found["b"].reason) == ("ann", "better")
    assert found["b"].approved_at == datetime.combine(MARCH, datetime.min.time())


def test_a_run_for_an_earlier_date_uses_who_was_champion_then() -> None:
    ruled = [ruling(PROMOTE, "b", MARCH)]
    assert status(TWO, ruled, date(2026, 3, 30)) == {"a": CHAMPION, "b": CANDIDATE}
    assert status(TWO, ruled, MARCH) == {"a": RETIRED, "b": CHAMPION}


def test_a_champion_may_come_back() -> None:
    ruled = [ruling(PROMOTE, "a", APRIL), ruling(PROMOTE, "b", MARCH)]
    assert status(TWO, ruled, APRIL) == {"a": CHAMPION, "b": RETIRED}


def test_a_retired_champion_leaves_none_though_another_waits() -> None:
    found = standings(TWO, [ruling(RETIRE, "a", MARCH)], "one", APRIL)
    assert {each.version: each.status for each in found} == {"a": RETIRED, "b": CANDIDATE}
    assert champion(found) is None


def test_under_another_definition_a_version_decides_nothing_and_no_ruling_revives_it() -> None:
    rows = [*TWO, row("c", MARCH, definition="two")]
    ruled = [ruling(PROMOTE, "b", APRIL)]
    assert status(rows, ruled, APRIL, definition="two") == {"a": RETIRED, "b": RETIRED, "c": CHAMPION}
    # Bring the old definition back, and what was ruled about its versions counts again.
    assert status(rows, ruled, APRIL) == {"a": RETIRED, "b": CHAMPION, "c": RETIRED}


def test_a_version_made_later_for_an_earlier_day_does_not_oust_the_champion() -> None:
    backfilled = [row("a", FEB, number=1), row("b", JAN, number=2)]
    assert status(backfilled, [], JAN) == {"b": CHAMPION}
    assert status(backfilled, [], FEB) == {"a": CHAMPION, "b": CANDIDATE}
