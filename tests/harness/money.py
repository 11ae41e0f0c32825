"""What the money harnesses share: databases of both kinds, a request, an account of every entry."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import create_engine, text

import postgres_server
from image_router.core.holds import HoldRequest
from image_router.core.rates import Cost, CostLine, LineKind
from image_router.core.running import Now
from image_router.core.types import Purpose, Tier
from image_router.storage.clock import machine_now

KINDS = ("sqlite", "postgresql")
SCOPE = "acme/studio"


@contextmanager
def fresh_database(kind: str) -> Iterator[str]:
    """An empty database that is gone afterwards; PostgreSQL keeps its fsync."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield str(Path(folder) / "harness.db")
        return
    with postgres_server.private() as (url, _):
        name = f"harness_{secrets.token_hex(4)}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        yield url.replace("/postgres?", f"/{name}?")


def asked(request_id: str, amount: int) -> HoldRequest:
    return HoldRequest(
        request_id=request_id,
        owner="harness",
        scope=SCOPE,
        amount=amount,
        per_image=amount,
        model="gemini-3-pro-image",
        tier=Tier.NANO_BANANA_PRO,
        purpose=Purpose.HERO,
    )


def cost(amount: int) -> Cost:
    return Cost(lines=(CostLine(kind=LineKind.IMAGE_OUTPUT, unit="token", rate=1, units=amount),))


@dataclass(frozen=True)
class FastLeases:
    """The machine's clock, with leases that end so many times sooner."""

    times: int

    def __call__(self) -> Now:
        now = machine_now()
        return Now(wall=now.wall, lease=now.lease * self.times, epoch=now.epoch)


@dataclass(frozen=True)
class Account:
    """The ledger's entries added up by a program of its own."""

    entries: int
    settled: int
    held: int
    highest: int
    """The most that was settled and held after any entry: at any moment."""


def account(address: str) -> Account:
    """Read every entry in order. Uses its own connection and none of the ledger's code."""
    settled = held = highest = count = 0
    url = address if "://" in address else f"sqlite:///{address}"
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        for spent, change in connection.execute(text("SELECT spent, held FROM entries ORDER BY id")):
            settled, held, count = settled + spent, held + change, count + 1
            highest = max(highest, settled + held)
    engine.dispose()
    return Account(entries=count, settled=settled, held=held, highest=highest)


class Watcher:
    """Looks again and again, from outside, at what is settled and held."""

    def __init__(self, address: str) -> None:
        url = address if "://" in address else f"sqlite:///{address}"
        self._engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        self.looks = 0
        self.highest = 0

    def look(self) -> None:
        with self._engine.connect() as connection:
            sums = "SELECT coalesce(sum(spent), 0) + coalesce(sum(held), 0) FROM entries"
            told = int(connection.execute(text(sums)).scalar_one())
            gate = "SELECT coalesce(max(settled + held), 0) FROM balances"
            kept = int(connection.execute(text(gate)).scalar_one())
        self.looks += 1
        self.highest = max(self.highest, told, kept)

    def close(self) -> None:
        self._engine.dispose()


def seconds_since(start: float) -> str:
    return f"{time.monotonic() - start:.1f} s"
