"""Every error and every cause has one word of the closed vocabulary, whose beginning says who must act."""

from __future__ import annotations

import asyncio

import pytest

from image_router.core import errors
from image_router.core.causes import Cause
from image_router.telemetry.words import WORD_OF, ErrorWord, FaultDomain, word_of, word_of_cause

ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.ImageRouterError)
]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_has_its_word(kind: type[errors.ImageRouterError]) -> None:
    """Each class of the error tree stands in the table itself, so that a new one is given its word."""
    assert kind in WORD_OF


@pytest.mark.parametrize("word", ErrorWord)
def test_every_word_has_its_domain(word: ErrorWord) -> None:
    """The first part of each word names who must act, and each word but `none` is of some error."""
    assert word.value.startswith(word.domain.value)
    assert word in WORD_OF.values() or word is ErrorWord.NONE


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_its_word(cause: Cause) -> None:
    """An attempt's cause has the word of the error it becomes; success has none."""
    assert (word_of_cause(cause) is ErrorWord.NONE) == (cause is Cause.OK)


@pytest.mark.parametrize(
    ("error", "word", "domain"),
    [
        (None, ErrorWord.NONE, FaultDomain.NONE),
        (errors.InvalidRequest("n is 0"), ErrorWord.CALLER_INVALID_REQUEST, FaultDomain.CALLER),
        (errors.BudgetExceeded("full"), ErrorWord.POLICY_BUDGET_EXCEEDED, FaultDomain.POLICY),
        (errors.ContentRefused("no"), ErrorWord.CONTENT_REFUSED, FaultDomain.CONTENT),
        (errors.RateLimited("slow"), ErrorWord.PROVIDER_RATE_LIMITED, FaultDomain.PROVIDER),
        (errors.InvalidCredentials("key"), ErrorWord.OPERATOR_CREDENTIALS, FaultDomain.OPERATOR),
        (asyncio.CancelledError(), ErrorWord.CALLER_CANCELLED, FaultDomain.CALLER),
        (ZeroDivisionError(), ErrorWord.OTHER, FaultDomain.OTHER),
    ],
)
def test_who_must_act(error: BaseException | None, word: ErrorWord, domain: FaultDomain) -> None:
    """Errors of the tree have a domain; what nobody foresaw is `other`, to be alarmed on."""
    assert (word_of(error), word_of(error).domain) == (word, domain)


def test_an_error_of_our_users() -> None:
    """A class derived elsewhere has the word of its nearest ancestor."""

    class Odd(errors.StorageError):
        pass

    assert word_of(Odd("disk")) is ErrorWord.OPERATOR_STORAGE
