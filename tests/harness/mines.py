"""Where a worker kills itself: the engine's own seams, each wrapped in one that may never come back.

Nothing of the engine is changed; a mine sits in what is handed to it (accounts, provider, event sink), and,
for the one point inside a transaction, in the step the ledger gives up holds with.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from image_router.core.catalog import Model
from image_router.core.decision import Candidate, Decision
from image_router.core.events import Event, RequestEnded
from image_router.core.money import Nanos
from image_router.core.reply import Reply
from image_router.core.results import Attempt
from image_router.core.text_calls import TextCall
from image_router.core.types import Size
from image_router.engine.accounts import Account, Accounts, Row
from image_router.providers.base import Call, Entitlement, ListedModel
from image_router.providers.rest import RestProvider
from image_router.storage import ledger


class Point(StrEnum):
    """Instants with a name."""

    BEFORE_HOLD = "before hold"
    AFTER_HOLD = "after hold"
    NOTED = "noted as sent, not sent"
    AFTER_SEND = "after send"
    AFTER_REPLY = "after reply"
    AFTER_STORE = "after store, before settle"
    AFTER_SETTLE = "after settle"
    BEFORE_FINISH = "before the key is finished"
    EXPIRING = "while expiring"


@dataclass
class Mine:
    """Goes off when its point is passed for the so-many-th time, and tells `fates` before it does."""

    fates: int
    """File descriptor, opened to append."""
    point: Point | None = None
    passes: int = 1

    def passing(self, point: Point, *, delay: float = 0.0) -> None:
        if point is not self.point:
            return
        self.passes -= 1
        if self.passes == 0 and delay:
            asyncio.get_running_loop().call_later(delay, self._go_off)
        elif self.passes == 0:
            self._go_off()

    def on_event(self, event: Event) -> None:
        if isinstance(event, RequestEnded):
            self.passing(Point.BEFORE_FINISH)

    def under_expiry(self) -> None:
        """Lay the mine in the transaction in which the ledger gives up holds: done, and not on disk."""
        expiring = ledger.expire_some

        def mined(tx: Any) -> list[str]:
            ids = expiring(tx)
            if ids:
                self.passing(Point.EXPIRING)
            return ids

        ledger.expire_some = mined

    def _go_off(self) -> None:
        os.write(self.fates, f"{self.point}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class MinedAccount:
    """One request's account; it also writes down which pictures were safe before their settlement."""

    inner: Account
    mine: Mine
    written: int
    """File descriptor: the response id of every picture whose file had been completely written."""

    async def sent(self, *, index: int, number: int, candidate: Candidate, at_risk: Nanos) -> None:
        await self.inner.sent(index=index, number=number, candidate=candidate, at_risk=at_risk)
        self.mine.passing(Point.NOTED)

    async def settled(self, attempt: Attempt, *, index: int, size: Size, row: Row | None = None) -> None:
        if row is not None:
            os.write(self.written, f"{attempt.response_id}\n".encode())
            self.mine.passing(Point.AFTER_STORE)
        await self.inner.settled(attempt, index=index, size=size, row=row)
        self.mine.passing(Point.AFTER_SETTLE)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass
class MinedAccounts:
    inner: Accounts
    mine: Mine
    written: int

    @asynccontextmanager
    async def holding(
        self, decision: Decision, *, request_id: str, deadline: float, wait: float
    ) -> AsyncIterator[Account]:
        self.mine.passing(Point.BEFORE_HOLD)
        taken = self.inner.holding(decision, request_id=request_id, deadline=deadline, wait=wait)
        async with taken as account:
            self.mine.passing(Point.AFTER_HOLD)
            yield MinedAccount(account, self.mine, self.written)

    def __getattr__(self, name: str) -> Any:
        """What holds no money passes through."""
        return getattr(self.inner, name)


class MinedProvider:
    """Real HTTP, with an API key for each scope's last name: so the bill says whose work was charged."""

    name = "harness"
    real = True

    def __init__(self, url: str, mine: Mine) -> None:
        self._url, self._mine = url, mine
        self._of: dict[str, RestProvider] = {}

    async def generate(self, call: Call, *, timeout: float) -> Reply:
        self._mine.passing(Point.AFTER_SEND, delay=0.03)
        account = call.request.scope.rpartition("/")[2]
        reply = await self._provider(account).generate(call, timeout=timeout)
        self._mine.passing(Point.AFTER_REPLY)
        return reply

    async def write(self, call: TextCall, *, timeout: float) -> Reply:
        return await self._provider("0000").write(call, timeout=timeout)

    async def models(self) -> tuple[ListedModel, ...]:
        return await self._provider("0000").models()

    async def probe(self, model: Model) -> Entitlement:
        return await self._provider("0000").probe(model)

    async def aclose(self) -> None:
        for provider in self._of.values():
            await provider.aclose()

    def _provider(self, account: str) -> RestProvider:
        if account not in self._of:
            self._of[account] = RestProvider(f"harness-{account}", base_url=self._url, real=True)
        return self._of[account]
