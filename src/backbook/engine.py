"""The engine that turns expressions over whole tables into rows: DuckDB behind Ibis.

No other file names it. A stage receives an `Engine`, asks it for tables (Parquet files, delimited text,
Arrow) and hands back Ibis expressions to be computed or written. What is written is ordered by key and
has the same bytes whenever it has the same rows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.operations as ops
import pyarrow as pa

DIALECT = "duckdb"

# Row groups of one fixed size keep the bytes of a file independent of the number of threads.
ROWS_PER_GROUP = 122_880

# Rows that go through a function at a time: a hundred columns of them take 50 MB.
ROWS_PER_BATCH = 65_536


class Engine:
    """One DuckDB in memory with a scratch folder for what does not fit."""

    def __init__(self, *, threads: int | None = None, memory: str | None = None, scratch: Path | None = None) -> None:
        self.threads = threads or len(os.sched_getaffinity(0))
        self._scratch = scratch or Path(tempfile.gettempdir()) / f"backbook-{os.getpid()}"
        self.backend = ibis.duckdb.connect()
        self.command(f"SET threads = {int(self.threads)}")
        self.command(f"SET temp_directory = {_text(str(self._scratch))}")
        self.command("SET preserve_insertion_order = true")
        # Wall time everywhere: a timestamp means what the bank's clock showed.
        self.command("SET TimeZone = 'UTC'")
        if memory:
            self.command(f"SET memory_limit = {_text(memory)}")
        self._names = 0
        self._made: list[tuple[str, str]] = []
        self._types: dict[tuple[str, bool], Any] = {}

    def parquet(self, files: Sequence[Path | str], *, path_column: str = "", row_column: str = "") -> Any:
        """A table over Parquet files, their columns united by name; if named, also each row's file and position from 0."""
        listed = ", ".join(_text(str(file)) for file in files)
        path = f", filename AS {_name(path_column)}" if path_column else ""
        row = f", file_row_number AS {_name(row_column)}" if row_column else ""
        return self._view(f"SELECT *{path}{row} FROM read_parquet([{listed}], union_by_name = true)")

    def table(self, arrow: pa.Table) -> Any:
        """An Arrow table made readable."""
        return self.backend.create_table(self._new("arrow", "TABLE"), arrow, temp=True)

    def text(
        self,
        files: Sequence[Path | str],
        columns: Sequence[str],
        *,
        separator: str = ",",
        quote: str = '"',
        header: bool = True,
        null_texts: Sequence[str] = ("",),
        path_column: str = "",
    ) -> Any:
        """UTF-8 delimited text; every column arrives as text, in the order of the files; if named, also each row's file."""
        listed = ", ".join(_text(str(file)) for file in files)
        named = ", ".join(f"{_text(column)}: 'VARCHAR'" for column in columns)
        nulls = ", ".join(_text(text) for text in null_texts)
        path = f", filename AS {_name(path_column)}" if path_column else ""
        return self._view(
            f"SELECT *{path} FROM read_csv([{listed}], auto_detect = false, header = {str(header).lower()}, "
            f"columns = {{{named}}}, delim = {_text(separator)}, quote = {_text(quote)}, escape = {_text(quote)}, "
            f"nullstr = [{nulls}], new_line = '\\n', strict_mode = true)"
        )

    def sql(self, text: str, tables: Mapping[str, Any]) -> Any:
        """The rows of one SELECT over the named tables, and over nothing else."""
        return self._view(self._over(text, tables))

    def ask(self, text: str, tables: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of one SELECT as plain dictionaries, at once; for small answers."""
        return self._dictionaries(self._over(text, tables))

    def cached(self, table: Any, *, row_column: str = "") -> Any:
        """The table computed once and kept until the engine goes; if named, also each row's position from 0."""
        if not row_column and self._is_kept(table):
            return table
        # Compiled here: Ibis's own create_table compiles and renders a wide expression more than once.
        query = self._query(table)
        name = self._new("cached", "TABLE")
        self.command(f"CREATE TEMP TABLE {name} AS {query}")
        if row_column:
            return self._view(f"SELECT *, rowid AS {_name(row_column)} FROM {name}")
        return self._named(name)

    def batches(self, table: Any, function: Callable[[pa.RecordBatch], pa.RecordBatch], schema: pa.Schema) -> Any:
        """What `function` makes of the rows, in their order, kept like `cached`.

        The rows stream through in batches: only what comes out is held. On Spark the same function goes through
        `mapInArrow`.
        """
        given = self.backend.con.sql(self._query(table)).to_arrow_reader(ROWS_PER_BATCH)
        return self.table(pa.Table.from_batches(map(function, given), schema=schema))

    def arrow(self, table: Any) -> pa.Table:
        return self.backend.to_pyarrow(table)

    def rows(self, table: Any) -> list[dict[str, Any]]:
        """The rows as plain dictionaries; for small tables."""
        return self._dictionaries(self._query(table))

    def count(self, table: Any) -> int:
        return int(self.command(f"SELECT count(*) FROM ({self._query(table)})").fetchall()[0][0])

    def write(self, table: Any, path: Path, *, order_by: Sequence[str] = ()) -> int:
        """Write one Parquet file ordered by `order_by`; returns its rows."""
        text = self._query(table.order_by(list(order_by)) if order_by else table)
        # The first level: names and numbers come out no larger than with the third, in two thirds of the time.
        path.parent.mkdir(parents=True, exist_ok=True)
        written = self.command(
            f"COPY ({text}) TO {_text(str(path))} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, "
            f"ROW_GROUP_SIZE {ROWS_PER_GROUP})"
        ).fetchall()
        return int(written[0][0])

    def command(self, text: str) -> Any:
        """Run one statement of the engine's own dialect; for this file and for `sources`."""
        return self.backend.raw_sql(text)

    def connection(self) -> Any:
        """A second door to the same database, for a library that speaks the engine's own dialect (see ARCHITECTURE.md)."""
        return self.backend.con.cursor()

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Forget on leaving what was cached, viewed or taken in within."""
        before = len(self._made)
        try:
            yield
        finally:
            for name, kind in reversed(self._made[before:]):
                self.command(f"DROP {kind} IF EXISTS {_name(name)}")
            del self._made[before:]

    def _dictionaries(self, query: str) -> list[dict[str, Any]]:
        found = self.command(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def _query(self, table: Any) -> str:
        """The table's SELECT, with the rows in memory that it stands on made known."""
        operation = table.op()
        if isinstance(operation, ops.DatabaseTable):
            # Compiling even this much costs Ibis ten milliseconds, and a load asks a thousand times.
            return f"SELECT * FROM {_name(operation.name)}"
        self.backend._run_pre_execute_hooks(table)
        return str(self.backend.compile(table))

    def _over(self, text: str, tables: Mapping[str, Any]) -> str:
        inputs = ", ".join(f"{_name(name)} AS ({self._query(table)})" for name, table in tables.items())
        query = text.strip().rstrip(";")
        # The line break ends a comment that the text may close with.
        return f"WITH {inputs} SELECT * FROM ({query}\n)" if inputs else query

    def _view(self, text: str) -> Any:
        name = self._new("view", "VIEW")
        self.command(f"CREATE TEMP VIEW {name} AS {text}")
        return self._named(name)

    def _named(self, name: str) -> Any:
        """The table or view of that name. Ibis's own `table` reads the type of every column anew, a millisecond each."""
        described = self.command(f"DESCRIBE {_name(name)}").fetchall()
        schema = ibis.schema({column: self._type(text, null == "YES") for column, text, null, *_ in described})
        return ops.DatabaseTable(name, schema=schema, source=self.backend, namespace=ops.Namespace()).to_expr()

    def _type(self, text: str, nullable: bool) -> Any:
        if (text, nullable) not in self._types:
            self._types[text, nullable] = self.backend.compiler.type_mapper.from_string(text, nullable=nullable)
        return self._types[text, nullable]

    def _is_kept(self, table: Any) -> bool:
        """Whether the table is rows in memory already, and not an expression over them."""
        operation = table.op()
        return isinstance(operation, ops.DatabaseTable) and (operation.name, "TABLE") in self._made

    def _new(self, story: str, kind: str) -> str:
        self._names += 1
        name = f"_{story}_{self._names}"
        self._made.append((name, kind))
        return name

    def close(self) -> None:
        self.backend.disconnect()


def _text(value: str) -> str:
    """A text literal; control characters such as \\x01 travel as they are."""
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
