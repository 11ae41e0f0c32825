"""Ids that are no secrets."""

from __future__ import annotations

import os

from image_router.core.ids import new_id


def test_ids_have_their_prefix_and_digits() -> None:
    """The prefix comes first, and the number of digits does not depend on chance."""
    made = [new_id("req_") for _ in range(200)]
    assert all(one.startswith("req_") and len(one) == 28 for one in made)
    assert all(set(one[4:]) <= set("0123456789abcdef") for one in made)
    assert len(new_id("hold_", digits=20)) == 25


def test_ids_differ() -> None:
    """No two are alike, in one process and in its forked children."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, new_id("").encode())
        os._exit(0)
    os.wait()
    made = [new_id("") for _ in range(10_000)] + [os.read(reader, 100).decode()]
    assert len(set(made)) == 10_001
    os.close(reader)
    os.close(writer)
