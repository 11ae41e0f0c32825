"""From what a file, a variable or a caller says to the value of a setting. Parsers raise ValueError."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from image_router.config.limits import limits
from image_router.config.projects import projects
from image_router.config.values import LogFormat, LogLevel, ProviderName, Secret
from image_router.core.brevity import Compress
from image_router.core.catalog import ModelState
from image_router.core.errors import InvalidRequest
from image_router.core.money import Nanos, parse_usd, show_usd
from image_router.core.scopes import scope_path
from image_router.core.storing import CacheMode, StoreMode
from image_router.core.types import OnAmbiguous, RetiredPolicy

_E = TypeVar("_E", bound=StrEnum)


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError(f"{raw!r} is not a text")
    return raw.strip()


def _usage_tier(raw: Any) -> int:
    if str(raw) not in ("1", "2", "3"):
        raise ValueError(f"{raw!r} is not a usage tier; choose 1, 2 or 3")
    return int(raw)


def _percentile(raw: Any) -> int | None:
    if str(raw).lower() in ("off", "no", "false", "0"):
        return None
    if isinstance(raw, bool) or not re.fullmatch(r"[5-9]\d", str(raw)):
        raise ValueError(f"{raw!r} is no percentile to hedge after; write 50 to 99, such as 95, or off")
    return int(raw)


def _scope(raw: Any) -> str:
    scope_path(_text(raw))
    return _text(raw)


def _path(raw: Any) -> Path:
    return Path(raw).expanduser() if isinstance(raw, Path) else Path(_text(raw)).expanduser()


def _secret(raw: Any) -> Secret:
    return raw if isinstance(raw, Secret) else Secret(_text(raw))


def url(raw: Any) -> str:
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
            raise ValueError(f"{raw!r} is none of {listed(kind)}") from None

    return parse


def _model_states(raw: Any) -> Mapping[str, ModelState]:
    settled = (ModelState.ALIVE, ModelState.RETIRED)
    if not isinstance(raw, Mapping):
        raise InvalidRequest("model_states is a table of model id = 'alive' or 'retired'")
    for model, state in raw.items():
        if state not in settled:
            raise ValueError(f"model {model} is {state!r}; write 'alive' or 'retired'")
    return MappingProxyType({model: ModelState(state) for model, state in raw.items()})


def listed(names: Any) -> str:
    return ", ".join(sorted(names))


PARSERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "home": _path,
    "api_key": _secret,
    "projects": projects,
    "base_url": url,
    "api_version": _version,
    "provider": _member_of(ProviderName),
    "vertex": _flag,
    "project": _text,
    "location": _text,
    "offline": _flag,
    "emulator_url": url,
    "as_of": _date,
    "scope": _scope,
    "database": _secret,
    "store": _member_of(StoreMode),
    "assets": _text,
    "cache": _member_of(CacheMode),
    "compress": Compress.parse,
    "usage_tier": _usage_tier,
    "profile": _text,
    "policy_file": _path,
    "model_states": _model_states,
    "on_ambiguous": _member_of(OnAmbiguous),
    "retired": _member_of(RetiredPolicy),
    "confirm_above": _money,
    "deadline": _seconds,
    "single_flight": _flag,
    "hedge": _percentile,
    "wait_for_key": _patience,
    "wait_for_budget": _patience,
    "log_format": _member_of(LogFormat),
    "log_level": _member_of(LogLevel),
    "webhooks_private": _flag,
    "log_prompts": _flag,
    "user_agent": _header,
    "limits": limits,
}
