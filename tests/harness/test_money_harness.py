"""The money harnesses, short in every run and long behind `-m long`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness import concurrency
from harness.money import KINDS, fresh_database

HERE = Path(__file__).parent


@pytest.mark.parametrize("kind", KINDS)
def test_one_scope_shared_by_processes(kind: str) -> None:
    """Four processes of 64 tasks on one scope: all who wait are served, and no moment is above the cap."""
    with fresh_database(kind) as address:
        result = concurrency.run(concurrency.Plan(address, requests=1))
    assert result.passed, str(result)
    assert result.looks > 0


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_random(kind: str) -> None:
    """Processes killed -9 in the middle leave a ledger that adds up, holds nothing and equals the bill."""
    # In a process of its own: it forks, which a test run full of threads should not.
    killing = [sys.executable, str(HERE / "kills.py"), kind, "12"]
    run = subprocess.run(killing, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "16 kills" in run.stdout
    assert "ledger equals the bill" in run.stdout


@pytest.mark.long
@pytest.mark.parametrize("program", ["concurrency.py", "kills.py"])
@pytest.mark.parametrize("kind", KINDS)
def test_at_length(kind: str, program: str) -> None:
    """The full harnesses: 1,024 requests, and hundreds of kills, on each database."""
    arguments = [kind, "400"] if program == "kills.py" else [kind]
    running = [sys.executable, str(HERE / program), *arguments]
    run = subprocess.run(running, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
