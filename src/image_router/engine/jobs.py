"""One image on its way: the tools, the job, its calls, and what became of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from image_router.core.causes import Cause
from image_router.core.decision import Decision
from image_router.core.events import AttemptRefused, AttemptSent, AttemptStarted, Hedged, Sink
from image_router.core.failover import Plan, Tried, Try
from image_router.core.money import Nanos
from image_router.core.outcome import Kind, Outcome
from image_router.core.rates import RateCard
from image_router.core.results import Attempt, GeneratedImage
from image_router.core.storing import CacheMode
from image_router.engine.accounts import Account, NoAccount
from image_router.engine.admission import Permit
from image_router.engine.door import Door
from image_router.engine.hedging import Hedging
from image_router.engine.shelf import NoShelf, Shelf
from image_router.engine.watching import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What dispatching needs from outside; tests hand in their own clock and sleep."""

    door: Door
    card: RateCard
    announce: Sink
    account: Account = field(default_factory=NoAccount)
    shelf: Shelf = field(default_factory=NoShelf)
    cache: CacheMode = CacheMode.BYPASS
    hedging: Hedging = field(default_factory=Hedging)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(slots=True)
class Tally:
    """What all images of a request have cost so far, with what is at risk."""

    spent: Nanos = 0
    due: dict[int, Nanos] = field(default_factory=dict)
    """What each image that has not come is expected to cost: its next call counts before it is paid."""

    def beside(self, index: int) -> Nanos:
        """All that is spent, and due for the other images."""
        return self.spent + sum(cost for other, cost in self.due.items() if other != index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One of the n images of a request; all of them share its deadline."""

    request_id: str
    index: int
    decision: Decision
    plan: Plan
    started: float
    """The clock when the request began."""
    tally: Tally = field(default_factory=Tally)
    watch: Watch = field(default_factory=Watch)
    """Of the whole request, for the time that is not ours."""


@dataclass(slots=True)
class Shot:
    """One call: to be sent, or under way."""

    step: Try
    number: int
    beside: str | None = None
    """Model of the slow call that it is a hedge of."""
    after: float = 0.0
    """Seconds after which a hedge is sent."""
    at_risk: Nanos = 0
    began: float = 0.0
    sent: AttemptSent | None = None
    """None until it leaves."""

    @property
    def model(self) -> str:
        return self.step.candidate.model.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a call that was sent."""

    shot: Shot
    outcome: Outcome
    """As failover should see it."""
    attempt: Attempt
    image: GeneratedImage | None = None


@dataclass(slots=True)
class Run:
    """One job on its way: what was tried, and when it began."""

    job: Job
    tools: Tools
    tried: list[Attempt] = field(default_factory=list)
    taken: Taken | None = None
    """Of the last call that was made."""
    asked: str | None = None
    """Model of the last step, sent or not."""

    @property
    def elapsed(self) -> float:
        return self.tools.clock() - self.job.started

    def starting(self, shot: Shot) -> None:
        """A call wants to be made; that is announced."""
        self.tools.announce(
            AttemptStarted(
                request_id=self.job.request_id,
                index=self.job.index,
                number=shot.number,
                model=shot.model,
                wait=shot.step.wait,
            )
        )

    def sending(self, shot: Shot, permit: Permit) -> AttemptSent:
        """The call leaves now; that is announced."""
        sent = AttemptSent(
            request_id=self.job.request_id,
            index=self.job.index,
            number=shot.number,
            candidate=shot.step.candidate,
            request=self.job.decision.request,
            after=None if shot.beside else self.asked,
            waited=permit.waited if permit.queued else 0.0,
            project=permit.member.project,
            key=permit.member.name,
        )
        shot.sent, shot.began = sent, self.tools.clock()
        self._asked(shot)
        self.tools.announce(sent)
        return sent

    def _asked(self, shot: Shot) -> None:
        if not shot.beside:
            self.asked = shot.model
        elif shot.sent:
            self.tools.hedging.hedged()
            self.tools.announce(
                Hedged(
                    request_id=self.job.request_id,
                    index=self.job.index,
                    first=shot.beside,
                    second=shot.model,
                    after=shot.after,
                )
            )

    def refused(self, shot: Shot, cause: Cause) -> None:
        """The call was not sent; that is announced."""
        self._asked(shot)
        self.tools.announce(
            AttemptRefused(
                request_id=self.job.request_id,
                index=self.job.index,
                number=shot.number,
                model=shot.model,
                cause=cause,
            )
        )

    def note(self, attempt: Attempt) -> None:
        self.tried.append(attempt)
        self.job.tally.spent += attempt.cost.total + attempt.at_risk
        if attempt.kind is Kind.IMAGE:
            self.job.tally.due.pop(self.job.index, None)

    def intends(self, step: Try) -> None:
        """The step is to be taken: the other images must leave room for it."""
        if self.job.index in self.job.tally.due:
            self.job.tally.due[self.job.index] = step.candidate.quote.per_image

    @property
    def spent_in_all(self) -> Nanos:
        """On all images, with what is at risk and what the others are still expected to cost."""
        return self.job.tally.beside(self.job.index)

    @property
    def spent(self) -> Nanos:
        """On this image so far, with what is at risk."""
        return sum(attempt.cost.total + attempt.at_risk for attempt in self.tried)

    def report(self, outcome: Outcome) -> Tried:
        return Tried(outcome=outcome, elapsed=self.elapsed, spent=self.spent, spent_in_all=self.spent_in_all)
