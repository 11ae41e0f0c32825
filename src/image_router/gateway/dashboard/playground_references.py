"""References of the playground: pictures that were dropped in, or made here before. A URL can name both.

What is dropped in becomes a blob that nothing refers to, which the garbage collection leaves alone for a day.
Its name is signed for whoever brought it: a digest alone opens nothing.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from image_router.core.errors import AssetError
from image_router.core.types import Reference, ReferenceRole
from image_router.engine.media import reference_of
from image_router.gateway import intake
from image_router.gateway.app import Visit
from image_router.gateway.dashboard.pictures import SHIELD
from image_router.gateway.references import asset
from image_router.gateway.refusals import absent, malformed
from image_router.storage.keeping import GRACE

MOST: Final = 16
_BROUGHT: Final = "up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A reference by its name: enough to decide and quote without reading it."""

    name: str
    digest: str
    media_type: str
    width: int
    height: int
    source: str
    """For an img element."""
    asset: str | None = None
    """Its id, where it was made here."""

    def reference(self, data: bytes, role: ReferenceRole) -> Reference:
        """As the router wants it; without its bytes it can be quoted, not sent."""
        return Reference(
            data=data,
            media_type=self.media_type,
            digest=self.digest,
            width=self.width,
            height=self.height,
            role=role,
            name=self.asset,
        )


async def brought(visit: Visit, data: bytes) -> str:
    """Store a picture that was dropped in; its name. Raises InvalidRequest for what is no picture."""
    known = await asyncio.to_thread(reference_of, data, "you dropped", role=ReferenceRole.OBJECT)
    await visit.parts.books.assets.blobs.put(known.digest, data)
    kind = known.media_type.removeprefix("image/")
    told = f"{known.digest}.{known.width}.{known.height}.{kind}.{int(time.time() + GRACE)}"
    return f"{_BROUGHT}.{told}.{_signature(visit, told)}"


async def given(visit: Visit, name: str) -> Given:
    """What a name stands for. Raises Refusal: 404 for what is not the viewer's, or here no longer."""
    if name.startswith(f"{_BROUGHT}."):
        return _brought(visit, name)
    found = await asset(visit, name)
    if not found.stored or found.removed_at is not None:
        raise absent(f"the picture {name} is not kept, so it can be no reference; take it out")
    return Given(
        name=found.id,
        digest=found.digest,
        media_type=found.media_type,
        width=found.pixels.width,
        height=found.pixels.height,
        source=f"/dashboard/pictures/{found.id}/thumbnail",
        asset=found.id,
    )


async def read(visit: Visit, one: Given, *, role: ReferenceRole) -> Reference:
    """With its bytes. Raises Refusal where they are gone."""
    try:
        data = await visit.parts.books.assets.blobs.read(one.digest)
    except AssetError as error:
        raise malformed(f"a reference is not there any more: {error}; drop it in again") from None
    await intake.of(visit.request).hold(len(data))
    return one.reference(data, role)


async def content(visit: Visit) -> Response:
    """GET /dashboard/playground/references/{name}: what was dropped in, for whoever did."""
    found = await given(visit, visit.request.path_params["name"])
    data = await visit.parts.books.assets.blobs.read(found.digest)
    return Response(data, headers=SHIELD, media_type=found.media_type)


def _brought(visit: Visit, name: str) -> Given:
    told, _, signature = name.removeprefix(f"{_BROUGHT}.").rpartition(".")
    if signature != _signature(visit, told):
        raise absent("a reference here was dropped in by somebody else, or is damaged; drop it in again")
    digest, width, height, kind, expires = told.split(".")
    if int(expires) < time.time():
        raise absent("a reference of this page was dropped in more than a day ago; drop it in again")
    return Given(
        name=name,
        digest=digest,
        media_type=f"image/{kind}",
        width=int(width),
        height=int(height),
        source=f"/dashboard/playground/references/{name}",
    )


def _signature(visit: Visit, told: str) -> str:
    """Of a picture that somebody of this scope brought."""
    return visit.parts.links.signature(f"reference\n{visit.caller.scope}\n{told}", 0)[:32]
