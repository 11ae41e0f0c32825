"""Events reach every sink; no sink can break the work; the log holds no prompt and no picture."""

from __future__ import annotations

import logging

import pytest

from desk import router
from image_router.core.events import Event, RequestEnded
from image_router.telemetry import Announcer, log_sink
from image_router.testing import Script, overloaded

END = RequestEnded(request_id="req_1", images=1, failures=0, cost=134_400_000, at_risk=0)


def test_every_sink_in_order() -> None:
    """Each event goes to each sink, in the order of the sinks."""
    heard: list[tuple[str, Event]] = []
    announce = Announcer((lambda event: heard.append(("a", event)), lambda event: heard.append(("b", event))))
    announce(END)
    assert heard == [("a", END), ("b", END)]


def test_one_more_sink() -> None:
    """A sink of one request hears that request alone; none leaves the announcer as it is."""
    heard: list[Event] = []
    announce = Announcer()
    announce.also(heard.append)(END)
    announce(END)
    assert heard == [END]
    assert announce.also(None) is announce


def test_a_broken_sink(caplog: pytest.LogCaptureFixture) -> None:
    """A sink that breaks is logged with its reason, and the next sink hears the event."""
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise OSError("no space left")

    Announcer((broken, heard.append))(END)
    assert heard == [END]
    assert "a sink failed on RequestEnded" in caplog.text
    assert "no space left" in caplog.text


async def test_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The log has a line for the decision, each attempt and the end, with the money, and never the prompt."""
    caplog.set_level(logging.DEBUG, "image_router")
    shop, _, _ = router(Script().fail(overloaded()), announce=Announcer((log_sink,)), new_id=lambda: "req_9")
    result = await shop.generate("a secret fox", purpose="hero")
    lines = [record.getMessage() for record in caplog.records if record.name == "image_router"]
    assert lines[0] == "req_9 decided imagen_4_standard (gemini-nano-banana-2.1) by rule 'hero'"
    assert "image 0 attempt 1 on gemini-nano-banana-2.1: failed overloaded, $0.00" in lines[1]
    assert lines[-1].startswith("req_9 ended: 1 made, 0 failed, $0.0")
    assert "secret" not in caplog.text
    assert result.images
