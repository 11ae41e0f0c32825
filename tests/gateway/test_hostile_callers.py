"""Who may ask at all, and what no answer, header or log ever says."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway import raw
from image_router.books import open_books
from image_router.core.router_keys import KeyRules
from image_router.storage.router_keys import RouterKeys
from pictures import picture

IMAGES, EDITS = "/v1/images/generations", "/v1/images/edits"
PROVIDER_KEY = "AIzaSy-canary-provider-key-0123456789"


def spent(site) -> int:
    return len(site.emulator.bill().entries)


@pytest.mark.parametrize(
    "headers",
    [
        ["origin: https://evil.example"],
        ["origin: null"],
        ["origin: http://127.0.0.1:1"],
        ["sec-fetch-site: cross-site"],
        ["sec-fetch-site: same-site"],
    ],
)
def test_pages_of_others_cannot_use_open_mode(site, headers) -> None:
    """A page in a browser on this machine reaches the port; it gets 403, and nothing is spent."""
    body = json.dumps({"prompt": "a fox"}).encode()
    status, _, answer = raw.asked(site.url, raw.post(IMAGES, body, *headers))
    assert (status, raw.error(answer)["code"]) == (403, "foreign_origin")
    assert spent(site) == 0


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "a b", "[::1"])
def test_names_that_were_made_to_stand_for_this_machine(site, host) -> None:
    """The browser of a rebinding page sends that page's name: 403, or 400 where it is no name at all."""
    assert raw.asked(site.url, raw.head("GET /v1/models", host=host))[0] in (400, 403)


def test_no_other_origin_may_read(locked) -> None:
    """CORS is off: no preflight is granted, no answer carries its headers."""
    asked = ["origin: https://a.example", "access-control-request-method: POST"]
    for request in (raw.head(f"OPTIONS {IMAGES}", *asked), raw.head("GET /healthz", *asked)):
        _, headers, _ = raw.asked(locked.url, request)
        assert [name for name in headers if name.startswith("access-control")] == []


def test_every_answer_forbids_guessing_its_type(site) -> None:
    """nosniff on successes, refusals and what the server itself says."""
    requests = [raw.head("GET /healthz"), raw.head("GET /nothing"), b"no http\r\n\r\n"]
    answers = [raw.asked(site.url, request) for request in requests]
    assert [headers["x-content-type-options"] for _, headers, _ in answers] == ["nosniff"] * 3


@pytest.mark.parametrize("text", ["a\r\nset-cookie: evil=1", "a\nx-evil: 1", "ä€😀", "a\x1b[31m"])
def test_no_text_of_a_caller_makes_a_header(site, text) -> None:
    """Fields with line ends stay in the JSON; no header is added."""
    for name in ("prompt", "scope", "model", "profile", "purpose"):
        body = json.dumps({"prompt": "a fox", name: text}).encode()
        status, headers, _ = raw.asked(site.url, raw.post(IMAGES, body))
        assert status < 500
        assert {"set-cookie", "x-evil"}.isdisjoint(headers)


def test_a_bug_shows_nothing_of_itself(site, monkeypatch) -> None:
    """500 with an id; the trace stands in the log alone."""

    async def broken(self: object, *_: object, **__: object) -> None:
        raise ZeroDivisionError("canary /srv/app/secret.py line 7")

    monkeypatch.setattr("image_router.engine.router.ImageRouter.generate", broken)
    status, _, answer = raw.asked(site.url, raw.post(IMAGES, b'{"prompt":"a fox"}'))
    assert status == 500
    for word in (b"canary", b"Traceback", b"ZeroDivision", b".py"):
        assert word not in answer


async def _key(site) -> str:
    async with open_books(home=site.home) as books:
        made = await RouterKeys(books.db).create(KeyRules(name="ci", scope="acme"), who="ann")
        return made.secret.text


async def test_secrets_and_pictures_stay_out_of_logs_and_errors(site_of, caplog) -> None:
    """Router key, provider key, prompt and picture, through successes and failures, at the finest level."""
    caplog.set_level("DEBUG")
    site = site_of(keys=True, api_key=PROVIDER_KEY)
    secret = await _key(site)
    canary = "canary prompt of a fox"
    uri = raw.data_uri(picture("PNG", 80, 80))
    said = b""
    for fault in (None, "internal", "prompt_blocked", "key_leaked"):
        if fault:
            site.emulator.faults.add(fault, times=3)
        body = json.dumps({"prompt": canary, "images": [uri]}).encode()
        request = raw.post(EDITS, body, f"authorization: Bearer {secret}")
        status, _, answer = await asyncio.to_thread(raw.asked, site.url, request)
        said += b"" if status == 200 else answer
    for wrong in (f"Bearer {secret[:-1]}x", "Bearer " + "ir_" + "a" * 60):
        request = raw.head("GET /v1/models", f"authorization: {wrong}")
        said += (await asyncio.to_thread(raw.asked, site.url, request))[2]
    told = caplog.text + said.decode()
    assert said
    for word in (secret, secret[12:55], PROVIDER_KEY, uri[30:90]):
        assert word not in told
    assert canary not in caplog.text


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml"])
def test_a_strangers_file_runs_nothing_here(site, kind) -> None:
    """A file comes back as it was sent; to a browser it is a page without scripts and without our origin."""
    begun = raw.head(
        "POST /upload/v1beta/files",
        "x-goog-upload-protocol: resumable",
        "x-goog-upload-command: start",
        "x-goog-upload-header-content-length: 25",
        f"x-goog-upload-header-content-type: {kind}",
        raw.JSON,
        "content-length: 2",
    )
    _, headers, _ = raw.asked(site.url, begun + b"{}")
    path = headers["x-goog-upload-url"].removeprefix("http://127.0.0.1")
    sent = raw.head(
        f"POST {path}",
        "x-goog-upload-command: upload, finalize",
        "x-goog-upload-offset: 0",
        "content-length: 25",
    )
    _, _, made = raw.asked(site.url, sent + b"<script>alert(1)</script>")
    name = json.loads(made)["file"]["name"]
    _, headers, _ = raw.asked(site.url, raw.head(f"GET /v1beta/{name}:download?alt=media"))
    assert "sandbox" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_an_upgrade_is_not_taken(site) -> None:
    """There are no websockets: the request is answered as if it had not asked."""
    request = raw.head("GET /healthz", "connection: upgrade", "upgrade: websocket")
    assert raw.asked(site.url, request)[0] == 200
