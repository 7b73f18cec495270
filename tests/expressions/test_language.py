"""What may be said in a condition, in which words, and what is answered to everything else."""

from __future__ import annotations

import pytest

from backbook.errors import BadDefinition
from backbook.expressions import Level, Name, Names, Type, functions, parse

NAMES = Names(
    "account profile",
    [
        Name("utilisation", Type.NUMBER, zh="额度使用率"),
        Name(
            "behaviour_grade",
            Type.TEXT,
            zh="行为评级",
            levels=tuple(Level(code, f"{code}级", f"Grade {code}") for code in "ABCDE"),
        ),
        Name(
            "kind",
            Type.TEXT,
            zh="交易类型",
            levels=(Level("purchase", "消费", "Purchase"), Level("cash_advance", "取现", "Cash")),
        ),
        Name("gender", Type.WHOLE, zh="性别", levels=(Level("1", "男", "male"), Level("2", "女", "female"))),
        Name("balance", Type.MONEY, zh="余额"),
        Name("overdue", Type.MONEY, zh="余额"),
        Name("days_past_due", Type.WHOLE, zh="逾期天数", also=("逾期日数",)),
        Name("city", Type.TEXT, zh="城市"),
        Name("opened_on", Type.DATE, zh="开户日"),
        Name("posted_at", Type.TIME, zh="入账时间"),
        Name("on", Type.DATE, zh="日期"),
        Name("limit", Type.MONEY, zh="额度"),
        Name("in", Type.YESNO, zh="在内"),
        Name("沉默标签", Type.YESNO, zh="沉默客户"),
        Name("customer.utilisation", Type.NUMBER, zh="额度使用率"),
    ],
    missing={"spend_90d": "needs `transaction`"},
)


def refused(text: str, expect: Type | None = Type.YESNO) -> str:
    with pytest.raises(BadDefinition) as refusal:
        parse(text, NAMES, expect=expect)
    return str(refusal.value)


def canonical(text: str, expect: Type | None = None) -> str:
    return parse(text, NAMES, expect=expect).text


# ── words ──


def test_chinese_and_english_words_are_one_expression_with_one_hash():
    chinese = parse("额度使用率 > 0.8 and 行为评级 in ('D级','E')", NAMES)
    english = parse("utilisation>0.80 AND behaviour_grade IN ('D', 'Grade E') -- high", NAMES)
    assert chinese.text == english.text == "utilisation > 0.8 and behaviour_grade in ('D', 'E')"
    assert chinese.hash == english.hash
    assert chinese.reads == {"utilisation", "behaviour_grade"}


def test_the_levels_of_a_column_resolve_in_either_language():
    assert canonical("交易类型 = '消费'") == "kind = 'purchase'"
    assert canonical("kind <> 'Cash'") == "kind <> 'cash_advance'"
    assert (
        canonical("case 交易类型 when '取现' then 1 else 0 end") == "case when kind = 'cash_advance' then 1 else 0 end"
    )
    assert canonical("gender = '女'") == "gender = 2"
    assert canonical("coalesce(行为评级, '无') in ('无', 'E级')") == "coalesce(behaviour_grade, '无') in ('无', 'E')"


def test_an_unknown_level_is_answered_with_the_nearest():
    assert "Did you mean '消费'?" in refused("kind = '消費'")
    assert "'purchases' is not a level of kind. Did you mean 'purchase'?" in refused("kind = 'purchases'")


def test_a_prefix_reads_the_owner_in_either_language():
    assert {
        canonical(f"{word} > 1") for word in ("customer.utilisation", "客户.额度使用率", "customer.额度使用率")
    } == {"customer.utilisation > 1.0"}


def test_columns_named_like_words_of_sql_can_be_read():
    assert (
        canonical("on > date '2026-01-31' and limit > 0 and \"in\"")
        == "on > date '2026-01-31' and limit > 0 and \"in\""
    )
    assert canonical("日期 > '2026-01-31'") == "on > date '2026-01-31'"
    assert canonical("沉默客户") == '"沉默标签"'


def test_unknown_names_are_answered_in_the_language_they_were_written_in():
    assert "'utilization' is not known to the account profile. Did you mean 'utilisation'?" in refused(
        "utilization > 1"
    )
    assert "Did you mean '额度使用率'?" in refused("额度利用率 > 1")
    assert "Did you mean 'coalesce'?" in refused("coalesc(balance, 0) > 1")


def test_a_column_that_is_missing_says_what_it_needs():
    assert "It needs `transaction`." in refused("spend_90d > 1")


def test_a_word_with_two_meanings_is_refused_with_both():
    assert "'余额' may mean balance or overdue. Write one of these." in refused("余额 > 1")


def test_all_faults_of_an_expression_are_told_together():
    answer = refused("utilization > 1 and kind = 'x' and days_past_due = 'late' and nonsense(city)")
    assert len(answer.splitlines()) == 4


# ── text ──


def test_the_canonical_text_has_one_spelling():
    assert canonical("((days_past_due)>1)   AND (NOT city   LIKE 'a%')") == "days_past_due > 1 and not city like 'a%'"
    assert canonical("a" and "days_past_due != 1") == "days_past_due <> 1"
    assert canonical("(days_past_due + 1) * 2 - (3 - days_past_due)") == "(days_past_due + 1) * 2 - (3 - days_past_due)"
    assert canonical("city || 'x' || 'y'") == "concat(city, 'x', 'y')"
    assert canonical("/* why */ true -- because") == "true"
    assert canonical("city like '50!%%' escape '!'") == "city like '50\\%%' escape '\\'"
    assert canonical("balance + 0.50") == "balance + 0.5"


def test_another_threshold_is_another_hash():
    assert parse("utilisation > 0.8", NAMES).hash != parse("utilisation > 0.81", NAMES).hash


def test_quotes_stay_inside_their_text():
    expression = parse("city = 'x'' or 1=1 --'", NAMES)
    assert expression.text == "city = 'x'' or 1=1 --'"
    assert expression.python()({"city": "x' or 1=1 --"}) is True
    assert expression.python()({"city": "x"}) is False


def test_every_function_is_told_in_both_languages():
    assert all(function.zh and function.en for function in functions())


# ── types ──

WRONG_TYPES = [
    ("days_past_due > 'x'", "mixes text and whole"),
    ("days_past_due > '1'", "mixes text and whole"),
    ("city = 1", "mixes text and whole"),
    ("city + 'x' = ''", "Texts are joined with concat"),
    ("lower(days_past_due) = ''", "lower takes text, not whole"),
    ("abs(city) > 1", "abs takes"),
    ("balance = null", "Write `is null` or `is not null`"),
    ("days_past_due in (1, null)", "Write `… or x is null`"),
    ("least(balance, null) > 1", "is given null"),
    ("utilisation", "is number, but yes/no is expected"),
    ("days_past_due and true", "`and` takes conditions, not whole (days_past_due)"),
    ("case when days_past_due then 1 end = 1", "`case when` takes a condition"),
    ("true < false", "have no order"),
    ("opened_on > '2026-02-30'", "'2026-02-30' is not a date. Write DATE '2026-01-31'."),
    ("opened_on > '31.01.2026'", "is not a date"),
    ("posted_at > opened_on", "A time becomes a date with date(…)"),
    ("days_between(posted_at, opened_on) > 1", "A time becomes a date with date(…)"),
    ("hour(opened_on) > 1", "hour takes time"),
    ("opened_on * 2 > 1", "* takes"),
    ("opened_on + 0.5 > opened_on", "+ takes"),
    ("round(utilisation, days_past_due) > 1", "digits of round must be written out"),
    ("round(utilisation, 12) > 1", "from -9 to 9"),
    ("substring(city, 0, 1) = ''", "from 1 on"),
    ("city like city", "must be written out"),
    ("city like 'a!b' escape '!'", "Escape only"),
    ("abs(utilisation, 1) > 1", "abs is given 2 values. It takes 1."),
    ("9223372036854775808 > 1", "larger than a whole number can be"),
    ("1e999 > 1", "larger than a number can be"),
    ("balance > 100000000000000000", "more than money can hold"),
    ("coalesce(null, null) is null", "has no value of any type"),
]


@pytest.mark.parametrize(("text", "answer"), WRONG_TYPES)
def test_a_wrong_type_is_refused_with_what_is_possible(text, answer):
    assert answer in refused(text)


def test_what_is_expected_is_converted_where_nothing_is_lost():
    assert parse("days_past_due", NAMES, expect=Type.NUMBER).type is Type.NUMBER
    assert parse("days_past_due * 2", NAMES, expect=Type.MONEY).type is Type.MONEY
    assert parse("100.5", NAMES, expect=Type.MONEY).type is Type.MONEY
    assert "money(…) rounds a number to money" in refused("balance * 0.5", expect=Type.MONEY)


# ── what is not part of the language ──

OUTSIDE = [
    "",
    "   ",
    "-- only a comment",
    "select 1",
    "(select 1) = 1",
    "days_past_due in (select days_past_due from account)",
    "exists (select 1)",
    "days_past_due > any (select 1)",
    "days_past_due = 1; drop table account",
    "days_past_due = 1 union select 1",
    "count(*) > 1",
    "*",
    "sum(days_past_due) > 1",
    "count(distinct city) > 1",
    "row_number() over () = 1",
    "sum(days_past_due) filter (where true) > 1",
    "cast(city as integer) > 1",
    "try_cast(city as integer) > 1",
    "city::integer > 1",
    "read_csv('/etc/passwd') is null",
    "read_text('x') = ''",
    "getenv('HOME') = ''",
    "'x' = current_setting('x')",
    "current_date > opened_on",
    "now() > posted_at",
    "random() > 0.5",
    "days_past_due > ?",
    "days_past_due > $1",
    "days_past_due > :x",
    "days_past_due > @x",
    "days_past_due > {{ x }}",
    "city = $$x$$",
    "city = E'\\x41'",
    "city = x'41'",
    "city[1] = 'a'",
    "[1, 2] is null",
    "{'a': 1} is null",
    "(1, 2) = (1, 2)",
    "lambda x: x",
    "list_filter(city, x -> true)",
    "city -> 'a' = ''",
    "days_past_due // 2 > 1",
    "days_past_due % 2 = 1",
    "days_past_due ^ 2 > 1",
    "days_past_due & 1 = 1",
    "~days_past_due = 1",
    "opened_on + interval '1' day > opened_on",
    "extract(year from opened_on) = 2026",
    "city collate nocase = 'a'",
    "city ilike 'a'",
    "city similar to 'a'",
    "city ~ 'a'",
    "city is distinct from 'a'",
    "days_past_due is true",
    "days_past_due between 1",
    "days_past_due > 1 as x",
    "days_past_due city",
    "days_past_due >",
    "(days_past_due > 1",
    "days_past_due > 1)",
    "city = 'open",
    'city = "x"',
    "a.b.c.d = 1",
    "account.city = 'x'",
    "customer.* is null",
    "days_past_due in ()",
    "days_past_due in 1",
    "case end",
    "case when true end",
    "if(true, 1, 2) = 1",
    "额度使用率 ＞ 1",
    "额度使用率 > 1；",
    "行为评级 = ‘A’",
    "__import__('os').system('x')",
    "city = 'a\x00b'",
    "city = '\ud800'",
    "city.__class__ is null",
    "1_000 = 1000.0.0",
]


@pytest.mark.parametrize("text", OUTSIDE)
def test_everything_outside_the_list_is_refused_with_a_message(text):
    assert refused(text).strip()


def test_full_width_signs_are_answered_with_the_sign_to_write():
    assert "'＞' is a full-width sign. Write >" in refused("额度使用率 ＞ 1")


def test_what_is_nested_or_long_beyond_reason_is_refused_and_never_crashes():
    for text in [
        "(" * 3000 + "1" + ")" * 3000,
        "not " * 5000 + "true",
        "- " * 5000 + "1 > 0",
        "case when true then " * 500 + "1" + " end" * 500,
    ]:
        assert "nested more than 40 deep" in refused(text)
    assert "characters" in refused("true and " * 10_000 + "true")
    assert "words and signs" in refused("1" + "+1" * 6000 + " > 0")
    assert refused("days_past_due" + " + days_past_due" * 3000 + " > 0")
    assert "too involved" in refused("round(" * 15 + "utilisation" + ", 2)" * 15 + " > 0")


@pytest.mark.parametrize(
    "nest",
    [
        "whole(1.5 / {})", "round({}, 0)", "({} + 1)", "-({})", "least({}, days_past_due)", "coalesce({}, 1)",
        "case when {} > 1 then 2 end", "months_between(opened_on + {}, opened_on)", "length(city || case when {} = 1 then city end)",
    ],
)  # fmt: skip
def test_whatever_is_not_refused_as_too_deep_compiles(nest):
    text, accepted = "days_past_due", 0
    for _ in range(45):
        text = nest.format(text)
        try:
            expression = parse(f"{text} > 0", NAMES)
        except BadDefinition as refusal:
            assert "Name its parts" in str(refusal)
            break
        expression.python()({name: None for name in expression.reads})
        assert parse(expression.text, NAMES) == expression
        accepted += 1
    assert accepted >= 3
    assert len(refused(" + ".join(["days_past_due"] * 500) + " > 0")) < 200


def test_a_thousand_merchants_may_be_listed_and_a_thousand_conditions_joined():
    merchants = ", ".join(f"'m{at}'" for at in range(1000))
    assert parse(f"city in ({merchants})", NAMES).python()({"city": "m999"}) is True
    many = parse(" or ".join(f"days_past_due = {at}" for at in range(1000)), NAMES)
    assert many.python()({"days_past_due": 999}) is True
    assert parse(many.text, NAMES).hash == many.hash
