"""A real S3 server with a bucket named pictures, as a fixture."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest

from image_router.storage.objects import ObjectStore
from image_router.storage.stores import open_store


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Address of a real S3 server, a process of its own on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _put_bucket(f"http://127.0.0.1:{port}/pictures")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def store_at(address: str, folder: str) -> ObjectStore:
    """A folder of the server's bucket as a store."""
    options = {
        "endpoint": address,
        "access_key_id": "test",
        "secret_access_key": "test",
        "region": "us-east-1",
        "allow_http": "true",
    }
    return open_store(f"s3://pictures/{folder}", options=options)


def _put_bucket(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the S3 server does not answer")
