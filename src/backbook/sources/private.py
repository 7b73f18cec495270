"""Names, contact data and identity documents: never stored in the clear.

- An identity document is normalised, keyed-hashed and dropped.
- Names, phones, e-mails and addresses are AES-256-GCM encrypted into `party_contact`, apart from `party`, which keeps
  only keyed hashes: enough to see that a value is the same, not what it is.

Every use of the workspace's key has a key of its own. Hashes go through all keys of the workspace, oldest first, so
that a new key needs no clear text; sealing uses the newest alone (see `keys`). A ciphertext is bound to its table,
column and row: moved to another row it does not open.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backbook import keys
from backbook.engine import Engine
from backbook.errors import BadData
from backbook.lake import Head
from backbook.sources.contract import TABLES
from backbook.sources.known import first_known, known

TABLE = "party_contact"
KEY = ("system", "party_id")
CONTACT = tuple(column.name for column in TABLES["party"] if column.private == "contact")
NONCE_BYTES = 12
# How much of a keyed hash is kept: 128 bits, written as 32 hexadecimal digits.
HASH_DIGITS = 32
NOT_DIGITS = re.compile(r"\D")
CHINESE_MOBILE = re.compile(r"(0086|86)1\d{10}")
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_DIGITS = "10X98765432"
# Family names of two characters, which a masked name keeps whole.
DOUBLE_NAMES = frozenset(
    [
        "欧阳",
        "太史",
        "端木",
        "上官",
        "司马",
        "东方",
        "独孤",
        "南宫",
        "万俟",
        "闻人",
        "夏侯",
        "诸葛",
        "尉迟",
        "公羊",
        "赫连",
        "澹台",
        "皇甫",
        "宗政",
        "濮阳",
        "公冶",
        "太叔",
        "申屠",
        "公孙",
        "慕容",
        "仲孙",
        "钟离",
        "长孙",
        "宇文",
        "司徒",
        "鲜于",
        "司空",
        "令狐",
        "百里",
        "呼延",
        "东郭",
        "南门",
        "羊舌",
        "微生",
        "公户",
        "第五",
        "西门",
        "拓跋",
        "轩辕",
        "段干",
        "百里",
        "东里",
        "左丘",
    ]
)


def subkey(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, f"backbook {purpose}".encode(), "sha256")


def keyed_hash(key: bytes, text: str) -> str:
    """
    >>> keyed_hash(b"k" * 32, "13800000000") == keyed_hash(b"k" * 32, "13800000000")
    True
    """
    return hmac.digest(key, text.encode(), "sha256").hex()[:HASH_DIGITS]


def normal_document(text: str) -> str:
    """A document number in one spelling: half-width, upper case, no blanks, old Chinese numbers with 18 digits.

    >>> normal_document("１１０１０５４９１２３１００２")
    '11010519491231002X'
    >>> normal_document("11010519491231002x") == normal_document("110105 491231 002")
    True
    """
    plain = re.sub(r"[\s\-·.]", "", unicodedata.normalize("NFKC", text)).upper()
    if re.fullmatch(r"\d{15}", plain) and _is_day(f"19{plain[6:12]}"):
        longer = f"{plain[:6]}19{plain[6:]}"
        return longer + check_digit(longer)
    return plain


def check_digit(digits: str) -> str:
    """The eighteenth digit of a Chinese identity number (GB 11643)."""
    return CHECK_DIGITS[sum(int(digit) * weight for digit, weight in zip(digits, WEIGHTS, strict=False)) % 11]


def is_identity_number(text: str) -> bool:
    """An eighteen-digit Chinese identity number whose day and check digit are right."""
    return bool(re.fullmatch(r"\d{17}[\dXx]", text)) and _is_day(text[6:14]) and check_digit(text) == text[17].upper()


def _is_day(digits: str) -> bool:
    try:
        return 1850 <= date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])).year <= 2100
    except ValueError:
        return False


def normal_contact(column: str, text: str) -> str:
    """One spelling for equality: width, case and blanks do not make another person.

    >>> normal_contact("phone", "+86 138-0000-0001"), normal_contact("full_name", "John  SMITH")
    ('13800000001', 'john smith')
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    if column == "phone":
        digits = plain if plain.isdigit() else NOT_DIGITS.sub("", plain)
        return digits[-11:] if CHINESE_MOBILE.fullmatch(digits) else digits
    return (" " if column == "full_name" and plain.isascii() else "").join(plain.casefold().split())


def hashed(key: bytes, column: str, values: pa.ChunkedArray) -> pa.Array:
    """Keyed hashes of one private column."""
    normal: Callable[[str], str] = (
        normal_document if column == "id_document" else lambda text: normal_contact(column, text)
    )
    return hashed_on(key, column, [None if value is None else normal(value) for value in values.to_pylist()])


def hashed_on(key: bytes, column: str, texts: Iterable[Any]) -> pa.Array:
    """Texts, or what earlier keys hashed them to, through the keys of `key`; an empty text has no hash."""
    for one in keys.each(key):
        secret = subkey(one, f"hash {column}")
        texts = [keyed_hash(secret, text) if text else None for text in texts]
    return pa.array(texts, pa.string())


class Sealer:
    """Encrypts and opens the values of one table under the newest key."""

    def __init__(self, key: bytes, table: str = TABLE) -> None:
        self._table = table
        newest = keys.each(key)[-1]
        self._nonces = subkey(newest, f"nonce {table}")
        self._cipher = AESGCM(subkey(newest, f"seal {table}"))

    def seal(self, column: str, row: str, text: str) -> bytes:
        """Nonce and ciphertext. The nonce is a keyed hash of all that is sealed, so no two different texts share one,
        and the same row gives the same bytes again."""
        bound = self._bound(column, row)
        nonce = hmac.digest(self._nonces, bound + b"\0" + text.encode(), "sha256")[:NONCE_BYTES]
        return nonce + self._cipher.encrypt(nonce, text.encode(), bound)

    def open(self, column: str, row: str, sealed: bytes) -> str:
        """Raises BadData when the ciphertext was changed, moved to another row, or sealed with another key."""
        try:
            plain = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._bound(column, row))
        except InvalidTag as error:
            raise BadData(
                f"{self._table}.{column} of {row.replace(chr(31), ' ')} cannot be opened: it was changed, moved to another row, "
                "or sealed with another key. Put back the key file with which the lake was built."
            ) from error
        return plain.decode()

    def _bound(self, column: str, row: str) -> bytes:
        return "\x1f".join((self._table, column, row)).encode()


def row_name(system: str | None, party_id: str | None) -> str:
    return f"{system}\x1f{party_id}"


def sealed_rows(key: bytes, rows: pa.Table) -> pa.Table:
    """The contact columns of `rows` (with system and party_id) encrypted."""
    return _with_contact(rows, Sealer(key).seal)


def resealed_rows(old: bytes, new: bytes, rows: pa.Table) -> pa.Table:
    """Rows sealed under `old` sealed under `new`; raises BadData when one does not open."""
    before, after = Sealer(old), Sealer(new)
    return _with_contact(rows, lambda column, name, value: after.seal(column, name, before.open(column, name, value)))


def _with_contact(rows: pa.Table, seal: Callable[[str, str, Any], bytes]) -> pa.Table:
    names = [row_name(*pair) for pair in zip(rows["system"].to_pylist(), rows["party_id"].to_pylist(), strict=True)]
    for column in CONTACT:
        values = rows[column].to_pylist()
        sealed = [
            None if value is None else seal(column, name, value) for name, value in zip(names, values, strict=True)
        ]
        rows = rows.set_column(rows.schema.get_field_index(column), column, pa.array(sealed, pa.binary()))
    return rows


def contacts(
    engine: Engine,
    head: Head,
    key: bytes,
    as_of: date,
    *,
    columns: Iterable[str] = CONTACT,
    parties: Any | None = None,
) -> pa.Table | None:
    """Contact data in the clear as known at `as_of`: system, party_id and `columns`; for identity and sending only.

    With `parties` (system, party_id), of those alone. None when the lake has none. `key` may be newer than `head`: an
    older version opens with the keys at which it stood.
    """
    wanted = list(columns)
    # A name decides nothing: whoever looks back before the first extract still wants to know who it was.
    first = first_known(engine, head, TABLE)
    rows = known(engine, head, TABLE, max(as_of, first or as_of))
    if rows is None:
        return None
    if parties is not None:
        rows = rows.semi_join(parties, list(KEY))
    sealed = engine.arrow(rows.select(*KEY, *wanted).order_by(list(KEY)))
    sealer = Sealer(keys.standing(key, head))
    names = [row_name(*pair) for pair in zip(sealed["system"].to_pylist(), sealed["party_id"].to_pylist(), strict=True)]
    opened = {name: sealed[name] for name in KEY}
    for column in wanted:
        values = sealed[column].to_pylist()
        opened[column] = pa.array(
            [
                None if value is None else sealer.open(column, name, value)
                for name, value in zip(names, values, strict=True)
            ],
            pa.string(),
        )
    return pa.table(opened)


def masked_names(engine: Engine, head: Head, key: bytes, as_of: date, *, parties: Any | None = None) -> pa.Table | None:
    """system, party_id and full_name, masked for lists; None when no names are known."""
    clear = contacts(engine, head, key, as_of, columns=["full_name"], parties=parties)
    if clear is None:
        return None
    masks = pa.array([mask(value) for value in clear["full_name"].to_pylist()], pa.string())
    return clear.set_column(clear.schema.get_field_index("full_name"), "full_name", masks)


def mask(name: str | None) -> str | None:
    """A name of which a reader who knows the person sees enough, and nobody else.

    >>> [mask(name) for name in ("张小三", "张三", "欧阳娜娜", "John Smith", "李", None)]
    ['张*三', '张*', '欧阳**', 'J*** S***', '*', None]
    """
    if not name or not name.strip():
        return None
    name = name.strip()
    if name.isascii() or not re.search(r"[\u3400-\u9fff]", name):
        return " ".join(f"{word[0]}***" for word in name.split())
    if len(name) >= 3 and name[:2] in DOUBLE_NAMES:
        return name[:2] + "*" * (len(name) - 2)
    if len(name) <= 2:
        return name[0] + "*" if len(name) == 2 else "*"
    return name[0] + "*" * (len(name) - 2) + name[-1]
