"""All operations of the gateway, from the tables of its API modules."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from image_router.config import load_settings
from image_router.gateway import gemini_api, health, openai_api, router_api
from image_router.gateway.app import Entry, Gateway
from image_router.gateway.opening import Choices, opened
from image_router.wiring import start_logging

ENTRIES: Final[tuple[Entry, ...]] = (
    *openai_api.ENTRIES,
    *gemini_api.ENTRIES,
    *router_api.ENTRIES,
    *health.ENTRIES,
)


def worker(choices: Choices, **settings: Any) -> Gateway:
    """As `gateway`, in a process of its own, which logs."""
    start_logging(load_settings(**settings))
    return gateway(choices, **settings)


def gateway(choices: Choices, **settings: Any) -> Gateway:
    """The ASGI application of some settings; nothing is opened before the server starts it."""
    return Gateway(partial(opened, choices, settings), ENTRIES)
