"""The queue before a limit: scopes take turns for each model, and nobody waits for what cannot come in time.

Turns are taken within this process. Processes compete for the shared meters; each sends its fairest first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

from image_router.core.fairness import FairQueue
from image_router.core.pacing import MeterKey, Shortage
from image_router.engine.admission import Ask, Permit, Refusal, short

POLL = 1.0
"""Seconds after which shared meters are looked at again: other processes give back, too."""

Answer: TypeAlias = Permit | Refusal


@dataclass(slots=True, eq=False)
class Ticket:
    """One call that waits. Times on the steady clock."""

    ask: Ask
    number: int
    """Order of arrival among all models."""
    since: float
    expires: float
    answer: asyncio.Future[Answer]
    blocked_by: dict[MeterKey, int] = field(default_factory=dict)
    """Project-wide meters it is next on, and what it needs of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the queue needs from outside."""

    attempt: Callable[[Ticket], Awaitable[Answer | Shortage]]
    """Try to send a ticket's call now."""
    release: Callable[[Permit], Awaitable[None]]
    """Take a permit back that nobody waits for any more."""
    steady: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    shared: bool


@dataclass(slots=True, eq=False)
class _Line:
    """Those who wait for one model, and the task that serves them while there are any."""

    queue: FairQueue[Ticket] = field(default_factory=FairQueue)
    nudged: asyncio.Event = field(default_factory=asyncio.Event)
    server: asyncio.Task[None] | None = None


class WaitingRoom:
    """One line for each model."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._lines: dict[str, _Line] = {}
        self._numbers = count(1)

    def ticket(self, ask: Ask, patience: float) -> Ticket:
        """A ticket that waits for nothing yet."""
        now = self._door.steady()
        return Ticket(
            ask=ask,
            number=next(self._numbers),
            since=now,
            expires=now + patience,
            answer=asyncio.get_running_loop().create_future(),
        )

    def ahead(self, ask: Ask) -> list[Ask] | None:
        """Those who would go before it; None when nobody waits for its model."""
        line = self._lines.get(ask.model)
        if line is None or not len(line.queue):
            return None
        return [ticket.ask for ticket in line.queue.ahead(ask.scope)]

    def reserved(self, key: MeterKey, mine: Ticket) -> int:
        """What older tickets, next in the lines of other models, need of a project-wide meter.

        Without it, many cheap calls would keep one dear call waiting for ever.
        """
        heads = (line.queue.peek() for line in self._lines.values())
        older = (t for t in heads if t and t.number < mine.number and t.ask.model != mine.ask.model)
        return sum(ticket.blocked_by.get(key, 0) for ticket in older)

    async def wait(self, ticket: Ticket) -> Answer:
        """Wait in line. A caller who is cancelled leaves it, and returns a permit that came too late."""
        model, scope = ticket.ask.model, ticket.ask.scope
        line = self._lines.setdefault(model, _Line())
        line.queue.push(scope, ticket)
        self._serve(model, line)
        try:
            return await ticket.answer
        except asyncio.CancelledError:
            line.queue.remove(scope, ticket)
            line.nudged.set()
            if ticket.answer.done() and not ticket.answer.cancelled():
                await self._take_back(ticket.answer.result())
            raise

    def nudge(self) -> None:
        """Something was given back or closed: look again."""
        for line in self._lines.values():
            line.nudged.set()

    async def aclose(self) -> None:
        """Serve nobody any more; those who wait are cancelled."""
        for line in self._lines.values():
            if line.server:
                line.server.cancel()
            for ticket in line.queue:
                ticket.answer.cancel()
        servers = [line.server for line in self._lines.values() if line.server]
        await asyncio.gather(*servers, return_exceptions=True)

    def _serve(self, model: str, line: _Line) -> None:
        if line.server is None:
            line.server = asyncio.create_task(self._run(model, line))
            line.server.add_done_callback(lambda done: self._served(model, line, done))

    def _served(self, model: str, line: _Line, server: asyncio.Task[None]) -> None:
        """When its server broke, all who wait in a line are told: none waits for ever."""
        if server.cancelled() or not (problem := server.exception()):
            return
        self._lines.pop(model, None)
        for ticket in line.queue:
            line.queue.remove(ticket.ask.scope, ticket)
            if not ticket.answer.done():
                ticket.answer.set_exception(problem)

    async def _run(self, model: str, line: _Line) -> None:
        while (ticket := line.queue.peek()) is not None:
            line.nudged.clear()
            got = await self._door.attempt(ticket)
            if isinstance(got, Shortage):
                await self._pause(line, ticket, got)
            else:
                await self._answer(line, ticket, got)
        # In the same step as the last look, so that nobody joins a line that is served no more.
        del self._lines[model]

    async def _answer(self, line: _Line, ticket: Ticket, got: Answer) -> None:
        if ticket.answer.done():
            await self._take_back(got)
        elif isinstance(got, Permit):
            line.queue.take(ticket.ask.scope, ticket)
            ticket.answer.set_result(got)
        else:
            line.queue.remove(ticket.ask.scope, ticket)
            ticket.answer.set_result(got)

    async def _pause(self, line: _Line, ticket: Ticket, shortage: Shortage) -> None:
        now = self._door.steady()
        for late in self._late(line, ticket, shortage, now):
            line.queue.remove(late.ask.scope, late)
            late.answer.set_result(short(shortage, late.expires - now))
        if shortage.wait is None or line.queue.peek() is not ticket:
            return
        soonest = min(waiting.expires for waiting in line.queue) - now
        await self._sleep(line, min(shortage.wait, soonest, POLL if self._door.shared else shortage.wait))

    def _late(self, line: _Line, head: Ticket, shortage: Shortage, now: float) -> Iterator[Ticket]:
        """Those whose time ends before the first of the line may go; they come after it."""
        if shortage.wait is None:
            yield from (head,) if not head.answer.done() else ()
            return
        for ticket in list(line.queue):
            if ticket.expires - now < shortage.wait and not ticket.answer.done():
                yield ticket

    async def _sleep(self, line: _Line, seconds: float) -> None:
        naps = {
            asyncio.ensure_future(self._door.sleep(max(0.0, seconds))),
            asyncio.ensure_future(line.nudged.wait()),
        }
        try:
            await asyncio.wait(naps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for nap in naps:
                nap.cancel()
            await asyncio.gather(*naps, return_exceptions=True)

    async def _take_back(self, got: Answer) -> None:
        if isinstance(got, Permit):
            await self._door.release(got)
