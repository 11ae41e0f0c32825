"""Ids that are no secrets: unique wherever they are made, and without a call to the system for each.

Not for keys, links or webhook secrets: who saw many of these could tell the next.
"""

from __future__ import annotations

import os
import random
from typing import Final

_CHANCE: Final = random.Random(os.urandom(32))
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _CHANCE.seed(os.urandom(32)))


def new_id(prefix: str, *, digits: int = 24) -> str:
    """The prefix and so many hexadecimal digits."""
    return f"{prefix}{_CHANCE.getrandbits(4 * digits):0{digits}x}"
