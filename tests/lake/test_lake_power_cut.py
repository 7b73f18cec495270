"""A power cut loses what was not synced, in any order; the old version or the new one is there afterwards.

The acts of a run are written down and played back into a disk that forgets: a file's content lasts from its
sync on, a name in a folder from the folder's sync on, and of everything else any one thing, or all but any one,
may have reached the disk by itself. This is a model, stricter than the common file systems; a real cut was not made.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lake_disks import Content, Counting, Stopped, content, first_run, second_run, tree

from backbook.errors import Refusal
from backbook.lake import Disk, Head, Lake

Run = Callable[[Lake, Disk], Head]
Forget = Callable[["Recording", str], bool]


def nothing(disk: Recording, path: str) -> bool:
    return False


@dataclass
class Entry:
    """What a name stands for: a folder, or a file with the bytes it has now and those that would last."""

    now: bytes | None = None
    lasting: bytes = b""


@dataclass
class Recording(Counting):
    """Performs the acts and follows what of them would last; `forget` leaves out a sync, `stop` ends the process."""

    base: Path
    forget: Forget = nothing
    stop: int = 1_000_000
    again: bool = False
    acts: list[tuple[str, str]] = field(default_factory=list)
    now: dict[str, Entry] = field(default_factory=dict)
    lasting: dict[str, Entry] = field(default_factory=dict)
    watch: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        for path in sorted(self.base.rglob("*")):
            data = path.read_bytes() if path.is_file() else None
            self.now[self.name(path)] = Entry(data, data or b"")
        self.lasting = dict(self.now)

    def name(self, path: Path) -> str:
        return path.relative_to(self.base).as_posix()

    def done(self, act: str, path: Path) -> None:
        self.acts.append((act, self.name(path)))
        self.watch()

    def act(self, name: str, path: Path, do: Callable[[], None]) -> None:
        if len(self.acts) >= self.stop:
            raise Stopped
        do()

    def open_lock(self, path: Path) -> int:
        descriptor = super().open_lock(path)
        self.done("open_lock", path)
        return descriptor

    def make_folder(self, path: Path) -> None:
        super().make_folder(path)
        self.now.setdefault(self.name(path), Entry())
        self.done("make_folder", path)

    def write(self, path: Path, data: bytes) -> None:
        super().write(path, data)
        self.now.setdefault(self.name(path), Entry()).now = data
        self.done("write", path)

    def sync(self, path: Path) -> None:
        super().sync(path)
        if not self.forget(self, self.name(path)):
            self.keep(self.name(path))
        self.done("sync", path)

    def keep(self, name: str) -> None:
        entry = self.now.get(name)
        if entry and entry.now is not None:
            entry.lasting = entry.now
            return
        inside = {path for path in (*self.now, *self.lasting) if path.rpartition("/")[0] == name.strip(".")}
        self.lasting = {path: entry for path, entry in self.lasting.items() if path not in inside}
        self.lasting |= {path: self.now[path] for path in inside if path in self.now}

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self.now[self.name(new)] = self.now.pop(self.name(old))
        self.done("rename", new)

    def remove(self, path: Path) -> None:
        super().remove(path)
        self.now.pop(self.name(path), None)
        self.done("remove", path)

    def remove_folder(self, path: Path) -> None:
        super().remove_folder(path)
        self.now.pop(self.name(path), None)
        self.done("remove_folder", path)

    def cuts(self) -> Iterator[Mapping[str, bytes]]:
        """What a power cut at this moment may leave: path to bytes."""
        loose = [path for path in {**self.now, **self.lasting} if self.now.get(path) is not self.lasting.get(path)]
        alone = [{path} for path in loose]
        for landed in (set(), set(loose), *alone, *(set(loose) - one for one in alone)):
            names = dict(self.lasting)
            for path in landed:
                names.pop(path, None)
                names |= {path: self.now[path]} if path in self.now else {}
            yield {path: entry.lasting for path, entry in there(names)}
            yield {path: entry.now or b"" for path, entry in there(names)}
            if landed == set(loose):
                yield {path: lost_half(entry) for path, entry in there(names)}


def there(names: Mapping[str, Entry]) -> Iterator[tuple[str, Entry]]:
    """The files whose folders are all there."""
    for path, entry in names.items():
        if entry.now is not None and all(str(folder) in names for folder in list(Path(path).parents)[:-1]):
            yield path, entry


def lost_half(entry: Entry) -> bytes:
    whole = entry.now or b""
    return entry.lasting if entry.lasting == whole else whole[: len(whole) // 2]


class Judge:
    """Looks at what a cut left and says what is wrong with it, each different state once."""

    def __init__(self, old: Content, new: Content, folder: Path) -> None:
        self.old, self.new, self.folder = old, new, folder
        self.known: dict[object, str] = {}

    def verdict(self, files: Mapping[str, bytes], allowed: list[Content]) -> str:
        key = (frozenset(files.items()), len(allowed), allowed[-1] == self.new)
        if key not in self.known:
            self.known[key] = self.look(files, allowed)
        return self.known[key]

    def look(self, files: Mapping[str, bytes], allowed: list[Content]) -> str:
        shutil.rmtree(self.folder, ignore_errors=True)
        for path, data in files.items():
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        lake = Lake(self.folder / "lake")
        try:
            seen = content(lake.head())
        except Refusal as error:
            return f"cannot be read: {error}"
        if seen not in allowed:
            return "the old version, although the new one was confirmed" if seen == self.old else "a mix"
        return "; ".join(map(str, lake.verify()))


def play(
    tmp_path: Path, before: list[Run], run: Run, forget: Forget | None = None, *, from_switch: bool = False
) -> tuple[int, list[str]]:
    """Cut the power after every act of `run`; the number of different states seen, and the first that is wrong."""
    new_head = perform(tmp_path / "whole", [*before, run])
    old_head = perform(tmp_path / "workspace", before)
    old, new = content(old_head), content(new_head)
    disk = Recording(tmp_path / "workspace", forget or nothing)
    judge = Judge(old, new, tmp_path / "after")
    wrong: list[str] = []

    def cut(allowed: list[Content]) -> None:
        for files in disk.cuts() if not wrong else ():
            found = judge.verdict(files, allowed)
            wrong.extend([f"after {len(disk.acts)} acts, the last {disk.acts[-1]}: {found}"] if found else [])

    def watch() -> None:
        switched = "lake/HEAD" in disk.now and disk.now["lake/HEAD"].now == new_head.encoded()
        if switched or not from_switch:
            cut([old, new] if switched else [old])

    disk.watch = watch
    run(Lake(tmp_path / "workspace" / "lake", disk=disk), disk)
    cut([new])
    return len(judge.known), wrong[:1]


def perform(folder: Path, runs: list[Run]) -> Head:
    folder.mkdir()
    for run in runs:
        run(Lake(folder / "lake", disk=Counting()), Counting())
    return Lake(folder / "lake").head()


def prune(lake: Lake, disk: Disk) -> Head:
    lake.prune(keep_heads=1)
    return lake.head()


STORIES: dict[str, tuple[list[Run], Run]] = {
    "first run": ([], first_run),
    "second run": ([first_run], second_run),
    "prune": ([first_run, second_run], prune),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_power_cut_after_any_act_leaves_the_old_or_the_new_version(story, quick_path, capsys):
    states, wrong = play(quick_path, *STORIES[story])
    assert wrong == []
    with capsys.disabled():
        print(f"\nlake, {story} cut off from power (simulated): {states} different states, 0 mixed, 0 lost", end="")
    assert states > 10


def depth(name: str, levels: int) -> Forget:
    return lambda disk, path: path.startswith(f"lake/{name}") and path.count("/") == levels


NEEDED: dict[str, tuple[str, Forget]] = {
    "of the written tables": (
        "second run",
        lambda disk, path: path.startswith("lake/aside/") and path.endswith("parquet"),
    ),
    "of the written documents": ("second run", lambda disk, path: path.startswith("lake/aside/document")),
    "of the written manifests": ("second run", lambda disk, path: path.startswith("lake/aside/") and len(path) > 70),
    "of the written head": ("second run", lambda disk, path: path == "lake/aside/000002.json"),
    "of a part's folder": ("second run", depth("data", 3)),
    "of a table's folder": ("second run", depth("data", 2)),
    "of the data folder": ("second run", depth("data", 1)),
    "of a documents' folder": ("second run", depth("documents/", 2)),
    "of the documents folder": ("second run", depth("documents", 1)),
    "of the manifests folder": ("second run", depth("manifests", 1)),
    "of the heads folder": ("second run", depth("heads", 1)),
    "of HEAD before the rename": ("second run", lambda disk, path: path == "lake/HEAD.aside"),
    "of the lake's folder after the rename": ("second run", lambda disk, path: path == "lake"),
    "of the heads folder before the files of a pruned version go": ("prune", lambda disk, path: path == "lake/heads"),
    "of the workspace's folder": ("first run", lambda disk, path: path == "."),
}


@pytest.mark.parametrize("missing", NEEDED)
def test_without_any_one_of_its_syncs_the_lake_is_lost(missing, quick_path):
    story, forget = NEEDED[missing]
    assert play(quick_path, *STORIES[story], forget, from_switch=True)[1] != []


def killed_then_cut(tmp_path: Path, forget: Forget | None = None) -> list[int]:
    """Stop the run at every act, run again, and cut the power when that is done: the acts after which it is lost."""
    perform(tmp_path / "start", [first_run])
    new = content(perform(tmp_path / "whole", [first_run, second_run]))
    judge = Judge({}, new, tmp_path / "after")
    end, base, lost = tree(tmp_path / "whole" / "lake"), tmp_path / "workspace", []
    for stop in range(1_000):
        shutil.copytree(tmp_path / "start", base)
        disk = Recording(base, forget or nothing, stop)
        try:
            second_run(Lake(base / "lake", disk=disk), disk)
        except Stopped:
            disk.stop, disk.again = 1_000_000, True
        else:
            break
        second_run(Lake(base / "lake", disk=disk), disk)
        assert tree(base / "lake") == end
        lost += [stop] if any(judge.verdict(files, [new]) for files in disk.cuts()) else []
        shutil.rmtree(base)
    assert 60 < stop < 999
    return lost


def test_what_a_second_try_confirms_lasts_though_the_first_was_killed(quick_path):
    assert killed_then_cut(quick_path) == []


SECOND_TRY: dict[str, Forget] = {
    "of the lake's folder at the lock": lambda disk, path: path == "lake" and disk.acts[-1] != ("rename", "lake/HEAD"),
    "of a folder that is there already": lambda disk, path: path == "lake/data" and disk.again,
}


@pytest.mark.parametrize("missing", SECOND_TRY)
def test_without_these_syncs_a_second_try_would_confirm_what_is_lost(missing, quick_path):
    assert killed_then_cut(quick_path, SECOND_TRY[missing]) != []
