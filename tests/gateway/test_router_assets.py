"""Kept pictures over HTTP: whose they are, how they are listed, handed out and removed."""

from __future__ import annotations

import hashlib
import io
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from PIL import Image

from gateway.talk import Talk, holder

ASSETS = "/router/v1/assets"


@pytest.fixture
def talk(site) -> Talk:
    return Talk(site.url)


async def _made(talk: Talk, prompt: str = "a fox", **fields: object) -> dict[str, object]:
    told = await talk("POST", "/router/v1/images", {"prompt": prompt, "response_format": "url", **fields})
    assert told.status == 200, told.body
    return told.json["images"][0]


async def test_pages_follow_each_other(talk) -> None:
    """Newest first; `next` is the `before` of the next page, null on the last."""
    made = [(await _made(talk, f"fox {count}"))["asset_id"] for count in range(3)]
    first = (await talk("GET", f"{ASSETS}?limit=2")).json
    second = (await talk("GET", f"{ASSETS}?limit=2&before={first['next']}")).json
    seen = [one["id"] for page in (first, second) for one in page["assets"]]
    assert seen == made[::-1]
    assert second["next"] is None


async def test_filters_hold_together(talk) -> None:
    """Tier, purpose, day and scope narrow the list."""
    await _made(talk, scope="acme/a")
    await _made(talk, scope="acme/b", purpose="draft")
    drafts = (await talk("GET", f"{ASSETS}?scope=acme&purpose=draft")).json["assets"]
    assert [one["scope"] for one in drafts] == ["acme/b"]
    assert (await talk("GET", f"{ASSETS}?to=2020-01-01")).json["assets"] == []


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("limit=0", 400),
        ("limit=x", 400),
        ("tier=gold", 400),
        ("colour=red", 400),
        ("from=yesterday", 400),
        ("scope=no//scope", 400),
        ("limit=1&limit=2", 400),
        ("before=req_0.0", 404),
    ],
)
async def test_odd_questions_are_refused(talk, asked, status) -> None:
    """With the field that is wrong."""
    assert (await talk("GET", f"{ASSETS}?{asked}")).status == status


async def test_the_bytes_are_the_bytes(talk) -> None:
    """Unchanged, typed by what they are, tagged by their digest; asked again they are not sent."""
    made = await _made(talk)
    told = await talk("GET", f"{ASSETS}/{made['asset_id']}/content")
    assert hashlib.sha256(told.body).hexdigest() == made["sha256"]
    assert told.headers["content-type"] == made["media_type"]
    assert told.headers["x-content-type-options"] == "nosniff"
    again = await talk("GET", f"{ASSETS}/{made['asset_id']}/content", if_none_match=told.headers["etag"])
    assert (again.status, again.body) == (304, b"")


async def test_a_thumbnail_is_small(talk) -> None:
    """WebP of at most 320 pixels."""
    made = await _made(talk)
    told = await talk("GET", f"{ASSETS}/{made['asset_id']}/thumbnail")
    assert told.headers["content-type"] == "image/webp"
    assert max(Image.open(io.BytesIO(told.body)).size) <= 320


async def test_a_link_opens_without_a_key_until_somebody_changes_it(locked) -> None:
    """Who has the address sees the picture; another picture, a longer life or no signature: nothing."""
    talk, stranger = await holder(locked), Talk(locked.url)
    made = await _made(talk)
    link = (await talk("POST", f"{ASSETS}/{made['asset_id']}/link")).json["url"]
    assert (await stranger("GET", link)).status == 200
    parts = urlsplit(link)
    query = dict(parse_qsl(parts.query))
    longer = urlencode({**query, "expires": int(query["expires"]) + 60})
    old = urlencode({**query, "expires": 1})
    for changed in (
        parts._replace(query=longer).geturl(),
        parts._replace(query=old).geturl(),
        parts._replace(path=parts.path.replace(".0/", ".1/")).geturl(),
        parts._replace(query=urlencode({"expires": query["expires"]})).geturl(),
    ):
        assert (await stranger("GET", changed)).status == 403
    assert (await stranger("GET", parts._replace(query="").geturl())).status == 401


async def test_what_is_not_mine_is_not_there(locked) -> None:
    """Another scope's picture is a 404 for every operation; the list leaves it out; an admin sees it."""
    mine, other = await holder(locked), await holder(locked, scope="other")
    admin = await holder(locked, scope="desk", admin=True)
    made = await _made(mine)
    for method, tail in (
        ("GET", ""),
        ("GET", "/content"),
        ("GET", "/thumbnail"),
        ("POST", "/link"),
        ("DELETE", ""),
    ):
        assert (await other(method, f"{ASSETS}/{made['asset_id']}{tail}")).status == 404
    assert (await other("GET", ASSETS)).json["assets"] == []
    assert (await other("GET", f"{ASSETS}?scope=acme")).status == 403
    assert [one["id"] for one in (await admin("GET", ASSETS)).json["assets"]] == [made["asset_id"]]


async def test_a_removed_picture_says_when_and_why(talk) -> None:
    """Its bytes are gone (410), what is known of it stays; removing it again changes nothing."""
    made = await _made(talk)
    gone = await talk("DELETE", f"{ASSETS}/{made['asset_id']}")
    assert (gone.status, gone.json["stored"]) == (200, False)
    assert "open gateway" in gone.json["removed"]
    assert (await talk("DELETE", f"{ASSETS}/{made['asset_id']}")).json == gone.json
    told = await talk("GET", f"{ASSETS}/{made['asset_id']}/content")
    assert told.status == 410
    assert "removed" in told.json["error"]["message"]
    assert (await talk("POST", f"{ASSETS}/{made['asset_id']}/link")).status == 410
