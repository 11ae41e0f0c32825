"""Worlds, pictures and routers for the tests of deciding and doing. No network, no real clock."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from PIL import Image

from image_router.core.catalog import Catalog, ModelState
from image_router.core.decision import Decision
from image_router.core.policy import Policy
from image_router.core.rates import RateCard, card_on
from image_router.core.routing import World
from image_router.core.types import Conversation, Reference, ReferenceRole, Turn, TurnPart
from image_router.engine.router import ImageRouter, Parts
from image_router.facts import load_cards, load_catalog, load_policies
from image_router.storage.conversations import ConversationStore
from image_router.testing import FrozenClock, Script, ScriptedProvider

ARTICLE = date(2026, 4, 9)
TODAY = date(2026, 11, 22)


@cache
def cards() -> tuple[RateCard, ...]:
    return load_cards(None)


@cache
def policies() -> Mapping[str, Policy]:
    return load_policies(None)


@cache
def catalog() -> Catalog:
    return load_catalog(None)


def world(day: date = TODAY, policy: str = "default", *, states: Mapping[str, str] | None = None) -> World:
    """The shipped facts of a day; `states` settles models, as configuration does."""
    known = catalog()
    if states:
        known = replace(known, overrides={model: ModelState(state) for model, state in states.items()})
    return World(catalog=known, card=card_on(day, cards()), policy=policies()[policy], day=day)


def reference(name: str = "a", *, role: ReferenceRole = ReferenceRole.OBJECT) -> Reference:
    """A reference by name alone: deciding never looks at its bytes."""
    data = name.encode()
    digest = hashlib.sha256(data).hexdigest()
    return Reference(data=data, media_type="image/png", digest=digest, width=64, height=64, role=role)


@cache
def png(width: int = 32, height: int = 32, *, colour: int = 200, kind: str = "PNG") -> bytes:
    """A real picture."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (colour, 60, 40)).save(file, kind)
    return file.getvalue()


def conversation(model: str, *, pictures: int = 1, words: str = "a fox") -> Conversation:
    """Turns drawn by a model: words, then pictures with their signatures."""
    drawn = tuple(
        TurnPart(data=png(colour=i), media_type="image/png", signature=f"signature-{i}")
        for i in range(pictures)
    )
    turns = (Turn(role="user", parts=(TurnPart(text=words),)), Turn(role="model", parts=drawn))
    return Conversation(model=model, family=catalog().models[model].family, turns=turns)


def served(decision: Decision) -> list[tuple[str, str]]:
    """(tier, model) of the candidates, in order."""
    return [(str(c.tier), c.model.id) for c in decision.candidates]


def reasons(decision: Decision) -> dict[str, str]:
    """Why each dropped tier is none."""
    return {str(drop.tier): drop.reason.value for drop in decision.dropped}


def router(
    script: Script | None = None, *, day: date | None = TODAY, home: Path | None = None, **parts: Any
) -> tuple[ImageRouter, ScriptedProvider, FrozenClock]:
    """A router over a script, on a clock that stands still and with dice that always fall on 1."""
    provider, clock = ScriptedProvider(script), FrozenClock()
    folder = home or Path(mkdtemp(prefix="image-router-"))
    made: dict[str, Any] = {
        "provider": lambda: provider,
        "catalog": catalog(),
        "cards": cards(),
        "policies": policies(),
        "profile": "default",
        "as_of": day,
        "today": lambda: TODAY,
        "conversations": ConversationStore(folder / "conversations"),
        "root": "https://generativelanguage.googleapis.com/v1beta",
        "dice": lambda: 1.0,
        "clock": clock,
        "sleep": clock.sleep,
        **parts,
    }
    return ImageRouter(Parts(**made)), provider, clock
