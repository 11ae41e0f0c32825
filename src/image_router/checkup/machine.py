"""The doctor's look at this machine, the facts, and the provider's host."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from image_router import facts
from image_router.aio import ImageRouter
from image_router.checkup.finding import Finding, Health
from image_router.config import KEY_PAGE, ProviderName, Settings, unknown_variables
from image_router.core.catalog import Catalog
from image_router.core.errors import ConfigError, InvalidRequest
from image_router.core.rates import card_on
from image_router.core.types import Tier
from image_router.engine.pool import Pool
from image_router.providers.base import ModelsUnavailable, Provider
from image_router.wiring import GOOGLE, profile_of, today

STALE_DAYS: Final = 60
_CLOCK_SECONDS: Final = 120
"""A clock further off than this breaks TLS certificates and access tokens sooner or later."""
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_SOON_DAYS: Final = 30


def at_home(settings: Settings) -> Iterator[Finding]:
    """What this machine has: Python, variables, key, extras, places to write."""
    version = metadata.version("image-router")
    yield _ok("version", f"image-router {version}, Python {sys.version.split()[0]}")
    named = {key.variable for key in settings.projects}
    for name in sorted(set(unknown_variables(os.environ)) - named):
        yield _warning(
            "variable", f"{name} names no setting and is ignored", "misspelt? see image-router --help"
        )
    yield from _key(settings)
    yield from _extras(settings)
    yield _writable("home", settings.home, "set IMAGE_ROUTER_HOME to a folder you may write")
    yield _writable("folder", Path.cwd(), "pictures go to the current folder: name another with -o")


def facts_are(settings: Settings) -> Iterator[Finding]:
    """Whether catalog, prices and policies load, are fresh, and leave no tier without a model."""
    day = settings.as_of or today()
    try:
        catalog = facts.load_catalog(settings.home, settings.model_states)
        card = card_on(day, facts.load_cards(settings.home))
        policies = facts.load_policies(settings.home, settings.policy_file)
        name = profile_of(settings)
    except (ConfigError, InvalidRequest) as error:
        yield _error("facts", str(error), f"mend the file, or move it out of {settings.home}")
        return
    if name in policies:
        yield _ok("policy", policies[name].label)
    else:
        yield _error(
            "policy", f"profile {name!r} does not exist", f"choose one of {', '.join(sorted(policies))}"
        )
    yield _fresh("catalog", catalog.oldest_check())
    yield _fresh(f"prices {card.day}", card.checked)
    for tier in Tier:
        yield _tier(tier, catalog, day)


async def away(settings: Settings) -> list[Finding]:
    """Whether the host answers, takes the key, and agrees about the time."""
    if settings.api_key is None and not settings.vertex and not settings.projects:
        return [_warning("host", "not contacted: there is no key to show", "set a key first")]
    return [*await _hosts(settings), await _clock(settings)]


async def _hosts(settings: Settings) -> list[Finding]:
    """What the host says to each key."""
    where = settings.base_url or GOOGLE
    try:
        async with ImageRouter(settings) as router:
            provider = router.provider
            if not isinstance(provider, Pool):
                return [await _host(provider, where)]
            asked = (_host(member.provider, f"{where} ({member.name})") for member in provider.members)
            return [await one for one in asked]
    except ConfigError as error:
        return [_error("host", str(error), "mend the setting")]


async def _host(provider: Provider, where: str) -> Finding:
    try:
        listed = await provider.models()
    except ModelsUnavailable as error:
        status = error.error.http_status if error.error else 0
        if status in (400, 401, 403):
            advice = f"make or unlock a key: {KEY_PAGE}"
            return _error("host", f"{where} refuses the key ({status}): {error}", advice)
        return _error(
            "host", f"{where} does not answer as expected: {error}", "check network, proxy and base URL"
        )
    return _ok("host", f"{where} lists {len(listed)} models for this key")


async def _clock(settings: Settings) -> Finding:
    import aiohttp  # heavy; needed online only

    where = settings.base_url or GOOGLE
    try:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.head(where) as reply:
            stated = reply.headers.get("Date")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return _warning(
            "clock", f"not compared: {where} does not answer ({error})", "check network and proxy"
        )
    if not stated and urlsplit(where).hostname in _LOCAL:
        return _ok("clock", f"not compared: {where} is this machine and states no time")
    if not stated:
        return _warning("clock", f"not compared: {where} states no time", "check its proxy")
    try:
        off = abs((datetime.now(UTC) - parsedate_to_datetime(stated)).total_seconds())
    except (ValueError, TypeError):
        return _warning("clock", f"not compared: {where} states {stated!r}", "check network and proxy")
    if off > _CLOCK_SECONDS:
        return _error("clock", f"{off:.0f} s away from {where}", "set the clock: switch on NTP")
    return _ok("clock", f"within {_CLOCK_SECONDS} s of {where}")


def _key(settings: Settings) -> Iterator[Finding]:
    google, gemini = os.environ.get("GOOGLE_API_KEY"), os.environ.get("GEMINI_API_KEY")
    if settings.offline:
        yield _ok("key", "offline mode: none needed")
    elif settings.vertex:
        yield _ok("key", f"enterprise mode: project {settings.project}, location {settings.location}")
    elif settings.projects:
        return  # pool_check tells of each
    elif settings.api_key is None:
        advice = f"set GEMINI_API_KEY (keys: {KEY_PAGE}), or use --offline / IMAGE_ROUTER_OFFLINE=1"
        yield _error("key", "no API key is set", advice)
    else:
        yield _ok("key", f"from {settings.origins['api_key']}")
    if google and gemini and google != gemini:
        yield _warning("key", "GOOGLE_API_KEY and GEMINI_API_KEY differ; GOOGLE_API_KEY is used", "unset one")


def _extras(settings: Settings) -> Iterator[Finding]:
    needed = settings.provider is ProviderName.SDK
    try:
        yield _ok("google-genai", f"{metadata.version('google-genai')} installed (provider sdk)")
    except metadata.PackageNotFoundError:
        advice = "pip install 'image-router[sdk]'"
        if needed:
            yield _error("google-genai", "not installed, and provider sdk needs it", advice)
        else:
            yield _ok("google-genai", f"not installed; only provider sdk needs it ({advice})")


def _writable(name: str, folder: Path, advice: str) -> Finding:
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        # permissions do not tell: /proc and read-only mounts refuse even who may write
        with tempfile.TemporaryDirectory(prefix=".image-router-", dir=place):
            pass
    except OSError as error:
        where = "" if place == folder else f" in {place}"
        return _error(name, f"{folder} cannot be written{where}: {error.strerror}", advice)
    return _ok(name, f"{folder} can be {'written' if place == folder else 'made'}")


def _fresh(name: str, checked: date) -> Finding:
    age = (today() - checked).days
    if age > STALE_DAYS:
        advice = "update image-router, or add the day's facts to your home folder"
        return _warning(name, f"last checked {checked}, {age} days ago", advice)
    return _ok(name, f"checked {checked}, {max(age, 0)} days ago")


def _tier(tier: Tier, catalog: Catalog, day: date) -> Finding:
    entry = catalog.serving(tier, day)
    if entry is None:
        advice = "add its next model to <home>/catalog/*.toml"
        return _error(tier, f"no model is known to live on {day}", advice)
    end = min((d for d in (entry.until, catalog.models[entry.model].life.shutdown) if d), default=None)
    if end and (end - day).days <= _SOON_DAYS:
        heir = catalog.serving(tier, end)
        advice = f"on that day {heir.model} takes over by itself" if heir else "no successor is known yet"
        return _warning(tier, f"{entry.model}, until {end}", advice)
    return _ok(tier, entry.model + (f", until {end}" if end else ""))


def _ok(name: str, detail: str) -> Finding:
    return Finding(name=name, health=Health.OK, detail=detail)


def _warning(name: str, detail: str, advice: str) -> Finding:
    return Finding(name=name, health=Health.WARNING, detail=detail, advice=advice)


def _error(name: str, detail: str, advice: str) -> Finding:
    return Finding(name=name, health=Health.ERROR, detail=detail, advice=advice)
