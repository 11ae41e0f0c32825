"""Which models live on a day, who may call them, and how."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from gemini_emulator import Emulator, serve

APRIL = {
    "gemini-2.5-flash-image",
    "gemini-3-pro-image-preview",
    "nano-banana-pro-preview",
    "gemini-3.1-flash-image-preview",
    "imagen-4.0-generate-001",
    "imagen-4.0-ultra-generate-001",
    "imagen-4.0-fast-generate-001",
    "gemini-3.1-flash-lite-preview",
}
NOVEMBER = {
    "gemini-2.5-flash-image",
    "gemini-3-pro-image",
    "gemini-nano-banana-2.1",
    "gemini-3.1-flash-lite-image",
    "gemini-3.1-flash-lite",
}


def _ids(answer: httpx2.Response) -> set[str]:
    return {model["name"].removeprefix("models/") for model in answer.json()["models"]}


def test_every_day_has_its_own_models(now: Any, then: Any) -> None:
    """The seven image models of April, the four of November, and the text model of the day."""
    assert _ids(then.get("/v1beta/models")) == APRIL
    assert _ids(now.get("/v1/models")) == NOVEMBER


@pytest.mark.parametrize("model", sorted(APRIL - NOVEMBER))
def test_a_dead_model_is_not_found(now: Any, then: Any, model: str) -> None:
    """An empty body probes it: 400 while it lives, 404 afterwards, on its own method."""
    method = "predict" if model.startswith("imagen") else "generateContent"
    assert then.post(f"/v1beta/models/{model}:{method}", {}).status_code == 400
    assert now.post(f"/v1beta/models/{model}:{method}", {}).status_code == 404


def test_pages_follow_each_other(now: Any) -> None:
    """pageSize and pageToken walk the whole list once."""
    seen: list[str] = []
    token = ""
    while True:
        body = now.get("/v1beta/models", pageSize=3, pageToken=token).json()
        seen += [model["name"] for model in body["models"]]
        token = body.get("nextPageToken", "")
        if not token:
            break
    assert len(seen) == len(set(seen)) == len(NOVEMBER)


def test_one_model_can_be_read(now: Any) -> None:
    """models.get answers the resource of the list; an unknown id is a 404."""
    one = now.get("/v1beta/models/gemini-3-pro-image").json()
    assert one in now.get("/v1beta/models").json()["models"]
    assert now.get("/v1beta/models/gemini-4").status_code == 404


def test_a_listed_model_may_be_closed_to_new_users() -> None:
    """A new project sees 2.5 in the list and gets a 404 for the probe; an old one gets the 400."""
    for new_project, status in ((True, 404), (False, 400)):
        with (
            serve(as_of="2026-11-22", pictures="flat", new_project=new_project) as emulator,
            httpx2.Client(base_url=emulator.url, headers={"x-goog-api-key": "k"}) as http,
        ):
            assert "gemini-2.5-flash-image" in _ids(http.get("/v1beta/models"))
            probe = http.post("/v1beta/models/gemini-2.5-flash-image:generateContent", json={})
            assert probe.status_code == status
            assert ("no longer available to new users" in probe.text) is new_project


def test_a_missing_key_and_a_bad_key_are_told_apart(today: Emulator) -> None:
    """No key is a 403, a bad one a 400, any other is accepted, in the header or in the query."""
    url = f"{today.url}/v1beta/models"
    assert httpx2.get(url).status_code == 403
    assert httpx2.get(url, headers={"x-goog-api-key": "bad-one"}).status_code == 400
    assert httpx2.get(url, params={"key": "any"}).status_code == 200


def test_tokens_are_counted_without_a_charge(now: Any) -> None:
    """countTokens answers the prompt's tokens by modality, plain or wrapped; Imagen has no such method."""
    contents = [{"parts": [{"text": "a siamese cat"}]}]
    for body in ({"contents": contents}, {"generateContentRequest": {"contents": contents}}):
        assert now.post("/v1beta/models/gemini-3-pro-image:countTokens", body).json() == {
            "totalTokens": 5,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
        }
    assert now.emulator.bill().total == 0


def test_an_unknown_path_is_an_html_page(now: Any) -> None:
    """The front end answers, not the API."""
    for path in ("/v9/nothing/here", "/v9/models"):
        answer = now.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert f"<code>{path}</code> was not found" in answer.text


def test_the_enterprise_path_answers_in_its_own_dialect(now: Any) -> None:
    """Bearer credentials, createTime and trafficType, no index; 401 without, another 404."""
    base = "/v1/projects/p/locations/global/publishers/google/models"
    body = {"contents": [{"role": "user", "parts": [{"text": "a fox"}]}]}
    plain = httpx2.Client(base_url=now.emulator.url, headers={"authorization": "Bearer token"})
    with plain:
        answer = plain.post(f"{base}/gemini-3-pro-image:generateContent", json=body).json()
        missing = plain.post(f"{base}/gemini-9:generateContent", json=body).json()["error"]
    assert answer["usageMetadata"]["trafficType"] == "ON_DEMAND"
    assert "createTime" in answer
    assert "index" not in answer["candidates"][0]
    assert missing["message"].startswith(
        "Publisher Model `projects/p/locations/global/publishers/google/models/gemini-9`"
    )
    assert (
        httpx2.post(f"{now.emulator.url}{base}/gemini-3-pro-image:generateContent", json=body).status_code
        == 401
    )
