"""Requests in our own words: the fields are those of the library, and each is read strictly."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from image_router.core.errors import AssetError
from image_router.core.types import ImageRequest
from image_router.gateway import refusals
from image_router.gateway.app import Visit
from image_router.gateway.fields import one_of, text, whole
from image_router.gateway.references import asset, sources

_SPECIAL: Final = frozenset({"prompt", "references", "conversation", "scope"})
FIELDS: Final = frozenset(field.name for field in fields(ImageRequest)) - _SPECIAL
"""The fields of an ImageRequest that pass to the router as they are."""
_MONEY: Final = ("max_cost", "max_total")
MANNER: Final = frozenset({"prompt", "references", "previous", "scope", "profile"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request that was read; the router has validated nothing yet."""

    prompt: str
    fields: Mapping[str, Any]
    references: tuple[Any, ...]
    previous: str | None
    """Id of a picture whose conversation goes on."""
    scope: str | None
    profile: str | None


def ask_of(body: Mapping[str, Any], *, others: Iterable[str] = ()) -> Ask:
    """The request in a body, whose further fields are `others`. Raises Refusal naming the field."""
    check_names(body, FIELDS | MANNER | set(others))
    given = {name: body[name] for name in FIELDS & body.keys() if body[name] is not None}
    for name in _MONEY:
        if isinstance(given.get(name), int | float):
            given[name] = repr(given[name])  # the digits JSON wrote: the shortest text that reads the same
    references = body.get("references") or ()
    if not isinstance(references, list | tuple):
        raise refusals.malformed("references is no list", param="references")
    return Ask(
        prompt=_needed(body, "prompt", "say what the picture shall show"),
        fields=given,
        references=tuple(references),
        previous=text(body, "previous"),
        scope=text(body, "scope"),
        profile=text(body, "profile"),
    )


def check_names(body: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse a field that nobody reads, with the nearest name there is."""
    names = sorted(known)
    for name in body:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"
            raise refusals.malformed(f"unknown field {name[:60]!r}{hint}", param=name[:60])


async def request_of(visit: Visit, ask: Ask, *, key: str | None = None) -> ImageRequest:
    """The validated request, paid by the caller. Raises Refusal and InvalidRequest."""
    references = await sources(visit, ask.references)
    given = {**visit.terms(ask.scope), **ask.fields}
    if key is not None:
        if given.get("key") not in (None, key):
            raise refusals.malformed("key and Idempotency-Key differ; give one of them", param="key")
        given["key"] = key
    if ask.previous is None:
        return await visit.router.request(ask.prompt, references=references, **given)
    try:
        previous = await visit.parts.books.assets.load((await asset(visit, ask.previous)).id)
    except AssetError as error:
        raise refusals.malformed(f"previous: {error}", param="previous") from None
    return await visit.router.edit_request(ask.prompt, previous=previous, references=references, **given)


def pressure_of(body: Mapping[str, Any]) -> int:
    """The percent of a budget to assume as used."""
    return whole(body, "pressure", default=0, low=0, high=100)


def as_links(body: Mapping[str, Any]) -> bool:
    """Whether pictures are wanted as addresses instead of base64."""
    return one_of(body, "response_format", words=("b64_json", "url")) == "url"


def _needed(body: Mapping[str, Any], name: str, advice: str) -> str:
    found = text(body, name)
    if found is None:
        raise refusals.malformed(f"{name} is missing; {advice}", param=name)
    return found
