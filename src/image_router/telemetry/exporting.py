"""Whether and where OpenTelemetry is exported: the standard OTEL_* variables decide, and nothing else does.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/, both read 2026-11-22.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from image_router._version import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from image_router.telemetry.otel import OtelSink

log: Final = logging.getLogger("image_router")

_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_SPOKEN: Final = "http/protobuf"
_PROMPTS: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def exports(signal: str, environ: Mapping[str, str]) -> bool:
    """Whether a signal ('TRACES' or 'METRICS') has somewhere to go that we can speak to."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if not (environ.get(_ENDPOINT) or environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")):
        return False
    exporter = environ.get(f"OTEL_{signal}_EXPORTER") or "otlp"
    if exporter == "none":
        return False
    general = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or _SPOKEN
    protocol = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or general
    if exporter == "otlp" and protocol == _SPOKEN:
        return True
    log.warning(
        "OpenTelemetry %s are not exported: OTEL_%s_EXPORTER is %s and its protocol %s; only otlp over %s is "
        "spoken here",
        signal.lower(),
        signal,
        exporter,
        protocol,
        _SPOKEN,
    )
    return False


def otel_sink(
    environ: Mapping[str, str] | None = None, *, provider_name: str = "gcp.gemini", server: str | None = None
) -> OtelSink | None:
    """A sink for the application's own OpenTelemetry SDK where one is set up, else one that exports as the
    environment says; None where neither is. Only `environ` is asked whether; the exporters read os.environ.
    """
    environ = os.environ if environ is None else environ
    traces, metrics, own = exports("TRACES", environ), exports("METRICS", environ), _own_sdk()
    if not (traces or metrics or own):
        return None
    try:
        from image_router.telemetry.otel import OtelSink

        tracers, meters = own or _providers(traces=traces, metrics=metrics)
    except ImportError as missing:
        log.warning(
            "OTEL_* variables ask for an export, which needs more packages (%s): pip install "
            "'image-router[otel]'",
            missing.name,
        )
        return None
    return OtelSink(
        tracers=tracers,
        meters=meters,
        provider_name=provider_name,
        server=server,
        prompts=environ.get(_PROMPTS, "").strip().lower() in ("true", "span_only", "span_and_event"),
    )


def _own_sdk() -> tuple[TracerProvider, MeterProvider] | None:
    """What the application has set up itself. Without an SDK loaded, nothing is imported for the question."""
    if "opentelemetry.sdk.trace" not in sys.modules:
        return None
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.trace import TracerProvider

    found = trace.get_tracer_provider()
    return (found, metrics.get_meter_provider()) if isinstance(found, TracerProvider) else None


@lru_cache(maxsize=4)
def _providers(*, traces: bool, metrics: bool) -> tuple[TracerProvider, MeterProvider]:
    """SDK providers of our own, one set for the process, flushed when it ends."""
    from opentelemetry.metrics import NoOpMeterProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import NoOpTracerProvider

    resource = Resource.create({"service.version": __version__})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "image-router"}))
    tracers: TracerProvider | NoOpTracerProvider = NoOpTracerProvider()
    meters: MeterProvider | NoOpMeterProvider = NoOpMeterProvider()
    if traces:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        tracers = TracerProvider(resource=resource)
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    if metrics:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource)
    return tracers, meters
