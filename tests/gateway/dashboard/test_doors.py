"""Sessions, forms and headers of the dashboard."""

from __future__ import annotations

import re
import time

import pytest

from gateway.dashboard.people import Person, key_for
from image_router.books import open_books
from image_router.gateway.dashboard.doors import local_path
from image_router.gateway.sessions import LIFETIME, Session, Sessions

SESSIONS = Sessions(secret=b"s" * 32)
KNOWN = Session(key_id="abcdefgh", digest=b"d" * 32, expires=1_000)


def test_a_session_is_read_back() -> None:
    """The cookie holds key, digest and end."""
    assert SESSIONS.read(SESSIONS.cookie(KNOWN), now=999) == KNOWN


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "a.b.c.d",
        "x" * 10_000,
        SESSIONS.cookie(KNOWN)[:-1] + "ü",
        SESSIONS.cookie(KNOWN).replace("1000", "9999"),
    ],
)
def test_a_changed_cookie_is_no_session(cookie: str) -> None:
    """Whatever is not signed here is nobody's."""
    assert SESSIONS.read(cookie, now=0) is None


def test_a_session_ends() -> None:
    """At its last second it counts no more, and another gateway's never does."""
    assert SESSIONS.read(SESSIONS.cookie(KNOWN), now=1_000) is None
    assert Sessions(secret=b"o" * 32).read(SESSIONS.cookie(KNOWN), now=0) is None


def test_a_form_belongs_to_its_session() -> None:
    """The token of one session opens nothing for another, and a session is no token."""
    cookie = SESSIONS.cookie(KNOWN)
    assert SESSIONS.believes(SESSIONS.form_token(cookie), cookie=cookie)
    assert not SESSIONS.believes(SESSIONS.form_token(""), cookie=cookie)
    assert not SESSIONS.believes(cookie.rpartition(".")[2], cookie=cookie)


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("/dashboard/economics?images=100", "/dashboard/economics?images=100"),
        ("https://evil.example/", "/dashboard/router"),
        ("//evil.example/dashboard", "/dashboard/router"),
        ("/dashboard\\..\\evil", "/dashboard/router"),
        ("/dashboard\r\nset-cookie: a=b", "/dashboard/router"),
        ("", "/dashboard/router"),
    ],
)
def test_the_way_back_stays_on_the_host(asked: str, there: str) -> None:
    """A link to the sign-in page cannot send anybody elsewhere."""
    assert local_path(asked) == there


async def test_the_root_leads_to_the_dashboard(ann: Person) -> None:
    """Whoever types the address of the server sees the live router."""
    for path in ("/", "/dashboard"):
        reply = await ann.get(path)
        assert (reply.status, reply.headers["location"]) == (303, "/dashboard/router")


async def test_every_page_tells_the_browser_to_load_nothing_foreign(ann: Person) -> None:
    """The policy names this host alone, and no page carries anything inline."""
    for path in ("/dashboard/router", "/dashboard/economics", "/dashboard/nowhere"):
        reply = await ann.get(path)
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert reply.headers["cache-control"] == "private, no-store"
        assert " style=" not in reply.html
        assert "<script>" not in reply.html
        assert "http://" not in reply.html.replace("http://127.0.0.1 (emulator)", "").replace(ann.url, "")


async def test_a_page_and_all_it_loads_is_small(ann: Person) -> None:
    """Page, styles and scripts together stay below 60 kB."""
    page = await ann.get("/dashboard/router")
    left, sizes = set(re.findall(r"/dashboard/static/[\w.-]+", page.html)), {}
    while left:
        path = left.pop()
        file = await ann.get(path)
        assert (file.status, "immutable" in file.headers["cache-control"]) == (200, True)
        sizes[path] = len(file.html)
        named = {f"/dashboard/static/{name}" for name in re.findall(r'from "\./([\w.-]+)"', file.html)}
        left |= named - sizes.keys()
    assert len(sizes) == 5
    assert len(page.html) + sum(sizes.values()) < 60_000


async def test_a_page_that_is_not_there_says_so(ann: Person) -> None:
    """404 as a page, with the way on."""
    reply = await ann.get("/dashboard/nowhere")
    assert reply.status == 404
    assert "There is nothing here" in reply.words
    assert 'href="/dashboard/router"' in reply.html


async def test_what_no_page_answers_is_a_page_too(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong method, and a bug of ours: told in words, without a trace."""
    wrong = await ann.post("/dashboard/economics", {})
    assert (wrong.status, wrong.headers["content-type"].partition(";")[0]) == (405, "text/html")

    def broken(*anything: object) -> None:
        raise RuntimeError("a hidden detail")

    monkeypatch.setattr("image_router.gateway.dashboard.economics.dominated", broken)
    bug = await ann.get("/dashboard/economics")
    assert bug.status == 500
    assert "The gateway failed here" in bug.words
    assert "hidden detail" not in bug.html


async def test_nobody_sees_a_page_without_signing_in(bob: Person) -> None:
    """Pages lead to the form and remember where one wanted to go; parts of pages say it."""
    reply = await bob.get("/dashboard/economics?images=500")
    assert reply.status == 303
    assert reply.headers["location"] == "/dashboard/sign-in?next=%2Fdashboard%2Feconomics%3Fimages%3D500"
    part = await bob.get("/dashboard/router/answer", **{"x-part": "fragment"})
    assert part.status == 401
    assert "Your session has ended" in part.words


async def test_a_router_key_signs_in(locked, bob: Person) -> None:
    """The cookie is out of reach of scripts and other sites, short-lived, and not the key."""
    secret = await key_for(locked.home)
    reply = await bob.sign_in(secret, back="/dashboard/economics")
    assert (reply.status, reply.headers["location"]) == (303, "/dashboard/economics")
    cookie = reply.headers["set-cookie"]
    assert all(
        word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/dashboard", f"Max-Age={LIFETIME}")
    )
    assert secret not in cookie
    page = await bob.get("/dashboard/economics")
    assert page.status == 200
    assert "Sign out" in page.words


@pytest.mark.parametrize("secret", ["", "hello", "ir_abcdefgh_" + "x" * 51])
async def test_a_wrong_key_is_told_why(bob: Person, secret: str) -> None:
    """The form comes back with the reason, and nobody is signed in."""
    reply = await bob.sign_in(secret)
    assert reply.status == 401
    assert 'role="alert"' in reply.html
    assert "set-cookie" not in reply.headers
    assert not secret or secret not in reply.html


async def test_a_revoked_key_ends_its_sessions(locked, bob: Person) -> None:
    """Within a second, as everywhere."""
    secret = await key_for(locked.home)
    await bob.sign_in(secret)
    async with open_books(home=locked.home, offline=True) as books:
        await books.keys.revoke(secret[3:11], who="ann")
    end = time.monotonic() + 10
    while (await bob.get("/dashboard/router")).status == 200 and time.monotonic() < end:
        pass
    assert (await bob.get("/dashboard/router")).status == 303


async def test_the_cookie_opens_no_api(locked, bob: Person) -> None:
    """Another site's form can reach an API, but the browser's session means nothing there."""
    await bob.sign_in(await key_for(locked.home, admin=True))
    assert (await bob.get("/router/v1/catalog")).status == 401


async def test_a_key_in_a_header_opens_no_page(locked, bob: Person) -> None:
    """Pages know sessions alone."""
    secret = await key_for(locked.home)
    assert (await bob.get("/dashboard/router", authorization=f"Bearer {secret}")).status == 303


async def test_whoever_came_to_look_changes_nothing(locked, bob: Person) -> None:
    """Every page of the key is shown, no form of it does anything; the way out, colours and checks work."""
    secret = await key_for(locked.home, scope="ops", admin=True)
    page = await bob.get("/dashboard/sign-in")
    fields = {"form_token": page.token, "secret": secret, "next": "/dashboard/spend", "look": "on"}
    assert (await bob.post("/dashboard/sign-in", fields)).status == 303
    page = await bob.get("/dashboard/keys")
    assert page.status == 200
    assert "Read only" in page.words
    token = {"form_token": page.token}
    for path, more in (
        ("/dashboard/keys", {"name": "x", "scope": "acme"}),
        ("/dashboard/spend", {"budget_scope": "acme", "day": "5"}),
        ("/dashboard/router", {"prompt": "a fox"}),
        ("/dashboard/playground", {"prompt": "a fox"}),
        ("/dashboard/pictures/img_1/remove", {}),
    ):
        refused = await bob.post(path, {**token, **more})
        assert refused.status == 403, path
        assert "look only" in refused.words
    assert locked.emulator.bill().total == 0
    assert (await bob.post("/dashboard/settings", {**token, "policy": "x"})).status == 200
    assert (await bob.post("/dashboard/theme", {**token, "theme": "dark"})).status == 303
    assert (await bob.post("/dashboard/sign-out", token)).status == 303


async def test_signing_out_ends_it(locked, bob: Person) -> None:
    """Afterwards the form is all there is."""
    await bob.sign_in(await key_for(locked.home))
    page = await bob.get("/dashboard/router")
    await bob.post("/dashboard/sign-out", {"form_token": page.token})
    assert (await bob.get("/dashboard/router")).status == 303


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
async def test_a_form_of_another_site_does_nothing(
    locked, bob: Person, ann: Person, headers: dict[str, str]
) -> None:
    """Even with the right token, and where nobody needs a key."""
    await bob.sign_in(await key_for(locked.home))
    page = await bob.get("/dashboard/router")
    reply = await bob.post("/dashboard/router", {"form_token": page.token}, **headers)
    assert reply.status == 403
    assert "not believed" in reply.words
    page = await ann.get("/dashboard/router")
    assert (await ann.post("/dashboard/router", {"form_token": page.token}, **headers)).status == 403


async def test_a_form_without_its_token_does_nothing(site, ann: Person) -> None:
    """Nothing is made, nothing is spent."""
    for token in ("", "0" * 64):
        reply = await ann.post("/dashboard/router", {"form_token": token, "job": "hero"})
        assert reply.status == 403
    assert site.emulator.bill().total == 0


async def test_colours_are_remembered(ann: Person) -> None:
    """Without scripts: a form, a cookie, and the page comes back in that theme."""
    page = await ann.get("/dashboard/economics")
    assert 'data-theme="system"' in page.html
    fields = {"form_token": page.token, "theme": "dark", "next": "/dashboard/economics"}
    assert (await ann.post("/dashboard/theme", fields)).headers["location"] == "/dashboard/economics"
    assert 'data-theme="dark"' in (await ann.get("/dashboard/economics")).html
    fields["theme"] = '"><script>'
    await ann.post("/dashboard/theme", fields)
    assert 'data-theme="dark"' in (await ann.get("/dashboard/economics")).html
