"""Makes the images of one decision: money held, n calls side by side, one result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from image_router.core.decision import Decision
from image_router.core.errors import AllAttemptsFailed, BudgetExceeded, ImageRouterError, ProviderError
from image_router.core.events import Decided, ImageFailed, ImageMade, RequestEnded, Sink
from image_router.core.failover import Plan
from image_router.core.guard import affordable
from image_router.core.rates import RateCard
from image_router.core.results import FailedImage, ImageResult
from image_router.engine.accounts import Account, Accounts
from image_router.engine.dispatch import Dispatched, Job, Tally, Tools, dispatch
from image_router.engine.door import Door
from image_router.engine.shelf import Shelf

AT_ONCE = 8
"""Calls in flight for one request; a page of requests has its own limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One request, decided."""

    request_id: str
    decision: Decision
    plan: Plan
    wait_for_budget: float = 0.0
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What making needs from outside."""

    door: Door
    card: RateCard
    accounts: Accounts
    shelf: Shelf
    announce: Sink
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


async def make(order: Order, shop: Workshop) -> ImageResult:
    """Make all images that can be made; raises when not one came."""
    async with _funded(order, shop) as (decision, account):
        shop.announce(Decided(request_id=order.request_id, decision=decision))
        done = await _side_by_side(order, decision, shop=shop, account=account)
    return _assembled(order, decision, done=done, shop=shop, warnings=account.warnings)


@asynccontextmanager
async def _funded(order: Order, shop: Workshop) -> AsyncIterator[tuple[Decision, Account]]:
    """Hold the ceiling of all candidates; if it does not fit, of those that fit with the first choice; if
    not even that fits, wait for the first choice's as long as the caller is willing to."""
    decision, wait = order.decision, order.wait_for_budget
    async with AsyncExitStack() as held:

        async def hold(what: Decision, seconds: float) -> Account:
            return await held.enter_async_context(
                shop.accounts.holding(
                    what, request_id=order.request_id, deadline=order.plan.deadline, wait=seconds
                )
            )

        try:
            account = await hold(decision, 0.0)
        except BudgetExceeded as refusal:
            decision = affordable(decision, refusal, waits=wait > 0)
            account = await hold(decision, wait)
        yield decision, account


async def _side_by_side(
    order: Order, decision: Decision, *, shop: Workshop, account: Account
) -> list[Dispatched]:
    gate, started, tally = asyncio.Semaphore(AT_ONCE), shop.clock(), Tally()
    tools = Tools(
        door=shop.door,
        card=shop.card,
        announce=shop.announce,
        account=account,
        shelf=shop.shelf,
        clock=shop.clock,
        sleep=shop.sleep,
    )

    async def one(index: int) -> Dispatched:
        async with gate:
            job = Job(
                request_id=order.request_id,
                index=index,
                decision=decision,
                plan=order.plan,
                started=started,
                tally=tally,
            )
            done = await dispatch(job, tools)
        if done.image:
            shop.announce(ImageMade(request_id=order.request_id, image=done.image))
        elif done.error:
            failure = FailedImage(index=index, error=done.error)
            shop.announce(ImageFailed(request_id=order.request_id, failure=failure))
        return done

    return list(await asyncio.gather(*(one(index) for index in range(decision.request.n))))


def _assembled(
    order: Order,
    decision: Decision,
    *,
    done: Sequence[Dispatched],
    shop: Workshop,
    warnings: tuple[str, ...],
) -> ImageResult:
    failures = tuple(FailedImage(index=i, error=d.error) for i, d in enumerate(done) if d.error)
    result = ImageResult(
        request_id=order.request_id,
        images=tuple(d.image for d in done if d.image),
        failures=failures,
        attempts=tuple(attempt for d in done for attempt in d.attempts),
        decision=decision,
        warnings=(*decision.warnings, *((decision.guard.detail,) if decision.guard else ()), *warnings),
    )
    shop.announce(
        RequestEnded(
            request_id=order.request_id,
            images=len(result.images),
            failures=len(failures),
            cost=result.cost,
            at_risk=result.at_risk,
        )
    )
    if not result.images:
        raise _all_failed(result)
    return result


def _all_failed(result: ImageResult) -> ImageRouterError:
    """The common error of all images, or AllAttemptsFailed where their reasons differ."""
    errors = [failure.error for failure in result.failures]
    if len({type(error) for error in errors}) == 1:
        if isinstance(errors[0], ProviderError):
            errors[0].attempts = result.attempts
        return errors[0]
    words = "; ".join(sorted({str(error) for error in errors}))
    return AllAttemptsFailed(
        f"none of {len(errors)} images came: {words}", failures=errors, attempts=result.attempts
    )
