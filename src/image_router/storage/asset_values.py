"""A made picture and what is known of it, as values; and how they stand in their row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from image_router.core.budget import Micros
from image_router.core.decision import Decision
from image_router.core.money import Nanos
from image_router.core.results import Attempt, GeneratedImage
from image_router.core.similarity import Sketch, sketch
from image_router.core.storing import StoreMode
from image_router.core.types import Conversation, Pixels, Purpose, Tier
from image_router.storage.provenance import Provenance, provenance_of


class BlobRole(StrEnum):
    """What stored bytes are to a picture."""

    IMAGE = "image"
    THUMBNAIL = "thumbnail"
    REFERENCE = "reference"
    PART = "part"
    """A further picture of the same call, an earlier turn, or a thought signature."""


class Verdict(StrEnum):
    """What somebody says of a picture."""

    KEPT = "kept"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """The last word on a picture."""

    verdict: Verdict
    who: str
    at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A picture that this one was made from."""

    digest: str
    role: str
    """A reference's role, or 'turn' for a picture of the conversation that went on."""
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What people wrote and read about a picture: all of it goes when its scope is forgotten."""

    prompt: str
    text: str | None = None
    rule: str = ""
    reason: str = ""
    policy: str = ""
    words: str = ""
    """What the model said beside the picture."""
    warnings: tuple[str, ...] = ()
    shortened: str | None = None
    """The prompt as it was sent, where a text model had shortened it."""
    size: str = ""
    """As asked for; empty for pictures of before this was noted, as are the next two."""
    aspect: str = ""
    """As asked for; empty also where the shape was left to the model."""
    quoted: Nanos | None = None
    """What one picture was to cost by the first choice, before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One made picture. `details` is None once it is forgotten."""

    id: str
    request_id: str
    index: int
    scope: str
    made_at: Micros
    purpose: Purpose
    tier: Tier | None
    model: str
    cost: Nanos
    """Of the call that made it."""
    digest: str
    """sha256 of its bytes, wherever they are."""
    bytes: int
    media_type: str
    pixels: Pixels
    response_id: str | None = None
    work_key: str | None = None
    cache_key: str | None = None
    provenance: Provenance = field(default_factory=Provenance)
    stored: bool
    """Whether its bytes are meant to be there."""
    thumbnail: str | None = None
    details: Details | None = None
    removed_at: Micros | None = None
    removed_why: str | None = None
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A picture that has just come, with all that belongs to it; what `Assets.land` is given."""

    image: GeneratedImage
    decision: Decision
    attempt: Attempt
    """The call that made it."""
    hold_id: str | None = None
    cache_key: str | None = None

    @property
    def asset_id(self) -> str:
        return asset_id(self.image.request_id, self.image.index)


def asset_id(request_id: str, index: int) -> str:
    """The same for the same picture, however often it is stored."""
    return f"{request_id}.{index}"


def asset_of(made: Made, *, at: Micros, mode: StoreMode) -> Asset:
    """What will be known of a picture made at this moment."""
    image, request = made.image, made.decision.request
    return Asset(
        id=made.asset_id,
        request_id=image.request_id,
        index=image.index,
        scope=request.scope,
        made_at=at,
        purpose=request.purpose,
        tier=image.tier,
        model=image.model,
        cost=image.cost.total,
        digest=image.digest,
        bytes=len(image.data),
        media_type=image.media_type,
        pixels=image.pixels,
        response_id=image.response_id,
        work_key=request.key,
        cache_key=made.cache_key,
        provenance=provenance_of(image.data),
        stored=mode is StoreMode.ALL,
        details=Details(
            prompt=request.prompt,
            text=request.text,
            rule=made.decision.rule,
            reason=made.decision.reason,
            policy=made.decision.policy,
            words=image.text,
            warnings=image.warnings,
            shortened=made.decision.compression.prompt if made.decision.compression else None,
            size=request.size,
            aspect=request.aspect or "",
            quoted=made.decision.head.quote.per_image,
        ),
    )


def parents_of(made: Made) -> tuple[Parent, ...]:
    """What it was made from: its references, and the last picture of the conversation it continues."""
    request = made.decision.request
    parents = [Parent(digest=ref.digest, role=ref.role, name=ref.name) for ref in request.references]
    if request.conversation and (last := _last_picture(request.conversation)):
        parents.append(Parent(digest=hashlib.sha256(last).hexdigest(), role="turn"))
    return tuple(parents)


def _last_picture(talk: Conversation) -> bytes | None:
    pictures = [part.data for turn in talk.turns for part in turn.parts if part.data is not None]
    return pictures[-1] if pictures else None


def row_of(asset: Asset, record: bytes | None) -> dict[str, Any]:
    """The columns of an asset's row."""
    known = sketch(asset.details.prompt, asset.details.text) if asset.details else None
    return {
        "id": asset.id,
        "request_id": asset.request_id,
        "image_index": asset.index,
        "scope": asset.scope,
        "made_at": asset.made_at,
        "purpose": asset.purpose,
        "tier": asset.tier,
        "model": asset.model,
        "cost": asset.cost,
        "digest": asset.digest,
        "bytes": asset.bytes,
        "media_type": asset.media_type,
        "width": asset.pixels.width,
        "height": asset.pixels.height,
        "response_id": asset.response_id,
        "work_key": asset.work_key,
        "cache_key": asset.cache_key,
        "provenance": _json(_fields(asset.provenance)),
        "stored": asset.stored,
        "thumbnail": asset.thumbnail,
        "details": _json(_fields(asset.details)) if asset.details else None,
        "words": _json(sorted(known.words)) if known else None,
        "slots": slots_text(known) if known else None,
        "record": record,
        "removed_at": asset.removed_at,
        "removed_why": asset.removed_why,
    }


def asset_from(row: Mapping[str, Any]) -> Asset:
    """The asset of a row of `known_assets`."""
    details = json.loads(row["details"]) if row["details"] else None
    return Asset(
        id=row["id"],
        request_id=row["request_id"],
        index=row["image_index"],
        scope=row["scope"],
        made_at=row["made_at"],
        purpose=Purpose(row["purpose"]),
        tier=Tier(row["tier"]) if row["tier"] else None,
        model=row["model"],
        cost=row["cost"],
        digest=row["digest"],
        bytes=row["bytes"],
        media_type=row["media_type"],
        pixels=Pixels(row["width"], row["height"]),
        response_id=row["response_id"],
        work_key=row["work_key"],
        cache_key=row["cache_key"],
        provenance=Provenance(**json.loads(row["provenance"])),
        stored=bool(row["stored"]),
        thumbnail=row["thumbnail"],
        details=Details(**details | {"warnings": tuple(details["warnings"])}) if details else None,
        removed_at=row["removed_at"],
        removed_why=row["removed_why"],
        feedback=_feedback_from(row),
    )


def _feedback_from(row: Mapping[str, Any]) -> Feedback | None:
    if row["verdict"] is None:
        return None
    return Feedback(verdict=Verdict(row["verdict"]), who=row["who"], at=row["said_at"])


def slots_text(known: Sketch) -> str:
    """The slots of a prompt as one value that can be looked up."""
    return _json(known.slots)


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _json(value: Any) -> str:
    # Escaped to ASCII: PostgreSQL's text takes neither NUL nor lone surrogates.
    return json.dumps(value, separators=(",", ":"))
