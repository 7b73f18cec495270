"""The report is one page that asks nobody for anything, in both languages."""

from __future__ import annotations

import ast
import base64
import hashlib
import inspect
import json
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import vl_convert

from backbook.engine import Engine
from backbook.outcome import charts, kpi, page, report
from backbook.outcome.figures import About, Figures, Text, needs
from backbook.outcome.position import Book
from backbook.outcome.texts import FIGURES, TEXTS
from backbook.outcome.who_is_who import Identity
from backbook.score import monitor
from backbook.score.monitor import Act, Kind, Level, Reading
from backbook.score.registry import Version

AS_OF = date(2026, 10, 31)
LANGUAGES = ("zh", "en")
Make = Callable[..., Book]
at = datetime.fromisoformat


@pytest.fixture(scope="module")
def thin(engine: Engine, book: Make) -> Figures:
    """A book of accounts alone."""
    return kpi.figures(engine, book(AS_OF, account=[{"account_id": "a", "balance": 1}]), About("A bank", AS_OF))


@pytest.fixture(scope="module")
def full(engine: Engine, book: Make, table: Callable[..., Any]) -> Figures:
    """A book that has everything a report can show, a name that is hostile among it."""
    many = range(24)
    made = {
        "account": [{"account_id": f"a{n}", "system": "core", "party_id": f"p{n}", "product_id": "<gold>", "balance": 10 * n,
                     "credit_limit": 300, "opened_on": date(2026, 4, 1), "days_past_due": 31 if n < 11 else 0} for n in many],
        "statement": [{"account_id": f"a{n}", "statement_on": date(2026, month, 20), "total_balance": 10 * n + month,
                       "revolving_balance": 5, "instalment_balance": 1, "days_past_due": 20 + 30 * (month - 8) if n < 11 else 0}
                      for n in many for month in (8, 9, 10)],
        "card": [{"card_id": f"c{n}", "account_id": f"a{n}", "issued_on": date(2020, 1, 1)} for n in many],
        "transaction": [{"transaction_id": f"t{n}", "account_id": f"a{n}", "card_id": f"c{n}", "amount": 7, "kind": "purchase",
                         "posted_at": at(f"2026-10-{1 + n:02d}")} for n in many],
        "assignment": [{"system": "core", "party_id": f"p{n}", "branch": "总行</script>", "since": date(2020, 1, 1)} for n in many],
        "profile": [{"account_id": f"a{n}", "customer_id": f"p{n}", "stage": "new" if n % 2 else None, "risk": "AB"[n % 2],
                     "worth": "XY"[n % 2]} for n in many],
    }  # fmt: skip
    now = book(AS_OF, since=date(2020, 1, 1), **made)
    before = book(date(2026, 9, 30), since=date(2020, 1, 1), **{**made, "transaction": made["transaction"][:1]})
    scored = [
        {"unit": f"a{n}", "score": "behaviour", "points": 500 + n, "probability": n / 100, "grade": "AB"[n % 2]}
        for n in many
    ]
    decision = [{"strategy": "limits", "version": "v1", "arm": ["champion", "challenger"][n % 2], "action": ["raise", "keep"][n % 2],
                 "reasons": '["SAFE"]', "blocked": '{"no_minor": "raise"}'} for n in many]  # fmt: skip
    bands = [{"expected": 0.01, "observed": 0.02, "rows": 12}, {"expected": 0.2, "observed": 0.1, "rows": 12}]
    told = [("size", "2", 24, 12), ("rule", "document", 24, 12), ("system", "core", 24, 12), ("open", "grey", None, 1),
            ("change", "new", 4, 2)]  # fmt: skip
    identity = Identity(
        table(*[dict(zip(("aspect", "value", "records", "customers"), row, strict=True)) for row in told]),
        table({"kind": "crowded_phone", "what": "f00d", "records": 30, "customers": 30}),
        table({"record_left": "app:<1>", "record_right": "core:2", "probability": 0.4, "why": "grey"}),
    )
    version = Version({"score": "behaviour"})
    return kpi.figures(
        engine,
        now,
        About("Bank <b>&", AS_OF, "CNY", "2026-10-31.2", "f00d", False, (("limits", "v1hash"),)),
        before=before,
        segments=[kpi.Segment("stage", Text("阶段", "Stage"), {"new": Text("新户", "New")})],
        versions=[{"id": "behaviour", "zh": "行为评分", "en": "Behaviour", "version": version.id, "method": "scorecard", "auc": 0.8,
                   "ks": 0.4, "calibration_error": 0.01, "rows": 24, "bands": bands, "columns": [{"name": "late", "zh": "逾期次数", "en": "Times late"}]}],
        watch=engine.table(monitor.table(version, read_today())),
        watched_before=engine.table(monitor.table(version, [Reading(Kind.PSI, date(2026, 9, 30), value=0.02, bound=0.03)])),
        scores=table(*scored),
        last_scores=table(*[{**row, "points": row["points"] + 3} for row in scored]),
        moved=table(*[
            {"segment": "stage", "from": here, "to": there, "units": 12, "share": 0.5}
            for here in ("new", "-") for there in ("new", "?")
        ]),
        tags={"young": Text("年轻", "Young"), "dry": Text("枯竭", "Dry")},
        coverage=table(
            {"tag": "young", "grain": "account", "units": 24, "held": 6, "not_held": 12, "unknown": 6, "share": 0.25,
             "share_before": 0.5, "change": -0.25, "psi": 0.3, "drift": "act"},
            {"tag": "dry", "grain": "customer", "units": 24, "held": 0, "not_held": 0, "unknown": 24, "share": None,
             "share_before": None, "change": None, "psi": 0.0, "drift": "stable"},
        ),
        risk_and_value=("risk", "worth"),
        decision=table(*decision),
        names={"limits": Text("额度", "Limits")},
        labels={"raise": Text("提额", "Raise")},
        moves=[{"strategy": "limits", "from_action": "keep", "to_action": "raise", "cause": cause, "count": 3}
               for cause in ("data", "definition", "score")],
        lists=[{"action": "raise", "file": "lists/raise.xlsx", "rows": 12}],
        identity=identity,
        loads=[{"table": "account", "parsed": 24, "rejected": 0, "mapped": 24, "loaded": 24, "unchanged": 0, "quarantined": 0}],
        quality=[{"table": "account", "level": level, "zh": "提示", "en": "note"} for level in ("ok", "warn", "stop")],
        not_available=[(Text("标签", "tags"), needs("event"))],
        stale=[Text("`transaction` 早 3 天结束", "`transaction` ends 3 days early")],
    )  # fmt: skip


def read_today() -> list[Reading]:
    """What a watch tells of a score: it moved, and of two earlier months one came out badly."""
    june, july = date(2026, 6, 30), date(2026, 7, 31)
    came = [
        Reading(kind, day, value=value, reference=then, low=value - 0.1, high=value + 0.1, rows_now=24)
        for kind, then, values in (
            (Kind.AUC, 0.8, (0.79, 0.6)), (Kind.KS, 0.4, (0.41, 0.2)), (Kind.CALIBRATION, 1.0, (1.02, 1.6)),
        )
        for day, value in zip((june, july), values, strict=True)
    ]  # fmt: skip
    bands = [
        Reading(
            Kind.PSI_BAND, AS_OF, subject=band, place=place, value=value, reference=0.5, rows_reference=12, rows_now=12
        )
        for place, (band, value) in enumerate([("≤ 0.1", 0.2), ("> 0.1", 0.7), ("missing", 0.1)])
    ]
    return [
        Reading(Kind.WHOLE, AS_OF, level=Level.ACT, act=Act.STOP, reason_zh="KS 下降", reason_en="the KS fell"),
        Reading(Kind.PSI, AS_OF, value=0.31, bound=0.05, rows_reference=24, rows_now=24, level=Level.ACT),
        Reading(Kind.CSI, AS_OF, subject="late", value=0.4, bound=0.05, level=Level.ACT),
        Reading(Kind.CSI, AS_OF, subject="<line>", place=1, value=0.01, bound=0.05),
        Reading(Kind.MISSING, AS_OF, subject="late", value=0.2, reference=0.1, level=Level.WATCH),
        *bands,
        *came,
    ]


class Page(HTMLParser):
    """The elements of a page, with the text of its scripts and the words that a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.words.append(data)

    @property
    def shown(self) -> str:
        return " ".join(self.words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_on_the_page_is_fetched_from_anywhere(full: Figures, language: str) -> None:
    text = report.html(full, language)
    found = Page(text)
    for tag, attributes in found.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "img", "form"}
        assert not {"src", "srcset", "action", "poster", "data", "background"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    styles = "".join(re.findall(r"<style>(.*?)</style>", text, re.S))
    assert "url(" not in styles and "@import" not in styles
    policy = next(
        a["content"] for t, a in found.elements if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None and policy.startswith("default-src 'none';") and "unsafe-eval" not in policy


def test_only_the_two_own_scripts_may_run(full: Figures) -> None:
    text = report.html(full, "en")
    data, library, drawing = Page(text).scripts
    assert json.loads(data)
    for script in (library, drawing):
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in text
    assert "window.vegaEmbed=" in library and "vegaEmbed(" in drawing
    assert "<!--" not in library  # would put the rest of the page into the script
    assert text.count("<script") - library.count("<script") == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_chart_is_drawn_by_vega_itself_and_no_wider_than_its_place(full: Figures, language: str) -> None:
    made = report.specs(full, language)
    assert len(made) == 24
    for spec in made:
        assert "$schema" not in spec and spec["width"] == "container"
        svg = vl_convert.vegalite_to_svg({**spec, "width": 620}, allowed_base_urls=[])
        assert svg.count("<path") > 2 and "NaN" not in svg and "undefined" not in svg
        width = re.search(r'width="([\d.]+)"', svg)
        assert width is not None and float(width.group(1)) <= 620


def test_a_chinese_page_has_no_english_labels_and_the_other_way_round(full: Figures, thin: Figures) -> None:
    for figures in (full, thin):
        chinese, english = Page(report.html(figures, "zh")).shown, Page(report.html(figures, "en")).shown
        for key, words in TEXTS.items():
            if len(words.en) > 8 and words.en != words.zh and key != "simulation":
                assert words.en not in chinese, key
            if len(words.zh) > 3 and words.zh not in words.en and key != "simulation":
                assert words.zh not in english, key


def test_every_text_exists_in_both_languages() -> None:
    for words in (*TEXTS.values(), *(m.name for m in FIGURES.values()), *(m.made_of for m in FIGURES.values())):
        assert bool(words.zh) == bool(words.en)
        assert not re.search(r"[\u4e00-\u9fff]", words.en)


def test_every_key_that_the_page_asks_for_exists() -> None:
    template = (Path(report.__file__).parent / "report.html").read_text(encoding="utf-8")
    asked = set(re.findall(r"\bt\('(\w+)'\)", template))
    for module in (page, charts, report):
        calls = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call)]
        named = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id in {"text", "words"} and c.args]
        asked |= {c.args[0].value for c in named if isinstance(c.args[0], ast.Constant)}  # type: ignore[misc]
    asked |= {f"column_{column}" for columns in page.COLUMNS.values() for column, _ in columns}
    assert asked - set(TEXTS) == set()
    assert {*page.HEADLINE, *page.RISK, *page.ACTIVITY, *page.SIZE, *page.IDENTITY, *page.FIRST_DAYS} <= set(FIGURES)


def test_a_score_tells_what_the_watch_read_of_it(full: Figures) -> None:
    for language, words in (
        ("en", ("act", "the KS fell", "stop deciding by it")),
        ("zh", ("需处理", "KS 下降", "停止用于决策")),
    ):
        head, *blocks = next(each for each in page.sections(full, language) if each.id == "scores").blocks
        level = head.tiles[-1]
        assert (level.value, level.made_of) == words[:2] and level.alert.startswith(words[2]) and level.alert_level == 3
        titles = [block.title for block in blocks]
        kinds = ("shift", "psi_by_day", "watch_features", "watch_months", "watch_came")
        assert titles[-5:] == [TEXTS[key].to(language) for key in kinds]
    features = next(block for block in blocks if block.title == TEXTS["watch_features"].zh)
    assert features.table is not None
    assert features.table.rows[0] == ("逾期次数", "0.400", "0.050", "10.0%", "20.0%", "需处理")
    months = next(block for block in blocks if block.title == TEXTS["watch_months"].zh)
    assert months.table is not None and [row[0] for row in months.table.rows] == ["2026-06-30", "2026-07-31"]


def test_tags_tell_their_drift_and_those_of_which_nothing_is_known_stand_apart(full: Figures) -> None:
    drawn, known, apart = next(each for each in page.sections(full, "en") if each.id == "tags").blocks
    assert known.table is not None and apart.table is not None and drawn.chart is not None
    assert known.table.rows == (
        ("Young", "account", "6", "25.0%", "50.0%", "-25.0 pp", "6", "0.300", "act (over 0.25)"),
    )
    assert apart.table.rows == (("Dry", "customer", "24"),)


def test_what_is_missing_says_what_it_needs(thin: Figures) -> None:
    assert "not available: needs transaction" in re.sub(r"\s+", " ", Page(report.html(thin, "en")).shown)
    assert "不可用：需要 statement" in re.sub(r"\s+", " ", Page(report.html(thin, "zh")).shown)


def test_every_page_says_that_it_is_a_simulation_in_both_languages(thin: Figures) -> None:
    for language in LANGUAGES:
        shown = Page(report.html(thin, language)).shown
        assert "仅供模拟" in shown and "for simulation only" in shown


def test_stale_data_and_the_hashes_of_the_run_stand_on_the_page(full: Figures) -> None:
    shown = Page(report.html(full, "en")).shown
    for words in ("The data are not up to date", "ends 3 days early", "2026-10-31.2", "f00d", "v1hash", "trial run"):
        assert words in shown


def test_names_from_the_bank_cannot_become_markup(full: Figures) -> None:
    text = report.html(full, "en")
    assert "Bank &lt;b&gt;&amp;" in text and "&lt;gold&gt;" in text and "app:&lt;1&gt;" in text
    assert "总行</script>" not in text and "总行&lt;/script&gt;" in text


def test_the_same_figures_give_the_same_bytes(full: Figures, tmp_path: Path) -> None:
    one, two = (report.write_report(tmp_path / name / "report.html", full, "zh") for name in "ab")
    assert one.read_bytes() == two.read_bytes()


def test_a_third_language_is_refused(thin: Figures) -> None:
    with pytest.raises(ValueError, match="zh or en, not in 'fr'"):
        report.html(thin, "fr")


def test_numbers_are_written_as_their_readers_write_them(full: Figures) -> None:
    figure = full.figures["balance"]
    big = page.tile(type(figure)("balance", AS_OF, "balance", Decimal("123456789.10"), form="money"), "zh")
    assert (
        big.value,
        page.tile(type(figure)("balance", AS_OF, "balance", Decimal("123456789.10"), form="money"), "en").value,
    ) == ("1.23亿", "123m")
