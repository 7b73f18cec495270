"""The guides are followed to the letter: every console line is typed, every Python block is run.

A line under a `$` command that is not a command must appear in its output; `…` stands for anything.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```(console|python)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def blocks(guide: Path) -> list[tuple[str, str]]:
    return [(kind, body) for kind, body in BLOCK.findall(guide.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("guide", [guide for guide in GUIDES if blocks(guide)], ids=lambda guide: guide.name)
def test_a_guide_can_be_followed_to_the_letter(guide, tmp_path):
    space: dict[str, object] = {}
    for kind, body in blocks(guide):
        if kind == "python":
            exec(compile(body, guide.name, "exec"), space)  # noqa: S102 - the project's own guides are what is tested
        else:
            follow(body, tmp_path)


def follow(body: str, folder: Path) -> None:
    for command, expected in commands(body):
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, capture_output=True, text=True, env=environment(), timeout=300
        )
        printed = done.stdout + done.stderr
        refused = "# refused" in command
        assert (done.returncode == 1) if refused else (done.returncode == 0), f"{command}\n{printed}"
        for line in expected:
            assert re.search(pattern(line), printed), f"{command} did not print {line!r} but\n{printed}"


def commands(body: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        text = line.strip()
        if text.startswith("$ "):
            found.append((text[2:], []))
        elif text and found:
            found[-1][1].append(text)
    return found


def pattern(line: str) -> str:
    return r"\s+".join(".*".join(re.escape(part) for part in word.split("…")) for word in line.split())


def environment() -> dict[str, str]:
    tools = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "COLUMNS": "200", "LC_ALL": "C.UTF-8"}


def test_the_way_guides_are_followed_notices_a_failing_command(tmp_path):
    with pytest.raises(AssertionError):
        follow(f"$ {shlex.quote(sys.executable)} -c 'raise SystemExit(3)'", tmp_path)


def test_the_way_guides_are_followed_notices_a_missing_line(tmp_path):
    with pytest.raises(AssertionError):
        follow("$ echo one\ntwo", tmp_path)
