"""The tables of docs/failures.md: every cause has its row, and rows say what the code does."""

from __future__ import annotations

import pytest

from image_router import facts
from image_router.core.breaker import TripRule
from image_router.core.causes import ERROR_RULES, FINISH_RULES, Cause
from image_router.core.limits_toml import parse_circuits
from image_router.core.reactions import Reaction, answer_reactions, error_reactions, fault_reactions
from image_router.core.toml_table import TomlFile


def trips() -> tuple[TripRule, ...]:
    path = facts.SHIPPED / "limits" / "circuits.toml"
    return parse_circuits(TomlFile(str(path), path.read_text(encoding="utf-8")))


def rows() -> tuple[Reaction, ...]:
    rules = trips()
    return (*error_reactions(rules), *answer_reactions(rules), *fault_reactions(rules))


def test_every_cause_has_a_row() -> None:
    """No way to fail is left out of the document."""
    assert {row.cause for row in rows()} == set(Cause) - {Cause.OK}


def test_every_rule_has_a_row() -> None:
    """Each error rule and each finish reason is told once, in order."""
    assert [row.cause for row in error_reactions(trips())] == [rule.cause for rule in ERROR_RULES]
    told = " ".join(row.sign for row in answer_reactions(trips()))
    assert all(f"`{reason}`" in told for reason in FINISH_RULES)


@pytest.mark.parametrize(
    ("cause", "reaction", "aside", "billed"),
    [
        (
            Cause.DAILY_QUOTA,
            "the next key or project of the pool; else another model",
            "the model in this project is left alone until midnight (America/Los_Angeles)",
            "no",
        ),
        (
            Cause.KEY_LEAKED,
            "the next key or project of the pool; else told at once",
            "the key is left alone for good",
            "no",
        ),
        (
            Cause.OVERLOADED,
            "tried again with growing waits, then another model",
            "the model is left alone for 30 s to 1 min after 5 in a row",
            "no",
        ),
        (
            Cause.SPEND_LIMIT,
            "the next project of the pool; else tried again with growing waits",
            "dollars per ten minutes are learned down and held for the time asked",
            "no",
        ),
        (
            Cause.MODEL_NOT_FOUND,
            "the next key or project of the pool; else another model",
            "the model in this project is left alone for 24 h, then a free probe",
            "no",
        ),
        (Cause.PAID_WITHOUT_IMAGE, "repeated, then another model", "", "as counted"),
        (Cause.TIMED_OUT, "sent again only as `on_ambiguous` allows", "", "unknown: at risk"),
        (Cause.UNREACHABLE, "tried again with growing waits, then another model", "", "no"),
        (Cause.REGION, "told at once", "", "no"),
    ],
)
def test_rows_say_what_follows(cause: Cause, reaction: str, aside: str, billed: str) -> None:
    """Reaction, what is left alone, and the bill, spelled out for one cause of each kind."""
    row = next(row for row in rows() if row.cause is cause)
    assert (row.reaction, row.aside, row.billed) == (reaction, aside, billed)
