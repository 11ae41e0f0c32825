"""`keys`: made, shown once, listed, changed, rotated and revoked from the command line."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Ran, Run
from image_router.books import open_books
from image_router.cli.keys import first_admin_key
from image_router.config import load_settings
from image_router.core.errors import KeyInvalid
from image_router.core.key_secret import PATTERN, key_id_of
from image_router.core.router_keys import RouterKey

EVERYTHING = [
    *("--tier", "nano_banana", "--tier", "nano_banana_pro", "--model", "gemini-3-pro-image"),
    *("--max-size", "2k", "--requests-per-minute", "60", "--images-per-minute", "120"),
    *("--dollars", "20/day", "--in-flight", "8", "--expires", "2099-01-31", "--admin"),
    *("--retired", "substitute"),
]


def opened(secret: str) -> RouterKey:
    """The key a secret opens in the books of this folder."""

    async def find() -> RouterKey:
        async with open_books() as books:
            return await books.keys.find(secret)

    return asyncio.run(find())


def made(run: Run, *flags: str) -> tuple[str, str]:
    """Id and secret of a new key."""
    ran = run("keys", "create", "shop", "--scope", "acme/shop", *flags)
    assert ran.status == 0, ran.err
    secret = ran.out.strip()
    return key_id_of(secret), secret


def test_a_secret_stands_alone_on_stdout(run: Run) -> None:
    """stdout is the secret and nothing else, for $(…); what to do with it is on stderr."""
    ran = run("keys", "create", "shop", "--scope", "acme/shop")
    assert re.fullmatch(PATTERN + "\n", ran.out)
    assert "shown only now" in ran.err
    assert "x-goog-api-key" in ran.err
    assert ran.out.strip() not in ran.err
    assert opened(ran.out.strip()).rules.scope == "acme/shop"


def test_no_other_command_shows_the_secret(run: Run) -> None:
    """list, show, set and revoke name the key by id and last characters."""
    key_id, secret = made(run)
    said = [
        run("keys", "list", "--json"),
        run("keys", "show", key_id),
        run("keys", "show", key_id, "--json"),
        run("keys", "set", key_id, "--in-flight", "2"),
        run("keys", "revoke", key_id),
        run("keys", "list", "--all"),
    ]
    assert [ran.status for ran in said] == [0] * len(said)
    text = "".join(ran.out + ran.err for ran in said)
    assert secret not in text
    assert secret[12:-8] not in text
    assert f"ir_{key_id}_…{secret[-4:]}" in text


def test_every_rule_can_be_given(run: Run) -> None:
    """Each flag is one rule; JSON has them all, money in dollars and moments as ISO 8601."""
    view = run("keys", "create", "shop", "--scope", "acme/shop", *EVERYTHING, "--json").json["key"]
    rules = {
        "name": "shop",
        "scope": "acme/shop",
        "tiers": ["nano_banana", "nano_banana_pro"],
        "models": ["gemini-3-pro-image"],
        "max_size": "2K",
        "requests_per_minute": 60,
        "images_per_minute": 120,
        "dollars": {"amount_usd": "20", "seconds": 86_400},
        "in_flight": 8,
        "expires": "2099-01-31T00:00:00+00:00",
        "admin": True,
        "retired": "substitute",
    }
    assert {name: view[name] for name in rules} == rules
    assert view["state"] == "living"
    shown = run("keys", "show", view["id"], "--json").json
    assert shown["use"] == {
        "in_flight": 0,
        "requests_per_minute": 0,
        "images_per_minute": 0,
        "dollars_usd": "0",
    }
    assert shown["history"][0]["new"]["dollars"] == rules["dollars"]


def test_the_scope_is_the_settings_one_where_none_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key pays from the set scope unless --scope says another."""
    monkeypatch.setenv("IMAGE_ROUTER_SCOPE", "acme/set")
    assert run("keys", "create", "shop", "--json").json["key"]["scope"] == "acme/set"


def test_rules_are_set_and_taken_away(run: Run) -> None:
    """What is named changes, `none` takes away, the rest and the secret stay; the history tells both."""
    key_id, secret = made(run, *EVERYTHING)
    view = run(
        *("keys", "set", key_id, "--tier", "none", "--model", "none", "--dollars", "0.50/10m", "--no-admin"),
        *("--expires", "none", "--max-size", "none", "--in-flight", "none", "--who", "ann", "--json"),
    ).json
    assert [view[name] for name in ("tiers", "models", "expires", "max_size", "in_flight")] == [None] * 5
    assert (view["dollars"], view["admin"]) == ({"amount_usd": "0.5", "seconds": 600}, False)
    assert (view["requests_per_minute"], view["retired"]) == (60, "substitute")
    assert opened(secret).id == key_id
    changes = {
        one["field"]: (one["old"], one["new"], one["who"])
        for one in run("keys", "show", key_id, "--json").json["history"]
        if one["what"] == "set"
    }
    assert changes["expires"] == ("2099-01-31T00:00:00+00:00", None, "ann")
    assert changes["dollars"][:2] == (
        {"amount_usd": "20", "seconds": 86_400},
        {"amount_usd": "0.5", "seconds": 600},
    )
    text = run("keys", "show", key_id).out
    assert "dollars: $20.00 per day → $0.50 per 10 minutes" in text
    assert "tiers: nano_banana, nano_banana_pro → –" in text
    assert "$0.00 of $0.50" in text


def test_rotation_shows_the_new_secret(run: Run) -> None:
    """The new secret opens the same key; with a grace the old one too, and the message says until when."""
    key_id, first = made(run)
    ran = run("keys", "rotate", f"ir_{key_id}", "--grace", "24h")
    assert "the old one works until" in ran.err
    second = ran.out.strip()
    assert opened(first) == opened(second)
    ran = run("keys", "rotate", key_id)
    assert "the old one is dead" in ran.err
    with pytest.raises(KeyInvalid, match="was replaced"):
        opened(second)
    assert opened(ran.out.strip()).id == key_id


def test_a_revoked_key_is_listed_on_request(run: Run) -> None:
    """Revoked keys open nothing and stand in the list with --all, and who revoked them is told."""
    assert "no router key was made here" in run("keys", "list").out
    key_id, secret = made(run)
    assert key_id in run("keys", "list").out
    assert "within a second" in run("keys", "revoke", key_id, "--who", "ann").out
    with pytest.raises(KeyInvalid, match="was revoked"):
        opened(secret)
    assert run("keys", "list").out == "no living key; 1 revoked: add --all\n"
    assert "revoked" in run("keys", "list", "--all").out
    (view,) = run("keys", "list", "--all", "--json").json["keys"]
    assert (view["state"], view["revoked_by"]) == ("revoked", "ann")


def test_lists_show_what_is_set(run: Run) -> None:
    """A row names the rules that differ from a key that may do everything, and no others."""
    made(run, "--max-size", "1K", "--dollars", "5/hour", "--admin")
    out = run("keys", "list", "--scope", "acme").out
    assert "max size 1K; dollars $5.00 per hour; admin yes" in out
    assert "retired" not in out
    assert run("keys", "list", "--scope", "other", "--json").json["keys"] == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["create", "x", "--dollars", "5"], "names no window; write it like 5/hour"),
        (["create", "x", "--dollars", "5/fortnight"], "is no length of time"),
        (["create", "x", "--dollars", "many/day"], "is not an amount in dollars"),
        (["create", "x", "--dollars", "0/day"], "must be $0.000000001"),
        (["create", "x", "--dollars", "5/999999d"], "choose 1 to 31,622,400"),
        (["create", "x", "--expires", "soon"], "neither a day, as 2027-01-31, nor a time from now"),
        (["create", "x", "--expires", "2020-01-01"], "has begun in UTC"),
        (["create", "x", "--in-flight", "-1"], "--in-flight '-1' is no whole number"),
        (["create", "x", "--in-flight", "0"], "in_flight is 0; choose 1"),
        (["create", "x", "--requests-per-minute", "1.5"], "--requests-per-minute '1.5' is no whole number"),
        (["create", "x", "--tier", "gold"], "is not one of nano_banana_pro"),
        (["create", "x", "--tier", "none", "--tier", "nano_banana"], "is not a valid Tier"),
        (["create", "x", "--scope", "acme//x"], "is not a path like"),
        (["create", "acme/x"], "say who pays with --scope acme/x, and give the key a name, such as x"),
        (["create", " "], "printable characters"),
        (["create", "x", "--who", " "], "--who is empty"),
        (["set", "k7f2m4qa"], "nothing to set"),
        (["set", "k7f2m4qa", "--in-flight", "2"], "is no router key here; living keys are none"),
        (["show", "nobody"], "is no router key here"),
        (["revoke", "nobody"], "is no router key here"),
        (["rotate", "nobody"], "is no router key here"),
        (["rotate", "nobody", "--grace", "long"], "--grace 'long' is no length of time"),
        (["rotate", "nobody", "--grace", "20w"], "three months"),
    ],
)
def test_odd_words_are_refused(run: Run, flags: list[str], said: str) -> None:
    """What makes no sense is a usage error with the way out, as text and as JSON, and makes no key."""
    ran: Ran = run("keys", *flags)
    assert (ran.status, said in ran.err, ran.out) == (2, True, ""), ran.err
    error: dict[str, Any] = run("keys", *flags, "--json").json["error"]
    assert error["exit_status"] == 2
    assert run("keys", "list", "--all", "--json").json["keys"] == []


def test_the_first_start_says_how_to_make_keys(here: Path) -> None:
    """The text for a start without an admin key names commands for the same books."""
    text = first_admin_key(load_settings())
    assert "image-router keys create admin --admin --offline" in text
    assert f"--home {here.parent / 'home'}" in text
    assert "--home" not in first_admin_key(load_settings(environ={}, folder=here))
