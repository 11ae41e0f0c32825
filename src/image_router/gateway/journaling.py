"""The journal as one process writes it: a sink that gathers, and a task that writes every second."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from image_router.core.breaker import Circuit
from image_router.core.budget import SECOND
from image_router.core.causes import Cause
from image_router.core.errors import StorageError
from image_router.core.events import (
    AttemptEnded,
    CircuitClosed,
    CircuitOpened,
    CircuitsSeen,
    Event,
    Paced,
    PaceEnded,
)
from image_router.core.journal import CallNote, ProcessReport, Queue, Shut
from image_router.engine.shelf import Shelf
from image_router.storage.journal import FRESH, Journal
from image_router.storage.objects import now_micros

if TYPE_CHECKING:
    from image_router.gateway.app import Duty, Parts

KEEP: Final = 30 * 86_400
"""Seconds for which calls stay in the journal."""
_EVERY: Final = 1.0
_SWEEPS: Final = 3_600.0
_MOST: Final = 10_000
"""Calls that wait to be written while the database is away; older ones are given up."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class JournalSink:
    """What happened since it was last written down, and what is the case now. One event loop."""

    notes: list[CallNote] = field(default_factory=list)
    _queues: Counter[tuple[str, str]] = field(default_factory=Counter)
    _shut: dict[Circuit, Shut] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        match event:
            case AttemptEnded():
                self.notes.append(_note(event))
            case Paced(model=model, limit=limit):
                self._queues[model, limit] += 1
            case PaceEnded(model=model, limit=limit):
                self._queues[model, limit] -= 1
            case CircuitOpened():
                self._shut[event.circuit] = _shut(event)
            case CircuitClosed(circuit=circuit):
                self._shut.pop(circuit, None)
            case CircuitsSeen(open=seen):
                self._shut = {circuit: one for circuit, one in self._shut.items() if circuit in seen}
            case _:
                return

    @property
    def report(self) -> ProcessReport:
        """What this process is at."""
        waiting = sorted(self._queues.items())
        return ProcessReport(
            queues=tuple(Queue(model=m, limit=limit, waiting=n) for (m, limit), n in waiting if n > 0),
            shut=tuple(self._shut[circuit] for circuit in sorted(self._shut)),
        )

    async def flush(self, journal: Journal) -> None:
        """Write the calls down. Raises StorageError; they are kept for the next time, the latest at least."""
        notes, self.notes = self.notes, []
        try:
            await journal.write(notes)
        except StorageError:
            self.notes = [*notes, *self.notes][-_MOST:]
            raise


@asynccontextmanager
async def journaling(parts: Parts, duty: Duty) -> AsyncIterator[None]:
    """Keep the journal for as long as the block lasts."""
    clerk = _Clerk(parts.journal, parts.noted, shelf=parts.router.shelf)
    working = asyncio.create_task(clerk.work())
    try:
        yield
    finally:
        clerk.stopping.set()
        await working


class _Clerk:
    def __init__(self, journal: Journal, sink: JournalSink, *, shelf: Shelf) -> None:
        self._journal, self._sink, self._shelf = journal, sink, shelf
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._told, self._told_at, self._swept = ProcessReport(), 0.0, 0.0
        self.stopping = asyncio.Event()

    async def work(self) -> None:
        """Write every second, until `stopping`; then for the last time."""
        while not self.stopping.is_set():
            await self._write_down()
            try:
                await asyncio.wait_for(self.stopping.wait(), _EVERY)
            except TimeoutError:
                continue
        await self._write_down(leaving=True)

    async def _write_down(self, *, leaving: bool = False) -> None:
        try:
            await self._sink.flush(self._journal)
            await self._shelf.note_uses()
            await self._tell(ProcessReport() if leaving else self._sink.report)
            await self._sweep()
        except StorageError as problem:
            _log.warning("the journal cannot be written: %s", problem)

    async def _tell(self, report: ProcessReport) -> None:
        """Say what is the case when it changed, and often enough to be believed."""
        now, nothing = time.monotonic(), ProcessReport()
        if report == self._told and (report == nothing or now - self._told_at < FRESH / 3):
            return
        if report == nothing:
            await self._journal.leave(self._owner)
        else:
            await self._journal.report(self._owner, report)
        self._told, self._told_at = report, now

    async def _sweep(self) -> None:
        now = time.monotonic()
        if not self._swept or now - self._swept > _SWEEPS:
            self._swept = now
            await self._journal.expire(keep=KEEP)


def _note(event: AttemptEnded) -> CallNote:
    attempt, sent = event.attempt, event.sent
    return CallNote(
        request_id=event.request_id,
        scope=sent.request.scope or "",
        model=attempt.model,
        tier=attempt.tier,
        cause=attempt.cause,
        detail="" if attempt.cause is Cause.OK else attempt.detail,
        elapsed=round(attempt.elapsed * SECOND),
        waited=round(sent.waited * SECOND),
    )


def _shut(event: CircuitOpened) -> Shut:
    now = now_micros()
    return Shut(
        circuit=event.circuit,
        cause=event.cause,
        detail=event.detail,
        opened_at=now,
        until=None if event.wait is None else now + round(event.wait * SECOND),
    )
