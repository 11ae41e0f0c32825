"""Work on bytes: at once where there are few, in a thread where it would hold up everybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

FEW: Final = 3 << 20
"""Bytes that are parsed, hashed or encoded within two milliseconds: handing less to a thread, and waiting for
the interpreter twice, costs more than the work."""

P = ParamSpec("P")
T = TypeVar("T")


async def aside(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns; `size` is the number of bytes it goes through."""
    if size < FEW:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
