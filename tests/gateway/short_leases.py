"""A gateway in a process of its own, as `image-router serve` runs it, whose leases end soon: for tests that
kill it. `python short_leases.py PORT '{"home": …}'`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2 as httpx

LEASE = 9.0


class Process:
    """One gateway, to be stopped or killed at will."""

    def __init__(self, settings: dict[str, Any], log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        with log.open("a") as out:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(port), json.dumps(settings)], stdout=out, stderr=out
            )
        self._log = log
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{self.url}/healthz")
                return
            except httpx.TransportError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(self._log.read_text()) from None
                time.sleep(0.05)

    def kill(self) -> None:
        """As a power cut would."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> None:
        """As an orchestrator does; returns when it has ended."""
        self._process.terminate()
        self._process.wait(60)

    def end(self) -> None:
        if self._process.poll() is None:
            self.kill()


@contextmanager
def starting(settings: dict[str, Any], log: Path) -> Iterator[Any]:
    """What starts gateways of these settings; all are gone at the end."""
    running: list[Process] = []

    def start(**more: Any) -> Process:
        running.append(Process({**settings, **more}, log))
        return running[-1]

    try:
        yield start
    finally:
        for process in running:
            process.end()


def main(port: str, settings: str) -> None:
    from image_router.core import holds

    # Before anything else is imported: everybody takes it from there.
    holds.LEASE = LEASE
    from image_router.gateway.api import worker
    from image_router.gateway.opening import Choices
    from image_router.gateway.serving import Bind, serve

    serve(partial(worker, Choices(open=True), **json.loads(settings)), Bind(port=int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
