"""Every way a call fails, driven through the emulator: cause, reaction, error, ledger and bill.

The numbers are those of the survey of real failures that docs/failures.md follows. The fault never ends, so
the number of calls is the reaction at its full length: 1 told at once, 2 another model once, 3 repeated and
then another model, 6 three tries on each of two models. Circuits and pacing: test_traffic_faults.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from gemini_emulator import Emulator, serve
from gemini_emulator.faults import catalogue
from image_router.books import open_books
from image_router.config import Settings, load_settings
from image_router.core.bills import read_bill
from image_router.core.causes import Billed, Cause
from image_router.core.errors import (
    AmbiguousOutcome,
    BillingRequired,
    ContentRefused,
    ImageRouterError,
    InvalidCredentials,
    ModelUnavailable,
    NoImageReturned,
    ProviderError,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RegionBlocked,
    RequestRejected,
)
from image_router.core.holds import SendState
from image_router.core.reconcile import Call
from image_router.core.results import Attempt, ImageResult
from image_router.core.statement import Period
from image_router.core.types import OnAmbiguous
from image_router.engine.router import Parts
from image_router.wiring import parts_of
from unpaced import unpaced

TODAY, ARTICLE = date(2026, 11, 22), date(2026, 4, 9)
NO, YES, UNKNOWN = Billed.NO, Billed.YES, Billed.UNKNOWN
ANYTHING: dict[str, Any] = {}
IMAGEN = {"tier": "imagen_4_fast"}


@dataclass(frozen=True)
class Mode:
    """One way to fail, and what must follow."""

    number: int
    fault: str
    cause: Cause
    error: type[ImageRouterError] | None
    """None: a picture comes all the same."""
    calls: int
    billed: Billed
    day: date = TODAY
    asked: dict[str, Any] = field(default_factory=dict)
    charged: bool | None = None
    """Whether the provider charges; None: as the ledger believes."""

    def __str__(self) -> str:
        return f"{self.number}-{self.fault}"


MODES = (
    Mode(1, "rate_limit_minute", Cause.RATE_LIMIT, RateLimited, 6, NO),
    Mode(1, "rate_limit_tokens", Cause.RATE_LIMIT, RateLimited, 6, NO),
    Mode(1, "rate_limit_retry_info", Cause.RATE_LIMIT, RateLimited, 6, NO),
    Mode(1, "spend_limit", Cause.SPEND_LIMIT, RateLimited, 3, NO),
    Mode(2, "rate_limit_day", Cause.DAILY_QUOTA, QuotaExhausted, 2, NO),
    Mode(3, "quota_zero", Cause.NO_QUOTA, BillingRequired, 1, NO),
    Mode(4, "quota_zero;quota_model=another-id", Cause.NO_QUOTA, BillingRequired, 1, NO),
    Mode(5, "rate_limit_bare", Cause.CAPACITY, RateLimited, 6, NO),
    Mode(6, "rate_limit_help_only", Cause.RATE_LIMIT, RateLimited, 6, NO),
    Mode(7, "vertex_exhausted", Cause.CAPACITY, RateLimited, 6, NO),
    Mode(8, "credits_depleted", Cause.CREDITS_DEPLETED, BillingRequired, 1, NO),
    Mode(9, "imagen_billing", Cause.BILLING_REQUIRED, BillingRequired, 1, NO, ARTICLE, IMAGEN),
    Mode(10, "key_invalid", Cause.BAD_KEY, InvalidCredentials, 1, NO),
    Mode(11, "key_expired", Cause.BAD_KEY, InvalidCredentials, 1, NO),
    Mode(12, "key_leaked", Cause.KEY_LEAKED, InvalidCredentials, 1, NO),
    Mode(13, "key_blocked", Cause.KEY_RESTRICTED, InvalidCredentials, 1, NO),
    Mode(13, "service_disabled", Cause.KEY_RESTRICTED, InvalidCredentials, 1, NO),
    Mode(14, "region", Cause.REGION, RegionBlocked, 1, NO),
    Mode(15, "country", Cause.REGION, RegionBlocked, 1, NO),
    Mode(16, "model_retired", Cause.MODEL_NOT_FOUND, ModelUnavailable, 2, NO),
    Mode(17, "not_entitled", Cause.NOT_ENTITLED, ModelUnavailable, 2, NO),
    Mode(20, "compat_mime", Cause.BAD_PARAMETER, RequestRejected, 1, UNKNOWN, charged=False),
    Mode(23, "aspect_ratio_not_enabled", Cause.BAD_PARAMETER, RequestRejected, 1, NO),
    Mode(25, "missing_signature", Cause.MISSING_SIGNATURE, RequestRejected, 2, NO),
    Mode(28, "invalid_argument", Cause.BAD_PARAMETER, RequestRejected, 1, NO),
    Mode(29, "unknown_field", Cause.BAD_PARAMETER, RequestRejected, 1, NO),
    Mode(30, "input_image_unreadable", Cause.BAD_REFERENCE, RequestRejected, 1, NO),
    Mode(30, "input_image_invalid", Cause.BAD_REFERENCE, RequestRejected, 1, NO),
    Mode(33, "payload_too_large", Cause.TOO_LONG, RequestRejected, 1, NO),
    Mode(36, "file_not_active", Cause.FILE_NOT_READY, RequestRejected, 6, NO),
    Mode(37, "file_forbidden", Cause.FILE_GONE, RequestRejected, 1, NO),
    Mode(38, "url_refused", Cause.BAD_REFERENCE, RequestRejected, 1, NO),
    Mode(39, "no_image", Cause.DECLINED, NoImageReturned, 3, YES),
    Mode(40, "text_instead", Cause.TEXT_INSTEAD, NoImageReturned, 3, YES),
    Mode(41, "image_safety", Cause.OUTPUT_REFUSED, ContentRefused, 3, NO),
    Mode(41, "image_safety;message=children;parts=null", Cause.OUTPUT_REFUSED, ContentRefused, 3, NO),
    Mode(41, "refused_with_image", Cause.OUTPUT_REFUSED, ContentRefused, 3, NO),
    Mode(42, "image_other", Cause.DECLINED, NoImageReturned, 3, NO),
    Mode(43, "image_prohibited", Cause.OUTPUT_REFUSED, ContentRefused, 2, NO),
    Mode(43, "image_prohibited;message=third_party", Cause.COPYRIGHT, ContentRefused, 2, NO),
    Mode(44, "image_recitation", Cause.COPYRIGHT, ContentRefused, 1, NO),
    Mode(45, "prompt_blocked", Cause.PROMPT_BLOCKED, ContentRefused, 1, YES),
    Mode(46, "imagen_prompt_block", Cause.PROMPT_BLOCKED, ContentRefused, 1, NO, ARTICLE, IMAGEN),
    Mode(47, "imagen_all_filtered", Cause.OUTPUT_FILTERED, ContentRefused, 2, NO, ARTICLE, IMAGEN),
    Mode(47, "imagen_some_filtered", Cause.OUTPUT_FILTERED, ContentRefused, 2, NO, ARTICLE, IMAGEN),
    Mode(48, "imagen_empty", Cause.EMPTY, NoImageReturned, 2, NO, ARTICLE, IMAGEN),
    Mode(48, "empty_candidate", Cause.EMPTY, NoImageReturned, 3, YES),
    Mode(48, "empty_candidate;form=empty_candidates", Cause.EMPTY, NoImageReturned, 3, YES),
    Mode(49, "image_tokens_without_image", Cause.PAID_WITHOUT_IMAGE, NoImageReturned, 3, YES),
    Mode(50, "base64_in_text", Cause.TEXT_INSTEAD, NoImageReturned, 3, YES),
    Mode(51, "max_tokens", Cause.OUT_OF_TOKENS, NoImageReturned, 3, YES),
    Mode(52, "unknown_finish_reason", Cause.UNKNOWN_FINISH, NoImageReturned, 3, YES),
    Mode(52, "unknown_block_reason", Cause.PROMPT_BLOCKED, ContentRefused, 1, YES),
    Mode(54, "wrong_mime", Cause.OK, None, 1, YES),
    Mode(55, "thought_only;counted=1", Cause.OK, None, 1, YES),
    Mode(55, "thought_only;counted=0", Cause.EMPTY, NoImageReturned, 3, YES),
    Mode(56, "several_images;count=3", Cause.OK, None, 1, YES),
    Mode(57, "wrong_size", Cause.OK, None, 1, YES, asked={"tier": "nano_banana_pro", "size": "2K"}),
    Mode(59, "double_base64", Cause.OK, None, 1, YES),
    Mode(59, "corrupt_base64", Cause.CORRUPT_IMAGE, NoImageReturned, 3, YES),
    Mode(59, "corrupt_image", Cause.CORRUPT_IMAGE, NoImageReturned, 3, YES),
    Mode(59, "cut_image", Cause.CORRUPT_IMAGE, NoImageReturned, 3, YES),
    Mode(61, "overloaded", Cause.OVERLOADED, ProviderUnavailable, 6, NO),
    Mode(61, "high_demand", Cause.OVERLOADED, ProviderUnavailable, 6, NO),
    Mode(62, "internal", Cause.INTERNAL, ProviderUnavailable, 6, NO),
    Mode(62, "internal_encountered", Cause.INTERNAL, ProviderUnavailable, 6, NO),
    Mode(63, "deadline", Cause.SERVER_DEADLINE, AmbiguousOutcome, 2, UNKNOWN, charged=False),
    Mode(64, "drop_before", Cause.CONNECTION_LOST, AmbiguousOutcome, 2, UNKNOWN, charged=False),
    Mode(64, "drop_after", Cause.CONNECTION_LOST, AmbiguousOutcome, 2, UNKNOWN, charged=True),
    Mode(65, "hang", Cause.TIMED_OUT, AmbiguousOutcome, 1, UNKNOWN, asked={"deadline": 0.5}, charged=True),
    Mode(66, "truncated_body", Cause.TRUNCATED, AmbiguousOutcome, 2, UNKNOWN, charged=True),
    Mode(70, "slow;seconds=0.1", Cause.OK, None, 1, YES),
    Mode(70, "slow_drip;seconds=0.1", Cause.OK, None, 1, YES),
    Mode(71, "array_error;code=503", Cause.OVERLOADED, ProviderUnavailable, 6, NO),
    Mode(71, "html_error;code=502", Cause.OVERLOADED, ProviderUnavailable, 6, NO),
    Mode(71, "html_error;code=200", Cause.MALFORMED, AmbiguousOutcome, 2, UNKNOWN, charged=False),
)
ELSEWHERE = {
    Cause.UNREACHABLE: "test_nothing_listens",
    Cause.COMPRESSION_REJECTED: "engine/test_compressing: of a text call, not of a picture",
    Cause.UNKNOWN_ERROR: "core/test_outcome: no such answer was ever recorded",
}
OTHER_FAULTS = frozenset({"error_in_stream"})


@dataclass(frozen=True)
class Shop:
    """A day's emulator and its books."""

    emulator: Emulator
    settings: Settings

    @cached_property
    def parts(self) -> Parts:
        return parts_of(self.settings, sinks=())


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[date, Shop]]:
    """One for each day; what tests do there they do under scopes of their own."""
    with ExitStack() as stack:
        found = {}
        for day in (TODAY, ARTICLE):
            emulator = stack.enter_context(serve(as_of=day, pictures="flat"))
            home = tmp_path_factory.mktemp(day.isoformat())
            found[day] = Shop(emulator, settings_of(home, emulator.url, day))
        yield found


@dataclass
class Told:
    """What came of one request, by everybody who counts."""

    answer: ImageResult | ImageRouterError
    attempts: tuple[Attempt, ...]
    calls: list[Call]
    resolved: int
    """What the ledger counts once the bill has resolved what was unknown."""
    differences: int
    """What then is left."""
    sound: bool


def settings_of(home: Path, url: str, day: date) -> Settings:
    return load_settings(
        environ={}, folder=home, home=home, api_key="modes", base_url=url, as_of=day, on_ambiguous="once"
    )


async def told(
    parts: Parts, settings: Settings, asked: dict[str, Any], emulator: Emulator | None = None
) -> Told:
    """One request, and then the books, with the emulator's bill laid beside them."""
    scope = f"modes/{token_hex(4)}"
    async with unpaced(parts, settings.base_url or "") as router:
        try:
            answer: ImageResult | ImageRouterError = await router.generate("a fox", scope=scope, **asked)
        except ImageRouterError as error:
            answer = error
    bill = json.dumps(emulator.bill().to_json()) if emulator else ""
    charges = read_bill(bill, name="the bill") if bill else []
    async with open_books(settings) as books:
        calls = await books.ledger.calls(Period(scope=scope))
        found = await books.reconcile(charges, Period(scope=scope), complete=True)
        left = await books.adopt(found, who="test", bill="the bill")
        report = await books.ledger.verify()
    attempts = answer.attempts if isinstance(answer, ImageResult | ProviderError) else ()
    return Told(
        answer=answer,
        attempts=attempts,
        calls=calls,
        resolved=left.ours,
        differences=len(left.differences),
        sound=report.sound and report.open_holds == 0,
    )


@pytest.mark.parametrize("mode", MODES, ids=str)
async def test_mode(mode: Mode, shops: dict[date, Shop]) -> None:
    """A failure has its cause, its error, its number of calls and its bill, and the ledger knows them."""
    shop = shops[mode.day]
    emulator = shop.emulator
    emulator.reset()
    emulator.faults.add(mode.fault)
    seen = await told(shop.parts, shop.settings, mode.asked, emulator)
    if mode.error is None:
        assert isinstance(seen.answer, ImageResult)
    else:
        assert type(seen.answer) is mode.error, seen.answer
    assert [one.cause for one in seen.attempts] == [mode.cause] * mode.calls
    assert [one.billed for one in seen.attempts] == [mode.billed] * mode.calls
    assert len(seen.calls) == mode.calls == len(emulator.requests())
    state = SendState.UNKNOWN if mode.billed is UNKNOWN else SendState.KNOWN
    assert {call.state for call in seen.calls} == {state}
    assert sum(call.amount for call in seen.calls) == sum(
        one.cost.total + one.at_risk for one in seen.attempts
    )
    assert all((one.at_risk > 0) is (mode.billed is UNKNOWN) for one in seen.attempts)
    charged = mode.billed is YES if mode.charged is None else mode.charged
    assert (emulator.bill().total > 0) is charged
    assert seen.resolved == emulator.bill().total
    assert (seen.sound, seen.differences) == (True, 0)


async def test_nothing_listens(tmp_path: Path) -> None:
    """Where nobody listens nothing was sent: three tries on each of two models, and nothing is at risk."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    settings = settings_of(tmp_path, f"http://127.0.0.1:{port}", TODAY)
    seen = await told(parts_of(settings, sinks=()), settings, ANYTHING)
    assert isinstance(seen.answer, ProviderUnavailable)
    assert [(one.cause, one.billed) for one in seen.attempts] == [(Cause.UNREACHABLE, NO)] * 6
    assert (seen.resolved, seen.sound) == (0, True)


@pytest.mark.parametrize(("policy", "calls"), [("never", 1), ("ask", 1), ("once", 2)])
@pytest.mark.parametrize("fault", ["drop_after", "truncated_body"])
async def test_unknown_is_sent_again_only_as_allowed(
    fault: str, policy: str, calls: int, shops: dict[date, Shop]
) -> None:
    """A lost reply is at risk, and only `once` sends again; the second reply is the picture."""
    shop = shops[TODAY]
    emulator = shop.emulator
    emulator.reset()
    emulator.faults.add(fault, times=1)
    parts = replace(shop.parts, on_ambiguous=OnAmbiguous(policy))
    seen = await told(parts, shop.settings, ANYTHING, emulator)
    assert isinstance(seen.answer, ImageResult) is (policy == "once")
    assert len(seen.calls) == len(emulator.bill().entries) == calls
    assert seen.calls[0].state is SendState.UNKNOWN
    assert seen.resolved == emulator.bill().total


def test_every_cause_is_driven() -> None:
    """No cause is left that no mode here leads to, but those named with the place that has them."""
    driven = {mode.cause for mode in MODES}
    assert driven | ELSEWHERE.keys() == set(Cause)
    assert not driven & ELSEWHERE.keys()


def test_every_fault_of_a_call_is_driven() -> None:
    """No fault of the emulator for a single call is left out; streams and texts have their own tests."""
    driven = {mode.fault.partition(";")[0] for mode in MODES}
    known = {
        name
        for name, facts in catalogue().items()
        if facts["stage"] in {"error", "wire", "answer", "predict"} and name not in OTHER_FAULTS
    }
    assert driven == known
