"""Emulators for these tests: one process-wide server per emulated day, emptied before every test."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from PIL import Image

from gemini_emulator import Emulator, serve

KEY = "test-key-1234"


def _served(**options: Any) -> Iterator[Emulator]:
    with serve(pictures="flat", signature_bytes=600, **options) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def today_server() -> Iterator[Emulator]:
    yield from _served(as_of="2026-11-22")


@pytest.fixture(scope="session")
def april_server() -> Iterator[Emulator]:
    yield from _served(as_of="2026-04-09")


@pytest.fixture
def today(today_server: Emulator) -> Emulator:
    """The world of 2026-11-22, with an empty bill and no faults."""
    httpx2.post(f"{today_server.url}/emulator/reset").raise_for_status()
    return today_server


@pytest.fixture
def april(april_server: Emulator) -> Emulator:
    """The world of 2026-04-09, with an empty bill and no faults."""
    httpx2.post(f"{april_server.url}/emulator/reset").raise_for_status()
    return april_server


@pytest.fixture(autouse=True)
def _no_server_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A served test fails when the server logs an error of its own."""
    yield
    said = [record.getMessage() for record in caplog.get_records("call") if record.name.startswith("uvicorn")]
    assert said == []


class Caller:
    """Speaks plain HTTP to an emulator."""

    def __init__(self, emulator: Emulator, key: str = KEY) -> None:
        self.emulator = emulator
        self.http = httpx2.Client(base_url=emulator.url, headers={"x-goog-api-key": key}, timeout=30)

    def post(self, path: str, body: Any, fault: str | None = None, **headers: str) -> httpx2.Response:
        if fault is not None:
            headers["x-emulator-fault"] = fault
        return self.http.post(path, json=body, headers=headers)

    def generate(
        self, model: str, prompt: str = "a red fox", fault: str | None = None, **config: Any
    ) -> httpx2.Response:
        body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}
        if config:
            body["generationConfig"] = config
        return self.post(f"/v1beta/models/{model}:generateContent", body, fault)

    def predict(self, model: str, fault: str | None = None, **parameters: Any) -> httpx2.Response:
        body = {"instances": [{"prompt": "a red fox"}], "parameters": parameters}
        return self.post(f"/v1beta/models/{model}:predict", body, fault)

    def get(self, path: str, **params: Any) -> httpx2.Response:
        return self.http.get(path, params=params)


@pytest.fixture
def now(today: Emulator) -> Iterator[Caller]:
    """A caller of today's world."""
    caller = Caller(today)
    yield caller
    caller.http.close()


@pytest.fixture
def then(april: Emulator) -> Iterator[Caller]:
    """A caller of April's world."""
    caller = Caller(april)
    yield caller
    caller.http.close()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """Makes a small real picture."""

    def make(size: tuple[int, int] = (128, 128), kind: str = "PNG") -> bytes:
        out = io.BytesIO()
        Image.new("RGB", size, (200, 40, 40)).save(out, kind)
        return out.getvalue()

    return make
