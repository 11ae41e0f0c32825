"""Jobs over HTTP: made, listed, looked at, fetched, cancelled."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import orjson
from starlette.responses import Response

from image_router.gateway import bodies, refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.fields import one_of, whole
from image_router.gateway.jobs_making import ASK_AGAIN, accepted, extras_of
from image_router.gateway.jobs_views import JOBS, Terms, job_view
from image_router.gateway.jobs_work import tell
from image_router.gateway.openai_api import image_first, request_of, shown
from image_router.gateway.openai_asks import asked_of
from image_router.gateway.openai_views import Ending
from image_router.gateway.preferences import preferred
from image_router.gateway.router_reading import answer, query
from image_router.gateway.router_scopes import owns, seen_scope
from image_router.gateway.surfaces import OPENAI, ROUTER, Problem, answered
from image_router.storage.jobs_tables import Job, JobQuery, JobState
from image_router.storage.records import RESULT

MOST_WAIT: Final = 60.0
"""Seconds a look at a job may wait for its end."""
_LOOKS: Final = 0.25
_PAGE: Final = 50


async def make(visit: Visit) -> Response:
    """POST /router/v1/jobs: an images request as OpenAI writes it, done later.

    Fields: those of POST /v1/images/generations; with `image` or `images`, those of /v1/images/edits.
    Besides, `webhook` (an address that is told when the job is over) and `metadata` (up to 16 texts, given
    back). Answers 202 with the job, and its address in Location. 400 for what would be refused at once, 422
    for a key that named another job.
    """
    body = await bodies.read_json(visit.request, limit=visit.parts.limits.json_body)
    extras, editing = extras_of(body), bool(body.get("image") or body.get("images"))
    asked = asked_of(image_first(body) if editing else body, editing=editing)
    request = await request_of(visit, asked, editing=editing)
    return await accepted(visit, request, asked=asked, editing=editing, extras=extras)


async def listed(visit: Visit) -> Response:
    """GET /router/v1/jobs: newest first.

    Query: `status`, `scope` (it and all below), `limit` (1 to 200), `after` (id of the last one seen).
    Answers {"jobs": [...], "has_more"}.
    """
    given: dict[str, Any] = dict(query(visit, "status", "scope", "limit", "after"))
    state = one_of(given, "status", words=tuple(JobState))
    limit = whole(given, "limit", default=_PAGE, low=1, high=200)
    found = await visit.parts.jobs.listed(
        JobQuery(
            scope=seen_scope(visit, given.get("scope")),
            state=JobState(state) if state else None,
            before=given.get("after"),
            limit=limit + 1,
        )
    )
    views = [job_view(job, visit.address("")) for job in found[:limit]]
    return answer({"jobs": views, "has_more": len(found) > limit})


async def one(visit: Visit) -> Response:
    """GET /router/v1/jobs/{id}: queued, running, succeeded, failed or cancelled; progress; cost so far.

    With `Prefer: wait=N` the answer waits up to N seconds (60 at most) for the job's end.
    """
    job = await _waited(visit)
    headers = {} if job.state.over else {"retry-after": str(ASK_AGAIN)}
    response = answer(job_view(job, visit.address("")))
    response.headers.update(headers)
    return response


async def result(visit: Visit) -> Response:
    """GET /router/v1/jobs/{id}/result: what the request would have been answered, error answers included.

    409 with Retry-After while the job is not over, 409 where it was cancelled. With `Prefer: wait=N` the
    answer waits up to N seconds (60 at most).
    """
    job = await _waited(visit)
    if job.state is JobState.FAILED and job.problem is not None:
        return answered(OPENAI, Problem(**orjson.loads(job.problem)))
    if job.state is JobState.CANCELLED:
        raise refusals.conflict("job_cancelled", f"job {job.id} was cancelled; it has no result")
    record = await visit.parts.jobs.result(job.id)
    if record is None:
        words = f"job {job.id} is {job.state}; its result comes when it is over"
        raise refusals.conflict("job_running", words, wait=ASK_AGAIN)
    pieces = await visit.parts.books.assets.pieces(await asyncio.to_thread(RESULT.needs, record))
    found = await asyncio.to_thread(RESULT.read, record, pieces)
    return await shown(visit, found, delivery=Terms.read(job.terms).delivery, end=Ending())


async def cancel(visit: Visit) -> Response:
    """POST /router/v1/jobs/{id}/cancel: a job that waits is over at once, one that runs is stopped soon.

    A call that is under way may be billed all the same. Answers the job; one that is over stays as it is.
    """
    job = await _mine(visit)
    await visit.parts.jobs.cancel(job.id, then=tell)
    return answer(job_view(await _mine(visit), visit.address("")))


async def _mine(visit: Visit) -> Job:
    job_id = visit.request.path_params["id"]
    job = await visit.parts.jobs.get(job_id)
    if job is None or not owns(visit, job.scope):
        raise refusals.absent(f"there is no job {job_id!r}")
    return job


async def _waited(visit: Visit) -> Job:
    until = time.monotonic() + min(preferred(visit.request).wait, MOST_WAIT)
    job = await _mine(visit)
    while not job.state.over and time.monotonic() < until and not visit.stopping:
        await asyncio.sleep(_LOOKS)
        job = await _mine(visit)
    return job


ENTRIES: Final = (
    Entry(method="POST", path=JOBS, endpoint=make, surface=ROUTER),
    Entry(method="GET", path=JOBS, endpoint=listed, surface=ROUTER),
    Entry(method="GET", path=f"{JOBS}/{{id}}", endpoint=one, surface=ROUTER),
    Entry(method="GET", path=f"{JOBS}/{{id}}/result", endpoint=result, surface=ROUTER),
    Entry(method="POST", path=f"{JOBS}/{{id}}/cancel", endpoint=cancel, surface=ROUTER),
)
