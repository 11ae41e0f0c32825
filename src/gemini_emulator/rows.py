"""One row of a batch job, run as the call it would have been, at batch rates."""

from __future__ import annotations

import asyncio

from gemini_emulator.answers import deliver, plan, read
from gemini_emulator.batches import Job
from gemini_emulator.errors import ApiError, Json
from gemini_emulator.fault_batches import chosen
from gemini_emulator.faults import Fault, parse
from gemini_emulator.fields import read_message
from gemini_emulator.state import State

_ROW_FAILED = (
    "Internal error occurred. Failed to get generateContentResponse: "
    '{"error": {"code": 503, "message": "The service is currently unavailable.", "status": "UNAVAILABLE"}}'
)


async def run_row(state: State, job: Job, *, index: int) -> tuple[Json, bool]:
    """The row's `response` or `error`, and whether it succeeded. Failed rows cost nothing."""
    failed = _row_error(job, index)
    if failed is not None:
        return {"error": failed}, False
    model = state.world.find(job.model_id)
    if model is None:
        raise LookupError(
            f"batch {job.id} names the unknown model {job.model_id}; jobs are checked at creation"
        )
    fault = _row_fault(job, index)
    try:
        message = read_message(job.rows[index].request, "GenerateContentRequest")
        ask = await read(state, message, model=model, owner=job.owner, heavy=True)
    except ApiError as error:
        return {"error": error.rpc_status()}, False
    name = fault.name if fault is not None else None
    response = await deliver(
        state, plan(ask, fault), key=job.key, method="batchGenerateContent", lane="batch", fault=name
    )
    await asyncio.sleep(0)  # other calls get their turn between rows
    return {"response": response}, True


def _row_error(job: Job, index: int) -> Json | None:
    fault = job.fault
    if fault is None or index not in chosen(fault.options, len(job.rows), default="all"):
        return None
    if fault.name == "batch_rows_cancelled":
        return {"code": 1, "message": "CANCELLED"}
    if fault.name == "batch_rows_fail":
        return {"code": fault.count("code", 13), "message": fault.options.get("message", _ROW_FAILED)}
    return None


def _row_fault(job: Job, index: int) -> Fault | None:
    fault = job.fault
    if fault is None or fault.name != "batch_rows_answer":
        return None
    if index not in chosen(fault.options, len(job.rows), default="0"):
        return None
    found = parse(fault.options.get("fault", "no_image"))
    if found.stage != "answer":
        raise ValueError(f"a batch row cannot have the fault {found.name!r}; name an answer fault")
    return found
