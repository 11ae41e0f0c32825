"""What is known of a request when its answer begins: the headers of whatever is sent while it arrives."""

from __future__ import annotations

from image_router.core.events import AttemptSent, CacheAsked, Decided, Event
from image_router.core.money import usd_text
from image_router.gateway.openai_views import Ending
from image_router.gateway.surfaces import REPLAYED


class Outset(Ending):
    """A sink that also keeps what is decided, sent and found in the cache."""

    def __init__(self, *, cache: str | None = None) -> None:
        """`cache` is the state of a request that never looks there."""
        super().__init__()
        self._decided: Decided | None = None
        self._sent = 0
        self._cache = cache

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        match event:
            case Decided():
                self._decided = event
            case AttemptSent():
                self._sent += 1
            case CacheAsked(wanted=wanted, hits=hits):
                self._cache = "hit" if hits == wanted else "miss"

    @property
    def headers(self) -> dict[str, str]:
        """As of now; nothing before the decision."""
        if self._decided is None:
            return {}
        decision = self._decided.decision
        return {
            "x-image-router-request": self._decided.request_id,
            "x-image-router-tier": decision.head.tier or "",
            "x-image-router-model": decision.head.model.id,
            "x-image-router-quote-usd": usd_text(decision.quote.total),
            "x-image-router-attempts": str(self._sent),
            "x-image-router-cache": self._cache or "miss",
            **(REPLAYED if self._decided.replayed else {}),
        }
