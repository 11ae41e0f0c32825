"""A bulk run: how far it is, its references while they wait to be looked at, and the ways to steer it.

Nothing is made here: a worker does that, or whoever started the run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from image_router.bulk.runs import Runs
from image_router.core.budget import moment_text
from image_router.core.errors import AssetError, InvalidRequest
from image_router.core.runs import Pause, Row, RowState, Run, RunState, Stage
from image_router.gateway import refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard import work
from image_router.gateway.dashboard.doors import Fields, form, shown
from image_router.gateway.dashboard.rendering import HEADERS, PAGES, counted, page
from image_router.gateway.fields import whole
from image_router.gateway.router_scopes import owns
from image_router.storage.asset_values import Asset, asset_id
from image_router.storage.remote_jobs import RemoteJobs
from image_router.storage.runs_looks import rejected_subjects, workers
from image_router.storage.runs_rows import RowQuery

PATH: Final = "/dashboard/runs"
_RUN: Final = f"{PATH}/{{id}}"
_PAGE: Final = 48
"""Rows on a page."""
_ENDED: Final = frozenset({RunState.DONE, RunState.CANCELLED})
_WRONG: Final = frozenset({RowState.FAILED, RowState.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictured:
    """A row and its picture; None where it has none, or none that is kept."""

    row: Row
    asset: Asset | None


async def run(visit: Visit) -> Response:
    """GET /dashboard/runs/{id}: `after` the number of the last row seen."""
    stamps = await visit.parts.live.now()
    found = await _known(visit)
    stored = _runs(visit).stored
    after = whole(dict(visit.request.query_params), "after", default=0, low=0, high=10**9)
    first = RowQuery(run_id=found.id, stage=Stage.FIRST, after=after, limit=_PAGE + 1)
    rows = await stored.rows_of(first)
    last = rows[_PAGE - 1].planned.number if len(rows) > _PAGE else None
    return page(
        visit,
        "run.html",
        run=found,
        one=replace(await work.of_run(visit, found), page=""),
        far=await stored.progress(found.id),
        waits=found.pause is Pause.APPROVAL,
        ended=found.state in _ENDED,
        references=bool(await stored.count(RowQuery(run_id=found.id, stage=Stage.SECOND))),
        rejected=await rejected_subjects(visit.parts.books.db, found.id),
        rows=[await _pictured(visit, row) for row in rows[:_PAGE]],
        more=last and f"{PATH}/{found.id}?{urlencode({'after': last})}#rows-title",
        wrong=await stored.rows_of(RowQuery(run_id=found.id, states=_WRONG, limit=_PAGE)),
        remote=await RemoteJobs(visit.parts.books.db).of_run(found.id),
        workers=await workers(visit.parts.books.db),
        makes=find_spec("dbos") is not None,
        moment=moment_text,
        stamps=stamps,
    )


async def _pictured(visit: Visit, row: Row) -> Pictured:
    if row.state is not RowState.DONE or row.request_id is None:
        return Pictured(row=row, asset=None)
    try:
        found = await visit.parts.books.assets.get(asset_id(row.request_id, 0))
    except AssetError:
        return Pictured(row=row, asset=None)
    return Pictured(row=row, asset=found if owns(visit, found.scope) else None)


async def pause(visit: Visit) -> Response:
    """POST /dashboard/runs/{id}/pause: what is under way is finished, nothing new is begun."""
    found, _ = await _asked(visit)
    await _runs(visit).pause(found.id)
    return _back(found)


async def resume(visit: Visit) -> Response:
    """POST /dashboard/runs/{id}/resume: go on, below the cap it has."""
    found, _ = await _asked(visit)
    await _runs(visit).resume(found.id)
    return _back(found)


async def cancel(visit: Visit) -> Response:
    """POST /dashboard/runs/{id}/cancel: what was sent is settled, the rest is never sent."""
    found, _ = await _asked(visit)
    await _runs(visit).cancel(found.id)
    return _back(found)


async def approve(visit: Visit) -> Response:
    """POST /dashboard/runs/{id}/approve: make the variants of all references that are not rejected."""
    found, fields = await _asked(visit)
    await _runs(visit).approve(found.id, rejected=await _as_shown(visit, found, fields))
    return _back(found)


async def _asked(visit: Visit) -> tuple[Run, Fields]:
    fields = await form(visit)
    return await _known(visit), fields


def _back(found: Run) -> Response:
    return RedirectResponse(f"{PATH}/{found.id}", 303, headers=HEADERS)


async def _as_shown(visit: Visit, found: Run, fields: Fields) -> frozenset[str]:
    """The subjects that are rejected now. Raises Refusal where the page that was sent showed another number:
    whoever approves pays for what they saw."""
    rejected = await rejected_subjects(visit.parts.books.db, found.id)
    shown_then = whole(fields, "rejected", default=0, low=0, high=10**9)
    if shown_then != len(rejected):
        words = f"{counted(len(rejected), 'reference')} rejected by now, and your page showed {shown_then}"
        raise refusals.malformed(f"{words}: nothing was approved; look again", param="rejected")
    return rejected


async def ask(visit: Visit) -> Response:
    """GET /dashboard/runs/{id}/cancel: the question before it."""
    found = await _known(visit)
    return page(visit, "run_cancel.html", run=found, far=await _runs(visit).stored.progress(found.id))


def _runs(visit: Visit) -> Runs:
    return Runs(visit.parts.books.db, rules=visit.parts.books.assets.rules)


async def _known(visit: Visit) -> Run:
    """By its id alone: names are looked for in all scopes."""
    name = visit.request.path_params["id"]
    gone = refusals.absent(f"there is no run {name!r}")
    try:
        found = await _runs(visit).get(name)
    except InvalidRequest:
        raise gone from None
    if found.id != name or not owns(visit, found.scope):
        raise gone
    return found


ENTRIES: Final = (
    Entry(method="GET", path=_RUN, endpoint=shown(run), surface=PAGES, public=True),
    Entry(method="GET", path=f"{_RUN}/cancel", endpoint=shown(ask), surface=PAGES, public=True),
    Entry(method="POST", path=f"{_RUN}/pause", endpoint=shown(pause), surface=PAGES, public=True),
    Entry(method="POST", path=f"{_RUN}/resume", endpoint=shown(resume), surface=PAGES, public=True),
    Entry(method="POST", path=f"{_RUN}/cancel", endpoint=shown(cancel), surface=PAGES, public=True),
    Entry(method="POST", path=f"{_RUN}/approve", endpoint=shown(approve), surface=PAGES, public=True),
)
