"""The command line in process: offline, on a fixed day, in an empty folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gemini_emulator import Emulator
from image_router.cli.app import outcome_of
from image_router.config import VARIABLES
from image_router.wiring import offline_emulator

DAY = "2026-11-22"
APRIL = "2026-04-09"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One finished command."""

    status: int
    raw: bytes
    """What stdout got."""
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, no settings but offline mode, the day and an own home."""
    for variable in {name for names in VARIABLES.values() for name in names}:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("IMAGE_ROUTER_OFFLINE", "1")
    monkeypatch.setenv("IMAGE_ROUTER_AS_OF", DAY)
    monkeypatch.setenv("IMAGE_ROUTER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(here: Path) -> Run:
    """Run `image-router …`; `stdin` is what a pipe would hold."""

    def call(*arguments: str, stdin: str | bytes = "") -> Ran:
        with CliRunner().isolation(input=stdin) as (out, err, _):
            status = outcome_of(list(arguments))
            return Ran(status=status, raw=out.getvalue(), err=err.getvalue().decode())

    return call


@pytest.fixture
def emulator(here: Path) -> Iterator[Emulator]:
    """The emulator that offline commands of DAY talk to, without faults."""
    emulator = offline_emulator(date.fromisoformat(os.environ["IMAGE_ROUTER_AS_OF"]))
    emulator.faults.clear()
    yield emulator
    emulator.faults.clear()
