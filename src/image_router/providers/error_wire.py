"""Error bodies → ApiError, whatever wraps them: object, array, SSE lines, HTML page, another error's text.

Pure. What an error means is judged in core/outcome.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from image_router.core.reply import ApiError
from image_router.providers import json_text
from image_router.providers.lenient import JsonObject, obj, objs, text

MAX_WORDS = 2000
"""Characters of a provider's message that are kept."""

# google.rpc.Code → (name, HTTP status), https://github.com/googleapis/googleapis google/rpc/code.proto
RPC_CODES: Mapping[int, tuple[str, int]] = {
    1: ("CANCELLED", 499),
    2: ("UNKNOWN", 500),
    3: ("INVALID_ARGUMENT", 400),
    4: ("DEADLINE_EXCEEDED", 504),
    5: ("NOT_FOUND", 404),
    6: ("ALREADY_EXISTS", 409),
    7: ("PERMISSION_DENIED", 403),
    8: ("RESOURCE_EXHAUSTED", 429),
    9: ("FAILED_PRECONDITION", 400),
    10: ("ABORTED", 409),
    11: ("OUT_OF_RANGE", 400),
    12: ("UNIMPLEMENTED", 501),
    13: ("INTERNAL", 500),
    14: ("UNAVAILABLE", 503),
    15: ("DATA_LOSS", 500),
    16: ("UNAUTHENTICATED", 401),
}

_SECONDS = re.compile(r"^\s*(\d+(?:\.\d+)?)s?\s*$")
_HTML_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_HTML_TAG = re.compile(r"<(?:style|script)\b.*?</(?:style|script)>|<[^>]+>", re.IGNORECASE | re.DOTALL)
_ORIGINAL_ERROR = re.compile(r"\[ORIGINAL ERROR\] generic::\w+: (.*?)(?: \[google\.rpc|$)", re.DOTALL)


def parse_error(http_status: int, headers: Mapping[str, str], *, body: bytes) -> ApiError:
    """Make an ApiError of any failed answer. Never raises."""
    error = find_error(body)
    if error is None:
        return ApiError(
            http_status=http_status,
            message=_plain_words(body) or f"HTTP {http_status} without a body",
            retry_after=_retry_after_header(headers),
        )
    return _with_header_wait(error_of(error, http_status=http_status), headers)


def error_of(error: JsonObject, *, http_status: int | None = None) -> ApiError:
    """Make an ApiError of an error object: of a body, of a batch row, or inside a stream.

    Without an HTTP status the object's own code counts, be it an HTTP or a gRPC code.
    """
    message, inner = _unwrapped(error)
    details = objs(error.get("details")) or objs(inner.get("details"))
    own_status, own_name = _codes(error)
    inner_status, inner_name = _codes(inner)
    return ApiError(
        http_status=http_status or own_status or inner_status or 500,
        status=inner_name or own_name,
        message=message[:MAX_WORDS],
        reasons=tuple(_reasons(details)),
        quota_ids=tuple(_quotas(details, "quotaId", "quota_limit")),
        quota_values=tuple(_quotas(details, "quotaValue", "quota_limit_value")),
        retry_after=_retry_info(details),
        field_violations=tuple(_violations(details)),
    )


def find_error(body: bytes) -> JsonObject | None:
    """The error object within a body, or None when it holds none."""
    for value in _json_values(body):
        for item in value if isinstance(value, list) else [value]:
            error = obj(item).get("error")
            if isinstance(error, dict):
                return error
            if isinstance(error, str) and error:
                return {"message": text(obj(item).get("error_description")) or error}
    return None


def _json_values(body: bytes) -> Iterator[Any]:
    """The body as one JSON value; else each SSE line, and what is left when the SSE lines are taken out."""
    try:
        yield json_text.loads(body)
        return
    except ValueError:
        lines = body.splitlines()
    events = [line[5:] for line in lines if line.startswith(b"data:")]
    rest = b"\n".join(line for line in lines if not line.startswith((b"data:", b"event:", b"id:", b":")))
    for piece in (*events, rest):
        try:
            yield json_text.loads(piece)
        except ValueError:
            continue


def _unwrapped(error: JsonObject) -> tuple[str, JsonObject]:
    """The message, and the error that stands as JSON text within it (proxies and batch rows nest them)."""
    message = text(error.get("message")).strip()
    start = message.find("{")
    inner = obj(find_error(message[start:].encode())) if start >= 0 else {}
    message = text(inner.get("message")).strip() or message
    originals = " ".join(_originals(objs(error.get("details"))))
    return (f"{message} ({originals})" if originals and originals not in message else message), inner


def _originals(details: list[JsonObject]) -> Iterator[str]:
    # Other DebugInfo texts are left out on purpose: one of them quotes the API key.
    for detail in details:
        found = _ORIGINAL_ERROR.search(text(detail.get("detail")))
        if found:
            yield found[1].strip()


def _codes(error: JsonObject) -> tuple[int | None, str]:
    code, name = error.get("code"), text(error.get("status"))
    if not isinstance(code, int):
        return None, name or text(code)
    if code in RPC_CODES:
        rpc_name, http_status = RPC_CODES[code]
        return http_status, name or rpc_name
    return code, name


def _reasons(details: list[JsonObject]) -> Iterator[str]:
    return (text(detail.get("reason")) for detail in details if text(detail.get("reason")))


def _quotas(details: list[JsonObject], field: str, metadata_field: str) -> Iterator[str]:
    for detail in details:
        for holder in objs(detail.get("violations")):
            if text(holder.get(field)):
                yield text(holder.get(field))
        if text(obj(detail.get("metadata")).get(metadata_field)):
            yield text(obj(detail.get("metadata")).get(metadata_field))


def _violations(details: list[JsonObject]) -> Iterator[str]:
    for detail in details:
        for violation in objs(detail.get("fieldViolations")):
            parts = (text(violation.get("field")), text(violation.get("description")))
            yield ": ".join(part for part in parts if part)


def _retry_info(details: list[JsonObject]) -> float | None:
    delays = (_SECONDS.match(text(detail.get("retryDelay"))) for detail in details)
    return next((float(found[1]) for found in delays if found), None)


def _with_header_wait(error: ApiError, headers: Mapping[str, str]) -> ApiError:
    wait = _retry_after_header(headers)
    if error.retry_after is not None or wait is None:
        return error
    return replace(error, retry_after=wait)


def _retry_after_header(headers: Mapping[str, str]) -> float | None:
    """Seconds; a date counts from the answer's own Date header, so that no local clock is needed."""
    values = {name.lower(): value for name, value in headers.items()}
    wait = values.get("retry-after", "")
    found = _SECONDS.match(wait)
    if found:
        return float(found[1])
    from email.utils import parsedate_to_datetime  # 10 ms of start-up, for a header nobody has sent yet

    try:
        passed = parsedate_to_datetime(wait) - parsedate_to_datetime(values.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, passed.total_seconds())


def _plain_words(body: bytes) -> str:
    page = body[: 64 * 1024].decode("utf-8", "replace")
    title = _HTML_TITLE.search(page)
    words = title[1] if title else _HTML_TAG.sub(" ", page)
    return " ".join(words.split())[:300]
