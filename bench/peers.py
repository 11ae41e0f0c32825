"""Installs what the gateway is measured beside: `python bench/peers.py` says what it does.

LiteLLM's proxy from PyPI into a virtual environment of its own, Portkey's gateway from npm, nginx unpacked
from Debian's packages without installing them. What is there is skipped. All of it lands in one folder
outside the project: $IMAGE_ROUTER_PEERS, or image-router-peers in the user's cache. Remove it to undo all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(os.environ.get("IMAGE_ROUTER_PEERS") or Path.home() / ".cache" / "image-router-peers")
LITELLM = FOLDER / "litellm" / "bin" / "litellm"
PORTKEY = FOLDER / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
NGINX = FOLDER / "nginx" / "root" / "usr" / "sbin" / "nginx"


def nginx() -> str | None:
    """The system's nginx, else the unpacked one, else None."""
    return shutil.which("nginx") or (str(NGINX) if NGINX.exists() else None)


def _litellm() -> None:
    folder = LITELLM.parents[1]
    venv.create(folder, with_pip=True)
    _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "litellm[proxy]")


def _portkey() -> None:
    folder = FOLDER / "portkey"
    folder.mkdir(parents=True, exist_ok=True)
    _run("npm", "install", "--no-fund", "--no-audit", "@portkey-ai/gateway", folder=folder)


def _nginx() -> None:
    folder = NGINX.parents[3]
    folder.mkdir(parents=True, exist_ok=True)
    _run("apt-get", "download", "nginx", folder=folder)
    for package in folder.glob("*.deb"):
        _run("dpkg", "-x", str(package), "root", folder=folder)


def _run(*command: str, folder: Path | None = None) -> None:
    print("  $", " ".join(command), flush=True)
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)


_PEERS: dict[str, tuple[Callable[[], bool], Callable[[], None]]] = {
    "LiteLLM": (LITELLM.exists, _litellm),
    "Portkey": (PORTKEY.exists, _portkey),
    "nginx": (lambda: nginx() is not None, _nginx),
}


def main() -> None:
    missing = []
    for name, (present, install) in _PEERS.items():
        if present():
            print(f"{name}: there")
            continue
        print(f"{name}: installing into {FOLDER}")
        try:
            install()
        except (OSError, subprocess.CalledProcessError) as problem:
            missing.append(name)
            print(f"{name}: not installed: {problem}", file=sys.stderr)
    sys.exit(f"measured without {', '.join(missing)}" if missing else 0)


if __name__ == "__main__":
    main()
