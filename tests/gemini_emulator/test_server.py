"""Starting, stopping and wearing: the emulator as a process and as a context manager."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import httpx2
import pytest

from gemini_emulator import Emulator, Settings, serve
from gemini_emulator.__main__ import main
from gemini_emulator.settings import Options

FOX = {"contents": [{"parts": [{"text": "a fox"}]}]}
OLD = "/v1beta/models/gemini-2.5-flash-image:generateContent"


def test_importing_the_package_loads_neither_web_nor_pictures() -> None:
    """The names are resolved when first used."""
    heavy = "{'starlette', 'uvicorn', 'PIL', 'numpy', 'orjson'} & set(sys.modules)"
    code = f"import sys, gemini_emulator; print(sorted({heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_shares_nothing_with_the_router() -> None:
    """No module of the client is loaded by a serving emulator."""
    code = (
        "import sys, gemini_emulator.server, gemini_emulator.pictures; "
        "print([name for name in sys.modules if name.startswith('image_router')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_two_emulators_stand_side_by_side() -> None:
    """Each has its own port, day and bill, and frees the port at the end."""
    with serve(as_of="2026-04-09", pictures="flat") as one, serve(as_of="2026-11-22", pictures="flat") as two:
        httpx2.post(one.url + OLD, json=FOX, headers={"x-goog-api-key": "k"}).raise_for_status()
        assert (len(one.bill().entries), len(two.bill().entries)) == (1, 0)
        assert (one.today().isoformat(), two.today().isoformat()) == ("2026-04-09", "2026-11-22")
        port = int(one.url.rsplit(":", 1)[1])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_stopping_lets_go_of_a_hung_call() -> None:
    """A call that would hang for an hour ends with the server."""
    caught: list[Exception] = []

    def call(url: str) -> None:
        try:
            httpx2.post(
                url + OLD, json=FOX, headers={"x-goog-api-key": "k", "x-emulator-fault": "hang"}, timeout=60
            )
        except httpx2.TransportError as error:
            caught.append(error)

    with serve(as_of="2026-11-22", pictures="flat") as emulator:
        thread = threading.Thread(target=call, args=(emulator.url,))
        thread.start()
        while not emulator.bill().entries:
            time.sleep(0.01)
    thread.join(30)
    assert [type(error) for error in caught] == [httpx2.RemoteProtocolError]


def test_reset_forgets_everything_but_the_time(now: Any) -> None:
    """Bill, faults, requests and batch jobs are gone."""
    batch = {"batch": {"inputConfig": {"requests": {"requests": [{"request": FOX}]}}}}
    job = now.post("/v1beta/models/gemini-3-pro-image:batchGenerateContent", batch).json()
    now.generate("gemini-2.5-flash-image")
    now.emulator.faults.add("overloaded")
    now.emulator.reset()
    assert now.emulator.bill().entries == ()
    assert now.emulator.requests() == []
    assert now.generate("gemini-2.5-flash-image").status_code == 200
    assert now.get(f"/v1beta/{job['name']}").status_code == 404


def test_one_seed_gives_one_story() -> None:
    """Two emulators that receive the same calls give the same usage and, the time aside, the same ids."""
    told = []
    for _ in range(2):
        with serve(as_of="2026-11-22", pictures="flat", seed=9) as emulator:
            answers = [
                httpx2.post(emulator.url + OLD, json=FOX, headers={"x-goog-api-key": "k"}).json()
                for _ in range(2)
            ]
        told.append([(answer["responseId"][8:], answer["usageMetadata"]) for answer in answers])
    assert told[0] == told[1]
    assert told[0][0][0] != told[0][1][0]


def test_latency_is_a_scale_of_the_recorded_ones() -> None:
    """A twentieth of 4.0 to 6.0 seconds, told in server-timing; a shorter server timeout is a 504."""
    with (
        serve(as_of="2026-11-22", pictures="flat", latency=0.05) as emulator,
        httpx2.Client(base_url=emulator.url, headers={"x-goog-api-key": "k"}) as http,
    ):
        slow = http.post(OLD, json=FOX)
        cut = http.post(OLD, json=FOX, headers={"x-server-timeout": "0.05"})
        assert int(slow.headers["server-timing"].split("dur=")[1]) >= 199
        assert (cut.status_code, cut.json()["error"]["status"]) == (504, "DEADLINE_EXCEEDED")
        assert len(emulator.bill().entries) == 1


def test_drawn_pictures_have_the_size_that_was_asked() -> None:
    """The default style paints what the prompt says."""
    with (
        serve(as_of="2026-11-22") as emulator,
        httpx2.Client(base_url=emulator.url, headers={"x-goog-api-key": "k"}, timeout=60) as http,
    ):
        answer = http.post(OLD, json=FOX).raise_for_status().json()
    part = answer["candidates"][0]["content"]["parts"][0]["inlineData"]
    assert part["mimeType"] == "image/png"
    assert len(part["data"]) > 50_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"latency": 2.0}, "latency is 2.0; give a scale from 0.0 to 1.0"),
        ({"signature_bytes": 3}, "signature_bytes is 3"),
        ({"batch_polls": 0}, "batch_polls is 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any], words: str) -> None:
    """ValueError with the value and what to give instead."""
    with pytest.raises(ValueError, match=words.split(";")[0]):
        Settings(**options)


def test_the_clock_is_pushed_over_http(now: Any) -> None:
    """POST /emulator/clock moves it ahead; going back is refused."""
    before = now.get("/emulator/clock").json()["now"]
    after = now.post("/emulator/clock", {"advance_seconds": 0.5}).json()["now"]
    assert after > before
    assert now.post("/emulator/clock", {"advance_seconds": -1}).status_code == 400
    assert now.post("/emulator/clock", {}).status_code == 400


def test_health_tells_the_settings(now: Any) -> None:
    """GET /emulator needs no key."""
    body = httpx2.get(f"{now.emulator.url}/emulator").json()
    assert (body["ok"], body["as_of"], body["pictures"]) == (True, "2026-11-22", "flat")


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """`python -m gemini_emulator` on a free port."""
    command = [
        sys.executable,
        "-m",
        "gemini_emulator",
        "--port",
        "0",
        "--as-of",
        "2026-04-09",
        "--pictures",
        "flat",
    ]
    command += ["--fault", "overloaded"]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    yield running
    running.kill()
    running.wait()
    assert running.stdout is not None
    running.stdout.close()


def test_the_command_line_serves(process: subprocess.Popen[str]) -> None:
    """It says where it listens, wears the day, and begins with the faults named."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "wearing 2026-04-09" in line
    url = line.split(" at ")[1].split(",")[0]
    answer = httpx2.post(url + OLD, json=FOX, headers={"x-goog-api-key": "k"})
    assert answer.status_code == 503
    assert json.loads(httpx2.get(f"{url}/emulator").text)["as_of"] == "2026-04-09"


def test_an_interrupt_ends_it_quietly(process: subprocess.Popen[str]) -> None:
    """Ctrl-C is the ordinary way to stop: status 0."""
    assert process.stdout is not None
    process.stdout.readline()
    url = process.stdout.readline().split("bill ")[1].split("/emulator")[0]
    httpx2.get(f"{url}/emulator").raise_for_status()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


def test_the_options_of_serve_are_the_settings() -> None:
    """Every field of Settings but the day can be given to serve."""
    assert set(Options.__annotations__) == {spec.name for spec in fields(Settings)} - {"as_of"}


def test_a_taken_port_is_said_plainly(capsys: pytest.CaptureFixture[str], today: Emulator) -> None:
    """Exit status 2 and one line."""
    assert main(["--port", today.url.rsplit(":", 1)[1]]) == 2
    assert "Address already in use" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["65536", "99999", "-1"])
def test_a_port_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str], port: str) -> None:
    """A port outside 0 to 65535 is refused by number, in the command and in the class."""
    assert main(["--port", port]) == 2
    assert f"port {port} does not exist" in capsys.readouterr().err
    with pytest.raises(ValueError, match="0 for any free one"):
        Emulator(Settings(), port=int(port))


def test_help_names_every_option_and_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """--help is the catalogue of faults, too."""
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for word in (
        "--as-of",
        "--latency",
        "--pictures",
        "--signature-bytes",
        "image_safety",
        "batch_stuck",
        "hang",
    ):
        assert word in shown
