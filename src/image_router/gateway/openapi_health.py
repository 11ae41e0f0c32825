"""What is told of health, metrics and the documentation itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from image_router.gateway.openapi_words import (
    JSON,
    Answer,
    Group,
    Operation,
    by_name,
    obj,
    ok,
    one_of,
    text,
    yes_no,
)

_CHECK: Final = {**obj(need=("ok",), ok=yes_no(), detail=text()), "additionalProperties": True}
_READY: Final = obj(status=one_of(("ready", "not ready")), stopping=yes_no(), checks=by_name(_CHECK))

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/healthz"): Operation(
        id="health",
        group=Group.HELP,
        summary="Whether the process lives",
        answers=ok("It does.", obj(status=one_of(("ok",))), example={"status": "ok"}),
    ),
    ("GET", "/readyz"): Operation(
        id="readiness",
        group=Group.HELP,
        summary="Whether it can do its work",
        answers={
            200: Answer(about="Database, provider and catalog are there.", content={JSON: _READY}),
            503: Answer(about="Something is missing, or the server stops.", content={JSON: _READY}),
        },
    ),
    ("GET", "/metrics"): Operation(
        id="metrics",
        group=Group.HELP,
        summary="Metrics for Prometheus",
        about="Admin keys only.",
        answers={
            200: Answer(
                about="Prometheus's text, or OpenMetrics where it is accepted.",
                content={"text/plain": text(), "application/openmetrics-text": text()},
            )
        },
    ),
    ("GET", "/openapi.json"): Operation(
        id="openapi",
        group=Group.HELP,
        summary="This document",
        answers=ok("OpenAPI 3.1.", {"type": "object"}),
    ),
    ("GET", "/docs"): Operation(
        id="docs",
        group=Group.HELP,
        summary="This documentation as a page",
        answers={200: Answer(about="HTML, with nothing from elsewhere.", content={"text/html": text()})},
    ),
}
