"""What replies mean: which picture counts, what is charged, which row of the tables fires."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.causes import ERROR_RULES, FINISH_RULES
from image_router.core.errors import (
    AmbiguousOutcome,
    ContentRefused,
    NoImageReturned,
    ProviderError,
    RateLimited,
)
from image_router.core.failures import FAILURES, error_for
from image_router.core.outcome import (
    Billed,
    Cause,
    Expected,
    FailureScope,
    Kind,
    Outcome,
    Retry,
    chargeable,
    classify,
)
from image_router.core.reply import (
    ApiError,
    FaultKind,
    ImageFacts,
    Reply,
    ReplyImage,
    ReplyText,
    TransportFault,
)
from image_router.core.types import AspectRatio, Pixels, Usage

USAGE = Usage(
    prompt_tokens=10, candidates_tokens=1300, image_tokens=1120, thoughts_tokens=50, total_tokens=1360
)
SQUARE = Expected(pixels=Pixels(1024, 1024), aspect=AspectRatio.R1_1, image_tokens=1120)


def image(
    name: bytes = b"picture", *, width: int = 1024, height: int = 1024, thought: bool = False, **fields: str
) -> ReplyImage:
    facts = ImageFacts(media_type="image/jpeg", pixels=Pixels(width, height), digest=name.hex())
    return ReplyImage(
        data=name,
        declared_type=fields.get("declared", "image/jpeg"),
        thought=thought,
        facts=None if "defect" in fields else facts,
        defect=fields.get("defect"),
    )


def answer(*parts: ReplyImage | ReplyText, finish: str | None = "STOP", usage: Usage | None = USAGE) -> Reply:
    return Reply(http_status=200, parts=parts, has_candidates=True, finish_reason=finish, usage=usage)


def judged(reply: Reply, expected: Expected = SQUARE) -> Outcome:
    return classify(reply, expected)


def refused_with(http_status: int, **fields: object) -> Outcome:
    error = replace(ApiError(http_status=http_status), **fields)
    return judged(Reply(http_status=http_status, error=error))


def test_last_picture_that_is_no_thought_is_the_result() -> None:
    """Drafts are passed over, the last final picture is taken, and the other finals are extras."""
    drafts, finals = [image(b"a", thought=True)], [image(b"b"), image(b"c")]
    outcome = judged(answer(*drafts, *finals))
    assert (outcome.image, outcome.extras) == (finals[1], (finals[0],))
    assert outcome.warnings == ("the reply holds 2 pictures, all charged; the last sound one is the result",)


def test_broken_last_picture_gives_way_to_a_sound_one() -> None:
    """A defect in one of several pictures costs only that one, with a warning."""
    outcome = judged(answer(image(b"a"), image(b"b", defect="cut off")))
    assert outcome.image is not None
    assert (outcome.image.data, outcome.extras) == (b"a", ())
    assert any("cut off" in warning for warning in outcome.warnings)


def test_thoughts_alone_count_when_pictures_were_counted() -> None:
    """When every picture is a thought, the last one is the result, with a warning."""
    outcome = judged(answer(image(b"a", thought=True), image(b"b", thought=True)))
    assert outcome.image is not None
    assert (outcome.image.data, outcome.extras) == (b"b", ())
    assert len(outcome.warnings) == 1


def test_thoughts_alone_are_no_image_when_none_was_counted() -> None:
    """A draft without IMAGE tokens is no result."""
    usage = replace(USAGE, image_tokens=0)
    outcome = judged(answer(image(thought=True), usage=usage))
    assert (outcome.kind, outcome.cause, chargeable(outcome)) == (Kind.NO_IMAGE, Cause.EMPTY, usage)


def test_broken_picture_is_paid_for() -> None:
    """A picture that cannot be decoded is a failure whose usage is charged."""
    outcome = judged(answer(image(defect="cut off")))
    assert (outcome.kind, outcome.cause, outcome.billed) == (Kind.FAILED, Cause.CORRUPT_IMAGE, Billed.YES)
    assert (chargeable(outcome), outcome.detail, outcome.retry) == (USAGE, "cut off", Retry.CONTENT)


@pytest.mark.parametrize("finish", [None, "", "STOP", "FINISH_REASON_UNSPECIFIED"])
def test_picture_counts_when_nothing_speaks_against_it(finish: str | None) -> None:
    """A picture is a result also when its finishReason is absent, as in a stream's first event."""
    assert judged(answer(image(), finish=finish)).kind is Kind.IMAGE


@pytest.mark.parametrize("finish", [*FINISH_RULES, "SOMETHING_NEW"])
def test_picture_beside_another_finish_is_refused(finish: str) -> None:
    """A picture together with any other finishReason is withheld."""
    outcome = judged(answer(image(), finish=finish))
    assert (outcome.kind, outcome.image, outcome.reason) == (Kind.REFUSED, None, finish)


@pytest.mark.parametrize(
    ("finish", "kind", "cause", "billed"),
    [
        ("IMAGE_SAFETY", Kind.REFUSED, Cause.OUTPUT_REFUSED, Billed.NO),
        ("IMAGE_PROHIBITED_CONTENT", Kind.REFUSED, Cause.OUTPUT_REFUSED, Billed.NO),
        ("IMAGE_RECITATION", Kind.REFUSED, Cause.COPYRIGHT, Billed.NO),
        ("IMAGE_OTHER", Kind.NO_IMAGE, Cause.DECLINED, Billed.NO),
        ("NO_IMAGE", Kind.NO_IMAGE, Cause.DECLINED, Billed.YES),
        ("MAX_TOKENS", Kind.NO_IMAGE, Cause.OUT_OF_TOKENS, Billed.YES),
        ("MISSING_THOUGHT_SIGNATURE", Kind.FAILED, Cause.MISSING_SIGNATURE, Billed.YES),
        ("SOMETHING_NEW", Kind.NO_IMAGE, Cause.UNKNOWN_FINISH, Billed.YES),
    ],
)
def test_finish_without_picture(finish: str, kind: Kind, cause: Cause, billed: Billed) -> None:
    """Refused output costs nothing; everything else what the usage says."""
    usage = Usage(prompt_tokens=10, thoughts_tokens=90, total_tokens=100)
    outcome = judged(answer(finish=finish, usage=usage))
    assert (outcome.kind, outcome.cause, outcome.billed) == (kind, cause, billed)
    assert chargeable(outcome) == (usage if billed is Billed.YES else None)


def test_third_party_words_mean_copyright() -> None:
    """IMAGE_PROHIBITED_CONTENT names the rights of others only in its message."""
    words = "Unable to show the generated image due to interests of third-party content providers."
    reply = replace(answer(finish="IMAGE_PROHIBITED_CONTENT"), finish_message=words)
    outcome = judged(reply)
    assert (outcome.cause, outcome.detail, outcome.billed) == (Cause.COPYRIGHT, words, Billed.NO)


def test_blocked_prompt_costs_its_input_alone() -> None:
    """A blocked prompt is refused, never retried, and charged its prompt tokens."""
    usage = Usage(prompt_tokens=268, prompt_image_tokens=258, candidates_tokens=5, total_tokens=273)
    outcome = judged(Reply(http_status=200, block_reason="OTHER", usage=usage))
    assert (outcome.kind, outcome.cause, outcome.reason) == (Kind.REFUSED, Cause.PROMPT_BLOCKED, "OTHER")
    assert chargeable(outcome) == Usage(prompt_tokens=268, prompt_image_tokens=258, total_tokens=268)
    assert outcome.retry is Retry.NEVER


def test_words_instead_of_a_picture_are_kept() -> None:
    """The model's words are the text and the detail; a picture written as text is no picture."""
    text = "data:image/png;base64,iVBORw0KGgo"
    usage = Usage(prompt_tokens=10, candidates_tokens=48, total_tokens=58)
    outcome = judged(answer(ReplyText(text="hm", thought=True), ReplyText(text=text), usage=usage))
    assert (outcome.cause, outcome.text, outcome.detail) == (Cause.TEXT_INSTEAD, text, text)
    assert chargeable(outcome) == usage


def test_counted_but_not_delivered() -> None:
    """IMAGE tokens without a picture are charged and may be repeated."""
    outcome = judged(answer())
    assert (outcome.cause, outcome.retry, chargeable(outcome)) == (
        Cause.PAID_WITHOUT_IMAGE,
        Retry.CONTENT,
        USAGE,
    )


def test_empty_reply_without_usage_may_have_cost_something() -> None:
    """Nothing was said about usage, so nobody knows what it cost."""
    outcome = judged(Reply(http_status=200))
    assert (outcome.kind, outcome.cause, outcome.billed) == (Kind.NO_IMAGE, Cause.EMPTY, Billed.UNKNOWN)


def test_filtered_pictures() -> None:
    """All filtered is a refusal that costs nothing; some filtered is an image with a warning."""
    reply = Reply(http_status=200, has_candidates=True, filtered=("too bold",), usage=Usage(images=0))
    refused = judged(reply)
    assert (refused.cause, refused.detail, refused.billed) == (Cause.OUTPUT_FILTERED, "too bold", Billed.NO)
    some = judged(replace(reply, parts=(image(),), usage=Usage(images=1)))
    assert (some.kind, chargeable(some)) == (Kind.IMAGE, Usage(images=1))
    assert some.warnings == ("a further picture was filtered: too bold",)


def test_image_without_usage_is_charged_by_the_models_row() -> None:
    """A picture costs money whether or not a proxy dropped its usage."""
    outcome = judged(answer(image(), usage=None))
    assert chargeable(outcome) == Usage(candidates_tokens=1120, image_tokens=1120)
    assert "1120 were assumed" in outcome.warnings[0]


def test_image_without_usage_and_row_has_an_unknown_cost() -> None:
    """Where the model's own row is not known either, the cost is unknown, not zero."""
    assert judged(answer(image(), usage=None), Expected()).billed is Billed.UNKNOWN


def test_bytes_overrule_the_declared_type() -> None:
    """A wrong declaration is a warning, the bytes' own type stands."""
    outcome = judged(answer(image(declared="image/png")))
    assert outcome.warnings == ("declared as image/png, the bytes are image/jpeg",)


@pytest.mark.parametrize(
    ("asked", "got", "wrong"),
    [
        ((1376, 768), (1408, 768), False),
        ((384, 3072), (352, 2928), False),
        ((512, 2048), (512, 2064), False),
        ((1024, 1024), (1408, 768), True),
        ((4096, 4096), (1024, 1024), True),
        ((1184, 864), (1200, 896), False),
        ((1000, 1000), (1050, 1000), False),
        ((1000, 1000), (1051, 1000), True),
        ((1000, 1000), (1072, 1072), False),
        ((1000, 1000), (1073, 1073), True),
    ],
)
def test_size_is_compared_with_tolerance(asked: tuple[int, int], got: tuple[int, int], wrong: bool) -> None:
    """Five percent of the ratio and fifteen of the area are let pass; beyond, both sizes are named."""
    expected = Expected(pixels=Pixels(*asked))
    outcome = judged(answer(image(width=got[0], height=got[1])), expected)
    warning = f"asked for {Pixels(*asked)}, got {Pixels(*got)}"
    assert (outcome.kind, outcome.wrong_size) == (Kind.IMAGE, wrong)
    assert outcome.warnings == ((warning,) if wrong else ())


def test_ratio_alone_is_compared_when_no_size_is_documented() -> None:
    """Without a documented size the shape is still held against the ratio asked for."""
    outcome = judged(answer(image(width=1024)), Expected(aspect=AspectRatio.R16_9))
    assert outcome.warnings == ("asked for the ratio 16:9, got 1024x1024",)


@pytest.mark.parametrize("kind", FaultKind)
def test_sent_and_lost_is_ambiguous(kind: FaultKind) -> None:
    """What was sent may have been billed; what never left was not, and may be sent again."""
    lost = judged(Reply(fault=TransportFault(kind=kind, sent=True, detail="gone")))
    assert (lost.kind, lost.billed, lost.retry) == (Kind.AMBIGUOUS, Billed.UNKNOWN, Retry.AMBIGUOUS)
    unsent = judged(Reply(fault=TransportFault(kind=kind, sent=False, detail="gone")))
    assert (unsent.kind, unsent.cause, unsent.billed, unsent.retry) == (
        Kind.FAILED,
        Cause.UNREACHABLE,
        Billed.NO,
        Retry.CAPACITY,
    )


@pytest.mark.parametrize(
    ("status", "fields", "cause", "scope", "retry", "wait"),
    [
        (429, {"quota_ids": ("XPerMinuteY",), "retry_after": 48.0}, "rate_limit", "model", "capacity", 48.0),
        (
            429,
            {"quota_ids": ("XPerDayY", "XPerMinuteY"), "retry_after": 1.0},
            "daily_quota",
            "model",
            "failover",
            None,
        ),
        (
            429,
            {"message": "metric: x, limit: 0, model: y", "retry_after": 1.0},
            "no_quota",
            "project",
            "never",
            None,
        ),
        (
            429,
            {"message": "metric: x, limit: 05", "quota_ids": ("PerMinute",)},
            "rate_limit",
            "model",
            "capacity",
            None,
        ),
        (
            429,
            {"message": "Your prepayment credits are depleted"},
            "credits_depleted",
            "project",
            "never",
            None,
        ),
        (
            429,
            {"message": "You exceeded your spend-based rate limit"},
            "spend_limit",
            "project",
            "capacity",
            20.0,
        ),
        (
            429,
            {"message": "Resource has been exhausted (e.g. check quota)."},
            "capacity",
            "model",
            "capacity",
            None,
        ),
        (401, {"status": "UNAUTHENTICATED"}, "bad_key", "key", "never", None),
        (403, {"message": "denied"}, "key_restricted", "key", "never", None),
        (403, {"reasons": ("BILLING_DISABLED",)}, "billing_required", "project", "never", None),
        (404, {"message": "<html>", "status": ""}, "unknown_error", "request", "never", None),
        (413, {}, "too_long", "request", "never", None),
        (
            400,
            {"message": "Image generation is not available in your country."},
            "region",
            "project",
            "never",
            None,
        ),
        (
            400,
            {"message": "x", "field_violations": ("a: MIME type must be image/png",)},
            "bad_reference",
            "request",
            "never",
            None,
        ),
        (
            400,
            {"message": "Image part is missing a thought_signature in content position 2"},
            "missing_signature",
            "request",
            "never",
            None,
        ),
        (500, {}, "internal", "model", "capacity", None),
        (502, {}, "overloaded", "model", "capacity", None),
        (503, {"retry_after": 7.0}, "overloaded", "model", "capacity", 7.0),
        (418, {}, "unknown_error", "request", "never", None),
        (302, {}, "unknown_error", "request", "never", None),
    ],
)
def test_error_row(
    status: int, fields: dict[str, object], cause: str, scope: str, retry: str, wait: float | None
) -> None:
    """Each sign of an error has its meaning, scope, retry and wait; none of them is charged."""
    outcome = refused_with(status, **fields)
    assert (outcome.cause, outcome.scope, outcome.retry) == (Cause(cause), FailureScope(scope), Retry(retry))
    assert (outcome.retry_after, outcome.billed) == (wait, Billed.NO)


@pytest.mark.parametrize("status", [408, 499, 504])
def test_server_deadline_is_ambiguous(status: int) -> None:
    """The provider had the request and gave up: nobody knows what it charged."""
    outcome = refused_with(status)
    assert (outcome.kind, outcome.cause, outcome.billed) == (
        Kind.AMBIGUOUS,
        Cause.SERVER_DEADLINE,
        Billed.UNKNOWN,
    )


def test_every_error_row_can_fire() -> None:
    """No row is hidden by the ones before it; the last one takes everything."""
    assert ERROR_RULES[-1].fits(ApiError(http_status=0))
    assert len(set(ERROR_RULES)) == len(ERROR_RULES)
    assert all(not rule.fits(ApiError(http_status=0)) for rule in ERROR_RULES[:-1])


def test_every_cause_has_its_error() -> None:
    """Each way to fail is told by one class, with what to do."""
    assert FAILURES.keys() == set(Cause) - {Cause.OK}


@pytest.mark.parametrize("cause", sorted(FAILURES))
def test_error_says_what_who_and_what_to_do(cause: Cause) -> None:
    """The message names the model, quotes the provider and ends with advice."""
    outcome = Outcome(kind=Kind.FAILED, cause=cause, detail="their words", retry_after=34.4)
    error = error_for(outcome, "gemini-x")
    assert isinstance(error, ProviderError)
    assert (error.model, error.retry_after) == ("gemini-x", 34.4)
    assert str(error).startswith("gemini-x: ")
    assert '"their words"' in str(error)
    assert str(error).endswith(f"{FAILURES[cause].todo}.")


def test_errors_carry_their_particulars() -> None:
    """A refusal carries reason and words, a missing image the text, a rate limit its wait."""
    refusal = error_for(judged(replace(answer(finish="IMAGE_SAFETY"), finish_message="no")), "m")
    assert isinstance(refusal, ContentRefused)
    assert (refusal.reason, refusal.words) == ("IMAGE_SAFETY", "no")
    usage = Usage(candidates_tokens=9)
    missing = error_for(judged(answer(ReplyText(text="Which cat?"), usage=usage)), "m")
    assert isinstance(missing, NoImageReturned)
    assert missing.text == "Which cat?"
    limited = error_for(refused_with(429, quota_ids=("PerMinute",), retry_after=34.4), "m")
    assert isinstance(limited, RateLimited)
    assert "wait 34.4 s" in str(limited)
    lost = TransportFault(kind=FaultKind.DROPPED, sent=True, detail="gone")
    assert isinstance(error_for(judged(Reply(fault=lost)), "m"), AmbiguousOutcome)


texts = st.text(max_size=20)
counts = st.integers(min_value=0, max_value=5000)
usages = st.none() | st.builds(
    Usage, prompt_tokens=counts, candidates_tokens=counts, image_tokens=counts, thoughts_tokens=counts
)
images = st.builds(
    image,
    st.binary(max_size=4),
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    thought=st.booleans(),
)
parts = st.lists(images | st.builds(ReplyText, text=texts, thought=st.booleans()), max_size=4).map(tuple)
finishes = st.none() | st.sampled_from([*FINISH_RULES, "STOP"]) | texts
replies = st.builds(
    Reply,
    parts=parts,
    finish_reason=finishes,
    block_reason=st.none() | texts,
    filtered=st.lists(texts, max_size=2).map(tuple),
    usage=usages,
)
errors = st.builds(
    ApiError,
    http_status=st.integers(100, 599),
    status=texts,
    message=texts,
    reasons=st.lists(texts, max_size=2).map(tuple),
    quota_ids=st.lists(texts, max_size=2).map(tuple),
)


@given(replies)
def test_any_reply_has_one_meaning(reply: Reply) -> None:
    """Whatever a reply holds, it is judged; only an image outcome has an image, and money follows the law."""
    outcome = judged(reply)
    assert (outcome.kind is Kind.IMAGE) == (outcome.image is not None) == (outcome.cause is Cause.OK)
    charged = chargeable(outcome)
    assert charged is None or outcome.billed is Billed.YES
    assert outcome.cause is not Cause.OUTPUT_REFUSED or charged is None
    if outcome.kind is not Kind.IMAGE:
        assert str(error_for(outcome, "m"))


@given(errors)
def test_any_error_has_one_meaning(error: ApiError) -> None:
    """Whatever an error says, it is judged, never charged, and waits only where a retry follows."""
    outcome = judged(Reply(http_status=error.http_status, error=error))
    assert chargeable(outcome) is None
    assert outcome.retry_after is None or outcome.retry is Retry.CAPACITY
