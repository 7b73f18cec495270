"""Names and addresses in one way of writing, whichever script and order they came in.

王曉明, 王晓明, "WANG XIAOMING" and "Xiaoming Wang" are the same words to a comparison: what sounds alike gives the
same *sounds*, and Chinese characters are *signs* besides, which say more than their sound. Traditional characters
are simplified; a sound is pinyin without tones, cut into syllables, so that it does not matter where a space stood.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import opencc
import pypinyin
from pypinyin.pinyin_dict import pinyin_dict

_SIMPLIFY = opencc.OpenCC("t2s")
# Tone marks; two dots on a u are no tone.
_TONES = re.compile("[\u0300\u0301\u0302\u0304\u030c]")
HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
WORDS = re.compile(r"[a-z0-9]+")
# What people put behind or before a name says nothing about who it is.
TITLES = re.compile(r"(先生|女士|小姐|太太|同志|老师)$")
LATIN_TITLES = frozenset(["mr", "mrs", "ms", "miss", "dr", "prof", "sir"])
# Family names that are read otherwise than the character mostly is (百家姓).
FAMILY_NAMES = {
    "单": "shan", "仇": "qiu", "解": "xie", "曾": "zeng", "查": "zha", "区": "ou", "朴": "piao", "翟": "zhai",
    "盖": "ge", "缪": "miao", "覃": "qin", "种": "chong", "冼": "xian", "任": "ren", "华": "hua", "燕": "yan",
    "尹": "yin", "员": "yun", "乐": "yue", "召": "shao", "折": "she", "繁": "po", "黑": "he", "秘": "bi",
}  # fmt: skip
# The units of a Chinese address, after which a part ends; what stands before is the part's name.
UNIT = re.compile(
    "省|自治区|特别行政区|市|自治州|地区|盟|新区|区|县|旗|镇|乡|街道|村|路|大道|街|道|巷|弄|胡同|里|小区|花园|号楼|号|栋|幢|座|单元|层|楼|室"
)
PIECES = re.compile(r"([0-9]+)|([a-z]+)|([^\x00-\x7f]+)")
STREET_WORDS = frozenset(["road", "rd", "street", "st", "avenue", "ave", "av", "lane", "ln", "drive", "dr", "court", "ct", "close", "cl", "place", "pl", "crescent", "circuit", "cct", "way", "terrace", "tce", "parade", "pde", "the", "and", "of", "city", "district", "province", "no", "unit", "flat", "apt", "room"])  # fmt: skip


@lru_cache(maxsize=65_536)
def simplified(character: str) -> str:
    return str(_SIMPLIFY.convert(character))


@lru_cache(maxsize=65_536)
def sound(character: str) -> str:
    """Pinyin without tone, ü written v, as passports and systems mix them."""
    read = pypinyin.lazy_pinyin(character, style=pypinyin.Style.NORMAL, errors="ignore", v_to_u=False)
    return _plain_sound(read[0]) if read else ""


def _plain_sound(text: str) -> str:
    return {"lyu": "lv", "nyu": "nv", "lyue": "lve", "nyue": "nve"}.get(text, text.replace("ü", "v"))


@lru_cache(maxsize=1)
def _syllables() -> frozenset[str]:
    """Every syllable of pinyin that any character has."""
    first = {readings.partition(",")[0] for readings in pinyin_dict.values()}
    found = {_plain_sound(_TONES.sub("", unicodedata.normalize("NFD", one)).replace("u\u0308", "v")) for one in first}
    return frozenset(one for one in found if one.isascii() and one not in ("", "m", "n", "ng", "hm", "hng"))


@lru_cache(maxsize=262_144)
def _cut(word: str) -> tuple[str, ...]:
    """A word as pinyin syllables, longest first; empty when it is none."""
    known = _syllables()
    if not word:
        return ()
    for length in range(min(6, len(word)), 0, -1):
        head = _plain_sound(word[:length])
        if head in known:
            rest = _cut(word[length:])
            if rest or length == len(word):
                return (head, *rest)
    return ()


def _latin_words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return WORDS.findall("".join(mark for mark in decomposed if not unicodedata.combining(mark)))


@lru_cache(maxsize=262_144)
def name_words(name: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(sounds, signs) of a name, sorted, each once.

    >>> name_words("王曉明") == name_words("王 晓明 先生")
    True
    >>> name_words("Xiaoming WANG")[0] == name_words("王晓明")[0]
    True
    >>> name_words("John  O'Neill")[0]
    ('john', 'neill', 'o')
    """
    if not name:
        return (), ()
    text = unicodedata.normalize("NFKC", name)
    characters = [simplified(each) for each in HAN.findall(TITLES.sub("", "".join(text.split())))]
    latin = [word for word in _latin_words(text) if word not in LATIN_TITLES or len(text.split()) == 1]
    if characters:
        sounds = [FAMILY_NAMES.get(characters[0], sound(characters[0])), *map(sound, characters[1:])]
        # The way of cutting must be that of a name in Latin letters, where a given name is one word: Xi'an, Xian.
        given = _cut("".join(sounds[1:])) or tuple(sounds[1:])
        return _each_once([sounds[0], *given, *latin]), _each_once(characters)
    cut = [_cut(word) for word in latin]
    if latin and all(cut):
        return _each_once([syllable for parts in cut for syllable in parts]), ()
    return _each_once(latin), ()


@lru_cache(maxsize=65_536)
def _places(piece: str) -> tuple[str, ...]:
    """The parts of a piece of address between two numbers, Chinese ones by sound: few pieces, in many addresses."""
    if not HAN.search(piece):
        return tuple(word for word in _latin_words(piece) if word not in STREET_WORDS)
    parts = ("".join(sound(simplified(each)) for each in HAN.findall(part)) for part in UNIT.split(piece))
    return tuple(part for part in parts if part)


def address_words(address: str | None) -> tuple[str, ...]:
    """The words of an address without the units: streets by sound, numbers as they are.

    >>> sorted(set(address_words("广东省深圳市南山区人民路12号3栋401室")) & set(address_words("12, Renmin Rd, Shenzhen")))
    ['12', 'renmin', 'shenzhen']
    """
    if not address:
        return ()
    text = unicodedata.normalize("NFKC", address).casefold()
    words: list[str] = []
    for number, latin, other in PIECES.findall(text):
        if number:
            words.append(number.lstrip("0") or "0")
        elif other:
            words += _places(other)
        elif latin not in STREET_WORDS:
            words.append(latin)
    return _each_once(words)


def email_words(email: str | None) -> tuple[str | None, str | None]:
    """(address, local part) of a mail address in one spelling; (None, None) when it is none.

    >>> email_words(" Li.Wei@Example.COM ")
    ('li.wei@example.com', 'li.wei')
    """
    text = "".join(unicodedata.normalize("NFKC", email).casefold().split()) if email else ""
    local, at, host = text.partition("@")
    return (text, local) if local and at and host else (None, None)


def _each_once(words: list[str]) -> tuple[str, ...]:
    return tuple(sorted({word for word in words if word}))
