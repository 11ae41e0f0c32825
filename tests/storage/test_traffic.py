"""Meters, circuits and bindings that all processes on a database share."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

import senders
from image_router.core.breaker import Breaker, Circuit
from image_router.core.causes import Cause, FailureScope, Kind, Retry
from image_router.core.outcome import Outcome
from image_router.core.pacing import (
    SLOTS,
    Learning,
    Limit,
    Load,
    Meter,
    MeterKey,
    Meters,
    Moment,
    Resource,
    Rolling,
    Shortage,
    admit,
)
from image_router.core.running import Now
from image_router.engine.admission import Permit, Refusal
from image_router.engine.traffic import TrafficSnapshot
from image_router.storage.database import Database
from image_router.storage.traffic import DatabaseTraffic
from image_router.storage.traffic_memory import MemoryTraffic, TrafficStore

PRO = "gemini-3-pro-image"
KEY = MeterKey(project="shop", model=PRO, limit="requests per minute")
TWENTY = Limit(resource=Resource.REQUESTS, window=Rolling(60), amount=20)
FULL = Meter(
    used={-3: 1, 29_000_000: 2**62},
    refused={29_000_000: 7},
    learned=12,
    learned_at=1_000.25,
    held_from=5.5,
    held_until=53.5,
)
OPEN = Breaker(
    rule="daily_quota",
    trips=2,
    opened_at=1_795_377_600.25,
    until=1_795_420_800.0,
    probe_from=1.5,
    probe_until=2.5,
    cause=Cause.DAILY_QUOTA,
    detail="You exceeded your current quota — 配额",
    model=PRO,
)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TrafficStore]:
    """The store in memory, in SQLite, in PostgreSQL: one behaviour."""
    if request.param == "memory":
        yield MemoryTraffic()
    elif request.param == "sqlite":
        async with await Database.open(tmp_path / "image-router.db") as database:
            yield DatabaseTraffic(database)
    else:
        server, name = request.getfixturevalue("postgresql"), f"test_{secrets.token_hex(6)}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        async with await Database.open(server.replace("/postgres?", f"/{name}?")) as database:
            yield DatabaseTraffic(database)


def put(key: MeterKey, meter: Meter) -> Callable[[Meters, Moment], tuple[Meters, None]]:
    return lambda known, now: ({key: meter}, None)


def seen(known: Meters, now: Moment) -> tuple[Meters, Meters]:
    return {}, known


async def test_meters_come_back_equal(store: TrafficStore) -> None:
    """What was put on a meter is read back to the last digit, and only what was asked for."""
    other = replace(KEY, model="")
    await store.change_meters([KEY], put(KEY, FULL))
    await store.change_meters([other], put(other, Meter()))
    assert await store.change_meters([KEY, replace(KEY, project="x")], seen) == {KEY: FULL}
    assert (await store.meters())[0] == {KEY: FULL, other: Meter()}


async def test_meters_are_replaced(store: TrafficStore) -> None:
    """The later state of a meter stands."""
    await store.change_meters([KEY], put(KEY, FULL))
    await store.change_meters([KEY], put(KEY, Meter()))
    assert await store.change_meters([KEY], seen) == {KEY: Meter()}


async def test_circuits_come_back_equal_until_closed(store: TrafficStore) -> None:
    """An open circuit is read back equal; a closed one is forgotten."""
    circuit = Circuit(project="shop", model=PRO)
    before, after, now = await store.change_circuit(circuit, lambda b, m: OPEN)
    assert (before, after) == (Breaker(), OPEN)
    known, moment = await store.circuits()
    assert known == {circuit: OPEN}
    assert moment.wall >= now.wall
    assert (await store.change_circuit(circuit, lambda b, m: Breaker()))[0] == OPEN
    assert (await store.circuits())[0] == {}


async def test_circuits_are_told_apart(store: TrafficStore) -> None:
    """Key, project and model name different circuits, and one for ever has no end."""
    named = [Circuit(model="x"), Circuit(project="x"), Circuit(project="x", key="x")]
    for trips, circuit in enumerate(named, start=1):
        breaker = replace(OPEN, trips=trips, until=None)
        await store.change_circuit(circuit, lambda b, m, breaker=breaker: breaker)  # type: ignore[misc]
    known, _ = await store.circuits()
    assert {str(circuit): breaker.trips for circuit, breaker in known.items()} == {
        "model x": 1,
        "project x": 2,
        "project x, key x": 3,
    }
    assert {breaker.until for breaker in known.values()} == {None}


async def test_bindings_last_their_time(store: TrafficStore) -> None:
    """A file is known to be its key's until it expires, and the latest binding stands."""
    _, now = await store.circuits()
    await store.bind("files/a", "k1", until=now.wall + 1_000)
    await store.bind("files/a", "k2", until=now.wall + 1_000)
    await store.bind("files/old", "k1", until=now.wall - 1)
    assert [await store.owner(name) for name in ("files/a", "files/old", "files/x")] == ["k2", None, None]


async def test_admissions_at_once_never_pass_the_limit(store: TrafficStore) -> None:
    """A hundred calls that ask at the same time get exactly the twenty permits there are."""
    loads = [Load(key=KEY, limit=TWENTY, amount=1)]
    learning = Learning()

    async def one() -> bool:
        got = await store.change_meters(
            [KEY], lambda meters, now: admit(meters, loads, learning=learning, now=now)
        )
        return not isinstance(got, Shortage)

    assert sum(await asyncio.gather(*(one() for _ in range(100)))) == 20


async def test_long_words_and_nul_are_cut(database: Database) -> None:
    """The provider's words are kept short, and without the character PostgreSQL cannot store."""
    store, circuit = DatabaseTraffic(database), Circuit(project="shop")
    await store.change_circuit(circuit, lambda b, m: replace(OPEN, detail="\0" + "x" * 9_999))
    assert (await store.circuits())[0][circuit].detail == "x" * 500


async def test_causes_of_a_newer_program_are_unknown(database: Database) -> None:
    """A circuit that a newer version opened for a cause not known here stays open."""
    store, circuit = DatabaseTraffic(database), Circuit(project="shop")
    await store.change_circuit(circuit, lambda b, m: OPEN)
    await database.write(
        lambda tx: tx.connection.exec_driver_sql("UPDATE traffic_circuits SET cause = 'sunspots'")
    )
    breaker = (await store.circuits())[0][circuit]
    assert (breaker.cause, breaker.trips) == (Cause.UNKNOWN_ERROR, 2)


async def test_restart_of_the_machine_forgives_no_call(address: str) -> None:
    """After a boot the steady clock starts anew: what was sent counts on, holds and lessons are dropped."""
    moment = [Now(wall=1_800_000_000_000_000, lease=9_000_000_000, epoch="first boot")]
    loads = [Load(key=KEY, limit=TWENTY, amount=20)]
    async with await Database.open(address, clock=lambda: moment[0]) as database:
        store = DatabaseTraffic(database)

        async def ask() -> object:
            return await store.change_meters(
                [KEY], lambda meters, now: admit(meters, loads, learning=Learning(), now=now)
            )

        assert not isinstance(await ask(), Shortage)
        moment[0] = Now(wall=1_800_000_000_000_000, lease=5_000_000, epoch="second boot")
        found = await ask()
        assert isinstance(found, Shortage)
        assert found.wait == pytest.approx(61, abs=1)


OVERLOADED = Outcome(kind=Kind.FAILED, cause=Cause.OVERLOADED, scope=FailureScope.MODEL, retry=Retry.CAPACITY)


async def test_what_one_process_learned_the_others_know(address: str) -> None:
    """A circuit that one process opened is open for the next, with its reason."""
    async with await Database.open(address) as one, await Database.open(address) as other:
        first, second = senders.traffic(DatabaseTraffic(one)), senders.traffic(DatabaseTraffic(other))
        for _ in range(5):
            permit = await first.admit(senders.ASK, patience=0)
            assert isinstance(permit, Permit)
            await first.report(permit, OVERLOADED, spent=0)
        assert await second.snapshot() == TrafficSnapshot(open_circuits=frozenset({PRO}))
        refusal = await second.admit(senders.ASK, patience=0)
        assert isinstance(refusal, Refusal)
        assert refusal.cause is Cause.OVERLOADED


@pytest.mark.long
def test_processes_together_keep_the_limit(address: str) -> None:
    """Four processes with eight senders each never send more than the limit in any window."""
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as processes:
        slots = [s for found in processes.map(senders.send_for_a_while, [address] * 4) for s in found]
    most = max(sum(first <= slot <= first + SLOTS for slot in slots) for first in slots)
    assert most == senders.QUICK.amount
    assert len(slots) > most


async def test_rows_hold_no_secret(database: Database) -> None:
    """What is stored of a key is its name in the pool."""
    door = senders.traffic(DatabaseTraffic(database))
    permit = await door.admit(senders.ASK, patience=0)
    assert isinstance(permit, Permit)
    leaked = Outcome(kind=Kind.FAILED, cause=Cause.KEY_LEAKED, scope=FailureScope.KEY)
    await door.report(permit, leaked, spent=0)
    rows = await database.read(
        lambda tx: tx.connection.exec_driver_sql("SELECT * FROM traffic_circuits").mappings().all()
    )
    assert Counter(row["key"] for row in rows) == {"k1": 1}
    assert json.dumps([dict(row) for row in rows]).count("k1") == 1
