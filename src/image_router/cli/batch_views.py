"""Rows and jobs of a batch as JSON, as files, as lines for people, and as OpenAI's Batch output."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import click

from image_router.bulk.parts import Bulk
from image_router.cli.batch_lines import COPY
from image_router.core.errors import AssetError
from image_router.core.money import usd_text
from image_router.core.runs import Row, RowState, Run
from image_router.storage.remote_jobs_tables import RemoteJob

_PAGE: Final = 200


async def each_row(bulk: Bulk, run: Run) -> AsyncIterator[Row]:
    after = 0
    while page := await bulk.runs.rows(run.id, after=after, limit=_PAGE):
        for row in page:
            yield row
        after = page[-1].planned.number


async def picture_of(bulk: Bulk, row: Row) -> bytes | None:
    if row.state is not RowState.DONE or row.asset is None:
        return None
    try:
        return await bulk.bench.assets.blobs.read(row.asset)
    except AssetError as problem:
        click.echo(f"{row.planned.key}: {problem}", err=True)
        return None


def file_name(row: Row) -> str:
    return f"{row.planned.number:06d}-{re.sub(r'[^A-Za-z0-9._-]+', '-', row.planned.key)[:80]}"


def row_view(row: Row, path: Path | None) -> dict[str, Any]:
    return {
        "key": row.planned.key,
        "line": row.planned.line,
        "state": row.state,
        "asset": row.asset,
        "path": str(path) if path else None,
        "model": row.model,
        "cost": usd_text(row.cost),
        "at_risk": usd_text(row.at_risk),
        "cause": row.cause or None,
        "message": row.message or None,
    }


def as_openai(row: Row, data: bytes | None) -> dict[str, Any]:
    """One line of OpenAI's Batch output: https://platform.openai.com/docs/guides/batch, read 2026-11-22."""
    custom = re.sub(rf"{COPY}\d+$", "", row.planned.key)
    if data is None:
        error = {"code": row.cause or row.state, "message": row.message or f"the row is {row.state}"}
        return {"id": row.request_id, "custom_id": custom, "response": None, "error": error}
    body = {"data": [{"b64_json": base64.b64encode(data).decode()}]}
    response = {"status_code": 200, "request_id": row.request_id, "body": body}
    return {"id": row.request_id, "custom_id": custom, "response": response, "error": None}


def job_view(job: RemoteJob) -> dict[str, Any]:
    names = ("id", "name", "state", "told", "model", "project", "rows", "looks", "reason")
    return {name: getattr(job, name) for name in names}


def job_line(job: RemoteJob) -> str:
    words = (job.name or job.id, job.model, f"{job.rows:,} rows", job.state, job.told, job.reason)
    return ", ".join(str(word) for word in words if word)
