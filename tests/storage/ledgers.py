"""Small words for tests of the ledger: a request for money, a payment, a clock to turn."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from image_router.core.budget import SECOND, to_micros
from image_router.core.causes import Billed
from image_router.core.holds import AttemptKey, HoldRequest, Sending, Settlement
from image_router.core.rates import Cost, CostLine, LineKind
from image_router.core.running import Now
from image_router.core.types import Lane, Purpose, Tier

FIRST = AttemptKey(number=1)
SCOPE = "acme/studio/key-7"


def asked(amount: int = 100, **more: Any) -> HoldRequest:
    return HoldRequest(
        **(
            {
                "request_id": "req_1",
                "owner": "test",
                "scope": SCOPE,
                "amount": amount,
                "per_image": amount,
                "model": "model-a",
                "tier": Tier.NANO_BANANA_PRO,
                "purpose": Purpose.HERO,
                "lane": Lane.INTERACTIVE,
            }
            | more
        )
    )


def cost(amount: int) -> Cost:
    line = CostLine(kind=LineKind.IMAGE_OUTPUT, unit="token", rate=1, units=amount)
    return Cost(lines=(line,), card=date(2026, 4, 9))


def paid(amount: int, key: AttemptKey = FIRST, **more: Any) -> Settlement:
    return Settlement(attempt=key, billed=Billed.YES, cost=cost(amount), **({"images": 1} | more))


def sending(at_risk: int = 100, key: AttemptKey = FIRST, **more: Any) -> Sending:
    return Sending(attempt=key, at_risk=at_risk, **more)


@dataclass
class Clock:
    """A clock for Database.open that moves when told."""

    wall: int = to_micros(datetime(2026, 11, 22, 12, tzinfo=UTC))
    lease: int = 0
    epoch: str = "boot 1"

    def __call__(self) -> Now:
        return Now(wall=self.wall, lease=self.lease, epoch=self.epoch)

    def pass_seconds(self, seconds: float) -> None:
        self.wall += round(seconds * SECOND)
        self.lease += round(seconds * SECOND)


@contextmanager
def no_more_room(file_size: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
