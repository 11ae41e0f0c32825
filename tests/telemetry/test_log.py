"""The log tells decisions, attempts, outcomes and money to people and programs; no secret, no picture."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from desk import png, router
from image_router.core.breaker import Circuit
from image_router.core.budget import BudgetAlert, Window
from image_router.core.causes import Cause
from image_router.core.errors import ProviderError
from image_router.core.events import (
    AttemptRefused,
    CircuitClosed,
    CircuitOpened,
    Event,
    FlightJoined,
    Hedged,
    HttpAnswered,
    LimitLearned,
    Paced,
)
from image_router.core.tracing import TraceContext, traced
from image_router.telemetry import Announcer, LogSink, log_sink
from image_router.telemetry.formats import start_logging
from image_router.testing import Script, failed, overloaded, words_only

API_KEY = "AIza" + "Sy0canary0canary0canary0canary0abcd"
PASSWORD = "hunter2-of-the-books"
PROMPT = "a canary fox that nobody may read about"
TRACE = TraceContext(trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """What a test sets up is undone."""
    root, ours = logging.getLogger(), logging.getLogger("image_router")
    handlers, level = list(root.handlers), ours.level
    yield
    root.handlers[:], ours.level = handlers, level
    ours.setLevel(level)


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


async def written(script: Script | None = None, *, prompts: bool = False, **asked: Any) -> list[Any]:
    """The JSON lines of one request."""
    stream = io.StringIO()
    start_logging(as_json=True, level="DEBUG", secrets=(API_KEY, PASSWORD), stream=stream)
    shop, _, _ = router(script, announce=Announcer((LogSink(prompts=prompts),)))
    try:
        with traced(TRACE):
            await shop.generate(PROMPT, purpose="hero", **asked)
    except ProviderError:
        pass
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_the_line_of_a_request() -> None:
    """A request's last line holds ids, trace, decision, quote, cost, attempts and outcome as fields."""
    line = (await written(Script().fail(overloaded())))[-1]
    assert line["event"] == "request_ended"
    assert line["request_id"].startswith("req_")
    assert (line["trace_id"], line["span_id"]) == (TRACE.trace_id, TRACE.span_id)
    assert (line["tier"], line["model"], line["rule"]) == (
        "imagen_4_standard",
        "gemini-nano-banana-2.1",
        "hero",
    )
    assert (line["outcome"], line["error"], line["images"], line["failures"]) == ("made", "none", 1, 0)
    assert [(a["cause"], a["cost_usd"]) for a in line["attempts"]] == [
        ("overloaded", "0"),
        ("ok", line["cost_usd"]),
    ]
    assert float(line["ceiling_usd"]) >= float(line["quote_usd"]) > 0
    assert (line["level"], line["logger"], line["time"][-1]) == ("info", "image_router", "Z")


async def test_the_line_of_a_failure() -> None:
    """A request that failed ends with a warning and the word of its error."""
    line = (
        await written(Script().fail(failed(400, "INVALID_ARGUMENT", message="API key not valid"), times=9))
    )[-1]
    assert (line["level"], line["outcome"], line["error"]) == ("warning", "failed", "operator_credentials")


@pytest.mark.parametrize("prompts", [False, True])
async def test_prompts_only_when_asked(prompts: bool) -> None:
    """The prompt is a field of the last line where that was asked for, and nowhere else."""
    lines = await written(Script().fail(words_only(f"I will not draw {PROMPT}"), times=9), prompts=prompts)
    holding = [line for line in lines if PROMPT in json.dumps(line)]
    assert holding == ([lines[-1]] if prompts else [])
    assert lines[-1].get("prompt") == (PROMPT if prompts else None)


@pytest.mark.parametrize("as_json", [True, False])
def test_canaries(as_json: bool) -> None:
    """Keys, passwords, base64 and bytes are struck out of messages, fields and tracebacks of any library."""
    stream, picture = io.StringIO(), png(64, 64)
    text = base64.b64encode(picture).decode()
    router_key = "ir_k7f2m4qa_" + "x" * 43 + "0" * 8
    start_logging(as_json=as_json, secrets=(PASSWORD,), stream=stream)
    log = logging.getLogger("other.package")
    log.warning("key %s or %s for postgresql://me:swordfish@db/x", API_KEY, router_key)
    log.warning("data:image/png;base64,%s and %r", text, picture, extra={"event_fields": {"raw": picture}})
    try:
        raise ValueError(f"refused {PASSWORD} with {text}")
    except ValueError:
        log.exception("it broke")
    written = stream.getvalue()
    for canary in (
        API_KEY,
        router_key,
        PASSWORD,
        "swordfish",
        text[:80],
        text[-80:],
        "IHDR",
        repr(picture)[2:40],
    ):
        assert canary not in written
    for instead in ("[key]", "[password]", "[secret]", "[base64]", "[bytes]", "it broke"):
        assert instead in written


def test_a_short_secret_is_no_word() -> None:
    """What is too short for a secret is not struck out of ordinary words."""
    stream = io.StringIO()
    start_logging(as_json=False, secrets=("fox",), stream=stream)
    logging.getLogger("image_router").info("a fox")
    assert "a fox" in stream.getvalue()


@pytest.mark.parametrize(("stream", "json_lines"), [(io.StringIO(), True), (Terminal(), False)])
def test_auto(stream: io.StringIO, json_lines: bool) -> None:
    """People at a terminal read words, programs read JSON."""
    start_logging(stream=stream)
    logging.getLogger("image_router").info("hello")
    assert stream.getvalue().startswith("{") is json_lines
    assert "hello" in stream.getvalue()


def test_one_handler() -> None:
    """Starting again replaces the first stream and level, and other libraries are heard from warnings on."""
    first, second = io.StringIO(), io.StringIO()
    start_logging(as_json=True, stream=first)
    start_logging(as_json=True, level="WARNING", stream=second)
    logging.getLogger("image_router").info("quiet")
    logging.getLogger("other.package").info("quiet")
    logging.getLogger("other.package").warning("loud")
    assert first.getvalue() == ""
    assert [json.loads(line)["message"] for line in second.getvalue().splitlines()] == ["loud"]
    with pytest.raises(ValueError, match="Unknown level"):
        start_logging(level="LOUD")


ALERT = BudgetAlert(scope="acme", window=Window.DAY, percent=80, cap=10**10, spent=8 * 10**9, held=0)
MODEL = Circuit(model="m")


@pytest.mark.parametrize(
    ("event", "level", "words"),
    [
        (
            CircuitOpened(circuit=MODEL, cause=Cause.OVERLOADED, detail="d", opening=1, wait=30.0),
            "warning",
            "30 s",
        ),
        (
            CircuitOpened(circuit=MODEL, cause=Cause.BAD_KEY, detail="d", opening=1, wait=None),
            "warning",
            "somebody",
        ),
        (CircuitClosed(circuit=MODEL, cause=Cause.OVERLOADED, lasted=31.0), "info", "well again after 31 s"),
        (Paced(model="m", scope="acme", limit="requests per minute", wait=2.0), "debug", "waits about 2.0 s"),
        (
            LimitLearned(project="p", model="", limit="rpm", allowed=1200, published=None),
            "info",
            "p allows 1,200",
        ),
        (Hedged(request_id="r", index=0, first="m", second="o", after=9.0), "info", "o was asked too"),
        (FlightJoined(request_id="r", paid_by="s"), "info", "r shares the identical request s"),
        (ALERT, "warning", "passed 80 % of its day cap of $10.00"),
        (
            AttemptRefused(request_id="r", index=0, number=1, model="m", cause=Cause.RATE_LIMIT),
            "info",
            "not sent",
        ),
        (
            HttpAnswered(route="/v1/x", method="POST", status=200, elapsed=1.5, bytes_in=1, bytes_out=2),
            "info",
            "POST /v1/x 200 in 1500 ms",
        ),
    ],
)
def test_what_else_is_told(event: Event, level: str, words: str) -> None:
    """Circuits, limits, hedges, budgets and HTTP answers have lines of their own, each at its level."""
    stream = io.StringIO()
    start_logging(as_json=True, level="DEBUG", stream=stream)
    log_sink(event)
    line = json.loads(stream.getvalue())
    assert line["level"] == level
    assert words in line["message"]
    assert line["event"]


def test_nothing_is_formatted_in_vain(caplog: pytest.LogCaptureFixture) -> None:
    """Below the level nothing is written."""
    caplog.set_level(logging.ERROR, "image_router")
    log_sink(replace(ALERT, percent=90))
    assert caplog.records == []
