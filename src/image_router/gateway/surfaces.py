"""The shapes our answers take: each surface says its errors in the words of its own clients."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

import orjson
from starlette.responses import Response

from image_router.core.errors import ImageRouterError, ProviderError
from image_router.engine.views import error_view
from image_router.gateway.failures import answer_of, retry_after

JSON: Final = "application/json"
LONGEST: Final = 2000
"""Characters of a text in an error."""
REPLAYED: Final = {"idempotent-replayed": "true"}
"""Header of an answer that was given before, under the same Idempotency-Key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An answer that is no success, before it takes the shape of a surface."""

    status: int
    kind: str
    google: str
    code: str
    message: str
    param: str | None = None
    details: Mapping[str, Any] | None = None
    """Numbers for programs: our own view of the error."""
    wait: float | None = None
    """Seconds, for Retry-After."""
    headers: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", clipped(self.message))
        object.__setattr__(self, "param", clipped(self.param))
        if self.details:
            object.__setattr__(self, "details", clipped(self.details))


def clipped(value: Any) -> Any:
    """The same, its texts cut to what a message may hold: errors quote what was sent, not megabytes of it."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST else f"{value[:LONGEST]}… ({len(value):,} characters)"
    if isinstance(value, list | tuple):
        return [clipped(each) for each in value]
    if isinstance(value, Mapping):
        return {name: clipped(each) for name, each in value.items()}
    return value


def header_text(words: Iterable[str]) -> str:
    """Texts as one header can carry them: proxies refuse much longer ones, and others than ASCII."""
    joined = "; ".join(words).encode("ascii", "replace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in joined)[:LONGEST]


class Refusal(Exception):
    """What the gateway itself does not allow: an address, a method, a body, a caller."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Surface(Protocol):
    """How one family of clients is answered."""

    name: str
    """Also the label of metrics."""
    headers: Mapping[str, str]
    """Of every error's answer."""

    def encoded(self, problem: Problem) -> tuple[bytes, str]:
        """The body of an error's answer, and its media type."""
        ...


class JsonSurface(ABC):
    """For programs."""

    headers: Mapping[str, str] = MappingProxyType({})

    def encoded(self, problem: Problem) -> tuple[bytes, str]:
        return orjson.dumps(self.problem(problem)), JSON

    @abstractmethod
    def problem(self, problem: Problem) -> dict[str, Any]:
        """The JSON body of an error."""


class OpenAISurface(JsonSurface):
    """`{"error": {message, type, param, code}}`, with our own view beside it."""

    name = "openai"

    def problem(self, problem: Problem) -> dict[str, Any]:
        body: dict[str, Any] = {
            "error": {
                "message": problem.message,
                "type": problem.kind,
                "param": problem.param,
                "code": problem.code,
            }
        }
        if problem.details:
            body["image_router"] = {"error": problem.details}
        return body


class GoogleSurface(JsonSurface):
    """`{"error": {code, message, status, details}}` with an ErrorInfo, and a RetryInfo where one is known."""

    name = "gemini"

    def problem(self, problem: Problem) -> dict[str, Any]:
        details: list[dict[str, Any]] = [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": problem.code.upper(),
                "domain": "image-router",
                "metadata": {
                    name: value
                    for name, value in (problem.details or {}).items()
                    if isinstance(value, str) and name not in ("code", "message")
                },
            }
        ]
        if problem.wait is not None:
            retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{problem.wait:g}s"}
            details.append(retry)
        return {
            "error": {
                "code": problem.status,
                "message": problem.message,
                "status": problem.google,
                "details": details,
            }
        }


class RouterSurface(JsonSurface):
    """Our own API: `{"error": {code, message, …numbers}}`."""

    name = "router"

    def problem(self, problem: Problem) -> dict[str, Any]:
        own = {"code": problem.code, "message": problem.message, "param": problem.param}
        return {"error": {**(problem.details or {}), **own}}


OPENAI: Final = OpenAISurface()
GOOGLE: Final = GoogleSurface()
ROUTER: Final = RouterSurface()


def problem_of(error: ImageRouterError) -> Problem:
    """An expected error as an answer."""
    status, kind, google = answer_of(error)
    param = getattr(error, "param", None)
    return Problem(
        status=status,
        kind=kind,
        google=google,
        code=error.code,
        message=str(error),
        param=param if isinstance(param, str) else None,
        details=error_view(error),
        wait=retry_after(error),
        headers=REPLAYED if isinstance(error, ProviderError) and error.replayed else None,
    )


def answered(surface: Surface, problem: Problem) -> Response:
    """The response of a problem, telling clients whether to send it again by themselves."""
    headers = {**surface.headers, **(problem.headers or {})}
    if problem.wait is not None:
        headers["retry-after"] = str(max(1, math.ceil(problem.wait)))
    # openai-python and openai-node repeat 408, 409, 429 and 5xx unless told not to; what may have cost money
    # is for the router to repeat, and under a key that is busy nothing is paid twice.
    again = "true" if problem.status in (409, 429) and problem.wait is not None else "false"
    headers.setdefault("x-should-retry", again)
    body, media_type = surface.encoded(problem)
    return Response(body, problem.status, headers=headers, media_type=media_type)
