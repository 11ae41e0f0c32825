"""References that clients send: data URIs, addresses, uploads, and pictures made here before. Never paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pybase64

from image_router.core.errors import AssetError
from image_router.core.scopes import scope_path
from image_router.engine.media import MAX_REFERENCE_BYTES
from image_router.engine.requests import ReferenceSource
from image_router.gateway import intake, refusals
from image_router.gateway.app import Visit
from image_router.storage.asset_values import Asset

_MOST: Final = 16
"""References one request may carry, before any model's own limit."""
_FORMS: Final = "a data: URI, an https address, or an object with image_url, file_id or b64_json"


async def sources(visit: Visit, given: Iterable[Any]) -> list[ReferenceSource]:
    """What the router reads references from. Raises Refusal and AssetError."""
    items = list(given)
    if len(items) > _MOST:
        raise refusals.malformed(f"{len(items)} references; at most {_MOST} are taken", param="references")
    return [await _source(visit, item) for item in items]


async def _source(visit: Visit, item: Any) -> ReferenceSource:
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        return _addressed(item)
    if isinstance(item, Mapping):
        found = await _object(visit, item)
        return (found, item["role"]) if isinstance(item.get("role"), str) else found
    raise refusals.malformed(f"a reference is {type(item).__name__}; send {_FORMS}", param="references")


async def _object(visit: Visit, item: Mapping[str, Any]) -> ReferenceSource:
    match item:
        case {"image_url": str(address)} | {"image_url": {"url": str(address)}} | {"url": str(address)}:
            return _addressed(address)
        case {"file_id": str(name)}:
            found = await visit.parts.books.assets.read(await asset(visit, name))
            await intake.of(visit.request).hold(len(found))
            return found
        case {"b64_json": str(encoded)}:
            return _decoded(encoded)
    raise refusals.malformed(
        f"a reference with {', '.join(item) or 'nothing'}; send {_FORMS}", param="images"
    )


def _addressed(address: str) -> ReferenceSource:
    """Only these two: any other text would be taken for a file of ours."""
    if address.startswith("data:"):
        return _decoded(address.partition(",")[2])
    if address.lower().startswith(("https://", "http://")):
        return address
    raise refusals.malformed(f"a reference {address[:40]!r} is no address; send {_FORMS}", param="references")


def _decoded(encoded: str) -> bytes:
    if len(encoded) > MAX_REFERENCE_BYTES * 4 // 3 + 4:
        raise refusals.too_large("a reference", len(encoded) * 3 // 4, limit=MAX_REFERENCE_BYTES)
    try:
        return pybase64.b64decode(encoded, validate=True)
    except ValueError as problem:
        raise refusals.malformed(f"a reference is no base64: {problem}", param="references") from None


async def asset(visit: Visit, name: str) -> Asset:
    """A picture made here, if it belongs to the caller's scope. Raises Refusal: 404, whoever owns it."""
    try:
        found = await visit.parts.books.assets.get(name)
    except AssetError:
        found = None
    if found is None or not (visit.caller.admin or visit.caller.scope in scope_path(found.scope)):
        raise refusals.absent(f"no picture {name!r} is kept in scope {visit.caller.scope!r}")
    return found
