"""batchGenerateContent and the operations life cycle; file mode and inline mode."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gemini_emulator import errors
from gemini_emulator.batches import INLINE_BYTES, MOST_AT_ONCE, Job, Row, read_lines
from gemini_emulator.calls import Call, carry_out
from gemini_emulator.errors import ApiError, Json
from gemini_emulator.fault_batches import chosen
from gemini_emulator.fault_errors import MAKERS
from gemini_emulator.rows import run_row
from gemini_emulator.state import State

_CREATE_MS, _GET_MS = 4141, 285  # recorded
_JSONL = "application/jsonl"


async def create_batch(call: Call) -> Response:
    """POST {model}:batchGenerateContent. Not idempotent: every call makes a job."""
    model = call.model()
    batch = call.message("BatchGenerateContentRequest").get("batch", {})
    state = call.state
    if state.batches.active(call.owner) >= MOST_AT_ONCE:
        raise MAKERS["rate_limit_help_only"](call.where({}))
    rows, file_mode = await _rows(call, batch.get("inputConfig", {}))
    await call.take(_CREATE_MS)
    job = Job(
        id=state.ids.batch(),
        owner=call.owner,
        key=call.key,
        model_id=model.id,
        display_name=batch.get("displayName", ""),
        created=state.clock.now(),
        rows=rows,
        file_mode=file_mode,
        fault=call.option("batch"),
    )
    state.batches.add(job, _work(state, job))
    await call.ripen()
    return call.answer(job.to_wire())


async def on_batches(request: Request) -> Response:
    return await carry_out(Call(request, request.app.state.emulator, method="batches.list"), _list)


async def on_batch(request: Request) -> Response:
    """GET, DELETE, or POST :cancel on one job."""
    target = request.path_params["target"]
    _, _, verb = target.partition(":")
    handler, name = {
        ("GET", ""): (_get, "batches.get"),
        ("DELETE", ""): (_delete, "batches.delete"),
        ("POST", "cancel"): (_cancel, "batches.cancel"),
        ("POST", "delete"): (_delete, "batches.delete"),
    }.get((request.method, verb), (_unknown, "batches"))
    return await carry_out(Call(request, request.app.state.emulator, method=name), handler)


async def _get(call: Call) -> Response:
    await call.take(_GET_MS)
    job = _job(call)
    await call.state.batches.look(job)
    if call.option("poll") is not None:
        raise ApiError(503, "The service is currently unavailable.")
    await call.ripen()
    return call.answer(job.to_wire())


async def _list(call: Call) -> Response:
    size, start = call.page_size(50), call.page_start()
    jobs = call.state.batches.mine(call.owner)
    page = jobs[start : start + size]
    body: Json = {"operations": [job.to_wire(with_rows=False) for job in page]} if page else {}
    if start + size < len(jobs):
        body["nextPageToken"] = str(start + size)
    return call.answer(body)


async def _cancel(call: Call) -> Response:
    call.state.batches.cancel(_job(call))
    return call.answer({})


async def _delete(call: Call) -> Response:
    call.state.batches.delete(_job(call))
    return call.answer({})


async def _unknown(call: Call) -> Response:
    raise errors.not_found(f"Method {call.request.method} of batches/{call.request.path_params['target']}")


def _job(call: Call) -> Job:
    job_id = call.request.path_params["target"].partition(":")[0]
    return call.state.batches.get(job_id, call.owner)


async def _rows(call: Call, source: Json) -> tuple[list[Row], bool]:
    """The rows of a job and whether they came from a file."""
    if "fileName" in source:
        stored = call.state.files.get(source["fileName"].removeprefix("files/"), call.owner)
        lines = read_lines(await asyncio.to_thread(stored.path.read_bytes))
        rows = [
            Row(request=line.get("request", {}), key=line.get("key", str(at)))
            for at, line in enumerate(lines)
        ]
        return _some(rows), True
    if call.size > INLINE_BYTES:
        raise errors.invalid(
            f"Request payload size exceeds the limit: {INLINE_BYTES} bytes. Please use a file."
        )
    inlined = source.get("requests", {}).get("requests", [])
    return _some(
        [Row(request=one.get("request", {}), metadata=one.get("metadata")) for one in inlined]
    ), False


def _some(rows: list[Row]) -> list[Row]:
    if not rows:
        raise errors.invalid(
            "* BatchGenerateContentRequest.batch.input_config: batch.input_config is not specified\n"
        )
    return rows


async def _work(state: State, job: Job) -> None:
    """Run every row of a job that has something to run, and write the result."""
    if job.stuck or (job.fault is not None and job.fault.name == "batch_fails"):
        return
    options = job.fault.options if job.fault is not None else {}
    missing: frozenset[int] = frozenset()
    if job.fault is not None and job.fault.name == "batch_rows_missing":
        missing = chosen(options, len(job.rows), default="0")
    for index, row in enumerate(job.rows):
        if index not in missing:
            result, success = await run_row(state, job, index=index)
            job.results.append((row.dressed(result), success))
    if job.fault is not None and job.fault.name == "batch_out_of_order":
        job.results.reverse()
    if job.file_mode:
        await asyncio.to_thread(_publish, state, job)


def _publish(state: State, job: Job) -> None:
    file_id = f"batch-{job.id}"
    path: Path = state.files.result_path(file_id)
    with path.open("wb") as out:
        for result, _ in job.results:
            out.write(orjson.dumps(result) + b"\n")
    job.result_file = file_id
    # the rows live in the file now
    job.results = [({}, success) for _, success in job.results]
    if job.fault is None or job.fault.name != "batch_result_gone":
        state.files.publish(file_id, job.owner, path=path, media_type=_JSONL)
