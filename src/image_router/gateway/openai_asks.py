"""OpenAI's request fields → what the router is asked for, and how the answer is wanted.

Every field is served, refused with a 400 that says why, or listed in the answer as ignored with the reason.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from image_router.core.types import AspectRatio, Purpose, Size, Tier
from image_router.gateway import refusals
from image_router.gateway.fields import flag, one_of, text, whole

MAX_EDGE: Final = 16_384
"""Pixels; nothing that size is made, yet its shape can be read."""

PURPOSE_OF: Final[Mapping[str, Purpose | None]] = {
    "auto": None,
    "low": Purpose.DRAFT,
    "medium": None,
    "standard": None,
    "high": Purpose.HERO,
    "hd": Purpose.HERO,
    "xhigh": Purpose.FINAL_HERO,
    "max": Purpose.FINAL_HERO,
}
"""OpenAI's quality is effort; the router's word for how good a picture must be is its purpose."""

OWN: Final = frozenset(
    {
        "purpose",
        "text",
        "text_heavy",
        "lane",
        "tier",
        "max_cost",
        "max_total",
        "quality_floor",
        "identity_locked",
        "thinking",
        "seed",
        "safety",
        "person_generation",
        "system_instruction",
        "grounding",
        "language",
        "allow",
        "compress",
        "deadline",
        "retired",
    }
)
"""The router's own fields, under the names the library gives them."""

_LOOSE: Final = ("BLOCK_ONLY_HIGH",)
_HARMS: Final = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
_MONEY: Final = ("max_cost", "max_total")

_IMPOSSIBLE: Final[Mapping[str, str]] = {
    "mask": "Gemini's models take no mask; say in the prompt what is to change, and leave the mask out",
    "markup": "Gemini's models take no markup picture; say in the prompt what is to change",
    "style": "style belonged to DALL·E 3; say the style in the prompt",
    "complexity": "complexity plans SVG and GIF output, which no model here makes",
    "svg": "no model here makes SVG",
    "frame_count": "no model here makes animations",
    "frame_duration_ms": "no model here makes animations",
}
_IGNORED: Final[Mapping[str, str]] = {
    "user": "end users are not told to the provider",
    "safety_identifier": "end users are not told to the provider",
    "input_fidelity": "the models keep what the prompt does not change; they have no such dial",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How the caller wants the answer."""

    as_url: bool = False
    format: str | None = None
    """jpeg, png or webp: convert to it; None: the provider's own bytes."""
    compression: int | None = None
    stream: bool = False
    partial_images: int = 0
    explain: bool = False
    """Decide and quote only; nothing is made."""
    quality: str | None = None
    """As the caller wrote it, to say it back."""
    asked_size: str | None = None
    """WxH, to say when another size came."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Field → why it has no effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One images request."""

    prompt: str
    fields: Mapping[str, Any]
    """Keyword arguments of the router."""
    profile: str | None
    cache: str | None
    scope: str | None
    """Who shall pay, below the caller's own scope."""
    references: tuple[Any, ...]
    """As they came: texts and objects of JSON, or uploaded files."""
    delivery: Delivery


_DELIVERY: Final = frozenset(
    {"response_format", "output_format", "output_compression", "stream", "partial_images", "explain"}
)
_SHAPE: Final = frozenset({"size", "aspect_ratio", "resolution"})
_OTHER: Final = frozenset(
    {
        "prompt",
        "model",
        "n",
        "quality",
        "background",
        "moderation",
        "profile",
        "cache",
        "scope",
        "references",
        "images",
    }
)
KNOWN: Final = OWN | _DELIVERY | _SHAPE | _OTHER | _IMPOSSIBLE.keys() | _IGNORED.keys()


_NOT_TEXT: Final = frozenset(
    {
        "seed",
        "text_heavy",
        "identity_locked",
        "safety",
        "grounding",
        "allow",
        "deadline",
        "references",
        "images",
    }
)


def of_form(fields: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a form, which has texts only: those that are no texts are written as JSON in it."""
    return {name: _json(name, value) if name in _NOT_TEXT else value for name, value in fields.items()}


def _json(name: str, value: str) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise refusals.malformed(f"{name} {value[:40]!r} is no JSON", param=name) from None


def asked_of(given: Mapping[str, Any], *, files: tuple[Any, ...] = (), editing: bool = False) -> Asked:
    """Read the fields of a body or form. Raises Refusal naming the field."""
    body = {name: value for name, value in given.items() if value is not None}
    _check_names(body)
    own = {name: body[name] for name in OWN & body.keys()}
    for name in _MONEY:
        if isinstance(own.get(name), float):
            own[name] = repr(own[name])  # JSON wrote decimal digits; the shortest text that reads the same
    fields = {**own, **_served_by(body), **_shape(body), "n": whole(body, "n", default=1, low=1, high=100)}
    _add_moderation(fields, body)
    if whole(body, "partial_images", default=0, low=0, high=3):
        fields["drafts"] = True
    quality = _quality(body)
    ignored = {name: why for name, why in _IGNORED.items() if name in body}
    if editing:
        fields.setdefault("purpose", Purpose.CONTEXTUAL_EDIT.value)
    if quality and "purpose" not in fields and (purpose := PURPOSE_OF[quality]):
        fields["purpose"] = purpose.value
    elif quality and PURPOSE_OF[quality]:
        ignored["quality"] = "the purpose already says how good the picture must be"
    return Asked(
        prompt=text(body, "prompt") or "",
        fields=fields,
        profile=text(body, "profile"),
        cache=text(body, "cache"),
        scope=text(body, "scope"),
        references=(*files, *_listed(body, "references"), *_listed(body, "images")),
        delivery=_delivery(body, quality=quality, ignored=ignored),
    )


def _check_names(body: Mapping[str, Any]) -> None:
    for name, why in _IMPOSSIBLE.items():
        if name in body:
            raise refusals.malformed(f"{name}: {why}", param=name)
    for name in body:
        if name not in KNOWN:
            near = difflib.get_close_matches(name, KNOWN, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise refusals.malformed(f"unknown field {name!r}{hint}", param=name)
    if "prompt" not in body:
        raise refusals.malformed("prompt is missing; say what the picture shall show", param="prompt")
    if one_of(body, "background", words=("auto", "opaque", "transparent")) == "transparent":
        words = "background: no Gemini model makes transparent pictures; use opaque, or cut it out afterwards"
        raise refusals.malformed(words, param="background")


def _served_by(body: Mapping[str, Any]) -> dict[str, Any]:
    """`model` names nothing (auto), a tier, a purpose (auto:hero), or a model."""
    name = text(body, "model")
    if name in (None, "auto"):
        return {}
    if name.startswith("auto:"):
        purpose = name.removeprefix("auto:")
        if purpose not in list(Purpose):
            words = f"model {name!r}: there is no purpose {purpose!r}; there are {', '.join(Purpose)}"
            raise refusals.malformed(words, param="model")
        if "purpose" in body and body["purpose"] != purpose:
            words = f"model {name!r} and purpose {body['purpose']!r} differ; give one of them"
            raise refusals.malformed(words, param="purpose")
        return {"purpose": purpose}
    return {"tier": name} if name in list(Tier) else {"model": name}


def _shape(body: Mapping[str, Any]) -> dict[str, Any]:
    size = text(body, "size")
    said = {"aspect": text(body, "aspect_ratio"), "size": text(body, "resolution")}
    said = {name: value for name, value in said.items() if value not in (None, "auto")}
    if size in (None, "auto"):
        return dict(said)
    if size in list(Size):
        return {"size": size, **said}
    if said:
        words = f"size {size!r} says the shape already; leave aspect_ratio and resolution out, or size"
        raise refusals.malformed(words, param="size")
    width, height = _edges(size)
    aspect, nearest = nearest_shape(width, height)
    return {"aspect": aspect.value, "size": nearest.value}


def _edges(size: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (0 < width <= MAX_EDGE and 0 < height <= MAX_EDGE):
        words = f"size {size!r} is neither auto, {', '.join(Size)}, nor pixels like 1536x1024"
        raise refusals.malformed(words, param="size")
    return width, height


def nearest_shape(width: int, height: int) -> tuple[AspectRatio, Size]:
    """The aspect ratio and size nearest to so many pixels, both compared as logarithms."""
    edges = {Size.S512: 512, Size.K1: 1024, Size.K2: 2048, Size.K4: 4096}

    def off_shape(aspect: AspectRatio) -> float:
        across, down = aspect.value_as_fraction
        return abs(math.log(width * down / (height * across)))

    def off_size(size: Size) -> float:
        return abs(math.log(math.sqrt(width * height) / edges[size]))

    return min(AspectRatio, key=off_shape), min(edges, key=off_size)


def _quality(body: Mapping[str, Any]) -> str | None:
    return one_of(body, "quality", words=tuple(PURPOSE_OF))


def _add_moderation(fields: dict[str, Any], body: Mapping[str, Any]) -> None:
    """`low` is the API's own word for looser filters; explicit safety settings say it better."""
    if one_of(body, "moderation", words=("auto", "low")) == "low" and "safety" not in fields:
        fields["safety"] = {f"HARM_CATEGORY_{harm}": _LOOSE[0] for harm in _HARMS}


def _delivery(body: Mapping[str, Any], *, quality: str | None, ignored: Mapping[str, str]) -> Delivery:
    wanted = one_of(body, "output_format", words=("png", "jpeg", "webp"))
    if "output_compression" in body and wanted not in ("jpeg", "webp"):
        words = "output_compression goes with output_format jpeg or webp"
        raise refusals.malformed(words, param="output_compression")
    stream = flag(body, "stream")
    if "partial_images" in body and not stream:
        raise refusals.malformed("partial_images goes with stream=true", param="partial_images")
    size = text(body, "size")
    return Delivery(
        as_url=one_of(body, "response_format", words=("b64_json", "url")) == "url",
        format=wanted,
        compression=whole(body, "output_compression", default=None, low=0, high=100),
        stream=stream,
        partial_images=whole(body, "partial_images", default=0, low=0, high=3) or 0,
        explain=flag(body, "explain"),
        quality=quality,
        asked_size=size if size and "x" in size else None,
        ignored=ignored,
    )


def _listed(body: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    value = body.get(name, ())
    return tuple(value) if isinstance(value, list | tuple) else (value,)
