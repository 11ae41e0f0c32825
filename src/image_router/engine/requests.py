"""Loose arguments → one ImageRequest: names into enums, dollars into nano-dollars, files into references."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

from image_router.core.chain import as_reference
from image_router.core.errors import InvalidRequest
from image_router.core.money import parse_usd
from image_router.core.results import GeneratedImage
from image_router.core.types import (
    Adaptation,
    AspectRatio,
    Grounding,
    ImageRequest,
    Lane,
    PersonGeneration,
    Purpose,
    Quality,
    Reference,
    ReferenceRole,
    RetiredPolicy,
    SafetySetting,
    Size,
    ThinkingLevel,
    Tier,
)
from image_router.engine import media

ReferenceSource: TypeAlias = "Reference | GeneratedImage | bytes | str | os.PathLike[str] | object"
"""Bytes, a path, an http(s) URL, a made image, or anything with inline_data, such as a google.genai Part."""

E = TypeVar("E", bound=StrEnum)


def _name_of(kind: type[E]) -> Callable[[str, Any], E]:
    def convert(field: str, value: Any) -> E:
        try:
            return kind(value)
        except ValueError:
            raise InvalidRequest(f"{field} {value!r} is not one of {', '.join(kind)}") from None

    return convert


def _names_of(kind: type[E]) -> Callable[[str, Any], tuple[E, ...]]:
    one = _name_of(kind)
    return lambda field, value: tuple(one(field, v) for v in ([value] if isinstance(value, str) else value))


def _dollars(field: str, value: Any) -> int:
    return parse_usd(value, name=field)


def _safety(field: str, value: Any) -> tuple[SafetySetting, ...]:
    if isinstance(value, Mapping):
        value = value.items()
    return tuple(v if isinstance(v, SafetySetting) else _setting(field, *v) for v in value)


def _setting(field: str, category: str, threshold: str) -> SafetySetting:
    if not category.startswith("HARM_CATEGORY_"):
        raise InvalidRequest(f"{field}: {category!r} is no category; write it like HARM_CATEGORY_HARASSMENT")
    return SafetySetting(category=category, threshold=threshold)


def _whole(field: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(f"{field} {value!r} is not a whole number")
    return value


def _purpose(field: str, value: Any) -> Purpose:
    return _name_of(Purpose)(field, value)


_CONVERT: Mapping[str, Callable[[str, Any], Any]] = {
    "purpose": _purpose,
    "size": _name_of(Size),
    "aspect": _name_of(AspectRatio),
    "lane": _name_of(Lane),
    "tier": _name_of(Tier),
    "retired": _name_of(RetiredPolicy),
    "quality_floor": _name_of(Quality),
    "thinking": _name_of(ThinkingLevel),
    "person_generation": _name_of(PersonGeneration),
    "grounding": _names_of(Grounding),
    "allow": lambda field, value: frozenset(_names_of(Adaptation)(field, value)),
    "safety": _safety,
    "max_cost": _dollars,
    "max_total": _dollars,
    "n": _whole,
    "seed": _whole,
}
_KNOWN = frozenset(field.name for field in fields(ImageRequest))


async def build_request(
    prompt: str | ImageRequest,
    asked: Mapping[str, Any],
    *,
    allow_private_urls: bool = False,
    defaults: Mapping[str, Any] | None = None,
) -> ImageRequest:
    """A validated request. A ready ImageRequest passes through and takes no further fields.

    Raises InvalidRequest for an unknown field or value, an unreadable reference or an unsafe URL.
    """
    if isinstance(prompt, ImageRequest):
        if asked:
            raise InvalidRequest(f"a ready ImageRequest takes no further fields: {', '.join(sorted(asked))}")
        return prompt
    given = {**(defaults or {}), **{name: value for name, value in asked.items() if value is not None}}
    unknown = given.keys() - _KNOWN
    if unknown:
        raise InvalidRequest(
            f"unknown field {', '.join(sorted(unknown))}; known are {', '.join(sorted(_KNOWN))}"
        )
    sources = given.pop("references", ())
    values = {name: _CONVERT[name](name, v) if name in _CONVERT else v for name, v in given.items()}
    references = await load_references(sources, allow_private_urls=allow_private_urls)
    return ImageRequest(prompt=prompt, references=references, **values)


async def load_references(
    sources: Iterable[ReferenceSource], *, allow_private_urls: bool = False
) -> tuple[Reference, ...]:
    """Read all references at once; a (source, role) pair names what one stands for."""
    if isinstance(sources, str | bytes | os.PathLike):
        sources = (sources,)
    jobs = [_load(source, allow_private_urls) for source in sources]
    references = tuple(await asyncio.gather(*jobs))
    media.check_total(references)
    return references


async def _load(source: Any, allow_private: bool) -> Reference:
    role = None
    if isinstance(source, tuple):
        source, name = source
        role = _name_of(ReferenceRole)("reference role", name)
    if isinstance(source, GeneratedImage):
        return as_reference(source)
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        from image_router.engine.fetching import fetch_reference  # aiohttp, for URLs alone

        return await fetch_reference(source, role or ReferenceRole.OBJECT, allow_private=allow_private)
    return await asyncio.to_thread(media.load_reference, source, role)
