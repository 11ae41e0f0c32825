"""models and models check: the matrix of a day, and where catalog and provider differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from cli.conftest import APRIL, DAY, Run
from gemini_emulator import serve
from image_router.cli.facts_of import known
from image_router.cli.model_check import FindingKind, compare
from image_router.config import Settings
from image_router.core.catalog import ModelState
from image_router.engine.model_rows import Known
from image_router.providers.base import Entitlement

LITE, OLD, DEAD = "gemini-3.1-flash-lite-image", "gemini-2.5-flash-image", "imagen-4.0-generate-001"


@pytest.fixture
def facts(tmp_path: Path) -> Known:
    return known(Settings(home=tmp_path, as_of=date.fromisoformat(DAY)))


def test_the_world_of_april_is_the_six_models(run: Run) -> None:
    """--as-of 2026-04-09 shows six living models, each serving one tier, at the prices of that day."""
    models = run("models", "--as-of", APRIL, "--json").json["models"]
    assert {model["id"]: (model["serves"], model["list_price_usd"].get("1K")) for model in models} == {
        "gemini-3-pro-image-preview": (["nano_banana_pro"], "0.134"),
        "gemini-3.1-flash-image-preview": (["gemini_31_flash_image"], "0.067"),
        "gemini-2.5-flash-image": (["nano_banana"], "0.039"),
        "imagen-4.0-ultra-generate-001": (["imagen_4_ultra"], "0.06"),
        "imagen-4.0-generate-001": (["imagen_4_standard"], "0.04"),
        "imagen-4.0-fast-generate-001": (["imagen_4_fast"], "0.02"),
    }
    assert {model["state"] for model in models} == {"alive"}


def test_today_names_life_and_successor(run: Run) -> None:
    """A retired model stays listed with its end and who follows it."""
    models = {model["id"]: model for model in run("models", "--json").json["models"]}
    assert models[DEAD]["state"] == "retired"
    assert models[DEAD]["shutdown"] == "2026-08-17"
    assert models[DEAD]["successor"] == "gemini-nano-banana-2.1"
    assert models[LITE]["serves"] == ["nano_banana (minimal)"]


@pytest.mark.parametrize("day", [APRIL, DAY])
def test_the_table_fits_a_hundred_columns(run: Run, day: str) -> None:
    """No line is wider than 100 characters, and no model id is cut off."""
    out = run("models", "--as-of", day).out
    assert max(map(len, out.splitlines())) <= 100
    ids = [model["id"] for model in run("models", "--as-of", day, "--json").json["models"]]
    assert all(name in out for name in ids)


def test_wide_and_markdown_show_the_capabilities(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """--wide adds columns; --markdown prints tables that Markdown readers understand."""
    monkeypatch.setenv("COLUMNS", "220")
    assert "watermark" in run("models", "--wide").out
    lines = run("models", "--markdown").out.splitlines()
    assert lines[1].startswith("| --- |")
    assert all(line.count("|") == lines[0].count("|") for line in lines[: lines.index("")])


def test_check_agrees_with_a_provider_that_lives_by_the_catalog(run: Run) -> None:
    """On a day without uncertain models the emulator and the catalog agree: exit 0."""
    ran = run("models", "check", "--as-of", APRIL)
    assert (ran.status, ran.out) == (0, "the catalog and the provider agree\n")


def test_check_finds_what_is_not_served(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A living model that answers 404 is a finding with advice: exit 1."""
    monkeypatch.delenv("IMAGE_ROUTER_OFFLINE")
    monkeypatch.setenv("GEMINI_API_KEY", "any")
    with serve(as_of=DAY, unentitled=frozenset({LITE})) as emulator:
        ran = run("models", "check", "--base-url", emulator.url, "--json")
    assert ran.status == 1
    kinds = {finding["model"]: finding["kind"] for finding in ran.json["findings"]}
    assert kinds[LITE] == "missing"


def test_what_lives_on_is_told_and_no_trouble(run: Run) -> None:
    """A model that answers past its uncertain end is one finding, in the singular, and exit 0."""
    ran = run("models", "check")
    assert ran.status == 0
    assert "lives on" in ran.out
    assert ran.out.endswith("\n1 finding\n")


def test_check_names_a_refused_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused key is an error of its own, not a list of missing models."""
    monkeypatch.delenv("IMAGE_ROUTER_OFFLINE")
    monkeypatch.setenv("GEMINI_API_KEY", "bad")
    with serve(as_of=DAY) as emulator:
        ran = run("models", "check", "--base-url", emulator.url)
    assert ran.status in (23, 28)
    assert "key" in ran.err.lower()


def test_compare_weighs_probe_against_catalog(facts: Known) -> None:
    """The probe decides: uncertain and retired models that answer, living ones that do not, and new ones."""
    nothing = dict.fromkeys(facts.catalog.models, Entitlement.UNKNOWN)
    assert compare(facts, [], entitled=nothing) == []
    answers = nothing | {
        LITE: Entitlement.NOT_FOUND,
        OLD: Entitlement.ENTITLED,
        DEAD: Entitlement.ENTITLED,
    }
    found = compare(facts, ["gemini-9-image", "gemini-9-pro", LITE], entitled=answers)
    assert [(finding.kind, finding.model) for finding in found] == [
        (FindingKind.MISSING, LITE),
        (FindingKind.LIVES_ON, OLD),
        (FindingKind.LIVES_ON, DEAD),
        (FindingKind.NEW, "gemini-9-image"),
    ]
    assert f'"{OLD}" = "alive"' in found[1].advice


def test_a_settled_state_is_no_finding(facts: Known) -> None:
    """Once configuration says an uncertain model lives, the probe's yes is no news."""
    settled = replace(facts, catalog=replace(facts.catalog, overrides={OLD: ModelState.ALIVE}))
    answers = dict.fromkeys(facts.catalog.models, Entitlement.UNKNOWN) | {OLD: Entitlement.ENTITLED}
    assert compare(settled, [], entitled=answers) == []
