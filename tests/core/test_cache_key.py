"""What shapes the pixels is in the cache key, and nothing else; what the caller named is in the work's."""

from __future__ import annotations

import unicodedata
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.brevity import Compress
from image_router.core.decision import Adapted, Candidate, Compression, Parameters
from image_router.core.fingerprint import (
    NOT_SENT,
    NOT_THE_WORK,
    cache_key,
    normalised,
    request_fingerprint,
)
from image_router.core.rates import Quote
from image_router.core.types import (
    Adaptation,
    AspectRatio,
    Conversation,
    Grounding,
    ImageRequest,
    Lane,
    PersonGeneration,
    Purpose,
    Quality,
    Reference,
    ReferenceRole,
    RetiredPolicy,
    SafetySetting,
    Size,
    ThinkingLevel,
    Tier,
    Turn,
    TurnPart,
)
from image_router.facts import load_catalog

CATALOG = load_catalog(Path("no-home"))
MODEL = CATALOG.models["gemini-3-pro-image"]
POLICY = "default 2026-11-22"
CANDIDATE = Candidate(
    tier=Tier.NANO_BANANA_PRO,
    model=MODEL,
    parameters=Parameters(thinking=None, size=Size.K1, aspect=None),
    quote=Quote(lines=(), images=1, list_price=0, card=date(2026, 10, 8)),
    reason="",
)
REQUEST = ImageRequest(prompt="a fox in the snow")


def reference(data: bytes = b"one", role: ReferenceRole = ReferenceRole.OBJECT, name: str = "") -> Reference:
    return Reference(
        data=data, media_type="image/png", digest=data.hex(), width=1, height=1, role=role, name=name
    )


def talk(text: str = "hello", data: bytes = b"picture", signature: str = "c2ln") -> Conversation:
    part = TurnPart(text=text), TurnPart(data=data, media_type="image/png", signature=signature)
    return Conversation(model=MODEL.id, family="g", turns=(Turn(role="user", parts=part),))


def key(request: ImageRequest = REQUEST, candidate: Candidate = CANDIDATE, **more: object) -> str:
    return cache_key(request, candidate, **{"policy": POLICY, **more})  # type: ignore[arg-type]


CHANGES = {
    "prompt": "a fox in the rain",
    "purpose": Purpose.HERO,
    "text": "SALE",
    "text_heavy": True,
    "references": (reference(),),
    "size": Size.K2,
    "aspect": AspectRatio.R16_9,
    "n": 2,
    "lane": Lane.BATCH,
    "tier": Tier.NANO_BANANA,
    "model": MODEL.id,
    "retired": RetiredPolicy.SUBSTITUTE,
    "max_cost": 1,
    "max_total": 1,
    "quality_floor": Quality.HIGH,
    "identity_locked": True,
    "thinking": ThinkingLevel.HIGH,
    "seed": 7,
    "safety": (SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE"),),
    "person_generation": PersonGeneration.ALLOW_ADULT,
    "system_instruction": "draw like a child",
    "grounding": (Grounding.WEB,),
    "language": "de",
    "conversation": talk(),
    "allow": frozenset({Adaptation.IMAGE_PREFIX}),
    "compress": Compress(to=300),
    "deadline": 5.0,
    "drafts": True,
    "scope": "acme",
    "key": "order-1",
}


def test_every_field_of_a_request_has_a_change_to_try() -> None:
    """A new field of the request must be given its place in the keys."""
    assert CHANGES.keys() == {field.name for field in fields(ImageRequest)}


@pytest.mark.parametrize("name", CHANGES)
def test_a_field_counts_in_the_cache_key_exactly_when_it_reaches_the_model(name: str) -> None:
    """Whatever reaches the model makes another picture; who pays, when and why does not."""
    changed = replace(REQUEST, **{name: CHANGES[name]})
    assert (key(changed) == key()) == (name in NOT_SENT)


@pytest.mark.parametrize("name", CHANGES)
def test_a_field_counts_in_the_request_fingerprint_exactly_when_it_says_what_is_wanted(name: str) -> None:
    """A key may be used again with another deadline or limit, never for another picture."""
    changed = replace(REQUEST, **{name: CHANGES[name]})
    assert (request_fingerprint(changed) == request_fingerprint(REQUEST)) == (name in NOT_THE_WORK)


PARAMETERS = CANDIDATE.parameters


@pytest.mark.parametrize(
    "other",
    [
        replace(CANDIDATE, model=CATALOG.models["gemini-2.5-flash-image"]),
        replace(CANDIDATE, parameters=replace(PARAMETERS, size=Size.K2)),
        replace(CANDIDATE, parameters=replace(PARAMETERS, aspect=AspectRatio.R1_1)),
        replace(CANDIDATE, parameters=replace(PARAMETERS, thinking=ThinkingLevel.HIGH)),
        replace(CANDIDATE, adapted=(Adapted(kind=Adaptation.FLATTEN_HISTORY, detail=""),)),
    ],
)
def test_how_the_model_is_used_counts(other: Candidate) -> None:
    """A picture belongs to the model that made it and to the way it was used."""
    assert key(candidate=other) != key()


def test_tier_quote_and_reason_do_not_count() -> None:
    """The same model, used in the same way for another role or price, makes the same picture."""
    other = replace(
        CANDIDATE,
        tier=Tier.NANO_BANANA,
        reason="guard",
        quote=replace(CANDIDATE.quote, list_price=5),
        adapted=(),
    )
    assert key(candidate=other) == key()


@pytest.mark.parametrize(
    "more", [{"policy": "default 2"}, {"allowed": {Adaptation.IMAGE_PREFIX}}, {"index": 1}]
)
def test_policy_permitted_rewritings_and_the_place_among_n_count(more: dict[str, object]) -> None:
    """A picture that may have been made from rewritten words is never served to who did not allow that."""
    assert key(**more) != key()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (talk(), talk(text="hallo")),
        (talk(), talk(data=b"other")),
        (talk(), talk(signature="b3RoZXI=")),
    ],
)
def test_every_part_of_an_earlier_turn_counts(one: Conversation, other: Conversation) -> None:
    """An edit continues one conversation, not one that looks like it."""
    assert key(replace(REQUEST, conversation=one)) != key(replace(REQUEST, conversation=other))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((reference(b"a"), reference(b"b")), (reference(b"b"), reference(b"a")), False),
        ((reference(b"a"),), (reference(b"a", ReferenceRole.STYLE),), False),
        ((reference(b"a"),), (reference(b"a", name="fox.png"),), True),
    ],
)
def test_references_count_by_bytes_role_and_order(
    one: tuple[Reference, ...], other: tuple[Reference, ...], same: bool
) -> None:
    """A reference is its bytes and its role, at its place; its file name is nobody's pixels."""
    assert (key(replace(REQUEST, references=one)) == key(replace(REQUEST, references=other))) == same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a fox", "  a \n fox\t", True),
        ("a café", "a cafe\u0301", True),
        ("a fox", "a\u00a0fox", True),
        ("a fox", "A fox", False),
        ("a fox", "a fox.", False),
        ("a fox", "afox", False),
        ('a sign "A  B"', 'a sign "A B"', False),
        ('a  sign "A\nB"', 'a sign "A\nB"', True),
        ("a  sign “A\nB”", "a sign “A B”", False),
        ('a 5" disc  on a table', 'a 5" disc on a table', True),
    ],
)
def test_words_are_compared_without_white_space_that_means_nothing(one: str, other: str, same: bool) -> None:
    """Unicode form and stray white space never cost a second picture; case, and space in quotes, do."""
    assert (key(replace(REQUEST, prompt=one)) == key(replace(REQUEST, prompt=other))) == same


def test_text_to_render_keeps_its_white_space() -> None:
    """Letter for letter means space for space."""
    assert key(replace(REQUEST, text="A  B")) != key(replace(REQUEST, text="A B"))


@given(st.text())
def test_normalising_twice_changes_nothing_more(words: str) -> None:
    """The compared form of a compared form is itself."""
    assert normalised(normalised(words)) == normalised(words)


@given(st.text(min_size=1).filter(str.strip))
def test_any_prompt_has_keys(prompt: str) -> None:
    """Lone surrogates, control characters and every script have a digest of 64 hexadecimal digits."""
    request = ImageRequest(prompt=prompt)
    assert all(len(bytes.fromhex(digest)) == 32 for digest in (key(request), request_fingerprint(request)))


@given(st.text(min_size=1).filter(str.strip))
def test_decomposed_words_have_the_key_of_composed_ones(prompt: str) -> None:
    """However an accent was typed, it is the same word."""
    composed, decomposed = (unicodedata.normalize(form, prompt) for form in ("NFC", "NFD"))
    if composed.strip() and decomposed.strip():
        assert key(ImageRequest(prompt=composed)) == key(ImageRequest(prompt=decomposed))


def test_keys_stay_what_they_are() -> None:
    """A stored key must still be found after an update: changing a digest pays for every picture again."""
    assert normalised('  ein\tFuchs "im  Schnee" ') == 'ein Fuchs "im  Schnee"'
    assert key() == "df9e81e361231d04b665c1fc034691d1beb0109fdcabf48995e0a6f1429723d6"
    assert request_fingerprint(REQUEST) == "7cb67c76454f40aefc50bbf33e9d549a0cfcb6e3a8b6788dfa136551c0977f79"


def test_another_profile_is_another_request() -> None:
    """Profiles choose models, so a key that named one does not name the other."""
    assert request_fingerprint(REQUEST) != request_fingerprint(REQUEST, profile="ecommerce")


def shortened_by(model: str, *, target: int = 384) -> Compression:
    return Compression(model=replace(CATALOG.texts[model], id=model), tokens=900, target=target)


def test_a_shortened_prompt_counts_by_who_shortens_it_how_far() -> None:
    """Another text model or length is another picture; a step that does not concern the candidate is none."""
    change = Adapted(kind=Adaptation.COMPRESS_PROMPT, detail="shortened")
    brief = replace(CANDIDATE, adapted=(change,), prompt="a fox")
    lite, preview = "gemini-3.1-flash-lite", "gemini-3.1-flash-lite-preview"
    keys = {
        key(candidate=brief, compression=step)
        for step in (shortened_by(lite), shortened_by(preview), shortened_by(lite, target=300))
    }
    assert len(keys) == 3
    assert key(candidate=replace(brief, prompt="a red fox"), compression=shortened_by(lite)) in keys
    assert key(compression=shortened_by(lite)) == key()
