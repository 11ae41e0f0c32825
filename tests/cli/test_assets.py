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
    """forget asks first; then prompts and pictures are gone, and the statement is the same."""
    run("generate", "a secret fox", "--scope", "acme/a")
    before = run("statement", "--json").out
    assert run("forget", "--scope", "acme").status == 130
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
