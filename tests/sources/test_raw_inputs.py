"""Raw files as banks deliver them, each read whole, with ids as text and every row's file and line."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backbook.errors import BadData
from backbook.sources.inputs import Input, read_inputs
from backbook.sources.read import Raw, header, read
from backbook.workspace import read_settings

PLAIN = "id,名称\n6212345678901234567,茶馆\n6212345678901234568,书店\n"
ROWS = [("6212345678901234567", "茶馆", 2), ("6212345678901234568", "书店", 3)]


@pytest.fixture
def files(tmp_path: Path, engine) -> Any:
    class Files:
        folder = tmp_path / "raw"

        def write(self, name: str, data: bytes | str) -> None:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.encode() if isinstance(data, str) else data)

        def read(self, path: str, **settings: Any) -> Raw:
            return read(engine, Input("x", path, self.folder, **settings), tmp_path / "scratch")

        def rows(self, path: str, **settings: Any) -> list[tuple[Any, ...]]:
            raw = self.read(path, **settings)
            found = engine.rows(raw.table.order_by(["_file", "_row"]))
            return [tuple(row[column] for column in raw.columns) + (row["_row"],) for row in found]

    with engine.scope():
        yield Files()


@pytest.mark.parametrize(
    ("data", "settings"),
    [
        (PLAIN.encode(), {}),
        (PLAIN.replace("\n", "\r\n").encode(), {}),
        (PLAIN.rstrip("\n").encode(), {}),
        (b"\xef\xbb\xbf" + PLAIN.encode(), {}),
        (PLAIN.encode("gbk"), {"encoding": "gbk"}),
        (PLAIN.encode("gb18030"), {"encoding": "auto"}),
        (PLAIN.encode(), {"encoding": "auto"}),
        (PLAIN.encode("utf-16"), {"encoding": "auto"}),
        (PLAIN.replace(",", "|+|").encode(), {"separator": "|+|", "quote": ""}),
        (PLAIN.replace(",", "\x01").encode(), {"separator": "\x01", "quote": ""}),
        (PLAIN.replace(",", "\t").encode(), {"separator": "\t"}),
        ((PLAIN + "\n\n").encode(), {}),
    ],
    ids=[
        "plain",
        "crlf",
        "no last break",
        "BOM",
        "gbk",
        "auto gb18030",
        "auto utf-8",
        "utf-16",
        "|+|",
        "x01",
        "tab",
        "blank end",
    ],
)
def test_delimited_text_is_read_whole(files, data: bytes, settings: dict[str, Any]) -> None:
    files.write("a.csv", data)
    assert files.rows("a.csv", **settings) == ROWS
    assert files.read("a.csv", **settings).files[0].rejected == 0


def test_a_gzip_and_every_member_of_a_zip_are_read(files) -> None:
    files.write("a.csv.gz", gzip.compress(PLAIN.encode()))
    assert files.rows("a.csv.gz") == ROWS
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("one.csv", PLAIN)
        archive.writestr("two.csv", "id,名称\n3,票\n")
    files.write("b.zip", packed.getvalue())
    assert files.rows("b.zip") == [*ROWS, ("3", "票", 2)]
    assert [file.name for file in files.read("b.zip").files] == ["b.zip/one.csv", "b.zip/two.csv"]


def test_one_member_of_a_zip_is_read_where_it_is_named(files) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("full/rows.csv", PLAIN)
        archive.writestr("full/readme.txt", "not a table")
    files.write("b.zip", packed.getvalue())
    assert files.rows("b.zip", member="*/rows.csv") == ROWS
    with pytest.raises(BadData, match=r"b.zip has no member 'row.csv'. It holds: full/readme.txt, full/rows.csv\."):
        files.read("b.zip", member="row.csv")


def test_an_archive_that_was_cut_off_is_refused(files) -> None:
    whole = gzip.compress(PLAIN.encode() * 50)
    files.write("a.csv.gz", whole[: len(whole) // 2])
    with pytest.raises(BadData, match=r"a.csv.gz cannot be unpacked: .*cut off or damaged"):
        files.read("a.csv.gz")


def test_without_a_header_the_columns_are_those_of_the_settings(files) -> None:
    files.write("a.csv", PLAIN.split("\n", 1)[1])
    assert files.rows("a.csv", header=False, columns=("id", "名称")) == [
        ("6212345678901234567", "茶馆", 1),
        ("6212345678901234568", "书店", 2),
    ]


def test_a_quoted_field_may_hold_line_breaks_separators_and_quotes(files) -> None:
    files.write("a.csv", 'id,note\n1,"two\nlines, ""quoted"""\n2,plain\n')
    assert files.rows("a.csv") == [("1", 'two\nlines, "quoted"', 2), ("2", "plain", 4)]


def test_the_line_of_each_row_is_right_behind_rejected_and_longer_ones(files) -> None:
    files.write("a.csv", 'id,note\n1,"a\nb\nc"\n2\n\n3,d\n4,e\n')
    assert [row[-1] for row in files.rows("a.csv")] == [2, 7, 8]
    assert files.read("a.csv").files[0].rejects[0].line == 5


def test_a_column_without_a_name_is_called_by_its_place(files) -> None:
    files.write("a.csv", "id,page_no,,page_tm\n1,2,2019-05-01,\n")
    raw = files.read("a.csv", null=("", "\\N"))
    assert raw.columns == ("id", "page_no", "column_3", "page_tm")


def test_the_texts_for_null_are_null(files) -> None:
    files.write("a.csv", "id,name\n1,\\N\n2,\n3,NULL\n")
    assert [row[1] for row in files.rows("a.csv", null=("", "\\N"))] == [None, None, "NULL"]


def test_quotes_are_ordinary_characters_where_the_settings_say_so(files) -> None:
    files.write("a.csv", 'id|size\n1|5" pipe\n')
    assert files.rows("a.csv", separator="|", quote="") == [("1", '5" pipe', 2)]


def test_a_file_whose_quotes_are_no_quotes_is_refused_with_the_way_out(files) -> None:
    files.write("a.csv", "id,size\n" + '1,5" pipe\n' * 1_500)
    with pytest.raises(BadData, match=r'write quote = "" in backbook.toml'):
        files.read("a.csv")


def test_a_folder_and_a_glob_are_read_in_the_order_of_their_names(files) -> None:
    files.write("day/2.csv", "id\nb\n")
    files.write("day/1.csv", "id\na\n")
    files.write("day/.hidden.csv", "id\nz\n")
    assert [file.name for file in files.read("day").files] == ["1.csv", "2.csv"]
    assert [row[0] for row in files.rows("day/*.csv")] == ["a", "b"]


def test_columns_may_stand_in_another_order_in_the_next_file(files) -> None:
    files.write("1.csv", "id,name\n1,a\n")
    files.write("2.csv", "name,id,more\nb,2,x\n")
    assert files.rows("*.csv") == [("1", "a", None, 2), ("2", "b", "x", 2)]


def test_a_workbook_is_read_with_its_dates_and_long_ids(files) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["id", "day", "amount", "count"])
    import datetime

    sheet.append(["6212345678901234567", datetime.date(2026, 10, 1), 12.5, 3])
    sheet.append([6212345678901234567, datetime.date(2026, 10, 2), 1, 1])
    book.save(files.folder / "a.xlsx") if files.folder.exists() else (
        files.folder.mkdir(),
        book.save(files.folder / "a.xlsx"),
    )
    assert files.rows("a.xlsx") == [("6212345678901234567", "2026-10-01", "12.5", "3", 2)]
    (reject,) = files.read("a.xlsx").files[0].rejects
    assert reject.line == 3
    assert "more than 15 digits" in reject.reason


def test_a_workbook_says_which_sheets_it_has(files) -> None:
    files.folder.mkdir()
    openpyxl.Workbook().save(files.folder / "a.xlsx")
    with pytest.raises(BadData, match=r"a.xlsx has no sheet '2026'. It has: Sheet"):
        files.read("a.xlsx", sheet="2026")


def test_parquet_arrives_as_text_too(files) -> None:
    files.folder.mkdir()
    pq.write_table(
        pa.table({"id": pa.array([6212345678901234567]), "at": pa.array([0], pa.timestamp("s"))}),
        files.folder / "a.parquet",
    )
    assert files.rows("a.parquet") == [("6212345678901234567", "1970-01-01 00:00:00", 1)]


def test_a_parquet_file_that_is_cut_off_is_refused(files) -> None:
    files.write("a.parquet", b"PAR1 and no more")
    with pytest.raises(BadData, match="a.parquet is not a whole Parquet file"):
        files.read("a.parquet")


def test_environment_variables_in_a_path_expand_or_are_asked_for(files, monkeypatch, tmp_path) -> None:
    files.write("a.csv", PLAIN)
    monkeypatch.setenv("BANK_DATA", str(files.folder))
    assert files.rows("${BANK_DATA}/a.csv") == ROWS
    monkeypatch.delenv("BANK_DATA")
    with pytest.raises(BadData, match=r"reads \$\{BANK_DATA\}, which is not set"):
        files.read("${BANK_DATA}/a.csv")


def test_only_the_header_is_read_to_check_a_mapping(files) -> None:
    files.write("a.csv", PLAIN)
    assert header(Input("x", "a.csv", files.folder)) == ("id", "名称")


def test_every_fault_of_an_input_is_told_with_its_line() -> None:
    settings, _ = read_settings(
        '[inputs.a]\npath = "x"\nseperator = "|"\nencoding = "latin"\n\n[inputs.b]\nheader = false\n'
    )
    _, faults = read_inputs(settings, Path("."))
    assert [str(fault) for fault in sorted(faults)] == [
        "backbook.toml:3: input 'a' has 'seperator', which is not known. Did you mean 'separator'?",
        "backbook.toml:4: input 'a' has encoding = 'latin'. Possible: utf-8, gbk, gb18030, utf-16, auto.",
        "backbook.toml:6: input 'b' has no path. Write path = \"raw/FILE.csv\".",
        "backbook.toml:7: input 'b' has no header and no columns. Name them: columns = [\"acct_no\", …].",
    ]


def test_a_file_name_without_its_day_is_refused(files) -> None:
    files.write("posted_x.csv", PLAIN)
    with pytest.raises(BadData, match=r"no date is found in the file name 'posted_x.csv'"):
        files.read("posted_x.csv", known_on="posted_{date}")
