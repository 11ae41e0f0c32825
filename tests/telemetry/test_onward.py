"""What a caller's trace becomes on the way: through the blocking router, and in the headers of a call."""

from __future__ import annotations

import pytest
from google import genai
from google.genai import types

from desk import catalog
from image_router import blocking
from image_router.core.decision import Parameters
from image_router.core.tracing import TRACE, TraceContext, traced
from image_router.core.types import ImageRequest, Size
from image_router.providers.base import Call, Provider
from image_router.providers.rest import RestProvider
from image_router.providers.sdk import SdkProvider
from telemetry.listener import listening

CALLER = TraceContext(trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331", state="x=1")


def provider(name: str, url: str) -> Provider:
    if name == "rest":
        return RestProvider("no-key-at-all", base_url=url, real=False)
    options = types.HttpOptions(base_url=url)
    return SdkProvider(genai.Client(api_key="no-key-at-all", http_options=options), real=False, owned=True)


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
@pytest.mark.parametrize("name", ["rest", "sdk"])
async def test_headers_of_a_call(name: str) -> None:
    """A call inside a trace carries traceparent and tracestate; one outside carries neither."""
    model = catalog().models["gemini-nano-banana-2.1"]
    parameters = Parameters(thinking=None, size=Size.K1, aspect=None)
    call = Call(request=ImageRequest(prompt="a fox"), model=model, parameters=parameters, max_output_tokens=9)
    with listening(answer=b"{}") as listener:
        asked = provider(name, listener.url)
        with traced(CALLER):
            await asked.generate(call, timeout=10)
        await asked.generate(call, timeout=10)
        await asked.aclose()
    inside, outside = (heard.headers for heard in listener.heard)
    assert (inside["traceparent"], inside["tracestate"]) == (CALLER.headers["traceparent"], "x=1")
    assert "traceparent" not in outside
    assert "tracestate" not in outside


def test_through_the_blocking_router() -> None:
    """A trace that is set around a blocking call is there on the router's own loop."""
    seen: list[TraceContext | None] = []
    shop = blocking.ImageRouter(offline=True)
    with shop, traced(CALLER):
        shop.generate("a fox", on_event=lambda event: seen.append(TRACE.get()))
    assert set(seen) == {CALLER}
