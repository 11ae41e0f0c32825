"""Settings, read once and frozen: arguments > environment > ./image-router.toml > home's > defaults.

Reads no catalog, rate card or policy: those are facts, not settings.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import platformdirs

from image_router._version import __version__
from image_router.core.catalog import ModelState
from image_router.core.errors import ConfigError, InvalidRequest
from image_router.core.money import USD, Nanos, parse_usd, show_usd
from image_router.core.scopes import scope_path
from image_router.core.storing import CacheMode, StoreMode
from image_router.core.types import OnAmbiguous, RetiredPolicy

FILE_NAME: Final = "image-router.toml"
KEY_PAGE: Final = "https://aistudio.google.com/apikey"

_ARGUMENT: Final = "argument"
_E = TypeVar("_E", bound=StrEnum)


class ProviderName(StrEnum):
    """How images are asked for: direct HTTP, or through google.genai.Client."""

    REST = "rest"
    SDK = "sdk"


class Secret:
    """A text that hides itself wherever it is printed; `reveal()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('…')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the operator decides. `load_settings()` makes it; each field's sources are in VARIABLES."""

    home: Path
    """Own catalogs, rate cards and policies, and all that is stored."""
    api_key: Secret | None = None
    base_url: str | None = None
    """None: the provider's own host."""
    api_version: str = "v1beta"
    """Documented for every image method; v1 is the SDK's default since google-genai 3.0."""
    provider: ProviderName = ProviderName.REST
    vertex: bool = False
    """Google Cloud's enterprise endpoint instead of the Gemini API; provider sdk only."""
    project: str | None = None
    location: str | None = None
    offline: bool = False
    """Every call goes to the emulator; no other host is ever contacted."""
    as_of: date | None = None
    """The day whose models and prices count; None: today."""
    scope: str = "default"
    """Who pays, as organisation/project/key."""
    database: Secret | None = None
    """postgresql:// URL of the books; None: a SQLite file in the home folder."""
    store: StoreMode = StoreMode.ALL
    """What is kept of pictures where no rule of their scope says otherwise."""
    assets: str | None = None
    """Folder or bucket URL (s3://, gs://, az://) of the pictures; None: a folder in the home."""
    cache: CacheMode | None = None
    """None: `use` for requests with a seed, `bypass` for others."""
    usage_tier: int | None = None
    """The project's usage tier at Google (1 to 3): calls are paced below its published limits. None: only
    what refusals teach."""
    profile: str | None = None
    policy_file: Path | None = None
    model_states: Mapping[str, ModelState] = field(default_factory=dict)
    """Model id → alive or retired: what the operator knows better than the catalog."""
    on_ambiguous: OnAmbiguous | None = None
    """None: as the policy says."""
    retired: RetiredPolicy = RetiredPolicy.REFUSE
    confirm_above: Nanos = USD
    """The command line asks before it spends more than this."""
    deadline: float | None = None
    """Seconds for one request; None: the default for its size."""
    wait_for_key: float = 120.0
    """Seconds a request waits for another one that is at the same key."""
    wait_for_budget: float = 0.0
    """Seconds a request waits for money that others hold, before it is refused."""
    user_agent: str = f"image-router/{__version__}"
    """Sent with every call to the provider; google-genai adds its own name behind it."""
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Field → where its value came from; fields left at their default are absent."""

    def require_key(self) -> Secret:
        """The API key, at the moment a real call needs it. Raises ConfigError with the two ways out."""
        if self.api_key is None:
            raise ConfigError(
                "no API key is set and offline mode is off; either set GEMINI_API_KEY or GOOGLE_API_KEY "
                f"(keys: {KEY_PAGE}), or use --offline / IMAGE_ROUTER_OFFLINE=1 to draw with the emulator"
            )
        return self.api_key


VARIABLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "home": ("IMAGE_ROUTER_HOME",),
        "api_key": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        "base_url": ("GOOGLE_GEMINI_BASE_URL",),
        "api_version": ("GOOGLE_GENAI_API_VERSION",),
        "provider": ("IMAGE_ROUTER_PROVIDER",),
        "vertex": ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI"),
        "project": ("GOOGLE_CLOUD_PROJECT",),
        "location": ("GOOGLE_CLOUD_LOCATION",),
        "offline": ("IMAGE_ROUTER_OFFLINE",),
        "as_of": ("IMAGE_ROUTER_AS_OF",),
        "scope": ("IMAGE_ROUTER_SCOPE",),
        "database": ("IMAGE_ROUTER_DATABASE_URL",),
        "store": ("IMAGE_ROUTER_STORE",),
        "assets": ("IMAGE_ROUTER_ASSETS",),
        "cache": ("IMAGE_ROUTER_CACHE",),
        "usage_tier": ("IMAGE_ROUTER_USAGE_TIER",),
        "profile": ("IMAGE_ROUTER_PROFILE",),
        "policy_file": ("IMAGE_ROUTER_POLICY_FILE",),
        "model_states": (),
        "on_ambiguous": ("IMAGE_ROUTER_ON_AMBIGUOUS",),
        "retired": ("IMAGE_ROUTER_RETIRED",),
        "confirm_above": ("IMAGE_ROUTER_CONFIRM_ABOVE",),
        "deadline": ("IMAGE_ROUTER_DEADLINE",),
        "wait_for_key": ("IMAGE_ROUTER_WAIT_FOR_KEY",),
        "wait_for_budget": ("IMAGE_ROUTER_WAIT_FOR_BUDGET",),
        "user_agent": ("IMAGE_ROUTER_USER_AGENT",),
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
        raise ConfigError(f"unknown setting {_listed(unknown)}; known are {_listed(VARIABLES)}")
    environ = os.environ if environ is None else environ
    found: dict[str, tuple[str, Any]] = {}
    _add_arguments(found, arguments)
    _add_environment(found, environ)
    _add_file(found, (folder or Path.cwd()) / FILE_NAME)
    home = _parsed("home", found) if "home" in found else Path(platformdirs.user_data_dir("image-router"))
    _add_file(found, home / FILE_NAME)
    values = {name: _parsed(name, found) for name in found} | {"home": home}
    if values.get("vertex"):
        _settle_vertex(values, found, environ)
    return Settings(**values, origins={name: origin for name, (origin, _) in found.items()})


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
            raise ConfigError(f"{path}: unknown key {name}; known keys are {_listed(VARIABLES)}")
        found.setdefault(name, (f"{path}, key {name}", value))


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
        values.setdefault("base_url", _url(environ["GOOGLE_VERTEX_BASE_URL"]))


def _parsed(name: str, found: Mapping[str, tuple[str, Any]]) -> Any:
    origin, raw = found[name]
    try:
        return _PARSERS[name](raw)
    except (ValueError, InvalidRequest) as error:
        kind = InvalidRequest if origin.startswith(_ARGUMENT) else ConfigError
        raise kind(f"{origin}: {error}") from error


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError(f"{raw!r} is not a text")
    return raw.strip()


def _usage_tier(raw: Any) -> int:
    if str(raw) not in ("1", "2", "3"):
        raise ValueError(f"{raw!r} is not a usage tier; choose 1, 2 or 3")
    return int(raw)


def _scope(raw: Any) -> str:
    scope_path(_text(raw))
    return _text(raw)


def _path(raw: Any) -> Path:
    return Path(raw).expanduser() if isinstance(raw, Path) else Path(_text(raw)).expanduser()


def _secret(raw: Any) -> Secret:
    return raw if isinstance(raw, Secret) else Secret(_text(raw))


def _url(raw: Any) -> str:
    address = _text(raw).rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{raw!r} is not an http or https address")
    return address


def _version(raw: Any) -> str:
    version = _text(raw)
    return "v1beta" if version == "beta" else version  # the SDK's own short form


def _flag(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    try:
        return words[_text(raw).lower()]
    except KeyError:
        raise ValueError(f"{raw!r} is neither yes nor no; write 1 or 0") from None


def _date(raw: Any) -> date:
    if isinstance(raw, date) and not isinstance(raw, datetime):
        return raw
    try:
        return date.fromisoformat(_text(raw))
    except ValueError:
        raise ValueError(f"{raw!r} is not a date; write it like 2026-04-09") from None


def _seconds(raw: Any) -> float:
    seconds = _number_of_seconds(raw)
    if not 0 < seconds < math.inf:
        raise ValueError(f"{raw!r} seconds is not above 0")
    return seconds


def _patience(raw: Any) -> float:
    seconds = _number_of_seconds(raw)
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{raw!r} seconds is not 0 or more")
    return seconds


def _number_of_seconds(raw: Any) -> float:
    try:
        return float(raw)
    except (TypeError, ValueError):
        raise ValueError(f"{raw!r} is not a number of seconds") from None


def _header(raw: Any) -> str:
    value = _text(raw)
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"{raw!r} cannot stand in an HTTP header: use printable ASCII characters")
    return value


def _money(raw: Any) -> Nanos:
    if not isinstance(raw, float):
        return parse_usd(raw, name="the amount")
    exact = show_usd(parse_usd(repr(raw), name="the amount")).strip("$").replace(",", "")
    raise ValueError(f'{raw!r} is a binary fraction, no exact amount; write it in quotes, "{exact}"')


def _member_of(kind: type[_E]) -> Callable[[Any], _E]:
    def parse(raw: Any) -> _E:
        try:
            return kind(raw)
        except ValueError:
            raise ValueError(f"{raw!r} is none of {_listed(kind)}") from None

    return parse


def _model_states(raw: Any) -> Mapping[str, ModelState]:
    settled = (ModelState.ALIVE, ModelState.RETIRED)
    if not isinstance(raw, Mapping):
        raise InvalidRequest("model_states is a table of model id = 'alive' or 'retired'")
    for model, state in raw.items():
        if state not in settled:
            raise ValueError(f"model {model} is {state!r}; write 'alive' or 'retired'")
    return MappingProxyType({model: ModelState(state) for model, state in raw.items()})


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))


_PARSERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "home": _path,
    "api_key": _secret,
    "base_url": _url,
    "api_version": _version,
    "provider": _member_of(ProviderName),
    "vertex": _flag,
    "project": _text,
    "location": _text,
    "offline": _flag,
    "as_of": _date,
    "scope": _scope,
    "database": _secret,
    "store": _member_of(StoreMode),
    "assets": _text,
    "cache": _member_of(CacheMode),
    "usage_tier": _usage_tier,
    "profile": _text,
    "policy_file": _path,
    "model_states": _model_states,
    "on_ambiguous": _member_of(OnAmbiguous),
    "retired": _member_of(RetiredPolicy),
    "confirm_above": _money,
    "deadline": _seconds,
    "wait_for_key": _patience,
    "wait_for_budget": _patience,
    "user_agent": _header,
}
