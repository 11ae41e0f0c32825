"""--compress from the command line to the emulator's bill: shown, held, paid, kept and found again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cli.conftest import APRIL, DAY, Run
from cli.test_explaining import SCHEMA
from gemini_emulator import Emulator
from image_router.core.money import usd_text
from image_router.wiring import offline_emulator

PROMPT = (
    '12 red boats, no people, the words "OPEN DAILY", '
    + "with softly drifting mist over really calm water and quiet jetties, " * 40
)
HERO = ("generate", PROMPT, "--purpose", "hero", "--compress", "auto", "--overwrite", "--json")
IMAGEN, FLASH, TEXT = (
    "imagen-4.0-generate-001",
    "gemini-3.1-flash-image-preview",
    "gemini-3.1-flash-lite-preview",
)


@pytest.fixture
def april(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """The emulator of a day on which Imagen lives, without faults."""
    monkeypatch.setenv("IMAGE_ROUTER_AS_OF", APRIL)
    emulator = offline_emulator(date.fromisoformat(APRIL))
    emulator.faults.clear()
    yield emulator
    emulator.faults.clear()


def lines(run: Run, by: str) -> dict[str, Any]:
    stated = run("statement", "--by", by, "--json").json
    return {line[by]: line for line in stated["lines"]}


def test_both_calls_are_paid_as_billed_and_both_prompts_kept(run: Run, april: Emulator) -> None:
    """The cost is the bill's to the nano-dollar, the books are sound, and the picture knows both prompts."""
    before = april.bill().total
    made = run(*HERO).json
    assert made["cost_usd"] == usd_text(april.bill().total - before)
    assert [attempt["model"] for attempt in made["attempts"]] == [TEXT, IMAGEN]
    step = made["decision"]["compression"]
    assert (step["skipped"], step["refused"], step["model"]) == (None, None, TEXT)
    assert len(step["prompt"]) < len(PROMPT)
    assert "12 red boats" in step["prompt"]
    assert any("shortened" in warning for warning in made["images"][0]["warnings"])
    assert "sound" in run("ledger", "verify").out
    stated = lines(run, "model")
    assert {TEXT, IMAGEN} <= stated.keys()
    assert float(stated[TEXT]["for_nothing_usd"]) == 0
    (asset,) = run("assets", "list", "--json").json["assets"]
    kept = run("assets", "show", asset["id"], "--json").json
    assert (kept["prompt"], kept["shortened_prompt"]) == (PROMPT, step["prompt"])


def test_a_lost_number_sends_the_prompt_as_it_was(run: Run, april: Emulator) -> None:
    """The checker finds it, the fallback that reads the prompt serves, and the text call was for nothing."""
    april.faults.add("text_loses_number", times=1)
    before = april.bill().total
    made = run(*HERO).json
    assert made["images"][0]["model"] == FLASH
    assert made["attempts"][0]["cause"] == "compression_rejected"
    assert any("number '12'" in warning for warning in made["warnings"])
    assert made["cost_usd"] == usd_text(april.bill().total - before)
    assert lines(run, "outcome")["compression_rejected"]["for_nothing_usd"] != "0"


def test_a_pinned_model_and_a_lost_negation_are_an_error_with_its_cost(run: Run, april: Emulator) -> None:
    """Nothing else reads the prompt: the numbers, what was lost, and what it cost."""
    april.faults.add("text_loses_negation", times=1)
    before = april.bill().total
    ran = run(*HERO[:2], "--model", IMAGEN, "--compress", "auto", "--json")
    assert ran.status != 0
    error = ran.json["error"]
    assert "negation 'no people'" in error["message"]
    assert "reads 480" in error["message"]
    assert error["cost_usd"] == usd_text(april.bill().total - before) != "0"


def test_an_equal_request_is_free_without_asking_the_text_model(run: Run, april: Emulator) -> None:
    """The cache is asked before anything is paid; another target is another picture."""
    first = run(*HERO, "--cache", "refresh").json
    calls = len(april.bill().entries)
    again = run(*HERO, "--cache", "use").json
    assert len(april.bill().entries) == calls
    assert again["cost_usd"] == "0"
    assert again["images"][0]["sha256"] == first["images"][0]["sha256"]
    run(*HERO[:4], "--compress", "300", "--overwrite", "--json", "--cache", "use")
    assert len(april.bill().entries) == calls + 2


def test_a_budget_that_cannot_hold_the_pictures_pays_no_text_call(run: Run, april: Emulator) -> None:
    """One hold for all of it: refused before anything is sent."""
    assert run("budget", "set", "default", "--total", "0.001").status == 0
    calls = len(april.bill().entries)
    ran = run(*HERO)
    assert ran.status != 0
    assert ran.json["error"]["code"] == "budget_exceeded"
    assert len(april.bill().entries) == calls


@pytest.mark.parametrize("flags", [("auto",), ("300",), ("off",)])
def test_explain_shows_the_step_and_keeps_its_schema(run: Run, april: Emulator, flags: tuple[str]) -> None:
    """The text call's payload, its price and the stand-in; off says nothing, and nothing is spent."""
    calls = len(april.bill().entries)
    asked = ("explain", PROMPT, "--purpose", "hero", "--compress", *flags)
    shown = run(*asked, "--json").json
    validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    assert [error.message for error in validator.iter_errors(shown)] == []
    assert len(april.bill().entries) == calls
    if flags == ("off",):
        assert shown["compression"] is shown["text_call"] is None
        return
    assert shown["text_call"]["endpoint"].endswith(f"/{TEXT}:generateContent")
    assert shown["text_call"]["payload"]["contents"][0]["parts"][0]["text"] == PROMPT
    assert "shortened" in shown["payload"]["instances"][0]["prompt"]
    tree = run(*asked).out
    assert "compress    the prompt of about" in tree
    assert "prompt compression output" in tree


def test_a_skip_is_explained(run: Run, here: Path) -> None:
    """What cannot pay is not done, with both sums."""
    shown = run("explain", PROMPT, "--as-of", DAY, "--compress", "auto", "--json").json
    assert "it cannot pay" in shown["compression"]["skipped"]
    assert shown["text_call"] is None
    assert "compress    not done: it cannot pay" in run("explain", PROMPT, "--compress", "auto").out


def test_an_odd_wish_is_refused(run: Run) -> None:
    """Anything but auto, off or a number of tokens: exit and words of a bad argument."""
    ran = run("explain", "a fox", "--compress", "short")
    assert ran.status == 2
    assert "auto, off, or a number of tokens" in ran.err


def test_the_environment_sets_it(run: Run, april: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """IMAGE_ROUTER_COMPRESS stands for every request; the flag of one counts for more."""
    monkeypatch.setenv("IMAGE_ROUTER_COMPRESS", "auto")
    assert run("explain", PROMPT, "--purpose", "hero", "--json").json["text_call"]
    assert (
        run("explain", PROMPT, "--purpose", "hero", "--compress", "off", "--json").json["text_call"] is None
    )


def test_a_lost_text_call_stands_for_no_picture_of_its_key(run: Run, april: Emulator) -> None:
    """Its outcome is unknown and listed; the same key again makes the picture that was never sent."""
    asked = (*HERO[:2], "--model", IMAGEN, "--compress", "auto", "--key", "k1", "--json")
    april.faults.add("drop_after", model=TEXT, times=1)
    error = run(*asked).json["error"]
    assert "connection_lost" in error["message"]
    assert error["at_risk_usd"] != "0"
    (unknown,) = run("ledger", "unknowns", "--json").json["unknowns"]
    assert unknown["model"] == TEXT
    again = run(*asked).json
    assert [image["model"] for image in again["images"]] == [IMAGEN]
    assert again["failures"] == []
    assert "sound" in run("ledger", "verify").out
