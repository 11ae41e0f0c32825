"""The Prefer header (RFC 7240): whether to wait for somebody else's work, and whether to answer later."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from image_router.gateway import refusals

MOST_WAIT: Final = 600.0
"""Seconds; whoever prefers to wait longer waits so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferred:
    """What a caller would rather have."""

    wait: float = 0.0
    """Seconds to wait for another request under the same key, or for a job; 0: answer at once."""
    respond_async: bool = False
    """Answer with a job."""


def preferred(request: Request) -> Preferred:
    """The preferences of a request; unknown ones are left alone, as the RFC asks. Raises Refusal."""
    wait, respond_async = 0.0, False
    for word in re.split(r"[,;]", ",".join(request.headers.getlist("prefer"))):
        name, _, value = (part.strip() for part in word.lower().partition("="))
        if name == "respond-async":
            respond_async = True
        elif name == "wait":
            wait = _seconds(value.strip('"'))
    return Preferred(wait=wait, respond_async=respond_async)


def _seconds(value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise refusals.malformed(f"Prefer: wait={value[:20]} is no whole number of seconds", param="Prefer")
    return min(float(value), MOST_WAIT)
