"""How secrets of router keys are spelled and recognised."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_router.core.errors import KeyInvalid
from image_router.core.key_secret import (
    ID_BYTES,
    LENGTH,
    PATTERN,
    SECRET_BYTES,
    KeySecret,
    bare_id,
    claimed_id,
    digest_of,
    key_id_of,
    new_id,
    new_secret,
)

SECRETS = st.builds(
    lambda one, two: new_secret(new_id(one), two),
    st.binary(min_size=ID_BYTES, max_size=ID_BYTES),
    st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES),
)


@given(SECRETS)
def test_a_secret_is_recognised_by_everybody(secret: KeySecret) -> None:
    """Every secret has the published pattern and length, names its key, and needs no escape in a header."""
    assert re.fullmatch(PATTERN, secret.text)
    assert len(secret.text) == LENGTH
    assert key_id_of(secret.text) == claimed_id(secret.text) == bare_id(secret.text)
    assert secret.digest == digest_of(secret.text)
    assert secret.text.isascii()


@given(st.binary(min_size=ID_BYTES, max_size=ID_BYTES), st.data())
def test_different_chance_is_another_secret(chance: bytes, data: st.DataObject) -> None:
    """No two drawings of chance make the same secret for a key."""
    drawn = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)
    one, other = data.draw(drawn), data.draw(drawn)
    same = new_secret(new_id(chance), one) == new_secret(new_id(chance), other)
    assert same is (one == other)


@given(SECRETS, st.integers(0, LENGTH - 1), st.characters())
def test_one_wrong_character_is_noticed(secret: KeySecret, place: int, other: str) -> None:
    """A key with one character changed is refused by its form alone, and its text is not repeated."""
    text = secret.text[:place] + other + secret.text[place + 1 :]
    if text == secret.text:
        assert key_id_of(text)
        return
    with pytest.raises(KeyInvalid) as refused:
        key_id_of(text)
    assert refused.value.field == "secret"
    assert text not in str(refused.value)


@given(st.text(max_size=2 * LENGTH))
def test_no_text_is_too_odd(text: str) -> None:
    """Whatever is sent as a key is refused as one, and nothing else goes wrong; lone surrogates included."""
    with pytest.raises(KeyInvalid):
        key_id_of(text)
    with pytest.raises(KeyInvalid):
        key_id_of(f"ir_{text}\ud800")
    assert digest_of(f"{text}\ud800")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("", "no router key was sent"),
        ("AIzaSyA-some-key-of-google", "a provider's own key opens nothing"),
        ("ir_k7f2m4qa", "11 characters were sent, not the 63"),
        ("ir_" + "a" * 60, "copy the whole key again"),
    ],
)
def test_what_is_wrong_with_it_is_said(sent: str, said: str) -> None:
    """Nothing, another's key, and a part of one are told apart."""
    with pytest.raises(KeyInvalid, match=said):
        key_id_of(sent)


@given(SECRETS)
def test_a_secret_hides_itself(secret: KeySecret) -> None:
    """Neither repr nor a log line shows a secret; its hint holds nothing but the checksum's end."""
    chance = secret.text[12:-8]
    assert chance not in repr(secret) + f"{secret}"
    assert secret.hint == secret.text[-4:]


@pytest.mark.parametrize("said", ["k7f2m4qa", "ir_k7f2m4qa", "ir_k7f2m4qa_…90ab"])
def test_a_key_is_named_as_it_is_shown(said: str) -> None:
    """Id, prefixed id and the form of lists all name the key."""
    assert bare_id(said) == "k7f2m4qa"


@pytest.mark.parametrize("said", ["ci-pipeline", "production", ""])
def test_other_names_stay_as_they_are(said: str) -> None:
    """What is no id is left alone, for the message that says it is unknown."""
    assert bare_id(said) == said


def test_the_published_pattern_is_the_real_one() -> None:
    """What docs/gateway.md gives to secret scanners is what secrets look like."""
    page = Path(__file__).parents[2] / "docs" / "gateway.md"
    assert f"\n{PATTERN}\n" in page.read_text(encoding="utf-8")
