"""ImageRouter: say what an image is for; it decides, quotes, makes it, and tells what it cost.

Reading down is reading the product: generate (decide) → make (hold the money, n images side by side) →
dispatch (trouble) → Provider.generate (wire).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from image_router.core.catalog import ModelState
from image_router.core.decision import Decision
from image_router.core.errors import (
    AssetError,
    ConfigError,
    ImageRouterError,
    InvalidRequest,
    LaneUnavailable,
)
from image_router.core.events import Sink
from image_router.core.failover import Plan
from image_router.core.rates import Quote, card_on
from image_router.core.relaxing import decide_or_suggest
from image_router.core.results import GeneratedImage, ImageResult
from image_router.core.storing import CacheMode, wanted_of_cache
from image_router.core.types import Conversation, ImageRequest, Lane, OnAmbiguous
from image_router.engine.accounts import Accounts, NoAccounts
from image_router.engine.chains import ChainPlan, ChainResult, quote_chain, run_chain
from image_router.engine.deciding import Decider, Facts, assumed
from image_router.engine.door import Door, OpenDoor
from image_router.engine.easing import Patience, eased
from image_router.engine.hedging import HedgePolicy, Hedging
from image_router.engine.making import AT_ONCE, Order, Workshop, cache_asked, came, hand_out, known_of, make
from image_router.engine.requests import References, ReferenceSource, each_source
from image_router.engine.shelf import NoShelf, Shelf, Turn, Wish
from image_router.engine.watching import Watch, watched
from image_router.providers.base import Provider
from image_router.storage.conversations import ConversationStore
from image_router.telemetry import Announcer


def _mode(said: CacheMode | str | None) -> CacheMode | None:
    if said is not None and said not in list(CacheMode):
        raise InvalidRequest(f"cache {said!r} is not one of {', '.join(CacheMode)}")
    return CacheMode(said) if said is not None else None


async def _open_door(provider: Provider) -> Door:
    return OpenDoor(provider)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts(Facts):
    """All a router works with; wiring makes it."""

    provider: Callable[[], Provider]
    """Called at the first paid request, so that explaining needs no key."""
    conversations: ConversationStore
    on_ambiguous: OnAmbiguous | None = None
    wait_for_budget: float = 0.0
    wait_for_key: float = 0.0
    cache: CacheMode | None = None
    """None: as `wanted_of_cache` says."""
    accounts: Callable[[], Accounts] = NoAccounts
    """Called at the first paid request, so that explaining opens no database."""
    shelf: Callable[[], Shelf] = NoShelf
    """Where pictures are kept, likewise."""
    door: Callable[[Provider], Awaitable[Door]] = _open_door
    """The way to the provider, likewise."""
    approve: Callable[[Decision], None] = lambda decision: None
    """Called with what is left to make before money is held for it; what it raises, nothing is spent on."""
    hedge: HedgePolicy | None = None
    """None: no call is hedged."""
    announce: Announcer = field(default_factory=Announcer)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    dice: Callable[[], float] = lambda: secrets.randbelow(2**32) / 2**32
    new_id: Callable[[], str] = lambda: f"req_{secrets.token_hex(12)}"


class ImageRouter(Decider):
    """The engine's one door: a Decider that also spends. Not thread-safe: one event loop, many tasks."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._parts = parts
        self._provider: Provider | None = None
        self._accounts: Accounts | None = None
        self._shelf: Shelf | None = None
        self._door: Door | None = None
        self._opening = asyncio.Lock()
        self._hedging = Hedging(parts.hedge)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the store, the books and the provider's connections."""
        if self._door is not None:
            await self._door.aclose()
            self._door = None
        if self._shelf is not None:
            await self._shelf.aclose()
            self._shelf = None
        if self._accounts is not None:
            await self._accounts.aclose()
            self._accounts = None
        if self._provider is not None:
            await self._provider.aclose()
            self._provider = None

    @property
    def provider(self) -> Provider:
        """The provider, made when first needed. Raises ConfigError without a key."""
        if self._provider is None:
            self._provider = self._parts.provider()
        return self._provider

    @property
    def accounts(self) -> Accounts:
        """Who keeps the books, asked for when money is first needed."""
        if self._accounts is None:
            self._accounts = self._parts.accounts()
        return self._accounts

    @property
    def shelf(self) -> Shelf:
        """Where pictures are kept, asked for when the first one is wanted."""
        if self._shelf is None:
            self._shelf = self._parts.shelf()
        return self._shelf

    async def door(self) -> Door:
        """The way to the provider, made when first needed."""
        async with self._opening:
            if self._door is None:
                self._door = await self._parts.door(self.provider)
            return self._door

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
        use, refresh or bypass; None: as set, else use for requests with a seed. Raises RequestError, KeyBusy
        and BudgetExceeded before spending, AssetError where a finished key's pictures are gone, and
        ProviderError (with its attempts and their cost) when not one image came.
        """
        announce = self._parts.announce.also(on_event)
        with watched(self._parts.new_id(), announce, clock=self._parts.clock) as watch:
            request = watch.request = await self.request(prompt, **asked)
            mode = wanted_of_cache(request, _mode(cache) or self._parts.cache)
            self._allow_spending(request)
            wait = self._parts.wait_for_key
            wish = Wish(request=request, profile=profile, request_id=watch.request_id, wait=wait)
            async with self.shelf.turn(wish) as turn:
                if turn.finished is not None:
                    return hand_out(turn.finished, announce, watch=watch)
                order = await self._order(wish, turn, mode=mode, pressure=pressure, wait=wait_for_budget)
                watch.decision = order.decision
                if mode is CacheMode.USE:
                    announce(cache_asked(order))
                if order.missing:
                    self._parts.approve(order.decision)
                turn.result = await make(order, await self._workshop(announce, watch))
            return turn.result

    async def _order(
        self, wish: Wish, turn: Turn, *, mode: CacheMode, pressure: int, wait: float | None
    ) -> Order:
        """Decide, and leave out what was paid before or must not be sent again."""
        request = wish.request
        plan = self._plan(request, wish.profile)
        patience = Patience(
            seconds=wait if wait is not None else self._parts.wait_for_budget or plan.deadline,
            clock=self._parts.clock,
            sleep=self._parts.sleep,
        )
        decision, waited = await eased(lambda: self._decide_now(request, wish.profile, pressure), patience)
        notes: tuple[str, ...] = (f"waited {waited:.1f} s for the budget's pressure to fall",) * (waited > 0)
        known = known_of(turn, resend=plan.on_ambiguous is OnAmbiguous.ONCE)
        earlier = len(known)
        if mode is CacheMode.USE:
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
            cache=mode,
            known=known,
            hits=len(known) - earlier,
            notes=notes,
        )

    async def _decide_now(self, request: ImageRequest, profile: str | None, pressure: int) -> Decision:
        """Decide with what the moment says: budgets, open circuits, models that are gone."""
        seen = await (await self.door()).snapshot()
        real = await self.accounts.strain(request.scope)
        snapshot = replace(assumed(pressure, real), open_circuits=seen.open_circuits)
        world = self.world(profile)
        gone = dict.fromkeys(seen.gone, ModelState.RETIRED)
        catalog = replace(world.catalog, overrides={**world.catalog.overrides, **gone})
        return decide_or_suggest(request, replace(world, catalog=catalog), snapshot=snapshot)

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
                "the batch lane is decided and quoted, but batch jobs cannot be run yet: use the interactive "
                "lane"
            )
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
            hedging=self._hedging,
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
