"""The workspace's keys: one file, a key on each line, the oldest first.

Identity documents are not kept, so their hashes cannot be computed under another key. A new key is put on top of the
old ones instead: a stored hash is the chain HMAC(k_n, … HMAC(k_1, text)), and to rotate is to turn each stored hash h
into HMAC(k_new, h). Every line of the file is needed for good. What is sealed lies under the newest key alone.

At which key a lake stands it says itself, in its documents of kind `key_generation`: its first key is generation 1 and
needs none. A line beyond that generation is pending: it was added for a rotation that was never published.

Everywhere else a key is `bytes`: the keys up to a generation, 32 bytes each, oldest first. Of a file with one line
that is the key itself; with every rotation it is another, which is how what was derived from it notices.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from backbook.errors import NotAllowed
from backbook.lake import Head

BYTES = 32
KIND = "key_generation"
# Of the mark by which a lake knows its keys again: enough to tell a mistake, and nothing to guess a key by.
MARK_DIGITS = 16


def each(key: bytes) -> list[bytes]:
    """The single keys, oldest first.

    >>> each(b"a" * 32 + b"b" * 32) == [b"a" * 32, b"b" * 32]
    True
    """
    return [key[start : start + BYTES] for start in range(0, len(key), BYTES)]


def generation(head: Head) -> int:
    """How many keys the lake's hashes went through."""
    return max(map(int, head.document_names(KIND)), default=1)


def document(key: bytes) -> bytes:
    """What a lake keeps of the keys at which it stands."""
    return json.dumps({"generation": len(each(key)), "mark": _mark(key)}).encode()


def standing(ring: bytes, head: Head) -> bytes:
    """The keys up to the one at which `head` stands. Raises NotAllowed when the ring does not hold them."""
    wanted, given = generation(head), len(each(ring))
    if given < wanted:
        raise NotAllowed(
            f"The lake was built with {wanted} keys, one after the other, and only {given} are given. "
            "Put back the key file with every line; the newest key alone is not enough."
        )
    key = ring[: wanted * BYTES]
    said = head.document(KIND, str(wanted))
    if said is not None and json.loads(said)["mark"] != _mark(key):
        raise NotAllowed(
            f"The first {wanted} keys are not those with which the lake was built: a line of the key file was changed, "
            "or the order of its lines. Put back the key file of the last rotation."
        )
    return key


def read(file: Path) -> bytes:
    """All keys of the file. Raises NotAllowed when a line is none, or the same as another."""
    lines = [line.strip() for line in file.read_text(encoding="ascii", errors="replace").strip().splitlines()] or [""]
    for number, line in enumerate(lines, start=1):
        place = f"The key file {file.name}" if len(lines) == 1 else f"Line {number} of the key file {file.name}"
        if not re.fullmatch(r"[0-9a-f]{64}", line):
            raise NotAllowed(f"{place} does not hold 64 hexadecimal digits.")
        if line in lines[: number - 1]:
            raise NotAllowed(f"{place} repeats line {lines.index(line) + 1}. A key stands in the file once.")
    return bytes.fromhex("".join(lines))


def make(file: Path) -> None:
    """A new file with one key, which only its owner may read."""
    _write(file, secrets.token_bytes(BYTES))
    _sync(file.parent)


def add(file: Path, ring: bytes) -> bytes:
    """The file's `ring` with one key more, lasting on the disk when this returns.

    Raises NotAllowed when the file cannot be replaced.
    """
    longer = ring + secrets.token_bytes(BYTES)
    place = file.resolve()
    aside = place.with_name(f"{place.name}.new")
    try:
        aside.unlink(missing_ok=True)
        _write(aside, longer, like=place)
        os.replace(aside, place)
        _sync(place.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise NotAllowed(
            f"The key file {file.name} cannot be replaced: {error.strerror}. Nothing was rotated. Give this user the right "
            "to write there, or add a line of 64 hexadecimal digits to it yourself; the rotation then takes that key."
        ) from error
    return longer


def _mark(key: bytes) -> str:
    return hmac.digest(key, b"backbook key generation", "sha256").hex()[:MARK_DIGITS]


def _write(file: Path, ring: bytes, *, like: Path | None = None) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        if like is not None:
            _allow(descriptor, like.stat())
        handle.write("".join(f"{key.hex()}\n" for key in each(ring)))
        handle.flush()
        os.fsync(descriptor)


def _allow(descriptor: int, was: os.stat_result) -> None:
    """The owner and rights of the file that is replaced: who could read the key must still be able to."""
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (was.st_uid, was.st_gid):
        os.fchown(descriptor, was.st_uid, was.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(was.st_mode))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
