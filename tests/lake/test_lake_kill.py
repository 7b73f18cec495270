"""A run that is killed anywhere leaves the old version or the new one, and running again finishes it.

Every act on the disk is a point: the process dies by SIGKILL before it, after it, and for a write also with
nothing and with half of it written. What SIGKILL cannot show, a lost page cache, is in test_lake_power_cut.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from lake_disks import Content, Counting, Killing, content, first_run, second_run, tree

from backbook.lake import Disk, Head, Lake

Run = Callable[[Lake, Disk], Head]


def killed(folder: Path, run: Run, disk: Disk) -> bool:
    """Perform the run in a child process; True when SIGKILL ended it."""
    child = os.fork()
    if child == 0:
        gc.disable()  # a collection would copy every page of the parent
        try:
            run(Lake(folder, disk=disk), disk)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def points(acts: list[tuple[str, Path]]) -> list[tuple[int, str]]:
    """Every act, before and after; every write also torn."""
    moments = {"write": ["before", "torn none", "torn half", "after"]}
    return [(at, when) for at, (name, _) in enumerate(acts) for when in moments.get(name, ["before", "after"])]


def kill_everywhere(tmp_path: Path, before: list[Run], run: Run, after: Run) -> int:
    """Kill `run` at every point, finish with `after`, and compare with a run that nobody killed; returns the points."""
    start, whole = tmp_path / "start", tmp_path / "whole"
    start.mkdir()
    for one in before:
        one(Lake(start / "lake"), Disk())
    old: Content = content(Lake(start / "lake").head())
    shutil.copytree(start, whole)
    counting = Counting()
    run(Lake(whole / "lake", disk=counting), counting)
    new = content(Lake(whole / "lake").head())
    switches = [at for at, (name, path) in enumerate(counting.acts) if (name, path.name) == ("rename", "HEAD")]
    after(Lake(whole / "lake"), Disk())
    end = tree(whole / "lake")
    assert Lake(whole / "lake").verify() == []

    known: set[object] = set()
    for at, when in points(counting.acts):
        here = tmp_path / "here"
        shutil.copytree(start, here)
        assert killed(here / "lake", run, Killing(at, when)), f"not killed {when} act {at}"
        lake, where = Lake(here / "lake"), f"{when} act {at}: {counting.acts[at]}"
        switched = bool(switches) and (at > switches[-1] or (at == switches[-1] and when == "after"))
        left = (switched, *sorted(here.rglob("*")), *tree(here / "lake").values())
        if left not in known:
            known.add(left)
            assert content(lake.head()) == (new if switched else old), where
            assert lake.verify() == [], where
            after(Lake(here / "lake", disk=Counting()), Counting())
            assert tree(here / "lake") == end, where
        shutil.rmtree(here)
    return len(points(counting.acts))


@pytest.mark.parametrize("story", ["first run", "second run", "prune"])
def test_a_process_killed_at_any_act_leaves_the_old_or_the_new_version(story, quick_path, capsys):
    def prune(lake: Lake, disk: Disk) -> Head:
        lake.prune(keep_heads=1)
        return lake.head()

    before, run, after = {
        "first run": ([], first_run, first_run_once),
        "second run": ([first_run], second_run, second_run),
        "prune": ([first_run, second_run], prune, prune),
    }[story]
    number = kill_everywhere(quick_path, before, run, after)
    with capsys.disabled():
        print(f"\nlake, {story} killed: {number} points, which are all there are; 0 mixed, 0 lost", end="")
    assert number >= 30


def first_run_once(lake: Lake, disk: Disk) -> Head:
    return lake.head() if lake.head().number else first_run(lake, disk)
