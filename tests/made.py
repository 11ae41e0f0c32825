"""Pictures as the engine hands them to storage, made of the real catalog and policy without any call."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from image_router import facts
from image_router.core.decision import Decision
from image_router.core.outcome import Billed, Cause, Kind
from image_router.core.rates import Cost, CostLine, LineKind, card_on
from image_router.core.results import Attempt, GeneratedImage, ImageResult
from image_router.core.routing import World, decide
from image_router.core.types import Conversation, ImageRequest, Pixels, Reference, Turn, TurnPart, Usage
from image_router.storage.asset_values import Made

NOWHERE = Path("no-home")
DAY = date(2026, 11, 22)
WORLD = World(
    catalog=facts.load_catalog(NOWHERE),
    card=card_on(DAY, facts.load_cards(NOWHERE)),
    policy=facts.load_policies(NOWHERE, None)["default"],
    day=DAY,
)
PRICE = 39_000_000
"""Nano-dollars of one picture below."""


def png(seed: int = 0, width: int = 400, height: int = 300) -> bytes:
    """A picture that no other seed has."""
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    image.putpixel((0, 0), (seed % 256, seed // 256 % 256, seed // 65536 % 256))
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def reference(data: bytes, name: str | None = None) -> Reference:
    return Reference(
        data=data, media_type="image/png", digest=digest_of(data), width=400, height=300, name=name
    )


def decided(request: ImageRequest) -> Decision:
    return decide(request, WORLD)


def picture(
    data: bytes, request: ImageRequest, *, request_id: str = "req_1", index: int = 0
) -> GeneratedImage:
    """A generated picture that continues in a conversation with a long signature."""
    lines = (CostLine(kind=LineKind.IMAGE_OUTPUT, unit="token", rate=30_000, units=1300),)
    decision = decided(request)
    spoken = Turn(role="user", parts=(TurnPart(text=request.prompt),))
    drawn = TurnPart(data=data, media_type="image/png", signature="s" * 50_000)
    return GeneratedImage(
        data=data,
        media_type="image/png",
        pixels=Pixels(400, 300),
        digest=digest_of(data),
        tier=decision.head.tier,
        model=decision.head.model.id,
        cost=Cost(lines=lines, card=DAY),
        usage=Usage(image_tokens=1300, candidates_tokens=1300),
        request_id=request_id,
        response_id=f"resp_{request_id}_{index}",
        index=index,
        text="here it is",
        conversation=Conversation(model="m", family="f", turns=(spoken, Turn(role="model", parts=(drawn,)))),
    )


def attempt(image: GeneratedImage) -> Attempt:
    return Attempt(
        number=1,
        model=image.model,
        tier=image.tier,
        kind=Kind.IMAGE,
        cause=Cause.OK,
        detail="",
        billed=Billed.YES,
        cost=image.cost,
        usage=image.usage,
        response_id=image.response_id,
    )


def made(
    prompt: str = "a red fox in the snow",
    *,
    seed: int = 0,
    request_id: str = "req_1",
    index: int = 0,
    cache_key: str | None = None,
    **asked: Any,
) -> Made:
    """One picture that has just come."""
    request = ImageRequest(prompt=prompt, **asked)
    image = picture(png(seed), request, request_id=request_id, index=index)
    return Made(
        image=image,
        decision=decided(request),
        attempt=attempt(image),
        hold_id="hold_1",
        cache_key=cache_key,
    )


def result(*several: Made) -> ImageResult:
    """The result of one request that brought these pictures."""
    return ImageResult(
        request_id=several[0].image.request_id,
        images=tuple(replace(one.image) for one in several),
        failures=(),
        attempts=tuple(one.attempt for one in several),
        decision=several[0].decision,
    )
