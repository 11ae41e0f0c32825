"""Settings, read once and frozen: arguments > environment > ./image-router.toml > home's > defaults.

Reads no catalog, rate card or policy: those are facts, not settings.
"""

from image_router.config.limits import Limits
from image_router.config.sources import FILE_NAME, VARIABLES, load_settings, unknown_variables
from image_router.config.values import (
    KEY_PAGE,
    LogFormat,
    LogLevel,
    ProjectKey,
    ProviderName,
    Secret,
    Settings,
)

__all__ = [
    "FILE_NAME",
    "KEY_PAGE",
    "VARIABLES",
    "Limits",
    "LogFormat",
    "LogLevel",
    "ProjectKey",
    "ProviderName",
    "Secret",
    "Settings",
    "load_settings",
    "unknown_variables",
]
