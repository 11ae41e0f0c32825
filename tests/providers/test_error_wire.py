"""Errors in every wrapping they come in."""

from __future__ import annotations

import orjson
import pytest

from image_router.providers.error_wire import MAX_WORDS, error_of, parse_error

PLAIN = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}


@pytest.mark.parametrize(
    "body",
    [
        orjson.dumps({"error": PLAIN}),
        orjson.dumps([{"error": PLAIN}]),
        b"data: " + orjson.dumps({"error": PLAIN}) + b"\r\n\r\n",
        b"event: error\n" + orjson.dumps({"error": PLAIN}, option=orjson.OPT_INDENT_2),
        orjson.dumps({"error": {"code": 503, "message": orjson.dumps({"error": PLAIN}).decode()}}),
        orjson.dumps({"error": {"message": "proxy says: " + orjson.dumps({"error": PLAIN}).decode()}}),
    ],
)
def test_wrapping_does_not_matter(body: bytes) -> None:
    """Object, array, event, bare block and error in an error say the same."""
    error = parse_error(503, {}, body=body)
    assert (error.http_status, error.status, error.message) == (503, "UNAVAILABLE", PLAIN["message"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html><head><title>Error 502 (Server\nError)!!1</title>", "Error 502 (Server Error)!!1"),
        (b"<html><body><p>Bad <b>gateway</b></p>", "Bad gateway"),
        (b"upstream connect error", "upstream connect error"),
        (b"", "HTTP 502 without a body"),
        (b"\xff\xfe\x00", "\ufffd\ufffd\x00"),
        (b'{"error": "invalid_grant", "error_description": "Bad token"}', "Bad token"),
        (b'{"error": {"code": "invalid_request", "message": "no"}}', "no"),
    ],
)
def test_what_is_no_google_error_keeps_its_words(body: bytes, message: str) -> None:
    """Pages, plain text and other shapes leave the status of HTTP and their words."""
    error = parse_error(502, {}, body=body)
    assert (error.http_status, error.message) == (502, message)


def test_details_are_gathered() -> None:
    """Reasons, quotas, field violations and the wait are read from wherever they stand."""
    details = [
        {"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quota_limit": "L", "quota_limit_value": "0"}},
        {"violations": [{"quotaId": "A-PerDay", "quotaValue": "250"}, {"quotaId": "B"}, "odd"]},
        {"retryDelay": "34.4s"},
        {"fieldViolations": [{"field": "size", "description": "unknown"}, {"description": "bare"}]},
        None,
    ]
    error = parse_error(429, {}, body=orjson.dumps({"error": {"code": 429, "details": details}}))
    assert error.reasons == ("RATE_LIMIT_EXCEEDED",)
    assert error.quota_ids == ("L", "A-PerDay", "B")
    assert error.quota_values == ("0", "250")
    assert error.retry_after == 34.4
    assert error.field_violations == ("size: unknown", "bare")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:01:00 GMT", "date": "Sun, 22 Nov 2026 12:00:00 GMT"}, 60.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:01:00 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_wait_may_stand_in_a_header(headers: dict[str, str], seconds: float | None) -> None:
    """A Retry-After header counts when the body names no wait; a date counts from the answer's own."""
    assert parse_error(503, headers, body=orjson.dumps({"error": PLAIN})).retry_after == seconds
    details = [{"retryDelay": "2s"}]
    body = orjson.dumps({"error": {**PLAIN, "details": details}})
    assert parse_error(503, headers, body=body).retry_after == 2.0


def test_original_error_is_told_and_keys_are_not() -> None:
    """The original error of a generic one is added; a debug text that quotes the key is left out."""
    details = [
        {"detail": "[ORIGINAL ERROR] generic::x: Source image 0 too short [google.rpc.ext] {}"},
        {"detail": "Invalid API key: AIzaSecret"},
    ]
    error = parse_error(400, {}, body=orjson.dumps({"error": {"message": "Bad.", "details": details}}))
    assert error.message == "Bad. (Source image 0 too short)"
    assert "AIza" not in str(error)


@pytest.mark.parametrize(
    ("code", "status", "http_status"),
    [(1, "CANCELLED", 499), (3, "INVALID_ARGUMENT", 400), (13, "INTERNAL", 500), (503, "", 503)],
)
def test_row_errors_carry_grpc_codes(code: int, status: str, http_status: int) -> None:
    """An error without an HTTP answer around it is known by its own code, gRPC or HTTP."""
    error = error_of({"code": code, "message": "m"})
    assert (error.status, error.http_status) == (status, http_status)


def test_long_messages_are_cut() -> None:
    """A message of any length stays printable."""
    assert len(error_of({"message": "x" * 10 * MAX_WORDS}).message) == MAX_WORDS
