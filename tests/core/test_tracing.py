"""W3C Trace Context: read from the caller, written for the provider, never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.tracing import TRACE, TraceContext, headers_onward, traced

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{TRACE_ID}-{SPAN_ID}-01"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (HEADER, True),
        (HEADER[:-1] + "0", False),
        (f" {HEADER} ", True),
        (f"cc-{HEADER[3:]}-what-comes", True),
    ],
)
def test_a_caller_is_understood(header: str, sampled: bool) -> None:
    """Ids and the sampled flag are read, of later versions too."""
    assert TraceContext.parse(header) == TraceContext(trace_id=TRACE_ID, span_id=SPAN_ID, sampled=sampled)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "hello",
        HEADER.upper(),
        f"ff-{HEADER[3:]}",
        f"{HEADER}-more",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID}-{SPAN_ID}",
        f"{HEADER}\r\nx-evil: 1",
    ],
)
def test_what_is_malformed_is_nothing(header: str | None) -> None:
    """A header that breaks the standard counts as absent."""
    assert TraceContext.parse(header) is None


@pytest.mark.parametrize(
    ("state", "kept"), [("a=1,b=2", "a=1,b=2"), (None, ""), ("x" * 513, ""), ("a=ü", ""), ("a=1\r\nx: 1", "")]
)
def test_other_vendors_words(state: str | None, kept: str) -> None:
    """tracestate is given on as it came, unless no header could carry it."""
    context = TraceContext.parse(HEADER, state)
    assert context
    assert context.state == kept
    assert context.headers == {"traceparent": HEADER} | ({"tracestate": kept} if kept else {})


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    """No header breaks anything, and what is understood can be sent on and understood again."""
    context = TraceContext.parse(text, text)
    assert context is None or TraceContext.parse(context.headers["traceparent"], context.state) == context


def test_inside_and_after() -> None:
    """Inside the block calls carry the trace; what is set meanwhile is undone; outside they carry nothing."""
    assert headers_onward() == {}
    with traced(TraceContext.parse(HEADER)):
        assert headers_onward() == {"traceparent": HEADER}
        TRACE.set(None)
    assert TRACE.get() is None
