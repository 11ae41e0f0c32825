"""One contract for every provider's text calls: the emulator's words, faults and bill, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import date

import pytest
from google import genai
from google.oauth2.credentials import Credentials

from gemini_emulator import Emulator, serve
from image_router.core.decision import Compression
from image_router.core.outcome import Billed, Cause, Kind, Outcome, chargeable, classify_words
from image_router.core.rates import card_on
from image_router.core.text_calls import TextCall, call_of, objection, price_of_words, quote_of
from image_router.facts import load_cards, load_catalog
from image_router.providers.base import Provider
from image_router.providers.rest import RestProvider
from image_router.providers.sdk import SdkProvider
from image_router.testing import ScriptedProvider, words_only

# A warning of the SDK about its own transport class.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

DAY = date(2026, 11, 22)
CARD = card_on(DAY, load_cards(None))
MODEL = load_catalog(None).texts["gemini-3.1-flash-lite"]
PROMPT = (
    '12 red boats, no people, the words "OPEN DAILY" and a very beautiful harbour, as in image 2, '
    + "with softly drifting mist over really calm water and quiet jetties, " * 60
)
STEP = Compression(model=MODEL, tokens=1_000, target=384)


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with serve(as_of=DAY.isoformat(), latency=0.0) as emulator:
        yield emulator


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    server.reset()
    return server


@pytest.fixture(params=["rest", "sdk-developer", "sdk-enterprise"])
async def provider(request: pytest.FixtureRequest, emulator: Emulator) -> AsyncIterator[Provider]:
    if request.param == "rest":
        made: Provider = RestProvider("AIzaSyContract000000", base_url=emulator.url, real=False)
    else:
        options = genai.types.HttpOptions(base_url=emulator.url)
        client = (
            genai.Client(api_key="AIzaSyContract000000", http_options=options)
            if request.param == "sdk-developer"
            else genai.Client(
                enterprise=True,
                project="studio",
                location="global",
                credentials=Credentials(token="ya29.contract"),  # type: ignore[no-untyped-call]
                http_options=options,
            )
        )
        made = SdkProvider(client, real=False, owned=True)
    yield made
    await made.aclose()


def asked() -> TextCall:
    return call_of(STEP, PROMPT)


async def judged(provider: Provider, call: TextCall, timeout: float = 30.0) -> Outcome:
    return classify_words(await provider.write(call, timeout=timeout))


async def test_words_come_at_their_price(provider: Provider, emulator: Emulator) -> None:
    """A faithful, shorter prompt; its usage times the card's rates is what the provider bills."""
    outcome = await judged(provider, asked())
    assert (outcome.kind, outcome.cause, outcome.billed) == (Kind.WORDS, Cause.OK, Billed.YES)
    assert objection(PROMPT, outcome.text.strip(), step=STEP) == ""
    (entry,) = emulator.bill().entries
    usage = chargeable(outcome)
    assert usage
    assert price_of_words(usage, MODEL, card=CARD).total == entry.total
    assert outcome.response_id == entry.id
    quote = quote_of(PROMPT, STEP, card=CARD)
    assert 0 < entry.total <= quote.ceiling


@pytest.mark.parametrize(
    ("fault", "kind", "cause"),
    [
        ("text_cut_off", Kind.NO_IMAGE, Cause.OUT_OF_TOKENS),
        ("text_empty", Kind.NO_IMAGE, Cause.EMPTY),
        ("text_blocked", Kind.REFUSED, Cause.PROMPT_BLOCKED),
        ("overloaded", Kind.FAILED, Cause.OVERLOADED),
        ("rate_limit_minute", Kind.FAILED, Cause.RATE_LIMIT),
        ("key_invalid", Kind.FAILED, Cause.BAD_KEY),
        ("drop_after", Kind.AMBIGUOUS, Cause.CONNECTION_LOST),
        ("truncated_body", Kind.AMBIGUOUS, Cause.TRUNCATED),
    ],
)
async def test_what_goes_wrong_is_told_and_its_bill_known(
    provider: Provider, emulator: Emulator, fault: str, kind: Kind, cause: Cause
) -> None:
    """Each failure has its cause, and costs what the bill says, or is at risk."""
    emulator.faults.add(fault, times=1)
    outcome = await judged(provider, asked())
    assert (outcome.kind, outcome.cause) == (kind, cause)
    if outcome.billed is not Billed.UNKNOWN:
        usage = chargeable(outcome)
        assert (price_of_words(usage, MODEL, card=CARD).total if usage else 0) == emulator.bill().total


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("text_loses_number", "number '12'"),
        ("text_loses_negation", "negation 'no people'"),
        ("text_loses_quote", 'quoted text "OPEN DAILY"'),
        ("text_not_shorter", "were allowed"),
    ],
)
async def test_a_lost_fact_comes_through_and_is_found(
    provider: Provider, emulator: Emulator, fault: str, told: str
) -> None:
    """The provider answers well; what is wrong with its words, the checker says."""
    emulator.faults.add(fault, times=1)
    outcome = await judged(provider, asked())
    assert outcome.kind is Kind.WORDS
    assert told in objection(PROMPT, outcome.text.strip(), step=STEP)


async def test_a_retired_text_model_is_not_found(provider: Provider) -> None:
    """A 404, as for an image model."""
    gone = replace(asked(), model=replace(MODEL, id="gemini-3.1-flash-lite-preview"))
    assert (await judged(provider, gone)).cause is Cause.MODEL_NOT_FOUND


async def test_the_script_answers_too() -> None:
    """Its words in order, then the first half of the prompt; it remembers what it was asked."""
    script = ScriptedProvider(words=[words_only("a harbour")])
    assert (await judged(script, asked())).text == "a harbour"
    assert (await judged(script, asked())).text == PROMPT[: len(PROMPT) // 2]
    assert [call.prompt for call in script.texts] == [PROMPT, PROMPT]
