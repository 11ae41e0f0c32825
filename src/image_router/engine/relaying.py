"""Passing on what a caller wrote for one model: held, sent, judged and settled like any other call.

Only what goes over the wire differs: the body goes out as it came, and the answer comes back as it came. So
the door hands out permits whose member sends the letter, and no failure is healed by writing another one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from image_router.core.catalog import Model
from image_router.core.causes import Billed, Retry
from image_router.core.decision import Decision
from image_router.core.errors import ConfigError
from image_router.core.failover import Plan
from image_router.core.money import Nanos
from image_router.core.outcome import Outcome
from image_router.core.relaying import Written
from image_router.core.reply import RawAnswer, Reply
from image_router.core.text_calls import TextCall
from image_router.core.types import ImageRequest, OnAmbiguous
from image_router.engine.admission import Ask, Permit, Refusal
from image_router.engine.door import Door
from image_router.engine.making import Order, known_of
from image_router.engine.pool import Member
from image_router.engine.shelf import Turn, Wish
from image_router.engine.traffic import TrafficSnapshot
from image_router.providers.base import Call, Entitlement, Letter, ListedModel, Provider, Relays


@dataclass(slots=True, kw_only=True)
class Parcel:
    """One letter on its way, and what came back."""

    letter: Letter
    request: ImageRequest
    """What is known of it, for the books."""
    written: Written
    digest: str
    """sha256 of the body: under one idempotency key it may be sent once."""
    resources: tuple[str, ...] = ()
    """Files at the provider that the body names."""
    answer: RawAnswer | None = field(default=None, repr=False)
    """The last one that came."""
    begun: bool = False
    """Somebody has heard the first bytes: it cannot be sent again."""

    def wish(self, request_id: str, wait: float) -> Wish:
        """Its turn at the work of its key."""
        return Wish(request=self.request, profile=None, request_id=request_id, wait=wait, body=self.digest)

    def order(self, turn: Turn, decision: Decision, *, plan: Plan) -> Order:
        """What is to be made of it. Nothing may be rewritten, and nothing is paid twice unasked."""
        return Order(
            request_id=turn.request_id,
            request=self.request,
            decision=decision,
            plan=replace(
                plan,
                adapt=frozenset(),
                on_ambiguous=OnAmbiguous.NEVER,
                budget=replace(plan.budget, content_repeats=0),
            ),
            known=known_of(turn, resend=False),
        )


class ParcelDoor:
    """The door to the provider for one parcel. Implements engine.door.Door."""

    def __init__(self, door: Door, parcel: Parcel) -> None:
        self._door, self._parcel = door, parcel

    async def snapshot(self) -> TrafficSnapshot:
        return await self._door.snapshot()

    async def admit(self, ask: Ask, *, patience: float) -> Permit | Refusal:
        """As the door behind it; raises ConfigError where the provider cannot pass letters on."""
        asked = replace(ask, resources=self._parcel.resources, images=self._parcel.written.images)
        permit = await self._door.admit(asked, patience=patience)
        if isinstance(permit, Refusal):
            return permit
        provider = permit.member.provider
        if not isinstance(provider, Relays):
            await self._door.release(permit)
            raise ConfigError(
                f"provider {provider.name} passes nothing on; set provider = rest or sdk, or ask for auto, a "
                f"tier or a purpose instead of a model id"
            )
        carrier = _Carrier(provider, permit.member, parcel=self._parcel)
        return replace(permit, member=replace(permit.member, provider=carrier))

    def why(self, model: str) -> Refusal:
        return self._door.why(model)

    async def report(self, permit: Permit, outcome: Outcome, *, spent: Nanos | None) -> Outcome:
        """Only what cost nothing is sent again, and nothing of which the caller has seen a part."""
        seen = await self._door.report(_own(permit), outcome, spent=spent)
        free = seen.retry is Retry.CAPACITY and seen.billed is Billed.NO
        return seen if free and not self._parcel.begun else replace(seen, retry=Retry.NEVER)

    async def release(self, permit: Permit) -> None:
        await self._door.release(_own(permit))

    async def bind(self, resource: str, permit: Permit, *, until: float) -> None:
        await self._door.bind(resource, _own(permit), until=until)

    async def owner(self, resource: str) -> Member | None:
        return await self._door.owner(resource)

    async def aclose(self) -> None:
        """The door is its owner's to close."""


def _own(permit: Permit) -> Permit:
    """The permit as the door behind gave it."""
    carrier = permit.member.provider
    return replace(permit, member=carrier.member) if isinstance(carrier, _Carrier) else permit


class _Carrier:
    """Sends the parcel's letter instead of what a call would be written as. Implements Provider."""

    def __init__(self, provider: Relays, member: Member, *, parcel: Parcel) -> None:
        self._relay, self.member, self._parcel = provider, member, parcel
        self._provider: Provider = member.provider
        self.name, self.real = member.provider.name, member.provider.real

    async def generate(self, call: Call, *, timeout: float) -> Reply:
        reply = await self._relay.relay(self._letter(), call.model, timeout=timeout)
        self._parcel.answer = reply.raw
        return reply

    def _letter(self) -> Letter:
        letter, hears = self._parcel.letter, self._parcel.letter.listener
        if hears is None:
            return letter

        def heard(piece: RawAnswer) -> None:
            self._parcel.begun = True
            hears(piece)

        return replace(letter, listener=heard)

    async def write(self, call: TextCall, *, timeout: float) -> Reply:
        return await self._provider.write(call, timeout=timeout)

    async def models(self) -> tuple[ListedModel, ...]:
        return await self._provider.models()

    async def probe(self, model: Model) -> Entitlement:
        return await self._provider.probe(model)

    async def aclose(self) -> None:
        """The provider is its owner's to close."""
