"""Where settings come from: arguments > environment > ./image-router.toml > home's > defaults."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from image_router.config.parsers import PARSERS, listed, url
from image_router.config.projects import with_keys
from image_router.config.values import ProviderName, Settings
from image_router.core.errors import ConfigError, InvalidRequest

FILE_NAME: Final = "image-router.toml"

_ARGUMENT: Final = "argument"

VARIABLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "home": ("IMAGE_ROUTER_HOME",),
        "api_key": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        "projects": ("IMAGE_ROUTER_API_KEYS",),
        "base_url": ("GOOGLE_GEMINI_BASE_URL",),
        "api_version": ("GOOGLE_GENAI_API_VERSION",),
        "provider": ("IMAGE_ROUTER_PROVIDER",),
        "vertex": ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI"),
        "project": ("GOOGLE_CLOUD_PROJECT",),
        "location": ("GOOGLE_CLOUD_LOCATION",),
        "offline": ("IMAGE_ROUTER_OFFLINE",),
        "emulator_url": ("IMAGE_ROUTER_EMULATOR_URL",),
        "as_of": ("IMAGE_ROUTER_AS_OF",),
        "scope": ("IMAGE_ROUTER_SCOPE",),
        "database": ("IMAGE_ROUTER_DATABASE_URL",),
        "store": ("IMAGE_ROUTER_STORE",),
        "assets": ("IMAGE_ROUTER_ASSETS",),
        "cache": ("IMAGE_ROUTER_CACHE",),
        "compress": ("IMAGE_ROUTER_COMPRESS",),
        "usage_tier": ("IMAGE_ROUTER_USAGE_TIER",),
        "profile": ("IMAGE_ROUTER_PROFILE",),
        "policy_file": ("IMAGE_ROUTER_POLICY_FILE",),
        "model_states": (),
        "on_ambiguous": ("IMAGE_ROUTER_ON_AMBIGUOUS",),
        "retired": ("IMAGE_ROUTER_RETIRED",),
        "confirm_above": ("IMAGE_ROUTER_CONFIRM_ABOVE",),
        "deadline": ("IMAGE_ROUTER_DEADLINE",),
        "single_flight": ("IMAGE_ROUTER_SINGLE_FLIGHT",),
        "hedge": ("IMAGE_ROUTER_HEDGE",),
        "wait_for_key": ("IMAGE_ROUTER_WAIT_FOR_KEY",),
        "wait_for_budget": ("IMAGE_ROUTER_WAIT_FOR_BUDGET",),
        "log_format": ("IMAGE_ROUTER_LOG_FORMAT",),
        "log_level": ("IMAGE_ROUTER_LOG_LEVEL",),
        "webhooks_private": ("IMAGE_ROUTER_WEBHOOKS_PRIVATE",),
        "log_prompts": ("IMAGE_ROUTER_LOG_PROMPTS",),
        "user_agent": ("IMAGE_ROUTER_USER_AGENT",),
        "limits": ("IMAGE_ROUTER_LIMITS",),
    }
)
"""Field → environment variables, the first that is set wins. Google's own names are read in the order of
google-genai 3.4 (GOOGLE_API_KEY before GEMINI_API_KEY, ENTERPRISE before VERTEXAI)."""


def load_settings(
    *, environ: Mapping[str, str] | None = None, folder: Path | None = None, **arguments: Any
) -> Settings:
    """Settings for this process. An argument of None counts as not given, an empty variable as not set.

    Raises ConfigError naming the variable, or file and key, of what is wrong; InvalidRequest for an argument.
    """
    unknown = arguments.keys() - VARIABLES.keys()
    if unknown:
        raise ConfigError(f"unknown setting {listed(unknown)}; known are {listed(VARIABLES)}")
    environ = os.environ if environ is None else environ
    found: dict[str, tuple[str, Any]] = {}
    _add_arguments(found, arguments)
    _add_environment(found, environ)
    _add_file(found, (folder or Path.cwd()) / FILE_NAME)
    home = _parsed("home", found) if "home" in found else usual_home(environ)
    _add_file(found, home / FILE_NAME)
    values = {name: _parsed(name, found) for name in found} | {"home": home}
    if "projects" in values:
        _settle_projects(values, found, environ)
    if values.get("vertex"):
        _settle_vertex(values, found, environ)
    return Settings(**values, origins={name: origin for name, (origin, _) in found.items()})


def usual_home(environ: Mapping[str, str]) -> Path:
    """The platform's folder for a user's data. On Linux read off two variables, as the XDG Base Directory
    Specification 0.8 says; for others platformdirs knows, which takes a tenth of a start."""
    if sys.platform == "linux":
        base = Path(environ.get("XDG_DATA_HOME", ""))
        return (base if base.is_absolute() else Path("~/.local/share").expanduser()) / "image-router"
    import platformdirs  # as said above

    return Path(platformdirs.user_data_dir("image-router"))


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """IMAGE_ROUTER_… variables that name no setting: most likely misspelt."""
    known = {name for names in VARIABLES.values() for name in names}
    return sorted(name for name in environ if name.startswith("IMAGE_ROUTER_") and name not in known)


def _add_arguments(found: dict[str, tuple[str, Any]], arguments: Mapping[str, Any]) -> None:
    for name, value in arguments.items():
        if value is not None:
            found[name] = (f"{_ARGUMENT} {name}", value)


def _add_environment(found: dict[str, tuple[str, Any]], environ: Mapping[str, str]) -> None:
    for name, variables in VARIABLES.items():
        for variable in variables:
            if environ.get(variable):
                found.setdefault(name, (f"environment variable {variable}", environ[variable]))


def _add_file(found: dict[str, tuple[str, Any]], path: Path) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    for name, value in document.items():
        if name not in VARIABLES:
            raise ConfigError(f"{path}: unknown key {name}; known keys are {listed(VARIABLES)}")
        found.setdefault(name, (f"{path}, key {name}", value))


def _settle_projects(
    values: dict[str, Any], found: Mapping[str, tuple[str, Any]], environ: Mapping[str, str]
) -> None:
    """The pool serves instead of a single key, except one that was handed to this call."""
    given = [name for name in ("api_key", "projects") if found.get(name, ("",))[0].startswith(_ARGUMENT)]
    if len(given) > 1:
        raise InvalidRequest("both api_key and projects are given; leave one of them out")
    if given == ["api_key"]:
        del values["projects"]
    elif values.get("vertex"):
        raise ConfigError(
            f"{found['projects'][0]} names API keys, and {found['vertex'][0]} asks for the enterprise "
            "endpoint, which takes none; switch one of them off"
        )
    else:
        values["projects"] = with_keys(values["projects"], environ)


def _settle_vertex(
    values: dict[str, Any], found: Mapping[str, tuple[str, Any]], environ: Mapping[str, str]
) -> None:
    """Enterprise mode has its own host and speaks through the SDK, whose credentials it needs."""
    if values.setdefault("provider", ProviderName.SDK) is not ProviderName.SDK:
        raise ConfigError(
            f"{found['vertex'][0]} asks for the enterprise endpoint, which provider rest does not speak; "
            "use provider sdk, or switch the enterprise endpoint off"
        )
    if found.get("base_url", ("",))[0] == "environment variable GOOGLE_GEMINI_BASE_URL":
        del values["base_url"]
    if environ.get("GOOGLE_VERTEX_BASE_URL"):
        values.setdefault("base_url", url(environ["GOOGLE_VERTEX_BASE_URL"]))


def _parsed(name: str, found: Mapping[str, tuple[str, Any]]) -> Any:
    origin, raw = found[name]
    try:
        return PARSERS[name](raw)
    except (ValueError, InvalidRequest) as error:
        kind = InvalidRequest if origin.startswith(_ARGUMENT) else ConfigError
        raise kind(f"{origin}: {error}") from error
