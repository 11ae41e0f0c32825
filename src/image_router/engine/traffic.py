"""The way to the provider: who is well, who may send now, and what each call taught.

admit → Permit: send through permit.member, then report · Refusal: its .outcome goes to failover instead
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from image_router.core.breaker import Place
from image_router.core.causes import Cause, FailureScope, Retry
from image_router.core.errors import StorageError
from image_router.core.events import LimitLearned, Paced, PaceEnded
from image_router.core.money import Nanos
from image_router.core.outcome import Outcome
from image_router.core.pacing import (
    Aftermath,
    Charge,
    Limit,
    Load,
    Meter,
    MeterKey,
    Meters,
    Moment,
    Shortage,
    admit,
    allowed,
    heeds,
    sent,
    settle,
    worst,
)
from image_router.engine.admission import Ask, Permit, Refusal, TrafficParts, ill, short
from image_router.engine.circuits import Circuits, OpenCircuit
from image_router.engine.pauses import Pauses
from image_router.engine.pool import Member
from image_router.engine.waiting import Door, Ticket, WaitingRoom

log = logging.getLogger("image_router")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSnapshot:
    """What deciding may know of the provider's health."""

    open_circuits: frozenset[str] = frozenset()
    """Models not to be called now."""
    gone: frozenset[str] = frozenset()
    """Models that do not exist for any of our projects: the next living one of their tier serves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One meter, for showing. Dollars in nano-dollars."""

    key: MeterKey
    sent: int
    allowed: int | None
    published: int | None


class Traffic:
    """Circuit breakers, pacing and the pool behind one door. One event loop, many tasks."""

    def __init__(self, parts: TrafficParts) -> None:
        self._parts = parts
        self._circuits, self._pauses = Circuits(parts), Pauses(parts)
        self._limits = cache(parts.rules.limits)
        door = Door(
            attempt=self._attempt,
            release=self.release,
            steady=parts.steady,
            sleep=parts.sleep,
            shared=parts.store.shared,
        )
        self._room = WaitingRoom(door)

    async def snapshot(self) -> TrafficSnapshot:
        """Which models are to be left alone; starts the free probes that are due.

        A key or project that is ill shuts no model: asking then is refused with its own reason.
        """
        await self._circuits.refresh()
        return TrafficSnapshot(open_circuits=self._circuits.shut(), gone=self._circuits.shut(gone=True))

    async def admit(self, ask: Ask, *, patience: float) -> Permit | Refusal:
        """A permit to send now, after waiting at most `patience` seconds; or at once a refusal that says
        how long it would take. Every permit is either reported or released. Raises StorageError when the
        shared store fails: nothing was sent."""
        ticket = self._room.ticket(ask, patience)
        ahead = self._room.ahead(ask)
        got = await (self._attempt(ticket) if ahead is None else self._estimate(ticket, ahead))
        if not isinstance(got, Shortage):
            return got
        if got.wait is None or got.wait > patience:
            return short(got, patience)
        return await self._in_line(ticket, got.limit.name, got.wait)

    async def _in_line(self, ticket: Ticket, limit: str, wait: float) -> Permit | Refusal:
        ask, steady, announce = ticket.ask, self._parts.steady, self._parts.announce
        if wait:
            announce(Paced(model=ask.model, scope=ask.scope, limit=limit, wait=wait))
        try:
            got = await self._room.wait(ticket)
        finally:
            waited = steady() - ticket.since
            if wait:
                announce(PaceEnded(model=ask.model, scope=ask.scope, limit=limit, waited=waited))
        return replace(got, waited=waited, queued=True)

    def why(self, model: str) -> Refusal:
        """What keeps calls from a model that the last snapshot shows as shut."""
        return self._ill(model, self._parts.pool.members)

    async def report(self, permit: Permit, outcome: Outcome, *, spent: Nanos | None) -> Outcome:
        """Learn from what came; `spent` is None when it may have been billed and nobody knows.

        Returns the outcome as failover should see it: what is ill in one project is worth another try
        through the next. A store that fails is logged: it must not lose the picture that was paid.
        """
        after = Aftermath(
            cause=outcome.cause,
            sent=outcome.cause is not Cause.UNREACHABLE,
            spent=spent,
            wait=outcome.retry_after,
        )
        try:
            await self._settle(permit, after)
            await self._circuits.report(permit.route, outcome, probing=permit.probing)
        except StorageError as problem:
            log.error("what came of a call to %s could not be noted: %s", permit.ask.model, problem)
        self._room.nudge()
        return self._with_others(permit, outcome)

    async def release(self, permit: Permit) -> None:
        """Give back a permit that was not used. A store that fails is logged: the charge ages by itself."""
        try:
            await self._settle(permit, Aftermath(cause=Cause.OK, sent=False))
            await self._circuits.give_back(permit.probing)
        except StorageError as problem:
            log.error("a permit for %s could not be given back: %s", permit.ask.model, problem)
        self._room.nudge()

    async def bind(self, resource: str, permit: Permit, *, until: float) -> None:
        """A file or batch was made with this permit; it stays with its key. `until`: epoch seconds."""
        await self._parts.store.bind(resource, permit.member.name, until=until)

    @property
    def members(self) -> tuple[Member, ...]:
        """All keys of the pool."""
        return self._parts.pool.members

    async def owner(self, resource: str) -> Member | None:
        """The key that made a file or batch, and alone may use it; of one key, all are its own."""
        pool = self._parts.pool
        if len(pool.members) == 1:
            return pool.members[0]
        return pool.member(await self._parts.store.owner(resource) or "")

    async def circuits(self) -> tuple[OpenCircuit, ...]:
        """Everything that is not well."""
        await self._circuits.refresh()
        return tuple(self._circuits.listed())

    async def gauges(self) -> tuple[Gauge, ...]:
        """What was sent in each window, and what may be."""
        meters, now = await self._parts.store.meters()
        return tuple(self._gauge(key, meters[key], now) for key in sorted(meters) if self._limit_of(key))

    async def aclose(self) -> None:
        """Stop probing and serving; those who wait are cancelled. The pool is closed by its owner."""
        await self._room.aclose()
        await self._circuits.aclose()

    async def _attempt(self, ticket: Ticket) -> Permit | Refusal | Shortage:
        ask, pool = ticket.ask, self._parts.pool
        members = await self._members(ask)
        if isinstance(members, Refusal):
            return members
        able = await self._able(ask, members)
        shortest: Shortage | None = None
        for member in pool.in_turn(able):
            got = await self._charge(ticket, member)
            if isinstance(got, Shortage):
                shortest = _sooner(shortest, got)
                continue
            waited = self._parts.steady() - ticket.since
            permit = Permit(ask=ask, member=member, charges=got, waited=waited)
            probing = await self._circuits.claim(permit.route)
            if probing is not None:
                pool.took(member, able)
                return replace(permit, probing=probing)
            await self._settle(permit, Aftermath(cause=Cause.OK, sent=False))
        return shortest or self._ill(ask.model, members)

    async def _estimate(self, ticket: Ticket, ahead: Sequence[Ask]) -> Permit | Refusal | Shortage:
        """How long it takes behind those who wait already. They are spread over the projects; where one has
        no limits, nobody needs to wait."""
        members = await self._members(ticket.ask)
        if isinstance(members, Refusal):
            return members
        able = await self._able(ticket.ask, members)
        if any(not self._limits(ticket.ask.model, member.project) for member in able):
            return await self._attempt(ticket)
        projects = {member.project for member in able}
        shortest: Shortage | None = None
        for project in projects:
            loads = self._loads(ticket, project, ahead, share=len(projects))
            shortest = _sooner(shortest, await self._look(loads))
        return shortest or self._ill(ticket.ask.model, members)

    async def _able(self, ask: Ask, members: Sequence[Member]) -> list[Member]:
        await self._circuits.refresh()
        return [m for m in members if self._circuits.blocking(m.route(ask.model)) is None]

    async def _members(self, ask: Ask) -> Sequence[Member] | Refusal:
        """All members, or the one that owns what the call uses."""
        if not ask.resources:
            return self._parts.pool.members
        owners = [await self.owner(resource) for resource in ask.resources]
        member = owners[0]
        if member is not None and all(owner is member for owner in owners):
            return (member,)
        listed = ", ".join(ask.resources)
        return Refusal(
            cause=Cause.FILE_GONE,
            detail=f"not sent: {listed} belong to no one key of the pool; upload them again with one",
            wait=None,
            scope=FailureScope.REQUEST,
            retry=Retry.NEVER,
        )

    def _ill(self, model: str, members: Sequence[Member]) -> Refusal:
        """The refusal of the circuit that is tried again soonest."""
        now = self._circuits.now
        ways = (self._circuits.blocking(member.route(model)) for member in members)
        refusals = [ill(circuit, breaker, now=now) for circuit, breaker in filter(None, ways)]
        if not refusals:
            return Refusal(
                cause=Cause.CAPACITY,
                detail=f"not sent: another call is trying whether {model} is well again",
                wait=1.0,
            )
        return min(refusals, key=lambda no: float("inf") if no.wait is None else no.wait)

    async def _charge(self, ticket: Ticket, member: Member) -> tuple[Charge, ...] | Shortage:
        loads, learning = self._loads(ticket, member.project), self._parts.rules.book.learning
        if any(load.limit.counted for load in loads):
            got = await self._parts.store.change_meters(
                [load.key for load in loads],
                lambda meters, now: admit(meters, loads, learning=learning, now=now),
            )
        else:
            meters, now = await self._pauses.look()
            _, got = admit(meters, loads, learning=learning, now=now)
        if isinstance(got, Shortage) and got.limit.by_project:
            blocked = next(load for load in loads if load.limit is got.limit)
            ticket.blocked_by[blocked.key] = blocked.amount
        return got

    async def _look(self, loads: Sequence[Load]) -> Shortage:
        learning = self._parts.rules.book.learning

        def change(meters: Meters, now: Moment) -> tuple[Meters, Shortage | None]:
            return {}, worst(meters, loads, learning=learning, now=now)

        found = await self._parts.store.change_meters([load.key for load in loads], change)
        return found or Shortage(limit=loads[0].limit, wait=0.0, allowed=None)

    def _loads(
        self, ticket: Ticket, project: str, ahead: Sequence[Ask] = (), *, share: int = 1
    ) -> list[Load]:
        ask = ticket.ask
        loads = []
        for limit in self._limits(ask.model, project):
            key = MeterKey(project=project, model="" if limit.by_project else ask.model, limit=limit.name)
            before = sum(other.amount(limit.resource) for other in ahead) // share
            if limit.by_project:
                before += self._room.reserved(key, ticket)
            amount = ask.amount(limit.resource)
            loads.append(Load(key=key, limit=limit, amount=amount, ahead=before))
        return loads

    async def _settle(self, permit: Permit, after: Aftermath) -> None:
        learning, charges = self._parts.rules.book.learning, permit.charges
        if not any(charge.limit.counted or heeds(charge, after) for charge in charges):
            return

        def change(meters: Meters, now: Moment) -> tuple[Meters, list[LimitLearned]]:
            settled = settle(meters, charges, after=after, learning=learning, now=now)
            lessons = (c for c in charges if after.cause in c.limit.learns_from and c.limit.counted)
            return settled, [self._lesson(c, settled[c.key], now) for c in lessons]

        for lesson in await self._parts.store.change_meters([c.key for c in charges], change):
            self._parts.announce(lesson)
        self._pauses.forget()

    def _lesson(self, charge: Charge, meter: Meter, now: Moment) -> LimitLearned:
        limit, learning = charge.limit, self._parts.rules.book.learning
        return LimitLearned(
            project=charge.key.project,
            model=charge.key.model,
            limit=limit.name,
            allowed=allowed(meter, limit, learning=learning, now=now) or 0,
            published=limit.amount,
        )

    def _with_others(self, permit: Permit, outcome: Outcome) -> Outcome:
        """Failures of one project or key are retried through another that is well, without a wait."""
        rule = next((r for r in self._parts.rules.trips if outcome.cause in r.causes), None)
        local = rule is not None and rule.at is not Place.MODEL
        paced = any(outcome.cause in charge.limit.learns_from for charge in permit.charges)
        if not (local or paced) or permit.ask.resources:
            return outcome
        model, mine = permit.ask.model, permit.member
        others = (
            member
            for member in self._parts.pool.members
            if member is not mine
            and (member.project != mine.project or not paced)
            and self._circuits.blocking(member.route(model)) is None
        )
        if next(others, None) is None:
            return outcome
        return replace(outcome, retry=Retry.CAPACITY, retry_after=None, scope=FailureScope.MODEL)

    def _limit_of(self, key: MeterKey) -> Limit | None:
        limits = self._limits(key.model, key.project)
        return next((limit for limit in limits if limit.name == key.limit), None)

    def _gauge(self, key: MeterKey, meter: Meter, now: Moment) -> Gauge:
        limit = self._limit_of(key)
        if limit is None:
            raise AssertionError("only meters of a known limit come here")
        learning = self._parts.rules.book.learning
        return Gauge(
            key=key,
            sent=sent(meter, limit, now=now),
            allowed=allowed(meter, limit, learning=learning, now=now),
            published=limit.amount,
        )


def _sooner(one: Shortage | None, other: Shortage) -> Shortage:
    if one is None or one.wait is None:
        return other
    return one if other.wait is None or one.wait <= other.wait else other
