"""Asking before a spend: who is asked, and what an answer does."""

from __future__ import annotations

import click
import pytest

from image_router.cli import spending
from image_router.cli.spending import Manner, Price, confirm
from image_router.core.errors import CostLimitExceeded
from image_router.core.money import USD

TWO_DOLLARS = Price(expected=2 * USD, ceiling=3 * USD)


class Terminal:
    """A stdin that somebody sits at."""

    def isatty(self) -> bool:
        return True


def manner(*, yes: bool = False, as_json: bool = False) -> Manner:
    return Manner(yes=yes, preview=False, as_json=as_json)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A terminal that always says no, and what it was asked."""
    questions: list[str] = []

    def say_no(question: str, **_: object) -> bool:
        questions.append(question)
        return False

    monkeypatch.setattr(spending.sys, "stdin", Terminal())
    monkeypatch.setattr(click, "confirm", say_no)
    return questions


def test_a_terminal_is_asked_with_both_figures(asked: list[str]) -> None:
    """The question names the expected total and the ceiling; no spends nothing."""
    with pytest.raises(CostLimitExceeded, match="nothing was spent") as caught:
        confirm(TWO_DOLLARS, above=USD, manner=manner())
    assert asked == ["This spends $2.00 expected, at most $3.00. Go on?"]
    assert (caught.value.limit, caught.value.asked) == (USD, 3 * USD)


def test_yes_goes_on(monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> None:
    """An answered yes lets the command run."""
    monkeypatch.setattr(click, "confirm", lambda *_, **__: True)
    confirm(TWO_DOLLARS, above=USD, manner=manner())


def test_a_dear_fallback_is_asked_about(asked: list[str]) -> None:
    """A request expected below the threshold, whose fallback is above it, is no surprise."""
    with pytest.raises(CostLimitExceeded, match=r"\$2\.00 expected, at most \$3\.00"):
        confirm(TWO_DOLLARS, above=2 * USD, manner=manner())


@pytest.mark.parametrize(("above", "yes"), [(3 * USD, False), (USD, True), (0, True)])
def test_nobody_is_asked_when_it_is_clear(asked: list[str], above: int, yes: bool) -> None:
    """At the threshold, or with --yes, no question is put."""
    confirm(TWO_DOLLARS, above=above, manner=manner(yes=yes))
    assert asked == []


def test_json_never_asks(asked: list[str]) -> None:
    """A program that reads JSON is told to add --yes, even at a terminal."""
    with pytest.raises(CostLimitExceeded, match="add --yes"):
        confirm(TWO_DOLLARS, above=USD, manner=manner(as_json=True))
    assert asked == []
