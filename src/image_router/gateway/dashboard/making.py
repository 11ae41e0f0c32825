"""Making what the live router shows, for money, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from image_router.core.errors import ImageRouterError
from image_router.core.money import Nanos
from image_router.core.results import GeneratedImage
from image_router.core.storing import StoreMode
from image_router.engine.chains import ChainResult
from image_router.gateway.app import Visit
from image_router.gateway.dashboard.live_asks import LiveAsk, request_of
from image_router.gateway.openai_views import encoded
from image_router.storage.asset_values import asset_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One that came."""

    title: str
    image: GeneratedImage
    asset: str | None
    """Its id in the gallery; None: the scope keeps no pictures."""
    source: str
    """For an img element."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What came, what did not, and what was paid. Amounts in nano-dollars."""

    pictures: tuple[Picture, ...]
    failures: tuple[ImageRouterError, ...]
    expected: Nanos
    cost: Nanos
    at_risk: Nanos
    warnings: tuple[str, ...]


async def made(visit: Visit, ask: LiveAsk, *, key: str) -> Made:
    """Raises what the router raises when not one picture came."""
    request = await request_of(visit, ask, decider=visit.router, **_key(key))
    rule = await visit.parts.books.assets.rules.of(request.scope)
    kept = rule.store is StoreMode.ALL
    if ask.variants:
        terms = {**visit.terms(None), **_key(key)}
        chain = await visit.router.chain(
            ask.prompt,
            ask.variants,
            profile=ask.profile,
            size=ask.size,
            aspect=ask.aspect,
            **terms,
        )
        return _of_chain(chain, kept=kept)
    result = await visit.router.generate(request, profile=ask.profile, pressure=ask.pressure)
    return Made(
        pictures=tuple(_pictures(result.images, kept=kept)),
        failures=tuple(failure.error for failure in result.failures),
        expected=result.decision.quote.total,
        cost=result.cost,
        at_risk=result.at_risk,
        warnings=result.warnings,
    )


def _key(key: str) -> dict[str, Any]:
    return {"key": key} if key else {}


def _of_chain(chain: ChainResult, *, kept: bool) -> Made:
    return Made(
        pictures=tuple(_pictures((chain.reference, *chain.images), kept=kept)),
        failures=tuple(failure.error for failure in chain.failures),
        expected=chain.quote.total,
        cost=chain.cost,
        at_risk=chain.at_risk,
        warnings=chain.warnings,
    )


def _pictures(images: Iterable[GeneratedImage], *, kept: bool) -> Iterable[Picture]:
    for place, image in enumerate(images, 1):
        name = asset_id(image.request_id, image.index)
        inline = f"data:{image.media_type};base64,{encoded(image.data)}"
        yield Picture(
            title=f"Picture {place}",
            image=image,
            asset=name if kept else None,
            source=f"/dashboard/pictures/{name}/content" if kept else inline,
        )
