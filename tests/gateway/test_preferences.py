"""The Prefer header as clients write it."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from image_router.gateway.preferences import MOST_WAIT, Preferred, preferred
from image_router.gateway.surfaces import Refusal


def asked(*prefer: str) -> Request:
    headers = [(b"prefer", value.encode()) for value in prefer]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("prefer", "wanted"),
    [
        ((), Preferred()),
        (("",), Preferred()),
        (("respond-async",), Preferred(respond_async=True)),
        (("Respond-Async, WAIT=10",), Preferred(respond_async=True, wait=10.0)),
        (("respond-async", 'wait="7"'), Preferred(respond_async=True, wait=7.0)),
        (("return=minimal; handling=lenient",), Preferred()),
        (("wait=999999",), Preferred(wait=MOST_WAIT)),
    ],
)
def test_preferences_are_read_from_every_header(prefer, wanted) -> None:
    """Case, quotes and order do not matter; unknown ones are left alone; long waits are shortened."""
    assert preferred(asked(*prefer)) == wanted


@pytest.mark.parametrize("prefer", ["wait", "wait=", "wait=-1", "wait=1.5", "wait=soon", "wait=\u0661"])
def test_a_wait_that_is_no_number_is_refused(prefer) -> None:
    """400 that shows what was sent."""
    with pytest.raises(Refusal, match="whole number of seconds"):
        preferred(asked(prefer))
