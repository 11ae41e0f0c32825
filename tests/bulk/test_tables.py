"""Tables as people have them: what is broken is told by its line, and never read whole."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from image_router.bulk.tables import Line, open_table
from image_router.core.errors import InvalidRequest


@pytest.fixture
def lines(tmp_path: Path) -> Any:
    def read(name: str, content: str | bytes) -> list[Line]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with open_table(path) as table:
            return list(table.lines)

    return read


def told(lines: list[Line]) -> list[tuple[int, Any]]:
    return [(line.number, line.broken or dict(line.cells)) for line in lines]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "sku,name\n1,mug\n"),
        ("t.csv", "\ufeffsku,name\r\n1,mug\r\n"),
        ("t.csv", "sku;name\n1;mug"),
        ("t.csv", "sku\tname\n1\tmug\n"),
        ("t.csv", 'sku,"name"\n1,"mug"\n'),
        ("t.csv", " sku , name \n1,mug\n"),
        ("t.TSV", "sku\tname\n1\tmug\n"),
        ("t.jsonl", '{"sku": 1, "name": "mug"}\n'),
        ("t.ndjson", '\ufeff{"sku": "1", "name": "mug"}'),
    ],
)
def test_tables_of_all_kinds_say_the_same(lines: Any, name: str, content: str) -> None:
    assert told(lines(name, content)) == [(1, {"sku": "1", "name": "mug"})]


def test_a_header_that_names_prices_in_commas_is_parted_by_semicolons(lines: Any) -> None:
    assert told(lines("t.csv", 'sku;"name, short";x\n1;a,b;c\n')) == [
        (1, {"sku": "1", "name, short": "a,b", "x": "c"})
    ]


def test_quoted_cells_keep_commas_quotes_and_line_breaks(lines: Any) -> None:
    table = 'sku,name\n1,"a ""big"", red\nmug"\n2,jug\n'
    assert told(lines("t.csv", table)) == [
        (1, {"sku": "1", "name": 'a "big", red\nmug'}),
        (2, {"sku": "2", "name": "jug"}),
    ]


def test_blank_lines_are_counted_and_otherwise_nothing(lines: Any) -> None:
    """So a number is the one that an editor shows."""
    assert told(lines("t.csv", "sku,name\n\n2,mug\n,,\n,\n5,jug\n")) == [
        (2, {"sku": "2", "name": "mug"}),
        (5, {"sku": "5", "name": "jug"}),
    ]
    assert told(lines("t.jsonl", '\n{"sku": "2"}\n  \n')) == [(2, {"sku": "2"})]


def test_broken_lines_of_a_csv_are_told_and_the_next_are_read(lines: Any) -> None:
    table = 'sku,name\n1,mug,red\n2\n3,"mug"x\n4,jug\n5,a\0b\n6,"never closed\n7,cup\n'
    found = told(lines("t.csv", table))
    assert found[0] == (1, "has 3 cells where the header has 2 columns")
    assert found[1] == (2, "has 1 cells where the header has 2 columns")
    assert "is no CSV" in found[2][1]
    assert found[3] == (4, {"sku": "4", "name": "jug"})
    assert found[4] == (5, "holds a NUL character")
    assert found[5][0] == 6
    assert "is no CSV" in found[5][1]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ('{"sku": ', "is no JSON"),
        ("[1, 2]", "is no JSON object"),
        ("7", "is no JSON object"),
        ('{"sku": "\\ud800"}', r"holds '\ud800', which is no text"),
        ('{"sku": "a\\u0000"}', "holds a NUL character"),
        ("[" * 100_000, "is no JSON"),
        ("9" * 5_000, "is no JSON"),
        (b'{"sku": "\xff"}', "is no JSON"),
    ],
)
def test_broken_lines_of_jsonl_are_told_and_the_next_are_read(
    lines: Any, raw: str | bytes, reason: str
) -> None:
    content = (raw.encode() if isinstance(raw, str) else raw) + b'\n{"sku": "2"}\n'
    first, second = told(lines("t.jsonl", content))
    assert first[0] == 1
    assert reason in first[1]
    assert second == (2, {"sku": "2"})


def test_values_of_json_are_written_as_people_would(lines: Any) -> None:
    value = {"a": None, "b": True, "c": 1.5, "d": ["x", 2], "e": {"f": "é"}, "g": 7}
    ((_, cells),) = told(lines("t.jsonl", json.dumps(value)))
    assert cells == {"a": "", "b": "true", "c": "1.5", "d": "x|2", "e": '{"f": "é"}', "g": "7"}


def test_parquet_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    columns = {
        "sku": list(range(2_500)),
        "scenes": [["a", "b"]] * 2_500,
        "since": [date(2026, 11, 22)] * 2_500,
        "photo": [None] * 2_500,
    }
    parquet.write_table(pa.table(columns), path)
    with open_table(path) as table:
        assert table.columns == ("sku", "scenes", "since", "photo")
        read = told(list(table.lines))
    assert len(read) == 2_500
    assert read[-1] == (2_500, {"sku": "2499", "scenes": "a|b", "since": "2026-11-22", "photo": ""})


def test_parquet_that_is_cut_off_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"sku": list(range(1_000))}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InvalidRequest, match="is no Parquet that can be read"), open_table(path):
        pass


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.xlsx", b"PK", r"must end in \.csv"),
        ("t.csv", b"", "is empty"),
        ("t.csv", b"sku,sku\n", "several columns named 'sku'"),
        ("t.csv", b"sku,name\n1,caf\xe9\n", "is not UTF-8"),
        ("t.csv", "sku,name\n1,mug\n".encode("utf-16"), "is not UTF-8 at byte 0"),
        ("t.parquet", b"sku,name", "is no Parquet"),
    ],
)
def test_files_that_are_no_tables_are_refused(lines: Any, name: str, content: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        lines(name, content)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="No such file"), open_table(tmp_path / "t.csv"):
        pass


def test_what_goes_wrong_beside_the_table_is_not_blamed_on_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("sku\n1\n")
    with pytest.raises(OSError, match="disk full"), open_table(path):
        raise OSError("disk full")


@given(rows=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)))
def test_any_text_survives_a_jsonl_table(tmp_path_factory: Any, rows: list[str]) -> None:
    path = tmp_path_factory.mktemp("t") / "t.jsonl"
    path.write_text("".join(json.dumps({"a": row}) + "\n" for row in rows))
    with open_table(path) as table:
        assert [line.cells["a"] for line in table.lines] == rows
