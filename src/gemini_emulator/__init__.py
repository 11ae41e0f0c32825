"""A stranger's copy of the Gemini API: a real HTTP server for image models, with faults on demand and a bill.

    from gemini_emulator import serve

    with serve(as_of="2026-04-09", latency=0.0) as emulator:
        ...  # talk to emulator.url as if it were https://generativelanguage.googleapis.com
        emulator.bill().total  # nano-dollars the provider would have charged

It is written from published facts and recorded traffic alone and knows nothing of the router it serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gemini_emulator.server import Emulator, serve
    from gemini_emulator.settings import Settings

__all__ = ["Emulator", "Settings", "serve"]

_HOMES = {"Emulator": "server", "Settings": "settings", "serve": "server"}


def __getattr__(name: str) -> Any:
    """Load the web stack only when a public name is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
