"""Pictures on their way have room taken for them before their calls are sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import pytest

from image_router.config import Limits
from image_router.core.types import Size
from image_router.gateway.expecting import HELD

ROUTES: dict[str, Any] = {
    "/v1/images/generations": {"prompt": "a fox", "model": "nano_banana_pro"},
    "/router/v1/images": {"prompt": "a fox", "tier": "nano_banana_pro"},
    "/v1beta/models/gemini-3-pro-image:generateContent": {"contents": [{"parts": [{"text": "a fox"}]}]},
    "/v1beta/models/auto:streamGenerateContent": {"contents": [{"parts": [{"text": "a fox"}]}]},
}
ONE = HELD[Size.K1]


def together(site, path: str, count: int) -> list[httpx.Response]:
    """So many at once."""
    with ThreadPoolExecutor(count) as pool:
        asked = [
            pool.submit(httpx.post, site.url + path, json=ROUTES[path], timeout=60) for _ in range(count)
        ]
        return [each.result() for each in asked]


@pytest.mark.parametrize("path", ROUTES)
def test_who_finds_no_room_is_told_before_anything_is_spent(site_of, path) -> None:
    """Room for one: the other waits in vain, is not sent, and knows when to come back."""
    site = site_of(limits=Limits(replies=ONE, reply_wait=0.2))
    site.emulator.faults.add("slow;seconds=2", times=2)
    answers = sorted(together(site, path, 2), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [200, 503]
    assert answers[1].headers["retry-after"] == "5"
    assert "nothing was spent" in answers[1].text
    assert len(site.emulator.bill().entries) == 1


def test_who_waits_is_served(site_of) -> None:
    """One after the other, with room for one."""
    site = site_of(limits=Limits(replies=ONE))
    answers = together(site, "/v1/images/generations", 3)
    assert [answer.status_code for answer in answers] == [200] * 3


def test_what_never_fits_takes_all(site_of) -> None:
    """Two pictures, room for less than one: served alone instead of never."""
    site = site_of(limits=Limits(replies=1000, reply_wait=0.2))
    answer = httpx.post(f"{site.url}/v1/images/generations", json={"prompt": "a fox", "n": 2}, timeout=60)
    assert (answer.status_code, len(answer.json()["data"])) == (200, 2)


def test_a_failure_gives_its_room_back(site_of) -> None:
    """Refusals until a picture comes: none of them keeps the next from its room."""
    site = site_of(limits=Limits(replies=ONE, reply_wait=0.2))
    site.emulator.faults.add("image_safety", times=8)
    answers = [together(site, "/v1/images/generations", 1)[0].status_code for _ in range(9)]
    assert answers[0] == 400
    assert set(answers) == {400, 200}
