"""assets and forget, on what offline commands keep."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cli.conftest import Run
from gemini_emulator import Emulator


def blobs(here: Path) -> list[Path]:
    return [path for path in (here.parent / "home/offline-assets/blobs").rglob("*") if path.is_file()]


def test_a_made_picture_is_kept_and_shown(run: Run, here: Path, emulator: Emulator) -> None:
    """generate keeps the very bytes; list and show say prompt, cost, scope and where they came from."""
    made = run("generate", "a fox", "--scope", "acme/a", "-o", "fox.jpg", "--json").json
    run("edit", "fox.jpg", "make it night", "--scope", "acme/b", "-o", "night.jpg")
    newest, oldest = run("assets", "list", "--json").json["assets"]
    assert (oldest["prompt"], oldest["scope"]) == ("a fox", "acme/a")
    assert oldest["cost_usd"] == made["cost_usd"]
    assert oldest["sha256"] == hashlib.sha256((here / "fox.jpg").read_bytes()).hexdigest()
    assert oldest["sha256"] in {path.name for path in blobs(here)}
    shown = run("assets", "show", newest["id"], "--json").json
    assert [parent["sha256"] for parent in shown["made_from"]] == [oldest["sha256"]]
    assert run("assets", "show", oldest["sha256"][:10], "--json").json["used_for"] == [newest["id"]]
    assert "a fox" in run("assets", "show", oldest["id"]).out
    assert [each["id"] for each in run("assets", "list", "--scope", "acme/b", "--json").json["assets"]] == [
        newest["id"]
    ]
    assert oldest["id"] in run("assets", "list").out
    assert run("assets", "show", "req_nobody.0").status == 42


def test_pictures_are_exported(run: Run, here: Path, emulator: Emulator) -> None:
    """export writes every picture once, and a manifest; again it overwrites nothing."""
    run("generate", "a fox", "-n", "2")
    assert run("assets", "export", "out", "--json").json["pictures"] == 2
    again = run("assets", "export", "out")
    assert (again.status, "2 pictures in out" in again.out) == (0, True)
    assert len(list((here / "out").iterdir())) == 3


def test_a_forgotten_scope_keeps_its_amounts(run: Run, here: Path, emulator: Emulator) -> None:
    """forget erases nothing unasked; then prompts and pictures are gone, and the statement is the same."""
    run("generate", "a secret fox", "--scope", "acme/a")
    before = run("statement", "--json").out
    asked = run("forget", "--scope", "acme")
    assert (asked.status, "add --yes" in asked.err) == (2, True)
    assert run("assets", "list", "--json").json["assets"][0]["prompt"] == "a secret fox"
    assert run("forget", "--scope", "acme", "--yes", "--json").json["assets"] == 1
    (asset,) = run("assets", "list", "--json").json["assets"]
    assert (asset["prompt"], asset["stored"]) == (None, False)
    assert asset["sha256"] not in {path.name for path in blobs(here)}
    assert run("statement", "--json").out == before


def test_garbage_is_counted_then_deleted(run: Run, here: Path, emulator: Emulator) -> None:
    """gc counts without touching; with --delete bytes nobody needs are gone, and pictures stay."""
    run("generate", "a fox")
    kept = blobs(here)
    digest = hashlib.sha256(b"loose").hexdigest()
    loose = kept[0].parents[1] / digest[:2] / digest
    loose.parent.mkdir(exist_ok=True)
    loose.write_bytes(b"loose")
    assert run("assets", "gc", "--grace", "0", "--json").json["blobs"] == 1
    assert loose.exists()
    assert "add --delete" in run("assets", "gc").out
    assert run("assets", "gc", "--grace", "0", "--delete").status == 0
    assert not loose.exists()
    assert all(path.exists() for path in kept)
    assert run("assets", "gc", "--grace", "-1").status == 2


def test_a_scope_that_stores_nothing(
    run: Run, emulator: Emulator, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With store = metadata no bytes are kept; with none not even the prompt."""
    monkeypatch.setenv("IMAGE_ROUTER_STORE", "metadata")
    run("generate", "a fox")
    (asset,) = run("assets", "list", "--json").json["assets"]
    assert (asset["prompt"], asset["stored"], blobs(here)) == ("a fox", False, [])
    monkeypatch.setenv("IMAGE_ROUTER_STORE", "none")
    run("generate", "another fox")
    assert len(run("assets", "list", "--json").json["assets"]) == 1


def test_rules_are_set_shown_and_cleared(run: Run, here: Path, emulator: Emulator) -> None:
    """The nearest rule above a scope counts; what is not named stays; clearing gives the word back."""
    assert run("assets", "rules", "show", "--json").json == {
        "rules": [], "default": {"store": "all", "keep_days": None},
    }  # fmt: skip
    run("assets", "rules", "set", "--scope", "acme", "--store", "all", "--keep-days", "30")
    below = run("assets", "rules", "set", "--scope", "acme/a", "--store", "metadata", "--json").json
    assert below == {"scope": "acme/a", "from": "acme/a", "store": "metadata", "keep_days": 30}
    assert "acme/a/key stores metadata" in run("assets", "rules", "show", "--scope", "acme/a/key").out
    assert (
        "bytes are kept 30 days (by the rule of acme)"
        in run("assets", "rules", "show", "--scope", "acme/b").out
    )
    assert "(by the setting `store`)" in run("assets", "rules", "show", "--scope", "other").out
    cleared = run("assets", "rules", "clear", "--scope", "acme/a", "--json").json
    assert (cleared["from"], cleared["store"], cleared["keep_days"]) == ("acme", "all", 30)
    assert run("assets", "rules", "set", "--scope", "acme", "--keep-days", "none", "--json").json == {
        "scope": "acme", "from": "acme", "store": "all", "keep_days": None,
    }  # fmt: skip
    assert "acme" in run("assets", "rules").out


def test_a_rule_decides_what_is_kept(run: Run, here: Path, emulator: Emulator) -> None:
    """Pictures of one scope keep words alone, of another nothing, of all others everything; gc lets go."""
    run("assets", "rules", "set", "--scope", "acme/words", "--store", "metadata")
    run("assets", "rules", "set", "--scope", "acme/secret", "--store", "none")
    for scope in ("acme/words", "acme/secret", "acme/all"):
        made = run("generate", "a fox", "--scope", scope, "-o", f"{scope[5:]}.jpg", "--json").json
        assert made["cost_usd"] != "0"
    kept = {each["scope"]: each for each in run("assets", "list", "--json").json["assets"]}
    assert {scope: each["stored"] for scope, each in kept.items()} == {"acme/words": False, "acme/all": True}
    assert kept["acme/words"]["prompt"] == "a fox"
    assert kept["acme/words"]["sha256"] not in {path.name for path in blobs(here)}
    assert run("statement", "--by", "scope", "--json").out.count("acme/secret") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("set", "--scope", "acme"), "nothing to set"),
        (("set", "--scope", "acme", "--keep-days", "0"), "choose 1 to 36500"),
        (("set", "--scope", "acme", "--keep-days", "-3"), "no whole number of days"),
        (("set", "--scope", "acme", "--keep-days", "NaN"), "no whole number of days"),
        (("set", "--scope", "a//b", "--store", "none"), "is not a path"),
        (("set", "--store", "none"), "--scope"),
        (("set", "--scope", "acme", "--store", "some"), "some"),
        (("clear", "--scope", "acme"), "no rule of its own"),
        (("show", "--scope", "a b"), "is not a path"),
    ],
)
def test_odd_rules_are_refused(run: Run, here: Path, words: tuple[str, ...], told: str) -> None:
    """What makes no sense is a usage error that says what would, and sets nothing."""
    ran = run("assets", "rules", *words)
    assert ran.status == 2
    assert told in ran.err
    assert run("assets", "rules", "show", "--json").json["rules"] == []
