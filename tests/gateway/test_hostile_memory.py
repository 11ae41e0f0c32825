"""Many large bodies at once: a process of its own, and the most memory it ever had."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway import raw
from harness.gateways import free_port, wait_until_served
from image_router.testing import emulated

MIB = 1 << 20
BODY, ROOM = 16 * MIB, 48 * MIB
CALLERS = 16


@dataclass(frozen=True)
class Alone:
    """A gateway in its own process."""

    url: str
    process: subprocess.Popen[bytes]

    def peak(self) -> int:
        """The most memory it ever had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    port = free_port()
    with emulated(as_of="2026-11-22") as emulator:
        settings = {
            "IMAGE_ROUTER_HOME": str(tmp_path / "home"),
            "IMAGE_ROUTER_EMULATOR_URL": emulator.url,
            "IMAGE_ROUTER_OFFLINE": "1",
            "IMAGE_ROUTER_LIMITS": f"json_body={BODY} form_body={BODY} bodies={ROOM} body_wait=60",
        }
        program = "from image_router.cli.app import run; run()"
        command = [sys.executable, "-c", program, "serve", "--open", "--port", str(port)]
        with subprocess.Popen(command, env={**os.environ, **settings}, stderr=subprocess.DEVNULL) as process:
            try:
                yield Alone(wait_until_served(f"http://127.0.0.1:{port}", process), process)
            finally:
                process.terminate()


def test_memory_has_an_end_however_many_send(alone) -> None:
    """Five times what there is room for, all at once: everybody is answered, and the process stays small."""
    junk = "A" * (BODY - 1000)
    body = json.dumps({"prompt": "a fox", "images": [f"data:image/png;base64,{junk}"]}).encode()
    before = alone.peak()
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(
            callers.map(lambda _: raw.asked(alone.url, raw.post("/v1/images/edits", body)), range(CALLERS))
        )
    assert Counter(status for status, _, _ in answers) == {400: CALLERS}
    assert alone.peak() - before < 4 * ROOM + 128 * MIB


def test_refused_bodies_cost_no_memory(alone) -> None:
    """Whoever sends more than is taken, told or chunked, is read no further."""
    before = alone.peak()
    told = raw.head("POST /v1/images/edits", raw.JSON, f"content-length: {100 * BODY}")
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(lambda _: raw.asked(alone.url, told + b" " * MIB), range(CALLERS)))
    assert {status for status, _, _ in answers} == {413}
    assert alone.peak() - before < BODY
