"""A new workspace: the small commented one that ships with Backbook, or one like another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from backbook.errors import NotAllowed
from backbook.workspace import KEY_FILE, PACKS, SETTINGS_FILE, Workspace

START = PACKS / "start"
# What a workspace holds besides its definitions is not taken along to another.
NOT_DEFINITIONS = {"lake", "out", "raw", "truth", KEY_FILE, f"{KEY_FILE}.new"}
IGNORED = f"# The secret, the facts and what runs make do not belong into version control.\n{KEY_FILE}*\nlake/\nout/\n"


def init(directory: Path, *, like: Path | None = None) -> list[str]:
    """Write a workspace into a new or empty folder; returns what to tell the reader.

    Raises NotAllowed when the folder holds anything, or `like` is no workspace.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise NotAllowed(f"{directory} is not empty. Name a new folder; nothing is ever written over.")
    source = like or START
    if not (source / SETTINGS_FILE).is_file():
        raise NotAllowed(f"{source} is not a workspace: it has no {SETTINGS_FILE}.")
    try:
        written = [_copy(source, file, directory) for file in _files(source, whole=like is None)]
        (directory / ".gitignore").write_text(IGNORED, encoding="utf-8")
    except OSError as error:
        raise NotAllowed(f"{directory} cannot be written: {error.strerror}.") from error
    assert Workspace.open(directory).key, "a workspace has its key from the first day"
    return [f"{directory} holds {len(written)} files.", *_next_steps(directory, like)]


def _files(source: Path, *, whole: bool) -> Iterator[Path]:
    for file in sorted(source.rglob("*")):
        top = file.relative_to(source).parts[0]
        if file.is_file() and (whole or top not in NOT_DEFINITIONS) and not top.startswith("."):
            yield file


def _copy(source: Path, file: Path, directory: Path) -> Path:
    target = directory / file.relative_to(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    return target


def _next_steps(directory: Path, like: Path | None) -> list[str]:
    steps = [
        f"  backbook check {directory}",
        f"  backbook run {directory} --as-of 2026-06-30"
        if like is None
        else f"  backbook run {directory} --as-of DATE",
    ]
    return ["Next:", *steps]
