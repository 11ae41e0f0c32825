"""One call, or two where the first takes unusually long. When that is so, engine/hedging knows."""

from __future__ import annotations

from dataclasses import replace

from image_router.core.decision import Candidate
from image_router.core.errors import BudgetExceeded, HoldExpired
from image_router.core.failover import Try, too_dear
from image_router.core.outcome import Kind
from image_router.engine.admission import Ask, Refusal
from image_router.engine.door import Passage, passing
from image_router.engine.hedging import Leg, race, rival
from image_router.engine.jobs import Run, Shot, Taken
from image_router.engine.sending import give_up, send


async def sent_or_raced(run: Run, shot: Shot, *, passage: Passage) -> Taken:
    """Make the call, and beside it another one when it is slow and hedging is on."""
    candidate = rival(run.job.decision, shot.step.candidate)
    after = run.tools.hedging.after(shot.model) if candidate else None
    if candidate is None or after is None:
        return await send(run, shot, passage=passage)
    step = Try(candidate=candidate, timeout=shot.step.timeout)
    other = Shot(step, number=shot.number + 1, beside=shot.model, after=after)
    return await _raced(run, shot, other, passage=passage)


async def _raced(run: Run, first: Shot, other: Shot, *, passage: Passage) -> Taken:
    """The side that won. The other one is written down too: as it ended, or as unknown when it was sent."""
    raced = await race(
        Leg(run=lambda: send(run, first, passage=passage), lost=lambda: None),
        Leg(run=lambda: _beside(run, first, other), lost=lambda: None),
        after=other.after,
        good=lambda taken: taken.outcome.kind is Kind.IMAGE,
        sleep=run.tools.sleep,
    )
    ended = {attempt.number for attempt in run.tried}
    for shot in (first, other):
        if shot.sent and shot.number not in ended:
            await give_up(run, shot, winner=raced.winner.shot)
    return raced.winner


async def _beside(run: Run, first: Shot, other: Shot) -> Taken | None:
    """The second call; None when it may not be made. It waits in no line and keeps the caller's limits."""
    job, tools, candidate = run.job, run.tools, other.step.candidate
    left = job.plan.deadline - run.elapsed
    if left <= 0 or _above_limits(run, first, candidate):
        return None
    other.step = replace(other.step, timeout=left)
    run.starting(other)
    permit = await tools.door.admit(Ask.of(candidate, job.decision.request), patience=0.0)
    if isinstance(permit, Refusal):
        run.refused(other, permit.cause)
        return None
    try:
        async with passing(tools.door, permit) as passage:
            return await send(run, other, passage=passage)
    except (BudgetExceeded, HoldExpired):
        return None


def _above_limits(run: Run, first: Shot, candidate: Candidate) -> bool:
    spent, in_all = run.spent + first.at_risk, run.spent_in_all + first.at_risk
    return too_dear(candidate, run.job.plan, spent=spent, spent_in_all=in_all) is not None
