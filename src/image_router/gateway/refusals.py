"""What the gateway refuses by itself, before the router hears of it."""

from __future__ import annotations

from typing import Any, Final

from image_router.gateway.surfaces import Problem, Refusal
from image_router.storage.jobs_line import JobsFull

_AGAIN: Final = {"x-should-retry": "true"}
"""Nothing was done and nothing can have cost money: clients may send it again by themselves."""


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


def encoded(coding: str) -> Refusal:
    words = f"content-encoding {coding[:40]!r}: bodies are taken as they are; send it uncompressed"
    return _refusal(415, "wrong_content_encoding", words)


def too_many_values(most: int) -> Refusal:
    words = f"the body has more than {most:,} JSON values; send pictures as base64 text, or send less"
    return _refusal(413, "too_many_values", words)


def too_slow(words: str) -> Refusal:
    return _refusal(408, "too_slow", f"{words}; nothing was done")


def no_room(size: int, total: int, *, waited: float) -> Refusal:
    words = (
        f"no room for {size:,} bytes of a body: this process holds at most {total:,} of all callers, and "
        f"nothing became free within {waited:g} s; nothing was done"
    )
    return _refusal(503, "no_room", words, wait=1.0, headers=_AGAIN)


def busy(most: int) -> Refusal:
    words = f"this process works on {most:,} requests already, as many as it may; nothing was done"
    return _refusal(503, "busy", words, wait=1.0, headers=_AGAIN)


def foreign(words: str) -> Refusal:
    """Open mode is for programs on this machine, never for pages of others in its browser."""
    return _refusal(403, "foreign_origin", words)


def head_too_large(words: str) -> Refusal:
    return _refusal(431, "head_too_large", words)


def stopping(wait: float) -> Refusal:
    words = f"this server is stopping; another one answers in about {wait:g} s. Nothing was done."
    return _refusal(503, "stopping", words, wait=wait, headers=_AGAIN)


def absent(words: str) -> Refusal:
    """A thing named in the path does not exist."""
    return _refusal(404, "not_found", words)


def gone(words: str) -> Refusal:
    """A thing that was there, and cannot be had any more."""
    return _refusal(410, "gone", words)


def conflict(code: str, words: str, *, wait: float | None = None) -> Refusal:
    """A thing is not in the state that was taken for granted; `wait` seconds later it may be."""
    return _refusal(409, code, words, wait=wait)


def too_many_jobs(scope: str, full: JobsFull) -> Refusal:
    if full.more > full.most:
        words = f"that is {full.more:,} jobs at once; a scope may have {full.most:,} in line. Ask for fewer"
        return _refusal(429, "too_many_jobs", words)
    words = (
        f"scope {scope!r} has {full.found:,} jobs that are not over, of at most {full.most:,}; {full.more:,} "
        f"more do not fit. Nothing was done. Come back when some are"
    )
    return _refusal(429, "too_many_jobs", words, wait=60.0)


def bad_link() -> Refusal:
    words = "this link has expired or was changed; ask for a new one, or send a router key"
    return _refusal(403, "link_refused", words)


def no_file(name: str) -> Refusal:
    words = f"You do not have permission to access the File {name} or it may not exist."
    return _refusal(403, "file_forbidden", words, param="fileUri")


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
