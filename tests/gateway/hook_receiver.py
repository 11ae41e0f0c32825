"""A receiver of webhooks that checks signatures as the Standard Webhooks specification says, by itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """Keeps what came; answers the first calls with the statuses it is given, then 204."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.url = ""
        self._arrived = threading.Condition()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        with self._arrived:
            self.messages.append({"headers": headers, "body": body})
            self._arrived.notify_all()
            return self.statuses.pop(0) if self.statuses else 204

    def wait(self, count: int, *, seconds: float = 60) -> list[dict[str, Any]]:
        """The messages, as soon as there are so many."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.messages) >= count, seconds):
                raise TimeoutError(f"{len(self.messages)} messages came, not {count}")
            return list(self.messages)


def verified(message: dict[str, Any], secret: str) -> dict[str, Any]:
    """The payload of a message that one signature of the secret fits. Raises ValueError for any other."""
    headers, body = message["headers"], message["body"]
    sent, name = headers["webhook-timestamp"], headers["webhook-id"]
    if abs(time.time() - int(sent)) > 300:
        raise ValueError("too old or too new")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{name}.{sent}.".encode() + body, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(mac).decode()
    if wanted not in headers["webhook-signature"].split(" "):
        raise ValueError("no signature fits")
    payload: dict[str, Any] = json.loads(body)
    return payload


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Over real HTTP, on loopback."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.take(headers, body)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", receiver.url)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
