"""Decisions remembered: requests that differ in nothing that deciding looks at are decided once.

What deciding sees of a prompt is its length and its script; nearly all requests of a day are alike in that
and in their fields, and of references their roles alone count. Where more does (a conversation, a full
budget, a prompt that may be shortened) each request is decided anew, and so is one with fields too long to
keep. Whose request it was, its words and its pictures are not remembered. Pure but for what it remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

from image_router.core.briefly import decide_briefly, may_shorten
from image_router.core.decision import Decision, Snapshot
from image_router.core.eligibility import foreign_script
from image_router.core.guard import guard_acts
from image_router.core.prompting import final_prompt, prompt_bytes
from image_router.core.routing import World
from image_router.core.types import ImageRequest

MOST: Final = 4096
LONGEST: Final = 2000
"""Characters of the text to render and the system instruction together: they are kept with a decision."""
_KEPT: Final = tuple(field.name for field in fields(Decision) if field.name != "request")
_UNSEEN: Final = {"prompt", "scope", "key", "deadline", "references", "conversation"}
_SEEN: Final = attrgetter(*(field.name for field in fields(ImageRequest) if field.name not in _UNSEEN))
Decide = Callable[[ImageRequest, World, Snapshot], Decision]


def _fresh(request: ImageRequest, world: World, snapshot: Snapshot) -> Decision:
    return decide_briefly(request, world, snapshot=snapshot)


class Decisions:
    """What was decided for worlds that still are the same objects."""

    def __init__(self, fresh: Decide = _fresh, *, most: int = MOST) -> None:
        self._fresh, self._most = fresh, most
        self._known: dict[Hashable, tuple[World, dict[str, Any]]] = {}

    def decide(self, request: ImageRequest, world: World, *, snapshot: Snapshot) -> Decision:
        """As decide_briefly. Refusals are never remembered."""
        if request.conversation or may_shorten(request, world):
            return self._fresh(request, world, snapshot)
        if guard_acts(world.policy.guard, snapshot) or _long(request):
            return self._fresh(request, world, snapshot)
        roles = tuple(reference.role for reference in request.references)
        shape = (_SEEN(request), roles, *_prompt_shape(request), snapshot.open_circuits, id(world))
        found = self._known.get(shape)
        if found is None:
            if len(self._known) >= self._most:
                self._known.clear()
            decision = self._fresh(request, world, snapshot)
            kept = {name: getattr(decision, name) for name in _KEPT}
            # The world is kept too: its id is only its own for as long as it lives.
            found = self._known[shape] = (world, kept)
        return Decision(request=request, **found[1])


def _long(request: ImageRequest) -> bool:
    return len(request.text or "") + len(request.system_instruction or "") > LONGEST


def _prompt_shape(request: ImageRequest) -> tuple[int, str | None]:
    words = final_prompt(request)
    return prompt_bytes(request), None if words.isascii() else foreign_script(words)
