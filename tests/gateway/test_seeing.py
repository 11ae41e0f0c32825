"""What can be seen of a gateway: metrics, the log's ids, time of our own, and traces that go on."""

from __future__ import annotations

import asyncio
import logging
import threading

import aiohttp

from image_router.core.tracing import TRACE, TraceContext
from image_router.telemetry.log import FIELDS


async def _generate(url: str, **headers: str) -> tuple[aiohttp.ClientResponse, dict[str, object]]:
    ask = {"prompt": "a fox"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/images/generations", json=ask, headers=headers) as reply,
    ):
        return reply, await reply.json()


async def _metrics(url: str) -> dict[str, float]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as reply:
        text = await reply.text()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


async def test_metrics_count_requests_and_dollars(site) -> None:
    """What was spent is counted by tier, and every exchange by the template of its path."""
    await _generate(site.url)
    counted = await _metrics(site.url)
    spent = sum(
        value for name, value in counted.items() if name.startswith("image_router_spend_dollars_total")
    )
    assert f"{spent:.9f}" == f"{site.emulator.bill().total / 10**9:.9f}"
    assert any("/v1/images/generations" in name and 'status="200"' in name for name in counted)


async def test_metrics_take_an_admin_key(locked) -> None:
    """They tell what is spent."""
    async with aiohttp.ClientSession() as session, session.get(f"{locked.url}/metrics") as reply:
        assert reply.status == 401


async def test_headers_say_model_money_and_our_own_time(site) -> None:
    """A program need not parse the picture to know them."""
    reply, body = await _generate(site.url)
    assert reply.headers["x-image-router-model"] == body["image_router"]["images"][0]["model"]
    assert reply.headers["x-image-router-cost-usd"] == body["image_router"]["cost_usd"]
    assert float(reply.headers["x-image-router-overhead-ms"]) > 0
    usage = body["usage"]
    assert reply.headers["x-image-router-usage"] == (
        f"input={usage['input_tokens']}; output={usage['output_tokens']}"
    )
    assert reply.headers["x-request-id"].startswith("gw_")


async def test_a_callers_trace_goes_on_to_the_provider(site) -> None:
    """The trace id that came is the one that leaves."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    await _generate(site.url, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    sent = [request["headers"].get("traceparent", "") for request in site.emulator.requests()]
    assert any(trace in value for value in sent)


class _Heard(logging.Handler):
    """Lines as they are when they are written."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[tuple[dict[str, object], TraceContext | None]] = []
        self.answered = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        fields = getattr(record, FIELDS, {})
        self.lines.append((fields, TRACE.get()))
        if fields.get("event") == "http_answered":
            self.answered.set()


async def test_the_log_names_a_request_as_its_answer_does(site, caplog) -> None:
    """The line of an HTTP request has the id of x-request-id, and belongs to the caller's trace."""
    caplog.set_level(logging.INFO, logger="image_router")
    heard, trace = _Heard(), "4bf92f3577b34da6a3ce929d0e0e4736"
    logging.getLogger("image_router").addHandler(heard)
    try:
        reply, _ = await _generate(site.url, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
        await asyncio.to_thread(heard.answered.wait, 20)  # it is written once the answer is out
    finally:
        logging.getLogger("image_router").removeHandler(heard)
    fields, context = heard.lines[-1]
    assert fields["http_request_id"] == reply.headers["x-request-id"]
    assert context is not None
    assert context.trace_id == trace
