"""Prometheus counts what events say: base units, bounded labels, one answer of all workers."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from desk import png, router
from image_router.core.breaker import Circuit
from image_router.core.causes import Cause
from image_router.core.errors import ImageRouterError
from image_router.core.events import (
    AttemptRefused,
    CacheAsked,
    CircuitOpened,
    CircuitsSeen,
    Decided,
    Event,
    FlightJoined,
    Hedged,
    Held,
    HoldClosed,
    HttpAnswered,
    LimitLearned,
    Overrun,
    Paced,
    PaceEnded,
    RequestEnded,
    RequestStarted,
    SinkFailed,
)
from image_router.core.money import USD
from image_router.core.reply import Reply
from image_router.providers.base import Call
from image_router.telemetry import Announcer
from image_router.telemetry.prometheus import SHARED_FOLDER, PrometheusSink, shared_between_workers
from image_router.testing import Script, ScriptedProvider, failed, lost, overloaded, words_only

PRO, HERO = "gemini-nano-banana-2.1", {"tier": "imagen_4_standard", "model": "gemini-nano-banana-2.1"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder of another run is read."""
    monkeypatch.delenv(SHARED_FOLDER, raising=False)


def samples(text: bytes) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def total(sink: PrometheusSink, name: str, /, **labels: str) -> float:
    """The sum of all children that have these labels."""
    text, _ = sink.exposition()
    return sum(
        value
        for found, its, value in samples(text)
        if found == f"image_router_{name}" and labels.items() <= its.items()
    )


async def after(script: Script | None = None, **asked: Any) -> PrometheusSink:
    """What a sink has counted after one request."""
    sink = PrometheusSink()
    shop, _, _ = router(script, announce=Announcer((sink,)))
    with suppress(ImageRouterError):
        await shop.generate("a fox", **{"purpose": "hero", **asked})
    return sink


async def test_a_request() -> None:
    """A request counts once, with decision, duration and our share of it; nothing stays in progress."""
    sink = await after()
    assert total(sink, "requests_total", purpose="hero", lane="interactive", outcome="made", **HERO) == 1
    assert total(sink, "requests_total", error="none", domain="none") == 1
    assert total(sink, "decisions_total", purpose="hero", **HERO) == 1
    assert total(sink, "request_duration_seconds_count", model=PRO, outcome="made") == 1
    assert total(sink, "request_overhead_seconds_count") == 1
    assert total(sink, "requests_in_progress") == total(sink, "provider_calls_in_progress") == 0
    assert total(sink, "images_total", source="made", **HERO) == 1
    assert total(sink, "image_bytes_total", direction="out") > 100


async def test_calls_and_money() -> None:
    """Every call counts with its cause and word; money by what it bought, to the ledger's own sum."""
    sink, results = PrometheusSink(), []
    shop, _, _ = router(Script().fail(overloaded()).fail(words_only("no")), announce=Announcer((sink,)))
    results.append(await shop.generate("a fox", purpose="hero"))
    assert total(sink, "provider_calls_total", model=PRO, dialect="generate_content") == 3
    assert total(sink, "provider_calls_total", cause="overloaded", error="provider_unavailable") == 1
    assert total(sink, "provider_calls_total", cause="text_instead", domain="provider") == 1
    assert total(sink, "provider_call_duration_seconds_count", outcome="image") == 1
    assert total(sink, "retries_total", model=PRO) == 2
    nothing, delivered = (a.cost.total / USD for a in results[0].attempts[1:])
    assert total(sink, "spend_dollars_total", kind="paid_for_nothing", **HERO) == pytest.approx(nothing)
    assert total(sink, "spend_dollars_total", kind="delivered", **HERO) == pytest.approx(delivered)
    assert total(sink, "provider_tokens_total", type="image_output") == results[0].image.usage.image_tokens


async def test_a_fallback() -> None:
    """Going on to the next candidate counts from model to model."""
    sink = await after(Script().fail(failed(404, "NOT_FOUND", message="models/x is not found")))
    assert total(sink, "fallbacks_total", after=PRO) == 1
    assert total(sink, "retries_total") == 0


async def test_at_risk() -> None:
    """A call whose outcome is unknown is at risk, and not spent."""
    sink = await after(Script().fail(lost(), times=9))
    assert total(sink, "at_risk_dollars_total", **HERO) > 0.05
    assert total(sink, "spend_dollars_total") == 0


async def test_a_caller_who_goes_away() -> None:
    """A call that is cancelled under way counts as ambiguous and at risk; nothing stays in progress."""

    class Slow(ScriptedProvider):
        async def generate(self, call: Call, *, timeout: float) -> Reply:
            under_way.set()
            await asyncio.sleep(3600)
            raise AssertionError("nobody waits an hour")

    under_way, sink = asyncio.Event(), PrometheusSink()
    shop, _, _ = router(provider=Slow, announce=Announcer((sink,)))
    task = asyncio.create_task(shop.generate("a fox", purpose="hero"))
    await under_way.wait()
    assert total(sink, "provider_calls_in_progress", model=PRO) == total(sink, "requests_in_progress") == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert total(sink, "provider_calls_in_progress") == total(sink, "requests_in_progress") == 0
    assert total(sink, "provider_calls_total", outcome="ambiguous", error="caller_cancelled") == 1
    assert total(sink, "requests_total", outcome="failed", error="caller_cancelled") == 1
    assert total(sink, "at_risk_dollars_total", **HERO) > 0.05


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ({"n": 0}, {"error": "caller_invalid_request", "purpose": "unknown", "model": "unknown"}),
        ({"max_cost": "0.001"}, {"error": "caller_cost_limit", "purpose": "hero", "domain": "caller"}),
        ({"lane": "batch"}, {"error": "caller_lane", "lane": "batch"}),
    ],
)
async def test_refused_requests(asked: dict[str, Any], labels: dict[str, str]) -> None:
    """What is refused before any call counts as failed, with who must act."""
    sink = await after(**asked)
    assert total(sink, "requests_total", outcome="failed", **labels) == 1
    assert total(sink, "provider_calls_total") == 0


ATTEMPT_EVENTS: list[tuple[Event, str, dict[str, str], float]] = [
    (
        CacheAsked(request_id="r", model="m", wanted=3, hits=1, saved=5 * 10**8),
        "cache_lookups_total",
        {"model": "m", "result": "miss"},
        2,
    ),
    (
        CacheAsked(request_id="r", model="m", wanted=3, hits=1, saved=5 * 10**8),
        "cache_saved_dollars_total",
        {"model": "m"},
        0.5,
    ),
    (Held(request_id="r", scope="acme", amount=2 * USD), "held_dollars", {}, 2),
    (Held(request_id="r", scope="acme", amount=2 * USD), "holds", {}, 1),
    (HoldClosed(request_id="r", scope="acme", amount=USD), "held_dollars", {}, -1),
    (
        AttemptRefused(request_id="r", index=0, number=1, model="m", cause=Cause.RATE_LIMIT),
        "attempts_refused_total",
        {"model": "m", "cause": "rate_limit"},
        1,
    ),
    (
        CircuitOpened(
            circuit=Circuit(project="p", key="k"), cause=Cause.BAD_KEY, detail="", opening=1, wait=None
        ),
        "circuit_openings_total",
        {"place": "key", "model": "all", "cause": "bad_key"},
        1,
    ),
    (CircuitsSeen(open=frozenset({Circuit(model="m")})), "circuit_open", {"place": "model", "model": "m"}, 1),
    (
        CircuitsSeen(open=frozenset({Circuit(project="p", model="m")})),
        "circuit_open",
        {"place": "project_model"},
        1,
    ),
    (CircuitsSeen(open=frozenset({Circuit(project="p")})), "circuit_open", {"place": "project"}, 1),
    (Paced(model="m", scope="acme", limit="rpm", wait=1.0), "pacing_queue", {"model": "m"}, 1),
    (
        PaceEnded(model="m", scope="acme", limit="rpm", waited=3.0),
        "pacing_wait_seconds_sum",
        {"model": "m"},
        3,
    ),
    (
        LimitLearned(project="p", model="", limit="rpm", allowed=1, published=None),
        "limits_learned_total",
        {"model": "all", "limit": "rpm"},
        1,
    ),
    (
        Hedged(request_id="r", index=0, first="m", second="o", after=1.0),
        "hedges_total",
        {"first": "m", "second": "o"},
        1,
    ),
    (SinkFailed(sink="disk", event="Held"), "sink_failures_total", {"sink": "disk", "event": "Held"}, 1),
    (
        HttpAnswered(route="/v1/x", method="BREW", status=418, elapsed=1.0, bytes_in=7, bytes_out=9),
        "http_requests_total",
        {"route": "/v1/x", "method": "OTHER", "status": "418"},
        1,
    ),
    (
        HttpAnswered(route="/v1/x", method="POST", status=200, elapsed=1.0, bytes_in=7, bytes_out=9),
        "http_received_bytes_total",
        {"route": "/v1/x"},
        7,
    ),
    (
        HttpAnswered(route="/v1/x", method="POST", status=200, elapsed=1.0, bytes_in=7, bytes_out=9),
        "http_sent_bytes_total",
        {"route": "/v1/x"},
        9,
    ),
]


@pytest.mark.parametrize(("event", "name", "labels", "value"), ATTEMPT_EVENTS)
def test_other_events(event: Event, name: str, labels: dict[str, str], value: float) -> None:
    """Each event moves the metric that is named after it by its amount."""
    sink = PrometheusSink()
    sink(event)
    assert total(sink, name, **labels) == value


def test_shared_flights() -> None:
    """A request that shares another's pictures is counted."""
    sink = PrometheusSink()
    sink(FlightJoined(request_id="r", paid_by="s"))
    assert total(sink, "flights_joined_total") == 1


async def test_an_overrun() -> None:
    """What was settled above the hold is told apart."""
    shop, _, _ = router()
    result = await shop.generate("a fox", purpose="hero")
    sink = PrometheusSink()
    sink(Overrun(request_id="r", attempt=result.attempts[0], amount=USD // 4))
    assert total(sink, "overrun_dollars_total", **HERO) == 0.25


async def test_the_guard_and_references() -> None:
    """A decision counts the guard's act, and the bytes of its references."""
    events: list[Event] = []
    shop, _, _ = router()
    await shop.generate("a fox", purpose="hero", pressure=95, on_event=events.append)
    guarded = next(event for event in events if isinstance(event, Decided))
    assert guarded.decision.guard
    sink = PrometheusSink()
    sink(guarded)
    acts = {"chosen": guarded.decision.guard.chosen, "served": guarded.decision.guard.served}
    assert total(sink, "guard_acts_total", **acts) == 1
    await shop.generate("a fox", references=[png()], on_event=sink)
    assert total(sink, "image_bytes_total", direction="in") == len(png())


def test_a_replay_is_no_request_of_its_own_cost() -> None:
    """A key's stored result counts as replayed and leaves the overhead's distribution alone."""
    sink = PrometheusSink()
    sink(RequestEnded(request_id="r", images=1, failures=0, cost=USD, at_risk=0, replayed=True))
    assert total(sink, "idempotent_replays_total") == total(sink, "requests_total", outcome="replayed") == 1
    assert total(sink, "request_overhead_seconds_count") == total(sink, "spend_dollars_total") == 0


def test_a_circuit_closes() -> None:
    """The gauge falls when the circuit is seen closed, and stays while another key's at the place is open."""
    sink, keys = PrometheusSink(), [Circuit(project="p", key=key) for key in "ab"]
    sink(CircuitsSeen(open=frozenset(keys)))
    sink(CircuitsSeen(open=frozenset(keys[:1])))
    assert total(sink, "circuit_open", place="key") == 1
    sink(CircuitsSeen(open=frozenset()))
    assert total(sink, "circuit_open", place="key") == 0


async def test_names_and_labels() -> None:
    """Names carry base units, and no label holds a scope, a key, a request or a prompt."""
    sink = await after(scope="acme/studio", key="order-7", cache="use", text="CANARY")
    for event, *_ in ATTEMPT_EVENTS:
        sink(event)
    text, content_type = sink.exposition()
    assert content_type.startswith("text/plain")
    names = {family.name for family in text_string_to_metric_families(text.decode())}
    assert all(name.startswith("image_router_") for name in names)
    assert not [name for name in names if name.endswith(("_ms", "_milliseconds", "_usd", "_cents", "_mb"))]
    for word in (b"acme", b"studio", b"order-7", b"fox", b"CANARY", b"req_"):
        assert word not in text
    assert sink.exposition("application/openmetrics-text; version=1.0.0")[1].startswith(
        "application/openmetrics"
    )


def test_every_metric_is_explained() -> None:
    """The documentation has a row for each metric, and none that does not exist."""
    page = (Path(__file__).parents[2] / "docs" / "observability.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `image_router_")]
    told = {name.removesuffix("_total") for row in rows for name in re.findall(r"image_router_\w+", row)}
    text, _ = PrometheusSink().exposition()
    names = {family.name for family in text_string_to_metric_families(text.decode())}
    assert told == {name for name in names if not name.endswith("_created")}


async def test_series_stay_few() -> None:
    """A second equal request makes no new series."""
    sink = PrometheusSink()
    shop, _, _ = router(announce=Announcer((sink,)))
    counts = []
    for scope in ("acme/one", "acme/two"):
        await shop.generate(f"a fox of {scope}", purpose="hero", scope=scope)
        counts.append(len(list(samples(sink.exposition()[0]))))
    assert counts[0] == counts[1]


async def test_counting_between_two_looks() -> None:
    """What is counted waits as plain numbers, once for each series, however long nobody looks."""
    sink = PrometheusSink()
    for _ in range(1000):
        sink(RequestStarted(request_id="r"))
        sink(RequestEnded(request_id="r", images=0, failures=0, cost=0, at_risk=0, elapsed=3.0))
    for _ in range(2):
        assert total(sink, "requests_in_progress") == 0
        assert total(sink, "requests_total") == total(sink, "request_duration_seconds_count") == 1000
        assert total(sink, "request_duration_seconds_sum") == 3000
        assert total(sink, "request_duration_seconds_bucket", le="2.0") == 0
        assert total(sink, "request_duration_seconds_bucket", le="4.0") == 1000


WORKER = """
import asyncio, sys
from image_router.core.breaker import Circuit
from image_router.core.events import CircuitsSeen, HttpAnswered, RequestStarted
from image_router.telemetry.prometheus import PrometheusSink
async def work():
    sink = PrometheusSink()
    sink(RequestStarted(request_id="r"))
    sink(HttpAnswered(route="/x", method="GET", status=200, elapsed=2.0, bytes_in=0, bytes_out=5))
    sink(CircuitsSeen(open=frozenset({Circuit(model="m")})))
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line == "closed\\n":
            sink(CircuitsSeen(open=frozenset()))
        if line == "more\\n":
            sink(RequestStarted(request_id="s"))
            await asyncio.sleep(1.5)
            print("END", flush=True)
            continue
        sys.stdout.buffer.write(sink.exposition()[0] + b"END\\n")
        sys.stdout.flush()
asyncio.run(work())
"""


class Worker:
    """A process that counts, and answers with everybody's metrics."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", WORKER]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def asked(self, what: str = "all") -> dict[str, float]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        text = "".join(iter(self.process.stdout.readline, "END\n"))
        return {name: value for name, _, value in samples(text.encode())}

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def workers() -> Iterator[tuple[Worker, Worker]]:
    with shared_between_workers():
        both = (Worker(), Worker())
        try:
            for worker in both:
                worker.asked()
            yield both
        finally:
            for worker in both:
                worker.stop()


def test_workers_answer_for_all(workers: tuple[Worker, Worker]) -> None:
    """Any worker's answer holds the sums of all; one that died keeps its counts and leaves the gauges."""
    first, second = workers
    seen = first.asked()
    assert seen["image_router_http_requests_total"] == seen["image_router_requests_in_progress"] == 2
    assert seen["image_router_http_sent_bytes_total"] == 10
    assert (seen["image_router_http_request_duration_seconds_count"], seen["image_router_circuit_open"]) == (
        2,
        1,
    )
    assert second.asked("closed")["image_router_circuit_open"] == 0
    second.asked("more")
    assert first.asked()["image_router_requests_in_progress"] == 3
    second.stop()
    seen = first.asked()
    assert (seen["image_router_http_requests_total"], seen["image_router_requests_in_progress"]) == (2, 1)
    assert seen["image_router_circuit_open"] == 0


def test_the_shared_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is made for the workers and removed after them; one that is set already is left as it is."""
    with shared_between_workers() as folder:
        assert os.environ[SHARED_FOLDER] == str(folder)
        assert folder.is_dir()
    assert SHARED_FOLDER not in os.environ
    assert not folder.exists()
    monkeypatch.setenv(SHARED_FOLDER, str(tmp_path))
    with shared_between_workers() as folder:
        assert folder == tmp_path
    assert os.environ[SHARED_FOLDER] == str(tmp_path)
    assert tmp_path.is_dir()
