"""What is written is read back equal; what a newer program wrote is refused, not half read."""

from __future__ import annotations

import json
import zlib
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_router import facts
from image_router.core.decision import Decision
from image_router.core.errors import (
    AllAttemptsFailed,
    ContentRefused,
    NoImageReturned,
    ProviderError,
    RateLimited,
    StorageError,
    StorageProblem,
)
from image_router.core.outcome import Billed, Cause, Kind
from image_router.core.rates import Cost, CostLine, LineKind, card_on
from image_router.core.results import Attempt, FailedImage, GeneratedImage, ImageResult
from image_router.core.routing import World, decide
from image_router.core.types import (
    Conversation,
    ImageRequest,
    Lane,
    Pixels,
    Purpose,
    Reference,
    ReferenceRole,
    Size,
    Tier,
    Turn,
    TurnPart,
    Usage,
)
from image_router.storage.records import ATTEMPT, IMAGE, REFUSAL, REQUEST, RESULT

NOWHERE = Path("no-home")
DAY = date(2026, 11, 22)
WORLD = World(
    catalog=facts.load_catalog(NOWHERE),
    card=card_on(DAY, facts.load_cards(NOWHERE)),
    policy=facts.load_policies(NOWHERE, None)["default"],
    day=DAY,
)

words = st.text(max_size=40)
amounts = st.integers(0, 10**15)
digests = st.binary(max_size=8).map(lambda data: data.hex().ljust(64, "0"))
usages = st.builds(Usage, prompt_tokens=amounts, image_tokens=amounts, images=st.integers(0, 4))
lines = st.builds(CostLine, kind=st.sampled_from(LineKind), unit=words, rate=amounts, units=amounts)
costs = st.builds(Cost, lines=st.lists(lines, max_size=3).map(tuple), card=st.none() | st.dates())
seconds = st.floats(0, 1e6)
attempts = st.builds(
    Attempt,
    number=st.integers(1, 9),
    model=words,
    tier=st.none() | st.sampled_from(Tier),
    kind=st.sampled_from(Kind),
    cause=st.sampled_from(Cause),
    detail=words,
    billed=st.sampled_from(Billed),
    cost=costs,
    at_risk=amounts,
    usage=st.none() | usages,
    response_id=st.none() | words,
    elapsed=seconds,
)
parts = st.builds(
    TurnPart,
    text=st.none() | words,
    data=st.none() | st.binary(max_size=40),
    media_type=st.none() | words,
    signature=st.none() | words | st.just("s" * 100_000),
)
turns = st.builds(Turn, role=words, parts=st.lists(parts, max_size=3).map(tuple))
talks = st.builds(Conversation, model=words, family=words, turns=st.lists(turns, max_size=3).map(tuple))
images = st.builds(
    GeneratedImage,
    data=st.binary(max_size=60),
    media_type=words,
    pixels=st.builds(Pixels, st.integers(1, 9999), st.integers(1, 9999)),
    digest=digests,
    tier=st.none() | st.sampled_from(Tier),
    model=words,
    cost=costs,
    usage=st.none() | usages,
    request_id=words,
    response_id=st.none() | words,
    index=st.integers(0, 99),
    extras=st.lists(st.binary(max_size=9), max_size=2).map(tuple),
    text=words,
    cached=st.booleans(),
    warnings=st.lists(words, max_size=2).map(tuple),
    conversation=st.none() | talks,
)
references = st.builds(
    Reference,
    data=st.binary(min_size=1, max_size=20),
    media_type=st.just("image/png"),
    digest=digests,
    width=st.integers(1, 99),
    height=st.integers(1, 99),
    role=st.sampled_from(ReferenceRole),
    name=st.none() | words,
)
requests = st.builds(
    ImageRequest,
    prompt=st.text(min_size=1, max_size=40).filter(str.strip),
    purpose=st.sampled_from(Purpose),
    text=st.none() | st.just("SALE"),
    references=st.lists(references, max_size=2).map(tuple),
    size=st.sampled_from([Size.K1, Size.K2]),
    n=st.integers(1, 4),
    deadline=st.none() | st.floats(1, 80_000),
    lane=st.sampled_from(Lane),
)


def decision(request: ImageRequest) -> Decision:
    return decide(request, WORLD)


results = st.builds(
    ImageResult,
    request_id=words,
    images=st.lists(images, min_size=1, max_size=2).map(tuple),
    failures=st.just(()),
    attempts=st.lists(attempts, max_size=3).map(tuple),
    decision=requests.filter(lambda request: not request.references).map(decision),
    warnings=st.lists(words, max_size=2).map(tuple),
)


@given(results)
@settings(max_examples=60, deadline=None)
def test_a_result_is_read_back_equal(result: ImageResult) -> None:
    """Pictures, attempts, costs, candidates and their models: nothing is lost, nothing is rounded."""
    record = RESULT.write(result)
    assert RESULT.read(record.data, record.pieces) == result
    assert RESULT.needs(record.data) == record.pieces.keys()


@given(images)
def test_a_picture_is_read_back_equal(image: GeneratedImage) -> None:
    """The bytes, the conversation with its signatures, and every field about them."""
    record = IMAGE.write(image)
    assert IMAGE.read(record.data, record.pieces) == image


@given(requests)
def test_a_request_is_read_back_equal(request: ImageRequest) -> None:
    """References included."""
    record = REQUEST.write(request)
    assert REQUEST.read(record.data, record.pieces) == request


@given(attempts)
def test_an_attempt_is_read_back_equal(attempt: Attempt) -> None:
    """An attempt needs no pieces: what it cost can be read when every picture is gone."""
    record = ATTEMPT.write(attempt)
    assert (ATTEMPT.read(record.data, {}), record.pieces) == (attempt, {})


def refused(kind: type[ProviderError] = ContentRefused, **more: Any) -> ProviderError:
    error = kind("gemini: the prompt was blocked.", model="gemini", retry_after=1.5, **more)
    if isinstance(error, ContentRefused):
        error.reason, error.words = "SAFETY", "no \x00 \ud800"
    if isinstance(error, NoImageReturned):
        error.text = "I would rather not"
    return error


def every_error() -> list[ProviderError]:
    several = AllAttemptsFailed("two failed", failures=[refused(), refused(RateLimited)])
    single = [kind for kind in ProviderError.__subclasses__() if kind is not AllAttemptsFailed]
    return [several, *(refused(kind) for kind in single)]


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.code)
def test_an_error_is_read_back_with_all_it_says(error: ProviderError) -> None:
    """A stored refusal speaks the provider's words again, in the same class."""
    record = REFUSAL.write(error)
    back = REFUSAL.read(record.data, record.pieces)
    assert (type(back), str(back)) == (type(error), str(error))
    assert REFUSAL.write(back).data == record.data
    for name in ("reason", "words", "text", "model", "retry_after"):
        assert getattr(back, name, None) == getattr(error, name, None)


def test_failures_beside_images_are_kept() -> None:
    """A result of which one image failed says so when it is read back."""
    whole = decision(ImageRequest(prompt="a fox", n=2))
    result = ImageResult(
        request_id="r",
        images=(),
        failures=(FailedImage(index=1, error=refused()),),
        attempts=(),
        decision=whole,
    )
    record = RESULT.write(result)
    back = RESULT.read(record.data, record.pieces)
    assert (back.failures[0].index, str(back.failures[0].error)) == (1, "gemini: the prompt was blocked.")
    assert RESULT.write(back).data == record.data


def test_equal_values_have_equal_records() -> None:
    """A record can be compared by its bytes."""
    request = ImageRequest(prompt="a fox", seed=1)
    assert REQUEST.write(request) == REQUEST.write(replace(request))


def edited(change: Any) -> bytes:
    document = json.loads(zlib.decompress(REQUEST.write(ImageRequest(prompt="a fox")).data))
    change(document)
    return zlib.compress(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("change", "problem", "says"),
    [
        (lambda d: d["value"].update(mood="grim"), StorageProblem.NEWER_SCHEMA, "ImageRequest.mood"),
        (lambda d: d["value"].update(size="8K"), StorageProblem.NEWER_SCHEMA, "Size '8K'"),
        (lambda d: d.update(format=2), StorageProblem.NEWER_SCHEMA, "format 2"),
        (lambda d: d.update(kind="result"), StorageProblem.CORRUPT, "not a request"),
        (lambda d: d["value"].pop("prompt"), StorageProblem.CORRUPT, "prompt is missing"),
        (lambda d: d["value"].update(n="two"), StorageProblem.CORRUPT, "is not int"),
        (lambda d: d["value"].update(references={}), StorageProblem.CORRUPT, "is not list"),
        (lambda d: d.pop("value"), StorageProblem.CORRUPT, "damaged"),
    ],
)
def test_a_record_that_cannot_be_understood_is_refused(
    change: Any, problem: StorageProblem, says: str
) -> None:
    """Newer and damaged records are told apart, and named by the field."""
    with pytest.raises(StorageError, match=says) as caught:
        REQUEST.read(edited(change), {})
    assert caught.value.problem is problem


def test_an_older_record_without_a_later_field_takes_its_default() -> None:
    """A field that was not yet known when the record was written does not spoil it."""
    assert REQUEST.read(edited(lambda d: d["value"].pop("language")), {}) == ImageRequest(prompt="a fox")


@pytest.mark.parametrize("data", [b"", b"{}", zlib.compress(b"[]"), zlib.compress(b'{"format":1}')])
def test_bytes_that_are_no_record_are_refused(data: bytes) -> None:
    """A torn row is an error in words."""
    with pytest.raises(StorageError, match="damaged"):
        REQUEST.read(data, {})


def test_a_missing_piece_is_named() -> None:
    """Whoever reads learns which bytes are gone."""
    talk = Conversation(model="m", family="f", turns=(Turn(role="user", parts=(TurnPart(data=b"x"),)),))
    record = REQUEST.write(ImageRequest(prompt="a fox", conversation=talk))
    with pytest.raises(KeyError, match="2d711642b726b044"):
        REQUEST.read(record.data, {})


def test_every_field_of_a_picture_is_tried() -> None:
    """A field added to GeneratedImage must be added to the trial above; drafts are not kept."""
    assert len(fields(GeneratedImage)) == 17
