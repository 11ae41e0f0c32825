"""The harnesses that drive the whole engine, short in every run and long behind `-m long`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.money import KINDS

HERE = Path(__file__).parent
LONG = (pytest.mark.long, pytest.mark.timeout(1800))


def said(program: str, *arguments: str) -> str:
    """What a harness prints. It runs in a process of its own, since it forks its workers."""
    command = [sys.executable, str(HERE / program), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def row(printed: str, name: str) -> str:
    """The row of a harness's table with this name."""
    return next(line.removeprefix(f"  {name} ").strip() for line in printed.splitlines() if name in line)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kills", [16, pytest.param(400, marks=LONG)])
def test_killed_at_any_point(kind: str, kills: int) -> None:
    """Processes killed -9 anywhere lose no paid picture, pay none twice unbidden, and leave books that are
    the provider's bill."""
    printed = said("engine_kills.py", "--database", kind, "--kills", str(kills))
    assert int(row(printed, "kills").split()[0]) >= kills
    assert row(printed, "charged twice") == row(printed, "lost paid pictures") == "0"
    assert row(printed, "holds left") == row(printed, "overspend") == "0"
    assert row(printed, "ledger after reconciliation") == "equals the bill"


@pytest.mark.parametrize(
    ("kind", "requests"),
    [
        (KINDS[0], 100),
        pytest.param(KINDS[0], 2000, marks=LONG),
        pytest.param(KINDS[1], 2000, marks=LONG),
    ],
)
def test_a_fifth_of_all_calls_fails(kind: str, requests: int) -> None:
    """With every fault injected the ledger is the emulator's bill to the nano-dollar, and callers were told
    what the ledger says."""
    printed = said("mixed.py", "--database", kind, "--requests", str(requests))
    assert row(printed, "difference") == "0 nano-dollars"
    assert int(row(printed, "faults injected").split()[0]) >= requests // 10
