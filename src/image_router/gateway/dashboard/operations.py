"""Operations: what runs, what is ill, how fast it goes, what failed, and which model ends when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from image_router.checkup import here
from image_router.checkup.finding import Health
from image_router.core.breaker import Circuit
from image_router.core.budget import SECOND, Micros
from image_router.core.failures import FAILURES
from image_router.core.journal import CallNote, Queue, Shut, latencies
from image_router.core.key_permits import allow_admin
from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard import calendar, work
from image_router.gateway.dashboard.doors import shown
from image_router.gateway.dashboard.pace import gauges
from image_router.gateway.dashboard.rendering import PAGES, page
from image_router.gateway.fields import one_of
from image_router.gateway.router_reading import known
from image_router.gateway.router_scopes import seen_scope
from image_router.storage.objects import now_micros
from image_router.storage.traffic import DatabaseTraffic

PATH: Final = "/dashboard/operations"
_ERRORS: Final = 8
"""Kinds of them on the page."""
_LOOKED_AT: Final = 200
"""Failed calls they are gathered from, the latest."""
_SPANS: Final = {"hour": 3_600, "day": 86_400, "week": 7 * 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ill:
    """A circuit that is not closed, in words."""

    what: str
    why: str
    todo: str
    detail: str
    """The provider's own words, for admins: they were said to whoever called, and may name the project."""
    since: str
    again: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Calls that failed alike."""

    latest: CallNote
    times: int
    ago: str
    todo: str
    scopes: str


async def operations(visit: Visit) -> Response:
    """GET /dashboard/operations: `span` (hour, day, week) for latencies, `scope` for one's part of it."""
    given = {name: value for name, value in visit.request.query_params.items() if value}
    scope, span = seen_scope(visit, given.get("scope")), one_of(given, "span", words=tuple(_SPANS)) or "day"
    facts = known(visit)
    stamps = await visit.parts.live.now()
    journal = visit.parts.journal
    reports = await journal.reports()
    living, ended = await work.jobs(visit, scope)
    return page(
        visit,
        "operations.html",
        given=given,
        span=span,
        spans=tuple(_SPANS),
        stamps=stamps,
        living=living,
        ended=ended,
        runs=await work.runs(visit, scope),
        batches=await work.batches(visit, scope),
        ills=await _ills(visit, [one for report in reports for one in report.shut]),
        queues=_queues([one for report in reports for one in report.queues]),
        gauges=await gauges(visit) if visit.caller.admin else [],
        latencies=latencies(await journal.calls(scope=scope, seconds=_SPANS[span])),
        failures=_failures(await journal.failures(scope=scope, limit=_LOOKED_AT)),
        calendar=calendar.calendar(facts.catalog, facts.day),
        picture=calendar.picture,
    )


async def doctor(visit: Visit) -> Response:
    """GET /dashboard/operations/doctor: what `image-router doctor` finds on this machine, for admins."""
    if visit.caller.key is not None:
        allow_admin(visit.caller.key)
    found = await here(visit.parts.settings)
    order = {health: place for place, health in enumerate((Health.ERROR, Health.WARNING, Health.OK))}
    findings = sorted(found, key=lambda one: order[one.health])
    counts = {health: sum(one.health is health for one in found) for health in Health}
    return page(visit, "doctor.html", findings=findings, counts=counts)


async def _ills(visit: Visit, reported: list[Shut]) -> list[Ill]:
    """What the database holds open for all, and what single processes of an emulator hold for themselves."""
    kept, moment = await DatabaseTraffic(visit.parts.books.db).circuits()
    now = round(moment.wall * SECOND)
    shut = {one.circuit: one for one in reported}
    for circuit, breaker in kept.items():
        shut[circuit] = Shut(
            circuit=circuit,
            cause=breaker.cause,
            detail=breaker.detail,
            opened_at=round(breaker.opened_at * SECOND),
            until=None if breaker.until is None else round(breaker.until * SECOND),
        )
    return [_ill(shut[circuit], now=now, admin=visit.caller.admin) for circuit in sorted(shut)]


def _ill(one: Shut, *, now: Micros, admin: bool) -> Ill:
    failure = FAILURES[one.cause]
    seen = one.circuit if admin else Circuit(model=one.circuit.model)
    wait = None if one.until is None else max(0, one.until - now) / SECOND
    return Ill(
        what=str(seen) or "a key of the pool",
        why=failure.what,
        todo=failure.todo,
        detail=one.detail if admin else "",
        since=_ago(one.opened_at, now),
        again="never by itself"
        if wait is None
        else f"in {work.duration(wait)}"
        if wait
        else "with the next call",
    )


def _queues(reported: list[Queue]) -> list[Queue]:
    """Those of all processes together."""
    waiting: dict[tuple[str, str], int] = {}
    for one in reported:
        waiting[one.model, one.limit] = waiting.get((one.model, one.limit), 0) + one.waiting
    return [
        Queue(model=model, limit=limit, waiting=count) for (model, limit), count in sorted(waiting.items())
    ]


def _failures(notes: Sequence[CallNote]) -> list[Failed]:
    """The latest kinds of failures: the same words of the same model are told once."""
    kinds: dict[tuple[str, str, str], list[CallNote]] = {}
    for note in notes:
        kinds.setdefault((note.cause, note.model, note.detail), []).append(note)
    now = now_micros()
    return [_failed(alike, now) for alike in list(kinds.values())[:_ERRORS]]


def _failed(alike: Sequence[CallNote], now: Micros) -> Failed:
    latest = alike[0]
    told = FAILURES.get(latest.cause)
    return Failed(
        latest=latest,
        times=len(alike),
        ago=_ago(latest.at, now),
        todo=told.todo if told else "",
        scopes=", ".join(sorted({note.scope for note in alike})),
    )


def _ago(moment: Micros, now: Micros) -> str:
    seconds = max(0, now - moment) / SECOND
    days = int(seconds // 86_400)
    return f"{days} days ago" if days > 1 else f"{work.duration(seconds)} ago"


ENTRIES: Final = (
    Entry(method="GET", path=PATH, endpoint=shown(operations), surface=PAGES, public=True),
    Entry(method="GET", path=f"{PATH}/doctor", endpoint=shown(doctor), surface=PAGES, public=True),
)
