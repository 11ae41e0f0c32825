"""Work asked for again: --key, --cache and the cache command, over the emulator and its bill."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from cli.conftest import DAY, Run
from gemini_emulator import Emulator, serve
from image_router.core.money import usd_text

PROGRAM = Path(sys.executable).parent / "image-router"


def test_a_key_is_paid_once(run: Run, here: Path, emulator: Emulator) -> None:
    """The same key again gives the same bytes for nothing and says so; another request under it exits 7."""
    first = run("generate", "a fox", "-n", "2", "--key", "k1", "--json").json
    before = emulator.bill().total
    again = run("generate", "a fox", "-n", "2", "--key", "k1", "--json").json
    assert emulator.bill().total == before
    assert [image["sha256"] for image in again["images"]] == [image["sha256"] for image in first["images"]]
    assert (again["cost_usd"], [image["cached"] for image in again["images"]]) == ("0", [True, True])
    files = [(here / f"image{number}.jpg").read_bytes() for number in ("", "-2", "-3", "-4")]
    assert set(files[:2]) == set(files[2:])
    assert "free, paid before" in run("generate", "a fox", "-n", "2", "--key", "k1").out
    assert run("generate", "a bear", "-n", "2", "--key", "k1").status == 7


def test_a_removed_picture_is_not_paid_again(run: Run, here: Path, emulator: Emulator) -> None:
    """A finished key whose picture is gone exits 42, and nothing is paid."""
    run("generate", "a fox", "--key", "k1")
    run("forget", "--scope", "default", "--yes")
    before = emulator.bill().total
    assert run("generate", "a fox", "--key", "k1").status == 42
    assert emulator.bill().total == before


def test_a_refused_key_stays_refused(run: Run, emulator: Emulator) -> None:
    """A refusal is remembered under its key: no second call, no second cost, and that is said."""
    emulator.faults.load([{"fault": "prompt_blocked", "times": 1}])
    assert "the failed attempts cost $" in run("generate", "a fox", "--key", "k1").err
    calls = len(emulator.requests())
    again = run("generate", "a fox", "--key", "k1")
    assert (again.status, "cost $" in again.err) == (27, False)
    assert "answered before under this key; nothing was sent, nothing was paid" in again.err
    told = run("generate", "a fox", "--key", "k1", "--json").json["error"]
    assert (told["replayed"], told["cost_usd"], told["attempts"]) == (True, "0", [])
    assert len(emulator.requests()) == calls


def test_a_refused_variant_is_asked_for_anew(run: Run, here: Path, emulator: Emulator) -> None:
    """Running a chain's folder again asks for the refused variant anew, and pays for nothing else."""
    emulator.faults.load([{"script": ["ok", "prompt_blocked"]}])
    asked = ("chain", "Mira", "--variant", "asleep", "-o", "mira/")
    assert run(*asked).status == 8
    before = emulator.bill().total
    again = run(*asked, "--json").json
    assert set(again["files"]) == {"reference", "variant-001"}
    assert usd_text(emulator.bill().total - before) == again["cost_usd"]


def test_a_failure_without_cost_frees_its_key(run: Run, emulator: Emulator) -> None:
    """After a failed try the key is free, and the next try is paid once."""
    emulator.faults.load([{"fault": "key_invalid", "times": 1}])
    assert run("generate", "a fox", "--key", "k1").status == 28
    assert run("generate", "a fox", "--key", "k1").status == 0


def test_the_cache_is_asked_for(run: Run, emulator: Emulator) -> None:
    """Twice the same prompt is twice a picture; with --cache use the second is free; stats and clear tell."""
    emulator.reset()
    run("generate", "a fox")
    run("generate", "a fox")
    first = run("generate", "a hero", "--cache", "use", "--json").json
    before = emulator.bill().total
    hit = run("generate", "a  hero", "--cache", "use", "--json").json
    assert emulator.bill().total == before
    assert hit["images"][0]["sha256"] == first["images"][0]["sha256"]
    assert (hit["cost_usd"], hit["images"][0]["cached"]) == ("0", True)
    assert len(emulator.bill().entries) == 3
    stats = run("cache", "stats", "--json").json
    assert (stats["entries"], stats["hits"], stats["saved_usd"]) == (1, 1, first["cost_usd"])
    assert "used 1 times" in run("cache", "stats").out
    assert run("cache", "clear", "--json").json["cleared"] == 1
    run("generate", "a hero", "--cache", "use")
    assert emulator.bill().total > before


def test_only_what_is_missing_is_paid(run: Run, emulator: Emulator) -> None:
    """Of three images two are cached: one call, its cost, three pictures."""
    emulator.reset()
    run("generate", "a hero", "-n", "2", "--cache", "use")
    before = emulator.bill().total
    ran = run("generate", "a hero", "-n", "3", "--cache", "use", "--json").json
    assert [image["cached"] for image in ran["images"]] == [True, True, False]
    assert ran["cost_usd"] == usd_text(emulator.bill().total - before)
    assert len(emulator.bill().entries) == 3


def test_something_alike_is_only_said(run: Run, emulator: Emulator) -> None:
    """A prompt like one paid for is made and paid; the note names the earlier picture."""
    run("generate", "a red fox in the deep snow at night", "--cache", "use")
    ran = run("generate", "a red fox in deep snow at night", "--cache", "use")
    assert "you paid" in ran.err
    assert "free, paid before" not in ran.out


@pytest.fixture
def server(here: Path) -> Iterator[tuple[Emulator, dict[str, str]]]:
    """An emulator for several processes, and the environment in which they use it."""
    environ = {k: v for k, v in os.environ.items() if k not in ("IMAGE_ROUTER_OFFLINE", "IMAGE_ROUTER_AS_OF")}
    with serve(as_of=date.fromisoformat(DAY)) as emulator:
        yield emulator, environ | {"GEMINI_API_KEY": "any", "GOOGLE_GEMINI_BASE_URL": emulator.url}


def started(environ: dict[str, str], *more: str) -> subprocess.Popen[str]:
    command = [str(PROGRAM), "generate", "a fox", "--key", "k1", *more]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_pay_once(server: tuple[Emulator, dict[str, str]], here: Path) -> None:
    """Two processes with one key at once: one payment, the same bytes for both."""
    emulator, environ = server
    both = [started(environ, "-o", f"{name}.jpg") for name in ("one", "two")]
    for process in both:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert len(emulator.bill().entries) == 1
    assert (here / "one.jpg").read_bytes() == (here / "two.jpg").read_bytes()


def test_a_killed_process_is_not_paid_twice(server: tuple[Emulator, dict[str, str]], here: Path) -> None:
    """Killed with one of two images made: the next try pays for the other one alone."""
    emulator, environ = server
    emulator.faults.load([{"script": ["ok", "hang"]}])
    running = started(environ, "-n", "2", "-o", "fox")
    while not [*here.glob("fox*.jpg")] and running.poll() is None:
        os.sched_yield()
    running.send_signal(signal.SIGKILL)
    running.communicate()
    emulator.faults.clear()
    paid = len(emulator.bill().entries)
    _silent(here.parent / "home/ledger.db")
    never = started(environ | {"IMAGE_ROUTER_ON_AMBIGUOUS": "never"}, "-n", "2", "-o", "a")
    _, err = never.communicate(timeout=60)
    assert never.returncode == 8, err
    assert "may have been billed" in err
    assert len(emulator.bill().entries) == paid
    once = started(environ | {"IMAGE_ROUTER_ON_AMBIGUOUS": "once"}, "-n", "2", "-o", "b")
    _, err = once.communicate(timeout=60)
    assert once.returncode == 0, err
    assert len(emulator.bill().entries) == paid + 1
    (kept,) = here.glob("fox*.jpg")
    assert kept.read_bytes() in [(here / name).read_bytes() for name in ("b.jpg", "b-2.jpg")]


def _silent(database: Path) -> None:
    """As if the leases of the killed process were over."""
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE works SET lease_until = 0")
