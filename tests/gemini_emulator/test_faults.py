"""Every fault of the catalogue can be had, by header, rule, script or chance, and is billed by the law."""

from __future__ import annotations

import io
from typing import Any

import httpx2
import pybase64
import pytest
from PIL import Image, UnidentifiedImageError

from gemini_emulator.faults import Faults, catalogue, parse

PRO, OLD, IMAGEN = "gemini-3-pro-image", "gemini-2.5-flash-image", "imagen-4.0-fast-generate-001"
CATALOGUE = catalogue()
ERRORS = sorted(name for name, entry in CATALOGUE.items() if entry["stage"] == "error")
ANSWERS = sorted(name for name, entry in CATALOGUE.items() if entry["stage"] == "answer")


def _candidate(answer: httpx2.Response) -> Any:
    return answer.json()["candidates"][0]


def _bytes(part: Any) -> bytes:
    return pybase64.b64decode(part["inlineData"]["data"], validate=True)


@pytest.mark.parametrize("fault", ERRORS)
def test_every_error_fault_is_an_error_and_free(now: Any, fault: str) -> None:
    """4xx or 5xx with the code in its body, Google's headers, no Retry-After, nothing charged."""
    answer = now.generate(PRO, fault=fault)
    assert answer.status_code >= 400
    assert "retry-after" not in answer.headers
    if answer.headers["content-type"].startswith("application/json"):
        body = answer.json()[0] if isinstance(answer.json(), list) else answer.json()
        assert body["error"]["code"] == answer.status_code
    assert now.emulator.bill().entries == ()
    assert now.emulator.requests()[-1]["fault"] == fault


@pytest.mark.parametrize("fault", ANSWERS)
def test_every_answer_fault_is_a_200_on_the_bill(now: Any, fault: str) -> None:
    """The answer has usage and an id, and the bill holds it under that id with the fault's name."""
    answer = now.generate(PRO, fault=fault)
    assert answer.status_code == 200
    entry = now.emulator.bill().entries[-1]
    assert (entry.id, entry.fault) == (answer.json()["responseId"], fault)
    assert "totalTokenCount" in answer.json()["usageMetadata"]


REFUSALS = [
    ("image_safety", "IMAGE_SAFETY", True),
    ("image_safety;message=children", "IMAGE_SAFETY", True),
    ("image_safety;message=none", "IMAGE_SAFETY", False),
    ("image_other", "IMAGE_OTHER", True),
    ("image_prohibited;message=third_party", "IMAGE_PROHIBITED_CONTENT", True),
    ("image_recitation", "IMAGE_RECITATION", False),
]


@pytest.mark.parametrize(("fault", "finish", "spoken"), REFUSALS)
def test_a_refused_output_is_free_and_empty(now: Any, fault: str, finish: str, spoken: bool) -> None:
    """No parts, the reason, the provider's words or none, no charge."""
    candidate = _candidate(now.generate(PRO, fault=fault))
    assert "parts" not in candidate["content"]
    assert candidate["finishReason"] == finish
    assert ("finishMessage" in candidate) is spoken
    assert now.emulator.bill().total == 0


def test_no_image_counts_the_prompt_alone(now: Any) -> None:
    """Nine prompt tokens at 2 dollars a million."""
    usage = now.generate(PRO, "one two three four five six seven eight", "no_image").json()["usageMetadata"]
    assert usage["totalTokenCount"] == 9
    assert now.emulator.bill().total == 9 * 2_000


def test_a_blocked_prompt_costs_its_tokens(now: Any) -> None:
    """No candidates; the prompt at the input rate."""
    answer = now.generate(PRO, "a red fox", "prompt_blocked;reason=SAFETY;message=Reasons").json()
    assert "candidates" not in answer
    assert answer["promptFeedback"] == {"blockReason": "SAFETY", "blockReasonMessage": "Reasons"}
    assert now.emulator.bill().total == 4 * 2_000


def test_words_instead_cost_their_tokens(now: Any) -> None:
    """STOP with one text part, charged at the text rate, no picture tokens."""
    answer = now.generate(OLD, fault="text_instead;text=Which fox do you mean?").json()
    assert answer["candidates"][0]["content"]["parts"] == [{"text": "Which fox do you mean?"}]
    assert "candidatesTokensDetails" not in answer["usageMetadata"]
    assert now.emulator.bill().total == 4 * 300 + 6 * 2_500


def test_a_lost_picture_is_charged_in_full(now: Any) -> None:
    """IMAGE tokens without an image part cost as much as the picture."""
    whole = now.generate(OLD).json()["usageMetadata"]
    lost = now.generate(OLD, fault="image_tokens_without_image").json()
    assert lost["usageMetadata"] == whole
    assert "parts" not in lost["candidates"][0]["content"]
    first, second = now.emulator.bill().entries
    assert first.total == second.total == 4 * 300 + 1290 * 30_000


def test_several_pictures_are_each_counted(now: Any) -> None:
    """Three unflagged pictures, three times 1120 tokens."""
    answer = now.generate(PRO, fault="several_images;count=3").json()
    assert len(answer["candidates"][0]["content"]["parts"]) == 3
    assert answer["usageMetadata"]["candidatesTokensDetails"][0]["tokenCount"] == 3 * 1120


def test_only_a_thought_picture_may_or_may_not_be_counted(now: Any) -> None:
    """The single picture is flagged thought; counted=0 leaves out its tokens."""
    counted, uncounted = (now.generate(PRO, fault=f"thought_only;counted={flag}").json() for flag in (1, 0))
    assert [part["thought"] for part in counted["candidates"][0]["content"]["parts"]] == [True]
    assert "candidatesTokensDetails" in counted["usageMetadata"]
    assert "candidatesTokensDetails" not in uncounted["usageMetadata"]


@pytest.mark.parametrize("form", ["bare", "role_only", "null_parts", "no_content", "empty_candidates"])
def test_an_empty_candidate_has_five_forms(now: Any, form: str) -> None:
    """None of them holds a part or says why."""
    body = now.generate(PRO, fault=f"empty_candidate;form={form}").json()
    expected = {
        "bare": [{"content": {}, "index": 0}],
        "role_only": [{"content": {"role": "model"}, "index": 0}],
        "null_parts": [{"content": {"parts": None}, "index": 0}],
        "no_content": [{"index": 0}],
        "empty_candidates": [],
    }
    assert body["candidates"] == expected[form]


def test_a_wrong_size_has_the_pixels_named(now: Any) -> None:
    """The picture is real, of another size, and counted as 1K."""
    body = now.generate(PRO, fault="wrong_size;width=640;height=360", imageConfig={"imageSize": "4K"}).json()
    with Image.open(io.BytesIO(_bytes(body["candidates"][0]["content"]["parts"][0]))) as opened:
        assert opened.size == (640, 360)
    assert body["usageMetadata"]["candidatesTokensDetails"][0]["tokenCount"] == 1120


def test_the_declared_type_may_lie(now: Any) -> None:
    """image/png is declared over JPEG bytes."""
    part = _candidate(now.generate(PRO, fault="wrong_mime"))["content"]["parts"][0]
    assert part["inlineData"]["mimeType"] == "image/png"
    assert _bytes(part)[:3] == b"\xff\xd8\xff"


def test_pictures_may_be_broken_in_four_ways(now: Any) -> None:
    """No base64, base64 twice, bytes that are no picture, half a picture."""
    parts = {
        fault: _candidate(now.generate(PRO, fault=fault))["content"]["parts"][0]
        for fault in ("corrupt_base64", "double_base64", "corrupt_image", "cut_image")
    }
    with pytest.raises(ValueError, match="base64"):
        _bytes(parts["corrupt_base64"])
    assert pybase64.b64decode(_bytes(parts["double_base64"]), validate=True)[:3] == b"\xff\xd8\xff"
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(_bytes(parts["corrupt_image"])))
    with (
        Image.open(io.BytesIO(_bytes(parts["cut_image"]))) as opened,
        pytest.raises(OSError, match="truncated"),
    ):
        opened.load()


@pytest.mark.parametrize(
    ("fault", "billed"),
    [("drop_before", 0), ("drop_after", 1), ("truncated_body", 1), ("hang;seconds=0.05", 1)],
)
def test_a_lost_answer_is_billed_once_it_was_accepted(now: Any, fault: str, billed: int) -> None:
    """The caller sees a broken connection; the picture is charged only where it was made."""
    with pytest.raises(httpx2.RemoteProtocolError):
        now.generate(OLD, fault=fault)
    entries = now.emulator.bill().entries
    assert [entry.total for entry in entries] == [4 * 300 + 1290 * 30_000] * billed


def test_a_lost_imagen_answer_is_billed_too(then: Any) -> None:
    """Four pictures made, none received, four charged."""
    with pytest.raises(httpx2.RemoteProtocolError):
        then.predict(IMAGEN, "drop_after")
    assert then.emulator.bill().total == 4 * 20_000_000


@pytest.mark.parametrize("fault", ["slow;seconds=0.05", "slow_drip;seconds=0.05;chunks=3"])
def test_a_slow_answer_is_whole(now: Any, fault: str) -> None:
    """Late or in drops, the same JSON arrives."""
    assert _candidate(now.generate(OLD, fault=fault))["finishReason"] == "STOP"


def test_a_hung_call_does_not_keep_the_caller_from_leaving(now: Any) -> None:
    """The caller's own timeout ends it; the picture is billed."""
    with pytest.raises(httpx2.ReadTimeout):
        now.http.post(
            f"/v1beta/models/{OLD}:generateContent",
            json={"contents": [{"parts": [{"text": "a fox"}]}]},
            headers={"x-emulator-fault": "hang"},
            timeout=0.3,
        )
    assert len(now.emulator.bill().entries) == 1


@pytest.mark.parametrize(("form", "prefix"), [("data", "data: {"), ("block", "{")])
def test_a_stream_may_fail_under_way(now: Any, form: str, prefix: str) -> None:
    """An empty model turn, then the error as an event or as a bare block, all under HTTP 200."""
    body = {"contents": [{"parts": [{"text": "a fox"}]}]}
    path = f"/v1beta/models/{PRO}:streamGenerateContent?alt=sse"
    answer = now.post(path, body, f"error_in_stream;form={form}")
    first, second = answer.text.split("\r\n\r\n")[:2]
    assert answer.status_code == 200
    assert first.startswith("data: ")
    assert second.startswith(prefix)
    assert '"code":499' in second.replace(" ", "")


def test_a_refused_stream_is_plain_json_of_the_streams_type(now: Any) -> None:
    """With alt=sse no event is sent, only the body under text/event-stream; without, an array."""
    path = f"/v1beta/models/{PRO}:streamGenerateContent"
    sse = now.post(f"{path}?alt=sse", {}, "overloaded")
    plain = now.post(path, {}, "overloaded")
    assert sse.headers["content-type"] == "text/event-stream"
    assert sse.json()["error"]["code"] == 503
    assert plain.json()[0]["error"]["code"] == 503


def test_the_front_end_answers_with_a_page(now: Any) -> None:
    """html_error is a 502 page that is no JSON."""
    answer = now.generate(PRO, fault="html_error")
    assert answer.status_code == 502
    assert answer.text.startswith("<!DOCTYPE html>")


def test_a_script_is_followed_step_by_step(now: Any) -> None:
    """First overloaded, then well, then a refusal, then well for good; other models are not touched."""
    now.emulator.faults.script("overloaded", "ok", "image_safety", model=PRO)
    assert now.generate(OLD).status_code == 200
    seen = [now.generate(PRO) for _ in range(5)]
    assert [answer.status_code for answer in seen] == [503, 200, 200, 200, 200]
    reasons = [_candidate(answer)["finishReason"] for answer in seen[1:]]
    assert reasons == ["STOP", "IMAGE_SAFETY", "STOP", "STOP"]


def test_rules_come_and_go_over_http(now: Any) -> None:
    """POST adds a rule for two calls, GET shows it beside the catalogue, DELETE ends it."""
    rule = {"fault": "rate_limit_day", "model": PRO, "times": 2}
    assert now.post("/emulator/faults", rule).status_code == 200
    shown = now.get("/emulator/faults").json()
    assert shown["rules"][0]["steps"] == ["rate_limit_day"] * 2
    assert set(shown["faults"]) == set(CATALOGUE)
    assert now.generate(PRO).status_code == 429
    now.http.delete("/emulator/faults")
    assert now.generate(PRO).status_code == 200


@pytest.mark.parametrize(
    "rule", [{"fault": "overlaoded"}, {"colour": "red"}, {"fault": "slow", "probability": 2}, 5]
)
def test_a_rule_that_cannot_be_is_refused(now: Any, rule: Any) -> None:
    """400 with a sentence, and no rule is added."""
    assert now.post("/emulator/faults", rule).status_code == 400
    assert now.get("/emulator/faults").json()["rules"] == []


def test_an_unknown_fault_in_the_header_is_refused(now: Any) -> None:
    """A misspelt fault is never taken for none."""
    answer = now.generate(PRO, fault="overlod")
    assert answer.status_code == 400
    assert "no fault is called 'overlod'" in answer.json()["error"]["message"]


def test_a_fault_that_cannot_happen_is_refused(now: Any, then: Any) -> None:
    """An answer fault on predict, a batch fault on generateContent, a rule for the wrong method."""
    assert then.predict(IMAGEN, "no_image").status_code == 400
    assert "cannot happen" in now.generate(PRO, fault="batch_stuck").json()["error"]["message"]
    with pytest.raises(ValueError, match="'no_image' cannot happen to a predict call"):
        now.emulator.faults.add("no_image", method="predict")


def test_chance_is_seeded() -> None:
    """Two sets of rules with one seed fail the same calls, about as often as asked."""
    runs = []
    for _ in range(2):
        faults = Faults(seed=5)
        faults.add("no_image", probability=0.3)
        runs.append([faults.claim(PRO, "generateContent") is not None for _ in range(500)])
    assert runs[0] == runs[1]
    assert 110 < sum(runs[0]) < 190


def test_a_rule_may_be_for_one_key() -> None:
    """A rule with a key fails the calls of that key alone."""
    faults = Faults(seed=0)
    faults.add("overloaded", key="ill")
    assert faults.claim(PRO, "generateContent", key="well") is None
    assert faults.claim(PRO, "generateContent", key="ill") is not None
    assert faults.rules()[0]["key"] == "ill"


def test_a_fault_applies_to_the_calls_it_belongs_to() -> None:
    """A generateContent answer fault leaves predict and batch calls alone; an error hits them all."""
    faults = Faults(seed=0)
    faults.add("no_image")
    assert faults.claim(IMAGEN, "predict") is None
    assert faults.claim(PRO, "models.list") is None
    faults.clear()
    faults.add("overloaded")
    assert all(faults.claim(PRO, method) for method in ("predict", "generateContent", "batchGenerateContent"))


def test_a_fault_is_read_with_its_options() -> None:
    """name;option=value, spaces aside."""
    fault = parse("rate_limit_minute; retry=12.5 ;limit=3")
    assert (fault.name, dict(fault.options)) == ("rate_limit_minute", {"retry": "12.5", "limit": "3"})
    with pytest.raises(ValueError, match="write options as name=value"):
        parse("slow;5")
    with pytest.raises(ValueError, match="seconds='soon'; give a number"):
        parse("slow;seconds=soon")


def test_the_quota_that_renews_tomorrow_says_so_only_in_its_id(now: Any) -> None:
    """PerDay stands in the quotaId while RetryInfo gives seconds."""
    details = now.generate(PRO, fault="rate_limit_day;retry=34").json()["error"]["details"]
    assert "PerDay" in details[1]["violations"][0]["quotaId"]
    assert details[2]["retryDelay"] == "34s"


def test_the_callers_server_timeout_is_kept(now: Any) -> None:
    """With no latency the deadline of X-Server-Timeout is never reached."""
    body = {"contents": [{"parts": [{"text": "a fox"}]}]}
    answer = now.http.post(
        f"/v1beta/models/{PRO}:generateContent", json=body, headers={"x-server-timeout": "1"}
    )
    assert answer.status_code == 200
