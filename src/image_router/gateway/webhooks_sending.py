"""Webhooks on their way: signed per Standard Webhooks, sent at least once, tried for a day.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, 2026-11-22.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from image_router._version import __version__
from image_router.core.budget import SECOND
from image_router.core.errors import ImageRouterError
from image_router.engine.fetching import CheckedResolver
from image_router.gateway.app import Duty, Parts
from image_router.gateway.rounds import rounds
from image_router.gateway.surfaces import JSON, Refusal
from image_router.gateway.webhooks_rules import ALLOW, check_url
from image_router.storage.objects import now_micros
from image_router.storage.webhooks_tables import Delivery, DeliveryState, Told

FIRST: Final = 5.0
"""Seconds before the second try; every further one waits three times as long."""
LONGEST: Final = 6 * 3600.0
PATIENCE: Final = 86_400.0
"""Seconds after which a delivery is given up."""
TIMEOUT: Final = 15.0
"""Seconds for one try: the lower end of what the specification asks for."""
AT_ONCE: Final = 16
POLL: Final = 0.5
_SWEEPS: Final = 600.0
_log = logging.getLogger(__name__)


def signed(message_id: str, body: bytes, *, at: int, secrets: Iterable[bytes]) -> dict[str, str]:
    """The three headers of a message sent at a moment (seconds since 1970), one signature for each secret."""
    content = b".".join((message_id.encode(), str(at).encode(), body))
    macs = (hmac.new(secret, content, hashlib.sha256).digest() for secret in secrets)
    signatures = " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs)
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": signatures}


def wait_after(tries: int, *, dice: Callable[[], float] = random.random) -> float:
    """Seconds until the next try: growing, and spread so that many do not come back at the same moment."""
    longest = min(FIRST * 3.0 ** (tries - 1), LONGEST)
    return longest * (0.5 + dice() / 2)


@asynccontextmanager
async def sending(parts: Parts, duty: Duty) -> AsyncIterator[None]:
    """Send what is due for as long as the block lasts; tries under way are let end."""
    resolver = CheckedResolver(allow_private=parts.private_hooks, hint=ALLOW)
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT),
        headers={"user-agent": f"image-router/{__version__}", "content-type": JSON},
    ) as session:
        sender = Sender(parts, duty, session=session)
        looking = asyncio.create_task(sender.look_after())
        try:
            yield
        finally:
            sender.stopping.set()
            await looking
            await sender.drain()


class Sender:
    """Who sends in one process. Made by `sending`."""

    def __init__(self, parts: Parts, duty: Duty, *, session: aiohttp.ClientSession) -> None:
        self._parts, self._duty, self._session = parts, duty, session
        self._tries: set[asyncio.Task[None]] = set()
        self._swept = 0.0
        self.stopping = asyncio.Event()

    async def look_after(self) -> None:
        """Look for what is due again and again, until `stopping`."""
        await rounds(self._look, after="webhooks", every=POLL, until=self.stopping)

    async def drain(self) -> None:
        """Wait until the tries under way have ended."""
        while self._tries:
            await asyncio.wait(self._tries)

    async def _look(self) -> None:
        if not self._duty.stopping:
            for delivery in await self._parts.outbox.claim(AT_ONCE - len(self._tries)):
                task = asyncio.create_task(self._deliver(delivery))
                self._tries.add(task)
                task.add_done_callback(self._tries.discard)
        if time.monotonic() - self._swept > _SWEEPS or not self._swept:
            self._swept = time.monotonic()
            await self._parts.outbox.expire(keep=self._parts.limits.jobs_kept)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            told = await self._try(delivery)
            await self._parts.outbox.told(delivery, told)
        except ImageRouterError as problem:
            _log.warning("webhook %s is tried again when its lease ends: %s", delivery.id, problem)

    async def _try(self, delivery: Delivery) -> Told:
        secrets = await self._parts.outbox.secrets_of(delivery.scope)
        if not secrets:
            return later(delivery, f"scope {delivery.scope!r} has no secret to sign with")
        body = delivery.payload.encode()
        headers = signed(delivery.id, body, at=int(time.time()), secrets=secrets)
        try:
            check_url(delivery.url, private=self._parts.private_hooks)
            async with self._session.post(
                delivery.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return judged(delivery, answer.status)
        except TimeoutError:
            return later(delivery, f"no answer within {TIMEOUT:g} s")
        except (aiohttp.ClientError, OSError, Refusal, ImageRouterError) as problem:
            return later(delivery, f"{type(problem).__name__}: {problem}"[:300])


def judged(delivery: Delivery, status: int) -> Told:
    """What an answer means; its body counts for nothing."""
    if 200 <= status < 300:
        return Told(state=DeliveryState.DELIVERED, status=status)
    if status == 410:
        words = "HTTP 410: the receiver wants nothing more"
        return Told(state=DeliveryState.FAILED, status=status, trouble=words, gone=True)
    words = f"HTTP {status}" + ("; redirects are not followed" if 300 <= status < 400 else "")
    return later(delivery, words, status=status)


def later(delivery: Delivery, trouble: str, *, status: int | None = None) -> Told:
    """Try again, unless it has been tried for a day."""
    wait = wait_after(delivery.tries)
    over = now_micros() + wait * SECOND > delivery.begun_at + PATIENCE * SECOND
    state = DeliveryState.FAILED if over else DeliveryState.PENDING
    return Told(state=state, status=status, trouble=trouble, wait=wait)
