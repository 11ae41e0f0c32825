"""Tables of runs and how their values are written in them; migration 12 makes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Integer, RowMapping, Table, Text

from image_router.core.runs import (
    Chunk,
    ChunkState,
    Pause,
    PlannedRow,
    Row,
    RowAsk,
    RowState,
    Run,
    RunKind,
    RunState,
    RunTerms,
    Stage,
)
from image_router.core.types import AspectRatio, Lane, OnAmbiguous, Purpose, Size, Tier
from image_router.storage.schema import metadata

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("profile", Text),
    Column("terms", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("pause", Text),
    Column("reason", Text, nullable=False),
    Column("resumes_at", BigInteger),
    Column("version", Text, nullable=False),
    Column("fingerprint", Text),
    Column("rows", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
)

run_rows = Table(
    "run_rows",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("line", Integer, nullable=False),
    Column("row_key", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("stage", Integer, nullable=False),
    Column("ask", Text, nullable=False),
    Column("planned_model", Text, nullable=False),
    Column("tier", Text),
    Column("quote", BigInteger, nullable=False),
    Column("ceiling", BigInteger, nullable=False),
    Column("duplicate_of", Integer),
    Column("finished", Boolean, nullable=False),
    Column("lane", Text, nullable=False),
    Column("chunk", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("request_id", Text),
    Column("hold_id", Text),
    Column("remote_job", Text),
    Column("asset", Text),
    Column("model", Text),
    Column("cost", BigInteger, nullable=False),
    Column("at_risk", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("resend", Boolean, nullable=False),
    Column("ended_at", BigInteger),
)

run_chunks = Table(
    "run_chunks",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("lane", Text, nullable=False),
    Column("stage", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("place", BigInteger, nullable=False),
)

executors = Table(
    "executors",
    metadata,
    Column("id", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("seen_epoch", Text, nullable=False),
    Column("fenced", Integer, nullable=False),
)

_ENCODE: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def ask_text(ask: RowAsk) -> str:
    """JSON of what a row asks for; what is as always is left out."""
    return _ENCODE(
        {name: _plain(value) for name in RowAsk.__slots__ if (value := getattr(ask, name)) not in _USUAL}
    )


_USUAL: Final[tuple[Any, ...]] = (None, (), {})
_KINDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "purpose": Purpose,
    "size": Size,
    "aspect": AspectRatio,
    "lane": Lane,
    "tier": Tier,
    "references": tuple,
}


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def ask_of(text: str) -> RowAsk:
    said = {
        name: _KINDS[name](value) if name in _KINDS else value for name, value in json.loads(text).items()
    }
    return RowAsk(**said)


def terms_text(terms: RunTerms) -> str:
    return _ENCODE({name: getattr(terms, name) for name in RunTerms.__slots__})


def terms_of(text: str) -> RunTerms:
    said = json.loads(text)
    return RunTerms(**{**said, "on_ambiguous": OnAmbiguous(said["on_ambiguous"])})


def row_values(run_id: str, planned: PlannedRow, *, chunk: int) -> dict[str, Any]:
    """A planned row as it is inserted."""
    return {
        "run_id": run_id,
        "number": planned.number,
        "line": planned.line,
        "row_key": planned.key,
        "subject": planned.subject,
        "stage": int(planned.stage),
        "ask": ask_text(planned.ask),
        "planned_model": planned.model,
        "tier": planned.tier,
        "quote": planned.quote,
        "ceiling": planned.ceiling,
        "duplicate_of": planned.duplicate_of,
        "finished": planned.finished,
        "lane": planned.ask.lane,
        "chunk": chunk,
        "state": RowState.WAITING,
        "cause": "",
        "message": "",
        "cost": 0,
        "at_risk": 0,
        "tries": 0,
        "resend": False,
    }


def row_from(row: RowMapping) -> Row:
    planned = PlannedRow(
        number=row["number"],
        line=row["line"],
        key=row["row_key"],
        subject=row["subject"],
        stage=Stage(row["stage"]),
        ask=ask_of(row["ask"]),
        model=row["planned_model"],
        tier=Tier(row["tier"]) if row["tier"] else None,
        quote=row["quote"],
        ceiling=row["ceiling"],
        duplicate_of=row["duplicate_of"],
        finished=bool(row["finished"]),
    )
    same = ("cause", "message", "request_id", "hold_id", "remote_job", "asset", "model")
    numbers = ("cost", "at_risk", "tries", "chunk")
    return Row(
        planned=planned,
        state=RowState(row["state"]),
        resend=bool(row["resend"]),
        **{name: row[name] for name in same + numbers},
    )


def run_from(row: RowMapping) -> Run:
    same = ("id", "name", "scope", "profile", "reason", "version", "rows", "resumes_at")
    moments = ("created_at", "started_at", "ended_at")
    return Run(
        kind=RunKind(row["kind"]),
        terms=terms_of(row["terms"]),
        state=RunState(row["state"]),
        pause=Pause(row["pause"]) if row["pause"] else None,
        **{name: row[name] for name in same + moments},
    )


def chunk_from(row: RowMapping) -> Chunk:
    return Chunk(
        run_id=row["run_id"],
        number=row["number"],
        lane=Lane(row["lane"]),
        stage=Stage(row["stage"]),
        rows=row["rows"],
        state=ChunkState(row["state"]),
        turn=row["turn"],
        place=row["place"],
    )
