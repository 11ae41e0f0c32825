"""Bad input: a typed error with numbers and the way out, no traceback, nothing spent, nothing written."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from cli.conftest import Run
from gemini_emulator import Emulator


def png_claiming(width: int, height: int) -> bytes:
    """A small file whose header promises an enormous picture."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.fixture
def files(here: Path) -> Path:
    """Good and bad files in the current folder."""
    for number in range(15):
        Image.new("RGB", (64, 64), (number * 16, 90, 120)).save(here / f"ref{number}.png")
    (here / "text.txt").write_text("no picture")
    (here / "bomb.png").write_bytes(png_claiming(60_000, 60_000))
    (here / "cut.png").write_bytes((here / "ref0.png").read_bytes()[:-20])
    with (here / "huge.jpg").open("wb") as huge:
        huge.truncate(200_000_000)
    (here / "policy.toml").write_text('extends = "default"\nname = "mine"\nversion = "1"\nguards = 3\n')
    (here / "latin.txt").write_bytes("ein Füchs".encode("latin-1"))
    (here / "taken.jpg").write_text("mine")
    return here


FIFTEEN = [part for number in range(15) for part in ("--ref", f"ref{number}.png")]

CASES = {
    "no prompt": ([], 2, "the prompt is missing; give it"),
    "a prompt without quotes": (["a", "red", "fox"], 2, "a prompt of several words goes in quotes"),
    "empty prompt": ([""], 2, "the prompt is empty"),
    "blank prompt": (["   "], 2, "the prompt is empty"),
    "two prompts": (["a fox", "--prompt-file", "text.txt"], 2, "given twice"),
    "prompt file missing": (["--prompt-file", "none.txt"], 42, "none.txt cannot be read"),
    "prompt in another encoding": (["--prompt-file", "latin.txt"], 2, "is not UTF-8 text (byte 5 is 0xfc)"),
    "reference missing": (["a fox", "--ref", "none.png"], 2, "reference none.png cannot be read"),
    "reference no picture": (["a fox", "--ref", "text.txt"], 2, "not a PNG, JPEG or WebP picture"),
    "reference cut off": (["a fox", "--ref", "cut.png"], 2, "cut off"),
    "reference a folder": (["a fox", "--ref", "."], 2, "cannot be read"),
    "fifteen references": (["a fox", *FIFTEEN], 3, "15"),
    "a 200 MB file": (["a fox", "--ref", "huge.jpg"], 2, "200,000,000 bytes, the limit is 50,000,000"),
    "a decompression bomb": (["a fox", "--ref", "bomb.png"], 2, "64,000,000"),
    "unknown size": (["a fox", "--size", "3K"], 2, "is not one of 512, 1K, 2K, 4K"),
    "unknown ratio": (["a fox", "--aspect", "7:3"], 2, "16:9, 21:9"),
    "unknown tier": (["a fox", "--tier", "gold"], 2, "is not one of nano_banana_pro"),
    "unknown model": (["a fox", "--model", "dall-e"], 2, "is not in the catalog"),
    "unknown purpose": (["a fox", "--purpose", "fun"], 2, "hero, final_hero"),
    "tier and model": (["a fox", "--tier", "nano_banana", "--model", "x"], 2, "pin one of them"),
    "negative money": (["a fox", "--max-cost=-1"], 2, "must be between $0"),
    "no number": (["a fox", "--max-cost", "NaN"], 2, "must be between $0"),
    "infinite money": (["a fox", "--max-total", "inf"], 2, "must be between $0"),
    "money in words": (["a fox", "--max-cost", "cheap"], 2, "is not an amount in dollars"),
    "money too fine": (["a fox", "--max-cost", "0.00000000001"], 2, "finer than a nano-dollar"),
    "too dear": (["a fox", "--max-cost", "0.001"], 5, "the limit is $0.001"),
    "no images": (["a fox", "-n", "0"], 2, "n is 0"),
    "too many images": (["a fox", "-n", "101", "--yes"], 2, "1 to 100"),
    "a spend nobody confirms": (["a fox", "-n", "50"], 5, "add --yes"),
    "batch lane": (["a fox", "--lane", "batch"], 6, "batch"),
    "retired model": (["a fox", "--model", "imagen-4.0-generate-001"], 4, "use gemini-nano-banana-2.1"),
    "seed too large": (["a fox", "--seed", "99999999999"], 2, "does not fit 32 bits"),
    "bad safety": (["a fox", "--safety", "none"], 2, "CATEGORY=THRESHOLD"),
    "bad deadline": (["a fox", "--deadline", "nan"], 2, "deadline"),
    "day before the first card": (
        ["a fox", "--as-of", "2025-01-01"],
        2,
        "the first rate card is of 2026-04-09",
    ),
    "no day": (["a fox", "--as-of", "yesterday"], 2, "is not a date"),
    "unknown profile": (["a fox", "--profile", "poet"], 2, "profile 'poet' is not one of"),
    "broken policy": (["a fox", "--policy", "policy.toml"], 50, "policy.toml"),
    "policy missing": (["a fox", "--policy", "none.toml"], 50, "none.toml"),
    "output exists": (["a fox", "-o", "taken.jpg"], 42, "taken.jpg exists"),
    "output a device": (["a fox", "-o", "/dev/full", "--overwrite"], 42, "is a device or pipe, not a file"),
    "two pictures to stdout": (["a fox", "-o", "-", "-n", "2"], 2, "ask for -n 1"),
    "output where no file can be": (["a fox", "-o", "/proc/fox.jpg"], 42, "cannot be written"),
    "output below a file": (["a fox", "-o", "text.txt/fox.jpg"], 42, "cannot be made"),
    "unknown option": (["a fox", "--colour", "red"], 2, "--colour"),
}


@pytest.mark.parametrize(("arguments", "status", "said"), CASES.values(), ids=CASES.keys())
def test_bad_input_costs_nothing(
    files: Path, run: Run, emulator: Emulator, *, arguments: list[str], status: int, said: str
) -> None:
    """The error is typed, says numbers and way out, and comes before any request or file."""
    before, seen = sorted(files.iterdir()), len(emulator.requests())
    ran = run("generate", *arguments)
    assert (ran.status, said in ran.err) == (status, True), ran.err
    assert "Traceback" not in ran.err
    assert len(emulator.requests()) == seen
    assert sorted(files.iterdir()) == before


def test_the_installed_command_shows_no_traceback(files: Path) -> None:
    """The installed command leaves with the documented status and one line of text."""
    program = Path(sys.executable).parent / "image-router"
    ran = subprocess.run(
        [str(program), "generate", "a fox", "--ref", "text.txt"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("error (invalid_request): reference text.txt")
    assert len(ran.stderr.splitlines()) == 1


def test_without_key_and_offline_the_two_ways_out_are_named(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real call without a key is refused; there is no silent fall back to the emulator."""
    monkeypatch.delenv("IMAGE_ROUTER_OFFLINE")
    monkeypatch.delenv("IMAGE_ROUTER_AS_OF")
    ran = run("generate", "a fox")
    assert ran.status == 50
    assert "GEMINI_API_KEY" in ran.err
    assert "--offline" in ran.err


def test_explain_needs_no_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deciding and quoting work without a key."""
    monkeypatch.delenv("IMAGE_ROUTER_OFFLINE")
    assert run("explain", "a fox").status == 0


def test_what_cannot_be_decided_is_told_before_a_missing_key(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an API key a wrong model or limit is still told by its own name."""
    monkeypatch.setenv("IMAGE_ROUTER_OFFLINE", "0")
    assert "model 'foo' is not in the catalog" in run("generate", "a fox", "--model", "foo").err
    assert run("generate", "a fox", "--max-cost", "0.001").status == 5
    assert "no API key is set" in run("generate", "a fox").err
