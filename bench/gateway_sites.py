"""The gateways that bench_gateway measures: how each is started in front of the fake upstream, and asked."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import peers
from image_router.core.money import USD
from image_router.core.router_keys import KeyRules
from image_router.core.storing import StoreMode
from image_router.storage.budgets import Budgets
from image_router.storage.database import Database
from image_router.storage.router_keys import RouterKeys

HERE = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0))
GATEWAY_CORE, OTHER_CORE = CORES[0], CORES[-1]
PATIENCE = 120.0
"""Seconds for a gateway to give its first answer."""
MODEL = "gemini-3-pro-image"
_SCOPE = "acme/studio/key"
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Site:
    """A gateway that runs; `pid` leads its own process group."""

    name: str
    port: int
    path: str
    headers: tuple[str, ...]
    form: str
    """JSON of a request with PROMPT in it."""
    pid: int
    first_reply: float = 0.0
    """Seconds from start to the first picture."""

    def request(self, word: str) -> str:
        body = self.form.replace("PROMPT", f"a red mug [{word}]")
        head = [
            f"POST {self.path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *self.headers,
        ]
        return "\r\n".join([*head, "", body])

    def cpu(self) -> float:
        """Seconds of processor time so far, children included."""
        return sum(sum(_stat(pid)[11:13]) for pid in _group(self.pid)) / _TICK

    def peak(self) -> float:
        """MiB: the most that was resident since `forget_peak`, summed over its processes."""
        return sum(_status(pid, "VmHWM") for pid in _group(self.pid)) / 1024

    def resident(self) -> float:
        return sum(_status(pid, "VmRSS") for pid in _group(self.pid)) / 1024

    def forget_peak(self) -> None:
        for pid in _group(self.pid):
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def _stat(pid: int) -> list[int]:
    """The numbers of /proc/PID/stat after the command's name; [2] is the group, [11] and [12] the ticks."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return [0] * 20
    return [0, *(int(field) for field in fields[1:20])]


def _group(leader: int) -> Sequence[int]:
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in pids if _stat(pid)[2] == leader]


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def helper(*arguments: str, core: int = OTHER_CORE) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A Python process of the bench that says its port first."""
    command = [*pinned(core), sys.executable, str(HERE / arguments[0]), *arguments[1:]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process, int(output(process).readline())
    finally:
        _stop(process)


def pinned(core: int) -> list[str]:
    """What a command is begun with to run on one core."""
    return ["taskset", "-c", str(core)]


def output(process: subprocess.Popen[str]) -> IO[str]:
    if process.stdout is None:
        raise RuntimeError("its output is not read")
    return process.stdout


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _running(command: list[str], site: Site, folder: Path, **environment: str) -> Iterator[Site]:
    """Start, wait for the first picture, stop."""
    log = (folder / f"{site.name.replace(' ', '-')}.log").open("w")
    began = time.perf_counter()
    process = subprocess.Popen(
        [*pinned(GATEWAY_CORE), *command],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=log,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        _await_picture(process, site, log.name)
        taken = time.perf_counter() - began
        yield Site(**{**vars(site), "pid": process.pid, "first_reply": taken})
    finally:
        _stop(process)
        log.close()


def _await_picture(process: subprocess.Popen[str], site: Site, log: str) -> None:
    latest, said = time.perf_counter() + PATIENCE, ""
    while time.perf_counter() < latest and process.poll() is None:
        try:
            status, said = _ask(site)
            if status == 200:
                return
            if 400 <= status < 500:
                break
        except (OSError, http.client.HTTPException) as problem:
            said = str(problem)
        time.sleep(0.01)
    raise RuntimeError(f"{site.name} gave no picture: {said[:300]}\n{Path(log).read_text()[-1000:]}")


def _ask(site: Site) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    try:
        headers = dict(line.split(": ", 1) for line in site.headers)
        body = site.form.replace("PROMPT", "a red mug [8K]")
        connection.request("POST", site.path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def ours(
    folder: Path, upstream: int, *, store: StoreMode = StoreMode.NONE, watch: bool = False
) -> AbstractContextManager[Site]:
    """image-router serve, with a router key, budgets of three scopes, ledger, routing and metrics."""
    home, port = folder / f"home-{store}-{watch}", free_port()
    home.mkdir()
    secret = asyncio.run(_furnished(home / "ledger.db"))
    program = [str(Path(sys.executable).with_name("image-router"))]
    if watch:
        program = [sys.executable, str(HERE / "gateway_watched.py")]
    command = [*program, "serve", "--home", str(home), "--port", str(port)]
    name = {StoreMode.NONE: "image-router", StoreMode.ALL: "and pictures kept"}[store]
    site = Site(
        name=f"{name}, watched" if watch else name,
        port=port,
        path="/v1/images/generations",
        headers=(f"Authorization: Bearer {secret}",),
        form=json.dumps({"model": MODEL, "prompt": "PROMPT"}),
        pid=0,
    )
    return _running(
        command,
        site,
        folder,
        GEMINI_API_KEY="bench",
        GOOGLE_GEMINI_BASE_URL=f"http://127.0.0.1:{upstream}",
        IMAGE_ROUTER_STORE=store.value,
        IMAGE_ROUTER_LOG_LEVEL="warning",
    )


async def _furnished(address: Path) -> str:
    async with await Database.open(address) as database:
        for scope in ("acme", "acme/studio", _SCOPE):
            await Budgets(database).set(scope, who="bench", day=1_000_000 * USD, month=10_000_000 * USD)
        made = await RouterKeys(database).create(KeyRules(name="bench", scope=_SCOPE), who="bench")
        return made.secret.text


_GEMINI = json.dumps({"contents": [{"parts": [{"text": "PROMPT"}]}]})


def direct(port: int) -> Site:
    """The upstream itself."""
    return Site("upstream", port, f"/v1beta/models/{MODEL}:generateContent", (), _GEMINI, 0)


@contextmanager
def relay(folder: Path, upstream: int) -> Iterator[Site]:
    with helper("gateway_upstream.py", str(upstream), core=GATEWAY_CORE) as (process, port):
        yield Site("bare relay", port, direct(0).path, (), _GEMINI, process.pid)


_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; client_body_temp_path {folder}/nginx-body; proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-f; uwsgi_temp_path {folder}/nginx-u; scgi_temp_path {folder}/nginx-s;
  upstream gemini {{ server 127.0.0.1:{upstream}; keepalive 256; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://gemini; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_max_temp_file_size 0; proxy_buffers 32 64k; proxy_buffer_size 64k;
    }}
  }}
}}
"""


def nginx(folder: Path, upstream: int) -> AbstractContextManager[Site]:
    """It proxies and knows nothing of pictures: the yardstick."""
    port, found = free_port(), peers.nginx() or "nginx"
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, upstream=upstream))
    site = Site("nginx", port, direct(0).path, (), _GEMINI, 0)
    return _running([found, "-c", str(config), "-p", str(folder)], site, folder)


def litellm(folder: Path, upstream: int) -> AbstractContextManager[Site]:
    """Its proxy, without database, callbacks or spend logs."""
    port, key = free_port(), "sk-bench-0123456789abcdef"
    entry = {
        "model_name": "image",
        "litellm_params": {
            "model": "gemini/gemini-3-pro-image-preview",
            "api_key": "bench",
            "api_base": f"http://127.0.0.1:{upstream}/v1beta",
        },
    }
    config = folder / "litellm.yaml"
    config.write_text(json.dumps({"model_list": [entry], "general_settings": {"master_key": key}}))
    site = Site(
        name="LiteLLM",
        port=port,
        path="/v1/images/generations",
        headers=(f"Authorization: Bearer {key}",),
        form=json.dumps({"model": "image", "prompt": "PROMPT"}),
        pid=0,
    )
    command = [str(peers.LITELLM), "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "NO_DOCS": "True"}
    return _running([*command, "--num_workers", "1", "--telemetry", "False"], site, folder, **quiet)


def portkey(folder: Path, upstream: int) -> AbstractContextManager[Site]:
    """Its gateway knows Gemini's pictures on the chat route alone."""
    port = free_port()
    site = Site(
        name="Portkey",
        port=port,
        path="/v1/chat/completions",
        headers=(
            "Authorization: Bearer bench",
            f"x-portkey-custom-host: http://127.0.0.1:{upstream}",
            "x-portkey-provider: google",
            "x-portkey-strict-open-ai-compliance: false",
        ),
        form=json.dumps(
            {
                "model": MODEL,
                "modalities": ["image"],
                "messages": [{"role": "user", "content": "PROMPT"}],
            }
        ),
        pid=0,
    )
    command = ["node", str(peers.PORTKEY), f"--port={port}", "--headless"]
    return _running(command, site, folder, NODE_ENV="production")
