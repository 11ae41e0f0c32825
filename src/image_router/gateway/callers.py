"""Who calls: a doorkeeper looks at a request's headers and says whose money it is."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import Request

from image_router.core.decision import Decision
from image_router.core.key_permits import allow_decision, paying_scope
from image_router.core.money import Nanos
from image_router.core.router_keys import RouterKey
from image_router.engine.customers import Anybody, Entry
from image_router.gateway import refusals
from image_router.storage.key_ring import KeyRing


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request, as far as the gateway knows: a customer of the router."""

    scope: str
    """Who pays, unless a request names a scope below it."""
    admin: bool = False
    key: RouterKey | None = None
    """None in open mode, like the ring that counts its requests."""
    ring: KeyRing | None = None

    def allowed(self, decision: Decision) -> Decision:
        return allow_decision(self.key, decision) if self.key else decision

    def let_in(self, *, images: int, ceiling: Nanos) -> AbstractAsyncContextManager[Entry]:
        if self.key is None or self.ring is None:
            return Anybody().let_in(images=images, ceiling=ceiling)
        return self.ring.admit(self.key, images=images, ceiling=ceiling)

    def paying(self, asked: str | None) -> str:
        """Whose money a request spends. Raises KeyForbids for a scope that is not the key's."""
        if self.key is not None:
            return paying_scope(self.key, asked)
        return asked or self.scope


def holder(key: RouterKey, ring: KeyRing) -> Caller:
    """Whoever showed a router key."""
    return Caller(scope=key.rules.scope, admin=key.rules.admin, key=key, ring=ring)


class Doorkeeper(Protocol):
    """Tells callers apart."""

    open: bool
    """Nobody needs a key."""

    async def known(self, request: Request) -> Caller:
        """Who sent this. Raises KeyInvalid."""
        ...


class OpenDoors:
    """Open mode: whoever reaches this address may do everything. For programs of this machine alone.

    A page in this machine's browser reaches it too: its requests name the page (Origin, Sec-Fetch-Site), or,
    where its own name was made to stand for this address, that name (Host).
    """

    open = True

    def __init__(self, scope: str, *, url: str | None = None) -> None:
        self._caller = Caller(scope=scope, admin=True)
        self._own = urlsplit(url).netloc.lower() if url else None

    async def known(self, request: Request) -> Caller:
        host = request.headers.get("host", "").lower()
        if host != self._own and not _loopback(host):
            words = f"open mode answers to this machine's own names, not to {host[:80]!r}; use 127.0.0.1"
            raise refusals.foreign(words)
        if is_foreign(request):
            words = "open mode takes no requests of other pages; serve with keys and let your own server ask"
            raise refusals.foreign(words)
        return self._caller


def is_foreign(request: Request) -> bool:
    """Whether a page of another site made a browser send this; following a link is no such thing."""
    headers = request.headers
    origin = headers.get("origin")
    followed = request.method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
    if not followed and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    return origin is not None and _netloc(origin) != headers.get("host", "").lower()


def _netloc(address: str) -> str | None:
    try:
        return urlsplit(address).netloc.lower() or None
    except ValueError:
        return None


def _loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name.endswith(".localhost") or ip_address(name).is_loopback
    except ValueError:
        return False


class KeyedDoors:
    """Everybody shows a router key."""

    open = False

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def known(self, request: Request) -> Caller:
        return holder(await self._ring.check(presented(request)), self._ring)


def presented(request: Request) -> str | None:
    """The secret a request shows, as OpenAI's clients (Authorization), Google's (x-goog-api-key, ?key=) or
    anybody (x-api-key) send it."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip()
    for header in ("x-goog-api-key", "x-api-key"):
        if request.headers.get(header):
            return request.headers[header]
    return request.query_params.get("key")
