"""Deciding, explaining and quoting: everything that spends nothing, needs no key and opens no database."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, Self

from image_router.core.brevity import Compress
from image_router.core.catalog import Catalog, ModelState
from image_router.core.decision import Decision, Snapshot
from image_router.core.errors import InvalidRequest
from image_router.core.policy import Policy
from image_router.core.pressure import NO_STRAIN, Strain
from image_router.core.rates import Quote, RateCard, card_on
from image_router.core.remembered import Decisions
from image_router.core.routing import NOTHING_KNOWN, World
from image_router.core.types import ImageRequest, RetiredPolicy
from image_router.engine.customers import Anybody, Customer
from image_router.engine.explaining import Explanation, explain
from image_router.engine.requests import build_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What deciding knows: the facts files, the day, and the operator's defaults for a request."""

    catalog: Catalog
    cards: Sequence[RateCard]
    policies: Mapping[str, Policy]
    profile: str
    as_of: date | None
    today: Callable[[], date]
    root: str
    """Base URL with the API version, as explain shows it."""
    retired: RetiredPolicy = RetiredPolicy.REFUSE
    deadline: float | None = None
    scope: str = "default"
    compress: Compress | None = None
    """None: as the policy says."""
    offline: bool = False
    """No host but the provider's is contacted: references by URL are refused."""


_MOST_WORLDS: Final = 64


class Decider:
    """Answers what would happen, and what it would cost."""

    def __init__(self, known: Facts) -> None:
        self._facts = known
        self._customer: Customer = Anybody()
        self._worlds: dict[Hashable, World] = {}
        self._decisions = Decisions()

    def on_behalf_of(self, customer: Customer) -> Self:
        """The same, working for somebody with rights and limits; close the one it was made from."""
        return self._with(_customer=customer)

    def _with(self, **own: Any) -> Self:
        other = object.__new__(type(self))  # what copy() does, in a tenth of the time
        other.__dict__.update(self.__dict__, **own)
        return other

    @property
    def day(self) -> date:
        """The day whose models and prices count."""
        return self._facts.as_of or self._facts.today()

    @property
    def profiles(self) -> tuple[str, ...]:
        """Names of the policies there are."""
        return tuple(sorted(self._facts.policies))

    @property
    def profile(self) -> str:
        """The policy of whoever names none."""
        return self._facts.profile

    def dated(self, day: date) -> Decider:
        """The same customer and facts on another day, to look at what was or will be. Spends nothing."""
        other = Decider(replace(self._facts, as_of=day))
        other._customer = self._customer
        return other

    def world(self, profile: str | None = None, *, gone: frozenset[str] = frozenset()) -> World:
        """Catalog, rate card and policy of the day, without models that are `gone`; the same object while
        nothing of it changes. Raises InvalidRequest for an unknown profile."""
        known, name, day = self._facts, profile or self._facts.profile, self.day
        if not isinstance(name, str) or name not in known.policies:
            raise InvalidRequest(f"profile {name!r} is not one of {', '.join(sorted(known.policies))}")
        found = self._worlds.get((name, day, gone))
        if found is None:
            if len(self._worlds) >= _MOST_WORLDS:
                self._worlds.clear()
            overrides = {**known.catalog.overrides, **dict.fromkeys(gone, ModelState.RETIRED)}
            found = self._worlds[name, day, gone] = World(
                catalog=replace(known.catalog, overrides=overrides),
                card=card_on(day, known.cards),
                policy=known.policies[name],
                day=day,
            )
        return found

    async def request(self, prompt: str | ImageRequest, **asked: Any) -> ImageRequest:
        """The validated request that loose arguments stand for."""
        known = self._facts
        defaults = {
            "retired": known.retired,
            "deadline": known.deadline,
            "scope": known.scope,
            "compress": known.compress,
        }
        return await build_request(
            prompt,
            asked,
            fetch_urls=not known.offline,
            defaults={k: v for k, v in defaults.items() if v is not None},
        )

    async def decide(
        self, prompt: str | ImageRequest, *, profile: str | None = None, pressure: int = 0, **asked: Any
    ) -> Decision:
        """Decide without spending. `pressure` is the percent of a budget assumed used."""
        return self.decided(await self.request(prompt, **asked), profile=profile, pressure=pressure)

    def decided(self, request: ImageRequest, *, profile: str | None = None, pressure: int = 0) -> Decision:
        """Decide about a ready request without spending."""
        decision = self._decisions.decide(request, self.world(profile), snapshot=assumed(pressure))
        return self._customer.allowed(decision)

    async def explain(
        self, prompt: str | ImageRequest, *, profile: str | None = None, pressure: int = 0, **asked: Any
    ) -> Explanation:
        """The decision with every reason, and exactly what would be sent. Spends nothing."""
        decision = await self.decide(prompt, profile=profile, pressure=pressure, **asked)
        return explain(decision, self._facts.root)

    async def quote(self, prompt: str | ImageRequest, *, profile: str | None = None, **asked: Any) -> Quote:
        """What the first choice would cost, a prompt's compression included. Spends nothing."""
        return (await self.decide(prompt, profile=profile, **asked)).quote


def assumed(pressure: int, real: Strain = NO_STRAIN) -> Snapshot:
    """The moment's real pressure, and the one the caller assumes."""
    if real is NO_STRAIN and not pressure:
        return NOTHING_KNOWN
    return Snapshot(strain=real, pressure={"assumed": pressure} if pressure else {})
