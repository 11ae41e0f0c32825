"""The router for asynchronous callers, built from settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from image_router.config import Settings, load_settings
from image_router.core.events import Sink
from image_router.engine import router as engine
from image_router.providers.base import Provider
from image_router.wiring import parts_of, sinks_of


class ImageRouter(engine.ImageRouter):
    """Say what an image is for; get the right image at a known price.

        async with ImageRouter(offline=True) as router:
            result = await router.generate("a red mug on a table", purpose="hero")
            result.image.data, result.cost

    Arguments are settings (see config.Settings), read after them from the environment and image-router.toml.
    `via` is a provider of your own, such as SdkProvider(client) around any google.genai.Client, or
    testing.ScriptedProvider(); the router closes it. `sinks` are told every event, beside the log. Raises
    ConfigError for broken settings or facts.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        via: Provider | None = None,
        sinks: Sequence[Sink] = (),
        **overrides: Any,
    ) -> None:
        settings = settings or load_settings(**overrides)
        parts = parts_of(settings, sinks=(*sinks_of(settings), *sinks))
        super().__init__(replace(parts, provider=lambda: via) if via else parts)
