"""The settings as values: frozen, and with a text that hides itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

from image_router._version import __version__
from image_router.config.limits import Limits
from image_router.core.brevity import Compress
from image_router.core.catalog import ModelState
from image_router.core.errors import ConfigError
from image_router.core.money import USD, Nanos
from image_router.core.storing import CacheMode, StoreMode
from image_router.core.types import OnAmbiguous, RetiredPolicy

KEY_PAGE: Final = "https://aistudio.google.com/apikey"


class ProviderName(StrEnum):
    """How images are asked for: direct HTTP, or through google.genai.Client."""

    REST = "rest"
    SDK = "sdk"


class LogFormat(StrEnum):
    """How the log of the command line and the gateway looks."""

    AUTO = "auto"
    """Words at a terminal, JSON elsewhere."""
    JSON = "json"
    HUMAN = "human"


class LogLevel(StrEnum):
    """From where on lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


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
class ProjectKey:
    """One key of the pool and the project it belongs to. Limits belong to projects, not to keys."""

    api_key: Secret | None = None
    variable: str | None = None
    """The environment variable that holds the key."""
    name: str | None = None
    """None: not stated. All such keys count as one project, since they may be."""
    weight: int = 1
    """Its share of the traffic; a project's share is that of its heaviest key."""
    usage_tier: int | None = None
    """None: as the setting usage_tier says."""

    def require_key(self) -> Secret:
        """The key, at the moment a real call needs it. Raises ConfigError."""
        if self.api_key is None:
            called = f"project {self.name!r}" if self.name else "a project"
            raise ConfigError(
                f"{called} takes its key from {self.variable}, which is not set; set it, or take the project "
                f"out of the settings"
            )
        return self.api_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the operator decides. `load_settings()` makes it; each field's sources are in VARIABLES."""

    home: Path
    """Own catalogs, rate cards and policies, and all that is stored."""
    api_key: Secret | None = None
    projects: tuple[ProjectKey, ...] = ()
    """Several keys as a pool; they serve instead of `api_key`, unless that was given as an argument."""
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
    emulator_url: str | None = None
    """A running emulator for offline mode; None: one of the process's own."""
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
    compress: Compress | None = None
    """Whether long prompts are shortened before they are sent; None: as the policy says."""
    usage_tier: int | None = None
    """The usage tier at Google (1 to 3) of projects that state none: calls are paced below its published
    limits. None: they are not paced, and left alone only while a refusal asks to wait."""
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
    single_flight: bool = False
    """Identical requests without a key, at the same time in one router, are made and paid for once."""
    hedge: int | None = None
    """Percentile (50 to 99): a call slower than so many of a hundred before it gets a rival on another
    model, and both may be paid. None: never. Latencies are learned by each process for itself."""
    wait_for_key: float = 120.0
    """Seconds a request waits for another one that is at the same key."""
    wait_for_budget: float = 0.0
    """Seconds a request waits for money that others hold, before it is refused."""
    log_format: LogFormat = LogFormat.AUTO
    log_level: LogLevel | None = None
    """None: info for the gateway, and the command line leaves logging alone."""
    webhooks_private: bool = False
    """The gateway's webhooks may go to private addresses, and over http."""
    log_prompts: bool = False
    """Prompts stand in the log. Keys and pictures never do."""
    user_agent: str = f"image-router/{__version__}"
    """Sent with every call to the provider; google-genai adds its own name behind it."""
    limits: Limits = field(default_factory=Limits)
    """What the gateway takes from a stranger; docs/gateway.md lists them."""
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Field → where its value came from; fields left at their default are absent."""

    def require_key(self) -> Secret:
        """The API key, at the moment a real call needs it. Raises ConfigError with the ways out."""
        if self.api_key is None:
            raise ConfigError(
                "no API key is set and offline mode is off; either set GEMINI_API_KEY or GOOGLE_API_KEY "
                f"(keys: {KEY_PAGE}), or use --offline / IMAGE_ROUTER_OFFLINE=1 to draw with the emulator"
            )
        return self.api_key
