"""A new key on top of the workspace's keys, and everybody is still known: `backbook rotate-key`.

The new line of the key file lasts before anything is written with it, and the lake tells its generation in the same
version that holds the rewritten tables. A rotation that died in between leaves the lake under its older key and the
new one pending; the next rotation finishes with that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from backbook import keys
from backbook.engine import ROWS_PER_GROUP, Engine
from backbook.errors import NotAllowed
from backbook.lake import Head, Writer
from backbook.progress import Progress
from backbook.sources import private
from backbook.sources.contract import TABLES
from backbook.workspace import Workspace

HASHED = "party"


@dataclass(frozen=True)
class Rotated:
    """What was done, or would be: from one generation to another, and the rows of each table that went with it."""

    before: int
    after: int
    # Whether the key lay in the file already.
    pending: bool
    rows: Mapping[str, int]
    dry_run: bool = False

    def told(self) -> list[str]:
        rows = ", ".join(f"{count:,} rows of {table}" for table, count in self.rows.items()) or "no rows"
        which = "the key that lies pending in the key file" if self.pending else "a new key"
        if self.dry_run:
            return [
                f"The lake would go from key {self.before} to key {self.after}, {which}; {rows} would be rewritten."
            ]
        return [
            f"The lake went from key {self.before} to key {self.after}, {which}; {rows} were rewritten.",
            "Card tokens stay the same, and customers keep their ids. The next run links all records anew: it takes longer, and in a "
            "large book learns its weights anew, so that a few likely pairs near the threshold may be decided otherwise.",
            "Keep a copy of the key file with every line. Older versions of the lake lie under the older key until they are pruned.",
        ]


def rotate(workspace: Workspace, *, dry_run: bool = False, progress: Progress | None = None) -> Rotated:
    """Hash and seal under one key more all that the lake keeps of people; published once.

    Raises NotAllowed without a lake, without the key file, or while a run goes on, and BadData when contact data
    cannot be opened.
    """
    if workspace.lake.head().number == 0:
        raise NotAllowed(
            f"{workspace.path.name} has no lake yet, so there is nothing to rotate. Load first: backbook load DIR --as-of DATE."
        )
    progress = progress or Progress(shown=False)
    with workspace.lake.lock("rotate-key") as writer:
        old, ring = workspace.key, keys.read(workspace.key_file)
        pending = len(ring) > len(old)
        before, after = len(keys.each(old)), len(keys.each(ring)) + (not pending)
        found = Rotated(before, after, pending, _rows(writer.head), dry_run)
        if dry_run:
            return found
        new = ring if pending else keys.add(workspace.key_file, ring)
        with progress.stage("Hashing and sealing anew"):
            _rewrite(workspace.engine, writer, HASHED, lambda rows: _hashed_on(new[len(old) :], rows))
            _rewrite(workspace.engine, writer, private.TABLE, lambda rows: private.resealed_rows(old, new, rows))
        writer.document(keys.KIND, str(after), keys.document(new))
        writer.publish(about={"act": "rotate-key", "generation": after})
    return found


def _rows(head: Head) -> dict[str, int]:
    manifests = [head.manifest(table) for table in (HASHED, private.TABLE)]
    return {manifest.table: manifest.rows for manifest in manifests if manifest}


def _rewrite(engine: Engine, writer: Writer, table: str, renew: Callable[[pa.Table], pa.Table]) -> None:
    """Every file of the table anew, in its part, of its kind, its rows in their order: so each version and withdrawal
    stays what it was."""
    manifest = writer.head.manifest(table)
    if manifest is None:
        return
    writer.lake.check(manifest.files)
    writer.drop(table)
    for file in manifest.files:
        path = writer.path(table)
        with engine.scope():
            rows = engine.arrow(engine.parquet([writer.lake.path / file.path]))
            # In pieces, because texts take many times their room while Python holds them.
            pieces = [renew(pa.Table.from_batches([batch])) for batch in rows.to_batches(max_chunksize=ROWS_PER_GROUP)]
            renewed = pa.concat_tables(pieces) if pieces else rows
            count = engine.write(engine.table(renewed), path)
        writer.append(table, file.part, path, count, kind=file.kind)


def _hashed_on(added: bytes, rows: pa.Table) -> pa.Table:
    for column in TABLES[HASHED].private:
        if column.stored in rows.column_names:
            place = rows.schema.get_field_index(column.stored)
            rows = rows.set_column(
                place, column.stored, private.hashed_on(added, column.name, rows[column.stored].to_pylist())
            )
    return rows
