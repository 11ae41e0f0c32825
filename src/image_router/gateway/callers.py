"""Who calls: a doorkeeper looks at a request's headers and says whose money it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request, as far as the gateway knows."""

    scope: str
    """Who pays."""
    admin: bool = False
    key_id: str | None = None
    """None in open mode."""


class Doorkeeper(Protocol):
    """Tells callers apart."""

    async def known(self, request: Request) -> Caller:
        """Who sent this. Raises Refusal (401, 403)."""
        ...


class OpenDoors:
    """Open mode: whoever reaches this address may do everything. For loopback alone."""

    def __init__(self, scope: str) -> None:
        self._caller = Caller(scope=scope, admin=True)

    async def known(self, request: Request) -> Caller:
        return self._caller


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
