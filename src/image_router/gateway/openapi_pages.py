"""`GET /openapi.json` and `GET /docs`: the gateway's own documentation, served by itself."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from importlib.resources import files
from typing import Final

import orjson
from starlette.responses import HTMLResponse, Response

from image_router.gateway.app import Entry, Visit
from image_router.gateway.docs_page import page
from image_router.gateway.openapi import document
from image_router.gateway.surfaces import JSON, ROUTER

_SAFE: Final = {
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def entries_about(others: Iterable[Entry]) -> tuple[Entry, ...]:
    """The operations that describe these others, and themselves."""

    async def described(visit: Visit) -> Response:
        told = document(everything, address=visit.address(""))
        return Response(orjson.dumps(told), headers=_SAFE, media_type=JSON)

    async def docs(visit: Visit) -> Response:
        style = (files("image_router") / "data" / "pages" / "docs.css").read_text(encoding="utf-8")
        told = document(everything, address=visit.address(""))
        return HTMLResponse(page(told, style), headers={**_SAFE, "content-security-policy": _policy(style)})

    own = tuple(
        Entry(method="GET", path=path, endpoint=endpoint, surface=ROUTER, public=True)
        for path, endpoint in (("/openapi.json", described), ("/docs", docs))
    )
    everything = (*others, *own)
    return own


def _policy(style: str) -> str:
    """Nothing may be loaded but this very style."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    nothing = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return f"{nothing}; style-src 'sha256-{digest}'"
