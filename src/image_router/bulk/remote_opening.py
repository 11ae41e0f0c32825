"""From the intent to a job that the provider has: placed, uploaded, paid for, created, or found again.

Creating a job twice is paying twice, and nothing at the provider prevents it. So the job is asked for on disk
before it is asked for there, and after any doubt it is looked for by its name, several times, with a wait
between, before it is created again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from image_router.bulk.remote_inputs import Input, Line, fresh, upload_input
from image_router.bulk.remote_parts import MICROS, LaneParts, Looked
from image_router.bulk.remote_releasing import let_wait, released
from image_router.core.book import Book
from image_router.core.budget import check_amount
from image_router.core.errors import BudgetExceeded, ImageRouterError
from image_router.core.failures import error_for
from image_router.core.holds import AttemptKey, HoldRequest, Sending
from image_router.core.ids import new_id
from image_router.core.money import Nanos
from image_router.core.outcome import Expected, Outcome, Retry, classify
from image_router.core.packing import NoRoom, ProjectUse, Weight, place
from image_router.core.reply import ApiError, Reply
from image_router.core.runs import Run
from image_router.core.types import Lane
from image_router.providers.base import Unreachable
from image_router.providers.batch_wire import Operation
from image_router.providers.batches import Declined, InDoubt
from image_router.storage.database import Transaction
from image_router.storage.remote_jobs import change_job, find_job
from image_router.storage.remote_jobs_tables import RemoteJob, RemoteState
from image_router.storage.runs_rows import mark_sent
from image_router.storage.steps import Step, take_steps

LONGEST_HOLD: Final = 96 * 3600.0
"""Seconds without a look until the money of a job is given up: two days of life, and two to fetch it."""
_REFUSED_WAITS: Final = (60.0, 3600.0)
"""Seconds until a creation that was refused for lack of room is tried again: first, longest."""
_log = logging.getLogger(__name__)


async def opened(parts: LaneParts, job: RemoteJob) -> Looked:
    """The next step of a job that the provider does not have yet, or may have.

    Raises BudgetExceeded where not one of its rows fits, ProviderError where the provider will not have it:
    then its rows wait again, and nothing was paid.
    """
    if job.state is RemoteState.ASKED:
        return await _found_or_created(parts, job)
    projects = parts.projects
    weight = Weight(
        rows=job.rows, input_bytes=job.input_bytes, result_bytes=job.result_bytes, tokens=job.tokens
    )

    def choose(uses: list[ProjectUse]) -> str | NoRoom:
        return place(weight, job.model, uses=uses, limits=parts.limits)

    if job.project not in projects:
        placed = await parts.jobs.place(job.id, projects, choose=choose)
        if isinstance(placed, NoRoom):
            wait = parts.limits.polling.longest
            return await parts.waiting(job, wait, reason=f"no room for a batch job: {placed.reason}")
        member = parts.member_of(placed)
        job = await parts.jobs.change(job.id, member=member.name)
    return await _uploaded_and_paid(parts, job)


async def _uploaded_and_paid(parts: LaneParts, job: RemoteJob) -> Looked:
    run = await parts.runs.get(job.run_id)
    try:
        given = await upload_input(parts, job, run=run)
    except (Unreachable, Declined) as problem:
        return await _put_off(parts, job, problem)
    if given is None:
        job = await _closed(parts, job)
        return Looked(job=job.id, state=job.state, reason=job.reason)
    try:
        paid = await parts.db.write(lambda tx: _paid(tx, job, given=given))
    except BudgetExceeded as refusal:
        return await _shrunk(parts, job, given.lines, refusal=refusal)
    return await _created(parts, paid) if paid else await _elsewhere(parts, job)


async def _put_off(parts: LaneParts, job: RemoteJob, problem: Unreachable | Declined) -> Looked:
    """Nothing was created; again later, or never where the provider says why not."""
    if isinstance(problem, Declined):
        outcome = _meaning(problem.error)
        if outcome.retry is not Retry.CAPACITY:
            raise await _given_back(parts, job, outcome)
        return await _later(parts, job, outcome)
    return await parts.waiting(job, parts.pause(job.looks), reason=str(problem), looks=job.looks + 1)


async def _closed(parts: LaneParts, job: RemoteJob) -> RemoteJob:
    now = await parts.jobs.now()
    reason = "none of its rows could be sent in a batch"
    return await parts.jobs.change(job.id, state=RemoteState.ENDED, ended_at=now, rows=0, reason=reason)


def _paid(tx: Transaction, job: RemoteJob, *, given: Input) -> RemoteJob | None:
    """Hold the money, note every row as sent, say that the job is about to be asked for: all or nothing.

    None: another process, to which this one seemed dead, was first.
    """
    if find_job(tx, job.id).state is not RemoteState.INTENT:
        return None
    hold_id = new_id("hold_", digits=20)
    wanted = _hold_for(job, given.lines)
    steps = [Step(act=lambda book: book.hold(wanted, hold_id), hold_id=hold_id, scope=job.scope)]
    steps += [_sending(hold_id, line) for line in given.lines]
    results, _ = take_steps(tx, steps)
    for result in results:
        if isinstance(result, ImageRouterError):
            raise result
    numbers = [line.number for line in given.lines]
    mark_sent(tx, job.run_id, numbers=numbers, hold_id=hold_id, remote_job=job.id)
    return change_job(
        tx,
        job.id,
        state=RemoteState.ASKED,
        hold_id=hold_id,
        rows=len(numbers),
        input_file=given.file,
        input_until=given.until,
        asked_at=tx.now.wall,
        look_at=tx.now.wall,
        lists=0,
        reason="",
    )


def _hold_for(job: RemoteJob, lines: Sequence[Line]) -> HoldRequest:
    ceilings = [line.ceiling for line in lines]
    return HoldRequest(
        request_id=job.id,
        owner=job.owner,
        scope=job.scope,
        amount=check_amount(sum(ceilings), f"the cost of batch job {job.id}"),
        per_image=max(ceilings),
        model=job.model,
        tier=job.tier,
        purpose=job.purpose,
        lane=Lane.BATCH,
        deadline=LONGEST_HOLD,
    )


def _sending(hold_id: str, line: Line) -> Step:
    key = AttemptKey(number=1, request_id=line.request_id)
    call = Sending(attempt=key, at_risk=line.ceiling)

    def act(book: Book) -> None:
        book.sent(hold_id, call)

    return Step(act=act, hold_id=hold_id, key=key)


async def _shrunk(
    parts: LaneParts, job: RemoteJob, lines: Sequence[Line], *, refusal: BudgetExceeded
) -> Looked:
    """Keep as many rows as there is money for; the others wait for another job. Raises the refusal where
    that is not one."""
    kept = affordable(lines, refusal)
    left = [line.number for line in lines[kept:]]
    run = await parts.runs.get(job.run_id)
    await parts.db.write(lambda tx: let_wait(tx, job, numbers=left, scope=run.scope))
    if not kept:
        await _closed(parts, job)
        raise refusal
    job = await parts.jobs.change(job.id, rows=kept)
    return Looked(job=job.id, state=job.state, reason=f"{len(left)} rows wait for money: {refusal}")


def affordable(lines: Sequence[Line], refusal: BudgetExceeded) -> int:
    """How many rows from the first on fit what the refusing budget has left; always fewer than all."""
    short = refusal.shortfall
    if short is None or short.window == "request":
        return 0
    room: Nanos = short.cap - short.spent - short.held
    fit = 0
    for line in lines[:-1]:
        room -= line.ceiling
        if room < 0:
            break
        fit += 1
    return fit


async def _elsewhere(parts: LaneParts, job: RemoteJob) -> Looked:
    """Somebody else went on with it meanwhile."""
    job = await parts.db.read(lambda tx: find_job(tx, job.id))
    return Looked(job=job.id, state=job.state, wait=parts.limits.adopt_wait)


async def _created(parts: LaneParts, job: RemoteJob) -> Looked:
    """Create it, now that all is written down.

    Not by a process that stood still since: others look for the job by now, and what they did not find they
    create.
    """
    wait = parts.limits.adopt_wait
    now, there = await parts.jobs.now(), await parts.db.read(lambda tx: find_job(tx, job.id))
    if (there.state, there.asked_at) != (RemoteState.ASKED, job.asked_at):
        return await _elsewhere(parts, job)
    if wait and now - (job.asked_at or 0) > wait * MICROS / 2:
        return await _found_or_created(parts, there)
    try:
        operation = await parts.api(job).create(
            job.model, display_name=job.id, input_file=job.input_file or ""
        )
    except InDoubt as problem:
        _log.warning("batch job %s is looked for before it is created again: %s", job.id, problem)
        return await _found_or_created(parts, job)
    except Declined as problem:
        outcome = _meaning(problem.error)
        if outcome.retry is not Retry.CAPACITY:
            raise await _given_back(parts, job, outcome) from problem
        # Refused is not in doubt: it need not be looked for.
        return await _later(parts, job, outcome, lists=parts.limits.adopt_lists)
    return await _has(parts, job, operation)


async def _later(parts: LaneParts, job: RemoteJob, outcome: Outcome, **values: object) -> Looked:
    first, longest = _REFUSED_WAITS
    wait = max(outcome.retry_after or 0.0, min(longest, first * 2 ** min(job.looks, 10)))
    reason = f"the provider has no room for a batch job: {outcome.detail}"
    return await parts.waiting(job, wait, reason=reason, looks=job.looks + 1, **values)


async def _has(parts: LaneParts, job: RemoteJob, operation: Operation) -> Looked:
    """The provider has it."""
    wait = parts.pause(0)
    due = await parts.jobs.now() + int(wait * MICROS)
    job = await parts.jobs.change(
        job.id,
        state=RemoteState.OPEN,
        name=operation.name,
        told=operation.state,
        looks=0,
        look_at=due,
        reason="",
    )
    return Looked(job=job.id, state=job.state, wait=wait)


async def _found_or_created(parts: LaneParts, job: RemoteJob) -> Looked:
    """Adopt the job if the provider has it under its name; else look again later, or create it anew."""
    if job.lists < parts.limits.adopt_lists:
        try:
            operation = await listed(parts, job)
        except (Unreachable, Declined) as problem:
            reason = f"batch jobs cannot be listed: {problem}"
            return await parts.waiting(job, parts.pause(job.looks), reason=reason, looks=job.looks + 1)
        if operation is not None:
            _log.info("batch job %s was found again as %s", job.id, operation.name)
            return await _has(parts, job, operation)
        if job.lists + 1 < parts.limits.adopt_lists:
            reason = "its creation was not confirmed; it is looked for again before it is created anew"
            return await parts.waiting(job, parts.limits.adopt_wait, reason=reason, lists=job.lists + 1)
    return await _again(parts, job)


async def _again(parts: LaneParts, job: RemoteJob) -> Looked:
    """Ask for it anew. That it is in doubt from here on is on disk first."""
    if job.given_up_at is not None:
        await released(parts, job, reason="given up before the provider had it")
        job = await parts.db.read(lambda tx: find_job(tx, job.id))
        return Looked(job=job.id, state=job.state, reason=job.reason)
    now = await parts.jobs.now()
    if not fresh(job, now):
        run = await parts.runs.get(job.run_id)
        given = await _renewed(parts, job, run)
        if isinstance(given, Looked):
            return given
        job = replace(job, input_file=given.file, input_until=given.until)
    asked = await parts.jobs.ask_again(job)
    return await _created(parts, asked) if asked else await _elsewhere(parts, job)


async def _renewed(parts: LaneParts, job: RemoteJob, run: Run) -> Input | Looked:
    try:
        given = await upload_input(parts, job, run=run)
    except (Unreachable, Declined) as problem:
        return await _put_off(parts, job, problem)
    if given is None:
        await released(parts, job, reason="none of its rows is left")
        return Looked(job=job.id, state=RemoteState.ENDED)
    return given


async def listed(parts: LaneParts, job: RemoteJob) -> Operation | None:
    """What the provider has under the job's name, if anything. Raises Unreachable, Declined."""
    async for operation in parts.api(job).jobs():
        if operation.display_name == job.id:
            return operation
    return None


async def _given_back(parts: LaneParts, job: RemoteJob, outcome: Outcome) -> ImageRouterError:
    """The provider will not have it: its rows wait again, its money is free; the error that says why."""
    await released(parts, job, reason=outcome.detail)
    return error_for(outcome, job.model)


def _meaning(error: ApiError) -> Outcome:
    return classify(Reply(http_status=error.http_status, error=error), Expected())
