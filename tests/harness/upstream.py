"""The emulator in a process of its own: what it charged survives whatever happens to its callers."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from image_router.core.bills import read_bill
from image_router.core.reconcile import Charge

_PATIENCE = 60.0


@dataclass(frozen=True)
class Billed:
    """One entry of the emulator's own bill."""

    account: str
    """The last four characters of the API key that was used."""
    outcome: str
    amount: int


@dataclass(frozen=True)
class Upstream:
    """A running emulator, by its address."""

    url: str

    def bill(self) -> list[Billed]:
        """Everything it accepted so far."""
        entries = orjson.loads(self._get("/emulator/bill"))["entries"]
        return [Billed(one["key"], one["outcome"], one["total"]) for one in entries]

    def charges(self) -> list[Charge]:
        """The same as reconciliation reads it."""
        return read_bill(self._get("/emulator/bill").decode(), name="the emulator's bill")

    def fail(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Load fault rules."""
        self._ask(urllib.request.Request(f"{self.url}/emulator/faults", orjson.dumps(list(rules))))

    def injected(self) -> Counter[str]:
        """How often each fault of the scripts in force has happened so far."""
        rules = orjson.loads(self._get("/emulator/faults"))["rules"]
        steps = (rule["steps"][n % len(rule["steps"])] for rule in rules for n in range(rule["position"]))
        return Counter(step for step in steps if step != "ok")

    def _get(self, path: str) -> bytes:
        return self._ask(urllib.request.Request(self.url + path))

    def _ask(self, request: urllib.request.Request) -> bytes:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            body: bytes = answer.read()
            return body


@contextmanager
def upstream(*options: str) -> Iterator[Upstream]:
    """An emulator with flat pictures on a free port; `options` as `python -m gemini_emulator` takes them."""
    command = [sys.executable, "-m", "gemini_emulator", "--port", "0", "--pictures", "flat", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            if server.stdout is None or not (said := server.stdout.readline()):
                raise RuntimeError("the emulator did not start; see its own words above")
            yield Upstream(said.split(" at ")[1].split(",")[0])
        finally:
            server.terminate()
