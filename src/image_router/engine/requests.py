"""Loose arguments → one ImageRequest: names into enums, dollars into nano-dollars, files into references."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

from image_router.core.brevity import Compress
from image_router.core.errors import InvalidRequest
from image_router.core.money import parse_usd
from image_router.core.types import (
    Adaptation,
    AspectRatio,
    Conversation,
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

ReferenceSource: TypeAlias = "Reference | bytes | str | os.PathLike[str] | object"
"""Bytes, a path, an http(s) URL, a made image, or anything with inline_data, such as a google.genai Part."""

References: TypeAlias = "ReferenceSource | Iterable[ReferenceSource | tuple[ReferenceSource, str]]"
"""One source, or several; a source may be paired with its role: ("style.png", "style")."""

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
    return lambda field, value: tuple(one(field, v) for v in _each(field, value))


def _each(field: str, value: Any) -> Iterable[Any]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise InvalidRequest(f"{field} {value!r} is no list")
    return value


def _dollars(field: str, value: Any) -> int:
    return parse_usd(value, name=field)


def _safety(field: str, value: Any) -> tuple[SafetySetting, ...]:
    pairs = value.items() if isinstance(value, Mapping) else _each(field, value)
    return tuple(pair if isinstance(pair, SafetySetting) else _setting(field, pair) for pair in pairs)


def _setting(field: str, pair: Any) -> SafetySetting:
    match pair:
        case (str(category), str(threshold)):
            return SafetySetting(category=category, threshold=threshold)
    raise InvalidRequest(
        f"{field}: {pair!r} is no category with its threshold; "
        f"write them like HARM_CATEGORY_HARASSMENT and BLOCK_ONLY_HIGH"
    )


def _whole(field: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(f"{field} {value!r} is not a whole number")
    return value


def _words(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{field} {value!r} is no text")
    return value


def _yes_or_no(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest(f"{field} {value!r} is neither True nor False")
    return value


def _seconds(field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRequest(f"{field} {value!r} is no number of seconds")
    return float(value)


def _talk(field: str, value: Any) -> Conversation:
    if not isinstance(value, Conversation):
        raise InvalidRequest(f"{field} is {type(value).__name__}; pass the .conversation of a made image")
    return value


_CONVERT: Mapping[str, Callable[[str, Any], Any]] = {
    "purpose": _name_of(Purpose),
    "size": _name_of(Size),
    "aspect": _name_of(AspectRatio),
    "lane": _name_of(Lane),
    "tier": _name_of(Tier),
    "retired": _name_of(RetiredPolicy),
    "quality_floor": _name_of(Quality),
    "thinking": _name_of(ThinkingLevel),
    "person_generation": _name_of(PersonGeneration),
    "grounding": _names_of(Grounding),
    "compress": lambda field, value: Compress.parse(value),
    "allow": lambda field, value: frozenset(_names_of(Adaptation)(field, value)),
    "safety": _safety,
    "max_cost": _dollars,
    "max_total": _dollars,
    "n": _whole,
    "seed": _whole,
    "text": _words,
    "text_heavy": _yes_or_no,
    "drafts": _yes_or_no,
    "identity_locked": _yes_or_no,
    "model": _words,
    "system_instruction": _words,
    "language": _words,
    "scope": _words,
    "key": _words,
    "deadline": _seconds,
    "conversation": _talk,
}
_KNOWN = frozenset(field.name for field in fields(ImageRequest))


async def build_request(
    prompt: str | ImageRequest,
    asked: Mapping[str, Any],
    *,
    fetch_urls: bool = True,
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
    values = {name: _CONVERT[name](name, value) for name, value in given.items()}
    references = await load_references(sources, fetch_urls=fetch_urls)
    return ImageRequest(prompt=_words("prompt", prompt), references=references, **values)


async def load_references(sources: References, *, fetch_urls: bool = True) -> tuple[Reference, ...]:
    """Read all references at once; a (source, role) pair names what one stands for."""
    given = each_source(sources)
    if not given:
        return ()
    import asyncio  # 70 ms of start-up with the next, which a request of words alone need not pay

    from image_router.engine import media

    references = tuple(await asyncio.gather(*(_load(source, fetch_urls) for source in given)))
    media.check_total(references)
    return references


def each_source(sources: References) -> tuple[ReferenceSource, ...]:
    """The sources one by one; a single one may stand without its list."""
    if isinstance(sources, list | tuple | set | frozenset | Iterator):
        return tuple(sources)
    return (sources,)


async def _load(source: Any, fetch_urls: bool) -> Reference:
    from asyncio import to_thread  # as above

    from image_router.engine import media

    role = None
    if isinstance(source, tuple):
        source, role = _with_role(source)
    if isinstance(source, str) and source[:8].lower().startswith(("http://", "https://")):
        if not fetch_urls:
            shown = media.without_password(source)
            raise InvalidRequest(f"reference {shown} is not fetched offline; give a file, or bytes")
        from image_router.engine.fetching import fetch_reference  # aiohttp, for URLs alone

        return await fetch_reference(source, role or ReferenceRole.OBJECT)
    return await to_thread(media.load_reference, source, role)


def _with_role(pair: tuple[Any, ...]) -> tuple[Any, ReferenceRole]:
    if len(pair) != 2:
        raise InvalidRequest(
            f"a reference with its role is a pair, such as ('a.png', 'style'), not {len(pair)}"
        )
    source, name = pair
    return source, _name_of(ReferenceRole)("reference role", name)
