"""Spans and metrics reach a real OTLP receiver, named by the GenAI conventions, below the caller's trace."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from desk import router
from image_router.core.errors import ImageRouterError
from image_router.core.events import Paced, PaceEnded, RequestStarted
from image_router.core.money import USD
from image_router.core.reply import Reply
from image_router.core.tracing import TRACE, TraceContext, traced
from image_router.providers.base import Call
from image_router.telemetry import Announcer
from image_router.telemetry.exporting import _providers, exports, otel_sink
from image_router.telemetry.otel import OtelSink
from image_router.testing import Script, ScriptedProvider, overloaded, words_only
from telemetry.listener import Listener, listening

PRO = "gemini-nano-banana-2.1"
CALLER = TraceContext(trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331", state="x=1")


@dataclass(slots=True)
class Collector:
    """An OTLP receiver and the sink that exports to it."""

    listener: Listener
    sink: OtelSink
    providers: tuple[Any, Any]
    read: int = 0
    spans: list[Span] = field(default_factory=list)
    metrics: dict[str, list[Any]] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)

    def flush(self) -> None:
        """Have everything sent, and read what arrived."""
        for provider in self.providers:
            assert provider.force_flush()
        unread, self.read = self.listener.heard[self.read :], len(self.listener.heard)
        for heard in unread:
            assert heard.headers["content-type"] == "application/x-protobuf"
            if heard.path == "/v1/traces":
                self._traces(ExportTraceServiceRequest.FromString(heard.body))
            else:
                self._metrics(ExportMetricsServiceRequest.FromString(heard.body))

    def _traces(self, request: ExportTraceServiceRequest) -> None:
        for batch in request.resource_spans:
            self.resource = plain(batch.resource.attributes)
            for scope in batch.scope_spans:
                assert scope.scope.name == "image_router"
                self.spans.extend(scope.spans)

    def _metrics(self, request: ExportMetricsServiceRequest) -> None:
        for batch in request.resource_metrics:
            for scope in batch.scope_metrics:
                for metric in scope.metrics:
                    kind = metric.WhichOneof("data")
                    assert kind
                    self.metrics.setdefault(metric.name, []).extend(getattr(metric, kind).data_points)

    def below(self, parent: bytes) -> list[Span]:
        found = [span for span in self.spans if span.parent_span_id == parent]
        return sorted(found, key=lambda span: span.start_time_unix_nano)


def plain(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    _providers.cache_clear()
    with listening() as listener:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", listener.url)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        sink = otel_sink(server="generativelanguage.googleapis.com")
        assert sink
        tracers, meters = sink.providers
        assert isinstance(tracers, TracerProvider)
        assert isinstance(meters, MeterProvider)
        yield Collector(listener, sink, (tracers, meters))
        tracers.shutdown()
        meters.shutdown()
    _providers.cache_clear()


async def made(collector: Collector, script: Script | None = None, **asked: Any) -> Any:
    shop, _, _ = router(script, announce=Announcer((collector.sink,)))
    try:
        return await shop.generate("a canary fox", **{"purpose": "hero", **asked})
    except ImageRouterError as error:
        return error
    finally:
        assert TRACE.get() in (None, CALLER)
        collector.flush()


async def test_spans_of_a_request(collector: Collector) -> None:
    """One span for the request, one client span for each call below it, with what the conventions name."""
    result = await made(collector, Script().fail(overloaded()), seed=7)
    [root] = collector.below(b"")
    assert root.name == f"generate_content {PRO}"
    about = plain(root.attributes)
    assert about["gen_ai.operation.name"] == "generate_content"
    assert about["gen_ai.provider.name"] == "gcp.gemini"
    assert about["server.address"] == "generativelanguage.googleapis.com"
    assert (about["gen_ai.output.type"], about["gen_ai.request.model"]) == ("image", PRO)
    assert (about["gen_ai.request.seed"], about["image_router.request.id"]) == (7, result.request_id)
    assert (about["image_router.tier"], about["image_router.rule"]) == ("imagen_4_standard", "hero")
    assert about["image_router.cost_usd"] == pytest.approx(result.cost / USD)
    assert not [name for name in about if name.startswith("gen_ai.usage")]
    first, second = collector.below(root.span_id)
    assert {span.name for span in (first, second)} == {root.name}
    assert {span.kind for span in (first, second)} == {Span.SpanKind.SPAN_KIND_CLIENT}
    assert (plain(first.attributes)["error.type"], first.status.code) == (
        "provider_unavailable",
        Status.StatusCode.STATUS_CODE_ERROR,
    )
    last, usage = plain(second.attributes), result.image.usage
    assert last["gen_ai.response.id"] == result.image.response_id
    assert last["gen_ai.usage.input_tokens"] == usage.prompt_tokens
    assert last["gen_ai.usage.output_tokens"] == usage.candidates_tokens
    assert last["gen_ai.usage.image.output_tokens"] == usage.image_tokens
    assert last["gen_ai.usage.text.output_tokens"] == usage.candidates_tokens - usage.image_tokens
    assert second.status.code == Status.StatusCode.STATUS_CODE_UNSET
    assert collector.resource["service.name"] == "image-router"
    assert collector.resource["deployment.environment.name"] == "test"


async def test_metrics_of_a_request(collector: Collector) -> None:
    """The conventions' two client metrics, and our cost, overhead and duration."""
    result = await made(collector, Script().fail(words_only("no")))
    durations = points(collector, "gen_ai.client.operation.duration", by="error.type")
    assert {error: point.count for error, point in durations.items()} == {"provider_no_image": 1, None: 1}
    tokens = points(collector, "gen_ai.client.token.usage", by="gen_ai.token.type")
    used = [attempt.usage for attempt in result.attempts]
    assert {kind: point.sum for kind, point in tokens.items()} == {
        "input": sum(u.prompt_tokens for u in used),
        "output": sum(u.candidates_tokens for u in used),
    }
    spend = points(collector, "image_router.cost", by="image_router.spend.kind")
    assert sum(point.as_double for point in spend.values()) == pytest.approx(result.cost / USD)
    assert set(spend) == {"paid_for_nothing", "delivered"}
    assert points(collector, "image_router.request.overhead")[PRO].count == 1
    bounds = list(durations[None].explicit_bounds)
    assert (bounds[0], bounds[-1]) == (0.01, 163.84)


def points(collector: Collector, name: str, *, by: str = "gen_ai.request.model") -> dict[str | None, Any]:
    return {plain(point.attributes).get(by): point for point in collector.metrics[name]}


async def test_the_callers_trace(collector: Collector) -> None:
    """The caller's traceparent is the parent of the request, and is back when the request has ended."""
    with traced(CALLER):
        await made(collector)
        assert TRACE.get() == CALLER
    [root] = collector.below(bytes.fromhex(CALLER.span_id))
    assert root.trace_id.hex() == CALLER.trace_id
    assert root.trace_state == "x=1"


async def test_a_span_of_this_process(collector: Collector) -> None:
    """A span that is current where the request is made is its parent, before any header."""
    tracer = collector.providers[0].get_tracer("image_router")
    with traced(CALLER), tracer.start_as_current_span("mine") as mine:
        await made(collector)
    collector.flush()
    [root] = [
        s for s in collector.spans if s.parent_span_id.hex() == f"{mine.get_span_context().span_id:016x}"
    ][:1]
    assert root.trace_id.hex() == f"{mine.get_span_context().trace_id:032x}"


async def test_what_the_provider_is_told(collector: Collector) -> None:
    """While a call is made, the trace that goes on with it is the call's own span; images do not mix."""

    class Noting(ScriptedProvider):
        seen: list[TraceContext] = []

        async def generate(self, call: Call, *, timeout: float) -> Reply:
            await asyncio.sleep(0)
            if here := TRACE.get():
                self.seen.append(here)
            return await super().generate(call, timeout=timeout)

    provider = Noting()
    shop, _, _ = router(provider=lambda: provider, announce=Announcer((collector.sink,)))
    await shop.generate("a fox", n=3)
    collector.flush()
    [root] = collector.below(b"")
    calls = sorted(span.span_id.hex() for span in collector.below(root.span_id))
    assert sorted(here.span_id for here in Noting.seen) == calls
    assert {here.trace_id for here in Noting.seen} == {root.trace_id.hex()}
    assert plain(root.attributes)["gen_ai.request.choice.count"] == 3


async def test_a_failure(collector: Collector) -> None:
    """A request that failed has the word of its error, and never the error's words or the prompt."""
    await made(collector, Script().fail(words_only("no canary today"), times=9))
    [root] = collector.below(b"")
    assert plain(root.attributes)["error.type"] == "provider_no_image"
    assert root.status.code == Status.StatusCode.STATUS_CODE_ERROR
    assert b"canary" not in b"".join(heard.body for heard in collector.listener.heard)


async def test_refused_before_any_decision(collector: Collector) -> None:
    """What is refused at once is a span without a model and without calls."""
    await made(collector, n=0)
    [root] = collector.spans
    assert (root.name, plain(root.attributes)["error.type"]) == ("generate_content", "caller_invalid_request")


async def test_a_caller_who_goes_away(collector: Collector) -> None:
    """Cancelling ends both spans, and what the call may cost is told."""

    class Slow(ScriptedProvider):
        async def generate(self, call: Call, *, timeout: float) -> Reply:
            under_way.set()
            await asyncio.sleep(3600)
            raise AssertionError("nobody waits an hour")

    under_way = asyncio.Event()
    shop, _, _ = router(provider=Slow, announce=Announcer((collector.sink,)))
    task = asyncio.create_task(shop.generate("a fox", purpose="hero"))
    await under_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    collector.flush()
    [root] = collector.below(b"")
    [call] = collector.below(root.span_id)
    assert plain(call.attributes)["error.type"] == plain(root.attributes)["error.type"] == "caller_cancelled"
    assert plain(call.attributes)["image_router.at_risk_usd"] > 0.05
    assert points(collector, "image_router.at_risk")[PRO].as_double > 0.05


async def test_prompts_only_when_asked(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompt is on the span where the conventions' own variable asks for content."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    telling = otel_sink()
    assert telling
    collector.sink, collector.providers = telling, telling.providers
    await made(collector)
    said = [plain(span.attributes).get("gen_ai.input.messages") for span in collector.spans]
    assert [word for word in said if word] == [
        '[{"role": "user", "parts": [{"type": "text", "content": "a canary fox"}]}]'
    ]


async def test_events_outside_a_request(collector: Collector) -> None:
    """What happens outside any request makes no span and breaks nothing."""
    collector.sink(Paced(model=PRO, scope="acme", limit="rpm", wait=1.0))
    collector.sink(PaceEnded(model=PRO, scope="acme", limit="rpm", waited=1.0))
    collector.flush()
    assert collector.spans == []


async def test_a_wait_is_noted(collector: Collector) -> None:
    """Waiting for a limit stands as an event on the request's span."""
    shop, _, _ = router(announce=Announcer((collector.sink,)))

    def pace(event: object) -> None:
        if isinstance(event, RequestStarted):
            collector.sink(Paced(model=PRO, scope="acme", limit="rpm", wait=1.0))

    await shop.generate("a fox", on_event=pace)
    collector.flush()
    [root] = collector.below(b"")
    [noted] = root.events
    assert (noted.name, plain(noted.attributes)["image_router.limit"]) == ("waits for a limit", "rpm")


ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environ", "traces", "metrics"),
    [
        ({}, False, False),
        (ENDPOINT, True, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318/v1/metrics"}, False, True),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, False, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False, True),
        (ENDPOINT | {"OTEL_METRICS_EXPORTER": "none"}, True, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, False, False),
    ],
)
def test_the_environment_decides(environ: Mapping[str, str], traces: bool, metrics: bool) -> None:
    """Nothing is sent anywhere unless a standard variable names where."""
    assert (exports("TRACES", environ), exports("METRICS", environ)) == (traces, metrics)


@pytest.mark.parametrize(
    "more", [{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, {"OTEL_TRACES_EXPORTER": "zipkin"}]
)
def test_what_is_not_spoken(more: Mapping[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """Another protocol or exporter is said to be none of ours, and nothing is sent to it."""
    caplog.set_level(logging.WARNING)
    assert not exports("TRACES", ENDPOINT | more)
    assert "only otlp over http/protobuf" in caplog.text


def test_without_the_packages(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that ask for an export without its packages are answered with how to install them."""
    monkeypatch.setitem(sys.modules, "image_router.telemetry.otel", None)
    assert otel_sink(ENDPOINT) is None
    assert "pip install 'image-router[otel]'" in caplog.text


def test_nothing_is_loaded_unasked() -> None:
    """Without the variables, neither OpenTelemetry nor Prometheus is imported for a router."""
    code = (
        "import sys\nfrom image_router.telemetry.exporting import otel_sink\n"
        "from image_router.aio import ImageRouter\n"
        "assert otel_sink({}) is None\nImageRouter(offline=True)\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'prometheus'))])"
    )
    clean = {"PATH": "/usr/bin", "HOME": "/nonexistent", "IMAGE_ROUTER_HOME": "/nonexistent"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=clean)
    assert run.stdout == "[]\n", run.stderr


async def test_the_applications_own_sdk() -> None:
    """Where the application has set up a tracer provider, spans go there without any variable."""
    code = (
        "from opentelemetry import trace\nfrom opentelemetry.sdk.trace import TracerProvider\n"
        "own = TracerProvider()\ntrace.set_tracer_provider(own)\n"
        "from image_router.telemetry.exporting import otel_sink\n"
        "assert otel_sink({}).providers[0] is own"
    )
    run = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
