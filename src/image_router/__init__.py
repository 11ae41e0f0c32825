"""image_router: say what an image is for; it picks the specialist, quotes the price, makes the image.

Names are resolved when first used, so importing this package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from image_router._version import __version__

if TYPE_CHECKING:
    from image_router.aio import ImageRouter
    from image_router.classic import (
        MODEL_REGISTRY,
        character_consistency_chain,
        route_image,
        route_tier,
    )
    from image_router.config import Settings, load_settings
    from image_router.core.decision import Decision
    from image_router.core.errors import (
        BudgetExceeded,
        ConfigError,
        ContentRefused,
        ImageRouterError,
        NoEligibleTier,
        ProviderError,
        RequestError,
    )
    from image_router.core.results import GeneratedImage, ImageResult
    from image_router.core.types import (
        AspectRatio,
        ImageRequest,
        Lane,
        Purpose,
        Reference,
        Size,
        Tier,
    )

_HOMES = {
    "AspectRatio": "core.types",
    "BudgetExceeded": "core.errors",
    "ConfigError": "core.errors",
    "ContentRefused": "core.errors",
    "Decision": "core.decision",
    "GeneratedImage": "core.results",
    "ImageRequest": "core.types",
    "ImageResult": "core.results",
    "ImageRouter": "aio",
    "ImageRouterError": "core.errors",
    "Lane": "core.types",
    "MODEL_REGISTRY": "classic",
    "NoEligibleTier": "core.errors",
    "ProviderError": "core.errors",
    "Purpose": "core.types",
    "Reference": "core.types",
    "RequestError": "core.errors",
    "Settings": "config",
    "Size": "core.types",
    "Tier": "core.types",
    "character_consistency_chain": "classic",
    "load_settings": "config",
    "route_image": "classic",
    "route_tier": "classic",
}

__all__ = [
    "MODEL_REGISTRY",
    "AspectRatio",
    "BudgetExceeded",
    "ConfigError",
    "ContentRefused",
    "Decision",
    "GeneratedImage",
    "ImageRequest",
    "ImageResult",
    "ImageRouter",
    "ImageRouterError",
    "Lane",
    "NoEligibleTier",
    "ProviderError",
    "Purpose",
    "Reference",
    "RequestError",
    "Settings",
    "Size",
    "Tier",
    "__version__",
    "character_consistency_chain",
    "load_settings",
    "route_image",
    "route_tier",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
