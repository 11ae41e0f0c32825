"""What the gateway refuses by itself, before the router hears of it."""

from __future__ import annotations

from typing import Any

from image_router.gateway.surfaces import Problem, Refusal


def unknown_path(method: str, path: str) -> Refusal:
    return _refusal(404, "not_found", f"there is nothing at {method} {path}; see /docs for what there is")


def wrong_method(method: str, path: str, *, allowed: str) -> Refusal:
    words = f"{path} does not take {method}; it takes {allowed}"
    return _refusal(405, "method_not_allowed", words, headers={"allow": allowed})


def too_large(what: str, size: int | None, *, limit: int) -> Refusal:
    found = f"has {size:,} bytes" if size is not None else "is longer"
    return _refusal(413, "too_large", f"{what} {found}; at most {limit:,} are taken here")


def malformed(words: str, *, param: str | None = None) -> Refusal:
    return _refusal(400, "invalid_request", words, param=param)


def wrong_type(found: str, *wanted: str) -> Refusal:
    shown = f"is {found!r}" if found else "is missing"
    return _refusal(415, "wrong_content_type", f"content-type {shown}; send {' or '.join(wanted)}")


def too_slow(seconds: float) -> Refusal:
    return _refusal(408, "too_slow", f"nothing of the body came for {seconds:g} s; nothing was done")


def stopping(wait: float) -> Refusal:
    words = f"this server is stopping; another one answers in about {wait:g} s. Nothing was done."
    return _refusal(503, "stopping", words, wait=wait)


def absent(words: str) -> Refusal:
    """A thing named in the path does not exist."""
    return _refusal(404, "not_found", words)


def no_model(words: str) -> Refusal:
    return _refusal(404, "model_not_found", words, param="model")


_KINDS = {
    401: ("authentication_error", "UNAUTHENTICATED"),
    403: ("permission_error", "PERMISSION_DENIED"),
    404: ("invalid_request_error", "NOT_FOUND"),
    408: ("timeout_error", "DEADLINE_EXCEEDED"),
    409: ("conflict_error", "ABORTED"),
    429: ("rate_limit_error", "RESOURCE_EXHAUSTED"),
    503: ("server_error", "UNAVAILABLE"),
}


def _refusal(status: int, code: str, message: str, **more: Any) -> Refusal:
    kind, google = _KINDS.get(status, ("invalid_request_error", "INVALID_ARGUMENT"))
    return Refusal(Problem(status=status, kind=kind, google=google, code=code, message=message, **more))
