"""Processes that send through one database, as fast as traffic lets them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from image_router import facts
from image_router.core.limits import LimitBook, TrafficRules, UsageTier
from image_router.core.limits_toml import parse_circuits, parse_limits
from image_router.core.pacing import Limit, Resource, Rolling
from image_router.core.toml_table import TomlFile
from image_router.engine.admission import Ask, Permit, TrafficParts
from image_router.engine.pool import Member, Pool
from image_router.engine.traffic import Traffic
from image_router.storage.database import Database
from image_router.storage.traffic import DatabaseTraffic
from image_router.storage.traffic_memory import TrafficStore
from image_router.testing import ScriptedProvider

PRO = "gemini-3-pro-image"
ASK = Ask(model=PRO, scope="a", dollars=1)
QUICK = Limit(resource=Resource.REQUESTS, window=Rolling(2), amount=30)
SECONDS = 5.0


def read(name: str) -> TomlFile:
    path = facts.SHIPPED / "limits" / name
    return TomlFile(str(path), path.read_text(encoding="utf-8"))


def traffic(store: TrafficStore, book: LimitBook | None = None) -> Traffic:
    rules = TrafficRules(
        book=book or parse_limits(read("gemini.toml")), trips=parse_circuits(read("circuits.toml"))
    )
    pool = Pool([Member(name="k1", provider=ScriptedProvider(), project="shop")])
    parts = TrafficParts(
        pool=pool, rules=rules, models=facts.load_catalog(None).find, announce=lambda event: None, store=store
    )
    return Traffic(parts)


def send_for_a_while(address: str) -> list[int]:
    """The slots of the limit's window, by the database's clock, in which a process could send."""

    async def run() -> list[int]:
        slots: list[int] = []
        book = replace(parse_limits(read("gemini.toml")), everywhere={UsageTier.T1: (QUICK,)}, models={})
        async with await Database.open(address) as database:
            door = traffic(DatabaseTraffic(database), book)
            end = time.monotonic() + SECONDS

            async def sender() -> None:
                while (left := end - time.monotonic()) > 0:
                    permit = await door.admit(ASK, patience=left)
                    if isinstance(permit, Permit):
                        slots.append(permit.charges[0].slot)

            await asyncio.gather(*(sender() for _ in range(8)))
            await door.aclose()
        return slots

    return asyncio.run(run())
