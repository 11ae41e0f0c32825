"""Rewriting a request, where it is allowed."""

from __future__ import annotations

import hashlib

from desk import conversation, png, reference
from image_router.core.adapting import adapted
from image_router.core.types import Adaptation, Conversation, ImageRequest, Turn, TurnPart


def test_an_instruction_is_folded_in() -> None:
    """The instruction stands before the prompt, a blank line between, and is gone as an instruction."""
    request = ImageRequest(prompt="a fox", system_instruction="only pencil")
    folded = adapted(request, [Adaptation.FOLD_SYSTEM_INSTRUCTION])
    assert (folded.prompt, folded.system_instruction) == ("only pencil\n\na fox", None)


def test_a_history_is_flattened() -> None:
    """The last picture of a history becomes the first reference, in its own bytes; words and turns go."""
    talk = conversation("gemini-3.1-flash-image", pictures=3)
    own = reference("mine")
    flat = adapted(
        ImageRequest(prompt="at night", conversation=talk, references=(own,)), [Adaptation.FLATTEN_HISTORY]
    )
    last = png(colour=2)
    assert flat.conversation is None
    assert flat.prompt == "at night"
    assert [ref.data for ref in flat.references] == [last, own.data]
    assert flat.references[0].digest == hashlib.sha256(last).hexdigest()


def test_a_history_without_pictures() -> None:
    """A history of words alone is dropped when flattened; there is no picture to go on from."""
    talk = Conversation(model="m", family="f", turns=(Turn(role="user", parts=(TurnPart(text="hi"),)),))
    flat = adapted(ImageRequest(prompt="a fox", conversation=talk), [Adaptation.FLATTEN_HISTORY])
    assert (flat.conversation, flat.references) == (None, ())


def test_an_image_is_asked_for_outright() -> None:
    """The prefix asks for an image in so many words."""
    assert (
        adapted(ImageRequest(prompt="a fox"), [Adaptation.IMAGE_PREFIX]).prompt == "Generate an image: a fox"
    )


def test_what_does_not_apply_changes_nothing() -> None:
    """Kinds that concern no words, or find nothing to rewrite, leave the request as it is."""
    request = ImageRequest(prompt="a fox", references=(reference(),))
    kinds = [kind for kind in Adaptation if kind is not Adaptation.IMAGE_PREFIX]
    assert adapted(request, kinds) == request
