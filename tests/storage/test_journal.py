"""The journal on both databases: what was written is read, by time and by scope, and grows old."""

from __future__ import annotations

import pytest

from image_router.core.breaker import Circuit
from image_router.core.causes import Cause
from image_router.core.journal import CallNote, ProcessReport, Queue, Shut
from image_router.storage import journal as rules
from image_router.storage.database import Database
from image_router.storage.journal import Journal


def _note(name: str, scope: str = "acme", cause: Cause = Cause.OK, detail: str = "", at: int = 0) -> CallNote:
    return CallNote(
        request_id=name,
        scope=scope,
        model="gemini-3-pro-image",
        tier="nano_banana_pro",
        cause=cause,
        detail=detail,
        elapsed=1_500_000,
        waited=0,
        at=at,
    )


async def test_what_was_written_is_read(database: Database) -> None:
    """The same values, with the moment of writing."""
    journal = Journal(database)
    await journal.write([_note("a"), _note("b", cause=Cause.CAPACITY, detail="overloaded\0!")])
    calls = {call.request_id: call for call in await journal.calls(scope=None, seconds=60)}
    assert calls["a"].elapsed == 1_500_000
    assert calls["a"].at > 0
    (failure,) = await journal.failures(scope=None, limit=10)
    assert (failure.request_id, failure.cause, failure.detail) == ("b", Cause.CAPACITY, "overloaded!")


async def test_a_scope_sees_its_own_and_what_is_below(database: Database) -> None:
    """Not its neighbours, nor names that merely begin alike."""
    journal = Journal(database)
    scopes = ("acme", "acme/studio", "acmeother", "other")
    await journal.write([_note(scope, scope, Cause.CAPACITY) for scope in scopes])
    seen = {call.request_id for call in await journal.failures(scope="acme", limit=10)}
    assert seen == {"acme", "acme/studio"}
    assert len(await journal.calls(scope="acme", seconds=60)) == 2


async def test_the_latest_failures_come_first(database: Database) -> None:
    """And no more than were asked for."""
    journal = Journal(database)
    await journal.write([_note(str(at), cause=Cause.CAPACITY, at=at) for at in (5, 9, 7)])
    assert [one.request_id for one in await journal.failures(scope=None, limit=2)] == ["9", "7"]


async def test_old_calls_go(database: Database) -> None:
    """What is older than it is kept for; the rest stays."""
    journal = Journal(database)
    await journal.write([_note("old", at=1), _note("new")])
    assert await journal.expire(keep=3600) == 1
    assert [one.request_id for one in await journal.calls(scope=None, seconds=60)] == ["new"]


async def test_processes_say_what_they_are_at(database: Database) -> None:
    """Each its own; a new report takes the place of the old one, and who leaves is gone."""
    journal = Journal(database)
    queued = ProcessReport(queues=(Queue(model="m", limit="requests per minute", waiting=3),))
    ill = Shut(circuit=Circuit(model="m"), cause=Cause.CAPACITY, detail="no", opened_at=1, until=None)
    await journal.report("one", queued)
    await journal.report("two", ProcessReport(shut=(ill,)))
    assert await journal.reports() == [queued, ProcessReport(shut=(ill,))]
    await journal.report("one", ProcessReport())
    await journal.leave("two")
    assert await journal.reports() == [ProcessReport()]


async def test_a_process_that_is_silent_counts_no_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it said last may long be over."""
    journal = Journal(database)
    await journal.report("one", ProcessReport())
    monkeypatch.setattr(rules, "FRESH", -1)
    assert await journal.reports() == []
