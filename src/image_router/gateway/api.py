"""All operations of the gateway, from the tables of its API modules."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from image_router.config import load_settings
from image_router.gateway import gemini_api, health, jobs_api, openai_api, router_api, webhooks_api
from image_router.gateway.app import Beside, Entry, Gateway
from image_router.gateway.chains_work import chaining
from image_router.gateway.dashboard import pages
from image_router.gateway.dashboard.stream import streaming
from image_router.gateway.gemini_batches import settling
from image_router.gateway.jobs_work import working
from image_router.gateway.journaling import journaling
from image_router.gateway.openapi_pages import entries_about
from image_router.gateway.opening import Choices, opened
from image_router.gateway.webhooks_sending import sending
from image_router.wiring import start_logging

_SERVED: Final[tuple[Entry, ...]] = (
    *openai_api.ENTRIES,
    *gemini_api.ENTRIES,
    *router_api.ENTRIES,
    *jobs_api.ENTRIES,
    *webhooks_api.ENTRIES,
    *health.ENTRIES,
)
ENTRIES: Final[tuple[Entry, ...]] = (*_SERVED, *entries_about(_SERVED), *pages.ENTRIES)


BESIDE: Final[tuple[Beside, ...]] = (streaming, journaling, working, chaining, sending, settling)


def worker(choices: Choices, **settings: Any) -> Gateway:
    """As `gateway`, in a process of its own, which logs."""
    start_logging(load_settings(**settings))
    return gateway(choices, **settings)


def gateway(choices: Choices, **settings: Any) -> Gateway:
    """The ASGI application of some settings; nothing is opened before the server starts it."""
    return Gateway(partial(opened, choices, settings), ENTRIES, beside=BESIDE)
