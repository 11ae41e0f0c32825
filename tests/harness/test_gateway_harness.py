"""The harness that kills workers of the gateway, at length; its short form is gateway/test_together.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_workers_killed_again_and_again() -> None:
    """A dozen kills under load, PostgreSQL at full durability: every picture once, the books the bill."""
    program = Path(__file__).parent / "gateway_kills.py"
    command = [sys.executable, str(program), "--pieces", "400", "--kills", "12"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "workers killed                   12, restarted 12" in run.stdout
    assert "pieces of work done              400" in run.stdout
