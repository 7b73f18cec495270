"""A folder of tables in versions: read any version, write the next, check them, let old ones go."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backbook.errors import BadData, Fault, Refusal
from backbook.lake.disk import Disk, refused
from backbook.lake.folder import make_folders, prepare, sweep
from backbook.lake.lock import held
from backbook.lake.prune import kept_heads, leftovers
from backbook.lake.version import File, Head, Manifest, head_numbers, wrong_with
from backbook.lake.writer import Writer


@dataclass(frozen=True)
class Pruned:
    """A file that `prune` removed, or would have."""

    path: Path
    bytes: int


class Lake:
    """The lake in folder `path`; a folder that is not there yet is an empty lake."""

    def __init__(self, path: Path | str, *, disk: Disk | None = None) -> None:
        self.path = Path(path)
        self._disk = disk or Disk()
        self._manifests: dict[str, Manifest] = {}
        self._sound: set[tuple[str, str, int, int]] = set()

    def head(self, number: int | None = None) -> Head:
        """The version that counts, or the kept version with that number; number 0 is an empty lake.

        >>> Lake("no/such/folder").head().number
        0
        """
        if number is not None and number not in self.heads():
            raise BadData(f"Version {number} is not kept. Kept are: {', '.join(map(str, self.heads())) or 'none'}.")
        place = self.path / "HEAD" if number is None else self.head_path(number)
        try:
            return Head.read(place.read_bytes(), self, place)
        except FileNotFoundError:
            present = head_numbers(self.path)
        if present:
            raise BadData(f"{place} is missing. {self.head_path(present[-1])} is the last version: copy it to HEAD.")
        return Head(0, {}, {}, {}, "", self)

    def heads(self) -> list[int]:
        """Numbers of the published versions that are kept, oldest first."""
        last = self.head().number
        return [number for number in head_numbers(self.path) if number <= last]

    def document(self, kind: str, name: str) -> bytes | None:
        return self.head().document(kind, name)

    def documents(self, kind: str) -> list[str]:
        return self.head().document_names(kind)

    def manifest(self, id: str) -> Manifest:
        if id not in self._manifests:
            place = self.manifest_path(id)
            try:
                data = place.read_bytes()
            except FileNotFoundError:
                raise BadData(
                    f"{place} is missing: its version was pruned, or the file was lost. Pin a version that is kept."
                ) from None
            self._manifests[id] = Manifest.read(data, id, place)
        return self._manifests[id]

    def manifest_path(self, id: str) -> Path:
        return self.path / "manifests" / f"{id}.json"

    def head_path(self, number: int) -> Path:
        return self.path / "heads" / f"{number:06d}.json"

    @contextmanager
    def lock(self, who: str) -> Iterator[Writer]:
        """Hold the writer's lock and write; raises NotAllowed at once when another process holds it.

        What was not published when the `with` ends is gone.
        """
        with self._refusing():
            make_folders(self.path, self._disk)
        with held(self.path / "lock", who, self._disk):
            with self._refusing():
                prepare(self, self._disk)
                sweep(self, self._disk)
            writer = Writer(self, self._disk)
            try:
                yield writer
            finally:
                writer.end()

    def check(self, files: Iterable[File]) -> None:
        """Compare files with their manifests, each once per process; raises BadData with all that is wrong."""
        faults = self.faults([file for file in files if self._mark(file) not in self._sound])
        if faults:
            advice = "Restore them from a backup, or pin a version without them."
            raise BadData(f"Files of {self.path} are damaged. {advice}", faults=faults)

    def faults(self, files: Iterable[File]) -> list[Fault]:
        """All that is wrong with these files; reads every byte."""
        files = list(files)
        # Threads cost more than they save on a few small files.
        threads = len(os.sched_getaffinity(0)) if sum(file.bytes for file in files) > 8_000_000 else 0
        wrong = _each(lambda file: wrong_with(file, self.path), files, threads)
        self._sound |= {self._mark(file) for file, fault in zip(files, wrong, strict=True) if not fault}
        return [Fault(file.path, None, fault) for file, fault in zip(files, wrong, strict=True) if fault]

    def verify(self, head: Head | None = None) -> list[Fault]:
        """All that is wrong with one version, or without `head` with HEAD and every version kept; reads every byte."""
        self._manifests.clear()
        heads, faults = ([head], []) if head else self._heads_and_faults()
        ids = sorted({id for one in heads for id in (*one.tables.values(), *one.documents.values())})
        files: set[File] = set()
        for id in ids:
            try:
                files |= set(self.manifest(id).files)
            except Refusal as error:
                faults.append(Fault(f"manifests/{id}.json", None, str(error)))
        return sorted(faults + self.faults(sorted(files)))

    def prune(
        self,
        *,
        keep_heads: int = 10,
        heads: Collection[int] = (),
        parts: Collection[tuple[str, str]] = (),
        dry_run: bool = False,
    ) -> list[Pruned]:
        """Remove what no kept version needs; returns each file with its bytes. Takes the writer's lock.

        The rule. Kept are HEAD; the last `keep_heads` versions; every version in `heads` (those that a run record
        names as live or pinned); and for each (table, part) in `parts` the newest version that holds each state of
        that part, so that every value a decision names stays readable. Documents (bundles, run records) are never
        removed. Gone are the other heads, and then the manifests and data files that no kept version names; a file
        whose name is not of the lake's own making is never touched. With `dry_run` no version loses anything.
        """
        with self.lock("prune"):
            kept = kept_heads(self, keep_heads=keep_heads, heads=heads, parts=parts)
            old_heads, files = leftovers(self, kept)
            removed = [Pruned(path, path.stat().st_size) for path in (*old_heads, *files)]
            if not dry_run:
                with self._refusing("The versions kept are whole."):
                    self._remove(old_heads, files)
        return removed

    def _remove(self, heads: list[Path], files: list[Path]) -> None:
        for path in heads:
            self._disk.remove(path)
        # A head must be gone for good before its files go, or a power cut could bring back one without the other.
        self._disk.sync(self.path / "heads")
        for path in files:
            self._disk.remove(path)
        for folder in (*self.path.glob("data/*/*"), *self.path.glob("data/*")):
            if folder.is_dir() and not any(folder.iterdir()):
                self._disk.remove_folder(folder)

    def _heads_and_faults(self) -> tuple[list[Head], list[Fault]]:
        """HEAD and every version kept, newest first, as far as they are sound and follow one another."""
        try:
            heads = [self.head()]
        except Refusal as error:
            return [], [Fault("HEAD", None, str(error))]
        faults: list[Fault] = []
        numbers = self.heads()
        if heads[0].number not in (0, *numbers):
            faults.append(Fault(f"heads/{heads[0].number:06d}.json", None, "The file is missing.", "Copy HEAD to it."))
        for number in reversed(numbers):
            name = f"heads/{number:06d}.json"
            try:
                place = self.path / name
                head = Head.read(place.read_bytes(), self, place)
            except Refusal as error:
                faults.append(Fault(name, None, str(error)))
                continue
            after = heads[-1]
            expected = {after.number: after.id, after.number - 1: after.previous}.get(number, head.id)
            if head.number != number or head.id != expected:
                faults.append(Fault(name, None, f"It is not the version {number} that version {after.number} knows."))
            heads.append(head)
        return heads, faults

    def _mark(self, file: File) -> tuple[str, str, int, int]:
        """Changes whenever the file is written again."""
        try:
            stat = (self.path / file.path).stat()
            return (file.path, file.sha256, stat.st_size, stat.st_mtime_ns)
        except OSError:
            return (file.path, "", 0, 0)

    @contextmanager
    def _refusing(self, state: str = "Nothing was published.") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise refused(error, self.path, state) from error


def _each(find: Callable[[File], str], files: list[File], threads: int) -> list[str]:
    if not threads:
        return [find(file) for file in files]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return list(pool.map(find, files))
