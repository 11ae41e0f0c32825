"""From a checked message to a charged and painted answer: shared by single calls and batch rows."""

from __future__ import annotations

import asyncio

from gemini_emulator import errors
from gemini_emulator.asks import Ask, FileReader, read_ask
from gemini_emulator.bill import Entry
from gemini_emulator.drafts import Draft, sketch
from gemini_emulator.errors import Json
from gemini_emulator.fault_answers import TWISTS
from gemini_emulator.faults import Fault
from gemini_emulator.replies import Envelope, compose
from gemini_emulator.state import State
from gemini_emulator.world import Lane, Model


async def read(
    state: State, message: Json, *, model: Model, owner: str, vertex: bool = False, heavy: bool = False
) -> Ask:
    """The request as a value. `heavy`: it may hold pictures to decode, which is done off the event loop."""
    reader = _file_reader(state, owner)
    if not heavy:
        return read_ask(message, model, read_file=reader, vertex=vertex)
    return await asyncio.to_thread(read_ask, message, model, read_file=reader, vertex=vertex)


def plan(ask: Ask, fault: Fault | None) -> Draft:
    """What the model answers, or what a fault makes of it."""
    draft = sketch(ask)
    return draft if fault is None else TWISTS[fault.name](draft, fault.options)


async def deliver(
    state: State, draft: Draft, *, key: str, method: str, lane: Lane = "interactive", fault: str | None = None
) -> Json:
    """Charge a draft, as the call is accepted now, and paint it into its JSON."""
    now = state.clock.now()
    envelope = Envelope(
        response_id=state.ids.response(now), now=now, signature_bytes=state.settings.signature_bytes
    )
    entry = Entry(
        id=envelope.response_id,
        time=now,
        model=draft.ask.model.id,
        method=method,
        lane=lane,
        key=key[-4:],
        outcome=draft.outcome,
        fault=fault,
    )
    if draft.free:
        state.account.nothing(entry)
    else:
        state.limits.spend(
            state.account.tokens(entry, draft.ask.model, usage=draft.usage, queries=draft.queries), now
        )
    return await compose(draft, envelope, studio=state.studio)


def _file_reader(state: State, owner: str) -> FileReader:
    """Reads the bytes behind a fileUri for one caller."""

    def read_file(uri: str) -> tuple[str, bytes]:
        _, marker, file_id = uri.rpartition("files/")
        if not marker:
            raise errors.invalid(
                "Cannot fetch content from the provided URL. Please ensure the URL is valid."
            )
        stored = state.files.get(file_id, owner)
        return stored.media_type, stored.path.read_bytes()

    return read_file
