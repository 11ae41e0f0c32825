"""The unmodified openai package of npm against the gateway."""

from __future__ import annotations

from gateway.javascript import ran

MAGIC = {"ffd8ffe0", "89504e47"}


def test_it_works_by_base_url_alone(site) -> None:
    """Generate, edit, stream, models and errors, as its documentation shows them."""
    came = ran("openai.mjs", site.url, "anything")
    assert len(came["generated"]) == 2
    assert {*came["generated"], *came["edited"], came["streamed"]} <= MAGIC
    assert came["tokens"] > 1000
    assert came["events"][-1] == "image_generation.completed"
    assert {"auto", "auto:hero", "gemini-3-pro-image"} <= set(came["models"])
    assert came["masked"] == {
        "name": "BadRequestError",
        "status": 400,
        "code": "invalid_request",
        "param": "mask",
    }
    assert (came["unknown"]["name"], came["unknown"]["param"]) == ("NotFoundError", "model")
