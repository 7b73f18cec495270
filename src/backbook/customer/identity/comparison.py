"""What two records are compared by. A comparison is its list of levels, the strongest agreement first.

Every level says what it means in words (for those who decide the grey zone), when it holds, and its weight in bits
before a book is large enough to teach better: log2 of how much likelier it is among records of one person than
among records of two (Fellegi & Sunter 1969). A condition reads

    l, r      the two records: birth, gender, document, email, mailbox, postcode, city, occupation
    n         their names: shared, alike, unlike in bits of information, and signs, the bits of characters shared
    a         their addresses: shared in bits
    f         their phones: both, same, together (the same number at the same time)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    number: int  # 0 is the weakest; null, where a comparison says nothing, has none
    zh: str
    en: str
    when: str
    weight: float  # bits


@dataclass(frozen=True)
class Comparison:
    name: str
    zh: str
    en: str
    unknown: str
    levels: tuple[Level, ...]

    def __iter__(self) -> Iterator[Level]:
        return iter(self.levels)

    def sql(self) -> str:
        """The number of the level that holds, null where nothing can be said."""
        whens = " ".join(f"WHEN {level.when} THEN {level.number}" for level in self.levels)
        return f"CASE WHEN {self.unknown} THEN NULL {whens} END"


def _comparison(name: str, label: str, unknown: str, levels: Iterable[tuple[str, str, float]]) -> Comparison:
    zh, en = label.split("|")
    listed = list(levels)
    made = tuple(_level(len(listed) - 1 - place, *each) for place, each in enumerate(listed))
    return Comparison(name, zh, en, unknown, made)


def _level(number: int, label: str, when: str, weight: float) -> Level:
    zh, en = label.split("|")
    return Level(number, zh, en, when, weight)


# The information of what two names share, in bits: one person in 2^bits of the book has as much by chance.
_SHARED = ((30, 12.5), (25, 12.0), (20, 11.5), (16, 10.5), (13, 9.0), (10, 7.5), (7, 5.0), (4, 3.0), (1, 0.0))
_UNLIKE = ((8, -6.0, "另有不同|, the rest differs"), (4, -3.5, "略有不同|, a little differs"), (0, 0.0, "|"))


def _name_levels() -> Iterator[tuple[str, str, float]]:
    """Words that only sound or look alike count half."""
    info = "(n.shared + (n.alike - n.shared) // 2)"
    for bits, weight in _SHARED:
        for unlike, less, said in reversed(_UNLIKE):
            below = f" AND n.unlike < {_above(unlike)}" if _above(unlike) else ""
            zh, en = said.split("|")
            yield f"姓名相同（{bits}比特）{zh}|names share {bits} bits{en}", f"{info} >= {bits}{below}", weight + less
    yield "姓名不同|names differ", "true", -5.0


def _above(unlike: int) -> int | None:
    bounds = sorted(bound for bound, *_ in _UNLIKE)
    place = bounds.index(unlike) + 1
    return bounds[place] if place < len(bounds) else None


_DISTRICT = "split_part(l.postcode, ' ', 1) = split_part(r.postcode, ' ', 1)"
COMPARISONS: tuple[Comparison, ...] = (
    _comparison("name", "姓名|name", "n.shared IS NULL", _name_levels()),
    _comparison(
        "birth",
        "出生日期|birth date",
        "l.birth IS NULL OR r.birth IS NULL",
        [
            # The first of January is written by those who know the year alone.
            ("出生日期相同|the same birth date", "l.birth = r.birth AND l.birth NOT LIKE '%0101'", 11.5),
            ("出生年份相同（1月1日）|the same birth date, a first of January", "l.birth = r.birth", 7.0),
            ("出生日期差一位|birth dates one digit apart", "damerau_levenshtein(l.birth, r.birth) <= 1", 4.0),
            ("出生年份相同|the same birth year", "left(l.birth, 4) = left(r.birth, 4)", 0.0),
            ("出生日期差两位|birth dates two digits apart", "damerau_levenshtein(l.birth, r.birth) <= 2", -1.5),
            ("出生日期不同|birth dates differ", "true", -5.0),
        ],
    ),
    _comparison(
        "document",
        "证件|document",
        "l.document IS NULL OR r.document IS NULL",
        [
            ("证件号相同|the same document", "l.document = r.document", 20.0),
            ("证件号不同|documents differ", "true", -10.0),
        ],
    ),
    _comparison(
        "phone",
        "电话|phone",
        "NOT coalesce(f.both, false)",
        [
            ("同一时期同一号码|the same phone at the same time", "f.together", 12.0),
            ("不同时期同一号码|the same phone, but not at the same time", "f.same", 0.0),
            ("电话不同|phones differ", "true", -1.0),
        ],
    ),
    _comparison(
        "email",
        "邮箱|e-mail",
        "l.email IS NULL OR r.email IS NULL",
        [
            ("邮箱相同|the same e-mail", "l.email = r.email", 14.0),
            ("邮箱名相近|e-mails nearly the same", "jaro_winkler_similarity(l.mailbox, r.mailbox) >= 0.92", 7.0),
            ("邮箱不同|e-mails differ", "true", -1.5),
        ],
    ),
    _comparison(
        "address",
        "地址|address",
        "a.shared IS NULL",
        [
            ("地址几乎相同|nearly the same address", "a.shared >= 30", 10.0),
            ("地址大部相同|most of the address", "a.shared >= 22", 8.5),
            ("同街同号|street and number", "a.shared >= 15", 6.0),
            ("地址部分相同|some of the address", "a.shared >= 9", 3.0),
            ("地址少许相同|little of the address", "a.shared >= 4", 0.0),
            ("地址不同|addresses differ", "true", -3.0),
        ],
    ),
    _comparison(
        "place",
        "城市邮编|place",
        "(l.postcode IS NULL OR r.postcode IS NULL) AND (l.city IS NULL OR r.city IS NULL)",
        [
            ("邮编相同且少见|the same rare postcode", "l.postcode = r.postcode AND l.postcode_bits >= 8", 11.0),
            ("邮编相同|the same postcode", "l.postcode = r.postcode", 4.0),
            ("邮编差一位|postcodes one character apart", "levenshtein(l.postcode, r.postcode) <= 1 AND l.postcode_bits >= 8", 9.0),
            ("邮区与城市相同|the same postal district and city", f"{_DISTRICT} AND l.city = r.city", 7.0),
            ("邮区相同|the same postal district", _DISTRICT, 5.5),
            ("城市相同且少见|the same rare city", "l.city = r.city AND l.city_bits >= 9", 8.0),
            ("城市相同|the same city", "l.city = r.city AND l.city_bits >= 6", 5.0),
            ("大城市相同|the same large city", "l.city = r.city", 2.5),
            ("邮编开头相同|postcodes begin alike", "left(l.postcode, 2) = left(r.postcode, 2)", 1.5),
            ("城市不同|cities differ", "l.postcode IS NULL OR r.postcode IS NULL", -2.5),
            ("地点不同|places differ", "true", -3.5),
        ],
    ),
    _comparison(
        "gender",
        "性别|gender",
        "l.gender IS NULL OR r.gender IS NULL",
        [("性别相同|the same gender", "l.gender = r.gender", 0.7), ("性别不同|genders differ", "true", -3.0)],
    ),
    _comparison(
        "occupation",
        "职业|occupation",
        "l.occupation IS NULL OR r.occupation IS NULL",
        [
            ("职业相同且少见|the same rare occupation", "l.occupation = r.occupation AND l.occupation_bits >= 8", 7.0),
            ("职业相同|the same occupation", "l.occupation = r.occupation AND l.occupation_bits >= 5", 4.5),
            ("常见职业相同|the same common occupation", "l.occupation = r.occupation", 2.0),
            ("职业不同|occupations differ", "true", -2.0),
        ],
    ),
)  # fmt: skip
NAMES = tuple(comparison.name for comparison in COMPARISONS)
BY_NAME = {comparison.name: comparison for comparison in COMPARISONS}
# A change of levels or keys makes a book be linked anew: weights and stored pairs speak of these.
EDITION = 1


def said(levels: dict[str, int | None], language: str = "zh") -> tuple[list[str], list[str]]:
    """The evidence of one pair in words: what speaks for one person, and what against."""
    by_number = {comparison.name: {level.number: level for level in comparison} for comparison in COMPARISONS}
    held = [by_number[name][number] for name in NAMES if (number := levels.get(name)) is not None]
    words = [(level.weight, getattr(level, language)) for level in held]
    return [text for weight, text in words if weight > 0], [text for weight, text in words if weight < 0]
