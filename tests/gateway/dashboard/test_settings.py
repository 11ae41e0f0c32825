"""Settings and profiles: shown as they are, checked before they are used, and nothing secret among them."""

from __future__ import annotations

import aiohttp
import pytest

from gateway.dashboard.people import Person
from image_router import facts

PATH = "/dashboard/settings"
MINE = """\
extends = "default"
name = "mine"
version = "1"
description = "Everything on Pro."

[[rules]]
name = "all"
when = {}
tier = "nano_banana_pro"
reason = "because"
"""


async def _check(person: Person, policy: str):
    token = (await person.get(PATH)).token
    return await person.post(PATH, {"form_token": token, "policy": policy})


async def test_every_profile_can_be_read(ann: Person) -> None:
    """Each with its rules and its reasons."""
    page = await ann.get(PATH)
    for name, policy in facts.load_policies(None).items():
        assert f"{PATH}/profiles/{name}" in page.html
        profile = await ann.get(f"{PATH}/profiles/{name}")
        assert profile.status == 200
        for rule in policy.rules:
            assert rule.reason in profile.words


async def test_a_profile_that_is_not_there_is_told(ann: Person) -> None:
    """With those that are."""
    refused = await ann.get(f"{PATH}/profiles/nobody")
    assert refused.status == 404
    assert "default" in refused.words


async def test_a_policy_is_checked_and_not_kept(ann: Person) -> None:
    """What it is, and in what it differs from the one in use."""
    page = await _check(ann, MINE)
    assert "mine 1 is a policy" in page.words
    assert "differs from default in rules" in page.words
    assert "mine" not in (await ann.get(PATH)).words


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("= nothing", "is not TOML"),
        (MINE.replace("nano_banana_pro", "nano_apple"), "line 9"),
        (MINE.replace('"default"', '"nobody"'), "cannot be extended"),
        ('extends = "default"\nname = "<script>alert(1)</script>"\nversion = 2\n', "version"),
    ],
)
async def test_what_is_wrong_with_a_policy_is_told(ann: Person, policy: str, words: str) -> None:
    """With its line and reason, and the text is still there to be mended."""
    page = await _check(ann, policy)
    assert page.status == 200
    assert "This is no policy" in page.words
    assert words in page.words
    assert "<script>alert" not in page.html


@pytest.mark.parametrize("policy", ["", " \n", "x" * 200_001])
async def test_what_is_no_text_of_a_policy_is_refused(ann: Person, policy: str) -> None:
    """Nothing, and too much."""
    assert (await _check(ann, policy)).status == 400


async def test_nothing_secret_is_rendered(site_of) -> None:
    """Of a key, the pool's keys and a database's password only that they are set."""
    site = site_of(api_key="AIza-very-secret", user_agent="robot/1")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        person = Person(site.url, session)
        page = await person.get(PATH)
        findings = await person.get("/dashboard/operations/doctor")
    assert "set, not shown" in page.words
    assert "robot/1" in page.words
    for seen in (page, findings):
        assert "very-secret" not in seen.html
