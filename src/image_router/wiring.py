"""From settings to a working router: the only file that names concrete classes."""

from __future__ import annotations

import atexit
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from image_router import facts
from image_router.config import LogFormat, LogLevel, ProviderName, Settings
from image_router.core.errors import ConfigError
from image_router.engine.deciding import Facts

# Each command imports what it needs: explaining must not pay for spending.
if TYPE_CHECKING:
    from google import genai

    from gemini_emulator import Emulator
    from image_router.core.catalog import Catalog
    from image_router.core.events import Sink
    from image_router.core.limits import TrafficRules
    from image_router.core.policy import Policy
    from image_router.core.rates import RateCard
    from image_router.engine.accounts import Accounts
    from image_router.engine.door import Door
    from image_router.engine.parts import Parts
    from image_router.engine.pool import Pool
    from image_router.engine.shelf import Shelf
    from image_router.providers.base import Provider
    from image_router.storage.assets import Assets
    from image_router.storage.database import Database
    from image_router.storage.lazy import LazyDatabase
    from image_router.telemetry import Announcer

GOOGLE = "https://generativelanguage.googleapis.com"
_OFFLINE_KEY = "offline"
_ANYWHERE = "global"
_EMULATOR = "http://127.0.0.1 (emulator)"
"""Its port is free until the first call starts it."""


def today() -> date:
    """Today in UTC: shutdowns and prices change by date, and the provider's days are not local ones."""
    return datetime.now(UTC).date()


def facts_of(settings: Settings) -> Facts:
    """Read all facts files; no network, no key, no database. Raises ConfigError."""
    return _facts(
        settings, facts.load_cards(settings.home), facts.load_policies(settings.home, settings.policy_file)
    )


def facts_for_one(settings: Settings) -> Facts:
    """What one decision of today needs: the catalog, the day's rate card and the profile's policy.

    Raises ConfigError for what is wrong with these; broken files that do not count today are for `doctor`.
    """
    cards = facts.load_cards(settings.home, serving=settings.as_of or today())
    name = profile_of(settings)
    return _facts(settings, cards, facts.load_policies(settings.home, settings.policy_file, only=name))


def _facts(settings: Settings, cards: tuple[RateCard, ...], policies: Mapping[str, Policy]) -> Facts:
    return Facts(
        catalog=facts.load_catalog(settings.home, settings.model_states),
        cards=cards,
        policies=policies,
        profile=profile_of(settings),
        as_of=settings.as_of,
        today=today,
        root=_root(settings),
        retired=settings.retired,
        deadline=settings.deadline,
        scope=settings.scope,
        compress=settings.compress,
        offline=settings.offline,
    )


def profile_of(settings: Settings) -> str:
    """A policy file of one's own is the profile; beside another profile it would count for nothing."""
    named, file = settings.profile, settings.policy_file
    if file is None:
        return named or "default"
    if named not in (None, file.stem):
        raise ConfigError(
            f"policy file {file} and profile {named!r} are both set, and only one can decide; leave one of "
            f"them out, or let the file extend the profile: extends = {named!r}"
        )
    return file.stem


def parts_of(settings: Settings, *, sinks: tuple[Sink, ...] | None = None) -> Parts:
    """The facts and the collaborators; no network, no key needed yet. Raises ConfigError."""
    known = facts_of(settings)
    announcer = announcer_of(settings, sinks)
    return parts_on(settings, known, doors=Doors(settings, announce=announcer, catalog=known.catalog))


def announcer_of(settings: Settings, sinks: tuple[Sink, ...] | None) -> Announcer:
    """Tells the sinks, or where none are given those that the settings name."""
    from image_router.telemetry import Announcer

    return Announcer(sinks_of(settings) if sinks is None else sinks)


def parts_on(settings: Settings, known: Facts, *, doors: Doors) -> Parts:
    """The facts, and collaborators behind the given doors."""
    from image_router.engine.hedging import HedgePolicy
    from image_router.engine.parts import Parts
    from image_router.storage.conversations import ConversationStore

    return Parts(
        **{field.name: getattr(known, field.name) for field in fields(known)},
        provider=provider_for(settings),
        conversations=ConversationStore(settings.home / "conversations"),
        on_ambiguous=settings.on_ambiguous,
        wait_for_budget=settings.wait_for_budget,
        wait_for_key=settings.wait_for_key,
        cache=settings.cache,
        single_flight=settings.single_flight,
        hedge=HedgePolicy(percentile=settings.hedge) if settings.hedge else None,
        accounts=doors.accounts,
        shelf=doors.shelf,
        door=doors.door,
        announce=doors.announce,
    )


def sinks_of(settings: Settings) -> tuple[Sink, ...]:
    """Where events go: the traces first, so that log lines know their ids; nothing leaves the host unless
    OTEL_* variables name where to."""
    from image_router.telemetry import LogSink
    from image_router.telemetry.exporting import otel_sink

    server = urlsplit(settings.base_url or GOOGLE).hostname
    traces = otel_sink(
        provider_name="gcp.vertex_ai" if settings.vertex else "gcp.gemini",
        server=None if settings.offline or settings.vertex else server,
    )
    log = LogSink(prompts=settings.log_prompts)
    return (traces, log) if traces else (log,)


def start_logging(settings: Settings, *, level: LogLevel = LogLevel.INFO) -> None:
    """Send the log of this process to stderr as the settings say; `level` counts where they say nothing.

    For the command line and the gateway. The secrets of the settings are struck out of every line.
    """
    from image_router.telemetry import formats

    keys = [settings.api_key, *(key.api_key for key in settings.projects), settings.database]
    chosen = settings.log_format
    formats.start_logging(
        as_json=None if chosen is LogFormat.AUTO else chosen is LogFormat.JSON,
        level=(settings.log_level or level).upper(),
        secrets=[key.reveal() for key in keys if key],
    )


def database_of(settings: Settings) -> str | Path:
    """Where the books are kept. Money of the emulator never mixes with real money."""
    if settings.offline:
        return settings.home / "offline.db"
    return settings.database.reveal() if settings.database else settings.home / "ledger.db"


def store_of(settings: Settings) -> str | Path:
    """Where pictures are kept: a folder, or a bucket's URL. The emulator's never mix with real ones."""
    if settings.offline:
        return settings.home / "offline-assets"
    return settings.assets or settings.home / "assets"


def assets_on(settings: Settings, db: Database) -> Assets:
    """The kept pictures of an open database. Raises ConfigError for an odd address."""
    from image_router.storage.assets import Assets
    from image_router.storage.blobs import Blobs
    from image_router.storage.stores import open_store
    from image_router.storage.storing_rules import StoringRule, StoringRules

    rules = StoringRules(db, default=StoringRule(store=settings.store))
    return Assets(db, Blobs(open_store(store_of(settings))), rules=rules)


class Doors:
    """What books, pictures and traffic of one router share: a database, opened when money is first needed."""

    def __init__(
        self, settings: Settings, *, announce: Announcer, catalog: Catalog, owner: str | None = None
    ) -> None:
        self._settings, self.announce, self._catalog, self._owner = settings, announce, catalog, owner

    @cached_property
    def database(self) -> LazyDatabase:
        from image_router.storage.lazy import LazyDatabase

        return LazyDatabase(database_of(self._settings))

    def accounts(self) -> Accounts:
        from image_router.engine.bookkeeping import LedgerAccounts

        owner = self._owner or f"{platform.node()}:{os.getpid()}"
        return LedgerAccounts(self.database, owner=owner, announce=self.announce)

    def shelf(self) -> Shelf:
        from image_router.engine.shelving import DurableShelf

        return DurableShelf(self.database, assets=partial(assets_on, self._settings), owner=self._owner)

    async def door(self, provider: Provider) -> Door:
        """The emulator's overloads must not shut real models, and its calls are not paced."""
        from image_router.engine.admission import TrafficParts
        from image_router.engine.traffic import Traffic
        from image_router.storage.traffic import DatabaseTraffic
        from image_router.storage.traffic_memory import MemoryTraffic

        settings = self._settings
        offline = settings.offline or not provider.real
        store = MemoryTraffic() if offline else DatabaseTraffic(await self.database.opened())
        return Traffic(
            TrafficParts(
                pool=pool_of(settings, provider),
                rules=traffic_rules_of(settings, paced=not offline),
                models=self._catalog.find,
                announce=self.announce,
                store=store,
            )
        )


def traffic_rules_of(settings: Settings, *, paced: bool = True) -> TrafficRules:
    """Limits by project, and what opens a circuit. Raises ConfigError for a broken file."""
    from image_router.engine.pool import UNSTATED

    tiers = {key.name or UNSTATED: key.usage_tier for key in settings.projects}
    stated = {project: tier for project, tier in tiers.items() if tier is not None}
    return facts.load_traffic(settings.home, tier=settings.usage_tier, tiers=stated, paced=paced)


def provider_for(settings: Settings) -> Callable[[], Provider]:
    """What makes the provider when it is first needed; in offline mode that is the emulator, nothing else."""
    if settings.offline:
        return lambda: _through(_offline(settings), real=False)
    if settings.projects:
        return lambda: _pooled(settings)
    return lambda: _through(settings, real=True)


def _pooled(settings: Settings) -> Pool:
    """A member for each key, under a name that does not give the key away."""
    from image_router.engine.pool import UNSTATED, Member, Pool, key_name

    # All keys first: a member that is made has connections, which nobody would close.
    keys = [(key.require_key(), key) for key in settings.projects]
    return Pool(
        [
            Member(
                name=key_name(secret.reveal()),
                provider=_through(replace(settings, api_key=secret), real=True),
                project=key.name or UNSTATED,
                weight=key.weight,
            )
            for secret, key in keys
        ]
    )


def pool_of(settings: Settings, provider: Provider) -> Pool:
    """The provider as a pool; one that is none is its only member."""
    from image_router.engine.pool import Member, Pool, key_name

    if isinstance(provider, Pool):
        return provider
    return Pool([Member(name=key_name(_signing_in(settings, provider)), provider=provider)])


def _signing_in(settings: Settings, provider: Provider) -> str:
    """What stands for the account: the enterprise endpoint's ills must not shut a key it never sees."""
    if settings.vertex and not settings.offline:
        return f"{provider.name}/{settings.project}"
    return settings.api_key.reveal() if settings.api_key and not settings.offline else provider.name


def _offline(settings: Settings) -> Settings:
    from image_router.config import Secret

    url = settings.emulator_url or offline_emulator(settings.as_of).url
    return replace(settings, base_url=url, api_key=Secret(_OFFLINE_KEY), vertex=False)


@lru_cache(maxsize=8)
def offline_emulator(as_of: date | None) -> Emulator:
    """The process's own emulator for a day, started once over real HTTP and stopped at exit."""
    from gemini_emulator import serve

    context = serve(as_of=as_of.isoformat() if as_of else None, latency=0.0)
    emulator = context.__enter__()
    atexit.register(context.__exit__, None, None, None)
    return emulator


def _through(settings: Settings, *, real: bool) -> Provider:
    if settings.provider is ProviderName.SDK:
        return _sdk(settings, real=real)
    return _rest(settings, real=real)


def _rest(settings: Settings, *, real: bool) -> Provider:
    from image_router.providers.rest import RestProvider

    return RestProvider(
        settings.require_key().reveal(),
        base_url=settings.base_url or GOOGLE,
        api_version=settings.api_version,
        user_agent=settings.user_agent,
        real=real,
    )


def _sdk(settings: Settings, *, real: bool) -> Provider:
    from image_router.providers.sdk import SdkProvider

    return SdkProvider(_client(settings), real=real, owned=True)


def _client(settings: Settings) -> genai.Client:
    try:
        from google import genai
        from google.auth.exceptions import GoogleAuthError
        from google.genai import types
    except ImportError as problem:
        raise ConfigError(
            f"provider sdk needs the google-genai package ({problem}): pip install 'image-router[sdk]', or "
            f"use provider rest"
        ) from None
    headers = {"User-Agent": settings.user_agent}
    options = types.HttpOptions(base_url=settings.base_url, headers=headers)
    if not settings.vertex:
        options.api_version = settings.api_version
        return genai.Client(api_key=settings.require_key().reveal(), http_options=options)
    if _is_express(settings):
        key = settings.require_key().reveal()
        return genai.Client(enterprise=True, api_key=key, http_options=options)
    try:
        return genai.Client(
            enterprise=True,
            project=settings.project,
            location=settings.location or _ANYWHERE,
            http_options=options,
        )
    except (GoogleAuthError, ValueError) as problem:
        raise ConfigError(
            f"the enterprise endpoint cannot be used: {problem}; set GOOGLE_CLOUD_PROJECT and "
            f"GOOGLE_CLOUD_LOCATION, and sign in with `gcloud auth application-default login`"
        ) from None


def _is_express(settings: Settings) -> bool:
    """The enterprise endpoint with an API key, which names its project by itself."""
    return settings.vertex and settings.project is None and settings.api_key is not None


def _root(settings: Settings) -> str:
    """Where models are found, as the endpoint of an explanation shows it."""
    if settings.offline:
        return f"{_EMULATOR}/{settings.api_version}"
    if not settings.vertex:
        return f"{settings.base_url or GOOGLE}/{settings.api_version}"
    place = settings.location or _ANYWHERE
    host = f"https://{'' if place == _ANYWHERE else f'{place}-'}aiplatform.googleapis.com"
    if _is_express(settings):
        return f"{settings.base_url or host}/v1beta1/publishers/google"
    project = settings.project or "PROJECT"
    return f"{settings.base_url or host}/v1beta1/projects/{project}/locations/{place}/publishers/google"
