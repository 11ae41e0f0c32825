"""The circuits as this process sees them: read from the store, probed when due, told what calls brought.

Only what is open is shared; failures in a row are counted by each process for itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

from image_router.core.breaker import (
    Breaker,
    BreakerState,
    Circuit,
    Probe,
    Route,
    claimed,
    delayed,
    failed,
    proves_health,
    rule_of,
    succeeded,
    undecided,
)
from image_router.core.catalog import Model
from image_router.core.causes import Kind
from image_router.core.events import CircuitClosed, CircuitOpened, CircuitsSeen
from image_router.core.outcome import Outcome
from image_router.core.pacing import Moment
from image_router.engine.admission import TrafficParts
from image_router.engine.pool import Member
from image_router.providers.base import Entitlement
from image_router.storage.traffic_memory import BreakerChange

log = logging.getLogger("image_router")

FRESH = 1.0
"""Seconds for which what was read of a shared store is used."""
FREE_CLAIM = 60.0
"""Seconds a free probe has: twice its timeout."""
CLAIM = 600.0
"""Seconds a caller has for the probe it claimed: as long as the slowest call."""
ASK_AGAIN = 300.0
"""Seconds after a free probe that told nothing, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCircuit:
    """One circuit that is not closed, for showing."""

    circuit: Circuit
    state: BreakerState
    breaker: Breaker
    wait: float | None
    """Seconds until it is tried again; None: never by itself."""


class Circuits:
    """What is ill. Call `refresh` before asking."""

    def __init__(self, parts: TrafficParts) -> None:
        self._parts = parts
        self._rules = {rule.name: rule for rule in parts.rules.trips}
        self._known: dict[Circuit, Breaker] = {}
        self._streaks: dict[Circuit, Breaker] = {}
        self._probes: dict[Circuit, asyncio.Task[None]] = {}
        self._read_at, self._offset = -inf, 0.0
        self._told: frozenset[Circuit] = frozenset()

    async def refresh(self) -> None:
        """Read the shared circuits when what is known grows old, and start the free probes that are due."""
        store, steady = self._parts.store, self._parts.steady()
        if not store.shared or steady - self._read_at >= FRESH:
            found, moment = await store.circuits()
            self._known = dict(found)
            self._take_time(moment)
            self._tell_all()
        for circuit, breaker in self._known.items():
            if self._waits_for_free_probe(breaker) and circuit not in self._probes:
                self._start_probe(circuit, breaker)

    @property
    def now(self) -> float:
        """The store's wall clock, carried on by our steady one: no jump of the local clock is seen."""
        return self._parts.steady() + self._offset

    def blocking(self, route: Route) -> tuple[Circuit, Breaker] | None:
        """The widest circuit that keeps a call from being sent; None: it may go, perhaps as a probe."""
        for circuit in route.circuits:
            breaker = self._known.get(circuit)
            if breaker and self._blocks(breaker):
                return circuit, breaker
        return None

    async def claim(self, route: Route) -> tuple[Circuit, ...] | None:
        """Take the probes of all circuits on the way that are due; None when another caller was quicker."""
        taken: list[Circuit] = []
        for circuit in route.circuits:
            if circuit not in self._known:
                continue
            before, after = await self._change(circuit, lambda b, m: claimed(b, m.wall, lease=CLAIM) or b)
            if after != before:
                taken.append(circuit)
            elif after.trips:
                await self.give_back(taken)
                return None
        return tuple(taken)

    async def give_back(self, probing: Iterable[Circuit]) -> None:
        """The probes told nothing; the next caller may try."""
        for circuit in probing:
            await self._change(circuit, lambda b, m: undecided(b))

    async def report(self, route: Route, outcome: Outcome, *, probing: Iterable[Circuit] = ()) -> None:
        """Learn from what one call brought."""
        tripped = None
        if proves_health(outcome):
            await self._healed(route)
        elif rule := rule_of(outcome, self._parts.rules.trips):
            tripped = route.circuit(rule.at)
            await self._failed(tripped, outcome, route.model)
        known = self._known
        await self.give_back(c for c in probing if c != tripped and c in known)

    def shut(self, *, gone: bool = False) -> frozenset[str]:
        """Models that no project may be asked for now; `gone`: those that exist for none of them."""
        models = {circuit.model for circuit in self._known if circuit.model}
        projects = self._parts.pool.projects
        return frozenset(m for m in models if all(self._model_shut(p, m, gone) for p in projects))

    def listed(self) -> Iterator[OpenCircuit]:
        """Everything that is not closed."""
        for circuit, breaker in sorted(self._known.items()):
            state = breaker.state(self.now)
            yield OpenCircuit(circuit=circuit, state=state, breaker=breaker, wait=breaker.wait(self.now))

    async def aclose(self) -> None:
        """Stop probing."""
        tasks = list(self._probes.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take_time(self, moment: Moment) -> None:
        self._read_at = self._parts.steady()
        self._offset = moment.wall - self._read_at

    def _blocks(self, breaker: Breaker) -> bool:
        busy = breaker.state(self.now) in (BreakerState.OPEN, BreakerState.PROBING)
        return busy or self._waits_for_free_probe(breaker)

    def _waits_for_free_probe(self, breaker: Breaker) -> bool:
        rule = self._rules.get(breaker.rule)
        return (
            rule is not None
            and rule.probe is Probe.FREE
            and breaker.state(self.now) is BreakerState.HALF_OPEN
            and self._parts.models(breaker.model) is not None
        )

    def _model_shut(self, project: str, model: str, gone: bool) -> bool:
        found = (self._known.get(Circuit(project=at, model=model)) for at in (project, ""))
        if gone:
            rules = (self._rules.get(breaker.rule) for breaker in found if breaker)
            return any(rule is not None and rule.gone for rule in rules)
        return any(breaker is not None and self._blocks(breaker) for breaker in found)

    async def _healed(self, route: Route) -> None:
        for circuit in route.circuits:
            self._streaks.pop(circuit, None)
            breaker = self._known.get(circuit)
            if breaker and breaker.state(self.now) is not BreakerState.OPEN:
                await self._change(circuit, lambda b, m: succeeded(b, m.wall))

    async def _failed(self, circuit: Circuit, outcome: Outcome, model: str) -> None:
        rule = rule_of(outcome, self._parts.rules.trips)
        if rule is None:
            raise AssertionError("only failures that a rule names come here")
        counted = self._streaks.get(circuit, Breaker())
        if circuit not in self._known:
            after = failed(counted, rule, outcome=outcome, model=model, now=self.now)
            if not after.trips:
                self._streaks[circuit] = after
                return

        def trip(stored: Breaker, moment: Moment) -> Breaker:
            before = stored if stored.trips else counted
            return failed(before, rule, outcome=outcome, model=model, now=moment.wall)

        await self._change(circuit, trip)
        self._streaks.pop(circuit, None)

    async def _change(self, circuit: Circuit, change: BreakerChange) -> tuple[Breaker, Breaker]:
        before, after, moment = await self._parts.store.change_circuit(circuit, change)
        self._offset = moment.wall - self._parts.steady()
        if after.trips:
            self._known[circuit] = after
        else:
            self._known.pop(circuit, None)
        self._tell(circuit, before, after, moment.wall)
        self._tell_all()
        return before, after

    def _tell(self, circuit: Circuit, before: Breaker, after: Breaker, now: float) -> None:
        if before.trips and not after.trips:
            lasted = now - before.opened_at
            self._parts.announce(CircuitClosed(circuit=circuit, cause=before.cause, lasted=lasted))
        elif after.trips != before.trips or after.rule != before.rule:
            self._parts.announce(
                CircuitOpened(
                    circuit=circuit,
                    cause=after.cause,
                    detail=after.detail,
                    opening=after.trips,
                    wait=after.wait(now),
                )
            )

    def _tell_all(self) -> None:
        """Other processes open and close circuits, too: what is seen to be open is news of its own."""
        if (seen := frozenset(self._known)) != self._told:
            self._told = seen
            self._parts.announce(CircuitsSeen(open=seen))

    def _start_probe(self, circuit: Circuit, breaker: Breaker) -> None:
        model, member = self._parts.models(breaker.model), self._prober(circuit)
        if model is None or member is None:
            return
        task = asyncio.create_task(self._probe(circuit, member, model))
        self._probes[circuit] = task
        task.add_done_callback(lambda done: self._probed(circuit, done))

    def _probed(self, circuit: Circuit, task: asyncio.Task[None]) -> None:
        self._probes.pop(circuit, None)
        if not task.cancelled() and (problem := task.exception()):
            log.error("the free probe of %s failed", circuit, exc_info=problem)

    def _prober(self, circuit: Circuit) -> Member | None:
        """A member on the circuit; None when only other processes have one."""
        members = self._parts.pool.members
        on_it = (m for m in members if circuit.project in ("", m.project) and circuit.key in ("", m.name))
        return next(on_it, None)

    async def _probe(self, circuit: Circuit, member: Member, model: Model) -> None:
        before, mine = await self._change(circuit, lambda b, m: claimed(b, m.wall, lease=FREE_CLAIM) or b)
        if mine == before:
            return
        answer = await member.provider.probe(model)
        await self._change(circuit, lambda b, m: self._after_probe(circuit, b, answer, m.wall))

    def _after_probe(self, circuit: Circuit, breaker: Breaker, answer: Entitlement, now: float) -> Breaker:
        rule = self._rules.get(breaker.rule)
        if rule is None:
            return breaker  # closed meanwhile, by a call that was still on its way
        key_is_well = bool(circuit.key) and answer is Entitlement.NOT_FOUND
        if answer is Entitlement.ENTITLED or key_is_well:
            return Breaker()
        still_ill = Entitlement.KEY_REFUSED if circuit.key else Entitlement.NOT_FOUND
        if answer is not still_ill:
            return delayed(breaker, now, seconds=min(rule.seconds, ASK_AGAIN))
        words = Outcome(kind=Kind.FAILED, cause=breaker.cause, detail=breaker.detail)
        return failed(breaker, rule, outcome=words, model=breaker.model, now=now)
