"""The router for asynchronous callers, built from settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from image_router.config import Settings, load_settings
from image_router.engine import router as engine
from image_router.providers.base import Provider
from image_router.wiring import parts_of


class ImageRouter(engine.ImageRouter):
    """Say what an image is for; get the right image at a known price.

        async with ImageRouter(offline=True) as router:
            result = await router.generate("a red mug on a table", purpose="hero")
            result.image.data, result.cost

    Arguments are settings (see config.Settings), read after them from the environment and image-router.toml.
    `via` is a provider of your own, such as SdkProvider(client) around any google.genai.Client, or
    testing.ScriptedProvider(); the router closes it. Raises ConfigError for broken settings or facts.
    """

    def __init__(
        self, settings: Settings | None = None, *, via: Provider | None = None, **overrides: Any
    ) -> None:
        parts = parts_of(settings or load_settings(**overrides))
        super().__init__(replace(parts, provider=lambda: via) if via else parts)
