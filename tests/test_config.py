"""Settings: where each value comes from, and what is refused."""

from __future__ import annotations

import os
from dataclasses import fields
from datetime import date
from pathlib import Path

import platformdirs
import pytest

from image_router.config import (
    VARIABLES,
    ProjectKey,
    ProviderName,
    Secret,
    Settings,
    load_settings,
    unknown_variables,
)
from image_router.config.parsers import PARSERS
from image_router.config.sources import usual_home
from image_router.core.catalog import ModelState
from image_router.core.errors import ConfigError, InvalidRequest
from image_router.core.types import OnAmbiguous


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def test_every_field_has_a_source_and_a_parser() -> None:
    """No setting can be forgotten in the table of variables or of parsers."""
    names = {each.name for each in fields(Settings)} - {"origins"}
    assert names == VARIABLES.keys() == PARSERS.keys()


def test_defaults_need_nothing(home: Path, here: Path) -> None:
    """Without variables and files only the home is known; a real call is refused with the two ways out."""
    settings = load_settings(environ={}, folder=here, home=home)
    assert settings == Settings(home=home)
    with pytest.raises(ConfigError, match=r"GEMINI_API_KEY.*IMAGE_ROUTER_OFFLINE=1"):
        settings.require_key()


def test_order_of_sources(home: Path, here: Path) -> None:
    """An argument beats a variable, a variable the file here, the file here the file in the home."""
    (home / "image-router.toml").write_text(
        'profile = "home"\nas_of = 2026-04-01\nuser_agent = "home"\ndeadline = 4'
    )
    (here / "image-router.toml").write_text('profile = "here"\nas_of = "2026-04-02"\nuser_agent = "here"')
    environ = {
        "IMAGE_ROUTER_HOME": str(home),
        "IMAGE_ROUTER_PROFILE": "variable",
        "IMAGE_ROUTER_AS_OF": "2026-04-03",
    }
    settings = load_settings(environ=environ, folder=here, profile="argument", as_of=None)
    assert settings.home == home
    assert settings.profile == "argument"
    assert settings.as_of == date(2026, 4, 3)
    assert settings.user_agent == "here"
    assert settings.deadline == 4
    assert settings.origins["as_of"] == "environment variable IMAGE_ROUTER_AS_OF"
    assert settings.origins["user_agent"].endswith("image-router.toml, key user_agent")


def test_keys_are_read_in_the_order_of_the_sdk(home: Path, here: Path) -> None:
    """GOOGLE_API_KEY wins over GEMINI_API_KEY, and an empty variable counts as not set."""
    both = {"GOOGLE_API_KEY": "google", "GEMINI_API_KEY": "gemini"}
    assert load_settings(environ=both, folder=here, home=home).require_key().reveal() == "google"
    empty = both | {"GOOGLE_API_KEY": ""}
    assert load_settings(environ=empty, folder=here, home=home).require_key().reveal() == "gemini"


def test_projects_are_read_from_tables(home: Path, here: Path) -> None:
    """Each table is a key of the pool, given or in a variable; the pool serves instead of a single key."""
    (here / "image-router.toml").write_text(
        '[[projects]]\nname = "shop"\napi_key_env = "SHOP_KEY"\nweight = 3\nusage_tier = 2\n'
        '[[projects]]\napi_key = "second"\n'
    )
    environ = {"SHOP_KEY": "first", "GEMINI_API_KEY": "aside"}
    settings = load_settings(environ=environ, folder=here, home=home)
    assert settings.projects == (
        ProjectKey(api_key=Secret("first"), variable="SHOP_KEY", name="shop", weight=3, usage_tier=2),
        ProjectKey(api_key=Secret("second")),
    )
    assert "first" not in repr(settings)
    assert load_settings(environ=environ, folder=here, home=home, api_key="mine").projects == ()
    with pytest.raises(InvalidRequest, match="both api_key and projects"):
        load_settings(environ={}, folder=here, home=home, api_key="a", projects="b, c")


def test_projects_in_one_variable(home: Path, here: Path) -> None:
    """Keys stand side by side in one variable, with the name of their project where it is known."""
    environ = {"IMAGE_ROUTER_API_KEYS": "shop=AIza-1, press=AIza-2 AIza-3"}
    found = load_settings(environ=environ, folder=here, home=home).projects
    assert [(key.name, key.require_key().reveal()) for key in found] == [
        ("shop", "AIza-1"),
        ("press", "AIza-2"),
        (None, "AIza-3"),
    ]


def test_a_key_that_is_not_set_is_missed_when_it_is_needed(home: Path, here: Path) -> None:
    """A project whose variable is empty stands in nobody's way until a real call needs its key."""
    (here / "image-router.toml").write_text('[[projects]]\nname = "shop"\napi_key_env = "SHOP_KEY"\n')
    settings = load_settings(environ={}, folder=here, home=home)
    with pytest.raises(ConfigError, match="project 'shop' takes its key from SHOP_KEY, which is not set"):
        settings.projects[0].require_key()


def test_a_secret_hides_itself(home: Path, here: Path) -> None:
    """A key never shows in a repr, a text or an error."""
    settings = load_settings(environ={"GEMINI_API_KEY": "s3cret"}, folder=here, home=home)
    assert "s3cret" not in f"{settings!r} {settings.api_key} {settings.api_key!r}"
    assert settings.api_key == Secret("s3cret")
    assert settings.api_key != Secret("other")


def test_enterprise_mode_speaks_through_the_sdk(home: Path, here: Path) -> None:
    """Google's enterprise variables choose provider sdk; the Gemini API's base URL does not leak into it."""
    environ = {
        "GOOGLE_GENAI_USE_VERTEXAI": "true",
        "GOOGLE_CLOUD_PROJECT": "shop",
        "GOOGLE_CLOUD_LOCATION": "global",
        "GOOGLE_GEMINI_BASE_URL": "http://one",
    }
    settings = load_settings(environ=environ, folder=here, home=home)
    assert (settings.vertex, settings.provider, settings.base_url) == (True, ProviderName.SDK, None)
    assert (settings.project, settings.location) == ("shop", "global")
    own = load_settings(environ=environ | {"GOOGLE_VERTEX_BASE_URL": "http://two/"}, folder=here, home=home)
    assert own.base_url == "http://two"
    with pytest.raises(ConfigError, match=r"VERTEXAI.*provider rest"):
        load_settings(environ=environ, folder=here, home=home, provider="rest")
    off = load_settings(environ=environ | {"GOOGLE_GENAI_USE_ENTERPRISE": "false"}, folder=here, home=home)
    assert (off.vertex, off.provider, off.base_url) == (False, ProviderName.REST, "http://one")


def test_tables_and_enums(home: Path, here: Path) -> None:
    """Model states, policies about money and the SDK's short version name are read to their values."""
    (here / "image-router.toml").write_text(
        'on_ambiguous = "never"\nconfirm_above = "2.50"\napi_version = "beta"\noffline = true\n'
        'policy_file = "mine.toml"\n[model_states]\n"gemini-2.5-flash-image" = "alive"\n'
    )
    settings = load_settings(environ={}, folder=here, home=home)
    assert settings.model_states == {"gemini-2.5-flash-image": ModelState.ALIVE}
    assert settings.on_ambiguous is OnAmbiguous.NEVER
    assert settings.confirm_above == 2_500_000_000
    assert settings.api_version == "v1beta"
    assert settings.offline
    assert settings.policy_file == Path("mine.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "unknown key colour"),
        ("as_of = 'soon'", "key as_of: 'soon' is not a date"),
        ("offline = 'perhaps'", "neither yes nor no"),
        ("provider = 'soap'", "'soap' is none of rest, sdk"),
        ("confirm_above = 0.5", 'no exact amount; write it in quotes, "0.50"'),
        ('user_agent = "a\\nb"', "cannot stand in an HTTP header"),
        ("confirm_above = '-1'", "must be between"),
        ("deadline = 0", "is not above 0"),
        ("deadline = nan", "is not above 0"),
        ("deadline = 'long'", "not a number of seconds"),
        ("wait_for_budget = -1", "is not 0 or more"),
        ("wait_for_budget = inf", "is not 0 or more"),
        ("base_url = 'ftp://x'", "not an http or https address"),
        ("profile = ''", "is not a text"),
        ("profile = 3", "is not a text"),
        ("model_states = 'alive'", "is a table"),
        ("projects = 3", "key projects: the projects are no list of tables"),
        ("[[projects]]\nname = 'shop'", "project 'shop' has no key; give api_key_env"),
        ("[[projects]]\napi_key = 'a'\napi_key_env = 'B'", "project number 1 has both api_key and"),
        ("[[projects]]\napi_key = 3", "project number 1: api_key is empty or no text"),
        ("[[projects]]\napi_key = 'a'\nwieght = 2", "unknown key wieght; known are api_key, api_key_env"),
        ("[[projects]]\napi_key = 'a'\nweight = 0", "weight is 0; give a whole number from 1 up"),
        ("[[projects]]\napi_key = 'a'\nusage_tier = 4", "usage_tier is 4; give a whole number from 1 to 3"),
        ("[[projects]]\napi_key = 's'\n[[projects]]\napi_key = 's'", "projects 1 and 2 have the same key"),
        (
            "projects = [{name = 'x', api_key = 'a'}, {name = 'x', api_key = 'b', usage_tier = 1}]",
            "the keys of project 'x' state two usage tiers",
        ),
        (
            "projects = [{api_key = 'a'}, {api_key = 'b', usage_tier = 1}]",
            "the keys without a project, one together, state two usage tiers",
        ),
        ("vertex = true\nprojects = [{api_key = 'a'}]", "names API keys, and .* enterprise"),
        ("hedge = 100", "100 is no percentile to hedge after; write 50 to 99"),
        ("hedge = true", "True is no percentile"),
        ("[model_states]\nx = 'poorly'", "model x is 'poorly'"),
        ("as_of =", "is not valid TOML"),
    ],
)
def test_a_broken_file_is_refused(home: Path, here: Path, text: str, said: str) -> None:
    """A bad value names its file, its key and what would do."""
    (here / "image-router.toml").write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        load_settings(environ={}, folder=here, home=home)
    assert str(here / "image-router.toml") in str(caught.value)


def test_a_bad_variable_or_argument_names_itself(home: Path, here: Path) -> None:
    """The error says which variable or argument is wrong."""
    with pytest.raises(
        ConfigError, match=r"environment variable IMAGE_ROUTER_AS_OF: '2026-13-01' is not a date"
    ):
        load_settings(environ={"IMAGE_ROUTER_AS_OF": "2026-13-01"}, folder=here, home=home)
    with pytest.raises(ConfigError, match="unknown setting colour"):
        load_settings(environ={}, folder=here, home=home, colour="red")


def test_an_unreadable_file_is_refused(home: Path, here: Path) -> None:
    """A settings file that is no text is refused, not skipped."""
    (here / "image-router.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(environ={}, folder=here, home=home)


def test_misspelt_variables_are_found() -> None:
    """A variable with our prefix that names no setting is listed."""
    assert unknown_variables({"IMAGE_ROUTER_OFLINE": "1", "IMAGE_ROUTER_HOME": "x", "PATH": "y"}) == [
        "IMAGE_ROUTER_OFLINE"
    ]


@pytest.mark.parametrize("xdg", [None, "", "/data", "relative/data"])
def test_the_usual_home_is_the_platforms_own(monkeypatch: pytest.MonkeyPatch, xdg: str | None) -> None:
    """Wherever platformdirs would put it."""
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    if xdg is not None:
        monkeypatch.setenv("XDG_DATA_HOME", xdg)
    assert usual_home(os.environ) == Path(platformdirs.user_data_dir("image-router"))
