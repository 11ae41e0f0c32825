"""Drives attempts() against a provider for one image: waits, asks for a turn, sends, races, reports."""

from __future__ import annotations

from dataclasses import dataclass

from image_router.core.errors import (
    BudgetExceeded,
    HoldExpired,
    ImageRouterError,
    ProviderTimeout,
    StorageError,
)
from image_router.core.failover import Finish, Flow, Try, attempts
from image_router.core.failures import error_for
from image_router.core.outcome import Kind, Outcome
from image_router.core.results import Attempt, GeneratedImage
from image_router.engine.admission import Ask, Refusal
from image_router.engine.door import CALL_TIME, passing
from image_router.engine.jobs import Job, Run, Shot, Tally, Tools
from image_router.engine.racing import sent_or_raced

__all__ = ["Dispatched", "Job", "Tally", "Tools", "dispatch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched:
    """Either an image or an error, and every attempt with its cost."""

    image: GeneratedImage | None
    error: ImageRouterError | None
    attempts: tuple[Attempt, ...]


async def dispatch(job: Job, tools: Tools) -> Dispatched:
    """Make one image, as often and as long as the plan allows. Raises nothing the provider causes."""
    run = Run(job=job, tools=tools)
    if run.elapsed >= job.plan.deadline:
        return _too_late(job)
    flow: Flow = attempts(job.decision.candidates, job.plan, elapsed=run.elapsed)
    step = next(flow)
    while True:
        try:
            outcome = await _attempt(run, step)
        except (BudgetExceeded, HoldExpired, StorageError) as refusal:
            return Dispatched(image=None, error=refusal, attempts=tuple(run.tried))
        try:
            step = flow.send(run.report(outcome))
        except StopIteration as end:
            return _ended(run, end.value)
        run.intends(step)


def _too_late(job: Job) -> Dispatched:
    model = job.decision.head.model.id
    error = ProviderTimeout(
        f"{model}: the deadline of {job.plan.deadline:g} s for the whole request passed before image "
        f"{job.index + 1} was begun; nothing was sent for it. Ask for fewer images or a longer deadline.",
        model=model,
    )
    return Dispatched(image=None, error=error, attempts=())


async def _attempt(run: Run, step: Try) -> Outcome:
    """Wait for a turn, then call; a turn that is refused is an outcome too, and costs nothing."""
    job, tools = run.job, run.tools
    shot = Shot(step, number=len(run.tried) + 1)
    run.starting(shot)
    if step.wait:
        with job.watch.away():
            await tools.sleep(step.wait)
    ask = Ask.of(step.candidate, job.decision.request)
    permit = await tools.door.admit(ask, patience=max(0.0, step.timeout - CALL_TIME))
    if permit.queued:
        job.watch.was_away(permit.waited)
    if isinstance(permit, Refusal):
        run.refused(shot, permit.cause)
        return permit.outcome
    async with passing(tools.door, permit) as passage:
        run.taken = await sent_or_raced(run, shot, passage=passage)
    return run.taken.outcome


def _ended(run: Run, finish: Finish) -> Dispatched:
    tried, taken = tuple(run.tried), run.taken
    if taken is None or taken.image is None or finish.outcome.kind is not Kind.IMAGE:
        error = error_for(finish.outcome, model=finish.candidate.model.id, attempts=tried, stopped=finish.why)
        return Dispatched(image=None, error=error, attempts=tried)
    return Dispatched(image=taken.image, error=None, attempts=tried)
