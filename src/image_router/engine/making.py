"""Makes the images of one decision: money held, n calls side by side, one result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from image_router.core.decision import Decision
from image_router.core.errors import (
    AllAttemptsFailed,
    AmbiguousOutcome,
    BudgetExceeded,
    ImageRouterError,
    ProviderError,
)
from image_router.core.events import CacheAsked, Decided, ImageFailed, ImageMade, Sink
from image_router.core.failover import Plan
from image_router.core.guard import affordable
from image_router.core.rates import RateCard
from image_router.core.results import Attempt, FailedImage, GeneratedImage, ImageResult
from image_router.core.storing import CacheMode
from image_router.core.types import ImageRequest
from image_router.engine.accounts import Account, Accounts
from image_router.engine.compressing import Errand, Shortened, shortened
from image_router.engine.dispatch import Dispatched, Job, Tally, Tools, dispatch
from image_router.engine.door import Door
from image_router.engine.hedging import Hedging
from image_router.engine.shelf import Shelf, Turn
from image_router.engine.watching import Watch

AT_ONCE = 8
"""Calls in flight for one request; a page of requests has its own limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One request, decided."""

    request_id: str
    request: ImageRequest
    decision: Decision
    """Of the images that are not known."""
    plan: Plan
    wait_for_budget: float = 0.0
    """Seconds."""
    cache: CacheMode = CacheMode.BYPASS
    known: Mapping[int, Dispatched] = field(default_factory=dict)
    """By index: paid before, or not to be sent again."""
    hits: int = 0
    """How many of them the cache had."""
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[int, ...]:
        return tuple(index for index in range(self.request.n) if index not in self.known)


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
    watch: Watch
    hedging: Hedging


async def make(order: Order, shop: Workshop) -> ImageResult:
    """Make all images that can be made; raises when not one came."""
    if not order.missing:
        shop.announce(Decided(request_id=order.request_id, decision=order.decision))
        return _assembled(order, order.decision, done=_known(order, shop), shop=shop, warnings=())
    async with _funded(order, shop) as (decision, account):
        shop.announce(Decided(request_id=order.request_id, decision=decision))
        bench = _bench(order, shop, account)
        brief = await _brief(order, decision, bench=bench)
        done = _known(order, shop) | await _side_by_side(order, brief.decision, bench=bench)
    return _assembled(
        order, brief.decision, done=done, shop=shop, warnings=account.warnings, before=brief.attempts
    )


def came(image: GeneratedImage) -> Dispatched:
    """An image that needs no call."""
    return Dispatched(image=image, error=None, attempts=())


def known_of(turn: Turn, *, resend: bool) -> dict[int, Dispatched]:
    """What earlier turns at a key made; what they sent without knowing the outcome, unless it is resent."""
    known = {index: came(image) for index, image in turn.made.items()}
    for index in () if resend else turn.unknown:
        error = AmbiguousOutcome(
            f"image {index + 1} was sent by an earlier try under this key and may have been billed; see "
            f"`image-router ledger unknowns`, then resolve it, or set on_ambiguous = once"
        )
        known.setdefault(index, Dispatched(image=None, error=error, attempts=()))
    return known


def hand_out(result: ImageResult, announce: Sink, *, watch: Watch) -> ImageResult:
    """A result of earlier, with the events that its pictures had then."""
    watch.result, watch.free, watch.replayed = result, len(result.images), True
    announce(Decided(request_id=result.request_id, decision=result.decision, replayed=True))
    for image in result.images:
        announce(ImageMade(request_id=result.request_id, image=image))
    for failure in result.failures:
        announce(ImageFailed(request_id=result.request_id, failure=failure))
    return result


def cache_asked(order: Order) -> CacheAsked:
    """What the cache had for an order."""
    head = order.decision.head
    return CacheAsked(
        request_id=order.request_id,
        model=head.model.id,
        wanted=order.hits + len(order.missing),
        hits=order.hits,
        saved=order.hits * head.quote.per_image,
    )


@asynccontextmanager
async def _funded(order: Order, shop: Workshop) -> AsyncIterator[tuple[Decision, Account]]:
    """Hold the ceiling of all candidates; if it does not fit, of those that fit with the first choice,
    cap by cap; if not even that fits, wait for the first choice's as long as the caller is willing to."""
    decision, wait = order.decision, order.wait_for_budget
    async with AsyncExitStack() as held:

        async def hold(what: Decision, seconds: float) -> Account:
            return await held.enter_async_context(
                shop.accounts.holding(
                    what, request_id=order.request_id, deadline=order.plan.deadline, wait=seconds
                )
            )

        account: Account | None = None
        while account is None:
            try:
                account = await hold(decision, 0.0)
            except BudgetExceeded as refusal:
                left = affordable(decision, refusal, waits=wait > 0)
                if left.ceiling >= decision.ceiling:
                    with shop.watch.away():
                        account = await hold(left, wait)
                decision = left
        yield decision, account


@dataclass(frozen=True, slots=True)
class _Bench:
    """What the calls of one order share."""

    tools: Tools
    watch: Watch
    started: float
    """The clock when the money was held."""


def _bench(order: Order, shop: Workshop, account: Account) -> _Bench:
    tools = Tools(
        door=shop.door,
        card=shop.card,
        announce=shop.announce,
        account=account,
        shelf=shop.shelf,
        cache=order.cache,
        hedging=shop.hedging,
        clock=shop.clock,
        sleep=shop.sleep,
    )
    return _Bench(tools, shop.watch, shop.clock())


async def _brief(order: Order, decision: Decision, *, bench: _Bench) -> Shortened:
    """The decision with its prompt shortened, where that is part of it."""
    step = decision.compression
    if step is None or step.skipped:
        return Shortened(decision)
    errand = Errand(
        request_id=order.request_id,
        decision=decision,
        step=step,
        plan=order.plan,
        watch=bench.watch,
        started=bench.started,
    )
    return await shortened(errand, bench.tools)


async def _side_by_side(order: Order, decision: Decision, *, bench: _Bench) -> dict[int, Dispatched]:
    gate = asyncio.Semaphore(AT_ONCE)
    tally = Tally(due=dict.fromkeys(order.missing, decision.head.quote.per_image))

    async def one(index: int) -> Dispatched:
        async with gate:
            job = Job(
                request_id=order.request_id,
                index=index,
                decision=decision,
                plan=order.plan,
                started=bench.started,
                tally=tally,
                watch=bench.watch,
            )
            try:
                done = await dispatch(job, bench.tools)
            finally:
                tally.due.pop(index, None)
        _announce(order, index, done=done, announce=bench.tools.announce)
        return done

    if len(order.missing) == 1:  # without a task of its own
        (index,) = order.missing
        return {index: await one(index)}
    made = await asyncio.gather(*(one(index) for index in order.missing))
    return dict(zip(order.missing, made, strict=True))


def _known(order: Order, shop: Workshop) -> dict[int, Dispatched]:
    for index, done in order.known.items():
        _announce(order, index, done=done, announce=shop.announce)
    return dict(order.known)


def _announce(order: Order, index: int, *, done: Dispatched, announce: Sink) -> None:
    if done.image:
        announce(ImageMade(request_id=order.request_id, image=done.image))
    elif done.error:
        failure = FailedImage(index=index, error=done.error)
        announce(ImageFailed(request_id=order.request_id, failure=failure))


def _assembled(
    order: Order,
    decision: Decision,
    *,
    done: Mapping[int, Dispatched],
    shop: Workshop,
    warnings: tuple[str, ...],
    before: tuple[Attempt, ...] = (),
) -> ImageResult:
    in_order = [done[index] for index in sorted(done)]
    failures = tuple(FailedImage(index=i, error=d.error) for i, d in enumerate(in_order) if d.error)
    result = ImageResult(
        request_id=order.request_id,
        images=tuple(d.image for d in in_order if d.image),
        failures=failures,
        attempts=(*before, *(attempt for d in in_order for attempt in d.attempts)),
        decision=replace(decision, request=order.request),
        warnings=(
            *decision.warnings,
            *((decision.guard.detail,) if decision.guard else ()),
            *order.notes,
            *warnings,
        ),
    )
    shop.watch.result = result
    shop.watch.free = sum(known.image is not None for known in order.known.values())
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
