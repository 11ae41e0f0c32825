"""Tables as people have them: CSV, JSONL or Parquet, read line by line and never whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from image_router.core.errors import ConfigError, InvalidRequest
from image_router.core.template import SEPARATOR, Cells

_SAMPLE: Final = 64 * 1024
_BATCH: Final = 1_000
_LONGEST_LINE: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table; its number counts from 1, without a header."""

    number: int
    cells: Cells
    broken: str = ""
    """Why it could not be read; it has no cells then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An open table."""

    columns: tuple[str, ...]
    """Empty: each line names its own."""
    lines: Iterator[Line]


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """By its name's ending: .csv, .tsv, .jsonl (or .ndjson), .parquet.

    Raises InvalidRequest for a file that is none of them or cannot be read, ConfigError where Parquet lacks
    its package.
    """
    kind = path.suffix.lower()
    try:
        if kind in (".csv", ".tsv"):
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield _delimited(file, path, "\t" if kind == ".tsv" else None)
        elif kind in (".jsonl", ".ndjson"):
            with path.open("rb") as file:
                yield Table(columns=(), lines=_objects(file))
        elif kind == ".parquet":
            with _parquet(path) as table:
                yield table
        else:
            raise InvalidRequest(f"{path} is no table: its name must end in .csv, .tsv, .jsonl or .parquet")
    except OSError as problem:
        raise InvalidRequest(f"{path} cannot be read: {problem.strerror or problem}") from problem
    except UnicodeDecodeError as problem:
        raise InvalidRequest(f"{path} is not UTF-8 at byte {problem.start:,}; save it as UTF-8") from problem


def _delimited(file: io.TextIOWrapper, path: Path, delimiter: str | None) -> Table:
    if delimiter is None:
        delimiter = _sniffed(file.read(_SAMPLE))
        file.seek(0)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    header = next(reader, None)
    if not header:
        raise InvalidRequest(f"{path} is empty; its first line names the columns")
    columns = tuple(name.strip() for name in header)
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise InvalidRequest(f"{path} has several columns named {twice[0]!r}; rename them")
    return Table(columns=columns, lines=_records(reader, columns))


def _sniffed(sample: str) -> str:
    """What parts the columns: of comma, semicolon and tab the one that stands most often in the header."""
    header = sample.partition("\n")[0]
    return max(",;\t", key=header.count)


def _records(reader: Iterator[list[str]], columns: Sequence[str]) -> Iterator[Line]:
    number = 0
    while True:
        number += 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            yield Line(number=number, cells={}, broken=f"is no CSV: {problem}")
            continue
        if not values:
            number -= 1
        elif len(values) == len(columns):
            yield Line(number=number, cells=dict(zip(columns, values, strict=True)))
        else:
            yield Line(
                number=number,
                cells={},
                broken=f"has {len(values)} cells where the header has {len(columns)} columns",
            )


def _objects(file: io.BufferedReader) -> Iterator[Line]:
    number = 0
    while raw := file.readline(_LONGEST_LINE):
        if not raw.strip():
            continue
        number += 1
        try:
            value = json.loads(raw)
        except ValueError as problem:
            yield Line(number=number, cells={}, broken=f"is no JSON: {problem}")
            continue
        if not isinstance(value, dict):
            yield Line(number=number, cells={}, broken="is no JSON object")
            continue
        yield Line(number=number, cells=_cells(value))


def _cells(values: Mapping[str, Any]) -> Cells:
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    """A cell as people would write it; lists are parted as a template parts them."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list):
        return SEPARATOR.join(_text(item) for item in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | bool) else str(value)


@contextmanager
def _parquet(path: Path) -> Iterator[Table]:
    try:
        from pyarrow import ArrowException, parquet  # 60 MiB that only this kind of table needs
    except ImportError as problem:
        raise ConfigError(
            f"{path} is Parquet, which needs pyarrow ({problem}): pip install 'image-router[bulk]', or save "
            f"the table as CSV"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            yield Table(columns=tuple(file.schema_arrow.names), lines=_rows(file))
    except ArrowException as problem:
        raise InvalidRequest(f"{path} is no Parquet that can be read: {problem}") from problem


def _rows(file: Any) -> Iterator[Line]:
    number = 0
    for batch in file.iter_batches(batch_size=_BATCH):
        for row in batch.to_pylist():
            number += 1
            yield Line(number=number, cells=_cells(row))
