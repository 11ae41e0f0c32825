"""ImageRouter: say what an image is for; it decides, quotes, makes it, and tells what it cost.

Reading down is reading the product: generate (decide) → make (hold the money, n images side by side) →
dispatch (trouble) → Provider.generate (wire).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from image_router.core.decision import Decision
from image_router.core.errors import (
    AssetError,
    ConfigError,
    ImageRouterError,
    InvalidRequest,
    LaneUnavailable,
    ModelRetired,
    NoEligibleTier,
)
from image_router.core.events import Sink
from image_router.core.failover import Plan
from image_router.core.rates import Quote, card_on
from image_router.core.relaying import as_written
from image_router.core.results import GeneratedImage, ImageResult
from image_router.core.storing import CacheMode, wanted_of_cache
from image_router.core.types import Conversation, ImageRequest, Lane, OnAmbiguous
from image_router.engine.accounts import Accounts
from image_router.engine.chains import ChainPlan, ChainResult, quote_chain, run_chain
from image_router.engine.closed import all_shut
from image_router.engine.deciding import Decider, assumed
from image_router.engine.door import Door
from image_router.engine.easing import Patience, eased
from image_router.engine.making import AT_ONCE, Order, Workshop, cache_asked, came, hand_out, known_of, make
from image_router.engine.parts import Parts, Staff
from image_router.engine.relaying import Parcel, ParcelDoor
from image_router.engine.requests import References, ReferenceSource, each_source
from image_router.engine.sharing import Terms
from image_router.engine.shelf import Shelf, Turn, Wish
from image_router.engine.watching import Watch, watched
from image_router.providers.base import Provider
from image_router.telemetry import Announcer

__all__ = ["ImageRouter", "Parts"]


def _mode(said: CacheMode | str | None) -> CacheMode | None:
    if said is not None and said not in list(CacheMode):
        raise InvalidRequest(f"cache {said!r} is not one of {', '.join(CacheMode)}")
    return CacheMode(said) if said is not None else None


class ImageRouter(Decider):
    """The engine's one door: a Decider that also spends. Not thread-safe: one event loop, many tasks."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._parts = parts
        self._staff = Staff(parts)
        self._for_key = parts.wait_for_key

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the store, the books and the provider's connections."""
        await self._staff.aclose()

    @property
    def provider(self) -> Provider:
        """The provider, made when first needed. Raises ConfigError without a key."""
        return self._staff.provider

    @property
    def accounts(self) -> Accounts:
        """Who keeps the books, asked for when money is first needed."""
        return self._staff.accounts

    @property
    def shelf(self) -> Shelf:
        """Where pictures are kept, asked for when the first one is wanted."""
        return self._staff.shelf

    @property
    def announce(self) -> Announcer:
        """Tells the router's sinks, for surfaces that have events of their own."""
        return self._parts.announce

    def waiting(self, *, for_key: float) -> Self:
        """The same, where a request waits so many seconds for another one that is at its key."""
        return self._with(_for_key=for_key)

    async def under(self, accounts: Accounts, **changes: Any) -> Self:
        """The same over other books, with some Parts changed: for requests whose money is held together."""
        other = copy(self)
        other._staff = await self._staff.keeping(accounts)
        other._parts = replace(self._parts, **changes)
        other._for_key = other._parts.wait_for_key
        return other

    async def door(self) -> Door:
        """The way to the provider, made when first needed."""
        return await self._staff.door()

    async def generate(
        self,
        prompt: str | ImageRequest,
        *,
        profile: str | None = None,
        pressure: int = 0,
        wait_for_budget: float | None = None,
        cache: CacheMode | str | None = None,
        on_event: Sink | None = None,
        **asked: Any,
    ) -> ImageResult:
        """Make the images. Some may fail: the result holds images and failures side by side.

        `wait_for_budget` is how many seconds to wait for money that others hold; None: as set. With `key` the
        work is done once for ever: the same request again is answered with the same bytes, free. `cache` is
        use, refresh or bypass; None: as set, else use for requests with a seed. With single_flight set,
        an identical request under way is shared unless `cache` says refresh or bypass. Raises RequestError,
        KeyBusy and BudgetExceeded before spending, AssetError where a finished key's pictures are gone, and
        ProviderError (with its attempts and their cost) when not one image came.
        """
        announce = self._parts.announce.also(on_event)
        with watched(self._parts.new_id(), announce, clock=self._parts.clock) as watch:
            request = watch.request = await self.request(prompt, **asked)
            mode = wanted_of_cache(request, _mode(cache) or self._parts.cache)
            self._allow_spending(request)
            terms = Terms(profile=profile, mode=mode, pressure=pressure, wait=wait_for_budget)

            async def made() -> ImageResult:
                return await self._made(request, terms, announce=announce, watch=watch)

            if self._parts.single_flight and request.key is None and _mode(cache) in (None, CacheMode.USE):
                join = self._staff.sharing.join
                return await join(request, terms, make=made, announce=announce, watch=watch)
            return await made()

    async def _made(
        self, request: ImageRequest, terms: Terms, *, announce: Announcer, watch: Watch
    ) -> ImageResult:
        """What the key, the cache or the provider has."""
        wish = Wish(
            request=request,
            profile=terms.profile,
            request_id=watch.request_id,
            wait=self._for_key,
        )
        async with self.shelf.turn(wish) as turn:
            if turn.finished is not None:
                return hand_out(turn.finished, announce, watch=watch)
            order = await self._order(wish, turn, terms, watch=watch)
            watch.decision = order.decision
            if terms.mode is CacheMode.USE:
                announce(cache_asked(order))
            if order.missing:
                self._parts.approve(order.decision)
            turn.result = await self._let_in(order, await self._workshop(announce, watch))
        return turn.result

    async def relay(self, parcel: Parcel, *, on_event: Sink | None = None) -> ImageResult:
        """Pass a body on to the one model it was written for, by the same rules as any other request.

        Never from the cache, never rewritten, never on another model. Raises as `generate` does; whatever
        comes, `parcel.answer` is what the provider answered, if it did.
        """
        announce, request = self._parts.announce.also(on_event), parcel.request
        with watched(self._parts.new_id(), announce, clock=self._parts.clock) as watch:
            watch.request = request
            self._allow_spending(request)
            async with self.shelf.turn(parcel.wish(watch.request_id, self._for_key)) as turn:
                if turn.finished is not None:
                    return hand_out(turn.finished, announce, watch=watch)
                watch.decision = self._customer.allowed(
                    as_written(request, parcel.written, world=self.world())
                )
                order = parcel.order(turn, watch.decision, plan=self._plan(request, None))
                order = replace(order, wait_for_budget=self._parts.wait_for_budget)
                self._parts.approve(order.decision)
                shop = await self._workshop(announce, watch)
                shop = replace(shop, door=ParcelDoor(shop.door, parcel))
                turn.result = await self._let_in(order, shop, each=parcel.written.images)
            return turn.result

    async def _let_in(self, order: Order, shop: Workshop, *, each: int = 1) -> ImageResult:
        missing = len(order.missing) * each
        ceiling = order.decision.ceiling if missing else 0
        async with self._customer.let_in(images=missing, ceiling=ceiling) as entry:
            result = await make(order, shop)
            entry.settle(result.cost + result.at_risk)
        return result

    async def _order(self, wish: Wish, turn: Turn, terms: Terms, *, watch: Watch) -> Order:
        """Decide, and leave out what was paid before or must not be sent again."""
        request, pressure, wait = wish.request, terms.pressure, terms.wait
        plan = self._plan(request, wish.profile)
        patience = Patience(
            seconds=wait if wait is not None else self._parts.wait_for_budget or plan.deadline,
            clock=self._parts.clock,
            sleep=self._parts.sleep,
        )
        decision, waited = await eased(lambda: self._decide_now(request, wish.profile, pressure), patience)
        watch.was_away(waited)
        notes: tuple[str, ...] = (f"waited {waited:.1f} s for the budget's pressure to fall",) * (waited > 0)
        known = known_of(turn, resend=plan.on_ambiguous is OnAmbiguous.ONCE)
        earlier = len(known)
        if terms.mode is CacheMode.USE:
            wanted = [index for index in range(request.n) if index not in known]
            hits = await self.shelf.cached(decision, wanted, allowed=plan.adapt)
            known |= {index: came(image) for index, image in hits.items()}
            alike = await self.shelf.alike(request) if len(known) < request.n else None
            notes += (alike,) if alike else ()
        left = request.n - len(known)
        if 0 < left < request.n:
            decision = await self._decide_now(replace(request, n=left), wish.profile, pressure)
        return Order(
            request_id=turn.request_id,
            request=request,
            decision=decision,
            plan=plan,
            wait_for_budget=max(0.0, (self._parts.wait_for_budget if wait is None else wait) - waited),
            cache=terms.mode,
            known=known,
            hits=len(known) - earlier,
            notes=notes,
        )

    async def _decide_now(self, request: ImageRequest, profile: str | None, pressure: int) -> Decision:
        """Decide with what the moment says: budgets, open circuits, models that are gone."""
        door = await self.door()
        seen = await door.snapshot()
        real = await self.accounts.strain(request.scope)
        snapshot = replace(assumed(pressure, real), open_circuits=seen.open_circuits)
        known, world = self.world(profile), self.world(profile, gone=seen.gone)
        try:
            return self._customer.allowed(self._decisions.decide(request, world, snapshot=snapshot))
        except (NoEligibleTier, ModelRetired):
            if shut := all_shut(request, known, snapshot=snapshot, why=door.why):
                raise shut from None
            raise

    async def generate_many(
        self,
        requests: Iterable[str | ImageRequest],
        *,
        concurrency: int = AT_ONCE,
        profile: str | None = None,
        on_event: Sink | None = None,
    ) -> tuple[ImageResult | ImageRouterError, ...]:
        """Many requests side by side, results in their order; an error stands where its result would."""
        if concurrency < 1:
            raise InvalidRequest(f"concurrency is {concurrency}; let at least 1 request run at a time")
        gate = asyncio.Semaphore(concurrency)

        async def one(prompt: str | ImageRequest) -> ImageResult | ImageRouterError:
            async with gate:
                try:
                    return await self.generate(prompt, profile=profile, on_event=on_event)
                except ImageRouterError as error:
                    return error

        return tuple(await asyncio.gather(*(one(prompt) for prompt in requests)))

    async def edit(
        self,
        instruction: str,
        *,
        image: ReferenceSource | None = None,
        previous: GeneratedImage | str | Path | None = None,
        profile: str | None = None,
        cache: CacheMode | str | None = None,
        on_event: Sink | None = None,
        **asked: Any,
    ) -> ImageResult:
        """Change a picture. `image` edits any picture; `previous` continues the conversation that made it.

        Raises AssetError when no conversation of `previous` is known.
        """
        request = await self.edit_request(instruction, image=image, previous=previous, **asked)
        return await self.generate(request, profile=profile, cache=cache, on_event=on_event)

    async def edit_request(
        self,
        instruction: str,
        *,
        image: ReferenceSource | None = None,
        previous: GeneratedImage | str | Path | None = None,
        references: References = (),
        **asked: Any,
    ) -> ImageRequest:
        """The request that an edit stands for, to explain or quote it first."""
        if (image is None) == (previous is None):
            raise InvalidRequest("edit needs either image= (any picture) or previous= (one made before)")
        asked.setdefault("purpose", "contextual_edit")
        if previous is None:
            return await self.request(instruction, references=(image, *each_source(references)), **asked)
        talk = await asyncio.to_thread(self._conversation, previous)
        return await self.request(instruction, conversation=talk, references=references, **asked)

    def _conversation(self, previous: GeneratedImage | str | Path) -> Conversation:
        if not isinstance(previous, GeneratedImage):
            try:
                return self._parts.conversations.load(Path(previous).read_bytes())
            except OSError as problem:
                raise AssetError(f"{previous} cannot be read: {problem.strerror or problem}") from problem
        return previous.conversation or self._parts.conversations.load(previous.data)

    def remember(self, image: GeneratedImage) -> None:
        """Keep the picture's conversation on disk, so that a later process can continue it."""
        if image.conversation is not None:
            self._parts.conversations.save(image.digest, image.conversation)

    async def chain(
        self,
        character_prompt: str,
        variants: Sequence[str],
        *,
        folder: Path | str | None = None,
        concurrency: int = 4,
        profile: str | None = None,
        on_event: Sink | None = None,
        **asked: Any,
    ) -> ChainResult:
        """One reference, then every variant from it; with a folder, a later run makes what is missing."""
        plan = await self._chain_plan(character_prompt, variants, profile, concurrency, asked)
        self._allow_spending(plan.base)
        return await run_chain(self, plan, folder=Path(folder) if folder else None, on_event=on_event)

    async def quote_chain(
        self, character_prompt: str, variants: Sequence[str], *, profile: str | None = None, **asked: Any
    ) -> Quote:
        """What a chain would cost, reference inputs included. Spends nothing."""
        return await quote_chain(self, await self._chain_plan(character_prompt, variants, profile, 1, asked))

    async def _chain_plan(
        self,
        character_prompt: str,
        variants: Sequence[str],
        profile: str | None,
        concurrency: int,
        asked: Mapping[str, Any],
    ) -> ChainPlan:
        base = await self.request(character_prompt, **asked)
        return ChainPlan(base=base, variants=tuple(variants), profile=profile, concurrency=concurrency)

    def _allow_spending(self, request: ImageRequest) -> None:
        if request.lane is Lane.BATCH:
            raise LaneUnavailable(
                "the batch lane answers within a day, and whoever asks here waits: use the interactive lane, "
                "or hand the request in (open_runs and submit, or `image-router batch submit`)"
            )
        self.check_day()

    def check_day(self) -> None:
        """Raises ConfigError where a real host would be paid by the prices of another day."""
        today = self._parts.today()
        if self.provider.real and self.day != today:
            raise ConfigError(
                f"as_of is {self.day} and today is {today}: spending on a real host happens today only; drop "
                f"as_of, or use the emulator (offline)"
            )

    async def _workshop(self, announce: Sink, watch: Watch) -> Workshop:
        parts = self._parts
        return Workshop(
            door=await self.door(),
            card=card_on(self.day, parts.cards),
            accounts=self.accounts,
            shelf=self.shelf,
            announce=announce,
            clock=parts.clock,
            sleep=parts.sleep,
            watch=watch,
            hedging=self._staff.hedging,
        )

    def _plan(self, request: ImageRequest, profile: str | None) -> Plan:
        policy = self.world(profile).policy
        return Plan(
            budget=policy.retry,
            deadline=request.deadline or policy.deadlines[request.size],
            on_ambiguous=self._parts.on_ambiguous or policy.on_ambiguous,
            adapt=policy.adapt | request.allow,
            dice=self._parts.dice,
            max_image=request.max_cost,
            max_total=request.max_total,
        )
