"""The limits of a usage tier, counted as admitted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import httpx2
import pytest

from gemini_emulator import serve
from gemini_emulator.errors import ApiError
from gemini_emulator.fault_errors import Where
from gemini_emulator.limits import Limits
from gemini_emulator.world import Model, world

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
WHERE = Where(model="m", method="generateContent", version="v1beta", day=date(2026, 11, 22))


def _model(model_id: str) -> Model:
    found = world().find(model_id)
    assert found is not None
    return found


def _admitted(limits: Limits, model: str, now: datetime, tries: int) -> int:
    admitted = 0
    for _ in range(tries):
        try:
            limits.admit(_model(model), WHERE, now=now)
        except ApiError:
            continue
        admitted += 1
    return admitted


@pytest.mark.parametrize(
    ("tier", "model", "per_minute"),
    [
        (1, "gemini-3-pro-image", 20),
        (1, "imagen-4.0-generate-001", 10),
        (1, "imagen-4.0-ultra-generate-001", 5),
        (2, "imagen-4.0-ultra-generate-001", 10),
        (1, "gemini-nano-banana-2.1", 600),
        (None, "gemini-3-pro-image", 600),
    ],
)
def test_so_many_requests_pass_in_a_minute(tier: int | None, model: str, per_minute: int) -> None:
    """The published number, or all of them where none was published; a minute later as many again."""
    limits = Limits(tier)
    assert _admitted(limits, model, NOON, 600) == per_minute
    assert _admitted(limits, model, NOON + timedelta(seconds=59), 600) == (
        per_minute if per_minute == 600 else 0
    )
    assert _admitted(limits, model, NOON + timedelta(seconds=60), 600) == per_minute


def test_the_day_ends_at_midnight_pacific() -> None:
    """Pro passes 250 times a day in tier 1; the day begins at 08:00 UTC."""
    limits = Limits(1)
    passed = sum(_admitted(limits, "gemini-3-pro-image", NOON + timedelta(minutes=m), 20) for m in range(30))
    assert passed == 250
    with pytest.raises(ApiError) as caught:
        limits.admit(_model("gemini-3-pro-image"), WHERE, now=NOON + timedelta(hours=19))
    assert "PerDay" in caught.value.details[1]["violations"][0]["quotaId"]
    assert _admitted(limits, "gemini-3-pro-image", NOON + timedelta(hours=20), 1) == 1


def test_ten_dollars_in_ten_minutes_is_the_spend_limit() -> None:
    """In tier 1 the call after ten dollars is refused, until ten minutes have passed."""
    limits = Limits(1)
    limits.spend(9_999_999_999, NOON)
    assert _admitted(limits, "gemini-nano-banana-2.1", NOON, 1) == 1
    limits.spend(1, NOON)
    assert _admitted(limits, "gemini-nano-banana-2.1", NOON + timedelta(minutes=9), 1) == 0
    assert _admitted(limits, "gemini-nano-banana-2.1", NOON + timedelta(minutes=10), 1) == 1


def test_a_served_tier_answers_429_with_the_time_to_wait() -> None:
    """The sixth Ultra call of a minute: QuotaFailure and a RetryInfo within the minute, and no charge."""
    with (
        serve(as_of="2026-04-09", pictures="flat", usage_tier=1) as emulator,
        httpx2.Client(base_url=emulator.url, headers={"x-goog-api-key": "k"}) as http,
    ):
        body = {"instances": [{"prompt": "a fox"}], "parameters": {"sampleCount": 1}}
        answers = [
            http.post("/v1beta/models/imagen-4.0-ultra-generate-001:predict", json=body) for _ in range(6)
        ]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        delay = answers[-1].json()["error"]["details"][2]["retryDelay"]
        assert 1 <= int(delay.removesuffix("s")) <= 60
        assert len(emulator.bill().entries) == 5
