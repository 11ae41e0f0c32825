"""Runs the gateway under uvicorn: one process, or several that share a socket."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from image_router.config import Limits
from image_router.gateway.guarding import GuardedConfig
from image_router.gateway.memory import keep_freed_memory
from image_router.telemetry.prometheus import shared_between_workers

_GARBAGE = 5_000
"""Objects made since garbage was last looked for: a request under way has some hundreds."""
KEEP_ALIVE = 75
"""Seconds an idle connection stays open: longer than the minute most load balancers keep theirs."""
SILENCE = 60
"""Seconds a worker may be silent before its supervisor kills it. It is while it starts, and on a busy machine
that takes longer than uvicorn's five: it would be killed for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """Where to listen, and how many processes do."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    tls_cert: Path | None = None
    tls_key: Path | None = None
    limits: Limits = field(default_factory=Limits)


def config_of(factory: Callable[[], Any], bind: Bind) -> uvicorn.Config:
    """uvicorn's configuration; `factory` makes the application, in each process, and must be picklable."""
    return GuardedConfig(
        factory,
        limits=bind.limits,
        factory=True,
        host=bind.host,
        port=bind.port,
        workers=bind.workers,
        ssl_certfile=bind.tls_cert,
        ssl_keyfile=bind.tls_key,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        headers=[("x-content-type-options", "nosniff")],
        timeout_keep_alive=KEEP_ALIVE,
        timeout_worker_healthcheck=SILENCE,
    )


def serve(factory: Callable[[], Any], bind: Bind) -> None:
    """Serve until a signal says stop; returns when everything under way has ended."""
    config = config_of(partial(_tuned, factory), bind)
    if bind.workers == 1:
        uvicorn.Server(config).run()
        return
    with shared_between_workers():
        listener = config.bind_socket()
        Multiprocess(config, sockets=[listener]).run()


def _tuned(factory: Callable[[], Any]) -> Any:
    """The application of one process, whose memory is set up for pictures."""
    keep_freed_memory()
    application = factory()
    # All that is loaded stays, and need not be looked through for garbage again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    return application
