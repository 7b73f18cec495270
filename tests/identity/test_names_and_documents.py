"""One person's name, address and document, however they were written."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_bank import check_digits

from backbook.customer.identity.naming import address_words, name_words
from backbook.sources.private import is_identity_number, normal_document


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("王曉明", "王晓明"),
        ("王 晓明", "王晓明先生"),
        ("ＷＡＮＧ Xiaoming", "xiaoming wang"),
        ("Ms. Li Na", "LI NA"),
        ("José Nuñez", "nunez jose"),
    ],
)
def test_a_name_is_the_same_in_every_way_of_writing(one, other):
    assert name_words(one) == name_words(other)


@pytest.mark.parametrize(
    ("written", "latin"),
    [
        ("王晓明", "Xiaoming WANG"),
        ("欧阳娜娜", "Ouyang Nana"),
        ("吕丽", "LYU LI"),
        ("单雄信", "Shan Xiongxin"),
        ("张䶮", "Zhang Yan"),
    ],
)
def test_a_chinese_name_sounds_as_it_is_written_in_latin_letters(written, latin):
    assert name_words(written)[0] == name_words(latin)[0]


def test_characters_that_sound_alike_are_the_same_sounds_and_other_signs():
    heard, meant = name_words("王晓敏"), name_words("王小敏")
    assert heard[0] == meant[0]
    assert heard[1] != meant[1]


def test_a_title_alone_says_the_family_name_and_no_more():
    assert name_words("王先生") == (("wang",), ("王",))


def test_an_address_in_two_scripts_shares_its_street_and_number():
    one, other = (
        set(address_words("广东省深圳市南山区人民路12号3栋401室")),
        set(address_words("12, Renmin Rd, Shenzhen")),
    )
    assert {"12", "renmin", "shenzhen"} <= one & other


digits = st.tuples(st.integers(10_000, 99_999), st.dates(min_value=date(1920, 1, 1), max_value=date(1999, 12, 31)), st.integers(0, 999))  # fmt: skip


@settings(deadline=None)
@given(digits, st.sampled_from([str.lower, str.upper]), st.booleans())
def test_a_document_number_is_the_same_with_15_digits_18_blanks_and_full_width(parts, case, wide):
    region, born, serial = parts
    whole = check_digits(f"0{region}{born:%Y%m%d}{serial:03d}")
    short = whole[:6] + whole[8:17]
    spelled = case(" ".join((whole[:6], whole[6:14], whole[14:])))
    if wide:
        spelled = spelled.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})
    assert is_identity_number(whole)
    assert normal_document(spelled) == normal_document(short) == whole


def test_a_wrong_check_digit_is_seen():
    good = check_digits("01234519800506123")
    bad = good[:17] + ("0" if good[17] != "0" else "1")
    assert is_identity_number(good)
    assert not is_identity_number(bad)
