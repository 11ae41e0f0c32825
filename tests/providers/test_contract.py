"""One contract for every provider: the emulator's answers, all its faults, and its bill, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from google import genai
from google.oauth2.credentials import Credentials

from gemini_emulator import serve
from image_router.core.decision import Parameters
from image_router.core.outcome import (
    Billed,
    Cause,
    Expected,
    Kind,
    Outcome,
    chargeable,
    classify,
    expected_of,
)
from image_router.core.rates import card_on, price, quote
from image_router.core.reply import Reply
from image_router.core.types import (
    AspectRatio,
    Dialect,
    Grounding,
    ImageRequest,
    Lane,
    ReferenceRole,
    Size,
    ThinkingLevel,
)
from image_router.engine.media import inspected, load_reference
from image_router.facts import load_cards, load_catalog
from image_router.providers import gemini_wire
from image_router.providers.base import Call, Entitlement, ModelsUnavailable, Provider
from image_router.providers.rest import RestProvider
from image_router.providers.sdk import SdkProvider
from pictures import picture

# A warning of the SDK about its own transport class.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

KEY = "AIzaSyContractTestKey000000000000000000"
DAY = date(2026, 4, 9)
"""A day on which both dialects are alive."""
GEMINI, IMAGEN = "gemini-3-pro-image-preview", "imagen-4.0-generate-001"
CATALOG = load_catalog(None)
CARD = card_on(DAY, load_cards(None))
PATIENCE = 30.0
NOBODY = "http://127.0.0.1:9"
"""Where nothing listens."""

Fault = tuple[Kind, Cause]


def _failed(cause: Cause) -> Fault:
    return Kind.FAILED, cause


FAULTS: dict[str, Fault] = {
    "array_error": _failed(Cause.OVERLOADED),
    "aspect_ratio_not_enabled": _failed(Cause.BAD_PARAMETER),
    "compat_mime": _failed(Cause.BAD_PARAMETER),
    "country": _failed(Cause.REGION),
    "credits_depleted": _failed(Cause.CREDITS_DEPLETED),
    "deadline": (Kind.AMBIGUOUS, Cause.SERVER_DEADLINE),
    "file_forbidden": _failed(Cause.FILE_GONE),
    "file_not_active": _failed(Cause.FILE_NOT_READY),
    "high_demand": _failed(Cause.OVERLOADED),
    "html_error": _failed(Cause.OVERLOADED),
    "imagen_billing": _failed(Cause.BILLING_REQUIRED),
    "imagen_prompt_block": (Kind.REFUSED, Cause.PROMPT_BLOCKED),
    "input_image_invalid": _failed(Cause.BAD_REFERENCE),
    "input_image_unreadable": _failed(Cause.BAD_REFERENCE),
    "internal": _failed(Cause.INTERNAL),
    "internal_encountered": _failed(Cause.INTERNAL),
    "invalid_argument": _failed(Cause.BAD_PARAMETER),
    "key_blocked": _failed(Cause.KEY_RESTRICTED),
    "key_expired": _failed(Cause.BAD_KEY),
    "key_invalid": _failed(Cause.BAD_KEY),
    "key_leaked": _failed(Cause.KEY_LEAKED),
    "missing_signature": _failed(Cause.MISSING_SIGNATURE),
    "model_retired": _failed(Cause.MODEL_NOT_FOUND),
    "not_entitled": _failed(Cause.NOT_ENTITLED),
    "overloaded": _failed(Cause.OVERLOADED),
    "payload_too_large": _failed(Cause.TOO_LONG),
    "quota_zero": _failed(Cause.NO_QUOTA),
    "rate_limit_bare": _failed(Cause.CAPACITY),
    "rate_limit_day": _failed(Cause.DAILY_QUOTA),
    "rate_limit_help_only": _failed(Cause.RATE_LIMIT),
    "rate_limit_minute": _failed(Cause.RATE_LIMIT),
    "rate_limit_retry_info": _failed(Cause.RATE_LIMIT),
    "rate_limit_tokens": _failed(Cause.RATE_LIMIT),
    "region": _failed(Cause.REGION),
    "service_disabled": _failed(Cause.KEY_RESTRICTED),
    "spend_limit": _failed(Cause.SPEND_LIMIT),
    "unknown_field": _failed(Cause.BAD_PARAMETER),
    "url_refused": _failed(Cause.BAD_REFERENCE),
    "vertex_exhausted": _failed(Cause.CAPACITY),
    "drop_after": (Kind.AMBIGUOUS, Cause.CONNECTION_LOST),
    "drop_before": (Kind.AMBIGUOUS, Cause.CONNECTION_LOST),
    "hang": (Kind.AMBIGUOUS, Cause.TIMED_OUT),
    "slow": (Kind.AMBIGUOUS, Cause.TIMED_OUT),
    "slow_drip;seconds=0.4": (Kind.IMAGE, Cause.OK),
    "truncated_body": (Kind.AMBIGUOUS, Cause.TRUNCATED),
    "error_in_stream": (Kind.IMAGE, Cause.OK),
    "base64_in_text": (Kind.NO_IMAGE, Cause.TEXT_INSTEAD),
    "corrupt_base64": _failed(Cause.CORRUPT_IMAGE),
    "corrupt_image": _failed(Cause.CORRUPT_IMAGE),
    "cut_image": _failed(Cause.CORRUPT_IMAGE),
    "double_base64": (Kind.IMAGE, Cause.OK),
    "empty_candidate": (Kind.NO_IMAGE, Cause.EMPTY),
    "empty_candidate;form=role_only": (Kind.NO_IMAGE, Cause.EMPTY),
    "empty_candidate;form=null_parts": (Kind.NO_IMAGE, Cause.EMPTY),
    "empty_candidate;form=no_content": (Kind.NO_IMAGE, Cause.EMPTY),
    "empty_candidate;form=empty_candidates": (Kind.NO_IMAGE, Cause.EMPTY),
    "image_other": (Kind.NO_IMAGE, Cause.DECLINED),
    "image_prohibited": (Kind.REFUSED, Cause.OUTPUT_REFUSED),
    "image_prohibited;message=third_party": (Kind.REFUSED, Cause.COPYRIGHT),
    "image_recitation": (Kind.REFUSED, Cause.COPYRIGHT),
    "image_safety": (Kind.REFUSED, Cause.OUTPUT_REFUSED),
    "image_safety;parts=null": (Kind.REFUSED, Cause.OUTPUT_REFUSED),
    "image_tokens_without_image": (Kind.NO_IMAGE, Cause.PAID_WITHOUT_IMAGE),
    "max_tokens": (Kind.NO_IMAGE, Cause.OUT_OF_TOKENS),
    "no_image": (Kind.NO_IMAGE, Cause.DECLINED),
    "prompt_blocked": (Kind.REFUSED, Cause.PROMPT_BLOCKED),
    "refused_with_image": (Kind.REFUSED, Cause.OUTPUT_REFUSED),
    "several_images": (Kind.IMAGE, Cause.OK),
    "text_instead": (Kind.NO_IMAGE, Cause.TEXT_INSTEAD),
    "thought_only": (Kind.IMAGE, Cause.OK),
    "thought_only;counted=0": (Kind.NO_IMAGE, Cause.EMPTY),
    "unknown_block_reason": (Kind.REFUSED, Cause.PROMPT_BLOCKED),
    "unknown_finish_reason": (Kind.NO_IMAGE, Cause.UNKNOWN_FINISH),
    "wrong_mime": (Kind.IMAGE, Cause.OK),
    "wrong_size": (Kind.IMAGE, Cause.OK),
}
"""Every way the emulator can go wrong on a generateContent call, and what it must be judged as."""

PREDICT_FAULTS: dict[str, Fault] = {
    "imagen_all_filtered": (Kind.REFUSED, Cause.OUTPUT_FILTERED),
    "imagen_some_filtered": (Kind.REFUSED, Cause.OUTPUT_FILTERED),
    "imagen_empty": (Kind.NO_IMAGE, Cause.EMPTY),
    "imagen_prompt_block": (Kind.REFUSED, Cause.PROMPT_BLOCKED),
    "imagen_billing": _failed(Cause.BILLING_REQUIRED),
    "truncated_body": (Kind.AMBIGUOUS, Cause.TRUNCATED),
    "overloaded": _failed(Cause.OVERLOADED),
}

IMPATIENT = {"hang", "slow"}
"""Faults that last longer than anyone waits."""
WARNED = {"several_images", "thought_only", "wrong_mime", "wrong_size", "double_base64"}
OTHER_STAGES = {"batch", "poll", "text"}


@dataclass(frozen=True)
class Bench:
    """A running emulator, spoken to from outside."""

    url: str

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def break_with(self, fault: str) -> None:
        self.ask("/emulator/faults", {"fault": fault})

    def mend(self) -> None:
        self.ask("/emulator/faults", method="DELETE")

    def billed(self) -> int:
        total: int = self.ask("/emulator/bill")["total"]
        return total

    def calls_charged(self) -> int:
        return len(self.ask("/emulator/bill")["entries"])


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with serve(as_of=DAY.isoformat(), latency=0.0) as emulator:
        yield Bench(emulator.url)


@pytest.fixture(autouse=True)
def _mended(bench: Bench) -> Iterator[None]:
    yield
    bench.mend()


KINDS = ["rest", "sdk-developer", "sdk-enterprise"]


@pytest.fixture(params=KINDS)
async def provider(request: pytest.FixtureRequest, bench: Bench) -> AsyncIterator[Provider]:
    async with _provider(request.param, bench.url) as made:
        yield made


@asynccontextmanager
async def _provider(kind: str, url: str) -> AsyncIterator[Provider]:
    """A provider of a kind that speaks to a URL; everything is closed behind it."""
    if kind == "rest":
        rest = RestProvider(KEY, base_url=url, real=False)
        yield rest
        await rest.aclose()
        return
    if kind == "sdk-developer":
        client = genai.Client(
            api_key=KEY, http_options=genai.types.HttpOptions(base_url=url, api_version="v1beta")
        )
    else:
        client = genai.Client(
            enterprise=True,
            project="studio",
            location="global",
            credentials=Credentials(token="ya29.contract"),  # type: ignore[no-untyped-call]
            http_options=genai.types.HttpOptions(base_url=url),
        )
    yield SdkProvider(client, real=False)
    await client.aio.aclose()
    client.close()


def _call(model: str = GEMINI, **fields: Any) -> Call:
    asked = {"aspect": AspectRatio.R1_1, **fields}
    request = ImageRequest(prompt="a red fox in the snow", **asked)
    parameters = Parameters(thinking=None, size=request.size, aspect=request.aspect)
    return Call(request=request, model=CATALOG.models[model], parameters=parameters, max_output_tokens=None)


async def _judged(provider: Provider, call: Call, timeout: float = PATIENCE) -> tuple[Reply, Outcome]:
    reply = inspected(await provider.generate(call, timeout=timeout))
    return reply, classify(reply, expected_of(call.model, call.parameters, request=call.request))


def _cost(call: Call, outcome: Outcome) -> int:
    usage = chargeable(outcome)
    return (
        price(usage, call.model, size=call.parameters.size, card=CARD, lane=Lane.INTERACTIVE).total
        if usage
        else 0
    )


def _at_risk(call: Call) -> int:
    return quote(call.request, call.model, parameters=call.parameters, card=CARD).ceiling


def _assert_bill(call: Call, outcome: Outcome, charged: int) -> None:
    if outcome.billed is Billed.UNKNOWN:
        assert charged <= _at_risk(call)
    else:
        assert _cost(call, outcome) == charged


@pytest.mark.parametrize(
    "model", [GEMINI, "gemini-3.1-flash-image-preview", "gemini-2.5-flash-image", IMAGEN]
)
async def test_image_comes_at_its_price(provider: Provider, bench: Bench, model: str) -> None:
    """Each model brings the size asked for, and the price of its usage is what the provider bills."""
    call, before = _call(model), bench.billed()
    reply, outcome = await _judged(provider, call)
    assert (outcome.kind, outcome.cause, outcome.warnings) == (Kind.IMAGE, Cause.OK, ())
    assert outcome.image is not None
    assert outcome.image.facts is not None
    assert reply.elapsed > 0
    assert _cost(call, outcome) == bench.billed() - before > 0


@pytest.mark.parametrize("size", [Size.K2, Size.K4])
async def test_larger_size_comes_at_its_price(bench: Bench, size: Size) -> None:
    """2K and 4K are sent as such, come as such and are billed as such."""
    call, before = _call(size=size), bench.billed()
    async with _provider("rest", bench.url) as provider:
        _, outcome = await _judged(provider, call)
    assert (outcome.kind, outcome.wrong_size) == (Kind.IMAGE, False)
    assert _cost(call, outcome) == bench.billed() - before


async def test_everything_a_request_may_carry_is_accepted(provider: Provider, bench: Bench) -> None:
    """References, system instruction, seed, safety and grounding are taken, and their tokens are billed."""
    reference = load_reference(picture("JPEG", 128, 96), ReferenceRole.CHARACTER)
    call = _call(
        references=(reference, load_reference(picture("PNG"))),
        system_instruction="Paint in watercolour.",
        seed=7,
        text="HELLO",
        grounding=(Grounding.WEB,),
    )
    before = bench.billed()
    _, outcome = await _judged(provider, call)
    assert outcome.kind is Kind.IMAGE
    assert outcome.usage is not None
    assert outcome.usage.prompt_image_tokens > 0
    assert _cost(call, outcome) == bench.billed() - before


async def test_conversation_goes_on(provider: Provider, bench: Bench) -> None:
    """A second turn carries the first with its signatures, and is taken."""
    first = _call()
    reply, outcome = await _judged(provider, first)
    assert outcome.image is not None
    talk = gemini_wire.conversation_after(first, reply, image=outcome.image)
    second = _call(conversation=talk)
    before = bench.billed()
    _, outcome = await _judged(provider, second)
    assert outcome.kind is Kind.IMAGE
    assert _cost(second, outcome) == bench.billed() - before


async def test_thinking_level_is_accepted() -> None:
    """Each level a model offers is sent in the API's spelling and taken."""
    with serve(as_of="2026-11-22", latency=0.0) as emulator:
        async with _provider("rest", emulator.url) as provider:
            for level in ThinkingLevel:
                plain = _call("gemini-nano-banana-2.1")
                call = replace(plain, parameters=replace(plain.parameters, thinking=level))
                assert (await _judged(provider, call))[1].kind is Kind.IMAGE


def test_every_fault_has_a_row(bench: Bench) -> None:
    """Whatever the emulator can do to a call is in the tables."""
    offered = bench.ask("/emulator/faults")["faults"]
    known = {name.partition(";")[0] for name in (*FAULTS, *PREDICT_FAULTS)}
    assert {name for name, fault in offered.items() if fault["stage"] not in OTHER_STAGES} == known


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_is_judged_and_priced(provider: Provider, bench: Bench, fault: str) -> None:
    """Every fault has its documented outcome, and its cost is the bill, or at most what is at risk."""
    call, before = _call(), bench.billed()
    bench.break_with(fault)
    _, outcome = await _judged(provider, call, 1.0 if fault in IMPATIENT else PATIENCE)
    assert (outcome.kind, outcome.cause) == FAULTS[fault]
    assert bool(outcome.warnings) == (fault in WARNED)
    assert (outcome.kind is Kind.IMAGE) == (outcome.image is not None)
    _assert_bill(call, outcome, bench.billed() - before)


@pytest.mark.parametrize("fault", PREDICT_FAULTS)
async def test_predict_fault_is_judged_and_priced(provider: Provider, bench: Bench, fault: str) -> None:
    """The faults of Imagen's dialect have their outcomes and bills likewise."""
    call, before = _call(IMAGEN), bench.billed()
    bench.break_with(fault)
    _, outcome = await _judged(provider, call)
    assert (outcome.kind, outcome.cause) == PREDICT_FAULTS[fault]
    _assert_bill(call, outcome, bench.billed() - before)


async def test_lost_call_is_sent_once(provider: Provider, bench: Bench) -> None:
    """A connection that dies after the work was done is not quietly tried again: one charge, not two."""
    before = bench.calls_charged()
    bench.break_with("drop_after")
    await _judged(provider, _call())
    assert bench.calls_charged() == before + 1


async def test_probe_tells_models_apart(provider: Provider, bench: Bench) -> None:
    """An empty body is answered 400 for a living model and 404 for another, and costs nothing."""
    before = bench.billed()
    unknown = replace(CATALOG.models[GEMINI], id="gemini-9-none")
    assert await provider.probe(CATALOG.models[GEMINI]) is Entitlement.ENTITLED
    assert await provider.probe(CATALOG.models[IMAGEN]) is Entitlement.ENTITLED
    assert await provider.probe(unknown) is Entitlement.NOT_FOUND
    bench.break_with("key_invalid")
    assert await provider.probe(CATALOG.models[GEMINI]) is Entitlement.KEY_REFUSED
    bench.break_with("overloaded")
    assert bench.billed() == before


@pytest.mark.parametrize("provider", ["rest", "sdk-developer"], indirect=True)
async def test_models_are_listed(provider: Provider, bench: Bench) -> None:
    """models.list brings the ids and methods of both dialects."""
    listed = {model.id: model.methods for model in await provider.models()}
    assert "generateContent" in listed[GEMINI]
    assert listed[IMAGEN] == ("predict",)


@pytest.mark.parametrize("kind", KINDS)
async def test_unreadable_list_of_models_says_why(kind: str, bench: Bench) -> None:
    """A list that cannot be had is an error with the provider's words, not an empty list."""
    async with _provider(kind, bench.url + "/nowhere") as provider:
        with pytest.raises(ModelsUnavailable, match="404"):
            await provider.models()


async def test_cancelling_leaves_the_provider_usable(provider: Provider, bench: Bench) -> None:
    """A cancelled call ends at once, and the next one works."""
    bench.break_with("hang")
    task = asyncio.create_task(provider.generate(_call(), timeout=PATIENCE))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bench.mend()
    assert (await _judged(provider, _call()))[1].kind is Kind.IMAGE


async def test_imagen_may_go_another_way(bench: Bench) -> None:
    """An SDK provider hands Imagen to the provider it was given for it, generation and probe."""
    assert CATALOG.models[IMAGEN].dialect is Dialect.PREDICT
    client = genai.Client(api_key=KEY, http_options=genai.types.HttpOptions(base_url=NOBODY))
    async with _provider("rest", bench.url) as rest:
        provider = SdkProvider(client, predict=rest, real=False)
        assert (await _judged(provider, _call(IMAGEN)))[1].kind is Kind.IMAGE
        assert await provider.probe(CATALOG.models[IMAGEN]) is Entitlement.ENTITLED
    client.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_at_home_is_not_ambiguous(kind: str) -> None:
    """A refused connection never left: it may be tried again, and nothing is at risk."""
    async with _provider(kind, NOBODY) as unreachable:
        outcome = classify(await unreachable.generate(_call(), timeout=5.0), Expected())
    assert (outcome.kind, outcome.cause, outcome.billed) == (Kind.FAILED, Cause.UNREACHABLE, Billed.NO)
