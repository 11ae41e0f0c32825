"""Tables as people have them: CSV, JSONL or Parquet, read line by line and never whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from image_router.core.errors import ConfigError, InvalidRequest
from image_router.core.template import SEPARATOR, Cells

_SAMPLE: Final = 64 * 1024
_BATCH: Final = 1_000
_LONGEST_LINE: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table; its number counts from 1, without a header and with lines that are blank."""

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
    with ExitStack() as opened:
        with _told(path):
            if kind in (".csv", ".tsv"):
                text = opened.enter_context(path.open(encoding="utf-8-sig", newline=""))
                table = _delimited(text, path, "\t" if kind == ".tsv" else None)
            elif kind in (".jsonl", ".ndjson"):
                table = Table(columns=(), lines=_objects(opened.enter_context(path.open("rb"))))
            elif kind == ".parquet":
                table = _parquet(opened, path)
            else:
                endings = ".csv, .tsv, .jsonl or .parquet"
                raise InvalidRequest(f"{path} is no table: its name must end in {endings}")
        yield replace(table, lines=_readable(table.lines, path))


def _readable(lines: Iterator[Line], path: Path) -> Iterator[Line]:
    with _told(path):
        yield from lines


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong with the file, in words."""
    try:
        yield
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
        if not any(values):
            continue
        if len(values) == len(columns):
            yield _line(number, dict(zip(columns, values, strict=True)))
        else:
            yield Line(
                number=number,
                cells={},
                broken=f"has {len(values)} cells where the header has {len(columns)} columns",
            )


def _objects(file: io.BufferedReader) -> Iterator[Line]:
    number = 0
    while raw := file.readline(_LONGEST_LINE):
        number += 1
        if not raw.strip():
            continue
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError) as problem:
            yield Line(number=number, cells={}, broken=f"is no JSON: {problem}")
            continue
        if not isinstance(value, dict):
            yield Line(number=number, cells={}, broken="is no JSON object")
            continue
        yield _line(number, _cells(value))


def _line(number: int, cells: Cells) -> Line:
    """A line whose words can be stored: databases take neither NUL nor half of a surrogate pair."""
    words = "".join(cells.values())
    try:
        words.encode()
    except UnicodeEncodeError as problem:
        return Line(
            number=number, cells={}, broken=f"holds {problem.object[problem.start]!a}, which is no text"
        )
    if "\0" in words:
        return Line(number=number, cells={}, broken="holds a NUL character")
    return Line(number=number, cells=cells)


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
    if isinstance(value, dict | bool):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _parquet(opened: ExitStack, path: Path) -> Table:
    try:
        from pyarrow import ArrowException, parquet  # 60 MiB that only this kind of table needs
    except ImportError as problem:
        raise ConfigError(
            f"{path} is Parquet, which needs pyarrow ({problem}): pip install 'image-router[bulk]', or save "
            f"the table as CSV"
        ) from None
    try:
        file = opened.enter_context(parquet.ParquetFile(path))
    except ArrowException as problem:
        raise InvalidRequest(f"{path} is no Parquet that can be read: {problem}") from problem
    return Table(columns=tuple(file.schema_arrow.names), lines=_rows(file, path, ArrowException))


def _rows(file: Any, path: Path, broken: type[Exception]) -> Iterator[Line]:
    number = 0
    try:
        for batch in file.iter_batches(batch_size=_BATCH):
            for row in batch.to_pylist():
                number += 1
                yield _line(number, _cells(row))
    except broken as problem:
        raise InvalidRequest(f"{path} cannot be read after line {number:,}: {problem}") from problem
