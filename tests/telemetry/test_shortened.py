"""What logs and metrics say of a text call that shortens a prompt."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace

import pytest

from desk import ARTICLE, router
from image_router.core.errors import RequestRejected
from image_router.core.events import Event, PromptShortened
from image_router.core.reply import Reply
from image_router.core.types import Usage
from image_router.telemetry.log import log_sink
from image_router.telemetry.prometheus import PrometheusSink
from image_router.testing import words_only

PROMPT = "12 boats in a quiet harbour at dawn, " + "drifting mist over calm water, " * 90
USAGE = Usage(prompt_tokens=900, candidates_tokens=20, total_tokens=920)


async def heard(reply: Reply, **asked: str) -> PromptShortened:
    """The event of one request whose text call is answered so."""
    events: list[Event] = []
    desk, provider, _ = router(day=ARTICLE)
    provider._words.append(replace(reply, usage=USAGE))
    with suppress(RequestRejected):
        await desk.generate(PROMPT, compress="auto", on_event=events.append, **asked)
    (event,) = [one for one in events if isinstance(one, PromptShortened)]
    return event


async def test_the_log_has_sums_and_no_prompt(caplog: pytest.LogCaptureFixture) -> None:
    """Tokens, model, cost and whether it was used; not a word of what was asked."""
    caplog.set_level(logging.INFO)
    log_sink(await heard(words_only("12 boats, mist"), purpose="hero"))
    (line,) = [record for record in caplog.records if "prompt of" in record.getMessage()]
    assert "shortened, $0.000255" in line.getMessage()
    assert "boats" not in line.getMessage()


@pytest.mark.parametrize(
    ("words", "kind"), [("12 boats, mist", "delivered"), ("boats, mist", "paid_for_nothing")]
)
async def test_its_money_is_counted(words: str, kind: str) -> None:
    """900 tokens at 250 and 20 at 1,500 nano-dollars, as delivered where the words were used."""
    sink = PrometheusSink()
    sink(await heard(words_only(words), purpose="hero"))
    lines = sink.exposition()[0].decode().splitlines()
    (sample,) = [line for line in lines if line.startswith("image_router_spend_dollars_total{")]
    assert f'"{kind}"' in sample
    assert float(sample.rpartition(" ")[2]) == pytest.approx(0.000255)


async def test_a_call_whose_request_fails_is_told_too() -> None:
    """The pinned model reads no such prompt: the event comes before the error, with the attempt."""
    event = await heard(words_only("boats"), model="imagen-4.0-generate-001")
    assert len(event.attempts) == 1
    assert event.decision.compression
    assert "reads 480" in event.decision.compression.refused
