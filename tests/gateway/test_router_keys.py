"""Router keys over HTTP: made and changed by admins, counted at once, secrets shown once."""

from __future__ import annotations

import pytest

from gateway.talk import Talk, holder

KEYS = "/router/v1/keys"


def _with(talk: Talk, secret: str) -> Talk:
    return Talk(talk.url, {"x-goog-api-key": secret})


async def test_a_new_key_works_at_once_and_its_secret_is_shown_once(locked) -> None:
    """The answer of its making is the only one that holds the secret."""
    admin = await holder(locked, admin=True)
    made = await admin("POST", KEYS, {"name": "shop", "scope": "acme/shop", "max_size": "2K"})
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    secret, key = made.json["secret"], made.json["key"]
    own = await _with(admin, secret)("GET", "/router/v1/key")
    assert (own.json["id"], own.json["max_size"], own.json["use"]["in_flight"]) == (key["id"], "2K", 0)
    shown = await admin("GET", f"{KEYS}/{key['id']}")
    assert secret not in shown.body.decode()
    assert [one["name"] for one in (await admin("GET", f"{KEYS}?scope=acme/shop")).json["keys"]] == ["shop"]


async def test_rules_change_without_another_secret(locked) -> None:
    """PATCH: what is not named stays, null takes a rule away, the history says who."""
    admin = await holder(locked, admin=True)
    rules = {
        "name": "shop",
        "scope": "acme",
        "tiers": ["nano_banana"],
        "dollars": {"amount_usd": "20", "seconds": 86400},
        "expires": "2090-01-01T00:00:00Z",
        "in_flight": 3,
    }
    made = (await admin("POST", KEYS, rules)).json["key"]
    assert made["dollars"] == rules["dollars"]
    assert made["expires"] == "2090-01-01T00:00:00+00:00"
    new = (await admin("PATCH", f"{KEYS}/{made['id']}", {"tiers": None, "max_size": "1K"})).json
    assert (new["tiers"], new["max_size"], new["in_flight"]) == (None, "1K", 3)
    changes = (await admin("GET", f"{KEYS}/{made['id']}/history")).json["changes"]
    assert [one["what"] for one in changes] == ["created", "set", "set"]
    assert all("router key" in one["who"] for one in changes)


async def test_rotating_and_revoking_count_at_once(locked) -> None:
    """The old secret works while its grace lasts; a revoked key is refused by the next request."""
    admin = await holder(locked, admin=True)
    made = (await admin("POST", KEYS, {"name": "shop", "scope": "acme"})).json
    path = f"{KEYS}/{made['key']['id']}"
    graced = (await admin("POST", f"{path}/rotate", {"grace_seconds": 60})).json["secret"]
    for secret in (made["secret"], graced):
        assert (await _with(admin, secret)("GET", "/v1/models")).status == 200
    newest = (await admin("POST", f"{path}/rotate", {})).json["secret"]
    assert (await _with(admin, graced)("GET", "/v1/models")).status == 401
    assert (await admin("POST", f"{path}/revoke")).json["state"] == "revoked"
    assert (await _with(admin, newest)("GET", "/v1/models")).status == 401
    assert made["key"]["id"] not in (await admin("GET", KEYS)).body.decode()
    assert made["key"]["id"] in (await admin("GET", f"{KEYS}?revoked=true")).body.decode()


async def test_only_admins_manage_keys(locked) -> None:
    """403 for everybody else; what their own key may do they see."""
    mine = await holder(locked)
    for method, path, body in (
        ("GET", KEYS, None),
        ("POST", KEYS, {"name": "x", "scope": "acme"}),
        ("GET", f"{KEYS}/k7f2m4qa", None),
        ("POST", f"{KEYS}/k7f2m4qa/revoke", None),
    ):
        assert (await mine(method, path, body)).status == 403
    assert (await mine("GET", "/router/v1/key")).json["scope"] == "acme"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"scope": "acme"}, "name"),
        ({"name": "x"}, "scope"),
        ({"name": "x", "scope": "acme", "secret": "s"}, "secret"),
        ({"name": "x", "scope": "acme", "tiers": "nano_banana"}, "tiers"),
        ({"name": "x", "scope": "acme", "tiers": ["gold"]}, None),
        ({"name": "x", "scope": "acme", "in_flight": 0}, "in_flight"),
        ({"name": "x", "scope": "acme", "dollars": "20/day"}, "dollars"),
        ({"name": "x", "scope": "acme", "expires": "2020-01-01T00:00:00Z"}, "expires"),
        ({"name": "x", "scope": "acme", "expires": "soon"}, "expires"),
        ({"name": "x", "scope": "acme", "max_size": "9K"}, "max_size"),
    ],
)
async def test_rules_that_make_no_sense_are_refused(site, body, param) -> None:
    """400 that names the rule."""
    told = await Talk(site.url)("POST", KEYS, body)
    assert (told.status, told.json["error"]["param"]) == (400, param)


async def test_an_unknown_key_is_a_404(site) -> None:
    """Also for changes, and an open gateway has no key of its own."""
    talk = Talk(site.url)
    assert (await talk("GET", f"{KEYS}/nothing")).status == 404
    assert (await talk("POST", f"{KEYS}/nothing/rotate", {})).status == 404
    assert (await talk("GET", "/router/v1/key")).status == 404
