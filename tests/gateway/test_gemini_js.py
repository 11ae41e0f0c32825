"""The unmodified @google/genai package against the gateway."""

from __future__ import annotations

import pytest

from gateway.javascript import ran

PRO = "gemini-3-pro-image"
JPEG, PNG = "ffd8ffe0", "89504e47"


@pytest.mark.parametrize("model", [PRO, "auto"])
def test_it_works_by_base_url_alone(site, model) -> None:
    """Generate, edit, chat, stream, files, models and errors, as its documentation shows them."""
    came = ran("genai.mjs", site.url, "anything", model)
    for pictures in ("generated", "edited", "continued", "streamed"):
        assert len(came[pictures]) == 1, pictures
        assert came[pictures][0] in (JPEG, PNG)
    assert came["tokens"] > 1000
    assert came["streamedTokens"] > 1000
    assert came["names"] == [came["file"]]
    assert {"models/auto", f"models/{PRO}"} <= set(came["models"])
    assert (came["retired"]["name"], came["retired"]["status"]) == ("ApiError", 404)
    assert f"use {PRO}" in came["retired"]["message"]
    assert came["many"]["status"] == 400
    assert "Multiple candidates" in came["many"]["message"]


def test_a_bad_key_is_a_401(locked) -> None:
    """What the client throws names the status."""
    with pytest.raises(AssertionError, match="401"):
        ran("genai.mjs", locked.url, "ir_nothing", PRO)


def test_a_broken_tail_is_thrown(site) -> None:
    """As an ApiError with its status; an untyped one where it comes in one piece with what was cut off."""
    site.emulator.faults.add("truncated_body;part=0.5")
    thrown = ran("broken.mjs", site.url, "anything", PRO)
    assert (thrown["name"], thrown.get("status")) in (("ApiError", 504), ("Error", None))
