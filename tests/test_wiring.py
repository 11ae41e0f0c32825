"""From settings to a working router, end to end against the emulator over real HTTP."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from image_router import facts
from image_router.aio import ImageRouter
from image_router.config import ProjectKey, ProviderName, Secret, Settings
from image_router.core.catalog import ModelState
from image_router.core.errors import ConfigError, InvalidCredentials, InvalidRequest
from image_router.core.money import usd_text
from image_router.core.types import OnAmbiguous, Tier
from image_router.engine.deciding import Decider
from image_router.engine.pool import Pool, key_name
from image_router.providers.rest import RestProvider
from image_router.providers.sdk import SdkProvider
from image_router.testing import ScriptedProvider, emulated
from image_router.wiring import (
    GOOGLE,
    facts_for_one,
    facts_of,
    offline_emulator,
    parts_of,
    pool_of,
    provider_for,
    today,
)

# The SDK's own class, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

ARTICLE = date(2026, 4, 9)
LATE = date(2026, 11, 22)
KEY = "AIza-very-secret-key"


def settings(home: Path, **fields: Any) -> Settings:
    return Settings(home=home, **fields)


def test_parts_come_from_settings(tmp_path: Path) -> None:
    """Each setting reaches the part it is for, also when no file or variable stands behind it."""
    parts = parts_of(
        settings(
            tmp_path, as_of=ARTICLE, on_ambiguous=OnAmbiguous.ASK, deadline=9.0, profile="print_desk",
            base_url="https://proxy.example/x", api_version="v1", model_states={"m": ModelState.ALIVE},
        )
    )  # fmt: skip
    assert (parts.as_of, parts.on_ambiguous, parts.deadline) == (ARTICLE, OnAmbiguous.ASK, 9.0)
    assert (parts.profile, parts.root) == ("print_desk", "https://proxy.example/x/v1")
    assert parts.catalog.overrides == {"m": ModelState.ALIVE}
    bare = parts_of(settings(tmp_path))
    assert (bare.on_ambiguous, bare.profile, bare.root) == (None, "default", f"{GOOGLE}/v1beta")


def test_a_policy_file_is_the_profile(tmp_path: Path) -> None:
    """A policy file of one's own is the profile; naming another beside it is refused with the ways out."""
    file = tmp_path / "mine.toml"
    file.write_text('extends = "default"\nname = "mine"\nversion = "1"\ndescription = "d"\n')
    assert parts_of(settings(tmp_path, policy_file=file)).profile == "mine"
    assert parts_of(settings(tmp_path, policy_file=file, profile="mine")).profile == "mine"
    words = r"mine\.toml and profile 'ecommerce' are both set.*leave one of them out, or .* extends = 'ecomm"
    with pytest.raises(ConfigError, match=words):
        parts_of(settings(tmp_path, policy_file=file, profile="ecommerce"))


@pytest.mark.parametrize(
    "fields",
    [{}, {"base_url": "https://proxy.example/x"}, {"provider": ProviderName.SDK}, {"vertex": True}],
)
async def test_the_offline_endpoint(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Offline the endpoint explained is the emulator, whatever else is set; explaining starts none."""
    offline_emulator.cache_clear()
    async with ImageRouter(settings(tmp_path, offline=True, **fields)) as router:
        shown = await router.explain("a fox")
    assert shown.endpoint.startswith("POST http://127.0.0.1 (emulator)/v1beta/models/gemini-")
    assert offline_emulator.cache_info().currsize == 0


@pytest.mark.parametrize("name", list(ProviderName))
async def test_the_user_agent_is_sent(tmp_path: Path, name: ProviderName) -> None:
    """The user agent that the operator chose stands in the header of each call, over HTTP and the SDK."""
    heard: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append(request.headers["User-Agent"])
        return web.json_response({"models": []})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        known = settings(
            tmp_path, provider=name, api_key=Secret(KEY), base_url=str(server.make_url("/")).rstrip("/"),
            user_agent="picture-desk/7",
        )  # fmt: skip
        provider = provider_for(known)()
        assert await provider.models() == ()
        await provider.aclose()
    assert [agent.count("picture-desk/7") for agent in heard] == [1]


@pytest.mark.parametrize(
    ("fields", "root"),
    [
        ({}, "https://aiplatform.googleapis.com/v1beta1/projects/p/locations/global"),
        (
            {"location": "us-central1"},
            "https://us-central1-aiplatform.googleapis.com/v1beta1/projects/p/locations/us-central1",
        ),
        ({"base_url": "https://proxy.example"}, "https://proxy.example/v1beta1/projects/p/locations/global"),
    ],
)
async def test_the_enterprise_endpoint(tmp_path: Path, fields: dict[str, Any], root: str) -> None:
    """In enterprise mode the endpoint explained is the one that the SDK's client will call."""
    known = settings(tmp_path, vertex=True, project="p", provider=ProviderName.SDK, **fields)
    async with ImageRouter(known) as router:
        shown = await router.explain("a fox")
        transport = router.provider._client._api_client
    assert shown.endpoint.startswith(f"POST {root}/publishers/google/models/gemini-")
    host = transport._http_options.base_url.rstrip("/")
    path = f"projects/{transport.project}/locations/{transport.location}"
    assert f"{host}/{transport._http_options.api_version}/{path}" == root


async def test_the_enterprise_endpoint_takes_an_api_key(tmp_path: Path) -> None:
    """Without a project the key names it: the path has none, in the explanation as on the wire."""
    with emulated() as emulator:
        known = settings(
            tmp_path, vertex=True, provider=ProviderName.SDK, api_key=Secret("key-1"), base_url=emulator.url
        )
        async with ImageRouter(known) as router:
            shown = await router.explain("a fox")
            await router.generate("a fox")
        sent = emulator.requests()[-1]["path"]
        assert shown.endpoint == f"POST {emulator.url}{sent}"
    assert sent.startswith("/v1beta1/publishers/google/models/gemini-")


def test_the_enterprise_endpoint_leaves_keys_alone(tmp_path: Path) -> None:
    """What ails a project's sign-in is kept apart from the API key that another mode uses."""
    keyed = settings(tmp_path, api_key=Secret(KEY))
    modes = (keyed, replace(keyed, vertex=True, project="p"), replace(keyed, vertex=True, project="q"))
    names = [pool_of(mode, ScriptedProvider()).members[0].name for mode in modes]
    assert len(set(names)) == 3
    assert names[0] == key_name(KEY)


def test_no_enterprise_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a project and credentials the enterprise endpoint is refused with the ways out."""
    for name in (
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_APPLICATION_CREDENTIALS",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(ConfigError, match=r"enterprise endpoint cannot be used.*GOOGLE_CLOUD_PROJECT"):
        provider_for(settings(tmp_path, vertex=True, provider=ProviderName.SDK))()


def test_no_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where google-genai is not installed, provider sdk is refused with what to install."""
    monkeypatch.setitem(sys.modules, "google.genai", None)
    with pytest.raises(ConfigError, match=r"pip install 'image-router\[sdk\]', or use provider rest"):
        provider_for(settings(tmp_path, provider=ProviderName.SDK, api_key=Secret(KEY)))()


async def test_an_unknown_profile(tmp_path: Path) -> None:
    """A profile that no file defines is refused with those there are."""
    async with ImageRouter(settings(tmp_path, profile="nobody", offline=True)) as router:
        with pytest.raises(InvalidRequest, match="profile 'nobody' is not one of character_product"):
            await router.decide("a fox")


def test_broken_facts_are_refused_at_the_door(tmp_path: Path) -> None:
    """A broken file of the home folder is refused when the router is built, with its path and line."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "mine.toml").write_text('extends = "default"\nname = 3\n')
    with pytest.raises(ConfigError, match=r"mine\.toml, line 2: name: must be text"):
        ImageRouter(settings(tmp_path))


@pytest.mark.parametrize("day", ["2026-11-22", "2026-12-24"])
async def test_one_decision_is_that_of_the_router(tmp_path: Path, day: str) -> None:
    """What explain reads for one decision decides as all the facts do."""
    chosen = settings(tmp_path, as_of=date.fromisoformat(day), profile="print_desk")
    alone, whole = Decider(facts_for_one(chosen)), Decider(facts_of(chosen))
    assert await alone.decide("a fox", purpose="hero") == await whole.decide("a fox", purpose="hero")


def test_one_decision_passes_by_what_does_not_count(tmp_path: Path) -> None:
    """A broken file of another profile or another day stops no decision; one that counts does."""
    for name in ("policies/other.toml", "rate_cards/2026-12-01.toml"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("= 3\n")
    facts_for_one(settings(tmp_path, as_of=LATE))
    with pytest.raises(ConfigError, match=r"2026-12-01\.toml is not TOML"):
        facts_for_one(settings(tmp_path, as_of=date(2026, 12, 24)))
    with pytest.raises(ConfigError, match=r"other\.toml is not TOML"):
        facts_for_one(settings(tmp_path, as_of=LATE, profile="other"))


def test_no_key_refuses_only_spending(tmp_path: Path) -> None:
    """Without a key the parts are there; the provider alone asks for it, with the two ways out."""
    provider = provider_for(settings(tmp_path))
    with pytest.raises(ConfigError, match=r"set GEMINI_API_KEY .* or use --offline"):
        provider()


@pytest.mark.parametrize(("kind", "made"), [("rest", RestProvider), ("sdk", SdkProvider)])
async def test_providers_by_name(tmp_path: Path, kind: str, made: type) -> None:
    """The setting chooses the provider; one with a key is real, the emulator's is not."""
    real = provider_for(settings(tmp_path, provider=ProviderName(kind), api_key=Secret(KEY)))()
    pretended = settings(tmp_path, provider=ProviderName(kind), offline=True, as_of=ARTICLE)
    offline = provider_for(pretended)()
    assert isinstance(real, made)
    assert isinstance(offline, made)
    assert (real.real, offline.real) == (True, False)
    await real.aclose()
    await offline.aclose()


@pytest.mark.parametrize(("kind", "made"), [("rest", RestProvider), ("sdk", SdkProvider)])
async def test_several_projects_are_a_pool(tmp_path: Path, kind: str, made: type) -> None:
    """Each key has a provider of the chosen kind; offline the emulator alone serves; a key that is not set is
    told before any connection is made."""
    keys = (ProjectKey(api_key=Secret("one"), name="shop", weight=2), ProjectKey(api_key=Secret("two")))
    known = settings(tmp_path, provider=ProviderName(kind), projects=keys)
    pool = provider_for(known)()
    assert isinstance(pool, Pool)
    assert [(m.project, m.weight, type(m.provider)) for m in pool.members] == [
        ("shop", 2, made),
        ("unstated", 1, made),
    ]
    assert pool.real
    await pool.aclose()
    offline = provider_for(replace(known, offline=True))()
    assert isinstance(offline, made)
    await offline.aclose()
    with pytest.raises(ConfigError, match="takes its key from PRESS_KEY, which is not set"):
        provider_for(replace(known, projects=(*keys, ProjectKey(variable="PRESS_KEY"))))()


@pytest.mark.parametrize("provider", ProviderName)
@pytest.mark.parametrize("day", [ARTICLE, LATE])
async def test_every_tier_end_to_end(tmp_path: Path, provider: ProviderName, day: date) -> None:
    """Through either provider each tier draws a picture on the day, at the emulator's own bill."""
    emulator = offline_emulator(day)
    before = emulator.bill().total
    spent = 0
    async with ImageRouter(settings(tmp_path, offline=True, as_of=day, provider=provider)) as router:
        for tier in Tier:
            result = await router.generate(f"a fox for {tier}", tier=tier)
            assert result.image.tier is tier
            assert result.image.pixels.width >= 1024
            spent += result.cost
    assert usd_text(spent) == usd_text(emulator.bill().total - before)


async def test_the_emulator_is_one_for_a_day(tmp_path: Path) -> None:
    """The process has one emulator for each day, started once."""
    assert offline_emulator(ARTICLE) is offline_emulator(ARTICLE)
    assert offline_emulator(ARTICLE).today() == ARTICLE
    async with ImageRouter(settings(tmp_path, offline=True, as_of=ARTICLE)) as router:
        assert offline_emulator(ARTICLE).url in repr(router.provider)


async def test_offline_fetches_no_reference(tmp_path: Path) -> None:
    """Offline mode contacts no other host, not even for a reference."""
    async with ImageRouter(settings(tmp_path, offline=True, as_of=ARTICLE)) as router:
        with pytest.raises(InvalidRequest, match="is not fetched offline"):
            await router.generate("a fox", references="https://example.com/fox.png")


async def test_a_provider_of_ones_own(tmp_path: Path) -> None:
    """A provider handed in is the one that is used, and closed with the router."""
    provider = ScriptedProvider()
    async with ImageRouter(settings(tmp_path), via=provider) as router:
        await router.generate("a fox")
    assert len(provider.calls) == 1
    assert provider.closed


async def test_the_key_stays_hidden(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither settings, parts, provider, log nor an error of a provider that quotes it shows the key."""
    caplog.set_level(logging.DEBUG)
    with emulated(bad_keys=frozenset({KEY})) as emulator:
        known = settings(tmp_path, api_key=Secret(KEY), base_url=emulator.url)
        async with ImageRouter(known) as router:
            with pytest.raises(InvalidCredentials) as caught:
                await router.generate("a fox")
            shown = [repr(known), str(known), repr(router.provider), repr(parts_of(known)), str(caught.value)]
            shown += [repr(caught.value), repr(caught.value.attempts), caplog.text]
    assert not [text for text in shown if KEY in text]


def test_today_is_a_day_of_the_world() -> None:
    """Today is a day in UTC, on or after which the shipped facts have prices."""
    assert today() >= facts.load_cards(None)[0].day
