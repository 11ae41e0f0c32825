"""The bill, by hand arithmetic in nano-dollars."""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx2
import pytest

from gemini_emulator import serve
from gemini_emulator.world import Rates, world

# dollars per million tokens are thousands of nano-dollars per token
RATES = [
    ("gemini-3-pro-image", "interactive", Rates(input=2_000, text_out=12_000, image_out=120_000)),
    ("gemini-3-pro-image", "batch", Rates(input=1_000, text_out=6_000, image_out=60_000)),
    ("gemini-3.1-flash-image", "interactive", Rates(input=500, text_out=3_000, image_out=60_000)),
    ("gemini-3.1-flash-image", "batch", Rates(input=250, text_out=1_500, image_out=30_000)),
    ("gemini-nano-banana-2.1", "interactive", Rates(input=1_500, text_out=7_500, image_out=30_000)),
    ("gemini-nano-banana-2.1", "batch", Rates(input=750, text_out=3_750, image_out=15_000)),
    ("gemini-3.1-flash-lite-image", "interactive", Rates(input=250, text_out=1_500, image_out=30_000)),
    ("gemini-3.1-flash-lite-image", "batch", Rates(input=125, text_out=750, image_out=15_000)),
    ("gemini-2.5-flash-image", "interactive", Rates(input=300, text_out=2_500, image_out=30_000)),
    ("gemini-2.5-flash-image", "batch", Rates(input=150, text_out=1_250, image_out=15_000)),
    ("imagen-4.0-fast-generate-001", "interactive", Rates(per_image=20_000_000)),
    ("imagen-4.0-generate-001", "interactive", Rates(per_image=40_000_000)),
    ("imagen-4.0-ultra-generate-001", "interactive", Rates(per_image=60_000_000)),
]


@pytest.mark.parametrize(("model", "lane", "rates"), RATES)
def test_rates_are_the_published_ones(model: str, lane: Any, rates: Rates) -> None:
    """Every model and lane, in nano-dollars per token or picture."""
    found = world().find(model)
    assert found is not None
    assert world().rates(found, lane, day=date(2026, 11, 22)) == rates


def test_imagen_has_no_batch_rate() -> None:
    """Asking for one is an error that says what to add."""
    model = world().find("imagen-4.0-generate-001")
    assert model is not None
    with pytest.raises(LookupError, match="no batch rates for imagen-4"):
        world().rates(model, "batch", day=date(2026, 4, 9))


def test_the_one_call_with_a_known_charge_is_reproduced() -> None:
    """1120 x 30 + 417 x 1.50 + 5 x 0.25 dollars a million: 0.03422675 dollars, as a reseller charged."""
    model = world().find("gemini-3.1-flash-lite-image")
    assert model is not None
    rates = world().rates(model, "interactive", day=date(2026, 8, 12))
    assert 1120 * rates.image_out + 417 * rates.text_out + 5 * rates.input == 34_226_750


def test_an_answer_is_charged_by_its_own_usage(now: Any) -> None:
    """Picture, hidden text and thinking, and prompt: three lines that add up."""
    usage = now.generate("gemini-3-pro-image").json()["usageMetadata"]
    hidden = usage["candidatesTokenCount"] - 1120 + usage["thoughtsTokenCount"]
    bill = now.get("/emulator/bill").json()
    assert bill["entries"][0]["lines"] == [
        {"what": "input", "units": 4, "rate": 2_000, "amount": 8_000},
        {"what": "image_out", "units": 1120, "rate": 120_000, "amount": 134_400_000},
        {"what": "text_out", "units": hidden, "rate": 12_000, "amount": hidden * 12_000},
    ]
    assert bill["total"] == bill["entries"][0]["total"] == 134_408_000 + hidden * 12_000


def test_the_bill_shows_only_the_end_of_a_key(now: Any) -> None:
    """Four characters of the key, and a digest in the request log."""
    now.generate("gemini-2.5-flash-image")
    assert now.emulator.bill().entries[0].key == "1234"
    assert "test-key-1234" not in repr(now.emulator.requests())


@pytest.mark.parametrize(("free", "nano"), [(0, 2 * 14_000_000), (1, 14_000_000), (5, 0)])
def test_searches_cost_after_the_free_ones(free: int, nano: int) -> None:
    """14 dollars a thousand queries; empty entries of webSearchQueries are not counted."""
    body = {"contents": [{"parts": [{"text": "a fox"}]}], "tools": [{"googleSearch": {}}]}
    with serve(as_of="2026-11-22", pictures="flat", free_searches=free) as emulator:
        for _ in range(2):
            url = f"{emulator.url}/v1beta/models/gemini-3-pro-image:generateContent"
            httpx2.post(url, json=body, headers={"x-goog-api-key": "k"}).raise_for_status()
        lines = [line for entry in emulator.bill().entries for line in entry.lines if line.what == "search"]
    assert sum(line.amount for line in lines) == nano


def test_reset_empties_the_bill_and_the_log(now: Any) -> None:
    """POST /emulator/reset forgets both."""
    now.generate("gemini-2.5-flash-image")
    assert now.emulator.bill().total > 0
    now.post("/emulator/reset", {})
    assert now.emulator.bill().entries == ()
    assert now.emulator.requests() == []


def test_the_request_log_elides_pictures(now: Any) -> None:
    """A long base64 string is kept as its length."""
    data = "QUJD" * 500
    body = {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": data}}]}]}
    now.post("/v1beta/models/gemini-2.5-flash-image:generateContent", body)
    logged = now.get("/emulator/requests").json()["requests"][-1]
    assert logged["status"] == 400
    assert logged["body"]["contents"][0]["parts"][0]["inlineData"]["data"].endswith("<2000 chars>")
