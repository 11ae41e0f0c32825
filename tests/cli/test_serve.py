"""`serve`: refusals before anything listens; a stop that lets work end; several processes on one socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from gemini_emulator import Emulator
from image_router.cli.app import cli, outcome_of
from image_router.testing import emulated

DAY = "2026-11-22"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def _serving(home: Path, emulator: Emulator, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    port = _free_port()
    program = Path(sys.executable).with_name("image-router")
    command = [str(program), "serve", "--port", str(port), "--home", str(home)]
    settings = {"IMAGE_ROUTER_EMULATOR_URL": emulator.url, "IMAGE_ROUTER_AS_OF": DAY}
    process = subprocess.Popen(
        [*command, "--offline", *options], env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _until_ready(url, process)
        yield url, process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _until_ready(url: str, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5)
        except OSError:
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        else:
            return
    raise AssertionError("it never became ready")


def _generate(url: str, prompt: str = "a fox") -> tuple[int, dict[str, object]]:
    body = json.dumps({"prompt": prompt}).encode()
    request = urllib.request.Request(
        f"{url}/v1/images/generations", body, {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_open_doors_are_for_loopback_alone() -> None:
    """--open on an address that others reach is refused before it listens."""
    result = CliRunner().invoke(cli, ["serve", "--open", "--host", "0.0.0.0"])
    assert "spend your money" in str(result.exception)


def test_a_taken_port_is_told_before_it_serves(capsys: pytest.CaptureFixture[str]) -> None:
    """Where somebody listens already, one error says so, and no address is announced."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert outcome_of(["serve", "--offline", "--open", "--port", str(port)]) == 50
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port} cannot be listened on (Address already in use)" in said
    assert "serving" not in said


def test_half_of_tls_is_refused(tmp_path: Path) -> None:
    """A certificate without its key serves nobody."""
    certificate = tmp_path / "cert.pem"
    certificate.write_text("")
    assert outcome_of(["serve", "--tls-cert", str(certificate)]) == 2


def test_it_says_how_to_make_the_first_key(tmp_path: Path) -> None:
    """Nobody has to guess how to get in."""
    with emulated(as_of=DAY) as emulator, _serving(tmp_path, emulator) as (url, process):
        assert _generate(url)[0] == 401
        process.terminate()
        words = process.communicate(timeout=60)[1]
    assert "keys create admin --admin" in words


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_lets_the_request_under_way_end(tmp_path: Path, workers: str) -> None:
    """After SIGTERM the picture that was asked for still comes, new requests get 503 with Retry-After."""
    with (
        emulated(as_of=DAY, latency=0.0) as emulator,
        _serving(tmp_path, emulator, "--open", "--workers", workers) as (url, process),
    ):
        emulator.faults.add("slow;seconds=6", times=1)
        answers: list[tuple[int, dict[str, object]]] = []
        asking = threading.Thread(target=lambda: answers.append(_generate(url)))
        asking.start()
        while not emulator.requests():
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        while _generate(url)[0] != 503:
            assert asking.is_alive()
        asking.join(60)
        assert process.wait(60) in (0, -signal.SIGTERM)
    assert answers[0][0] == 200
