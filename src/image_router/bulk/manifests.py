"""What a run made, row by row: manifest.jsonl and manifest.parquet, in parts where there are very many."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from typing import Any, Final

from image_router.core.errors import ConfigError
from image_router.core.money import usd_text
from image_router.core.reply import ImageFacts
from image_router.core.runs import Row, Run
from image_router.core.template import PICTURE
from image_router.storage.objects import ObjectStore

PART: Final = 100_000
"""Rows in one file: it is written as a whole, so it has to fit the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row, and where its picture is."""

    row: Row
    first: Row | None = None
    """Whose picture it was conditioned on."""
    file: str | None = None
    """Within the place that is exported to."""
    picture: ImageFacts | None = None
    missing: str | None = None
    """Why a row that was made has no file."""


def line_of(run: Run, entry: Entry) -> dict[str, Any]:
    """One line of the manifest. Amounts are dollars as text."""
    row, planned, ask, picture = entry.row, entry.row.planned, entry.row.planned.ask, entry.picture
    fields = dict(ask.fields)
    return {
        "run": run.id,
        "row": planned.number,
        "line": planned.line,
        "subject": planned.subject,
        "picture": fields.pop(PICTURE, None),
        "key": planned.key,
        "state": row.state,
        "cause": row.cause or None,
        "message": row.message or None,
        "file": entry.file,
        "missing": entry.missing,
        "sha256": row.asset,
        "media_type": picture.media_type if picture else None,
        "width": picture.pixels.width if picture else None,
        "height": picture.pixels.height if picture else None,
        "model": row.model,
        "tier": planned.tier,
        "lane": ask.lane,
        "purpose": ask.purpose,
        "prompt": ask.prompt,
        "text": ask.text,
        "size": ask.size,
        "aspect": ask.aspect,
        "seed": ask.seed,
        "quote_usd": usd_text(planned.quote),
        "cost_usd": usd_text(row.cost),
        "at_risk_usd": usd_text(row.at_risk),
        "duplicate_of": planned.duplicate_of,
        "request_id": row.request_id,
        "made_from": list(_made_from(entry)),
        "fields": fields,
    }


def _made_from(entry: Entry) -> Sequence[dict[str, Any]]:
    """The subject's reference by row and digest, then what the table gave by its address."""
    first = entry.first
    made = [{"row": first.planned.number, "sha256": first.asset, "source": None}] if first else []
    given = [{"row": None, "sha256": None, "source": one} for one in entry.row.planned.ask.references]
    return [*made, *given]


class Manifests:
    """Writes the lines of one run as they come."""

    def __init__(self, run: Run, to: ObjectStore, *, parquet: bool, part: int = PART) -> None:
        self._run, self._to, self._part = run, to, part
        self._parquet = _schema() if parquet else None
        self._lines: list[dict[str, Any]] = []
        self._parts = 0
        self._written: list[str] = []

    async def add(self, entry: Entry) -> None:
        if len(self._lines) >= self._part:
            await self._write()
        self._lines.append(line_of(self._run, entry))

    async def close(self) -> tuple[str, ...]:
        """The names of all files."""
        await self._write()
        return tuple(self._written)

    async def _write(self) -> None:
        self._parts += 1
        stem = "manifest" if self._parts == 1 else f"manifest-{self._parts}"
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in self._lines)
        await self._put(f"{stem}.jsonl", text.encode("utf-8", "replace"))
        if self._parquet is not None:
            await self._put(f"{stem}.parquet", _as_parquet(self._lines, self._parquet))
        self._lines = []

    async def _put(self, name: str, data: bytes) -> None:
        await self._to.put(name, data, replace=True)
        self._written.append(name)


_NUMBERS: Final = ("row", "line", "width", "height", "seed", "duplicate_of")
_DOLLARS: Final = ("quote_usd", "cost_usd", "at_risk_usd")
_TEXTS: Final = (
    *("run", "subject", "picture", "key", "state", "cause", "message", "file", "missing", "sha256"),
    *("media_type", "model", "tier", "lane", "purpose", "prompt", "text", "size", "aspect", "request_id"),
)


def _schema() -> Any:
    try:
        import pyarrow as pa  # 60 MiB that only this kind of manifest needs
    except ImportError as problem:
        raise ConfigError(
            f"a manifest in Parquet needs pyarrow ({problem}): pip install 'image-router[bulk]', or ask for "
            f"JSON lines alone"
        ) from None
    source = pa.struct([("row", pa.int64()), ("sha256", pa.string()), ("source", pa.string())])
    return pa.schema(
        [
            *((name, pa.int64()) for name in _NUMBERS),
            *((name, pa.decimal128(28, 9)) for name in _DOLLARS),
            *((name, pa.string()) for name in _TEXTS),
            ("made_from", pa.list_(source)),
            ("fields", pa.map_(pa.string(), pa.string())),
        ]
    )


def _as_parquet(lines: Sequence[dict[str, Any]], schema: Any) -> bytes:
    import pyarrow as pa  # as above
    from pyarrow import parquet

    rows = [
        {**line, **{name: Decimal(line[name]) for name in _DOLLARS}, "fields": list(line["fields"].items())}
        for line in lines
    ]
    buffer = BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), buffer)
    return buffer.getvalue()
