"""Events reach every sink, and no sink can break the work."""

from __future__ import annotations

import pytest

from image_router.core.events import Event, RequestEnded, SinkFailed
from image_router.telemetry import Announcer

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


def broken(event: Event) -> None:
    raise OSError("no space left")


def test_a_broken_sink(caplog: pytest.LogCaptureFixture) -> None:
    """A sink that breaks is logged with its reason; the next sink hears of that, and the event."""
    heard: list[Event] = []
    Announcer((broken, heard.append))(END)
    assert heard == [SinkFailed(sink="broken", event="RequestEnded"), END]
    assert "a sink failed on RequestEnded: broken" in caplog.text
    assert "no space left" in caplog.text


def test_a_sink_that_stays_broken(caplog: pytest.LogCaptureFixture) -> None:
    """Further failures of the same sink are told to the others and not logged again, in any request."""
    heard: list[Event] = []
    announce = Announcer((broken, heard.append))
    for _ in range(3):
        announce.also(heard.append)(END)
    assert len(caplog.records) == 1
    assert heard.count(SinkFailed(sink="broken", event="RequestEnded")) == 6


def test_a_sink_without_a_name(caplog: pytest.LogCaptureFixture) -> None:
    """A sink that is an object is called by its class."""

    class Plotter:
        def __call__(self, event: Event) -> None:
            raise ValueError("no ink")

    Announcer((Plotter(),))(END)
    assert "Plotter" in caplog.messages[0]
